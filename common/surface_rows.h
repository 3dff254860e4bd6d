/*
 * Rows that several surface tables share: what log, libc's heap and
 * privs_confine() need.  A process that needs less writes its own.
 */
#ifndef LW_SURFACE_ROWS_H
#define LW_SURFACE_ROWS_H

#include <sys/mman.h>
#include "surface.h"

#define SURFACE_DAILY_ROWS \
	{ "write", PHASE_SERVING, "the log", { ARG_IS(0, 2) } }, \
	{ "clock_gettime", PHASE_SERVING, "where the vDSO can't answer" }, \
	{ "brk", PHASE_SERVING, "memory" }, \
	{ "mmap", PHASE_SERVING, "memory, never executable", { ARG_LACKS(2, PROT_EXEC) } }, \
	{ "mremap", PHASE_SERVING, "memory" }, \
	{ "munmap", PHASE_SERVING, "memory" }, \
	{ "restart_syscall", PHASE_SERVING, "after SIGSTOP, SIGCONT" }, \
	{ "exit_group", PHASE_SERVING, "the end" }

#define SURFACE_CONFINE_ROWS \
	{ "chdir", PHASE_STARTUP, "into the empty folder" }, \
	{ "chroot", PHASE_STARTUP, "the empty folder becomes its root" }, \
	{ "capget", PHASE_STARTUP, "reads back that no capability is left" }, \
	{ "capset", PHASE_STARTUP, "drops its capabilities" }, \
	{ "prctl", PHASE_STARTUP, "drops its bounding and ambient sets" }, \
	{ "gettid", PHASE_STARTUP, "libcap-ng asks whose capabilities" }, \
	{ "openat", PHASE_STARTUP, "libcap-ng looks for /proc, which is not there" }, \
	{ "getuid", PHASE_STARTUP, "reads back who it is" }, \
	{ "getresuid", PHASE_STARTUP, "reads back who it is" }, \
	{ "seccomp", PHASE_STARTUP, "the serving filter on top of this one" }

#endif
