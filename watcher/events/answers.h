/* What containerd answered to our calls.  Used by the watcher. */
#ifndef LW_EVENTS_ANSWERS_H
#define LW_EVENTS_ANSWERS_H

#include "containerd.h"

/* A whole message of a call is in its assembly. */
void answers_message(struct containerd *self, struct call *call, const struct msg_chunk *chunk, uint64_t now);

/* A whole message came, which could not be read: what it said is lost. */
void answers_unreadable(struct containerd *self, const struct call *call, uint64_t now);

/* The task of a known container has started. */
void answers_report(struct containerd *self, const struct known *known, uint32_t pid, uint64_t received_ns, uint64_t now);

/* The call is over; the caller frees it. */
void answers_end(struct containerd *self, struct call *call, int32_t grpc_status, uint64_t now);

/* Something was lost: list in a second instead of on the timer. */
void containerd_list_soon(struct containerd *self, uint64_t now);

#endif
