/* The life cycle of a server's calls: answers that come later, cancelling, draining, freeing in callbacks,
   back-pressure in both directions. What it says to bad requests is in test_threats_rpc.c. */
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
    static const connect_method_t once = {/* what was lost must not be sent again */
        "/test.v1.Notes/Unary", &note_type, &note_type, CONNECT_UNARY, CONNECT_IDEMPOTENCY_UNKNOWN};
    const connect_method_t *method = kind->kind == CONNECT_UNARY ? &once : &note_methods[kind->kind];
    connect_call_options_t options;
    connect_error_t error;
    note n;
    memset(&n, 0, sizeof n);
    memset(&options, 0, sizeof options);
    options.timeout_ms = timeout_ms;
    g->call = connect_client_start(d->p.client, method, &events, g, &options, &error);
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
        d.p.dial_code = CONNECT_UNAVAILABLE; /* nor can it be sent again */
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

/* Finished only after the server was freed: nothing is told any more, and nothing leaks. */
static void test_later_without_server(void **state) {
    const pair_kind kind = {CONNECT_PROTOCOL_CONNECT, CONNECT_HTTP_1, "proto", CONNECT_UNARY};
    int told;
    (void)state;
    for (told = 0; told < 2; told++) {
        failing_allocator memory;
        desk d;
        guest g;
        failing_init(&memory, SIZE_MAX, false);
        desk_init(&d);
        if (!told) d.events.on_closed = NULL;
        memset(&g, 0, sizeof g);
        d.what = ACT_LATER;
        d.options.allocator = &memory.allocator;
        desk_serve(&d);
        guest_open(&d, &kind);
        guest_call(&d, &g, &kind, 0);
        pair_pump(&d.p);
        assert_int_equal(d.requests, 1);
        d.p.dial_code = CONNECT_UNAVAILABLE;
        connect_server_free(d.p.server);
        d.p.server = NULL;
        assert_int_equal(d.canceled, 1);
        connect_call_finish(d.call, CONNECT_OK, NULL);
        assert_int_equal(d.closed, 0);
        pair_free(&d.p);
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
            assert_null(connect_server_accept(d.p.server, "late", NULL, NULL));
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
                if (g.code != CONNECT_UNAVAILABLE)
                    fail_msg("%d %s protocol %d http %d kind %d", (int)g.code, g.why, (int)kind.protocol,
                        (int)kind.http, (int)kind.kind);
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
        failing_allocator memory;
        desk d;
        guest g;
        if (kind.kind != CONNECT_BIDI_STREAM && kind.kind != CONNECT_CLIENT_STREAM) continue;
        failing_init(&memory, SIZE_MAX, false);
        desk_init(&d);
        memset(&g, 0, sizeof g);
        d.options.allocator = &memory.allocator;
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
        if (memory.largest > 500000)
            fail_msg("%s: a block of %lu bytes", pair_name(&kind), (unsigned long)memory.largest);
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

/* How much WINDOW_UPDATE frames add to the window of stream 1, once the server has got these first bytes of a message. */
static uint32_t added_window(const char *method, size_t message_len, size_t first) {
    bytes in = {NULL, 0, 0};
    char *body = (char *)calloc(1, first), lines[200];
    uint32_t added = 0;
    connect_conn_t *conn;
    connect_str_t out;
    desk d;
    desk_init(&d);
    d.p.server = connect_server_new(&d.options, NULL);
    pair_serve(&d.p, &d.events, &d);
    conn = connect_server_accept(d.p.server, "a", NULL, NULL);
    snprintf(lines, sizeof lines,
        ":method: POST\n:scheme: http\n:path: /test.v1.Notes/%s\n:authority: a\n"
        "content-type: application/grpc\nte: trailers\n", method);
    cn_envelope_write(body, 0, (uint32_t)message_len);
    bytes_text(&in, cn_conn_preface);
    h2_frame(&in, 4, 0, 0, "", 0);
    h2_frame(&in, 4, 1, 0, "", 0);
    h2_headers(&in, 0, 1, lines);
    h2_frame(&in, 0, 0, 1, body, first);
    assert_int_equal(connect_conn_feed(conn, in.data, in.len, 1), in.len);
    while ((out = connect_conn_output(conn)).len) {
        const unsigned char *f = (const unsigned char *)out.data, *end = f + out.len;
        for (; f < end; f += 9 + ((size_t)f[0] << 16 | (size_t)f[1] << 8 | f[2]))
            if (f[3] == 8 && f[8] == 1)
                added += (uint32_t)f[9] << 24 | (uint32_t)f[10] << 16 | (uint32_t)f[11] << 8 | f[12];
        connect_conn_sent(conn, out.len);
    }
    connect_conn_close(conn);
    pair_free(&d.p);
    bytes_free(&in);
    free(body);
    return added;
}
/* The one message of a request need not come in pieces of the stream's window, 64 KiB; but it is bounded as ever. */
static void test_window_for_a_message(void **state) {
    (void)state;
    assert_int_equal(added_window("Unary", 200000, 1000), 200005 - 65536);
    assert_int_equal(added_window("Unary", 200000, 16000), 200005 - 65536);
    assert_int_equal(added_window("Unary", 60000, 16000), 0);
    assert_int_equal(added_window("Unary", 5 << 20, 16000), 0); /* above limits.receive_bytes: refused */
    assert_int_equal(added_window("Client", 200000, 1000), 0);  /* a stream: its handler may pause */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_window_for_a_message), cmocka_unit_test(test_slow_handler), cmocka_unit_test(test_later_without_peer),
        cmocka_unit_test(test_later_without_server), cmocka_unit_test(test_cancel), cmocka_unit_test(test_drain),
        cmocka_unit_test(test_free_in_callbacks), cmocka_unit_test(test_receive_pressure),
        cmocka_unit_test(test_send_pressure)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
