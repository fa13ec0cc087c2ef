/* The tables that connect_type_t, connect_enum_t and connect_file_t are made of; designated initializers, so C only.

   Fields: by number. Names: one string, each with its zero; a JSON name equal to the name shares its place. types,
   enums: those the fields refer to, each once, in the order of their first use by number. dense: how many fields from
   the first have the numbers 1, 2, 3 ... defaults: a struct, if any field of proto2 has a default other than zero, or
   a closed enum whose first value is not zero.

   X_slots: the perfect hash from names to fields that name_slots describes, for GEN_EMIT_TABLES_HASHED fields and
   more: seeds are tried in turn for the least table, then for one of twice the size. Without luck, or with more than
   255 fields, there is none, and names are compared in turn.

   X_fits: a struct may have 65,535 bytes, since offsets have 16 bits; this says so to the user's compiler.

   A literal over GEN_EMIT_TABLES_LITERAL bytes is written as an array: C99 does not promise more. */
#include "gen/emit_tables.h"
#include "gen/descriptor.h"
#include "gen/scalar.h"
#include "gen/wellknown.h"

#define GEN_EMIT_TABLES_LITERAL 4000u
#define GEN_EMIT_TABLES_HASHED 9u
#define GEN_EMIT_TABLES_HASH_BITS 13u
#define GEN_EMIT_TABLES_SEEDS 20000u

/* A string of names under way: each is put once, and its place remembered. */
typedef struct gen_emit_names_t {
    gen_text_t text; /* with zeros inside; the last zero is C's own */
} gen_emit_names_t;

/* What stands before a name: its length, if JSON has no escape in it. */
static char gen_emit_names_length(const char *name) {
    size_t len = 0;
    for (; name[len]; len++) {
        unsigned char c = (unsigned char)name[len];
        if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\' || len == 255) return 0;
    }
    return (char)(unsigned char)len;
}

static size_t gen_emit_names_put(gen_emit_names_t *names, const char *name) {
    size_t at = names->text.len ? names->text.len + 2 : 1;
    gen_text_put(&names->text, at > 1 ? "  " : " ");
    if (at > 1) names->text.data[at - 2] = 0;
    names->text.data[at - 1] = gen_emit_names_length(name);
    gen_text_put(&names->text, name);
    return at;
}

/* Writes `static const char <name>[] = ...;` if the bytes are too many for a literal. Returns whether it did. */
static bool gen_emit_tables_bytes(const char *name, connect_str_t bytes, gen_text_t *text) {
    if (bytes.len <= GEN_EMIT_TABLES_LITERAL) return false;
    gen_text_line(text, "static const char %s[] =", name);
    gen_text_array(text, "    ", bytes);
    gen_text_put(text, ";\n");
    return true;
}

/* `.names = "..."`, with what comes behind it. */
static void gen_emit_tables_names(const gen_emit_names_t *names, bool is_array, const char *c_name, gen_text_t *text) {
    connect_str_t bytes;
    bytes.data = names->text.data;
    bytes.len = names->text.len;
    if (is_array) {
        gen_text_line(text, "    .names = %s_names", c_name);
    } else if (bytes.len <= 24) { /* one line, whatever is escaped */
        gen_text_literal(text, "    .names = ", bytes);
        gen_text_put(text, "\n");
    } else {
        gen_text_put(text, "    .names =\n");
        gen_text_literal(text, "        ", bytes);
        gen_text_put(text, "\n");
    }
}

/* ---- Enums ---- */

static int gen_emit_tables_compare(const void *a, const void *b) {
    const gen_enum_value_t *one = *(const gen_enum_value_t *const *)a, *two = *(const gen_enum_value_t *const *)b;
    if (one->number != two->number) return one->number < two->number ? -1 : 1;
    return one->index < two->index ? -1 : 1;
}

static void gen_emit_tables_enum(gen_context_t *ctx, const gen_enum_t *enumeration, gen_text_t *text) {
    const gen_enum_value_t **sorted = CONNECT_NEW(&ctx->arena, const gen_enum_value_t *, enumeration->values.count);
    const gen_enum_value_t *value;
    gen_emit_names_t names;
    gen_text_t line;
    connect_str_t bytes;
    size_t i = 0;
    bool is_array;
    memset(&names, 0, sizeof names);
    memset(&line, 0, sizeof line);
    for (value = enumeration->values.first; value; value = value->next)
        sorted[i++] = value;
    qsort(sorted, i, sizeof *sorted, gen_emit_tables_compare);
    gen_text_put(&line, "");
    for (i = 0; i < enumeration->values.count; i++) {
        size_t at = gen_emit_names_put(&names, sorted[i]->name);
        const char *number =
            sorted[i]->number == INT32_MIN ? "-2147483647 - 1" : gen_source_printf(ctx, "%ld", (long)sorted[i]->number);
        gen_text_put(&line, gen_source_printf(ctx, "%s{%s, %lu}", i ? ", " : "", number, (unsigned long)at));
    }
    gen_text_line(text, "static const connect_enum_value_t %s_values[] = {%s};", enumeration->c_name, line.data);
    bytes.data = names.text.data;
    bytes.len = names.text.len;
    is_array = gen_emit_tables_bytes(
        gen_source_printf(ctx, "%s_names", enumeration->c_name), (connect_str_t){bytes.data, bytes.len + 1}, text);
    gen_text_line(text, "const connect_enum_t %s_enum = {", enumeration->c_name);
    gen_text_line(text, "    .full_name = \"%s\", .values = %s_values, .count = %lu, .closed = %s,",
        enumeration->full_name, enumeration->c_name, (unsigned long)enumeration->values.count,
        enumeration->closed ? "true" : "false");
    gen_emit_tables_names(&names, is_array, enumeration->c_name, text);
    gen_text_line(text, "};");
    gen_text_free(&names.text);
    gen_text_free(&line);
}

/* ---- Messages ---- */

static const char *gen_emit_tables_kind(int kind) {
    static const char *const names[] = {"", "DOUBLE", "FLOAT", "INT64", "UINT64", "INT32", "FIXED64", "FIXED32", "BOOL",
        "STRING", "GROUP", "MESSAGE", "BYTES", "UINT32", "ENUM", "SFIXED32", "SFIXED64", "SINT32", "SINT64"};
    return names[kind];
}

static const char *gen_emit_tables_flags(gen_context_t *ctx, const gen_field_t *field) {
    bool in_oneof = field->oneof && !field->oneof->synthetic;
    const char *flags = gen_source_printf(ctx, "%s%s%s%s%s%s%s%s",
        field->label == GEN_LABEL_REPEATED ? " | CONNECT_FIELD_REPEATED" : "",
        field->packed ? " | CONNECT_FIELD_PACKED" : "", field->is_map ? " | CONNECT_FIELD_MAP" : "",
        field->required ? " | CONNECT_FIELD_REQUIRED" : "", field->has ? " | CONNECT_FIELD_HAS" : "",
        in_oneof ? " | CONNECT_FIELD_ONEOF" : "", field->nullable ? " | CONNECT_FIELD_NULLABLE" : "",
        field->utf8 ? " | CONNECT_FIELD_UTF8" : "");
    return *flags ? flags + 3 : "0";
}

/* The tables of types or of enums that fields refer to; indexes[i]: the place of field i's. Returns how many. */
static size_t gen_emit_tables_refer(
    gen_context_t *ctx, const gen_type_t *type, bool enums, size_t *indexes, const char *table, gen_text_t *text) {
    gen_map_t known;
    gen_text_t line;
    size_t i, count = 0;
    memset(&known, 0, sizeof known);
    memset(&line, 0, sizeof line);
    gen_text_put(&line, "");
    for (i = 0; i < type->fields.count; i++) {
        const gen_field_t *field = type->by_number[i];
        const char *name = enums ? (field->enumeration ? field->enumeration->c_name : NULL)
                                 : (field->type ? field->type->c_name : NULL);
        size_t *place;
        if (!name) continue;
        place = gen_map_get(&known, name);
        if (!place) {
            place = CONNECT_NEW(&ctx->arena, size_t, 1);
            *place = count++;
            gen_map_put(ctx, &known, name, place);
            gen_text_put(&line, gen_source_printf(ctx, "%s&%s_%s", *place ? ", " : "", name, enums ? "enum" : "type"));
        }
        indexes[i] = *place;
    }
    if (count) {
        gen_text_line(text, "static const connect_%s_t *const %s[] = {%s};", enums ? "enum" : "type", table, line.data);
    }
    gen_text_free(&line);
    return count;
}

static const char *gen_emit_tables_default(gen_context_t *ctx, const gen_field_t *field) {
    const gen_option_t *value = field->default_value;
    const gen_enum_value_t *choice;
    gen_text_t literal;
    const char *result;
    double number;
    if (field->label == GEN_LABEL_REPEATED || field->type || (field->oneof && !field->oneof->synthetic)) return NULL;
    if (field->enumeration) {
        choice = value ? gen_scalar_enum_value(ctx, field->enumeration, value->text) : field->enumeration->values.first;
        return choice && choice->number ? choice->c_name : NULL;
    }
    if (!value) return NULL;
    switch (field->kind) {
    case CONNECT_KIND_STRING:
    case CONNECT_KIND_BYTES:
        if (!value->text.len) return "{\"\", 0}";
        memset(&literal, 0, sizeof literal);
        gen_text_literal(&literal, "", value->text);
        result = gen_source_printf(ctx, "{%s, %lu}", literal.data, (unsigned long)value->text.len);
        gen_text_free(&literal);
        return result;
    case CONNECT_KIND_BOOL: return value->text.len == 4 ? "true" : NULL;
    case CONNECT_KIND_DOUBLE:
    case CONNECT_KIND_FLOAT: {
        /* Not the macros of math.h, which generated code does without. */
        bool single = field->kind == CONNECT_KIND_FLOAT;
        if (value->kind == GEN_VALUE_WORD) {
            if (value->text.data[0] == 'n') return single ? "(float)(0.0 / 0.0)" : "0.0 / 0.0";
            return gen_source_printf(ctx, "%s(%s1.0 / 0.0)", single ? "(float)" : "", value->negative ? "-" : "");
        }
        number = value->negative ? -value->number : value->number;
        if (single) number = (double)(float)number;
        if (number - number < 0 || number - number > 0 || number - number != number - number) { /* it is too large */
            return gen_source_printf(ctx, "%s(%s1.0 / 0.0)", single ? "(float)" : "", value->negative ? "-" : "");
        }
        result = gen_source_printf(ctx, "%.17g", number);
        return gen_source_printf(
            ctx, "%s%s%s%s", single ? "(float)" : "", result, strpbrk(result, ".en") ? "" : ".0", "");
    }
    default:
        if (!value->integer) return NULL;
        if (field->kind == CONNECT_KIND_UINT64 || field->kind == CONNECT_KIND_FIXED64) {
            return gen_source_printf(ctx, "%lluu", (unsigned long long)value->integer);
        }
        if (field->kind == CONNECT_KIND_UINT32 || field->kind == CONNECT_KIND_FIXED32) {
            return gen_source_printf(ctx, "%luu", (unsigned long)value->integer);
        }
        if (value->negative && (value->integer == 0x80000000u || value->integer > INT64_MAX)) {
            /* the least of a type is no literal */
            return gen_source_printf(ctx, "-%llu - 1", (unsigned long long)value->integer - 1);
        }
        if (value->negative) return gen_source_printf(ctx, "-%llu", (unsigned long long)value->integer);
        return gen_source_printf(ctx, "%llu", (unsigned long long)value->integer);
    }
}

static bool gen_emit_tables_defaults(gen_context_t *ctx, const gen_type_t *type, gen_text_t *text) {
    const gen_field_t *field;
    gen_text_t line;
    memset(&line, 0, sizeof line);
    for (field = type->fields.first; field; field = field->next) {
        const char *value = gen_emit_tables_default(ctx, field);
        if (value)
            gen_text_put(&line, gen_source_printf(ctx, "%s.%s = %s", line.len ? ", " : "", field->c_name, value));
    }
    if (!line.len) return false;
    gen_text_line(text, "static const %s %s_defaults = {%s};", type->c_name, type->c_name, line.data);
    gen_text_free(&line);
    return true;
}

static void gen_emit_tables_fields(gen_context_t *ctx, const gen_type_t *type, const size_t *types, const size_t *enums,
    gen_emit_names_t *names, gen_text_t *text) {
    size_t i;
    if (!type->fields.count) return;
    gen_text_line(text, "static const connect_field_t %s_fields[] = {", type->c_name);
    for (i = 0; i < type->fields.count; i++) {
        const gen_field_t *field = type->by_number[i];
        bool in_oneof = field->oneof && !field->oneof->synthetic;
        const char *presence = in_oneof ? field->oneof->c_case : field->has ? field->c_has : NULL;
        size_t name_at = gen_emit_names_put(names, field->name);
        size_t json_at =
            strcmp(field->name, field->json_name) == 0 ? name_at : gen_emit_names_put(names, field->json_name);
        gen_text_line(text, "    {%ld, offsetof(%s, %s%s%s), %s, %lu, %lu, %lu, CONNECT_KIND_%s, %s}%s",
            (long)field->number, type->c_name, in_oneof ? field->oneof->c_name : "", in_oneof ? "." : "", field->c_name,
            presence ? gen_source_printf(ctx, "offsetof(%s, %s)", type->c_name, presence) : "0", (unsigned long)name_at,
            (unsigned long)json_at,
            (unsigned long)(field->type  ? types[i]
                    : field->enumeration ? enums[i]
                                         : 0),
            gen_emit_tables_kind(field->kind), gen_emit_tables_flags(ctx, field),
            i + 1 < type->fields.count ? "," : "");
    }
    gen_text_line(text, "};");
}

/* A name of a field, and what its slot holds. */
typedef struct gen_emit_slot_t {
    connect_str_t name;
    uint8_t value;
} gen_emit_slot_t;

/* Puts all names into the slots. Returns false if two meet. */
static bool gen_emit_tables_fill(
    const gen_emit_slot_t *names, size_t count, uint8_t *slots, uint32_t seed, unsigned bits) {
    size_t i;
    memset(slots, 0, (size_t)1 << bits);
    for (i = 0; i < count; i++) {
        const size_t at = cn_message_name_slot(names[i].name, seed, bits);
        if (slots[at]) return false;
        slots[at] = names[i].value;
    }
    return true;
}

static bool gen_emit_tables_slots(gen_context_t *ctx, const gen_type_t *type, uint32_t *seed, gen_text_t *text) {
    gen_emit_slot_t *names;
    uint8_t *slots;
    unsigned bits = 4;
    gen_text_t line;
    size_t i, count = 0;
    if (type->fields.count < GEN_EMIT_TABLES_HASHED || type->fields.count > 255) return false;
    names = CONNECT_NEW(&ctx->arena, gen_emit_slot_t, 2 * type->fields.count);
    for (i = 0; i < type->fields.count; i++) {
        const gen_field_t *field = type->by_number[i];
        names[count].name = connect_str_of(field->name);
        names[count++].value = (uint8_t)(i + 1);
        if (strcmp(field->name, field->json_name) == 0) continue;
        names[count].name = connect_str_of(field->json_name);
        names[count++].value = (uint8_t)(i + 1);
    }
    slots = CONNECT_NEW(&ctx->arena, uint8_t, (size_t)1 << GEN_EMIT_TABLES_HASH_BITS);
    while (bits < GEN_EMIT_TABLES_HASH_BITS && count * count > (size_t)28 << bits)
        bits++; /* of n names in m slots about one seed in exp(n * n / 2m) fits */
    for (*seed = 0; !gen_emit_tables_fill(names, count, slots, *seed, bits); ++*seed) {
        if (*seed < GEN_EMIT_TABLES_SEEDS) continue;
        if (bits == GEN_EMIT_TABLES_HASH_BITS) return false;
        bits++;
        *seed = 0;
    }
    memset(&line, 0, sizeof line);
    for (i = 0; i < (size_t)1 << bits; i++)
        gen_text_put(&line, gen_source_printf(ctx, ", %u", (unsigned)slots[i]));
    gen_text_line(text, "static const uint8_t %s_slots[] = {%u%s};", type->c_name, bits, line.data);
    gen_text_free(&line);
    return true;
}

static void gen_emit_tables_type(gen_context_t *ctx, const gen_type_t *type, gen_text_t *text) {
    size_t *types = CONNECT_NEW(&ctx->arena, size_t, type->fields.count + 1);
    size_t *enums = CONNECT_NEW(&ctx->arena, size_t, type->fields.count + 1);
    const char *name = type->c_name;
    const gen_wellknown_t *wellknown = gen_wellknown_find(type->full_name);
    const gen_type_t *inner;
    gen_emit_names_t names;
    gen_text_t refer, fields;
    size_t dense = 0, type_count, enum_count;
    bool is_array, has_defaults, has_slots;
    uint32_t seed = 0;
    for (inner = type->types.first; inner; inner = inner->next)
        gen_emit_tables_type(ctx, inner, text);
    memset(&names, 0, sizeof names);
    memset(&refer, 0, sizeof refer);
    memset(&fields, 0, sizeof fields);
    gen_text_put(&names.text, "");
    gen_text_put(&refer, "");
    type_count = gen_emit_tables_refer(ctx, type, false, types, gen_source_printf(ctx, "%s_types", name), &refer);
    enum_count = gen_emit_tables_refer(ctx, type, true, enums, gen_source_printf(ctx, "%s_enums", name), &refer);
    gen_emit_tables_fields(ctx, type, types, enums, &names, text);
    gen_text_put(text, refer.data);
    has_defaults = gen_emit_tables_defaults(ctx, type, text);
    is_array = gen_emit_tables_bytes(
        gen_source_printf(ctx, "%s_names", name), (connect_str_t){names.text.data, names.text.len + 1}, text);
    has_slots = gen_emit_tables_slots(ctx, type, &seed, text);
    while (dense < type->fields.count && type->by_number[dense]->number == (int32_t)dense + 1)
        dense++;
    gen_text_line(text, "typedef char %s_fits[sizeof(%s) <= 65535 ? 1 : -1];", name, name);
    gen_text_line(text, "const connect_type_t %s_type = {", name);
    gen_text_line(text, "    .full_name = \"%s\", .file = &%s_file, .size = sizeof(%s),", type->full_name,
        type->file->c_name, name);
    if (type->fields.count) {
        gen_text_line(text, "    .fields = %s_fields, .field_count = %lu, .dense = %lu,", name,
            (unsigned long)type->fields.count, (unsigned long)dense);
    }
    if (type_count) gen_text_line(text, "    .types = %s_types,", name);
    if (enum_count) gen_text_line(text, "    .enums = %s_enums,", name);
    if (has_defaults) gen_text_line(text, "    .defaults = &%s_defaults,", name);
    if (has_slots) gen_text_line(text, "    .name_slots = %s_slots, .name_seed = %lu,", name, (unsigned long)seed);
    if (type->has_required) gen_text_line(text, "    .has_required = true,");
    if (type->is_map_entry)
        gen_text_line(text, "    .is_map_entry = true,");
    else if (type->is_message_set)
        gen_text_line(text, "    .is_message_set = true,");
    if (type->keeps_unknown)
        gen_text_line(text, "    .keeps_unknown = true, .unknown = offsetof(%s, %s),", name, type->c_unknown);
    if (wellknown) gen_text_line(text, "    .form = %s,", wellknown->form);
    gen_emit_tables_names(&names, is_array, name, text);
    gen_text_line(text, "};");
    gen_text_free(&names.text);
    gen_text_free(&refer);
}

static void gen_emit_tables_enums(gen_context_t *ctx, const gen_type_t *type, gen_text_t *text) {
    const gen_type_t *inner;
    const gen_enum_t *enumeration;
    for (inner = type->types.first; inner; inner = inner->next)
        gen_emit_tables_enums(ctx, inner, text);
    for (enumeration = type->enums.first; enumeration; enumeration = enumeration->next) {
        gen_emit_tables_enum(ctx, enumeration, text);
    }
}

GEN_PRIVATE void gen_emit_tables_types(gen_context_t *ctx, const gen_file_t *file, gen_text_t *text) {
    const gen_type_t *type;
    const gen_enum_t *enumeration;
    for (enumeration = file->enums.first; enumeration; enumeration = enumeration->next) {
        gen_emit_tables_enum(ctx, enumeration, text);
    }
    for (type = file->types.first; type; type = type->next)
        gen_emit_tables_enums(ctx, type, text);
    for (type = file->types.first; type; type = type->next)
        gen_emit_tables_type(ctx, type, text);
    for (type = file->holders.first; type; type = type->next) {
        gen_emit_tables_type(ctx, type, text);
        gen_text_line(text, "const connect_extension_t %s_extension = {&%s_type, &%s_type};", type->c_name,
            type->extension->extendee->c_name, type->c_name);
    }
}

/* ---- Files ---- */

/* Lists of pointers to tables, with what they are lists of. */
typedef struct gen_emit_list_t {
    gen_text_t line;
    size_t count;
} gen_emit_list_t;

static void gen_emit_list_add(gen_emit_list_t *list, gen_context_t *ctx, const char *name, const char *suffix) {
    gen_text_put(&list->line, gen_source_printf(ctx, "%s&%s%s", list->count ? ", " : "", name, suffix));
    list->count++;
}

static void gen_emit_list_types(gen_emit_list_t *list, gen_context_t *ctx, const gen_type_t *type) {
    const gen_type_t *inner;
    for (inner = type->types.first; inner; inner = inner->next)
        gen_emit_list_types(list, ctx, inner);
    gen_emit_list_add(list, ctx, type->c_name, "_type");
}

static void gen_emit_list_enums(gen_emit_list_t *list, gen_context_t *ctx, const gen_type_t *type) {
    const gen_type_t *inner;
    const gen_enum_t *enumeration;
    for (inner = type->types.first; inner; inner = inner->next)
        gen_emit_list_enums(list, ctx, inner);
    for (enumeration = type->enums.first; enumeration; enumeration = enumeration->next) {
        gen_emit_list_add(list, ctx, enumeration->c_name, "_enum");
    }
}

static void gen_emit_list_write(
    const gen_emit_list_t *list, const char *kind, const char *file, const char *what, gen_text_t *text) {
    if (list->count) {
        gen_text_line(text, "static const connect_%s_t *const %s_file_%s[] = {%s};", kind, file, what, list->line.data);
    }
}

static void gen_emit_list_use(gen_emit_list_t *list, const char *file, const char *what, gen_text_t *text) {
    if (list->count) {
        gen_text_put(text, ",\n");
        gen_text_put(text, "    .");
        gen_text_put(text, what);
        gen_text_put(text, " = {");
        gen_text_put(text, file);
        gen_text_put(text, "_file_");
        gen_text_put(text, what);
        {
            char count[32];
            sprintf(count, ", %lu}", (unsigned long)list->count);
            gen_text_put(text, count);
        }
    }
    gen_text_free(&list->line);
}

GEN_PRIVATE void gen_emit_tables_file(gen_context_t *ctx, const gen_file_t *file, gen_text_t *text) {
    connect_str_t descriptor = gen_descriptor_file(ctx, file);
    gen_emit_list_t imports, types, enums, extensions, services;
    const gen_import_t *import;
    const gen_type_t *type;
    const gen_enum_t *enumeration;
    const gen_service_t *service;
    const char *bytes = gen_source_printf(ctx, "%s_file_bytes", file->c_name);
    bool is_array = gen_emit_tables_bytes(bytes, descriptor, text);
    memset(&imports, 0, sizeof imports);
    memset(&types, 0, sizeof types);
    memset(&enums, 0, sizeof enums);
    memset(&extensions, 0, sizeof extensions);
    memset(&services, 0, sizeof services);
    for (import = file->imports.first; import; import = import->next) {
        gen_emit_list_add(&imports, ctx, import->file->c_name, "_file");
    }
    for (type = file->types.first; type; type = type->next)
        gen_emit_list_types(&types, ctx, type);
    for (enumeration = file->enums.first; enumeration; enumeration = enumeration->next) {
        gen_emit_list_add(&enums, ctx, enumeration->c_name, "_enum");
    }
    for (type = file->types.first; type; type = type->next)
        gen_emit_list_enums(&enums, ctx, type);
    for (type = file->holders.first; type; type = type->next)
        gen_emit_list_add(&extensions, ctx, type->c_name, "_extension");
    for (service = file->services.first; service; service = service->next) {
        gen_emit_list_add(&services, ctx, service->c_name, "_service");
    }
    if (!is_array) {
        gen_text_line(text, "static const char %s[] =", bytes);
        gen_text_literal(text, "    ", descriptor);
        gen_text_put(text, ";\n");
    }
    gen_emit_list_write(&imports, "file", file->c_name, "imports", text);
    gen_emit_list_write(&types, "type", file->c_name, "types", text);
    gen_emit_list_write(&enums, "enum", file->c_name, "enums", text);
    gen_emit_list_write(&extensions, "extension", file->c_name, "extensions", text);
    gen_emit_list_write(&services, "service", file->c_name, "services", text);
    gen_text_line(text, "const connect_file_t %s_file = {", file->c_name);
    gen_text_put(text,
        gen_source_printf(ctx, "    .name = \"%s\",\n    .descriptor = {%s, sizeof %s%s}", file->name, bytes, bytes,
            is_array ? "" : " - 1"));
    gen_emit_list_use(&imports, file->c_name, "imports", text);
    gen_emit_list_use(&types, file->c_name, "types", text);
    gen_emit_list_use(&enums, file->c_name, "enums", text);
    gen_emit_list_use(&extensions, file->c_name, "extensions", text);
    gen_emit_list_use(&services, file->c_name, "services", text);
    gen_text_put(text, "\n};\n");
}
