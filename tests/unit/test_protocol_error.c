/* RPC errors on the wire: Connect's error object and END_STREAM, and google.rpc.Status; whole, cut, odd and wrong. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"

#define STR(literal) ((connect_str_t){(literal), sizeof(literal) - 1})
#define COUNT(array) (sizeof(array) / sizeof *(array))
#define SLACK 16 /* readable bytes behind what was received */

static const connect_limits_t limits = {.header_bytes = 1000, .header_count = 10};

static bool read_json(connect_error_t *error, const char *json, size_t len, connect_arena_t *arena) {
    guarded text = guarded_copy(json, len, SLACK);
    bool ok;
    memset(error, 0xFF, sizeof *error);
    ok = cn_error_read_json(error, cn_str(text.data, len), CONNECT_UNAVAILABLE, arena);
    guarded_free(&text); /* what was read stands in the arena */
    return ok;
}
static bool read_end(
    connect_error_t *error, connect_headers_t *trailers, const char *json, size_t len, connect_arena_t *arena) {
    guarded text = guarded_copy(json, len, SLACK);
    bool ok;
    memset(error, 0xFF, sizeof *error);
    memset(trailers, 0, sizeof *trailers);
    ok = cn_error_read_end_stream(error, trailers, cn_str(text.data, len), &limits, arena);
    guarded_free(&text);
    return ok;
}

/* ---- The error object, read ---- */

static void test_read(void **state) {
    static const struct {
        const char *json;
        connect_code_t code; /* UNAVAILABLE: as told by the caller */
        const char *message;
        size_t details;
    } cases[] = {{"{\"code\":\"not_found\"}", CONNECT_NOT_FOUND, "", 0},
        {"{\"code\":\"canceled\",\"message\":\"gone\"}", CONNECT_CANCELED, "gone", 0},
        {"{}", CONNECT_UNAVAILABLE, "", 0}, {" { } ", CONNECT_UNAVAILABLE, "", 0},
        {"{\"code\":null,\"message\":\"m\"}", CONNECT_UNAVAILABLE, "m", 0},
        {"{\"message\":\"m\"}", CONNECT_UNAVAILABLE, "m", 0},
        {"{\"code\":\"no_such\",\"message\":\"m\"}", CONNECT_UNAVAILABLE, "m", 0},
        {"{\"code\":\"ok\"}", CONNECT_UNAVAILABLE, "", 0}, {"{\"code\":\"\"}", CONNECT_UNAVAILABLE, "", 0},
        {"{\"code\":\"CANCELED\"}", CONNECT_UNAVAILABLE, "", 0},
        {"{\"code\":\"abort\\u0065d\"}", CONNECT_ABORTED, "", 0},
        {"{\"code\":\"internal\",\"message\":null}", CONNECT_INTERNAL, "", 0},
        {"{\"code\":\"internal\",\"details\":null}", CONNECT_INTERNAL, "", 0},
        {"{\"code\":\"internal\",\"details\":[]}", CONNECT_INTERNAL, "", 0},
        {"{\"Code\":\"internal\",\"x\":{\"code\":\"aborted\"},\"y\":[1,[2],{}],\"z\":1e5,\"\":null}",
            CONNECT_UNAVAILABLE, "", 0},
        {"{\"x\":0,\"message\":\"t\\u00fc \\ud83d\\ude00\\r\\n\",\"code\":\"data_loss\",\"retry\":true}",
            CONNECT_DATA_LOSS, "t\xC3\xBC \xF0\x9F\x98\x80\r\n", 0},
        {"{\"code\":\"unknown\",\"details\":[{\"type\":\"a.B\",\"value\":\"\"},{\"type\":\"a.B\",\"value\":\"AA\"}]}",
            CONNECT_UNKNOWN, "", 2}};
    static const char zero[] = "{\"code\":\"aborted\",\"message\":\"a\\u0000b\"}";
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_error_t error;
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        if (!read_json(&error, cases[i].json, strlen(cases[i].json), &arena)) fail_msg("refused: %s", cases[i].json);
        if (error.code != cases[i].code) fail_msg("code %d: %s", (int)error.code, cases[i].json);
        assert_str(error.message, cases[i].message);
        assert_non_null(error.message.data);
        assert_int_equal(error.message.data[error.message.len], 0);
        assert_int_equal(error.details.count, cases[i].details);
        assert_true(error.from_peer);
        assert_int_equal(error.os_error, 0);
        assert_int_equal(error.metadata.count, 0);
    }
    assert_true(read_json(&error, zero, sizeof zero - 1, &arena));
    assert_int_equal(error.message.len, 3);
    connect_arena_free(&arena);
}

static void test_read_details(void **state) {
    static const char json[] =
        "{\"code\":\"aborted\",\"details\":["
        "{\"type\":\"a.Unpadded\",\"value\":\"+/8\"},"
        "{\"type\":\"a.Padded\",\"value\":\"+/8=\",\"debug\":{\"@type\":[1,{\"x\":null}]}},"
        "{\"debug\":\"no base64 \\u0000!\",\"value\":\"-_8\",\"type\":\"type.googleapis.com/a.Url\",\"more\":[]},"
        "{\"type\":\"https://x/y/a.Long\",\"value\":\"\",\"type2\":7},"
        "{\"value\":\"AA\"},{\"type\":\"a.Bare\"},{},"
        "{\"type\":\"a.Bad\",\"value\":\"A\"},{\"type\":7,\"value\":\"AA\"},{\"type\":\"a.Null\",\"value\":null}"
        "],\"message\":\"after\"}";
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_error_t error;
    (void)state;
    assert_true(read_json(&error, json, sizeof json - 1, &arena));
    assert_int_equal(error.code, CONNECT_ABORTED);
    assert_str(error.message, "after");
    assert_int_equal(error.details.count, 4); /* what is no whole detail is passed over */
    assert_str(error.details.items[0].type, "a.Unpadded");
    assert_str(error.details.items[0].value, "\xFB\xFF");
    assert_str(error.details.items[1].type, "a.Padded");
    assert_str(error.details.items[1].value, "\xFB\xFF");
    assert_str(error.details.items[2].type, "a.Url");
    assert_str(error.details.items[2].value, "\xFB\xFF");
    assert_str(error.details.items[3].type, "a.Long");
    assert_str(error.details.items[3].value, "");
    connect_arena_free(&arena);
}

static void test_read_malformed(void **state) {
    static const char *const bad[] = {"", " ", "null", "[]", "\"canceled\"", "1", "true", "{", "}", "{}x", "{}{}",
        "{\"code\":1}", "{\"code\":true}", "{\"code\":[\"canceled\"]}", "{\"code\":{}}", "{\"code\":canceled}",
        "{\"code\":\"canceled\"", "{\"code\":\"canceled\",}", "{\"code\" \"canceled\"}", "{'code':'canceled'}",
        "{\"code\":\"canceled\"} x", "{\"message\":\"\\ud800\"}", "{\"message\":\"\xFF\"}", "{\"details\":[1]}",
        "{\"details\":[null]}", "{\"details\":[[]]}", "{\"details\":[{]}", "{\"details\":[{}", "{\"details\":[{},]}",
        "{\"details\":[{\"debug\":nul}]}", "{\"x\":[}", "<html></html>", "\xEF\xBB\xBF{}"};
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_error_t error;
    char deep[600];
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(bad); i++)
        if (read_json(&error, bad[i], strlen(bad[i]), &arena)) fail_msg("accepted: %s", bad[i]);
    memset(deep, '[', sizeof deep); /* garbage is legal in debug, without end it is not */
    memcpy(deep, "{\"details\":[{\"debug\":", 21);
    assert_false(read_json(&error, deep, sizeof deep, &arena));
    connect_arena_free(&arena);
}

static void test_every_cut(void **state) {
    static const char json[] = "{\"code\":\"not_found\",\"message\":\"x\\u00e9\\n\",\"details\":[{\"type\":\"a.B\","
                               "\"value\":\"AAA\",\"debug\":{\"a\":[1]}}],\"more\":[null,true]}";
    static const char end[] = "{\"error\":{\"code\":\"not_found\",\"message\":\"m\"},\"metadata\":{\"a\":[\"1\",\"2\"],"
                              "\"b-bin\":[\"AA\"]},\"x\":{}}";
    connect_error_t error;
    connect_headers_t trailers;
    size_t len;
    (void)state;
    for (len = 0; len < sizeof json; len++) {
        connect_arena_t arena = CONNECT_DEFAULTS;
        assert_int_equal(read_json(&error, json, len, &arena), len == sizeof json - 1);
        connect_arena_free(&arena);
    }
    for (len = 0; len < sizeof end; len++) {
        connect_arena_t arena = CONNECT_DEFAULTS;
        assert_int_equal(read_end(&error, &trailers, end, len, &arena), len == sizeof end - 1);
        connect_arena_free(&arena);
    }
}

/* ---- END_STREAM, read ---- */

static void test_read_end_stream(void **state) {
    static const struct {
        const char *json;
        connect_code_t code;
        const char *message;
        size_t trailers;
    } cases[] = {{"{}", CONNECT_OK, "", 0}, {"{\"error\":null}", CONNECT_OK, "", 0},
        {"{\"error\":null,\"metadata\":{}}", CONNECT_OK, "", 0}, {"{\"metadata\":null}", CONNECT_OK, "", 0},
        {"{\"code\":\"aborted\",\"message\":\"top\"}", CONNECT_OK, "", 0}, /* two unknown keys */
        {"{\"error\":{}}", CONNECT_UNKNOWN, "", 0}, {"{\"error\":{\"code\":null}}", CONNECT_UNKNOWN, "", 0},
        {"{\"error\":{\"code\":\"no_such\",\"message\":\"m\"}}", CONNECT_UNKNOWN, "m", 0},
        {"{\"error\":{\"message\":\"m\"}}", CONNECT_UNKNOWN, "m", 0},
        {"{\"error\":{\"code\":\"aborted\"},\"metadata\":{\"a\":[\"1\"]}}", CONNECT_ABORTED, "", 1},
        {"{\"metadata\":{\"a\":[\"1\",\"2\"],\"b\":[]},\"error\":{\"code\":\"internal\",\"message\":\"m\"}}",
            CONNECT_INTERNAL, "m", 2},
        {"{\"metadata\":{\"a\":\"no list\",\"b\":[\"\"],\"c\":null,\"d\":{\"e\":[\"1\"]},\"f\":7}}", CONNECT_OK, "", 1},
        {"{\"metadata\":{\"\":[\"1\"],\"a b\":[\"1\"],\"a:\":[\"1\"],\"\\u00e9\":[\"1\"],\":status\":[\"1\"]}}",
            CONNECT_OK, "", 0},
        {"{\"stray\":[{\"error\":{\"code\":\"aborted\"}}],\"metadata\":[]}", CONNECT_OK, "", 0}};
    static const char *const bad[] = {"", "null", "[]", "{\"error\":1}", "{\"error\":\"aborted\"}", "{\"error\":[]}",
        "{\"error\":true}", "{\"error\":{\"code\":7}}", "{\"error\":{\"code\":\"aborted\"}", "{}{}", "{} x",
        "{\"metadata\":{\"a\":[1]}}", "{\"metadata\":{\"a\":[null]}}", "{\"metadata\":{\"a\":[[]]}}",
        "{\"metadata\":{\"a\":[\"\\ud800\"]}}", "{\"metadata\":{\"a\":[\"1\",]}}",
        "{\"metadata\":{\"a\":[\"1\\r\\nb: 2\"]}}", "{\"metadata\":{\"a\":[\"\\u0000\"]}}",
        "{\"metadata\":{\"a\":[\"\\u007f\"]}}"};
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_error_t error;
    connect_headers_t trailers;
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        if (!read_end(&error, &trailers, cases[i].json, strlen(cases[i].json), &arena))
            fail_msg("refused: %s", cases[i].json);
        if (error.code != cases[i].code) fail_msg("code %d: %s", (int)error.code, cases[i].json);
        assert_str(error.message, cases[i].message);
        if (trailers.count != cases[i].trailers) fail_msg("%u: %s", (unsigned)trailers.count, cases[i].json);
    }
    for (i = 0; i < COUNT(bad); i++)
        if (read_end(&error, &trailers, bad[i], strlen(bad[i]), &arena)) fail_msg("accepted: %s", bad[i]);
    connect_arena_free(&arena);
}

static void test_read_metadata(void **state) {
    static const char json[] =
        "{\"metadata\":{\"X-One\":[\"1\",\"t\xC3\xBC\",\"\"],\"x-two-BIN\":[\"AA\"],\"x-one\":[\"4\\t\\\"\"]}}";
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_error_t error;
    connect_headers_t trailers;
    char large[1200];
    size_t count;
    (void)state;
    assert_true(read_end(&error, &trailers, json, sizeof json - 1, &arena));
    assert_int_equal(trailers.count, 5);
    assert_string_equal(trailers.items[0].name, "x-one"); /* in lower case */
    assert_string_equal(trailers.items[3].name, "x-two-bin");
    assert_str(connect_headers_get(trailers, "x-one", 0), "1");
    assert_str(connect_headers_get(trailers, "x-one", 1), "t\xC3\xBC");
    assert_str(connect_headers_get(trailers, "x-one", 2), "");
    assert_str(connect_headers_get(trailers, "x-one", 3), "4\t\"");
    assert_str(connect_headers_get(trailers, "x-two-bin", 0), "AA");
    for (count = 10; count <= 11; count++) { /* limits: the number, and name + value + 32 for each */
        size_t len, i;
        len = (size_t)snprintf(large, sizeof large, "{\"metadata\":{\"a\":[\"0\"");
        for (i = 1; i < count; i++)
            len += (size_t)snprintf(large + len, sizeof large - len, ",\"%u\"", (unsigned)i);
        len += (size_t)snprintf(large + len, sizeof large - len, "]}}");
        assert_int_equal(read_end(&error, &trailers, large, len, &arena), count == 10);
        memset(large, 'v', sizeof large);
        memcpy(large, "{\"metadata\":{\"a\":[\"", 19);
        len = 19 + 1000 - 33 + (count - 10);
        memcpy(large + len, "\"]}}", 4);
        assert_int_equal(read_end(&error, &trailers, large, len + 4, &arena), count == 10);
    }
    connect_arena_free(&arena);
}

/* ---- Written ---- */

static const connect_error_detail_t two_details[] = {
    {{"acme.Fault", 10}, {"\xFB\xFF", 2}}, {{"google.rpc.RetryInfo", 20}, {"", 0}}};

static void make_error(connect_error_t *error, connect_code_t code, const char *message) {
    memset(error, 0, sizeof *error);
    error->code = code;
    error->message = connect_str_of(message);
}

static void test_write(void **state) {
    static const struct {
        connect_code_t code;
        const char *message, *expected;
    } cases[] = {{CONNECT_NOT_FOUND, "", "{\"code\":\"not_found\"}"},
        {CONNECT_NOT_FOUND, NULL, "{\"code\":\"not_found\"}"},
        {CONNECT_ABORTED, "a \"b\"\r\n", "{\"code\":\"aborted\",\"message\":\"a \\\"b\\\"\\r\\n\"}"},
        {CONNECT_ABORTED, "\xFFz", "{\"code\":\"aborted\",\"message\":\"\\\\xFFz\"}"}, /* what is no UTF-8 is quoted */
        {CONNECT_OK, "", "{\"code\":\"unknown\"}"}, {(connect_code_t)17, "", "{\"code\":\"unknown\"}"},
        {CONNECT_LATER, "", "{\"code\":\"unknown\"}"}};
    static const connect_header_t metadata[] = {
        {"a", {"1", 1}}, {"b-bin", {"AA", 2}}, {"a", {"2", 1}}, {"c", {"\xFF", 1}}, {"a", {"", 0}}};
    connect_headers_t trailers = {metadata, 5}, none = {NULL, 0};
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_error_t error;
    cn_buf_t out = {NULL, 0, 0, 0};
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        make_error(&error, cases[i].code, cases[i].message);
        assert_true(cn_error_write_json(&out, NULL, &arena, &error));
        assert_str(cn_buf_view(&out), cases[i].expected);
        cn_buf_clear(&out);
    }
    make_error(&error, CONNECT_INTERNAL, "m");
    error.details.items = two_details;
    error.details.count = 2;
    assert_true(cn_error_write_json(&out, NULL, &arena, &error));
    assert_str(cn_buf_view(&out), "{\"code\":\"internal\",\"message\":\"m\",\"details\":[{\"type\":\"acme.Fault\","
                                  "\"value\":\"+/8\"},{\"type\":\"google.rpc.RetryInfo\",\"value\":\"\"}]}");
    cn_buf_clear(&out);
    make_error(&error, CONNECT_OK, "");
    assert_true(cn_error_write_end_stream(&out, NULL, &arena, &error, none));
    assert_str(cn_buf_view(&out), "{}");
    cn_buf_clear(&out);
    assert_true(cn_error_write_end_stream(&out, NULL, &arena, &error, trailers)); /* no name twice */
    assert_str(
        cn_buf_view(&out), "{\"metadata\":{\"a\":[\"1\",\"2\",\"\"],\"b-bin\":[\"AA\"],\"c\":[\"\\\\xFF\"]}}");
    cn_buf_clear(&out);
    make_error(&error, CONNECT_CANCELED, "m");
    trailers.count = 1;
    assert_true(cn_error_write_end_stream(&out, NULL, &arena, &error, trailers));
    assert_str(
        cn_buf_view(&out), "{\"error\":{\"code\":\"canceled\",\"message\":\"m\"},\"metadata\":{\"a\":[\"1\"]}}");
    cn_buf_free(&out, NULL);
    connect_arena_free(&arena);
}

/* ---- google.rpc.Status ---- */

static void check_same(const connect_error_t *a, const connect_error_t *b) {
    size_t i;
    assert_int_equal(a->code, b->code);
    assert_true(connect_str_equal(a->message, b->message));
    assert_int_equal(a->details.count, b->details.count);
    for (i = 0; i < a->details.count; i++) {
        assert_true(connect_str_equal(a->details.items[i].type, b->details.items[i].type));
        assert_true(connect_str_equal(a->details.items[i].value, b->details.items[i].value));
    }
}

static void test_details_bin(void **state) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_error_t error, back;
    connect_str_t text;
    int code;
    (void)state;
    make_error(&error, CONNECT_NOT_FOUND, "no");
    error.details.items = two_details;
    error.details.count = 1;
    text = cn_error_write_details_bin(&arena, &error);
    /* 08 05, 12 02 "no", 1a 24: 0a 1e "type.googleapis.com/acme.Fault", 12 02 fb ff */
    assert_str(text, "CAUSAm5vGiQKHnR5cGUuZ29vZ2xlYXBpcy5jb20vYWNtZS5GYXVsdBIC+/8");
    for (code = 1; code <= 16; code++) {
        make_error(&error, (connect_code_t)code, "t\xC3\xBC\r\n\xF0\x9F\x98\x80");
        error.details.items = two_details;
        error.details.count = (size_t)code % 3;
        text = cn_error_write_details_bin(&arena, &error);
        assert_null(memchr(text.data, '=', text.len)); /* unpadded */
        assert_true(cn_error_read_details_bin(&back, text, &arena));
        check_same(&error, &back);
        assert_true(back.from_peer);
        text = connect_arena_printf(&arena, " " CONNECT_STR_FMT "%s ", CONNECT_STR_ARG(text),
            &"===="[text.len % 4 ? text.len % 4 : 4]);
        assert_true(cn_error_read_details_bin(&back, text, &arena)); /* padded, with space around */
        check_same(&error, &back);
    }
    make_error(&error, CONNECT_OK, "\xFF");
    assert_true(cn_error_read_details_bin(&back, cn_error_write_details_bin(&arena, &error), &arena));
    assert_int_equal(back.code, CONNECT_UNKNOWN);
    assert_str(back.message, "\\xFF");
    assert_true(cn_error_read_details_bin(&back, STR(""), &arena)); /* an empty message is one, too */
    assert_int_equal(back.code, CONNECT_OK);
    assert_non_null(back.message.data);
    connect_arena_free(&arena);
}

static bool read_bin(connect_error_t *error, const char *bytes, size_t len) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    guarded from;
    connect_str_t text = connect_base64_encode(cn_str(bytes, len), &arena);
    bool ok;
    from = guarded_copy(text.data, text.len, SLACK);
    ok = cn_error_read_details_bin(error, cn_str(from.data, from.len), &arena);
    guarded_free(&from);
    connect_arena_free(&arena);
    return ok;
}

static void test_details_bin_malformed(void **state) {
    static const char whole[] = "\x08\x05\x12\x02no\x1A\x09\x0A\x03"
                                "a.B\x12\x02xy\x20\x01";
    static const size_t ends[] = {0, 2, 6, 17, 19}; /* between two fields */
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {{"\x12\x01\xFF", 3}, {"\x1A\x02\x0A\x05", 4}, {"\x1A\x03\x0A\x01\xFF", 5}, {"\x1A\x02\x12\x01", 4},
        {"\x0B", 1}, {"\x0C", 1}, {"\x07", 1}, {"\x06\0", 2}, {"\0\0", 2},
        {"\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 13}, {"\x12\xFF\xFF\xFF\xFF\x0F", 6}};
    static const char *const no_base64[] = {"A", "CAU!", "C A U", "CAU==", "CAU,CAU", "\xFF\xFF"};
    connect_error_t error;
    size_t i, k;
    (void)state;
    for (i = 0; i <= sizeof whole - 1; i++) {
        bool expected = false;
        for (k = 0; k < COUNT(ends); k++)
            expected = expected || ends[k] == i;
        assert_int_equal(read_bin(&error, whole, i), expected);
    }
    for (i = 0; i < COUNT(bad); i++)
        if (read_bin(&error, bad[i].bytes, bad[i].len)) fail_msg("accepted: number %u", (unsigned)i);
    for (i = 0; i < COUNT(no_base64); i++) {
        connect_arena_t arena = CONNECT_DEFAULTS;
        assert_false(cn_error_read_details_bin(&error, connect_str_of(no_base64[i]), &arena));
        connect_arena_free(&arena);
    }
}

static void test_details_bin_random(void **state) {
    uint32_t random = 7;
    int i;
    (void)state;
    for (i = 0; i < 20000; i++) {
        char bytes[24];
        connect_error_t error;
        size_t len, k;
        random = random * 1664525u + 1013904223u;
        len = (random >> 16) % sizeof bytes;
        for (k = 0; k < len; k++) {
            random = random * 1664525u + 1013904223u;
            bytes[k] = (char)((random >> 16) % 3 ? "\x08\x12\x1A\x0A\x02\x05z"[(random >> 20) % 7] : (int)(random >> 24));
        }
        read_bin(&error, bytes, len);
        if (error.details.count) assert_non_null(error.details.items);
    }
}

/* ---- Copying and finding ---- */

static void test_copy(void **state) {
    static const connect_header_t metadata[] = {{"a", {"1", 1}}, {"b", {NULL, 0}}};
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_error_t error, copy;
    (void)state;
    make_error(&error, CONNECT_ABORTED, "m");
    error.details.items = two_details;
    error.details.count = 2;
    error.metadata.items = metadata;
    error.metadata.count = 2;
    error.os_error = 7;
    error.from_peer = true;
    assert_true(cn_error_copy(&copy, &error, &arena));
    check_same(&error, &copy);
    assert_ptr_not_equal(copy.message.data, error.message.data);
    assert_ptr_not_equal(copy.details.items[0].value.data, two_details[0].value.data);
    assert_ptr_not_equal(copy.metadata.items[0].name, metadata[0].name);
    assert_string_equal(copy.metadata.items[0].name, "a");
    assert_str(copy.metadata.items[0].value, "1");
    assert_str(copy.metadata.items[1].value, "");
    assert_int_equal(copy.os_error, 7);
    assert_true(copy.from_peer);
    make_error(&error, CONNECT_OK, NULL);
    assert_true(cn_error_copy(&copy, &error, &arena));
    assert_non_null(copy.message.data); /* never NULL */
    connect_arena_free(&arena);
}

/* ---- No memory ---- */

/* Whatever fails, what is said to have worked is whole. */
static bool run_with_allocator(const connect_allocator_t *allocator, void *arg) {
    connect_arena_t arena;
    cn_buf_t out = {NULL, 0, 0, 0};
    connect_error_t error, back;
    connect_error_detail_t details[3];
    connect_header_t metadata[3] = {{"a", {"1", 1}}, {"b", {"2", 1}}, {"a", {"3", 1}}};
    connect_headers_t trailers = {metadata, 3}, received;
    static char longer[3000];
    connect_str_t text;
    size_t i;
    bool ok = true;
    (void)arg;
    memset(longer, 'l', sizeof longer);
    make_error(&error, CONNECT_ABORTED, NULL);
    error.message = cn_str(longer, 1500);
    for (i = 0; i < 3; i++) {
        details[i].type = cn_str(longer, 1000 + i);
        details[i].value = cn_str(longer, 2000 + i);
    }
    error.details.items = details;
    error.details.count = 3;
    metadata[2].value = cn_str(longer, 900);

    connect_arena_init(&arena, NULL, 0, allocator);
    if (cn_error_write_json(&out, allocator, &arena, &error)) {
        text = cn_buf_view(&out);
        if (cn_error_read_json(&back, text, CONNECT_UNKNOWN, &arena))
            check_same(&error, &back);
        else
            ok = false;
    } else {
        ok = false;
    }
    cn_buf_clear(&out);
    connect_arena_free(&arena);
    if (cn_error_write_end_stream(&out, allocator, &arena, &error, trailers)) {
        static const connect_limits_t wide = {.header_bytes = 10000, .header_count = 10};
        if (cn_error_read_end_stream(&back, &received, cn_buf_view(&out), &wide, &arena)) {
            check_same(&error, &back);
            assert_int_equal(received.count, 3);
        } else {
            ok = false;
        }
    } else {
        ok = false;
    }
    cn_buf_free(&out, allocator);
    connect_arena_free(&arena);
    text = cn_error_write_details_bin(&arena, &error);
    if (text.data) {
        connect_arena_t other = CONNECT_DEFAULTS;
        assert_true(cn_error_read_details_bin(&back, text, &other));
        check_same(&error, &back);
        connect_arena_free(&other);
        if (cn_error_read_details_bin(&back, text, &arena))
            check_same(&error, &back);
        else
            ok = false;
    } else {
        ok = false;
    }
    connect_arena_free(&arena);
    error.metadata = trailers;
    if (cn_error_copy(&back, &error, &arena)) {
        check_same(&error, &back);
        assert_int_equal(back.metadata.count, 3);
    } else {
        assert_int_equal(back.code, CONNECT_ABORTED);
        assert_non_null(back.message.data);
        assert_int_equal(back.metadata.count, 0);
        ok = false;
    }
    connect_arena_free(&arena);
    return ok;
}
static void test_allocations(void **state) {
    (void)state;
    sweep_allocations(run_with_allocator, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_read_details),
        cmocka_unit_test(test_read_malformed),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_read_end_stream),
        cmocka_unit_test(test_read_metadata),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_details_bin),
        cmocka_unit_test(test_details_bin_malformed),
        cmocka_unit_test(test_details_bin_random),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
