/* The declarations for messages and enums: what users read. The shape is told in docs/schema.md; in short: a struct
   with a member for each field in the order of the .proto file, then has_x for what tracks presence by a bool, then
   the unknown fields. A oneof stands where its first field stands: x_case, and a union. Comments go with what they
   are for.

   Every message has a list type, so that any file may repeat it. Messages inside others come before them. */
#include "gen/emit_types.h"

static void gen_emit_types_enum(const gen_enum_t *enumeration, gen_text_t *text) {
    const gen_enum_value_t *value;
    gen_text_comment(text, "", enumeration->docs.leading, enumeration->docs.trailing, enumeration->deprecated);
    gen_text_line(text, "typedef enum %s {", enumeration->c_name);
    for (value = enumeration->values.first; value; value = value->next) {
        gen_text_comment(text, "    ", value->docs.leading, value->docs.trailing, value->deprecated);
        if (value->number == INT32_MIN)
            gen_text_line(text, "    %s = -2147483647 - 1%s", value->c_name, value->next ? "," : "");
        else
            gen_text_line(text, "    %s = %ld%s", value->c_name, (long)value->number, value->next ? "," : "");
    }
    gen_text_line(text, "} %s;", enumeration->c_name);
}

static void gen_emit_types_enums(const gen_type_t *type, gen_text_t *text) {
    const gen_type_t *inner;
    const gen_enum_t *enumeration;
    for (inner = type->types.first; inner; inner = inner->next)
        gen_emit_types_enums(inner, text);
    for (enumeration = type->enums.first; enumeration; enumeration = enumeration->next) {
        gen_emit_types_enum(enumeration, text);
    }
}

static void gen_emit_types_forward(const gen_type_t *type, gen_text_t *text) {
    const gen_type_t *inner;
    for (inner = type->types.first; inner; inner = inner->next)
        gen_emit_types_forward(inner, text);
    gen_text_line(text, "typedef struct %s %s;", type->c_name, type->c_name);
}

static void gen_emit_types_lists(const gen_type_t *type, gen_text_t *text) {
    const gen_type_t *inner;
    for (inner = type->types.first; inner; inner = inner->next)
        gen_emit_types_lists(inner, text);
    gen_text_line(text, "typedef struct %s_list {", type->c_name);
    gen_text_line(text, "    const %s *items;", type->c_name);
    gen_text_line(text, "    size_t count;");
    gen_text_line(text, "} %s_list;", type->c_name);
}

/* "int32_t ", "const a_B *": what stands before a member's name. */
static const char *gen_emit_types_of(gen_context_t *ctx, const gen_field_t *field) {
    static const char *const names[] = {"", "double", "float", "int64", "uint64", "int32", "uint64", "uint32", "bool",
        "str", "", "", "str", "uint32", "int32", "int32", "int64", "int32", "int64"};
    const char *name = names[field->kind];
    if (field->type) {
        return field->label == GEN_LABEL_REPEATED ? gen_source_printf(ctx, "%s_list ", field->type->c_name)
                                                  : gen_source_printf(ctx, "const %s *", field->type->c_name);
    }
    if (field->label == GEN_LABEL_REPEATED) return gen_source_printf(ctx, "connect_%s_list_t ", name);
    if (strcmp(name, "str") == 0) return "connect_str_t ";
    if (field->kind == CONNECT_KIND_DOUBLE || field->kind == CONNECT_KIND_FLOAT || field->kind == CONNECT_KIND_BOOL) {
        return gen_source_printf(ctx, "%s ", name);
    }
    return gen_source_printf(ctx, "%s_t ", name);
}

static void gen_emit_types_member(gen_context_t *ctx, const gen_field_t *field, const char *indent, gen_text_t *text) {
    const char *note = "";
    if (field->enumeration)
        note = gen_source_printf(ctx, " /* %s */", field->enumeration->c_name);
    else if (field->nullable && !field->type)
        note = " /* data == NULL: absent */";
    gen_text_comment(text, indent, field->docs.leading, field->docs.trailing, field->deprecated);
    gen_text_line(text, "%s%s%s;%s", indent, gen_emit_types_of(ctx, field), field->c_name, note);
}

static void gen_emit_types_oneof(
    gen_context_t *ctx, const gen_type_t *type, const gen_oneof_t *oneof, gen_text_t *text) {
    const gen_field_t *field;
    gen_text_comment(text, "    ", oneof->docs.leading, oneof->docs.trailing, false);
    gen_text_line(text, "    int32_t %s; /* %s */", oneof->c_case, oneof->c_enum);
    gen_text_line(text, "    union {");
    for (field = type->fields.first; field; field = field->next) {
        if (field->oneof == oneof) gen_emit_types_member(ctx, field, "        ", text);
    }
    gen_text_line(text, "    } %s;", oneof->c_name);
}

static void gen_emit_types_cases(const gen_type_t *type, const gen_oneof_t *oneof, gen_text_t *text) {
    const gen_field_t *field, *last = NULL;
    for (field = type->fields.first; field; field = field->next) {
        if (field->oneof == oneof) last = field;
    }
    gen_text_line(text, "typedef enum %s {", oneof->c_enum);
    gen_text_line(text, "    %s = 0,", oneof->c_not_set);
    for (field = type->fields.first; field; field = field->next) {
        if (field->oneof != oneof) continue;
        gen_text_line(text, "    %s = %ld%s", field->c_choice, (long)field->number, field == last ? "" : ",");
    }
    gen_text_line(text, "} %s;", oneof->c_enum);
}

static void gen_emit_types_struct(gen_context_t *ctx, const gen_type_t *type, gen_text_t *text) {
    const gen_type_t *inner;
    const gen_field_t *field;
    const gen_oneof_t *oneof = NULL;
    for (inner = type->types.first; inner; inner = inner->next)
        gen_emit_types_struct(ctx, inner, text);
    gen_text_put(text, "\n");
    gen_text_comment(text, "", type->docs.leading, type->docs.trailing, type->deprecated);
    gen_text_line(text, "struct %s {", type->c_name);
    for (field = type->fields.first; field; field = field->next) {
        if (!field->oneof || field->oneof->synthetic) {
            gen_emit_types_member(ctx, field, "    ", text);
        } else if (field->oneof != oneof) { /* the fields of a oneof stand together */
            oneof = field->oneof;
            gen_emit_types_oneof(ctx, type, oneof, text);
        }
    }
    for (field = type->fields.first; field; field = field->next) {
        if (field->has) gen_text_line(text, "    bool %s;", field->c_has);
    }
    if (type->keeps_unknown) gen_text_line(text, "    connect_str_list_t %s;", type->c_unknown);
    if (!type->fields.first && !type->keeps_unknown)
        gen_text_line(text, "    char private_empty; /* C has no empty structs */");
    gen_text_line(text, "};");
    for (oneof = type->oneofs.first; oneof; oneof = oneof->next) {
        if (!oneof->synthetic) gen_emit_types_cases(type, oneof, text);
    }
}

static void gen_emit_types_enum_tables(const gen_type_t *type, gen_text_t *text) {
    const gen_type_t *inner;
    const gen_enum_t *enumeration;
    for (inner = type->types.first; inner; inner = inner->next)
        gen_emit_types_enum_tables(inner, text);
    for (enumeration = type->enums.first; enumeration; enumeration = enumeration->next) {
        gen_text_line(text, "CONNECT_API const connect_enum_t %s_enum;", enumeration->c_name);
    }
}

static void gen_emit_types_tables(const gen_type_t *type, gen_text_t *text) {
    const gen_type_t *inner;
    for (inner = type->types.first; inner; inner = inner->next)
        gen_emit_types_tables(inner, text);
    gen_text_line(text, "CONNECT_API const connect_type_t %s_type;", type->c_name);
}

/* ---- Functions ---- */

static void gen_emit_types_get(gen_context_t *ctx, const gen_type_t *type, const gen_field_t *field, gen_text_t *text) {
    gen_text_line(text, "/* Finds an entry of %s.%s by its key; NULL if there is none. */", type->name, field->name);
    gen_text_line(text, "static inline const %s *%s(const %s *message, %skey) {", field->type->c_name, field->c_get,
        type->c_name, gen_emit_types_of(ctx, field->type->fields.first));
    gen_text_line(text, "    return CONNECT_CAST(const %s *, connect_message_map_get(&%s_type, message, %ld, &key));",
        field->type->c_name, type->c_name, (long)field->number);
    gen_text_line(text, "}");
}

static void gen_emit_types_set(gen_context_t *ctx, const gen_type_t *type, const gen_field_t *field, gen_text_t *text) {
    const gen_oneof_t *oneof = field->c_choice ? field->oneof : NULL;
    gen_text_line(text, "static inline void %s(%s *message, %svalue) {", field->c_set, type->c_name,
        gen_emit_types_of(ctx, field));
    gen_text_line(text, "    message->%s%s%s = value;", oneof ? oneof->c_name : "", oneof ? "." : "", field->c_name);
    if (oneof)
        gen_text_line(text, "    message->%s = %s;", oneof->c_case, field->c_choice);
    else
        gen_text_line(text, "    message->%s = true;", field->c_has);
    gen_text_line(text, "}");
}

static void gen_emit_types_functions(gen_context_t *ctx, const gen_type_t *type, gen_text_t *text) {
    const gen_type_t *inner;
    const gen_field_t *field;
    for (inner = type->types.first; inner; inner = inner->next)
        gen_emit_types_functions(ctx, inner, text);
    if (type->is_map_entry) return;
    gen_text_line(text, "static inline void %s_init(%s *message) {", type->c_name, type->c_name);
    gen_text_line(text, "    connect_message_init(&%s_type, message);", type->c_name);
    gen_text_line(text, "}");
    for (field = type->fields.first; field; field = field->next) {
        if (field->c_set) gen_emit_types_set(ctx, type, field, text);
        if (field->c_get) gen_emit_types_get(ctx, type, field, text);
    }
}

static void gen_emit_types_name(const gen_enum_t *enumeration, gen_text_t *text) {
    gen_text_line(text, "static inline const char *%s_name(int32_t number) {", enumeration->c_name);
    gen_text_line(text, "    return connect_enum_name(&%s_enum, number);", enumeration->c_name);
    gen_text_line(text, "}");
}

static void gen_emit_types_enum_names(const gen_type_t *type, gen_text_t *text) {
    const gen_type_t *inner;
    const gen_enum_t *enumeration;
    for (inner = type->types.first; inner; inner = inner->next)
        gen_emit_types_enum_names(inner, text);
    for (enumeration = type->enums.first; enumeration; enumeration = enumeration->next)
        gen_emit_types_name(enumeration, text);
}

/* Typed ways to an extension. */
static void gen_emit_types_extension(const gen_type_t *holder, gen_text_t *text) {
    const char *name = holder->c_name, *extendee = holder->extension->extendee->c_name;
    gen_text_line(text, "static inline bool %s_get(const %s *message, %s *value, connect_arena_t *arena) {", name,
        extendee, name);
    gen_text_line(text, "    return connect_extension_get(&%s_extension, message, value, arena);", name);
    gen_text_line(text, "}");
    gen_text_line(text, "static inline bool %s_set(%s *message, const %s *value_or_null, connect_arena_t *arena) {",
        name, extendee, name);
    gen_text_line(text, "    return connect_extension_set(&%s_extension, message, value_or_null, arena);", name);
    gen_text_line(text, "}");
}

static bool gen_emit_types_have_enums(const gen_type_t *type) {
    const gen_type_t *inner;
    if (type->enums.first) return true;
    for (inner = type->types.first; inner; inner = inner->next) {
        if (gen_emit_types_have_enums(inner)) return true;
    }
    return false;
}

static void gen_emit_types_holder(gen_context_t *ctx, const gen_type_t *holder, gen_text_t *text) {
    const gen_field_t *value = holder->fields.first;
    gen_text_put(text, "\n");
    gen_text_comment(text, "", holder->docs.leading, holder->docs.trailing, holder->deprecated);
    gen_text_line(text, "/* Extension of %s: %s_get and %s_set. */", holder->extension->extendee->full_name,
        holder->c_name, holder->c_name);
    gen_text_line(text, "typedef struct %s {", holder->c_name);
    gen_text_line(text, "    %svalue;%s", gen_emit_types_of(ctx, value),
        value->enumeration                    ? gen_source_printf(ctx, " /* %s */", value->enumeration->c_name)
            : value->nullable && !value->type ? " /* data == NULL: absent */"
                                              : "");
    if (value->has) gen_text_line(text, "    bool has_value;");
    if (holder->keeps_unknown) gen_text_line(text, "    connect_str_list_t unknown_fields;");
    gen_text_line(text, "} %s;", holder->c_name);
}

GEN_PRIVATE void gen_emit_types_declare(gen_context_t *ctx, const gen_file_t *file, gen_text_t *text) {
    const gen_type_t *type, *holder;
    const gen_enum_t *enumeration;
    bool enums = file->enums.first != NULL;
    for (type = file->types.first; type; type = type->next) {
        if (gen_emit_types_have_enums(type)) enums = true;
    }
    if (enums) {
        gen_text_put(text,
            "\n/* ---- Enums: a field is an int32_t, since an open enum may hold numbers that this list does "
            "not know ---- */\n");
        for (enumeration = file->enums.first; enumeration; enumeration = enumeration->next) {
            gen_emit_types_enum(enumeration, text);
        }
        for (type = file->types.first; type; type = type->next)
            gen_emit_types_enums(type, text);
    }
    if (file->types.first) {
        gen_text_put(text, "\n/* ---- Messages ---- */\n");
        for (type = file->types.first; type; type = type->next)
            gen_emit_types_forward(type, text);
        for (type = file->types.first; type; type = type->next)
            gen_emit_types_lists(type, text);
        for (type = file->types.first; type; type = type->next)
            gen_emit_types_struct(ctx, type, text);
    }
    for (holder = file->holders.first; holder; holder = holder->next)
        gen_emit_types_holder(ctx, holder, text);
    gen_text_put(text, "\n");
    for (enumeration = file->enums.first; enumeration; enumeration = enumeration->next) {
        gen_text_line(text, "CONNECT_API const connect_enum_t %s_enum;", enumeration->c_name);
    }
    for (type = file->types.first; type; type = type->next)
        gen_emit_types_enum_tables(type, text);
    for (type = file->types.first; type; type = type->next)
        gen_emit_types_tables(type, text);
    for (holder = file->holders.first; holder; holder = holder->next) {
        gen_text_line(text, "CONNECT_API const connect_extension_t %s_extension;", holder->c_name);
    }
    gen_text_line(text, "CONNECT_API const connect_file_t %s_file;", file->c_name);
    if (!enums && !file->types.first && !file->holders.first) return;
    gen_text_put(text,
        "\n/* ---- Functions: _init sets defaults, _set_x a field and that it is present, _name is NULL for an unknown "
        "number ---- */\n");
    for (enumeration = file->enums.first; enumeration; enumeration = enumeration->next)
        gen_emit_types_name(enumeration, text);
    for (type = file->types.first; type; type = type->next)
        gen_emit_types_enum_names(type, text);
    for (type = file->types.first; type; type = type->next)
        gen_emit_types_functions(ctx, type, text);
    for (holder = file->holders.first; holder; holder = holder->next)
        gen_emit_types_extension(holder, text);
}
