/* Messages whose types are in the model, as custom options are: kept by their values, read from and written to the
   wire (protobuf.dev, "Encoding").

   An object has its items by the number of their fields, those of one field in the order they came in; a field that is
   not repeated has one at most, messages merge; the entry of a map has key and value. So an object comes out the same
   on the wire however it was put together. Repeated fields are never packed: readers take both.

   Fields with retention = RETENTION_SOURCE are not written: they are for who reads the source. What is in groups is
   read and written as in other messages. Depth: GEN_OBJECT_DEPTH_MAX levels. */
#include "gen/object.h"

#define GEN_OBJECT_DEPTH_MAX 100u
#define GEN_OBJECT_RETENTION_SOURCE 2

GEN_PRIVATE const gen_item_t *gen_object_get(const gen_object_t *object, const char *name) {
    const gen_item_t *item = object ? object->items : NULL;
    while (item && (item->field->extendee_name || strcmp(item->field->name, name) != 0))
        item = item->next;
    return item;
}

GEN_PRIVATE gen_item_t *gen_object_find(const gen_object_t *object, const gen_field_t *field) {
    gen_item_t *item = object->items;
    while (item && item->field != field)
        item = item->next;
    return item;
}

GEN_PRIVATE gen_item_t *gen_object_add(
    gen_context_t *ctx, gen_object_t *object, const gen_field_t *field, gen_at_t at) {
    gen_item_t *item = CONNECT_NEW(&ctx->arena, gen_item_t, 1), **link = &object->items;
    item->field = field;
    item->at = at;
    if (object->last && object->last->field->number <= field->number) link = &object->last->next;
    while (*link && (*link)->field->number <= field->number)
        link = &(*link)->next;
    item->next = *link;
    *link = item;
    if (!item->next) object->last = item;
    if (field->type) {
        item->message = CONNECT_NEW(&ctx->arena, gen_object_t, 1);
        item->message->type = field->type;
    }
    return item;
}

GEN_PRIVATE void gen_object_complete(gen_context_t *ctx, gen_object_t *entry, gen_at_t at) {
    const gen_field_t *field;
    for (field = entry->type->fields.first; field; field = field->next) {
        if (!gen_object_find(entry, field)) gen_object_add(ctx, entry, field, at);
    }
}

GEN_PRIVATE void gen_object_clear_oneof(gen_object_t *object, const gen_oneof_t *oneof) {
    gen_item_t **link = &object->items;
    object->last = NULL;
    while (*link) {
        if ((*link)->field->oneof == oneof) {
            *link = (*link)->next;
        } else {
            object->last = *link;
            link = &(*link)->next;
        }
    }
}

GEN_PRIVATE bool gen_object_is_true(const gen_object_t *object, const char *name) {
    const gen_item_t *item = gen_object_get(object, name);
    return item && item->bits != 0;
}

GEN_PRIVATE int32_t gen_object_number(const gen_object_t *object, const char *name, int32_t otherwise) {
    const gen_item_t *item = gen_object_get(object, name);
    return item ? (int32_t)item->bits : otherwise;
}

GEN_PRIVATE const char *gen_object_text(gen_context_t *ctx, const gen_object_t *object, const char *name) {
    const gen_item_t *item = gen_object_get(object, name);
    return item ? gen_source_copy(ctx, item->text) : NULL;
}

/* ---- To the wire ---- */

static bool gen_object_is_for_sources(const gen_field_t *field) {
    return gen_object_number(field->options.object, "retention", 0) == GEN_OBJECT_RETENTION_SOURCE;
}

static void gen_object_put(gen_context_t *ctx, connect_writer_t *writer, const gen_item_t *item) {
    const uint32_t number = (uint32_t)item->field->number;
    const connect_kind_t kind = (connect_kind_t)item->field->kind;
    const int32_t narrow = (int32_t)(uint32_t)item->bits;
    const uint32_t narrow_bits = (uint32_t)item->bits;
    const bool truth = item->bits != 0;
    connect_str_t bytes;
    double wide_float;
    float narrow_float;
    switch (kind) {
    case CONNECT_KIND_STRING:
    case CONNECT_KIND_BYTES: connect_writer_put(writer, number, CONNECT_KIND_BYTES, &item->text); break;
    case CONNECT_KIND_MESSAGE:
    case CONNECT_KIND_GROUP:
        bytes = gen_object_encode(ctx, item->message);
        connect_writer_put(writer, number, kind, &bytes);
        break;
    case CONNECT_KIND_DOUBLE:
        memcpy(&wide_float, &item->bits, sizeof wide_float);
        connect_writer_put(writer, number, kind, &wide_float);
        break;
    case CONNECT_KIND_FLOAT:
        memcpy(&narrow_float, &narrow_bits, sizeof narrow_float);
        connect_writer_put(writer, number, kind, &narrow_float);
        break;
    case CONNECT_KIND_BOOL: connect_writer_put(writer, number, kind, &truth); break;
    case CONNECT_KIND_INT64:
    case CONNECT_KIND_UINT64:
    case CONNECT_KIND_SINT64:
    case CONNECT_KIND_FIXED64:
    case CONNECT_KIND_SFIXED64: connect_writer_put(writer, number, kind, &item->bits); break;
    case CONNECT_KIND_UINT32:
    case CONNECT_KIND_FIXED32: connect_writer_put(writer, number, kind, &narrow_bits); break;
    default: connect_writer_put(writer, number, kind, &narrow); break;
    }
}

GEN_PRIVATE connect_str_t gen_object_encode(gen_context_t *ctx, const gen_object_t *object) {
    connect_writer_t writer = {NULL, {NULL, 0}, false, 0};
    const gen_item_t *item;
    connect_str_t all;
    char *joined;
    writer.arena = &ctx->arena;
    for (item = object->items; item; item = item->next) {
        if (!gen_object_is_for_sources(item->field)) gen_object_put(ctx, &writer, item);
    }
    if (!object->unknown.len) {
        all = writer.written;
        if (!all.data) all.data = "";
        return all;
    }
    all.len = writer.written.len + object->unknown.len;
    all.data = joined = CONNECT_NEW(&ctx->arena, char, all.len);
    if (writer.written.len) memcpy(joined, writer.written.data, writer.written.len);
    memcpy(joined + writer.written.len, object->unknown.data, object->unknown.len);
    return all;
}

/* ---- From the wire ---- */

typedef struct gen_object_reader_t {
    const gen_model_t *model;
    gen_at_t at;
    unsigned depth;
} gen_object_reader_t;

static const gen_field_t *gen_object_field_in(const gen_field_t *field, const gen_type_t *type, uint32_t number) {
    for (; field; field = field->next) {
        if ((uint32_t)field->number == number && (!field->extendee_name || field->extendee == type)) return field;
    }
    return NULL;
}

static const gen_field_t *gen_object_extension_in(const gen_type_t *types, const gen_type_t *type, uint32_t number) {
    const gen_field_t *found = NULL;
    for (; types && !found; types = types->next) {
        found = gen_object_field_in(types->extensions.first, type, number);
        if (!found) found = gen_object_extension_in(types->types.first, type, number);
    }
    return found;
}

static const gen_field_t *gen_object_field(const gen_model_t *model, const gen_type_t *type, uint32_t number) {
    const gen_field_t *found = gen_object_field_in(type->fields.first, type, number);
    const gen_file_t *file;
    for (file = model->files.first; file && !found && type->extension_ranges.first; file = file->next) {
        found = gen_object_field_in(file->extensions.first, type, number);
        if (!found) found = gen_object_extension_in(file->types.first, type, number);
    }
    return found;
}

static void gen_object_keep(gen_context_t *ctx, gen_object_t *object, const char *from, const char *to) {
    const size_t len = (size_t)(to - from);
    char *joined = CONNECT_NEW(&ctx->arena, char, object->unknown.len + len);
    if (object->unknown.len) memcpy(joined, object->unknown.data, object->unknown.len);
    memcpy(joined + object->unknown.len, from, len);
    object->unknown.data = joined;
    object->unknown.len += len;
}

static bool gen_object_value(const connect_record_t *record, gen_item_t *item) {
    const connect_kind_t kind = (connect_kind_t)item->field->kind;
    double wide_float;
    float narrow_float;
    uint32_t narrow_bits = 0;
    int32_t narrow;
    bool good, truth;
    switch (kind) {
    case CONNECT_KIND_STRING:
    case CONNECT_KIND_BYTES: return connect_record_get(record, CONNECT_KIND_BYTES, &item->text);
    case CONNECT_KIND_DOUBLE:
        good = connect_record_get(record, kind, &wide_float);
        if (good) memcpy(&item->bits, &wide_float, sizeof wide_float);
        return good;
    case CONNECT_KIND_FLOAT:
        good = connect_record_get(record, kind, &narrow_float);
        if (good) memcpy(&narrow_bits, &narrow_float, sizeof narrow_float);
        item->bits = narrow_bits;
        return good;
    case CONNECT_KIND_BOOL:
        good = connect_record_get(record, kind, &truth);
        item->bits = good && truth;
        return good;
    case CONNECT_KIND_INT64:
    case CONNECT_KIND_UINT64:
    case CONNECT_KIND_SINT64:
    case CONNECT_KIND_FIXED64:
    case CONNECT_KIND_SFIXED64: return connect_record_get(record, kind, &item->bits);
    case CONNECT_KIND_UINT32:
    case CONNECT_KIND_FIXED32:
        good = connect_record_get(record, kind, &narrow_bits);
        item->bits = narrow_bits;
        return good;
    default:
        good = connect_record_get(record, kind, &narrow);
        if (good) item->bits = (uint64_t)(int64_t)narrow;
        return good;
    }
}

/* The size of a kind's numbers on the wire; 0: they are varints. */
static size_t gen_object_fixed(int kind) {
    switch (kind) {
    case CONNECT_KIND_DOUBLE:
    case CONNECT_KIND_FIXED64:
    case CONNECT_KIND_SFIXED64: return 8;
    case CONNECT_KIND_FLOAT:
    case CONNECT_KIND_FIXED32:
    case CONNECT_KIND_SFIXED32: return 4;
    default: return 0;
    }
}

/* Takes a number out of a packed list, as if it stood alone. */
static bool gen_object_unpack(connect_str_t *packed, size_t fixed, connect_record_t *record) {
    size_t len = 0;
    record->wire = fixed == 8 ? CONNECT_WIRE_FIXED64 : fixed == 4 ? CONNECT_WIRE_FIXED32 : CONNECT_WIRE_VARINT;
    record->value = 0;
    for (;;) {
        const unsigned char c = len < packed->len ? (unsigned char)packed->data[len] : 0x80;
        if (len >= packed->len || len == 10) return false;
        record->value |= (uint64_t)(fixed ? c : c & 0x7Fu) << (fixed ? 8 : 7) * len;
        len++;
        if (fixed ? len == fixed : c < 0x80) break;
    }
    packed->data += len;
    packed->len -= len;
    return true;
}

static bool gen_object_read(gen_object_reader_t *reader, gen_object_t *object, connect_str_t bytes);

static bool gen_object_read_field(
    gen_object_reader_t *reader, gen_object_t *object, const gen_field_t *field, const connect_record_t *record) {
    gen_context_t *ctx = reader->model->ctx;
    const bool repeated = field->label == GEN_LABEL_REPEATED;
    const bool is_bytes = field->type || field->kind == CONNECT_KIND_STRING || field->kind == CONNECT_KIND_BYTES;
    gen_item_t *item = repeated ? NULL : gen_object_find(object, field);
    bool good;
    if (repeated && !is_bytes && record->wire == CONNECT_WIRE_BYTES) {
        connect_str_t packed = record->bytes;
        connect_record_t one = *record;
        while (packed.len > 0) {
            if (!gen_object_unpack(&packed, gen_object_fixed(field->kind), &one)) return false;
            if (!gen_object_value(&one, gen_object_add(ctx, object, field, reader->at))) return false;
        }
        return true;
    }
    if (!item && field->oneof) gen_object_clear_oneof(object, field->oneof);
    if (!item) item = gen_object_add(ctx, object, field, reader->at);
    if (!field->type) return gen_object_value(record, item);
    if (record->wire != CONNECT_WIRE_BYTES && record->wire != CONNECT_WIRE_GROUP) return false;
    if (reader->depth >= GEN_OBJECT_DEPTH_MAX) return false;
    reader->depth++;
    good = gen_object_read(reader, item->message, record->bytes);
    reader->depth--;
    if (field->is_map) gen_object_complete(ctx, item->message, reader->at);
    return good;
}

static bool gen_object_read(gen_object_reader_t *reader, gen_object_t *object, connect_str_t bytes) {
    connect_reader_t records = {{NULL, 0}, false};
    connect_record_t record;
    records.rest = bytes;
    for (;;) {
        const char *from = records.rest.data;
        const gen_field_t *field;
        if (!connect_reader_next(&records, &record)) return !records.failed;
        field = gen_object_field(reader->model, object->type, record.number);
        if (!field || (!field->kind && !field->type)) {
            gen_object_keep(reader->model->ctx, object, from, records.rest.data);
        } else if (!gen_object_read_field(reader, object, field, &record)) {
            return false;
        }
    }
}

GEN_PRIVATE void gen_object_decode(const gen_model_t *model, gen_object_t *object, connect_str_t bytes, gen_at_t at) {
    gen_object_reader_t reader = {NULL, {NULL, 0}, 0};
    reader.model = model;
    reader.at = at;
    if (!gen_object_read(&reader, object, bytes)) {
        gen_source_error(model->ctx, at, "the descriptor's options are malformed");
    }
}
