#include "client/client.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/str.h"
#include "call/call.h"
#include "call/invoke.h"
#include "client/balance.h"
#include "client/loopback.h"
#include "client/name.h"
#include "client/pool.h"
#include "client/retry.h"
#include "http/exchange.h"
#include "http/header.h"
#include "io/conn.h"
#include "io/limits.h"
#include "io/tls.h"
#include "protocol/protocol.h"
#include "protocol/timeout.h"

/* A client: the calls, and what they wait for. Where they go is known to balance.c, by which connection to pool.c, by
   which addresses to name.c; when they are made again to retry.c.

     start ---> begun, if a connection has room and nobody waits ahead -------------------> calls
         \ \--> waiting, in order, for one of its lane ---> (a step places it) -----------/   |
          \        ^                                                                          |
           \--> paused: an interceptor holds it back; or before it is made again <--- may be, and lost or failed

   Everything that can wait happens in a step: at the end of whatever was fed to a connection, or by the host's timer.
   A step asks for addresses, places calls, has pools dial, ends calls whose time is over, and runs what was put off
   (pokes), until nothing has changed any more; at last it says when the next one is due. Functions that the application
   calls only take notes and wake the client. So callbacks never come out of them.

   Time. With sockets the loop is the host: its clock, its timer. Without, connections are (api/conn.h): what they are
   fed tells the time, and their owner's deadline wakes the client; where no connection is left nothing can wait, so
   start dials before it returns. What begins where nobody tells the time counts from when it is told next: deadlines,
   limits of dialling, rests and pauses. To be told it soon a connection is made due.

   Failures. When rounds of dialling fail and nothing is left that could become a connection, the calls that wait since
   before each backend's last failure end with the reason, UNAVAILABLE or what the dialer said; those that come while
   backends rest wait for the next rounds. So no call waits longer than one attempt, or its deadline, which counts from
   start on.

   Members. A spread is a client without addresses. Its calls begin on connections of its members, which therefore
   step it, too, after themselves.

   base_url (RFC 3986): "http://" authority [path]. The path is put before the methods' own. */

#define CN_CLIENT_ROUNDS 8u /* of a step; more in the next */
#define CN_CLIENT_PING_MS (5u * 60 * 1000)
#define CN_CLIENT_HTTP1_MISSES 8u /* calls of a lane that a step looks at though they find no connection */

#if CONNECT_ENABLE_CLIENT
static connect_call_t *cn_client_call_of(cn_list_t *node) {
    return CN_CONTAINER(node, connect_call_t, node);
}

CN_PRIVATE int64_t cn_client_now_ms(const connect_client_t *client) {
    return client->host ? client->host->now_ms(client) : client->now_ms;
}

CN_PRIVATE int64_t cn_client_told_ms(const connect_client_t *client) {
    return client->host || client->told_now ? cn_client_now_ms(client) : -1;
}

/* ---- Entering, leaving, waking ---- */

/* Any connection: without a host it wakes the client. NULL: there is none. */
static connect_conn_t *cn_client_any_conn(const connect_client_t *client) {
    cn_list_t *node;
    for (node = client->backends.next; node != &client->backends; node = node->next) {
        const cn_backend_t *backend = CN_CONTAINER(node, cn_backend_t, node);
        connect_conn_t *conn = backend->member ? cn_client_any_conn(backend->member) : NULL;
        unsigned lane;
        for (lane = 0; !conn && lane < CN_LANES; lane++)
            if (!cn_list_empty(&backend->pools[lane].conns))
                conn = CN_CONTAINER(backend->pools[lane].conns.next, connect_conn_t, node);
        if (conn) return conn;
    }
    return NULL;
}

CN_PRIVATE void cn_client_enter(void *owner, int64_t now_ms) {
    connect_client_t *client = (connect_client_t *)owner;
    client->busy++;
    client->now_ms = CN_MAX(client->now_ms, now_ms);
    if (now_ms < 0) return;
    client->told_now = true;
    client->dirty = client->dirty || client->undated;
    client->undated = false;
}

static void cn_client_run_pokes(connect_client_t *client) {
    cn_list_t *node;
    while ((node = cn_list_pop(&client->pokes)) != NULL)
        cn_call_on_poke(CN_CONTAINER(node, connect_call_t, poke_node));
}

static void cn_client_work(connect_client_t *client);

static void cn_client_tell_backends(connect_client_t *client) {
    if (!client->changed) return;
    client->changed = false;
    if (client->on_backends) client->on_backends(client, client->user);
}

/* What is due, until nothing has changed any more. */
static void cn_client_settle(connect_client_t *client) {
    unsigned round;
    for (round = 0; round < CN_CLIENT_ROUNDS && !client->free_wanted; round++) {
        if (!client->dirty && client->due_ms > cn_client_now_ms(client) && cn_list_empty(&client->pokes)) break;
        if (client->dirty || client->due_ms <= cn_client_now_ms(client)) cn_client_work(client);
        cn_client_run_pokes(client);
        if (!client->free_wanted) cn_client_tell_backends(client);
    }
    cn_client_run_pokes(client);
    if (client->free_wanted) return;
    if (client->dirty || client->undated) client->due_ms = CN_MAX(cn_client_now_ms(client), 0);
    if (client->host) {
        client->host->wake_at(client, client->due_ms);
    } else {
        connect_conn_t *conn = cn_client_any_conn(client);
        if (conn) cn_conn_set_owner_due(conn, client->due_ms);
    }
}

/* Has those step that have this client as a member. */
static void cn_client_step_watchers(connect_client_t *client) {
    cn_list_t *node = client->watchers.next;
    unsigned steps = 0;
    while (node != &client->watchers && !client->free_wanted) {
        connect_client_t *spread = CN_CONTAINER(node, cn_backend_t, watch_node)->client;
        node = node->next;
        if (!spread->dirty || spread->busy) continue;
        cn_client_enter(spread, client->told_now ? client->now_ms : -1);
        cn_client_leave(spread);
        if (++steps > CN_CLIENT_ROUNDS) break;
        node = client->watchers.next; /* the spread may be gone */
    }
}

CN_PRIVATE void cn_client_leave(void *owner) {
    connect_client_t *client = (connect_client_t *)owner;
    if (client->busy == 1) {
        cn_client_settle(client);
        cn_client_step_watchers(client);
    }
    if (--client->busy) return;
    client->told_now = false;
    if (client->free_wanted && !client->waits) connect_client_free(client);
}

CN_PRIVATE void cn_client_step(connect_client_t *client) {
    client->dirty = true;
    cn_client_enter(client, -1);
    cn_client_leave(client);
}

CN_PRIVATE void cn_client_wake(connect_client_t *client) {
    connect_conn_t *conn;
    if (client->busy) return;
    if (client->host) {
        client->due_ms = 0;
        client->host->wake_at(client, 0);
        return;
    }
    conn = cn_client_any_conn(client);
    if (!conn) { /* lost while an interceptor or a resolver took its time */
        client->busy++;
        client->pressed[cn_balance_lane(client, client->protocol)] = true;
        cn_client_work(client);
        client->busy--;
        conn = cn_client_any_conn(client);
    }
    if (conn)
        cn_http_wake(&conn->http);
    else
        cn_client_step(client); /* nothing could put it off */
}

static void cn_client_poke(connect_call_t *call) {
    connect_client_t *client = (connect_client_t *)call->owner;
    cn_list_append(&client->pokes, &call->poke_node);
    cn_client_wake(client);
}

static int64_t cn_client_call_now_ms(const connect_call_t *call) {
    return cn_client_now_ms((const connect_client_t *)call->owner);
}

static void cn_client_on_released(connect_call_t *call) {
    connect_client_t *client = (connect_client_t *)call->owner;
    cn_list_remove(&call->node);
    cn_call_recycle(&client->pool, call);
}

/* ---- Calls that wait ---- */

/* before: &list to append, list.next to put it first. */
static void cn_client_move(connect_call_t *call, cn_list_t *before) {
    cn_list_remove(&call->node);
    cn_list_append(before, &call->node);
}

static void cn_client_wait(connect_client_t *client, connect_call_t *call, bool first) {
    const int64_t now = cn_client_now_ms(client);
    int64_t due_ms = call->deadline_ms;
    cn_list_t *list = &client->waiting[call->lane];
    const bool pauses = call->not_before_ms > CN_MAX(now, 0) || call->pause_ms;
    if (call->opening || (pauses && (client->host || cn_client_any_conn(client)))) {
        list = &client->paused;
        due_ms = CN_MIN(due_ms, call->not_before_ms);
    }
    call->waits_since_ms = now;
    cn_client_move(call, first ? list->next : list);
    client->waiting_due_ms = CN_MIN(client->waiting_due_ms, due_ms);
    client->dirty = true;
}

/* Has a call's pause and deadline count from now on, if they have not begun yet. told_ms: -1: the time is not known. */
static bool cn_client_date(connect_call_t *call, int64_t told_ms) {
    if (call->pause_ms && told_ms < 0) return false;
    if (call->pause_ms) call->not_before_ms = told_ms + call->pause_ms;
    call->pause_ms = 0;
    if (call->deadline_ms != INT64_MAX || call->rpc.timeout_ms == CN_TIMEOUT_NONE) return true;
    if (told_ms >= 0) call->deadline_ms = told_ms + call->rpc.timeout_ms;
    return told_ms >= 0;
}

/* Looks at one list's deadlines and pauses. Returns when the next is due. */
static int64_t cn_client_expire_list(connect_client_t *client, cn_list_t *list, int64_t now_ms) {
    const int64_t told_ms = cn_client_told_ms(client);
    cn_list_t *node, *next;
    int64_t due_ms = INT64_MAX;
    for (node = list->next; node != list; node = next) {
        connect_call_t *call = cn_client_call_of(node);
        next = node->next;
        if (!cn_client_date(call, told_ms)) client->undated = true;
        if (call->over || call->deadline_ms <= now_ms) {
            cn_client_move(call, &client->calls);
            if (!call->over)
                cn_error_print(&call->rpc.error, &call->arena, CONNECT_DEADLINE_EXCEEDED,
                    "the deadline has passed before there was a connection%s%s", client->failure.text[0] ? ": " : "",
                    client->failure.text);
            cn_invoke_end(call);
            cn_call_release_if_done(call);
        } else if (list == &client->paused && !call->pause_ms && call->not_before_ms <= now_ms) {
            call->waits_since_ms = now_ms;
            cn_client_move(call, client->waiting[call->lane].next);
            client->waiting_due_ms = CN_MIN(client->waiting_due_ms, call->deadline_ms);
        } else {
            due_ms = CN_MIN(due_ms, call->deadline_ms);
            if (list == &client->paused) due_ms = CN_MIN(due_ms, call->not_before_ms);
        }
    }
    return due_ms;
}

static void cn_client_expire(connect_client_t *client, int64_t now_ms) {
    unsigned lane;
    int64_t due_ms, list_due_ms;
    if (client->host && client->waiting_due_ms > now_ms) return;
    client->waiting_due_ms = INT64_MAX;
    due_ms = cn_client_expire_list(client, &client->paused, now_ms);
    for (lane = 0; lane < CN_LANES; lane++) {
        list_due_ms = cn_client_expire_list(client, &client->waiting[lane], now_ms);
        due_ms = CN_MIN(due_ms, list_due_ms);
    }
    client->waiting_due_ms = CN_MIN(client->waiting_due_ms, due_ms);
}

/* Ends the calls that wait for a connection and have seen each backend fail. */
static void cn_client_fail_waiting(connect_client_t *client, unsigned lane) {
    cn_list_t *list = &client->waiting[lane], failed, *node, *next;
    const int64_t failed_ms = cn_balance_failed_ms(client);
    cn_list_init(&failed);
    for (node = list->next; node != list; node = next) {
        next = node->next;
        if (cn_client_call_of(node)->waits_since_ms > failed_ms) continue;
        cn_list_remove(node);
        cn_list_append(&failed, node);
    }
    while ((node = cn_list_pop(&failed)) != NULL) {
        connect_call_t *call = cn_client_call_of(node);
        cn_list_append(&client->calls, node);
        if (!call->over) {
            cn_error_print(&call->rpc.error, &call->arena, client->failure.code, "%s", client->failure.text);
            call->rpc.error.os_error = client->failure.os_error;
            call->unprocessed = true;
            if (!call->attempts++) call->own_headers = call->rpc.headers.count;
            cn_invoke_decide(call);
        }
        cn_call_release_if_done(call);
    }
}

/* ---- Calls that begin ---- */

/* What the connection's client has to add to a call of this one. */
static bool cn_client_prepare(connect_client_t *owner, connect_call_t *call, const connect_conn_t *conn) {
    const char *path = call->rpc.method->path;
    size_t i;
    call->info.peer.http = conn->http.version->number;
    cn_call_set_tls(call, conn->tls);
    call->info.peer.pid = conn->credentials.pid;
    call->info.peer.uid = conn->credentials.uid;
    call->info.peer.gid = conn->credentials.gid;
    call->info.peer.address = connect_arena_copy(&call->arena, connect_str_of(conn->peer)).data;
    if (call->attempts == 1) call->own_headers = call->rpc.headers.count;
    call->rpc.headers.count = call->own_headers;
    if (owner != call->owner) {
        for (i = 0; i < owner->headers.count; i++)
            if (!cn_headers_put(
                    &call->rpc.headers, &call->arena, owner->headers.items[i].name, owner->headers.items[i].value))
                return false;
    }
    if (owner->prefix.len)
        path = connect_arena_printf(&call->arena, "%s%s", owner->prefix.data, call->rpc.method->path).data;
    call->info.path = path ? path : call->rpc.method->path;
    return path && call->info.peer.address;
}

/* Returns false: no connection has room. */
static bool cn_client_place(connect_client_t *client, connect_call_t *call) {
    connect_client_t *owner;
    cn_pool_t *pool = cn_balance_pick(client, call, call->lane, &owner);
    connect_conn_t *conn = pool ? cn_pool_room(pool) : NULL;
    if (!pool) cn_balance_want(client, call->lane);
    if (pool && !conn) {
        pool->wanted++;
        if (owner != client) cn_balance_press(owner, pool->http2 ? CN_LANE_HTTP2 : CN_LANE_ANY);
    }
    if (!conn || !conn->http.version->begin(&conn->http, &call->x)) return false;
    conn->is_unused = false;
    cn_buf_borrow(&conn->http.out, conn->http.pool);
    cn_list_remove(&conn->node);
    cn_list_append(&pool->conns, &conn->node);
    if ((owner->on_backends || !cn_list_empty(&owner->watchers)) && !conn->http.version->can_begin(&conn->http)) {
        owner->dirty = true;
        cn_client_wake(owner);
    }
    cn_client_move(call, &client->calls);
    call->attempts++;
    call->backend = pool->backend;
    call->unprocessed = false;
    call->begun_ms = cn_client_told_ms(client);
    (void)cn_client_date(call, call->begun_ms); /* else the exchange does it, when its connection is fed */
    if (!cn_client_prepare(owner, call, conn)) {
        cn_error_memory(&call->rpc.error);
        cn_invoke_end(call);
        return true;
    }
    cn_invoke_begun(call, owner->authority, connect_str_of(call->info.path));
    return true;
}

static void cn_client_place_waiting(connect_client_t *client, unsigned lane) {
    const uint32_t most = client->connections ? client->connections : CN_CLIENT_HTTP1_MISSES;
    cn_list_t *node, *next;
    uint32_t misses = 0;
    for (node = client->waiting[lane].next; node != &client->waiting[lane] && misses < most; node = next) {
        connect_call_t *call = cn_client_call_of(node);
        next = node->next;
        if (call->over)
            cn_client_move(call, &client->calls);
        else if (!cn_client_place(client, call))
            misses = lane == CN_LANE_HTTP2 ? most : misses + 1;
    }
}

/* What a step does but for calling the application. */
static void cn_client_work(connect_client_t *client) {
    const int64_t now = cn_client_now_ms(client);
    cn_list_t *node;
    int64_t due_ms, pool_due_ms;
    unsigned lane;
    client->dirty = false;
    due_ms = cn_name_advance(client, now);
    cn_client_expire(client, now);
    for (node = client->backends.next; node != &client->backends; node = node->next)
        for (lane = 0; lane < CN_LANES; lane++)
            CN_CONTAINER(node, cn_backend_t, node)->pools[lane].wanted = 0;
    for (lane = 0; lane < CN_LANES; lane++)
        cn_client_place_waiting(client, lane);
    cn_balance_keep(client);
    for (node = client->backends.next; node != &client->backends; node = node->next)
        for (lane = 0; lane < CN_LANES; lane++) {
            pool_due_ms = cn_pool_advance(&CN_CONTAINER(node, cn_backend_t, node)->pools[lane], now);
            due_ms = CN_MIN(due_ms, pool_due_ms);
        }
    cn_balance_tell_watchers(client);
    for (lane = 0; lane < CN_LANES; lane++) {
        if (client->lane_failed[lane] && !cn_balance_has_hope(client, lane)) cn_client_fail_waiting(client, lane);
        client->lane_failed[lane] = false;
    }
    cn_balance_look(client);
    cn_balance_sweep(client);
    client->due_ms = CN_MIN(due_ms, client->waiting_due_ms);
}

/* ---- Events of connections and of calls ---- */

static void cn_client_on_room(connect_conn_t *conn) {
    connect_client_t *client = (connect_client_t *)conn->owner;
    cn_list_t *node;
    cn_pool_on_room(conn);
    if (!conn->http.draining) return;
    for (node = conn->http.exchanges.next; node != &conn->http.exchanges; node = node->next) {
        connect_call_t *call = cn_call_of(CN_CONTAINER(node, cn_exchange_t, node));
        if (!call->events.on_drain || call->over) continue;
        call->draining = true;
        cn_call_poke(call);
    }
    client->dirty = true;
}

static void cn_client_on_due(connect_conn_t *conn) {
    connect_client_t *client = (connect_client_t *)conn->owner;
    client->dirty = true;
}

static const cn_conn_owner_t *cn_client_conn_events(void) {
    static const cn_conn_owner_t events = {
        NULL, cn_client_on_room, cn_client_on_due, cn_pool_on_lost, cn_client_enter, cn_client_leave};
    return &events;
}

static void cn_client_on_answer(connect_call_t *call) {
    const connect_client_t *client = (const connect_client_t *)call->owner;
    if (call->begun_ms >= 0) cn_balance_on_answer(call->backend, cn_client_now_ms(client) - call->begun_ms);
}

static void cn_client_on_outcome(connect_call_t *call) {
    if (call->backend) cn_balance_on_outcome(call->backend, call->rpc.error.code);
}

static bool cn_client_may_retry(connect_call_t *call) {
    connect_client_t *client = (connect_client_t *)call->owner;
    return !client->free_wanted && cn_retry_take(client, call, call->rpc.error.code);
}

static void cn_client_again(connect_call_t *call) {
    connect_client_t *client = (connect_client_t *)call->owner;
    cn_client_wait(client, call, true);
    cn_client_wake(client);
}

/* ---- The client ---- */

/* The host of an authority, without port and brackets. */
static connect_str_t cn_client_host(connect_str_t authority) {
    const char *end = authority.data + authority.len, *at;
    if (authority.len && authority.data[0] == '[' && (at = (const char *)memchr(authority.data, ']', authority.len)))
        return cn_str(authority.data + 1, (size_t)(at - authority.data) - 1);
    at = (const char *)memchr(authority.data, ':', authority.len);
    return cn_str(authority.data, (size_t)((at ? at : end) - authority.data));
}

static bool cn_client_set_tls(
    connect_client_t *client, bool is_https, const connect_client_options_t *options, connect_error_t *error) {
    connect_tls_t *tls_or_null = options->tls;
    connect_tls_options_t defaults;
    if (!is_https)
        return !tls_or_null ||
            cn_error_set(error, CONNECT_INVALID_ARGUMENT, "tls is set, and base_url is http://; write https://");
    memset(&defaults, 0, sizeof defaults);
    defaults.allocator = client->allocator;
    if (options->loopback)
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "loopback stays in memory: base_url must be http://");
    client->tls = tls_or_null ? cn_tls_hold(tls_or_null) : connect_tls_new(&defaults, error);
    if (!client->tls) return false;
    client->server_name = connect_arena_copy(&client->arena, cn_client_host(client->authority)).data;
    return client->server_name || cn_error_memory(error);
}

/* Takes a URL apart. Returns false: the error says what is wrong. */
static bool cn_client_parse_url(
    connect_client_t *client, const char *url, const connect_client_options_t *options, connect_error_t *error) {
    const char *authority, *path;
    size_t path_len;
    connect_str_t host;
    const bool is_https = strncmp(url, "https://", 8) == 0;
    if (!is_https && strncmp(url, "http://", 7) != 0)
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "base_url must begin with http:// or https://");
    authority = url + (is_https ? 8 : 7);
    path = strpbrk(authority, "/?#");
    if (!path) path = authority + strlen(authority);
    if (strpbrk(path, "?#")) return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "base_url must have no ? and no #");
    host = cn_str(authority, (size_t)(path - authority));
    if (host.len == 0 || host.data[0] == ':' || memchr(host.data, '@', host.len) || !cn_header_value_valid(host) ||
        memchr(host.data, ' ', host.len))
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "base_url must be http://host:port/path, or https://");
    path_len = strlen(path);
    while (path_len && path[path_len - 1] == '/')
        path_len--;
    client->url = connect_arena_copy(&client->arena, connect_str_of(url)).data;
    client->authority = connect_arena_copy(&client->arena, host);
    client->prefix = connect_arena_copy(&client->arena, cn_str(path, path_len));
    if (!client->url || !client->authority.data || !client->prefix.data) return cn_error_memory(error);
    return cn_client_set_tls(client, is_https, options, error);
}

/* Where to dial: the URL's authority, with the scheme's port if it names none. */
static bool cn_client_set_address(connect_client_t *client, const char *address, connect_error_t *error) {
    connect_str_t text = client->authority;
    if (address) {
        text = connect_arena_copy(&client->arena, connect_str_of(address));
    } else {
        const char *bracket = (const char *)memchr(text.data, ']', text.len);
        const char *after = bracket ? bracket : text.data;
        if (!memchr(after, ':', (size_t)(text.data + text.len - after)))
            text = connect_arena_printf(&client->arena, "%s:%s", text.data, client->tls ? "443" : "80");
    }
    client->address = text.data;
    return text.data != NULL || cn_error_memory(error);
}

static bool cn_client_check_header(const connect_header_t *header, connect_arena_t *arena, connect_error_t *error) {
    connect_str_t name = connect_str_of(header->name);
    if (cn_header_name_valid(name) && cn_header_value_valid(header->value) && cn_call_may_set(header->name, false))
        return true;
    return cn_error_print(error, arena, CONNECT_INVALID_ARGUMENT,
        "the header \"%s\" is not allowed: reserved for the protocol, not lower case, or with characters that are not "
        "legal",
        cn_str_quote(arena, name).data);
}

static bool cn_client_copy_headers(connect_client_t *client, connect_headers_t headers, connect_error_t *error) {
    cn_headers_t copy;
    size_t i;
    memset(&copy, 0, sizeof copy);
    for (i = 0; i < headers.count; i++) {
        if (!cn_client_check_header(&headers.items[i], &client->arena, NULL))
            return cn_error_set(error, CONNECT_INVALID_ARGUMENT,
                "headers has one that is reserved for the protocol, not in lower case, or not legal");
        if (cn_headers_receive(&copy, &client->arena, &client->limits, connect_str_of(headers.items[i].name),
                headers.items[i].value) != CN_HEADERS_OK)
            return cn_error_memory(error);
    }
    client->headers = cn_headers_view(&copy);
    return true;
}

static bool cn_client_codec(const char *name, bool *json, connect_error_t *error) {
    if (strcmp(name, "proto") == 0) {
        *json = false;
        return true;
    }
    if (CONNECT_ENABLE_JSON && strcmp(name, "json") == 0) {
        *json = true;
        return true;
    }
    return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "codec must be \"proto\" or \"json\"");
}

static bool cn_client_set_codings(
    connect_client_t *client, const connect_client_options_t *options, connect_error_t *error) {
    cn_codings_options_t codings;
    codings.registered = options->compressions;
    codings.registered_count = options->compression_count;
    codings.accept = options->accept;
    codings.min = options->compress_min;
    codings.level = options->compression_level;
    codings.zstd_window = client->limits.zstd_window;
    return cn_codings_init(&client->codings, client->allocator, &codings, error) &&
        cn_codings_choose(&client->codings, options->compression, &client->coding, error);
}

static bool cn_client_add_members(
    connect_client_t *client, const connect_client_options_t *options, connect_error_t *error) {
    size_t i;
    for (i = 0; i < options->member_count; i++) {
        connect_client_t *member = options->members[i];
        if (!member || member->loop != options->members[0]->loop)
            return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "members has a NULL, or they run on different loops");
        if (client->protocol == CONNECT_PROTOCOL_GRPC && member->http == CONNECT_HTTP_1)
            return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "gRPC needs members with http = CONNECT_HTTP_2");
        if (!cn_balance_add_member(client, member)) return cn_error_memory(error);
    }
    client->is_spread = true;
    client->loop = options->members[0]->loop;
    client->host = options->members[0]->host;
    client->host_data = options->members[0]->host_data;
    client->url = "";
    return true;
}

static bool cn_client_set_target(
    connect_client_t *client, const char *base_url, const connect_client_options_t *options, connect_error_t *error) {
    if (options->member_count) {
        if (!options->members || base_url || options->dial || options->address || options->resolve ||
            options->loopback || options->tls)
            return cn_error_set(error, CONNECT_INVALID_ARGUMENT,
                "with members there is no base_url, address, loopback, tls, dial or resolve: they have their own");
        return cn_client_add_members(client, options, error);
    }
    if (!base_url) return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "base_url is NULL, and there are no members");
    if (!cn_client_parse_url(client, base_url, options, error) ||
        !cn_client_set_address(client, options->loopback ? "memory:" : options->address, error))
        return false;
#if CONNECT_ENABLE_SERVER
    if (options->loopback && !cn_client_use_loopback(client, options->loopback, error)) return false;
#endif
#if CONNECT_ENABLE_SOCKETS
    if (!cn_client_use_sockets(client, error)) return false;
#endif
    if (!client->dial)
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "dial or loopback is needed: this build has no sockets");
    return cn_name_init(client, error);
}

static bool cn_client_set_limits(connect_client_t *client, const connect_limits_t *limits, connect_error_t *error) {
    if (!cn_limits_resolve(&client->limits, limits, error)) return false;
    if (!limits->ping_ms && limits->preset == CONNECT_PRESET_GATEWAY) client->limits.ping_ms = CN_CLIENT_PING_MS;
    return true;
}

static bool cn_client_setup(
    connect_client_t *client, const char *base_url, const connect_client_options_t *options, connect_error_t *error) {
    if (client->protocol > CONNECT_PROTOCOL_GRPC_WEB || client->http > CONNECT_HTTP_2)
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "protocol or http is no value of its enum");
    return cn_client_set_limits(client, &options->limits, error) &&
        cn_retry_resolve(&client->retry, &options->retry, error) &&
        cn_client_set_target(client, base_url, options, error) &&
        cn_client_copy_headers(client, options->headers, error) &&
        cn_client_codec(options->codec ? options->codec : "proto", &client->json, error) &&
        cn_client_set_codings(client, options, error);
}

connect_client_t *connect_client_new(
    const char *base_url_or_null, const connect_client_options_t *options, connect_error_t *error) {
    static const connect_client_options_t defaults;
    connect_client_t *client;
    unsigned lane;
    if (!options) options = &defaults;
    client = (connect_client_t *)cn_mem_acquire(options->allocator, sizeof *client);
    if (!client) {
        cn_error_memory(error);
        return NULL;
    }
    client->allocator = options->allocator;
    client->loop = options->loop;
    client->codec_options = options->codec_options;
    client->protocol = options->protocol ? options->protocol : CONNECT_PROTOCOL_CONNECT;
    client->http = options->http;
    client->get = options->get;
    client->interceptors = options->interceptors;
    client->interceptor_count = options->interceptor_count;
    client->no_queue = options->no_queue;
    client->timeout_ms = options->timeout_ms;
    client->connections = options->connections;
    client->dial = options->dial;
    client->resolve = options->resolve;
    client->pick = options->pick;
    if (client->pick == connect_pick_first && !options->member_count) client->pick = NULL;
    client->on_backends = options->on_backends;
    client->user = client->dial_user = client->resolve_user = options->user;
    client->conn_events = cn_client_conn_events();
    client->arena.private_allocator = options->allocator;
    client->now_ms = -1;
    client->due_ms = client->waiting_due_ms = INT64_MAX;
    client->random = (uint64_t)(uintptr_t)client * 0x9E3779B97F4A7C15u;
    client->retry_tokens = UINT32_MAX / 2; /* the first call cuts it to what is allowed */
    cn_list_init(&client->backends);
    cn_list_init(&client->leaving);
    cn_list_init(&client->watchers);
    cn_list_init(&client->calls);
    cn_list_init(&client->paused);
    for (lane = 0; lane < CN_LANES; lane++)
        cn_list_init(&client->waiting[lane]);
    cn_list_init(&client->pokes);
    if (cn_client_setup(client, base_url_or_null, options, error)) return client;
    connect_client_free(client);
    return NULL;
}

static void cn_client_cancel_list(cn_list_t *list) {
    cn_list_t *node, *next;
    for (node = list->next; node != list; node = next) {
        connect_call_t *call = cn_client_call_of(node);
        next = node->next;
        cn_error_set(call->over ? NULL : &call->rpc.error, CONNECT_CANCELED, "the client was freed");
        cn_invoke_end(call);
    }
}

static void cn_client_cancel_all(connect_client_t *client) {
    unsigned lane;
    cn_client_cancel_list(&client->calls);
    cn_client_cancel_list(&client->paused);
    for (lane = 0; lane < CN_LANES; lane++)
        cn_client_cancel_list(&client->waiting[lane]);
}

/* What is left are calls that the user frees by connect_call_free, and those on connections of a member. */
static void cn_client_leave_calls(cn_list_t *list) {
    cn_list_t *node;
    while ((node = cn_list_pop(list)) != NULL) {
        connect_call_t *call = cn_client_call_of(node);
        cn_call_tell_closed(call);
        call->owner = NULL;
        call->poked = false;
        cn_call_release_if_done(call);
    }
}

void connect_client_free(connect_client_t *client) {
    const connect_allocator_t *allocator;
    unsigned lane;
    if (!client) return;
    if (client->busy || client->waits) {
        if (!client->free_wanted) cn_client_cancel_all(client);
        client->free_wanted = true;
        return;
    }
    allocator = client->allocator;
    client->busy = 1;
    client->free_wanted = true; /* nothing is started any more */
    cn_client_cancel_all(client);
    cn_name_forget(client);
    cn_balance_free(client);
    cn_client_run_pokes(client);
    cn_client_leave_calls(&client->calls);
    cn_client_leave_calls(&client->paused);
    for (lane = 0; lane < CN_LANES; lane++)
        cn_client_leave_calls(&client->waiting[lane]);
    if (client->host) client->host->wake_at(client, INT64_MAX);
#if CONNECT_ENABLE_SOCKETS
    if (client->owns_loop) connect_loop_free(client->loop);
#endif
#if CONNECT_ENABLE_SERVER
    cn_loopback_free(client->loopback);
#endif
    cn_call_pool_free(&client->pool, allocator);
    cn_buf_pool_free(&client->buffers, allocator);
    connect_tls_free(client->tls);
    connect_arena_free(&client->arena);
    cn_codings_free(&client->codings);
    cn_mem_release(allocator, client);
}

void connect_client_connect(connect_client_t *client) {
    client->kept = client->dirty = true;
    cn_client_wake(client);
}

/* ---- Calls ---- */

static bool cn_client_set_call_headers(
    connect_call_t *call, connect_headers_t headers, bool checked, connect_error_t *error) {
    size_t i;
    for (i = 0; i < headers.count; i++) {
        if (!cn_call_may_set(headers.items[i].name, false)) continue; /* a proxy hands on all that it got */
        if (!checked && !cn_client_check_header(&headers.items[i], &call->arena, &call->rpc.error))
            return cn_error_set(
                error, CONNECT_INVALID_ARGUMENT, "headers has one that is not in lower case, or not legal");
        if (cn_headers_receive(&call->rpc.headers, &call->arena, call->rpc.limits,
                connect_str_of(headers.items[i].name), headers.items[i].value) != CN_HEADERS_OK)
            return cn_error_memory(error);
    }
    return true;
}

static bool cn_client_setup_call(connect_client_t *client, connect_call_t *call, const connect_method_t *method,
    const connect_call_options_t *options, connect_error_t *error) {
    connect_protocol_t protocol = options->protocol ? options->protocol : client->protocol;
    uint32_t timeout = options->timeout_ms ? options->timeout_ms : client->timeout_ms;
    int64_t now = cn_client_now_ms(client);
    call->rpc.json = client->json;
    if (options->codec && !cn_client_codec(options->codec, &call->rpc.json, error)) return false;
    call->rpc.protocol = cn_protocol_of(protocol, method);
    if (!call->rpc.protocol)
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "protocol is none that this build has");
    call->lane = (uint8_t)cn_balance_lane(client, protocol);
    if (protocol == CONNECT_PROTOCOL_GRPC && call->lane != CN_LANE_HTTP2)
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "gRPC needs http = CONNECT_HTTP_2");
    if (call->lane == CN_LANE_HTTP2 && !CONNECT_ENABLE_HTTP2)
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "this build has no HTTP/2");
    if (!method->input || !method->output) {
        call->own_method = *method;
        call->own_method.path = connect_arena_copy(&call->arena, connect_str_of(method->path)).data;
        if (!call->own_method.path) return cn_error_memory(error);
        call->rpc.method = method = &call->own_method;
    }
    call->rpc.codings = &client->codings;
    call->rpc.coding_sent = client->coding;
    if (options->compression &&
        !cn_codings_choose(&client->codings, options->compression, &call->rpc.coding_sent, error))
        return false;
    call->rpc.coding_announced = call->rpc.coding_sent;
    call->rpc.get = (client->get || options->get) && !options->no_get && protocol == CONNECT_PROTOCOL_CONNECT &&
        method->kind == CONNECT_UNARY && method->idempotency == CONNECT_NO_SIDE_EFFECTS;
    call->info.compression_received = cn_coding_name(NULL);
    call->info.compression_sent = cn_coding_name(call->rpc.coding_sent);
    call->info.method = method;
    call->info.path = method->path;
    call->info.kind = method->kind == CONNECT_ANY_KIND ? CONNECT_BIDI_STREAM : method->kind;
    call->info.protocol = protocol;
    call->info.codec = call->rpc.json ? "json" : "proto";
    call->info.peer.address = client->address ? client->address : "";
    call->info.peer.pid = call->info.peer.uid = call->info.peer.gid = -1;
    if (timeout == 0 && method->kind == CONNECT_UNARY) timeout = 30000;
    if (options->parent) {
        const int64_t due_ms = options->parent->deadline_ms;
        const int64_t left =
            CN_MAX(due_ms != INT64_MAX && client->host ? due_ms - now : connect_call_time_left_ms(options->parent), 1);
        if (options->parent->loop != client->loop)
            return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "parent runs on another loop");
        if (options->parent->over) return cn_error_set(error, CONNECT_CANCELED, "the parent call has ended");
        if (left < CONNECT_UNLIMITED && (!timeout || left < timeout)) timeout = (uint32_t)left;
    }
    if (timeout && timeout != CONNECT_UNLIMITED) {
        call->rpc.timeout_ms = timeout;
        if (client->host) call->deadline_ms = now + (int64_t)timeout; /* else from the next feed on */
    }
    connect_call_set_limits(call, options->receive_bytes, options->send_bytes);
    if (!cn_client_set_call_headers(call, client->headers, true, error) ||
        !cn_client_set_call_headers(call, options->headers, false, error))
        return false;
    return true;
}

/* Tells whether a call could begin, or wait. Without a host nobody else would begin to dial. */
static bool cn_client_admits(connect_client_t *client, unsigned lane, connect_error_t *error) {
    if (client->no_queue) {
        if (cn_balance_has_room(client, lane)) return true;
        cn_balance_press(client, lane);
        return cn_error_set(error, CONNECT_UNAVAILABLE, "no connection is ready to take a call (no_queue)");
    }
    if (client->busy || client->host || cn_client_any_conn(client)) return true;
    client->pressed[lane] = true;
    client->busy++; /* what is caused here is told later */
    cn_client_work(client);
    client->busy--;
    client->pressed[lane] = false;
    if (client->name.question || cn_client_any_conn(client)) return true;
    cn_error_set(error, client->failure.code ? client->failure.code : CONNECT_UNAVAILABLE,
        "the connection could not be dialled");
    if (error) error->os_error = client->failure.os_error;
    return false;
}

/* No interceptor holds the call back: it begins, or waits. */
static void cn_client_on_passed(connect_call_t *call) {
    connect_client_t *client = (connect_client_t *)call->owner;
    call->not_before_ms = call->pause_ms = 0;
    if (cn_list_empty(&client->waiting[call->lane]) && cn_client_place(client, call)) return;
    if (client->no_queue) {
        cn_error_set(&call->rpc.error, CONNECT_UNAVAILABLE, "no connection is ready to take a call (no_queue)");
        cn_invoke_end(call);
        return;
    }
    cn_client_wait(client, call, false);
    cn_client_wake(client);
}

connect_call_t *connect_client_start(connect_client_t *client, const connect_method_t *method,
    const connect_events_t *events_or_null, void *user_or_null, const connect_call_options_t *options,
    connect_error_t *error) {
    static const cn_call_owner_t owner_events = {NULL, cn_client_on_released, cn_client_poke, cn_client_call_now_ms,
        cn_client_on_passed, cn_client_on_answer, cn_client_on_outcome, cn_client_may_retry, cn_client_again};
    static const connect_call_options_t defaults;
    connect_call_t *call;
    if (!options) options = &defaults;
    if (client->free_wanted) {
        cn_error_set(error, CONNECT_CANCELED, "the client was freed");
        return NULL;
    }
    call = cn_call_new(&client->pool, client->allocator, &client->limits, false);
    if (!call) {
        cn_error_memory(error);
        return NULL;
    }
    call->rpc.method = method;
    call->owner_events = &owner_events;
    call->owner = client;
    call->loop = client->loop;
    call->codec_options = &client->codec_options;
    call->x.events = cn_invoke_exchange_events();
    call->pull = events_or_null == NULL;
    call->entered = true;
    call->user = user_or_null;
    call->serial = ++client->serial;
    call->retriable = client->retry.attempts > 1;
    if (events_or_null) call->events = *events_or_null;
    call->interceptors.outer = client->interceptors;
    call->interceptors.outer_count = client->interceptor_count;
    call->context = options->context;
    client->used = true;
    if (client->pick || client->is_spread) client->kept = true;
    if (!cn_client_setup_call(client, call, method, options, error) || !cn_client_admits(client, call->lane, error)) {
        cn_call_recycle(&client->pool, call);
        return NULL;
    }
    if (options->parent) cn_call_adopt(options->parent, call);
    cn_retry_count_call(client);
    cn_list_append(&client->calls, &call->node);
    call->writable = !cn_call_single_request(call);
    if (call->writable && call->events.on_writable) cn_call_poke(call);
    client->busy++; /* what interceptors cause is told later */
    cn_invoke_open(call);
    if (call->opening) {
        call->not_before_ms = INT64_MAX;
        cn_client_wait(client, call, false);
    }
    client->busy--;
    if (client->dirty || !cn_list_empty(&client->pokes)) cn_client_wake(client);
    return call;
}

void connect_call_free(connect_call_t *call) {
    if (!call) return;
    call->freed = true;
    if (!call->over) {
        cn_error_set(&call->rpc.error, CONNECT_CANCELED, "canceled by this side");
        call->finished = true;
        cn_invoke_end(call);
    }
    call->told = true;
    cn_call_release_if_done(call);
}

#endif
