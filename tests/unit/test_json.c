/* JSON text: the grammar, every cut, the guard page, random bytes; and the writer. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"

/* Private macros end with connect.h; these are used here, too. */
#define CN_LEN(array) (sizeof(array) / sizeof *(array))
#define CN_STR(literal) ((connect_str_t){(literal), sizeof(literal) - 1})
#define CN_JSON_DEPTH_MAX 256
#define CN_JSON_NAME_MAX 65536
#define CN_NUMBER_TEXT_MAX 1024

/* Reads a text that ends at a guard page and writes it again. Returns whether it was accepted. */
static bool copy_text(
    const char *text, size_t len, uint32_t depth_max, bool pretty, cn_buf_t *out, const char **error) {
    guarded input = guarded_copy(text, len, 0);
    connect_arena_t arena = CONNECT_DEFAULTS;
    cn_json_reader_t reader;
    cn_json_writer_t writer;
    bool accepted = false;
    cn_json_read(&reader, cn_str(input.data, len), &arena, depth_max);
    cn_json_write(&writer, out, NULL, pretty);
    for (;;) {
        cn_json_token_t token = cn_json_next(&reader);
        accepted = token == CN_JSON_END;
        if (accepted || token == CN_JSON_ERROR) break;
        switch (token) {
        case CN_JSON_NULL: cn_json_literal(&writer, CN_STR("null")); break;
        case CN_JSON_TRUE: cn_json_literal(&writer, CN_STR("true")); break;
        case CN_JSON_FALSE: cn_json_literal(&writer, CN_STR("false")); break;
        case CN_JSON_NUMBER: cn_json_literal(&writer, reader.text); break;
        case CN_JSON_STRING: cn_json_string(&writer, reader.text); break;
        case CN_JSON_NAME: cn_json_name(&writer, reader.text); break;
        case CN_JSON_OBJECT_BEGIN: cn_json_object_begin(&writer); break;
        case CN_JSON_OBJECT_END: cn_json_object_end(&writer); break;
        case CN_JSON_ARRAY_BEGIN: cn_json_array_begin(&writer); break;
        default: cn_json_array_end(&writer); break;
        }
    }
    if (!accepted) {
        assert_true(reader.at >= input.data && reader.at <= input.data + len);
        assert_int_equal(cn_json_next(&reader), CN_JSON_ERROR);
    }
    assert_false(writer.failed);
    if (error) *error = reader.error;
    connect_arena_free(&arena);
    guarded_free(&input);
    return accepted;
}
static bool accepts(const char *text, size_t len) {
    cn_buf_t out = {NULL, 0, 0, 0};
    bool accepted = copy_text(text, len, 100, false, &out, NULL);
    cn_buf_free(&out, NULL);
    return accepted;
}

static const char *const good_texts[] = {"null", "true", "false", "0", "-0", "1e5", "\"\"", "[]", "{}", " [ ] ", "[1]",
    "[1,2,3]", "[[],{},[[]]]", "{\"\":0}", "{\"a\":1,\"b\":{\"c\":[null]}}", "\t\r\n 1 \t\r\n", "{\"a\":1,\"a\":2}",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\u0000\"", "\"\\u00e9\\u20AC\\uD83D\\uDE00\"", "\"\xC3\xA9\xE2\x82\xAC\"",
    "\"\xF0\x9F\x98\x80\"", "\"\x7F\"", "[-1.5e+10,0.1,1E-5]", "{ \"a\" : [ 1 , 2 ] , \"b\" : \"x\" }",
    "\"\xEF\xBF\xBF\"", "\"\xE2\x80\xA8\"", "\"12345678\"", "\"1234567\\n12345678\\u004112345678\"",
    "[\"\",\"a\",\"ab\",\"abc\",\"abcd\",\"abcde\",\"abcdef\",\"abcdefg\",\"abcdefgh\",\"abcdefghi\"]"};

static const char *const bad_texts[] = {"", " ", "nul", "nulL", "nullx", "True", "tru", "falsy", "[", "]", "{", "}",
    "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1,,2]", "[1]]", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}",
    "{a:1}", "{1:1}", "{\"a\" 1}", "{\"a\"::1}", "{\"a\":1 \"b\":2}", "{,}", "[}", "{]", "[1}", "{\"a\":1]", "1 2",
    "{}{}", "null null", "// x\n1", "/* x */1", "1 // x", "'a'", "\"", "\"a", "\"\\", "\"\\\"", "\"\\x41\"", "\"\\u\"",
    "\"\\u12\"", "\"\\u123\"", "\"\\u123g\"", "\"\\uD800\"", "\"\\uD800x\"", "\"\\uD800\\n\"", "\"\\uD800\\u0041\"",
    "\"\\uDC00\"", "\"\\uDC00\\uD800\"", "\"\\uD800\\uD800\"", "\"\\U0041\"", "\"a\nb\"", "\"\t\"", "\"\x1F\"",
    "\"\\\n\"", "\"\x80\"", "\"\xC3\"", "\"\xC0\x80\"", "\"\xED\xA0\x80\"", "\"\xF4\x90\x80\x80\"", "\"\xFF\"",
    "\"\xE2\x82\"", "01", "-", "-a", "+1", ".5", "1.", "1.e1", "1e", "1e+", "0x1", "00", "-01", "NaN", "Infinity",
    "-Infinity", "\xEF\xBB\xBF{}", "\v1", "1\f", "\xC2\xA0[]", "{\"\xFF\":1}", "{\"a\nb\":1}", "[\"a\",\n\"b",
    "{\"\\uD800\":1}", "1_0", "\"12345678\x01\"", "\"1234567\x01\""};

static void test_accepts(void **state) {
    size_t i;
    (void)state;
    for (i = 0; i < CN_LEN(good_texts); i++)
        if (!accepts(good_texts[i], strlen(good_texts[i]))) fail_msg("refused: %s", good_texts[i]);
}

static void test_refuses(void **state) {
    size_t i;
    (void)state;
    for (i = 0; i < CN_LEN(bad_texts); i++)
        if (accepts(bad_texts[i], strlen(bad_texts[i]))) fail_msg("accepted: %s", bad_texts[i]);
    assert_false(accepts("[1\0]", 4));
    assert_false(accepts("1\0", 2));
    assert_false(accepts("\"a\0b\"", 5));
    assert_false(accepts("\"\\\0\"", 4));
}

/* A whole text in brackets is never whole before its last byte. */
static void test_every_cut_is_refused(void **state) {
    static const char text[] =
        "{\"name\":[1,-2.5e+10,\"x\\u00e9\\n\\uD83D\\uDE00 and long enough \xC3\xA9 for words\",null,true,false,{},[]],"
        "\"other\" : { \"k\" : \"v\" } }";
    size_t len;
    (void)state;
    assert_true(accepts(text, sizeof text - 1));
    for (len = 0; len < sizeof text - 1; len++)
        if (accepts(text, len)) fail_msg("accepted: %.*s", (int)len, text);
}

/* What stands behind the end has no say, even if it would go on well. */
static void test_end_is_the_end(void **state) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    cn_json_reader_t reader;
    (void)state;
    cn_json_read(&reader, cn_str("123456", 3), &arena, 10);
    assert_int_equal(cn_json_next(&reader), CN_JSON_NUMBER);
    assert_str(reader.text, "123");
    assert_int_equal(cn_json_next(&reader), CN_JSON_END);
    assert_int_equal(cn_json_next(&reader), CN_JSON_END);
    cn_json_read(&reader, cn_str("\"abc\"", 4), &arena, 10);
    assert_int_equal(cn_json_next(&reader), CN_JSON_ERROR);
    cn_json_read(&reader, cn_str("true", 3), &arena, 10);
    assert_int_equal(cn_json_next(&reader), CN_JSON_ERROR);
    cn_json_read(&reader, cn_str(NULL, 0), &arena, 10);
    assert_int_equal(cn_json_next(&reader), CN_JSON_ERROR);
    connect_arena_free(&arena);
}

static void test_random_bytes(void **state) {
    static const char alphabet[] = "{}[]:,\"\\u0019eE+-.tfnulrase dD8c\n\xC3\xA9\x01";
    uint64_t random = 88172645463325252u;
    char text[64];
    int i;
    (void)state;
    for (i = 0; i < 30000; i++) {
        size_t len, j;
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        len = random % 40;
        for (j = 0; j < len; j++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            text[j] = i % 4 ? alphabet[(random >> 33) % (sizeof alphabet - 1)] : (char)(random >> 40);
        }
        accepts(text, len);
        /* a whole text with one byte changed */
        len = strlen(good_texts[(size_t)i % CN_LEN(good_texts)]);
        if (len == 0 || len > sizeof text) continue;
        memcpy(text, good_texts[(size_t)i % CN_LEN(good_texts)], len);
        text[random % len] = (char)(random >> 24);
        accepts(text, len);
    }
}

static void test_strings(void **state) {
    static const struct {
        const char *text, *expected;
        bool escaped;
    } cases[] = {{"\"plain\"", "plain", false}, {"\"\"", "", false}, {"\"a\\nb\"", "a\nb", true},
        {"\"\\u00e9\"", "\xC3\xA9", true}, {"\"\\u20AC\"", "\xE2\x82\xAC", true},
        {"\"\\ud83d\\uDE00\"", "\xF0\x9F\x98\x80", true}, {"\"\\\\u0041\"", "\\u0041", true},
        {"\"before\\/after and more\"", "before/after and more", true}, {"\"\\uFFFF\"", "\xEF\xBF\xBF", true}};
    connect_arena_t arena = CONNECT_DEFAULTS;
    size_t i;
    (void)state;
    for (i = 0; i < CN_LEN(cases); i++) {
        cn_json_reader_t reader;
        size_t len = strlen(cases[i].text);
        cn_json_read(&reader, cn_str(cases[i].text, len), &arena, 10);
        assert_int_equal(cn_json_next(&reader), CN_JSON_STRING);
        assert_str(reader.text, cases[i].expected);
        assert_int_equal(reader.escaped, cases[i].escaped);
        assert_true(reader.text.data != NULL);
        assert_int_equal(reader.text.data > cases[i].text && reader.text.data < cases[i].text + len, !cases[i].escaped);
        assert_int_equal(cn_json_next(&reader), CN_JSON_END);
    }
    connect_arena_free(&arena);
}

static void test_limits(void **state) {
    char *text = (char *)malloc(70000);
    cn_buf_t out = {NULL, 0, 0, 0};
    const char *error;
    uint32_t depth;
    (void)state;
    assert_non_null(text);
    memset(text, '[', 1000);
    for (depth = 1; depth <= CN_JSON_DEPTH_MAX; depth++) {
        memset(text + depth, ']', depth);
        assert_true(copy_text(text, depth * 2, depth, false, &out, &error));
        assert_false(copy_text(text, depth * 2, depth - 1, false, &out, &error));
        assert_string_equal(error, "nested too deeply");
        memset(text, '[', 1000);
        cn_buf_clear(&out);
    }
    assert_false(copy_text(text, 1000, 1000, false, &out, &error)); /* more than can be asked for */
    assert_string_equal(error, "nested too deeply");
    memset(text, '1', 2000);
    assert_true(copy_text(text, CN_NUMBER_TEXT_MAX, 1, false, &out, &error));
    assert_false(copy_text(text, CN_NUMBER_TEXT_MAX + 1, 1, false, &out, &error));
    assert_string_equal(error, "a number longer than 1 KiB");
    memset(text, 'n', 70000);
    memcpy(text, "{\"", 2);
    memcpy(text + 2 + CN_JSON_NAME_MAX, "\":1}", 4);
    assert_true(copy_text(text, CN_JSON_NAME_MAX + 6, 1, false, &out, &error));
    text[2 + CN_JSON_NAME_MAX] = 'n';
    memcpy(text + 3 + CN_JSON_NAME_MAX, "\":1}", 4);
    assert_false(copy_text(text, CN_JSON_NAME_MAX + 7, 1, false, &out, &error));
    assert_string_equal(error, "a name longer than 64 KiB");
    cn_buf_free(&out, NULL);
    free(text);
}

static void test_position(void **state) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    cn_json_reader_t reader;
    size_t line, column;
    (void)state;
    cn_json_read(&reader, CN_STR("{\n  \"\xC3\xA9\": 1,\n  \"b\" 2}"), &arena, 10);
    while (cn_json_next(&reader) != CN_JSON_ERROR) {}
    assert_string_equal(reader.error, "expected a colon");
    cn_json_position_of(&reader, reader.at, &line, &column);
    assert_int_equal(line, 3);
    assert_int_equal(column, 7);
    cn_json_position_of(&reader, reader.begin, &line, &column);
    assert_int_equal(line, 1);
    assert_int_equal(column, 1);
    cn_json_position_of(&reader, reader.begin + 9, &line, &column); /* the colon of line 2: columns are characters */
    assert_int_equal(line, 2);
    assert_int_equal(column, 7);
    connect_arena_free(&arena);
}

static void test_skip(void **state) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    cn_json_reader_t reader;
    (void)state;
    cn_json_read(&reader, CN_STR("[{\"a\":[1,{\"\\n\":\"\\u0041\"}]},2,\"\\n\",[],7]"), &arena, 10);
    assert_int_equal(cn_json_next(&reader), CN_JSON_ARRAY_BEGIN);
    assert_true(cn_json_skip(&reader, cn_json_next(&reader)));
    assert_null(arena.private_blocks); /* nothing was unescaped */
    assert_true(cn_json_skip(&reader, cn_json_next(&reader)));
    assert_true(cn_json_skip(&reader, cn_json_next(&reader)));
    assert_true(cn_json_skip(&reader, cn_json_next(&reader)));
    assert_int_equal(cn_json_next(&reader), CN_JSON_NUMBER);
    assert_str(reader.text, "7");
    assert_int_equal(cn_json_next(&reader), CN_JSON_ARRAY_END);
    assert_int_equal(cn_json_next(&reader), CN_JSON_END);
    cn_json_read(&reader, CN_STR("[[1,\"\\uD800\"]]"), &arena, 10); /* what is skipped is checked all the same */
    assert_int_equal(cn_json_next(&reader), CN_JSON_ARRAY_BEGIN);
    assert_false(cn_json_skip(&reader, cn_json_next(&reader)));
    connect_arena_free(&arena);
}

static void check_copy(const char *text, bool pretty, const char *expected) {
    cn_buf_t out = {NULL, 0, 0, 0};
    assert_true(copy_text(text, strlen(text), 100, pretty, &out, NULL));
    assert_str(cn_buf_view(&out), expected);
    cn_buf_free(&out, NULL);
}

static void test_writer(void **state) {
    (void)state;
    check_copy(" { \"a\" : [ 1 , \"x\" , { } , [ ] , [[2]] ] , \"b\" : null } ", false,
        "{\"a\":[1,\"x\",{},[],[[2]]],\"b\":null}");
    check_copy("{\"a\":[1,\"x\",{},[],[[2]]],\"b\":{\"c\":null}}", true,
        "{\n  \"a\": [\n    1,\n    \"x\",\n    {},\n    [],\n    [\n      [\n        2\n      ]\n    ]\n  ],\n"
        "  \"b\": {\n    \"c\": null\n  }\n}");
    check_copy("7", true, "7");
    check_copy("[]", true, "[]");
    check_copy("\"\\u0000\\u001f\\\"\\\\\\/\\b\\f\\n\\r\\t\\u007f\\u2028\"", false,
        "\"\\u0000\\u001f\\\"\\\\/\\b\\f\\n\\r\\t\x7F\xE2\x80\xA8\"");
}

/* Every place of a character that is escaped, in texts of every length around a word's. */
static void test_writer_escapes_everywhere(void **state) {
    size_t len, at;
    (void)state;
    for (len = 1; len <= 40; len++)
        for (at = 0; at < len; at++) {
            cn_buf_t out = {NULL, 0, 0, 0};
            cn_json_writer_t writer;
            guarded text = guarded_new(len, 0);
            connect_str_t view;
            memset(text.data, 'x', len);
            text.data[at] = at % 3 == 0 ? '"' : at % 3 == 1 ? '\\' : '\n';
            cn_json_write(&writer, &out, NULL, false);
            cn_json_string(&writer, cn_str(text.data, len));
            view = cn_buf_view(&out);
            assert_false(writer.failed);
            assert_int_equal(view.len, len + 3);
            assert_int_equal(view.data[1 + at], '\\');
            assert_int_equal(view.data[2 + at], text.data[at] == '\n' ? 'n' : text.data[at]);
            assert_true(accepts(view.data, view.len));
            guarded_free(&text);
            cn_buf_free(&out, NULL);
        }
}

static void test_writer_refuses_bad_text(void **state) {
    static const char *const bad[] = {"\x80", "abcdefgh\xFFijkl", "abcdefghabcdefgh\xC3", "\n\xED\xA0\x80"};
    size_t i;
    (void)state;
    for (i = 0; i < CN_LEN(bad); i++) {
        cn_buf_t out = {NULL, 0, 0, 0};
        cn_json_writer_t writer;
        cn_json_write(&writer, &out, NULL, false);
        cn_json_string(&writer, connect_str_of(bad[i]));
        assert_true(writer.failed);
        assert_false(writer.out_of_memory);
        cn_json_literal(&writer, CN_STR("1")); /* does nothing any more */
        assert_true(writer.failed);
        cn_buf_free(&out, NULL);
    }
}

static void test_writer_base64(void **state) {
    cn_buf_t out = {NULL, 0, 0, 0};
    cn_json_writer_t writer;
    (void)state;
    cn_json_write(&writer, &out, NULL, false);
    cn_json_array_begin(&writer);
    cn_json_base64(&writer, CN_STR("\xFB\xFF\xFE\x00"), true);
    cn_json_base64(&writer, CN_STR("\xFB\xFF\xFE\x00"), false);
    cn_json_base64(&writer, cn_str(NULL, 0), true);
    cn_json_string(&writer, cn_str(NULL, 0));
    cn_json_quoted(&writer, CN_STR("7"));
    cn_json_array_end(&writer);
    assert_false(writer.failed);
    assert_str(cn_buf_view(&out), "[\"+//+AA==\",\"+//+AA\",\"\",\"\",\"7\"]");
    cn_buf_free(&out, NULL);
}

/* Escaped strings in the arena, and a text of many blocks in the queue. */
static bool run_with_allocator(const connect_allocator_t *allocator, void *arg) {
    connect_arena_t arena;
    cn_json_reader_t reader;
    cn_json_writer_t writer;
    cn_buf_t out = {NULL, 0, 0, 0};
    cn_json_token_t token;
    char text[4000];
    bool ok;
    (void)arg;
    memset(text, 'x', sizeof text);
    memcpy(text, "[\"\\n", 4);
    memcpy(text + sizeof text - 2, "\"]", 2);
    connect_arena_init(&arena, NULL, 0, allocator);
    cn_json_read(&reader, cn_str(text, sizeof text), &arena, 10);
    cn_json_write(&writer, &out, allocator, false);
    cn_json_array_begin(&writer);
    for (token = cn_json_next(&reader); token != CN_JSON_END && token != CN_JSON_ERROR; token = cn_json_next(&reader))
        if (token == CN_JSON_STRING) cn_json_string(&writer, reader.text);
    cn_json_array_end(&writer);
    assert_int_equal(token == CN_JSON_ERROR, reader.out_of_memory);
    assert_int_equal(writer.failed, writer.out_of_memory);
    ok = token == CN_JSON_END && !writer.failed;
    if (ok) assert_true(connect_str_equal(cn_buf_view(&out), cn_str(text, sizeof text)));
    cn_buf_free(&out, allocator);
    connect_arena_free(&arena);
    return ok;
}
static void test_allocations(void **state) {
    (void)state;
    sweep_allocations(run_with_allocator, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_every_cut_is_refused),
        cmocka_unit_test(test_end_is_the_end),
        cmocka_unit_test(test_random_bytes),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_position),
        cmocka_unit_test(test_skip),
        cmocka_unit_test(test_writer),
        cmocka_unit_test(test_writer_escapes_everywhere),
        cmocka_unit_test(test_writer_refuses_bad_text),
        cmocka_unit_test(test_writer_base64),
        cmocka_unit_test(test_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
