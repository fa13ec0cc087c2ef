#include "protocol/timeout.h"
#include "base/mem.h"
#include "base/str.h"

/* Timeouts on the wire.

   Connect-Timeout-Ms: 1 to 10 digits, milliseconds (Connect "Timeout").
   grpc-timeout: 1 to 8 digits and one of H M S m u n (gRPC over HTTP/2 "Timeout").

   Read: what is longer, has a sign or an unknown unit is malformed; values above a year are cut to a year, so that
   adding to a clock cannot overflow. Below a millisecond is rounded up: a deadline is never moved before its time,
   except 0, which has passed already. Written: what is left at the start of the call, never 0 in Connect (at least 1
   ms), and in gRPC in the finest unit that fits eight digits. */

CN_PRIVATE bool cn_timeout_read_connect(connect_str_t text, int64_t *ms) {
    uint64_t value;
    if (!cn_str_to_uint(text, 10, &value)) return false;
    *ms = (int64_t)CN_MIN(value, (uint64_t)CN_TIMEOUT_MAX_MS);
    return true;
}

CN_PRIVATE bool cn_timeout_read_grpc(connect_str_t text, int64_t *ms) {
    uint64_t value;
    if (text.len < 2 || !cn_str_to_uint(cn_str(text.data, text.len - 1), 8, &value)) return false;
    switch (text.data[text.len - 1]) {
    case 'H': value *= 3600u * 1000u; break;
    case 'M': value *= 60u * 1000u; break;
    case 'S': value *= 1000u; break;
    case 'm': break;
    case 'u': value = (value + 999) / 1000; break;
    case 'n': value = (value + 999999) / 1000000; break;
    default: return false;
    }
    *ms = (int64_t)CN_MIN(value, (uint64_t)CN_TIMEOUT_MAX_MS);
    return true;
}

/* unit: 0: none. Data NULL: out of memory. */
static connect_str_t cn_timeout_write(connect_arena_t *arena, int64_t value, char unit) {
    char text[24];
    size_t len = cn_str_from_uint(text, (uint64_t)value);
    if (unit) text[len++] = unit;
    return connect_arena_copy(arena, cn_str(text, len));
}

CN_PRIVATE connect_str_t cn_timeout_write_connect(connect_arena_t *arena, int64_t ms) {
    return cn_timeout_write(arena, CN_MIN(CN_MAX(ms, 1), (int64_t)9999999999), 0);
}

CN_PRIVATE connect_str_t cn_timeout_write_grpc(connect_arena_t *arena, int64_t ms) {
    if (ms <= 0) return CN_STR("0n");
    if (ms < 100000000) return cn_timeout_write(arena, ms, 'm');
    return cn_timeout_write(arena, CN_MIN(ms / 1000, (int64_t)99999999), 'S');
}
