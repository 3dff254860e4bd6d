/*
 * The watcher's bounds: what its peers owe it too long, floods, refusals for
 * now, lists that lack something.  The peers are watcher_play.h's.
 */
#include <errno.h>
#include "watcher_play.h"

/* The gate's rate bound is not the call's end: it is asked again, after a while and not for ever. */
START_TEST(a_call_refused_for_now_is_asked_again)
{
	uint64_t call;

	begin("ci");
	go_live();
	start_event();
	call = next_call(METHOD_CONTAINER_GET);
	send_end(call, METHOD_CONTAINER_GET, 8);
	nothing(&gate);
	ck_assert_uint_eq(watcher.runtime->ops->due_ns(watcher.runtime), now + 10 * NS_PER_MS);
	now += 10 * NS_PER_MS;
	turn();
	ck_assert_uint_eq(next_call(METHOD_CONTAINER_GET), call);
	send_seed(METHOD_CONTAINER_GET, call, "get-sandbox");
	expect_start();
	start_event();
	for (unsigned i = 0; i <= 20; i++) {
		send_end(next_call(METHOD_CONTAINER_GET), METHOD_CONTAINER_GET, 8);
		now += 10 * NS_PER_MS;
		turn();
	}
	nothing(&gate);
	ck_assert_uint_le(watcher.containerd.list_ns, now + NS_PER_S);
}
END_TEST

/* The gate could not pass one of its messages on: what the list does not have may run all the same. */
START_TEST(a_list_that_lacks_a_message_ends_nothing)
{
	begin("ci");
	go_live();
	attach();
	answer(OUTCOME_LIVE, 0);
	now += 30 * NS_PER_S;
	turn();
	send_end(next_call(METHOD_CONTAINER_LIST), METHOD_CONTAINER_LIST, 15);
	nothing(&attacher);
	ck_assert_int_eq(watcher.sandboxes.table[0].state, SANDBOX_ATTACHED);
}
END_TEST

/* The same where it is the watcher that could not take it. */
START_TEST(a_list_with_an_unreadable_message_ends_nothing)
{
	const size_t large = (4U << 20) + CHUNK_BYTES;
	struct msg_chunk m = MESSAGE(CHUNK, chunk);
	uint64_t list;

	begin("ci");
	go_live();
	attach();
	answer(OUTCOME_LIVE, 0);
	now += 30 * NS_PER_S;
	turn();
	list = next_call(METHOD_CONTAINER_LIST);
	m.call = list;
	m.epoch = EPOCH;
	m.method = METHOD_CONTAINER_LIST;
	m.length = CHUNK_BYTES;
	for (size_t sent = 0; sent < large; sent += CHUNK_BYTES) {
		m.last = sent + CHUNK_BYTES >= large;
		ck_assert_int_eq(channel_send(&gate, &m, NULL), 0);
		turn();
	}
	send_end(list, METHOD_CONTAINER_LIST, 0);
	nothing(&attacher);
	ck_assert_int_eq(watcher.sandboxes.table[0].state, SANDBOX_ATTACHED);
}
END_TEST

/* Lists that are never complete must not fill the table. */
START_TEST(an_ended_sandbox_is_forgotten_in_the_end)
{
	begin("ci");
	go_live();
	attach();
	answer(OUTCOME_LIVE, 0);
	sink.ended(sink.context, SANDBOX);
	attach_tick(&watcher, now);
	next(&attacher, MSG_END);
	now += 600 * NS_PER_S - 1;
	attach_tick(&watcher, now);
	ck_assert_uint_eq(watcher.sandboxes.high, 1);
	now++;
	attach_tick(&watcher, now);
	ck_assert_uint_eq(watcher.sandboxes.high, 0);
}
END_TEST

START_TEST(probes_without_an_answer_are_told_once)
{
	begin("ci");
	stream_up();
	for (unsigned i = 0; i < 49; i++) {
		now += 100 * NS_PER_MS;
		turn();
	}
	ck_assert_int_eq(watcher.containerd.probe_logged, 0);
	now += 1100 * NS_PER_MS;
	turn();
	ck_assert_int_eq(watcher.containerd.probe_logged, 1);
	stream_up();		/* of the next connection it is told again */
	ck_assert_int_eq(watcher.containerd.probe_logged, 0);
}
END_TEST

static void expect_overdue(uint64_t wait_ns, const char *reason)
{
	ck_assert_uint_eq(watcher.runtime->ops->due_ns(watcher.runtime), now + wait_ns);
	ck_assert_ptr_null(peers_overdue(&watcher, now + wait_ns - 1));
	ck_assert_str_eq(peers_overdue(&watcher, now + wait_ns), reason);
	watcher.containerd.unread = 1;	/* the answer may be there */
	ck_assert_ptr_null(peers_overdue(&watcher, now + wait_ns));
	watcher.containerd.unread = 0;
}

START_TEST(what_the_gate_owes_too_long_ends_the_watcher)
{
	uint64_t list, task;

	begin("ci");
	watcher.gate_deadline_ns = watcher.attacher_deadline_ns = UINT64_MAX;
	stream_up();
	probe_back(next(&gate, MSG_PROBE)->probe.nonce);
	list = next_call(METHOD_CONTAINER_LIST);
	expect_overdue(60 * NS_PER_S, "a list has no end");
	now += 59 * NS_PER_S;
	send_seed(METHOD_CONTAINER_LIST, list, "list-sandbox");
	task = next_call(METHOD_TASK_GET);
	send_end(list, METHOD_CONTAINER_LIST, 0);	/* counts anew from here */
	expect_overdue(10 * NS_PER_S, "a call has no end");
	send_end(task, METHOD_TASK_GET, 5);
	next(&launcher, MSG_READY);
	ck_assert_ptr_null(peers_overdue(&watcher, now + 1000 * NS_PER_S));
	watcher.gate_deadline_ns = now;
	ck_assert_str_eq(peers_overdue(&watcher, now), "no new channel came");
}
END_TEST

START_TEST(a_blocked_attacher_is_told_once)
{
	begin("ci");
	go_live();
	while (channel_send(&watcher.attacher, &MESSAGE(END, end), NULL) == 0)
		;
	attach_started(&watcher, &MESSAGE(STARTED, started), now);
	start_event();
	send_seed(METHOD_CONTAINER_GET, next_call(METHOD_CONTAINER_GET), "get-sandbox");
	ck_assert_int_eq(watcher.attacher_blocked, 1);
	ck_assert_uint_eq(attach_due_ns(&watcher), now + 10 * NS_PER_S);
	now += 10 * NS_PER_S - 1;
	attach_tick(&watcher, now);
	ck_assert_int_eq(watcher.blocked_logged, 0);
	now++;
	attach_tick(&watcher, now);
	ck_assert_int_eq(watcher.blocked_logged, 1);
	ck_assert_uint_eq(attach_due_ns(&watcher), UINT64_MAX);
	while (channel_receive(&attacher, &in) > 0)
		;
	attach_tick(&watcher, now);
	expect_start();
	ck_assert_int_eq(watcher.blocked_logged, 0);
}
END_TEST

static unsigned left_in(struct channel *channel)
{
	unsigned left = 0;

	while (channel_receive(channel, &in) > 0)
		left++;
	return left;
}

/* A peer that never stops keeps nobody else waiting. */
START_TEST(floods_are_read_in_turns)
{
	begin("ci");
	for (unsigned i = 0; i < 100; i++)
		ck_assert_int_eq(channel_send(&attacher, &MESSAGE(STARTED, started), NULL), 0);
	peers_attacher(&watcher, now);
	ck_assert_uint_eq(left_in(&watcher.attacher), 100 - 32);
	for (unsigned i = 0; i < 100; i++)
		ck_assert_int_eq(channel_send(&gate, &MESSAGE(CALL_END, call_end), NULL), 0);
	peers_runtime(&watcher, now);
	ck_assert_int_eq(watcher.containerd.unread, 1);
	ck_assert_uint_eq(left_in(&watcher.containerd.gate), 100 - 64);
}
END_TEST

UNIT_MAIN("watcher_bounds", a_call_refused_for_now_is_asked_again, a_list_that_lacks_a_message_ends_nothing,
	  a_list_with_an_unreadable_message_ends_nothing, an_ended_sandbox_is_forgotten_in_the_end,
	  probes_without_an_answer_are_told_once, what_the_gate_owes_too_long_ends_the_watcher,
	  a_blocked_attacher_is_told_once, floods_are_read_in_turns)
