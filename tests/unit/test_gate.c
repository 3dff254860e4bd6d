/*
 * The gate between a launcher, a watcher and a containerd that the test plays;
 * the latter is an nghttp2 server on the other end of a socket pair.
 */
#define _GNU_SOURCE
#include "gate_play.h"

START_TEST(up_and_one_call)
{
	static uint8_t bytes[10005] = { 0, 0, 0, 10000 >> 8, 10000 & 0xff };
	struct answer answer = { bytes, sizeof(bytes), 0, "0" };
	const struct msg_chunk *chunk;
	uint32_t epoch, got = 0;

	begin();
	epoch = go_up();
	call(METHOD_CONTAINER_GET, 77, epoch, ID);
	ck_assert_str_eq(server.path, "/containerd.services.containers.v1.Containers/Get");
	ck_assert_str_eq(server.namespace, "k8s.io");
	ck_assert_mem_eq(server.body + 7, ID, 64);
	bytes[5] = 'a', bytes[10004] = 'z';
	respond(server.stream, &answer);
	do {
		chunk = &next(&watcher, MSG_CHUNK)->chunk;
		ck_assert_uint_eq(chunk->call, 77);
		ck_assert_uint_eq(chunk->method, METHOD_CONTAINER_GET);
		ck_assert_uint_eq(chunk->epoch, epoch);
		ck_assert_uint_eq(chunk->received_ns, now);
		if (!got)
			ck_assert_int_eq(chunk->bytes[0], 'a');
		got += chunk->length;
	} while (!chunk->last);
	ck_assert_uint_eq(got, 10000);
	ck_assert_int_eq(chunk->bytes[chunk->length - 1], 'z');
	ck_assert_int_eq(next(&watcher, MSG_CALL_END)->call_end.grpc_status, 0);
	nothing(&watcher);
	finish();
}
END_TEST

START_TEST(events_and_probe)
{
	struct answer events = { (const uint8_t *)"\0\0\0\0\3abc\0\0\0\0\2de", 15, 0, NULL };
	struct msg_probe probe = MESSAGE(PROBE, probe);
	const struct msg_chunk *chunk;
	int32_t subscription;

	begin();
	probe.epoch = go_up();
	subscription = server.stream;
	probe.nonce = 0x1122334455667788ULL;
	channel_send(&watcher, &probe, NULL);
	turns();
	ck_assert_str_eq(server.path, "/containerd.services.events.v1.Events/Publish");
	ck_assert_str_eq(server.namespace, "leitwacht");
	ck_assert_mem_eq(server.body + server.body_length - 8, &probe.nonce, 8);
	respond(subscription, &events);
	chunk = &next(&watcher, MSG_CHUNK)->chunk;
	ck_assert_uint_eq(chunk->method, METHOD_EVENTS);
	ck_assert_uint_eq(chunk->call, 0);
	ck_assert_mem_eq(chunk->bytes, "abc", 3);
	ck_assert_mem_eq(next(&watcher, MSG_CHUNK)->chunk.bytes, "de", 2);
	nothing(&watcher);
	finish();
}
END_TEST

START_TEST(errors_of_a_call)
{
	struct answer none = { (const uint8_t *)"", 0, 0, "5" }, odd = { (const uint8_t *)"", 0, 0, "5x" };
	uint32_t epoch;

	begin();
	epoch = go_up();
	call(METHOD_TASK_GET, 1, epoch, ID);
	respond(server.stream, &none);
	ck_assert_int_eq(next(&watcher, MSG_CALL_END)->call_end.grpc_status, 5);
	call(METHOD_TASK_GET, 2, epoch, ID);
	respond(server.stream, &odd);
	ck_assert_int_eq(next(&watcher, MSG_CALL_END)->call_end.grpc_status, GRPC_UNKNOWN);
	call(METHOD_TASK_GET, 3, epoch + 1, ID);	/* of another connection: no request, no answer */
	nothing(&watcher);
	ck_assert_uint_eq(server.requests, 3);
	finish();
}
END_TEST

/* A message beyond the bound is skipped; the connection and the next message live. */
START_TEST(too_large)
{
	static uint8_t bytes[5 + (4U << 20) + 1 + 5 + 1] = { 0, 0, 0x40, 0, 1 };
	struct answer answer = { bytes, sizeof(bytes), 0, "0" };
	uint32_t epoch;

	begin();
	bytes[sizeof(bytes) - 2] = 1;	/* then one of one byte */
	bytes[sizeof(bytes) - 1] = 'x';
	epoch = go_up();
	call(METHOD_CONTAINER_LIST, 4, epoch, "");
	respond(server.stream, &answer);
	for (int i = 0; i < 100; i++)
		turns();
	ck_assert_int_eq(next(&watcher, MSG_CHUNK)->chunk.bytes[0], 'x');
	ck_assert_int_eq(next(&watcher, MSG_CALL_END)->call_end.grpc_status, GRPC_DATA_LOSS);	/* the list lacks one */
	ck_assert_int_eq(gate.phase, LINK_UP);
	finish();
}
END_TEST

/* containerd says OK in the middle of a message. */
START_TEST(cut_short)
{
	struct answer answer = { (const uint8_t *)"\0\0\0\0\3ab", 7, 0, "0" };
	uint32_t epoch;

	begin();
	epoch = go_up();
	call(METHOD_CONTAINER_LIST, 4, epoch, "");
	respond(server.stream, &answer);
	next(&watcher, MSG_CHUNK);
	ck_assert_int_eq(next(&watcher, MSG_CALL_END)->call_end.grpc_status, GRPC_DATA_LOSS);
	finish();
}
END_TEST

/* One call that hangs is given up alone; only a late Version ends the connection. */
START_TEST(hung)
{
	struct answer version = { (const uint8_t *)"\0\0\0\0\0", 5, 0, "0" };
	uint32_t epoch;

	begin();
	epoch = go_up();
	call(METHOD_TASK_GET, 5, epoch, ID);
	now += CALL_DEADLINE_NS;
	turns();
	ck_assert_int_eq(next(&watcher, MSG_CALL_END)->call_end.grpc_status, GRPC_DEADLINE_EXCEEDED);
	ck_assert_uint_eq(server.resets, 1);
	ck_assert_int_eq(gate.phase, LINK_UP);
	now += 2 * NS_PER_S;
	turns();
	ck_assert_str_eq(server.path, "/containerd.services.version.v1.Version/Version");
	respond(server.stream, &version);	/* ours: the watcher hears nothing of it */
	nothing(&watcher);
	now += 3 * NS_PER_S;
	turns();
	nothing(&watcher);
	now += CALL_DEADLINE_NS;
	turns();
	ck_assert_int_eq(next(&watcher, MSG_STREAM_DOWN)->stream_down.reason, -ETIMEDOUT);
	finish();
}
END_TEST

START_TEST(no_greeting)
{
	begin();
	connect_gate();
	now += 2 * NS_PER_S;
	gate_turn();
	ck_assert_int_eq(gate.phase, LINK_IDLE);
	nothing(&watcher);	/* it was never up */
	finish();
}
END_TEST

START_TEST(end_of_file_goaway_and_end_of_the_subscription)
{
	struct answer end = { (const uint8_t *)"", 0, 0, "14" };

	begin();
	ck_assert_uint_eq(go_up(), 1);
	server_close();
	gate_turn();
	ck_assert_uint_eq(next(&watcher, MSG_STREAM_DOWN)->stream_down.epoch, 1);
	now += NS_PER_S;
	ck_assert_uint_eq(go_up(), 2);
	nghttp2_session_terminate_session(server.http2, NGHTTP2_ENHANCE_YOUR_CALM);
	turns();
	next(&watcher, MSG_STREAM_DOWN);
	server_close();
	now += NS_PER_S;
	ck_assert_uint_eq(go_up(), 3);
	respond(server.stream, &end);
	next(&watcher, MSG_STREAM_DOWN);
	finish();
}
END_TEST

START_TEST(refused_connections_back_off)
{
	static const unsigned waits_ms[] = { 0, 0 /* the first two at once */, 50, 100, 200, 400, 800, 1000, 1000 };
	struct msg_connect_failed m = MESSAGE(CONNECT_FAILED, connect_failed);

	begin();
	m.error = -ECONNREFUSED;
	for (unsigned i = 0; i < ARRAY_SIZE(waits_ms); i++) {
		if (waits_ms[i]) {
			now += waits_ms[i] * NS_PER_MS - 1;
			link_tick(&gate, now);
			nothing(&launcher);
			now++;
		}
		link_tick(&gate, now);
		next(&launcher, MSG_CONNECT);
		channel_send(&launcher, &m, NULL);
		peers_launcher(&gate, now);
	}
}
END_TEST

/* A call outside the contract is the watcher's end, and its connection's. */
START_TEST(hostile_watcher)
{
	static const char *const ids[] = { "", "../x", "a b", "\"" };

	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++) {
		uint32_t epoch;

		begin();
		epoch = go_up();
		call(METHOD_CONTAINER_GET, 6, epoch, ids[i]);
		ck_assert_int_eq(gate.watcher.fd, -1);
		ck_assert_int_eq(gate.phase, LINK_IDLE);
		ck_assert_int_eq(channel_receive(&watcher, &in), -EPIPE);
		ck_assert_uint_eq(server.requests, 1);
		now += 10 * NS_PER_S;
		gate_turn();
		nothing(&launcher);	/* no watcher, no connection */
		finish();
	}
}
END_TEST

START_TEST(more_calls_than_places)
{
	uint32_t epoch;

	begin();
	epoch = go_up();
	for (unsigned i = 1; i < STREAMS_MAX - STREAMS_RESERVED; i++)	/* one is the subscription's */
		call(METHOD_TASK_GET, i, epoch, ID);
	nothing(&watcher);
	call(METHOD_TASK_GET, 999, epoch, ID);
	ck_assert_uint_eq(next(&watcher, MSG_CALL_END)->call_end.call, 999);
	ck_assert_int_eq(in.m.call_end.grpc_status, GRPC_RESOURCE_EXHAUSTED);
	ck_assert_int_eq(gate.phase, LINK_UP);
	finish();
}
END_TEST

START_TEST(a_new_watcher_gets_a_new_connection)
{
	struct msg_peer m = MESSAGE(PEER, peer);
	int ends[2];

	begin();
	ck_assert_uint_eq(go_up(), 1);
	drop_fd(&watcher.fd);
	gate_turn();
	ck_assert_int_eq(gate.phase, LINK_IDLE);
	server_close();
	high_pair(SOCK_SEQPACKET, ends);
	m.peer = P_WATCHER;
	channel_send(&launcher, &m, &ends[1]);
	close(ends[1]);
	watcher.fd = ends[0];
	peers_launcher(&gate, now);
	ck_assert_int_eq(gate.watcher.fd, FD_GATE_WATCHER);
	ck_assert_uint_eq(go_up(), 2);
	finish();
}
END_TEST

UNIT_MAIN("gate", up_and_one_call, events_and_probe, errors_of_a_call, too_large, hung, no_greeting,
	  end_of_file_goaway_and_end_of_the_subscription, refused_connections_back_off, hostile_watcher,
	  more_calls_than_places, a_new_watcher_gets_a_new_connection, cut_short)
