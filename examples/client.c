/* A client three ways: blocking, with callbacks on a loop, and streams both ways; the options of one call.
   client [URL]. Without a URL it brings its own server, on the same loop. */
#include "telemetry.connect.h"
#include <stdio.h>

/* ---- A small gateway ---- */
static connect_code_t serve_read(connect_call_t *call, const acme_telemetry_v1_ReadRequest *request,
    acme_telemetry_v1_Reading *response, void *user) {
    acme_telemetry_v1_Fault fault = CONNECT_DEFAULTS;
    (void)user;
    if (!connect_str_equal(request->sensor, connect_str_of("boiler"))) {
        fault.code = 7;
        fault.reason = connect_str_of("never heard of it");
        connect_call_fail(call, CONNECT_NOT_FOUND, "no such sensor");
        connect_call_add_detail(call, &acme_telemetry_v1_Fault_type, &fault);
        return CONNECT_NOT_FOUND;
    }
    response->sensor = request->sensor;
    response->has_celsius = true;
    response->celsius = 61.5;
    connect_call_set_trailer(call, "x-source", connect_str_of("cache"));
    return CONNECT_OK;
}
static connect_code_t serve_watch(connect_call_t *call, const acme_telemetry_v1_WatchRequest *request, void *user) {
    acme_telemetry_v1_Reading reading = CONNECT_DEFAULTS;
    (void)user;
    for (reading.sequence = 1; reading.sequence <= request->count; reading.sequence++)
        if (acme_telemetry_v1_Telemetry_Watch_send_response(call, &reading) != CONNECT_IO_OK) return CONNECT_ABORTED;
    return CONNECT_OK;
}
static connect_io_t serve_upload(connect_call_t *call, const acme_telemetry_v1_Reading *request, void *user) {
    (void)call;
    (void)request;
    ++*(uint64_t *)user;
    return CONNECT_IO_OK;
}
static connect_code_t serve_upload_end(connect_call_t *call, acme_telemetry_v1_UploadSummary *response, void *user) {
    (void)call;
    response->taken = *(uint64_t *)user;
    return CONNECT_OK;
}
static connect_io_t serve_command(connect_call_t *call, const acme_telemetry_v1_Command *request, void *user) {
    acme_telemetry_v1_CommandResult result = CONNECT_DEFAULTS;
    (void)user;
    result.id = request->id;
    return acme_telemetry_v1_Telemetry_Exchange_send_response(call, &result);
}
static connect_server_t *gateway(connect_loop_t *loop, uint64_t *uploaded, char *url, size_t size) {
    acme_telemetry_v1_Telemetry_handlers handlers = CONNECT_DEFAULTS;
    connect_server_options_t options = CONNECT_DEFAULTS;
    connect_server_t *server;
    int port = -1;
    options.loop = loop;
    handlers.Read = serve_read;
    handlers.Watch.on_request = serve_watch;
    handlers.Upload.on_message = serve_upload;
    handlers.Upload.on_end = serve_upload_end;
    handlers.Exchange.on_message = serve_command;
    server = connect_server_new(&options, NULL);
    if (server && acme_telemetry_v1_Telemetry_serve(server, &handlers, uploaded, NULL, NULL))
        port = connect_server_listen(server, "127.0.0.1:0", NULL, NULL);
    snprintf(url, size, "http://127.0.0.1:%d", port);
    return server;
}

static void report(const connect_error_t *error, connect_arena_t *arena) {
    acme_telemetry_v1_Fault why;
    printf("%s%s: %s\n", error->from_peer ? "" : "(here) ", connect_code_name(error->code), error->message.data);
    if (connect_error_find(error, &acme_telemetry_v1_Fault_type, &why, arena))
        printf("  fault %d: " CONNECT_STR_FMT "\n", (int)why.code, CONNECT_STR_ARG(why.reason));
}

/* ---- 1. Blocking: the short form, then the form with options ---- */
static void blocking(connect_client_t *client) {
    char stack[4096];
    connect_arena_t arena;
    connect_error_t error;
    connect_reply_t reply;
    connect_header_t token = {"authorization", {"Bearer 6f2a", 11}};
    acme_telemetry_v1_ReadRequest request = CONNECT_DEFAULTS;
    acme_telemetry_v1_Reading reading;
    connect_call_options_t options = CONNECT_DEFAULTS;

    connect_arena_init(&arena, stack, sizeof stack, NULL); /* these 4 KiB are all: too large is resource_exhausted */
    request.sensor = connect_str_of("boiler");
    if (acme_telemetry_v1_Telemetry_Read_wait(client, &request, &reading, &arena, &error) != CONNECT_OK)
        report(&error, &arena);
    else
        printf("%.1f C\n", reading.celsius);
    connect_arena_reset(&arena);

    options.timeout_ms = 5000;
    options.headers.items = &token;
    options.headers.count = 1;
    options.receive_bytes = 64 * 1024;
    options.compression = "gzip";
    options.protocol = CONNECT_PROTOCOL_GRPC;
    options.reply = &reply;
    if (acme_telemetry_v1_Telemetry_Read_wait_with(client, &request, &reading, &arena, &options, &error) == CONNECT_OK)
        printf("x-source: " CONNECT_STR_FMT "\n", CONNECT_STR_ARG(connect_headers_get(reply.trailers, "x-source", 0)));
    connect_arena_reset(&arena);

    options = (connect_call_options_t)CONNECT_DEFAULTS;
    options.get = true; /* Read has no side effects: a GET, which a browser or a proxy may cache */
    options.codec = "json";
    request.sensor = connect_str_of("door");
    if (acme_telemetry_v1_Telemetry_Read_wait_with(client, &request, &reading, &arena, &options, &error) != CONNECT_OK)
        report(&error, &arena);
    connect_arena_free(&arena);
}

/* ---- 2. Blocking streams: no events, so messages wait to be received ---- */
static void blocking_streams(connect_client_t *client) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_error_t error;
    acme_telemetry_v1_WatchRequest watch = CONNECT_DEFAULTS;
    acme_telemetry_v1_Reading reading = CONNECT_DEFAULTS;
    acme_telemetry_v1_UploadSummary summary;
    connect_io_t got = CONNECT_IO_ERROR;
    connect_call_t *call;

    watch.count = 3;
    call = acme_telemetry_v1_Telemetry_Watch(client, &watch, NULL, NULL, &error);
    while (call &&
        (got = acme_telemetry_v1_Telemetry_Watch_receive_wait(call, &reading, &arena, &error)) == CONNECT_IO_OK) {
        printf("reading %lu\n", (unsigned long)reading.sequence);
        connect_arena_reset(&arena); /* reading ends here */
    }
    if (!call || got == CONNECT_IO_ERROR) report(&error, &arena);
    connect_call_free(call);

    call = acme_telemetry_v1_Telemetry_Upload(client, NULL, NULL, &error);
    for (reading.sequence = 0; call && reading.sequence < 1000; reading.sequence++)
        if (acme_telemetry_v1_Telemetry_Upload_send_request_wait(call, &reading, &error) != CONNECT_IO_OK)
            break; /* it ended early */
    if (call) {
        connect_call_finish(call, CONNECT_OK, NULL); /* no more requests */
        if (acme_telemetry_v1_Telemetry_Upload_receive_wait(call, &summary, &arena, &error) == CONNECT_IO_OK)
            printf("%lu taken\n", (unsigned long)summary.taken);
        else
            report(&error, &arena);
    }
    connect_call_free(call);
    connect_arena_free(&arena);
}

/* ---- 3. Callbacks on a loop: unary, and bidi with the verbs that the server has, too ---- */
typedef struct drive {
    uint64_t next, last, answered;
    int running;
} drive;

static void read_done(connect_call_t *call, const acme_telemetry_v1_Reading *response_or_null,
    const connect_error_t *error_or_null, void *user) {
    if (error_or_null)
        report(error_or_null, connect_call_arena(call));
    else
        printf("%.1f C, by callback\n", response_or_null->celsius);
    ((drive *)user)->running--;
}
static void drive_writable(connect_call_t *call, void *user) {
    drive *d = (drive *)user;
    while (d->next < d->last) {
        acme_telemetry_v1_Command command = CONNECT_DEFAULTS;
        command.id = d->next;
        command.actuator = connect_str_of("valve");
        if (acme_telemetry_v1_Telemetry_Exchange_send_request(call, &command) != CONNECT_IO_OK)
            return; /* AGAIN: it comes back */
        d->next++;
    }
    connect_call_finish(call, CONNECT_OK, NULL);
}
static connect_io_t drive_result(connect_call_t *call, const acme_telemetry_v1_CommandResult *result, void *user) {
    ((drive *)user)->answered++;
    if (result->fault) connect_call_finish(call, CONNECT_CANCELED, NULL); /* stop it all; on_closed follows */
    return CONNECT_IO_OK;
}
static void drive_closed(connect_call_t *call, const connect_error_t *error_or_null, void *user) {
    if (error_or_null) report(error_or_null, connect_call_arena(call));
    ((drive *)user)->running--;
}
static void with_callbacks(connect_client_t *client, connect_loop_t *loop) {
    static const acme_telemetry_v1_Telemetry_Exchange_events events = {
        .on_message = drive_result, .on_writable = drive_writable, .on_closed = drive_closed};
    acme_telemetry_v1_ReadRequest request = CONNECT_DEFAULTS;
    connect_error_t error;
    drive d = {0, 100, 0, 0};

    request.sensor = connect_str_of("boiler");
    d.running += acme_telemetry_v1_Telemetry_Read(client, &request, read_done, &d, &error) != NULL;
    d.running += acme_telemetry_v1_Telemetry_Exchange(client, &events, &d, &error) != NULL;
    while (d.running && connect_loop_run(loop, -1)) {}
    printf("%lu commands done\n", (unsigned long)d.answered);
}

int main(int argc, char **argv) {
    char url[64];
    uint64_t uploaded = 0;
    connect_error_t error;
    connect_client_options_t options = CONNECT_DEFAULTS;
    connect_loop_t *loop = connect_loop_new(NULL, &error);
    connect_server_t *server = loop && argc < 2 ? gateway(loop, &uploaded, url, sizeof url) : NULL;
    connect_client_t *client;

    options.loop = loop;
    options.timeout_ms = 5000;
    client = loop ? connect_client_new(argc < 2 ? url : argv[1], &options, &error) : NULL;
    if (client) {
        blocking(client);
        blocking_streams(client);
        with_callbacks(client, loop);
    } else {
        fprintf(stderr, "%s: %s\n", connect_code_name(error.code), error.message.data);
    }
    connect_client_free(client);
    connect_server_free(server);
    connect_loop_free(loop);
    return client ? 0 : 1;
}
