/*
 * TCP connections to servers, made by the attacher; questions of TCP clients
 * share them, a few on each, so that a slow name on a server that answers in
 * order holds up few.  Run by the proxy's child; what comes in is hostile.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include "cleanup.h"
#include "proxy.h"

#define CONNECTIONS_A_SERVER 4
#define QUESTIONS_MAX 64		/* on one connection: four of them hold all that may be in flight */
#define IDLE_NS (5 * NS_PER_S)		/* servers close after some 10 s; a question must not meet that */
#define READ_STEP ((size_t)4096)

void upstream_tcp_close(struct proxy *p, unsigned index)
{
	struct upstream_tcp *t = &p->upstreams.tcp[index];

	t->used = 0;
	close(t->fd);
	frame_free(&t->in);
	frame_free(&t->out);
	if (t->waiting)
		relay_socket_gone(p, FLIGHT_TCP, index);
}

static void broken(struct proxy *p, unsigned index, const char *what, int error)
{
	/* a server may close an idle connection whenever it likes: only a lost question is a fault */
	if (p->upstreams.tcp[index].waiting)
		upstream_failed(p, p->upstreams.tcp[index].server, what, error);
	upstream_tcp_close(p, index);
}

/* The connection with the fewest questions, and how many there are; -1: none. */
static int least_loaded(const struct proxy *p, unsigned server, unsigned *count)
{
	int best = -1;

	*count = 0;
	for (int i = 0; i < TCP_SOCKETS_MAX; i++) {
		const struct upstream_tcp *t = &p->upstreams.tcp[i];

		if (!t->used || t->server != server || t->retired)
			continue;
		++*count;
		if (t->waiting < QUESTIONS_MAX && (best < 0 || t->waiting < p->upstreams.tcp[best].waiting))
			best = i;
	}
	return best;
}

static void rewatch(struct proxy *p, unsigned index)
{
	struct upstream_tcp *t = &p->upstreams.tcp[index];
	uint32_t events = EPOLLIN | (t->out.used ? EPOLLOUT : 0);

	if (events == t->events)
		return;
	t->events = events;
	proxy_rewatch(p, t->fd, SOURCE_UPSTREAM_TCP, index, events);
}

/* 0 or -errno; what does not go out now waits for EPOLLOUT (a connection under way answers EAGAIN). */
static int flush(struct proxy *p, unsigned index)
{
	struct upstream_tcp *t = &p->upstreams.tcp[index];

	if (t->out.used) {
		ssize_t sent = send(t->fd, t->out.bytes, t->out.used, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent < 0 && errno != EAGAIN && errno != EINTR && errno != ENOTCONN)
			return -errno;
		if (sent > 0)
			frame_consume(&t->out, (size_t)sent);
	}
	rewatch(p, index);
	return 0;
}

int upstream_tcp_send(struct proxy *p, unsigned server, const uint8_t *bytes, size_t size)
{
	unsigned count;
	int index = least_loaded(p, server, &count), asked = 0, error;
	struct upstream_tcp *t;

	if (count < CONNECTIONS_A_SERVER && (index < 0 || p->upstreams.tcp[index].waiting))
		asked = upstream_ask(p, FLIGHT_TCP, server);
	if (index < 0)
		return asked ? asked : -ENOBUFS;
	t = &p->upstreams.tcp[index];
	if (frame_append(&t->out, bytes, size))
		return -ENOMEM;
	t->active_ns = p->now;
	error = flush(p, (unsigned)index);
	if (error) {
		upstream_failed(p, server, "send", error);
		upstream_tcp_close(p, (unsigned)index);
		return error;
	}
	t->waiting++;
	return index;
}

void upstream_tcp_take(struct proxy *p, unsigned server, int *fd)
{
	int on = 1;

	for (unsigned i = 0; i < TCP_SOCKETS_MAX; i++) {
		if (p->upstreams.tcp[i].used)
			continue;
		if (proxy_watch(p, *fd, SOURCE_UPSTREAM_TCP, i, EPOLLIN))
			return;
		setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		p->upstreams.tcp[i] = (struct upstream_tcp){ .used = 1, .fd = take_fd(fd), .server = (uint8_t)server,
							     .events = EPOLLIN, .active_ns = p->now };
		return;
	}
}

/* Every whole message; a reply may end with this connection being closed. */
static void take_replies(struct proxy *p, unsigned index)
{
	struct upstream_tcp *t = &p->upstreams.tcp[index];
	struct frame_buffer in = t->in;
	size_t at = 0, length;

	t->in = (struct frame_buffer){ 0 };	/* ours while the replies are handed on */
	while (frame_at(&in, at, FRAME_MAX, &length) == FRAME_COMPLETE) {
		relay_reply(p, FLIGHT_TCP, index, in.bytes + at + FRAME_PREFIX, length);
		at += FRAME_PREFIX + length;
	}
	if (t->used) {
		frame_consume(&in, at);
		t->in = in;
	} else {
		frame_free(&in);
	}
}

/* Read what is there: a message may be large, so the room follows its length.  0, or -1 when closed. */
static int read_some(struct proxy *p, unsigned index)
{
	struct upstream_tcp *t = &p->upstreams.tcp[index];
	ssize_t size;

	if (frame_reserve(&t->in, READ_STEP)) {
		broken(p, index, "memory", -ENOMEM);
		return -1;
	}
	size = recv(t->fd, t->in.bytes + t->in.used, READ_STEP, MSG_DONTWAIT);
	if (size > 0) {
		t->in.used += (size_t)size;
		t->active_ns = p->now;
		return 0;
	}
	if (size < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	broken(p, index, size ? "receive" : "closed", size ? -errno : -ECONNRESET);
	return -1;
}

void upstream_tcp_event(struct proxy *p, unsigned index, uint32_t events)
{
	struct upstream_tcp *t = &p->upstreams.tcp[index];
	int error = 0;

	if (!t->used)
		return;
	if (events & EPOLLOUT)
		error = flush(p, index);
	if (error) {
		broken(p, index, "send", error);
		return;
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !read_some(p, index))
		take_replies(p, index);
}

void upstream_tcp_tick(struct proxy *p)
{
	for (unsigned i = 0; i < TCP_SOCKETS_MAX; i++) {
		struct upstream_tcp *t = &p->upstreams.tcp[i];

		if (t->used && !t->waiting && (t->retired || p->now - t->active_ns >= IDLE_NS))
			upstream_tcp_close(p, i);
	}
}
