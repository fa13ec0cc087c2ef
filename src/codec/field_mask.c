#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/message.h"

/* google.protobuf.FieldMask (field_mask.proto): paths of field names, "a.b.c", through messages that are not repeated;
   the last may be any field. A mask that names a message names all that is in it. */

bool connect_field_mask_has(connect_str_list_t paths, const char *path) {
    const connect_str_t wanted = connect_str_of(path);
    size_t i;
    for (i = 0; i < paths.count; i++) {
        const connect_str_t item = paths.items[i];
        if (!item.len || !cn_str_starts(wanted, item)) continue;
        if (item.len == wanted.len || wanted.data[item.len] == '.') return true;
    }
    return false;
}

/* Takes a name off a path; NULL: the type has no such field, or it is not the last and no message. */
static const connect_field_t *cn_field_mask_next(const connect_type_t *type, connect_str_t *rest, bool *last) {
    const connect_field_t *field;
    connect_str_t name;
    if (!cn_str_split(rest, '.', &name)) return NULL;
    field = connect_message_field(type, name);
    *last = !rest->data;
    if (!field || *last) return field;
    if (field->flags & CONNECT_FIELD_REPEATED) return NULL;
    return field->kind == CONNECT_KIND_MESSAGE || field->kind == CONNECT_KIND_GROUP ? field : NULL;
}

bool connect_field_mask_check(
    connect_str_list_t paths, const connect_type_t *type, connect_arena_t *arena, connect_error_t *error) {
    size_t i;
    for (i = 0; i < paths.count; i++) {
        const connect_type_t *at = type;
        connect_str_t rest = paths.items[i];
        bool last = false;
        while (!last) {
            const connect_field_t *field = cn_field_mask_next(at, &rest, &last);
            if (!field)
                return cn_error_print(error, arena, CONNECT_INVALID_ARGUMENT, "\"%s\" is no field of %s",
                    cn_str_quote(arena, paths.items[i]).data, type->full_name);
            if (!last) at = at->types[field->type];
        }
    }
    return true;
}

/* The message that a field of `message` points to, as a copy of the caller's own; made, if it is not there. */
static void *cn_field_mask_own(
    const connect_type_t *type, void *message, const connect_field_t *field, connect_arena_t *arena) {
    const connect_type_t *sub_type = type->types[field->type];
    const void *at = connect_message_get(type, message, field), *old = NULL;
    void *sub = cn_arena_raw(arena, sub_type->size);
    if (!sub) return NULL;
    if (at) memcpy(&old, at, sizeof old);
    if (old)
        memcpy(sub, old, sub_type->size);
    else
        connect_message_init(sub_type, sub);
    connect_message_set(type, message, field, &sub);
    return sub;
}

/* Copies one field deeply, by way of a message that has nothing else. */
static bool cn_field_mask_copy_field(
    const connect_type_t *type, void *to, const void *from, const connect_field_t *field, connect_arena_t *arena) {
    const void *value = from ? connect_message_get(type, from, field) : NULL;
    void *only = value ? cn_arena_raw(arena, type->size) : NULL, *copy = value ? cn_arena_raw(arena, type->size) : NULL;
    if (!value) {
        connect_message_set(type, to, field, NULL);
        return true;
    }
    if (!only || !copy) return false;
    connect_message_init(type, only);
    connect_message_set(type, only, field, value);
    if (!connect_message_copy(type, copy, only, arena)) return false;
    connect_message_set(type, to, field, connect_message_get(type, copy, field));
    return true;
}

bool connect_field_mask_copy(connect_str_list_t paths, const connect_type_t *type, void *to, const void *from,
    connect_arena_t *arena, connect_error_t *error) {
    size_t i;
    if (!connect_field_mask_check(paths, type, arena, error)) return false;
    for (i = 0; i < paths.count; i++) {
        const connect_type_t *at = type;
        connect_str_t rest = paths.items[i];
        const void *source = from;
        void *target = to;
        bool last = false;
        while (!last) {
            const connect_field_t *field = cn_field_mask_next(at, &rest, &last);
            const void *sub;
            if (last) {
                if (!cn_field_mask_copy_field(at, target, source, field, arena)) return cn_error_memory(error);
                continue;
            }
            sub = source ? connect_message_get(at, source, field) : NULL;
            if (sub) memcpy(&source, sub, sizeof source);
            if (!sub) source = NULL;
            if (!source && !connect_message_get(at, target, field)) break; /* neither has it: nothing to clear */
            target = cn_field_mask_own(at, target, field, arena);
            if (!target) return cn_error_memory(error);
            at = at->types[field->type];
        }
    }
    return true;
}
