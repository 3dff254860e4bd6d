// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * lw_egress: on the pod-parent cgroup, asked about every packet that a socket
 * in the pod sends.  Everything in the packet is hostile.
 *
 * At this point: audit-all.  It passes and counts everything, with two rules:
 * a cgroup without a pod entry may send nothing (slot 0, a failed first
 * attach), and the packet that proves the barrier is dropped.
 */
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "lw_abi.h"

#define LOOPBACK_INDEX 1		/* lo is interface 1 of every netns (net/core/dev.c) */
#define EXTENSION_HEADERS_MAX 6
#define FRAGMENT_OFFSET_MASK 0x1fff

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lw_meta);
} lw_meta SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, __u64);
	__type(value, __u64);
} lw_slot SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LW_PODS);
	__type(key, __u64);
	__type(value, struct lw_pod);
} lw_pods SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, LW_PODS + 1);
	__type(key, __u64);
	__type(value, struct lw_count);
} lw_count SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, LW_SEEN);
	__type(key, struct lw_flow_key);
	__type(value, __u64);
} lw_seen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, LW_RING_BYTES);
} lw_flows SEC(".maps");

struct ports {
	__be16 source, destination;
};

static __always_inline int has_ports(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE ||
	       protocol == IPPROTO_SCTP;
}

static __always_inline void read_ports(struct __sk_buff *skb, __u32 offset, struct lw_flow_key *key)
{
	struct ports ports;

	if (!has_ports(key->protocol) || bpf_skb_load_bytes(skb, offset, &ports, sizeof(ports)))
		return;
	key->port = bpf_ntohs(ports.destination);
	key->source_port = bpf_ntohs(ports.source);
}

/* Offset of the transport header, 0 where the packet has none that can be read. */
static __always_inline __u32 read_ipv4(struct __sk_buff *skb, struct lw_flow_key *key)
{
	struct iphdr ip;

	if (bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip)))
		return 0;
	key->address[10] = key->address[11] = 0xff;
	__builtin_memcpy(key->address + 12, &ip.daddr, 4);
	key->protocol = ip.protocol;
	if (bpf_ntohs(ip.frag_off) & FRAGMENT_OFFSET_MASK)
		return 0;
	return ip.ihl * 4;
}

/* Hop-by-hop, routing, destination options: {next header, length in 8-byte units after the first}. */
static __always_inline int is_extension(__u8 protocol)
{
	return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING || protocol == IPPROTO_DSTOPTS;
}

static __always_inline __u32 read_ipv6(struct __sk_buff *skb, struct lw_flow_key *key)
{
	struct ipv6hdr ip;
	__u32 offset = sizeof(ip);

	if (bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip)))
		return 0;
	__builtin_memcpy(key->address, &ip.daddr, 16);
	key->protocol = ip.nexthdr;
	for (int i = 0; i < EXTENSION_HEADERS_MAX && is_extension(key->protocol); i++) {
		__u8 extension[2];

		if (bpf_skb_load_bytes(skb, offset, extension, sizeof(extension)))
			return 0;
		key->protocol = extension[0];
		offset += (extension[1] + 1) * 8;
	}
	return offset;
}

/* The value is a processor's own, but another packet's run may come between load and store: preemption, softirq. */
static __always_inline void add(__u64 *counter, __u64 n)
{
	__sync_fetch_and_add(counter, n);
}

/* Exactly: UDP to 127.0.0.1:15354, payload is this pod's token and nothing else. */
static __always_inline int is_canary(struct __sk_buff *skb, const struct lw_flow_key *key, __u32 transport,
				     const struct lw_pod *pod)
{
	__u8 payload[LW_TOKEN_BYTES];
	__u64 *got = (__u64 *)payload, *want = (__u64 *)pod->token;
	__u32 loopback;

	if (key->protocol != IPPROTO_UDP || key->port != LW_CANARY_PORT)
		return 0;
	__builtin_memcpy(&loopback, key->address + 12, 4);
	if (key->address[10] != 0xff || loopback != bpf_htonl(INADDR_LOOPBACK))
		return 0;
	if (skb->len != transport + 8 + LW_TOKEN_BYTES ||
	    bpf_skb_load_bytes(skb, transport + 8, payload, sizeof(payload)))
		return 0;
	return got[0] == want[0] && got[1] == want[1];
}

static __always_inline void record_flow(struct __sk_buff *skb, const struct lw_flow_key *key,
					const struct lw_pod *pod, struct lw_count *count)
{
	__u64 now = bpf_ktime_get_ns(), *seen = bpf_map_lookup_elem(&lw_seen, key);
	struct lw_flow *flow;

	if (seen)
		return;
	flow = bpf_ringbuf_reserve(&lw_flows, sizeof(*flow), 0);
	if (!flow) {		/* not marked as seen: reported once there is room */
		add(&count->flows_lost, 1);
		return;
	}
	flow->time_ns = now;
	flow->key = *key;
	flow->bundle = pod->bundle;
	flow->generation = pod->generation;
	flow->interface = skb->ifindex;
	flow->verdict = LW_ALLOW;
	bpf_ringbuf_submit(flow, 0);
	bpf_map_update_elem(&lw_seen, key, &now, BPF_ANY);
	add(&count->flows, 1);
}

static __always_inline int deny_unknown(void)
{
	__u64 none = LW_SLOT_NONE;
	struct lw_count *count = bpf_map_lookup_elem(&lw_count, &none);

	if (count)
		add(&count->denied, 1);
	return 0;
}

/* 0 drops (the sender gets EPERM), 1 passes; 2 and 3 would also mean congestion. */
SEC("cgroup_skb/egress")
int lw_egress(struct __sk_buff *skb)
{
	__u64 slot = *(__u64 *)bpf_get_local_storage(&lw_slot, 0);
	struct lw_pod *pod = bpf_map_lookup_elem(&lw_pods, &slot);
	struct lw_count *count = bpf_map_lookup_elem(&lw_count, &slot);
	struct lw_flow_key key = { .slot = slot };
	__u32 transport = 0;

	if (!pod || !count)
		return deny_unknown();
	add(&count->packets, 1);
	add(&count->bytes, skb->len);
	if (skb->ifindex != LOOPBACK_INDEX) {
		add(&count->uplink_packets, 1);
		add(&count->uplink_bytes, skb->len);
	}
	if (skb->protocol == bpf_htons(0x0800))
		transport = read_ipv4(skb, &key);
	else if (skb->protocol == bpf_htons(0x86dd))
		transport = read_ipv6(skb, &key);
	if (transport)
		read_ports(skb, transport, &key);
	if (transport && is_canary(skb, &key, transport, pod)) {
		add(&count->denied_token, 1);
		return 0;
	}
	record_flow(skb, &key, pod, count);
	return 1;
}
