/* The queue to a watcher that does not read: order, bounds, and what is kept is what arrives. */
#include <errno.h>
#include <string.h>
#include "cleanup.h"
#include "queue.h"
#include "unit.h"

static struct channel gate = { -1, P_GATE, P_WATCHER, ST_READY }, watcher = { -1, P_WATCHER, P_GATE, ST_READY };

static void open_pair(void)
{
	int ends[2];

	ck_assert_int_eq(channel_pair(ends), 0);
	gate.fd = ends[0];
	watcher.fd = ends[1];
}

static struct msg_chunk chunk_of(uint32_t number, uint32_t length)
{
	struct msg_chunk chunk = MESSAGE(CHUNK, chunk);

	chunk.call = number;
	chunk.length = length;
	chunk.last = 1;
	memset(chunk.bytes, (int)number, length);
	return chunk;
}

START_TEST(everything_arrives_in_order_and_whole)
{
	struct queue queue = { 0 };
	struct received in;
	uint32_t sent = 0, got = 0;

	open_pair();
	while (sent < 1500) {
		struct msg_chunk chunk;

		sent++;
		chunk = chunk_of(sent, sent % 50);
		ck_assert_int_eq(queue_send(&queue, &gate, &chunk, sent), 0);
	}
	ck_assert_ptr_nonnull(queue.first);
	while (got < sent) {
		struct msg_chunk want;

		ck_assert_int_eq(queue_flush(&queue, &gate), 0);
		ck_assert_int_eq(channel_receive(&watcher, &in), 1);
		got++;
		want = chunk_of(got, got % 50);
		ck_assert_mem_eq(&in.m.chunk, &want, sizeof(want));
	}
	ck_assert_ptr_null(queue.first);
	ck_assert_uint_eq(queue.bytes, 0);
	ck_assert_uint_eq(queue_oldest_ns(&queue), UINT64_MAX);
}
END_TEST

START_TEST(full_by_bytes)
{
	struct msg_chunk chunk = chunk_of(1, CHUNK_BYTES);
	struct queue queue = { 0 };
	int error = 0;

	open_pair();
	for (unsigned i = 0; i < 5000 && !error; i++)
		error = queue_send(&queue, &gate, &chunk, 7);
	ck_assert_int_eq(error, -ENOBUFS);
	ck_assert_uint_le(queue.bytes, QUEUE_BYTES_MAX);
	ck_assert_uint_gt(queue.bytes, QUEUE_BYTES_MAX - 8192);
	ck_assert_uint_eq(queue_oldest_ns(&queue), 7);
	queue_drop(&queue);
	ck_assert_ptr_null(queue.first);
	ck_assert_uint_eq(queue.bytes, 0);
}
END_TEST

START_TEST(a_watcher_that_is_gone)
{
	struct msg_chunk chunk = chunk_of(1, 1);
	struct queue queue = { 0 };

	open_pair();
	drop_fd(&watcher.fd);
	ck_assert_int_eq(queue_send(&queue, &gate, &chunk, 1), -EPIPE);
	ck_assert_ptr_null(queue.first);
}
END_TEST

UNIT_MAIN("gate_queue", everything_arrives_in_order_and_whole, full_by_bytes, a_watcher_that_is_gone)
