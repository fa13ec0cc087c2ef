#include "base/mem.h"
#include "base/str.h"
#include "base/utf8.h"
#include "codec/message.h"
#include "codec/number.h"

/* A message as text, for people (protobuf.dev, "Text Format Language Specification"): what parsers of that format read
   back, but for unknown fields.

       name: value            one line for each value; two spaces for each level
       name { ... }           a message, an entry of a map { key: ... value: ... }, a group by the name of its type
       7: 42                  an unknown field: varints as decimal, fixed ones as hexadecimal, bytes as a string

   Strings: C escapes for quotes, backslashes and control characters; UTF-8 stands as it is, other bytes as three octal
   digits. Enums by name, or by number if they have none. Doubles and floats in the shortest digits that read back.
   Below CN_MESSAGE_DEPTH_COPY levels, and in unknown groups below CN_MESSAGE_DEPTH, stands "...". */

typedef struct cn_text_t { /* the text under way, at the end of the arena */
    connect_arena_t *arena;
    char *text;
    size_t len, room;
    bool failed;
} cn_text_t;

static void cn_text_put(cn_text_t *out, const char *bytes, size_t len) {
    if (out->failed) return;
    if (len >= out->room - out->len) { /* one byte is kept for the zero */
        const size_t room = out->room > SIZE_MAX / 4 || len > SIZE_MAX / 4 ? 0 : 2 * out->room + len + 128;
        char *text = room ? (char *)cn_arena_grow(out->arena, out->text, out->room, room) : NULL;
        if (!text) {
            out->failed = true;
            return;
        }
        out->text = text;
        out->room = room;
    }
    memcpy(out->text + out->len, bytes, len);
    out->len += len;
}

static void cn_text_puts(cn_text_t *out, const char *text) {
    cn_text_put(out, text, strlen(text));
}

static void cn_text_indent(cn_text_t *out, uint32_t level) {
    while (level-- > 0)
        cn_text_put(out, "  ", 2);
}

static void cn_text_quote(cn_text_t *out, connect_str_t text) {
    static const char escaped[] = "\n\r\t\"\'\\", letters[] = "nrt\"'\\";
    const bool utf8 = cn_utf8_valid(text);
    size_t i;
    cn_text_put(out, "\"", 1);
    for (i = 0; i < text.len; i++) {
        const unsigned char c = (unsigned char)text.data[i];
        const char *found = c ? strchr(escaped, c) : NULL;
        char part[4];
        if (found) {
            part[0] = '\\';
            part[1] = letters[found - escaped];
            cn_text_put(out, part, 2);
        } else if (c < 0x20 || c == 0x7F || (c >= 0x80 && !utf8)) {
            part[0] = '\\';
            part[1] = (char)('0' + (c >> 6));
            part[2] = (char)('0' + (c >> 3 & 7));
            part[3] = (char)('0' + (c & 7));
            cn_text_put(out, part, 4);
        } else {
            cn_text_put(out, text.data + i, 1);
        }
    }
    cn_text_put(out, "\"", 1);
}

static void cn_text_uint(cn_text_t *out, uint64_t value) {
    char digits[CN_NUMBER_ROOM];
    cn_text_put(out, digits, cn_number_from_uint(digits, value));
}

static void cn_text_int(cn_text_t *out, int64_t value) {
    char digits[CN_NUMBER_ROOM];
    cn_text_put(out, digits, cn_number_from_int(digits, value));
}

static void cn_text_float(cn_text_t *out, double value, bool single) {
    char digits[CN_NUMBER_ROOM];
    if (value != value)
        cn_text_puts(out, "nan");
    else if (value - value != 0)
        cn_text_puts(out, value < 0 ? "-inf" : "inf");
    else
        cn_text_put(
            out, digits, single ? cn_number_from_float(digits, (float)value) : cn_number_from_double(digits, value));
}

static void cn_text_scalar(cn_text_t *out, const connect_type_t *type, const connect_field_t *field, const char *at) {
    union {
        bool truth;
        float single;
        double wide;
        int32_t int32;
        uint32_t uint32;
        int64_t int64;
        uint64_t uint64;
        connect_str_t text;
    } value;
    const char *name;
    memset(&value, 0, sizeof value);
    memcpy(&value, at, cn_message_value_size(type, field));
    switch (field->kind) {
    case CONNECT_KIND_BOOL: cn_text_puts(out, value.truth ? "true" : "false"); break;
    case CONNECT_KIND_FLOAT: cn_text_float(out, (double)value.single, true); break;
    case CONNECT_KIND_DOUBLE: cn_text_float(out, value.wide, false); break;
    case CONNECT_KIND_STRING:
    case CONNECT_KIND_BYTES: cn_text_quote(out, value.text); break;
    case CONNECT_KIND_UINT32:
    case CONNECT_KIND_FIXED32: cn_text_uint(out, value.uint32); break;
    case CONNECT_KIND_UINT64:
    case CONNECT_KIND_FIXED64: cn_text_uint(out, value.uint64); break;
    case CONNECT_KIND_INT64:
    case CONNECT_KIND_SINT64:
    case CONNECT_KIND_SFIXED64: cn_text_int(out, value.int64); break;
    case CONNECT_KIND_ENUM:
        name = connect_enum_name(type->enums[field->type], value.int32);
        if (name) {
            cn_text_puts(out, name);
            break;
        }
        /* fall through */
    default: cn_text_int(out, value.int32); break;
    }
}

static void cn_text_message(cn_text_t *out, const connect_type_t *type, const char *message, uint32_t level);

/* at: of a value, not of the pointer to a message. */
static void cn_text_value(
    cn_text_t *out, const connect_type_t *type, const connect_field_t *field, const char *at, uint32_t level) {
    const bool message = field->kind == CONNECT_KIND_MESSAGE || field->kind == CONNECT_KIND_GROUP;
    const connect_type_t *inner = message ? type->types[field->type] : NULL;
    const char *name = type->names + field->name, *dot = inner ? strrchr(inner->full_name, '.') : NULL;
    cn_text_indent(out, level);
    if (field->kind == CONNECT_KIND_GROUP) { /* of proto2: the field is named as its type, in lower case */
        const char *type_name = dot ? dot + 1 : inner->full_name;
        if (cn_str_equal_nocase(connect_str_of(type_name), connect_str_of(name))) name = type_name;
    }
    cn_text_puts(out, name);
    if (!message) {
        cn_text_put(out, ": ", 2);
        cn_text_scalar(out, type, field, at);
        cn_text_put(out, "\n", 1);
        return;
    }
    cn_text_put(out, " {\n", 3);
    if (at) cn_text_message(out, inner, at, level + 1);
    cn_text_indent(out, level);
    cn_text_put(out, "}\n", 2);
}

static void cn_text_records(cn_text_t *out, connect_str_t bytes, uint32_t level, uint32_t depth) {
    connect_reader_t reader = {{NULL, 0}, false};
    connect_record_t record;
    char digits[24];
    reader.rest = bytes;
    while (connect_reader_next(&reader, &record)) {
        cn_text_indent(out, level);
        cn_text_uint(out, record.number);
        switch (record.wire) {
        case CONNECT_WIRE_VARINT:
            cn_text_put(out, ": ", 2);
            cn_text_uint(out, record.value);
            break;
        case CONNECT_WIRE_FIXED64:
        case CONNECT_WIRE_FIXED32:
            snprintf(digits, sizeof digits, record.wire == CONNECT_WIRE_FIXED64 ? ": 0x%016llx" : ": 0x%08llx",
                (unsigned long long)record.value);
            cn_text_puts(out, digits);
            break;
        case CONNECT_WIRE_BYTES:
            cn_text_put(out, ": ", 2);
            cn_text_quote(out, record.bytes);
            break;
        case CONNECT_WIRE_GROUP:
            cn_text_put(out, " {\n", 3);
            if (depth)
                cn_text_records(out, record.bytes, level + 1, depth - 1);
            else
                cn_text_puts(out, "...\n");
            cn_text_indent(out, level);
            cn_text_put(out, "}", 1);
            break;
        }
        cn_text_put(out, "\n", 1);
    }
}

static void cn_text_message(cn_text_t *out, const connect_type_t *type, const char *message, uint32_t level) {
    size_t i, j;
    if (level > CN_MESSAGE_DEPTH_COPY) {
        cn_text_puts(out, "...\n");
        return;
    }
    for (i = 0; i < type->field_count && !out->failed; i++) {
        const connect_field_t *field = &type->fields[i];
        const char *at = message + field->offset;
        if (!type->is_map_entry && !cn_message_has(field, message)) continue;
        if (field->flags & CONNECT_FIELD_REPEATED) {
            const size_t size = cn_message_value_size(type, field);
            cn_message_list_t list;
            memcpy(&list, at, sizeof list);
            for (j = 0; j < list.count && !out->failed; j++)
                cn_text_value(out, type, field, (const char *)list.items + j * size, level);
        } else if (field->kind == CONNECT_KIND_MESSAGE || field->kind == CONNECT_KIND_GROUP) {
            const char *sub;
            memcpy(&sub, at, sizeof sub);
            cn_text_value(out, type, field, sub, level);
        } else {
            cn_text_value(out, type, field, at, level);
        }
    }
    if (type->keeps_unknown) {
        connect_str_list_t unknown;
        memcpy(&unknown, message + type->unknown, sizeof unknown);
        for (i = 0; i < unknown.count; i++)
            cn_text_records(out, unknown.items[i], level, CN_MESSAGE_DEPTH);
    }
}

connect_str_t connect_message_encode_text(const connect_type_t *type, const void *message, connect_arena_t *arena) {
    cn_text_t out = {NULL, NULL, 0, 0, false};
    connect_str_t text = {NULL, 0};
    out.arena = arena;
    cn_text_put(&out, "", 0);
    cn_text_message(&out, type, (const char *)message, 0);
    if (out.failed) {
        if (out.text) cn_arena_shrink(arena, out.text, out.room, 0);
        return text;
    }
    out.text[out.len] = 0;
    cn_arena_shrink(arena, out.text, out.room, out.len + 1);
    text.data = out.text;
    text.len = out.len;
    return text;
}
