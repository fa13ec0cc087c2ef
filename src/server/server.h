#pragma once
#include "base/sys.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/meter.h"
#include "call/call.h"
#include "codec/compress.h"
#include "io/conn.h"
#include "server/route.h"

#if CONNECT_ENABLE_SERVER
typedef struct cn_handlers_t { /* a copied table of handlers */
    struct cn_handlers_t *next;
} cn_handlers_t;

struct connect_server_t {
    cn_meter_t *meter;
    const connect_allocator_t *allocator; /* the meter's */
    connect_loop_t *loop;                 /* NULL: not needed yet */
    bool owns_loop;
    connect_limits_t limits;
    connect_deadlines_t deadlines;
    connect_codec_options_t codec_options;
    const connect_interceptor_t *interceptors;
    size_t interceptor_count;
    cn_codings_t codings;
    const cn_coding_t *coding; /* of responses; NULL: none, or the client chooses */
    bool free_choice, no_get;
    unsigned without; /* CN_PROTOCOL_NO_ bits */
    bool no_http1, no_http2, require_connect_header;
    char *prefix;
    cn_route_table_t routes, pages; /* methods; plain paths */
    connect_http_handler_t *on_request;
    void *user; /* for on_request */
    cn_handlers_t *handlers;
    cn_list_t conns, calls; /* open connections; calls that are not released */
    size_t conn_count, call_count;
    cn_buf_pool_t buffers;
    cn_conn_turn_t turn;
    cn_call_pool_t pool;
    cn_list_t pokes;
    connect_task_t poke_task;
    int64_t now_ms; /* as last told by a connection */
    unsigned runs;  /* connect_server_run that have not returned */
    unsigned busy;  /* depth of what runs callbacks */
    bool free_wanted, draining;
    uint32_t grace_ms;
    void *listeners; /* the socket layer's */
    void (*stop_listening)(connect_server_t *server);
};

/* True once a drained server has nothing left to do. */
CN_PRIVATE bool cn_server_is_done(const connect_server_t *server);
#if CONNECT_ENABLE_SOCKETS
/* Makes the server a loop, unless it has one. */
CN_PRIVATE bool cn_server_need_loop(connect_server_t *server, connect_error_t *error);
#endif
#endif
