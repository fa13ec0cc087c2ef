#pragma once
#include "base/sys.h"
#include "protocol/protocol.h"

CN_PRIVATE const cn_protocol_t *cn_connect_unary_protocol(void);
CN_PRIVATE const cn_protocol_t *cn_connect_stream_protocol(void);
