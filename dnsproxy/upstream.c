/*
 * Servers: which one next, which ones fail, and asking the attacher for sockets
 * to them.  Run by the proxy's child.  It never makes a socket itself and names
 * a server by its number only.
 */
#define _GNU_SOURCE
#include <errno.h>
#include "cleanup.h"
#include "log.h"
#include "proxy.h"

#define FAILING_NS (5 * NS_PER_S)	/* then it is tried first again */
#define ASK_EVERY_NS (250 * NS_PER_MS)	/* sockets of one kind to one server: the attacher bounds it too */
#define ASK_LOST_NS (2 * NS_PER_S)
#define REFUSED_NS NS_PER_S
#define LOG_EVERY_NS (10 * NS_PER_S)

static int failing(const struct proxy *p, unsigned server)
{
	return p->now < p->upstreams.server[server].failing_until;
}

int upstream_choose(const struct proxy *p, unsigned tried, unsigned tries)
{
	unsigned servers = p->upstreams.servers;

	for (int also_failing = 0; also_failing < 2; also_failing++)
		for (unsigned i = 0; i < servers; i++)
			if (!(tried >> i & 1) && (also_failing || !failing(p, i)))
				return (int)i;
	for (unsigned i = 0; i < servers; i++)
		if (!failing(p, i))
			return (int)i;
	return servers ? (int)(tries % servers) : -1;
}

int upstream_send(struct proxy *p, enum flight_kind kind, unsigned server, const uint8_t *bytes, size_t size)
{
	return kind == FLIGHT_UDP ? upstream_udp_send(p, server, bytes, size) : upstream_tcp_send(p, server, bytes, size);
}

int upstream_ask(struct proxy *p, enum flight_kind kind, unsigned server)
{
	struct msg_upstream_ask ask = MESSAGE(UPSTREAM_ASK, upstream_ask);
	struct server *s = &p->upstreams.server[server];

	if (p->now < s->refused_until[kind])
		return -ECONNREFUSED;
	if (s->asked_ns[kind] && p->now - s->asked_ns[kind] < (s->asking[kind] ? ASK_LOST_NS : ASK_EVERY_NS))
		return -EAGAIN;
	ask.kind = kind == FLIGHT_UDP ? UPSTREAM_KIND_UDP : UPSTREAM_KIND_TCP;
	ask.server = (uint8_t)server;
	if (channel_send(&p->channel, &ask, NULL))
		return -EAGAIN;		/* it does not read just now; the next tick asks again */
	s->asked_ns[kind] = p->now;
	s->asking[kind] = 1;
	return -EAGAIN;
}

void upstream_failed(struct proxy *p, unsigned server, const char *what, int error)
{
	struct server *s = &p->upstreams.server[server];

	s->failing_until = p->now + FAILING_NS;
	s->failures++;
	if (s->logged_ns && p->now - s->logged_ns < LOG_EVERY_NS)
		return;
	s->logged_ns = p->now;
	log_event(LOG_WARNING, "upstream fails", log_int("slot", p->slot), log_int("server", server),
		  log_str("what", what), log_errno(error), log_int("failures", s->failures));
}

void upstream_heard(struct proxy *p, enum flight_kind kind, unsigned socket)
{
	struct upstreams *u = &p->upstreams;
	struct server *s = &u->server[kind == FLIGHT_UDP ? u->udp[socket].server : u->tcp[socket].server];

	*(kind == FLIGHT_UDP ? &u->udp[socket].heard_ns : &u->tcp[socket].heard_ns) = p->now;
	s->heard_ns = p->now;
	s->failing_until = 0;
}

/* A slow name is no fault of a server that answered others meanwhile; else socket and server are given up on. */
void upstream_silent(struct proxy *p, enum flight_kind kind, unsigned socket, uint64_t sent_ns)
{
	struct upstreams *u = &p->upstreams;
	unsigned server = kind == FLIGHT_UDP ? u->udp[socket].server : u->tcp[socket].server;

	if (kind == FLIGHT_UDP && u->udp[socket].heard_ns <= sent_ns)
		u->udp[socket].retired = 1;
	if (kind == FLIGHT_TCP && u->tcp[socket].heard_ns <= sent_ns)
		u->tcp[socket].retired = 1;
	if (u->server[server].heard_ns <= sent_ns)
		upstream_failed(p, server, "no answer", -ETIMEDOUT);
}

void upstream_release(struct proxy *p, enum flight_kind kind, unsigned socket)
{
	struct upstreams *u = &p->upstreams;

	if (kind == FLIGHT_UDP) {
		u->udp[socket].waiting--;
		if (u->udp[socket].retired && !u->udp[socket].waiting)
			upstream_udp_close(p, socket);
	} else {
		u->tcp[socket].waiting--;
		if (u->tcp[socket].retired && !u->tcp[socket].waiting)
			upstream_tcp_close(p, socket);
	}
}

static void take(struct proxy *p, enum flight_kind kind, unsigned server, struct received *in)
{
	p->upstreams.server[server].asking[kind] = 0;
	if (kind == FLIGHT_UDP)
		upstream_udp_take(p, server, in->fds, in->fd_count);
	else
		upstream_tcp_take(p, server, &in->fds[0]);
	relay_sockets(p, kind, server, 0);
}

static void none(struct proxy *p, const struct msg_upstream_none *m)
{
	enum flight_kind kind = m->kind == UPSTREAM_KIND_TCP ? FLIGHT_TCP : FLIGHT_UDP;
	struct server *s = &p->upstreams.server[m->server];

	s->asking[kind] = 0;
	if (m->error == -EAGAIN) {	/* asked too often: who waits goes on waiting, the next ask comes in a while */
		s->asked_ns[kind] = p->now;
		return;
	}
	s->refused_until[kind] = p->now + REFUSED_NS;
	upstream_failed(p, m->server, "no socket", m->error);
	relay_sockets(p, kind, m->server, m->error ? m->error : -EIO);
}

void upstream_message(struct proxy *p, struct received *in)
{
	/* the number stands at another place in each message: first its range, then its use */
	unsigned server = in->m.h.type == MSG_UPSTREAM_UDP ? in->m.upstream_udp.server :
			  in->m.h.type == MSG_UPSTREAM_TCP ? in->m.upstream_tcp.server : in->m.upstream_none.server;

	if (server >= p->upstreams.servers)
		log_fatal("the attacher named a server that does not exist", -EBADMSG);
	if (in->m.h.type == MSG_UPSTREAM_UDP)
		take(p, FLIGHT_UDP, server, in);
	else if (in->m.h.type == MSG_UPSTREAM_TCP)
		take(p, FLIGHT_TCP, server, in);
	else
		none(p, &in->m.upstream_none);
}

int upstream_idle(const struct proxy *p)
{
	for (unsigned i = 0; i < UDP_SOCKETS_MAX; i++)
		if (p->upstreams.udp[i].used)
			return 0;
	for (unsigned i = 0; i < TCP_SOCKETS_MAX; i++)
		if (p->upstreams.tcp[i].used)
			return 0;
	return 1;
}

void upstream_tick(struct proxy *p)
{
	upstream_udp_tick(p);
	upstream_tcp_tick(p);
}
