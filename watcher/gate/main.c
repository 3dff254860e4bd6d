/*
 * leitwacht-gate: start-up and the loop.  Started by the launcher with its
 * three descriptors (process.h); gives up what it has before it reads a byte.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "clock.h"
#include "gate.h"
#include "log.h"
#include "privs.h"

static void must(const char *what, int error)
{
	if (error)
		log_fatal(what, error);
}

/* libnghttp2 and libc touch everything once, so that nothing is opened later. */
static void warm(struct gate *gate)
{
	free(malloc(1 << 16));
	must("nghttp2", session_open(gate));
	session_close(&gate->session);
}

static void confine(struct gate *gate)
{
	log_open("gate");
	prctl(PR_SET_NAME, "lw-gate", 0, 0, 0);
	signal(SIGPIPE, SIG_IGN);	/* a stderr that nobody reads ends no process */
	must("privs_settle", privs_settle(getppid()));
	warm(gate);
	must("surface_enter startup", surface_enter(&gate_surface, PHASE_STARTUP));
	must("privs_confine", privs_confine("empty"));
	must("surface_enter serving", surface_enter(&gate_surface, PHASE_SERVING));
}

static int timeout_ms(uint64_t due, uint64_t now)
{
	if (due == UINT64_MAX)
		return -1;
	if (due <= now)
		return 0;
	return (int)((due - now + NS_PER_MS - 1) / NS_PER_MS);
}

static void serve_once(struct gate *gate)
{
	int open = gate->phase >= LINK_OPENING;
	struct pollfd polls[] = {
		{ gate->launcher.fd, POLLIN, 0 },
		{ gate->watcher.fd, (short)(POLLIN | (gate->queue.first ? POLLOUT : 0)), 0 },
		{ open ? FD_GATE_RUNTIME : -1, link_events(gate), 0 },
	};
	uint64_t now;

	if (poll(polls, 3, timeout_ms(link_due_ns(gate), clock_ns())) < 0 && errno != EINTR)
		log_fatal("poll", -errno);
	now = clock_ns();
	if (polls[1].revents)
		peers_watcher(gate, now);
	if (polls[0].revents)
		peers_launcher(gate, now);
	link_tick(gate, now);
	/* last, so that what the others asked for goes out in this turn */
	if (gate->phase >= LINK_OPENING)
		link_serve(gate, open && polls[2].revents & (POLLIN | POLLHUP | POLLERR), now);
}

int main(void)
{
	static struct gate gate = {
		.launcher = { FD_LAUNCHER, P_GATE, P_LAUNCHER, ST_READY },
		.watcher = { FD_GATE_WATCHER, P_GATE, P_WATCHER, ST_READY },
	};

	confine(&gate);
	for (;;)
		serve_once(&gate);
}
