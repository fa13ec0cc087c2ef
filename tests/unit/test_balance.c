/* One connection that says honestly what it takes, policies over addresses and over members, backends that go and come
   again; with a clock of the test's. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"
#include "pair.h"
#include "town.h"

#define ok(c) ((c).closed == 1 && (c).code == CONNECT_OK)

/* ---- One connection ---- */

static void test_readiness(void **state) {
    connect_backend_t b;
    town t;
    town_call c[3], d;
    size_t events;
    (void)state;
    town_init(&t, 1, CONNECT_HTTP_2);
    town_open(&t, 0, 2);
    t.options.no_queue = true;
    town_build(&t);
    /* not connected: refused, nothing queues; and it is dialled now */
    assert_false(town_ask(&t, &c[0], &town_unsafe, "x", NULL));
    assert_int_equal(c[0].code, CONNECT_UNAVAILABLE);
    assert_int_equal(c[0].closed, 0);
    connect_client_connect(t.p.client);
    town_settle(&t);
    assert_true(t.backend_events > 0);
    assert_int_equal(connect_client_backends(t.p.client, &b, 1), 1);
    assert_string_equal(b.address, "a");
    assert_true(b.ready && b.calls == 0 && b.capacity == 2); /* as the peer said */
    /* up to its capacity, and no further */
    assert_true(town_ask(&t, &c[0], &town_unsafe, "hold", NULL));
    assert_true(town_ask(&t, &c[1], &town_unsafe, "hold", NULL));
    assert_false(town_ask(&t, &c[2], &town_unsafe, "hold", NULL));
    assert_string_equal(c[2].text, "no connection is ready to take a call (no_queue)");
    events = t.backend_events;
    town_settle(&t);
    assert_true(t.backend_events > events); /* not ready */
    connect_client_backends(t.p.client, &b, 1);
    assert_true(!b.ready && b.calls == 2);
    assert_int_equal(t.places[0].calls, 2);
    events = t.backend_events;
    town_finish(&t, 0, CONNECT_OK);
    town_settle(&t);
    assert_true(t.backend_events > events); /* ready again */
    assert_true(ok(c[0]));
    assert_true(town_ask(&t, &d, &town_unsafe, "x", NULL));
    town_settle(&t);
    assert_true(ok(d));
    assert_int_equal(t.places[0].dials, 1);
    /* lost, told so, and dialled again without being asked */
    events = t.backend_events;
    town_shut(&t, 0);
    town_settle(&t);
    assert_int_equal(c[1].closed, 1);
    assert_true(t.backend_events > events);
    connect_client_backends(t.p.client, &b, 1);
    assert_false(b.ready);
    assert_false(town_ask(&t, &d, &town_unsafe, "x", NULL));
    town_open(&t, 0, 0);
    town_advance(&t, 1000);
    connect_client_backends(t.p.client, &b, 1);
    assert_true(b.ready && b.capacity == 100);
    assert_true(town_ask(&t, &d, &town_unsafe, "x", NULL));
    town_settle(&t);
    assert_true(ok(d));
    town_free(&t);
}

/* HTTP/2: a connection is ready when its peer has shown itself, not when it is open. */
static void test_ready_by_settings(void **state) {
    connect_backend_t b;
    town t;
    (void)state;
    town_init(&t, 1, CONNECT_HTTP_2);
    t.places[0].mode = TOWN_MUTE;
    town_build(&t);
    connect_client_connect(t.p.client);
    town_advance(&t, 100);
    connect_client_backends(t.p.client, &b, 1);
    assert_false(b.ready);
    bytes_add(&t.p.links[0].down.sent, "\0\0\6\4\0\0\0\0\0\0\3\0\0\0\5", 15);
    town_settle(&t);
    connect_client_backends(t.p.client, &b, 1);
    assert_true(b.ready && b.capacity == 5);
    town_free(&t);
}

/* HTTP/1.1 without a queue: ready is a connection that does nothing. */
static void test_ready_http1(void **state) {
    connect_backend_t b;
    town t;
    town_call c, d;
    (void)state;
    town_init(&t, 1, CONNECT_HTTP_1);
    town_open(&t, 0, 0);
    t.options.no_queue = true;
    t.options.connections = 1;
    town_build(&t);
    connect_client_connect(t.p.client);
    town_settle(&t);
    assert_true(town_ask(&t, &c, &town_unsafe, "hold", NULL));
    assert_false(town_ask(&t, &d, &town_unsafe, "x", NULL));
    town_settle(&t);
    connect_client_backends(t.p.client, &b, 1);
    assert_true(!b.ready && b.calls == 1 && b.capacity == 1);
    town_finish(&t, 0, CONNECT_OK);
    town_settle(&t);
    assert_true(town_ask(&t, &d, &town_unsafe, "x", NULL));
    town_settle(&t);
    assert_true(ok(c) && ok(d));
    town_free(&t);
}

/* ---- Policies over addresses ---- */

static void test_round_robin(void **state) {
    town t;
    town_call c[30];
    size_t i;
    (void)state;
    town_init(&t, 3, CONNECT_HTTP_2);
    for (i = 0; i < 3; i++)
        town_open(&t, i, 0);
    t.options.pick = connect_pick_round_robin;
    town_build(&t);
    connect_client_connect(t.p.client);
    town_settle(&t);
    for (i = 0; i < 30; i++) {
        assert_true(town_ask(&t, &c[i], &town_unsafe, "x", NULL));
        if (i % 2) town_settle(&t);
    }
    town_settle(&t);
    for (i = 0; i < 30; i++)
        assert_true(ok(c[i]));
    for (i = 0; i < 3; i++) {
        assert_int_equal(t.places[i].calls, 10);
        assert_int_equal(t.places[i].dials, 1);
    }
    town_free(&t);
}

/* A backend that is lost gets no calls, and comes back by itself; with none of them calls fail, and then work again. */
static void test_lost_backends(void **state) {
    town t;
    town_call c;
    size_t i, k, before;
    (void)state;
    town_init(&t, 3, CONNECT_HTTP_2);
    for (i = 0; i < 3; i++)
        town_open(&t, i, 0);
    t.options.pick = connect_pick_round_robin;
    town_build(&t);
    connect_client_connect(t.p.client);
    town_settle(&t);
    for (k = 0; k < 3; k++) {
        connect_backend_t b[3];
        town_shut(&t, k);
        town_settle(&t);
        assert_int_equal(connect_client_backends(t.p.client, b, 3), 3);
        for (i = 0; i < 3; i++)
            assert_true(b[i].ready == (i != k));
        for (i = 0; i < 20; i++) {
            assert_true(town_ask(&t, &c, &town_unsafe, "x", NULL));
            town_advance(&t, 10);
            assert_true(ok(c) && c.from != (int)k);
        }
        assert_true(t.places[k].dials < 5); /* in 200 ms, with pauses */
        town_open(&t, k, 0);
        before = t.places[k].calls;
        town_advance(&t, 11000);
        for (i = 0; i < 6; i++) {
            assert_true(town_ask(&t, &c, &town_unsafe, "x", NULL));
            town_settle(&t);
            assert_true(ok(c));
        }
        assert_int_equal(t.places[k].calls, before + 2);
    }
    for (k = 0; k < 3; k++)
        town_shut(&t, k);
    town_advance(&t, 5000);
    assert_true(town_ask(&t, &c, &town_unsafe, "x", NULL));
    town_advance(&t, 11000);
    assert_true(c.closed == 1 && c.code == CONNECT_UNAVAILABLE);
    assert_string_equal(c.text, "refused");
    town_open(&t, 1, 0);
    assert_true(town_ask(&t, &c, &town_unsafe, "x", NULL));
    town_advance(&t, 11000);
    assert_true(ok(c) && c.from == 1);
    town_free(&t);
}

/* Four servers whose calls take different times: no server gets more than 1.1 of its share. The share of servers that
   are alike is a quarter; of a server that is slower, so much less as its calls take longer. Calls come one after the
   other in time, some run at once. */
static void test_least_loaded(void **state) {
    static const int64_t latencies[][4] = {{20, 20, 20, 20}, {5, 20, 40, 95}, {20, 20, 20, 80}, {20, 40, 40, 80}};
    size_t how;
    (void)state;
    for (how = 0; how < sizeof latencies / sizeof *latencies; how++) {
        static town_call c[4000];
        const bool by_call = how == 1; /* each call draws one of the four, wherever it goes */
        double speed = 0;
        uint32_t seed = 1;
        town t;
        size_t i, all = 0;
        town_init(&t, 4, CONNECT_HTTP_2);
        for (i = 0; i < 4; i++) {
            town_open(&t, i, 0);
            t.places[i].answers_after_ms = latencies[how][i];
            speed += 1 / (double)latencies[how][i];
        }
        t.options.pick = connect_pick_least_loaded;
        town_build(&t);
        connect_client_connect(t.p.client);
        town_settle(&t);
        for (i = 0; i < 4000; i++) {
            size_t k;
            seed = seed * 1664525u + 1013904223u;
            for (k = 0; by_call && k < 4; k++)
                t.places[k].answers_after_ms = latencies[how][seed >> 30];
            assert_true(town_ask(&t, &c[i], &town_unsafe, "x", NULL));
            town_advance(&t, 2);
        }
        town_advance(&t, 1000);
        for (i = 0; i < 4000; i++)
            assert_true(ok(c[i]));
        for (i = 0; i < 4; i++) {
            const double share = by_call ? 1000 : 4000 / (double)latencies[how][i] / speed;
            all += t.places[i].calls;
            if ((double)t.places[i].calls > 1.1 * share)
                fail_msg("%lu: server %lu got %lu calls, its share is %.0f", (unsigned long)how, (unsigned long)i,
                    (unsigned long)t.places[i].calls, share);
        }
        assert_int_equal(all, 4000);
        town_free(&t);
    }
}

/* A policy of one's own; `count` is: wait. */
typedef struct gate {
    size_t open, asked, last_seen;
} gate;
static size_t pick_gate(
    const connect_backend_t *backends, size_t count, size_t last, const connect_call_t *call, void *user) {
    gate *g = (gate *)((town *)user)->places[0].in->listed[TOWN_PLACES - 1];
    (void)backends;
    assert_string_equal(connect_call_info(call)->method->path, "/test.v1.Notes/Unary");
    g->asked++;
    g->last_seen = last;
    return g->open < count ? g->open : count;
}
static void test_own_policy(void **state) {
    town t;
    town_call c;
    gate g = {9, 0, 0};
    (void)state;
    town_init(&t, 2, CONNECT_HTTP_2);
    town_open(&t, 0, 0);
    town_open(&t, 1, 0);
    t.listed[TOWN_PLACES - 1] = (const char *)&g;
    t.options.pick = pick_gate;
    town_build(&t);
    connect_client_connect(t.p.client);
    town_settle(&t);
    assert_true(town_ask(&t, &c, &town_unsafe, "x", NULL));
    town_advance(&t, 100);
    assert_true(c.closed == 0 && g.asked > 0);
    g.open = 1;
    cn_client_step(t.p.client); /* something happened */
    town_settle(&t);
    assert_true(ok(c) && c.from == 1);
    assert_true(town_ask(&t, &c, &town_unsafe, "x", NULL));
    assert_int_equal(g.last_seen, 1);
    town_settle(&t);
    assert_true(ok(c));
    town_free(&t);
}

/* ---- Members ---- */

static void test_members(void **state) {
    static const char *const urls[] = {"http://a/one", "http://b"};
    failing_allocator memory;
    connect_client_options_t options;
    connect_client_t *members[2];
    connect_error_t error;
    connect_backend_t b[2];
    town t;
    town_call c;
    size_t i, k;
    (void)state;
    failing_init(&memory, SIZE_MAX, false);
    town_init(&t, 2, CONNECT_HTTP_2);
    for (i = 0; i < 2; i++) {
        connect_client_options_t single;
        town_open(&t, i, 0);
        memset(&single, 0, sizeof single);
        single.allocator = &memory.allocator;
        single.http = CONNECT_HTTP_2;
        single.no_queue = true;
        single.dial = town_dial;
        single.user = &t;
        single.address = NULL;
        members[i] = connect_client_new(i ? "http://b:80" : "http://a:80", &single, &error);
        assert_non_null(members[i]);
        t.places[i].address = i ? "b:80" : "a:80";
        town_be_host(&t, members[i]);
    }
    (void)urls;
    memset(&options, 0, sizeof options);
    options.allocator = &memory.allocator;
    options.members = members;
    options.member_count = 2;
    options.pick = connect_pick_round_robin;
    options.on_backends = town_backends;
    options.user = &t;
    assert_null(connect_client_new("http://c", &options, &error));
    assert_int_equal(error.code, CONNECT_INVALID_ARGUMENT);
    t.p.client = connect_client_new(NULL, &options, &error);
    assert_non_null(t.p.client);
    town_be_host(&t, t.p.client);
    /* a call waits until a member is ready, although members queue nothing */
    assert_true(town_ask(&t, &c, &town_unsafe, "x", NULL));
    for (k = 0; k < 5; k++) {
        town_advance(&t, 10);
        for (i = 0; i < 2; i++)
            cn_client_step(members[i]);
    }
    assert_true(ok(c));
    for (i = 0; i < 10; i++) {
        assert_true(town_ask(&t, &c, &town_unsafe, "x", NULL));
        town_settle(&t);
        assert_true(ok(c));
    }
    assert_true(t.places[0].calls >= 5 && t.places[1].calls >= 5);
    assert_int_equal(connect_client_backends(t.p.client, b, 2), 2);
    assert_string_equal(b[0].address, "http://a:80");
    assert_true(b[0].ready && b[1].ready && b[0].capacity == 100);
    /* one is lost */
    town_shut(&t, 0);
    town_settle(&t);
    assert_true(t.backend_events > 0);
    for (i = 0; i < 6; i++) {
        assert_true(town_ask(&t, &c, &town_unsafe, "x", NULL));
        town_settle(&t);
        assert_true(ok(c) && c.from == 1);
    }
    /* a call that runs when the spread goes away ends, and its member goes on */
    assert_true(town_ask(&t, &c, &town_unsafe, "hold", NULL));
    town_settle(&t);
    assert_int_equal(t.answer_count, 1);
    connect_client_free(t.p.client);
    assert_true(c.closed == 1 && c.code == CONNECT_CANCELED);
    t.p.client = members[1];
    town_settle(&t);
    assert_int_equal(t.answer_count, 0); /* the handler was told */
    assert_true(town_ask(&t, &c, &town_unsafe, "x", NULL));
    town_settle(&t);
    assert_true(ok(c));
    connect_client_free(members[0]);
    town_free(&t);
    assert_int_equal(memory.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_readiness), cmocka_unit_test(test_ready_by_settings),
        cmocka_unit_test(test_ready_http1), cmocka_unit_test(test_round_robin), cmocka_unit_test(test_lost_backends),
        cmocka_unit_test(test_least_loaded), cmocka_unit_test(test_own_policy), cmocka_unit_test(test_members)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
