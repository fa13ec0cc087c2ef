#pragma once

/* ==== 1. Views and memory ======================================================================================== */

typedef struct connect_str_t { /* text or bytes that stand somewhere else; data == NULL: absent */
    const char *data;
    size_t len;
} connect_str_t;
#define CONNECT_STR_FMT "%.*s" /* printf(CONNECT_STR_FMT, CONNECT_STR_ARG(str)) */
#define CONNECT_STR_ARG(str) (int)(str).len, (str).data

/* Makes a view of a zero-terminated text; NULL gives the absent view. */
CONNECT_API connect_str_t connect_str_of(const char *text_or_null);
/* Tells whether two views hold the same bytes; absent equals empty. */
CONNECT_API bool connect_str_equal(connect_str_t a, connect_str_t b);

typedef struct connect_bool_list_t { const bool *items; size_t count; } connect_bool_list_t;
typedef struct connect_int32_list_t { const int32_t *items; size_t count; } connect_int32_list_t;
typedef struct connect_int64_list_t { const int64_t *items; size_t count; } connect_int64_list_t;
typedef struct connect_uint32_list_t { const uint32_t *items; size_t count; } connect_uint32_list_t;
typedef struct connect_uint64_list_t { const uint64_t *items; size_t count; } connect_uint64_list_t;
typedef struct connect_float_list_t { const float *items; size_t count; } connect_float_list_t;
typedef struct connect_double_list_t { const double *items; size_t count; } connect_double_list_t;
typedef struct connect_str_list_t { const connect_str_t *items; size_t count; } connect_str_list_t;

typedef struct connect_header_t { const char *name; connect_str_t value; } connect_header_t; /* name: lower case */
typedef struct connect_headers_t { const connect_header_t *items; size_t count; } connect_headers_t;
/* Finds a header by name, in any case. nth: 0 for the first of that name.
   Returns its value as on the wire (names in -bin: base64), or the absent view. */
CONNECT_API connect_str_t connect_headers_get(connect_headers_t headers, const char *name, size_t nth);

typedef struct connect_allocator_t { /* libc's rules; no sizes are given back: nghttp2, zlib and zstd have none */
    void *(*acquire)(void *ctx, size_t size);
    void *(*resize)(void *ctx, void *block_or_null, size_t size);
    void (*release)(void *ctx, void *block_or_null);
    void *ctx;
} connect_allocator_t;
/* Returns the allocator over malloc, realloc and free; static. */
CONNECT_API const connect_allocator_t *connect_allocator_libc(void);

typedef struct connect_arena_t { /* memory taken bit by bit and freed as one; CONNECT_DEFAULTS: grows by malloc */
    bool failed;                 /* something did not fit since the last reset: one check after many takes */
    bool private_fixed;
    char *private_next, *private_end;
    void *private_blocks;
    const connect_allocator_t *private_allocator;
} connect_arena_t;
/* Sets up an arena over a first block of the caller's, which stays in use until connect_arena_free.
   more_or_null: where further blocks come from; NULL: nowhere, the first is all. */
CONNECT_API void connect_arena_init(connect_arena_t *arena, void *first, size_t first_size,
    const connect_allocator_t *more_or_null);
/* Takes zeroed memory, aligned for any type. Returns NULL, and sets arena->failed, if it does not fit. */
CONNECT_API void *connect_arena_take(connect_arena_t *arena, size_t count, size_t size);
#define CONNECT_NEW(arena, type, count) CONNECT_CAST(type *, connect_arena_take((arena), (count), sizeof(type)))
/* Copies bytes into the arena, with a zero after them. Returns the absent view if they do not fit. */
CONNECT_API connect_str_t connect_arena_copy(connect_arena_t *arena, connect_str_t bytes);
/* Prints into the arena, with a zero after the text. Returns the absent view if it does not fit. */
CONNECT_API connect_str_t connect_arena_printf(connect_arena_t *arena, const char *format, ...) CONNECT_PRINTF(2, 3);
/* Gives up all that was taken, and keeps the memory for the next use. */
CONNECT_API void connect_arena_reset(connect_arena_t *arena);
/* Gives up all that was taken, and the memory, too. */
CONNECT_API void connect_arena_free(connect_arena_t *arena);

/* Base64, for headers in -bin: written unpadded, read in both forms. Returns the absent view: no room, or bad text. */
CONNECT_API connect_str_t connect_base64_encode(connect_str_t bytes, connect_arena_t *arena);
CONNECT_API connect_str_t connect_base64_decode(connect_str_t text, connect_arena_t *arena);

