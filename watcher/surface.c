/*
 * What leitwacht-watcher may do: its seccomp filters, its page (SURFACE.md) and
 * the tests are made from this table.  It decodes what pods' authors shape, so
 * what is left of it when it is owned must be little.
 */
#include <stddef.h>
#include "cleanup.h"
#include "process.h"
#include "surface.h"
#include "surface_rows.h"

#define NO_ARGS { { 0, 0, 0, 0, 0 } }
#define ON_FD(n, t) { .compare = ARG_EQ, .index = 0, .value = (n), .text = (t) }
#define NO_ADDRESS { .compare = ARG_EQ, .index = 4, .value = 0, .text = "no address" }
#define ONTO_FD(n, t) { .compare = ARG_EQ, .index = 1, .value = (n), .text = (t) }

static const struct surface_call calls[] = {
	{ "poll", PHASE_SERVING, "waits for its three channels", NO_ARGS },
	{ "recvmsg", PHASE_SERVING, "new channels of the launcher", { ON_FD(FD_LAUNCHER, "the launcher's channel") } },
	{ "recvmsg", PHASE_SERVING, "payloads of the gate", { ON_FD(FD_WATCHER_GATE, "the gate's channel") } },
	{ "recvmsg", PHASE_SERVING, "outcomes of the attacher", { ON_FD(FD_WATCHER_ATTACHER, "the attacher's channel") } },
	{ "sendto", PHASE_SERVING, "READY", { ON_FD(FD_LAUNCHER, "the launcher's channel"), NO_ADDRESS } },
	{ "sendto", PHASE_SERVING, "calls and probes", { ON_FD(FD_WATCHER_GATE, "the gate's channel"), NO_ADDRESS } },
	{ "sendto", PHASE_SERVING, "claims", { ON_FD(FD_WATCHER_ATTACHER, "the attacher's channel"), NO_ADDRESS } },
	{ "dup3", PHASE_SERVING, "a restarted gate", { ONTO_FD(FD_WATCHER_GATE, "onto the gate's channel") } },
	{ "dup3", PHASE_SERVING, "a restarted attacher", { ONTO_FD(FD_WATCHER_ATTACHER, "onto the attacher's channel") } },
	{ "close", PHASE_SERVING, "a peer that is gone; a descriptor that got its fixed number", NO_ARGS },
	SURFACE_DAILY_ROWS,

	SURFACE_CONFINE_ROWS,
};

static const struct surface_fd fds[] = {
	{ 0, "/dev/null", "stdin", 0 },
	{ 1, "pipe:", "stdout of the container, unused", 0 },
	{ 2, "pipe:", "stderr of the container, log lines", 0 },
	{ FD_LAUNCHER, "socket:", "channel to the launcher", 0 },
	{ FD_WATCHER_GATE, "socket:", "channel to the gate", 1 },
	{ FD_WATCHER_ATTACHER, "socket:", "channel to the attacher", 1 },
};

const struct surface watcher_surface = {
	.process = "leitwacht-watcher",
	.comm = "lw-watcher",
	.uid = UID_WATCHER,
	.chrooted = 1,
	.reads = "protobuf and JSON payloads that the gate passes on (hostile), fixed-size messages of gate, attacher and launcher",
	.never = "holds a containerd, BPF, cgroup or netns descriptor, names a path, makes or changes a bundle",
	.calls = calls,
	.call_count = ARRAY_SIZE(calls),
	.fds = fds,
	.fd_count = ARRAY_SIZE(fds),
};

const struct surface *const surface_tables[] = { &watcher_surface, NULL };
