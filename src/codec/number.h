#pragma once
#include "base/sys.h"

/* Numbers as JSON writes them, exact and without any locale. */

#define CN_NUMBER_TEXT_MAX 1024 /* characters of a number that is read */
#define CN_NUMBER_ROOM 32       /* what the longest number takes: -2.2250738585072014e-308 */

/* Writes the shortest digits that read back as the same value; it is finite. Returns how many characters. -0.0 gets its
   fraction, since readers that take "-0" for an integer lose the sign. */
CN_PRIVATE size_t cn_number_from_double(char *to, double value);
CN_PRIVATE size_t cn_number_from_float(char *to, float value);
CN_PRIVATE size_t cn_number_from_uint(char *to, uint64_t value);
CN_PRIVATE size_t cn_number_from_int(char *to, int64_t value);

typedef enum cn_number_result_t {
    CN_NUMBER_OK,
    CN_NUMBER_FRACTION, /* not an integer */
    CN_NUMBER_RANGE     /* too large for the type */
} cn_number_result_t;
typedef struct cn_number_t {         /* a number that was read, not yet as any type */
    const char *digits, *digits_end; /* with a point among them, perhaps */
    uint64_t first;                  /* the first 19 digits that count */
    int32_t first_exponent;          /* of first; what stands behind it is less than one unit */
    int32_t exponent;                /* of the digits taken as one integer */
    bool negative, more;             /* more: a digit behind the first 19 is not zero */
} cn_number_t;
/* Takes a number off a text. Returns its end; NULL: there is none, and *bad is where it ceases to be one. The digits
   stay where they are. */
CN_PRIVATE const char *cn_number_scan(cn_number_t *number, const char *at, const char *end, const char **bad);
/* The number as a type, rounded to the nearest, ties to even. A value too small is zero. Integers may be written with a
   fraction or an exponent, as long as the value is one: 1.0, 1e3, 12.50e1. */
CN_PRIVATE cn_number_result_t cn_number_as_double(const cn_number_t *number, double *value);
CN_PRIVATE cn_number_result_t cn_number_as_float(const cn_number_t *number, float *value);
CN_PRIVATE cn_number_result_t cn_number_as_int(const cn_number_t *number, int64_t min, int64_t max, int64_t *value);
CN_PRIVATE cn_number_result_t cn_number_as_uint(const cn_number_t *number, uint64_t max, uint64_t *value);
/* A text that is a number and nothing else. */
CN_PRIVATE bool cn_number_read(cn_number_t *number, connect_str_t text);
