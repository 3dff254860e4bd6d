/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Layouts shared by the BPF programs and user space.  The maps are pinned and
 * outlive the agent, so a change here is an upgrade problem: raise
 * LW_ABI_VERSION.  lw_slot (8 bytes, the slot number) is frozen for ever.
 */
#ifndef LW_ABI_H
#define LW_ABI_H

#include <linux/types.h>

#define LW_ABI_VERSION 1

#define LW_SLOT_NONE 0			/* what a cgroup's first attachment reads: deny */
#define LW_PODS 1024			/* pod entries; twice what one attacher holds */
#define LW_SEEN 16384			/* flows remembered, least recently used go first */
#define LW_RING_BYTES (256 * 1024)

#define LW_DNS_PORT 15353		/* the proxy's listeners in the pod */
#define LW_CANARY_PORT 15354		/* 127.0.0.1: the init container's proof */
#define LW_TOKEN_BYTES 16
#define LW_UPLINKS 4

enum lw_mode { LW_MODE_AUDIT = 1, LW_MODE_ENFORCE = 2 };
enum lw_verdict { LW_ALLOW = 1, LW_DENY = 2, LW_WOULD_DENY = 3 };

#define LW_BUNDLE_AUDIT_ALL 1		/* compiled in: audit, no rules */

/* lw_meta, index 0.  User space only; under the node's lock. */
struct lw_meta {
	__u32 version;			/* LW_ABI_VERSION of who made the maps */
	__u32 zero;
	__u64 next_slot;		/* never goes back: slot numbers are not reused */
};

/* lw_pods, keyed by slot.  Replaced as a whole (a hash element is never seen half-written). */
struct lw_pod {
	__u32 bundle;
	__u32 generation;		/* counts up with each replacement */
	__u32 mode;			/* enum lw_mode */
	__u32 zero;
	__u8 token[LW_TOKEN_BYTES];	/* ASCII hex, as the barrier answers it */
	__u8 sandbox[64];		/* ASCII hex: whose token it is */
	__u64 cgroup_id;		/* of the pod cgroup: frees entries that no link names */
	__u32 uplinks[LW_UPLINKS];	/* interface numbers in the pod's netns at its first attach */
};

/* lw_count, keyed by slot, a value a processor. */
struct lw_count {
	__u64 packets;			/* all that the program was asked about */
	__u64 bytes;
	__u64 uplink_packets;		/* those that were about to leave by another interface than lo */
	__u64 uplink_bytes;
	__u64 denied;			/* no pod entry: slot 0, or freed */
	__u64 denied_token;		/* the canary */
	__u64 flows;			/* records written to the ring */
	__u64 flows_lost;		/* the ring was full */
};

/* lw_seen: key of a flow. */
struct lw_flow_key {
	__u64 slot;
	__u8 address[16];		/* destination; IPv4 as ::ffff:a.b.c.d */
	__u16 port;			/* destination, host order; 0 where the protocol has none */
	__u16 source_port;
	__u8 protocol;			/* IPPROTO_* */
	__u8 zero[3];
};

/* A record of lw_flows: one a new flow. */
struct lw_flow {
	__u64 time_ns;			/* CLOCK_MONOTONIC */
	struct lw_flow_key key;
	__u32 bundle;
	__u32 generation;
	__u32 interface;		/* the skb's, in the netns that sends */
	__u32 verdict;			/* enum lw_verdict */
};

#endif
