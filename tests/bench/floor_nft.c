/*
 * The nftables calls of an attach.  The transaction's bytes are made before the
 * clock runs, from the attacher's own rules and in the attacher's own messages.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include "floor.h"
#include "nft_rules.h"

#ifndef NFT_TABLE_F_PERSIST
#define NFT_TABLE_F_PERSIST 4		/* linux 6.9; Debian 12's headers are older */
#endif

struct canned {
	char bytes[16384];
	size_t size;
	uint32_t sequence;		/* of the next message */
};

static uint32_t table_flags = NFT_TABLE_F_OWNER | NFT_TABLE_F_PERSIST, known_uplink;
static unsigned rule_count;
static struct canned build, delete, get_table, get_chains, get_rules;

static struct nlmsghdr *next(struct canned *canned, uint16_t type, uint16_t flags)
{
	return nftnl_nlmsg_build_hdr(canned->bytes + canned->size, type, NFPROTO_INET, flags, canned->sequence++);
}

static void done(struct canned *canned, const struct nlmsghdr *message)
{
	canned->size += NLMSG_ALIGN(message->nlmsg_len);
}

static void begin(struct canned *canned)
{
	canned->size = 0;
	canned->sequence = 1;
	done(canned, nftnl_batch_begin(canned->bytes, canned->sequence++));
}

static void end(struct canned *canned)
{
	done(canned, nftnl_batch_end(canned->bytes + canned->size, canned->sequence++));
}

static void put_table(struct canned *canned, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *message = next(canned, type, (uint16_t)(flags | NLM_F_ACK));

	mnl_attr_put_strz(message, NFTA_TABLE_NAME, NFT_TABLE);
	mnl_attr_put_u32(message, NFTA_TABLE_FLAGS, htonl(table_flags));
	done(canned, message);
}

static void put_set(struct canned *canned, const struct nft_set *set)
{
	for (unsigned i = 0; i < NFT_CHAINS + set->rule_count; i++) {
		int chain = i < NFT_CHAINS;
		struct nlmsghdr *message = next(canned, chain ? NFT_MSG_NEWCHAIN : NFT_MSG_NEWRULE, (uint16_t)
						(NLM_F_ACK | NLM_F_CREATE | (chain ? 0 : NLM_F_APPEND)));

		if (chain)
			nftnl_chain_nlmsg_build_payload(message, set->chains[i]);
		else
			nftnl_rule_nlmsg_build_payload(message, set->rules[i - NFT_CHAINS]);
		done(canned, message);
	}
}

static void prepare_query(struct canned *canned, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *message;

	canned->size = 0;
	canned->sequence = 1;
	message = next(canned, type, flags);
	mnl_attr_put_strz(message, NFTA_TABLE_NAME, NFT_TABLE);
	done(canned, message);
}

static void prepare_build(uint32_t uplink)
{
	uint32_t uplinks[LW_UPLINKS] = { uplink };
	struct nft_set set;

	if (nft_rules_build(&set, uplinks))
		floor_fail("rules");
	begin(&build);
	put_table(&build, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	put_table(&build, NFT_MSG_DELTABLE, 0);
	put_table(&build, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	put_set(&build, &set);
	end(&build);
	rule_count = set.rule_count;
	nft_rules_free(&set);
}

void floor_nft_prepare(uint32_t uplink)
{
	known_uplink = uplink;
	prepare_build(uplink);
	begin(&delete);
	put_table(&delete, NFT_MSG_DELTABLE, 0);
	end(&delete);
	prepare_query(&get_table, NFT_MSG_GETTABLE, NLM_F_ACK);
	prepare_query(&get_chains, NFT_MSG_GETCHAIN, NLM_F_DUMP);
	prepare_query(&get_rules, NFT_MSG_GETRULE, NLM_F_DUMP);
}

static void send_canned(int fd, const struct canned *canned)
{
	floor_must((int)send(fd, canned->bytes, canned->size, 0), "netlink send");
}

/* Receive until `stop`: a dump's end, or the acknowledgement of that number.  How many objects came; *error is the first. */
static unsigned receive(int fd, uint32_t stop, int *error)
{
	char reply[32768];
	unsigned objects = 0;

	for (*error = 0;;) {
		int left = floor_must((int)recv(fd, reply, sizeof(reply), 0), "netlink receive");

		for (struct nlmsghdr *h = (struct nlmsghdr *)reply; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

			if (h->nlmsg_type == NLMSG_ERROR && e->error && !*error)
				*error = e->error;
			if (h->nlmsg_type == NLMSG_DONE || (h->nlmsg_type == NLMSG_ERROR && h->nlmsg_seq == stop))
				return objects;
			objects += h->nlmsg_type != NLMSG_ERROR;
		}
	}
}

static int commit(int fd, const struct canned *canned)
{
	int error;

	send_canned(fd, canned);
	receive(fd, canned->sequence - 2, &error);	/* the batch's end is not acknowledged */
	return error;
}

static int open_socket(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK };
	struct timeval patience = { .tv_sec = 1 };
	int fd = floor_must(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER), "netlink socket");

	floor_must(bind(fd, (struct sockaddr *)&address, sizeof(address)), "netlink bind");
	floor_must(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), "netlink time-out");
	return fd;
}

void floor_nft_build(struct round *round)
{
	uint32_t uplink;
	int error;

	round->owner_fd = open_socket();
	uplink = floor_netns_uplink();
	if (uplink != known_uplink) {
		round->prepared_anew = 1;
		floor_nft_prepare(uplink);
	}
	floor_bpf_put(round);
	error = commit(round->owner_fd, &build);
	if (error == -EINVAL && (table_flags & NFT_TABLE_F_PERSIST)) {	/* before linux 6.9 */
		round->prepared_anew = 1;
		table_flags = NFT_TABLE_F_OWNER;
		floor_nft_prepare(uplink);
		error = commit(round->owner_fd, &build);
	}
	errno = -error;
	floor_must(error, "table");
}

static void query(int fd, const struct canned *canned, unsigned want)
{
	int error;
	unsigned got;

	send_canned(fd, canned);
	got = receive(fd, canned->sequence - 1, &error);
	errno = -error;
	if (error || got != want)
		floor_fail("the table is not as it was made");
}

void floor_nft_read_back(const struct round *round)
{
	struct sockaddr_nl address;
	socklen_t size = sizeof(address);

	query(round->owner_fd, &get_table, 1);
	floor_must(getsockname(round->owner_fd, (struct sockaddr *)&address, &size), "owner");
	query(round->owner_fd, &get_chains, NFT_CHAINS);
	query(round->owner_fd, &get_rules, rule_count);
}

void floor_nft_undo(const struct round *round)
{
	floor_must(commit(round->owner_fd, &delete), "table's end");
}
