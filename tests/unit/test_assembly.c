/* Messages out of chunks: whole, empty, too large, and what follows a skipped one. */
#include <errno.h>
#include <string.h>
#include "assembly.h"
#include "unit.h"

START_TEST(pieces_become_a_message)
{
	struct assembly a = { 0 };

	ck_assert_int_eq(assembly_add(&a, (const uint8_t *)"ab", 2, 0), 0);
	ck_assert_int_eq(assembly_add(&a, (const uint8_t *)"c", 1, 1), 1);
	ck_assert_uint_eq(a.length, 3);
	ck_assert_mem_eq(a.bytes, "abc", 3);
	ck_assert_int_eq(assembly_add(&a, (const uint8_t *)"d", 1, 1), 1);
	ck_assert_uint_eq(a.length, 1);
	ck_assert_mem_eq(a.bytes, "d", 1);
	assembly_drop(&a);
}
END_TEST

START_TEST(an_empty_message)
{
	struct assembly a = { 0 };

	ck_assert_int_eq(assembly_add(&a, NULL, 0, 1), 1);
	ck_assert_uint_eq(a.length, 0);
	assembly_drop(&a);
}
END_TEST

START_TEST(too_large_is_skipped_once)
{
	static uint8_t megabyte[1 << 20];
	struct assembly a = { 0 };

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(assembly_add(&a, megabyte, sizeof(megabyte), 0), 0);
	ck_assert_int_eq(assembly_add(&a, megabyte, 1, 0), 0);
	ck_assert_int_eq(assembly_add(&a, megabyte, sizeof(megabyte), 1), -EMSGSIZE);
	ck_assert_uint_le(a.room, ASSEMBLY_MAX);
	ck_assert_int_eq(assembly_add(&a, (const uint8_t *)"x", 1, 1), 1);
	ck_assert_uint_eq(a.length, 1);
	assembly_drop(&a);
	ck_assert_ptr_null(a.bytes);
}
END_TEST

UNIT_MAIN("assembly", pieces_become_a_message, an_empty_message, too_large_is_skipped_once)
