#include "server/plain.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "call/serve.h"
#include "http/header.h"
#include "protocol/code.h"

/* What a server does with HTTP that is no RPC: on_request, which is asked about every request once its head is in, and
   plain paths, whose handlers get the whole request.

   on_request     status 0 and OK pass. A status answers as it stands. Another code is an error in the form of the
                  request's protocol: for a plain request, or one that speaks none, its HTTP status and a text.
   a plain path   the body is collected, at most receive_bytes (413), with limits.body_gap_ms between its pieces (408);
                  the handler is called when all of it is there. Any method; to HEAD, 204 and 304 HTTP sends no body.

   A header of a response that would break the message (RFC 9110 7.6.1, 8.6; RFC 9112 6) makes it a 500. */

#if CONNECT_ENABLE_SERVER
static void cn_plain_fill(connect_call_t *call, connect_http_request_t *request) {
    const cn_exchange_t *x = &call->x;
    const char *query = x->path.len ? (const char *)memchr(x->path.data, '?', x->path.len) : NULL;
    memset(request, 0, sizeof *request);
    request->method = x->method;
    request->path = x->path;
    if (query) {
        request->path.len = (size_t)(query - x->path.data);
        request->query = cn_str(query + 1, x->path.len - request->path.len - 1);
    }
    request->headers = cn_headers_view(&x->headers);
    request->peer = &call->info.peer;
    request->arena = &call->arena;
}

static bool cn_plain_may_set(connect_str_t name) {
    static const char *const reserved[] = {"content-length", "transfer-encoding", "connection", "keep-alive",
        "proxy-connection", "upgrade", "te", "trailer", "host"};
    size_t i;
    for (i = 0; i < CN_LEN(reserved); i++)
        if (cn_str_equal_nocase(name, connect_str_of(reserved[i]))) return false;
    return cn_header_name_valid(name);
}

static bool cn_plain_put(connect_call_t *call, cn_headers_t *headers, const char *name, connect_str_t value) {
    connect_str_t lower = connect_arena_copy(&call->arena, connect_str_of(name));
    char *to = (char *)cn_arena_raw(&call->arena, lower.len + 1);
    if (!lower.data || !to) return false;
    cn_header_lower(to, lower.data, lower.len + 1);
    value = connect_arena_copy(&call->arena, value);
    return value.data && cn_headers_put(headers, &call->arena, to, value);
}

/* The status of a response, and its headers copied; 500 and none: a header is not allowed, or there is no memory. */
static int cn_plain_head(connect_call_t *call, const connect_http_response_t *response, cn_headers_t *headers) {
    int status = response->status ? response->status : 200;
    bool ok = status >= 200 && status <= 599;
    size_t i;
    memset(headers, 0, sizeof *headers);
    if (ok && response->content_type)
        ok = cn_header_value_valid(connect_str_of(response->content_type)) &&
            cn_plain_put(call, headers, "content-type", connect_str_of(response->content_type));
    for (i = 0; ok && i < response->headers.count; i++) {
        const connect_header_t *header = &response->headers.items[i];
        ok = cn_plain_may_set(connect_str_of(header->name)) && cn_header_value_valid(header->value) &&
            cn_plain_put(call, headers, header->name, header->value);
    }
    if (!ok) headers->count = 0;
    return ok ? status : 500;
}

static void cn_plain_respond(connect_call_t *call, connect_code_t code, connect_http_response_t *response) {
    cn_headers_t headers;
    int status;
    if (code != CONNECT_OK) {
        code = code == CONNECT_LATER ? CONNECT_INTERNAL : cn_code_of_error(code);
        response->status = cn_code_to_http(code);
        response->content_type = "text/plain; charset=utf-8";
        if (!response->body.len) response->body = connect_str_of(connect_code_name(code));
    }
    status = cn_plain_head(call, response, &headers);
    if (status != response->status && status == 500) response->body = CN_STR("a header or the status is not allowed\n");
    if (status == 204 || status == 304) response->body = CN_STR("");
    cn_serve_plain(call, status, cn_headers_view(&headers), response->body);
}

/* Refuses a request that speaks one of the protocols. */
static void cn_plain_fail(connect_call_t *call, connect_code_t code, const connect_http_response_t *response) {
    size_t i;
    for (i = 0; i < response->headers.count; i++)
        (void)cn_call_put_header(
            call, &call->rpc.headers, response->headers.items[i].name, response->headers.items[i].value);
    cn_error_print(&call->rpc.error, &call->arena, cn_code_of_error(code), "%.*s",
        (int)CN_MIN(response->body.len, (size_t)INT_MAX), response->body.len ? response->body.data : "");
    cn_serve_answer(call);
}

CN_PRIVATE bool cn_plain_admit(connect_server_t *server, connect_call_t *call, bool opens_rpc) {
    connect_http_request_t request;
    connect_http_response_t response;
    connect_code_t code;
    cn_plain_fill(call, &request);
    memset(&response, 0, sizeof response);
    if (opens_rpc) request.call = call;
    cn_call_enter(call);
    code = server->on_request(&request, &response, server->user);
    cn_call_leave(call);
    if (code == CONNECT_LATER) code = CONNECT_INTERNAL;
    if (code == CONNECT_OK && response.status == 0) return true;
    if (code != CONNECT_OK && call->rpc.protocol)
        cn_plain_fail(call, code, &response);
    else
        cn_plain_respond(call, code, &response);
    return false;
}

/* ---- Plain paths ---- */

static void cn_plain_refuse(connect_call_t *call, int status, connect_str_t text) {
    const connect_headers_t none = {NULL, 0};
    cn_serve_plain(call, status, none, text);
}

static void cn_plain_on_data(cn_exchange_t *x, const char *bytes, size_t len) {
    connect_call_t *call = cn_call_of(x);
    if (!call->answered && len > call->receive_bytes - cn_buf_len(&call->in))
        cn_plain_refuse(call, 413, CN_STR("the request is over the limit (receive_bytes)\n"));
    else if (!call->answered && !cn_buf_append(&call->in, call->rpc.allocator, bytes, len))
        cn_plain_refuse(call, 503, CN_STR("out of memory\n"));
    x->http->version->consume(x, len);
}

static void cn_plain_on_end(cn_exchange_t *x) {
    connect_call_t *call = cn_call_of(x);
    connect_http_request_t request;
    connect_http_response_t response;
    connect_code_t code;
    if (call->answered) return;
    cn_plain_fill(call, &request);
    request.body = cn_buf_view(&call->in);
    memset(&response, 0, sizeof response);
    cn_call_enter(call);
    code = call->page->http(&request, &response, call->page->user);
    cn_plain_respond(call, code, &response);
    cn_call_leave(call);
}

static void cn_plain_on_writable(cn_exchange_t *x) {
    (void)x;
}

static int64_t cn_plain_due(const connect_call_t *call) {
    const uint32_t gap = call->rpc.limits->body_gap_ms;
    return gap == CONNECT_UNLIMITED ? INT64_MAX : call->x.received_ms + (int64_t)gap;
}

static void cn_plain_on_due(cn_exchange_t *x) {
    connect_call_t *call = cn_call_of(x);
    if (call->answered)
        cn_serve_exchange_events()->on_due(x);
    else if (cn_plain_due(call) <= x->http->now_ms)
        cn_plain_refuse(call, 408, CN_STR("the request came to a halt (limits.body_gap_ms)\n"));
    else
        cn_exchange_set_due(x, cn_plain_due(call));
}

static void cn_plain_on_closed(cn_exchange_t *x, connect_code_t code, const char *why) {
    cn_serve_exchange_events()->on_closed(x, code, why);
}

CN_PRIVATE void cn_plain_begin(connect_call_t *call, const cn_route_t *page) {
    static const cn_exchange_events_t events = {
        NULL, cn_plain_on_data, cn_plain_on_end, cn_plain_on_writable, cn_plain_on_due, cn_plain_on_closed};
    call->x.events = &events;
    call->page = page;
    call->plain = true;
    cn_exchange_set_due(&call->x, cn_plain_due(call));
}
#endif
