/* In a loop of your own: the library shows one descriptor and one timeout, for poll, epoll, libuv, GLib, sd-event...
   Serves until a line, or the end, comes on standard input. */
#include "telemetry.connect.h"
#include <poll.h>
#include <stdio.h>

static connect_code_t read_sensor(connect_call_t *call, const acme_telemetry_v1_ReadRequest *request,
    acme_telemetry_v1_Reading *response, void *user) {
    (void)call;
    (void)user;
    response->sensor = request->sensor;
    return CONNECT_OK;
}

int main(int argc, char **argv) {
    connect_error_t error;
    connect_server_options_t options = CONNECT_DEFAULTS;
    acme_telemetry_v1_Telemetry_handlers handlers = CONNECT_DEFAULTS;
    connect_server_t *server;
    struct pollfd watch[2];
    int port = -1;

    handlers.Read = read_sensor;
    options.loop = connect_loop_new(NULL, &error);
    server = options.loop ? connect_server_new(&options, &error) : NULL;
    if (server && acme_telemetry_v1_Telemetry_serve(server, &handlers, NULL, NULL, &error))
        port = connect_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:0", NULL, &error);
    if (port < 0) {
        fprintf(stderr, CONNECT_STR_FMT "\n", CONNECT_STR_ARG(error.message));
        connect_server_free(server);
        connect_loop_free(options.loop);
        return 1;
    }
    printf("listens on port %d\n", port);
    fflush(stdout);
    watch[0].fd = connect_loop_fd(options.loop);
    watch[0].events = POLLIN;
    watch[1].fd = 0; /* whatever else the program waits for */
    watch[1].events = POLLIN;
    while (poll(watch, 2, connect_loop_timeout_ms(options.loop)) >= 0) {
        connect_loop_run(options.loop, 0);
        if (watch[1].revents) break;
    }
    connect_server_free(server);
    connect_loop_free(options.loop);
    return 0;
}
