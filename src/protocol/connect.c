#include "protocol/connect.h"
#include "base/error.h"
#include "base/base64.h"
#include "base/mem.h"
#include "base/percent.h"
#include "base/str.h"
#include "protocol/code.h"
#include "protocol/envelope.h"
#include "protocol/error.h"
#include "protocol/timeout.h"

/* The Connect protocol.

   Unary (Connect "Unary-Request", "Unary-Response"): POST with a bare message; 200 and a bare message of the same
   content type, or the status of an error's code and an error object in application/json. Trailing metadata are headers
   with `trailer-` before their names.

   Streams (Connect "Streaming-RPCs"): POST with enveloped messages of application/connect+<codec>; always 200 once the
   request is recognised; the response ends with an envelope of flag 0x02 that holds the END_STREAM object. No HTTP
   trailers ever.

   GET (Connect "Unary-Get-Request"), for unary methods without side effects: the request is in the query, with nothing
   of it in headers but timeout and accept-encoding:

     connect      v1; absent is as good, unless the server requires it
     base64       1: message is base64url. Any other value means nothing
     compression  of the decoded message; an empty one is never expanded
     encoding     proto or json; else 415
     message      required, percent-encoded; + is a space

   A response with an etag header, to a GET whose if-none-match has the same (compared weakly, RFC 9110 13.1.2), is 304
   without a body.

   Written in this order, so that caches see one URL for one request; read in any, the first of a name counts. The
   message goes as text if it is JSON and not compressed, else as base64url without padding. A URL over
   limits.url_bytes makes the request a POST.

   Read by the server: Connect-Protocol-Version ("1", or absent), Connect-Timeout-Ms, content-encoding (unary) and
   connect-content-encoding (streams). The order of refusals: compression, version, timeout. */

static const char cn_connect_trailer_prefix[] = "trailer-";

/* ---- Server ---- */

static bool cn_connect_read_timeout(cn_rpc_t *rpc) {
    connect_str_t timeout = cn_headers_find(&rpc->x->headers, CN_STR("connect-timeout-ms"));
    return !timeout.data || cn_timeout_read_connect(timeout, &rpc->timeout_ms) ||
        cn_error_print(&rpc->error, rpc->arena, CONNECT_INVALID_ARGUMENT,
            "connect-timeout-ms must be 1 to 10 digits, not \"%s\"", cn_str_quote(rpc->arena, timeout).data);
}

static bool cn_connect_server_open_with(cn_rpc_t *rpc, const char *encoding_header, const char *accept_header) {
    connect_str_t version = cn_headers_find(&rpc->x->headers, CN_STR("connect-protocol-version"));
    connect_str_t encoding = cn_headers_find(&rpc->x->headers, connect_str_of(encoding_header));
    if (!cn_protocol_negotiate(rpc, encoding, encoding_header, accept_header)) return false;
    if (!version.data && rpc->require_version)
        return cn_error_set(
            &rpc->error, CONNECT_INVALID_ARGUMENT, "missing required header: set connect-protocol-version to \"1\"");
    if (version.data && !connect_str_equal(version, CN_STR("1")))
        return cn_error_print(&rpc->error, rpc->arena, CONNECT_INVALID_ARGUMENT,
            "connect-protocol-version must be \"1\", not \"%s\"", cn_str_quote(rpc->arena, version).data);
    return cn_connect_read_timeout(rpc);
}

static bool cn_connect_unary_server_open(cn_rpc_t *rpc) {
    return cn_connect_server_open_with(rpc, "content-encoding", "accept-encoding");
}

static bool cn_connect_stream_server_open(cn_rpc_t *rpc) {
    return cn_connect_server_open_with(rpc, "connect-content-encoding", "connect-accept-encoding");
}

/* The next parameter of a query; value: not decoded. */
static bool cn_connect_get_next(connect_str_t *query, connect_str_t *name, connect_str_t *value) {
    connect_str_t part;
    while (cn_str_split(query, '&', &part)) {
        if (part.len == 0) continue;
        cn_str_split(&part, '=', name);
        *value = part.data ? part : CN_STR("");
        return true;
    }
    return false;
}

CN_PRIVATE bool cn_connect_get_parameter(
    connect_str_t query, connect_str_t name, connect_arena_t *arena, connect_str_t *value) {
    connect_str_t found, text;
    size_t i;
    *value = cn_str(NULL, 0);
    while (cn_connect_get_next(&query, &found, &text)) {
        if (!connect_str_equal(found, name)) continue;
        for (i = 0; i < text.len; i++)
            if (text.data[i] == '%' && !cn_percent_escape_valid(cn_str(text.data + i, text.len - i))) return false;
        *value = cn_percent_decode(arena, text, true);
        return value->data != NULL;
    }
    return true;
}

static bool cn_connect_get_read(cn_rpc_t *rpc, connect_str_t name, connect_str_t *value) {
    return cn_connect_get_parameter(rpc->query, name, rpc->arena, value) ||
        (rpc->arena->failed
                ? cn_protocol_memory(rpc)
                : cn_error_print(&rpc->error, rpc->arena, CONNECT_INVALID_ARGUMENT,
                      "the parameter " CONNECT_STR_FMT " of the URL has a bad percent escape", CONNECT_STR_ARG(name)));
}

static bool cn_connect_get_server_open(cn_rpc_t *rpc) {
    connect_str_t compression, version, base64, message;
    if (!cn_connect_get_read(rpc, CN_STR("compression"), &compression) ||
        !cn_protocol_negotiate(rpc, compression, "the URL's compression", "accept-encoding") ||
        !cn_connect_get_read(rpc, CN_STR("connect"), &version) ||
        !cn_connect_get_read(rpc, CN_STR("base64"), &base64) || !cn_connect_get_read(rpc, CN_STR("message"), &message))
        return false;
    if (version.len == 0 && rpc->require_version)
        return cn_error_set(&rpc->error, CONNECT_INVALID_ARGUMENT, "missing required parameter: set connect to \"v1\"");
    if (version.len && !connect_str_equal(version, CN_STR("v1")))
        return cn_error_print(&rpc->error, rpc->arena, CONNECT_INVALID_ARGUMENT,
            "the parameter connect of the URL must be \"v1\", not \"%s\"", cn_str_quote(rpc->arena, version).data);
    if (!message.data) return cn_error_set(&rpc->error, CONNECT_INVALID_ARGUMENT, "the URL has no parameter message");
    if (connect_str_equal(base64, CN_STR("1"))) {
        message = connect_base64_decode(message, rpc->arena);
        if (!message.data)
            return rpc->arena->failed
                ? cn_protocol_memory(rpc)
                : cn_error_set(&rpc->error, CONNECT_INVALID_ARGUMENT, "the URL's message is not valid base64");
    }
    rpc->message = message;
    return cn_connect_read_timeout(rpc);
}

/* "a", W/"a": weakly they are the same. */
static connect_str_t cn_connect_weak_etag(connect_str_t etag) {
    etag = cn_str_trim(etag);
    return cn_str_starts(etag, CN_STR("W/")) ? cn_str(etag.data + 2, etag.len - 2) : etag;
}

static bool cn_connect_has_it(const cn_rpc_t *rpc) {
    connect_str_t etag = cn_headers_find(&rpc->headers, CN_STR("etag")), list, known;
    size_t i;
    if (!rpc->get || !etag.data) return false;
    for (i = 0; i < rpc->x->headers.count; i++) {
        if (strcmp(rpc->x->headers.items[i].name, "if-none-match") != 0) continue;
        list = rpc->x->headers.items[i].value;
        while (cn_str_split(&list, ',', &known))
            if (connect_str_equal(cn_str_trim(known), CN_STR("*")) ||
                connect_str_equal(cn_connect_weak_etag(known), cn_connect_weak_etag(etag)))
                return true;
    }
    return false;
}

static bool cn_connect_unary_server_head(cn_rpc_t *rpc, cn_head_t *head) {
    cn_headers_t headers;
    bool failed = rpc->error.code != CONNECT_OK, ok;
    size_t i;
    memset(&headers, 0, sizeof headers);
    head->status = failed ? cn_code_to_http(rpc->error.code) : rpc->not_modified ? 304 : 200;
    ok = rpc->not_modified ||
        cn_headers_put(&headers, rpc->arena, "content-type",
            rpc->json || failed ? CN_STR("application/json") : CN_STR("application/proto"));
    if (ok && !failed && rpc->coding_body && !rpc->not_modified)
        ok = cn_headers_put(&headers, rpc->arena, "content-encoding", connect_str_of(rpc->coding_body->name));
    if (ok && rpc->list_codings)
        ok = cn_headers_put(&headers, rpc->arena, "accept-encoding",
            rpc->codings->accept.len ? rpc->codings->accept : CN_STR("identity"));
    if (ok && rpc->get) ok = cn_headers_put(&headers, rpc->arena, "vary", CN_STR("accept-encoding"));
    if (!ok || !cn_protocol_put_all(rpc, &headers, &rpc->headers)) return cn_protocol_memory(rpc);
    for (i = 0; i < rpc->trailers.count; i++) {
        connect_str_t name =
            connect_arena_printf(rpc->arena, "%s%s", cn_connect_trailer_prefix, rpc->trailers.items[i].name);
        if (!name.data || !cn_headers_put(&headers, rpc->arena, name.data, rpc->trailers.items[i].value))
            return cn_protocol_memory(rpc);
    }
    cn_protocol_set_head(head, &headers);
    return true;
}

static bool cn_connect_unary_server_end(cn_rpc_t *rpc, connect_headers_t *trailers) {
    (void)trailers;
    rpc->not_modified = rpc->error.code == CONNECT_OK && cn_connect_has_it(rpc);
    if (rpc->error.code == CONNECT_OK && !rpc->not_modified) return true;
    cn_buf_clear(&rpc->x->out);
    if (rpc->not_modified) return true;
    return cn_error_write_json(&rpc->x->out, rpc->allocator, rpc->arena, &rpc->error) || cn_protocol_memory(rpc);
}

static bool cn_connect_stream_server_head(cn_rpc_t *rpc, cn_head_t *head) {
    cn_headers_t headers;
    memset(&headers, 0, sizeof headers);
    head->status = 200;
    if (!cn_headers_put(&headers, rpc->arena, "content-type",
            rpc->json ? CN_STR("application/connect+json") : CN_STR("application/connect+proto")) ||
        !cn_protocol_put_codings(rpc, &headers, "connect-content-encoding", "connect-accept-encoding", true) ||
        !cn_protocol_put_all(rpc, &headers, &rpc->headers))
        return cn_protocol_memory(rpc);
    cn_protocol_set_head(head, &headers);
    return true;
}

static bool cn_connect_stream_server_end(cn_rpc_t *rpc, connect_headers_t *trailers) {
    cn_buf_t *out = &rpc->x->out;
    size_t before = cn_buf_len(out);
    char head[CN_ENVELOPE_HEAD] = {0};
    (void)trailers;
    if (!cn_buf_append(out, rpc->allocator, head, sizeof head) ||
        !cn_error_write_end_stream(out, rpc->allocator, rpc->arena, &rpc->error, cn_headers_view(&rpc->trailers))) {
        cn_buf_truncate(out, before);
        return cn_protocol_memory(rpc);
    }
    cn_envelope_write(out->block + out->start + before, CN_ENVELOPE_END_STREAM,
        (uint32_t)(cn_buf_len(out) - before - CN_ENVELOPE_HEAD));
    return true;
}

/* ---- Client ---- */

/* The URL of a GET, or the absent view: too long, or out of memory. */
static connect_str_t cn_connect_get_url(cn_rpc_t *rpc, connect_str_t path, connect_str_t message) {
    const bool text = rpc->json && !rpc->coding_body;
    const size_t limit = rpc->limits->url_bytes;
    const char *compression = rpc->coding_body ? rpc->coding_body->name : "";
    connect_str_t value, url = {NULL, 0};
    size_t i;
    char *to;
    if (path.len >= limit || message.len >= limit) return url;
    if (text) {
        value = cn_percent_encode_query(rpc->arena, message);
    } else {
        value.len = cn_base64_encoded_len(message.len, false);
        value.data = to = (char *)cn_arena_raw(rpc->arena, value.len + 1);
        if (to) cn_base64_encode(to, message, false);
        for (i = 0; to && i < value.len; i++)
            to[i] = to[i] == '+' ? '-' : to[i] == '/' ? '_' : to[i];
    }
    if (!value.data) return url;
    url = connect_arena_printf(rpc->arena, CONNECT_STR_FMT "?connect=v1%s%s%s&encoding=%s&message=" CONNECT_STR_FMT,
        CONNECT_STR_ARG(path), text ? "" : "&base64=1", rpc->coding_body ? "&compression=" : "", compression,
        rpc->json ? "json" : "proto", CONNECT_STR_ARG(value));
    if (url.len + sizeof "GET  HTTP/1.1" - 1 > limit) url.data = NULL;
    return url;
}

static bool cn_connect_client_head_with(cn_rpc_t *rpc, cn_head_t *head, connect_str_t content_type, bool is_stream) {
    cn_headers_t headers;
    bool ok;
    memset(&headers, 0, sizeof headers);
    ok = rpc->get ||
        (cn_headers_put(&headers, rpc->arena, "content-type", content_type) &&
            cn_headers_put(&headers, rpc->arena, "connect-protocol-version", CN_STR("1")));
    if (ok && is_stream)
        ok = cn_headers_put(&headers, rpc->arena, "accept-encoding", CN_STR("identity")) &&
            cn_protocol_put_codings(rpc, &headers, "connect-content-encoding", "connect-accept-encoding", false);
    if (ok && !is_stream && rpc->coding_body && !rpc->get)
        ok = cn_headers_put(&headers, rpc->arena, "content-encoding", connect_str_of(rpc->coding_body->name));
    if (ok && !is_stream && rpc->codings->accept.len)
        ok = cn_headers_put(&headers, rpc->arena, "accept-encoding", rpc->codings->accept);
    if (ok && rpc->timeout_ms != CN_TIMEOUT_NONE) {
        connect_str_t timeout = cn_timeout_write_connect(rpc->arena, rpc->timeout_ms);
        ok = timeout.data && cn_headers_put(&headers, rpc->arena, "connect-timeout-ms", timeout);
    }
    if (ok && !cn_headers_find(&rpc->headers, CN_STR("user-agent")).data)
        ok = cn_headers_put(&headers, rpc->arena, "user-agent", CN_STR("connect-c/" CONNECT_VERSION_STRING));
    if (!ok || !cn_protocol_put_all(rpc, &headers, &rpc->headers)) return cn_protocol_memory(rpc);
    cn_protocol_set_head(head, &headers);
    return true;
}

static bool cn_connect_unary_client_head(cn_rpc_t *rpc, cn_head_t *head) {
    if (rpc->get) {
        connect_str_t url = cn_connect_get_url(rpc, head->path, cn_buf_view(&rpc->x->out));
        if (!url.data && rpc->arena->failed) return cn_protocol_memory(rpc);
        rpc->get = url.data != NULL;
        if (rpc->get) {
            head->method = CN_STR("GET");
            head->path = url;
            head->content_length = -1;
            cn_buf_clear(&rpc->x->out);
        }
    }
    return cn_connect_client_head_with(
        rpc, head, rpc->json ? CN_STR("application/json") : CN_STR("application/proto"), false);
}

static bool cn_connect_stream_client_head(cn_rpc_t *rpc, cn_head_t *head) {
    return cn_connect_client_head_with(
        rpc, head, rpc->json ? CN_STR("application/connect+json") : CN_STR("application/connect+proto"), true);
}

/* Headers whose names begin with `trailer-` are trailing metadata; the others are leading. */
static bool cn_connect_unary_split_metadata(cn_rpc_t *rpc) {
    const cn_headers_t *all = &rpc->x->headers;
    cn_headers_t headers, trailers;
    size_t i;
    memset(&headers, 0, sizeof headers);
    memset(&trailers, 0, sizeof trailers);
    for (i = 0; i < all->count; i++) {
        const char *name = all->items[i].name;
        bool is_trailer = strncmp(name, cn_connect_trailer_prefix, sizeof cn_connect_trailer_prefix - 1) == 0;
        if (is_trailer) name += sizeof cn_connect_trailer_prefix - 1;
        if (!cn_headers_put(is_trailer ? &trailers : &headers, rpc->arena, name, all->items[i].value))
            return cn_protocol_memory(rpc);
    }
    rpc->received_headers = cn_headers_view(&headers);
    rpc->received_trailers = cn_headers_view(&trailers);
    return true;
}

static bool cn_connect_fail_by_status(cn_rpc_t *rpc) {
    return cn_error_print(&rpc->error, rpc->arena, cn_code_from_http(rpc->x->status),
        "the server answered with HTTP status %d", rpc->x->status);
}

/* A response of another type than asked for: another codec is the server's fault, another type altogether is
   something else that answers. */
static bool cn_connect_fail_by_type(cn_rpc_t *rpc, connect_str_t type, connect_str_t prefix) {
    connect_code_t code = cn_str_starts(type, prefix) ? CONNECT_INTERNAL : CONNECT_UNKNOWN;
    return cn_error_print(&rpc->error, rpc->arena, code, "unexpected content type \"%s\" in the response",
        cn_str_quote(rpc->arena, type).data);
}

static bool cn_connect_unary_client_open(cn_rpc_t *rpc) {
    connect_str_t content_type = cn_headers_find(&rpc->x->headers, CN_STR("content-type"));
    connect_str_t type = cn_protocol_media_type(content_type);
    if (!cn_connect_unary_split_metadata(rpc)) return false;
    if (rpc->x->status != 200) {
        rpc->error_body = cn_str_equal_nocase(type, CN_STR("application/json"));
        return rpc->error_body ? cn_protocol_check_response(rpc, "content-encoding") : cn_connect_fail_by_status(rpc);
    }
    if (!cn_str_equal_nocase(type, rpc->json ? CN_STR("application/json") : CN_STR("application/proto")))
        return cn_connect_fail_by_type(rpc, content_type, CN_STR("application/"));
    if (rpc->x->until_eof)
        return cn_error_set(&rpc->error, CONNECT_INTERNAL, "the response has no length: a cut would go unnoticed");
    return cn_protocol_check_response(rpc, "content-encoding");
}

static bool cn_connect_stream_client_open(cn_rpc_t *rpc) {
    connect_str_t content_type = cn_headers_find(&rpc->x->headers, CN_STR("content-type"));
    connect_str_t type = cn_protocol_media_type(content_type);
    rpc->received_headers = cn_headers_view(&rpc->x->headers);
    if (rpc->x->status != 200) return cn_connect_fail_by_status(rpc);
    if (!cn_str_equal_nocase(
            type, rpc->json ? CN_STR("application/connect+json") : CN_STR("application/connect+proto")))
        return cn_connect_fail_by_type(rpc, content_type, CN_STR("application/connect+"));
    return cn_protocol_check_response(rpc, "connect-content-encoding");
}

static bool cn_connect_stream_client_end_envelope(cn_rpc_t *rpc, connect_str_t payload) {
    rpc->ended = true;
    return cn_error_read_end_stream(&rpc->error, &rpc->received_trailers, payload, rpc->limits, rpc->arena) &&
        rpc->error.code == CONNECT_OK;
}

static bool cn_connect_unary_client_end(cn_rpc_t *rpc, connect_str_t body) {
    if (!rpc->error_body) return true;
    if (cn_error_read_json(&rpc->error, body, cn_code_from_http(rpc->x->status), rpc->arena)) return false;
    return cn_connect_fail_by_status(rpc);
}

static bool cn_connect_stream_client_end(cn_rpc_t *rpc, connect_str_t body) {
    (void)body;
    if (rpc->ended) return rpc->error.code == CONNECT_OK;
    return cn_error_set(&rpc->error, CONNECT_INTERNAL, "the response ended without an END_STREAM message");
}

CN_PRIVATE const cn_protocol_t *cn_connect_unary_protocol(void) {
    static const cn_protocol_t protocol = {CONNECT_PROTOCOL_CONNECT, false, 0,
        CN_PROTOCOL_SERVER(cn_connect_unary_server_open), CN_PROTOCOL_SERVER(cn_connect_unary_server_head),
        CN_PROTOCOL_SERVER(cn_connect_unary_server_end), CN_PROTOCOL_CLIENT(cn_connect_unary_client_head),
        CN_PROTOCOL_CLIENT(cn_connect_unary_client_open), NULL, CN_PROTOCOL_CLIENT(cn_connect_unary_client_end), NULL,
        NULL};
    return &protocol;
}

CN_PRIVATE const cn_protocol_t *cn_connect_get_protocol(void) {
    static const cn_protocol_t protocol = {CONNECT_PROTOCOL_CONNECT, false, 0, cn_connect_get_server_open,
        cn_connect_unary_server_head, cn_connect_unary_server_end, NULL, NULL, NULL, NULL, NULL, NULL};
    return &protocol;
}

CN_PRIVATE const cn_protocol_t *cn_connect_stream_protocol(void) {
    static const cn_protocol_t protocol = {CONNECT_PROTOCOL_CONNECT, true, CN_ENVELOPE_END_STREAM,
        CN_PROTOCOL_SERVER(cn_connect_stream_server_open), CN_PROTOCOL_SERVER(cn_connect_stream_server_head),
        CN_PROTOCOL_SERVER(cn_connect_stream_server_end), CN_PROTOCOL_CLIENT(cn_connect_stream_client_head),
        CN_PROTOCOL_CLIENT(cn_connect_stream_client_open), CN_PROTOCOL_CLIENT(cn_connect_stream_client_end_envelope),
        CN_PROTOCOL_CLIENT(cn_connect_stream_client_end), NULL, NULL};
    return &protocol;
}
