#include "codec/wkt.h"
#include "base/str.h"
#include "codec/number.h"

#if CONNECT_ENABLE_JSON
/* What protobuf's JSON mapping says about three well-known types whose JSON form is a text (timestamp.proto,
   duration.proto, field_mask.proto). The other well-known types are made of JSON values: pbjson_*.c.

   Timestamp: RFC 3339 5.6 with capital T and Z and all parts given; any offset is read, Z is written. From
   0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999999999Z, no leap second. Duration: seconds with at most nine digits
   behind the point and an s; seconds and nanos never have different signs.

   Days are counted in the proleptic Gregorian calendar from March 1st of year 0, so that the leap day is the last of
   its year; 400 years have 146,097 days, and 1970-01-01 is day 719,468. */

#define CN_WKT_DAY 86400
#define CN_WKT_EPOCH 719468
#define CN_WKT_TIMESTAMP_MIN (-62135596800)
#define CN_WKT_TIMESTAMP_MAX 253402300799
#define CN_WKT_DURATION_MAX 315576000000
#define CN_WKT_SECOND 1000000000

static size_t cn_wkt_put_padded(char *to, uint32_t value, size_t width) {
    size_t i;
    for (i = width; i-- > 0; value /= 10)
        to[i] = (char)('0' + value % 10);
    return width;
}

/* Nothing, or a point and 3, 6 or 9 digits. */
static size_t cn_wkt_put_fraction(char *to, uint32_t nanos) {
    if (nanos == 0) return 0;
    *to = '.';
    if (nanos % 1000000 == 0) return 1 + cn_wkt_put_padded(to + 1, nanos / 1000000, 3);
    if (nanos % 1000 == 0) return 1 + cn_wkt_put_padded(to + 1, nanos / 1000, 6);
    return 1 + cn_wkt_put_padded(to + 1, nanos, 9);
}

/* Takes a number of exactly so many digits off the text. */
static bool cn_wkt_take_digits(connect_str_t *text, size_t width, int32_t *value) {
    uint64_t taken;
    if (text->len < width || !cn_str_to_uint(cn_str(text->data, width), width, &taken)) return false;
    *value = (int32_t)taken;
    text->data += width;
    text->len -= width;
    return true;
}

static bool cn_wkt_take_char(connect_str_t *text, char c) {
    if (text->len == 0 || *text->data != c) return false;
    text->data++;
    text->len--;
    return true;
}

/* Takes a point and 1 to 9 digits off the text, if there is a point. */
static bool cn_wkt_take_fraction(connect_str_t *text, int32_t *nanos) {
    size_t width = 0;
    *nanos = 0;
    if (!cn_wkt_take_char(text, '.')) return true;
    while (width < text->len && text->data[width] >= '0' && text->data[width] <= '9')
        width++;
    if (width == 0 || width > 9 || !cn_wkt_take_digits(text, width, nanos)) return false;
    for (; width < 9; width++)
        *nanos *= 10;
    return true;
}

static int64_t cn_wkt_days_of(int32_t year, int32_t month, int32_t day) {
    int64_t years = month > 2 ? year : year - 1; /* from March to February */
    int64_t months = (month + 9) % 12;
    return years * 365 + years / 4 - years / 100 + years / 400 + (months * 153 + 2) / 5 + day - 1;
}

CN_PRIVATE size_t cn_wkt_timestamp_to_text(char *to, int64_t seconds, int32_t nanos) {
    int64_t days, era, of_era, years, of_year, months, second;
    char *begin = to;
    if (seconds < CN_WKT_TIMESTAMP_MIN || seconds > CN_WKT_TIMESTAMP_MAX || nanos < 0 || nanos >= CN_WKT_SECOND)
        return 0;
    second = seconds + (int64_t)CN_WKT_EPOCH * CN_WKT_DAY; /* not negative from year 1 on */
    days = second / CN_WKT_DAY;
    second %= CN_WKT_DAY;
    era = days / 146097;
    of_era = days % 146097;
    years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    of_year = of_era - (years * 365 + years / 4 - years / 100);
    months = (of_year * 5 + 2) / 153; /* 0 is March */
    to += cn_wkt_put_padded(to, (uint32_t)(era * 400 + years + (months >= 10)), 4);
    *to++ = '-';
    to += cn_wkt_put_padded(to, (uint32_t)(months < 10 ? months + 3 : months - 9), 2);
    *to++ = '-';
    to += cn_wkt_put_padded(to, (uint32_t)(of_year - (months * 153 + 2) / 5 + 1), 2);
    *to++ = 'T';
    to += cn_wkt_put_padded(to, (uint32_t)(second / 3600), 2);
    *to++ = ':';
    to += cn_wkt_put_padded(to, (uint32_t)(second / 60 % 60), 2);
    *to++ = ':';
    to += cn_wkt_put_padded(to, (uint32_t)(second % 60), 2);
    to += cn_wkt_put_fraction(to, (uint32_t)nanos);
    *to++ = 'Z';
    return (size_t)(to - begin);
}

CN_PRIVATE bool cn_wkt_timestamp_from_text(connect_str_t text, int64_t *seconds, int32_t *nanos) {
    static const char days_in[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int32_t year, month, day, hour, minute, second, offset_hour = 0, offset_minute = 0;
    bool west = false, leap;
    if (!cn_wkt_take_digits(&text, 4, &year) || !cn_wkt_take_char(&text, '-') ||
        !cn_wkt_take_digits(&text, 2, &month) || !cn_wkt_take_char(&text, '-') || !cn_wkt_take_digits(&text, 2, &day) ||
        !cn_wkt_take_char(&text, 'T') || !cn_wkt_take_digits(&text, 2, &hour) || !cn_wkt_take_char(&text, ':') ||
        !cn_wkt_take_digits(&text, 2, &minute) || !cn_wkt_take_char(&text, ':') ||
        !cn_wkt_take_digits(&text, 2, &second) || !cn_wkt_take_fraction(&text, nanos))
        return false;
    if (!cn_wkt_take_char(&text, 'Z')) {
        west = cn_wkt_take_char(&text, '-');
        if ((!west && !cn_wkt_take_char(&text, '+')) || !cn_wkt_take_digits(&text, 2, &offset_hour) ||
            !cn_wkt_take_char(&text, ':') || !cn_wkt_take_digits(&text, 2, &offset_minute))
            return false;
    }
    leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (text.len || year < 1 || month < 1 || month > 12 || day < 1 || day > days_in[month - 1] ||
        (month == 2 && day == 29 && !leap) || hour > 23 || minute > 59 || second > 59 || offset_hour > 23 ||
        offset_minute > 59)
        return false;
    *seconds = (cn_wkt_days_of(year, month, day) - CN_WKT_EPOCH) * CN_WKT_DAY + hour * 3600 + minute * 60 + second;
    *seconds += (offset_hour * 3600 + offset_minute * 60) * (west ? 1 : -1);
    return *seconds >= CN_WKT_TIMESTAMP_MIN && *seconds <= CN_WKT_TIMESTAMP_MAX;
}

CN_PRIVATE size_t cn_wkt_duration_to_text(char *to, int64_t seconds, int32_t nanos) {
    char *begin = to;
    if (seconds < -CN_WKT_DURATION_MAX || seconds > CN_WKT_DURATION_MAX || nanos <= -CN_WKT_SECOND ||
        nanos >= CN_WKT_SECOND || (seconds < 0 && nanos > 0) || (seconds > 0 && nanos < 0))
        return 0;
    if (seconds < 0 || nanos < 0) *to++ = '-';
    to += cn_number_from_uint(to, (uint64_t)(seconds < 0 ? -seconds : seconds));
    to += cn_wkt_put_fraction(to, (uint32_t)(nanos < 0 ? -nanos : nanos));
    *to++ = 's';
    return (size_t)(to - begin);
}

CN_PRIVATE bool cn_wkt_duration_from_text(connect_str_t text, int64_t *seconds, int32_t *nanos) {
    bool negative = cn_wkt_take_char(&text, '-');
    size_t width = 0;
    uint64_t whole;
    while (width < text.len && text.data[width] >= '0' && text.data[width] <= '9')
        width++;
    if (!cn_str_to_uint(cn_str(text.data, width), 12, &whole)) return false;
    text.data += width;
    text.len -= width;
    if (!cn_wkt_take_fraction(&text, nanos) || !cn_wkt_take_char(&text, 's') || text.len) return false;
    if (whole > CN_WKT_DURATION_MAX) return false;
    *seconds = negative ? -(int64_t)whole : (int64_t)whole;
    if (negative) *nanos = -*nanos;
    return true;
}

CN_PRIVATE bool cn_wkt_path_to_json(char *to, size_t *len, connect_str_t path) {
    size_t i, at = 0;
    for (i = 0; i < path.len; i++) {
        char c = path.data[i];
        if (c >= 'A' && c <= 'Z') return false;
        if (c == '_') {
            i++;
            if (i == path.len || path.data[i] < 'a' || path.data[i] > 'z') return false;
            c = (char)(path.data[i] - 'a' + 'A');
        }
        to[at++] = c;
    }
    *len = at;
    return true;
}

CN_PRIVATE bool cn_wkt_path_from_json(char *to, size_t *len, connect_str_t text) {
    size_t i, at = 0;
    for (i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '_') return false;
        if (c >= 'A' && c <= 'Z') {
            to[at++] = '_';
            c = (char)(c - 'A' + 'a');
        }
        to[at++] = c;
    }
    *len = at;
    return true;
}
#endif
