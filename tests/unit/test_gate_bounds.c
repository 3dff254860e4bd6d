/*
 * The gate's bounds: on a watcher that floods, does not read or hangs, and on
 * late answers.  The peers are gate_play.h's.
 */
#define _GNU_SOURCE
#include "gate_play.h"

static void send_probe(uint32_t epoch, uint64_t nonce)
{
	struct msg_probe m = MESSAGE(PROBE, probe);

	m.epoch = epoch;
	m.nonce = nonce;
	ck_assert_int_eq(channel_send(&watcher, &m, NULL), 0);
}

/* More than the watcher reads, so that half of the queue is full. */
static void fill_queue(void)
{
	static uint8_t bytes[5 + (1U << 20)] = { 0, 0, 0x10, 0, 0 };
	static struct answer answers[12];
	uint32_t epoch = go_up();

	for (unsigned i = 0; i < ARRAY_SIZE(answers); i++) {
		answers[i] = (struct answer){ bytes, sizeof(bytes), 0, "0" };
		call(METHOD_CONTAINER_GET, i, epoch, ID);
		respond(server.stream, &answers[i]);
		turns();
	}
}

/* containerd is held back before the queue is full; nobody is late meanwhile, and it goes on when the watcher has read. */
START_TEST(a_slow_watcher_holds_containerd_back)
{
	unsigned ends = 0;

	begin();
	fill_queue();
	ck_assert_int_eq(link_events(&gate) & POLLIN, 0);
	ck_assert_uint_lt(gate.queue.bytes, QUEUE_BYTES_MAX / 2 + (1U << 18));
	now += QUEUE_WAIT_NS - 1;	/* longer than a call's deadline, and liveness's */
	gate_turn();
	gate_turn();
	for (unsigned i = 0; i < 10000; i++) {
		ck_assert_int_eq(gate.phase, LINK_UP);
		if (channel_receive(&watcher, &in) <= 0) {
			turns();
			continue;
		}
		if (in.m.h.type == MSG_CALL_END)
			ck_assert_int_eq(in.m.call_end.grpc_status, 0);
		ends += in.m.h.type == MSG_CALL_END;
	}
	ck_assert_uint_eq(ends, 12);
	finish();
}
END_TEST

/* A watcher that does not read: the connection is cut, and comes again when it has read. */
START_TEST(stuck_watcher)
{
	begin();
	fill_queue();
	ck_assert_int_eq(gate.phase, LINK_UP);
	now += QUEUE_WAIT_NS;
	gate_turn();
	ck_assert_int_eq(gate.phase, LINK_IDLE);
	ck_assert_uint_lt(gate.queue.bytes, 4096);	/* STREAM_DOWN is all that is kept */
	now += 5 * NS_PER_S;
	gate_turn();
	nothing(&launcher);
	while (channel_receive(&watcher, &in) > 0 && in.m.h.type != MSG_STREAM_DOWN)
		gate_turn();
	ck_assert_uint_eq(in.m.h.type, MSG_STREAM_DOWN);
	server_close();
	ck_assert_uint_eq(go_up(), 2);
	finish();
}
END_TEST

/* One that has not even read STREAM_DOWN hangs: the launcher is told, once. */
START_TEST(a_watcher_that_hangs_is_dismissed)
{
	begin();
	fill_queue();
	now += QUEUE_WAIT_NS;
	gate_turn();
	ck_assert_uint_eq(link_due_ns(&gate), now + 30 * NS_PER_S);
	now += 30 * NS_PER_S - 1;
	gate_turn();
	nothing(&launcher);
	now++;
	gate_turn();
	ck_assert_uint_eq(next(&launcher, MSG_DISMISS)->dismiss.peer, P_WATCHER);
	ck_assert_int_eq(gate.watcher.fd, -1);
	gate_turn();
	nothing(&launcher);
	finish();
}
END_TEST

/* It was the gate that was stopped: the watcher gets its time from the cut on. */
START_TEST(a_gate_that_was_stopped_dismisses_nobody)
{
	begin();
	fill_queue();
	now += 40 * NS_PER_S;
	gate_turn();
	ck_assert_int_eq(gate.phase, LINK_IDLE);
	nothing(&launcher);
	ck_assert_int_ge(gate.watcher.fd, 0);
	finish();
}
END_TEST

/* An owned watcher that never stops sending: containerd and the clock get their turn. */
START_TEST(a_flood_is_read_in_turns)
{
	unsigned left = 0;

	begin();
	go_up();
	for (unsigned i = 0; i < 100; i++)
		send_probe(99, i);
	peers_watcher(&gate, now);
	while (channel_receive(&gate.watcher, &in) > 0)
		left++;
	ck_assert_uint_eq(left, 100 - 32);
	finish();
}
END_TEST

/* Answered at once, so that places are never what is missing. */
static unsigned refused_of(unsigned calls, uint32_t epoch)
{
	struct answer none = { (const uint8_t *)"", 0, 0, "5" };
	unsigned refused = 0;

	for (unsigned i = 0; i < calls; i++) {
		unsigned before = server.requests;

		call(METHOD_TASK_GET, i, epoch, ID);
		if (server.requests > before)
			respond(server.stream, &none);
		refused += next(&watcher, MSG_CALL_END)->call_end.grpc_status == GRPC_RESOURCE_EXHAUSTED;
	}
	return refused;
}

START_TEST(calls_are_rate_bound)
{
	uint32_t epoch;

	begin();
	epoch = go_up();
	ck_assert_uint_eq(refused_of(80, epoch), 80 - 64);
	now += 100 * NS_PER_MS;
	ck_assert_uint_eq(refused_of(30, epoch), 30 - 20);
	ck_assert_int_eq(gate.phase, LINK_UP);
	finish();
}
END_TEST

START_TEST(one_list_at_a_time)
{
	struct answer empty = { (const uint8_t *)"", 0, 0, "0" };
	uint32_t epoch;
	int32_t first;

	begin();
	epoch = go_up();
	call(METHOD_CONTAINER_LIST, 1, epoch, "");
	first = server.stream;
	call(METHOD_CONTAINER_LIST, 2, epoch, "");
	ck_assert_uint_eq(next(&watcher, MSG_CALL_END)->call_end.call, 2);
	ck_assert_int_eq(in.m.call_end.grpc_status, GRPC_RESOURCE_EXHAUSTED);
	respond(first, &empty);
	next(&watcher, MSG_CALL_END);
	call(METHOD_CONTAINER_LIST, 3, epoch, "");
	nothing(&watcher);
	finish();
}
END_TEST

START_TEST(probes_are_rate_bound)
{
	struct answer refused = { (const uint8_t *)"", 0, 0, "12" };
	unsigned before;
	uint32_t epoch;

	begin();
	epoch = go_up();
	before = server.requests;
	for (unsigned i = 0; i < 20; i++) {
		unsigned requests = server.requests;

		send_probe(epoch, i);
		turns();
		if (server.requests > requests)
			respond(server.stream, &refused);
	}
	ck_assert_uint_eq(server.requests - before, 8);
	ck_assert_int_eq(gate.session.probe_logged, 1);
	now += 20 * NS_PER_MS;
	send_probe(epoch, 99);
	turns();
	ck_assert_uint_eq(server.requests - before, 9);
	nothing(&watcher);
	finish();
}
END_TEST

/* The launcher was slow, the gate asked again: the first answer must not end what the second brought. */
START_TEST(a_late_refusal_harms_nothing)
{
	struct msg_connect_failed m = MESSAGE(CONNECT_FAILED, connect_failed);

	begin();
	go_up();
	m.error = -ECONNREFUSED;
	channel_send(&launcher, &m, NULL);
	turns();
	ck_assert_int_eq(gate.phase, LINK_UP);
	finish();
}
END_TEST

/* Stream ids are used up: no liveness call, so nobody would see that containerd hangs. */
START_TEST(no_stream_for_liveness)
{
	uint32_t epoch;

	begin();
	epoch = go_up();
	ck_assert_int_eq(nghttp2_session_set_next_stream_id(gate.session.http2, INT32_MAX), 0);
	call(METHOD_TASK_GET, 1, epoch, ID);
	now += 1 * NS_PER_S;
	gate_turn();
	nothing(&watcher);
	now += 2 * NS_PER_S;
	gate_turn();
	next(&watcher, MSG_CALL_END);	/* its deadline */
	ck_assert_int_eq(next(&watcher, MSG_STREAM_DOWN)->stream_down.reason, -EMFILE);
	finish();
}
END_TEST

UNIT_MAIN("gate_bounds", a_slow_watcher_holds_containerd_back, stuck_watcher, a_watcher_that_hangs_is_dismissed,
	  a_gate_that_was_stopped_dismisses_nobody, a_flood_is_read_in_turns, calls_are_rate_bound, one_list_at_a_time,
	  probes_are_rate_bound, a_late_refusal_harms_nothing, no_stream_for_liveness)
