#pragma once
/* The generator needs of connect.h the memory, the views and the wire: no JSON, nothing of the network. */
#define CONNECT_ENABLE_CLIENT 0
#define CONNECT_ENABLE_SERVER 0
#define CONNECT_ENABLE_HTTP2 0
#define CONNECT_ENABLE_GRPC 0
#define CONNECT_ENABLE_SOCKETS 0
#define CONNECT_ENABLE_JSON 0
#if !defined(CN_MODULES)
#define CONNECT_IMPLEMENTATION
#endif
#include "connect.h"

#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* Functions that other modules call: static in the one file, hidden when the modules are compiled one by one. */
#if defined(CN_MODULES)
#define GEN_PRIVATE __attribute__((visibility("hidden")))
#elif defined(__GNUC__)
#define GEN_PRIVATE static __attribute__((unused))
#else
#define GEN_PRIVATE static
#endif
#define GEN_LEN(array) (sizeof(array) / sizeof *(array))

/* A list through the `next` of its items: GEN_LIST(gen_field_t) fields; */
#define GEN_LIST(type) \
    struct { \
        type *first, *tail; \
        size_t count; \
    }
#define GEN_APPEND(list, item) \
    do { \
        if ((list).tail) \
            (list).tail->next = (item); \
        else \
            (list).first = (item); \
        (list).tail = (item); \
        (list).count++; \
    } while (0)
