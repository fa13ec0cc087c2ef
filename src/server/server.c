#include "server/server.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/str.h"
#include "call/call.h"
#include "call/serve.h"
#include "io/conn.h"
#include "io/limits.h"
#include "protocol/protocol.h"
#include "server/plain.h"
#include "server/route.h"

/* A server: the methods it has, the connections it holds, and the decision what a request is.

   The decision, first match wins; where nothing else is said, on_request has its say before:
     a head over the limits           not asked. gRPC: RESOURCE_EXHAUSTED; else 431, or 414 for the path
     CONNECT                          405, not asked
     no such path                     a plain path: plain.c. gRPC and gRPC-Web: UNIMPLEMENTED in their form; else 404
     not POST, nor GET where allowed  405, Allow: POST, or: GET, POST (methods without side effects, unary)
     GET of an unknown encoding       415, Accept-Post; also if it has a body
     content type of no protocol      415, Accept-Post: what the method takes
     gRPC over HTTP/1.1               505: its trailers need HTTP/2
     else                             a call; all that is wrong from here on is answered in its protocol's form

   Draining: no listener any more, GOAWAY or Connection: close to every peer, on_drain to every stream; what still runs
   when the grace is over is cut. The server is done when the last connection and the last deferred call are gone.

   Memory: all that a server takes is counted (base/meter.c). Above three quarters of limits.memory no connection and
   no request begins (503, REFUSED_STREAM), and of the requests whose bodies are still to come the youngest end with
   RESOURCE_EXHAUSTED; at the limit there is no more. What is kept for the next calls goes before, and with the last
   connection.

   `busy` counts what runs callbacks; a server freed in one of them goes when the outermost has ended. */

#if CONNECT_ENABLE_SERVER
/* ---- Callbacks and pokes ---- */

static void cn_server_enter(void *owner, int64_t now_ms) {
    connect_server_t *server = (connect_server_t *)owner;
    server->busy++;
    server->now_ms = CN_MAX(server->now_ms, now_ms);
}

static void cn_server_run_pokes(connect_server_t *server) {
    cn_list_t *node;
    while ((node = cn_list_pop(&server->pokes)) != NULL)
        cn_call_on_poke(CN_CONTAINER(node, connect_call_t, poke_node));
}

static void cn_server_free_kept(connect_server_t *server) {
    cn_call_pool_free(&server->pool, server->allocator);
    cn_buf_pool_free(&server->buffers, server->allocator);
}

/* Tells whether there is too little memory for anything new; what is kept for it goes first. */
static bool cn_server_is_full(connect_server_t *server) {
    if (!cn_meter_is_high(server->meter)) return false;
    cn_server_free_kept(server);
    return cn_meter_is_high(server->meter);
}

/* While memory is short those that wait for more of their requests would wait for each other: the youngest give way,
   until there is room or one is left, which goes on. With room, all go on. */
static void cn_server_relieve(connect_server_t *server) {
    cn_list_t *node;
    connect_call_t *youngest;
    if (!server->meter->waiting) return;
    server->meter->waiting = false;
restart: /* what runs when a call ends may change the list */
    youngest = NULL;
    for (node = server->calls.prev; node != &server->calls; node = node->prev) {
        connect_call_t *call = CN_CONTAINER(node, connect_call_t, node);
        if (!call->starved) continue;
        if (!youngest) {
            youngest = call;
            continue;
        }
        if (cn_server_is_full(server))
            cn_serve_shed(youngest);
        else
            cn_call_open_window(youngest);
        goto restart;
    }
    if (youngest) cn_call_open_window(youngest);
}

static void cn_server_leave(void *owner) {
    connect_server_t *server = (connect_server_t *)owner;
    if (server->busy == 1) {
        cn_server_run_pokes(server);
        cn_server_relieve(server);
    }
    if (--server->busy == 0 && server->free_wanted && !server->runs) connect_server_free(server);
}

#if CONNECT_ENABLE_SOCKETS
static void cn_server_on_poke_task(void *arg) {
    cn_server_enter(arg, 0);
    cn_server_leave(arg);
}
#endif

static void cn_server_poke(connect_call_t *call) {
    connect_server_t *server = (connect_server_t *)call->owner;
    cn_list_append(&server->pokes, &call->poke_node);
    if (server->busy) return;
#if CONNECT_ENABLE_SOCKETS
    if (server->loop) {
        connect_loop_after(server->loop, &server->poke_task, 0, cn_server_on_poke_task, server);
        return;
    }
#endif
    if (!cn_list_empty(&server->conns)) cn_http_wake(&CN_CONTAINER(server->conns.next, connect_conn_t, node)->http);
}

/* ---- Requests ---- */

static void cn_server_refuse(
    connect_call_t *call, int status, const char *name_or_null, connect_str_t value, connect_str_t text) {
    cn_headers_t headers;
    memset(&headers, 0, sizeof headers);
    if (name_or_null) cn_headers_put(&headers, &call->arena, name_or_null, value);
    cn_headers_put(&headers, &call->arena, "content-type", CN_STR("text/plain; charset=utf-8"));
    cn_serve_plain(call, status, cn_headers_view(&headers), text);
}

/* Of a path that is no method's, the protocol is known all the same. */
static void cn_server_recognise_unknown(const connect_server_t *server, connect_call_t *call) {
    static const connect_method_t unknown = {"", NULL, NULL, CONNECT_UNARY, CONNECT_IDEMPOTENCY_UNKNOWN};
    call->rpc.method = &unknown;
    call->rpc.protocol = cn_protocol_recognise(
        cn_headers_find(&call->x.headers, CN_STR("content-type")), &unknown, server->without, &call->rpc.json);
}

static void cn_server_answer_unknown(connect_call_t *call, connect_str_t path) {
    connect_str_t quoted = cn_str_quote(&call->arena, path);
    if (!call->rpc.protocol || call->rpc.protocol->id == CONNECT_PROTOCOL_CONNECT) {
        connect_str_t text = connect_arena_printf(&call->arena, "no method %s\n", quoted.data);
        cn_server_refuse(call, 404, NULL, text, text.data ? text : CN_STR(""));
        return;
    }
    cn_error_print(&call->rpc.error, &call->arena, CONNECT_UNIMPLEMENTED, "no method %s", quoted.data);
    cn_serve_answer(call);
}

/* Of a head over the limits the content type is known, if there was one. */
static void cn_server_answer_over_limit(connect_server_t *server, connect_call_t *call) {
    const bool path = call->x.over_limit == 414;
    cn_server_recognise_unknown(server, call);
    if (!call->rpc.protocol || call->rpc.protocol->id != CONNECT_PROTOCOL_GRPC) {
        cn_server_refuse(call, call->x.over_limit, NULL, CN_STR(""),
            path ? CN_STR("the path is too long\n") : CN_STR("the headers are too large\n"));
        return;
    }
    cn_error_set(&call->rpc.error, CONNECT_RESOURCE_EXHAUSTED,
        path ? "the path is too long (limits.url_bytes)"
             : "the headers are too large (limits.header_bytes, limits.header_count)");
    cn_serve_answer(call);
}

static bool cn_server_may_get(const connect_server_t *server, const connect_method_t *method) {
    return !server->no_get && !(server->without & CN_PROTOCOL_NO_CONNECT) &&
        (method->kind == CONNECT_UNARY || method->kind == CONNECT_ANY_KIND) &&
        method->idempotency == CONNECT_NO_SIDE_EFFECTS;
}

/* Finds the protocol of a request for a method. Returns false: it has none, or none that is served this way. */
static bool cn_server_recognise(
    const connect_server_t *server, connect_call_t *call, const cn_route_t *route, connect_str_t query) {
    cn_exchange_t *x = &call->x;
    cn_rpc_t *rpc = &call->rpc;
    rpc->method = route->method;
    if (connect_str_equal(x->method, CN_STR("POST"))) {
        connect_str_t content_type = cn_headers_find(&x->headers, CN_STR("content-type"));
        rpc->protocol = cn_protocol_recognise(content_type, route->method, server->without, &rpc->json);
    } else if (connect_str_equal(x->method, CN_STR("GET")) && cn_server_may_get(server, route->method)) {
        rpc->get = true;
        rpc->query = call->info.query = query.data ? query : CN_STR("");
        if (x->content_length <= 0 && !cn_headers_find(&x->headers, CN_STR("transfer-encoding")).data)
            rpc->protocol = cn_protocol_recognise_get(rpc->query, &call->arena, server->without, &rpc->json);
    }
    return rpc->protocol && (rpc->protocol->id != CONNECT_PROTOCOL_GRPC || x->http->version->number != CONNECT_HTTP_1);
}

/* Says why a request for a method is no call. */
static void cn_server_answer_refused(const connect_server_t *server, connect_call_t *call, const cn_route_t *route) {
    const bool may_get = cn_server_may_get(server, route->method);
    if (call->rpc.protocol)
        cn_server_refuse(call, 505, NULL, CN_STR(""), CN_STR("gRPC needs HTTP/2\n"));
    else if (!call->rpc.get && !connect_str_equal(call->x.method, CN_STR("POST")))
        cn_server_refuse(call, 405, "allow", may_get ? CN_STR("GET, POST") : CN_STR("POST"),
            may_get ? CN_STR("only GET and POST are allowed here\n") : CN_STR("only POST is allowed here\n"));
    else
        cn_server_refuse(call, 415, "accept-post",
            cn_protocol_accept_post(&call->arena, route->method, server->without),
            CN_STR("unsupported content type\n"));
}

static void cn_server_fill_info(connect_call_t *call, const cn_route_t *route, connect_str_t path) {
    connect_call_info_t *info = &call->info;
    info->method = route->method;
    info->path = route->method->path;
    if (route->is_pattern) {
        path = connect_arena_copy(&call->arena, cn_str(path.data + route->prefix_len, path.len - route->prefix_len));
        info->path = path.data ? path.data : "";
    }
    info->kind = route->method->kind;
    if (info->kind == CONNECT_ANY_KIND)
        info->kind = call->rpc.protocol->enveloped ? CONNECT_BIDI_STREAM : CONNECT_UNARY;
    info->protocol = call->rpc.protocol->id;
    info->codec = call->rpc.json ? "json" : "proto";
}

/* What is the same for all requests. */
static void cn_server_setup_request(connect_server_t *server, connect_call_t *call) {
    connect_call_info_t *info = &call->info;
    info->is_server = true;
    info->compression_received = info->compression_sent = cn_coding_name(NULL);
    info->headers = cn_headers_view(&call->x.headers);
    info->peer.http = call->x.http->version->number;
    info->peer.address = connect_arena_copy(&call->arena, connect_str_of(cn_conn_of(call->x.http)->peer)).data;
    if (!info->peer.address) info->peer.address = "";
    info->peer.pid = cn_conn_of(call->x.http)->credentials.pid;
    info->peer.uid = cn_conn_of(call->x.http)->credentials.uid;
    info->peer.gid = cn_conn_of(call->x.http)->credentials.gid;
    cn_call_set_tls(call, cn_conn_of(call->x.http)->tls);
    call->rpc.codings = &server->codings;
    call->codec_options = &server->codec_options;
    call->loop = server->loop;
}

static void cn_server_setup_call(
    connect_server_t *server, connect_call_t *call, const cn_route_t *route, connect_str_t path) {
    call->rpc.coding_sent = route->coding;
    call->rpc.free_choice = route->free_choice;
    call->rpc.require_version = server->require_connect_header;
    call->events = *route->events;
    call->user = route->user;
    call->interceptors.outer = server->interceptors;
    call->interceptors.outer_count = server->interceptor_count;
    call->interceptors.inner = route->interceptors;
    call->interceptors.inner_count = route->interceptor_count;
    if (route->receive_bytes) call->receive_bytes = route->receive_bytes;
    if (route->send_bytes) call->send_bytes = route->send_bytes;
    call->values[0].key = route->key;
    call->values[0].value = NULL;
    memcpy(&call->values[0].value, &route->value, sizeof route->value); /* handed out as const again */
    cn_server_fill_info(call, route, path);
}

static void cn_server_on_head(connect_call_t *call) {
    connect_server_t *server = (connect_server_t *)call->owner;
    connect_str_t query = call->x.path, path;
    const cn_route_t *route, *page = NULL;
    bool opens_rpc = false;
    cn_server_setup_request(server, call);
    if (call->x.over_limit) {
        cn_server_answer_over_limit(server, call);
        return;
    }
    if (connect_str_equal(call->x.method, CN_STR("CONNECT"))) { /* it names no path */
        cn_server_refuse(call, 405, "allow", CN_STR("GET, POST"), CN_STR("CONNECT is not served\n"));
        return;
    }
    if (!cn_str_split(&query, '?', &path)) path = CN_STR("");
    route = cn_route_find(&server->routes, path);
    if (!route) page = cn_route_find(&server->pages, path);
    if (route)
        opens_rpc = cn_server_recognise(server, call, route, query);
    else if (!page)
        cn_server_recognise_unknown(server, call);
    if (opens_rpc) cn_server_setup_call(server, call, route, path);
    if (server->on_request && !cn_plain_admit(server, call, opens_rpc)) return;
    if (opens_rpc)
        cn_serve_begin(call, &route->deadlines);
    else if (route)
        cn_server_answer_refused(server, call, route);
    else if (page)
        cn_plain_begin(call, page);
    else
        cn_server_answer_unknown(call, path);
}

static void cn_server_on_released(connect_call_t *call) {
    connect_server_t *server = (connect_server_t *)call->owner;
    cn_list_remove(&call->node);
    server->call_count--;
    cn_call_recycle(cn_meter_is_high(server->meter) ? NULL : &server->pool, call);
}

static int64_t cn_server_now_ms(const connect_call_t *call) {
    return ((const connect_server_t *)call->owner)->now_ms;
}

/* ---- Connections ---- */

static cn_exchange_t *cn_server_on_begin(connect_conn_t *conn) {
    static const cn_call_owner_t events = {
        cn_server_on_head, cn_server_on_released, cn_server_poke, cn_server_now_ms, NULL, NULL, NULL, NULL, NULL};
    connect_server_t *server = (connect_server_t *)conn->owner;
    connect_call_t *call;
    if (cn_server_is_full(server)) return NULL;
    call = cn_call_new(&server->pool, server->allocator, &server->limits, true);
    if (!call) return NULL;
    call->meter = server->meter;
    call->owner_events = &events;
    call->owner = server;
    call->draining = server->draining;
    call->x.events = cn_serve_exchange_events();
    cn_list_append(&server->calls, &call->node);
    server->call_count++;
    return &call->x;
}

static void cn_server_on_lost(connect_conn_t *conn) {
    connect_server_t *server = (connect_server_t *)conn->owner;
    if (--server->conn_count == 0) cn_server_free_kept(server);
}

connect_conn_t *connect_server_accept(connect_server_t *server, const char *peer,
    const connect_listen_options_t *options_or_null, connect_error_t *error) {
    static const cn_conn_owner_t events = {
        cn_server_on_begin, NULL, NULL, cn_server_on_lost, cn_server_enter, cn_server_leave};
    cn_conn_options_t options;
    connect_conn_t *conn;
    if (server->draining || server->free_wanted) {
        cn_error_set(error, CONNECT_UNAVAILABLE, "the server is draining");
        return NULL;
    }
    if (server->conn_count >= server->limits.connections) {
        cn_error_set(error, CONNECT_RESOURCE_EXHAUSTED, "too many connections (limits.connections)");
        return NULL;
    }
    if (cn_server_is_full(server)) {
        cn_error_set(error, CONNECT_RESOURCE_EXHAUSTED, "too little memory for another connection (limits.memory)");
        return NULL;
    }
    memset(&options, 0, sizeof options);
    options.allocator = server->allocator;
    options.limits = &server->limits;
    options.pool = &server->buffers;
    options.events = &events;
    options.owner = server;
    options.peer = peer;
    options.is_server = true;
    options.allow_http1 = !server->no_http1;
    options.allow_http2 = !server->no_http2;
    options.tls = options_or_null ? options_or_null->tls : NULL;
    options.turn = &server->turn;
    conn = cn_conn_new(&options);
    if (!conn) {
        cn_error_memory(error);
        return NULL;
    }
    cn_list_append(&server->conns, &conn->node);
    server->conn_count++;
    return conn;
}

/* ---- The server ---- */

static bool cn_server_prefix_valid(const char *prefix, connect_error_t *error) {
    return !prefix[0] || (prefix[0] == '/' && prefix[strlen(prefix) - 1] != '/') ||
        cn_error_set(error, CONNECT_INVALID_ARGUMENT, "prefix must begin with a slash and not end with one");
}

static bool cn_server_set_codings(
    connect_server_t *server, const connect_server_options_t *options, connect_error_t *error) {
    cn_codings_options_t codings;
    codings.registered = options->compressions;
    codings.registered_count = options->compression_count;
    codings.accept = options->accept;
    codings.min = options->compress_min;
    codings.level = options->compression_level;
    codings.zstd_window = server->limits.zstd_window;
    server->free_choice = options->compression == NULL;
    return cn_codings_init(&server->codings, server->allocator, &codings, error) &&
        cn_codings_choose(&server->codings, options->compression, &server->coding, error);
}

connect_server_t *connect_server_new(const connect_server_options_t *options, connect_error_t *error) {
    static const connect_server_options_t defaults;
    connect_server_t *server;
    connect_limits_t limits;
    cn_meter_t *meter;
    const char *prefix;
    if (!options) options = &defaults;
    prefix = options->prefix ? options->prefix : "";
    if (!cn_limits_resolve(&limits, &options->limits, error)) return NULL;
    if (!cn_server_prefix_valid(prefix, error)) return NULL;
    if (options->no_http1 && (options->no_http2 || !CONNECT_ENABLE_HTTP2)) {
        cn_error_set(error, CONNECT_INVALID_ARGUMENT, "no_http1 and no_http2 leave nothing to speak");
        return NULL;
    }
    meter = cn_meter_new(options->allocator, limits.memory == CONNECT_UNLIMITED ? SIZE_MAX : limits.memory);
    server = meter ? (connect_server_t *)cn_mem_acquire(&meter->allocator, sizeof *server) : NULL;
    if (!server) {
        cn_meter_free(meter);
        cn_error_memory(error);
        return NULL;
    }
    server->meter = meter;
    server->allocator = &server->meter->allocator;
    server->loop = options->loop;
    server->limits = limits;
    server->deadlines = options->deadlines;
    server->codec_options = options->codec_options;
    server->on_request = options->on_request;
    server->user = options->user;
    server->interceptors = options->interceptors;
    server->interceptor_count = options->interceptor_count;
    server->no_http1 = options->no_http1;
    server->no_http2 = options->no_http2 || !CONNECT_ENABLE_HTTP2;
    server->require_connect_header = options->require_connect_header;
    server->without = (options->no_connect ? (unsigned)CN_PROTOCOL_NO_CONNECT : 0u) |
        (options->no_grpc ? (unsigned)CN_PROTOCOL_NO_GRPC : 0u) |
        (options->no_grpc_web ? (unsigned)CN_PROTOCOL_NO_GRPC_WEB : 0u) |
        (options->no_json ? (unsigned)CN_PROTOCOL_NO_JSON : 0u);
    cn_list_init(&server->conns);
    cn_list_init(&server->calls);
    cn_list_init(&server->pokes);
    server->no_get = options->no_get;
    server->prefix = (char *)cn_mem_acquire(server->allocator, strlen(prefix) + 1);
    if (server->prefix)
        memcpy(server->prefix, prefix, strlen(prefix) + 1);
    else
        cn_error_memory(error);
    if (server->prefix && cn_server_set_codings(server, options, error)) return server;
    cn_codings_free(&server->codings);
    cn_mem_release(server->allocator, server->prefix);
    cn_mem_release(server->allocator, server);
    cn_meter_free(meter);
    return NULL;
}

void connect_server_free(connect_server_t *server) {
    const connect_allocator_t *allocator;
    cn_handlers_t *handlers;
    cn_meter_t *meter;
    cn_list_t *node;
    if (!server) return;
    if (server->busy || server->runs) {
        server->free_wanted = true;
        return;
    }
    server->busy = 1;
    server->free_wanted = true; /* nothing is accepted any more */
    allocator = server->allocator;
    if (server->stop_listening) server->stop_listening(server);
    while (!cn_list_empty(&server->conns))
        cn_conn_abort(CN_CONTAINER(server->conns.next, connect_conn_t, node));
    cn_server_run_pokes(server);
    while ((node = cn_list_pop(&server->calls)) != NULL)
        CN_CONTAINER(node, connect_call_t, node)->owner = NULL; /* promised calls: finish frees them */
#if CONNECT_ENABLE_SOCKETS
    if (server->loop) connect_loop_after(server->loop, &server->poke_task, -1, NULL, NULL);
    if (server->owns_loop) connect_loop_free(server->loop);
#endif
    cn_server_free_kept(server);
    cn_route_free(&server->routes, allocator);
    cn_route_free(&server->pages, allocator);
    cn_codings_free(&server->codings);
    while ((handlers = server->handlers) != NULL) {
        server->handlers = handlers->next;
        cn_mem_release(allocator, handlers);
    }
    cn_mem_release(allocator, server->prefix);
    meter = server->meter;
    cn_mem_release(allocator, server);
    cn_meter_free(meter);
}

/* ---- Routes ---- */

/* Fills in what is the same for all methods that are added at once. */
static bool cn_server_set_route(const connect_server_t *server, cn_route_t *route, const char **prefix,
    const connect_route_options_t *options, connect_error_t *error) {
    memset(route, 0, sizeof *route);
    *prefix = options && options->prefix ? options->prefix : server->prefix;
    route->deadlines = server->deadlines;
    route->coding = server->coding;
    route->free_choice = server->free_choice;
    if (!cn_server_prefix_valid(*prefix, error)) return false;
    if (!options) return true;
    if (options->deadlines.default_ms) route->deadlines.default_ms = options->deadlines.default_ms;
    if (options->deadlines.min_ms) route->deadlines.min_ms = options->deadlines.min_ms;
    if (options->deadlines.max_ms) route->deadlines.max_ms = options->deadlines.max_ms;
    if (options->deadlines.spare_streams) route->deadlines.spare_streams = true;
    route->interceptors = options->interceptors;
    route->interceptor_count = options->interceptor_count;
    route->receive_bytes = options->receive_bytes;
    route->send_bytes = options->send_bytes;
    if (!options->compression) return true;
    route->free_choice = false;
    return cn_codings_choose(&server->codings, options->compression, &route->coding, error);
}

bool connect_server_add_service(connect_server_t *server, const connect_service_t *service, const void *handlers,
    void *user, const connect_route_options_t *options, connect_error_t *error) {
    cn_handlers_t *copy;
    const char *prefix;
    cn_route_t route;
    size_t i;
    if (!cn_server_set_route(server, &route, &prefix, options, error)) return false;
    copy = (cn_handlers_t *)cn_mem_acquire(server->allocator, sizeof *copy + service->handlers_size);
    if (!copy) return cn_error_memory(error);
    memcpy(copy + 1, handlers, service->handlers_size);
    copy->next = server->handlers;
    server->handlers = copy;
    route.key = service;
    route.value = copy + 1;
    route.user = user;
    for (i = 0; i < service->method_count; i++) {
        route.method = service->methods[i];
        route.events = service->thunks[i];
        if (!cn_route_add(&server->routes, server->allocator, prefix, &route, false, error)) return false;
    }
    return true;
}

bool connect_server_add_route(connect_server_t *server, const connect_method_t *method, const connect_events_t *events,
    void *user, const connect_route_options_t *options, connect_error_t *error) {
    const char *prefix;
    cn_route_t route;
    if (!cn_server_set_route(server, &route, &prefix, options, error)) return false;
    if (method->kind == CONNECT_ANY_KIND && (method->input || method->output))
        return cn_error_set(
            error, CONNECT_INVALID_ARGUMENT, "CONNECT_ANY_KIND is for raw methods: no input, no output");
    route.method = method;
    route.events = events;
    route.user = user;
    return cn_route_add(&server->routes, server->allocator, prefix, &route, true, error);
}

bool connect_server_add_http(
    connect_server_t *server, const char *path, connect_http_handler_t *handler, void *user, connect_error_t *error) {
    static const connect_events_t none;
    const size_t len = strlen(path);
    connect_method_t method;
    connect_str_t pattern;
    cn_route_t page;
    connect_arena_t arena = CONNECT_DEFAULTS;
    bool added;
    if (strchr(path, '*'))
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "a plain path has no asterisk: it ends in a slash");
    arena.private_allocator = server->allocator;
    pattern = connect_arena_printf(&arena, "%s%s", path, len && path[len - 1] == '/' ? "*" : "");
    memset(&method, 0, sizeof method);
    memset(&page, 0, sizeof page);
    method.path = pattern.data;
    page.method = &method;
    page.events = &none;
    page.http = handler;
    page.user = user;
    added =
        pattern.data ? cn_route_add(&server->pages, server->allocator, "", &page, true, error) : cn_error_memory(error);
    connect_arena_free(&arena);
    return added;
}

void connect_server_drain(connect_server_t *server, uint32_t grace_ms) {
    cn_list_t *node, *next;
    if (grace_ms == 0) grace_ms = server->limits.drain_ms;
    if (server->stop_listening) server->stop_listening(server);
    server->draining = true;
    for (node = server->conns.next; node != &server->conns; node = next) {
        connect_conn_t *conn = CN_CONTAINER(node, connect_conn_t, node);
        next = node->next;
        cn_conn_drain(conn, grace_ms);
    }
    for (node = server->calls.next; node != &server->calls; node = node->next) {
        connect_call_t *call = CN_CONTAINER(node, connect_call_t, node);
        call->draining = true;
        if (call->events.on_drain && !call->over) cn_call_poke(call);
    }
}

CN_PRIVATE bool cn_server_is_done(const connect_server_t *server) {
    return server->draining && server->conn_count == 0 && server->call_count == 0;
}
#endif
