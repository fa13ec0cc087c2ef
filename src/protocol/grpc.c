#include "protocol/grpc.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/percent.h"
#include "base/str.h"
#include "protocol/code.h"
#include "protocol/error.h"
#include "protocol/timeout.h"

/* gRPC over HTTP/2 ("gRPC over HTTP2", PROTOCOL-HTTP2). Request: POST, content-type application/grpc[+proto|+json],
   te: trailers, enveloped messages. Response: 200, enveloped messages, then HTTP trailers with grpc-status (0 to 16,
   always there), grpc-message (percent-encoded) and grpc-status-details-bin. A response without messages and without
   leading metadata may be one block of headers ("Trailers-Only"): the call layer does that, by adding the trailers to
   the head. Read by a client: trailers; or, if neither a byte of body nor trailers came, the headers in their place.
   A grpc-status in the headers of any other response means nothing. Status missing: UNKNOWN if there were trailers,
   else INTERNAL; not a number, above 16, or there twice: UNKNOWN. Where grpc-status-details-bin is there, its code
   and message win; undecodable: INTERNAL.

   grpc-message is cut to CN_GRPC_MESSAGE_MAX bytes, so that the block of trailers stays below what peers accept. */

#define CN_GRPC_MESSAGE_MAX 4096u
#define CN_GRPC_DETAILS_MAX 8192u /* characters of base64; longer ones would break the block: details are left out */

static const connect_str_t cn_grpc_digits[] = {{"0", 1}, {"1", 1}, {"2", 1}, {"3", 1}, {"4", 1}, {"5", 1}, {"6", 1},
    {"7", 1}, {"8", 1}, {"9", 1}, {"10", 2}, {"11", 2}, {"12", 2}, {"13", 2}, {"14", 2}, {"15", 2}, {"16", 2}};

CN_PRIVATE bool cn_grpc_write_status(cn_rpc_t *rpc, cn_headers_t *trailers) {
    const connect_error_t *error = &rpc->error;
    connect_code_t code = error->code == CONNECT_OK ? CONNECT_OK : cn_code_of_error(error->code);
    bool ok = cn_headers_put(trailers, rpc->arena, "grpc-status", cn_grpc_digits[code]);
    if (ok && code != CONNECT_OK && error->message.len) {
        connect_str_t text = cn_str(error->message.data, CN_MIN(error->message.len, CN_GRPC_MESSAGE_MAX));
        text = cn_percent_encode(rpc->arena, text);
        ok = text.data && cn_headers_put(trailers, rpc->arena, "grpc-message", text);
    }
    if (ok && code != CONNECT_OK && error->details.count) {
        connect_str_t details = cn_error_write_details_bin(rpc->arena, error);
        ok = details.data &&
            (details.len > CN_GRPC_DETAILS_MAX ||
                cn_headers_put(trailers, rpc->arena, "grpc-status-details-bin", details));
    }
    return (ok && cn_protocol_put_all(rpc, trailers, &rpc->trailers)) || cn_protocol_memory(rpc);
}

static bool cn_grpc_is_status_header(const char *name) {
    return strcmp(name, "grpc-status") == 0 || strcmp(name, "grpc-message") == 0 ||
        strcmp(name, "grpc-status-details-bin") == 0;
}

CN_PRIVATE bool cn_grpc_read_status(cn_rpc_t *rpc, const cn_headers_t *trailers, bool trailers_came) {
    connect_str_t status = cn_headers_find(trailers, CN_STR("grpc-status"));
    connect_str_t details = cn_headers_find(trailers, CN_STR("grpc-status-details-bin"));
    cn_headers_t metadata;
    uint64_t code;
    size_t i;
    size_t statuses = 0;
    memset(&metadata, 0, sizeof metadata);
    for (i = 0; i < trailers->count; i++)
        statuses += strcmp(trailers->items[i].name, "grpc-status") == 0;
    for (i = 0; i < trailers->count; i++)
        if (!cn_grpc_is_status_header(trailers->items[i].name) &&
            !cn_headers_put(&metadata, rpc->arena, trailers->items[i].name, trailers->items[i].value))
            return cn_protocol_memory(rpc);
    rpc->received_trailers = cn_headers_view(&metadata);
    if (!status.data)
        return cn_error_set(&rpc->error, trailers_came ? CONNECT_UNKNOWN : CONNECT_INTERNAL,
            trailers_came ? "the response's trailers have no grpc-status" : "the response ended without trailers");
    if (statuses > 1) return cn_error_set(&rpc->error, CONNECT_UNKNOWN, "the response has grpc-status twice");
    if (!cn_str_to_uint(cn_str_trim(status), 10, &code) || code > 16)
        return cn_error_print(&rpc->error, rpc->arena, CONNECT_UNKNOWN, "grpc-status is no code: \"%s\"",
            cn_str_quote(rpc->arena, status).data);
    if (code == 0) return true;
    if (details.data) {
        if (!cn_error_read_details_bin(&rpc->error, details, rpc->arena))
            return cn_error_set(&rpc->error, CONNECT_INTERNAL, "grpc-status-details-bin of the response is malformed");
        rpc->error.code = rpc->error.code == CONNECT_OK ? (connect_code_t)code : cn_code_of_error(rpc->error.code);
        return false;
    }
    cn_error_set(&rpc->error, (connect_code_t)code, "");
    rpc->error.message = cn_percent_decode(rpc->arena, cn_headers_find(trailers, CN_STR("grpc-message")), false);
    if (!rpc->error.message.data) rpc->error.message = CN_STR("");
    rpc->error.from_peer = true;
    return false;
}

CN_PRIVATE bool cn_grpc_server_open(cn_rpc_t *rpc) {
    connect_str_t timeout = cn_headers_find(&rpc->x->headers, CN_STR("grpc-timeout"));
    connect_str_t encoding = cn_headers_find(&rpc->x->headers, CN_STR("grpc-encoding"));
    if (!cn_protocol_negotiate(rpc, encoding, "grpc-encoding", "grpc-accept-encoding")) return false;
    if (timeout.data && !cn_timeout_read_grpc(timeout, &rpc->timeout_ms))
        return cn_error_print(&rpc->error, rpc->arena, CONNECT_INVALID_ARGUMENT,
            "grpc-timeout must be 1 to 8 digits and a unit of HMSmun, not \"%s\"",
            cn_str_quote(rpc->arena, timeout).data);
    return true;
}

CN_PRIVATE bool cn_grpc_server_head(cn_rpc_t *rpc, cn_head_t *head, const char *proto_type, const char *json_type) {
    cn_headers_t headers;
    memset(&headers, 0, sizeof headers);
    head->status = 200;
    if (!cn_headers_put(&headers, rpc->arena, "content-type", connect_str_of(rpc->json ? json_type : proto_type)) ||
        !cn_protocol_put_codings(rpc, &headers, "grpc-encoding", "grpc-accept-encoding", true) ||
        !cn_protocol_put_all(rpc, &headers, &rpc->headers))
        return cn_protocol_memory(rpc);
    cn_protocol_set_head(head, &headers);
    return true;
}

CN_PRIVATE bool cn_grpc_client_open(cn_rpc_t *rpc, connect_str_t bare_type) {
    connect_str_t content_type = cn_headers_find(&rpc->x->headers, CN_STR("content-type"));
    connect_str_t type = cn_protocol_media_type(content_type), codec;
    rpc->received_headers = cn_headers_view(&rpc->x->headers);
    if (rpc->x->status != 200)
        return cn_error_print(&rpc->error, rpc->arena, cn_code_from_http(rpc->x->status),
            "the server answered with HTTP status %d", rpc->x->status);
    codec = cn_str_starts(type, bare_type) ? cn_str(type.data + bare_type.len, type.len - bare_type.len) : type;
    if (!connect_str_equal(codec, rpc->json ? CN_STR("+json") : CN_STR("+proto")) && (rpc->json || codec.len != 0)) {
        bool is_other_codec = cn_str_starts(type, bare_type) && (codec.len == 0 || codec.data[0] == '+');
        return cn_error_print(&rpc->error, rpc->arena, is_other_codec ? CONNECT_INTERNAL : CONNECT_UNKNOWN,
            "unexpected content type \"%s\" in the response", cn_str_quote(rpc->arena, content_type).data);
    }
    return cn_protocol_check_response(rpc, "grpc-encoding");
}

#if CONNECT_ENABLE_GRPC
static bool cn_grpc_protocol_server_head(cn_rpc_t *rpc, cn_head_t *head) {
    return cn_grpc_server_head(rpc, head, "application/grpc", "application/grpc+json");
}

static bool cn_grpc_server_end(cn_rpc_t *rpc, connect_headers_t *trailers) {
    cn_headers_t list;
    memset(&list, 0, sizeof list);
    if (!cn_grpc_write_status(rpc, &list)) return false;
    *trailers = cn_headers_view(&list);
    return true;
}

static bool cn_grpc_client_head(cn_rpc_t *rpc, cn_head_t *head) {
    cn_headers_t headers;
    bool ok;
    memset(&headers, 0, sizeof headers);
    ok = cn_headers_put(&headers, rpc->arena, "content-type",
             rpc->json ? CN_STR("application/grpc+json") : CN_STR("application/grpc")) &&
        cn_headers_put(&headers, rpc->arena, "te", CN_STR("trailers")) &&
        cn_protocol_put_codings(rpc, &headers, "grpc-encoding", "grpc-accept-encoding", false);
    if (ok && rpc->timeout_ms != CN_TIMEOUT_NONE) {
        connect_str_t timeout = cn_timeout_write_grpc(rpc->arena, rpc->timeout_ms);
        ok = timeout.data && cn_headers_put(&headers, rpc->arena, "grpc-timeout", timeout);
    }
    if (ok && !cn_headers_find(&rpc->headers, CN_STR("user-agent")).data)
        ok = cn_headers_put(&headers, rpc->arena, "user-agent", CN_STR("grpc-c-connect/" CONNECT_VERSION_STRING));
    if (!ok || !cn_protocol_put_all(rpc, &headers, &rpc->headers)) return cn_protocol_memory(rpc);
    cn_protocol_set_head(head, &headers);
    return true;
}

static bool cn_grpc_protocol_client_open(cn_rpc_t *rpc) {
    return cn_grpc_client_open(rpc, CN_STR("application/grpc"));
}

static bool cn_grpc_client_end(cn_rpc_t *rpc, connect_str_t body) {
    (void)body;
    if (rpc->x->trailers.count == 0 && !rpc->received_body) {
        bool only = cn_headers_find(&rpc->x->headers, CN_STR("grpc-status")).data != NULL;
        if (only) rpc->received_headers.count = 0;
        return cn_grpc_read_status(rpc, only ? &rpc->x->headers : &rpc->x->trailers, only);
    }
    return cn_grpc_read_status(rpc, &rpc->x->trailers, rpc->x->trailers.count != 0);
}

CN_PRIVATE const cn_protocol_t *cn_grpc_protocol(void) {
    static const cn_protocol_t protocol = {CONNECT_PROTOCOL_GRPC, true, 0, CN_PROTOCOL_SERVER(cn_grpc_server_open),
        CN_PROTOCOL_SERVER(cn_grpc_protocol_server_head), CN_PROTOCOL_SERVER(cn_grpc_server_end),
        CN_PROTOCOL_CLIENT(cn_grpc_client_head), CN_PROTOCOL_CLIENT(cn_grpc_protocol_client_open), NULL,
        CN_PROTOCOL_CLIENT(cn_grpc_client_end), NULL, NULL};
    return &protocol;
}
#endif
