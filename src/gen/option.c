/* The options that google/protobuf/descriptor.proto defines: name, number in its options message, type. An option
   that is not one of these is refused, as is a value of another type and one that is set twice. Custom options, in
   parentheses, are read and not looked at.

   What they mean here: deprecated goes into comments; packed, allow_alias, idempotency_level and the features change
   what is generated; all go into the descriptor.

   Features (protobuf.dev, "Feature Settings for Editions"): every file, message, oneof, field and enum has the features
   of what it stands in, with those that are set on it in their place; a file has its edition's. proto2 and proto3 are
   editions in which none can be set: there labels, groups and [packed] say the same for a field. */
#include "gen/lexer.h"
#include "gen/option.h"

typedef enum gen_option_target_t {
    GEN_OPTION_OF_FILE,
    GEN_OPTION_OF_MESSAGE,
    GEN_OPTION_OF_FIELD,
    GEN_OPTION_OF_ONEOF,
    GEN_OPTION_OF_ENUM,
    GEN_OPTION_OF_VALUE,
    GEN_OPTION_OF_SERVICE,
    GEN_OPTION_OF_METHOD
} gen_option_target_t;
typedef struct gen_option_rule_t {
    gen_option_target_t target;
    const char *name;
    uint32_t number;
    gen_option_kind_t kind;
    const char *choices; /* " NAME=number NAME=number " */
    bool repeated;
} gen_option_rule_t;

static const gen_option_rule_t gen_option_rules[] = {
    {GEN_OPTION_OF_FILE, "java_package", 1, GEN_OPTION_STRING, NULL, false},
    {GEN_OPTION_OF_FILE, "java_outer_classname", 8, GEN_OPTION_STRING, NULL, false},
    {GEN_OPTION_OF_FILE, "optimize_for", 9, GEN_OPTION_ENUM, " SPEED=1 CODE_SIZE=2 LITE_RUNTIME=3 ", false},
    {GEN_OPTION_OF_FILE, "java_multiple_files", 10, GEN_OPTION_BOOL, NULL, false},
    {GEN_OPTION_OF_FILE, "go_package", 11, GEN_OPTION_STRING, NULL, false},
    {GEN_OPTION_OF_FILE, "cc_generic_services", 16, GEN_OPTION_BOOL, NULL, false},
    {GEN_OPTION_OF_FILE, "java_generic_services", 17, GEN_OPTION_BOOL, NULL, false},
    {GEN_OPTION_OF_FILE, "py_generic_services", 18, GEN_OPTION_BOOL, NULL, false},
    {GEN_OPTION_OF_FILE, "java_generate_equals_and_hash", 20, GEN_OPTION_BOOL, NULL, false},
    {GEN_OPTION_OF_FILE, "deprecated", 23, GEN_OPTION_BOOL, NULL, false},
    {GEN_OPTION_OF_FILE, "java_string_check_utf8", 27, GEN_OPTION_BOOL, NULL, false},
    {GEN_OPTION_OF_FILE, "cc_enable_arenas", 31, GEN_OPTION_BOOL, NULL, false},
    {GEN_OPTION_OF_FILE, "objc_class_prefix", 36, GEN_OPTION_STRING, NULL, false},
    {GEN_OPTION_OF_FILE, "csharp_namespace", 37, GEN_OPTION_STRING, NULL, false},
    {GEN_OPTION_OF_FILE, "swift_prefix", 39, GEN_OPTION_STRING, NULL, false},
    {GEN_OPTION_OF_FILE, "php_class_prefix", 40, GEN_OPTION_STRING, NULL, false},
    {GEN_OPTION_OF_FILE, "php_namespace", 41, GEN_OPTION_STRING, NULL, false},
    {GEN_OPTION_OF_FILE, "php_metadata_namespace", 44, GEN_OPTION_STRING, NULL, false},
    {GEN_OPTION_OF_FILE, "ruby_package", 45, GEN_OPTION_STRING, NULL, false},
    {GEN_OPTION_OF_MESSAGE, "message_set_wire_format", 1, GEN_OPTION_BOOL, NULL, false},
    {GEN_OPTION_OF_MESSAGE, "no_standard_descriptor_accessor", 2, GEN_OPTION_BOOL, NULL, false},
    {GEN_OPTION_OF_MESSAGE, "deprecated", 3, GEN_OPTION_BOOL, NULL, false},
    {GEN_OPTION_OF_MESSAGE, "map_entry", 7, GEN_OPTION_BOOL, NULL, false},
    {GEN_OPTION_OF_MESSAGE, "deprecated_legacy_json_field_conflicts", 11, GEN_OPTION_BOOL, NULL, false},
    {GEN_OPTION_OF_FIELD, "ctype", 1, GEN_OPTION_ENUM, " STRING=0 CORD=1 STRING_PIECE=2 ", false},
    {GEN_OPTION_OF_FIELD, "packed", 2, GEN_OPTION_BOOL, NULL, false},
    {GEN_OPTION_OF_FIELD, "deprecated", 3, GEN_OPTION_BOOL, NULL, false},
    {GEN_OPTION_OF_FIELD, "lazy", 5, GEN_OPTION_BOOL, NULL, false},
    {GEN_OPTION_OF_FIELD, "jstype", 6, GEN_OPTION_ENUM, " JS_NORMAL=0 JS_STRING=1 JS_NUMBER=2 ", false},
    {GEN_OPTION_OF_FIELD, "weak", 10, GEN_OPTION_BOOL, NULL, false},
    {GEN_OPTION_OF_FIELD, "unverified_lazy", 15, GEN_OPTION_BOOL, NULL, false},
    {GEN_OPTION_OF_FIELD, "debug_redact", 16, GEN_OPTION_BOOL, NULL, false},
    {GEN_OPTION_OF_FIELD, "retention", 17, GEN_OPTION_ENUM,
        " RETENTION_UNKNOWN=0 RETENTION_RUNTIME=1 RETENTION_SOURCE=2 ", false},
    {GEN_OPTION_OF_FIELD, "targets", 19, GEN_OPTION_ENUM,
        " TARGET_TYPE_UNKNOWN=0 TARGET_TYPE_FILE=1 TARGET_TYPE_EXTENSION_RANGE=2 TARGET_TYPE_MESSAGE=3 "
        "TARGET_TYPE_FIELD=4 TARGET_TYPE_ONEOF=5 TARGET_TYPE_ENUM=6 TARGET_TYPE_ENUM_ENTRY=7 TARGET_TYPE_SERVICE=8 "
        "TARGET_TYPE_METHOD=9 ",
        true},
    {GEN_OPTION_OF_FIELD, "edition_defaults", 20, GEN_OPTION_MESSAGE, NULL, true},
    {GEN_OPTION_OF_FIELD, "feature_support", 22, GEN_OPTION_MESSAGE, NULL, false},
    {GEN_OPTION_OF_ENUM, "allow_alias", 2, GEN_OPTION_BOOL, NULL, false},
    {GEN_OPTION_OF_ENUM, "deprecated", 3, GEN_OPTION_BOOL, NULL, false},
    {GEN_OPTION_OF_ENUM, "deprecated_legacy_json_field_conflicts", 6, GEN_OPTION_BOOL, NULL, false},
    {GEN_OPTION_OF_VALUE, "deprecated", 1, GEN_OPTION_BOOL, NULL, false},
    {GEN_OPTION_OF_VALUE, "debug_redact", 3, GEN_OPTION_BOOL, NULL, false},
    {GEN_OPTION_OF_VALUE, "feature_support", 4, GEN_OPTION_MESSAGE, NULL, false},
    {GEN_OPTION_OF_SERVICE, "deprecated", 33, GEN_OPTION_BOOL, NULL, false},
    {GEN_OPTION_OF_METHOD, "deprecated", 33, GEN_OPTION_BOOL, NULL, false},
    {GEN_OPTION_OF_METHOD, "idempotency_level", 34, GEN_OPTION_ENUM,
        " IDEMPOTENCY_UNKNOWN=0 NO_SIDE_EFFECTS=1 IDEMPOTENT=2 ", false},
};

/* What the options message of each target calls `features`. */
static const uint32_t gen_option_features_field[] = {50, 12, 21, 1, 7, 2, 34, 35};

typedef struct gen_option_feature_t {
    gen_feature_t feature;
    const char *name, *choices;
    unsigned targets; /* a bit for each gen_option_target_t */
    int32_t since;    /* an edition */
} gen_option_feature_t;

#define GEN_OPTION_BIT(target) (1u << (target))
static const gen_option_feature_t gen_option_features[] = {
    {GEN_FEATURE_FIELD_PRESENCE, "field_presence", " EXPLICIT=1 IMPLICIT=2 LEGACY_REQUIRED=3 ",
        GEN_OPTION_BIT(GEN_OPTION_OF_FIELD) | GEN_OPTION_BIT(GEN_OPTION_OF_FILE), 1000},
    {GEN_FEATURE_ENUM_TYPE, "enum_type", " OPEN=1 CLOSED=2 ",
        GEN_OPTION_BIT(GEN_OPTION_OF_ENUM) | GEN_OPTION_BIT(GEN_OPTION_OF_FILE), 1000},
    {GEN_FEATURE_REPEATED_FIELD_ENCODING, "repeated_field_encoding", " PACKED=1 EXPANDED=2 ",
        GEN_OPTION_BIT(GEN_OPTION_OF_FIELD) | GEN_OPTION_BIT(GEN_OPTION_OF_FILE), 1000},
    {GEN_FEATURE_UTF8_VALIDATION, "utf8_validation", " VERIFY=2 NONE=3 ",
        GEN_OPTION_BIT(GEN_OPTION_OF_FIELD) | GEN_OPTION_BIT(GEN_OPTION_OF_FILE), 1000},
    {GEN_FEATURE_MESSAGE_ENCODING, "message_encoding", " LENGTH_PREFIXED=1 DELIMITED=2 ",
        GEN_OPTION_BIT(GEN_OPTION_OF_FIELD) | GEN_OPTION_BIT(GEN_OPTION_OF_FILE), 1000},
    {GEN_FEATURE_JSON_FORMAT, "json_format", " ALLOW=1 LEGACY_BEST_EFFORT=2 ",
        GEN_OPTION_BIT(GEN_OPTION_OF_MESSAGE) | GEN_OPTION_BIT(GEN_OPTION_OF_ENUM) | GEN_OPTION_BIT(GEN_OPTION_OF_FILE),
        1000},
    {GEN_FEATURE_ENFORCE_NAMING_STYLE, "enforce_naming_style", " STYLE2024=1 STYLE_LEGACY=2 ", ~0u, 1001},
    {GEN_FEATURE_DEFAULT_SYMBOL_VISIBILITY, "default_symbol_visibility",
        " EXPORT_ALL=1 EXPORT_TOP_LEVEL=2 LOCAL_ALL=3 STRICT=4 ", GEN_OPTION_BIT(GEN_OPTION_OF_FILE), 1001}};

GEN_PRIVATE gen_option_kind_t gen_option_kind(const gen_option_t *option) {
    switch (option->kind) {
    case GEN_VALUE_STRING: return GEN_OPTION_STRING;
    case GEN_VALUE_AGGREGATE: return GEN_OPTION_MESSAGE;
    default: return option->choice < 0 ? GEN_OPTION_BOOL : GEN_OPTION_ENUM;
    }
}

static bool gen_option_word_is(const gen_option_t *option, const char *word) {
    return option->kind == GEN_VALUE_WORD && !option->negative && option->text.len == strlen(word) &&
        memcmp(option->text.data, word, option->text.len) == 0;
}

GEN_PRIVATE bool gen_option_is_true(const gen_options_t *options, const char *name) {
    const gen_option_t *option;
    for (option = options->first; option; option = option->next) {
        if (strcmp(option->name, name) == 0) return gen_option_word_is(option, "true");
    }
    return false;
}

/* " A=1 B=2 " as " A, B". */
static const char *gen_option_choices(gen_context_t *ctx, const char *choices) {
    char *list = CONNECT_NEW(&ctx->arena, char, 2 * strlen(choices) + 1);
    size_t len = 0;
    for (; *choices; choices++) {
        if (*choices == ' ' && !choices[1]) break;
        if (*choices == '=') {
            choices += strspn(choices, "=0123456789") - 1;
            if (choices[1] && choices[2]) list[len++] = ',';
        } else {
            list[len++] = *choices;
        }
    }
    return list;
}

static void gen_option_value(gen_context_t *ctx, gen_option_t *option, const gen_option_rule_t *rule) {
    option->choice = -1;
    if (rule->kind == GEN_OPTION_BOOL) {
        if (gen_option_word_is(option, "true") || gen_option_word_is(option, "false")) return;
        gen_source_error(ctx, option->value_at, "option \"%s\" must be true or false", option->name);
    } else if (rule->kind == GEN_OPTION_STRING) {
        if (option->kind == GEN_VALUE_STRING) return;
        gen_source_error(ctx, option->value_at, "option \"%s\" must be a string", option->name);
    } else if (rule->kind == GEN_OPTION_ENUM) {
        if (option->kind == GEN_VALUE_WORD && !option->negative) {
            const char *word = gen_source_copy(ctx, option->text);
            const char *found = strstr(rule->choices, gen_source_printf(ctx, " %s=", word));
            if (found) {
                option->choice = (int32_t)strtol(strchr(found, '=') + 1, NULL, 10);
                return;
            }
        }
        gen_source_error(ctx, option->value_at, "option \"%s\" must be one of%s", option->name,
            gen_option_choices(ctx, rule->choices));
    } else if (option->kind != GEN_VALUE_AGGREGATE) {
        gen_source_error(ctx, option->value_at, "option \"%s\" must be a message in braces", option->name);
    }
}

/* ---- Features ---- */

static void gen_option_feature(gen_context_t *ctx, const gen_file_t *file, gen_options_t *options,
    gen_option_target_t target, gen_option_t *option, const char *name) {
    const gen_option_feature_t *rule = NULL;
    gen_option_rule_t value;
    gen_option_t *other;
    size_t i;
    if (*name == '(') { /* of another language's generator */
        option->custom = true;
        return;
    }
    for (i = 0; i < GEN_LEN(gen_option_features); i++) {
        if (strcmp(gen_option_features[i].name, name) == 0) rule = &gen_option_features[i];
    }
    if (!rule) {
        gen_source_error(ctx, option->at, "feature \"%s\" is not known", name);
        return;
    }
    if (file->edition < rule->since) {
        gen_source_error(ctx, option->at, "feature \"%s\" needs edition \"%ld\"", name, (long)rule->since + 1023);
    } else if (!(rule->targets & GEN_OPTION_BIT(target))) {
        gen_source_error(ctx, option->at, "feature \"%s\" cannot be set here", name);
    }
    option->field = gen_option_features_field[target];
    option->feature = (int)rule->feature;
    memset(&value, 0, sizeof value);
    value.kind = GEN_OPTION_ENUM;
    value.choices = rule->choices;
    gen_option_value(ctx, option, &value);
    for (other = options->first; other != option; other = other->next) {
        if (other->feature != option->feature) continue;
        gen_source_error(
            ctx, option->at, "option \"%s\" is set already, at %s", option->name, gen_source_place(ctx, other->at));
        break;
    }
}

/* `features = { a: X, b: Y }`, as if each were an option of its own. */
static void gen_option_feature_set(gen_context_t *ctx, gen_options_t *options, gen_option_t *option) {
    gen_lexer_t lexer;
    gen_source_t source = *option->value_at.source;
    gen_option_t *before = option;
    source.text = option->text;
    source.text.data = gen_source_copy(ctx, option->text);
    gen_lexer_begin(&lexer, ctx, &source);
    option->custom = true; /* what is in it counts */
    gen_lexer_next(&lexer);
    while (lexer.token.kind != GEN_TOKEN_END && !gen_lexer_is(&lexer, "}")) {
        gen_option_t *one = CONNECT_NEW(&ctx->arena, gen_option_t, 1);
        bool extension = gen_lexer_is(&lexer, "[");
        size_t depth = 0;
        one->at = one->value_at = option->value_at;
        if (lexer.token.kind == GEN_TOKEN_WORD) {
            one->name = gen_source_printf(ctx, "features.%s", gen_source_copy(ctx, lexer.token.text));
            gen_lexer_next(&lexer);
            if (gen_lexer_is(&lexer, ":")) gen_lexer_next(&lexer);
            one->kind = GEN_VALUE_WORD;
            one->text = lexer.token.text;
            if (lexer.token.kind != GEN_TOKEN_WORD) one->negative = true;
            one->next = before->next;
            before->next = one;
            if (options->tail == before) options->tail = one;
            options->count++;
            before = one;
            gen_lexer_next(&lexer);
        } else if (!extension) {
            gen_source_error(ctx, option->value_at, "expected the name of a feature");
            return;
        }
        while (extension && lexer.token.kind != GEN_TOKEN_END) { /* [pb.cpp] { ... } */
            if (gen_lexer_is(&lexer, "{")) depth++;
            extension = !(gen_lexer_is(&lexer, "}") && --depth == 0);
            gen_lexer_next(&lexer);
        }
        if (gen_lexer_is(&lexer, ",") || gen_lexer_is(&lexer, ";")) gen_lexer_next(&lexer);
    }
}

static void gen_option_inherit(gen_features_t *features, const gen_features_t *outer, const gen_options_t *options) {
    const gen_option_t *option;
    *features = *outer;
    for (option = options->first; option; option = option->next) {
        if (option->feature && option->choice > 0) features->of[option->feature] = (uint8_t)option->choice;
    }
}

static void gen_option_file_features(gen_file_t *file) {
    static const gen_features_t proto2 = {{0, GEN_PRESENCE_EXPLICIT, GEN_ENUM_CLOSED, GEN_REPEATED_EXPANDED,
        GEN_UTF8_NONE, GEN_ENCODING_LENGTH_PREFIXED, GEN_JSON_LEGACY_BEST_EFFORT, 0, 0}};
    static const gen_features_t proto3 = {{0, GEN_PRESENCE_IMPLICIT, GEN_ENUM_OPEN, GEN_REPEATED_PACKED,
        GEN_UTF8_VERIFY, GEN_ENCODING_LENGTH_PREFIXED, GEN_JSON_ALLOW, 0, 0}};
    gen_features_t features = file->syntax == GEN_SYNTAX_PROTO2 ? proto2 : proto3;
    if (file->syntax == GEN_SYNTAX_EDITIONS) features.of[GEN_FEATURE_FIELD_PRESENCE] = GEN_PRESENCE_EXPLICIT;
    gen_option_inherit(&file->features, &features, &file->options);
}

/* ---- All of them ---- */

static void gen_option_apply(
    gen_context_t *ctx, const gen_file_t *file, gen_options_t *options, gen_option_target_t target, bool *deprecated) {
    gen_option_t *option, *other;
    size_t i;
    for (option = options->first; option; option = option->next) {
        const gen_option_rule_t *rule = NULL;
        size_t len = strcspn(option->name, ".");
        if (option->custom) continue;
        if (file->syntax == GEN_SYNTAX_EDITIONS && strncmp(option->name, "features", len) == 0 && len == 8) {
            if (option->name[len])
                gen_option_feature(ctx, file, options, target, option, option->name + len + 1);
            else if (option->kind == GEN_VALUE_AGGREGATE)
                gen_option_feature_set(ctx, options, option);
            else
                gen_source_error(ctx, option->value_at, "option \"features\" must be a message in braces");
            continue;
        }
        for (i = 0; i < GEN_LEN(gen_option_rules); i++) {
            if (gen_option_rules[i].target == target && strncmp(gen_option_rules[i].name, option->name, len) == 0 &&
                !gen_option_rules[i].name[len] &&
                (!option->name[len] || gen_option_rules[i].kind == GEN_OPTION_MESSAGE)) {
                rule = &gen_option_rules[i];
            }
        }
        if (!rule) {
            bool feature = strncmp(option->name, "features", 8) == 0 && (!option->name[8] || option->name[8] == '.');
            gen_source_error(ctx, option->at,
                feature ? "option \"%s\" is for editions only"
                        : "option \"%s\" is not known; custom options stand in parentheses",
                option->name);
            continue;
        }
        if (strcmp(rule->name, "map_entry") == 0) {
            gen_source_error(ctx, option->at, "option \"map_entry\" must not be set: write map<...>");
        }
        if (option->name[len]) continue; /* a field of a message */
        option->field = rule->number;
        gen_option_value(ctx, option, rule);
        for (other = options->first; other != option && !rule->repeated; other = other->next) {
            if (other->field == option->field) {
                gen_source_error(ctx, option->at, "option \"%s\" is set already, at %s", option->name,
                    gen_source_place(ctx, other->at));
                break;
            }
        }
        if (strcmp(rule->name, "deprecated") == 0 && deprecated) *deprecated = gen_option_word_is(option, "true");
    }
}

static void gen_option_enum(gen_context_t *ctx, gen_enum_t *enumeration, const gen_features_t *outer) {
    const gen_file_t *file = enumeration->file;
    gen_enum_value_t *value;
    gen_option_apply(ctx, file, &enumeration->options, GEN_OPTION_OF_ENUM, &enumeration->deprecated);
    gen_option_inherit(&enumeration->features, outer, &enumeration->options);
    enumeration->allow_alias = gen_option_is_true(&enumeration->options, "allow_alias");
    enumeration->closed = enumeration->features.of[GEN_FEATURE_ENUM_TYPE] == GEN_ENUM_CLOSED;
    for (value = enumeration->values.first; value; value = value->next) {
        gen_option_apply(ctx, file, &value->options, GEN_OPTION_OF_VALUE, &value->deprecated);
    }
}

/* outer: of the oneof, the message or the file. */
static void gen_option_field(gen_context_t *ctx, gen_field_t *field, const gen_features_t *outer) {
    const gen_option_t *option;
    uint8_t *of = field->features.of;
    gen_option_apply(ctx, field->file, &field->options, GEN_OPTION_OF_FIELD, &field->deprecated);
    gen_option_inherit(&field->features, outer, &field->options);
    if (field->file->syntax == GEN_SYNTAX_EDITIONS) return;
    if (field->label == GEN_LABEL_REQUIRED) of[GEN_FEATURE_FIELD_PRESENCE] = GEN_PRESENCE_LEGACY_REQUIRED;
    if (field->proto3_optional) of[GEN_FEATURE_FIELD_PRESENCE] = GEN_PRESENCE_EXPLICIT;
    if (field->is_group) of[GEN_FEATURE_MESSAGE_ENCODING] = GEN_ENCODING_DELIMITED;
    for (option = field->options.first; option; option = option->next) {
        if (option->custom || strcmp(option->name, "packed") != 0) continue;
        of[GEN_FEATURE_REPEATED_FIELD_ENCODING] =
            gen_option_is_true(&field->options, "packed") ? GEN_REPEATED_PACKED : GEN_REPEATED_EXPANDED;
    }
}

static void gen_option_type(gen_context_t *ctx, gen_type_t *type, const gen_features_t *outer) {
    gen_type_t *inner;
    gen_enum_t *enumeration;
    gen_field_t *field;
    gen_oneof_t *oneof;
    gen_option_apply(ctx, type->file, &type->options, GEN_OPTION_OF_MESSAGE, &type->deprecated);
    gen_option_inherit(&type->features, outer, &type->options);
    type->is_message_set = gen_option_is_true(&type->options, "message_set_wire_format");
    for (oneof = type->oneofs.first; oneof; oneof = oneof->next) {
        gen_option_apply(ctx, type->file, &oneof->options, GEN_OPTION_OF_ONEOF, NULL);
        gen_option_inherit(&oneof->features, &type->features, &oneof->options);
    }
    for (field = type->fields.first; field; field = field->next) {
        gen_option_field(ctx, field, field->oneof ? &field->oneof->features : &type->features);
        if (type->is_map_entry) field->features.of[GEN_FEATURE_MESSAGE_ENCODING] = GEN_ENCODING_LENGTH_PREFIXED;
    }
    for (field = type->extensions.first; field; field = field->next)
        gen_option_field(ctx, field, &type->features);
    for (enumeration = type->enums.first; enumeration; enumeration = enumeration->next) {
        gen_option_enum(ctx, enumeration, &type->features);
    }
    for (inner = type->types.first; inner; inner = inner->next)
        gen_option_type(ctx, inner, &type->features);
}

GEN_PRIVATE void gen_option_model(gen_model_t *model) {
    gen_context_t *ctx = model->ctx;
    gen_file_t *file;
    gen_type_t *type;
    gen_enum_t *enumeration;
    gen_service_t *service;
    gen_method_t *method;
    gen_field_t *field;
    const gen_option_t *option;
    for (file = model->files.first; file; file = file->next) {
        gen_option_apply(ctx, file, &file->options, GEN_OPTION_OF_FILE, NULL);
        gen_option_file_features(file);
        for (type = file->types.first; type; type = type->next)
            gen_option_type(ctx, type, &file->features);
        for (enumeration = file->enums.first; enumeration; enumeration = enumeration->next) {
            gen_option_enum(ctx, enumeration, &file->features);
        }
        for (field = file->extensions.first; field; field = field->next)
            gen_option_field(ctx, field, &file->features);
        for (service = file->services.first; service; service = service->next) {
            gen_option_apply(ctx, file, &service->options, GEN_OPTION_OF_SERVICE, &service->deprecated);
            for (method = service->methods.first; method; method = method->next) {
                gen_option_apply(ctx, file, &method->options, GEN_OPTION_OF_METHOD, &method->deprecated);
                for (option = method->options.first; option; option = option->next) {
                    if (strcmp(option->name, "idempotency_level") == 0 && option->choice > 0) {
                        method->idempotency = option->choice;
                    }
                }
            }
        }
    }
}
