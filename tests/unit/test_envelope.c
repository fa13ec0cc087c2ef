/* The five bytes before a message. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"

static const struct {
    uint8_t flags;
    uint32_t len;
    const char *head;
} cases[] = {{0, 0, "\0\0\0\0\0"}, {1, 1, "\1\0\0\0\1"}, {2, 0x01020304, "\2\1\2\3\4"},
    {0x80, 0x80000000u, "\x80\x80\0\0\0"}, {0xFF, 0xFFFFFFFFu, "\xFF\xFF\xFF\xFF\xFF"},
    {0, 0x7FFFFFFFu, "\0\x7F\xFF\xFF\xFF"}, {3, 0xFEDCBA98u, "\3\xFE\xDC\xBA\x98"}, {0, 255, "\0\0\0\0\xFF"},
    {0, 256, "\0\0\0\1\0"}, {0, 65536, "\0\0\1\0\0"}, {0, 16777216, "\0\1\0\0\0"}};

static void test_cases(void **state) {
    size_t i;
    (void)state;
    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        guarded from = guarded_copy(cases[i].head, 5, 0), to = guarded_new(5, 0);
        cn_envelope_t envelope = cn_envelope_read(from.data);
        assert_int_equal(envelope.flags, cases[i].flags);
        assert_true(envelope.len == cases[i].len);
        cn_envelope_write(to.data, cases[i].flags, cases[i].len);
        assert_memory_equal(to.data, cases[i].head, 5);
        guarded_free(&from);
        guarded_free(&to);
    }
    assert_int_equal(CN_ENVELOPE_COMPRESSED, 0x01);
    assert_int_equal(CN_ENVELOPE_END_STREAM, 0x02);
    assert_int_equal(CN_ENVELOPE_TRAILERS, 0x80);
}

static void test_round_trip(void **state) {
    uint32_t random = 1;
    int i;
    (void)state;
    for (i = 0; i < 100000; i++) {
        char head[5];
        cn_envelope_t envelope;
        random = random * 1664525u + 1013904223u;
        cn_envelope_write(head, (uint8_t)(random >> 9), random);
        envelope = cn_envelope_read(head);
        assert_true(envelope.len == random && envelope.flags == (uint8_t)(random >> 9));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
