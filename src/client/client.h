#pragma once
#include "base/sys.h"
#include "base/buf.h"
#include "base/list.h"
#include "call/call.h"
#include "client/loopback.h"
#include "codec/compress.h"
#include "io/conn.h"

#if CONNECT_ENABLE_CLIENT
struct connect_client_t {
    const connect_allocator_t *allocator;
    connect_loop_t *loop; /* NULL: no sockets */
    bool owns_loop;
    connect_limits_t limits;
    connect_codec_options_t codec_options;
    connect_protocol_t protocol;
    connect_http_version_t http; /* 0: by protocol */
    bool json, get;
    cn_codings_t codings;
    const cn_coding_t *coding; /* of requests; NULL: none */
    uint32_t timeout_ms;
    connect_arena_t arena;           /* the texts below, and the headers */
    connect_str_t authority, prefix; /* "gateway:8080", "/api" */
    const char *address;
    connect_tls_t *tls; /* NULL: clear text */
    const char *server_name;
    cn_conn_turn_t turn;
    connect_headers_t headers;
    const connect_interceptor_t *interceptors;
    size_t interceptor_count;
    connect_dialer_t *dial;
    void *dial_user;
    struct cn_loopback_t *loopback; /* NULL: none */
    int64_t (*clock)(const connect_client_t *client); /* NULL: the time is what connections are told */
    cn_list_t conns, calls, waiting;                  /* calls that have a connection; those that wait for one */
    cn_buf_pool_t buffers;
    cn_call_pool_t pool;
    cn_list_t pokes;
    connect_task_t poke_task;
    int64_t now_ms; /* as last told by a connection; -1: not yet */
    bool told_now;                    /* now_ms is of this moment */
    unsigned waits;                   /* functions that wait for a call of it */
    unsigned busy;
    bool free_wanted, assigning;
    bool unassigned; /* a call came to those that wait */
};

#if CONNECT_ENABLE_SERVER
/* Has a new client call this server in memory: its loopback, dialer, clock and, with sockets, the server's loop. */
CN_PRIVATE bool cn_client_use_loopback(connect_client_t *client, connect_server_t *server, connect_error_t *error);
#endif
#if CONNECT_ENABLE_SOCKETS
/* The socket layer's part of a new client: its loop, dialer and clock, unless it has a dialer. */
CN_PRIVATE bool cn_client_use_sockets(connect_client_t *client, connect_error_t *error);
#endif
#endif
