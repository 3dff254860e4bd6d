/* What a client's message is (query.h). */
#include <string.h>
#include "packet.h"
#include "query.h"

static const uint8_t barrier_name[] = "\012_leitwacht\010attached\005local";	/* ends with the root's zero */

static int is_barrier(const struct query *q)
{
	return q->shape.question_end == WIRE_HEADER + sizeof(barrier_name) + 4 &&
	       wire_same_name(q->bytes + WIRE_HEADER, barrier_name, sizeof(barrier_name));
}

/* A question has no answer and no authority, at most one OPT, and nothing that can't be walked. */
static int well_formed(struct query *q)
{
	struct wire_shape shape;

	if (wire_walk(q->bytes, q->size, &shape) || shape.opts > 1)
		return 0;
	if (wire_get16(q->bytes + 6) || wire_get16(q->bytes + 8))
		return 0;
	q->shape = shape;
	return packet_walkable(q->bytes, q->size);
}

enum query_verdict query_read(const uint8_t *bytes, size_t size, struct query *out)
{
	*out = (struct query){ .bytes = bytes, .size = size };
	if (size < WIRE_HEADER || wire_is_answer(bytes))
		return QUERY_SILENT;
	if (wire_opcode(bytes))
		return QUERY_NOTIMP;
	if (size > QUERY_MAX || wire_question(bytes, size, &out->shape))
		return QUERY_FORMERR;
	if (out->shape.type == TYPE_AXFR || out->shape.type == TYPE_IXFR)
		return QUERY_NOTIMP;	/* many messages for one question: not a resolver's work */
	if (!well_formed(out))
		return QUERY_FORMERR;
	return is_barrier(out) ? QUERY_BARRIER : QUERY_FORWARD;
}

size_t query_udp_limit(const struct query *query)
{
	return query->shape.udp_size > WIRE_UDP_PLAIN ? query->shape.udp_size : WIRE_UDP_PLAIN;
}
