#pragma once
#include "base/sys.h"
#include "codec/compress.h"

#if CONNECT_ENABLE_SERVER
typedef struct cn_route_t { /* one method of a server */
    char *path;             /* with the prefix; owned by the table */
    size_t path_len;
    uint32_t hash;
    const connect_method_t *method;
    const connect_events_t *events;
    const void *key, *value; /* for connect_call_value: the service and its table of handlers */
    void *user;
    const connect_interceptor_t *interceptors; /* inside the server's */
    size_t interceptor_count;
    connect_deadlines_t deadlines;
    uint32_t receive_bytes, send_bytes; /* 0: the server's */
    const cn_coding_t *coding;          /* of responses; NULL: none, or the client chooses */
    bool free_choice;
} cn_route_t;
typedef struct cn_route_table_t {
    cn_route_t *slots; /* open addressing; path NULL: free */
    size_t capacity, count;
} cn_route_table_t;

/* Adds a route; prefix and path are joined and copied. Returns false: out of memory, or the path is there already. */
CN_PRIVATE bool cn_route_add(cn_route_table_t *table, const connect_allocator_t *allocator, const char *prefix,
    const cn_route_t *route, connect_error_t *error);
/* The route of a path, or NULL. */
CN_PRIVATE const cn_route_t *cn_route_find(const cn_route_table_t *table, connect_str_t path);
CN_PRIVATE void cn_route_free(cn_route_table_t *table, const connect_allocator_t *allocator);
#endif
