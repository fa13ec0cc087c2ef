#pragma once
#include "base/sys.h"

#define CN_MESSAGE_DEPTH 100u                   /* nesting, unless options->depth_max says otherwise */
#define CN_MESSAGE_MEMORY (16u * 1024u * 1024u) /* bytes of decoded elements, unless options->memory_max does */
#define CN_MESSAGE_DEPTH_COPY 1000u             /* nesting that equal, copy and merge follow */

/* What every list member looks like in memory; read and written by memcpy. */
typedef struct cn_message_list_t {
    const void *items;
    size_t count;
} cn_message_list_t;

static inline bool cn_message_is_message(const connect_field_t *field) {
    return field->kind == CONNECT_KIND_MESSAGE || field->kind == CONNECT_KIND_GROUP;
}

static inline bool cn_message_is_text(const connect_field_t *field) {
    return field->kind == CONNECT_KIND_STRING || field->kind == CONNECT_KIND_BYTES;
}

/* The size of a scalar's C type; 0: not a scalar. */
static inline size_t cn_message_scalar_size(uint8_t kind) {
    switch (kind) {
    case CONNECT_KIND_BOOL: return sizeof(bool);
    case CONNECT_KIND_FLOAT:
    case CONNECT_KIND_INT32:
    case CONNECT_KIND_FIXED32:
    case CONNECT_KIND_UINT32:
    case CONNECT_KIND_ENUM:
    case CONNECT_KIND_SFIXED32:
    case CONNECT_KIND_SINT32: return 4;
    case CONNECT_KIND_DOUBLE:
    case CONNECT_KIND_INT64:
    case CONNECT_KIND_UINT64:
    case CONNECT_KIND_FIXED64:
    case CONNECT_KIND_SFIXED64:
    case CONNECT_KIND_SINT64: return 8;
    default: return 0;
    }
}

/* The size of a field's member, or of one item of its list. */
static inline size_t cn_message_value_size(const connect_type_t *type, const connect_field_t *field) {
    if (cn_message_is_message(field))
        return field->flags & CONNECT_FIELD_REPEATED ? type->types[field->type]->size : sizeof(void *);
    if (cn_message_is_text(field)) return sizeof(connect_str_t);
    return cn_message_scalar_size(field->kind);
}

/* Tells whether a field is present: has_x, the oneof's case, not NULL, not zero, not empty. */
static inline CN_HOT bool cn_message_has(const connect_field_t *field, const void *message) {
    const char *at = (const char *)message + field->offset;
    const unsigned flags = field->flags;
    if (flags & (CONNECT_FIELD_REPEATED | CONNECT_FIELD_HAS | CONNECT_FIELD_ONEOF)) {
        if (flags & CONNECT_FIELD_REPEATED) {
            cn_message_list_t list;
            memcpy(&list, at, sizeof list);
            return list.count != 0;
        }
        if (flags & CONNECT_FIELD_HAS) {
            bool has;
            memcpy(&has, (const char *)message + field->presence, sizeof has);
            return has;
        } else {
            int32_t number;
            memcpy(&number, (const char *)message + field->presence, sizeof number);
            return number == (int32_t)field->number;
        }
    }
    if (cn_message_is_message(field)) {
        const void *sub;
        memcpy(&sub, at, sizeof sub);
        return sub != NULL;
    }
    if (cn_message_is_text(field)) {
        connect_str_t text;
        memcpy(&text, at, sizeof text);
        return flags & CONNECT_FIELD_NULLABLE ? text.data != NULL : text.len != 0;
    }
    switch (cn_message_scalar_size(field->kind)) {
    case 8: {
        uint64_t bits;
        memcpy(&bits, at, 8);
        return bits != 0;
    }
    case 4: {
        uint32_t bits;
        memcpy(&bits, at, 4);
        return bits != 0;
    }
    default: return *at != 0; /* bool */
    }
}

/* Says that a field is there: sets has_x or the oneof's case, if it has one. */
static inline void cn_message_mark(const connect_field_t *field, void *message) {
    char *presence = (char *)message + field->presence;
    if (field->flags & CONNECT_FIELD_HAS) {
        const bool has = true;
        memcpy(presence, &has, sizeof has);
    } else if (field->flags & CONNECT_FIELD_ONEOF) {
        const int32_t number = (int32_t)field->number;
        memcpy(presence, &number, sizeof number);
    }
}

/* By how many items a full list grows while it is read, `left` being how many the budget still has. It doubles, but
   leaves half of that for what else is to come; however, a step is never so small that moving the list over and over
   costs more than the list. */
static inline size_t cn_message_list_growth(size_t capacity, size_t left) {
    return CN_MIN(CN_MIN(capacity, left), CN_MAX(left / 2, capacity / 2));
}

/* Finds a field by its number; NULL if there is none. */
CN_PRIVATE const connect_field_t *cn_message_field_number(const connect_type_t *type, uint32_t number);
/* Tells whether an enum names a number. */
CN_PRIVATE bool cn_message_enum_has(const connect_enum_t *type, int32_t number);
/* How many bytes the unknown fields of a message have. */
CN_PRIVATE size_t cn_message_unknown_size(connect_str_list_t unknown);
/* The slot of a name in name_slots: name_slots[0] is log2 of how many slots follow it (1 to 15), and each of these is
   0, empty, or 1 + a field's index. The generator calls the same formula. */
CN_PRIVATE size_t cn_message_name_slot(connect_str_t name, uint32_t seed, unsigned bits);
/* The length of the name at a place in a type's names, if it needs no escape in JSON: the byte before it tells. 0: it
   does not, or it is longer than 255. */
static inline size_t cn_message_name_len(const char *names, size_t at) {
    return at ? (unsigned char)names[at - 1] : 0;
}
