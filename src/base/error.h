#pragma once
#include "base/sys.h"

/* Fills in an error made on this side; error may be NULL. text: static. Returns false, so that a failing function can
   return it. */
CN_PRIVATE bool cn_error_set(connect_error_t *error, connect_code_t code, const char *text);
/* The same with a text printed into the arena, or into the error itself if arena is NULL: then it does not follow the
   error when that is copied. The arena is full: the format stands in for it. */
CN_PRIVATE bool cn_error_print(
    connect_error_t *error, connect_arena_t *arena, connect_code_t code, const char *format, ...) CONNECT_PRINTF(4, 5);
/* "out of memory", static. */
CN_PRIVATE bool cn_error_memory(connect_error_t *error);
