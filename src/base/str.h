#pragma once
#include "base/sys.h"

/* A view of a string literal. */
#define CN_STR(literal) ((connect_str_t){(literal), sizeof(literal) - 1})
CN_PRIVATE connect_str_t cn_str(const char *data, size_t len);
/* ASCII only, as HTTP field names and media types compare. */
CN_PRIVATE bool cn_str_equal_nocase(connect_str_t a, connect_str_t b);
CN_PRIVATE bool cn_str_starts(connect_str_t text, connect_str_t prefix);
/* Without the spaces and tabs at both ends. */
CN_PRIVATE connect_str_t cn_str_trim(connect_str_t text);
/* Takes the part before the next separator off *rest; false at the end. "a,,b" has three parts. */
CN_PRIVATE bool cn_str_split(connect_str_t *rest, char separator, connect_str_t *part);
/* Reads decimal digits only, whole text, 1 to max_digits of them (at most 19). */
CN_PRIVATE bool cn_str_to_uint(connect_str_t text, size_t max_digits, uint64_t *value);
/* Writes decimal digits, no zero after them; `to` has room for 20. Returns how many. */
CN_PRIVATE size_t cn_str_from_uint(char *to, uint64_t value);
/* A text for an error message: at most 128 bytes of what a peer sent, what is not printable ASCII as \xNN, in the
   arena and zero-terminated; "" if there is no room. */
CN_PRIVATE connect_str_t cn_str_quote(connect_arena_t *arena, connect_str_t peer_data);
/* FNV-1a. */
CN_PRIVATE uint32_t cn_str_hash(connect_str_t text);
