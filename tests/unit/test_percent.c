/* Percent-encoding: every byte, every escape, every cut; the guard page. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"

#define STR(literal) ((connect_str_t){(literal), sizeof(literal) - 1})

static connect_str_t decode(connect_arena_t *arena, const char *text, size_t len, bool plus_is_space) {
    guarded from = guarded_copy(text, len, 0);
    connect_str_t to = cn_percent_decode(arena, cn_str(from.data, len), plus_is_space);
    assert_non_null(to.data);
    assert_int_equal(to.data[to.len], 0);
    assert_true(to.data < from.data || to.data > from.data + len); /* a copy */
    guarded_free(&from);
    return to;
}

static void test_every_byte(void **state) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    int c;
    (void)state;
    for (c = 0; c < 256; c++) {
        char byte = (char)c, expected[8];
        connect_str_t text = cn_percent_encode(&arena, cn_str(&byte, 1)), back;
        if (c < 0x20 || c > 0x7E || c == '%')
            snprintf(expected, sizeof expected, "%%%02X", (unsigned)c);
        else
            snprintf(expected, sizeof expected, "%c", c);
        assert_str(text, expected);
        back = decode(&arena, text.data, text.len, false);
        assert_int_equal(back.len, 1);
        assert_int_equal(back.data[0], byte);
    }
    connect_arena_free(&arena);
}

static void test_encode(void **state) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    const connect_str_t plain = STR("nothing + to do~ here /?&=");
    (void)state;
    assert_ptr_equal(cn_percent_encode(&arena, plain).data, plain.data); /* as it stands */
    assert_null(arena.private_blocks);
    assert_str(cn_percent_encode(&arena, STR("100% t\xC3\xBC\r\n\t\xF0\x9F\x98\x88 x")),
        "100%25 t%C3%BC%0D%0A%09%F0%9F%98%88 x");
    assert_int_equal(cn_percent_encode(&arena, cn_str(NULL, 0)).len, 0);
    connect_arena_free(&arena);
}

static int digit(int c) {
    const char digits[] = "0123456789ABCDEFabcdef";
    const char *at = c ? strchr(digits, c) : NULL;
    return !at ? -1 : at - digits < 16 ? (int)(at - digits) : (int)(at - digits) - 6;
}

/* All 65,536 pairs behind a percent sign. */
static void test_every_escape(void **state) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    int high, low;
    (void)state;
    for (high = 0; high < 256; high++)
        for (low = 0; low < 256; low++) {
            char text[3] = {'%', (char)high, (char)low};
            connect_str_t back = cn_percent_decode(&arena, cn_str(text, 3), false);
            if (digit(high) >= 0 && digit(low) >= 0) {
                assert_int_equal(back.len, 1);
                assert_int_equal((unsigned char)back.data[0], digit(high) * 16 + digit(low));
            } else {
                assert_int_equal(back.len, 3);
                assert_memory_equal(back.data, text, 3);
            }
            connect_arena_reset(&arena);
        }
    connect_arena_free(&arena);
}

static void test_decode(void **state) {
    static const struct {
        const char *text, *expected;
        bool plus;
    } cases[] = {{"", "", false}, {"a+b%20c", "a+b c", false}, {"a+b%2Bc", "a b+c", true}, {"%", "%", false},
        {"%4", "%4", false}, {"%41", "A", false}, {"%4g%41", "%4gA", false}, {"%%41", "%A", false},
        {"%%%41%", "%%A%", false}, {"%2541", "%41", false}, {"100%", "100%", false}, {"%+1", "%+1", false},
        {"%+1", "% 1", true}, {"%zz%C3%BC%e2%82%ac", "%zz\xC3\xBC\xE2\x82\xAC", false}, {"%2%41", "%2A", false}};
    connect_arena_t arena = CONNECT_DEFAULTS;
    size_t i;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_str(decode(&arena, cases[i].text, strlen(cases[i].text), cases[i].plus), cases[i].expected);
    assert_int_equal(decode(&arena, "a%00b", 5, false).len, 3);
    connect_arena_free(&arena);
}

static void test_every_cut(void **state) {
    static const char text[] = "a%41%zz%C3%BC%";
    static const char *const expected[] = {"", "a", "a%", "a%4", "aA", "aA%", "aA%z", "aA%zz", "aA%zz%", "aA%zz%C",
        "aA%zz\xC3", "aA%zz\xC3%", "aA%zz\xC3%B", "aA%zz\xC3\xBC", "aA%zz\xC3\xBC%"};
    connect_arena_t arena = CONNECT_DEFAULTS;
    size_t len;
    (void)state;
    for (len = 0; len < sizeof text; len++)
        assert_str(decode(&arena, text, len, true), expected[len]);
    connect_arena_free(&arena);
}

static bool run_with_allocator(const connect_allocator_t *allocator, void *arg) {
    connect_arena_t arena;
    connect_str_t text, back;
    (void)arg;
    connect_arena_init(&arena, NULL, 0, allocator);
    text = cn_percent_encode(&arena, STR("\n"));
    back = cn_percent_decode(&arena, STR("%0A"), false);
    assert_int_equal(arena.failed, !text.data || !back.data);
    connect_arena_free(&arena);
    return text.data && back.data;
}
static void test_allocations(void **state) {
    (void)state;
    sweep_allocations(run_with_allocator, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_every_escape),
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
