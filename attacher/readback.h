/* Reading back what an attach made: only the kernel's word opens the barrier. */
#ifndef LW_READBACK_H
#define LW_READBACK_H

#include "op_cgroup.h"
#include "pod.h"

/*
 * Is everything of `pod` in force for the sandbox of `claim`?  0; else -errno and
 * *what names the first thing that is not: "cgroup", "link", "slot", "entry", "table", "listeners".
 */
int readback(const struct pod *pod, const struct claim *claim, const char **what);

#endif
