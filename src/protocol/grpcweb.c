#include "protocol/grpcweb.h"
#include "base/base64.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "protocol/envelope.h"
#include "protocol/grpc.h"
#include "protocol/timeout.h"

/* gRPC-Web ("PROTOCOL-WEB"): gRPC for what cannot read HTTP trailers, over HTTP/1.1 and HTTP/2. The response ends
   with an envelope of flag 0x80 whose payload is a block of HTTP/1 header lines: `name: value` CRLF, names in lower
   case, no empty line behind. A reader takes names in any case, spaces around values, LF alone, and a final empty
   line. A response without any body may have the status in its headers ("Trailers-Only"); ours never does. If there
   is an envelope of trailers, a grpc-status in the headers means nothing.

   Text mode (application/grpc-web-text): both bodies are the same envelopes in base64, of the standard alphabet. It is
   padded wherever something was flushed, so that padding may stand in the middle: each four characters are read by
   themselves, and what a piece of the body leaves of them is kept in `quantum`. Written: each message, and the
   trailers, padded by itself. The response is text if the request is; metadata in -bin stays in base64. */

#if CONNECT_ENABLE_GRPC_WEB
static bool cn_grpcweb_server_head(cn_rpc_t *rpc, cn_head_t *head) {
    return cn_grpc_server_head(rpc, head, "application/grpc-web+proto", "application/grpc-web+json");
}

static bool cn_grpcweb_text_server_head(cn_rpc_t *rpc, cn_head_t *head) {
    return cn_grpc_server_head(rpc, head, "application/grpc-web-text+proto", "application/grpc-web-text+json");
}

static bool cn_grpcweb_append(cn_rpc_t *rpc, const connect_header_t *header) {
    cn_buf_t *out = &rpc->x->out;
    return cn_buf_append(out, rpc->allocator, header->name, strlen(header->name)) &&
        cn_buf_append(out, rpc->allocator, ": ", 2) && cn_buf_append_str(out, rpc->allocator, header->value) &&
        cn_buf_append(out, rpc->allocator, "\r\n", 2);
}

static bool cn_grpcweb_server_end(cn_rpc_t *rpc, connect_headers_t *trailers) {
    cn_buf_t *out = &rpc->x->out;
    size_t before = cn_buf_len(out), i;
    char head[CN_ENVELOPE_HEAD] = {0};
    cn_headers_t list;
    bool ok;
    (void)trailers;
    memset(&list, 0, sizeof list);
    if (!cn_grpc_write_status(rpc, &list)) return false;
    ok = cn_buf_append(out, rpc->allocator, head, sizeof head);
    for (i = 0; ok && i < list.count; i++)
        ok = cn_grpcweb_append(rpc, &list.items[i]);
    if (!ok) {
        cn_buf_truncate(out, before);
        return cn_protocol_memory(rpc);
    }
    cn_envelope_write(out->block + out->start + before, CN_ENVELOPE_TRAILERS,
        (uint32_t)(cn_buf_len(out) - before - CN_ENVELOPE_HEAD));
    return !rpc->protocol->server_send || rpc->protocol->server_send(rpc, before);
}

/* Decodes base64 that is padded at its end only, in groups of four. */
static bool cn_grpcweb_decode(cn_rpc_t *rpc, connect_str_t text, cn_buf_t *in) {
    char *to = cn_buf_reserve(in, rpc->allocator, cn_base64_decoded_max(text.len));
    size_t len;
    if (!to) return cn_protocol_memory(rpc);
    if (!cn_base64_decode(to, &len, text))
        return cn_error_set(&rpc->error, CONNECT_INVALID_ARGUMENT, "the body of the request is not valid base64");
    cn_buf_commit(in, len);
    return true;
}

static bool cn_grpcweb_server_receive(cn_rpc_t *rpc, connect_str_t piece, cn_buf_t *in) {
    while (piece.len) {
        const char *padding = (const char *)memchr(piece.data, '=', piece.len);
        size_t whole = (padding ? (size_t)(padding - piece.data) : piece.len) / 4 * 4;
        if (rpc->quantum_len || whole == 0) { /* one group by itself: it was begun before, is padded, or is cut off */
            size_t take = CN_MIN(sizeof rpc->quantum - rpc->quantum_len, piece.len);
            memcpy(rpc->quantum + rpc->quantum_len, piece.data, take);
            rpc->quantum_len = (uint8_t)(rpc->quantum_len + take);
            piece = cn_str(piece.data + take, piece.len - take);
            if (rpc->quantum_len < sizeof rpc->quantum) return true;
            rpc->quantum_len = 0;
            if (!cn_grpcweb_decode(rpc, cn_str(rpc->quantum, sizeof rpc->quantum), in)) return false;
        } else {
            if (!cn_grpcweb_decode(rpc, cn_str(piece.data, whole), in)) return false;
            piece = cn_str(piece.data + whole, piece.len - whole);
        }
    }
    return true;
}

static bool cn_grpcweb_server_send(cn_rpc_t *rpc, size_t from) {
    cn_buf_t *out = &rpc->x->out;
    const size_t len = cn_buf_len(out) - from, encoded = cn_base64_encoded_len(len, true);
    char *to = cn_buf_reserve(out, rpc->allocator, encoded);
    if (!to) {
        cn_buf_truncate(out, from);
        return cn_protocol_memory(rpc);
    }
    cn_base64_encode(to, cn_str(to - len, len), true);
    cn_buf_truncate(out, from); /* an empty queue begins at its block's start */
    memmove(out->block + out->end, to, encoded);
    cn_buf_commit(out, encoded);
    return true;
}

static bool cn_grpcweb_client_head(cn_rpc_t *rpc, cn_head_t *head) {
    static const connect_str_t agent = {
        "grpc-c-connect/" CONNECT_VERSION_STRING, sizeof "grpc-c-connect/" CONNECT_VERSION_STRING - 1};
    cn_headers_t headers;
    bool ok;
    memset(&headers, 0, sizeof headers);
    ok = cn_headers_put(&headers, rpc->arena, "content-type",
             rpc->json ? CN_STR("application/grpc-web+json") : CN_STR("application/grpc-web+proto")) &&
        cn_headers_put(&headers, rpc->arena, "accept-encoding", CN_STR("identity")) &&
        cn_headers_put(&headers, rpc->arena, "x-grpc-web", CN_STR("1")) &&
        cn_headers_put(&headers, rpc->arena, "x-user-agent", agent) &&
        cn_protocol_put_codings(rpc, &headers, "grpc-encoding", "grpc-accept-encoding", false);
    if (ok && rpc->timeout_ms != CN_TIMEOUT_NONE) {
        connect_str_t timeout = cn_timeout_write_grpc(rpc->arena, rpc->timeout_ms);
        ok = timeout.data && cn_headers_put(&headers, rpc->arena, "grpc-timeout", timeout);
    }
    if (ok && !cn_headers_find(&rpc->headers, CN_STR("user-agent")).data)
        ok = cn_headers_put(&headers, rpc->arena, "user-agent", agent);
    if (!ok || !cn_protocol_put_all(rpc, &headers, &rpc->headers)) return cn_protocol_memory(rpc);
    cn_protocol_set_head(head, &headers);
    return true;
}

static bool cn_grpcweb_client_open(cn_rpc_t *rpc) {
    return cn_grpc_client_open(rpc, CN_STR("application/grpc-web"));
}

static bool cn_grpcweb_client_end_envelope(cn_rpc_t *rpc, connect_str_t payload) {
    connect_str_t line;
    cn_headers_t list;
    memset(&list, 0, sizeof list);
    rpc->ended = true;
    while (cn_str_split(&payload, '\n', &line)) {
        connect_str_t name;
        line = cn_str_trim(line);
        if (line.len && line.data[line.len - 1] == '\r') line.len--;
        if (line.len == 0) continue;
        if (!cn_str_split(&line, ':', &name) || !line.data || !cn_header_name_valid(name) ||
            !cn_header_value_valid(cn_str_trim(line)))
            return cn_error_set(&rpc->error, CONNECT_INTERNAL, "the trailers of the gRPC-Web response are malformed");
        switch (cn_headers_receive(&list, rpc->arena, rpc->limits, name, cn_str_trim(line))) {
        case CN_HEADERS_OK: break;
        case CN_HEADERS_TOO_LARGE:
            return cn_error_set(&rpc->error, CONNECT_RESOURCE_EXHAUSTED,
                "the trailers of the response are over limits.header_bytes or limits.header_count");
        case CN_HEADERS_NO_MEMORY: return cn_protocol_memory(rpc);
        }
    }
    return cn_grpc_read_status(rpc, &list, true);
}

static bool cn_grpcweb_client_end(cn_rpc_t *rpc, connect_str_t body) {
    (void)body;
    if (rpc->ended) return rpc->error.code == CONNECT_OK;
    if (!rpc->received_body && cn_headers_find(&rpc->x->headers, CN_STR("grpc-status")).data) {
        rpc->received_headers.count = 0;
        return cn_grpc_read_status(rpc, &rpc->x->headers, true);
    }
    return cn_error_set(&rpc->error, CONNECT_INTERNAL, "the response ended without trailers");
}

CN_PRIVATE const cn_protocol_t *cn_grpcweb_protocol(void) {
    static const cn_protocol_t protocol = {CONNECT_PROTOCOL_GRPC_WEB, true, CN_ENVELOPE_TRAILERS,
        CN_PROTOCOL_SERVER(cn_grpc_server_open), CN_PROTOCOL_SERVER(cn_grpcweb_server_head),
        CN_PROTOCOL_SERVER(cn_grpcweb_server_end), CN_PROTOCOL_CLIENT(cn_grpcweb_client_head),
        CN_PROTOCOL_CLIENT(cn_grpcweb_client_open), CN_PROTOCOL_CLIENT(cn_grpcweb_client_end_envelope),
        CN_PROTOCOL_CLIENT(cn_grpcweb_client_end), NULL, NULL};
    return &protocol;
}

CN_PRIVATE const cn_protocol_t *cn_grpcweb_text_protocol(void) {
    static const cn_protocol_t protocol = {CONNECT_PROTOCOL_GRPC_WEB, true, CN_ENVELOPE_TRAILERS, cn_grpc_server_open,
        cn_grpcweb_text_server_head, cn_grpcweb_server_end, NULL, NULL, NULL, NULL, cn_grpcweb_server_receive,
        cn_grpcweb_server_send};
    return &protocol;
}
#endif
