/* Extension declarations (protobuf.dev, "Extension Declarations"): the options of a range of extension numbers may say
   which extension has which number, of which type.

   A declaration has a number of its range, and unless it is reserved a full name and a type: both with a dot in front,
   unless the type is a scalar one; no number and no name twice in a message. A range with declarations is not
   UNVERIFIED, and its statement has no other range. An extension whose range has declarations, or verification =
   DECLARATION, must be declared, by its name, type and whether it is repeated. */
#include "gen/declaration.h"
#include "gen/object.h"
#include "gen/scalar.h"

#define GEN_DECLARATION_UNVERIFIED 1

/* The next declaration of a range's options from an item on; NULL: no more. */
static const gen_item_t *gen_declaration_next(const gen_item_t *item) {
    while (item && (item->field->extendee_name || strcmp(item->field->name, "declaration") != 0))
        item = item->next;
    return item;
}

static const gen_item_t *gen_declaration_first(const gen_range_t *range) {
    const gen_object_t *options = range->options ? range->options->object : NULL;
    return gen_declaration_next(options ? options->items : NULL);
}

/* ".a.b" */
static bool gen_declaration_is_full_name(const char *name) {
    const char *at;
    if (*name != '.') return false;
    for (at = name + 1; *at; at++) {
        const bool letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || *at == '_';
        if (!letter && (at[-1] == '.' || (*at != '.' && !(*at >= '0' && *at <= '9')))) return false;
    }
    return at[-1] != '.';
}

static void gen_declaration_one(
    gen_context_t *ctx, const gen_range_t *range, const gen_item_t *item, gen_map_t *names, gen_map_t *numbers) {
    const gen_object_t *declaration = item->message;
    const int32_t number = gen_object_number(declaration, "number", 0);
    const char *key = gen_source_printf(ctx, "%ld", (long)number);
    const char *name = gen_object_text(ctx, declaration, "full_name");
    const char *type = gen_object_text(ctx, declaration, "type");
    if (number < range->first || number > range->last)
        gen_source_error(ctx, item->at, "number %ld is not in the range that this is an option of", (long)number);
    if (gen_map_get(numbers, key))
        gen_source_error(ctx, item->at, "number %ld is declared twice", (long)number);
    else
        gen_map_put(ctx, numbers, key, numbers);
    if (name && gen_map_get(names, name))
        gen_source_error(ctx, item->at, "\"%s\" is declared twice", name);
    else if (name)
        gen_map_put(ctx, names, name, names);
    if (!gen_object_is_true(declaration, "reserved") && (!name || !type))
        gen_source_error(ctx, item->at, "a declaration must have full_name and type, unless it is reserved");
    if (name && !gen_declaration_is_full_name(name))
        gen_source_error(ctx, item->at, "full_name must be a full name with a dot in front");
    if (type && !gen_scalar_kind(type) && !gen_declaration_is_full_name(type))
        gen_source_error(ctx, item->at, "type must be a scalar type, or a full name with a dot in front");
}

static void gen_declaration_range(gen_context_t *ctx, const gen_range_t *range, gen_map_t *names, gen_map_t *numbers) {
    const gen_item_t *item = gen_declaration_first(range);
    if (!item) return;
    if (gen_object_number(range->options->object, "verification", 0) == GEN_DECLARATION_UNVERIFIED)
        gen_source_error(ctx, item->at, "extension numbers with declarations cannot be UNVERIFIED");
    if (range->next && range->next->options == range->options) {
        gen_source_error(ctx, item->at, "a range with declarations stands alone in its statement");
        return;
    }
    for (; item; item = gen_declaration_next(item->next))
        gen_declaration_one(ctx, range, item, names, numbers);
}

/* Whether an extension is as it is declared. */
static void gen_declaration_compare(gen_context_t *ctx, const gen_field_t *field, const gen_object_t *declaration) {
    const char *name = gen_object_text(ctx, declaration, "full_name");
    const char *type = gen_object_text(ctx, declaration, "type");
    const char *own = field->type || field->enumeration
        ? gen_source_printf(ctx, ".%s", field->type ? field->type->full_name : field->enumeration->full_name)
        : gen_scalar_kind_name(field->kind);
    if (gen_object_is_true(declaration, "reserved")) {
        gen_source_error(ctx, field->number_at, "number %ld is reserved by a declaration in message \"%s\"",
            (long)field->number, field->extendee->full_name);
        return;
    }
    if (name && strcmp(name + (*name == '.'), field->full_name) != 0) {
        gen_source_error(ctx, field->at, "message \"%s\" declares number %ld for \"%s\"", field->extendee->full_name,
            (long)field->number, name);
    }
    if (type && *own && strcmp(type, own) != 0)
        gen_source_error(ctx, field->type_at, "extension \"%s\" is declared to be a \"%s\"", field->full_name, type);
    if (gen_object_is_true(declaration, "repeated") != (field->label == GEN_LABEL_REPEATED)) {
        gen_source_error(ctx, field->at, "extension \"%s\" is declared to be %s", field->full_name,
            field->label == GEN_LABEL_REPEATED ? "not repeated" : "repeated");
    }
}

static void gen_declaration_field(gen_context_t *ctx, const gen_field_t *field) {
    const gen_range_t *range = field->extendee ? field->extendee->extension_ranges.first : NULL;
    const gen_object_t *options;
    const gen_item_t *item;
    while (range && (field->number < range->first || field->number > range->last))
        range = range->next;
    options = range && range->options ? range->options->object : NULL;
    if (!options) return;
    for (item = gen_declaration_first(range); item; item = gen_declaration_next(item->next)) {
        if (gen_object_number(item->message, "number", 0) != field->number) continue;
        gen_declaration_compare(ctx, field, item->message);
        return;
    }
    if (!gen_declaration_first(range) &&
        gen_object_number(options, "verification", GEN_DECLARATION_UNVERIFIED) == GEN_DECLARATION_UNVERIFIED) {
        return;
    }
    gen_source_error(ctx, field->number_at, "message \"%s\" wants extensions of this range declared, and %ld is not",
        field->extendee->full_name, (long)field->number);
}

static void gen_declaration_type(gen_context_t *ctx, const gen_type_t *type) {
    const gen_type_t *inner;
    const gen_range_t *range;
    const gen_field_t *field;
    gen_map_t names, numbers;
    memset(&names, 0, sizeof names);
    memset(&numbers, 0, sizeof numbers);
    for (range = type->extension_ranges.first; range; range = range->next)
        gen_declaration_range(ctx, range, &names, &numbers);
    for (field = type->extensions.first; field; field = field->next)
        gen_declaration_field(ctx, field);
    for (inner = type->types.first; inner; inner = inner->next)
        gen_declaration_type(ctx, inner);
}

GEN_PRIVATE void gen_declaration_model(gen_model_t *model) {
    const gen_file_t *file;
    const gen_type_t *type;
    const gen_field_t *field;
    for (file = model->files.first; file; file = file->next) {
        for (type = file->types.first; type; type = type->next)
            gen_declaration_type(model->ctx, type);
        for (field = file->extensions.first; field; field = field->next)
            gen_declaration_field(model->ctx, field);
    }
}
