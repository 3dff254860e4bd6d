/*
 * The floor under an attach: the kernel calls that one attach makes, in the same
 * order and with the same arguments, by a program that does nothing else.  It is
 * uid 0, has no seccomp filter, builds and compares nothing while the clock
 * runs: what it takes is what the kernel takes.
 *
 * Used by `make bench` only, on pods that no agent guards.
 */
#ifndef LW_FLOOR_H
#define LW_FLOOR_H

#include <stdint.h>
#include "lw_abi.h"
#include "message.h"		/* enum attach_stage: the agent's own stages */

#define FLOOR_LISTENERS 4

struct claimed {
	int pidfd, cgroup_fd;
};

struct round {
	uint32_t pid;
	const char *path;		/* of the pod cgroup, from the cgroup2 root */
	struct claimed claim;
	uint64_t cgroup_id;
	int events_fd;			/* cgroup.events of the pod cgroup */
	int owner_fd;			/* netlink socket that owns the table */
	int listeners[FLOOR_LISTENERS];
	int proxy_fd;			/* our end of the proxy's channel */
	uint64_t slot;
	struct lw_pod entry;
	int prepared_anew;		/* the canned bytes did not fit this pod: not a sample */
	uint64_t mark_ns;
	uint64_t stage_ns[STAGES];
};

/* Everything is expected to work: what does not, ends the program with a line that names it. */
void floor_fail(const char *what) __attribute__((noreturn));
/* `value` if it is not negative. */
int floor_must(int value, const char *what);

void floor_bpf_prepare(const char *object);
void floor_bpf_entry(struct round *round);		/* a new slot, its pod entry and counters */
void floor_bpf_put(const struct round *round);
void floor_bpf_link(const struct round *round);
void floor_bpf_read_back(const struct round *round);
void floor_bpf_undo(const struct round *round);

void floor_nft_prepare(uint32_t uplink);
void floor_nft_build(struct round *round);		/* in the pod's netns */
void floor_nft_read_back(const struct round *round);
void floor_nft_undo(const struct round *round);

void floor_netns_prepare(void);
void floor_netns_enter(int pidfd);
void floor_netns_leave(void);
uint32_t floor_netns_uplink(void);
void floor_netns_listen(int fds[FLOOR_LISTENERS]);
void floor_netns_read_back(const int fds[FLOOR_LISTENERS], int owner_fd);

void floor_claim_prepare(void);
void floor_claim(struct round *round);			/* pid to pidfd, pod cgroup, netns */
void floor_claim_close(struct claimed *claim);
void floor_watch_cgroup(struct round *round);

void floor_hand_prepare(void);
void floor_hand_over(struct round *round);		/* descriptors to launcher and zygote */
void floor_hand_undo(struct round *round);

#endif
