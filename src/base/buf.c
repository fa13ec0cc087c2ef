#include "base/buf.h"
#include "base/mem.h"

/* A byte queue in one block. Bytes are appended at `end` and dropped at `start`; the block is read in place, so what
   is in the queue is always contiguous. When the end of the block is reached, the bytes are moved to its start if that
   makes room, else the block doubles. Behind `capacity` there are CN_SLACK bytes more, which readers may read.

   Invariants: start <= end <= capacity; an empty queue has start == end == 0. */

#define CN_BUF_FIRST 512u

CN_PRIVATE size_t cn_buf_len(const cn_buf_t *buf) {
    return buf->end - buf->start;
}

CN_PRIVATE connect_str_t cn_buf_view(const cn_buf_t *buf) {
    connect_str_t view;
    view.data = buf->block ? buf->block + buf->start : "";
    view.len = buf->end - buf->start;
    return view;
}

CN_PRIVATE char *cn_buf_reserve(cn_buf_t *buf, const connect_allocator_t *allocator, size_t len) {
    size_t used = buf->end - buf->start, capacity;
    char *block;
    if (CN_LIKELY(buf->block && buf->capacity - buf->end >= len)) return buf->block + buf->end;
    if (buf->block && buf->capacity - used >= len && used <= buf->capacity / 2) {
        memmove(buf->block, buf->block + buf->start, used);
        buf->start = 0;
        buf->end = used;
        return buf->block + used;
    }
    if (len > SIZE_MAX / 4 - used) return NULL;
    capacity = CN_MAX(buf->capacity * 2, (size_t)CN_BUF_FIRST);
    while (capacity < used + len)
        capacity *= 2;
    if (!allocator) allocator = connect_allocator_libc();
    block = (char *)allocator->acquire(allocator->ctx, capacity + CN_SLACK);
    if (!block) return NULL;
    if (used) memcpy(block, buf->block + buf->start, used);
    memset(block + capacity, 0, CN_SLACK);
    cn_mem_release(allocator, buf->block);
    buf->block = block;
    buf->start = 0;
    buf->end = used;
    buf->capacity = capacity;
    return block + used;
}

CN_PRIVATE void cn_buf_commit(cn_buf_t *buf, size_t len) {
    buf->end += len;
}

CN_PRIVATE bool cn_buf_append(cn_buf_t *buf, const connect_allocator_t *allocator, const void *bytes, size_t len) {
    char *to;
    if (len == 0) return true;
    to = cn_buf_reserve(buf, allocator, len);
    if (!to) return false;
    memcpy(to, bytes, len);
    buf->end += len;
    return true;
}

CN_PRIVATE bool cn_buf_append_str(cn_buf_t *buf, const connect_allocator_t *allocator, connect_str_t bytes) {
    return cn_buf_append(buf, allocator, bytes.data, bytes.len);
}

CN_PRIVATE void cn_buf_drop(cn_buf_t *buf, size_t len) {
    buf->start += len;
    if (buf->start == buf->end) buf->start = buf->end = 0;
}

CN_PRIVATE void cn_buf_truncate(cn_buf_t *buf, size_t len) {
    buf->end = buf->start + len;
    if (len == 0) buf->start = buf->end = 0;
}

CN_PRIVATE void cn_buf_clear(cn_buf_t *buf) {
    buf->start = buf->end = 0;
}

CN_PRIVATE void cn_buf_free(cn_buf_t *buf, const connect_allocator_t *allocator) {
    cn_mem_release(allocator, buf->block);
    memset(buf, 0, sizeof *buf);
}

#define CN_BUF_POOLED_MAX (64u * 1024u)

CN_PRIVATE void cn_buf_borrow(cn_buf_t *buf, cn_buf_pool_t *pool) {
    if (buf->block || !pool->count) return;
    *buf = pool->blocks[--pool->count];
    buf->start = buf->end = 0;
}

CN_PRIVATE void cn_buf_give_back(cn_buf_t *buf, cn_buf_pool_t *pool, const connect_allocator_t *allocator) {
    if (!buf->block) return;
    if (pool->count < CN_LEN(pool->blocks) && buf->capacity <= CN_BUF_POOLED_MAX) {
        pool->blocks[pool->count++] = *buf;
        memset(buf, 0, sizeof *buf);
    } else {
        cn_buf_free(buf, allocator);
    }
}

CN_PRIVATE void *cn_buf_take_spare(cn_buf_pool_t *pool, size_t size_class, size_t size) {
    cn_spare_t *spare = pool->spares[size_class];
    if (!spare) return NULL;
    pool->spares[size_class] = spare->next;
    pool->spare_bytes -= size;
    return spare;
}

CN_PRIVATE bool cn_buf_keep_spare(cn_buf_pool_t *pool, size_t size_class, void *block, size_t size, size_t max) {
    cn_spare_t *spare = (cn_spare_t *)block;
    if (pool->spare_bytes + size > max) return false;
    spare->next = pool->spares[size_class];
    pool->spares[size_class] = spare;
    pool->spare_bytes += size;
    return true;
}

CN_PRIVATE void cn_buf_pool_free(cn_buf_pool_t *pool, const connect_allocator_t *allocator) {
    size_t i;
    for (i = 0; i < CN_LEN(pool->spares); i++) {
        while (pool->spares[i]) {
            cn_spare_t *spare = pool->spares[i];
            pool->spares[i] = spare->next;
            cn_mem_release(allocator, spare);
        }
    }
    pool->spare_bytes = 0;
    while (pool->count)
        cn_buf_free(&pool->blocks[--pool->count], allocator);
}
