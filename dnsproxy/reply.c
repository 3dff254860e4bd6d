/* What an upstream's message is (reply.h). */
#include <string.h>
#include "packet.h"
#include "reply.h"

#define FLAG_TC 0x02

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

size_t reply_fit(uint8_t *bytes, size_t size, size_t question_end, size_t limit)
{
	if (size <= limit)
		return size;
	bytes[2] |= FLAG_TC;
	memset(bytes + 6, 0, 6);	/* no record is left */
	return question_end;
}
