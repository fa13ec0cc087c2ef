#include "codec/zstd.h"
#include "base/mem.h"

/* zstd (RFC 8878) by libzstd. One frame and nothing behind it; skippable frames and dictionaries are refused.

   Memory. A frame that says how large its content is, as most do, expands straight into the queue. Any other needs a
   window in the context, as large as the frame asks for: above limits.zstd_window (RFC 9659: 8 MiB) it is refused, by
   its head alone (RFC 8878 3.1.1.1), whether a window would be needed or not. A content size over `max` is too large
   without expanding; one that is a lie makes the frame corrupt. A context that has grown above CN_ZSTD_KEPT_MAX is
   given back after the message.

   Contexts are kept, and reset for each message: then libzstd allocates nothing. Their memory comes from our allocator,
   for which libzstd must export its "advanced" constructors; every distribution's does. */

#define CN_ZSTD_LEVEL 1              /* the fastest but for the negative ones */
#define CN_ZSTD_LEVEL_MAX 19         /* above, windows of more than 8 MiB */
#define CN_ZSTD_MAGIC 0xFD2FB528u    /* RFC 8878 3.1.1 */
#define CN_ZSTD_SINGLE_SEGMENT 0x20u /* in the frame header descriptor, byte 4 */
#define CN_ZSTD_DICTIONARY 0x03u
#define CN_ZSTD_FIRST 1024u /* room to expand into, at first at least */
#define CN_ZSTD_KEPT_MAX (2u * 1024u * 1024u)

#if CONNECT_ENABLE_ZSTD
static void *cn_zstd_acquire(void *allocator, size_t size) {
    const connect_allocator_t *from = (const connect_allocator_t *)allocator;
    return from->acquire(from->ctx, size); /* not zeroed */
}

static void cn_zstd_release(void *allocator, void *block) {
    cn_mem_release((const connect_allocator_t *)allocator, block);
}

static ZSTD_customMem cn_zstd_memory(const connect_allocator_t *allocator) {
    ZSTD_customMem memory = {cn_zstd_acquire, cn_zstd_release, NULL};
    memcpy(&memory.opaque, &allocator, sizeof memory.opaque); /* const stays const: it comes back as such */
    return memory;
}

static ZSTD_CCtx *cn_zstd_compressor(cn_zstd_t *zstd, const connect_allocator_t *allocator, int32_t level) {
    ZSTD_CCtx *context = (ZSTD_CCtx *)zstd->compress;
    if (context) return context;
    context = ZSTD_createCCtx_advanced(cn_zstd_memory(allocator));
    if (!context) return NULL;
    level = level == 0 ? CN_ZSTD_LEVEL : CN_MIN(level, CN_ZSTD_LEVEL_MAX);
    if (ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, CN_MAX(level, ZSTD_minCLevel())))) {
        ZSTD_freeCCtx(context);
        return NULL;
    }
    zstd->compress = context;
    return context;
}

CN_PRIVATE bool cn_zstd_compress(
    cn_zstd_t *zstd, const connect_allocator_t *allocator, int32_t level, connect_str_t in, cn_buf_t *out) {
    ZSTD_CCtx *context = cn_zstd_compressor(zstd, allocator, level);
    const size_t room = ZSTD_compressBound(in.len);
    char *to;
    size_t len;
    if (!context || ZSTD_isError(room)) return false;
    to = cn_buf_reserve(out, allocator, room);
    if (!to) return false;
    len = ZSTD_compress2(context, to, room, in.data, in.len);
    if (ZSTD_isError(len)) return false;
    cn_buf_commit(out, len);
    if (ZSTD_sizeof_CCtx(context) > CN_ZSTD_KEPT_MAX) {
        ZSTD_freeCCtx(context);
        zstd->compress = NULL;
    }
    return true;
}

static int cn_zstd_log2(uint32_t window) {
    int log = 10; /* the smallest there is */
    while (log < 31 && (window >> log) > 1)
        log++;
    return log < 31 && ((uint32_t)1 << log) < window ? log + 1 : log;
}

static ZSTD_DCtx *cn_zstd_expander(cn_zstd_t *zstd, const connect_allocator_t *allocator, uint32_t window) {
    ZSTD_DCtx *context = (ZSTD_DCtx *)zstd->expand;
    if (context) {
        ZSTD_DCtx_reset(context, ZSTD_reset_session_only);
        return context;
    }
    context = ZSTD_createDCtx_advanced(cn_zstd_memory(allocator));
    if (!context) return NULL;
    if (ZSTD_isError(ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, cn_zstd_log2(window)))) {
        ZSTD_freeDCtx(context);
        return NULL;
    }
    zstd->expand = context;
    return context;
}

/* Tells whether it begins as a frame that we take (RFC 8878 3.1.1.1). */
static bool cn_zstd_head_is_good(connect_str_t in, uint32_t window) {
    const unsigned char *bytes = (const unsigned char *)in.data;
    uint64_t base;
    if (in.len < 6) return false;
    if (((uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24) !=
            CN_ZSTD_MAGIC ||
        (bytes[4] & CN_ZSTD_DICTIONARY))
        return false;
    if (bytes[4] & CN_ZSTD_SINGLE_SEGMENT) return true; /* its window is its content, which has a limit of its own */
    base = (uint64_t)1 << (10 + (bytes[5] >> 3));
    return base + base / 8 * (bytes[5] & 7u) <= window;
}

static cn_expand_t cn_zstd_expand_with(
    ZSTD_DCtx *context, const connect_allocator_t *allocator, connect_str_t in, size_t max, cn_buf_t *out) {
    const unsigned long long declared = ZSTD_getFrameContentSize(in.data, in.len);
    const size_t before = cn_buf_len(out);
    size_t room = CN_MAX(in.len < max ? in.len * 3 : max, (size_t)CN_ZSTD_FIRST), produced = 0, left = 1;
    ZSTD_inBuffer from;
    if (declared == ZSTD_CONTENTSIZE_ERROR) return CN_EXPAND_CORRUPT;
    if (declared != ZSTD_CONTENTSIZE_UNKNOWN) {
        if (declared > max) return CN_EXPAND_TOO_LARGE;
        room = CN_MAX((size_t)declared, (size_t)1);
    }
    from.src = in.data;
    from.size = in.len;
    from.pos = 0;
    while (left) {
        ZSTD_outBuffer to;
        const size_t from_before = from.pos;
        to.size = max - produced < room ? max - produced + 1 : room;
        to.dst = cn_buf_reserve(out, allocator, to.size);
        to.pos = 0;
        if (!to.dst) return CN_EXPAND_NO_MEMORY;
        left = ZSTD_decompressStream(context, &to, &from);
        if (ZSTD_isError(left))
            return ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation ? CN_EXPAND_NO_MEMORY : CN_EXPAND_CORRUPT;
        cn_buf_commit(out, to.pos);
        produced = cn_buf_len(out) - before;
        if (produced > max) return CN_EXPAND_TOO_LARGE;
        if (left && from.pos == from.size && to.pos < to.size) return CN_EXPAND_CORRUPT; /* truncated */
        if (left && from.pos == from_before && to.pos == 0) return CN_EXPAND_CORRUPT;
        room = CN_MAX(produced, (size_t)CN_ZSTD_FIRST);
    }
    return from.pos == from.size ? CN_EXPAND_OK : CN_EXPAND_CORRUPT;
}

CN_PRIVATE cn_expand_t cn_zstd_expand(cn_zstd_t *zstd, const connect_allocator_t *allocator, uint32_t window,
    connect_str_t in, size_t max, cn_buf_t *out) {
    cn_expand_t result;
    ZSTD_DCtx *context;
    if (!cn_zstd_head_is_good(in, window)) return CN_EXPAND_CORRUPT;
    context = cn_zstd_expander(zstd, allocator, window);
    if (!context) return CN_EXPAND_NO_MEMORY;
    result = cn_zstd_expand_with(context, allocator, in, max, out);
    if (ZSTD_sizeof_DCtx(context) > CN_ZSTD_KEPT_MAX) {
        ZSTD_freeDCtx(context);
        zstd->expand = NULL;
    }
    return result;
}

CN_PRIVATE void cn_zstd_free(cn_zstd_t *zstd, const connect_allocator_t *allocator) {
    (void)allocator;
    ZSTD_freeCCtx((ZSTD_CCtx *)zstd->compress);
    ZSTD_freeDCtx((ZSTD_DCtx *)zstd->expand);
    zstd->compress = zstd->expand = NULL;
}
#else
CN_PRIVATE void cn_zstd_free(cn_zstd_t *zstd, const connect_allocator_t *allocator) {
    (void)zstd;
    (void)allocator;
}
#endif
