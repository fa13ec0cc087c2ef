/* All memory of a server in one number: it is counted to the byte, it never passes its limit whatever the peers do, what
   is too much is refused in the way that peers understand, and what waited goes on when there is room again. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"
#include "pair.h"

static void test_counting(void **state) {
    failing_allocator f;
    cn_meter_t *meter;
    const connect_allocator_t *a;
    char *one, *two;
    (void)state;
    failing_init(&f, SIZE_MAX, false);
    meter = cn_meter_new(&f.allocator, 1000);
    a = &meter->allocator;
    one = (char *)a->acquire(a->ctx, 100);
    assert_non_null(one);
    assert_int_equal((uintptr_t)one % 16, 0);
    memset(one, 1, 100);
    assert_int_equal(meter->used, 116);
    two = (char *)a->resize(a->ctx, NULL, 10);
    assert_int_equal(meter->used, 142);
    one = (char *)a->resize(a->ctx, one, 600);
    assert_int_equal(meter->used, 642);
    assert_int_equal(one[99], 1);
    assert_false(cn_meter_is_high(meter));
    assert_null(a->acquire(a->ctx, 1000 - 642 - 15)); /* one byte too many */
    assert_null(a->resize(a->ctx, two, 11 + 1000 - 642));
    assert_null(a->acquire(a->ctx, SIZE_MAX));
    assert_null(a->acquire(a->ctx, SIZE_MAX - 16));
    assert_null(a->resize(a->ctx, two, SIZE_MAX - 5));
    assert_int_equal(meter->used, 642);
    two = (char *)a->resize(a->ctx, two, 10 + 1000 - 642);
    assert_non_null(two);
    assert_int_equal(meter->used, 1000);
    assert_true(cn_meter_is_high(meter));
    two = (char *)a->resize(a->ctx, two, 1);
    assert_int_equal(meter->used, 633);
    f.fail_at = f.calls; /* what is below may fail, too */
    assert_null(a->acquire(a->ctx, 1));
    f.fail_at = f.calls;
    assert_null(a->resize(a->ctx, two, 50));
    assert_int_equal(meter->used, 633);
    a->release(a->ctx, NULL);
    a->release(a->ctx, one);
    assert_int_equal(meter->used, 17);
    cn_meter_free(meter); /* it stays for the last block */
    a->release(a->ctx, two);
    assert_int_equal(f.live, 0);
    cn_meter_free(NULL);
}

/* ---- Peers that send what fills memory ---- */
#define MEMORY (2u * 1024 * 1024)
#define STREAMS 60

typedef struct town {
    pair p;
    size_t used, most; /* by the library, as the allocator below sees it */
    connect_allocator_t allocator;
    connect_events_t events;
    int handled, refused, exhausted, done;
} town;
static void *town_acquire(void *ctx, size_t size) {
    town *t = (town *)ctx;
    size_t *block = (size_t *)malloc(size + 16);
    t->used += size;
    if (t->used > t->most) t->most = t->used;
    block[0] = size;
    return (char *)block + 16;
}
static void town_release(void *ctx, void *at) {
    size_t *block = at ? (size_t *)(void *)((char *)at - 16) : NULL;
    if (block) ((town *)ctx)->used -= block[0];
    free(block);
}
static void *town_resize(void *ctx, void *at, size_t size) {
    size_t *block = at ? (size_t *)(void *)((char *)at - 16) : NULL;
    char *moved = (char *)town_acquire(ctx, size);
    if (block) memcpy(moved, at, block[0] < size ? block[0] : size);
    town_release(ctx, at);
    return moved;
}
static connect_code_t town_request(connect_call_t *call, const void *request, void *response, void *user) {
    town *t = (town *)user;
    (void)call;
    t->handled++;
    ((note *)response)->number = (int32_t)((const note *)request)->data.len;
    return CONNECT_OK;
}
static void town_closed(connect_call_t *call, const connect_error_t *error, void *user) {
    town *t = (town *)user;
    (void)call;
    t->done++;
    if (!error) return;
    if (error->code == CONNECT_UNAVAILABLE) t->refused++;
    if (error->code == CONNECT_RESOURCE_EXHAUSTED) t->exhausted++;
}
static connect_client_t *town_client(town *t, connect_http_version_t http) {
    connect_client_options_t options = CONNECT_DEFAULTS;
    connect_error_t error;
    connect_client_t *client;
    options.dial = pair_dial;
    options.user = &t->p;
    options.http = http;
    options.protocol = CONNECT_PROTOCOL_GRPC_WEB;
    options.limits.stream_buffer = 200000;
    options.timeout_ms = 60000;
    client = connect_client_new("http://memory:1", &options, &error);
    assert_non_null(client);
    return client;
}
static void town_init(town *t, connect_http_version_t http) {
    connect_server_options_t server = CONNECT_DEFAULTS;
    connect_error_t error;
    memset(t, 0, sizeof *t);
    pair_init(&t->p);
    t->allocator.acquire = town_acquire;
    t->allocator.resize = town_resize;
    t->allocator.release = town_release;
    t->allocator.ctx = t;
    t->events.on_request = town_request;
    server.allocator = &t->allocator;
    server.limits.memory = MEMORY;
    t->p.server = connect_server_new(&server, &error);
    assert_non_null(t->p.server);
    pair_serve(&t->p, &t->events, t);
    t->p.client = town_client(t, http);
}
static void town_free(town *t) {
    pair_free(&t->p);
    assert_int_equal(t->used, 0);
}
static connect_call_t *town_ask(town *t, size_t size) {
    static const connect_events_t events = {NULL, NULL, NULL, NULL, NULL, NULL, town_closed};
    connect_error_t error;
    connect_call_t *call = connect_client_start(t->p.client, &note_methods[0], &events, t, NULL, &error);
    note n;
    char *data = (char *)calloc(1, size);
    assert_non_null(call);
    memset(&n, 0, sizeof n);
    n.data = cn_str(data, size);
    connect_call_finish(call, CONNECT_OK, &n);
    free(data);
    return call;
}
/* Many large requests at once: some are refused, some wait; none is lost, and all that were taken are answered. */
static void test_many(void **state) {
    int http, i;
    (void)state;
    for (http = 1; http <= 2; http++) {
        town t;
        town_init(&t, (connect_http_version_t)http);
        for (i = 0; i < STREAMS; i++)
            town_ask(&t, 90000);
        pair_advance(&t.p, 100000);
        assert_int_equal(t.done, STREAMS);
        if (t.most > MEMORY + 1000) fail_msg("HTTP/%d: %lu bytes", http, (unsigned long)t.most);
        if (!t.handled || t.handled + t.refused + t.exhausted != STREAMS)
            fail_msg("HTTP/%d: %d handled, %d refused, %d exhausted", http, t.handled, t.refused, t.exhausted);
        i = t.handled;
        /* all is well again */
        town_ask(&t, 1000);
        pair_pump(&t.p);
        assert_int_equal(t.handled, i + 1);
        town_free(&t);
    }
}

/* Half of a request from each of many peers: nothing new begins; the youngest give way, and the oldest are served. */
static void test_halves(void **state) {
    town t;
    connect_error_t error;
    char *body = (char *)calloc(1, 100000);
    pair_link *links[50], *old;
    size_t i, answered = 0, served = 0, count = 0;
    bytes half = {NULL, 0, 0};
    (void)state;
    town_init(&t, CONNECT_HTTP_2);
    town_ask(&t, 1000); /* its connection stays */
    old = pair_add(&t.p, NULL, connect_server_accept(t.p.server, "", NULL, &error));
    old->up.sender_gone = false;
    bytes_text(&old->up.sent, "GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    pair_pump(&t.p);
    assert_int_equal(t.handled, 1);
    t.handled = 0;
    bytes_text(&half,
        "POST /test.v1.Notes/Unary HTTP/1.1\r\nhost: a\r\ncontent-type: application/proto\r\ncontent-length: "
        "100003\r\n\r\n"
        "\x1a\x9f\x8d\x06"); /* field 3, 99,999 bytes */
    for (i = 0; i < 50; i++) {
        connect_conn_t *conn = connect_server_accept(t.p.server, "", NULL, &error);
        if (!conn) {
            assert_int_equal(error.code, CONNECT_RESOURCE_EXHAUSTED);
            assert_non_null(strstr(error.message.data, "limits.memory"));
            break;
        }
        links[count] = pair_add(&t.p, NULL, conn);
        links[count]->up.sender_gone = false;
        bytes_add(&links[count]->up.sent, half.data, half.len);
        bytes_add(&links[count]->up.sent, body, 60000); /* below the window: nobody waits for more room yet */
        count++;
        pair_pump(&t.p);
    }
    assert_true(count > 3 && count < 50);
    assert_int_equal(t.handled, 0);
    bytes_text(&old->up.sent, "GET / HTTP/1.1\r\nhost: a\r\n\r\n"); /* what is there already begins nothing, either */
    town_ask(&t, 1000);
    pair_pump(&t.p);
    assert_non_null(strstr(old->down.sent.data, " 503"));
    assert_int_equal(t.refused, 1);
    for (i = 0; i < count; i++)
        bytes_add(&links[i]->up.sent, body, 39999);
    pair_pump(&t.p);
    if (t.most > MEMORY + 1000) fail_msg("%lu bytes", (unsigned long)t.most);
    for (i = 0; i < count; i++) {
        if (!links[i]->down.sent.len) continue;
        answered++;
        served += strstr(links[i]->down.sent.data, " 200 ") != NULL;
    }
    if (answered != count || served < 3 || served != (size_t)t.handled || !strstr(links[0]->down.sent.data, " 200 "))
        fail_msg(
            "of %lu %lu answered, %lu served", (unsigned long)count, (unsigned long)answered, (unsigned long)served);
    town_ask(&t, 1000); /* all is well again */
    pair_pump(&t.p);
    assert_int_equal(t.handled, (int)served + 1);
    town_free(&t);
    bytes_free(&half);
    free(body);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counting), cmocka_unit_test(test_many), cmocka_unit_test(test_halves)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
