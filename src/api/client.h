#pragma once

/* ==== 10. Client ================================================================================================= */

typedef struct connect_client_t connect_client_t;
typedef struct connect_backend_t { /* one address of the name, or one member client */
    const char *address;           /* of a member: its URL */
    bool ready;                    /* connected, and the peer allows one more call */
    uint32_t calls, capacity;      /* that run; that the peer allows */
    uint32_t latency_us;           /* smoothed, to the first byte; 0: not known yet */
    uint32_t failures;             /* UNAVAILABLE in a row */
} connect_backend_t;
/* Chooses a backend for a call. last: chosen before. Returns its index, or count: none will do, the call waits. */
typedef size_t connect_pick_t(const connect_backend_t *backends, size_t count, size_t last, const connect_call_t *call,
    void *user);
typedef struct connect_resolve_t connect_resolve_t; /* one question to a resolver */
/* Finds the addresses of a host; answers by connect_resolve_finish, now or later. */
typedef void connect_resolver_t(connect_resolve_t *question, const char *host, const char *port, void *user);
/* Opens a transport for a connection, whose bytes it then carries (section 6). Returns OK: bytes may flow; LATER: not
   before connect_conn_opened, limits.dial_ms from now at the latest; or why it cannot. */
typedef connect_code_t connect_dialer_t(connect_conn_t *conn, const char *address, void *user);

typedef struct connect_retry_t {   /* of calls without side effects, and of what the peer did not take */
    uint32_t attempts;             /* default 1: no retry. What the peer did not take is sent again once in any case */
    uint32_t backoff_ms, backoff_max_ms; /* doubled each time, with jitter; default 100, 10,000 */
    uint32_t codes;                /* bits 1u << code; default UNAVAILABLE */
    uint32_t budget;               /* retries per 100 calls; default 10 */
} connect_retry_t;
typedef struct connect_client_options_t {
    const connect_allocator_t *allocator;  /* default libc */
    connect_loop_t *loop;                  /* default: one of its own, run by the _wait functions */
    connect_limits_t limits;
    connect_tls_t *tls;                    /* default for https: the system's trust anchors */
    const char *address;                   /* where to dial, as for connect_server_listen; default: the URL's host */
    connect_server_t *loopback;            /* calls this server in memory, on its loop; outlives the client; or NULL */
    connect_client_t *const *members;      /* spreads calls over these clients, which outlive it; NULL: none */
    size_t member_count;
    connect_protocol_t protocol;           /* default Connect */
    const char *codec;                     /* default "proto" */
    connect_http_version_t http;           /* default: by ALPN; in clear text HTTP/2 for gRPC, else HTTP/1.1 */
    const connect_compression_t *compressions; /* registered beside the built-in ones; copied */
    size_t compression_count;
    const char *compression;               /* of requests; default "identity" */
    const char *accept;                    /* compressions of responses, "zstd, gzip"; default: all; "identity": none */
    uint32_t compress_min;                 /* bytes; what is shorter goes as it is; default 1,024 */
    int32_t compression_level;             /* of gzip and zstd; default: their fast ones */
    connect_headers_t headers;             /* with every call; copied */
    uint32_t timeout_ms;                   /* default 30,000; for streams: none */
    bool get;                              /* Connect GET for methods without side effects */
    bool no_queue;                         /* no backend is ready: fail at once with UNAVAILABLE; default: wait */
    uint32_t connections;                  /* per address; default: HTTP/2 1, HTTP/1.1 8 */
    connect_retry_t retry;
    connect_pick_t *pick;                  /* default connect_pick_first, one address; else all are dialled */
    connect_resolver_t *resolve;           /* default: the system's, in a thread while a name is looked up */
    connect_dialer_t *dial;                /* default sockets. With it, and without resolve, the address goes there */
    void (*on_backends)(connect_client_t *client, void *user); /* one came, went, or changed its ready; NULL: none */
    void *user;                            /* for these four */
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
    connect_call_t *parent;                /* call it is made for, same loop: shares its deadline, ends before it */
    void *context;                         /* for interceptors: connect_call_value(call, NULL) */
    connect_reply_t *reply;                /* unary _wait: takes headers and trailers, in the arena; NULL: not wanted */
} connect_call_options_t;

#if CONNECT_ENABLE_CLIENT
/* Makes a client: a pool of connections to the addresses of one name, dialled when needed; or a spread over members.
   base_url_or_null: "https://host:port/prefix", "http://..."; NULL with members.
   Errors: INVALID_ARGUMENT, also for http:// with tls; UNIMPLEMENTED for https:// without any TLS engine. */
CONNECT_API connect_client_t *connect_client_new(const char *base_url_or_null, const connect_client_options_t *options,
    connect_error_t *error);
/* Ends all calls with CANCELED, and frees the client. */
CONNECT_API void connect_client_free(connect_client_t *client_or_null);
/* Dials now instead of at the first call, and again whenever the connection is lost. */
CONNECT_API void connect_client_connect(connect_client_t *client);
/* Describes the backends. room: how many fit in; 0 with NULL. Returns how many there are. Lifetime: the texts stay
   until the names are looked up again, at the latest until the next callback. */
CONNECT_API size_t connect_client_backends(const connect_client_t *client, connect_backend_t *backends_or_null,
    size_t room);
/* Policies for connect_client_options_t.pick; they choose among what is ready. */
CONNECT_API connect_pick_t connect_pick_first, connect_pick_round_robin, connect_pick_least_loaded;
/* Answers a question, once. addresses: "10.0.0.1:443", "[fd00::1]:443", "unix:/run/a"; none: not found.
   valid_ms: the first call after it asks again; 0: asked again when none of them can be connected. */
CONNECT_API void connect_resolve_finish(connect_resolve_t *question, const char *const *addresses, size_t count,
    uint32_t valid_ms);
/* Starts a call of any kind; then connect_call_send and connect_call_finish(call, CONNECT_OK, last_request_or_null).
   events_or_null: NULL: the _wait functions below are used instead. user_or_null: what events get. Returns NULL: it
   could not even wait for a backend; no event comes. Lifetime: until on_closed has returned, or connect_call_free. */
CONNECT_API connect_call_t *connect_client_start(connect_client_t *client, const connect_method_t *method,
    const connect_events_t *events_or_null, void *user_or_null, const connect_call_options_t *options,
    connect_error_t *error);
#if CONNECT_ENABLE_SOCKETS
/* As connect_client_connect, and waits until a backend is ready. timeout_ms: 0: 30,000. Returns false:
   DEADLINE_EXCEEDED, with the last failure in its text. */
CONNECT_API bool connect_client_connect_wait(connect_client_t *client, uint32_t timeout_ms, connect_error_t *error);
#endif
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
