#include "base/base64.h"
#include "base/mem.h"

/* Base64 (RFC 4648 4 and 5). Written: the standard alphabet, padded or not. Read: both alphabets mixed, padded to a
   multiple of four or not padded at all; the bits left over in the last character must be zero in neither form, as
   peers differ there. Used for metadata in -bin and for error details (Connect, gRPC), and for bytes in JSON. */

/* A character's value and one; 0: it is none of them. */
static const uint8_t cn_base64_values[256] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 63, 0, 63, 0, 64, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 0,
    0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 0,
    0, 0, 0, 64, 0, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51,
    52, 0, 0, 0, 0, 0};

static int cn_base64_value(char c) {
    return cn_base64_values[(unsigned char)c] - 1;
}

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
    for (i = 0; i + 4 <= text.len; i += 4) {
        int a = cn_base64_value(text.data[i]), b = cn_base64_value(text.data[i + 1]);
        int c = cn_base64_value(text.data[i + 2]), d = cn_base64_value(text.data[i + 3]);
        if ((a | b | c | d) < 0) return false;
        *to++ = (char)(unsigned char)(a << 2 | b >> 4);
        *to++ = (char)(unsigned char)((b & 15) << 4 | c >> 2);
        *to++ = (char)(unsigned char)((c & 3) << 6 | d);
    }
    if (rest) {
        int a = cn_base64_value(text.data[i]), b = cn_base64_value(text.data[i + 1]);
        int c = rest == 3 ? cn_base64_value(text.data[i + 2]) : 0;
        if ((a | b | c) < 0) return false;
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
