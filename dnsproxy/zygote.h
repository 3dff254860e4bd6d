/* The zygote: forks one proxy a pod.  Run as `leitwacht-dnsproxy`. */
#ifndef LW_DNS_ZYGOTE_H
#define LW_DNS_ZYGOTE_H

#include <linux/filter.h>

/* Serve the attacher until its channel closes; each child puts on this filter.  Returns the exit status. */
int zygote_run(const struct sock_fprog *child_filter);

#endif
