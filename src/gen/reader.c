/* From FileDescriptorProto (google/protobuf/descriptor.proto) to the same model that the parser makes of text, and in
   the same state: names as they are written (with a dot in front), options not looked at yet. Numbers in the switches
   are those of descriptor.proto; what is not needed, or of a later version, is skipped.

   A descriptor says some things in other words, which are turned back here: synthetic oneofs into proto3 optional, map
   entries into maps, the type GROUP of editions into MESSAGE, labels that the syntax has no word for into none,
   defaults into values.

   Places and comments come from its SourceCodeInfo, if it has one: a location is found by its path, the numbers of
   fields and indexes from the file down, as text. Without it places are that of the file.

   Malformed bytes are refused. Messages nest GEN_DEPTH_MAX deep, as in text. */
#include "gen/reader.h"
#include "gen/lexer.h"
#include "gen/parser.h"

typedef struct gen_reader_location_t {
    gen_docs_t docs;
    gen_at_t at;
} gen_reader_location_t;

typedef struct gen_reader_t {
    gen_context_t *ctx;
    const gen_source_t *source;
    gen_file_t *file;
    gen_map_t locations; /* by their path */
    unsigned depth;
    bool failed;
} gen_reader_t;

/* ---- Records ---- */

static bool gen_reader_next(gen_reader_t *reader, connect_reader_t *records, connect_record_t *record) {
    if (connect_reader_next(records, record)) return true;
    if (records->failed) reader->failed = true;
    return false;
}

static connect_reader_t gen_reader_of(connect_str_t bytes) {
    connect_reader_t records = {{NULL, 0}, false};
    records.rest = bytes;
    return records;
}

static connect_str_t gen_reader_bytes(gen_reader_t *reader, const connect_record_t *record) {
    connect_str_t bytes = {"", 0};
    if (record->wire != CONNECT_WIRE_BYTES)
        reader->failed = true;
    else if (record->bytes.data)
        bytes = record->bytes;
    return bytes;
}

/* A text, with a zero after it; one that holds a zero is malformed. */
static const char *gen_reader_text(gen_reader_t *reader, const connect_record_t *record) {
    const connect_str_t bytes = gen_reader_bytes(reader, record);
    if (memchr(bytes.data, 0, bytes.len)) reader->failed = true;
    return gen_source_copy(reader->ctx, bytes);
}

static int32_t gen_reader_int(gen_reader_t *reader, const connect_record_t *record) {
    int32_t value = 0;
    if (!connect_record_get(record, CONNECT_KIND_INT32, &value)) reader->failed = true;
    return value;
}

/* A name of one part, as the language has them: what is made of it stands in C. */
static const char *gen_reader_word(gen_reader_t *reader, const connect_record_t *record) {
    const char *name = gen_reader_text(reader, record), *at;
    for (at = name; *at; at++) {
        const char c = *at;
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && !(at > name && c >= '0' && c <= '9')) reader->failed = true;
    }
    if (!*name || strlen(name) > GEN_WORD_MAX) reader->failed = true;
    return name;
}

/* A name with dots, maybe with one in front. */
static const char *gen_reader_dotted(gen_reader_t *reader, const connect_record_t *record) {
    const char *name = gen_reader_text(reader, record), *at;
    for (at = name; *at; at++) {
        const bool letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || *at == '_';
        const bool starts = at == name || at[-1] == '.';
        const bool ends = !at[1] && *at == '.';
        if (!letter && (ends || !(*at == '.' ? at == name || !starts : *at >= '0' && *at <= '9' && !starts)))
            reader->failed = true;
    }
    if (at - name > (long)GEN_PATH_MAX) reader->failed = true;
    return name;
}

/* ---- Source info ---- */

/* Numbers of a repeated field: packed, or one. */
static bool gen_reader_varint(connect_str_t *bytes, uint64_t *value) {
    unsigned shift = 0;
    *value = 0;
    while (bytes->len > 0 && shift < 64) {
        const unsigned char c = (unsigned char)*bytes->data++;
        bytes->len--;
        *value |= (uint64_t)(c & 0x7Fu) << shift;
        if (c < 0x80) return true;
        shift += 7;
    }
    return false;
}

static const char *gen_reader_path(gen_reader_t *reader, const char *outer, uint32_t number, size_t index) {
    return gen_source_printf(reader->ctx, "%s,%lu,%lu", outer, (unsigned long)number, (unsigned long)index);
}

static void gen_reader_location(gen_reader_t *reader, connect_str_t bytes) {
    connect_reader_t records = gen_reader_of(bytes);
    connect_record_t record;
    gen_reader_location_t *location = CONNECT_NEW(&reader->ctx->arena, gen_reader_location_t, 1);
    connect_str_t path = {"", 0}, span = {"", 0};
    uint64_t value, line = 0, column = 0;
    char *text;
    size_t len = 0;
    while (gen_reader_next(reader, &records, &record)) {
        switch (record.number) {
        case 1: path = gen_reader_bytes(reader, &record); break;
        case 2: span = gen_reader_bytes(reader, &record); break;
        case 3: location->docs.leading = gen_reader_bytes(reader, &record); break;
        case 4: location->docs.trailing = gen_reader_bytes(reader, &record); break;
        default: break;
        }
    }
    text = CONNECT_NEW(&reader->ctx->arena, char, 12 * path.len + 1);
    while (path.len > 0) {
        if (!gen_reader_varint(&path, &value)) reader->failed = true;
        len += (size_t)sprintf(text + len, ",%lu", (unsigned long)(uint32_t)value);
    }
    if (!gen_reader_varint(&span, &line) || !gen_reader_varint(&span, &column)) reader->failed = true;
    location->at = gen_source_span(reader->source, line, column);
    if (!gen_map_get(&reader->locations, text)) gen_map_put(reader->ctx, &reader->locations, text, location);
}

static void gen_reader_source_info(gen_reader_t *reader, connect_str_t bytes) {
    connect_reader_t records = gen_reader_of(bytes);
    connect_record_t record;
    while (gen_reader_next(reader, &records, &record)) {
        if (record.number == 1) gen_reader_location(reader, gen_reader_bytes(reader, &record));
    }
}

static gen_at_t gen_reader_at(const gen_reader_t *reader, const char *path) {
    const gen_reader_location_t *location = gen_map_get(&reader->locations, path);
    gen_at_t at = {NULL, 0};
    at.source = reader->source;
    return location ? location->at : at;
}

/* The place of a part of what is at a path, its name say. */
static gen_at_t gen_reader_at_part(gen_reader_t *reader, const char *path, uint32_t number) {
    const char *part = gen_source_printf(reader->ctx, "%s,%lu", path, (unsigned long)number);
    return gen_reader_at(reader, gen_map_get(&reader->locations, part) ? part : path);
}

static gen_docs_t gen_reader_docs(const gen_reader_t *reader, const char *path) {
    const gen_reader_location_t *location = gen_map_get(&reader->locations, path);
    static const gen_docs_t none = {{NULL, 0}, {NULL, 0}};
    return location ? location->docs : none;
}

/* ---- Enums ---- */

/* last_behind: the end does not belong to the range. */
static gen_range_t *gen_reader_range(gen_reader_t *reader, connect_str_t bytes, const char *path, bool last_behind) {
    gen_range_t *range = CONNECT_NEW(&reader->ctx->arena, gen_range_t, 1);
    connect_reader_t records = gen_reader_of(bytes);
    connect_record_t record;
    range->options = CONNECT_NEW(&reader->ctx->arena, gen_options_t, 1);
    range->at = gen_reader_at(reader, path);
    while (gen_reader_next(reader, &records, &record)) {
        switch (record.number) {
        case 1: range->first = gen_reader_int(reader, &record); break;
        case 2: range->last = gen_reader_int(reader, &record); break;
        case 3: range->options->encoded = gen_reader_bytes(reader, &record); break;
        default: break;
        }
    }
    if (last_behind && range->last > INT32_MIN) range->last--;
    return range;
}

static gen_word_t *gen_reader_reserved_name(gen_reader_t *reader, const connect_record_t *record, const char *path) {
    gen_word_t *word = CONNECT_NEW(&reader->ctx->arena, gen_word_t, 1);
    word->text = gen_reader_text(reader, record);
    word->at = gen_reader_at(reader, path);
    return word;
}

static void gen_reader_enum_value(gen_reader_t *reader, connect_str_t bytes, const char *path, gen_enum_t *parent) {
    gen_enum_value_t *value = CONNECT_NEW(&reader->ctx->arena, gen_enum_value_t, 1);
    connect_reader_t records = gen_reader_of(bytes);
    connect_record_t record;
    value->parent = parent;
    value->at = gen_reader_at_part(reader, path, 1);
    value->number_at = gen_reader_at_part(reader, path, 2);
    value->docs = gen_reader_docs(reader, path);
    while (gen_reader_next(reader, &records, &record)) {
        switch (record.number) {
        case 1: value->name = gen_reader_word(reader, &record); break;
        case 2: value->number = gen_reader_int(reader, &record); break;
        case 3: value->options.encoded = gen_reader_bytes(reader, &record); break;
        default: break;
        }
    }
    if (!value->name) reader->failed = true;
    value->index = (uint32_t)parent->values.count;
    GEN_APPEND(parent->values, value);
}

static gen_enum_t *gen_reader_enum(gen_reader_t *reader, connect_str_t bytes, const char *path, gen_type_t *parent) {
    gen_enum_t *enumeration = CONNECT_NEW(&reader->ctx->arena, gen_enum_t, 1);
    connect_reader_t records = gen_reader_of(bytes);
    connect_record_t record;
    enumeration->file = reader->file;
    enumeration->parent = parent;
    enumeration->at = gen_reader_at_part(reader, path, 1);
    enumeration->docs = gen_reader_docs(reader, path);
    while (gen_reader_next(reader, &records, &record)) {
        connect_str_t inner = {"", 0};
        gen_range_t *range;
        gen_word_t *word;
        if (record.wire == CONNECT_WIRE_BYTES) inner = gen_reader_bytes(reader, &record);
        switch (record.number) {
        case 1: enumeration->name = gen_reader_word(reader, &record); break;
        case 2:
            gen_reader_enum_value(
                reader, inner, gen_reader_path(reader, path, 2, enumeration->values.count), enumeration);
            break;
        case 3: enumeration->options.encoded = gen_reader_bytes(reader, &record); break;
        case 4:
            range =
                gen_reader_range(reader, inner, gen_reader_path(reader, path, 4, enumeration->reserved.count), false);
            GEN_APPEND(enumeration->reserved, range);
            break;
        case 5:
            word = gen_reader_reserved_name(
                reader, &record, gen_reader_path(reader, path, 5, enumeration->reserved_names.count));
            GEN_APPEND(enumeration->reserved_names, word);
            break;
        case 6: enumeration->visibility = gen_reader_int(reader, &record); break;
        default: break;
        }
    }
    if (!enumeration->name) reader->failed = true;
    return enumeration;
}

/* ---- Fields ---- */

/* "-12", "1.5e+10", "inf", "true", "NAME", text; bytes with escapes, as in a literal. */
static const gen_option_t *gen_reader_default(gen_reader_t *reader, connect_str_t text, int kind, gen_at_t at) {
    gen_option_t *value = CONNECT_NEW(&reader->ctx->arena, gen_option_t, 1);
    const char *number;
    value->name = "default";
    value->at = value->value_at = at;
    value->text = text;
    value->kind = GEN_VALUE_WORD;
    if (kind == CONNECT_KIND_STRING) {
        value->kind = GEN_VALUE_STRING;
    } else if (kind == CONNECT_KIND_BYTES) {
        const char *quoted = gen_source_printf(reader->ctx, "\"%s\"", gen_source_copy(reader->ctx, text));
        const gen_source_t *literal =
            gen_source_new(reader->ctx, reader->source->name, reader->source->path, connect_str_of(quoted));
        gen_lexer_t lexer;
        gen_lexer_begin(&lexer, reader->ctx, literal);
        value->kind = GEN_VALUE_STRING;
        if (!gen_lexer_strings(&lexer, &value->text)) reader->failed = true;
    } else if (kind != CONNECT_KIND_BOOL && kind != CONNECT_KIND_ENUM) {
        value->negative = text.len > 0 && text.data[0] == '-';
        value->text.data += value->negative;
        value->text.len -= value->negative;
        number = gen_source_copy(reader->ctx, value->text);
        if (*number != 'i' && *number != 'n') {
            char *end;
            errno = 0;
            value->kind = GEN_VALUE_INTEGER;
            value->integer = strtoull(number, &end, 10);
            if (*end || errno) value->kind = GEN_VALUE_FLOAT;
            value->number = strtod(number, &end);
            if (*end || !*number) reader->failed = true;
        }
    }
    return value;
}

/* What the parser makes of a label, where the syntax has one. */
static gen_label_t gen_reader_label(const gen_reader_t *reader, const gen_field_t *field, int32_t label) {
    if (label == GEN_LABEL_REPEATED || label == GEN_LABEL_REQUIRED) return (gen_label_t)label;
    if (field->parent && field->parent->is_map_entry) return GEN_LABEL_OPTIONAL;
    if (field->oneof && !field->proto3_optional) return GEN_LABEL_NONE;
    return reader->file->syntax == GEN_SYNTAX_PROTO2 || field->proto3_optional ? GEN_LABEL_OPTIONAL : GEN_LABEL_NONE;
}

static gen_field_t *gen_reader_field(gen_reader_t *reader, connect_str_t bytes, const char *path, gen_type_t *parent) {
    gen_field_t *field = CONNECT_NEW(&reader->ctx->arena, gen_field_t, 1);
    connect_reader_t records = gen_reader_of(bytes);
    connect_record_t record;
    connect_str_t default_value = {NULL, 0};
    int32_t label = GEN_LABEL_OPTIONAL, oneof_index = -1;
    gen_oneof_t *oneof = parent ? parent->oneofs.first : NULL;
    field->file = reader->file;
    field->parent = parent;
    field->docs = gen_reader_docs(reader, path);
    field->at = gen_reader_at_part(reader, path, 1);
    field->extendee_at = gen_reader_at_part(reader, path, 2);
    field->number_at = gen_reader_at_part(reader, path, 3);
    field->type_at = gen_reader_at_part(reader, path, 6);
    field->json_name_at = gen_reader_at_part(reader, path, 10);
    while (gen_reader_next(reader, &records, &record)) {
        switch (record.number) {
        case 1: field->name = gen_reader_word(reader, &record); break;
        case 2: field->extendee_name = gen_reader_dotted(reader, &record); break;
        case 3: field->number = gen_reader_int(reader, &record); break;
        case 4: label = gen_reader_int(reader, &record); break;
        case 5: field->kind = gen_reader_int(reader, &record); break;
        case 6: field->type_name = gen_reader_dotted(reader, &record); break;
        case 7: default_value = gen_reader_bytes(reader, &record); break;
        case 8: field->options.encoded = gen_reader_bytes(reader, &record); break;
        case 9: oneof_index = gen_reader_int(reader, &record); break;
        case 10: field->json_name = gen_reader_text(reader, &record); break;
        case 17: field->proto3_optional = gen_reader_int(reader, &record) != 0; break;
        default: break;
        }
    }
    if (!field->name || field->kind < 0 || field->kind > CONNECT_KIND_SINT64 || label < 1 || label > 3) {
        reader->failed = true;
        return NULL;
    }
    if (default_value.data) field->default_value = gen_reader_default(reader, default_value, field->kind, field->at);
    if (field->type_name) {
        field->is_group = field->kind == CONNECT_KIND_GROUP && reader->file->syntax == GEN_SYNTAX_PROTO2;
        field->kind = field->is_group ? CONNECT_KIND_GROUP : 0; /* resolve.c tells the others */
    } else if (!field->kind || field->kind == CONNECT_KIND_GROUP || field->kind == CONNECT_KIND_MESSAGE ||
        field->kind == CONNECT_KIND_ENUM) {
        reader->failed = true;
    }
    if (oneof_index >= 0) {
        while (oneof && oneof->index != (uint32_t)oneof_index)
            oneof = oneof->next;
        field->oneof = oneof;
        if (!oneof) {
            reader->failed = true;
            return NULL;
        }
        oneof->field_count++;
        oneof->synthetic = field->proto3_optional;
    }
    field->label = gen_reader_label(reader, field, label);
    return field;
}

/* ---- Messages ---- */

static gen_type_t *gen_reader_type(gen_reader_t *reader, connect_str_t bytes, const char *path, gen_type_t *parent);

static void gen_reader_oneof(gen_reader_t *reader, connect_str_t bytes, const char *path, gen_type_t *type) {
    gen_oneof_t *oneof = CONNECT_NEW(&reader->ctx->arena, gen_oneof_t, 1);
    connect_reader_t records = gen_reader_of(bytes);
    connect_record_t record;
    oneof->at = gen_reader_at_part(reader, path, 1);
    oneof->docs = gen_reader_docs(reader, path);
    while (gen_reader_next(reader, &records, &record)) {
        switch (record.number) {
        case 1: oneof->name = gen_reader_word(reader, &record); break;
        case 2: oneof->options.encoded = gen_reader_bytes(reader, &record); break;
        default: break;
        }
    }
    if (!oneof->name) reader->failed = true;
    oneof->index = (uint32_t)type->oneofs.count;
    GEN_APPEND(type->oneofs, oneof);
}

/* Whether MessageOptions say map_entry. */
static bool gen_reader_is_map_entry(gen_reader_t *reader, connect_str_t options) {
    connect_reader_t records = gen_reader_of(options);
    connect_record_t record;
    bool is_map_entry = false;
    while (gen_reader_next(reader, &records, &record)) {
        if (record.number == 7) is_map_entry = gen_reader_int(reader, &record) != 0;
    }
    return is_map_entry;
}

/* A repeated field of a map entry that stands in the same message is a map. */
static void gen_reader_link(const gen_type_t *type, gen_field_t *field, const char *scope) {
    const size_t len = strlen(scope);
    gen_type_t *inner;
    if (!field->type_name || strncmp(field->type_name, scope, len) != 0) return;
    for (inner = type->types.first; inner; inner = inner->next) {
        if (strcmp(field->type_name + len, inner->name) != 0) continue;
        if (!inner->is_map_entry || field->label != GEN_LABEL_REPEATED) return;
        field->is_map = true;
        field->kind = CONNECT_KIND_MESSAGE;
        field->type = inner;
        field->type_name = NULL;
        inner->at = field->at;
        return;
    }
}

/* What the fields refer to, before the fields. */
static void gen_reader_type_inside(
    gen_reader_t *reader, connect_str_t bytes, const char *path, gen_type_t *type, connect_str_t *options) {
    connect_reader_t records = gen_reader_of(bytes);
    connect_record_t record;
    while (gen_reader_next(reader, &records, &record)) {
        connect_str_t inner = {"", 0};
        gen_type_t *nested;
        gen_enum_t *enumeration;
        if (record.wire == CONNECT_WIRE_BYTES) inner = gen_reader_bytes(reader, &record);
        switch (record.number) {
        case 1: type->name = gen_reader_word(reader, &record); break;
        case 3:
            nested = gen_reader_type(reader, inner, gen_reader_path(reader, path, 3, type->types.count), type);
            if (nested) GEN_APPEND(type->types, nested);
            break;
        case 4:
            enumeration = gen_reader_enum(reader, inner, gen_reader_path(reader, path, 4, type->enums.count), type);
            GEN_APPEND(type->enums, enumeration);
            break;
        case 7: *options = gen_reader_bytes(reader, &record); break;
        case 8: gen_reader_oneof(reader, inner, gen_reader_path(reader, path, 8, type->oneofs.count), type); break;
        case 11: type->visibility = gen_reader_int(reader, &record); break;
        default: break;
        }
    }
}

/* ".pkg.Outer.Inner." of a message. */
static const char *gen_reader_scope(gen_reader_t *reader, const gen_type_t *type) {
    const char *scope = "";
    for (; type; type = type->parent)
        scope = gen_source_printf(reader->ctx, "%s.%s", type->name, scope);
    return gen_source_printf(reader->ctx, ".%s%s%s", reader->file->package, *reader->file->package ? "." : "", scope);
}

static gen_type_t *gen_reader_type(gen_reader_t *reader, connect_str_t bytes, const char *path, gen_type_t *parent) {
    gen_type_t *type = CONNECT_NEW(&reader->ctx->arena, gen_type_t, 1);
    connect_reader_t records = gen_reader_of(bytes);
    connect_record_t record;
    connect_str_t options = {NULL, 0};
    const char *scope;
    type->file = reader->file;
    type->parent = parent;
    type->name = "";
    type->at = gen_reader_at_part(reader, path, 1);
    type->docs = gen_reader_docs(reader, path);
    if (reader->depth >= GEN_DEPTH_MAX) {
        gen_source_error(reader->ctx, type->at, "messages nest deeper than %u levels", GEN_DEPTH_MAX);
        return NULL;
    }
    reader->depth++;
    gen_reader_type_inside(reader, bytes, path, type, &options);
    reader->depth--;
    if (options.data) type->is_map_entry = gen_reader_is_map_entry(reader, options);
    if (!type->is_map_entry) type->options.encoded = options;
    if (!*type->name) reader->failed = true;
    scope = gen_reader_scope(reader, type);
    while (!reader->failed && gen_reader_next(reader, &records, &record)) {
        connect_str_t inner = {"", 0};
        gen_field_t *field;
        gen_range_t *range;
        gen_word_t *word;
        if (record.wire == CONNECT_WIRE_BYTES) inner = gen_reader_bytes(reader, &record);
        switch (record.number) {
        case 2:
            field = gen_reader_field(reader, inner, gen_reader_path(reader, path, 2, type->fields.count), type);
            if (!field) break;
            gen_reader_link(type, field, scope);
            GEN_APPEND(type->fields, field);
            break;
        case 5:
            range =
                gen_reader_range(reader, inner, gen_reader_path(reader, path, 5, type->extension_ranges.count), true);
            GEN_APPEND(type->extension_ranges, range);
            break;
        case 6:
            field = gen_reader_field(reader, inner, gen_reader_path(reader, path, 6, type->extensions.count), type);
            if (field) GEN_APPEND(type->extensions, field);
            break;
        case 9:
            range = gen_reader_range(reader, inner, gen_reader_path(reader, path, 9, type->reserved.count), true);
            GEN_APPEND(type->reserved, range);
            break;
        case 10:
            word = gen_reader_reserved_name(
                reader, &record, gen_reader_path(reader, path, 10, type->reserved_names.count));
            GEN_APPEND(type->reserved_names, word);
            break;
        default: break;
        }
    }
    if (type->is_map_entry && type->fields.count != 2) reader->failed = true;
    return type;
}

/* ---- Services ---- */

static void gen_reader_method(gen_reader_t *reader, connect_str_t bytes, const char *path, gen_service_t *service) {
    gen_method_t *method = CONNECT_NEW(&reader->ctx->arena, gen_method_t, 1);
    connect_reader_t records = gen_reader_of(bytes);
    connect_record_t record;
    method->at = gen_reader_at_part(reader, path, 1);
    method->input_at = gen_reader_at_part(reader, path, 2);
    method->output_at = gen_reader_at_part(reader, path, 3);
    method->docs = gen_reader_docs(reader, path);
    while (gen_reader_next(reader, &records, &record)) {
        switch (record.number) {
        case 1: method->name = gen_reader_word(reader, &record); break;
        case 2: method->input_name = gen_reader_dotted(reader, &record); break;
        case 3: method->output_name = gen_reader_dotted(reader, &record); break;
        case 4: method->options.encoded = gen_reader_bytes(reader, &record); break;
        case 5: method->client_streams = gen_reader_int(reader, &record) != 0; break;
        case 6: method->server_streams = gen_reader_int(reader, &record) != 0; break;
        default: break;
        }
    }
    if (!method->name || !method->input_name || !method->output_name)
        reader->failed = true;
    else
        GEN_APPEND(service->methods, method);
}

static gen_service_t *gen_reader_service(gen_reader_t *reader, connect_str_t bytes, const char *path) {
    gen_service_t *service = CONNECT_NEW(&reader->ctx->arena, gen_service_t, 1);
    connect_reader_t records = gen_reader_of(bytes);
    connect_record_t record;
    service->file = reader->file;
    service->at = gen_reader_at_part(reader, path, 1);
    service->docs = gen_reader_docs(reader, path);
    while (gen_reader_next(reader, &records, &record)) {
        switch (record.number) {
        case 1: service->name = gen_reader_word(reader, &record); break;
        case 2:
            gen_reader_method(reader, gen_reader_bytes(reader, &record),
                gen_reader_path(reader, path, 2, service->methods.count), service);
            break;
        case 3: service->options.encoded = gen_reader_bytes(reader, &record); break;
        default: break;
        }
    }
    if (!service->name) reader->failed = true;
    return service;
}

/* ---- Files ---- */

static gen_import_t *gen_reader_import(
    gen_reader_t *reader, const connect_record_t *record, uint32_t number, size_t index) {
    gen_import_t *import = CONNECT_NEW(&reader->ctx->arena, gen_import_t, 1);
    import->name = gen_reader_text(reader, record);
    import->at = gen_reader_at(reader, gen_reader_path(reader, "", number, index));
    return import;
}

/* Marks the imports that a list of indexes names. */
static void gen_reader_mark(gen_reader_t *reader, const connect_record_t *record) {
    connect_str_t packed = {"", 0};
    uint64_t index = record->value;
    if (record->wire == CONNECT_WIRE_BYTES) packed = record->bytes;
    do {
        gen_import_t *import = reader->file->imports.first;
        if (record->wire == CONNECT_WIRE_BYTES && !gen_reader_varint(&packed, &index)) break;
        for (; import && index > 0; index--)
            import = import->next;
        if (!import)
            reader->failed = true;
        else if (record->number == 10)
            import->is_public = true;
        else
            import->is_weak = true;
    } while (packed.len > 0);
}

/* What must be known before the rest is read. */
static void gen_reader_head(gen_reader_t *reader, connect_str_t bytes) {
    connect_reader_t records = gen_reader_of(bytes);
    connect_record_t record;
    gen_file_t *file = reader->file;
    file->edition = 998;
    while (gen_reader_next(reader, &records, &record)) {
        const char *syntax;
        switch (record.number) {
        case 2: file->package = gen_reader_dotted(reader, &record); break;
        case 9: gen_reader_source_info(reader, gen_reader_bytes(reader, &record)); break;
        case 12:
            syntax = gen_reader_text(reader, &record);
            file->syntax = strcmp(syntax, "proto3") == 0 ? GEN_SYNTAX_PROTO3
                : strcmp(syntax, "editions") == 0        ? GEN_SYNTAX_EDITIONS
                                                         : GEN_SYNTAX_PROTO2;
            if (file->syntax == GEN_SYNTAX_PROTO3) file->edition = 999;
            break;
        case 14: file->edition = gen_reader_int(reader, &record); break;
        default: break;
        }
    }
    file->package_at = gen_reader_at(reader, ",2");
    if (file->syntax == GEN_SYNTAX_EDITIONS && (file->edition < GEN_EDITION_2023 || file->edition > GEN_EDITION_2024)) {
        gen_source_error(reader->ctx, gen_reader_at(reader, ",14"), "edition %ld is not known: 2023 and 2024 are",
            (long)file->edition);
    }
}

static void gen_reader_body(gen_reader_t *reader, connect_str_t bytes) {
    connect_reader_t records = gen_reader_of(bytes);
    connect_record_t record;
    gen_file_t *file = reader->file;
    while (!reader->failed && gen_reader_next(reader, &records, &record)) {
        connect_str_t inner = {"", 0};
        gen_import_t *import;
        gen_type_t *type;
        gen_enum_t *enumeration;
        gen_service_t *service;
        gen_field_t *field;
        if (record.wire == CONNECT_WIRE_BYTES) inner = gen_reader_bytes(reader, &record);
        switch (record.number) {
        case 3:
            import = gen_reader_import(reader, &record, 3, file->imports.count);
            GEN_APPEND(file->imports, import);
            break;
        case 4:
            type = gen_reader_type(reader, inner, gen_reader_path(reader, "", 4, file->types.count), NULL);
            if (type) GEN_APPEND(file->types, type);
            break;
        case 5:
            enumeration = gen_reader_enum(reader, inner, gen_reader_path(reader, "", 5, file->enums.count), NULL);
            GEN_APPEND(file->enums, enumeration);
            break;
        case 6:
            service = gen_reader_service(reader, inner, gen_reader_path(reader, "", 6, file->services.count));
            GEN_APPEND(file->services, service);
            break;
        case 7:
            field = gen_reader_field(reader, inner, gen_reader_path(reader, "", 7, file->extensions.count), NULL);
            if (field) GEN_APPEND(file->extensions, field);
            break;
        case 8: file->options.encoded = gen_reader_bytes(reader, &record); break;
        case 10:
        case 11: gen_reader_mark(reader, &record); break;
        case 15:
            import = gen_reader_import(reader, &record, 15, file->option_imports.count);
            GEN_APPEND(file->option_imports, import);
            break;
        default: break;
        }
    }
}

GEN_PRIVATE gen_file_t *gen_reader_file(gen_context_t *ctx, const gen_source_t *source, connect_str_t descriptor) {
    gen_reader_t reader;
    const gen_at_t at = {source, 0};
    memset(&reader, 0, sizeof reader);
    reader.ctx = ctx;
    reader.source = source;
    reader.file = CONNECT_NEW(&ctx->arena, gen_file_t, 1);
    reader.file->source = source;
    reader.file->name = source->name;
    reader.file->package = "";
    gen_reader_head(&reader, descriptor);
    if (*reader.file->package == '.') reader.failed = true;
    if (!reader.failed) gen_reader_body(&reader, descriptor);
    if (!reader.failed) return reader.file;
    gen_source_error(ctx, at, "the descriptor of \"%s\" is malformed", source->name);
    return NULL;
}

GEN_PRIVATE const char *gen_reader_name(gen_context_t *ctx, connect_str_t descriptor) {
    connect_reader_t records = gen_reader_of(descriptor);
    connect_record_t record;
    const char *name = "";
    while (connect_reader_next(&records, &record)) {
        if (record.number == 1 && record.wire == CONNECT_WIRE_BYTES) name = gen_source_copy(ctx, record.bytes);
    }
    return name;
}
