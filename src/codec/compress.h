#pragma once
#include "base/sys.h"
#include "base/buf.h"
#include "codec/expand.h"
#include "codec/gzip.h"
#include "codec/zstd.h"

typedef struct cn_coding_t { /* a compression, as Content-Encoding names it; identity is none: NULL */
    const char *name;
    int kind; /* gzip, zstd, or registered */
    connect_compression_t registered;
    bool accepted; /* in what is received */
} cn_coding_t;

typedef struct cn_codings_t { /* those of one server or client, with all that they need; zeroed: none */
    const connect_allocator_t *allocator;
    cn_coding_t *items; /* by preference */
    size_t count;
    connect_str_t accept; /* the accepted ones, "zstd, gzip"; "": none */
    uint32_t min;         /* what is shorter is not compressed */
    int32_t level;
    uint32_t zstd_window;
    cn_gzip_t gzip;
    cn_zstd_t zstd;
    cn_buf_t plain;        /* a message before it is compressed */
    connect_arena_t texts; /* the items and their names */
    connect_arena_t work;  /* what registered ones return */
} cn_codings_t;

typedef struct cn_codings_options_t {
    const connect_compression_t *registered;
    size_t registered_count;
    const char *accept; /* a list; NULL: all */
    uint32_t min;       /* 0: 1,024 */
    int32_t level;      /* 0: fast */
    uint32_t zstd_window;
} cn_codings_options_t;

/* Sets it up; what was zeroed may be freed after a failure, too. */
CN_PRIVATE bool cn_codings_init(cn_codings_t *codings, const connect_allocator_t *allocator,
    const cn_codings_options_t *options, connect_error_t *error);
CN_PRIVATE void cn_codings_free(cn_codings_t *codings);
/* Finds one by name, in any case; NULL: unknown. */
CN_PRIVATE const cn_coding_t *cn_codings_find(const cn_codings_t *codings, connect_str_t name);
/* Finds what an option names; NULL and "identity": none. Returns false: the error says that it is unknown. */
CN_PRIVATE bool cn_codings_choose(
    const cn_codings_t *codings, const char *name_or_null, const cn_coding_t **coding, connect_error_t *error);
/* "gzip"; of NULL: "identity". */
CN_PRIVATE const char *cn_coding_name(const cn_coding_t *coding_or_null);
/* Tells whether a list, as in Accept-Encoding, has it; q=0 is a no, other weights and "*" mean nothing. */
CN_PRIVATE bool cn_coding_in_list(const cn_coding_t *coding, connect_str_t list);
/* The first of a list that is known; NULL: none. */
CN_PRIVATE const cn_coding_t *cn_codings_first_of_list(const cn_codings_t *codings, connect_str_t list);
/* Appends `in` compressed. Returns false: out of memory, or a registered one failed; nothing was appended. */
CN_PRIVATE bool cn_codings_compress(cn_codings_t *codings, const cn_coding_t *coding, connect_str_t in, cn_buf_t *out);
/* Appends what `in` expands to, at most max bytes. */
CN_PRIVATE cn_expand_t cn_codings_expand(
    cn_codings_t *codings, const cn_coding_t *coding, connect_str_t in, size_t max, cn_buf_t *out);
/* An empty queue to encode into, and its end: a large one is freed. */
CN_PRIVATE cn_buf_t *cn_codings_plain(cn_codings_t *codings);
CN_PRIVATE void cn_codings_done(cn_codings_t *codings);
