/*
 * Speaking nftables' netlink (no nft binary).  Run by the attacher inside or
 * towards a pod's netns; the kernel's answers are trusted, the pod's own tables
 * are not looked into.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include "cleanup.h"
#include "nft_rules.h"
#include "op_nft.h"
#include "op_nft_wire.h"

#ifndef NFT_TABLE_F_PERSIST
#define NFT_TABLE_F_PERSIST 4		/* linux 6.9; Debian 12's headers are older */
#endif

#define BATCH_BYTES 16384

/* PERSIST where the kernel has it: found out by the self-test's first table, then settled. */
static uint32_t table_flags = NFT_TABLE_F_OWNER | NFT_TABLE_F_PERSIST;
static int settled;

static uint32_t sequence;

uint32_t op_nft_sequence(void)
{
	return ++sequence;
}

uint32_t op_nft_table_flags(void)
{
	return table_flags;
}

int op_nft_socket(void)
{
	struct timeval patience = { .tv_sec = 1 };	/* the kernel answers at once; never hang on it */
	autoclose fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	struct sockaddr_nl address = { .nl_family = AF_NETLINK };

	/* connected to the kernel (port 0): a process in the pod can then send nothing to this socket */
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		return -errno;
	return take_fd(&fd);
}

static struct nftnl_table *our_table(uint32_t flags)
{
	struct nftnl_table *table = nftnl_table_alloc();

	if (!table)
		return NULL;
	nftnl_table_set_u32(table, NFTNL_TABLE_FAMILY, NFPROTO_INET);
	nftnl_table_set_str(table, NFTNL_TABLE_NAME, NFT_TABLE);
	nftnl_table_set_u32(table, NFTNL_TABLE_FLAGS, flags);
	return table;
}

struct batch {
	char bytes[BATCH_BYTES];
	struct mnl_nlmsg_batch *mnl;
	uint32_t first;
};

static struct nlmsghdr *next(struct batch *batch, uint16_t type, uint16_t flags)
{
	return nftnl_nlmsg_build_hdr(mnl_nlmsg_batch_current(batch->mnl), type, NFPROTO_INET,
				     (uint16_t)(flags | NLM_F_ACK), op_nft_sequence());
}

static int begin(struct batch *batch)
{
	batch->mnl = mnl_nlmsg_batch_start(batch->bytes, sizeof(batch->bytes));
	if (!batch->mnl)
		return -ENOMEM;
	batch->first = op_nft_sequence();
	nftnl_batch_begin(mnl_nlmsg_batch_current(batch->mnl), batch->first);
	mnl_nlmsg_batch_next(batch->mnl);
	return 0;
}

static void put_table(struct batch *batch, uint16_t type, uint16_t flags, const struct nftnl_table *table)
{
	nftnl_table_nlmsg_build_payload(next(batch, type, flags), table);
	mnl_nlmsg_batch_next(batch->mnl);
}

/* Read acknowledgements of messages first..last up to the last's; the first error wins. */
static int acknowledged(int fd, uint32_t first, uint32_t last)
{
	char reply[REPLY_BYTES];
	int worst = 0;

	for (;;) {
		ssize_t size = recv(fd, reply, sizeof(reply), 0);
		int left = (int)size;

		if (size < 0)
			return -errno;
		for (struct nlmsghdr *h = (struct nlmsghdr *)reply; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

			if (!op_nft_is_error(h) || h->nlmsg_seq < first || h->nlmsg_seq > last)
				continue;
			if (e->error && !worst)
				worst = e->error;
			if (h->nlmsg_seq == last)
				return worst;
		}
	}
}

static int commit(int fd, struct batch *batch)
{
	uint32_t last = sequence;
	int error;

	nftnl_batch_end(mnl_nlmsg_batch_current(batch->mnl), op_nft_sequence());
	mnl_nlmsg_batch_next(batch->mnl);
	if (send(fd, mnl_nlmsg_batch_head(batch->mnl), mnl_nlmsg_batch_size(batch->mnl), 0) < 0)
		error = -errno;
	else
		error = acknowledged(fd, batch->first, last);
	mnl_nlmsg_batch_stop(batch->mnl);
	return error;
}

static void put_set(struct batch *batch, const struct nft_set *set)
{
	for (unsigned i = 0; i < NFT_CHAINS; i++) {
		nftnl_chain_nlmsg_build_payload(next(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE), set->chains[i]);
		mnl_nlmsg_batch_next(batch->mnl);
	}
	for (unsigned i = 0; i < set->rule_count; i++) {
		nftnl_rule_nlmsg_build_payload(next(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND), set->rules[i]);
		mnl_nlmsg_batch_next(batch->mnl);
	}
}

static int build_with(int owner_fd, const struct nft_set *set, uint32_t flags)
{
	struct nftnl_table *table = our_table(flags);
	struct batch batch;
	int error = table ? begin(&batch) : -ENOMEM;

	if (!error) {
		put_table(&batch, NFT_MSG_NEWTABLE, NLM_F_CREATE, table);	/* adopts an orphan */
		put_table(&batch, NFT_MSG_DELTABLE, 0, table);			/* or the rules would double */
		put_table(&batch, NFT_MSG_NEWTABLE, NLM_F_CREATE, table);
		put_set(&batch, set);
		error = commit(owner_fd, &batch);
	}
	if (table)
		nftnl_table_free(table);
	return error;
}

int op_nft_build(int owner_fd, const uint32_t uplinks[LW_UPLINKS])
{
	struct nft_set set;
	int error = nft_rules_build(&set, uplinks);

	if (!error)
		error = build_with(owner_fd, &set, table_flags);
	if (!settled && (error == -EINVAL || error == -EOPNOTSUPP) && (table_flags & NFT_TABLE_F_PERSIST)) {
		error = build_with(owner_fd, &set, NFT_TABLE_F_OWNER);
		if (!error)
			table_flags = NFT_TABLE_F_OWNER;
	}
	nft_rules_free(&set);
	return error;
}

void op_nft_settle(void)
{
	settled = 1;
}

int op_nft_delete(int owner_fd)
{
	struct nftnl_table *table = our_table(table_flags);
	struct batch batch;
	int error = table ? begin(&batch) : -ENOMEM;

	if (!error) {
		put_table(&batch, NFT_MSG_DELTABLE, 0, table);
		error = commit(owner_fd, &batch);
	}
	if (table)
		nftnl_table_free(table);
	return error;
}
