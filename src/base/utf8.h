#pragma once
#include "base/sys.h"

/* Tells whether bytes are UTF-8 as protobuf wants it: no surrogates, nothing overlong, nothing above U+10FFFF. */
CN_PRIVATE bool cn_utf8_valid(connect_str_t text);
/* Writes one code point (a Unicode scalar value); `to` has room for 4 bytes. Returns how many. */
CN_PRIVATE size_t cn_utf8_put(char *to, uint32_t code_point);
