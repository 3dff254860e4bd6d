/* The gate's requests: byte for byte what containerd is sent, and nothing a hostile watcher can add. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include "message.h"
#include "request.h"
#include "unit.h"

#define ID64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void body_is(const struct request *r, const void *bytes, size_t length)
{
	ck_assert_uint_eq(r->length, length);
	ck_assert_mem_eq(r->body, bytes, length);
}

START_TEST(version_is_an_empty_message)
{
	struct request r;

	ck_assert_int_eq(request_call(&r, METHOD_VERSION, "", 0), 0);
	ck_assert_str_eq(r.path, "/containerd.services.version.v1.Version/Version");
	ck_assert_str_eq(r.namespace, "k8s.io");
	body_is(&r, "\0\0\0\0\0", 5);
}
END_TEST

START_TEST(get_carries_one_id)
{
	struct request r;

	ck_assert_int_eq(request_call(&r, METHOD_CONTAINER_GET, ID64, 64), 0);
	ck_assert_str_eq(r.path, "/containerd.services.containers.v1.Containers/Get");
	body_is(&r, "\0\0\0\0\x42\x0a\x40" ID64, 71);
	ck_assert_int_eq(request_call(&r, METHOD_TASK_GET, "a", 1), 0);
	ck_assert_str_eq(r.path, "/containerd.services.tasks.v1.Tasks/Get");
	body_is(&r, "\0\0\0\0\x03\x0a\x01" "a", 8);
}
END_TEST

START_TEST(list_has_a_fixed_filter)
{
	struct request r;

	ck_assert_int_eq(request_call(&r, METHOD_CONTAINER_LIST, "", 0), 0);
	ck_assert_str_eq(r.path, "/containerd.services.containers.v1.Containers/ListStream");
	body_is(&r, "\0\0\0\0\x2a\x0a\x28labels.\"io.cri-containerd.kind\"==sandbox", 47);
}
END_TEST

START_TEST(subscribe_names_five_topics)
{
	static const char start[] = "\x0a\x2atopic==\"/tasks/create\",namespace==\"k8s.io\"";
	struct request r;

	request_subscribe(&r);
	ck_assert_str_eq(r.path, "/containerd.services.events.v1.Events/Subscribe");
	ck_assert_uint_eq((size_t)r.body[3] << 8 | r.body[4], r.length - 5);
	ck_assert_mem_eq(r.body + 5, start, sizeof(start) - 1);
	ck_assert_ptr_nonnull(memmem(r.body, r.length, "topic==\"/tasks/start\",namespace==\"k8s.io\"", 41));
	ck_assert_ptr_nonnull(memmem(r.body, r.length, "topic==\"/tasks/exit\",namespace==\"k8s.io\"", 40));
	ck_assert_ptr_nonnull(memmem(r.body, r.length, "topic==\"/tasks/delete\",namespace==\"k8s.io\"", 42));
	ck_assert_ptr_nonnull(memmem(r.body, r.length, "topic==\"/leitwacht/probe\",namespace==\"leitwacht\"", 48));
}
END_TEST

/* The event must be there: without it containerd 1.6 crashes. */
START_TEST(probe_always_has_an_event)
{
	struct request r;

	request_probe(&r, 0x0807060504030201ULL);
	ck_assert_str_eq(r.path, "/containerd.services.events.v1.Events/Publish");
	ck_assert_str_eq(r.namespace, "leitwacht");
	body_is(&r, "\0\0\0\0\x33\x0a\x10/leitwacht/probe\x12\x1f\x0a\x13leitwacht.dev/probe\x12\x08\1\2\3\4\5\6\7\x08", 56);
}
END_TEST

START_TEST(hostile_calls_are_refused)
{
	char longest[CONTAINER_ID_MAX + 1];
	struct request r;

	memset(longest, 'x', sizeof(longest));
	ck_assert_int_eq(request_call(&r, METHOD_CONTAINER_GET, longest, CONTAINER_ID_MAX), 0);
	ck_assert_int_eq(request_call(&r, METHOD_CONTAINER_GET, longest, CONTAINER_ID_MAX + 1), -EINVAL);
	ck_assert_int_eq(request_call(&r, METHOD_CONTAINER_GET, "", 0), -EINVAL);
	ck_assert_int_eq(request_call(&r, METHOD_TASK_GET, "a/../b", 6), -EINVAL);
	ck_assert_int_eq(request_call(&r, METHOD_TASK_GET, "a\0b", 3), -EINVAL);
	ck_assert_int_eq(request_call(&r, METHOD_TASK_GET, "a\"b", 3), -EINVAL);
	ck_assert_int_eq(request_call(&r, METHOD_TASK_GET, "\xc3\xa4", 2), -EINVAL);
	ck_assert_int_eq(request_call(&r, METHOD_VERSION, "a", 1), -EINVAL);
	ck_assert_int_eq(request_call(&r, METHOD_CONTAINER_LIST, "a", 1), -EINVAL);
	ck_assert_int_eq(request_call(&r, METHOD_EVENTS, "", 0), -EINVAL);
	for (uint32_t method = METHOD_EVENTS; method < 300; method++)
		ck_assert_int_eq(request_call(&r, method, "", 0), -EINVAL);
	ck_assert_int_eq(request_call(&r, UINT32_MAX, "a", 1), -EINVAL);
}
END_TEST

UNIT_MAIN("gate_request", version_is_an_empty_message, get_carries_one_id, list_has_a_fixed_filter,
	  subscribe_names_five_topics, probe_always_has_an_event, hostile_calls_are_refused)
