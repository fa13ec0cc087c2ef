#include "base/mem.h"
#include "base/str.h"
#include "codec/message.h"

/* Messages as plain structs, seen through their tables: defaults, presence, deep copy and merge, access by name. The C
   member of each kind is said at the head of section 3 of the public declarations.

   Presence, in this order: REPEATED: count is not 0; HAS: the bool at `presence`; ONEOF: the int32_t at `presence` is
   the field's number; messages, groups and NULLABLE text: the pointer is not NULL; else: the value's bits are not all
   zero (so that -0.0 is present), the text is not empty. A oneof may name a message and hold NULL: that is an empty
   message.

   Members are read and written by memcpy at their offsets: no assumption on aliasing, and pointers to const messages,
   which the arena holds, become writable without a cast.

   Recursion (copy, merge) ends at CN_MESSAGE_DEPTH_COPY: deeper messages do not copy. */

static const connect_type_t *cn_message_type_of(const connect_type_t *type, const connect_field_t *field) {
    return type->types[field->type];
}

CN_PRIVATE const connect_field_t *cn_message_field_number(const connect_type_t *type, uint32_t number) {
    size_t low = type->dense, high = type->field_count;
    if (number - 1 < type->dense) return &type->fields[number - 1];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (type->fields[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < type->field_count && type->fields[low].number == number ? &type->fields[low] : NULL;
}

/* The index of an enum's first value with this number; type->count: there is none. */
static size_t cn_message_enum_index(const connect_enum_t *type, int32_t number) {
    size_t low = 0, high = type->count;
    if (high && number >= type->values[0].number) { /* most enums count up from the first, without gaps and aliases */
        uint32_t guess = (uint32_t)number - (uint32_t)type->values[0].number;
        if (guess < high && type->values[guess].number == number &&
            (guess == 0 || type->values[guess - 1].number != number))
            return guess;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (type->values[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < type->count && type->values[low].number == number ? low : type->count;
}

CN_PRIVATE bool cn_message_enum_has(const connect_enum_t *type, int32_t number) {
    return cn_message_enum_index(type, number) < type->count;
}

CN_PRIVATE size_t cn_message_unknown_size(connect_str_list_t unknown) {
    size_t i, size = 0;
    for (i = 0; i < unknown.count; i++)
        size += unknown.items[i].len;
    return size;
}

void connect_message_init(const connect_type_t *type, void *message) {
    if (type->defaults)
        memcpy(message, type->defaults, type->size);
    else
        memset(message, 0, type->size);
}

/* ---- Copy and merge ---- */

static bool cn_message_merge_deep(
    const connect_type_t *type, char *to, const char *from, connect_arena_t *arena, uint32_t depth);

static bool cn_message_merge_text(char *to, const char *from, connect_arena_t *arena) {
    connect_str_t text;
    memcpy(&text, from, sizeof text);
    if (text.len == 0)
        text.data = "";
    else {
        text = connect_arena_copy(arena, text);
        if (!text.data) return false;
    }
    memcpy(to, &text, sizeof text);
    return true;
}

static bool cn_message_merge_list(const connect_type_t *type, const connect_field_t *field, char *to, const char *from,
    connect_arena_t *arena, uint32_t depth) {
    const size_t size = cn_message_value_size(type, field);
    cn_message_list_t list, more;
    char *items;
    size_t i;
    memcpy(&list, to, sizeof list);
    memcpy(&more, from, sizeof more);
    if (more.count > SIZE_MAX / size - list.count) return false;
    items = (char *)cn_arena_raw(arena, (list.count + more.count) * size);
    if (!items) return false;
    if (list.count) memcpy(items, list.items, list.count * size);
    list.items = items;
    items += list.count * size;
    if (cn_message_is_message(field)) {
        const connect_type_t *item = cn_message_type_of(type, field);
        for (i = 0; i < more.count; i++, items += size) {
            connect_message_init(item, items);
            if (depth == 0 ||
                !cn_message_merge_deep(item, items, (const char *)more.items + i * size, arena, depth - 1))
                return false;
        }
    } else if (cn_message_is_text(field)) {
        for (i = 0; i < more.count; i++)
            if (!cn_message_merge_text(items + i * size, (const char *)more.items + i * size, arena)) return false;
    } else {
        memcpy(items, more.items, more.count * size);
    }
    list.count += more.count;
    memcpy(to, &list, sizeof list);
    return true;
}

static bool cn_message_merge_sub(const connect_type_t *type, const connect_field_t *field, char *to, const char *from,
    bool fresh, connect_arena_t *arena, uint32_t depth) {
    const connect_type_t *sub = cn_message_type_of(type, field);
    const void *old, *source;
    char *merged = (char *)cn_arena_raw(arena, sub->size);
    if (!merged || depth == 0) return false;
    memcpy(&old, to, sizeof old);
    memcpy(&source, from, sizeof source);
    if (old && !fresh)
        memcpy(merged, old, sub->size); /* the old one may be anyone's, so it is not written to */
    else
        connect_message_init(sub, merged);
    if (source && !cn_message_merge_deep(sub, merged, (const char *)source, arena, depth - 1)) return false;
    memcpy(to, &merged, sizeof merged);
    return true;
}

static bool cn_message_merge_unknown(char *to, const char *from, connect_arena_t *arena) {
    connect_str_list_t list, more;
    connect_str_t *items;
    char *bytes;
    size_t len, i;
    memcpy(&more, from, sizeof more);
    len = cn_message_unknown_size(more);
    if (!len) return true;
    memcpy(&list, to, sizeof list);
    items = (connect_str_t *)cn_arena_raw(arena, (list.count + 1) * sizeof *items);
    bytes = (char *)cn_arena_raw(arena, len);
    if (!items || !bytes) return false;
    if (list.count) memcpy(items, list.items, list.count * sizeof *items);
    items[list.count].data = bytes;
    items[list.count].len = len;
    for (i = 0; i < more.count; i++) {
        if (more.items[i].len) memcpy(bytes, more.items[i].data, more.items[i].len);
        bytes += more.items[i].len;
    }
    list.items = items;
    list.count++;
    memcpy(to, &list, sizeof list);
    return true;
}

static bool cn_message_merge_deep(
    const connect_type_t *type, char *to, const char *from, connect_arena_t *arena, uint32_t depth) {
    size_t i;
    for (i = 0; i < type->field_count; i++) {
        const connect_field_t *field = &type->fields[i];
        char *to_at = to + field->offset;
        const char *from_at = from + field->offset;
        bool ok = true;
        if (!cn_message_has(field, from)) continue;
        if (field->flags & CONNECT_FIELD_REPEATED)
            ok = cn_message_merge_list(type, field, to_at, from_at, arena, depth);
        else if (cn_message_is_message(field))
            ok = cn_message_merge_sub(type, field, to_at, from_at, !cn_message_has(field, to), arena, depth);
        else if (cn_message_is_text(field))
            ok = cn_message_merge_text(to_at, from_at, arena);
        else
            memcpy(to_at, from_at, cn_message_scalar_size(field->kind));
        if (!ok) return false;
        cn_message_mark(field, to);
    }
    return !type->keeps_unknown || cn_message_merge_unknown(to + type->unknown, from + type->unknown, arena);
}

bool connect_message_merge(const connect_type_t *type, void *to, const void *from, connect_arena_t *arena) {
    if (cn_message_merge_deep(type, (char *)to, (const char *)from, arena, CN_MESSAGE_DEPTH_COPY)) return true;
    connect_message_init(type, to);
    return false;
}

bool connect_message_copy(const connect_type_t *type, void *to, const void *from, connect_arena_t *arena) {
    connect_message_init(type, to);
    return connect_message_merge(type, to, from, arena);
}

/* ---- Access by name and number ---- */

CN_PRIVATE size_t cn_message_name_slot(connect_str_t name, uint32_t seed, unsigned bits) {
    return ((cn_str_hash(name) ^ seed) * 0x9E3779B1u) >>
        (32 - bits); /* the golden ratio: mixes up into the high bits */
}

/* A zero in `name` ends the comparison: names have none. */
static bool cn_message_name_equal(const char *text, connect_str_t name) {
    return strncmp(text, name.data, name.len) == 0 && text[name.len] == 0;
}

static bool cn_message_field_named(const connect_type_t *type, const connect_field_t *field, connect_str_t name) {
    return cn_message_name_equal(type->names + field->name, name) ||
        (field->json_name != field->name && cn_message_name_equal(type->names + field->json_name, name));
}

const connect_field_t *connect_message_field(const connect_type_t *type, connect_str_t name) {
    size_t i;
    if (!name.len || memchr(name.data, 0, name.len)) return NULL;
    if (type->name_slots) {
        i = type->name_slots[1 + cn_message_name_slot(name, type->name_seed, type->name_slots[0])];
        return i && cn_message_field_named(type, &type->fields[i - 1], name) ? &type->fields[i - 1] : NULL;
    }
    for (i = 0; i < type->field_count; i++)
        if (cn_message_field_named(type, &type->fields[i], name)) return &type->fields[i];
    return NULL;
}

const void *connect_message_get(const connect_type_t *type, const void *message, const connect_field_t *field) {
    (void)type;
    return cn_message_has(field, message) ? (const char *)message + field->offset : NULL;
}

void connect_message_set(
    const connect_type_t *type, void *message, const connect_field_t *field, const void *value_or_null) {
    const bool repeated = (field->flags & CONNECT_FIELD_REPEATED) != 0;
    const size_t size = repeated ? sizeof(cn_message_list_t) : cn_message_value_size(type, field);
    char *to = (char *)message + field->offset;
    if (value_or_null) {
        memcpy(to, value_or_null, size);
        cn_message_mark(field, message);
        return;
    }
    if (!repeated && (field->flags & CONNECT_FIELD_ONEOF)) {
        const int32_t none = 0;
        if (!cn_message_has(field, message)) return; /* the union holds another field */
        memset(to, 0, size);
        memcpy((char *)message + field->presence, &none, sizeof none);
        return;
    }
    if (type->defaults)
        memcpy(to, (const char *)type->defaults + field->offset, size);
    else
        memset(to, 0, size);
    if (!repeated && (field->flags & CONNECT_FIELD_HAS)) {
        const bool has = false;
        memcpy((char *)message + field->presence, &has, sizeof has);
    }
}

const char *connect_enum_name(const connect_enum_t *type, int32_t number) {
    size_t i = cn_message_enum_index(type, number);
    return i < type->count ? type->names + type->values[i].name : NULL;
}

bool connect_enum_number(const connect_enum_t *type, connect_str_t name, int32_t *number) {
    size_t i;
    if (!name.len || memchr(name.data, 0, name.len)) return false;
    for (i = 0; i < type->count; i++)
        if (cn_message_name_equal(type->names + type->values[i].name, name)) {
            *number = type->values[i].number;
            return true;
        }
    return false;
}
