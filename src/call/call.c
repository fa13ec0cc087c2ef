#include "call/call.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/str.h"
#include "call/intercept.h"
#include "call/invoke.h"
#include "call/serve.h"
#include "codec/compress.h"
#include "codec/pb.h"
#include "codec/pbjson.h"
#include "http/exchange.h"
#include "http/header.h"
#include "protocol/envelope.h"
#include "protocol/error.h"
#include "protocol/timeout.h"

/* One RPC, seen from either end: the object, its memory, and what both ends do alike. How a server's call runs is in
   serve.c, a client's in invoke.c.

   Memory. A call is one block of CN_CALL_BLOCK bytes: the struct, and behind it the first block of its arena, in
   which headers, request, response and error find room in a usual unary call. Released calls are kept for the next
   ones, the last one first, with the blocks of their queues and arenas: then a call in steady state allocates nothing.
   Of blocks above CN_CALL_SMALL those that are kept have no more than CN_CALL_KEPT_SHARE of limits.memory together.

   Life. A call is held by its exchange (until x's on_closed), by a promise (a unary handler returned LATER: until
   finish), by the user of a client's call without events (until connect_call_free), and by callbacks that run. When the
   last of them lets go it is released, once.

   Input. Received bytes stand in `in` as they came. The peer's window is given back as soon as bytes belong to a
   message that is not complete yet (they are bounded by receive_bytes), or when a message was taken; so a paused call
   withholds it. Envelopes: flags but the protocol's own are refused, a length over the limit is refused from the five
   bytes alone. */

#define CN_CALL_PACKED_MORE (64u * 1024u) /* a compressed message may be longer than receive_bytes by so much */
#define CN_CALL_BLOCK 4096u
#define CN_CALL_POOLED_MAX 128u     /* calls kept */
#define CN_CALL_SMALL (16u * 1024u) /* bytes of a queue or an arena block that is always kept with one */
#define CN_CALL_KEPT_SHARE 8u
#define CN_CALL_KEPT_MAX (16u * 1024u * 1024u)

#if CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER
/* ---- The object ---- */

static void cn_call_init(
    connect_call_t *call, const connect_allocator_t *allocator, const connect_limits_t *limits, bool is_server) {
    call->x.arena = &call->arena;
    call->x.due_ms = INT64_MAX;
    call->deadline_ms = INT64_MAX;
    call->is_server = is_server;
    call->rpc.x = &call->x;
    call->rpc.arena = &call->arena;
    call->rpc.allocator = allocator;
    call->rpc.limits = limits;
    call->rpc.timeout_ms = CN_TIMEOUT_NONE;
    call->receive_bytes = limits->receive_bytes;
    call->send_bytes = limits->send_bytes;
    call->failure.message = CN_STR("");
    call->rpc.error.message = CN_STR("");
}

/* Bytes of the blocks that belong to a call beside its own. */
static size_t cn_call_owned(const connect_call_t *call) {
    return call->in.capacity + call->x.out.capacity + call->expanded.capacity + cn_arena_block_size(&call->scratch) +
        cn_arena_block_size(&call->arena);
}

CN_PRIVATE connect_call_t *cn_call_new(
    cn_call_pool_t *pool, const connect_allocator_t *allocator, const connect_limits_t *limits, bool is_server) {
    connect_call_t *call;
    if (!pool->ready) {
        cn_list_init(&pool->calls);
        pool->ready = true;
    }
    if (!cn_list_empty(&pool->calls)) {
        call = CN_CONTAINER(cn_list_pop(&pool->calls), connect_call_t, node);
        pool->count--;
        pool->owned_bytes -= cn_call_owned(call);
    } else {
        if (!allocator) allocator = connect_allocator_libc();
        call = (connect_call_t *)allocator->acquire(allocator->ctx, CN_CALL_BLOCK);
        if (!call) return NULL;
        memset(call, 0, sizeof *call);
        connect_arena_init(&call->arena, (char *)call + sizeof *call, CN_CALL_BLOCK - sizeof *call, allocator);
        call->scratch.private_allocator = allocator;
    }
    cn_call_init(call, allocator, limits, is_server);
    return call;
}

static void cn_call_destroy(connect_call_t *call) {
    const connect_allocator_t *allocator = call->rpc.allocator;
    cn_buf_free(&call->in, allocator);
    cn_buf_free(&call->expanded, allocator);
    cn_buf_free(&call->x.out, allocator);
    connect_arena_free(&call->scratch);
    connect_arena_free(&call->arena);
    cn_mem_release(allocator, call);
}

CN_PRIVATE void cn_call_set_tls(connect_call_t *call, cn_tls_t *tls) {
    cn_tls_ref(tls);
    cn_tls_unref(call->tls);
    call->tls = tls;
    call->info.peer.tls = cn_tls_info(tls);
}

static void cn_call_free_large_buf(connect_call_t *call, cn_buf_t *buf) {
    if (buf->capacity > CN_CALL_SMALL) cn_buf_free(buf, call->rpc.allocator);
}

static void cn_call_free_large(connect_call_t *call) {
    cn_call_free_large_buf(call, &call->in);
    cn_call_free_large_buf(call, &call->x.out);
    cn_call_free_large_buf(call, &call->expanded);
    if (cn_arena_block_size(&call->scratch) > CN_CALL_SMALL) connect_arena_free(&call->scratch);
    if (cn_arena_block_size(&call->arena) > CN_CALL_SMALL) {
        const connect_allocator_t *allocator = call->arena.private_allocator;
        connect_arena_free(&call->arena);
        connect_arena_init(&call->arena, (char *)call + sizeof *call, CN_CALL_BLOCK - sizeof *call, allocator);
    }
}

CN_PRIVATE void cn_call_recycle(cn_call_pool_t *pool, connect_call_t *call) {
    cn_buf_t out;
    size_t owned_max;
    cn_call_set_tls(call, NULL);
    if (!pool || !pool->ready || pool->count >= CN_CALL_POOLED_MAX) {
        cn_call_destroy(call);
        return;
    }
    cn_buf_clear(&call->in);
    cn_buf_clear(&call->expanded);
    cn_buf_clear(&call->x.out);
    connect_arena_reset(&call->scratch);
    connect_arena_reset(&call->arena);
    owned_max = CN_MIN(call->rpc.limits->memory / CN_CALL_KEPT_SHARE, (size_t)CN_CALL_KEPT_MAX);
    if (pool->owned_bytes + cn_call_owned(call) > owned_max) cn_call_free_large(call);
    pool->owned_bytes += cn_call_owned(call);
    out = call->x.out;
    memset(call, 0, offsetof(connect_call_t, arena));
    call->x.out = out;
    cn_list_append(pool->calls.next, &call->node); /* first */
    pool->count++;
}

CN_PRIVATE void cn_call_pool_free(cn_call_pool_t *pool, const connect_allocator_t *allocator) {
    while (pool->ready && !cn_list_empty(&pool->calls)) {
        connect_call_t *call = CN_CONTAINER(cn_list_pop(&pool->calls), connect_call_t, node);
        call->rpc.allocator = allocator;
        cn_call_destroy(call);
    }
    pool->count = 0;
    pool->owned_bytes = 0;
}

CN_PRIVATE connect_call_t *cn_call_of(cn_exchange_t *x) {
    return CN_CONTAINER(x, connect_call_t, x);
}

CN_PRIVATE int64_t cn_call_now_ms(const connect_call_t *call) {
    const int64_t now_ms = call->owner ? call->owner_events->now_ms(call) : call->x.received_ms;
    return call->x.http ? CN_MAX(now_ms, call->x.http->now_ms) : now_ms; /* a connection is told it now and then */
}

CN_PRIVATE void cn_call_enter(connect_call_t *call) {
    call->callbacks++;
}

CN_PRIVATE void cn_call_leave(connect_call_t *call) {
    if (--call->callbacks == 0) connect_arena_reset(&call->scratch);
}

CN_PRIVATE void cn_call_release_if_done(connect_call_t *call) {
    bool user_has_it = call->proceed_due || (call->is_server ? call->promised : call->pull && !call->freed);
    if (call->x.http || user_has_it || call->callbacks || call->released || !call->told || call->poked) return;
    call->released = true;
    cn_list_remove(&call->poke_node);
    cn_list_remove(&call->child_node);
    if (call->owner)
        call->owner_events->on_released(call);
    else
        cn_call_recycle(NULL, call);
}

CN_PRIVATE void cn_call_poke(connect_call_t *call) {
    call->poked = call->x.http || call->owner; /* else nobody is left to tell it to */
    if (call->x.http)
        cn_exchange_set_due(&call->x, call->x.http->now_ms);
    else if (call->owner)
        call->owner_events->poke(call);
}

CN_PRIVATE void cn_call_on_poke(connect_call_t *call) {
    const bool is_server = call->is_server;
    call->poked = false;
#if CONNECT_ENABLE_SERVER
    if (is_server) cn_serve_on_poke(call);
#endif
#if CONNECT_ENABLE_CLIENT
    if (!is_server) cn_invoke_on_poke(call);
#endif
}

CN_PRIVATE void cn_call_adopt(connect_call_t *parent, connect_call_t *child) {
    if (!parent->children.next) cn_list_init(&parent->children);
    cn_list_append(&parent->children, &child->child_node);
}

CN_PRIVATE void cn_call_end_children(connect_call_t *call) {
#if CONNECT_ENABLE_CLIENT
    cn_list_t *node;
    while ((node = cn_list_pop(&call->children)) != NULL)
        cn_invoke_end_child(CN_CONTAINER(node, connect_call_t, child_node));
#else
    (void)call;
#endif
}

CN_PRIVATE void cn_call_tell_closed(connect_call_t *call) {
    if (call->told) return;
    call->told = true;
    cn_call_end_children(call);
    if (!call->entered || !call->events.on_closed) return;
    cn_call_enter(call);
    call->events.on_closed(call, call->rpc.error.code == CONNECT_OK ? NULL : &call->rpc.error, call->user);
    cn_call_leave(call);
}

CN_PRIVATE bool cn_call_single_request(const connect_call_t *call) {
    return call->rpc.method->kind == CONNECT_UNARY || call->rpc.method->kind == CONNECT_SERVER_STREAM;
}

CN_PRIVATE bool cn_call_single_response(const connect_call_t *call) {
    return call->rpc.method->kind == CONNECT_UNARY || call->rpc.method->kind == CONNECT_CLIENT_STREAM;
}

CN_PRIVATE bool cn_call_sends_one(const connect_call_t *call) {
    return !call->rpc.protocol->enveloped ||
        (call->is_server ? cn_call_single_response(call) : cn_call_single_request(call));
}

CN_PRIVATE bool cn_call_receives_one(const connect_call_t *call) {
    return !call->rpc.protocol->enveloped ||
        (call->is_server ? cn_call_single_request(call) : cn_call_single_response(call));
}

/* ---- Input ---- */

/* What is compressed may be a little longer than the limit of what it expands to: not all can be made shorter. */
static bool cn_call_fits(const connect_call_t *call, size_t len, bool packed) {
    return len <= call->receive_bytes || (packed && len - call->receive_bytes <= CN_CALL_PACKED_MORE);
}

/* How many bytes the peer has said `in` will have; 0: it has not, or too many. */
static size_t cn_call_claimed(const connect_call_t *call) {
    const connect_str_t in = cn_buf_view(&call->in);
    size_t head = 0;
    uint64_t len = 0;
    if (call->rpc.protocol && !call->rpc.protocol->enveloped) {
        len = (uint64_t)CN_MAX(call->x.content_length, 0);
    } else if (in.len >= CN_ENVELOPE_HEAD) {
        head = CN_ENVELOPE_HEAD;
        len = cn_envelope_read(in.data).len;
    }
    return len <= SIZE_MAX && cn_call_fits(call, (size_t)len, true) ? head + (size_t)len : 0;
}

CN_PRIVATE bool cn_call_take_input(connect_call_t *call, const char *bytes, size_t len) {
    bool ok;
    call->rpc.received_body = true;
    call->unconsumed += len;
    if (call->rpc.protocol && call->rpc.protocol->server_receive)
        return call->rpc.protocol->server_receive(&call->rpc, cn_str(bytes, len), &call->in);
    if (call->in.capacity - call->in.end < len)
        ok = cn_buf_append_part(&call->in, call->rpc.allocator, bytes, len, cn_call_claimed(call));
    else
        ok = cn_buf_append(&call->in, call->rpc.allocator, bytes, len);
    return ok || cn_error_memory(&call->rpc.error);
}

CN_PRIVATE void cn_call_drop_front(connect_call_t *call, size_t whole) {
    cn_buf_drop(&call->in, whole);
}

CN_PRIVATE void cn_call_open_window(connect_call_t *call) {
    const cn_http_version_t *version = call->x.http ? call->x.http->version : NULL;
    const size_t len = call->unconsumed;
    call->starved = false;
    call->unconsumed = 0;
    if (!len || !version) return;
    if (version->expect && !call->in_end && !call->drop_input && cn_call_receives_one(call))
        version->expect(&call->x, cn_call_claimed(call));
    version->consume(&call->x, len);
}

CN_PRIVATE void cn_call_consume(connect_call_t *call) {
    if (call->unconsumed && call->meter && !call->answered && cn_meter_is_high(call->meter))
        call->starved = call->meter->waiting = true;
    else
        cn_call_open_window(call);
}

static cn_front_t cn_call_bad(connect_call_t *call, connect_code_t code, const char *text) {
    cn_error_set(&call->rpc.error, code, text);
    return CN_FRONT_BAD;
}

static cn_front_t cn_call_too_large(connect_call_t *call, uint64_t len) {
    cn_error_print(&call->rpc.error, &call->arena, CONNECT_RESOURCE_EXHAUSTED,
        "a message of %llu bytes is over the limit of %lu (receive_bytes)", (unsigned long long)len,
        (unsigned long)call->receive_bytes);
    return CN_FRONT_BAD;
}

CN_PRIVATE cn_front_t cn_call_front(connect_call_t *call, connect_str_t *payload, size_t *whole) {
    connect_str_t in = cn_buf_view(&call->in);
    const cn_protocol_t *protocol = call->rpc.protocol;
    cn_envelope_t envelope;
    bool is_end;
    if (!protocol->enveloped) { /* the body is the message, and an empty one is a message, too */
        call->packed = call->rpc.coding_received && in.len;
        if (!cn_call_fits(call, in.len, call->packed))
            return cn_call_too_large(call, CN_MAX((uint64_t)in.len, (uint64_t)CN_MAX(call->x.content_length, 0)));
        if (!call->in_end) return in.len ? CN_FRONT_PARTIAL : CN_FRONT_NONE;
        if (call->messages_in) return CN_FRONT_NONE;
        *payload = in;
        *whole = in.len;
        return CN_FRONT_MESSAGE;
    }
    if (in.len < CN_ENVELOPE_HEAD) return in.len ? CN_FRONT_PARTIAL : CN_FRONT_NONE;
    envelope = cn_envelope_read(in.data);
    is_end = !call->is_server && protocol->end_flag && (envelope.flags & protocol->end_flag) != 0;
    if ((envelope.flags & CN_ENVELOPE_COMPRESSED) && !call->rpc.coding_received)
        return cn_call_bad(
            call, CONNECT_INTERNAL, "a message is flagged as compressed, but no compression was declared");
    if (envelope.flags & ~(CN_ENVELOPE_COMPRESSED | (is_end ? (unsigned)protocol->end_flag : 0u)))
        return cn_call_bad(call, CONNECT_INTERNAL, "an envelope has flags that this protocol does not know");
    call->packed = (envelope.flags & CN_ENVELOPE_COMPRESSED) && envelope.len;
    if (!cn_call_fits(call, envelope.len, call->packed)) return cn_call_too_large(call, envelope.len);
    if (in.len - CN_ENVELOPE_HEAD < envelope.len) return CN_FRONT_PARTIAL;
    *payload = cn_str(in.data + CN_ENVELOPE_HEAD, envelope.len);
    *whole = CN_ENVELOPE_HEAD + (size_t)envelope.len;
    return is_end ? CN_FRONT_END : CN_FRONT_MESSAGE;
}

CN_PRIVATE bool cn_call_expand(connect_call_t *call, connect_str_t *payload) {
    cn_rpc_t *rpc = &call->rpc;
    if (!call->packed) return true;
    cn_buf_clear(&call->expanded);
    switch (cn_codings_expand(rpc->codings, rpc->coding_received, *payload, call->receive_bytes, &call->expanded)) {
    case CN_EXPAND_OK: *payload = cn_buf_view(&call->expanded); return true;
    case CN_EXPAND_TOO_LARGE:
        return cn_error_print(&rpc->error, rpc->arena, CONNECT_RESOURCE_EXHAUSTED,
            "a message of %llu bytes in %s expands to more than the limit of %lu (receive_bytes)",
            (unsigned long long)payload->len, rpc->coding_received->name, (unsigned long)call->receive_bytes);
    case CN_EXPAND_CORRUPT:
        return cn_error_print(&rpc->error, rpc->arena, call->is_server ? CONNECT_INVALID_ARGUMENT : CONNECT_INTERNAL,
            "a compressed message is not valid %s", rpc->coding_received->name);
    case CN_EXPAND_NO_MEMORY: break;
    }
    return cn_error_memory(&rpc->error);
}

static connect_codec_options_t cn_call_codec_options(const connect_call_t *call) {
    connect_codec_options_t options = *call->codec_options;
    options.depth_max = call->rpc.limits->depth;
    options.memory_max = call->rpc.limits->decode_bytes;
    options.merge = false;
    return options;
}

static bool cn_call_take_raw(connect_str_t *to, connect_str_t bytes, connect_arena_t *copy_or_null) {
    *to = copy_or_null ? connect_arena_copy(copy_or_null, bytes) : bytes;
    return to->data != NULL;
}

CN_PRIVATE void *cn_call_new_message(const connect_type_t *type, connect_arena_t *arena) {
    void *message = connect_arena_take(arena, 1, type ? type->size : sizeof(connect_str_t));
    if (message && type) connect_message_init(type, message);
    if (message && !type) *(connect_str_t *)message = CN_STR("");
    return message;
}

CN_PRIVATE bool cn_call_copy_message(const connect_type_t *type, void *to, const void *from, connect_arena_t *arena) {
    if (type) return connect_message_copy(type, to, from, arena);
    return cn_call_take_raw((connect_str_t *)to, *(const connect_str_t *)from, arena);
}

CN_PRIVATE bool cn_call_decode(connect_call_t *call, const connect_type_t *type, void *message, connect_str_t payload,
    connect_arena_t *arena, bool copy, connect_error_t *error) {
    connect_codec_options_t options = cn_call_codec_options(call);
    options.copy = copy;
    if (!type)
        return cn_call_take_raw((connect_str_t *)message, payload, copy ? arena : NULL) || cn_error_memory(error);
#if CONNECT_ENABLE_JSON
    if (call->rpc.json) return cn_pbjson_decode(type, message, payload, arena, &options, error);
#endif
    return cn_pb_decode(type, message, payload, arena, &options, error);
}

/* ---- Output ---- */

CN_PRIVATE bool cn_call_encode(
    connect_call_t *call, const connect_type_t *type, const void *message, cn_buf_t *out, connect_error_t *error) {
    connect_codec_options_t options = cn_call_codec_options(call);
    if (call->rpc.get) options.deterministic = true; /* one URL for one request, for caches */
    if (!type)
        return cn_buf_append_str(out, call->rpc.allocator, *(const connect_str_t *)message) || cn_error_memory(error);
#if CONNECT_ENABLE_JSON
    if (call->rpc.json) return cn_pbjson_encode(type, message, out, call->rpc.allocator, &options, &call->arena, error);
#endif
    return cn_pb_encode(type, message, out, call->rpc.allocator, &options, &call->arena, error);
}

/* A message of one's own that does not encode: on a server it is not the client's argument that is invalid. */
static bool cn_call_encode_own(connect_call_t *call, const void *message, cn_buf_t *out, connect_error_t *error) {
    const connect_method_t *method = call->rpc.method;
    if (cn_call_encode(call, call->is_server ? method->output : method->input, message, out, error)) return true;
    if (call->is_server && error->code == CONNECT_INVALID_ARGUMENT) error->code = CONNECT_INTERNAL;
    return false;
}

static bool cn_call_check_send(connect_call_t *call, size_t len, connect_error_t *error) {
    return len <= call->send_bytes ||
        cn_error_print(error, &call->arena, CONNECT_RESOURCE_EXHAUSTED,
            "a message of %llu bytes is over the limit of %lu (send_bytes)", (unsigned long long)len,
            (unsigned long)call->send_bytes);
}

/* Appends a message, compressed if that is wanted and it is long enough. */
static bool cn_call_put_packed(
    connect_call_t *call, const void *message, const connect_str_t *encoded, bool *packed, connect_error_t *error) {
    cn_codings_t *codings = call->rpc.codings;
    cn_buf_t *plain = cn_codings_plain(codings);
    connect_str_t bytes = encoded ? *encoded : CN_STR("");
    bool ok = encoded || cn_call_encode_own(call, message, plain, error);
    if (!encoded) bytes = cn_buf_view(plain);
    ok = ok && cn_call_check_send(call, bytes.len, error);
    *packed = ok && bytes.len >= codings->min && bytes.len != 0;
    if (ok &&
        !(*packed ? cn_codings_compress(codings, call->rpc.coding_sent, bytes, &call->x.out)
                  : cn_buf_append_str(&call->x.out, call->rpc.allocator, bytes)))
        ok = cn_error_memory(error);
    cn_codings_done(codings);
    return ok;
}

static bool cn_call_put_plain(
    connect_call_t *call, const void *message, const connect_str_t *encoded, connect_error_t *error) {
    cn_buf_t *out = &call->x.out;
    const size_t before = cn_buf_len(out);
    if (encoded) {
        if (!cn_buf_append_str(out, call->rpc.allocator, *encoded)) return cn_error_memory(error);
    } else if (!cn_call_encode_own(call, message, out, error)) {
        return false;
    }
    return cn_call_check_send(call, cn_buf_len(out) - before, error);
}

/* An empty body stays as it is; but a client that compresses whatever it sends, compress_min 1, says so of it, too. */
static bool cn_call_announces_empty(const connect_call_t *call, size_t len) {
    return len == 0 && !call->is_server && !call->rpc.get && call->rpc.codings->min == 1;
}

static bool cn_call_append_message(
    connect_call_t *call, const void *message, const connect_str_t *encoded_or_null, connect_error_t *error) {
    const bool enveloped = call->rpc.protocol->enveloped;
    cn_buf_t *out = &call->x.out;
    const size_t before = cn_buf_len(out);
    bool packed = false, ok;
    if (call->messages_out && cn_call_sends_one(call))
        return cn_error_set(error, CONNECT_INTERNAL, "a second message was sent where the method has one");
    if (enveloped) { /* its head is written when the length is known */
        if (!cn_buf_reserve(out, call->rpc.allocator, CN_ENVELOPE_HEAD)) return cn_error_memory(error);
        cn_buf_commit(out, CN_ENVELOPE_HEAD);
    }
    ok = call->rpc.coding_sent ? cn_call_put_packed(call, message, encoded_or_null, &packed, error)
                               : cn_call_put_plain(call, message, encoded_or_null, error);
    if (!ok) {
        cn_buf_truncate(out, before);
        return false;
    }
    if (enveloped) {
        cn_envelope_write(out->block + out->start + before, packed ? CN_ENVELOPE_COMPRESSED : 0,
            (uint32_t)(cn_buf_len(out) - before - CN_ENVELOPE_HEAD));
        if (call->rpc.protocol->server_send && !call->rpc.protocol->server_send(&call->rpc, before))
            return cn_error_memory(error);
    } else {
        call->rpc.coding_body = packed || cn_call_announces_empty(call, cn_buf_len(out)) ? call->rpc.coding_sent : NULL;
    }
    call->messages_out++;
    return true;
}

CN_PRIVATE bool cn_call_put_message(
    connect_call_t *call, const void *message, const connect_str_t *encoded_or_null, connect_error_t *error) {
    const connect_method_t *method = call->rpc.method;
    connect_code_t code = CONNECT_OK;
    bool ok = false;
    if (encoded_or_null && !(call->is_server ? method->output : method->input)) {
        message = encoded_or_null; /* of a raw method all messages are encoded */
        encoded_or_null = NULL;
    }
    cn_call_enter(call); /* what interceptors put in place stands in the scratch arena */
    if (message) code = cn_intercept_send(call, &message);
    if (code != CONNECT_OK)
        *error = cn_call_failure(call, code);
    else
        ok = cn_call_append_message(call, message, encoded_or_null, error);
    cn_call_leave(call);
    return ok;
}

/* ---- Metadata ---- */

CN_PRIVATE bool cn_call_may_set(const char *name, bool is_server) {
    static const char *const reserved[] = {"content-type", "content-length", "content-encoding", "transfer-encoding",
        "connection", "keep-alive", "proxy-connection", "upgrade", "te", "trailer", "host", "date", "accept-encoding",
        "expect"};
    static const char *const prefixes[] = {"connect-", "grpc-", "trailer-"};
    connect_str_t given = connect_str_of(name);
    size_t i;
    for (i = 0; i < CN_LEN(reserved); i++)
        if (cn_str_equal_nocase(given, connect_str_of(reserved[i]))) return false;
    for (i = 0; i < CN_LEN(prefixes); i++) {
        size_t len = strlen(prefixes[i]);
        if (given.len >= len && cn_str_equal_nocase(cn_str(name, len), cn_str(prefixes[i], len))) return false;
    }
    return !is_server || !cn_str_equal_nocase(given, CN_STR("user-agent"));
}

CN_PRIVATE bool cn_call_put_header(connect_call_t *call, cn_headers_t *headers, const char *name, connect_str_t value) {
    connect_str_t given = connect_str_of(name);
    char *lower;
    size_t i;
    if (!cn_header_name_valid(given) || !cn_header_value_valid(value)) return false;
    lower = (char *)cn_arena_raw(&call->arena, given.len + 1);
    if (!lower) return false;
    for (i = 0; i <= given.len; i++)
        lower[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];
    if (!cn_call_may_set(lower, call->is_server)) return false;
    value = connect_arena_copy(&call->arena, value);
    if (value.data && given.len > 4 && strcmp(lower + given.len - 4, "-bin") == 0 &&
        !connect_base64_decode(value, &call->arena).data)
        return false;
    return value.data && cn_headers_put(headers, &call->arena, lower, value);
}

bool connect_call_set_header(connect_call_t *call, const char *name, connect_str_t value) {
    if (call->x.sent_head || call->answered) return false;
    return cn_call_put_header(call, &call->rpc.headers, name, value);
}

bool connect_call_set_trailer(connect_call_t *call, const char *name, connect_str_t value) {
    if (!call->is_server || call->answered) return false;
    return cn_call_put_header(call, &call->rpc.trailers, name, value);
}

const connect_call_info_t *connect_call_info(const connect_call_t *call) {
    return &call->info;
}

int64_t connect_call_time_left_ms(const connect_call_t *call) {
    int64_t now = cn_call_now_ms(call);
    if (call->deadline_ms == INT64_MAX)
        return call->is_server || call->rpc.timeout_ms == CN_TIMEOUT_NONE ? INT64_MAX : call->rpc.timeout_ms;
    return CN_MAX(call->deadline_ms - now, 0);
}

connect_arena_t *connect_call_arena(connect_call_t *call) {
    return &call->arena;
}

connect_arena_t *connect_call_scratch(connect_call_t *call) {
    return &call->scratch;
}

void connect_call_set_user(connect_call_t *call, void *user) {
    call->user = user;
}

bool connect_call_set_value(connect_call_t *call, const void *key, void *value) {
    cn_value_t *entry = NULL;
    size_t i;
    for (i = 0; !entry && i < CN_LEN(call->values); i++)
        if (!call->values[i].key || call->values[i].key == key) entry = &call->values[i];
    if (!entry) {
        for (entry = call->more_values; entry && entry->key != key; entry = entry->next) {}
        if (!entry) {
            entry = CONNECT_NEW(&call->arena, cn_value_t, 1);
            if (!entry) return false;
            entry->next = call->more_values;
            call->more_values = entry;
        }
    }
    entry->key = key;
    entry->value = value;
    return true;
}

void *connect_call_value(const connect_call_t *call, const void *key) {
    const cn_value_t *entry;
    size_t i;
    if (!key) return call->context;
    for (i = 0; i < CN_LEN(call->values) && call->values[i].key; i++)
        if (call->values[i].key == key) return call->values[i].value;
    for (entry = call->more_values; entry; entry = entry->next)
        if (entry->key == key) return entry->value;
    return NULL;
}

bool connect_call_set_compression(connect_call_t *call, const char *name) {
    cn_rpc_t *rpc = &call->rpc;
    const bool begun = call->x.sent_head || call->messages_out;
    const cn_coding_t *coding;
    if (call->answered || !cn_codings_choose(rpc->codings, name, &coding, NULL)) return false;
    if (coding && (begun ? coding != rpc->coding_announced : call->is_server && !cn_protocol_peer_takes(rpc, coding)))
        return false;
    if (!begun) rpc->coding_announced = coding;
    rpc->coding_sent = coding;
    call->info.compression_sent = cn_coding_name(coding);
    return true;
}

void connect_call_set_limits(connect_call_t *call, uint32_t receive_bytes, uint32_t send_bytes) {
    if (receive_bytes) call->receive_bytes = receive_bytes;
    if (send_bytes) call->send_bytes = send_bytes;
}

/* ---- Errors ---- */

CN_PRIVATE connect_error_t cn_call_failure(const connect_call_t *call, connect_code_t code) {
    connect_error_t error = call->failure;
    error.code = code == CONNECT_LATER ? CONNECT_INTERNAL : code;
    return error;
}

connect_code_t connect_call_fail(connect_call_t *call, connect_code_t code, const char *format, ...) {
    connect_str_t text;
    va_list arguments;
    va_start(arguments, format);
    text = cn_arena_vprintf(&call->arena, format, arguments);
    va_end(arguments);
    call->failure.code = code;
    call->failure.message = text.data ? text : connect_str_of(format);
    return code;
}

connect_code_t connect_call_fail_as(connect_call_t *call, const connect_error_t *error) {
    size_t i;
    cn_error_copy(&call->failure, error, &call->arena);
    for (i = 0; i < error->metadata.count; i++)
        connect_call_set_trailer(call, error->metadata.items[i].name, error->metadata.items[i].value);
    return error->code;
}

bool connect_call_add_detail(connect_call_t *call, const connect_type_t *type, const void *message) {
    connect_str_t bytes = connect_message_encode(type, message, &call->arena, NULL, NULL);
    return bytes.data && cn_error_add_detail(&call->failure, &call->arena, connect_str_of(type->full_name), bytes);
}

/* ---- Verbs ---- */

static connect_io_t cn_call_send_any(connect_call_t *call, const void *message, const connect_str_t *encoded) {
#if CONNECT_ENABLE_SERVER
    if (call->is_server) return cn_serve_send(call, message, encoded);
#endif
#if CONNECT_ENABLE_CLIENT
    if (!call->is_server) return cn_invoke_send(call, message, encoded);
#endif
    return CONNECT_IO_ERROR;
}

connect_io_t connect_call_send(connect_call_t *call, const void *message_or_null) {
    return cn_call_send_any(call, message_or_null, NULL);
}

connect_io_t connect_call_send_encoded(connect_call_t *call, connect_str_t bytes) {
    return cn_call_send_any(call, NULL, &bytes);
}

void connect_call_finish(connect_call_t *call, connect_code_t code, const void *message_or_null) {
    const bool is_server = call->is_server; /* it may be released in between */
#if CONNECT_ENABLE_SERVER
    if (is_server) cn_serve_finish(call, code, message_or_null);
#endif
#if CONNECT_ENABLE_CLIENT
    if (!is_server) cn_invoke_finish(call, code, message_or_null);
#endif
}

void connect_call_pause(connect_call_t *call) {
    call->paused = true;
}

void connect_call_resume(connect_call_t *call) {
    if (!call->paused) return;
    call->paused = false;
    cn_call_poke(call);
}

void connect_call_on_cancel(connect_call_t *call, void (*cancel)(connect_call_t *call, void *arg), void *arg) {
    call->cancel = cancel;
    call->cancel_arg = arg;
}
#endif
