#pragma once
#include "base/sys.h"

/* Allocator calls; allocator: NULL is libc. cn_mem_acquire gives zeroed memory; size 0 is taken as 1. */
CN_PRIVATE void *cn_mem_acquire(const connect_allocator_t *allocator, size_t size);
CN_PRIVATE void *cn_mem_resize(const connect_allocator_t *allocator, void *block, size_t size);
CN_PRIVATE void cn_mem_release(const connect_allocator_t *allocator, void *block);

/* Takes memory as connect_arena_take does, but not zeroed and without overflow check: size is in bytes. */
CN_PRIVATE void *cn_arena_raw(connect_arena_t *arena, size_t size);
/* Grows what was taken last in place, or moves it; new bytes are not zeroed. block NULL: takes anew. */
CN_PRIVATE void *cn_arena_grow(connect_arena_t *arena, void *block, size_t old_size, size_t new_size);
/* Gives back the tail of what was taken last. */
CN_PRIVATE void cn_arena_shrink(connect_arena_t *arena, void *block, size_t old_size, size_t new_size);
CN_PRIVATE connect_str_t cn_arena_vprintf(connect_arena_t *arena, const char *format, va_list arguments)
    CONNECT_PRINTF(2, 0);
/* How large the block is that is taken from; 0: none, or the caller's. */
CN_PRIVATE size_t cn_arena_block_size(const connect_arena_t *arena);
