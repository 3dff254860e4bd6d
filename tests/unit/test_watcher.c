/*
 * The watcher between a gate and an attacher that the test plays: what it asks,
 * what it claims, and when.  The payloads are real ones of containerd.
 */
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

START_TEST(an_event_becomes_a_claim)
{
	begin("ci");
	go_live();
	attach();
	answer(OUTCOME_LIVE, 0);
	nothing(&attacher);
	start_event();		/* told twice */
	send_seed(METHOD_CONTAINER_GET, next_call(METHOD_CONTAINER_GET), "get-sandbox");
	nothing(&attacher);
}
END_TEST

/* TaskCreate of the seed's sandbox. */
static void create_event(void)
{
	uint8_t bytes[] = "\x12\x06k8s.io\x1a\x0d/tasks/create\x22\x62\x0a\x1c" "containerd.events.TaskCreate\x12\x42\x0a\x40" SANDBOX;

	send_bytes(METHOD_EVENTS, 0, EPOCH, bytes, sizeof(bytes) - 1);
}

START_TEST(a_container_known_from_its_creation_is_claimed_at_once)
{
	begin("ci");
	go_live();
	create_event();
	send_seed(METHOD_CONTAINER_GET, next_call(METHOD_CONTAINER_GET), "get-sandbox");
	send_end(watcher.containerd.calls.last_number, METHOD_CONTAINER_GET, 0);
	nothing(&attacher);	/* it may be without a network yet */
	start_event();
	nothing(&gate);
	expect_start();
	answer(OUTCOME_LIVE, 0);
}
END_TEST

START_TEST(a_start_before_the_creations_answer_waits_for_it)
{
	uint64_t call;

	begin("ci");
	go_live();
	create_event();
	call = next_call(METHOD_CONTAINER_GET);
	start_event();
	nothing(&gate);
	send_seed(METHOD_CONTAINER_GET, call, "get-sandbox");
	expect_start();
}
END_TEST

/* A malformed answer at the creation does not swallow the start. */
START_TEST(a_bad_answer_at_the_creation_is_asked_for_again)
{
	begin("ci");
	go_live();
	create_event();
	send_bytes(METHOD_CONTAINER_GET, next_call(METHOD_CONTAINER_GET), EPOCH, (const uint8_t *)"\xff\xff", 2);
	attach();
}
END_TEST

START_TEST(nothing_is_listed_before_the_probe_is_back)
{
	uint64_t nonce;

	begin("ci");
	stream_up();
	nonce = next(&gate, MSG_PROBE)->probe.nonce;
	nothing(&gate);
	for (unsigned i = 0; i < 3; i++) {	/* repeated at 5, 15, 35 ms */
		now += (5ULL << i) * NS_PER_MS;
		turn();
		ck_assert_uint_eq(next(&gate, MSG_PROBE)->probe.nonce, nonce);
		nothing(&gate);
	}
	probe_back(nonce - 1);	/* of an earlier connection */
	nothing(&gate);
	probe_back(nonce);
	next_call(METHOD_CONTAINER_LIST);
	now += NS_PER_S;
	turn();
	nothing(&gate);
}
END_TEST

/* Before the probe is back, an event is taken all the same. */
START_TEST(events_before_the_probe_count)
{
	begin("ci");
	stream_up();
	next(&gate, MSG_PROBE);
	attach();
}
END_TEST

START_TEST(what_runs_is_found_by_the_list)
{
	uint64_t list, task;

	begin("ci");
	stream_up();
	probe_back(next(&gate, MSG_PROBE)->probe.nonce);
	list = next_call(METHOD_CONTAINER_LIST);
	send_seed(METHOD_CONTAINER_LIST, list, "list-sandbox");
	task = next_call(METHOD_TASK_GET);
	send_end(list, METHOD_CONTAINER_LIST, 0);
	nothing(&launcher);	/* its task is not known yet */
	send_seed(METHOD_TASK_GET, task, "get-task");
	expect_start();
	send_end(task, METHOD_TASK_GET, 0);
	next(&launcher, MSG_READY);
	answer(OUTCOME_LIVE, 0);

	now += 30 * NS_PER_S;	/* the timer: START again, answered ALREADY; READY not again */
	turn();
	list = next_call(METHOD_CONTAINER_LIST);
	send_seed(METHOD_CONTAINER_LIST, list, "list-sandbox");
	task = next_call(METHOD_TASK_GET);
	send_seed(METHOD_TASK_GET, task, "get-task");
	expect_start();
	answer(OUTCOME_ALREADY, 0);
	send_end(task, METHOD_TASK_GET, 0);
	send_end(list, METHOD_CONTAINER_LIST, 0);
	nothing(&launcher);
}
END_TEST

START_TEST(another_namespace_is_never_touched)
{
	begin("c");
	go_live();
	start_event();
	send_seed(METHOD_CONTAINER_GET, next_call(METHOD_CONTAINER_GET), "get-sandbox");
	nothing(&attacher);
	ck_assert_uint_eq(watcher.sandboxes.high, 0);
}
END_TEST

START_TEST(a_failed_attach_is_repeated_more_and_more_slowly)
{
	static const unsigned waits_ms[] = { 250, 500, 1000, 2000, 4000, 5000, 5000 };

	begin("ci");
	go_live();
	attach();
	for (unsigned i = 0; i < ARRAY_SIZE(waits_ms); i++) {
		answer(OUTCOME_FAILED, -EBUSY);
		now += waits_ms[i] * NS_PER_MS - 1;
		turn();
		nothing(&attacher);
		now += 1;
		turn();
		expect_start();
	}
	send_seed(METHOD_EVENTS, 0, "task-exit");	/* of another sandbox */
	nothing(&attacher);
	answer(OUTCOME_LIVE, 0);
}
END_TEST

START_TEST(a_lost_answer_is_asked_for_again)
{
	begin("ci");
	go_live();
	attach();
	now += 10 * NS_PER_S;
	turn();
	now += NS_PER_S;
	turn();
	expect_start();
}
END_TEST

START_TEST(refused_is_final)
{
	begin("ci");
	go_live();
	attach();
	answer(OUTCOME_REFUSED, -EPERM);
	now += 20 * NS_PER_S;
	turn();
	nothing(&attacher);
	attach_all_again(&watcher, now);
	turn();
	nothing(&attacher);
}
END_TEST

START_TEST(gone_is_forgotten)
{
	begin("ci");
	go_live();
	attach();
	answer(OUTCOME_GONE, 0);
	ck_assert_uint_eq(watcher.sandboxes.high, 0);
}
END_TEST

/* The same payload with another shim's name. */
START_TEST(another_runtime_is_refused)
{
	size_t size;
	uint8_t *name;
	uint64_t call;

	begin("ci");
	go_live();
	start_event();
	call = next_call(METHOD_CONTAINER_GET);
	size = seed_read("get-sandbox", seed);
	for (name = seed; memcmp(name, "io.containerd.runc.v2", 21) != 0;)
		name++;
	memcpy(name + 14, "kata", 4);
	send_bytes(METHOD_CONTAINER_GET, call, EPOCH, seed, size);
	nothing(&attacher);
	ck_assert_int_eq(watcher.sandboxes.table[0].state, SANDBOX_REFUSED);
}
END_TEST

START_TEST(an_end_is_told_once_and_forgotten_by_the_next_list)
{
	uint64_t list;

	begin("ci");
	go_live();
	attach();
	answer(OUTCOME_LIVE, 0);
	sink.ended(sink.context, SANDBOX);
	sink.ended(sink.context, SANDBOX);
	turn();
	ck_assert_mem_eq(next(&attacher, MSG_END)->end.sandbox, SANDBOX, SANDBOX_ID_LENGTH);
	nothing(&attacher);
	ck_assert_uint_eq(watcher.sandboxes.high, 1);
	now += 30 * NS_PER_S;
	turn();
	list = next_call(METHOD_CONTAINER_LIST);
	send_end(list, METHOD_CONTAINER_LIST, 0);
	ck_assert_uint_eq(watcher.sandboxes.high, 0);
}
END_TEST

/* Its exit was lost: the list that does not have it says so. */
START_TEST(what_a_list_misses_is_ended)
{
	begin("ci");
	go_live();
	attach();
	answer(OUTCOME_LIVE, 0);
	now += 30 * NS_PER_S;
	turn();
	send_end(next_call(METHOD_CONTAINER_LIST), METHOD_CONTAINER_LIST, 0);
	next(&attacher, MSG_END);
}
END_TEST

START_TEST(a_failed_list_forgets_nothing_and_comes_again_soon)
{
	begin("ci");
	go_live();
	attach();
	answer(OUTCOME_LIVE, 0);
	now += 30 * NS_PER_S;
	turn();
	send_end(next_call(METHOD_CONTAINER_LIST), METHOD_CONTAINER_LIST, 14);
	nothing(&attacher);
	now += NS_PER_S;
	turn();
	next_call(METHOD_CONTAINER_LIST);
}
END_TEST

/* An event whose call got no answer is found by a list in a second, not in thirty. */
START_TEST(a_lost_call_brings_a_list)
{
	begin("ci");
	go_live();
	start_event();
	send_end(next_call(METHOD_CONTAINER_GET), METHOD_CONTAINER_GET, 4);
	nothing(&gate);
	now += NS_PER_S;
	turn();
	next_call(METHOD_CONTAINER_LIST);
}
END_TEST

START_TEST(malformed_payloads_are_skipped)
{
	begin("ci");
	go_live();
	send_bytes(METHOD_EVENTS, 0, EPOCH, (const uint8_t *)"\xff\xff", 2);
	start_event();
	send_bytes(METHOD_CONTAINER_GET, next_call(METHOD_CONTAINER_GET), EPOCH, (const uint8_t *)"\xff\xff", 2);
	nothing(&attacher);
	attach();
}
END_TEST

/* The answer names another container than was asked for. */
START_TEST(a_swapped_answer_is_skipped)
{
	begin("ci");
	go_live();
	start_event();
	send_seed(METHOD_CONTAINER_GET, next_call(METHOD_CONTAINER_GET), "get-workload");
	nothing(&attacher);
}
END_TEST

START_TEST(what_speaks_of_another_epoch_is_stale)
{
	uint64_t call;

	begin("ci");
	go_live();
	send_bytes(METHOD_EVENTS, 0, EPOCH - 1, seed, seed_read("task-start", seed));
	nothing(&gate);
	start_event();
	call = next_call(METHOD_CONTAINER_GET);
	send_bytes(METHOD_CONTAINER_GET, call, EPOCH + 1, seed, seed_read("get-sandbox", seed));
	send_seed(METHOD_CONTAINER_GET, call + 1, "get-sandbox");	/* no such call */
	send_seed(METHOD_TASK_GET, call, "get-sandbox");		/* not its method */
	nothing(&attacher);
}
END_TEST

START_TEST(a_gate_that_breaks_the_contract_is_dropped)
{
	struct msg_chunk m = MESSAGE(CHUNK, chunk);

	begin("ci");
	go_live();
	m.epoch = EPOCH;
	m.method = METHOD_EVENTS;
	m.length = CHUNK_BYTES + 1;
	channel_send(&gate, &m, NULL);
	ck_assert_int_eq(turn(), -EBADMSG);
	ck_assert_int_eq(watcher.containerd.gate.fd, -1);
}
END_TEST

/* A restarted attacher, and a restarted gate. */
START_TEST(new_channels)
{
	int ends[2];

	begin("ci");
	go_live();
	attach();
	answer(OUTCOME_LIVE, 0);
	attach_all_again(&watcher, now);
	turn();
	expect_start();
	answer(OUTCOME_ALREADY, 0);
	ck_assert_int_eq(channel_pair(ends), 0);
	gate.fd = ends[0];
	watcher.runtime->ops->adopt(watcher.runtime, ends[1]);
	stream_up();
	probe_back(next(&gate, MSG_PROBE)->probe.nonce);
	next_call(METHOD_CONTAINER_LIST);
}
END_TEST

/* One place more than there is: that pod gets no START. */
START_TEST(a_full_table_fails_closed)
{
	struct sandbox_facts facts = { .pid = 9 };

	begin("ci");
	go_live();
	for (unsigned i = 0; i <= SANDBOXES_MAX; i++) {
		char id[SANDBOX_ID_LENGTH + 1];

		snprintf(id, sizeof(id), "%064u", i);
		memcpy(facts.id, id, SANDBOX_ID_LENGTH);
		sink.running(sink.context, &facts, now);
	}
	ck_assert_uint_eq(watcher.sandboxes.high, SANDBOXES_MAX);
	turn();
	ck_assert_uint_eq(watcher.sandboxes.asked, 16);	/* the others wait for answers */
	for (unsigned i = 0; i < 16; i++)
		next(&attacher, MSG_START);
	nothing(&attacher);
}
END_TEST

START_TEST(guards)
{
	struct guard guard = { 0 };

	ck_assert_int_eq(guard_add(&guard, "ci"), 0);
	ck_assert_int_eq(guard_covers(&guard, "ci"), 1);
	ck_assert_int_eq(guard_covers(&guard, "ci2"), 0);
	ck_assert_int_eq(guard_covers(&guard, ""), 0);
	ck_assert_int_eq(guard_add(&guard, ""), -EINVAL);
	ck_assert_int_eq(guard_add(&guard, "a*"), -EINVAL);
	ck_assert_int_eq(guard_add(&guard, "a b"), -EINVAL);
	ck_assert_int_eq(guard_add(&guard, "0123456789012345678901234567890123456789012345678901234567890123"), -EINVAL);
	ck_assert_int_eq(guard_add(&guard, "*"), 0);
	ck_assert_int_eq(guard_covers(&guard, "other"), 1);
	ck_assert_int_eq(guard_covers(&guard, ""), 0);
}
END_TEST

UNIT_MAIN("watcher", an_event_becomes_a_claim, a_container_known_from_its_creation_is_claimed_at_once,
	  a_start_before_the_creations_answer_waits_for_it, a_bad_answer_at_the_creation_is_asked_for_again,
	  nothing_is_listed_before_the_probe_is_back, events_before_the_probe_count,
	  what_runs_is_found_by_the_list, another_namespace_is_never_touched,
	  a_failed_attach_is_repeated_more_and_more_slowly, a_lost_answer_is_asked_for_again, refused_is_final, gone_is_forgotten,
	  another_runtime_is_refused, an_end_is_told_once_and_forgotten_by_the_next_list, what_a_list_misses_is_ended,
	  a_failed_list_forgets_nothing_and_comes_again_soon, a_lost_call_brings_a_list, malformed_payloads_are_skipped,
	  a_swapped_answer_is_skipped, what_speaks_of_another_epoch_is_stale, a_gate_that_breaks_the_contract_is_dropped,
	  new_channels, a_full_table_fails_closed, guards)
