/* Messages over TCP: any split, any length. */
#include <string.h>
#include "unit.h"
#include "../../dnsproxy/frame.h"

static void feed(struct frame_buffer *b, const void *bytes, size_t size)
{
	ck_assert_int_eq(frame_reserve(b, size), 0);
	memcpy(b->bytes + b->used, bytes, size);
	b->used += size;
}

START_TEST(any_split)
{
	struct frame_buffer b = { 0 };
	size_t length;

	for (int i = 0; i < 5; i++) {
		feed(&b, &"\0\3abc"[i], 1);
		ck_assert_int_eq(frame_at(&b, 0, 100, &length), i < 4 ? FRAME_INCOMPLETE : FRAME_COMPLETE);
	}
	ck_assert_uint_eq(length, 3);
	feed(&b, "\0\0\0\1", 4);
	ck_assert_int_eq(frame_at(&b, 5, 100, &length), FRAME_COMPLETE);
	ck_assert_uint_eq(length, 0);
	ck_assert_int_eq(frame_at(&b, 7, 100, &length), FRAME_INCOMPLETE);
	frame_consume(&b, 7);
	ck_assert_uint_eq(b.used, 2);
	frame_consume(&b, 2);
	ck_assert_ptr_null(b.bytes);
}
END_TEST

START_TEST(too_long_is_seen_by_the_prefix)
{
	struct frame_buffer b = { 0 };
	size_t length;

	feed(&b, "\1\1", 2);
	ck_assert_int_eq(frame_at(&b, 0, 256, &length), FRAME_TOO_LONG);
	ck_assert_int_eq(frame_at(&b, 0, 257, &length), FRAME_INCOMPLETE);
	frame_free(&b);
}
END_TEST

START_TEST(append_and_read_back)
{
	static const uint8_t large[FRAME_MAX + 1];
	struct frame_buffer b = { 0 };
	size_t length, at = 0;

	for (size_t size = 0; size < 300; size++)
		ck_assert_int_eq(frame_append(&b, large, size), 0);
	ck_assert_int_eq(frame_append(&b, large, FRAME_MAX), 0);
	ck_assert_int_ne(frame_append(&b, large, FRAME_MAX + 1), 0);
	for (size_t size = 0; size < 300; size++) {
		ck_assert_int_eq(frame_at(&b, at, FRAME_MAX, &length), FRAME_COMPLETE);
		ck_assert_uint_eq(length, size);
		at += FRAME_PREFIX + length;
	}
	ck_assert_int_eq(frame_at(&b, at, FRAME_MAX, &length), FRAME_COMPLETE);
	ck_assert_uint_eq(length, FRAME_MAX);
	frame_free(&b);
}
END_TEST

START_TEST(nothing_there)
{
	struct frame_buffer b = { 0 };
	size_t length;

	ck_assert_int_eq(frame_at(&b, 0, 100, &length), FRAME_INCOMPLETE);
	frame_consume(&b, 0);
	frame_free(&b);
}
END_TEST

UNIT_MAIN("dns_frame", any_split, too_long_is_seen_by_the_prefix, append_and_read_back, nothing_there)
