/* The client against servers that mean harm: a whole call in memory each. What they send is written by hand, or cut and
   spoilt from what a good server said. A call ends once, never as a success that is none, and the client goes on. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"
#include "pair.h"

typedef struct heard {
    int messages, closed;
    connect_code_t code;
    char text[256];
} heard;
static connect_io_t heard_message(connect_call_t *call, const void *message, void *user) {
    (void)call;
    (void)message;
    ((heard *)user)->messages++;
    return CONNECT_IO_OK;
}
static void heard_closed(connect_call_t *call, const connect_error_t *error, void *user) {
    heard *h = (heard *)user;
    (void)call;
    h->closed++;
    h->code = error ? error->code : CONNECT_OK;
    snprintf(h->text, sizeof h->text, "%s", error ? error->message.data : "");
}
static const connect_events_t heard_events = {NULL, NULL, heard_message, NULL, NULL, NULL, heard_closed};

static void client_for(pair *p, connect_protocol_t protocol, connect_http_version_t http, failing_allocator *memory) {
    connect_client_options_t options;
    connect_error_t error;
    failing_init(memory, SIZE_MAX, false);
    memset(&options, 0, sizeof options);
    options.dial = pair_dial;
    options.user = p;
    options.protocol = protocol;
    options.http = http;
    options.allocator = &memory->allocator;
    p->client = connect_client_new("http://memory:1", &options, &error);
    assert_non_null(p->client);
}
static connect_call_t *ask(pair *p, size_t kind, heard *h) {
    connect_error_t error;
    connect_call_t *call;
    note n;
    memset(h, 0, sizeof *h);
    memset(&n, 0, sizeof n);
    n.text = connect_str_of("hello");
    call = connect_client_start(p->client, &note_methods[kind], &heard_events, h, NULL, &error);
    assert_non_null(call);
    if (!cn_call_single_request(call)) assert_int_equal(connect_call_send(call, &n), CONNECT_IO_OK);
    connect_call_finish(call, CONNECT_OK, cn_call_single_request(call) ? &n : NULL);
    return call;
}

/* ---- A good server, to begin with ---- */

static connect_code_t serve_request(connect_call_t *call, const void *request, void *response, void *user) {
    int i;
    (void)user;
    if (response) *(note *)response = *(const note *)request;
    for (i = 0; !response && i < 3; i++)
        if (connect_call_send(call, request) != CONNECT_IO_OK) return CONNECT_INTERNAL;
    return CONNECT_OK;
}
static connect_io_t serve_message(connect_call_t *call, const void *message, void *user) {
    (void)user;
    return connect_call_info(call)->kind == CONNECT_BIDI_STREAM ? connect_call_send(call, message) : CONNECT_IO_OK;
}
static connect_code_t serve_end(connect_call_t *call, void *response, void *user) {
    (void)call;
    (void)user;
    if (response) ((note *)response)->text = connect_str_of("all of it");
    return CONNECT_OK;
}
static const connect_events_t serve_events = {NULL, serve_request, serve_message, serve_end, NULL, NULL, NULL};

/* All that a good server says to a call, byte for byte. */
static bytes record(connect_protocol_t protocol, size_t kind) {
    failing_allocator memory;
    connect_error_t error;
    bytes said = {NULL, 0, 0};
    pair p;
    heard h;
    pair_init(&p);
    p.server = connect_server_new(NULL, &error);
    assert_non_null(p.server);
    pair_serve(&p, &serve_events, NULL);
    client_for(&p, protocol, CONNECT_HTTP_2, &memory);
    ask(&p, kind, &h);
    pair_pump(&p);
    assert_true(h.closed == 1 && h.code == CONNECT_OK && h.messages > 0);
    bytes_add(&said, p.links[0].down.sent.data, p.links[0].down.sent.len);
    pair_free(&p);
    return said;
}

static size_t frame_len(const bytes *b, size_t at) {
    const unsigned char *f = (const unsigned char *)b->data + at;
    return 9 + ((size_t)f[0] << 16 | (size_t)f[1] << 8 | f[2]);
}

/* RST_STREAM, or GOAWAY that leaves the call out, after each frame of a good answer: what is missing is no success, and
   what is there is no failure. */
static void test_reset_at_every_frame(void **state) {
    static const unsigned char errors[] = {0, 1, 2, 3, 7, 8, 11};
    static const connect_protocol_t protocols[] = {
        CONNECT_PROTOCOL_CONNECT, CONNECT_PROTOCOL_GRPC, CONNECT_PROTOCOL_GRPC_WEB};
    size_t protocol, kind, error;
    (void)state;
    for (protocol = 0; protocol < 3; protocol++) {
        for (kind = 0; kind < 4; kind++) {
            bytes said = record(protocols[protocol], kind);
            size_t at = 0, frames = 0;
            for (;;) {
                const bool whole = at == said.len;
                for (error = 0; error <= sizeof errors; error++) {
                    failing_allocator memory;
                    char code[] = {0, 0, 0, 0};
                    bytes *down;
                    pair p;
                    heard h;
                    pair_init(&p);
                    client_for(&p, protocols[protocol], CONNECT_HTTP_2, &memory);
                    ask(&p, kind, &h);
                    pair_pump(&p);
                    down = &p.links[0].down.sent;
                    if (at == 0) h2_frame(down, 4, 0, 0, NULL, 0); /* else it would be no HTTP/2 */
                    bytes_add(down, said.data, at);
                    code[3] = (char)(error < sizeof errors ? errors[error] : 0);
                    if (error < sizeof errors)
                        h2_frame(down, 3, 0, 1, code, 4);
                    else
                        h2_frame(down, 7, 0, 0, "\0\0\0\0\0\0\0\0", 8);
                    pair_pump(&p);
                    if (whole)
                        assert_true(h.closed == 1 && h.code == CONNECT_OK);
                    else if (h.closed)
                        assert_true(h.code != CONNECT_OK);
                    else /* refused before an answer: it is asked again */
                        assert_true(error == sizeof errors || errors[error] == 7);
                    pair_free(&p);
                    assert_int_equal(h.closed, 1);
                    assert_int_equal(memory.live, 0);
                }
                if (whole) break;
                at += frame_len(&said, at);
                frames++;
            }
            assert_true(frames >= 4);
            bytes_free(&said);
        }
    }
}

/* ---- Frames that break the rules, or never end ---- */

#define HEAD ":status: 200\ncontent-type: application/grpc\n"
#define MESSAGE "\0\0\0\0\3\x0a\1a"

typedef struct harm {
    const char *name;
    int type, flags;
    uint32_t stream;
    const char *payload;
    size_t len, times;
    connect_code_t code; /* OK: it does no harm: the answer that follows is taken */
    bool after_head;
} harm;
static const harm harms[] = {
    {"SETTINGS_MAX_FRAME_SIZE 0", 4, 0, 0, "\0\5\0\0\0\0", 6, 1, CONNECT_INTERNAL, false},
    {"SETTINGS_INITIAL_WINDOW_SIZE above 2^31-1", 4, 0, 0, "\0\4\xFF\xFF\xFF\xFF", 6, 1, CONNECT_INTERNAL, false},
    {"SETTINGS_HEADER_TABLE_SIZE 2^32-1", 4, 0, 0, "\0\1\xFF\xFF\xFF\xFF", 6, 1, CONNECT_OK, false},
    {"SETTINGS_HEADER_TABLE_SIZE 0", 4, 0, 0, "\0\1\0\0\0\0", 6, 1, CONNECT_OK, false},
    {"SETTINGS_MAX_CONCURRENT_STREAMS 0", 4, 0, 0, "\0\3\0\0\0\0", 6, 1, CONNECT_OK, false},
    {"PUSH_PROMISE", 5, 4, 1, "\0\0\0\2\x82", 5, 1, CONNECT_INTERNAL, false},
    {"WINDOW_UPDATE over 2^31-1", 8, 0, 0, "\x7F\xFF\xFF\xFF", 4, 1, CONNECT_INTERNAL, false},
    {"WINDOW_UPDATE of 0", 8, 0, 0, "\0\0\0\0", 4, 1, CONNECT_INTERNAL, false},
    {"WINDOW_UPDATE of the stream over 2^31-1", 8, 0, 1, "\x7F\xFF\xFF\xFF", 4, 1, CONNECT_INTERNAL, true},
    {"DATA before headers", 0, 0, 1, "x", 1, 1, CONNECT_INTERNAL, false},
    {"DATA of a stream that was never opened", 0, 0, 7, "x", 1, 1, CONNECT_INTERNAL, false},
    {"HEADERS of a stream of the server's", 1, 4, 2, "\x88", 1, 1, CONNECT_INTERNAL, false},
    {"GOAWAY for later calls", 7, 0, 0, "\0\0\0\1\0\0\0\0", 8, 1, CONNECT_OK, true},
    {"GOAWAY twice", 7, 0, 0, "\0\0\0\1\0\0\0\0", 8, 2, CONNECT_OK, true},
    {"GOAWAY with an error", 7, 0, 0, "\0\0\0\1\0\0\0\2", 8, 1, CONNECT_OK, true},
    {"CONTINUATION from nowhere", 9, 4, 1, "", 0, 1, CONNECT_INTERNAL, false},
    {"a frame of a type that nobody knows", 77, 0, 0, "xyz", 3, 3, CONNECT_OK, true},
    {"headers that cannot be read", 1, 4, 1, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8, 1, CONNECT_INTERNAL, false},
    {"PING for ever", 6, 0, 0, "pingpong", 8, 100000, CONNECT_RESOURCE_EXHAUSTED, true},
    {"SETTINGS for ever", 4, 0, 0, "", 0, 100000, CONNECT_RESOURCE_EXHAUSTED, true},
    {"empty DATA for ever", 0, 0, 1, "", 0, 100000, CONNECT_RESOURCE_EXHAUSTED, true},
    {"PRIORITY for ever", 2, 0, 1, "\0\0\0\0\1", 5, 100000, CONNECT_RESOURCE_EXHAUSTED, true},
};

static void put_answer(bytes *down, bool head_is_out) {
    if (!head_is_out) h2_headers(down, 0, 1, HEAD);
    h2_frame(down, 0, 0, 1, MESSAGE, 8);
    h2_headers(down, 1, 1, "grpc-status: 0\n");
}
/* Nobody reads it for ever: whatever is left of it when the client closes is dropped. */
static size_t pour(pair *p, const bytes *frame, size_t times) {
    pair_link *link = &p->links[0];
    size_t i;
    for (i = 0; i < times && link->client && !link->client->http.closing; i++) {
        bytes_add(&link->down.sent, frame->data, frame->len);
        if (i % 16 == 15 || i + 1 == times) pair_pump(p);
        link->up.arrived = link->up.sent.len;
    }
    return i;
}
static void test_hostile_frames(void **state) {
    size_t i;
    (void)state;
    for (i = 0; i < sizeof harms / sizeof *harms; i++) {
        const harm *a = &harms[i];
        failing_allocator memory;
        bytes frame = {NULL, 0, 0};
        pair p;
        heard h, next;
        pair_init(&p);
        client_for(&p, CONNECT_PROTOCOL_GRPC, CONNECT_HTTP_2, &memory);
        ask(&p, CONNECT_UNARY, &h);
        pair_pump(&p);
        h2_frame(&p.links[0].down.sent, 4, 0, 0, NULL, 0);
        h2_frame(&p.links[0].down.sent, 4, 1, 0, NULL, 0);
        if (a->after_head) h2_headers(&p.links[0].down.sent, 0, 1, HEAD);
        h2_frame(&frame, (uint8_t)a->type, (uint8_t)a->flags, a->stream, a->payload, a->len);
        if (pour(&p, &frame, a->times) == 100000) fail_msg("%s: for ever", a->name);
        if (a->code == CONNECT_OK) put_answer(&p.links[0].down.sent, a->after_head);
        pair_pump(&p);
        if (h.closed != 1 || h.code != a->code || h.messages != (a->code == CONNECT_OK))
            fail_msg("%s: closed %d times, %s: %s", a->name, h.closed, connect_code_name(h.code), h.text);
        /* the client goes on, on another connection if that one is spoilt */
        ask(&p, CONNECT_UNARY, &next);
        pair_pump(&p);
        assert_int_equal(next.closed, 0);
        if (a->code != CONNECT_OK && a->stream == 0) assert_int_equal(p.dials, 2);
        pair_free(&p);
        assert_true(h.closed == 1 && next.closed == 1);
        assert_int_equal(memory.live, 0);
        bytes_free(&frame);
    }
}

/* Heads without end: 1xx, fields, CONTINUATION; over both HTTP versions. */
static void test_endless_heads(void **state) {
    static const char *const http1[] = {"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", "x-a: some more of it\r\n",
        "a", "HTTP/1.1 200 OK\r\ncontent-type: application/proto\r\ntransfer-encoding: chunked\r\n\r\n0\r\n"};
    size_t i;
    (void)state;
    for (i = 0; i < 7; i++) {
        const connect_http_version_t http = i < 4 ? CONNECT_HTTP_1 : CONNECT_HTTP_2;
        failing_allocator memory;
        bytes piece = {NULL, 0, 0}, *down;
        pair p;
        heard h;
        pair_init(&p);
        client_for(&p, CONNECT_PROTOCOL_CONNECT, http, &memory);
        ask(&p, CONNECT_UNARY, &h);
        pair_pump(&p);
        down = &p.links[0].down.sent;
        bytes_text(&piece, i < 3 ? http1[i] : i == 3 ? "x-trailer: some more of it\r\n" : "");
        if (i == 1) bytes_text(down, "HTTP/1.1 200 OK\r\n");
        if (i == 3) bytes_text(down, http1[3]);
        if (i >= 4) h2_frame(down, 4, 0, 0, NULL, 0);
        if (i == 4) h2_headers(&piece, 0, 1, ":status: 103\nlink: </a>\n");
        if (i == 5) h2_frame(down, 1, 0, 1, "\x88", 1); /* no END_HEADERS */
        if (i == 5) h2_frame(&piece, 9, 0, 1, "\0\3x-a\1a", 7);
        if (i == 6) h2_frame(down, 1, 0, 1, "\x88", 1);
        if (i == 6) h2_frame(&piece, 9, 0, 1, "", 0);
        if (pour(&p, &piece, 100000) == 100000) fail_msg("case %d: for ever", (int)i);
        pair_pump(&p);
        if (h.closed != 1 || h.code == CONNECT_OK || h.messages)
            fail_msg("case %d: closed %d times, %s: %s", (int)i, h.closed, connect_code_name(h.code), h.text);
        pair_free(&p);
        assert_int_equal(h.closed, 1);
        assert_int_equal(memory.live, 0);
        assert_true(memory.largest < 1024 * 1024);
        bytes_free(&piece);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reset_at_every_frame),
        cmocka_unit_test(test_hostile_frames), cmocka_unit_test(test_endless_heads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
