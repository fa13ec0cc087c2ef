#pragma once
#include "base/sys.h"
#include "codec/compress.h"

#if CONNECT_ENABLE_SERVER
typedef struct cn_route_t { /* one method of a server, or all paths that begin alike; it stays where it is */
    connect_str_t path;     /* with the prefix; without the asterisk; stands behind the struct */
    size_t prefix_len;      /* how much of it is no part of the method's */
    const connect_method_t *method;
    const connect_events_t *events;
    connect_method_t own_method; /* of one that was copied */
    connect_events_t own_events;
    const void *key, *value;      /* for connect_call_value: the service and its table of handlers */
    connect_http_handler_t *http; /* of a plain path, instead of events */
    void *user;
    const connect_interceptor_t *interceptors; /* inside the server's */
    size_t interceptor_count;
    connect_deadlines_t deadlines;
    uint32_t receive_bytes, send_bytes; /* 0: the server's */
    const cn_coding_t *coding;          /* of responses; NULL: none, or the client chooses */
    bool free_choice;
    bool is_pattern; /* all paths that begin alike */
} cn_route_t;
typedef struct cn_route_slot_t {
    cn_route_t *route; /* NULL: free */
    uint32_t hash;
} cn_route_slot_t;
typedef struct cn_route_table_t { /* zeroed: empty */
    cn_route_slot_t *slots;       /* whole paths: open addressing */
    size_t capacity, count;
    cn_route_t **patterns; /* paths with an asterisk, the longest first */
    size_t pattern_count;
} cn_route_table_t;

/* Adds a copy of a route; prefix and path are joined. owned: method, path and events are copied, too. Returns false:
   INVALID_ARGUMENT, ALREADY_EXISTS, or out of memory. */
CN_PRIVATE bool cn_route_add(cn_route_table_t *table, const connect_allocator_t *allocator, const char *prefix,
    const cn_route_t *route, bool owned, connect_error_t *error);
/* The route of a path, or NULL. */
CN_PRIVATE const cn_route_t *cn_route_find(const cn_route_table_t *table, connect_str_t path);
CN_PRIVATE void cn_route_free(cn_route_table_t *table, const connect_allocator_t *allocator);
#endif
