#include "codec/pb_read.h"
#include "codec/message.h"

/* Protobuf binary as it is read, whatever it means (protobuf.dev, "Encoding"): varints, tags, lengths, records, and the
   same for users, record by record.

   A message is a run of records. A record is a tag, (field number << 3) | wire type, and a value: 0 VARINT, 1 I64,
   2 LEN (a varint, then that many bytes), 3 SGROUP (records up to the tag 4 EGROUP of the same number), 5 I32. Field
   numbers are 1 to 2^29 - 1; a tag has at most 5 bytes; a varint has at most 10, the tenth at most 1.

   `limit` is where memory stops being readable: who has CN_SLACK bytes behind the input never leaves the fast path. No
   byte behind `limit` is read; what was read behind a message's end is never taken for its content. */

/* Squeezes the low 7 bits of each byte together. */
static inline CN_HOT uint64_t cn_pb_squeeze(uint64_t w) {
    w = (w & 0x007F007F007F007Fu) | (w & 0x7F007F007F007F00u) >> 1;
    w = (w & 0x00003FFF00003FFFu) | (w & 0x3FFF00003FFF0000u) >> 2;
    return (w & 0x000000000FFFFFFFu) | (w & 0x0FFFFFFF00000000u) >> 4;
}

CN_PRIVATE CN_COLD const char *cn_pb_bad(cn_pb_decoder_t *d, const char *at, const char *reason) {
    d->failure.code = CONNECT_INVALID_ARGUMENT;
    d->failure.reason = reason;
    d->failure.offset = (size_t)(at - d->start);
    return NULL;
}

static const char *cn_pb_varint_careful(cn_pb_decoder_t *d, const char *p, const char *end, uint64_t *value) {
    const char *at = p;
    uint64_t v = 0;
    unsigned shift;
    for (shift = 0; shift < 70; shift += 7) {
        unsigned char byte;
        if (p == end) return cn_pb_bad(d, at, "truncated");
        byte = (unsigned char)*p++;
        if (shift == 63 && byte > 1) break;
        v |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *value = v;
            return p;
        }
    }
    return cn_pb_bad(d, at, "varint too long");
}

CN_PRIVATE CN_APART const char *cn_pb_varint_long(cn_pb_decoder_t *d, const char *p, const char *end, uint64_t *value) {
#if CN_PB_LITTLE && defined(__GNUC__)
    if (CN_LIKELY(d->limit - p >= 10)) {
        uint64_t w = cn_pb_load64(p), stop = ~w & 0x8080808080808080u;
        const char *next;
        if (CN_LIKELY(stop != 0)) {
            next = p + (((unsigned)__builtin_ctzll(stop) + 1) >> 3);
            *value = cn_pb_squeeze(w & (stop ^ (stop - 1)));
        } else {
            unsigned char ninth = (unsigned char)p[8], tenth = (unsigned char)p[9];
            uint64_t v = cn_pb_squeeze(w) | (uint64_t)(ninth & 0x7F) << 56;
            next = p + 9;
            if (ninth >= 0x80) {
                if (tenth > 1) return cn_pb_varint_careful(d, p, end, value); /* which finds what is wrong */
                v |= (uint64_t)tenth << 63;
                next = p + 10;
            }
            *value = v;
        }
        return CN_LIKELY(next <= end) ? next : cn_pb_bad(d, p, "truncated");
    }
#endif
    return cn_pb_varint_careful(d, p, end, value);
}

CN_PRIVATE CN_APART const char *cn_pb_tag_long(cn_pb_decoder_t *d, const char *p, const char *end, uint32_t *tag) {
    uint64_t value = 0; /* gcc cannot see that it is set */
    const char *next = cn_pb_varint_careful(d, p, end, &value);
    if (!next) return NULL;
    if (next - p > 5 || value > 0xFFFFFFFFu) return cn_pb_bad(d, p, "field number too large");
    *tag = (uint32_t)value;
    return next;
}

CN_PRIVATE const char *cn_pb_skip(cn_pb_decoder_t *d, const char *p, const char *end, uint32_t tag, const char *at) {
    const uint32_t number = tag >> 3;
    uint64_t value;
    size_t len;
    if (number == 0) return cn_pb_bad(d, at, "field number 0");
    switch (tag & 7) {
    case CONNECT_WIRE_VARINT: return cn_pb_varint(d, p, end, &value);
    case CONNECT_WIRE_FIXED64: return end - p >= 8 ? p + 8 : cn_pb_bad(d, p, "truncated");
    case CONNECT_WIRE_FIXED32: return end - p >= 4 ? p + 4 : cn_pb_bad(d, p, "truncated");
    case CONNECT_WIRE_BYTES: p = cn_pb_len(d, p, end, &len); return p ? p + len : NULL;
    case CONNECT_WIRE_GROUP:
        if (d->depth_left == 0) {
            return cn_pb_bad(d, at, "nested deeper than depth_max");
        }
        d->depth_left--;
        while (p < end) {
            uint32_t inner;
            const char *start = p;
            p = cn_pb_tag(d, p, end, &inner);
            if (!p) return NULL;
            if ((inner & 7) == CN_PB_WIRE_END) {
                if (inner >> 3 != number) return cn_pb_bad(d, start, "end of another group");
                d->depth_left++;
                d->group_end = start;
                return p;
            }
            p = cn_pb_skip(d, p, end, inner, start);
            if (!p) return NULL;
        }
        return cn_pb_bad(d, p, "truncated");
    case CN_PB_WIRE_END: return cn_pb_bad(d, at, "end of a group that was not begun");
    default: return cn_pb_bad(d, at, "unknown wire type");
    }
}

/* ---- The wire by hand ---- */

bool connect_reader_next(connect_reader_t *reader, connect_record_t *record) {
    const char *p = reader->rest.data, *end, *start;
    cn_pb_decoder_t d;
    uint32_t tag;
    size_t len;
    memset(record, 0, sizeof *record);
    record->wire = CONNECT_WIRE_VARINT;
    if (reader->failed || reader->rest.len == 0) return false;
    end = p + reader->rest.len;
    start = p;
    d.start = p;
    d.limit = end;
    d.depth_left = CN_MESSAGE_DEPTH;
    reader->failed = true;
    p = cn_pb_tag(&d, p, end, &tag);
    if (!p) return false;
    record->number = tag >> 3;
    switch (tag & 7) {
    case CONNECT_WIRE_VARINT:
        record->wire = CONNECT_WIRE_VARINT;
        p = cn_pb_varint(&d, p, end, &record->value);
        break;
    case CONNECT_WIRE_FIXED64:
        record->wire = CONNECT_WIRE_FIXED64;
        if (end - p < 8) return false;
        record->value = cn_pb_load64(p);
        p += 8;
        break;
    case CONNECT_WIRE_FIXED32:
        record->wire = CONNECT_WIRE_FIXED32;
        if (end - p < 4) return false;
        record->value = cn_pb_load32(p);
        p += 4;
        break;
    case CONNECT_WIRE_BYTES:
        record->wire = CONNECT_WIRE_BYTES;
        p = cn_pb_len(&d, p, end, &len);
        if (!p) return false;
        record->bytes.data = p;
        record->bytes.len = len;
        p += len;
        break;
    case CONNECT_WIRE_GROUP:
        record->wire = CONNECT_WIRE_GROUP;
        record->bytes.data = p;
        p = cn_pb_skip(&d, p, end, tag, start);
        if (!p) return false;
        record->bytes.len = (size_t)(d.group_end - record->bytes.data);
        break;
    default: return false;
    }
    if (!p || record->number == 0) return false;
    reader->rest.len = (size_t)(end - p);
    reader->rest.data = p;
    reader->failed = false;
    return true;
}

/* The wire type of a value of this kind that stands alone. */
static connect_wire_t cn_pb_wire_of(connect_kind_t kind) {
    switch (kind) {
    case CONNECT_KIND_DOUBLE:
    case CONNECT_KIND_FIXED64:
    case CONNECT_KIND_SFIXED64: return CONNECT_WIRE_FIXED64;
    case CONNECT_KIND_FLOAT:
    case CONNECT_KIND_FIXED32:
    case CONNECT_KIND_SFIXED32: return CONNECT_WIRE_FIXED32;
    case CONNECT_KIND_STRING:
    case CONNECT_KIND_MESSAGE:
    case CONNECT_KIND_BYTES: return CONNECT_WIRE_BYTES;
    case CONNECT_KIND_GROUP: return CONNECT_WIRE_GROUP;
    default: return CONNECT_WIRE_VARINT;
    }
}

bool connect_record_get(const connect_record_t *record, connect_kind_t kind, void *value) {
    uint32_t low = (uint32_t)record->value;
    uint64_t wide = record->value;
    if (record->wire != cn_pb_wire_of(kind)) return false;
    switch (kind) {
    case CONNECT_KIND_SINT64: wide = cn_pb_zigzag64_decode(wide); /* fall through */
    case CONNECT_KIND_INT64:
    case CONNECT_KIND_UINT64:
    case CONNECT_KIND_DOUBLE:
    case CONNECT_KIND_FIXED64:
    case CONNECT_KIND_SFIXED64: memcpy(value, &wide, 8); return true;
    case CONNECT_KIND_SINT32: low = cn_pb_zigzag32_decode(low); /* fall through */
    case CONNECT_KIND_INT32:
    case CONNECT_KIND_UINT32:
    case CONNECT_KIND_ENUM:
    case CONNECT_KIND_FLOAT:
    case CONNECT_KIND_FIXED32:
    case CONNECT_KIND_SFIXED32: memcpy(value, &low, 4); return true;
    case CONNECT_KIND_BOOL: {
        const bool truth = wide != 0;
        memcpy(value, &truth, sizeof truth);
        return true;
    }
    case CONNECT_KIND_STRING:
    case CONNECT_KIND_BYTES:
    case CONNECT_KIND_MESSAGE:
    case CONNECT_KIND_GROUP: memcpy(value, &record->bytes, sizeof record->bytes); return true;
    default: return false;
    }
}
