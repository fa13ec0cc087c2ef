#include "codec/pbjson_shared.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/message.h"
#include "codec/number.h"

#if CONNECT_ENABLE_JSON
/* Error texts of JSON. The path, "readings[3].celsius", is made when it is needed, from a chain of steps on the stack:
   one for each message that is being read or written. What a peer sent is never quoted for more than CN_PBJSON_QUOTED
   bytes altogether. */

#define CN_PBJSON_QUOTED 128 /* bytes of a peer's data in it */

static void cn_pbjson_text_add(cn_pbjson_text_t *text, const char *part) {
    size_t len = CN_MIN(strlen(part), sizeof text->data - 1 - text->len);
    memcpy(text->data + text->len, part, len);
    text->len += len;
    text->data[text->len] = 0;
}

static void cn_pbjson_text_add_uint(cn_pbjson_text_t *text, uint64_t value) {
    char digits[CN_NUMBER_ROOM];
    digits[cn_number_from_uint(digits, value)] = 0;
    cn_pbjson_text_add(text, digits);
}

/* In quotes; what is not printable ASCII as \xNN, and cut when a peer's share is used up. */
static void cn_pbjson_text_quote(cn_pbjson_text_t *text, connect_str_t peer_data) {
    static const char hex[] = "0123456789ABCDEF";
    size_t i;
    cn_pbjson_text_add(text, "\"");
    for (i = 0; i < peer_data.len && text->quoted < CN_PBJSON_QUOTED; i++, text->quoted++) {
        unsigned char c = (unsigned char)peer_data.data[i];
        char part[5] = {0};
        if (c >= 0x20 && c < 0x7F) {
            part[0] = (char)c;
        } else {
            part[0] = '\\';
            part[1] = 'x';
            part[2] = hex[c >> 4];
            part[3] = hex[c & 15];
        }
        cn_pbjson_text_add(text, part);
    }
    cn_pbjson_text_add(text, i < peer_data.len ? "...\"" : "\"");
}

static void cn_pbjson_text_add_path(cn_pbjson_text_t *text, const cn_pbjson_step_t *last) {
    const cn_pbjson_step_t *step = NULL, *inner;
    while (step != last) { /* outermost first, without recursion and without a list of them */
        for (inner = last; inner->outer != step; inner = inner->outer) {}
        step = inner;
        if (!step->field) continue;
        if (text->len) cn_pbjson_text_add(text, ".");
        cn_pbjson_text_add(text, step->type->names + step->field->name);
        if (step->place == CN_PBJSON_MEMBER) continue;
        cn_pbjson_text_add(text, "[");
        if (step->place == CN_PBJSON_ITEM)
            cn_pbjson_text_add_uint(text, step->index);
        else
            cn_pbjson_text_quote(text, step->key);
        cn_pbjson_text_add(text, "]");
    }
}

CN_PRIVATE void cn_pbjson_text_make(
    cn_pbjson_text_t *text, const cn_pbjson_step_t *path, const char *reason, const connect_str_t *peer_data) {
    text->len = text->quoted = 0;
    text->data[0] = 0;
    if (path) cn_pbjson_text_add_path(text, path);
    if (text->len) {
        if (text->len > CN_PBJSON_TEXT - 200) { /* the reason must fit */
            text->len = CN_PBJSON_TEXT - 200;
            cn_pbjson_text_add(text, "...");
        }
        cn_pbjson_text_add(text, ": ");
    }
    cn_pbjson_text_add(text, reason);
    if (peer_data) {
        cn_pbjson_text_add(text, " ");
        cn_pbjson_text_quote(text, *peer_data);
    }
}

CN_PRIVATE const connect_codec_options_t *cn_pbjson_options(const connect_codec_options_t *options_or_null) {
    static const connect_codec_options_t defaults = {0};
    return options_or_null ? options_or_null : &defaults;
}

CN_PRIVATE bool cn_pbjson_is_null_value(const connect_type_t *type, const connect_field_t *field) {
    return field->kind == CONNECT_KIND_ENUM &&
        strcmp(type->enums[field->type]->full_name, "google.protobuf.NullValue") == 0;
}

CN_PRIVATE bool cn_pbjson_required_present(
    const connect_type_t *type, const void *message, const connect_field_t **missing) {
    size_t i;
    if (!type->has_required) return true;
    for (i = 0; i < type->field_count; i++) {
        *missing = &type->fields[i];
        if (((*missing)->flags & CONNECT_FIELD_REQUIRED) && !cn_message_has(*missing, message)) return false;
    }
    return true;
}

CN_PRIVATE const connect_type_t *cn_pbjson_any_type(connect_schema_t schema, connect_str_t url) {
    size_t slash = url.len, i, j;
    while (slash > 0 && url.data[slash - 1] != '/')
        slash--;
    if (slash < 2) return NULL;
    url.data += slash;
    url.len -= slash;
    for (i = 0; i < schema.count; i++) {
        const connect_file_t *file = schema.files[i];
        for (j = 0; j < file->types.count; j++) {
            const connect_type_t *type = file->types.items[j];
            if (!type->is_map_entry && connect_str_equal(connect_str_of(type->full_name), url)) return type;
        }
    }
    return NULL;
}

CN_PRIVATE const connect_extension_t *cn_pbjson_extension(
    connect_schema_t schema, const connect_type_t *type, connect_str_t name) {
    size_t i, j;
    if (name.len < 3 || name.data[0] != '[' || name.data[name.len - 1] != ']') return NULL;
    name.data++;
    name.len -= 2;
    for (i = 0; i < schema.count; i++) {
        const connect_file_t *file = schema.files[i];
        for (j = 0; j < file->extensions.count; j++) {
            const connect_extension_t *extension = file->extensions.items[j];
            if (extension->extendee == type && connect_str_equal(connect_str_of(extension->holder->full_name), name))
                return extension;
        }
    }
    return NULL;
}

CN_PRIVATE bool cn_pbjson_any_has_value(const connect_type_t *type) {
    return type->form != CONNECT_FORM_PLAIN && type->form != CONNECT_FORM_EMPTY;
}
#endif
