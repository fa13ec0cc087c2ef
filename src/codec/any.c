#include "base/error.h"
#include "base/str.h"

/* google.protobuf.Any (any.proto): a type URL, whose part behind the last slash is the type's full name, and the
   message in binary. Written with "type.googleapis.com/" in front, as everybody does; read with anything. */

bool connect_any_pack(connect_str_t *type_url, connect_str_t *value, const connect_type_t *type, const void *message,
    connect_arena_t *arena, connect_error_t *error) {
    const connect_str_t url = connect_arena_printf(arena, "type.googleapis.com/%s", type->full_name);
    connect_str_t bytes;
    if (!url.data) return cn_error_memory(error);
    bytes = connect_message_encode(type, message, arena, NULL, error);
    if (!bytes.data) return false;
    *type_url = url;
    *value = bytes;
    return true;
}

static connect_str_t cn_any_name(connect_str_t url) {
    size_t slash = url.len;
    while (slash > 0 && url.data[slash - 1] != '/')
        slash--;
    return cn_str(url.data + slash, slash ? url.len - slash : 0);
}

bool connect_any_is(connect_str_t type_url, const connect_type_t *type) {
    return connect_str_equal(cn_any_name(type_url), connect_str_of(type->full_name));
}

bool connect_any_unpack(connect_str_t type_url, connect_str_t value, const connect_type_t *type, void *message,
    connect_arena_t *arena, const connect_codec_options_t *options, connect_error_t *error) {
    if (!connect_any_is(type_url, type))
        return cn_error_print(error, arena, CONNECT_INVALID_ARGUMENT, "an Any of \"%s\" is no %s",
            cn_str_quote(arena, type_url).data, type->full_name);
    return connect_message_decode(type, message, value, arena, options, error);
}
