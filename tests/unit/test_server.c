/* The server against requests that a good client never sends, byte for byte; and the life cycle of its calls: answers
   that come later, cancelling, draining, freeing in callbacks, back-pressure in both directions. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"
#include "pair.h"

typedef enum act { /* what the handler does */
    ACT_ANSWER,
    ACT_LATER
} act;
typedef struct desk {
    pair p;
    connect_events_t events;
    connect_server_options_t options;
    act what;
    int opened, requests, messages, ends, closed, canceled, drained, writable;
    connect_code_t code;
    connect_call_t *call;
    connect_server_t *free_in[6]; /* on_open, on_request, on_message, on_end, on_closed, on_drain */
    bool ignore_drain;
    connect_io_t message_io;
    size_t received;
} desk;

static connect_code_t desk_open(connect_call_t *call, void *user) {
    desk *d = (desk *)user;
    d->opened++;
    d->call = call;
    if (d->free_in[0]) connect_server_free(d->free_in[0]);
    return CONNECT_OK;
}
static void desk_canceled(connect_call_t *call, void *arg) {
    (void)call;
    ((desk *)arg)->canceled++;
}
static connect_code_t desk_request(connect_call_t *call, const void *request, void *response, void *user) {
    desk *d = (desk *)user;
    d->requests++;
    d->call = call;
    if (d->free_in[1]) connect_server_free(d->free_in[1]);
    if (response) *(note *)response = *(const note *)request;
    if (d->what == ACT_LATER) {
        connect_call_on_cancel(call, desk_canceled, d);
        return CONNECT_LATER;
    }
    return CONNECT_OK;
}
static connect_io_t desk_message(connect_call_t *call, const void *message, void *user) {
    desk *d = (desk *)user;
    (void)call;
    if (d->message_io == CONNECT_IO_AGAIN) return CONNECT_IO_AGAIN;
    d->messages++;
    d->received += ((const note *)message)->data.len;
    if (d->free_in[2]) connect_server_free(d->free_in[2]);
    return d->message_io;
}
static connect_code_t desk_end(connect_call_t *call, void *response, void *user) {
    desk *d = (desk *)user;
    (void)call;
    d->ends++;
    if (response) ((note *)response)->number = d->messages;
    if (d->free_in[3]) connect_server_free(d->free_in[3]);
    return d->what == ACT_LATER ? CONNECT_LATER : CONNECT_OK;
}
static void desk_closed(connect_call_t *call, const connect_error_t *error, void *user) {
    desk *d = (desk *)user;
    (void)call;
    d->closed++;
    d->code = error ? error->code : CONNECT_OK;
    if (d->free_in[4]) connect_server_free(d->free_in[4]);
}
static void desk_drain(connect_call_t *call, void *user) {
    desk *d = (desk *)user;
    d->drained++;
    if (d->free_in[5]) connect_server_free(d->free_in[5]);
    if (!d->ignore_drain) connect_call_finish(call, CONNECT_UNAVAILABLE, NULL);
}
static void desk_init(desk *d) {
    memset(d, 0, sizeof *d);
    pair_init(&d->p);
    d->events.on_open = desk_open;
    d->events.on_request = desk_request;
    d->events.on_message = desk_message;
    d->events.on_end = desk_end;
    d->events.on_closed = desk_closed;
    d->events.on_drain = desk_drain;
}
static void desk_serve(desk *d) {
    connect_error_t error;
    d->p.server = connect_server_new(&d->options, &error);
    assert_non_null(d->p.server);
    pair_serve(&d->p, &d->events, d);
}
/* A connection on which the test is the client. */
static pair_link *desk_accept(desk *d) {
    connect_error_t error;
    connect_conn_t *conn = connect_server_accept(d->p.server, "memory:", &error);
    pair_link *link;
    assert_non_null(conn);
    link = pair_add(&d->p, NULL, conn);
    link->up.sender_gone = false;
    return link;
}

/* ---- Requests ---- */

typedef struct ask {
    const char *name;
    const char *line;    /* method and path */
    const char *headers; /* "name: value\n" for each */
    const char *body;    /* '~'-separated: "R<raw>", "M<text>", "P<flags>:<payload>" */
    int http;            /* 1, 2, 3: both */
    const char *wanted[4];
    int requests; /* that reach the handler */
} ask;

#define U "POST /test.v1.Notes/Unary"
#define S "POST /test.v1.Notes/Server"
#define K "POST /test.v1.Notes/Client"
#define B "POST /test.v1.Notes/Bidi"
#define PROTO "content-type: application/proto\n"
#define JSON "content-type: application/json\n"
#define STREAM "content-type: application/connect+proto\n"
#define GRPC "content-type: application/grpc\nte: trailers\n"
#define WEB "content-type: application/grpc-web+proto\n"

static const ask asks[] = {
    {"good", U, PROTO, "R\x0a\2hi", 3, {" 200", "content-type: application/proto\n", "\x0a\2hi"}, 1},
    {"good JSON", U, JSON, "R{\"text\":\"hi\"}", 3, {" 200", "content-type: application/json\n", "{\"text\":\"hi\"}"},
        1},
    {"charset", U, "content-type: application/JSON; charset=utf-8\n", "R{}", 3, {" 200"}, 1},
    {"empty body", U, PROTO, "", 3, {" 200"}, 1},
    {"a jpeg", U, "content-type: image/jpeg\n", "Rxx", 3,
        {" 415", "accept-post: application/grpc, application/grpc+proto"}, 0},
    {"application/foo", U, "content-type: application/foo\n", "Rxx", 3, {" 415", "application/proto"}, 0},
    {"no type", U, "", "Rxx", 3, {" 415", "accept-post"}, 0},
    {"stream type, unary method", U, STREAM, "M", 3, {" 415"}, 0},
    {"unary type, stream method", S, PROTO, "R", 3, {" 415", "application/connect+proto"}, 0},
    {"other parameter", U, "content-type: application/proto; v=1\n", "R", 3, {" 415"}, 0},
    {"unknown codec", U, "content-type: application/grpc-web+foo\n", "M", 3, {" 415"}, 0},
    {"GET", "GET /test.v1.Notes/Client", "", "", 3, {" 405", "allow: POST\n"}, 0},
    {"DELETE with a body", "DELETE /test.v1.Notes/Unary", PROTO, "Rxx", 3, {" 405", "allow: "}, 0},
    {"unknown path", "POST /test.v1.Notes/unary", PROTO, "R", 3, {" 404"}, 0},
    {"unknown path, slash", "POST /test.v1.Notes/Unary/", PROTO, "R", 3, {" 404"}, 0},
    {"unknown path, encoded", "POST /test.v1.Notes%2FUnary", PROTO, "R", 3, {" 404"}, 0},
    {"unknown path, stream type", "POST /x/y", STREAM, "M", 3, {" 404"}, 0},
    {"unknown path, gRPC", "POST /x/y", GRPC, "M", 2, {" 200", "grpc-status: 12"}, 0},
    {"unknown path, gRPC-Web", "POST /x/y", WEB, "M", 3, {" 200", "grpc-status: 12"}, 0},
    {"gRPC over HTTP/1.1", U, GRPC, "M", 1, {" 505"}, 0},
    {"unknown compression", U, PROTO "content-encoding: zz\n", "Rxx", 3, {" 501", "\"unimplemented\""}, 0},
    {"unknown compression", S, STREAM "connect-content-encoding: zz\n", "M", 3, {" 200", "\"unimplemented\""}, 0},
    {"unknown compression", U, GRPC "grpc-encoding: zz\n", "M", 2, {" 200", "grpc-status: 12"}, 0},
    {"unknown compression", U, WEB "grpc-encoding: zz\n", "M", 3, {" 200", "grpc-status: 12"}, 0},
    {"identity", U, PROTO "content-encoding: identity\n", "R", 3, {" 200"}, 1},
    {"compressed flag", S, STREAM, "P01:", 3, {" 200", "\"internal\""}, 0},
    {"compressed flag, identity", S, STREAM "connect-content-encoding: identity\n", "P01:x", 3,
        {" 200", "\"internal\""}, 0},
    {"compressed flag", U, GRPC, "P01:", 2, {"grpc-status: 13"}, 0},
    {"compressed flag", U, WEB, "P01:", 3, {"grpc-status: 13"}, 0},
    {"END_STREAM from a client", S, STREAM, "M~P02:{}", 3, {" 200", "{\"error\":"}, 0},
    {"END_STREAM from a client", K, STREAM, "M~P02:{}", 3, {" 200", "\"internal\""}, 0},
    {"0x80 from a client", K, WEB, "M~P80:", 3, {"grpc-status: 13"}, 0},
    {"reserved flag", U, GRPC, "P40:", 2, {"grpc-status: 13"}, 0},
    {"no message", S, STREAM, "", 3, {" 200", "\"unimplemented\""}, 0},
    {"no message", U, GRPC, "", 2, {"grpc-status: 12"}, 0},
    {"no message", U, WEB, "", 3, {"grpc-status: 12"}, 0},
    {"two messages", S, STREAM, "Ma~Mb", 3, {" 200", "\"unimplemented\""}, 0},
    {"two messages", U, GRPC, "Ma~Mb", 2, {"grpc-status: 12"}, 0},
    {"two messages", U, WEB, "Ma~Mb", 3, {"grpc-status: 12"}, 0},
    {"one and a bit", U, WEB, "Ma~R\1", 3, {"grpc-status: 12"}, 0},
    {"cut message", U, WEB, "R\0", 3, {"grpc-status: 1"}, 0},
    {"cut message", K, STREAM, "Ma~Rxx", 3, {" 200", "\"internal\""}, 0},
    {"over the limit", U, PROTO,
        "R"
        "0123456789012345678901234567890123456789012345678901234567890123456789",
        3, {" 429", "\"resource_exhausted\""}, 0},
    {"declared 2^32-1", S, STREAM, "H", 3, {" 200", "\"resource_exhausted\""}, 0},
    {"declared 2^32-1", K, GRPC, "H", 2, {"grpc-status: 8"}, 0},
    {"declared 2^32-1", U, WEB, "H", 3, {"grpc-status: 8"}, 0},
    {"bad JSON", U, JSON, "R{\"child\":{\"number\":tru}}", 3, {" 400", "\"invalid_argument\"", "child.number"}, 0},
    {"bad JSON, list", U, JSON, "R{\"moreNumbers\":[1,\"x\"]}", 3, {" 400", "\"invalid_argument\"", "[1]"}, 0},
    {"cut JSON", U, JSON, "R{\"text\":\"a", 3, {" 400", "\"invalid_argument\""}, 0},
    {"no JSON", U, JSON, "", 3, {" 400", "\"invalid_argument\""}, 0},
    {"JSON and more", U, JSON, "R{} x", 3, {" 400", "\"invalid_argument\""}, 0},
    {"bad protobuf", U, PROTO, "R\x0a\x7f", 3, {" 400", "\"invalid_argument\""}, 0},
    {"bad UTF-8", U, PROTO, "R\x0a\1\xff", 3, {" 400", "\"invalid_argument\""}, 0},
    {"bad protobuf", U, GRPC, "P00:\x0a\x7f", 2, {"grpc-status: 3"}, 0},
    {"bad protobuf, second", K, STREAM, "Ma~P00:\x0a\x7f", 3, {" 200", "\"invalid_argument\""}, 0},
    {"version 2", U, PROTO "connect-protocol-version: 2\n", "R", 3, {" 400", "\"invalid_argument\""}, 0},
    {"version 1", U, PROTO "connect-protocol-version: 1\n", "R", 3, {" 200"}, 1},
    {"version 2, stream", S, STREAM "connect-protocol-version: 2\n", "M", 3, {" 200", "\"invalid_argument\""}, 0},
    {"timeout x", U, PROTO "connect-timeout-ms: x\n", "R", 3, {" 400", "\"invalid_argument\""}, 0},
    {"timeout -1", U, PROTO "connect-timeout-ms: -1\n", "R", 3, {" 400", "\"invalid_argument\""}, 0},
    {"timeout of 11 digits", U, PROTO "connect-timeout-ms: 12345678901\n", "R", 3, {" 400", "\"invalid_argument\""}, 0},
    {"timeout of 10 digits", U, PROTO "connect-timeout-ms: 9999999999\n", "R", 3, {" 200"}, 1},
    {"timeout 0", U, PROTO "connect-timeout-ms: 0\n", "R", 3, {" 504", "\"deadline_exceeded\""}, 0},
    {"timeout 0", S, STREAM "connect-timeout-ms: 0\n", "M", 3, {" 200", "\"deadline_exceeded\""}, 0},
    {"timeout 0n", U, GRPC "grpc-timeout: 0n\n", "M", 2, {"grpc-status: 4"}, 0},
    {"timeout 0n", U, WEB "grpc-timeout: 0n\n", "M", 3, {"grpc-status: 4"}, 0},
    {"timeout without unit", U, GRPC "grpc-timeout: 10\n", "M", 2, {"grpc-status: 3"}, 0},
    {"timeout 1s", U, WEB "grpc-timeout: 1s\n", "M", 3, {"grpc-status: 3"}, 0},
    {"timeout of 9 digits", U, WEB "grpc-timeout: 123456789m\n", "M", 3, {"grpc-status: 3"}, 0},
    {"timeout S", U, WEB "grpc-timeout: S\n", "M", 3, {"grpc-status: 3"}, 0},
    {"timeout 99999999H", U, WEB "grpc-timeout: 99999999H\n", "M", 3, {"grpc-status: 0"}, 1},
    {"compression before version before timeout", U,
        PROTO "content-encoding: zz\nconnect-protocol-version: 2\nconnect-timeout-ms: x\n", "R", 3,
        {" 501", "\"unimplemented\""}, 0},
    {"query", U "?x=y", PROTO, "R", 3, {" 200"}, 1},
};

static void ask_body(const char *at, bytes *body) {
    while (*at) {
        const char *end = strchr(at, '~');
        size_t len = end ? (size_t)(end - at) : strlen(at);
        char head[2];
        bytes note_bytes = {NULL, 0, 0};
        head[0] = 0x0a;
        head[1] = (char)(len - 1);
        if (at[0] == 'R') bytes_add(body, at + 1, len - 1 ? len - 1 : 0);
        if (at[0] == 'H')
            bytes_add(body,
                "\0\xff\xff\xff\xff"
                "abc",
                8);
        if (at[0] == 'P') envelope_add(body, (uint8_t)strtoul(at + 1, NULL, 16), at + 4, len - 4);
        if (at[0] == 'M') {
            if (len > 1) bytes_add(&note_bytes, head, 2);
            bytes_add(&note_bytes, at + 1, len - 1);
            envelope_add(body, 0, note_bytes.data, note_bytes.len);
        }
        bytes_free(&note_bytes);
        at += len + (end ? 1 : 0);
    }
}
static void ask_write(const ask *a, int http, bytes *out) {
    bytes body = {NULL, 0, 0}, head = {NULL, 0, 0};
    const char *space = strchr(a->line, ' '), *at;
    ask_body(a->body, &body);
    if (http == 1) {
        bytes_print(out, "%s HTTP/1.1\r\nhost: memory:1\r\ncontent-length: %lu\r\n", a->line, (unsigned long)body.len);
        for (at = a->headers; *at; at++)
            bytes_add(out, *at == '\n' ? "\r\n" : at, *at == '\n' ? 2 : 1);
        bytes_text(out, "\r\n");
        bytes_add(out, body.data, body.len);
    } else {
        bytes_text(out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        h2_frame(out, 4, 0, 0, NULL, 0);
        bytes_print(&head, ":method: %.*s\n:scheme: http\n:authority: memory:1\n:path: %s\n%s", (int)(space - a->line),
            a->line, space + 1, a->headers);
        h2_headers(out, body.len ? 0 : 1, 1, head.data);
        if (body.len) h2_frame(out, 0, 1, 1, body.data, body.len);
    }
    bytes_free(&head);
    bytes_free(&body);
}
/* Bytes that may hold zeros. */
static bool has(const bytes *text, const char *wanted) {
    size_t len = strlen(wanted), i;
    for (i = 0; i + len <= text->len; i++)
        if (memcmp(text->data + i, wanted, len) == 0) return true;
    return false;
}
/* Without CR, and header names in lower case are what our server sends anyway. */
static void ask_read(const pair_link *link, int http, bytes *text) {
    size_t i;
    if (http == 2) {
        h2_read(&link->down.sent, text);
        return;
    }
    for (i = 0; i < link->down.sent.len; i++)
        if (link->down.sent.data[i] != '\r') bytes_add(text, &link->down.sent.data[i], 1);
}
static void ask_try(const ask *a, int http, pair_mode mode) {
    failing_allocator memory;
    desk d;
    pair_link *link;
    bytes text = {NULL, 0, 0}, shown = {NULL, 0, 0};
    size_t i;
    bool ok = true;
    failing_init(&memory, SIZE_MAX, false);
    desk_init(&d);
    d.p.mode = mode;
    d.options.allocator = &memory.allocator;
    d.options.limits.receive_bytes = 64;
    desk_serve(&d);
    link = desk_accept(&d);
    ask_write(a, http, &link->up.sent);
    pair_pump(&d.p);
    ask_read(link, http, &text);
    bytes_add(&text, "\n", 1);
    for (i = 0; i < 4 && a->wanted[i]; i++)
        ok = ok && has(&text, a->wanted[i]);
    if (!ok || d.requests != a->requests) {
        for (i = 0; i < text.len; i++)
            if (text.data[i]) bytes_add(&shown, &text.data[i], 1);
        fail_msg("%s, %s, HTTP/%d, mode %d: %d reached the handler; got\n%s", a->name, a->line, http, (int)mode,
            d.requests, shown.data);
    }
    if (!strncmp(a->line, "POST", 4) && d.ends) fail_msg("%s, %s: on_end", a->name, a->line);
    pair_free(&d.p);
    assert_int_equal(d.opened, d.closed);
    assert_int_equal(memory.live, 0);
    bytes_free(&text);
}
static void test_requests(void **state) {
    size_t i;
    int http, mode;
    (void)state;
    for (i = 0; i < sizeof asks / sizeof *asks; i++)
        for (http = 1; http <= 2; http++)
            for (mode = PAIR_WHOLE; mode <= PAIR_ODD; mode++)
                if (asks[i].http & http) ask_try(&asks[i], http, (pair_mode)mode);
}

/* At the limit it passes, one more is refused; and a declared length takes no memory. */
typedef struct largest {
    failing_allocator counting;
    size_t largest;
} largest;
static void *largest_acquire(void *ctx, size_t size) {
    largest *l = (largest *)ctx;
    if (size > l->largest) l->largest = size;
    return malloc(size);
}
static void *largest_resize(void *ctx, void *block, size_t size) {
    largest *l = (largest *)ctx;
    if (size > l->largest) l->largest = size;
    return realloc(block, size);
}
static void largest_release(void *ctx, void *block) {
    (void)ctx;
    free(block);
}
static void test_receive_limit(void **state) {
    static const uint32_t declared[] = {1000000, 1000001, 0x7fffffffu, 0xffffffffu, 900000};
    size_t i;
    int http;
    (void)state;
    for (i = 0; i < sizeof declared / sizeof *declared; i++) {
        for (http = 1; http <= 2; http++) {
            largest l;
            connect_allocator_t allocator = {largest_acquire, largest_resize, largest_release, NULL};
            desk d;
            pair_link *link;
            bytes text = {NULL, 0, 0};
            char head[5];
            memset(&l, 0, sizeof l);
            allocator.ctx = &l;
            desk_init(&d);
            d.options.allocator = &allocator;
            d.options.limits.receive_bytes = 1000000;
            desk_serve(&d);
            link = desk_accept(&d);
            cn_envelope_write(head, 0, declared[i]);
            if (http == 1) {
                bytes_text(&link->up.sent,
                    S " HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n"
                      "content-type: application/connect+proto\r\n\r\n5\r\n");
                bytes_add(&link->up.sent, head, 5);
                bytes_text(&link->up.sent, "\r\n");
            } else {
                bytes_text(&link->up.sent, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
                h2_frame(&link->up.sent, 4, 0, 0, NULL, 0);
                h2_headers(&link->up.sent, 0, 1,
                    ":method: POST\n:scheme: http\n:authority: a\n:path: /test.v1.Notes/Server\n" STREAM);
                h2_frame(&link->up.sent, 0, 0, 1, head, 5);
            }
            pair_pump(&d.p);
            ask_read(link, http, &text);
            assert_int_equal(has(&text, "resource_exhausted"), declared[i] > 1000000);
            if (l.largest > 200000) fail_msg("a block of %lu bytes was taken", (unsigned long)l.largest);
            pair_free(&d.p);
            bytes_free(&text);
        }
    }
}

/* ---- Life cycle, with a client of ours ---- */

typedef struct guest {
    int messages, closed, writable;
    connect_code_t code;
    char why[80];
    size_t sent, wanted;
    connect_call_t *call;
    connect_str_t data;
    bool paused;
} guest;
static connect_io_t guest_message(connect_call_t *call, const void *message, void *user) {
    guest *g = (guest *)user;
    (void)call;
    (void)message;
    if (g->paused) return CONNECT_IO_AGAIN;
    g->messages++;
    return CONNECT_IO_OK;
}
static void guest_closed(connect_call_t *call, const connect_error_t *error, void *user) {
    guest *g = (guest *)user;
    (void)call;
    g->closed++;
    g->code = error ? error->code : CONNECT_OK;
    snprintf(g->why, sizeof g->why, "%s", error ? error->message.data : "");
}
static void guest_writable(connect_call_t *call, void *user) {
    guest *g = (guest *)user;
    g->writable++;
    while (g->sent < g->wanted) {
        note n;
        connect_io_t io;
        memset(&n, 0, sizeof n);
        n.data = g->data;
        io = connect_call_send(call, &n);
        if (io != CONNECT_IO_OK) return;
        g->sent++;
    }
}
static void guest_open(desk *d, const pair_kind *kind) {
    connect_client_options_t options;
    connect_error_t error;
    memset(&options, 0, sizeof options);
    options.dial = pair_dial;
    options.user = &d->p;
    options.http = kind->http;
    options.protocol = kind->protocol;
    options.codec = kind->codec;
    d->p.client = connect_client_new("http://memory:1", &options, &error);
    assert_non_null(d->p.client);
}
static void guest_call(desk *d, guest *g, const pair_kind *kind, uint32_t timeout_ms) {
    static const connect_events_t events = {NULL, NULL, guest_message, NULL, guest_writable, NULL, guest_closed};
    connect_call_options_t options;
    connect_error_t error;
    note n;
    memset(&n, 0, sizeof n);
    memset(&options, 0, sizeof options);
    options.timeout_ms = timeout_ms;
    g->call = connect_client_start(d->p.client, &note_methods[kind->kind], &events, g, &options, &error);
    assert_non_null(g->call);
    if (kind->kind == CONNECT_UNARY || kind->kind == CONNECT_SERVER_STREAM)
        connect_call_finish(g->call, CONNECT_OK, &n);
}

/* A deadline while the handler thinks: both ends say so, and the handler's late answer does no harm. */
static void test_slow_handler(void **state) {
    pair_kind kind;
    size_t i = 0;
    int client_sees;
    (void)state;
    while (pair_next(&kind, &i)) {
        for (client_sees = 0; client_sees < 2; client_sees++) {
            failing_allocator memory;
            desk d;
            guest g;
            bool unary = kind.kind == CONNECT_UNARY;
            failing_init(&memory, SIZE_MAX, false);
            desk_init(&d);
            memset(&g, 0, sizeof g);
            d.what = ACT_LATER;
            d.options.allocator = &memory.allocator;
            desk_serve(&d);
            guest_open(&d, &kind);
            guest_call(&d, &g, &kind, 200);
            pair_pump(&d.p);
            if (kind.kind == CONNECT_CLIENT_STREAM || kind.kind == CONNECT_BIDI_STREAM)
                connect_call_finish(g.call, CONNECT_OK, NULL);
            pair_pump(&d.p);
            assert_int_equal(d.requests + d.ends, 1);
            pair_advance(&d.p, 199);
            assert_int_equal(g.closed, 0);
            assert_int_equal(d.closed, 0);
            assert_int_equal(d.canceled, 0);
            if (!client_sees) d.p.links[0].down.frozen = true;
            pair_advance(&d.p, 1);
            assert_int_equal(g.closed, 1);
            assert_int_equal(g.code, CONNECT_DEADLINE_EXCEEDED);
            assert_int_equal(d.canceled, unary ? 1 : 0);
            if (unary) {
                assert_int_equal(d.closed, 0); /* the answer is due */
                connect_call_finish(d.call, CONNECT_OK, NULL);
                pair_pump(&d.p);
            }
            /* Without any connection left it is freeing that says on_closed. */
            pair_free(&d.p);
            if (d.closed != 1 || (d.code != CONNECT_DEADLINE_EXCEEDED && d.code != CONNECT_CANCELED))
                fail_msg("%s: %d on_closed, %s", pair_name(&kind), d.closed, connect_code_name(d.code));
            assert_int_equal(memory.live, 0);
        }
    }
}

/* The peer goes while a unary answer is due: on_cancel once; finish after that, once or twice, frees the call. */
static void test_later_without_peer(void **state) {
    pair_kind kind;
    size_t i = 0;
    (void)state;
    while (pair_next(&kind, &i)) {
        failing_allocator memory;
        desk d;
        guest g;
        if (kind.kind != CONNECT_UNARY) continue;
        failing_init(&memory, SIZE_MAX, false);
        desk_init(&d);
        memset(&g, 0, sizeof g);
        d.what = ACT_LATER;
        d.options.allocator = &memory.allocator;
        desk_serve(&d);
        guest_open(&d, &kind);
        guest_call(&d, &g, &kind, 0);
        pair_pump(&d.p);
        assert_int_equal(d.requests, 1);
        pair_close(&d.p);
        assert_int_equal(g.closed, 1);
        assert_int_equal(g.code, CONNECT_UNAVAILABLE);
        assert_int_equal(d.canceled, 1);
        assert_int_equal(d.closed, 0);
        assert_int_equal(connect_call_send(d.call, NULL), CONNECT_IO_END);
        connect_call_finish(d.call, CONNECT_OK, NULL);
        pair_free(&d.p); /* no connection is left to say on_closed out of: freeing does */
        assert_int_equal(d.closed, 1);
        assert_int_equal(d.code, CONNECT_CANCELED);
        assert_int_equal(memory.live, 0);
    }
}

/* The client cancels a stream: the handler's on_closed says CANCELED, at once on HTTP/2, and on HTTP/1.1 as the
   connection closes. */
static void test_cancel(void **state) {
    pair_kind kind;
    size_t i = 0;
    (void)state;
    while (pair_next(&kind, &i)) {
        desk d;
        guest g;
        desk_init(&d);
        memset(&g, 0, sizeof g);
        d.what = ACT_LATER;
        desk_serve(&d);
        guest_open(&d, &kind);
        guest_call(&d, &g, &kind, 0);
        pair_pump(&d.p);
        connect_call_finish(g.call, CONNECT_CANCELED, NULL);
        assert_int_equal(g.closed, 0); /* not out of the function that causes it */
        pair_pump(&d.p);
        assert_int_equal(g.closed, 1);
        assert_int_equal(g.code, CONNECT_CANCELED);
        if (kind.kind == CONNECT_UNARY) {
            assert_int_equal(d.canceled, 1);
            connect_call_finish(d.call, CONNECT_ABORTED, NULL);
            connect_call_finish(d.call, CONNECT_OK, NULL);
            guest_call(&d, &g, &kind, 0); /* makes the server run */
            pair_pump(&d.p);
            connect_call_finish(d.call, CONNECT_OK, NULL);
            pair_pump(&d.p);
            assert_int_equal(d.closed, 2);
        } else {
            assert_int_equal(d.closed, 1);
            assert_int_equal(d.code, CONNECT_CANCELED);
        }
        pair_free(&d.p);
    }
}

/* ---- Draining ---- */

static void test_drain(void **state) {
    pair_kind kind;
    size_t i = 0;
    int ignore;
    (void)state;
    while (pair_next(&kind, &i)) {
        for (ignore = 0; ignore < 2; ignore++) {
            desk d;
            guest g;
            if (kind.kind == CONNECT_UNARY) continue;
            desk_init(&d);
            memset(&g, 0, sizeof g);
            d.what = ACT_LATER;
            d.ignore_drain = ignore != 0;
            desk_serve(&d);
            guest_open(&d, &kind);
            guest_call(&d, &g, &kind, 0);
            pair_pump(&d.p);
            assert_int_equal(d.opened, 1);
            connect_server_drain(d.p.server, 3000);
            assert_int_equal(d.drained, 0);
            pair_pump(&d.p);
            assert_int_equal(d.drained, 1);
            assert_null(connect_server_accept(d.p.server, "late", NULL));
            if (ignore) {
                pair_advance(&d.p, 2999);
                assert_int_equal(d.closed, 0);
                assert_false(cn_server_is_done(d.p.server));
                pair_advance(&d.p, 1);
                assert_int_equal(d.closed, 1);
                assert_int_equal(d.code, CONNECT_CANCELED);
                assert_int_equal(g.closed, 1);
                assert_int_equal(g.code, CONNECT_UNAVAILABLE);
            } else {
                assert_int_equal(g.closed, 1);
                if (g.code != CONNECT_UNAVAILABLE) fail_msg("%d %s protocol %d http %d kind %d", (int)g.code, g.why, (int)kind.protocol, (int)kind.http, (int)kind.kind);
                assert_int_equal(g.code, CONNECT_UNAVAILABLE);
                pair_advance(&d.p, 3000);
                assert_int_equal(d.closed, 1);
            }
            if (!cn_server_is_done(d.p.server)) fail_msg("%s, %d: not done", pair_name(&kind), ignore);
            pair_free(&d.p);
        }
    }
}

/* ---- Freed in callbacks ---- */

static void test_free_in_callbacks(void **state) {
    pair_kind kind;
    size_t i = 0, where;
    (void)state;
    while (pair_next(&kind, &i)) {
        for (where = 0; where < 6; where++) {
            failing_allocator memory;
            desk d;
            guest g;
            failing_init(&memory, SIZE_MAX, false);
            desk_init(&d);
            memset(&g, 0, sizeof g);
            d.options.allocator = &memory.allocator;
            d.what = where == 5 && kind.kind != CONNECT_UNARY ? ACT_LATER : ACT_ANSWER;
            desk_serve(&d);
            d.free_in[where] = d.p.server;
            guest_open(&d, &kind);
            g.wanted = 2;
            guest_call(&d, &g, &kind, 0);
            pair_pump(&d.p);
            if (!g.closed && where != 5 && (kind.kind == CONNECT_CLIENT_STREAM || kind.kind == CONNECT_BIDI_STREAM))
                connect_call_finish(g.call, CONNECT_OK, NULL);
            pair_pump(&d.p);
            if (where == 5 && kind.kind != CONNECT_UNARY) {
                connect_server_drain(d.p.server, 1000);
                pair_pump(&d.p);
                assert_int_equal(d.drained, 1);
            }
            {
                bool single = kind.kind == CONNECT_UNARY || kind.kind == CONNECT_SERVER_STREAM;
                bool fired = where == 0 || where == 4 || (where == 1 && single) ||
                    ((where == 2 || where == 3) && !single) || (where == 5 && kind.kind != CONNECT_UNARY);
                if (fired) d.p.server = NULL; /* it is gone */
            }
            pair_free(&d.p);
            if (d.opened != 1 || d.closed != 1)
                fail_msg(
                    "%s, %lu: %d on_open, %d on_closed", pair_name(&kind), (unsigned long)where, d.opened, d.closed);
            assert_int_equal(g.closed, 1);
            assert_int_equal(memory.live, 0);
        }
    }
}

/* ---- Back-pressure ---- */

/* A handler that takes nothing: what the client may send stays bounded; then it takes all. */
static void test_receive_pressure(void **state) {
    pair_kind kind;
    size_t i = 0;
    char *data = (char *)malloc(1000);
    (void)state;
    memset(data, 'x', 1000);
    while (pair_next(&kind, &i)) {
        largest l;
        connect_allocator_t allocator = {largest_acquire, largest_resize, largest_release, NULL};
        desk d;
        guest g;
        if (kind.kind != CONNECT_BIDI_STREAM && kind.kind != CONNECT_CLIENT_STREAM) continue;
        memset(&l, 0, sizeof l);
        allocator.ctx = &l;
        desk_init(&d);
        memset(&g, 0, sizeof g);
        d.options.allocator = &allocator;
        d.message_io = CONNECT_IO_AGAIN;
        g.wanted = 1000;
        g.data.data = data;
        g.data.len = 1000;
        desk_serve(&d);
        guest_open(&d, &kind);
        guest_call(&d, &g, &kind, 0);
        pair_pump(&d.p);
        assert_int_equal(d.messages, 0);
        if (g.sent >= 1000) fail_msg("%s: all was sent", pair_name(&kind));
        if (d.p.links[0].up.arrived > 100000)
            fail_msg("%s: %lu bytes arrived", pair_name(&kind), (unsigned long)d.p.links[0].up.arrived);
        d.message_io = CONNECT_IO_OK;
        connect_call_resume(d.call);
        assert_int_equal(d.messages, 0);
        pair_pump(&d.p);
        if (d.messages != 1000) fail_msg("%s: %d messages of 1000", pair_name(&kind), d.messages);
        assert_int_equal(d.received, 1000u * 1000u);
        connect_call_finish(g.call, CONNECT_OK, NULL);
        pair_pump(&d.p);
        assert_int_equal(g.closed, 1);
        assert_int_equal(g.code, CONNECT_OK);
        if (l.largest > 500000) fail_msg("%s: a block of %lu bytes", pair_name(&kind), (unsigned long)l.largest);
        pair_free(&d.p);
    }
    free(data);
}

/* A client that takes nothing: the handler gets AGAIN, and on_writable when there is room again. */
typedef struct fountain {
    desk d;
    size_t sent, wanted;
    int again;
    char data[1000];
} fountain;
static void fountain_writable(connect_call_t *call, void *user) {
    fountain *f = (fountain *)user;
    while (f->sent < f->wanted) {
        note n;
        connect_io_t io;
        memset(&n, 0, sizeof n);
        n.data.data = f->data;
        n.data.len = sizeof f->data;
        io = connect_call_send(call, &n);
        if (io == CONNECT_IO_AGAIN) f->again++;
        if (io != CONNECT_IO_OK) return;
        f->sent++;
    }
    connect_call_finish(call, CONNECT_OK, NULL);
}
static connect_code_t fountain_request(connect_call_t *call, const void *request, void *response, void *user) {
    (void)call;
    (void)request;
    (void)response;
    (void)user;
    return CONNECT_LATER;
}
static void test_send_pressure(void **state) {
    pair_kind kind;
    size_t i = 0;
    (void)state;
    while (pair_next(&kind, &i)) {
        connect_server_options_t options = CONNECT_DEFAULTS;
        fountain f;
        guest g;
        if (kind.kind != CONNECT_SERVER_STREAM) continue;
        options.compression = "identity"; /* compressed, it would all fit */
        memset(&f, 0, sizeof f);
        memset(&g, 0, sizeof g);
        desk_init(&f.d);
        memset(&f.d.events, 0, sizeof f.d.events);
        f.d.events.on_request = fountain_request;
        f.d.events.on_writable = fountain_writable;
        f.wanted = 2000;
        memset(f.data, 'y', sizeof f.data);
        f.d.p.server = connect_server_new(&options, NULL);
        pair_serve(&f.d.p, &f.d.events, &f);
        guest_open(&f.d, &kind);
        g.paused = true;
        guest_call(&f.d, &g, &kind, 0);
        pair_pump(&f.d.p);
        assert_true(f.again >= 1);
        if (f.sent > 700) fail_msg("%s: %lu of 2000 sent", pair_name(&kind), (unsigned long)f.sent);
        assert_int_equal(g.messages, 0);
        g.paused = false;
        connect_call_resume(g.call);
        pair_pump(&f.d.p);
        if (g.messages != 2000) fail_msg("%s: %d messages of 2000", pair_name(&kind), g.messages);
        assert_int_equal(g.closed, 1);
        assert_int_equal(g.code, CONNECT_OK);
        pair_free(&f.d.p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_requests), cmocka_unit_test(test_receive_limit),
        cmocka_unit_test(test_slow_handler), cmocka_unit_test(test_later_without_peer), cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_drain), cmocka_unit_test(test_free_in_callbacks), cmocka_unit_test(test_receive_pressure),
        cmocka_unit_test(test_send_pressure)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
