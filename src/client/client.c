#include "client/client.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/str.h"
#include "call/call.h"
#include "call/invoke.h"
#include "client/loopback.h"
#include "http/exchange.h"
#include "http/header.h"
#include "io/conn.h"
#include "io/limits.h"
#include "io/tls.h"
#include "protocol/protocol.h"
#include "protocol/timeout.h"

/* A client for the server at one address.

   Calls wait in line for a connection of the HTTP version they need. A connection takes as many as it can (HTTP/1.1:
   one, HTTP/2: what the peer allows); if none can and there may be more (CN_CLIENT_HTTP1_MAX, CN_CLIENT_HTTP2_MAX),
   one is dialled. When a connection that never opened is lost, the calls that waited for it end with its reason,
   UNAVAILABLE; when one that was open is lost, those that wait go on waiting for another.

   A call's deadline runs from its start. Where the time comes from the transport of the user's (dial) and nothing was
   fed yet, it runs from the first feed on.

   base_url (RFC 3986): "http://" authority [path]. The path is put before the methods' own. */

#define CN_CLIENT_HTTP1_MAX 8u
#define CN_CLIENT_HTTP2_MAX 1u

#if CONNECT_ENABLE_CLIENT
static void cn_client_assign(connect_client_t *client);
static bool cn_client_dial(connect_client_t *client, connect_http_version_t http);

/* -1: not known yet. */
static int64_t cn_client_now_ms(const connect_client_t *client) {
    return client->clock ? client->clock(client) : client->now_ms;
}

/* ---- Callbacks and pokes ---- */

static void cn_client_enter(void *owner, int64_t now_ms) {
    connect_client_t *client = (connect_client_t *)owner;
    client->busy++;
    client->now_ms = CN_MAX(client->now_ms, now_ms);
    client->told_now = now_ms >= 0;
}

static void cn_client_run_pokes(connect_client_t *client) {
    cn_list_t *node;
    while ((node = cn_list_pop(&client->pokes)) != NULL)
        cn_call_on_poke(CN_CONTAINER(node, connect_call_t, poke_node));
}

static void cn_client_leave(void *owner) {
    connect_client_t *client = (connect_client_t *)owner;
    if (client->busy == 1) {
        do {
            client->unassigned = false;
            if (!client->free_wanted) cn_client_assign(client);
            cn_client_run_pokes(client); /* these may start more */
        } while (client->unassigned);
    }
    if (--client->busy == 0 && client->free_wanted && !client->waits) connect_client_free(client);
}

#if CONNECT_ENABLE_SOCKETS
static void cn_client_on_poke_task(void *arg) {
    cn_client_enter(arg, -1);
    cn_client_leave(arg);
}
#endif

/* Has enter and leave run soon, out of a turn or a feed. */
static void cn_client_wake(connect_client_t *client) {
    if (client->busy) return;
#if CONNECT_ENABLE_SOCKETS
    if (client->loop) {
        connect_loop_after(client->loop, &client->poke_task, 0, cn_client_on_poke_task, client);
        return;
    }
#endif
    if (cn_list_empty(&client->conns) && !cn_list_empty(&client->waiting)) { /* lost while an interceptor decided */
        client->busy++;
        cn_client_dial(client, CN_CONTAINER(client->waiting.next, connect_call_t, node)->info.peer.http);
        client->busy--;
    }
    if (!cn_list_empty(&client->conns)) cn_http_wake(&CN_CONTAINER(client->conns.next, connect_conn_t, node)->http);
}

static void cn_client_poke(connect_call_t *call) {
    connect_client_t *client = (connect_client_t *)call->owner;
    cn_list_append(&client->pokes, &call->poke_node);
    cn_client_wake(client);
}

/* A call waits for a connection now. */
static void cn_client_on_passed(connect_call_t *call) {
    connect_client_t *client = (connect_client_t *)call->owner;
    client->unassigned = true;
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

/* ---- Connections ---- */

static connect_conn_t *cn_client_conn_of(cn_list_t *node) {
    return CN_CONTAINER(node, connect_conn_t, node);
}

static connect_call_t *cn_client_call_of(cn_list_t *node) {
    return CN_CONTAINER(node, connect_call_t, node);
}

static bool cn_client_fits(const connect_conn_t *conn, const connect_call_t *call) {
    const connect_http_version_t http = call->info.peer.http;
    if (conn->dead && conn->opened) return false; /* one that never opened still has to tell why */
    return ((http != CONNECT_HTTP_2 && conn->allow_http1) || (http != CONNECT_HTTP_1 && conn->allow_http2));
}

/* Ends the waiting calls whose deadline has come, and has on_due called for the next. */
static void cn_client_watch_waiting(connect_client_t *client) {
    cn_list_t *node, *next;
    const bool fresh = client->clock || client->told_now;
    int64_t due = INT64_MAX, now = cn_client_now_ms(client);
    for (node = client->waiting.next; node != &client->waiting; node = next) {
        connect_call_t *call = cn_client_call_of(node);
        next = node->next;
        if (call->deadline_ms == INT64_MAX && call->rpc.timeout_ms != CN_TIMEOUT_NONE && fresh)
            call->deadline_ms = now + call->rpc.timeout_ms;
        if (call->over || call->deadline_ms <= now) {
            cn_list_remove(&call->node);
            cn_list_append(&client->calls, &call->node);
            cn_error_set(call->over ? NULL : &call->rpc.error, CONNECT_DEADLINE_EXCEEDED,
                "the deadline has passed before there was a connection");
            cn_invoke_end(call);
            cn_call_release_if_done(call);
        } else {
            due = CN_MIN(due, call->deadline_ms);
        }
    }
    if (due != INT64_MAX && !cn_list_empty(&client->conns))
        cn_conn_set_owner_due(cn_client_conn_of(client->conns.next), due);
}

static void cn_client_on_due(connect_conn_t *conn) {
    connect_client_t *client = (connect_client_t *)conn->owner;
    cn_client_watch_waiting(client);
}

static void cn_client_on_room(connect_conn_t *conn) {
    cn_list_t *node;
    cn_client_assign((connect_client_t *)conn->owner);
    if (!conn->http.draining) return;
    for (node = conn->http.exchanges.next; node != &conn->http.exchanges; node = node->next) {
        connect_call_t *call = cn_call_of(CN_CONTAINER(node, cn_exchange_t, node));
        if (!call->events.on_drain || call->over) continue;
        call->draining = true;
        cn_call_poke(call);
    }
}

static bool cn_client_has_conn_for(connect_client_t *client, const connect_call_t *call) {
    cn_list_t *node;
    for (node = client->conns.next; node != &client->conns; node = node->next)
        if (cn_client_fits(cn_client_conn_of(node), call)) return true;
    return false;
}

/* Ends the calls that wait for a connection of this HTTP version, unless there is another. os_error: 0 if none. */
static void cn_client_fail_waiting(
    connect_client_t *client, bool http1, bool http2, connect_code_t code, const char *text, int os_error) {
    cn_list_t *node, *next;
    for (node = client->waiting.next; node != &client->waiting; node = next) {
        connect_call_t *call = cn_client_call_of(node);
        next = node->next;
        if (call->opening || cn_client_has_conn_for(client, call)) continue;
        if (!(call->info.peer.http != CONNECT_HTTP_2 && http1) && !(call->info.peer.http != CONNECT_HTTP_1 && http2))
            continue;
        cn_list_remove(&call->node);
        cn_list_append(&client->calls, &call->node);
        if (!call->over) {
            cn_error_print(&call->rpc.error, &call->arena, code, "%s", text);
            call->rpc.error.os_error = os_error;
        }
        cn_invoke_end(call);
        cn_call_release_if_done(call);
    }
}

/* A connection that never opened takes the calls with it that wait for one of its kind. */
static void cn_client_on_lost(connect_conn_t *conn) {
    connect_client_t *client = (connect_client_t *)conn->owner;
    cn_list_remove(&conn->node);
    if (conn->opened) return;
    cn_client_fail_waiting(client, conn->allow_http1, conn->allow_http2,
        conn->dial_code ? conn->dial_code : CONNECT_UNAVAILABLE,
        conn->failure[0] ? conn->failure : "the connection could not be opened", conn->os_error);
}

/* Returns false: it cannot be dialled, and the waiting calls that need it have failed. */
static bool cn_client_dial(connect_client_t *client, connect_http_version_t http) {
    static const cn_conn_owner_t events = {
        NULL, cn_client_on_room, cn_client_on_due, cn_client_on_lost, cn_client_enter, cn_client_leave};
    cn_conn_options_t options;
    connect_conn_t *conn;
    connect_code_t code;
    memset(&options, 0, sizeof options);
    options.allocator = client->allocator;
    options.limits = &client->limits;
    options.pool = &client->buffers;
    options.events = &events;
    options.owner = client;
    options.peer = client->address;
    options.allow_http1 = http != CONNECT_HTTP_2;
    options.allow_http2 = http != CONNECT_HTTP_1 && CONNECT_ENABLE_HTTP2;
    options.tls = client->tls;
    options.server_name = client->server_name;
    options.turn = &client->turn;
    conn = cn_conn_new(&options);
    if (!conn) {
        cn_client_fail_waiting(
            client, options.allow_http1, options.allow_http2, CONNECT_RESOURCE_EXHAUSTED, "out of memory", ENOMEM);
        return false;
    }
    cn_list_append(&client->conns, &conn->node);
    code = client->dial(conn, client->address, client->dial_user);
    if (code == CONNECT_OK) return true;
    conn->dial_code = code;
    if (!conn->failure[0]) cn_conn_set_failure(conn, 0, "the connection could not be dialled");
    connect_conn_close(conn);
    return false;
}

static connect_conn_t *cn_client_find_room(connect_client_t *client, const connect_call_t *call, uint32_t *others) {
    cn_list_t *node;
    *others = 0;
    for (node = client->conns.next; node != &client->conns; node = node->next) {
        connect_conn_t *conn = cn_client_conn_of(node);
        if (!cn_client_fits(conn, call)) continue;
        if (conn->http.version && !conn->http.draining && !conn->http.closing &&
            conn->http.version->can_begin(&conn->http))
            return conn;
        if (!conn->http.draining && !conn->http.closing) ++*others;
    }
    return NULL;
}

static uint32_t cn_client_count_dialling(connect_client_t *client, const connect_call_t *call) {
    uint32_t count = 0;
    cn_list_t *node;
    for (node = client->conns.next; node != &client->conns; node = node->next)
        count += cn_client_fits(cn_client_conn_of(node), call) && !cn_client_conn_of(node)->opened;
    return count;
}

/* How many connections there may be for such a call. Before the first has negotiated, one is enough to learn from. */
static uint32_t cn_client_most(connect_client_t *client, connect_http_version_t http) {
    cn_list_t *node;
    if (http) return http == CONNECT_HTTP_2 ? CN_CLIENT_HTTP2_MAX : CN_CLIENT_HTTP1_MAX;
    for (node = client->conns.next; node != &client->conns; node = node->next)
        if (!cn_client_conn_of(node)->allow_http2) return CN_CLIENT_HTTP1_MAX;
    return CN_CLIENT_HTTP2_MAX;
}

/* Gives connections to the calls that wait, in their order, and dials what is missing. */
static void cn_client_assign(connect_client_t *client) {
    cn_list_t *node, *next;
    uint32_t before[3] = {0, 0, 0}; /* calls of each version that wait further ahead for one that is being dialled */
    bool failed[3] = {false, false, false}; /* dialling: not again before something else happens */
    if (client->assigning) return;
    client->assigning = true;
    for (node = client->waiting.next; node != &client->waiting; node = next) {
        connect_call_t *call = cn_client_call_of(node);
        const connect_http_version_t http = call->info.peer.http;
        uint32_t others;
        connect_conn_t *conn = cn_client_find_room(client, call, &others);
        next = node->next;
        if (call->over) {
            cn_list_remove(&call->node);
            cn_list_append(&client->calls, &call->node);
        } else if (call->opening) {
            continue;
        } else if (conn && conn->http.version->begin(&conn->http, &call->x)) {
            cn_list_remove(&call->node);
            cn_list_append(&client->calls, &call->node);
            call->info.peer.http = conn->http.version->number;
            cn_call_set_tls(call, conn->tls);
            cn_invoke_begun(call, client->authority, cn_str(call->info.path, strlen(call->info.path)));
        } else if (!conn && !failed[http] && others < cn_client_most(client, http) &&
            before[http] >= cn_client_count_dialling(client, call)) {
            failed[http] = !cn_client_dial(client, http);
            next = client->waiting.next; /* it may have failed, and calls with it */
            memset(before, 0, sizeof before);
        } else {
            before[http]++;
        }
    }
    client->assigning = false;
    cn_client_watch_waiting(client);
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
    client->authority = connect_arena_copy(&client->arena, host);
    client->prefix = connect_arena_copy(&client->arena, cn_str(path, path_len));
    if (!client->authority.data || !client->prefix.data) return cn_error_memory(error);
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

static bool cn_client_setup(
    connect_client_t *client, const char *base_url, const connect_client_options_t *options, connect_error_t *error) {
    const char *address = options->loopback ? "memory:" : options->address;
    if (!cn_limits_resolve(&client->limits, &options->limits, error) ||
        !cn_client_parse_url(client, base_url, options, error) || !cn_client_set_address(client, address, error) ||
        !cn_client_copy_headers(client, options->headers, error) ||
        !cn_client_codec(options->codec ? options->codec : "proto", &client->json, error) ||
        !cn_client_set_codings(client, options, error))
        return false;
    if (client->protocol > CONNECT_PROTOCOL_GRPC_WEB || client->http > CONNECT_HTTP_2)
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "protocol or http is no value of its enum");
#if CONNECT_ENABLE_SERVER
    if (options->loopback) return cn_client_use_loopback(client, options->loopback, error);
#endif
#if CONNECT_ENABLE_SOCKETS
    return cn_client_use_sockets(client, error);
#else
    return client->dial ||
        cn_error_set(error, CONNECT_INVALID_ARGUMENT, "dial or loopback is needed: this build has no sockets");
#endif
}

connect_client_t *connect_client_new(
    const char *base_url, const connect_client_options_t *options, connect_error_t *error) {
    static const connect_client_options_t defaults;
    connect_client_t *client;
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
    client->timeout_ms = options->timeout_ms;
    client->dial = options->dial;
    client->dial_user = options->user;
    client->arena.private_allocator = options->allocator;
    client->now_ms = -1;
    cn_list_init(&client->conns);
    cn_list_init(&client->calls);
    cn_list_init(&client->waiting);
    cn_list_init(&client->pokes);
    if (cn_client_setup(client, base_url, options, error)) return client;
    connect_client_free(client);
    return NULL;
}

static void cn_client_cancel_all(connect_client_t *client) {
    cn_list_t *lists[2], *node, *next;
    size_t i;
    lists[0] = &client->waiting;
    lists[1] = &client->calls;
    for (i = 0; i < CN_LEN(lists); i++) {
        for (node = lists[i]->next; node != lists[i]; node = next) {
            connect_call_t *call = cn_client_call_of(node);
            next = node->next;
            cn_error_set(call->over ? NULL : &call->rpc.error, CONNECT_CANCELED, "the client was freed");
            cn_invoke_end(call);
        }
    }
}

void connect_client_free(connect_client_t *client) {
    const connect_allocator_t *allocator;
    cn_list_t *lists[2], *node;
    size_t i;
    if (!client) return;
    if (client->busy || client->waits) {
        if (!client->free_wanted) cn_client_cancel_all(client);
        client->free_wanted = true;
        return;
    }
    allocator = client->allocator;
    client->busy = 1;
    client->assigning = true;
    client->free_wanted = true; /* nothing is started any more */
    cn_client_cancel_all(client);
    lists[0] = &client->waiting;
    lists[1] = &client->calls;
    while (!cn_list_empty(&client->conns))
        cn_conn_abort(cn_client_conn_of(client->conns.next));
    cn_client_run_pokes(client);
    for (i = 0; i < CN_LEN(lists); i++) {
        while ((node = cn_list_pop(lists[i])) != NULL) { /* what the user frees by connect_call_free */
            connect_call_t *call = cn_client_call_of(node);
            call->owner = NULL;
            call->poked = false;
            cn_call_release_if_done(call);
        }
    }
#if CONNECT_ENABLE_SOCKETS
    if (client->loop) connect_loop_after(client->loop, &client->poke_task, -1, NULL, NULL);
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
    connect_str_t path;
    call->rpc.json = client->json;
    if (options->codec && !cn_client_codec(options->codec, &call->rpc.json, error)) return false;
    call->rpc.protocol = cn_protocol_of(protocol, method);
    if (!call->rpc.protocol)
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "protocol is none that this build has");
    call->info.peer.http = client->http; /* 0, in TLS: by ALPN */
    if (!client->http && protocol == CONNECT_PROTOCOL_GRPC) call->info.peer.http = CONNECT_HTTP_2;
    if (!call->info.peer.http && !client->tls) call->info.peer.http = CONNECT_HTTP_1;
    if (protocol == CONNECT_PROTOCOL_GRPC && call->info.peer.http != CONNECT_HTTP_2)
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "gRPC needs http = CONNECT_HTTP_2");
    if (call->info.peer.http == CONNECT_HTTP_2 && !CONNECT_ENABLE_HTTP2)
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "this build has no HTTP/2");
    path = connect_arena_printf(&call->arena, "%s%s", client->prefix.data, method->path);
    if (!path.data) return cn_error_memory(error);
    if (!method->input || !method->output) {
        call->own_method = *method;
        call->own_method.path = path.data + client->prefix.len;
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
    call->info.path = path.data;
    call->info.kind = method->kind == CONNECT_ANY_KIND ? CONNECT_BIDI_STREAM : method->kind;
    call->info.protocol = protocol;
    call->info.codec = call->rpc.json ? "json" : "proto";
    call->info.peer.address = connect_arena_copy(&call->arena, connect_str_of(client->address)).data;
    if (!call->info.peer.address) return cn_error_memory(error);
    if (timeout == 0 && method->kind == CONNECT_UNARY) timeout = 30000;
    if (timeout && timeout != CONNECT_UNLIMITED) {
        call->rpc.timeout_ms = timeout;
        if (client->clock) call->deadline_ms = now + (int64_t)timeout; /* else from the next feed on */
    }
    connect_call_set_limits(call, options->receive_bytes, options->send_bytes);
    return cn_client_set_call_headers(call, client->headers, true, error) &&
        cn_client_set_call_headers(call, options->headers, false, error);
}

/* Without a loop it is connections that make the client run: so there is one from the first call on. */
static bool cn_client_dial_first(connect_client_t *client, connect_http_version_t http, connect_error_t *error) {
    bool dialled;
    if (client->busy || client->loop || !cn_list_empty(&client->conns)) return true;
    client->busy++; /* what is caused here is told later */
    dialled = cn_client_dial(client, http);
    client->busy--;
    return dialled || cn_error_set(error, CONNECT_UNAVAILABLE, "the connection could not be dialled");
}

connect_call_t *connect_client_start(connect_client_t *client, const connect_method_t *method,
    const connect_events_t *events_or_null, void *user_or_null, const connect_call_options_t *options,
    connect_error_t *error) {
    static const cn_call_owner_t owner_events = {
        NULL, cn_client_on_released, cn_client_poke, cn_client_call_now_ms, cn_client_on_passed};
    static const connect_call_options_t defaults;
    connect_call_t *call;
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
    if (events_or_null) call->events = *events_or_null;
    call->interceptors.outer = client->interceptors;
    call->interceptors.outer_count = client->interceptor_count;
    call->context = options ? options->context : NULL;
    if (!cn_client_setup_call(client, call, method, options ? options : &defaults, error)) {
        cn_call_recycle(&client->pool, call);
        return NULL;
    }
    if (!cn_client_dial_first(client, call->info.peer.http, error)) {
        cn_call_recycle(&client->pool, call);
        return NULL;
    }
    call->writable = !cn_call_single_request(call);
    cn_list_append(&client->waiting, &call->node);
    if (call->writable && call->events.on_writable) cn_call_poke(call);
    client->busy++; /* what interceptors cause is told later */
    cn_invoke_open(call);
    client->busy--;
    cn_client_wake(client);
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
