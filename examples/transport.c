/* Transports: every kind of address; a client that calls a server in memory; connections without any I/O. */
#include "telemetry.connect.h"
#include <stdio.h>

static connect_code_t read_sensor(connect_call_t *call, const acme_telemetry_v1_ReadRequest *request,
    acme_telemetry_v1_Reading *response, void *user) {
    (void)call;
    (void)user;
    response->sensor = request->sensor;
    return CONNECT_OK;
}

static connect_server_t *new_server(connect_loop_t *loop_or_null, connect_error_t *error) {
    connect_server_options_t options = CONNECT_DEFAULTS;
    acme_telemetry_v1_Telemetry_handlers handlers = CONNECT_DEFAULTS;
    connect_server_t *server;
    options.loop = loop_or_null;
    server = connect_server_new(&options, error);
    handlers.Read = read_sensor;
    if (server && !acme_telemetry_v1_Telemetry_serve(server, &handlers, NULL, NULL, error)) {
        connect_server_free(server);
        server = NULL;
    }
    return server;
}

/* ---- 1. Addresses: the same words for listening and for dialling ---- */

#if CONNECT_ENABLE_SOCKETS
static int over_sockets(const char *address) {
    connect_error_t error;
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_client_options_t options = CONNECT_DEFAULTS;
    acme_telemetry_v1_ReadRequest request = CONNECT_DEFAULTS;
    acme_telemetry_v1_Reading reading;
    connect_server_t *server;
    connect_client_t *client = NULL;
    char with_port[32];
    int failed = 1, port;
    options.loop = connect_loop_new(NULL, &error); /* both ends in one thread */
    server = options.loop ? new_server(options.loop, &error) : NULL;
    port = server ? connect_server_listen(server, address, NULL, &error) : -1;
    snprintf(with_port, sizeof with_port, "127.0.0.1:%d", port);
    options.address = port > 0 ? with_port : address; /* authority and prefix come from the URL */
    if (port >= 0) client = connect_client_new("http://gateway", &options, &error);
    request.sensor = connect_str_of("boiler");
    if (client && acme_telemetry_v1_Telemetry_Read_wait(client, &request, &reading, &arena, &error) == CONNECT_OK)
        failed = !connect_str_equal(reading.sensor, request.sensor);
    else
        fprintf(stderr, CONNECT_STR_FMT "\n", CONNECT_STR_ARG(error.message));
    connect_client_free(client);
    connect_server_free(server);
    connect_loop_free(options.loop);
    connect_arena_free(&arena);
    return failed;
}
#endif

/* ---- 2. A unit test: the real stack on both ends, no socket, no port, no thread ---- */

static int in_memory(void) {
    connect_error_t error;
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_client_options_t options = CONNECT_DEFAULTS;
    acme_telemetry_v1_ReadRequest request = CONNECT_DEFAULTS;
    acme_telemetry_v1_Reading reading;
    connect_client_t *client;
    int failed = 1;
    options.loopback = new_server(NULL, &error);
    options.protocol = CONNECT_PROTOCOL_GRPC_WEB;
    client = options.loopback ? connect_client_new("http://test", &options, &error) : NULL;
    request.sensor = connect_str_of("boiler");
    if (client && acme_telemetry_v1_Telemetry_Read_wait(client, &request, &reading, &arena, &error) == CONNECT_OK)
        failed = !connect_str_equal(reading.sensor, request.sensor);
    connect_client_free(client);
    connect_server_free(options.loopback);
    connect_arena_free(&arena);
    return failed;
}

/* ---- 3. No I/O at all: a UART, a TCP stack of one's own, a fuzzer. Here both ends, and a wire in between ---- */

typedef struct wire {
    connect_conn_t *client, *server;
    connect_server_t *listener;
} wire;

static connect_code_t wire_dial(connect_conn_t *conn, const char *address, void *user) {
    wire *w = (wire *)user;
    w->client = conn;
    w->server = connect_server_accept(w->listener, address, NULL, NULL);
    return w->server ? CONNECT_OK : CONNECT_UNAVAILABLE;
}

/* Moves what one end has to say, as far as the other takes it; each is told the time at least. */
static bool carry(connect_conn_t *from, connect_conn_t *to, int64_t now_ms) {
    connect_str_t out = connect_conn_output(from);
    size_t taken = 0;
    if (connect_conn_wants(to) & CONNECT_WANTS_READ) taken = connect_conn_feed(to, out.data, out.len, now_ms);
    connect_conn_sent(from, taken);
    return taken > 0;
}

static void read_done(connect_call_t *call, const acme_telemetry_v1_Reading *response_or_null,
    const connect_error_t *error_or_null, void *user) {
    (void)call;
    (void)error_or_null;
    *(bool *)user = response_or_null != NULL;
}

static int over_a_wire(void) {
    connect_error_t error;
    connect_client_options_t options = CONNECT_DEFAULTS;
    acme_telemetry_v1_ReadRequest request = CONNECT_DEFAULTS;
    connect_client_t *client;
    bool answered = false;
    wire w = {NULL, NULL, NULL};
    w.listener = new_server(NULL, &error);
    options.dial = wire_dial;
    options.user = &w;
    client = w.listener ? connect_client_new("http://uart", &options, &error) : NULL;
    if (client && acme_telemetry_v1_Telemetry_Read(client, &request, read_done, &answered, &error)) {
        connect_conn_feed(w.client, NULL, 0, 0); /* it is open */
        while (carry(w.client, w.server, 0) || carry(w.server, w.client, 0)) {}
    }
    if (w.server) connect_conn_close(w.server);
    if (w.client) connect_conn_close(w.client);
    connect_client_free(client);
    connect_server_free(w.listener);
    return answered ? 0 : 1;
}

static int report(const char *name, int failed) {
    printf("%s: %s\n", name, failed ? "failed" : "ok");
    return failed;
}

int main(void) {
    int failed = report("in memory", in_memory()) + report("over a wire", over_a_wire());
#if CONNECT_ENABLE_SOCKETS
    static const char *const addresses[] = {"127.0.0.1:0", "unix:transport_example.sock"};
    size_t i;
    for (i = 0; i < sizeof addresses / sizeof *addresses; i++)
        failed += report(addresses[i], over_sockets(addresses[i]));
#endif
    return failed != 0;
}
