#pragma once
#include "base/sys.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/meter.h"
#include "io/tls.h"
#include "http/exchange.h"
#include "protocol/protocol.h"

typedef struct cn_call_owner_t {                   /* the server or the client of a call */
    void (*on_head)(connect_call_t *call);         /* server: a request's head is in call->x: find out what it is */
    void (*on_released)(connect_call_t *call);     /* nobody refers to it any more: use it again */
    void (*poke)(connect_call_t *call);            /* have cn_call_on_poke called soon, though it has no exchange */
    int64_t (*now_ms)(const connect_call_t *call); /* the time, of a call without an exchange; -1: not known */
    void (*on_passed)(connect_call_t *call);       /* client: no interceptor holds it back any more */
    void (*on_answer)(connect_call_t *call);       /* client: the response has begun */
    void (*on_outcome)(connect_call_t *call);      /* client: rpc.error is what came of it on this connection */
    bool (*may_retry)(connect_call_t *call);       /* client: the failed call may be made again, but for what it sent */
    void (*again)(connect_call_t *call);           /* client: it has no exchange any more, and is to get another */
} cn_call_owner_t;

typedef struct cn_interceptors_t { /* of a call: those around all calls, and inside them those of its route */
    const connect_interceptor_t *outer, *inner;
    size_t outer_count, inner_count;
} cn_interceptors_t;

typedef struct cn_value_t {
    const void *key;
    void *value;
    struct cn_value_t *next;
} cn_value_t;

typedef enum cn_front_t { /* what stands first in what was received */
    CN_FRONT_NONE,
    CN_FRONT_PARTIAL,
    CN_FRONT_MESSAGE,
    CN_FRONT_END,
    CN_FRONT_BAD /* call->rpc.error says why */
} cn_front_t;

struct connect_call_t {
    cn_exchange_t x; /* first */
    cn_rpc_t rpc;
    connect_call_info_t info;
    connect_method_t own_method; /* client: a copy of a raw one, which need not stay */
    connect_events_t events;
    void *user;
    cn_interceptors_t interceptors;
    size_t opened, passed; /* interceptors: whose on_open was called; that see messages, as they let the call pass */
    const cn_call_owner_t *owner_events;
    void *owner;          /* NULL: it went away before the call */
    cn_tls_t *tls;        /* of its connection; NULL: clear text */
    connect_loop_t *loop; /* NULL: no sockets */
    const connect_codec_options_t *codec_options;
    cn_meter_t *meter;  /* server: while it is high the peer's window stays shut */
    cn_list_t node;     /* in a list of the owner's */
    cn_list_t children; /* child_node: calls that were made for this one */
    cn_list_t child_node;
    cn_list_t poke_node; /* in the owner's list of those to poke */
    int64_t deadline_ms; /* INT64_MAX: none */
    uint32_t receive_bytes, send_bytes;
    size_t unconsumed;             /* bytes in `in` that the peer's window still waits for */
    const void *request;           /* a single one. Client: what an interceptor's LATER holds back */
    const void *response;          /* a single one. Client: decoded, on_message is due */
    void *context;                 /* client: connect_call_options_t.context */
    const struct cn_route_t *page; /* server: of a plain HTTP request */
    connect_str_t held;      /* client, single response: the message, expanded, until the call's outcome is known */
    connect_error_t failure; /* what connect_call_fail and add_detail set */
    void (*cancel)(connect_call_t *call, void *arg);
    void *cancel_arg;
    cn_value_t values[6], *more_values;
    uint32_t messages_in, messages_out;
    struct cn_backend_t *backend;      /* client: where its exchange runs */
    size_t request_start, request_len; /* client, single request: where it stood in x.out */
    size_t own_headers;                /* client: of rpc.headers, those that are sent wherever it runs */
    int64_t begun_ms, not_before_ms;   /* client: the last attempt; the next */
    int64_t pause_ms;                  /* client: before the next, from when the time is told next; 0: none */
    int64_t waits_since_ms;            /* client: for a connection */
    uint64_t serial;                   /* client: of its calls */
    uint32_t attempts;                 /* client: made so far */
    uint8_t lane;                      /* client: which connections it needs */
    bool unprocessed;                  /* client: the peer did nothing for it, in the last attempt */
    bool resent;                       /* client: once, without the application's policy */
    bool again;                        /* client: once its exchange is closed */
    bool retriable;                    /* client: its owner may make it again */
    bool open_due, open_told;          /* client: on_open waits for the outcome; was called */
    unsigned callbacks;                /* depth of user's callbacks */
    bool is_server;
    bool starved;     /* server: the window stayed shut, as memory was short */
    bool opening;     /* an interceptor's on_open returned LATER, and not all of them have let the call pass */
    bool proceed_due; /* connect_call_proceed is */
    bool concluding;  /* on_finish of interceptors runs */
    bool packed;      /* what cn_call_front found is compressed */
    bool plain;       /* server: an HTTP answer, no call */
    bool pull;        /* client: no events, the _wait functions ask */
    bool entered;     /* the first event has happened and did not end it: on_closed is due */
    bool promised;    /* server, unary: LATER was returned, finish is due */
    bool finished;    /* finish was called, or a code returned */
    bool answered;    /* server: the response's end is on its way. Client: the request's */
    bool over;        /* the outcome is known: rpc.error */
    bool told;        /* on_closed was called, or is not due */
    bool in_end;      /* the peer has sent all */
    bool end_told;    /* server: on_end was called */
    bool paused;      /* no on_message for now */
    bool drop_input;  /* what still comes is of no interest */
    bool mute;        /* client: messages are of no interest, but the end is */
    bool taken;       /* client, single response: receive has given it out */
    bool local;       /* client: an interceptor answered in the server's place */
    bool draining;    /* on_drain is due */
    bool writable;    /* on_writable is due */
    bool poked;
    bool freed; /* client: connect_call_free was called */
    bool released;
    connect_arena_t arena, scratch; /* from here on, with x.out: blocks that the next call has again */
    cn_buf_t in;                    /* received, not yet delivered */
    cn_buf_t expanded;              /* a received message, if it came compressed */
};

typedef struct cn_call_pool_t { /* calls to be used again */
    cn_list_t calls;
    size_t count;
    size_t owned_bytes; /* of their blocks */
    bool ready;
} cn_call_pool_t;

#if CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER
/* Makes a call, or takes one from the pool. NULL: out of memory. */
CN_PRIVATE connect_call_t *cn_call_new(
    cn_call_pool_t *pool, const connect_allocator_t *allocator, const connect_limits_t *limits, bool is_server);
/* Puts a released call into the pool. pool NULL, or full: frees it. */
CN_PRIVATE void cn_call_recycle(cn_call_pool_t *pool, connect_call_t *call);
CN_PRIVATE void cn_call_pool_free(cn_call_pool_t *pool, const connect_allocator_t *allocator);
/* Lets the call tell of its connection's TLS, as long as it lives. */
CN_PRIVATE void cn_call_set_tls(connect_call_t *call, cn_tls_t *tls_or_null);
CN_PRIVATE connect_call_t *cn_call_of(cn_exchange_t *x);
CN_PRIVATE int64_t cn_call_now_ms(const connect_call_t *call);

/* Around user's callbacks: resets the scratch arena after the outermost. */
CN_PRIVATE void cn_call_enter(connect_call_t *call);
CN_PRIVATE void cn_call_leave(connect_call_t *call);
/* Gives the call back to its owner once nothing refers to it. */
CN_PRIVATE void cn_call_release_if_done(connect_call_t *call);
/* Has cn_call_on_poke called out of the next feed. */
CN_PRIVATE void cn_call_poke(connect_call_t *call);
CN_PRIVATE void cn_call_on_poke(connect_call_t *call);
/* Makes a client's call one that is made for another. */
CN_PRIVATE void cn_call_adopt(connect_call_t *parent, connect_call_t *child);
/* Cancels the calls that were made for this one, and has them told before it. */
CN_PRIVATE void cn_call_end_children(connect_call_t *call);
/* Calls on_closed, once. */
CN_PRIVATE void cn_call_tell_closed(connect_call_t *call);
/* Tells whether an application may set a header of this name, in any case. */
CN_PRIVATE bool cn_call_may_set(const char *name, bool is_server);
/* Adds a header in lower case, copied. */
CN_PRIVATE bool cn_call_put_header(connect_call_t *call, cn_headers_t *headers, const char *name, connect_str_t value);

/* Looks at what stands first in call->in. *payload: of MESSAGE and END; *whole: how many bytes to drop with it. */
CN_PRIVATE cn_front_t cn_call_front(connect_call_t *call, connect_str_t *payload, size_t *whole);
/* Expands the payload that cn_call_front found, if it is compressed; it then stands in call->expanded, until the next.
   Returns false: rpc.error says why. */
CN_PRIVATE bool cn_call_expand(connect_call_t *call, connect_str_t *payload);
/* Appends received bytes. Returns false: out of memory, rpc.error says so. */
CN_PRIVATE bool cn_call_take_input(connect_call_t *call, const char *bytes, size_t len);
CN_PRIVATE void cn_call_drop_front(connect_call_t *call, size_t whole);
/* Lets the peer send as many bytes as were used up; not while memory is short, then it is starved. */
CN_PRIVATE void cn_call_consume(connect_call_t *call);
/* The same in any case. */
CN_PRIVATE void cn_call_open_window(connect_call_t *call);
CN_PRIVATE bool cn_call_decode(connect_call_t *call, const connect_type_t *type, void *message, connect_str_t payload,
    connect_arena_t *arena, bool copy, connect_error_t *error);
/* Makes a message with its defaults; type NULL: raw bytes, none. Returns NULL: out of memory. */
CN_PRIVATE void *cn_call_new_message(const connect_type_t *type, connect_arena_t *arena);
/* Copies a message deeply into one made as above. Returns false: out of memory. */
CN_PRIVATE bool cn_call_copy_message(const connect_type_t *type, void *to, const void *from, connect_arena_t *arena);
/* Encodes a message of a type; the call's codec. */
CN_PRIVATE bool cn_call_encode(
    connect_call_t *call, const connect_type_t *type, const void *message, cn_buf_t *out, connect_error_t *error);
/* What the application said of an error: connect_call_fail and add_detail; code: returned by it. */
CN_PRIVATE connect_error_t cn_call_failure(const connect_call_t *call, connect_code_t code);
/* Encodes a message behind what waits to be sent; interceptors see it before. Returns false: *error says why, nothing
   was appended. */
CN_PRIVATE bool cn_call_put_message(
    connect_call_t *call, const void *message, const connect_str_t *encoded_or_null, connect_error_t *error);
/* The application gives and takes one message (of the client; of the server). */
CN_PRIVATE bool cn_call_single_request(const connect_call_t *call);
CN_PRIVATE bool cn_call_single_response(const connect_call_t *call);
/* One message goes over the wire, whatever the application makes of it. */
CN_PRIVATE bool cn_call_sends_one(const connect_call_t *call);
CN_PRIVATE bool cn_call_receives_one(const connect_call_t *call);
#endif
