/* A connection without I/O, between an owner and exchanges that only count: which version the first bytes tell, every
   clock, what is wanted when, and closing it inside each of its own events. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define CONTAINER(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))
#define SECOND 1000

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define SETTINGS "\0\0\0\4\0\0\0\0\0"
/* POST / of authority "a", whole */
#define HEADERS "\0\0\6\1\5\0\0\0\1\x83\x86\x84\x41\1a"
#define GET "GET /p HTTP/1.1\r\nHost: a\r\n\r\n"
#define READ CONNECT_WANTS_READ
#define WRITE CONNECT_WANTS_WRITE
#define WAKE CONNECT_WANTS_WAKE

typedef enum event {
    NO_EVENT,
    ON_BEGIN,
    ON_HEAD,
    ON_DATA,
    ON_END,
    ON_X_DUE,
    ON_CLOSED,
    ON_OWNER_DUE,
    ON_ROOM,
    EVENTS
} event;

typedef struct world { /* the owner, and one exchange after the other */
    connect_conn_t *conn;
    connect_limits_t limits;
    cn_buf_pool_t pool;
    cn_list_t conns;
    const connect_allocator_t *allocator;
    cn_exchange_t x;
    connect_arena_t arena;
    bool x_busy, refuse, silent; /* silent: a request is not answered */
    size_t body;                 /* of the response */
    event close_in;
    bool closed_inside; /* only on_closed may come after it */
    unsigned seen[EVENTS], lost, outputs, abandoned;
    int depth; /* of enter and leave */
    bool left; /* since the last enter */
    connect_code_t closed_code;
} world;

static world *world_now; /* what exchanges and owners belong to */

static void happens(world *w, event e) {
    assert_true(w->depth > 0); /* all callbacks run between enter and leave */
    assert_int_equal(w->lost, 0);
    w->seen[e]++;
    if (w->closed_inside && e != ON_CLOSED) fail_msg("event %d after the connection was closed", (int)e);
    if (w->close_in == e) {
        w->close_in = NO_EVENT;
        w->closed_inside = true;
        connect_conn_close(w->conn);
        assert_int_equal(w->lost, 0); /* not here, but when the outermost has ended */
        assert_int_equal(connect_conn_wants(w->conn), 0);
    }
}

/* ---- The exchange ---- */

static void answer(world *w) {
    static const connect_header_t headers[] = {{"x", {"y", 1}}};
    const cn_http_version_t *version = w->x.http->version;
    connect_headers_t none = {NULL, 0};
    cn_head_t head;
    char *to;
    memset(&head, 0, sizeof head);
    head.status = 200;
    head.headers = headers;
    head.header_count = 1;
    head.content_length = (int64_t)w->body;
    if (!version->send_head(&w->x, &head, w->body == 0)) {
        version->reset(&w->x, CN_RESET_INTERNAL);
        return;
    }
    if (w->body == 0) return;
    to = cn_buf_reserve(&w->x.out, w->allocator, w->body);
    if (!to) {
        version->reset(&w->x, CN_RESET_INTERNAL);
        return;
    }
    memset(to, 'b', w->body);
    cn_buf_commit(&w->x.out, w->body);
    version->flush(&w->x);
    version->send_end(&w->x, none);
}
static void x_head(cn_exchange_t *x) {
    (void)x;
    happens(world_now, ON_HEAD);
}
static void x_data(cn_exchange_t *x, const char *bytes, size_t len) {
    (void)bytes;
    happens(world_now, ON_DATA);
    if (x->http) x->http->version->consume(x, len);
}
static void x_end(cn_exchange_t *x) {
    (void)x;
    happens(world_now, ON_END);
    if (!world_now->silent) answer(world_now);
}
static void x_writable(cn_exchange_t *x) {
    (void)x;
}
static void x_due(cn_exchange_t *x) {
    assert_true(x->due_ms == INT64_MAX);
    happens(world_now, ON_X_DUE);
}
static void x_closed(cn_exchange_t *x, connect_code_t code, const char *why) {
    world *w = world_now;
    assert_true(w->x_busy);
    assert_null(x->http);
    if (code != CONNECT_OK) assert_non_null(why);
    w->x_busy = false;
    w->closed_code = code;
    cn_buf_free(&x->out, w->allocator);
    connect_arena_free(&w->arena);
    memset(x, 0xEE, sizeof *x);
    happens(w, ON_CLOSED);
}

/* ---- The owner ---- */

static cn_exchange_t *owner_begin(connect_conn_t *conn) {
    static const cn_exchange_events_t events = {x_head, x_data, x_end, x_writable, x_due, x_closed};
    world *w = (world *)conn->owner;
    happens(w, ON_BEGIN);
    if (w->refuse || w->x_busy) return NULL;
    memset(&w->x, 0, sizeof w->x);
    connect_arena_init(&w->arena, NULL, 0, w->allocator ? w->allocator : connect_allocator_libc());
    w->x.events = &events;
    w->x.arena = &w->arena;
    w->x.due_ms = INT64_MAX;
    w->x_busy = true;
    return &w->x;
}
static void owner_room(connect_conn_t *conn) {
    happens((world *)conn->owner, ON_ROOM);
}
static void owner_due(connect_conn_t *conn) {
    assert_true(conn->owner_due_ms == INT64_MAX);
    happens((world *)conn->owner, ON_OWNER_DUE);
}
static void owner_lost(connect_conn_t *conn) {
    world *w = (world *)conn->owner;
    assert_ptr_equal(conn, w->conn);
    assert_false(w->x_busy); /* exchanges are closed before */
    w->lost++;
}
static void owner_enter(void *owner, int64_t now_ms) {
    world *w = (world *)owner;
    if (w->conn) assert_true(now_ms == -1 || now_ms == w->conn->http.now_ms);
    w->depth++;
    w->left = false;
}
static void owner_leave(void *owner) {
    world *w = (world *)owner;
    assert_true(w->depth > 0);
    w->depth--;
    w->left = true;
}
static void on_output(connect_conn_t *conn, void *user) {
    world *w = (world *)user;
    assert_ptr_equal(conn, w->conn);
    w->outputs++;
}
static void on_abandon(connect_conn_t *conn, void *transport) {
    world *w = (world *)transport;
    w->abandoned++;
    connect_conn_close(conn);
}

static void world_init(world *w, const connect_allocator_t *allocator) {
    connect_limits_t options;
    memset(w, 0, sizeof *w);
    memset(&options, 0, sizeof options);
    assert_true(cn_limits_resolve(&w->limits, &options, NULL));
    w->allocator = allocator;
    cn_list_init(&w->conns);
    world_now = w;
}
static bool world_connect(world *w, bool is_server, bool http1, bool http2) {
    static const cn_conn_owner_t events = {owner_begin, owner_room, owner_due, owner_lost, owner_enter, owner_leave};
    cn_conn_options_t options;
    memset(&options, 0, sizeof options);
    options.allocator = w->allocator;
    options.limits = &w->limits;
    options.pool = &w->pool;
    options.events = &events;
    options.owner = w;
    options.peer = "memory:";
    options.is_server = is_server;
    options.allow_http1 = http1;
    options.allow_http2 = http2;
    w->conn = cn_conn_new(&options);
    w->lost = 0;
    if (!w->conn) return false;
    cn_list_append(&w->conns, &w->conn->node);
    connect_conn_on_output(w->conn, on_output, w);
    return true;
}
static void world_open(world *w) {
    world_init(w, NULL);
    assert_true(world_connect(w, true, true, true));
}
static void world_free(world *w) {
    assert_int_equal(w->depth, 0);
    assert_true(cn_list_empty(&w->conns));
    assert_false(w->x_busy);
    cn_buf_pool_free(&w->pool, w->allocator);
}
static void world_close(world *w) {
    connect_conn_close(w->conn);
    assert_int_equal(w->lost, 1);
    assert_true(w->left);
    world_free(w);
}
static size_t feed(world *w, const char *bytes, size_t len, int64_t now) {
    guarded from = guarded_copy(bytes, len, 16);
    size_t taken = connect_conn_feed(w->conn, from.data, len, now);
    assert_true(taken <= len);
    guarded_free(&from);
    return taken;
}
static void feed_text(world *w, const char *text, int64_t now) {
    assert_int_equal(feed(w, text, strlen(text), now), strlen(text));
}
static void tick(world *w, int64_t now) {
    assert_int_equal(connect_conn_feed(w->conn, NULL, 0, now), 0);
}
/* Takes all output; compares its beginning. */
static size_t sent(world *w, const char *expected, size_t expected_len) {
    size_t total = 0;
    for (;;) {
        connect_str_t view = connect_conn_output(w->conn);
        if (view.len == 0) break;
        if (total == 0 && expected) {
            assert_true(view.len >= expected_len);
            assert_memory_equal(view.data, expected, expected_len);
        }
        total += view.len;
        connect_conn_sent(w->conn, view.len);
    }
    if (expected) assert_true(total >= expected_len);
    return total;
}
static int64_t deadline(const world *w) {
    return connect_conn_deadline_ms(w->conn);
}
/* After the output was asked for, as a transport does after each feed. */
static unsigned wants(world *w) {
    connect_conn_output(w->conn);
    return connect_conn_wants(w->conn);
}

/* ---- Which version ---- */

/* Two pieces, cut anywhere; and byte by byte: cut SIZE_MAX. */
static void check_version(
    const char *bytes, size_t len, size_t cut, connect_http_version_t expected, size_t known_after) {
    world w;
    size_t at = 0;
    world_open(&w);
    while (at < len) {
        size_t end = cut == SIZE_MAX ? at + 1 : at < cut ? cut : len;
        assert_int_equal(feed(&w, bytes + at, end - at, 1000), end - at);
        at = end;
        if (at < known_after) {
            assert_null(w.conn->http.version); /* nothing is decided before it must be */
            assert_int_equal(connect_conn_output(w.conn).len, 0);
            assert_int_equal(wants(&w), READ);
        } else {
            assert_non_null(w.conn->http.version);
            assert_int_equal(w.conn->http.version->number, expected);
        }
    }
    if (expected == CONNECT_HTTP_2) {
        assert_true(sent(&w, "\0\0", 2) > 9);
        assert_int_equal(w.seen[ON_END], 1);
    } else {
        sent(&w, "HTTP/1.1 ", 9);
    }
    world_close(&w);
}
static void check_version_at_every_cut(
    const char *bytes, size_t len, connect_http_version_t expected, size_t known_after) {
    size_t cut;
    for (cut = 1; cut <= len; cut++)
        check_version(bytes, len, cut, expected, known_after);
    check_version(bytes, len, SIZE_MAX, expected, known_after);
}

static void test_versions(void **state) {
    static const char two[] = PREFACE SETTINGS HEADERS;
    size_t common;
    (void)state;
    check_version_at_every_cut(two, sizeof two - 1, CONNECT_HTTP_2, 24);
    check_version_at_every_cut(GET, sizeof GET - 1, CONNECT_HTTP_1, 1);
    check_version_at_every_cut("POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 48, CONNECT_HTTP_1, 2);
    check_version_at_every_cut("PRI /p HTTP/1.1\r\nHost: a\r\n\r\n", 28, CONNECT_HTTP_1, 5);
    for (common = 0; common < 24; common++) { /* a preface that goes wrong at any place is HTTP/1.1, and its error */
        char text[64];
        memcpy(text, PREFACE, 24);
        text[common] ^= 1;
        memcpy(text + 24, "\r\n\r\n\r\n\r\n", 8);
        check_version(text, 32, common ? common : 1, CONNECT_HTTP_1, common + 1);
        check_version(text, 32, SIZE_MAX, CONNECT_HTTP_1, common + 1);
    }
}

static void test_one_version_only(void **state) {
    world w;
    (void)state;
    world_init(&w, NULL);
    assert_true(world_connect(&w, true, true, false));
    feed(&w, PREFACE, 24, 1000);
    assert_int_equal(w.conn->http.version->number, CONNECT_HTTP_1);
    sent(&w, "HTTP/1.1 ", 9);
    assert_int_equal(wants(&w), 0);
    world_close(&w);
    world_init(&w, NULL);
    assert_true(world_connect(&w, true, false, true));
    feed(&w, GET, sizeof GET - 1, 1000);
    assert_int_equal(w.conn->http.version->number, CONNECT_HTTP_2);
    sent(&w, NULL, 0);
    assert_int_equal(wants(&w), 0);
    assert_int_equal(w.seen[ON_BEGIN], 0);
    world_close(&w);
}

/* ---- Clocks ---- */

static void test_nothing_comes(void **state) {
    static const char *const begun[] = {"", "P", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r"};
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(begun); i++) { /* closed without a word: nobody knows which language to say it in */
        world w;
        world_open(&w);
        assert_int_equal(wants(&w), READ);
        assert_true(deadline(&w) <= 0); /* the time is not known yet: feed it */
        tick(&w, 5000);
        assert_int_equal(deadline(&w), 5000 + 10 * SECOND);
        feed_text(&w, begun[i], 5003);
        assert_int_equal(deadline(&w), 5000 + 10 * SECOND);
        tick(&w, 14999);
        assert_int_equal(wants(&w), READ);
        tick(&w, 15000);
        assert_int_equal(sent(&w, NULL, 0), 0);
        assert_int_equal(wants(&w), 0);
        world_close(&w);
    }
}

static void test_header_timeout(void **state) {
    static const char timeout[] = "HTTP/1.1 408 ";
    size_t cut;
    (void)state;
    for (cut = 1; cut < sizeof GET - 1; cut++) {
        world w;
        world_open(&w);
        tick(&w, 1000);
        feed(&w, GET, cut, 3000);
        assert_int_equal(deadline(&w), 3000 + 10 * SECOND); /* since the first byte of the head */
        if (cut < sizeof GET - 2) {
            feed(&w, &GET[cut], 1, 9000); /* dripping does not help */
            assert_int_equal(deadline(&w), 3000 + 10 * SECOND);
        }
        tick(&w, 12999);
        assert_int_equal(wants(&w), READ);
        tick(&w, 13000);
        assert_int_equal(wants(&w), WRITE);
        assert_int_equal(feed(&w, "x", 1, 13001), 1); /* of no interest any more */
        sent(&w, timeout, sizeof timeout - 1);
        assert_int_equal(wants(&w), 0);
        assert_int_equal(w.seen[ON_BEGIN], 0);
        world_close(&w);
    }
}

static void test_header_timeout_of_the_second_request(void **state) {
    world w;
    connect_str_t view;
    (void)state;
    world_open(&w);
    feed_text(&w, GET, 1000);
    sent(&w, "HTTP/1.1 200", 12);
    feed_text(&w, "GET /q HT", 20000);
    assert_int_equal(deadline(&w), 30000);
    tick(&w, 30000);
    sent(&w, "HTTP/1.1 408", 12);
    assert_int_equal(wants(&w), 0);
    world_close(&w);
    /* HTTP/2: a preface without SETTINGS; there is no 408 in it */
    world_open(&w);
    feed(&w, PREFACE, 24, 1000);
    sent(&w, NULL, 0);
    assert_int_equal(deadline(&w), 11000);
    tick(&w, 11000);
    view = connect_conn_output(w.conn);
    assert_true(view.len < 4 || memcmp(view.data, "HTTP", 4) != 0);
    sent(&w, NULL, 0);
    assert_int_equal(wants(&w), 0);
    world_close(&w);
}

static void test_idle(void **state) {
    world w;
    (void)state;
    world_open(&w);
    feed_text(&w, GET, 1000);
    assert_int_equal(w.seen[ON_END], 1);
    sent(&w, "HTTP/1.1 200", 12);
    assert_int_equal(deadline(&w), 61000);
    assert_int_equal(wants(&w), READ);
    assert_null(w.conn->http.out.block); /* an idle connection owns no block */
    assert_int_equal(w.pool.count, 1);
    tick(&w, 40000);
    assert_int_equal(deadline(&w), 61000); /* looking at the clock is no activity */
    feed_text(&w, GET, 50000);
    sent(&w, "HTTP/1.1 200", 12);
    assert_int_equal(deadline(&w), 110000);
    tick(&w, 109999);
    assert_int_equal(wants(&w), READ);
    tick(&w, 110000);
    assert_int_equal(sent(&w, NULL, 0), 0);
    assert_int_equal(wants(&w), 0);
    world_close(&w);

    world_open(&w);
    feed(&w, PREFACE SETTINGS, 33, 1000);
    sent(&w, NULL, 0);
    feed(&w, "\0\0\0\4\1\0\0\0\0", 9, 1000); /* and ours is acknowledged */
    sent(&w, NULL, 0);
    assert_int_equal(deadline(&w), 301000);
    tick(&w, 300999);
    assert_int_equal(wants(&w), READ);
    tick(&w, 301000);
    assert_true(wants(&w) & WRITE);
    assert_memory_equal(connect_conn_output(w.conn).data + 3, "\7", 1); /* GOAWAY */
    sent(&w, NULL, 0);
    while (wants(&w)) { /* and it ends */
        assert_true(deadline(&w) > w.conn->http.now_ms && deadline(&w) <= 601000);
        tick(&w, deadline(&w));
        sent(&w, NULL, 0);
    }
    world_close(&w);
}

/* A call that runs is no idleness, however long it takes. */
static void test_not_idle(void **state) {
    world w;
    (void)state;
    world_open(&w);
    w.silent = true;
    feed_text(&w, GET, 1000);
    assert_true(deadline(&w) > 1000);
    tick(&w, 10000000);
    assert_int_equal(w.seen[ON_CLOSED], 0);
    assert_int_equal(wants(&w) & ~(unsigned)READ, wants(&w) & WAKE);
    assert_int_equal(w.outputs, 0);
    answer(&w); /* outside of feed: the transport is told, once */
    assert_int_equal(w.outputs, 1);
    assert_true(connect_conn_wants(w.conn) & WRITE);
    assert_int_equal(deadline(&w), 10000000);
    sent(&w, "HTTP/1.1 200", 12);
    assert_int_equal(w.seen[ON_CLOSED], 1);
    assert_int_equal(w.closed_code, CONNECT_OK);
    tick(&w, 10000000);
    assert_int_equal(deadline(&w), 10060000);
    world_close(&w);
}

static void test_write_stall(void **state) {
    world w;
    connect_str_t view;
    (void)state;
    world_open(&w);
    w.body = 100;
    feed_text(&w, GET, 1000);
    view = connect_conn_output(w.conn);
    assert_true(view.len > 100);
    assert_int_equal(deadline(&w), 31000);
    tick(&w, 20000);
    assert_ptr_equal(connect_conn_output(w.conn).data, view.data);
    assert_int_equal(deadline(&w), 31000);
    connect_conn_sent(w.conn, 0); /* nothing went: nothing changes */
    assert_int_equal(deadline(&w), 31000);
    connect_conn_sent(w.conn, 10);
    assert_int_equal(deadline(&w), 50000);
    assert_true(wants(&w) & WRITE);
    assert_int_equal(connect_conn_output(w.conn).len, view.len - 10);
    tick(&w, 49999);
    assert_true(wants(&w) & WRITE);
    tick(&w, 50000);
    assert_int_equal(wants(&w), 0);
    assert_int_equal(connect_conn_output(w.conn).len, 0);
    assert_int_equal(w.conn->os_error, ETIMEDOUT);
    world_close(&w);

    world_open(&w); /* all is written in time */
    feed_text(&w, GET, 1000);
    sent(&w, NULL, 0);
    assert_int_equal(deadline(&w), 61000);
    world_close(&w);
}

/* An exchange whose response is stuck is told that it is over. */
static void test_write_stall_of_a_call(void **state) {
    world w;
    (void)state;
    world_open(&w);
    w.body = 1000000; /* more than waits in the connection */
    feed_text(&w, GET, 1000);
    assert_true(connect_conn_output(w.conn).len > 0);
    assert_int_equal(w.seen[ON_CLOSED], 0);
    tick(&w, 31000);
    assert_int_equal(w.seen[ON_CLOSED], 1);
    assert_int_not_equal(w.closed_code, CONNECT_OK);
    assert_int_equal(wants(&w), 0);
    assert_int_equal(feed(&w, "x", 1, 31001), 1);
    world_close(&w);
}

static void test_unlimited(void **state) {
    world w;
    (void)state;
    world_open(&w);
    w.limits.header_ms = w.limits.idle_http1_ms = w.limits.write_stall_ms = CONNECT_UNLIMITED;
    tick(&w, 1000);
    assert_true(deadline(&w) == INT64_MAX);
    feed_text(&w, "GET", 2000);
    assert_true(deadline(&w) == INT64_MAX);
    feed_text(&w, &GET[3], 3000);
    assert_true(connect_conn_output(w.conn).len > 0);
    tick(&w, INT64_MAX / 2);
    assert_true(wants(&w) & WRITE);
    sent(&w, NULL, 0);
    assert_true(deadline(&w) == INT64_MAX);
    world_close(&w);
}

static void test_time_goes_forward_only(void **state) {
    world w;
    (void)state;
    world_open(&w);
    tick(&w, 5000);
    tick(&w, 1);
    assert_int_equal(w.conn->http.now_ms, 5000);
    assert_int_equal(deadline(&w), 15000);
    world_close(&w);
}

/* A transport may ask for output before it has fed anything: that starts no clock at 0. */
static void test_output_before_the_time_is_known(void **state) {
    world w;
    (void)state;
    world_open(&w);
    assert_int_equal(connect_conn_output(w.conn).len, 0);
    feed_text(&w, "G", 1000000000);
    assert_int_equal(wants(&w), READ);
    assert_int_equal(deadline(&w), 1000000000 + 10 * SECOND);
    world_close(&w);
}

static void test_due(void **state) {
    world w;
    (void)state;
    world_open(&w);
    w.silent = true;
    feed_text(&w, GET, 1000);
    cn_exchange_set_due(&w.x, 5000);
    assert_int_equal(w.outputs, 1); /* an earlier deadline must reach the transport */
    tick(&w, 1000);
    assert_int_equal(deadline(&w), 5000);
    cn_exchange_set_due(&w.x, 7000); /* later: noticed in time */
    assert_int_equal(w.outputs, 1);
    assert_true(deadline(&w) <= 7000);
    tick(&w, 5000);
    assert_int_equal(w.seen[ON_X_DUE], 0);
    assert_int_equal(deadline(&w), 7000);
    cn_conn_set_owner_due(w.conn, 6000);
    assert_int_equal(w.outputs, 2);
    tick(&w, 5001);
    assert_int_equal(deadline(&w), 6000);
    tick(&w, 6000);
    assert_int_equal(w.seen[ON_OWNER_DUE], 1);
    tick(&w, 6999);
    assert_int_equal(w.seen[ON_X_DUE], 0);
    tick(&w, 7000);
    assert_int_equal(w.seen[ON_X_DUE], 1);
    assert_int_equal(w.seen[ON_OWNER_DUE], 1);
    assert_true(deadline(&w) > 7000);
    world_close(&w);
}

/* ---- Wants ---- */

/* What comes while too much waits is not read. */
static void test_back_pressure(void **state) {
    world w;
    connect_str_t view;
    unsigned i;
    (void)state;
    world_open(&w);
    w.limits.connection_buffer = 1000;
    w.limits.stream_buffer = 1000;
    w.body = 900;
    for (i = 0; i < 40 && (wants(&w) & READ); i++) { /* output is seen, and not sent */
        size_t taken = feed(&w, GET, sizeof GET - 1, 1000);
        if (taken < sizeof GET - 1) break;
    }
    assert_true(i > 1 && i < 12);
    assert_int_equal(wants(&w), WRITE);
    view = connect_conn_output(w.conn);
    connect_conn_sent(w.conn, view.len);
    assert_true(wants(&w) & READ);
    world_close(&w);
}

static void test_end_of_input(void **state) {
    world w;
    (void)state;
    world_open(&w);
    cn_conn_eof(w.conn, 1000); /* before anything */
    assert_int_equal(wants(&w), 0);
    assert_int_equal(feed(&w, "GET", 3, 1000), 3);
    world_close(&w);
    world_open(&w);
    feed_text(&w, GET, 1000);
    cn_conn_eof(w.conn, 1001); /* what was received is still answered */
    assert_int_equal(wants(&w), WRITE);
    sent(&w, "HTTP/1.1 200", 12);
    assert_int_equal(wants(&w), 0);
    assert_int_equal(w.closed_code, CONNECT_OK);
    world_close(&w);
    world_open(&w);
    feed_text(&w, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab", 1000);
    assert_int_equal(w.seen[ON_DATA], 1);
    cn_conn_eof(w.conn, 1001);
    assert_int_equal(w.seen[ON_CLOSED], 1);
    assert_int_not_equal(w.closed_code, CONNECT_OK);
    sent(&w, NULL, 0);
    assert_int_equal(wants(&w), 0);
    world_close(&w);
}

static void test_drain(void **state) {
    world w;
    (void)state;
    world_open(&w);
    cn_conn_drain(w.conn, 5000); /* before a byte came */
    assert_int_equal(wants(&w), 0);
    world_close(&w);
    world_open(&w);
    feed_text(&w, GET, 1000);
    sent(&w, NULL, 0);
    cn_conn_drain(w.conn, 5000); /* idle */
    assert_int_equal(sent(&w, NULL, 0), 0);
    assert_int_equal(wants(&w), 0);
    world_close(&w);
    world_open(&w);
    w.silent = true;
    feed_text(&w, GET, 1000);
    cn_conn_drain(w.conn, 4000);    /* in a call that ends in time */
    assert_int_equal(w.outputs, 1); /* so that the time is told, from which on the grace counts */
    assert_int_not_equal(connect_conn_wants(w.conn), 0);
    assert_int_equal(deadline(&w), 1000);
    tick(&w, 1001);
    sent(&w, NULL, 0);
    assert_int_equal(deadline(&w), 5001);
    answer(&w);
    sent(&w, "HTTP/1.1 200", 12);
    assert_int_equal(wants(&w), 0);
    assert_int_equal(w.closed_code, CONNECT_OK);
    world_close(&w);
    world_open(&w);
    w.silent = true;
    feed_text(&w, GET, 1000);
    cn_conn_drain(w.conn, 4000); /* in one that does not */
    tick(&w, 1001);
    tick(&w, 5000);
    assert_int_equal(w.seen[ON_CLOSED], 0);
    tick(&w, 5001);
    assert_int_equal(w.seen[ON_CLOSED], 1);
    assert_int_not_equal(w.closed_code, CONNECT_OK);
    assert_int_equal(wants(&w), 0);
    world_close(&w);
}

static void test_refused(void **state) {
    world w;
    (void)state;
    world_open(&w);
    w.refuse = true;
    feed_text(&w, GET, 1000);
    sent(&w, "HTTP/1.1 503", 12);
    assert_int_equal(w.seen[ON_CLOSED], 0);
    world_close(&w);
}

static void test_client(void **state) {
    world w;
    char longer[400];
    (void)state;
    world_init(&w, NULL);
    assert_true(world_connect(&w, false, true, false));
    assert_int_not_equal(wants(&w), 0);
    assert_int_equal(w.seen[ON_ROOM], 0);
    tick(&w, 1000); /* a transport of the user's: the first feed opens it */
    assert_int_equal(w.seen[ON_ROOM], 1);
    assert_int_equal(w.conn->http.version->number, CONNECT_HTTP_1);
    tick(&w, 1001);
    assert_int_equal(w.seen[ON_ROOM], 1);
    world_close(&w);
    world_init(&w, NULL);
    assert_true(world_connect(&w, false, false, true));
    cn_conn_set_transport(w.conn, on_abandon, &w);
    w.conn->opens_later = true;
    tick(&w, 1000); /* one that says itself when it is open */
    assert_int_equal(w.seen[ON_ROOM], 0);
    assert_true(deadline(&w) == INT64_MAX); /* dialling has its own time limit */
    connect_conn_opened(w.conn, 1500);
    assert_int_equal(w.seen[ON_ROOM], 1);
    assert_int_equal(w.conn->http.version->number, CONNECT_HTTP_2);
    sent(&w, PREFACE, 24);
    memset(longer, 'f', sizeof longer);
    longer[sizeof longer - 1] = 0;
    cn_conn_set_failure(w.conn, ECONNRESET, longer);
    cn_conn_set_failure(w.conn, EPIPE, "the second one is only its consequence");
    assert_int_equal(w.conn->os_error, ECONNRESET);
    assert_int_equal(strlen(w.conn->http.failure), 255);
    cn_conn_abort(w.conn);
    assert_int_equal(w.abandoned, 1);
    assert_int_equal(w.lost, 1);
    world_free(&w);
}

/* The owner goes away; the user's transport still has the connection. */
static void test_abort(void **state) {
    world w;
    (void)state;
    world_open(&w);
    w.silent = true;
    feed_text(&w, GET, 1000);
    w.depth++; /* its owner calls it between enter and leave */
    cn_conn_abort(w.conn);
    w.depth--;
    assert_int_equal(w.lost, 1);
    assert_int_equal(w.seen[ON_CLOSED], 1);
    assert_true(cn_list_empty(&w.conns));
    assert_int_equal(wants(&w), 0);
    assert_int_equal(feed(&w, "more", 4, 2000), 4);
    assert_int_equal(connect_conn_output(w.conn).len, 0);
    assert_int_equal(wants(&w), 0);
    connect_conn_close(w.conn);
    assert_int_equal(w.lost, 1);
    world_free(&w);
}

/* ---- Closing inside an event ---- */

static void test_close_inside(void **state) {
    static const char post1[] = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde" GET;
    static const char post2[] = PREFACE SETTINGS "\0\0\6\1\4\0\0\0\1\x83\x86\x84\x41\1a\0\0\5\0\1\0\0\0\1"
                                                 "abcde" HEADERS;
    event e;
    int version, pieces;
    (void)state;
    for (version = 1; version <= 2; version++)
        for (pieces = 0; pieces < 2; pieces++)
            for (e = ON_BEGIN; e <= ON_CLOSED; e++) {
                const char *bytes = version == 1 ? post1 : post2;
                size_t len = version == 1 ? sizeof post1 - 1 : sizeof post2 - 1, at = 0;
                world w;
                if (e == ON_X_DUE) continue;
                world_open(&w);
                w.close_in = e;
                while (at < len && w.lost == 0) {
                    size_t step = pieces ? 1 : len - at;
                    size_t taken = feed(&w, bytes + at, step, 1000);
                    at += taken;
                    if (w.lost == 0 && w.conn) {
                        connect_str_t view = connect_conn_output(w.conn);
                        if (w.lost) {
                            assert_int_equal(view.len, 0);
                            break;
                        }
                        connect_conn_sent(w.conn, view.len);
                    }
                    if (taken == 0 && at < len && w.lost == 0 && !(wants(&w) & READ)) break;
                }
                if (w.lost != 1) fail_msg("HTTP/%d, event %d: still there", version, (int)e);
                assert_int_equal(w.close_in, NO_EVENT);
                assert_true(w.left);
                world_free(&w);
            }
}

static void test_close_inside_due(void **state) {
    event e;
    (void)state;
    for (e = ON_X_DUE; e <= ON_OWNER_DUE; e = e == ON_X_DUE ? ON_OWNER_DUE : EVENTS) {
        world w;
        world_open(&w);
        w.silent = true;
        feed_text(&w, GET, 1000);
        cn_exchange_set_due(&w.x, 2000);
        cn_conn_set_owner_due(w.conn, 2000);
        w.close_in = e;
        tick(&w, 2000);
        assert_int_equal(w.lost, 1);
        assert_int_equal(w.seen[ON_CLOSED], 1);
        world_free(&w);
    }
}

static void test_close_inside_room(void **state) {
    world w;
    int version;
    (void)state;
    for (version = 1; version <= 2; version++) {
        world_init(&w, NULL);
        assert_true(world_connect(&w, false, version == 1, version == 2));
        w.close_in = ON_ROOM;
        tick(&w, 1000);
        assert_int_equal(w.lost, 1);
        world_free(&w);
    }
}

/* While it is being freed, the exchanges' last event may close it once more. */
static void test_close_inside_close(void **state) {
    world w;
    (void)state;
    world_open(&w);
    w.silent = true;
    feed_text(&w, GET, 1000);
    w.close_in = ON_CLOSED;
    connect_conn_close(w.conn);
    assert_int_equal(w.lost, 1);
    assert_int_equal(w.seen[ON_CLOSED], 1);
    world_free(&w);
}

/* ---- No memory ---- */

static bool run_with_allocator(const connect_allocator_t *allocator, void *arg) {
    const bool http2 = arg != NULL;
    world w;
    bool ok = false;
    world_init(&w, allocator);
    w.body = 3000;
    if (world_connect(&w, true, true, true)) {
        int i;
        for (i = 0; i < 2 && wants(&w); i++) {
            connect_str_t view;
            size_t total = 0;
            if (!http2)
                feed(&w, GET, sizeof GET - 1, 1000);
            else if (i == 0)
                feed(&w, PREFACE SETTINGS HEADERS, 48, 1000);
            else
                feed(&w, "\0\0\6\1\5\0\0\0\3\x83\x86\x84\x41\1a", 15, 1000);
            while ((view = connect_conn_output(w.conn)).len) {
                total += view.len;
                connect_conn_sent(w.conn, view.len);
            }
            ok = total > 3000 && w.seen[ON_CLOSED] == (unsigned)i + 1 && w.closed_code == CONNECT_OK;
        }
        ok = ok && i == 2;
        connect_conn_close(w.conn);
        assert_int_equal(w.lost, 1);
    }
    world_free(&w);
    return ok;
}
static void test_allocations(void **state) {
    static int http2;
    (void)state;
    sweep_allocations(run_with_allocator, NULL);
    sweep_allocations(run_with_allocator, &http2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_one_version_only),
        cmocka_unit_test(test_nothing_comes),
        cmocka_unit_test(test_header_timeout),
        cmocka_unit_test(test_header_timeout_of_the_second_request),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_not_idle),
        cmocka_unit_test(test_write_stall),
        cmocka_unit_test(test_write_stall_of_a_call),
        cmocka_unit_test(test_unlimited),
        cmocka_unit_test(test_time_goes_forward_only),
        cmocka_unit_test(test_output_before_the_time_is_known),
        cmocka_unit_test(test_due),
        cmocka_unit_test(test_back_pressure),
        cmocka_unit_test(test_end_of_input),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_client),
        cmocka_unit_test(test_abort),
        cmocka_unit_test(test_close_inside),
        cmocka_unit_test(test_close_inside_due),
        cmocka_unit_test(test_close_inside_room),
        cmocka_unit_test(test_close_inside_close),
        cmocka_unit_test(test_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
