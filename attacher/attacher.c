/*
 * leitwacht-attacher: the privileged process.  Runs as uid 65010 with ambient
 * NET_ADMIN, SYS_ADMIN, SYS_PTRACE under its surface table.
 *
 * Hostile input: fixed-size messages of the watcher, the zygote and the proxies
 * (dispatch.c).  It may never exec, fork, make a map while serving, parse text from outside, or
 * take a path from anyone.  Its working directory is our folder in the node's bpffs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "adopt.h"
#include "attach.h"
#include "attacher_surface.h"
#include "cleanup.h"
#include "clock.h"
#include "dispatch.h"
#include "log.h"
#include "op_bpf.h"
#include "op_netns.h"
#include "op_upstream.h"
#include "privs.h"
#include "selftest.h"

#define EVENTS 64
#define SWEEP (1 * NS_PER_S)		/* a cgroup's removal raises no event: looking costs a pread a pod */
#define IDLE_MS 1000
#define LAUNCHER_SEND_BYTES (2 << 20)
#define EXIT_CANNOT_START 71		/* EX_OSERR: the launcher doesn't try again at the first start */

static struct attacher self = {
	.launcher = { FD_LAUNCHER, P_ATTACHER, P_LAUNCHER, ST_NEW },
	.watcher = { FD_ATTACHER_WATCHER, P_ATTACHER, P_WATCHER, ST_READY },
	.zygote = { FD_ATTACHER_ZYGOTE, P_ATTACHER, P_ZYGOTE, ST_READY },
};

static void must(int error, const char *what)
{
	if (!error)
		return;
	log_event(LOG_ERROR, "attacher cannot start", log_str("what", what), log_errno(error));
	_exit(EXIT_CANNOT_START);
}

static void must_pass_selftest(void)
{
	const char *what = "";
	autoclose pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	int error = selftest(FD_ATTACHER_SCRATCH, pidfd, &what);

	must(error, what);
	if (dup3(self.plug_fd, FD_ATTACHER_SCRATCH, O_CLOEXEC) < 0)
		must(-errno, "scratch cgroup");
	log_event(LOG_INFO, "self-test passed");
}

static void start(void)
{
	struct msg_ready ready = MESSAGE(READY, ready);
	int bytes = LAUNCHER_SEND_BYTES;

	must(privs_settle(getppid()), "no_new_privs");
	prctl(PR_SET_NAME, "lw-attacher");
	must(surface_enter(&attacher_surface, PHASE_STARTUP), "seccomp filter (start-up)");
	self.plug_fd = op_upstream_plug();
	self.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	/* the end of many pods at once: none of its FORGETs may be lost */
	setsockopt(FD_LAUNCHER, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
	must(self.plug_fd < 0 || self.epoll_fd < 0 ? -EMFILE : 0, "descriptors");
	must(op_netns_remember(), "own network namespace");
	must(adopt_lock(), "the node's lock: another attacher, or leitwacht-uninstall, holds it");
	must(op_bpf_load(), "BPF program or maps (pins of another version: leitwacht-uninstall takes them away)");
	must_pass_selftest();
	must(adopt_links(&self), "adopting pinned links");
	must(dispatch_start(&self), "configuration from the launcher");
	must(dispatch_await_zygote(&self), "the zygote (leitwacht-dnsproxy) does not come up");
	must(surface_enter(&attacher_surface, PHASE_SERVING), "seccomp filter (serving)");
	must(channel_send(&self.launcher, &ready, NULL), "ready");
	self.launcher.state = ST_READY;
	self.ready_ns = clock_ns();
}

static void watch_peers(void)
{
	pod_watch(&self, FD_LAUNCHER, EPOLLIN, WATCH_LAUNCHER, NULL);
	pod_watch(&self, FD_ATTACHER_WATCHER, EPOLLIN, WATCH_WATCHER, NULL);
	pod_watch(&self, FD_ATTACHER_ZYGOTE, EPOLLIN, WATCH_ZYGOTE, NULL);
}

static void on_event(const struct epoll_event *event)
{
	struct pod *pod = &self.pods[(uint32_t)event->data.u64 % PODS_MAX];

	switch ((enum watch)(event->data.u64 >> 32)) {
	case WATCH_LAUNCHER:
		dispatch_launcher(&self);
		break;
	case WATCH_WATCHER:
		dispatch_watcher(&self);
		break;
	case WATCH_ZYGOTE:
		dispatch_zygote(&self);
		break;
	case WATCH_PROXY:
		if (pod->proxy.fd >= 0)
			dispatch_proxy(&self, pod);
		break;
	case WATCH_CGROUP:
		if (pod->state != POD_FREE)
			adopt_look(&self, pod);
		break;
	}
}

/* Milliseconds until the next pod is due, at most IDLE_MS. */
static int run_due(void)
{
	uint64_t now = clock_ns(), next = now + IDLE_MS * NS_PER_MS;

	for (unsigned i = 0; i < PODS_MAX; i++) {
		struct pod *pod = &self.pods[i];

		if (pod->state == POD_FREE || !pod->due_ns)
			continue;
		if (pod->due_ns <= now)
			attach_due(&self, pod);
		if (pod->due_ns && pod->due_ns < next)
			next = pod->due_ns;
	}
	return next <= now ? 0 : (int)((next - now) / NS_PER_MS) + 1;
}

static void serve(void)
{
	struct epoll_event events[EVENTS];
	uint64_t sweep_ns = clock_ns() + SWEEP;

	for (;;) {
		int n = epoll_wait(self.epoll_fd, events, EVENTS, run_due());

		if (n < 0 && errno != EINTR)
			log_fatal("epoll_wait", -errno);
		for (int i = 0; i < n; i++)
			on_event(&events[i]);
		if (clock_ns() < sweep_ns)
			continue;
		adopt_sweep(&self);
		sweep_ns = clock_ns() + SWEEP;
	}
}

int main(void)
{
	log_open("attacher");
	start();
	watch_peers();
	serve();
}
