#include "base/error.h"
#include "base/str.h"
#include "codec/message.h"
#include "codec/number.h"
#include "codec/schema.h"

/* From what was read to connect_type_t: step 3 of schema.c, for messages and extensions. */

/* ---- Linking: fields ---- */

static bool cn_schema_is_message(const cn_schema_field_t *field) {
    return field->kind == CONNECT_KIND_MESSAGE || field->kind == CONNECT_KIND_GROUP;
}

static bool cn_schema_is_text(const cn_schema_field_t *field) {
    return field->kind == CONNECT_KIND_STRING || field->kind == CONNECT_KIND_BYTES;
}

/* The type that a field names. */
static bool cn_schema_link_type(
    cn_schema_loader_t *loader, cn_schema_message_t *message, cn_schema_field_t *field, const char *where) {
    const cn_schema_symbol_t *symbol = cn_schema_resolve(loader, message->scope, field->type_name);
    cn_schema_user_t *user;
    if (!symbol || (!symbol->message && !symbol->enumeration))
        return cn_schema_bad_about(loader, where, "its type is not in the set:", field->type_name);
    if (!field->kind) field->kind = symbol->message ? CONNECT_KIND_MESSAGE : CONNECT_KIND_ENUM;
    if (field->kind == CONNECT_KIND_ENUM ? !symbol->enumeration : !symbol->message)
        return cn_schema_bad_about(loader, where, "its type is of another sort:", field->type_name);
    field->message = symbol->message;
    field->enumeration = symbol->enumeration;
    if (!field->message) return true;
    if (field->message->type.is_map_entry) {
        if (field->label != CN_SCHEMA_LABEL_REPEATED || field->kind != CONNECT_KIND_MESSAGE ||
            field->message->parent != message)
            return cn_schema_bad(loader, where, "the type of a map's entry may only be used by that map");
        field->flags |= CONNECT_FIELD_MAP;
    } else if (field->features.of[CN_SCHEMA_ENCODING] == CN_SCHEMA_DELIMITED) {
        field->kind = CONNECT_KIND_GROUP;
    }
    user = (cn_schema_user_t *)cn_schema_take(loader, 1, sizeof *user);
    if (!user) return false;
    user->message = message;
    user->next = field->message->users;
    field->message->users = user;
    return true;
}

static bool cn_schema_link_field(
    cn_schema_loader_t *loader, cn_schema_message_t *message, cn_schema_field_t *field, int64_t number_max) {
    const char *where = message->type.full_name;
    const bool is_extension = message->extension.holder != NULL, is_entry = message->type.is_map_entry;
    const uint8_t *of = field->features.of;
    bool repeated = field->label == CN_SCHEMA_LABEL_REPEATED, tracked;
    connect_str_t name = connect_str_of(field->name);
    if (field->number < 1 || field->number > number_max)
        return cn_schema_bad_about(loader, where, "a number that fields cannot have: that of", name);
    if (field->label < 0 || field->label > CN_SCHEMA_LABEL_REPEATED || field->kind < 0 ||
        field->kind > CONNECT_KIND_SINT64)
        return cn_schema_bad_about(loader, where, "no such label or type: those of", name);
    if (field->kind == 0 || field->kind == CONNECT_KIND_ENUM || cn_schema_is_message(field)) {
        if (!cn_schema_link_type(loader, message, field, where)) return false;
    }
    if (field->default_text.data && (repeated || cn_schema_is_message(field)))
        return cn_schema_bad_about(loader, where, "a default where none can be: that of", name);
    if (repeated) {
        field->flags |= CONNECT_FIELD_REPEATED;
        if (field->oneof >= 0) return cn_schema_bad_about(loader, where, "a repeated field in a oneof:", name);
        if (of[CN_SCHEMA_REPEATED] == CN_SCHEMA_PACKED && !cn_schema_is_message(field) && !cn_schema_is_text(field))
            field->flags |= CONNECT_FIELD_PACKED;
    }
    if (field->kind == CONNECT_KIND_STRING && of[CN_SCHEMA_UTF8] == CN_SCHEMA_VERIFY)
        field->flags |= CONNECT_FIELD_UTF8;
    if (field->oneof >= 0) field->flags |= CONNECT_FIELD_ONEOF;
    if (repeated || field->oneof >= 0) return true;
    tracked = !is_entry && (is_extension || of[CN_SCHEMA_PRESENCE] != CN_SCHEMA_IMPLICIT);
    if (of[CN_SCHEMA_PRESENCE] == CN_SCHEMA_LEGACY_REQUIRED && !is_extension && !is_entry)
        field->flags |= CONNECT_FIELD_REQUIRED;
    if (cn_schema_is_message(field))
        field->flags |= CONNECT_FIELD_NULLABLE;
    else if (tracked && cn_schema_is_text(field) && !field->default_text.data)
        field->flags |= CONNECT_FIELD_NULLABLE;
    else if (tracked)
        field->flags |= CONNECT_FIELD_HAS;
    else if (field->default_text.data || (field->enumeration && field->enumeration->first != 0))
        return cn_schema_bad_about(loader, where, "a default, and no presence to tell it by: that of", name);
    return true;
}

/* ---- Linking: structs ---- */

static uint32_t cn_schema_size(const cn_schema_field_t *field) {
    if (field->flags & CONNECT_FIELD_REPEATED) return (uint32_t)sizeof(cn_message_list_t);
    if (cn_schema_is_message(field)) return (uint32_t)sizeof(void *);
    if (cn_schema_is_text(field)) return (uint32_t)sizeof(connect_str_t);
    return (uint32_t)cn_message_scalar_size((uint8_t)field->kind);
}

/* Gives every member its place, those of `size` bytes. */
static void cn_schema_place(cn_schema_message_t *message, uint32_t size, uint32_t *end) {
    cn_schema_field_t *field;
    size_t i;
    for (field = message->fields; field; field = field->next) {
        if (!(field->flags & CONNECT_FIELD_ONEOF) && cn_schema_size(field) == size) {
            field->offset = (uint16_t)*end;
            *end += size;
        }
        if (size == sizeof(bool) && (field->flags & CONNECT_FIELD_HAS)) {
            field->presence = (uint16_t)*end;
            *end += size;
        }
    }
    for (i = 0; i < message->oneof_count; i++) {
        cn_schema_oneof_t *oneof = &message->oneofs[i];
        if (oneof->size == size) {
            oneof->offset = (uint16_t)*end;
            *end += size;
        }
        if (size == sizeof(int32_t) && oneof->size) {
            oneof->presence = (uint16_t)*end;
            *end += size;
        }
    }
}

static bool cn_schema_lay_out(cn_schema_loader_t *loader, cn_schema_message_t *message) {
    cn_schema_field_t *field;
    uint32_t end = 0, size;
    for (field = message->fields; field; field = field->next) {
        cn_schema_oneof_t *oneof;
        if (!(field->flags & CONNECT_FIELD_ONEOF)) continue;
        oneof = &message->oneofs[field->oneof];
        oneof->size = CN_MAX(oneof->size, cn_schema_size(field));
    }
    if (!message->type.is_map_entry) {
        message->type.keeps_unknown = true;
        end = (uint32_t)sizeof(connect_str_list_t);
    }
    for (size = 16; size; size /= 2)
        cn_schema_place(message, size, &end);
    message->type.size = (end + 7) & ~7u;
    if (message->type.size > 65535)
        return cn_schema_bad(loader, message->type.full_name, "its struct would have over 65535 bytes");
    for (field = message->fields; field; field = field->next) {
        if (!(field->flags & CONNECT_FIELD_ONEOF)) continue;
        field->offset = message->oneofs[field->oneof].offset;
        field->presence = message->oneofs[field->oneof].presence;
    }
    return true;
}

/* ---- Linking: defaults ---- */

/* Undoes the escapes of C, as descriptors write the default of bytes. */
static bool cn_schema_unescape(cn_schema_loader_t *loader, connect_str_t text, connect_str_t *bytes) {
    static const char letters[] = "abfnrtv", values[] = "\a\b\f\n\r\t\v";
    char *to = (char *)cn_schema_take(loader, text.len + 1, 1);
    size_t i = 0, len = 0;
    if (!to) return false;
    while (i < text.len) {
        char c = text.data[i++];
        if (c == '\\') {
            const char *letter;
            int digits = 0, value = 0;
            if (i == text.len) return false;
            while (digits < 3 && i < text.len && text.data[i] >= '0' && text.data[i] <= '7') {
                value = value * 8 + (text.data[i++] - '0');
                digits++;
            }
            if (digits) {
                c = (char)(unsigned char)(value & 0xFF);
            } else {
                c = text.data[i++];
                letter = c ? strchr(letters, c) : NULL;
                if (letter) c = values[letter - letters];
            }
        }
        to[len++] = c;
    }
    bytes->data = to;
    bytes->len = len;
    return true;
}

static bool cn_schema_default_number(const cn_schema_field_t *field, char *to) {
    const connect_str_t text = field->default_text;
    cn_number_t number;
    int64_t integer = 0;
    uint64_t natural = 0;
    double wide;
    float narrow;
    bool ok;
    if (field->kind == CONNECT_KIND_DOUBLE || field->kind == CONNECT_KIND_FLOAT) {
        if (connect_str_equal(text, CN_STR("inf")))
            wide = 1.0 / 0.0;
        else if (connect_str_equal(text, CN_STR("-inf")))
            wide = -1.0 / 0.0;
        else if (connect_str_equal(text, CN_STR("nan")))
            wide = 0.0 / 0.0;
        else if (!cn_number_read(&number, text) || cn_number_as_double(&number, &wide) != CN_NUMBER_OK)
            return false;
        narrow = (float)wide;
        if (wide - wide == 0 && cn_number_as_float(&number, &narrow) != CN_NUMBER_OK) narrow = (float)wide;
        memcpy(to, field->kind == CONNECT_KIND_DOUBLE ? (const void *)&wide : (const void *)&narrow,
            cn_schema_size(field));
        return true;
    }
    if (!cn_number_read(&number, text)) return false;
    switch (field->kind) {
    case CONNECT_KIND_UINT64:
    case CONNECT_KIND_FIXED64:
    case CONNECT_KIND_UINT32:
    case CONNECT_KIND_FIXED32:
        ok = cn_number_as_uint(&number, cn_schema_size(field) == 8 ? UINT64_MAX : UINT32_MAX, &natural) == CN_NUMBER_OK;
        integer = (int64_t)natural;
        break;
    default:
        ok = cn_number_as_int(&number, cn_schema_size(field) == 8 ? INT64_MIN : INT32_MIN,
                 cn_schema_size(field) == 8 ? INT64_MAX : INT32_MAX, &integer) == CN_NUMBER_OK;
    }
    if (!ok) return false;
    if (cn_schema_size(field) == 8) {
        memcpy(to, &integer, 8);
    } else {
        const uint32_t low = (uint32_t)(uint64_t)integer;
        memcpy(to, &low, 4);
    }
    return true;
}

static bool cn_schema_default_value(cn_schema_loader_t *loader, const cn_schema_field_t *field, char *to) {
    connect_str_t text = field->default_text;
    bool truth;
    switch (field->kind) {
    case CONNECT_KIND_ENUM: {
        int32_t number = field->enumeration->first;
        if (text.data) {
            const cn_schema_value_t *value;
            cn_schema_value_t key;
            memset(&key, 0, sizeof key);
            key.name = cn_schema_is_identifier(text) ? cn_schema_text(loader, text) : "";
            if (!key.name) return false;
            value = (const cn_schema_value_t *)bsearch(&key, field->enumeration->by_name,
                field->enumeration->type.count, sizeof key, cn_schema_compare_value_names);
            if (!value) return false;
            number = value->number;
        }
        memcpy(to, &number, sizeof number);
        return true;
    }
    case CONNECT_KIND_BYTES:
        if (!cn_schema_unescape(loader, text, &text)) return false;
        memcpy(to, &text, sizeof text);
        return true;
    case CONNECT_KIND_STRING: memcpy(to, &text, sizeof text); return true;
    case CONNECT_KIND_BOOL:
        truth = connect_str_equal(text, CN_STR("true"));
        memcpy(to, &truth, sizeof truth);
        return truth || connect_str_equal(text, CN_STR("false"));
    default: return cn_schema_default_number(field, to);
    }
}

/* The struct with the defaults, if there are any. */
static bool cn_schema_set_defaults(cn_schema_loader_t *loader, cn_schema_message_t *message) {
    const cn_schema_field_t *field;
    char *defaults = NULL;
    for (field = message->fields; field; field = field->next) {
        if (!(field->flags & CONNECT_FIELD_HAS) || !(field->default_text.data || field->enumeration)) continue;
        if (!field->default_text.data && field->enumeration->first == 0) continue;
        if (!defaults) defaults = (char *)cn_schema_take(loader, 1, message->type.size);
        if (!defaults) return false;
        if (!cn_schema_default_value(loader, field, defaults + field->offset))
            return loader->arena->failed ? cn_error_memory(loader->error)
                                         : cn_schema_bad_about(loader, message->type.full_name,
                                               "a default that is no value of its field:", field->default_text);
    }
    message->type.defaults = defaults;
    return true;
}

/* ---- Linking: tables ---- */

static int cn_schema_compare_field_names(const void *a, const void *b) {
    return strcmp((*(const cn_schema_field_t *const *)a)->name, (*(const cn_schema_field_t *const *)b)->name);
}

static int cn_schema_compare_field_numbers(const void *a, const void *b) {
    const int32_t one = (*(const cn_schema_field_t *const *)a)->number;
    const int32_t two = (*(const cn_schema_field_t *const *)b)->number;
    return (one > two) - (one < two);
}

/* The fields by number; NULL: it failed, or a name or number stands twice. */
static cn_schema_field_t **cn_schema_sort_fields(cn_schema_loader_t *loader, const cn_schema_message_t *message) {
    cn_schema_field_t **sorted = (cn_schema_field_t **)cn_schema_take(loader, message->field_count + 1, sizeof *sorted);
    cn_schema_field_t *field;
    size_t i = 0;
    if (!sorted) return NULL;
    for (field = message->fields; field; field = field->next)
        sorted[i++] = field;
    qsort(sorted, message->field_count, sizeof *sorted, cn_schema_compare_field_names);
    for (i = 1; i < message->field_count; i++) {
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) != 0) continue;
        cn_schema_bad_about(loader, message->scope, "two fields are called", connect_str_of(sorted[i]->name));
        return NULL;
    }
    qsort(sorted, message->field_count, sizeof *sorted, cn_schema_compare_field_numbers);
    for (i = 1; i < message->field_count; i++) {
        if (sorted[i - 1]->number != sorted[i]->number) continue;
        cn_schema_bad_about(
            loader, message->scope, "a number that another field has: that of", connect_str_of(sorted[i]->name));
        return NULL;
    }
    return sorted;
}

/* The length of a name, as it stands in front of it; 0: above 255, or JSON would escape something in it. */
static unsigned char cn_schema_clean_len(const char *name) {
    size_t len;
    for (len = 0; name[len]; len++) {
        const unsigned char c = (unsigned char)name[len];
        if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\' || len == 255) return 0;
    }
    return (unsigned char)len;
}

static uint16_t cn_schema_put_name(char *names, size_t *len, const char *name) {
    const size_t at = *len + 1, name_size = strlen(name) + 1;
    names[at - 1] = (char)cn_schema_clean_len(name);
    memcpy(names + at, name, name_size);
    *len = at + name_size;
    return (uint16_t)at;
}

static bool cn_schema_set_fields(cn_schema_loader_t *loader, cn_schema_message_t *message) {
    const size_t count = message->field_count;
    cn_schema_field_t **sorted = cn_schema_sort_fields(loader, message);
    connect_field_t *fields;
    const connect_type_t **types;
    const connect_enum_t **enums;
    size_t i, len = 1, type_count = 0, enum_count = 0;
    char *names;
    if (!sorted) return false;
    for (i = 0; i < count; i++) {
        len += strlen(sorted[i]->name) + 2;
        if (strcmp(sorted[i]->name, sorted[i]->json_name) != 0) len += strlen(sorted[i]->json_name) + 2;
        type_count += sorted[i]->message != NULL;
        enum_count += sorted[i]->enumeration != NULL;
    }
    if (len > 65535) return cn_schema_bad(loader, message->type.full_name, "the names of its fields are too long");
    fields = (connect_field_t *)cn_schema_take(loader, count + 1, sizeof *fields);
    types = (const connect_type_t **)cn_schema_take(loader, type_count + 1, sizeof *types);
    enums = (const connect_enum_t **)cn_schema_take(loader, enum_count + 1, sizeof *enums);
    names = (char *)cn_schema_take(loader, len, 1);
    if (!fields || !types || !enums || !names) return false;
    len = type_count = enum_count = 0;
    for (i = 0; i < count; i++) {
        const cn_schema_field_t *field = sorted[i];
        fields[i].number = (uint32_t)field->number;
        fields[i].offset = field->offset;
        fields[i].presence = field->presence;
        fields[i].kind = (uint8_t)field->kind;
        fields[i].flags = field->flags;
        fields[i].name = fields[i].json_name = cn_schema_put_name(names, &len, field->name);
        if (strcmp(field->name, field->json_name) != 0)
            fields[i].json_name = cn_schema_put_name(names, &len, field->json_name);
        if (field->message) {
            fields[i].type = (uint16_t)type_count;
            types[type_count++] = &field->message->type;
        } else if (field->enumeration) {
            fields[i].type = (uint16_t)enum_count;
            enums[enum_count++] = &field->enumeration->type;
        }
        if (field->flags & CONNECT_FIELD_REQUIRED) message->type.has_required = true;
        if (fields[i].number == i + 1) message->type.dense = (uint16_t)(i + 1);
    }
    message->type.fields = fields;
    message->type.types = types;
    message->type.enums = enums;
    message->type.names = names;
    message->type.field_count = (uint16_t)count;
    return true;
}

static bool cn_schema_is_entry(const connect_type_t *type) {
    const connect_field_t *key = &type->fields[0];
    if (type->field_count != 2 || type->dense != 2) return false;
    if ((key->flags | type->fields[1].flags) & (CONNECT_FIELD_REPEATED | CONNECT_FIELD_ONEOF)) return false;
    return key->kind != CONNECT_KIND_DOUBLE && key->kind != CONNECT_KIND_FLOAT && key->kind != CONNECT_KIND_BYTES &&
        key->kind != CONNECT_KIND_ENUM && key->kind != CONNECT_KIND_MESSAGE && key->kind != CONNECT_KIND_GROUP;
}

/* The form of a well-known type, whose shape the JSON mapping relies on. */
static bool cn_schema_set_form(cn_schema_loader_t *loader, connect_type_t *type) {
    enum { SHAPE = CONNECT_FIELD_REPEATED | CONNECT_FIELD_MAP | CONNECT_FIELD_HAS | CONNECT_FIELD_ONEOF };
    static const char package[] = "google.protobuf.";
    static const struct {
        const char *name;
        uint8_t form, flags, kinds[7]; /* of the fields 1, 2, ...; all have these flags */
    } forms[] = {
        {"Any", CONNECT_FORM_ANY, 0, {CONNECT_KIND_STRING, CONNECT_KIND_BYTES, 0, 0, 0, 0, 0}},
        {"Timestamp", CONNECT_FORM_TIMESTAMP, 0, {CONNECT_KIND_INT64, CONNECT_KIND_INT32, 0, 0, 0, 0, 0}},
        {"Duration", CONNECT_FORM_DURATION, 0, {CONNECT_KIND_INT64, CONNECT_KIND_INT32, 0, 0, 0, 0, 0}},
        {"FieldMask", CONNECT_FORM_FIELD_MASK, CONNECT_FIELD_REPEATED, {CONNECT_KIND_STRING, 0, 0, 0, 0, 0, 0}},
        {"Struct", CONNECT_FORM_STRUCT, CONNECT_FIELD_REPEATED | CONNECT_FIELD_MAP,
            {CONNECT_KIND_MESSAGE, 0, 0, 0, 0, 0, 0}},
        {"Value", CONNECT_FORM_VALUE, CONNECT_FIELD_ONEOF,
            {CONNECT_KIND_ENUM, CONNECT_KIND_DOUBLE, CONNECT_KIND_STRING, CONNECT_KIND_BOOL, CONNECT_KIND_MESSAGE,
                CONNECT_KIND_MESSAGE, 0}},
        {"ListValue", CONNECT_FORM_LIST, CONNECT_FIELD_REPEATED, {CONNECT_KIND_MESSAGE, 0, 0, 0, 0, 0, 0}},
        {"Empty", CONNECT_FORM_EMPTY, 0, {0, 0, 0, 0, 0, 0, 0}},
        {"DoubleValue", CONNECT_FORM_WRAPPER, 0, {CONNECT_KIND_DOUBLE, 0, 0, 0, 0, 0, 0}},
        {"FloatValue", CONNECT_FORM_WRAPPER, 0, {CONNECT_KIND_FLOAT, 0, 0, 0, 0, 0, 0}},
        {"Int64Value", CONNECT_FORM_WRAPPER, 0, {CONNECT_KIND_INT64, 0, 0, 0, 0, 0, 0}},
        {"UInt64Value", CONNECT_FORM_WRAPPER, 0, {CONNECT_KIND_UINT64, 0, 0, 0, 0, 0, 0}},
        {"Int32Value", CONNECT_FORM_WRAPPER, 0, {CONNECT_KIND_INT32, 0, 0, 0, 0, 0, 0}},
        {"UInt32Value", CONNECT_FORM_WRAPPER, 0, {CONNECT_KIND_UINT32, 0, 0, 0, 0, 0, 0}},
        {"BoolValue", CONNECT_FORM_WRAPPER, 0, {CONNECT_KIND_BOOL, 0, 0, 0, 0, 0, 0}},
        {"StringValue", CONNECT_FORM_WRAPPER, 0, {CONNECT_KIND_STRING, 0, 0, 0, 0, 0, 0}},
        {"BytesValue", CONNECT_FORM_WRAPPER, 0, {CONNECT_KIND_BYTES, 0, 0, 0, 0, 0, 0}},
    };
    size_t i, j;
    if (strncmp(type->full_name, package, sizeof package - 1) != 0) return true;
    for (i = 0; i < CN_LEN(forms); i++) {
        if (strcmp(type->full_name + sizeof package - 1, forms[i].name) != 0) continue;
        type->form = forms[i].form;
        for (j = 0; forms[i].kinds[j]; j++)
            if (j >= type->dense || type->fields[j].kind != forms[i].kinds[j] ||
                (type->fields[j].flags & SHAPE) != forms[i].flags)
                break;
        if (forms[i].kinds[j] || j != type->field_count)
            return cn_schema_bad(loader, type->full_name, "not the well-known type of this name");
    }
    return true;
}

CN_PRIVATE bool cn_schema_link_message(cn_schema_loader_t *loader, cn_schema_message_t *message) {
    const bool of_message_set = message->extension.extendee && message->extension.extendee->is_message_set;
    cn_schema_field_t *field;
    if (message->field_count > UINT16_MAX) return cn_schema_bad(loader, message->scope, "more than 65535 fields");
    if (message->type.is_message_set && message->field_count)
        return cn_schema_bad(loader, message->scope, "a message set with fields");
    for (field = message->fields; field; field = field->next)
        if (!cn_schema_link_field(loader, message, field, of_message_set ? INT32_MAX : CN_SCHEMA_NUMBER_MAX))
            return false;
    if (!cn_schema_lay_out(loader, message) || !cn_schema_set_defaults(loader, message) ||
        !cn_schema_set_fields(loader, message))
        return false;
    if (message->type.is_map_entry && !cn_schema_is_entry(&message->type))
        return cn_schema_bad(loader, message->scope, "not the entry of a map");
    return cn_schema_set_form(loader, &message->type);
}

CN_PRIVATE bool cn_schema_link_extension(cn_schema_loader_t *loader, cn_schema_message_t *holder) {
    const cn_schema_symbol_t *extendee = cn_schema_resolve(loader, holder->scope, holder->fields->extendee);
    if (!extendee || !extendee->message || extendee->message->type.is_map_entry)
        return cn_schema_bad_about(
            loader, holder->type.full_name, "what it extends is not in the set:", holder->fields->extendee);
    holder->extension.extendee = &extendee->message->type;
    holder->extension.holder = &holder->type;
    if (!cn_schema_link_message(loader, holder)) return false;
    if (holder->extension.extendee->is_message_set && holder->fields->kind != CONNECT_KIND_MESSAGE)
        return cn_schema_bad(loader, holder->type.full_name, "an extension of a message set is a message");
    return true;
}
