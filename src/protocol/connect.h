#pragma once
#include "base/sys.h"
#include "protocol/protocol.h"

CN_PRIVATE const cn_protocol_t *cn_connect_unary_protocol(void);
CN_PRIVATE const cn_protocol_t *cn_connect_get_protocol(void);
/* A parameter of a query, decoded; the absent view: it is not there. Returns false: out of memory, or it does not
   decode. */
CN_PRIVATE bool cn_connect_get_parameter(
    connect_str_t query, connect_str_t name, connect_arena_t *arena, connect_str_t *value);
CN_PRIVATE const cn_protocol_t *cn_connect_stream_protocol(void);
