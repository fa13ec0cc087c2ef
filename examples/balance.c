/* Pools, single connections, and spreading calls over them: ready-made policies and one of our own. It brings its own
   three servers, on the same loop. */
#include "telemetry.connect.h"
#include <stdio.h>
#include <string.h>

#define GATEWAYS 3
typedef struct gateway {
    connect_server_t *server;
    char url[40], address[32];
    unsigned calls;
} gateway;

static connect_code_t serve_read(connect_call_t *call, const acme_telemetry_v1_ReadRequest *request,
    acme_telemetry_v1_Reading *response, void *user) {
    (void)call;
    ((gateway *)user)->calls++;
    response->sensor = request->sensor;
    return CONNECT_OK;
}
static bool open_gateway(gateway *g, connect_loop_t *loop) {
    acme_telemetry_v1_Telemetry_handlers handlers = CONNECT_DEFAULTS;
    connect_server_options_t options = CONNECT_DEFAULTS;
    int port;
    options.loop = loop;
    handlers.Read = serve_read;
    g->server = connect_server_new(&options, NULL);
    if (!g->server || !acme_telemetry_v1_Telemetry_serve(g->server, &handlers, g, NULL, NULL)) return false;
    port = connect_server_listen(g->server, "127.0.0.1:0", NULL, NULL);
    snprintf(g->address, sizeof g->address, "127.0.0.1:%d", port);
    snprintf(g->url, sizeof g->url, "http://%s", g->address);
    return port > 0;
}

/* ---- 1. A pool over all addresses of a name, which a resolver of ours gives ---- */
static void resolve_from_table(connect_resolve_t *question, const char *host, const char *port, void *user) {
    const gateway *gateways = (const gateway *)user;
    const char *addresses[GATEWAYS];
    size_t i;
    (void)port;
    for (i = 0; i < GATEWAYS; i++)
        addresses[i] = gateways[i].address;
    connect_resolve_finish(question, addresses, strcmp(host, "telemetry") == 0 ? GATEWAYS : 0, 30 * 1000);
}
static connect_client_t *pool(connect_loop_t *loop, gateway *gateways, connect_error_t *error) {
    connect_client_options_t options = CONNECT_DEFAULTS;
    options.loop = loop;
    options.protocol = CONNECT_PROTOCOL_GRPC;
    options.resolve = resolve_from_table;
    options.user = gateways;
    options.pick = connect_pick_round_robin;
    options.retry.attempts = 3;
    options.limits.ping_ms = 60 * 1000;
    return connect_client_new("http://telemetry", &options, error);
}

/* ---- 2. One HTTP/2 connection, honest about whether it can take a call now: nothing queues behind it ---- */
static void member_changed(connect_client_t *client, void *user) {
    connect_backend_t b;
    (void)user;
    if (connect_client_backends(client, &b, 1) == 1)
        printf("%s, %u of %u calls\n", b.ready ? "ready" : "not ready", (unsigned)b.calls, (unsigned)b.capacity);
}
static connect_client_t *single(connect_loop_t *loop, const char *url, connect_error_t *error) {
    connect_client_options_t options = CONNECT_DEFAULTS;
    connect_client_t *client;
    options.loop = loop;
    options.http = CONNECT_HTTP_2;
    options.connections = 1;
    options.no_queue = true; /* not ready: UNAVAILABLE at once, and nothing was sent */
    options.on_backends = member_changed;
    client = connect_client_new(url, &options, error);
    if (client) connect_client_connect(client);
    return client;
}

/* ---- 3. A balancer over several of them is a client, too; the policy is a function ---- */
typedef struct near_first {
    const char *near; /* how near addresses begin */
    uint32_t far_penalty_us;
} near_first;

static size_t pick_near(
    const connect_backend_t *backends, size_t count, size_t last, const connect_call_t *call, void *user) {
    const near_first *policy = (const near_first *)user;
    size_t i, best = count;
    uint64_t best_cost = UINT64_MAX;
    (void)last;
    (void)call;
    for (i = 0; i < count; i++) {
        uint64_t cost = (uint64_t)backends[i].latency_us * (backends[i].calls + 1);
        if (strncmp(backends[i].address, policy->near, strlen(policy->near)) != 0) cost += policy->far_penalty_us;
        if (backends[i].ready && cost < best_cost) {
            best = i;
            best_cost = cost;
        }
    }
    return best; /* count: nobody is ready, the call waits */
}
static connect_client_t *balanced(
    connect_client_t *const *members, size_t count, near_first *policy, connect_error_t *error) {
    connect_client_options_t options = CONNECT_DEFAULTS;
    options.members = members; /* on their loop */
    options.member_count = count;
    options.pick = pick_near;
    options.user = policy;
    return connect_client_new(NULL, &options, error);
}

static void read_some(connect_client_t *client, unsigned count) {
    acme_telemetry_v1_ReadRequest request = CONNECT_DEFAULTS;
    acme_telemetry_v1_Reading reading;
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_error_t error;
    request.sensor = connect_str_of("boiler");
    for (; count; count--) {
        if (acme_telemetry_v1_Telemetry_Read_wait(client, &request, &reading, &arena, &error) != CONNECT_OK)
            printf("%s: %s\n", connect_code_name(error.code), error.message.data);
        connect_arena_reset(&arena);
    }
    connect_arena_free(&arena);
}
static void print_calls(gateway *gateways) {
    size_t i;
    for (i = 0; i < GATEWAYS; i++) {
        printf("%s%u", i ? ", " : "calls: ", gateways[i].calls);
        gateways[i].calls = 0;
    }
    printf("\n");
}

int main(void) {
    static gateway gateways[GATEWAYS];
    connect_error_t error;
    connect_loop_t *loop = connect_loop_new(NULL, &error);
    connect_client_t *members[2] = {NULL, NULL}, *pooled = NULL, *over = NULL;
    near_first policy = {gateways[1].url, 50 * 1000};
    size_t i;

    for (i = 0; loop && i < GATEWAYS; i++)
        if (!open_gateway(&gateways[i], loop)) return 1;
    pooled = loop ? pool(loop, gateways, &error) : NULL;
    if (pooled && connect_client_connect_wait(pooled, 5000, &error)) {
        while (connect_loop_run(loop, 100) && gateways[0].calls == 0) { /* until all three are ready */
            connect_backend_t b[GATEWAYS];
            if (connect_client_backends(pooled, b, GATEWAYS) == GATEWAYS && b[0].ready && b[1].ready && b[2].ready)
                break;
        }
        read_some(pooled, 30);
        print_calls(gateways);
    }
    for (i = 0; loop && i < 2; i++)
        members[i] = single(loop, gateways[i].url, &error);
    if (members[0] && members[1]) over = balanced(members, 2, &policy, &error);
    if (over && connect_client_connect_wait(members[1], 5000, &error)) {
        read_some(over, 10);
        print_calls(gateways);
    }
    connect_client_free(over);
    connect_client_free(members[0]);
    connect_client_free(members[1]);
    connect_client_free(pooled);
    for (i = 0; i < GATEWAYS; i++)
        connect_server_free(gateways[i].server);
    connect_loop_free(loop);
    return over ? 0 : 1;
}
