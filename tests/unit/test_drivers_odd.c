/* The list of test_drivers.c over sockets that do everything in pieces, late, or not at once. */
#define _POSIX_C_SOURCE 200809L
#define _DEFAULT_SOURCE 1
#include "odd_io.h"
#define main drivers_main
#include "test_drivers.c"
#undef main

static void test_it_was_odd(void **state) {
    (void)state;
    assert_true(odd_io.reads > 5000 && odd_io.writes > 5000);
    assert_true(odd_io.again > 500 && odd_io.interrupted > 500 && odd_io.spurious > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_it_was_odd)};
    int failed = drivers_main();
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
