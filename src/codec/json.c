#include "codec/json.h"
#include "base/base64.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/utf8.h"
#include "codec/number.h"

/* JSON text, RFC 8259: a pull reader and a writer. Always there, since Connect's errors and end-of-stream messages are
   JSON; what maps messages to JSON is pbjson.c.

   Reader. It takes the grammar of RFC 8259 section 2 and nothing else: space, tab, LF and CR between tokens; numbers as
   in section 6, kept as text; strings as in section 7, in UTF-8 (8.1), where an escaped surrogate has to be one of a
   pair. A byte order mark is refused. A name may stand twice in an object: it is the caller who knows what is a name.

       state       may come next                       then
       VALUE       a value                             AFTER, or FIRST_x
       FIRST_ITEM  a value, or ]                       AFTER, or FIRST_x
       FIRST_NAME  a name and its colon, or }          VALUE; AFTER
       AFTER       in an array: a comma and a value, or ]; in an object: a comma, a name and its colon, or };
                   outside of both: the end
       FAILED      the same error, again

   A reader never looks at a byte behind `end`. A string is scanned eight bytes at a time for what ends a clean run: a
   quote, a backslash, a control character. Bytes above 0x7F are collected on the way, and only text that has some is
   checked to be UTF-8.

   Limits: nesting depth_max, a number 1 KiB, a name 64 KiB. Strings are as long as the input.

   Writer. `comma` says that the next item needs one before it, `named` that a name and its colon were just written.
   Escaped are the quote, the backslash and the control characters; everything else stands as it is. */

enum { CN_JSON_VALUE, CN_JSON_FIRST_ITEM, CN_JSON_FIRST_NAME, CN_JSON_AFTER, CN_JSON_FAILED };

#define CN_JSON_DIGITS 18 /* of an integer that has no more than 63 bits whatever they are */
#define CN_JSON_ONES 0x0101010101010101u
#define CN_JSON_HIGHS 0x8080808080808080u

/* A bit in each byte that ends a clean run; above the lowest one there may be more than there should be. Less than 0x20
   or equal to 0x22 is what is less than 0x21 after a flip of bit 1. */
static inline uint64_t cn_json_word_stops(uint64_t word) {
    uint64_t backslash = word ^ (CN_JSON_ONES * 0x5C);
    uint64_t low = ((word ^ (CN_JSON_ONES * 0x02)) - CN_JSON_ONES * 0x21) & ~word;
    return (low | ((backslash - CN_JSON_ONES) & ~backslash)) & CN_JSON_HIGHS;
}

#if defined(__SSE2__) && defined(__GNUC__)
#define CN_JSON_SSE2 1
/* A bit for each of 16 bytes that ends a clean run. */
static inline unsigned cn_json_block_stops(__m128i block) {
    const __m128i quotes = _mm_cmpeq_epi8(block, _mm_set1_epi8('"'));
    const __m128i backslashes = _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'));
    const __m128i controls = _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(0x1F)), block);
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quotes, backslashes), controls));
}
#else
#define CN_JSON_SSE2 0
#endif

static inline bool cn_json_is_stop(char c) {
    return (unsigned char)c < 0x20 || c == '"' || c == '\\';
}

/* How many of the 8 bytes at p stand before the first stop; there is one. */
static size_t cn_json_stop_index(const char *p, uint64_t stops) {
#if defined(__GNUC__) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    (void)p;
    return (size_t)__builtin_ctzll(stops) >> 3;
#else
    size_t i = 0;
    (void)stops;
    while (i < 7 && !cn_json_is_stop(p[i]))
        i++;
    return i;
#endif
}

/* What stands before the first stop, with nothing in the high bits of the other bytes. */
static uint64_t cn_json_before_stop(const char *p, uint64_t word, uint64_t stops) {
#if defined(__GNUC__) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    (void)p;
    return word & ((stops & (0 - stops)) - 1);
#else
    size_t i, count = cn_json_stop_index(p, stops);
    uint64_t high = 0;
    (void)word;
    for (i = 0; i < count; i++)
        high |= (unsigned char)p[i];
    return high;
#endif
}

/* ---- Reader ---- */

CN_PRIVATE void cn_json_read(cn_json_reader_t *reader, connect_str_t text, connect_arena_t *arena, uint32_t depth_max) {
    memset(reader, 0, sizeof *reader);
    reader->begin = reader->at = reader->token = text.data ? text.data : "";
    reader->end = reader->begin + text.len;
    reader->arena = arena;
    reader->depth_max = CN_MIN(depth_max, (uint32_t)CN_JSON_DEPTH_MAX);
    reader->state = CN_JSON_VALUE;
}

static CN_COLD cn_json_token_t cn_json_fail(cn_json_reader_t *reader, const char *at, const char *error) {
    reader->at = at < reader->end ? at : reader->end;
    reader->error = error;
    reader->state = CN_JSON_FAILED;
    return CN_JSON_ERROR;
}

static bool cn_json_in_object(const cn_json_reader_t *reader) {
    uint32_t level = reader->depth - 1;
    return (reader->nesting[level / 64] >> (level % 64)) & 1;
}

static inline CN_HOT const char *cn_json_space(const char *at, const char *end) {
    while (at < end && (unsigned char)*at <= ' ' && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

static int cn_json_hex4(const char *at) {
    int value = 0, i;
    for (i = 0; i < 4; i++) {
        char c = at[i];
        if (c >= '0' && c <= '9')
            value = value * 16 + (c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            value = value * 16 + ((c | 0x20) - 'a' + 10);
        else
            return -1;
    }
    return value;
}

/* Unescapes what stands between two quotes, where no control character is left, and every backslash has a character
   behind it. `to` has room for as many bytes as there are. */
static cn_json_token_t cn_json_unescape(cn_json_reader_t *reader, char *to, const char *at, const char *end) {
    size_t len = 0;
    while (at < end) {
        const char *backslash = (const char *)memchr(at, '\\', (size_t)(end - at));
        size_t run = (size_t)((backslash ? backslash : end) - at);
        char c;
        if (to) memcpy(to + len, at, run);
        len += run;
        at += run;
        if (!backslash) break;
        switch (at[1]) {
        case 'b': c = '\b'; break;
        case 'f': c = '\f'; break;
        case 'n': c = '\n'; break;
        case 'r': c = '\r'; break;
        case 't': c = '\t'; break;
        case '"':
        case '\\':
        case '/': c = at[1]; break;
        case 'u': {
            int unit = end - at >= 6 ? cn_json_hex4(at + 2) : -1;
            uint32_t code_point = (uint32_t)unit;
            char scalar[4];
            size_t scalar_len;
            if (unit < 0) return cn_json_fail(reader, at, "expected four hexadecimal digits after \\u");
            if (unit >= 0xDC00 && unit <= 0xDFFF)
                return cn_json_fail(reader, at, "a low surrogate without a high one before it");
            if (unit >= 0xD800 && unit <= 0xDBFF) {
                int low = end - at >= 12 && at[6] == '\\' && at[7] == 'u' ? cn_json_hex4(at + 8) : -1;
                if (low < 0xDC00 || low > 0xDFFF)
                    return cn_json_fail(reader, at, "a high surrogate without a low one behind it");
                code_point = 0x10000 + (((uint32_t)unit - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
                at += 6;
            }
            at += 6;
            scalar_len = cn_utf8_put(scalar, code_point);
            if (to) memcpy(to + len, scalar, scalar_len);
            len += scalar_len;
            continue;
        }
        default: return cn_json_fail(reader, at, "an escape that JSON does not have");
        }
        if (to) to[len] = c;
        len++;
        at += 2;
    }
    if (to) reader->text = cn_str(to, len);
    return CN_JSON_STRING;
}

/* The first byte of a text that ends a clean run, or its end; *wide is set if one above 0x7F stands before it. */
static inline CN_HOT const char *cn_json_clean_end(const char *at, const char *end, bool *wide) {
    uint64_t all = 0;
#if CN_JSON_SSE2
    while (CN_LIKELY(end - at >= 16)) {
        const __m128i block = _mm_loadu_si128((const __m128i *)(const void *)at);
        const unsigned stops = cn_json_block_stops(block), high = (unsigned)_mm_movemask_epi8(block);
        if (stops) {
            *wide = *wide || (all | (high & ((stops & (0 - stops)) - 1))) != 0;
            return at + __builtin_ctz(stops);
        }
        all |= high;
        at += 16;
    }
    *wide = *wide || all != 0;
    all = 0;
#endif
    while (end - at >= 8) {
        uint64_t word, stops;
        memcpy(&word, at, 8);
        stops = cn_json_word_stops(word);
        if (stops) {
            *wide = *wide || ((all | cn_json_before_stop(at, word, stops)) & CN_JSON_HIGHS) != 0;
            return at + cn_json_stop_index(at, stops);
        }
        all |= word;
        at += 8;
    }
    for (; at < end && !cn_json_is_stop(*at); at++)
        all |= (unsigned char)*at;
    *wide = *wide || (all & CN_JSON_HIGHS) != 0;
    return at;
}

/* Goes on behind a backslash or at a control character. Returns the place of the quote that ends the string, or
   NULL. */
static const char *cn_json_escaped_end(cn_json_reader_t *reader, const char *at, bool *wide) {
    const char *end = reader->end;
    while (at < end && *at == '\\') {
        at++;
        if (at == end) break;
        if ((unsigned char)*at < 0x20) break;
        *wide = *wide || (unsigned char)*at >= 0x80;
        at = cn_json_clean_end(at + 1, end, wide);
        if (at < end && *at == '"') return at;
    }
    cn_json_fail(reader, at, at < end ? "a control character in a string" : "a string without its closing quote");
    return NULL;
}

static CN_APART cn_json_token_t cn_json_take_escaped(
    cn_json_reader_t *reader, const char *at, const char *stop, size_t len_max, bool wide) {
    const char *quote = stop < reader->end && *stop == '"' ? stop : cn_json_escaped_end(reader, stop, &wide);
    size_t room;
    char *to = NULL;
    if (!quote) return CN_JSON_ERROR;
    room = (size_t)(quote - at);
    if (room > len_max) return cn_json_fail(reader, at, "a name longer than 64 KiB");
    reader->text = cn_str(at, room);
    reader->escaped = quote != stop;
    if (wide && !cn_utf8_valid(reader->text)) return cn_json_fail(reader, at, "a string that is not UTF-8");
    if (reader->escaped) {
        if (!reader->discard) {
            to = (char *)cn_arena_raw(reader->arena, room);
            if (!to) {
                reader->out_of_memory = true;
                return cn_json_fail(reader, at, "out of memory");
            }
        }
        if (cn_json_unescape(reader, to, at, quote) == CN_JSON_ERROR) return CN_JSON_ERROR;
        if (to) cn_arena_shrink(reader->arena, to, room, reader->text.len);
    }
    reader->at = quote + 1;
    return CN_JSON_STRING;
}

/* at: behind the opening quote. */
static inline CN_HOT cn_json_token_t cn_json_take_string(cn_json_reader_t *reader, const char *at, size_t len_max) {
    bool wide = false;
    const char *stop = cn_json_clean_end(at, reader->end, &wide);
    if (CN_UNLIKELY(stop == reader->end || *stop != '"' || wide || (size_t)(stop - at) > len_max))
        return cn_json_take_escaped(reader, at, stop, len_max, wide);
    reader->text.data = at;
    reader->text.len = (size_t)(stop - at);
    reader->escaped = false;
    reader->at = stop + 1;
    return CN_JSON_STRING;
}

static CN_COLD cn_json_token_t cn_json_bad_number(cn_json_reader_t *reader, const char *at, const char *bad) {
    return cn_json_fail(reader, bad,
        bad - at >= CN_NUMBER_TEXT_MAX - 1     ? "a number longer than 1 KiB"
            : bad < reader->end && *bad == '0' ? "a number with a leading zero"
                                               : "expected a digit");
}

static inline CN_HOT cn_json_token_t cn_json_take_number(cn_json_reader_t *reader, const char *at) {
    const char *bad, *end = cn_number_scan(&reader->number, at, reader->end, &bad);
    if (CN_UNLIKELY(!end)) return cn_json_bad_number(reader, at, bad);
    if (CN_UNLIKELY(end - at == CN_NUMBER_TEXT_MAX) && end < reader->end &&
        (strchr(".eE", *end) || (unsigned char)(*end - '0') < 10))
        return cn_json_fail(reader, at, "a number longer than 1 KiB");
    reader->text.data = at;
    reader->text.len = (size_t)(end - at);
    reader->at = end;
    reader->state = CN_JSON_AFTER;
    return CN_JSON_NUMBER;
}

static cn_json_token_t cn_json_take_word(
    cn_json_reader_t *reader, const char *at, const char *word, size_t len, cn_json_token_t token) {
    if ((size_t)(reader->end - at) < len || memcmp(at, word, len) != 0)
        return cn_json_fail(reader, at, "expected a value");
    reader->at = at + len;
    reader->state = CN_JSON_AFTER;
    return token;
}

static cn_json_token_t cn_json_open(cn_json_reader_t *reader, const char *at, bool object) {
    uint32_t level = reader->depth;
    uint64_t bit = (uint64_t)1 << (level % 64);
    if (level >= reader->depth_max) return cn_json_fail(reader, at, "nested too deeply");
    if (object)
        reader->nesting[level / 64] |= bit;
    else
        reader->nesting[level / 64] &= ~bit;
    reader->depth++;
    reader->at = at + 1;
    reader->state = object ? CN_JSON_FIRST_NAME : CN_JSON_FIRST_ITEM;
    return object ? CN_JSON_OBJECT_BEGIN : CN_JSON_ARRAY_BEGIN;
}

static cn_json_token_t cn_json_close(cn_json_reader_t *reader, const char *at, cn_json_token_t token) {
    reader->depth--;
    reader->at = at + 1;
    reader->state = CN_JSON_AFTER;
    return token;
}

static inline CN_HOT cn_json_token_t cn_json_take_value(cn_json_reader_t *reader, const char *at) {
    if (CN_UNLIKELY(at >= reader->end)) return cn_json_fail(reader, at, "expected a value");
    switch (*at) {
    case '"': {
        cn_json_token_t token = cn_json_take_string(reader, at + 1, SIZE_MAX);
        if (CN_LIKELY(token == CN_JSON_STRING)) reader->state = CN_JSON_AFTER;
        return token;
    }
    case '{': return cn_json_open(reader, at, true);
    case '[': return cn_json_open(reader, at, false);
    case 't': return cn_json_take_word(reader, at, "true", 4, CN_JSON_TRUE);
    case 'f': return cn_json_take_word(reader, at, "false", 5, CN_JSON_FALSE);
    case 'n': return cn_json_take_word(reader, at, "null", 4, CN_JSON_NULL);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9': return cn_json_take_number(reader, at);
    default: return cn_json_fail(reader, at, "expected a value");
    }
}

static inline CN_HOT cn_json_token_t cn_json_take_name(cn_json_reader_t *reader, const char *at, const char *expected) {
    if (CN_UNLIKELY(at >= reader->end || *at != '"')) return cn_json_fail(reader, at, expected);
    if (CN_UNLIKELY(cn_json_take_string(reader, at + 1, CN_JSON_NAME_MAX) == CN_JSON_ERROR)) return CN_JSON_ERROR;
    at = reader->at;
    if (CN_UNLIKELY(at >= reader->end || *at != ':')) {
        at = cn_json_space(at, reader->end);
        if (at >= reader->end || *at != ':') return cn_json_fail(reader, at, "expected a colon");
    }
    reader->at = at + 1;
    reader->state = CN_JSON_VALUE;
    return CN_JSON_NAME;
}

CN_PRIVATE cn_json_token_t cn_json_next(cn_json_reader_t *reader) {
    const char *end = reader->end, *at = cn_json_space(reader->at, end), *name = NULL;
    const char c = at < end ? *at : 0;
    reader->token = at;
    switch (reader->state) {
    case CN_JSON_VALUE: break;
    case CN_JSON_FIRST_ITEM:
        if (c == ']') return cn_json_close(reader, at, CN_JSON_ARRAY_END);
        break;
    case CN_JSON_FIRST_NAME:
        if (c == '}') return cn_json_close(reader, at, CN_JSON_OBJECT_END);
        name = "expected a name or }";
        break;
    case CN_JSON_FAILED: return CN_JSON_ERROR;
    default: /* AFTER */
        if (reader->depth == 0) {
            if (at < end) return cn_json_fail(reader, at, "expected nothing after the value");
            reader->at = at;
            return CN_JSON_END;
        }
        if (cn_json_in_object(reader)) {
            if (c == '}') return cn_json_close(reader, at, CN_JSON_OBJECT_END);
            if (CN_UNLIKELY(c != ',')) return cn_json_fail(reader, at, "expected a comma or }");
            name = "expected a name";
        } else {
            if (c == ']') return cn_json_close(reader, at, CN_JSON_ARRAY_END);
            if (CN_UNLIKELY(c != ',')) return cn_json_fail(reader, at, "expected a comma or ]");
        }
        reader->token = at = cn_json_space(at + 1, end);
        break;
    }
    return name ? cn_json_take_name(reader, at, name) : cn_json_take_value(reader, at);
}

CN_PRIVATE bool cn_json_next_uint(cn_json_reader_t *reader, uint64_t *value) {
    const char *at = reader->at, *end = reader->end, *begin;
    uint64_t sum, digit;
    if (reader->state == CN_JSON_AFTER) {
        if (at == end || *at != ',') return false;
        at++;
    } else if (reader->state != CN_JSON_FIRST_ITEM) {
        return false;
    }
    begin = at;
    if (end - at > CN_JSON_DIGITS) end = at + CN_JSON_DIGITS + 1;
    for (sum = 0; at < end && (digit = (unsigned char)(*at - '0')) < 10; at++)
        sum = sum * 10 + digit;
    if (at == end || (*at != ',' && *at != ']') || at == begin || (*begin == '0' && at != begin + 1)) return false;
    reader->token = begin;
    reader->at = at;
    reader->state = CN_JSON_AFTER;
    *value = sum;
    return true;
}

CN_PRIVATE bool cn_json_skip(cn_json_reader_t *reader, cn_json_token_t first) {
    uint32_t depth = reader->depth;
    bool ok = first != CN_JSON_ERROR;
    if (first != CN_JSON_OBJECT_BEGIN && first != CN_JSON_ARRAY_BEGIN) return ok;
    reader->discard = true;
    while (ok && reader->depth >= depth)
        ok = cn_json_next(reader) != CN_JSON_ERROR;
    reader->discard = false;
    return ok;
}

CN_PRIVATE void cn_json_position_of(const cn_json_reader_t *reader, const char *place, size_t *line, size_t *column) {
    const char *at;
    *line = *column = 1;
    for (at = reader->begin; at < place; at++) {
        if (*at == '\n') {
            ++*line;
            *column = 1;
        } else if (((unsigned char)*at & 0xC0) != 0x80) {
            ++*column;
        }
    }
}

/* ---- Writer ---- */

CN_PRIVATE void cn_json_write(
    cn_json_writer_t *writer, cn_buf_t *out, const connect_allocator_t *allocator, bool pretty) {
    memset(writer, 0, sizeof *writer);
    writer->out = out;
    writer->allocator = allocator;
    writer->pretty = pretty;
}

static CN_APART char *cn_json_more_room(cn_json_writer_t *writer, size_t len) {
    char *to;
    if (writer->failed) return NULL;
    to = cn_buf_reserve(writer->out, writer->allocator, len);
    if (!to) writer->failed = writer->out_of_memory = true;
    return to;
}

/* Where the next byte goes, with room for so many, at least one; NULL: it failed. What was written is said once, at the
   end of an item, by cn_json_wrote. */
static inline CN_HOT char *cn_json_room(cn_json_writer_t *writer, size_t len) {
    const cn_buf_t *out = writer->out;
    return CN_LIKELY(out->capacity - out->end >= len) ? out->block + out->end : cn_json_more_room(writer, len);
}

static inline void cn_json_wrote(cn_json_writer_t *writer, const char *end) {
    writer->out->end = (size_t)(end - writer->out->block);
}

static char *cn_json_indent(char *to, uint32_t depth) {
    *to++ = '\n';
    memset(to, ' ', (size_t)depth * 2);
    return to + (size_t)depth * 2;
}

static char *cn_json_pretty_item(cn_json_writer_t *writer, size_t len) {
    char *to = cn_json_room(writer, len + 2 + (size_t)writer->depth * 2);
    if (!to) return NULL;
    if (writer->comma) *to++ = ',';
    if (!writer->named && writer->depth > 0) to = cn_json_indent(to, writer->depth);
    writer->named = false;
    writer->comma = true;
    return to;
}

/* Makes room for an item of at most len bytes, less than SIZE_MAX / 2, and writes what stands before it. Returns where
   it goes. */
static inline CN_HOT char *cn_json_item(cn_json_writer_t *writer, size_t len) {
    char *to;
    if (CN_UNLIKELY(writer->pretty)) return cn_json_pretty_item(writer, len);
    to = cn_json_room(writer, len + 1);
    if (CN_UNLIKELY(!to)) return NULL;
    *to = ',';
    to += writer->comma;
    writer->comma = true;
    return to;
}

static inline void cn_json_begin(cn_json_writer_t *writer, char bracket) {
    char *to = cn_json_item(writer, 1);
    writer->comma = false;
    writer->depth++;
    if (CN_UNLIKELY(!to)) return;
    *to++ = bracket;
    cn_json_wrote(writer, to);
}

static inline void cn_json_finish(cn_json_writer_t *writer, char bracket) {
    char *to;
    writer->depth--;
    to = cn_json_room(writer, 2 + (size_t)writer->depth * 2);
    if (CN_UNLIKELY(!to)) return;
    if (CN_UNLIKELY(writer->pretty) && writer->comma) to = cn_json_indent(to, writer->depth);
    *to++ = bracket;
    cn_json_wrote(writer, to);
    writer->comma = true;
}

CN_PRIVATE void cn_json_object_begin(cn_json_writer_t *writer) {
    cn_json_begin(writer, '{');
}

CN_PRIVATE void cn_json_object_end(cn_json_writer_t *writer) {
    cn_json_finish(writer, '}');
}

CN_PRIVATE void cn_json_array_begin(cn_json_writer_t *writer) {
    cn_json_begin(writer, '[');
}

CN_PRIVATE void cn_json_array_end(cn_json_writer_t *writer) {
    cn_json_finish(writer, ']');
}

/* Writes one character as its escape; `to` has room for 6. Returns how many. */
static size_t cn_json_escape(char *to, char c) {
    static const char hex[] = "0123456789abcdef";
    to[0] = '\\';
    switch (c) {
    case '"':
    case '\\': to[1] = c; return 2;
    case '\b': to[1] = 'b'; return 2;
    case '\f': to[1] = 'f'; return 2;
    case '\n': to[1] = 'n'; return 2;
    case '\r': to[1] = 'r'; return 2;
    case '\t': to[1] = 't'; return 2;
    default:
        memcpy(to + 1, "u00", 3);
        to[4] = hex[((unsigned char)c >> 4) & 15];
        to[5] = hex[(unsigned char)c & 15];
        return 6;
    }
}

/* Copies text up to its end, or up to some byte before the first one that needs an escape. Returns how many bytes;
   *wide is set if one of them may be above 0x7F. Blocks overlap at the end, so nothing behind the text is read or
   written. */
static inline CN_HOT size_t cn_json_copy_clean(char *to, const char *at, size_t len, bool *wide) {
    size_t i;
#if CN_JSON_SSE2
    if (len >= 16) {
        __m128i all = _mm_setzero_si128();
        for (i = 0; i < len;) {
            __m128i block;
            if (len - i < 16) i = len - 16;
            block = _mm_loadu_si128((const __m128i *)(const void *)(at + i));
            if (CN_UNLIKELY(cn_json_block_stops(block) != 0)) break;
            _mm_storeu_si128((__m128i *)(void *)(to + i), block);
            all = _mm_or_si128(all, block);
            i += 16;
        }
        *wide = *wide || _mm_movemask_epi8(all) != 0;
        return i;
    }
#endif
    if (len >= 8) {
        uint64_t all = 0;
        for (i = 0; i < len;) {
            uint64_t word;
            if (len - i < 8) i = len - 8;
            memcpy(&word, at + i, 8);
            if (CN_UNLIKELY(cn_json_word_stops(word) != 0)) break;
            memcpy(to + i, &word, 8);
            all |= word;
            i += 8;
        }
        *wide = *wide || (all & CN_JSON_HIGHS) != 0;
        return i;
    }
    if (len >= 4) {
        uint32_t first, last;
        uint64_t both;
        memcpy(&first, at, 4);
        memcpy(&last, at + len - 4, 4);
        both = (uint64_t)first << 32 | last;
        if (CN_UNLIKELY(cn_json_word_stops(both) != 0)) return 0;
        memcpy(to, &first, 4);
        memcpy(to + len - 4, &last, 4);
        *wide = *wide || (both & CN_JSON_HIGHS) != 0;
        return len;
    }
    for (i = 0; i < len && !cn_json_is_stop(at[i]); i++) {
        to[i] = at[i];
        *wide = *wide || (unsigned char)at[i] >= 0x80;
    }
    return i;
}

/* Writes the rest of a text, which has something to escape. Returns as cn_json_put_string. */
static CN_APART char *cn_json_put_escaped(cn_json_writer_t *writer, char *to, const char *at, size_t len, bool *wide) {
    for (;;) {
        size_t clean = cn_json_copy_clean(to, at, len, wide);
        to += clean;
        at += clean;
        len -= clean;
        for (; len && !cn_json_is_stop(*at); len--) { /* up to the one byte */
            *wide = *wide || (unsigned char)*at >= 0x80;
            *to++ = *at++;
        }
        if (!len) return to;
        cn_json_wrote(writer, to);
        to = cn_json_room(writer, 6 + len + 3);
        if (!to) return NULL;
        to += cn_json_escape(to, *at++);
        len--;
    }
}

/* Writes text in quotes where len + 4 bytes are reserved; escapes need more, and take it. Returns its end, with room
   for two bytes behind it; NULL: it failed. */
static inline CN_HOT char *cn_json_put_string(cn_json_writer_t *writer, char *to, connect_str_t text) {
    bool wide = false;
    size_t clean;
    *to++ = '"';
    clean = cn_json_copy_clean(to, text.data, text.len, &wide);
    to += clean;
    if (CN_UNLIKELY(clean < text.len)) {
        to = cn_json_put_escaped(writer, to, text.data + clean, text.len - clean, &wide);
        if (!to) return NULL;
    }
    if (CN_UNLIKELY(wide) && !cn_utf8_valid(text)) writer->failed = true;
    *to++ = '"';
    return to;
}

/* An item of so many bytes of the caller's and a few more. */
static inline char *cn_json_text_item(cn_json_writer_t *writer, size_t len) {
    if (CN_LIKELY(len < SIZE_MAX / 4)) return cn_json_item(writer, len + 4);
    writer->failed = writer->out_of_memory = true;
    return NULL;
}

CN_PRIVATE void cn_json_name(cn_json_writer_t *writer, connect_str_t name) {
    char *to = cn_json_text_item(writer, name.len);
    if (CN_LIKELY(to != NULL)) to = cn_json_put_string(writer, to, name);
    writer->comma = false;
    writer->named = true;
    if (CN_UNLIKELY(!to)) return;
    *to++ = ':';
    *to = ' ';
    cn_json_wrote(writer, to + writer->pretty);
}

CN_PRIVATE void cn_json_clean_name(cn_json_writer_t *writer, connect_str_t name) {
    char *to = cn_json_item(writer, name.len + 4);
    writer->comma = false;
    writer->named = true;
    if (CN_UNLIKELY(!to)) return;
    *to++ = '"';
    cn_mem_copy(to, name.data, name.len);
    to += name.len;
    memcpy(to, "\": ", 3);
    cn_json_wrote(writer, to + 2 + writer->pretty);
}

CN_PRIVATE void cn_json_string(cn_json_writer_t *writer, connect_str_t text) {
    char *to = cn_json_text_item(writer, text.len);
    if (CN_LIKELY(to != NULL)) to = cn_json_put_string(writer, to, text);
    if (CN_LIKELY(to != NULL)) cn_json_wrote(writer, to);
}

CN_PRIVATE void cn_json_base64(cn_json_writer_t *writer, connect_str_t bytes, bool padded) {
    char *to =
        cn_json_text_item(writer, bytes.len < SIZE_MAX / 4 ? cn_base64_encoded_len(bytes.len, padded) : SIZE_MAX);
    if (!to) return;
    *to++ = '"';
    to += cn_base64_encode(to, bytes, padded);
    *to++ = '"';
    cn_json_wrote(writer, to);
}

CN_PRIVATE void cn_json_literal(cn_json_writer_t *writer, connect_str_t literal) {
    char *to = cn_json_text_item(writer, literal.len);
    if (!to) return;
    if (literal.len) memcpy(to, literal.data, literal.len);
    cn_json_wrote(writer, to + literal.len);
}

CN_PRIVATE void cn_json_quoted(cn_json_writer_t *writer, connect_str_t literal) {
    char *to = cn_json_text_item(writer, literal.len);
    if (!to) return;
    *to++ = '"';
    if (literal.len) memcpy(to, literal.data, literal.len);
    to += literal.len;
    *to++ = '"';
    cn_json_wrote(writer, to);
}

CN_PRIVATE void cn_json_bool(cn_json_writer_t *writer, bool value) {
    char *to = cn_json_item(writer, 5);
    if (CN_UNLIKELY(!to)) return;
    memcpy(to, value ? "true " : "false", 5);
    cn_json_wrote(writer, to + (value ? 4 : 5));
}

CN_PRIVATE void cn_json_int(cn_json_writer_t *writer, int64_t value, bool quoted) {
    char *to = cn_json_item(writer, CN_NUMBER_ROOM + 2);
    if (CN_UNLIKELY(!to)) return;
    *to = '"';
    to += quoted;
    to += cn_number_from_int(to, value);
    *to = '"';
    cn_json_wrote(writer, to + quoted);
}

CN_PRIVATE void cn_json_uint(cn_json_writer_t *writer, uint64_t value, bool quoted) {
    char *to = cn_json_item(writer, CN_NUMBER_ROOM + 2);
    if (CN_UNLIKELY(!to)) return;
    *to = '"';
    to += quoted;
    to += cn_number_from_uint(to, value);
    *to = '"';
    cn_json_wrote(writer, to + quoted);
}

CN_PRIVATE void cn_json_double(cn_json_writer_t *writer, double value) {
    char *to = cn_json_item(writer, CN_NUMBER_ROOM);
    if (CN_LIKELY(to != NULL)) cn_json_wrote(writer, to + cn_number_from_double(to, value));
}

CN_PRIVATE void cn_json_float(cn_json_writer_t *writer, float value) {
    char *to = cn_json_item(writer, CN_NUMBER_ROOM);
    if (CN_LIKELY(to != NULL)) cn_json_wrote(writer, to + cn_number_from_float(to, value));
}
