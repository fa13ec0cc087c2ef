#include "base/base64.h"
#include "base/mem.h"

/* Base64 (RFC 4648 4 and 5). Written: the standard alphabet, padded or not. Read: both alphabets mixed, padded to a
   multiple of four or not padded at all; the bits left over in the last character must be zero in neither form, as
   peers differ there. Used for metadata in -bin and for error details (Connect, gRPC), and for bytes in JSON. */

/* A character's value; CN_BASE64_BAD: it is none of them. */
#define CN_BASE64_BAD 0x80u
static const uint8_t cn_base64_values[256] = {128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
    128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
    128, 128, 128, 128, 128, 62, 128, 62, 128, 63, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 128, 128, 128, 128, 128, 128,
    128, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 128, 128, 128,
    128, 63, 128, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50,
    51, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
    128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
    128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
    128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
    128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
    128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128};

static uint32_t cn_base64_value(char c) {
    return cn_base64_values[(unsigned char)c];
}

/* Eight bytes of a number, the highest first. */
static inline CN_HOT void cn_base64_store(char *to, uint64_t word) {
#if defined(__GNUC__) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    word = __builtin_bswap64(word);
    memcpy(to, &word, 8);
#else
    int i;
    for (i = 7; i >= 0; i--, word >>= 8)
        to[i] = (char)(unsigned char)(word & 0xFF);
#endif
}

#if defined(__SSE2__) && defined(__GNUC__)
#define CN_BASE64_SSE2
/* Six bytes as a number, the first one the highest; eight are loaded. */
static inline uint64_t cn_base64_load(const void *at) {
    uint64_t word;
    memcpy(&word, at, 8);
    return __builtin_bswap64(word) >> 16;
}

static inline __m128i cn_base64_spread(__m128i bits, uint64_t upper, uint64_t lower, int by) {
    const __m128i high = _mm_and_si128(bits, _mm_set1_epi64x((int64_t)upper));
    return _mm_or_si128(_mm_slli_epi64(high, by), _mm_and_si128(bits, _mm_set1_epi64x((int64_t)lower)));
}

/* What is to be added to the values above a limit. */
static inline __m128i cn_base64_above(__m128i values, char limit, char difference) {
    return _mm_and_si128(_mm_cmpgt_epi8(values, _mm_set1_epi8(limit)), _mm_set1_epi8(difference));
}

/* 16 characters of 12 bytes; as many as 14 are loaded. The bits are spread to 6 in each byte, the bytes of each half
   turned round, and all changed at once: the alphabet is the runs A-Z from 0, a-z from 26, 0-9 from 52, and + and /. */
static inline void cn_base64_sixteen(char *to, const unsigned char *at) {
    __m128i x = _mm_set_epi64x((int64_t)cn_base64_load(at + 6), (int64_t)cn_base64_load(at));
    x = cn_base64_spread(x, 0x0000FFFFFF000000u, 0x0000000000FFFFFFu, 8);
    x = cn_base64_spread(x, 0x00FFF00000FFF000u, 0x00000FFF00000FFFu, 4);
    x = cn_base64_spread(x, 0x0FC00FC00FC00FC0u, 0x003F003F003F003Fu, 2);
    x = _mm_or_si128(_mm_slli_epi16(x, 8), _mm_srli_epi16(x, 8));
    x = _mm_shufflehi_epi16(_mm_shufflelo_epi16(x, _MM_SHUFFLE(0, 1, 2, 3)), _MM_SHUFFLE(0, 1, 2, 3));
    _mm_storeu_si128((__m128i *)(void *)to,
        _mm_add_epi8(_mm_add_epi8(_mm_add_epi8(x, _mm_set1_epi8('A')), cn_base64_above(x, 25, 'a' - 26 - 'A')),
            _mm_add_epi8(_mm_add_epi8(cn_base64_above(x, 51, '0' - 52 - ('a' - 26)),
                             cn_base64_above(x, 61, '+' - 62 - ('0' - 52))),
                cn_base64_above(x, 62, '/' - 63 - ('+' - 62)))));
}
#endif

CN_PRIVATE size_t cn_base64_encoded_len(size_t len, bool padded) {
    size_t rest = len % 3;
    return len / 3 * 4 + (rest == 0 ? 0 : padded ? 4 : rest + 1);
}

CN_PRIVATE size_t cn_base64_decoded_max(size_t len) {
    return len / 4 * 3 + 3;
}

CN_PRIVATE size_t cn_base64_encode(char *to, connect_str_t bytes, bool padded) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *at = (const unsigned char *)bytes.data;
    char *begin = to;
    size_t left = bytes.len;
#if defined(CN_BASE64_SSE2)
    for (; left >= 14; left -= 12, at += 12, to += 16)
        cn_base64_sixteen(to, at);
#endif
    for (; left >= 3; left -= 3, at += 3) {
        uint32_t bits = (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];
        *to++ = alphabet[bits >> 18];
        *to++ = alphabet[(bits >> 12) & 63];
        *to++ = alphabet[(bits >> 6) & 63];
        *to++ = alphabet[bits & 63];
    }
    if (left) {
        uint32_t bits = (uint32_t)at[0] << 16 | (left == 2 ? (uint32_t)at[1] << 8 : 0);
        *to++ = alphabet[bits >> 18];
        *to++ = alphabet[(bits >> 12) & 63];
        if (left == 2) *to++ = alphabet[(bits >> 6) & 63];
        if (padded) {
            if (left == 1) *to++ = '=';
            *to++ = '=';
        }
    }
    return (size_t)(to - begin);
}

CN_PRIVATE bool cn_base64_decode(char *to, size_t *len, connect_str_t text) {
    char *begin = to;
    size_t i, padding = 0, rest;
    while (padding < 2 && text.len > padding && text.data[text.len - 1 - padding] == '=')
        padding++;
    if (padding && text.len % 4 != 0) return false;
    text.len -= padding;
    rest = text.len % 4;
    if (rest == 1 || (padding && rest != 4 - padding)) return false;
    for (i = 0; i + 12 <= text.len; i += 8, to += 6) { /* eight are stored, and the next ones go over the last two */
        const char *at = text.data + i;
        const uint32_t a = cn_base64_value(at[0]), b = cn_base64_value(at[1]), c = cn_base64_value(at[2]);
        const uint32_t d = cn_base64_value(at[3]), e = cn_base64_value(at[4]), f = cn_base64_value(at[5]);
        const uint32_t g = cn_base64_value(at[6]), h = cn_base64_value(at[7]);
        if (CN_UNLIKELY((a | b | c | d | e | f | g | h) & CN_BASE64_BAD)) return false;
        cn_base64_store(
            to, (uint64_t)(a << 18 | b << 12 | c << 6 | d) << 40 | (uint64_t)(e << 18 | f << 12 | g << 6 | h) << 16);
    }
    for (; i + 4 <= text.len; i += 4) {
        const uint32_t a = cn_base64_value(text.data[i]), b = cn_base64_value(text.data[i + 1]);
        const uint32_t c = cn_base64_value(text.data[i + 2]), d = cn_base64_value(text.data[i + 3]);
        if ((a | b | c | d) & CN_BASE64_BAD) return false;
        *to++ = (char)(unsigned char)(a << 2 | b >> 4);
        *to++ = (char)(unsigned char)((b & 15) << 4 | c >> 2);
        *to++ = (char)(unsigned char)((c & 3) << 6 | d);
    }
    if (rest) {
        const uint32_t a = cn_base64_value(text.data[i]), b = cn_base64_value(text.data[i + 1]);
        const uint32_t c = rest == 3 ? cn_base64_value(text.data[i + 2]) : 0;
        if ((a | b | c) & CN_BASE64_BAD) return false;
        *to++ = (char)(unsigned char)(a << 2 | b >> 4);
        if (rest == 3) *to++ = (char)(unsigned char)((b & 15) << 4 | c >> 2);
    }
    *len = (size_t)(to - begin);
    return true;
}

connect_str_t connect_base64_encode(connect_str_t bytes, connect_arena_t *arena) {
    connect_str_t text = {NULL, 0};
    size_t len = cn_base64_encoded_len(bytes.len, false);
    char *to = bytes.len < SIZE_MAX / 2 ? (char *)cn_arena_raw(arena, len + 1) : NULL;
    if (!to) {
        arena->failed = true;
        return text;
    }
    text.len = cn_base64_encode(to, bytes, false);
    to[text.len] = 0;
    text.data = to;
    return text;
}

connect_str_t connect_base64_decode(connect_str_t text, connect_arena_t *arena) {
    connect_str_t bytes = {NULL, 0};
    size_t room = cn_base64_decoded_max(text.len) + 1;
    char *to = (char *)cn_arena_raw(arena, room);
    if (!to || !cn_base64_decode(to, &bytes.len, text)) return bytes;
    to[bytes.len] = 0;
    bytes.data = to;
    return bytes;
}
