#pragma once
#include "base/sys.h"
#include "protocol/protocol.h"

#if CONNECT_ENABLE_GRPC_WEB
CN_PRIVATE const cn_protocol_t *cn_grpcweb_protocol(void);
/* Its text mode; a server's only. */
CN_PRIVATE const cn_protocol_t *cn_grpcweb_text_protocol(void);
#endif
