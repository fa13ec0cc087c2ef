/* Makes one call over HTTP/2 to the URL in its last argument, whatever comes of it: for h2specd, whose servers break
   the rules and look at what is done about that. */
#define CONNECT_IMPLEMENTATION
#include "telemetry.connect.h"
#include <stdio.h>

int main(int argc, char **argv) {
    connect_client_options_t options = CONNECT_DEFAULTS;
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_error_t error = CONNECT_DEFAULTS;
    acme_telemetry_v1_ReadRequest request = CONNECT_DEFAULTS;
    acme_telemetry_v1_Reading reading;
    connect_client_t *client;
    connect_code_t code;
    options.loop = connect_loop_new(NULL, &error);
    options.http = CONNECT_HTTP_2;
    options.timeout_ms = 1000;
    client = connect_client_new(argv[argc - 1], &options, &error);
    request.sensor = connect_str_of("boiler");
    code = client ? acme_telemetry_v1_Telemetry_Read_wait(client, &request, &reading, &arena, &error) : error.code;
    printf("%s %s\n", argv[argc - 1], code == CONNECT_OK ? "ok" : error.message.data);
    for (int i = 0; client && i < 10; i++) /* what a server does after the call is answered, too */
        connect_loop_run(options.loop, 20);
    connect_client_free(client);
    connect_loop_free(options.loop);
    connect_arena_free(&arena);
    return 0;
}
