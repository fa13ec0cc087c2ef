#include "base/error.h"
#include "codec/schema.h"

/* Types at run time: google.protobuf.FileDescriptorSet (descriptor.proto) to the tables that the generator writes.

   1. read    each file, in two walks over its records: what holds for all that is in it (name, package, syntax,
              features), then its messages, enums, extensions and services; likewise each message. Every full name
              becomes a symbol.
   2. sort    files and symbols by name. No hash: whoever writes a set must not be able to choose collisions.
   3. link    imports, the types of fields, extendees, inputs and outputs; then each message's struct is laid out, and
              its fields are put into the order of their numbers.
   4. check   forms of well-known types, cycles of imports; has_required goes up from field to user.

   Features are resolved on the way down: edition, file, message, oneof, field (descriptor.proto, FeatureSet); proto2
   and proto3 are two sets of defaults, and `packed`, `required`, `proto3_optional` and groups say features.

   A struct has, in this order: unknown fields; members of 8 (and 16) bytes, of 4, of 1; a union is as large as its
   largest member. So nothing needs padding but the end. The C member of each kind is said at the head of section 3 of
   the public declarations; a map's entry has no unknown fields, an extension's holder is a message with one field.

   A set comes from anywhere. Refused is what would make tables unsafe or ambiguous, or the compiler's output
   different: names that are none or stand twice, numbers that are none or stand twice, types that are missing or of
   the wrong sort, bad defaults, maps whose entry is none, structs over 65,535 bytes, well-known types of another shape,
   cycles. What only a compiler cares for (reserved ranges, visibility, conflicts of JSON names) is not looked at.
   Recursion ends at CN_SCHEMA_DEPTH. Memory is linear in the input since full names are short: CN_SCHEMA_NAME. Time is
   linear but for sorting. */

/* ---- Linking: files ---- */

static const connect_type_t *cn_schema_link_message_name(
    cn_schema_loader_t *loader, const cn_schema_method_t *method, connect_str_t name) {
    const cn_schema_symbol_t *symbol = cn_schema_resolve(loader, method->name, name);
    if (symbol && symbol->message && !symbol->message->type.is_map_entry) return &symbol->message->type;
    cn_schema_bad_about(loader, method->name, "its input or output is not in the set:", name);
    return NULL;
}

static bool cn_schema_link_service(cn_schema_loader_t *loader, cn_schema_service_t *service) {
    const size_t count = service->service.method_count;
    const connect_method_t **methods = (const connect_method_t **)cn_schema_take(loader, count + 1, sizeof *methods);
    size_t i;
    if (!methods) return false;
    for (i = 0; i < count; i++) {
        cn_schema_method_t *method = &service->methods[i];
        method->method.input = cn_schema_link_message_name(loader, method, method->input);
        if (!method->method.input) return false;
        method->method.output = cn_schema_link_message_name(loader, method, method->output);
        if (!method->method.output) return false;
        methods[i] = &method->method;
    }
    service->service.methods = methods;
    return true;
}

/* A weak import may be missing. */
static bool cn_schema_link_imports(cn_schema_loader_t *loader, cn_schema_file_t *file) {
    const size_t count = cn_schema_count(file->file.descriptor, 3);
    const connect_file_t **items = (const connect_file_t **)cn_schema_take(loader, count + 1, sizeof *items);
    bool *weak = (bool *)cn_schema_take(loader, count + 1, sizeof *weak);
    connect_reader_t reader = {{NULL, 0}, false};
    connect_record_t record;
    size_t index = 0, linked = 0;
    file->imports = (cn_schema_file_t **)cn_schema_take(loader, count + 1, sizeof *file->imports);
    if (!items || !weak || !file->imports) return false;
    reader.rest = file->file.descriptor;
    while (connect_reader_next(&reader, &record))
        if (record.number == 11 && record.wire == CONNECT_WIRE_VARINT && record.value < count)
            weak[record.value] = true;
    reader.rest = file->file.descriptor;
    while (connect_reader_next(&reader, &record)) {
        const cn_schema_symbol_t *symbol = NULL;
        if (record.number != 3 || record.wire != CONNECT_WIRE_BYTES) continue;
        if (cn_schema_is_file_name(record.bytes)) {
            const char *name = cn_schema_text(loader, record.bytes);
            if (!name) return false;
            symbol = cn_schema_find(&loader->by_file, name);
        }
        if (symbol) {
            file->imports[linked] = symbol->file;
            items[linked++] = &symbol->file->file;
        } else if (!weak[index]) {
            return cn_schema_bad_about(loader, NULL, "the set does not hold what it imports:", record.bytes);
        }
        index++;
    }
    file->file.imports.items = items;
    file->file.imports.count = linked;
    return true;
}

/* The lists of a file, in the order in which they were read: the last one read stands first. */
static bool cn_schema_list(cn_schema_loader_t *loader, cn_schema_file_t *file) {
    const connect_type_t **types =
        (const connect_type_t **)cn_schema_take(loader, file->message_count + 1, sizeof *types);
    const connect_enum_t **enums = (const connect_enum_t **)cn_schema_take(loader, file->enum_count + 1, sizeof *enums);
    const connect_extension_t **extensions =
        (const connect_extension_t **)cn_schema_take(loader, file->holder_count + 1, sizeof *extensions);
    const connect_service_t **services =
        (const connect_service_t **)cn_schema_take(loader, file->service_count + 1, sizeof *services);
    const cn_schema_message_t *message;
    const cn_schema_enum_t *enumeration;
    const cn_schema_service_t *service;
    size_t i;
    if (!types || !enums || !extensions || !services) return false;
    for (message = file->messages, i = file->message_count; message; message = message->next)
        types[--i] = &message->type;
    for (enumeration = file->enums, i = file->enum_count; enumeration; enumeration = enumeration->next)
        enums[--i] = &enumeration->type;
    for (message = file->holders, i = file->holder_count; message; message = message->next)
        extensions[--i] = &message->extension;
    for (service = file->services, i = file->service_count; service; service = service->next)
        services[--i] = &service->service;
    file->file.types.items = types;
    file->file.types.count = file->message_count;
    file->file.enums.items = enums;
    file->file.enums.count = file->enum_count;
    file->file.extensions.items = extensions;
    file->file.extensions.count = file->holder_count;
    file->file.services.items = services;
    file->file.services.count = file->service_count;
    return true;
}

static bool cn_schema_link_file(cn_schema_loader_t *loader, cn_schema_file_t *file) {
    cn_schema_message_t *message;
    cn_schema_service_t *service;
    loader->file = file;
    if (!cn_schema_link_imports(loader, file)) return false;
    for (message = file->messages; message; message = message->next)
        if (!cn_schema_link_message(loader, message)) return false;
    for (message = file->holders; message; message = message->next)
        if (!cn_schema_link_extension(loader, message)) return false;
    for (service = file->services; service; service = service->next)
        if (!cn_schema_link_service(loader, service)) return false;
    return cn_schema_list(loader, file);
}

/* ---- Checking the whole ---- */

/* Whoever has a field of a message with required fields has some itself. */
static void cn_schema_spread_required(cn_schema_loader_t *loader) {
    cn_schema_message_t *todo = NULL, *message;
    const cn_schema_user_t *user;
    const cn_schema_file_t *file;
    for (file = loader->files; file; file = file->next) {
        for (message = file->messages; message; message = message->next) {
            if (!message->type.has_required) continue;
            message->next_required = todo;
            todo = message;
        }
    }
    while (todo) {
        message = todo;
        todo = message->next_required;
        for (user = message->users; user; user = user->next) {
            if (user->message->type.has_required) continue;
            user->message->type.has_required = true;
            user->message->next_required = todo;
            todo = user->message;
        }
    }
}

static bool cn_schema_check_cycles(cn_schema_loader_t *loader) {
    cn_schema_file_t *start, *file;
    for (start = loader->files; start; start = start->next) {
        if (start->state != CN_SCHEMA_NEW) continue;
        start->state = CN_SCHEMA_ON_PATH;
        for (file = start; file;) {
            cn_schema_file_t *import;
            if (file->looked_at == file->file.imports.count) {
                file->state = CN_SCHEMA_DONE;
                file = file->below;
                continue;
            }
            import = file->imports[file->looked_at++];
            if (import->state == CN_SCHEMA_DONE) continue;
            loader->file = file;
            if (import->state == CN_SCHEMA_ON_PATH)
                return cn_schema_bad_about(loader, NULL, "imports itself by way of", connect_str_of(import->file.name));
            import->state = CN_SCHEMA_ON_PATH;
            import->below = file;
            file = import;
        }
    }
    return true;
}

bool connect_schema_load(
    connect_schema_t *schema, connect_str_t descriptor_set, connect_arena_t *arena, connect_error_t *error) {
    const size_t count = cn_schema_count(descriptor_set, 1);
    connect_reader_t reader = {{NULL, 0}, false};
    cn_schema_file_t **end, *file;
    cn_schema_loader_t loader;
    const connect_file_t **files;
    connect_record_t record;
    size_t i = 0;
    memset(&loader, 0, sizeof loader);
    memset(schema, 0, sizeof *schema);
    loader.arena = arena;
    loader.error = error;
    end = &loader.files;
    files = (const connect_file_t **)cn_schema_take(&loader, count + 1, sizeof *files);
    reader.rest = connect_arena_copy(arena, descriptor_set);
    if (!files || (!reader.rest.data && descriptor_set.len)) return cn_error_memory(error);
    while (connect_reader_next(&reader, &record)) {
        if (record.number != 1 || record.wire != CONNECT_WIRE_BYTES) continue;
        if (!cn_schema_read_file(&loader, record.bytes)) return false;
        *end = loader.file;
        end = &loader.file->next;
    }
    loader.file = NULL;
    if (reader.failed) return cn_schema_bad(&loader, NULL, "malformed");
    if (!cn_schema_sort(&loader, &loader.by_file) || !cn_schema_sort(&loader, &loader.by_name)) return false;
    for (file = loader.files; file; file = file->next) {
        if (!cn_schema_link_file(&loader, file)) return false;
        files[i++] = &file->file;
    }
    if (!cn_schema_check_cycles(&loader)) return false;
    cn_schema_spread_required(&loader);
    schema->files = files;
    schema->count = i;
    return true;
}

/* ---- Looking up ---- */

const connect_type_t *connect_schema_type(connect_schema_t schema, const char *full_name) {
    size_t i, j;
    for (i = 0; i < schema.count; i++)
        for (j = 0; j < schema.files[i]->types.count; j++)
            if (strcmp(schema.files[i]->types.items[j]->full_name, full_name) == 0)
                return schema.files[i]->types.items[j];
    return NULL;
}

const connect_method_t *connect_schema_method(connect_schema_t schema, const char *path) {
    size_t i, j, k;
    for (i = 0; i < schema.count; i++) {
        for (j = 0; j < schema.files[i]->services.count; j++) {
            const connect_service_t *service = schema.files[i]->services.items[j];
            const size_t len = strlen(service->full_name);
            if (path[0] != '/' || strncmp(path + 1, service->full_name, len) != 0 || path[1 + len] != '/') continue;
            for (k = 0; k < service->method_count; k++)
                if (strcmp(service->methods[k]->path, path) == 0) return service->methods[k];
        }
    }
    return NULL;
}
