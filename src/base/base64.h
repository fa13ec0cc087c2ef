#pragma once
#include "base/sys.h"

/* How many characters, or at most how many bytes, a conversion writes. */
CN_PRIVATE size_t cn_base64_encoded_len(size_t len, bool padded);
CN_PRIVATE size_t cn_base64_decoded_max(size_t len);
/* Writes the standard alphabet (+/). Returns how many characters. */
CN_PRIVATE size_t cn_base64_encode(char *to, connect_str_t bytes, bool padded);
/* Reads both alphabets, padded or not. Returns false: another character, or a length that cannot be. */
CN_PRIVATE bool cn_base64_decode(char *to, size_t *len, connect_str_t text);
