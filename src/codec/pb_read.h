#pragma once
#include "base/sys.h"
#include "codec/pb_wire.h"

/* What is read of protobuf binary whatever it means: see pb_read.c. A reader gets `p`, where it begins, and `end`,
   which it does not pass. It returns where it ended, or NULL: then d->failure says why. */

typedef struct cn_pb_decoder_t { /* readers use the first three, depth_left and failure */
    const char *start, *limit;   /* of the input, for offsets; how far may be read */
    const char *group_end;       /* of the unknown group that was passed over last */
    connect_arena_t *arena;
    size_t memory_left;
    uint32_t depth_left;
    bool keeps_unknown;
    bool entry_unknown; /* the map entry just read has a number that its closed enum does not know */
    cn_pb_failure_t failure;
} cn_pb_decoder_t;

/* Notes a failure. Returns NULL, so that a failing reader can return it. */
CN_PRIVATE CN_COLD const char *cn_pb_bad(cn_pb_decoder_t *d, const char *at, const char *reason);
/* As cn_pb_varint, which sees to most: those of one and two bytes. */
CN_PRIVATE CN_APART const char *cn_pb_varint_long(cn_pb_decoder_t *d, const char *p, const char *end, uint64_t *value);
/* As cn_pb_tag. */
CN_PRIVATE CN_APART const char *cn_pb_tag_long(cn_pb_decoder_t *d, const char *p, const char *end, uint32_t *tag);
/* Passes over the value of a record; groups with all that is in them. at: where its tag is. */
CN_PRIVATE const char *cn_pb_skip(cn_pb_decoder_t *d, const char *p, const char *end, uint32_t tag, const char *at);

static inline CN_HOT const char *cn_pb_varint(cn_pb_decoder_t *d, const char *p, const char *end, uint64_t *value) {
    if (CN_LIKELY(p < end)) {
        unsigned char first = (unsigned char)*p;
        if (CN_LIKELY(first < 0x80)) {
            *value = first;
            return p + 1;
        }
        if (end - p >= 2 && (unsigned char)p[1] < 0x80) {
            *value = (uint64_t)(first & 0x7F) | (uint64_t)(unsigned char)p[1] << 7;
            return p + 2;
        }
    }
    return cn_pb_varint_long(d, p, end, value);
}

static inline CN_HOT const char *cn_pb_tag(cn_pb_decoder_t *d, const char *p, const char *end, uint32_t *tag) {
    uint32_t first = (unsigned char)*p;
    if (CN_LIKELY(first < 0x80)) {
        *tag = first;
        return p + 1;
    }
    if (CN_LIKELY(end - p >= 2 && (unsigned char)p[1] < 0x80)) {
        *tag = (first & 0x7F) | (uint32_t)(unsigned char)p[1] << 7;
        return p + 2;
    }
    return cn_pb_tag_long(d, p, end, tag);
}

/* Reads a length and sees that so much is there. */
static inline CN_HOT const char *cn_pb_len(cn_pb_decoder_t *d, const char *p, const char *end, size_t *len) {
    const char *at = p;
    uint64_t value;
    *len = 0;
    p = cn_pb_varint(d, p, end, &value);
    if (CN_UNLIKELY(!p)) return NULL;
    if (CN_UNLIKELY(value > (uint64_t)(end - p))) return cn_pb_bad(d, at, "truncated");
    *len = (size_t)value;
    return p;
}
