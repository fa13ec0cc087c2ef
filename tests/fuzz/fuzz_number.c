/* Numbers of JSON: the same values as libc reads, and what is written reads back. */
#include "fuzz.h"
#include <math.h>

/* The grammar of RFC 8259 6, once more. */
static bool is_number(const char *at) {
    if (*at == '-') at++;
    if (*at == '0') {
        at++;
    } else {
        if (*at < '1' || *at > '9') return false;
        at += strspn(at, "0123456789");
    }
    if (*at == '.') {
        if (!strspn(++at, "0123456789")) return false;
        at += strspn(at, "0123456789");
    }
    if (*at == 'e' || *at == 'E') {
        at++;
        if (*at == '+' || *at == '-') at++;
        if (!strspn(at, "0123456789")) return false;
        at += strspn(at, "0123456789");
    }
    return !*at;
}

static void check_integers(const char *text, const cn_number_t *number) {
    const bool plain = text[strspn(text, "-0123456789")] == 0;
    int64_t integer;
    uint64_t natural;
    cn_number_result_t result = cn_number_as_int(number, INT64_MIN, INT64_MAX, &integer);
    if (plain) {
        long long expected;
        errno = 0;
        expected = strtoll(text, NULL, 10);
        CHECK((result == CN_NUMBER_OK) == (errno == 0));
        if (result == CN_NUMBER_OK) CHECK(integer == expected);
    } else if (result == CN_NUMBER_OK && integer > -(1LL << 53) && integer < 1LL << 53) {
        CHECK((double)integer == strtod(text, NULL));
    }
    result = cn_number_as_uint(number, UINT64_MAX, &natural);
    if (plain && text[0] != '-') {
        unsigned long long expected;
        errno = 0;
        expected = strtoull(text, NULL, 10);
        CHECK((result == CN_NUMBER_OK) == (errno == 0));
        if (result == CN_NUMBER_OK) CHECK(natural == expected);
    }
    if (cn_number_as_int(number, INT32_MIN, INT32_MAX, &integer) == CN_NUMBER_OK)
        CHECK(integer >= INT32_MIN && integer <= INT32_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = (char *)malloc(size + 1), written[CN_NUMBER_ROOM + 1];
    connect_str_t view;
    cn_number_t number, again;
    double value, expected, back;
    float narrow, narrow_back;
    CHECK(text);
    if (size) memcpy(text, data, size);
    text[size] = 0;
    view = fuzz_copy(data, size, 0);
    if (memchr(text, 0, size) || !is_number(text)) {
        CHECK(!cn_number_read(&number, view));
    } else if (size <= CN_NUMBER_TEXT_MAX) {
        CHECK(cn_number_read(&number, view));
        expected = strtod(text, NULL);
        if (cn_number_as_double(&number, &value) == CN_NUMBER_OK) {
            CHECK(memcmp(&value, &expected, sizeof value) == 0);
            written[cn_number_from_double(written, value)] = 0;
            back = strtod(written, NULL);
            CHECK(memcmp(&value, &back, sizeof value) == 0);
            CHECK(cn_number_read(&again, connect_str_of(written)));
            CHECK(cn_number_as_double(&again, &back) == CN_NUMBER_OK && memcmp(&value, &back, sizeof value) == 0);
        } else {
            CHECK(isinf(expected));
        }
        narrow_back = strtof(text, NULL);
        if (cn_number_as_float(&number, &narrow) == CN_NUMBER_OK) {
            CHECK(memcmp(&narrow, &narrow_back, sizeof narrow) == 0);
            written[cn_number_from_float(written, narrow)] = 0;
            narrow_back = strtof(written, NULL);
            CHECK(memcmp(&narrow, &narrow_back, sizeof narrow) == 0);
        } else {
            CHECK(isinf(narrow_back));
        }
        check_integers(text, &number);
    }
    if (size == 8) { /* the bytes as a value */
        memcpy(&value, data, 8);
        if (isfinite(value)) {
            written[cn_number_from_double(written, value)] = 0;
            back = strtod(written, NULL);
            CHECK(memcmp(&value, &back, sizeof value) == 0);
        }
    }
    free(text);
    free((void *)(uintptr_t)view.data);
    return 0;
}
