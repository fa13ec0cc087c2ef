/* The least server: one service with one handler. What it speaks is what the switches leave; TLS: over TLS. */
#define CONNECT_IMPLEMENTATION
#include "echo.connect.h"

static connect_code_t echo(
    connect_call_t *call, const bench_v1_Payload *request, bench_v1_Payload *response, void *user) {
    (void)call;
    (void)user;
    response->text = request->text;
    return CONNECT_OK;
}

int main(void) {
    bench_v1_Echo_handlers handlers = CONNECT_DEFAULTS;
    connect_error_t error = CONNECT_DEFAULTS;
    connect_server_t *server = connect_server_new(NULL, &error);
    connect_listen_options_t listen = CONNECT_DEFAULTS;
#ifdef TLS
    connect_tls_options_t tls = CONNECT_DEFAULTS;
    tls.identity.certificate = connect_str_of("server.pem");
    tls.identity.private_key = connect_str_of("server.key");
    listen.tls = connect_tls_new(&tls, &error);
    if (!listen.tls) return 1;
#endif
    handlers.Unary = echo;
    if (!server || !bench_v1_Echo_serve(server, &handlers, NULL, NULL, &error) ||
        connect_server_listen(server, "127.0.0.1:8080", &listen, &error) < 0)
        return 1;
    connect_server_run(server);
    connect_server_free(server);
    return 0;
}
