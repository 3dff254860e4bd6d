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

#ifndef NFT_TABLE_F_PERSIST
#define NFT_TABLE_F_PERSIST 4		/* linux 6.9; Debian 12's headers are older */
#endif

#define BATCH_BYTES 16384
#define LISTING_BYTES 16384
#define REPLY_BYTES 32768		/* a dump's pieces are at most this, MNL_SOCKET_DUMP_SIZE */

/* PERSIST where the kernel has it: found out by the self-test's first table. */
static uint32_t table_flags = NFT_TABLE_F_OWNER | NFT_TABLE_F_PERSIST;

int op_nft_socket(void)
{
	struct timeval patience = { .tv_sec = 1 };	/* the kernel answers at once; never hang on it */
	autoclose fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	struct sockaddr_nl address = { .nl_family = AF_NETLINK };

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
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
	uint32_t sequence;
};

static struct nlmsghdr *next(struct batch *batch, uint16_t type, uint16_t flags)
{
	return nftnl_nlmsg_build_hdr(mnl_nlmsg_batch_current(batch->mnl), type, NFPROTO_INET,
				     (uint16_t)(flags | NLM_F_ACK), batch->sequence++);
}

static int begin(struct batch *batch)
{
	batch->mnl = mnl_nlmsg_batch_start(batch->bytes, sizeof(batch->bytes));
	if (!batch->mnl)
		return -ENOMEM;
	batch->sequence = 1;
	nftnl_batch_begin(mnl_nlmsg_batch_current(batch->mnl), batch->sequence++);
	mnl_nlmsg_batch_next(batch->mnl);
	return 0;
}

static void put_table(struct batch *batch, uint16_t type, uint16_t flags, const struct nftnl_table *table)
{
	nftnl_table_nlmsg_build_payload(next(batch, type, flags), table);
	mnl_nlmsg_batch_next(batch->mnl);
}

/* Read acknowledgements up to the last message's; the first error wins. */
static int acknowledged(int fd, uint32_t last)
{
	char reply[REPLY_BYTES];
	int first = 0;

	for (;;) {
		ssize_t size = recv(fd, reply, sizeof(reply), 0);
		int left = (int)size;

		if (size < 0)
			return -errno;
		for (struct nlmsghdr *h = (struct nlmsghdr *)reply; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

			if (h->nlmsg_type != NLMSG_ERROR)
				continue;
			if (e->error && !first)
				first = e->error;
			if (h->nlmsg_seq == last || e->msg.nlmsg_type == NFNL_MSG_BATCH_BEGIN)
				return first;
		}
	}
}

static int commit(int fd, struct batch *batch)
{
	uint32_t last = batch->sequence - 1;
	int error;

	nftnl_batch_end(mnl_nlmsg_batch_current(batch->mnl), batch->sequence++);
	mnl_nlmsg_batch_next(batch->mnl);
	if (send(fd, mnl_nlmsg_batch_head(batch->mnl), mnl_nlmsg_batch_size(batch->mnl), 0) < 0)
		error = -errno;
	else
		error = acknowledged(fd, last);
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
	if ((error == -EINVAL || error == -EOPNOTSUPP) && (table_flags & NFT_TABLE_F_PERSIST)) {
		error = build_with(owner_fd, &set, NFT_TABLE_F_OWNER);
		if (!error)
			table_flags = NFT_TABLE_F_OWNER;
	}
	nft_rules_free(&set);
	return error;
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

/* What a listing has gathered: text to compare. */
struct listing {
	char text[LISTING_BYTES];
	unsigned used;
	uint32_t flags, owner;
	int tables;
};

static int on_table(const struct nlmsghdr *h, struct listing *listing)
{
	struct nftnl_table *table = nftnl_table_alloc();

	if (!table || nftnl_table_nlmsg_parse(h, table) < 0)
		return -EBADMSG;
	listing->flags = nftnl_table_get_u32(table, NFTNL_TABLE_FLAGS);
	listing->owner = nftnl_table_is_set(table, NFTNL_TABLE_OWNER) ? nftnl_table_get_u32(table, NFTNL_TABLE_OWNER) : 0;
	listing->tables++;
	nftnl_table_free(table);
	return 0;
}

static int on_chain(const struct nlmsghdr *h, struct listing *listing)
{
	struct nftnl_chain *chain = nftnl_chain_alloc();
	int error = -EBADMSG;

	if (chain && nftnl_chain_nlmsg_parse(h, chain) >= 0) {
		const char *table = nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE);

		/* the kernel lists the chains of all inet tables; the pod's own are not our business */
		error = !table || strcmp(table, NFT_TABLE) ? 0 :
			nft_rules_describe_chain(chain, listing->text, sizeof(listing->text), &listing->used);
	}
	if (chain)
		nftnl_chain_free(chain);
	return error;
}

static int on_rule(const struct nlmsghdr *h, struct listing *listing)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();
	int error = -EBADMSG;

	if (rule && nftnl_rule_nlmsg_parse(h, rule) >= 0)
		error = nft_rules_describe_rule(rule, listing->text, sizeof(listing->text), &listing->used);
	if (rule)
		nftnl_rule_free(rule);
	return error;
}

/* Send a request and hand each object of the answer to `each`, until the dump's end or the one reply's ack. */
static int query(int fd, struct nlmsghdr *request, int (*each)(const struct nlmsghdr *, struct listing *),
		 struct listing *listing)
{
	char reply[REPLY_BYTES];

	if (send(fd, request, request->nlmsg_len, 0) < 0)
		return -errno;
	for (;;) {
		ssize_t size = recv(fd, reply, sizeof(reply), 0);
		int left = (int)size, error = 0;

		if (size < 0)
			return -errno;
		for (struct nlmsghdr *h = (struct nlmsghdr *)reply; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			if (h->nlmsg_type == NLMSG_ERROR)
				return ((const struct nlmsgerr *)mnl_nlmsg_get_payload(h))->error;
			if (h->nlmsg_type == NLMSG_DONE)
				return 0;
			error = each(h, listing);
			if (error)
				return error;
		}
	}
}

static int list(int fd, uint16_t type, uint16_t flags, int (*each)(const struct nlmsghdr *, struct listing *),
		struct listing *listing)
{
	char bytes[1024];
	struct nlmsghdr *request = nftnl_nlmsg_build_hdr(bytes, type, NFPROTO_INET, flags, 1);

	/* NFTA_TABLE_NAME, NFTA_CHAIN_TABLE and NFTA_RULE_TABLE are all 1: the table's name */
	mnl_attr_put_strz(request, NFTA_TABLE_NAME, NFT_TABLE);
	return query(fd, request, each, listing);
}

static int expect(struct listing *listing, const uint32_t uplinks[LW_UPLINKS])
{
	struct nft_set set;
	int error = nft_rules_build(&set, uplinks);

	for (unsigned i = 0; !error && i < NFT_CHAINS; i++)
		error = nft_rules_describe_chain(set.chains[i], listing->text, sizeof(listing->text), &listing->used);
	for (unsigned i = 0; !error && i < set.rule_count; i++)
		error = nft_rules_describe_rule(set.rules[i], listing->text, sizeof(listing->text), &listing->used);
	nft_rules_free(&set);
	return error;
}

static uint32_t port_id(int fd)
{
	struct sockaddr_nl address = { 0 };
	socklen_t size = sizeof(address);

	return getsockname(fd, (struct sockaddr *)&address, &size) ? 0 : address.nl_pid;
}

int op_nft_read_back(int owner_fd, const uint32_t uplinks[LW_UPLINKS])
{
	static struct listing want, got;		/* 16 KiB each; one pod is read back at a time */
	int error;

	want.used = got.used = 0;
	got.tables = 0;
	error = list(owner_fd, NFT_MSG_GETTABLE, NLM_F_ACK, on_table, &got);
	if (!error && (got.tables != 1 || got.owner != port_id(owner_fd) || got.flags != table_flags))
		error = -EPERM;
	if (!error)
		error = list(owner_fd, NFT_MSG_GETCHAIN, NLM_F_DUMP, on_chain, &got);
	if (!error)
		error = list(owner_fd, NFT_MSG_GETRULE, NLM_F_DUMP, on_rule, &got);
	if (!error)
		error = expect(&want, uplinks);
	if (error)
		return error;
	return want.used == got.used && !memcmp(want.text, got.text, want.used) ? 0 : -EBADE;
}
