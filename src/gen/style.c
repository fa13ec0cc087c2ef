/* What edition 2024 adds, by two features (descriptor.proto, FeatureSet; protobuf.dev, "Feature Settings for
   Editions").

   enforce_naming_style = STYLE2024: messages, enums, services and methods are TitleCase; fields, oneofs, extensions and
   packages lower_snake_case; enum values UPPER_SNAKE_CASE. In the snake cases a `_` stands between letters or behind a
   digit, never first, last, twice or in front of a digit.

   default_symbol_visibility: whether messages and enums that say neither `export` nor `local` may be used in other
   files: all, those at the top level, or none. With STRICT what is nested cannot be exported, but for enums in a
   message that is there for nothing else: local, at the top level, with all field numbers reserved. */
#include "gen/style.h"

enum { GEN_STYLE_LOCAL = 1, GEN_STYLE_EXPORT = 2 }; /* google.protobuf.SymbolVisibility */

/* ---- Names ---- */

typedef enum gen_style_case_t { GEN_STYLE_TITLE, GEN_STYLE_LOWER, GEN_STYLE_UPPER } gen_style_case_t;

static bool gen_style_fits(const char *name, gen_style_case_t wanted) {
    const char *at;
    if (wanted == GEN_STYLE_TITLE ? !(*name >= 'A' && *name <= 'Z') : *name == '_') return false;
    for (at = name; *at; at++) {
        const bool lower = *at >= 'a' && *at <= 'z', upper = *at >= 'A' && *at <= 'Z';
        const bool next_is_letter = (at[1] >= 'a' && at[1] <= 'z') || (at[1] >= 'A' && at[1] <= 'Z');
        if (*at == '_' ? wanted == GEN_STYLE_TITLE || !next_is_letter
                       : (lower && wanted == GEN_STYLE_UPPER) || (upper && wanted == GEN_STYLE_LOWER)) {
            return false;
        }
    }
    return true;
}

static void gen_style_name(
    gen_context_t *ctx, const gen_features_t *features, const char *name, gen_style_case_t wanted, gen_at_t at) {
    static const char *const cases[] = {"TitleCase", "lower_snake_case", "UPPER_SNAKE_CASE"};
    if (features->of[GEN_FEATURE_ENFORCE_NAMING_STYLE] != GEN_STYLE_2024 || gen_style_fits(name, wanted)) return;
    gen_source_error(ctx, at,
        "\"%s\" must be %s, a `_` only in front of a letter; or set features.enforce_naming_style = STYLE_LEGACY", name,
        cases[wanted]);
}

static void gen_style_package(gen_context_t *ctx, const gen_file_t *file) {
    const char *part = file->package;
    while (*part) {
        const connect_str_t name = {part, strcspn(part, ".")};
        gen_style_name(ctx, &file->features, gen_source_copy(ctx, name), GEN_STYLE_LOWER, file->package_at);
        part += name.len + (part[name.len] == '.');
    }
}

/* ---- Visibility ---- */

static bool gen_style_is_local(int32_t said, const gen_type_t *parent, const gen_file_t *file) {
    if (said) return said == GEN_STYLE_LOCAL;
    switch (file->features.of[GEN_FEATURE_DEFAULT_SYMBOL_VISIBILITY]) {
    case GEN_VISIBILITY_EXPORT_TOP_LEVEL: return parent != NULL;
    case GEN_VISIBILITY_LOCAL_ALL:
    case GEN_VISIBILITY_STRICT: return true;
    default: return false;
    }
}

static void gen_style_use(
    gen_context_t *ctx, const gen_file_t *user, const gen_type_t *type, const gen_enum_t *enumeration, gen_at_t at) {
    const gen_file_t *file = type ? type->file : enumeration ? enumeration->file : user;
    const gen_type_t *parent = type ? type->parent : enumeration ? enumeration->parent : NULL;
    const int32_t said = type ? type->visibility : enumeration ? enumeration->visibility : 0;
    if (file == user || !gen_style_is_local(said, parent, file)) return;
    gen_source_error(ctx, at, "\"%s\" is local to \"%s\"%s; write `export` in front of it there",
        type ? type->full_name : enumeration->full_name, file->name,
        said ? "" : ", by features.default_symbol_visibility");
}

/* A message that is there for its enums only. */
static bool gen_style_is_namespace(const gen_type_t *type) {
    const gen_range_t *range = type->reserved.first;
    return !type->parent && gen_style_is_local(type->visibility, NULL, type->file) && type->reserved.count == 1 &&
        range->first == 1 && range->last == 536870911;
}

static void gen_style_strict(gen_context_t *ctx, const gen_file_t *file, const gen_type_t *parent, int32_t said,
    bool is_enum, const char *name, gen_at_t at) {
    if (file->features.of[GEN_FEATURE_DEFAULT_SYMBOL_VISIBILITY] != GEN_VISIBILITY_STRICT || !parent) return;
    if (said != GEN_STYLE_EXPORT || (is_enum && gen_style_is_namespace(parent))) return;
    gen_source_error(ctx, at, "\"%s\" is nested, so it cannot be exported: default_symbol_visibility is STRICT", name);
}

/* ---- All ---- */

static void gen_style_field(gen_context_t *ctx, const gen_field_t *field) {
    if (field->parent && field->parent->is_map_entry) { /* its value is what the user wrote */
        if (field->number == 2) gen_style_use(ctx, field->file, field->type, field->enumeration, field->type_at);
        return;
    }
    gen_style_name(ctx, &field->features, field->name, GEN_STYLE_LOWER, field->at);
    gen_style_use(ctx, field->file, field->type, field->enumeration, field->type_at);
    if (field->extendee) gen_style_use(ctx, field->file, field->extendee, NULL, field->extendee_at);
}

static void gen_style_enum(gen_context_t *ctx, const gen_enum_t *enumeration) {
    const gen_enum_value_t *value;
    gen_style_name(ctx, &enumeration->features, enumeration->name, GEN_STYLE_TITLE, enumeration->at);
    gen_style_strict(
        ctx, enumeration->file, enumeration->parent, enumeration->visibility, true, enumeration->name, enumeration->at);
    for (value = enumeration->values.first; value; value = value->next)
        gen_style_name(ctx, &value->features, value->name, GEN_STYLE_UPPER, value->at);
}

static void gen_style_type(gen_context_t *ctx, const gen_type_t *type) {
    const gen_type_t *inner;
    const gen_enum_t *enumeration;
    const gen_field_t *field;
    const gen_oneof_t *oneof;
    if (!type->is_map_entry) gen_style_name(ctx, &type->features, type->name, GEN_STYLE_TITLE, type->at);
    gen_style_strict(ctx, type->file, type->parent, type->visibility, false, type->name, type->at);
    for (field = type->fields.first; field; field = field->next)
        gen_style_field(ctx, field);
    for (field = type->extensions.first; field; field = field->next)
        gen_style_field(ctx, field);
    for (oneof = type->oneofs.first; oneof; oneof = oneof->next)
        gen_style_name(ctx, &oneof->features, oneof->name, GEN_STYLE_LOWER, oneof->at);
    for (enumeration = type->enums.first; enumeration; enumeration = enumeration->next)
        gen_style_enum(ctx, enumeration);
    for (inner = type->types.first; inner; inner = inner->next)
        gen_style_type(ctx, inner);
}

static void gen_style_service(gen_context_t *ctx, const gen_service_t *service) {
    const gen_method_t *method;
    gen_style_name(ctx, &service->features, service->name, GEN_STYLE_TITLE, service->at);
    for (method = service->methods.first; method; method = method->next) {
        gen_style_name(ctx, &method->features, method->name, GEN_STYLE_TITLE, method->at);
        gen_style_use(ctx, service->file, method->input, NULL, method->input_at);
        gen_style_use(ctx, service->file, method->output, NULL, method->output_at);
    }
}

GEN_PRIVATE void gen_style_model(gen_model_t *model) {
    const gen_file_t *file;
    const gen_type_t *type;
    const gen_enum_t *enumeration;
    const gen_field_t *field;
    const gen_service_t *service;
    for (file = model->files.first; file; file = file->next) {
        gen_style_package(model->ctx, file);
        for (type = file->types.first; type; type = type->next)
            gen_style_type(model->ctx, type);
        for (enumeration = file->enums.first; enumeration; enumeration = enumeration->next)
            gen_style_enum(model->ctx, enumeration);
        for (field = file->extensions.first; field; field = field->next)
            gen_style_field(model->ctx, field);
        for (service = file->services.first; service; service = service->next)
            gen_style_service(model->ctx, service);
    }
}
