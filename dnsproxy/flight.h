/*
 * The table of questions that wait for an upstream: bounded, found by socket
 * and id.  Run by the proxy.  Pure: memory only, no I/O, no clock.
 */
#ifndef LW_DNS_FLIGHT_H
#define LW_DNS_FLIGHT_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include "random.h"

#define FLIGHTS_MAX 256		/* questions in flight for one pod */
#define FLIGHT_TRIES 3		/* upstream queries for one client query, at most */
#define FLIGHT_BUCKETS 64

enum client_kind { CLIENT_UDP4, CLIENT_UDP6, CLIENT_TCP };

/* Whom an answer goes to: a datagram's sender and the address that it asked, or a connection. */
struct client {
	enum client_kind kind;
	unsigned connection;		/* CLIENT_TCP: index */
	union {
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} from;
	union {
		struct in_pktinfo v4;
		struct in6_pktinfo v6;
	} asked;
};

enum flight_kind { FLIGHT_UDP, FLIGHT_TCP };	/* how it is forwarded: as it was asked */

struct attempt {
	uint8_t live;
	uint8_t server;
	uint16_t id;
	uint16_t socket;	/* index in the upstream's table of this kind */
	uint16_t next;		/* in its bucket, + 1 */
	uint64_t sent_ns;
};

struct flight {
	uint8_t used;
	uint8_t kind;
	uint8_t tries;		/* attempts made, also those that failed at once */
	uint8_t tried;		/* bit a server */
	uint8_t waits;		/* server + 1 whose sockets were asked for; 0: none */
	uint8_t due;		/* something happened: try again now */
	uint16_t client_id;
	uint16_t question_end;
	uint16_t size;		/* of the query */
	uint16_t next_free;	/* + 1 */
	uint16_t udp_limit;
	uint64_t born_ns, act_ns;
	uint8_t *query;		/* its id is ours of the last attempt */
	struct client client;
	struct attempt attempts[FLIGHT_TRIES];
};

/* All zero is an empty table; memory beyond the highest flight ever used is never touched. */
struct flights {
	unsigned count, highest;
	uint16_t first_free;	/* + 1 */
	uint16_t buckets[FLIGHT_BUCKETS];	/* attempt number + 1: flight * FLIGHT_TRIES + attempt */
	struct flight all[FLIGHTS_MAX];
};

/* A new flight with a copy of the query, or NULL: table full, or memory out. */
struct flight *flight_new(struct flights *flights, enum flight_kind kind, const uint8_t *query, size_t size);

void flight_free(struct flights *flights, struct flight *flight);

/* An id that no live attempt has. */
uint16_t flight_unused_id(const struct flights *flights, struct random_stock *stock);

/* Record the next attempt: `id` went out on `socket`.  The flight has fewer than FLIGHT_TRIES. */
void flight_sent(struct flights *flights, struct flight *flight, unsigned server, unsigned socket, uint16_t id, uint64_t now);

/* No answer to this attempt is taken any more. */
void flight_attempt_end(struct flights *flights, struct flight *flight, struct attempt *attempt);

/* The flight that waits for `id` on this socket, or NULL; *attempt is which of its attempts. */
struct flight *flight_find(struct flights *flights, enum flight_kind kind, unsigned socket, uint16_t id,
			   struct attempt **attempt);

#endif
