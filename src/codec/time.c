#include "base/sys.h"

/* google.protobuf.Timestamp and Duration as C knows times (timestamp.proto, duration.proto). A timespec counts its
   nanoseconds forward, also before zero, and so does a Timestamp; in a Duration both fields have the same sign. */

#define CN_TIME_SECOND 1000000000

void connect_timestamp_now(int64_t *seconds, int32_t *nanos) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    connect_timestamp_from_timespec(&now, seconds, nanos);
}

void connect_timestamp_from_timespec(const struct timespec *time, int64_t *seconds, int32_t *nanos) {
    *seconds = (int64_t)time->tv_sec;
    *nanos = (int32_t)time->tv_nsec;
}

bool connect_timestamp_to_timespec(int64_t seconds, int32_t nanos, struct timespec *time) {
    time->tv_sec = (time_t)seconds;
    time->tv_nsec = nanos;
    return (int64_t)time->tv_sec == seconds && nanos >= 0 && nanos < CN_TIME_SECOND;
}

void connect_duration_from_timespec(const struct timespec *span, int64_t *seconds, int32_t *nanos) {
    connect_timestamp_from_timespec(span, seconds, nanos);
    if (*seconds >= 0 || *nanos == 0) return;
    *seconds += 1;
    *nanos -= CN_TIME_SECOND;
}

bool connect_duration_to_timespec(int64_t seconds, int32_t nanos, struct timespec *span) {
    if (nanos < 0 && seconds > 0) return false;
    if (nanos > 0 && seconds < 0) return false;
    if (nanos < 0 && seconds > INT64_MIN) {
        seconds -= 1;
        nanos += CN_TIME_SECOND;
    }
    return connect_timestamp_to_timespec(seconds, nanos, span);
}

void connect_duration_from_ms(int64_t ms, int64_t *seconds, int32_t *nanos) {
    *seconds = ms / 1000;
    *nanos = (int32_t)(ms % 1000) * 1000000;
}

int64_t connect_duration_to_ms(int64_t seconds, int32_t nanos) {
    const int64_t more = nanos / 1000000;
    if (seconds > INT64_MAX / 1000 || (seconds == INT64_MAX / 1000 && more > INT64_MAX % 1000)) return INT64_MAX;
    if (seconds < INT64_MIN / 1000 || (seconds == INT64_MIN / 1000 && more < INT64_MIN % 1000)) return INT64_MIN;
    return seconds * 1000 + more;
}
