/* Flags and environment of the init container. */
#include <string.h>
#include "unit.h"
#include "../../initc/options.h"

static struct options options;
static char errors[256];

static enum options_verdict read_words(const char *a, const char *b, const char *c)
{
	char *argv[] = { (char *)"leitwacht-initc", (char *)(size_t)a, (char *)(size_t)b, (char *)(size_t)c, NULL };
	int argc = 1;
	FILE *out = fmemopen(errors, sizeof(errors), "w");
	enum options_verdict verdict;

	while (argv[argc])
		argc++;
	errors[0] = 0;
	verdict = options_read(&options, argc, argv, out);
	fclose(out);
	return verdict;
}

__attribute__((constructor)) static void clear_environment(void)
{
	unsetenv("LEITWACHT_DEADLINE");
	unsetenv("LEITWACHT_POLL");
	unsetenv("LEITWACHT_VERSION_CHECK");
	unsetenv("LEITWACHT_CANARY");
}

START_TEST(defaults)
{
	ck_assert_int_eq(read_words(NULL, NULL, NULL), OPTIONS_RUN);
	ck_assert_uint_eq(options.deadline_ms, 20000);
	ck_assert_uint_eq(options.poll_ms, 200);
	ck_assert(options.version_check && options.canary);
}
END_TEST

START_TEST(flags_beat_environment)
{
	setenv("LEITWACHT_DEADLINE", "7", 1);
	setenv("LEITWACHT_POLL", "50", 1);
	ck_assert_int_eq(read_words("--deadline=0.5", NULL, NULL), OPTIONS_RUN);
	ck_assert_uint_eq(options.deadline_ms, 500);
	ck_assert_uint_eq(options.poll_ms, 50);
	setenv("LEITWACHT_VERSION_CHECK", "off", 1);
	ck_assert_int_eq(read_words("--min-version", "1.2.3-rc.1", NULL), OPTIONS_RUN);
	ck_assert(options.version_check);
	ck_assert_str_eq(options.min_version, "1.2.3-rc.1");
}
END_TEST

START_TEST(weakening_is_explicit)
{
	ck_assert_int_eq(read_words("--no-canary", "--no-version-check", NULL), OPTIONS_RUN);
	ck_assert(!options.canary && !options.version_check);
	setenv("LEITWACHT_CANARY", "off", 1);
	ck_assert_int_eq(read_words(NULL, NULL, NULL), OPTIONS_RUN);
	ck_assert(!options.canary && options.version_check);
	setenv("LEITWACHT_CANARY", "no", 1);
	ck_assert_int_eq(read_words(NULL, NULL, NULL), OPTIONS_BAD);
	ck_assert_ptr_nonnull(strstr(errors, "LEITWACHT_CANARY"));
	setenv("LEITWACHT_CANARY", "", 1);
	ck_assert_int_eq(read_words(NULL, NULL, NULL), OPTIONS_BAD);
}
END_TEST

START_TEST(seconds)
{
	ck_assert_uint_eq(options_seconds("20"), 20000);
	ck_assert_uint_eq(options_seconds("20s"), 20000);
	ck_assert_uint_eq(options_seconds("0.25"), 250);
	ck_assert_uint_eq(options_seconds("1.2345"), 1234);
	ck_assert_uint_eq(options_seconds("86400"), 86400000);
	ck_assert_uint_eq(options_seconds("86400.5"), 0);
	ck_assert_uint_eq(options_seconds("99999999999999999999"), 0);
	ck_assert_uint_eq(options_seconds("0"), 0);
	ck_assert_uint_eq(options_seconds("-1"), 0);
	ck_assert_uint_eq(options_seconds("1."), 0);
	ck_assert_uint_eq(options_seconds(".5"), 0);
	ck_assert_uint_eq(options_seconds("1e3"), 0);
	ck_assert_uint_eq(options_seconds("20m"), 0);
	ck_assert_uint_eq(options_seconds(""), 0);
}
END_TEST

START_TEST(bad_words)
{
	ck_assert_int_eq(read_words("--poll", "0", NULL), OPTIONS_BAD);
	ck_assert_int_eq(read_words("--poll", "60001", NULL), OPTIONS_BAD);
	ck_assert_int_eq(read_words("--poll", "10x", NULL), OPTIONS_BAD);
	ck_assert_int_eq(read_words("--min-version", "1.2", NULL), OPTIONS_BAD);
	ck_assert_int_eq(read_words("--nonsense", NULL, NULL), OPTIONS_BAD);
	ck_assert_ptr_nonnull(strstr(errors, "--nonsense"));
	ck_assert_int_eq(read_words("--deadline", NULL, NULL), OPTIONS_BAD);
	ck_assert_int_eq(read_words("--deadline", "1", "more"), OPTIONS_BAD);
	ck_assert_int_eq(read_words("-x", NULL, NULL), OPTIONS_BAD);
	ck_assert_int_eq(read_words("--help", NULL, NULL), OPTIONS_HELP);
	ck_assert_int_eq(read_words("--version", NULL, NULL), OPTIONS_VERSION);
	ck_assert_int_eq(read_words("--poll", "200ms", NULL), OPTIONS_RUN);
}
END_TEST

START_TEST(names_are_written_out)
{
	ck_assert_int_eq(read_words("--no-c", NULL, NULL), OPTIONS_BAD);
	ck_assert_ptr_nonnull(strstr(errors, "--no-c"));
	ck_assert_int_eq(read_words("--no-canar", NULL, NULL), OPTIONS_BAD);
	ck_assert_int_eq(read_words("--dead=3", NULL, NULL), OPTIONS_BAD);
	ck_assert_int_eq(read_words("--h", NULL, NULL), OPTIONS_BAD);
	ck_assert_int_eq(read_words("--ver", NULL, NULL), OPTIONS_BAD);
	ck_assert_int_eq(read_words("--", NULL, NULL), OPTIONS_BAD);
	ck_assert_int_eq(read_words("--deadline=3", "--no-canary", NULL), OPTIONS_RUN);
}
END_TEST

UNIT_MAIN("initc_options", defaults, flags_beat_environment, weakening_is_explicit, seconds, bad_words,
	  names_are_written_out)
