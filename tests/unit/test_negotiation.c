/* Compression of whole calls, in memory: both ends, all protocols, versions, codecs and kinds; what is chosen and
   announced; what is refused, and how; limits on what expands. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"
#include "pair.h"

#define BIG 60000u /* above compress_min, below the receive limits used */

typedef struct scene {
    pair p;
    connect_server_options_t server;
    connect_client_options_t client;
    connect_call_options_t call;
    connect_events_t events;
    const char *switch_to; /* set_compression in the handler */
    bool switched;
    size_t size; /* of the messages' data */
    char *data;
    const char *server_received, *server_sent, *client_received, *client_sent;
    size_t requests, responses, closed, sent;
    connect_code_t code;
    char message[400];
    bool from_peer;
} scene;

static note note_of(const scene *s) {
    note n;
    memset(&n, 0, sizeof n);
    n.data.data = s->data;
    n.data.len = s->size;
    return n;
}
static void scene_saw(scene *s, const note *n) {
    assert_int_equal(n->data.len, s->size);
    if (s->size) assert_memory_equal(n->data.data, s->data, s->size);
}
static void scene_info(scene *s, connect_call_t *call) {
    s->server_received = connect_call_info(call)->compression_received;
    if (s->switch_to) s->switched = connect_call_set_compression(call, s->switch_to);
    s->server_sent = connect_call_info(call)->compression_sent;
}
static connect_code_t serve_request(connect_call_t *call, const void *request, void *response, void *user) {
    scene *s = (scene *)user;
    note n = note_of(s);
    s->requests++;
    scene_saw(s, (const note *)request);
    scene_info(s, call);
    if (response) {
        *(note *)response = n;
        return CONNECT_OK;
    }
    assert_int_equal(connect_call_send(call, &n), CONNECT_IO_OK);
    return CONNECT_OK;
}
static connect_io_t serve_message(connect_call_t *call, const void *message, void *user) {
    scene *s = (scene *)user;
    (void)call;
    s->requests++;
    scene_saw(s, (const note *)message);
    return CONNECT_IO_OK;
}
static connect_code_t serve_end(connect_call_t *call, void *response, void *user) {
    scene *s = (scene *)user;
    note n = note_of(s);
    scene_info(s, call);
    if (response) {
        *(note *)response = n;
        return CONNECT_OK;
    }
    assert_int_equal(connect_call_send(call, &n), CONNECT_IO_OK);
    return CONNECT_OK;
}
static connect_io_t hear_message(connect_call_t *call, const void *message, void *user) {
    scene *s = (scene *)user;
    s->responses++;
    s->client_received = connect_call_info(call)->compression_received;
    scene_saw(s, (const note *)message);
    return CONNECT_IO_OK;
}
static void hear_closed(connect_call_t *call, const connect_error_t *error, void *user) {
    scene *s = (scene *)user;
    s->closed++;
    s->client_sent = connect_call_info(call)->compression_sent;
    s->client_received = connect_call_info(call)->compression_received;
    s->code = error ? error->code : CONNECT_OK;
    s->from_peer = error && error->from_peer;
    snprintf(s->message, sizeof s->message, "%s", error ? error->message.data : "");
}
static void scene_init(scene *s) {
    size_t i;
    memset(s, 0, sizeof *s);
    pair_init(&s->p);
    s->size = BIG;
    s->data = (char *)malloc(1 << 20);
    assert_non_null(s->data);
    for (i = 0; i < 1 << 20; i++)
        s->data[i] = (char)('a' + i / 100 % 26);
    s->events.on_request = serve_request;
    s->events.on_message = serve_message;
    s->events.on_end = serve_end;
}
static void scene_run(scene *s, const pair_kind *kind, size_t calls) {
    static const connect_events_t events = {NULL, NULL, hear_message, NULL, NULL, NULL, hear_closed};
    connect_error_t error;
    size_t i;
    s->p.server = connect_server_new(&s->server, &error);
    assert_non_null(s->p.server);
    pair_serve(&s->p, &s->events, s);
    s->client.dial = pair_dial;
    s->client.user = &s->p;
    s->client.http = kind->http;
    s->client.protocol = kind->protocol;
    s->client.codec = kind->codec;
    s->p.client = connect_client_new("http://memory:1", &s->client, &error);
    assert_non_null(s->p.client);
    for (i = 0; i < calls; i++) {
        bool single = kind->kind == CONNECT_UNARY || kind->kind == CONNECT_SERVER_STREAM;
        note n = note_of(s);
        connect_call_t *call =
            connect_client_start(s->p.client, &note_methods[kind->kind], &events, s, &s->call, &error);
        assert_non_null(call);
        if (single) {
            connect_call_finish(call, CONNECT_OK, &n);
        } else {
            assert_int_equal(connect_call_send(call, &n), CONNECT_IO_OK);
            connect_call_finish(call, CONNECT_OK, NULL);
        }
        pair_pump(&s->p);
        assert_int_equal(s->closed, i + 1);
    }
    for (i = 0; i < s->p.count; i++)
        s->sent += s->p.links[i].up.sent.len;
}
static void scene_free(scene *s) {
    pair_free(&s->p);
    free(s->data);
}

/* The same coding both ways, or one of each; small messages stay as they are. */
static void test_both_ways(void **state) {
    static const char *const codings[] = {NULL, "identity", "gzip", "zstd"};
    pair_kind kind;
    size_t i = 0, c;
    (void)state;
    while (pair_next(&kind, &i)) {
        for (c = 0; c < 4; c++) {
            scene s;
            scene_init(&s);
            s.client.compression = codings[c];
            s.server.compression = c == 3 ? "gzip" : NULL; /* ask zstd, answer gzip */
            scene_run(&s, &kind, 1);
            assert_int_equal(s.code, CONNECT_OK);
            assert_int_equal(s.requests, 1);
            assert_int_equal(s.responses, 1);
            assert_string_equal(s.server_received, c < 2 ? "identity" : codings[c]);
            assert_string_equal(s.client_sent, c < 2 ? "identity" : codings[c]);
            assert_string_equal(s.server_sent, c < 2 ? "zstd" : "gzip"); /* the client's list begins with zstd */
            assert_string_equal(s.client_received, s.server_sent);
            assert_true(c < 2 ? s.sent > BIG : s.sent < 5000);
            assert_true(s.p.links[0].down.sent.len < 5000);
            scene_free(&s);

            scene_init(&s); /* below the minimum */
            s.client.compression = codings[c];
            s.client.compress_min = 5000;
            s.server.compress_min = 5000;
            s.size = 2000;
            scene_run(&s, &kind, 1);
            assert_int_equal(s.code, CONNECT_OK);
            assert_int_equal(s.responses, 1);
            assert_true(s.sent > 2000);
            assert_true(s.p.links[0].down.sent.len > 2000);
            scene_free(&s);

            scene_init(&s); /* everything, and empty messages, too */
            s.client.compression = codings[c];
            s.client.compress_min = s.server.compress_min = 1;
            s.size = 0;
            scene_run(&s, &kind, 1);
            assert_int_equal(s.code, CONNECT_OK);
            assert_int_equal(s.responses, 1);
            scene_free(&s);
        }
    }
}

static void test_choices(void **state) {
    pair_kind kind;
    size_t i = 0;
    (void)state;
    while (pair_next(&kind, &i)) {
        scene s;
        scene_init(&s); /* the client takes none; the server's wish does not count */
        s.client.accept = "identity";
        s.server.compression = "gzip";
        scene_run(&s, &kind, 1);
        assert_int_equal(s.code, CONNECT_OK);
        assert_string_equal(s.server_sent, "identity");
        assert_true(s.p.links[0].down.sent.len > BIG);
        scene_free(&s);

        scene_init(&s); /* the server is told not to */
        s.server.compression = "identity";
        s.client.compression = "gzip";
        scene_run(&s, &kind, 1);
        assert_string_equal(s.server_sent, "identity");
        assert_true(s.p.links[0].down.sent.len > BIG);
        scene_free(&s);

        scene_init(&s); /* a call's own choice, and the client's order */
        s.client.compression = "gzip";
        s.client.accept = "gzip, zstd";
        s.call.compression = "identity";
        scene_run(&s, &kind, 1);
        assert_string_equal(s.server_received, "identity");
        assert_string_equal(s.server_sent, "gzip");
        scene_free(&s);

        scene_init(&s); /* the handler's choice: what the client takes, before anything is sent */
        s.switch_to = "gzip";
        scene_run(&s, &kind, 1);
        assert_true(s.switched);
        assert_string_equal(s.client_received, "gzip");
        scene_free(&s);
        scene_init(&s);
        s.switch_to = "gzip";
        s.client.accept = "zstd";
        scene_run(&s, &kind, 1);
        assert_false(s.switched);
        assert_string_equal(s.client_received, "zstd");
        scene_free(&s);
        scene_init(&s);
        s.switch_to = "identity";
        scene_run(&s, &kind, 1);
        assert_true(s.switched);
        assert_string_equal(s.client_received, "identity");
        scene_free(&s);

        scene_init(&s); /* the server does not take it */
        s.client.compression = "zstd";
        s.server.accept = "gzip";
        scene_run(&s, &kind, 1);
        assert_int_equal(s.code, CONNECT_UNIMPLEMENTED);
        assert_int_equal(s.requests, 0);
        assert_true(s.from_peer);
        assert_non_null(strstr(s.message, "\"zstd\""));
        assert_non_null(strstr(s.message, "supported are gzip, identity"));
        scene_free(&s);
    }
}

/* What expands past the limit is too large, to the byte. */
static void test_limits(void **state) {
    pair_kind kind;
    size_t i = 0;
    (void)state;
    while (pair_next(&kind, &i)) {
        int over, side;
        for (over = 0; over < 2; over++) {
            for (side = 0; side < 2; side++) {
                scene s;
                note n;
                connect_arena_t arena = CONNECT_DEFAULTS;
                bool json = strcmp(kind.codec, "json") == 0;
                size_t len;
                scene_init(&s);
                n = note_of(&s);
                len = json ? connect_message_encode_json(&note_type, &n, &arena, NULL, NULL).len
                           : connect_message_encode(&note_type, &n, &arena, NULL, NULL).len;
                connect_arena_free(&arena);
                s.client.compression = side ? "gzip" : "zstd";
                if (side)
                    s.server.limits.receive_bytes = (uint32_t)len - (uint32_t)over;
                else
                    s.client.limits.receive_bytes = (uint32_t)len - (uint32_t)over;
                scene_run(&s, &kind, 1);
                assert_int_equal(s.code, over ? CONNECT_RESOURCE_EXHAUSTED : CONNECT_OK);
                if (over && side) assert_int_equal(s.requests, 0);
                scene_free(&s);
            }
        }
    }
}

/* ---- By hand ---- */

typedef struct raw {
    const char *type, *headers; /* of the request */
    const char *body;           /* "gzip:" + text: compressed; "@" at first: an envelope of these flags */
    int flags;                  /* -1: no envelope */
    const char *wanted[4];      /* all in the response */
} raw;

static void raw_try(const raw *r, pair_mode mode, size_t cut, int tail) {
    scene s;
    pair_link *link;
    connect_error_t error;
    bytes body = {0}, packed = {0};
    cn_codings_t codings;
    cn_buf_t out;
    size_t i;
    const char *text = r->body;
    cn_codings_options_t none;
    memset(&none, 0, sizeof none);
    memset(&codings, 0, sizeof codings);
    memset(&out, 0, sizeof out);
    assert_true(cn_codings_init(&codings, NULL, &none, NULL));
    scene_init(&s);
    s.p.mode = mode;
    s.size = 0;
    s.server.limits.receive_bytes = 1000;
    s.p.server = connect_server_new(&s.server, &error);
    pair_serve(&s.p, &s.events, &s);
    link = pair_add(&s.p, NULL, connect_server_accept(s.p.server, "raw:", NULL, &error));
    link->up.sender_gone = false;
    for (i = 0; i < codings.count; i++) {
        size_t n = strlen(codings.items[i].name);
        if (strncmp(text, codings.items[i].name, n) != 0 || text[n] != ':') continue;
        assert_true(cn_codings_compress(&codings, &codings.items[i], connect_str_of(text + n + 1), &out));
        text = NULL;
        break;
    }
    if (text)
        bytes_text(&packed, text);
    else
        bytes_add(&packed, cn_buf_view(&out).data, cn_buf_len(&out));
    if (cut && packed.len > cut) packed.len -= cut;
    for (i = 0; (int)i < tail; i++)
        bytes_add(&packed, "x", 1);
    if (r->flags >= 0) {
        char head[5];
        cn_envelope_write(head, (uint8_t)r->flags, (uint32_t)packed.len);
        bytes_add(&body, head, 5);
    }
    bytes_add(&body, packed.data, packed.len);
    bytes_print(&link->up.sent,
        "POST /test.v1.Notes/%s HTTP/1.1\r\nhost: a\r\ncontent-type: %s\r\n%s"
        "content-length: %lu\r\n\r\n",
        r->flags >= 0 && !strstr(r->type, "grpc") ? "Server" : "Unary", r->type, r->headers, (unsigned long)body.len);
    bytes_add(&link->up.sent, body.data, body.len);
    pair_pump(&s.p);
    for (i = 0; i < 4 && r->wanted[i]; i++) {
        size_t at, n = strlen(r->wanted[i]);
        bool found = false;
        for (at = 0; !found && at + n <= link->down.sent.len; at++)
            found = memcmp(link->down.sent.data + at, r->wanted[i], n) == 0;
        if (!found)
            fail_msg("%s %s: no \"%s\" in: %s", r->type, r->headers, r->wanted[i],
                link->down.sent.data ? link->down.sent.data : "nothing");
    }
    cn_codings_free(&codings);
    cn_buf_free(&out, NULL);
    bytes_free(&body);
    bytes_free(&packed);
    scene_free(&s);
}

#define PROTO "application/proto"
#define STREAM "application/connect+proto"
#define WEB "application/grpc-web+proto"
static void test_refusals(void **state) {
    static const raw list[] = {
        {PROTO, "content-encoding: br\r\n", "", -1,
            {"HTTP/1.1 501", "accept-encoding: zstd, gzip\r\n", "unknown compression", "\"unimplemented\""}},
        {PROTO, "content-encoding: IDENTITY\r\n", "", -1, {"HTTP/1.1 200"}},
        {PROTO, "content-encoding: gzip\r\n", "", -1, {"HTTP/1.1 200"}}, /* empty: never expanded */
        {PROTO, "content-encoding: GZip\r\n", "gzip:\x10\x05", -1, {"HTTP/1.1 200"}},
        {PROTO, "content-encoding: gzip\r\n", "not gzip at all", -1,
            {"HTTP/1.1 400", "invalid_argument", "not valid gzip"}},
        {PROTO, "content-encoding: zstd\r\n", "not zstd at all", -1, {"HTTP/1.1 400", "not valid zstd"}},
        {STREAM, "connect-content-encoding: br\r\n", "", 0,
            {"HTTP/1.1 200", "connect-accept-encoding: zstd, gzip\r\n", "\"unimplemented\""}},
        {STREAM, "", "x", 1, {"HTTP/1.1 200", "\"internal\"", "no compression was declared"}},
        {STREAM, "connect-content-encoding: identity\r\n", "x", 1, {"\"internal\""}},
        {STREAM, "connect-content-encoding: gzip\r\n", "", 1, {"HTTP/1.1 200", "{}"}}, /* flagged and empty */
        {STREAM, "connect-content-encoding: gzip\r\n", "", 0, {"{}"}},
        {STREAM, "connect-content-encoding: zstd\r\n", "zstd:\x10\x05", 1, {"{}"}},
        {STREAM, "connect-content-encoding: zstd\r\n", "\x10\x05", 1, {"\"invalid_argument\""}},
        {STREAM, "connect-content-encoding: zstd\r\n", "\x10\x05", 4, {"\"internal\""}},
        {WEB, "grpc-encoding: br\r\n", "", 0, {"grpc-status: 12", "grpc-accept-encoding: zstd, gzip\r\n"}},
        {WEB, "", "x", 1, {"grpc-status: 13"}},
        {WEB, "grpc-encoding: gzip\r\n", "x", 1, {"grpc-status: 3"}},
        {WEB, "grpc-encoding: gzip\r\n", "gzip:\x10\x05", 1, {"grpc-status: 0"}},
    };
    size_t i;
    (void)state;
    for (i = 0; i < sizeof list / sizeof *list; i++) {
        raw_try(&list[i], PAIR_WHOLE, 0, 0);
        raw_try(&list[i], PAIR_BYTES, 0, 0);
    }
    for (i = 1; i < 20; i++) { /* truncated, and followed by bytes; no handler runs */
        static const raw broken[] = {
            {PROTO, "content-encoding: gzip\r\n", "gzip:\x10\x05", -1, {"HTTP/1.1 400", "invalid_argument"}},
            {STREAM, "connect-content-encoding: gzip\r\n", "gzip:\x10\x05", 1, {"\"invalid_argument\""}},
            {WEB, "grpc-encoding: gzip\r\n", "gzip:\x10\x05", 1, {"grpc-status: 3"}}};
        size_t k;
        for (k = 0; k < 3; k++) {
            raw_try(&broken[k], PAIR_WHOLE, i, 0);
            raw_try(&broken[k], PAIR_WHOLE, 0, (int)i);
        }
    }
}

/* Memory that runs out anywhere ends a compressed call cleanly; steady calls take none. */
static bool starved_run(const connect_allocator_t *allocator, void *arg) {
    static const connect_events_t events = {NULL, NULL, hear_message, NULL, NULL, NULL, hear_closed};
    const pair_kind *kind = (const pair_kind *)arg;
    connect_call_t *call;
    connect_error_t error;
    scene s;
    note n;
    bool ok;
    scene_init(&s);
    n = note_of(&s);
    s.server.allocator = allocator;
    s.client.allocator = allocator;
    s.client.compression = "gzip";
    s.server.compression = "zstd";
    s.client.dial = pair_dial;
    s.client.user = &s.p;
    s.client.http = kind->http;
    s.client.protocol = kind->protocol;
    s.p.server = connect_server_new(&s.server, &error);
    s.p.client = s.p.server ? connect_client_new("http://memory:1", &s.client, &error) : NULL;
    if (s.p.client) {
        const connect_events_t *thunks[4] = {&s.events, &s.events, &s.events, &s.events};
        connect_service_t service;
        memset(&service, 0, sizeof service);
        service.methods = note_method_list;
        service.thunks = thunks;
        service.method_count = 4;
        if (connect_server_add_service(s.p.server, &service, "", &s, NULL, &error)) {
            call = connect_client_start(s.p.client, &note_methods[0], &events, &s, NULL, &error);
            if (call) connect_call_finish(call, CONNECT_OK, &n);
            pair_pump(&s.p);
        }
    }
    pair_close(&s.p);
    ok = s.closed == 1 && s.code == CONNECT_OK && s.responses == 1;
    scene_free(&s);
    return ok;
}
static void test_allocations(void **state) {
    pair_kind kind;
    size_t i = 0;
    (void)state;
    while (pair_next(&kind, &i))
        if (kind.kind == CONNECT_UNARY && strcmp(kind.codec, "proto") == 0) sweep_allocations(starved_run, &kind);
    i = 0;
    while (pair_next(&kind, &i)) {
        failing_allocator f;
        size_t before, after;
        scene s;
        note n;
        connect_error_t error;
        size_t k;
        static const connect_events_t events = {NULL, NULL, hear_message, NULL, NULL, NULL, hear_closed};
        if (kind.kind != CONNECT_UNARY || strcmp(kind.codec, "proto") != 0) continue;
        failing_init(&f, SIZE_MAX, false);
        scene_init(&s);
        s.size = 4000;
        s.server.allocator = s.client.allocator = &f.allocator;
        s.client.compression = "gzip";
        s.server.compression = "zstd";
        scene_run(&s, &kind, 20);
        before = f.calls;
        for (k = 0; k < 50; k++) {
            connect_call_t *call = connect_client_start(s.p.client, &note_methods[0], &events, &s, NULL, &error);
            n = note_of(&s);
            connect_call_finish(call, CONNECT_OK, &n);
            pair_pump(&s.p);
        }
        after = f.calls;
        assert_int_equal(s.code, CONNECT_OK);
        assert_int_equal(s.responses, 70);
        if (after != before)
            fail_msg("%s: %lu allocations in 50 calls", pair_name(&kind), (unsigned long)(after - before));
        scene_free(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_both_ways), cmocka_unit_test(test_choices),
        cmocka_unit_test(test_limits), cmocka_unit_test(test_refusals), cmocka_unit_test(test_allocations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
