/* Options: each is a field of google.protobuf.FileOptions, MessageOptions ..., or of an extension of them, or deeper in
   one that is a message; and what is set on a thing is one message of that type, an object. What fields there are, of
   which type, on what they may be set (targets) and in which editions (feature_support), is told by
   google/protobuf/descriptor.proto, the built-in one unless the user's files bring their own; nothing of it is known
   here twice. Where the user's files do not use that file it is read into a model of its own, so that it is in the way
   of no name.

   A name, a.(b.c).d, goes from message to message; on the way only fields that are not repeated can stand. What is set
   twice is refused. The names of extensions are looked up as those of types are, but for what option imports bring.

   Features (protobuf.dev, "Feature Settings for Editions"): every file, message, oneof, field and enum has the features
   of what it stands in, with those that are set on it in their place; a file has its edition's. proto2 and proto3 are
   editions in which none can be set: there labels, groups and [packed] say the same for a field. */
#include "gen/option.h"
#include "gen/aggregate.h"
#include "gen/load.h"
#include "gen/scalar.h"

typedef enum gen_option_target_t { /* the numbers of google.protobuf.FieldOptions.OptionTargetType */
    GEN_OPTION_OF_FILE = 1,
    GEN_OPTION_OF_EXTENSION_RANGE,
    GEN_OPTION_OF_MESSAGE,
    GEN_OPTION_OF_FIELD,
    GEN_OPTION_OF_ONEOF,
    GEN_OPTION_OF_ENUM,
    GEN_OPTION_OF_VALUE,
    GEN_OPTION_OF_SERVICE,
    GEN_OPTION_OF_METHOD
} gen_option_target_t;
static const char *const gen_option_types[] = {"", "FileOptions", "ExtensionRangeOptions", "MessageOptions",
    "FieldOptions", "OneofOptions", "EnumOptions", "EnumValueOptions", "ServiceOptions", "MethodOptions"};
static const char *const gen_option_things[] = {"", "a file", "extension numbers", "a message", "a field", "a oneof",
    "an enum", "an enum value", "a service", "a method"};

/* All files are gone through three times: which values an enum takes depends on its features; where an option may be
   set on the options of the extension that it is. */
typedef enum gen_option_pass_t { GEN_OPTION_FEATURES, GEN_OPTION_OTHERS, GEN_OPTION_VALIDATION } gen_option_pass_t;

typedef struct gen_option_reader_t {
    gen_model_t *schema; /* with descriptor.proto; NULL: nothing has options so far */
    gen_context_t *ctx;
    gen_resolve_t resolve;
    const gen_file_t *file;
    gen_option_pass_t pass;
} gen_option_reader_t;

/* ---- From what is written to objects ---- */

static const gen_field_t *gen_option_plain_field(const gen_type_t *type, const char *name) {
    const gen_field_t *field = type->fields.first;
    while (field && strcmp(field->name, name) != 0)
        field = field->next;
    return field;
}

/* Takes the next part of a name: "(b.c)" or "d". *rest: behind it and its dot. */
static const char *gen_option_part(gen_context_t *ctx, const char **rest, bool *is_extension) {
    const char *begin = *rest;
    size_t len;
    *is_extension = *begin == '(';
    if (*is_extension) begin++;
    len = strcspn(begin, *is_extension ? ")" : ".");
    *rest = begin + len + (*is_extension ? 1 : 0);
    if (**rest == '.') ++*rest;
    return gen_source_copy(ctx, (connect_str_t){begin, len});
}

/* Finds the field that a part of an option's name means; NULL after a message. */
static const gen_field_t *gen_option_field_of(gen_option_reader_t *reader, const gen_type_t *type,
    const gen_option_t *option, const char *element, const char *part, bool is_extension) {
    const gen_field_t *field;
    if (!is_extension) {
        field = gen_option_plain_field(type, part);
        if (field && strcmp(part, "uninterpreted_option") != 0) return field;
        if (strcmp(option->name, part) == 0) {
            gen_source_error(reader->ctx, option->at, "option \"%s\" is not known; custom options stand in parentheses",
                option->name);
        } else {
            gen_source_error(reader->ctx, option->at, "option \"%s\": message \"%s\" has no field \"%s\"", option->name,
                type->full_name, part);
        }
        return NULL;
    }
    field = gen_resolve_extension(&reader->resolve, element, part);
    if (!field) {
        if (!reader->file->incomplete) {
            gen_source_error(reader->ctx, option->at,
                "option \"(%s)\" is not defined; import the file that extends %s with it", part, type->full_name);
        }
        return NULL;
    }
    if (field->extendee == type) return field;
    if (field->extendee) {
        gen_source_error(reader->ctx, option->at, "option \"(%s)\" extends %s, so it cannot be set in a %s", part,
            field->extendee->full_name, type->full_name);
    }
    return NULL;
}

static void gen_option_set(
    gen_option_reader_t *reader, gen_object_t *object, const gen_field_t *field, const gen_option_t *option) {
    gen_item_t *item = field->label == GEN_LABEL_REPEATED ? NULL : gen_object_find(object, field);
    if (item) {
        gen_source_error(reader->ctx, option->at, "option \"%s\" is set already, at %s", option->name,
            gen_source_place(reader->ctx, item->at));
        return;
    }
    if (field->oneof) gen_object_clear_oneof(object, field->oneof);
    if (!field->kind && !field->type) return; /* its type was reported */
    item = gen_object_add(reader->ctx, object, field, option->at);
    if (!field->type) {
        gen_scalar_read(
            reader->ctx, item, field, option, gen_source_printf(reader->ctx, "option \"%s\"", option->name), false);
    } else if (option->kind == GEN_VALUE_AGGREGATE) {
        gen_aggregate_read(&reader->resolve, item->message, option);
    } else {
        gen_source_error(reader->ctx, option->value_at,
            "option \"%s\" must be a message in braces; of one of its fields write %s.field = ...", option->name,
            option->name);
    }
}

static void gen_option_interpret(
    gen_option_reader_t *reader, gen_object_t *object, const gen_option_t *option, const char *element) {
    const char *rest = option->name;
    for (;;) {
        bool is_extension;
        const char *part = gen_option_part(reader->ctx, &rest, &is_extension);
        const gen_field_t *field = gen_option_field_of(reader, object->type, option, element, part, is_extension);
        gen_item_t *item;
        if (!field) return;
        if (!*rest) {
            gen_option_set(reader, object, field, option);
            return;
        }
        if (!field->type) {
            if (field->kind) {
                gen_source_error(
                    reader->ctx, option->at, "option \"%s\": \"%s\" is not a message", option->name, field->name);
            }
            return;
        }
        if (field->label == GEN_LABEL_REPEATED) {
            gen_source_error(reader->ctx, option->at,
                "option \"%s\": \"%s\" is repeated, so each must be given as a whole, in braces", option->name,
                field->name);
            return;
        }
        item = gen_object_find(object, field);
        if (!item) item = gen_object_add(reader->ctx, object, field, option->at);
        object = item->message;
    }
}

/* ---- Where and since when ---- */

static const char *gen_option_edition(gen_context_t *ctx, int32_t edition) {
    if (edition == 998) return "proto2";
    if (edition == 999) return "proto3";
    return gen_source_printf(ctx, "edition \"%ld\"", (long)edition + 1023);
}

static void gen_option_lifetime(
    gen_option_reader_t *reader, const gen_object_t *options, const gen_item_t *item, const char *what) {
    const gen_item_t *support = gen_object_get(options, "feature_support");
    const int32_t edition = reader->file->edition;
    int32_t introduced, removed;
    if (!support) return;
    introduced = gen_object_number(support->message, "edition_introduced", 0);
    removed = gen_object_number(support->message, "edition_removed", INT32_MAX);
    if (edition < introduced) {
        gen_source_error(reader->ctx, item->at, "%s needs %s", what, gen_option_edition(reader->ctx, introduced));
    } else if (edition >= removed) {
        gen_source_error(
            reader->ctx, item->at, "%s is no more from %s on", what, gen_option_edition(reader->ctx, removed));
    }
}

static void gen_option_validate(gen_option_reader_t *reader, const gen_object_t *object, gen_option_target_t target) {
    const gen_item_t *item, *allowed;
    for (item = object->items; item; item = item->next) {
        const gen_field_t *field = item->field;
        const gen_object_t *options = field->options.object;
        const char *what = gen_source_printf(reader->ctx, "\"%s\"", field->name);
        const gen_enum_value_t *value = field->enumeration ? field->enumeration->values.first : NULL;
        bool limited = false, good = false;
        for (allowed = options ? options->items : NULL; allowed; allowed = allowed->next) {
            if (allowed->field->extendee_name || strcmp(allowed->field->name, "targets") != 0) continue;
            limited = true;
            if (allowed->bits == (uint64_t)target) good = true;
        }
        if (limited && !good) {
            gen_source_error(reader->ctx, item->at, "%s cannot be set on %s", what, gen_option_things[target]);
        }
        gen_option_lifetime(reader, options, item, what);
        while (value && (uint64_t)(int64_t)value->number != item->bits)
            value = value->next;
        if (value) {
            gen_option_lifetime(
                reader, value->options.object, item, gen_source_printf(reader->ctx, "%s = %s", what, value->name));
        }
        if (item->message) gen_option_validate(reader, item->message, target);
    }
}

/* ---- Features ---- */

static void gen_option_inherit(gen_features_t *features, const gen_features_t *outer, const gen_options_t *options) {
    const gen_item_t *set = gen_object_get(options->object, "features"), *item;
    *features = *outer;
    for (item = set ? set->message->items : NULL; item; item = item->next) {
        if (!item->field->extendee_name && item->field->number < GEN_FEATURE_COUNT && item->bits != 0)
            features->of[item->field->number] = (uint8_t)item->bits;
    }
}

static void gen_option_file_features(const gen_option_reader_t *reader, gen_file_t *file) {
    static const gen_features_t proto2 = {
        {0, GEN_PRESENCE_EXPLICIT, GEN_ENUM_CLOSED, GEN_REPEATED_EXPANDED, GEN_UTF8_NONE, GEN_ENCODING_LENGTH_PREFIXED,
            GEN_JSON_LEGACY_BEST_EFFORT, GEN_STYLE_LEGACY, GEN_VISIBILITY_EXPORT_ALL}};
    static const gen_features_t proto3 = {{0, GEN_PRESENCE_IMPLICIT, GEN_ENUM_OPEN, GEN_REPEATED_PACKED,
        GEN_UTF8_VERIFY, GEN_ENCODING_LENGTH_PREFIXED, GEN_JSON_ALLOW, GEN_STYLE_LEGACY, GEN_VISIBILITY_EXPORT_ALL}};
    gen_features_t features = file->syntax == GEN_SYNTAX_PROTO2 ? proto2 : proto3;
    if (file->syntax == GEN_SYNTAX_EDITIONS) features.of[GEN_FEATURE_FIELD_PRESENCE] = GEN_PRESENCE_EXPLICIT;
    if (file->edition >= GEN_EDITION_2024) {
        features.of[GEN_FEATURE_ENFORCE_NAMING_STYLE] = GEN_STYLE_2024;
        features.of[GEN_FEATURE_DEFAULT_SYMBOL_VISIBILITY] = GEN_VISIBILITY_EXPORT_TOP_LEVEL;
    }
    gen_option_inherit(&file->features, &features, &file->options);
    if (file->features.of[GEN_FEATURE_FIELD_PRESENCE] == GEN_PRESENCE_LEGACY_REQUIRED &&
        reader->pass == GEN_OPTION_VALIDATION) {
        const gen_item_t *set = gen_object_get(file->options.object, "features");
        gen_source_error(reader->ctx, set->at, "required presence cannot be the default: set it on fields");
    }
}

/* ---- All of them ---- */

static bool gen_option_is_feature(const gen_option_t *option) {
    return strncmp(option->name, "features", 8) == 0 && (!option->name[8] || option->name[8] == '.');
}

/* The model that has descriptor.proto: this one, or one that is read for it. */
static gen_model_t *gen_option_schema(gen_model_t *model) {
    static const char name[] = "google/protobuf/descriptor.proto";
    gen_model_t *schema;
    if (gen_map_get(&model->file_names, name)) return model;
    schema = CONNECT_NEW(&model->ctx->arena, gen_model_t, 1);
    schema->ctx = model->ctx;
    gen_load_built_in(schema, name);
    gen_resolve_model(schema);
    gen_option_model(schema);
    return schema;
}

/* Makes the object; NULL: there are no options. */
static gen_object_t *gen_option_object(
    gen_option_reader_t *reader, gen_options_t *options, gen_option_target_t target, gen_at_t at) {
    const char *name = gen_source_printf(reader->ctx, "google.protobuf.%s", gen_option_types[target]);
    const gen_symbol_t *symbol;
    if (options->object || (!options->first && !options->encoded.data)) return options->object;
    if (!reader->schema) reader->schema = gen_option_schema(reader->resolve.model);
    symbol = gen_map_get(&reader->schema->symbols, name);
    if (!symbol || symbol->kind != GEN_SYMBOL_MESSAGE) {
        gen_source_error(reader->ctx, at, "there is no message \"%s\" in google/protobuf/descriptor.proto", name);
        return NULL;
    }
    options->object = CONNECT_NEW(&reader->ctx->arena, gen_object_t, 1);
    options->object->type = symbol->type;
    if (options->encoded.data) gen_object_decode(reader->resolve.model, options->object, options->encoded, at);
    return options->object;
}

static void gen_option_validate_all(
    gen_option_reader_t *reader, const gen_object_t *object, gen_option_target_t target) {
    const gen_item_t *features = gen_object_get(object, "features"), *item;
    if (features && reader->file->syntax != GEN_SYNTAX_EDITIONS) {
        gen_source_error(reader->ctx, features->at, "option \"features\" is for editions only");
        return;
    }
    for (item = features ? features->message->items : NULL; item; item = item->next) {
        if (!item->field->enumeration || item->field->extendee_name || item->bits) continue;
        gen_source_error(reader->ctx, item->at, "feature \"%s\" must not be unknown", item->field->name);
    }
    gen_option_validate(reader, object, target);
}

/* element: the full name of what they are set on. Returns whether it is deprecated. */
static bool gen_option_apply(
    gen_option_reader_t *reader, gen_options_t *options, gen_option_target_t target, const char *element, gen_at_t at) {
    gen_object_t *object = gen_option_object(reader, options, target, at);
    const gen_option_t *option;
    if (!object) return false;
    if (reader->pass == GEN_OPTION_VALIDATION) {
        gen_option_validate_all(reader, object, target);
        return gen_object_is_true(object, "deprecated");
    }
    for (option = options->first; option; option = option->next) {
        if (gen_option_is_feature(option) != (reader->pass == GEN_OPTION_FEATURES)) continue;
        if (target == GEN_OPTION_OF_MESSAGE && strcmp(option->name, "map_entry") == 0) {
            gen_source_error(reader->ctx, option->at, "option \"map_entry\" must not be set: write map<...>");
        } else {
            gen_option_interpret(reader, object, option, element);
        }
    }
    return gen_object_is_true(object, "deprecated");
}

static void gen_option_enum(gen_option_reader_t *reader, gen_enum_t *enumeration, const gen_features_t *outer) {
    gen_enum_value_t *value;
    enumeration->deprecated =
        gen_option_apply(reader, &enumeration->options, GEN_OPTION_OF_ENUM, enumeration->full_name, enumeration->at);
    gen_option_inherit(&enumeration->features, outer, &enumeration->options);
    enumeration->allow_alias = gen_object_is_true(enumeration->options.object, "allow_alias");
    enumeration->closed = enumeration->features.of[GEN_FEATURE_ENUM_TYPE] == GEN_ENUM_CLOSED;
    for (value = enumeration->values.first; value; value = value->next) {
        value->deprecated = gen_option_apply(reader, &value->options, GEN_OPTION_OF_VALUE, value->full_name, value->at);
        gen_option_inherit(&value->features, &enumeration->features, &value->options);
    }
}

/* outer: of the oneof, the message or the file. */
static void gen_option_field(gen_option_reader_t *reader, gen_field_t *field, const gen_features_t *outer) {
    uint8_t *of = field->features.of;
    field->deprecated = gen_option_apply(reader, &field->options, GEN_OPTION_OF_FIELD, field->full_name, field->at);
    gen_option_inherit(&field->features, outer, &field->options);
    if (field->file->syntax == GEN_SYNTAX_EDITIONS) return;
    if (field->label == GEN_LABEL_REQUIRED) of[GEN_FEATURE_FIELD_PRESENCE] = GEN_PRESENCE_LEGACY_REQUIRED;
    if (field->proto3_optional) of[GEN_FEATURE_FIELD_PRESENCE] = GEN_PRESENCE_EXPLICIT;
    if (field->is_group) of[GEN_FEATURE_MESSAGE_ENCODING] = GEN_ENCODING_DELIMITED;
    if (gen_object_get(field->options.object, "packed")) {
        of[GEN_FEATURE_REPEATED_FIELD_ENCODING] =
            gen_object_is_true(field->options.object, "packed") ? GEN_REPEATED_PACKED : GEN_REPEATED_EXPANDED;
    }
}

static void gen_option_type(gen_option_reader_t *reader, gen_type_t *type, const gen_features_t *outer) {
    gen_type_t *inner;
    gen_enum_t *enumeration;
    gen_field_t *field;
    gen_oneof_t *oneof;
    gen_range_t *range;
    type->deprecated = gen_option_apply(reader, &type->options, GEN_OPTION_OF_MESSAGE, type->full_name, type->at);
    gen_option_inherit(&type->features, outer, &type->options);
    type->is_message_set = gen_object_is_true(type->options.object, "message_set_wire_format");
    for (oneof = type->oneofs.first; oneof; oneof = oneof->next) {
        gen_option_apply(reader, &oneof->options, GEN_OPTION_OF_ONEOF, oneof->full_name, oneof->at);
        gen_option_inherit(&oneof->features, &type->features, &oneof->options);
    }
    for (field = type->fields.first; field; field = field->next) {
        gen_option_field(reader, field, field->oneof ? &field->oneof->features : &type->features);
        if (type->is_map_entry) field->features.of[GEN_FEATURE_MESSAGE_ENCODING] = GEN_ENCODING_LENGTH_PREFIXED;
    }
    for (field = type->extensions.first; field; field = field->next)
        gen_option_field(reader, field, &type->features);
    for (range = type->extension_ranges.first; range; range = range->next) {
        if (range->next && range->next->options == range->options) continue; /* once for each statement */
        gen_option_apply(reader, range->options, GEN_OPTION_OF_EXTENSION_RANGE, type->full_name, range->at);
    }
    for (enumeration = type->enums.first; enumeration; enumeration = enumeration->next) {
        gen_option_enum(reader, enumeration, &type->features);
    }
    for (inner = type->types.first; inner; inner = inner->next)
        gen_option_type(reader, inner, &type->features);
}

static void gen_option_service(gen_option_reader_t *reader, gen_service_t *service, const gen_features_t *outer) {
    gen_method_t *method;
    service->deprecated =
        gen_option_apply(reader, &service->options, GEN_OPTION_OF_SERVICE, service->full_name, service->at);
    gen_option_inherit(&service->features, outer, &service->options);
    for (method = service->methods.first; method; method = method->next) {
        method->deprecated =
            gen_option_apply(reader, &method->options, GEN_OPTION_OF_METHOD, method->full_name, method->at);
        method->idempotency = gen_object_number(method->options.object, "idempotency_level", 0);
        gen_option_inherit(&method->features, &service->features, &method->options);
    }
}

static void gen_option_file(gen_option_reader_t *reader, gen_file_t *file) {
    gen_type_t *type;
    gen_enum_t *enumeration;
    gen_service_t *service;
    gen_field_t *field;
    const char *dummy = gen_source_printf(reader->ctx, "%s%s_", file->package, *file->package ? "." : "");
    const gen_at_t at = {file->source, 0};
    gen_option_apply(reader, &file->options, GEN_OPTION_OF_FILE, dummy, at);
    gen_option_file_features(reader, file);
    for (type = file->types.first; type; type = type->next)
        gen_option_type(reader, type, &file->features);
    for (enumeration = file->enums.first; enumeration; enumeration = enumeration->next) {
        gen_option_enum(reader, enumeration, &file->features);
    }
    for (field = file->extensions.first; field; field = field->next)
        gen_option_field(reader, field, &file->features);
    for (service = file->services.first; service; service = service->next)
        gen_option_service(reader, service, &file->features);
}

GEN_PRIVATE void gen_option_model(gen_model_t *model) {
    gen_option_reader_t reader;
    gen_file_t *file;
    memset(&reader, 0, sizeof reader);
    reader.ctx = model->ctx;
    for (; reader.pass <= GEN_OPTION_VALIDATION; reader.pass++) {
        for (file = model->files.first; file; file = file->next) {
            gen_resolve_see(&reader.resolve, model, file, true);
            reader.file = file;
            gen_option_file(&reader, file);
        }
    }
}
