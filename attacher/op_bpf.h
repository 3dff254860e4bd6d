/*
 * Privileged acts on BPF: maps, links, pins.  The working directory is our
 * folder in the node's bpffs and every pin a bare name.
 */
#ifndef LW_OP_BPF_H
#define LW_OP_BPF_H

#include <stdint.h>
#include "lw_abi.h"

/* Names of the pins that are links: link_<16 hex of the cgroup id>. */
#define LINK_PIN_PREFIX "link_"

/* What the kernel says of a pinned link. */
struct link_facts {
	uint64_t cgroup_id;		/* 0: its cgroup is gone */
	int egress;
	int our_maps;			/* its program reads our lw_slot and lw_pods */
	int same_program;		/* it is this build's */
};

/* Load the program, make or reuse the pinned maps.  Start-up only.  0 or -errno. */
int op_bpf_load(void);

/* A number that was never given out.  0 or -errno. */
int op_bpf_new_slot(uint64_t *slot);

/* Pod entry and counters of a slot.  -E2BIG: the map is full. */
int op_bpf_put_pod(uint64_t slot, const struct lw_pod *pod);
int op_bpf_get_pod(uint64_t slot, struct lw_pod *pod);
void op_bpf_free_slot(uint64_t slot);
/* Walk the pod entries: *slot = 0 begins; -ENOENT at the end. */
int op_bpf_next_slot(uint64_t *slot);

/* Link the program to a cgroup and pin the link.  -EEXIST: there is such a pin. */
int op_bpf_link(int cgroup_fd, uint64_t cgroup_id);
/* -ENOENT: no such pin. */
int op_bpf_link_facts(uint64_t cgroup_id, struct link_facts *facts);
/* Put this build's program in the place of an older one on the same maps (else the storage stays the old one). */
int op_bpf_link_update(uint64_t cgroup_id);
/* Take away the pin of a link; only one whose cgroup is gone (or a scratch one's). */
int op_bpf_unpin(uint64_t cgroup_id);

/* The slot number in the attachment's storage. */
int op_bpf_store_slot(uint64_t cgroup_id, uint64_t slot);
int op_bpf_read_slot(uint64_t cgroup_id, uint64_t *slot);

/* Call `each` for every pinned link of our folder, by the cgroup id in its name. */
int op_bpf_each_link(void (*each)(uint64_t cgroup_id, void *context), void *context);

#endif
