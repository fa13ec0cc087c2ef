#include "codec/gzip.h"
#include "base/mem.h"

/* gzip (RFC 1952) by zlib. One member and nothing behind it: more members, though RFC 1952 allows them, are what no
   sender of messages writes, and so are counted as bytes after the end. What is too short, or whose CRC or length is
   wrong, is corrupt. An expansion stops when it has more than `max` bytes; the queue grows as bytes come out, never by
   what the input claims.

   Contexts are kept, and reset for each message: then zlib allocates nothing. Its memory comes from our allocator. */

#define CN_GZIP_WINDOW_BITS (15 + 16) /* 32 KiB of window, and the gzip frame */
#define CN_GZIP_MEMORY_LEVEL 8        /* zlib's default */
#define CN_GZIP_LEVEL 1               /* its fastest */
#define CN_GZIP_LEVEL_MAX 9
#define CN_GZIP_FIRST 1024u     /* room to expand into, at first at least */
#define CN_GZIP_STEP (1u << 30) /* lengths that fit into zlib's unsigned int */

#if CONNECT_ENABLE_GZIP
static void *cn_gzip_acquire(void *allocator, unsigned count, unsigned size) {
    const connect_allocator_t *from = (const connect_allocator_t *)allocator;
    return from->acquire(from->ctx, (size_t)count * size); /* not zeroed */
}

static void cn_gzip_release(void *allocator, void *block) {
    cn_mem_release((const connect_allocator_t *)allocator, block);
}

static z_stream *cn_gzip_new_stream(const connect_allocator_t *allocator) {
    z_stream *stream = (z_stream *)cn_mem_acquire(allocator, sizeof *stream);
    if (!stream) return NULL;
    stream->zalloc = cn_gzip_acquire;
    stream->zfree = cn_gzip_release;
    memcpy(&stream->opaque, &allocator, sizeof stream->opaque); /* const stays const: it comes back as such */
    return stream;
}

static z_stream *cn_gzip_deflater(cn_gzip_t *gzip, const connect_allocator_t *allocator, int32_t level) {
    z_stream *stream = (z_stream *)gzip->deflate;
    if (stream) return deflateReset(stream) == Z_OK ? stream : NULL;
    stream = cn_gzip_new_stream(allocator);
    if (!stream) return NULL;
    level = level <= 0 ? CN_GZIP_LEVEL : CN_MIN(level, CN_GZIP_LEVEL_MAX);
    if (deflateInit2(stream, level, Z_DEFLATED, CN_GZIP_WINDOW_BITS, CN_GZIP_MEMORY_LEVEL, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
        cn_mem_release(allocator, stream);
        return NULL;
    }
    gzip->deflate = stream;
    return stream;
}

static z_stream *cn_gzip_inflater(cn_gzip_t *gzip, const connect_allocator_t *allocator) {
    z_stream *stream = (z_stream *)gzip->inflate;
    if (stream) return inflateReset(stream) == Z_OK ? stream : NULL;
    stream = cn_gzip_new_stream(allocator);
    if (!stream) return NULL;
    if (inflateInit2(stream, CN_GZIP_WINDOW_BITS) != Z_OK) {
        cn_mem_release(allocator, stream);
        return NULL;
    }
    gzip->inflate = stream;
    return stream;
}

/* zlib declares its input without const unless asked to in time; it does not write there. */
static void cn_gzip_set_input(z_stream *stream, const char *data, size_t len) {
    memcpy(&stream->next_in, &data, sizeof stream->next_in);
    stream->avail_in = (unsigned)len;
}

CN_PRIVATE bool cn_gzip_compress(
    cn_gzip_t *gzip, const connect_allocator_t *allocator, int32_t level, connect_str_t in, cn_buf_t *out) {
    z_stream *stream = cn_gzip_deflater(gzip, allocator, level);
    size_t room;
    char *to;
    if (!stream || in.len > CN_GZIP_STEP) return false;
    room = deflateBound(stream, (unsigned long)in.len);
    to = cn_buf_reserve(out, allocator, room);
    if (!to) return false;
    cn_gzip_set_input(stream, in.data, in.len);
    stream->next_out = (unsigned char *)to;
    stream->avail_out = (unsigned)room;
    if (deflate(stream, Z_FINISH) != Z_STREAM_END) return false;
    cn_buf_commit(out, room - stream->avail_out);
    return true;
}

CN_PRIVATE cn_expand_t cn_gzip_expand(
    cn_gzip_t *gzip, const connect_allocator_t *allocator, connect_str_t in, size_t max, cn_buf_t *out) {
    z_stream *stream = cn_gzip_inflater(gzip, allocator);
    const size_t before = cn_buf_len(out);
    size_t room = CN_MAX(CN_MIN(in.len, CN_GZIP_STEP / 4) * 3, (size_t)CN_GZIP_FIRST), produced = 0;
    int result = Z_OK;
    if (!stream) return CN_EXPAND_NO_MEMORY;
    if (in.len > CN_GZIP_STEP) return CN_EXPAND_CORRUPT;
    cn_gzip_set_input(stream, in.data, in.len);
    while (result == Z_OK) {
        size_t left = max - produced;
        char *to;
        room = CN_MIN(room, left < CN_GZIP_STEP ? left + 1 : (size_t)CN_GZIP_STEP);
        to = cn_buf_reserve(out, allocator, room);
        if (!to) return CN_EXPAND_NO_MEMORY;
        stream->next_out = (unsigned char *)to;
        stream->avail_out = (unsigned)room;
        result = inflate(stream, Z_FINISH);
        cn_buf_commit(out, room - stream->avail_out);
        produced = cn_buf_len(out) - before;
        if (produced > max) return CN_EXPAND_TOO_LARGE;
        if (result == Z_BUF_ERROR && stream->avail_out == 0) result = Z_OK; /* it only wants more room */
        room = produced;
    }
    if (result == Z_MEM_ERROR) return CN_EXPAND_NO_MEMORY;
    return result == Z_STREAM_END && stream->avail_in == 0 ? CN_EXPAND_OK : CN_EXPAND_CORRUPT;
}

CN_PRIVATE void cn_gzip_free(cn_gzip_t *gzip, const connect_allocator_t *allocator) {
    if (gzip->deflate) deflateEnd((z_stream *)gzip->deflate);
    if (gzip->inflate) inflateEnd((z_stream *)gzip->inflate);
    cn_mem_release(allocator, gzip->deflate);
    cn_mem_release(allocator, gzip->inflate);
    gzip->deflate = gzip->inflate = NULL;
}
#else
CN_PRIVATE void cn_gzip_free(cn_gzip_t *gzip, const connect_allocator_t *allocator) {
    (void)gzip;
    (void)allocator;
}
#endif
