/* The sixteen codes: names and both tables between codes and HTTP statuses, spelled out again. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"

#define STR(literal) ((connect_str_t){(literal), sizeof(literal) - 1})

static const struct {
    connect_code_t code;
    int number;
    const char *name;
    int http;
} rows[] = {{CONNECT_CANCELED, 1, "canceled", 499}, {CONNECT_UNKNOWN, 2, "unknown", 500},
    {CONNECT_INVALID_ARGUMENT, 3, "invalid_argument", 400}, {CONNECT_DEADLINE_EXCEEDED, 4, "deadline_exceeded", 504},
    {CONNECT_NOT_FOUND, 5, "not_found", 404}, {CONNECT_ALREADY_EXISTS, 6, "already_exists", 409},
    {CONNECT_PERMISSION_DENIED, 7, "permission_denied", 403},
    {CONNECT_RESOURCE_EXHAUSTED, 8, "resource_exhausted", 429},
    {CONNECT_FAILED_PRECONDITION, 9, "failed_precondition", 400}, {CONNECT_ABORTED, 10, "aborted", 409},
    {CONNECT_OUT_OF_RANGE, 11, "out_of_range", 400}, {CONNECT_UNIMPLEMENTED, 12, "unimplemented", 501},
    {CONNECT_INTERNAL, 13, "internal", 500}, {CONNECT_UNAVAILABLE, 14, "unavailable", 503},
    {CONNECT_DATA_LOSS, 15, "data_loss", 500}, {CONNECT_UNAUTHENTICATED, 16, "unauthenticated", 401}};
static const int no_codes[] = {-1, -2, 17, 18, 100, INT_MAX, INT_MIN};

static void test_names(void **state) {
    static const char *const unknown[] = {"", "ok", "OK", "cancelled", "Canceled", "CANCELED", "not found", "not_found ",
        "NOT_FOUND", "canceled\n", "code_5", "5", "unknow", "unknownn"};
    size_t i;
    (void)state;
    assert_int_equal(sizeof rows / sizeof *rows, 16);
    for (i = 0; i < 16; i++) {
        connect_code_t code = CONNECT_OK;
        assert_int_equal(rows[i].code, rows[i].number);
        assert_string_equal(connect_code_name(rows[i].code), rows[i].name);
        assert_true(cn_code_from_name(connect_str_of(rows[i].name), &code));
        assert_int_equal(code, rows[i].code);
    }
    for (i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        connect_code_t code = CONNECT_ABORTED;
        assert_false(cn_code_from_name(connect_str_of(unknown[i]), &code));
        assert_int_equal(code, CONNECT_ABORTED);
    }
    assert_false(cn_code_from_name(STR("internal\0"), &(connect_code_t){CONNECT_OK}));
    assert_false(cn_code_from_name(cn_str(NULL, 0), &(connect_code_t){CONNECT_OK}));
    for (i = 0; i < sizeof no_codes / sizeof *no_codes; i++)
        assert_string_equal(connect_code_name((connect_code_t)no_codes[i]), "unknown");
    assert_int_equal(CONNECT_OK, 0);
    assert_int_equal(CONNECT_LATER, -1);
}

static void test_to_http(void **state) {
    size_t i;
    (void)state;
    for (i = 0; i < 16; i++)
        assert_int_equal(cn_code_to_http(rows[i].code), rows[i].http);
    assert_int_equal(cn_code_to_http(CONNECT_OK), 200);
    for (i = 0; i < sizeof no_codes / sizeof *no_codes; i++)
        assert_int_equal(cn_code_to_http((connect_code_t)no_codes[i]), 500);
}

static void test_from_http(void **state) {
    int status;
    (void)state;
    for (status = -1; status < 1100; status++) {
        connect_code_t expected = status == 400 ? CONNECT_INTERNAL
            : status == 401                     ? CONNECT_UNAUTHENTICATED
            : status == 403                     ? CONNECT_PERMISSION_DENIED
            : status == 404                     ? CONNECT_UNIMPLEMENTED
            : status == 429 || (status >= 502 && status <= 504) ? CONNECT_UNAVAILABLE
                                                                : CONNECT_UNKNOWN;
        assert_int_equal(cn_code_from_http(status), expected);
    }
}

static void test_of_error(void **state) {
    size_t i;
    (void)state;
    for (i = 0; i < 16; i++)
        assert_int_equal(cn_code_of_error(rows[i].code), rows[i].code);
    assert_int_equal(cn_code_of_error(CONNECT_OK), CONNECT_UNKNOWN);
    assert_int_equal(cn_code_of_error(CONNECT_LATER), CONNECT_UNKNOWN);
    for (i = 0; i < sizeof no_codes / sizeof *no_codes; i++)
        assert_int_equal(cn_code_of_error((connect_code_t)no_codes[i]), CONNECT_UNKNOWN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_to_http),
        cmocka_unit_test(test_from_http),
        cmocka_unit_test(test_of_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
