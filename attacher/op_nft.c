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
#define DUMP_TRIES 5
#define REPLY_BYTES 32768		/* a dump's pieces are at most this, MNL_SOCKET_DUMP_SIZE */

/* PERSIST where the kernel has it: found out by the self-test's first table, then settled. */
static uint32_t table_flags = NFT_TABLE_F_OWNER | NFT_TABLE_F_PERSIST;
static int settled;

/* Rises over all sockets: an answer to an earlier request is never taken for this one's. */
static uint32_t sequence;

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
				     (uint16_t)(flags | NLM_F_ACK), ++sequence);
}

static int begin(struct batch *batch)
{
	batch->mnl = mnl_nlmsg_batch_start(batch->bytes, sizeof(batch->bytes));
	if (!batch->mnl)
		return -ENOMEM;
	batch->first = ++sequence;
	nftnl_batch_begin(mnl_nlmsg_batch_current(batch->mnl), batch->first);
	mnl_nlmsg_batch_next(batch->mnl);
	return 0;
}

static void put_table(struct batch *batch, uint16_t type, uint16_t flags, const struct nftnl_table *table)
{
	nftnl_table_nlmsg_build_payload(next(batch, type, flags), table);
	mnl_nlmsg_batch_next(batch->mnl);
}

static int is_error(const struct nlmsghdr *h)
{
	return h->nlmsg_type == NLMSG_ERROR && h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct nlmsgerr));
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

			if (!is_error(h) || h->nlmsg_seq < first || h->nlmsg_seq > last)
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

	nftnl_batch_end(mnl_nlmsg_batch_current(batch->mnl), ++sequence);
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

	if (!table)
		return -ENOMEM;
	if (nftnl_table_nlmsg_parse(h, table) < 0) {
		nftnl_table_free(table);
		return -EBADMSG;
	}
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

	if (chain && nftnl_chain_nlmsg_parse(h, chain) >= 0)
		error = nft_rules_describe_chain(chain, listing->text, sizeof(listing->text), &listing->used);
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

/* One piece of an answer: 1: more to come, 0: the end, or -errno (-EINTR: a dump changed meanwhile). */
static int piece(char *reply, int left, int (*each)(const struct nlmsghdr *, struct listing *), struct listing *listing)
{
	for (struct nlmsghdr *h = (struct nlmsghdr *)reply; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
		int error;

		if (h->nlmsg_seq != sequence)
			continue;	/* the rest of an answer that was given up */
		if (h->nlmsg_flags & NLM_F_DUMP_INTR)
			return -EINTR;
		if (is_error(h))
			return ((const struct nlmsgerr *)mnl_nlmsg_get_payload(h))->error;
		if (h->nlmsg_type == NLMSG_DONE)
			return 0;
		error = each(h, listing);
		if (error)
			return error;
	}
	return 1;
}

/* Ask for objects of our table and hand each to `each`, until the dump's end or the one reply's acknowledgement. */
static int list(int fd, uint16_t type, uint16_t flags, const char *chain,
		int (*each)(const struct nlmsghdr *, struct listing *), struct listing *listing)
{
	char bytes[1024], reply[REPLY_BYTES];
	struct nlmsghdr *request = nftnl_nlmsg_build_hdr(bytes, type, NFPROTO_INET, flags, ++sequence);
	int more = 1;

	/* NFTA_TABLE_NAME, NFTA_CHAIN_TABLE and NFTA_RULE_TABLE are all 1: the table's name */
	mnl_attr_put_strz(request, NFTA_TABLE_NAME, NFT_TABLE);
	if (chain)
		mnl_attr_put_strz(request, NFTA_CHAIN_NAME, chain);
	if (send(fd, request, request->nlmsg_len, 0) < 0)
		return -errno;
	while (more > 0) {
		ssize_t size = recv(fd, reply, sizeof(reply), 0);

		if (size < 0)
			return -errno;
		more = piece(reply, (int)size, each, listing);
	}
	return more;
}

/* Our chains by name: a dump would bring the chains of all the pod's own tables too, as many as it likes. */
static int list_chains(int fd, const struct nft_set *set, struct listing *listing)
{
	int error = 0;

	for (unsigned i = 0; i < NFT_CHAINS && !error; i++)
		error = list(fd, NFT_MSG_GETCHAIN, NLM_F_ACK, nftnl_chain_get_str(set->chains[i], NFTNL_CHAIN_NAME),
			     on_chain, listing);
	return error;
}

static int expect(struct listing *listing, const struct nft_set *set)
{
	int error = 0;

	for (unsigned i = 0; !error && i < NFT_CHAINS; i++)
		error = nft_rules_describe_chain(set->chains[i], listing->text, sizeof(listing->text), &listing->used);
	for (unsigned i = 0; !error && i < set->rule_count; i++)
		error = nft_rules_describe_rule(set->rules[i], listing->text, sizeof(listing->text), &listing->used);
	return error;
}

static uint32_t port_id(int fd)
{
	struct sockaddr_nl address = { 0 };
	socklen_t size = sizeof(address);

	return getsockname(fd, (struct sockaddr *)&address, &size) ? 0 : address.nl_pid;
}

/* A pod that changes tables of its own makes a dump of ours start again; not for ever. */
static int list_rules(int fd, struct listing *listing)
{
	unsigned before = listing->used;
	int error = -EINTR;

	for (int i = 0; i < DUMP_TRIES && error == -EINTR; i++) {
		listing->used = before;
		error = list(fd, NFT_MSG_GETRULE, NLM_F_DUMP, NULL, on_rule, listing);
	}
	return error;
}

static int compare_with(int owner_fd, const struct nft_set *set)
{
	static struct listing want, got;		/* 16 KiB each; one pod is read back at a time */
	int error;

	want.used = got.used = 0;
	got.tables = 0;
	error = list(owner_fd, NFT_MSG_GETTABLE, NLM_F_ACK, NULL, on_table, &got);
	if (!error && (got.tables != 1 || got.owner != port_id(owner_fd) || got.flags != table_flags))
		error = -EPERM;
	if (!error)
		error = list_chains(owner_fd, set, &got);
	if (!error)
		error = list_rules(owner_fd, &got);
	if (!error)
		error = expect(&want, set);
	if (error)
		return error;
	return want.used == got.used && !memcmp(want.text, got.text, want.used) ? 0 : -EBADE;
}

int op_nft_read_back(int owner_fd, const uint32_t uplinks[LW_UPLINKS])
{
	struct nft_set set;
	int error = nft_rules_build(&set, uplinks);

	if (!error)
		error = compare_with(owner_fd, &set);
	nft_rules_free(&set);
	return error;
}
