/* The walker, alone and against ldns. */
#include <stdio.h>
#include "unit.h"
#include "dns_bytes.h"
#include "../../dnsproxy/packet.h"
#include "../../dnsproxy/wire.h"

static struct wire_shape shape;

static int walk(struct bytes b)
{
	int result = wire_walk(b.at, b.size, &shape);

	free(b.at);
	return result;
}

START_TEST(walks_what_is_sound)
{
	ck_assert_int_eq(walk(BYTES(QUERY)), 0);
	ck_assert_uint_eq(shape.question_end, sizeof(QUERY) - 1);
	ck_assert_uint_eq(shape.opts, 0);
	ck_assert_int_eq(walk(BYTES(ANSWER)), 0);
	ck_assert_uint_eq(shape.type, 1);
	ck_assert_uint_eq(shape.class, 1);
	ck_assert_uint_eq(shape.opts, 1);
	ck_assert_uint_eq(shape.udp_size, 1232);
	ck_assert_uint_eq(shape.edns_do, 1);
	ck_assert_int_eq(walk(BYTES(HEADER("\0\1", "\1\0", "\1", "\0", "\0", "\0") "\0\0\2\0\1")), 0);	/* the root */
}
END_TEST

START_TEST(refuses_every_shorter_message)
{
	for (size_t size = 0; size < sizeof(ANSWER) - 1; size++)
		ck_assert_int_eq(walk(bytes_copy(ANSWER, size)), -1);
}
END_TEST

START_TEST(refuses_one_byte_more)
{
	ck_assert_int_eq(walk(BYTES(ANSWER "x")), -1);
	ck_assert_int_eq(walk(BYTES(QUERY "\0")), -1);
}
END_TEST

START_TEST(pointers_lead_back_only)
{
#define POINTING(where) HEADER("\0\1", "\x81\x80", "\1", "\1", "\0", "\0") QUESTION where "\0\1\0\1\0\0\0\0\0\4\1\2\3\4"
	ck_assert_int_eq(walk(BYTES(POINTING("\xc0\x0c"))), 0);
	ck_assert_int_eq(walk(BYTES(POINTING("\xc0\x10"))), 0);		/* into the middle of the question's name */
	ck_assert_int_eq(walk(BYTES(POINTING("\1a\xc0\x0c"))), 0);
	ck_assert_int_eq(walk(BYTES(POINTING("\xc0\x21"))), -1);	/* to itself */
	ck_assert_int_eq(walk(BYTES(POINTING("\1a\xc0\x21"))), -1);	/* a loop through a label */
	ck_assert_int_eq(walk(BYTES(POINTING("\xc0\x0b"))), -1);	/* the header */
	ck_assert_int_eq(walk(BYTES(POINTING("\xff\xff"))), -1);
	ck_assert_int_eq(walk(BYTES(POINTING("\x40" "a\0"))), -1);
	ck_assert_int_eq(walk(BYTES(POINTING("\x80" "a\0"))), -1);
}
END_TEST

static struct bytes long_name(unsigned labels, unsigned last)
{
	uint8_t all[600] = HEADER("\0\1", "\1\0", "\1", "\0", "\0", "\0");
	size_t at = WIRE_HEADER;

	for (unsigned i = 0; i < labels; i++, at += 64)
		memset(all + at, 63, 64);
	memset(all + at, (int)last, last + 1);
	at += last ? last + 1 : 0;
	memcpy(all + at, "\0\0\1\0\1", 5);
	return bytes_copy(all, at + 5);
}

START_TEST(names_have_a_bound)
{
	ck_assert_int_eq(walk(long_name(3, 61)), 0);	/* 3 * 64 + 62 + 1 = 255 */
	ck_assert_uint_eq(shape.question_end, WIRE_QUESTION_MAX);
	ck_assert_int_eq(walk(long_name(3, 62)), -1);
	ck_assert_int_eq(walk(long_name(4, 0)), -1);
}
END_TEST

START_TEST(counts_are_believed_only_if_true)
{
	for (unsigned at = 4; at < 12; at++)
		for (unsigned value = 0; value < 256; value++) {
			struct bytes b = BYTES(ANSWER);
			int same = b.at[at] == value;

			b.at[at] = (uint8_t)value;
			ck_assert_int_eq(walk(b), same ? 0 : -1);
		}
}
END_TEST

START_TEST(same_name)
{
	ck_assert(wire_same_name((const uint8_t *)"\3WwW", (const uint8_t *)"\3wWw", 4));
	ck_assert(!wire_same_name((const uint8_t *)"\3ww[", (const uint8_t *)"\3ww{", 4));
	ck_assert(!wire_same_name((const uint8_t *)"\3www", (const uint8_t *)"\2www", 4));
}
END_TEST

/* What ldns can't decode, the walker may pass (it looks at no rdata); what both refuse or pass is the rule. */
START_TEST(against_ldns)
{
	unsigned both = 0, walker_only = 0;

	srandom(2);
	for (int round = 0; round < 300000; round++) {
		struct bytes b = bytes_spoilt(ANSWER, sizeof(ANSWER) - 1);
		int ours = !wire_walk(b.at, b.size, &shape), ldns = packet_walkable(b.at, b.size);

		both += ours && ldns;
		walker_only += ours && !ldns;
		free(b.at);
	}
	ck_assert_uint_gt(both, 1000);
	printf("walker and ldns passed %u, the walker alone %u\n", both, walker_only);
}
END_TEST

UNIT_MAIN("dns_wire", walks_what_is_sound, refuses_every_shorter_message, refuses_one_byte_more, pointers_lead_back_only,
	  names_have_a_bound, counts_are_believed_only_if_true, same_name, against_ldns)
