/* As much of cmocka as the tests of the codec use, for architectures that have no cmocka here. The first failure ends
   the program. */
#ifndef CONNECT_TESTS_PORTABLE_CMOCKA_H
#define CONNECT_TESTS_PORTABLE_CMOCKA_H
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*test)(void **state);
    int (*set_up)(void **state), (*tear_down)(void **state);
};
#define cmocka_unit_test(test) \
    { #test, test, NULL, NULL }
#define cmocka_unit_test_setup_teardown(test, set_up, tear_down) \
    { #test, test, set_up, tear_down }
#define cmocka_run_group_tests(tests, set_up, tear_down) portable_run(tests, sizeof(tests) / sizeof *(tests))

static int portable_run(const struct CMUnitTest *tests, size_t count) {
    size_t i;
    for (i = 0; i < count; i++) {
        void *state = NULL;
        if (tests[i].set_up && tests[i].set_up(&state) != 0) return 1;
        tests[i].test(&state);
        if (tests[i].tear_down && tests[i].tear_down(&state) != 0) return 1;
    }
    printf("%u tests passed\n", (unsigned)count);
    return 0;
}

#define fail_msg(...) \
    do { \
        fprintf(stderr, "%s:%d: ", __FILE__, __LINE__); \
        fprintf(stderr, __VA_ARGS__); \
        fprintf(stderr, "\n"); \
        exit(1); \
    } while (0)
#define portable_assert(condition, text) \
    do { \
        if (!(condition)) fail_msg("%s", text); \
    } while (0)
#define fail() fail_msg("failed")
#define assert_true(condition) portable_assert(condition, #condition)
#define assert_false(condition) portable_assert(!(condition), "not: " #condition)
#define assert_null(pointer) portable_assert((pointer) == NULL, #pointer " is not NULL")
#define assert_non_null(pointer) portable_assert((pointer) != NULL, #pointer " is NULL")
#define assert_ptr_equal(a, b) portable_assert((const void *)(a) == (const void *)(b), #a " == " #b)
#define assert_ptr_not_equal(a, b) portable_assert((const void *)(a) != (const void *)(b), #a " != " #b)
#define assert_int_equal(a, b) \
    do { \
        const uint64_t portable_a = (uint64_t)(a), portable_b = (uint64_t)(b); \
        if (portable_a != portable_b) fail_msg("%s == %s: %" PRIu64 " and %" PRIu64, #a, #b, portable_a, portable_b); \
    } while (0)
#define assert_int_not_equal(a, b) portable_assert((uint64_t)(a) != (uint64_t)(b), #a " != " #b)
#define assert_string_equal(a, b) \
    do { \
        if (strcmp(a, b) != 0) fail_msg("\"%s\" and \"%s\"", a, b); \
    } while (0)
#define assert_memory_equal(a, b, size) portable_assert(memcmp(a, b, size) == 0, #a " == " #b)
#define assert_in_range(value, least, most) \
    portable_assert((uint64_t)(value) >= (uint64_t)(least) && (uint64_t)(value) <= (uint64_t)(most), #value)
#endif
