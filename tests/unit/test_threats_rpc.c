/* Requests that a good client never sends, over every protocol and both HTTP versions: each is refused once, in its
   protocol's form, and reaches no handler; and what stands beside it on the connection, or comes after it, is served.
   Row numbers are those of the threats table: 7 methods, 8 content types, 9 to 12 and 14 compression and sizes, 13
   envelopes, 15 and 16 messages, 17 and 18 how many there are, 20 metadata, 21 and 22 paths, 23 and 24 deadlines, 25
   and 26 slow peers; 0 is what must be served. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"
#include "pair.h"
#include "rig.h"

typedef struct ask {
    int row;
    const char *name;
    const char *line;    /* method and path */
    const char *headers; /* "name: value\n" for each */
    const char *body;    /* '~'-separated parts, see ask_body */
    int http;            /* 1, 2, 3: both */
    const char *wanted[4];
    int requests; /* that reach the handler */
} ask;

#define U "POST /test.v1.Notes/Unary"
#define S "POST /test.v1.Notes/Server"
#define K "POST /test.v1.Notes/Client"
#define PROTO "content-type: application/proto\n"
#define JSON "content-type: application/json\n"
#define STREAM "content-type: application/connect+proto\n"
#define GRPC "content-type: application/grpc\nte: trailers\n"
#define WEB "content-type: application/grpc-web+proto\n"

/* With limits of 400 bytes for a message, 1,500 for its elements, and 20 levels. */
static const ask asks[] = {
    {0, "good", U, PROTO, "R\x0a\2hi", 3, {" 200", "content-type: application/proto\n", "\x0a\2hi"}, 1},
    {0, "good JSON", U, JSON, "R{\"text\":\"hi\"}", 3,
        {" 200", "content-type: application/json\n", "{\"text\":\"hi\"}"}, 1},
    {0, "charset", U, "content-type: application/JSON; charset=utf-8\n", "R{}", 3, {" 200"}, 1},
    {0, "empty body", U, PROTO, "", 3, {" 200"}, 1},
    {0, "identity", U, PROTO "content-encoding: identity\n", "R", 3, {" 200"}, 1},
    {0, "version 1", U, PROTO "connect-protocol-version: 1\n", "R", 3, {" 200"}, 1},
    {8, "a jpeg", U, "content-type: image/jpeg\n", "Rxx", 3,
        {" 415", "accept-post: application/grpc, "}, 0},
    {8, "application/foo", U, "content-type: application/foo\n", "Rxx", 3, {" 415", "application/proto"}, 0},
    {8, "no type", U, "", "Rxx", 3, {" 415", "accept-post"}, 0},
    {8, "stream type, unary method", U, STREAM, "M", 3, {" 415"}, 0},
    {8, "unary type, stream method", S, PROTO, "R", 3, {" 415", "application/connect+proto"}, 0},
    {8, "other parameter", U, "content-type: application/proto; v=1\n", "R", 3, {" 415"}, 0},
    {8, "unknown codec", U, "content-type: application/grpc-web+foo\n", "M", 3, {" 415"}, 0},
    {7, "TRACE", "TRACE /test.v1.Notes/Unary", "", "", 3, {" 405", "allow: "}, 0},
    {7, "an unknown method", "BREW /test.v1.Notes/Unary", "", "", 3, {" 405", "allow: "}, 0},
    {8, "gRPC over HTTP/1.1", U, GRPC, "M", 1, {" 505"}, 0},
    {9, "unknown compression", U, PROTO "content-encoding: zz\n", "Rxx", 3, {" 501", "\"unimplemented\""}, 0},
    {9, "unknown compression", S, STREAM "connect-content-encoding: zz\n", "M", 3, {" 200", "\"unimplemented\""}, 0},
    {9, "unknown compression", U, GRPC "grpc-encoding: zz\n", "M", 2, {" 200", "grpc-status: 12"}, 0},
    {9, "unknown compression", U, WEB "grpc-encoding: zz\n", "M", 3, {" 200", "grpc-status: 12"}, 0},
    {9, "compression before version before timeout", U,
        PROTO "content-encoding: zz\nconnect-protocol-version: 2\nconnect-timeout-ms: x\n", "R", 3,
        {" 501", "\"unimplemented\""}, 0},
    {10, "compressed flag", S, STREAM, "P01:", 3, {" 200", "\"internal\""}, 0},
    {10, "compressed flag, identity", S, STREAM "connect-content-encoding: identity\n", "P01:x", 3,
        {" 200", "\"internal\""}, 0},
    {10, "compressed flag", U, GRPC, "P01:", 2, {"grpc-status: 13"}, 0},
    {10, "compressed flag", U, WEB, "P01:", 3, {"grpc-status: 13"}, 0},
    {11, "empty and compressed", U, PROTO "content-encoding: gzip\n", "", 3, {" 200"}, 1},
    {11, "empty and compressed", S, STREAM "connect-content-encoding: gzip\n", "P01:", 3, {" 200"}, 1},
    {11, "empty and compressed", U, GRPC "grpc-encoding: zstd\n", "P01:", 2, {"grpc-status: 0"}, 1},
    {11, "empty and compressed", U, WEB "grpc-encoding: gzip\n", "P01:", 3, {"grpc-status: 0"}, 1},
    {12, "at the limit", U, PROTO, "X397", 3, {" 200"}, 1},
    {12, "over the limit", U, PROTO, "X398", 3, {" 429", "\"resource_exhausted\"", "receive_bytes"}, 0},
    {12, "declared to be over the limit", U, PROTO, "X2000", 1,
        {" 429", "a message of 2003 bytes is over the limit of 400 (receive_bytes)"}, 0},
    {12, "at the limit", S, STREAM, "x397", 3, {" 200"}, 1},
    {12, "over the limit", S, STREAM, "x398", 3, {" 200", "\"resource_exhausted\"", "receive_bytes"}, 0},
    {12, "over the limit, second", K, STREAM, "x1~x398", 3, {" 200", "\"resource_exhausted\""}, 0},
    {12, "at the limit", U, GRPC, "x397", 2, {"grpc-status: 0"}, 1},
    {12, "over the limit", U, GRPC, "x398", 2, {"grpc-status: 8", "receive_bytes"}, 0},
    {12, "over the limit", U, WEB, "x398", 3, {"grpc-status: 8", "receive_bytes"}, 0},
    {12, "inflated, at the limit", U, PROTO "content-encoding: gzip\n", "Y=g397", 3, {" 200"}, 1},
    {12, "inflated, over it", U, PROTO "content-encoding: gzip\n", "Y=g398", 3, {" 429", "\"resource_exhausted\""}, 0},
    {12, "a bomb", U, PROTO "content-encoding: zstd\n", "Y=z999999", 3, {" 429", "\"resource_exhausted\""}, 0},
    {12, "a bomb", S, STREAM "connect-content-encoding: gzip\n", "Z=g99999", 3, {" 200", "\"resource_exhausted\""}, 0},
    {12, "inflated, at the limit", U, GRPC "grpc-encoding: zstd\n", "Z=z397", 2, {"grpc-status: 0"}, 1},
    {12, "a bomb", U, GRPC "grpc-encoding: zstd\n", "Z=z999999", 2, {"grpc-status: 8"}, 0},
    {12, "a bomb", U, WEB "grpc-encoding: gzip\n", "Z=g99999", 3, {"grpc-status: 8"}, 0},
    {13, "declared 2^32-1", S, STREAM, "H", 3, {" 200", "\"resource_exhausted\""}, 0},
    {13, "declared 2^32-1", K, GRPC, "H", 2, {"grpc-status: 8"}, 0},
    {13, "declared 2^32-1", U, WEB, "H", 3, {"grpc-status: 8"}, 0},
    {14, "cut gzip", U, PROTO "content-encoding: gzip\n", "Y-g99", 3, {" 400", "\"invalid_argument\""}, 0},
    {14, "more than gzip", U, PROTO "content-encoding: gzip\n", "Y+g99", 3, {" 400", "\"invalid_argument\""}, 0},
    {14, "broken gzip", U, PROTO "content-encoding: gzip\n", "Y!g99", 3, {" 400", "\"invalid_argument\""}, 0},
    {14, "cut zstd", U, PROTO "content-encoding: zstd\n", "Y-z99", 3, {" 400", "\"invalid_argument\""}, 0},
    {14, "more than zstd", U, PROTO "content-encoding: zstd\n", "Y+z99", 3, {" 400", "\"invalid_argument\""}, 0},
    {14, "a window of 16 MiB", U, PROTO "content-encoding: zstd\n", "Y=w99", 3, {" 400", "\"invalid_argument\""}, 0},
    {14, "cut gzip", S, STREAM "connect-content-encoding: gzip\n", "Z-g99", 3, {" 200", "\"invalid_argument\""}, 0},
    {14, "cut gzip", K, STREAM "connect-content-encoding: gzip\n", "Z-g99", 3, {" 200", "\"invalid_argument\""}, 0},
    {14, "more than zstd", U, GRPC "grpc-encoding: zstd\n", "Z+z99", 2, {"grpc-status: 3"}, 0},
    {14, "cut zstd", U, GRPC "grpc-encoding: zstd\n", "Z-z99", 2, {"grpc-status: 3"}, 0},
    {14, "broken gzip", U, WEB "grpc-encoding: gzip\n", "Z!g99", 3, {"grpc-status: 3"}, 0},
    {14, "gzip, not zstd", U, WEB "grpc-encoding: zstd\n", "Z=g99", 3, {"grpc-status: 3"}, 0},
    {15, "bad JSON", U, JSON, "R{\"child\":{\"number\":tru}}", 3, {" 400", "\"invalid_argument\"", "child.number"}, 0},
    {15, "bad JSON, list", U, JSON, "R{\"moreNumbers\":[1,\"x\"]}", 3, {" 400", "\"invalid_argument\"", "[1]"}, 0},
    {15, "cut JSON", U, JSON, "R{\"text\":\"a", 3, {" 400", "\"invalid_argument\""}, 0},
    {15, "no JSON", U, JSON, "", 3, {" 400", "\"invalid_argument\""}, 0},
    {15, "JSON and more", U, JSON, "R{} x", 3, {" 400", "\"invalid_argument\""}, 0},
    {15, "bad protobuf", U, PROTO, "R\x0a\x7f", 3, {" 400", "\"invalid_argument\""}, 0},
    {15, "bad UTF-8", U, PROTO, "R\x0a\1\xff", 3, {" 400", "\"invalid_argument\""}, 0},
    {15, "bad protobuf", U, GRPC, "P00:\x0a\x7f", 2, {"grpc-status: 3"}, 0},
    {15, "bad protobuf, second", K, STREAM, "Ma~P00:\x0a\x7f", 3, {" 200", "\"invalid_argument\""}, 0},
    {15, "depth 20", U, PROTO, "D20", 3, {" 200"}, 1},
    {15, "depth 21", U, PROTO, "D21", 3, {" 400", "\"invalid_argument\""}, 0},
    {15, "depth 21", U, WEB, "d21", 3, {"grpc-status: 3"}, 0},
    {15, "depth 20", U, JSON, "J20", 3, {" 200"}, 1},
    {15, "depth 21", U, JSON, "J21", 3, {" 400", "\"invalid_argument\""}, 0},
    {16, "elements", U, PROTO, "N200", 3, {" 200"}, 1},
    {16, "elements over the budget", U, PROTO, "N390", 3, {" 429", "\"resource_exhausted\""}, 0},
    {16, "elements over the budget", U, GRPC, "n390", 2, {"grpc-status: 8"}, 0},
    {16, "elements over the budget", K, WEB, "n390", 3, {"grpc-status: 8"}, 0},
    {17, "END_STREAM from a client", S, STREAM, "M~P02:{}", 3, {" 200", "{\"error\":"}, 0},
    {17, "END_STREAM from a client", K, STREAM, "M~P02:{}", 3, {" 200", "\"internal\""}, 0},
    {17, "0x80 from a client", K, WEB, "M~P80:", 3, {"grpc-status: 13"}, 0},
    {17, "reserved flag", U, GRPC, "P40:", 2, {"grpc-status: 13"}, 0},
    {17, "no message", S, STREAM, "", 3, {" 200", "\"unimplemented\""}, 0},
    {17, "no message", U, GRPC, "", 2, {"grpc-status: 12"}, 0},
    {17, "no message", U, WEB, "", 3, {"grpc-status: 12"}, 0},
    {17, "two messages", S, STREAM, "Ma~Mb", 3, {" 200", "\"unimplemented\""}, 0},
    {17, "two messages", U, GRPC, "Ma~Mb", 2, {"grpc-status: 12"}, 0},
    {17, "two messages", U, WEB, "Ma~Mb", 3, {"grpc-status: 12"}, 0},
    {17, "two messages, the second a bomb", U, GRPC "grpc-encoding: zstd\n", "Ma~Z=z999999", 2, {"grpc-status: 12"}, 0},
    {17, "two messages, the second a bomb", S, STREAM "connect-content-encoding: gzip\n", "Ma~Z=g99999", 3,
        {" 200", "\"unimplemented\""}, 0},
    {17, "one and a bit", U, WEB, "Ma~R\1", 3, {"grpc-status: 12"}, 0},
    {18, "cut message", U, WEB, "R\1", 3, {"grpc-status: 13"}, 0},
    {18, "cut message", K, STREAM, "Ma~Rxx", 3, {" 200", "\"internal\""}, 0},
    {21, "unknown path, slash", "POST /test.v1.Notes/Unary/", PROTO, "R", 3, {" 404"}, 0},
    {21, "unknown path, encoded", "POST /test.v1.Notes%2FUnary", PROTO, "R", 3, {" 404"}, 0},
    {21, "query", U "?x=y", PROTO, "R", 3, {" 200"}, 1},
    {21, "encoded", "POST /test.v1.Notes/%55nary", PROTO, "R", 3, {" 404"}, 0},
    {21, "dots", "POST /test.v1.Notes/../test.v1.Notes/Unary", PROTO, "R", 3, {" 404"}, 0},
    {21, "two slashes", "POST //test.v1.Notes/Unary", PROTO, "R", 3, {" 404"}, 0},
    {21, "only a slash", "POST /", PROTO, "R", 3, {" 404"}, 0},
    {22, "GET", "GET /test.v1.Notes/Client", "", "", 3, {" 405", "allow: POST\n"}, 0},
    {22, "DELETE with a body", "DELETE /test.v1.Notes/Unary", PROTO, "Rxx", 3, {" 405", "allow: "}, 0},
    {22, "unknown path", "POST /test.v1.Notes/unary", PROTO, "R", 3, {" 404"}, 0},
    {22, "unknown path, stream type", "POST /x/y", STREAM, "M", 3, {" 404"}, 0},
    {22, "unknown path, gRPC", "POST /x/y", GRPC, "M", 2, {" 200", "grpc-status: 12"}, 0},
    {22, "unknown path, gRPC-Web", "POST /x/y", WEB, "M", 3, {" 200", "grpc-status: 12"}, 0},
    {23, "version 2", U, PROTO "connect-protocol-version: 2\n", "R", 3, {" 400", "\"invalid_argument\""}, 0},
    {23, "version 2, stream", S, STREAM "connect-protocol-version: 2\n", "M", 3, {" 200", "\"invalid_argument\""}, 0},
    {23, "timeout x", U, PROTO "connect-timeout-ms: x\n", "R", 3, {" 400", "\"invalid_argument\""}, 0},
    {23, "timeout -1", U, PROTO "connect-timeout-ms: -1\n", "R", 3, {" 400", "\"invalid_argument\""}, 0},
    {23, "timeout of 11 digits", U, PROTO "connect-timeout-ms: 12345678901\n", "R", 3, {" 400", "\"invalid_argument\""},
        0},
    {23, "timeout of 10 digits", U, PROTO "connect-timeout-ms: 9999999999\n", "R", 3, {" 200"}, 1},
    {23, "timeout without unit", U, GRPC "grpc-timeout: 10\n", "M", 2, {"grpc-status: 3"}, 0},
    {23, "timeout 1s", U, WEB "grpc-timeout: 1s\n", "M", 3, {"grpc-status: 3"}, 0},
    {23, "timeout of 9 digits", U, WEB "grpc-timeout: 123456789m\n", "M", 3, {"grpc-status: 3"}, 0},
    {23, "timeout S", U, WEB "grpc-timeout: S\n", "M", 3, {"grpc-status: 3"}, 0},
    {23, "timeout 99999999H", U, WEB "grpc-timeout: 99999999H\n", "M", 3, {"grpc-status: 0"}, 1},
    {24, "timeout 0", U, PROTO "connect-timeout-ms: 0\n", "R", 3, {" 504", "\"deadline_exceeded\""}, 0},
    {24, "timeout 0", S, STREAM "connect-timeout-ms: 0\n", "M", 3, {" 200", "\"deadline_exceeded\""}, 0},
    {24, "timeout 0n", U, GRPC "grpc-timeout: 0n\n", "M", 2, {"grpc-status: 4"}, 0},
    {24, "timeout 0n", U, WEB "grpc-timeout: 0n\n", "M", 3, {"grpc-status: 4"}, 0},
};

/* ---- Bodies ---- */
static void add_compressed(bytes *to, char coding, const bytes *plain) {
    size_t room = plain->len + 1000, len = 0;
    char *out = (char *)malloc(room);
    if (coding == 'g') {
        z_stream z;
        memset(&z, 0, sizeof z);
        assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
        z.next_in = (Bytef *)plain->data;
        z.avail_in = (uInt)plain->len;
        z.next_out = (Bytef *)out;
        z.avail_out = (uInt)room;
        assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
        len = z.total_out;
        deflateEnd(&z);
    } else {
        ZSTD_CCtx *z = ZSTD_createCCtx();
        ZSTD_inBuffer from;
        ZSTD_outBuffer into;
        from.src = plain->data;
        from.size = plain->len;
        from.pos = 0;
        into.dst = out;
        into.size = room;
        into.pos = 0;
        ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, coding == 'w' ? 24 : 15);
        ZSTD_compressStream2(z, &into, &from, ZSTD_e_flush); /* so that it cannot know the size beforehand */
        assert_int_equal(ZSTD_compressStream2(z, &into, &from, ZSTD_e_end), 0);
        len = into.pos;
        ZSTD_freeCCtx(z);
    }
    bytes_add(to, out, len);
    free(out);
}
static void add_varint(bytes *b, size_t value) {
    unsigned char c;
    for (; value >= 128; value >>= 7) {
        c = (unsigned char)(value | 128);
        bytes_add(b, &c, 1);
    }
    c = (unsigned char)value;
    bytes_add(b, &c, 1);
}
static void add_note(bytes *b, size_t len) { /* a text of so many bytes */
    char *text = (char *)malloc(len + 1);
    memset(text, 'x', len + 1);
    bytes_add(b, "\x0a", 1);
    add_varint(b, len);
    bytes_add(b, text, len);
    free(text);
}
static void add_depth(bytes *b, size_t depth) { /* so many levels of `child` below the message */
    size_t i;
    for (i = 1; i <= depth; i++) {
        bytes_add(b, "\x22", 1);
        add_varint(b, 2 * (depth - i));
    }
}
/* Parts of a body. A message in an envelope, or bare in capitals where there are both:
     R<bytes>            as it is                        H       an envelope's head that declares 2^32-1 bytes
     P<hex flags>:<...>  an envelope with this payload   M<text> a message with this text
     x<n>, X<n>          a message with n bytes of text  d<n>, D<n> of depth n; J<n>: JSON
     n<n>, N<n>          a list of n numbers
     Z<how><coding><n>, Y...: x<n> compressed with g (gzip), z (zstd) or w (zstd with a window of 16 MiB); how: '=' as it
                         is, '-' without its last byte, '+' with one more, '!' with one changed */
static void ask_part(const char *at, size_t len, bytes *body) {
    bytes part = {NULL, 0, 0}, packed = {NULL, 0, 0};
    size_t number = strtoul(at + (at[0] == 'Z' || at[0] == 'Y' ? 3 : 1), NULL, 10), i;
    uint8_t flags = 0;
    switch (at[0]) {
    case 'R': bytes_add(body, at + 1, len - 1); return;
    case 'H': bytes_add(body, "\0\xff\xff\xff\xff", 5); return;
    case 'P': envelope_add(body, (uint8_t)strtoul(at + 1, NULL, 16), at + 4, len - 4); return;
    case 'M':
        if (len > 1) {
            bytes_add(&part, "\x0a", 1);
            add_varint(&part, len - 1);
            bytes_add(&part, at + 1, len - 1);
        }
        break;
    case 'x':
    case 'X':
    case 'Y':
    case 'Z': add_note(&part, number); break;
    case 'd':
    case 'D': add_depth(&part, number); break;
    case 'n':
    case 'N':
        bytes_add(&part, "\x2a", 1);
        add_varint(&part, number);
        for (i = 0; i < number; i++)
            bytes_add(&part, "\1", 1);
        break;
    case 'J':
        for (i = 0; i < number; i++)
            bytes_text(&part, "{\"child\":");
        bytes_text(&part, "{}");
        for (i = 0; i < number; i++)
            bytes_text(&part, "}");
        break;
    default: fail_msg("what is %s?", at);
    }
    if (at[0] == 'Y' || at[0] == 'Z') {
        add_compressed(&packed, at[2], &part);
        bytes_free(&part);
        if (at[1] == '-') packed.len--;
        if (at[1] == '+') bytes_add(&packed, "x", 1);
        if (at[1] == '!') packed.data[packed.len - 6] ^= 0x10; /* gzip: its checksum */
        part = packed;
        flags = 1;
    }
    if (strchr("XDNJY", at[0]))
        bytes_add(body, part.data, part.len);
    else
        envelope_add(body, flags, part.data, part.len);
    bytes_free(&part);
}
static void ask_body(const char *at, bytes *body) {
    while (*at) {
        const char *end = strchr(at, '~');
        size_t len = end ? (size_t)(end - at) : strlen(at);
        ask_part(at, len, body);
        at += len + (end ? 1 : 0);
    }
}

/* ---- Requests ---- */
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
        bytes_print(&head, ":method: %.*s\n:scheme: http\n:authority: memory:1\n:path: %s\n%s", (int)(space - a->line),
            a->line, space + 1, a->headers);
        h2_headers(out, body.len ? 0 : 1, 3, head.data);
        if (body.len) h2_frame(out, 0, 1, 3, body.data, body.len);
    }
    bytes_free(&head);
    bytes_free(&body);
}
static void ask_try(const ask *a, int http, pair_mode mode) {
    bytes text;
    size_t i;
    int served;
    bool ok = true, closes;
    rig r;
    rig_init(&r, http);
    r.p.mode = mode;
    r.options.limits.receive_bytes = 400;
    r.options.limits.decode_bytes = 1500;
    r.options.limits.depth = 20;
    r.options.compress_min = CONNECT_UNLIMITED; /* answers are read as they are */
    rig_open(&r);
    if (http == 2) rig_sibling_begin(&r);
    served = r.requests;
    ask_write(a, http, rig_up(&r));
    pair_pump(&r.p);
    text = rig_answer(&r, 3);
    for (i = 0; i < 4 && a->wanted[i]; i++)
        ok = ok && bytes_have(&text, a->wanted[i]);
    if (!ok || r.requests != served + a->requests || bytes_count(&text, http == 1 ? "HTTP/1.1 " : "HTTP/2 ") != 1 ||
        bytes_count(&text, "grpc-status") + bytes_count(&text, "\"code\"") > 1 || bytes_have(&text, "GOAWAY"))
        fail_msg("row %d: %s, %s, HTTP/%d, mode %d: %d reached the handler; got\n%s", a->row, a->name, a->line, http,
            (int)mode, r.requests - served, bytes_show(&text));
    if (r.ends) fail_msg("%s, %s: on_end", a->name, a->line);
    closes = bytes_have(&text, "connection: close\n");
    assert_int_equal(rig_lives(&r), !closes);
    if (!closes) rig_good_call(&r, 5);
    if (http == 2) rig_sibling_end(&r);
    bytes_free(&text);
    rig_close(&r);
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

/* A length that is only declared takes no memory: 13, and the bounds of 32-bit machines. */
static void test_declared_length(void **state) {
    static const uint32_t declared[] = {900000, 1000000, 1000001, 0x7fffffffu, 0x80000000u, 0xfffffffbu, 0xffffffffu};
    static const char *const types[] = {STREAM, GRPC, WEB};
    size_t i, k;
    int http;
    (void)state;
    for (i = 0; i < sizeof declared / sizeof *declared; i++) {
        for (k = 0; k < 3; k++) {
            for (http = 1; http <= 2; http++) {
                const char *path = k == 0 ? "/test.v1.Notes/Server" : "/test.v1.Notes/Unary";
                bytes text, head = {NULL, 0, 0};
                char envelope[5];
                rig r;
                if (k == 1 && http == 1) continue;
                rig_init(&r, http);
                r.options.limits.receive_bytes = 1000000;
                rig_open(&r);
                cn_envelope_write(envelope, 0, declared[i]);
                if (http == 1) {
                    bytes_print(rig_up(&r), "POST %s HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n", path);
                    bytes_print(rig_up(&r), "%.*s\r\n\r\n5\r\n", (int)strlen(types[k]) - 1, types[k]);
                    bytes_add(rig_up(&r), envelope, 5);
                    bytes_text(rig_up(&r), "\r\n");
                } else {
                    bytes_print(&head, RIG_HEAD ":path: %s\n%s", path, types[k]);
                    h2_headers(rig_up(&r), 0, 3, head.data);
                    h2_frame(rig_up(&r), 0, 0, 3, envelope, 5);
                }
                pair_pump(&r.p);
                text = rig_answer(&r, 3);
                assert_int_equal(bytes_have(&text, k ? "grpc-status: 8" : "resource_exhausted"), declared[i] > 1000000);
                if (r.memory.largest > 300000) fail_msg("a block of %lu bytes", (unsigned long)r.memory.largest);
                bytes_free(&text);
                bytes_free(&head);
                rig_close(&r);
            }
        }
    }
}

/* What a peer sent is quoted with at most 128 bytes, and nothing of it but printable ASCII. */
typedef struct echo {
    const char *line, *headers, *body; /* '@' stands for what is sent 1,000 times */
    const char *wanted;
} echo;
static const echo echoes[] = {
    {"POST /@", PROTO, "", " 404"},
    {"POST /@", WEB, "", "grpc-status: 12"},
    {U, "content-type: @\n", "", " 415"},
    {U, PROTO "content-encoding: @\n", "", "\"unimplemented\""},
    {S, STREAM "connect-content-encoding: @\n", "", "\"unimplemented\""},
    {U, WEB "grpc-encoding: @\n", "", "grpc-status: 12"},
    {U, PROTO "connect-timeout-ms: @\n", "", "\"invalid_argument\""},
    {U, WEB "grpc-timeout: @\n", "", "grpc-status: 3"},
    {U, PROTO "connect-protocol-version: @\n", "", "\"invalid_argument\""},
    {U, JSON, "@", "\"invalid_argument\""},
    {U, JSON, "{\"number\": \"@\"}", "\"invalid_argument\""},
    {U, JSON, "{\"number\": @}", "\"invalid_argument\""},
    {U, JSON, "{\"@\": }", "\"invalid_argument\""},
    {U, JSON, "{\"data\": \"@%\"}", "\"invalid_argument\""},
    {"GET /test.v1.Notes/Unary?encoding=@&message=", "", "", " 415"},
    {"GET /test.v1.Notes/Unary?encoding=json&message=@", "", "", "\"invalid_argument\""},
    {"GET /test.v1.Notes/Unary?encoding=json&message=%7B%7D&compression=@", "", "", "\"unimplemented\""},
    {"GET /test.v1.Notes/Unary?encoding=json&message=%7B%7D&connect=@", "", "", "\"invalid_argument\""},
};
static void echo_add(bytes *to, const char *text, char what) {
    size_t i;
    for (; *text; text++) {
        for (i = 0; *text == '@' && i < 1000; i++)
            bytes_add(to, &what, 1);
        if (*text != '@') bytes_add(to, text, 1);
    }
}
static void echo_try(const echo *e, int http, char what) {
    bytes line = {NULL, 0, 0}, headers = {NULL, 0, 0}, body = {NULL, 0, 0}, text;
    size_t i;
    ask a;
    rig r;
    echo_add(&line, e->line, what);
    echo_add(&headers, e->headers, what);
    echo_add(&body, "R", what);
    echo_add(&body, e->body, what);
    memset(&a, 0, sizeof a);
    a.line = line.data;
    a.headers = headers.data ? headers.data : "";
    a.body = e->body[0] ? body.data : "";
    rig_init(&r, http);
    rig_open(&r);
    ask_write(&a, http, rig_up(&r));
    pair_pump(&r.p);
    text = rig_answer(&r, 3);
    if (!bytes_have(&text, e->wanted) || r.requests) fail_msg("%s HTTP/%d: got %s", e->line, http, bytes_show(&text));
    for (i = 0; i < text.len; i++)
        if (text.data[i] == '\xE9') fail_msg("%s: as it came: %s", e->line, bytes_show(&text));
    if (what == 'Z' && bytes_count(&text, "Z") > 128) fail_msg("%s: %s", e->line, bytes_show(&text));
    if (text.len > 1200) fail_msg("%s: %lu bytes: %s", e->line, (unsigned long)text.len, bytes_show(&text));
    bytes_free(&text);
    bytes_free(&line);
    bytes_free(&headers);
    bytes_free(&body);
    rig_close(&r);
}
static void test_quotes_are_bounded(void **state) {
    size_t i;
    int http;
    (void)state;
    for (i = 0; i < sizeof echoes / sizeof *echoes; i++) {
        for (http = 1; http <= 2; http++) {
            echo_try(&echoes[i], http, 'Z');
            if (!strchr(echoes[i].line, '@')) echo_try(&echoes[i], http, '\xE9'); /* not in a path, but in a value */
        }
    }
}

/* 20: what an application may not set is refused where it sets it, and never goes out. */
static bool metadata_ran;
static connect_code_t metadata_request(connect_call_t *call, const void *request, void *response, void *user) {
    static const struct {
        const char *name, *value;
        size_t len;
    } bad[] = {{"x-a", "a\r\nevil: 1", 10}, {"x-a", "a\nevil: 1", 9}, {"x-a", "a\0evil", 6}, {"x-a", "\x7f", 1},
        {"x\r\nevil", "1", 1}, {"x evil", "1", 1}, {"", "1", 1}, {":status", "500", 3}, {"evil:", "1", 1},
        {"content-length", "evil", 4}, {"Transfer-Encoding", "evil", 4}, {"connection", "evil", 4},
        {"grpc-status", "0", 1}, {"connect-evil", "1", 1}, {"trailer-evil", "1", 1}, {"te", "evil", 4},
        {"x-bin", "evil!", 5}, {"x-\xC3\xA4vil", "1", 1}};
    size_t i;
    (void)request;
    (void)response;
    (void)user;
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(connect_call_set_header(call, bad[i].name, cn_str(bad[i].value, bad[i].len)));
        assert_false(connect_call_set_trailer(call, bad[i].name, cn_str(bad[i].value, bad[i].len)));
    }
    assert_true(connect_call_set_header(call, "X-Good", connect_str_of("1")));
    assert_true(connect_call_set_trailer(call, "x-also-good", connect_str_of("2")));
    metadata_ran = true;
    return connect_call_fail(call, CONNECT_ABORTED, "a\r\nevil: \xC3\xA4%c", 1);
}
static void test_metadata_of_the_application(void **state) {
    static const char *const types[] = {PROTO, GRPC, WEB};
    size_t k;
    int http;
    (void)state;
    for (k = 0; k < 3; k++) {
        for (http = 1; http <= 2; http++) {
            bytes text;
            ask a;
            rig r;
            if (k == 1 && http == 1) continue;
            memset(&a, 0, sizeof a);
            a.line = U;
            a.headers = types[k];
            a.body = k ? "Ma" : "X1";
            rig_init(&r, http);
            r.events.on_open = NULL;
            r.events.on_closed = NULL;
            r.events.on_request = metadata_request;
            metadata_ran = false;
            rig_open(&r);
            ask_write(&a, http, rig_up(&r));
            pair_pump(&r.p);
            text = rig_answer(&r, 3);
            assert_true(metadata_ran);
            if (bytes_have(&text, "\nevil") || bytes_count(&text, "evil") != 1 || !bytes_have(&text, "x-good: 1\n") ||
                !bytes_have(&text, "x-also-good: 2"))
                fail_msg("%sgets %s", types[k], bytes_show(&text));
            assert_true(bytes_have(&text, k ? "a%0D%0Aevil: %C3%A4%01" : "a\\r\\nevil: \xC3\xA4\\u0001"));
            bytes_free(&text);
            rig_close(&r);
        }
    }
}

/* ---- Time ---- */
typedef struct slow {
    const char *line, *headers, *body; /* comes at once; the rest does not */
    bool ends;                         /* ... there is no rest */
    int64_t wait_ms;                   /* so long nothing happens */
    const char *wanted;                /* then this comes back */
    connect_code_t code;               /* for on_closed; OK: no handler was begun */
} slow;
static const slow slows[] = {
    /* 24: the deadline covers the receipt of the request, and the handler's time */
    {U, PROTO "connect-timeout-ms: 500\n", "R\x0a", false, 499, "\"deadline_exceeded\"", CONNECT_DEADLINE_EXCEEDED},
    {S, STREAM "connect-timeout-ms: 500\n", "R\1", false, 499, "\"deadline_exceeded\"", CONNECT_DEADLINE_EXCEEDED},
    {K, STREAM "connect-timeout-ms: 500\n", "Ma", false, 499, "\"deadline_exceeded\"", CONNECT_DEADLINE_EXCEEDED},
    {U, GRPC "grpc-timeout: 500m\n", "R\1", false, 499, "grpc-status: 4", CONNECT_DEADLINE_EXCEEDED},
    {K, WEB "grpc-timeout: 500m\n", "Ma", false, 499, "grpc-status: 4", CONNECT_DEADLINE_EXCEEDED},
    {U, PROTO "connect-timeout-ms: 500\n", "R\x0a\5later", true, 499, " 504", CONNECT_DEADLINE_EXCEEDED},
    {U, GRPC "grpc-timeout: 500m\n", "Mlater", true, 499, "grpc-status: 4", CONNECT_DEADLINE_EXCEEDED},
    {U, WEB "grpc-timeout: 500m\n", "Mlater", true, 499, "grpc-status: 4", CONNECT_DEADLINE_EXCEEDED},
    /* 25: a body that comes to a halt */
    {U, PROTO, "R\x0a", false, 29999, "\"unavailable\"", CONNECT_UNAVAILABLE},
    {S, STREAM, "R\1", false, 29999, "\"unavailable\"", CONNECT_UNAVAILABLE},
    {U, GRPC, "R\1", false, 29999, "grpc-status: 14", CONNECT_UNAVAILABLE},
    {U, WEB, "R\1", false, 29999, "grpc-status: 14", CONNECT_UNAVAILABLE},
};
static void slow_try(const slow *s, int http) {
    bytes body = {NULL, 0, 0}, head = {NULL, 0, 0}, text;
    const char *at;
    rig r;
    rig_init(&r, http);
    rig_open(&r);
    ask_body(s->body, &body);
    if (http == 1) {
        bytes_print(rig_up(&r), "%s HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n", s->line);
        for (at = s->headers; *at; at++)
            bytes_add(rig_up(&r), *at == '\n' ? "\r\n" : at, *at == '\n' ? 2 : 1);
        bytes_print(rig_up(&r), "\r\n%x\r\n", (unsigned)body.len);
        bytes_add(rig_up(&r), body.data, body.len);
        bytes_text(rig_up(&r), s->ends ? "\r\n0\r\n\r\n" : "\r\n");
    } else {
        bytes_print(&head, RIG_HEAD ":path: %s\n%s", s->line + 5, s->headers);
        h2_headers(rig_up(&r), 0, 3, head.data);
        h2_frame(rig_up(&r), 0, s->ends ? 1 : 0, 3, body.data, body.len);
    }
    pair_advance(&r.p, s->wait_ms);
    text = rig_answer(&r, 3);
    assert_false(bytes_have(&text, s->wanted));
    bytes_free(&text);
    pair_advance(&r.p, 2);
    text = rig_answer(&r, 3);
    if (!bytes_have(&text, s->wanted) || bytes_count(&text, http == 1 ? "HTTP/1.1 " : "HTTP/2 ") != 1)
        fail_msg("%s HTTP/%d: got %s", s->headers, http, bytes_show(&text));
    assert_int_equal(r.canceled, s->ends);
    if (http == 2) rig_good_call(&r, 5);
    pair_advance(&r.p, 70000); /* nothing is left open */
    assert_int_equal(r.opened, r.closed);
    if (http == 1 && rig_lives(&r)) fail_msg("%s %s: the connection is still open", s->line, s->headers);
    assert_int_equal(r.ends, 0);
    bytes_free(&text);
    bytes_free(&body);
    bytes_free(&head);
    rig_close(&r);
}
static void test_slow_requests(void **state) {
    size_t i;
    (void)state;
    for (i = 0; i < sizeof slows / sizeof *slows; i++) {
        if (strncmp(slows[i].headers, GRPC, strlen(GRPC)) != 0) slow_try(&slows[i], 1);
        slow_try(&slows[i], 2);
    }
}

/* ---- A connection that is closed inside an event: nothing is handed over any more, though it is there ---- */
static rig *closing;
static int closing_after; /* so many events */
static void closing_count(void) {
    connect_conn_t *conn = closing->link->server;
    if (--closing_after > 0) return;
    assert_int_equal(closing_after, 0);
    closing->link->server = NULL;
    connect_conn_close(conn);
}
static connect_io_t closing_message(connect_call_t *call, const void *message, void *user) {
    connect_io_t taken = rig_on_message(call, message, user);
    closing_count();
    return taken;
}
static connect_code_t closing_request(connect_call_t *call, const void *request, void *response, void *user) {
    connect_code_t code = rig_on_request(call, request, response, user);
    closing_count();
    return code;
}
static void test_closed_inside(void **state) {
    int http, after, i;
    (void)state;
    for (http = 1; http <= 2; http++) {
        for (after = 1; after <= 3; after++) {
            bytes body = {NULL, 0, 0};
            rig r;
            rig_init(&r, http);
            r.events.on_message = closing_message;
            r.events.on_request = closing_request;
            closing = &r;
            closing_after = after;
            rig_open(&r);
            for (i = 0; i < 3; i++)
                envelope_add(&body, 0, NULL, 0);
            if (http == 1) { /* three messages at once, and the end */
                bytes_print(rig_up(&r), "%s HTTP/1.1\r\nhost: a\r\ncontent-type: application/connect+proto\r\n", K);
                bytes_print(rig_up(&r), "content-length: %lu\r\n\r\n", (unsigned long)body.len);
                bytes_add(rig_up(&r), body.data, body.len);
            } else { /* and three requests behind them */
                h2_headers(rig_up(&r), 0, 1, RIG_HEAD ":path: /test.v1.Notes/Client\n" STREAM);
                h2_frame(rig_up(&r), 0, 1, 1, body.data, body.len);
                for (i = 0; i < 3; i++)
                    h2_headers(rig_up(&r), 1, (uint32_t)(3 + 2 * i), RIG_UNARY);
            }
            pair_pump(&r.p);
            assert_int_equal(r.messages, after);
            assert_int_equal(r.requests, 0);
            assert_int_equal(r.ends, 0);
            assert_int_equal(r.closed, 1);
            assert_int_equal(r.clean, 0);
            bytes_free(&body);
            rig_close(&r);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_declared_length),
        cmocka_unit_test(test_quotes_are_bounded),
        cmocka_unit_test(test_metadata_of_the_application),
        cmocka_unit_test(test_slow_requests),
        cmocka_unit_test(test_closed_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
