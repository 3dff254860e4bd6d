/* The zygote: forks one proxy a pod.  Run as `leitwacht-dnsproxy`. */
#ifndef LW_DNS_ZYGOTE_H
#define LW_DNS_ZYGOTE_H

#include <linux/filter.h>

/* The child's filter, built once here: building it in each child would cost each one private memory. */
int filter_build(struct sock_fprog *program);

/* Put a built filter on this process.  0 or -errno. */
int filter_enter(const struct sock_fprog *program);

/* Serve the attacher until its channel closes.  Returns the exit status. */
int zygote_run(const struct sock_fprog *child_filter);

#endif
