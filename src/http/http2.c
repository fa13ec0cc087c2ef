#include "http/http2.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/exchange.h"
#include "http/header.h"

/* HTTP/2 (RFC 9113) over nghttp2, server and client: frames, HPACK and the rules of a message are nghttp2's, what it
   means for an exchange is told here. Only what nghttp2 1.52 has is called.

   Streams and exchanges. A stream's user data is its exchange; `current` is that of the last frame, so that header
   fields and data need no look-up. on_begin comes with the first byte of a header block, on_head with its last. The
   header list goes into the exchange's arena as it comes.

     stream state (RFC 9113 5.1)       server                                client
     idle                              -                                     begin: stream_id 0 until send_head
     open                              on_begin, on_head                     send_head went out
     half-closed (remote)              on_end                                on_end
     half-closed (local)               RST_STREAM(NO_ERROR) is next (8.1)    send_end went out
     closed                            on_closed                             on_closed

   on_closed comes when nghttp2 closes the stream, so never from an operation; an exchange that nghttp2 does not know
   (never sent, or sent and not yet allowed to go) is closed by pull.

   Bytes to the peer. An operation only submits; pull has nghttp2 write frames, one after the other, into http->out, up
   to limits->connection_buffer. DATA goes from x->out straight into http->out, all that is queued in as few frames as
   the peer's frame size and windows allow; the last one carries END_STREAM, or trailers follow it.

   Bytes from the peer. Windows are returned by consume, never by themselves: the stream's for what the layer above has
   used up, the connection's with it; a little of it waits for more, or for the end of the stream: no more than half of
   either window, if all streams do so. The window of a stream whose body is expected has room for all of it, so that
   only the connection's bounds it. What belongs to no exchange any more is returned to the connection at once (by
   nghttp2 for streams it has closed, here for the rest), so that the connection's window never leaks.

   What nghttp2 leaves to its user (RFC 9113 10.5). feed looks at each frame's head before nghttp2 does, and keeps two
   token buckets: frames of no use (PING, SETTINGS, PRIORITY, unknown ones, empty or padded DATA, WINDOW_UPDATE beyond
   what the sent DATA explains, HEADERS that belong to no exchange) by limits->frame_burst and frame_rate, streams that
   were reset by limits->reset_burst and reset_rate. An empty one is the end: GOAWAY(ENHANCE_YOUR_CALM), and so is the
   third stream whose response the peer lets stand. A header list over limits->header_bytes is not stored, but for the
   content type, by which the layer above answers it in the request's protocol; four times as much is the end, too. A
   peer that does not read what it makes us send is not read from.

   Closed streams (5.1, 5.1.1). nghttp2 keeps none here, and would pass over what still comes for them. A server ends
   the connection for DATA or HEADERS on a stream that the peer has ended or passed over; up to last_cut_id, the highest
   that this end gave up first, they may have been on their way.

   The end. `ended` is set once, after which nghttp2 is never run again: by nghttp2 having nothing more to do, by an
   error of the peer, by running out of memory, by eof and free. GOAWAY goes out if nghttp2 had none out yet.

   Invariants: an exchange on http->exchanges with a stream_id is its stream's user data; after cn_http2_close neither
   nghttp2 nor `current` refers to it, or nghttp2 has ended. x->unread and x->unreturned are what the connection's
   window still lacks. */

#if CONNECT_ENABLE_HTTP2

#define CN_HTTP2_MAGIC_LEN 24u        /* RFC 9113 3.4 */
#define CN_HTTP2_FRAME_HEAD 9u        /* RFC 9113 4.1 */
#define CN_HTTP2_CONTINUATIONS 8u     /* in one header block; as nghttp2 has it since 1.61 */
#define CN_HTTP2_INTERIM_HEADS 8u     /* 1xx responses before the final one */
#define CN_HTTP2_BOMB_FACTOR 4u       /* so many times the header limit ends the connection */
#define CN_HTTP2_ACKS_BLOCK 100u      /* control frames that wait while the peer does not read: it is not read either */
#define CN_HTTP2_ACKS_MAX 1000u       /* ... and the connection ends */
#define CN_HTTP2_STALLED_MAX 3u       /* streams of which the peer took nothing, in the life of a connection */
#define CN_HTTP2_UPDATE_CREDIT 10000u /* WINDOW_UPDATE frames that may come for DATA sent earlier */
#define CN_HTTP2_HPACK_TABLE 4096u    /* RFC 9113 6.5.2, the initial value */
#define CN_HTTP2_STACK_FIELDS 40u     /* header fields whose array is on the stack */

/* nghttp2's memory: blocks of up to 1 KiB are kept by size, for it frees and takes the same sizes again with every
   stream; all connections of an owner share them. All blocks start with a head that says how large they are.

   The buffer in which nghttp2 writes a frame, 16 KiB, is one for all connections of an owner: what is in it is taken
   over as soon as nghttp2_session_mem_send returns; a client's preface as soon as it is there. It is the block of this
   size that a new session takes; more of them, for CONTINUATION, are its own. Before it returns a stream may close, and
   what runs then may have another connection write: that one leaves the buffer as it was.

   Once the allocator has failed the session ends, nothing is given back any more until then, and nghttp2 is not asked
   to clean up: 1.52 leaks what could not be queued, or frees it twice. All blocks are on a list, by which they are
   freed. */
#define CN_HTTP2_POOL_STEP 64u
#define CN_HTTP2_POOL_CLASSES 16u
#define CN_HTTP2_FRAME_BUFFER 16394u /* a frame of 2^14 bytes, its head, and the length of its padding */

typedef union cn_http2_block_t { /* the head of a block, as large as any type's alignment */
    struct {
        cn_list_t node;
        size_t size; /* usable bytes */
    } head;
    long double align;
} cn_http2_block_t;

typedef struct cn_http2_bucket_t {
    uint64_t milli_tokens;
    int64_t filled_ms;
} cn_http2_bucket_t;

typedef struct cn_http2_t {
    cn_http_t *http;
    nghttp2_session *session;
    cn_exchange_t *current; /* the exchange of the last frame received; NULL: none */
    bool ended;
    bool had_room; /* client: what on_room was told last */
    bool settings_received;
    bool ping_sent, goaway_submitted;
    uint32_t unreturned_max; /* of an exchange */
    bool has_early_end;  /* server: a response may have ended before its request */
    bool early_end_seen; /* the peer has sent something since: it has had its time to read the response */
    bool has_stray;      /* client: an exchange was reset that nghttp2 may not know */
    bool is_receiving;   /* bytes are on their way through nghttp2 */
    bool has_reset_due;  /* an exchange has a reset_error */
    uint32_t fatal;      /* an HTTP/2 error code that ends the connection as soon as nghttp2 returns; 0: none */
    connect_code_t fatal_code;
    const char *fatal_why;
    /* the header block that is being received */
    size_t block_bytes, block_count;
    int block_refusal; /* HTTP status; 0: none */
    /* the frames that pass */
    size_t magic_left;
    uint8_t frame_head[CN_HTTP2_FRAME_HEAD];
    size_t frame_head_len;
    uint32_t frame_left;
    bool frame_ends_block, in_block;
    uint32_t continuations;
    uint32_t update_credit, stalled;
    uint32_t dependent, dependency, dependency_bytes; /* of the PRIORITY frame that passes; dependent 0: none */
    cn_http2_bucket_t frames, resets;
    /* server: the streams that were opened and are no more */
    uint32_t last_stream_id;     /* the highest that nghttp2 was shown */
    uint32_t last_cut_id;        /* the highest that this end ended before the peer did: frames may be on their way */
    uint32_t last_peer_reset_id; /* of the last RST_STREAM that passed */
    /* memory */
    cn_list_t blocks; /* all that are in use, but for the shared one */
    bool starved;     /* the allocator has failed */
    bool is_opening;  /* the session is being made */
    bool shares_frame_buffer;
} cn_http2_t;

/* ---- The end, as soon as nghttp2 returns ---- */

static void cn_http2_fail(cn_http2_t *h, uint32_t error, connect_code_t code, const char *why) {
    if (h->fatal) return;
    h->fatal = error;
    h->fatal_code = code;
    h->fatal_why = why;
}

static void cn_http2_fail_memory(cn_http2_t *h) {
    cn_http2_fail(h, NGHTTP2_INTERNAL_ERROR, CONNECT_RESOURCE_EXHAUSTED, "out of memory");
}

/* Whether nghttp2 is to return; an event may have closed the connection. */
static bool cn_http2_stops(cn_http2_t *h) {
    if (CN_UNLIKELY(h->http->stopped))
        cn_http2_fail(h, NGHTTP2_CANCEL, CONNECT_UNAVAILABLE, "the connection is closed");
    return h->fatal != 0;
}

/* ---- Memory for nghttp2 ---- */

static size_t cn_http2_pool_class(size_t size) {
    return (size - 1) / CN_HTTP2_POOL_STEP;
}

static void *cn_http2_starve(cn_http2_t *h) {
    h->starved = true;
    cn_http2_fail_memory(h);
    return NULL;
}

static void *cn_http2_share_frame_buffer(cn_http2_t *h) {
    cn_http_t *http = h->http;
    cn_http2_block_t *block =
        (cn_http2_block_t *)cn_buf_share(http->pool, http->allocator, sizeof *block + CN_HTTP2_FRAME_BUFFER);
    if (!block) return cn_http2_starve(h);
    block->head.size = CN_HTTP2_FRAME_BUFFER;
    h->shares_frame_buffer = true;
    return block + 1;
}

static void cn_http2_unshare_frame_buffer(cn_http2_t *h) {
    if (h->shares_frame_buffer) cn_buf_unshare(h->http->pool, h->http->allocator);
    h->shares_frame_buffer = false;
}

static void *cn_http2_use_block(cn_http2_t *h, cn_http2_block_t *block, size_t size) {
    block->head.size = size;
    block->head.node.next = NULL;
    cn_list_append(&h->blocks, &block->head.node);
    return block + 1;
}

static CN_APART void *cn_http2_acquire(cn_http2_t *h, size_t size) {
    cn_http2_block_t *block;
    if (size == CN_HTTP2_FRAME_BUFFER && h->is_opening && !h->shares_frame_buffer && h->http->pool &&
        !h->http->pool->shared_is_busy)
        return cn_http2_share_frame_buffer(h);
    if (h->starved || size > SIZE_MAX - sizeof *block) return NULL;
    block = (cn_http2_block_t *)cn_mem_resize(h->http->allocator, NULL, sizeof *block + size);
    return block ? cn_http2_use_block(h, block, size) : cn_http2_starve(h);
}

static CN_APART void cn_http2_release(cn_http2_t *h, cn_http2_block_t *block) {
    if (h->shares_frame_buffer && block == h->http->pool->shared) {
        cn_http2_unshare_frame_buffer(h);
        return;
    }
    cn_list_remove(&block->head.node);
    cn_mem_release(h->http->allocator, block);
}

static void *cn_http2_malloc(size_t size, void *user) {
    cn_http2_t *h = (cn_http2_t *)user;
    const size_t class_at = cn_http2_pool_class(size); /* of 0: none */
    cn_http2_block_t *block;
    if (CN_UNLIKELY(class_at >= CN_HTTP2_POOL_CLASSES)) return cn_http2_acquire(h, size);
    size = (class_at + 1) * CN_HTTP2_POOL_STEP;
    block = h->http->pool ? (cn_http2_block_t *)cn_buf_take_spare(h->http->pool, class_at, size) : NULL;
    return CN_LIKELY(block != NULL) ? cn_http2_use_block(h, block, size) : cn_http2_acquire(h, size);
}

static void cn_http2_free_block(void *at, void *user) {
    cn_http2_t *h = (cn_http2_t *)user;
    cn_buf_pool_t *pool = h->http->pool;
    cn_http2_block_t *block;
    size_t class_at, size;
    if (!at || CN_UNLIKELY(h->starved)) return;
    block = (cn_http2_block_t *)at - 1;
    size = block->head.size;
    class_at = cn_http2_pool_class(size);
    if (CN_UNLIKELY(class_at >= CN_HTTP2_POOL_CLASSES || !pool ||
            !cn_buf_has_room_for_spare(pool, size, h->http->limits->connection_buffer))) {
        cn_http2_release(h, block);
        return;
    }
    cn_list_remove(&block->head.node);
    cn_buf_keep_spare(pool, class_at, block, size);
}

static void *cn_http2_calloc(size_t count, size_t size, void *user) {
    void *at;
    if (size && count > SIZE_MAX / size) return NULL;
    at = cn_http2_malloc(count * size, user);
    if (at) memset(at, 0, count * size);
    return at;
}

static void *cn_http2_realloc(void *at, size_t size, void *user) {
    cn_http2_block_t *block;
    void *moved;
    if (!at) return cn_http2_malloc(size, user);
    block = (cn_http2_block_t *)at - 1;
    if (size <= block->head.size) return at;
    moved = cn_http2_malloc(size, user);
    if (!moved) return NULL;
    memcpy(moved, at, block->head.size);
    cn_http2_free_block(at, user);
    return moved;
}

static void cn_http2_free_all(cn_http2_t *h) {
    cn_list_t *node;
    while ((node = cn_list_pop(&h->blocks)) != NULL)
        cn_mem_release(h->http->allocator, CN_CONTAINER(node, cn_http2_block_t, head.node));
}

/* ---- Token buckets ---- */

static void cn_http2_bucket_init(cn_http2_bucket_t *bucket, uint32_t burst, int64_t now_ms) {
    bucket->milli_tokens = (uint64_t)burst * 1000;
    bucket->filled_ms = now_ms;
}

static bool cn_http2_bucket_take(cn_http2_bucket_t *bucket, uint32_t burst, uint32_t rate, int64_t now_ms) {
    if (now_ms > bucket->filled_ms) {
        const int64_t longest = (int64_t)1 << 24; /* so that the product fits */
        uint64_t elapsed_ms = (uint64_t)CN_MIN(now_ms - bucket->filled_ms, longest);
        bucket->milli_tokens = CN_MIN(bucket->milli_tokens + elapsed_ms * rate, (uint64_t)burst * 1000);
        bucket->filled_ms = now_ms;
    }
    if (bucket->milli_tokens < 1000) return false;
    bucket->milli_tokens -= 1000;
    return true;
}

static bool cn_http2_take_frame(cn_http2_t *h) {
    const connect_limits_t *limits = h->http->limits;
    return cn_http2_bucket_take(&h->frames, limits->frame_burst, limits->frame_rate, h->http->now_ms);
}

/* ---- The end ---- */

static void cn_http2_fail_flood(cn_http2_t *h) {
    cn_http2_fail(h, NGHTTP2_ENHANCE_YOUR_CALM, CONNECT_RESOURCE_EXHAUSTED, "too many frames of no use");
}

/* What nghttp2 answers to an operation: only a fatal error matters, the rest says that the stream is gone. */
static bool cn_http2_check(cn_http2_t *h, int result) {
    if (result == 0) return true;
    if (nghttp2_is_fatal(result)) cn_http2_fail_memory(h);
    return false;
}

static void cn_http2_close(cn_http2_t *h, cn_exchange_t *x) {
    if (h->current == x) h->current = NULL;
    cn_exchange_close(x);
}

/* Ends the connection for every exchange that is left. */
static void cn_http2_end(cn_http2_t *h, connect_code_t code, const char *why) {
    cn_http_t *http = h->http;
    h->ended = true;
    h->current = NULL;
    http->closing = true;
    http->draining = true;
    http->read_blocked = false;
    http->head_since_ms = -1;
    while (!cn_list_empty(&http->exchanges)) {
        cn_exchange_t *x = CN_CONTAINER(http->exchanges.next, cn_exchange_t, node);
        if (x->close_code == CONNECT_OK && (http->is_server || !x->received_end)) {
            x->close_code = http->is_server || x->reset ? CONNECT_CANCELED : code;
            x->close_why = x->reset ? "the stream was reset by this end" : why;
            if (!http->is_server && x->stream_id == 0) {
                x->close_code = CONNECT_UNAVAILABLE; /* it was never sent */
                x->unprocessed = true;
            }
        }
        cn_exchange_close(x);
    }
}

/* Ends the connection with a GOAWAY of our own making, for nghttp2 may be in no state to write one. */
static void cn_http2_abort(cn_http2_t *h) {
    cn_http_t *http = h->http;
    uint8_t frame[CN_HTTP2_FRAME_HEAD + 8] = {0, 0, 8, NGHTTP2_GOAWAY};
    uint32_t last = (uint32_t)nghttp2_session_get_last_proc_stream_id(h->session), i;
    for (i = 0; i < 4; i++) {
        frame[CN_HTTP2_FRAME_HEAD + i] = (uint8_t)(last >> (24 - 8 * i));
        frame[CN_HTTP2_FRAME_HEAD + 4 + i] = (uint8_t)(h->fatal >> (24 - 8 * i));
    }
    (void)cn_buf_append(&http->out, http->allocator, frame, sizeof frame);
    cn_http2_end(h, h->fatal_code, h->fatal_why);
}

static uint32_t cn_http2_capacity(const cn_http_t *http) {
    const cn_http2_t *h = (const cn_http2_t *)http->state;
    uint32_t most = nghttp2_session_get_remote_settings(h->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    return CN_MIN(most, http->limits->streams);
}

static bool cn_http2_can_begin(const cn_http_t *http) {
    const cn_http2_t *h = (const cn_http2_t *)http->state;
    if (http->draining || http->closing || h->ended || h->fatal) return false;
    return http->exchange_count < cn_http2_capacity(http);
}

/* After nghttp2 ran: ends what is to be ended, and tells a client's owner whether another exchange may begin. Returns
   true: it was told, and may have begun one. */
static bool cn_http2_settle(cn_http2_t *h) {
    cn_http_t *http = h->http;
    bool has_room, told, was_draining = http->draining;
    if (!h->ended) {
        if (h->fatal)
            cn_http2_abort(h);
        else if (!nghttp2_session_want_read(h->session) && !nghttp2_session_want_write(h->session))
            cn_http2_end(h, CONNECT_INTERNAL, "the connection ended with an HTTP/2 error");
    }
    if (http->is_server) return false;
    has_room = cn_http2_can_begin(http);
    told = (has_room && !h->had_room) || (http->draining && !was_draining);
    h->had_room = has_room;
    if (told && !http->stopped && http->events->on_room) http->events->on_room(http);
    return told && !h->ended;
}

/* ---- Frames as they pass ---- */

static uint32_t cn_http2_read_id(const uint8_t *bytes) {
    return ((uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3]) & 0x7FFFFFFF;
}

/* Whether the peer itself has ended this stream, and so may not send DATA or HEADERS on it (RFC 9113 5.1). nghttp2,
   which keeps no closed streams here, would ignore them. */
static bool cn_http2_is_over(const cn_http2_t *h, uint32_t id) {
    if (!h->http->is_server || (h->current && (uint32_t)h->current->stream_id == id)) return false;
    return id <= h->last_stream_id && id > h->last_cut_id && !nghttp2_session_find_stream(h->session, (int32_t)id);
}

static bool cn_http2_fail_closed(cn_http2_t *h) {
    cn_http2_fail(h, NGHTTP2_STREAM_CLOSED, CONNECT_INTERNAL, "a frame on a closed stream");
    return false;
}

/* One frame's head. Returns false: one too many of no use, or h->fatal. */
static bool cn_http2_see_frame(cn_http2_t *h, const uint8_t *head) {
    uint32_t length = (uint32_t)head[0] << 16 | (uint32_t)head[1] << 8 | head[2];
    uint32_t id = cn_http2_read_id(head + 5);
    uint8_t type = head[3], flags = head[4];
    h->frame_left = length;
    h->frame_ends_block = false;
    switch (type) {
    case NGHTTP2_DATA:
        if (CN_UNLIKELY(cn_http2_is_over(h, id) || (id == h->last_peer_reset_id && id))) return cn_http2_fail_closed(h);
        if (CN_LIKELY(length > 0 && !(flags & NGHTTP2_FLAG_PADDED))) return true;
        return (length == 0 && (flags & NGHTTP2_FLAG_END_STREAM)) || cn_http2_take_frame(h);
    case NGHTTP2_HEADERS: /* given back when it belongs to an exchange */
        h->in_block = true;
        h->continuations = 0;
        h->frame_ends_block = (flags & NGHTTP2_FLAG_END_HEADERS) != 0;
        return cn_http2_take_frame(h);
    case NGHTTP2_CONTINUATION:
        h->frame_ends_block = (flags & NGHTTP2_FLAG_END_HEADERS) != 0;
        return ++h->continuations <= CN_HTTP2_CONTINUATIONS;
    case NGHTTP2_WINDOW_UPDATE:
        if (h->update_credit > 0) {
            h->update_credit--;
            return true;
        }
        return cn_http2_take_frame(h);
    case NGHTTP2_PRIORITY:
        if (id == 0) {
            cn_http2_fail(h, NGHTTP2_PROTOCOL_ERROR, CONNECT_INTERNAL, "PRIORITY without a stream");
            return false;
        }
        if (length == 5) h->dependent = id;
        h->dependency = h->dependency_bytes = 0;
        return cn_http2_take_frame(h);
    case NGHTTP2_RST_STREAM: h->last_peer_reset_id = id; return cn_http2_take_frame(h);
    default: return cn_http2_take_frame(h);
    }
}

/* PRIORITY is not acted on, but a stream that depends on itself is an error yet (RFC 7540 5.3.1). */
static bool cn_http2_see_dependency(cn_http2_t *h, const uint8_t *bytes, size_t len) {
    for (; len > 0 && h->dependency_bytes < 4; bytes++, len--, h->dependency_bytes++)
        h->dependency = h->dependency << 8 | *bytes;
    if (h->dependency_bytes < 4) return true;
    if ((h->dependency & 0x7FFFFFFF) == h->dependent) {
        cn_http2_fail(h, NGHTTP2_PROTOCOL_ERROR, CONNECT_INTERNAL, "a stream that depends on itself");
        return false;
    }
    h->dependent = 0;
    return true;
}

static void cn_http2_frame_over(cn_http2_t *h) {
    if (h->frame_ends_block) h->in_block = false;
}

static bool cn_http2_see(cn_http2_t *h, const uint8_t *bytes, size_t len) {
    size_t n;
    if (h->magic_left) {
        n = CN_MIN(h->magic_left, len);
        h->magic_left -= n;
        bytes += n;
        len -= n;
    }
    while (len > 0) {
        const uint8_t *head;
        if (h->frame_left > 0) {
            n = CN_MIN((size_t)h->frame_left, len);
            if (CN_UNLIKELY(h->dependent) && !cn_http2_see_dependency(h, bytes, n)) return false;
            h->frame_left -= (uint32_t)n;
            bytes += n;
            len -= n;
            if (h->frame_left == 0) cn_http2_frame_over(h);
            continue;
        }
        if (CN_LIKELY(h->frame_head_len == 0 && len >= CN_HTTP2_FRAME_HEAD)) {
            head = bytes;
            n = CN_HTTP2_FRAME_HEAD;
        } else {
            n = CN_MIN(CN_HTTP2_FRAME_HEAD - h->frame_head_len, len);
            memcpy(h->frame_head + h->frame_head_len, bytes, n);
            h->frame_head_len += n;
            if (h->frame_head_len < CN_HTTP2_FRAME_HEAD) return true;
            h->frame_head_len = 0;
            head = h->frame_head;
        }
        bytes += n;
        len -= n;
        if (!cn_http2_see_frame(h, head)) return false;
        if (h->frame_left == 0) cn_http2_frame_over(h);
    }
    return true;
}

/* ---- What is received ---- */

static cn_exchange_t *cn_http2_find(cn_http2_t *h, int32_t stream_id) {
    if (h->current && h->current->stream_id == stream_id) return h->current;
    h->current = (cn_exchange_t *)nghttp2_session_get_stream_user_data(h->session, stream_id);
    return h->current;
}

static bool cn_http2_is_mute(const cn_exchange_t *x) {
    return x->reset || x->refused;
}

/* Gives an exchange up with an HTTP/2 error code; what on_closed will say is in it already. */
static void cn_http2_reset_stream(cn_http2_t *h, cn_exchange_t *x, uint32_t error) {
    x->reset = true;
    if (h->is_receiving) { /* what else was received may be a stream error, which goes first */
        x->has_reset_due = h->has_reset_due = true;
        x->reset_error = error;
        return;
    }
    (void)cn_http2_check(h, nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, x->stream_id, error));
}

static void cn_http2_give_up(cn_http2_t *h, cn_exchange_t *x, uint32_t error, connect_code_t code, const char *why) {
    if (x->reset) return;
    x->close_code = code;
    x->close_why = why;
    cn_http2_reset_stream(h, x, error);
}

/* Resets that what was fed has caused. */
static void cn_http2_reset_due(cn_http2_t *h) {
    cn_list_t *node;
    h->has_reset_due = false;
    for (node = h->http->exchanges.next; node != &h->http->exchanges; node = node->next) {
        cn_exchange_t *x = CN_CONTAINER(node, cn_exchange_t, node);
        if (!x->has_reset_due) continue;
        x->has_reset_due = false;
        cn_http2_reset_stream(h, x, x->reset_error);
    }
}

static int cn_http2_on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *head, void *user) {
    cn_http2_t *h = (cn_http2_t *)user;
    (void)session;
    if (head->type != NGHTTP2_HEADERS || !cn_http2_is_over(h, (uint32_t)head->stream_id)) return 0;
    (void)cn_http2_fail_closed(h);
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int cn_http2_on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    cn_http2_t *h = (cn_http2_t *)user;
    cn_http_t *http = h->http;
    cn_exchange_t *x;
    h->block_bytes = h->block_count = 0;
    h->block_refusal = 0;
    h->current = NULL;
    if (frame->hd.type != NGHTTP2_HEADERS) return 0;
    h->frames.milli_tokens += 1000;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        (void)cn_http2_find(h, frame->hd.stream_id);
        return 0;
    }
    h->last_stream_id = (uint32_t)frame->hd.stream_id;
    x = http->events->on_begin(http);
    if (!x)
        return cn_http2_check(h,
                   nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_REFUSED_STREAM))
            ? 0
            : NGHTTP2_ERR_CALLBACK_FAILURE;
    cn_exchange_attach(http, x);
    x->stream_id = frame->hd.stream_id;
    (void)nghttp2_session_set_stream_user_data(session, x->stream_id, x);
    h->current = x;
    h->update_credit = CN_MIN(h->update_credit + 2, CN_HTTP2_UPDATE_CREDIT);
    return cn_http2_stops(h) ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static connect_str_t cn_http2_view(const uint8_t *bytes, size_t len) {
    connect_str_t view;
    view.data = (const char *)bytes;
    view.len = len;
    return view;
}

static bool cn_http2_is(connect_str_t text, const char *name, size_t len) {
    return text.len == len && memcmp(text.data, name, len) == 0;
}

/* Returns false: out of memory. */
static bool cn_http2_on_pseudo_header(cn_http2_t *h, cn_exchange_t *x, connect_str_t name, connect_str_t value) {
    connect_str_t *to;
    switch (name.len) {
    case 5: /* :path */
        if (value.len > h->http->limits->url_bytes) {
            h->block_refusal = 414;
            return true;
        }
        to = &x->path;
        break;
    case 7: /* :method, :scheme, :status */
        if (name.data[1] == 's') {
            uint64_t status;
            if (name.data[2] == 't' && cn_str_to_uint(value, 3, &status)) x->status = (int)status;
            return true;
        }
        if (cn_http2_is(value, "POST", 4)) {
            x->method = CN_STR("POST");
            return true;
        }
        to = &x->method;
        break;
    case 10: to = &x->authority; break;
    default: return true;
    }
    *to = connect_arena_copy(x->arena, value);
    return to->data != NULL;
}

/* Of a head over the limits only the content type is looked for. Returns false: out of memory. */
static bool cn_http2_note_type(cn_exchange_t *x, connect_str_t name, connect_str_t value) {
    const size_t enough = 64;
    if (x->received_head || !cn_http2_is(name, "content-type", 12)) return true;
    if (cn_headers_find(&x->headers, CN_STR("content-type")).data) return true;
    value = connect_arena_copy(x->arena, cn_str(value.data, CN_MIN(value.len, enough)));
    return value.data && cn_headers_put(&x->headers, x->arena, "content-type", value);
}

static int cn_http2_on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
    size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *user) {
    cn_http2_t *h = (cn_http2_t *)user;
    const connect_limits_t *limits = h->http->limits;
    cn_exchange_t *x = h->current;
    connect_str_t name_view = cn_http2_view(name, name_len), value_view = cn_http2_view(value, value_len);
    cn_headers_result_t result = CN_HEADERS_OK;
    (void)session;
    (void)frame;
    (void)flags;
    h->block_bytes += name_len + value_len + 32;
    h->block_count++;
    if (CN_UNLIKELY(h->block_bytes > limits->header_bytes)) {
        if (h->block_bytes / CN_HTTP2_BOMB_FACTOR > limits->header_bytes ||
            h->block_count / CN_HTTP2_BOMB_FACTOR > limits->header_count) {
            cn_http2_fail(h, NGHTTP2_ENHANCE_YOUR_CALM, CONNECT_RESOURCE_EXHAUSTED, "the headers are far too large");
            return NGHTTP2_ERR_CALLBACK_FAILURE;
        }
        result = CN_HEADERS_TOO_LARGE;
    }
    if (!x || cn_http2_is_mute(x)) return 0;
    if (CN_LIKELY(result == CN_HEADERS_OK && !h->block_refusal)) {
        if (name[0] == ':') {
            if (!cn_http2_on_pseudo_header(h, x, name_view, value_view)) result = CN_HEADERS_NO_MEMORY;
        } else {
            result = cn_headers_receive_lower(
                x->received_head ? &x->trailers : &x->headers, x->arena, limits, name_view, value_view);
        }
    }
    if (CN_LIKELY(result == CN_HEADERS_OK && !h->block_refusal)) return 0;
    if (result == CN_HEADERS_TOO_LARGE && !h->block_refusal) h->block_refusal = 431;
    if (result == CN_HEADERS_NO_MEMORY || !cn_http2_note_type(x, name_view, value_view))
        cn_http2_give_up(h, x, NGHTTP2_INTERNAL_ERROR, CONNECT_RESOURCE_EXHAUSTED, "out of memory");
    return cn_http2_stops(h) ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

/* nghttp2 takes header texts as uint8_t *, and does not write to them. */
static uint8_t *cn_http2_bytes(const char *text) {
    union {
        const char *from;
        uint8_t *to;
    } pointer;
    pointer.from = text;
    return pointer.to;
}

static void cn_http2_put(nghttp2_nv *field, connect_str_t name, connect_str_t value, bool steady) {
    field->name = cn_http2_bytes(name.data);
    field->namelen = name.len;
    field->value = cn_http2_bytes(value.data ? value.data : "");
    field->valuelen = value.len;
    field->flags = (uint8_t)(NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE |
        (steady ? NGHTTP2_NV_FLAG_NONE : NGHTTP2_NV_FLAG_NO_INDEX));
}

/* Answers a request that the layer above is not shown. */
static void cn_http2_refuse(cn_http2_t *h, cn_exchange_t *x, const char *why) {
    nghttp2_nv field;
    cn_http2_put(&field, CN_STR(":status"), CN_STR("400"), true);
    x->refused = true;
    x->sent_head = x->sent_end = true;
    x->close_code = CONNECT_INVALID_ARGUMENT;
    x->close_why = why;
    h->has_early_end = true;
    if (!cn_http2_check(h, nghttp2_submit_response(h->session, x->stream_id, &field, 1, NULL)))
        cn_http2_reset_stream(h, x, NGHTTP2_INTERNAL_ERROR);
}

/* A header block is whole. */
static void cn_http2_on_head(cn_http2_t *h, cn_exchange_t *x) {
    const bool is_server = h->http->is_server;
    connect_str_t length_text;
    uint64_t length;
    if (CN_UNLIKELY(h->block_refusal && (!is_server || x->received_head))) {
        cn_http2_give_up(h, x, NGHTTP2_ENHANCE_YOUR_CALM, CONNECT_RESOURCE_EXHAUSTED, "the headers are too large");
        return;
    }
    if (x->received_head) return;
    if (is_server && cn_http2_is(x->method, "HEAD", 4)) x->is_head_request = true;
    if (CN_UNLIKELY(h->block_refusal)) {
        x->over_limit = h->block_refusal;
        x->received_head = true;
        x->events->on_head(x);
        return;
    }
    if (!is_server && x->status >= 100 && x->status < 200) {
        memset(&x->headers, 0, sizeof x->headers);
        if (++x->interim_heads > CN_HTTP2_INTERIM_HEADS)
            cn_http2_give_up(h, x, NGHTTP2_ENHANCE_YOUR_CALM, CONNECT_INTERNAL, "too many 1xx responses");
        return;
    }
    if (is_server) {
        const connect_str_t host = cn_headers_find(&x->headers, CN_STR("host"));
        if (!x->authority.data) x->authority = host;
        if (!cn_header_authority_valid(x->authority) || (host.data && !cn_str_equal_nocase(x->authority, host))) {
            cn_http2_refuse(h, x, ":authority and host are wrong, or differ");
            return;
        }
    }
    length_text = cn_headers_find(&x->headers, CN_STR("content-length"));
    if (length_text.data && cn_str_to_uint(length_text, 19, &length) && length <= INT64_MAX)
        x->content_length = (int64_t)length;
    x->received_head = true;
    x->events->on_head(x);
}

static void cn_http2_on_goaway(cn_http2_t *h) {
    cn_http_t *http = h->http;
    if (http->is_server || http->draining) return;
    http->draining = true;
    h->had_room = false;
    if (http->events->on_room) http->events->on_room(http);
}

static const uint8_t *cn_http2_drain_ping(void) {
    static const uint8_t opaque[8] = {'d', 'r', 'a', 'i', 'n', 'i', 'n', 'g'};
    return opaque;
}

static void cn_http2_submit_goaway(cn_http2_t *h) {
    if (h->goaway_submitted) return;
    h->goaway_submitted = true;
    (void)cn_http2_check(h,
        nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h->session),
            NGHTTP2_NO_ERROR, NULL, 0));
}

static int cn_http2_on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    cn_http2_t *h = (cn_http2_t *)user;
    cn_exchange_t *x;
    (void)session;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
        x = cn_http2_find(h, frame->hd.stream_id);
        if (!x) return 0;
        x->received_ms = h->http->now_ms;
        if (frame->hd.type == NGHTTP2_HEADERS && !cn_http2_is_mute(x)) cn_http2_on_head(h, x);
        if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
            x->received_end = true;
            if (!cn_http2_is_mute(x) && !h->http->stopped) x->events->on_end(x);
        }
        break;
    case NGHTTP2_SETTINGS:
        if (frame->hd.flags & NGHTTP2_FLAG_ACK) break;
        h->settings_received = true;
        if (!h->http->settled) h->had_room = false; /* so that the owner hears of it now */
        h->http->settled = true;
        break;
    case NGHTTP2_GOAWAY: cn_http2_on_goaway(h); break;
    case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) && h->ping_sent &&
            memcmp(frame->ping.opaque_data, cn_http2_drain_ping(), 8) == 0)
            cn_http2_submit_goaway(h);
        break;
    default: break;
    }
    return cn_http2_stops(h) ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int cn_http2_on_data(
    nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *bytes, size_t len, void *user) {
    cn_http2_t *h = (cn_http2_t *)user;
    cn_exchange_t *x = cn_http2_find(h, stream_id);
    (void)flags;
    if (!x || cn_http2_is_mute(x)) {
        (void)cn_http2_check(h, nghttp2_session_consume_connection(session, len));
    } else {
        x->unread += (uint32_t)len;
        x->received_ms = h->http->now_ms;
        x->events->on_data(x, (const char *)bytes, len);
    }
    return cn_http2_stops(h) ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int cn_http2_on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error, void *user) {
    cn_http2_t *h = (cn_http2_t *)user;
    const connect_limits_t *limits = h->http->limits;
    (void)session;
    (void)frame;
    if (error != NGHTTP2_ERR_REFUSED_STREAM) return 0; /* a stream that was opened: it counts when it closes */
    if (cn_http2_bucket_take(&h->resets, limits->reset_burst, limits->reset_rate, h->http->now_ms)) return 0;
    cn_http2_fail(h, NGHTTP2_ENHANCE_YOUR_CALM, CONNECT_RESOURCE_EXHAUSTED, "too many streams were reset");
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* ---- The end of a stream ---- */

/* gRPC over HTTP/2, "Errors": an HTTP/2 error code as an RPC code. */
static connect_code_t cn_http2_code(uint32_t error, const char **why) {
    switch (error) {
    case NGHTTP2_NO_ERROR:
        *why = "the peer reset the stream before it was complete (NO_ERROR)";
        return CONNECT_INTERNAL;
    case NGHTTP2_REFUSED_STREAM:
        *why = "the peer did not process the request (REFUSED_STREAM)";
        return CONNECT_UNAVAILABLE;
    case NGHTTP2_CANCEL: *why = "the peer reset the stream (CANCEL)"; return CONNECT_CANCELED;
    case NGHTTP2_ENHANCE_YOUR_CALM:
        *why = "the peer reset the stream (ENHANCE_YOUR_CALM)";
        return CONNECT_RESOURCE_EXHAUSTED;
    case NGHTTP2_INADEQUATE_SECURITY:
        *why = "the peer reset the stream (INADEQUATE_SECURITY)";
        return CONNECT_PERMISSION_DENIED;
    case NGHTTP2_PROTOCOL_ERROR: *why = "HTTP/2 PROTOCOL_ERROR"; return CONNECT_INTERNAL;
    case NGHTTP2_INTERNAL_ERROR: *why = "HTTP/2 INTERNAL_ERROR"; return CONNECT_INTERNAL;
    case NGHTTP2_FLOW_CONTROL_ERROR: *why = "HTTP/2 FLOW_CONTROL_ERROR"; return CONNECT_INTERNAL;
    case NGHTTP2_STREAM_CLOSED: *why = "HTTP/2 STREAM_CLOSED"; return CONNECT_INTERNAL;
    case NGHTTP2_FRAME_SIZE_ERROR: *why = "HTTP/2 FRAME_SIZE_ERROR"; return CONNECT_INTERNAL;
    case NGHTTP2_COMPRESSION_ERROR: *why = "HTTP/2 COMPRESSION_ERROR"; return CONNECT_INTERNAL;
    case NGHTTP2_HTTP_1_1_REQUIRED: *why = "the peer wants HTTP/1.1 (HTTP_1_1_REQUIRED)"; return CONNECT_INTERNAL;
    default: *why = "the stream was reset"; return CONNECT_INTERNAL;
    }
}

static void cn_http2_set_close_code(cn_http2_t *h, cn_exchange_t *x, uint32_t error) {
    if (x->close_code != CONNECT_OK) return;
    if (h->http->is_server) {
        if (nghttp2_session_get_stream_local_close(h->session, x->stream_id) == 1) return;
        x->close_code = CONNECT_CANCELED;
        x->close_why = x->reset ? "the stream was reset by this end" : "the stream was reset";
    } else if (!x->received_end) {
        x->close_code = cn_http2_code(error, &x->close_why);
        if (x->reset) {
            x->close_code = CONNECT_CANCELED;
            x->close_why = "the stream was reset by this end";
        }
    }
}

static int cn_http2_on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error, void *user) {
    cn_http2_t *h = (cn_http2_t *)user;
    const connect_limits_t *limits = h->http->limits;
    cn_exchange_t *x = (cn_exchange_t *)nghttp2_session_get_stream_user_data(session, stream_id);
    bool counts = error != NGHTTP2_NO_ERROR && (h->http->is_server || (x && !x->reset));
    if ((!x || !x->received_end) && (uint32_t)stream_id != h->last_peer_reset_id)
        h->last_cut_id = CN_MAX(h->last_cut_id, (uint32_t)stream_id);
    if (x) {
        const size_t left = (size_t)x->unread + x->unreturned;
        if (left) (void)cn_http2_check(h, nghttp2_session_consume_connection(session, left));
        x->unread = x->unreturned = 0;
        cn_http2_set_close_code(h, x, error);
        /* RFC 9113 8.7; nghttp2 says the same of streams beyond the last one that GOAWAY names */
        if (error == NGHTTP2_REFUSED_STREAM && !x->reset && !x->received_head) x->unprocessed = true;
        cn_http2_close(h, x);
    }
    if (counts && !cn_http2_bucket_take(&h->resets, limits->reset_burst, limits->reset_rate, h->http->now_ms))
        cn_http2_fail(h, NGHTTP2_ENHANCE_YOUR_CALM, CONNECT_RESOURCE_EXHAUSTED, "too many streams were reset");
    return cn_http2_stops(h) ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

/* ---- What is sent ---- */

/* Whether a field is worth a place in the peer's HPACK table: it has the same value in call after call. */
static bool cn_http2_is_steady(connect_str_t name, connect_str_t value) {
    switch (name.len) {
    case 2: return cn_http2_is(name, "te", 2);
    case 6: return cn_http2_is(name, "accept", 6) || cn_http2_is(name, "server", 6);
    case 10: return cn_http2_is(name, "user-agent", 10) || cn_http2_is(name, "x-grpc-web", 10);
    case 11: return cn_http2_is(name, "grpc-status", 11) && value.len == 1 && value.data[0] == '0';
    case 12: return cn_http2_is(name, "content-type", 12);
    case 13: return cn_http2_is(name, "grpc-encoding", 13);
    case 15: return cn_http2_is(name, "accept-encoding", 15);
    case 16: return cn_http2_is(name, "content-encoding", 16);
    case 20: return cn_http2_is(name, "grpc-accept-encoding", 20);
    case 23: return cn_http2_is(name, "connect-accept-encoding", 23);
    case 24:
        return cn_http2_is(name, "connect-protocol-version", 24) || cn_http2_is(name, "connect-content-encoding", 24);
    default: return false;
    }
}

static void cn_http2_put_all(nghttp2_nv *fields, const connect_header_t *headers, size_t count) {
    size_t i;
    for (i = 0; i < count; i++) {
        connect_str_t name = cn_str(headers[i].name, strlen(headers[i].name));
        cn_http2_put(&fields[i], name, headers[i].value, cn_http2_is_steady(name, headers[i].value));
    }
}

/* The array for so many fields; NULL: out of memory. */
static nghttp2_nv *cn_http2_fields(connect_arena_t *arena, nghttp2_nv *on_stack, size_t count) {
    if (count <= CN_HTTP2_STACK_FIELDS) return on_stack;
    if (count > SIZE_MAX / sizeof *on_stack) return NULL;
    return (nghttp2_nv *)cn_arena_raw(arena, count * sizeof *on_stack);
}

static bool cn_http2_submit_trailers(cn_http2_t *h, cn_exchange_t *x) {
    nghttp2_nv on_stack[CN_HTTP2_STACK_FIELDS], *fields;
    const size_t count = x->out_trailers.count;
    fields = cn_http2_fields(x->arena, on_stack, count);
    if (!fields) return false;
    cn_http2_put_all(fields, x->out_trailers.items, count);
    return cn_http2_check(h, nghttp2_submit_trailer(h->session, x->stream_id, fields, count));
}

static ssize_t cn_http2_on_read(nghttp2_session *session, int32_t stream_id, uint8_t *buf, size_t length,
    uint32_t *data_flags, nghttp2_data_source *source, void *user) {
    cn_http2_t *h = (cn_http2_t *)user;
    cn_exchange_t *x = (cn_exchange_t *)source->ptr;
    size_t available;
    (void)session;
    (void)stream_id;
    (void)buf;
    if (x->is_head_request) cn_buf_clear(&x->out);
    available = cn_buf_len(&x->out);
    if (available == 0 && !x->sent_end) {
        x->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    *data_flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (available > length) return (ssize_t)length;
    if (x->sent_end) {
        *data_flags |= NGHTTP2_DATA_FLAG_EOF;
        if (x->out_trailers.count) {
            *data_flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            if (!cn_http2_submit_trailers(h, x)) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        }
    }
    return (ssize_t)available;
}

static int cn_http2_on_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *frame_head,
    size_t length, nghttp2_data_source *source, void *user) {
    cn_http2_t *h = (cn_http2_t *)user;
    cn_http_t *http = h->http;
    cn_exchange_t *x = (cn_exchange_t *)source->ptr;
    char *to = cn_buf_reserve(&http->out, http->allocator, CN_HTTP2_FRAME_HEAD + length);
    (void)session;
    (void)frame;
    if (!to) {
        cn_http2_fail_memory(h);
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    memcpy(to, frame_head, CN_HTTP2_FRAME_HEAD);
    if (length) memcpy(to + CN_HTTP2_FRAME_HEAD, cn_buf_view(&x->out).data, length);
    cn_buf_commit(&http->out, CN_HTTP2_FRAME_HEAD + length);
    cn_buf_drop(&x->out, length);
    x->out_taken += length;
    h->update_credit = CN_MIN(h->update_credit + 2, CN_HTTP2_UPDATE_CREDIT);
    if (x->over_high_water && cn_buf_len(&x->out) < http->limits->stream_buffer / 2) {
        x->over_high_water = false;
        if (!x->sent_end && !cn_http2_is_mute(x)) x->events->on_writable(x);
        if (cn_http2_stops(h)) return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    return cn_buf_len(&http->out) >= http->limits->connection_buffer ? NGHTTP2_ERR_PAUSE : 0;
}

static int cn_http2_on_frame_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int error, void *user) {
    cn_http2_t *h = (cn_http2_t *)user;
    cn_exchange_t *x;
    (void)session;
    if (frame->hd.type != NGHTTP2_HEADERS || error != NGHTTP2_ERR_FRAME_SIZE_ERROR) return 0;
    x = (cn_exchange_t *)nghttp2_session_get_stream_user_data(h->session, frame->hd.stream_id);
    if (x)
        cn_http2_give_up(
            h, x, NGHTTP2_INTERNAL_ERROR, CONNECT_RESOURCE_EXHAUSTED, "the headers to be sent are too large");
    return cn_http2_stops(h) ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

/* ---- Open, free ---- */

static bool cn_http2_new_session(cn_http2_t *h) {
    cn_http_t *http = h->http;
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    nghttp2_mem mem;
    int result = NGHTTP2_ERR_NOMEM;
    mem.mem_user_data = h;
    mem.malloc = cn_http2_malloc;
    mem.free = cn_http2_free_block;
    mem.calloc = cn_http2_calloc;
    mem.realloc = cn_http2_realloc;
    if (nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0) {
        nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, cn_http2_on_begin_frame);
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, cn_http2_on_begin_headers);
        nghttp2_session_callbacks_set_on_header_callback(callbacks, cn_http2_on_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, cn_http2_on_frame);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, cn_http2_on_data);
        nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, cn_http2_on_invalid_frame);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, cn_http2_on_stream_close);
        nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, cn_http2_on_frame_not_sent);
        nghttp2_session_callbacks_set_send_data_callback(callbacks, cn_http2_on_send_data);
        nghttp2_option_set_no_auto_window_update(option, 1);
        nghttp2_option_set_no_closed_streams(option, 1);
        nghttp2_option_set_max_deflate_dynamic_table_size(option, CN_HTTP2_HPACK_TABLE);
        nghttp2_option_set_max_outbound_ack(option, CN_HTTP2_ACKS_MAX);
        h->is_opening = true;
        result = http->is_server ? nghttp2_session_server_new3(&h->session, callbacks, h, option, &mem)
                                 : nghttp2_session_client_new3(&h->session, callbacks, h, option, &mem);
    }
    h->is_opening = false;
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return result == 0;
}

static bool cn_http2_submit_settings(cn_http2_t *h) {
    const connect_limits_t *limits = h->http->limits;
    const uint32_t largest = 0x7FFFFFFF; /* RFC 9113 6.9.1 */
    nghttp2_settings_entry entries[5];
    size_t count = 0;
    if (h->http->is_server) {
        entries[count].settings_id = NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS;
        entries[count++].value = limits->streams;
        entries[count].settings_id = NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES;
        entries[count++].value = 1; /* a client sends none, and its nghttp2 then lets streams take turns */
    } else {
        entries[count].settings_id = NGHTTP2_SETTINGS_ENABLE_PUSH;
        entries[count++].value = 0;
    }
    entries[count].settings_id = NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE;
    entries[count++].value = CN_MIN(limits->stream_window, largest);
    entries[count].settings_id = NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE;
    entries[count++].value = limits->header_bytes;
    return nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, entries, count) == 0 &&
        nghttp2_session_set_local_window_size(
            h->session, NGHTTP2_FLAG_NONE, 0, (int32_t)CN_MIN(limits->connection_window, largest)) == 0;
}

/* Client: takes the preface out of the frame buffer. */
static bool cn_http2_take_magic(cn_http2_t *h) {
    cn_http_t *http = h->http;
    const uint8_t *magic;
    const ssize_t len = nghttp2_session_mem_send(h->session, &magic);
    cn_buf_borrow(&http->out, http->pool);
    return len > 0 && cn_buf_append(&http->out, http->allocator, (const char *)magic, (size_t)len);
}

static void cn_http2_delete(cn_http2_t *h) {
    if (!h->starved) nghttp2_session_del(h->session);
    cn_http2_unshare_frame_buffer(h);
    cn_http2_free_all(h);
    cn_mem_release(h->http->allocator, h);
}

static bool cn_http2_open(cn_http_t *http) {
    const connect_limits_t *limits = http->limits;
    cn_http2_t *h = (cn_http2_t *)cn_mem_acquire(http->allocator, sizeof *h);
    if (!h) return false;
    h->http = http;
    cn_list_init(&h->blocks);
    h->had_room = true;
    h->unreturned_max = CN_MIN(limits->stream_window, limits->connection_window / CN_MAX(limits->streams, 1u)) / 2;
    h->magic_left = http->is_server ? CN_HTTP2_MAGIC_LEN : 0;
    h->update_credit = limits->streams < CN_HTTP2_UPDATE_CREDIT / 2 ? limits->streams : CN_HTTP2_UPDATE_CREDIT / 2;
    cn_http2_bucket_init(&h->frames, limits->frame_burst, http->now_ms);
    cn_http2_bucket_init(&h->resets, limits->reset_burst, http->now_ms);
    if (!cn_http2_new_session(h) || (!http->is_server && !cn_http2_take_magic(h)) || !cn_http2_submit_settings(h)) {
        cn_http2_delete(h);
        return false;
    }
    if (!http->exchanges.next) cn_list_init(&http->exchanges);
    http->state = h;
    http->head_since_ms = http->is_server ? http->now_ms : -1;
    cn_http_wake(http);
    return true;
}

static void cn_http2_eof(cn_http_t *http) {
    cn_http2_t *h = (cn_http2_t *)http->state;
    bool was_feeding = http->feeding;
    if (h->ended) return;
    http->feeding = true;
    cn_http2_end(h, CONNECT_UNAVAILABLE, "the connection was closed");
    if (!http->is_server && http->events->on_room) http->events->on_room(http);
    http->feeding = was_feeding;
}

static void cn_http2_free(cn_http_t *http) {
    cn_http2_t *h = (cn_http2_t *)http->state;
    if (!h) return;
    if (!h->ended) {
        http->feeding = true;
        cn_http2_end(h, CONNECT_UNAVAILABLE, "the connection was closed");
        http->feeding = false;
    }
    http->state = NULL;
    cn_http2_delete(h);
}

/* ---- Feed, pull ---- */

static bool cn_http2_is_blocked(const cn_http2_t *h) {
    return cn_buf_len(&h->http->out) >= h->http->limits->connection_buffer &&
        nghttp2_session_get_outbound_queue_size(h->session) >= CN_HTTP2_ACKS_BLOCK;
}

static void cn_http2_receive(cn_http2_t *h, const uint8_t *bytes, size_t len) {
    ssize_t result;
    if (len == 0 || h->fatal) return;
    result = nghttp2_session_mem_recv(h->session, bytes, len);
    if (result >= 0) return;
    if (result == NGHTTP2_ERR_BAD_CLIENT_MAGIC)
        cn_http2_fail(h, NGHTTP2_PROTOCOL_ERROR, CONNECT_INTERNAL, "this is not HTTP/2");
    else if (result == NGHTTP2_ERR_FLOODED)
        cn_http2_fail_flood(h);
    else
        cn_http2_fail_memory(h);
}

/* Shows bytes to nghttp2, but for the start of a frame's head: newer ones count each piece of a CONTINUATION's head as
   one more CONTINUATION. */
static void cn_http2_receive_frames(cn_http2_t *h, const uint8_t *bytes, size_t len) {
    uint8_t head[CN_HTTP2_FRAME_HEAD];
    size_t held = h->frame_head_len, rest;
    memcpy(head, h->frame_head, held);
    if (!cn_http2_see(h, bytes, len)) {
        cn_http2_fail_flood(h);
        return;
    }
    if (CN_UNLIKELY(held > 0)) {
        rest = CN_HTTP2_FRAME_HEAD - held;
        if (rest > len) return;
        memcpy(head + held, bytes, rest);
        bytes += rest;
        len -= rest;
        cn_http2_receive(h, head, sizeof head);
    }
    cn_http2_receive(h, bytes, len - h->frame_head_len);
}

static size_t cn_http2_feed(cn_http_t *http, const char *bytes, size_t len) {
    cn_http2_t *h = (cn_http2_t *)http->state;
    bool was_feeding = http->feeding;
    if (h->ended || len == 0) return len;
    if (cn_http2_is_blocked(h)) {
        http->read_blocked = true;
        return 0;
    }
    h->early_end_seen = h->has_early_end;
    http->feeding = true;
    h->is_receiving = true;
    cn_http2_receive_frames(h, (const uint8_t *)bytes, len);
    h->is_receiving = false;
    if (h->settings_received || !http->is_server) {
        if (!h->in_block)
            http->head_since_ms = -1;
        else if (http->head_since_ms < 0)
            http->head_since_ms = http->now_ms;
    }
    if (h->has_reset_due && !h->ended) cn_http2_reset_due(h);
    (void)cn_http2_settle(h);
    http->feeding = was_feeding;
    return len;
}

/* Server: responses that went out whole before their requests came in whole (RFC 9113 8.1). Not in the write that
   carries the response: clients are known to drop it for the RST_STREAM behind it. */
static void cn_http2_reset_early_ends(cn_http2_t *h) {
    cn_list_t *node = h->http->exchanges.next, *next;
    h->has_early_end = h->early_end_seen = false;
    for (; node != &h->http->exchanges; node = next) {
        cn_exchange_t *x = CN_CONTAINER(node, cn_exchange_t, node);
        next = node->next;
        if (!x->sent_end || x->received_end || x->reset) continue;
        if (nghttp2_session_get_stream_local_close(h->session, x->stream_id) == 1)
            cn_http2_reset_stream(h, x, NGHTTP2_NO_ERROR);
        else
            h->has_early_end = true;
    }
}

/* Client: exchanges that were reset and that nghttp2 does not have. */
static void cn_http2_close_strays(cn_http2_t *h) {
    cn_list_t *node;
    h->has_stray = false;
restart: /* on_closed may change the list */
    for (node = h->http->exchanges.next; node != &h->http->exchanges; node = node->next) {
        cn_exchange_t *x = CN_CONTAINER(node, cn_exchange_t, node);
        if (!x->reset) continue;
        if (x->stream_id != 0) {
            if (nghttp2_session_find_stream(h->session, x->stream_id)) continue;
            (void)nghttp2_session_set_stream_user_data(h->session, x->stream_id, NULL);
        }
        if (x->close_code == CONNECT_OK) {
            x->close_code = CONNECT_CANCELED;
            x->close_why = "the stream was reset by this end";
        }
        cn_http2_close(h, x);
        goto restart;
    }
}

/* Moves frames into http->out. */
static void cn_http2_move_frames(cn_http2_t *h) {
    cn_http_t *http = h->http;
    while (!h->fatal && cn_buf_len(&http->out) < http->limits->connection_buffer) {
        const uint8_t *bytes;
        ssize_t n = nghttp2_session_mem_send(h->session, &bytes);
        if (n == 0) break;
        if (n < 0 || !cn_buf_append(&http->out, http->allocator, bytes, (size_t)n)) cn_http2_fail_memory(h);
    }
}

static void cn_http2_write(cn_http2_t *h) {
    cn_buf_pool_t *pool = h->http->pool;
    void *kept = NULL;
    if (!h->shares_frame_buffer) {
        cn_http2_move_frames(h);
        return;
    }
    if (pool->shared_is_busy) {
        kept = cn_mem_resize(h->http->allocator, NULL, CN_HTTP2_FRAME_BUFFER);
        if (!kept) {
            cn_http2_fail_memory(h);
            return;
        }
        memcpy(kept, (cn_http2_block_t *)pool->shared + 1, CN_HTTP2_FRAME_BUFFER);
    }
    pool->shared_is_busy = true;
    cn_http2_move_frames(h);
    pool->shared_is_busy = kept != NULL;
    if (kept) memcpy((cn_http2_block_t *)pool->shared + 1, kept, CN_HTTP2_FRAME_BUFFER);
    cn_mem_release(h->http->allocator, kept);
}

static void cn_http2_pull(cn_http_t *http) {
    cn_http2_t *h = (cn_http2_t *)http->state;
    bool was_feeding = http->feeding, again;
    http->woken = false;
    if (h->ended) return;
    http->feeding = true;
    do {
        again = false;
        cn_http2_write(h);
        if (h->has_stray && !h->fatal) cn_http2_close_strays(h);
        if (http->draining && http->exchange_count == 0 && !h->goaway_submitted) {
            cn_http2_submit_goaway(h);
            again = true;
        }
        if (h->has_early_end && h->early_end_seen && !h->fatal) {
            cn_http2_reset_early_ends(h);
            again = again || !h->has_early_end;
        }
        again = cn_http2_settle(h) || again;
    } while (again && !h->ended);
    if (http->read_blocked && (h->ended || !cn_http2_is_blocked(h))) http->read_blocked = false;
    http->feeding = was_feeding;
}

/* ---- Operations ---- */

static cn_http2_t *cn_http2_of(const cn_exchange_t *x) {
    cn_http2_t *h = x->http ? (cn_http2_t *)x->http->state : NULL;
    return h && !h->ended ? h : NULL;
}

static bool cn_http2_begin(cn_http_t *http, cn_exchange_t *x) {
    cn_http2_t *h = (cn_http2_t *)http->state;
    if (!cn_http2_can_begin(http)) return false;
    cn_exchange_attach(http, x);
    h->had_room = cn_http2_can_begin(http);
    return true;
}

static bool cn_http2_send_head(cn_exchange_t *x, const cn_head_t *head, bool end) {
    cn_http2_t *h = cn_http2_of(x);
    nghttp2_nv on_stack[CN_HTTP2_STACK_FIELDS], *fields;
    nghttp2_data_provider provider;
    char digits[20];
    connect_str_t text;
    size_t count = 0;
    int32_t result;
    if (!h || cn_http2_is_mute(x) || x->sent_head) return true;
    fields = cn_http2_fields(x->arena, on_stack, head->header_count + 5);
    if (!fields) return false;
    provider.source.ptr = x;
    provider.read_callback = cn_http2_on_read;
    if (x->http->is_server) {
        text = CN_STR("200");
        if (head->status != 200) {
            text = connect_arena_copy(x->arena, cn_str(digits, cn_str_from_uint(digits, (uint64_t)head->status)));
            if (!text.data) return false;
        }
        cn_http2_put(&fields[count++], CN_STR(":status"), text, true);
    } else {
        cn_http2_put(&fields[count++], CN_STR(":method"), head->method, true);
        cn_http2_put(&fields[count++], CN_STR(":scheme"), x->http->is_secure ? CN_STR("https") : CN_STR("http"), true);
        cn_http2_put(&fields[count++], CN_STR(":authority"), head->authority, true);
        cn_http2_put(&fields[count++], CN_STR(":path"), head->path, true);
        if (head->content_length >= 0) {
            text = cn_str(digits, cn_str_from_uint(digits, (uint64_t)head->content_length));
            text = connect_arena_copy(x->arena, text);
            if (!text.data) return false;
            cn_http2_put(&fields[count++], CN_STR("content-length"), text, false);
        }
    }
    cn_http2_put_all(fields + count, head->headers, head->header_count);
    count += head->header_count;
    if (x->http->is_server) {
        result = nghttp2_submit_response(h->session, x->stream_id, fields, count, end ? NULL : &provider);
        if (result != 0 && !nghttp2_is_fatal(result)) result = 0; /* the stream is gone, on_closed is to come */
    } else {
        result = nghttp2_submit_request(h->session, NULL, fields, count, end ? NULL : &provider, x);
        if (result > 0) x->stream_id = result;
    }
    if (result < 0) return false;
    x->sent_head = true;
    if (end) {
        x->sent_end = true;
        h->has_early_end = x->http->is_server && (h->has_early_end || !x->received_end);
    }
    cn_http_wake(x->http);
    return true;
}

static void cn_http2_resume(cn_http2_t *h, cn_exchange_t *x) {
    if (x->deferred) {
        x->deferred = false;
        (void)cn_http2_check(h, nghttp2_session_resume_data(h->session, x->stream_id));
    }
    cn_http_wake(x->http);
}

/* nghttp2 sends one stream's data to its end before the next one's, by RFC 9218's default; a stream that has more to
   send than its buffer holds has to take turns with the others, frame by frame. */
static void cn_http2_take_turns(cn_http2_t *h, cn_exchange_t *x) {
    nghttp2_extpri priority;
    priority.urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY;
    priority.inc = 1;
    (void)cn_http2_check(h, nghttp2_session_change_extpri_stream_priority(h->session, x->stream_id, &priority, 1));
}

static void cn_http2_flush(cn_exchange_t *x) {
    cn_http2_t *h = cn_http2_of(x);
    if (!h || cn_http2_is_mute(x)) return;
    if (!x->over_high_water && cn_buf_len(&x->out) >= x->http->limits->stream_buffer) {
        x->over_high_water = true;
        if (x->http->is_server && x->sent_head) cn_http2_take_turns(h, x);
    }
    cn_http2_resume(h, x);
}

static void cn_http2_reset(cn_exchange_t *x, cn_reset_t why) {
    cn_http2_t *h = cn_http2_of(x);
    uint32_t error = NGHTTP2_INTERNAL_ERROR;
    if (!h || cn_http2_is_mute(x)) return;
    switch (why) {
    case CN_RESET_NO_ERROR: error = NGHTTP2_NO_ERROR; break;
    case CN_RESET_CANCEL:
    case CN_RESET_LATE: error = NGHTTP2_CANCEL; break;
    case CN_RESET_STALLED:
        error = NGHTTP2_CANCEL;
        if (++h->stalled >= CN_HTTP2_STALLED_MAX)
            cn_http2_fail(h, NGHTTP2_ENHANCE_YOUR_CALM, CONNECT_UNAVAILABLE, x->close_why);
        break;
    case CN_RESET_INTERNAL: break;
    }
    x->reset = true;
    if (!x->http->is_server) h->has_stray = true;
    if (x->stream_id != 0) cn_http2_reset_stream(h, x, error);
    cn_http_wake(x->http);
}

static void cn_http2_send_end(cn_exchange_t *x, connect_headers_t trailers) {
    cn_http2_t *h = cn_http2_of(x);
    if (!h || cn_http2_is_mute(x) || x->sent_end) return;
    if (trailers.count) { /* the array may be gone when they go out */
        connect_header_t *items = (connect_header_t *)connect_arena_take(x->arena, trailers.count, sizeof *items);
        if (!items) {
            x->close_code = CONNECT_RESOURCE_EXHAUSTED;
            x->close_why = "out of memory";
            cn_http2_reset(x, CN_RESET_INTERNAL);
            return;
        }
        memcpy(items, trailers.items, trailers.count * sizeof *items);
        x->out_trailers.items = items;
        x->out_trailers.count = trailers.count;
    }
    x->sent_end = true;
    if (x->http->is_server && !x->received_end) h->has_early_end = true;
    cn_http2_resume(h, x);
}

static void cn_http2_consume(cn_exchange_t *x, size_t len) {
    cn_http2_t *h = cn_http2_of(x);
    if (!h) return;
    len = CN_MIN(len, (size_t)x->unread);
    x->unread -= (uint32_t)len;
    x->unreturned += (uint32_t)len;
    if (x->unreturned <= h->unreturned_max) return;
    len = x->unreturned;
    x->unreturned = 0;
    if (x->received_end || x->reset) /* the stream's window is of no use any more */
        (void)cn_http2_check(h, nghttp2_session_consume_connection(h->session, len));
    else
        (void)cn_http2_check(h, nghttp2_session_consume(h->session, x->stream_id, len));
    if (h->fatal || nghttp2_session_get_outbound_queue_size(h->session) > 0) cn_http_wake(x->http);
}

static void cn_http2_expect(cn_exchange_t *x, size_t len) {
    /* RFC 9113 6.9.1; the SETTINGS that the peer has still to read may add to it */
    const size_t largest = 0x7FFFFFFFu - CN_MIN(x->http->limits->stream_window, 0x7FFFFFFFu);
    cn_http2_t *h = cn_http2_of(x);
    len = CN_MIN(len, largest);
    if (!h || len <= x->http->limits->stream_window || x->received_end || x->reset) return;
    (void)cn_http2_check(h,
        nghttp2_session_set_local_window_size(
            h->session, NGHTTP2_FLAG_NONE, x->stream_id, (int32_t)len));
    cn_http_wake(x->http);
}

static void cn_http2_ping(cn_http_t *http) {
    static const uint8_t opaque[8] = {'a', 'l', 'i', 'v', 'e', '?', 0, 0};
    cn_http2_t *h = (cn_http2_t *)http->state;
    if (h->ended) return;
    (void)cn_http2_check(h, nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, opaque));
    cn_http_wake(http);
}

static void cn_http2_drain(cn_http_t *http) {
    cn_http2_t *h = (cn_http2_t *)http->state;
    if (h->ended || http->draining) return;
    http->draining = true;
    h->had_room = false;
    if (http->is_server && http->exchange_count > 0) {
        h->ping_sent = true;
        (void)cn_http2_check(h, nghttp2_submit_shutdown_notice(h->session));
        (void)cn_http2_check(h, nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, cn_http2_drain_ping()));
    }
    cn_http_wake(http);
}

CN_PRIVATE const cn_http_version_t *cn_http2_version(void) {
    static const cn_http_version_t version = {CONNECT_HTTP_2, cn_http2_open, cn_http2_free, cn_http2_feed, cn_http2_eof,
        cn_http2_pull, cn_http2_can_begin, cn_http2_capacity, cn_http2_begin, cn_http2_ping, cn_http2_drain,
        cn_http2_send_head, cn_http2_flush, cn_http2_send_end, cn_http2_reset, cn_http2_consume,
        cn_http2_expect};
    return &version;
}
#endif
