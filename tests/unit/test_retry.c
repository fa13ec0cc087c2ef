/* Calls that are made again by the application's policy: how often, when, which; and the life of calls that are. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"
#include "pair.h"
#include "town.h"

#define ok(c) ((c).closed == 1 && (c).code == CONNECT_OK)

static void build(town *t, connect_http_version_t http, connect_protocol_t protocol, uint32_t attempts) {
    town_init(t, 1, http);
    town_open(t, 0, 0);
    t->options.protocol = protocol;
    t->options.retry.attempts = attempts;
    t->options.retry.budget = 100;
    town_build(t);
}

/* Which calls: without side effects, and codes of the policy only. on_open comes once, with the outcome. */
static void test_which(void **state) {
    static const struct {
        const char *text;
        const connect_method_t *method;
        uint32_t codes;
        size_t calls;
    } cases[] = {{"fail:14", &town_safe, 0, 3}, {"fail:14", &town_unsafe, 0, 1}, {"fail:05", &town_safe, 0, 1},
        {"fail:10", &town_safe, 1u << CONNECT_ABORTED, 3}, {"fail:14", &town_safe, 1u << CONNECT_ABORTED, 1},
        {"fine", &town_safe, 0, 1}};
    connect_protocol_t protocol;
    size_t i;
    (void)state;
    for (protocol = CONNECT_PROTOCOL_CONNECT; protocol <= CONNECT_PROTOCOL_GRPC_WEB; protocol++) {
        for (i = 0; i < sizeof cases / sizeof *cases; i++) {
            const bool fine = cases[i].text[4] != ':';
            town t;
            town_call c;
            build(&t, CONNECT_HTTP_2, protocol, 3);
            if (cases[i].codes) t.p.client->retry.codes = cases[i].codes;
            assert_true(town_ask(&t, &c, cases[i].method, cases[i].text, NULL));
            town_advance(&t, 1000);
            assert_int_equal(c.closed, 1);
            assert_int_equal(c.code, fine ? 0 : atoi(cases[i].text + 5));
            assert_int_equal(t.places[0].calls, cases[i].calls);
            assert_true(c.opened <= 1 && c.messages == fine);
            if (!fine) assert_string_equal(c.text, "as asked");
            assert_int_equal(t.places[0].dials, 1);
            town_free(&t);
        }
    }
}

/* Pauses: 100 ms, doubled, between a half and the whole; and never past the deadline. */
static void test_when(void **state) {
    town t;
    town_call c;
    connect_call_options_t options = CONNECT_DEFAULTS;
    int64_t at[4] = {0};
    size_t seen = 0;
    int i;
    (void)state;
    build(&t, CONNECT_HTTP_1, CONNECT_PROTOCOL_CONNECT, 4);
    assert_true(town_ask(&t, &c, &town_safe, "fail:14", NULL));
    for (i = 0; i < 2000 && !c.closed; i++) {
        town_advance(&t, 1);
        while (seen < t.places[0].calls)
            at[seen++] = t.p.now;
    }
    assert_int_equal(seen, 4);
    for (i = 1; i < 4; i++)
        assert_true(at[i] - at[i - 1] >= (50 << (i - 1)) - 1 && at[i] - at[i - 1] <= (100 << (i - 1)) + 2);
    options.timeout_ms = 120;
    i = (int)t.places[0].calls;
    assert_true(town_ask(&t, &c, &town_safe, "fail:14", &options));
    town_advance(&t, 1000);
    assert_true(c.closed == 1 && c.code == CONNECT_UNAVAILABLE); /* the true reason, not a deadline */
    assert_true((int)t.places[0].calls - i <= 2);
    town_free(&t);
}

/* A backend that is down gets at most so many percent more. */
static void test_budget(void **state) {
    town t;
    town_call c;
    size_t i;
    (void)state;
    build(&t, CONNECT_HTTP_2, CONNECT_PROTOCOL_GRPC, 5);
    t.p.client->retry.budget = 20;
    for (i = 0; i < 500; i++) {
        assert_true(town_ask(&t, &c, &town_safe, "fail:14", NULL));
        town_advance(&t, 3000);
        assert_int_equal(c.closed, 1);
    }
    assert_true(t.places[0].calls <= 500 + 100 + 10);
    assert_true(t.places[0].calls >= 500 + 90);
    town_free(&t);
}

/* What could not even be dialled is made again, whatever it does. */
static void test_undialled(void **state) {
    town t;
    town_call c;
    (void)state;
    town_init(&t, 1, CONNECT_HTTP_1);
    t.options.retry.attempts = 5;
    t.options.retry.budget = 100;
    town_build(&t);
    assert_true(town_ask(&t, &c, &town_unsafe, "x", NULL));
    town_advance(&t, 40);
    assert_int_equal(c.closed, 0);
    town_open(&t, 0, 0);
    town_advance(&t, 1000);
    assert_true(ok(c));
    assert_int_equal(t.places[0].calls, 1);
    town_free(&t);
}

/* A request that was compressed, or went as a URL, is whole the second time. */
static void test_same_request(void **state) {
    int how;
    (void)state;
    for (how = 0; how < 3; how++) {
        connect_call_options_t options = CONNECT_DEFAULTS;
        char text[3000];
        bytes *up;
        town t;
        town_call c;
        size_t first;
        memset(text, 'z', sizeof text);
        memcpy(text, "fail:14", 7);
        text[sizeof text - 1] = 0;
        build(&t, how == 2 ? CONNECT_HTTP_2 : CONNECT_HTTP_1, CONNECT_PROTOCOL_CONNECT, 2);
        options.get = how == 0;
        if (how == 1) options.compression = "gzip";
        assert_true(town_ask(&t, &c, &town_safe, text, &options));
        town_settle(&t);
        up = &t.p.links[0].up.sent;
        first = up->len;
        assert_int_equal(t.places[0].calls, 1);
        town_advance(&t, 1000);
        assert_int_equal(t.places[0].calls, 2);
        assert_int_equal(c.closed, 1);
        if (how < 2) { /* but for the timeout's value, which may have fewer digits */
            const char *body = how ? "\r\n\r\n" : "GET ";
            char *a = strstr(up->data, body), *b = NULL;
            size_t i;
            for (i = first; !b && i + 4 < up->len; i++)
                if (memcmp(up->data + i, body, 4) == 0) b = up->data + i;
            assert_true(a && b);
            assert_memory_equal(a, b, how ? (size_t)(up->data + first - a) : 4000);
        }
        town_free(&t);
    }
}

/* Cancelled, freed, and past its deadline while it waits to be made again. */
static void test_ends_in_pause(void **state) {
    int how;
    (void)state;
    for (how = 0; how < 4; how++) {
        failing_allocator memory;
        town t;
        town_call c;
        connect_call_options_t options = CONNECT_DEFAULTS;
        failing_init(&memory, SIZE_MAX, false);
        town_init(&t, 1, CONNECT_HTTP_2);
        town_open(&t, 0, 0);
        t.options.allocator = &memory.allocator;
        t.options.retry.attempts = 9;
        t.options.retry.budget = 100;
        t.options.retry.backoff_ms = 1000;
        town_build(&t);
        options.timeout_ms = 2000;
        assert_true(town_ask(&t, &c, &town_safe, "fail:14", &options));
        town_advance(&t, 100);
        assert_true(t.places[0].calls == 1 && c.closed == 0);
        if (how == 0) connect_call_finish(c.call, CONNECT_CANCELED, NULL);
        if (how == 1) connect_client_free(t.p.client);
        if (how == 1) t.p.client = NULL;
        if (how == 3) town_shut(&t, 0);
        assert_int_equal(c.closed, how == 1 ? 1 : 0);
        town_advance(&t, 10000);
        assert_int_equal(c.closed, 1);
        if (how < 2) assert_int_equal(c.code, CONNECT_CANCELED);
        if (how >= 2) assert_true(c.code == CONNECT_UNAVAILABLE || c.code == CONNECT_DEADLINE_EXCEEDED);
        town_free(&t);
        assert_int_equal(memory.live, 0);
    }
}

static void free_client(town_call *c) {
    town *t = (town *)c->arg;
    connect_client_free(t->p.client);
    t->p.client = NULL;
}
static void start_another(town_call *c) {
    town *t = (town *)c->arg;
    static town_call next;
    assert_true(town_ask(t, &next, &town_unsafe, "x", NULL));
    t->places[0].in->places[1].calls = (size_t)(uintptr_t)&next; /* so that the test finds it */
}
/* In on_closed: freeing the client, starting a call. */
static void test_in_closed(void **state) {
    int what;
    (void)state;
    for (what = 0; what < 2; what++) {
        failing_allocator memory;
        town t;
        town_call c, d;
        failing_init(&memory, SIZE_MAX, false);
        town_init(&t, 1, CONNECT_HTTP_1);
        town_open(&t, 0, 0);
        t.options.allocator = &memory.allocator;
        town_build(&t);
        assert_true(town_ask(&t, &c, &town_unsafe, "x", NULL));
        assert_true(town_ask(&t, &d, &town_unsafe, "hold", NULL));
        c.then = what ? start_another : free_client;
        c.arg = &t;
        town_advance(&t, 100);
        assert_true(ok(c));
        if (what) {
            const town_call *next = (const town_call *)(uintptr_t)t.places[1].calls;
            assert_true(next && ok(*next));
        } else {
            assert_true(d.closed == 1 && d.code == CONNECT_CANCELED);
        }
        town_free(&t);
        assert_int_equal(memory.live, 0);
    }
}

static void backends_free(connect_client_t *client, void *user) {
    town *t = (town *)user;
    if (client != t->p.client) return;
    connect_client_free(client);
    t->p.client = NULL;
}
static void resolve_free(connect_resolve_t *question, const char *host, const char *port, void *user) {
    town *t = (town *)user;
    (void)host;
    (void)port;
    connect_client_free(t->p.client);
    t->p.client = NULL;
    t->question = question; /* answered when the client is gone */
}
/* Freed in on_backends, and in the resolver. */
static void test_free_in_options(void **state) {
    int where;
    (void)state;
    for (where = 0; where < 2; where++) {
        failing_allocator memory;
        town t;
        town_call c;
        failing_init(&memory, SIZE_MAX, false);
        town_init(&t, 1, CONNECT_HTTP_2);
        town_open(&t, 0, 0);
        t.options.allocator = &memory.allocator;
        if (where == 0) t.options.on_backends = backends_free;
        if (where == 1) t.options.resolve = resolve_free;
        town_build(&t);
        assert_true(town_ask(&t, &c, &town_unsafe, "x", NULL));
        town_advance(&t, 100);
        assert_true(c.closed == 1 && c.code == CONNECT_CANCELED);
        town_free(&t);
        assert_int_equal(memory.live, 0);
    }
}

static void test_options(void **state) {
    static const struct { uint32_t attempts, codes; } bad[] = {{101, 0}, {3, 1}, {3, 1u << 17}};
    size_t i;
    (void)state;
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        connect_client_options_t options = CONNECT_DEFAULTS;
        connect_error_t error;
        options.retry.attempts = bad[i].attempts;
        options.retry.codes = bad[i].codes;
        assert_null(connect_client_new("http://a", &options, &error));
        assert_int_equal(error.code, CONNECT_INVALID_ARGUMENT);
        assert_memory_equal(error.message.data, "retry.", 6);
    }
}

/* What is wrong on this side is no UNAVAILABLE, which would be tried again. */
static void test_local_errors(void **state) {
    static const struct {
        const char *url, *address;
        connect_code_t code;
    } bad[] = {{"ftp://a", NULL, CONNECT_INVALID_ARGUMENT}, {"a:80", NULL, CONNECT_INVALID_ARGUMENT},
        {"http://", NULL, CONNECT_INVALID_ARGUMENT}, {"http://a?b", NULL, CONNECT_INVALID_ARGUMENT},
        {NULL, NULL, CONNECT_INVALID_ARGUMENT}, {"http://a", "nowhere", CONNECT_INVALID_ARGUMENT}};
    size_t i;
    (void)state;
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        connect_client_options_t options = CONNECT_DEFAULTS;
        connect_error_t error;
        options.address = bad[i].address;
        assert_null(connect_client_new(bad[i].url, &options, &error));
        assert_int_equal(error.code, bad[i].code);
    }
    { /* a scheme that contradicts what was set */
        connect_server_t *server = connect_server_new(NULL, NULL);
        connect_tls_options_t trust = CONNECT_DEFAULTS;
        connect_client_options_t options = CONNECT_DEFAULTS;
        connect_error_t error;
        trust.trust_anchors = connect_str_of("build/certificates/ca.pem");
        options.tls = connect_tls_new(&trust, &error);
        assert_non_null(options.tls);
        assert_null(connect_client_new("http://a", &options, &error));
        assert_int_equal(error.code, CONNECT_INVALID_ARGUMENT);
        assert_string_equal(error.message.data, "tls is set, and base_url is http://; write https://");
        connect_tls_free(options.tls);
        options.tls = NULL;
        options.loopback = server;
        assert_null(connect_client_new("https://a", &options, &error));
        assert_int_equal(error.code, CONNECT_INVALID_ARGUMENT);
        connect_server_free(server);
    }
    { /* found out only when it is dialled */
        static const char *const addresses[] = {"127.0.0.1:0", "[::1:80", "a b:80", "fd:99999"};
        for (i = 0; i < sizeof addresses / sizeof *addresses; i++) {
            connect_client_options_t options = CONNECT_DEFAULTS;
            connect_arena_t arena = CONNECT_DEFAULTS;
            connect_error_t error;
            connect_client_t *client;
            note n, answer;
            memset(&n, 0, sizeof n);
            options.address = addresses[i];
            client = connect_client_new("http://a", &options, &error);
            assert_non_null(client);
            connect_client_unary_wait(client, &town_safe, &n, &answer, &arena, NULL, &error);
            if (error.code != CONNECT_INVALID_ARGUMENT)
                fail_msg("%s: %s, %s", addresses[i], connect_code_name(error.code), error.message.data);
            connect_client_free(client);
            connect_arena_free(&arena);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_which), cmocka_unit_test(test_when),
        cmocka_unit_test(test_budget), cmocka_unit_test(test_undialled), cmocka_unit_test(test_same_request),
        cmocka_unit_test(test_ends_in_pause), cmocka_unit_test(test_in_closed), cmocka_unit_test(test_free_in_options),
        cmocka_unit_test(test_options), cmocka_unit_test(test_local_errors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
