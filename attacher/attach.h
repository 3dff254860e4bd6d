/* The life of an attach: START to LIVE, and what undoes it. */
#ifndef LW_ATTACH_H
#define LW_ATTACH_H

#include "pod.h"

/* A claim of the watcher's (or a repetition of our own, reply_wanted 0).  Answers STARTED now or at LIVE. */
void attach_start(struct attacher *attacher, const struct msg_start *start, int reply_wanted);

/* The proxy greeted and its pidfd is known: read everything back, then LIVE. */
void attach_finish(struct attacher *attacher, struct pod *pod);

/* The attempt failed: log it, take back what it made, answer the START. */
void attach_fail(struct attacher *attacher, struct pod *pod, enum attach_stage stage, int error, const char *what);

/* The pod's proxy died or broke the contract: DNS pauses, a new one is spawned soon. */
void attach_proxy_lost(struct attacher *attacher, struct pod *pod, const char *why);

/* Start again what a timer made due (pod->due_ns is in the past). */
void attach_due(struct attacher *attacher, struct pod *pod);

#endif
