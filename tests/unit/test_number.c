/* Numbers as JSON writes them: libc, in the C locale, is the oracle. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"
#include <math.h>

/* Private macros end with connect.h; these are used here, too. */
#define CN_LEN(array) (sizeof(array) / sizeof *(array))
#define CN_MIN(a, b) ((a) < (b) ? (a) : (b))
#define CN_NUMBER_POWER_MIN (-351)
#define CN_NUMBER_POWER_MAX 350
#define CN_NUMBER_WORDS 192
#define CN_NUMBER_ROOM 32

static uint64_t random_state = 0x9E3779B97F4A7C15u;
static uint64_t random_next(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static double double_of(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
static bool same_double(double a, double b) {
    return memcmp(&a, &b, sizeof a) == 0;
}
static bool same_float(float a, float b) {
    return memcmp(&a, &b, sizeof a) == 0;
}

/* A result beside those of cn_number_as_x: it is no number. */
#define NOT_A_NUMBER ((cn_number_result_t)100)

static cn_number_result_t as_double(connect_str_t text, double *value) {
    cn_number_t number;
    return cn_number_read(&number, text) ? cn_number_as_double(&number, value) : NOT_A_NUMBER;
}
static cn_number_result_t as_float(connect_str_t text, float *value) {
    cn_number_t number;
    return cn_number_read(&number, text) ? cn_number_as_float(&number, value) : NOT_A_NUMBER;
}

/* Prints, and reads back by libc and by us. */
static void round_trip_double(double value) {
    char text[CN_NUMBER_ROOM + 1];
    size_t len = cn_number_from_double(text, value);
    double read = 0;
    assert_true(len < CN_NUMBER_ROOM);
    text[len] = 0;
    if (!same_double(strtod(text, NULL), value)) fail_msg("%.17g was printed as %s", value, text);
    if (as_double(cn_str(text, len), &read) != CN_NUMBER_OK || !same_double(read, value))
        fail_msg("%s was read as %.17g", text, read);
}
static void round_trip_float(float value) {
    char text[CN_NUMBER_ROOM + 1];
    size_t len = cn_number_from_float(text, value);
    float read = 0;
    assert_true(len < CN_NUMBER_ROOM);
    text[len] = 0;
    if (!same_float(strtof(text, NULL), value)) fail_msg("%.9g was printed as %s", (double)value, text);
    if (as_float(cn_str(text, len), &read) != CN_NUMBER_OK || !same_float(read, value))
        fail_msg("%s was read as %.9g", text, (double)read);
}

/* Reads as double and as float, and compares with libc. */
static void check_read(const char *text) {
    double expected = strtod(text, NULL), read = 0;
    float expected_float = strtof(text, NULL), read_float = 0;
    cn_number_result_t result = as_double(connect_str_of(text), &read);
    if (isinf(expected) ? result != CN_NUMBER_RANGE : result != CN_NUMBER_OK || !same_double(expected, read))
        fail_msg("%s: result %d, %.17g instead of %.17g", text, (int)result, read, expected);
    result = as_float(connect_str_of(text), &read_float);
    if (isinf(expected_float) ? result != CN_NUMBER_RANGE
                              : result != CN_NUMBER_OK || !same_float(expected_float, read_float))
        fail_msg("%s: result %d, %.9g instead of %.9g", text, (int)result, (double)read_float, (double)expected_float);
}

static void test_powers_against_exact_integers(void **state) {
    /* 5^k by big multiplication for k >= 0: the top 128 bits, rounded down */
    cn_number_big_t big;
    int k;
    (void)state;
    memset(&big, 0, sizeof big);
    big.words[0] = 1;
    big.count = 1;
    for (k = 0; k <= CN_NUMBER_POWER_MAX; k++) {
        cn_number_wide_t power = cn_number_power(k);
        int bits = cn_number_big_bits(&big), i;
        assert_int_equal(cn_number_log2_of_power(k), bits - 1 + k);
        for (i = 0; i < 128; i++) {
            int at = bits - 1 - i;
            unsigned expected = at < 0 ? 0 : big.words[at / 32] >> (at % 32) & 1;
            unsigned actual = (unsigned)((i < 64 ? power.high >> (63 - i) : power.low >> (127 - i)) & 1);
            assert_int_equal(actual, expected);
        }
        cn_number_big_multiply(&big, 5, 0);
    }
    /* 5^-k = q / 2^s: q * 5^k <= 2^s < (q + 1) * 5^k */
    memset(&big, 0, sizeof big);
    big.words[0] = 1;
    big.count = 1;
    for (k = 1; k <= -CN_NUMBER_POWER_MIN; k++) {
        cn_number_wide_t power = cn_number_power(-k);
        cn_number_big_t product, one, above;
        int i, scale;
        cn_number_big_multiply(&big, 5, 0);
        memset(&product, 0, sizeof product);
        for (i = 0; i < 4; i++) { /* product = q * 5^k, by 32 bits at a time */
            uint32_t part = (uint32_t)((i < 2 ? power.high : power.low) >> (i % 2 ? 0 : 32));
            cn_number_big_t term = big;
            size_t j;
            uint64_t carry = 0;
            cn_number_big_shift(&product, 32);
            cn_number_big_multiply(&term, part, 0);
            for (j = 0; j < CN_NUMBER_WORDS - 1; j++) {
                carry += (uint64_t)(j < product.count ? product.words[j] : 0) + (j < term.count ? term.words[j] : 0);
                product.words[j] = (uint32_t)carry;
                carry >>= 32;
                if (j >= product.count && j >= term.count && !carry && !product.words[j]) break;
            }
            product.count = CN_MIN(j + 1, (size_t)CN_NUMBER_WORDS);
            while (product.count && !product.words[product.count - 1])
                product.count--;
        }
        scale = cn_number_big_bits(&big) + 127;
        memset(&one, 0, sizeof one);
        one.words[0] = 1;
        one.count = 1;
        cn_number_big_shift(&one, scale);
        if (cn_number_big_compare(&product, &one) > 0) fail_msg("5^-%d is too large", k);
        above = one; /* 2^s - q * 5^k < 5^k */
        cn_number_big_subtract(&above, &product);
        if (cn_number_big_compare(&above, &big) >= 0) fail_msg("5^-%d is too small", k);
    }
}

static void test_doubles_round_trip(void **state) {
    int i, j;
    (void)state;
    for (i = 0; i < 1000000; i++) {
        uint64_t bits = random_next();
        if ((bits >> 52 & 0x7FF) != 0x7FF) round_trip_double(double_of(bits));
    }
    for (i = 0; i < 0x7FF; i++) /* both sides of every power of two */
        for (j = -2; j <= 2; j++) {
            uint64_t bits = ((uint64_t)i << 52) + (uint64_t)(int64_t)j;
            if ((bits >> 52 & 0x7FF) != 0x7FF) round_trip_double(double_of(bits));
        }
    for (i = 0; i < 100000; i++) {
        round_trip_double((double)i / 100);
        round_trip_double((double)(int64_t)random_next() / (double)((uint64_t)1 << (random_next() % 63)));
    }
}

static void test_floats_round_trip(void **state) {
    int i, j;
    (void)state;
    for (i = 0; i < 1000000; i++) {
        uint32_t bits = (uint32_t)random_next();
        if ((bits >> 23 & 0xFF) != 0xFF) round_trip_float(float_of(bits));
    }
    for (i = 0; i < 0xFF; i++)
        for (j = -2; j <= 2; j++) {
            uint32_t bits = ((uint32_t)i << 23) + (uint32_t)j;
            if ((bits >> 23 & 0xFF) != 0xFF) round_trip_float(float_of(bits));
        }
}

static void test_doubles_are_shortest(void **state) {
    int i;
    (void)state;
    for (i = 0; i < 20000; i++) {
        uint64_t bits = random_next();
        char text[64], shorter[64];
        size_t len, j;
        int digits = 0;
        bool leading = true;
        double value = double_of(i % 2 ? bits : bits >> (bits % 40) << (bits % 40));
        if (value - value != 0 || value == 0) continue;
        len = cn_number_from_double(text, value);
        for (j = 0; j < len && text[j] != 'e'; j++) {
            leading = leading && (text[j] < '1' || text[j] > '9');
            if (!leading && text[j] != '.') digits++;
        }
        if (!memchr(text, '.', len))
            for (j--; j > 0 && text[j] == '0'; j--)
                digits--;
        text[len] = 0;
        if (digits < 2) continue;
        snprintf(shorter, sizeof shorter, "%.*e", digits - 2, value);
        if (same_double(strtod(shorter, NULL), value)) fail_msg("%s is longer than %s", text, shorter);
    }
}

static void test_form(void **state) {
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0, "0"}, {-0.0, "-0.0"}, {1, "1"}, {-1, "-1"}, {1.5, "1.5"}, {100, "100"}, {0.1, "0.1"},
        {123456789, "123456789"}, {1e15, "1000000000000000"}, {9007199254740993e0, "9007199254740992"},
        {1e20, "100000000000000000000"}, {123456789012345680000.0, "123456789012345680000"}, {1e21, "1e+21"},
        {1.5e21, "1.5e+21"}, {1e-6, "0.000001"}, {1.25e-6, "0.00000125"}, {1e-7, "1e-7"}, {1.5e-7, "1.5e-7"},
        {5e-324, "5e-324"}, {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {-1.7976931348623157e308, "-1.7976931348623157e+308"}, {0.3, "0.3"}, {2.0 / 3, "0.6666666666666666"},
        {4.35, "4.35"}, {1e23, "1e+23"}, {9.5367431640625e-7, "9.5367431640625e-7"}};
    static const struct {
        float value;
        const char *text;
    } floats[] = {{0.1f, "0.1"}, {3.4028235e38f, "3.4028235e+38"}, {1e-45f, "1e-45"}, {16777216.0f, "16777216"},
        {1.17549435e-38f, "1.1754944e-38"}, {-0.0f, "-0.0"}, {0.3f, "0.3"}};
    char text[CN_NUMBER_ROOM];
    size_t i;
    (void)state;
    for (i = 0; i < CN_LEN(cases); i++)
        assert_str(cn_str(text, cn_number_from_double(text, cases[i].value)), cases[i].text);
    for (i = 0; i < CN_LEN(floats); i++)
        assert_str(cn_str(text, cn_number_from_float(text, floats[i].value)), floats[i].text);
}

static void test_read_boundaries(void **state) {
    static const char *const texts[] = {"0", "-0", "0.0", "0e999999999999999999", "1e400", "-1e400", "1e-400", "1e309",
        "2.4703282292062327e-324", "2.4703282292062328e-324", "4.9e-324", "2.2250738585072011e-308",
        "2.2250738585072014e-308", "1.7976931348623157e308", "1.7976931348623158e308", "1.7976931348623159e308",
        "9007199254740991", "9007199254740992", "9007199254740993", "9007199254740993.0000000000000000000000000001",
        "9007199254740994", "9007199254740995", "3.4028234663852886e38", "3.4028235677973362e38",
        "3.4028235677973366e38", "3.4028235677973367e38", "7.006492321624085e-46", "7.0064923216240854e-46",
        "1.1754943508222875e-38", "1.1754942807573643e-38", "16777217", "16777217.000000000001", "123e+2", "1E5",
        "1.00000017881393421514957253748434595763683319091796875001", "0.000000000000000000000000000000000001e36",
        "100000000000000000000000000000000000000000000000000000000000000000000000000000e-76",
        "179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017977587207096330286"
        "416692887910946555547851940402630657488671505820681908902000708383676273854845817711531764475730270069855571"
        "366959622842914819860834936475292719074168444365510704342711559699508093042880",
        "6631236846766476e-316", "5e-324", "8.5e-400", "1e-323"};
    size_t i;
    (void)state;
    for (i = 0; i < CN_LEN(texts); i++)
        check_read(texts[i]);
}

static void test_read_random(void **state) {
    int i;
    (void)state;
    for (i = 0; i < 100000; i++) {
        char text[128];
        int digits = 1 + (int)(random_next() % 40), point = (int)(random_next() % 40), j, len = 0;
        for (j = 0; j < digits; j++) {
            text[len++] = (char)('0' + (j ? random_next() % 10 : 1 + random_next() % 9));
            if (j == point && j + 1 < digits) text[len++] = '.';
        }
        snprintf(text + len, sizeof text - (size_t)len, "e%d", (int)(random_next() % 700) - 360);
        check_read(text);
    }
}

/* What lies exactly between two values, and what lies next to that: 768 digits decide. */
static void test_read_halves(void **state) {
    int i, j;
    (void)state;
    for (i = 0; i < 5000; i++) {
        uint64_t bits = i < 500 ? (uint64_t)i : random_next() >> 1;
        char text[1100];
        long double half;
        size_t len;
        if (i % 2) bits &= 0x003FFFFFFFFFFFFFu; /* subnormals, and just above */
        if ((bits + 1) >> 52 >= 0x7FF) continue;
        half = ((long double)double_of(bits) + (long double)double_of(bits + 1)) / 2;
        if (snprintf(text, 1020, "%.780Le", half) >= 1020) continue;
        check_read(text);
        len = (size_t)(strchr(text, 'e') - text);
        for (j = -1; j <= 1; j += 2) { /* the last digit but a few is a zero, since it is exact */
            char changed[1100];
            memcpy(changed, text, sizeof changed);
            if (j < 0 ? changed[len - 1] == '0' : changed[len - 1] == '9') continue;
            changed[len - 1] = (char)(changed[len - 1] + j);
            check_read(changed);
        }
    }
    for (i = 0; i < 20000; i++) {
        uint32_t bits = (uint32_t)(random_next() >> 33);
        char text[256];
        if ((bits + 1) >> 23 >= 0xFF) continue;
        snprintf(text, sizeof text, "%.160e", ((double)float_of(bits) + (double)float_of(bits + 1)) / 2);
        check_read(text);
    }
}

static void test_read_long(void **state) {
    static const char *const ends[] = {"e-1018", "e-1340", "e-1341", "e-1342", "e-1343", "e-0710", "e-0709", "e-0708"};
    char text[1026];
    double value;
    size_t i;
    (void)state;
    for (i = 0; i < CN_LEN(ends); i++) {
        memset(text, '9', 1024);
        memcpy(text + 1018, ends[i], 7);
        check_read(text);
        memset(text + 1, '0', 1017);
        check_read(text);
        text[1017] = '1';
        check_read(text);
    }
    memset(text, '0', sizeof text);
    text[1] = '.';
    text[1023] = '1';
    text[1024] = 0;
    check_read(text);
    memset(text, '1', 1025);
    text[1025] = 0;
    assert_int_equal(as_double(connect_str_of(text), &value), NOT_A_NUMBER);
}

static void test_grammar(void **state) {
    static const char *const bad[] = {"", "-", "+1", "01", "-01", "00", ".5", "1.", "1.e5", "1e", "1e+", "1e-", "0x10",
        "1 ", " 1", "1,0", "NaN", "Infinity", "inf", "1e5.5", "--1", "1d", "1e5e5", "1_000", "-.5", "1.5.2"};
    static const char *const good[] = {"0", "-0", "10", "0.5", "-0.5", "1e5", "1E5", "1e+5", "1e-5", "1.25e05", "0e0"};
    size_t i;
    double value;
    (void)state;
    for (i = 0; i < CN_LEN(bad); i++) {
        guarded text = guarded_copy(bad[i], strlen(bad[i]), 0);
        if (as_double(cn_str(text.data, text.len), &value) != NOT_A_NUMBER) fail_msg("\"%s\" was accepted", bad[i]);
        guarded_free(&text);
    }
    for (i = 0; i < CN_LEN(good); i++) {
        guarded text = guarded_copy(good[i], strlen(good[i]), 0);
        if (as_double(cn_str(text.data, text.len), &value) != CN_NUMBER_OK) fail_msg("\"%s\" was refused", good[i]);
        assert_true(same_double(value, strtod(good[i], NULL)));
        guarded_free(&text);
    }
}

static void check_int(const char *text, int64_t min, int64_t max, cn_number_result_t result, int64_t expected) {
    int64_t value = 0;
    cn_number_t number;
    cn_number_result_t actual =
        cn_number_read(&number, connect_str_of(text)) ? cn_number_as_int(&number, min, max, &value) : NOT_A_NUMBER;
    if (actual != result || (result == CN_NUMBER_OK && value != expected))
        fail_msg("%s: result %d, %lld", text, (int)actual, (long long)value);
}
static void check_uint(const char *text, uint64_t max, cn_number_result_t result, uint64_t expected) {
    uint64_t value = 0;
    cn_number_t number;
    cn_number_result_t actual =
        cn_number_read(&number, connect_str_of(text)) ? cn_number_as_uint(&number, max, &value) : NOT_A_NUMBER;
    if (actual != result || (result == CN_NUMBER_OK && value != expected))
        fail_msg("%s: result %d, %llu", text, (int)actual, (unsigned long long)value);
}

static void test_integers(void **state) {
    (void)state;
    check_int("2147483647", INT32_MIN, INT32_MAX, CN_NUMBER_OK, INT32_MAX);
    check_int("2147483648", INT32_MIN, INT32_MAX, CN_NUMBER_RANGE, 0);
    check_int("-2147483648", INT32_MIN, INT32_MAX, CN_NUMBER_OK, INT32_MIN);
    check_int("-2147483649", INT32_MIN, INT32_MAX, CN_NUMBER_RANGE, 0);
    check_int("9223372036854775807", INT64_MIN, INT64_MAX, CN_NUMBER_OK, INT64_MAX);
    check_int("9223372036854775808", INT64_MIN, INT64_MAX, CN_NUMBER_RANGE, 0);
    check_int("-9223372036854775808", INT64_MIN, INT64_MAX, CN_NUMBER_OK, INT64_MIN);
    check_int("-9223372036854775809", INT64_MIN, INT64_MAX, CN_NUMBER_RANGE, 0);
    check_uint("4294967295", UINT32_MAX, CN_NUMBER_OK, UINT32_MAX);
    check_uint("4294967296", UINT32_MAX, CN_NUMBER_RANGE, 0);
    check_uint("18446744073709551615", UINT64_MAX, CN_NUMBER_OK, UINT64_MAX);
    check_uint("18446744073709551616", UINT64_MAX, CN_NUMBER_RANGE, 0);
    check_uint("184467440737095516150", UINT64_MAX, CN_NUMBER_RANGE, 0);
    check_uint("-1", UINT64_MAX, CN_NUMBER_RANGE, 0);
    check_uint("-0", UINT64_MAX, CN_NUMBER_OK, 0);
    check_int("-0.0e5", INT64_MIN, INT64_MAX, CN_NUMBER_OK, 0);
    check_int("1e3", INT64_MIN, INT64_MAX, CN_NUMBER_OK, 1000);
    check_int("1.0", INT64_MIN, INT64_MAX, CN_NUMBER_OK, 1);
    check_int("-12.50e1", INT64_MIN, INT64_MAX, CN_NUMBER_OK, -125);
    check_int("1000e-3", INT64_MIN, INT64_MAX, CN_NUMBER_OK, 1);
    check_int("9223372036854775807.000", INT64_MIN, INT64_MAX, CN_NUMBER_OK, INT64_MAX);
    check_int("9.223372036854775807e18", INT64_MIN, INT64_MAX, CN_NUMBER_OK, INT64_MAX);
    check_int("9.223372036854775808e18", INT64_MIN, INT64_MAX, CN_NUMBER_RANGE, 0);
    check_int("0.00000000000000000000000000000001e32", INT64_MIN, INT64_MAX, CN_NUMBER_OK, 1);
    check_int("100000000000000000000000000000e-29", INT64_MIN, INT64_MAX, CN_NUMBER_OK, 1);
    check_int("0e99999999999999999999", INT64_MIN, INT64_MAX, CN_NUMBER_OK, 0);
    check_int("1e99999999999999999999", INT64_MIN, INT64_MAX, CN_NUMBER_RANGE, 0);
    check_int("0.5", INT64_MIN, INT64_MAX, CN_NUMBER_FRACTION, 0);
    check_int("1e-1", INT64_MIN, INT64_MAX, CN_NUMBER_FRACTION, 0);
    check_int("1e-99999999999999999999", INT64_MIN, INT64_MAX, CN_NUMBER_FRACTION, 0);
    check_int("1.25e1", INT64_MIN, INT64_MAX, CN_NUMBER_FRACTION, 0);
    check_int("12345678901234567890123.5", INT64_MIN, INT64_MAX, CN_NUMBER_FRACTION, 0);
    check_int("1x", INT64_MIN, INT64_MAX, NOT_A_NUMBER, 0);
}

static void test_integers_written(void **state) {
    static const uint64_t values[] = {0, 1, 9, 10, 99, 100, 999, 1000, 9999, 10000, 99999, 100000, 4294967295u,
        4294967296u, 9999999999999999999u, 10000000000000000000u, UINT64_MAX};
    char text[CN_NUMBER_ROOM], expected[32];
    size_t i;
    (void)state;
    for (i = 0; i < CN_LEN(values) + 10000; i++) {
        uint64_t value = i < CN_LEN(values) ? values[i] : random_next() >> (random_next() % 64);
        snprintf(expected, sizeof expected, "%llu", (unsigned long long)value);
        assert_str(cn_str(text, cn_number_from_uint(text, value)), expected);
        snprintf(expected, sizeof expected, "%lld", (long long)(int64_t)value);
        assert_str(cn_str(text, cn_number_from_int(text, (int64_t)value)), expected);
    }
    assert_str(cn_str(text, cn_number_from_int(text, INT64_MIN)), "-9223372036854775808");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_powers_against_exact_integers),
        cmocka_unit_test(test_doubles_round_trip),
        cmocka_unit_test(test_floats_round_trip),
        cmocka_unit_test(test_doubles_are_shortest),
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_read_boundaries),
        cmocka_unit_test(test_read_random),
        cmocka_unit_test(test_read_halves),
        cmocka_unit_test(test_read_long),
        cmocka_unit_test(test_grammar),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_integers_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
