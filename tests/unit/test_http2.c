/* HTTP/2: our server against a bare nghttp2 client, our client against a bare nghttp2 server, and against each other;
   then bytes that no nghttp2 would send. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "../support/support.h"
#include <nghttp2/nghttp2.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define SLACK 16 /* as base/buf.h has it */
#define MAX_CALLS 4096
#define MAX_STREAMS 16384

/* ---- One end of ours: a connection without transport, and an application on it ---- */
typedef enum app_t {
    APP_NONE,          /* does nothing */
    APP_ECHO,          /* server: answers when the request is whole, with its body and trailers */
    APP_STREAM,        /* server: answers at once and sends back what comes, as it comes */
    APP_TRAILERS_ONLY, /* server: one header block and the end */
    APP_EARLY,         /* server: answers whole, at once, without waiting for the body */
    APP_BULK,          /* server: answers with bulk_len bytes, as fast as they go */
    APP_RESET_HEAD,
    APP_RESET_DATA,
    APP_RESET_END
} app_t;

typedef struct end_t end_t;
typedef struct call_t {
    cn_exchange_t x;
    connect_arena_t arena;
    end_t *end;
    int heads, ends, closes, writables;
    cn_buf_t body;
    size_t received, to_send;
    connect_code_t code;
    const char *why;
    connect_header_t send_headers[40];
    char big_value[600];
} call_t;

struct end_t {
    cn_http_t http; /* first: a cn_http_t is cast back */
    cn_buf_pool_t pool;
    connect_limits_t limits;
    const connect_allocator_t *allocator;
    call_t *calls[MAX_CALLS];
    size_t call_count;
    app_t app;
    bool is_open, refuse, hold, no_body_record;
    cn_reset_t reset_why;
    size_t bulk_len;
    int outputs, rooms;
    int waiting; /* client: so many calls begin as soon as there is room */
    size_t events_after_close;
};

static const connect_header_t response_headers[] = {{"content-type", {"application/grpc", 16}}};
static const connect_header_t response_trailers[] = {{"grpc-status", {"0", 1}}, {"x-extra", {"yes", 3}}};
static connect_headers_t trailers_view(void) {
    connect_headers_t view = {response_trailers, 2};
    return view;
}

static void app_on_head(cn_exchange_t *x);
static void app_on_data(cn_exchange_t *x, const char *bytes, size_t len);
static void app_on_end(cn_exchange_t *x);
static void app_on_writable(cn_exchange_t *x);
static void app_on_due(cn_exchange_t *x) {
    (void)x;
}
static void app_on_closed(cn_exchange_t *x, connect_code_t code, const char *why);
static const cn_exchange_events_t app_events = {
    app_on_head, app_on_data, app_on_end, app_on_writable, app_on_due, app_on_closed};

static call_t *call_new(end_t *end) {
    call_t *call = (call_t *)calloc(1, sizeof *call);
    assert_non_null(call);
    assert_true(end->call_count < MAX_CALLS);
    end->calls[end->call_count++] = call;
    call->end = end;
    connect_arena_init(&call->arena, NULL, 0, end->allocator);
    call->x.events = &app_events;
    call->x.arena = &call->arena;
    call->x.due_ms = INT64_MAX;
    return call;
}
static call_t *call_of(cn_exchange_t *x) {
    call_t *call = (call_t *)(void *)x;
    if (call->closes) call->end->events_after_close++;
    assert_true(call->end->http.feeding); /* events come only out of feed, pull, eof and free */
    return call;
}

static cn_head_t response_head(void) {
    cn_head_t head;
    memset(&head, 0, sizeof head);
    head.status = 200;
    head.headers = response_headers;
    head.header_count = 1;
    head.content_length = -1;
    return head;
}
static void append(call_t *call, const char *bytes, size_t len) {
    if (!cn_buf_append(&call->x.out, call->end->allocator, bytes, len))
        call->end->http.version->reset(&call->x, CN_RESET_INTERNAL);
}
static bool answer_head(call_t *call, bool end) {
    cn_head_t head = response_head();
    if (call->end->http.version->send_head(&call->x, &head, end)) return true;
    call->end->http.version->reset(&call->x, CN_RESET_INTERNAL);
    return false;
}
static void bulk_more(call_t *call) {
    static const char block[4096] = "bulk";
    const cn_http_version_t *version = call->end->http.version;
    while (call->to_send > 0 && !call->x.over_high_water && !call->x.reset) {
        size_t n = call->to_send < sizeof block ? call->to_send : sizeof block;
        append(call, block, n);
        call->to_send -= n;
        version->flush(&call->x);
    }
    if (call->to_send == 0 && !call->x.sent_end) version->send_end(&call->x, trailers_view());
}

static void app_on_head(cn_exchange_t *x) {
    call_t *call = call_of(x);
    const cn_http_version_t *version = call->end->http.version;
    if (x->over_limit) { /* it is for the layer above to answer */
        cn_head_t head;
        memset(&head, 0, sizeof head);
        head.status = x->over_limit;
        assert_true(version->send_head(x, &head, true));
        return;
    }
    assert_int_equal(++call->heads, 1);
    if (!call->end->http.is_server) return;
    switch (call->end->app) {
    case APP_STREAM: (void)answer_head(call, false); break;
    case APP_EARLY:
        if (answer_head(call, false)) {
            append(call, "early", 5);
            version->flush(x);
            version->send_end(x, trailers_view());
        }
        break;
    case APP_BULK:
        call->to_send = call->end->bulk_len;
        if (answer_head(call, false)) bulk_more(call);
        break;
    case APP_RESET_HEAD: version->reset(x, call->end->reset_why); break;
    default: break;
    }
}
static void app_on_data(cn_exchange_t *x, const char *bytes, size_t len) {
    call_t *call = call_of(x);
    const cn_http_version_t *version = call->end->http.version;
    if (x->over_limit) {
        version->consume(x, len);
        return;
    }
    assert_int_equal(call->heads, 1);
    assert_int_equal(call->ends, 0);
    assert_true(len > 0);
    call->received += len;
    if (!call->end->no_body_record) assert_true(cn_buf_append(&call->body, NULL, bytes, len));
    if (call->end->http.is_server && call->end->app == APP_STREAM) {
        append(call, bytes, len);
        version->flush(x);
        if (!x->over_high_water && !call->end->hold) version->consume(x, x->unread);
        return;
    }
    if (!call->end->hold) version->consume(x, len);
    if (call->end->app == APP_RESET_DATA) version->reset(x, call->end->reset_why);
}
static void app_on_end(cn_exchange_t *x) {
    call_t *call = call_of(x);
    const cn_http_version_t *version = call->end->http.version;
    if (x->over_limit) return;
    assert_int_equal(call->heads, 1);
    assert_int_equal(++call->ends, 1);
    assert_true(x->received_end);
    if (!call->end->http.is_server) {
        if (call->end->app == APP_RESET_END) version->reset(x, call->end->reset_why);
        return;
    }
    switch (call->end->app) {
    case APP_ECHO:
        if (answer_head(call, false)) {
            connect_header_t gone[2]; /* the array need not stay */
            connect_headers_t view = {gone, 2};
            memcpy(gone, response_trailers, sizeof gone);
            append(call, cn_buf_view(&call->body).data, cn_buf_len(&call->body));
            version->flush(x);
            version->send_end(x, view);
            memset(gone, 0, sizeof gone);
        }
        break;
    case APP_STREAM: version->send_end(x, trailers_view()); break;
    case APP_TRAILERS_ONLY: (void)answer_head(call, true); break;
    case APP_RESET_END: version->reset(x, call->end->reset_why); break;
    default: break;
    }
}
static void app_on_writable(cn_exchange_t *x) {
    call_t *call = call_of(x);
    const cn_http_version_t *version = call->end->http.version;
    call->writables++;
    assert_true(cn_buf_len(&x->out) < call->end->limits.stream_buffer / 2);
    if (call->end->app == APP_STREAM && !call->end->hold) version->consume(x, x->unread);
    if (call->end->app == APP_BULK) bulk_more(call);
}
static void app_on_closed(cn_exchange_t *x, connect_code_t code, const char *why) {
    call_t *call = call_of(x);
    assert_int_equal(++call->closes, 1);
    assert_null(x->http);
    call->code = code;
    call->why = why;
    if (code != CONNECT_OK) assert_non_null(why);
    cn_buf_free(&x->out, call->end->allocator);
    x->arena = NULL; /* whoever still uses it crashes, or is found by end_free */
    x->events = NULL;
    x->reset = false;
    x->close_code = CONNECT_OK;
}

static cn_exchange_t *end_on_begin(cn_http_t *http) {
    end_t *end = (end_t *)(void *)http;
    return end->refuse ? NULL : &call_new(end)->x;
}
static void end_on_output(cn_http_t *http) {
    end_t *end = (end_t *)(void *)http;
    assert_false(http->feeding);
    end->outputs++;
}
static call_t *client_call(end_t *end, const char *body, size_t len);
static void end_on_room(cn_http_t *http) {
    end_t *end = (end_t *)(void *)http;
    end->rooms++;
    if (end->waiting > 0 && http->version->can_begin(http)) {
        end->waiting--;
        assert_non_null(client_call(end, "x", 1));
    }
}
static const cn_http_events_t end_events = {end_on_begin, end_on_output, end_on_room};

static connect_limits_t gateway_limits(void) {
    connect_limits_t limits;
    memset(&limits, 0, sizeof limits);
    limits.streams = 100;
    limits.stream_window = 64 * 1024;
    limits.connection_window = 256 * 1024;
    limits.stream_buffer = 64 * 1024;
    limits.connection_buffer = 256 * 1024;
    limits.header_bytes = 16 * 1024;
    limits.header_count = 128;
    limits.url_bytes = 8 * 1024;
    limits.reset_burst = 200;
    limits.reset_rate = 33;
    limits.frame_burst = 10000;
    limits.frame_rate = 1000;
    return limits;
}
static end_t *end_new_limited(
    bool is_server, app_t app, const connect_allocator_t *allocator, const connect_limits_t *limits) {
    end_t *end = (end_t *)calloc(1, sizeof *end);
    assert_non_null(end);
    end->limits = *limits;
    end->allocator = allocator;
    end->app = app;
    end->reset_why = CN_RESET_CANCEL;
    end->http.version = cn_http2_version();
    end->http.events = &end_events;
    end->http.allocator = allocator;
    end->http.pool = &end->pool;
    end->http.limits = &end->limits;
    end->http.is_server = is_server;
    end->http.now_ms = 1000;
    end->http.head_since_ms = -1;
    end->http.due_ms = INT64_MAX;
    cn_list_init(&end->http.exchanges);
    end->is_open = end->http.version->open(&end->http);
    return end;
}
static end_t *end_new(bool is_server, app_t app) {
    connect_limits_t limits = gateway_limits();
    end_t *end = end_new_limited(is_server, app, connect_allocator_libc(), &limits);
    assert_true(end->is_open);
    return end;
}
static void end_free(end_t *end) {
    size_t i;
    if (end->is_open) end->http.version->free(&end->http);
    assert_int_equal(end->http.exchange_count, 0);
    assert_int_equal(end->events_after_close, 0);
    for (i = 0; i < end->call_count; i++) {
        call_t *call = end->calls[i];
        assert_null(call->x.http);
        assert_int_equal(call->x.close_code, CONNECT_OK);
        cn_buf_free(&call->x.out, end->allocator);
        cn_buf_free(&call->body, NULL);
        connect_arena_free(&call->arena);
        free(call);
    }
    cn_buf_free(&end->http.out, end->allocator);
    cn_buf_pool_free(&end->pool, end->allocator);
    free(end);
}

static const connect_header_t request_headers[] = {
    {"content-type", {"application/grpc", 16}}, {"te", {"trailers", 8}}, {"user-agent", {"test", 4}}};
/* Begins a call on our client, and sends the head; NULL: out of memory. */
static call_t *client_begin(end_t *end, int64_t content_length, bool end_stream) {
    call_t *call = call_new(end);
    cn_head_t head;
    memset(&head, 0, sizeof head);
    head.method = connect_str_of("POST");
    head.authority = connect_str_of("gateway:8080");
    head.path = connect_str_of("/telemetry.v1.Telemetry/Read");
    head.headers = request_headers;
    head.header_count = 3;
    head.content_length = content_length;
    if (!end->http.version->begin(&end->http, &call->x)) return NULL;
    if (end->http.version->send_head(&call->x, &head, end_stream)) return call;
    end->http.version->reset(&call->x, CN_RESET_CANCEL);
    return NULL;
}
static call_t *client_call(end_t *end, const char *body, size_t len) {
    static const connect_headers_t none = {NULL, 0};
    call_t *call = client_begin(end, (int64_t)len, len == 0);
    if (!call || len == 0) return call;
    append(call, body, len);
    end->http.version->flush(&call->x);
    end->http.version->send_end(&call->x, none);
    return call;
}

static size_t call_count_closed(const end_t *end) {
    size_t i, n = 0;
    for (i = 0; i < end->call_count; i++)
        n += (size_t)end->calls[i]->closes;
    return n;
}

/* ---- Bytes between two ends. piece: at most so many bytes at once, 0: all; guard: copied before a guard page ---- */
static void end_feed(end_t *end, const char *bytes, size_t len, size_t piece, bool guard) {
    while (len > 0) {
        size_t n = piece && piece < len ? piece : len, taken;
        if (guard) {
            guarded g = guarded_copy(bytes, n, SLACK);
            taken = end->http.version->feed(&end->http, g.data, n);
            guarded_free(&g);
        } else {
            taken = end->http.version->feed(&end->http, bytes, n);
        }
        assert_int_equal(taken, n);
        assert_false(end->http.feeding);
        bytes += n;
        len -= n;
    }
}
static void end_pull(end_t *end) {
    end->http.version->pull(&end->http);
    assert_false(end->http.feeding);
    assert_false(end->http.woken);
}
static bool move_end_end(end_t *from, end_t *to, size_t piece) {
    connect_str_t bytes;
    end_pull(from);
    bytes = cn_buf_view(&from->http.out);
    if (bytes.len == 0) return false;
    end_feed(to, bytes.data, bytes.len, piece, piece != 0);
    cn_buf_clear(&from->http.out);
    return true;
}
static void pump(end_t *a, end_t *b, size_t piece) {
    int turns = 0;
    for (;;) {
        bool moved = move_end_end(a, b, piece);
        moved = move_end_end(b, a, piece) || moved;
        if (!moved) break;
        assert_true(++turns < 100000);
    }
}

/* ---- The other end: bare nghttp2 ---- */
typedef struct raw_t {
    nghttp2_session *session;
    bool is_server, hold;
    int goaways;
    uint32_t goaway_code;
    int32_t goaway_last;
    int ping_acks, settings_acks;
    int32_t begun; /* server: requests */
    size_t data_received;
    struct {
        int status;
        bool ended;
        uint32_t code;
        bool closed, reset;
        size_t body, data_frames, header_blocks;
        char trailer[16], path[64];
        size_t to_send, sent;
        bool never_end;
        uint32_t content_length;
    } s[MAX_STREAMS];
} raw_t;

static int raw_on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
    const uint8_t *value, size_t value_len, uint8_t flags, void *user) {
    raw_t *raw = (raw_t *)user;
    int32_t id = frame->hd.stream_id;
    (void)session;
    (void)flags;
    if (name_len == 7 && memcmp(name, ":status", 7) == 0) raw->s[id].status = atoi((const char *)value);
    if (name_len == 11 && memcmp(name, "grpc-status", 11) == 0)
        snprintf(raw->s[id].trailer, 16, "%.*s", (int)value_len, (const char *)value);
    if (name_len == 5 && memcmp(name, ":path", 5) == 0)
        snprintf(raw->s[id].path, 64, "%.*s", (int)value_len, (const char *)value);
    if (name_len == 14) raw->s[id].content_length = (uint32_t)atoi((const char *)value);
    return 0;
}
static int raw_on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    raw_t *raw = (raw_t *)user;
    int32_t id = frame->hd.stream_id;
    (void)session;
    switch (frame->hd.type) {
    case NGHTTP2_GOAWAY:
        raw->goaways++;
        raw->goaway_code = frame->goaway.error_code;
        raw->goaway_last = frame->goaway.last_stream_id;
        break;
    case NGHTTP2_PING: raw->ping_acks += frame->hd.flags & NGHTTP2_FLAG_ACK; break;
    case NGHTTP2_SETTINGS: raw->settings_acks += frame->hd.flags & NGHTTP2_FLAG_ACK; break;
    case NGHTTP2_RST_STREAM: raw->s[id].reset = true; break;
    case NGHTTP2_DATA: raw->s[id].data_frames++; break;
    case NGHTTP2_HEADERS:
        raw->s[id].header_blocks++;
        if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) raw->begun++;
        break;
    default: break;
    }
    if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        raw->s[id].ended = true;
    return 0;
}
static int raw_on_data(
    nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t len, void *user) {
    raw_t *raw = (raw_t *)user;
    (void)flags;
    (void)bytes;
    raw->s[id].body += len;
    raw->data_received += len;
    if (!raw->hold) nghttp2_session_consume(session, id, len);
    return 0;
}
static int raw_on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user) {
    raw_t *raw = (raw_t *)user;
    (void)session;
    raw->s[id].closed = true;
    raw->s[id].code = code;
    return 0;
}
static ssize_t raw_on_read(nghttp2_session *session, int32_t id, uint8_t *to, size_t len, uint32_t *flags,
    nghttp2_data_source *source, void *user) {
    raw_t *raw = (raw_t *)user;
    size_t left = raw->s[id].to_send - raw->s[id].sent, n = left < len ? left : len;
    (void)session;
    (void)source;
    if (n == 0 && raw->s[id].never_end) return NGHTTP2_ERR_DEFERRED;
    memset(to, 'r', n);
    raw->s[id].sent += n;
    if (raw->s[id].sent == raw->s[id].to_send && !raw->s[id].never_end) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}
static raw_t *raw_new(bool is_server) {
    raw_t *raw = (raw_t *)calloc(1, sizeof *raw);
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    assert_non_null(raw);
    raw->is_server = is_server;
    raw->goaway_code = 0xFFFF;
    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    assert_int_equal(nghttp2_option_new(&option), 0);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, raw_on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, raw_on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, raw_on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, raw_on_close);
    assert_int_equal(is_server ? nghttp2_session_server_new2(&raw->session, callbacks, raw, option)
                               : nghttp2_session_client_new2(&raw->session, callbacks, raw, option),
        0);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    return raw;
}
static void raw_settings(raw_t *raw, nghttp2_settings_id id, uint32_t value) {
    nghttp2_settings_entry entry;
    entry.settings_id = id;
    entry.value = value;
    assert_int_equal(nghttp2_submit_settings(raw->session, 0, &entry, 1), 0);
}
static void raw_free(raw_t *raw) {
    nghttp2_session_del(raw->session);
    free(raw);
}
static nghttp2_nv nv(const char *name, const char *value) {
    nghttp2_nv field;
    field.name = (uint8_t *)(uintptr_t)name;
    field.value = (uint8_t *)(uintptr_t)value;
    field.namelen = strlen(name);
    field.valuelen = strlen(value);
    field.flags = 0;
    return field;
}
static int32_t raw_request(raw_t *raw, size_t body, bool never_end) {
    nghttp2_nv fields[6];
    nghttp2_data_provider provider;
    int32_t id;
    fields[0] = nv(":method", "POST");
    fields[1] = nv(":scheme", "http");
    fields[2] = nv(":authority", "gateway:8080");
    fields[3] = nv(":path", "/telemetry.v1.Telemetry/Read");
    fields[4] = nv("content-type", "application/grpc");
    fields[5] = nv("te", "trailers");
    provider.source.ptr = NULL;
    provider.read_callback = raw_on_read;
    id = nghttp2_submit_request(raw->session, NULL, fields, 6, body || never_end ? &provider : NULL, NULL);
    assert_true(id > 0 && id < MAX_STREAMS);
    raw->s[id].to_send = body;
    raw->s[id].never_end = never_end;
    return id;
}
static void raw_respond(raw_t *raw, int32_t id, const char *status, size_t body) {
    nghttp2_nv fields[2];
    nghttp2_data_provider provider;
    fields[0] = nv(":status", status);
    fields[1] = nv("content-type", "application/grpc");
    provider.source.ptr = NULL;
    provider.read_callback = raw_on_read;
    raw->s[id].to_send = body;
    assert_int_equal(nghttp2_submit_response(raw->session, id, fields, 2, body ? &provider : NULL), 0);
}
static bool move_raw_end(raw_t *raw, end_t *end, size_t piece) {
    bool moved = false;
    for (;;) {
        const uint8_t *bytes;
        ssize_t n = nghttp2_session_mem_send(raw->session, &bytes);
        assert_true(n >= 0);
        if (n == 0) return moved;
        end_feed(end, (const char *)bytes, (size_t)n, piece, piece != 0);
        moved = true;
    }
}
static bool move_end_raw(end_t *end, raw_t *raw) {
    connect_str_t bytes;
    end_pull(end);
    bytes = cn_buf_view(&end->http.out);
    if (bytes.len == 0) return false;
    assert_int_equal(nghttp2_session_mem_recv(raw->session, (const uint8_t *)bytes.data, bytes.len), bytes.len);
    cn_buf_clear(&end->http.out);
    return true;
}
static void pump_raw(raw_t *raw, end_t *end) {
    int turns = 0;
    for (;;) {
        bool moved = move_raw_end(raw, end, 0);
        moved = move_end_raw(end, raw) || moved;
        if (!moved) break;
        assert_true(++turns < 100000);
    }
}
static raw_t *raw_client(end_t *server) {
    raw_t *raw = raw_new(false);
    assert_int_equal(nghttp2_submit_settings(raw->session, 0, NULL, 0), 0);
    pump_raw(raw, server);
    return raw;
}
/* The whole connection window of ours is open again. */
static void assert_window_whole(raw_t *raw, end_t *end) {
    /* What is consumed and not yet announced is less than half of it, and known to our nghttp2. */
    cn_http2_t *h = (cn_http2_t *)end->http.state;
    int32_t seen = nghttp2_session_get_remote_window_size(raw->session);
    int32_t missing = nghttp2_session_get_effective_recv_data_length(h->session);
    assert_int_equal(seen + missing, end->limits.connection_window);
    assert_int_equal(nghttp2_session_consume_connection(h->session, end->limits.connection_window), 0);
    end_pull(end); /* all of `missing` was consumed: nghttp2 announces what it had received, not more */
    (void)move_end_raw(end, raw);
    assert_true(missing < (int32_t)end->limits.connection_window / 2);
}

/* ---- Bytes by hand ---- */
static void put_frame(cn_buf_t *to, int type, int flags, uint32_t stream, const void *payload, size_t len) {
    char head[9];
    head[0] = (char)(len >> 16);
    head[1] = (char)(len >> 8);
    head[2] = (char)len;
    head[3] = (char)type;
    head[4] = (char)flags;
    head[5] = (char)(stream >> 24);
    head[6] = (char)(stream >> 16);
    head[7] = (char)(stream >> 8);
    head[8] = (char)stream;
    assert_true(cn_buf_append(to, NULL, head, 9));
    assert_true(cn_buf_append(to, NULL, payload, len));
}
static void put_integer(cn_buf_t *to, unsigned first, unsigned prefix_max, size_t value) {
    unsigned char byte = (unsigned char)(first | (value < prefix_max ? value : prefix_max));
    assert_true(cn_buf_append(to, NULL, &byte, 1));
    if (value < prefix_max) return;
    for (value -= prefix_max; value >= 128; value >>= 7) {
        byte = (unsigned char)(value | 128);
        assert_true(cn_buf_append(to, NULL, &byte, 1));
    }
    byte = (unsigned char)value;
    assert_true(cn_buf_append(to, NULL, &byte, 1));
}
/* A literal field without indexing (RFC 7541 6.2.2). */
static void put_field(cn_buf_t *to, const char *name, const char *value, size_t value_len) {
    unsigned char zero = 0;
    assert_true(cn_buf_append(to, NULL, &zero, 1));
    put_integer(to, 0, 127, strlen(name));
    assert_true(cn_buf_append(to, NULL, name, strlen(name)));
    put_integer(to, 0, 127, value_len);
    assert_true(cn_buf_append(to, NULL, value, value_len));
}
static void put_request_block(cn_buf_t *to) {
    put_field(to, ":method", "POST", 4);
    put_field(to, ":scheme", "http", 4);
    put_field(to, ":path", "/a/b", 4);
    put_field(to, ":authority", "h", 1);
}
static void put_preface(cn_buf_t *to) {
    assert_true(cn_buf_append(to, NULL, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24));
    put_frame(to, NGHTTP2_SETTINGS, 0, 0, "", 0);
}
/* A header block as HEADERS and as many CONTINUATION frames as it takes. */
static void put_block(cn_buf_t *to, uint32_t stream, const cn_buf_t *block, bool end_stream) {
    connect_str_t rest = cn_buf_view(block);
    int type = NGHTTP2_HEADERS;
    do {
        size_t n = rest.len < 16384 ? rest.len : 16384;
        int flags = n == rest.len ? NGHTTP2_FLAG_END_HEADERS : 0;
        if (type == NGHTTP2_HEADERS && end_stream) flags |= NGHTTP2_FLAG_END_STREAM;
        put_frame(to, type, flags, stream, rest.data, n);
        rest.data += n;
        rest.len -= n;
        type = NGHTTP2_CONTINUATION;
    } while (rest.len);
}
static void put_request(cn_buf_t *to, uint32_t stream, bool end_stream) {
    cn_buf_t block = {NULL, 0, 0, 0};
    put_request_block(&block);
    put_block(to, stream, &block, end_stream);
    cn_buf_free(&block, NULL);
}
/* The last GOAWAY's code among the frames in out; -1: none. */
static int64_t find_goaway(const cn_buf_t *out) {
    connect_str_t rest = cn_buf_view(out);
    int64_t code = -1;
    while (rest.len >= 9) {
        const unsigned char *p = (const unsigned char *)rest.data;
        size_t len = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];
        assert_true(rest.len >= 9 + len);
        if (p[3] == NGHTTP2_GOAWAY) code = (int64_t)p[13] << 24 | p[14] << 16 | p[15] << 8 | p[16];
        rest.data += 9 + len;
        rest.len -= 9 + len;
    }
    assert_int_equal(rest.len, 0);
    return code;
}
/* The code of the RST_STREAM of a stream among the frames in out; -1: none. */
static int64_t find_reset(const cn_buf_t *out, uint32_t stream) {
    connect_str_t rest = cn_buf_view(out);
    while (rest.len >= 9) {
        const unsigned char *p = (const unsigned char *)rest.data;
        size_t len = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];
        if (p[3] == NGHTTP2_RST_STREAM && (uint32_t)(p[7] << 8 | p[8]) == stream)
            return (int64_t)p[9] << 24 | p[10] << 16 | p[11] << 8 | p[12];
        rest.data += 9 + len;
        rest.len -= 9 + len;
    }
    return -1;
}

/* ---- Exchanges that go well ---- */
static void test_echo(void **state) {
    end_t *server = end_new(true, APP_ECHO);
    raw_t *raw = raw_client(server);
    int i;
    (void)state;
    assert_int_equal(server->http.head_since_ms, -1);
    for (i = 0; i < 3; i++) {
        int32_t id = raw_request(raw, 66, false);
        call_t *call;
        pump_raw(raw, server);
        assert_int_equal(raw->s[id].status, 200);
        assert_int_equal(raw->s[id].body, 66);
        assert_int_equal(raw->s[id].data_frames, 1);
        assert_int_equal(raw->s[id].header_blocks, 2);
        assert_string_equal(raw->s[id].trailer, "0");
        assert_true(raw->s[id].closed);
        assert_false(raw->s[id].reset);
        assert_int_equal(raw->s[id].code, 0);
        call = server->calls[i];
        assert_str(call->x.method, "POST");
        assert_str(call->x.path, "/telemetry.v1.Telemetry/Read");
        assert_str(call->x.authority, "gateway:8080");
        assert_str(cn_headers_find(&call->x.headers, CN_STR("te")), "trailers");
        assert_int_equal(call->x.headers.count, 2);
        assert_int_equal(call->x.content_length, -1);
        assert_int_equal(call->ends, 1);
        assert_int_equal(call->closes, 1);
        assert_int_equal(call->code, CONNECT_OK);
    }
    assert_int_equal(raw->goaways, 0);
    raw_free(raw);
    end_free(server);
}

static void test_client_echo(void **state) {
    end_t *client = end_new(false, APP_NONE);
    raw_t *raw = raw_new(true);
    call_t *call;
    (void)state;
    assert_int_equal(nghttp2_submit_settings(raw->session, 0, NULL, 0), 0);
    call = client_call(client, "hello", 5); /* before the peer's SETTINGS */
    assert_non_null(call);
    pump_raw(raw, client);
    assert_int_equal(raw->begun, 1);
    assert_int_equal(raw->s[1].body, 5);
    assert_int_equal(raw->s[1].content_length, 5);
    assert_true(raw->s[1].ended);
    assert_string_equal(raw->s[1].path, "/telemetry.v1.Telemetry/Read");
    raw_respond(raw, 1, "200", 7);
    pump_raw(raw, client);
    assert_int_equal(call->x.status, 200);
    assert_int_equal(call->heads, 1);
    assert_int_equal(call->received, 7);
    assert_int_equal(call->ends, 1);
    assert_int_equal(call->closes, 1);
    assert_int_equal(call->code, CONNECT_OK);
    raw_free(raw);
    end_free(client);
}

/* Any three digits are a status. */
static void test_status(void **state) {
    static const char *const statuses[] = {"200", "204", "304", "404", "418", "503", "600", "800", "999"};
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(statuses); i++) {
        end_t *client = end_new(false, APP_NONE);
        raw_t *raw = raw_new(true);
        call_t *call = client_call(client, NULL, 0);
        assert_int_equal(nghttp2_submit_settings(raw->session, 0, NULL, 0), 0);
        pump_raw(raw, client);
        raw_respond(raw, 1, statuses[i], 0);
        pump_raw(raw, client);
        assert_int_equal(call->x.status, atoi(statuses[i]));
        assert_int_equal(call->ends, 1);
        assert_int_equal(call->code, CONNECT_OK);
        raw_free(raw);
        end_free(client);
    }
}

static void test_both_ours(void **state) {
    static const app_t apps[] = {APP_ECHO, APP_STREAM, APP_TRAILERS_ONLY};
    static const size_t pieces[] = {0, 1, 2, 7, 64};
    size_t i, j;
    (void)state;
    for (i = 0; i < COUNT(apps); i++) {
        for (j = 0; j < COUNT(pieces); j++) {
            end_t *server = end_new(true, apps[i]), *client = end_new(false, APP_NONE);
            call_t *a = client_call(client, "hello", 5), *b = client_call(client, "", 0), *c;
            pump(client, server, pieces[j]);
            c = client_call(client, "again", 5);
            pump(client, server, pieces[j]);
            assert_int_equal(server->call_count, 3);
            assert_int_equal(call_count_closed(server), 3);
            assert_int_equal(call_count_closed(client), 3);
            assert_int_equal(a->code, CONNECT_OK);
            assert_int_equal(b->code, CONNECT_OK);
            assert_int_equal(c->code, CONNECT_OK);
            assert_int_equal(server->calls[0]->code, CONNECT_OK);
            assert_int_equal(server->calls[0]->x.content_length, 5);
            assert_str(cn_buf_view(&server->calls[0]->body), "hello");
            assert_int_equal(c->ends, 1);
            assert_str(cn_headers_find(&c->x.headers, CN_STR("content-type")), "application/grpc");
            if (apps[i] != APP_TRAILERS_ONLY) {
                assert_str(cn_buf_view(&c->body), "again");
                assert_str(cn_headers_find(&a->x.trailers, CN_STR("grpc-status")), "0");
                assert_str(cn_headers_find(&c->x.trailers, CN_STR("x-extra")), "yes");
                assert_str(cn_headers_find(&b->x.trailers, CN_STR("grpc-status")), "0");
            } else {
                assert_int_equal(c->received, 0);
                assert_int_equal(c->x.trailers.count, 0);
            }
            assert_int_equal(server->http.head_since_ms, -1);
            end_free(client);
            end_free(server);
        }
    }
}

static void test_request_trailers(void **state) {
    end_t *server = end_new(true, APP_ECHO), *client = end_new(false, APP_NONE);
    call_t *call = client_begin(client, -1, false);
    (void)state;
    append(call, "body", 4);
    client->http.version->flush(&call->x);
    pump(client, server, 0);
    assert_int_equal(server->calls[0]->ends, 0);
    client->http.version->send_end(&call->x, trailers_view()); /* nothing but trailers is left */
    pump(client, server, 0);
    assert_str(cn_headers_find(&server->calls[0]->x.trailers, CN_STR("grpc-status")), "0");
    assert_int_equal(server->calls[0]->x.trailers.count, 2);
    assert_int_equal(call->code, CONNECT_OK);
    end_free(client);
    end_free(server);
}

/* A response that needs more than the frames and the stack hold. */
static void test_large_heads(void **state) {
    end_t *server = end_new(true, APP_NONE), *client = end_new(false, APP_NONE);
    call_t *a = client_call(client, "", 0), *b = client_call(client, "", 0), *at_server;
    connect_header_t headers[120];
    static char value[6000];
    cn_head_t head = response_head();
    size_t i;
    (void)state;
    pump(client, server, 0);
    for (i = 0; i < 120; i++) {
        headers[i].name = "x-many";
        headers[i].value = connect_str_of("value");
    }
    head.headers = headers;
    head.header_count = 120;
    head.status = 418;
    assert_true(server->http.version->send_head(&server->calls[0]->x, &head, true));
    pump(client, server, 0);
    assert_int_equal(a->x.headers.count, 120);
    assert_int_equal(a->x.status, 418);
    assert_int_equal(a->code, CONNECT_OK);
    memset(value, 'v', sizeof value);
    for (i = 0; i < 20; i++)
        headers[i].value = cn_str(value, sizeof value);
    head.header_count = 20; /* over 64 KiB: nghttp2 does not send as much */
    at_server = server->calls[1];
    assert_true(server->http.version->send_head(&at_server->x, &head, false));
    pump(client, server, 0);
    assert_int_equal(at_server->code, CONNECT_RESOURCE_EXHAUSTED);
    assert_int_equal(b->code, CONNECT_INTERNAL);
    assert_int_equal(b->heads, 0);
    end_free(client);
    end_free(server);
}

static void test_interim_responses(void **state) {
    int count;
    (void)state;
    for (count = 1; count <= 9; count += 4) {
        end_t *client = end_new(false, APP_NONE);
        raw_t *raw = raw_new(true);
        call_t *call = client_call(client, "", 0);
        nghttp2_nv fields[2];
        int i;
        assert_int_equal(nghttp2_submit_settings(raw->session, 0, NULL, 0), 0);
        pump_raw(raw, client);
        fields[0] = nv(":status", "103");
        fields[1] = nv("link", "x");
        for (i = 0; i < count; i++)
            assert_true(nghttp2_submit_headers(raw->session, 0, 1, NULL, fields, 2, NULL) == 0);
        pump_raw(raw, client);
        if (count <= 8) {
            assert_int_equal(call->heads, 0);
            raw_respond(raw, 1, "200", 3);
            pump_raw(raw, client);
            assert_int_equal(call->x.status, 200);
            assert_int_equal(call->x.headers.count, 1);
            assert_int_equal(call->code, CONNECT_OK);
        } else {
            assert_int_equal(call->code, CONNECT_INTERNAL);
            assert_int_equal(call->heads, 0);
            assert_int_equal(raw->s[1].code, NGHTTP2_ENHANCE_YOUR_CALM);
        }
        raw_free(raw);
        end_free(client);
    }
}

/* ---- Flow control ---- */
static void test_receive_backpressure(void **state) {
    end_t *server = end_new(true, APP_NONE);
    raw_t *raw = raw_client(server);
    int32_t id = raw_request(raw, 1000000, false);
    call_t *call;
    size_t before;
    (void)state;
    server->hold = true;
    pump_raw(raw, server);
    call = server->calls[0];
    assert_int_equal(call->received, 64 * 1024); /* the stream's window, and no more */
    assert_int_equal(call->x.unread, 64 * 1024);
    server->http.version->consume(&call->x, 10);
    pump_raw(raw, server);
    assert_int_equal(call->received, 64 * 1024); /* too little to announce */
    before = (size_t)server->outputs;
    server->http.version->consume(&call->x, 40000);
    assert_true((size_t)server->outputs > before);
    pump_raw(raw, server);
    assert_int_equal(call->received, 64 * 1024 + 40010);
    server->hold = false;
    server->http.version->consume(&call->x, call->x.unread);
    pump_raw(raw, server);
    assert_int_equal(call->received, 1000000);
    assert_int_equal(call->ends, 1);
    assert_int_equal(call->x.unread, 0);
    server->http.version->reset(&call->x, CN_RESET_CANCEL);
    pump_raw(raw, server);
    assert_true(raw->s[id].reset);
    assert_window_whole(raw, server);
    raw_free(raw);
    end_free(server);
}

/* Streams that do not read: together they fill the connection's window; another is stuck until one of them reads. */
static void test_connection_window(void **state) {
    end_t *server = end_new(true, APP_NONE);
    raw_t *raw = raw_client(server);
    int i;
    (void)state;
    server->hold = true;
    for (i = 0; i < 6; i++)
        raw_request(raw, 100000, false);
    pump_raw(raw, server);
    assert_int_equal(
        raw->s[1].sent + raw->s[3].sent + raw->s[5].sent + raw->s[7].sent + raw->s[9].sent + raw->s[11].sent,
        256 * 1024);
    for (i = 0; i < 6; i++) /* what they have not read goes back when they end */
        server->http.version->reset(&server->calls[i]->x, CN_RESET_CANCEL);
    pump_raw(raw, server);
    assert_int_equal(call_count_closed(server), 6);
    assert_window_whole(raw, server);
    raw_free(raw);
    end_free(server);
}

static void test_send_backpressure(void **state) {
    end_t *server = end_new(true, APP_BULK);
    raw_t *raw = raw_client(server);
    int32_t id = raw_request(raw, 0, false);
    call_t *call;
    (void)state;
    raw->hold = true;
    server->bulk_len = 3000000;
    pump_raw(raw, server);
    call = server->calls[0];
    assert_int_equal(raw->s[id].body, 65535);
    assert_true(call->x.over_high_water);
    assert_true(cn_buf_len(&call->x.out) <= server->limits.stream_buffer + 4096);
    raw->hold = false;
    assert_int_equal(nghttp2_session_consume(raw->session, id, 65535), 0);
    pump_raw(raw, server);
    assert_int_equal(raw->s[id].body, 3000000);
    assert_true(call->writables > 10);
    assert_string_equal(raw->s[id].trailer, "0");
    assert_int_equal(call->code, CONNECT_OK);
    raw_free(raw);
    end_free(server);
}

/* pull stops at the connection's buffer, and goes on when it is called again. */
static void test_pull_is_bounded(void **state) {
    connect_limits_t limits = gateway_limits();
    end_t *server;
    raw_t *raw;
    int32_t id;
    size_t pulls = 0;
    (void)state;
    limits.connection_buffer = 40000;
    server = end_new_limited(true, APP_BULK, connect_allocator_libc(), &limits);
    raw = raw_new(false);
    raw_settings(raw, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 30);
    assert_int_equal(nghttp2_session_set_local_window_size(raw->session, 0, 0, 1 << 30), 0);
    pump_raw(raw, server);
    server->bulk_len = 1000000;
    id = raw_request(raw, 0, false);
    (void)move_raw_end(raw, server, 0);
    for (;;) {
        end_pull(server);
        assert_true(cn_buf_len(&server->http.out) < 40000 + 16384 + 9);
        if (!move_end_raw(server, raw)) break;
        pulls++;
    }
    assert_true(pulls >= 1000000 / (40000 + 16393));
    assert_int_equal(raw->s[id].body, 1000000);
    raw_free(raw);
    end_free(server);
}

/* A stream that always has more does not keep the others from theirs. */
static void test_streams_take_turns(void **state) {
    int ours_is_server;
    (void)state;
    for (ours_is_server = 0; ours_is_server < 2; ours_is_server++) {
        connect_limits_t limits = gateway_limits();
        end_t *a, *b;
        call_t *first, *second;
        limits.stream_window = limits.connection_window = 1 << 30;
        limits.connection_buffer = 40000;
        a = end_new_limited(ours_is_server, APP_BULK, connect_allocator_libc(), &limits);
        b = end_new_limited(!ours_is_server, APP_NONE, connect_allocator_libc(), &limits);
        a->no_body_record = b->no_body_record = true;
        pump(a, b, 0);
        a->bulk_len = 2000000;
        if (ours_is_server) {
            first = client_call(b, "", 0);
            second = client_call(b, "", 0);
            (void)move_end_end(b, a, 0);
        } else {
            first = client_begin(a, -1, false);
            second = client_begin(a, -1, false);
            first->to_send = second->to_send = a->bulk_len;
            bulk_more(first);
            bulk_more(second);
            (void)move_end_end(a, b, 0);
            first = b->calls[0];
            second = b->calls[1];
        }
        while (first->received + second->received < 2000000)
            assert_true(move_end_end(a, b, 0));
        assert_true(first->received > 500000);
        assert_true(second->received > 500000);
        end_free(a);
        end_free(b);
    }
}

/* A thousand streams, ended in every way: the connection's window is whole afterwards, and the pool does not grow. */
static void test_no_window_leak(void **state) {
    static const app_t apps[] = {APP_ECHO, APP_RESET_HEAD, APP_RESET_DATA, APP_RESET_END, APP_EARLY, APP_NONE};
    connect_limits_t limits = gateway_limits();
    end_t *server;
    raw_t *raw;
    int i;
    (void)state;
    limits.reset_burst = 100000;
    server = end_new_limited(true, APP_ECHO, connect_allocator_libc(), &limits);
    raw = raw_client(server);
    for (i = 0; i < 1000; i++) {
        int32_t id;
        server->app = apps[i % COUNT(apps)];
        server->hold = i % 7 == 0;
        server->refuse = i % 11 == 0;
        id = raw_request(raw, 3000, false);
        (void)move_raw_end(raw, server, 0);
        if (server->app == APP_NONE) {
            assert_int_equal(nghttp2_submit_rst_stream(raw->session, 0, id, NGHTTP2_CANCEL), 0);
        }
        pump_raw(raw, server);
        assert_true(raw->s[id].closed);
    }
    assert_int_equal(call_count_closed(server), server->call_count);
    assert_int_equal(server->http.exchange_count, 0);
    assert_int_equal(raw->goaways, 0);
    assert_window_whole(raw, server);
    raw_free(raw);
    end_free(server);
}

/* The same at our client: responses are held back, reset, and left alone. */
static void test_client_no_window_leak(void **state) {
    end_t *client = end_new(false, APP_NONE);
    raw_t *raw = raw_new(true);
    int i;
    (void)state;
    assert_int_equal(nghttp2_submit_settings(raw->session, 0, NULL, 0), 0);
    pump_raw(raw, client);
    for (i = 0; i < 1000; i++) {
        call_t *call;
        int32_t id = 2 * i + 1;
        client->app = i % 3 == 0 ? APP_RESET_DATA : APP_NONE;
        client->hold = i % 2 == 0;
        call = client_call(client, "q", 1);
        assert_non_null(call);
        pump_raw(raw, client);
        raw_respond(raw, id, "200", 5000);
        pump_raw(raw, client);
        assert_int_equal(call->closes, 1);
    }
    assert_window_whole(raw, client);
    raw_free(raw);
    end_free(client);
}

/* ---- Resets ---- */
static void test_server_resets(void **state) {
    static const app_t apps[] = {APP_RESET_HEAD, APP_RESET_DATA, APP_RESET_END};
    static const struct {
        cn_reset_t why;
        uint32_t code;
    } resets[] = {{CN_RESET_NO_ERROR, NGHTTP2_NO_ERROR}, {CN_RESET_CANCEL, NGHTTP2_CANCEL},
        {CN_RESET_LATE, NGHTTP2_CANCEL}, {CN_RESET_INTERNAL, NGHTTP2_INTERNAL_ERROR}};
    size_t i, j;
    (void)state;
    for (i = 0; i < COUNT(apps); i++) {
        for (j = 0; j < COUNT(resets); j++) {
            end_t *server = end_new(true, apps[i]);
            raw_t *raw = raw_client(server);
            int32_t id = raw_request(raw, 10, false);
            server->reset_why = resets[j].why;
            pump_raw(raw, server);
            assert_true(raw->s[id].reset);
            assert_int_equal(raw->s[id].code, resets[j].code);
            assert_int_equal(server->calls[0]->ends, apps[i] == APP_RESET_END);
            assert_int_equal(server->calls[0]->closes, 1);
            assert_int_equal(server->calls[0]->code, CONNECT_CANCELED);
            raw_free(raw);
            end_free(server);
        }
    }
}

/* The client resets after each of its frames, and after the answer has begun. */
static void test_client_resets(void **state) {
    static const app_t apps[] = {APP_NONE, APP_ECHO, APP_STREAM, APP_BULK};
    size_t i;
    int stage;
    (void)state;
    for (i = 0; i < COUNT(apps); i++) {
        for (stage = 0; stage < 4; stage++) {
            end_t *server = end_new(true, apps[i]), *client = end_new(false, APP_NONE);
            call_t *call;
            static const connect_headers_t none = {NULL, 0};
            server->bulk_len = 3000000;
            client->hold = true;
            pump(client, server, 0);
            call = client_begin(client, -1, false);
            if (stage >= 1) pump(client, server, 0);
            if (stage >= 2) {
                append(call, "abc", 3);
                client->http.version->flush(&call->x);
                pump(client, server, 0);
            }
            if (stage >= 3) {
                client->http.version->send_end(&call->x, none);
                pump(client, server, 0);
                if (call->closes) {
                    assert_int_equal(call->code, CONNECT_OK);
                    end_free(client);
                    end_free(server);
                    continue;
                }
            }
            client->http.version->reset(&call->x, CN_RESET_CANCEL);
            assert_int_equal(call->closes, 0); /* never from inside the operation */
            client->http.version->reset(&call->x, CN_RESET_CANCEL);
            pump(client, server, 0);
            assert_int_equal(call->closes, 1);
            assert_int_equal(call->code, CONNECT_CANCELED);
            assert_int_equal(call->ends, 0);
            if (stage > 0) {
                assert_int_equal(server->calls[0]->closes, 1);
                assert_int_equal(server->calls[0]->code, CONNECT_CANCELED);
            } else {
                assert_int_equal(server->call_count, 0);
            }
            end_free(client);
            end_free(server);
        }
    }
}

static void test_reset_codes_at_client(void **state) {
    static const struct {
        uint32_t error;
        connect_code_t code;
    } cases[] = {{NGHTTP2_NO_ERROR, CONNECT_INTERNAL}, {NGHTTP2_PROTOCOL_ERROR, CONNECT_INTERNAL},
        {NGHTTP2_INTERNAL_ERROR, CONNECT_INTERNAL}, {NGHTTP2_FLOW_CONTROL_ERROR, CONNECT_INTERNAL},
        {NGHTTP2_SETTINGS_TIMEOUT, CONNECT_INTERNAL}, {NGHTTP2_STREAM_CLOSED, CONNECT_INTERNAL},
        {NGHTTP2_FRAME_SIZE_ERROR, CONNECT_INTERNAL}, {NGHTTP2_REFUSED_STREAM, CONNECT_UNAVAILABLE},
        {NGHTTP2_CANCEL, CONNECT_CANCELED}, {NGHTTP2_COMPRESSION_ERROR, CONNECT_INTERNAL},
        {NGHTTP2_CONNECT_ERROR, CONNECT_INTERNAL}, {NGHTTP2_ENHANCE_YOUR_CALM, CONNECT_RESOURCE_EXHAUSTED},
        {NGHTTP2_INADEQUATE_SECURITY, CONNECT_PERMISSION_DENIED}, {NGHTTP2_HTTP_1_1_REQUIRED, CONNECT_INTERNAL},
        {77, CONNECT_INTERNAL}};
    size_t i;
    int has_head;
    (void)state;
    for (has_head = 0; has_head < 2; has_head++) {
        for (i = 0; i < COUNT(cases); i++) {
            end_t *client = end_new(false, APP_NONE);
            raw_t *raw = raw_new(true);
            call_t *call = client_call(client, "hello", 5);
            assert_int_equal(nghttp2_submit_settings(raw->session, 0, NULL, 0), 0);
            pump_raw(raw, client);
            if (has_head) {
                raw->s[1].never_end = true;
                raw_respond(raw, 1, "200", 3);
                pump_raw(raw, client);
                assert_int_equal(call->received, 3);
            }
            assert_int_equal(nghttp2_submit_rst_stream(raw->session, 0, 1, cases[i].error), 0);
            pump_raw(raw, client);
            assert_int_equal(call->closes, 1);
            assert_int_equal(call->ends, 0);
            assert_int_equal(call->code, cases[i].code);
            raw_free(raw);
            end_free(client);
        }
    }
}

/* The server answers before the request is whole: all of the response, then RST_STREAM(NO_ERROR). */
static void test_early_response(void **state) {
    end_t *server = end_new(true, APP_EARLY), *client = end_new(false, APP_NONE);
    raw_t *raw = raw_client(server);
    int32_t id = raw_request(raw, 10, true);
    call_t *call;
    (void)state;
    pump_raw(raw, server);
    assert_int_equal(raw->s[id].status, 200);
    assert_int_equal(raw->s[id].body, 5);
    assert_string_equal(raw->s[id].trailer, "0");
    assert_true(raw->s[id].ended);
    assert_true(raw->s[id].reset);
    assert_int_equal(raw->s[id].code, NGHTTP2_NO_ERROR);
    assert_int_equal(server->calls[0]->code, CONNECT_OK);
    assert_int_equal(server->calls[0]->ends, 0);
    raw_free(raw);
    end_free(server);

    server = end_new(true, APP_EARLY); /* our client takes that for a whole response */
    call = client_begin(client, -1, false);
    pump(client, server, 0);
    assert_int_equal(call->closes, 1);
    assert_int_equal(call->ends, 1);
    assert_str(cn_buf_view(&call->body), "early");
    assert_int_equal(call->code, CONNECT_OK);
    end_free(server);
    end_free(client);
}

static void test_refused(void **state) {
    end_t *server = end_new(true, APP_ECHO), *client = end_new(false, APP_NONE);
    call_t *call = client_call(client, "hello", 5);
    (void)state;
    server->refuse = true;
    pump(client, server, 0);
    assert_int_equal(call->code, CONNECT_UNAVAILABLE);
    server->refuse = false;
    call = client_call(client, "hello", 5);
    pump(client, server, 0);
    assert_int_equal(call->code, CONNECT_OK);
    end_free(server);
    end_free(client);
}

static void test_too_many_streams(void **state) {
    cn_buf_t bytes = {NULL, 0, 0, 0};
    end_t *server = end_new(true, APP_NONE);
    uint32_t i;
    (void)state;
    put_preface(&bytes);
    for (i = 0; i < 101; i++)
        put_request(&bytes, 2 * i + 1, true);
    end_feed(server, cn_buf_view(&bytes).data, cn_buf_len(&bytes), 0, true);
    end_pull(server);
    assert_int_equal(server->call_count, 100);
    assert_int_equal(find_reset(&server->http.out, 201), NGHTTP2_REFUSED_STREAM);
    assert_int_equal(find_goaway(&server->http.out), -1);
    cn_buf_free(&bytes, NULL);
    end_free(server);
}

/* ---- How many calls a client may have ---- */
static void test_client_room(void **state) {
    end_t *client = end_new(false, APP_NONE);
    raw_t *raw = raw_new(true);
    call_t *calls[100], *more;
    int i;
    (void)state;
    for (i = 0; i < 100; i++) { /* nothing is known of the peer: 100 */
        assert_true(client->http.version->can_begin(&client->http));
        calls[i] = client_call(client, "x", 1);
        assert_non_null(calls[i]);
    }
    assert_false(client->http.version->can_begin(&client->http));
    raw_settings(raw, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 3);
    pump_raw(raw, client);
    assert_int_equal(client->rooms, 0);
    for (i = 0; i < 100; i++) { /* nghttp2 refuses what is too many, or it waits */
        if (!calls[i]->closes) {
            pump_raw(raw, client);
            if (!calls[i]->closes) raw_respond(raw, 2 * i + 1, "200", 0);
            pump_raw(raw, client);
        }
    }
    assert_int_equal(call_count_closed(client), 100);
    assert_int_equal(client->rooms, 1);
    for (i = 0; i < 3; i++) {
        assert_true(client->http.version->can_begin(&client->http));
        calls[i] = client_call(client, "x", 1);
    }
    assert_false(client->http.version->can_begin(&client->http));
    more = call_new(client);
    assert_false(client->http.version->begin(&client->http, &more->x));
    raw_settings(raw, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 4);
    pump_raw(raw, client);
    assert_int_equal(client->rooms, 2);
    assert_true(client->http.version->can_begin(&client->http));
    raw_free(raw);
    end_free(client);
}

/* A call that begins in on_room goes out at once, whatever made the room. */
static void test_begin_in_room(void **state) {
    end_t *client = end_new(false, APP_NONE);
    raw_t *raw = raw_new(true);
    call_t *first;
    (void)state;
    raw_settings(raw, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1);
    pump_raw(raw, client);
    first = client_call(client, "x", 1);
    pump_raw(raw, client);
    assert_false(client->http.version->can_begin(&client->http));
    client->waiting = 2;
    client->http.version->reset(&first->x, CN_RESET_CANCEL); /* the room is made by pull */
    assert_true(move_end_raw(client, raw));
    assert_int_equal(raw->begun, 2);
    assert_int_equal(first->closes, 1);
    raw_respond(raw, 3, "200", 0); /* and by feed */
    assert_true(move_raw_end(raw, client, 0));
    assert_true(move_end_raw(client, raw));
    assert_int_equal(raw->begun, 3);
    assert_int_equal(client->rooms, 3); /* the first: by SETTINGS */
    raw_free(raw);
    end_free(client);
}

/* Reset before the request went out: begun only, submitted, and submitted but not allowed to go. */
static void test_client_strays(void **state) {
    end_t *client = end_new(false, APP_NONE);
    raw_t *raw = raw_new(true);
    call_t *begun = call_new(client), *submitted, *waiting;
    (void)state;
    assert_int_equal(nghttp2_submit_settings(raw->session, 0, NULL, 0), 0);
    assert_true(client->http.version->begin(&client->http, &begun->x));
    client->http.version->reset(&begun->x, CN_RESET_CANCEL);
    assert_int_equal(begun->closes, 0);
    submitted = client_call(client, "x", 1);
    client->http.version->reset(&submitted->x, CN_RESET_CANCEL);
    pump_raw(raw, client);
    assert_int_equal(begun->closes, 1);
    assert_int_equal(begun->code, CONNECT_CANCELED);
    assert_int_equal(submitted->closes, 1);
    assert_int_equal(submitted->code, CONNECT_CANCELED);
    assert_int_equal(raw->begun, 0);
    waiting = client_call(client, "x", 1);
    raw_settings(raw, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0);
    (void)move_raw_end(raw, client, 0);
    pump_raw(raw, client);
    assert_int_equal(waiting->closes, 0);
    client->http.version->reset(&waiting->x, CN_RESET_CANCEL);
    pump_raw(raw, client);
    assert_int_equal(waiting->closes, 1);
    assert_int_equal(waiting->code, CONNECT_CANCELED);
    assert_int_equal(raw->begun, 0);
    raw_settings(raw, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 10);
    pump_raw(raw, client);
    assert_int_equal(raw->begun, 0);
    submitted = client_call(client, "x", 1);
    pump_raw(raw, client);
    assert_int_equal(raw->begun, 1);
    raw_respond(raw, submitted->x.stream_id, "200", 0);
    pump_raw(raw, client);
    assert_int_equal(submitted->code, CONNECT_OK);
    raw_free(raw);
    end_free(client);
}

/* ---- GOAWAY ---- */
static void test_goaway_at_client(void **state) {
    int streams;
    (void)state;
    for (streams = 0; streams < 4; streams++) {
        end_t *client = end_new(false, APP_NONE);
        raw_t *raw = raw_new(true);
        call_t *calls[3];
        int i;
        assert_int_equal(nghttp2_submit_settings(raw->session, 0, NULL, 0), 0);
        for (i = 0; i < streams; i++)
            calls[i] = client_call(client, "x", 1);
        pump_raw(raw, client);
        assert_int_equal(nghttp2_submit_goaway(raw->session, 0, 1, NGHTTP2_NO_ERROR, NULL, 0), 0);
        pump_raw(raw, client);
        assert_true(client->http.draining);
        assert_int_equal(client->rooms, 2); /* by SETTINGS, and by GOAWAY */
        assert_false(client->http.version->can_begin(&client->http));
        for (i = 1; i < streams; i++) {
            assert_int_equal(calls[i]->code, CONNECT_UNAVAILABLE);
            assert_int_equal(calls[i]->closes, 1);
        }
        assert_int_equal(client->http.closing, streams == 0);
        if (streams > 0) {
            assert_int_equal(calls[0]->closes, 0);
            raw_respond(raw, 1, "200", 5);
            pump_raw(raw, client);
            assert_int_equal(calls[0]->code, CONNECT_OK);
            assert_int_equal(calls[0]->ends, 1);
            assert_true(client->http.closing);
        }
        raw_free(raw);
        end_free(client);
    }
}

static void test_drain_server(void **state) {
    end_t *server = end_new(true, APP_NONE);
    raw_t *raw = raw_client(server);
    int32_t first = raw_request(raw, 0, false), second;
    (void)state;
    pump_raw(raw, server);
    server->http.version->drain(&server->http);
    assert_true(server->http.draining);
    (void)move_end_raw(server, raw); /* the notice: no stream is shut out yet */
    assert_int_equal(raw->goaways, 1);
    assert_int_equal(raw->goaway_last, 0x7FFFFFFF);
    assert_int_equal(raw->goaway_code, NGHTTP2_NO_ERROR);
    assert_false(server->http.closing);
    pump_raw(raw, server); /* after the PING has come back */
    assert_int_equal(raw->goaways, 2);
    assert_int_equal(raw->goaway_last, first);
    assert_false(server->http.closing);
    assert_true(answer_head(server->calls[0], true));
    pump_raw(raw, server);
    assert_true(raw->s[first].ended);
    assert_true(server->http.closing);
    assert_int_equal(server->calls[0]->code, CONNECT_OK);
    raw_free(raw);
    end_free(server);

    server = end_new(true, APP_NONE); /* a request that was under way meanwhile is served */
    raw = raw_client(server);
    first = raw_request(raw, 0, false);
    pump_raw(raw, server);
    second = raw_request(raw, 0, false);
    server->http.version->drain(&server->http);
    pump_raw(raw, server);
    assert_int_equal(server->call_count, 2);
    assert_int_equal(raw->goaway_last, second);
    raw_free(raw);
    end_free(server);

    server = end_new(true, APP_NONE); /* nobody is there */
    raw = raw_client(server);
    server->http.version->drain(&server->http);
    pump_raw(raw, server);
    assert_int_equal(raw->goaways, 1);
    assert_int_equal(raw->goaway_last, 0);
    assert_true(server->http.closing);
    raw_free(raw);
    end_free(server);
}

static void test_drain_client(void **state) {
    end_t *server = end_new(true, APP_ECHO), *client = end_new(false, APP_NONE);
    call_t *call;
    (void)state;
    pump(client, server, 0);
    call = client_call(client, "x", 1);
    client->http.version->drain(&client->http);
    assert_false(client->http.version->can_begin(&client->http));
    assert_false(client->http.closing);
    pump(client, server, 0);
    assert_int_equal(call->code, CONNECT_OK);
    assert_true(client->http.closing);
    assert_true(server->http.closing);
    end_free(server);
    end_free(client);
}

/* ---- Every way to cut the bytes ---- */
static size_t record_client(char *to, size_t size) { /* what our client says in three calls, for a server of ours */
    end_t *client = end_new(false, APP_NONE);
    cn_buf_t block = {NULL, 0, 0, 0};
    connect_str_t bytes;
    call_t *open;
    assert_non_null(client_call(client, "hello", 5));
    assert_non_null(client_call(client, "", 0));
    open = client_begin(client, -1, false);
    append(open, "part", 4);
    client->http.version->flush(&open->x);
    end_pull(client);
    client->http.version->send_end(&open->x, trailers_view());
    end_pull(client);
    put_frame(&client->http.out, NGHTTP2_PING, 0, 0, "pingpong", 8);
    put_request_block(&block);
    put_frame(&client->http.out, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 7, cn_buf_view(&block).data, 10);
    put_frame(&client->http.out, NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, 7, cn_buf_view(&block).data + 10,
        cn_buf_len(&block) - 10);
    bytes = cn_buf_view(&client->http.out);
    assert_true(bytes.len <= size);
    memcpy(to, bytes.data, bytes.len);
    size = bytes.len;
    cn_buf_free(&block, NULL);
    end_free(client);
    return size;
}
static void test_split_everywhere(void **state) {
    static char bytes[4096];
    size_t len = record_client(bytes, sizeof bytes), at;
    (void)state;
    for (at = 0; at <= len; at++) {
        end_t *server = end_new(true, APP_ECHO);
        end_feed(server, bytes, at, 0, true);
        if (at % 3 == 0) end_pull(server);
        assert_true(at == 0 || at == len || server->http.head_since_ms == -1 || server->http.head_since_ms == 1000);
        end_feed(server, bytes + at, len - at, 0, true);
        end_pull(server);
        assert_int_equal(server->call_count, 4);
        assert_int_equal(call_count_closed(server), 4);
        assert_int_equal(server->calls[0]->code, CONNECT_OK);
        assert_str(cn_buf_view(&server->calls[0]->body), "hello");
        assert_str(cn_buf_view(&server->calls[2]->body), "part");
        assert_int_equal(server->calls[2]->x.trailers.count, 2);
        assert_str(server->calls[3]->x.path, "/a/b");
        assert_int_equal(server->http.head_since_ms, -1);
        end_free(server);
    }
}

static void test_eof_everywhere(void **state) {
    static char bytes[4096];
    size_t len = record_client(bytes, sizeof bytes), at, i, ended_before = 0;
    int by_free;
    (void)state;
    for (by_free = 0; by_free < 2; by_free++) {
        for (at = 0; at <= len; at++) {
            end_t *server = end_new(true, APP_NONE);
            size_t ended = 0;
            end_feed(server, bytes, at, 0, true);
            end_pull(server);
            assert_int_equal(call_count_closed(server), 0);
            for (i = 0; i < server->call_count; i++)
                ended += (size_t)server->calls[i]->ends;
            assert_true(ended >= (at == 0 ? 0 : ended_before));
            ended_before = ended;
            if (by_free) {
                server->http.version->free(&server->http);
                server->is_open = false;
            } else {
                server->http.version->eof(&server->http);
                assert_true(server->http.closing);
                end_pull(server);
                end_feed(server, "more", 4, 0, false);
                end_pull(server);
            }
            for (i = 0; i < server->call_count; i++) {
                assert_int_equal(server->calls[i]->closes, 1);
                assert_int_equal(server->calls[i]->code, CONNECT_CANCELED);
                ended -= (size_t)server->calls[i]->ends; /* no end came out of the cut */
            }
            assert_int_equal(ended, 0);
            end_free(server);
        }
        assert_int_equal(ended_before, 4);
    }
}

/* The same for what our client hears: a response that is cut never ends well. */
static void test_eof_everywhere_at_client(void **state) {
    end_t *server = end_new(true, APP_ECHO), *first = end_new(false, APP_NONE);
    cn_buf_t bytes = {NULL, 0, 0, 0};
    connect_str_t view;
    size_t at;
    (void)state;
    assert_non_null(client_call(first, "hello", 5));
    (void)move_end_end(first, server, 0);
    end_pull(server);
    assert_true(cn_buf_append_str(&bytes, NULL, cn_buf_view(&server->http.out)));
    view = cn_buf_view(&bytes);
    for (at = 0; at <= view.len; at++) {
        end_t *client = end_new(false, APP_NONE);
        call_t *call = client_call(client, "hello", 5);
        end_pull(client);
        end_feed(client, view.data, at, 0, true);
        client->http.version->eof(&client->http);
        assert_int_equal(call->closes, 1);
        assert_int_equal(call->ends, at == view.len);
        assert_int_equal(call->code, at == view.len ? CONNECT_OK : CONNECT_UNAVAILABLE);
        assert_true(client->http.draining);
        assert_int_equal(client->rooms, 1 + client->http.settled);
        end_free(client);
    }
    cn_buf_free(&bytes, NULL);
    end_free(first);
    end_free(server);
}

/* ---- Requests that are not right ---- */
typedef struct bad_t {
    const char *name, *value;
    int status;   /* answered so; 0: not answered */
    uint32_t rst; /* reset so, if status is 0 */
} bad_t;
static void test_bad_requests(void **state) {
    static const bad_t cases[] = {{"host", "h", 200, 0}, {"host", "H", 200, 0}, {"host", "other", 400, 0},
        {"content-length", "0", 200, 0}, {"content-length", "5", 0, NGHTTP2_PROTOCOL_ERROR},
        {"content-length", "-1", 0, NGHTTP2_PROTOCOL_ERROR}, {"content-length", "", 0, NGHTTP2_PROTOCOL_ERROR},
        {"content-length", "99999999999999999999", 0, NGHTTP2_PROTOCOL_ERROR},
        {"transfer-encoding", "chunked", 0, NGHTTP2_PROTOCOL_ERROR}, {"connection", "close", 0, NGHTTP2_PROTOCOL_ERROR},
        {"te", "trailers", 200, 0}, {"te", "gzip", 0, NGHTTP2_PROTOCOL_ERROR},
        {"X-Upper", "v", 0, NGHTTP2_PROTOCOL_ERROR}, {"x y", "v", 0, NGHTTP2_PROTOCOL_ERROR},
        {"x-crlf", "a\r\nb", 0, NGHTTP2_PROTOCOL_ERROR}, {"x-ctl", "a\001b", 0, NGHTTP2_PROTOCOL_ERROR},
        {":path", "/again", 0, NGHTTP2_PROTOCOL_ERROR}, {":unknown", "v", 0, NGHTTP2_PROTOCOL_ERROR},
        {"x-good", "\xC3\xA4", 200, 0}};
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        end_t *server = end_new(true, APP_TRAILERS_ONLY);
        cn_buf_t bytes = {NULL, 0, 0, 0}, block = {NULL, 0, 0, 0};
        nghttp2_hd_inflater *inflater;
        put_preface(&bytes);
        put_request_block(&block);
        put_field(&block, cases[i].name, cases[i].value, strlen(cases[i].value));
        put_block(&bytes, 1, &block, true);
        put_request(&bytes, 3, true); /* the other streams live on */
        end_feed(server, cn_buf_view(&bytes).data, cn_buf_len(&bytes), 0, true);
        end_pull(server);
        assert_int_equal(server->call_count, 2);
        assert_int_equal(server->calls[0]->closes, 1);
        assert_int_equal(server->calls[0]->heads, cases[i].status == 200);
        assert_int_equal(server->calls[0]->code == CONNECT_OK, cases[i].status == 200);
        assert_int_equal(find_reset(&server->http.out, 1), cases[i].status ? -1 : (int64_t)cases[i].rst);
        assert_int_equal(server->calls[1]->code, CONNECT_OK);
        assert_int_equal(find_goaway(&server->http.out), -1);
        assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
        nghttp2_hd_inflate_del(inflater);
        cn_buf_free(&bytes, NULL);
        cn_buf_free(&block, NULL);
        end_free(server);
    }
}

/* A header list at the limit, over it, and far over it; with a client that listens. */
static void test_header_limits(void **state) {
    static char value[4096];
    static const struct {
        size_t fields, value_len;
        int status; /* 0: GOAWAY */
        const char *name;
    } cases[] = {{128, 1, 200, "x"}, {129, 1, 431, "x"}, {4, 3900, 200, "x"}, {5, 3900, 431, "x"}, {16, 3900, 431, "x"},
        {18, 3900, 0, "x"}, {520, 0, 0, "x"}, {500, 0, 431, "x"}, {128, 1, 200, "cookie"}, {129, 1, 431, "cookie"}};
    size_t i, j;
    (void)state;
    memset(value, 'v', sizeof value);
    for (i = 0; i < COUNT(cases); i++) {
        end_t *server = end_new(true, APP_TRAILERS_ONLY);
        raw_t *raw = raw_client(server);
        cn_buf_t bytes = {NULL, 0, 0, 0}, block = {NULL, 0, 0, 0};
        int32_t id = raw_request(raw, 0, true); /* so that the client knows the stream */
        (void)id;
        put_request_block(&block);
        for (j = 0; j < cases[i].fields; j++)
            put_field(&block, cases[i].name, value, cases[i].value_len);
        put_block(&bytes, 1, &block, false);
        {
            const uint8_t *ignored;
            while (nghttp2_session_mem_send(raw->session, &ignored) > 0) {}
        }
        end_feed(server, cn_buf_view(&bytes).data, cn_buf_len(&bytes), 0, true);
        put_frame(&bytes, NGHTTP2_DATA, 0, 1, "more", 4);
        (void)move_end_raw(server, raw);
        end_feed(server, cn_buf_view(&bytes).data + cn_buf_len(&bytes) - 13, 13, 0, true);
        (void)move_end_raw(server, raw);
        assert_int_equal(raw->s[1].status, cases[i].status == 200 ? 0 : cases[i].status);
        assert_int_equal(server->calls[0]->heads, cases[i].status == 200);
        if (cases[i].status == 431) {
            assert_true(raw->s[1].ended);
            assert_true(raw->s[1].reset);
            assert_int_equal(raw->s[1].code, NGHTTP2_NO_ERROR);
            assert_int_equal(server->calls[0]->code, CONNECT_OK); /* the answer went out whole */
            assert_int_equal(server->calls[0]->x.over_limit, 431);
            assert_true(server->calls[0]->x.headers.count <= 128);
            assert_false(server->http.closing);
        }
        if (cases[i].status == 0) {
            assert_int_equal(raw->goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
            assert_true(server->http.closing);
            assert_int_equal(server->calls[0]->closes, 1);
        }
        cn_buf_free(&bytes, NULL);
        cn_buf_free(&block, NULL);
        raw_free(raw);
        end_free(server);
    }
}

static void test_long_path(void **state) {
    static char path[8194];
    size_t len;
    (void)state;
    memset(path, 'p', sizeof path);
    path[0] = '/';
    for (len = 8192; len <= 8193; len++) {
        end_t *server = end_new(true, APP_TRAILERS_ONLY);
        cn_buf_t bytes = {NULL, 0, 0, 0}, block = {NULL, 0, 0, 0};
        put_preface(&bytes);
        put_field(&block, ":method", "GET", 3);
        put_field(&block, ":scheme", "http", 4);
        put_field(&block, ":authority", "h", 1);
        put_field(&block, ":path", path, len);
        put_block(&bytes, 1, &block, true);
        end_feed(server, cn_buf_view(&bytes).data, cn_buf_len(&bytes), 0, true);
        end_pull(server);
        assert_int_equal(server->calls[0]->heads, len == 8192);
        assert_int_equal(server->calls[0]->code, CONNECT_OK);
        assert_int_equal(server->calls[0]->x.over_limit, len == 8192 ? 0 : 414);
        cn_buf_free(&bytes, NULL);
        cn_buf_free(&block, NULL);
        end_free(server);
    }
}

/* A refused request's body goes on coming: the connection's window is given back, the stream's is not. */
static void test_body_of_refused(void **state) {
    static char body[16000];
    connect_limits_t limits = gateway_limits();
    end_t *server;
    cn_buf_t bytes = {NULL, 0, 0, 0}, block = {NULL, 0, 0, 0};
    cn_http2_t *h;
    int i;
    (void)state;
    limits.stream_window = 1 << 20;
    server = end_new_limited(true, APP_NONE, connect_allocator_libc(), &limits);
    h = (cn_http2_t *)server->http.state;
    put_preface(&bytes);
    put_frame(&bytes, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, "", 0);
    put_request_block(&block);
    put_field(&block, "host", "other", 5);
    end_pull(server);
    put_block(&bytes, 1, &block, false);
    for (i = 0; i < 10; i++)
        put_frame(&bytes, NGHTTP2_DATA, 0, 1, body, sizeof body);
    end_feed(server, cn_buf_view(&bytes).data, cn_buf_len(&bytes), 0, true);
    assert_int_equal(server->calls[0]->received, 0);
    assert_true(nghttp2_session_get_effective_recv_data_length(h->session) < 128 * 1024);
    assert_int_equal(nghttp2_session_get_stream_effective_recv_data_length(h->session, 1), 160000);
    cn_buf_free(&bytes, NULL);
    cn_buf_free(&block, NULL);
    end_free(server);
}

/* The response to HEAD has no body, whatever the application appends. */
static void test_head_request(void **state) {
    end_t *server = end_new(true, APP_EARLY);
    cn_buf_t bytes = {NULL, 0, 0, 0}, block = {NULL, 0, 0, 0};
    connect_str_t rest;
    (void)state;
    put_preface(&bytes);
    put_field(&block, ":method", "HEAD", 4);
    put_field(&block, ":scheme", "http", 4);
    put_field(&block, ":path", "/", 1);
    put_field(&block, ":authority", "h", 1);
    put_block(&bytes, 1, &block, true);
    end_feed(server, cn_buf_view(&bytes).data, cn_buf_len(&bytes), 0, true);
    end_pull(server);
    assert_int_equal(server->calls[0]->code, CONNECT_OK);
    for (rest = cn_buf_view(&server->http.out); rest.len >= 9;) {
        size_t len = (size_t)(unsigned char)rest.data[1] << 8 | (unsigned char)rest.data[2];
        assert_int_not_equal(rest.data[3], NGHTTP2_DATA);
        rest.data += 9 + len;
        rest.len -= 9 + len;
    }
    cn_buf_free(&bytes, NULL);
    cn_buf_free(&block, NULL);
    end_free(server);
}

/* A stream that is closed by this end while the peer is in the middle of its trailers. */
static void test_reset_inside_trailers(void **state) {
    end_t *server = end_new(true, APP_NONE);
    cn_buf_t bytes = {NULL, 0, 0, 0}, block = {NULL, 0, 0, 0};
    size_t len;
    (void)state;
    put_preface(&bytes);
    put_request(&bytes, 1, false);
    put_field(&block, "x-first", "1", 1);
    put_field(&block, "x-second", "2", 1);
    put_block(&bytes, 1, &block, true);
    put_request(&bytes, 3, true);
    len = cn_buf_len(&bytes) - 68; /* inside the second field: the last request has 63 bytes */
    end_feed(server, cn_buf_view(&bytes).data, len, 0, true);
    assert_int_equal(server->calls[0]->x.trailers.count, 1);
    server->http.version->reset(&server->calls[0]->x, CN_RESET_CANCEL);
    end_pull(server);
    assert_int_equal(server->calls[0]->closes, 1);
    end_feed(server, cn_buf_view(&bytes).data + len, cn_buf_len(&bytes) - len, 0, true);
    assert_int_equal(server->calls[0]->x.trailers.count, 1);
    assert_int_equal(server->calls[0]->ends, 0);
    assert_int_equal(server->calls[1]->ends, 1);
    cn_buf_free(&bytes, NULL);
    cn_buf_free(&block, NULL);
    end_free(server);
}

/* Trailers, and a response's headers, over the limit. */
static void test_other_header_limits(void **state) {
    static char value[6000];
    connect_header_t large[3];
    connect_headers_t view = {large, 3};
    cn_head_t head = response_head();
    end_t *server = end_new(true, APP_NONE), *client = end_new(false, APP_NONE);
    call_t *a, *b;
    size_t i;
    (void)state;
    memset(value, 'v', sizeof value);
    for (i = 0; i < 3; i++) {
        large[i].name = "x-large";
        large[i].value = cn_str(value, sizeof value);
    }
    a = client_begin(client, -1, false);
    client->http.version->send_end(&a->x, view);
    b = client_call(client, "", 0);
    pump(client, server, 0);
    assert_int_equal(server->calls[0]->ends, 0);
    assert_int_equal(server->calls[0]->code, CONNECT_RESOURCE_EXHAUSTED);
    assert_int_equal(a->code, CONNECT_RESOURCE_EXHAUSTED); /* ENHANCE_YOUR_CALM */
    head.headers = large;
    head.header_count = 3;
    assert_true(server->http.version->send_head(&server->calls[1]->x, &head, true));
    pump(client, server, 0);
    assert_int_equal(b->heads, 0);
    assert_int_equal(b->ends, 0);
    assert_int_equal(b->code, CONNECT_RESOURCE_EXHAUSTED);
    end_free(client);
    end_free(server);
}

/* ---- Floods ---- */
static void flood(int type, int flags, uint32_t stream, const void *payload, size_t len, int count, bool is_fatal) {
    end_t *server = end_new(true, APP_NONE);
    cn_buf_t bytes = {NULL, 0, 0, 0};
    int i;
    bool closed_early = false;
    put_preface(&bytes);
    put_request(&bytes, 1, false);
    end_feed(server, cn_buf_view(&bytes).data, cn_buf_len(&bytes), 0, true);
    cn_buf_clear(&bytes);
    put_frame(&bytes, type, flags, stream, payload, len);
    for (i = 0; i < count && !closed_early; i++) {
        end_feed(server, cn_buf_view(&bytes).data, cn_buf_len(&bytes), 0, false);
        end_pull(server);
        closed_early = server->http.closing;
        if (closed_early) assert_int_equal(find_goaway(&server->http.out), NGHTTP2_ENHANCE_YOUR_CALM);
        cn_buf_clear(&server->http.out); /* this one reads */
    }
    assert_int_equal(closed_early, is_fatal);
    assert_int_equal(server->calls[0]->closes, is_fatal);
    cn_buf_free(&bytes, NULL);
    end_free(server);
}
static void test_frame_floods(void **state) {
    (void)state;
    flood(NGHTTP2_PING, 0, 0, "pingpong", 8, 9000, false);
    flood(NGHTTP2_PING, 0, 0, "pingpong", 8, 10100, true);
    flood(NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, "pingpong", 8, 10100, true);
    flood(NGHTTP2_SETTINGS, 0, 0, "", 0, 10100, true);
    flood(NGHTTP2_SETTINGS, 0, 0, "\0\4\0\0\xFF\xFF", 6, 10100, true);
    flood(NGHTTP2_PRIORITY, 0, 9, "\0\0\0\0\1", 5, 10100, true);
    flood(0x77, 0, 0, "x", 1, 10100, true); /* unknown types */
    flood(0x0C, 0, 0, "x", 1, 10100, true); /* ORIGIN */
    flood(NGHTTP2_DATA, 0, 1, "", 0, 9000, false);
    flood(NGHTTP2_DATA, 0, 1, "", 0, 10100, true); /* empty, without END_STREAM */
    flood(NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, "\3xyz", 4, 10100, true);
    flood(NGHTTP2_DATA, 0, 1, "a", 1, 40000, false); /* one-byte messages are honest */
    flood(NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\0\1", 4, 10300, true);
}

/* One WINDOW_UPDATE for each DATA frame of ours is honest, for however many. */
static void test_window_updates_are_honest(void **state) {
    connect_limits_t limits = gateway_limits();
    end_t *server;
    raw_t *raw;
    int32_t id;
    (void)state;
    limits.frame_burst = 50;
    limits.frame_rate = 1;
    server = end_new_limited(true, APP_BULK, connect_allocator_libc(), &limits);
    raw = raw_new(false);
    raw_settings(raw, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 100);
    pump_raw(raw, server);
    server->bulk_len = 100000;
    id = raw_request(raw, 0, false);
    pump_raw(raw, server);
    assert_int_equal(raw->s[id].body, 100000);
    assert_int_equal(raw->goaways, 0);
    raw_free(raw);
    end_free(server);
}

/* So are calls, for however many. */
static void test_calls_are_honest(void **state) {
    connect_limits_t limits = gateway_limits();
    end_t *server;
    raw_t *raw;
    int i;
    (void)state;
    limits.frame_burst = 50;
    limits.frame_rate = 1;
    server = end_new_limited(true, APP_ECHO, connect_allocator_libc(), &limits);
    raw = raw_client(server);
    for (i = 0; i < 200; i++) {
        raw_request(raw, 66, false);
        pump_raw(raw, server);
    }
    assert_int_equal(raw->goaways, 0);
    assert_int_equal(call_count_closed(server), 200);
    raw_free(raw);
    end_free(server);
}

static void test_rapid_reset(void **state) {
    int pace, kind;
    (void)state;
    for (kind = 0; kind < 2; kind++) { /* 0: RST_STREAM; 1: the server is made to send it (window overflow) */
        for (pace = 0; pace < 2; pace++) {
            end_t *server = end_new(true, APP_NONE);
            cn_buf_t bytes = {NULL, 0, 0, 0};
            uint32_t i;
            put_preface(&bytes);
            end_feed(server, cn_buf_view(&bytes).data, cn_buf_len(&bytes), 0, true);
            for (i = 0; i < 900 && !server->http.closing; i++) { /* nghttp2 has a limit of its own: 1,000 */
                cn_buf_clear(&bytes);
                put_request(&bytes, 2 * i + 1, true);
                if (kind == 0)
                    put_frame(&bytes, NGHTTP2_RST_STREAM, 0, 2 * i + 1, "\0\0\0\10", 4);
                else
                    put_frame(&bytes, NGHTTP2_WINDOW_UPDATE, 0, 2 * i + 1, "\x7F\xFF\xFF\xFF", 4);
                end_feed(server, cn_buf_view(&bytes).data, cn_buf_len(&bytes), 0, false);
                end_pull(server);
                if (server->http.closing) assert_int_equal(find_goaway(&server->http.out), NGHTTP2_ENHANCE_YOUR_CALM);
                cn_buf_clear(&server->http.out);
                if (pace) server->http.now_ms += 31; /* 32 in a second */
            }
            assert_int_equal(i, pace ? 900 : 201);
            assert_int_equal(call_count_closed(server), server->call_count);
            cn_buf_free(&bytes, NULL);
            end_free(server);
        }
    }
}

/* More streams than are allowed, before the SETTINGS are acknowledged: refused, and then it is enough. */
static void test_refused_flood(void **state) {
    end_t *server = end_new(true, APP_NONE);
    cn_buf_t bytes = {NULL, 0, 0, 0};
    uint32_t i;
    (void)state;
    put_preface(&bytes);
    for (i = 0; i < 302; i++)
        put_request(&bytes, 2 * i + 1, true);
    end_feed(server, cn_buf_view(&bytes).data, cn_buf_len(&bytes), 0, true);
    assert_true(server->http.closing);
    assert_int_equal(find_goaway(&server->http.out), NGHTTP2_ENHANCE_YOUR_CALM);
    cn_buf_free(&bytes, NULL);
    end_free(server);
}

static void test_continuation_flood(void **state) {
    int count;
    (void)state;
    for (count = 8; count <= 9; count++) {
        end_t *server = end_new(true, APP_TRAILERS_ONLY);
        cn_buf_t bytes = {NULL, 0, 0, 0}, block = {NULL, 0, 0, 0};
        int i;
        put_preface(&bytes);
        put_request_block(&block);
        put_frame(&bytes, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, cn_buf_view(&block).data, cn_buf_len(&block));
        for (i = 0; i < count; i++)
            put_frame(&bytes, NGHTTP2_CONTINUATION, i == count - 1 ? NGHTTP2_FLAG_END_HEADERS : 0, 1, "", 0);
        end_feed(server, cn_buf_view(&bytes).data, cn_buf_len(&bytes), 1, true);
        end_pull(server);
        assert_int_equal(find_goaway(&server->http.out), count == 8 ? -1 : NGHTTP2_ENHANCE_YOUR_CALM);
        assert_int_equal(server->http.closing, count == 9);
        cn_buf_free(&bytes, NULL);
        cn_buf_free(&block, NULL);
        end_free(server);
    }
}

/* Header blocks for a stream that this end has reset: they may have been on their way, but so many were not. */
static void test_stale_headers_flood(void **state) {
    end_t *server = end_new(true, APP_RESET_HEAD);
    cn_buf_t bytes = {NULL, 0, 0, 0};
    int i;
    (void)state;
    put_preface(&bytes);
    put_request(&bytes, 1, false);
    end_feed(server, cn_buf_view(&bytes).data, cn_buf_len(&bytes), 0, true);
    end_pull(server);
    cn_buf_clear(&bytes);
    cn_buf_clear(&server->http.out);
    put_request(&bytes, 1, true);
    for (i = 0; i < 10100 && !server->http.closing; i++)
        end_feed(server, cn_buf_view(&bytes).data, cn_buf_len(&bytes), 0, false);
    assert_in_range(i, 9900, 10001);
    assert_int_equal(find_goaway(&server->http.out), NGHTTP2_ENHANCE_YOUR_CALM);
    cn_buf_free(&bytes, NULL);
    end_free(server);
}

/* DATA and HEADERS on a stream that the peer itself has ended, or passed over, are an error of the connection
   (RFC 9113 5.1, 5.1.1); on one that this end has ended first they may have been on their way. */
static void test_frames_on_closed_streams(void **state) {
    enum { ENDED, RESET, SKIPPED, REFUSED, CUT };
    int how, headers, together;
    (void)state;
    for (how = ENDED; how <= CUT; how++) {
        for (headers = 0; headers < 2; headers++) {
            for (together = 0; together < 2; together++) {
                end_t *server = end_new(true, how == CUT ? APP_RESET_HEAD : APP_TRAILERS_ONLY);
                cn_buf_t bytes = {NULL, 0, 0, 0};
                const bool is_error = how == ENDED || how == RESET || how == SKIPPED;
                put_preface(&bytes);
                if (how == REFUSED) server->refuse = true;
                put_request(&bytes, how == SKIPPED ? 3 : 1, how == ENDED);
                if (how == RESET) put_frame(&bytes, NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\10", 4);
                if (!together || how == ENDED) { /* it is closed when its answer went out */
                    end_feed(server, cn_buf_view(&bytes).data, cn_buf_len(&bytes), 0, true);
                    end_pull(server);
                    cn_buf_clear(&server->http.out);
                    cn_buf_clear(&bytes);
                }
                if (how == SKIPPED && !headers) { /* for nghttp2 such a stream is closed, too, once it has seen 3 */
                    end_feed(server, cn_buf_view(&bytes).data, cn_buf_len(&bytes), 0, true);
                    end_pull(server);
                    cn_buf_clear(&bytes);
                }
                if (headers)
                    put_request(&bytes, 1, true);
                else
                    put_frame(&bytes, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, "late", 4);
                put_frame(&bytes, NGHTTP2_PING, 0, 0, "pingpong", 8);
                end_feed(server, cn_buf_view(&bytes).data, cn_buf_len(&bytes), 0, true);
                end_pull(server);
                assert_int_equal(server->http.closing, is_error);
                assert_int_equal(find_goaway(&server->http.out), is_error ? NGHTTP2_STREAM_CLOSED : -1);
                cn_buf_free(&bytes, NULL);
                end_free(server);
            }
        }
    }
}

/* PRIORITY is of no use any more, but not without rules (RFC 9113 6.3, RFC 7540 5.3.1). */
static void test_priority(void **state) {
    static const struct {
        uint32_t stream;
        const char *payload;
        size_t len;
        int64_t code;
    } cases[] = {{0, "\0\0\0\1\1", 5, NGHTTP2_PROTOCOL_ERROR}, {3, "\0\0\0\3\1", 5, NGHTTP2_PROTOCOL_ERROR},
        {3, "\x80\0\0\3\1", 5, NGHTTP2_PROTOCOL_ERROR}, {3, "\0\0\0\1\1", 5, -1}, {3, "\0\0\3\0\1", 5, -1}};
    size_t i, piece;
    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        for (piece = 0; piece < 8; piece++) {
            end_t *server = end_new(true, APP_NONE);
            cn_buf_t bytes = {NULL, 0, 0, 0};
            put_preface(&bytes);
            put_frame(&bytes, NGHTTP2_PRIORITY, 0, cases[i].stream, cases[i].payload, cases[i].len);
            put_frame(&bytes, NGHTTP2_PING, 0, 0, "\0\0\0\3\0\0\0\3", 8);
            end_feed(server, cn_buf_view(&bytes).data, cn_buf_len(&bytes), piece, true);
            end_pull(server);
            assert_int_equal(find_goaway(&server->http.out), cases[i].code);
            cn_buf_free(&bytes, NULL);
            end_free(server);
        }
    }
}

/* A peer that pings and does not read: it is not read from any more, until it reads. */
static void test_read_blocked(void **state) {
    connect_limits_t limits = gateway_limits();
    end_t *server;
    cn_buf_t bytes = {NULL, 0, 0, 0};
    int i;
    (void)state;
    limits.connection_buffer = 1000;
    server = end_new_limited(true, APP_NONE, connect_allocator_libc(), &limits);
    put_preface(&bytes);
    end_feed(server, cn_buf_view(&bytes).data, cn_buf_len(&bytes), 0, true);
    cn_buf_clear(&bytes);
    put_frame(&bytes, NGHTTP2_PING, 0, 0, "pingpong", 8);
    for (i = 0; i < 500 && !server->http.read_blocked; i++) {
        (void)server->http.version->feed(&server->http, cn_buf_view(&bytes).data, cn_buf_len(&bytes));
        end_pull(server);
    }
    assert_true(server->http.read_blocked);
    assert_true(i > 100 && i < 250);
    assert_int_equal(server->http.version->feed(&server->http, cn_buf_view(&bytes).data, cn_buf_len(&bytes)), 0);
    assert_true(cn_buf_len(&server->http.out) < 1100);
    cn_buf_clear(&server->http.out);
    end_pull(server);
    assert_false(server->http.read_blocked);
    cn_buf_clear(&server->http.out);
    end_pull(server);
    cn_buf_clear(&server->http.out);
    assert_int_equal(server->http.version->feed(&server->http, cn_buf_view(&bytes).data, cn_buf_len(&bytes)), 17);
    end_pull(server);
    assert_false(server->http.closing);
    cn_buf_free(&bytes, NULL);
    end_free(server);
}

/* ---- Connections that break ---- */
static void test_head_since(void **state) {
    end_t *server = end_new(true, APP_NONE);
    cn_buf_t bytes = {NULL, 0, 0, 0}, block = {NULL, 0, 0, 0};
    connect_str_t view;
    (void)state;
    assert_int_equal(server->http.head_since_ms, 1000);
    put_preface(&bytes);
    view = cn_buf_view(&bytes);
    end_feed(server, view.data, view.len - 1, 0, true);
    assert_int_equal(server->http.head_since_ms, 1000);
    end_feed(server, view.data + view.len - 1, 1, 0, true);
    assert_int_equal(server->http.head_since_ms, -1);
    cn_buf_clear(&bytes);
    put_request_block(&block);
    put_frame(&bytes, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, cn_buf_view(&block).data, cn_buf_len(&block));
    server->http.now_ms = 2000;
    end_feed(server, cn_buf_view(&bytes).data, cn_buf_len(&bytes), 0, true);
    assert_int_equal(server->http.head_since_ms, 2000);
    cn_buf_clear(&bytes);
    put_frame(&bytes, NGHTTP2_CONTINUATION, 0, 1, "", 0);
    server->http.now_ms = 3000;
    end_feed(server, cn_buf_view(&bytes).data, cn_buf_len(&bytes), 0, true);
    assert_int_equal(server->http.head_since_ms, 2000);
    cn_buf_clear(&bytes);
    put_frame(&bytes, NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, 1, "", 0);
    end_feed(server, cn_buf_view(&bytes).data, cn_buf_len(&bytes), 0, true);
    assert_int_equal(server->http.head_since_ms, -1);
    assert_int_equal(server->calls[0]->ends, 1);
    cn_buf_free(&bytes, NULL);
    cn_buf_free(&block, NULL);
    end_free(server);
}

static void test_broken_connections(void **state) {
    static const struct {
        int type, flags;
        uint32_t stream;
        const char *payload;
        size_t len;
        uint32_t code;
    } cases[] = {{NGHTTP2_DATA, 0, 0, "x", 1, NGHTTP2_PROTOCOL_ERROR},
        {NGHTTP2_DATA, 0, 5, "x", 1, NGHTTP2_PROTOCOL_ERROR},
        {NGHTTP2_HEADERS, 4, 0, "\x82", 1, NGHTTP2_PROTOCOL_ERROR},
        {NGHTTP2_HEADERS, 4, 2, "\x82", 1, NGHTTP2_PROTOCOL_ERROR},
        {NGHTTP2_HEADERS, 5, 3, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8, NGHTTP2_COMPRESSION_ERROR},
        {NGHTTP2_PING, 0, 0, "short", 5, NGHTTP2_FRAME_SIZE_ERROR},
        {NGHTTP2_PING, 0, 1, "pingpong", 8, NGHTTP2_PROTOCOL_ERROR},
        {NGHTTP2_SETTINGS, 0, 0, "x", 1, NGHTTP2_FRAME_SIZE_ERROR},
        {NGHTTP2_SETTINGS, 0, 0, "\0\5\0\0\0\0", 6, NGHTTP2_PROTOCOL_ERROR}, /* MAX_FRAME_SIZE 0 */
        {NGHTTP2_SETTINGS, 0, 0, "\0\4\xFF\xFF\xFF\xFF", 6, NGHTTP2_FLOW_CONTROL_ERROR},
        {NGHTTP2_WINDOW_UPDATE, 0, 0, "\x7F\xFF\xFF\xFF", 4, NGHTTP2_FLOW_CONTROL_ERROR},
        {NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\0\0", 4, NGHTTP2_PROTOCOL_ERROR},
        {NGHTTP2_CONTINUATION, 4, 1, "", 0, NGHTTP2_PROTOCOL_ERROR},
        {NGHTTP2_PUSH_PROMISE, 4, 1, "\0\0\0\2\x82", 5, NGHTTP2_PROTOCOL_ERROR},
        {NGHTTP2_RST_STREAM, 0, 9, "\0\0\0\0", 4, NGHTTP2_PROTOCOL_ERROR}};
    size_t i;
    int from_server;
    (void)state;
    for (from_server = 0; from_server < 2; from_server++) {
        for (i = 0; i < COUNT(cases); i++) {
            end_t *end = end_new(!from_server, APP_NONE);
            cn_buf_t bytes = {NULL, 0, 0, 0};
            if (from_server) {
                assert_non_null(client_begin(end, -1, false));
                put_frame(&bytes, NGHTTP2_SETTINGS, 0, 0, "", 0);
                put_frame(&bytes, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, "", 0);
            } else {
                put_preface(&bytes);
                put_request(&bytes, 1, false);
            }
            end_pull(end);
            end_feed(end, cn_buf_view(&bytes).data, cn_buf_len(&bytes), 0, true);
            cn_buf_clear(&bytes);
            put_frame(&bytes, cases[i].type, cases[i].flags, cases[i].stream, cases[i].payload, cases[i].len);
            end_pull(end);
            cn_buf_clear(&end->http.out);
            end_feed(end, cn_buf_view(&bytes).data, cn_buf_len(&bytes), 0, true);
            end_pull(end);
            if (!(from_server && cases[i].type == NGHTTP2_HEADERS && cases[i].stream == 3))
                assert_int_equal(find_goaway(&end->http.out), cases[i].code);
            assert_true(end->http.closing);
            assert_int_equal(end->calls[0]->closes, 1);
            assert_int_equal(end->calls[0]->code, from_server ? CONNECT_INTERNAL : CONNECT_CANCELED);
            assert_int_equal(end->calls[0]->ends, 0);
            end_feed(end, "later", 5, 0, true);
            end_pull(end);
            cn_buf_free(&bytes, NULL);
            end_free(end);
        }
    }
}

static void test_not_http2(void **state) {
    end_t *server = end_new(true, APP_NONE), *client = end_new(false, APP_NONE);
    static const char text[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    call_t *call = client_call(client, "x", 1);
    (void)state;
    end_feed(server, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 28, 0, true);
    end_pull(server);
    assert_true(server->http.closing);
    end_pull(client);
    end_feed(client, text, sizeof text - 1, 0, true);
    end_pull(client);
    assert_true(client->http.closing);
    assert_int_equal(call->code, CONNECT_INTERNAL);
    assert_int_equal(call->closes, 1);
    end_free(server);
    end_free(client);
}

/* What a client's length says and what comes must agree. */
static void test_content_length(void **state) {
    static const struct {
        const char *length;
        size_t body;
        bool good;
    } cases[] = {{"5", 5, true}, {"5", 4, false}, {"5", 6, false}, {"0", 1, false}};
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(cases); i++) {
        end_t *server = end_new(true, APP_TRAILERS_ONLY);
        cn_buf_t bytes = {NULL, 0, 0, 0}, block = {NULL, 0, 0, 0};
        put_preface(&bytes);
        put_request_block(&block);
        put_field(&block, "content-length", cases[i].length, 1);
        put_block(&bytes, 1, &block, false);
        put_frame(&bytes, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, "abcdef", cases[i].body);
        end_feed(server, cn_buf_view(&bytes).data, cn_buf_len(&bytes), 0, true);
        end_pull(server);
        assert_int_equal(server->calls[0]->ends, cases[i].good);
        assert_int_equal(server->calls[0]->code, cases[i].good ? CONNECT_OK : CONNECT_CANCELED);
        assert_int_equal(find_reset(&server->http.out, 1), cases[i].good ? -1 : NGHTTP2_PROTOCOL_ERROR);
        cn_buf_free(&bytes, NULL);
        cn_buf_free(&block, NULL);
        end_free(server);
    }
}

/* ---- Memory ---- */
typedef struct counting_t {
    connect_allocator_t allocator;
    size_t acquired;
} counting_t;
static void *counting_acquire(void *ctx, size_t size) {
    ((counting_t *)ctx)->acquired++;
    return malloc(size);
}
static void *counting_resize(void *ctx, void *block, size_t size) {
    ((counting_t *)ctx)->acquired++;
    return realloc(block, size);
}
static void counting_release(void *ctx, void *block) {
    (void)ctx;
    free(block);
}
/* In the steady state a call takes nothing from the allocator but its exchange's own arena and buffers. */
static void test_steady_calls_allocate_nothing(void **state) {
    counting_t counting = {{counting_acquire, counting_resize, counting_release, NULL}, 0};
    connect_limits_t limits = gateway_limits();
    end_t *server;
    raw_t *raw;
    int i, j;
    size_t before = 0, own = 0;
    (void)state;
    counting.allocator.ctx = &counting;
    server = end_new_limited(true, APP_ECHO, &counting.allocator, &limits);
    raw = raw_client(server);
    for (i = 0; i < 60; i++) {
        if (i == 40) before = counting.acquired;
        for (j = 0; j < 8; j++)
            raw_request(raw, 66, false);
        pump_raw(raw, server);
        if (i == 0) { /* the application's: an arena block, x->out; the same for all */
            own = 2;
        }
    }
    assert_int_equal(counting.acquired - before, 20 * 8 * own);
    raw_free(raw);
    end_free(server);
}

static bool sweep_server(const connect_allocator_t *allocator, void *arg) {
    connect_limits_t limits = gateway_limits();
    end_t *server = end_new_limited(true, *(app_t *)arg, allocator, &limits);
    raw_t *raw = raw_new(false);
    bool ok = false;
    int32_t id = 0, second = 0;
    server->bulk_len = 100000;
    if (server->is_open) {
        assert_int_equal(nghttp2_submit_settings(raw->session, 0, NULL, 0), 0);
        id = raw_request(raw, 20000, false);
        second = raw_request(raw, 10, false);
        pump_raw(raw, server);
        ok = raw->s[id].ended && raw->s[second].ended && raw->s[id].trailer[0] == '0' && !server->http.closing;
        assert_true(raw->s[id].closed || raw->goaways || server->http.closing);
        assert_true(ok || server->http.closing || raw->s[id].reset || raw->s[second].reset);
    }
    raw_free(raw);
    end_free(server); /* asserts that all exchanges were closed */
    return ok;
}
static bool sweep_client(const connect_allocator_t *allocator, void *arg) {
    connect_limits_t limits = gateway_limits();
    end_t *client = end_new_limited(false, APP_NONE, allocator, &limits);
    end_t *server = end_new(true, APP_STREAM);
    bool ok = false;
    (void)arg;
    if (client->is_open) {
        call_t *call = client_call(client, "hello", 5), *second = client_begin(client, -1, false);
        if (second) client->http.version->send_end(&second->x, trailers_view());
        pump(client, server, 0);
        ok = call && second && call->closes && second->closes && call->code == CONNECT_OK &&
            second->code == CONNECT_OK && call->x.trailers.count == 2;
        if (ok) assert_str(cn_buf_view(&call->body), "hello");
        client->http.version->drain(&client->http);
        pump(client, server, 0);
        assert_true(client->http.closing || client->http.exchange_count > 0);
        assert_int_equal(client->http.exchange_count, 0);
    }
    end_free(client);
    end_free(server);
    return ok;
}
static void test_allocation_sweep(void **state) {
    static app_t apps[] = {APP_ECHO, APP_STREAM, APP_BULK};
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(apps); i++)
        sweep_allocations(sweep_server, &apps[i]);
    sweep_allocations(sweep_client, NULL);
}

/* ---- Random bytes ---- */
static uint32_t fuzz_random(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}
static void test_fuzz(void **state) {
    static char recorded[4096];
    size_t len = record_client(recorded, sizeof recorded);
    uint32_t seed = 20240229;
    int round;
    (void)state;
    for (round = 0; round < 3000; round++) {
        static const app_t apps[] = {APP_NONE, APP_ECHO, APP_STREAM, APP_EARLY};
        bool is_server = round % 4 != 3;
        end_t *end = end_new(is_server, apps[fuzz_random(&seed) % 4]);
        cn_buf_t bytes = {NULL, 0, 0, 0};
        char junk[64];
        int i, n;
        size_t j;
        if (round % 2 == 0 && is_server) { /* a good conversation with some bytes changed */
            assert_true(cn_buf_append(&bytes, NULL, recorded, len));
            for (i = 0; i < 4; i++)
                bytes.block[24 + fuzz_random(&seed) % (len - 24)] ^= (char)(1u << fuzz_random(&seed) % 8);
        } else { /* frames of random content */
            if (is_server)
                put_preface(&bytes);
            else {
                assert_non_null(client_begin(end, -1, false));
                put_frame(&bytes, NGHTTP2_SETTINGS, 0, 0, "", 0);
            }
            for (i = 0; i < 20; i++) {
                if (is_server && fuzz_random(&seed) % 4 == 0) put_request(&bytes, (uint32_t)(2 * i + 1), false);
                n = (int)(fuzz_random(&seed) % sizeof junk);
                for (j = 0; j < (size_t)n; j++)
                    junk[j] = (char)fuzz_random(&seed);
                put_frame(&bytes, (int)(fuzz_random(&seed) % 11), (int)(fuzz_random(&seed) & 0x2D),
                    fuzz_random(&seed) % 12, junk, (size_t)n);
            }
        }
        end_feed(end, cn_buf_view(&bytes).data, cn_buf_len(&bytes), 1 + fuzz_random(&seed) % 200, false);
        end_pull(end);
        if (is_server) (void)find_goaway(&end->http.out); /* what goes out is whole frames */
        end->http.version->eof(&end->http);
        assert_int_equal(call_count_closed(end), end->call_count);
        cn_buf_free(&bytes, NULL);
        end_free(end);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_echo),
        cmocka_unit_test(test_client_echo),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_both_ours),
        cmocka_unit_test(test_request_trailers),
        cmocka_unit_test(test_large_heads),
        cmocka_unit_test(test_interim_responses),
        cmocka_unit_test(test_receive_backpressure),
        cmocka_unit_test(test_connection_window),
        cmocka_unit_test(test_send_backpressure),
        cmocka_unit_test(test_pull_is_bounded),
        cmocka_unit_test(test_streams_take_turns),
        cmocka_unit_test(test_no_window_leak),
        cmocka_unit_test(test_client_no_window_leak),
        cmocka_unit_test(test_server_resets),
        cmocka_unit_test(test_client_resets),
        cmocka_unit_test(test_reset_codes_at_client),
        cmocka_unit_test(test_early_response),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_too_many_streams),
        cmocka_unit_test(test_client_room),
        cmocka_unit_test(test_begin_in_room),
        cmocka_unit_test(test_client_strays),
        cmocka_unit_test(test_goaway_at_client),
        cmocka_unit_test(test_drain_server),
        cmocka_unit_test(test_drain_client),
        cmocka_unit_test(test_split_everywhere),
        cmocka_unit_test(test_eof_everywhere),
        cmocka_unit_test(test_eof_everywhere_at_client),
        cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_header_limits),
        cmocka_unit_test(test_long_path),
        cmocka_unit_test(test_body_of_refused),
        cmocka_unit_test(test_head_request),
        cmocka_unit_test(test_reset_inside_trailers),
        cmocka_unit_test(test_other_header_limits),
        cmocka_unit_test(test_frame_floods),
        cmocka_unit_test(test_window_updates_are_honest),
        cmocka_unit_test(test_calls_are_honest),
        cmocka_unit_test(test_rapid_reset),
        cmocka_unit_test(test_refused_flood),
        cmocka_unit_test(test_continuation_flood),
        cmocka_unit_test(test_stale_headers_flood),
        cmocka_unit_test(test_frames_on_closed_streams),
        cmocka_unit_test(test_priority),
        cmocka_unit_test(test_read_blocked),
        cmocka_unit_test(test_head_since),
        cmocka_unit_test(test_broken_connections),
        cmocka_unit_test(test_not_http2),
        cmocka_unit_test(test_content_length),
        cmocka_unit_test(test_steady_calls_allocate_nothing),
        cmocka_unit_test(test_allocation_sweep),
        cmocka_unit_test(test_fuzz),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
