/*
 * The watcher's channels: what comes over them, who may be away and how long.
 * Run by the watcher.  The gate's payloads are hostile and go to events/.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "clock.h"
#include "cleanup.h"
#include "log.h"
#include "watcher.h"

#define BURST 32		/* messages a turn: a peer that never stops must not keep the others waiting */

/*
 * How long a peer may be away.  The launcher sends a channel to its successor
 * within a second; if none comes, the two ends disagree about who has gone, and
 * starting afresh settles it.
 */
#define PEER_WAIT_NS (30 * NS_PER_S)

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

void peers_launcher(struct watcher *watcher, uint64_t now)
{
	struct received in;
	int got = 1;

	for (int i = 0; i < BURST && got > 0; i++) {
		got = channel_receive(&watcher->launcher, &in);
		if (got > 0)
			on_peer(watcher, &in, now);
	}
	if (got < 0)
		log_fatal("the launcher's channel ended", got);
}

void peers_attacher(struct watcher *watcher, uint64_t now)
{
	struct received in;
	int got = 1;

	for (int i = 0; i < BURST && got > 0; i++) {
		got = channel_receive(&watcher->attacher, &in);
		if (got > 0)
			attach_started(watcher, &in.m.started, now);
	}
	if (got >= 0)
		return;
	log_event(LOG_WARNING, "attacher is gone, waiting for the next", log_errno(got));
	drop_fd(&watcher->attacher.fd);
	watcher->attacher_blocked = 0;
	watcher->attacher_deadline_ns = now + PEER_WAIT_NS;
}

void peers_runtime(struct watcher *watcher, uint64_t now)
{
	int error = watcher->runtime->ops->receive(watcher->runtime, now);

	if (!error)
		return;
	log_event(LOG_WARNING, "gate is gone, waiting for the next", log_errno(error));
	watcher->gate_deadline_ns = now + PEER_WAIT_NS;
}

uint64_t peers_due_ns(const struct watcher *watcher)
{
	return watcher->gate_deadline_ns < watcher->attacher_deadline_ns ? watcher->gate_deadline_ns
									: watcher->attacher_deadline_ns;
}

const char *peers_overdue(const struct watcher *watcher, uint64_t now)
{
	if (now >= peers_due_ns(watcher))
		return "no new channel came";
	return watcher->runtime->ops->overdue(watcher->runtime, now);
}
