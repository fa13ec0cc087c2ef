#include "base/buf.h"
#include "base/mem.h"

/* A byte queue in one block. Bytes are appended at `end` and dropped at `start`; the block is read in place, so what
   is in the queue is always contiguous. When the end of the block is reached, the bytes are moved to its start if that
   makes room, else the block is at least doubled. Where the sender has said how much is to come it grows fourfold, but
   not past that: a claim takes at most four times the bytes that are there. Behind `capacity` there are CN_SLACK bytes
   more, which readers may read.

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

/* Moves what is in the queue into a new block. Returns false: out of memory, nothing changed. */
static bool cn_buf_move(cn_buf_t *buf, const connect_allocator_t *allocator, size_t capacity) {
    const size_t used = buf->end - buf->start;
    char *block;
    if (!allocator) allocator = connect_allocator_libc();
    block = (char *)allocator->acquire(allocator->ctx, capacity + CN_SLACK);
    if (!block) return false;
    if (used) memcpy(block, buf->block + buf->start, used);
    memset(block + capacity, 0, CN_SLACK);
    cn_mem_release(allocator, buf->block);
    buf->block = block;
    buf->start = 0;
    buf->end = used;
    buf->capacity = capacity;
    return true;
}

CN_PRIVATE char *cn_buf_reserve(cn_buf_t *buf, const connect_allocator_t *allocator, size_t len) {
    size_t used = buf->end - buf->start, capacity;
    if (CN_LIKELY(buf->block && buf->capacity - buf->end >= len)) return buf->block + buf->end;
    if (buf->block && buf->capacity - used >= len && used <= buf->capacity / 2) {
        memmove(buf->block, buf->block + buf->start, used);
        buf->start = 0;
        buf->end = used;
        return buf->block + used;
    }
    if (len > SIZE_MAX / 4 - used) return NULL;
    capacity = CN_MAX(buf->capacity * 2, (used + len + (CN_BUF_FIRST - 1)) / CN_BUF_FIRST * CN_BUF_FIRST);
    return cn_buf_move(buf, allocator, capacity) ? buf->block + used : NULL;
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

CN_PRIVATE bool cn_buf_append_part(
    cn_buf_t *buf, const connect_allocator_t *allocator, const void *bytes, size_t len, size_t whole) {
    const size_t used = buf->end - buf->start;
    const bool grows = buf->capacity - buf->end < len && whole > buf->capacity && whole > CN_BUF_FIRST;
    if (grows && len <= whole - used && whole < SIZE_MAX / 4) {
        const size_t capacity = CN_MIN(whole, CN_MAX(4 * (used + len), (size_t)CN_BUF_FIRST));
        if (!cn_buf_move(buf, allocator, capacity)) return false;
    }
    return cn_buf_append(buf, allocator, bytes, len);
}

CN_PRIVATE bool cn_buf_append_str(cn_buf_t *buf, const connect_allocator_t *allocator, connect_str_t bytes) {
    return cn_buf_append(buf, allocator, bytes.data, bytes.len);
}

CN_PRIVATE void cn_buf_move_up(cn_buf_t *buf, size_t len) {
    char *from = buf->block + buf->start;
    memmove(from + len, from, buf->end - buf->start);
    buf->start += len;
    buf->end += len;
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

#define CN_BUF_LARGE (64u * 1024u)
#define CN_BUF_LARGE_MAX (1024u * 1024u) /* of large blocks in a pool, together */

CN_PRIVATE void cn_buf_borrow(cn_buf_t *buf, cn_buf_pool_t *pool) {
    if (buf->block || !pool->count) return;
    *buf = pool->blocks[--pool->count];
    buf->start = buf->end = 0;
    if (buf->capacity > CN_BUF_LARGE) pool->large_bytes -= buf->capacity;
}

CN_PRIVATE void cn_buf_give_back(cn_buf_t *buf, cn_buf_pool_t *pool, const connect_allocator_t *allocator) {
    const size_t large = buf->capacity > CN_BUF_LARGE ? buf->capacity : 0;
    if (!buf->block) return;
    if (pool->count < CN_LEN(pool->blocks) && large <= CN_BUF_LARGE_MAX - pool->large_bytes) {
        pool->large_bytes += large;
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

CN_PRIVATE bool cn_buf_has_room_for_spare(const cn_buf_pool_t *pool, size_t size, size_t max) {
    return pool->spare_bytes + size <= max;
}

CN_PRIVATE void cn_buf_keep_spare(cn_buf_pool_t *pool, size_t size_class, void *block, size_t size) {
    cn_spare_t *spare = (cn_spare_t *)block;
    spare->next = pool->spares[size_class];
    pool->spares[size_class] = spare;
    pool->spare_bytes += size;
}

CN_PRIVATE void *cn_buf_share(cn_buf_pool_t *pool, const connect_allocator_t *allocator, size_t size) {
    if (!pool->shared) pool->shared = cn_mem_resize(allocator, NULL, size);
    if (pool->shared) pool->sharers++;
    return pool->shared;
}

CN_PRIVATE void cn_buf_unshare(cn_buf_pool_t *pool, const connect_allocator_t *allocator) {
    if (--pool->sharers) return;
    cn_mem_release(allocator, pool->shared);
    pool->shared = NULL;
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
    pool->spare_bytes = pool->large_bytes = 0;
    while (pool->count)
        cn_buf_free(&pool->blocks[--pool->count], allocator);
}
