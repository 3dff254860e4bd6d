/* What every unit test's main looks like. */
#ifndef LW_UNIT_H
#define LW_UNIT_H

#include <check.h>
#include <stdlib.h>

/* Run a suite of one case with these tests; the library prints the count. */
#define UNIT_MAIN(name, ...)                                                    \
	int main(void)                                                          \
	{                                                                       \
		const TTest *const tests[] = { __VA_ARGS__ };                   \
		Suite *suite = suite_create(name);                              \
		TCase *all = tcase_create(name);                                \
		SRunner *runner = srunner_create(suite);                        \
		int failed;                                                     \
									        \
		for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)   \
			tcase_add_test(all, tests[i]);                          \
		tcase_set_timeout(all, 60);                                     \
		suite_add_tcase(suite, all);                                    \
		srunner_run_all(runner, CK_ENV);                                \
		failed = srunner_ntests_failed(runner);                         \
		srunner_free(runner);                                           \
		return failed ? EXIT_FAILURE : EXIT_SUCCESS;                    \
	}

#endif
