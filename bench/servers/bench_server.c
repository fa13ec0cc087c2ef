/* connect.h as it is measured: the service of bench/echo.proto. Prints "listens on 127.0.0.1:PORT"; SIGTERM ends it. */
#define CONNECT_IMPLEMENTATION
#include "echo.connect.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>

static connect_code_t echo(
    connect_call_t *call, const bench_v1_Payload *request, bench_v1_Payload *response, void *user) {
    (void)call;
    (void)user;
    response->text = request->text;
    return CONNECT_OK;
}

static connect_code_t ingest(
    connect_call_t *call, const bench_v1_LogBatch *batch, bench_v1_Accepted *accepted, void *user) {
    uint64_t sum = 0;
    (void)call;
    (void)user;
    for (size_t i = 0; i < batch->records.count; i++) {
        const bench_v1_LogRecord *record = &batch->records.items[i];
        sum += record->time_unix_nano + record->severity + record->severity_text.len + record->body.len +
               record->service.len + record->trace_id.len;
        for (size_t k = 0; k < record->attributes.count; k++)
            sum += record->attributes.items[k].key.len + record->attributes.items[k].value.len;
        for (size_t k = 0; k < record->codes.count; k++)
            sum += record->codes.items[k];
    }
    accepted->records = (uint32_t)batch->records.count;
    accepted->checksum = sum;
    return CONNECT_OK;
}

typedef struct stream_t { /* one call of Stream, in its arena */
    bench_v1_Payload message;
    uint32_t left;
} stream_t;

static void send_more(connect_call_t *call, void *user) {
    stream_t *stream = (stream_t *)user;
    while (stream->left > 0) {
        if (connect_call_send(call, &stream->message) != CONNECT_IO_OK)
            return;
        stream->left--;
    }
    connect_call_finish(call, CONNECT_OK, NULL);
}
static connect_code_t stream_request(connect_call_t *call, const bench_v1_StreamRequest *request, void *user) {
    stream_t *stream = CONNECT_NEW(connect_call_arena(call), stream_t, 1);
    char *text = stream ? CONNECT_NEW(connect_call_arena(call), char, request->size + 1) : NULL;
    (void)user;
    if (!text)
        return connect_call_fail(call, CONNECT_RESOURCE_EXHAUSTED, "out of memory");
    memset(text, 'x', request->size);
    stream->message.text.data = text;
    stream->message.text.len = request->size;
    stream->left = request->count;
    connect_call_set_user(call, stream);
    return CONNECT_LATER;
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
    handlers.Ingest = ingest;
    handlers.Stream.on_request = stream_request;
    handlers.Stream.on_writable = send_more;
    options.limits.requests = CONNECT_UNLIMITED; /* of one connection: wrk does not dial again */
    options.limits.connections = 10000;
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
