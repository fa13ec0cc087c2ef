#pragma once

/* ==== 10. Client ================================================================================================= */

typedef struct connect_client_t connect_client_t;
/* Opens a transport for a connection, whose bytes it then carries (section 6). Returns OK, or why it cannot. */
typedef connect_code_t connect_dialer_t(connect_conn_t *conn, const char *address, void *user);

typedef struct connect_client_options_t {
    const connect_allocator_t *allocator;  /* default libc */
    connect_loop_t *loop;                  /* default: one of its own, run by the _wait functions */
    connect_limits_t limits;
    connect_tls_t *tls;                    /* default for https: the system's trust anchors */
    const char *address;                   /* where to dial, as for connect_server_listen; default: the URL's host */
    connect_server_t *loopback;            /* calls this server in memory, on its loop; outlives the client; or NULL */
    connect_protocol_t protocol;           /* default Connect */
    const char *codec;                     /* default "proto" */
    connect_http_version_t http;           /* default: HTTP/2 for gRPC, else HTTP/1.1 */
    const connect_compression_t *compressions; /* registered beside the built-in ones; copied */
    size_t compression_count;
    const char *compression;               /* of requests; default "identity" */
    const char *accept;                    /* compressions of responses, "zstd, gzip"; default: all; "identity": none */
    uint32_t compress_min;                 /* bytes; what is shorter goes as it is; default 1,024 */
    int32_t compression_level;             /* of gzip and zstd; default: their fast ones */
    bool get;                              /* Connect GET for methods without side effects */
    connect_headers_t headers;             /* with every call; copied */
    uint32_t timeout_ms;                   /* default 30,000; for streams: none */
    connect_dialer_t *dial;                /* default sockets */
    void *user;                            /* for dial */
    const connect_interceptor_t *interceptors; /* around every call */
    size_t interceptor_count;
    connect_codec_options_t codec_options;
} connect_client_options_t;
typedef struct connect_reply_t { connect_headers_t headers, trailers; } connect_reply_t;
typedef struct connect_call_options_t {    /* of one call; default: the client's */
    uint32_t timeout_ms;
    connect_headers_t headers;             /* after the client's; the protocol's own among them are left out */
    uint32_t receive_bytes, send_bytes;
    const char *compression, *codec;
    connect_protocol_t protocol;
    bool get, no_get;
    void *context;                         /* for interceptors: connect_call_value(call, NULL) */
    connect_reply_t *reply;                /* unary _wait: takes headers and trailers, in the arena; NULL: not wanted */
} connect_call_options_t;

#if CONNECT_ENABLE_CLIENT
/* Makes a client for the server at one address, dialled when needed.
   base_url: "http://host:port/prefix". Errors: INVALID_ARGUMENT; UNIMPLEMENTED for https://. */
CONNECT_API connect_client_t *connect_client_new(const char *base_url, const connect_client_options_t *options,
    connect_error_t *error);
/* Ends all calls with CANCELED, and frees the client. */
CONNECT_API void connect_client_free(connect_client_t *client_or_null);
/* Starts a call of any kind; then connect_call_send and connect_call_finish(call, CONNECT_OK, last_request_or_null).
   events_or_null: NULL: the _wait functions below are used instead. user_or_null: what events get. Returns NULL: it
   could not be tried; no event comes. Lifetime: until on_closed has returned, or connect_call_free. */
CONNECT_API connect_call_t *connect_client_start(connect_client_t *client, const connect_method_t *method,
    const connect_events_t *events_or_null, void *user_or_null, const connect_call_options_t *options,
    connect_error_t *error);
/* Makes a unary call and waits for its end. Returns its code. Lifetime: response and error are in the arena. */
CONNECT_API connect_code_t connect_client_unary_wait(connect_client_t *client, const connect_method_t *method,
    const void *request, void *response, connect_arena_t *arena, const connect_call_options_t *options,
    connect_error_t *error);
/* Sends as connect_call_send, but waits where that says AGAIN. */
CONNECT_API connect_io_t connect_call_send_wait(connect_call_t *call, const void *message, connect_error_t *error);
/* Waits for the next response. Returns OK: message is filled in, in the arena; END: the call ended with OK; ERROR. */
CONNECT_API connect_io_t connect_call_receive_wait(connect_call_t *call, void *message, connect_arena_t *arena,
    connect_error_t *error);
/* Frees a call that was started without events; cancels it if it runs. */
CONNECT_API void connect_call_free(connect_call_t *call_or_null);
#endif
