#include "base/str.h"
#include "base/mem.h"
#include "protocol/connect.h"
#include "protocol/grpc.h"
#include "protocol/grpcweb.h"
#include "protocol/protocol.h"

/* Which protocol a request speaks: by its content type, and for Connect by the kind of its method (unary calls have a
   bare body, streams have envelopes). For gRPC all kinds are alike. One table, sorted, is the server's decision
   and its Accept-Post header. */

typedef struct cn_recognise_row_t {
    connect_str_t type;
    unsigned without; /* a server with one of these bits does not take it */
    bool json, for_unary, for_streams;
    const cn_protocol_t *(*protocol)(void);
} cn_recognise_row_t;

#define CN_RECOGNISE_TYPE(literal) \
    { literal, sizeof(literal) - 1 }

static const cn_recognise_row_t cn_recognise_table[] = {
#if CONNECT_ENABLE_JSON
    {CN_RECOGNISE_TYPE("application/connect+json"), CN_PROTOCOL_NO_CONNECT | CN_PROTOCOL_NO_JSON, true, false, true,
        cn_connect_stream_protocol},
#endif
    {CN_RECOGNISE_TYPE("application/connect+proto"), CN_PROTOCOL_NO_CONNECT, false, false, true,
        cn_connect_stream_protocol},
#if CONNECT_ENABLE_GRPC
    {CN_RECOGNISE_TYPE("application/grpc"), CN_PROTOCOL_NO_GRPC, false, true, true, cn_grpc_protocol},
#if CONNECT_ENABLE_JSON
    {CN_RECOGNISE_TYPE("application/grpc+json"), CN_PROTOCOL_NO_GRPC | CN_PROTOCOL_NO_JSON, true, true, true,
        cn_grpc_protocol},
#endif
    {CN_RECOGNISE_TYPE("application/grpc+proto"), CN_PROTOCOL_NO_GRPC, false, true, true, cn_grpc_protocol},
#endif
#if CONNECT_ENABLE_GRPC_WEB
    {CN_RECOGNISE_TYPE("application/grpc-web"), CN_PROTOCOL_NO_GRPC_WEB, false, true, true, cn_grpcweb_protocol},
#if CONNECT_ENABLE_JSON
    {CN_RECOGNISE_TYPE("application/grpc-web+json"), CN_PROTOCOL_NO_GRPC_WEB | CN_PROTOCOL_NO_JSON, true, true, true,
        cn_grpcweb_protocol},
#endif
    {CN_RECOGNISE_TYPE("application/grpc-web+proto"), CN_PROTOCOL_NO_GRPC_WEB, false, true, true, cn_grpcweb_protocol},
    {CN_RECOGNISE_TYPE("application/grpc-web-text"), CN_PROTOCOL_NO_GRPC_WEB, false, true, true,
        cn_grpcweb_text_protocol},
#if CONNECT_ENABLE_JSON
    {CN_RECOGNISE_TYPE("application/grpc-web-text+json"), CN_PROTOCOL_NO_GRPC_WEB | CN_PROTOCOL_NO_JSON, true, true,
        true, cn_grpcweb_text_protocol},
#endif
    {CN_RECOGNISE_TYPE("application/grpc-web-text+proto"), CN_PROTOCOL_NO_GRPC_WEB, false, true, true,
        cn_grpcweb_text_protocol},
#endif
#if CONNECT_ENABLE_JSON
    {CN_RECOGNISE_TYPE("application/json"), CN_PROTOCOL_NO_CONNECT | CN_PROTOCOL_NO_JSON, true, true, false,
        cn_connect_unary_protocol},
#endif
    {CN_RECOGNISE_TYPE("application/proto"), CN_PROTOCOL_NO_CONNECT, false, true, false, cn_connect_unary_protocol},
};

static bool cn_recognise_fits(const cn_recognise_row_t *row, const connect_method_t *method, unsigned without) {
    if (row->without & without) return false;
    return method->kind == CONNECT_ANY_KIND || (method->kind == CONNECT_UNARY ? row->for_unary : row->for_streams);
}

CN_PRIVATE const cn_protocol_t *cn_protocol_recognise(
    connect_str_t content_type, const connect_method_t *method, unsigned without, bool *json) {
    connect_str_t type = cn_protocol_media_type(content_type);
    size_t i;
    for (i = 0; i < CN_LEN(cn_recognise_table); i++) {
        const cn_recognise_row_t *row = &cn_recognise_table[i];
        if (cn_str_equal_nocase(type, row->type) && cn_recognise_fits(row, method, without)) {
            *json = row->json;
            return row->protocol();
        }
    }
    return NULL;
}

CN_PRIVATE const cn_protocol_t *cn_protocol_recognise_get(
    connect_str_t query, connect_arena_t *arena, unsigned without, bool *json) {
    connect_str_t encoding;
    if ((without & CN_PROTOCOL_NO_CONNECT) || !cn_connect_get_parameter(query, CN_STR("encoding"), arena, &encoding))
        return NULL;
    *json = connect_str_equal(encoding, CN_STR("json"));
    if (*json) return CONNECT_ENABLE_JSON && !(without & CN_PROTOCOL_NO_JSON) ? cn_connect_get_protocol() : NULL;
    return connect_str_equal(encoding, CN_STR("proto")) ? cn_connect_get_protocol() : NULL;
}

CN_PRIVATE connect_str_t cn_protocol_accept_post(
    connect_arena_t *arena, const connect_method_t *method, unsigned without) {
    connect_str_t list = CN_STR("");
    size_t i;
    for (i = 0; list.data && i < CN_LEN(cn_recognise_table); i++) {
        const cn_recognise_row_t *row = &cn_recognise_table[i];
        if (cn_recognise_fits(row, method, without))
            list = connect_arena_printf(
                arena, CONNECT_STR_FMT "%s%s", CONNECT_STR_ARG(list), list.len ? ", " : "", row->type.data);
    }
    return list;
}

CN_PRIVATE const cn_protocol_t *cn_protocol_of(connect_protocol_t id, const connect_method_t *method) {
    switch (id) {
    case CONNECT_PROTOCOL_CONNECT:
        return method->kind == CONNECT_UNARY ? cn_connect_unary_protocol() : cn_connect_stream_protocol();
#if CONNECT_ENABLE_GRPC
    case CONNECT_PROTOCOL_GRPC: return cn_grpc_protocol();
#else
    case CONNECT_PROTOCOL_GRPC: return NULL;
#endif
#if CONNECT_ENABLE_GRPC_WEB
    case CONNECT_PROTOCOL_GRPC_WEB: return cn_grpcweb_protocol();
#else
    case CONNECT_PROTOCOL_GRPC_WEB: return NULL;
#endif
    default: return NULL;
    }
}
