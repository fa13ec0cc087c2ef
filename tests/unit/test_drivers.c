/* One list of calls over everything that can carry them: sockets (here by epoll; test_drivers_kqueue.c runs the same by
   kqueue), loops inside of a foreign poll, a server in memory, and connections without any I/O. Handlers and callers are
   the same; what differs is how time goes by. test_drivers_memory.c runs what needs no sockets in a build without. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"
#include "pair.h"
#if CONNECT_ENABLE_SOCKETS
#include <poll.h>
#endif

typedef struct world world;
typedef struct driver {
    const char *name;
    void (*open)(world *w, connect_client_options_t *client);
    void (*step)(world *w); /* lets happen what can happen in about a millisecond */
    void (*close)(world *w);
} driver;

typedef struct side {     /* what one end saw of the one call */
    connect_call_t *call; /* NULL: over */
    int opened, messages, ended, closed, drained, canceled, again;
    int64_t sum; /* of the messages' numbers */
    connect_code_t code;
    bool from_peer;
    size_t details;
    char text[64], header[8], trailer[8];
} side;

struct world {
    const driver *driver;
    const char *scenario;
    pair_kind kind;
    connect_server_t *server;
    connect_client_t *client;
    connect_loop_t *loop, *client_loop;
    pair pair;
    side served, called;
    int left, sent;       /* requests that the client has to send; messages sent by who floods */
    bool floods, pausing; /* floods: sends until this is taken back; pausing: the receiver takes one, and waits */
    const char *command;
};

static void expect(const world *w, bool holds, int line, const char *what) {
    if (!holds) fail_msg("line %d, %s, %s, %s: %s", line, w->driver->name, w->scenario, pair_name(&w->kind), what);
}
#define EXPECT(w, what) expect((w), (what), __LINE__, #what)

static void step_until(world *w, bool (*done)(const world *w)) {
    int steps;
    for (steps = 0; !done(w); steps++) {
        EXPECT(w, steps < 10000);
        w->driver->step(w);
    }
}
static void steps(world *w, int count) {
    while (count-- > 0)
        w->driver->step(w);
}
static bool both_closed(const world *w) {
    return w->called.closed && !w->served.call;
}
static bool server_has_call(const world *w) {
    return w->served.call != NULL;
}
static bool server_has_message(const world *w) {
    return w->served.call != NULL && w->served.messages > 0;
}
static bool server_is_done(const world *w) {
    return cn_server_is_done(w->server);
}

/* ---- The handlers ------------------------------------------------------------------------------------------------ */

/* Sends while that is taken. */
static void flood(world *w, side *from) {
    static char filler[20000];
    note n;
    memset(&n, 0, sizeof n);
    memset(filler, 'x', sizeof filler);
    n.text.data = filler;
    n.text.len = sizeof filler;
    while (w->floods) {
        connect_io_t io;
        n.number = w->sent + 1;
        io = connect_call_send(from->call, &n);
        if (io == CONNECT_IO_AGAIN) from->again++;
        if (io != CONNECT_IO_OK) return;
        w->sent++;
        EXPECT(w, w->sent < 20000);
    }
}

/* Both ends of a Unix socket are this process; others do not tell. */
static void check_peer(const world *w, const connect_call_t *call) {
    const connect_peer_t *peer = &connect_call_info(call)->peer;
    if (strcmp(w->driver->name, "Unix sockets") == 0)
        EXPECT(w, peer->pid == getpid() && peer->uid == (int64_t)getuid() && peer->gid == (int64_t)getgid());
    else
        EXPECT(w, peer->pid == -1 && peer->uid == -1 && peer->gid == -1);
    if (strcmp(w->driver->name, "loopback") == 0) EXPECT(w, strcmp(peer->address, "memory:") == 0);
}

static void serve_canceled(connect_call_t *call, void *arg) {
    world *w = (world *)arg;
    w->served.canceled++;
    w->served.call = NULL;
    connect_call_finish(call, CONNECT_CANCELED, NULL);
}
static connect_code_t serve_fail(connect_call_t *call) {
    fault f = {7, {"because", 7}};
    assert_true(connect_call_set_trailer(call, "x-tail", connect_str_of("b")));
    assert_true(connect_call_add_detail(call, &fault_type, &f));
    return connect_call_fail(call, CONNECT_ABORTED, "no %s", "way");
}
static connect_code_t serve_open(connect_call_t *call, void *user) {
    world *w = (world *)user;
    w->served.opened++;
    check_peer(w, call);
    assert_true(connect_call_set_header(call, "x-head", connect_str_of("a")));
    return CONNECT_OK;
}
static connect_code_t serve_request(connect_call_t *call, const void *request, void *response, void *user) {
    world *w = (world *)user;
    const note *asked = (const note *)request;
    note n;
    w->served.messages++;
    if (connect_str_equal(asked->text, connect_str_of("fail"))) return serve_fail(call);
    assert_true(connect_call_set_trailer(call, "x-tail", connect_str_of("b")));
    if (connect_str_equal(asked->text, connect_str_of("hang")) ||
        connect_str_equal(asked->text, connect_str_of("flood"))) {
        w->served.call = call;
        if (response) connect_call_on_cancel(call, serve_canceled, w);
        return CONNECT_LATER;
    }
    if (response) {
        *(note *)response = *asked;
        return CONNECT_OK;
    }
    n = *asked;
    for (n.number = 1; n.number <= 3; n.number++)
        EXPECT(w, connect_call_send(call, &n) == CONNECT_IO_OK);
    return CONNECT_OK;
}
static connect_io_t serve_message(connect_call_t *call, const void *message, void *user) {
    world *w = (world *)user;
    const note *asked = (const note *)message;
    w->served.call = call;
    w->served.messages++;
    w->served.sum += asked->number;
    if (w->pausing) {
        connect_call_pause(call);
        return CONNECT_IO_OK;
    }
    if (connect_str_equal(asked->text, connect_str_of("fail"))) {
        connect_call_finish(call, serve_fail(call), NULL);
        return CONNECT_IO_END;
    }
    if (w->kind.kind == CONNECT_BIDI_STREAM && connect_str_equal(asked->text, connect_str_of("echo")))
        EXPECT(w, connect_call_send(call, asked) == CONNECT_IO_OK);
    return CONNECT_IO_OK;
}
static connect_code_t serve_end(connect_call_t *call, void *response, void *user) {
    world *w = (world *)user;
    w->served.ended++;
    w->served.call = call;
    if (strcmp(w->command, "hang") == 0 || (strcmp(w->command, "flood") == 0 && w->floods)) return CONNECT_LATER;
    assert_true(connect_call_set_trailer(call, "x-tail", connect_str_of("b")));
    if (response) {
        ((note *)response)->text = connect_str_of(w->command);
        ((note *)response)->number = (int32_t)w->served.sum;
    }
    return CONNECT_OK;
}
static void serve_writable(connect_call_t *call, void *user) {
    world *w = (world *)user;
    if (w->served.call == call && w->floods && w->kind.kind == CONNECT_SERVER_STREAM) flood(w, &w->served);
}
static void serve_drain(connect_call_t *call, void *user) {
    world *w = (world *)user;
    static const note bye = {{"bye", 3}, 1, {NULL, 0}, NULL, {NULL, 0}};
    w->served.drained++;
    w->served.call = NULL;
    connect_call_finish(call, CONNECT_OK, w->kind.kind == CONNECT_SERVER_STREAM ? NULL : &bye);
}
static void serve_closed(connect_call_t *call, const connect_error_t *error, void *user) {
    world *w = (world *)user;
    (void)call;
    w->served.call = NULL;
    w->served.closed++;
    w->served.code = error ? error->code : CONNECT_OK;
}
static const connect_events_t serve_events = {
    serve_open, serve_request, serve_message, serve_end, serve_writable, serve_drain, serve_closed};

/* ---- The caller -------------------------------------------------------------------------------------------------- */

static void copy_text(char *to, size_t size, connect_str_t text) {
    snprintf(to, size, CONNECT_STR_FMT, CONNECT_STR_ARG(text));
}
static void call_send(world *w) {
    note n;
    memset(&n, 0, sizeof n);
    n.text = connect_str_of(w->command);
    while (w->left) {
        connect_io_t io;
        n.number = w->sent + 1;
        io = connect_call_send(w->called.call, &n);
        if (io != CONNECT_IO_OK) return;
        w->sent++;
        if (--w->left == 0) connect_call_finish(w->called.call, CONNECT_OK, NULL);
    }
}
static connect_code_t call_open(connect_call_t *call, void *user) {
    world *w = (world *)user;
    w->called.opened++;
    check_peer(w, call);
    copy_text(
        w->called.header, sizeof w->called.header, connect_headers_get(connect_call_info(call)->headers, "x-head", 0));
    return CONNECT_OK;
}
static connect_io_t call_message(connect_call_t *call, const void *message, void *user) {
    world *w = (world *)user;
    const note *got = (const note *)message;
    w->called.messages++;
    w->called.sum += got->number;
    copy_text(w->called.text, sizeof w->called.text, got->text);
    if (w->pausing && w->kind.kind == CONNECT_SERVER_STREAM) connect_call_pause(call);
    return CONNECT_IO_OK;
}
static void call_writable(connect_call_t *call, void *user) {
    world *w = (world *)user;
    if (!w->called.call) w->called.call = call;
    if (w->floods)
        flood(w, &w->called);
    else
        call_send(w);
}
static void call_closed(connect_call_t *call, const connect_error_t *error, void *user) {
    world *w = (world *)user;
    copy_text(w->called.trailer, sizeof w->called.trailer,
        connect_headers_get(connect_call_info(call)->trailers, "x-tail", 0));
    w->called.call = NULL;
    w->called.closed++;
    if (!error) return;
    w->called.code = error->code;
    w->called.from_peer = error->from_peer;
    w->called.details = error->details.count;
    copy_text(w->called.text, sizeof w->called.text, error->message);
}
static const connect_events_t call_events = {call_open, NULL, call_message, NULL, call_writable, NULL, call_closed};

static bool is_single(const world *w) {
    return w->kind.kind == CONNECT_UNARY || w->kind.kind == CONNECT_SERVER_STREAM;
}
/* Starts a call. count: requests, if there may be several; 0: the call stays open. */
static void start(world *w, const char *command, int count, uint32_t timeout_ms) {
    connect_call_options_t options;
    connect_error_t error;
    note n;
    memset(&options, 0, sizeof options);
    memset(&w->called, 0, sizeof w->called);
    memset(&w->served, 0, sizeof w->served);
    memset(&n, 0, sizeof n);
    w->command = command;
    w->left = is_single(w) ? 0 : count;
    w->sent = 0;
    options.timeout_ms = timeout_ms;
    w->called.call = connect_client_start(w->client, &note_methods[w->kind.kind], &call_events, w, &options, &error);
    if (!w->called.call) { /* it could not even be tried */
        w->called.closed = 1;
        w->called.code = error.code;
        return;
    }
    n.text = connect_str_of(command);
    n.number = 1;
    if (is_single(w))
        connect_call_finish(w->called.call, CONNECT_OK, &n);
    else if (count == 0 && !w->floods)
        EXPECT(w, connect_call_send(w->called.call, &n) == CONNECT_IO_OK);
}

/* ---- The scenarios ----------------------------------------------------------------------------------------------- */

static void run_echo(world *w) {
    static const int messages[4] = {1, 1, 3, 3}, sums[4] = {1, 6, 6, 6};
    int calls;
    for (calls = 0; calls < 3; calls++) {
        start(w, "echo", 3, 0);
        step_until(w, both_closed);
        EXPECT(w, w->called.code == CONNECT_OK && w->called.closed == 1 && w->called.opened == 1);
        EXPECT(w, w->called.messages == messages[w->kind.kind] && w->called.sum == sums[w->kind.kind]);
        EXPECT(w, strcmp(w->called.text, "echo") == 0);
        EXPECT(w, strcmp(w->called.header, "a") == 0 && strcmp(w->called.trailer, "b") == 0);
        EXPECT(w, w->served.opened == 1 && w->served.messages == (is_single(w) ? 1 : 3));
    }
}

static void run_errors(world *w) {
    start(w, "fail", 1, 0);
    step_until(w, both_closed);
    EXPECT(w, w->called.code == CONNECT_ABORTED && w->called.from_peer && w->called.details == 1);
    EXPECT(w, strcmp(w->called.text, "no way") == 0 && strcmp(w->called.trailer, "b") == 0);
    EXPECT(w, w->called.messages == 0 && w->called.closed == 1);
    start(w, "echo", 1, 0); /* the connection is good, or there is another */
    step_until(w, both_closed);
    EXPECT(w, w->called.code == CONNECT_OK);
}

static void run_deadlines(world *w) {
    start(w, "hang", 0, 25);
    step_until(w, both_closed);
    EXPECT(w, w->called.code == CONNECT_DEADLINE_EXCEEDED && w->called.closed == 1);
    EXPECT(w, w->served.messages <= 1); /* a slow machine: it never came that far */
    if (w->served.messages && w->kind.kind == CONNECT_UNARY) EXPECT(w, w->served.canceled == 1);
    if (w->served.messages && w->kind.kind != CONNECT_UNARY)
        EXPECT(w, w->served.closed == 1 && w->served.code != CONNECT_OK);
}

static void run_cancellation(world *w) {
    start(w, "hang", 0, 0);
    step_until(w, server_has_message);
    connect_call_finish(w->called.call, CONNECT_CANCELED, NULL);
    step_until(w, both_closed);
    EXPECT(w, w->called.code == CONNECT_CANCELED && w->called.closed == 1);
    if (w->kind.kind == CONNECT_UNARY)
        EXPECT(w, w->served.canceled == 1);
    else
        EXPECT(w, w->served.closed == 1 && w->served.code == CONNECT_CANCELED);
    start(w, "echo", 1, 0);
    step_until(w, both_closed);
    EXPECT(w, w->called.code == CONNECT_OK);
}

/* One end sends all it can while the other takes nothing: that costs buffers and windows, and not more. */
static void run_backpressure(world *w) {
    bool server_sends = w->kind.kind == CONNECT_SERVER_STREAM;
    const side *to = server_sends ? &w->called : &w->served;
    int before, calm = 0;
    if (w->kind.kind == CONNECT_UNARY || strcmp(w->kind.codec, "json") == 0) return;
    w->floods = w->pausing = true;
    start(w, "flood", 0, 0);
    step_until(w, server_has_call);
    while (calm < 30 || to->messages == 0) {
        before = w->sent;
        w->driver->step(w);
        calm = w->sent == before ? calm + 1 : 0;
    }
    EXPECT(w, (server_sends ? w->served.again : w->called.again) > 0);
    EXPECT(w, to->messages == 1);
    w->floods = w->pausing = false;
    connect_call_resume(to->call);
    connect_call_finish(server_sends ? w->served.call : w->called.call, CONNECT_OK, NULL);
    if (server_sends) w->served.call = NULL;
    step_until(w, both_closed);
    EXPECT(w, w->called.code == CONNECT_OK && to->messages == w->sent);
    EXPECT(w, to->sum == (int64_t)w->sent * (w->sent + 1) / 2);
}

static void run_drain(world *w) {
    start(w, "hang", 0, 0);
    step_until(w, server_has_message);
    connect_server_drain(w->server, 5000);
    step_until(w, both_closed);
    EXPECT(w, w->served.drained == 1);
    EXPECT(w, w->called.code == CONNECT_OK);
    EXPECT(w, w->called.messages == (w->kind.kind == CONNECT_SERVER_STREAM ? 0 : 1));
    step_until(w, server_is_done);
    start(w, "echo", 1, 0);
    step_until(w, both_closed);
    EXPECT(w, w->called.code == CONNECT_UNAVAILABLE && w->served.opened == 0);
}

static void run_server_gone(world *w) {
    start(w, "hang", 0, 0);
    step_until(w, server_has_message);
    connect_server_free(w->server);
    w->server = w->pair.server = NULL;
    w->pair.dial_code = CONNECT_UNAVAILABLE; /* what has no side effects is sent again: in vain */
    step_until(w, both_closed);
    EXPECT(w, w->called.code == CONNECT_UNAVAILABLE);
    EXPECT(w, w->kind.kind == CONNECT_UNARY ? w->served.canceled == 1 : w->served.closed == 1);
}

/* A server that has no connection left. */
static void run_refused(world *w) {
    bool by_call = strcmp(w->driver->name, "loopback") == 0; /* nothing is in between: the server's own reason */
    w->server->limits.connections = 0;
    start(w, "", 1, 0);
    step_until(w, both_closed);
    EXPECT(w, w->called.code == (by_call ? CONNECT_RESOURCE_EXHAUSTED : CONNECT_UNAVAILABLE));
    EXPECT(w, w->served.opened == 0);
}

static void run_client_gone(world *w) {
    start(w, "hang", 0, 0);
    step_until(w, server_has_message);
    connect_client_free(w->client);
    w->client = w->pair.client = NULL;
    EXPECT(w, w->called.closed == 1 && w->called.code == CONNECT_CANCELED);
    step_until(w, both_closed);
    if (w->kind.kind == CONNECT_UNARY)
        EXPECT(w, w->served.canceled == 1);
    else
        EXPECT(w, w->served.closed == 1 && w->served.code == CONNECT_CANCELED);
}

/* ---- The drivers ------------------------------------------------------------------------------------------------- */

#if CONNECT_ENABLE_SOCKETS
static void loop_open(world *w, const char *address, connect_client_options_t *client) {
    static char text[64];
    connect_error_t error;
    int port = connect_server_listen(w->server, address, NULL, &error);
    assert_true(port >= 0);
    snprintf(text, sizeof text, "127.0.0.1:%d", port);
    client->address = port ? text : address;
}
static void one_loop(world *w, connect_client_options_t *client) {
    connect_error_t error;
    w->loop = connect_loop_new(NULL, &error);
    assert_non_null(w->loop);
    client->loop = w->server->loop = w->loop;
}
static void tcp_open(world *w, connect_client_options_t *client) {
    one_loop(w, client);
    loop_open(w, "127.0.0.1:0", client);
}
static void unix_open(world *w, connect_client_options_t *client) {
    static char address[64];
    one_loop(w, client);
    snprintf(address, sizeof address, "unix:/tmp/connect-drivers-%ld", (long)getpid());
    loop_open(w, address, client);
}
static void loopback_open(world *w, connect_client_options_t *client) {
    one_loop(w, client);
    client->loopback = w->server;
}
static void loop_step(world *w) {
    connect_loop_run(w->loop, 1);
}
static void loop_close(world *w) {
    connect_loop_free(w->loop);
}
/* Two loops, each with an end, in one poll: a wake-up that is not told outside would show. */
static void foreign_open(world *w, connect_client_options_t *client) {
    connect_error_t error;
    tcp_open(w, client);
    w->client_loop = client->loop = connect_loop_new(NULL, &error);
    assert_non_null(w->client_loop);
}
static void foreign_step(world *w) {
    connect_loop_t *loops[2];
    struct pollfd watch[2];
    int i, timeout_ms = 1, due_ms[2];
    loops[0] = w->loop;
    loops[1] = w->client_loop;
    for (i = 0; i < 2; i++) {
        watch[i].fd = connect_loop_fd(loops[i]);
        watch[i].events = POLLIN;
        due_ms[i] = connect_loop_timeout_ms(loops[i]);
        if (due_ms[i] == 0) timeout_ms = 0;
    }
    poll(watch, 2, timeout_ms);
    for (i = 0; i < 2; i++) /* only those that said so */
        if (watch[i].revents || connect_loop_timeout_ms(loops[i]) == 0) connect_loop_run(loops[i], 0);
}
static void foreign_close(world *w) {
    connect_loop_free(w->client_loop);
    connect_loop_free(w->loop);
}
#else
/* Without sockets a client runs its loopback only while a function waits: here, by hand. */
static void loopback_open(world *w, connect_client_options_t *client) {
    client->loopback = w->server;
    w->pair.now = 0;
}
static void loopback_step(world *w) {
    bool is_freed;
    w->pair.now++;
    if (w->client) cn_loopback_carry(w->client->loopback, w->pair.now, &is_freed);
}
static void loopback_close(world *w) {
    (void)w;
}
#endif

static void pair_driver_open(world *w, connect_client_options_t *client) {
    pair_init(&w->pair);
    w->pair.server = w->server;
    client->dial = pair_dial;
    client->user = &w->pair;
}
static void pair_odd_open(world *w, connect_client_options_t *client) {
    pair_driver_open(w, client);
    w->pair.mode = PAIR_ODD;
}
static void pair_step(world *w) {
    pair_advance(&w->pair, 1);
}
static void pair_driver_close(world *w) {
    pair_close(&w->pair);
    pair_forget(&w->pair);
}

static const driver drivers[] = {
#if CONNECT_ENABLE_SOCKETS
    {"TCP", tcp_open, loop_step, loop_close},
    {"Unix sockets", unix_open, loop_step, loop_close},
    {"foreign loop", foreign_open, foreign_step, foreign_close},
    {"loopback", loopback_open, loop_step, loop_close},
#else
    {"loopback", loopback_open, loopback_step, loopback_close},
#endif
    {"no I/O", pair_driver_open, pair_step, pair_driver_close},
    {"no I/O, odd pieces", pair_odd_open, pair_step, pair_driver_close},
};
typedef struct scenario {
    const char *name;
    void (*run)(world *w);
} scenario;
static const scenario scenarios[] = {{"echo", run_echo}, {"errors", run_errors}, {"deadlines", run_deadlines},
    {"cancellation", run_cancellation}, {"backpressure", run_backpressure}, {"drain", run_drain},
    {"refused", run_refused}, {"the server goes", run_server_gone}, {"the client goes", run_client_gone}};

static void run_all_kinds(const driver *by, const scenario *what) {
    pair_kind kind;
    size_t i = 0;
    while (pair_next(&kind, &i)) {
        connect_client_options_t options;
        connect_error_t error;
        world w;
        memset(&w, 0, sizeof w);
        memset(&options, 0, sizeof options);
        w.driver = by;
        w.scenario = what->name;
        w.kind = kind;
        w.command = "";
        w.server = connect_server_new(NULL, &error);
        assert_non_null(w.server);
        w.pair.server = w.server;
        pair_serve(&w.pair, &serve_events, &w);
        by->open(&w, &options);
        options.protocol = kind.protocol;
        options.http = kind.http;
        options.codec = kind.codec;
        options.accept = "identity"; /* or what floods hardly counts */
        w.client = connect_client_new("http://drivers", &options, &error);
        assert_non_null(w.client);
        what->run(&w);
        connect_client_free(w.client);
        w.client = NULL;
        steps(&w, 2);
        connect_server_free(w.server);
        w.server = w.pair.server = NULL;
        by->close(&w);
    }
}
static void test_one(void **state) {
    size_t n;
    memcpy(&n, state, sizeof n); /* the number of the test */
    run_all_kinds(&drivers[n / CN_LEN(scenarios)], &scenarios[n % CN_LEN(scenarios)]);
}

int main(void) {
    static struct CMUnitTest tests[CN_LEN(drivers) * CN_LEN(scenarios)];
    static char names[CN_LEN(tests)][64];
    size_t n, count = 0;
    memset(tests, 0, sizeof tests);
    for (n = 0; n < CN_LEN(tests); n++) {
        const driver *by = &drivers[n / CN_LEN(scenarios)];
        const scenario *what = &scenarios[n % CN_LEN(scenarios)];
        /* A loopback's server outlives its client (api/client.h). */
        if (strcmp(by->name, "loopback") == 0 && what->run == run_server_gone) continue;
        snprintf(names[count], sizeof names[count], "%s: %s", by->name, what->name);
        tests[count].name = names[count];
        tests[count].test_func = test_one;
        memcpy(&tests[count].initial_state, &n, sizeof n);
        count++;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
