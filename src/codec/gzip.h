#pragma once
#include "base/sys.h"
#include "base/buf.h"
#include "codec/expand.h"

typedef struct cn_gzip_t { /* contexts, made when first needed and used again; zeroed: none */
    void *deflate, *inflate;
} cn_gzip_t;

#if CONNECT_ENABLE_GZIP
/* Appends `in` compressed. level: 0: fast. Returns false: out of memory, nothing was appended. */
CN_PRIVATE bool cn_gzip_compress(
    cn_gzip_t *gzip, const connect_allocator_t *allocator, int32_t level, connect_str_t in, cn_buf_t *out);
/* Appends what `in` expands to, at most max bytes. */
CN_PRIVATE cn_expand_t cn_gzip_expand(
    cn_gzip_t *gzip, const connect_allocator_t *allocator, connect_str_t in, size_t max, cn_buf_t *out);
#endif
CN_PRIVATE void cn_gzip_free(cn_gzip_t *gzip, const connect_allocator_t *allocator);
