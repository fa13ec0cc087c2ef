#pragma once
#include "base/sys.h"

typedef enum cn_expand_t { /* how an expansion ended; only after OK is what was appended of use */
    CN_EXPAND_OK,
    CN_EXPAND_TOO_LARGE,
    CN_EXPAND_CORRUPT, /* or truncated, or followed by more bytes */
    CN_EXPAND_NO_MEMORY
} cn_expand_t;
