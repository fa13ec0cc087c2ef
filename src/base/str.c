#include "base/str.h"
#include "base/mem.h"

/* Views of text and bytes that stand somewhere else, and the small texts that headers are made of. Nothing here depends
   on the locale: HTTP field names, media types and numbers are ASCII (RFC 9110 5.1, 5.6.2). */

#define CN_STR_QUOTE_MAX 128u /* bytes of a peer's data in an error text */

connect_str_t connect_str_of(const char *text_or_null) {
    connect_str_t text = {text_or_null, text_or_null ? strlen(text_or_null) : 0};
    return text;
}

bool connect_str_equal(connect_str_t a, connect_str_t b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

CN_PRIVATE connect_str_t cn_str(const char *data, size_t len) {
    connect_str_t text;
    text.data = data;
    text.len = len;
    return text;
}

static unsigned char cn_str_lower(char c) {
    unsigned char u = (unsigned char)c;
    return u >= 'A' && u <= 'Z' ? (unsigned char)(u + ('a' - 'A')) : u;
}

CN_PRIVATE bool cn_str_equal_nocase(connect_str_t a, connect_str_t b) {
    size_t i;
    if (a.len != b.len) return false;
    if (cn_mem_equal(a.data, b.data, a.len)) return true;
    for (i = 0; i < a.len; i++)
        if (a.data[i] != b.data[i] && cn_str_lower(a.data[i]) != cn_str_lower(b.data[i])) return false;
    return true;
}

CN_PRIVATE bool cn_str_starts(connect_str_t text, connect_str_t prefix) {
    return text.len >= prefix.len && (prefix.len == 0 || memcmp(text.data, prefix.data, prefix.len) == 0);
}

CN_PRIVATE connect_str_t cn_str_trim(connect_str_t text) {
    while (text.len && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text.data++;
        text.len--;
    }
    while (text.len && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
        text.len--;
    return text;
}

CN_PRIVATE bool cn_str_split(connect_str_t *rest, char separator, connect_str_t *part) {
    const char *at;
    if (!rest->data) return false;
    at = rest->len ? (const char *)memchr(rest->data, separator, rest->len) : NULL;
    part->data = rest->data;
    if (at) {
        part->len = (size_t)(at - rest->data);
        rest->len -= part->len + 1;
        rest->data = at + 1;
    } else {
        part->len = rest->len;
        rest->data = NULL;
        rest->len = 0;
    }
    return true;
}

CN_PRIVATE bool cn_str_to_uint(connect_str_t text, size_t max_digits, uint64_t *value) {
    uint64_t sum = 0;
    size_t i;
    if (text.len == 0 || text.len > max_digits || text.len > 19) return false;
    for (i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)(unsigned char)text.data[i] - '0';
        if (digit > 9) return false;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return true;
}

CN_PRIVATE size_t cn_str_from_uint(char *to, uint64_t value) {
    char digits[20];
    size_t at = sizeof digits, len;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    len = sizeof digits - at;
    memcpy(to, digits + at, len);
    return len;
}

CN_PRIVATE connect_str_t cn_str_quote(connect_arena_t *arena, connect_str_t peer_data) {
    static const char hex[] = "0123456789ABCDEF";
    size_t len = CN_MIN(peer_data.len, CN_STR_QUOTE_MAX), i, at = 0;
    char *to = (char *)cn_arena_raw(arena, len * 4 + 4);
    if (!to) return CN_STR("");
    for (i = 0; i < len; i++) {
        unsigned char c = (unsigned char)peer_data.data[i];
        if (c >= 0x20 && c < 0x7F) {
            to[at++] = (char)c;
        } else {
            to[at++] = '\\';
            to[at++] = 'x';
            to[at++] = hex[c >> 4];
            to[at++] = hex[c & 15];
        }
    }
    if (len < peer_data.len) {
        memcpy(to + at, "...", 3);
        at += 3;
    }
    to[at] = 0;
    return cn_str(to, at);
}

CN_PRIVATE uint32_t cn_str_hash(connect_str_t text) {
    uint32_t hash = 2166136261u;
    size_t i;
    for (i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.data[i]) * 16777619u;
    return hash;
}
