/* What a server, or a client, keeps for a connection that does nothing: bytes asked of the allocator, after one call and
   after many at once. In the system's memory some of it is never touched, and rounding comes on top: bench/footprint/idle.py. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"
#include "pair.h"

typedef union meter_head {
    size_t size;
    long double align;
} meter_head;
typedef struct meter { /* an allocator that counts bytes: each block has its size before it */
    connect_allocator_t allocator;
    size_t live, acquired;
} meter;
static void *meter_resize(void *ctx, void *block, size_t size) {
    meter *m = (meter *)ctx;
    meter_head *head = block ? (meter_head *)block - 1 : NULL;
    size_t old = 0;
    if (head) memcpy(&old, head, sizeof old);
    head = (meter_head *)realloc(head, sizeof *head + size);
    assert_non_null(head);
    memcpy(head, &size, sizeof size);
    m->live += size - old;
    m->acquired++;
    return head + 1;
}
static void *meter_acquire(void *ctx, size_t size) {
    return meter_resize(ctx, NULL, size);
}
static void meter_release(void *ctx, void *block) {
    meter *m = (meter *)ctx;
    size_t size;
    if (!block) return;
    memcpy(&size, (meter_head *)block - 1, sizeof size);
    m->live -= size;
    free((meter_head *)block - 1);
}

static connect_code_t echo(connect_call_t *call, const void *request, void *response, void *user) {
    (void)call;
    (void)user;
    *(note *)response = *(const note *)request;
    return CONNECT_OK;
}

typedef struct idle {
    meter memory;
    pair pair;
    connect_conn_t *conn;
} idle;
static void idle_open(idle *t, size_t limit) {
    static const connect_events_t events = {NULL, echo, NULL, NULL, NULL, NULL, NULL};
    connect_server_options_t options;
    connect_error_t error;
    memset(t, 0, sizeof *t);
    memset(&options, 0, sizeof options);
    t->memory.allocator.acquire = meter_acquire;
    t->memory.allocator.resize = meter_resize;
    t->memory.allocator.release = meter_release;
    t->memory.allocator.ctx = &t->memory;
    options.allocator = &t->memory.allocator;
    options.limits.memory = limit;
    pair_init(&t->pair);
    t->pair.server = connect_server_new(&options, &error);
    assert_non_null(t->pair.server);
    pair_serve(&t->pair, &events, NULL);
}
static void idle_feed(connect_conn_t *conn, const bytes *in) {
    connect_str_t out;
    assert_int_equal(connect_conn_feed(conn, in->data, in->len, 1), in->len);
    while ((out = connect_conn_output(conn)).len)
        connect_conn_sent(conn, out.len);
    assert_int_equal(connect_conn_wants(conn), CONNECT_WANTS_READ);
}
static void put_call(bytes *b, bool http2, uint32_t stream) {
    if (http2) {
        h2_headers(b, 0, stream,
            ":method: POST\n:scheme: http\n:path: /test.v1.Notes/Unary\n:authority: idle\n"
            "content-type: application/proto\n");
        h2_frame(b, 0, 1, stream, "\x0a\x01h", 3);
    } else {
        bytes_text(b,
            "POST /test.v1.Notes/Unary HTTP/1.1\r\nHost: idle\r\nContent-Type: application/proto\r\n"
            "Content-Length: 3\r\n\r\n\x0a\x01h");
    }
}

static void test_after_a_call(void **state) {
    static const size_t most[2] = {1000, 11 * 1024};
    int http2;
    (void)state;
    for (http2 = 0; http2 < 2; http2++) {
        connect_conn_t *conns[20];
        size_t before = 0, i;
        idle t;
        idle_open(&t, 0);
        for (i = 0; i < 20; i++) {
            bytes in = {NULL, 0, 0};
            size_t used;
            before = t.memory.live;
            if (http2) {
                bytes_text(&in, cn_conn_preface);
                h2_frame(&in, 4, 0, 0, "", 0);
            }
            put_call(&in, http2, 1);
            if (http2) h2_frame(&in, 4, 1, 0, "", 0);
            conns[i] = connect_server_accept(t.pair.server, "127.0.0.1:65535", NULL, NULL);
            idle_feed(conns[i], &in);
            used = t.memory.live - before + sizeof(cn_carrier_t) + sizeof "127.0.0.1:65535";
            if (i > 0 && used > most[http2]) /* the first leaves more behind: what all of them share */
                fail_msg("HTTP/%d: %lu bytes", http2 + 1, (unsigned long)used);
            bytes_free(&in);
        }
        for (i = 0; i < 20; i++)
            connect_conn_close(conns[i]);
        pair_free(&t.pair);
        assert_int_equal(t.memory.live, 0);
    }
}

/* A client's idle connection costs what a server's does: what is free once it is closed, beside another. */
static void test_of_a_client(void **state) {
    static const connect_events_t events = {NULL, echo, NULL, NULL, NULL, NULL, NULL};
    static const connect_events_t heard = {NULL, NULL, NULL, NULL, NULL, NULL, NULL};
    static const size_t most[2] = {1000, 11 * 1024};
    int http2;
    (void)state;
    for (http2 = 0; http2 < 2; http2++) {
        connect_server_options_t serving;
        connect_client_options_t options;
        connect_error_t error;
        size_t before, used, i;
        meter memory;
        pair p;
        memset(&memory, 0, sizeof memory);
        memset(&serving, 0, sizeof serving);
        memset(&options, 0, sizeof options);
        memory.allocator.acquire = meter_acquire;
        memory.allocator.resize = meter_resize;
        memory.allocator.release = meter_release;
        memory.allocator.ctx = &memory;
        pair_init(&p);
        serving.limits.streams = 1;
        p.server = connect_server_new(&serving, &error);
        pair_serve(&p, &events, NULL);
        options.allocator = &memory.allocator;
        options.dial = pair_dial;
        options.user = &p;
        options.http = http2 ? CONNECT_HTTP_2 : CONNECT_HTTP_1;
        options.connections = 2;
        p.client = connect_client_new("http://127.0.0.1:65535", &options, &error);
        assert_non_null(p.client);
        for (i = 0; i < 8; i++) {
            note n;
            connect_call_t *call = connect_client_start(p.client, &note_methods[0], &heard, NULL, NULL, &error);
            memset(&n, 0, sizeof n);
            assert_non_null(call);
            connect_call_finish(call, CONNECT_OK, &n);
            if (i % 4 == 3) pair_pump(&p); /* some at once */
        }
        pair_pump(&p);
        assert_int_equal(p.count, 2);
        before = memory.live;
        pair_close_client(&p.links[1]);
        used = before - memory.live + sizeof(cn_carrier_t) + sizeof "127.0.0.1:65535";
        if (used > most[http2] || used < sizeof(connect_conn_t))
            fail_msg("HTTP/%d: %lu bytes", http2 + 1, (unsigned long)used);
        pair_free(&p);
        assert_int_equal(memory.live, 0);
    }
}

/* What nghttp2 holds for a connection. */
static size_t held_by_nghttp2(const connect_conn_t *conn) {
    const cn_http2_t *h = (const cn_http2_t *)conn->http.state;
    const cn_list_t *node;
    size_t held = 0;
    for (node = h->blocks.next; node != &h->blocks; node = node->next)
        held += ((const cn_http2_block_t *)(const void *)node)->head.size;
    return held;
}

/* Whatever a connection has done before: the memory of streams belongs to the server. */
static void test_after_many_calls(void **state) {
    connect_conn_t *busy, *calm;
    bytes first = {NULL, 0, 0}, many = {NULL, 0, 0};
    uint32_t stream;
    idle t;
    (void)state;
    idle_open(&t, 0);
    bytes_text(&first, cn_conn_preface);
    h2_frame(&first, 4, 0, 0, "", 0);
    put_call(&first, true, 1);
    h2_frame(&first, 4, 1, 0, "", 0);
    for (stream = 3; stream < 130; stream += 2)
        put_call(&many, true, stream);
    calm = connect_server_accept(t.pair.server, "a", NULL, NULL);
    idle_feed(calm, &first);
    busy = connect_server_accept(t.pair.server, "b", NULL, NULL);
    idle_feed(busy, &first);
    idle_feed(busy, &many);
    assert_true(held_by_nghttp2(busy) <= held_by_nghttp2(calm) + 1024); /* a queue that has grown */
    assert_null(busy->http.out.block);
    connect_conn_close(busy);
    connect_conn_close(calm);
    pair_free(&t.pair);
    assert_int_equal(t.memory.live, 0);
    bytes_free(&first);
    bytes_free(&many);
}

/* Blocks of large messages are kept for the next ones, up to an eighth of limits.memory, until nobody is connected. */
static void test_after_large_messages(void **state) {
    const size_t len = 200000;
    char *text = (char *)calloc(1, len);
    int tight;
    (void)state;
    for (tight = 0; tight < 2; tight++) {
        bytes in = {NULL, 0, 0};
        connect_conn_t *conn;
        size_t before, kept, round;
        idle t;
        idle_open(&t, tight ? 1500000 : 0);
        before = t.memory.live;
        bytes_text(&in,
            "POST /test.v1.Notes/Unary HTTP/1.1\r\nHost: idle\r\nContent-Type: application/proto\r\n"
            "Content-Length: 200004\r\n\r\n\x0a\xc0\x9a\x0c");
        bytes_add(&in, text, len);
        conn = connect_server_accept(t.pair.server, "a", NULL, NULL);
        idle_feed(conn, &in);
        kept = t.memory.live;
        for (round = 0; round < 3; round++) {
            const size_t blocks = t.memory.acquired;
            idle_feed(conn, &in);
            assert_int_equal(t.memory.live, kept);
            if (!tight) assert_int_equal(t.memory.acquired, blocks);
        }
        assert_true(
            tight ? kept - before < 2 * len : kept - before > 3 * len); /* the output, the request, the response */
        connect_conn_close(conn);
        assert_true(t.memory.live - before < len / 2);
        pair_free(&t.pair);
        assert_int_equal(t.memory.live, 0);
        bytes_free(&in);
    }
    free(text);
}

/* All connections write their frames in one buffer, one frame at a time: so they may stop after any frame, here between
   HEADERS and CONTINUATION, while others write. All get the same call, and answer with the same bytes. */
static connect_code_t answer_with_long_headers(connect_call_t *call, const void *request, void *response, void *user) {
    static char value[30000];
    (void)request;
    (void)response;
    (void)user;
    memset(value, 'v', sizeof value);
    assert_true(connect_call_set_header(call, "x-long", cn_str(value, sizeof value)));
    return CONNECT_OK;
}
static void test_frames_by_turns(void **state) {
    static const connect_events_t events = {NULL, answer_with_long_headers, NULL, NULL, NULL, NULL, NULL};
    enum { COUNT = 3 };
    connect_conn_t *conns[COUNT];
    bytes answers[COUNT], in = {NULL, 0, 0};
    connect_server_options_t options;
    connect_error_t error;
    bool more;
    pair p;
    int i;
    (void)state;
    memset(&options, 0, sizeof options);
    memset(answers, 0, sizeof answers);
    options.limits.connection_buffer = 8192; /* a frame of 16 KiB at a time */
    options.limits.header_bytes = 65536;
    pair_init(&p);
    p.server = connect_server_new(&options, &error);
    assert_non_null(p.server);
    pair_serve(&p, &events, NULL);
    bytes_text(&in, cn_conn_preface);
    h2_frame(&in, 4, 0, 0, "", 0);
    put_call(&in, true, 1);
    for (i = 0; i < COUNT; i++) {
        conns[i] = connect_server_accept(p.server, "a", NULL, NULL);
        assert_int_equal(connect_conn_feed(conns[i], in.data, in.len, 1), in.len);
    }
    do {
        more = false;
        for (i = 0; i < COUNT; i++) {
            connect_str_t out = connect_conn_output(conns[i]);
            bytes_add(&answers[i], out.data, out.len);
            connect_conn_sent(conns[i], out.len);
            more = more || out.len;
        }
    } while (more);
    for (i = 0; i < COUNT; i++) {
        assert_true(answers[i].len > 16384);
        assert_int_equal(answers[i].len, answers[0].len);
        assert_memory_equal(answers[i].data, answers[0].data, answers[0].len);
        connect_conn_close(conns[i]);
    }
    for (i = 0; i < COUNT; i++)
        bytes_free(&answers[i]);
    bytes_free(&in);
    pair_free(&p);
}

/* A call closes while its last frame is still in that buffer; what runs then has another connection write. */
typedef struct turns {
    connect_conn_t *conns[3]; /* that of the call, one with two calls, and one with the same call later */
    bytes answers[3];
    int closed;
} turns;
static void turns_write(turns *t, int i) {
    connect_str_t out;
    while ((out = connect_conn_output(t->conns[i])).len) {
        bytes_add(&t->answers[i], out.data, out.len);
        connect_conn_sent(t->conns[i], out.len);
    }
}
static connect_code_t begin(connect_call_t *call, void *user) {
    (void)call;
    (void)user;
    return CONNECT_OK;
}
static void write_the_other(connect_call_t *call, const connect_error_t *error, void *user) {
    turns *t = (turns *)user;
    (void)call;
    (void)error;
    if (t->closed++ > 0) return;
    assert_int_equal(connect_conn_output(t->conns[0]).len, 0); /* in the middle of it there is nothing to be had */
    turns_write(t, 1);
    assert_true(t->answers[1].len > 0);
}
static void put_grpc_call(bytes *b, uint32_t stream) { /* which ends with HEADERS: they go through the buffer */
    h2_headers(b, 0, stream,
        ":method: POST\n:scheme: http\n:path: /test.v1.Notes/Unary\n:authority: idle\n"
        "content-type: application/grpc\nte: trailers\n");
    h2_frame(b, 0, 1, stream, "\0\0\0\0\3\x0a\x01h", 8);
}
static void test_frames_in_an_event(void **state) {
    connect_events_t events;
    connect_error_t error;
    bytes in = {NULL, 0, 0};
    turns t;
    pair p;
    int i;
    (void)state;
    memset(&t, 0, sizeof t);
    memset(&events, 0, sizeof events);
    events.on_open = begin;
    events.on_request = answer_with_long_headers;
    events.on_closed = write_the_other;
    pair_init(&p);
    p.server = connect_server_new(NULL, &error);
    assert_non_null(p.server);
    pair_serve(&p, &events, &t);
    bytes_text(&in, cn_conn_preface);
    h2_frame(&in, 4, 0, 0, "", 0);
    put_grpc_call(&in, 1);
    for (i = 0; i < 3; i++) {
        t.conns[i] = connect_server_accept(p.server, "a", NULL, NULL);
        assert_int_equal(connect_conn_feed(t.conns[i], in.data, in.len, 1), in.len);
    }
    in.len = 0;
    put_grpc_call(&in, 3);
    assert_int_equal(connect_conn_feed(t.conns[1], in.data, in.len, 1), in.len);
    for (i = 0; i < 3; i++)
        turns_write(&t, i);
    assert_int_equal(t.closed, 4);
    assert_true(t.answers[0].len > 16384);
    assert_int_equal(t.answers[0].len, t.answers[2].len);
    assert_memory_equal(t.answers[0].data, t.answers[2].data, t.answers[0].len);
    for (i = 0; i < 3; i++) {
        connect_conn_close(t.conns[i]);
        bytes_free(&t.answers[i]);
    }
    bytes_free(&in);
    pair_free(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_after_a_call),
        cmocka_unit_test(test_of_a_client),
        cmocka_unit_test(test_after_many_calls),
        cmocka_unit_test(test_frames_by_turns),
        cmocka_unit_test(test_frames_in_an_event),
        cmocka_unit_test(test_after_large_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
