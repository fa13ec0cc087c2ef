/* What an idle connection costs a server, in clear text and with TLS: resident memory over 1,000 connections that have
   made a call each. TLS may add 6 KB. The server is a process of its own, and so its memory is its alone. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "telemetry.connect.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONNECTIONS 1000
#define TLS_MAX 6144.0

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

static void serve(int to) {
    connect_server_options_t options = CONNECT_DEFAULTS;
    connect_listen_options_t secure = CONNECT_DEFAULTS;
    connect_tls_options_t tls = CONNECT_DEFAULTS;
    acme_telemetry_v1_Telemetry_handlers handlers = CONNECT_DEFAULTS;
    connect_error_t error;
    connect_server_t *server;
    int ports[2];
    options.limits.connections = 8 * CONNECTIONS;
    options.limits.idle_http1_ms = CONNECT_UNLIMITED;
    handlers.Read = on_read;
    tls.identity.certificate = connect_str_of("build/certificates/server.pem");
    tls.identity.private_key = connect_str_of("build/certificates/server.key");
    secure.tls = connect_tls_new(&tls, &error);
    server = secure.tls ? connect_server_new(&options, &error) : NULL;
    if (!server || !acme_telemetry_v1_Telemetry_serve(server, &handlers, NULL, NULL, &error) ||
        (ports[0] = connect_server_listen(server, "127.0.0.1:0", NULL, &error)) < 0 ||
        (ports[1] = connect_server_listen(server, "127.0.0.1:0", &secure, &error)) < 0)
        die("server", &error);
    if (write(to, ports, sizeof ports) != sizeof ports) exit(1);
    connect_server_run(server);
    exit(0);
}

static double resident(pid_t pid) {
    char path[64], line[128];
    double kilobytes = 0;
    FILE *status;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    status = fopen(path, "r");
    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, "VmRSS:", 6) == 0) kilobytes = strtod(line + 6, NULL);
    if (status) fclose(status);
    return kilobytes * 1024;
}

static connect_client_t *clients[4 * CONNECTIONS + 8];
static size_t client_count;

static void connect_one(connect_loop_t *loop, connect_tls_t *tls, connect_http_version_t http, int port) {
    connect_client_options_t options = CONNECT_DEFAULTS;
    acme_telemetry_v1_ReadRequest request = CONNECT_DEFAULTS;
    acme_telemetry_v1_Reading response = CONNECT_DEFAULTS;
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_error_t error;
    char url[64];
    snprintf(url, sizeof url, "%s://127.0.0.1:%d", tls ? "https" : "http", port);
    options.loop = loop;
    options.tls = tls;
    options.http = http;
    options.limits.idle_http1_ms = CONNECT_UNLIMITED;
    clients[client_count] = connect_client_new(url, &options, &error);
    if (!clients[client_count]) die("client", &error);
    request.sensor = connect_str_of("boiler");
    if (acme_telemetry_v1_Telemetry_Read_wait(clients[client_count], &request, &response, &arena, &error) != CONNECT_OK)
        die("call", &error);
    client_count++;
    connect_arena_free(&arena);
}

int main(void) {
    struct rlimit files = {16384, 16384};
    connect_tls_options_t options = CONNECT_DEFAULTS;
    connect_error_t error;
    connect_loop_t *loop;
    connect_tls_t *tls;
    int pipe_ends[2], ports[2], http, secure, failed = 0;
    pid_t server;
    size_t i;
    setrlimit(RLIMIT_NOFILE, &files);
    if (pipe(pipe_ends) != 0) return 1;
    server = fork();
    if (server == 0) serve(pipe_ends[1]);
    if (server < 0 || read(pipe_ends[0], ports, sizeof ports) != sizeof ports) return 1;
    options.trust_anchors = connect_str_of("build/certificates/ca.pem");
    tls = connect_tls_new(&options, &error);
    loop = connect_loop_new(NULL, &error);
    if (!tls || !loop) die("client", &error);
    for (http = CONNECT_HTTP_1; http <= CONNECT_HTTP_2; http++) {
        double cost[2];
        for (secure = 0; secure < 2; secure++) {
            double before;
            connect_one(loop, secure ? tls : NULL, (connect_http_version_t)http, ports[secure]); /* what is made once */
            before = resident(server);
            for (i = 0; i < CONNECTIONS; i++)
                connect_one(loop, secure ? tls : NULL, (connect_http_version_t)http, ports[secure]);
            cost[secure] = (resident(server) - before) / CONNECTIONS;
        }
        printf("HTTP/%d: an idle connection costs %.0f bytes, with TLS %.0f: %.0f more\n", http, cost[0], cost[1],
            cost[1] - cost[0]);
        if (cost[1] - cost[0] > TLS_MAX) {
            printf("That is more than %.0f.\n", TLS_MAX);
            failed = 1;
        }
    }
    for (i = 0; i < client_count; i++)
        connect_client_free(clients[i]);
    connect_loop_free(loop);
    connect_tls_free(tls);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    return failed;
}
