#pragma once
#include "base/sys.h"

#define CN_SLACK 16 /* bytes that may be read behind any received input: readers load whole words */

typedef struct cn_buf_t { /* a byte queue in one block: appended at the end, dropped at the start; zeroed: empty */
    char *block;
    size_t start, end, capacity; /* the block has CN_SLACK bytes more than capacity */
} cn_buf_t;

CN_PRIVATE size_t cn_buf_len(const cn_buf_t *buf);
CN_PRIVATE connect_str_t cn_buf_view(const cn_buf_t *buf);
/* Makes room for so many bytes more and returns where they go; NULL: out of memory, nothing changed. */
CN_PRIVATE char *cn_buf_reserve(cn_buf_t *buf, const connect_allocator_t *allocator, size_t len);
/* Says that so many of the reserved bytes were written. */
CN_PRIVATE void cn_buf_commit(cn_buf_t *buf, size_t len);
CN_PRIVATE bool cn_buf_append(cn_buf_t *buf, const connect_allocator_t *allocator, const void *bytes, size_t len);
/* Appends a piece of what the sender says will be `whole` bytes, with all that is in the queue. */
CN_PRIVATE bool cn_buf_append_part(
    cn_buf_t *buf, const connect_allocator_t *allocator, const void *bytes, size_t len, size_t whole);
CN_PRIVATE bool cn_buf_append_str(cn_buf_t *buf, const connect_allocator_t *allocator, connect_str_t bytes);
/* Moves what is in the queue so many bytes up, into what was reserved. */
CN_PRIVATE void cn_buf_move_up(cn_buf_t *buf, size_t len);
/* Takes bytes off the start. */
CN_PRIVATE void cn_buf_drop(cn_buf_t *buf, size_t len);
/* Cuts the end back to a length. */
CN_PRIVATE void cn_buf_truncate(cn_buf_t *buf, size_t len);
CN_PRIVATE void cn_buf_clear(cn_buf_t *buf);
/* Gives the block back. */
CN_PRIVATE void cn_buf_free(cn_buf_t *buf, const connect_allocator_t *allocator);

typedef struct cn_spare_t { /* how a spare block begins */
    struct cn_spare_t *next;
} cn_spare_t;
typedef struct cn_buf_pool_t { /* memory that connections borrow, so that an idle one owns none */
    cn_buf_t blocks[16];
    size_t count;
    size_t large_bytes;     /* of those blocks, in large ones */
    cn_spare_t *spares[16]; /* blocks that are no queues, by a size class of who uses them */
    size_t spare_bytes;
    void *shared;           /* the block that all have at once */
    uint32_t sharers;
    bool shared_is_busy;    /* one of them is in the middle of its use */
} cn_buf_pool_t;

/* Gives an empty queue a block from the pool, if there is one. */
CN_PRIVATE void cn_buf_borrow(cn_buf_t *buf, cn_buf_pool_t *pool);
/* Puts the block of an empty queue into the pool; one too many, and large ones above a sum, are freed. */
CN_PRIVATE void cn_buf_give_back(cn_buf_t *buf, cn_buf_pool_t *pool, const connect_allocator_t *allocator);
/* Takes a spare block of this class and size; NULL: there is none. */
CN_PRIVATE void *cn_buf_take_spare(cn_buf_pool_t *pool, size_t size_class, size_t size);
/* Tells whether all spare blocks with this one have no more than max bytes; then it may be kept. */
CN_PRIVATE bool cn_buf_has_room_for_spare(const cn_buf_pool_t *pool, size_t size, size_t max);
CN_PRIVATE void cn_buf_keep_spare(cn_buf_pool_t *pool, size_t size_class, void *block, size_t size);
/* The block that all have at once, for what nobody needs any more when the next one uses it; all ask for the same size.
   NULL: out of memory. Ends with cn_buf_unshare, before the pool. */
CN_PRIVATE void *cn_buf_share(cn_buf_pool_t *pool, const connect_allocator_t *allocator, size_t size);
CN_PRIVATE void cn_buf_unshare(cn_buf_pool_t *pool, const connect_allocator_t *allocator);
CN_PRIVATE void cn_buf_pool_free(cn_buf_pool_t *pool, const connect_allocator_t *allocator);
