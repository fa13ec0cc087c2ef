/* Base64: the vectors of RFC 4648 10, both alphabets, both forms, every character and every length; the guard page. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"

#define STR(literal) ((connect_str_t){(literal), sizeof(literal) - 1})

/* Decodes a text that ends at a guard page into memory that ends at one. Returns how many bytes, or -1. */
static int decode(const char *text, size_t text_len, char *to) {
    guarded from = guarded_copy(text, text_len, 0), room = guarded_new(cn_base64_decoded_max(text_len), 0);
    size_t len = 12345;
    bool ok = cn_base64_decode(room.data, &len, cn_str(from.data, text_len));
    if (ok) {
        assert_true(len <= room.len);
        memcpy(to, room.data, len);
    }
    guarded_free(&from);
    guarded_free(&room);
    return ok ? (int)len : -1;
}

static const struct {
    const char *bytes, *padded, *bare;
} vectors[] = {{"", "", ""}, {"f", "Zg==", "Zg"}, {"fo", "Zm8=", "Zm8"}, {"foo", "Zm9v", "Zm9v"},
    {"foob", "Zm9vYg==", "Zm9vYg"}, {"fooba", "Zm9vYmE=", "Zm9vYmE"}, {"foobar", "Zm9vYmFy", "Zm9vYmFy"}};

static void test_vectors(void **state) {
    size_t i;
    char to[64];
    (void)state;
    for (i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        connect_str_t bytes = connect_str_of(vectors[i].bytes);
        assert_int_equal(cn_base64_encode(to, bytes, true), strlen(vectors[i].padded));
        assert_memory_equal(to, vectors[i].padded, strlen(vectors[i].padded));
        assert_int_equal(cn_base64_encode(to, bytes, false), strlen(vectors[i].bare));
        assert_memory_equal(to, vectors[i].bare, strlen(vectors[i].bare));
        assert_int_equal(decode(vectors[i].padded, strlen(vectors[i].padded), to), bytes.len);
        assert_memory_equal(to, bytes.data, bytes.len);
        assert_int_equal(decode(vectors[i].bare, strlen(vectors[i].bare), to), bytes.len);
        assert_memory_equal(to, bytes.data, bytes.len);
    }
}

static void test_round_trip(void **state) {
    size_t len, i;
    int form;
    (void)state;
    for (len = 0; len <= 64; len++)
        for (form = 0; form < 2; form++) {
            guarded bytes = guarded_new(len, 0), text;
            char back[80];
            for (i = 0; i < len; i++)
                bytes.data[i] = (char)(i * 37 + len * 101 + 200);
            assert_int_equal(cn_base64_encoded_len(len, form == 1), form ? (len + 2) / 3 * 4 : (len * 4 + 2) / 3);
            text = guarded_new(cn_base64_encoded_len(len, form == 1), 0);
            assert_int_equal(cn_base64_encode(text.data, cn_str(bytes.data, len), form == 1), text.len);
            assert_int_equal(decode(text.data, text.len, back), len);
            assert_memory_equal(back, bytes.data, len);
            guarded_free(&bytes);
            guarded_free(&text);
        }
}

/* Each character's value, at each place of a quantum; any other is refused there. */
static void test_characters(void **state) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    int c, at;
    size_t len;
    (void)state;
    for (c = 0; c < 256; c++) {
        const char *found = c ? strchr(alphabet, c == '-' ? '+' : c == '_' ? '/' : c) : NULL;
        for (at = 0; at < 4; at++) {
            char text[4] = {'A', 'A', 'A', 'A'}, to[8];
            uint32_t bits;
            int n;
            text[at] = (char)c;
            n = decode(text, 4, to);
            if (c == '=' && at == 3) { /* the padding of two bytes */
                assert_int_equal(n, 2);
                continue;
            }
            assert_int_equal(n, found ? 3 : -1);
            if (!found) continue;
            bits = (uint32_t)(unsigned char)to[0] << 16 | (uint32_t)(unsigned char)to[1] << 8 | (unsigned char)to[2];
            assert_int_equal(bits, (uint32_t)(found - alphabet) << (18 - 6 * at));
        }
        for (len = 2; len <= 7; len++) { /* in a tail, too */
            char text[8] = "AAAAAAA", to[8];
            if (c == '=' || len == 4 || len == 5) continue;
            text[len - 1] = (char)c;
            assert_int_equal(decode(text, len, to) >= 0, found != NULL);
            text[len - 1] = 'A';
            text[len - 2] = (char)c;
            assert_int_equal(decode(text, len, to) >= 0, found != NULL);
        }
    }
}

static void test_padding(void **state) {
    static const char *const bad[] = {"A", "AAAAA", "AAAAAAAAA", "=",
        "==", "===", "====", "A=", "A==", "A===", "AA=", "AAA==", "AA===", "AAA=A", "AA=A", "AA==A",
        "AA==AA==", "AAAA=", "AAAA==", "AAAA====", "AAA=AAA=", "Zg= =", "Zg==\n", " Zg==", "Zg ==", "=AAA", "Zm9v\r\n",
        "Zm 9v"};
    static const char *const good[] = {"AA", "AA==", "AAA", "AAA=", "AAAA", "AAAAAA", "AAAAAA==", "+/-_"};
    char to[64];
    size_t i;
    (void)state;
    for (i = 0; i < sizeof bad / sizeof *bad; i++)
        if (decode(bad[i], strlen(bad[i]), to) >= 0) fail_msg("accepted: %s", bad[i]);
    for (i = 0; i < sizeof good / sizeof *good; i++)
        if (decode(good[i], strlen(good[i]), to) < 0) fail_msg("refused: %s", good[i]);
    assert_int_equal(decode("ZZ", 2, to), 1); /* bits left over do not matter */
    assert_int_equal(to[0], 'e');
    assert_int_equal(decode("Zm9=", 4, to), 2);
    assert_int_equal(decode("+/-_", 4, to), 3);
    assert_memory_equal(to, "\xFB\xFF\xBF", 3);
    assert_int_equal(cn_base64_encode(to, STR("\xFB\xFF\xBF"), false), 4);
    assert_memory_equal(to, "+/+/", 4); /* written: the standard alphabet */
}

static void test_public(void **state) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_str_t text;
    (void)state;
    text = connect_base64_encode(STR("any carnal pleas"), &arena);
    assert_str(text, "YW55IGNhcm5hbCBwbGVhcw");
    assert_int_equal(text.data[text.len], 0);
    text = connect_base64_decode(text, &arena);
    assert_str(text, "any carnal pleas");
    assert_int_equal(text.data[text.len], 0);
    assert_str(connect_base64_decode(STR("Zg=="), &arena), "f");
    assert_non_null(connect_base64_encode(cn_str(NULL, 0), &arena).data); /* empty, and not absent */
    text = connect_base64_decode(cn_str(NULL, 0), &arena);
    assert_non_null(text.data);
    assert_int_equal(text.len, 0);
    assert_null(connect_base64_decode(STR("Z"), &arena).data);
    assert_int_equal(connect_base64_decode(STR("Zm9vZ"), &arena).len, 0);
    assert_null(connect_base64_decode(STR("Zm9v!g"), &arena).data);
    assert_false(arena.failed); /* that was the text, not the memory */
    assert_null(connect_base64_encode(cn_str("x", SIZE_MAX), &arena).data);
    assert_true(arena.failed);
    connect_arena_free(&arena);
}

static bool run_with_allocator(const connect_allocator_t *allocator, void *arg) {
    char bytes[1000] = "";
    connect_arena_t arena;
    connect_str_t text, back;
    (void)arg;
    connect_arena_init(&arena, NULL, 0, allocator);
    text = connect_base64_encode(cn_str(bytes, sizeof bytes), &arena);
    back = connect_base64_decode(text.data ? text : STR("AAAA"), &arena);
    assert_int_equal(arena.failed, !text.data || !back.data);
    if (!back.data) assert_int_equal(back.len, 0);
    connect_arena_free(&arena);
    return text.data && back.len == sizeof bytes;
}
static void test_allocations(void **state) {
    (void)state;
    sweep_allocations(run_with_allocator, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_padding),
        cmocka_unit_test(test_public),
        cmocka_unit_test(test_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
