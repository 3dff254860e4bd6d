/* The steps of an attach, in their order: entry and slot, link, table, listeners, proxy. */
#ifndef LW_ATTACH_STEPS_H
#define LW_ATTACH_STEPS_H

#include "op_cgroup.h"
#include "pod.h"

/* Run them for a checked claim.  0, or -errno and *stage is where it failed. */
int attach_steps(struct attacher *attacher, struct pod *pod, const struct msg_start *start, const struct claim *claim,
		 enum attach_stage *stage);

/* Stage ends now: note how long it took since the mark before. */
void attach_mark(struct pod *pod, enum attach_stage stage);

#endif
