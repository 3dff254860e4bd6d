/* Privileged acts on the node's cgroup2 tree and on /proc: look, never change. */
#ifndef LW_OP_CGROUP_H
#define LW_OP_CGROUP_H

#include <stdint.h>
#include "message.h"

/* What the kernel says of a claim {sandbox id, pid}.  claim_close() when done. */
struct claim {
	int pidfd;
	int cgroup_fd;			/* the pod cgroup, opened beneath the cgroup2 root */
	uint64_t cgroup_id;		/* its inode number: the kernel's cgroup id */
	uint64_t netns;			/* inode number of the process's network namespace */
};

/*
 * Check a claim against the kernel.  own_netns: the node's (ours), which no pod may have.
 * 0; -ESRCH: the process is gone; -EPERM: it is in the node's netns (hostNetwork); -EINVAL: its
 * cgroup does not name the sandbox; -ENOENT: no cgroup2; else -errno.
 */
int op_cgroup_claim(const char sandbox[SANDBOX_ID_LENGTH], uint32_t pid, uint64_t own_netns, struct claim *claim);
void claim_close(struct claim *claim);

/* Is the claim's process still there?  0 or -ESRCH. */
int op_cgroup_alive(const struct claim *claim);

/* cgroup.events of a pod cgroup, for epoll (EPOLLPRI at a change).  fd or -errno. */
int op_cgroup_events(int cgroup_fd);

/* 1: some process lives in it; 0: none; -ENODEV: the cgroup is gone; else -errno. */
int op_cgroup_populated(int events_fd);

/* Inode number of a namespace file, 0 on error. */
uint64_t op_cgroup_inode(const char *path);

#endif
