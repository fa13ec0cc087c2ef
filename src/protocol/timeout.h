#pragma once
#include "base/sys.h"

#define CN_TIMEOUT_NONE (-1)                         /* no deadline */
#define CN_TIMEOUT_MAX_MS (365LL * 24 * 3600 * 1000) /* longer ones are cut to a year */

/* Connect-Timeout-Ms and grpc-timeout. Returns false: malformed. */
CN_PRIVATE bool cn_timeout_read_connect(connect_str_t text, int64_t *ms);
CN_PRIVATE bool cn_timeout_read_grpc(connect_str_t text, int64_t *ms);
/* Write them into the arena; the absent view: out of memory. */
CN_PRIVATE connect_str_t cn_timeout_write_connect(connect_arena_t *arena, int64_t ms);
CN_PRIVATE connect_str_t cn_timeout_write_grpc(connect_arena_t *arena, int64_t ms);
