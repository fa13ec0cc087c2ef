#pragma once

/* ==== 9. Server ================================================================================================== */

typedef struct connect_deadlines_t { /* what becomes of the client's timeout */
    uint32_t default_ms;             /* if it gives none; default: no deadline */
    uint32_t min_ms, max_ms;         /* it is raised or cut to these; default: as given */
    bool spare_streams;              /* these are for unary calls: streams have what the client asks for */
} connect_deadlines_t;
typedef struct connect_http_request_t { /* any HTTP request: a plain one, or an RPC before its body */
    connect_str_t method, path, query;   /* query: undecoded; absent if there is none */
    connect_str_t body;                  /* not in on_request */
    connect_headers_t headers;
    const connect_peer_t *peer;
    connect_call_t *call;   /* the RPC it opens, to keep values in; NULL: none */
    connect_arena_t *arena; /* lives until the response is sent */
} connect_http_request_t;
typedef struct connect_http_response_t { /* copied when the handler returns */
    int status;             /* default 200; in on_request: 0 lets the request pass */
    const char *content_type;
    connect_headers_t headers;
    connect_str_t body;     /* with another code than OK: the error's message */
} connect_http_response_t;
/* Answers a request. Returns OK, or a code: it becomes an error in the form of the request's protocol. */
typedef connect_code_t connect_http_handler_t(const connect_http_request_t *request, connect_http_response_t *response,
    void *user);

typedef struct connect_server_options_t {
    const connect_allocator_t *allocator;  /* default libc */
    connect_loop_t *loop;                  /* default: one of its own */
    connect_limits_t limits;
    connect_deadlines_t deadlines;
    const char *prefix;                    /* of all RPC paths, "/api"; default "" */
    connect_http_handler_t *on_request;    /* asked about every request before its body, also of unknown paths */
    void *user;                            /* for on_request */
    const connect_interceptor_t *interceptors; /* around every call */
    size_t interceptor_count;
    connect_codec_options_t codec_options; /* drop_unknown and json_; the rest comes from limits */
    const connect_compression_t *compressions; /* registered beside the built-in ones; copied */
    size_t compression_count;
    const char *compression;               /* of responses; default: what the client likes best; "identity": none */
    const char *accept;                    /* compressions of requests, "zstd, gzip"; default: all; "identity": none */
    uint32_t compress_min;                 /* bytes; what is shorter goes as it is; default 1,024 */
    int32_t compression_level;             /* of gzip and zstd; default: their fast ones */
    bool no_connect, no_grpc, no_grpc_web, no_json, no_get, no_http1, no_http2;
    bool require_connect_header;           /* refuses Connect requests without Connect-Protocol-Version */
} connect_server_options_t;
typedef struct connect_route_options_t {   /* of one service or method; default: as the server's */
    const char *prefix;                    /* instead of the server's; "": none */
    const connect_interceptor_t *interceptors; /* inside the server's */
    size_t interceptor_count;
    connect_deadlines_t deadlines;
    uint32_t receive_bytes, send_bytes;
    const char *compression;
} connect_route_options_t;
typedef struct connect_listen_options_t {
    uint32_t unix_mode;                    /* permissions of a Unix socket; default 0660 */
    uint32_t backlog;                      /* default 1,024 */
    connect_tls_t *tls;                    /* default: clear text */
    bool reuse_port;                       /* several servers may listen here: one per thread, with state of its own */
} connect_listen_options_t;

typedef struct connect_server_t connect_server_t;
#if CONNECT_ENABLE_SERVER
/* Makes a server without services and listeners. Errors: INVALID_ARGUMENT names the option, RESOURCE_EXHAUSTED. */
CONNECT_API connect_server_t *connect_server_new(const connect_server_options_t *options, connect_error_t *error);
/* Ends all that runs, at once, and frees the server. What was left open by CONNECT_LATER must be finished before. */
CONNECT_API void connect_server_free(connect_server_t *server_or_null);
/* Adds a generated service; use its typed <Service>_serve. handlers: the service's table; a NULL method is
   UNIMPLEMENTED. The thunks find the table by connect_call_value(call, service). Errors: ALREADY_EXISTS. */
CONNECT_API bool connect_server_add_service(connect_server_t *server, const connect_service_t *service,
    const void *handlers, void *user, const connect_route_options_t *options, connect_error_t *error);
/* Adds a method known at run time only; also while the server runs. method->path: may end in an asterisk
   ("/acme.telemetry.*"), the longest that fits gets the request, if no whole path does. Types NULL: messages are bytes,
   in whatever codec the caller chose. method, its path and events are copied. Errors: ALREADY_EXISTS,
   INVALID_ARGUMENT. */
CONNECT_API bool connect_server_add_route(connect_server_t *server, const connect_method_t *method,
    const connect_events_t *events, void *user, const connect_route_options_t *options, connect_error_t *error);
/* Adds a plain HTTP path, without the prefix, with all below it if it ends in a slash; RPCs go first. Its handler gets
   whole requests, of any method. Errors: ALREADY_EXISTS, INVALID_ARGUMENT. */
CONNECT_API bool connect_server_add_http(connect_server_t *server, const char *path, connect_http_handler_t *handler,
    void *user, connect_error_t *error);
#if CONNECT_ENABLE_SOCKETS
/* Listens on one more address, for all protocols, HTTP/1.1 and HTTP/2.
   address: "host:port", ":port", "unix:/path", "unix-abstract:name", "fd:3", "systemd:name" (the FileDescriptorName= of
   a socket unit). Port 0: any free one. Returns the port, 0 where there is none, or -1. Errors: with os_error;
   UNAVAILABLE, PERMISSION_DENIED, INVALID_ARGUMENT. */
CONNECT_API int connect_server_listen(connect_server_t *server, const char *address,
    const connect_listen_options_t *options, connect_error_t *error);
/* Serves until connect_server_drain has done its work, deferred calls included. */
CONNECT_API void connect_server_run(connect_server_t *server);
#endif
/* Takes a connection over a transport of yours. peer: its address, for info. options: tls. */
CONNECT_API connect_conn_t *connect_server_accept(connect_server_t *server, const char *peer,
    const connect_listen_options_t *options, connect_error_t *error);
/* Takes no more connections and calls, tells peers and on_drain, and at last closes what still runs.
   grace_ms: until then; 0: limits.drain_ms. In a signal handler: post a task that calls it. */
CONNECT_API void connect_server_drain(connect_server_t *server, uint32_t grace_ms);
#endif
