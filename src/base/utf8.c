#include "base/utf8.h"

/* UTF-8 as protobuf and JSON want it (RFC 3629): U+0000 to U+10FFFF without the surrogates, each in its shortest form.
   Runs of ASCII are passed eight bytes at a time. Never reads behind the text.

   Legal sequences (RFC 3629 4):  00-7F | C2-DF T | E0 A0-BF T | E1-EC T T | ED 80-9F T | EE-EF T T |
   F0 90-BF T T | F1-F3 T T T | F4 80-8F T T, where T is 80-BF. */

CN_PRIVATE bool cn_utf8_valid(connect_str_t text) {
    const unsigned char *at = (const unsigned char *)text.data, *end = at + text.len;
    if (!text.len) return true;
    for (;;) {
        unsigned char c;
        while ((size_t)(end - at) >= 8) {
            uint64_t word;
            memcpy(&word, at, 8);
            if (word & 0x8080808080808080u) break;
            at += 8;
        }
        while (at < end && *at < 0x80)
            at++;
        if (at == end) return true;
        c = *at;
        if (c < 0xC2 || c > 0xF4) return false;
        if (c < 0xE0) {
            if (end - at < 2 || (at[1] & 0xC0) != 0x80) return false;
            at += 2;
        } else if (c < 0xF0) {
            if (end - at < 3 || (at[1] & 0xC0) != 0x80 || (at[2] & 0xC0) != 0x80) return false;
            if ((c == 0xE0 && at[1] < 0xA0) || (c == 0xED && at[1] > 0x9F)) return false;
            at += 3;
        } else {
            if (end - at < 4 || (at[1] & 0xC0) != 0x80 || (at[2] & 0xC0) != 0x80 || (at[3] & 0xC0) != 0x80)
                return false;
            if ((c == 0xF0 && at[1] < 0x90) || (c == 0xF4 && at[1] > 0x8F)) return false;
            at += 4;
        }
    }
}

CN_PRIVATE size_t cn_utf8_put(char *to, uint32_t code_point) {
    if (code_point < 0x80) {
        to[0] = (char)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        to[0] = (char)(0xC0 | (code_point >> 6));
        to[1] = (char)(0x80 | (code_point & 0x3F));
        return 2;
    }
    if (code_point < 0x10000) {
        to[0] = (char)(0xE0 | (code_point >> 12));
        to[1] = (char)(0x80 | ((code_point >> 6) & 0x3F));
        to[2] = (char)(0x80 | (code_point & 0x3F));
        return 3;
    }
    to[0] = (char)(0xF0 | (code_point >> 18));
    to[1] = (char)(0x80 | ((code_point >> 12) & 0x3F));
    to[2] = (char)(0x80 | ((code_point >> 6) & 0x3F));
    to[3] = (char)(0x80 | (code_point & 0x3F));
    return 4;
}
