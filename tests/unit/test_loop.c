#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "tests/support/support.h"
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>

#define STR(literal) ((connect_str_t){(literal), sizeof(literal) - 1})

/* The loop: tasks, timers, foreign loops; connections carried over real sockets, with an HTTP echo on top of them that
   knows nothing of RPC. */

/* ---- An end: owns connections, echoes requests or sends them ---------------------------------------------------- */

typedef struct end_t {
    const connect_allocator_t *allocator;
    connect_limits_t limits;
    cn_buf_pool_t pool;
    connect_loop_t *loop;
    cn_list_t conns;
    int accepted, open, answered, closed, depth;
    int nested;         /* lost or answered while something of the caller's was running */
    bool refuse, defer; /* defer: the request waits in `waiting` for answer() */
    int abort;          /* in on_end: 1: the connection itself, 2: every other one */
    cn_exchange_t *waiting;
    connect_conn_t *last;
    connect_str_t request; /* client: its body */
    cn_buf_t response;
    int os_error;
    char failure[256], peer[72];
} end_t;

typedef struct exchange_t {
    cn_exchange_t x;
    connect_arena_t arena;
    end_t *end;
} exchange_t;

static exchange_t *exchange_of(cn_exchange_t *x) {
    return (exchange_t *)(void *)((char *)x - offsetof(exchange_t, x));
}

static void answer(cn_exchange_t *x) {
    const cn_http_version_t *version = x->http->version;
    connect_headers_t none = {NULL, 0};
    cn_head_t head;
    memset(&head, 0, sizeof head);
    head.status = 200;
    head.content_length = (int64_t)cn_buf_len(&x->out);
    exchange_of(x)->end->answered++;
    if (!version->send_head(x, &head, false)) {
        version->reset(x, CN_RESET_INTERNAL);
        return;
    }
    version->flush(x);
    version->send_end(x, none);
}

static void on_head(cn_exchange_t *x) {
    (void)x;
}
static void on_data(cn_exchange_t *x, const char *bytes, size_t len) {
    end_t *end = exchange_of(x)->end;
    cn_buf_t *to = x->http->is_server ? &x->out : &end->response;
    if (!cn_buf_append(to, end->allocator, bytes, len)) x->http->version->reset(x, CN_RESET_INTERNAL);
    x->http->version->consume(x, len);
}
static void on_end(cn_exchange_t *x) {
    end_t *end = exchange_of(x)->end;
    if (end->abort) {
        connect_conn_t *conn = cn_conn_of(x->http);
        cn_list_t *node, *next;
        bool self = end->abort == 1;
        end->abort = 0;
        for (node = end->conns.next; node != &end->conns; node = next) {
            connect_conn_t *other = (connect_conn_t *)(void *)((char *)node - offsetof(connect_conn_t, node));
            next = node->next;
            if ((other == conn) == self) cn_conn_abort(other);
        }
        if (self) return;
    }
    if (!x->http->is_server)
        end->answered++;
    else if (end->defer)
        end->waiting = x;
    else
        answer(x);
}
static void on_nothing(cn_exchange_t *x) {
    (void)x;
}
static void on_closed(cn_exchange_t *x, connect_code_t code, const char *why) {
    exchange_t *exchange = exchange_of(x);
    const connect_allocator_t *allocator = exchange->end->allocator;
    (void)code;
    (void)why;
    exchange->end->closed++;
    if (exchange->end->waiting == x) exchange->end->waiting = NULL;
    cn_buf_free(&x->out, allocator);
    connect_arena_free(&exchange->arena);
    cn_mem_release(allocator, exchange);
}
static cn_exchange_t *exchange_new(end_t *end) {
    static const cn_exchange_events_t events = {on_head, on_data, on_end, on_nothing, on_nothing, on_closed};
    exchange_t *exchange = (exchange_t *)cn_mem_acquire(end->allocator, sizeof *exchange);
    if (!exchange) return NULL;
    connect_arena_init(&exchange->arena, NULL, 0, end->allocator);
    exchange->x.events = &events;
    exchange->x.arena = &exchange->arena;
    exchange->x.due_ms = INT64_MAX;
    exchange->end = end;
    return &exchange->x;
}

static cn_exchange_t *on_begin(connect_conn_t *conn) {
    return exchange_new((end_t *)conn->owner);
}
static void on_room(connect_conn_t *conn) {
    end_t *end = (end_t *)conn->owner;
    const cn_http_version_t *version = conn->http.version;
    connect_headers_t none = {NULL, 0};
    cn_exchange_t *x;
    cn_head_t head;
    if (conn->http.is_server || end->open++ || !version->can_begin(&conn->http)) return;
    x = exchange_new(end);
    if (x && !version->begin(&conn->http, x)) {
        on_closed(x, CONNECT_UNAVAILABLE, "");
        x = NULL;
    }
    if (!x) {
        conn->http.closing = true;
        return;
    }
    memset(&head, 0, sizeof head);
    head.method = STR("POST");
    head.authority = STR("test");
    head.path = STR("/echo");
    head.content_length = (int64_t)end->request.len;
    if (!cn_buf_append_str(&x->out, end->allocator, end->request) || !version->send_head(x, &head, false)) {
        version->reset(x, CN_RESET_CANCEL);
        return;
    }
    version->flush(x);
    version->send_end(x, none);
}
static void on_due(connect_conn_t *conn) {
    (void)conn;
}
static void on_lost(connect_conn_t *conn) {
    end_t *end = (end_t *)conn->owner;
    end->accepted--;
    end->last = NULL;
    end->nested += end->depth;
    end->os_error = conn->os_error;
    snprintf(end->failure, sizeof end->failure, "%s", conn->http.failure ? conn->http.failure : "");
}
static void on_enter(void *owner, int64_t now_ms) {
    (void)owner;
    (void)now_ms;
}
static void on_leave(void *owner) {
    (void)owner;
}

static connect_conn_t *end_conn(end_t *end, const char *peer, bool is_server) {
    static const cn_conn_owner_t events = {on_begin, on_room, on_due, on_lost, on_enter, on_leave};
    cn_conn_options_t options;
    connect_conn_t *conn;
    memset(&options, 0, sizeof options);
    options.allocator = end->allocator;
    options.limits = &end->limits;
    options.pool = &end->pool;
    options.events = &events;
    options.owner = end;
    options.peer = peer;
    options.is_server = is_server;
    options.allow_http1 = true;
    conn = cn_conn_new(&options);
    if (!conn) return NULL;
    cn_list_append(&end->conns, &conn->node);
    end->accepted++;
    end->last = conn;
    return conn;
}
static connect_conn_t *on_accept(void *user, const char *peer) {
    end_t *end = (end_t *)user;
    snprintf(end->peer, sizeof end->peer, "%s", peer);
    return end->refuse ? NULL : end_conn(end, peer, true);
}

static void end_init(end_t *end, connect_loop_t *loop, const connect_allocator_t *allocator) {
    connect_limits_t defaults = CONNECT_DEFAULTS;
    memset(end, 0, sizeof *end);
    end->allocator = allocator ? allocator : connect_allocator_libc();
    end->loop = loop;
    cn_list_init(&end->conns);
    assert_true(cn_limits_resolve(&end->limits, &defaults, NULL));
}
static void end_free(end_t *end) {
    assert_int_equal(end->accepted, 0);
    cn_buf_free(&end->response, end->allocator);
    cn_buf_pool_free(&end->pool, end->allocator);
}

/* ---- A peer with a plain socket --------------------------------------------------------------------------------- */

typedef struct setup_t {
    connect_loop_t *loop;
    end_t server;
    cn_listener_t *listener;
    int port;
    char address[80];
} setup_t;

static void setup_at(setup_t *setup, const char *address) {
    connect_error_t error;
    setup->loop = connect_loop_new(NULL, &error);
    assert_non_null(setup->loop);
    end_init(&setup->server, setup->loop, NULL);
    setup->listener = cn_loop_listen(setup->loop, address, NULL, on_accept, &setup->server, &setup->port, &error);
    if (!setup->listener) fail_msg("%s", error.message.data);
    snprintf(setup->address, sizeof setup->address, "127.0.0.1:%d", setup->port);
}
static void setup_free(setup_t *setup) {
    connect_loop_free(setup->loop);
    end_free(&setup->server);
}

/* Blocking: the kernel completes the connection before it is accepted. */
static int peer_connect(int port) {
    struct sockaddr_in in;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    memset(&in, 0, sizeof in);
    in.sin_family = AF_INET;
    in.sin_port = htons((uint16_t)port);
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)(const void *)&in, sizeof in), 0);
    return fd;
}
static void peer_send(int fd, const char *text) {
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}
/* Runs turns until so many bytes came, or the end. Returns how many. */
static size_t peer_receive(connect_loop_t *loop, int fd, char *to, size_t len) {
    size_t at = 0;
    int64_t end = cn_loop_clock_ms() + 20000;
    while (at < len && cn_loop_clock_ms() < end) {
        ssize_t got = recv(fd, to + at, len - at, MSG_DONTWAIT);
        if (got == 0) break;
        if (got > 0)
            at += (size_t)got;
        else if (errno != EAGAIN)
            break;
        else
            connect_loop_run(loop, 10);
    }
    return at;
}
static const char *const echo_request = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nping";
static const char *const echo_response = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nping";
static void assert_response(connect_loop_t *loop, int fd, const char *expected) {
    char got[2048];
    size_t len = strlen(expected);
    got[peer_receive(loop, fd, got, len)] = 0;
    if (strcasecmp(got, expected) != 0) fail_msg("expected \"%s\", got \"%s\"", expected, got);
}
static void turns(connect_loop_t *loop, int count) {
    while (count-- > 0)
        connect_loop_run(loop, 1);
}

/* ---- Connections ------------------------------------------------------------------------------------------------ */

static void test_ping_pong(void **state) {
    setup_t setup;
    int fd, i;
    (void)state;
    setup_at(&setup, "127.0.0.1:0");
    fd = peer_connect(setup.port);
    for (i = 0; i < 100; i++) {
        peer_send(fd, echo_request);
        assert_response(setup.loop, fd, echo_response);
    }
    assert_memory_equal(setup.server.peer, "127.0.0.1:", 10);
    assert_int_equal(setup.server.answered, 100);
    close(fd);
    turns(setup.loop, 3);
    assert_int_equal(setup.server.accepted, 0);
    setup_free(&setup);
}

static void test_byte_by_byte(void **state) {
    setup_t setup;
    const char *at;
    int fd;
    (void)state;
    setup_at(&setup, "127.0.0.1:0");
    fd = peer_connect(setup.port);
    for (at = echo_request; *at; at++) {
        assert_int_equal(send(fd, at, 1, MSG_NOSIGNAL), 1);
        turns(setup.loop, 1);
    }
    assert_response(setup.loop, fd, echo_response);
    close(fd);
    setup_free(&setup);
}

/* Requests that come while one is served are held, and served in order. */
static void test_pipelined(void **state) {
    setup_t setup;
    int fd, i;
    (void)state;
    setup_at(&setup, "127.0.0.1:0");
    setup.server.defer = true;
    fd = peer_connect(setup.port);
    for (i = 0; i < 50; i++)
        peer_send(fd, echo_request);
    turns(setup.loop, 5);
    assert_non_null(setup.server.waiting);
    setup.server.defer = false;
    answer(setup.server.waiting); /* outside of a turn */
    for (i = 0; i < 50; i++)
        assert_response(setup.loop, fd, echo_response);
    close(fd);
    setup_free(&setup);
}

static void echo_large(const char *address, size_t len) {
    setup_t setup;
    end_t client;
    char *body = (char *)malloc(len);
    connect_conn_t *conn;
    size_t i;
    setup_at(&setup, address);
    end_init(&client, setup.loop, NULL);
    for (i = 0; i < len; i++)
        body[i] = (char)(i * 2654435761u >> 13);
    client.request = cn_str(body, len);
    conn = end_conn(&client, "", false);
    assert_int_equal(
        cn_loop_dial(setup.loop, conn, strncmp(address, "unix", 4) ? setup.address : address, 1000), CONNECT_OK);
    assert_int_equal(client.open, 0);
    while (!client.answered && client.accepted)
        assert_true(connect_loop_run(setup.loop, 5000));
    if (!client.answered) fail_msg("%s", client.failure);
    assert_int_equal(cn_buf_len(&client.response), len);
    assert_memory_equal(cn_buf_view(&client.response).data, body, len);
    cn_conn_abort(conn);
    turns(setup.loop, 3);
    assert_int_equal(client.accepted, 0);
    assert_int_equal(setup.server.accepted, 0);
    setup_free(&setup);
    end_free(&client);
    free(body);
}
static void test_large(void **state) {
    char address[80];
    (void)state;
    echo_large("127.0.0.1:0", 1);
    echo_large("127.0.0.1:0", 65536);
    echo_large("127.0.0.1:0", 3000000);
    snprintf(address, sizeof address, "unix:/tmp/connect-test-%ld", (long)getpid());
    echo_large(address, 3000000);
}

static void test_half_close(void **state) {
    setup_t setup;
    char byte;
    int fd;
    (void)state;
    setup_at(&setup, "127.0.0.1:0");
    fd = peer_connect(setup.port);
    peer_send(fd, echo_request);
    shutdown(fd, SHUT_WR);
    assert_response(setup.loop, fd, echo_response);
    assert_int_equal(peer_receive(setup.loop, fd, &byte, 1), 0);
    turns(setup.loop, 2);
    assert_int_equal(setup.server.accepted, 0);
    close(fd);
    setup_free(&setup);
}

/* The end of the input comes while the answer waits for room: the loop waits, too, and then writes it all. */
static void test_half_close_while_blocked(void **state) {
    enum { LARGE = 12000000 };
    setup_t setup;
    char *bytes = (char *)calloc(LARGE, 1), head[128];
    int64_t began;
    size_t at = 0, got = 0, want;
    int fd, count = 0;
    (void)state;
    setup_at(&setup, "127.0.0.1:0");
    fd = peer_connect(setup.port);
    snprintf(head, sizeof head, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", (int)LARGE);
    peer_send(fd, head);
    while (at < LARGE) {
        ssize_t sent = send(fd, bytes + at, LARGE - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) at += (size_t)sent;
        connect_loop_run(setup.loop, 0);
    }
    shutdown(fd, SHUT_WR);
    while (!setup.server.answered)
        connect_loop_run(setup.loop, 100);
    turns(setup.loop, 10);
    began = cn_loop_clock_ms();
    while (cn_loop_clock_ms() - began < 50) {
        connect_loop_run(setup.loop, 50);
        count++;
    }
    assert_true(count < 10);
    want = (size_t)snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", (int)LARGE) + LARGE;
    while (got < want) {
        size_t more = peer_receive(setup.loop, fd, bytes, want - got < LARGE ? want - got : LARGE);
        assert_true(more > 0);
        got += more;
    }
    assert_int_equal(peer_receive(setup.loop, fd, bytes, 1), 0);
    assert_int_equal(setup.server.accepted, 0);
    close(fd);
    setup_free(&setup);
    free(bytes);
}

/* The answer to a bad request arrives, though much of what came was never read. */
static void test_last_words(void **state) {
    static char rest[65536];
    setup_t setup;
    char got[2048];
    size_t len;
    int fd, i;
    (void)state;
    setup_at(&setup, "127.0.0.1:0");
    fd = peer_connect(setup.port);
    peer_send(fd, "BAD\r\n\r\n");
    for (i = 0; i < 4; i++)
        assert_true(send(fd, rest, sizeof rest, MSG_NOSIGNAL | MSG_DONTWAIT) > 0);
    turns(setup.loop, 1);
    usleep(20000);
    len = peer_receive(setup.loop, fd, got, sizeof got);
    assert_true(len > 12);
    assert_memory_equal(got, "HTTP/1.1 400", 12);
    close(fd);
    for (i = 0; setup.loop->sources.next->next != &setup.loop->sources; i++) { /* only the listener is left at last */
        assert_true(i < 100);
        turns(setup.loop, 1);
    }
    setup_free(&setup);
}

/* A peer that never closes is let go of after a second. */
static void test_lingering_ends(void **state) {
    setup_t setup;
    char got[2048];
    int64_t began;
    int fd;
    (void)state;
    setup_at(&setup, "127.0.0.1:0");
    fd = peer_connect(setup.port);
    peer_send(fd, "BAD\r\n\r\n");
    assert_true(peer_receive(setup.loop, fd, got, sizeof got) > 12);
    assert_int_equal(setup.server.accepted, 0);
    assert_int_equal(setup.loop->lingerers, 1);
    began = cn_loop_clock_ms();
    while (setup.loop->lingerers)
        connect_loop_run(setup.loop, 2000);
    assert_true(cn_loop_clock_ms() - began >= 900);
    assert_true(cn_loop_clock_ms() - began < 5000);
    close(fd);
    setup_free(&setup);
}

/* Also when the connection does not want to read: another request is held already. */
static void test_reset(void **state) {
    struct linger hard = {1, 0};
    setup_t setup;
    char expected[128];
    int fd, requests;
    (void)state;
    setup_at(&setup, "127.0.0.1:0");
    setup.server.defer = true;
    for (requests = 1; requests <= 2; requests++) {
        fd = peer_connect(setup.port);
        peer_send(fd, echo_request);
        if (requests == 2) peer_send(fd, echo_request);
        while (!setup.server.waiting)
            connect_loop_run(setup.loop, 100);
        turns(setup.loop, 2);
        snprintf(expected, sizeof expected, "connection to %s reset by peer", setup.server.peer);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        close(fd);
        turns(setup.loop, 3);
        assert_int_equal(setup.server.accepted, 0);
        assert_int_equal(setup.server.closed, requests);
        assert_string_equal(setup.server.failure, expected);
        assert_int_equal(setup.server.os_error, ECONNRESET);
    }
    setup_free(&setup);
}

/* A Unix socket hangs up without an error. Nobody can ask not to hear of it: the loop must not spin. */
static void test_hang_up(void **state) {
    char address[80];
    struct sockaddr_un un;
    setup_t setup;
    int64_t began;
    int fd, count = 0;
    (void)state;
    snprintf(address, sizeof address, "unix:/tmp/connect-test-%ld", (long)getpid());
    setup_at(&setup, address);
    setup.server.defer = true;
    memset(&un, 0, sizeof un);
    un.sun_family = AF_UNIX;
    strcpy(un.sun_path, address + 5);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)(const void *)&un, sizeof un), 0);
    peer_send(fd, echo_request);
    peer_send(fd, echo_request);
    while (!setup.server.waiting)
        connect_loop_run(setup.loop, 100);
    close(fd);
    began = cn_loop_clock_ms();
    while (cn_loop_clock_ms() - began < 50) {
        connect_loop_run(setup.loop, 50);
        count++;
    }
    assert_true(count < 10);
    assert_non_null(setup.server.waiting);
    answer(setup.server.waiting);
    turns(setup.loop, 3);
    assert_int_equal(setup.server.accepted, 0);
    assert_string_equal(setup.server.failure, "connection to unix: reset by peer");
    setup_free(&setup);
}

/* What a peer hears that there is no connection for: in its protocol, and at most CN_CARRIER_LINGERERS at once. */
static void assert_refused(setup_t *setup, int fd, const char *sent, const void *expected, size_t len) {
    char got[256];
    if (sent) peer_send(fd, sent);
    assert_int_equal(peer_receive(setup->loop, fd, got, sizeof got), len);
    assert_memory_equal(got, expected, len);
}
static void test_refused_by_owner(void **state) {
    static const char unavailable[] =
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    static const char goaway[] = "\0\0\0\4\0\0\0\0\0" "\0\0\x08\7\0\0\0\0\0\0\0\0\0\0\0\0\0";
    static const struct {
        const char *sent, *heard;
        size_t len;
    } peers[] = {{"POST / HTTP/1.1\r\nHost: x\r\n\r\n", unavailable, sizeof unavailable - 1},
        {"PO", unavailable, sizeof unavailable - 1}, {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", goaway, sizeof goaway - 1}};
    setup_t setup;
    int fds[CN_CARRIER_LINGERERS + 1];
    size_t i;
    (void)state;
    setup_at(&setup, "127.0.0.1:0");
    setup.server.refuse = true;
    for (i = 0; i < CN_LEN(peers); i++) {
        int fd = peer_connect(setup.port);
        turns(setup.loop, 2);
        assert_refused(&setup, fd, peers[i].sent, peers[i].heard, peers[i].len);
        peer_send(fd, "more"); /* read and dropped: no reset that overtakes the answer */
        turns(setup.loop, 2);
        assert_int_equal(setup.loop->lingerers, 1);
        close(fd);
        while (setup.loop->lingerers)
            connect_loop_run(setup.loop, 100);
    }
    for (i = 0; i < CN_LEN(fds); i++) {
        fds[i] = peer_connect(setup.port);
        while (setup.loop->lingerers < CN_MIN(i + 1, CN_CARRIER_LINGERERS))
            connect_loop_run(setup.loop, 100);
    }
    assert_refused(&setup, fds[CN_CARRIER_LINGERERS], NULL, "", 0);
    assert_refused(&setup, fds[0], "GET", unavailable, sizeof unavailable - 1);
    assert_refused(&setup, fds[1], NULL, "", 0); /* says nothing, for a second */
    for (i = 0; i < CN_LEN(fds); i++)
        close(fds[i]);
    setup_free(&setup);
}

static void test_accept_batch(void **state) {
    setup_t setup;
    int fds[40], i;
    (void)state;
    setup_at(&setup, "127.0.0.1:0");
    for (i = 0; i < 40; i++)
        fds[i] = peer_connect(setup.port);
    connect_loop_run(setup.loop, 100);
    assert_int_equal(setup.server.accepted, 16);
    turns(setup.loop, 4);
    assert_int_equal(setup.server.accepted, 40);
    cn_loop_unlisten(setup.listener);
    for (i = 0; i < 40; i++) { /* those that were accepted go on */
        peer_send(fds[i], echo_request);
        assert_response(setup.loop, fds[i], echo_response);
        close(fds[i]);
    }
    turns(setup.loop, 5);
    assert_int_equal(setup.server.accepted, 0);
    assert_false(connect_loop_run(setup.loop, -1));
    setup_free(&setup);
}

/* Without descriptors the loop neither spins nor forgets who waits. */
static void test_no_descriptors(void **state) {
    struct rlimit limit, low;
    setup_t setup;
    int64_t began;
    int fd, top, count = 0;
    (void)state;
    setup_at(&setup, "127.0.0.1:0");
    fd = peer_connect(setup.port);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    top = dup(fd);
    close(top);
    low = limit;
    low.rlim_cur = (rlim_t)top;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    began = cn_loop_clock_ms();
    while (cn_loop_clock_ms() - began < 250) {
        connect_loop_run(setup.loop, 250);
        count++;
    }
    assert_true(count < 20);
    assert_int_equal(setup.server.accepted, 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    peer_send(fd, echo_request);
    assert_response(setup.loop, fd, echo_response);
    close(fd);
    setup_free(&setup);
}

static void test_listen_errors(void **state) {
    setup_t setup;
    connect_error_t error;
    char expected[128];
    int port = 7;
    (void)state;
    setup_at(&setup, "127.0.0.1:0");
    assert_null(cn_loop_listen(setup.loop, setup.address, NULL, on_accept, NULL, &port, &error));
    snprintf(expected, sizeof expected, "cannot listen on %s: Address already in use", setup.address);
    assert_str(error.message, expected);
    assert_int_equal(error.code, CONNECT_UNAVAILABLE);
    assert_int_equal(error.os_error, EADDRINUSE);
    assert_false(error.from_peer);
    assert_null(cn_loop_listen(setup.loop, "nonsense", NULL, on_accept, NULL, &port, &error));
    assert_int_equal(error.code, CONNECT_INVALID_ARGUMENT);
    assert_null(cn_loop_listen(setup.loop, "nonsense", NULL, on_accept, NULL, &port, NULL));
    assert_int_equal(port, 7);
    setup_free(&setup);
}

/* ---- Dialling --------------------------------------------------------------------------------------------------- */

static void dial(connect_loop_t *loop, end_t *client, const char *address, uint32_t dial_ms) {
    connect_conn_t *conn = end_conn(client, "", false);
    int count;
    client->depth = 1;
    assert_int_equal(cn_loop_dial(loop, conn, address, dial_ms), CONNECT_OK);
    client->depth = 0;
    for (count = 0; client->accepted && !client->open && count < 100; count++)
        connect_loop_run(loop, 100);
    assert_int_equal(client->nested, 0);
}

static void test_dial_refused(void **state) {
    connect_loop_t *loop = connect_loop_new(NULL, NULL);
    char address[64], expected[128];
    cn_listening_t listening;
    cn_address_t parsed;
    cn_failure_t failure;
    end_t client;
    (void)state;
    assert_true(cn_address_parse(&parsed, "127.0.0.1:0", &failure));
    assert_true(cn_socket_listen(&listening, &parsed, NULL, &failure));
    snprintf(address, sizeof address, "127.0.0.1:%u", (unsigned)listening.port);
    cn_socket_unlisten(&listening);
    end_init(&client, loop, NULL);
    dial(loop, &client, address, 1000);
    snprintf(expected, sizeof expected, "cannot connect to %s: Connection refused", address);
    assert_string_equal(client.failure, expected);
    assert_int_equal(client.os_error, ECONNREFUSED);
    dial(loop, &client, "unix:/tmp/connect-test-nobody", 1000);
    assert_string_equal(client.failure, "cannot connect to unix:/tmp/connect-test-nobody: No such file or directory");
    dial(loop, &client, "fd:99999", 1000);
    assert_string_equal(client.failure, "cannot connect to fd:99999: Bad file descriptor");
    assert_false(connect_loop_run(loop, -1));
    connect_loop_free(loop);
    end_free(&client);
}

static void test_dial_bad_address(void **state) {
    connect_loop_t *loop = connect_loop_new(NULL, NULL);
    static const char *const bad[][2] = {
        {"nonsense", "bad address \"nonsense\": expected \"host:port\", "},
        {"localhost:0", "bad address \"localhost:0\": expected a port from 1 to 65535"},
    };
    connect_conn_t *conn;
    end_t client;
    size_t i;
    (void)state;
    end_init(&client, loop, NULL);
    for (i = 0; i < 2; i++) {
        conn = end_conn(&client, "", false);
        assert_int_equal(cn_loop_dial(loop, conn, bad[i][0], 1000), CONNECT_INVALID_ARGUMENT);
        assert_int_equal(client.accepted, 1); /* the caller's to close */
        connect_conn_close(conn);
        assert_memory_equal(client.failure, bad[i][1], strlen(bad[i][1]));
    }
    connect_loop_free(loop);
    end_free(&client);
}

/* A listener whose queue is full lets nobody in, and does not say no. */
static void test_dial_timeout(void **state) {
    connect_loop_t *loop = connect_loop_new(NULL, NULL);
    connect_listen_options_t options = CONNECT_DEFAULTS;
    char address[64], expected[128];
    cn_endpoint_t endpoint;
    cn_listening_t listening;
    cn_address_t parsed;
    cn_failure_t failure;
    int fds[8], i;
    int64_t began;
    end_t client;
    (void)state;
    options.backlog = 1;
    assert_true(cn_address_parse(&parsed, "127.0.0.1:0", &failure));
    assert_true(cn_socket_listen(&listening, &parsed, &options, &failure));
    snprintf(address, sizeof address, "127.0.0.1:%u", (unsigned)listening.port);
    assert_true(cn_address_parse(&parsed, address, &failure));
    assert_int_equal(cn_address_resolve(&parsed, false, &endpoint, 1, &failure), 1);
    for (i = 0; i < 8; i++) {
        bool is_open;
        fds[i] = cn_socket_connect(&endpoint, &is_open);
        assert_true(fds[i] >= 0);
    }
    end_init(&client, loop, NULL);
    began = cn_loop_clock_ms();
    dial(loop, &client, address, 50);
    assert_true(cn_loop_clock_ms() - began >= 49);
    snprintf(expected, sizeof expected, "cannot connect to %s: Connection timed out", address);
    assert_string_equal(client.failure, expected);
    assert_int_equal(client.os_error, ETIMEDOUT);

    /* let go of while it connects */
    assert_int_equal(cn_loop_dial(loop, end_conn(&client, "", false), address, 5000), CONNECT_OK);
    turns(loop, 2);
    cn_conn_abort(client.last);
    assert_int_equal(client.accepted, 0);
    assert_false(connect_loop_run(loop, -1));
    for (i = 0; i < 8; i++)
        close(fds[i]);
    cn_socket_unlisten(&listening);
    connect_loop_free(loop);
    end_free(&client);
}

static void test_dial_pair(void **state) {
    setup_t setup;
    end_t client;
    char address[32];
    int ends[2];
    (void)state;
    setup_at(&setup, "127.0.0.1:0");
    end_init(&client, setup.loop, NULL);
    client.request = STR("over a pair");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    snprintf(address, sizeof address, "fd:%d", ends[0]);
    dial(setup.loop, &client, address, 1000);
    assert_int_equal(client.open, 1);
    peer_send(ends[1], "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    while (!client.answered && client.accepted)
        connect_loop_run(setup.loop, 1000);
    assert_str(cn_buf_view(&client.response), "ok");
    close(ends[1]);
    turns(setup.loop, 3);
    assert_int_equal(client.accepted, 0);
    setup_free(&setup);
    end_free(&client);
}

/* Looking a name up may block: that is a resolver's business. */
static void test_dial_name(void **state) {
    setup_t setup;
    end_t client;
    (void)state;
    setup_at(&setup, "127.0.0.1:0");
    end_init(&client, setup.loop, NULL);
    dial(setup.loop, &client, "localhost:1", 1000);
    assert_int_equal(client.open, 0);
    assert_string_equal(client.failure, "cannot connect to localhost:1: expected an IP address, as a resolver answers");
    setup_free(&setup);
    end_free(&client);
}

/* ---- Letting go ------------------------------------------------------------------------------------------------- */

static void abort_last(void *arg) {
    end_t *end = (end_t *)arg;
    cn_conn_abort(end->last);
}
static void unlisten(void *arg) {
    cn_loop_unlisten((cn_listener_t *)arg);
}
static void test_abandon_in_a_turn(void **state) {
    connect_task_t first = CONNECT_DEFAULTS, second = CONNECT_DEFAULTS;
    setup_t setup;
    char byte;
    int fd;
    (void)state;
    setup_at(&setup, "127.0.0.1:0");
    fd = peer_connect(setup.port);
    turns(setup.loop, 2);
    assert_int_equal(setup.server.accepted, 1);
    /* the request and the end of it all are found in the same turn */
    peer_send(fd, echo_request);
    connect_loop_post(setup.loop, &first, abort_last, &setup.server);
    connect_loop_post(setup.loop, &second, unlisten, setup.listener);
    turns(setup.loop, 1);
    assert_int_equal(setup.server.accepted, 0);
    assert_int_equal(peer_receive(setup.loop, fd, &byte, 1), 0);
    close(fd);
    assert_false(connect_loop_run(setup.loop, -1));
    setup_free(&setup);
}

/* What a wait brought of a connection that was closed in the same turn is not taken for that of the next one, which has
   its descriptor. */
static struct {
    cn_poller_t poller;
    const cn_poller_t *real;
    void *order[3]; /* NULL: as they come */
    int count;      /* of those that came in order */
} ordered;
static int ordered_wait(int poller, cn_poll_event_t *events, int capacity, int timeout_ms) {
    int count = ordered.real->wait(poller, events, capacity, timeout_ms), i, k;
    for (k = 0; k < 3 && ordered.order[k]; k++) {
        for (i = 0; i < count && events[i].data != ordered.order[k]; i++) {}
        if (i < count) {
            cn_poll_event_t event = events[i];
            memmove(&events[ordered.count + 1], &events[ordered.count], (size_t)(i - ordered.count) * sizeof event);
            events[ordered.count++] = event;
        }
    }
    return count;
}
static void test_reused_descriptor(void **state) {
    cn_source_t *first, *second;
    setup_t setup;
    int fds[3], reused, i;
    (void)state;
    setup_at(&setup, "127.0.0.1:0");
    fds[0] = peer_connect(setup.port);
    fds[1] = peer_connect(setup.port);
    turns(setup.loop, 2);
    assert_int_equal(setup.server.accepted, 2);
    first = CN_CONTAINER(setup.loop->sources.next->next, cn_source_t, node);
    second = CN_CONTAINER(setup.loop->sources.next->next->next, cn_source_t, node);
    memset(&ordered, 0, sizeof ordered);
    ordered.real = setup.loop->poller;
    ordered.poller = *ordered.real;
    ordered.poller.wait = ordered_wait;
    ordered.order[0] = first;
    ordered.order[1] = setup.listener;
    ordered.order[2] = second;
    setup.loop->poller = &ordered.poller;
    /* all three are ready at once; the first one's request ends the second connection, and a third is accepted */
    fds[2] = peer_connect(setup.port);
    peer_send(fds[0], echo_request);
    peer_send(fds[1], echo_request);
    setup.server.abort = 2;
    reused = second->fd;
    connect_loop_run(setup.loop, 1000);
    assert_int_equal(ordered.count, 3);
    assert_int_equal(setup.server.accepted, 2);
    assert_int_equal(CN_CONTAINER(setup.loop->sources.prev, cn_source_t, node)->fd, reused);
    memset(ordered.order, 0, sizeof ordered.order);
    assert_response(setup.loop, fds[0], echo_response);
    peer_send(fds[2], echo_request);
    assert_response(setup.loop, fds[2], echo_response);
    for (i = 0; i < 3; i++)
        close(fds[i]);
    setup_free(&setup);
}

/* Connections closed by an event of their own, and by an event of one that is ready in the same turn. */
static void test_abandon_in_events(void **state) {
    setup_t setup;
    int fds[8], i, round;
    char byte;
    (void)state;
    setup_at(&setup, "127.0.0.1:0");
    for (round = 1; round <= 2; round++) {
        for (i = 0; i < 8; i++)
            fds[i] = peer_connect(setup.port);
        while (setup.server.accepted < 8)
            connect_loop_run(setup.loop, 100);
        setup.server.abort = round;
        for (i = 0; i < 8; i++)
            peer_send(fds[i], echo_request);
        turns(setup.loop, 1);
        assert_int_equal(setup.server.accepted, round == 1 ? 7 : 1);
        for (i = 0; i < 8; i++)
            close(fds[i]);
        turns(setup.loop, 3);
        assert_int_equal(setup.server.accepted, 0);
    }
    /* with a request half received, and one that still waits */
    setup.server.abort = 1;
    fds[0] = peer_connect(setup.port);
    peer_send(fds[0], echo_request);
    peer_send(fds[0], echo_request);
    assert_int_equal(peer_receive(setup.loop, fds[0], &byte, 1), 0);
    assert_int_equal(setup.server.accepted, 0);
    close(fds[0]);
    /* by a request that was held */
    setup.server.defer = true;
    fds[0] = peer_connect(setup.port);
    for (i = 0; i < 5; i++)
        peer_send(fds[0], echo_request);
    while (!setup.server.waiting)
        connect_loop_run(setup.loop, 100);
    turns(setup.loop, 2);
    setup.server.abort = 1;
    answer(setup.server.waiting);
    turns(setup.loop, 3);
    assert_int_equal(setup.server.abort, 0);
    assert_int_equal(setup.server.accepted, 0);
    close(fds[0]);
    setup_free(&setup);
}

static void test_free_closes_all(void **state) {
    setup_t setup;
    end_t client;
    int fd;
    (void)state;
    setup_at(&setup, "127.0.0.1:0");
    setup.server.defer = true;
    end_init(&client, setup.loop, NULL);
    fd = peer_connect(setup.port);
    peer_send(fd, echo_request);
    turns(setup.loop, 3);
    assert_int_equal(cn_loop_dial(setup.loop, end_conn(&client, "", false), setup.address, 1000), CONNECT_OK);
    connect_loop_free(setup.loop);
    assert_int_equal(setup.server.closed, 1);
    assert_int_equal(client.accepted, 0);
    end_free(&setup.server);
    end_free(&client);
    close(fd);
}

static void free_loop(void *arg) {
    connect_loop_free((connect_loop_t *)arg);
}
static bool never(void *arg) {
    (void)arg;
    return false;
}
static void test_free_in_callback(void **state) {
    connect_task_t task = CONNECT_DEFAULTS;
    setup_t setup;
    int fd;
    (void)state;
    setup_at(&setup, "127.0.0.1:0");
    fd = peer_connect(setup.port);
    turns(setup.loop, 2);
    connect_loop_post(setup.loop, &task, free_loop, setup.loop);
    assert_false(cn_loop_run_until(setup.loop, never, NULL));
    end_free(&setup.server);
    close(fd);
}

static bool echo_once(const connect_allocator_t *allocator, void *arg) {
    connect_loop_t *loop = connect_loop_new(allocator, NULL);
    char address[32];
    connect_conn_t *conn;
    end_t server, client;
    int port, count;
    bool ok;
    (void)arg;
    if (!loop) return false;
    end_init(&server, loop, allocator);
    end_init(&client, loop, allocator);
    client.request = STR("a request");
    if (cn_loop_listen(loop, "127.0.0.1:0", NULL, on_accept, &server, &port, NULL)) {
        snprintf(address, sizeof address, "127.0.0.1:%d", port);
        conn = end_conn(&client, "", false);
        if (conn && cn_loop_dial(loop, conn, address, 1000) != CONNECT_OK) connect_conn_close(conn);
    }
    for (count = 0; client.accepted && !client.answered && count < 100; count++)
        connect_loop_run(loop, 1000);
    assert_true(count < 100); /* an answer or an end, but something */
    ok = client.answered && connect_str_equal(cn_buf_view(&client.response), client.request);
    connect_loop_free(loop);
    end_free(&server);
    end_free(&client);
    return ok;
}
static void test_out_of_memory(void **state) {
    (void)state;
    sweep_allocations(echo_once, NULL);
}

/* ---- Tasks and timers ------------------------------------------------------------------------------------------- */

typedef struct numbered_t {
    connect_task_t task;
    int number;
    struct record_t *record;
} numbered_t;
typedef struct record_t {
    connect_loop_t *loop;
    int order[32], count;
    numbered_t *again;
} record_t;

static void record_run(void *arg) {
    numbered_t *numbered = (numbered_t *)arg;
    record_t *record = numbered->record;
    record->order[record->count++ % 32] = numbered->number;
}
static void record_again(void *arg) {
    numbered_t *numbered = (numbered_t *)arg;
    record_run(arg);
    connect_loop_after(numbered->record->loop, &numbered->task, 0, record_again, arg);
}
static void record_post_again(void *arg) {
    numbered_t *numbered = (numbered_t *)arg;
    record_run(arg);
    connect_loop_post(numbered->record->loop, &numbered->task, record_post_again, arg);
}
static void record_take_back(void *arg) {
    numbered_t *numbered = (numbered_t *)arg;
    record_run(arg);
    connect_loop_after(numbered->record->loop, &numbered->record->again->task, -1, NULL, NULL);
}
static void run_nested(void *arg) {
    numbered_t *numbered = (numbered_t *)arg;
    assert_true(cn_loop_is_running(numbered->record->loop));
    assert_false(connect_loop_run(numbered->record->loop, 0));
    assert_false(cn_loop_run_until(numbered->record->loop, never, NULL));
    record_run(arg);
}
static void numbered_init(numbered_t *items, int count, record_t *record) {
    int i;
    memset(items, 0, sizeof *items * (size_t)count);
    for (i = 0; i < count; i++) {
        items[i].number = i;
        items[i].record = record;
    }
    memset(record, 0, sizeof *record);
    record->loop = connect_loop_new(NULL, NULL);
    assert_non_null(record->loop);
}

static void test_nothing_can_come(void **state) {
    numbered_t item;
    record_t record;
    (void)state;
    numbered_init(&item, 1, &record);
    assert_false(connect_loop_run(record.loop, -1));
    assert_int_equal(connect_loop_timeout_ms(record.loop), -1);
    assert_false(cn_loop_run_until(record.loop, never, NULL));
    connect_loop_post(record.loop, &item.task, run_nested, &item);
    assert_int_equal(connect_loop_timeout_ms(record.loop), 0);
    assert_false(connect_loop_run(record.loop, -1));
    assert_int_equal(record.count, 1);
    assert_false(cn_loop_is_running(record.loop));
    connect_loop_free(record.loop);
    connect_loop_free(NULL);
}

static void test_timers(void **state) {
    numbered_t items[6];
    record_t record;
    int i;
    int64_t began = cn_loop_clock_ms();
    static const int expected[] = {2, 4, 0, 1};
    (void)state;
    numbered_init(items, 6, &record);
    connect_loop_after(record.loop, &items[0].task, 20, record_run, &items[0]);
    connect_loop_after(record.loop, &items[1].task, 1000000, record_run, &items[1]);
    connect_loop_after(record.loop, &items[2].task, 10, record_run, &items[2]);
    connect_loop_after(record.loop, &items[3].task, 5, record_run, &items[3]);
    connect_loop_after(record.loop, &items[4].task, 10, record_run, &items[4]);
    connect_loop_after(record.loop, &items[1].task, 30, record_run, &items[1]); /* counted anew */
    connect_loop_after(record.loop, &items[3].task, -1, NULL, NULL);            /* taken back */
    connect_loop_after(record.loop, &items[3].task, -1, NULL, NULL);
    connect_loop_post(record.loop, &items[1].task, record_run, &items[5]); /* waits already: left as it is */
    assert_in_range(connect_loop_timeout_ms(record.loop), 0, 10);
    while (connect_loop_run(record.loop, -1)) {}
    assert_in_range(cn_loop_clock_ms() - began, 30, 5000);
    assert_int_equal(record.count, 4);
    for (i = 0; i < 4; i++)
        assert_int_equal(record.order[i], expected[i]);
    /* a delay beyond all time, and a wait that ends before the timer does */
    connect_loop_after(record.loop, &items[0].task, INT64_MAX, record_run, &items[0]);
    assert_int_equal(connect_loop_timeout_ms(record.loop), INT_MAX);
    assert_true(connect_loop_run(record.loop, 1));
    connect_loop_free(record.loop);
}

/* What a turn starts waits for the next one: a task that starts itself anew does not keep the turn from ending. */
static void test_again(void **state) {
    numbered_t items[3];
    record_t record;
    int i;
    (void)state;
    numbered_init(items, 3, &record);
    connect_loop_after(record.loop, &items[0].task, 0, record_again, &items[0]);
    connect_loop_post(record.loop, &items[1].task, record_post_again, &items[1]);
    for (i = 1; i <= 10; i++) {
        assert_true(connect_loop_run(record.loop, -1));
        assert_int_equal(record.count, 2 * i);
    }
    connect_loop_free(record.loop);
}

static void test_take_back_posted(void **state) {
    numbered_t items[4];
    record_t record;
    (void)state;
    numbered_init(items, 4, &record);
    connect_loop_post(record.loop, &items[0].task, record_run, &items[0]);
    connect_loop_post(record.loop, &items[1].task, record_run, &items[1]);
    connect_loop_post(record.loop, &items[2].task, record_run, &items[2]);
    connect_loop_post(record.loop, &items[1].task, record_run, &items[3]); /* left as it is */
    connect_loop_after(record.loop, &items[0].task, -1, NULL, NULL);
    connect_loop_after(record.loop, &items[2].task, 5, record_run, &items[2]);
    connect_loop_run(record.loop, 0);
    assert_int_equal(record.count, 1);
    assert_int_equal(record.order[0], 1);
    while (connect_loop_run(record.loop, -1)) {}
    assert_int_equal(record.count, 2);
    assert_int_equal(record.order[1], 2);
    /* inside a callback, the very next one */
    record.again = &items[1];
    connect_loop_post(record.loop, &items[0].task, record_take_back, &items[0]);
    connect_loop_post(record.loop, &items[1].task, record_run, &items[1]);
    connect_loop_post(record.loop, &items[2].task, record_run, &items[2]);
    assert_false(connect_loop_run(record.loop, -1));
    assert_int_equal(record.count, 4);
    assert_int_equal(record.order[3], 2);
    connect_loop_free(record.loop);
}

enum { POST_THREADS = 4, POST_EACH = 25000 };
typedef struct poster_t {
    connect_loop_t *loop;
    struct post_t {
        connect_task_t task;
        struct poster_t *poster;
        int number;
    } * posts;
    connect_task_t same;
    int seen;         /* by the loop: in order */
    int last_written; /* atomic; what `same` has to bring */
    int last_seen;
    pthread_t thread;
} poster_t;

static void post_seen(void *arg) {
    struct post_t *post = (struct post_t *)arg;
    assert_int_equal(post->number, post->poster->seen);
    post->poster->seen++;
}
static void same_seen(void *arg) {
    poster_t *poster = (poster_t *)arg;
    poster->last_seen = __atomic_load_n(&poster->last_written, __ATOMIC_RELAXED);
}
static void *post_all(void *arg) {
    poster_t *poster = (poster_t *)arg;
    int i;
    for (i = 0; i < POST_EACH; i++) {
        connect_loop_post(poster->loop, &poster->posts[i].task, post_seen, &poster->posts[i]);
        __atomic_store_n(&poster->last_written, i, __ATOMIC_RELAXED);
        connect_loop_post(poster->loop, &poster->same, same_seen, poster); /* one task, again and again */
        if (i % 1000 == 0) usleep(100);                                    /* now and then the loop goes to sleep */
    }
    return NULL;
}
static bool posters_done(void *arg) {
    poster_t *posters = (poster_t *)arg;
    int i;
    for (i = 0; i < POST_THREADS; i++)
        if (posters[i].seen < POST_EACH || posters[i].last_seen != POST_EACH - 1) return false;
    return true;
}
static void on_keep(void *arg) {
    (void)arg;
    fail_msg("a post was lost");
}
static void test_posts_from_threads(void **state) {
    static poster_t posters[POST_THREADS];
    connect_loop_t *loop = connect_loop_new(NULL, NULL);
    connect_task_t keep = CONNECT_DEFAULTS; /* so that the loop waits though nothing is posted yet */
    int i, j;
    (void)state;
    connect_loop_after(loop, &keep, 60000, on_keep, NULL);
    for (i = 0; i < POST_THREADS; i++) {
        memset(&posters[i], 0, sizeof posters[i]);
        posters[i].loop = loop;
        posters[i].posts = (struct post_t *)calloc(POST_EACH, sizeof *posters[i].posts);
        for (j = 0; j < POST_EACH; j++) {
            posters[i].posts[j].poster = &posters[i];
            posters[i].posts[j].number = j;
        }
        assert_int_equal(pthread_create(&posters[i].thread, NULL, post_all, &posters[i]), 0);
    }
    assert_true(cn_loop_run_until(loop, posters_done, posters));
    for (i = 0; i < POST_THREADS; i++) {
        pthread_join(posters[i].thread, NULL);
        assert_int_equal(posters[i].seen, POST_EACH);
    }
    connect_loop_free(loop);
    for (i = 0; i < POST_THREADS; i++)
        free(posters[i].posts);
}

typedef struct signalled_t {
    connect_loop_t *loop;
    connect_task_t task;
    int raised, run;
} signalled_t;
static signalled_t signalled;
static void signal_run(void *arg) {
    ((signalled_t *)arg)->run++;
}
static void on_signal(int number) {
    (void)number;
    signalled.raised++;
    connect_loop_post(signalled.loop, &signalled.task, signal_run, &signalled);
}
static bool signals_done(void *arg) {
    return ((signalled_t *)arg)->run >= 20;
}
static void test_post_in_signal_handler(void **state) {
    struct itimerval every = {{0, 2000}, {0, 2000}}, off = {{0, 0}, {0, 0}};
    struct sigaction action, before;
    connect_task_t keep = CONNECT_DEFAULTS;
    (void)state;
    memset(&signalled, 0, sizeof signalled);
    signalled.loop = connect_loop_new(NULL, NULL);
    connect_loop_after(signalled.loop, &keep, 60000, on_keep, NULL);
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigaction(SIGALRM, &action, &before);
    setitimer(ITIMER_REAL, &every, NULL);
    assert_true(cn_loop_run_until(signalled.loop, signals_done, &signalled));
    setitimer(ITIMER_REAL, &off, NULL);
    sigaction(SIGALRM, &before, NULL);
    connect_loop_free(signalled.loop);
}

/* ---- A foreign loop --------------------------------------------------------------------------------------------- */

static bool foreign_readable(connect_loop_t *loop, int timeout_ms) {
    struct pollfd watch;
    watch.fd = connect_loop_fd(loop);
    watch.events = POLLIN;
    watch.revents = 0;
    return poll(&watch, 1, timeout_ms) == 1;
}
static void *post_late(void *arg) {
    numbered_t *numbered = (numbered_t *)arg;
    usleep(20000);
    connect_loop_post(numbered->record->loop, &numbered->task, record_run, numbered);
    return NULL;
}
static void test_foreign_loop(void **state) {
    numbered_t items[3];
    record_t record;
    pthread_t thread;
    end_t client;
    (void)state;
    numbered_init(items, 3, &record);
    assert_false(foreign_readable(record.loop, 0));
    /* from another thread, while we wait */
    assert_int_equal(pthread_create(&thread, NULL, post_late, &items[0]), 0);
    assert_true(foreign_readable(record.loop, 10000));
    connect_loop_run(record.loop, 0);
    pthread_join(thread, NULL);
    assert_int_equal(record.count, 1);
    assert_false(foreign_readable(record.loop, 0));
    assert_int_equal(connect_loop_timeout_ms(record.loop), -1);
    /* a timer that is started after the timeout was asked for */
    connect_loop_after(record.loop, &items[1].task, 10, record_run, &items[1]);
    assert_true(foreign_readable(record.loop, 0));
    connect_loop_run(record.loop, 0);
    assert_false(foreign_readable(record.loop, connect_loop_timeout_ms(record.loop)));
    while (record.count < 2)
        connect_loop_run(record.loop, 0);
    /* what is dialled outside */
    end_init(&client, record.loop, NULL);
    assert_int_equal(
        cn_loop_dial(record.loop, end_conn(&client, "", false), "unix:/tmp/connect-test-nobody", 0), CONNECT_OK);
    assert_true(foreign_readable(record.loop, 0));
    assert_int_equal(connect_loop_timeout_ms(record.loop), 0);
    connect_loop_run(record.loop, 0);
    assert_int_equal(client.accepted, 0);
    assert_false(foreign_readable(record.loop, 0));
    connect_loop_free(record.loop);
    end_free(&client);
}

/* An answer that is given outside of a turn, before and after connect_loop_fd was asked for the first time. */
static void test_foreign_answer(void **state) {
    setup_t setup;
    int fd, i;
    (void)state;
    setup_at(&setup, "127.0.0.1:0");
    setup.server.defer = true;
    fd = peer_connect(setup.port);
    for (i = 0; i < 3; i++) {
        peer_send(fd, echo_request);
        while (!setup.server.waiting)
            connect_loop_run(setup.loop, 100);
        if (i) assert_false(foreign_readable(setup.loop, 0));
        answer(setup.server.waiting);
        setup.server.waiting = NULL;
        assert_true(foreign_readable(setup.loop, 0));
        connect_loop_run(setup.loop, 0);
        assert_response(setup.loop, fd, echo_response);
    }
    close(fd);
    setup_free(&setup);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ping_pong),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_pipelined),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_half_close),
        cmocka_unit_test(test_half_close_while_blocked),
        cmocka_unit_test(test_last_words),
        cmocka_unit_test(test_lingering_ends),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_hang_up),
        cmocka_unit_test(test_refused_by_owner),
        cmocka_unit_test(test_accept_batch),
        cmocka_unit_test(test_no_descriptors),
        cmocka_unit_test(test_listen_errors),
        cmocka_unit_test(test_dial_refused),
        cmocka_unit_test(test_dial_bad_address),
        cmocka_unit_test(test_dial_timeout),
        cmocka_unit_test(test_dial_pair),
        cmocka_unit_test(test_dial_name),
        cmocka_unit_test(test_abandon_in_a_turn),
        cmocka_unit_test(test_reused_descriptor),
        cmocka_unit_test(test_abandon_in_events),
        cmocka_unit_test(test_free_closes_all),
        cmocka_unit_test(test_free_in_callback),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_nothing_can_come),
        cmocka_unit_test(test_timers),
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_take_back_posted),
        cmocka_unit_test(test_posts_from_threads),
        cmocka_unit_test(test_post_in_signal_handler),
        cmocka_unit_test(test_foreign_loop),
        cmocka_unit_test(test_foreign_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
