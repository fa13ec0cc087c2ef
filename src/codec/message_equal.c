#include "base/mem.h"
#include "base/str.h"
#include "codec/map_key.h"
#include "codec/message.h"

/* Whether two messages are equal: presence and values of all fields, by their tables. Numbers with a point are compared
   as numbers, but NaN equals NaN. Unknown fields are compared byte by byte, however they are cut into spans.

   Maps are equal if they have the same keys with the same values, in whatever order; of a key that stands twice the
   last entry counts. They are sorted by their keys, in memory of libc; without it, and if they are small, each entry is
   looked for in the other map. No two values are compared twice, since that would double with each map in a map.

   Recursion ends at CN_MESSAGE_DEPTH_COPY: deeper messages are not equal. */

#define CN_MESSAGE_MAP_SMALL 16u /* entries, of both maps together */

static bool cn_message_equal_deep(const connect_type_t *type, const char *a, const char *b, uint32_t depth);

static bool cn_message_equal_sub(const connect_type_t *type, const void *a, const void *b, uint32_t depth) {
    if (a == b) return true;
    if (a && b) return depth > 0 && cn_message_equal_deep(type, (const char *)a, (const char *)b, depth - 1);
    return connect_message_size(type, a ? a : b) == 0; /* what is NULL in a oneof is an empty message */
}

/* a, b: the member, or the item of a list. */
static bool cn_message_equal_value(
    const connect_type_t *type, const connect_field_t *field, const char *a, const char *b, uint32_t depth) {
    switch (field->kind) {
    case CONNECT_KIND_MESSAGE:
    case CONNECT_KIND_GROUP: {
        const void *sub_a = a, *sub_b = b;
        if (!(field->flags & CONNECT_FIELD_REPEATED)) {
            memcpy(&sub_a, a, sizeof sub_a);
            memcpy(&sub_b, b, sizeof sub_b);
        }
        return cn_message_equal_sub(type->types[field->type], sub_a, sub_b, depth);
    }
    case CONNECT_KIND_STRING:
    case CONNECT_KIND_BYTES: {
        connect_str_t text_a, text_b;
        memcpy(&text_a, a, sizeof text_a);
        memcpy(&text_b, b, sizeof text_b);
        return connect_str_equal(text_a, text_b);
    }
    case CONNECT_KIND_DOUBLE: {
        double number_a, number_b;
        memcpy(&number_a, a, sizeof number_a);
        memcpy(&number_b, b, sizeof number_b);
        return !(number_a < number_b) && !(number_a > number_b) && (number_a != number_a) == (number_b != number_b);
    }
    case CONNECT_KIND_FLOAT: {
        float number_a, number_b;
        memcpy(&number_a, a, sizeof number_a);
        memcpy(&number_b, b, sizeof number_b);
        return !(number_a < number_b) && !(number_a > number_b) && (number_a != number_a) == (number_b != number_b);
    }
    default: return memcmp(a, b, cn_message_scalar_size(field->kind)) == 0;
    }
}

/* Puts the entries of a map that count, the last ones of their keys, in the order of these. Returns how many. */
static size_t cn_message_map_sort(const connect_type_t *entry, const char **sorted, cn_message_list_t list) {
    size_t i, count = 0;
    cn_map_key_sort(entry, sorted, list);
    for (i = 0; i < list.count; i++)
        if (i + 1 == list.count || cn_map_key_compare(entry, sorted[i], sorted[i + 1]) != 0)
            sorted[count++] = sorted[i];
    return count;
}

/* sorted: has room for the entries of both. */
static bool cn_message_equal_sorted(
    const connect_type_t *entry, const char **sorted, cn_message_list_t a, cn_message_list_t b, uint32_t depth) {
    const connect_field_t *value = &entry->fields[1];
    const char **sorted_b = sorted + a.count;
    const size_t count = cn_message_map_sort(entry, sorted, a);
    size_t i;
    if (count != cn_message_map_sort(entry, sorted_b, b)) return false;
    for (i = 0; i < count; i++)
        if (cn_map_key_compare(entry, sorted[i], sorted_b[i]) != 0) return false;
    for (i = 0; i < count; i++)
        if (!cn_message_equal_value(entry, value, sorted[i] + value->offset, sorted_b[i] + value->offset, depth))
            return false;
    return true;
}

/* Looks for each entry in the other map. */
static bool cn_message_equal_small(
    const connect_type_t *entry, cn_message_list_t a, cn_message_list_t b, uint32_t depth) {
    const connect_field_t *key = &entry->fields[0], *value = &entry->fields[1];
    size_t i, count_a = 0, count_b = 0;
    for (i = 0; i < a.count; i++)
        count_a += !cn_map_key_again(entry, a, i);
    for (i = 0; i < b.count; i++)
        count_b += !cn_map_key_again(entry, b, i);
    if (count_a != count_b) return false;
    for (i = 0; i < a.count; i++) {
        const char *item = (const char *)a.items + i * entry->size, *other;
        if (cn_map_key_again(entry, a, i)) continue;
        other = cn_map_key_find(entry, b, item + key->offset);
        if (!other || !cn_message_equal_value(entry, value, item + value->offset, other + value->offset, depth))
            return false;
    }
    return true;
}

static bool cn_message_equal_map(
    const connect_type_t *entry, cn_message_list_t a, cn_message_list_t b, uint32_t depth) {
    const size_t count = a.count + b.count;
    const char **sorted = NULL;
    bool equal;
    if (count > CN_MESSAGE_MAP_SMALL && count < SIZE_MAX / sizeof *sorted)
        sorted = (const char **)cn_mem_acquire(NULL, count * sizeof *sorted);
    if (!sorted) return cn_message_equal_small(entry, a, b, depth);
    equal = cn_message_equal_sorted(entry, sorted, a, b, depth);
    cn_mem_release(NULL, (void *)sorted);
    return equal;
}

static bool cn_message_equal_list(
    const connect_type_t *type, const connect_field_t *field, const char *a, const char *b, uint32_t depth) {
    const size_t size = cn_message_value_size(type, field);
    cn_message_list_t list_a, list_b;
    size_t i;
    memcpy(&list_a, a, sizeof list_a);
    memcpy(&list_b, b, sizeof list_b);
    if (field->flags & CONNECT_FIELD_MAP) return cn_message_equal_map(type->types[field->type], list_a, list_b, depth);
    if (list_a.count != list_b.count) return false;
    for (i = 0; i < list_a.count; i++)
        if (!cn_message_equal_value(
                type, field, (const char *)list_a.items + i * size, (const char *)list_b.items + i * size, depth))
            return false;
    return true;
}

/* The spans may be cut at different places. */
static bool cn_message_equal_unknown(connect_str_list_t a, connect_str_list_t b) {
    size_t i_a = 0, i_b = 0, done_a = 0, done_b = 0, len = cn_message_unknown_size(a);
    if (len != cn_message_unknown_size(b)) return false;
    while (len) {
        size_t part = CN_MIN(a.items[i_a].len - done_a, b.items[i_b].len - done_b);
        if (part && memcmp(a.items[i_a].data + done_a, b.items[i_b].data + done_b, part) != 0) return false;
        len -= part;
        done_a += part;
        done_b += part;
        if (done_a == a.items[i_a].len) {
            i_a++;
            done_a = 0;
        }
        if (done_b == b.items[i_b].len) {
            i_b++;
            done_b = 0;
        }
    }
    return true;
}

static bool cn_message_equal_deep(const connect_type_t *type, const char *a, const char *b, uint32_t depth) {
    size_t i;
    for (i = 0; i < type->field_count; i++) {
        const connect_field_t *field = &type->fields[i];
        if (!type->is_map_entry) {
            bool has = cn_message_has(field, a);
            if (has != cn_message_has(field, b)) return false;
            if (!has) continue;
        }
        if (field->flags & CONNECT_FIELD_REPEATED
                ? !cn_message_equal_list(type, field, a + field->offset, b + field->offset, depth)
                : !cn_message_equal_value(type, field, a + field->offset, b + field->offset, depth))
            return false;
    }
    if (type->keeps_unknown) {
        connect_str_list_t unknown_a, unknown_b;
        memcpy(&unknown_a, a + type->unknown, sizeof unknown_a);
        memcpy(&unknown_b, b + type->unknown, sizeof unknown_b);
        return cn_message_equal_unknown(unknown_a, unknown_b);
    }
    return true;
}

bool connect_message_equal(const connect_type_t *type, const void *a, const void *b) {
    return cn_message_equal_deep(type, (const char *)a, (const char *)b, CN_MESSAGE_DEPTH_COPY);
}
