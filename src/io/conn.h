#pragma once
#include "base/sys.h"
#include "base/buf.h"
#include "base/list.h"
#include "http/exchange.h"
#include "io/tls.h"

typedef struct cn_conn_owner_t {                      /* what a server or a client hears of its connections */
    cn_exchange_t *(*on_begin)(connect_conn_t *conn); /* server: as in cn_http_events_t */
    void (*on_room)(connect_conn_t *conn);            /* client: a call may begin, or the connection drains */
    void (*on_due)(connect_conn_t *conn);             /* conn->owner_due_ms has come; it is INT64_MAX again */
    void (*on_lost)(connect_conn_t *conn);            /* last: conn is freed after this; its exchanges are closed */
    void (*enter)(void *owner, int64_t now_ms);       /* around everything that can run callbacks: what is freed in */
    void (*leave)(void *owner);                       /* between goes in the last leave */
} cn_conn_owner_t;

typedef struct cn_conn_turn_t { /* of an owner: what its connections may do in one turn of the clock */
    int64_t now_ms;
    unsigned handshakes;
} cn_conn_turn_t;

typedef struct cn_credentials_t { /* of a process; -1: not known */
    int64_t pid, uid, gid;
} cn_credentials_t;

struct connect_conn_t {
    cn_http_t http; /* first: the HTTP versions know only this */
    const cn_conn_owner_t *events;
    void *owner;
    cn_list_t node; /* in the owner's list */
    int64_t owner_due_ms;     /* set by cn_conn_set_owner_due */
    int64_t opened_ms;        /* when it was opened; -1: the time is not known yet */
    int64_t heard_ms;         /* when something came last */
    int64_t pinged_ms;        /* when it was asked for a sign of life, and none came since; -1: it was not */
    int64_t idle_since_ms;    /* no exchange since; -1: there is one */
    int64_t stalled_since_ms; /* output waits and none of it was written since; -1: none waits */
    int64_t abort_ms;         /* drained too long; INT64_MAX: not drained */
    uint32_t grace_ms;       /* from drain to abort_ms, which is set when the time is told; 0: not drained */
    int64_t stall_check_ms;  /* when exchanges are looked at that wait for their peer's window */
    bool output_due;         /* something was fed since the last output, or that was not all */
    char preface[24];         /* server: the first bytes, until they tell the version */
    uint8_t preface_len;
    bool allow_http1, allow_http2;
    bool connected;    /* the transport is open */
    bool opens_later;  /* what is fed before only tells the time */
    bool opened;       /* requests may flow: the handshake, if any, is done */
    bool heard;        /* something came */
    cn_tls_t *tls;     /* NULL: clear text */
    cn_conn_turn_t *turn;
    int64_t handshake_ms; /* a step of the handshake has to wait until then; 0: none does */
    bool dead;         /* nothing is wanted any more */
    bool close_wanted; /* connect_conn_close was called inside an event */
    unsigned depth;    /* of feed, output and eof */
    bool *gone;        /* set when conn is freed, or its output is: connect_conn_output asks */
    int os_error;
    connect_code_t dial_code; /* client: what dial returned; 0: it began */
    struct cn_pool_t *home;   /* client: the connections it belongs to; the rest is for these to use */
    size_t address;           /* which of the backend's it was dialled to */
    int64_t dialled_ms;
    bool met;                 /* they have heard that it is open */
    bool is_unused;           /* HTTP/1.1: no call has begun on it */
    bool given_up;            /* another was faster: no failure */
    cn_credentials_t credentials; /* of the peer, set by what carries the bytes */
    char *failure_block;      /* what http.failure points to, if it was copied */
    void (*output)(connect_conn_t *conn, void *user);
    void *output_user;
    void (*abandon)(connect_conn_t *conn, void *transport);
    void *transport;
    char peer[]; /* its address */
};
#define CN_CONN_FAILURE_TEXT 256u

typedef struct cn_conn_options_t {
    const connect_allocator_t *allocator;
    const connect_limits_t *limits;
    cn_buf_pool_t *pool;
    const cn_conn_owner_t *events;
    void *owner;
    const char *peer;
    bool is_server, allow_http1, allow_http2; /* a client's in clear text has one of the two */
    connect_tls_t *tls;                       /* NULL: clear text */
    const char *server_name;                  /* client, TLS */
    cn_conn_turn_t *turn;                     /* TLS */
} cn_conn_options_t;

#if CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER
/* Makes a connection. NULL: out of memory. A server's is open at once. */
CN_PRIVATE connect_conn_t *cn_conn_new(const cn_conn_options_t *options);
/* The peer sends no more; what was received may still be answered. */
CN_PRIVATE void cn_conn_eof(connect_conn_t *conn, int64_t now_ms);
/* What carries a connection's bytes may be told to let go of it at once: it then forgets its descriptor and calls
   connect_conn_close. Without this (a transport of the user's) the connection only wants nothing any more. */
CN_PRIVATE void cn_conn_set_transport(
    connect_conn_t *conn, void (*abandon)(connect_conn_t *conn, void *transport), void *transport);
/* Ends a connection now, as its owner goes away; outside of events. Through abandon; else (a transport of the user's)
   it has no owner from here on, and wants nothing until the user closes it. */
CN_PRIVATE void cn_conn_abort(connect_conn_t *conn);
/* The last bytes of a connection that is given up: TLS's close_notify, behind what waits to be written. */
CN_PRIVATE connect_str_t cn_conn_farewell(connect_conn_t *conn);
/* All that a server says in clear text to a peer that it has no connection for, in the protocol of the first bytes that
   the peer sent: at most CN_REFUSAL_FIRST are looked at. Absent: more of them are needed. */
#define CN_REFUSAL_FIRST 3u
CN_PRIVATE connect_str_t cn_conn_refusal(connect_str_t first);
/* Says why the transport could not be opened or broke, before connect_conn_close: calls end with it. text: copied, at
   most 255 bytes. */
CN_PRIVATE void cn_conn_set_failure(connect_conn_t *conn, int os_error, const char *text);
/* Takes no more exchanges, and closes after the last one, or after the grace. */
CN_PRIVATE void cn_conn_drain(connect_conn_t *conn, uint32_t grace_ms);
/* Sets when on_due is wanted; INT64_MAX: not any more. */
CN_PRIVATE void cn_conn_set_owner_due(connect_conn_t *conn, int64_t due_ms);
CN_PRIVATE connect_conn_t *cn_conn_of(cn_http_t *http);
#endif
