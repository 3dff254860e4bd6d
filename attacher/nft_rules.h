/* Our nftables table of a pod, as libnftnl objects.  Pure: nothing is sent here. */
#ifndef LW_NFT_RULES_H
#define LW_NFT_RULES_H

#include <stdint.h>
#include <libnftnl/chain.h>
#include <libnftnl/rule.h>
#include "lw_abi.h"

#define NFT_TABLE "leitwacht"
#define NFT_CHAINS 4
#define NFT_RULES_MAX (16 + LW_UPLINKS)

struct nft_set {
	struct nftnl_chain *chains[NFT_CHAINS];
	struct nftnl_rule *rules[NFT_RULES_MAX];
	unsigned rule_count;
};

/* Build chains and rules; uplinks: interface numbers, 0 ends the list.  0 or -ENOMEM. */
int nft_rules_build(struct nft_set *set, const uint32_t uplinks[LW_UPLINKS]);
void nft_rules_free(struct nft_set *set);

/*
 * Append one line that says all that matters of a chain or rule (its handle does
 * not).  The same text for what we built and for what the kernel gives back: the
 * read-back compares.  text: size bytes, zero-terminated, at *used.  0 or -ENOSPC.
 */
int nft_rules_describe_chain(const struct nftnl_chain *chain, char *text, unsigned size, unsigned *used);
int nft_rules_describe_rule(struct nftnl_rule *rule, char *text, unsigned size, unsigned *used);

#endif
