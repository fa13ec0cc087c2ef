#include "http/http1.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/exchange.h"
#include "http/header.h"

/* HTTP/1.1 (RFC 9112) for one connection: a strict parser and a writer, server and client. One exchange at a time: the
   bytes of the next request are not taken before the exchange is over.

   Received: where read stands

       HEAD      start line and fields up to the empty line (2.1, 5); also between two messages
       FIXED     `left` bytes of a body with Content-Length (6.2)
       UNTIL_EOF client: a body that ends with the connection (6.3, rule 8)
       CHUNK     between the data of two chunks: CRLF, size, extensions, CRLF (7.1); the place in it is chunk_at
       DATA      `left` bytes of a chunk
       TRAILERS  fields up to the empty line (7.1.2)
       WHOLE     the message is in; the exchange goes on
       DEAD      nothing is read any more: bytes are taken and thrown away

       HEAD -> FIXED -> WHOLE, HEAD -> CHUNK <-> DATA, CHUNK -> TRAILERS -> WHOLE -> (exchange over) HEAD; any -> DEAD

   A head is parsed where it came, in one pass, line by line; its fields are copied only when all of it is there and
   right. What came of a head that is not whole yet is kept in `held`, and every line is parsed when its LF is there:
   each byte is looked at a bounded number of times, however it is cut. `section` has what is known of it; it counts in
   offsets, so that `held` may move.

   Strict means (400 on the server, a broken connection on the client): one space between the parts of the start line;
   CRLF only, no obsolete folding, no space before a colon (5.1), no control character; one Content-Length, of digits
   without a leading zero, not above 2^63-1; one Transfer-Encoding, which is "chunked", in HTTP/1.1 only, never with a
   Content-Length (6.1: it would be a way to smuggle); one Host that is an authority (3.2); chunk sizes of at most 16
   hexadecimal digits. Before a request line one empty line is passed over (2.2). Trailers have no framing fields.
   Limits: request line limits->url_bytes (414); fields limits->header_bytes and header_count, of headers and of
   trailers (431); a chunk line 256 bytes, all chunk extensions of a message 4 KiB; a method 32 bytes; on the client
   8 interim responses (RFC 9110 15.2).

   Sent: what stands in x->out is moved into http->out by transfer, framed by `write`; one chunk for each transfer.
   The end is written when x->out is empty after send_end. The exchange is over when this is done and the message of
   the peer is WHOLE, or nothing is read any more.

   Server, response begun before the request is whole: up to 64 KiB of the rest are thrown away once the response is
   complete, so that the connection can be kept; when it may be more, or is not known (chunked), the response says that
   the connection is closed after it (RFC 9112 9.3, 9.6): a client that takes it for open would send its next request
   into the close. What the client still sends then is left to the transport, which lingers. No on_data and no on_end
   come after send_end. A client that waits for 100 (Continue) gets it when its body is awaited; if the final
   response comes first, it need not send the body, and the connection is closed.

   Flow: x->unread never exceeds limits->stream_window; then read_blocked, until consume or the server's send_end.
   While a whole request waits for its response nothing is blocked until bytes come: so the end of input is noticed.

   Invariants: s->x is the one exchange, or NULL; it is taken out of s before on_closed, which is the last use of it.
   An operation never closes an exchange: reset only marks it, and feed, pull, eof or free close it. http->closing is
   set together with read == DEAD. */

#define CN_H1_METHOD_MAX 32u
#define CN_H1_CHUNK_LINE_MAX 256u
#define CN_H1_CHUNK_EXTENSIONS_MAX 4096u
#define CN_H1_DRAIN_MAX 65536u
#define CN_H1_INTERIM_MAX 8u
#define CN_H1_RECORDED 32u   /* fields of a head that came in one piece are not searched a second time */
#define CN_H1_FIELD_COST 30u /* a line "name: value" counts as name + value + 32 */

typedef enum cn_h1_read_t {
    CN_H1_HEAD,
    CN_H1_FIXED,
    CN_H1_UNTIL_EOF,
    CN_H1_CHUNK,
    CN_H1_DATA,
    CN_H1_TRAILERS,
    CN_H1_WHOLE,
    CN_H1_DEAD
} cn_h1_read_t;

typedef enum cn_h1_chunk_t { /* what comes next in a chunk line; BWS is RFC 9110 5.6.3 */
    CN_H1_SIZE_FIRST,
    CN_H1_SIZE,
    CN_H1_SIZE_BWS,
    CN_H1_NAME_BWS,
    CN_H1_NAME,
    CN_H1_EQUALS_BWS,
    CN_H1_VALUE_BWS,
    CN_H1_VALUE,
    CN_H1_QUOTED,
    CN_H1_ESCAPED,
    CN_H1_SEMICOLON_BWS,
    CN_H1_LINE_LF,
    CN_H1_DATA_CR,
    CN_H1_DATA_LF
} cn_h1_chunk_t;

typedef enum cn_h1_write_t { CN_H1_NO_BODY, CN_H1_SIZED, CN_H1_CHUNKED, CN_H1_CLOSE_DELIMITED } cn_h1_write_t;

typedef enum cn_h1_progress_t { CN_H1_MORE, CN_H1_DONE, CN_H1_BAD } cn_h1_progress_t;

typedef struct cn_h1_field_t {
    connect_str_t name, value;
} cn_h1_field_t;

typedef struct cn_h1_section_t { /* what is known of a head or a trailer section; offsets are from its first byte */
    size_t line;                 /* the first line that was not parsed yet */
    size_t fields_at;            /* the first field line */
    size_t count, bytes;
    size_t method_at, method_len, target_at, target_len, host_at, host_len;
    int64_t content_length;
    int status;
    int refusal; /* BAD: the status that says so, and why */
    const char *why;
    uint8_t minor; /* of the HTTP version */
    bool started;  /* the start line is parsed, or there is none */
    bool blank;    /* an empty line before it was passed over */
    bool has_host, has_length, has_coding, unknown_coding, close, keep_alive, expects;
} cn_h1_section_t;

typedef struct cn_h1_t {
    cn_exchange_t *x;
    cn_buf_t held;
    cn_h1_section_t section;
    uint64_t left;       /* of the body or the chunk that is received */
    uint64_t write_left; /* of the body that is sent, if SIZED */
    uint32_t requests, drain_left, chunk_line, chunk_extensions, chunk_digits, interim;
    uint8_t read, chunk_at, write; /* cn_h1_read_t, cn_h1_chunk_t, cn_h1_write_t */
    uint8_t minor;                 /* of the peer's message */
    bool write_done;               /* the end of what is sent is in http->out */
    bool keep;                     /* the connection may live on after this exchange */
    bool expects;                  /* the peer waits for 100 (Continue) */
    bool drop_rest;                /* the rest of the request is not waited for */
} cn_h1_t;

/* ---- Parsing a section ------------------------------------------------------------------------------------------ */

static cn_h1_progress_t cn_h1_bad(cn_h1_section_t *section, int status, const char *why) {
    section->refusal = status;
    section->why = why;
    return CN_H1_BAD;
}

/* Scanning sixteen bytes at a time, where SSE2 is there, as on every x86-64. Else eight: high bits of a word mark
   bytes. A mark above the lowest one may be wrong (a borrow): only the lowest counts, and what is found there is
   looked at once more. */
#define CN_H1_EACH(byte) (UINT64_C(0x0101010101010101) * (uint64_t)(byte))
#define CN_H1_MARKS CN_H1_EACH(0x80)

static uint64_t cn_h1_mark_below(uint64_t word, unsigned char limit) {
    return (word - CN_H1_EACH(limit)) & ~word;
}

static uint64_t cn_h1_mark_equal(uint64_t word, unsigned char byte) {
    word ^= CN_H1_EACH(byte);
    return (word - CN_H1_EACH(1)) & ~word;
}

/* How many bytes stand before the first mark; a lower bound where that is not known at once. */
static size_t cn_h1_before_mark(uint64_t marks) {
#if defined(__GNUC__) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (size_t)__builtin_ctzll(marks) >> 3;
#else
    (void)marks;
    return 0;
#endif
}

#if defined(__SSE2__) && defined(__GNUC__)
#define CN_H1_SSE2
static inline __m128i cn_h1_block(const char *p) {
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline __m128i cn_h1_block_equal(__m128i block, char byte) {
    return _mm_cmpeq_epi8(block, _mm_set1_epi8(byte));
}

static inline __m128i cn_h1_block_at_most(__m128i block, char limit) {
    return _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(limit)), block);
}
#endif

/* Skips what may be in a field value, and stops at the first byte that may not. */
static const char *cn_h1_skip_value(const char *p, const char *end) {
    const unsigned char *chars = cn_header_chars();
#if defined(CN_H1_SSE2)
    while (end - p >= 16) {
        const __m128i block = cn_h1_block(p);
        const __m128i controls = _mm_andnot_si128(cn_h1_block_equal(block, '\t'), cn_h1_block_at_most(block, 0x1F));
        const int marks = _mm_movemask_epi8(_mm_or_si128(controls, cn_h1_block_equal(block, 0x7F)));
        if (marks) return p + __builtin_ctz((unsigned)marks);
        p += 16;
    }
#endif
    while (end - p >= 8) {
        uint64_t word, marks;
        memcpy(&word, p, 8);
        marks = (cn_h1_mark_below(word, 0x20) | cn_h1_mark_equal(word, 0x7F)) & CN_H1_MARKS;
        if (marks) {
            p += cn_h1_before_mark(marks);
            break;
        }
        p += 8;
    }
    while (p < end && (chars[(unsigned char)*p] & CN_CHAR_VALUE))
        p++;
    return p;
}

/* The same for a request target. */
static const char *cn_h1_skip_target(const char *p, const char *end) {
    const unsigned char *chars = cn_header_chars();
#if defined(CN_H1_SSE2)
    while (end - p >= 16) {
        const __m128i block = cn_h1_block(p);
        const __m128i outside = _mm_or_si128(cn_h1_block_at_most(block, 0x20), cn_h1_block_equal(block, 0x7F));
        const __m128i refused = _mm_or_si128(cn_h1_block_equal(block, '#'), cn_h1_block_equal(block, '\\'));
        const int marks = _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(outside, refused), block)); /* 0x80 and above */
        if (marks) return p + __builtin_ctz((unsigned)marks);
        p += 16;
    }
#endif
    while (end - p >= 8) {
        uint64_t word, marks;
        memcpy(&word, p, 8);
        marks = (cn_h1_mark_below(word, 0x21) | word | cn_h1_mark_equal(word, 0x7F) | cn_h1_mark_equal(word, '#') |
                    cn_h1_mark_equal(word, '\\')) &
            CN_H1_MARKS;
        if (marks) {
            p += cn_h1_before_mark(marks);
            break;
        }
        p += 8;
    }
    while (p < end && (chars[(unsigned char)*p] & CN_CHAR_TARGET))
        p++;
    return p;
}

/* The same for a field name; letters and "-" are skipped by words. */
static const char *cn_h1_skip_name(const char *p, const char *end) {
    const unsigned char *chars = cn_header_chars();
#if defined(CN_H1_SSE2)
    while (end - p >= 16) {
        const __m128i block = cn_h1_block(p), lower = _mm_or_si128(block, _mm_set1_epi8(0x20));
        const __m128i letters = cn_h1_block_at_most(_mm_sub_epi8(lower, _mm_set1_epi8('a')), 'z' - 'a');
        const int allowed = _mm_movemask_epi8(_mm_or_si128(letters, cn_h1_block_equal(block, '-')));
        if (allowed != 0xFFFF) {
            p += __builtin_ctz(~(unsigned)allowed);
            while (p < end && (chars[(unsigned char)*p] & CN_CHAR_TOKEN)) /* a digit, or the like */
                p++;
            return p;
        }
        p += 16;
    }
#endif
    while (end - p >= 8) {
        uint64_t word, low, letters, dashes, marks; /* no borrows or carries here: these say what is allowed */
        memcpy(&word, p, 8);
        low = (word & CN_H1_EACH(0x7F)) | CN_H1_EACH(0x20);
        letters = (low + CN_H1_EACH(0x80 - 'a')) & ~(low + CN_H1_EACH(0x80 - 'z' - 1));
        dashes = ~(((word ^ CN_H1_EACH('-')) & CN_H1_EACH(0x7F)) + CN_H1_EACH(0x7F));
        marks = ~((letters | dashes) & ~word) & CN_H1_MARKS;
        if (marks) {
            p += cn_h1_before_mark(marks);
            break;
        }
        p += 8;
    }
    while (p < end && (chars[(unsigned char)*p] & CN_CHAR_TOKEN))
        p++;
    return p;
}

/* field-line = field-name ":" OWS field-value OWS CRLF (RFC 9112 5). DONE: *at stands behind it. */
static cn_h1_progress_t cn_h1_parse_field(const char **at, const char *end, cn_h1_field_t *field) {
    const char *p = *at, *last;
    field->name.data = p;
    p = cn_h1_skip_name(p, end);
    if (p == end) return CN_H1_MORE;
    if (CN_UNLIKELY(*p != ':' || p == *at)) return CN_H1_BAD;
    field->name.len = (size_t)(p - *at);
    p++;
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    field->value.data = p;
    p = cn_h1_skip_value(p, end);
    if (end - p < 2) return p == end || *p == '\r' ? CN_H1_MORE : CN_H1_BAD;
    if (CN_UNLIKELY(p[0] != '\r' || p[1] != '\n')) return CN_H1_BAD;
    last = p;
    while (last > field->value.data && (last[-1] == ' ' || last[-1] == '\t'))
        last--;
    field->value.len = (size_t)(last - field->value.data);
    *at = p + 2;
    return CN_H1_DONE;
}

/* DIGIT *DIGIT, no leading zero: some would read it as octal. */
static bool cn_h1_parse_length(connect_str_t text, int64_t *length) {
    uint64_t value;
    if (!cn_str_to_uint(text, 19, &value) || value > (uint64_t)INT64_MAX) return false;
    if (text.data[0] == '0' && text.len > 1) return false;
    *length = (int64_t)value;
    return true;
}

/* The value of Transfer-Encoding: "chunked" alone is understood. A well-formed list of other codings, with "chunked"
   nowhere but at its end, is not implemented; all else is an error. */
static cn_h1_progress_t cn_h1_parse_coding(cn_h1_section_t *section, connect_str_t value) {
    connect_str_t part;
    bool chunked = false;
    if (section->has_coding) return cn_h1_bad(section, 400, "two Transfer-Encoding fields");
    section->has_coding = true;
    if (cn_str_equal_nocase(value, CN_STR("chunked"))) return CN_H1_DONE;
    while (cn_str_split(&value, ',', &part)) {
        part = cn_str_trim(part);
        if (!cn_header_name_valid(part) || chunked) return cn_h1_bad(section, 400, "invalid Transfer-Encoding");
        chunked = cn_str_equal_nocase(part, CN_STR("chunked"));
    }
    section->unknown_coding = true;
    return CN_H1_DONE;
}

/* Compares a field name of 4 to 24 token characters with one in lower case of the same length. Bit 0x20 makes letters
   lower; no other token character becomes one of those that names are made of here, letters and "-". */
static bool cn_h1_name_is(connect_str_t name, const char *lower) {
    uint64_t a, b;
    uint32_t c, d;
    size_t at;
    if (name.len < 8) {
        memcpy(&c, name.data, 4);
        memcpy(&d, lower, 4);
        if ((c | UINT32_C(0x20202020)) != d) return false;
        memcpy(&c, name.data + name.len - 4, 4);
        memcpy(&d, lower + name.len - 4, 4);
        return (c | UINT32_C(0x20202020)) == d;
    }
    for (at = 0; at + 8 < name.len; at += 8) {
        memcpy(&a, name.data + at, 8);
        memcpy(&b, lower + at, 8);
        if ((a | CN_H1_EACH(0x20)) != b) return false;
    }
    memcpy(&a, name.data + name.len - 8, 8);
    memcpy(&b, lower + name.len - 8, 8);
    return (a | CN_H1_EACH(0x20)) == b;
}

/* The fields that HTTP/1.1 itself needs. */
static cn_h1_progress_t cn_h1_note_field(
    cn_http_t *http, cn_h1_section_t *section, const char *base, const cn_h1_field_t *field) {
    const cn_h1_t *s = (const cn_h1_t *)http->state;
    connect_str_t value = field->value, part;
    bool in_trailers = s->read == CN_H1_TRAILERS;
    switch (field->name.len) {
    case 4:
        if (!cn_h1_name_is(field->name, "host")) break;
        if (in_trailers) return cn_h1_bad(section, 400, "Host in trailers");
        if (section->has_host) return cn_h1_bad(section, 400, "two Host fields");
        section->has_host = true;
        section->host_at = (size_t)(value.data - base);
        section->host_len = value.len;
        break;
    case 6:
        if (!http->is_server || in_trailers || !cn_h1_name_is(field->name, "expect")) break;
        if (!cn_str_equal_nocase(value, CN_STR("100-continue"))) return cn_h1_bad(section, 417, "unknown expectation");
        section->expects = true;
        break;
    case 10:
        if (in_trailers || !cn_h1_name_is(field->name, "connection")) break;
        while (cn_str_split(&value, ',', &part)) {
            part = cn_str_trim(part);
            if (cn_str_equal_nocase(part, CN_STR("close")))
                section->close = true;
            else if (cn_str_equal_nocase(part, CN_STR("keep-alive")))
                section->keep_alive = true;
        }
        break;
    case 14:
        if (!cn_h1_name_is(field->name, "content-length")) break;
        if (in_trailers) return cn_h1_bad(section, 400, "Content-Length in trailers");
        if (section->has_length) return cn_h1_bad(section, 400, "two Content-Length fields");
        section->has_length = true;
        if (!cn_h1_parse_length(value, &section->content_length))
            return cn_h1_bad(section, 400, "invalid Content-Length");
        break;
    case 17:
        if (!cn_h1_name_is(field->name, "transfer-encoding")) break;
        if (in_trailers) return cn_h1_bad(section, 400, "Transfer-Encoding in trailers");
        return cn_h1_parse_coding(section, value);
    default: break;
    }
    return CN_H1_DONE;
}

/* HTTP-version CRLF; DONE: *at stands behind it. A line that is too short for it must not look like one that is not
   there yet. */
static cn_h1_progress_t cn_h1_parse_version(cn_h1_section_t *section, const char **at, const char *end) {
    const char *p = *at;
    if (end - p < 10) {
        if (memchr(p, '\n', (size_t)(end - p))) return cn_h1_bad(section, 400, "invalid request line");
        return CN_H1_MORE;
    }
    if (memcmp(p, "HTTP/", 5) != 0 || p[5] < '0' || p[5] > '9' || p[6] != '.' || p[7] < '0' || p[7] > '9' ||
        p[8] != '\r' || p[9] != '\n')
        return cn_h1_bad(section, 400, "invalid request line");
    if (p[5] != '1' || p[7] > '1') return cn_h1_bad(section, 505, "unknown HTTP version");
    section->minor = (uint8_t)(p[7] - '0');
    *at = p + 10;
    return CN_H1_DONE;
}

static bool cn_h1_starts_nocase(connect_str_t text, connect_str_t prefix) {
    return text.len >= prefix.len && cn_str_equal_nocase(cn_str(text.data, prefix.len), prefix);
}

/* The length of "http://" or "https://" before an authority, or 0. */
static size_t cn_h1_scheme_len(connect_str_t target) {
    if (cn_h1_starts_nocase(target, CN_STR("http://"))) return 7;
    if (cn_h1_starts_nocase(target, CN_STR("https://"))) return 8;
    return 0;
}

/* request-line = method SP request-target SP HTTP-version CRLF (RFC 9112 3) */
static cn_h1_progress_t cn_h1_parse_request_line(
    const cn_http_t *http, cn_h1_section_t *section, const char *base, const char *end) {
    const unsigned char *chars = cn_header_chars();
    const char *p = base + section->line, *start;
    connect_str_t method, target;
    cn_h1_progress_t progress;
    if (p < end && *p == '\r' && !section->blank) {
        if (end - p < 2) return CN_H1_MORE;
        if (p[1] == '\n') {
            section->blank = true;
            section->line += 2;
            p += 2;
        }
    }
    start = p;
    while (p < end && (chars[(unsigned char)*p] & CN_CHAR_TOKEN))
        p++;
    if ((size_t)(p - start) > CN_H1_METHOD_MAX) return cn_h1_bad(section, 400, "method too long");
    if (p == end) return CN_H1_MORE;
    if (*p != ' ' || p == start) return cn_h1_bad(section, 400, "invalid request line");
    method = cn_str(start, (size_t)(p - start));
    target.data = ++p;
    p = cn_h1_skip_target(p, end);
    if (p == end) return CN_H1_MORE;
    target.len = (size_t)(p - target.data);
    if (*p != ' ' || target.len == 0) return cn_h1_bad(section, 400, "invalid request line");
    p++;
    progress = cn_h1_parse_version(section, &p, end);
    if (progress != CN_H1_DONE) return progress;
    if ((size_t)(p - start) - 2 > http->limits->url_bytes) return cn_h1_bad(section, 414, "start line too long");
    if (connect_str_equal(method, CN_STR("CONNECT"))) return cn_h1_bad(section, 405, "CONNECT is not served");
    if (connect_str_equal(method, CN_STR("TRACE"))) return cn_h1_bad(section, 405, "TRACE is not served");
    if (target.data[0] != '/' && cn_h1_scheme_len(target) == 0 &&
        !(connect_str_equal(target, CN_STR("*")) && connect_str_equal(method, CN_STR("OPTIONS"))))
        return cn_h1_bad(section, 400, "invalid request target");
    section->method_at = (size_t)(method.data - base);
    section->method_len = method.len;
    section->target_at = (size_t)(target.data - base);
    section->target_len = target.len;
    section->line = section->fields_at = (size_t)(p - base);
    section->started = true;
    return CN_H1_DONE;
}

/* status-line = HTTP-version SP status-code SP [ reason-phrase ] CRLF (RFC 9112 4). The last space is often left out
   where there is no phrase. */
static cn_h1_progress_t cn_h1_parse_status_line(
    const cn_http_t *http, cn_h1_section_t *section, const char *base, const char *end) {
    const char *p = base + section->line, *start = p;
    size_t i;
    if (end - p < 14) {
        if (p < end && memchr(p, '\n', (size_t)(end - p))) return cn_h1_bad(section, 400, "invalid status line");
        return CN_H1_MORE;
    }
    if (memcmp(p, "HTTP/1.", 7) != 0 || (p[7] != '0' && p[7] != '1') || p[8] != ' ')
        return cn_h1_bad(section, 400, "invalid status line");
    section->minor = (uint8_t)(p[7] - '0');
    section->status = 0;
    for (i = 9; i < 12; i++) {
        if (p[i] < '0' || p[i] > '9') return cn_h1_bad(section, 400, "invalid status line");
        section->status = section->status * 10 + (p[i] - '0');
    }
    if (section->status < 100 || (p[12] != ' ' && p[12] != '\r')) return cn_h1_bad(section, 400, "invalid status line");
    p = cn_h1_skip_value(p + 12, end);
    if (end - p < 2 && (p == end || *p == '\r')) return CN_H1_MORE;
    if (end - p < 2 || p[0] != '\r' || p[1] != '\n') return cn_h1_bad(section, 400, "invalid status line");
    if ((size_t)(p - start) > http->limits->url_bytes) return cn_h1_bad(section, 414, "start line too long");
    section->line = section->fields_at = (size_t)(p + 2 - base);
    section->started = true;
    return CN_H1_DONE;
}

/* Tells whether a line of which `pending` bytes are there without its end can still be within the limits. */
static cn_h1_progress_t cn_h1_check_pending(const cn_http_t *http, cn_h1_section_t *section, size_t pending) {
    if (pending <= 2) return CN_H1_MORE; /* its CRLF does not count */
    if (!section->started && pending - 2 > http->limits->url_bytes)
        return cn_h1_bad(section, 414, "start line too long");
    if (section->started && pending - 2 > http->limits->header_bytes - section->bytes)
        return cn_h1_bad(section, 431, "headers too large");
    return CN_H1_MORE;
}

/* Parses on from section->line. fields: records the first CN_H1_RECORDED; or NULL. */
static cn_h1_progress_t cn_h1_parse_section(
    cn_http_t *http, cn_h1_section_t *section, const char *base, const char *end, cn_h1_field_t *fields) {
    const connect_limits_t *limits = http->limits;
    if (!section->started) {
        cn_h1_progress_t progress = http->is_server ? cn_h1_parse_request_line(http, section, base, end)
                                                    : cn_h1_parse_status_line(http, section, base, end);
        if (progress == CN_H1_MORE) return cn_h1_check_pending(http, section, (size_t)(end - base) - section->line);
        if (progress == CN_H1_BAD) return CN_H1_BAD;
    }
    for (;;) {
        const char *line = base + section->line, *p = line;
        cn_h1_field_t field;
        size_t cost;
        cn_h1_progress_t progress;
        if (p < end && *p == '\r') {
            if (end - p < 2) return CN_H1_MORE;
            if (p[1] != '\n') return cn_h1_bad(section, 400, "a CR that ends no line");
            section->line += 2;
            return CN_H1_DONE;
        }
        progress = cn_h1_parse_field(&p, end, &field);
        if (CN_UNLIKELY(progress == CN_H1_MORE)) return cn_h1_check_pending(http, section, (size_t)(end - line));
        if (CN_UNLIKELY(progress == CN_H1_BAD)) return cn_h1_bad(section, 400, "invalid header field");
        cost = CN_MAX((size_t)(p - line) - 2 + CN_H1_FIELD_COST, field.name.len + field.value.len + 32);
        if (section->count >= limits->header_count || cost > limits->header_bytes - section->bytes)
            return cn_h1_bad(section, 431, "headers too large");
        section->bytes += cost;
        if (fields && section->count < CN_H1_RECORDED) fields[section->count] = field;
        section->count++;
        section->line = (size_t)(p - base);
        if (cn_h1_note_field(http, section, base, &field) == CN_H1_BAD) return CN_H1_BAD;
    }
}

/* Field by field: it is done for every message, and the rest is written before it is read. */
static void cn_h1_new_section(cn_h1_t *s, bool started) {
    cn_h1_section_t *section = &s->section;
    section->line = section->fields_at = section->count = section->bytes = 0;
    section->content_length = -1;
    section->started = started;
    section->blank = false;
    section->has_host = section->has_length = section->has_coding = section->unknown_coding = false;
    section->close = section->keep_alive = section->expects = false;
}

/* Copies a parsed section into the arena in one piece: every text of it is then a part of this block. */
static char *cn_h1_copy_section(const cn_h1_section_t *section, const char *base, connect_arena_t *arena) {
    char *block = (char *)cn_arena_raw(arena, section->line);
    if (block) memcpy(block, base, section->line);
    return block;
}

/* Makes the list of the fields of a parsed section, in its copy: names get lower case, texts a zero where the colon,
   white space or CR behind them was. Limits were checked line by line. fields: the first `recorded` ones, in `base`. */
static bool cn_h1_list_fields(const cn_h1_section_t *section, const char *base, char *block,
    const cn_h1_field_t *fields, size_t recorded, cn_headers_t *to, connect_arena_t *arena) {
    const char *end = base + section->line, *p = base + section->fields_at;
    size_t i;
    if (!cn_headers_reserve(to, arena, section->count)) return false;
    for (i = 0; i < section->count; i++) {
        cn_h1_field_t field;
        char *name, *value;
        if (i < recorded) {
            field = fields[i];
            if (i + 1 == recorded && recorded < section->count) {
                p = field.value.data + field.value.len;
                p = (const char *)memchr(p, '\n', (size_t)(end - p)) + 1;
            }
        } else if (cn_h1_parse_field(&p, end, &field) != CN_H1_DONE) {
            return false;
        }
        name = block + (field.name.data - base);
        value = block + (field.value.data - base);
        cn_header_lower(name, name, field.name.len);
        name[field.name.len] = 0;
        value[field.value.len] = 0;
        cn_headers_add(to, cn_str(name, field.name.len), cn_str(value, field.value.len));
    }
    return true;
}

static bool cn_h1_copy_fields(const cn_h1_section_t *section, const char *base, const cn_h1_field_t *fields,
    size_t recorded, cn_headers_t *to, connect_arena_t *arena) {
    char *block;
    if (section->count == 0) return true;
    block = cn_h1_copy_section(section, base, arena);
    return block && cn_h1_list_fields(section, base, block, fields, recorded, to, arena);
}

/* ---- Ends ------------------------------------------------------------------------------------------------------- */

/* Nothing more is read, and the connection is closed when all is out. */
static void cn_h1_shut(cn_http_t *http) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    s->read = CN_H1_DEAD;
    s->keep = false;
    s->expects = false;
    cn_buf_free(&s->held, http->allocator);
    http->head_since_ms = -1;
    http->read_blocked = false;
    http->draining = true;
    http->closing = true;
}

static void cn_h1_tell_room(cn_http_t *http) {
    if (!http->is_server && !http->stopped && http->events->on_room) http->events->on_room(http);
}

/* Ends the exchange before its time, and the connection with it. */
static void cn_h1_lose(cn_http_t *http, connect_code_t code, const char *why) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    cn_exchange_t *x = s->x;
    cn_h1_shut(http);
    if (x) {
        s->x = NULL;
        cn_buf_clear(&x->out);
        x->close_code = code;
        x->close_why = why;
        cn_exchange_close(x);
    }
    cn_h1_tell_room(http);
}

/* After reset. What the client has not sent of its request stays unsent; what the server has not sent of its response
   too, but what stands before it may be the end of another one. */
static void cn_h1_abort(cn_http_t *http) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    if (!http->is_server) cn_buf_clear(&http->out);
    cn_h1_lose(http, s->x->close_code, s->x->close_why);
}

/* Both messages are done with. */
static void cn_h1_finish(cn_http_t *http) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    cn_exchange_t *x = s->x;
    if (!s->keep || http->draining || !x->received_end) {
        cn_h1_shut(http);
    } else {
        s->read = CN_H1_HEAD;
        http->read_blocked = false;
        cn_h1_new_section(s, false);
    }
    s->x = NULL;
    cn_exchange_close(x);
    cn_h1_tell_room(http);
    cn_http_wake(http);
}

static connect_code_t cn_h1_refusal_code(const cn_http_t *http, int status) {
    switch (status) {
    case 414:
    case 431:
    case 503: return CONNECT_RESOURCE_EXHAUSTED;
    default: return http->is_server ? CONNECT_INVALID_ARGUMENT : CONNECT_INTERNAL;
    }
}

#define CN_H1_REFUSAL(line) "HTTP/1.1 " line "\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"

static connect_str_t cn_h1_refusal_text(int status) {
    switch (status) {
    case 405:
        return CN_STR("HTTP/1.1 405 Method Not Allowed\r\nallow: GET, POST\r\ncontent-length: 0\r\n"
                      "connection: close\r\n\r\n");
    case 414: return CN_STR(CN_H1_REFUSAL("414 URI Too Long"));
    case 417: return CN_STR(CN_H1_REFUSAL("417 Expectation Failed"));
    case 431: return CN_STR(CN_H1_REFUSAL("431 Request Header Fields Too Large"));
    case 501: return CN_STR(CN_H1_REFUSAL("501 Not Implemented"));
    case 503: return CN_STR(CN_H1_REFUSAL("503 Service Unavailable"));
    case 505: return CN_STR(CN_H1_REFUSAL("505 HTTP Version Not Supported"));
    default: return CN_STR(CN_H1_REFUSAL("400 Bad Request"));
    }
}

/* The peer's message cannot be taken. */
static void cn_h1_refuse(cn_http_t *http, int status, const char *why) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    cn_exchange_t *x = s->x;
    if (http->is_server && x && x->sent_end) { /* its response is given: that still goes out */
        s->read = CN_H1_DEAD;
        s->keep = false;
        http->read_blocked = false;
        return;
    }
    if (http->is_server && !(x && x->sent_head)) /* without memory the connection just closes */
        (void)cn_buf_append_str(&http->out, http->allocator, cn_h1_refusal_text(status));
    cn_h1_lose(http, cn_h1_refusal_code(http, status), why);
}

/* ---- Sending ---------------------------------------------------------------------------------------------------- */

static char *cn_h1_put(char *to, const char *bytes, size_t len) {
    memcpy(to, bytes, len);
    return to + len;
}

#define CN_H1_PUT(to, literal) cn_h1_put((to), (literal), sizeof(literal) - 1)

static size_t cn_h1_fields_size(const connect_header_t *items, size_t count) {
    size_t size = 0, i;
    for (i = 0; i < count; i++)
        size += strlen(items[i].name) + items[i].value.len + 4;
    return size;
}

static char *cn_h1_put_fields(char *to, const connect_header_t *items, size_t count) {
    size_t i;
    for (i = 0; i < count; i++) {
        to = cn_h1_put(to, items[i].name, strlen(items[i].name));
        to = CN_H1_PUT(to, ": ");
        if (items[i].value.len) to = cn_h1_put(to, items[i].value.data, items[i].value.len);
        to = CN_H1_PUT(to, "\r\n");
    }
    return to;
}

static char *cn_h1_put_hex(char *to, uint64_t value) {
    static const char digits[] = "0123456789abcdef";
    unsigned shift = 60;
    while (shift && !(value >> shift))
        shift -= 4;
    for (;; shift -= 4) {
        *to++ = digits[(value >> shift) & 15];
        if (shift == 0) return to;
    }
}

/* Writes the end of the message. Returns false: out of memory. */
static bool cn_h1_write_end(cn_http_t *http, cn_exchange_t *x) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    if (s->write == CN_H1_CHUNKED) {
        const connect_headers_t trailers = x->out_trailers;
        char *start =
            cn_buf_reserve(&http->out, http->allocator, cn_h1_fields_size(trailers.items, trailers.count) + 5);
        char *to = start;
        if (!start) return false;
        to = CN_H1_PUT(to, "0\r\n");
        to = cn_h1_put_fields(to, trailers.items, trailers.count);
        to = CN_H1_PUT(to, "\r\n");
        cn_buf_commit(&http->out, (size_t)(to - start));
    }
    s->write_done = true;
    return true;
}

/* Moves `len` bytes of the body, framed. Returns false: out of memory. */
static bool cn_h1_write_body(cn_http_t *http, cn_exchange_t *x, size_t len) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    char *start = cn_buf_reserve(&http->out, http->allocator, len + 24), *to = start;
    if (!start) return false;
    if (s->write == CN_H1_CHUNKED) {
        to = cn_h1_put_hex(to, len);
        to = CN_H1_PUT(to, "\r\n");
    }
    to = cn_h1_put(to, cn_buf_view(&x->out).data, len);
    if (s->write == CN_H1_CHUNKED) to = CN_H1_PUT(to, "\r\n");
    cn_buf_commit(&http->out, (size_t)(to - start));
    cn_buf_drop(&x->out, len);
    x->out_taken += len;
    return true;
}

/* Moves what may go out now into http->out, and ends the exchange when there is nothing left to do for it. */
static void cn_h1_transfer(cn_http_t *http) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    cn_exchange_t *x;
    while ((x = s->x) != NULL && !http->stopped) {
        const size_t waiting = cn_buf_len(&x->out), used = cn_buf_len(&http->out);
        const size_t most = http->limits->connection_buffer;
        size_t len = used < most ? CN_MIN(waiting, most - used) : 0;
        if (x->reset) {
            cn_h1_abort(http);
            return;
        }
        if (!x->sent_head) return;
        if (waiting > http->limits->stream_buffer) x->over_high_water = true;
        if (len < waiting && used > most / 2) len = 0; /* no small chunks: there will be more room */
        if (s->write == CN_H1_NO_BODY) {
            cn_buf_clear(&x->out);
        } else if (s->write == CN_H1_SIZED && len > s->write_left) {
            cn_h1_lose(http, CONNECT_INTERNAL, "the body is longer than was declared");
            return;
        } else if (len) {
            if (!cn_h1_write_body(http, x, len)) {
                cn_h1_lose(http, CONNECT_RESOURCE_EXHAUSTED, "out of memory");
                return;
            }
            if (s->write == CN_H1_SIZED) s->write_left -= len;
        }
        if (x->over_high_water && cn_buf_len(&x->out) < http->limits->stream_buffer / 2) {
            x->over_high_water = false;
            x->events->on_writable(x);
            if (x->reset || cn_buf_len(&x->out)) continue;
        }
        if (!x->sent_end || cn_buf_len(&x->out)) return;
        if (s->write == CN_H1_SIZED && s->write_left) {
            cn_h1_lose(http, CONNECT_INTERNAL, "the body is shorter than was declared");
            return;
        }
        if (!s->write_done && !cn_h1_write_end(http, x)) {
            cn_h1_lose(http, CONNECT_RESOURCE_EXHAUSTED, "out of memory");
            return;
        }
        if (http->is_server && !x->received_end && s->read != CN_H1_DEAD &&
            (s->drop_rest || (s->read == CN_H1_FIXED && s->left > s->drain_left)))
            s->read = CN_H1_DEAD;
        if (!x->received_end && s->read != CN_H1_DEAD) return;
        cn_h1_finish(http);
    }
}

static connect_str_t cn_h1_status_line(int status) {
    switch (status) {
    case 200: return CN_STR("HTTP/1.1 200 OK\r\n");
    case 204: return CN_STR("HTTP/1.1 204 No Content\r\n");
    case 304: return CN_STR("HTTP/1.1 304 Not Modified\r\n");
    case 400: return CN_STR("HTTP/1.1 400 Bad Request\r\n");
    case 401: return CN_STR("HTTP/1.1 401 Unauthorized\r\n");
    case 403: return CN_STR("HTTP/1.1 403 Forbidden\r\n");
    case 404: return CN_STR("HTTP/1.1 404 Not Found\r\n");
    case 405: return CN_STR("HTTP/1.1 405 Method Not Allowed\r\n");
    case 408: return CN_STR("HTTP/1.1 408 Request Timeout\r\n");
    case 409: return CN_STR("HTTP/1.1 409 Conflict\r\n");
    case 412: return CN_STR("HTTP/1.1 412 Precondition Failed\r\n");
    case 413: return CN_STR("HTTP/1.1 413 Content Too Large\r\n");
    case 415: return CN_STR("HTTP/1.1 415 Unsupported Media Type\r\n");
    case 429: return CN_STR("HTTP/1.1 429 Too Many Requests\r\n");
    case 431: return CN_STR("HTTP/1.1 431 Request Header Fields Too Large\r\n");
    case 499: return CN_STR("HTTP/1.1 499 Client Closed Request\r\n");
    case 500: return CN_STR("HTTP/1.1 500 Internal Server Error\r\n");
    case 501: return CN_STR("HTTP/1.1 501 Not Implemented\r\n");
    case 502: return CN_STR("HTTP/1.1 502 Bad Gateway\r\n");
    case 503: return CN_STR("HTTP/1.1 503 Service Unavailable\r\n");
    case 504: return CN_STR("HTTP/1.1 504 Gateway Timeout\r\n");
    case 505: return CN_STR("HTTP/1.1 505 HTTP Version Not Supported\r\n");
    default: return cn_str(NULL, 0);
    }
}

/* "content-length: 12\r\n" or "transfer-encoding: chunked\r\n", as s->write says. */
static char *cn_h1_put_framing(const cn_h1_t *s, char *to) {
    if (s->write == CN_H1_SIZED) {
        to = CN_H1_PUT(to, "content-length: ");
        to += cn_str_from_uint(to, s->write_left);
        return CN_H1_PUT(to, "\r\n");
    }
    if (s->write == CN_H1_CHUNKED) return CN_H1_PUT(to, "transfer-encoding: chunked\r\n");
    return to;
}

/* Room for a head, and for a small body behind it. */
static char *cn_h1_reserve_head(cn_http_t *http, const cn_head_t *head, size_t more) {
    size_t size = cn_h1_fields_size(head->headers, head->header_count) + more;
    if (head->content_length > 0 && head->content_length <= 16384) size += (size_t)head->content_length + 24;
    return cn_buf_reserve(&http->out, http->allocator, size);
}

static bool cn_h1_send_response(cn_http_t *http, cn_exchange_t *x, const cn_head_t *head, bool end) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    connect_str_t line = cn_h1_status_line(head->status);
    char *start = cn_h1_reserve_head(http, head, 256), *to = start;
    if (!start) return false;
    if (s->expects) {
        if (end || head->content_length >= 0) {
            s->keep = false;
            s->drop_rest = true;
        } else {
            to = CN_H1_PUT(to, "HTTP/1.1 100 Continue\r\n\r\n");
        }
        s->expects = false;
    }
    if (http->draining) s->keep = false;
    if (!x->received_end && (s->read != CN_H1_FIXED || s->left > s->drain_left)) {
        s->keep = false;
        s->drop_rest = true;
    }
    s->write_left = head->content_length > 0 ? (uint64_t)head->content_length : 0;
    if (head->status == 204 || head->status == 304) {
        s->write = CN_H1_NO_BODY;
    } else if (head->content_length >= 0 || end) {
        s->write = CN_H1_SIZED;
    } else if (s->minor >= 1) {
        s->write = CN_H1_CHUNKED;
    } else {
        s->write = CN_H1_CLOSE_DELIMITED;
        s->keep = false;
    }
    if (line.data) {
        to = cn_h1_put(to, line.data, line.len);
    } else {
        to = CN_H1_PUT(to, "HTTP/1.1 ");
        to += cn_str_from_uint(to, (uint64_t)CN_MAX(CN_MIN(head->status, 999), 100));
        to = CN_H1_PUT(to, " \r\n");
    }
    to = cn_h1_put_fields(to, head->headers, head->header_count);
    to = cn_h1_put_framing(s, to);
    if (!s->keep)
        to = CN_H1_PUT(to, "connection: close\r\n");
    else if (s->minor == 0)
        to = CN_H1_PUT(to, "connection: keep-alive\r\n");
    to = CN_H1_PUT(to, "\r\n");
    cn_buf_commit(&http->out, (size_t)(to - start));
    if (x->is_head_request) s->write = CN_H1_NO_BODY;
    return true;
}

static bool cn_h1_send_request(cn_http_t *http, cn_exchange_t *x, const cn_head_t *head, bool end) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    char *start = cn_h1_reserve_head(http, head, head->method.len + head->path.len + head->authority.len + 160);
    char *to = start;
    bool bodyless = connect_str_equal(head->method, CN_STR("GET")) || connect_str_equal(head->method, CN_STR("HEAD"));
    if (!start) return false;
    x->is_head_request = connect_str_equal(head->method, CN_STR("HEAD"));
    s->write_left = head->content_length > 0 ? (uint64_t)head->content_length : 0;
    if (end && bodyless)
        s->write = CN_H1_NO_BODY;
    else
        s->write = head->content_length >= 0 || end ? CN_H1_SIZED : CN_H1_CHUNKED;
    if (http->draining) s->keep = false;
    to = cn_h1_put(to, head->method.data, head->method.len);
    *to++ = ' ';
    to = cn_h1_put(to, head->path.data, head->path.len);
    to = CN_H1_PUT(to, " HTTP/1.1\r\nhost: ");
    if (head->authority.len) to = cn_h1_put(to, head->authority.data, head->authority.len);
    to = CN_H1_PUT(to, "\r\n");
    to = cn_h1_put_fields(to, head->headers, head->header_count);
    to = cn_h1_put_framing(s, to);
    if (!s->keep) to = CN_H1_PUT(to, "connection: close\r\n");
    to = CN_H1_PUT(to, "\r\n");
    cn_buf_commit(&http->out, (size_t)(to - start));
    return true;
}

/* ---- Receiving -------------------------------------------------------------------------------------------------- */

/* All of the peer's message is in. */
static void cn_h1_message_end(cn_http_t *http) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    cn_exchange_t *x = s->x;
    s->read = CN_H1_WHOLE;
    s->expects = false;
    x->received_end = true;
    x->received_ms = http->now_ms;
    if (!http->is_server || !x->sent_end) x->events->on_end(x);
    cn_h1_transfer(http);
}

/* Checks what can be judged only when the head is whole. Returns false: it is refused. */
static bool cn_h1_check_request(cn_h1_section_t *head, const char *base) {
    connect_str_t target = cn_str(base + head->target_at, head->target_len), host = {NULL, 0};
    size_t scheme = cn_h1_scheme_len(target);
    if (head->has_coding && head->minor == 0)
        return cn_h1_bad(head, 400, "Transfer-Encoding in HTTP/1.0") == CN_H1_DONE;
    if (head->has_coding && head->has_length)
        return cn_h1_bad(head, 400, "Transfer-Encoding and Content-Length") == CN_H1_DONE;
    if (head->unknown_coding) return cn_h1_bad(head, 501, "unknown transfer coding") == CN_H1_DONE;
    if (head->has_host) {
        host = cn_str(base + head->host_at, head->host_len);
        if (!cn_header_authority_valid(host)) return cn_h1_bad(head, 400, "invalid Host") == CN_H1_DONE;
    } else if (head->minor >= 1) {
        return cn_h1_bad(head, 400, "no Host") == CN_H1_DONE;
    }
    if (scheme) {
        connect_str_t authority = cn_str(target.data + scheme, 0);
        while (scheme + authority.len < target.len && authority.data[authority.len] != '/' &&
            authority.data[authority.len] != '?')
            authority.len++;
        if (!cn_header_authority_valid(authority) || (head->has_host && !cn_str_equal_nocase(authority, host)))
            return cn_h1_bad(head, 400, "the target's authority is not that of Host") == CN_H1_DONE;
    }
    return true;
}

/* Fills in x from a head. The target has three forms (RFC 9112 3.2): path is what is routed by, authority that of the
   absolute-form or Host. Returns false: out of memory. */
static bool cn_h1_store_request(
    cn_exchange_t *x, const cn_h1_section_t *head, const char *base, const cn_h1_field_t *fields, size_t recorded) {
    char *block = cn_h1_copy_section(head, base, x->arena), *target;
    size_t at, start;
    if (!block) return false;
    target = block + head->target_at;
    target[head->target_len] = 0;
    block[head->method_at + head->method_len] = 0;
    x->method = cn_str(block + head->method_at, head->method_len);
    x->path = cn_str(target, head->target_len);
    if (head->has_host) x->authority = cn_str(block + head->host_at, head->host_len);
    start = at = cn_h1_scheme_len(x->path);
    if (at) {
        while (at < head->target_len && target[at] != '/' && target[at] != '?')
            at++;
        x->authority = cn_str(target + start, at - start);
        x->path = cn_str(target + at, head->target_len - at);
        if (x->path.len == 0 || x->path.data[0] == '?')
            x->path = connect_arena_printf(x->arena, "/" CONNECT_STR_FMT, CONNECT_STR_ARG(x->path));
        if (!x->path.data) return false;
    }
    return cn_h1_list_fields(head, base, block, fields, recorded, &x->headers, x->arena);
}

/* What is the same for a request's head and a final response's: the head is done with, a body may come. */
static void cn_h1_begin_body(cn_http_t *http, cn_exchange_t *x, cn_h1_read_t read, int64_t length) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    s->minor = s->section.minor;
    s->read = (uint8_t)read;
    s->left = length > 0 ? (uint64_t)length : 0;
    s->chunk_at = CN_H1_SIZE_FIRST;
    s->chunk_line = s->chunk_extensions = s->chunk_digits = 0;
    s->drain_left = CN_H1_DRAIN_MAX;
    if (read == CN_H1_UNTIL_EOF) s->left = UINT64_MAX;
    cn_buf_free(&s->held, http->allocator);
    cn_h1_new_section(s, false);
    http->head_since_ms = -1;
    x->received_head = true;
    x->received_ms = http->now_ms;
    if (http->stopped) return;
    x->events->on_head(x);
    if (s->read == CN_H1_FIXED && s->left == 0 && !x->reset && !http->stopped) cn_h1_message_end(http);
}

static void cn_h1_request_head(cn_http_t *http, const char *base, const cn_h1_field_t *fields, size_t recorded) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    cn_h1_section_t *head = &s->section;
    cn_exchange_t *x;
    if (!cn_h1_check_request(head, base)) {
        cn_h1_refuse(http, head->refusal, head->why);
        return;
    }
    x = http->events->on_begin(http);
    if (!x) {
        cn_h1_refuse(http, 503, "no room");
        return;
    }
    s->x = x;
    cn_exchange_attach(http, x);
    if (!cn_h1_store_request(x, head, base, fields, recorded)) {
        cn_h1_refuse(http, 503, "out of memory");
        return;
    }
    x->content_length = head->content_length;
    x->is_head_request = connect_str_equal(x->method, CN_STR("HEAD"));
    if (s->requests < UINT32_MAX) s->requests++;
    s->keep = !head->close && (head->minor >= 1 || head->keep_alive) && s->requests < http->limits->requests &&
        !http->draining;
    s->expects = head->expects && head->minor >= 1 && (head->has_coding || head->content_length > 0);
    s->drop_rest = false;
    s->write_done = false;
    s->write = CN_H1_NO_BODY;
    cn_h1_begin_body(http, x, head->has_coding ? CN_H1_CHUNK : CN_H1_FIXED, head->content_length);
}

static void cn_h1_response_head(cn_http_t *http, const char *base, const cn_h1_field_t *fields, size_t recorded) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    cn_h1_section_t *head = &s->section;
    cn_exchange_t *x = s->x;
    cn_h1_read_t read;
    int64_t length = head->content_length;
    if (head->status == 101) {
        cn_h1_refuse(http, 400, "the server switches protocols, unasked");
        return;
    }
    if (head->status < 200) {
        if (++s->interim > CN_H1_INTERIM_MAX) {
            cn_h1_refuse(http, 400, "too many interim responses");
            return;
        }
        cn_buf_free(&s->held, http->allocator);
        cn_h1_new_section(s, false);
        http->head_since_ms = -1;
        return;
    }
    if (head->has_coding && (head->minor == 0 || head->has_length || head->unknown_coding)) {
        cn_h1_refuse(http, 400, "invalid Transfer-Encoding");
        return;
    }
    if (!cn_h1_copy_fields(head, base, fields, recorded, &x->headers, x->arena)) {
        cn_h1_refuse(http, 503, "out of memory");
        return;
    }
    x->status = head->status;
    http->settled = true;
    x->content_length = head->content_length;
    if (head->close || (head->minor == 0 && !head->keep_alive)) s->keep = false;
    if (x->is_head_request || head->status == 204 || head->status == 304) {
        read = CN_H1_FIXED;
        length = 0;
    } else if (head->has_coding) {
        read = CN_H1_CHUNK;
    } else if (head->has_length) {
        read = CN_H1_FIXED;
    } else {
        read = CN_H1_UNTIL_EOF;
        s->keep = false;
        x->until_eof = true;
    }
    cn_h1_begin_body(http, x, read, length);
}

static void cn_h1_section_whole(cn_http_t *http, const char *base, const cn_h1_field_t *fields, size_t recorded) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    if (s->read == CN_H1_TRAILERS) {
        if (!cn_h1_copy_fields(&s->section, base, fields, recorded, &s->x->trailers, s->x->arena)) {
            cn_h1_refuse(http, 503, "out of memory");
            return;
        }
        cn_buf_free(&s->held, http->allocator);
        cn_h1_message_end(http);
    } else if (http->is_server) {
        cn_h1_request_head(http, base, fields, recorded);
    } else {
        cn_h1_response_head(http, base, fields, recorded);
    }
}

/* Takes bytes of a head or a trailer section. Returns how many. */
static size_t cn_h1_feed_section(cn_http_t *http, const char *bytes, size_t len) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    cn_h1_field_t fields[CN_H1_RECORDED];
    cn_h1_progress_t progress;
    size_t taken = len;
    if (s->read == CN_H1_HEAD && http->head_since_ms < 0) http->head_since_ms = http->now_ms;
    if (cn_buf_len(&s->held) == 0) {
        progress = cn_h1_parse_section(http, &s->section, bytes, bytes + len, fields);
        if (progress == CN_H1_DONE) {
            taken = s->section.line;
            cn_h1_section_whole(http, bytes, fields, CN_MIN(s->section.count, (size_t)CN_H1_RECORDED));
            return taken;
        }
        if (progress == CN_H1_MORE && !cn_buf_append(&s->held, http->allocator, bytes, len))
            progress = cn_h1_bad(&s->section, 503, "out of memory");
    } else {
        const char *lf = (const char *)memchr(bytes, '\n', len);
        if (lf) taken = (size_t)(lf - bytes) + 1;
        if (!cn_buf_append(&s->held, http->allocator, bytes, taken)) {
            progress = cn_h1_bad(&s->section, 503, "out of memory");
        } else {
            connect_str_t held = cn_buf_view(&s->held);
            if (lf || cn_h1_check_pending(http, &s->section, held.len - s->section.line) == CN_H1_BAD)
                progress = cn_h1_parse_section(http, &s->section, held.data, held.data + held.len, NULL);
            else
                progress = CN_H1_MORE;
            if (progress == CN_H1_DONE) {
                cn_h1_section_whole(http, held.data, NULL, 0);
                return taken;
            }
        }
    }
    if (progress == CN_H1_BAD) cn_h1_refuse(http, s->section.refusal, s->section.why);
    return taken;
}

/* The value of a hexadecimal digit, or above 15. */
static unsigned cn_h1_hex(unsigned char c) {
    if (c >= '0' && c <= '9') return (unsigned)(c - '0');
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) : 16;
}

/* Where a chunk line stands after a byte that may end one of its parts; -1: the byte is an error there.
   chunk-ext = *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ) (RFC 9112 7.1.1) */
static int cn_h1_chunk_next(cn_h1_chunk_t at, unsigned char c) {
    const unsigned char kind = cn_header_chars()[c];
    const bool blank = c == ' ' || c == '\t', token = (kind & CN_CHAR_TOKEN) != 0;
    switch (at) {
    case CN_H1_SIZE:
    case CN_H1_SIZE_BWS:
        if (c == ';') return CN_H1_NAME_BWS;
        if (blank) return CN_H1_SIZE_BWS;
        return c == '\r' && at == CN_H1_SIZE ? CN_H1_LINE_LF : -1;
    case CN_H1_NAME_BWS: return blank ? CN_H1_NAME_BWS : token ? CN_H1_NAME : -1;
    case CN_H1_NAME:
    case CN_H1_EQUALS_BWS:
        if (token && at == CN_H1_NAME) return CN_H1_NAME;
        if (c == '=') return CN_H1_VALUE_BWS;
        if (c == ';') return CN_H1_NAME_BWS;
        if (blank) return CN_H1_EQUALS_BWS;
        return c == '\r' && at == CN_H1_NAME ? CN_H1_LINE_LF : -1;
    case CN_H1_VALUE_BWS: return blank ? CN_H1_VALUE_BWS : c == '"' ? CN_H1_QUOTED : token ? CN_H1_VALUE : -1;
    case CN_H1_VALUE:
        if (token) return CN_H1_VALUE;
        if (c == ';') return CN_H1_NAME_BWS;
        if (blank) return CN_H1_SEMICOLON_BWS;
        return c == '\r' ? CN_H1_LINE_LF : -1;
    case CN_H1_QUOTED:
        if (c == '"') return CN_H1_SEMICOLON_BWS;
        if (c == '\\') return CN_H1_ESCAPED;
        return kind & CN_CHAR_QUOTED ? CN_H1_QUOTED : -1;
    case CN_H1_ESCAPED: return kind & CN_CHAR_VALUE ? CN_H1_QUOTED : -1;
    case CN_H1_SEMICOLON_BWS:
        if (c == ';') return CN_H1_NAME_BWS;
        if (blank) return CN_H1_SEMICOLON_BWS;
        return c == '\r' ? CN_H1_LINE_LF : -1;
    case CN_H1_SIZE_FIRST:
    case CN_H1_LINE_LF:
    case CN_H1_DATA_CR:
    case CN_H1_DATA_LF:
    default: return -1;
    }
}

/* Takes bytes between the data of two chunks. Returns how many. */
static size_t cn_h1_feed_chunk_line(cn_http_t *http, const char *bytes, size_t len) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    const char *why = "invalid chunk";
    size_t i;
    s->x->received_ms = http->now_ms;
    s->expects = false;
    for (i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)bytes[i];
        const unsigned digit = cn_h1_hex(c);
        int next;
        switch ((cn_h1_chunk_t)s->chunk_at) {
        case CN_H1_DATA_CR:
            if (c != '\r') goto bad;
            s->chunk_at = CN_H1_DATA_LF;
            continue;
        case CN_H1_DATA_LF:
            if (c != '\n') goto bad;
            s->chunk_at = CN_H1_SIZE_FIRST;
            continue;
        case CN_H1_SIZE_FIRST:
            if (digit > 15) goto bad;
            s->left = digit;
            s->chunk_digits = s->chunk_line = 1;
            s->chunk_at = CN_H1_SIZE;
            continue;
        case CN_H1_LINE_LF:
            if (c != '\n') goto bad;
            if (s->left) {
                s->read = CN_H1_DATA;
            } else {
                s->read = CN_H1_TRAILERS;
                cn_h1_new_section(s, true);
            }
            return i + 1;
        case CN_H1_SIZE:
            if (digit <= 15) {
                if (++s->chunk_digits > 16 || s->left >> 59) goto bad;
                s->left = s->left << 4 | digit;
                s->chunk_line++;
                continue;
            }
            break;
        case CN_H1_SIZE_BWS:
        case CN_H1_NAME_BWS:
        case CN_H1_NAME:
        case CN_H1_EQUALS_BWS:
        case CN_H1_VALUE_BWS:
        case CN_H1_VALUE:
        case CN_H1_QUOTED:
        case CN_H1_ESCAPED:
        case CN_H1_SEMICOLON_BWS:
        default: break;
        }
        next = cn_h1_chunk_next((cn_h1_chunk_t)s->chunk_at, c);
        if (next < 0) goto bad;
        if (next != CN_H1_LINE_LF &&
            (++s->chunk_line > CN_H1_CHUNK_LINE_MAX || ++s->chunk_extensions > CN_H1_CHUNK_EXTENSIONS_MAX)) {
            why = "chunk extensions too long";
            goto bad;
        }
        s->chunk_at = (uint8_t)next;
    }
    return len;
bad:
    cn_h1_refuse(http, 400, why);
    return i + 1;
}

/* Takes bytes of a body. Returns how many. */
static size_t cn_h1_feed_data(cn_http_t *http, const char *bytes, size_t len) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    cn_exchange_t *x = s->x;
    const size_t window = http->limits->stream_window;
    size_t taken = len < s->left ? len : (size_t)s->left;
    x->received_ms = http->now_ms;
    s->expects = false;
    if (http->is_server && x->sent_end) {
        if (taken > s->drain_left) {
            s->read = CN_H1_DEAD;
            s->keep = false;
            return taken;
        }
        s->drain_left -= (uint32_t)taken;
        s->left -= taken;
    } else {
        size_t room = x->unread < window ? window - x->unread : 0;
        if (room == 0) {
            http->read_blocked = true;
            return 0;
        }
        taken = CN_MIN(taken, room);
        x->unread += (uint32_t)taken;
        if (s->read != CN_H1_UNTIL_EOF) s->left -= taken;
        x->events->on_data(x, bytes, taken);
        if (x->reset || http->stopped) return taken;
    }
    if (s->left == 0 && s->read == CN_H1_FIXED) {
        cn_h1_message_end(http);
    } else if (s->left == 0) {
        s->read = CN_H1_CHUNK;
        s->chunk_at = CN_H1_DATA_CR;
    } else if (x->unread >= window && !(http->is_server && x->sent_end)) {
        http->read_blocked = true;
    }
    return taken;
}

/* What is read now ends with the window's room, or with the request that is whole. */
static bool cn_h1_reads_body(const cn_h1_t *s) {
    return s->read == CN_H1_FIXED || s->read == CN_H1_UNTIL_EOF || s->read == CN_H1_DATA || s->read == CN_H1_CHUNK ||
        s->read == CN_H1_TRAILERS;
}

static void cn_h1_unblock(cn_http_t *http, cn_exchange_t *x) {
    const cn_h1_t *s = (const cn_h1_t *)http->state;
    if (!http->read_blocked || !cn_h1_reads_body(s)) return;
    http->read_blocked = false;
    x->received_ms = http->now_ms;
    cn_http_wake(http);
}

static size_t cn_h1_feed(cn_http_t *http, const char *bytes, size_t len) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    const bool was_feeding = http->feeding;
    size_t at = 0;
    http->feeding = true;
    while (at < len && !http->read_blocked && !http->stopped) {
        if (s->x && s->x->reset) cn_h1_abort(http);
        switch ((cn_h1_read_t)s->read) {
        case CN_H1_HEAD:
            if (!http->is_server && !(s->x && s->x->sent_head)) {
                cn_h1_lose(http, CONNECT_UNAVAILABLE, "the server sent what was not asked for");
                break;
            }
            at += cn_h1_feed_section(http, bytes + at, len - at);
            break;
        case CN_H1_TRAILERS:
            s->x->received_ms = http->now_ms;
            at += cn_h1_feed_section(http, bytes + at, len - at);
            break;
        case CN_H1_FIXED:
        case CN_H1_UNTIL_EOF:
        case CN_H1_DATA: at += cn_h1_feed_data(http, bytes + at, len - at); break;
        case CN_H1_CHUNK: at += cn_h1_feed_chunk_line(http, bytes + at, len - at); break;
        case CN_H1_WHOLE:
            if (http->is_server)
                http->read_blocked = true;
            else
                cn_h1_lose(http, CONNECT_INTERNAL, "the server sent more than its response");
            break;
        case CN_H1_DEAD: at = len; break;
        }
    }
    if (s->expects && s->x && !s->x->reset && !s->x->sent_head) {
        s->expects = false;
        if (!cn_buf_append_str(&http->out, http->allocator, CN_STR("HTTP/1.1 100 Continue\r\n\r\n")))
            cn_h1_refuse(http, 503, "out of memory");
    }
    http->feeding = was_feeding;
    return at;
}

static void cn_h1_pull(cn_http_t *http) {
    const bool was_feeding = http->feeding;
    http->feeding = true;
    http->woken = false;
    cn_h1_transfer(http);
    http->feeding = was_feeding;
}

static void cn_h1_eof_now(cn_http_t *http) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    cn_exchange_t *x = s->x;
    if (!x) {
        cn_h1_lose(http, CONNECT_UNAVAILABLE, NULL);
    } else if (x->reset) {
        cn_h1_abort(http);
    } else if (http->is_server) {
        if (!x->sent_end) {
            cn_h1_lose(http, CONNECT_CANCELED, "the client closed the connection");
            return;
        }
        s->keep = false;
        if (!x->received_end) s->read = CN_H1_DEAD;
        http->read_blocked = false;
        cn_h1_transfer(http);
    } else if (s->read == CN_H1_UNTIL_EOF && !http->failure) {
        s->keep = false;
        cn_h1_message_end(http);
        if (s->x) cn_h1_lose(http, CONNECT_UNAVAILABLE, "the connection was closed before the request was sent");
    } else if (!x->received_head) {
        cn_h1_lose(http, CONNECT_UNAVAILABLE, "the connection was closed before a response came");
    } else if (!x->received_end) {
        cn_h1_lose(http, CONNECT_UNAVAILABLE, "the connection was closed in the middle of the response");
    } else {
        cn_h1_lose(http, CONNECT_UNAVAILABLE, "the connection was closed before the request was sent");
    }
}

static void cn_h1_eof(cn_http_t *http) {
    const bool was_feeding = http->feeding;
    http->feeding = true;
    cn_h1_eof_now(http);
    http->feeding = was_feeding;
}

/* ---- Operations ------------------------------------------------------------------------------------------------- */

static bool cn_h1_open(cn_http_t *http) {
    cn_h1_t *s = (cn_h1_t *)cn_mem_acquire(http->allocator, sizeof *s);
    if (!s) return false;
    http->state = s;
    http->head_since_ms = -1;
    s->read = CN_H1_HEAD;
    s->keep = true;
    cn_h1_new_section(s, false);
    return true;
}

static void cn_h1_free(cn_http_t *http) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    cn_exchange_t *x;
    if (!s) return;
    http->feeding = true;
    x = s->x;
    if (x && x->reset)
        cn_h1_lose(http, x->close_code, x->close_why);
    else if (x)
        cn_h1_lose(http, CONNECT_UNAVAILABLE, "the connection is gone");
    cn_buf_free(&s->held, http->allocator);
    cn_mem_release(http->allocator, s);
    http->state = NULL;
    http->feeding = false;
}

static bool cn_h1_can_begin(const cn_http_t *http) {
    const cn_h1_t *s = (const cn_h1_t *)http->state;
    return !http->is_server && !s->x && s->read == CN_H1_HEAD && !http->draining && !http->closing;
}

static uint32_t cn_h1_capacity(const cn_http_t *http) {
    (void)http;
    return 1;
}

static bool cn_h1_begin(cn_http_t *http, cn_exchange_t *x) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    if (!cn_h1_can_begin(http)) return false;
    s->x = x;
    s->keep = true;
    s->write = CN_H1_NO_BODY;
    s->write_done = false;
    s->interim = 0;
    cn_exchange_attach(http, x);
    return true;
}

static void cn_h1_drain(cn_http_t *http) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    http->draining = true;
    if (!s->x && cn_buf_len(&s->held) == 0) cn_h1_shut(http);
    cn_http_wake(http);
}

/* Operations come too late for an exchange that was reset. */
static bool cn_h1_lives(const cn_exchange_t *x) {
    return x->http && !x->reset;
}

static bool cn_h1_send_head(cn_exchange_t *x, const cn_head_t *head, bool end) {
    cn_http_t *http = x->http;
    const cn_h1_t *s;
    if (!cn_h1_lives(x) || x->sent_head) return true;
    s = (const cn_h1_t *)http->state;
    if (!(http->is_server ? cn_h1_send_response(http, x, head, end) : cn_h1_send_request(http, x, head, end)))
        return false;
    x->sent_head = true;
    if (end || s->write == CN_H1_NO_BODY) { /* a message that cannot have a body is whole with its head */
        x->sent_end = true;
        if (http->is_server) cn_h1_unblock(http, x);
    }
    cn_http_wake(http);
    return true;
}

static void cn_h1_flush(cn_exchange_t *x) {
    if (!cn_h1_lives(x)) return;
    if (cn_buf_len(&x->out) > x->http->limits->stream_buffer) x->over_high_water = true;
    cn_http_wake(x->http);
}

static void cn_h1_reset(cn_exchange_t *x, cn_reset_t why) {
    if (!cn_h1_lives(x)) return;
    if (why == CN_RESET_NO_ERROR && x->sent_end && x->http->is_server) { /* the response still goes out */
        cn_h1_t *s = (cn_h1_t *)x->http->state;
        s->drop_rest = true;
        cn_http_wake(x->http);
        return;
    }
    x->reset = true;
    x->http->canceled = why == CN_RESET_CANCEL;
    x->http->late = why == CN_RESET_LATE;
    if (x->close_code == CONNECT_OK) {
        x->close_code = CONNECT_CANCELED;
        x->close_why = "reset";
    }
    cn_http_wake(x->http); /* the pull that follows ends it, and opens what is blocked */
}

static void cn_h1_send_end(cn_exchange_t *x, connect_headers_t trailers) {
    const cn_h1_t *s;
    if (!cn_h1_lives(x) || x->sent_end) return;
    s = (const cn_h1_t *)x->http->state;
    if (trailers.count && s->write == CN_H1_CHUNKED) {
        connect_header_t *items = (connect_header_t *)cn_arena_raw(x->arena, trailers.count * sizeof *items);
        if (!items) {
            cn_h1_reset(x, CN_RESET_INTERNAL);
            x->close_code = CONNECT_RESOURCE_EXHAUSTED;
            x->close_why = "out of memory";
            return;
        }
        memcpy(items, trailers.items, trailers.count * sizeof *items);
        x->out_trailers.items = items;
        x->out_trailers.count = trailers.count;
    }
    x->sent_end = true;
    if (x->http->is_server) cn_h1_unblock(x->http, x);
    cn_http_wake(x->http);
}

static void cn_h1_consume(cn_exchange_t *x, size_t len) {
    x->unread -= (uint32_t)CN_MIN(len, (size_t)x->unread);
    if (cn_h1_lives(x) && x->unread < x->http->limits->stream_window) cn_h1_unblock(x->http, x);
}

CN_PRIVATE const cn_http_version_t *cn_http1_version(void) {
    static const cn_http_version_t version = {CONNECT_HTTP_1, cn_h1_open, cn_h1_free, cn_h1_feed, cn_h1_eof, cn_h1_pull,
        cn_h1_can_begin, cn_h1_capacity, cn_h1_begin, NULL, cn_h1_drain, cn_h1_send_head, cn_h1_flush, cn_h1_send_end,
        cn_h1_reset, cn_h1_consume, NULL};
    return &version;
}
