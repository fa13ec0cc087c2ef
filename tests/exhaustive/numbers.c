/* Numbers against libc, bit by bit: numbers COUNT. COUNT random doubles and as many floats, those around every power of
   two and ten and at every end of a range, are printed and read back, by this library and by libc; and what libc prints
   is read. Then the limits of all integers, and what is one beyond, as JSON in each field and as text. */
#define CONNECT_ENABLE_CLIENT 0
#define CONNECT_ENABLE_SERVER 0
#define CONNECT_IMPLEMENTATION
#include "kinds.connect.h"
#include <math.h>

static unsigned long failures, checked;

static void failed(const char *what, const char *text) {
    if (failures++ < 20) fprintf(stderr, "%s: %s\n", what, text);
}

static uint64_t seed = 0x9E3779B97F4A7C15u;

static uint64_t next_random(void) { /* xorshift64* */
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return seed * 0x2545F4914F6CDD1Du;
}

static bool same_double(const char *text, double value) {
    cn_number_t number;
    double back, by_libc = strtod(text, NULL);
    if (memcmp(&value, &by_libc, sizeof value) != 0) return false;
    if (!cn_number_read(&number, connect_str_of(text))) return false;
    return cn_number_as_double(&number, &back) == CN_NUMBER_OK && memcmp(&value, &back, sizeof value) == 0;
}

static bool same_float(const char *text, float value) {
    cn_number_t number;
    float back, by_libc = strtof(text, NULL);
    if (memcmp(&value, &by_libc, sizeof value) != 0) return false;
    if (!cn_number_read(&number, connect_str_of(text))) return false;
    return cn_number_as_float(&number, &back) == CN_NUMBER_OK && memcmp(&value, &back, sizeof value) == 0;
}

static void check_double(double value) {
    char text[64];
    if (value - value != 0) return; /* not finite: written as a word */
    checked++;
    text[cn_number_from_double(text, value)] = 0;
    if (!same_double(text, value)) failed("double", text);
    snprintf(text, sizeof text, "%.17g", value);
    if (!same_double(text, value)) failed("double of libc", text);
}

static void check_float(float value) {
    char text[64];
    if (value - value != 0) return;
    checked++;
    text[cn_number_from_float(text, value)] = 0;
    if (!same_float(text, value)) failed("float", text);
    snprintf(text, sizeof text, "%.9g", (double)value);
    if (!same_float(text, value)) failed("float of libc", text);
}

static void check_bits(uint64_t bits) {
    uint64_t near;
    double value;
    for (near = bits - 3; near != bits + 4; near++) {
        memcpy(&value, &near, sizeof value);
        check_double(value);
        check_double(-value);
    }
}

static void check_float_bits(uint32_t bits) {
    uint32_t near;
    float value;
    for (near = bits - 3; near != bits + 4; near++) {
        memcpy(&value, &near, sizeof value);
        check_float(value);
        check_float(-value);
    }
}

static void check_boundaries(void) {
    uint64_t exponent, bits;
    uint32_t float_bits;
    char text[32];
    int power;
    double value;
    float single;
    for (exponent = 0; exponent < 2048; exponent++) {
        check_bits(exponent << 52);
        check_bits(exponent << 52 | 1u << 20);
        check_bits(exponent << 52 | (uint64_t)1 << 51);
    }
    for (float_bits = 0; float_bits < 256; float_bits++) {
        check_float_bits(float_bits << 23);
        check_float_bits(float_bits << 23 | 1u << 22);
    }
    for (power = -345; power <= 308; power++) {
        sprintf(text, "1e%d", power);
        value = strtod(text, NULL);
        memcpy(&bits, &value, sizeof bits);
        check_bits(bits);
        single = strtof(text, NULL);
        memcpy(&float_bits, &single, sizeof float_bits);
        check_float_bits(float_bits);
    }
    for (bits = 1; bits; bits <<= 1) { /* integers around powers of two */
        check_double((double)bits);
        check_double((double)(bits - 1));
        check_double((double)(bits + 1));
        check_float((float)bits);
    }
}

/* ---- Integers ---- */

static const struct {
    const char *field;
    bool is_signed;
    unsigned bits;
} integers[] = {{"anInt32", true, 32}, {"anInt64", true, 64}, {"aUint32", false, 32}, {"aUint64", false, 64},
    {"aSint32", true, 32}, {"aSint64", true, 64}, {"aFixed32", false, 32}, {"aFixed64", false, 64},
    {"aSfixed32", true, 32}, {"aSfixed64", true, 64}};

/* The number is read, as such and in quotes, exactly if it is in range; and written as it was. */
static void check_integer(size_t i, const char *number, bool in_range) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    char json[100], written[100];
    int quoted;
    for (quoted = 0; quoted < 2; quoted++) {
        test_kinds_Kinds kinds;
        connect_str_t again;
        bool ok;
        checked++;
        sprintf(json, quoted ? "{\"%s\":\"%s\"}" : "{\"%s\":%s}", integers[i].field, number);
        ok = connect_message_decode_json(&test_kinds_Kinds_type, &kinds, connect_str_of(json), &arena, NULL, NULL);
        if (ok != in_range) failed(ok ? "accepted" : "refused", json);
        if (!ok) continue;
        sprintf(written, integers[i].bits == 64 ? "{\"%s\":\"%s\"}" : "{\"%s\":%s}", integers[i].field, number);
        again = connect_message_encode_json(&test_kinds_Kinds_type, &kinds, &arena, NULL, NULL);
        if (!again.data || strcmp(again.data, strcmp(number, "0") == 0 ? "{}" : written) != 0)
            failed("became", written);
    }
    connect_arena_free(&arena);
}

/* Adds -1, 0 or 1 to a decimal number without a sign. */
static void step(char *to, const char *number, int by) {
    size_t i = strlen(number);
    strcpy(to, number);
    while (by && i-- > 0) {
        int digit = to[i] - '0' + by;
        by = digit < 0 ? -1 : digit > 9 ? 1 : 0;
        to[i] = (char)('0' + (digit + 10) % 10);
    }
}

static void check_integers(void) {
    static const char *const largest[] = {"2147483647", "4294967295", "9223372036854775807", "18446744073709551615"};
    char number[40] = "-";
    size_t i;
    int by;
    for (i = 0; i < CN_LEN(integers); i++) {
        const char *max = largest[(integers[i].bits == 64 ? 2 : 0) + !integers[i].is_signed];
        for (by = -1; by <= 1; by++) {
            step(number + 1, max, by);
            check_integer(i, number + 1, by <= 0);
            step(number + 1, max, by + 1); /* the least is one further from zero than the largest */
            if (integers[i].is_signed) check_integer(i, number, by <= 0);
        }
        check_integer(i, "0", true);
        check_integer(i, "1", true);
        check_integer(i, "-1", integers[i].is_signed);
        check_integer(i, "99999999999999999999999999", false);
        check_integer(i, "-99999999999999999999999999", false);
        check_integer(i, "0.5", false);
        check_integer(i, "1e99", false);
    }
}

int main(int argc, char **argv) {
    unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000, i;
    check_boundaries();
    for (i = 0; i < count; i++) {
        const uint64_t bits = next_random();
        const uint32_t float_bits = (uint32_t)(next_random() >> 32);
        double value;
        float single;
        memcpy(&value, &bits, sizeof value);
        check_double(value);
        memcpy(&single, &float_bits, sizeof single);
        check_float(single);
        /* those that people write: few digits */
        check_double((double)(int64_t)(bits >> 40) / 1000);
    }
    check_integers();
    printf("%lu numbers, %lu wrong\n", checked, failures);
    return failures ? 1 : 0;
}
