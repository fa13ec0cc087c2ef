/* Routes that are known at run time only, and messages without a schema: raw handlers and raw clients of all kinds, and
   the gateway of the examples between a typed client and a typed server, in every protocol, HTTP version and codec. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"
#include "pair.h"
int gateway_main(int argc, char **argv);
#define main gateway_main
#include "examples/gateway.c"
#undef main

/* ---- A typed client, the gateway, a typed server ---- */
typedef struct trip {
    pair front, back;
    pair_kind kind;
    int requests, responses; /* of streams */
    size_t size;             /* of a message's data */
    connect_code_t code;     /* what the server ends with */
    bool stalls;             /* the client takes nothing */
    int sent, asked, served, messages, closed, server_closed, canceled;
    connect_code_t closed_code, server_code;
    bytes log;
    connect_call_t *call;
    connect_events_t events;
    const connect_allocator_t *memory;
} trip;

static void trip_send(connect_call_t *call, trip *t, int count, int *sent) {
    char *data = (char *)calloc(1, t->size + 1);
    while (*sent < count) {
        note n;
        memset(&n, 0, sizeof n);
        memset(data, 'a' + *sent % 26, t->size);
        n.text = connect_str_of("hello");
        n.number = *sent;
        n.data = cn_str(data, t->size);
        if (connect_call_send(call, &n) != CONNECT_IO_OK) break;
        ++*sent;
    }
    free(data);
}
static connect_code_t trip_served(connect_call_t *call, trip *t) {
    fault f;
    if (t->code == CONNECT_OK) return CONNECT_OK;
    memset(&f, 0, sizeof f);
    f.code = 42;
    connect_call_fail(call, t->code, "no %s", "\xC3\xA4pfel");
    if (!connect_call_add_detail(call, &fault_type, &f)) return CONNECT_RESOURCE_EXHAUSTED;
    return t->code;
}
static connect_code_t server_open(connect_call_t *call, void *user) {
    trip *t = (trip *)user;
    connect_headers_t headers = connect_call_info(call)->headers;
    bytes_print(&t->log, "asked %.*s %.*s timeout %d; ", CONNECT_STR_ARG(connect_headers_get(headers, "x-one", 0)),
        CONNECT_STR_ARG(connect_headers_get(headers, "x-one", 1)), connect_call_time_left_ms(call) <= 50000);
    if (!connect_call_set_header(call, "x-head", connect_str_of("h")) ||
        !connect_call_set_trailer(call, "x-tail", connect_str_of("t1")) ||
        !connect_call_set_trailer(call, "x-tail", connect_str_of("t2")))
        return CONNECT_RESOURCE_EXHAUSTED;
    return CONNECT_OK;
}
static void server_writable(connect_call_t *call, void *user) {
    trip *t = (trip *)user;
    if (t->kind.kind != CONNECT_SERVER_STREAM) return;
    trip_send(call, t, t->responses, &t->served);
    if (t->served == t->responses) connect_call_finish(call, trip_served(call, t), NULL);
}
static connect_code_t server_request(connect_call_t *call, const void *request, void *response, void *user) {
    trip *t = (trip *)user;
    t->asked++;
    if (!response) {
        server_writable(call, t);
        return CONNECT_LATER;
    }
    *(note *)response = *(const note *)request;
    return trip_served(call, t);
}
static connect_io_t server_message(connect_call_t *call, const void *message, void *user) {
    trip *t = (trip *)user;
    connect_io_t io = t->kind.kind == CONNECT_BIDI_STREAM ? connect_call_send(call, message) : CONNECT_IO_OK;
    if (io == CONNECT_IO_OK) t->asked++;
    return io;
}
static connect_code_t server_end(connect_call_t *call, void *response, void *user) {
    trip *t = (trip *)user;
    if (response) ((note *)response)->number = t->asked;
    return trip_served(call, t);
}
static void server_room(connect_call_t *call, void *user) {
    connect_call_resume(call);
    server_writable(call, user);
}
static void server_closed(connect_call_t *call, const connect_error_t *error, void *user) {
    trip *t = (trip *)user;
    (void)call;
    t->server_closed++;
    t->server_code = error ? error->code : CONNECT_OK;
}
static connect_code_t client_open(connect_call_t *call, void *user) {
    trip *t = (trip *)user;
    bytes_print(
        &t->log, "head %.*s; ", CONNECT_STR_ARG(connect_headers_get(connect_call_info(call)->headers, "x-head", 0)));
    return CONNECT_OK;
}
static connect_io_t client_message(connect_call_t *call, const void *message, void *user) {
    trip *t = (trip *)user;
    const note *n = (const note *)message;
    (void)call;
    if (t->stalls) return CONNECT_IO_AGAIN;
    if (t->kind.kind == CONNECT_SERVER_STREAM || t->kind.kind == CONNECT_BIDI_STREAM) {
        assert_int_equal(n->number, t->messages);
        assert_int_equal(n->data.len, t->size);
        if (t->size) assert_int_equal(n->data.data[t->size - 1], 'a' + t->messages % 26);
    } else {
        bytes_print(&t->log, "number %d; ", (int)n->number);
    }
    t->messages++;
    return CONNECT_IO_OK;
}
static void client_writable(connect_call_t *call, void *user) {
    trip *t = (trip *)user;
    if (t->kind.kind == CONNECT_UNARY || t->kind.kind == CONNECT_SERVER_STREAM) return;
    trip_send(call, t, t->requests, &t->sent);
    if (t->sent == t->requests) connect_call_finish(call, CONNECT_OK, NULL);
}
static void client_closed(connect_call_t *call, const connect_error_t *error, void *user) {
    trip *t = (trip *)user;
    connect_headers_t trailers = connect_call_info(call)->trailers;
    connect_arena_t arena = CONNECT_DEFAULTS;
    fault f;
    t->closed++;
    t->closed_code = error ? error->code : CONNECT_OK;
    if (error && connect_error_find(error, &fault_type, &f, &arena))
        bytes_print(&t->log, "%s, fault %d; ", error->message.data, (int)f.code);
    bytes_print(&t->log, "head %.*s tail %.*s %.*s closed %d",
        CONNECT_STR_ARG(connect_headers_get(connect_call_info(call)->headers, "x-head", 0)),
        CONNECT_STR_ARG(connect_headers_get(trailers, "x-tail", 0)),
        CONNECT_STR_ARG(connect_headers_get(trailers, "x-tail", 1)), (int)t->closed_code);
    connect_arena_free(&arena);
}
static void trip_init(trip *t, const pair_kind *kind) {
    memset(t, 0, sizeof *t);
    pair_init(&t->front);
    pair_init(&t->back);
    t->kind = *kind;
    t->requests = t->responses = 3;
    t->size = 10;
    t->events.on_open = server_open;
    t->events.on_request = server_request;
    t->events.on_message = server_message;
    t->events.on_end = server_end;
    t->events.on_writable = server_room;
    t->events.on_closed = server_closed;
}
static connect_client_t *trip_client(pair *p, const trip *t) {
    connect_client_options_t options = CONNECT_DEFAULTS;
    connect_error_t error;
    options.allocator = t->memory;
    options.dial = pair_dial;
    options.user = p;
    options.protocol = t->kind.protocol;
    options.http = t->kind.http;
    options.codec = t->kind.codec;
    options.accept = "identity"; /* sizes are counted */
    return connect_client_new("http://memory:1", &options, &error);
}
/* direct: without the gateway. Returns false: out of memory. */
static bool trip_build(trip *t, bool direct) {
    connect_server_options_t options = CONNECT_DEFAULTS;
    connect_error_t error;
    pair *last = direct ? &t->front : &t->back;
    size_t i;
    options.allocator = t->memory;
    last->server = connect_server_new(&options, &error);
    for (i = 0; last->server && i < 4; i++)
        if (!connect_server_add_route(last->server, &note_methods[i], &t->events, t, NULL, &error)) return false;
    if (!last->server || !(t->front.client = trip_client(&t->front, t))) return false;
    if (direct) return true;
    t->back.client = trip_client(&t->back, t);
    t->front.server = connect_server_new(&options, &error);
    return t->back.client && t->front.server && add_proxy(t->front.server, "/test.*", t->back.client, &error);
}
static void trip_pump(trip *t) {
    size_t before = SIZE_MAX, now = 0, i;
    while (now != before) {
        before = now;
        pair_pump(&t->front);
        pair_pump(&t->back);
        for (now = i = 0; i < t->front.count; i++)
            now += t->front.links[i].up.arrived + t->front.links[i].down.arrived;
        for (i = 0; i < t->back.count; i++)
            now += t->back.links[i].up.arrived + t->back.links[i].down.arrived;
    }
}
static bool trip_start(trip *t) {
    static const connect_events_t events = {
        client_open, NULL, client_message, NULL, client_writable, NULL, client_closed};
    static const connect_header_t headers[] = {{"x-one", {"1", 1}}, {"x-one", {"2", 1}}};
    connect_call_options_t options = CONNECT_DEFAULTS;
    connect_error_t error;
    note n;
    memset(&n, 0, sizeof n);
    n.text = connect_str_of("hello");
    n.number = 5;
    options.headers.items = headers;
    options.headers.count = 2;
    options.timeout_ms = 50000;
    t->call = connect_client_start(t->front.client, &note_methods[t->kind.kind], &events, t, &options, &error);
    if (!t->call) return false;
    if (t->kind.kind == CONNECT_UNARY || t->kind.kind == CONNECT_SERVER_STREAM)
        connect_call_finish(t->call, CONNECT_OK, &n);
    trip_pump(t);
    return true;
}
static void trip_free(trip *t) {
    pair_free(&t->front);
    pair_free(&t->back);
    bytes_free(&t->log);
}

/* What comes out with the gateway between is what comes out without. */
static void test_gateway(void **state) {
    static const connect_code_t codes[] = {CONNECT_OK, CONNECT_NOT_FOUND};
    size_t i = 0;
    pair_kind kind;
    (void)state;
    while (pair_next(&kind, &i)) {
        int c, mode;
        for (c = 0; c < 2; c++) {
            for (mode = PAIR_WHOLE; mode <= PAIR_ODD; mode++) {
                trip with, without;
                trip_init(&with, &kind);
                trip_init(&without, &kind);
                with.code = without.code = codes[c];
                with.front.mode = with.back.mode = (pair_mode)mode;
                assert_true(trip_build(&with, false) && trip_build(&without, true));
                assert_true(trip_start(&with) && trip_start(&without));
                if (with.closed != 1 || strcmp(with.log.data, without.log.data) != 0)
                    fail_msg("%s, %d:\n%s\nand directly\n%s", pair_name(&kind), mode, with.log.data, without.log.data);
                assert_int_equal(with.messages, without.messages);
                assert_int_equal(with.asked, without.asked);
                if (c == 0 && kind.kind > CONNECT_CLIENT_STREAM) assert_int_equal(with.messages, 3);
                trip_free(&with);
                trip_free(&without);
            }
        }
    }
}

/* A client that takes nothing: its server is told AGAIN, through the gateway; then all of it comes. */
static void test_gateway_backpressure(void **state) {
    size_t i = 0;
    pair_kind kind;
    (void)state;
    while (pair_next(&kind, &i)) {
        trip t;
        if (kind.kind < CONNECT_SERVER_STREAM || kind.codec[0] == 'j') continue;
        if (kind.kind == CONNECT_BIDI_STREAM && kind.http == CONNECT_HTTP_1) continue;
        trip_init(&t, &kind);
        t.requests = t.responses = 400;
        t.size = 10000; /* 4 MB */
        t.stalls = true;
        assert_true(trip_build(&t, false));
        assert_true(trip_start(&t));
        pair_advance(&t.front, 1000);
        trip_pump(&t);
        if (t.messages || t.served > 100 || t.asked > 100 || t.sent > 200)
            fail_msg("%s: %d served, %d asked, %d sent", pair_name(&kind), t.served, t.asked, t.sent);
        t.stalls = false;
        connect_call_resume(t.call);
        trip_pump(&t);
        assert_int_equal(t.messages, 400);
        assert_int_equal(t.closed, 1);
        assert_int_equal(t.closed_code, CONNECT_OK);
        trip_free(&t);
    }
}

static void test_gateway_cancel(void **state) {
    size_t i = 0;
    pair_kind kind;
    (void)state;
    while (pair_next(&kind, &i)) {
        trip t;
        if (kind.kind != CONNECT_BIDI_STREAM) continue;
        trip_init(&t, &kind);
        t.requests = 1000000;
        t.size = 10000;
        t.stalls = true;
        assert_true(trip_build(&t, false));
        assert_true(trip_start(&t));
        connect_call_finish(t.call, CONNECT_CANCELED, NULL);
        trip_pump(&t);
        assert_int_equal(t.closed, 1);
        if (kind.http == CONNECT_HTTP_2) { /* over HTTP/1.1 the end is behind bytes that nobody takes */
            assert_int_equal(t.server_closed, 1);
            assert_int_equal(t.server_code, CONNECT_CANCELED);
        }
        trip_free(&t);

        trip_init(&t, &kind); /* nobody is there */
        t.back.dial_code = CONNECT_UNAVAILABLE;
        assert_true(trip_build(&t, false));
        assert_true(trip_start(&t));
        assert_int_equal(t.closed, 1);
        assert_int_equal(t.closed_code, CONNECT_UNAVAILABLE);
        trip_free(&t);
    }
}

static bool sweep_run(const connect_allocator_t *allocator, void *arg) {
    trip t;
    bool ok;
    trip_init(&t, (const pair_kind *)arg);
    t.memory = allocator;
    ok = trip_build(&t, false) && trip_start(&t);
    if (ok) pair_advance(&t.front, 100000);
    if (ok) pair_advance(&t.back, 100000);
    trip_pump(&t);
    ok = ok && t.closed == 1 && t.closed_code == CONNECT_OK;
    trip_free(&t);
    return ok;
}
static void test_gateway_sweep(void **state) {
    size_t i = 0;
    pair_kind kind;
    (void)state;
    while (pair_next(&kind, &i))
        if (kind.codec[0] == 'p' &&
            (kind.http == CONNECT_HTTP_2 ? kind.kind == CONNECT_BIDI_STREAM : kind.kind == CONNECT_UNARY))
            sweep_allocations(sweep_run, &kind);
}

/* ---- Raw handlers of each kind, asked by raw clients; with and without events ---- */
static connect_code_t raw_request(connect_call_t *call, const void *request, void *response, void *user) {
    const connect_str_t *text = (const connect_str_t *)request;
    (void)user;
    assert_null(connect_call_info(call)->method->input);
    if (!response) return connect_call_send_encoded(call, *text) == CONNECT_IO_OK ? CONNECT_OK : CONNECT_ABORTED;
    *(connect_str_t *)response = connect_arena_printf(connect_call_arena(call), "%.*s!", CONNECT_STR_ARG(*text));
    return CONNECT_OK;
}
static connect_io_t raw_message(connect_call_t *call, const void *message, void *user) {
    const connect_str_t *text = (const connect_str_t *)message;
    if (connect_call_info(call)->kind != CONNECT_CLIENT_STREAM) return connect_call_send(call, message);
    snprintf((char *)user, 20, "%.*s", CONNECT_STR_ARG(*text));
    return CONNECT_IO_OK;
}
static connect_code_t raw_end(connect_call_t *call, void *response, void *user) {
    (void)call;
    if (response) *(connect_str_t *)response = connect_str_of((const char *)user);
    return CONNECT_OK;
}
static void test_raw(void **state) {
    connect_events_t events = {NULL, raw_request, raw_message, raw_end, NULL, NULL, NULL};
    size_t i = 0;
    pair_kind kind;
    (void)state;
    while (pair_next(&kind, &i)) {
        char kept[20] = "", path[40] = "/raw/Method";
        connect_arena_t arena = CONNECT_DEFAULTS;
        connect_method_t method;
        connect_error_t error;
        connect_call_t *call;
        connect_str_t asked, got;
        trip t;
        trip_init(&t, &kind);
        assert_true(trip_build(&t, true));
        memset(&method, 0, sizeof method);
        method.path = path;
        method.kind = kind.kind;
        assert_true(connect_server_add_route(t.front.server, &method, &events, kept, NULL, &error));
        call = connect_client_start(t.front.client, &method, NULL, NULL, NULL, &error);
        assert_non_null(call);
        memset(&method, 0xA5, sizeof method); /* both ends have copied it */
        memset(path, 'x', sizeof path - 1);
        asked = connect_str_of("\xff any bytes");
        connect_call_finish(call, CONNECT_OK, &asked);
        pair_pump(&t.front);
        if (cn_invoke_receive(call, &got, &arena, &error) != CONNECT_IO_OK)
            fail_msg("%s: %s", pair_name(&kind), error.message.data);
        assert_true(
            connect_str_equal(got, connect_str_of(kind.kind == CONNECT_UNARY ? "\xff any bytes!" : "\xff any bytes")));
        pair_pump(&t.front);
        assert_int_equal(cn_invoke_receive(call, &got, &arena, &error), CONNECT_IO_END);
        connect_call_free(call);
        connect_arena_free(&arena);
        trip_free(&t);
    }
}

/* ---- Registration ---- */
static connect_code_t where_open(connect_call_t *call, void *user) {
    char *log = (char *)user;
    snprintf(log, 100, "%s %d %s", connect_call_info(call)->path, (int)connect_call_info(call)->kind,
        connect_call_info(call)->codec);
    return connect_call_fail(call, CONNECT_ABORTED, "seen");
}
static void where_is(pair *p, const char *request, const char *wanted, char *log) {
    connect_error_t error;
    pair_link *link = pair_add(p, NULL, connect_server_accept(p->server, "memory:", NULL, &error));
    link->up.sender_gone = false;
    log[0] = 0;
    bytes_text(&link->up.sent, request);
    pair_pump(p);
    if (strcmp(log, wanted) != 0) fail_msg("%s: wanted \"%s\", got \"%s\"", request, wanted, log);
    pair_close(p);
    pair_forget(p);
}
#define TYPE(type) " HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\ncontent-type: application/" type "\r\n\r\n"
static void test_registration(void **state) {
    static const connect_events_t events = {where_open, NULL, NULL, NULL, NULL, NULL, NULL};
    connect_server_options_t options = CONNECT_DEFAULTS;
    connect_route_options_t route = CONNECT_DEFAULTS;
    connect_method_t method = CONNECT_DEFAULTS;
    connect_error_t error;
    char log[100];
    pair p;
    (void)state;
    pair_init(&p);
    options.prefix = "/api";
    p.server = connect_server_new(&options, &error);
    assert_non_null(p.server);
    method.path = "/acme.*";
    method.kind = CONNECT_ANY_KIND;
    assert_true(connect_server_add_route(p.server, &method, &events, log, NULL, &error));
    method.idempotency = CONNECT_NO_SIDE_EFFECTS;
    route.prefix = "";
    assert_true(connect_server_add_route(p.server, &method, &events, log, &route, &error));
    route.prefix = "/b/c";
    method.path = "/acme.X/Y";
    method.kind = CONNECT_SERVER_STREAM;
    assert_true(connect_server_add_route(p.server, &method, &events, log, &route, &error));
    where_is(&p, "POST /api/acme.X/Y" TYPE("proto"), "/acme.X/Y 0 proto", log);
    where_is(&p, "POST /api/acme.X/Y" TYPE("json"), "/acme.X/Y 0 json", log);
    where_is(&p, "POST /api/acme.X/Y?a=b" TYPE("connect+json"), "/acme.X/Y 3 json", log);
    where_is(&p, "POST /api/acme." TYPE("grpc-web"), "/acme. 3 proto", log);
    where_is(&p, "POST /api/acme" TYPE("proto"), "", log);
    where_is(&p, "GET /api/acme.X/Y?encoding=proto&message=" TYPE("x"), "", log);
    where_is(&p, "GET /acme.X/Y?encoding=proto&message= HTTP/1.1\r\nhost: a\r\n\r\n", "/acme.X/Y 0 proto", log);
    where_is(&p, "POST /b/c/acme.X/Y" TYPE("connect+proto"), "/acme.X/Y 2 proto", log);
    where_is(&p, "POST /b/c/acme.X/Z" TYPE("connect+proto"), "", log);
    method.path = "/acme.X/Z"; /* while the server runs */
    assert_true(connect_server_add_route(p.server, &method, &events, log, &route, &error));
    where_is(&p, "POST /b/c/acme.X/Z" TYPE("connect+proto"), "/acme.X/Z 2 proto", log);
    assert_false(connect_server_add_route(p.server, &method, &events, log, &route, &error));
    assert_int_equal(error.code, CONNECT_ALREADY_EXISTS);
    method.kind = CONNECT_ANY_KIND;
    method.input = &note_type;
    assert_false(connect_server_add_route(p.server, &method, &events, log, NULL, &error));
    assert_int_equal(error.code, CONNECT_INVALID_ARGUMENT);
    route.prefix = "x";
    assert_false(connect_server_add_route(p.server, &method, &events, log, &route, &error));
    assert_int_equal(error.code, CONNECT_INVALID_ARGUMENT);
    pair_free(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gateway), cmocka_unit_test(test_gateway_backpressure),
        cmocka_unit_test(test_gateway_cancel), cmocka_unit_test(test_gateway_sweep), cmocka_unit_test(test_raw),
        cmocka_unit_test(test_registration)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
