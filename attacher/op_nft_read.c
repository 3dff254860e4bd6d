/*
 * The read-back of a pod's table.  Run by the attacher; the kernel's answers are
 * trusted (op_nft_socket() lets nobody else send), the pod's own tables are not looked into.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>
#include <sys/socket.h>
#include "nft_rules.h"
#include "op_nft.h"
#include "op_nft_wire.h"

#define LISTING_BYTES 16384
#define DUMP_TRIES 5

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
static int piece(char *reply, int left, uint32_t sequence, int (*each)(const struct nlmsghdr *, struct listing *), struct listing *listing)
{
	for (struct nlmsghdr *h = (struct nlmsghdr *)reply; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
		int error;

		if (h->nlmsg_seq != sequence)
			continue;	/* the rest of an answer that was given up */
		if (h->nlmsg_flags & NLM_F_DUMP_INTR)
			return -EINTR;
		if (op_nft_is_error(h))
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
	uint32_t sequence = op_nft_sequence();
	struct nlmsghdr *request = nftnl_nlmsg_build_hdr(bytes, type, NFPROTO_INET, flags, sequence);
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
		more = piece(reply, (int)size, sequence, each, listing);
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

/* The text that the table must have, made once for pods with the same uplinks (nearly all). */
static const struct listing *expect(const struct nft_set *set, const uint32_t uplinks[LW_UPLINKS])
{
	static struct listing want;
	static uint32_t made_for[LW_UPLINKS];
	int error = 0;

	if (want.used && !memcmp(made_for, uplinks, sizeof(made_for)))
		return &want;
	want.used = 0;
	for (unsigned i = 0; !error && i < NFT_CHAINS; i++)
		error = nft_rules_describe_chain(set->chains[i], want.text, sizeof(want.text), &want.used);
	for (unsigned i = 0; !error && i < set->rule_count; i++)
		error = nft_rules_describe_rule(set->rules[i], want.text, sizeof(want.text), &want.used);
	if (error) {
		want.used = 0;
		return NULL;
	}
	memcpy(made_for, uplinks, sizeof(made_for));
	return &want;
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

static int compare_with(int owner_fd, const struct nft_set *set, const uint32_t uplinks[LW_UPLINKS])
{
	static struct listing got;		/* 16 KiB; one pod is read back at a time */
	const struct listing *want = expect(set, uplinks);
	int error;

	if (!want)
		return -ENOSPC;
	got.used = 0;
	got.tables = 0;
	error = list(owner_fd, NFT_MSG_GETTABLE, NLM_F_ACK, NULL, on_table, &got);
	if (!error && (got.tables != 1 || got.owner != port_id(owner_fd) || got.flags != op_nft_table_flags()))
		error = -EPERM;
	if (!error)
		error = list_chains(owner_fd, set, &got);
	if (!error)
		error = list_rules(owner_fd, &got);
	if (error)
		return error;
	return want->used == got.used && !memcmp(want->text, got.text, want->used) ? 0 : -EBADE;
}

int op_nft_read_back(int owner_fd, const uint32_t uplinks[LW_UPLINKS])
{
	struct nft_set set;
	int error = nft_rules_build(&set, uplinks);

	if (!error)
		error = compare_with(owner_fd, &set, uplinks);
	nft_rules_free(&set);
	return error;
}
