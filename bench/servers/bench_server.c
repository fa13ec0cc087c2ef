/* connect.h as it is measured: sends each request's text back. Prints "listens on 127.0.0.1:PORT"; SIGTERM ends it. */
#define CONNECT_IMPLEMENTATION
#include "echo.connect.h"
#include <signal.h>
#include <stdio.h>

static connect_code_t echo(
    connect_call_t *call, const bench_v1_Payload *request, bench_v1_Payload *response, void *user) {
    (void)call;
    (void)user;
    response->text = request->text;
    return CONNECT_OK;
}

static connect_server_t *server;
static connect_loop_t *loop;
static connect_task_t stop;
static void drain(void *arg) {
    connect_server_drain((connect_server_t *)arg, 1000);
}
static void on_sigterm(int signal_number) {
    (void)signal_number;
    connect_loop_post(loop, &stop, drain, server);
}

int main(void) {
    bench_v1_Echo_handlers handlers = CONNECT_DEFAULTS;
    connect_server_options_t options = CONNECT_DEFAULTS;
    connect_error_t error = CONNECT_DEFAULTS;
    int port = -1;
    handlers.Unary = echo;
    options.limits.requests = CONNECT_UNLIMITED; /* of one connection: wrk does not dial again */
    loop = options.loop = connect_loop_new(NULL, &error);
    server = loop ? connect_server_new(&options, &error) : NULL;
    if (server && bench_v1_Echo_serve(server, &handlers, NULL, NULL, &error))
        port = connect_server_listen(server, "127.0.0.1:0", NULL, &error);
    if (port >= 0) {
        signal(SIGTERM, on_sigterm);
        printf("listens on 127.0.0.1:%d\n", port);
        fflush(stdout);
        connect_server_run(server);
    } else {
        fprintf(stderr, "%s: %s\n", connect_code_name(error.code), error.message.data);
    }
    connect_server_free(server);
    connect_loop_free(loop);
    return port < 0;
}
