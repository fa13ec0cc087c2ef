#pragma once
#include "base/sys.h"
#include "base/utf8.h"

/* What reading and writing protobuf binary share: see pb_read.c and pb_encode.c. */

#define CN_PB_NUMBER_MAX 0x1FFFFFFFu
#define CN_PB_WIRE_END 4u /* of a group; the other wire types are connect_wire_t's */
#define CN_PB_PATH 256u

#if defined(__BYTE_ORDER__) && defined(__ORDER_LITTLE_ENDIAN__)
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define CN_PB_LITTLE 1
#endif
#endif
#ifndef CN_PB_LITTLE
#define CN_PB_LITTLE 0
#endif

/* ---- Where it failed ---- */

typedef struct cn_pb_failure_t {
    connect_code_t code;
    const char *reason; /* static; NULL: nothing failed */
    bool no_offset;     /* encoding, and what is missing, have none */
    bool cut;           /* the path is full */
    size_t offset;
    size_t begin; /* of the path in `text`, which is filled from its end */
    char text[CN_PB_PATH];
} cn_pb_failure_t;

static inline void cn_pb_failure_init(cn_pb_failure_t *failure) {
    failure->code = CONNECT_OK;
    failure->reason = NULL;
    failure->no_offset = failure->cut = false;
    failure->offset = 0;
    failure->begin = CN_PB_PATH - 1;
    failure->text[CN_PB_PATH - 1] = 0;
}
/* Puts ".name" or ".name[index]" in front of the path. */
CN_PRIVATE CN_COLD void cn_pb_failure_at(
    cn_pb_failure_t *failure, const connect_type_t *type, const connect_field_t *field, size_t index);
/* Makes the error, with its path in the arena. Returns false. */
CN_PRIVATE CN_COLD bool cn_pb_failure_report(
    const cn_pb_failure_t *failure, const connect_type_t *type, connect_arena_t *arena, connect_error_t *error);

/* ---- Numbers ---- */

static inline CN_HOT uint64_t cn_pb_load64(const char *p) {
#if CN_PB_LITTLE
    uint64_t value;
    memcpy(&value, p, 8);
    return value;
#else
    uint64_t value = 0;
    int i;
    for (i = 7; i >= 0; i--)
        value = value << 8 | (unsigned char)p[i];
    return value;
#endif
}

static inline CN_HOT uint32_t cn_pb_load32(const char *p) {
#if CN_PB_LITTLE
    uint32_t value;
    memcpy(&value, p, 4);
    return value;
#else
    return (uint32_t)(unsigned char)p[0] | (uint32_t)(unsigned char)p[1] << 8 | (uint32_t)(unsigned char)p[2] << 16 |
        (uint32_t)(unsigned char)p[3] << 24;
#endif
}

static inline CN_HOT void cn_pb_store64(char *p, uint64_t value) {
#if CN_PB_LITTLE
    memcpy(p, &value, 8);
#else
    int i;
    for (i = 0; i < 8; i++, value >>= 8)
        p[i] = (char)(unsigned char)(value & 0xFF);
#endif
}

static inline CN_HOT void cn_pb_store32(char *p, uint32_t value) {
#if CN_PB_LITTLE
    memcpy(p, &value, 4);
#else
    int i;
    for (i = 0; i < 4; i++, value >>= 8)
        p[i] = (char)(unsigned char)(value & 0xFF);
#endif
}

static inline CN_HOT uint32_t cn_pb_zigzag32_decode(uint32_t value) {
    return (value >> 1) ^ (0u - (value & 1));
}

static inline CN_HOT uint64_t cn_pb_zigzag64_decode(uint64_t value) {
    return (value >> 1) ^ ((uint64_t)0 - (value & 1));
}

static inline CN_HOT uint32_t cn_pb_zigzag32(uint32_t value) {
    return (value << 1) ^ (0u - (value >> 31));
}

static inline CN_HOT uint64_t cn_pb_zigzag64(uint64_t value) {
    return (value << 1) ^ ((uint64_t)0 - (value >> 63));
}

/* A 32-bit signed number is written as its 64-bit one: ten bytes if it is negative. */
static inline CN_HOT uint64_t cn_pb_sign_extend(uint32_t value) {
    return (uint64_t)value | ((uint64_t)0 - (value >> 31)) << 32;
}

static inline CN_HOT size_t cn_pb_varint_len(uint64_t value) {
#if defined(__GNUC__)
    return (size_t)((unsigned)(63 - __builtin_clzll(value | 1)) * 9 + 73) / 64;
#else
    size_t len = 1;
    while (value >= 0x80) {
        value >>= 7;
        len++;
    }
    return len;
#endif
}

/* ASCII is seen here, the rest elsewhere. Blocks overlap at the end, so nothing behind the text is read. */
static inline CN_HOT bool cn_pb_is_ascii(const char *p, size_t len) {
    const uint64_t high = 0x8080808080808080u;
#if defined(__SSE2__) && defined(__GNUC__)
    if (len >= 16) {
        const char *last = p + len - 16;
        __m128i all = _mm_loadu_si128((const __m128i *)(const void *)last);
        for (; p < last; p += 16)
            all = _mm_or_si128(all, _mm_loadu_si128((const __m128i *)(const void *)p));
        return _mm_movemask_epi8(all) == 0;
    }
#endif
    if (len >= 8) {
        const char *last = p + len - 8;
        uint64_t all, word;
        memcpy(&all, last, 8);
        for (; p < last; p += 8) {
            memcpy(&word, p, 8);
            all |= word;
        }
        return (all & high) == 0;
    }
    if (len >= 4) {
        uint32_t first, second;
        memcpy(&first, p, 4);
        memcpy(&second, p + len - 4, 4);
        return ((first | second) & 0x80808080u) == 0;
    }
    if (len == 0) return true;
    return (((unsigned char)p[0] | (unsigned char)p[len >> 1] | (unsigned char)p[len - 1]) & 0x80) == 0;
}

static inline CN_HOT bool cn_pb_is_utf8(const char *p, size_t len) {
    connect_str_t text;
    if (CN_LIKELY(cn_pb_is_ascii(p, len))) return true;
    text.data = p;
    text.len = len;
    return cn_utf8_valid(text);
}
