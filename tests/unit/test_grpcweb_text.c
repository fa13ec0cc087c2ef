/* gRPC-Web in text mode, byte for byte: requests in base64 that is padded anywhere and cut up anywhere give what the
   same envelopes give in binary, and so do their responses. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"
#include "pair.h"

typedef struct shop {
    pair p;
    connect_events_t events;
    int opened, requests, ends, messages, closed;
    connect_call_t *call;
} shop;
static connect_code_t shop_open(connect_call_t *call, void *user) {
    ((shop *)user)->opened++;
    assert_int_equal(connect_call_info(call)->protocol, CONNECT_PROTOCOL_GRPC_WEB);
    return connect_call_set_trailer(call, "x-tail", connect_str_of("yes")) ? CONNECT_OK : CONNECT_RESOURCE_EXHAUSTED;
}
static connect_code_t shop_request(connect_call_t *call, const void *request, void *response, void *user) {
    shop *s = (shop *)user;
    int i;
    s->requests++;
    if (response) *(note *)response = *(const note *)request;
    for (i = 0; !response && i < 3; i++)
        if (connect_call_send(call, request) != CONNECT_IO_OK) return CONNECT_ABORTED;
    return CONNECT_OK;
}
static connect_io_t shop_message(connect_call_t *call, const void *message, void *user) {
    shop *s = (shop *)user;
    s->messages++;
    return connect_call_info(call)->method->kind == CONNECT_BIDI_STREAM ? connect_call_send(call, message)
                                                                        : CONNECT_IO_OK;
}
static connect_code_t shop_end(connect_call_t *call, void *response, void *user) {
    shop *s = (shop *)user;
    (void)call;
    s->ends++;
    if (response) ((note *)response)->number = s->messages;
    return CONNECT_OK;
}
static void shop_closed(connect_call_t *call, const connect_error_t *error, void *user) {
    (void)call;
    (void)error;
    ((shop *)user)->closed++;
}

static connect_code_t echo(connect_call_t *call, const void *request, void *response, void *user) {
    (void)call;
    (void)user;
    *(note *)response = *(const note *)request;
    return CONNECT_OK;
}

typedef enum padding { PADDING_END, PADDING_ENVELOPES, PADDING_ODD, PADDING_BYTES } padding;
static void text_add(bytes *out, const char *data, size_t len) {
    char *text = (char *)malloc(cn_base64_encoded_len(len, true) + 1);
    bytes_add(out, text, cn_base64_encode(text, cn_str(data, len), true));
    free(text);
}
/* The same envelopes, in base64 that is flushed: once, after each envelope, after 7 bytes, after each byte. */
static void text_of(const bytes *binary, padding how, bytes *out) {
    size_t at = 0;
    while (at < binary->len) {
        size_t len = binary->len - at;
        if (how == PADDING_ENVELOPES) len = 5 + cn_envelope_read(binary->data + at).len;
        if (how == PADDING_ODD) len = 7;
        if (how == PADDING_BYTES) len = 1;
        if (len > binary->len - at) len = binary->len - at;
        text_add(out, binary->data + at, len);
        at += len;
    }
}
/* Groups of four, each read by itself. */
static void text_read(const char *text, size_t len, bytes *binary) {
    size_t i;
    assert_int_equal(len % 4, 0);
    for (i = 0; i < len; i += 4) {
        char three[3];
        size_t got;
        assert_true(cn_base64_decode(three, &got, cn_str(text + i, 4)));
        bytes_add(binary, three, got);
    }
}

static const char *const method_names[4] = {"Unary", "Client", "Server", "Bidi"};
/* The response's body, as binary; its head goes to *head. pieces: of the body, each in a frame or chunk. */
static void ask(shop *s, int kind, int http, const char *type, const bytes *body, size_t piece, pair_mode mode,
    bytes *head, bytes *got) {
    connect_error_t error;
    bytes lines = {NULL, 0, 0}, text = {NULL, 0, 0};
    const char *gap = http == 1 ? "\r\n\r\n" : "\n\n";
    const size_t gap_len = strlen(gap);
    pair_link *link;
    size_t at, split;
    memset(s, 0, sizeof *s);
    pair_init(&s->p);
    s->p.mode = mode;
    s->events.on_open = shop_open;
    s->events.on_request = shop_request;
    s->events.on_message = shop_message;
    s->events.on_end = shop_end;
    s->events.on_closed = shop_closed;
    s->p.server = connect_server_new(NULL, &error);
    assert_non_null(s->p.server);
    pair_serve(&s->p, &s->events, s);
    link = pair_add(&s->p, NULL, connect_server_accept(s->p.server, "", NULL, &error));
    link->up.sender_gone = false;
    if (http == 1) {
        bytes_print(&link->up.sent,
            "POST /test.v1.Notes/%s HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-type: %s\r\n\r\n",
            method_names[kind], type);
    } else {
        bytes_text(&link->up.sent, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        h2_frame(&link->up.sent, 4, 0, 0, NULL, 0);
        bytes_print(&lines, ":method: POST\n:scheme: http\n:authority: a\n:path: /test.v1.Notes/%s\ncontent-type: %s\n",
            method_names[kind], type);
        h2_headers(&link->up.sent, 0, 1, lines.data);
    }
    for (at = 0; at < body->len; at += split) {
        split = body->len - at < piece ? body->len - at : piece;
        if (http == 1) {
            bytes_print(&link->up.sent, "%lx\r\n", (unsigned long)split);
            bytes_add(&link->up.sent, body->data + at, split);
            bytes_text(&link->up.sent, "\r\n");
        } else {
            h2_frame(&link->up.sent, 0, 0, 1, body->data + at, split);
        }
    }
    if (http == 1)
        bytes_text(&link->up.sent, "0\r\n\r\n");
    else
        h2_frame(&link->up.sent, 0, 1, 1, "", 0);
    pair_pump(&s->p);
    if (http == 2)
        h2_read(&link->down.sent, &text);
    else
        bytes_add(&text, link->down.sent.data, link->down.sent.len);
    assert_non_null(text.data);
    for (at = 0; at + gap_len <= text.len && memcmp(text.data + at, gap, gap_len) != 0; at++) {}
    bytes_add(head, text.data, at);
    at += gap_len;
    if (http == 1 && strstr(head->data, "chunked")) {
        for (;;) {
            char *end;
            unsigned long len = strtoul(text.data + at, &end, 16);
            at = (size_t)(end - text.data) + 2;
            if (!len) break;
            bytes_add(got, text.data + at, len);
            at += len + 2;
        }
    } else if (text.len > at) {
        bytes_add(got, text.data + at, text.len - at);
    }
    pair_free(&s->p);
    assert_int_equal(s->opened, s->closed);
    bytes_free(&lines);
    bytes_free(&text);
}
static void make_body(int kind, bytes *body) {
    int i, count = kind == CONNECT_UNARY || kind == CONNECT_SERVER_STREAM ? 1 : 3;
    for (i = 0; i < count; i++) {
        char message[20];
        size_t len = (size_t)(5 + i); /* 10, 11, 12 bytes of envelope: every length of padding */
        memset(message, 'a', sizeof message);
        message[0] = 0x0a;
        message[1] = (char)(len - 2);
        envelope_add(body, 0, message, len);
    }
}

/* Whatever the padding and the pieces: what comes out is what binary gives. */
static void test_same_as_binary(void **state) {
    static const char *const types[2] = {"application/grpc-web-text+proto", "application/grpc-web-text"};
    static const size_t pieces[] = {1, 2, 3, 4, 5, 7, 100};
    int kind, http, how;
    size_t i;
    (void)state;
    for (kind = 0; kind < 4; kind++) {
        bytes binary = {NULL, 0, 0};
        make_body(kind, &binary);
        for (http = 1; http <= 2; http++) {
            bytes head = {NULL, 0, 0}, wanted = {NULL, 0, 0};
            shop plain;
            ask(&plain, kind, http, "application/grpc-web+proto", &binary, 100, PAIR_WHOLE, &head, &wanted);
            assert_true(wanted.len > 20);
            bytes_free(&head);
            for (how = PADDING_END; how <= PADDING_BYTES; how++) {
                bytes text = {NULL, 0, 0};
                text_of(&binary, (padding)how, &text);
                for (i = 0; i < sizeof pieces / sizeof *pieces; i++) {
                    bytes got = {NULL, 0, 0}, decoded = {NULL, 0, 0};
                    shop s;
                    ask(&s, kind, http, types[i % 2], &text, pieces[i], i % 3 ? PAIR_WHOLE : PAIR_BYTES, &head, &got);
                    assert_non_null(strstr(head.data, "content-type: application/grpc-web-text+proto"));
                    text_read(got.data, got.len, &decoded);
                    if (decoded.len != wanted.len || memcmp(decoded.data, wanted.data, wanted.len) != 0)
                        fail_msg("kind %d HTTP/%d padding %d pieces of %lu:\n%s", kind, http, how,
                            (unsigned long)pieces[i], head.data);
                    assert_int_equal(s.requests, plain.requests);
                    assert_int_equal(s.messages, plain.messages);
                    assert_int_equal(s.ends, plain.ends);
                    bytes_free(&head);
                    bytes_free(&got);
                    bytes_free(&decoded);
                }
                bytes_free(&text);
            }
            bytes_free(&wanted);
        }
        bytes_free(&binary);
    }
}

/* JSON, too; and the exact characters of one answer. */
static void test_exact(void **state) {
    bytes body = {NULL, 0, 0}, text = {NULL, 0, 0}, head = {NULL, 0, 0}, got = {NULL, 0, 0};
    shop s;
    (void)state;
    envelope_add(&body, 0, "{\"number\":7}", 12);
    text_add(&text, body.data, body.len);
    ask(&s, CONNECT_UNARY, 1, "application/grpc-web-text+json", &text, 100, PAIR_WHOLE, &head, &got);
    assert_non_null(strstr(head.data, "content-type: application/grpc-web-text+json"));
    assert_string_equal(got.data,
        "AAAAAAx7Im51bWJlciI6N30="                           /* 0, 12, {"number":7} */
        "gAAAAB1ncnBjLXN0YXR1czogMA0KeC10YWlsOiB5ZXMNCg=="); /* 0x80, 29, the trailers */
    bytes_free(&body);
    bytes_free(&text);
    bytes_free(&head);
    bytes_free(&got);
}

/* The same large answer again, in the blocks of the first. */
static void test_large_again(void **state) {
    enum { LEN = 9000, HEAD = 3 };
    static char message[HEAD + LEN];
    connect_events_t events;
    connect_error_t error;
    bytes body = {NULL, 0, 0}, text = {NULL, 0, 0}, wanted = {NULL, 0, 0};
    pair_link *link;
    const char *at;
    int i;
    pair p;
    (void)state;
    memset(&events, 0, sizeof events);
    events.on_request = echo;
    memset(message, 'b', sizeof message);
    memcpy(message, "\x0a\xa8\x46", HEAD);
    envelope_add(&body, 0, message, sizeof message);
    text_add(&text, body.data, body.len);
    bytes_text(&wanted, text.data);
    pair_init(&p);
    p.server = connect_server_new(NULL, &error);
    assert_non_null(p.server);
    pair_serve(&p, &events, NULL);
    link = pair_add(&p, NULL, connect_server_accept(p.server, "", NULL, &error));
    link->up.sender_gone = false;
    for (i = 0; i < 3; i++) {
        bytes_print(&link->up.sent,
            "POST /test.v1.Notes/Unary HTTP/1.1\r\nhost: a\r\ncontent-length: %lu\r\ncontent-type: "
            "application/grpc-web-text\r\n\r\n",
            (unsigned long)text.len);
        bytes_add(&link->up.sent, text.data, text.len);
        pair_pump(&p);
    }
    for (i = 0, at = link->down.sent.data; (at = strstr(at, wanted.data)) != NULL; i++)
        at++;
    assert_int_equal(i, 3);
    pair_free(&p);
    bytes_free(&body);
    bytes_free(&text);
    bytes_free(&wanted);
}

/* What is no base64, or not all of it: an error, and no handler runs. */
static void test_bad(void **state) {
    static const struct {
        const char *text;
        const char *status;
    } bad[] = {{"AAAAAAcKBWhlbGxv", "grpc-status: 0"}, {"AAAAAAcKBWhlbGx*", "grpc-status: 3"},
        {"AAAAAAcKBWhlbGx", "grpc-status: 13"}, {"AAAAAAcKBWhlbG", "grpc-status: 13"},
        {"AAAAAAcKBWhlb", "grpc-status: 13"}, {"AAAAAAcKBWhl", "grpc-status: 13"},
        {"=AAAAAcKBWhlbGxv", "grpc-status: 3"}, {"A===", "grpc-status: 3"}, {"AA=A", "grpc-status: 3"},
        {"A=AA", "grpc-status: 3"}, {"====", "grpc-status: 3"}, {"AAAA\n", "grpc-status: 13"},
        {"AAAA\nAAA", "grpc-status: 3"}, {"", "grpc-status: 12"}, {"AAAAAAcKBWhlbGxvAA==", "grpc-status: 12"},
        {"AP////8=", "grpc-status: 8"}};
    size_t i, piece, at;
    int http;
    (void)state;
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        for (http = 1; http <= 2; http++) {
            for (piece = 1; piece <= 17; piece += 4) {
                bytes body = {NULL, 0, 0}, head = {NULL, 0, 0}, got = {NULL, 0, 0}, decoded = {NULL, 0, 0};
                shop s;
                bytes_text(&body, bad[i].text);
                ask(&s, CONNECT_UNARY, http, "application/grpc-web-text", &body, piece, PAIR_WHOLE, &head, &got);
                text_read(got.data, got.len, &decoded);
                for (at = 0; at < decoded.len; at++)
                    if (!decoded.data[at]) decoded.data[at] = ' ';
                if (!strstr(decoded.data, bad[i].status) || s.requests != (i == 0))
                    fail_msg("%s: %d handled, %s", bad[i].text, s.requests, decoded.data);
                bytes_free(&body);
                bytes_free(&head);
                bytes_free(&got);
                bytes_free(&decoded);
            }
        }
    }
}

/* A request cut after any character never reaches the handler, nor looks whole to one of a stream. */
static void test_cut(void **state) {
    int kind;
    (void)state;
    for (kind = 0; kind < 4; kind++) {
        bytes binary = {NULL, 0, 0}, text = {NULL, 0, 0};
        size_t len;
        make_body(kind, &binary);
        text_of(&binary, PADDING_ENVELOPES, &text);
        for (len = 1; len < text.len; len++) {
            bytes head = {NULL, 0, 0}, got = {NULL, 0, 0}, part = {NULL, 0, 0};
            bool boundary = kind == CONNECT_CLIENT_STREAM || kind == CONNECT_BIDI_STREAM;
            shop s;
            bytes_add(&part, text.data, len);
            ask(&s, kind, 2, "application/grpc-web-text", &part, 100, PAIR_WHOLE, &head, &got);
            assert_int_equal(s.requests, 0);
            boundary = boundary && (len == 16 || len == 32); /* between two messages it is whole */
            if (s.ends != boundary) fail_msg("kind %d cut at %lu", kind, (unsigned long)len);
            bytes_free(&head);
            bytes_free(&got);
            bytes_free(&part);
        }
        bytes_free(&binary);
        bytes_free(&text);
    }
}

/* Memory that runs out. */
static bool sweep_run(const connect_allocator_t *allocator, void *arg) {
    connect_server_options_t options = CONNECT_DEFAULTS;
    connect_conn_t *conn = NULL;
    connect_error_t error;
    bytes body = {NULL, 0, 0}, text = {NULL, 0, 0};
    pair_link *link;
    shop s;
    bool ok;
    memset(&s, 0, sizeof s);
    pair_init(&s.p);
    (void)arg;
    s.events.on_request = shop_request;
    options.allocator = allocator;
    s.p.server = connect_server_new(&options, &error);
    ok = s.p.server && connect_server_add_route(s.p.server, &note_methods[2], &s.events, &s, NULL, &error) &&
        (conn = connect_server_accept(s.p.server, "", NULL, &error)) != NULL;
    make_body(CONNECT_SERVER_STREAM, &body);
    text_of(&body, PADDING_ODD, &text);
    if (ok) {
        link = pair_add(&s.p, NULL, conn);
        link->up.sender_gone = false;
        bytes_print(&link->up.sent,
            "POST /test.v1.Notes/Server HTTP/1.1\r\nhost: a\r\ncontent-length: %lu\r\ncontent-type: "
            "application/grpc-web-text\r\n\r\n%s",
            (unsigned long)text.len, text.data);
        pair_pump(&s.p);
        ok = s.requests == 1 && link->down.sent.data &&
            strstr(link->down.sent.data, "ncnBjLXN0YXR1czogMA0K"); /* "grpc-status: 0" */
    }
    pair_free(&s.p);
    bytes_free(&body);
    bytes_free(&text);
    return ok;
}
static void test_sweep(void **state) {
    (void)state;
    sweep_allocations(sweep_run, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_as_binary), cmocka_unit_test(test_exact),
        cmocka_unit_test(test_large_again),
        cmocka_unit_test(test_bad), cmocka_unit_test(test_cut), cmocka_unit_test(test_sweep)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
