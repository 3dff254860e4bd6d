/*
 * TCP clients.  Run by the proxy's child; every byte comes from the pod and is
 * hostile.  Questions may be pipelined and are answered in any order.  A client
 * that asks faster than it is answered, or does not read, is not read either.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include "cleanup.h"
#include "proxy.h"

#define PENDING_MAX 64			/* questions in flight for one connection: a quarter of the pod's */
#define IN_MAX ((size_t)FRAME_PREFIX + QUERY_MAX)
#define OUT_MAX ((size_t)128 * 1024)	/* answers that the client has not read yet */
#define IDLE_NS (10 * NS_PER_S)
#define ACCEPTS_A_TURN 16

static void shut(struct proxy *p, unsigned index)
{
	struct connection *c = &p->connections[index];

	if (!c->used)
		return;
	c->used = 0;
	relay_client_gone(p, index);
	close(c->fd);
	frame_free(&c->in);
	frame_free(&c->out);
}

/* A free place, else that of the connection that has been idle longest; -1: all are being served. */
static int place(struct proxy *p)
{
	int oldest = -1;

	for (int i = 0; i < CONNECTIONS_MAX; i++) {
		const struct connection *c = &p->connections[i];

		if (!c->used)
			return i;
		if (!c->pending && (oldest < 0 || c->active_ns < p->connections[oldest].active_ns))
			oldest = i;
	}
	if (oldest >= 0)
		shut(p, (unsigned)oldest);
	return oldest;
}

static void open_connection(struct proxy *p, int fd)
{
	int index = place(p), on = 1;

	if (index < 0 || proxy_watch(p, fd, SOURCE_CONNECTION, (unsigned)index, EPOLLIN)) {
		close(fd);
		return;
	}
	/* answers are small and whole: none may wait for the acknowledgement of another */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	p->connections[index] = (struct connection){ .used = 1, .fd = fd, .events = EPOLLIN, .active_ns = p->now };
}

void connection_accept(struct proxy *p, int listener)
{
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		open_connection(p, fd);
	}
}

static int may_ask(const struct connection *c)
{
	return c->pending < PENDING_MAX && c->out.used < OUT_MAX;
}

static void rewatch(struct proxy *p, unsigned index)
{
	struct connection *c = &p->connections[index];
	uint32_t events = (c->ended || !may_ask(c) ? 0 : EPOLLIN) | (c->out.used ? EPOLLOUT : 0);

	if (events == c->events)
		return;
	c->events = events;
	proxy_rewatch(p, c->fd, SOURCE_CONNECTION, index, events);
}

static void flush(struct proxy *p, struct connection *c)
{
	ssize_t sent;

	if (!c->out.used)
		return;
	sent = send(c->fd, c->out.bytes, c->out.used, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0)
		return;		/* EAGAIN, or an error that reading will report */
	c->active_ns = p->now;
	frame_consume(&c->out, (size_t)sent);
}

/* Every whole message that may be asked now.  0, or -1 when the connection is to be shut. */
static int ask_all(struct proxy *p, unsigned index)
{
	struct connection *c = &p->connections[index];
	struct client client = { .kind = CLIENT_TCP, .connection = index };
	enum frame_state state = FRAME_INCOMPLETE;
	size_t at = 0, length;

	while (may_ask(c) && (state = frame_at(&c->in, at, QUERY_MAX, &length)) == FRAME_COMPLETE) {
		c->active_ns = p->now;
		relay_query(p, &client, c->in.bytes + at + FRAME_PREFIX, length);
		at += FRAME_PREFIX + length;
	}
	frame_consume(&c->in, at);
	return state == FRAME_TOO_LONG ? -1 : 0;
}

/* Ask, send, and see whether anything is left to do. */
static void advance(struct proxy *p, unsigned index)
{
	struct connection *c = &p->connections[index];
	int error = ask_all(p, index);

	flush(p, c);
	if (error || (c->ended && !c->pending && !c->out.used))
		shut(p, index);
	else
		rewatch(p, index);
}

/* 0, or -1 when the connection is broken. */
static int read_some(struct connection *c)
{
	size_t room = IN_MAX - c->in.used;
	ssize_t size;

	if (!room)
		return 0;	/* full of whole messages that must wait */
	if (frame_reserve(&c->in, room))
		return -1;
	size = recv(c->fd, c->in.bytes + c->in.used, room, MSG_DONTWAIT);
	if (size < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	c->in.used += (size_t)size;
	c->ended = size == 0;
	return 0;
}

void connection_event(struct proxy *p, unsigned index, uint32_t events)
{
	struct connection *c = &p->connections[index];

	if (!c->used)
		return;		/* shut earlier in this turn */
	if (events & EPOLLERR || (events & EPOLLHUP && !(c->events & EPOLLIN))) {
		shut(p, index);
		return;
	}
	if (events & (EPOLLIN | EPOLLHUP) && c->events & EPOLLIN && read_some(c)) {
		shut(p, index);
		return;
	}
	advance(p, index);
}

void connection_answer(struct proxy *p, unsigned index, const uint8_t *bytes, size_t size)
{
	struct connection *c = &p->connections[index];

	if (!c->used || frame_append(&c->out, bytes, size))
		p->count.dropped++;
	else if (c->out.used == FRAME_PREFIX + size)
		flush(p, c);	/* the first one: most clients ask once */
}

void connection_settled(struct proxy *p, unsigned index)
{
	struct connection *c = &p->connections[index];

	if (!c->used)
		return;
	c->pending--;
	c->active_ns = p->now;
	/* not from inside ask_all(): the turn's end asks and sends what is left */
	p->due = 1;
}

/* At each turn's end: idle ones end, those that an answer freed go on. */
void connection_tick(struct proxy *p)
{
	for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
		const struct connection *c = &p->connections[i];

		if (!c->used)
			continue;
		if (!c->pending && p->now - c->active_ns >= IDLE_NS)
			shut(p, i);
		else
			advance(p, i);
	}
}
