#pragma once

/* ---- Configuration: each switch is 0 or 1 and removes functions; none changes a struct --------------------------
   With CLIENT and SERVER both 0 what remains is the codec: messages, protobuf and JSON, without any networking. */
#ifdef CONNECT_CONFIG_FILE /* -DCONNECT_CONFIG_FILE='"connect_config.h"': a project's switches in one place */
#include CONNECT_CONFIG_FILE
#endif
#ifndef CONNECT_ENABLE_CLIENT
#define CONNECT_ENABLE_CLIENT 1
#endif
#ifndef CONNECT_ENABLE_SERVER
#define CONNECT_ENABLE_SERVER 1
#endif
#ifndef CONNECT_ENABLE_HTTP2 /* needs nghttp2 */
#define CONNECT_ENABLE_HTTP2 (CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER)
#endif
#ifndef CONNECT_ENABLE_GRPC
#define CONNECT_ENABLE_GRPC CONNECT_ENABLE_HTTP2
#endif
#ifndef CONNECT_ENABLE_GRPC_WEB /* over either HTTP version */
#define CONNECT_ENABLE_GRPC_WEB (CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER)
#endif
#ifndef CONNECT_ENABLE_JSON /* messages as JSON; Connect's errors are JSON in any case */
#define CONNECT_ENABLE_JSON 1
#endif
#ifndef CONNECT_ENABLE_SOCKETS /* sockets and the loop; without them: connect_conn_t, bytes in and bytes out */
#define CONNECT_ENABLE_SOCKETS (CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER)
#endif
#ifndef CONNECT_ENABLE_GZIP /* needs zlib */
#define CONNECT_ENABLE_GZIP (CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER)
#endif
#ifndef CONNECT_ENABLE_ZSTD /* needs zstd */
#define CONNECT_ENABLE_ZSTD (CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER)
#endif
#ifndef CONNECT_ENABLE_TLS /* the engine over BearSSL; without it, another one may still be plugged in */
#define CONNECT_ENABLE_TLS (CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER)
#endif
#if CONNECT_ENABLE_GRPC && !CONNECT_ENABLE_HTTP2
#error "CONNECT_ENABLE_GRPC=1 needs CONNECT_ENABLE_HTTP2=1: gRPC ends a call with HTTP trailers."
#endif
#if !CONNECT_ENABLE_CLIENT && !CONNECT_ENABLE_SERVER && (CONNECT_ENABLE_HTTP2 || CONNECT_ENABLE_SOCKETS)
#error "CONNECT_ENABLE_HTTP2=1 and CONNECT_ENABLE_SOCKETS=1 need CONNECT_ENABLE_CLIENT=1 or CONNECT_ENABLE_SERVER=1."
#endif
#if !CONNECT_ENABLE_CLIENT && !CONNECT_ENABLE_SERVER && (CONNECT_ENABLE_GZIP || CONNECT_ENABLE_ZSTD)
#error "CONNECT_ENABLE_GZIP=1 and CONNECT_ENABLE_ZSTD=1 need CONNECT_ENABLE_CLIENT=1 or CONNECT_ENABLE_SERVER=1."
#endif
#if !CONNECT_ENABLE_CLIENT && !CONNECT_ENABLE_SERVER && CONNECT_ENABLE_TLS
#error "CONNECT_ENABLE_TLS=1 needs CONNECT_ENABLE_CLIENT=1 or CONNECT_ENABLE_SERVER=1."
#endif
#if defined(CONNECT_NO_CLIENT) || defined(CONNECT_DISABLE_CLIENT)
#error "Write CONNECT_ENABLE_CLIENT=0."
#endif
#if defined(CONNECT_NO_SERVER) || defined(CONNECT_DISABLE_SERVER)
#error "Write CONNECT_ENABLE_SERVER=0."
#endif
#if defined(CONNECT_NO_HTTP2) || defined(CONNECT_DISABLE_HTTP2)
#error "Write CONNECT_ENABLE_HTTP2=0."
#endif
#if defined(CONNECT_NO_GRPC) || defined(CONNECT_DISABLE_GRPC)
#error "Write CONNECT_ENABLE_GRPC=0."
#endif
#if defined(CONNECT_NO_GRPC_WEB) || defined(CONNECT_DISABLE_GRPC_WEB)
#error "Write CONNECT_ENABLE_GRPC_WEB=0."
#endif
#if defined(CONNECT_NO_JSON) || defined(CONNECT_DISABLE_JSON)
#error "Write CONNECT_ENABLE_JSON=0."
#endif
#if defined(CONNECT_NO_SOCKETS) || defined(CONNECT_DISABLE_SOCKETS)
#error "Write CONNECT_ENABLE_SOCKETS=0."
#endif
#if defined(CONNECT_NO_GZIP) || defined(CONNECT_DISABLE_GZIP)
#error "Write CONNECT_ENABLE_GZIP=0."
#endif
#if defined(CONNECT_NO_ZSTD) || defined(CONNECT_DISABLE_ZSTD)
#error "Write CONNECT_ENABLE_ZSTD=0."
#endif
#if defined(CONNECT_NO_TLS) || defined(CONNECT_DISABLE_TLS)
#error "Write CONNECT_ENABLE_TLS=0."
#endif
