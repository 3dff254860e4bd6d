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
#define OUT_ASKS_MAX ((size_t)128 * 1024)	/* with more unread answers it may ask nothing more */
#define OUT_MAX ((size_t)256 * 1024)	/* with more than that it ends */
#define OUT_ALL_MAX ((size_t)4096 * 1024)	/* of all connections: this memory is the node's, not the pod's */
#define STALLED_NS (500 * NS_PER_MS)	/* full, and no question begins or ends: those that wait are told */
#define UNREAD_NS (15 * NS_PER_S)	/* the longest that a byte waits to be read is twice this */
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

int connection_has_room(const struct proxy *p, unsigned index)
{
	return p->connections[index].pending < PENDING_MAX;
}

/* While answers come, what is over waits unread; when nothing moves it is asked for and refused, which helps more. */
static int may_ask(const struct proxy *p, const struct connection *c)
{
	return c->out.used < OUT_ASKS_MAX && (c->pending < PENDING_MAX || p->now - c->moved_ns >= STALLED_NS);
}

static void rewatch(struct proxy *p, unsigned index)
{
	struct connection *c = &p->connections[index];
	uint32_t events = (c->ended || !may_ask(p, c) ? 0 : EPOLLIN) | (c->out.used ? EPOLLOUT : 0);

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
	if (c->unread > (size_t)sent) {
		c->unread -= (size_t)sent;
		return;
	}
	c->unread = c->out.used;
	c->unread_ns = p->now;
}

/* Every whole message that may be asked now.  0, or -1 when the connection is to be shut. */
static int ask_all(struct proxy *p, unsigned index)
{
	struct connection *c = &p->connections[index];
	struct client client = { .kind = CLIENT_TCP, .connection = index };
	enum frame_state state = FRAME_INCOMPLETE;
	size_t at = 0, length;

	while (may_ask(p, c) && (state = frame_at(&c->in, at, QUERY_MAX, &length)) == FRAME_COMPLETE) {
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
	if (error || c->broken || (c->ended && !c->pending && !c->out.used))
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

/* No answer can be given any more.  Not shut from here: its flights are being walked. */
static void give_up(struct proxy *p, struct connection *c)
{
	c->broken = 1;
	c->unread = 0;
	frame_free(&c->out);
	p->count.dropped++;
	p->due = 1;
}

/* Keep all connections together within their bound: who reads least pays. */
static void make_room(struct proxy *p, size_t size)
{
	for (;;) {
		struct connection *fullest = NULL;
		size_t total = size;

		for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
			struct connection *c = &p->connections[i];

			if (!c->used)
				continue;
			total += c->out.used;
			if (!fullest || c->out.used > fullest->out.used)
				fullest = c;
		}
		if (total <= OUT_ALL_MAX || !fullest)
			return;
		give_up(p, fullest);
	}
}

static void queue(struct proxy *p, struct connection *c, const uint8_t *bytes, size_t size)
{
	if (c->out.used + size > OUT_ASKS_MAX)
		flush(p, c);	/* the client may have read since */
	make_room(p, FRAME_PREFIX + size);
	if (c->broken)
		return;
	if (c->out.used + FRAME_PREFIX + size > OUT_MAX || frame_append(&c->out, bytes, size)) {
		give_up(p, c);
		return;
	}
	if (c->out.used != FRAME_PREFIX + size)
		return;
	c->unread = c->out.used;
	c->unread_ns = p->now;
	flush(p, c);	/* the first one: most clients ask once */
}

void connection_answer(struct proxy *p, unsigned index, const uint8_t *bytes, size_t size)
{
	struct connection *c = &p->connections[index];

	if (!c->used || c->broken)
		p->count.dropped++;
	else
		queue(p, c, bytes, size);
}

void connection_asked(struct proxy *p, unsigned index)
{
	p->connections[index].pending++;
	p->connections[index].moved_ns = p->now;
}

void connection_settled(struct proxy *p, unsigned index)
{
	struct connection *c = &p->connections[index];

	if (!c->used)
		return;
	c->pending--;
	c->active_ns = c->moved_ns = p->now;
	/* not from inside ask_all(): the turn's end asks and sends what is left */
	p->due = 1;
}

static int too_slow(const struct proxy *p, const struct connection *c)
{
	return (!c->pending && p->now - c->active_ns >= IDLE_NS) || (c->out.used && p->now - c->unread_ns >= UNREAD_NS);
}

/* At each turn's end: idle ones end, those that an answer freed go on. */
void connection_tick(struct proxy *p)
{
	for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
		const struct connection *c = &p->connections[i];

		if (!c->used)
			continue;
		if (too_slow(p, c))
			shut(p, i);
		else
			advance(p, i);
	}
}
