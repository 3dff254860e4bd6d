/* containerd's containers, specs and tasks: real ones, literal ones, and hostile ones. */
#include <errno.h>
#include <string.h>
#include "budget.h"
#include "container.h"
#include "containerd_seed.h"
#include "unit.h"

#define SANDBOX "7572fc1900a5ccb88407def0ba992e9c5265de7b12d37b08ac7cbd3645828c09"
#define LITERAL(s) (const uint8_t *)(s), sizeof(s) - 1
#define JSON(s) (s), sizeof(s) - 1

static uint8_t seed[SEED_MAX];

START_TEST(real_sandbox)
{
	static const char *const names[] = { "get-sandbox", "list-sandbox" };

	for (unsigned i = 0; i < 2; i++) {
		struct container c;
		struct spec spec;

		ck_assert_int_eq(container_open(seed, seed_read(names[i], seed), &c), 0);
		ck_assert_int_eq(c.kind, CONTAINER_SANDBOX);
		ck_assert_str_eq(c.id, SANDBOX);
		ck_assert_str_eq(c.namespace, "ci");
		ck_assert_str_eq(c.pod, "job");
		ck_assert_str_eq(c.uid, "442a473a-0f8f-4309-bf15-c4decd1e1b20");
		ck_assert_str_eq(c.runtime, "io.containerd.runc.v2");
		ck_assert_int_eq(container_spec(&c, &spec), 0);
		ck_assert_int_eq(spec.own_network, 1);
		container_close(&c);
	}
}
END_TEST

START_TEST(real_workload)
{
	struct container c;
	struct spec spec;

	ck_assert_int_eq(container_open(seed, seed_read("get-workload", seed), &c), 0);
	ck_assert_int_eq(c.kind, CONTAINER_WORKLOAD);
	ck_assert_str_eq(c.name, "main");
	ck_assert_int_eq(container_spec(&c, &spec), 0);
	ck_assert_str_eq(spec.sandbox, SANDBOX);
	container_close(&c);
}
END_TEST

START_TEST(real_task)
{
	struct task task;

	ck_assert_int_eq(task_parse(seed, seed_read("get-task", seed), &task), 0);
	ck_assert_str_eq(task.id, SANDBOX);
	ck_assert_uint_eq(task.pid, 14103);
	ck_assert_int_eq(task.state, TASK_RUNS);
}
END_TEST

START_TEST(literal_tasks)
{
	struct task task;

	ck_assert_int_eq(task_parse(LITERAL("\x0a\x07\x12\x01" "a\x18\x05\x20\x02"), &task), 0);
	ck_assert_int_eq(task.state, TASK_RUNS);
	ck_assert_int_eq(task_parse(LITERAL("\x0a\x07\x12\x01" "a\x18\x05\x20\x01"), &task), 0);
	ck_assert_int_eq(task.state, TASK_CREATED);
	ck_assert_int_eq(task_parse(LITERAL("\x0a\x07\x12\x01" "a\x18\x05\x20\x04"), &task), 0);
	ck_assert_int_eq(task.state, TASK_RUNS);
	ck_assert_int_eq(task_parse(LITERAL("\x0a\x07\x12\x01" "a\x18\x05\x20\x03"), &task), 0);
	ck_assert_int_eq(task.state, TASK_GONE);
	ck_assert_int_eq(task_parse(LITERAL("\x0a\x05\x12\x01" "a\x20\x02"), &task), 0);	/* runs, says no pid */
	ck_assert_int_eq(task.state, TASK_GONE);
	ck_assert_int_eq(task_parse(LITERAL(""), &task), -EBADMSG);
	ck_assert_int_eq(task_parse(LITERAL("\x0a\x04\x18\x05\x20\x02"), &task), -EBADMSG);	/* no id */
	ck_assert_int_eq(task_parse(LITERAL("\x0a\x07\x12\x01" "/\x18\x05\x20\x02"), &task), -EBADMSG);
	ck_assert_int_eq(task_parse(LITERAL("\x0a\x07\x12\x7f" "a\x18\x05\x20\x02"), &task), -EBADMSG);
}
END_TEST

START_TEST(hostile_containers)
{
	struct container c;
	struct spec spec;

	ck_assert_int_eq(container_open(NULL, 0, &c), -EBADMSG);
	ck_assert_int_eq(container_open(LITERAL("\x0a\x00"), &c), -EBADMSG);			/* no id */
	ck_assert_int_eq(container_open(LITERAL("\x0a\x05\x0a\x03" "../"), &c), -EBADMSG);
	ck_assert_int_eq(container_open(LITERAL("\x0a\xff\xff\xff\xff\x07"), &c), -EBADMSG);
	/* a label twice: which of the two would hold? */
	ck_assert_int_eq(container_open(LITERAL("\x0a\x3f\x0a\x01" "a"
						"\x12\x1d\x0a\x16io.cri-containerd.kind\x12\x03" "abc"
						"\x12\x1b\x0a\x16io.cri-containerd.kind\x12\x01" "b"), &c), -EBADMSG);
	/* no spec, or one of another type */
	ck_assert_int_eq(container_open(LITERAL("\x0a\x03\x0a\x01" "a"), &c), 0);
	ck_assert_int_eq(c.kind, CONTAINER_OTHER);
	ck_assert_int_eq(container_spec(&c, &spec), -EBADMSG);
	container_close(&c);
	ck_assert_int_eq(container_open(LITERAL("\x0a\x0c\x0a\x01" "a\x2a\x07\x0a\x01x\x12\x02{}"), &c), 0);
	ck_assert_int_eq(container_spec(&c, &spec), -EBADMSG);
	container_close(&c);
}
END_TEST

/* A namespace longer than Kubernetes allows is refused, never cut: cut, it could be a guarded one's name. */
START_TEST(an_overlong_namespace)
{
	uint8_t bytes[128] = "\x0a\x64\x0a\x01" "a\x12\x5f\x0a\x1b" "io.kubernetes.pod.namespace\x12\x40";
	struct container c;

	memset(bytes + 38, 'n', 64);
	ck_assert_int_eq(container_open(bytes, 102, &c), -EBADMSG);
	bytes[1] = 0x63, bytes[6] = 0x5e, bytes[37] = 0x3f;
	ck_assert_int_eq(container_open(bytes, 101, &c), 0);
	ck_assert_uint_eq(strlen(c.namespace), 63);
	container_close(&c);
}
END_TEST

START_TEST(specs)
{
	struct spec spec;

	ck_assert_int_eq(spec_parse(JSON("{}"), &spec), 0);
	ck_assert_int_eq(spec.own_network, 0);
	ck_assert_str_eq(spec.sandbox, "");
	ck_assert_int_eq(spec_parse(JSON("{\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\",\"path\":\"/x\"}]},"
					 "\"annotations\":{\"io.kubernetes.cri.sandbox-id\":\"abc\"}}"), &spec), 0);
	ck_assert_int_eq(spec.own_network, 1);
	ck_assert_str_eq(spec.sandbox, "abc");
	/* RLIM_INFINITY does not fit a signed integer; Kubernetes writes it */
	ck_assert_int_eq(spec_parse(JSON("{\"process\":{\"rlimits\":[{\"hard\":18446744073709551615}]}}"), &spec), 0);
}
END_TEST

START_TEST(hostile_specs)
{
	static char deep[20000];
	struct spec spec;

	ck_assert_int_eq(spec_parse("", 0, &spec), -EBADMSG);
	ck_assert_int_eq(spec_parse(JSON("[]"), &spec), -EBADMSG);
	ck_assert_int_eq(spec_parse(JSON("{\"a\":1,\"a\":2}"), &spec), -EBADMSG);
	ck_assert_int_eq(spec_parse(JSON("{\"annotations\":{\"io.kubernetes.cri.sandbox-id\":\"a\","
					 "\"io.kubernetes.cri.sandbox-id\":\"b\"}}"), &spec), -EBADMSG);
	ck_assert_int_eq(spec_parse(JSON("{} {}"), &spec), -EBADMSG);
	ck_assert_int_eq(spec_parse(JSON("{\"a\":\"\xff\"}"), &spec), -EBADMSG);
	ck_assert_int_eq(spec_parse(JSON("{\"a\":\"\\u0000\"}"), &spec), -EBADMSG);
	/* of another type than expected: no fact, no crash */
	ck_assert_int_eq(spec_parse(JSON("{\"linux\":[],\"annotations\":7}"), &spec), 0);
	ck_assert_int_eq(spec_parse(JSON("{\"linux\":{\"namespaces\":{\"type\":\"network\"}}}"), &spec), 0);
	ck_assert_int_eq(spec.own_network, 0);
	ck_assert_int_eq(spec_parse(JSON("{\"linux\":{\"namespaces\":[7,\"network\",{\"type\":7}]}}"), &spec), 0);
	ck_assert_int_eq(spec.own_network, 0);
	ck_assert_int_eq(spec_parse(JSON("{\"annotations\":{\"io.kubernetes.cri.sandbox-id\":\""
					 "0123456789012345678901234567890123456789012345678901234567890123456789012345678\"}}"), &spec), -EBADMSG);
	memset(deep, '[', sizeof(deep));
	ck_assert_int_eq(spec_parse(deep, sizeof(deep), &spec), -EBADMSG);
}
END_TEST

/* An answer whose container has an id and `entries` empty labels. */
static size_t many_labels(uint8_t *into, size_t entries)
{
	size_t inner = 3 + 2 * entries;

	into[0] = 0x0a;
	for (unsigned i = 0; i < 4; i++)	/* the length as a varint of four bytes */
		into[1 + i] = (uint8_t)((inner >> (7 * i) & 0x7f) | (i < 3 ? 0x80 : 0));
	memcpy(into + 5, "\x0a\x01" "a", 3);
	for (size_t i = 0; i < entries; i++)
		memcpy(into + 8 + 2 * i, "\x12\x00", 2);
	return 5 + inner;
}

/* A few megabytes of empty map entries would take more than the budget: the decoder gives up. */
START_TEST(amplification_is_bounded)
{
	static uint8_t bytes[4U << 20];
	struct container c;

	ck_assert_int_eq(container_open(bytes, many_labels(bytes, 1000), &c), 0);
	container_close(&c);
	ck_assert_int_eq(container_open(bytes, many_labels(bytes, 2000000), &c), -EBADMSG);
	ck_assert_int_eq(container_open(seed, seed_read("get-sandbox", seed), &c), 0);	/* all was given back */
	container_close(&c);
}
END_TEST

START_TEST(mutations)
{
	static const char *const names[] = { "get-sandbox", "get-workload", "get-task" };
	uint64_t state = 2;

	budget_open();
	for (unsigned n = 0; n < 3; n++) {
		size_t size = seed_read(names[n], seed);

		for (unsigned round = 0; round < 3000; round++) {
			static uint8_t copy[SEED_MAX];
			size_t cut = round % 2 ? size : seed_random(&state) % (size + 1);
			struct container c;
			struct spec spec;
			struct task task;

			memcpy(copy, seed, size);
			for (unsigned i = seed_random(&state) % 8; i-- > 0;)
				copy[seed_random(&state) % (round % 3 ? size : 400 % size)] = (uint8_t)seed_random(&state);
			task_parse(copy, cut, &task);
			if (!container_open(copy, cut, &c)) {
				container_spec(&c, &spec);
				container_close(&c);
			}
		}
	}
}
END_TEST

UNIT_MAIN("container", real_sandbox, real_workload, real_task, literal_tasks, hostile_containers, an_overlong_namespace,
	  specs, hostile_specs, amplification_is_bounded, mutations)
