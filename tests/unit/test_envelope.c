/* containerd's events: real ones, literal ones, and hostile ones. */
#include <errno.h>
#include <string.h>
#include "budget.h"
#include "containerd_seed.h"
#include "envelope.h"
#include "unit.h"

#define ID "7572fc1900a5ccb88407def0ba992e9c5265de7b12d37b08ac7cbd3645828c09"
#define START_TYPE "\x0a\x1b" "containerd.events.TaskStart"
#define LITERAL(s) (const uint8_t *)(s), sizeof(s) - 1

static uint8_t seed[SEED_MAX];

START_TEST(real_events)
{
	struct event event;

	ck_assert_int_eq(envelope_parse(seed, seed_read("task-start", seed), &event), 0);
	ck_assert_int_eq(event.kind, EVENT_TASK_START);
	ck_assert_str_eq(event.container, ID);
	ck_assert_uint_eq(event.pid, 14103);
	ck_assert_int_eq(envelope_parse(seed, seed_read("task-exit", seed), &event), 0);
	ck_assert_int_eq(event.kind, EVENT_TASK_END);
	ck_assert_uint_eq(strlen(event.container), 64);
	ck_assert_int_eq(envelope_parse(seed, seed_read("task-delete", seed), &event), 0);
	ck_assert_int_eq(event.kind, EVENT_TASK_END);
	ck_assert_int_eq(envelope_parse(seed, seed_read("probe", seed), &event), 0);
	ck_assert_int_eq(event.kind, EVENT_PROBE);
	ck_assert_mem_eq(&event.nonce, "\x25\x08\xf0\xa5\x25\x77\x3d\xf7", 8);
}
END_TEST

START_TEST(literal_start)
{
	struct event event;

	ck_assert_int_eq(envelope_parse(LITERAL("\x12\x06k8s.io\x1a\x0c/tasks/start\x22\x27" START_TYPE
						"\x12\x08\x0a\x03" "a.b\x10\xac\x02"), &event), 0);
	ck_assert_int_eq(event.kind, EVENT_TASK_START);
	ck_assert_str_eq(event.container, "a.b");
	ck_assert_uint_eq(event.pid, 300);
}
END_TEST

START_TEST(other_namespaces_and_topics_are_nothing)
{
	struct event event;

	ck_assert_int_eq(envelope_parse(LITERAL("\x12\x06k8s.ix\x1a\x0c/tasks/start\x22\x27" START_TYPE
						"\x12\x08\x0a\x03" "a.b\x10\xac\x02"), &event), 0);
	ck_assert_int_eq(event.kind, EVENT_OTHER);
	ck_assert_int_eq(envelope_parse(LITERAL("\x12\x06k8s.io\x1a\x0c/tasks/stirt\x22\x27" START_TYPE
						"\x12\x08\x0a\x03" "a.b\x10\xac\x02"), &event), 0);
	ck_assert_int_eq(event.kind, EVENT_OTHER);
	/* a probe is ours only under our namespace */
	ck_assert_int_eq(envelope_parse(LITERAL("\x12\x06k8s.io\x1a\x10/leitwacht/probe\x22\x1f\x0a\x13leitwacht.dev/probe"
						"\x12\x08" "12345678"), &event), 0);
	ck_assert_int_eq(event.kind, EVENT_OTHER);
}
END_TEST

START_TEST(hostile_events)
{
	struct event event;

	ck_assert_int_eq(envelope_parse(NULL, 0, &event), -EBADMSG);			/* no event at all */
	ck_assert_int_eq(envelope_parse(LITERAL("\x12\xff\xff\xff\xff\x0fk8s"), &event), -EBADMSG);	/* huge length */
	ck_assert_int_eq(envelope_parse(LITERAL("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), &event), -EBADMSG);
	/* TaskExit's type under /tasks/start */
	ck_assert_int_eq(envelope_parse(LITERAL("\x12\x06k8s.io\x1a\x0c/tasks/start\x22\x26\x0a\x1a" "containerd.events.TaskExit"
						"\x12\x08\x0a\x03" "a.b\x10\xac\x02"), &event), -EBADMSG);
	/* no pid; no id; an id that is a path; an id with a zero byte ends there, and is empty */
	ck_assert_int_eq(envelope_parse(LITERAL("\x12\x06k8s.io\x1a\x0c/tasks/start\x22\x24" START_TYPE
						"\x12\x05\x0a\x03" "a.b"), &event), -EBADMSG);
	ck_assert_int_eq(envelope_parse(LITERAL("\x12\x06k8s.io\x1a\x0c/tasks/start\x22\x21" START_TYPE
						"\x12\x02\x10\x01"), &event), -EBADMSG);
	ck_assert_int_eq(envelope_parse(LITERAL("\x12\x06k8s.io\x1a\x0c/tasks/start\x22\x26" START_TYPE
						"\x12\x07\x0a\x03" "a/b\x10\x02"), &event), -EBADMSG);
	ck_assert_int_eq(envelope_parse(LITERAL("\x12\x06k8s.io\x1a\x0c/tasks/start\x22\x26" START_TYPE
						"\x12\x07\x0a\x03" "\0/b\x10\x02"), &event), -EBADMSG);
	/* a nonce of seven bytes */
	ck_assert_int_eq(envelope_parse(LITERAL("\x12\x09leitwacht\x1a\x10/leitwacht/probe\x22\x1e\x0a\x13leitwacht.dev/probe"
						"\x12\x07" "1234567"), &event), -EBADMSG);
}
END_TEST

START_TEST(an_id_that_is_too_long)
{
	char id[EVENT_ID_MAX + 2];

	memset(id, 'a', sizeof(id));
	id[EVENT_ID_MAX] = 0;
	ck_assert_int_eq(event_id_valid(id), 1);
	id[EVENT_ID_MAX] = 'a';
	id[EVENT_ID_MAX + 1] = 0;
	ck_assert_int_eq(event_id_valid(id), 0);
	ck_assert_int_eq(event_id_valid(""), 0);
}
END_TEST

START_TEST(an_exec_is_not_the_container)
{
	struct event event;

	ck_assert_int_eq(envelope_parse(LITERAL("\x12\x06k8s.io\x1a\x0b/tasks/exit\x22\x27\x0a\x1a" "containerd.events.TaskExit"
						"\x12\x09\x0a\x01" "a\x12\x02" "e1\x18\x02"), &event), 0);
	ck_assert_int_eq(event.kind, EVENT_OTHER);
}
END_TEST

/* Cut and bent copies of real events: an error or a valid struct, never a crash (ASan and UBSan watch). */
START_TEST(mutations)
{
	static const char *const names[] = { "task-start", "task-exit", "task-delete", "probe" };
	uint64_t state = 1;

	for (unsigned n = 0; n < 4; n++) {
		size_t size = seed_read(names[n], seed);

		for (unsigned round = 0; round < 20000; round++) {
			static uint8_t copy[SEED_MAX];
			size_t cut = seed_random(&state) % (size + 1);
			struct event event;

			memcpy(copy, seed, size);
			for (unsigned i = seed_random(&state) % 4; i-- > 0;)
				copy[seed_random(&state) % size] = (uint8_t)seed_random(&state);
			if (!envelope_parse(copy, round % 2 ? size : cut, &event) && event.kind != EVENT_PROBE)
				ck_assert(event.kind == EVENT_OTHER || event_id_valid(event.container));
		}
	}
}
END_TEST

UNIT_MAIN("envelope", real_events, literal_start, other_namespaces_and_topics_are_nothing, hostile_events,
	  an_id_that_is_too_long, an_exec_is_not_the_container, mutations)
