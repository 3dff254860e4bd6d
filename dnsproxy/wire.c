/*
 * The walker (wire.h).  Every offset is compared with the size before it is
 * read; a pointer may only lead further back than the last one, so every name
 * ends.
 */
#include "wire.h"

#define RECORD_FIXED 10		/* type, class, TTL, length */

/* Offset after the name at `at`, 0 for a bad one. */
static size_t name_end(const uint8_t *bytes, size_t size, size_t at, int pointers)
{
	size_t end = 0, limit = at, total = 0;

	while (at < size) {
		unsigned length = bytes[at];

		if ((length & 0xc0) == 0xc0) {
			size_t target;

			if (!pointers || size - at < 2)
				return 0;
			target = wire_get16(bytes + at) & 0x3fff;
			end = end ? end : at + 2;
			if (target < WIRE_HEADER || target >= limit)
				return 0;
			limit = at = target;
			continue;
		}
		total += length + 1;
		if (length & 0xc0 || total > WIRE_NAME_MAX)
			return 0;
		at += length + 1;
		if (!length)
			return end ? end : at;
	}
	return 0;
}

int wire_question(const uint8_t *bytes, size_t size, struct wire_shape *shape)
{
	size_t end;

	if (size < WIRE_HEADER || wire_get16(bytes + 4) != 1)
		return -1;
	end = name_end(bytes, size, WIRE_HEADER, 0);
	if (!end || size - end < 4)
		return -1;
	*shape = (struct wire_shape){ .question_end = end + 4, .type = wire_get16(bytes + end),
				      .class = wire_get16(bytes + end + 2) };
	return 0;
}

static void note_opt(const uint8_t *fixed, struct wire_shape *shape)
{
	shape->opts++;
	shape->udp_size = wire_get16(fixed + 2);
	shape->edns_do = fixed[6] >> 7;
}

/* Offset after the record at `at`, 0 for a bad one. */
static size_t record_end(const uint8_t *bytes, size_t size, size_t at, struct wire_shape *shape)
{
	size_t fixed = name_end(bytes, size, at, 1), length;

	if (!fixed || size - fixed < RECORD_FIXED)
		return 0;
	length = wire_get16(bytes + fixed + 8);
	if (size - fixed - RECORD_FIXED < length)
		return 0;
	if (wire_get16(bytes + fixed) == TYPE_OPT)
		note_opt(bytes + fixed, shape);
	return fixed + RECORD_FIXED + length;
}

int wire_walk(const uint8_t *bytes, size_t size, struct wire_shape *shape)
{
	unsigned records;
	size_t at;

	if (wire_question(bytes, size, shape))
		return -1;
	records = (unsigned)wire_get16(bytes + 6) + wire_get16(bytes + 8) + wire_get16(bytes + 10);
	for (at = shape->question_end; records; records--) {
		at = record_end(bytes, size, at, shape);
		if (!at)
			return -1;
	}
	return at == size ? 0 : -1;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

int wire_same_name(const uint8_t *a, const uint8_t *b, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (lower(a[i]) != lower(b[i]))
			return 0;
	return 1;
}
