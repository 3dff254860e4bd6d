/*
 * The attacher's side of the message table.  The watcher, the zygote and the
 * proxies may be owned: channel_receive() has checked size, state, descriptors
 * and padding of what they send; each handler says why the rest is safe.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include "adopt.h"
#include "attach.h"
#include "cleanup.h"
#include "clock.h"
#include "dispatch.h"
#include "log.h"
#include "op_upstream.h"

#define BURST 16			/* messages of one peer in a row: the others' turn comes */
#define START_PATIENCE_MS 5000
#define ZYGOTE_SILENCE_MAX 2
#define UPSTREAM_BURST 64		/* sockets a proxy may ask for at once */
#define UPSTREAM_PER_SECOND 32		/* and then in a second: one owned pod can't eat the node's ports */

/* A peer that is gone or broke the contract: its number is plugged, so that no other descriptor lands there. */
static void plug(struct attacher *attacher, struct channel *channel)
{
	dup3(attacher->plug_fd, channel->fd, O_CLOEXEC);
	channel->fd = -1;
}

static void lost(struct attacher *attacher, struct channel *channel, int error)
{
	struct msg_dismiss dismiss = MESSAGE(DISMISS, dismiss);

	dismiss.peer = channel->peer;
	if (channel->fd < 0)
		return;
	plug(attacher, channel);
	if (error == -EBADMSG)
		channel_send(&attacher->launcher, &dismiss, NULL);
}

/* ---- launcher: trusted, it started us ------------------------------------------ */

/* A restarted peer's channel takes the place of the old one, on the same number. */
static void on_peer(struct attacher *attacher, struct received *in)
{
	int is_watcher = in->m.peer.peer == P_WATCHER;
	struct channel *channel = is_watcher ? &attacher->watcher : &attacher->zygote;
	int number = is_watcher ? FD_ATTACHER_WATCHER : FD_ATTACHER_ZYGOTE;

	if (!is_watcher && in->m.peer.peer != P_ZYGOTE)
		return;
	if (dup3(in->fds[0], number, O_CLOEXEC) < 0)
		log_fatal("cannot take a peer's channel", -errno);
	channel->fd = number;
	if (!is_watcher)
		attacher->zygote_silence = 0;
	pod_watch(attacher, number, EPOLLIN, is_watcher ? WATCH_WATCHER : WATCH_ZYGOTE, NULL);
}

void dispatch_launcher(struct attacher *attacher)
{
	struct received in;
	int n = 0;

	for (int i = 0; i < BURST && (n = channel_receive(&attacher->launcher, &in)) > 0; i++) {
		if (in.m.h.type == MSG_PEER)
			on_peer(attacher, &in);
		received_drop(&in);
	}
	if (n < 0)
		log_fatal("the launcher is gone", n);	/* links stay pinned and enforce */
}

static int wait_for(const struct channel *channel, struct received *in)
{
	struct pollfd p = { .fd = channel->fd, .events = POLLIN };
	int n = poll(&p, 1, START_PATIENCE_MS);

	if (n <= 0)
		return n ? -errno : -ETIMEDOUT;
	n = channel_receive(channel, in);
	return n == 1 ? 0 : n ? n : -EAGAIN;
}

int dispatch_start(struct attacher *attacher)
{
	struct received in;
	int error;

	for (;;) {
		error = wait_for(&attacher->launcher, &in);
		if (error)
			return error;
		switch (in.m.h.type) {
		case MSG_CONFIG:
			attacher->config = in.m.config;
			break;
		case MSG_KEPT:
			adopt_kept(attacher, in.m.kept.sandbox, in.fds[0]);
			in.fd_count = 0;
			break;
		case MSG_KEPT_END:
			return 0;
		}
		received_drop(&in);
	}
}

/* Without a zygote no pod could have a proxy: not ready. */
int dispatch_await_zygote(struct attacher *attacher)
{
	struct received in;
	int error = wait_for(&attacher->zygote, &in);

	if (error)
		return error;
	received_drop(&in);
	return in.m.h.type == MSG_HELLO ? 0 : -EPROTO;
}

void dispatch_check_zygote(struct attacher *attacher)
{
	if (attacher->zygote_silence < ZYGOTE_SILENCE_MAX)
		return;
	log_event(LOG_ERROR, "the zygote does not answer, it is started anew");
	attacher->zygote_silence = 0;
	lost(attacher, &attacher->zygote, -EBADMSG);
}

/* ---- watcher: may be owned ------------------------------------------------------- */

/* A hint that a sandbox ended.  Safe: it only makes us look at the cgroup, which decides. */
static void on_end(struct attacher *attacher, const struct msg_end *end)
{
	struct pod *pod = pod_by_sandbox(attacher, end->sandbox);

	if (pod)
		adopt_look(attacher, pod);
}

void dispatch_watcher(struct attacher *attacher)
{
	struct received in;
	int n = 0;

	for (int i = 0; i < BURST && (n = channel_receive(&attacher->watcher, &in)) > 0; i++) {
		if (in.m.h.type == MSG_START)
			attach_start(attacher, &in.m.start, 1);
		else if (in.m.h.type == MSG_END)
			on_end(attacher, &in.m.end);
		received_drop(&in);
	}
	if (n < 0)
		lost(attacher, &attacher->watcher, n);
}

/* ---- zygote: may be owned ---------------------------------------------------------- */

static void finish_if_complete(struct attacher *attacher, struct pod *pod)
{
	if (pod->greeted && pod->proxy_pidfd >= 0)
		attach_finish(attacher, pod);
}

/* Safe: the pidfd, which may name any process, is only ever handed to the launcher, which signals as the proxies' own user. */
static void on_spawned(struct attacher *attacher, struct received *in)
{
	struct pod *pod = pod_by_slot(attacher, in->m.spawned.slot);
	struct msg_end_proxy end = MESSAGE(END_PROXY, end_proxy);

	attacher->zygote_silence = 0;
	if (!pod || pod->state != POD_SPAWNING || pod->proxy_pidfd >= 0 || pod->attempt != in->m.spawned.attempt) {
		channel_send(&attacher->launcher, &end, in->fds);	/* nobody waits for it any more */
		return;
	}
	pod->proxy_pidfd = in->fds[0];
	in->fd_count = 0;
	finish_if_complete(attacher, pod);
}

static void on_spawn_failed(struct attacher *attacher, const struct msg_spawn_failed *failed)
{
	struct pod *pod = pod_by_slot(attacher, failed->slot);

	attacher->zygote_silence = 0;
	if (pod && pod->state == POD_SPAWNING && pod->attempt == failed->attempt)
		attach_fail(attacher, pod, STAGE_PROXY, failed->error < 0 ? failed->error : -EPROTO, "spawn");
}

void dispatch_zygote(struct attacher *attacher)
{
	struct received in;
	int n = 0;

	for (int i = 0; i < BURST && (n = channel_receive(&attacher->zygote, &in)) > 0; i++) {
		if (in.m.h.type == MSG_SPAWNED)
			on_spawned(attacher, &in);
		else if (in.m.h.type == MSG_SPAWN_FAILED)
			on_spawn_failed(attacher, &in.m.spawn_failed);
		received_drop(&in);
	}
	if (n < 0)
		lost(attacher, &attacher->zygote, n);
}

/* ---- proxy: may be owned, it parses the pod's and the upstream's bytes --------------- */

static int take_tokens(struct pod *pod, unsigned wanted)
{
	uint64_t now = clock_ns(), earned = (now - pod->upstream_ns) * UPSTREAM_PER_SECOND / NS_PER_S;

	if (!pod->upstream_ns || pod->upstream_tokens + earned > UPSTREAM_BURST) {
		pod->upstream_tokens = UPSTREAM_BURST;
		pod->upstream_ns = now;
	} else if (earned) {
		pod->upstream_tokens += (uint32_t)earned;
		pod->upstream_ns = now;
	}
	if (pod->upstream_tokens < wanted)
		return -EAGAIN;
	pod->upstream_tokens -= wanted;
	return 0;
}

static int make_sockets(struct attacher *attacher, uint8_t server, enum upstream_kind kind, int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		fds[i] = op_upstream_connect(&attacher->config.upstream[server], kind);
		if (fds[i] < 0)
			return fds[i];
	}
	return 0;
}

static int send_upstream(const struct pod *pod, uint8_t server, enum upstream_kind kind, const int *fds)
{
	struct msg_upstream_udp udp = MESSAGE(UPSTREAM_UDP, upstream_udp);
	struct msg_upstream_tcp tcp = MESSAGE(UPSTREAM_TCP, upstream_tcp);

	udp.server = tcp.server = server;
	return channel_send(&pod->proxy, kind == UPSTREAM_KIND_TCP ? (const void *)&tcp : (const void *)&udp, fds);
}

/* Safe: it names a server of the start-up config by index, and the bucket bounds how often. */
static void on_upstream_ask(struct attacher *attacher, struct pod *pod, const struct msg_upstream_ask *ask)
{
	unsigned count = ask->kind == UPSTREAM_KIND_TCP ? 1 : UPSTREAM_BATCH;
	struct msg_upstream_none none = MESSAGE(UPSTREAM_NONE, upstream_none);
	int fds[UPSTREAM_BATCH] = { -1, -1, -1, -1 };
	int error = take_tokens(pod, count);

	if ((ask->kind != UPSTREAM_KIND_TCP && ask->kind != UPSTREAM_KIND_UDP) || ask->server >= attacher->config.upstreams)
		error = -EINVAL;
	if (!error)
		error = make_sockets(attacher, ask->server, ask->kind, fds, count);
	if (!error)
		error = send_upstream(pod, ask->server, ask->kind, fds);
	for (unsigned i = 0; i < UPSTREAM_BATCH; i++)
		drop_fd(&fds[i]);
	if (!error)
		return;
	none.error = error;
	none.kind = ask->kind;
	none.server = ask->server;
	channel_send(&pod->proxy, &none, NULL);
}

void dispatch_proxy(struct attacher *attacher, struct pod *pod)
{
	struct received in;
	int n = 0;

	for (int i = 0; i < BURST && (n = channel_receive(&pod->proxy, &in)) > 0; i++) {
		if (in.m.h.type == MSG_HELLO && pod->state == POD_SPAWNING) {
			pod->greeted = 1;
			finish_if_complete(attacher, pod);
		} else if (in.m.h.type == MSG_UPSTREAM_ASK) {
			on_upstream_ask(attacher, pod, &in.m.upstream_ask);
		}
		received_drop(&in);
	}
	if (n < 0 && n != -EPIPE)
		attach_proxy_lost(attacher, pod, "broke the message contract");
	else if (n < 0 && pod->proxy.fd >= 0)
		attach_proxy_lost(attacher, pod, "ended");
}
