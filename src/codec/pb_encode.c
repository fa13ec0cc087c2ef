#include "base/error.h"
#include "base/mem.h"
#include "codec/map_key.h"
#include "codec/message.h"
#include "codec/pb.h"
#include "codec/pb_wire.h"

/* Writing protobuf binary; the format is told in pb_read.c.

   Encoding goes backwards, from the last byte of a window to the first: lengths are known when they are to be
   written, and nothing is measured first. In an arena the window is all that its block has left, and the message
   stays at the block's end. In a queue it is the room there, up to CN_PB_WINDOW, and what was written is moved to
   its start. A message that does not fit, or has a field of CN_PB_LARGE bytes that would be moved, is measured (in
   linear time) and written again, to where it stays; what was in the queue, if it is shorter, is moved up to it.

   Whether there is room is looked at once for a field, after its number or its head was written, or its text's
   length is known: p, the lowest byte written, may be up to CN_PB_MARGIN bytes below `start`, which are the
   encoder's, too. What is below p holds nothing yet, so that whole words may be stored there. */

#define CN_PB_WINDOW (64u * 1024u)
#define CN_PB_LARGE (8u * 1024u)
#define CN_PB_MARGIN 64u

/* Puts 7 bits into each byte, of up to 56. */
static inline CN_HOT uint64_t cn_pb_spread(uint64_t w) {
    w = (w & 0x000000000FFFFFFFu) | (w & 0x00FFFFFFF0000000u) << 4;
    w = (w & 0x00003FFF00003FFFu) | (w & 0x0FFFC0000FFFC000u) << 2;
    return (w & 0x007F007F007F007Fu) | (w & 0x3F803F803F803F80u) << 1;
}

/* ---- Size ---- */

static size_t cn_pb_tag_len(const connect_field_t *field) {
    return cn_pb_varint_len((uint64_t)field->number << 3);
}

/* The varint that a scalar is written as. */
static inline CN_HOT uint64_t cn_pb_varint_of(uint8_t kind, const char *at) {
    uint64_t wide;
    uint32_t low;
    bool truth;
    switch (kind) {
    case CONNECT_KIND_INT64:
    case CONNECT_KIND_UINT64: memcpy(&wide, at, 8); return wide;
    case CONNECT_KIND_SINT64: memcpy(&wide, at, 8); return cn_pb_zigzag64(wide);
    case CONNECT_KIND_UINT32: memcpy(&low, at, 4); return low;
    case CONNECT_KIND_SINT32: memcpy(&low, at, 4); return cn_pb_zigzag32(low);
    case CONNECT_KIND_BOOL: memcpy(&truth, at, sizeof truth); return truth;
    default: memcpy(&low, at, 4); return cn_pb_sign_extend(low); /* INT32, ENUM */
    }
}

/* The width of a number that is written with a fixed one; 0: it is not. */
static inline CN_HOT size_t cn_pb_fixed_size(uint8_t kind) {
    switch (kind) {
    case CONNECT_KIND_DOUBLE:
    case CONNECT_KIND_FIXED64:
    case CONNECT_KIND_SFIXED64: return 8;
    case CONNECT_KIND_FLOAT:
    case CONNECT_KIND_FIXED32:
    case CONNECT_KIND_SFIXED32: return 4;
    default: return 0;
    }
}

static size_t cn_pb_size(const connect_type_t *type, const char *message, uint32_t depth);

/* Without its tag. at: the member, or the item of a list. */
static size_t cn_pb_value_size(
    const connect_type_t *type, const connect_field_t *field, const char *at, uint32_t depth) {
    const void *sub;
    size_t len;
    switch (field->kind) {
    case CONNECT_KIND_STRING:
    case CONNECT_KIND_BYTES: {
        connect_str_t text;
        memcpy(&text, at, sizeof text);
        return cn_pb_varint_len(text.len) + text.len;
    }
    case CONNECT_KIND_MESSAGE:
    case CONNECT_KIND_GROUP:
        sub = at;
        if (!(field->flags & CONNECT_FIELD_REPEATED)) memcpy(&sub, at, sizeof sub);
        len = sub && depth ? cn_pb_size(type->types[field->type], (const char *)sub, depth - 1) : 0;
        return field->kind == CONNECT_KIND_GROUP ? len + cn_pb_tag_len(field) : cn_pb_varint_len(len) + len;
    default: len = cn_pb_fixed_size(field->kind); return len ? len : cn_pb_varint_len(cn_pb_varint_of(field->kind, at));
    }
}

static size_t cn_pb_list_size(
    const connect_type_t *type, const connect_field_t *field, const char *at, uint32_t depth) {
    const size_t size = cn_message_value_size(type, field), fixed = cn_pb_fixed_size(field->kind);
    cn_message_list_t list;
    size_t sum = 0, i;
    memcpy(&list, at, sizeof list);
    if (fixed) {
        sum = fixed * list.count;
    } else {
        for (i = 0; i < list.count; i++)
            sum += cn_pb_value_size(type, field, (const char *)list.items + i * size, depth);
    }
    if (field->flags & CONNECT_FIELD_PACKED) return cn_pb_tag_len(field) + cn_pb_varint_len(sum) + sum;
    return cn_pb_tag_len(field) * list.count + sum;
}

static size_t cn_pb_size(const connect_type_t *type, const char *message, uint32_t depth) {
    size_t sum = 0, i;
    for (i = 0; i < type->field_count; i++) {
        const connect_field_t *field = &type->fields[i];
        if (!type->is_map_entry && !cn_message_has(field, message)) continue;
        if (field->flags & CONNECT_FIELD_REPEATED)
            sum += cn_pb_list_size(type, field, message + field->offset, depth);
        else
            sum += cn_pb_tag_len(field) + cn_pb_value_size(type, field, message + field->offset, depth);
    }
    if (type->keeps_unknown) {
        connect_str_list_t unknown;
        memcpy(&unknown, message + type->unknown, sizeof unknown);
        for (i = 0; i < unknown.count; i++)
            sum += unknown.items[i].len;
    }
    return sum;
}

size_t connect_message_size(const connect_type_t *type, const void *message) {
    return cn_pb_size(type, (const char *)message, CN_MESSAGE_DEPTH);
}

/* ---- Encoding ---- */

typedef struct cn_pb_encoder_t {
    char *start;              /* of the window, behind its margin */
    connect_arena_t *scratch; /* for sorting maps; NULL: the allocator */
    const connect_allocator_t *allocator;
    uint32_t depth_left;
    bool partial, deterministic;
    bool stays;              /* what is written is not moved afterwards */
    cn_pb_failure_t failure; /* reason NULL after a failure: the window is full */
} cn_pb_encoder_t;

static CN_COLD char *cn_pb_refuse(cn_pb_encoder_t *e, connect_code_t code, const char *reason) {
    e->failure.code = code;
    e->failure.reason = reason;
    e->failure.no_offset = true;
    return NULL;
}

/* Two bytes: of a number from 0x80 to 0x3FFF. */
static inline CN_HOT char *cn_pb_put_pair(char *p, uint32_t value) {
    const uint16_t pair = (uint16_t)((value & 0x7F) | 0x80 | (value << 1 & 0x7F00));
#if CN_PB_LITTLE
    memcpy(p - 2, &pair, 2);
#else
    p[-2] = (char)(unsigned char)(pair & 0xFF);
    p[-1] = (char)(unsigned char)(pair >> 8);
#endif
    return p - 2;
}

static CN_APART char *cn_pb_put_varint_long(char *p, uint64_t value) {
    const size_t len = cn_pb_varint_len(value);
    char *to;
#if CN_PB_LITTLE
    if (CN_LIKELY(len <= 8)) {
        const uint64_t w = cn_pb_spread(value) | (0x8080808080808080u >> (8 * (9 - len)));
        cn_pb_store64(p - 8, w << (8 * (8 - len)));
        return p - len;
    }
#endif
    p -= len;
    for (to = p; value >= 0x80; value >>= 7)
        *to++ = (char)(unsigned char)((value & 0x7F) | 0x80);
    *to = (char)(unsigned char)value;
    return p;
}

static inline CN_HOT char *cn_pb_put_varint(char *p, uint64_t value) {
    if (CN_LIKELY(value < 0x80)) {
        *--p = (char)(unsigned char)value;
        return p;
    }
    return value < 0x4000 ? cn_pb_put_pair(p, (uint32_t)value) : cn_pb_put_varint_long(p, value);
}

static inline CN_HOT char *cn_pb_put_tag(char *p, uint32_t number, unsigned wire) {
    const uint32_t tag = number << 3 | wire;
    if (CN_LIKELY(tag < 0x80)) {
        *--p = (char)(unsigned char)tag;
        return p;
    }
    if (CN_UNLIKELY(tag >= 0x4000)) return cn_pb_put_varint_long(p, tag);
    return cn_pb_put_pair(p, tag);
}

static inline CN_HOT char *cn_pb_put_bytes(const cn_pb_encoder_t *e, char *p, const char *data, size_t len) {
    if (CN_UNLIKELY((size_t)(p - e->start) < len)) return NULL;
    if (CN_UNLIKELY(len >= CN_PB_LARGE) && !e->stays) return NULL;
    p -= len;
    cn_mem_copy(p, data, len);
    return p;
}

static inline CN_HOT char *cn_pb_put_fixed64(char *p, uint64_t value) {
    cn_pb_store64(p - 8, value);
    return p - 8;
}

static inline CN_HOT char *cn_pb_put_fixed32(char *p, uint32_t value) {
    cn_pb_store32(p - 4, value);
    return p - 4;
}

static inline CN_HOT char *cn_pb_put_text(
    cn_pb_encoder_t *e, char *p, const connect_field_t *field, connect_str_t text) {
    if ((field->flags & CONNECT_FIELD_UTF8) && CN_UNLIKELY(!cn_pb_is_utf8(text.data, text.len)))
        return cn_pb_refuse(e, CONNECT_INVALID_ARGUMENT, "not UTF-8");
    p = cn_pb_put_bytes(e, p, text.data, text.len);
    if (CN_UNLIKELY(!p)) return NULL;
    p = cn_pb_put_tag(cn_pb_put_varint(p, text.len), field->number, CONNECT_WIRE_BYTES);
    return CN_LIKELY(p >= e->start) ? p : NULL;
}

static char *cn_pb_put_records(cn_pb_encoder_t *e, char *p, const connect_type_t *type, const char *message);

/* sub may be NULL: an empty message. */
static inline CN_HOT char *cn_pb_put_sub(
    cn_pb_encoder_t *e, char *p, const connect_type_t *type, const connect_field_t *field, const char *sub) {
    const bool group = field->kind == CONNECT_KIND_GROUP;
    const char *end;
    if (CN_UNLIKELY(e->depth_left == 0))
        return cn_pb_refuse(e, CONNECT_INVALID_ARGUMENT, "nested deeper than depth_max");
    if (group) {
        p = cn_pb_put_tag(p, field->number, CN_PB_WIRE_END);
        if (p < e->start) return NULL;
    }
    end = p;
    if (CN_LIKELY(sub != NULL)) {
        e->depth_left--;
        p = cn_pb_put_records(e, p, type->types[field->type], sub);
        e->depth_left++;
        if (CN_UNLIKELY(!p)) return NULL;
    }
    if (group)
        p = cn_pb_put_tag(p, field->number, CONNECT_WIRE_GROUP);
    else
        p = cn_pb_put_tag(cn_pb_put_varint(p, (size_t)(end - p)), field->number, CONNECT_WIRE_BYTES);
    return CN_LIKELY(p >= e->start) ? p : NULL;
}

/* Writes numbers, the last one first; those of one and of two bytes without a branch between them, since which comes
   next is rarely to be guessed. kind is a constant wherever it matters. */
static inline CN_HOT char *cn_pb_put_varints(
    const cn_pb_encoder_t *e, char *p, uint8_t kind, const char *items, size_t size, size_t count) {
    const char *item = items + count * size;
    while (item != items) {
        uint64_t value;
        item -= size;
        value = cn_pb_varint_of(kind, item);
        if (CN_LIKELY(value < 0x4000)) {
            const uint32_t two = value >= 0x80, low = (uint32_t)value;
            cn_pb_put_pair(p, two ? low : low << 7); /* a single byte is the upper one */
            p -= 1 + two;
        } else {
            p = cn_pb_put_varint_long(p, value);
        }
        if (CN_UNLIKELY(p < e->start)) return NULL;
    }
    return p;
}

static CN_APART char *cn_pb_put_packed(
    cn_pb_encoder_t *e, char *p, const connect_type_t *type, const connect_field_t *field, cn_message_list_t list) {
    const uint8_t kind = field->kind;
    const size_t size = cn_message_value_size(type, field), fixed = cn_pb_fixed_size(kind);
    const char *items = (const char *)list.items, *end = p;
    size_t i = list.count;
    if (fixed) {
#if CN_PB_LITTLE
        if (list.count > (size_t)(p - e->start) / fixed) return NULL;
        p -= list.count * fixed;
        memcpy(p, items, list.count * fixed);
#else
        while (i-- > 0) {
            if (fixed == 8) {
                uint64_t value;
                memcpy(&value, items + i * 8, 8);
                p = cn_pb_put_fixed64(p, value);
            } else {
                uint32_t value;
                memcpy(&value, items + i * 4, 4);
                p = cn_pb_put_fixed32(p, value);
            }
            if (p < e->start) return NULL;
        }
#endif
    } else {
        switch (kind) {
        case CONNECT_KIND_INT64:
        case CONNECT_KIND_UINT64: p = cn_pb_put_varints(e, p, CONNECT_KIND_UINT64, items, 8, i); break;
        case CONNECT_KIND_UINT32: p = cn_pb_put_varints(e, p, CONNECT_KIND_UINT32, items, 4, i); break;
        case CONNECT_KIND_SINT32: p = cn_pb_put_varints(e, p, CONNECT_KIND_SINT32, items, 4, i); break;
        case CONNECT_KIND_INT32:
        case CONNECT_KIND_ENUM: p = cn_pb_put_varints(e, p, CONNECT_KIND_INT32, items, 4, i); break;
        default: p = cn_pb_put_varints(e, p, kind, items, size, i); break;
        }
        if (!p) return NULL;
    }
    p = cn_pb_put_tag(cn_pb_put_varint(p, (size_t)(end - p)), field->number, CONNECT_WIRE_BYTES);
    return p >= e->start ? p : NULL;
}

static CN_APART char *cn_pb_put_map(
    cn_pb_encoder_t *e, char *p, const connect_type_t *type, const connect_field_t *field, cn_message_list_t list) {
    const connect_type_t *entry = type->types[field->type];
    const char **entries = NULL;
    size_t i;
    if (list.count <= SIZE_MAX / sizeof *entries)
        entries = (const char **)(e->scratch ? cn_arena_raw(e->scratch, list.count * sizeof *entries)
                                             : cn_mem_acquire(e->allocator, list.count * sizeof *entries));
    if (!entries) return cn_pb_refuse(e, CONNECT_RESOURCE_EXHAUSTED, "out of memory");
    cn_map_key_sort(entry, entries, list);
    for (i = list.count; p && i-- > 0;) {
        if (i + 1 < list.count && cn_map_key_compare(entry, entries[i], entries[i + 1]) == 0)
            continue; /* overwritten */
        p = cn_pb_put_sub(e, p, type, field, entries[i]);
        if (!p && e->failure.reason)
            cn_pb_failure_at(&e->failure, type, field, (size_t)(entries[i] - (const char *)list.items) / entry->size);
    }
    if (!e->scratch) cn_mem_release(e->allocator, (void *)entries);
    return p;
}

static char *cn_pb_put_list(
    cn_pb_encoder_t *e, char *p, const connect_type_t *type, const connect_field_t *field, cn_message_list_t list) {
    const char *items = (const char *)list.items;
    size_t i = list.count, size, fixed;
    switch (field->kind) {
    case CONNECT_KIND_MESSAGE:
    case CONNECT_KIND_GROUP:
        if ((field->flags & CONNECT_FIELD_MAP) && e->deterministic) return cn_pb_put_map(e, p, type, field, list);
        size = type->types[field->type]->size;
        while (i-- > 0) {
            p = cn_pb_put_sub(e, p, type, field, items + i * size);
            if (CN_UNLIKELY(!p)) goto failed;
        }
        return p;
    case CONNECT_KIND_STRING:
    case CONNECT_KIND_BYTES:
        while (i-- > 0) {
            connect_str_t text;
            memcpy(&text, items + i * sizeof text, sizeof text);
            p = cn_pb_put_text(e, p, field, text);
            if (CN_UNLIKELY(!p)) goto failed;
        }
        return p;
    default: break;
    }
    if (field->flags & CONNECT_FIELD_PACKED) return cn_pb_put_packed(e, p, type, field, list);
    size = cn_message_value_size(type, field);
    fixed = cn_pb_fixed_size(field->kind);
    while (i-- > 0) {
        if (fixed) {
            uint64_t wide = 0;
            uint32_t low = 0;
            if (fixed == 8)
                memcpy(&wide, items + i * size, 8);
            else
                memcpy(&low, items + i * size, 4);
            p = fixed == 8 ? cn_pb_put_fixed64(p, wide) : cn_pb_put_fixed32(p, low);
            p = cn_pb_put_tag(p, field->number, fixed == 8 ? CONNECT_WIRE_FIXED64 : CONNECT_WIRE_FIXED32);
        } else {
            p = cn_pb_put_varint(p, cn_pb_varint_of(field->kind, items + i * size));
            p = cn_pb_put_tag(p, field->number, CONNECT_WIRE_VARINT);
        }
        if (p < e->start) return NULL;
    }
    return p;
failed:
    if (e->failure.reason) cn_pb_failure_at(&e->failure, type, field, i);
    return NULL;
}

/* Writes all of a message in front of p. Returns its first byte, or NULL. */
static char *cn_pb_put_records(cn_pb_encoder_t *e, char *p, const connect_type_t *type, const char *message) {
    const connect_field_t *const fields = type->fields, *field = fields ? fields + type->field_count : NULL;
    const bool in_entry = type->is_map_entry;
    const char *const start = e->start;
    if (type->keeps_unknown) {
        connect_str_list_t unknown;
        memcpy(&unknown, message + type->unknown, sizeof unknown);
        while (CN_UNLIKELY(unknown.count)) {
            unknown.count--;
            p = cn_pb_put_bytes(e, p, unknown.items[unknown.count].data, unknown.items[unknown.count].len);
            if (!p) return NULL;
        }
    }
    while (field != fields) {
        unsigned flags;
        bool present; /* although it is zero, or empty */
        const char *at;
        uint32_t low, number;
        uint64_t wide;
        bool truth;
        field--;
        flags = field->flags;
        number = field->number;
        at = message + field->offset;
        if (flags & CONNECT_FIELD_HAS) {
            memcpy(&truth, message + field->presence, sizeof truth);
            if (!truth) goto absent;
            present = true;
        } else if (CN_UNLIKELY(flags & (CONNECT_FIELD_REPEATED | CONNECT_FIELD_ONEOF))) {
            if (flags & CONNECT_FIELD_REPEATED) {
                cn_message_list_t list;
                memcpy(&list, at, sizeof list);
                if (!list.count) continue;
                p = cn_pb_put_list(e, p, type, field, list);
                if (CN_UNLIKELY(!p)) return NULL;
                continue;
            }
            memcpy(&low, message + field->presence, sizeof low);
            if (low != number) continue;
            present = true;
        } else {
            present = in_entry; /* both are written, always */
        }
        switch (field->kind) {
        case CONNECT_KIND_DOUBLE:
        case CONNECT_KIND_FIXED64:
        case CONNECT_KIND_SFIXED64:
            memcpy(&wide, at, 8);
            if (!wide && !present) continue;
            p = cn_pb_put_tag(cn_pb_put_fixed64(p, wide), number, CONNECT_WIRE_FIXED64);
            break;
        case CONNECT_KIND_FLOAT:
        case CONNECT_KIND_FIXED32:
        case CONNECT_KIND_SFIXED32:
            memcpy(&low, at, 4);
            if (!low && !present) continue;
            p = cn_pb_put_tag(cn_pb_put_fixed32(p, low), number, CONNECT_WIRE_FIXED32);
            break;
        case CONNECT_KIND_STRING:
        case CONNECT_KIND_BYTES: {
            connect_str_t text;
            memcpy(&text, at, sizeof text);
            if (!present && (flags & CONNECT_FIELD_NULLABLE ? !text.data : !text.len)) goto absent;
            p = cn_pb_put_text(e, p, field, text);
            if (CN_UNLIKELY(!p)) goto failed;
            continue;
        }
        case CONNECT_KIND_MESSAGE:
        case CONNECT_KIND_GROUP: {
            const char *sub;
            memcpy(&sub, at, sizeof sub);
            if (!sub && !present) goto absent;
            p = cn_pb_put_sub(e, p, type, field, sub);
            if (CN_UNLIKELY(!p)) goto failed;
            continue;
        }
        case CONNECT_KIND_INT64:
        case CONNECT_KIND_UINT64: memcpy(&wide, at, 8); goto varint;
        case CONNECT_KIND_SINT64:
            memcpy(&wide, at, 8);
            wide = cn_pb_zigzag64(wide);
            goto varint;
        case CONNECT_KIND_UINT32:
            memcpy(&low, at, 4);
            wide = low;
            goto varint;
        case CONNECT_KIND_SINT32:
            memcpy(&low, at, 4);
            wide = cn_pb_zigzag32(low);
            goto varint;
        case CONNECT_KIND_BOOL:
            memcpy(&truth, at, sizeof truth);
            if (!truth && !present) continue;
            *--p = (char)truth;
            p = cn_pb_put_tag(p, number, CONNECT_WIRE_VARINT);
            break;
        default: /* INT32, ENUM */
            memcpy(&low, at, 4);
            wide = cn_pb_sign_extend(low);
        varint:
            if (!wide && !present) continue;
            p = cn_pb_put_tag(cn_pb_put_varint(p, wide), number, CONNECT_WIRE_VARINT);
            break;
        }
        if (CN_UNLIKELY(p < start)) goto failed;
        continue;
    absent:
        if (CN_LIKELY(!(flags & CONNECT_FIELD_REQUIRED)) || e->partial) continue;
        cn_pb_refuse(e, CONNECT_INVALID_ARGUMENT, "required field is missing");
        goto failed;
    }
    return p;
failed:
    if (e->failure.reason) cn_pb_failure_at(&e->failure, type, field, 0);
    return NULL;
}

static void cn_pb_encoder_init(cn_pb_encoder_t *e, const connect_codec_options_t *options, connect_arena_t *scratch,
    const connect_allocator_t *allocator) {
    e->scratch = scratch;
    e->allocator = allocator;
    e->depth_left = options && options->depth_max ? options->depth_max : CN_MESSAGE_DEPTH;
    e->partial = options && options->partial;
    e->deterministic = options && options->deterministic;
    e->stays = true;
    cn_pb_failure_init(&e->failure);
}

/* Writes to where the window [start, end) ends; the first bytes of it are its margin. Returns the first byte, or
   NULL. */
static char *cn_pb_put(cn_pb_encoder_t *e, const connect_type_t *type, const void *message, char *start, char *end) {
    if ((size_t)(end - start) < CN_PB_MARGIN) return NULL;
    e->start = start + CN_PB_MARGIN;
    return cn_pb_put_records(e, end, type, (const char *)message);
}

CN_PRIVATE bool cn_pb_encode(const connect_type_t *type, const void *message, cn_buf_t *out,
    const connect_allocator_t *allocator, const connect_codec_options_t *options, connect_arena_t *arena,
    connect_error_t *error) {
    cn_pb_encoder_t e;
    size_t len;
    char *to, *end, *p;
    cn_pb_encoder_init(&e, options, NULL, allocator);
    to = cn_buf_reserve(out, allocator, CN_PB_MARGIN);
    if (!to) return cn_error_memory(error);
    end = to + CN_MIN(out->capacity - out->end, (size_t)CN_PB_WINDOW);
    e.stays = false;
    p = cn_pb_put(&e, type, message, to, end);
    if (!p && !e.failure.reason) {
        const size_t size = cn_pb_size(type, (const char *)message, e.depth_left);
        to = size < SIZE_MAX / 4 ? cn_buf_reserve(out, allocator, size + CN_PB_MARGIN) : NULL;
        if (!to) return cn_error_memory(error);
        end = to + size + CN_PB_MARGIN;
        e.stays = true;
        p = cn_pb_put(&e, type, message, to, end);
        if (!p && !e.failure.reason) cn_pb_refuse(&e, CONNECT_RESOURCE_EXHAUSTED, "too large");
    }
    if (!p) return cn_pb_failure_report(&e.failure, type, arena, error);
    len = (size_t)(end - p);
    if (e.stays && cn_buf_len(out) < len)
        cn_buf_move_up(out, (size_t)(p - to));
    else
        memmove(to, p, len);
    cn_buf_commit(out, len);
    return true;
}

connect_str_t connect_message_encode(const connect_type_t *type, const void *message, connect_arena_t *arena,
    const connect_codec_options_t *options, connect_error_t *error) {
    connect_str_t written = {NULL, 0};
    cn_pb_encoder_t e;
    char *p = NULL, *to;
    cn_pb_encoder_init(&e, options, arena, NULL);
    if (arena->private_next && !e.deterministic) { /* sorting takes of the same room */
        p = cn_pb_put(&e, type, message, arena->private_next, arena->private_end);
        if (CN_LIKELY(p != NULL)) {
            written.data = p;
            written.len = (size_t)(arena->private_end - p);
            arena->private_end = p;
            return written;
        }
    }
    if (!e.failure.reason) {
        const size_t size = cn_pb_size(type, (const char *)message, e.depth_left), whole = size + CN_PB_MARGIN;
        to = size < SIZE_MAX / 4 ? (char *)cn_arena_raw(arena, whole) : NULL;
        if (!to) {
            cn_error_memory(error);
            return written;
        }
        p = cn_pb_put(&e, type, message, to, to + whole);
        if (p) {
            written.data = p;
            written.len = (size_t)(to + whole - p);
            return written;
        }
        cn_arena_shrink(arena, to, whole, 0);
        if (!e.failure.reason) cn_pb_refuse(&e, CONNECT_RESOURCE_EXHAUSTED, "too large");
    }
    cn_pb_failure_report(&e.failure, type, arena, error);
    return written;
}

/* ---- The wire by hand ---- */

/* Makes room for so many bytes and returns where they go; NULL: the arena is full. */
static char *cn_pb_writer_room(connect_writer_t *writer, size_t len) {
    char *block;
    memcpy(&block, &writer->written.data, sizeof block); /* the arena's: not const */
    if (!block || writer->private_room - writer->written.len < len) {
        const size_t used = writer->written.len, least = CN_MAX(writer->private_room * 2, (size_t)64);
        if (len > SIZE_MAX / 4 - used) return NULL;
        block = (char *)cn_arena_grow(writer->arena, block, writer->private_room, CN_MAX(least, used + len));
        if (!block) return NULL;
        writer->private_room = CN_MAX(least, used + len);
        writer->written.data = block;
    }
    return block + writer->written.len;
}

void connect_writer_put(connect_writer_t *writer, uint32_t number, connect_kind_t kind, const void *value) {
    connect_str_t bytes = {NULL, 0};
    char room[2 * CN_PB_MARGIN], *const tail_end = room + sizeof room, *const head_end = tail_end - CN_PB_MARGIN / 2;
    char *p = head_end, *to, *tail = tail_end;
    uint64_t wide;
    uint32_t low;
    unsigned wire = CONNECT_WIRE_VARINT;
    size_t head_len, tail_len;
    if (writer->failed) return;
    writer->failed = true;
    if (number == 0 || number > CN_PB_NUMBER_MAX) return;
    switch (kind) {
    case CONNECT_KIND_DOUBLE:
    case CONNECT_KIND_FIXED64:
    case CONNECT_KIND_SFIXED64:
        memcpy(&wide, value, 8);
        wire = CONNECT_WIRE_FIXED64;
        p = cn_pb_put_fixed64(p, wide);
        break;
    case CONNECT_KIND_FLOAT:
    case CONNECT_KIND_FIXED32:
    case CONNECT_KIND_SFIXED32:
        memcpy(&low, value, 4);
        wire = CONNECT_WIRE_FIXED32;
        p = cn_pb_put_fixed32(p, low);
        break;
    case CONNECT_KIND_STRING:
    case CONNECT_KIND_BYTES:
    case CONNECT_KIND_MESSAGE:
        memcpy(&bytes, value, sizeof bytes);
        wire = CONNECT_WIRE_BYTES;
        p = cn_pb_put_varint(p, bytes.len);
        break;
    case CONNECT_KIND_GROUP:
        memcpy(&bytes, value, sizeof bytes);
        wire = CONNECT_WIRE_GROUP;
        tail = cn_pb_put_tag(tail_end, number, CN_PB_WIRE_END);
        break;
    case CONNECT_KIND_INT64:
    case CONNECT_KIND_UINT64:
    case CONNECT_KIND_INT32:
    case CONNECT_KIND_BOOL:
    case CONNECT_KIND_UINT32:
    case CONNECT_KIND_ENUM:
    case CONNECT_KIND_SINT32:
    case CONNECT_KIND_SINT64: p = cn_pb_put_varint(p, cn_pb_varint_of((uint8_t)kind, (const char *)value)); break;
    default: return;
    }
    p = cn_pb_put_tag(p, number, wire);
    if (bytes.len > SIZE_MAX / 4) return;
    head_len = (size_t)(head_end - p);
    tail_len = (size_t)(tail_end - tail);
    to = cn_pb_writer_room(writer, head_len + bytes.len + tail_len);
    if (!to) return;
    memcpy(to, p, head_len);
    if (bytes.len) memcpy(to + head_len, bytes.data, bytes.len);
    memcpy(to + head_len + bytes.len, tail, tail_len);
    writer->written.len += head_len + bytes.len + tail_len;
    writer->failed = false;
}
