/* What outlives an attacher, and what is cleared when pods are gone. */
#ifndef LW_ADOPT_H
#define LW_ADOPT_H

#include "pod.h"

/* One attacher a node: the kernel's lock on our pin folder.  0, -EWOULDBLOCK: another holds it, or -errno. */
int adopt_lock(void);

/*
 * At start, under the lock: take over every pinned link whose cgroup lives (slot, token and mode as
 * the kernel has them), clear the others, free entries that no link names.  0 or -errno.
 */
int adopt_links(struct attacher *attacher);

/* An owner's socket that the launcher kept for a sandbox; taken, or closed if no pod wants it. */
void adopt_kept(struct attacher *attacher, const char sandbox[SANDBOX_ID_LENGTH], int fd);

/* Look at one pod's cgroup: empty: its netns is let go; gone: it is forgotten. */
void adopt_look(struct attacher *attacher, struct pod *pod);

/* The timer: look at every pod that an event may have missed. */
void adopt_sweep(struct attacher *attacher);

#endif
