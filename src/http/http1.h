#pragma once
#include "base/sys.h"
#include "http/exchange.h"

/* HTTP/1.1 over a connection, server or client by http->is_server. */
CN_PRIVATE const cn_http_version_t *cn_http1_version(void);
