/* The default resolver: names are looked up beside the loop, which goes on; whoever loses interest does not wait. The
   system's resolver is replaced by one that is as slow as the test wants. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"
#include "pair.h"

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* held by the test: nobody gets an answer */
static int lookups, answers;                             /* atomic */
static pthread_t asked_by;
static const char *answer = "ipv6"; /* which families come first; NULL: not found */

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **result) {
    struct sockaddr_in6 *in6;
    struct sockaddr_in *in;
    struct addrinfo *list = NULL;
    int i;
    (void)host;
    (void)hints;
    asked_by = pthread_self();
    __atomic_add_fetch(&lookups, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    if (!answer) return EAI_NONAME;
    for (i = 3; i >= 0; i--) { /* [::1] [::2] 127.0.0.1 127.0.0.2: two of each family */
        struct addrinfo *one = (struct addrinfo *)calloc(1, sizeof *one);
        one->ai_next = list;
        list = one;
        if (i < 2) {
            in6 = (struct sockaddr_in6 *)calloc(1, sizeof *in6);
            in6->sin6_family = AF_INET6;
            in6->sin6_port = htons((uint16_t)atoi(service));
            in6->sin6_addr.s6_addr[15] = (uint8_t)(i + 1);
            one->ai_addr = (struct sockaddr *)(void *)in6;
            one->ai_addrlen = sizeof *in6;
        } else {
            in = (struct sockaddr_in *)calloc(1, sizeof *in);
            in->sin_family = AF_INET;
            in->sin_port = htons((uint16_t)atoi(service));
            in->sin_addr.s_addr = htonl(0x7F000000u + (uint32_t)(i - 1));
            one->ai_addr = (struct sockaddr *)(void *)in;
            one->ai_addrlen = sizeof *in;
        }
    }
    *result = list;
    __atomic_add_fetch(&answers, 1, __ATOMIC_SEQ_CST);
    return 0;
}
void freeaddrinfo(struct addrinfo *list) {
    while (list) {
        struct addrinfo *next = list->ai_next;
        free(list->ai_addr);
        free(list);
        list = next;
    }
}

static connect_code_t echo(connect_call_t *call, const void *request, void *response, void *user) {
    (void)call;
    (void)user;
    *(note *)response = *(const note *)request;
    return CONNECT_OK;
}
static const connect_events_t echo_events = {NULL, echo, NULL, NULL, NULL, NULL, NULL};

typedef struct stage {
    connect_loop_t *loop;
    pair served; /* only for its server */
    connect_client_t *client;
    failing_allocator memory;
    int port, closed, ticks;
    connect_code_t code;
    char text[200];
    connect_task_t tick;
} stage;

static void on_closed(connect_call_t *call, const connect_error_t *error, void *user) {
    stage *s = (stage *)user;
    (void)call;
    s->closed++;
    s->code = error ? error->code : CONNECT_OK;
    if (error) snprintf(s->text, sizeof s->text, "%s", error->message.data);
}
static void on_tick(void *arg) {
    stage *s = (stage *)arg;
    s->ticks++;
    connect_loop_after(s->loop, &s->tick, 1, on_tick, s);
}

static void stage_init(stage *s, const char *host) {
    connect_server_options_t server = CONNECT_DEFAULTS;
    connect_client_options_t options = CONNECT_DEFAULTS;
    connect_error_t error;
    char url[80];
    memset(s, 0, sizeof *s);
    lookups = answers = 0;
    answer = "";
    failing_init(&s->memory, SIZE_MAX, false);
    s->loop = connect_loop_new(NULL, &error);
    assert_non_null(s->loop);
    server.loop = s->loop;
    s->served.server = connect_server_new(&server, &error);
    assert_non_null(s->served.server);
    pair_serve(&s->served, &echo_events, NULL);
    s->port = connect_server_listen(s->served.server, "127.0.0.1:0", NULL, &error);
    assert_true(s->port > 0);
    options.loop = s->loop;
    options.allocator = &s->memory.allocator;
    snprintf(url, sizeof url, "http://%s:%d", host, s->port);
    s->client = connect_client_new(url, &options, &error);
    assert_non_null(s->client);
}
static void stage_call(stage *s) {
    static const connect_events_t events = {NULL, NULL, NULL, NULL, NULL, NULL, on_closed};
    connect_call_t *call = connect_client_start(s->client, &note_methods[0], &events, s, NULL, NULL);
    note n;
    memset(&n, 0, sizeof n);
    assert_non_null(call);
    connect_call_finish(call, CONNECT_OK, &n);
}
static void stage_run(stage *s, int ms) {
    int64_t until = cn_loop_now_ms(s->loop) + ms;
    while (!s->closed && cn_loop_now_ms(s->loop) < until)
        connect_loop_run(s->loop, 5);
}
static void stage_free(stage *s) {
    connect_loop_after(s->loop, &s->tick, -1, NULL, NULL);
    connect_client_free(s->client);
    connect_server_free(s->served.server);
    connect_loop_free(s->loop);
    assert_int_equal(s->memory.live, 0);
}

/* The loop goes on while a name is looked up, in another thread; families take turns. */
static void test_beside_the_loop(void **state) {
    cn_backend_t *backend;
    stage s;
    (void)state;
    stage_init(&s, "somewhere.test");
    pthread_mutex_lock(&gate);
    stage_call(&s);
    connect_loop_after(s.loop, &s.tick, 1, on_tick, &s);
    stage_run(&s, 200);
    assert_true(s.closed == 0 && s.ticks > 10);
    assert_int_equal(lookups, 1);
    assert_false(pthread_equal(asked_by, pthread_self()));
    pthread_mutex_unlock(&gate);
    stage_run(&s, 10000);
    assert_int_equal(s.code, CONNECT_OK);
    assert_int_equal(s.closed, 1);
    backend = CN_CONTAINER(s.client->backends.next, cn_backend_t, node);
    assert_int_equal(backend->address_count, 4);
    assert_memory_equal(backend->addresses[0], "[::1]:", 6);
    assert_memory_equal(backend->addresses[1], "127.0.0.1:", 10);
    assert_memory_equal(backend->addresses[2], "[::2]:", 6);
    assert_memory_equal(backend->addresses[3], "127.0.0.2:", 10);
    stage_free(&s);
}

/* The client and the loop go while the thread is held up: nobody waits for it, and it touches nothing of them. */
static void test_abandoned(void **state) {
    int posted;
    (void)state;
    for (posted = 0; posted < 2; posted++) {
        stage s;
        int i;
        stage_init(&s, "somewhere.test");
        pthread_mutex_lock(&gate);
        stage_call(&s);
        for (i = 0; i < 1000 && __atomic_load_n(&lookups, __ATOMIC_SEQ_CST) == 0; i++)
            connect_loop_run(s.loop, 1);
        if (posted) { /* the answer is on its way, and the loop does not run any more */
            pthread_mutex_unlock(&gate);
            for (i = 0; i < 2000 && !__atomic_load_n(&s.loop->posted, __ATOMIC_SEQ_CST); i++)
                usleep(1000);
            assert_non_null(s.loop->posted);
        }
        stage_free(&s);
        assert_true(s.closed == 1 && s.code == CONNECT_CANCELED);
        if (!posted) {
            pthread_mutex_unlock(&gate);
            for (i = 0; i < 2000 && __atomic_load_n(&answers, __ATOMIC_SEQ_CST) == 0; i++)
                usleep(1000);
            assert_int_equal(answers, 1);
            usleep(20000); /* it frees its job */
        }
    }
}

static void test_not_found(void **state) {
    stage s;
    (void)state;
    stage_init(&s, "nowhere.test");
    answer = NULL;
    stage_call(&s);
    stage_run(&s, 10000);
    assert_true(s.closed == 1 && s.code == CONNECT_UNAVAILABLE);
    assert_string_equal(s.text, "cannot resolve nowhere.test: Name or service not known");
    stage_free(&s);
}

/* Literals need no lookup. */
static void test_literals(void **state) {
    stage s;
    (void)state;
    stage_init(&s, "127.0.0.1");
    stage_call(&s);
    stage_run(&s, 10000);
    assert_true(s.closed == 1 && s.code == CONNECT_OK);
    assert_int_equal(lookups, 0);
    stage_free(&s);
    stage_init(&s, "[::1]"); /* nobody listens there */
    stage_call(&s);
    stage_run(&s, 10000);
    assert_true(s.closed == 1 && s.code == CONNECT_UNAVAILABLE);
    assert_memory_equal(s.text, "cannot connect to [::1]:", 24);
    assert_int_equal(lookups, 0);
    stage_free(&s);
}

/* Waiting for readiness: in time, and not. */
static void test_connect_wait(void **state) {
    connect_error_t error;
    stage s;
    (void)state;
    stage_init(&s, "somewhere.test");
    assert_true(connect_client_connect_wait(s.client, 10000, &error));
    stage_free(&s);
    stage_init(&s, "nowhere.test");
    answer = NULL;
    assert_false(connect_client_connect_wait(s.client, 50, &error));
    assert_int_equal(error.code, CONNECT_DEADLINE_EXCEEDED);
    assert_string_equal(
        error.message.data, "no connection was ready in time: cannot resolve nowhere.test: Name or service not known");
    stage_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_beside_the_loop), cmocka_unit_test(test_abandoned),
        cmocka_unit_test(test_not_found), cmocka_unit_test(test_literals), cmocka_unit_test(test_connect_wait)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
