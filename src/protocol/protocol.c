#include "protocol/protocol.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"

/* What the protocols share: media types, the compression header, lists of headers.

   Media types compare in any case; `charset=utf-8` is passed over, any other parameter makes a type unknown. */

CN_PRIVATE connect_str_t cn_protocol_media_type(connect_str_t content_type) {
    connect_str_t rest = content_type, type, parameter;
    if (!cn_str_split(&rest, ';', &type)) return CN_STR("");
    while (cn_str_split(&rest, ';', &parameter)) {
        connect_str_t name;
        parameter = cn_str_trim(parameter);
        if (parameter.len == 0) continue;
        if (!cn_str_split(&parameter, '=', &name) || !cn_str_equal_nocase(name, CN_STR("charset"))) return CN_STR("");
        if (!cn_str_equal_nocase(parameter, CN_STR("utf-8")) && !cn_str_equal_nocase(parameter, CN_STR("\"utf-8\"")))
            return CN_STR("");
    }
    return cn_str_trim(type);
}

CN_PRIVATE bool cn_protocol_set_received(cn_rpc_t *rpc, connect_str_t name, const char *where, connect_code_t code) {
    const cn_coding_t *coding;
    name = name.len ? cn_str_trim(name) : name;
    if (name.len == 0 || cn_str_equal_nocase(name, CN_STR("identity"))) return true;
    coding = cn_codings_find(rpc->codings, name);
    if (coding && coding->accepted) {
        rpc->coding_received = coding;
        return true;
    }
    return cn_error_print(&rpc->error, rpc->arena, code,
        "unknown compression \"%s\" in %s: supported are " CONNECT_STR_FMT "%sidentity",
        cn_str_quote(rpc->arena, name).data, where, CONNECT_STR_ARG(rpc->codings->accept),
        rpc->codings->accept.len ? ", " : "");
}

CN_PRIVATE bool cn_protocol_check_response(cn_rpc_t *rpc, const char *header) {
    return cn_protocol_set_received(
        rpc, cn_headers_find(&rpc->x->headers, connect_str_of(header)), header, CONNECT_INTERNAL);
}

CN_PRIVATE bool cn_protocol_negotiate(cn_rpc_t *rpc, connect_str_t name, const char *where, const char *accept_header) {
    const cn_coding_t *chosen;
    rpc->peer_accepts = cn_headers_find(&rpc->x->headers, connect_str_of(accept_header));
    if (!cn_protocol_set_received(rpc, name, where, CONNECT_UNIMPLEMENTED)) {
        rpc->list_codings = true;
        return false;
    }
    chosen = rpc->free_choice ? rpc->coding_received : rpc->coding_sent;
    if (chosen && !cn_protocol_peer_takes(rpc, chosen)) chosen = NULL;
    if (!chosen && rpc->free_choice && rpc->peer_accepts.data)
        chosen = cn_codings_first_of_list(rpc->codings, rpc->peer_accepts);
    rpc->coding_announced = rpc->coding_sent = chosen;
    return true;
}

CN_PRIVATE bool cn_protocol_peer_takes(const cn_rpc_t *rpc, const cn_coding_t *coding) {
    return rpc->peer_accepts.data ? cn_coding_in_list(coding, rpc->peer_accepts) : coding == rpc->coding_received;
}

CN_PRIVATE bool cn_protocol_put_codings(
    cn_rpc_t *rpc, cn_headers_t *headers, const char *name, const char *accept_name, bool is_server) {
    const bool lists = is_server ? rpc->list_codings : rpc->codings->accept.len != 0;
    if (rpc->coding_announced && rpc->error.code == CONNECT_OK &&
        !cn_headers_put(headers, rpc->arena, name, connect_str_of(rpc->coding_announced->name)))
        return false;
    return !lists ||
        cn_headers_put(
            headers, rpc->arena, accept_name, rpc->codings->accept.len ? rpc->codings->accept : CN_STR("identity"));
}

CN_PRIVATE bool cn_protocol_memory(cn_rpc_t *rpc) {
    return cn_error_memory(&rpc->error);
}

CN_PRIVATE bool cn_protocol_put_all(cn_rpc_t *rpc, cn_headers_t *headers, const cn_headers_t *metadata) {
    size_t i;
    for (i = 0; i < metadata->count; i++)
        if (!cn_headers_put(headers, rpc->arena, metadata->items[i].name, metadata->items[i].value))
            return cn_protocol_memory(rpc);
    return true;
}

CN_PRIVATE void cn_protocol_set_head(cn_head_t *head, const cn_headers_t *headers) {
    head->headers = headers->items;
    head->header_count = headers->count;
}
