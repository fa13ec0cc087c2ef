/* Connections of a client: which addresses are dialled when, how many connections there are, when they go and come
   again, what is sent again and what is not; names; with a clock of the test's. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"
#include "pair.h"
#include "town.h"

#define ok(c) ((c).closed == 1 && (c).code == CONNECT_OK)

/* ---- Rounds ---- */

/* RFC 8305: the next address after 250 ms; the first to open wins, the others are given up. */
static void test_eyeballs(void **state) {
    town t;
    town_call c, d;
    (void)state;
    town_init(&t, 3, CONNECT_HTTP_1);
    t.places[0].mode = t.places[1].mode = TOWN_SILENT;
    town_open(&t, 2, 0);
    town_build(&t);
    assert_true(town_ask(&t, &c, &town_unsafe, "x", NULL));
    town_advance(&t, 499);
    assert_int_equal(c.closed, 0);
    town_advance(&t, 1);
    assert_true(ok(c) && c.from == 2);
    assert_string_equal(t.log.data, "a@0 b@250 c@500 ");
    assert_int_equal(t.held_count, 0); /* the losers are gone */
    /* the winner is dialled first from now on */
    pair_close(&t.p);
    town_settle(&t);
    assert_true(town_ask(&t, &d, &town_unsafe, "x", NULL));
    town_settle(&t);
    assert_true(ok(d) && d.from == 2);
    assert_string_equal(t.log.data, "a@0 b@250 c@500 c@500 ");
    town_free(&t);
}

/* An address that fails is no reason to wait. */
static void test_next_at_once(void **state) {
    int mode;
    (void)state;
    for (mode = TOWN_REFUSES; mode <= TOWN_LOSES; mode++) {
        town t;
        town_call c;
        town_init(&t, 3, CONNECT_HTTP_2);
        t.places[0].mode = t.places[1].mode = (town_mode)mode;
        town_open(&t, 2, 0);
        town_build(&t);
        assert_true(town_ask(&t, &c, &town_unsafe, "x", NULL));
        town_settle(&t);
        assert_true(ok(c) && c.from == 2);
        assert_string_equal(t.log.data, "a@0 b@0 c@0 ");
        town_free(&t);
    }
}

/* Nobody is there: the call ends with the reason, the next ones wait for the next round, and rounds become rare. */
static void test_backoff(void **state) {
    int mode;
    (void)state;
    for (mode = TOWN_REFUSES; mode <= TOWN_CLOSES; mode++) {
        town t;
        town_call c, d;
        int64_t at, last = 0, gap;
        size_t dials = 0, rounds = 0;
        if (mode == TOWN_SILENT) continue;
        town_init(&t, 1, CONNECT_HTTP_2);
        t.places[0].mode = (town_mode)mode;
        town_build(&t);
        assert_true(town_ask(&t, &c, &town_unsafe, "x", NULL));
        town_settle(&t);
        assert_int_equal(c.closed, 1);
        assert_int_equal(c.code, CONNECT_UNAVAILABLE);
        assert_string_equal(c.text,
            mode == TOWN_REFUSES     ? "refused"
                : mode == TOWN_LOSES ? "refused later"
                                     : "the connection was closed");
        dials = t.places[0].dials;
        gap = 0;
        for (at = 0; at < 120 * 1000; at += 50) { /* there is always a call that waits */
            town_call *one = at == 0 || c.closed ? &c : NULL;
            if (one) assert_true(town_ask(&t, one, &town_unsafe, "x", NULL));
            town_advance(&t, 50);
            if (t.places[0].dials == dials) continue;
            if (rounds > 10) { /* the pause is between 5 and 10 s by now */
                assert_true(t.p.now - last >= 4900 && t.p.now - last <= 10100);
                gap = t.p.now - last;
            }
            last = t.p.now;
            rounds++;
            dials = t.places[0].dials;
        }
        assert_true(gap > 0);
        assert_true(rounds > 12 && rounds < 40);
        /* somebody is there again: it is found in the next round, and the pause is forgotten */
        town_advance(&t, 20 * 1000);
        town_open(&t, 0, 0);
        assert_true(town_ask(&t, &d, &town_unsafe, "x", NULL));
        town_advance(&t, 10 * 1000);
        assert_true(ok(d));
        town_shut(&t, 0);
        town_settle(&t);
        dials = t.places[0].dials;
        assert_true(town_ask(&t, &c, &town_unsafe, "x", NULL));
        town_advance(&t, 150);
        assert_true(c.closed == 1 && t.places[0].dials == dials + 1);
        town_free(&t);
    }
}

static void test_time_limits(void **state) {
    int mute;
    (void)state;
    for (mute = 0; mute < 2; mute++) {
        town t;
        town_call c;
        town_init(&t, 1, CONNECT_HTTP_2);
        t.places[0].mode = mute ? TOWN_MUTE : TOWN_SILENT;
        town_build(&t);
        assert_true(town_ask(&t, &c, &town_unsafe, "x", NULL));
        town_advance(&t, mute ? 19999 : 4999);
        assert_int_equal(c.closed, 0);
        town_advance(&t, 1);
        assert_int_equal(c.closed, 1);
        assert_int_equal(c.code, CONNECT_UNAVAILABLE);
        assert_string_equal(c.text,
            mute ? "cannot connect to a: no answer within 20000 ms (limits.establish_ms)"
                 : "cannot connect to a: no answer within 5000 ms (limits.dial_ms)");
        town_free(&t);
    }
}

/* Without a host nobody tells the time when a call starts: the clock may have gone on since a connection was fed last.
   What begins then counts from the next feed, for deadlines and for limits of dialling. */
static void test_untold_time(void **state) {
    static const int64_t gap = 100000;
    const connect_call_options_t short_call = {.timeout_ms = 500};
    town t;
    town_call c;
    connect_error_t error;
    (void)state;
    town_init(&t, 1, CONNECT_HTTP_2);
    t.options.resolve = NULL;
    t.options.address = "a";
    town_open(&t, 0, 0);
    t.p.client = connect_client_new("http://town", &t.options, &error);
    assert_non_null(t.p.client);
    assert_true(town_ask(&t, &c, &town_unsafe, "x", NULL));
    town_settle(&t);
    assert_true(c.closed == 1 && c.code == CONNECT_OK);

    t.p.now += gap; /* the connection is live */
    assert_true(town_ask(&t, &c, &town_unsafe, "x", &short_call));
    town_settle(&t);
    assert_true(c.closed == 1 && c.code == CONNECT_OK);
    t.p.now += gap;
    assert_true(town_ask(&t, &c, &town_unsafe, "hold", &short_call));
    town_advance(&t, 499);
    assert_int_equal(c.closed, 0);
    town_advance(&t, 1);
    assert_true(c.closed == 1 && c.code == CONNECT_DEADLINE_EXCEEDED);
    assert_int_equal(t.places[0].dials, 1);

    pair_close(&t.p); /* there is none */
    t.p.now += gap;
    assert_true(town_ask(&t, &c, &town_unsafe, "x", &short_call));
    town_settle(&t);
    assert_true(c.closed == 1 && c.code == CONNECT_OK);

    assert_true(town_ask(&t, &c, &town_unsafe, "hold", NULL));
    town_settle(&t);
    t.p.now += gap; /* what is lost now is found out before the time is told */
    connect_call_finish(c.call, CONNECT_CANCELED, NULL);
    pair_close(&t.p);
    t.places[0].mode = TOWN_MUTE;
    t.p.now += gap;
    assert_true(town_ask(&t, &c, &town_unsafe, "x", &short_call));
    town_advance(&t, 499);
    assert_int_equal(c.closed, 0);
    town_advance(&t, 1);
    assert_true(c.closed == 1 && c.code == CONNECT_DEADLINE_EXCEEDED);

    pair_close(&t.p);
    t.p.now += gap;
    assert_true(town_ask(&t, &c, &town_unsafe, "x", NULL));
    town_advance(&t, 19999);
    assert_int_equal(c.closed, 0);
    town_advance(&t, 1);
    assert_true(c.closed == 1 && c.code == CONNECT_UNAVAILABLE);
    assert_string_equal(c.text, "cannot connect to a: no answer within 20000 ms (limits.establish_ms)");
    town_free(&t);
}

static void untold(town *t, size_t places, uint32_t attempts) {
    static const char *const addresses[] = {"a", "b"};
    connect_error_t error;
    town_init(t, places, CONNECT_HTTP_2);
    t->listed[0] = addresses[0];
    t->listed[1] = addresses[1];
    t->listed_count = places;
    t->options.retry.attempts = attempts;
    if (places > 1) t->options.pick = connect_pick_round_robin;
    t->p.client = connect_client_new("http://town", &t->options, &error);
    assert_non_null(t->p.client);
    t->p.client->random = 7;
}

/* A dialer whose transport opens later: until then the connection is told the time, and watches dial_ms by itself. */
static void test_opened_later(void **state) {
    int how;
    (void)state;
    for (how = 0; how < 4; how++) {
        town t;
        town_call c;
        pair_link *link;
        untold(&t, 1, 1);
        t.places[0].mode = TOWN_LATER;
        t.p.now += 100000;
        assert_true(town_ask(&t, &c, &town_unsafe, "x", NULL));
        link = &t.p.links[0];
        town_advance(&t, 4999);
        assert_int_equal(c.closed, 0);
        assert_int_equal(link->up.sent.len, 0); /* not open: no preface */
        assert_non_null(link->client);
        switch (how) {
        case 0: /* never */
            town_advance(&t, 1);
            assert_string_equal(c.text, "cannot connect to a: no answer within 5000 ms (limits.dial_ms)");
            assert_null(link->client); /* wants nothing any more */
            break;
        case 1: /* it could not be opened */
            connect_conn_close(link->client);
            link->client = NULL;
            assert_string_equal(c.text, "the connection to a was closed");
            break;
        default: /* it is: now establish_ms counts, and counts from dial */
            connect_conn_opened(link->client, t.p.now);
            if (how == 3) connect_conn_opened(link->client, t.p.now); /* once is enough */
            town_advance(&t, 1);
            assert_memory_equal(link->up.sent.data, "PRI * HTTP/2.0", 14);
            if (how == 3) { /* the peer shows itself, and answers */
                bytes_add(&link->down.sent, "\0\0\0\4\0\0\0\0\0", 9);
                town_settle(&t);
                h2_headers(&link->down.sent, 0, 1, ":status: 200\ncontent-type: application/proto\n");
                h2_frame(&link->down.sent, 0, 1, 1, "\x10\x05", 2);
                town_advance(&t, 20000);
                assert_true(ok(c));
                break;
            }
            town_advance(&t, 15000);
            assert_string_equal(c.text, "cannot connect to a: no answer within 20000 ms (limits.establish_ms)");
        }
        assert_int_equal(c.closed, 1);
        if (how < 3) assert_int_equal(c.code, CONNECT_UNAVAILABLE);
        assert_int_equal(t.places[0].dials, 1);
        town_free(&t);
    }
}

/* A fault is found out when nobody tells the time: the rest of the backend counts from when it is told next. */
static void test_untold_rest(void **state) {
    town t;
    town_call c;
    size_t i;
    (void)state;
    untold(&t, 2, 1);
    town_open(&t, 0, 0);
    town_open(&t, 1, 0);
    for (i = 0; i < 4; i++) {
        assert_true(town_ask(&t, &c, &town_unsafe, "x", NULL));
        town_settle(&t);
        assert_true(ok(c));
    }
    assert_true(t.places[0].dials == 1 && t.places[1].dials == 1);
    t.p.now += 100000;
    t.places[1].mode = TOWN_REFUSES; /* its connection breaks, and its place is dialled in vain */
    for (i = 0; i < t.p.count; i++)
        if (t.p.links[i].server && t.p.links[i].server->owner == t.places[1].server) pair_close_client(&t.p.links[i]);
    assert_int_equal(t.places[1].dials, 2);
    town_advance(&t, 49);
    assert_int_equal(t.places[1].dials, 2);
    town_advance(&t, 52);
    assert_int_equal(t.places[1].dials, 3);
    town_free(&t);
}

/* So does the pause before a call is made again. */
static void test_untold_pause(void **state) {
    const connect_call_options_t endless = {.timeout_ms = CONNECT_UNLIMITED};
    town t;
    town_call c;
    size_t i, k;
    (void)state;
    untold(&t, 2, 3);
    town_open(&t, 0, 0);
    town_open(&t, 1, 0);
    for (i = 0; i < 4; i++) {
        assert_true(town_ask(&t, &c, &town_unsafe, "x", NULL));
        town_settle(&t);
    }
    assert_true(town_ask(&t, &c, &town_safe, "hold", &endless));
    town_settle(&t);
    for (k = 0; k < 2; k++) { /* its connection breaks: it is sent again at once, the second time after a pause */
        const connect_server_t *holds = t.answers[0].place->server;
        t.p.now += 100000;
        assert_int_equal(t.answer_count, 1);
        for (i = 0; i < t.p.count; i++)
            if (t.p.links[i].server && t.p.links[i].server->owner == holds) pair_close_client(&t.p.links[i]);
        town_settle(&t);
        assert_int_equal(t.answer_count, k == 0 ? 1 : 0);
    }
    assert_int_equal(c.closed, 0);
    town_advance(&t, 99);
    assert_int_equal(t.answer_count, 0);
    town_advance(&t, 102);
    assert_int_equal(t.answer_count, 1);
    town_free(&t);
}

/* The deadline counts from start, also while a name is looked up or an address is dialled. */
static void test_deadline(void **state) {
    int where;
    (void)state;
    for (where = 0; where < 3; where++) {
        connect_call_options_t options = CONNECT_DEFAULTS;
        town t;
        town_call c;
        town_init(&t, 1, CONNECT_HTTP_2);
        options.timeout_ms = 300;
        if (where == 0) t.resolves_later = true;
        if (where == 1) t.places[0].mode = TOWN_SILENT;
        if (where == 2) town_open(&t, 0, 0);
        town_build(&t);
        assert_true(town_ask(&t, &c, &town_unsafe, "hold", &options));
        town_advance(&t, 299);
        assert_int_equal(c.closed, 0);
        town_advance(&t, 1);
        assert_int_equal(c.closed, 1);
        assert_int_equal(c.code, CONNECT_DEADLINE_EXCEEDED);
        town_free(&t);
    }
}

/* ---- How many ---- */

static void test_http1_connections(void **state) {
    uint32_t most;
    (void)state;
    for (most = 0; most <= 3; most += 3) {
        town t;
        town_call c[20];
        size_t i, live;
        town_init(&t, 1, CONNECT_HTTP_1);
        town_open(&t, 0, 0);
        t.places[0].answers_after_ms = 100;
        t.options.connections = most;
        town_build(&t);
        for (i = 0; i < 20; i++)
            assert_true(town_ask(&t, &c[i], &town_unsafe, "x", NULL));
        town_advance(&t, 1000);
        for (i = 0; i < 20; i++)
            assert_true(ok(c[i]));
        assert_int_equal(t.places[0].dials, most ? most : 8);
        assert_int_equal(t.places[0].most, most ? most : 8);
        /* one after the other: one connection is enough, the others become idle and are closed */
        for (i = 0; i < 100; i++) {
            assert_true(town_ask(&t, &c[0], &town_unsafe, "x", NULL));
            town_advance(&t, 1000);
            assert_true(ok(c[0]));
        }
        for (i = live = 0; i < t.p.count; i++)
            live += t.p.links[i].client != NULL;
        assert_int_equal(live, 1);
        assert_int_equal(t.places[0].dials, most ? most : 8);
        town_free(&t);
    }
}

/* Multiplexed up to what the peer allows; more connections only if that is wanted. */
static void test_http2_streams(void **state) {
    uint32_t connections;
    (void)state;
    for (connections = 0; connections <= 2; connections += 2) {
        town t;
        town_call c[20];
        size_t i;
        town_init(&t, 1, CONNECT_HTTP_2);
        town_open(&t, 0, 3);
        t.places[0].answers_after_ms = 100;
        t.options.connections = connections;
        town_build(&t);
        assert_true(town_ask(&t, &c[0], &town_unsafe, "x", NULL)); /* so that the limit is known */
        town_advance(&t, 200);
        for (i = 0; i < 20; i++)
            assert_true(town_ask(&t, &c[i], &town_unsafe, "x", NULL));
        town_advance(&t, 1000);
        for (i = 0; i < 20; i++)
            assert_true(ok(c[i]));
        assert_int_equal(t.places[0].dials, connections ? 2 : 1);
        assert_int_equal(t.places[0].most, connections ? 6 : 3);
        town_free(&t);
    }
}

/* ---- Sent again, or not ---- */

/* A server that drains while 0 or 3 calls run: these are finished there, what comes meanwhile goes over a new
   connection, and the old one is closed with its last call. */
static void test_goaway_with_calls(void **state) {
    size_t count;
    (void)state;
    for (count = 0; count <= 3; count += 3) {
        town t;
        town_call c[3], d;
        size_t i;
        town_init(&t, 1, CONNECT_HTTP_2);
        town_open(&t, 0, 0);
        town_build(&t);
        assert_true(town_ask(&t, &d, &town_unsafe, "x", NULL));
        for (i = 0; i < count; i++)
            assert_true(town_ask(&t, &c[i], &town_unsafe, "hold", NULL));
        town_advance(&t, 10);
        assert_true(ok(d));
        assert_int_equal(t.answer_count, count);
        cn_conn_drain(t.p.links[0].server, 60000);
        town_advance(&t, 10);
        assert_true(town_ask(&t, &d, &town_unsafe, "x", NULL));
        town_advance(&t, 10);
        assert_true(ok(d));
        assert_int_equal(t.places[0].dials, 2);
        while (t.answer_count)
            town_finish(&t, 0, CONNECT_OK);
        town_advance(&t, 10);
        for (i = 0; i < count; i++)
            assert_true(ok(c[i]));
        assert_null(t.p.links[0].client);
        assert_int_equal(t.places[0].calls, count + 2);
        town_free(&t);
    }
}

typedef enum refusal { GOAWAY_BEFORE, RST_REFUSED, GOAWAY_AFTER, RST_CANCEL, CUT } refusal;
/* What a server says of stream 1, byte for byte; and which calls are made again, once. */
static void test_refusals(void **state) {
    static const char settings[] = "\0\0\0\4\0\0\0\0\0";
    static const char frames[][18] = {"\0\0\10\7\0\0\0\0\0\0\0\0\0\0\0\0\0", "\0\0\4\3\0\0\0\0\1\0\0\0\7",
        "\0\0\10\7\0\0\0\0\0\0\0\0\1\0\0\0\0", "\0\0\4\3\0\0\0\0\1\0\0\0\10"};
    static const size_t lens[] = {17, 13, 17, 13};
    int what, safe;
    (void)state;
    for (what = GOAWAY_BEFORE; what <= CUT; what++) {
        for (safe = 0; safe < 2; safe++) {
            const bool lost = what == CUT || what == GOAWAY_AFTER;
            const bool again = what <= RST_REFUSED || (lost && safe);
            bytes *down;
            town t;
            town_call c;
            town_init(&t, 1, CONNECT_HTTP_2);
            t.places[0].mode = TOWN_MUTE;
            town_build(&t);
            assert_true(town_ask(&t, &c, safe ? &town_safe : &town_unsafe, "x", NULL));
            town_settle(&t);
            down = &t.p.links[0].down.sent;
            bytes_add(down, settings, sizeof settings - 1);
            town_settle(&t);
            if (again) town_open(&t, 0, 0);
            if (what != CUT) bytes_add(down, frames[what], lens[what]);
            if (lost) t.p.links[0].down.sender_gone = true;
            if (what == RST_REFUSED && !safe) { /* the same once more: not a second time */
                t.places[0].mode = TOWN_MUTE;
                town_settle(&t);
                assert_int_equal(c.closed, 0);
                assert_int_equal(t.places[0].dials, 1); /* the connection is good */
                bytes_add(down, "\0\0\4\3\0\0\0\0\3\0\0\0\7", 13);
                town_settle(&t);
                assert_int_equal(c.closed, 1);
                assert_int_equal(c.code, CONNECT_UNAVAILABLE);
                town_free(&t);
                continue;
            }
            if (what == RST_REFUSED) { /* on the same connection, by hand */
                town_settle(&t);
                h2_headers(down, 0, 3, ":status: 200\ncontent-type: application/proto\n");
                h2_frame(down, 0, 1, 3, "\x10\x05", 2);
            }
            town_advance(&t, 200);
            assert_int_equal(c.closed, 1);
            if (again)
                assert_int_equal(c.code, CONNECT_OK);
            else
                assert_int_equal(c.code, what == RST_CANCEL ? CONNECT_CANCELED : CONNECT_UNAVAILABLE);
            assert_int_equal(t.places[0].calls, again && what != RST_REFUSED ? 1 : 0);
            town_free(&t);
        }
    }
}

/* The DATA of one stream, out of all that a client has sent. */
static bytes data_of(const bytes *up, uint32_t stream) {
    bytes data = {NULL, 0, 0};
    size_t at, len;
    bytes_text(&data, "");
    for (at = 24; at + 9 <= up->len; at += 9 + len) {
        const unsigned char *f = (const unsigned char *)up->data + at;
        len = (size_t)f[0] << 16 | (size_t)f[1] << 8 | f[2];
        if (f[3] == 0 && f[8] == stream) bytes_add(&data, f + 9, len);
    }
    return data;
}
/* Nobody takes what the client sends, so that the wire would be full. */
static void settle_wire(town *t) {
    pair_link *link = &t->p.links[0];
    do {
        link->up.arrived = link->up.sent.len;
        link->client_dirty = true;
        town_settle(t);
    } while (link->up.arrived < link->up.sent.len);
}
/* REFUSED_STREAM after the request, or as much of it as the windows allow, was sent: where one message is asked with, it
   is still here, and goes out whole a second time; also if responses are a stream. What the application has sent by
   itself is gone, and the call ends. */
static void test_refused_after_request(void **state) {
    static const size_t sizes[] = {1, 100000};
    size_t size;
    int kind, grpc;
    (void)state;
    for (kind = 0; kind < 4; kind++) {
        for (grpc = 0; grpc < 2; grpc++) {
            for (size = 0; size < 2; size++) {
                const bool held = kind == CONNECT_UNARY || kind == CONNECT_SERVER_STREAM;
                char *text = (char *)calloc(1, sizes[size] + 1);
                connect_error_t error;
                connect_call_t *call;
                bytes first, second, *down;
                town t;
                town_call c;
                note n;
                memset(text, 'x', sizes[size]);
                memset(&n, 0, sizeof n);
                memset(&c, 0, sizeof c);
                n.text = connect_str_of(text);
                town_init(&t, 1, CONNECT_HTTP_2);
                t.places[0].mode = TOWN_MUTE;
                t.options.protocol = grpc ? CONNECT_PROTOCOL_GRPC : CONNECT_PROTOCOL_CONNECT;
                town_build(&t);
                call = connect_client_start(t.p.client, &note_methods[kind], &town_call_events, &c, NULL, &error);
                assert_non_null(call);
                if (!held) assert_int_equal(connect_call_send(call, &n), CONNECT_IO_OK);
                if (held) connect_call_finish(call, CONNECT_OK, &n);
                settle_wire(&t);
                down = &t.p.links[0].down.sent;
                h2_frame(down, 4, 0, 0, NULL, 0);
                settle_wire(&t);
                h2_frame(down, 3, 0, 1, "\0\0\0\7", 4);
                h2_frame(down, 8, 0, 0, "\0\2\0\0", 4); /* the connection's window, twice more */
                settle_wire(&t);
                first = data_of(&t.p.links[0].up.sent, 1);
                assert_int_equal(first.len, sizes[size] > 65535 ? 65535 : first.len);
                assert_true(first.len > sizes[0]);
                assert_int_equal(c.closed, !held);
                if (held) {
                    h2_frame(down, 8, 0, 3, "\0\1\0\0", 4);
                    settle_wire(&t);
                    second = data_of(&t.p.links[0].up.sent, 3);
                    assert_true(second.len > sizes[size]);
                    assert_memory_equal(first.data, second.data, first.len);
                    assert_int_equal(second.data[second.len - 1], 'x');
                    h2_headers(down, 0, 3,
                        grpc                        ? ":status: 200\ncontent-type: application/grpc\n"
                            : kind == CONNECT_UNARY ? ":status: 200\ncontent-type: application/proto\n"
                                                    : ":status: 200\ncontent-type: application/connect+proto\n");
                    if (grpc || kind != CONNECT_UNARY) h2_frame(down, 0, 0, 3, "\0\0\0\0\2\x10\5", 7);
                    if (grpc)
                        h2_headers(down, 1, 3, "grpc-status: 0\n");
                    else if (kind == CONNECT_UNARY)
                        h2_frame(down, 0, 1, 3, "\x10\5", 2);
                    else
                        h2_frame(down, 0, 1, 3, "\2\0\0\0\2{}", 7);
                    settle_wire(&t);
                    assert_true(ok(c) && c.messages == 1 && c.from == 5 && c.opened == 1);
                    bytes_free(&second);
                } else {
                    assert_int_equal(c.code, CONNECT_UNAVAILABLE);
                }
                assert_int_equal(t.places[0].dials, 1);
                bytes_free(&first);
                town_free(&t);
                free(text);
            }
        }
    }
}

/* HTTP/1.1: the server closes an idle connection in the moment it is used again. Before anything went out any call
   gets another connection; after that only one without side effects. */
static void test_idle_close(void **state) {
    int written, safe;
    (void)state;
    for (written = 0; written < 2; written++) {
        for (safe = 0; safe < 2; safe++) {
            const bool again = !written || safe;
            town t;
            town_call c;
            town_init(&t, 1, CONNECT_HTTP_1);
            town_open(&t, 0, 0);
            town_build(&t);
            assert_true(town_ask(&t, &c, &town_unsafe, "x", NULL));
            town_settle(&t);
            assert_true(ok(c));
            assert_true(town_ask(&t, &c, safe ? &town_safe : &town_unsafe, "x", NULL));
            if (written) { /* the request is on its way when the connection is cut */
                connect_str_t out;
                connect_conn_feed(t.p.links[0].client, "", 0, t.p.now);
                out = connect_conn_output(t.p.links[0].client);
                assert_true(out.len > 0);
                connect_conn_sent(t.p.links[0].client, out.len);
            }
            if (!written) cn_conn_eof(t.p.links[0].client, t.p.now);
            pair_close_server(&t.p.links[0]);
            town_advance(&t, 200);
            assert_int_equal(c.closed, 1);
            assert_int_equal(c.code, again ? CONNECT_OK : CONNECT_UNAVAILABLE);
            assert_int_equal(t.places[0].dials, again ? 2 : 1);
            assert_int_equal(t.places[0].calls, again ? 2 : 1);
            town_free(&t);
        }
    }
}

/* ---- What is no fault ---- */

/* HTTP/1.1: a call that is reset takes its connection with it. Those that wait for one get the next. */
static void test_reset_is_no_fault(void **state) {
    town t;
    town_call c[4];
    size_t i;
    (void)state;
    town_init(&t, 1, CONNECT_HTTP_1);
    town_open(&t, 0, 0);
    t.options.connections = 1;
    town_build(&t);
    for (i = 0; i < 4; i++)
        assert_true(town_ask(&t, &c[i], &town_unsafe, i < 2 ? "hold" : "x", NULL));
    for (i = 0; i < 2; i++) {
        town_settle(&t);
        (void)connect_call_finish(c[i].call, CONNECT_CANCELED, NULL);
        town_settle(&t);
        assert_int_equal(c[i].code, CONNECT_CANCELED);
    }
    assert_true(ok(c[2]) && ok(c[3]));
    assert_int_equal(t.places[0].dials, 3);
    town_free(&t);
}

/* One that had no response in time does, too: its server rests, and the others wait for that. */
static void test_late_is_a_rest(void **state) {
    connect_call_options_t options;
    town t;
    town_call c[3];
    uint32_t i;
    (void)state;
    memset(&options, 0, sizeof options);
    town_init(&t, 1, CONNECT_HTTP_1);
    town_open(&t, 0, 0);
    t.options.connections = 1;
    town_build(&t);
    for (i = 0; i < 2; i++) {
        options.timeout_ms = 100 + 20 * i;
        assert_true(town_ask(&t, &c[i], &town_unsafe, "hold", &options));
    }
    assert_true(town_ask(&t, &c[2], &town_unsafe, "x", NULL));
    town_advance(&t, 125);
    assert_int_equal(c[0].code, CONNECT_DEADLINE_EXCEEDED);
    assert_int_equal(c[1].code, CONNECT_DEADLINE_EXCEEDED);
    assert_int_equal(c[2].closed, 0);
    assert_int_equal(t.places[0].dials, 2);
    town_advance(&t, 400);
    assert_true(ok(c[2]));
    assert_int_equal(t.places[0].dials, 3);
    town_free(&t);
}

/* A server may close a connection that nobody uses. */
static void test_unused_is_no_fault(void **state) {
    town t;
    town_call c[4];
    (void)state;
    town_init(&t, 1, CONNECT_HTTP_1);
    town_open(&t, 0, 0);
    town_build(&t);
    assert_true(town_ask(&t, &c[0], &town_unsafe, "x", NULL));
    town_settle(&t);
    assert_true(ok(c[0]));
    assert_true(town_ask(&t, &c[1], &town_unsafe, "hold", NULL));
    t.places[0].mode = TOWN_LATER;
    assert_true(town_ask(&t, &c[2], &town_unsafe, "x", NULL));
    town_settle(&t);
    assert_int_equal(t.places[0].dials, 2);
    (void)connect_call_finish(c[2].call, CONNECT_CANCELED, NULL);
    connect_conn_opened(t.p.links[1].client, t.p.now);
    t.places[0].mode = TOWN_SERVES;
    town_advance(&t, 5000);
    t.p.links[1].down.sender_gone = true;
    town_settle(&t);
    assert_null(t.p.links[1].client);
    assert_true(town_ask(&t, &c[3], &town_unsafe, "x", NULL));
    town_settle(&t);
    assert_true(ok(c[3]));
    assert_int_equal(t.places[0].dials, 3);
    town_free(&t);
}

/* ---- A peer that is gone ---- */

/* HTTP/2: nothing was heard for ping_ms: a PING; no answer within ping_answer_ms: the connection is lost. */
static void test_keepalive(void **state) {
    int answers;
    (void)state;
    for (answers = 0; answers < 2; answers++) {
        connect_call_options_t options = CONNECT_DEFAULTS;
        size_t i, pings = 0;
        bytes *up;
        town t;
        town_call c;
        options.timeout_ms = CONNECT_UNLIMITED;
        town_init(&t, 1, CONNECT_HTTP_2);
        town_open(&t, 0, 0);
        t.options.limits.ping_ms = 30000;
        t.options.limits.ping_answer_ms = 1000;
        town_build(&t);
        assert_true(town_ask(&t, &c, &town_unsafe, "hold", &options));
        town_advance(&t, 100);
        if (!answers) t.p.links[0].down.frozen = true;
        up = &t.p.links[0].up.sent;
        town_advance(&t, 30800);
        assert_int_equal(c.closed, 0);
        town_advance(&t, 100000);
        for (i = 24; i + 9 <= up->len;) {
            const unsigned char *f = (const unsigned char *)up->data + i;
            pings += f[3] == 6 && !(f[4] & 1);
            i += 9 + ((size_t)f[0] << 16 | (size_t)f[1] << 8 | f[2]);
        }
        if (answers) {
            assert_int_equal(c.closed, 0);
            assert_int_equal(pings, 4);
        } else {
            assert_int_equal(pings, 1);
            assert_true(c.closed == 1 && c.code == CONNECT_UNAVAILABLE);
            assert_string_equal(c.text, "the peer does not answer (limits.ping_answer_ms)");
        }
        town_free(&t);
    }
}

/* ---- Calls that are made for others ---- */

/* A call shares its parent's deadline, and is closed before it. */
static void test_parent(void **state) {
    int how;
    (void)state;
    for (how = 0; how < 4; how++) {
        failing_allocator memory;
        connect_call_options_t options = CONNECT_DEFAULTS;
        connect_error_t error;
        town t;
        town_call parent, child;
        failing_init(&memory, SIZE_MAX, false);
        town_init(&t, 1, CONNECT_HTTP_2);
        town_open(&t, 0, 0);
        t.options.allocator = &memory.allocator;
        town_build(&t);
        options.timeout_ms = 1000;
        assert_true(town_ask(&t, &parent, &town_unsafe, "hold", &options));
        town_advance(&t, 400);
        options.timeout_ms = 5000;
        options.parent = t.answers[0].call; /* what the handler got: it asks on */
        assert_true(town_ask(&t, &child, &town_unsafe, "hold", &options));
        assert_true(connect_call_time_left_ms(child.call) <= 600);
        town_advance(&t, 10);
        assert_int_equal(t.answer_count, 2);
        if (how == 0) connect_call_finish(parent.call, CONNECT_CANCELED, NULL); /* the peer has gone */
        if (how == 1) town_advance(&t, 600);                                    /* the deadline has passed */
        if (how == 2) town_finish(&t, 0, CONNECT_OK);                           /* the handler has answered */
        if (how == 3) town_finish(&t, 1, CONNECT_OK);                           /* the child is first */
        town_advance(&t, 10);
        assert_int_equal(child.closed, 1);
        if (how == 0 || how == 2) assert_int_equal(child.code, CONNECT_CANCELED);
        if (how == 3) assert_true(ok(child) && parent.closed == 0);
        if (how != 3) assert_int_equal(parent.closed, 1);
        if (how == 3) town_finish(&t, 0, CONNECT_OK);
        town_advance(&t, 10);
        assert_int_equal(t.answer_count, 0);
        options.parent = parent.call = NULL;
        assert_true(town_ask(&t, &parent, &town_unsafe, "x", NULL));
        assert_int_equal(parent.closed, 0);
        town_settle(&t);
        (void)error;
        town_free(&t);
        assert_int_equal(memory.live, 0);
    }
}

/* ---- Names ---- */

static void test_names(void **state) {
    town t;
    town_call c;
    int i;
    (void)state;
    town_init(&t, 3, CONNECT_HTTP_1);
    for (i = 0; i < 3; i++)
        town_open(&t, (size_t)i, 0);
    t.options.pick = connect_pick_round_robin;
    t.valid_ms = 30000;
    t.listed[0] = "a";
    t.listed[1] = "b";
    t.listed_count = 2;
    town_build(&t);
    for (i = 0; i < 10; i++) {
        assert_true(town_ask(&t, &c, &town_unsafe, "x", NULL));
        town_advance(&t, 100);
        assert_true(ok(c));
    }
    assert_int_equal(t.questions, 1);
    assert_int_equal(t.places[0].calls + t.places[1].calls, 10);
    assert_true(t.places[0].calls >= 4 && t.places[1].calls >= 4);
    assert_int_equal(connect_client_backends(t.p.client, NULL, 0), 2);
    /* another answer: b stays with its connection, a is drained, c comes */
    t.listed[0] = "c";
    town_advance(&t, 30000);
    assert_int_equal(t.questions, 2);
    town_advance(&t, 100);
    for (i = 0; i < 10; i++) {
        assert_true(town_ask(&t, &c, &town_unsafe, "x", NULL));
        town_advance(&t, 100);
        assert_true(ok(c) && c.from != 0);
    }
    assert_true(t.places[2].calls >= 4);
    assert_int_equal(t.places[1].dials, 1);
    assert_int_equal(connect_client_backends(t.p.client, NULL, 0), 2);
    /* no answer: the old one stays */
    t.listed_count = 0;
    town_advance(&t, 40000);
    assert_true(t.questions > 2);
    assert_true(town_ask(&t, &c, &town_unsafe, "x", NULL));
    town_advance(&t, 100);
    assert_true(ok(c));
    town_free(&t);
}

static void test_no_name(void **state) {
    town t;
    town_call c;
    (void)state;
    town_init(&t, 1, CONNECT_HTTP_1);
    t.listed[0] = "a";
    town_build(&t);
    assert_true(town_ask(&t, &c, &town_unsafe, "x", NULL));
    town_settle(&t);
    assert_int_equal(c.closed, 1);
    assert_int_equal(c.code, CONNECT_UNAVAILABLE);
    assert_string_equal(c.text, "cannot resolve town: no address");
    assert_true(town_ask(&t, &c, &town_unsafe, "x", NULL));
    town_settle(&t);
    assert_int_equal(t.questions, 1); /* not at once again */
    t.listed_count = 1;
    town_open(&t, 0, 0);
    town_advance(&t, 150);
    assert_true(ok(c));
    assert_int_equal(t.questions, 2);
    town_free(&t);
}

/* The client goes before the answer comes. */
static void test_late_answer(void **state) {
    failing_allocator memory;
    town t;
    town_call c;
    (void)state;
    failing_init(&memory, SIZE_MAX, false);
    town_init(&t, 1, CONNECT_HTTP_1);
    t.resolves_later = true;
    t.options.allocator = &memory.allocator;
    town_build(&t);
    assert_true(town_ask(&t, &c, &town_unsafe, "x", NULL));
    town_settle(&t);
    assert_non_null(t.question);
    connect_client_free(t.p.client);
    t.p.client = NULL;
    assert_true(c.closed == 1 && c.code == CONNECT_CANCELED);
    town_answer_question(&t);
    town_free(&t);
    assert_int_equal(memory.live, 0);
}

/* ---- Memory that runs out ---- */

static bool sweep_run(const connect_allocator_t *allocator, void *arg) {
    const int *policy = (const int *)arg;
    connect_error_t error;
    town t;
    town_call c;
    bool done;
    town_init(&t, 2, CONNECT_HTTP_2);
    town_open(&t, 0, 0);
    town_open(&t, 1, 0);
    t.options.allocator = allocator;
    if (*policy) t.options.pick = connect_pick_least_loaded;
    t.p.client = connect_client_new("http://town", &t.options, &error);
    done = t.p.client != NULL;
    if (done) {
        town_be_host(&t, t.p.client);
        done = town_ask(&t, &c, &town_unsafe, "x", NULL);
        if (done) {
            town_advance(&t, 40000);
            assert_int_equal(c.closed, 1);
            done = c.code == CONNECT_OK;
        }
    }
    town_free(&t);
    return done;
}
static void test_allocations(void **state) {
    int policy;
    (void)state;
    for (policy = 0; policy < 2; policy++)
        sweep_allocations(sweep_run, &policy);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_eyeballs), cmocka_unit_test(test_next_at_once),
        cmocka_unit_test(test_backoff), cmocka_unit_test(test_time_limits), cmocka_unit_test(test_untold_time),
        cmocka_unit_test(test_opened_later), cmocka_unit_test(test_untold_rest), cmocka_unit_test(test_untold_pause),
        cmocka_unit_test(test_deadline), cmocka_unit_test(test_http1_connections), cmocka_unit_test(test_http2_streams),
        cmocka_unit_test(test_goaway_with_calls), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_refused_after_request), cmocka_unit_test(test_idle_close), cmocka_unit_test(test_reset_is_no_fault),
        cmocka_unit_test(test_late_is_a_rest), cmocka_unit_test(test_unused_is_no_fault),
        cmocka_unit_test(test_keepalive), cmocka_unit_test(test_parent), cmocka_unit_test(test_names),
        cmocka_unit_test(test_no_name), cmocka_unit_test(test_late_answer), cmocka_unit_test(test_allocations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
