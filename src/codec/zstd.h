#pragma once
#include "base/sys.h"
#include "base/buf.h"
#include "codec/expand.h"

typedef struct cn_zstd_t { /* contexts, made when first needed and used again; zeroed: none */
    void *compress, *expand;
} cn_zstd_t;

#if CONNECT_ENABLE_ZSTD
/* Appends `in` compressed. level: 0: fast. Returns false: out of memory, nothing was appended. */
CN_PRIVATE bool cn_zstd_compress(
    cn_zstd_t *zstd, const connect_allocator_t *allocator, int32_t level, connect_str_t in, cn_buf_t *out);
/* Appends what `in` expands to, at most max bytes. window: the largest that a frame may ask for. */
CN_PRIVATE cn_expand_t cn_zstd_expand(cn_zstd_t *zstd, const connect_allocator_t *allocator, uint32_t window,
    connect_str_t in, size_t max, cn_buf_t *out);
#endif
CN_PRIVATE void cn_zstd_free(cn_zstd_t *zstd, const connect_allocator_t *allocator);
