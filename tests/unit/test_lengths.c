/* Lengths that a peer declares, up to 2^32-1, where all that follows is a few bytes: refused if they are over the limit,
   waited for if there is none, and never a read past what came. Also built with 32 bits (tests/bits32.sh), where such a
   length and five more wrap around (the envelope of a message, and the trailer frame of gRPC-Web). */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"

static const uint32_t lengths[] = {
    4096, 4097, 0x7ffffffbu, 0x7fffffffu, 0x80000000u, 0xfffefffeu, 0xfffffffau, 0xfffffffbu, 0xfffffffeu, 0xffffffffu};
#define COUNT(array) (sizeof(array) / sizeof *(array))

typedef struct nothing {
    char unused;
} nothing;
static const connect_type_t type = {
    "test.Nothing", NULL, NULL, NULL, "", NULL, NULL, NULL, 0, sizeof(nothing), 0, 0, 0, false, false, false, false, 0};
static const connect_method_t method = {
    "/test.S/Client", &type, &type, CONNECT_CLIENT_STREAM, CONNECT_IDEMPOTENCY_UNKNOWN};
static const connect_method_t *const methods[] = {&method};
static int messages, closed;
static connect_code_t closed_code;
static connect_io_t on_message(connect_call_t *call, const void *message, void *user) {
    (void)call;
    (void)message;
    (void)user;
    messages++;
    return CONNECT_IO_OK;
}
static void on_closed(connect_call_t *call, const connect_error_t *error, void *user) {
    (void)call;
    (void)user;
    closed++;
    closed_code = error ? error->code : CONNECT_OK;
}

static void serve(uint32_t declared, uint32_t limit, uint8_t flags, const char *content_type) {
    connect_events_t events = CONNECT_DEFAULTS;
    const connect_events_t *thunks[1];
    connect_server_options_t options = CONNECT_DEFAULTS;
    connect_service_t service = CONNECT_DEFAULTS;
    failing_allocator memory;
    connect_server_t *server;
    connect_conn_t *conn;
    connect_error_t error;
    connect_str_t out;
    guarded in;
    char head[300], answer[2000];
    size_t len;
    failing_init(&memory, SIZE_MAX, false);
    events.on_message = on_message;
    events.on_closed = on_closed;
    thunks[0] = &events;
    service.full_name = "test.S";
    service.methods = methods;
    service.thunks = thunks;
    service.method_count = 1;
    service.handlers_size = 1;
    options.allocator = &memory.allocator;
    options.limits.receive_bytes = limit;
    messages = closed = 0;
    server = connect_server_new(&options, &error);
    assert_non_null(server);
    assert_true(connect_server_add_service(server, &service, "", NULL, NULL, &error));
    conn = connect_server_accept(server, "memory:", NULL, &error);
    assert_non_null(conn);
    len = (size_t)snprintf(head, sizeof head,
        "POST /test.S/Client HTTP/1.1\r\nhost: a\r\ncontent-type: %s\r\ntransfer-encoding: chunked\r\n\r\n8\r\n",
        content_type);
    cn_envelope_write(head + len, flags, declared);
    memcpy(head + len + 5, "abc\r\n", 5);
    in = guarded_copy(head, len + 10, 0);
    assert_int_equal(connect_conn_feed(conn, in.data, in.len, 1000), in.len);
    guarded_free(&in);
    out = connect_conn_output(conn);
    len = out.len < sizeof answer - 1 ? out.len : sizeof answer - 1;
    memcpy(answer, out.data, len);
    answer[len] = 0;
    for (len = 0; len < out.len && len < sizeof answer - 1; len++)
        if (!answer[len]) answer[len] = '0'; /* an envelope's */
    assert_int_equal(messages, 0);
    if (flags == 0 && declared <= limit)
        assert_int_equal(out.len, 0); /* it may yet come */
    else if (flags)
        assert_true(strstr(answer, "internal") || strstr(answer, "grpc-status: 13"));
    else
        assert_true(strstr(answer, "resource_exhausted") || strstr(answer, "grpc-status: 8"));
    connect_conn_close(conn);
    assert_int_equal(closed, 1);
    assert_int_not_equal(closed_code, CONNECT_OK);
    assert_true(memory.largest < 400000);
    connect_server_free(server);
    assert_int_equal(memory.live, 0);
}
static void test_requests(void **state) {
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(lengths); i++) {
        serve(lengths[i], 4096, 0, "application/connect+proto");
        serve(lengths[i], 4096, 0, "application/grpc-web+proto");
        serve(lengths[i], CONNECT_UNLIMITED, 0, "application/connect+proto");
        serve(lengths[i], CONNECT_UNLIMITED, 0, "application/grpc-web+proto");
        serve(lengths[i], CONNECT_UNLIMITED, 2, "application/connect+proto");
        serve(lengths[i], CONNECT_UNLIMITED, 0x80, "application/grpc-web+proto");
    }
}

/* The client: messages, and the trailer frame of gRPC-Web and Connect's END_STREAM, of such a length. */
typedef struct wire {
    connect_conn_t *conn;
} wire;
static connect_code_t dial(connect_conn_t *conn, const char *address, void *user) {
    (void)address;
    ((wire *)user)->conn = conn;
    return CONNECT_OK;
}
static void call(uint32_t declared, uint32_t limit, uint8_t flags, connect_protocol_t protocol) {
    connect_client_options_t options = CONNECT_DEFAULTS;
    connect_events_t events = CONNECT_DEFAULTS;
    failing_allocator memory;
    connect_client_t *client;
    connect_call_t *c;
    connect_error_t error;
    wire l = {NULL};
    nothing message = {0};
    guarded in;
    char head[300];
    size_t len;
    failing_init(&memory, SIZE_MAX, false);
    events.on_message = on_message;
    events.on_closed = on_closed;
    options.allocator = &memory.allocator;
    options.protocol = protocol;
    options.http = CONNECT_HTTP_1;
    options.dial = dial;
    options.user = &l;
    options.limits.receive_bytes = limit;
    messages = closed = 0;
    client = connect_client_new("http://a", &options, &error);
    assert_non_null(client);
    c = connect_client_start(client, &method, &events, NULL, NULL, &error);
    assert_non_null(c);
    assert_int_equal(connect_call_send(c, &message), CONNECT_IO_OK);
    connect_call_finish(c, CONNECT_OK, NULL);
    assert_non_null(l.conn);
    connect_conn_feed(l.conn, "", 0, 1000);
    connect_conn_sent(l.conn, connect_conn_output(l.conn).len);
    len = (size_t)snprintf(head, sizeof head,
        "HTTP/1.1 200 OK\r\ncontent-type: %s\r\ntransfer-encoding: chunked\r\n\r\n8\r\n",
        protocol == CONNECT_PROTOCOL_GRPC_WEB ? "application/grpc-web+proto" : "application/connect+proto");
    cn_envelope_write(head + len, flags, declared);
    memcpy(head + len + 5, "abc\r\n", 5);
    in = guarded_copy(head, len + 10, 0);
    connect_conn_feed(l.conn, in.data, in.len, 1000);
    guarded_free(&in);
    assert_int_equal(messages, 0);
    assert_int_equal(closed, declared > limit);
    if (closed) assert_int_equal(closed_code, CONNECT_RESOURCE_EXHAUSTED);
    connect_conn_close(l.conn);
    assert_int_equal(closed, 1);
    assert_int_not_equal(closed_code, CONNECT_OK);
    assert_true(memory.largest < 400000);
    connect_client_free(client);
    assert_int_equal(memory.live, 0);
}
static void test_responses(void **state) {
    size_t i;
    (void)state;
    for (i = 0; i < COUNT(lengths); i++) {
        int web;
        for (web = 0; web < 2; web++) {
            const connect_protocol_t protocol = web ? CONNECT_PROTOCOL_GRPC_WEB : CONNECT_PROTOCOL_CONNECT;
            call(lengths[i], 4096, 0, protocol);
            call(lengths[i], 4096, web ? 0x80 : 2, protocol);
            call(lengths[i], CONNECT_UNLIMITED, 0, protocol);
            call(lengths[i], CONNECT_UNLIMITED, web ? 0x80 : 2, protocol);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_responses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
