#include "io/limits.h"
#include "base/error.h"

/* The limits that ship. Two presets: `gateway`, the default, and `tiny` for a few megabytes of memory. What is 0 in
   the user's struct takes the preset's value; what is CONNECT_UNLIMITED stays and limits nothing. Values that a
   protocol bounds are checked: an HTTP/2 window is at least 1 and at most 2^31-1 (RFC 9113 6.9.1); the JSON reader
   keeps one bit per level for 256 levels.

   Where the numbers come from: what nginx, Envoy, grpc-go, hyper and nghttp2 ship, and the protocols' own minima. */

#define CN_LIMITS_KIB 1024u
#define CN_LIMITS_MIB (1024u * 1024u)
#define CN_LIMITS_SECOND 1000u
#define CN_LIMITS_WINDOW_MAX 0x7FFFFFFFu
#define CN_LIMITS_DEPTH_MAX 256u

#define CN_LIMITS_FIELDS(row) \
    row(memory, 64 * CN_LIMITS_MIB, 4 * CN_LIMITS_MIB) row(connections, 256, 32) row(requests, 10000, 1000) \
        row(streams, 100, 16) row(stream_window, 64 * CN_LIMITS_KIB, 16 * CN_LIMITS_KIB) row(connection_window, \
            256 * CN_LIMITS_KIB, 64 * CN_LIMITS_KIB) row(stream_buffer, 64 * CN_LIMITS_KIB, 16 * CN_LIMITS_KIB) \
            row(connection_buffer, 256 * CN_LIMITS_KIB, 32 * CN_LIMITS_KIB) row(header_bytes, 16 * CN_LIMITS_KIB, \
                8 * CN_LIMITS_KIB) row(header_count, 128, 64) row(url_bytes, 8 * CN_LIMITS_KIB, 4 * CN_LIMITS_KIB) \
                row(receive_bytes, 4 * CN_LIMITS_MIB, 256 * CN_LIMITS_KIB) row(send_bytes, 4 * CN_LIMITS_MIB, \
                    256 * CN_LIMITS_KIB) row(decode_bytes, 16 * CN_LIMITS_MIB, 1 * CN_LIMITS_MIB) row(depth, 100, 32) \
                    row(zstd_window, 8 * CN_LIMITS_MIB, 1 * CN_LIMITS_MIB) row(reset_burst, 200, 50) row( \
                        reset_rate, 33, 10) row(frame_burst, 10000, 1000) row(frame_rate, 1000, 100) row(handshake_ms, \
                        10 * CN_LIMITS_SECOND, 10 * CN_LIMITS_SECOND) row(header_ms, 10 * CN_LIMITS_SECOND, \
                        10 * CN_LIMITS_SECOND) row(body_gap_ms, 30 * CN_LIMITS_SECOND, 30 * CN_LIMITS_SECOND) \
                        row(write_stall_ms, 30 * CN_LIMITS_SECOND, 30 * CN_LIMITS_SECOND) \
                            row(idle_http1_ms, 60 * CN_LIMITS_SECOND, 15 * CN_LIMITS_SECOND) \
                                row(idle_http2_ms, 300 * CN_LIMITS_SECOND, 60 * CN_LIMITS_SECOND) \
                                    row(ping_ms, 7200 * CN_LIMITS_SECOND, CONNECT_UNLIMITED) \
                                        row(ping_answer_ms, 20 * CN_LIMITS_SECOND, 20 * CN_LIMITS_SECOND) \
                                            row(drain_ms, 10 * CN_LIMITS_SECOND, 5 * CN_LIMITS_SECOND) \
                                                row(dial_ms, 5 * CN_LIMITS_SECOND, 5 * CN_LIMITS_SECOND) \
                                                    row(establish_ms, 20 * CN_LIMITS_SECOND, 20 * CN_LIMITS_SECOND)

typedef struct cn_limits_row_t { /* one field */
    uint16_t offset, size;
    uint32_t presets[2]; /* by connect_preset_t */
} cn_limits_row_t;

#define CN_LIMITS_ROW(name, gateway, tiny) \
    {(uint16_t)offsetof(connect_limits_t, name), (uint16_t)sizeof(((connect_limits_t *)NULL)->name), {gateway, tiny}},

static const cn_limits_row_t cn_limits_table[] = {CN_LIMITS_FIELDS(CN_LIMITS_ROW)};

static void cn_limits_fill(connect_limits_t *limits, const cn_limits_row_t *row) {
    char *field = (char *)limits + row->offset;
    const uint32_t preset = row->presets[limits->preset];
    const size_t wide_preset = preset;
    size_t wide = 0;
    uint32_t value = 0;
    if (row->size == sizeof value) {
        memcpy(&value, field, sizeof value);
        if (value == 0) memcpy(field, &preset, sizeof preset);
    } else {
        memcpy(&wide, field, sizeof wide);
        if (wide == 0) memcpy(field, &wide_preset, sizeof wide_preset);
    }
}

CN_PRIVATE bool cn_limits_resolve(connect_limits_t *limits, const connect_limits_t *options, connect_error_t *error) {
    size_t i;
    *limits = *options;
    if (limits->preset != CONNECT_PRESET_GATEWAY && limits->preset != CONNECT_PRESET_TINY)
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "limits.preset is neither GATEWAY nor TINY");
    for (i = 0; i < CN_LEN(cn_limits_table); i++)
        cn_limits_fill(limits, &cn_limits_table[i]);
    if (limits->stream_window > CN_LIMITS_WINDOW_MAX)
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "limits.stream_window is above 2^31-1");
    if (limits->connection_window > CN_LIMITS_WINDOW_MAX)
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "limits.connection_window is above 2^31-1");
    if (limits->depth > CN_LIMITS_DEPTH_MAX)
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "limits.depth is above 256");
    return true;
}
