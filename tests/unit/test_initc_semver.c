/* Versions: what is one, and which is older (semver.org's own examples). */
#include <string.h>
#include "unit.h"
#include "../../initc/semver.h"

static const char *const ordered[] = {
	"0.0.1", "0.1.0", "0.9.99", "0.10.0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta",
	"1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "2.0.0", "10.0.0",
	"99999999999999999999999.0.0",
};

START_TEST(orders_every_pair)
{
	int count = sizeof(ordered) / sizeof(ordered[0]);

	for (int i = 0; i < count; i++) {
		ck_assert_msg(semver_valid(ordered[i], strlen(ordered[i])), "%s", ordered[i]);
		for (int j = 0; j < count; j++) {
			int order = semver_compare(ordered[i], ordered[j]);

			ck_assert_msg((order > 0) - (order < 0) == (i > j) - (i < j), "%s %s %d", ordered[i], ordered[j], order);
		}
	}
}
END_TEST

START_TEST(build_metadata_does_not_count)
{
	ck_assert_int_eq(semver_compare("1.0.0+a", "1.0.0+b.7"), 0);
	ck_assert_int_eq(semver_compare("1.0.0-rc.1+a", "1.0.0-rc.1"), 0);
	ck_assert_int_lt(semver_compare("1.0.0-rc.1+zz", "1.0.0+a"), 0);
	ck_assert_int_lt(semver_compare("1.0.0+a-b", "1.0.1"), 0);
}
END_TEST

START_TEST(refuses_what_is_no_version)
{
	static const char *const bad[] = {
		"", "1", "1.2", "1.2.", "1.2.3.4", "v1.2.3", "01.2.3", "1.02.3", "1.2.03", "1.2.3-", "1.2.3-01", "1.2.3-a..b",
		"1.2.3+", "1.2.3+a+b", "1.2.3 ", " 1.2.3", "1.2.3-a_b", "-1.2.3", "1.2.x", "1.2.3-\"x",
		"1.2.3-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!semver_valid(bad[i], strlen(bad[i])), "%s", bad[i]);
	ck_assert(!semver_valid("1.2.3\0", 6));
	ck_assert(semver_valid("1.2.3+001.-", 11));
	ck_assert(semver_valid("1.2.3-0a.0", 10));
}
END_TEST

UNIT_MAIN("initc_semver", orders_every_pair, build_metadata_does_not_count, refuses_what_is_no_version)
