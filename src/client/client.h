#pragma once
#include "base/sys.h"
#include "base/buf.h"
#include "base/list.h"
#include "call/call.h"
#include "client/loopback.h"
#include "codec/compress.h"
#include "io/conn.h"

#if CONNECT_ENABLE_CLIENT
typedef struct cn_backend_t cn_backend_t;

typedef struct cn_client_host_t { /* who tells a client the time, and wakes it */
    int64_t (*now_ms)(const connect_client_t *client);
    /* Has cn_client_step called at that time; INT64_MAX: not any more. */
    void (*wake_at)(connect_client_t *client, int64_t due_ms);
} cn_client_host_t;

enum { CN_LANE_ANY, CN_LANE_HTTP2, CN_LANES }; /* which connections a call needs: HTTP/1.1's, HTTP/2's */

typedef struct cn_pool_t { /* a backend's connections of one lane */
    cn_backend_t *backend;
    cn_list_t conns; /* connect_conn_t.node */
    bool http2;
    uint32_t wanted; /* calls that wait for one of these connections */
    bool is_won;     /* one of the round's has opened: those of other addresses are given up */
    size_t first;    /* the address that a round begins with: the one that answered last */
    size_t tried;    /* how many addresses this round has dialled; 0: no round runs */
    int64_t next_ms; /* when the round dials the next one, too */
} cn_pool_t;

struct cn_backend_t { /* what calls are spread over: an address, all addresses of a name, or a member */
    cn_list_t node;   /* client->backends, or client->leaving: no address of the name any more */
    connect_client_t *client, *member;
    cn_list_t watch_node; /* member->watchers */
    const char **addresses;
    size_t address_count;
    cn_pool_t pools[CN_LANES];
    uint32_t latency_us, failures;
    uint32_t faults;       /* rounds that failed in a row */
    int64_t fault_ms;      /* when the last one did; INT64_MIN: none has */
    int64_t rest_until_ms; /* nothing is dialled before */
    int64_t rest_ms;       /* a rest that counts from when the time is told next; 0: none */
    bool ready;            /* as last told */
};

typedef struct cn_client_failure_t { /* why the last attempt to connect failed */
    connect_code_t code;
    int os_error;
    char text[256];
} cn_client_failure_t;

typedef struct cn_name_t { /* the name that the backends' addresses come from */
    const char *host, *port;
    connect_resolve_t *question; /* that is not answered yet */
    bool is_answered, is_stale;
    int64_t valid_until_ms, rest_until_ms;
    uint32_t faults;
} cn_name_t;

struct connect_client_t {
    const connect_allocator_t *allocator;
    connect_loop_t *loop; /* NULL: no sockets */
    bool owns_loop;
    const cn_client_host_t *host; /* NULL: its connections */
    void *host_data;
    connect_limits_t limits;
    connect_codec_options_t codec_options;
    connect_protocol_t protocol;
    connect_http_version_t http; /* 0: by protocol */
    bool json, get, no_queue;
    cn_codings_t codings;
    const cn_coding_t *coding; /* of requests; NULL: none */
    uint32_t timeout_ms, connections;
    connect_arena_t arena; /* the texts below, and the headers */
    const char *url;
    connect_str_t authority, prefix; /* "gateway:8080", "/api" */
    const char *address;
    connect_tls_t *tls; /* NULL: clear text */
    const char *server_name;
    cn_conn_turn_t turn;
    connect_headers_t headers;
    const connect_interceptor_t *interceptors;
    size_t interceptor_count;
    struct cn_loopback_t *loopback; /* NULL: none */
    const cn_conn_owner_t *conn_events;
    connect_dialer_t *dial;
    void *dial_user;
    connect_resolver_t *resolve; /* NULL: the address is dialled as it is */
    void *resolve_user;
    connect_pick_t *pick; /* NULL: one backend has all addresses */
    void (*on_backends)(connect_client_t *client, void *user);
    void *user;
    /* where calls go */
    cn_name_t name;
    cn_list_t backends, leaving;
    size_t backend_count, last_picked;
    connect_backend_t *described; /* backend_count of them, for pick */
    cn_client_failure_t failure;
    bool lane_failed[CN_LANES]; /* a round failed, and nothing else is connected or being dialled */
    cn_list_t watchers;         /* cn_backend_t.watch_node: of which it is the member */
    /* calls */
    cn_list_t calls;             /* those that have an exchange, or are over */
    cn_list_t waiting[CN_LANES]; /* for a connection */
    cn_list_t paused;            /* an interceptor holds them back; or before they are made again */
    int64_t waiting_due_ms;      /* none of these is due before */
    connect_retry_t retry;
    uint32_t retry_tokens;
    uint64_t random, serial;
    cn_buf_pool_t buffers;
    cn_call_pool_t pool;
    cn_list_t pokes;
    connect_task_t timer;
    int64_t now_ms; /* as last told by a connection; -1: not yet */
    int64_t due_ms; /* a step is due; INT64_MAX: none */
    bool told_now;  /* now_ms is of this moment */
    bool undated;   /* something counts from when the time is told next, which brings a step */
    unsigned waits; /* functions that wait for a call of it */
    unsigned busy;
    bool free_wanted;
    bool is_spread;         /* over members */
    bool kept;              /* connected also without calls */
    bool pressed[CN_LANES]; /* one more connection is wanted, though no call of its own waits */
    bool used;              /* a call was started */
    bool dirty;             /* connections or backends have changed since the last step */
    bool changed;           /* on_backends is due */
};

/* Around everything that can run callbacks of its calls; now_ms: -1: not known. */
CN_PRIVATE void cn_client_enter(void *owner, int64_t now_ms);
CN_PRIVATE void cn_client_leave(void *owner);
/* The time; -1: not known yet. */
CN_PRIVATE int64_t cn_client_now_ms(const connect_client_t *client);
/* The time, where it is of this moment: what counts from now on counts from it; -1: it is not known. */
CN_PRIVATE int64_t cn_client_told_ms(const connect_client_t *client);
/* Has a step soon, out of everything else; at once if there is nothing that could bring it. */
CN_PRIVATE void cn_client_wake(connect_client_t *client);
/* Does what is due: called at the time that the host was told, out of everything else. */
CN_PRIVATE void cn_client_step(connect_client_t *client);
#if CONNECT_ENABLE_SERVER
/* Has a new client call this server in memory: its loopback, dialer and, with sockets, the server's loop. */
CN_PRIVATE bool cn_client_use_loopback(connect_client_t *client, connect_server_t *server, connect_error_t *error);
#endif
#if CONNECT_ENABLE_SOCKETS
/* The socket layer's part of a new client: its loop, clock, dialer and resolver, as far as it has none. */
CN_PRIVATE bool cn_client_use_sockets(connect_client_t *client, connect_error_t *error);
#endif
#endif
