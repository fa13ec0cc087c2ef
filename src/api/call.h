#pragma once

/* ==== 4. Calls: one RPC, seen from either end ====================================================================
   The verbs are the same at both ends and for all kinds: send, finish, pause, resume; a unary call is a stream of one
   message each way. Half duplex over HTTP/1.1 is no case of its own: the same events come, only the peer reads late. */

typedef struct connect_call_t connect_call_t;
typedef struct connect_tls_info_t connect_tls_info_t; /* section 7 */

typedef enum connect_io_t { /* the same for sending and receiving, so that a forwarder can return what send said */
    CONNECT_IO_OK = 0,    /* taken */
    CONNECT_IO_AGAIN = 1, /* not taken. Sent: try again in on_writable. Received: comes again after resume */
    CONNECT_IO_END = 2,   /* no more: nothing can be sent any longer; from on_message: drop the rest */
    CONNECT_IO_ERROR = 3  /* it failed; on_closed, or *error, says why. From on_message: as END */
} connect_io_t;

typedef struct connect_events_t { /* what happens to a call; a NULL slot is passed over */
    /* Server: the request's headers are in. Client: the response's. Another code than OK ends the call. */
    connect_code_t (*on_open)(connect_call_t *call, void *user);
    /* Server, unary and server streaming: the request. response: zeroed, to fill in; NULL if streaming.
       Returns the code that ends the call, or CONNECT_LATER: it goes on until connect_call_finish. */
    connect_code_t (*on_request)(connect_call_t *call, const void *request, void *response, void *user);
    /* Server, client streaming and bidi: a request. Client: a response; a single one stays until on_closed returns. */
    connect_io_t (*on_message)(connect_call_t *call, const void *message, void *user);
    /* Server, client streaming and bidi: the client has sent all, and all of it was taken. As on_request (response:
       NULL for bidi); a NULL slot is as if it returned OK. */
    connect_code_t (*on_end)(connect_call_t *call, void *response, void *user);
    /* There is room to send: at first, and again after AGAIN. */
    void (*on_writable)(connect_call_t *call, void *user);
    /* This end or the other is about to stop: finish soon. */
    void (*on_drain)(connect_call_t *call, void *user);
    /* Exactly once and last, unless the first event ended the call by what it returned. NULL: it ended with OK. */
    void (*on_closed)(connect_call_t *call, const connect_error_t *error_or_null, void *user);
} connect_events_t;

typedef enum connect_protocol_t { /* 0: the default */
    CONNECT_PROTOCOL_CONNECT = 1, CONNECT_PROTOCOL_GRPC = 2, CONNECT_PROTOCOL_GRPC_WEB = 3
} connect_protocol_t;
typedef enum connect_http_version_t { CONNECT_HTTP_1 = 1, CONNECT_HTTP_2 = 2 } connect_http_version_t; /* 0: default */
typedef struct connect_peer_t {
    const char *address;           /* "10.0.0.7:51234", "[::1]:443", "unix:", "memory:" */
    connect_http_version_t http;
    const connect_tls_info_t *tls; /* NULL in clear text */
    int64_t pid, uid, gid;         /* of a Unix socket's other end, else -1; a pid only where the system tells it */
} connect_peer_t;
typedef struct connect_call_info_t {
    const connect_method_t *method;
    const char *path;              /* as asked for, without the prefix */
    connect_method_kind_t kind;    /* differs from method->kind for CONNECT_ANY_KIND only: UNARY or BIDI_STREAM */
    bool is_server;                /* which end this is */
    connect_protocol_t protocol;
    const char *codec;             /* "proto" or "json" */
    const char *compression_received, *compression_sent; /* "identity", "gzip", "zstd", or a registered name */
    connect_headers_t headers;     /* received: the request's on the server, the response's on the client */
    connect_headers_t trailers;    /* received, once the other end has sent all */
    connect_str_t query;           /* of a Connect GET, undecoded; absent for POST */
    connect_peer_t peer;
} connect_call_info_t;
/* Around every call of a server, a route or a client, retries included. The first in a list is outermost: it sees
   requests first and responses last. A NULL slot is passed over. Unlike events these run inside the functions that
   cause them: start, send, finish. */
typedef struct connect_interceptor_t {
    /* Headers are in (server) or about to go (client), no body was read. *answer = a response: ends the call here
       with success. Another code than OK ends it with that; LATER: it waits for connect_call_proceed. */
    connect_code_t (*on_open)(connect_call_t *call, const void **answer, void *user);
    /* A message came in (again after AGAIN), or is about to go (but for connect_call_send_encoded of a typed method).
       *message may be replaced. Another code than OK ends the call. */
    connect_code_t (*on_receive)(connect_call_t *call, const void **message, void *user);
    connect_code_t (*on_send)(connect_call_t *call, const void **message, void *user);
    /* Once for every on_open: the outcome, code OK included, before it is sent (server) or told (client). It may be
       changed (an error to OK: the response is then an empty one); trailers may be added. */
    void (*on_finish)(connect_call_t *call, connect_error_t *error, void *user);
    void *user;
} connect_interceptor_t;

#if CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER
/* Returns what is known about a call. Lifetime: the call's; headers and trailers appear as they come. */
CONNECT_API const connect_call_info_t *connect_call_info(const connect_call_t *call);
/* Returns the milliseconds left until the deadline: 0 if it has passed, INT64_MAX if there is none. */
CONNECT_API int64_t connect_call_time_left_ms(const connect_call_t *call);
/* Returns memory that lives as long as the call. A new call has 256 bytes of it without allocation. */
CONNECT_API connect_arena_t *connect_call_arena(connect_call_t *call);
/* Returns memory that is reset when the present callback returns: for the messages of long streams. */
CONNECT_API connect_arena_t *connect_call_scratch(connect_call_t *call);
/* Sets what this call's later events get as `user`: state of the one call instead of the route's. */
CONNECT_API void connect_call_set_user(connect_call_t *call, void *user);
/* Keeps a pointer for whoever knows the key, say from an interceptor to the handler; the first 4 cannot fail.
   key: any address, compared as such. Returns false: out of memory. */
CONNECT_API bool connect_call_set_value(connect_call_t *call, const void *key, void *value);
/* Returns a pointer kept; NULL for an unknown key. key_or_null: NULL is connect_call_options_t.context. */
CONNECT_API void *connect_call_value(const connect_call_t *call, const void *key_or_null);
/* Adds a header to what this end sends, or a trailer to what the server sends; on the client: in on_open of
   interceptors, and headers only. An etag header turns the answer to a matching GET into 304.
   Returns false: they are gone already, the name is the protocol's own, the text is not allowed (-bin: not base64). */
CONNECT_API bool connect_call_set_header(connect_call_t *call, const char *name, connect_str_t value);
CONNECT_API bool connect_call_set_trailer(connect_call_t *call, const char *name, connect_str_t value);
/* Chooses the compression of what is sent from now on. Once something was sent: what was chosen before, or "identity".
   Returns false: none of these, nor what the peer accepts. */
CONNECT_API bool connect_call_set_compression(connect_call_t *call, const char *name);
/* Changes the limits of this call's messages, in bytes; in on_open, before the body is read. 0: as they are. */
CONNECT_API void connect_call_set_limits(connect_call_t *call, uint32_t receive_bytes, uint32_t send_bytes);
/* Sets the error that the call will end with. Returns its code, so that a handler can return connect_call_fail(...). */
CONNECT_API connect_code_t connect_call_fail(connect_call_t *call, connect_code_t code, const char *format,
    ...) CONNECT_PRINTF(3, 4);
/* The same with an error from elsewhere: code, message, details, and metadata as trailers; copied. */
CONNECT_API connect_code_t connect_call_fail_as(connect_call_t *call, const connect_error_t *error);
/* Adds a typed detail to the error that the call will end with. Returns false: it does not encode, or no room. */
CONNECT_API bool connect_call_add_detail(connect_call_t *call, const connect_type_t *type, const void *message);

/* Sends a message; it is encoded before the function returns.
   message_or_null: a struct of the method's type; of a raw method, a connect_str_t; NULL: only the headers go, now.
   Returns OK; AGAIN: over the send buffer, on_writable will come; END: the call is over; ERROR: it does not encode or
   is over a limit, the call ends. */
CONNECT_API connect_io_t connect_call_send(connect_call_t *call, const void *message_or_null) CONNECT_CHECKED;
/* Sends a message that is encoded already, in info->codec: one encoding for many receivers. Returns as send. */
CONNECT_API connect_io_t connect_call_send_encoded(connect_call_t *call, connect_str_t bytes) CONNECT_CHECKED;
/* Ends what this end sends. Server: ends the call with the code. Client: OK says that there are no more requests,
   another code cancels the call. message_or_null: a last message; a server that answers with one message: NULL stands
   for the response the handler was given. What was sent before still goes out. A second finish does nothing,
   while the call lives.
   Lifetime: a unary call left open by CONNECT_LATER stays until its finish, which is due even if the peer is gone; all
   other calls until on_closed has returned. */
CONNECT_API void connect_call_finish(connect_call_t *call, connect_code_t code, const void *message_or_null);
/* Stop and restart on_message; meanwhile the peer's window stays shut. AGAIN from on_message pauses, too. */
CONNECT_API void connect_call_pause(connect_call_t *call);
CONNECT_API void connect_call_resume(connect_call_t *call);
/* Has a function called when nobody waits for a unary call's deferred answer any more: the peer is gone, the deadline
   has passed. connect_call_finish is due all the same. (Streams have on_closed.) */
CONNECT_API void connect_call_on_cancel(connect_call_t *call, void (*cancel)(connect_call_t *call, void *arg),
    void *arg);
/* Carries on a call whose interceptor's on_open returned CONNECT_LATER, as if it returned only now. A second proceed
   does nothing, while the call lives. Due even if the peer is gone: until then the call stays. */
CONNECT_API void connect_call_proceed(connect_call_t *call, connect_code_t code, const void *answer_or_null);
#endif
