#pragma once
#include "base/sys.h"

/* Fills in the zeros of a user's limits from its preset. Returns false, and the error names the option, if a value is
   out of its range. */
CN_PRIVATE bool cn_limits_resolve(connect_limits_t *limits, const connect_limits_t *options, connect_error_t *error);
