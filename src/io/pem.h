#pragma once
#include "base/sys.h"

typedef enum cn_pem_kind_t { CN_PEM_CHAIN, CN_PEM_ANCHORS, CN_PEM_KEY } cn_pem_kind_t;

#if CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER
/* Reads certificates or a private key out of PEM text, DER bytes, or the file of that name; anchors: "system" is the
   system's bundle. option: its name, for errors. *der: one DER element behind the other, in the arena, at least one.
   Errors: INVALID_ARGUMENT, NOT_FOUND (a file, with os_error), RESOURCE_EXHAUSTED. */
CN_PRIVATE bool cn_pem_read(connect_str_t source, cn_pem_kind_t kind, const char *option, connect_arena_t *arena,
    connect_str_t *der, connect_error_t *error);
#endif
