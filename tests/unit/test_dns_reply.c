/* What of an upstream's bytes may go on to a client. */
#include "unit.h"
#include "dns_bytes.h"
#include "../../dnsproxy/reply.h"

#define SENT HEADER("\x12\x34", "\1\0", "\1", "\0", "\0", "\0") "\3wWw\7eXample\3com\0\0\1\0\1"
#define QUESTION_END (sizeof(SENT) - 1)

static int matches(struct bytes b)
{
	int result = reply_matches(b.at, b.size, (const uint8_t *)SENT, QUESTION_END, 0x1234);

	free(b.at);
	return result;
}

static int sound(struct bytes b)
{
	int result = reply_sound(b.at, b.size);

	free(b.at);
	return result;
}

START_TEST(the_real_one_matches)
{
	ck_assert(matches(BYTES(ANSWER)));
	ck_assert(sound(BYTES(ANSWER)));
	ck_assert(matches(BYTES(HEADER("\x12\x34", "\x81\x83", "\1", "\0", "\0", "\0") QUESTION)));
}
END_TEST

START_TEST(header_and_question_must_be_ours)
{
	static const unsigned ours[] = { 0, 1, 4, 5 };

	for (size_t size = 0; size < QUESTION_END; size++)
		ck_assert(!matches(bytes_copy(ANSWER, size)));
	for (unsigned i = 0; i < 4; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			struct bytes b = BYTES(ANSWER);

			b.at[ours[i]] ^= (uint8_t)(1 << bit);
			ck_assert(!matches(b));
		}
	for (unsigned bit = 3; bit < 8; bit++) {	/* QR and opcode */
		struct bytes b = BYTES(ANSWER);

		b.at[2] ^= (uint8_t)(1 << bit);
		ck_assert(!matches(b));
	}
	for (size_t at = 12; at < QUESTION_END; at++) {
		struct bytes b = BYTES(ANSWER);

		b.at[at] ^= 0x01;
		ck_assert_msg(!matches(b), "%zu", at);
	}
}
END_TEST

START_TEST(records_must_be_walkable)
{
	for (size_t size = QUESTION_END; size < sizeof(ANSWER) - 1; size++)
		ck_assert(!sound(bytes_copy(ANSWER, size)));
	ck_assert(!sound(BYTES(ANSWER "x")));
	ck_assert(!sound(BYTES(HEADER("\0\1", "\x81\x80", "\1", "\0", "\0", "\2") QUESTION OPT OPT)));
	ck_assert(!sound(BYTES(HEADER("\0\1", "\x81\x80", "\1", "\1", "\0", "\0") QUESTION
			       "\xc0\x0c\0\1\0\1\0\0\0\0\0\3\1\2\3")));		/* an address of three bytes: ldns knows */
}
END_TEST

START_TEST(the_client_gets_its_own_question)
{
	struct bytes b = BYTES(ANSWER);

	reply_restore(b.at, (const uint8_t *)SENT, QUESTION_END, 0xbeef);
	ck_assert_mem_eq(b.at, "\xbe\xef\x81\x80", 4);
	ck_assert_mem_eq(b.at + 12, SENT + 12, QUESTION_END - 12);
	ck_assert_mem_eq(b.at + QUESTION_END, ANSWER + QUESTION_END, sizeof(ANSWER) - 1 - QUESTION_END);
	free(b.at);
}
END_TEST

START_TEST(too_large_becomes_truncated)
{
	struct bytes b = BYTES(ANSWER);

	ck_assert_uint_eq(reply_fit(b.at, b.size, QUESTION_END, b.size), b.size);
	ck_assert_uint_eq(b.at[2], 0x81);
	ck_assert_uint_eq(reply_fit(b.at, b.size, QUESTION_END, QUESTION_END), QUESTION_END);
	ck_assert_uint_eq(b.at[2], 0x83);
	ck_assert(sound(bytes_copy(b.at, QUESTION_END)));
	free(b.at);
}
END_TEST

START_TEST(truncated_keeps_the_opt)
{
#define BADVERS HEADER("\x12\x34", "\x81\x80", "\1", "\1", "\0", "\1") QUESTION A_RECORD \
	"\0\0\x29\x04\xd0\1\0\x80\0\0\4\0\3\0\0"	/* rcode 16, an option */
	struct bytes b = BYTES(BADVERS);

	ck_assert_uint_eq(reply_fit(b.at, b.size, QUESTION_END, b.size - 1), QUESTION_END + 11);
	ck_assert_mem_eq(b.at + 2, "\x83\x80\0\1\0\0\0\0\0\1", 10);
	ck_assert_mem_eq(b.at + QUESTION_END, "\0\0\x29\x04\xd0\1\0\x80\0\0\0", 11);
	ck_assert(sound(bytes_copy(b.at, QUESTION_END + 11)));
	free(b.at);
}
END_TEST

START_TEST(a_bare_error_refuses)
{
#define BARE HEADER("\x12\x34", "\x81\x81", "\0", "\0", "\0", "\0")
	ck_assert(reply_refuses((const uint8_t *)BARE, 12, 0x1234));
	ck_assert(!matches(BYTES(BARE)));
	ck_assert(!reply_refuses((const uint8_t *)BARE, 12, 0x1235));
	for (size_t size = 0; size < 12; size++) {
		struct bytes b = bytes_copy(BARE, size);

		ck_assert(!reply_refuses(b.at, b.size, 0x1234));
		free(b.at);
	}
	ck_assert(!reply_refuses((const uint8_t *)BARE "x", 13, 0x1234));
	ck_assert(!reply_refuses((const uint8_t *)HEADER("\x12\x34", "\x81\x80", "\0", "\0", "\0", "\0"), 12, 0x1234));
	ck_assert(!reply_refuses((const uint8_t *)HEADER("\x12\x34", "\x01\x81", "\0", "\0", "\0", "\0"), 12, 0x1234));
	ck_assert(!reply_refuses((const uint8_t *)HEADER("\x12\x34", "\xa1\x81", "\0", "\0", "\0", "\0"), 12, 0x1234));
	ck_assert(!reply_refuses((const uint8_t *)HEADER("\x12\x34", "\x81\x81", "\1", "\0", "\0", "\0"), 12, 0x1234));
	ck_assert(!reply_refuses((const uint8_t *)HEADER("\x12\x34", "\x81\x81", "\0", "\0", "\0", "\1"), 12, 0x1234));
}
END_TEST

START_TEST(noise)
{
	srandom(4);
	for (int round = 0; round < 200000; round++) {
		struct bytes b = bytes_spoilt(ANSWER, sizeof(ANSWER) - 1);

		if (reply_matches(b.at, b.size, (const uint8_t *)SENT, QUESTION_END, 0x1234) && reply_sound(b.at, b.size)) {
			reply_restore(b.at, (const uint8_t *)SENT, QUESTION_END, 7);
			reply_fit(b.at, b.size, QUESTION_END, 40);
		}
		free(b.at);
	}
}
END_TEST

UNIT_MAIN("dns_reply", the_real_one_matches, header_and_question_must_be_ours, records_must_be_walkable,
	  the_client_gets_its_own_question, too_large_becomes_truncated, truncated_keeps_the_opt, a_bare_error_refuses,
	  noise)
