#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "../support/support.h"

#define STR(literal) ((connect_str_t){(literal), sizeof(literal) - 1})

/* Header lists: limits to the byte, lower case, lookups, the grammar of names and values. */

static connect_limits_t limits_of(uint32_t bytes, uint32_t count) {
    connect_limits_t limits;
    memset(&limits, 0, sizeof limits);
    limits.header_bytes = bytes;
    limits.header_count = count;
    return limits;
}

static void test_receive(void **state) {
    connect_limits_t limits = limits_of(1000, 10);
    connect_arena_t arena = CONNECT_DEFAULTS;
    cn_headers_t headers;
    connect_headers_t view;
    (void)state;
    memset(&headers, 0, sizeof headers);
    assert_int_equal(cn_headers_receive(&headers, &arena, &limits, STR("Content-Type"), STR("A/b")), CN_HEADERS_OK);
    assert_int_equal(cn_headers_receive(&headers, &arena, &limits, STR("x"), STR("")), CN_HEADERS_OK);
    assert_int_equal(cn_headers_receive(&headers, &arena, &limits, STR("X"), STR("two")), CN_HEADERS_OK);
    assert_true(cn_headers_put(&headers, &arena, "grpc-status", STR("0")));
    assert_int_equal(headers.bytes, 12 + 3 + 1 + 1 + 3 + 11 + 1 + 4 * 32);
    assert_str(cn_headers_find(&headers, CN_STR("content-type")), "A/b");
    assert_str(cn_headers_find(&headers, CN_STR("x")), "");
    assert_non_null(cn_headers_find(&headers, CN_STR("x")).data);
    assert_null(cn_headers_find(&headers, CN_STR("y")).data);
    assert_int_equal(headers.items[0].value.data[3], 0);
    view = cn_headers_view(&headers);
    assert_int_equal(view.count, 4);
    assert_str(connect_headers_get(view, "CONTENT-type", 0), "A/b");
    assert_str(connect_headers_get(view, "X", 1), "two");
    assert_null(connect_headers_get(view, "x", 2).data);
    connect_arena_free(&arena);
}

static void test_lower_case_at_every_length(void **state) {
    static const char alphabet[] = "@AZ[`az{!~0Mm-_";
    char name[64];
    size_t len, shift, i;
    connect_limits_t limits = limits_of(1000, 10);
    (void)state;
    for (len = 1; len < sizeof name; len++)
        for (shift = 0; shift < sizeof alphabet - 1; shift++) {
            connect_arena_t arena = CONNECT_DEFAULTS;
            cn_headers_t headers;
            guarded input;
            memset(&headers, 0, sizeof headers);
            for (i = 0; i < len; i++)
                name[i] = alphabet[(i + shift) % (sizeof alphabet - 1)];
            input = guarded_copy(name, len, 0);
            assert_int_equal(
                cn_headers_receive(&headers, &arena, &limits, cn_str(input.data, len), cn_str(input.data, len)),
                CN_HEADERS_OK);
            for (i = 0; i < len; i++)
                assert_int_equal(headers.items[0].name[i], name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i]);
            assert_int_equal(headers.items[0].name[len], 0);
            assert_memory_equal(headers.items[0].value.data, name, len);
            guarded_free(&input);
            connect_arena_free(&arena);
        }
}

static void test_limits(void **state) {
    connect_limits_t limits = limits_of(100, 3);
    connect_arena_t arena = CONNECT_DEFAULTS;
    cn_headers_t headers;
    (void)state;
    memset(&headers, 0, sizeof headers);
    assert_int_equal(cn_headers_receive(&headers, &arena, &limits, STR("a"), STR("12345")), CN_HEADERS_OK);
    assert_int_equal(headers.bytes, 38);
    /* 62 are left, 32 of them are overhead */
    assert_int_equal(
        cn_headers_receive(&headers, &arena, &limits, STR("b"), cn_str("123456789012345678901234567890", 30)),
        CN_HEADERS_TOO_LARGE);
    assert_int_equal(headers.count, 1);
    assert_int_equal(
        cn_headers_receive(&headers, &arena, &limits, STR("b"), cn_str("12345678901234567890123456789", 29)),
        CN_HEADERS_OK);
    assert_int_equal(headers.bytes, 100);
    assert_int_equal(cn_headers_receive(&headers, &arena, &limits, STR("c"), STR("")), CN_HEADERS_TOO_LARGE);
    limits = limits_of(100000, 3);
    assert_int_equal(cn_headers_receive(&headers, &arena, &limits, STR("c"), STR("")), CN_HEADERS_OK);
    assert_int_equal(cn_headers_receive(&headers, &arena, &limits, STR("d"), STR("")), CN_HEADERS_TOO_LARGE);
    assert_int_equal(headers.count, 3);
    connect_arena_free(&arena);
}

static void test_grammar(void **state) {
    static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    unsigned c;
    (void)state;
    for (c = 0; c < 256; c++) {
        char text[3];
        text[0] = 'a';
        text[1] = (char)c;
        text[2] = 'b';
        assert_int_equal(cn_header_name_valid(cn_str(text, 3)), c && strchr(token, (int)c) != NULL);
        assert_int_equal(cn_header_value_valid(cn_str(text, 3)), c == 9 || (c >= 32 && c != 127));
    }
    assert_false(cn_header_name_valid(STR("")));
    assert_true(cn_header_value_valid(STR("")));
}

static bool run_without_memory(const connect_allocator_t *allocator, void *arg) {
    connect_limits_t limits = limits_of(100000, 100);
    connect_arena_t arena;
    cn_headers_t headers;
    bool ok = true;
    int i;
    (void)arg;
    memset(&headers, 0, sizeof headers);
    connect_arena_init(&arena, NULL, 0, allocator);
    for (i = 0; i < 40 && ok; i++) {
        ok = cn_headers_receive(&headers, &arena, &limits, STR("some-name"), STR("some value")) == CN_HEADERS_OK &&
            cn_headers_put(&headers, &arena, "put", STR("x"));
        if (!ok) assert_true(headers.count == (size_t)i * 2 || headers.count == (size_t)i * 2 + 1);
    }
    connect_arena_free(&arena);
    return ok;
}

static void test_without_memory(void **state) {
    (void)state;
    sweep_allocations(run_without_memory, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_receive),
        cmocka_unit_test(test_lower_case_at_every_length),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_grammar),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
