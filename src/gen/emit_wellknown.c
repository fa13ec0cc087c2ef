/* What the headers of google/protobuf/ have besides structs and tables: typed functions, each a line or a few around
   those of connect.h (api/wellknown.h), in the header itself, so that they cost nothing where they are not used.

   In the templates $T is the C name of the message at hand; $V, $S and $L are those of Value, Struct and ListValue. */
#include "gen/emit_wellknown.h"
#include "gen/wellknown.h"

static const char gen_emit_wellknown_timestamp[] =
    "/* Returns the time by the system's clock. */\n"
    "static inline $T $T_now(void) {\n"
    "    $T timestamp = CONNECT_DEFAULTS;\n"
    "    connect_timestamp_now(&timestamp.seconds, &timestamp.nanos);\n"
    "    return timestamp;\n"
    "}\n"
    "/* Converts a time since 1970, as clock_gettime gives it. */\n"
    "static inline $T $T_from_timespec(const struct timespec *time) {\n"
    "    $T timestamp = CONNECT_DEFAULTS;\n"
    "    connect_timestamp_from_timespec(time, &timestamp.seconds, &timestamp.nanos);\n"
    "    return timestamp;\n"
    "}\n"
    "/* Returns false if time_t cannot hold it, or nanos is not from 0 to 999,999,999. */\n"
    "static inline bool $T_to_timespec(const $T *timestamp, struct timespec *time) {\n"
    "    return connect_timestamp_to_timespec(timestamp->seconds, timestamp->nanos, time);\n"
    "}\n";

static const char gen_emit_wellknown_duration[] =
    "/* Converts a span of time. */\n"
    "static inline $T $T_from_timespec(const struct timespec *span) {\n"
    "    $T duration = CONNECT_DEFAULTS;\n"
    "    connect_duration_from_timespec(span, &duration.seconds, &duration.nanos);\n"
    "    return duration;\n"
    "}\n"
    "/* Returns false if time_t cannot hold it, or the signs differ. */\n"
    "static inline bool $T_to_timespec(const $T *duration, struct timespec *span) {\n"
    "    return connect_duration_to_timespec(duration->seconds, duration->nanos, span);\n"
    "}\n"
    "/* Converts milliseconds. */\n"
    "static inline $T $T_from_ms(int64_t ms) {\n"
    "    $T duration = CONNECT_DEFAULTS;\n"
    "    connect_duration_from_ms(ms, &duration.seconds, &duration.nanos);\n"
    "    return duration;\n"
    "}\n"
    "/* Returns whole milliseconds; what int64_t cannot hold becomes the nearest it can. */\n"
    "static inline int64_t $T_to_ms(const $T *duration) {\n"
    "    return connect_duration_to_ms(duration->seconds, duration->nanos);\n"
    "}\n";

static const char gen_emit_wellknown_any[] =
    "/* Puts a message into an Any. Returns false on the errors of connect_message_encode. Lifetime: the arena's. */\n"
    "static inline bool $T_pack($T *any, const connect_type_t *type, const void *message, connect_arena_t *arena,\n"
    "    connect_error_t *error) {\n"
    "    return connect_any_pack(&any->type_url, &any->value, type, message, arena, error);\n"
    "}\n"
    "/* Tells whether an Any holds a message of a type. */\n"
    "static inline bool $T_is(const $T *any, const connect_type_t *type) {\n"
    "    return connect_any_is(any->type_url, type);\n"
    "}\n"
    "/* Decodes what an Any holds into a struct of that type. Errors: INVALID_ARGUMENT if it is of another type, and\n"
    "   those of connect_message_decode. Lifetime: strings are views of the Any's value. */\n"
    "static inline bool $T_unpack(const $T *any, const connect_type_t *type, void *message, connect_arena_t *arena,\n"
    "    connect_error_t *error) {\n"
    "    return connect_any_unpack(any->type_url, any->value, type, message, arena, CONNECT_NULL, error);\n"
    "}\n";

static const char gen_emit_wellknown_field_mask[] =
    "/* Tells whether a mask names a field, \"a.b\", or a message that the field is in, \"a\". */\n"
    "static inline bool $T_has(const $T *mask, const char *path) {\n"
    "    return connect_field_mask_has(mask->paths, path);\n"
    "}\n"
    "/* Tells whether each path names a field of a type. Errors: INVALID_ARGUMENT. */\n"
    "static inline bool $T_check(const $T *mask, const connect_type_t *type, connect_arena_t *arena,\n"
    "    connect_error_t *error) {\n"
    "    return connect_field_mask_check(mask->paths, type, arena, error);\n"
    "}\n"
    "/* Copies the fields that a mask names, deeply: each replaces what `to` has, or clears it if `from` has none.\n"
    "   Errors: INVALID_ARGUMENT (a path that is none; nothing is copied then), RESOURCE_EXHAUSTED. */\n"
    "static inline bool $T_copy(const $T *mask, const connect_type_t *type, void *to, const void *from,\n"
    "    connect_arena_t *arena, connect_error_t *error) {\n"
    "    return connect_field_mask_copy(mask->paths, type, to, from, arena, error);\n"
    "}\n";

/* In two parts, since a literal has at most 4,095 characters. */
static const char gen_emit_wellknown_value_of[] = "/* Make a Value; what is pointed to is not copied. */\n"
                                                  "static inline $V $V_of_null(void) {\n"
                                                  "    $V value = CONNECT_DEFAULTS;\n"
                                                  "    value.kind_case = $V_kind_null_value;\n"
                                                  "    return value;\n"
                                                  "}\n"
                                                  "static inline $V $V_of_number(double number) {\n"
                                                  "    $V value = CONNECT_DEFAULTS;\n"
                                                  "    value.kind_case = $V_kind_number_value;\n"
                                                  "    value.kind.number_value = number;\n"
                                                  "    return value;\n"
                                                  "}\n"
                                                  "static inline $V $V_of_string(connect_str_t text) {\n"
                                                  "    $V value = CONNECT_DEFAULTS;\n"
                                                  "    value.kind_case = $V_kind_string_value;\n"
                                                  "    value.kind.string_value = text;\n"
                                                  "    return value;\n"
                                                  "}\n"
                                                  "static inline $V $V_of_bool(bool truth) {\n"
                                                  "    $V value = CONNECT_DEFAULTS;\n"
                                                  "    value.kind_case = $V_kind_bool_value;\n"
                                                  "    value.kind.bool_value = truth;\n"
                                                  "    return value;\n"
                                                  "}\n"
                                                  "static inline $V $V_of_struct(const $S *object) {\n"
                                                  "    $V value = CONNECT_DEFAULTS;\n"
                                                  "    value.kind_case = $V_kind_struct_value;\n"
                                                  "    value.kind.struct_value = object;\n"
                                                  "    return value;\n"
                                                  "}\n"
                                                  "static inline $V $V_of_list(const $L *list) {\n"
                                                  "    $V value = CONNECT_DEFAULTS;\n"
                                                  "    value.kind_case = $V_kind_list_value;\n"
                                                  "    value.kind.list_value = list;\n"
                                                  "    return value;\n"
                                                  "}\n";
static const char gen_emit_wellknown_value_as[] =
    "/* Read a Value; value_or_null: absent is as of another kind. Return `otherwise`, or NULL, for other kinds. */\n"
    "static inline bool $V_is_null(const $V *value_or_null) {\n"
    "    return value_or_null && value_or_null->kind_case == $V_kind_null_value;\n"
    "}\n"
    "static inline double $V_number_or(const $V *value_or_null, double otherwise) {\n"
    "    if (!value_or_null || value_or_null->kind_case != $V_kind_number_value) return otherwise;\n"
    "    return value_or_null->kind.number_value;\n"
    "}\n"
    "static inline connect_str_t $V_string_or(const $V *value_or_null, connect_str_t otherwise) {\n"
    "    if (!value_or_null || value_or_null->kind_case != $V_kind_string_value) return otherwise;\n"
    "    return value_or_null->kind.string_value;\n"
    "}\n"
    "static inline bool $V_bool_or(const $V *value_or_null, bool otherwise) {\n"
    "    if (!value_or_null || value_or_null->kind_case != $V_kind_bool_value) return otherwise;\n"
    "    return value_or_null->kind.bool_value;\n"
    "}\n"
    "static inline const $S *$V_struct_or_null(const $V *value_or_null) {\n"
    "    if (!value_or_null || value_or_null->kind_case != $V_kind_struct_value) return CONNECT_NULL;\n"
    "    return value_or_null->kind.struct_value;\n"
    "}\n"
    "static inline const $L *$V_list_or_null(const $V *value_or_null) {\n"
    "    if (!value_or_null || value_or_null->kind_case != $V_kind_list_value) return CONNECT_NULL;\n"
    "    return value_or_null->kind.list_value;\n"
    "}\n";
static const char gen_emit_wellknown_struct[] =
    "/* Finds a member by its name; NULL if there is none, or the object is NULL. */\n"
    "static inline const $V *$S_get(const $S *object_or_null, const char *name) {\n"
    "    const $S_FieldsEntry *entry = CONNECT_NULL;\n"
    "    if (object_or_null) entry = $S_fields_get(object_or_null, connect_str_of(name));\n"
    "    return entry ? entry->value : CONNECT_NULL;\n"
    "}\n"
    "/* Adds a member, or replaces the one of that name, in a copy of the list of members: for many, fill an array\n"
    "   instead. name: not copied. Returns false if the arena is full; the object is as before then. */\n"
    "static inline bool $S_set($S *object, const char *name, $V value, connect_arena_t *arena) {\n"
    "    $S_FieldsEntry *items = CONNECT_NEW(arena, $S_FieldsEntry, object->fields.count + 1);\n"
    "    $V *copy = CONNECT_NEW(arena, $V, 1);\n"
    "    connect_str_t key = connect_str_of(name);\n"
    "    size_t i, count = 0;\n"
    "    if (!items || !copy) return false;\n"
    "    *copy = value;\n"
    "    for (i = 0; i < object->fields.count; i++) {\n"
    "        if (!connect_str_equal(object->fields.items[i].key, key)) items[count++] = object->fields.items[i];\n"
    "    }\n"
    "    items[count].key = key;\n"
    "    items[count].value = copy;\n"
    "    object->fields.items = items;\n"
    "    object->fields.count = count + 1;\n"
    "    return true;\n"
    "}\n"
    "/* Appends to a list, in a copy of it: for many, fill an array instead. Returns as $S_set. */\n"
    "static inline bool $L_append($L *list, $V value, connect_arena_t *arena) {\n"
    "    $V *items = CONNECT_NEW(arena, $V, list->values.count + 1);\n"
    "    size_t i;\n"
    "    if (!items) return false;\n"
    "    for (i = 0; i < list->values.count; i++) items[i] = list->values.items[i];\n"
    "    items[i] = value;\n"
    "    list->values.items = items;\n"
    "    list->values.count = i + 1;\n"
    "    return true;\n"
    "}\n";

static const char gen_emit_wellknown_wrapper[] =
    "/* Makes a wrapper around a value; and returns the value of one that may be absent. */\n"
    "static inline $T $T_of($C value) {\n"
    "    $T wrapper = CONNECT_DEFAULTS;\n"
    "    wrapper.value = value;\n"
    "    return wrapper;\n"
    "}\n"
    "static inline $C $T_or(const $T *wrapper_or_null, $C otherwise) {\n"
    "    return wrapper_or_null ? wrapper_or_null->value : otherwise;\n"
    "}\n";

/* The C name of a message of the file. */
static const char *gen_emit_wellknown_name(const gen_file_t *file, const char *name) {
    const gen_type_t *type;
    for (type = file->types.first; type; type = type->next) {
        if (strcmp(type->name, name) == 0) return type->c_name;
    }
    return "";
}

static const char *gen_emit_wellknown_scalar(int kind) {
    switch (kind) {
    case CONNECT_KIND_DOUBLE: return "double";
    case CONNECT_KIND_FLOAT: return "float";
    case CONNECT_KIND_INT64: return "int64_t";
    case CONNECT_KIND_UINT64: return "uint64_t";
    case CONNECT_KIND_INT32: return "int32_t";
    case CONNECT_KIND_UINT32: return "uint32_t";
    case CONNECT_KIND_BOOL: return "bool";
    default: return "connect_str_t";
    }
}

GEN_PRIVATE void gen_emit_wellknown_declare(const gen_file_t *file, gen_text_t *text) {
    static const struct {
        const char *form;
        const char *templates[3];
    } forms[] = {{"CONNECT_FORM_TIMESTAMP", {gen_emit_wellknown_timestamp, NULL, NULL}},
        {"CONNECT_FORM_DURATION", {gen_emit_wellknown_duration, NULL, NULL}},
        {"CONNECT_FORM_ANY", {gen_emit_wellknown_any, NULL, NULL}},
        {"CONNECT_FORM_FIELD_MASK", {gen_emit_wellknown_field_mask, NULL, NULL}},
        {"CONNECT_FORM_STRUCT", {gen_emit_wellknown_value_of, gen_emit_wellknown_value_as, gen_emit_wellknown_struct}},
        {"CONNECT_FORM_WRAPPER", {gen_emit_wellknown_wrapper, NULL, NULL}}};
    const char *values[26] = {NULL};
    const gen_type_t *type;
    size_t i, j;
    for (type = file->types.first; type; type = type->next) {
        const gen_wellknown_t *wellknown = gen_wellknown_find(type->full_name);
        for (i = 0; wellknown && i < GEN_LEN(forms); i++) {
            if (strcmp(wellknown->form, forms[i].form) != 0) continue;
            values['T' - 'A'] = type->c_name;
            values['V' - 'A'] = gen_emit_wellknown_name(file, "Value");
            values['S' - 'A'] = gen_emit_wellknown_name(file, "Struct");
            values['L' - 'A'] = gen_emit_wellknown_name(file, "ListValue");
            values['C' - 'A'] = gen_emit_wellknown_scalar(type->fields.first->kind);
            gen_text_put(text, "\n");
            for (j = 0; j < GEN_LEN(forms[i].templates) && forms[i].templates[j]; j++)
                gen_text_template(text, forms[i].templates[j], values);
        }
    }
}
