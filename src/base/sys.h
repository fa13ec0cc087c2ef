#pragma once
#include "api/platform.h"
#include "api/version.h"
#include "api/config.h"
#include "api/linkage.h"
#include "api/memory.h"
#include "api/error.h"
#include "api/message.h"
#include "api/wellknown.h"
#include "api/call.h"
#include "api/loop.h"
#include "api/conn.h"
#include "api/tls.h"
#include "api/limits.h"
#include "api/server.h"
#include "api/client.h"
#include "api/report.h"

#include <errno.h>
#include <limits.h>
#if CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER
#include <pthread.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if CONNECT_ENABLE_SOCKETS
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#if !defined(CN_POLLER_KQUEUE) /* a test of one system's poller on another says it itself */
#if defined(__linux__)
#define CN_POLLER_KQUEUE 0
#elif defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__)
#define CN_POLLER_KQUEUE 1
#else
#error "CONNECT_ENABLE_SOCKETS=1 is for Linux, macOS, FreeBSD, NetBSD. Write 0, and carry the bytes yourself."
#endif
#endif
#if CN_POLLER_KQUEUE
#include <sys/event.h>
#else
#include <sys/epoll.h>
#include <sys/eventfd.h>
#endif
#endif
#if defined(__SSE2__) && defined(__GNUC__)
#include <emmintrin.h>
#endif
#if CONNECT_ENABLE_HTTP2
#include <nghttp2/nghttp2.h>
#endif
#if CONNECT_ENABLE_GZIP
#include <zlib.h>
#endif
#if CONNECT_ENABLE_TLS
#include <bearssl.h>
#include <sys/random.h>
#endif
#if CONNECT_ENABLE_ZSTD
#define ZSTD_STATIC_LINKING_ONLY /* for contexts that live in our allocator's memory */
#include <zstd.h>
#include <zstd_errors.h>
#undef ZSTD_STATIC_LINKING_ONLY
#endif

/* Private functions: static in the single header, hidden when the modules are compiled one by one. */
#if defined(CN_MODULES)
#define CN_PRIVATE __attribute__((visibility("hidden")))
#elif defined(__GNUC__)
#define CN_PRIVATE static __attribute__((unused)) /* a switch may leave one without a caller */
#else
#define CN_PRIVATE static
#endif
#if defined(__GNUC__)
#define CN_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define CN_UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#else
#define CN_LIKELY(condition) (condition)
#define CN_UNLIKELY(condition) (condition)
#endif
/* Inlined where speed is asked for, and not size; kept out of line, off the path that is taken most; never taken in a
   good case. */
#if defined(__GNUC__) && !defined(__OPTIMIZE_SIZE__)
#define CN_HOT __attribute__((always_inline))
#else
#define CN_HOT
#endif
#if defined(__GNUC__)
#define CN_APART __attribute__((noinline))
#define CN_COLD __attribute__((noinline, cold))
#else
#define CN_APART
#define CN_COLD
#endif
#define CN_MIN(a, b) ((a) < (b) ? (a) : (b))
#define CN_MAX(a, b) ((a) > (b) ? (a) : (b))
#define CN_LEN(array) (sizeof(array) / sizeof *(array))
/* The struct that holds this member: for intrusive lists, and for what is embedded as a base. */
#define CN_CONTAINER(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))
