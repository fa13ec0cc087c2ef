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

CN_PRIVATE bool cn_protocol_check_compression(cn_rpc_t *rpc, const char *header, connect_code_t code) {
    connect_str_t name = cn_headers_find(&rpc->x->headers, header);
    if (name.len == 0 || connect_str_equal(name, CN_STR("identity"))) return true;
    return cn_error_print(&rpc->error, rpc->arena, code, "unknown compression \"%s\" in %s: identity is supported",
        cn_str_quote(rpc->arena, name).data, header);
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
