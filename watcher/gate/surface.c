/*
 * What leitwacht-gate may do: its seccomp filters, its page (SURFACE.md) and
 * the tests are made from this table.  Its socket is root on the node, so the
 * table and request.c together are what stands between an owned gate and it.
 */
#include <stddef.h>
#include "cleanup.h"
#include "process.h"
#include "surface.h"
#include "surface_rows.h"

#define NO_ARGS { { 0, 0, 0, 0, 0 } }
#define ON_FD(n, t) { .compare = ARG_EQ, .index = 0, .value = (n), .text = (t) }
#define NO_ADDRESS { .compare = ARG_EQ, .index = 4, .value = 0, .text = "no address" }

static const struct surface_call calls[] = {
	{ "poll", PHASE_SERVING, "waits for its three descriptors", NO_ARGS },
	{ "recvmsg", PHASE_SERVING, "messages of the launcher, with a descriptor", { ON_FD(FD_LAUNCHER, "the launcher's channel") } },
	{ "recvmsg", PHASE_SERVING, "messages of the watcher", { ON_FD(FD_GATE_WATCHER, "the watcher's channel") } },
	{ "recvfrom", PHASE_SERVING, "HTTP/2 from containerd", { ON_FD(FD_GATE_RUNTIME, "the runtime's socket"), NO_ADDRESS } },
	{ "sendto", PHASE_SERVING, "CONNECT, DISMISS", { ON_FD(FD_LAUNCHER, "the launcher's channel"), NO_ADDRESS } },
	{ "sendto", PHASE_SERVING, "payloads to the watcher", { ON_FD(FD_GATE_WATCHER, "the watcher's channel"), NO_ADDRESS } },
	{ "sendto", PHASE_SERVING, "HTTP/2 to containerd", { ON_FD(FD_GATE_RUNTIME, "the runtime's socket"), NO_ADDRESS } },
	{ "dup3", PHASE_SERVING, "a new watcher's channel",
	  { { .compare = ARG_EQ, .index = 1, .value = FD_GATE_WATCHER, .text = "onto the watcher's channel" } } },
	{ "dup3", PHASE_SERVING, "a new runtime socket",
	  { { .compare = ARG_EQ, .index = 1, .value = FD_GATE_RUNTIME, .text = "onto the runtime's socket" } } },
	{ "close", PHASE_SERVING, "the old runtime socket; a descriptor that got its fixed number", NO_ARGS },
	SURFACE_DAILY_ROWS,

	SURFACE_CONFINE_ROWS,
};

static const struct surface_fd fds[] = {
	{ 0, "/dev/null", "stdin", 0 },
	{ 1, "pipe:", "stdout of the container, unused", 0 },
	{ 2, "pipe:", "stderr of the container, log lines", 0 },
	{ FD_LAUNCHER, "socket:", "channel to the launcher", 0 },
	{ FD_GATE_WATCHER, "socket:", "channel to the watcher", 1 },
	{ FD_GATE_RUNTIME, "socket:", "containerd's socket, connected by the launcher", 1 },
};

const struct surface gate_surface = {
	.process = "leitwacht-gate",
	.comm = "lw-gate",
	.uid = UID_GATE,
	.chrooted = 1,
	.reads = "HTTP/2 frames of containerd (a trusted peer), fixed-size messages of the watcher (hostile)",
	.never = "says anything to containerd but the requests of request.c, reads inside a payload, opens a file or a socket",
	.calls = calls,
	.call_count = ARRAY_SIZE(calls),
	.fds = fds,
	.fd_count = ARRAY_SIZE(fds),
};

const struct surface *const surface_tables[] = { &gate_surface, NULL };
