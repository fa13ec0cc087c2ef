#include "base/mem.h"
#include "base/str.h"

/* Memory: the allocator of the user's choice, and arenas over it.

   An arena is a list of blocks. Memory is taken from the youngest one by moving a pointer; a block that is too small
   stays behind, half used, and a larger one is taken: twice the size of the last, at least 1 KiB, at most 256 KiB
   unless one request needs more. Reset keeps the largest block only: after a few rounds of the same work, of up to
   256 KiB, one block holds all, and nothing is allocated any more. A first block may be the caller's (a stack array,
   or the tail of a struct); it is never released here.

   Encoders take from the end of the block, by moving private_end.

   Invariants: private_next <= private_end; both are NULL until the first block. Every block taken here starts with a
   cn_arena_block_t, the newest first. private_fixed says that the arena has an allocator field of NULL on purpose:
   the first block is all there is. All memory given out is aligned to CN_ARENA_ALIGN. */

#define CN_ARENA_FIRST 1024u
#define CN_ARENA_LARGEST (256u * 1024u)

typedef struct cn_arena_block_t {
    struct cn_arena_block_t *older;
    size_t size; /* of the whole block, this head included; 0: the caller's block, never released here */
    char *begin, *end;
} cn_arena_block_t;

static void *cn_mem_libc_acquire(void *ctx, size_t size) {
    (void)ctx;
    return malloc(size);
}

static void *cn_mem_libc_resize(void *ctx, void *block, size_t size) {
    (void)ctx;
    return realloc(block, size);
}

static void cn_mem_libc_release(void *ctx, void *block) {
    (void)ctx;
    free(block);
}

const connect_allocator_t *connect_allocator_libc(void) {
    static const connect_allocator_t libc = {cn_mem_libc_acquire, cn_mem_libc_resize, cn_mem_libc_release, NULL};
    return &libc;
}

CN_PRIVATE void *cn_mem_acquire(const connect_allocator_t *allocator, size_t size) {
    void *block;
    if (!allocator) allocator = connect_allocator_libc();
    if (size == 0) size = 1;
    block = allocator->acquire(allocator->ctx, size);
    if (block) memset(block, 0, size);
    return block;
}

CN_PRIVATE void *cn_mem_resize(const connect_allocator_t *allocator, void *block, size_t size) {
    if (!allocator) allocator = connect_allocator_libc();
    return allocator->resize(allocator->ctx, block, size ? size : 1);
}

CN_PRIVATE void cn_mem_release(const connect_allocator_t *allocator, void *block) {
    if (!block) return;
    if (!allocator) allocator = connect_allocator_libc();
    allocator->release(allocator->ctx, block);
}

CN_PRIVATE void cn_mem_wipe(void *bytes, size_t len) {
    volatile unsigned char *at = (volatile unsigned char *)bytes;
    while (len-- > 0)
        *at++ = 0;
}

static size_t cn_arena_round(size_t size) {
    return (size + (CN_ARENA_ALIGN - 1)) & ~(size_t)(CN_ARENA_ALIGN - 1);
}

static char *cn_arena_align(char *at) {
    size_t over = (size_t)((uintptr_t)at & (CN_ARENA_ALIGN - 1));
    return over ? at + (CN_ARENA_ALIGN - over) : at;
}

/* Makes a block of at least so many bytes the one that is taken from. */
static bool cn_arena_add_block(connect_arena_t *arena, size_t size) {
    cn_arena_block_t *last = (cn_arena_block_t *)arena->private_blocks, *block;
    const size_t head = cn_arena_round(sizeof *block) + CN_ARENA_ALIGN;
    size_t whole = last && last->size ? CN_MIN(last->size * 2, (size_t)CN_ARENA_LARGEST) : CN_ARENA_FIRST;
    const connect_allocator_t *allocator = arena->private_allocator;
    if (arena->private_fixed || size > SIZE_MAX - head) return false;
    whole = CN_MAX(whole, size + head);
    if (!allocator) allocator = connect_allocator_libc();
    block = (cn_arena_block_t *)allocator->acquire(allocator->ctx, whole);
    if (!block) return false;
    block->older = last;
    block->size = whole;
    block->begin = cn_arena_align((char *)block + sizeof *block);
    arena->private_blocks = block;
    block->end = (char *)block + whole;
    arena->private_next = block->begin;
    arena->private_end = block->end;
    return true;
}

void connect_arena_init(
    connect_arena_t *arena, void *first, size_t first_size, const connect_allocator_t *more_or_null) {
    char *begin = cn_arena_align((char *)first);
    memset(arena, 0, sizeof *arena);
    arena->private_allocator = more_or_null;
    arena->private_fixed = more_or_null == NULL;
    if ((size_t)(begin - (char *)first) + sizeof(cn_arena_block_t) + CN_ARENA_ALIGN <= first_size) {
        cn_arena_block_t *block = (cn_arena_block_t *)(void *)begin;
        block->older = NULL;
        block->size = 0;
        block->begin = cn_arena_align(begin + sizeof *block);
        arena->private_blocks = block;
        block->end = (char *)first + first_size;
        arena->private_next = block->begin;
        arena->private_end = block->end;
    }
}

CN_PRIVATE CN_APART void *cn_arena_raw_anew(connect_arena_t *arena, size_t size) {
    size_t rounded = cn_arena_round(size ? size : 1);
    char *at;
    if (rounded < size ||
        ((size_t)(arena->private_end - arena->private_next) < rounded && !cn_arena_add_block(arena, rounded))) {
        arena->failed = true;
        return NULL;
    }
    at = arena->private_next;
    arena->private_next = at + rounded;
    return at;
}

void *connect_arena_take(connect_arena_t *arena, size_t count, size_t size) {
    void *at;
    if (size && count > SIZE_MAX / size) {
        arena->failed = true;
        return NULL;
    }
    at = cn_arena_raw(arena, count * size);
    if (at) memset(at, 0, count * size);
    return at;
}

CN_PRIVATE void *cn_arena_grow(connect_arena_t *arena, void *block, size_t old_size, size_t new_size) {
    void *moved;
    if (block && (char *)block + cn_arena_round(old_size ? old_size : 1) == arena->private_next) {
        size_t rounded = cn_arena_round(new_size);
        if (rounded >= new_size && (size_t)(arena->private_end - (char *)block) >= rounded) {
            arena->private_next = (char *)block + rounded;
            return block;
        }
    }
    moved = cn_arena_raw(arena, new_size);
    if (moved && block) memcpy(moved, block, CN_MIN(old_size, new_size));
    return moved;
}

CN_PRIVATE void cn_arena_shrink(connect_arena_t *arena, void *block, size_t old_size, size_t new_size) {
    if ((char *)block + cn_arena_round(old_size ? old_size : 1) == arena->private_next)
        arena->private_next = (char *)block + cn_arena_round(new_size ? new_size : 1);
}

connect_str_t connect_arena_copy(connect_arena_t *arena, connect_str_t bytes) {
    connect_str_t copy = {NULL, 0};
    char *to = bytes.len < SIZE_MAX ? (char *)cn_arena_raw(arena, bytes.len + 1) : NULL;
    if (!to) {
        arena->failed = true;
        return copy;
    }
    if (bytes.len) memcpy(to, bytes.data, bytes.len);
    to[bytes.len] = 0;
    copy.data = to;
    copy.len = bytes.len;
    return copy;
}

CN_PRIVATE connect_str_t cn_arena_vprintf(connect_arena_t *arena, const char *format, va_list arguments) {
    connect_str_t text = {NULL, 0};
    char small[256], *to;
    va_list again;
    int len;
    va_copy(again, arguments);
    len = vsnprintf(small, sizeof small, format, again);
    va_end(again);
    to = len < 0 ? NULL : (char *)cn_arena_raw(arena, (size_t)len + 1);
    if (!to) {
        arena->failed = true;
        return text;
    }
    if ((size_t)len < sizeof small)
        memcpy(to, small, (size_t)len + 1);
    else
        vsnprintf(to, (size_t)len + 1, format, arguments);
    text.data = to;
    text.len = (size_t)len;
    return text;
}

connect_str_t connect_arena_printf(connect_arena_t *arena, const char *format, ...) {
    connect_str_t text;
    va_list arguments;
    va_start(arguments, format);
    text = cn_arena_vprintf(arena, format, arguments);
    va_end(arguments);
    return text;
}

/* Releases all blocks older than the one given, except the caller's, which becomes the only older one. */
static void cn_arena_release_older(connect_arena_t *arena, cn_arena_block_t *block) {
    cn_arena_block_t *older = block->older, *first = NULL;
    while (older) {
        cn_arena_block_t *next = older->older;
        if (older->size)
            cn_mem_release(arena->private_allocator, older);
        else
            first = older;
        older = next;
    }
    block->older = first;
}

/* Makes the largest block the newest. It need not be that: after a request for more than CN_ARENA_LARGEST comes a block
   of that size again. */
static cn_arena_block_t *cn_arena_lift_largest(connect_arena_t *arena) {
    cn_arena_block_t *block = (cn_arena_block_t *)arena->private_blocks, *largest = block, *before = NULL;
    for (; block->older; block = block->older) {
        if (block->older->size > largest->size) {
            before = block;
            largest = block->older;
        }
    }
    if (before) {
        before->older = largest->older;
        largest->older = (cn_arena_block_t *)arena->private_blocks;
        arena->private_blocks = largest;
    }
    return largest;
}

void connect_arena_reset(connect_arena_t *arena) {
    cn_arena_block_t *block;
    arena->failed = false;
    if (!arena->private_blocks) return;
    block = cn_arena_lift_largest(arena);
    cn_arena_release_older(arena, block);
    arena->private_next = block->begin;
    arena->private_end = block->end;
}

void connect_arena_free(connect_arena_t *arena) {
    cn_arena_block_t *block = (cn_arena_block_t *)arena->private_blocks;
    const connect_allocator_t *allocator = arena->private_allocator;
    bool fixed = arena->private_fixed;
    if (block) {
        cn_arena_release_older(arena, block);
        if (block->size) cn_mem_release(allocator, block);
    }
    memset(arena, 0, sizeof *arena);
    arena->private_allocator = allocator;
    arena->private_fixed = fixed;
}

CN_PRIVATE void cn_arena_wipe(connect_arena_t *arena) {
    cn_arena_block_t *block = (cn_arena_block_t *)arena->private_blocks;
    for (; block; block = block->older)
        cn_mem_wipe(block->begin, (size_t)(block->end - block->begin));
}

CN_PRIVATE size_t cn_arena_block_size(const connect_arena_t *arena) {
    const cn_arena_block_t *block = (const cn_arena_block_t *)arena->private_blocks;
    return block ? block->size : 0;
}
