#include "base/percent.h"
#include "base/mem.h"
#include "base/str.h"

/* Percent-encoding: of grpc-message (gRPC over HTTP/2, "Percent-Encoded": every byte below 0x20, above 0x7E, and '%',
   as %XX with upper-case digits), and of URL queries (RFC 3986 2.1). A reader must not fail on a bad escape: it stays
   as it is. */

static int cn_percent_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

CN_PRIVATE connect_str_t cn_percent_encode(connect_arena_t *arena, connect_str_t text) {
    static const char hex[] = "0123456789ABCDEF";
    size_t escapes = 0, i, at = 0;
    char *to;
    for (i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        escapes += c < 0x20 || c > 0x7E || c == '%';
    }
    if (!escapes) return text;
    to = (char *)cn_arena_raw(arena, text.len + escapes * 2 + 1);
    if (!to) return cn_str(NULL, 0);
    for (i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < 0x20 || c > 0x7E || c == '%') {
            to[at++] = '%';
            to[at++] = hex[c >> 4];
            to[at++] = hex[c & 15];
        } else {
            to[at++] = (char)c;
        }
    }
    to[at] = 0;
    return cn_str(to, at);
}

CN_PRIVATE connect_str_t cn_percent_encode_query(connect_arena_t *arena, connect_str_t text) {
    static const char hex[] = "0123456789ABCDEF";
    size_t i, at = 0;
    char *to = text.len < SIZE_MAX / 4 ? (char *)cn_arena_raw(arena, text.len * 3 + 1) : NULL;
    if (!to) return cn_str(NULL, 0);
    for (i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
            c == '_' || c == '~') {
            to[at++] = (char)c;
        } else {
            to[at++] = '%';
            to[at++] = hex[c >> 4];
            to[at++] = hex[c & 15];
        }
    }
    to[at] = 0;
    return cn_str(to, at);
}

CN_PRIVATE bool cn_percent_escape_valid(connect_str_t text) {
    return text.len > 2 && text.data[0] == '%' &&
        (cn_percent_digit(text.data[1]) | cn_percent_digit(text.data[2])) >= 0;
}

CN_PRIVATE connect_str_t cn_percent_decode(connect_arena_t *arena, connect_str_t text, bool plus_is_space) {
    size_t i, at = 0;
    char *to = (char *)cn_arena_raw(arena, text.len + 1);
    if (!to) return cn_str(NULL, 0);
    for (i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '%' && text.len - i > 2) {
            int high = cn_percent_digit(text.data[i + 1]), low = cn_percent_digit(text.data[i + 2]);
            if ((high | low) >= 0) {
                c = (char)(unsigned char)(high << 4 | low);
                i += 2;
            }
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        to[at++] = c;
    }
    to[at] = 0;
    return cn_str(to, at);
}
