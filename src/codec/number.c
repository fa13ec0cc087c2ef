#include "codec/number.h"
#include "base/str.h"

/* Decimal numbers, exact in both directions, with integer arithmetic only: neither the locale nor the rounding mode nor
   the x87's long registers can change a digit.

   Powers of ten. 10^k = 5^k * 2^k, and 5^k is needed to 128 bits for k from -351 to 350. The table has every 27th to
   192 bits, rounded down; times 5^j (j < 27, exact in 61 bits) that gives all of them, rounded down in the last of 128
   bits. That no one of the 702 is off by one was checked against exact integers when the table was made, and is
   checked by the unit test.

   Writing: Schubfach (R. Giulietti, "The Schubfach way to render doubles", 2020). The interval that rounds to the
   value, scaled by a power of ten, holds at most one multiple of ten, else one or two integers: that is the shortest,
   and if two the nearer. The products are kept "round to odd": one sticky bit in place of the tail. Small integers are
   their own digits. The form is ECMAScript's: a point for 1e-6 <= value < 1e21, an exponent otherwise.

   Reading: text is w * 10^q with w the first 19 digits. (1) w <= 2^53 and |q| <= 22: one multiplication or division,
   which IEEE 754 rounds right (Clinger 1990). (2) w times the 128-bit power of ten; if the error cannot reach the
   rounding bit, done (Eisel and Lemire, "Number parsing at a gigabyte per second", 2021). With more than 19 digits, w
   and w + 1 have to agree. (3) What is left, among it subnormals and ties: long division of big integers, bit by bit.

   Big integers hold 6,144 bits: a text of at most 1,024 characters has at most 3,402 bits of digits and, after the
   ranges are checked, at most 10^1424 (4,731 bits) below the line, plus 64. */

/* ---- 128 bits ---- */

typedef struct cn_number_wide_t {
    uint64_t high, low;
} cn_number_wide_t;

static cn_number_wide_t cn_number_multiply(uint64_t a, uint64_t b) {
    cn_number_wide_t product;
#if defined(__SIZEOF_INT128__)
    __extension__ typedef unsigned __int128 cn_uint128_t;
    cn_uint128_t whole = (cn_uint128_t)a * b;
    product.high = (uint64_t)(whole >> 64);
    product.low = (uint64_t)whole;
#else
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t p00 = a0 * b0, p01 = a0 * b1, p10 = a1 * b0, p11 = a1 * b1;
    uint64_t middle = (p00 >> 32) + (uint32_t)p01 + (uint32_t)p10;
    product.high = p11 + (p01 >> 32) + (p10 >> 32) + (middle >> 32);
    product.low = (middle << 32) | (uint32_t)p00;
#endif
    return product;
}

static int cn_number_leading_zeros(uint64_t value) {
#if defined(__GNUC__)
    return __builtin_clzll(value);
#else
    int count = 0;
    while (!(value >> 63)) {
        value <<= 1;
        count++;
    }
    return count;
#endif
}

/* ---- Powers ---- */

#define CN_NUMBER_POWER_STEP 27
#define CN_NUMBER_POWER_MIN (-351)
#define CN_NUMBER_POWER_MAX 350

/* 5^k for k = -351, -324 ... 324, the highest bit set. */
static const uint64_t cn_number_powers[26][3] = {
    {0x8049A4AC0C5811AEu, 0x205B896D777D6278u, 0xAC261E9F5141430Bu}, /* 5^-351 */
    {0xCF42894A5DCE35EAu, 0x52064CAC828675B9u, 0x475F2B7D7DF1AD7Au}, /* 5^-324 */
    {0xA76C582338ED2621u, 0xAF2AF2B80AF6F24Eu, 0x657C8F4D43323A36u}, /* 5^-297 */
    {0x873E4F75E2224E68u, 0x5A7744A6E804A291u, 0xCC35EDDFCF0996D7u}, /* 5^-270 */
    {0xDA7F5BF590966848u, 0xAF39A475506A899Eu, 0xA30294CC2934E662u}, /* 5^-243 */
    {0xB080392CC4349DECu, 0xBD8D794D96AACFB3u, 0xFE13A5C86AF64418u}, /* 5^-216 */
    {0x8E938662882AF53Eu, 0x547EB47B7282EE9Cu, 0x41B0230E1421487Du}, /* 5^-189 */
    {0xE65829B3046B0AFAu, 0x0CB4A5A3112A5112u, 0xA3B561B1CB208396u}, /* 5^-162 */
    {0xBA121A4650E4DDEBu, 0x92F34D62616CE413u, 0x21A0183E10583CD3u}, /* 5^-135 */
    {0x964E858C91BA2655u, 0x3A6A07F8D510F86Fu, 0xE9082F25E9C5E9ECu}, /* 5^-108 */
    {0xF2D56790AB41C2A2u, 0xFAE27299423FB9C3u, 0x3695DAD7E8858901u}, /* 5^-81 */
    {0xC428D05AA4751E4Cu, 0xAA97E14C3C26B886u, 0x96842DC95323F5A8u}, /* 5^-54 */
    {0x9E74D1B791E07E48u, 0x775EA264CF55347Du, 0xCA49F1C05120C9C7u}, /* 5^-27 */
    {0x8000000000000000u, 0x0000000000000000u, 0x0000000000000000u}, /* 5^0 */
    {0xCECB8F27F4200F3Au, 0x0000000000000000u, 0x0000000000000000u}, /* 5^27 */
    {0xA70C3C40A64E6C51u, 0x999090B65F67D924u, 0x0000000000000000u}, /* 5^54 */
    {0x86F0AC99B4E8DAFDu, 0x69A028BB3DED71A3u, 0xDF9F915627C04E28u}, /* 5^81 */
    {0xDA01EE641A708DE9u, 0xE80E6F4820CC9495u, 0xD74BAAD03BC1D8D3u}, /* 5^108 */
    {0xB01AE745B101E9E4u, 0x5EC05DCFF72E7F8Fu, 0xC04C79FFE324301Fu}, /* 5^135 */
    {0x8E41ADE9FBEBC27Du, 0x14588F13BE847307u, 0x23BD6A2059C002F5u}, /* 5^162 */
    {0xE5D3EF282A242E81u, 0x8F1668C8A86DA5FAu, 0xF0B5CCF5176ECC7Cu}, /* 5^189 */
    {0xB9A74A0637CE2EE1u, 0x6D953E2BD7173692u, 0x88EFB0037AC08BDEu}, /* 5^216 */
    {0x95F83D0A1FB69CD9u, 0x4ABDAF101564F98Eu, 0x0D5A4AF7B3A98E47u}, /* 5^243 */
    {0xF24A01A73CF2DCCFu, 0xBC633B39673C8CECu, 0x3D9C44CD2F36917Cu}, /* 5^270 */
    {0xC3B8358109E84F07u, 0x0A862F80EC4700C8u, 0x02606EA01029DC37u}, /* 5^297 */
    {0x9E19DB92B4E31BA9u, 0x6C07A2C26A8346D1u, 0x4944D9F52CD0DEC2u}, /* 5^324 */
};
/* 5^j, the highest bit set. */
static const uint64_t cn_number_fives[CN_NUMBER_POWER_STEP] = {
    0x8000000000000000u,
    0xA000000000000000u,
    0xC800000000000000u,
    0xFA00000000000000u,
    0x9C40000000000000u,
    0xC350000000000000u,
    0xF424000000000000u,
    0x9896800000000000u,
    0xBEBC200000000000u,
    0xEE6B280000000000u,
    0x9502F90000000000u,
    0xBA43B74000000000u,
    0xE8D4A51000000000u,
    0x9184E72A00000000u,
    0xB5E620F480000000u,
    0xE35FA931A0000000u,
    0x8E1BC9BF04000000u,
    0xB1A2BC2EC5000000u,
    0xDE0B6B3A76400000u,
    0x8AC7230489E80000u,
    0xAD78EBC5AC620000u,
    0xD8D726B7177A8000u,
    0x878678326EAC9000u,
    0xA968163F0A57B400u,
    0xD3C21BCECCEDA100u,
    0x84595161401484A0u,
    0xA56FA5B99019A5C8u,
};

/* 5^k in [2^127, 2^128), rounded down. */
static cn_number_wide_t cn_number_power(int k) {
    int from_min = k - CN_NUMBER_POWER_MIN;
    const uint64_t *base = cn_number_powers[from_min / CN_NUMBER_POWER_STEP];
    uint64_t five = cn_number_fives[from_min % CN_NUMBER_POWER_STEP];
    cn_number_wide_t top = cn_number_multiply(base[0], five), middle = cn_number_multiply(base[1], five), power;
    uint64_t next = cn_number_multiply(base[2], five).high;
    next += middle.low;
    middle.high += next < middle.low;
    power.low = top.low + middle.high;
    power.high = top.high + (power.low < top.low);
    if (!(power.high >> 63)) {
        power.high = (power.high << 1) | (power.low >> 63);
        power.low = (power.low << 1) | (next >> 63);
    }
    return power;
}

/* floor(log2(10^k)), for |k| <= 1233. */
static int cn_number_log2_of_power(int k) {
    return (int)((((int64_t)1 << 40) + (int64_t)k * 1741647) >> 19) - (1 << 21);
}

/* ---- Writing ---- */

static const char cn_number_pairs[] = "00010203040506070809101112131415161718192021222324"
                                      "25262728293031323334353637383940414243444546474849"
                                      "50515253545556575859606162636465666768697071727374"
                                      "75767778798081828384858687888990919293949596979899";

static size_t cn_number_digit_count(uint64_t value) {
    size_t count = 1;
    for (;;) {
        if (value < 10) return count;
        if (value < 100) return count + 1;
        if (value < 1000) return count + 2;
        if (value < 10000) return count + 3;
        value /= 10000;
        count += 4;
    }
}

/* Writes exactly so many digits, zeros in front. */
static void cn_number_put_digits(char *to, uint64_t value, size_t count) {
    while (count >= 2) {
        uint64_t rest = value / 100;
        count -= 2;
        memcpy(to + count, cn_number_pairs + (value - rest * 100) * 2, 2);
        value = rest;
    }
    if (count) *to = (char)('0' + value % 10);
}

/* Writes a value below 10,000: without zeros in front, or all four digits. */
static inline CN_HOT char *cn_number_put_first(char *to, uint32_t value) {
    const char *pair;
    if (value >= 100) {
        const uint32_t high = value / 100;
        pair = cn_number_pairs + high * 2;
        *to = *pair; /* written over if it is a zero */
        to += high >= 10;
        *to++ = pair[1];
        memcpy(to, cn_number_pairs + (value - high * 100) * 2, 2);
        return to + 2;
    }
    pair = cn_number_pairs + value * 2;
    *to = *pair;
    to += value >= 10;
    *to++ = pair[1];
    return to;
}

static inline CN_HOT char *cn_number_put_four(char *to, uint32_t value) {
    const uint32_t high = value / 100;
    memcpy(to, cn_number_pairs + high * 2, 2);
    memcpy(to + 2, cn_number_pairs + (value - high * 100) * 2, 2);
    return to + 4;
}

CN_PRIVATE size_t cn_number_from_uint(char *to, uint64_t value) {
    const char *begin = to;
    uint32_t eight;
    if (CN_LIKELY(value < 10000)) return (size_t)(cn_number_put_first(to, (uint32_t)value) - begin);
    if (value >= 100000000) {
        const uint64_t high = value / 100000000;
        to += cn_number_from_uint(to, high); /* twice at most */
        eight = (uint32_t)(value - high * 100000000);
        to = cn_number_put_four(to, eight / 10000);
    } else {
        eight = (uint32_t)value;
        to = cn_number_put_first(to, eight / 10000);
    }
    return (size_t)(cn_number_put_four(to, eight % 10000) - begin);
}

CN_PRIVATE size_t cn_number_from_int(char *to, int64_t value) {
    if (value >= 0) return cn_number_from_uint(to, (uint64_t)value);
    *to = '-';
    return 1 + cn_number_from_uint(to + 1, 0 - (uint64_t)value);
}

typedef struct cn_number_decimal_t {
    uint64_t digits;
    int exponent;
} cn_number_decimal_t;

/* The upper half of a product, the lowest bit set if anything stands behind it. */
static uint64_t cn_number_round_to_odd(cn_number_wide_t power, uint64_t factor) {
    cn_number_wide_t low = cn_number_multiply(power.low, factor), high = cn_number_multiply(power.high, factor);
    uint64_t middle = high.low + low.high;
    high.high += middle < high.low;
    return high.high | (middle > 1);
}

/* The shortest decimal of c * 2^q. closer: the next smaller value is only half as far away as the next larger one. */
static cn_number_decimal_t cn_number_shortest(uint64_t c, int q, bool closer) {
    cn_number_decimal_t decimal;
    cn_number_wide_t power;
    uint64_t low, value, high, s, tens;
    bool odd = c & 1, below, above;
    int k, shift;
    if (q <= 0 && q > -53 && !(c & (((uint64_t)1 << -q) - 1))) {
        decimal.digits = c >> -q;
        decimal.exponent = 0;
        return decimal;
    }
    k = (int)((((int64_t)1 << 40) + (int64_t)q * 1262611 - (closer ? 524031 : 0)) >> 22) - (1 << 18);
    shift = q + cn_number_log2_of_power(-k) + 1;
    power = cn_number_power(-k);
    if (-k < 0 || -k > 55) power.high += ++power.low == 0;
    low = cn_number_round_to_odd(power, (4 * c - 2 + closer) << shift) + odd;
    value = cn_number_round_to_odd(power, (4 * c) << shift);
    high = cn_number_round_to_odd(power, (4 * c + 2) << shift) - odd;
    s = value / 4;
    decimal.exponent = k;
    if (s >= 10) {
        tens = s / 10;
        below = low <= 40 * tens;
        above = 40 * tens + 40 <= high;
        if (below != above) {
            decimal.digits = tens + above;
            decimal.exponent = k + 1;
            return decimal;
        }
    }
    below = low <= 4 * s;
    above = 4 * s + 4 <= high;
    if (below != above)
        decimal.digits = s + above;
    else
        decimal.digits = s + (value > 4 * s + 2 || (value == 4 * s + 2 && (s & 1)));
    return decimal;
}

static size_t cn_number_put_decimal(char *to, cn_number_decimal_t decimal) {
    char *begin = to;
    size_t count;
    int point; /* how many digits stand before it */
    if (decimal.exponent == 0 && decimal.digits < 1000000000000000u) return cn_number_from_uint(to, decimal.digits);
    while (decimal.digits % 10 == 0) {
        decimal.digits /= 10;
        decimal.exponent++;
    }
    count = cn_number_digit_count(decimal.digits);
    point = decimal.exponent + (int)count;
    if (point > 21 || point < -5) {
        cn_number_put_digits(to + 1, decimal.digits, count);
        to[0] = to[1];
        to[1] = '.';
        to += count > 1 ? count + 1 : 1;
        *to++ = 'e';
        *to++ = point > 0 ? '+' : '-';
        to += cn_number_from_uint(to, (uint64_t)(point > 0 ? point - 1 : 1 - point));
    } else if (point <= 0) {
        memcpy(to, "0.000000", 8);
        to += 2 - point;
        cn_number_put_digits(to, decimal.digits, count);
        to += count;
    } else if ((size_t)point >= count) {
        cn_number_put_digits(to, decimal.digits, count);
        memset(to + count, '0', (size_t)point - count);
        to += point;
    } else {
        cn_number_put_digits(to + 1, decimal.digits, count);
        memmove(to, to + 1, (size_t)point);
        to[point] = '.';
        to += count + 1;
    }
    return (size_t)(to - begin);
}

CN_PRIVATE size_t cn_number_from_double(char *to, double value) {
    uint64_t bits, fraction;
    int exponent;
    size_t sign;
    memcpy(&bits, &value, sizeof bits);
    fraction = bits & 0xFFFFFFFFFFFFFu;
    exponent = (int)(bits >> 52 & 0x7FF);
    sign = (size_t)(bits >> 63);
    *to = '-';
    if (!(bits << 1)) {
        memcpy(to + sign, "0.0", 3);
        return sign ? 4 : 1;
    }
    if (exponent)
        return sign +
            cn_number_put_decimal(to + sign,
                cn_number_shortest(fraction | (uint64_t)1 << 52, exponent - 1075, fraction == 0 && exponent > 1));
    return sign + cn_number_put_decimal(to + sign, cn_number_shortest(fraction, -1074, false));
}

CN_PRIVATE size_t cn_number_from_float(char *to, float value) {
    uint32_t bits, fraction;
    int exponent;
    size_t sign;
    memcpy(&bits, &value, sizeof bits);
    fraction = bits & 0x7FFFFFu;
    exponent = (int)(bits >> 23 & 0xFF);
    sign = bits >> 31;
    *to = '-';
    if (!(bits << 1)) {
        memcpy(to + sign, "0.0", 3);
        return sign ? 4 : 1;
    }
    if (exponent)
        return sign +
            cn_number_put_decimal(to + sign,
                cn_number_shortest(fraction | (uint32_t)1 << 23, exponent - 150, fraction == 0 && exponent > 1));
    return sign + cn_number_put_decimal(to + sign, cn_number_shortest(fraction, -149, false));
}

/* ---- Reading ---- */

static bool cn_number_is_digit(const char *at, const char *end) {
    return at < end && (unsigned char)(*at - '0') < 10;
}

#if defined(__GNUC__) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/* Whether eight digits stand there; then their value by three multiplications instead of eight. */
static bool cn_number_eight_digits(const char *at, uint64_t *value) {
    uint64_t word;
    memcpy(&word, at, 8);
    if (((word & 0xF0F0F0F0F0F0F0F0u) | (((word + 0x0606060606060606u) & 0xF0F0F0F0F0F0F0F0u) >> 4)) !=
        0x3333333333333333u)
        return false;
    word -= 0x3030303030303030u;
    word = word * 10 + (word >> 8); /* pairs in every second byte */
    word = ((word & 0x000000FF000000FFu) * (100 + ((uint64_t)1000000 << 32)) +
               ((word >> 16) & 0x000000FF000000FFu) * (1 + ((uint64_t)10000 << 32))) >>
        32;
    *value = word;
    return true;
}
#else
static bool cn_number_eight_digits(const char *at, uint64_t *value) {
    (void)at;
    (void)value;
    return false;
}
#endif

/* The digits are more than 19: the sum may have overflowed. */
static void cn_number_first_digits(cn_number_t *number) {
    const char *at;
    int32_t count = 0, dropped = 0;
    number->first = 0;
    for (at = number->digits; at < number->digits_end; at++) {
        if (*at == '.') continue;
        if (count < 19) {
            number->first = number->first * 10 + (uint64_t)(*at - '0');
            count += number->first != 0;
        } else {
            dropped++;
            number->more = number->more || *at != '0';
        }
    }
    number->first_exponent += dropped;
}

/* What comes behind the integer: a fraction, an exponent. first: the integer's digits. */
static CN_APART const char *cn_number_scan_rest(
    cn_number_t *number, uint64_t first, const char *at, const char *end, const char **bad) {
    int32_t exponent = 0;
    if (at < end && *at == '.') {
        const char *point = at++;
        uint64_t eight;
        *bad = at;
        if (!cn_number_is_digit(at, end)) return NULL;
        while (end - at >= 8 && cn_number_eight_digits(at, &eight)) {
            first = first * 100000000 + eight;
            at += 8;
        }
        while (cn_number_is_digit(at, end))
            first = first * 10 + (uint64_t)(*at++ - '0');
        exponent = -(int32_t)(at - point - 1);
    }
    number->digits_end = at;
    if (at < end && (*at | 0x20) == 'e') {
        int32_t written = 0;
        bool negative;
        at++;
        negative = at < end && *at == '-';
        if (at < end && (*at == '-' || *at == '+')) at++;
        *bad = at;
        if (!cn_number_is_digit(at, end)) return NULL;
        while (cn_number_is_digit(at, end)) {
            if (written < 100000) written = written * 10 + (*at - '0');
            at++;
        }
        exponent += negative ? -written : written;
    }
    number->exponent = number->first_exponent = exponent;
    number->first = first;
    if (CN_UNLIKELY(number->digits_end - number->digits > 19)) cn_number_first_digits(number);
    return at;
}

CN_PRIVATE const char *cn_number_scan(cn_number_t *number, const char *at, const char *end, const char **bad) {
    const char *begin;
    uint64_t first;
    unsigned digit;
    if (end - at > CN_NUMBER_TEXT_MAX) end = at + CN_NUMBER_TEXT_MAX; /* the rest is for the caller to refuse */
    number->more = false;
    number->negative = at < end && *at == '-';
    at += number->negative;
    number->digits = begin = at;
    *bad = at;
    if (CN_UNLIKELY(at == end)) return NULL;
    first = digit = (unsigned char)(*at++ - '0');
    if (CN_UNLIKELY(digit > 9)) return NULL;
    if (CN_UNLIKELY(digit == 0 && cn_number_is_digit(at, end))) return NULL;
    while (at < end && (digit = (unsigned char)(*at - '0')) < 10) {
        first = first * 10 + digit;
        at++;
    }
    if (at < end && (*at == '.' || (*at | 0x20) == 'e')) return cn_number_scan_rest(number, first, at, end, bad);
    number->digits_end = at;
    number->exponent = number->first_exponent = 0;
    number->first = first;
    if (CN_UNLIKELY(at - begin > 19)) cn_number_first_digits(number);
    return at;
}

CN_PRIVATE bool cn_number_read(cn_number_t *number, connect_str_t text) {
    const char *bad;
    return text.len > 0 && text.len <= CN_NUMBER_TEXT_MAX &&
        cn_number_scan(number, text.data, text.data + text.len, &bad) == text.data + text.len;
}

typedef struct cn_number_format_t { /* of IEEE 754 */
    int bits;                       /* of the significand, the hidden one included */
    int exponent_min;               /* of the lowest bit of a subnormal */
    int exponent_max;               /* of the lowest bit of the largest value */
    int digits_max, digits_min;     /* values of 10^digits_max are infinite, below 10^digits_min zero */
} cn_number_format_t;

/* significand * 2^exponent, as bits. The significand has format->bits bits, or fewer with the smallest exponent. */
static uint64_t cn_number_encode(const cn_number_format_t *format, uint64_t significand, int exponent) {
    uint64_t hidden = (uint64_t)1 << (format->bits - 1);
    uint64_t biased = significand < hidden ? 0 : (uint64_t)(exponent - format->exponent_min + 1);
    return (biased << (format->bits - 1)) | (significand & (hidden - 1));
}

/* The value nearest to w * 10^q, as bits. Returns false if 128 bits do not tell, or the result is not normal. */
static bool cn_number_by_product(const cn_number_format_t *format, uint64_t w, int q, uint64_t *bits) {
    int spare = 62 - format->bits, zeros, top, exponent;
    uint64_t mask = ((uint64_t)1 << spare) - 1, significand;
    cn_number_wide_t power, product;
    if (q < CN_NUMBER_POWER_MIN || q > CN_NUMBER_POWER_MAX) return false;
    zeros = cn_number_leading_zeros(w);
    w <<= zeros;
    power = cn_number_power(q);
    product = cn_number_multiply(w, power.high);
    if ((product.high & mask) == mask && product.low + w < w) {
        cn_number_wide_t tail = cn_number_multiply(w, power.low);
        product.low += tail.high;
        product.high += product.low < tail.high;
        if ((product.high & mask) == mask && product.low + 1 == 0 && tail.low + w < w) return false;
    }
    top = (int)(product.high >> 63);
    significand = product.high >> (top + spare);
    if (product.low == 0 && (product.high & mask) == 0 && (significand & 3) == 1) return false;
    significand = (significand + (significand & 1)) >> 1;
    exponent = cn_number_log2_of_power(q) - zeros + top + 64 - format->bits;
    if (significand >> format->bits) {
        significand >>= 1;
        exponent++;
    }
    if (exponent < format->exponent_min || exponent > format->exponent_max) return false;
    *bits = cn_number_encode(format, significand, exponent);
    return true;
}

#define CN_NUMBER_WORDS 192
typedef struct cn_number_big_t {
    uint32_t words[CN_NUMBER_WORDS]; /* the lowest first */
    size_t count;                    /* words[count - 1] is not 0 */
} cn_number_big_t;

static void cn_number_big_multiply(cn_number_big_t *big, uint32_t factor, uint32_t add) {
    uint64_t carry = add;
    size_t i;
    for (i = 0; i < big->count; i++) {
        carry += (uint64_t)big->words[i] * factor;
        big->words[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry && big->count < CN_NUMBER_WORDS) big->words[big->count++] = (uint32_t)carry;
}

static void cn_number_big_multiply_power(cn_number_big_t *big, int k) {
    for (; k >= 9; k -= 9)
        cn_number_big_multiply(big, 1000000000u, 0);
    for (; k > 0; k--)
        cn_number_big_multiply(big, 10, 0);
}

static void cn_number_big_shift(cn_number_big_t *big, int by) {
    size_t words = (size_t)by / 32, i;
    unsigned bits = (unsigned)by % 32;
    if (!big->count || big->count + words + 1 > CN_NUMBER_WORDS) return;
    big->words[big->count + words] = 0;
    for (i = big->count; i-- > 0;) {
        uint64_t moved = (uint64_t)big->words[i] << bits;
        big->words[i + words + 1] |= (uint32_t)(moved >> 32);
        big->words[i + words] = (uint32_t)moved;
    }
    for (i = 0; i < words; i++)
        big->words[i] = 0;
    big->count += words + 1;
    if (!big->words[big->count - 1]) big->count--;
}

static int cn_number_big_compare(const cn_number_big_t *a, const cn_number_big_t *b) {
    size_t i;
    if (a->count != b->count) return a->count < b->count ? -1 : 1;
    for (i = a->count; i-- > 0;)
        if (a->words[i] != b->words[i]) return a->words[i] < b->words[i] ? -1 : 1;
    return 0;
}

/* a -= b, where a >= b. */
static void cn_number_big_subtract(cn_number_big_t *a, const cn_number_big_t *b) {
    uint32_t borrow = 0;
    size_t i;
    for (i = 0; i < a->count; i++) {
        uint64_t take = (uint64_t)(i < b->count ? b->words[i] : 0) + borrow;
        borrow = a->words[i] < take;
        a->words[i] = (uint32_t)(a->words[i] - take);
    }
    while (a->count && !a->words[a->count - 1])
        a->count--;
}

static int cn_number_big_bits(const cn_number_big_t *big) {
    return (int)big->count * 32 - (cn_number_leading_zeros(big->words[big->count - 1]) - 32);
}

/* The same for any number, exactly; infinity if it is too large. */
static uint64_t cn_number_by_division(const cn_number_format_t *format, const cn_number_t *number) {
    const uint64_t infinity = cn_number_encode(format, (uint64_t)1 << (format->bits - 1), format->exponent_max + 1);
    cn_number_big_t over, under;
    const char *at = number->digits, *end = number->digits_end;
    int32_t exponent = number->exponent;
    uint64_t significand = 0;
    int digits = 0, scale, count, i, order;
    while (at < end && (*at == '0' || *at == '.'))
        at++;
    while (end > at && (end[-1] == '0' || end[-1] == '.')) {
        /* zeros behind the point or at the end of the integer: both are a factor of ten less */
        if (end[-1] == '0') exponent++;
        end--;
    }
    over.count = 0;
    under.count = 1;
    under.words[0] = 1;
    while (at < end) {
        uint32_t chunk = 0, factor = 1; /* nine digits at a time */
        for (; at < end && factor < 1000000000u; at++) {
            if (*at == '.') continue;
            chunk = chunk * 10 + (uint32_t)(*at - '0');
            factor *= 10;
            digits++;
        }
        cn_number_big_multiply(&over, factor, chunk);
    }
    if (digits == 0 || digits + exponent < format->digits_min) return 0;
    if (digits + exponent > format->digits_max) return infinity;
    if (exponent >= 0)
        cn_number_big_multiply_power(&over, exponent);
    else
        cn_number_big_multiply_power(&under, -exponent);
    /* scale: the exponent of the lowest bit of a quotient of `bits` bits, or of one more */
    scale = cn_number_big_bits(&over) - cn_number_big_bits(&under) - format->bits;
    if (scale < format->exponent_min) scale = format->exponent_min;
    if (scale < 0)
        cn_number_big_shift(&over, -scale);
    else
        cn_number_big_shift(&under, scale);
    count = format->bits + 1;
    cn_number_big_shift(&under, count - 1);
    for (i = 0; i < count; i++) {
        significand <<= 1;
        if (cn_number_big_compare(&over, &under) >= 0) {
            cn_number_big_subtract(&over, &under);
            significand |= 1;
        }
        cn_number_big_shift(&over, 1);
    }
    if (significand >> format->bits) {
        bool half = significand & 1;
        significand >>= 1;
        scale++;
        significand += half && (over.count || (significand & 1));
    } else {
        order = cn_number_big_compare(&over, &under);
        significand += order > 0 || (order == 0 && (significand & 1));
    }
    if (significand >> format->bits) {
        significand >>= 1;
        scale++;
    }
    return scale > format->exponent_max ? infinity : cn_number_encode(format, significand, scale);
}

static uint64_t cn_number_nearest(const cn_number_format_t *format, const cn_number_t *number) {
    uint64_t bits, above;
    if (number->first == 0) return 0;
    if (cn_number_by_product(format, number->first, number->first_exponent, &bits) &&
        (!number->more ||
            (cn_number_by_product(format, number->first + 1, number->first_exponent, &above) && bits == above)))
        return bits;
    return cn_number_by_division(format, number);
}

CN_PRIVATE cn_number_result_t cn_number_as_double(const cn_number_t *number, double *value) {
    static const cn_number_format_t format = {53, -1074, 971, 309, -323};
    uint64_t bits;
#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ == 0
    if (number->first <= (uint64_t)1 << 53 && !number->more && number->first_exponent >= -22 &&
        number->first_exponent <= 22) {
        static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14,
            1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
        double exact = (double)number->first;
        exact = number->first_exponent < 0 ? exact / powers[-number->first_exponent]
                                           : exact * powers[number->first_exponent];
        *value = number->negative ? -exact : exact;
        return CN_NUMBER_OK;
    }
#endif
    bits = cn_number_nearest(&format, number);
    if (bits == (uint64_t)0x7FF << 52) return CN_NUMBER_RANGE;
    bits |= (uint64_t)number->negative << 63;
    memcpy(value, &bits, sizeof bits);
    return CN_NUMBER_OK;
}

CN_PRIVATE cn_number_result_t cn_number_as_float(const cn_number_t *number, float *value) {
    static const cn_number_format_t format = {24, -149, 104, 39, -45};
    uint32_t bits = (uint32_t)cn_number_nearest(&format, number);
    if (bits == (uint32_t)0xFF << 23) return CN_NUMBER_RANGE;
    bits |= (uint32_t)number->negative << 31;
    memcpy(value, &bits, sizeof bits);
    return CN_NUMBER_OK;
}

/* The absolute value of an integer that is written with a fraction or an exponent, or with 20 digits. */
static cn_number_result_t cn_number_long_magnitude(const cn_number_t *number, uint64_t *value) {
    const char *at = number->digits, *end = number->digits_end;
    int32_t exponent = number->exponent;
    uint64_t sum = 0;
    while (end > at && (end[-1] == '0' || end[-1] == '.')) {
        if (end[-1] == '0') exponent++;
        end--;
    }
    for (; at < end; at++) {
        uint64_t digit;
        if (*at == '.') continue;
        digit = (uint64_t)(*at - '0');
        if (sum > (UINT64_MAX - digit) / 10) return exponent < 0 ? CN_NUMBER_FRACTION : CN_NUMBER_RANGE;
        sum = sum * 10 + digit;
    }
    if (sum != 0 && exponent < 0) return CN_NUMBER_FRACTION;
    for (; sum != 0 && exponent > 0; exponent--) {
        if (sum > UINT64_MAX / 10) return CN_NUMBER_RANGE;
        sum *= 10;
    }
    *value = sum;
    return CN_NUMBER_OK;
}

static cn_number_result_t cn_number_magnitude(const cn_number_t *number, uint64_t *value) {
    if (CN_UNLIKELY(number->exponent != 0 || number->digits_end - number->digits > 19))
        return cn_number_long_magnitude(number, value);
    *value = number->first;
    return CN_NUMBER_OK;
}

CN_PRIVATE cn_number_result_t cn_number_as_int(const cn_number_t *number, int64_t min, int64_t max, int64_t *value) {
    uint64_t magnitude;
    cn_number_result_t result = cn_number_magnitude(number, &magnitude);
    if (result != CN_NUMBER_OK) return result;
    if (number->negative) {
        if (magnitude > 0 - (uint64_t)min) return CN_NUMBER_RANGE;
        *value = magnitude ? -(int64_t)(magnitude - 1) - 1 : 0;
    } else {
        if (magnitude > (uint64_t)max) return CN_NUMBER_RANGE;
        *value = (int64_t)magnitude;
    }
    return CN_NUMBER_OK;
}

CN_PRIVATE cn_number_result_t cn_number_as_uint(const cn_number_t *number, uint64_t max, uint64_t *value) {
    cn_number_result_t result = cn_number_magnitude(number, value);
    if (result == CN_NUMBER_OK && (*value > max || (number->negative && *value != 0))) return CN_NUMBER_RANGE;
    return result;
}
