/* The barrier's question and what is taken for an answer to it. */
#include <string.h>
#include "unit.h"
#include "../../initc/answer.h"

#define GOOD "attached version=0.1.0 token=0123456789abcdef"

static uint8_t query[BARRIER_QUERY_MAX];
static size_t query_size;
static struct answer answer;

struct packet {
	uint8_t bytes[BARRIER_ANSWER_MAX];
	size_t size;
};

__attribute__((constructor)) static void make_query(void)
{
	query_size = barrier_query(query, 0x1234);
}

static void append(struct packet *p, const void *bytes, size_t size)
{
	memcpy(p->bytes + p->size, bytes, size);
	p->size += size;
}

static struct packet reply(const char *text)
{
	struct packet p = { .size = 0 };
	uint8_t length = (uint8_t)strlen(text);
	const uint8_t fixed[] = { 0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 0, 0, (uint8_t)(length + 1), length };

	append(&p, query, query_size);
	p.bytes[2] = 0x85;
	p.bytes[7] = 1;
	append(&p, fixed, sizeof(fixed));
	append(&p, text, length);
	return p;
}

/* From a heap block of exactly this size, so that ASan sees a read beyond it. */
static enum answer_verdict judge(const struct packet *p)
{
	uint8_t *copy = malloc(p->size ? p->size : 1);
	enum answer_verdict verdict;

	memcpy(copy, p->bytes, p->size);
	verdict = barrier_answer(copy, p->size, query, query_size, &answer);
	free(copy);
	return verdict;
}

START_TEST(question_on_the_wire)
{
	static const uint8_t want[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
				      "\x0a_leitwacht\x08" "attached\x05local\x00\x00\x10\x00\x01";

	ck_assert_uint_eq(query_size, sizeof(want) - 1);
	ck_assert_mem_eq(query, want, query_size);
}
END_TEST

START_TEST(attached)
{
	struct packet p = reply(GOOD);

	ck_assert_int_eq(judge(&p), ANSWER_ATTACHED);
	ck_assert_str_eq(answer.version, "0.1.0");
	ck_assert_mem_eq(answer.token, "0123456789abcdef", 16);
	p = reply(GOOD " bundle=1 later=x=y");
	ck_assert_int_eq(judge(&p), ANSWER_ATTACHED);
	p = reply("attached token=0123456789abcdef version=2.0.0-rc.1+b");
	ck_assert_int_eq(judge(&p), ANSWER_ATTACHED);
}
END_TEST

START_TEST(foreign_is_waited_out)
{
	struct packet p = reply(GOOD);

	p.bytes[0] ^= 1;
	ck_assert_int_eq(judge(&p), ANSWER_FOREIGN);
	p = reply(GOOD);
	p.bytes[2] = 0x01;	/* no QR */
	ck_assert_int_eq(judge(&p), ANSWER_FOREIGN);
	p = reply(GOOD);
	p.bytes[2] = 0x8d;	/* another opcode */
	ck_assert_int_eq(judge(&p), ANSWER_FOREIGN);
	p = reply(GOOD);
	p.bytes[5] = 2;
	ck_assert_int_eq(judge(&p), ANSWER_FOREIGN);
	p = reply(GOOD);
	p.bytes[20] ^= 0x20;	/* another question */
	ck_assert_int_eq(judge(&p), ANSWER_FOREIGN);
}
END_TEST

START_TEST(not_yet)
{
	struct packet p = reply("");

	p.bytes[3] = 2;
	p.bytes[7] = 0;
	p.size = query_size;
	ck_assert_int_eq(judge(&p), ANSWER_NOT_YET);
	p.bytes[3] = 3;
	ck_assert_int_eq(judge(&p), ANSWER_NOT_YET);
}
END_TEST

START_TEST(malformed)
{
	static const char *const texts[] = {
		"", "attached", "attached ", "detached version=0.1.0 token=0123456789abcdef", "attached version=0.1.0",
		"attached token=0123456789abcdef", "attached version=0.1 token=0123456789abcdef",
		"attached version=0.1.0 token=0123456789abcde", "attached version=0.1.0 token=0123456789ABCDEF",
		"attached version=0.1.0 token=0123456789abcdef0", "attached version=0.1.0  token=0123456789abcdef",
		"attached version=0.1.0 version=0.2.0 token=0123456789abcdef", "attached version= token=0123456789abcdef",
		GOOD " word", GOOD " token=0123456789abcdef", "Attached version=0.1.0 token=0123456789abcdef",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct packet p = reply(texts[i]);

		ck_assert_msg(judge(&p) == ANSWER_MALFORMED, "%s", texts[i]);
	}
}
END_TEST

START_TEST(malformed_records)
{
	static const struct { unsigned at; uint8_t value; } changes[] = {
		{ 0, 0xc1 }, { 1, 13 }, { 3, 17 }, { 5, 3 }, { 11, 0 }, { 11, 1 }, { 10, 1 }, { 12, 0 }, { 12, 255 },
	};

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct packet p = reply(GOOD);

		p.bytes[query_size + changes[i].at] = changes[i].value;
		ck_assert_msg(judge(&p) == ANSWER_MALFORMED, "%zu", i);
	}
}
END_TEST

START_TEST(every_length_is_safe)
{
	struct packet whole = reply(GOOD);

	for (size_t size = 0; size < whole.size; size++) {
		struct packet p = whole;

		p.size = size;
		ck_assert_msg(judge(&p) != ANSWER_ATTACHED, "%zu", size);
	}
}
END_TEST

START_TEST(any_single_byte_may_be_wrong)
{
	struct packet whole = reply(GOOD);

	for (size_t at = 0; at < whole.size; at++)
		for (unsigned value = 0; value < 256; value++) {
			struct packet p = whole;

			p.bytes[at] = (uint8_t)value;
			judge(&p);
		}
}
END_TEST

START_TEST(noise)
{
	srandom(1);
	for (int round = 0; round < 200000; round++) {
		struct packet p = reply(GOOD);

		for (long changes = random() % 8; changes >= 0; changes--)
			p.bytes[(size_t)random() % p.size] = (uint8_t)random();
		p.size = (size_t)random() % (p.size + 1);
		judge(&p);
	}
}
END_TEST

UNIT_MAIN("initc_answer", question_on_the_wire, attached, foreign_is_waited_out, not_yet, malformed, malformed_records,
	  every_length_is_safe, any_single_byte_may_be_wrong, noise)
