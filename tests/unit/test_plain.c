/* HTTP that is no RPC, byte for byte over both versions: the hook before every body, and plain paths. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"
#include "pair.h"

typedef struct door {
    pair p;
    connect_server_options_t options;
    connect_events_t events;
    int asked, handled, pages;
    char seen[200];
} door;
static const char door_key = 0;

/* Who says "letmein" passes; "status" is answered as HTTP; others are refused. */
static connect_code_t door_hook(const connect_http_request_t *request, connect_http_response_t *response, void *user) {
    static const connect_header_t challenge = {"WWW-Authenticate", {"Bearer", 6}};
    door *d = (door *)user;
    connect_str_t token = connect_headers_get(request->headers, "authorization", 0);
    d->asked++;
    assert_null(request->body.data);
    snprintf(d->seen, sizeof d->seen, "%.*s %.*s ?%.*s %s %d %d", CONNECT_STR_ARG(request->method),
        CONNECT_STR_ARG(request->path), CONNECT_STR_ARG(request->query), request->peer->address,
        (int)request->peer->http, request->call != NULL);
    if (connect_str_equal(token, connect_str_of("letmein"))) {
        if (request->call && !connect_call_set_value(request->call, &door_key, d)) return CONNECT_RESOURCE_EXHAUSTED;
        return CONNECT_OK;
    }
    if (connect_str_equal(token, connect_str_of("status"))) {
        response->status = 204;
        response->body = connect_arena_printf(request->arena, "not sent");
        return CONNECT_OK;
    }
    if (connect_str_equal(token, connect_str_of("later"))) return CONNECT_LATER;
    response->body = connect_str_of("who are you?");
    response->headers.items = &challenge;
    response->headers.count = 1;
    return CONNECT_UNAUTHENTICATED;
}
static connect_code_t door_request(connect_call_t *call, const void *request, void *response, void *user) {
    door *d = (door *)user;
    (void)request;
    (void)response;
    d->handled++;
    if (d->options.on_request) assert_ptr_equal(connect_call_value(call, &door_key), d);
    return CONNECT_OK;
}
static connect_code_t door_page(const connect_http_request_t *request, connect_http_response_t *response, void *user) {
    static const connect_header_t ok[] = {{"Cache-Control", {"no-store", 8}}, {"content-encoding", {"identity", 8}}};
    static const connect_header_t bad = {"content-length", {"3", 1}};
    static const connect_header_t evil = {"x", {"a\r\nb: c", 7}};
    door *d = (door *)user;
    d->pages++;
    assert_null(request->call);
    response->content_type = "text/html";
    response->headers.items = ok;
    response->headers.count = 2;
    response->body = connect_arena_printf(request->arena, "%.*s %.*s ?%.*s [%.*s]", CONNECT_STR_ARG(request->method),
        CONNECT_STR_ARG(request->path), CONNECT_STR_ARG(request->query), CONNECT_STR_ARG(request->body));
    if (connect_str_equal(request->query, connect_str_of("404"))) return CONNECT_NOT_FOUND;
    if (connect_str_equal(request->query, connect_str_of("418"))) response->status = 418;
    if (connect_str_equal(request->query, connect_str_of("304"))) response->status = 304;
    if (connect_str_equal(request->query, connect_str_of("99"))) response->status = 99;
    if (connect_str_equal(request->query, connect_str_of("bad"))) response->headers.items = &bad;
    if (connect_str_equal(request->query, connect_str_of("evil"))) response->headers.items = &evil;
    if (response->headers.items != ok) response->headers.count = 1;
    return CONNECT_OK;
}

typedef struct visit {
    const char *name, *line, *headers, *body;
    int http; /* 1, 2, 3: both */
    const char *wanted[4], *unwanted;
    int handled;
} visit;
#define U "POST /test.v1.Notes/Unary"
#define S "POST /test.v1.Notes/Server"
#define IN "authorization: letmein\n"

static const visit hooked[] = {
    {"in", U, IN "content-type: application/proto\n", "", 3, {" 200"}, NULL, 1},
    {"in, stream", S, IN "content-type: application/connect+proto\n", "E", 3, {" 200", "{}"}, NULL, 1},
    {"out", U, "content-type: application/proto\n", "", 3,
        {" 401", "application/json", "www-authenticate: Bearer", "\"unauthenticated\",\"message\":\"who are you?\""},
        NULL, 0},
    {"out, stream", S, "content-type: application/connect+json\n", "E", 3,
        {" 200", "\"unauthenticated\"", "who are you?"}, NULL, 0},
    {"out, gRPC-Web", U, "content-type: application/grpc-web\n", "E", 3,
        {" 200", "grpc-status: 16", "grpc-message: who are you?"}, NULL, 0},
    {"out, gRPC", U, "content-type: application/grpc\n", "E", 2,
        {" 200", "grpc-status: 16", "grpc-message: who are you?", "www-authenticate: Bearer"}, NULL, 0},
    {"out, GET", "GET /test.v1.Notes/Unary?encoding=json&message=%7B%7D", "", "", 3,
        {" 401", "\"unauthenticated\"", "vary: accept-encoding"}, NULL, 0},
    {"out, unknown path", "POST /nothing", "content-type: application/proto\n", "", 3, {" 401", "who are you?"}, "404",
        0},
    {"out, unknown type", U, "content-type: image/jpeg\n", "xx", 3, {" 401", "\n\nwho are you?"}, "415", 0},
    {"out, plain", "GET /hello?x", "", "", 3, {" 401", "text/plain", "www-authenticate: Bearer", "\n\nwho are you?"},
        NULL, 0},
    {"in, unknown path", "POST /nothing", IN "content-type: application/proto\n", "", 3, {" 404"}, NULL, 0},
    {"in, unknown type", U, IN "content-type: image/jpeg\n", "xx", 3, {" 415", "accept-post"}, NULL, 0},
    {"in, plain", "GET /hello?x", IN, "", 3, {" 200", "GET /hello ?x []"}, NULL, 0},
    {"status", U, "authorization: status\ncontent-type: application/proto\n", "", 3, {" 204"}, "not sent", 0},
    {"status, plain", "GET /hello", "authorization: status\n", "", 3, {" 204"}, "not sent", 0},
    {"later means nothing here", U, "authorization: later\ncontent-type: application/proto\n", "", 3,
        {" 500", "\"internal\""}, NULL, 0},
};
static const visit plain[] = {
    {"page", "GET /hello", "", "", 3,
        {" 200", "content-type: text/html\n", "cache-control: no-store\n", "\n\nGET /hello ? []"}, NULL, 0},
    {"POST", "POST /hello?q=1", "content-type: application/proto\n", "some body", 3,
        {" 200", "POST /hello ?q=1 [some body]"}, NULL, 0},
    {"HEAD", "HEAD /hello", "", "", 3, {" 200", "content-type: text/html"}, "HEAD /hello", 0},
    {"PUT", "PUT /files/a/b", "", "xyz", 3, {" 200", "PUT /files/a/b ? [xyz]"}, NULL, 0},
    {"slash itself", "GET /files/", "", "", 3, {" 200", "GET /files/ ? []"}, NULL, 0},
    {"without the slash", "GET /files", "", "", 3, {" 404"}, NULL, 0},
    {"below no slash", "GET /hello/x", "", "", 3, {" 404"}, NULL, 0},
    {"code", "GET /hello?404", "", "", 3, {" 404", "text/plain", "\n\nGET /hello ?404 []"}, NULL, 0},
    {"own status", "GET /hello?418", "", "", 3, {" 418"}, NULL, 0},
    {"304", "GET /hello?304", "", "", 3, {" 304", "cache-control"}, "GET /hello", 0},
    {"no status", "GET /hello?99", "", "", 3, {" 500", "not allowed"}, NULL, 0},
    {"framing is not theirs", "GET /hello?bad", "", "", 3, {" 500", "not allowed"}, "length: 3\n", 0},
    {"no header smuggled", "GET /hello?evil", "", "", 3, {" 500"}, "b: c", 0},
    {"an RPC goes first", "POST /both/Unary", "content-type: application/proto\n", "", 3, {" 200", "application/proto"},
        NULL, 1},
    {"an RPC goes first, 405", "PUT /both/Unary", "", "", 3, {" 405"}, NULL, 0},
    {"at the limit", "PUT /hello", "", "0123456789012345678901234567890123456789", 3, {" 200", "[0123456789"}, NULL, 0},
    {"over the limit", "PUT /hello", "", "01234567890123456789012345678901234567890", 3, {" 413", "receive_bytes"},
        NULL, 0},
};

static void door_try(const visit *v, bool hook, int http, pair_mode mode, const connect_allocator_t *memory) {
    connect_error_t error;
    connect_method_t both;
    const char *space = strchr(v->line, ' '), *at;
    bytes body = {NULL, 0, 0}, text = {NULL, 0, 0}, head = {NULL, 0, 0};
    pair_link *link;
    door d;
    size_t i;
    bool ok = true;
    memset(&d, 0, sizeof d);
    pair_init(&d.p);
    d.p.mode = mode;
    d.events.on_request = door_request;
    d.options.allocator = memory;
    d.options.limits.receive_bytes = 40;
    if (hook) d.options.on_request = door_hook;
    d.options.user = &d;
    d.p.server = connect_server_new(&d.options, &error);
    assert_non_null(d.p.server);
    pair_serve(&d.p, &d.events, &d);
    both = note_methods[0];
    both.path = "/both/Unary";
    assert_true(connect_server_add_route(d.p.server, &both, &d.events, &d, NULL, &error));
    assert_true(connect_server_add_http(d.p.server, "/both/Unary", door_page, &d, &error));
    assert_true(connect_server_add_http(d.p.server, "/hello", door_page, &d, &error));
    assert_true(connect_server_add_http(d.p.server, "/files/", door_page, &d, &error));
    assert_false(connect_server_add_http(d.p.server, "/files/", door_page, &d, &error));
    assert_int_equal(error.code, CONNECT_ALREADY_EXISTS);
    assert_false(connect_server_add_http(d.p.server, "hello", door_page, &d, &error));
    assert_false(connect_server_add_http(d.p.server, "/a*", door_page, &d, &error));
    assert_int_equal(error.code, CONNECT_INVALID_ARGUMENT);
    link = pair_add(&d.p, NULL, connect_server_accept(d.p.server, "10.1.2.3:4", NULL, &error));
    link->up.sender_gone = false;
    if (strcmp(v->body, "E") == 0)
        envelope_add(&body, 0, strstr(v->headers, "json") ? "{}" : "", strstr(v->headers, "json") ? 2 : 0);
    else
        bytes_text(&body, v->body);
    if (http == 1) {
        bytes_print(
            &link->up.sent, "%s HTTP/1.1\r\nhost: a\r\ncontent-length: %lu\r\n", v->line, (unsigned long)body.len);
        for (at = v->headers; *at; at++)
            bytes_add(&link->up.sent, *at == '\n' ? "\r\n" : at, *at == '\n' ? 2 : 1);
        bytes_text(&link->up.sent, "\r\n");
        bytes_add(&link->up.sent, body.data, body.len);
    } else {
        bytes_text(&link->up.sent, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        h2_frame(&link->up.sent, 4, 0, 0, NULL, 0);
        bytes_print(&head, ":method: %.*s\n:scheme: http\n:authority: a\n:path: %s\n%s", (int)(space - v->line),
            v->line, space + 1, v->headers);
        h2_headers(&link->up.sent, body.len ? 0 : 1, 1, head.data);
        if (body.len) h2_frame(&link->up.sent, 0, 1, 1, body.data, body.len);
    }
    pair_pump(&d.p);
    if (http == 2)
        h2_read(&link->down.sent, &text);
    else
        for (i = 0; i < link->down.sent.len; i++)
            if (link->down.sent.data[i] != '\r') bytes_add(&text, &link->down.sent.data[i], 1);
    for (i = 0; i < text.len; i++)
        if (!text.data[i]) text.data[i] = '~';
    for (i = 0; i < 4 && v->wanted[i]; i++)
        ok = ok && text.data && strstr(text.data, v->wanted[i]);
    if (v->unwanted) ok = ok && !strstr(text.data, v->unwanted);
    if (!ok || d.handled != v->handled || d.asked != hook)
        fail_msg("%s, %s, HTTP/%d: %d handled, %d asked (%s); got\n%s", v->name, v->line, http, d.handled, d.asked,
            d.seen, text.data ? text.data : "");
    if (hook) assert_non_null(strstr(d.seen, "10.1.2.3:4"));
    pair_free(&d.p);
    bytes_free(&text);
    bytes_free(&body);
    bytes_free(&head);
}
static void door_try_all(const visit *visits, size_t count, bool hook) {
    size_t i;
    int http, mode;
    for (i = 0; i < count; i++)
        for (http = 1; http <= 2; http++)
            for (mode = PAIR_WHOLE; mode <= PAIR_ODD; mode++) {
                failing_allocator memory;
                failing_init(&memory, SIZE_MAX, false);
                if (visits[i].http & http) door_try(&visits[i], hook, http, (pair_mode)mode, &memory.allocator);
                assert_int_equal(memory.live, 0);
            }
}
static void test_hook(void **state) {
    (void)state;
    door_try_all(hooked, sizeof hooked / sizeof *hooked, true);
}
static void test_plain(void **state) {
    (void)state;
    door_try_all(plain, sizeof plain / sizeof *plain, false);
}

/* A body that does not come is not waited for without end. */
static void test_halt(void **state) {
    connect_error_t error;
    pair_link *link;
    door d;
    (void)state;
    memset(&d, 0, sizeof d);
    pair_init(&d.p);
    d.p.server = connect_server_new(NULL, &error);
    assert_true(connect_server_add_http(d.p.server, "/hello", door_page, &d, &error));
    link = pair_add(&d.p, NULL, connect_server_accept(d.p.server, "", NULL, &error));
    link->up.sender_gone = false;
    bytes_text(&link->up.sent, "POST /hello HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nabc");
    pair_advance(&d.p, 29000);
    assert_int_equal(link->down.sent.len, 0);
    pair_advance(&d.p, 2000);
    assert_non_null(strstr(link->down.sent.data, "408"));
    assert_int_equal(d.pages, 0);
    pair_free(&d.p);
}

/* Memory that runs out: an answer, or the end of the connection. */
static bool sweep_run(const connect_allocator_t *allocator, void *arg) {
    connect_server_options_t options = CONNECT_DEFAULTS;
    connect_error_t error;
    connect_conn_t *conn = NULL;
    pair_link *link;
    bool ok;
    door d;
    (void)arg;
    memset(&d, 0, sizeof d);
    pair_init(&d.p);
    options.allocator = allocator;
    options.on_request = door_hook;
    options.user = &d;
    d.p.server = connect_server_new(&options, &error);
    ok = d.p.server && connect_server_add_http(d.p.server, "/files/", door_page, &d, &error) &&
        (conn = connect_server_accept(d.p.server, "", NULL, &error)) != NULL;
    if (ok) {
        link = pair_add(&d.p, NULL, conn);
        link->up.sender_gone = false;
        bytes_text(&link->up.sent,
            "POST /files/a HTTP/1.1\r\nhost: a\r\nauthorization: letmein\r\ncontent-length: 3\r\n\r\nabcPOST /x "
            "HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
        pair_pump(&d.p);
        ok = link->down.sent.data && strstr(link->down.sent.data, "[abc]") && strstr(link->down.sent.data, " 401");
    }
    pair_free(&d.p);
    return ok;
}
static void test_sweep(void **state) {
    (void)state;
    sweep_allocations(sweep_run, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hook), cmocka_unit_test(test_plain),
        cmocka_unit_test(test_halt), cmocka_unit_test(test_sweep)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
