/* Messages in: one handler a row of the table, and what a dead peer means. */
#ifndef LW_DISPATCH_H
#define LW_DISPATCH_H

#include "pod.h"

void dispatch_launcher(struct attacher *attacher);
void dispatch_watcher(struct attacher *attacher);
void dispatch_zygote(struct attacher *attacher);
void dispatch_proxy(struct attacher *attacher, struct pod *pod);

/* Before READY: wait for the zygote's HELLO.  0 or -errno. */
int dispatch_await_zygote(struct attacher *attacher);

/* A zygote that left several SPAWNs in a row unanswered is dismissed. */
void dispatch_check_zygote(struct attacher *attacher);

/* Before READY: CONFIG, then KEPT until KEPT_END, waiting for each.  0 or -errno. */
int dispatch_start(struct attacher *attacher);

#endif
