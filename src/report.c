#include "base/sys.h"

/* What this build holds: the version and each switch, in one line for logs and bug reports. A switch's value may be an
   expression, so each is turned into a digit by #if. */

#if CONNECT_ENABLE_CLIENT
#define CN_REPORT_CLIENT " CLIENT=1"
#else
#define CN_REPORT_CLIENT " CLIENT=0"
#endif
#if CONNECT_ENABLE_SERVER
#define CN_REPORT_SERVER " SERVER=1"
#else
#define CN_REPORT_SERVER " SERVER=0"
#endif
#if CONNECT_ENABLE_HTTP2
#define CN_REPORT_HTTP2 " HTTP2=1"
#else
#define CN_REPORT_HTTP2 " HTTP2=0"
#endif
#if CONNECT_ENABLE_GRPC
#define CN_REPORT_GRPC " GRPC=1"
#else
#define CN_REPORT_GRPC " GRPC=0"
#endif
#if CONNECT_ENABLE_GRPC_WEB
#define CN_REPORT_GRPC_WEB " GRPC_WEB=1"
#else
#define CN_REPORT_GRPC_WEB " GRPC_WEB=0"
#endif
#if CONNECT_ENABLE_JSON
#define CN_REPORT_JSON " JSON=1"
#else
#define CN_REPORT_JSON " JSON=0"
#endif
#if CONNECT_ENABLE_SOCKETS
#define CN_REPORT_SOCKETS " SOCKETS=1"
#else
#define CN_REPORT_SOCKETS " SOCKETS=0"
#endif
#if CONNECT_ENABLE_GZIP
#define CN_REPORT_GZIP " GZIP=1"
#else
#define CN_REPORT_GZIP " GZIP=0"
#endif
#if CONNECT_ENABLE_TLS
#define CN_REPORT_TLS " TLS=1"
#else
#define CN_REPORT_TLS " TLS=0"
#endif
#if CONNECT_ENABLE_ZSTD
#define CN_REPORT_ZSTD " ZSTD=1"
#else
#define CN_REPORT_ZSTD " ZSTD=0"
#endif

const char *connect_build_info(void) {
    return "connect.h " CONNECT_VERSION_STRING CN_REPORT_CLIENT CN_REPORT_SERVER CN_REPORT_HTTP2 CN_REPORT_GRPC
        CN_REPORT_GRPC_WEB CN_REPORT_JSON CN_REPORT_SOCKETS CN_REPORT_GZIP CN_REPORT_ZSTD CN_REPORT_TLS;
}
