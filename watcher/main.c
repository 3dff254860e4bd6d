/*
 * leitwacht-watcher: options, start-up and the loop.  Started by the launcher
 * with its three descriptors (process.h); gives up what it has before it reads
 * a byte.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>
#include "clock.h"
#include "events/budget.h"
#include "log.h"
#include "privs.h"
#include "watcher.h"

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

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static int timeout_ms(const struct watcher *watcher)
{
	uint64_t runtime = watcher->runtime->ops->due_ns(watcher->runtime), now = clock_ns();
	uint64_t due = earlier(earlier(runtime, attach_due_ns(watcher)), peers_due_ns(watcher));

	if (due == UINT64_MAX)
		return -1;
	return due <= now ? 0 : (int)((due - now + NS_PER_MS - 1) / NS_PER_MS);
}

/* The launcher starts the next of us, with new channels to everybody. */
static void afresh_if_overdue(const struct watcher *watcher, uint64_t now)
{
	const char *reason = peers_overdue(watcher, now);

	if (!reason)
		return;
	log_event(LOG_ERROR, "starting afresh", log_str("reason", reason));
	_exit(EXIT_AFRESH);
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
		peers_runtime(watcher, now);
	if (polls[2].revents)
		peers_attacher(watcher, now);
	if (polls[0].revents)	/* after the others, whose channels it may replace */
		peers_launcher(watcher, now);
	afresh_if_overdue(watcher, now);
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
