/* From the kernel's text of a process's cgroup to the pod cgroup.  Pure. */
#ifndef LW_CGROUP_PATH_H
#define LW_CGROUP_PATH_H

#include <stddef.h>
#include "message.h"

#define CGROUP_PATH_MAX 1024

/*
 * text: what /proc/PID/cgroup holds.  The names in it were chosen by kubelet and
 * the runtime, not by the pod, but a nested container may add components below.
 * sandbox: the claimed id.  pod: receives the path of the cgroup above the first
 * component that names the sandbox, relative to the cgroup2 root, no leading '/'.
 * 0; -ENOENT: no cgroup2 line (cgroup v1 node); -EINVAL: the path does not name the sandbox
 * below a kubepods root; -ENAMETOOLONG.
 */
int cgroup_path_pod(const char *text, const char sandbox[SANDBOX_ID_LENGTH], char pod[CGROUP_PATH_MAX]);

#endif
