/* UTF-8: every sequence of up to three bytes, and every four-byte one by class, against a decoder that knows only the
   definition (RFC 3629 3); places in longer texts; the guard page. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"

/* Decodes bit by bit and compares with the shortest form: no table of ranges. */
static bool model_valid(const unsigned char *at, size_t len) {
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t i = 0;
    while (i < len) {
        uint32_t value;
        size_t ones = 0, k;
        while (ones < 8 && (at[i] >> (7 - ones) & 1))
            ones++;
        if (ones == 0) {
            i++;
            continue;
        }
        if (ones == 1 || ones > 4 || len - i < ones) return false;
        value = at[i] & ((1u << (7 - ones)) - 1);
        for (k = 1; k < ones; k++) {
            if (at[i + k] >> 6 != 2) return false;
            value = value << 6 | (at[i + k] & 0x3F);
        }
        if (value < smallest[ones] || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) return false;
        i += ones;
    }
    return true;
}
static bool valid(const unsigned char *bytes, size_t len) {
    return cn_utf8_valid(cn_str((const char *)bytes, len));
}
static void compare(const unsigned char *bytes, size_t len) {
    if (valid(bytes, len) != model_valid(bytes, len))
        fail_msg("%02x %02x %02x %02x, %u bytes", bytes[0], bytes[1], bytes[2], bytes[3], (unsigned)len);
}

static void test_table(void **state) {
    static const char *const good[] = {"", "a", "\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF",
        "\xEE\x80\x80", "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "\xEF\xBB\xBF", "gr\xC3\xBC\xC3\x9F"};
    static const char *const bad[] = {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2 ", "\xE0\x80\x80",
        "\xE0\x9F\xBF", "\xE2\x82", "\xE2\x82 ", "\xED\xA0\x80", "\xED\xBF\xBF", "\xED\xA0\xBD\xED\xB8\x80",
        "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF", "\xF0\x9F\x98", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80",
        "\xF8\x88\x80\x80\x80", "\xFC\x84\x80\x80\x80\x80", "\xFE", "\xFF", "\xC3\xBC\xBC", "a\x80z"};
    size_t i;
    (void)state;
    for (i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(valid((const unsigned char *)good[i], strlen(good[i])));
    for (i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(valid((const unsigned char *)bad[i], strlen(bad[i])));
    assert_true(valid((const unsigned char *)"a\0b", 3));
    assert_true(cn_utf8_valid(cn_str(NULL, 0)));
}

static void test_every_short_sequence(void **state) {
    unsigned char bytes[4] = {0, 0, 0, 0};
    uint32_t i;
    (void)state;
    for (i = 0; i < 0x1000000; i++) {
        bytes[0] = (unsigned char)(i >> 16);
        bytes[1] = (unsigned char)(i >> 8);
        bytes[2] = (unsigned char)i;
        compare(bytes, 3);
        if (bytes[2] == 0) compare(bytes, 2);
        if ((i & 0xFFFF) == 0) compare(bytes, 1);
    }
}

static void test_four_bytes(void **state) {
    static const unsigned char tails[] = {0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xFF};
    unsigned char bytes[4];
    int first, second;
    size_t third, fourth;
    (void)state;
    for (first = 0; first < 256; first++)
        for (second = 0; second < 256; second++)
            for (third = 0; third < sizeof tails; third++)
                for (fourth = 0; fourth < sizeof tails; fourth++) {
                    bytes[0] = (unsigned char)first;
                    bytes[1] = (unsigned char)second;
                    bytes[2] = tails[third];
                    bytes[3] = tails[fourth];
                    compare(bytes, 4);
                }
}

/* Every place in a text around the words that are read at once, right before a guard page; and cut short there. */
static void test_places(void **state) {
    static const char *const pieces[] = {
        "\xC3\xBC", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\x80", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF"};
    size_t len, at, i;
    (void)state;
    for (len = 1; len <= 40; len++)
        for (i = 0; i < sizeof pieces / sizeof *pieces; i++)
            for (at = 0; at < len; at++) {
                size_t piece = strlen(pieces[i]);
                guarded text = guarded_new(len, 0);
                memset(text.data, 'x', len);
                memcpy(text.data + at, pieces[i], piece < len - at ? piece : len - at);
                assert_int_equal(valid((unsigned char *)text.data, len), i < 3 && piece <= len - at);
                guarded_free(&text);
            }
}

static void test_put(void **state) {
    uint32_t value;
    (void)state;
    for (value = 0; value <= 0x10FFFF; value++) {
        unsigned char bytes[4] = {0, 0, 0, 0};
        size_t len, k;
        uint32_t back;
        if (value >= 0xD800 && value < 0xE000) continue;
        len = cn_utf8_put((char *)bytes, value);
        assert_true(len == (size_t)(value < 0x80 ? 1 : value < 0x800 ? 2 : value < 0x10000 ? 3 : 4));
        if (!valid(bytes, len)) fail_msg("U+%04X", (unsigned)value);
        back = len == 1 ? bytes[0] : bytes[0] & (0x7Fu >> len);
        for (k = 1; k < len; k++)
            back = back << 6 | (bytes[k] & 0x3F);
        if (back != value) fail_msg("U+%04X became U+%04X", (unsigned)value, (unsigned)back);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_every_short_sequence),
        cmocka_unit_test(test_four_bytes),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_put),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
