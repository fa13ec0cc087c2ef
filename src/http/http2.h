#pragma once
#include "base/sys.h"
#include "http/exchange.h"

#if CONNECT_ENABLE_HTTP2
/* HTTP/2 over a connection, server or client by http->is_server. */
CN_PRIVATE const cn_http_version_t *cn_http2_version(void);
#endif
