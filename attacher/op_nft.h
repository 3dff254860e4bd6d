/*
 * Privileged acts on nftables, over the pod's owner socket: a NETLINK_NETFILTER
 * socket made in the pod's netns.  While a copy of it lives, nobody in the pod
 * can flush or delete the table.
 */
#ifndef LW_OP_NFT_H
#define LW_OP_NFT_H

#include <stdint.h>
#include "lw_abi.h"

/* Make the owner socket in the current network namespace; only the kernel can send to it.  fd or -errno. */
int op_nft_socket(void);

/*
 * Adopt what an earlier owner left, delete it and build the table anew, in one
 * transaction.  -EPERM: the table belongs to someone else who lives.  0 or -errno.
 */
int op_nft_build(int owner_fd, const uint32_t uplinks[LW_UPLINKS]);

/* Is the table there, ours, and exactly what op_nft_build() makes?  0; -ENOENT; -EPERM; -EBADE: it differs. */
int op_nft_read_back(int owner_fd, const uint32_t uplinks[LW_UPLINKS]);

/*
 * The self-test is over: what its table got (PERSIST or not) holds for every pod.  A pod that
 * makes the flags fail later fails alone.
 */
void op_nft_settle(void);

/* Delete the table.  0 or -errno. */
int op_nft_delete(int owner_fd);

#endif
