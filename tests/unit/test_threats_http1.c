/* HTTP/1.1 requests against a whole server, byte for byte: what RFC 9110 and 9112 forbid is refused once, with nothing
   behind it served, and the connection closed; what they allow is served, and the connection goes on. Then limits, and
   peers that are too slow. The table has all that the public Http11Probe set asks for, in our words; with that set at
   hand, test_http1.c runs the set itself, too. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"
#include "pair.h"
#include "rig.h"

typedef struct raw {
    int row; /* of the threats table; 0: no threat */
    const char *what;
    const char *input;
    size_t len;
    int status;  /* of the one answer; 0: none comes, more is waited for */
    bool closes; /* after a 200, 404, 405 or 415: the connection is closed; after the rest it always is */
} raw;
#define RAW(text) text, sizeof(text) - 1

#define PATH "/test.v1.Notes/Unary"
#define LINE "POST " PATH " HTTP/1.1\r\n"
#define HOST "Host: memory:1\r\n"
#define TYPE "Content-Type: application/proto\r\n"
#define POST LINE HOST TYPE
#define LENGTH(text) POST "Content-Length:" text "\r\n\r\n"
#define CODING(text) POST "Transfer-Encoding:" text "\r\nContent-Length: 5\r\n\r\n" BODY
#define CHUNKS(text) POST "Transfer-Encoding: chunked\r\n\r\n" text
#define BODY "\x0a\3abc"
#define GET(target) "GET " target " HTTP/1.1\r\n" HOST "\r\n"
#define WITH(field) "GET / HTTP/1.1\r\n" HOST field "\r\n\r\n"

static const raw requests[] = {
    {0, "a length", RAW(LENGTH(" 5") BODY), 200, false},
    {0, "no body", RAW(LENGTH(" 0")), 200, false},
    {0, "neither length nor coding", RAW(POST "\r\n"), 200, false},
    {0, "a tab before the length", RAW(LENGTH("\t5") BODY), 200, false},
    {0, "spaces before the length", RAW(LENGTH("  5") BODY), 200, false},
    {0, "a space behind the length", RAW(LENGTH(" 5 ") BODY), 200, false},
    {0, "a chunk", RAW(CHUNKS("5\r\n" BODY "\r\n0\r\n\r\n")), 200, false},
    {0, "chunks", RAW(CHUNKS("2\r\n\x0a\3\r\n3\r\nabc\r\n0\r\n\r\n")), 200, false},
    {0, "no chunk", RAW(CHUNKS("0\r\n\r\n")), 200, false},
    {0, "a size in upper case", RAW(CHUNKS("A\r\n\x0a\10abcdefgh\r\n0\r\n\r\n")), 200, false},
    {0, "a chunk extension", RAW(CHUNKS("5;a=b\r\n" BODY "\r\n0\r\n\r\n")), 200, false},
    {0, "a trailer", RAW(CHUNKS("5\r\n" BODY "\r\n0\r\nX-Checksum: abc\r\n\r\n")), 200, false},
    {0, "a trailer of no use", RAW(CHUNKS("5\r\n" BODY "\r\n0\r\nAuthorization: evil\r\n\r\n")), 200, false},
    {0, "a type among the trailers", RAW(CHUNKS("0\r\nContent-Type: text/evil\r\n\r\n")), 200, false},
    {0, "Chunked", RAW(POST "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n"), 200, false},
    {0, "an absolute target", RAW("POST http://memory:1" PATH " HTTP/1.1\r\n" HOST TYPE "\r\n"), 200, false},
    {0, "an empty line before", RAW("\r\n" POST "\r\n"), 200, false},
    {0, "Connection: close", RAW(POST "Connection: close\r\n\r\n"), 200, true},
    {0, "HTTP/1.0", RAW("POST " PATH " HTTP/1.0\r\n" HOST TYPE "\r\n"), 200, true},
    {0, "HTTP/1.0 without Host", RAW("POST " PATH " HTTP/1.0\r\n" TYPE "\r\n"), 200, true},
    {0, "HTTP/1.0, kept", RAW("POST " PATH " HTTP/1.0\r\n" HOST TYPE "Connection: keep-alive\r\n\r\n"), 200, false},
    {0, "OPTIONS of the server", RAW("OPTIONS * HTTP/1.1\r\n" HOST "\r\n"), 404, false},
    {0, "a GET with a body", RAW("GET / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello"), 404, false},
    {0, "a HEAD with a body", RAW("HEAD / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello"), 404, false},
    {0, "an OPTIONS with a body", RAW("OPTIONS / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello"), 404, false},
    {0, "a name with an underscore", RAW(POST "Transfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\n" BODY), 200,
        false},
    {0, "ranges", RAW("GET / HTTP/1.1\r\n" HOST "Range: bytes=0-,0-,0-,0-\r\n\r\n"), 404, false},
    /* what is not whole is waited for */
    {0, "nothing", RAW(""), 0, false},
    {0, "half a head", RAW("POST / HTTP/1.1\r\n" HOST "X-Test: value"), 0, false},
    {0, "half a body", RAW(LENGTH(" 10") BODY), 0, false},
    {0, "no last chunk", RAW(CHUNKS("5\r\n" BODY "\r\n")), 0, false},
    /* 1: lengths */
    {1, "length and coding", RAW(POST "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX"), 400, true},
    {1, "coding and length", RAW(POST "Transfer-Encoding: chunked\r\nContent-Length: 30\r\n\r\n0\r\n\r\n"), 400, true},
    {1, "two lengths", RAW(POST "Content-Length: 5\r\nContent-Length: 10\r\n\r\n" BODY BODY), 400, true},
    {1, "the same length twice", RAW(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n" BODY), 400, true},
    {1, "a list of lengths", RAW(LENGTH(" 5, 10") BODY), 400, true},
    {1, "a list of the same length", RAW(LENGTH(" 5, 5") BODY), 400, true},
    {1, "letters", RAW(LENGTH(" abc")), 400, true},
    {1, "a plus sign", RAW(LENGTH(" +5") BODY), 400, true},
    {1, "a minus sign", RAW(LENGTH(" -1")), 400, true},
    {1, "minus zero", RAW(LENGTH(" -0")), 400, true},
    {1, "no digits", RAW(LENGTH(" ")), 400, true},
    {1, "above 2^64", RAW(LENGTH(" 99999999999999999999")), 400, true},
    {1, "above 2^63", RAW(LENGTH(" 9223372036854775808")), 400, true},
    {1, "hexadecimal", RAW(LENGTH(" 0x5") BODY), 400, true},
    {1, "octal", RAW(LENGTH(" 0o5") BODY), 400, true},
    {1, "an underscore", RAW(LENGTH(" 1_0") BODY BODY), 400, true},
    {1, "a space inside", RAW(LENGTH(" 1 0") BODY BODY), 400, true},
    {1, "a leading zero", RAW(LENGTH(" 005") BODY), 400, true},
    {1, "an octal look", RAW(LENGTH(" 0200") BODY), 400, true},
    {1, "two zeros", RAW(LENGTH(" 00")), 400, true},
    /* 2: codings */
    {2, "gzip", RAW(POST "Transfer-Encoding: gzip\r\n\r\n"), 501, true},
    {2, "xchunked", RAW(CODING(" xchunked")), 400, true},
    {2, "identity", RAW(CODING(" identity")), 400, true},
    {2, "chunked twice", RAW(CODING(" chunked, chunked")), 400, true},
    {2, "chunked with a parameter", RAW(CODING(" chunked;ext=val")), 400, true},
    {2, "chunked, not last", RAW(POST "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"), 400, true},
    {2, "two fields", RAW(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"), 400,
        true},
    {2, "none", RAW(CODING(" ")), 400, true},
    {2, "a comma before", RAW(CODING(" , chunked")), 400, true},
    {2, "a comma behind", RAW(CODING(" chunked,")), 400, true},
    {2, "a space behind, and a length", RAW(CODING(" chunked ")), 400, true},
    {2, "a tab before, and a length", RAW(CODING("\tchunked")), 400, true},
    {2, "a form feed", RAW(CODING(" \fchunked")), 400, true},
    {2, "a vertical tab", RAW(CODING(" \vchunked")), 400, true},
    {2, "a NUL", RAW(CODING(" chunked\0")), 400, true},
    {2, "on a folded line", RAW(CODING("\r\n chunked")), 400, true},
    {2, "a space before the colon", RAW(POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"), 400, true},
    {2, "in HTTP/1.0",
        RAW("POST " PATH " HTTP/1.0\r\n" HOST TYPE "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" BODY), 400,
        true},
    /* 3: lines */
    {3, "LF behind the request line", RAW("GET / HTTP/1.1\n" HOST "\r\n"), 400, true},
    {3, "LF behind a field", RAW("GET / HTTP/1.1\r\nHost: memory:1\nX: y\r\n\r\n"), 400, true},
    {3, "CR behind the request line", RAW("GET / HTTP/1.1\rHost: memory:1\r\n\r\n"), 400, true},
    {3, "CR in a value", RAW(WITH("X: val\rue")), 400, true},
    {3, "NUL in a value", RAW(WITH("X: val\0ue")), 400, true},
    {3, "control bytes in a value", RAW(WITH("X: abc\a\b\x7f")), 400, true},
    {3, "NUL in the target", RAW(GET("/\0test")), 400, true},
    {3, "a folded line", RAW(WITH("X: value\r\n continued")), 400, true},
    {3, "a space before the colon", RAW(WITH("X : value")), 400, true},
    {3, "no name", RAW(WITH(": value")), 400, true},
    {3, "no colon", RAW(WITH("NoColonHere")), 400, true},
    {3, "a bracket in a name", RAW(WITH("Bad[Name: value")), 400, true},
    {3, "a byte above 127 in a name", RAW(WITH("X-T\xC3\xA9st: value")), 400, true},
    {3, "a byte above 127 in the target", RAW(GET("/caf\xC3\xA9")), 400, true},
    {3, "an overlong slash in the target", RAW(GET("/\xC0\xAF")), 400, true},
    {3, "a blank line of spaces before fields", RAW("GET / HTTP/1.1\r\n \r\n" HOST "\r\n"), 400, true},
    {3, "only spaces", RAW("   \r\n\r\n"), 400, true},
    {3, "two empty lines before", RAW("\r\n\r\n" POST "\r\n"), 400, true},
    {3, "two spaces", RAW("GET  / HTTP/1.1\r\n" HOST "\r\n"), 400, true},
    {3, "a tab", RAW("GET\t/ HTTP/1.1\r\n" HOST "\r\n"), 400, true},
    {3, "no target", RAW("GET HTTP/1.1\r\n" HOST "\r\n"), 400, true},
    {3, "HTTP/0.9", RAW("GET /\r\n"), 400, true},
    {3, "HTTP/1", RAW("GET / HTTP/1\r\n" HOST "\r\n"), 400, true},
    {3, "HTTP/01.01", RAW("GET / HTTP/01.01\r\n" HOST "\r\n"), 400, true},
    {3, "HTTP/ 1.1", RAW("GET / HTTP/ 1.1\r\n" HOST "\r\n"), 400, true},
    {3, "HTTP/1.2", RAW("GET / HTTP/1.2\r\n" HOST "\r\n"), 505, true},
    {3, "HTTP/9.9", RAW("GET / HTTP/9.9\r\n" HOST "\r\n"), 505, true},
    {3, "bytes of no sense", RAW(">\x17\xF3\4\xF7;\x90V\n\x8Eo%U\t\x14\0W\r\n"), 400, true},
    {3, "a fragment", RAW(GET("/path#frag")), 400, true},
    {3, "a backslash", RAW(GET("/path\\file")), 400, true},
    {3, "an asterisk with GET", RAW(GET("*")), 400, true},
    /* 4: chunks; the head was good */
    {4, "2^68 bytes", RAW(CHUNKS("FFFFFFFFFFFFFFFF0\r\n" BODY "\r\n0\r\n\r\n")), 400, true},
    {4, "0x5", RAW(CHUNKS("0x5\r\n" BODY "\r\n0\r\n\r\n")), 400, true},
    {4, "-1", RAW(CHUNKS("-1\r\n" BODY "\r\n0\r\n\r\n")), 400, true},
    {4, "+5", RAW(CHUNKS("+5\r\n" BODY "\r\n0\r\n\r\n")), 400, true},
    {4, "an underscore", RAW(CHUNKS("1_0\r\nhello world!!!!!\r\n0\r\n\r\n")), 400, true},
    {4, "a space before", RAW(CHUNKS(" 5\r\n" BODY "\r\n0\r\n\r\n")), 400, true},
    {4, "no size", RAW(CHUNKS("\r\n" BODY "\r\n0\r\n\r\n")), 400, true},
    {4, "CR alone", RAW(CHUNKS("5\r" BODY "\r\n0\r\n\r\n")), 400, true},
    {4, "an empty extension", RAW(CHUNKS("5;\r\n" BODY "\r\n0\r\n\r\n")), 400, true},
    {4, "CR in an extension", RAW(CHUNKS("5;a\rX\r\n" BODY "\r\n0\r\n\r\n")), 400, true},
    {4, "NUL in an extension", RAW(CHUNKS("5;\0ext\r\n" BODY "\r\n0\r\n\r\n")), 400, true},
    {4, "LF behind an extension", RAW(CHUNKS("5;\n" BODY "\r\n0\r\n\r\n")), 400, true},
    {4, "LF behind a chunk", RAW(CHUNKS("5\r\n" BODY "\n0\r\n\r\n")), 400, true},
    {4, "LF behind the trailers", RAW(CHUNKS("5\r\n" BODY "\r\n0\r\n\n")), 400, true},
    {4, "nothing behind a chunk", RAW(CHUNKS("5\r\n" BODY "0\r\n\r\n")), 400, true},
    {4, "more in a chunk", RAW(CHUNKS("5\r\n" BODY "!!\r\n0\r\n\r\n")), 400, true},
    {4, "a length among the trailers", RAW(CHUNKS("0\r\nContent-Length: 50\r\n\r\n")), 400, true},
    {4, "a coding among the trailers", RAW(CHUNKS("0\r\nTransfer-Encoding: chunked\r\n\r\n")), 400, true},
    {4, "Host among the trailers", RAW(CHUNKS("0\r\nHost: evil\r\n\r\n")), 400, true},
    /* 5: Host */
    {5, "none", RAW("GET / HTTP/1.1\r\n\r\n"), 400, true},
    {5, "twice, the same", RAW("GET / HTTP/1.1\r\n" HOST HOST "\r\n"), 400, true},
    {5, "twice", RAW("GET / HTTP/1.1\r\n" HOST "Host: other\r\n\r\n"), 400, true},
    {5, "empty", RAW("GET / HTTP/1.1\r\nHost: \r\n\r\n"), 400, true},
    {5, "a list", RAW("GET / HTTP/1.1\r\nHost: memory:1, other\r\n\r\n"), 400, true},
    {5, "userinfo", RAW("GET / HTTP/1.1\r\nHost: user@memory:1\r\n\r\n"), 400, true},
    {5, "a path", RAW("GET / HTTP/1.1\r\nHost: memory:1/path\r\n\r\n"), 400, true},
    {5, "not that of the target", RAW("GET http://other/ HTTP/1.1\r\n" HOST "\r\n"), 400, true},
    /* 7: methods, upgrades, expectations */
    {7, "CONNECT", RAW("CONNECT memory:443 HTTP/1.1\r\nHost: memory:443\r\n\r\n"), 405, true},
    {7, "TRACE", RAW("TRACE " PATH " HTTP/1.1\r\n" HOST "\r\n"), 405, true},
    {7, "TRACE with a body", RAW("TRACE / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello"), 405, true},
    {7, "a method in lower case", RAW("post " PATH " HTTP/1.1\r\n" HOST TYPE "\r\n"), 405, false},
    {7, "an unknown method", RAW("BREW " PATH " HTTP/1.1\r\n" HOST TYPE "\r\n"), 405, false},
    {7, "h2c", RAW(POST "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n"), 200,
        false},
    {7, "an upgrade", RAW(POST "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 99\r\n\r\n"), 200,
        false},
    {7, "an upgrade not wished for", RAW(POST "Upgrade: websocket\r\n\r\n"), 200, false},
    {7, "an upgrade made up", RAW(POST "Connection: Upgrade\r\nUpgrade: totally-made-up/1.0\r\n\r\n"), 200, false},
    {7, "an unknown expectation", RAW(POST "Expect: 200-ok\r\n\r\n"), 417, true},
    /* 21: percent-encoded bytes stay what they are */
    {21, "an encoded NUL", RAW(GET("/path%00.html")), 404, false},
    {21, "an encoded CRLF", RAW(GET("/path%0d%0aX-Injected:%20true")), 404, false},
};

static void run_raw(const raw *q, pair_mode mode) {
    bytes text;
    int status = 0;
    rig r;
    rig_init(&r, 1);
    r.p.mode = mode;
    rig_open(&r);
    bytes_add(rig_up(&r), q->input, q->len);
    pair_pump(&r.p);
    text = rig_answer(&r, 0);
    if (text.len > 12 && memcmp(text.data, "HTTP/1.1 ", 9) == 0) status = atoi(text.data + 9);
    if (status != q->status || bytes_count(&text, "HTTP/1.1 ") != (q->status != 0) ||
        r.requests != (q->status == 200) || bytes_have(&text, "injected"))
        fail_msg("row %d, %s: %d handlers ran; got %s", q->row, q->what, r.requests, bytes_show(&text));
    if (rig_lives(&r) == q->closes) fail_msg("%s: closed: %d; %s", q->what, !rig_lives(&r), bytes_show(&text));
    assert_int_equal(bytes_have(&text, "connection: close\n"), q->closes);
    if (q->status == 405) assert_true(bytes_have(&text, "allow: "));
    if (q->status && !q->closes) rig_good_call(&r, 0);
    bytes_free(&text);
    rig_close(&r);
}
static void test_raw_requests(void **state) {
    size_t i;
    (void)state;
    for (i = 0; i < sizeof requests / sizeof *requests; i++) {
        run_raw(&requests[i], PAIR_WHOLE);
        run_raw(&requests[i], PAIR_BYTES);
    }
}

/* ---- 6: limits, each with what still passes and what does not ---- */
static void run_limit(const char *before, char fill, size_t count, const char *behind, int status) {
    bytes text;
    char *filling = (char *)malloc(count + 1);
    rig r;
    memset(filling, fill, count + 1);
    rig_init(&r, 1);
    rig_open(&r);
    bytes_text(rig_up(&r), before);
    bytes_add(rig_up(&r), filling, count);
    bytes_text(rig_up(&r), behind);
    pair_pump(&r.p);
    text = rig_answer(&r, 0);
    if (bytes_count(&text, "HTTP/1.1 ") != 1 || atoi(text.data + 9) != status)
        fail_msg("%.40s... %lu times %c: got %s", before, (unsigned long)count, fill, bytes_show(&text));
    assert_int_equal(r.requests, status == 200);
    assert_int_equal(rig_lives(&r), status == 200);
    if (status == 200) rig_good_call(&r, 0);
    bytes_free(&text);
    free(filling);
    rig_close(&r);
}
static void test_limits(void **state) {
    static const char query[] = "POST " PATH "?", rest[] = " HTTP/1.1\r\n" HOST TYPE "\r\n";
    const size_t others = 4 + 8 + 32 + 12 + 17 + 32; /* how Host and Content-Type count */
    (void)state;
    run_limit(query, 'q', 8192 - (sizeof query - 1) - 9, rest, 200);
    run_limit(query, 'q', 8192 - (sizeof query - 1) - 8, rest, 414);
    run_limit(query, 'q', 100000, rest, 414);
    run_limit(query, 'q', 100000, "", 414);
    run_limit(POST "X: ", 'v', 16384 - others - 33, "\r\n\r\n", 200);
    run_limit(POST "X: ", 'v', 16384 - others - 32, "\r\n\r\n", 431);
    run_limit(POST "X: ", 'v', 100000, "", 431);
    run_limit(POST, 'n', 100000, "", 431);
    run_limit("", 'M', 100000, " / HTTP/1.1\r\n", 400);
    run_limit(CHUNKS("5;"), 'e', 254, "\r\n" BODY "\r\n0\r\n\r\n", 200);
    run_limit(CHUNKS("5;"), 'e', 255, "\r\n" BODY "\r\n0\r\n\r\n", 400);
    run_limit(CHUNKS("5;"), 'e', 65536, "\r\n" BODY "\r\n0\r\n\r\n", 400);
    run_limit(CHUNKS("0\r\nX: "), 'v', 16384 - 33, "\r\n\r\n", 200);
    run_limit(CHUNKS("0\r\nX: "), 'v', 16384 - 32, "\r\n\r\n", 431);
}
static void test_count_of_fields(void **state) {
    size_t count, i;
    (void)state;
    for (count = 128; count <= 129; count++) {
        bytes text;
        rig r;
        rig_init(&r, 1);
        rig_open(&r);
        bytes_text(rig_up(&r), POST);
        for (i = 2; i < count; i++)
            bytes_text(rig_up(&r), "X: y\r\n");
        bytes_text(rig_up(&r), "\r\n");
        pair_pump(&r.p);
        text = rig_answer(&r, 0);
        assert_true(bytes_have(&text, count == 128 ? "HTTP/1.1 200 " : "HTTP/1.1 431 "));
        assert_int_equal(rig_lives(&r), count == 128);
        bytes_free(&text);
        rig_close(&r);
    }
}
/* What is not asked for is not kept: of a body that nobody waits for, because there is no such method or it is
   over the limit, 64 KiB are read, then the connection ends. */
static void test_rest_of_a_refused_request(void **state) {
    static const size_t bodies[] = {60000, 70000, 100000000};
    static const char *const paths[] = {"/nowhere", "/test.v1.Notes/Unary"}, *const answers[] = {"404 ", "429 "};
    char *body = (char *)calloc(1, 100000);
    size_t n;
    (void)state;
    for (n = 0; n < 6; n += n == 3 ? 2 : 1) { /* of 70,000 bytes the limit itself has some */
        const size_t i = n % 3;
        char answer[20];
        bytes text;
        rig r;
        rig_init(&r, 1);
        r.options.limits.receive_bytes = 400;
        snprintf(answer, sizeof answer, "HTTP/1.1 %s", answers[n / 3]);
        rig_open(&r);
        bytes_print(
            rig_up(&r), "POST %s HTTP/1.1\r\n" HOST TYPE "Content-Length: %lu\r\n\r\n", paths[n / 3],
            (unsigned long)bodies[i]);
        bytes_add(rig_up(&r), body, bodies[i] < 100000 ? bodies[i] : 100000);
        pair_pump(&r.p);
        text = rig_answer(&r, 0);
        assert_int_equal(bytes_count(&text, answer), 1);
        assert_int_equal(r.requests, 0);
        assert_int_equal(bytes_have(&text, "connection: close\n"), i > 0);
        assert_int_equal(rig_lives(&r), i == 0);
        if (i == 0) rig_good_call(&r, 0);
        bytes_free(&text);
        rig_close(&r);
    }
    free(body);
}

/* Of a chunked request nobody knows how much is to come: an answer that does not wait for it says that the connection is
   closed. A client that takes it for open would send its next request into the close. */
static void test_rest_of_a_chunked_request(void **state) {
    static const char *const lines[] = {"POST /nowhere HTTP/1.1\r\n" HOST TYPE,
        "POST /test.v1.Notes/Client HTTP/1.1\r\n" HOST "Content-Type: application/connect+proto\r\n"};
    char *body = (char *)malloc(100000);
    size_t i, chunks;
    (void)state;
    memset(body, 0xFF, 100000); /* an envelope with unknown flags: refused by its first bytes */
    for (i = 0; i < 2; i++) {
        for (chunks = 1; chunks <= 2; chunks++) {
            bytes text;
            rig r;
            rig_init(&r, 1);
            rig_open(&r);
            bytes_print(rig_up(&r), "%sTransfer-Encoding: chunked\r\n\r\n186a0\r\n", lines[i]);
            bytes_add(rig_up(&r), body, chunks == 2 ? 100000 : 1000);
            if (chunks == 2) bytes_text(rig_up(&r), "\r\n0\r\n\r\n");
            pair_pump(&r.p);
            text = rig_answer(&r, 0);
            assert_int_equal(bytes_count(&text, "HTTP/1.1 "), 1);
            assert_true(bytes_have(&text, "connection: close\n"));
            assert_false(rig_lives(&r));
            bytes_free(&text);
            rig_close(&r);
        }
    }
    free(body);
}

/* ---- 25: a head that comes too slowly ---- */
static void test_slow_heads(void **state) {
    size_t i;
    (void)state;
    for (i = 0; i < 3; i++) { /* nothing, half a head, half of the second head */
        bytes text;
        rig r;
        rig_init(&r, 1);
        rig_open(&r);
        if (i == 2) rig_good_call(&r, 0);
        bytes_free(&r.link->down.sent);
        if (i) bytes_text(rig_up(&r), "POST / HTTP/1.1\r\nHo");
        pair_advance(&r.p, 5000);
        if (i) bytes_text(rig_up(&r), "st: memory:1\r\n"); /* a byte now and then does not help */
        pair_advance(&r.p, 4999);
        assert_true(rig_lives(&r));
        pair_advance(&r.p, 2);
        text = rig_answer(&r, 0);
        assert_int_equal(bytes_count(&text, "HTTP/1.1 408 "), i != 0);
        assert_false(rig_lives(&r));
        bytes_free(&text);
        rig_close(&r);
    }
}

/* ---- 26: a peer that reads nothing ---- */
static void test_slow_reader(void **state) {
    rig r;
    (void)state;
    rig_init(&r, 1);
    rig_open(&r);
    r.link->down.ended = false;
    r.link->down.sent.len = PAIR_ROOM; /* nothing more fits on the way */
    r.link->down.sent.capacity = 2 * PAIR_ROOM;
    r.link->down.sent.data = (char *)calloc(1, 2 * PAIR_ROOM);
    bytes_text(rig_up(&r), LENGTH(" 5") BODY);
    pair_advance(&r.p, 29999);
    assert_true(rig_lives(&r));
    assert_int_equal(r.requests, 1);
    pair_advance(&r.p, 2);
    assert_false(rig_lives(&r));
    rig_close(&r);
}

/* ---- Honest traffic near the limits is served ---- */
static void test_honest(void **state) {
    int i;
    rig r;
    (void)state;
    rig_init(&r, 1);
    rig_open(&r);
    for (i = 0; i < 1000; i++)
        rig_good_call(&r, 0);
    pair_advance(&r.p, 29000);
    rig_good_call(&r, 0);
    bytes_text(rig_up(&r), LENGTH(" 5") "\x0a"); /* a body with pauses of 29 s */
    pair_advance(&r.p, 29000);
    bytes_text(rig_up(&r), "\3ab");
    pair_advance(&r.p, 29000);
    bytes_text(rig_up(&r), "c");
    pair_pump(&r.p);
    assert_int_equal(r.requests, 1002);
    rig_good_call(&r, 0);
    rig_close(&r);
}
/* So many requests a connection has; then it is closed, and said to be. */
static void test_requests_of_a_connection(void **state) {
    bytes text;
    int i;
    rig r;
    (void)state;
    rig_init(&r, 1);
    r.options.limits.requests = 100;
    rig_open(&r);
    for (i = 0; i < 99; i++) {
        rig_good_call(&r, 0);
        text = rig_answer(&r, 0);
        assert_false(bytes_have(&text, "connection: close\n"));
        bytes_free(&text);
    }
    rig_good_call(&r, 0);
    text = rig_answer(&r, 0);
    assert_true(bytes_have(&text, "connection: close\n"));
    assert_false(rig_lives(&r));
    bytes_free(&text);
    rig_close(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_raw_requests),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_count_of_fields),
        cmocka_unit_test(test_rest_of_a_refused_request),
        cmocka_unit_test(test_rest_of_a_chunked_request),
        cmocka_unit_test(test_slow_heads),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_honest),
        cmocka_unit_test(test_requests_of_a_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
