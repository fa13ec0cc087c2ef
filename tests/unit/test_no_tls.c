/* Built without TLS: https:// and TLS configurations are clear errors. */
#define CONNECT_ENABLE_TLS 0
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"

static void test_errors(void **state) {
    static const char message[] = "this build has no TLS engine (CONNECT_ENABLE_TLS=0): set engine";
    connect_error_t error = CONNECT_DEFAULTS;
    (void)state;
    assert_null(connect_tls_new(NULL, &error));
    assert_int_equal(error.code, CONNECT_UNIMPLEMENTED);
    assert_str(error.message, message);
    memset(&error, 0, sizeof error);
    assert_null(connect_client_new("https://localhost", NULL, &error));
    assert_int_equal(error.code, CONNECT_UNIMPLEMENTED);
    assert_str(error.message, message);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_errors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
