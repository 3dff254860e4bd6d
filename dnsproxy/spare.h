/*
 * A child made in advance: it has forked, has touched what it will need and
 * waits for its pod, so that an attach does not wait for a fork.  The zygote
 * has at most one.
 */
#ifndef LW_DNS_SPARE_H
#define LW_DNS_SPARE_H

#include <linux/filter.h>
#include <sys/types.h>
#include "message.h"

/* In the zygote, while there is one; above all numbers that come by message. */
enum { FD_SPARE = 62, FD_SPARE_PIDFD = 63 };
/* In the child: its event loop, and until it has its pod its way to the zygote. */
enum { FD_PROXY_EPOLL = FD_PROXY_FIRST_FREE, FD_SPARE_ZYGOTE };

struct spare {
	pid_t pid;	/* 0: there is none */
};

/* Make one.  0 or -errno. */
int spare_make(struct spare *spare, const struct sock_fprog *child_filter);

/* Hand it the pod's message and descriptors: it becomes that pod's proxy.  0 or -errno; it then ends. */
int spare_send(const struct spare *spare, const struct msg_spawn *spawn, const int fds[MSG_FDS_MAX]);

/* Close what the zygote holds of it: it is a pod's now, or of no use. */
void spare_forget(struct spare *spare);

#endif
