/* Errors that this side makes: their texts are never absent, whatever the arena has room for. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"

static void test_set(void **state) {
    connect_error_t error;
    (void)state;
    memset(&error, 0xFF, sizeof error);
    assert_false(cn_error_set(&error, CONNECT_NOT_FOUND, "no such thing"));
    assert_int_equal(error.code, CONNECT_NOT_FOUND);
    assert_str(error.message, "no such thing");
    assert_int_equal(error.details.count, 0);
    assert_int_equal(error.metadata.count, 0);
    assert_int_equal(error.os_error, 0);
    assert_false(error.from_peer);
    assert_false(cn_error_memory(&error));
    assert_int_equal(error.code, CONNECT_RESOURCE_EXHAUSTED);
    assert_str(error.message, "out of memory");
    assert_false(cn_error_set(NULL, CONNECT_INTERNAL, "nobody asks"));
    assert_false(cn_error_memory(NULL));
}

static void test_print(void **state) {
    connect_arena_t arena = CONNECT_DEFAULTS, full;
    connect_error_t error;
    (void)state;
    memset(&error, 0xFF, sizeof error);
    assert_false(cn_error_print(&error, &arena, CONNECT_INTERNAL, "%s is %d", "answer", 42));
    assert_int_equal(error.code, CONNECT_INTERNAL);
    assert_str(error.message, "answer is 42");
    assert_int_equal(error.message.data[error.message.len], 0);
    assert_false(error.from_peer);
    assert_int_equal(error.details.count, 0);
    assert_false(cn_error_print(&error, NULL, CONNECT_ABORTED, "%s is %d", "answer", 42));
    assert_int_equal(error.code, CONNECT_ABORTED);
    assert_str(error.message, "answer is 42");
    assert_ptr_equal(error.message.data, error.private_text);
    connect_arena_init(&full, NULL, 0, NULL);
    assert_false(cn_error_print(&error, &full, CONNECT_DATA_LOSS, "%s was %d", "answer", 42));
    assert_int_equal(error.code, CONNECT_DATA_LOSS);
    assert_str(error.message, "%s was %d");
    assert_false(cn_error_print(NULL, &arena, CONNECT_INTERNAL, "%d", 1));
    connect_arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
