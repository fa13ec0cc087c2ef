/* FileDescriptorProto (google/protobuf/descriptor.proto), written by hand: fields in the order of their numbers, as
   protoc writes them, json_name included, source info left out, custom options left out. Each message is written on
   its own and then put into the one around it; messages nest at most GEN_DEPTH_MAX deep, so nothing is copied more
   often than that.

   The numbers beside each call are those of descriptor.proto. A reserved or extension range ends behind its last number
   in a message, at its last number in an enum. */
#include "gen/descriptor.h"
#include "gen/object.h"

static connect_writer_t gen_descriptor_begin(gen_context_t *ctx) {
    connect_writer_t writer;
    memset(&writer, 0, sizeof writer);
    writer.arena = &ctx->arena;
    return writer;
}

static void gen_descriptor_text(connect_writer_t *writer, uint32_t number, const char *text) {
    connect_str_t value;
    value.data = text;
    value.len = strlen(text);
    connect_writer_put(writer, number, CONNECT_KIND_STRING, &value);
}

static void gen_descriptor_int(connect_writer_t *writer, uint32_t number, int32_t value) {
    connect_writer_put(writer, number, CONNECT_KIND_INT32, &value);
}

static void gen_descriptor_bool(connect_writer_t *writer, uint32_t number, bool value) {
    connect_writer_put(writer, number, CONNECT_KIND_BOOL, &value);
}

/* Puts a finished message; an empty one, too. */
static void gen_descriptor_put(connect_writer_t *writer, uint32_t number, const connect_writer_t *inner) {
    connect_str_t bytes = inner->written;
    if (!bytes.data) bytes.data = "";
    connect_writer_put(writer, number, CONNECT_KIND_MESSAGE, &bytes);
}

/* Options of which nothing is left, since all were for sources, are no options. */
static void gen_descriptor_options(
    gen_context_t *ctx, connect_writer_t *writer, uint32_t number, const gen_options_t *options) {
    connect_str_t bytes;
    if (!options || !options->object) return;
    bytes = gen_object_encode(ctx, options->object);
    if (bytes.len || !options->object->items) connect_writer_put(writer, number, CONNECT_KIND_MESSAGE, &bytes);
}

static void gen_descriptor_default(gen_context_t *ctx, connect_writer_t *writer, const gen_field_t *field) {
    const gen_option_t *value = field->default_value;
    char text[40];
    size_t i, len = 0;
    char *escaped;
    if (value->kind == GEN_VALUE_STRING && field->kind == CONNECT_KIND_STRING) {
        connect_writer_put(writer, 7, CONNECT_KIND_STRING, &value->text);
        return;
    }
    if (value->kind == GEN_VALUE_STRING) { /* bytes: as a C literal */
        escaped = CONNECT_NEW(&ctx->arena, char, 4 * value->text.len + 1);
        for (i = 0; i < value->text.len; i++) {
            unsigned char c = (unsigned char)value->text.data[i];
            const char *simple = c ? strchr("\n\r\t\"'\\", c) : NULL;
            static const char letters[] = "nrt\"'\\";
            if (simple) {
                escaped[len++] = '\\';
                escaped[len++] = letters[simple - strchr("\n\r\t\"'\\", '\n')];
            } else if (c >= 0x20 && c < 0x7F) {
                escaped[len++] = (char)c;
            } else {
                len += (size_t)sprintf(escaped + len, "\\%03o", c);
            }
        }
        gen_descriptor_text(writer, 7, escaped);
        return;
    }
    if (value->kind == GEN_VALUE_WORD) {
        const bool minus = value->negative && !connect_str_equal(value->text, connect_str_of("nan"));
        gen_descriptor_text(
            writer, 7, gen_source_printf(ctx, "%s%.*s", minus ? "-" : "", (int)value->text.len, value->text.data));
        return;
    }
    if (field->kind == CONNECT_KIND_DOUBLE || field->kind == CONNECT_KIND_FLOAT) {
        /* As protoc: a float with 6 digits or, if these are too few or it is subnormal, 9; a double with 15 or 17. */
        const bool single = field->kind == CONNECT_KIND_FLOAT;
        double number = value->negative ? -value->number : value->number, back;
        bool subnormal;
        if (single) number = (double)(float)number;
        snprintf(text, sizeof text, "%.*g", single ? 6 : 15, number);
        back = single ? (double)strtof(text, NULL) : strtod(text, NULL);
        subnormal = single && number > -(double)FLT_MIN && number < (double)FLT_MIN && (number < 0 || number > 0);
        if (subnormal || back < number || back > number) snprintf(text, sizeof text, "%.*g", single ? 9 : 17, number);
        gen_descriptor_text(writer, 7, text);
        return;
    }
    gen_descriptor_text(
        writer, 7, gen_source_printf(ctx, "%s%llu", value->negative ? "-" : "", (unsigned long long)value->integer));
}

static connect_writer_t gen_descriptor_field(gen_context_t *ctx, const gen_field_t *field) {
    connect_writer_t writer = gen_descriptor_begin(ctx);
    int32_t label = field->label == GEN_LABEL_NONE ? 1 : (int32_t)field->label;
    gen_descriptor_text(&writer, 1, field->name);
    if (field->extendee) gen_descriptor_text(&writer, 2, gen_source_printf(ctx, ".%s", field->extendee->full_name));
    gen_descriptor_int(&writer, 3, field->number);
    gen_descriptor_int(&writer, 4, label);
    /* With features the encoding is one of them, and not a type. */
    gen_descriptor_int(
        &writer, 5, field->kind == CONNECT_KIND_GROUP && !field->is_group ? CONNECT_KIND_MESSAGE : field->kind);
    if (field->type) gen_descriptor_text(&writer, 6, gen_source_printf(ctx, ".%s", field->type->full_name));
    if (field->enumeration)
        gen_descriptor_text(&writer, 6, gen_source_printf(ctx, ".%s", field->enumeration->full_name));
    if (field->default_value) gen_descriptor_default(ctx, &writer, field);
    gen_descriptor_options(ctx, &writer, 8, &field->options);
    if (field->oneof) gen_descriptor_int(&writer, 9, (int32_t)field->oneof->index);
    gen_descriptor_text(&writer, 10, field->json_name);
    if (field->proto3_optional) gen_descriptor_bool(&writer, 17, true);
    return writer;
}

static connect_writer_t gen_descriptor_range(gen_context_t *ctx, int32_t first, int32_t end) {
    connect_writer_t writer = gen_descriptor_begin(ctx);
    gen_descriptor_int(&writer, 1, first);
    gen_descriptor_int(&writer, 2, end);
    return writer;
}

static connect_writer_t gen_descriptor_enum(gen_context_t *ctx, const gen_enum_t *enumeration) {
    connect_writer_t writer = gen_descriptor_begin(ctx), inner;
    const gen_enum_value_t *value;
    const gen_range_t *range;
    const gen_word_t *word;
    gen_descriptor_text(&writer, 1, enumeration->name);
    for (value = enumeration->values.first; value; value = value->next) {
        inner = gen_descriptor_begin(ctx);
        gen_descriptor_text(&inner, 1, value->name);
        gen_descriptor_int(&inner, 2, value->number);
        gen_descriptor_options(ctx, &inner, 3, &value->options);
        gen_descriptor_put(&writer, 2, &inner);
    }
    gen_descriptor_options(ctx, &writer, 3, &enumeration->options);
    for (range = enumeration->reserved.first; range; range = range->next) {
        inner = gen_descriptor_range(ctx, range->first, range->last);
        gen_descriptor_put(&writer, 4, &inner);
    }
    for (word = enumeration->reserved_names.first; word; word = word->next)
        gen_descriptor_text(&writer, 5, word->text);
    if (enumeration->visibility) gen_descriptor_int(&writer, 6, enumeration->visibility);
    return writer;
}

static connect_writer_t gen_descriptor_type(gen_context_t *ctx, const gen_type_t *type) {
    connect_writer_t writer = gen_descriptor_begin(ctx), inner;
    const gen_field_t *field;
    const gen_type_t *nested;
    const gen_enum_t *enumeration;
    const gen_oneof_t *oneof;
    const gen_range_t *range;
    const gen_word_t *word;
    gen_descriptor_text(&writer, 1, type->name);
    for (field = type->fields.first; field; field = field->next) {
        inner = gen_descriptor_field(ctx, field);
        gen_descriptor_put(&writer, 2, &inner);
    }
    for (nested = type->types.first; nested; nested = nested->next) {
        inner = gen_descriptor_type(ctx, nested);
        gen_descriptor_put(&writer, 3, &inner);
    }
    for (enumeration = type->enums.first; enumeration; enumeration = enumeration->next) {
        inner = gen_descriptor_enum(ctx, enumeration);
        gen_descriptor_put(&writer, 4, &inner);
    }
    for (range = type->extension_ranges.first; range; range = range->next) {
        inner = gen_descriptor_range(ctx, range->first, range->last + 1);
        gen_descriptor_options(ctx, &inner, 3, range->options);
        gen_descriptor_put(&writer, 5, &inner);
    }
    for (field = type->extensions.first; field; field = field->next) {
        inner = gen_descriptor_field(ctx, field);
        gen_descriptor_put(&writer, 6, &inner);
    }
    if (type->is_map_entry) {
        inner = gen_descriptor_begin(ctx);
        gen_descriptor_bool(&inner, 7, true);
        gen_descriptor_put(&writer, 7, &inner);
    } else {
        gen_descriptor_options(ctx, &writer, 7, &type->options);
    }
    for (oneof = type->oneofs.first; oneof; oneof = oneof->next) {
        inner = gen_descriptor_begin(ctx);
        gen_descriptor_text(&inner, 1, oneof->name);
        gen_descriptor_options(ctx, &inner, 2, &oneof->options);
        gen_descriptor_put(&writer, 8, &inner);
    }
    for (range = type->reserved.first; range; range = range->next) {
        inner = gen_descriptor_range(ctx, range->first, range->last + 1);
        gen_descriptor_put(&writer, 9, &inner);
    }
    for (word = type->reserved_names.first; word; word = word->next)
        gen_descriptor_text(&writer, 10, word->text);
    if (type->visibility) gen_descriptor_int(&writer, 11, type->visibility);
    return writer;
}

static connect_writer_t gen_descriptor_service(gen_context_t *ctx, const gen_service_t *service) {
    connect_writer_t writer = gen_descriptor_begin(ctx);
    const gen_method_t *method;
    gen_descriptor_text(&writer, 1, service->name);
    for (method = service->methods.first; method; method = method->next) {
        connect_writer_t inner = gen_descriptor_begin(ctx);
        gen_descriptor_text(&inner, 1, method->name);
        gen_descriptor_text(&inner, 2, gen_source_printf(ctx, ".%s", method->input->full_name));
        gen_descriptor_text(&inner, 3, gen_source_printf(ctx, ".%s", method->output->full_name));
        gen_descriptor_options(ctx, &inner, 4, &method->options);
        if (method->client_streams) gen_descriptor_bool(&inner, 5, true);
        if (method->server_streams) gen_descriptor_bool(&inner, 6, true);
        gen_descriptor_put(&writer, 2, &inner);
    }
    gen_descriptor_options(ctx, &writer, 3, &service->options);
    return writer;
}

GEN_PRIVATE connect_str_t gen_descriptor_file(gen_context_t *ctx, const gen_file_t *file) {
    connect_writer_t writer = gen_descriptor_begin(ctx), inner;
    const gen_import_t *import;
    const gen_type_t *type;
    const gen_enum_t *enumeration;
    const gen_service_t *service;
    const gen_field_t *field;
    int32_t index;
    gen_descriptor_text(&writer, 1, file->name);
    if (*file->package) gen_descriptor_text(&writer, 2, file->package);
    for (import = file->imports.first; import; import = import->next)
        gen_descriptor_text(&writer, 3, import->name);
    for (type = file->types.first; type; type = type->next) {
        inner = gen_descriptor_type(ctx, type);
        gen_descriptor_put(&writer, 4, &inner);
    }
    for (enumeration = file->enums.first; enumeration; enumeration = enumeration->next) {
        inner = gen_descriptor_enum(ctx, enumeration);
        gen_descriptor_put(&writer, 5, &inner);
    }
    for (service = file->services.first; service; service = service->next) {
        inner = gen_descriptor_service(ctx, service);
        gen_descriptor_put(&writer, 6, &inner);
    }
    for (field = file->extensions.first; field; field = field->next) {
        inner = gen_descriptor_field(ctx, field);
        gen_descriptor_put(&writer, 7, &inner);
    }
    gen_descriptor_options(ctx, &writer, 8, &file->options);
    for (import = file->imports.first, index = 0; import; import = import->next, index++) {
        if (import->is_public) gen_descriptor_int(&writer, 10, index);
    }
    for (import = file->imports.first, index = 0; import; import = import->next, index++) {
        if (import->is_weak) gen_descriptor_int(&writer, 11, index);
    }
    if (file->syntax == GEN_SYNTAX_PROTO3) gen_descriptor_text(&writer, 12, "proto3");
    if (file->syntax == GEN_SYNTAX_EDITIONS) {
        gen_descriptor_text(&writer, 12, "editions");
        gen_descriptor_int(&writer, 14, file->edition);
    }
    for (import = file->option_imports.first; import; import = import->next)
        gen_descriptor_text(&writer, 15, import->name);
    return writer.written;
}
