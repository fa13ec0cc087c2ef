/* Limits: each preset's numbers, as the table in api/limits.h gives them; what is given stays; what is out of range. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"

#define KIB 1024u
#define MIB (1024u * 1024u)
#define LIMIT(name, gateway, tiny) \
    { #name, offsetof(connect_limits_t, name), gateway, tiny }

static const struct {
    const char *name;
    size_t offset;
    uint32_t gateway, tiny;
} rows[] = {LIMIT(connections, 256, 32), LIMIT(requests, 10000, 1000), LIMIT(streams, 100, 16),
    LIMIT(stream_window, 64 * KIB, 16 * KIB), LIMIT(connection_window, 256 * KIB, 64 * KIB),
    LIMIT(stream_buffer, 64 * KIB, 16 * KIB), LIMIT(connection_buffer, 256 * KIB, 32 * KIB),
    LIMIT(header_bytes, 16 * KIB, 8 * KIB), LIMIT(header_count, 128, 64), LIMIT(url_bytes, 8 * KIB, 4 * KIB),
    LIMIT(receive_bytes, 4 * MIB, 256 * KIB), LIMIT(send_bytes, 4 * MIB, 256 * KIB), LIMIT(decode_bytes, 16 * MIB, MIB),
    LIMIT(depth, 100, 32), LIMIT(zstd_window, 8 * MIB, MIB), LIMIT(reset_burst, 200, 50), LIMIT(reset_rate, 33, 10),
    LIMIT(frame_burst, 10000, 1000), LIMIT(frame_rate, 1000, 100), LIMIT(handshake_ms, 10000, 10000),
    LIMIT(header_ms, 10000, 10000), LIMIT(body_gap_ms, 30000, 30000), LIMIT(write_stall_ms, 30000, 30000),
    LIMIT(idle_http1_ms, 60000, 15000), LIMIT(idle_http2_ms, 300000, 60000), LIMIT(ping_ms, 7200000, CONNECT_UNLIMITED),
    LIMIT(ping_answer_ms, 20000, 20000), LIMIT(drain_ms, 10000, 5000), LIMIT(dial_ms, 5000, 5000),
    LIMIT(establish_ms, 20000, 20000)};
#define ROWS (sizeof rows / sizeof *rows)

static uint32_t *field(connect_limits_t *limits, size_t row) {
    return (uint32_t *)(void *)((char *)limits + rows[row].offset);
}

static void test_presets(void **state) {
    connect_limits_t options, limits;
    connect_error_t error;
    size_t i;
    (void)state;
    assert_int_equal(sizeof options, /* no field is missing above */
        (2 * sizeof(size_t) + ROWS * sizeof(uint32_t) + sizeof(size_t) - 1) / sizeof(size_t) * sizeof(size_t));
    memset(&options, 0, sizeof options);
    assert_int_equal(options.preset, CONNECT_PRESET_GATEWAY);
    memset(&limits, 0xFF, sizeof limits);
    assert_true(cn_limits_resolve(&limits, &options, &error));
    for (i = 0; i < ROWS; i++)
        if (*field(&limits, i) != rows[i].gateway) fail_msg("%s: %u", rows[i].name, (unsigned)*field(&limits, i));
    assert_int_equal(limits.memory, 64 * MIB);
    options.preset = CONNECT_PRESET_TINY;
    assert_true(cn_limits_resolve(&limits, &options, &error));
    assert_int_equal(limits.memory, 4 * MIB);
    for (i = 0; i < ROWS; i++)
        if (*field(&limits, i) != rows[i].tiny) fail_msg("%s: %u", rows[i].name, (unsigned)*field(&limits, i));
    assert_int_equal(limits.preset, CONNECT_PRESET_TINY);
}

/* One that is given stays, and changes no other. */
static void test_given(void **state) {
    static const uint32_t values[] = {1, 7, CONNECT_UNLIMITED};
    connect_limits_t options, limits;
    connect_error_t error;
    size_t i, k, v;
    (void)state;
    for (i = 0; i < ROWS; i++)
        for (v = 0; v < 3; v++) {
            bool bounded = strstr(rows[i].name, "_window") || strcmp(rows[i].name, "depth") == 0;
            if (bounded && values[v] == CONNECT_UNLIMITED) continue;
            memset(&options, 0, sizeof options);
            *field(&options, i) = values[v];
            assert_true(cn_limits_resolve(&limits, &options, &error));
            for (k = 0; k < ROWS; k++)
                assert_true(*field(&limits, k) == (k == i ? values[v] : rows[k].gateway));
        }
}

static void test_ranges(void **state) {
    static const struct {
        const char *name;
        uint32_t largest;
    } bounded[] = {{"stream_window", 0x7FFFFFFFu}, {"connection_window", 0x7FFFFFFFu}, {"depth", 256}};
    connect_limits_t options, limits;
    connect_error_t error;
    size_t i, b;
    (void)state;
    for (b = 0; b < 3; b++)
        for (i = 0; i < ROWS; i++) {
            char wanted[64];
            if (strcmp(rows[i].name, bounded[b].name) != 0) continue;
            memset(&options, 0, sizeof options);
            *field(&options, i) = bounded[b].largest;
            assert_true(cn_limits_resolve(&limits, &options, &error));
            *field(&options, i) = bounded[b].largest + 1;
            assert_false(cn_limits_resolve(&limits, &options, &error));
            assert_int_equal(error.code, CONNECT_INVALID_ARGUMENT);
            snprintf(wanted, sizeof wanted, "limits.%s ", bounded[b].name);
            assert_non_null(strstr(error.message.data, wanted));
            *field(&options, i) = CONNECT_UNLIMITED;
            assert_false(cn_limits_resolve(&limits, &options, &error));
            assert_false(cn_limits_resolve(&limits, &options, NULL));
        }
    memset(&options, 0, sizeof options);
    options.preset = (connect_preset_t)2;
    assert_false(cn_limits_resolve(&limits, &options, &error));
    assert_int_equal(error.code, CONNECT_INVALID_ARGUMENT);
    assert_non_null(strstr(error.message.data, "limits.preset"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_presets),
        cmocka_unit_test(test_given),
        cmocka_unit_test(test_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
