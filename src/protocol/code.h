#pragma once
#include "base/sys.h"

/* The code of a name, "not_found". Returns false: no such code. */
CN_PRIVATE bool cn_code_from_name(connect_str_t name, connect_code_t *code);
/* The HTTP status of a Connect unary error. */
CN_PRIVATE int cn_code_to_http(connect_code_t code);
/* What an HTTP status means where the answer names no code; the same for all protocols. */
CN_PRIVATE connect_code_t cn_code_from_http(int status);
/* A code that may go over the wire: UNKNOWN for what is none, or OK where an error is due. */
CN_PRIVATE connect_code_t cn_code_of_error(connect_code_t code);
