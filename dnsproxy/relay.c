/*
 * What becomes of a question: answered here, or forwarded, tried again, and in
 * the end always answered.  Run by the proxy's child.  Every byte of a client
 * passes query.c and every byte of an upstream reply.c before it goes on.
 */
#define _GNU_SOURCE
#include <errno.h>
#include "log.h"
#include "proxy.h"
#include "reply.h"

#define TRY_UDP_NS NS_PER_S
#define TRY_TCP_NS (3 * NS_PER_S / 2)	/* a connection has its handshake to make */
#define GIVE_UP_NS (4600 * NS_PER_MS)	/* stub resolvers give up after 5 s: they shall hear it from us */

static void answer(struct proxy *p, const struct client *client, const uint8_t *bytes, size_t size)
{
	if (client->kind == CLIENT_TCP)
		connection_answer(p, client->connection, bytes, size);
	else
		udp_answer(p, client, bytes, size);
}

static void answer_local(struct proxy *p, const struct client *client, const struct query *query, unsigned rcode,
			 const char *text)
{
	uint8_t bytes[PACKET_LOCAL_MAX];
	size_t size = packet_answer(bytes, query, rcode, text);

	if (rcode == RCODE_SERVFAIL)
		p->count.servfail++;
	if (size)
		answer(p, client, bytes, size);
	else
		p->count.dropped++;
}

/* The flight is over: its sockets and its connection hear of it. */
static void end(struct proxy *p, struct flight *f)
{
	for (unsigned i = 0; i < FLIGHT_TRIES; i++) {
		struct attempt *a = &f->attempts[i];
		unsigned socket = a->socket;

		if (!a->live)
			continue;
		flight_attempt_end(&p->flights, f, a);
		upstream_release(p, (enum flight_kind)f->kind, socket);
	}
	if (f->client.kind == CLIENT_TCP)
		connection_settled(p, f->client.connection);
	flight_free(&p->flights, f);
}

static void give_up(struct proxy *p, struct flight *f)
{
	struct query query;

	wire_put16(f->query, f->client_id);
	query_read(f->query, f->size, &query);
	answer_local(p, &f->client, &query, RCODE_SERVFAIL, NULL);
	end(p, f);
}

static int waits_for_answer(const struct flight *f)
{
	for (unsigned i = 0; i < FLIGHT_TRIES; i++)
		if (f->attempts[i].live)
			return 1;
	return 0;
}

static void count_try(struct flight *f, unsigned server)
{
	f->tries++;
	f->tried |= (uint8_t)(1u << server);
}

/* One try at `server`.  0: it is under way, or the attacher was asked.  -1: another one. */
static int try_server(struct proxy *p, struct flight *f, unsigned server)
{
	uint16_t id = flight_unused_id(&p->flights, &p->random);
	int socket;

	wire_put16(f->query, id);
	socket = upstream_send(p, (enum flight_kind)f->kind, server, f->query, f->size);
	f->waits = socket == -EAGAIN ? (uint8_t)(server + 1) : 0;
	f->act_ns = p->now + (f->kind == FLIGHT_TCP ? TRY_TCP_NS : TRY_UDP_NS);
	if (socket == -EAGAIN)
		return 0;
	p->count.retries += f->tries > 0;
	count_try(f, server);
	if (socket < 0)
		return -1;
	flight_sent(&p->flights, f, server, (unsigned)socket, id, p->now);
	return 0;
}

/* Try until something is under way; when no try is left, wait for what is, or give up. */
static void try_on(struct proxy *p, struct flight *f)
{
	f->due = 0;
	while (f->tries < FLIGHT_TRIES) {
		int server = upstream_choose(p, f->tried, f->tries);

		if (server < 0)
			break;
		if (!try_server(p, f, (unsigned)server))
			return;
	}
	f->waits = 0;
	f->act_ns = f->born_ns + GIVE_UP_NS;
	if (!waits_for_answer(f))
		give_up(p, f);
}

static void forward(struct proxy *p, const struct client *client, const struct query *query)
{
	enum flight_kind kind = client->kind == CLIENT_TCP ? FLIGHT_TCP : FLIGHT_UDP;
	struct flight *f = NULL;

	if (kind == FLIGHT_UDP || connection_has_room(p, client->connection))
		f = flight_new(&p->flights, kind, query->bytes, query->size);
	if (!f) {
		answer_local(p, client, query, RCODE_SERVFAIL, NULL);
		return;
	}
	p->count.forwarded++;
	f->client = *client;
	f->born_ns = p->now;
	f->question_end = (uint16_t)query->shape.question_end;
	f->udp_limit = (uint16_t)query_udp_limit(query);
	if (kind == FLIGHT_TCP)
		connection_asked(p, client->connection);
	try_on(p, f);
}

/* The barrier's name: this proxy's own state and nothing else. */
static void answer_barrier(struct proxy *p, const struct client *client, const struct query *query)
{
	int asked = query->shape.type == TYPE_TXT && query->shape.class == CLASS_IN;

	p->count.barrier++;
	answer_local(p, client, query, RCODE_NOERROR, asked ? p->barrier : NULL);
}

void relay_query(struct proxy *p, const struct client *client, const uint8_t *bytes, size_t size)
{
	struct query query;
	enum query_verdict verdict = query_read(bytes, size, &query);

	p->count.queries++;
	p->count.malformed += verdict == QUERY_SILENT || verdict == QUERY_FORMERR;
	if (verdict == QUERY_SILENT)
		return;
	if (verdict == QUERY_FORMERR)
		answer_local(p, client, &query, RCODE_FORMERR, NULL);
	else if (verdict == QUERY_NOTIMP)
		answer_local(p, client, &query, RCODE_NOTIMP, NULL);
	else if (!p->live)
		answer_local(p, client, &query, RCODE_SERVFAIL, NULL);
	else if (verdict == QUERY_BARRIER)
		answer_barrier(p, client, &query);
	else
		forward(p, client, &query);
}

/* The server won't answer this try: the next one may. */
static void refused(struct proxy *p, struct flight *f, struct attempt *a)
{
	unsigned socket = a->socket;

	p->count.refused++;
	flight_attempt_end(&p->flights, f, a);
	upstream_release(p, (enum flight_kind)f->kind, socket);
	f->due = 1;
	p->due = 1;
}

/* A datagram that does not pass is dropped and the real one still awaited. */
void relay_reply(struct proxy *p, enum flight_kind kind, unsigned socket, uint8_t *bytes, size_t size)
{
	struct attempt *a;
	struct flight *f = size < WIRE_HEADER ? NULL :
		flight_find(&p->flights, kind, socket, wire_id(bytes), &a);

	if (f && reply_refuses(bytes, size, a->id)) {
		refused(p, f, a);
		return;
	}
	if (!f || !reply_matches(bytes, size, f->query, f->question_end, a->id)) {
		p->count.foreign++;
		return;
	}
	if (!reply_sound(bytes, size)) {
		p->count.unsound++;
		return;
	}
	upstream_heard(p, kind, socket);
	reply_restore(bytes, f->query, f->question_end, f->client_id);
	if (kind == FLIGHT_UDP)
		size = reply_fit(bytes, size, f->question_end, f->udp_limit);
	p->count.answered++;
	answer(p, &f->client, bytes, size);
	end(p, f);
}

void relay_socket_gone(struct proxy *p, enum flight_kind kind, unsigned socket)
{
	for (unsigned i = 0; i < p->flights.highest; i++) {
		struct flight *f = &p->flights.all[i];

		for (unsigned k = 0; f->used && f->kind == kind && k < FLIGHT_TRIES; k++) {
			if (!f->attempts[k].live || f->attempts[k].socket != socket)
				continue;
			flight_attempt_end(&p->flights, f, &f->attempts[k]);
			f->due = 1;
			p->due = 1;
		}
	}
}

void relay_sockets(struct proxy *p, enum flight_kind kind, unsigned server, int error)
{
	for (unsigned i = 0; i < p->flights.highest; i++) {
		struct flight *f = &p->flights.all[i];

		if (!f->used || f->kind != kind || f->waits != server + 1)
			continue;
		if (error)
			count_try(f, server);
		f->waits = 0;
		f->due = 1;
		p->due = 1;
	}
}

void relay_client_gone(struct proxy *p, unsigned connection)
{
	for (unsigned i = 0; i < p->flights.highest; i++) {
		struct flight *f = &p->flights.all[i];

		if (f->used && f->client.kind == CLIENT_TCP && f->client.connection == connection)
			end(p, f);
	}
}

/* Its time is over: whom it waited for hears of it. */
static void timed_out(struct proxy *p, struct flight *f)
{
	const struct attempt *last = NULL;

	if (f->waits) {
		count_try(f, f->waits - 1u);
		f->waits = 0;
		return;
	}
	for (unsigned i = 0; i < FLIGHT_TRIES; i++)
		if (f->attempts[i].live && (!last || f->attempts[i].sent_ns > last->sent_ns))
			last = &f->attempts[i];
	if (last)
		upstream_silent(p, (enum flight_kind)f->kind, last->socket, last->sent_ns);
}

void relay_tick(struct proxy *p)
{
	for (unsigned i = 0; i < p->flights.highest; i++) {
		struct flight *f = &p->flights.all[i];

		if (!f->used)
			continue;
		if (f->waits)
			upstream_ask(p, (enum flight_kind)f->kind, f->waits - 1u);	/* rate-bounded there */
		if (p->now - f->born_ns >= GIVE_UP_NS) {
			timed_out(p, f);
			give_up(p, f);
		} else if (f->due) {
			try_on(p, f);
		} else if (p->now >= f->act_ns) {
			timed_out(p, f);
			try_on(p, f);
		}
	}
}
