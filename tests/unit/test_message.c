/* The message table: what it lets through, and that each check refuses on its own. */
#include <errno.h>
#include <string.h>
#include "cleanup.h"
#include "message.h"
#include "unit.h"

static const enum process processes[] = { P_LAUNCHER, P_ATTACHER, P_GATE, P_WATCHER, P_ZYGOTE, P_PROXY };

static int check_row(const struct message_row *row, size_t size, unsigned fds, enum process from, enum process to,
		     enum channel_state state, const char **why)
{
	union message m;

	memset(&m, 0, sizeof(m));
	m.h.type = row->type;
	return message_check(&m, size, fds, from, to, state, why);
}

/* Every row with every sender, receiver and state: exactly the table's combinations pass. */
START_TEST(matrix)
{
	for (size_t i = 0; i < message_row_count; i++) {
		const struct message_row *row = &message_rows[i];

		for (size_t from = 0; from < ARRAY_SIZE(processes); from++)
			for (size_t to = 0; to < ARRAY_SIZE(processes); to++)
				for (int state = ST_NEW; state <= ST_READY; state++) {
					int allowed = (row->senders & processes[from]) && (row->receivers & processes[to]) &&
						      (row->states & state);

					ck_assert_int_eq(check_row(row, row->size, row->fds, processes[from], processes[to],
								   (enum channel_state)state, NULL),
							 allowed ? 0 : -EBADMSG);
				}
	}
}
END_TEST

static enum process lowest(uint8_t set)
{
	return (enum process)(set & -set);
}

START_TEST(wrong_size_and_descriptors)
{
	const char *why;

	for (size_t i = 0; i < message_row_count; i++) {
		const struct message_row *row = &message_rows[i];
		enum process from = lowest(row->senders), to = lowest(row->receivers);
		enum channel_state state = row->states & ST_NEW ? ST_NEW : ST_READY;

		ck_assert_int_eq(check_row(row, row->size - 1U, row->fds, from, to, state, &why), -EBADMSG);
		ck_assert_str_eq(why, "size");
		ck_assert_int_eq(check_row(row, row->size + 1U, row->fds, from, to, state, &why), -EBADMSG);
		ck_assert_str_eq(why, "size");
		ck_assert_int_eq(check_row(row, row->size, row->fds + 1U, from, to, state, &why), -EBADMSG);
		ck_assert_str_eq(why, "descriptors");
	}
}
END_TEST

START_TEST(every_padding_byte_must_be_zero)
{
	const char *why;

	for (size_t i = 0; i < message_row_count; i++) {
		const struct message_row *row = &message_rows[i];

		for (unsigned at = 0; at < row->pad + 6U; at++) {
			uint8_t bytes[sizeof(union message)] = { 0 };

			memcpy(bytes, &row->type, sizeof(row->type));
			bytes[at < 6 ? 2 + at : row->size - 1U - (at - 6)] = 1;
			ck_assert_int_eq(message_check(bytes, row->size, row->fds, lowest(row->senders), lowest(row->receivers),
						       row->states & ST_NEW ? ST_NEW : ST_READY, &why), -EBADMSG);
			ck_assert_str_eq(why, "padding");
		}
	}
}
END_TEST

START_TEST(unknown_types_and_short_datagrams)
{
	struct msg_header h = { 0 };
	const char *why;

	for (unsigned type = 0; type <= 0xffff; type++) {
		h.type = (uint16_t)type;
		if (message_row(h.type))
			continue;
		ck_assert_int_eq(message_check(&h, sizeof(h), 0, P_WATCHER, P_ATTACHER, ST_READY, &why), -EBADMSG);
		ck_assert_str_eq(why, "type");
	}
	for (size_t size = 0; size < sizeof(h); size++)
		ck_assert_int_eq(message_check(&h, size, 0, P_WATCHER, P_ATTACHER, ST_READY, &why), -EBADMSG);
}
END_TEST

START_TEST(rows_hold_together)
{
	for (size_t i = 0; i < message_row_count; i++) {
		for (size_t j = 0; j < i; j++)
			ck_assert_int_ne(message_rows[i].type, message_rows[j].type);
		if (message_rows[i].reply)
			ck_assert_ptr_nonnull(message_row(message_rows[i].reply));
		ck_assert_int_eq(message_rows[i].senders & message_rows[i].receivers, 0);
	}
}
END_TEST

START_TEST(sandbox_ids)
{
	char id[SANDBOX_ID_LENGTH + 1] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

	ck_assert_int_eq(sandbox_id_valid(id), 1);
	for (int i = 0; i < SANDBOX_ID_LENGTH; i++) {
		char saved = id[i];

		for (const char *bad = "gG/.A-\n "; *bad; bad++) {
			id[i] = *bad;
			ck_assert_int_eq(sandbox_id_valid(id), 0);
		}
		id[i] = '\0';
		ck_assert_int_eq(sandbox_id_valid(id), 0);
		id[i] = saved;
	}
}
END_TEST

UNIT_MAIN("message", matrix, wrong_size_and_descriptors, every_padding_byte_must_be_zero, unknown_types_and_short_datagrams,
	  rows_hold_together, sandbox_ids)
