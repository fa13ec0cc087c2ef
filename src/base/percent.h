#pragma once
#include "base/sys.h"
#include "base/buf.h"

/* grpc-message: bytes below 0x20, above 0x7E and '%' become %XX (gRPC over HTTP/2, "Percent-Encoded"). */
CN_PRIVATE connect_str_t cn_percent_encode(connect_arena_t *arena, connect_str_t text);
/* The value of a URL's parameter: all but letters, digits, "-._~" become %XX (RFC 3986 2.3). */
CN_PRIVATE connect_str_t cn_percent_encode_query(connect_arena_t *arena, connect_str_t text);
/* Tells whether it begins with an escape: "%" and two hexadecimal digits. */
CN_PRIVATE bool cn_percent_escape_valid(connect_str_t text);
/* A bad escape stays as it is. plus_is_space: as in a URL's query. */
CN_PRIVATE connect_str_t cn_percent_decode(connect_arena_t *arena, connect_str_t text, bool plus_is_space);
