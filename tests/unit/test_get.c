/* Connect GET, in memory: what a server takes and refuses, request by request; the URL that the client writes, to the
   byte, and when it sends a POST instead. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"
#include "pair.h"

typedef struct scene {
    pair p;
    connect_server_options_t server;
    connect_client_options_t client;
    connect_call_options_t call;
    connect_events_t events;
    bytes heard; /* what the handler was given, and the query */
    size_t requests, responses;
    connect_code_t code;
} scene;

static connect_code_t serve_request(connect_call_t *call, const void *request, void *response, void *user) {
    scene *s = (scene *)user;
    const note *n = (const note *)request;
    connect_str_t query = connect_call_info(call)->query;
    s->requests++;
    bytes_quote(&s->heard, n->text);
    bytes_print(&s->heard, " %ld ", (long)n->number);
    if (query.data)
        bytes_add(&s->heard, query.data, query.len);
    else
        bytes_text(&s->heard, "(post)");
    if (response) ((note *)response)->number = 7;
    if (n->number == 9 && !connect_call_set_header(call, "etag", connect_str_of("\"v1\"")))
        return CONNECT_RESOURCE_EXHAUSTED;
    if (n->number == 9 && connect_str_equal(n->text, connect_str_of("bad"))) return CONNECT_NOT_FOUND;
    return CONNECT_OK;
}
static void scene_init(scene *s) {
    memset(s, 0, sizeof *s);
    pair_init(&s->p);
    s->events.on_request = serve_request;
}
static void scene_free(scene *s) {
    pair_free(&s->p);
    bytes_free(&s->heard);
}

/* ---- The server ---- */

typedef struct ask {
    const char *method, *target, *more; /* more: headers, and a body behind an empty line */
    int status;
    const char *heard;     /* NULL: no handler ran */
    const char *wanted[3]; /* all in the response */
} ask;

#define UNARY "/test.v1.Notes/Unary"
static const ask asks[] = {
    {"GET", UNARY "?connect=v1&base64=1&encoding=proto&message=CgJoaRAF", "", 200, "hi 5 ",
        {"content-type: application/proto\r\n", "vary: accept-encoding\r\n", "\x10\x07"}},
    {"GET", UNARY "?message=%7B%22text%22%3A%22a+b%22%7D&encoding=json", "", 200, "a b 0 ",
        {"application/json", "{\"number\":7}"}},
    {"GET", UNARY "?encoding=json&message={\"number\":3}&x=y&&=&connect=", "", 200, " 3 ", {NULL}},
    {"GET", UNARY "?encoding=proto&message=", "", 200, " 0 ", {NULL}},
    {"GET", UNARY "?encoding=proto&message", "", 200, " 0 ", {NULL}},
    {"GET", UNARY "?encoding=proto&base64=0&message=%0A%02hi", "", 200, "hi 0 ", {NULL}}, /* base64 is 1 or nothing */
    {"GET", UNARY "?encoding=proto&base64=1&message=CgE_&message=x", "", 200, "? 0 ", {NULL}},
    {"GET", UNARY "?encoding=proto&base64=1&message=CgE%2F", "", 200, "? 0 ", {NULL}}, /* the other alphabet */
    {"GET", UNARY "?encoding=proto&base64=1&message=EAU%3D", "", 200, " 5 ", {NULL}},  /* padded */
    {"GET", UNARY "?encoding=proto&base64=1&message=EAU", "connect-timeout-ms: 1000\r\n", 200, " 5 ", {NULL}},
    {"GET", UNARY "?encoding=proto&compression=gzip&message=", "", 200, " 0 ", {NULL}},
    {"GET", UNARY "?encoding=proto&compression=identity&base64=1&message=EAU", "", 200, " 5 ", {NULL}},
    {"GET", UNARY "?encoding=proto&compression=br&message=", "", 501, NULL,
        {"\"unimplemented\"", "accept-encoding: zstd, gzip\r\n", "identity"}},
    {"GET", UNARY "?encoding=proto&compression=gzip&message=abc", "", 400, NULL, {"\"invalid_argument\"", "gzip"}},
    {"GET", UNARY "?encoding=proto&base64=1", "", 400, NULL, {"\"invalid_argument\"", "message"}},
    {"GET", UNARY "?encoding=proto&base64=1&message=*", "", 400, NULL, {"\"invalid_argument\"", "base64"}},
    {"GET", UNARY "?encoding=proto&message=%zz", "", 400, NULL, {"\"invalid_argument\"", "escape"}},
    {"GET", UNARY "?encoding=proto&message=%F", "", 400, NULL, {"\"invalid_argument\""}},
    {"GET", UNARY "?encoding=proto&base64=1&message=CAU", "", 200, " 0 ", {NULL}},
    {"GET", UNARY "?encoding=json&message=%7B", "", 400, NULL, {"\"invalid_argument\""}},
    {"GET", UNARY "?connect=v2&encoding=proto&message=", "", 400, NULL, {"\"invalid_argument\"", "v1"}},
    {"GET", UNARY "?encoding=proto&message=", "connect-timeout-ms: 12345678901\r\n", 400, NULL,
        {"\"invalid_argument\""}},
    {"GET", UNARY "?encoding=proto&message=%10%09", "", 200, " 9 ", {"etag: \"v1\"\r\n", "\x10\x07"}},
    {"GET", UNARY "?encoding=proto&message=%10%09", "if-none-match: \"v1\"\r\n", 304, " 9 ",
        {"etag: \"v1\"\r\n", "vary: accept-encoding\r\n"}},
    {"GET", UNARY "?encoding=proto&message=%10%09", "if-none-match: \"v0\" , W/\"v1\"\r\n", 304, " 9 ", {NULL}},
    {"GET", UNARY "?encoding=proto&message=%10%09", "if-none-match: \"v0\"\r\nif-none-match: \"v1\"\r\n", 304, " 9 ",
        {NULL}},
    {"GET", UNARY "?encoding=proto&message=%10%09", "if-none-match: *\r\n", 304, " 9 ", {NULL}},
    {"GET", UNARY "?encoding=proto&message=%10%09", "if-none-match: \"v2\"\r\n", 200, " 9 ", {NULL}},
    {"GET", UNARY "?encoding=proto&message=%10%09", "if-none-match: v1\r\n", 200, " 9 ", {NULL}},
    {"GET", UNARY "?encoding=proto&message=%10%08", "if-none-match: *\r\n", 200, " 8 ", {NULL}}, /* it has none */
    {"GET", UNARY "?encoding=proto&message=%0A%03bad%10%09", "if-none-match: \"v1\"\r\n", 404, "bad 9 ",
        {"\"not_found\""}},
    {"POST", UNARY, "if-none-match: \"v1\"\r\ncontent-type: application/proto\r\ncontent-length: 2\r\n\r\n\x10\x09",
        200, " 9 (post)", {"etag: \"v1\"\r\n"}},
    {"GET", UNARY "?encoding=xml&message=", "", 415, NULL, {"accept-post: "}},
    {"GET", UNARY "?message=", "", 415, NULL, {"accept-post: "}},
    {"GET", UNARY "", "", 415, NULL, {NULL}},
    {"GET", UNARY "?", "", 415, NULL, {NULL}},
    {"GET", UNARY "?encoding=proto&message=", "content-length: 1\r\n\r\nx", 415, NULL, {NULL}},
    {"GET", UNARY "?encoding=proto&message=", "transfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 415, NULL,
        {NULL}},
    {"GET", "/test.v1.Notes/Server?encoding=proto&message=", "", 405, NULL, {"allow: POST\r\n"}},
    {"GET", "/test.v1.Notes/Nothing?encoding=proto&message=", "", 404, NULL, {NULL}},
    {"DELETE", UNARY, "", 405, NULL, {"allow: GET, POST\r\n"}},
    {"PUT", UNARY "?encoding=proto&message=", "", 405, NULL, {"allow: GET, POST\r\n"}},
    {"POST", UNARY "?encoding=proto", "content-type: application/proto\r\ncontent-length: 2\r\n\r\n\x10\x05", 200,
        " 5 (post)", {NULL}},
};

static bool contains(const bytes *where, const char *text) {
    size_t n = strlen(text), at;
    for (at = 0; at + n <= where->len; at++)
        if (memcmp(where->data + at, text, n) == 0) return true;
    return false;
}
static void ask_try(const ask *a, pair_mode mode, bool no_get, bool strict) {
    scene s;
    pair_link *link;
    connect_error_t error;
    char status[32];
    const char *query = strchr(a->target, '?');
    size_t i;
    scene_init(&s);
    s.p.mode = mode;
    s.server.no_get = no_get;
    s.server.require_connect_header = strict;
    s.p.server = connect_server_new(&s.server, &error);
    pair_serve(&s.p, &s.events, &s);
    link = pair_add(&s.p, NULL, connect_server_accept(s.p.server, "raw:", NULL, &error));
    link->up.sender_gone = false;
    bytes_print(&link->up.sent, "%s %s HTTP/1.1\r\nhost: a\r\n%s%s", a->method, a->target, a->more,
        strstr(a->more, "\r\n\r\n") ? "" : "\r\n");
    pair_pump(&s.p);
    snprintf(status, sizeof status, "HTTP/1.1 %d ", a->status);
    if (!contains(&link->down.sent, status))
        fail_msg("%s %s: not %d but %s", a->method, a->target, a->status, link->down.sent.data);
    assert_int_equal(s.requests, a->heard != NULL);
    if (a->heard) {
        bytes expected = {0};
        bytes_text(&expected, a->heard);
        if (strcmp(a->method, "GET") == 0) bytes_text(&expected, query + 1);
        assert_string_equal(s.heard.data, expected.data);
        bytes_free(&expected);
    }
    if (a->status == 304) {
        assert_false(contains(&link->down.sent, "content-type"));
        assert_memory_equal(link->down.sent.data + link->down.sent.len - 4, "\r\n\r\n", 4); /* no body */
    }
    for (i = 0; i < 3 && a->wanted[i]; i++)
        if (!contains(&link->down.sent, a->wanted[i]))
            fail_msg("%s %s: no %s in %s", a->method, a->target, a->wanted[i], link->down.sent.data);
    scene_free(&s);
}
static void test_server(void **state) {
    static const ask refused = {"GET", UNARY "?connect=v1&encoding=proto&message=", "", 405, NULL, {"allow: POST\r\n"}};
    static const ask strict[] = {{"GET", UNARY "?encoding=proto&message=", "", 400, NULL, {"connect"}},
        {"GET", UNARY "?connect=v1&encoding=proto&message=", "", 200, " 0 ", {NULL}}};
    size_t i;
    (void)state;
    for (i = 0; i < sizeof asks / sizeof *asks; i++) {
        ask_try(&asks[i], PAIR_WHOLE, false, false);
        ask_try(&asks[i], PAIR_BYTES, false, false);
    }
    ask_try(&refused, PAIR_WHOLE, true, false);
    ask_try(&strict[0], PAIR_WHOLE, false, true);
    ask_try(&strict[1], PAIR_WHOLE, false, true);
}

/* ---- The client ---- */

static connect_io_t hear_message(connect_call_t *call, const void *message, void *user) {
    scene *s = (scene *)user;
    (void)call;
    s->responses++;
    assert_int_equal(((const note *)message)->number, 7);
    return CONNECT_IO_OK;
}
static void hear_closed(connect_call_t *call, const connect_error_t *error, void *user) {
    (void)call;
    ((scene *)user)->code = error ? error->code : CONNECT_OK;
}
static void call_now(scene *s, size_t method, const note *n) {
    static const connect_events_t events = {NULL, NULL, hear_message, NULL, NULL, NULL, hear_closed};
    connect_error_t error;
    connect_call_t *call;
    if (!s->p.server) {
        s->p.server = connect_server_new(&s->server, &error);
        pair_serve(&s->p, &s->events, s);
        s->client.dial = pair_dial;
        s->client.user = &s->p;
        s->p.client = connect_client_new("http://memory:1/", &s->client, &error);
        assert_non_null(s->p.client);
    }
    s->code = CONNECT_LATER;
    s->heard.len = 0;
    call = connect_client_start(s->p.client, &note_methods[method], &events, s, &s->call, &error);
    assert_non_null(call);
    connect_call_finish(call, CONNECT_OK, n);
    pair_pump(&s->p);
}

static void test_client(void **state) {
    int http;
    (void)state;
    for (http = 1; http <= 2; http++) {
        char *big = (char *)malloc(9000);
        scene s;
        note n;
        memset(&n, 0, sizeof n);
        assert_non_null(big);
        memset(big, 'b', 9000);
        n.text = connect_str_of("\xC3\xBF?~ +");
        n.number = 5;
        scene_init(&s);
        s.client.http = (connect_http_version_t)http;
        s.client.get = true;
        call_now(&s, 0, &n);
        assert_int_equal(s.code, CONNECT_OK);
        assert_string_equal(s.heard.data, "\\xc3\\xbf?~ + 5 connect=v1&base64=1&encoding=proto&message=CgbDvz9-ICsQBQ");
        s.call.codec = "json";
        call_now(&s, 0, &n);
        assert_string_equal(s.heard.data,
            "\\xc3\\xbf?~ + 5 "
            "connect=v1&encoding=json&message=%7B%22text%22%3A%22%C3%BF%3F~%20%2B%22%2C%22number%22%3A5%7D");
        s.call.no_get = true;
        call_now(&s, 0, &n);
        assert_string_equal(s.heard.data, "\\xc3\\xbf?~ + 5 (post)");
        s.call.no_get = false;
        call_now(&s, 2, &n); /* a stream, with side effects: POST */
        assert_int_equal(s.code, CONNECT_OK);
        assert_string_equal(s.heard.data, "\\xc3\\xbf?~ + 5 (post)");
        s.call.protocol = CONNECT_PROTOCOL_GRPC_WEB;
        call_now(&s, 0, &n);
        assert_string_equal(s.heard.data, "\\xc3\\xbf?~ + 5 (post)");
        s.call.protocol = CONNECT_PROTOCOL_CONNECT;
        s.call.codec = NULL;
        n.text.data = big; /* compressed it fits, plain it does not */
        n.text.len = 9000;
        call_now(&s, 0, &n);
        assert_int_equal(s.code, CONNECT_OK);
        assert_string_equal(s.heard.data + s.heard.len - 6, "(post)");
        s.call.compression = "gzip";
        call_now(&s, 0, &n);
        assert_int_equal(s.code, CONNECT_OK);
        assert_non_null(strstr(s.heard.data, "connect=v1&base64=1&compression=gzip&encoding=proto&message=H4sI"));
        assert_int_equal(s.responses, 6); /* none of the stream */
        if (http == 1) {                  /* no header that tells of a body */
            bytes *sent = &s.p.links[0].up.sent;
            char *end = strstr(sent->data, "\r\n\r\n");
            assert_non_null(end);
            *end = 0;
            assert_null(strstr(sent->data, "content-"));
            assert_null(strstr(sent->data, "transfer-encoding"));
            assert_null(strstr(sent->data, "connect-protocol-version"));
            assert_non_null(strstr(sent->data, "connect-timeout-ms: "));
            *end = '\r';
        }
        scene_free(&s);
        free(big);
    }
}

/* The longest URL that the server takes, and one byte more. */
static void test_url_limit(void **state) {
    size_t len, gets = 0, posts = 0, longest = 0;
    (void)state;
    for (len = 100; len < 400; len++) {
        char text[400];
        scene s;
        note n;
        memset(&n, 0, sizeof n);
        memset(text, 'a', sizeof text);
        n.text.data = text;
        n.text.len = len;
        scene_init(&s);
        s.client.get = true;
        s.client.codec = "json";
        s.client.limits.url_bytes = s.server.limits.url_bytes = 400;
        call_now(&s, 0, &n);
        assert_int_equal(s.code, CONNECT_OK);
        if (strstr(s.heard.data, "(post)")) {
            posts++;
        } else {
            const char *query = strstr(s.heard.data, "connect=v1&");
            assert_non_null(query);
            assert_int_equal(posts, 0);
            longest = sizeof "GET " UNARY "? HTTP/1.1" - 1 + strlen(query); /* the limit is one of the whole line */
            gets++;
        }
        scene_free(&s);
    }
    assert_true(gets > 100 && posts > 50);
    assert_int_equal(longest, 400);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_server), cmocka_unit_test(test_client), cmocka_unit_test(test_url_limit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
