/*
 * The table of a pod (DESIGN: "DNS in the pod").  Pure construction of libnftnl
 * objects; run by the attacher, reads nothing from outside.
 *
 *   output_nat      127.53.0.53:53 and every port 53 that is not local -> :15353
 *   prerouting_nat  the same for nested namespaces; what comes in by an uplink returns first, or
 *                   the proxy would be a resolver for the pod's neighbours
 *   input           :15353 takes only what was redirected
 *   output          nothing leaves from :15353 but replies
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <libnftnl/expr.h>
#include "nft_rules.h"

#define NF_DNAT_BIT (1U << 5)			/* IPS_DST_NAT */
#define BARRIER_ADDRESS 0x7f350035U		/* 127.53.0.53 */
#define DNS 53

static const struct {
	const char *name, *type;
	uint32_t hook;
	int32_t priority;
} chain_table[NFT_CHAINS] = {
	{ "output_nat", "nat", NF_INET_LOCAL_OUT, NF_IP_PRI_NAT_DST },
	{ "prerouting_nat", "nat", NF_INET_PRE_ROUTING, NF_IP_PRI_NAT_DST },
	{ "input", "filter", NF_INET_LOCAL_IN, NF_IP_PRI_FILTER },
	{ "output", "filter", NF_INET_LOCAL_OUT, NF_IP_PRI_FILTER },
};

static struct nftnl_expr *add(struct nftnl_rule *rule, const char *name)
{
	struct nftnl_expr *expr = nftnl_expr_alloc(name);

	if (expr)
		nftnl_rule_add_expr(rule, expr);
	else
		abort();	/* no memory for 100 bytes: the process ends, the barrier stays shut */
	return expr;
}

static void meta(struct nftnl_rule *rule, uint32_t key)
{
	struct nftnl_expr *e = add(rule, "meta");

	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, NFT_REG_1);
}

static void compare(struct nftnl_rule *rule, uint32_t how, const void *value, uint32_t size)
{
	struct nftnl_expr *e = add(rule, "cmp");

	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, how);
	nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, value, size);
}

static void payload(struct nftnl_rule *rule, uint32_t base, uint32_t offset, uint32_t size)
{
	struct nftnl_expr *e = add(rule, "payload");

	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, size);
}

static void protocol(struct nftnl_rule *rule, uint8_t value)
{
	meta(rule, NFT_META_L4PROTO);
	compare(rule, NFT_CMP_EQ, &value, sizeof(value));
}

static void destination_port(struct nftnl_rule *rule, uint16_t port)
{
	uint16_t value = htons(port);

	payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 2, sizeof(value));
	compare(rule, NFT_CMP_EQ, &value, sizeof(value));
}

static void source_port(struct nftnl_rule *rule, uint16_t port)
{
	uint16_t value = htons(port);

	payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, sizeof(value));
	compare(rule, NFT_CMP_EQ, &value, sizeof(value));
}

static void barrier_address(struct nftnl_rule *rule)
{
	uint32_t address = htonl(BARRIER_ADDRESS);
	uint8_t family = NFPROTO_IPV4;

	meta(rule, NFT_META_NFPROTO);
	compare(rule, NFT_CMP_EQ, &family, sizeof(family));
	payload(rule, NFT_PAYLOAD_NETWORK_HEADER, 16, sizeof(address));
	compare(rule, NFT_CMP_EQ, &address, sizeof(address));
}

static void local_destination(struct nftnl_rule *rule)
{
	struct nftnl_expr *e = add(rule, "fib");
	uint32_t local = RTN_LOCAL;

	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_DREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_DADDR);
	compare(rule, NFT_CMP_EQ, &local, sizeof(local));
}

static void redirected(struct nftnl_rule *rule)
{
	struct nftnl_expr *e = add(rule, "ct");
	uint32_t mask = NF_DNAT_BIT, zero = 0;

	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, NFT_CT_STATUS);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_DREG, NFT_REG_1);
	e = add(rule, "bitwise");
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, sizeof(mask));
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, &mask, sizeof(mask));
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, &zero, sizeof(zero));
	compare(rule, NFT_CMP_NEQ, &zero, sizeof(zero));
}

static void not_a_reply(struct nftnl_rule *rule)
{
	struct nftnl_expr *e = add(rule, "ct");
	uint8_t original = 0;	/* IP_CT_DIR_ORIGINAL, nf_conntrack_tuple_common.h */

	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, NFT_CT_DIRECTION);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_DREG, NFT_REG_1);
	compare(rule, NFT_CMP_EQ, &original, sizeof(original));
}

static void verdict(struct nftnl_rule *rule, int code)
{
	struct nftnl_expr *e = add(rule, "immediate");

	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, (uint32_t)code);
}

static void redirect(struct nftnl_rule *rule)
{
	uint16_t port = htons(LW_DNS_PORT);
	struct nftnl_expr *e = add(rule, "immediate");

	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
	nftnl_expr_set(e, NFTNL_EXPR_IMM_DATA, &port, sizeof(port));
	e = add(rule, "redir");
	nftnl_expr_set_u32(e, NFTNL_EXPR_REDIR_REG_PROTO_MIN, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_REDIR_REG_PROTO_MAX, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_REDIR_FLAGS, NF_NAT_RANGE_PROTO_SPECIFIED);
}

static struct nftnl_rule *start(struct nft_set *set, unsigned chain)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();

	if (!rule)
		return NULL;
	nftnl_rule_set_u32(rule, NFTNL_RULE_FAMILY, NFPROTO_INET);
	nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, NFT_TABLE);
	nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, chain_table[chain].name);
	set->rules[set->rule_count++] = rule;
	return rule;
}

/* The five redirect rules, the same in both nat chains. */
static void redirect_rules(struct nft_set *set, unsigned chain)
{
	static const uint8_t protocols[] = { IPPROTO_UDP, IPPROTO_TCP };
	struct nftnl_rule *rule;

	for (unsigned i = 0; i < 2 && (rule = start(set, chain)); i++) {
		barrier_address(rule);
		protocol(rule, protocols[i]);
		destination_port(rule, DNS);
		redirect(rule);
	}
	rule = start(set, chain);
	if (rule) {
		local_destination(rule);
		verdict(rule, NFT_RETURN);
	}
	for (unsigned i = 0; i < 2 && (rule = start(set, chain)); i++) {
		protocol(rule, protocols[i]);
		destination_port(rule, DNS);
		redirect(rule);
	}
}

static void uplink_rules(struct nft_set *set, const uint32_t uplinks[LW_UPLINKS])
{
	struct nftnl_rule *rule;

	for (unsigned i = 0; i < LW_UPLINKS && uplinks[i] && (rule = start(set, 1)); i++) {
		meta(rule, NFT_META_IIF);
		compare(rule, NFT_CMP_EQ, &uplinks[i], sizeof(uplinks[i]));
		verdict(rule, NFT_RETURN);
	}
}

static void filter_rules(struct nft_set *set)
{
	static const uint8_t protocols[] = { IPPROTO_UDP, IPPROTO_TCP };
	struct nftnl_rule *rule = start(set, 2);

	if (rule) {
		redirected(rule);
		verdict(rule, NF_ACCEPT);
	}
	for (unsigned i = 0; i < 2 && (rule = start(set, 2)); i++) {
		protocol(rule, protocols[i]);
		destination_port(rule, LW_DNS_PORT);
		verdict(rule, NF_DROP);
	}
	for (unsigned i = 0; i < 2 && (rule = start(set, 3)); i++) {
		protocol(rule, protocols[i]);
		source_port(rule, LW_DNS_PORT);
		not_a_reply(rule);
		verdict(rule, NF_DROP);
	}
}

static int build_chains(struct nft_set *set)
{
	for (unsigned i = 0; i < NFT_CHAINS; i++) {
		struct nftnl_chain *chain = set->chains[i] = nftnl_chain_alloc();

		if (!chain)
			return -ENOMEM;
		nftnl_chain_set_u32(chain, NFTNL_CHAIN_FAMILY, NFPROTO_INET);
		nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, NFT_TABLE);
		nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, chain_table[i].name);
		nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, chain_table[i].type);
		nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, chain_table[i].hook);
		nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, chain_table[i].priority);
		nftnl_chain_set_u32(chain, NFTNL_CHAIN_POLICY, NF_ACCEPT);
	}
	return 0;
}

int nft_rules_build(struct nft_set *set, const uint32_t uplinks[LW_UPLINKS])
{
	unsigned uplink_count = 0;

	memset(set, 0, sizeof(*set));
	while (uplink_count < LW_UPLINKS && uplinks[uplink_count])
		uplink_count++;
	redirect_rules(set, 0);
	uplink_rules(set, uplinks);
	redirect_rules(set, 1);
	filter_rules(set);
	return set->rule_count == 15 + uplink_count ? build_chains(set) : -ENOMEM;
}

void nft_rules_free(struct nft_set *set)
{
	for (unsigned i = 0; i < NFT_CHAINS; i++)
		if (set->chains[i])
			nftnl_chain_free(set->chains[i]);
	for (unsigned i = 0; i < set->rule_count; i++)
		nftnl_rule_free(set->rules[i]);
}

static int advance(int n, unsigned size, unsigned *used)
{
	if (n < 0 || (unsigned)n + 2 > size - *used)
		return -ENOSPC;
	*used += (unsigned)n;
	return 0;
}

int nft_rules_describe_chain(const struct nftnl_chain *chain, char *text, unsigned size, unsigned *used)
{
	const char *type = nftnl_chain_get_str(chain, NFTNL_CHAIN_TYPE);

	return advance(snprintf(text + *used, size - *used, "chain %s %s hook %u priority %d policy %u\n",
				nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME), type ? type : "-",
				nftnl_chain_get_u32(chain, NFTNL_CHAIN_HOOKNUM),
				nftnl_chain_get_s32(chain, NFTNL_CHAIN_PRIO),
				nftnl_chain_get_u32(chain, NFTNL_CHAIN_POLICY)), size, used);
}

int nft_rules_describe_rule(struct nftnl_rule *rule, char *text, unsigned size, unsigned *used)
{
	int error;

	nftnl_rule_unset(rule, NFTNL_RULE_HANDLE);
	nftnl_rule_unset(rule, NFTNL_RULE_POSITION);
	error = advance(nftnl_rule_snprintf(text + *used, size - *used, rule, NFTNL_OUTPUT_DEFAULT, 0), size, used);
	if (error)
		return error;
	text[(*used)++] = '\n';
	text[*used] = '\0';
	return 0;
}
