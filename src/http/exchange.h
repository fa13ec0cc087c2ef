#pragma once
#include "base/sys.h"
#include "base/buf.h"
#include "base/list.h"
#include "http/header.h"

/* One HTTP exchange, a request and its response, as both HTTP versions offer it to the layer above, and what the two
   versions share with the connection that carries them.

   Events go up: on_head, then on_data, then on_end; on_closed exactly once and last, for every exchange that was begun,
   also after reset. Events come only out of feed, pull, eof and free; never out of an operation on an exchange.
   Operations go down: send_head once, bytes appended to x->out and flush, then send_end, or reset at any time. All of
   them may be called inside events, and outside. What an operation is given (header names and values, not the array)
   stays until on_closed. */

typedef struct cn_http_t cn_http_t;
typedef struct cn_exchange_t cn_exchange_t;

typedef enum cn_reset_t { /* why an exchange is given up; in HTTP/2 an error code (RFC 9113 7) */
    CN_RESET_NO_ERROR,    /* server: the response is complete, the rest of the request is of no use */
    CN_RESET_CANCEL, CN_RESET_INTERNAL,
    CN_RESET_LATE,        /* client: there was no response in time: CANCEL */
    CN_RESET_STALLED      /* the peer takes no bytes of it: CANCEL; a few of these are the connection's end */
} cn_reset_t;

typedef struct cn_head_t { /* what send_head sends */
    int status;                      /* server */
    connect_str_t method, authority; /* client: "POST", "gateway:8080" */
    connect_str_t path;              /* client: with the query */
    const connect_header_t *headers; /* without content-length, connection, transfer-encoding, date */
    size_t header_count;
    int64_t content_length;          /* of the body; -1: not known yet. HTTP/1.1 then sends it chunked */
} cn_head_t;

typedef struct cn_exchange_events_t {
    void (*on_head)(cn_exchange_t *x);     /* the head of the request or the (final) response is in x */
    void (*on_data)(cn_exchange_t *x, const char *bytes, size_t len); /* takes all; len > 0 */
    void (*on_end)(cn_exchange_t *x);      /* the whole message is in; x->trailers has its trailers */
    void (*on_writable)(cn_exchange_t *x); /* x->out fell below half of limits->stream_buffer after it was above */
    void (*on_due)(cn_exchange_t *x);      /* x->due_ms has come; it is INT64_MAX again */
    /* The exchange is over, x is no longer known here. code OK: both messages were whole. Else: reset, lost, or broken
       by the peer; why: static. */
    void (*on_closed)(cn_exchange_t *x, connect_code_t code, const char *why);
} cn_exchange_events_t;

struct cn_exchange_t { /* embedded in what the layer above keeps for it; zeroed but for events, arena, due_ms */
    const cn_exchange_events_t *events;
    connect_arena_t *arena;        /* for what is received and for what HTTP needs; lives until on_closed */
    int64_t due_ms;                /* when on_due is wanted; set by cn_exchange_set_due; INT64_MAX: never */
    /* received */
    connect_str_t method, path, authority; /* server; path: with the query */
    int status;                            /* client */
    cn_headers_t headers, trailers;        /* without pseudo-headers; host, content-length, te are in */
    int64_t content_length;                /* as declared, or -1 */
    int64_t received_ms;                   /* when the last byte of it came */
    bool received_head, received_end;
    /* to be sent */
    cn_buf_t out;                  /* body bytes: appended by the layer above, which then calls flush, and frees it
                                      after on_closed; with http->allocator */
    bool sent_head, sent_end;      /* send_head, send_end were called */
    /* the HTTP version's own */
    cn_http_t *http;               /* NULL: not begun, or closed */
    cn_list_t node;                /* in http->exchanges */
    int32_t stream_id;             /* HTTP/2 */
    uint32_t unread;               /* received bytes that the layer above has not consumed yet */
    uint32_t unreturned;           /* HTTP/2: bytes that it has, of which nghttp2 was not told yet */
    uint64_t out_taken, out_taken_before; /* bytes that went out of x->out; at the connection's last look */
    bool out_waited;               /* some waited then */
    bool until_eof;                /* client: the response ends with the connection; nobody can tell if it is whole */
    bool over_high_water, is_head_request, reset;
    bool has_reset_due;            /* HTTP/2: RST_STREAM with reset_error goes out after what is being fed */
    uint32_t reset_error;
    bool refused;                  /* HTTP/2, server: answered here; the layer above gets on_closed only */
    int over_limit;                /* HTTP/2, server: 431 or 414, to be answered: the head is over a limit, and what is
                                      in it is not whole; 0: it is within them */
    uint8_t interim_heads;         /* client: 1xx responses so far */
    bool unprocessed;              /* client: the peer has not processed the request: it may be sent again */
    uint64_t written_before;       /* http->written when nothing of this exchange had gone out */
    connect_code_t close_code;     /* what on_closed will say */
    const char *close_why;
    connect_headers_t out_trailers;
    bool deferred;                 /* HTTP/2: the data source has nothing to give now */
};

typedef struct cn_http_events_t { /* to the owner of the connection */
    /* Server: a request begins. Returns its exchange, with events and arena set, or NULL: refuse it, no room. */
    cn_exchange_t *(*on_begin)(cn_http_t *http);
    /* There is something to pull, or to read again, that feed did not cause. Comes once until the next pull. */
    void (*on_output)(cn_http_t *http);
    /* Client: one more exchange may begin now, or no more ever (http->draining). */
    void (*on_room)(cn_http_t *http);
} cn_http_events_t;

typedef struct cn_http_version_t { /* HTTP/1.1 or HTTP/2 */
    connect_http_version_t number;
    bool (*open)(cn_http_t *http); /* makes http->state; false: out of memory */
    void (*free)(cn_http_t *http); /* closes what is still open (UNAVAILABLE), and frees http->state */
    /* Takes bytes from the peer; returns how many. Fewer than len: http->read_blocked, the rest must come again. */
    size_t (*feed)(cn_http_t *http, const char *bytes, size_t len);
    void (*eof)(cn_http_t *http);  /* the peer sends no more: what is not whole is cut short */
    void (*pull)(cn_http_t *http); /* moves into http->out what may go out now, up to limits->connection_buffer */
    bool (*can_begin)(const cn_http_t *http);              /* client: begin would work */
    uint32_t (*capacity)(const cn_http_t *http);           /* client: how many exchanges the peer allows at once */
    bool (*begin)(cn_http_t *http, cn_exchange_t *x);      /* client: attaches x; then send_head */
    void (*ping)(cn_http_t *http);                         /* asks the peer for a sign of life; HTTP/1.1: NULL */
    void (*drain)(cn_http_t *http);                        /* no new exchanges; closes when the last one has ended */
    bool (*send_head)(cn_exchange_t *x, const cn_head_t *head, bool end); /* false: out of memory */
    void (*flush)(cn_exchange_t *x);                                      /* bytes were appended to x->out */
    void (*send_end)(cn_exchange_t *x, connect_headers_t trailers);       /* after what is in x->out */
    void (*reset)(cn_exchange_t *x, cn_reset_t why);
    void (*consume)(cn_exchange_t *x, size_t len);         /* received bytes are used up: the peer may send as many */
    void (*expect)(cn_exchange_t *x, size_t len);          /* a body of so many bytes is used up as it comes: the peer
                                                              need not wait for each window of it. HTTP/1.1: NULL */
} cn_http_version_t;

struct cn_http_t { /* embedded in the connection */
    const cn_http_version_t *version; /* NULL: not known yet */
    void *state;
    const cn_http_events_t *events;
    const connect_allocator_t *allocator;
    const connect_limits_t *limits;   /* filled in: no zeros */
    cn_buf_pool_t *pool;              /* of the owner of the connection; NULL: none */
    cn_buf_t out;                     /* bytes for the peer */
    cn_list_t exchanges;              /* by begin */
    uint32_t exchange_count;
    int64_t now_ms;
    int64_t head_since_ms;            /* a head (HTTP/1.1), preface and SETTINGS or header block (HTTP/2) is awaited
                                         since then in the middle of it; -1: none is. The connection watches it */
    int64_t due_ms;                   /* no exchange is due before; INT64_MAX: none */
    bool is_server;
    bool is_secure;                   /* TLS: the scheme is https */
    bool feeding;                     /* inside feed, eof or pull: no on_output needed */
    bool woken;                       /* on_output was called, and no pull since */
    bool read_blocked;                /* feed would take nothing now */
    bool draining;                    /* no exchange may begin any more */
    bool closing;                     /* close when out is empty */
    bool settled;                     /* client: the peer has shown itself: by SETTINGS, or a response */
    bool canceled, late;              /* client: HTTP/1.1: why this end closed it with its call */
    uint64_t written;                 /* bytes that the transport has taken out of `out` */
    bool stopped;                     /* closed inside one of its events: no event but on_closed is to come */
    const char *failure;              /* why the transport broke, or NULL: exchanges that are lost say it */
};

/* Sets when on_due is wanted; INT64_MAX: not any more. */
CN_PRIVATE void cn_exchange_set_due(cn_exchange_t *x, int64_t due_ms);
/* Tells whether an event of x, or beside it, has closed the connection. */
CN_PRIVATE bool cn_exchange_is_stopped(const cn_exchange_t *x);
/* Calls on_output, unless we are inside feed or it was called already. */
CN_PRIVATE void cn_http_wake(cn_http_t *http);
/* Puts x on the list of the open ones, and takes it off and says on_closed with x->close_code. */
CN_PRIVATE void cn_exchange_attach(cn_http_t *http, cn_exchange_t *x);
CN_PRIVATE void cn_exchange_close(cn_exchange_t *x);
