/* Plays launcher, gate and attacher to the watcher; one turn of its loop at a time, with a clock of the test's. */
#ifndef WATCHER_PLAY_H
#define WATCHER_PLAY_H

#include <errno.h>
#include <string.h>
#include "cleanup.h"
#include "clock.h"
#include "containerd_seed.h"
#include "unit.h"
#include "watcher.h"

#define SANDBOX "7572fc1900a5ccb88407def0ba992e9c5265de7b12d37b08ac7cbd3645828c09"
#define PID 14103
#define EPOCH 7

static struct watcher watcher;
static struct runtime_sink sink;
static struct channel gate = { -1, P_GATE, P_WATCHER, ST_READY };
static struct channel attacher = { -1, P_ATTACHER, P_WATCHER, ST_READY };
static struct channel launcher = { -1, P_LAUNCHER, P_WATCHER, ST_NEW };
static uint64_t now = 1000 * NS_PER_S;
static uint8_t seed[SEED_MAX];
static struct received in;

static void open_channel(struct channel *theirs, struct channel *ours, enum process peer)
{
	int ends[2];

	ck_assert_int_eq(channel_pair(ends), 0);
	theirs->fd = ends[0];
	*ours = (struct channel){ ends[1], P_WATCHER, peer, ST_READY };
}

static void begin(const char *guarded)
{
	memset(&watcher, 0, sizeof(watcher));
	watcher.guard.namespaces[0] = guarded;
	watcher.guard.count = 1;
	facts_sink(&sink, &watcher);
	containerd_open(&watcher.containerd, &sink, 41);
	watcher.runtime = &watcher.containerd.runtime;
	open_channel(&gate, &watcher.containerd.gate, P_GATE);
	open_channel(&attacher, &watcher.attacher, P_ATTACHER);
	open_channel(&launcher, &watcher.launcher, P_LAUNCHER);
}

/* One turn of the watcher's loop. */
static int turn(void)
{
	struct received from;
	int error = watcher.runtime->ops->receive(watcher.runtime, now);

	while (channel_receive(&watcher.attacher, &from) > 0)
		attach_started(&watcher, &from.m.started, now);
	watcher.runtime->ops->tick(watcher.runtime, now);
	attach_tick(&watcher, now);
	return error;
}

static void stream_up(void)
{
	struct msg_stream_up m = MESSAGE(STREAM_UP, stream_up);

	m.epoch = EPOCH;
	ck_assert_int_eq(channel_send(&gate, &m, NULL), 0);
	ck_assert_int_eq(turn(), 0);
}

static void send_bytes(uint32_t method, uint64_t call, uint32_t epoch, const uint8_t *bytes, size_t size)
{
	struct msg_chunk m;
	size_t part;

	do {
		part = size < CHUNK_BYTES ? size : CHUNK_BYTES;
		m = MESSAGE(CHUNK, chunk);
		m.received_ns = now - NS_PER_MS;
		m.call = call;
		m.epoch = epoch;
		m.method = method;
		m.length = (uint32_t)part;
		m.last = part == size;
		memcpy(m.bytes, bytes, part);
		ck_assert_int_eq(channel_send(&gate, &m, NULL), 0);
		bytes += part;
		size -= part;
	} while (size);
	ck_assert_int_eq(turn(), 0);
}

static void send_seed(uint32_t method, uint64_t call, const char *name)
{
	send_bytes(method, call, EPOCH, seed, seed_read(name, seed));
}

static void send_end(uint64_t call, uint32_t method, int32_t status)
{
	struct msg_call_end m = MESSAGE(CALL_END, call_end);

	m.call = call;
	m.epoch = EPOCH;
	m.method = method;
	m.grpc_status = status;
	ck_assert_int_eq(channel_send(&gate, &m, NULL), 0);
	ck_assert_int_eq(turn(), 0);
}

static void nothing(struct channel *from)
{
	ck_assert_int_eq(channel_receive(from, &in), 0);
}

/* The next message of this type; the watcher has nothing else to say first. */
static const union message *next(struct channel *from, uint16_t type)
{
	ck_assert_int_eq(channel_receive(from, &in), 1);
	ck_assert_uint_eq(in.m.h.type, type);
	return &in.m;
}

static uint64_t next_call(uint32_t method)
{
	const struct msg_call *call = &next(&gate, MSG_CALL)->call;

	ck_assert_uint_eq(call->method, method);
	ck_assert_uint_eq(call->epoch, EPOCH);
	return call->call;
}

static void probe_back(uint64_t nonce)
{
	uint8_t bytes[] = "\x12\x09leitwacht\x1a\x10/leitwacht/probe\x22\x1f\x0a\x13leitwacht.dev/probe\x12\x08NNNNNNNN";

	memcpy(bytes + sizeof(bytes) - 9, &nonce, 8);
	send_bytes(METHOD_EVENTS, 0, EPOCH, bytes, sizeof(bytes) - 1);
}

/* Up, probed, listed (nothing runs), READY. */
static void go_live(void)
{
	uint64_t list;

	stream_up();
	probe_back(next(&gate, MSG_PROBE)->probe.nonce);
	list = next_call(METHOD_CONTAINER_LIST);
	send_end(list, METHOD_CONTAINER_LIST, 0);
	next(&launcher, MSG_READY);
}

static void start_event(void)
{
	send_seed(METHOD_EVENTS, 0, "task-start");
}

static void expect_start(void)
{
	const struct msg_start *start = &next(&attacher, MSG_START)->start;

	ck_assert_mem_eq(start->sandbox, SANDBOX, SANDBOX_ID_LENGTH);
	ck_assert_uint_eq(start->pid, PID);
	ck_assert_uint_eq(start->bundle, 1);
}

static void attach(void)
{
	start_event();
	send_seed(METHOD_CONTAINER_GET, next_call(METHOD_CONTAINER_GET), "get-sandbox");
	send_end(watcher.containerd.calls.last_number, METHOD_CONTAINER_GET, 0);
	expect_start();
}

static void answer(uint32_t outcome, int error)
{
	struct msg_started m = MESSAGE(STARTED, started);

	memcpy(m.sandbox, SANDBOX, SANDBOX_ID_LENGTH);
	m.outcome = outcome;
	m.stage = STAGE_NFT;
	m.error = error;
	m.live_ns = now;
	ck_assert_int_eq(channel_send(&attacher, &m, NULL), 0);
	turn();
}

#endif
