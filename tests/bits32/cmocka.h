/* As much of cmocka's interface as the tests that also run with 32 bits need, for there is no cmocka for that. The
   first check that fails ends the program. */
#ifndef BITS32_CMOCKA_H
#define BITS32_CMOCKA_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*run)(void **state);
    int (*setup)(void **state), (*teardown)(void **state);
};
#define cmocka_unit_test(test) {#test, test, NULL, NULL}
#define cmocka_unit_test_setup_teardown(test, setup, teardown) {#test, test, setup, teardown}
#define print_message printf
#define fail_msg(...) (printf("%s:%d: ", __FILE__, __LINE__), printf(__VA_ARGS__), printf("\n"), exit(1))
#define fail() fail_msg("failed")
#define assert_true(what) ((what) ? (void)0 : (void)fail_msg("%s", #what))
#define assert_false(what) assert_true(!(what))
#define assert_null(what) assert_true((what) == NULL)
#define assert_non_null(what) assert_true((what) != NULL)
#define assert_int_equal(a, b) \
    ((unsigned long long)(a) == (unsigned long long)(b) \
            ? (void)0 \
            : (void)fail_msg("%s is %lld, not %lld", #a, (long long)(a), (long long)(b)))
#define assert_int_not_equal(a, b) assert_true((unsigned long long)(a) != (unsigned long long)(b))
#define assert_ptr_equal(a, b) assert_true((const void *)(a) == (const void *)(b))
#define assert_ptr_not_equal(a, b) assert_true((const void *)(a) != (const void *)(b))
#define assert_string_equal(a, b) assert_true(strcmp(a, b) == 0)
#define assert_memory_equal(a, b, len) assert_true(memcmp(a, b, len) == 0)
#define assert_in_range(a, from, to) \
    assert_true((unsigned long long)(a) >= (unsigned long long)(from) && (unsigned long long)(a) <= (unsigned long long)(to))

#define cmocka_run_group_tests(tests, setup, teardown) bits32_run(tests, sizeof(tests) / sizeof *(tests))
static int bits32_run(const struct CMUnitTest *tests, size_t count) {
    size_t i;
    for (i = 0; i < count; i++) {
        void *state = NULL;
        printf("%s\n", tests[i].name);
        fflush(stdout);
        if (tests[i].setup) assert_int_equal(tests[i].setup(&state), 0);
        tests[i].run(&state);
        if (tests[i].teardown) assert_int_equal(tests[i].teardown(&state), 0);
    }
    return 0;
}
#endif
