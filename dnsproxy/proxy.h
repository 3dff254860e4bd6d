/*
 * One pod's proxy: everything that a child knows, in one struct, and what its
 * parts call in each other.  Run by the zygote's children, one a pod.
 *
 *   udp.c, connection.c   clients: bytes in, bytes out
 *   relay.c               a question: answered here, forwarded, tried again, given up
 *   upstream*.c           servers, and the sockets to them that the attacher makes
 *   proxy.c               the loop, the channel
 */
#ifndef LW_DNS_PROXY_H
#define LW_DNS_PROXY_H

#include "channel.h"
#include "clock.h"
#include "flight.h"
#include "frame.h"
#include "packet.h"
#include "query.h"

#define TICK_MS 50			/* how exactly time is kept while something waits */
#define CONNECTIONS_MAX 64		/* TCP clients of one pod */
#define UDP_SOCKETS_MAX 64		/* to all servers, old ones that still wait for an answer included */
#define TCP_SOCKETS_MAX 12
#define DATAGRAM_MAX 65535

/* What an epoll event is about: source in the upper half, index in the lower. */
enum source { SOURCE_CHANNEL = 1, SOURCE_UDP4, SOURCE_UDP6, SOURCE_TCP4, SOURCE_TCP6, SOURCE_CONNECTION,
	      SOURCE_UPSTREAM_UDP, SOURCE_UPSTREAM_TCP };

/* A TCP client. */
struct connection {
	int used, fd;
	int ended;		/* it sends no more; what it asked is still answered */
	int broken;		/* an answer was dropped: to be shut at the turn's end */
	unsigned pending;	/* questions in flight */
	uint32_t events;	/* what epoll watches */
	uint64_t active_ns;	/* last whole message in or byte out */
	uint64_t moved_ns;	/* last question that began or ended its flight */
	uint64_t unread_ns;	/* since when the first `unread` bytes of `out` wait */
	size_t unread;
	struct frame_buffer in, out;
};

struct upstream_udp {
	int used, fd;
	uint8_t server;
	uint8_t retired;	/* no new questions; open while an answer may come */
	unsigned waiting;
	uint64_t born_ns, heard_ns;
};

struct upstream_tcp {
	int used, fd;
	uint8_t server;
	uint8_t retired;
	unsigned waiting;
	uint32_t events;
	uint64_t active_ns, heard_ns;
	struct frame_buffer in, out;
};

struct server {
	uint64_t failing_until, logged_ns, heard_ns;
	uint64_t asked_ns[2], refused_until[2];	/* by enum flight_kind */
	uint8_t asking[2];
	unsigned failures;
};

struct upstreams {
	unsigned servers;
	struct server server[UPSTREAMS_MAX];
	struct upstream_udp udp[UDP_SOCKETS_MAX];
	struct upstream_tcp tcp[TCP_SOCKETS_MAX];
};

/* For the last line of a child's log. */
struct counters {
	uint64_t queries, barrier, forwarded, answered, servfail, malformed, foreign, unsound, refused, retries, dropped;
};

struct proxy {
	struct channel channel;
	uint64_t slot;
	unsigned families;
	int epoll;
	int live;		/* before LIVE everything is answered with SERVFAIL */
	int due;		/* a flight wants relay_tick() now */
	uint64_t now;
	char barrier[PACKET_TEXT_MAX];
	struct random_stock random;
	struct counters count;
	struct connection connections[CONNECTIONS_MAX];
	struct upstreams upstreams;
	struct flights flights;
	uint8_t packet[FRAME_PREFIX + DATAGRAM_MAX + 1];
};

/* proxy.c */
int proxy_watch(struct proxy *p, int fd, enum source source, unsigned index, uint32_t events);
void proxy_rewatch(struct proxy *p, int fd, enum source source, unsigned index, uint32_t events);
/* Serve one pod until the channel ends.  Descriptors 3 to 8 are in place.  The exit status. */
int proxy_run(struct proxy *p, uint64_t slot, unsigned families);

/* udp.c */
void udp_readable(struct proxy *p, enum client_kind kind);
void udp_answer(struct proxy *p, const struct client *client, const uint8_t *bytes, size_t size);

/* connection.c */
void connection_accept(struct proxy *p, int listener);
void connection_event(struct proxy *p, unsigned index, uint32_t events);
void connection_answer(struct proxy *p, unsigned index, const uint8_t *bytes, size_t size);
/* May one more of its questions be in flight? */
int connection_has_room(const struct proxy *p, unsigned index);
/* One of its questions is in flight; no longer. */
void connection_asked(struct proxy *p, unsigned index);
void connection_settled(struct proxy *p, unsigned index);
void connection_tick(struct proxy *p);

/* relay.c */
void relay_query(struct proxy *p, const struct client *client, const uint8_t *bytes, size_t size);
void relay_reply(struct proxy *p, enum flight_kind kind, unsigned socket, uint8_t *bytes, size_t size);
/* The socket is closed: nothing more will come on it. */
void relay_socket_gone(struct proxy *p, enum flight_kind kind, unsigned socket);
/* What was asked of the attacher has come, or (error) won't. */
void relay_sockets(struct proxy *p, enum flight_kind kind, unsigned server, int error);
void relay_client_gone(struct proxy *p, unsigned connection);
void relay_tick(struct proxy *p);

/* upstream.c */
/* Which server next, when those of the mask `tried` have been; -1: there is none at all. */
int upstream_choose(const struct proxy *p, unsigned tried, unsigned tries);
/*
 * Send to this server.  The socket's index; -EAGAIN: the attacher was asked for
 * sockets, relay_sockets() will tell; another -errno: not now.
 */
int upstream_send(struct proxy *p, enum flight_kind kind, unsigned server, const uint8_t *bytes, size_t size);
/* An attempt on this socket is over, with an answer or without. */
void upstream_release(struct proxy *p, enum flight_kind kind, unsigned socket);
/* Nothing came in time to what was sent at sent_ns. */
void upstream_silent(struct proxy *p, enum flight_kind kind, unsigned socket, uint64_t sent_ns);
void upstream_failed(struct proxy *p, unsigned server, const char *what, int error);
/* A reply that passed every check came on this socket. */
void upstream_heard(struct proxy *p, enum flight_kind kind, unsigned socket);
void upstream_message(struct proxy *p, struct received *in);
int upstream_ask(struct proxy *p, enum flight_kind kind, unsigned server);
int upstream_idle(const struct proxy *p);
void upstream_tick(struct proxy *p);

/* upstream_udp.c */
int upstream_udp_send(struct proxy *p, unsigned server, const uint8_t *bytes, size_t size);
void upstream_udp_take(struct proxy *p, unsigned server, int *fds, unsigned count);
void upstream_udp_event(struct proxy *p, unsigned index);
void upstream_udp_close(struct proxy *p, unsigned index);
void upstream_udp_tick(struct proxy *p);

/* upstream_tcp.c */
int upstream_tcp_send(struct proxy *p, unsigned server, const uint8_t *bytes, size_t size);
void upstream_tcp_take(struct proxy *p, unsigned server, int *fd);
void upstream_tcp_event(struct proxy *p, unsigned index, uint32_t events);
void upstream_tcp_close(struct proxy *p, unsigned index);
void upstream_tcp_tick(struct proxy *p);

#endif
