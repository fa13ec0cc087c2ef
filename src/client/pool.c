#include "client/pool.h"
#include "base/list.h"
#include "client/client.h"
#include "client/retry.h"
#include "io/conn.h"

/* The connections to one backend that calls of one lane can use: opened when calls wait for them, at most
   options.connections, given up when they are idle (io/conn.c), and replaced when calls want another.

     opening   from dial until bytes of HTTP may flow
     live      takes calls
     ending    draining (GOAWAY, Connection: close, idle) or broken: it finishes what it has

   A round connects to one of the backend's addresses, as RFC 8305 5 has it ("Happy Eyeballs"): the addresses are
   dialled one after the other, the next one after CN_POOL_NEXT_MS without an answer, or at once when all that were
   dialled have failed. The first to open wins, the others are given up, and later rounds begin with the winner. A round
   in which all fail is a fault. So is a connection that is lost before its peer has shown itself (HTTP/2: SETTINGS,
   HTTP/1.1: a response): a server that accepts and closes at once is no server. After a fault the backend rests, from
   CN_POOL_REST_MS on, doubled by each fault to CN_POOL_REST_MAX_MS, with jitter; a peer that shows itself ends that.

   Over HTTP/1.1 some of these are no faults. A server may close a connection unused for CN_POOL_UNUSED_MS.
   A call that is canceled takes its connection with it. So does one that had no response in time: then the backend
   rests, unless it has answered others, but the calls that wait go on waiting.

   Limits: dial_ms until an address has answered, establish_ms until the peer has shown itself as above. Without a host
   the time is known only while a connection is fed: who was dialled at another moment counts from the next one, and so
   does a rest. A connection that its dialer opens later is fed, too: that tells the time, and no more.

   Events of connections only take notes; connections are dialled and closed in cn_pool_advance, out of all events. */

#if CONNECT_ENABLE_CLIENT
#define CN_POOL_NEXT_MS 250 /* RFC 8305 8, Connection Attempt Delay */
#define CN_POOL_UNUSED_MS 1000
#define CN_POOL_REST_MS 100u
#define CN_POOL_REST_MAX_MS 10000u
#define CN_POOL_HTTP1_MOST 8u
#define CN_POOL_HTTP2_MOST 1u

static connect_conn_t *cn_pool_conn(cn_list_t *node) {
    return CN_CONTAINER(node, connect_conn_t, node);
}

static bool cn_pool_is_opening(const connect_conn_t *conn) {
    return !conn->http.version;
}

static bool cn_pool_is_live(const connect_conn_t *conn) {
    return conn->http.version && !conn->dead && !conn->http.draining && !conn->http.closing;
}

/* Over HTTP/1.1 a peer says nothing before it is asked. */
static bool cn_pool_has_settled(const connect_conn_t *conn) {
    return conn->http.settled || conn->http.version->number == CONNECT_HTTP_1;
}

CN_PRIVATE void cn_pool_init(cn_pool_t *pool, cn_backend_t *backend, bool http2) {
    memset(pool, 0, sizeof *pool);
    pool->backend = backend;
    pool->http2 = http2;
    cn_list_init(&pool->conns);
}

CN_PRIVATE cn_pool_state_t cn_pool_state(const cn_pool_t *pool) {
    cn_pool_state_t state = {0, 0, 0, 0, false};
    cn_list_t *node;
    for (node = pool->conns.next; node != &pool->conns; node = node->next) {
        const connect_conn_t *conn = cn_pool_conn(node);
        if (cn_pool_is_opening(conn)) state.opening++;
        if (!cn_pool_is_live(conn)) continue;
        state.live++;
        state.calls += conn->http.exchange_count;
        if (!cn_pool_has_settled(conn)) continue;
        state.capacity += conn->http.version->capacity(&conn->http);
        state.has_room = state.has_room || conn->http.version->can_begin(&conn->http);
    }
    return state;
}

/* In TLS ALPN says which version it is, unless the application does. */
static bool cn_pool_negotiates(const cn_pool_t *pool) {
    const connect_client_t *client = pool->backend->client;
    return CONNECT_ENABLE_HTTP2 && client->tls && !client->http && !pool->http2;
}

/* Before the first has negotiated one is enough to learn from. */
CN_PRIVATE uint32_t cn_pool_most(const cn_pool_t *pool) {
    const uint32_t most = pool->backend->client->connections;
    cn_list_t *node;
    if (most) return most;
    if (pool->http2) return CN_POOL_HTTP2_MOST;
    if (!cn_pool_negotiates(pool)) return CN_POOL_HTTP1_MOST;
    for (node = pool->conns.next; node != &pool->conns; node = node->next)
        if (!cn_pool_conn(node)->allow_http2) return CN_POOL_HTTP1_MOST;
    return CN_POOL_HTTP2_MOST;
}

/* Of those with equally many calls the one used last, so that the others become idle. */
CN_PRIVATE connect_conn_t *cn_pool_room(const cn_pool_t *pool) {
    connect_conn_t *best = NULL;
    cn_list_t *node;
    for (node = pool->conns.prev; node != &pool->conns; node = node->prev) {
        connect_conn_t *conn = cn_pool_conn(node);
        if (cn_pool_is_live(conn) && conn->http.version->can_begin(&conn->http) &&
            (!best || conn->http.exchange_count < best->http.exchange_count))
            best = conn;
    }
    return best;
}

/* ---- Faults ---- */

static void cn_pool_note(
    connect_client_t *client, connect_code_t code, int os_error, const char *text_or_null, const char *address) {
    client->failure.code = code;
    client->failure.os_error = os_error;
    if (text_or_null)
        snprintf(client->failure.text, sizeof client->failure.text, "%s", text_or_null);
    else
        snprintf(client->failure.text, sizeof client->failure.text, "the connection to %s was closed", address);
}

/* Has a rest count from now on, if the time is known and it has not begun yet. */
static void cn_pool_date_rest(cn_backend_t *backend) {
    const int64_t told_ms = cn_client_told_ms(backend->client);
    if (!backend->rest_ms || told_ms < 0) return;
    backend->rest_until_ms = told_ms + backend->rest_ms;
    backend->rest_ms = 0;
}

static void cn_pool_rest(cn_pool_t *pool) {
    cn_backend_t *backend = pool->backend;
    connect_client_t *client = backend->client;
    backend->faults++;
    backend->rest_ms = cn_retry_pause_ms(&client->random, backend->faults, CN_POOL_REST_MS, CN_POOL_REST_MAX_MS);
    if (cn_client_told_ms(client) < 0) client->undated = true;
    cn_pool_date_rest(backend);
}

static void cn_pool_fault(cn_pool_t *pool) {
    connect_client_t *client = pool->backend->client;
    cn_pool_rest(pool);
    pool->tried = 0;
    pool->backend->fault_ms = cn_client_now_ms(client);
    client->lane_failed[pool->http2 ? CN_LANE_HTTP2 : CN_LANE_ANY] = true;
    client->name.is_stale = true; /* its addresses may be others by now */
}

/* Without a host only connections tell the time: if there is none a rest would never end. */
static bool cn_pool_rests(const cn_pool_t *pool, int64_t now_ms) {
    const connect_client_t *client = pool->backend->client;
    cn_list_t *node;
    if (!pool->backend->rest_ms && pool->backend->rest_until_ms <= now_ms) return false;
    if (client->host) return true;
    for (node = client->backends.next; node != &client->backends; node = node->next) {
        const cn_backend_t *backend = CN_CONTAINER(node, cn_backend_t, node);
        if (!cn_list_empty(&backend->pools[0].conns) || !cn_list_empty(&backend->pools[1].conns)) return true;
    }
    return false;
}

/* ---- Dialling ---- */

static void cn_pool_dial(cn_pool_t *pool, size_t address) {
    cn_backend_t *backend = pool->backend;
    connect_client_t *client = backend->client;
    cn_conn_options_t options;
    connect_conn_t *conn;
    memset(&options, 0, sizeof options);
    options.allocator = client->allocator;
    options.limits = &client->limits;
    options.pool = &client->buffers;
    options.events = client->conn_events;
    options.owner = client;
    options.peer = backend->addresses[address];
    options.allow_http1 = !pool->http2;
    options.allow_http2 = pool->http2 || cn_pool_negotiates(pool);
    options.tls = client->tls;
    options.server_name = client->server_name;
    options.turn = &client->turn;
    conn = cn_conn_new(&options);
    if (!conn) {
        cn_pool_note(client, CONNECT_RESOURCE_EXHAUSTED, ENOMEM, "out of memory", "");
        return;
    }
    conn->home = pool;
    conn->address = address;
    conn->dialled_ms = cn_client_told_ms(client);
    if (conn->dialled_ms < 0) client->undated = true;
    cn_list_append(&pool->conns, &conn->node);
    conn->dial_code = client->dial(conn, backend->addresses[address], client->dial_user);
    conn->opens_later = conn->opens_later || conn->dial_code == CONNECT_LATER;
    if (conn->dial_code == CONNECT_LATER) conn->dial_code = CONNECT_OK;
    if (conn->dial_code == CONNECT_OK) return;
    if (!conn->http.failure) cn_conn_set_failure(conn, 0, "the connection could not be dialled");
    connect_conn_close(conn);
}

/* Has what began when nobody told the time count from now on. */
static void cn_pool_date(cn_pool_t *pool) {
    const int64_t told_ms = cn_client_told_ms(pool->backend->client);
    cn_list_t *node;
    cn_pool_date_rest(pool->backend);
    for (node = pool->conns.next; node != &pool->conns; node = node->next) {
        connect_conn_t *conn = cn_pool_conn(node);
        if (conn->dialled_ms >= 0 || told_ms < 0) continue;
        conn->dialled_ms = told_ms;
        pool->next_ms = CN_MAX(pool->next_ms, told_ms + CN_POOL_NEXT_MS);
    }
}

/* Closes connections whose time is over, or which lost a race. Returns when the next one's will be. */
static int64_t cn_pool_prune(cn_pool_t *pool, int64_t now_ms) {
    const connect_limits_t *limits = &pool->backend->client->limits;
    cn_list_t *node, *next;
    int64_t due_ms = INT64_MAX;
    for (node = pool->conns.next; node != &pool->conns; node = next) {
        connect_conn_t *conn = cn_pool_conn(node);
        const bool opening = cn_pool_is_opening(conn);
        const uint32_t limit_ms = !conn->connected ? limits->dial_ms : limits->establish_ms;
        char text[CN_CONN_FAILURE_TEXT];
        next = node->next;
        if (conn->close_wanted) continue;
        if (opening && pool->is_won && conn->address != pool->first) {
            conn->given_up = true;
            cn_conn_abort(conn);
            next = pool->conns.next; /* its transport may have closed others */
        } else if ((opening || (cn_pool_is_live(conn) && !cn_pool_has_settled(conn))) && conn->dialled_ms >= 0 &&
            limit_ms != CONNECT_UNLIMITED) {
            if (conn->dialled_ms + limit_ms > now_ms) {
                due_ms = CN_MIN(due_ms, conn->dialled_ms + limit_ms);
                continue;
            }
            snprintf(text, sizeof text, "cannot connect to %s: no answer within %lu ms (limits.%s)", conn->peer,
                (unsigned long)limit_ms, !conn->connected ? "dial_ms" : "establish_ms");
            cn_conn_set_failure(conn, ETIMEDOUT, text);
            cn_conn_abort(conn);
            next = pool->conns.next;
        }
    }
    pool->is_won = false;
    return due_ms;
}

/* Goes on with a round. Returns false: it has failed. */
static bool cn_pool_go_on(cn_pool_t *pool, int64_t now_ms) {
    const size_t count = pool->backend->address_count;
    uint32_t opening = cn_pool_state(pool).opening;
    while (pool->tried && pool->tried < count && (!opening || pool->next_ms <= now_ms)) {
        cn_pool_dial(pool, (pool->first + pool->tried++) % count);
        pool->next_ms = now_ms + CN_POOL_NEXT_MS;
        opening = cn_pool_state(pool).opening;
    }
    if (!pool->tried || opening) return true;
    cn_pool_fault(pool);
    return false;
}

static bool cn_pool_wants_more(const cn_pool_t *pool, int64_t now_ms) {
    const cn_pool_state_t state = cn_pool_state(pool);
    const uint32_t wanted = pool->http2 ? CN_MIN(pool->wanted, 1u) : pool->wanted;
    return state.opening < wanted && state.live + state.opening < cn_pool_most(pool) && !cn_pool_rests(pool, now_ms);
}

CN_PRIVATE int64_t cn_pool_advance(cn_pool_t *pool, int64_t now_ms) {
    const size_t count = pool->backend->address_count;
    int64_t due_ms;
    bool ok;
    if (count == 0) return INT64_MAX;
    cn_pool_date(pool);
    ok = cn_pool_go_on(pool, now_ms);
    while (ok && cn_pool_wants_more(pool, now_ms)) {
        if (!pool->tried) {
            pool->tried = 1;
            pool->next_ms = now_ms + CN_POOL_NEXT_MS;
        }
        cn_pool_dial(pool, (pool->first + pool->tried - 1) % count);
        ok = cn_pool_go_on(pool, now_ms); /* it may have failed at once */
    }
    due_ms = cn_pool_prune(pool, now_ms);
    if (pool->tried && pool->tried < count) due_ms = CN_MIN(due_ms, pool->next_ms);
    if (pool->wanted && pool->backend->rest_until_ms > now_ms) due_ms = CN_MIN(due_ms, pool->backend->rest_until_ms);
    return due_ms;
}

CN_PRIVATE void cn_pool_drain(cn_pool_t *pool) {
    cn_list_t *node;
    for (node = pool->conns.next; node != &pool->conns; node = node->next)
        cn_conn_drain(cn_pool_conn(node), pool->backend->client->limits.drain_ms);
}

CN_PRIVATE void cn_pool_close(cn_pool_t *pool) {
    while (!cn_list_empty(&pool->conns))
        cn_conn_abort(cn_pool_conn(pool->conns.next));
}

/* ---- What connections have to say ---- */

CN_PRIVATE void cn_pool_on_room(connect_conn_t *conn) {
    cn_pool_t *pool = conn->home;
    connect_client_t *client = pool->backend->client;
    if (!conn->met && conn->http.version) {
        conn->met = true;
        conn->is_unused = conn->http.version->number == CONNECT_HTTP_1;
        pool->first = conn->address;
        pool->tried = 0;
        pool->is_won = true;
        client->dirty = true;
    }
    if (conn->http.settled) pool->backend->faults = 0;
    /* over HTTP/1.1 it comes after every call, and mostly nobody waits for it */
    if (conn->http.draining || !conn->http.version || conn->http.version->number == CONNECT_HTTP_2 ||
        client->on_backends || !cn_list_empty(&client->watchers) || !cn_list_empty(&client->waiting[CN_LANE_ANY]))
        client->dirty = true;
}

static bool cn_pool_is_answered(const cn_pool_t *pool) {
    cn_list_t *node;
    for (node = pool->conns.next; node != &pool->conns; node = node->next)
        if (cn_pool_is_live(cn_pool_conn(node)) && cn_pool_conn(node)->http.settled) return true;
    return false;
}

CN_PRIVATE void cn_pool_on_lost(connect_conn_t *conn) {
    cn_pool_t *pool = conn->home;
    connect_client_t *client = pool->backend->client;
    const bool in_time = conn->dialled_ms < 0 || conn->http.now_ms - conn->dialled_ms < client->limits.establish_ms;
    cn_list_remove(&conn->node);
    client->dirty = true;
    if (conn->given_up || conn->http.settled || conn->http.canceled) return;
    if (conn->http.late) {
        if (!cn_pool_is_answered(pool)) cn_pool_rest(pool);
        return;
    }
    if (conn->is_unused && conn->http.now_ms - conn->opened_ms >= CN_POOL_UNUSED_MS) return;
    if (!conn->met || in_time)
        cn_pool_note(client, conn->dial_code ? conn->dial_code : CONNECT_UNAVAILABLE, conn->os_error,
            conn->http.failure, conn->peer);
    if (conn->met && in_time) cn_pool_fault(pool);
}
#endif
