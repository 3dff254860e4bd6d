/*
 * UDP sockets to servers: connected by the attacher, in the agent's network, on
 * random ports; a small pool a server, of which each question takes a random
 * one.  Run by the proxy's child; what comes in is hostile.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include "cleanup.h"
#include "proxy.h"

#define OLD_NS (30 * NS_PER_S)		/* a load balancer on the way keeps a socket on its backend, also a dead one */
#define AGEING_NS (25 * NS_PER_S)	/* then the next ones are asked for, so that no question waits for them */
#define FEW 2
#define DATAGRAMS_A_TURN 64

static int usable(const struct proxy *p, const struct upstream_udp *s, unsigned server)
{
	return s->used && s->server == server && !s->retired && p->now - s->born_ns < OLD_NS;
}

/* How many sockets this server has that may take a question, and how many of them will for a while. */
static unsigned count_usable(const struct proxy *p, unsigned server, unsigned *young)
{
	unsigned count = 0;

	*young = 0;
	for (unsigned i = 0; i < UDP_SOCKETS_MAX; i++) {
		const struct upstream_udp *s = &p->upstreams.udp[i];

		if (!usable(p, s, server))
			continue;
		count++;
		*young += p->now - s->born_ns < AGEING_NS;
	}
	return count;
}

static unsigned nth_usable(const struct proxy *p, unsigned server, unsigned n)
{
	unsigned i = 0;

	while (!usable(p, &p->upstreams.udp[i], server) || n--)
		i++;
	return i;
}

int upstream_udp_send(struct proxy *p, unsigned server, const uint8_t *bytes, size_t size)
{
	unsigned young, count = count_usable(p, server, &young), index;
	int asked = young < FEW ? upstream_ask(p, FLIGHT_UDP, server) : 0;
	struct upstream_udp *s;

	if (!count)
		return asked;
	index = nth_usable(p, server, random_below(&p->random, count));
	s = &p->upstreams.udp[index];
	if (send(s->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		int error = -errno;

		upstream_failed(p, server, "send", error);
		if (error != -EAGAIN && error != -ENOBUFS && error != -EMSGSIZE)
			upstream_udp_close(p, index);
		return error == -EAGAIN ? -ENOBUFS : error;
	}
	s->waiting++;
	return (int)index;
}

void upstream_udp_close(struct proxy *p, unsigned index)
{
	struct upstream_udp *s = &p->upstreams.udp[index];

	s->used = 0;
	close(s->fd);
	if (s->waiting)
		relay_socket_gone(p, FLIGHT_UDP, index);
}

/* A free place, else that of the oldest one. */
static unsigned place(struct proxy *p)
{
	unsigned oldest = 0;

	for (unsigned i = 0; i < UDP_SOCKETS_MAX; i++) {
		if (!p->upstreams.udp[i].used)
			return i;
		if (p->upstreams.udp[i].born_ns < p->upstreams.udp[oldest].born_ns)
			oldest = i;
	}
	upstream_udp_close(p, oldest);
	return oldest;
}

void upstream_udp_take(struct proxy *p, unsigned server, int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		unsigned index = place(p);

		if (proxy_watch(p, fds[i], SOURCE_UPSTREAM_UDP, index, EPOLLIN))
			continue;	/* not taken: the caller closes it */
		p->upstreams.udp[index] = (struct upstream_udp){ .used = 1, .fd = take_fd(&fds[i]),
								 .server = (uint8_t)server, .born_ns = p->now };
	}
}

void upstream_udp_event(struct proxy *p, unsigned index)
{
	struct upstream_udp *s = &p->upstreams.udp[index];

	for (int i = 0; i < DATAGRAMS_A_TURN && s->used; i++) {
		ssize_t size = recv(s->fd, p->packet, DATAGRAM_MAX, MSG_DONTWAIT);

		if (size < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (size < 0) {		/* ECONNREFUSED: an ICMP error came for this very socket */
			upstream_failed(p, s->server, "receive", -errno);
			upstream_udp_close(p, index);
			return;
		}
		relay_reply(p, FLIGHT_UDP, index, p->packet, (size_t)size);
	}
}

void upstream_udp_tick(struct proxy *p)
{
	for (unsigned i = 0; i < UDP_SOCKETS_MAX; i++) {
		struct upstream_udp *s = &p->upstreams.udp[i];

		if (s->used && !s->waiting && (s->retired || p->now - s->born_ns >= OLD_NS))
			upstream_udp_close(p, i);
	}
}
