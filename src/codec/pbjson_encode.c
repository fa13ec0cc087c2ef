#include "base/buf.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/extension.h"
#include "codec/json.h"
#include "codec/map_key.h"
#include "codec/message.h"
#include "codec/number.h"
#include "codec/pbjson.h"
#include "codec/pbjson_shared.h"
#include "codec/wkt.h"

#if CONNECT_ENABLE_JSON
/* Messages as JSON, written; the forms are told in pbjson_decode.c.

   Encoding. Fields in the order of their numbers, as they are present; unknown fields are left out, but for
   extensions that options->schema knows. Of a map's entries
   with the same key the last is written; deterministic: in the order of the keys (text by bytes, numbers by value). */

typedef struct cn_pbjson_encoder_t {
    cn_json_writer_t writer;
    const connect_codec_options_t *options;
    connect_arena_t *arena; /* for the error's text; may be NULL */
    connect_error_t *error;
    const cn_pbjson_step_t *path;
    uint32_t depth_left;
    bool in_arena; /* the queue's block stands in the arena */
} cn_pbjson_encoder_t;

static bool cn_pbjson_write_message(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const void *message);

/* A queue in an arena gives back the room that it does not need now, or, if it failed, all of it: a fixed arena may
   have no other room. */
static void cn_pbjson_yield(cn_pbjson_encoder_t *encoder, bool keep) {
    cn_buf_t *out = encoder->writer.out;
    if (!encoder->in_arena || !out->block) return;
    if (!keep) out->end = 0;
    cn_arena_shrink(encoder->arena, out->block, out->capacity + CN_SLACK, out->end + CN_SLACK);
    out->capacity = out->end;
}

static bool cn_pbjson_reject(cn_pbjson_encoder_t *encoder, const char *reason) {
    cn_pbjson_text_t text;
    connect_str_t whole = {NULL, 0};
    if (!encoder->error) return false;
    cn_error_set(encoder->error, CONNECT_INVALID_ARGUMENT, reason); /* if the arena has no room for more */
    cn_pbjson_text_make(&text, encoder->path, reason, NULL);
    cn_pbjson_yield(encoder, false);
    if (encoder->arena) whole = connect_arena_copy(encoder->arena, cn_str(text.data, text.len));
    if (whole.data) encoder->error->message = whole;
    return false;
}

/* Whether the writer is well. */
static bool cn_pbjson_written(cn_pbjson_encoder_t *encoder) {
    if (CN_LIKELY(!encoder->writer.failed)) return true;
    return encoder->writer.out_of_memory ? cn_error_memory(encoder->error)
                                         : cn_pbjson_reject(encoder, "text that is not UTF-8");
}

static void cn_pbjson_write_not_finite(cn_pbjson_encoder_t *encoder, bool nan, bool negative) {
    cn_json_quoted(&encoder->writer, nan ? CN_STR("NaN") : negative ? CN_STR("-Infinity") : CN_STR("Infinity"));
}

static void cn_pbjson_write_enum(
    cn_pbjson_encoder_t *encoder, const connect_type_t *type, const connect_field_t *field, int32_t value) {
    const char *name;
    if (cn_pbjson_is_null_value(type, field) && (value == 0 || type->form == CONNECT_FORM_VALUE)) {
        cn_json_literal(&encoder->writer, CN_STR("null"));
        return;
    }
    name = encoder->options->json_enum_numbers ? NULL : connect_enum_name(type->enums[field->type], value);
    if (name)
        cn_json_quoted(&encoder->writer, connect_str_of(name));
    else
        cn_json_int(&encoder->writer, value, false);
}

/* at: where the member stands, or an item of a list. quoted: as a map's key. */
static inline CN_HOT bool cn_pbjson_write_scalar(
    cn_pbjson_encoder_t *encoder, const connect_type_t *type, const connect_field_t *field, const char *at) {
    switch (field->kind) {
    case CONNECT_KIND_BOOL: {
        bool value;
        memcpy(&value, at, sizeof value);
        cn_json_bool(&encoder->writer, value);
        break;
    }
    case CONNECT_KIND_INT32:
    case CONNECT_KIND_SINT32:
    case CONNECT_KIND_SFIXED32: {
        int32_t value;
        memcpy(&value, at, sizeof value);
        cn_json_int(&encoder->writer, value, false);
        break;
    }
    case CONNECT_KIND_UINT32:
    case CONNECT_KIND_FIXED32: {
        uint32_t value;
        memcpy(&value, at, sizeof value);
        cn_json_uint(&encoder->writer, value, false);
        break;
    }
    case CONNECT_KIND_INT64:
    case CONNECT_KIND_SINT64:
    case CONNECT_KIND_SFIXED64: {
        int64_t value;
        memcpy(&value, at, sizeof value);
        cn_json_int(&encoder->writer, value, true);
        break;
    }
    case CONNECT_KIND_UINT64:
    case CONNECT_KIND_FIXED64: {
        uint64_t value;
        memcpy(&value, at, sizeof value);
        cn_json_uint(&encoder->writer, value, true);
        break;
    }
    case CONNECT_KIND_FLOAT: {
        float value;
        memcpy(&value, at, sizeof value);
        if (value - value != 0)
            cn_pbjson_write_not_finite(encoder, value != value, value < 0);
        else
            cn_json_float(&encoder->writer, value);
        break;
    }
    case CONNECT_KIND_DOUBLE: {
        double value;
        memcpy(&value, at, sizeof value);
        if (value - value != 0)
            cn_pbjson_write_not_finite(encoder, value != value, value < 0);
        else
            cn_json_double(&encoder->writer, value);
        break;
    }
    case CONNECT_KIND_STRING: {
        connect_str_t value;
        memcpy(&value, at, sizeof value);
        cn_json_string(&encoder->writer, value);
        break;
    }
    case CONNECT_KIND_BYTES: {
        connect_str_t value;
        memcpy(&value, at, sizeof value);
        cn_json_base64(&encoder->writer, value, true);
        break;
    }
    default: {
        int32_t value;
        memcpy(&value, at, sizeof value);
        cn_pbjson_write_enum(encoder, type, field, value);
        break;
    }
    }
    return cn_pbjson_written(encoder);
}

/* One level down. */
static bool cn_pbjson_write_sub(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const void *message) {
    bool ok;
    if (encoder->depth_left == 0) return cn_pbjson_reject(encoder, "nested deeper than depth_max");
    encoder->depth_left--;
    ok = cn_pbjson_write_message(encoder, type, message);
    encoder->depth_left++;
    return ok;
}

/* The message that a member points to. */
static bool cn_pbjson_write_pointer(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const char *at) {
    const void *message;
    memcpy(&message, at, sizeof message);
    if (message) return cn_pbjson_write_sub(encoder, type, message);
    /* a oneof's or a map's: an empty message */
    if (type->form == CONNECT_FORM_PLAIN || type->form == CONNECT_FORM_EMPTY || type->form == CONNECT_FORM_ANY ||
        type->form == CONNECT_FORM_STRUCT) {
        cn_json_object_begin(&encoder->writer);
        cn_json_object_end(&encoder->writer);
    } else if (type->form == CONNECT_FORM_LIST) {
        cn_json_array_begin(&encoder->writer);
        cn_json_array_end(&encoder->writer);
    } else if (type->form == CONNECT_FORM_FIELD_MASK) {
        cn_json_quoted(&encoder->writer, CN_STR(""));
    } else if (type->form == CONNECT_FORM_TIMESTAMP) {
        cn_json_quoted(&encoder->writer, CN_STR("1970-01-01T00:00:00Z"));
    } else if (type->form == CONNECT_FORM_DURATION) {
        cn_json_quoted(&encoder->writer, CN_STR("0s"));
    } else if (type->form == CONNECT_FORM_WRAPPER) {
        static const char zero[sizeof(connect_str_t)] = {0};
        return cn_pbjson_write_scalar(encoder, type, &type->fields[0], zero);
    } else {
        return cn_pbjson_reject(encoder, "a google.protobuf.Value without a value");
    }
    return cn_pbjson_written(encoder);
}

static bool cn_pbjson_write_list(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const connect_field_t *field,
    cn_pbjson_step_t *step, const char *at) {
    const connect_type_t *item_type = cn_message_is_message(field) ? type->types[field->type] : NULL;
    const size_t size = cn_message_value_size(type, field);
    cn_message_list_t list;
    memcpy(&list, at, sizeof list);
    cn_json_array_begin(&encoder->writer);
    step->place = CN_PBJSON_ITEM;
    for (step->index = 0; step->index < list.count; step->index++) {
        const char *item = (const char *)list.items + step->index * size;
        if (!(item_type ? cn_pbjson_write_sub(encoder, item_type, item)
                        : cn_pbjson_write_scalar(encoder, type, field, item)))
            return false;
    }
    step->place = CN_PBJSON_MEMBER;
    cn_json_array_end(&encoder->writer);
    return cn_pbjson_written(encoder);
}

static bool cn_pbjson_write_entry(
    cn_pbjson_encoder_t *encoder, const connect_type_t *entry_type, cn_pbjson_step_t *step, const char *entry) {
    const connect_field_t *key = &entry_type->fields[0], *value = &entry_type->fields[1];
    const char *at = entry + key->offset;
    char text[CN_NUMBER_ROOM];
    int64_t signed_number = 0;
    uint64_t number = 0;
    step->key.data = text;
    step->key.len = 0;
    switch (key->kind) {
    case CONNECT_KIND_STRING: memcpy(&step->key, at, sizeof step->key); break;
    case CONNECT_KIND_BOOL: step->key = *at ? CN_STR("true") : CN_STR("false"); break;
    case CONNECT_KIND_UINT32:
    case CONNECT_KIND_FIXED32: {
        uint32_t narrow;
        memcpy(&narrow, at, sizeof narrow);
        number = narrow;
        step->key.len = cn_number_from_uint(text, number);
        break;
    }
    case CONNECT_KIND_UINT64:
    case CONNECT_KIND_FIXED64:
        memcpy(&number, at, sizeof number);
        step->key.len = cn_number_from_uint(text, number);
        break;
    case CONNECT_KIND_INT32:
    case CONNECT_KIND_SINT32:
    case CONNECT_KIND_SFIXED32: {
        int32_t narrow;
        memcpy(&narrow, at, sizeof narrow);
        signed_number = narrow;
        step->key.len = cn_number_from_int(text, signed_number);
        break;
    }
    default:
        memcpy(&signed_number, at, sizeof signed_number);
        step->key.len = cn_number_from_int(text, signed_number);
        break;
    }
    cn_json_name(&encoder->writer, step->key);
    if (!cn_pbjson_written(encoder)) return false;
    if (cn_message_is_message(value))
        return cn_pbjson_write_pointer(encoder, entry_type->types[value->type], entry + value->offset);
    return cn_pbjson_write_scalar(encoder, entry_type, value, entry + value->offset);
}

static bool cn_pbjson_write_sorted(cn_pbjson_encoder_t *encoder, const connect_type_t *entry_type,
    cn_pbjson_step_t *step, const cn_message_list_t *list) {
    const connect_allocator_t *allocator = encoder->writer.allocator;
    bool ordered = encoder->options->deterministic, ok = true;
    size_t i;
    const char **sorted = list->count < SIZE_MAX / sizeof *sorted
        ? (const char **)cn_mem_acquire(allocator, list->count * sizeof *sorted)
        : NULL;
    if (!sorted) return cn_error_memory(encoder->error);
    cn_map_key_sort(entry_type, sorted, *list);
    for (i = 1; i < list->count && !ordered; i++)
        ordered = cn_map_key_compare(entry_type, sorted[i - 1], sorted[i]) == 0;
    for (i = 0; i < list->count && ok; i++) {
        if (!ordered)
            ok = cn_pbjson_write_entry(encoder, entry_type, step, (const char *)list->items + i * entry_type->size);
        else if (i + 1 == list->count || cn_map_key_compare(entry_type, sorted[i], sorted[i + 1]) != 0)
            ok = cn_pbjson_write_entry(encoder, entry_type, step, sorted[i]);
    }
    cn_mem_release(allocator, (void *)sorted);
    return ok;
}

static bool cn_pbjson_write_map(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const connect_field_t *field,
    cn_pbjson_step_t *step, const char *at) {
    const connect_type_t *entry_type = type->types[field->type];
    cn_message_list_t list;
    size_t i;
    bool ascend;
    memcpy(&list, at, sizeof list);
    if (encoder->depth_left == 0) return cn_pbjson_reject(encoder, "nested deeper than depth_max");
    encoder->depth_left--;
    cn_json_object_begin(&encoder->writer);
    step->place = CN_PBJSON_ENTRY;
    ascend = cn_map_key_ascend(entry_type, list);
    if (!ascend && (encoder->options->deterministic || list.count > CN_PBJSON_KEY_PARTS)) {
        if (!cn_pbjson_write_sorted(encoder, entry_type, step, &list)) return false;
    } else {
        for (i = 0; i < list.count; i++) {
            if (!ascend && cn_map_key_again(entry_type, list, i)) continue;
            if (!cn_pbjson_write_entry(encoder, entry_type, step, (const char *)list.items + i * entry_type->size))
                return false;
        }
    }
    step->place = CN_PBJSON_MEMBER;
    cn_json_object_end(&encoder->writer);
    encoder->depth_left++;
    return cn_pbjson_written(encoder);
}

/* Written although it has its default value: it has no other way to be absent. */
static bool cn_pbjson_is_default_shown(const connect_field_t *field) {
    if (field->flags & CONNECT_FIELD_REPEATED) return true;
    return !cn_message_is_message(field) &&
        !(field->flags & (CONNECT_FIELD_HAS | CONNECT_FIELD_ONEOF | CONNECT_FIELD_NULLABLE));
}

static inline CN_HOT bool cn_pbjson_write_value_of(cn_pbjson_encoder_t *encoder, const connect_type_t *type,
    const connect_field_t *field, cn_pbjson_step_t *step, const char *at) {
    if (field->flags & CONNECT_FIELD_MAP) return cn_pbjson_write_map(encoder, type, field, step, at);
    if (field->flags & CONNECT_FIELD_REPEATED) return cn_pbjson_write_list(encoder, type, field, step, at);
    if (cn_message_is_message(field)) return cn_pbjson_write_pointer(encoder, type->types[field->type], at);
    return cn_pbjson_write_scalar(encoder, type, field, at);
}

static bool cn_pbjson_write_extension(
    cn_pbjson_encoder_t *encoder, const connect_extension_t *extension, const void *message) {
    const connect_type_t *type = extension->holder;
    const connect_field_t *field = cn_extension_field(extension);
    cn_pbjson_step_t step = {encoder->path, type, field, 0, {NULL, 0}, CN_PBJSON_MEMBER};
    const connect_allocator_t *allocator = encoder->writer.allocator;
    connect_str_t name;
    connect_arena_t scratch;
    void *holder;
    bool ok;
    encoder->path = &step;
    cn_pbjson_yield(encoder, true);
    connect_arena_init(&scratch, NULL, 0, allocator ? allocator : connect_allocator_libc());
    holder = connect_arena_take(&scratch, 1, type->size);
    name = connect_arena_printf(&scratch, "[%s]", type->full_name);
    if (!holder || !name.data) {
        ok = cn_error_memory(encoder->error);
    } else if (!connect_extension_get(extension, message, holder, &scratch)) {
        /* not of its type, or a number that its closed enum does not know: left out as an unknown field */
        ok = scratch.failed ? cn_error_memory(encoder->error) : true;
    } else {
        cn_json_name(&encoder->writer, name);
        ok = cn_pbjson_write_value_of(encoder, type, field, &step, (const char *)holder + field->offset);
    }
    connect_arena_free(&scratch);
    if (ok) encoder->path = step.outer;
    return ok;
}

/* Extensions, as far as the schema knows them. */
static bool cn_pbjson_write_extensions(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const void *message) {
    const connect_schema_t schema = encoder->options->schema;
    connect_str_list_t unknown;
    size_t i, j;
    if (!type->keeps_unknown) return true;
    memcpy(&unknown, (const char *)message + type->unknown, sizeof unknown);
    if (!unknown.count) return true;
    for (i = 0; i < schema.count; i++) {
        for (j = 0; j < schema.files[i]->extensions.count; j++) {
            const connect_extension_t *extension = schema.files[i]->extensions.items[j];
            if (extension->extendee != type || !cn_extension_has(extension, message)) continue;
            if (!cn_pbjson_write_extension(encoder, extension, message)) return false;
        }
    }
    return true;
}

static void cn_pbjson_write_name(cn_pbjson_encoder_t *encoder, const connect_type_t *type, size_t at) {
    connect_str_t name;
    name.data = type->names + at;
    name.len = cn_message_name_len(type->names, at);
    if (CN_LIKELY(name.len != 0))
        cn_json_clean_name(&encoder->writer, name);
    else
        cn_json_name(&encoder->writer, connect_str_of(name.data));
}

/* What stands between the braces. */
static bool cn_pbjson_write_members(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const void *message) {
    cn_pbjson_step_t step = {encoder->path, type, NULL, 0, {NULL, 0}, CN_PBJSON_MEMBER};
    const connect_field_t *missing;
    size_t i;
    encoder->path = &step;
    if (!encoder->options->partial && !cn_pbjson_required_present(type, message, &missing)) {
        step.field = missing;
        return cn_pbjson_reject(encoder, "required field is missing");
    }
    for (i = 0; i < type->field_count; i++) {
        const connect_field_t *field = &type->fields[i];
        if (!cn_message_has(field, message) && !(encoder->options->json_defaults && cn_pbjson_is_default_shown(field)))
            continue;
        step.field = field;
        cn_pbjson_write_name(encoder, type, encoder->options->json_proto_names ? field->name : field->json_name);
        if (!cn_pbjson_write_value_of(encoder, type, field, &step, (const char *)message + field->offset)) return false;
    }
    encoder->path = step.outer;
    return cn_pbjson_write_extensions(encoder, type, message);
}

/* ---- Encoding: forms of their own ---- */

static bool cn_pbjson_write_time(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const char *message) {
    const bool duration = type->form == CONNECT_FORM_DURATION;
    char text[CN_WKT_ROOM];
    int64_t seconds;
    int32_t nanos;
    size_t len;
    memcpy(&seconds, message + type->fields[0].offset, sizeof seconds);
    memcpy(&nanos, message + type->fields[1].offset, sizeof nanos);
    len = duration ? cn_wkt_duration_to_text(text, seconds, nanos) : cn_wkt_timestamp_to_text(text, seconds, nanos);
    if (!len) return cn_pbjson_reject(encoder, duration ? "a duration out of range" : "a time out of range");
    cn_json_quoted(&encoder->writer, cn_str(text, len));
    return cn_pbjson_written(encoder);
}

static bool cn_pbjson_write_field_mask(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const char *message) {
    const connect_allocator_t *allocator = encoder->writer.allocator;
    cn_message_list_t list;
    size_t i, len = 0, at = 0;
    bool ok = true;
    char *text;
    memcpy(&list, message + type->fields[0].offset, sizeof list);
    for (i = 0; i < list.count; i++) {
        connect_str_t path;
        memcpy(&path, (const char *)list.items + i * sizeof path, sizeof path);
        if (path.len >= SIZE_MAX / 2 - len) return cn_error_memory(encoder->error);
        len += path.len + 1;
    }
    text = (char *)cn_mem_acquire(allocator, len);
    if (!text) return cn_error_memory(encoder->error);
    for (i = 0; i < list.count && ok; i++) {
        connect_str_t path;
        memcpy(&path, (const char *)list.items + i * sizeof path, sizeof path);
        if (i) text[at++] = ',';
        ok = cn_wkt_path_to_json(text + at, &len, path);
        at += ok ? len : 0;
    }
    if (ok) cn_json_string(&encoder->writer, cn_str(text, at));
    cn_mem_release(allocator, text);
    return ok ? cn_pbjson_written(encoder)
              : cn_pbjson_reject(encoder, "a field path that lowerCamelCase cannot give back");
}

static bool cn_pbjson_write_value(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const char *message) {
    size_t i;
    for (i = 0; i < type->field_count; i++) {
        const connect_field_t *field = &type->fields[i];
        if (!cn_message_has(field, message)) continue;
        if (i == CN_PBJSON_VALUE_NUMBER) {
            double number;
            memcpy(&number, message + field->offset, sizeof number);
            if (number - number != 0)
                return cn_pbjson_reject(encoder, "a google.protobuf.Value that is not a finite number");
        }
        if (cn_message_is_message(field))
            return cn_pbjson_write_pointer(encoder, type->types[field->type], message + field->offset);
        return cn_pbjson_write_scalar(encoder, type, field, message + field->offset);
    }
    return cn_pbjson_reject(encoder, "a google.protobuf.Value without a value");
}

static bool cn_pbjson_write_only_field(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const char *message) {
    const connect_field_t *field = &type->fields[0];
    cn_pbjson_step_t step = {encoder->path, type, field, 0, {NULL, 0}, CN_PBJSON_MEMBER};
    encoder->path = &step;
    if (!cn_pbjson_write_value_of(encoder, type, field, &step, message + field->offset)) return false;
    encoder->path = step.outer;
    return true;
}

/* Decodes what an Any holds into the arena, and writes it. */
static bool cn_pbjson_write_any_held(cn_pbjson_encoder_t *encoder, const connect_type_t *held_type, connect_str_t url,
    connect_str_t bytes, connect_arena_t *scratch) {
    connect_codec_options_t options = {0};
    connect_error_t error = {CONNECT_OK, {NULL, 0}, {NULL, 0}, {NULL, 0}, 0, false, {0}};
    void *held = connect_arena_take(scratch, 1, held_type->size);
    if (!held) return cn_error_memory(encoder->error);
    options.depth_max = encoder->depth_left;
    options.memory_max = encoder->options->memory_max;
    options.partial = encoder->options->partial;
    options.drop_unknown = true;
    if (!connect_message_decode(held_type, held, bytes, scratch, &options, &error)) {
        if (scratch->failed) return cn_error_memory(encoder->error);
        return cn_pbjson_reject(encoder, "an Any that its type does not decode");
    }
    cn_json_object_begin(&encoder->writer);
    cn_json_name(&encoder->writer, CN_STR("@type"));
    cn_json_string(&encoder->writer, url);
    if (!cn_pbjson_written(encoder)) return false;
    if (cn_pbjson_any_has_value(held_type)) {
        cn_json_name(&encoder->writer, CN_STR("value"));
        if (!cn_pbjson_write_message(encoder, held_type, held)) return false;
    } else if (!cn_pbjson_write_members(encoder, held_type, held)) {
        return false;
    }
    cn_json_object_end(&encoder->writer);
    return cn_pbjson_written(encoder);
}

static bool cn_pbjson_write_any(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const char *message) {
    const connect_type_t *held_type;
    connect_str_t url, bytes;
    connect_arena_t scratch;
    bool ok;
    memcpy(&url, message + type->fields[0].offset, sizeof url);
    memcpy(&bytes, message + type->fields[1].offset, sizeof bytes);
    if (url.len == 0 && bytes.len == 0) {
        cn_json_object_begin(&encoder->writer);
        cn_json_object_end(&encoder->writer);
        return cn_pbjson_written(encoder);
    }
    held_type = cn_pbjson_any_type(encoder->options->schema, url);
    if (!held_type) return cn_pbjson_reject(encoder, "an Any of a type that the schema does not have");
    if (encoder->depth_left == 0) return cn_pbjson_reject(encoder, "nested deeper than depth_max");
    encoder->depth_left--;
    cn_pbjson_yield(encoder, true);
    connect_arena_init(
        &scratch, NULL, 0, encoder->writer.allocator ? encoder->writer.allocator : connect_allocator_libc());
    ok = cn_pbjson_write_any_held(encoder, held_type, url, bytes, &scratch);
    connect_arena_free(&scratch);
    encoder->depth_left++;
    return ok;
}

static bool cn_pbjson_write_message(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const void *message) {
    switch (type->form) {
    case CONNECT_FORM_ANY: return cn_pbjson_write_any(encoder, type, (const char *)message);
    case CONNECT_FORM_TIMESTAMP:
    case CONNECT_FORM_DURATION: return cn_pbjson_write_time(encoder, type, (const char *)message);
    case CONNECT_FORM_FIELD_MASK: return cn_pbjson_write_field_mask(encoder, type, (const char *)message);
    case CONNECT_FORM_STRUCT:
    case CONNECT_FORM_LIST: return cn_pbjson_write_only_field(encoder, type, (const char *)message);
    case CONNECT_FORM_VALUE: return cn_pbjson_write_value(encoder, type, (const char *)message);
    case CONNECT_FORM_WRAPPER:
        return cn_pbjson_write_scalar(encoder, type, &type->fields[0], (const char *)message + type->fields[0].offset);
    default:
        cn_json_object_begin(&encoder->writer);
        if (!cn_pbjson_write_members(encoder, type, message)) return false;
        cn_json_object_end(&encoder->writer);
        return cn_pbjson_written(encoder);
    }
}

static bool cn_pbjson_encode_to(const connect_type_t *type, const void *message, cn_buf_t *out,
    const connect_allocator_t *allocator, const connect_codec_options_t *options, connect_arena_t *arena, bool in_arena,
    connect_error_t *error) {
    const size_t before = cn_buf_len(out);
    cn_pbjson_encoder_t encoder;
    encoder.options = cn_pbjson_options(options);
    encoder.arena = arena;
    encoder.error = error;
    encoder.path = NULL;
    encoder.depth_left = encoder.options->depth_max ? encoder.options->depth_max : CN_MESSAGE_DEPTH;
    encoder.depth_left = CN_MIN(encoder.depth_left, (uint32_t)CN_MESSAGE_DEPTH_COPY);
    encoder.in_arena = in_arena;
    cn_json_write(&encoder.writer, out, allocator, encoder.options->json_pretty);
    if (cn_pbjson_write_message(&encoder, type, message)) return true;
    cn_buf_truncate(out, before);
    return false;
}

CN_PRIVATE bool cn_pbjson_encode(const connect_type_t *type, const void *message, cn_buf_t *out,
    const connect_allocator_t *allocator, const connect_codec_options_t *options, connect_arena_t *arena,
    connect_error_t *error) {
    return cn_pbjson_encode_to(type, message, out, allocator, options, arena, false, error);
}

/* ---- A queue in an arena ---- */

static void *cn_pbjson_arena_acquire(void *ctx, size_t size) {
    return cn_arena_raw((connect_arena_t *)ctx, size);
}

/* Not called: neither a queue nor an arena resizes. */
static void *cn_pbjson_arena_resize(void *ctx, void *block, size_t size) {
    (void)ctx;
    (void)block;
    (void)size;
    return NULL;
}

static void cn_pbjson_arena_release(void *ctx, void *block) {
    (void)ctx;
    (void)block;
}

connect_str_t connect_message_encode_json(const connect_type_t *type, const void *message, connect_arena_t *arena,
    const connect_codec_options_t *options, connect_error_t *error) {
    connect_allocator_t allocator = {cn_pbjson_arena_acquire, cn_pbjson_arena_resize, cn_pbjson_arena_release, NULL};
    const size_t room = (size_t)(arena->private_end - arena->private_next) & ~(size_t)15;
    connect_str_t text = {NULL, 0};
    cn_buf_t out = {NULL, 0, 0, 0};
    bool ok;
    allocator.ctx = arena;
    if (room > 2 * CN_SLACK) { /* all that the arena's block has left, to begin with */
        out.block = (char *)cn_arena_raw(arena, room);
        out.capacity = out.block ? room - CN_SLACK : 0;
    }
    ok = cn_pbjson_encode_to(type, message, &out, &allocator, options, arena, true, error);
    if (ok && !cn_buf_append(&out, &allocator, "", 1)) ok = cn_error_memory(error);
    if (out.block) cn_arena_shrink(arena, out.block, out.capacity + CN_SLACK, ok ? out.end : 0);
    if (!ok) return text;
    text.data = out.block;
    text.len = out.end - 1;
    return text;
}
#endif
