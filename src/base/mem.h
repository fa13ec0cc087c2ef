#pragma once
#include "base/sys.h"

/* memcpy and memcmp == 0 for what is mostly short: words that overlap, and no call. */
static inline CN_HOT void cn_mem_copy(char *to, const char *from, size_t len) {
    if (len > 16) {
        memcpy(to, from, len);
    } else if (len >= 8) {
        uint64_t first, last;
        memcpy(&first, from, 8);
        memcpy(&last, from + len - 8, 8);
        memcpy(to, &first, 8);
        memcpy(to + len - 8, &last, 8);
    } else if (len >= 4) {
        uint32_t first, last;
        memcpy(&first, from, 4);
        memcpy(&last, from + len - 4, 4);
        memcpy(to, &first, 4);
        memcpy(to + len - 4, &last, 4);
    } else if (len) {
        to[0] = from[0];
        to[len >> 1] = from[len >> 1];
        to[len - 1] = from[len - 1];
    }
}

static inline CN_HOT bool cn_mem_equal(const char *a, const char *b, size_t len) {
    if (len > 16) return memcmp(a, b, len) == 0;
    if (len >= 8) {
        uint64_t a_first, a_last, b_first, b_last;
        memcpy(&a_first, a, 8);
        memcpy(&a_last, a + len - 8, 8);
        memcpy(&b_first, b, 8);
        memcpy(&b_last, b + len - 8, 8);
        return ((a_first ^ b_first) | (a_last ^ b_last)) == 0;
    }
    if (len >= 4) {
        uint32_t a_first, a_last, b_first, b_last;
        memcpy(&a_first, a, 4);
        memcpy(&a_last, a + len - 4, 4);
        memcpy(&b_first, b, 4);
        memcpy(&b_last, b + len - 4, 4);
        return ((a_first ^ b_first) | (a_last ^ b_last)) == 0;
    }
    return len == 0 || (a[0] == b[0] && a[len >> 1] == b[len >> 1] && a[len - 1] == b[len - 1]);
}

/* Allocator calls; allocator: NULL is libc. cn_mem_acquire gives zeroed memory; size 0 is taken as 1. */
CN_PRIVATE void *cn_mem_acquire(const connect_allocator_t *allocator, size_t size);
CN_PRIVATE void *cn_mem_resize(const connect_allocator_t *allocator, void *block, size_t size);
CN_PRIVATE void cn_mem_release(const connect_allocator_t *allocator, void *block);
/* Zeroes secrets, also where nobody looks any more. */
CN_PRIVATE void cn_mem_wipe(void *bytes, size_t len);

#define CN_ARENA_ALIGN 16u

/* Where the arena's block has no room. */
CN_PRIVATE void *cn_arena_raw_anew(connect_arena_t *arena, size_t size);
/* Takes memory as connect_arena_take does, but not zeroed and without overflow check: size is in bytes. */
static inline void *cn_arena_raw(connect_arena_t *arena, size_t size) {
    const size_t room = (size_t)(arena->private_end - arena->private_next);
    char *at = arena->private_next;
    if (CN_UNLIKELY(size == 0 || room < CN_ARENA_ALIGN || size > room - (CN_ARENA_ALIGN - 1)))
        return cn_arena_raw_anew(arena, size);
    arena->private_next = at + ((size + (CN_ARENA_ALIGN - 1)) & ~(size_t)(CN_ARENA_ALIGN - 1));
    return at;
}
/* Grows what was taken last in place, or moves it; new bytes are not zeroed. block NULL: takes anew. */
CN_PRIVATE void *cn_arena_grow(connect_arena_t *arena, void *block, size_t old_size, size_t new_size);
/* Gives back the tail of what was taken last. */
CN_PRIVATE void cn_arena_shrink(connect_arena_t *arena, void *block, size_t old_size, size_t new_size);
CN_PRIVATE connect_str_t cn_arena_vprintf(connect_arena_t *arena, const char *format, va_list arguments)
    CONNECT_PRINTF(2, 0);
/* Zeroes all that was taken since the last reset; to be freed then. */
CN_PRIVATE void cn_arena_wipe(connect_arena_t *arena);
/* How large the block is that is taken from; 0: none, or the caller's. */
CN_PRIVATE size_t cn_arena_block_size(const connect_arena_t *arena);
