/* What a client's message is, and the answers that are made here. */
#include "unit.h"
#include "dns_bytes.h"
#include "../../dnsproxy/packet.h"
#include "../../dnsproxy/query.h"

#define BARRIER_NAME "\012_leitwacht\010attached\005local\0"

static struct query query;
static struct bytes kept;	/* query points into it */

static enum query_verdict read_bytes(struct bytes b)
{
	free(kept.at);
	kept = b;
	return query_read(b.at, b.size, &query);
}

static void done(void)
{
	free(kept.at);
	kept.at = NULL;
}

START_TEST(forwards_an_honest_question)
{
	ck_assert_int_eq(read_bytes(BYTES(QUERY)), QUERY_FORWARD);
	ck_assert_uint_eq(query_udp_limit(&query), 512);
	ck_assert_int_eq(read_bytes(BYTES(HEADER("\0\1", "\1\0", "\1", "\0", "\0", "\1") QUESTION OPT)), QUERY_FORWARD);
	ck_assert_uint_eq(query_udp_limit(&query), 1232);
	done();
}
END_TEST

START_TEST(stays_silent)
{
	for (size_t size = 0; size < 12; size++)
		ck_assert_int_eq(read_bytes(bytes_copy(QUERY, size)), QUERY_SILENT);
	ck_assert_int_eq(read_bytes(BYTES(ANSWER)), QUERY_SILENT);
	done();
}
END_TEST

START_TEST(refuses_what_is_malformed)
{
	for (size_t size = 12; size < sizeof(QUERY) - 1; size++)
		ck_assert_int_eq(read_bytes(bytes_copy(QUERY, size)), QUERY_FORMERR);
	ck_assert_int_eq(read_bytes(BYTES(QUERY "x")), QUERY_FORMERR);
	ck_assert_int_eq(read_bytes(BYTES(HEADER("\0\1", "\1\0", "\1", "\0", "\0", "\2") QUESTION OPT OPT)), QUERY_FORMERR);
	ck_assert_int_eq(read_bytes(BYTES(HEADER("\0\1", "\1\0", "\1", "\1", "\0", "\0") QUESTION A_RECORD)), QUERY_FORMERR);
	ck_assert_int_eq(read_bytes(BYTES(HEADER("\0\1", "\1\0", "\1", "\0", "\1", "\0") QUESTION A_RECORD)), QUERY_FORMERR);
	ck_assert_int_eq(read_bytes(BYTES(HEADER("\0\1", "\1\0", "\1", "\0", "\0", "\0") "\xc0\x0c\0\1\0\1")), QUERY_FORMERR);
	done();
}
END_TEST

START_TEST(refuses_other_work)
{
	ck_assert_int_eq(read_bytes(BYTES(HEADER("\0\1", "\x28\0", "\1", "\0", "\0", "\0") QUESTION)), QUERY_NOTIMP);
	ck_assert_int_eq(read_bytes(BYTES(HEADER("\0\1", "\1\0", "\1", "\0", "\0", "\0") "\0\0\xfc\0\1")), QUERY_NOTIMP);
	done();
}
END_TEST

START_TEST(too_long)
{
	struct bytes b = { calloc(1, QUERY_MAX + 1), QUERY_MAX + 1 };

	memcpy(b.at, QUERY, sizeof(QUERY) - 1);
	ck_assert_int_eq(read_bytes(b), QUERY_FORMERR);
	done();
}
END_TEST

START_TEST(knows_the_barrier)
{
#define ASKING(name) HEADER("\0\1", "\1\0", "\1", "\0", "\0", "\0") name "\0\x10\0\1"
	ck_assert_int_eq(read_bytes(BYTES(ASKING(BARRIER_NAME))), QUERY_BARRIER);
	ck_assert_int_eq(read_bytes(BYTES(ASKING("\012_LEITwacht\010aTTached\005LOCAL\0"))), QUERY_BARRIER);
	ck_assert_int_eq(read_bytes(BYTES(ASKING("\012_leitwacht\010attached\005locam\0"))), QUERY_FORWARD);
	ck_assert_int_eq(read_bytes(BYTES(ASKING("\1x" BARRIER_NAME))), QUERY_FORWARD);
	ck_assert_int_eq(read_bytes(BYTES(ASKING("\010attached\005local\0"))), QUERY_FORWARD);
	done();
}
END_TEST

START_TEST(answers_of_our_own)
{
	static const uint8_t want[] = "\0\1\x85\x80\0\1\0\1\0\0\0\0\012_leitWACHT\010attached\005local\0\0\x10\0\1"
				      "\xc0\x0c\0\x10\0\1\0\0\0\0\0\3\2hi";
	uint8_t out[PACKET_LOCAL_MAX];

	ck_assert_int_eq(read_bytes(BYTES(ASKING("\012_leitWACHT\010attached\005local\0"))), QUERY_BARRIER);
	ck_assert_uint_eq(packet_answer(out, &query, RCODE_NOERROR, "hi"), sizeof(want) - 1);
	ck_assert_mem_eq(out, want, sizeof(want) - 1);
	ck_assert_uint_eq(packet_answer(out, &query, RCODE_SERVFAIL, NULL), kept.size);
	ck_assert_uint_eq(out[3], 0x82);
	done();
}
END_TEST

START_TEST(unreadable_question_is_left_out)
{
	uint8_t out[PACKET_LOCAL_MAX];

	ck_assert_int_eq(read_bytes(bytes_copy(QUERY, sizeof(QUERY) - 3)), QUERY_FORMERR);
	ck_assert_uint_eq(packet_answer(out, &query, RCODE_FORMERR, NULL), 12);
	ck_assert_mem_eq(out, "\x12\x34\x81\x81\0\0\0\0\0\0\0\0", 12);
	done();
}
END_TEST

START_TEST(longest_answer_fits)
{
	uint8_t all[WIRE_QUESTION_MAX + 11] = HEADER("\0\1", "\1\0", "\1", "\0", "\0", "\1"), out[PACKET_LOCAL_MAX];
	char text[PACKET_TEXT_MAX];
	size_t at = WIRE_HEADER;

	for (int i = 0; i < 3; i++, at += 64)
		memset(all + at, 63, 64);
	memset(all + at, 61, 62);
	memcpy(all + at + 62, "\0\0\x10\0\1" OPT, 16);
	ck_assert_int_eq(read_bytes(bytes_copy(all, sizeof(all))), QUERY_FORWARD);
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = 0;
	ck_assert_uint_gt(packet_answer(out, &query, RCODE_NOERROR, text), 400);
	done();
}
END_TEST

START_TEST(noise)
{
	uint8_t out[PACKET_LOCAL_MAX];

	srandom(3);
	for (int round = 0; round < 200000; round++) {
		enum query_verdict verdict = read_bytes(bytes_spoilt(QUERY, sizeof(QUERY) - 1));
		size_t size = verdict == QUERY_SILENT ? 12 : packet_answer(out, &query, RCODE_SERVFAIL, "text");

		ck_assert_uint_ge(size, 12);
	}
	done();
}
END_TEST

START_TEST(warms_up)
{
	ck_assert_int_eq(packet_warm_up(), 0);
}
END_TEST

UNIT_MAIN("dns_query", forwards_an_honest_question, stays_silent, refuses_what_is_malformed, refuses_other_work, too_long,
	  knows_the_barrier, answers_of_our_own, unreadable_question_is_left_out, longest_answer_fits, noise, warms_up)
