/* Timeouts on the wire: the grammar at its limits, what is rounded and what is cut, and what is written. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"

#define YEAR_MS INT64_C(31536000000)

typedef bool (*reader)(connect_str_t text, int64_t *ms);

static void check_read(reader read, const char *text, int64_t expected) {
    guarded from = guarded_copy(text, strlen(text), 0);
    int64_t ms = -77;
    bool ok = read(cn_str(from.data, from.len), &ms);
    if (!ok) fail_msg("refused: %s", text);
    if (ms != expected) fail_msg("%s: %lld instead of %lld", text, (long long)ms, (long long)expected);
    guarded_free(&from);
}
static void check_refused(reader read, const char *text) {
    guarded from = guarded_copy(text, strlen(text), 0);
    int64_t ms = -77;
    if (read(cn_str(from.data, from.len), &ms)) fail_msg("accepted: %s", text);
    assert_true(ms == -77);
    guarded_free(&from);
}

static void test_read_connect(void **state) {
    static const char *const bad[] = {"", "-1", "+1", " 1", "1 ", "1.5", "1e3", "0x10", "ms", "10ms", "00000000001",
        "12345678901", "99999999999999999999", "1,2", "\xEF\xBC\x91"};
    size_t i;
    (void)state;
    check_read(cn_timeout_read_connect, "0", 0);
    check_read(cn_timeout_read_connect, "1", 1);
    check_read(cn_timeout_read_connect, "2000", 2000);
    check_read(cn_timeout_read_connect, "0000000001", 1);
    check_read(cn_timeout_read_connect, "9999999999", INT64_C(9999999999)); /* less than four months */
    for (i = 0; i < sizeof bad / sizeof *bad; i++)
        check_refused(cn_timeout_read_connect, bad[i]);
    check_refused(cn_timeout_read_connect, "4294967296 ");
    check_read(cn_timeout_read_connect, "4294967296", INT64_C(4294967296));
    assert_false(cn_timeout_read_connect(cn_str("1\0", 2), &(int64_t){0}));
    assert_false(cn_timeout_read_connect(cn_str(NULL, 0), &(int64_t){0}));
}

static void test_read_grpc(void **state) {
    static const char *const bad[] = {"", "1", "S", "n", "-1S", "+1S", " 1S", "1 S", "1S ", "1s", "1h", "1U", "1N",
        "1ms", "1.5S", "123456789n", "000000001n", "1SS", "S1", "0x1S", "1D", "\xFF", "99999999999999999999H"};
    int c;
    size_t i;
    (void)state;
    check_read(cn_timeout_read_grpc, "1H", 3600000);
    check_read(cn_timeout_read_grpc, "1M", 60000);
    check_read(cn_timeout_read_grpc, "1S", 1000);
    check_read(cn_timeout_read_grpc, "1m", 1);
    check_read(cn_timeout_read_grpc, "1u", 1); /* rounded up: never before its time */
    check_read(cn_timeout_read_grpc, "1000u", 1);
    check_read(cn_timeout_read_grpc, "1001u", 2);
    check_read(cn_timeout_read_grpc, "1n", 1);
    check_read(cn_timeout_read_grpc, "1000000n", 1);
    check_read(cn_timeout_read_grpc, "1000001n", 2);
    check_read(cn_timeout_read_grpc, "99999999n", 100);
    check_read(cn_timeout_read_grpc, "99999999u", 100000);
    check_read(cn_timeout_read_grpc, "99999999m", 99999999);
    check_read(cn_timeout_read_grpc, "00000001S", 1000);
    for (i = 0; i < 6; i++) { /* zero has passed already, in all units */
        char text[3] = {'0', "HMSmun"[i], 0};
        check_read(cn_timeout_read_grpc, text, 0);
    }
    check_read(cn_timeout_read_grpc, "8760H", YEAR_MS); /* a year, and longer ones are cut to it */
    check_read(cn_timeout_read_grpc, "8761H", YEAR_MS);
    check_read(cn_timeout_read_grpc, "8759H", YEAR_MS - 3600000);
    check_read(cn_timeout_read_grpc, "99999999H", YEAR_MS);
    check_read(cn_timeout_read_grpc, "99999999M", YEAR_MS);
    check_read(cn_timeout_read_grpc, "99999999S", YEAR_MS);
    check_read(cn_timeout_read_grpc, "31536000S", YEAR_MS);
    check_read(cn_timeout_read_grpc, "31535999S", YEAR_MS - 1000);
    for (i = 0; i < sizeof bad / sizeof *bad; i++)
        check_refused(cn_timeout_read_grpc, bad[i]);
    for (c = 0; c < 256; c++) { /* every unit */
        char text[2] = {'1', (char)c};
        int64_t ms;
        assert_int_equal(cn_timeout_read_grpc(cn_str(text, 2), &ms), c && strchr("HMSmun", c) != NULL);
    }
    assert_false(cn_timeout_read_grpc(cn_str(NULL, 0), &(int64_t){0}));
}

static void test_write(void **state) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    (void)state;
    assert_str(cn_timeout_write_connect(&arena, 1), "1");
    assert_str(cn_timeout_write_connect(&arena, 2000), "2000");
    assert_str(cn_timeout_write_connect(&arena, 0), "1"); /* never 0 */
    assert_str(cn_timeout_write_connect(&arena, -5), "1");
    assert_str(cn_timeout_write_connect(&arena, INT64_C(9999999999)), "9999999999");
    assert_str(cn_timeout_write_connect(&arena, INT64_C(10000000000)), "9999999999"); /* ten digits */
    assert_str(cn_timeout_write_connect(&arena, INT64_MAX), "9999999999");
    assert_str(cn_timeout_write_grpc(&arena, 0), "0n");
    assert_str(cn_timeout_write_grpc(&arena, -1), "0n");
    assert_str(cn_timeout_write_grpc(&arena, INT64_MIN), "0n");
    assert_str(cn_timeout_write_grpc(&arena, 1), "1m");
    assert_str(cn_timeout_write_grpc(&arena, 99999999), "99999999m");
    assert_str(cn_timeout_write_grpc(&arena, 100000000), "100000S"); /* eight digits */
    assert_str(cn_timeout_write_grpc(&arena, INT64_C(99999999999)), "99999999S");
    assert_str(cn_timeout_write_grpc(&arena, INT64_MAX), "99999999S");
    connect_arena_free(&arena);
}

/* What is written is read again as no more than it was, and less by under a second. */
static void test_round_trip(void **state) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    int64_t ms, back;
    (void)state;
    for (ms = 1; ms < YEAR_MS; ms += ms / 7 + 1) {
        assert_true(cn_timeout_read_grpc(cn_timeout_write_grpc(&arena, ms), &back));
        assert_true(back <= ms && back > ms - (ms < 100000000 ? 1 : 1000));
        assert_true(cn_timeout_read_connect(cn_timeout_write_connect(&arena, ms), &back));
        assert_true(back == (ms > INT64_C(9999999999) ? INT64_C(9999999999) : ms));
        connect_arena_reset(&arena);
    }
    connect_arena_free(&arena);
}

static bool run_with_allocator(const connect_allocator_t *allocator, void *arg) {
    connect_arena_t arena;
    bool ok;
    (void)arg;
    connect_arena_init(&arena, NULL, 0, allocator);
    ok = cn_timeout_write_connect(&arena, 5).data != NULL;
    ok = cn_timeout_write_grpc(&arena, 5).data && ok;
    ok = cn_timeout_write_grpc(&arena, INT64_MAX).data && ok;
    connect_arena_free(&arena);
    return ok;
}
static void test_allocations(void **state) {
    (void)state;
    sweep_allocations(run_with_allocator, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_connect),
        cmocka_unit_test(test_read_grpc),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
