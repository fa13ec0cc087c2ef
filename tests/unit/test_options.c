/* What the options of a server, and of a route, do to its calls: the policy of deadlines, and JSON. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"
#include "pair.h"

typedef struct bureau {
    pair p;
    connect_events_t events;
    connect_server_options_t options;
    connect_route_options_t route;
    pair_kind kind;
    int64_t left;
    int handled, canceled, server_closed;
    connect_code_t server_code;
    connect_call_t *call;
} bureau;

static void bureau_canceled(connect_call_t *call, void *arg) {
    (void)call;
    ((bureau *)arg)->canceled++;
}
static connect_code_t bureau_open(connect_call_t *call, void *user) {
    bureau *b = (bureau *)user;
    b->handled++;
    b->call = call;
    b->left = connect_call_time_left_ms(call);
    return CONNECT_OK;
}
static connect_code_t bureau_request(connect_call_t *call, const void *request, void *response, void *user) {
    (void)request;
    (void)response;
    connect_call_on_cancel(call, bureau_canceled, user);
    return CONNECT_LATER;
}
static connect_code_t bureau_end(connect_call_t *call, void *response, void *user) {
    (void)call;
    (void)response;
    (void)user;
    return CONNECT_LATER;
}
static void bureau_server_closed(connect_call_t *call, const connect_error_t *error, void *user) {
    bureau *b = (bureau *)user;
    (void)call;
    b->server_closed++;
    b->server_code = error ? error->code : CONNECT_OK;
}
static void bureau_build(bureau *b) {
    connect_error_t error;
    size_t i;
    pair_init(&b->p);
    b->events.on_open = bureau_open;
    b->events.on_request = bureau_request;
    b->events.on_end = bureau_end;
    b->events.on_closed = bureau_server_closed;
    b->p.server = connect_server_new(&b->options, &error);
    assert_non_null(b->p.server);
    for (i = 0; i < 4; i++)
        assert_true(connect_server_add_route(b->p.server, &note_methods[i], &b->events, b, &b->route, &error));
}
/* timeout_ms: in the header; -1: none. Nothing else is sent, so that the deadline runs while the request is awaited. */
static void bureau_ask(bureau *b, long timeout_ms, bool whole) {
    static const char *const names[4] = {"Unary", "Client", "Server", "Bidi"};
    connect_error_t error;
    char timeout[60] = "";
    bool unary = b->kind.kind == CONNECT_UNARY;
    pair_link *link = pair_add(&b->p, NULL, connect_server_accept(b->p.server, "", NULL, &error));
    link->up.sender_gone = false;
    if (timeout_ms >= 0) snprintf(timeout, sizeof timeout, "connect-timeout-ms: %ld\r\n", timeout_ms);
    bytes_print(&link->up.sent,
        "POST /test.v1.Notes/%s HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\ncontent-type: application/%s\r\n%s\r\n",
        names[b->kind.kind], unary ? 4 : 5, unary ? "proto" : "connect+proto", timeout);
    if (whole) bytes_add(&link->up.sent, unary ? "\x0a\2hi" : "\0\0\0\0\0", unary ? 4 : 5);
    pair_pump(&b->p);
}

static bool has(const bytes *text, const char *wanted) {
    size_t len = strlen(wanted), i;
    for (i = 0; i + len <= text->len; i++)
        if (memcmp(text->data + i, wanted, len) == 0) return true;
    return false;
}

#define NONE INT64_MAX
static const struct {
    connect_deadlines_t server, route;
    long asked;
    int64_t unary, stream; /* what the handler sees */
} policies[] = {
    {{0, 0, 0, false}, {0, 0, 0, false}, -1, NONE, NONE},
    {{0, 0, 0, false}, {0, 0, 0, false}, 700, 700, 700},
    {{5000, 0, 0, false}, {0, 0, 0, false}, -1, 5000, 5000},
    {{5000, 0, 0, false}, {0, 0, 0, false}, 9000, 9000, 9000},
    {{CONNECT_UNLIMITED, 0, CONNECT_UNLIMITED, false}, {0, 0, 0, false}, -1, NONE, NONE},
    {{0, 1000, 0, false}, {0, 0, 0, false}, 1, 1000, 1000},
    {{0, 1000, 0, false}, {0, 0, 0, false}, -1, NONE, NONE},
    {{0, 1000, 0, false}, {0, 0, 0, false}, 1001, 1001, 1001},
    {{0, 0, 2000, false}, {0, 0, 0, false}, 2001, 2000, 2000},
    {{0, 0, 2000, false}, {0, 0, 0, false}, 1999, 1999, 1999},
    {{0, 0, 2000, false}, {0, 0, 0, false}, -1, 2000, 2000},
    {{3000, 0, 2000, false}, {0, 0, 0, false}, -1, 2000, 2000},
    {{3000, 0, 4000, true}, {0, 0, 0, false}, -1, 3000, NONE},
    {{3000, 0, 4000, true}, {0, 0, 0, false}, 9000, 4000, 9000},
    {{3000, 0, 4000, true}, {0, 0, 0, false}, 100, 100, 100},
    {{3000, 0, 0, false}, {1000, 0, 0, false}, -1, 1000, 1000},
    {{3000, 100, 4000, false}, {0, 0, 500, true}, 9000, 500, 9000},
    {{0, 0, 0, false}, {0, 0, 0, false}, 9999999999L, 9999999999LL, 9999999999LL},
};
static void test_policy(void **state) {
    size_t i;
    int kind;
    (void)state;
    for (i = 0; i < sizeof policies / sizeof *policies; i++) {
        for (kind = 0; kind < 4; kind++) {
            int64_t wanted = kind == CONNECT_UNARY ? policies[i].unary : policies[i].stream;
            bureau b;
            memset(&b, 0, sizeof b);
            b.kind.kind = (connect_method_kind_t)kind;
            b.options.deadlines = policies[i].server;
            b.route.deadlines = policies[i].route;
            bureau_build(&b);
            bureau_ask(&b, policies[i].asked, true);
            assert_int_equal(b.handled, 1);
            if (b.left != wanted) fail_msg("row %d, kind %d: %ld left", (int)i, kind, (long)b.left);
            if (wanted < 20000) { /* and so it is */
                pair_advance(&b.p, wanted - 1);
                assert_int_equal(b.p.links[0].down.sent.len, 0);
                connect_conn_feed(b.p.links[0].server, "", 0, b.p.now);
                assert_int_equal(connect_call_time_left_ms(b.call), 1);
                pair_advance(&b.p, 2);
                assert_true(has(&b.p.links[0].down.sent, "deadline_exceeded"));
                assert_int_equal(b.canceled, kind == CONNECT_UNARY);
                if (kind == CONNECT_UNARY) connect_call_finish(b.call, CONNECT_OK, NULL);
                pair_pump(&b.p);
                assert_int_equal(b.server_closed, 1);
                assert_int_equal(b.server_code, CONNECT_DEADLINE_EXCEEDED);
            } else if (kind == CONNECT_UNARY) {
                connect_call_finish(b.call, CONNECT_OK, NULL);
            }
            pair_free(&b.p);
        }
    }
}

/* The deadline covers the receipt of the request: no handler sees it, and the client is told. */
static void test_receipt(void **state) {
    bureau b;
    (void)state;
    memset(&b, 0, sizeof b);
    b.kind.kind = CONNECT_UNARY;
    bureau_build(&b);
    b.events.on_open = NULL;
    bureau_ask(&b, 800, false);
    pair_advance(&b.p, 799);
    assert_int_equal(b.p.links[0].down.sent.len, 0);
    pair_advance(&b.p, 2);
    assert_non_null(strstr(b.p.links[0].down.sent.data, "HTTP/1.1 504 "));
    bytes_add(&b.p.links[0].up.sent, "\x0a\2hi", 4);
    pair_pump(&b.p);
    assert_int_equal(b.canceled, 0);
    pair_free(&b.p);
}

/* ---- JSON as the server's options want it ---- */
static connect_code_t plain_request(connect_call_t *call, const void *request, void *response, void *user) {
    static const int32_t more[] = {1};
    (void)call;
    (void)request;
    (void)user;
    ((note *)response)->more_numbers.items = more;
    ((note *)response)->more_numbers.count = 1;
    return CONNECT_OK;
}
static void test_json(void **state) {
    static const struct {
        connect_codec_options_t options;
        const char *body, *wanted;
    } rows[] = {{CONNECT_DEFAULTS, "{\"nothing\":1}", "{\"moreNumbers\":[1]}"},
        {{.json_proto_names = true}, "{}", "{\"more_numbers\":[1]}"},
        {{.json_defaults = true}, "{}", "{\"text\":\"\",\"number\":0,\"data\":\"\",\"moreNumbers\":[1]}"},
        {{.json_strict = true}, "{\"nothing\":1}", "\"invalid_argument\""},
        {{.json_pretty = true}, "{}", "{\n  \"moreNumbers\": [\n    1\n  ]\n}"}};
    size_t i;
    (void)state;
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        connect_error_t error;
        pair_link *link;
        bureau b;
        memset(&b, 0, sizeof b);
        b.options.codec_options = rows[i].options;
        b.events.on_request = plain_request;
        pair_init(&b.p);
        b.p.server = connect_server_new(&b.options, &error);
        assert_true(connect_server_add_route(b.p.server, &note_methods[0], &b.events, &b, NULL, &error));
        link = pair_add(&b.p, NULL, connect_server_accept(b.p.server, "", NULL, &error));
        link->up.sender_gone = false;
        bytes_print(&link->up.sent,
            "POST /test.v1.Notes/Unary HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\ncontent-type: "
            "application/json\r\n\r\n%s",
            (int)strlen(rows[i].body), rows[i].body);
        pair_pump(&b.p);
        if (!strstr(link->down.sent.data, rows[i].wanted))
            fail_msg("wanted %s, got %s", rows[i].wanted, link->down.sent.data);
        pair_free(&b.p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy), cmocka_unit_test(test_receipt), cmocka_unit_test(test_json)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
