/* What op_nft.c and op_nft_read.c share of the netlink wire. */
#ifndef LW_OP_NFT_WIRE_H
#define LW_OP_NFT_WIRE_H

#include <linux/netlink.h>
#include <stdint.h>

#define REPLY_BYTES 32768		/* a dump's pieces are at most this, MNL_SOCKET_DUMP_SIZE */

/* Rises over all sockets: an answer to an earlier request is never taken for this one's. */
uint32_t op_nft_sequence(void);

/* OWNER, and PERSIST where the self-test saw it. */
uint32_t op_nft_table_flags(void);

/* A whole NLMSG_ERROR: an error or, with 0, an acknowledgement. */
static inline int op_nft_is_error(const struct nlmsghdr *h)
{
	return h->nlmsg_type == NLMSG_ERROR && h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct nlmsgerr));
}

#endif
