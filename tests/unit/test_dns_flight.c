/* The table of questions in flight, also against a plain list. */
#define _GNU_SOURCE
#include <string.h>
#include "unit.h"
#include "../../dnsproxy/flight.h"

static const uint8_t query[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\0\0\1\0\1";
static struct random_stock stock;

static struct flights *empty(void)
{
	struct flights *f = calloc(1, sizeof(*f));

	ck_assert_ptr_nonnull(f);
	return f;
}

START_TEST(found_by_socket_kind_and_id)
{
	struct flights *t = empty();
	struct flight *f = flight_new(t, FLIGHT_UDP, query, sizeof(query) - 1);
	struct attempt *a;

	ck_assert_uint_eq(f->client_id, 0x1234);
	flight_sent(t, f, 0, 3, 77, 1);
	ck_assert_ptr_eq(flight_find(t, FLIGHT_UDP, 3, 77, &a), f);
	ck_assert_ptr_eq(a, &f->attempts[0]);
	ck_assert_ptr_null(flight_find(t, FLIGHT_UDP, 4, 77, &a));
	ck_assert_ptr_null(flight_find(t, FLIGHT_TCP, 3, 77, &a));
	ck_assert_ptr_null(flight_find(t, FLIGHT_UDP, 3, 77 + FLIGHT_BUCKETS, &a));
	flight_free(t, f);
	ck_assert_ptr_null(flight_find(t, FLIGHT_UDP, 3, 77, &a));
	ck_assert_uint_eq(t->count, 0);
	free(t);
}
END_TEST

START_TEST(each_attempt_is_awaited)
{
	struct flights *t = empty();
	struct flight *f = flight_new(t, FLIGHT_UDP, query, sizeof(query) - 1);
	struct attempt *a;

	for (unsigned i = 0; i < FLIGHT_TRIES; i++)
		flight_sent(t, f, i, i, (uint16_t)(100 + i * FLIGHT_BUCKETS), i);	/* one bucket */
	for (unsigned i = 0; i < FLIGHT_TRIES; i++)
		ck_assert_ptr_eq(flight_find(t, FLIGHT_UDP, i, (uint16_t)(100 + i * FLIGHT_BUCKETS), &a), f);
	flight_attempt_end(t, f, &f->attempts[1]);
	ck_assert_ptr_null(flight_find(t, FLIGHT_UDP, 1, 100 + FLIGHT_BUCKETS, &a));
	ck_assert_ptr_eq(flight_find(t, FLIGHT_UDP, 2, 100 + 2 * FLIGHT_BUCKETS, &a), f);
	ck_assert_ptr_eq(flight_find(t, FLIGHT_UDP, 0, 100, &a), f);
	flight_sent(t, f, 0, 9, 5, 9);		/* takes the place that is free */
	ck_assert_ptr_eq(flight_find(t, FLIGHT_UDP, 9, 5, &a), f);
	ck_assert_ptr_eq(a, &f->attempts[1]);
	flight_free(t, f);
	free(t);
}
END_TEST

START_TEST(bounded_and_reused)
{
	struct flights *t = empty();
	struct flight *all[FLIGHTS_MAX];

	for (unsigned i = 0; i < FLIGHTS_MAX; i++)
		ck_assert_ptr_nonnull(all[i] = flight_new(t, FLIGHT_UDP, query, sizeof(query) - 1));
	ck_assert_ptr_null(flight_new(t, FLIGHT_UDP, query, sizeof(query) - 1));
	flight_free(t, all[100]);
	ck_assert_ptr_eq(flight_new(t, FLIGHT_TCP, query, sizeof(query) - 1), all[100]);
	for (unsigned i = 0; i < FLIGHTS_MAX; i++)
		flight_free(t, all[i]);
	ck_assert_uint_eq(t->count, 0);
	free(t);
}
END_TEST

START_TEST(few_questions_touch_little_memory)
{
	struct flights *t = empty();

	for (int i = 0; i < 1000; i++)
		flight_free(t, flight_new(t, FLIGHT_UDP, query, sizeof(query) - 1));
	ck_assert_uint_eq(t->highest, 1);
	free(t);
}
END_TEST

START_TEST(at_random_against_a_list)
{
	struct flights *t = empty();
	struct flight *f = NULL;
	struct attempt *a;

	srandom(5);
	for (int round = 0; round < 100000; round++) {
		struct flight *one = &t->all[random() % FLIGHTS_MAX];
		long tries = random() % (FLIGHT_TRIES + 1);

		if (one->used) {
			for (unsigned i = 0; i < FLIGHT_TRIES; i++)
				if (one->attempts[i].live)
					ck_assert_ptr_eq(flight_find(t, FLIGHT_UDP, one->attempts[i].socket,
								     one->attempts[i].id, &a), one);
			flight_free(t, one);
		} else if ((f = flight_new(t, FLIGHT_UDP, query, sizeof(query) - 1))) {
			for (; tries; tries--)
				flight_sent(t, f, 0, (unsigned)random() % 8, flight_unused_id(t, &stock), 0);
		}
	}
	for (unsigned i = 0; i < FLIGHTS_MAX; i++)
		if (t->all[i].used)
			flight_free(t, &t->all[i]);
	for (unsigned i = 0; i < FLIGHT_BUCKETS; i++)
		ck_assert_uint_eq(t->buckets[i], 0);
	free(t);
}
END_TEST

START_TEST(numbers_are_spread)
{
	unsigned counts[5] = { 0 };

	for (int i = 0; i < 50000; i++)
		counts[random_below(&stock, 5)]++;
	for (int i = 0; i < 5; i++)
		ck_assert_uint_gt(counts[i], 9000);
	ck_assert_uint_eq(random_below(&stock, 1), 0);
}
END_TEST

UNIT_MAIN("dns_flight", found_by_socket_kind_and_id, each_attempt_is_awaited, bounded_and_reused,
	  few_questions_touch_little_memory, at_random_against_a_list, numbers_are_spread)
