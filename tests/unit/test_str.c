/* Views: comparing, splitting, decimal digits, and what is quoted of a peer's bytes. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"

#define STR(literal) ((connect_str_t){(literal), sizeof(literal) - 1})

static const connect_str_t absent = {NULL, 0};

static void test_views(void **state) {
    (void)state;
    assert_null(connect_str_of(NULL).data);
    assert_int_equal(connect_str_of(NULL).len, 0);
    assert_int_equal(connect_str_of("").len, 0);
    assert_non_null(connect_str_of("").data);
    assert_str(connect_str_of("abc"), "abc");
    assert_true(connect_str_equal(absent, STR("")));
    assert_true(connect_str_equal(absent, absent));
    assert_true(connect_str_equal(STR("a\0b"), STR("a\0b")));
    assert_false(connect_str_equal(STR("a\0b"), STR("a\0c")));
    assert_false(connect_str_equal(STR("a"), STR("A")));
    assert_false(connect_str_equal(STR("ab"), STR("a")));
    assert_false(connect_str_equal(STR("a"), absent));
    assert_true(cn_str_starts(STR("abc"), STR("abc")));
    assert_true(cn_str_starts(STR("abc"), STR("ab")));
    assert_true(cn_str_starts(STR("abc"), absent));
    assert_true(cn_str_starts(absent, absent));
    assert_false(cn_str_starts(STR("abc"), STR("abcd")));
    assert_false(cn_str_starts(STR("abc"), STR("b")));
    assert_false(cn_str_starts(absent, STR("a")));
}

/* Every pair of bytes: equal are the same, and the two cases of an ASCII letter. */
static void test_equal_nocase(void **state) {
    int a, b;
    (void)state;
    for (a = 0; a < 256; a++)
        for (b = 0; b < 256; b++) {
            char x = (char)a, y = (char)b;
            bool letters = (a ^ b) == 0x20 && ((a | 0x20) >= 'a' && (a | 0x20) <= 'z');
            assert_int_equal(cn_str_equal_nocase(cn_str(&x, 1), cn_str(&y, 1)), a == b || letters);
        }
    assert_true(cn_str_equal_nocase(STR("Content-TYPE"), STR("cONTENT-type")));
    assert_false(cn_str_equal_nocase(STR("content-type"), STR("content-typ")));
    assert_true(cn_str_equal_nocase(absent, STR("")));
}

static void test_trim(void **state) {
    static const char *const cases[][2] = {{"", ""}, {" ", ""}, {"\t \t", ""}, {"a", "a"}, {" a", "a"}, {"a ", "a"},
        {"\ta\t", "a"}, {"  a b  ", "a b"}, {"\na ", "\na"}, {"a\v", "a\v"}, {"\xA0 x", "\xA0 x"}};
    size_t i;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        guarded text = guarded_copy(cases[i][0], strlen(cases[i][0]), 0);
        assert_str(cn_str_trim(cn_str(text.data, text.len)), cases[i][1]);
        guarded_free(&text);
    }
    assert_int_equal(cn_str_trim(absent).len, 0);
}

/* Parts joined again give the text; the last part is the one without a separator behind it. */
static void test_split(void **state) {
    static const struct {
        const char *text, *parts[6];
    } cases[] = {{"", {""}}, {"a", {"a"}}, {",", {"", ""}}, {"a,,b", {"a", "", "b"}}, {"a,", {"a", ""}},
        {",a", {"", "a"}}, {",,,", {"", "", "", ""}}, {"one, two;x", {"one", " two;x"}}};
    size_t i, k;
    connect_str_t rest, part;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        guarded text = guarded_copy(cases[i].text, strlen(cases[i].text), 0);
        rest = cn_str(text.data, text.len);
        for (k = 0; cases[i].parts[k]; k++) {
            assert_true(cn_str_split(&rest, ',', &part));
            assert_str(part, cases[i].parts[k]);
        }
        assert_false(cn_str_split(&rest, ',', &part));
        assert_false(cn_str_split(&rest, ',', &part));
        guarded_free(&text);
    }
    rest = absent;
    assert_false(cn_str_split(&rest, ',', &part));
}

static void test_to_uint(void **state) {
    static const char *const bad[] = {"", " 1", "1 ", "+1", "-1", "0x1", "1.0", "a", "1a", "/", ":", "\xB1"};
    uint64_t value = 77;
    size_t i;
    int c;
    (void)state;
    for (i = 0; i < sizeof bad / sizeof *bad; i++)
        if (cn_str_to_uint(connect_str_of(bad[i]), 19, &value)) fail_msg("accepted: %s", bad[i]);
    assert_false(cn_str_to_uint(absent, 19, &value));
    assert_false(cn_str_to_uint(STR("1\0"), 19, &value));
    assert_false(cn_str_to_uint(STR("12345"), 4, &value));
    assert_false(cn_str_to_uint(STR("10000000000000000000"), 20, &value)); /* 20 digits might not fit */
    assert_int_equal(value, 77);
    for (c = 0; c < 256; c++) {
        char text = (char)c;
        assert_int_equal(cn_str_to_uint(cn_str(&text, 1), 1, &value), c >= '0' && c <= '9');
        if (c >= '0' && c <= '9') assert_int_equal(value, c - '0');
    }
    assert_true(cn_str_to_uint(STR("9999999999999999999"), 19, &value));
    assert_true(value == UINT64_C(9999999999999999999));
    assert_true(cn_str_to_uint(STR("0001234"), 7, &value));
    assert_int_equal(value, 1234);
}

static void test_from_uint(void **state) {
    uint64_t value = 1;
    int i;
    (void)state;
    for (i = 0; i < 66; i++) { /* 2^i - 1, 2^i, 2^i + 1, and the ends */
        int near;
        for (near = -1; near <= 1; near++) {
            uint64_t wanted = i == 64 ? 0 : i == 65 ? UINT64_MAX : value + (uint64_t)(int64_t)near;
            char expected[32];
            guarded to;
            snprintf(expected, sizeof expected, "%llu", (unsigned long long)wanted);
            to = guarded_new(strlen(expected), 0);
            assert_int_equal(cn_str_from_uint(to.data, wanted), strlen(expected));
            assert_memory_equal(to.data, expected, strlen(expected));
            guarded_free(&to);
        }
        value *= 2;
    }
}

static void test_quote(void **state) {
    connect_arena_t arena = CONNECT_DEFAULTS, full;
    char longer[200];
    connect_str_t quoted;
    int c;
    (void)state;
    for (c = 0; c < 256; c++) {
        char byte = (char)c, expected[8];
        if (c >= 0x20 && c <= 0x7E)
            snprintf(expected, sizeof expected, "%c", c);
        else
            snprintf(expected, sizeof expected, "\\x%02X", (unsigned)c);
        quoted = cn_str_quote(&arena, cn_str(&byte, 1));
        assert_str(quoted, expected);
        assert_int_equal(quoted.data[quoted.len], 0);
    }
    assert_str(cn_str_quote(&arena, absent), "");
    memset(longer, 1, sizeof longer);
    assert_int_equal(cn_str_quote(&arena, cn_str(longer, 128)).len, 128 * 4);
    quoted = cn_str_quote(&arena, cn_str(longer, 129)); /* only the first 128 bytes are told */
    assert_int_equal(quoted.len, 128 * 4 + 3);
    assert_string_equal(quoted.data + 128 * 4 - 4, "\\x01...");
    connect_arena_free(&arena);
    connect_arena_init(&full, NULL, 0, NULL);
    quoted = cn_str_quote(&full, STR("x"));
    assert_non_null(quoted.data);
    assert_int_equal(quoted.len, 0);
}

static void test_hash(void **state) { /* the published vectors of FNV-1a, 32 bits */
    (void)state;
    assert_true(cn_str_hash(absent) == 0x811C9DC5u);
    assert_true(cn_str_hash(STR("a")) == 0xE40C292Cu);
    assert_true(cn_str_hash(STR("b")) == 0xE70C2DE5u);
    assert_true(cn_str_hash(STR("foobar")) == 0xBF9CF968u);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_equal_nocase),
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_to_uint),
        cmocka_unit_test(test_from_uint),
        cmocka_unit_test(test_quote),
        cmocka_unit_test(test_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
