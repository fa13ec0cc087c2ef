#include "base/error.h"
#include "base/str.h"
#include "base/utf8.h"
#include "codec/schema.h"

/* Reading a descriptor set (descriptor.proto): the steps 1 and 2 of schema.c. A record of an unfitting wire type is
   passed over, as any unknown field; of one that stands twice the last counts. */

/* ---- Errors and memory ---- */

CN_PRIVATE bool cn_schema_bad(cn_schema_loader_t *loader, const char *where, const char *reason) {
    const char *file = loader->file && loader->file->file.name ? loader->file->file.name : "descriptor set";
    return cn_error_print(loader->error, loader->arena, CONNECT_INVALID_ARGUMENT, "%s: %s%s%s", file,
        where ? where : "", where ? ": " : "", reason);
}

CN_PRIVATE bool cn_schema_bad_about(
    cn_schema_loader_t *loader, const char *where, const char *reason, connect_str_t what) {
    connect_arena_t *arena = loader->arena;
    connect_str_t text = cn_str_quote(arena, what);
    text = connect_arena_printf(arena, "%s \"%s\"", reason, text.data);
    return cn_schema_bad(loader, where, text.data ? text.data : reason);
}

/* Zeroed memory; NULL: the error says so. */
CN_PRIVATE void *cn_schema_take(cn_schema_loader_t *loader, size_t count, size_t size) {
    void *block = connect_arena_take(loader->arena, count, size);
    if (!block) cn_error_memory(loader->error);
    return block;
}

/* ---- Names ---- */

CN_PRIVATE bool cn_schema_is_identifier(connect_str_t name) {
    size_t i;
    for (i = 0; i < name.len; i++) {
        const char c = name.data[i];
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9')) return false;
    }
    return name.len != 0;
}

CN_PRIVATE const char *cn_schema_text(cn_schema_loader_t *loader, connect_str_t text) {
    connect_str_t copy = connect_arena_copy(loader->arena, text);
    if (!copy.data) cn_error_memory(loader->error);
    return copy.data;
}

/* "scope.name", or the name alone if the scope is empty. */
static const char *cn_schema_join(cn_schema_loader_t *loader, const char *scope, connect_str_t name) {
    const size_t scope_len = strlen(scope);
    char *joined;
    if (!cn_schema_is_identifier(name)) {
        cn_schema_bad_about(loader, *scope ? scope : NULL, "not a name:", name);
        return NULL;
    }
    if (scope_len + name.len >= CN_SCHEMA_NAME) {
        cn_schema_bad_about(loader, NULL, "a full name of more than 1000 bytes ends with", name);
        return NULL;
    }
    joined = (char *)cn_schema_take(loader, scope_len + name.len + 2, 1);
    if (!joined) return NULL;
    memcpy(joined, scope, scope_len);
    if (scope_len) joined[scope_len] = '.';
    memcpy(joined + scope_len + (scope_len != 0), name.data, name.len);
    return joined;
}

static cn_schema_symbol_t *cn_schema_declare(cn_schema_loader_t *loader, cn_schema_table_t *table, const char *name) {
    cn_schema_symbol_t *symbol = (cn_schema_symbol_t *)cn_schema_take(loader, 1, sizeof *symbol);
    if (!symbol) return NULL;
    symbol->name = name;
    symbol->next = table->list;
    table->list = symbol;
    table->count++;
    return symbol;
}

static int cn_schema_compare(const void *a, const void *b) {
    return strcmp(((const cn_schema_symbol_t *)a)->name, ((const cn_schema_symbol_t *)b)->name);
}

CN_PRIVATE bool cn_schema_sort(cn_schema_loader_t *loader, cn_schema_table_t *table) {
    const cn_schema_symbol_t *symbol;
    size_t i = 0;
    table->sorted = (cn_schema_symbol_t *)cn_schema_take(loader, table->count + 1, sizeof *table->sorted);
    if (!table->sorted) return false;
    for (symbol = table->list; symbol; symbol = symbol->next)
        table->sorted[i++] = *symbol;
    qsort(table->sorted, table->count, sizeof *table->sorted, cn_schema_compare);
    loader->file = NULL;
    for (i = 1; i < table->count; i++)
        if (strcmp(table->sorted[i - 1].name, table->sorted[i].name) == 0)
            return cn_schema_bad(loader, table->sorted[i].name, "stands twice");
    return true;
}

CN_PRIVATE const cn_schema_symbol_t *cn_schema_find(const cn_schema_table_t *table, const char *name) {
    cn_schema_symbol_t key;
    memset(&key, 0, sizeof key);
    key.name = name;
    return (const cn_schema_symbol_t *)bsearch(&key, table->sorted, table->count, sizeof key, cn_schema_compare);
}

/* What a type name means in a scope: ".a.B" is a full name, "B" is looked for from the innermost scope outwards. */
CN_PRIVATE const cn_schema_symbol_t *cn_schema_resolve(
    const cn_schema_loader_t *loader, const char *scope, connect_str_t name) {
    char full[2 * CN_SCHEMA_NAME + 2];
    size_t len = strlen(scope);
    if (!name.len || name.len > CN_SCHEMA_NAME || memchr(name.data, 0, name.len)) return NULL;
    if (name.data[0] == '.') {
        memcpy(full, name.data + 1, name.len - 1);
        full[name.len - 1] = 0;
        return cn_schema_find(&loader->by_name, full);
    }
    memcpy(full, scope, len);
    for (;;) {
        const cn_schema_symbol_t *symbol;
        if (len) full[len++] = '.';
        memcpy(full + len, name.data, name.len);
        full[len + name.len] = 0;
        symbol = cn_schema_find(&loader->by_name, full);
        if (symbol || !len) return symbol;
        for (len--; len && full[len - 1] != '.'; len--) {}
        if (len) len--;
    }
}

/* ---- Reading: records ---- */

static void cn_schema_get_text(const connect_record_t *record, connect_str_t *text) {
    if (record->wire == CONNECT_WIRE_BYTES) *text = record->bytes;
}

static void cn_schema_get_int(const connect_record_t *record, int32_t *number) {
    if (record->wire == CONNECT_WIRE_VARINT) *number = (int32_t)(uint32_t)record->value;
}

/* The number that an options message has for a field, or another if it has none. */
static int32_t cn_schema_option(connect_str_t options, uint32_t number, int32_t otherwise) {
    connect_reader_t reader = {{NULL, 0}, false};
    connect_record_t record;
    reader.rest = options;
    while (connect_reader_next(&reader, &record))
        if (record.number == number) cn_schema_get_int(&record, &otherwise);
    return otherwise;
}

/* Features are those of `outer`, but for what field `number` of the options says. */
static void cn_schema_inherit(
    cn_schema_features_t *features, const cn_schema_features_t *outer, connect_str_t options, uint32_t number) {
    connect_reader_t reader = {{NULL, 0}, false};
    connect_record_t record;
    int32_t feature;
    *features = *outer;
    reader.rest = options;
    while (connect_reader_next(&reader, &record)) {
        if (record.number != number || record.wire != CONNECT_WIRE_BYTES) continue;
        for (feature = 1; feature < CN_SCHEMA_FEATURES; feature++) {
            int32_t value = cn_schema_option(record.bytes, (uint32_t)feature, 0);
            if (value >= 1 && value <= 3) features->of[feature] = (uint8_t)value;
        }
    }
}

CN_PRIVATE size_t cn_schema_count(connect_str_t bytes, uint32_t number) {
    connect_reader_t reader = {{NULL, 0}, false};
    connect_record_t record;
    size_t count = 0;
    reader.rest = bytes;
    while (connect_reader_next(&reader, &record))
        count += record.number == number && record.wire == CONNECT_WIRE_BYTES;
    return count;
}

/* ---- Reading: declarations ---- */

static const char *cn_schema_default_json_name(cn_schema_loader_t *loader, connect_str_t name) {
    char *json = (char *)cn_schema_take(loader, name.len + 1, 1);
    size_t i, len = 0;
    bool upper = false;
    if (!json) return NULL;
    for (i = 0; i < name.len; i++) {
        char c = name.data[i];
        if (c != '_') json[len++] = upper && c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
        upper = c == '_';
    }
    return json;
}

/* FieldDescriptorProto, into a message or a holder. */
static bool cn_schema_read_field(
    cn_schema_loader_t *loader, cn_schema_message_t *message, connect_str_t bytes, const cn_schema_features_t *outer) {
    const char *where = message->type.full_name ? message->type.full_name : message->scope;
    cn_schema_field_t *field = (cn_schema_field_t *)cn_schema_take(loader, 1, sizeof *field);
    connect_reader_t reader = {{NULL, 0}, false};
    connect_str_t name = {NULL, 0}, json_name = {NULL, 0}, options = {NULL, 0};
    connect_record_t record;
    int32_t proto3_optional = 0, packed;
    if (!field) return false;
    field->oneof = -1;
    reader.rest = bytes;
    while (connect_reader_next(&reader, &record)) {
        switch (record.number) {
        case 1: cn_schema_get_text(&record, &name); break;
        case 2: cn_schema_get_text(&record, &field->extendee); break;
        case 3: cn_schema_get_int(&record, &field->number); break;
        case 4: cn_schema_get_int(&record, &field->label); break;
        case 5: cn_schema_get_int(&record, &field->kind); break;
        case 6: cn_schema_get_text(&record, &field->type_name); break;
        case 7: cn_schema_get_text(&record, &field->default_text); break;
        case 8: cn_schema_get_text(&record, &options); break;
        case 9: cn_schema_get_int(&record, &field->oneof); break;
        case 10: cn_schema_get_text(&record, &json_name); break;
        case 17: cn_schema_get_int(&record, &proto3_optional); break;
        default: break;
        }
    }
    if (reader.failed) return cn_schema_bad(loader, where, "a malformed field");
    if (!cn_schema_is_identifier(name)) return cn_schema_bad_about(loader, where, "not a name:", name);
    if (json_name.len && (memchr(json_name.data, 0, json_name.len) || !cn_utf8_valid(json_name)))
        return cn_schema_bad_about(loader, where, "not a JSON name:", json_name);
    field->name = cn_schema_text(loader, name);
    field->json_name = json_name.len ? cn_schema_text(loader, json_name) : cn_schema_default_json_name(loader, name);
    if (!field->name || !field->json_name) return false;
    if (proto3_optional) field->oneof = -1; /* the oneof around it is synthetic */
    if (field->oneof >= 0 && (uint32_t)field->oneof >= message->oneof_count)
        return cn_schema_bad_about(loader, where, "no such oneof: that of", name);
    if (field->oneof >= 0) outer = &message->oneofs[field->oneof].features;
    cn_schema_inherit(&field->features, outer, options, 21);
    if (!loader->file->is_editions) {
        uint8_t *of = field->features.of;
        packed = cn_schema_option(options, 2, -1);
        if (packed >= 0) of[CN_SCHEMA_REPEATED] = packed ? CN_SCHEMA_PACKED : CN_SCHEMA_EXPANDED;
        if (field->label == CN_SCHEMA_LABEL_REQUIRED) of[CN_SCHEMA_PRESENCE] = CN_SCHEMA_LEGACY_REQUIRED;
        if (proto3_optional) of[CN_SCHEMA_PRESENCE] = CN_SCHEMA_EXPLICIT;
    }
    if (message->type.is_map_entry) field->features.of[CN_SCHEMA_ENCODING] = CN_SCHEMA_LENGTH_PREFIXED;
    *message->fields_end = field;
    message->fields_end = &field->next;
    message->field_count++;
    return true;
}

static cn_schema_message_t *cn_schema_new_message(cn_schema_loader_t *loader, const char *scope) {
    cn_schema_message_t *message = (cn_schema_message_t *)cn_schema_take(loader, 1, sizeof *message);
    if (!message) return NULL;
    message->scope = scope;
    message->file = loader->file;
    message->fields_end = &message->fields;
    message->type.file = &loader->file->file;
    return message;
}

/* An extension's FieldDescriptorProto: a holder of its own. */
static bool cn_schema_read_extension(
    cn_schema_loader_t *loader, const char *scope, connect_str_t bytes, const cn_schema_features_t *outer) {
    cn_schema_message_t *holder = cn_schema_new_message(loader, scope);
    if (!holder || !cn_schema_read_field(loader, holder, bytes, outer)) return false;
    holder->type.full_name = cn_schema_join(loader, scope, connect_str_of(holder->fields->name));
    if (!holder->type.full_name || !cn_schema_declare(loader, &loader->by_name, holder->type.full_name)) return false;
    if (holder->fields->oneof >= 0) return cn_schema_bad(loader, holder->type.full_name, "an extension in a oneof");
    holder->next = loader->file->holders;
    loader->file->holders = holder;
    loader->file->holder_count++;
    return true;
}

CN_PRIVATE int cn_schema_compare_value_names(const void *a, const void *b) {
    return strcmp(((const cn_schema_value_t *)a)->name, ((const cn_schema_value_t *)b)->name);
}

static int cn_schema_compare_value_numbers(const void *a, const void *b) {
    const cn_schema_value_t *one = (const cn_schema_value_t *)a, *two = (const cn_schema_value_t *)b;
    if (one->number != two->number) return one->number < two->number ? -1 : 1;
    return one->index < two->index ? -1 : 1;
}

/* EnumValueDescriptorProto */
static bool cn_schema_read_value(
    cn_schema_loader_t *loader, const char *where, connect_str_t bytes, cn_schema_value_t *value) {
    connect_reader_t reader = {{NULL, 0}, false};
    connect_str_t name = {NULL, 0};
    connect_record_t record;
    reader.rest = bytes;
    while (connect_reader_next(&reader, &record)) {
        if (record.number == 1) cn_schema_get_text(&record, &name);
        if (record.number == 2) cn_schema_get_int(&record, &value->number);
    }
    if (reader.failed) return cn_schema_bad(loader, where, "a malformed value");
    if (!cn_schema_is_identifier(name)) return cn_schema_bad_about(loader, where, "not a name:", name);
    value->name = cn_schema_text(loader, name);
    return value->name != NULL;
}

/* The table of an enum's values, by number, out of those by name. */
static bool cn_schema_lay_out_enum(cn_schema_loader_t *loader, cn_schema_enum_t *enumeration) {
    const size_t count = enumeration->type.count;
    cn_schema_value_t *sorted = (cn_schema_value_t *)cn_schema_take(loader, count, sizeof *sorted);
    connect_enum_value_t *values = (connect_enum_value_t *)cn_schema_take(loader, count, sizeof *values);
    size_t i, len = 0;
    char *names;
    if (!sorted || !values) return false;
    for (i = 0; i < count; i++)
        len += strlen(enumeration->by_name[i].name) + 1;
    names = (char *)cn_schema_take(loader, len, 1);
    if (!names) return false;
    memcpy(sorted, enumeration->by_name, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, cn_schema_compare_value_numbers);
    for (i = 0, len = 0; i < count; i++) {
        const size_t name_len = strlen(sorted[i].name) + 1;
        if (len > UINT32_MAX - name_len) return cn_schema_bad(loader, enumeration->type.full_name, "names too long");
        values[i].number = sorted[i].number;
        values[i].name = (uint32_t)len;
        memcpy(names + len, sorted[i].name, name_len);
        len += name_len;
    }
    enumeration->type.values = values;
    enumeration->type.names = names;
    return true;
}

/* EnumDescriptorProto */
static bool cn_schema_read_enum(
    cn_schema_loader_t *loader, const char *scope, connect_str_t bytes, const cn_schema_features_t *outer) {
    cn_schema_enum_t *enumeration = (cn_schema_enum_t *)cn_schema_take(loader, 1, sizeof *enumeration);
    const size_t count = cn_schema_count(bytes, 2);
    connect_reader_t reader = {{NULL, 0}, false};
    connect_str_t name = {NULL, 0}, options = {NULL, 0};
    connect_record_t record;
    cn_schema_features_t features;
    cn_schema_symbol_t *symbol;
    cn_schema_value_t *values;
    size_t i = 0;
    reader.rest = bytes;
    while (connect_reader_next(&reader, &record)) {
        if (record.number == 1) cn_schema_get_text(&record, &name);
        if (record.number == 3) cn_schema_get_text(&record, &options);
    }
    if (!enumeration) return false;
    if (reader.failed) return cn_schema_bad(loader, scope, "a malformed enum");
    enumeration->type.full_name = cn_schema_join(loader, scope, name);
    if (!enumeration->type.full_name) return false;
    symbol = cn_schema_declare(loader, &loader->by_name, enumeration->type.full_name);
    if (!symbol) return false;
    symbol->enumeration = enumeration;
    if (count == 0) return cn_schema_bad(loader, symbol->name, "an enum without values");
    if (count > UINT16_MAX) return cn_schema_bad(loader, symbol->name, "an enum with more than 65535 values");
    cn_schema_inherit(&features, outer, options, 7);
    enumeration->type.closed = features.of[CN_SCHEMA_ENUM_TYPE] == CN_SCHEMA_CLOSED;
    enumeration->type.count = (uint16_t)count;
    values = (cn_schema_value_t *)cn_schema_take(loader, count, sizeof *values);
    if (!values) return false;
    reader.rest = bytes;
    while (connect_reader_next(&reader, &record)) {
        if (record.number != 2 || record.wire != CONNECT_WIRE_BYTES) continue;
        values[i].index = (uint32_t)i;
        if (!cn_schema_read_value(loader, symbol->name, record.bytes, &values[i++])) return false;
    }
    enumeration->first = values[0].number;
    if (!enumeration->type.closed && enumeration->first != 0)
        return cn_schema_bad(loader, symbol->name, "an open enum whose first value is not 0");
    qsort(values, count, sizeof *values, cn_schema_compare_value_names);
    for (i = 1; i < count; i++)
        if (strcmp(values[i - 1].name, values[i].name) == 0)
            return cn_schema_bad_about(loader, symbol->name, "two values are called", connect_str_of(values[i].name));
    enumeration->by_name = values;
    enumeration->next = loader->file->enums;
    loader->file->enums = enumeration;
    loader->file->enum_count++;
    return cn_schema_lay_out_enum(loader, enumeration);
}

/* DescriptorProto: what holds for all that is in it. */
static bool cn_schema_read_message_head(cn_schema_loader_t *loader, cn_schema_message_t *message, connect_str_t bytes,
    const cn_schema_features_t *outer, cn_schema_features_t *features) {
    connect_reader_t reader = {{NULL, 0}, false};
    connect_str_t name = {NULL, 0}, options = {NULL, 0};
    connect_record_t record;
    cn_schema_symbol_t *symbol;
    size_t i = 0;
    reader.rest = bytes;
    while (connect_reader_next(&reader, &record)) {
        if (record.number == 1) cn_schema_get_text(&record, &name);
        if (record.number == 7) cn_schema_get_text(&record, &options);
    }
    if (reader.failed) return cn_schema_bad(loader, message->scope, "a malformed message");
    message->type.full_name = message->scope = cn_schema_join(loader, message->scope, name);
    if (!message->type.full_name) return false;
    symbol = cn_schema_declare(loader, &loader->by_name, message->type.full_name);
    if (!symbol) return false;
    symbol->message = message;
    message->type.is_message_set = cn_schema_option(options, 1, 0) != 0;
    message->type.is_map_entry = cn_schema_option(options, 7, 0) != 0;
    cn_schema_inherit(features, outer, options, 12);
    message->oneof_count = cn_schema_count(bytes, 8);
    message->oneofs = (cn_schema_oneof_t *)cn_schema_take(loader, message->oneof_count + 1, sizeof *message->oneofs);
    if (!message->oneofs) return false;
    reader.rest = bytes;
    while (connect_reader_next(&reader, &record)) {
        connect_reader_t inner = {{NULL, 0}, false};
        connect_record_t of_oneof;
        if (record.number != 8 || record.wire != CONNECT_WIRE_BYTES) continue;
        message->oneofs[i].features = *features;
        inner.rest = record.bytes;
        while (connect_reader_next(&inner, &of_oneof))
            if (of_oneof.number == 2 && of_oneof.wire == CONNECT_WIRE_BYTES)
                cn_schema_inherit(&message->oneofs[i].features, features, of_oneof.bytes, 1);
        i++;
    }
    return true;
}

/* DescriptorProto, and all that is in it. */
static bool cn_schema_read_message(cn_schema_loader_t *loader, const char *scope, cn_schema_message_t *parent,
    connect_str_t bytes, const cn_schema_features_t *outer, uint32_t depth) {
    cn_schema_message_t *message = cn_schema_new_message(loader, scope);
    connect_reader_t reader = {{NULL, 0}, false};
    cn_schema_features_t features;
    connect_record_t record;
    bool ok = true;
    if (depth == 0) return cn_schema_bad(loader, scope, "messages nest deeper than 100");
    if (!message || !cn_schema_read_message_head(loader, message, bytes, outer, &features)) return false;
    message->parent = parent;
    message->next = loader->file->messages;
    loader->file->messages = message;
    loader->file->message_count++;
    reader.rest = bytes;
    while (ok && connect_reader_next(&reader, &record)) {
        if (record.wire != CONNECT_WIRE_BYTES) continue;
        switch (record.number) {
        case 2: ok = cn_schema_read_field(loader, message, record.bytes, &features); break;
        case 3: ok = cn_schema_read_message(loader, message->scope, message, record.bytes, &features, depth - 1); break;
        case 4: ok = cn_schema_read_enum(loader, message->scope, record.bytes, &features); break;
        case 6: ok = cn_schema_read_extension(loader, message->scope, record.bytes, &features); break;
        default: break;
        }
    }
    return ok;
}

/* MethodDescriptorProto */
static bool cn_schema_read_method(
    cn_schema_loader_t *loader, const char *service, connect_str_t bytes, cn_schema_method_t *method) {
    connect_reader_t reader = {{NULL, 0}, false};
    connect_str_t name = {NULL, 0}, options = {NULL, 0}, path;
    connect_record_t record;
    int32_t client_streams = 0, server_streams = 0, idempotency;
    reader.rest = bytes;
    while (connect_reader_next(&reader, &record)) {
        switch (record.number) {
        case 1: cn_schema_get_text(&record, &name); break;
        case 2: cn_schema_get_text(&record, &method->input); break;
        case 3: cn_schema_get_text(&record, &method->output); break;
        case 4: cn_schema_get_text(&record, &options); break;
        case 5: cn_schema_get_int(&record, &client_streams); break;
        case 6: cn_schema_get_int(&record, &server_streams); break;
        default: break;
        }
    }
    if (reader.failed) return cn_schema_bad(loader, service, "a malformed method");
    method->name = cn_schema_join(loader, service, name);
    if (!method->name || !cn_schema_declare(loader, &loader->by_name, method->name)) return false;
    path = connect_arena_printf(loader->arena, "/%s/%s", service, method->name + strlen(service) + 1);
    if (!path.data) return cn_error_memory(loader->error);
    method->method.path = path.data;
    method->method.kind = client_streams ? server_streams ? CONNECT_BIDI_STREAM : CONNECT_CLIENT_STREAM
        : server_streams                 ? CONNECT_SERVER_STREAM
                                         : CONNECT_UNARY;
    idempotency = cn_schema_option(options, 34, 0);
    if (idempotency == CONNECT_NO_SIDE_EFFECTS) method->method.idempotency = CONNECT_NO_SIDE_EFFECTS;
    if (idempotency == CONNECT_IDEMPOTENT) method->method.idempotency = CONNECT_IDEMPOTENT;
    return true;
}

/* ServiceDescriptorProto */
static bool cn_schema_read_service(cn_schema_loader_t *loader, const char *package, connect_str_t bytes) {
    cn_schema_service_t *service = (cn_schema_service_t *)cn_schema_take(loader, 1, sizeof *service);
    const size_t count = cn_schema_count(bytes, 2);
    cn_schema_method_t *methods = (cn_schema_method_t *)cn_schema_take(loader, count + 1, sizeof *methods);
    connect_reader_t reader = {{NULL, 0}, false};
    connect_str_t name = {NULL, 0};
    connect_record_t record;
    size_t i = 0;
    if (!service || !methods) return false;
    reader.rest = bytes;
    while (connect_reader_next(&reader, &record))
        if (record.number == 1) cn_schema_get_text(&record, &name);
    if (reader.failed) return cn_schema_bad(loader, package, "a malformed service");
    service->service.full_name = cn_schema_join(loader, package, name);
    if (!service->service.full_name) return false;
    if (!cn_schema_declare(loader, &loader->by_name, service->service.full_name)) return false;
    reader.rest = bytes;
    while (connect_reader_next(&reader, &record)) {
        if (record.number != 2 || record.wire != CONNECT_WIRE_BYTES) continue;
        if (!cn_schema_read_method(loader, service->service.full_name, record.bytes, &methods[i++])) return false;
    }
    service->service.file = &loader->file->file;
    service->service.method_count = count;
    service->methods = methods;
    service->next = loader->file->services;
    loader->file->services = service;
    loader->file->service_count++;
    return true;
}

/* ---- Reading: files ---- */

static bool cn_schema_edition(cn_schema_loader_t *loader, connect_str_t syntax, int32_t edition) {
    static const cn_schema_features_t proto2 = {
        {0, CN_SCHEMA_EXPLICIT, CN_SCHEMA_CLOSED, CN_SCHEMA_EXPANDED, CN_SCHEMA_NONE, CN_SCHEMA_LENGTH_PREFIXED}};
    static const cn_schema_features_t proto3 = {
        {0, CN_SCHEMA_IMPLICIT, CN_SCHEMA_OPEN, CN_SCHEMA_PACKED, CN_SCHEMA_VERIFY, CN_SCHEMA_LENGTH_PREFIXED}};
    cn_schema_file_t *file = loader->file;
    file->features = proto3;
    if (connect_str_equal(syntax, CN_STR("proto3"))) return true;
    if (syntax.len == 0 || connect_str_equal(syntax, CN_STR("proto2"))) {
        file->features = proto2;
        return true;
    }
    file->features.of[CN_SCHEMA_PRESENCE] = CN_SCHEMA_EXPLICIT;
    file->is_editions = true;
    if (!connect_str_equal(syntax, CN_STR("editions")))
        return cn_schema_bad_about(loader, NULL, "not a syntax:", syntax);
    return edition == 1000 || edition == 1001
        ? true
        : cn_schema_bad(loader, NULL, "an edition other than 2023 (1000) and 2024 (1001)");
}

static bool cn_schema_is_package(connect_str_t package) {
    connect_str_t rest = package, part;
    if (package.len > CN_SCHEMA_NAME / 2) return false;
    while (package.len && cn_str_split(&rest, '.', &part))
        if (!cn_schema_is_identifier(part)) return false;
    return true;
}

CN_PRIVATE bool cn_schema_is_file_name(connect_str_t name) {
    size_t i;
    for (i = 0; i < name.len; i++)
        if ((unsigned char)name.data[i] < 0x20 || name.data[i] == 0x7F) return false;
    return name.len && name.len <= CN_SCHEMA_NAME && cn_utf8_valid(name);
}

/* FileDescriptorProto: what holds for all that is in it. */
static bool cn_schema_read_file_head(cn_schema_loader_t *loader, connect_str_t bytes) {
    connect_reader_t reader = {{NULL, 0}, false};
    connect_str_t name = {NULL, 0}, package = {NULL, 0}, options = {NULL, 0}, syntax = {NULL, 0};
    cn_schema_file_t *file = loader->file;
    cn_schema_symbol_t *symbol;
    cn_schema_features_t features;
    connect_record_t record;
    int32_t edition = 0;
    reader.rest = bytes;
    while (connect_reader_next(&reader, &record)) {
        switch (record.number) {
        case 1: cn_schema_get_text(&record, &name); break;
        case 2: cn_schema_get_text(&record, &package); break;
        case 8: cn_schema_get_text(&record, &options); break;
        case 12: cn_schema_get_text(&record, &syntax); break;
        case 14: cn_schema_get_int(&record, &edition); break;
        default: break;
        }
    }
    if (!cn_schema_is_file_name(name)) return cn_schema_bad_about(loader, NULL, "not the name of a file:", name);
    file->file.name = cn_schema_text(loader, name);
    if (!file->file.name) return false;
    if (reader.failed) return cn_schema_bad(loader, NULL, "a malformed file");
    symbol = cn_schema_declare(loader, &loader->by_file, file->file.name);
    if (!symbol) return false;
    symbol->file = file;
    if (!cn_schema_is_package(package)) return cn_schema_bad_about(loader, NULL, "not a package:", package);
    file->package = package.len ? cn_schema_text(loader, package) : "";
    if (!file->package || !cn_schema_edition(loader, syntax, edition)) return false;
    features = file->features;
    cn_schema_inherit(&file->features, &features, options, 50);
    return true;
}

CN_PRIVATE bool cn_schema_read_file(cn_schema_loader_t *loader, connect_str_t bytes) {
    cn_schema_file_t *file = (cn_schema_file_t *)cn_schema_take(loader, 1, sizeof *file);
    connect_reader_t reader = {{NULL, 0}, false};
    connect_record_t record;
    bool ok = true;
    if (!file) return false;
    loader->file = file;
    file->file.descriptor = bytes;
    if (!cn_schema_read_file_head(loader, bytes)) return false;
    reader.rest = bytes;
    while (ok && connect_reader_next(&reader, &record)) {
        if (record.wire != CONNECT_WIRE_BYTES) continue;
        switch (record.number) {
        case 4:
            ok = cn_schema_read_message(loader, file->package, NULL, record.bytes, &file->features, CN_SCHEMA_DEPTH);
            break;
        case 5: ok = cn_schema_read_enum(loader, file->package, record.bytes, &file->features); break;
        case 6: ok = cn_schema_read_service(loader, file->package, record.bytes); break;
        case 7: ok = cn_schema_read_extension(loader, file->package, record.bytes, &file->features); break;
        default: break;
        }
    }
    return ok;
}
