/* Base64: read as a second decoder reads it, which is slow and simple; and there and back. */
#include "fuzz.h"

static int value_of(char c) {
    static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(standard, c == '-' ? '+' : c == '_' ? '/' : c) : NULL;
    return at ? (int)(at - standard) : -1;
}

/* One bit after the other. */
static bool slow_decode(connect_str_t text, char *to, size_t *len) {
    size_t digits = text.len, i, bit, bits;
    while (digits && text.data[digits - 1] == '=')
        digits--;
    if (text.len != digits && (text.len % 4 != 0 || text.len - digits > 2)) return false;
    if (digits % 4 == 1) return false;
    bits = digits * 6 / 8 * 8;
    memset(to, 0, bits / 8);
    for (i = 0; i < digits; i++) {
        int value = value_of(text.data[i]);
        if (value < 0) return false;
        for (bit = 0; bit < 6; bit++) {
            size_t place = i * 6 + bit;
            if (place < bits && value >> (5 - bit) & 1) to[place / 8] = (char)(to[place / 8] | 0x80 >> place % 8);
        }
    }
    *len = bits / 8;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    connect_str_t input = fuzz_copy(data, size, 0), encoded, decoded;
    connect_arena_t arena = CONNECT_DEFAULTS;
    char *slow = (char *)malloc(size + 1), *padded = (char *)malloc(cn_base64_encoded_len(size, true) + 1);
    size_t slow_len = 0, len;
    bool ok;
    CHECK(slow && padded);
    ok = slow_decode(input, slow, &slow_len);
    decoded = connect_base64_decode(input, &arena);
    CHECK((decoded.data != NULL) == ok);
    if (ok) CHECK(decoded.len == slow_len && (!slow_len || memcmp(decoded.data, slow, slow_len) == 0));
    encoded = connect_base64_encode(input, &arena);
    CHECK(encoded.len == cn_base64_encoded_len(size, false));
    decoded = connect_base64_decode(encoded, &arena);
    CHECK(connect_str_equal(decoded, input));
    len = cn_base64_encode(padded, input, true);
    CHECK(len == cn_base64_encoded_len(size, true) && len % 4 == 0);
    encoded.data = padded;
    encoded.len = len;
    decoded = connect_base64_decode(encoded, &arena);
    CHECK(connect_str_equal(decoded, input));
    connect_arena_free(&arena);
    free(slow);
    free(padded);
    free((void *)(uintptr_t)input.data);
    return 0;
}
