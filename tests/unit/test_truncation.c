/* Requests that are cut, over real sockets: each of a list is cut after every byte, by FIN and by RST. No handler of a
   request of one message runs, no stream's handler sees a clean end, each that has begun is told that the call was
   canceled; and then descriptors and memory are what they were. test_call.c does the same in memory, and to responses.

   After the defects of others: a truncated stream that looks like success, a missing end of stream, a truncated
   compressed message that never completes. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"
#include "pair.h"
#include <dirent.h>
#include <time.h>

#define BATCH 64

typedef struct seen {
    int opened, requests, messages, ends, closed, clean, canceled;
} seen;

static connect_code_t on_open(connect_call_t *call, void *user) {
    (void)call;
    ((seen *)user)->opened++;
    return CONNECT_OK;
}
static connect_code_t on_request(connect_call_t *call, const void *request, void *response, void *user) {
    (void)call;
    (void)request;
    (void)response;
    ((seen *)user)->requests++;
    return CONNECT_OK;
}
static connect_io_t on_message(connect_call_t *call, const void *message, void *user) {
    (void)call;
    (void)message;
    ((seen *)user)->messages++;
    return CONNECT_IO_OK;
}
static connect_code_t on_end(connect_call_t *call, void *response, void *user) {
    (void)call;
    (void)response;
    ((seen *)user)->ends++;
    return CONNECT_OK;
}
static void on_closed(connect_call_t *call, const connect_error_t *error, void *user) {
    seen *s = (seen *)user;
    (void)call;
    s->closed++;
    s->clean += !error;
    s->canceled += error && error->code == CONNECT_CANCELED;
}

/* ---- The list ---- */
typedef enum framing { LENGTH, CHUNKS, FRAMES } framing;
typedef struct request {
    const char *path;    /* of test.v1.Notes */
    const char *headers; /* "name: value\n" for each */
    bool enveloped;
    int messages;
    bool packed; /* with gzip */
    framing how;
} request;
#define CONNECT_UNARY_PROTO "content-type: application/proto\n"
#define CONNECT_UNARY_JSON "content-type: application/json\n"
#define CONNECT_STREAM "content-type: application/connect+proto\n"
#define GRPC "content-type: application/grpc\nte: trailers\n"
#define WEB "content-type: application/grpc-web+proto\n"
static const request requests[] = {
    {"Unary", CONNECT_UNARY_PROTO, false, 1, false, LENGTH},
    {"Unary", CONNECT_UNARY_PROTO, false, 1, false, CHUNKS},
    {"Unary", CONNECT_UNARY_PROTO, false, 1, false, FRAMES},
    {"Unary", CONNECT_UNARY_JSON, false, 1, false, CHUNKS},
    {"Unary", CONNECT_UNARY_PROTO "content-encoding: gzip\n", false, 1, true, CHUNKS},
    {"Unary", CONNECT_UNARY_PROTO "content-encoding: gzip\n", false, 1, true, FRAMES},
    {"Client", CONNECT_STREAM, true, 2, false, LENGTH},
    {"Client", CONNECT_STREAM, true, 2, false, CHUNKS},
    {"Client", CONNECT_STREAM, true, 2, false, FRAMES},
    {"Server", CONNECT_STREAM, true, 1, false, CHUNKS},
    {"Server", CONNECT_STREAM, true, 1, false, FRAMES},
    {"Bidi", CONNECT_STREAM, true, 2, false, CHUNKS},
    {"Bidi", CONNECT_STREAM "connect-content-encoding: gzip\n", true, 2, true, FRAMES},
    {"Unary", GRPC, true, 1, false, FRAMES},
    {"Unary", GRPC "grpc-encoding: gzip\n", true, 1, true, FRAMES},
    {"Client", GRPC, true, 2, false, FRAMES},
    {"Server", GRPC, true, 1, false, FRAMES},
    {"Bidi", GRPC, true, 2, false, FRAMES},
    {"Unary", WEB, true, 1, false, LENGTH},
    {"Unary", WEB, true, 1, false, FRAMES},
    {"Client", WEB, true, 2, false, CHUNKS},
    {"Server", WEB "grpc-encoding: gzip\n", true, 1, true, CHUNKS},
    {"Bidi", WEB, true, 2, false, FRAMES},
};

static void add_message(bytes *to, const request *q) {
    bytes plain = {NULL, 0, 0};
    if (strstr(q->headers, "json"))
        bytes_text(&plain, "{\"text\":\"hello\"}");
    else
        bytes_text(&plain, "\x0a\5hello");
    if (q->packed) {
        Bytef out[200];
        z_stream z;
        memset(&z, 0, sizeof z);
        assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
        z.next_in = (Bytef *)plain.data;
        z.avail_in = (uInt)plain.len;
        z.next_out = out;
        z.avail_out = sizeof out;
        assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
        plain.len = 0;
        bytes_add(&plain, out, z.total_out);
        deflateEnd(&z);
    }
    if (q->enveloped)
        envelope_add(to, q->packed, plain.data, plain.len);
    else
        bytes_add(to, plain.data, plain.len);
    bytes_free(&plain);
}
static void write_request(const request *q, bytes *to) {
    bytes body = {NULL, 0, 0}, head = {NULL, 0, 0};
    const char *at;
    int i;
    if (q->how == FRAMES) {
        bytes_text(to, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        h2_frame(to, 4, 0, 0, NULL, 0);
        bytes_print(
            &head, ":method: POST\n:scheme: http\n:authority: a\n:path: /test.v1.Notes/%s\n%s", q->path, q->headers);
        h2_headers(to, 0, 1, head.data);
    } else {
        bytes_print(to, "POST /test.v1.Notes/%s HTTP/1.1\r\nhost: a\r\n", q->path);
        for (at = q->headers; *at; at++)
            bytes_add(to, *at == '\n' ? "\r\n" : at, *at == '\n' ? 2 : 1);
    }
    if (q->how == CHUNKS) bytes_text(to, "transfer-encoding: chunked\r\n\r\n");
    for (i = 0; i < q->messages; i++) {
        bool last = i + 1 == q->messages;
        add_message(&body, q);
        if (q->how == LENGTH && !last) continue;
        if (q->how == LENGTH) bytes_print(to, "content-length: %lu\r\n\r\n", (unsigned long)body.len);
        if (q->how == CHUNKS) bytes_print(to, "%lx\r\n", (unsigned long)body.len);
        if (q->how == FRAMES)
            h2_frame(to, 0, last, 1, body.data, body.len);
        else
            bytes_add(to, body.data, body.len);
        if (q->how == CHUNKS) bytes_text(to, last ? "\r\n0\r\n\r\n" : "\r\n");
        bytes_free(&body);
    }
    bytes_free(&head);
}

/* ---- Sockets ---- */
static int count_descriptors(void) {
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;
    assert_non_null(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}
static int dial(int port) {
    struct sockaddr_in address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}
static void cut(int fd, bool reset) {
    struct linger now = {1, 0};
    if (reset) {
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
        close(fd);
    } else {
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
    }
}
/* Until every connection and every call is over. */
static void settle(connect_server_t *server, connect_loop_t *loop, const seen *s) {
    time_t until = time(NULL) + 20;
    do {
        connect_loop_run(loop, 1);
        assert_true(time(NULL) < until);
    } while (server->conn_count || s->opened != s->closed);
}

/* All cuts of one request; the last of them is none. */
static void run_cuts(connect_server_t *server, connect_loop_t *loop, int port, const request *q, bool reset, seen *s) {
    bytes whole = {NULL, 0, 0};
    size_t from, at;
    write_request(q, &whole);
    for (from = 0; from < whole.len; from += BATCH) {
        int fds[BATCH], count = 0, i;
        for (at = from; at < whole.len && count < BATCH; at++) {
            int fd = fds[count++] = dial(port);
            if (at) assert_int_equal(send(fd, whole.data, at, 0), at);
        }
        for (i = 0; i < 3; i++) /* they are accepted, and what came of them is read: RST throws away what is not */
            connect_loop_run(loop, 0);
        for (i = 0; i < count; i++)
            cut(fds[i], reset);
        settle(server, loop, s);
        for (i = 0; i < count && !reset; i++)
            close(fds[i]);
        if (s->requests || s->ends || s->clean)
            fail_msg("%s, %s framing %d, cut after %lu to %lu bytes: %d requests, %d ends, %d clean", q->path,
                q->headers, (int)q->how, (unsigned long)from, (unsigned long)at - 1, s->requests, s->ends, s->clean);
        assert_int_equal(s->canceled, s->closed);
    }
    assert_true(s->opened > 0); /* some were cut behind their heads */
    {                           /* not cut: it is served */
        char answer[1000];
        int fd = dial(port);
        assert_int_equal(send(fd, whole.data, whole.len, 0), whole.len);
        while (s->requests + s->ends == 0)
            connect_loop_run(loop, 10);
        connect_loop_run(loop, 0);
        assert_true(recv(fd, answer, sizeof answer, 0) > 0);
        close(fd);
        settle(server, loop, s);
        assert_int_equal(s->requests + s->ends, 1);
    }
    bytes_free(&whole);
}
static void test_cuts(void **state) {
    const connect_events_t events = {.on_open = on_open,
        .on_request = on_request,
        .on_message = on_message,
        .on_end = on_end,
        .on_closed = on_closed};
    connect_server_options_t options = CONNECT_DEFAULTS;
    failing_allocator memory;
    connect_error_t error;
    pair p; /* for its service */
    seen s;
    size_t i, base_memory = 0;
    int port, base, reset, rounds;
    connect_loop_t *loop = connect_loop_new(NULL, &error);
    (void)state;
    failing_init(&memory, SIZE_MAX, false);
    assert_non_null(loop);
    options.loop = loop;
    options.allocator = &memory.allocator;
    pair_init(&p);
    p.server = connect_server_new(&options, &error);
    assert_non_null(p.server);
    pair_serve(&p, &events, &s);
    port = connect_server_listen(p.server, "127.0.0.1:0", NULL, &error);
    assert_true(port > 0);
    base = count_descriptors();
    for (rounds = 0; rounds < 2; rounds++) { /* the first fills the pools */
        for (i = 0; i < sizeof requests / sizeof *requests; i++) {
            for (reset = 0; reset < 2; reset++) {
                memset(&s, 0, sizeof s);
                run_cuts(p.server, loop, port, &requests[i], reset, &s);
                assert_int_equal(count_descriptors(), base);
            }
            if (rounds && memory.live > base_memory + 20) /* what the pools keep varies a little */
                fail_msg("%s, %s: %lu blocks of memory, not %lu", requests[i].path, requests[i].headers,
                    (unsigned long)memory.live, (unsigned long)base_memory);
        }
        if (!rounds) base_memory = memory.live;
    }
    connect_server_free(p.server);
    connect_loop_free(loop);
    assert_int_equal(memory.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
