/*
 * leitwacht-watcher: options, start-up and the loop.  Started by the launcher
 * with its three descriptors (process.h); gives up what it has before it reads
 * a byte.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>
#include "clock.h"
#include "cleanup.h"
#include "events/budget.h"
#include "log.h"
#include "privs.h"
#include "watcher.h"

/*
 * How long a peer may be away.  The launcher sends a channel to its successor
 * within a second; if none comes, the two ends disagree about who has gone, and
 * starting afresh settles it.
 */
#define PEER_WAIT_NS (30 * NS_PER_S)
#define EXIT_AFRESH 75		/* EX_TEMPFAIL */

static int usage(void)
{
	fputs("usage: leitwacht-watcher --guard=NAMESPACE...   (namespaces whose pods are guarded, '*' for all)\n", stderr);
	return 2;
}

/* 0, or the exit status. */
static int read_options(int argc, char **argv, struct guard *guard)
{
	static const struct option options[] = { { "guard", required_argument, NULL, 'g' }, { 0 } };
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option != 'g')
			return usage();
		if (guard_add(guard, optarg)) {
			fprintf(stderr, "leitwacht-watcher: no namespace's name, or one too many: %s\n", optarg);
			return usage();
		}
	}
	return optind == argc && (guard->count || guard->all) ? 0 : usage();
}

static void must(const char *what, int error)
{
	if (error)
		log_fatal(what, error);
}

static void confine(void)
{
	prctl(PR_SET_NAME, "lw-watcher", 0, 0, 0);
	signal(SIGPIPE, SIG_IGN);	/* a stderr that nobody reads ends no process */
	must("privs_settle", privs_settle(getppid()));
	must("surface_enter startup", surface_enter(&watcher_surface, PHASE_STARTUP));
	must("privs_confine", privs_confine("empty"));
	must("surface_enter serving", surface_enter(&watcher_surface, PHASE_SERVING));
}

/* Give a received descriptor its fixed number.  It may have come under that number already. */
static int place_fd(int fd, int number)
{
	if (fd == number)
		return number;
	if (dup3(fd, number, O_CLOEXEC) < 0)
		log_fatal("dup3", -errno);
	close(fd);
	return number;
}

static void on_peer(struct watcher *watcher, struct received *in, uint64_t now)
{
	if (in->m.peer.peer == P_GATE) {
		watcher->runtime->ops->adopt(watcher->runtime, place_fd(in->fds[0], FD_WATCHER_GATE));
		watcher->gate_deadline_ns = UINT64_MAX;
	} else if (in->m.peer.peer == P_ATTACHER) {
		watcher->attacher.fd = place_fd(in->fds[0], FD_WATCHER_ATTACHER);
		watcher->attacher_deadline_ns = UINT64_MAX;
		attach_all_again(watcher, now);
	} else {
		log_fatal("the launcher named a peer that is not the watcher's", -EBADMSG);
	}
	log_event(LOG_INFO, "new channel", log_str("peer", in->m.peer.peer == P_GATE ? "gate" : "attacher"));
}

static void serve_launcher(struct watcher *watcher, uint64_t now)
{
	struct received in;
	int got;

	while ((got = channel_receive(&watcher->launcher, &in)) > 0)
		on_peer(watcher, &in, now);
	if (got < 0)
		log_fatal("the launcher's channel ended", got);
}

static void serve_attacher(struct watcher *watcher, uint64_t now)
{
	struct received in;
	int got;

	while ((got = channel_receive(&watcher->attacher, &in)) > 0)
		attach_started(watcher, &in.m.started, now);
	if (!got)
		return;
	log_event(LOG_WARNING, "attacher is gone, waiting for the next", log_errno(got));
	drop_fd(&watcher->attacher.fd);
	watcher->attacher_blocked = 0;
	watcher->attacher_deadline_ns = now + PEER_WAIT_NS;
}

static void serve_runtime(struct watcher *watcher, uint64_t now)
{
	int error = watcher->runtime->ops->receive(watcher->runtime, now);

	if (!error)
		return;
	log_event(LOG_WARNING, "gate is gone, waiting for the next", log_errno(error));
	watcher->gate_deadline_ns = now + PEER_WAIT_NS;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static int timeout_ms(const struct watcher *watcher)
{
	uint64_t peers = earlier(watcher->gate_deadline_ns, watcher->attacher_deadline_ns), now = clock_ns();
	uint64_t due = earlier(earlier(watcher->runtime->ops->due_ns(watcher->runtime), attach_due_ns(watcher)), peers);

	if (due == UINT64_MAX)
		return -1;
	return due <= now ? 0 : (int)((due - now + NS_PER_MS - 1) / NS_PER_MS);
}

static void serve_once(struct watcher *watcher)
{
	const struct runtime_ops *ops = watcher->runtime->ops;
	struct pollfd polls[] = {
		{ watcher->launcher.fd, POLLIN, 0 },
		{ ops->fd(watcher->runtime), (short)(POLLIN | (ops->blocked(watcher->runtime) ? POLLOUT : 0)), 0 },
		{ watcher->attacher.fd, (short)(POLLIN | (watcher->attacher_blocked ? POLLOUT : 0)), 0 },
	};
	uint64_t now;

	if (poll(polls, 3, timeout_ms(watcher)) < 0 && errno != EINTR)
		log_fatal("poll", -errno);
	now = clock_ns();
	if (polls[1].revents)
		serve_runtime(watcher, now);
	if (polls[2].revents)
		serve_attacher(watcher, now);
	if (polls[0].revents)	/* after the others, whose channels it may replace */
		serve_launcher(watcher, now);
	if (now >= watcher->gate_deadline_ns || now >= watcher->attacher_deadline_ns) {
		log_event(LOG_ERROR, "no new channel came, starting afresh");
		_exit(EXIT_AFRESH);
	}
	ops->tick(watcher->runtime, now);
	attach_tick(watcher, now);
}

int main(int argc, char **argv)
{
	static struct watcher watcher;
	struct runtime_sink sink;
	uint64_t nonce;
	int status;

	watcher.launcher = (struct channel){ FD_LAUNCHER, P_WATCHER, P_LAUNCHER, ST_READY };
	watcher.attacher = (struct channel){ FD_WATCHER_ATTACHER, P_WATCHER, P_ATTACHER, ST_READY };
	watcher.gate_deadline_ns = watcher.attacher_deadline_ns = UINT64_MAX;
	status = read_options(argc, argv, &watcher.guard);
	if (status)
		return status;
	log_open("watcher");
	budget_open();
	if (getrandom(&nonce, sizeof(nonce), 0) != sizeof(nonce))
		log_fatal("getrandom", -EIO);
	facts_sink(&sink, &watcher);
	containerd_open(&watcher.containerd, &sink, nonce);
	watcher.runtime = &watcher.containerd.runtime;
	confine();
	for (;;)
		serve_once(&watcher);
}
