/* What an upstream's message is (reply.h). */
#include <string.h>
#include "packet.h"
#include "reply.h"

#define FLAG_TC 0x02
#define OPT_BYTES 11

int reply_matches(const uint8_t *bytes, size_t size, const uint8_t *query, size_t question_end, uint16_t id)
{
	size_t name = question_end - WIRE_HEADER - 4;

	if (size < question_end || wire_id(bytes) != id || !wire_is_answer(bytes))
		return 0;
	if (wire_opcode(bytes) != wire_opcode(query) || wire_get16(bytes + 4) != 1)
		return 0;
	/* label lengths are below 'A', so comparing bytes without case compares labels too */
	return wire_same_name(bytes + WIRE_HEADER, query + WIRE_HEADER, name) &&
	       !memcmp(bytes + question_end - 4, query + question_end - 4, 4);
}

int reply_refuses(const uint8_t *bytes, size_t size, uint16_t id)
{
	static const uint8_t no_records[8];

	return size == WIRE_HEADER && wire_id(bytes) == id && wire_is_answer(bytes) && !wire_opcode(bytes) &&
	       bytes[3] & 0x0f && !memcmp(bytes + 4, no_records, sizeof(no_records));
}

int reply_sound(const uint8_t *bytes, size_t size)
{
	struct wire_shape shape;

	return !wire_walk(bytes, size, &shape) && shape.opts <= 1 && packet_walkable(bytes, size);
}

void reply_restore(uint8_t *bytes, const uint8_t *query, size_t question_end, uint16_t client_id)
{
	wire_put16(bytes, client_id);
	memcpy(bytes + WIRE_HEADER, query + WIRE_HEADER, question_end - WIRE_HEADER);
}

/* Its OPT without options: the upper bits of the rcode stand there, and DNSSEC's flag.  Returns the size. */
static size_t put_opt(uint8_t *bytes, size_t at, const struct wire_shape *shape)
{
	uint8_t *opt = bytes + at;

	memset(opt, 0, OPT_BYTES);
	opt[2] = TYPE_OPT;
	wire_put16(opt + 3, shape->udp_size);
	opt[5] = shape->extended_rcode;
	opt[7] = (uint8_t)(shape->edns_do << 7);
	wire_put16(bytes + 10, 1);
	return at + OPT_BYTES;
}

size_t reply_fit(uint8_t *bytes, size_t size, size_t question_end, size_t limit)
{
	struct wire_shape shape;

	if (size <= limit)
		return size;
	if (wire_walk(bytes, size, &shape))
		shape.opts = 0;
	bytes[2] |= FLAG_TC;
	memset(bytes + 6, 0, 6);	/* no record is left */
	return shape.opts && limit >= question_end + OPT_BYTES ? put_opt(bytes, question_end, &shape) : question_end;
}
