/*
 * One pod's proxy: the loop and the channel.  Run by a child of the zygote,
 * after its filter stands.  The channel's bytes pass channel_receive(); all else
 * that is hostile is read in the parts that proxy.h lists.  It never opens,
 * makes or connects anything: it has what it was given.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include "log.h"
#include "proxy.h"
#include "spare.h"
#include "version.h"

#define EVENTS_A_TURN 32
#define SLOW_TICK_MS 1000	/* when only idle sockets are left to be closed */

static struct epoll_event event_of(enum source source, unsigned index, uint32_t events)
{
	return (struct epoll_event){ .events = events, .data.u32 = (uint32_t)source << 16 | index };
}

int proxy_watch(struct proxy *p, int fd, enum source source, unsigned index, uint32_t events)
{
	struct epoll_event event = event_of(source, index, events);

	return epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

void proxy_rewatch(struct proxy *p, int fd, enum source source, unsigned index, uint32_t events)
{
	struct epoll_event event = event_of(source, index, events);

	if (epoll_ctl(p->epoll, EPOLL_CTL_MOD, fd, &event))
		log_fatal("epoll_ctl", -errno);
}

static int token_valid(const char token[TOKEN_LENGTH])
{
	for (int i = 0; i < TOKEN_LENGTH; i++)
		if (!token[i] || !memchr("0123456789abcdef", token[i], 16))
			return 0;
	return 1;
}

/* From here on the barrier is open and questions are forwarded. */
static void go_live(struct proxy *p, const struct msg_live *live)
{
	if (!token_valid(live->token) || live->upstreams > UPSTREAMS_MAX)
		log_fatal("LIVE out of range", -EBADMSG);
	snprintf(p->barrier, sizeof(p->barrier), "attached version=%s token=%.*s bundle=%u", LW_VERSION, TOKEN_LENGTH,
		 live->token, live->bundle);
	p->upstreams.servers = live->upstreams;
	p->channel.state = ST_READY;
	p->live = 1;
}

/* 0, or -errno when the channel is of no use any more. */
static int channel_readable(struct proxy *p)
{
	struct received in;
	int got;

	while ((got = channel_receive(&p->channel, &in)) > 0) {
		if (in.m.h.type == MSG_LIVE)
			go_live(p, &in.m.live);
		else
			upstream_message(p, &in);
		received_drop(&in);
	}
	return got;
}

static int dispatch(struct proxy *p, const struct epoll_event *event)
{
	unsigned index = event->data.u32 & 0xffff;

	switch ((enum source)(event->data.u32 >> 16)) {
	case SOURCE_CHANNEL:
		return channel_readable(p);
	case SOURCE_UDP4:
		udp_readable(p, CLIENT_UDP4);
		break;
	case SOURCE_UDP6:
		udp_readable(p, CLIENT_UDP6);
		break;
	case SOURCE_TCP4:
		connection_accept(p, FD_PROXY_TCP4);
		break;
	case SOURCE_TCP6:
		connection_accept(p, FD_PROXY_TCP6);
		break;
	case SOURCE_CONNECTION:
		connection_event(p, index, event->events);
		break;
	case SOURCE_UPSTREAM_UDP:
		upstream_udp_event(p, index);
		break;
	case SOURCE_UPSTREAM_TCP:
		upstream_tcp_event(p, index, event->events);
		break;
	}
	return 0;
}

/* The channel makes sockets too, but they only read on such an event, and LIVE must not wait behind questions. */
static int accepts(const struct epoll_event *event)
{
	enum source source = (enum source)(event->data.u32 >> 16);

	return source == SOURCE_TCP4 || source == SOURCE_TCP6;
}

static int connected(const struct proxy *p)
{
	for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
		if (p->connections[i].used)
			return 1;
	return 0;
}

/* An idle proxy sleeps until something comes. */
static int patience(const struct proxy *p)
{
	if (p->due)
		return 0;
	if (p->flights.count)
		return TICK_MS;
	return connected(p) || !upstream_idle(p) ? SLOW_TICK_MS : -1;
}

static void tick(struct proxy *p)
{
	p->due = 0;
	relay_tick(p);
	connection_tick(p);
	upstream_tick(p);
}

/* One turn: what has come, then what time or an earlier step made due. */
static int turn(struct proxy *p, uint64_t *ticked_ns)
{
	struct epoll_event events[EVENTS_A_TURN];
	int count = epoll_wait(p->epoll, events, EVENTS_A_TURN, patience(p)), error = 0;

	if (count < 0 && errno != EINTR)
		log_fatal("epoll_wait", -errno);
	p->now = clock_ns();
	/* new clients come last: an older one's hang-up in this batch must not end who took its place */
	for (int i = 0; i < count && !error; i++)
		if (!accepts(&events[i]))
			error = dispatch(p, &events[i]);
	for (int i = 0; i < count && !error; i++)
		if (accepts(&events[i]))
			error = dispatch(p, &events[i]);
	if (!error && (p->due || p->now - *ticked_ns >= TICK_MS * NS_PER_MS)) {
		*ticked_ns = p->now;
		tick(p);
	}
	return error;
}

static int watch_all(struct proxy *p)
{
	int error = proxy_watch(p, FD_PROXY_ATTACHER, SOURCE_CHANNEL, 0, EPOLLIN);

	if (!error && p->families & 1)
		error = proxy_watch(p, FD_PROXY_UDP4, SOURCE_UDP4, 0, EPOLLIN);
	if (!error && p->families & 1)
		error = proxy_watch(p, FD_PROXY_TCP4, SOURCE_TCP4, 0, EPOLLIN);
	if (!error && p->families & 2)
		error = proxy_watch(p, FD_PROXY_UDP6, SOURCE_UDP6, 0, EPOLLIN);
	if (!error && p->families & 2)
		error = proxy_watch(p, FD_PROXY_TCP6, SOURCE_TCP6, 0, EPOLLIN);
	return error;
}

static void report(const struct proxy *p, int error)
{
	const struct counters *c = &p->count;

	log_event(error == -EPIPE ? LOG_INFO : LOG_ERROR, "proxy ends", log_int("slot", p->slot),
		  log_str("why", error == -EPIPE ? "its channel closed" : log_errno_text(error)),
		  log_int("queries", c->queries), log_int("barrier", c->barrier), log_int("forwarded", c->forwarded),
		  log_int("answered", c->answered), log_int("servfail", c->servfail), log_int("retries", c->retries),
		  log_int("malformed_queries", c->malformed), log_int("foreign_replies", c->foreign),
		  log_int("unsound_replies", c->unsound), log_int("refusals", c->refused), log_int("dropped", c->dropped));
}

int proxy_run(struct proxy *p, uint64_t slot, unsigned families)
{
	struct msg_hello hello = MESSAGE(HELLO, hello);
	uint64_t ticked_ns = 0;
	int error;

	p->slot = slot;
	p->families = families;
	p->epoll = FD_PROXY_EPOLL;
	p->channel = (struct channel){ FD_PROXY_ATTACHER, P_PROXY, P_ATTACHER, ST_NEW };
	error = watch_all(p);
	if (!error)
		error = channel_send(&p->channel, &hello, NULL);
	while (!error)
		error = turn(p, &ticked_ns);
	report(p, error);
	return error == -EPIPE ? 0 : 1;
}
