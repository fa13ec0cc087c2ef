#include "base/error.h"
#include "base/mem.h"
#include "codec/message.h"
#include "codec/pb.h"
#include "codec/pb_read.h"
#include "codec/pb_wire.h"

/* Protobuf binary into messages, driven by the tables of a connect_type_t. The format is told in pb_read.c.

   - The field is found by number: fields[number - 1] for the dense ones, else the next one behind the last found, else
     by bisection. What happens then is one jump on cn_pb_ops[kind][wire type], another one if it is repeated.
   - Records of one repeated text or message field that stand one behind the other are read in one go. Entries of maps
     of texts, as they are nearly always written, are read without the tables.
   - Known number, unfitting wire type: an unknown field. Numeric fields that are repeated take both forms. A closed
     enum's unknown number goes to the unknown fields as the record it came in, from a packed record as records of its
     own, from a map's entry as the whole entry.
   - Scalars: the last wins. Messages: merged. A oneof: what comes last is what it holds; only a message that comes
     again right after itself is merged. Map entries are appended; readers take the last of a key.
   - 32-bit varints are cut to 32 bits, a bool is true if any bit is set.
   - Strings, bytes and unknown fields are views of the input. Adjacent unknown records are one view.
   - A list's block in the arena starts with a head that holds its capacity. Lists of strings and messages count the run
     of records at hand, packed ones their elements, so most lists are allocated once, exactly.
   - options->merge decodes into a new message and merges that: so all that the decoder writes to is its own.
   - memory_left pays for list items, messages and views of unknown fields, before they are taken.
   - Recursion is one level for each message, map entry and group, and ends at depth_max. */

#define CN_PB_HEAD 8u /* in front of a decoded list's items: its capacity */

enum { /* what to do with a record */
    CN_PB_UNKNOWN,
    CN_PB_VARINT64,
    CN_PB_VARINT32,
    CN_PB_BOOL,
    CN_PB_SINT32,
    CN_PB_SINT64,
    CN_PB_ENUM,
    CN_PB_FIXED64,
    CN_PB_FIXED32,
    CN_PB_TEXT,
    CN_PB_MESSAGE,
    CN_PB_GROUP,
    CN_PB_PACKED
};

/* [kind][wire type] */
static const uint8_t cn_pb_ops[32][8] = {[CONNECT_KIND_DOUBLE] = {0, CN_PB_FIXED64, CN_PB_PACKED, 0, 0, 0, 0, 0},
    [CONNECT_KIND_FLOAT] = {0, 0, CN_PB_PACKED, 0, 0, CN_PB_FIXED32, 0, 0},
    [CONNECT_KIND_INT64] = {CN_PB_VARINT64, 0, CN_PB_PACKED, 0, 0, 0, 0, 0},
    [CONNECT_KIND_UINT64] = {CN_PB_VARINT64, 0, CN_PB_PACKED, 0, 0, 0, 0, 0},
    [CONNECT_KIND_INT32] = {CN_PB_VARINT32, 0, CN_PB_PACKED, 0, 0, 0, 0, 0},
    [CONNECT_KIND_FIXED64] = {0, CN_PB_FIXED64, CN_PB_PACKED, 0, 0, 0, 0, 0},
    [CONNECT_KIND_FIXED32] = {0, 0, CN_PB_PACKED, 0, 0, CN_PB_FIXED32, 0, 0},
    [CONNECT_KIND_BOOL] = {CN_PB_BOOL, 0, CN_PB_PACKED, 0, 0, 0, 0, 0},
    [CONNECT_KIND_STRING] = {0, 0, CN_PB_TEXT, 0, 0, 0, 0, 0},
    [CONNECT_KIND_GROUP] = {0, 0, 0, CN_PB_GROUP, 0, 0, 0, 0},
    [CONNECT_KIND_MESSAGE] = {0, 0, CN_PB_MESSAGE, 0, 0, 0, 0, 0},
    [CONNECT_KIND_BYTES] = {0, 0, CN_PB_TEXT, 0, 0, 0, 0, 0},
    [CONNECT_KIND_UINT32] = {CN_PB_VARINT32, 0, CN_PB_PACKED, 0, 0, 0, 0, 0},
    [CONNECT_KIND_ENUM] = {CN_PB_ENUM, 0, CN_PB_PACKED, 0, 0, 0, 0, 0},
    [CONNECT_KIND_SFIXED32] = {0, 0, CN_PB_PACKED, 0, 0, CN_PB_FIXED32, 0, 0},
    [CONNECT_KIND_SFIXED64] = {0, CN_PB_FIXED64, CN_PB_PACKED, 0, 0, 0, 0, 0},
    [CONNECT_KIND_SINT32] = {CN_PB_SINT32, 0, CN_PB_PACKED, 0, 0, 0, 0, 0},
    [CONNECT_KIND_SINT64] = {CN_PB_SINT64, 0, CN_PB_PACKED, 0, 0, 0, 0, 0}};

static CN_COLD void *cn_pb_exhausted(cn_pb_decoder_t *d, const char *at, const char *reason) {
    cn_pb_bad(d, at, reason);
    d->failure.code = CONNECT_RESOURCE_EXHAUSTED;
    return NULL;
}

/* Takes memory that the peer's bytes made necessary. */
static inline CN_HOT void *cn_pb_take(cn_pb_decoder_t *d, size_t size, const char *at) {
    void *block;
    if (CN_UNLIKELY(size > d->memory_left)) return cn_pb_exhausted(d, at, "decoded elements need more than memory_max");
    d->memory_left -= size;
    block = cn_arena_raw(d->arena, size);
    return CN_LIKELY(block != NULL) ? block : cn_pb_exhausted(d, at, "out of memory");
}

static inline CN_HOT size_t cn_pb_capacity(const cn_message_list_t *list) {
    size_t capacity = 0;
    if (list->items) memcpy(&capacity, (const char *)list->items - CN_PB_HEAD, sizeof capacity);
    return capacity;
}

/* Makes room in a list for `more` items. */
static CN_APART bool cn_pb_list_grow(cn_pb_decoder_t *d, char *member, size_t size, size_t more, const char *at) {
    const size_t left = d->memory_left / size;
    cn_message_list_t list;
    size_t capacity, wanted;
    char *block = NULL;
    memcpy(&list, member, sizeof list);
    capacity = cn_pb_capacity(&list);
    wanted = CN_MAX(list.count + more, capacity + cn_message_list_growth(capacity, left));
    if (wanted - capacity > left) {
        cn_pb_exhausted(d, at, "decoded elements need more than memory_max");
        return false;
    }
    d->memory_left -= (wanted - capacity) * size;
    if (list.items) { /* the arena's, taken below: not const */
        memcpy(&block, member, sizeof block);
        block -= CN_PB_HEAD;
    }
    block =
        (char *)cn_arena_grow(d->arena, block, block ? CN_PB_HEAD + capacity * size : 0, CN_PB_HEAD + wanted * size);
    if (!block) {
        cn_pb_exhausted(d, at, "out of memory");
        return false;
    }
    memcpy(block, &wanted, sizeof wanted);
    list.items = block + CN_PB_HEAD;
    memcpy(member, &list, sizeof list);
    return true;
}

/* For how many items more a list has room. */
static inline CN_HOT size_t cn_pb_list_room(const char *member) {
    cn_message_list_t list;
    memcpy(&list, member, sizeof list);
    return cn_pb_capacity(&list) - list.count;
}

/* Where the next item of a list goes, if it has room for it. */
static inline CN_HOT char *cn_pb_list_end(const char *member, size_t size) {
    char *items;
    size_t count;
    memcpy(&items, member, sizeof items);
    memcpy(&count, member + offsetof(cn_message_list_t, count), sizeof count);
    return items ? items + count * size : NULL;
}

static inline CN_HOT void cn_pb_list_add(char *member, size_t more) {
    size_t count;
    member += offsetof(cn_message_list_t, count);
    memcpy(&count, member, sizeof count);
    count += more;
    memcpy(member, &count, sizeof count);
}

static CN_APART bool cn_pb_keep_new(cn_pb_decoder_t *d, char *member, const char *from, size_t len) {
    connect_str_t view;
    view.data = from;
    view.len = len;
    if (!cn_pb_list_room(member) && !cn_pb_list_grow(d, member, sizeof view, 1, from)) return false;
    memcpy(cn_pb_list_end(member, sizeof view), &view, sizeof view);
    cn_pb_list_add(member, 1);
    return true;
}

/* Keeps bytes as unknown fields: longer by them the last view, or a new one. */
static bool cn_pb_keep(cn_pb_decoder_t *d, const connect_type_t *type, char *message, const char *from, size_t len) {
    char *member = message + type->unknown;
    cn_message_list_t list;
    if (!d->keeps_unknown || !type->keeps_unknown) return true;
    memcpy(&list, member, sizeof list);
    if (list.count) {
        char *items;
        connect_str_t last;
        memcpy(&items, member, sizeof items);
        items += (list.count - 1) * sizeof last;
        memcpy(&last, items, sizeof last);
        if (last.data + last.len == from) {
            last.len += len;
            memcpy(items, &last, sizeof last);
            return true;
        }
    }
    return cn_pb_keep_new(d, member, from, len);
}

/* How many records of the same tag stand one behind the other. p is behind the first of them. Malformed ones are left
   for later. */
static CN_APART size_t cn_pb_run(const char *p, const char *end, const char *tag, size_t tag_len) {
    size_t n = 1;
    while ((size_t)(end - p) > tag_len && *p == *tag && (tag_len == 1 || memcmp(p, tag, tag_len) == 0)) {
        uint64_t len = (unsigned char)p[tag_len];
        p += tag_len + 1;
        if (len >= 0x80) {
            unsigned shift = 7;
            len &= 0x7F;
            do {
                if (p == end || shift > 28) return n;
                len |= (uint64_t)((unsigned char)*p & 0x7F) << shift;
                shift += 7;
            } while ((unsigned char)*p++ >= 0x80);
        }
        if (len > (uint64_t)(end - p)) return n;
        p += len;
        n++;
    }
    return n;
}

/* How many varints end in these bytes: bytes below 0x80. */
static size_t cn_pb_count_varints(const char *p, const char *end) {
    size_t n = 0;
    while (end - p >= 8) {
        uint64_t sums = 0;
        unsigned words = (size_t)(end - p) >= 255 * 8 ? 255 : (unsigned)((size_t)(end - p) / 8);
        for (; words; words--, p += 8) {
            uint64_t w;
            memcpy(&w, p, 8);
            sums += (~w >> 7) & 0x0101010101010101u;
        }
        sums = (sums & 0x00FF00FF00FF00FFu) + ((sums >> 8) & 0x00FF00FF00FF00FFu);
        n += (size_t)((sums * 0x0001000100010001u) >> 48);
    }
    for (; p < end; p++)
        n += (unsigned char)*p < 0x80;
    return n;
}

/* Stores a varint as the op's C type. op is a constant wherever this is called. */
static inline CN_HOT void cn_pb_unpack_one(unsigned op, char *items, size_t i, uint64_t value) {
    if (op == CN_PB_VARINT64) {
        memcpy(items + i * 8, &value, 8);
    } else if (op == CN_PB_SINT64) {
        value = cn_pb_zigzag64_decode(value);
        memcpy(items + i * 8, &value, 8);
    } else if (op == CN_PB_BOOL) {
        const bool truth = value != 0;
        memcpy(items + i * sizeof truth, &truth, sizeof truth);
    } else {
        uint32_t low = (uint32_t)value;
        if (op == CN_PB_SINT32) low = cn_pb_zigzag32_decode(low);
        memcpy(items + i * 4, &low, 4);
    }
}

/* Takes a varint of one or two bytes off a word, without a branch on which. Bit 15 of *longer is set if it has more.
   Returns how many bytes. */
static inline CN_HOT size_t cn_pb_unpack_short(unsigned op, char *items, size_t i, uint64_t *word, uint64_t *longer) {
    const uint64_t w = *word, two = 0 - (w >> 7 & 1); /* a mask */
    cn_pb_unpack_one(op, items, i, (w & 0x7F) | (w >> 1 & 0x3F80 & two));
    *longer |= w & two;
    *word = w >> (8 + (two & 8));
    return (size_t)(1 - two);
}

/* Reads n varints, which are known to end before `end`: four at once as long as they are short. */
static inline CN_HOT const char *cn_pb_unpack(
    cn_pb_decoder_t *d, unsigned op, char *items, size_t n, const char *p, const char *end) {
    const char *const limit = d->limit;
    size_t i = 0, stop;
    while (i < n) {
        if (CN_UNLIKELY(limit - p < 8)) {
            stop = n;
        } else if (CN_UNLIKELY(n - i < 4)) {
            uint64_t w = cn_pb_load64(p), longer = 0;
            const size_t used = cn_pb_unpack_short(op, items, i, &w, &longer);
            stop = i + 1;
            if (CN_LIKELY(!(longer & 0x8000))) {
                p += used;
                i++;
                continue;
            }
        } else {
            uint64_t w = cn_pb_load64(p), longer = 0;
            stop = i + 4;
            if (!(w & 0x80808080u)) {
                cn_pb_unpack_one(op, items, i, w & 0x7F);
                cn_pb_unpack_one(op, items, i + 1, w >> 8 & 0x7F);
                cn_pb_unpack_one(op, items, i + 2, w >> 16 & 0x7F);
                cn_pb_unpack_one(op, items, i + 3, w >> 24 & 0x7F);
                p += 4;
                i += 4;
                continue;
            } else {
                size_t used = cn_pb_unpack_short(op, items, i, &w, &longer);
                used += cn_pb_unpack_short(op, items, i + 1, &w, &longer);
                used += cn_pb_unpack_short(op, items, i + 2, &w, &longer);
                used += cn_pb_unpack_short(op, items, i + 3, &w, &longer);
                if (CN_LIKELY(!(longer & 0x8000))) {
                    p += used;
                    i += 4;
                    continue;
                }
            }
        }
        for (; i < stop; i++) {
            uint64_t value;
            p = cn_pb_varint(d, p, end, &value);
            if (CN_UNLIKELY(!p)) return NULL;
            cn_pb_unpack_one(op, items, i, value);
        }
    }
    return p;
}

/* Packed numbers of a closed enum: what it does not know becomes records of their own among the unknown fields. */
static const char *cn_pb_unpack_closed(cn_pb_decoder_t *d, const connect_type_t *type, const connect_field_t *field,
    char *message, char *items, size_t *n, const char *p, const char *end) {
    const connect_enum_t *values = type->enums[field->type];
    const size_t count = *n;
    const bool keeps = d->keeps_unknown && type->keeps_unknown;
    char *unknown = NULL, *to = NULL, tag[5];
    size_t i, room = 0, tag_len = 0;
    uint32_t rest = field->number << 3 | CONNECT_WIRE_VARINT;
    while (rest >= 0x80) {
        tag[tag_len++] = (char)(unsigned char)(rest | 0x80);
        rest >>= 7;
    }
    tag[tag_len++] = (char)(unsigned char)rest;
    *n = 0;
    for (i = 0; i < count; i++) {
        const char *at = p;
        uint64_t value;
        uint32_t low;
        p = cn_pb_varint(d, p, end, &value);
        if (!p) return NULL;
        low = (uint32_t)value;
        if (cn_message_enum_has(values, (int32_t)low)) {
            memcpy(items + *n * 4, &low, 4);
            ++*n;
        } else if (keeps) {
            if (!unknown) {
                room = (count - i) * tag_len + (size_t)(end - at);
                unknown = to = (char *)cn_pb_take(d, room, at);
                if (!unknown) return NULL;
            }
            memcpy(to, tag, tag_len);
            memcpy(to + tag_len, at, (size_t)(p - at));
            to += tag_len + (size_t)(p - at);
        }
    }
    if (unknown) {
        cn_arena_shrink(d->arena, unknown, room, (size_t)(to - unknown));
        if (!cn_pb_keep(d, type, message, unknown, (size_t)(to - unknown))) return NULL;
    }
    return p;
}

/* Reads the numbers of a packed record; p is at its length. */
static CN_APART const char *cn_pb_packed(cn_pb_decoder_t *d, const connect_type_t *type, const connect_field_t *field,
    char *message, const char *p, const char *end) {
    char *member = message + field->offset, *items;
    cn_message_list_t list;
    size_t size, n, added, len;
    unsigned op;
    p = cn_pb_len(d, p, end, &len);
    if (!p || len == 0) return p;
    end = p + len;
    op = cn_pb_ops[field->kind & 31][CONNECT_WIRE_VARINT];
    if (op != CN_PB_UNKNOWN) {
        if ((unsigned char)end[-1] >= 0x80) return cn_pb_bad(d, p, "truncated");
        n = cn_pb_count_varints(p, end);
        size = op == CN_PB_BOOL ? sizeof(bool) : op == CN_PB_VARINT64 || op == CN_PB_SINT64 ? 8 : 4;
    } else {
        size = cn_pb_ops[field->kind & 31][CONNECT_WIRE_FIXED64] ? 8 : 4;
        if (len % size) return cn_pb_bad(d, p, "truncated");
        n = len / size;
    }
    memcpy(&list, member, sizeof list);
    if (cn_pb_capacity(&list) - list.count < n && !cn_pb_list_grow(d, member, size, n, p)) return NULL;
    items = cn_pb_list_end(member, size);
    added = n;
    switch (op) {
    case CN_PB_VARINT64: p = cn_pb_unpack(d, CN_PB_VARINT64, items, n, p, end); break;
    case CN_PB_SINT64: p = cn_pb_unpack(d, CN_PB_SINT64, items, n, p, end); break;
    case CN_PB_SINT32: p = cn_pb_unpack(d, CN_PB_SINT32, items, n, p, end); break;
    case CN_PB_BOOL: p = cn_pb_unpack(d, CN_PB_BOOL, items, n, p, end); break;
    case CN_PB_ENUM:
        if (type->enums[field->type]->closed) {
            p = cn_pb_unpack_closed(d, type, field, message, items, &added, p, end);
            break;
        } /* fall through */
    case CN_PB_VARINT32: p = cn_pb_unpack(d, CN_PB_VARINT32, items, n, p, end); break;
    default:
#if CN_PB_LITTLE
        memcpy(items, p, n * size);
#else
        for (; p < end; p += size, items += size) {
            if (size == 8) {
                uint64_t value = cn_pb_load64(p);
                memcpy(items, &value, 8);
            } else {
                uint32_t value = cn_pb_load32(p);
                memcpy(items, &value, 4);
            }
        }
#endif
        break;
    }
    if (p) cn_pb_list_add(member, added);
    return p ? end : NULL;
}

/* The message that a singular field holds, made if there is none. */
static inline CN_HOT char *cn_pb_sub(
    cn_pb_decoder_t *d, const connect_type_t *sub, const connect_field_t *field, char *message, const char *at) {
    char *member = message + field->offset, *held;
    bool fresh;
    if (field->flags & CONNECT_FIELD_ONEOF) {
        fresh = !cn_message_has(field, message);
        cn_message_mark(field, message);
    } else {
        fresh = false;
    }
    memcpy(&held, member, sizeof held);
    if (!fresh && held) return held;
    held = (char *)cn_pb_take(d, sub->size, at);
    if (held) {
        connect_message_init(sub, held);
    } else if (field->flags & CONNECT_FIELD_ONEOF) { /* a case without a message: read as an empty one */
        memcpy(member, &held, sizeof held);          /* NULL */
        return NULL;
    }
    memcpy(member, &held, sizeof held);
    return held;
}

static const char *cn_pb_records(
    cn_pb_decoder_t *d, const connect_type_t *type, char *message, const char *p, const char *end, uint32_t group);

/* As cn_pb_is_ascii, where memory may be read up to `limit`: a short text is one block, with what stands behind it. */
static inline CN_HOT bool cn_pb_is_ascii_before(const char *p, size_t len, const char *limit) {
#if defined(__SSE2__) && defined(__GNUC__)
    if (len <= 16 && CN_LIKELY(limit - p >= 16)) {
        const __m128i block = _mm_loadu_si128((const __m128i *)(const void *)p);
        return ((unsigned)_mm_movemask_epi8(block) & ((1u << len) - 1)) == 0;
    }
#else
    (void)limit;
#endif
    return cn_pb_is_ascii(p, len);
}

static inline CN_HOT bool cn_pb_is_utf8_before(const char *p, size_t len, const char *limit) {
    connect_str_t text;
    if (CN_LIKELY(cn_pb_is_ascii_before(p, len, limit))) return true;
    text.data = p;
    text.len = len;
    return cn_utf8_valid(text);
}

/* Reads a text; p is at its length. */
static inline CN_HOT const char *cn_pb_text(
    cn_pb_decoder_t *d, unsigned flags, const char *p, const char *end, connect_str_t *text) {
    size_t len;
    p = cn_pb_len(d, p, end, &len);
    if (CN_UNLIKELY(!p)) return NULL;
    if ((flags & CONNECT_FIELD_UTF8) && CN_UNLIKELY(!cn_pb_is_utf8_before(p, len, d->limit)))
        return cn_pb_bad(d, p, "not UTF-8");
    text->data = p;
    text->len = len;
    return p + len;
}

/* The tag from start to p, if it has one byte: a run of such is read in one go. -1: it has more. */
static inline CN_HOT int cn_pb_short_tag(const char *start, const char *p) {
    return p - start == 1 ? (unsigned char)*start : -1;
}

/* Reads a run of texts; the first tag is from start to p. */
static CN_APART const char *cn_pb_texts(
    cn_pb_decoder_t *d, const connect_field_t *field, char *member, const char *start, const char *p, const char *end) {
    const int tag = cn_pb_short_tag(start, p);
    size_t room = cn_pb_list_room(member);
    char *item = cn_pb_list_end(member, sizeof(connect_str_t));
    for (;; item += sizeof(connect_str_t)) {
        const char *const at = p;
        connect_str_t text;
        p = cn_pb_text(d, field->flags, p, end, &text);
        if (CN_UNLIKELY(!p)) return NULL;
        if (CN_UNLIKELY(room == 0)) {
            const size_t more = cn_pb_run(p, end, start, (size_t)(at - start));
            if (!cn_pb_list_grow(d, member, sizeof text, more, at)) return NULL;
            room = cn_pb_list_room(member);
            item = cn_pb_list_end(member, sizeof text);
        }
        memcpy(item, &text, sizeof text);
        cn_pb_list_add(member, 1);
        room--;
        if (p == end || (unsigned char)*p != tag) return p;
        start = p++;
    }
}

/* Tells whether a number may stand in an enum's field. */
static inline bool cn_pb_enum_takes(const connect_enum_t *type, uint32_t number) {
    return !type->closed || cn_message_enum_has(type, (int32_t)number);
}

/* Reads a number that stands alone, though its field is repeated; the tag is from start to p. */
static CN_APART const char *cn_pb_unpacked(cn_pb_decoder_t *d, const connect_type_t *type, const connect_field_t *field,
    char *message, uint32_t tag, const char *start, const char *p, const char *end) {
    char *member = message + field->offset;
    const size_t size = cn_message_value_size(type, field);
    unsigned op = cn_pb_ops[field->kind & 31][tag & 7];
    const char *const at = p;
    uint64_t value;
    if (op == CN_PB_FIXED64 || op == CN_PB_FIXED32) {
        if ((size_t)(end - p) < size) return cn_pb_bad(d, p, "truncated");
        value = op == CN_PB_FIXED64 ? cn_pb_load64(p) : cn_pb_load32(p);
        op = op == CN_PB_FIXED64 ? CN_PB_VARINT64 : CN_PB_VARINT32;
        p += size;
    } else {
        p = cn_pb_varint(d, p, end, &value);
        if (!p) return NULL;
        if (op == CN_PB_ENUM && !cn_pb_enum_takes(type->enums[field->type], (uint32_t)value))
            return cn_pb_keep(d, type, message, start, (size_t)(p - start)) ? p : NULL;
    }
    if (!cn_pb_list_room(member)) {
        const size_t more = CN_MAX(CN_MIN((size_t)4, d->memory_left / size), (size_t)1);
        if (!cn_pb_list_grow(d, member, size, more, at)) return NULL;
    }
    cn_pb_unpack_one(op, cn_pb_list_end(member, size), 0, value);
    cn_pb_list_add(member, 1);
    return p;
}

/* A message that is the value of a map's entry is there even if it was not sent. */
static inline bool cn_pb_entry_value(cn_pb_decoder_t *d, const connect_type_t *entry, char *item, const char *at) {
    const connect_field_t *value = &entry->fields[1];
    return value->kind != CONNECT_KIND_MESSAGE || cn_pb_sub(d, entry->types[value->type], value, item, at) != NULL;
}

/* Tells whether a map is from string to string or bytes. */
static bool cn_pb_is_of_texts(const connect_type_t *entry) {
    return entry->fields[0].kind == CONNECT_KIND_STRING && cn_message_is_text(&entry->fields[1]) &&
        entry->size == 2 * sizeof(connect_str_t);
}

/* Reads an entry of such a map, if it has the form in which nearly all are written: key and value, in this order, of
   less than 128 bytes each, in ASCII; so tags and lengths are ASCII, too. Returns false: it has not. */
static inline CN_HOT bool cn_pb_entry_of_texts(
    const connect_type_t *entry, char *item, const char *p, const char *end, const char *limit) {
    connect_str_t key, value;
    if (CN_UNLIKELY(end - p < 4 || p[0] != (1 << 3 | CONNECT_WIRE_BYTES))) return false;
    key.data = p + 2;
    key.len = (unsigned char)p[1];
    if (CN_UNLIKELY(key.len > (size_t)(end - p) - 4)) return false;
    value.data = key.data + key.len + 2;
    value.len = (size_t)(end - value.data);
    if (CN_UNLIKELY(value.data[-2] != (2 << 3 | CONNECT_WIRE_BYTES) || (unsigned char)value.data[-1] != value.len))
        return false;
    if (CN_UNLIKELY(!cn_pb_is_ascii_before(p, (size_t)(end - p), limit))) return false;
    memcpy(item + entry->fields[0].offset, &key, sizeof key);
    memcpy(item + entry->fields[1].offset, &value, sizeof value);
    return true;
}

/* Reads a run of messages; the first tag is from start to p. */
static CN_APART const char *cn_pb_messages(cn_pb_decoder_t *d, const connect_type_t *type, const connect_field_t *field,
    char *message, const char *start, const char *p, const char *end) {
    const connect_type_t *const sub = type->types[field->type];
    const bool is_map = (field->flags & CONNECT_FIELD_MAP) != 0, is_map_of_texts = is_map && cn_pb_is_of_texts(sub);
    const int tag = cn_pb_short_tag(start, p);
    char *const member = message + field->offset, *item = cn_pb_list_end(member, sub->size);
    size_t room = cn_pb_list_room(member);
    for (;;) {
        const char *const at = p;
        size_t len;
        p = cn_pb_len(d, p, end, &len);
        if (CN_UNLIKELY(!p)) return NULL;
        if (CN_UNLIKELY(d->depth_left == 0)) return cn_pb_bad(d, start, "nested deeper than depth_max");
        if (CN_UNLIKELY(room == 0)) {
            const size_t more = cn_pb_run(p + len, end, start, (size_t)(at - start));
            if (!cn_pb_list_grow(d, member, sub->size, more, at)) return NULL;
            room = cn_pb_list_room(member);
            item = cn_pb_list_end(member, sub->size);
        }
        if (!is_map_of_texts || !cn_pb_entry_of_texts(sub, item, p, p + len, d->limit)) {
            connect_message_init(sub, item);
            d->depth_left--;
            if (CN_UNLIKELY(!cn_pb_records(d, sub, item, p, p + len, 0))) return NULL;
            d->depth_left++;
            if (is_map && !cn_pb_entry_value(d, sub, item, at)) return NULL;
        }
        p += len;
        if (CN_UNLIKELY(d->entry_unknown)) {
            d->entry_unknown = false;
            if (!cn_pb_keep(d, type, message, start, (size_t)(p - start))) return NULL;
        } else {
            cn_pb_list_add(member, 1);
            item += sub->size;
            room--;
        }
        if (p == end || (unsigned char)*p != tag) return p;
        start = p++;
    }
}

/* Reads a group; p is behind its tag. */
static CN_APART const char *cn_pb_group(cn_pb_decoder_t *d, const connect_type_t *type, const connect_field_t *field,
    char *message, const char *start, const char *p, const char *end) {
    const connect_type_t *sub = type->types[field->type];
    const bool repeated = (field->flags & CONNECT_FIELD_REPEATED) != 0;
    char *const member = message + field->offset, *item;
    if (d->depth_left == 0) return cn_pb_bad(d, start, "nested deeper than depth_max");
    if (repeated) {
        if (!cn_pb_list_room(member) && !cn_pb_list_grow(d, member, sub->size, 1, p)) return NULL;
        item = cn_pb_list_end(member, sub->size);
        connect_message_init(sub, item);
    } else {
        item = cn_pb_sub(d, sub, field, message, p);
        if (!item) return NULL;
    }
    d->depth_left--;
    p = cn_pb_records(d, sub, item, p, end, field->number);
    if (!p) return NULL;
    d->depth_left++;
    if (repeated) cn_pb_list_add(member, 1);
    return p;
}

static CN_COLD void cn_pb_failed_at(
    cn_pb_decoder_t *d, const connect_type_t *type, const connect_field_t *field, const char *message) {
    cn_message_list_t list = {NULL, 0};
    if (field->flags & CONNECT_FIELD_REPEATED) memcpy(&list, message + field->offset, sizeof list);
    cn_pb_failure_at(&d->failure, type, field, list.count);
}

/* Reads records up to `end`, or up to the end of the group of that number (0: none). Returns where it ended. */
static const char *cn_pb_records(
    cn_pb_decoder_t *d, const connect_type_t *type, char *message, const char *p, const char *end, uint32_t group) {
    size_t next = type->dense;
    while (p < end) {
        const connect_field_t *field = type->fields;
        const char *const start = p;
        uint32_t tag, number, low;
        unsigned op, flags;
        uint64_t value;
        size_t len;
        char *to;
        p = cn_pb_tag(d, p, end, &tag);
        if (CN_UNLIKELY(!p)) return NULL;
        number = tag >> 3;
        if (CN_LIKELY(number - 1 < type->dense)) {
            field += number - 1;
        } else {
            while (next < type->field_count && field[next].number < number)
                next++;
            if (CN_LIKELY(next < type->field_count && field[next].number == number)) {
                field += next++;
            } else {
                field = cn_message_field_number(type, number);
                if (!field) goto unknown;
                next = (size_t)(field - type->fields) + 1;
            }
        }
        flags = field->flags;
        op = cn_pb_ops[field->kind & 31][tag & 7];
        to = message + field->offset;
        if (flags & CONNECT_FIELD_REPEATED) {
            switch (op) {
            case CN_PB_UNKNOWN: goto unknown;
            case CN_PB_TEXT: p = cn_pb_texts(d, field, to, start, p, end); break;
            case CN_PB_MESSAGE: p = cn_pb_messages(d, type, field, message, start, p, end); break;
            case CN_PB_GROUP: p = cn_pb_group(d, type, field, message, start, p, end); break;
            case CN_PB_PACKED: p = cn_pb_packed(d, type, field, message, p, end); break;
            default: p = cn_pb_unpacked(d, type, field, message, tag, start, p, end); break;
            }
            if (CN_UNLIKELY(!p)) goto failed;
            continue;
        }
        switch (op) {
        case CN_PB_VARINT64:
            p = cn_pb_varint(d, p, end, &value);
            if (CN_UNLIKELY(!p)) goto failed;
            memcpy(to, &value, 8);
            break;
        case CN_PB_SINT64:
            p = cn_pb_varint(d, p, end, &value);
            if (CN_UNLIKELY(!p)) goto failed;
            value = cn_pb_zigzag64_decode(value);
            memcpy(to, &value, 8);
            break;
        case CN_PB_FIXED64:
            if (CN_UNLIKELY(end - p < 8)) goto truncated;
            value = cn_pb_load64(p);
            p += 8;
            memcpy(to, &value, 8);
            break;
        case CN_PB_ENUM:
            p = cn_pb_varint(d, p, end, &value);
            if (CN_UNLIKELY(!p)) goto failed;
            low = (uint32_t)value;
            if (!cn_pb_enum_takes(type->enums[field->type], low)) {
                d->entry_unknown = type->is_map_entry;
                if (!cn_pb_keep(d, type, message, start, (size_t)(p - start))) goto failed;
                continue;
            }
            memcpy(to, &low, 4);
            break;
        case CN_PB_VARINT32:
            p = cn_pb_varint(d, p, end, &value);
            if (CN_UNLIKELY(!p)) goto failed;
            low = (uint32_t)value;
            memcpy(to, &low, 4);
            break;
        case CN_PB_SINT32:
            p = cn_pb_varint(d, p, end, &value);
            if (CN_UNLIKELY(!p)) goto failed;
            low = cn_pb_zigzag32_decode((uint32_t)value);
            memcpy(to, &low, 4);
            break;
        case CN_PB_FIXED32:
            if (CN_UNLIKELY(end - p < 4)) goto truncated;
            low = cn_pb_load32(p);
            p += 4;
            memcpy(to, &low, 4);
            break;
        case CN_PB_BOOL: {
            bool truth;
            p = cn_pb_varint(d, p, end, &value);
            if (CN_UNLIKELY(!p)) goto failed;
            truth = value != 0;
            memcpy(to, &truth, sizeof truth);
            break;
        }
        case CN_PB_TEXT: {
            connect_str_t text;
            p = cn_pb_text(d, flags, p, end, &text);
            if (CN_UNLIKELY(!p)) goto failed;
            memcpy(to, &text, sizeof text);
            break;
        }
        case CN_PB_MESSAGE: {
            const connect_type_t *sub = type->types[field->type];
            const char *const at = p;
            p = cn_pb_len(d, p, end, &len);
            if (CN_UNLIKELY(!p)) goto failed;
            if (CN_UNLIKELY(d->depth_left == 0)) goto too_deep;
            to = cn_pb_sub(d, sub, field, message, at);
            if (CN_UNLIKELY(!to)) goto failed;
            d->depth_left--;
            p = cn_pb_records(d, sub, to, p, p + len, 0);
            if (CN_UNLIKELY(!p)) goto failed;
            d->depth_left++;
            continue;
        }
        case CN_PB_GROUP:
            p = cn_pb_group(d, type, field, message, start, p, end);
            if (CN_UNLIKELY(!p)) goto failed;
            continue;
        default: goto unknown;
        }
        if (flags & (CONNECT_FIELD_HAS | CONNECT_FIELD_ONEOF)) cn_message_mark(field, message);
        continue;
    unknown:
        if ((tag & 7) == CN_PB_WIRE_END && number == group && group != 0) return p;
        p = cn_pb_skip(d, p, end, tag, start);
        if (!p || !cn_pb_keep(d, type, message, start, (size_t)(p - start))) return NULL;
        continue;
    truncated:
        cn_pb_bad(d, p, "truncated");
        goto failed;
    too_deep:
        cn_pb_bad(d, start, "nested deeper than depth_max");
    failed:
        cn_pb_failed_at(d, type, field, message);
        return NULL;
    }
    return CN_LIKELY(group == 0) ? p : cn_pb_bad(d, end, "truncated");
}

/* Looks for a required field that is missing, here and below. */
static bool cn_pb_complete(cn_pb_failure_t *failure, const connect_type_t *type, const char *message, uint32_t depth) {
    size_t i, j;
    if (!type->has_required) return true;
    for (i = 0; i < type->field_count; i++) {
        const connect_field_t *field = &type->fields[i];
        const connect_type_t *sub;
        const char *at = message + field->offset;
        const bool required = (field->flags & CONNECT_FIELD_REQUIRED) != 0;
        if (!required && !cn_message_is_message(field)) continue;
        if (!cn_message_has(field, message)) {
            if (!required) continue;
            failure->code = CONNECT_INVALID_ARGUMENT;
            failure->reason = "required field is missing";
            failure->no_offset = true;
            cn_pb_failure_at(failure, type, field, 0);
            return false;
        }
        if (!cn_message_is_message(field)) continue;
        sub = type->types[field->type];
        if (!sub->has_required || depth == 0) continue;
        if (field->flags & CONNECT_FIELD_REPEATED) {
            cn_message_list_t list;
            memcpy(&list, at, sizeof list);
            for (j = 0; j < list.count; j++) {
                if (!cn_pb_complete(failure, sub, (const char *)list.items + j * sub->size, depth - 1)) {
                    cn_pb_failure_at(failure, type, field, j);
                    return false;
                }
            }
        } else {
            const char *held;
            memcpy(&held, at, sizeof held);
            if (held && !cn_pb_complete(failure, sub, held, depth - 1)) {
                cn_pb_failure_at(failure, type, field, 0);
                return false;
            }
        }
    }
    return true;
}

static bool cn_pb_decode_slack(const connect_type_t *type, void *message, connect_str_t bytes, size_t slack,
    connect_arena_t *arena, const connect_codec_options_t *options, connect_error_t *error) {
    static const connect_codec_options_t defaults = CONNECT_DEFAULTS;
    cn_pb_decoder_t d;
    void *target = message;
    uint32_t depth;
    bool ok = true;
    if (!options) options = &defaults;
    depth = options->depth_max ? options->depth_max : CN_MESSAGE_DEPTH;
    if (!options->merge) connect_message_init(type, message);
    if (options->copy && bytes.len) {
        char *copy = bytes.len < SIZE_MAX / 2 ? (char *)cn_arena_raw(arena, bytes.len + CN_SLACK) : NULL;
        if (!copy) return cn_error_memory(error);
        memcpy(copy, bytes.data, bytes.len);
        memset(copy + bytes.len, 0, CN_SLACK);
        bytes.data = copy;
        slack = CN_SLACK;
    }
    d.start = bytes.data;
    d.limit = bytes.data ? bytes.data + bytes.len + slack : NULL;
    d.arena = arena;
    d.memory_left = options->memory_max ? options->memory_max : CN_MESSAGE_MEMORY;
    if (options->memory_max == CONNECT_UNLIMITED || d.memory_left > SIZE_MAX / 4) d.memory_left = SIZE_MAX / 4;
    d.depth_left = depth;
    d.keeps_unknown = !options->drop_unknown;
    d.entry_unknown = false;
    cn_pb_failure_init(&d.failure);
    if (bytes.len) {
        if (options->merge) {
            target = cn_arena_raw(arena, type->size);
            if (!target) return cn_error_memory(error);
            connect_message_init(type, target);
        }
        ok = cn_pb_records(&d, type, (char *)target, bytes.data, bytes.data + bytes.len, 0) != NULL;
        if (ok && options->merge && !connect_message_merge(type, message, target, arena)) return cn_error_memory(error);
    }
    if (ok && !options->partial) ok = cn_pb_complete(&d.failure, type, (const char *)message, depth);
    if (ok) return true;
    if (!options->merge) connect_message_init(type, message); /* nothing half read */
    return cn_pb_failure_report(&d.failure, type, arena, error);
}

bool connect_message_decode(const connect_type_t *type, void *message, connect_str_t bytes, connect_arena_t *arena,
    const connect_codec_options_t *options, connect_error_t *error) {
    return cn_pb_decode_slack(type, message, bytes, 0, arena, options, error);
}

CN_PRIVATE bool cn_pb_decode(const connect_type_t *type, void *message, connect_str_t bytes, connect_arena_t *arena,
    const connect_codec_options_t *options, connect_error_t *error) {
    return cn_pb_decode_slack(type, message, bytes, CN_SLACK, arena, options, error);
}
