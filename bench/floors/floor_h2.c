/* The limit for HTTP/2: epoll and bare nghttp2. Sends each request's body back, with grpc-status 0 as a trailer if it is
   gRPC. No timeouts, no metadata, no limits, no decoding. One read and one write per turn of the loop. */
#include "floor.h"
#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct stream {
    bool grpc;
    size_t len, sent, capacity;
    uint8_t *body;
    struct stream *next_free;
    uint8_t small[512];
} stream;

typedef struct conn {
    int fd;
    nghttp2_session *session;
    stream *free_streams;
    size_t out_len, out_sent;
    bool waits_to_write;
    uint8_t out[1 << 17];
} conn;

static int epoll;

#define NV(name, value) \
    { \
        (uint8_t *)(uintptr_t)(name), (uint8_t *)(uintptr_t)(value), sizeof(name) - 1, sizeof(value) - 1, \
            NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE \
    }

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    conn *c = (conn *)user;
    stream *s = c->free_streams;
    if (frame->hd.type != NGHTTP2_HEADERS) return 0;
    if (s)
        c->free_streams = s->next_free;
    else if (!(s = (stream *)malloc(sizeof *s)))
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    s->grpc = false;
    s->len = s->sent = 0;
    s->capacity = sizeof s->small;
    s->body = s->small;
    return nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, s);
}
static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
    const uint8_t *value, size_t value_len, uint8_t flags, void *user) {
    stream *s = (stream *)nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    (void)flags;
    (void)user;
    if (s && name_len == 12 && memcmp(name, "content-type", 12) == 0)
        s->grpc = value_len >= 16 && memcmp(value, "application/grpc", 16) == 0;
    return 0;
}
static int on_data_chunk(
    nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *user) {
    stream *s = (stream *)nghttp2_session_get_stream_user_data(session, id);
    (void)flags;
    (void)user;
    if (!s) return 0;
    if (s->len + len > s->capacity) {
        size_t capacity = (s->len + len) * 2;
        uint8_t *body = (uint8_t *)realloc(s->body == s->small ? NULL : s->body, capacity);
        if (!body) return NGHTTP2_ERR_CALLBACK_FAILURE;
        if (s->body == s->small) memcpy(body, s->small, s->len);
        s->body = body;
        s->capacity = capacity;
    }
    memcpy(s->body + s->len, data, len);
    s->len += len;
    return 0;
}
static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *to, size_t room, uint32_t *flags,
    nghttp2_data_source *source, void *user) {
    stream *s = (stream *)source->ptr;
    size_t n = s->len - s->sent < room ? s->len - s->sent : room;
    (void)user;
    memcpy(to, s->body + s->sent, n);
    s->sent += n;
    if (s->sent == s->len) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (s->grpc) {
            nghttp2_nv trailer[] = {NV("grpc-status", "0")};
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            nghttp2_submit_trailer(session, id, trailer, 1);
        }
    }
    return (ssize_t)n;
}
static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    stream *s;
    (void)user;
    if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) &&
        (s = (stream *)nghttp2_session_get_stream_user_data(session, frame->hd.stream_id)) != NULL) {
        nghttp2_nv grpc[] = {NV(":status", "200"), NV("content-type", "application/grpc")};
        nghttp2_nv connect[] = {NV(":status", "200"), NV("content-type", "application/proto")};
        nghttp2_data_provider provider;
        provider.source.ptr = s;
        provider.read_callback = read_body;
        return nghttp2_submit_response(session, frame->hd.stream_id, s->grpc ? grpc : connect, 2, &provider);
    }
    return 0;
}
static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user) {
    conn *c = (conn *)user;
    stream *s = (stream *)nghttp2_session_get_stream_user_data(session, id);
    (void)code;
    if (!s) return 0;
    if (s->body != s->small) free(s->body);
    s->body = s->small;
    s->next_free = c->free_streams;
    c->free_streams = s;
    return 0;
}

static void conn_free(conn *c) {
    nghttp2_session_del(c->session);
    close(c->fd);
    while (c->free_streams) {
        stream *s = c->free_streams;
        c->free_streams = s->next_free;
        free(s);
    }
    free(c);
}
static void conn_new(int fd) {
    static nghttp2_session_callbacks *callbacks;
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1000}, {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 20}};
    struct epoll_event event;
    conn *c = (conn *)calloc(1, sizeof *c);
    if (!c) exit(1);
    if (!callbacks) {
        nghttp2_session_callbacks_new(&callbacks);
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
        nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    }
    c->fd = fd;
    if (nghttp2_session_server_new(&c->session, callbacks, c)) exit(1);
    nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings, 2);
    nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, 0, 1 << 24);
    memset(&event, 0, sizeof event);
    event.events = EPOLLIN;
    event.data.ptr = c;
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}
static bool conn_room(const conn *c) { /* for a frame of any size that we agreed to */
    return sizeof c->out - c->out_len >= (1 << 15);
}
/* Gathers frames and writes them at once. Returns false: the connection is over. */
static bool conn_write(conn *c) {
    for (;;) {
        const uint8_t *bytes;
        ssize_t written, len = 0;
        while (conn_room(c) && (len = nghttp2_session_mem_send(c->session, &bytes)) > 0) {
            memcpy(c->out + c->out_len, bytes, (size_t)len);
            c->out_len += (size_t)len;
        }
        if (len < 0) return false;
        if (c->out_len == 0) break;
        written = write(c->fd, c->out + c->out_sent, c->out_len - c->out_sent);
        if (written < 0 && errno != EAGAIN) return false;
        if (written > 0) c->out_sent += (size_t)written;
        if (c->out_sent < c->out_len) { /* full: the rest when there is room */
            struct epoll_event event;
            memmove(c->out, c->out + c->out_sent, c->out_len - c->out_sent);
            c->out_len -= c->out_sent;
            c->out_sent = 0;
            if (!c->waits_to_write) {
                memset(&event, 0, sizeof event);
                event.events = EPOLLIN | EPOLLOUT;
                event.data.ptr = c;
                epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &event);
                c->waits_to_write = true;
            }
            return true;
        }
        c->out_len = c->out_sent = 0;
        if (len == 0) break;
    }
    if (c->waits_to_write) {
        struct epoll_event event;
        memset(&event, 0, sizeof event);
        event.events = EPOLLIN;
        event.data.ptr = c;
        epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &event);
        c->waits_to_write = false;
    }
    return nghttp2_session_want_read(c->session) || nghttp2_session_want_write(c->session);
}

int main(void) {
    static uint8_t buffer[1 << 18];
    struct epoll_event event, events[64];
    int listener = floor_listen();
    epoll = epoll_create1(EPOLL_CLOEXEC);
    memset(&event, 0, sizeof event);
    event.events = EPOLLIN;
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    while (!floor_over) {
        int i, count = floor_wait(epoll, events, 64);
        for (i = 0; i < count; i++) {
            conn *c = (conn *)events[i].data.ptr;
            bool alive = true;
            if (!c) {
                int fd = floor_accept(listener);
                if (fd >= 0) conn_new(fd);
                continue;
            }
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
                ssize_t n = read(c->fd, buffer, sizeof buffer);
                alive = n > 0 ? nghttp2_session_mem_recv(c->session, buffer, (size_t)n) == n : n < 0 && errno == EAGAIN;
            }
            if (!alive || !conn_write(c)) conn_free(c);
        }
    }
    return 0;
}
