/* HTTP/2 requests that must not be served, on a connection that serves others: malformed header lists, limits, floods,
   resets. Byte for byte against a whole server. A malformed request is reset (RFC 9113 8.1.1) or answered, once; what
   stands beside it on the connection lives on; a flood ends the connection with ENHANCE_YOUR_CALM. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"
#include "pair.h"
#include "rig.h"

#define PATH ":path: /test.v1.Notes/Unary\n"
#define TYPE "content-type: application/proto\n"

enum { NO_ERROR = 0, PROTOCOL = 1, FLOW = 3, CLOSED = 5, FRAME_SIZE = 6, CANCEL = 8, COMPRESSION = 9, CALM = 11 };

/* ---- One malformed request beside a good one ---- */
typedef struct malformed {
    const char *what;
    const char *lines; /* "name: value\n" for each */
    const char *name;  /* one more field, of any bytes; NULL: none */
    const char *value;
    size_t name_len, value_len;
    const char *body;
    const char *wanted; /* in what comes back; NULL: RST_STREAM(PROTOCOL_ERROR) and nothing else */
} malformed;
#define FIELD(name, value) name, value, sizeof(name) - 1, sizeof(value) - 1
#define NONE NULL, NULL, 0, 0
#define GOOD RIG_HEAD PATH TYPE

static const malformed requests[] = {
    /* content-length */
    {"two lengths", GOOD "content-length: 2\n", FIELD("content-length", "2"), "\x0a", NULL},
    {"a length and a transfer coding", GOOD "content-length: 2\n", FIELD("transfer-encoding", "chunked"), "\x0a", NULL},
    {"a list of lengths", GOOD, FIELD("content-length", "2, 2"), "\x0a", NULL},
    {"a length with a sign", GOOD, FIELD("content-length", "+2"), "\x0a", NULL},
    {"a negative length", GOOD, FIELD("content-length", "-1"), "\x0a", NULL},
    {"a length with a space", GOOD, FIELD("content-length", "1 0"), "\x0a", NULL},
    {"a hexadecimal length", GOOD, FIELD("content-length", "0x2"), "\x0a", NULL},
    {"a length with an underscore", GOOD, FIELD("content-length", "1_0"), "\x0a", NULL},
    {"an empty length", GOOD, FIELD("content-length", ""), "\x0a", NULL},
    {"a length above 2^63", GOOD, FIELD("content-length", "9223372036854775808"), "\x0a", NULL},
    {"a length that is too short", GOOD, FIELD("content-length", "1"), "\x0a\1a", NULL},
    {"a length that is too long", GOOD, FIELD("content-length", "4"), "\x0a\1a", NULL},
    /* fields of a connection */
    {"te", GOOD, FIELD("te", "chunked"), "\x0a", NULL},
    {"te, a list", GOOD, FIELD("te", "trailers, deflate"), "\x0a", NULL},
    {"transfer-encoding", GOOD, FIELD("transfer-encoding", "chunked"), "\x0a", NULL},
    {"connection", GOOD, FIELD("connection", "keep-alive"), "\x0a", NULL},
    {"keep-alive", GOOD, FIELD("keep-alive", "1"), "\x0a", NULL},
    {"proxy-connection", GOOD, FIELD("proxy-connection", "close"), "\x0a", NULL},
    {"upgrade", GOOD, FIELD("upgrade", "websocket"), "\x0a", NULL},
    /* bytes */
    {"LF in a value", GOOD, FIELD("x-a", "a\nb"), "", NULL},
    {"CR in a value", GOOD, FIELD("x-a", "a\rb"), "", NULL},
    {"NUL in a value", GOOD, FIELD("x-a", "a\0b"), "", NULL},
    {"a control byte in a value", GOOD, FIELD("x-a", "a\1b"), "", NULL},
    {"DEL in a value", GOOD, FIELD("x-a", "a\177"), "", NULL},
    {"a space before a value", GOOD, FIELD("x-a", " a"), "", NULL},
    {"a tab behind a value", GOOD, FIELD("x-a", "a\t"), "", NULL},
    {"a space in a name", GOOD, FIELD("x a", "a"), "", NULL},
    {"a space behind a name", GOOD, FIELD("x-a ", "a"), "", NULL},
    {"a colon in a name", GOOD, FIELD("x:a", "a"), "", NULL},
    {"NUL in a name", GOOD, FIELD("x\0a", "a"), "", NULL},
    {"LF in a name", GOOD, FIELD("x\na", "a"), "", NULL},
    {"a byte above 127 in a name", GOOD, FIELD("x\xE9", "a"), "", NULL},
    {"an empty name", GOOD, FIELD("", "a"), "", NULL},
    {"an upper-case name", GOOD, FIELD("X-A", "a"), "", NULL},
    /* pseudo-headers */
    {"no method", ":scheme: http\n:authority: h\n" PATH TYPE, NONE, "", NULL},
    {"no scheme", ":method: POST\n:authority: h\n" PATH TYPE, NONE, "", NULL},
    {"no path", ":method: POST\n:scheme: http\n:authority: h\n" TYPE, NONE, "", NULL},
    {"two paths", GOOD ":path: /b\n", NONE, "", NULL},
    {"a pseudo-header behind fields", ":method: POST\n:scheme: http\n:authority: h\n" TYPE PATH, NONE, "", NULL},
    {"an unknown pseudo-header", RIG_HEAD PATH ":version: 2\n" TYPE, NONE, "", NULL},
    {"a response's pseudo-header", RIG_HEAD PATH ":status: 200\n" TYPE, NONE, "", NULL},
    {"an empty path", RIG_HEAD, FIELD(":path", ""), "", NULL},
    {"a path without a slash", RIG_HEAD ":path: test.v1.Notes/Unary\n" TYPE, NONE, "", NULL},
    {"an asterisk", RIG_HEAD ":path: *\n" TYPE, NONE, "", NULL},
    {"a control byte in the path", RIG_HEAD, FIELD(":path", "/a\1b"), "", NULL},
    {"LF in the path", RIG_HEAD, FIELD(":path", "/a\nb"), "", NULL},
    {"a space in the path", RIG_HEAD, FIELD(":path", "/a b"), "", NULL},
    {"LF in the method", ":scheme: http\n:authority: h\n" PATH, FIELD(":method", "PO\nST"), "", NULL},
    {"an empty method", ":scheme: http\n:authority: h\n" PATH, FIELD(":method", ""), "", NULL},
    /* authority */
    {"no authority, no host", ":method: POST\n:scheme: http\n" PATH TYPE, NONE, "", NULL},
    {"authority and host differ", GOOD, FIELD("host", "other:1"), "", "HTTP/2 400\n"},
    {"two hosts", GOOD "host: memory:1\n", FIELD("host", "memory:1"), "", NULL},
    {"a list", ":method: POST\n:scheme: http\n:authority: a,b\n" PATH TYPE, NONE, "", "HTTP/2 400\n"},
    {"userinfo", ":method: POST\n:scheme: http\n:authority: u@h\n" PATH TYPE, NONE, "", "HTTP/2 400\n"},
    {"a path in the authority", ":method: POST\n:scheme: http\n:authority: h/p\n" PATH TYPE, NONE, "", NULL},
    {"userinfo in host", ":method: POST\n:scheme: http\n" PATH TYPE "host: u@h\n", NONE, "", "HTTP/2 400\n"},
    {"an empty authority", ":method: POST\n:scheme: http\n" PATH TYPE, FIELD("host", ""), "", NULL},
    /* methods */
    {"CONNECT", ":method: CONNECT\n:authority: h:443\n", NONE, "", "HTTP/2 405\nallow: "},
    {"TRACE", ":method: TRACE\n:scheme: http\n:authority: h\n" PATH, NONE, "", "HTTP/2 405\nallow: "},
    {"an unknown method", ":method: BREW\n:scheme: http\n:authority: h\n" PATH, NONE, "", "HTTP/2 405\nallow: "},
};

static void run_malformed(const malformed *m, pair_mode mode) {
    bytes block = {NULL, 0, 0}, text;
    rig r;
    rig_init(&r, 2);
    r.p.mode = mode;
    rig_open(&r);
    rig_sibling_begin(&r);
    if (m->name && m->name[0] == ':') h2_field(&block, m->name, m->name_len, m->value, m->value_len);
    h2_fields(&block, m->lines);
    if (m->name && m->name[0] != ':') h2_field(&block, m->name, m->name_len, m->value, m->value_len);
    h2_frame(rig_up(&r), 1, m->body[0] ? 4 : 5, 3, block.data, block.len);
    if (m->body[0]) h2_frame(rig_up(&r), 0, 1, 3, m->body, strlen(m->body));
    pair_pump(&r.p);
    text = rig_answer(&r, 3);
    if (m->wanted ? !bytes_have(&text, m->wanted) || bytes_count(&text, "HTTP/2 ") != 1
                  : !bytes_have(&text, "RST_STREAM 1\n") || bytes_have(&text, "HTTP/2 "))
        fail_msg("%s: got %s", m->what, bytes_show(&text));
    if (r.requests != 1) fail_msg("%s: a handler runs", m->what);
    assert_int_equal(rig_goaway(&r), -1);
    rig_good_call(&r, 5);
    rig_sibling_end(&r);
    assert_int_equal(bytes_count(&text, "RST_STREAM"), m->wanted == NULL);
    bytes_free(&text);
    bytes_free(&block);
    rig_close(&r);
}
static void test_malformed_requests(void **state) {
    size_t i;
    int mode;
    (void)state;
    for (i = 0; i < sizeof requests / sizeof *requests; i++)
        for (mode = PAIR_WHOLE; mode <= PAIR_BYTES; mode++)
            run_malformed(&requests[i], (pair_mode)mode);
}

/* ---- Limits: what is at the limit passes, one more is refused, four times as much ends the connection ---- */
typedef enum shape { ONE_FIELD, MANY_FIELDS, COOKIES, LONG_PATH } shape;

/* A header list that counts exactly `bytes` (name + value + 32 each), or has `count` fields. */
static void add_list(bytes *block, shape how, size_t want) {
    static const char *const base[] = {":method", "POST", ":scheme", "http", ":authority", "memory:1", ":path",
        "/test.v1.Notes/Unary", "content-type", "application/proto"};
    char *value = (char *)malloc(want + 1);
    size_t i, used = 0, fields = 0;
    memset(value, 'v', want + 1);
    for (i = 0; i < 10; i += 2) {
        if (how == LONG_PATH && i == 6) {
            bytes path = {NULL, 0, 0};
            bytes_text(&path, "/test.v1.Notes/Unary?");
            bytes_add(&path, value, want - path.len);
            h2_field(block, ":path", 5, path.data, path.len);
            bytes_free(&path);
            continue;
        }
        h2_field(block, base[i], strlen(base[i]), base[i + 1], strlen(base[i + 1]));
        used += strlen(base[i]) + strlen(base[i + 1]) + 32;
        fields += base[i][0] != ':';
    }
    if (how == ONE_FIELD) h2_field(block, "x", 1, value, want - used - 33);
    for (i = fields; how == MANY_FIELDS && i < want; i++)
        h2_field(block, "x", 1, "", 0);
    for (; how == COOKIES && want - used >= 74; used += 39)
        h2_field(block, "cookie", 6, "a", 1);
    if (how == COOKIES) h2_field(block, "x", 1, value, want - used - 33);
    free(value);
}
static void run_limit(shape how, size_t want, const char *wanted, int goaway) {
    bytes block = {NULL, 0, 0}, text;
    size_t at;
    rig r;
    rig_init(&r, 2);
    rig_open(&r);
    rig_sibling_begin(&r);
    add_list(&block, how, want);
    for (at = 0; at < block.len; at += 16384) {
        size_t piece = block.len - at < 16384 ? block.len - at : 16384;
        h2_frame(rig_up(&r), at ? 9 : 1, (uint8_t)((at + piece == block.len ? 4 : 0) | (at ? 0 : 1)), 3,
            block.data + at, piece);
    }
    pair_pump(&r.p);
    assert_int_equal(rig_goaway(&r), goaway);
    if (goaway >= 0) {
        assert_false(rig_lives(&r));
        assert_null(r.later);
        assert_int_equal(r.canceled, 1);
        assert_int_equal(r.code, CONNECT_CANCELED);
    } else {
        text = rig_answer(&r, 3);
        if (bytes_count(&text, "HTTP/2 ") != 1 || !bytes_have(&text, wanted))
            fail_msg("shape %d, %lu: got %s", (int)how, (unsigned long)want, bytes_show(&text));
        bytes_free(&text);
        rig_good_call(&r, 5);
        rig_sibling_end(&r);
    }
    bytes_free(&block);
    rig_close(&r);
}
static void test_header_limits(void **state) {
    (void)state;
    run_limit(ONE_FIELD, 16384, "HTTP/2 200\n", -1);
    run_limit(ONE_FIELD, 16385, "HTTP/2 431\n", -1);
    run_limit(ONE_FIELD, 4 * 16384, "HTTP/2 431\n", -1);
    run_limit(ONE_FIELD, 5 * 16384 + 1, NULL, COMPRESSION); /* nghttp2 takes no field above 64 KiB */
    run_limit(MANY_FIELDS, 128, "HTTP/2 200\n", -1);
    run_limit(MANY_FIELDS, 129, "HTTP/2 431\n", -1);
    run_limit(MANY_FIELDS, 3000, NULL, CALM);
    run_limit(COOKIES, 4000, "HTTP/2 200\n", -1);
    run_limit(COOKIES, 16385, "HTTP/2 431\n", -1);
    run_limit(COOKIES, 5 * 16384 + 1, NULL, CALM);
    run_limit(LONG_PATH, 8192, "HTTP/2 200\n", -1);
    run_limit(LONG_PATH, 8193, "HTTP/2 414\n", -1);
}

/* The answer to a head over the limits is in the request's protocol, wherever its content type stands, and nothing of the
   request is served; up to the end of the request what comes of it is dropped. */
static void test_limits_in_each_protocol(void **state) {
    static const struct {
        const char *type, *over_headers, *over_path, *more;
    } protocols[] = {{"application/proto", "HTTP/2 431\n", "HTTP/2 414\n", ""},
        {"application/connect+proto", "HTTP/2 431\n", "HTTP/2 414\n", ""},
        {"application/grpc-web+proto", "HTTP/2 431\n", "HTTP/2 414\n", ""},
        {"application/grpc", "HTTP/2 200\n", "HTTP/2 200\n", "grpc-status: 8\ngrpc-message: the "},
        {"application/grpc+json", "HTTP/2 200\n", "HTTP/2 200\n", "grpc-status: 8\ngrpc-message: the "},
        {NULL, "HTTP/2 431\n", "HTTP/2 414\n", ""}};
    char *value = (char *)malloc(20000), path[9000] = "/test.v1.Notes/Unary?";
    size_t i;
    int how, type_last, with_body;
    (void)state;
    memset(value, 'v', 20000);
    memset(path + strlen(path), 'v', sizeof path - strlen(path));
    for (i = 0; i < sizeof protocols / sizeof *protocols; i++) {
        for (how = 0; how < 12; how++) {
            const bool over_path = how / 4 == 2;
            const char *wanted = over_path ? protocols[i].over_path : protocols[i].over_headers, *type = protocols[i].type;
            bytes block = {NULL, 0, 0}, text;
            int k;
            rig r;
            type_last = how & 1;
            with_body = how & 2;
            rig_init(&r, 2);
            rig_open(&r);
            rig_sibling_begin(&r);
            h2_fields(&block, RIG_HEAD);
            h2_field(&block, ":path", 5, path, over_path ? sizeof path : strlen("/test.v1.Notes/Unary"));
            if (type && !type_last) h2_field(&block, "content-type", 12, type, strlen(type));
            for (k = 0; how / 4 == 0 && k < 1; k++)
                h2_field(&block, "x", 1, value, 20000);
            for (k = 0; how / 4 == 1 && k < 130; k++)
                h2_field(&block, "x", 1, "", 0);
            if (type && type_last) h2_field(&block, "content-type", 12, type, strlen(type));
            h2_frame(rig_up(&r), 1, with_body ? 0 : 1, 3, block.data, CN_MIN(block.len, (size_t)16384));
            h2_frame(rig_up(&r), 9, 4, 3, block.data + CN_MIN(block.len, (size_t)16384),
                block.len - CN_MIN(block.len, (size_t)16384));
            if (with_body) h2_frame(rig_up(&r), 0, 0, 3, "\0\0\0\0\0", 5);
            pair_pump(&r.p);
            if (with_body) h2_frame(rig_up(&r), 0, 1, 3, "\0\0\0\0\0", 5);
            pair_pump(&r.p);
            text = rig_answer(&r, 3);
            if (bytes_count(&text, "HTTP/2 ") != 1 || !bytes_have(&text, wanted) ||
                !bytes_have(&text, protocols[i].more))
                fail_msg("%s, %d: got %s", type ? type : "no type", how, bytes_show(&text));
            assert_int_equal(r.requests, 1);
            assert_int_equal(rig_goaway(&r), -1);
            rig_good_call(&r, 5);
            rig_sibling_end(&r);
            bytes_free(&text);
            bytes_free(&block);
            rig_close(&r);
        }
    }
    free(value);
}

/* One large field in the peer's table, and then references to it, of one byte each (RFC 7541 7.3). */
static void run_bomb(size_t references, const char *wanted) {
    bytes block = {NULL, 0, 0}, text;
    char value[4000];
    rig r;
    size_t i;
    memset(value, 'v', sizeof value);
    rig_init(&r, 2);
    rig_open(&r);
    rig_sibling_begin(&r);
    h2_fields(&block, GOOD);
    bytes_add(&block, "\x40", 1); /* a literal that enters the table (RFC 7541 6.2.1) */
    h2_integer(&block, 1);
    bytes_text(&block, "x");
    h2_integer(&block, sizeof value);
    bytes_add(&block, value, sizeof value);
    for (i = 0; i < references; i++)
        bytes_add(&block, "\xBE", 1); /* the newest entry */
    h2_frame(rig_up(&r), 1, 5, 3, block.data, block.len);
    pair_pump(&r.p);
    assert_int_equal(rig_goaway(&r), wanted ? -1 : CALM);
    if (wanted) {
        text = rig_answer(&r, 3);
        if (!bytes_have(&text, wanted)) fail_msg("%lu: got %s", (unsigned long)references, bytes_show(&text));
        bytes_free(&text);
        rig_sibling_end(&r);
    }
    bytes_free(&block);
    rig_close(&r);
}
static void test_hpack_bomb(void **state) {
    (void)state;
    run_bomb(2, "HTTP/2 200\n");
    run_bomb(10, "HTTP/2 431\n");
    run_bomb(20, NULL);
    run_bomb(8000, NULL);
}

/* Trailers have the limits of headers. */
static void test_trailers(void **state) {
    size_t counts[] = {128, 129}, i, k;
    (void)state;
    for (i = 0; i < 2; i++) {
        bytes block = {NULL, 0, 0}, text;
        rig r;
        rig_init(&r, 2);
        rig_open(&r);
        rig_sibling_begin(&r);
        h2_headers(rig_up(&r), 0, 3, GOOD);
        h2_frame(rig_up(&r), 0, 0, 3, "\x0a\1a", 3);
        for (k = 0; k < counts[i]; k++)
            h2_field(&block, "x", 1, "y", 1);
        h2_frame(rig_up(&r), 1, 5, 3, block.data, block.len);
        pair_pump(&r.p);
        text = rig_answer(&r, 3);
        assert_true(bytes_have(&text, i ? "RST_STREAM 11\n" : "HTTP/2 200\n"));
        assert_int_equal(r.requests, i ? 1 : 2);
        rig_good_call(&r, 5);
        rig_sibling_end(&r);
        bytes_free(&text);
        bytes_free(&block);
        rig_close(&r);
    }
}

/* ---- Resets: by the client, and by the server that was made to (CVE-2023-44487, CVE-2025-8671) ---- */
typedef enum reset_act {
    CLIENT_RESETS,
    ZERO_UPDATE,     /* WINDOW_UPDATE of 0 (RFC 9113 6.9) */
    UPDATE_OVERFLOW, /* ... beyond 2^31-1 (6.9.1) */
    DATA_AFTER_END,  /* on a half-closed stream (5.1) */
    HEADERS_AFTER_END,
    SHORT_PRIORITY,  /* of 4 bytes (6.3) */
    LENGTH_MISMATCH, /* content-length (8.1.1) */
    BAD_HEADER,      /* a connection-specific field (8.2.2) */
    RESET_ACTS
} reset_act;

static void do_reset(bytes *b, reset_act what, uint32_t stream) {
    static const char request[] = "\x0a\5later";
    bool ends = what != LENGTH_MISMATCH;
    if (what == BAD_HEADER) {
        h2_headers(b, 1, stream, GOOD "connection: close\n");
        return;
    }
    h2_headers(b, 0, stream, what == LENGTH_MISMATCH ? GOOD "content-length: 3\n" : GOOD);
    h2_frame(b, 0, ends ? 1 : 0, stream, request, 7);
    if (what == CLIENT_RESETS) h2_frame(b, 3, 0, stream, "\0\0\0\10", 4);
    if (what == ZERO_UPDATE) h2_frame(b, 8, 0, stream, "\0\0\0\0", 4);
    if (what == UPDATE_OVERFLOW) h2_frame(b, 8, 0, stream, "\x7F\xFF\xFF\xFF", 4);
    if (what == DATA_AFTER_END) h2_frame(b, 0, 1, stream, "x", 1);
    if (what == HEADERS_AFTER_END) h2_headers(b, 5, stream, "x: y\n");
    if (what == SHORT_PRIORITY) h2_frame(b, 2, 0, stream, "\0\0\0\1", 4);
}
/* nghttp2 makes an error of the connection of some, at the first; -1: it counts as a reset. */
static int ends_at_once(reset_act what) {
    switch (what) {
    case ZERO_UPDATE: return PROTOCOL;
    case DATA_AFTER_END:
    case HEADERS_AFTER_END: return CLOSED;
    case SHORT_PRIORITY: return FRAME_SIZE;
    default: return -1;
    }
}
/* So many resets, one in each gap_ms. Returns how many it took to be sent away; 0: it was not. */
static int count_resets(reset_act what, int most, int64_t gap_ms) {
    int i, ended = 0;
    rig r;
    rig_init(&r, 2);
    rig_open(&r);
    rig_sibling_begin(&r);
    for (i = 1; i <= most && rig_lives(&r); i++) {
        connect_call_t *sibling = r.later;
        do_reset(rig_up(&r), what, (uint32_t)(2 * i + 1));
        pair_pump(&r.p);
        if (what != LENGTH_MISMATCH && what != BAD_HEADER) /* its handler has heard of it at once */
            assert_int_equal(r.canceled, i + (rig_lives(&r) ? 0 : 1));
        r.later = rig_lives(&r) ? sibling : NULL;
        pair_advance(&r.p, gap_ms);
    }
    if (!rig_lives(&r)) {
        ended = i - 1;
        if (rig_goaway(&r) != (ends_at_once(what) < 0 ? CALM : ends_at_once(what)))
            fail_msg("kind %d: GOAWAY %d after %d", (int)what, rig_goaway(&r), ended);
        assert_int_equal(r.opened, r.closed);
    } else {
        rig_good_call(&r, (uint32_t)(2 * i + 3));
        rig_sibling_end(&r);
    }
    rig_close(&r);
    return ended;
}
static void test_resets(void **state) {
    int what;
    (void)state;
    for (what = 0; what < RESET_ACTS; what++) {
        const bool at_once = ends_at_once((reset_act)what) >= 0;
        int took = count_resets((reset_act)what, 900, 0);
        if (took != (at_once ? 1 : 201)) fail_msg("kind %d: %d resets before the connection ends", what, took);
        took = count_resets((reset_act)what, 600, 31);
        if (took != (at_once ? 1 : 0)) fail_msg("kind %d: %d resets, slowly, end the connection", what, took);
    }
}

/* ---- Floods ---- */
typedef struct frames {
    const char *what;
    uint8_t type, flags;
    uint32_t stream;
    const char *payload;
    size_t len;
    int most; /* so many pass, twice as many do not; 0: any number passes */
} frames;
static const frames floods[] = {
    {"PING", 6, 0, 0, "pingpong", 8, 9900},
    {"PING answers", 6, 1, 0, "pingpong", 8, 9900},
    {"SETTINGS", 4, 0, 0, "", 0, 9900},
    {"SETTINGS that change", 4, 0, 0, "\0\1\0\0\0\0", 6, 9900},
    {"PRIORITY", 2, 0, 9, "\0\0\0\0\1", 5, 9900},
    {"unknown frames", 0xCC, 0, 0, "x", 1, 9900},
    {"PRIORITY_UPDATE", 16, 0, 0, "\0\0\0\1u=1", 7, 9900},
    {"empty DATA", 0, 0, 3, "", 0, 9900},
    {"padded DATA", 0, 8, 3, "\2ab", 3, 9900},
    {"WINDOW_UPDATE", 8, 0, 0, "\0\0\0\1", 4, 9900},
    {"DATA of one byte", 0, 0, 3, "a", 1, 0},
};
static void test_floods(void **state) {
    size_t i;
    (void)state;
    for (i = 0; i < sizeof floods / sizeof *floods; i++) {
        const frames *f = &floods[i];
        int sent = 0, k, limit = f->most ? 2 * f->most : 30000;
        bytes batch = {NULL, 0, 0};
        rig r;
        rig_init(&r, 2);
        r.message_io = CONNECT_IO_END; /* what comes is not wanted: it is dropped, and the window returned */
        rig_open(&r);
        rig_sibling_begin(&r);
        h2_headers(
            rig_up(&r), 0, 3, RIG_HEAD ":path: /test.v1.Notes/Client\ncontent-type: application/connect+proto\n");
        h2_frame(rig_up(&r), 0, 0, 3, "\0\0\0\0\0", 5); /* one message, and the handler wants no more */
        for (k = 0; k < 50; k++)
            h2_frame(&batch, f->type, f->flags, f->stream, f->payload, f->len);
        while (sent < limit && rig_lives(&r)) {
            bytes_add(rig_up(&r), batch.data, batch.len);
            pair_pump(&r.p);
            sent += 50;
        }
        if (f->most) {
            if (sent < f->most || sent == limit || rig_goaway(&r) != CALM)
                fail_msg("%s: %d frames, GOAWAY %d", f->what, sent, rig_goaway(&r));
            assert_int_equal(r.canceled, 1);
            assert_int_equal(r.opened, r.closed);
        } else {
            if (!rig_lives(&r)) fail_msg("%s: %d of them end the connection", f->what, sent);
            rig_good_call(&r, 5);
            rig_sibling_end(&r);
        }
        bytes_free(&batch);
        rig_close(&r);
    }
}
static void test_continuations(void **state) {
    int count;
    (void)state;
    for (count = 8; count <= 9; count++) {
        bytes block = {NULL, 0, 0};
        rig r;
        int i;
        rig_init(&r, 2);
        rig_open(&r);
        rig_sibling_begin(&r);
        h2_fields(&block, GOOD);
        h2_frame(rig_up(&r), 1, 1, 3, block.data, block.len);
        for (i = 1; i <= count; i++)
            h2_frame(rig_up(&r), 9, i == count ? 4 : 0, 3, "", 0);
        pair_pump(&r.p);
        assert_int_equal(rig_goaway(&r), count == 8 ? -1 : CALM);
        if (count == 8) rig_sibling_end(&r);
        assert_int_equal(r.requests, count == 8 ? 2 : 1);
        bytes_free(&block);
        rig_close(&r);
    }
}

/* ---- Streams ---- */

#define UPLOAD RIG_HEAD ":path: /test.v1.Notes/Client\ncontent-type: application/connect+proto\n"

/* Streams beyond limits.streams are refused (REFUSED_STREAM: they can be tried again), and the others live on, as long
   as the client cannot have known the limit; once it has acknowledged our SETTINGS it is an error of the connection. */
static void test_too_many_streams(void **state) {
    int acknowledged;
    (void)state;
    for (acknowledged = 0; acknowledged < 2; acknowledged++) {
        uint32_t i;
        bytes text;
        rig r;
        rig_init(&r, 2);
        r.options.limits.streams = 10;
        rig_open(&r);
        rig_sibling_begin(&r);
        if (acknowledged) h2_frame(rig_up(&r), 4, 1, 0, NULL, 0);
        for (i = 1; i < 10; i++)
            h2_headers(rig_up(&r), 0, 2 * i + 1, UPLOAD);
        pair_pump(&r.p);
        assert_int_equal(r.opened, 10);
        assert_true(rig_lives(&r));
        h2_headers(rig_up(&r), 0, 21, UPLOAD);
        h2_frame(rig_up(&r), 0, 1, 21, "\0\0\0\0\0", 5); /* it may have been on its way */
        pair_pump(&r.p);
        assert_int_equal(r.opened, 10);
        assert_int_equal(rig_goaway(&r), acknowledged ? PROTOCOL : -1);
        if (!acknowledged) {
            text = rig_answer(&r, 21);
            assert_true(bytes_have(&text, "RST_STREAM 7\n"));
            bytes_free(&text);
            h2_frame(rig_up(&r), 3, 0, 3, "\0\0\0\10", 4);
            pair_pump(&r.p);
            rig_good_call(&r, 23); /* there is room again */
            rig_sibling_end(&r);
        }
        rig_close(&r);
    }
}

/* ---- Time ---- */

/* Without preface and SETTINGS, or in the middle of a header block, limits.header_ms is all there is; beside a stream
   that is open, too. */
static void test_slow_heads(void **state) {
    bytes block = {NULL, 0, 0};
    size_t cut;
    (void)state;
    for (cut = 0; cut < 24 + 9; cut++) {
        rig r;
        rig_init(&r, 1); /* nothing is sent by the rig */
        rig_open(&r);
        bytes_add(&block, RIG_PREFACE, 24);
        h2_frame(&block, 4, 0, 0, NULL, 0);
        bytes_add(rig_up(&r), block.data, cut);
        pair_advance(&r.p, 9999);
        assert_true(rig_lives(&r));
        pair_advance(&r.p, 2);
        assert_false(rig_lives(&r));
        if (cut >= 24) assert_in_range(rig_goaway(&r) + 1, 0, 1); /* NO_ERROR, or none */
        bytes_free(&block);
        rig_close(&r);
    }
    for (cut = 0; cut < 2; cut++) { /* the block stops, with or without a stream beside it */
        rig r;
        rig_init(&r, 2);
        rig_open(&r);
        if (cut) rig_sibling_begin(&r);
        h2_fields(&block, GOOD);
        h2_frame(rig_up(&r), 1, 1, 3, block.data, block.len); /* no END_HEADERS */
        pair_advance(&r.p, 9999);
        assert_true(rig_lives(&r));
        pair_advance(&r.p, 2);
        assert_false(rig_lives(&r));
        assert_int_equal(r.canceled, (int)cut);
        assert_int_equal(r.requests, (int)cut);
        bytes_free(&block);
        rig_close(&r);
    }
}

/* A client that opens no window: the stream is given up after limits.write_stall_ms (CANCEL), its handler is told; what
   stands beside it lives on, until the third. */
static void test_zero_window(void **state) {
    uint32_t stream;
    rig r;
    (void)state;
    rig_init(&r, 2);
    rig_open(&r);
    rig_sibling_begin(&r);
    h2_frame(rig_up(&r), 4, 0, 0, "\0\4\0\0\0\0", 6); /* INITIAL_WINDOW_SIZE 0 */
    for (stream = 3; stream <= 7; stream += 2) {
        int closed = r.closed;
        bytes text;
        h2_headers(rig_up(&r), 0, stream, GOOD);
        h2_frame(rig_up(&r), 0, 1, stream, "\x0a\4good", 6);
        pair_pump(&r.p);
        text = rig_answer(&r, stream);
        assert_true(bytes_have(&text, "HTTP/2 200\n"));
        assert_false(bytes_have(&text, "good"));
        bytes_free(&text);
        pair_advance(&r.p, 29000);
        assert_int_equal(r.closed, closed);
        pair_advance(&r.p, 31001); /* it is looked at every 30 s */
        assert_int_equal(r.closed, stream == 7 ? closed + 2 : closed + 1);
        assert_int_equal(r.code, CONNECT_CANCELED);
        text = rig_answer(&r, stream);
        if (stream < 7) assert_true(bytes_have(&text, "RST_STREAM 8\n"));
        bytes_free(&text);
    }
    assert_int_equal(rig_goaway(&r), CALM);
    assert_false(rig_lives(&r));
    assert_int_equal(r.canceled, 1); /* the sibling */
    rig_close(&r);

    rig_init(&r, 2); /* once, and then it reads again */
    rig_open(&r);
    rig_sibling_begin(&r);
    h2_frame(rig_up(&r), 4, 0, 0, "\0\4\0\0\0\0", 6);
    h2_headers(rig_up(&r), 0, 3, GOOD);
    h2_frame(rig_up(&r), 0, 1, 3, "\x0a\4good", 6);
    pair_advance(&r.p, 60001);
    assert_int_equal(r.closed, 1);
    assert_true(strstr(r.message, "limits.write_stall_ms") != NULL);
    h2_frame(rig_up(&r), 4, 0, 0, "\0\4\0\1\0\0", 6);
    rig_good_call(&r, 5);
    rig_sibling_end(&r);
    rig_close(&r);
}

/* ---- Honest traffic near the limits is served ---- */
static void test_honest(void **state) {
    uint32_t stream = 3, i;
    bytes block = {NULL, 0, 0};
    rig r;
    (void)state;
    rig_init(&r, 2);
    rig_open(&r);
    rig_sibling_begin(&r);
    for (i = 0; i < 60; i++) { /* a minute of pings */
        h2_frame(rig_up(&r), 6, 0, 0, "pingpong", 8);
        pair_advance(&r.p, 1000);
    }
    for (i = 0; i < 300; i++, stream += 2) { /* ten seconds of 30 calls that are canceled */
        connect_call_t *sibling = r.later;
        do_reset(rig_up(&r), CLIENT_RESETS, stream);
        pair_advance(&r.p, 33);
        r.later = sibling;
    }
    for (i = 0; i < 100; i++) /* 100 at once, but for the one that is open */
        if (i) h2_headers(rig_up(&r), 0, stream + 2 * i, UPLOAD);
    for (i = 1; i < 100; i++)
        h2_frame(rig_up(&r), 0, 1, stream + 2 * i, "\0\0\0\0\0", 5);
    pair_pump(&r.p);
    assert_int_equal(r.messages, 99);
    assert_int_equal(r.ends, 99);
    stream += 200;
    h2_headers(rig_up(&r), 0, stream, UPLOAD); /* a stream of 10,000 messages of one byte */
    for (i = 0; i < 10000; i++) {
        h2_frame(&block, 0, 0, stream, "\0\0\0\0\0", 5);
        if (i % 100 == 99) {
            bytes_add(rig_up(&r), block.data, block.len);
            bytes_free(&block);
            pair_pump(&r.p);
        }
    }
    pair_advance(&r.p, 29000); /* a pause */
    h2_frame(rig_up(&r), 0, 1, stream, "\0\0\0\0\0", 5);
    pair_pump(&r.p);
    assert_int_equal(r.messages, 99 + 10001);
    assert_int_equal(rig_goaway(&r), -1);
    rig_good_call(&r, stream + 2);
    rig_sibling_end(&r);
    rig_close(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_malformed_requests),
        cmocka_unit_test(test_header_limits),
        cmocka_unit_test(test_limits_in_each_protocol),
        cmocka_unit_test(test_hpack_bomb),
        cmocka_unit_test(test_trailers),
        cmocka_unit_test(test_resets),
        cmocka_unit_test(test_floods),
        cmocka_unit_test(test_continuations),
        cmocka_unit_test(test_too_many_streams),
        cmocka_unit_test(test_slow_heads),
        cmocka_unit_test(test_zero_window),
        cmocka_unit_test(test_honest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
