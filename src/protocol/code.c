#include "protocol/code.h"
#include "base/str.h"

/* The sixteen codes of Connect and gRPC, their names in Connect's JSON, and the two tables between codes and HTTP
   statuses (Connect "Error Codes", "HTTP to Error Code"). The two are not inverse: 404 is sent for not_found, but a
   bare 404, which comes from something that is no RPC server, means unimplemented. */

static const struct {
    const char *name;
    int http;
} cn_code_table[] = {{"ok", 200}, {"canceled", 499}, {"unknown", 500}, {"invalid_argument", 400},
    {"deadline_exceeded", 504}, {"not_found", 404}, {"already_exists", 409}, {"permission_denied", 403},
    {"resource_exhausted", 429}, {"failed_precondition", 400}, {"aborted", 409}, {"out_of_range", 400},
    {"unimplemented", 501}, {"internal", 500}, {"unavailable", 503}, {"data_loss", 500}, {"unauthenticated", 401}};

static size_t cn_code_index(connect_code_t code) {
    return (int)code >= 0 && (size_t)code < CN_LEN(cn_code_table) ? (size_t)code : (size_t)CONNECT_UNKNOWN;
}

const char *connect_code_name(connect_code_t code) {
    return cn_code_table[cn_code_index(code)].name;
}

CN_PRIVATE bool cn_code_from_name(connect_str_t name, connect_code_t *code) {
    size_t i;
    for (i = 1; i < CN_LEN(cn_code_table); i++) {
        if (connect_str_equal(name, connect_str_of(cn_code_table[i].name))) {
            *code = (connect_code_t)i;
            return true;
        }
    }
    return false;
}

CN_PRIVATE int cn_code_to_http(connect_code_t code) {
    return cn_code_table[cn_code_index(code)].http;
}

CN_PRIVATE connect_code_t cn_code_from_http(int status) {
    switch (status) {
    case 400: return CONNECT_INTERNAL;
    case 401: return CONNECT_UNAUTHENTICATED;
    case 403: return CONNECT_PERMISSION_DENIED;
    case 404: return CONNECT_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504: return CONNECT_UNAVAILABLE;
    default: return CONNECT_UNKNOWN;
    }
}

CN_PRIVATE connect_code_t cn_code_of_error(connect_code_t code) {
    return (int)code > 0 && (size_t)code < CN_LEN(cn_code_table) ? code : CONNECT_UNKNOWN;
}
