/* The loop's tests once more, over kqueue(2) as tests/support/sys/event.h makes it of epoll; and the poller alone. */
#define _POSIX_C_SOURCE 200809L
#define _DEFAULT_SOURCE 1
#define CN_POLLER_KQUEUE 1
#include <sys/event.h> /* first: it has a close of its own */
#define main loop_main
#include "test_loop.c"
#undef main

typedef struct watched {
    int queue, ends[2];
} watched;

static void watched_init(watched *w) {
    w->queue = cn_poller_kqueue()->open();
    assert_true(w->queue >= 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, w->ends), 0);
}
static void watched_free(watched *w) {
    if (w->ends[0] >= 0) close(w->ends[0]);
    if (w->ends[1] >= 0) close(w->ends[1]);
    cn_poller_kqueue()->close(w->queue);
}
/* Returns what is told of the first end, at once; there is one event, or none. */
static unsigned told(watched *w) {
    cn_poll_event_t events[8];
    int count = cn_poller_kqueue()->wait(w->queue, events, 8, 0);
    assert_in_range(count, 0, 1);
    if (count == 0) return 0;
    assert_ptr_equal(events[0].data, w);
    return events[0].ready;
}
static void watch(watched *w, unsigned old, unsigned interest) {
    assert_true(cn_poller_kqueue()->watch(w->queue, w->ends[0], old, interest, w));
}

static void test_filters_are_joined(void **state) {
    watched w;
    (void)state;
    watched_init(&w);
    watch(&w, 0, CN_POLL_KNOWN | CN_POLL_WRITE);
    assert_int_equal(told(&w), CN_POLL_WRITE);
    watch(&w, CN_POLL_KNOWN | CN_POLL_WRITE, CN_POLL_KNOWN | CN_POLL_WRITE | CN_POLL_READ);
    assert_int_equal(write(w.ends[1], "x", 1), 1);
    assert_int_equal(told(&w), CN_POLL_READ | CN_POLL_WRITE);
    assert_int_equal(told(&w), CN_POLL_READ | CN_POLL_WRITE); /* level-triggered */
    watch(&w, CN_POLL_KNOWN | CN_POLL_WRITE | CN_POLL_READ, CN_POLL_KNOWN | CN_POLL_READ);
    assert_int_equal(told(&w), CN_POLL_READ);
    watch(&w, CN_POLL_KNOWN | CN_POLL_READ, 0);
    assert_int_equal(told(&w), 0);
    watched_free(&w);
}

/* What arrives is told to nobody who has not asked, nor does it end a wait again and again. */
static void test_known_alone(void **state) {
    cn_poll_event_t events[8];
    size_t waits;
    watched w;
    (void)state;
    watched_init(&w);
    assert_int_equal(write(w.ends[1], "x", 1), 1);
    watch(&w, 0, CN_POLL_KNOWN | CN_POLL_READ);
    watch(&w, CN_POLL_KNOWN | CN_POLL_READ, CN_POLL_KNOWN);
    assert_int_equal(told(&w), 0);
    waits = kqueue_waits;
    assert_int_equal(cn_poller_kqueue()->wait(w.queue, events, 8, 20), 0);
    assert_int_equal(kqueue_waits, waits + 1);
    watch(&w, CN_POLL_KNOWN, CN_POLL_KNOWN | CN_POLL_READ);
    assert_int_equal(told(&w), CN_POLL_READ);
    watched_free(&w);
}

static void test_ends(void **state) {
    watched w;
    (void)state;
    watched_init(&w);
    watch(&w, 0, CN_POLL_KNOWN | CN_POLL_READ);
    assert_int_equal(shutdown(w.ends[1], SHUT_WR), 0);
    assert_int_equal(told(&w), CN_POLL_READ); /* the end of the input is for read to find */
    watch(&w, CN_POLL_KNOWN | CN_POLL_READ, CN_POLL_KNOWN | CN_POLL_WRITE);
    assert_int_equal(told(&w), CN_POLL_WRITE);
    close(w.ends[1]);
    w.ends[1] = -1;
    assert_int_equal(told(&w), CN_POLL_WRITE | CN_POLL_HANGUP);
    watched_free(&w);
}

static void test_errors_come_unasked(void **state) {
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    watched w;
    (void)state;
    watched_init(&w);
    close(w.ends[0]);
    close(w.ends[1]);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (const struct sockaddr *)(const void *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)(void *)&address, &len), 0);
    w.ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(w.ends[0], (const struct sockaddr *)(const void *)&address, sizeof address), 0);
    w.ends[1] = accept(listener, NULL, NULL);
    watch(&w, 0, CN_POLL_KNOWN);
    assert_int_equal(told(&w), 0);
    {
        struct linger hard = {1, 0};
        setsockopt(w.ends[1], SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        close(w.ends[1]);
        w.ends[1] = -1;
    }
    assert_int_equal(told(&w), CN_POLL_ERROR);
    close(listener);
    watched_free(&w);
}

/* Whichever change fails, all is as it was. */
static void test_failing_changes(void **state) {
    static const unsigned interests[] = {CN_POLL_KNOWN, CN_POLL_KNOWN | CN_POLL_READ, CN_POLL_KNOWN | CN_POLL_WRITE,
        CN_POLL_KNOWN | CN_POLL_READ | CN_POLL_WRITE};
    size_t from, to, nth;
    (void)state;
    for (from = 0; from < 4; from++) {
        for (to = 0; to < 4; to++) {
            bool done = from == to;
            for (nth = 1; !done; nth++) {
                watched w;
                watched_init(&w);
                assert_int_equal(write(w.ends[1], "x", 1), 1);
                watch(&w, 0, interests[from]);
                kqueue_failing_change = nth;
                done = cn_poller_kqueue()->watch(w.queue, w.ends[0], interests[from], interests[to], &w);
                if (!done) assert_int_equal(errno, ENOMEM);
                kqueue_failing_change = 0;
                assert_int_equal(told(&w), interests[done ? to : from] & (CN_POLL_READ | CN_POLL_WRITE));
                watched_free(&w);
            }
        }
    }
}

static void test_it_was_kqueue(void **state) {
    (void)state;
    assert_true(kqueue_waits > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_was_kqueue),
        cmocka_unit_test(test_filters_are_joined),
        cmocka_unit_test(test_known_alone),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_errors_come_unasked),
        cmocka_unit_test(test_failing_changes),
    };
    int failed = loop_main();
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
