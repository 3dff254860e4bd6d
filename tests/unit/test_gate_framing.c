/* gRPC framing: messages are found however the bytes are cut. */
#include <errno.h>
#include <string.h>
#include "framing.h"
#include "unit.h"

struct seen {
	uint8_t bytes[64];
	size_t length;
	unsigned ends, pieces;
	uint64_t first_ns[8];
	int error;
};

static int piece(void *context, const struct framing *framing, const uint8_t *bytes, size_t length, int last)
{
	struct seen *seen = context;

	if (seen->length + length <= sizeof(seen->bytes))
		memcpy(seen->bytes + seen->length, bytes, length);
	seen->length += length;
	seen->pieces++;
	if (last)
		seen->first_ns[seen->ends++ % 8] = framing->received_ns;
	return seen->error;
}

static const uint8_t three[] = "\0\0\0\0\3abc\0\0\0\0\0\0\0\0\0\4defg";	/* "abc", "", "defg" */

START_TEST(every_cut_gives_the_same)
{
	for (size_t step = 1; step < sizeof(three); step++) {
		struct framing framing = { 0 };
		struct seen seen = { 0 };
		unsigned skipped = 0;

		for (size_t at = 0; at < sizeof(three) - 1; at += step) {
			size_t part = sizeof(three) - 1 - at < step ? sizeof(three) - 1 - at : step;

			ck_assert_int_eq(framing_feed(&framing, three + at, part, 100 + at, piece, &seen, &skipped), 0);
		}
		ck_assert_uint_eq(seen.ends, 3);
		ck_assert_uint_eq(seen.length, 7);
		ck_assert_mem_eq(seen.bytes, "abcdefg", 7);
		ck_assert_uint_eq(skipped, 0);
		ck_assert_uint_eq(seen.first_ns[0], 100);	/* the time of the first byte, not of the last */
	}
}
END_TEST

START_TEST(too_large_is_skipped_and_the_next_is_read)
{
	static uint8_t zeros[1 << 16];
	const uint8_t prefix[] = { 0, 0, 0x40, 0, 1 };	/* 4 MiB and one byte */
	struct framing framing = { 0 };
	struct seen seen = { 0 };
	unsigned skipped = 0;
	size_t left = (4U << 20) + 1;

	ck_assert_int_eq(framing_feed(&framing, prefix, sizeof(prefix), 1, piece, &seen, &skipped), 0);
	while (left) {
		size_t part = left < sizeof(zeros) ? left : sizeof(zeros);

		ck_assert_int_eq(framing_feed(&framing, zeros, part, 1, piece, &seen, &skipped), 0);
		left -= part;
	}
	ck_assert_uint_eq(seen.pieces, 0);
	ck_assert_uint_eq(skipped, 1);
	ck_assert_int_eq(framing_feed(&framing, three, 8, 2, piece, &seen, &skipped), 0);
	ck_assert_uint_eq(seen.ends, 1);
	ck_assert_mem_eq(seen.bytes, "abc", 3);
}
END_TEST

START_TEST(the_bound_itself_passes)
{
	static uint8_t zeros[4U << 20];
	const uint8_t prefix[] = { 0, 0, 0x40, 0, 0 };
	struct framing framing = { 0 };
	struct seen seen = { 0 };
	unsigned skipped = 0;

	framing_feed(&framing, prefix, sizeof(prefix), 1, piece, &seen, &skipped);
	framing_feed(&framing, zeros, sizeof(zeros), 1, piece, &seen, &skipped);
	ck_assert_uint_eq(seen.ends, 1);
	ck_assert_uint_eq(seen.length, sizeof(zeros));
	ck_assert_uint_eq(skipped, 0);
}
END_TEST

START_TEST(huge_length_and_compression_are_skipped)
{
	struct framing framing = { 0 };
	struct seen seen = { 0 };
	unsigned skipped = 0;

	ck_assert_int_eq(framing_feed(&framing, (const uint8_t *)"\0\xff\xff\xff\xff" "abc", 8, 1, piece, &seen, &skipped), 0);
	ck_assert_uint_eq(skipped, 1);
	ck_assert_uint_eq(framing.left, UINT32_MAX - 3);
	framing = (struct framing){ 0 };
	ck_assert_int_eq(framing_feed(&framing, (const uint8_t *)"\1\0\0\0\3" "abc", 8, 1, piece, &seen, &skipped), 0);
	ck_assert_uint_eq(skipped, 2);
	ck_assert_uint_eq(seen.pieces, 0);
}
END_TEST

START_TEST(an_error_ends_the_feeding)
{
	struct framing framing = { 0 };
	struct seen seen = { .error = -ENOBUFS };
	unsigned skipped = 0;

	ck_assert_int_eq(framing_feed(&framing, three, sizeof(three) - 1, 1, piece, &seen, &skipped), -ENOBUFS);
	ck_assert_uint_eq(seen.pieces, 1);
}
END_TEST

UNIT_MAIN("gate_framing", every_cut_gives_the_same, too_large_is_skipped_and_the_next_is_read, the_bound_itself_passes,
	  huge_length_and_compression_are_skipped, an_error_ends_the_feeding)
