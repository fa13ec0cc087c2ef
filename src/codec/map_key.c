#include "codec/map_key.h"

/* The keys of maps: found one by one, and in order, for deterministic output, to find keys that stand twice, and to
   compare maps. Sorted by a heap sort, which
   takes no memory but the pointers and has no input that makes it slow. Of entries with the same key the last in memory
   is the one that counts, so places decide where keys are equal. */

/* a, b: keys. */
static int cn_map_key_order(uint8_t kind, const char *a, const char *b) {
    switch (kind) {
    case CONNECT_KIND_STRING: {
        connect_str_t text_a, text_b;
        int order;
        memcpy(&text_a, a, sizeof text_a);
        memcpy(&text_b, b, sizeof text_b);
        order = text_a.len && text_b.len ? memcmp(text_a.data, text_b.data, CN_MIN(text_a.len, text_b.len)) : 0;
        return order ? order : (text_a.len > text_b.len) - (text_a.len < text_b.len);
    }
    case CONNECT_KIND_BOOL: return (*a != 0) - (*b != 0);
    case CONNECT_KIND_INT32:
    case CONNECT_KIND_SINT32:
    case CONNECT_KIND_SFIXED32: {
        int32_t number_a, number_b;
        memcpy(&number_a, a, sizeof number_a);
        memcpy(&number_b, b, sizeof number_b);
        return (number_a > number_b) - (number_a < number_b);
    }
    case CONNECT_KIND_UINT32:
    case CONNECT_KIND_FIXED32: {
        uint32_t number_a, number_b;
        memcpy(&number_a, a, sizeof number_a);
        memcpy(&number_b, b, sizeof number_b);
        return (number_a > number_b) - (number_a < number_b);
    }
    case CONNECT_KIND_INT64:
    case CONNECT_KIND_SINT64:
    case CONNECT_KIND_SFIXED64: {
        int64_t number_a, number_b;
        memcpy(&number_a, a, sizeof number_a);
        memcpy(&number_b, b, sizeof number_b);
        return (number_a > number_b) - (number_a < number_b);
    }
    default: {
        uint64_t number_a, number_b;
        memcpy(&number_a, a, sizeof number_a);
        memcpy(&number_b, b, sizeof number_b);
        return (number_a > number_b) - (number_a < number_b);
    }
    }
}

CN_PRIVATE int cn_map_key_compare(const connect_type_t *entry, const char *a, const char *b) {
    const connect_field_t *key = &entry->fields[0];
    return cn_map_key_order(key->kind, a + key->offset, b + key->offset);
}

/* Entries in memory order where keys are equal, so that the last of them is the one that counts. */
static bool cn_map_key_before(const connect_type_t *entry, const char *a, const char *b) {
    int order = cn_map_key_compare(entry, a, b);
    return order ? order < 0 : a < b;
}

static void cn_map_key_sift(const connect_type_t *entry, const char **entries, size_t root, size_t count) {
    const char *moved = entries[root];
    for (;;) {
        size_t child = root * 2 + 1;
        if (child >= count) break;
        if (child + 1 < count && cn_map_key_before(entry, entries[child], entries[child + 1])) child++;
        if (!cn_map_key_before(entry, moved, entries[child])) break;
        entries[root] = entries[child];
        root = child;
    }
    entries[root] = moved;
}

CN_PRIVATE void cn_map_key_sort(const connect_type_t *entry, const char **entries, cn_message_list_t list) {
    size_t i;
    for (i = 0; i < list.count; i++)
        entries[i] = (const char *)list.items + i * entry->size;
    for (i = list.count / 2; i-- > 0;)
        cn_map_key_sift(entry, entries, i, list.count);
    for (i = list.count; i-- > 1;) {
        const char *largest = entries[0];
        entries[0] = entries[i];
        entries[i] = largest;
        cn_map_key_sift(entry, entries, 0, i);
    }
}

CN_PRIVATE bool cn_map_key_ascend(const connect_type_t *entry, cn_message_list_t list) {
    const char *items = (const char *)list.items;
    size_t i;
    for (i = 1; i < list.count; i++)
        if (cn_map_key_compare(entry, items + (i - 1) * entry->size, items + i * entry->size) >= 0) return false;
    return true;
}

CN_PRIVATE bool cn_map_key_again(const connect_type_t *entry, cn_message_list_t list, size_t index) {
    const char *items = (const char *)list.items;
    size_t i;
    for (i = index + 1; i < list.count; i++)
        if (cn_map_key_compare(entry, items + index * entry->size, items + i * entry->size) == 0) return true;
    return false;
}

CN_PRIVATE const char *cn_map_key_find(const connect_type_t *entry, cn_message_list_t list, const char *key) {
    const connect_field_t *field = &entry->fields[0];
    while (list.count-- > 0) {
        const char *item = (const char *)list.items + list.count * entry->size;
        if (cn_map_key_order(field->kind, item + field->offset, key) == 0) return item;
    }
    return NULL;
}

const void *connect_message_map_get(const connect_type_t *type, const void *message, uint32_t number, const void *key) {
    const connect_field_t *field = cn_message_field_number(type, number);
    cn_message_list_t list;
    if (!field || !(field->flags & CONNECT_FIELD_MAP)) return NULL;
    memcpy(&list, (const char *)message + field->offset, sizeof list);
    return cn_map_key_find(type->types[field->type], list, (const char *)key);
}
