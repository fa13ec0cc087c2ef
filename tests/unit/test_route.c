/* Routes: thousands of paths, prefixes, duplicates, near misses. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"

#define STR(literal) ((connect_str_t){(literal), sizeof(literal) - 1})
#define PATHS 5000

static void test_thousands(void **state) {
    static char paths[PATHS][48];
    static connect_method_t methods[PATHS];
    cn_route_table_t table;
    connect_error_t error;
    size_t i, prefixes;
    (void)state;
    memset(&table, 0, sizeof table);
    assert_null(cn_route_find(&table, STR("/a/b")));
    for (prefixes = 0; prefixes < 2; prefixes++)
        for (i = 0; i < PATHS; i++) {
            cn_route_t route;
            memset(&route, 0, sizeof route);
            snprintf(
                paths[i], sizeof paths[i], "/p%u.Service%u/Method%u", (unsigned)i % 7, (unsigned)i % 100, (unsigned)i);
            methods[i].path = paths[i];
            route.method = &methods[i];
            route.user = &paths[i];
            route.receive_bytes = (uint32_t)(i + prefixes);
            assert_true(cn_route_add(&table, NULL, prefixes ? "/api/v1" : "", &route, false, &error));
            assert_int_equal(table.count, prefixes * PATHS + i + 1);
            assert_true(table.count * 2 <= table.capacity + 1);
        }
    for (i = 0; i < PATHS; i++) {
        char path[80];
        guarded wanted;
        const cn_route_t *route;
        size_t len = (size_t)snprintf(path, sizeof path, "/api/v1%s", paths[i]);
        wanted = guarded_copy(path, len, 0);
        route = cn_route_find(&table, cn_str(wanted.data, len));
        assert_non_null(route);
        assert_ptr_equal(route->method, &methods[i]);
        assert_ptr_equal(route->user, &paths[i]);
        assert_int_equal(route->receive_bytes, i + 1);
        assert_string_equal(route->path.data, path);
        assert_null(cn_route_find(&table, cn_str(wanted.data + 1, len - 1)));
        assert_null(cn_route_find(&table, cn_str(wanted.data + 4, len - 4)));
        route = cn_route_find(&table, cn_str(wanted.data + 7, len - 7));
        assert_non_null(route);
        assert_int_equal(route->receive_bytes, i);
        wanted.data[len - 1] ^= 0x40;
        assert_null(cn_route_find(&table, cn_str(wanted.data, len)));
        guarded_free(&wanted);
    }
    cn_route_free(&table, NULL);
    assert_null(cn_route_find(&table, connect_str_of(paths[0])));
    cn_route_free(&table, NULL);
}

static void test_near_misses(void **state) {
    static const char *const others[] = {"", "/", "/a.B", "/a.B/", "/a.B/c", "/A.B/C", "/a.B/CC", "/a.B//C", "//a.B/C",
        "a.B/C", "/a.B/C/", "/a.B/C?x", "/a.B/%43", "/x/a.B/C", "/api", "/api/", "/api//a.B/C", "/API/a.B/C"};
    static const connect_method_t method = {"/a.B/C", NULL, NULL, CONNECT_UNARY, (connect_idempotency_t)0};
    cn_route_table_t table;
    cn_route_t route;
    connect_error_t error;
    size_t i;
    (void)state;
    memset(&table, 0, sizeof table);
    memset(&route, 0, sizeof route);
    route.method = &method;
    assert_true(cn_route_add(&table, NULL, "/api", &route, false, &error));
    assert_null(cn_route_find(&table, STR("/a.B/C")));
    assert_true(cn_route_add(&table, NULL, "", &route, false, &error)); /* the same method in two places */
    assert_non_null(cn_route_find(&table, STR("/a.B/C")));
    assert_non_null(cn_route_find(&table, STR("/api/a.B/C")));
    for (i = 0; i < sizeof others / sizeof *others; i++)
        if (cn_route_find(&table, connect_str_of(others[i]))) fail_msg("found: %s", others[i]);
    assert_null(cn_route_find(&table, STR("/a.B/C\0")));
    assert_null(cn_route_find(&table, cn_str(NULL, 0)));
    cn_route_free(&table, NULL);
}

/* Two texts of one hash: found is what was asked for, and nothing else. */
static void test_same_hash(void **state) {
    static const connect_method_t one = {"/fvrgmue", NULL, NULL, CONNECT_UNARY, (connect_idempotency_t)0};
    static const connect_method_t other = {"/pquifup", NULL, NULL, CONNECT_UNARY, (connect_idempotency_t)0};
    cn_route_table_t table;
    cn_route_t route;
    connect_error_t error;
    (void)state;
    assert_true(cn_str_hash(connect_str_of(one.path)) == cn_str_hash(connect_str_of(other.path)));
    memset(&table, 0, sizeof table);
    memset(&route, 0, sizeof route);
    route.method = &one;
    assert_true(cn_route_add(&table, NULL, "", &route, false, &error));
    assert_null(cn_route_find(&table, connect_str_of(other.path)));
    route.method = &other;
    assert_true(cn_route_add(&table, NULL, "", &route, false, &error));
    assert_ptr_equal(cn_route_find(&table, connect_str_of(one.path))->method, &one);
    assert_ptr_equal(cn_route_find(&table, connect_str_of(other.path))->method, &other);
    cn_route_free(&table, NULL);
}

static void test_duplicates(void **state) {
    static const connect_method_t one = {"/a.B/C", NULL, NULL, CONNECT_UNARY, (connect_idempotency_t)0};
    static const connect_method_t same = {"/v1/a.B/C", NULL, NULL, CONNECT_UNARY, (connect_idempotency_t)0};
    failing_allocator f;
    cn_route_table_t table;
    cn_route_t route;
    connect_error_t error;
    (void)state;
    memset(&table, 0, sizeof table);
    memset(&route, 0, sizeof route);
    failing_init(&f, SIZE_MAX, false);
    route.method = &one;
    assert_true(cn_route_add(&table, &f.allocator, "/v1", &route, false, &error));
    assert_false(cn_route_add(&table, &f.allocator, "/v1", &route, false, &error));
    assert_int_equal(error.code, CONNECT_ALREADY_EXISTS);
    route.method = &same;
    assert_false(cn_route_add(&table, &f.allocator, "", &route, false, &error)); /* it is the whole path that counts */
    assert_int_equal(error.code, CONNECT_ALREADY_EXISTS);
    assert_int_equal(table.count, 1);
    assert_ptr_equal(cn_route_find(&table, STR("/v1/a.B/C"))->method, &one);
    cn_route_free(&table, &f.allocator);
    assert_int_equal(f.live, 0);
}

/* A whole path goes first, then the longest that fits, whatever the order in which they came. */
static void test_patterns(void **state) {
    static const char *const paths[] = {
        "/*", "/acme.*", "/acme.telemetry.v1.*", "/acme.telemetry.*", "/acme.telemetry.v1.T/Read", "/b*"};
    static const struct {
        const char *path, *wanted;
    } asked[] = {{"/acme.telemetry.v1.T/Read", "/acme.telemetry.v1.T/Read"},
        {"/acme.telemetry.v1.T/Reads", "/acme.telemetry.v1."}, {"/acme.telemetry.v1.", "/acme.telemetry.v1."},
        {"/acme.telemetry.v1", "/acme.telemetry."}, {"/acme.x/Y", "/acme."}, {"/acme", "/"}, {"/", "/"}, {"/b", "/b"},
        {"/bb/c", "/b"}, {"", NULL}, {"acme.x", NULL}};
    static const char *const refused[] = {"", "x", "*", "/a*b", "/a.*/b", "/a**"};
    size_t order, i;
    (void)state;
    for (order = 0; order < 6; order++) {
        failing_allocator f;
        cn_route_table_t table;
        cn_route_t route;
        connect_method_t method;
        connect_events_t events;
        connect_error_t error;
        failing_init(&f, SIZE_MAX, false);
        memset(&table, 0, sizeof table);
        memset(&route, 0, sizeof route);
        memset(&method, 0, sizeof method);
        memset(&events, 0, sizeof events);
        route.method = &method;
        route.events = &events;
        for (i = 0; i < 6; i++) {
            char path[40];
            snprintf(path, sizeof path, "%s", paths[(i * 5 + order) % 6]);
            method.path = path;
            assert_true(cn_route_add(&table, &f.allocator, "", &route, true, &error));
            assert_false(cn_route_add(&table, &f.allocator, "", &route, true, &error));
            assert_int_equal(error.code, CONNECT_ALREADY_EXISTS);
            memset(path, 'x', sizeof path); /* it was copied */
        }
        for (i = 0; i < sizeof refused / sizeof *refused; i++) {
            method.path = refused[i];
            assert_false(cn_route_add(&table, &f.allocator, "", &route, true, &error));
            assert_int_equal(error.code, CONNECT_INVALID_ARGUMENT);
        }
        for (i = 0; i < sizeof asked / sizeof *asked; i++) {
            guarded path = guarded_copy(asked[i].path, strlen(asked[i].path), 0);
            const cn_route_t *found = cn_route_find(&table, cn_str(path.data, path.len));
            if (!found != !asked[i].wanted) fail_msg("%s", asked[i].path);
            if (found) assert_str(found->path, asked[i].wanted);
            guarded_free(&path);
        }
        cn_route_free(&table, &f.allocator);
        assert_int_equal(f.live, 0);
    }
}

static bool run_with_allocator(const connect_allocator_t *allocator, void *arg) {
    cn_route_table_t table;
    cn_route_t route;
    connect_error_t error;
    char path[16];
    connect_method_t method;
    bool ok = true;
    unsigned i, added = 0;
    (void)arg;
    memset(&table, 0, sizeof table);
    memset(&route, 0, sizeof route);
    memset(&method, 0, sizeof method);
    method.path = path;
    route.method = &method;
    for (i = 0; i < 40; i++) {
        snprintf(path, sizeof path, i % 4 ? "/s/%u" : "/s/%u*", i);
        if (cn_route_add(&table, allocator, "/p", &route, false, &error)) {
            added++;
        } else {
            assert_int_equal(error.code, CONNECT_RESOURCE_EXHAUSTED);
            assert_null(cn_route_find(&table, STR("/p/s/99")));
            ok = false;
        }
    }
    assert_int_equal(table.count + table.pattern_count, added);
    if (ok) assert_non_null(cn_route_find(&table, STR("/p/s/39")));
    cn_route_free(&table, allocator);
    return ok;
}
static void test_allocations(void **state) {
    (void)state;
    sweep_allocations(run_with_allocator, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thousands),
        cmocka_unit_test(test_near_misses),
        cmocka_unit_test(test_same_hash),
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
