/*
 * The watcher between a gate and an attacher that the test plays: what it asks,
 * what it claims, and when.  The payloads are real ones of containerd.
 */
#include <errno.h>
#include "watcher_play.h"

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

/* Tasks/Get of a hung shim takes seconds: a list's calls leave places to an event's. */
START_TEST(a_hung_list_does_not_hold_up_an_event)
{
	begin("ci");
	go_live();
	for (unsigned i = 0; i < 20; i++)
		ck_assert_ptr_nonnull(calls_add(&watcher.containerd.calls, CALL_LISTED_TASK, METHOD_TASK_GET, SANDBOX));
	turn();
	for (unsigned i = 0; i < 8; i++)
		next_call(METHOD_TASK_GET);
	nothing(&gate);
	attach();
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

/* Reconciles of many leave room, so that a pod behind its barrier does not wait for them. */
START_TEST(a_new_pod_goes_before_reconciles)
{
	struct sandbox_facts facts = { .pid = 9 };

	begin("ci");
	go_live();
	for (unsigned i = 0; i < 40; i++) {
		char id[SANDBOX_ID_LENGTH + 1];

		snprintf(id, sizeof(id), "%064u", i);
		memcpy(facts.id, id, SANDBOX_ID_LENGTH);
		sink.running(sink.context, &facts, now);
		watcher.sandboxes.table[i].attached = 1;
	}
	turn();
	ck_assert_uint_eq(watcher.sandboxes.asked, 4);
	for (unsigned i = 0; i < 4; i++)
		next(&attacher, MSG_START);
	start_event();
	send_seed(METHOD_CONTAINER_GET, next_call(METHOD_CONTAINER_GET), "get-sandbox");
	expect_start();
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
	  nothing_is_listed_before_the_probe_is_back, events_before_the_probe_count, what_runs_is_found_by_the_list,
	  another_namespace_is_never_touched, a_failed_attach_is_repeated_more_and_more_slowly,
	  a_lost_answer_is_asked_for_again, refused_is_final, gone_is_forgotten, another_runtime_is_refused,
	  an_end_is_told_once_and_forgotten_by_the_next_list, what_a_list_misses_is_ended,
	  a_failed_list_forgets_nothing_and_comes_again_soon, a_lost_call_brings_a_list,
	  a_hung_list_does_not_hold_up_an_event, malformed_payloads_are_skipped, a_swapped_answer_is_skipped,
	  what_speaks_of_another_epoch_is_stale, a_gate_that_breaks_the_contract_is_dropped, new_channels,
	  a_full_table_fails_closed, a_new_pod_goes_before_reconciles, guards)
