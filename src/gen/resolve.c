/* Names. Everything in a file is registered by its full name, once; then the names of types are looked up as
   protobuf's language does it, like C++: from the innermost scope outwards, for the first part of the name; where
   that is found, the rest must be, too, unless it was something that has nothing inside. What is no type does not hide
   a type from fields, but it does so from methods and extend. ".a.B" is looked up at the outermost scope only.

   An enum value is in the scope its enum is in. A package and its parts are names, too, but several files may share
   them. A file sees itself, what it imports, and what that imports publicly. */
#include "gen/resolve.h"

#define GEN_RESOLVE_NAME_MAX 1024u

/* Stands for a name that is too long: full names grow with each level, and memory is to stay bounded. */
static const char gen_resolve_too_long[] = "";

static const char *gen_resolve_join(gen_resolve_t *resolve, const char *scope, const char *name) {
    if (strlen(scope) + strlen(name) >= GEN_RESOLVE_NAME_MAX) return gen_resolve_too_long;
    return *scope ? gen_source_printf(resolve->ctx, "%s.%s", scope, name) : name;
}

static gen_symbol_t *gen_resolve_add(
    gen_resolve_t *resolve, const char *full_name, gen_symbol_kind_t kind, gen_at_t at) {
    gen_symbol_t *old, *symbol;
    if (full_name == gen_resolve_too_long || strlen(full_name) > GEN_RESOLVE_NAME_MAX) {
        gen_source_error(resolve->ctx, at, "full name with more than %u bytes", GEN_RESOLVE_NAME_MAX);
        return NULL;
    }
    old = gen_map_get(&resolve->model->symbols, full_name);
    if (old) {
        if (kind == GEN_SYMBOL_PACKAGE && old->kind == GEN_SYMBOL_PACKAGE) return old;
        gen_source_error(resolve->ctx, at, "\"%s\" is %s already, at %s", full_name,
            old->kind == GEN_SYMBOL_PACKAGE ? "a package" : "defined", gen_source_place(resolve->ctx, old->at));
        return NULL;
    }
    symbol = CONNECT_NEW(&resolve->ctx->arena, gen_symbol_t, 1);
    symbol->kind = kind;
    symbol->file = resolve->file;
    symbol->at = at;
    gen_map_put(resolve->ctx, &resolve->model->symbols, full_name, symbol);
    return symbol;
}

/* ---- Full names ---- */

static void gen_resolve_add_enum(gen_resolve_t *resolve, const char *scope, gen_enum_t *enumeration) {
    gen_symbol_t *symbol;
    gen_enum_value_t *value;
    enumeration->full_name = gen_resolve_join(resolve, scope, enumeration->name);
    symbol = gen_resolve_add(resolve, enumeration->full_name, GEN_SYMBOL_ENUM, enumeration->at);
    if (symbol) symbol->enumeration = enumeration;
    for (value = enumeration->values.first; value; value = value->next) {
        value->full_name = gen_resolve_join(resolve, scope, value->name);
        gen_resolve_add(resolve, value->full_name, GEN_SYMBOL_OTHER, value->at);
    }
}

/* "raw_frame" is "rawFrame" in JSON. */
static const char *gen_resolve_json_name(gen_resolve_t *resolve, const char *name) {
    char *json = CONNECT_NEW(&resolve->ctx->arena, char, strlen(name) + 1);
    size_t len = 0;
    bool upper = false;
    for (; *name; name++) {
        if (*name == '_') {
            upper = true;
            continue;
        }
        json[len++] = upper && *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name;
        upper = false;
    }
    return json;
}

static void gen_resolve_add_field(gen_resolve_t *resolve, const char *scope, gen_field_t *field) {
    gen_symbol_t *symbol;
    const char *json_name;
    field->full_name = gen_resolve_join(resolve, scope, field->name);
    symbol = gen_resolve_add(resolve, field->full_name, GEN_SYMBOL_OTHER, field->at);
    if (symbol) symbol->field = field;
    json_name = gen_resolve_json_name(resolve, field->name);
    if (!field->json_name) field->json_name = json_name;
    field->has_json_name = strcmp(field->json_name, json_name) != 0;
}

/* The oneof that stands for a proto3 optional in descriptors: "_name", with more underscores if that is taken. */
static void gen_resolve_synthetic(gen_resolve_t *resolve, gen_type_t *type, gen_field_t *field) {
    gen_oneof_t *oneof = CONNECT_NEW(&resolve->ctx->arena, gen_oneof_t, 1);
    const char *name = field->name[0] == '_' ? field->name : gen_source_printf(resolve->ctx, "_%s", field->name);
    const char *full_name = gen_resolve_join(resolve, type->full_name, name);
    while (gen_map_get(&resolve->model->symbols, full_name)) {
        name = gen_source_printf(resolve->ctx, "X%s", name);
        full_name = gen_resolve_join(resolve, type->full_name, name);
    }
    gen_resolve_add(resolve, full_name, GEN_SYMBOL_OTHER, field->at);
    oneof->name = name;
    oneof->full_name = full_name;
    oneof->at = field->at;
    oneof->synthetic = true;
    oneof->field_count = 1;
    oneof->index = (uint32_t)type->oneofs.count;
    GEN_APPEND(type->oneofs, oneof);
    field->oneof = oneof;
    field->proto3_optional = true;
}

static void gen_resolve_add_type(gen_resolve_t *resolve, const char *scope, gen_type_t *type) {
    gen_symbol_t *symbol;
    gen_type_t *inner;
    gen_enum_t *enumeration;
    gen_field_t *field;
    gen_oneof_t *oneof;
    type->full_name = gen_resolve_join(resolve, scope, type->name);
    symbol = gen_resolve_add(resolve, type->full_name, GEN_SYMBOL_MESSAGE, type->at);
    if (symbol) symbol->type = type;
    for (field = type->fields.first; field; field = field->next)
        gen_resolve_add_field(resolve, type->full_name, field);
    for (oneof = type->oneofs.first; oneof; oneof = oneof->next) {
        oneof->full_name = gen_resolve_join(resolve, type->full_name, oneof->name);
        gen_resolve_add(resolve, oneof->full_name, GEN_SYMBOL_OTHER, oneof->at);
    }
    for (inner = type->types.first; inner; inner = inner->next)
        gen_resolve_add_type(resolve, type->full_name, inner);
    for (enumeration = type->enums.first; enumeration; enumeration = enumeration->next) {
        gen_resolve_add_enum(resolve, type->full_name, enumeration);
    }
    for (field = type->extensions.first; field; field = field->next) {
        gen_resolve_add_field(resolve, type->full_name, field);
    }
    if (type->file->syntax != GEN_SYNTAX_PROTO3 || type->is_map_entry) return;
    for (field = type->fields.first; field; field = field->next) {
        if (field->label == GEN_LABEL_OPTIONAL && !field->oneof) gen_resolve_synthetic(resolve, type, field);
    }
}

static void gen_resolve_add_file(gen_resolve_t *resolve, gen_file_t *file) {
    const char *dot = file->package;
    gen_type_t *type;
    gen_enum_t *enumeration;
    gen_service_t *service;
    gen_method_t *method;
    gen_field_t *field;
    resolve->file = file;
    while (*dot) {
        connect_str_t part;
        dot += strcspn(dot, ".");
        part.data = file->package;
        part.len = (size_t)(dot - file->package);
        gen_resolve_add(resolve, gen_source_copy(resolve->ctx, part), GEN_SYMBOL_PACKAGE, file->package_at);
        if (*dot) dot++;
    }
    for (type = file->types.first; type; type = type->next)
        gen_resolve_add_type(resolve, file->package, type);
    for (enumeration = file->enums.first; enumeration; enumeration = enumeration->next) {
        gen_resolve_add_enum(resolve, file->package, enumeration);
    }
    for (service = file->services.first; service; service = service->next) {
        service->full_name = gen_resolve_join(resolve, file->package, service->name);
        gen_resolve_add(resolve, service->full_name, GEN_SYMBOL_SERVICE, service->at);
        for (method = service->methods.first; method; method = method->next) {
            method->full_name = gen_resolve_join(resolve, service->full_name, method->name);
            gen_resolve_add(resolve, method->full_name, GEN_SYMBOL_OTHER, method->at);
        }
    }
    for (field = file->extensions.first; field; field = field->next) {
        gen_resolve_add_field(resolve, file->package, field);
    }
}

/* ---- Lookup ---- */

static size_t gen_resolve_mark(gen_resolve_t *resolve, gen_import_t *import, bool all, gen_file_t **todo) {
    size_t count = 0;
    for (; import; import = import->next) {
        if (!import->file || !(all || import->is_public)) continue;
        if (import->file->visible_from == resolve->model->serial) continue;
        import->file->visible_from = resolve->model->serial;
        todo[count++] = import->file;
    }
    return count;
}

GEN_PRIVATE void gen_resolve_see(gen_resolve_t *resolve, gen_model_t *model, gen_file_t *file, bool for_options) {
    gen_file_t **todo = CONNECT_NEW(&model->ctx->arena, gen_file_t *, model->files.count + 1);
    size_t count;
    resolve->model = model;
    resolve->ctx = model->ctx;
    resolve->file = file;
    file->visible_from = ++model->serial;
    count = gen_resolve_mark(resolve, file->imports.first, true, todo);
    if (for_options) count += gen_resolve_mark(resolve, file->option_imports.first, true, todo + count);
    while (count > 0) {
        const gen_file_t *next = todo[--count];
        count += gen_resolve_mark(resolve, next->imports.first, false, todo + count);
    }
}

static bool gen_resolve_package_seen(gen_resolve_t *resolve, const char *package) {
    const gen_file_t *file;
    size_t len = strlen(package);
    for (file = resolve->model->files.first; file; file = file->next) {
        if (file->visible_from == resolve->model->serial && strncmp(file->package, package, len) == 0 &&
            (!file->package[len] || file->package[len] == '.')) {
            return true;
        }
    }
    return false;
}

static gen_symbol_t *gen_resolve_find(gen_resolve_t *resolve, const char *full_name, gen_symbol_t **hidden) {
    gen_symbol_t *symbol = gen_map_get(&resolve->model->symbols, full_name);
    if (!symbol) return NULL;
    if (symbol->kind == GEN_SYMBOL_PACKAGE) return gen_resolve_package_seen(resolve, full_name) ? symbol : NULL;
    if (symbol->file->visible_from == resolve->model->serial) return symbol;
    *hidden = symbol;
    return NULL;
}

/* Looks a name up, from the scope outwards. types_only: what is no type does not hide one further out. *wrong: the
   full name at which the search had to end. */
static gen_symbol_t *gen_resolve_name(gen_resolve_t *resolve, const char *scope, const char *name, bool types_only,
    gen_symbol_t **hidden, const char **wrong) {
    const size_t first_len = strcspn(name, ".");
    size_t scope_len = strlen(scope);
    gen_symbol_t *found = NULL;
    char *full;
    if (*name == '.') return gen_resolve_find(resolve, name + 1, hidden);
    full = CONNECT_NEW(&resolve->ctx->arena, char, scope_len + strlen(name) + 2);
    for (;;) {
        gen_symbol_t *first;
        const size_t at_name = scope_len ? scope_len + 1 : 0;
        memcpy(full, scope, scope_len);
        if (scope_len) full[scope_len] = '.';
        memcpy(full + at_name, name, first_len);
        full[at_name + first_len] = 0;
        first = gen_resolve_find(resolve, full, hidden);
        if (first && !name[first_len]) {
            found = first;
            if (!types_only || first->kind == GEN_SYMBOL_MESSAGE || first->kind == GEN_SYMBOL_ENUM) return found;
        } else if (first && first->kind != GEN_SYMBOL_OTHER) {
            strcpy(full + at_name, name);
            found = gen_resolve_find(resolve, full, hidden);
            if (!found) *wrong = full;
            return found;
        }
        if (scope_len == 0) return found;
        while (scope_len > 0 && scope[scope_len - 1] != '.')
            scope_len--;
        if (scope_len > 0) scope_len--;
    }
}

GEN_PRIVATE gen_field_t *gen_resolve_extension(gen_resolve_t *resolve, const char *element, const char *name) {
    const char *dot = strrchr(element, '.'), *wrong = NULL;
    const connect_str_t scope = {element, dot ? (size_t)(dot - element) : 0};
    gen_symbol_t *hidden = NULL;
    const gen_symbol_t *symbol =
        gen_resolve_name(resolve, gen_source_copy(resolve->ctx, scope), name, false, &hidden, &wrong);
    return symbol && symbol->field && symbol->field->extendee_name ? symbol->field : NULL;
}

GEN_PRIVATE gen_symbol_t *gen_resolve_full_name(gen_resolve_t *resolve, const char *full_name) {
    gen_symbol_t *hidden = NULL;
    return gen_resolve_find(resolve, full_name, &hidden);
}

/* Finds a message or an enum; reports it if there is none. types_only: as of gen_resolve_name. */
static gen_symbol_t *gen_resolve_type(
    gen_resolve_t *resolve, const char *scope, const char *name, bool types_only, gen_at_t at) {
    const char *wrong = NULL;
    gen_symbol_t *hidden = NULL, *found = gen_resolve_name(resolve, scope, name, types_only, &hidden, &wrong);
    if (found && (found->kind == GEN_SYMBOL_MESSAGE || found->kind == GEN_SYMBOL_ENUM)) return found;
    if (found && !types_only && *name != '.') {
        gen_source_error(resolve->ctx, at,
            "\"%s\" is not a message but what is defined at %s; start the name with a dot to look at the outermost "
            "scope "
            "only",
            name, gen_source_place(resolve->ctx, found->at));
    } else if (found) {
        gen_source_error(resolve->ctx, at, "\"%s\" is not a message or an enum", name);
    } else if (resolve->file->incomplete) {
        return NULL; /* it may stand in what could not be read */
    } else if (hidden) {
        gen_source_error(resolve->ctx, at,
            "\"%s\" is defined in \"%s\", which is not imported here: add import \"%s\";", name, hidden->file->name,
            hidden->file->name);
    } else if (wrong && strcmp(wrong, name) != 0) {
        gen_source_error(resolve->ctx, at,
            "\"%s\" is taken for \"%s\", which is not defined; start the name with a dot to look at the outermost "
            "scope only",
            name, wrong);
    } else {
        gen_source_error(resolve->ctx, at, "\"%s\" is not defined", name);
    }
    return NULL;
}

/* What is extended, sent or received. Here what is no type hides one further out. */
static gen_type_t *gen_resolve_message(gen_resolve_t *resolve, const char *scope, const char *name, gen_at_t at) {
    gen_symbol_t *symbol = gen_resolve_type(resolve, scope, name, false, at);
    if (symbol && symbol->kind != GEN_SYMBOL_MESSAGE) {
        gen_source_error(resolve->ctx, at, "\"%s\" is not a message", name);
        return NULL;
    }
    return symbol ? symbol->type : NULL;
}

static void gen_resolve_field(gen_resolve_t *resolve, const char *scope, gen_field_t *field) {
    gen_symbol_t *symbol;
    if (field->extendee_name) {
        field->extendee = gen_resolve_message(resolve, scope, field->extendee_name, field->extendee_at);
    }
    if (!field->type_name) return;
    symbol = gen_resolve_type(resolve, scope, field->type_name, true, field->type_at);
    if (!symbol) return;
    field->type = symbol->type;
    field->enumeration = symbol->enumeration;
    field->kind = symbol->kind == GEN_SYMBOL_ENUM ? CONNECT_KIND_ENUM : CONNECT_KIND_MESSAGE;
    if (field->type && field->type->is_map_entry) {
        gen_source_error(
            resolve->ctx, field->type_at, "\"%s\" is the entry of a map: write map<...> instead", field->type_name);
    }
}

static void gen_resolve_fields(gen_resolve_t *resolve, gen_type_t *type) {
    gen_type_t *inner;
    gen_field_t *field;
    for (field = type->fields.first; field; field = field->next)
        gen_resolve_field(resolve, type->full_name, field);
    for (field = type->extensions.first; field; field = field->next) {
        gen_resolve_field(resolve, type->full_name, field);
    }
    for (inner = type->types.first; inner; inner = inner->next)
        gen_resolve_fields(resolve, inner);
}

GEN_PRIVATE void gen_resolve_model(gen_model_t *model) {
    gen_resolve_t resolve;
    gen_file_t *file;
    gen_type_t *type;
    gen_field_t *field;
    gen_service_t *service;
    gen_method_t *method;
    memset(&resolve, 0, sizeof resolve);
    resolve.model = model;
    resolve.ctx = model->ctx;
    for (file = model->files.first; file; file = file->next)
        gen_resolve_add_file(&resolve, file);
    for (file = model->files.first; file; file = file->next) {
        gen_resolve_see(&resolve, model, file, false);
        for (type = file->types.first; type; type = type->next)
            gen_resolve_fields(&resolve, type);
        for (field = file->extensions.first; field; field = field->next) {
            gen_resolve_field(&resolve, file->package, field);
        }
        for (service = file->services.first; service; service = service->next) {
            for (method = service->methods.first; method; method = method->next) {
                method->input = gen_resolve_message(&resolve, service->full_name, method->input_name, method->input_at);
                method->output =
                    gen_resolve_message(&resolve, service->full_name, method->output_name, method->output_at);
            }
        }
    }
}
