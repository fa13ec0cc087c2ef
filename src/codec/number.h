#pragma once
#include "base/sys.h"

/* Numbers as JSON writes them, exact and without any locale. */

#define CN_NUMBER_ROOM 32 /* what the longest number takes: -2.2250738585072014e-308 */

/* Writes the shortest digits that read back as the same value; it is finite. Returns how many characters. */
CN_PRIVATE size_t cn_number_from_double(char *to, double value);
CN_PRIVATE size_t cn_number_from_float(char *to, float value);
CN_PRIVATE size_t cn_number_from_uint(char *to, uint64_t value);
CN_PRIVATE size_t cn_number_from_int(char *to, int64_t value);

typedef enum cn_number_result_t {
    CN_NUMBER_OK,
    CN_NUMBER_SYNTAX,   /* not a number by RFC 8259 section 6 */
    CN_NUMBER_FRACTION, /* not an integer */
    CN_NUMBER_RANGE     /* too large for the type */
} cn_number_result_t;
/* Read a whole text, rounded to the nearest, ties to even. A value too small is zero. Integers may be written with a
   fraction or an exponent, as long as the value is one: 1.0, 1e3, 12.50e1. */
CN_PRIVATE cn_number_result_t cn_number_to_double(connect_str_t text, double *value);
CN_PRIVATE cn_number_result_t cn_number_to_float(connect_str_t text, float *value);
CN_PRIVATE cn_number_result_t cn_number_to_int(connect_str_t text, int64_t min, int64_t max, int64_t *value);
CN_PRIVATE cn_number_result_t cn_number_to_uint(connect_str_t text, uint64_t max, uint64_t *value);
