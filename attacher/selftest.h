/* The self-test at start: every privileged act once, in a scratch cgroup and a scratch netns. */
#ifndef LW_SELFTEST_H
#define LW_SELFTEST_H

/*
 * scratch_cgroup: made by the launcher for this.  0, or -errno and *what names what the kernel
 * or the container lacks, in words for an operator.
 */
int selftest(int scratch_cgroup, int own_pidfd, const char **what);

#endif
