#include "codec/compress.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"

/* The compressions of a server or a client, by the names that Content-Encoding and grpc-encoding use: zstd, gzip, and
   what the user registered, in this order of preference. Each message is compressed by itself.

   What is shorter than options.compress_min goes as it is. An empty message is never compressed, and what came empty is
   never expanded: the callers see to it. Contexts and queues belong to the server or client and are used again, so that
   a message in steady state allocates nothing. What expands stops at the limit, see gzip.c and zstd.c; a registered
   compression is asked to do the same, and its word is checked.

   Lists ("gzip, zstd;q=0.5", RFC 9110 12.5.3): the order is the preference, as in the Connect and gRPC specifications;
   a weight only says no, by 0. */

#define CN_CODINGS_MIN 1024u
#define CN_CODINGS_KEPT_MAX (64u * 1024u)
#define CN_CODINGS_BUILT_IN_MAX 2u
enum { CN_CODING_REGISTERED, CN_CODING_GZIP, CN_CODING_ZSTD };

CN_PRIVATE const char *cn_coding_name(const cn_coding_t *coding) {
    return coding ? coding->name : "identity";
}

CN_PRIVATE const cn_coding_t *cn_codings_find(const cn_codings_t *codings, connect_str_t name) {
    size_t i;
    for (i = 0; i < codings->count; i++)
        if (cn_str_equal_nocase(name, connect_str_of(codings->items[i].name))) return &codings->items[i];
    return NULL;
}

CN_PRIVATE bool cn_codings_choose(
    const cn_codings_t *codings, const char *name, const cn_coding_t **coding, connect_error_t *error) {
    *coding = NULL;
    if (!name || strcmp(name, "identity") == 0) return true;
    *coding = cn_codings_find(codings, connect_str_of(name));
    return *coding ||
        cn_error_set(error, CONNECT_INVALID_ARGUMENT, "compression is none that is built in or registered");
}

/* Takes the next name off a list; a refused one (q=0) is passed over. */
static bool cn_codings_next(connect_str_t *list, connect_str_t *name) {
    connect_str_t part, weight;
    while (list->data && cn_str_split(list, ',', &part)) {
        size_t i;
        bool refused;
        weight = part;
        if (!cn_str_split(&weight, ';', name)) continue;
        *name = cn_str_trim(*name);
        if (weight.data) weight = cn_str_trim(weight);
        refused = weight.data && weight.len > 2 && (weight.data[0] | 0x20) == 'q' && weight.data[1] == '=';
        for (i = 2; refused && i < weight.len; i++)
            refused = weight.data[i] == '0' || weight.data[i] == '.';
        if (name->len && !refused) return true;
    }
    return false;
}

CN_PRIVATE bool cn_coding_in_list(const cn_coding_t *coding, connect_str_t list) {
    connect_str_t name;
    while (cn_codings_next(&list, &name))
        if (cn_str_equal_nocase(name, connect_str_of(coding->name))) return true;
    return false;
}

CN_PRIVATE const cn_coding_t *cn_codings_first_of_list(const cn_codings_t *codings, connect_str_t list) {
    connect_str_t name;
    while (cn_codings_next(&list, &name)) {
        const cn_coding_t *coding = cn_codings_find(codings, name);
        if (coding) return coding;
    }
    return NULL;
}

/* ---- Setting up ---- */

static bool cn_codings_name_valid(const char *name) {
    size_t i;
    for (i = 0; name && name[i]; i++)
        if (!((name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9') || strchr("-_.+", name[i])))
            return false;
    return name && i > 0;
}

static bool cn_codings_add(cn_codings_t *codings, const char *name, int kind) {
    cn_coding_t *coding = &codings->items[codings->count];
    connect_str_t copy = connect_arena_copy(&codings->texts, connect_str_of(name));
    if (!copy.data) return false;
    coding->name = copy.data;
    coding->kind = kind;
    codings->count++;
    return true;
}

static bool cn_codings_add_all(cn_codings_t *codings, const cn_codings_options_t *options, connect_error_t *error) {
    size_t i;
#if CONNECT_ENABLE_ZSTD
    if (!cn_codings_add(codings, "zstd", CN_CODING_ZSTD)) return cn_error_memory(error);
#endif
#if CONNECT_ENABLE_GZIP
    if (!cn_codings_add(codings, "gzip", CN_CODING_GZIP)) return cn_error_memory(error);
#endif
    for (i = 0; i < options->registered_count; i++) {
        const connect_compression_t *given = &options->registered[i];
        if (!cn_codings_name_valid(given->name) || !given->compress || !given->decompress)
            return cn_error_set(error, CONNECT_INVALID_ARGUMENT,
                "compressions has one without functions, or whose name is not of lower-case letters and digits");
        if (strcmp(given->name, "identity") == 0 || cn_codings_find(codings, connect_str_of(given->name)))
            return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "compressions has a name that is there already");
        if (!cn_codings_add(codings, given->name, CN_CODING_REGISTERED)) return cn_error_memory(error);
        codings->items[codings->count - 1].registered = *given;
    }
    return true;
}

static bool cn_codings_set_accept(cn_codings_t *codings, const char *list, connect_error_t *error) {
    connect_str_t rest = list ? connect_str_of(list) : CN_STR(""), name, text = CN_STR("");
    size_t i;
    for (i = 0; !list && i < codings->count; i++) {
        codings->items[i].accepted = true;
        text = connect_arena_printf(
            &codings->texts, CONNECT_STR_FMT "%s%s", CONNECT_STR_ARG(text), i ? ", " : "", codings->items[i].name);
    }
    while (text.data && cn_codings_next(&rest, &name)) {
        if (connect_str_equal(name, CN_STR("identity"))) continue;
        for (i = 0; i < codings->count; i++)
            if (cn_str_equal_nocase(name, connect_str_of(codings->items[i].name))) break;
        if (i == codings->count)
            return cn_error_set(
                error, CONNECT_INVALID_ARGUMENT, "accept has a compression that is neither built in nor registered");
        if (codings->items[i].accepted) continue;
        codings->items[i].accepted = true;
        text = connect_arena_printf(&codings->texts, CONNECT_STR_FMT "%s%s", CONNECT_STR_ARG(text),
            text.len ? ", " : "", codings->items[i].name);
    }
    codings->accept = text;
    return text.data || cn_error_memory(error);
}

CN_PRIVATE bool cn_codings_init(cn_codings_t *codings, const connect_allocator_t *allocator,
    const cn_codings_options_t *options, connect_error_t *error) {
    if (!allocator) allocator = connect_allocator_libc();
    codings->allocator = allocator;
    codings->min = options->min ? options->min : CN_CODINGS_MIN;
    codings->level = options->level;
    codings->zstd_window = options->zstd_window;
    codings->texts.private_allocator = allocator;
    codings->work.private_allocator = allocator;
    codings->items =
        CONNECT_NEW(&codings->texts, cn_coding_t, options->registered_count + (size_t)CN_CODINGS_BUILT_IN_MAX);
    if (!codings->items) return cn_error_memory(error);
    return cn_codings_add_all(codings, options, error) && cn_codings_set_accept(codings, options->accept, error);
}

CN_PRIVATE void cn_codings_free(cn_codings_t *codings) {
    if (!codings->allocator) return;
    cn_gzip_free(&codings->gzip, codings->allocator);
    cn_zstd_free(&codings->zstd, codings->allocator);
    cn_buf_free(&codings->plain, codings->allocator);
    connect_arena_free(&codings->work);
    connect_arena_free(&codings->texts);
}

/* ---- Messages ---- */

CN_PRIVATE cn_buf_t *cn_codings_plain(cn_codings_t *codings) {
    cn_buf_clear(&codings->plain);
    return &codings->plain;
}

CN_PRIVATE void cn_codings_done(cn_codings_t *codings) {
    if (codings->plain.capacity > CN_CODINGS_KEPT_MAX) cn_buf_free(&codings->plain, codings->allocator);
}

static void cn_codings_end_work(cn_codings_t *codings) {
    if (cn_arena_block_size(&codings->work) > CN_CODINGS_KEPT_MAX)
        connect_arena_free(&codings->work);
    else
        connect_arena_reset(&codings->work);
}

static bool cn_codings_compress_registered(
    cn_codings_t *codings, const connect_compression_t *registered, connect_str_t in, cn_buf_t *out) {
    connect_str_t result = {NULL, 0};
    bool ok = registered->compress(registered->ctx, in, &codings->work, &result) && (result.data || !result.len) &&
        cn_buf_append_str(out, codings->allocator, result);
    cn_codings_end_work(codings);
    return ok;
}

static cn_expand_t cn_codings_expand_registered(
    cn_codings_t *codings, const connect_compression_t *registered, connect_str_t in, size_t max, cn_buf_t *out) {
    connect_str_t result = {NULL, 0};
    cn_expand_t how = CN_EXPAND_OK;
    if (!registered->decompress(registered->ctx, in, max, &codings->work, &result) || (!result.data && result.len))
        how = codings->work.failed ? CN_EXPAND_NO_MEMORY : CN_EXPAND_CORRUPT;
    else if (result.len > max)
        how = CN_EXPAND_TOO_LARGE;
    else if (!cn_buf_append_str(out, codings->allocator, result))
        how = CN_EXPAND_NO_MEMORY;
    cn_codings_end_work(codings);
    return how;
}

CN_PRIVATE bool cn_codings_compress(cn_codings_t *codings, const cn_coding_t *coding, connect_str_t in, cn_buf_t *out) {
#if CONNECT_ENABLE_ZSTD
    if (coding->kind == CN_CODING_ZSTD)
        return cn_zstd_compress(&codings->zstd, codings->allocator, codings->level, in, out);
#endif
#if CONNECT_ENABLE_GZIP
    if (coding->kind == CN_CODING_GZIP)
        return cn_gzip_compress(&codings->gzip, codings->allocator, codings->level, in, out);
#endif
    return cn_codings_compress_registered(codings, &coding->registered, in, out);
}

CN_PRIVATE cn_expand_t cn_codings_expand(
    cn_codings_t *codings, const cn_coding_t *coding, connect_str_t in, size_t max, cn_buf_t *out) {
#if CONNECT_ENABLE_ZSTD
    if (coding->kind == CN_CODING_ZSTD)
        return cn_zstd_expand(&codings->zstd, codings->allocator, codings->zstd_window, in, max, out);
#endif
#if CONNECT_ENABLE_GZIP
    if (coding->kind == CN_CODING_GZIP) return cn_gzip_expand(&codings->gzip, codings->allocator, in, max, out);
#endif
    return cn_codings_expand_registered(codings, &coding->registered, in, max, out);
}
