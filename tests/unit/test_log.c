/* JSON lines: whatever a pod is called, a line stays one line of valid JSON. */
#include <jansson.h>
#include <string.h>
#include "log.h"
#include "unit.h"

#define FIELDS(...) (const struct log_field[]){ { .key = 0 }, __VA_ARGS__ }, \
	sizeof((const struct log_field[]){ { .key = 0 }, __VA_ARGS__ }) / sizeof(struct log_field)

static char line[2048];

static json_t *parse(unsigned length)
{
	json_error_t error;
	json_t *root;

	ck_assert_int_eq(line[length - 1], '\n');
	ck_assert_ptr_null(memchr(line, '\n', length - 1));
	root = json_loadb(line, length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
	ck_assert_msg(root != NULL, "%s: %.*s", error.text, (int)length, line);
	return root;
}

START_TEST(a_plain_line)
{
	unsigned n = log_format(line, sizeof(line), 1700000000123456789, "attacher", LOG_INFO, "live",
				FIELDS(log_str("pod", "a/b/c"), log_int("slot", 7), log_ms("duration_ms", 2345678)));
	json_t *root = parse(n);

	ck_assert_str_eq(json_string_value(json_object_get(root, "time")), "2023-11-14T22:13:20.123456Z");
	ck_assert_str_eq(json_string_value(json_object_get(root, "level")), "info");
	ck_assert_str_eq(json_string_value(json_object_get(root, "process")), "attacher");
	ck_assert_int_eq(json_integer_value(json_object_get(root, "slot")), 7);
	ck_assert_double_eq_tol(json_real_value(json_object_get(root, "duration_ms")), 2.345, 1e-9);
	json_decref(root);
}
END_TEST

START_TEST(hostile_strings)
{
	char all[256];
	unsigned n;
	json_t *root;

	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	n = log_format(line, sizeof(line), 0, "watcher", LOG_ERROR, "x\"},{\n", FIELDS(log_bytes("pod", all, sizeof(all))));
	root = parse(n);
	ck_assert_str_eq(json_string_value(json_object_get(root, "msg")), "x\"},{\n");
	json_decref(root);
}
END_TEST

/* Every size of line with values that fill it: cut, but never broken. */
START_TEST(full_lines)
{
	static char big[4096];

	memset(big, '"', sizeof(big) - 1);
	for (unsigned fill = 0; fill < 600; fill++) {
		unsigned n = log_format(line, sizeof(line), 0, "gate", LOG_WARNING, "m",
					FIELDS(log_bytes("a", big, fill), log_str("b", big), log_str("c", big), log_int("d", -1)));

		ck_assert_uint_le(n, sizeof(line));
		json_decref(parse(n));
	}
}
END_TEST

UNIT_MAIN("log", a_plain_line, hostile_strings, full_lines)
