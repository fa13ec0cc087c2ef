/* Content types: each one with each kind of method and each switch, with parameters, in any case; Accept-Post. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { UNARY_ONLY, STREAMS_ONLY, ALL };
static const struct {
    const char *type;
    connect_protocol_t protocol;
    bool json;
    int kinds;
    unsigned without;
} rows[] = {{"application/proto", CONNECT_PROTOCOL_CONNECT, false, UNARY_ONLY, CN_PROTOCOL_NO_CONNECT},
    {"application/json", CONNECT_PROTOCOL_CONNECT, true, UNARY_ONLY, CN_PROTOCOL_NO_CONNECT | CN_PROTOCOL_NO_JSON},
    {"application/connect+proto", CONNECT_PROTOCOL_CONNECT, false, STREAMS_ONLY, CN_PROTOCOL_NO_CONNECT},
    {"application/connect+json", CONNECT_PROTOCOL_CONNECT, true, STREAMS_ONLY,
        CN_PROTOCOL_NO_CONNECT | CN_PROTOCOL_NO_JSON},
    {"application/grpc", CONNECT_PROTOCOL_GRPC, false, ALL, CN_PROTOCOL_NO_GRPC},
    {"application/grpc+proto", CONNECT_PROTOCOL_GRPC, false, ALL, CN_PROTOCOL_NO_GRPC},
    {"application/grpc+json", CONNECT_PROTOCOL_GRPC, true, ALL, CN_PROTOCOL_NO_GRPC | CN_PROTOCOL_NO_JSON},
    {"application/grpc-web", CONNECT_PROTOCOL_GRPC_WEB, false, ALL, CN_PROTOCOL_NO_GRPC_WEB},
    {"application/grpc-web+proto", CONNECT_PROTOCOL_GRPC_WEB, false, ALL, CN_PROTOCOL_NO_GRPC_WEB},
    {"application/grpc-web+json", CONNECT_PROTOCOL_GRPC_WEB, true, ALL, CN_PROTOCOL_NO_GRPC_WEB | CN_PROTOCOL_NO_JSON},
    {"application/grpc-web-text", CONNECT_PROTOCOL_GRPC_WEB, false, ALL, CN_PROTOCOL_NO_GRPC_WEB},
    {"application/grpc-web-text+proto", CONNECT_PROTOCOL_GRPC_WEB, false, ALL, CN_PROTOCOL_NO_GRPC_WEB},
    {"application/grpc-web-text+json", CONNECT_PROTOCOL_GRPC_WEB, true, ALL,
        CN_PROTOCOL_NO_GRPC_WEB | CN_PROTOCOL_NO_JSON}};
static const connect_method_kind_t kinds[] = {
    CONNECT_UNARY, CONNECT_CLIENT_STREAM, CONNECT_SERVER_STREAM, CONNECT_BIDI_STREAM};
static const char *const unknown[] = {"", " ", ";", "image/jpeg", "application/foo", "application/", "application",
    "proto", "text/json", "application/json+proto", "application/connect", "application/connect+",
    "application/connect+foo", "application/grpc+", "application/grpc+foo", "application/grpcc",
    "application/grpc-web+foo", "application/grpc-web-text+", "application/grpc-web-text+foo",
    "application/grpc-webproto", "application/proto, application/json", "application/proto\n",
    "application/octet-stream", "application/x-protobuf", "multipart/form-data; boundary=x"};

static connect_method_t method_of(connect_method_kind_t kind) {
    connect_method_t method;
    memset(&method, 0, sizeof method);
    method.path = "/a.B/C";
    method.kind = kind;
    return method;
}
static bool fits(size_t row, connect_method_kind_t kind, unsigned without) {
    return !(rows[row].without & without) &&
        (rows[row].kinds == ALL || (rows[row].kinds == UNARY_ONLY) == (kind == CONNECT_UNARY));
}

static void check(const char *content_type, size_t row, connect_method_kind_t kind, unsigned without) {
    connect_method_t method = method_of(kind);
    guarded text = guarded_copy(content_type, strlen(content_type), 0);
    bool json = !rows[row].json;
    const cn_protocol_t *protocol = cn_protocol_recognise(cn_str(text.data, text.len), &method, without, &json);
    if (!fits(row, kind, without)) {
        if (protocol) fail_msg("accepted: %s, kind %d, without %u", content_type, (int)kind, without);
    } else {
        if (!protocol) fail_msg("refused: %s, kind %d, without %u", content_type, (int)kind, without);
        if (protocol->id != rows[row].protocol || json != rows[row].json)
            fail_msg("taken for another: %s", content_type);
        assert_int_equal(protocol->enveloped, rows[row].protocol != CONNECT_PROTOCOL_CONNECT || kind != CONNECT_UNARY);
        if (strstr(rows[row].type, "-text"))
            assert_ptr_equal(protocol, cn_grpcweb_text_protocol());
        else
            assert_ptr_equal(protocol, cn_protocol_of(rows[row].protocol, &method)); /* both ends agree */
    }
    guarded_free(&text);
}

static void test_matrix(void **state) {
    size_t row, k;
    unsigned without;
    (void)state;
    for (row = 0; row < COUNT(rows); row++)
        for (k = 0; k < COUNT(kinds); k++)
            for (without = 0; without < 16; without++)
                check(rows[row].type, row, kinds[k], without);
}

static void test_parameters(void **state) {
    static const char *const good[] = {"; charset=utf-8", ";charset=utf-8", " ; charset=UTF-8 ", ";CharSet=Utf-8",
        "; charset=\"utf-8\"", ";", " ", "\t;\t", ";;charset=utf-8", "; charset=utf-8;"};
    static const char *const bad[] = {"; charset=latin1", "; charset=", "; charset", "; charset=utf8", "; q=1",
        "; charset=utf-8; q=1", "; q=1; charset=utf-8", ", charset=utf-8", " charset=utf-8", "; charset=utf-8x",
        "; boundary=\"a;b\"", "; charset=\"utf-8", "; charset=utf-8, x"};
    char text[120];
    size_t row, k, i;
    (void)state;
    for (row = 0; row < COUNT(rows); row++)
        for (k = 0; k < COUNT(kinds); k++) {
            connect_method_t method = method_of(kinds[k]);
            bool json;
            for (i = 0; i < COUNT(good); i++) {
                snprintf(text, sizeof text, "%s%s", rows[row].type, good[i]);
                check(text, row, kinds[k], 0);
            }
            for (i = 0; i < COUNT(bad); i++) {
                snprintf(text, sizeof text, "%s%s", rows[row].type, bad[i]);
                if (cn_protocol_recognise(connect_str_of(text), &method, 0, &json)) fail_msg("accepted: %s", text);
            }
        }
}

/* In any case; and not with any character more, fewer or other. */
static void test_spelling(void **state) {
    char text[64];
    size_t row, i, other;
    (void)state;
    for (row = 0; row < COUNT(rows); row++) {
        connect_method_kind_t kind = rows[row].kinds == STREAMS_ONLY ? CONNECT_BIDI_STREAM : CONNECT_UNARY;
        connect_method_t method = method_of(kind);
        size_t len = strlen(rows[row].type);
        bool json;
        for (i = 0; i < len; i++) {
            memcpy(text, rows[row].type, len + 1);
            if (text[i] >= 'a' && text[i] <= 'z') text[i] = (char)(text[i] - 32);
            check(text, row, kind, 0);
            text[i] = '*';
            assert_null(cn_protocol_recognise(connect_str_of(text), &method, 0, &json));
            memcpy(text, rows[row].type, len + 1);
            text[i] = 0;
            for (other = 0; other < COUNT(rows); other++)
                if (strcmp(text, rows[other].type) == 0) break;
            if (other == COUNT(rows)) assert_null(cn_protocol_recognise(connect_str_of(text), &method, 0, &json));
        }
        memcpy(text, rows[row].type, len);
        text[len] = 'x';
        assert_null(cn_protocol_recognise(cn_str(text, len + 1), &method, 0, &json));
    }
}

static void test_unknown(void **state) {
    size_t i, k;
    bool json;
    (void)state;
    for (k = 0; k < COUNT(kinds); k++) {
        connect_method_t method = method_of(kinds[k]);
        for (i = 0; i < COUNT(unknown); i++)
            if (cn_protocol_recognise(connect_str_of(unknown[i]), &method, 0, &json))
                fail_msg("accepted: %s", unknown[i]);
        assert_null(cn_protocol_recognise(cn_str(NULL, 0), &method, 0, &json)); /* none at all */
    }
}

/* Accept-Post lists what is recognised, each once, sorted, and nothing else. */
static void test_accept_post(void **state) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    size_t k, row;
    unsigned without;
    (void)state;
    for (k = 0; k < COUNT(kinds); k++)
        for (without = 0; without < 16; without++) {
            connect_method_t method = method_of(kinds[k]);
            connect_str_t list = cn_protocol_accept_post(&arena, &method, without), rest = list, part;
            connect_str_t before = {"", 0};
            size_t expected = 0, listed = 0;
            bool seen[COUNT(rows)] = {false};
            assert_non_null(list.data);
            for (row = 0; row < COUNT(rows); row++)
                expected += fits(row, kinds[k], without);
            while (list.len && cn_str_split(&rest, ',', &part)) {
                bool found = false;
                if (listed++) {
                    assert_int_equal(part.data[0], ' ');
                    part = cn_str_trim(part);
                    assert_true(before.len < part.len || memcmp(before.data, part.data, part.len) < 0);
                    assert_true(memcmp(before.data, part.data, CN_MIN(before.len, part.len)) <= 0);
                }
                before = part;
                for (row = 0; row < COUNT(rows); row++)
                    if (connect_str_equal(part, connect_str_of(rows[row].type))) {
                        found = !seen[row] && fits(row, kinds[k], without);
                        seen[row] = true;
                    }
                assert_true(found);
            }
            assert_int_equal(listed, expected);
            connect_arena_reset(&arena);
        }
    connect_arena_free(&arena);
}

static void test_media_type(void **state) {
    (void)state;
    assert_str(cn_protocol_media_type(connect_str_of(" A/b ; charset=utf-8")), "A/b");
    assert_str(cn_protocol_media_type(connect_str_of("A/b; x=y")), "");
    assert_non_null(cn_protocol_media_type(cn_str(NULL, 0)).data);
}

static bool run_with_allocator(const connect_allocator_t *allocator, void *arg) {
    connect_arena_t arena;
    connect_method_t method = method_of(CONNECT_UNARY);
    connect_str_t list;
    (void)arg;
    connect_arena_init(&arena, NULL, 0, allocator);
    list = cn_protocol_accept_post(&arena, &method, 0);
    if (list.data) assert_true(list.len > 100);
    connect_arena_free(&arena);
    return list.data != NULL;
}
static void test_allocations(void **state) {
    (void)state;
    sweep_allocations(run_with_allocator, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matrix),
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_spelling),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_accept_post),
        cmocka_unit_test(test_media_type),
        cmocka_unit_test(test_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
