/* Privileged acts in a pod's network namespace: enter, look at its links, make sockets, leave. */
#ifndef LW_OP_NETNS_H
#define LW_OP_NETNS_H

#include <stdint.h>
#include "lw_abi.h"

enum { LISTEN_UDP4, LISTEN_TCP4, LISTEN_UDP6, LISTEN_TCP6, LISTENERS };

/* Open our own (the node's) namespace for the way back.  Start-up only.  0 or -errno. */
int op_netns_remember(void);
/* Inode number of our own network namespace. */
uint64_t op_netns_own(void);

/* Enter the network namespace of a process.  0 or -errno; after 0, op_netns_leave() must follow. */
int op_netns_enter(int pidfd);
/* Back to our own.  A failure is fatal: nothing may run on in a pod's namespace by mistake. */
void op_netns_leave(void);
/* Self-test: a new, empty namespace instead of a pod's.  Start-up only. */
int op_netns_scratch(void);

/* Interfaces that are up and not lo, at most LW_UPLINKS, 0 ends the list.  0 or -errno (-E2BIG: more). */
int op_netns_uplinks(uint32_t uplinks[LW_UPLINKS]);

/*
 * Listeners on :15353, wildcard, UDP and TCP, v4 and v6, in the current namespace.  fds[i] is
 * -1 where the namespace has no IPv6.  0 or -errno (-EADDRINUSE: the pod holds the port), then
 * nothing is left open.
 */
int op_netns_listen(int fds[LISTENERS]);
void op_netns_close(int fds[LISTENERS]);

/*
 * Are these sockets still bound to :15353 (TCP: listening), in the namespace of `owner_fd`?  0 or -EBADE.
 */
int op_netns_listen_read_back(const int fds[LISTENERS], int owner_fd);

#endif
