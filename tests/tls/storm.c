/* A storm of handshakes beside one established connection: how long its calls take, before and meanwhile. Three
   processes: the server, 500 clients that come at once, and the one whose calls are timed. Says p50, p99 and the worst.
   Were the handshakes not bounded per turn, calls would wait for dozens of them in a row, 1 ms and more each. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "telemetry.connect.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS 500
#define CALLS_MAX 200000
#define P99_MS 30.0

static connect_code_t on_read(connect_call_t *call, const acme_telemetry_v1_ReadRequest *request,
    acme_telemetry_v1_Reading *response, void *user) {
    (void)call;
    (void)user;
    response->sensor = request->sensor;
    return CONNECT_OK;
}

static void die(const char *what, const connect_error_t *error) {
    fprintf(stderr, "%s: %s\n", what, error->message.data);
    exit(1);
}

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void serve(int to) {
    connect_server_options_t options = CONNECT_DEFAULTS;
    connect_listen_options_t secure = CONNECT_DEFAULTS;
    connect_tls_options_t tls = CONNECT_DEFAULTS;
    acme_telemetry_v1_Telemetry_handlers handlers = CONNECT_DEFAULTS;
    connect_error_t error;
    connect_server_t *server;
    int port;
    options.limits.connections = 2 * CLIENTS;
    handlers.Read = on_read;
    tls.identity.certificate = connect_str_of("build/certificates/server.pem");
    tls.identity.private_key = connect_str_of("build/certificates/server.key");
    secure.tls = connect_tls_new(&tls, &error);
    server = secure.tls ? connect_server_new(&options, &error) : NULL;
    if (!server || !acme_telemetry_v1_Telemetry_serve(server, &handlers, NULL, NULL, &error) ||
        (port = connect_server_listen(server, "127.0.0.1:0", &secure, &error)) < 0)
        die("server", &error);
    if (write(to, &port, sizeof port) != sizeof port) exit(1);
    connect_server_run(server);
    exit(0);
}

static connect_client_t *new_client(connect_loop_t *loop, int port) {
    connect_client_options_t options = CONNECT_DEFAULTS;
    connect_tls_options_t tls = CONNECT_DEFAULTS;
    connect_error_t error;
    connect_client_t *client;
    char url[64];
    snprintf(url, sizeof url, "https://127.0.0.1:%d", port);
    tls.trust_anchors = connect_str_of("build/certificates/ca.pem");
    tls.no_resumption = true;
    options.tls = connect_tls_new(&tls, &error);
    options.loop = loop;
    options.http = CONNECT_HTTP_2;
    client = options.tls ? connect_client_new(url, &options, &error) : NULL;
    if (!client) die("client", &error);
    connect_tls_free(options.tls);
    return client;
}

static int left = CLIENTS, failed_calls;
static void on_done(connect_call_t *call, const acme_telemetry_v1_Reading *response, const connect_error_t *error,
    void *user) {
    (void)call;
    (void)response;
    (void)user;
    if (error) {
        if (!failed_calls++) fprintf(stderr, "in the storm: %s\n", error->message.data);
    }
    left--;
}

static void storm(int port) {
    static connect_client_t *clients[CLIENTS];
    connect_error_t error;
    connect_loop_t *loop = connect_loop_new(NULL, &error);
    acme_telemetry_v1_ReadRequest request = CONNECT_DEFAULTS;
    int i;
    request.sensor = connect_str_of("boiler");
    for (i = 0; i < CLIENTS; i++) {
        clients[i] = new_client(loop, port);
        if (!acme_telemetry_v1_Telemetry_Read(clients[i], &request, on_done, NULL, &error)) die("storm", &error);
    }
    while (left && connect_loop_run(loop, -1)) {}
    exit(left || failed_calls ? 1 : 0);
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Calls one after the other, until the process ends (or for a second). Returns the p99. */
static double measure(const char *when, connect_client_t *client, pid_t until, int *status) {
    static double times[CALLS_MAX];
    acme_telemetry_v1_ReadRequest request = CONNECT_DEFAULTS;
    acme_telemetry_v1_Reading response = CONNECT_DEFAULTS;
    connect_error_t error;
    double end = now_ms() + 1000;
    size_t count = 0;
    request.sensor = connect_str_of("boiler");
    while (count < CALLS_MAX && (until ? waitpid(until, status, WNOHANG) == 0 : now_ms() < end)) {
        connect_arena_t arena = CONNECT_DEFAULTS;
        double begin = now_ms();
        if (acme_telemetry_v1_Telemetry_Read_wait(client, &request, &response, &arena, &error) != CONNECT_OK)
            die(when, &error);
        times[count++] = now_ms() - begin;
        connect_arena_free(&arena);
    }
    qsort(times, count, sizeof *times, by_value);
    printf("%s: %lu calls, p50 %.2f ms, p99 %.2f ms, worst %.2f ms\n", when, (unsigned long)count, times[count / 2],
        times[count * 99 / 100], times[count - 1]);
    fflush(stdout);
    return times[count * 99 / 100];
}

int main(void) {
    struct rlimit files = {4096, 4096};
    connect_error_t error;
    connect_loop_t *loop;
    connect_client_t *client;
    int ends[2], port, status = 0;
    double began, p99;
    pid_t server, storm_process;
    setrlimit(RLIMIT_NOFILE, &files);
    if (pipe(ends) != 0) return 1;
    server = fork();
    if (server == 0) serve(ends[1]);
    if (server < 0 || read(ends[0], &port, sizeof port) != sizeof port) return 1;
    loop = connect_loop_new(NULL, &error);
    if (!loop) die("client", &error);
    client = new_client(loop, port);
    measure("before", client, 0, NULL);
    storm_process = fork();
    if (storm_process == 0) storm(port);
    began = now_ms();
    p99 = measure("in a storm of 500 handshakes", client, storm_process, &status);
    printf("the storm lasted %.0f ms\n", now_ms() - began);
    connect_client_free(client);
    connect_loop_free(loop);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    if (status != 0) printf("the storm failed\n");
    if (p99 > P99_MS) printf("One call in a hundred took more than %.0f ms.\n", P99_MS);
    return status != 0 || p99 > P99_MS;
}
