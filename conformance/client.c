/* The client that the official Connect conformance runner drives.
 The runner writes ClientCompatRequests to standard input (four bytes of length, big-endian, then protobuf), each one
RPC to make, and reads a ClientCompatResponse for each from standard output, in any order. Calls run in parallel, at
most CALLS_MAX at once; requests beyond wait in the pipe. One loop, one client for each address and HTTP version. */
#include "common.h"
#include "connectrpc/conformance/v1/client_compat.connect.h"
#include "google/protobuf/any.connect.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CALLS_MAX 16 /* what begins at once: TLS handshakes are taken off timeouts, which the suite checks to 500 ms */

typedef struct peer {
    struct peer *next;
    uint32_t port;
    int32_t http;
    bool has_creds;
    connect_client_t *client;
} peer;

typedef struct run { /* one call */
    connect_task_t send_task, cancel_task;
    connect_arena_t arena;
    NAME(ClientCompatRequest) request;
    NAME(ClientResponseResult) result;
    const connect_method_t *method;
    connect_call_t *call;
    NAME(ConformancePayload) * payloads;
    size_t payload_count, payload_room, next;
    bool waited, full_duplex, ended;
} run;

static connect_loop_t *loop;
static peer *peers;
static size_t running;

static void write_response(const NAME(ClientCompatResponse) * response, connect_arena_t *arena) {
    if (write_frame(connect_message_encode(&NAME(ClientCompatResponse_type), response, arena, NULL, NULL))) return;
    fprintf(stderr, "conformance client: cannot write to standard output\n");
    exit(1);
}

static void run_free(run *r) {
    connect_arena_free(&r->arena);
    free(r);
    running--;
}

static void run_failed(run *r, const char *why) {
    NAME(ClientErrorResult) failure = CONNECT_DEFAULTS;
    NAME(ClientCompatResponse) response = CONNECT_DEFAULTS;
    failure.message = connect_str_of(why);
    response.test_name = r->request.test_name;
    response.result_case = NAME(ClientCompatResponse_result_error);
    response.result.error = &failure;
    write_response(&response, &r->arena);
    run_free(r);
}

/* ---- The result ---- */

static const NAME(Error) * error_of(const connect_error_t *error, connect_arena_t *arena) {
    NAME(Error) *result = CONNECT_NEW(arena, NAME(Error), 1);
    google_protobuf_Any *details = CONNECT_NEW(arena, google_protobuf_Any, error->details.count + 1);
    size_t i;
    if (!result || !details) return NULL;
    result->code = (int32_t)error->code;
    result->message = connect_arena_copy(arena, error->message);
    for (i = 0; i < error->details.count; i++) {
        details[i].type_url = connect_arena_printf(
            arena, "type.googleapis.com/" CONNECT_STR_FMT, CONNECT_STR_ARG(error->details.items[i].type));
        details[i].value = connect_arena_copy(arena, error->details.items[i].value);
    }
    result->details.items = details;
    result->details.count = error->details.count;
    return result;
}

static void on_closed(connect_call_t *call, const connect_error_t *error_or_null, void *user) {
    run *r = (run *)user;
    const connect_call_info_t *info = connect_call_info(call);
    NAME(ClientCompatResponse) response = CONNECT_DEFAULTS;
    connect_loop_after(loop, &r->send_task, -1, NULL, NULL);
    connect_loop_after(loop, &r->cancel_task, -1, NULL, NULL);
    r->result.response_headers = headers_of(info->headers, &r->arena);
    r->result.response_trailers = headers_of(info->trailers, &r->arena);
    if (error_or_null) r->result.error = error_of(error_or_null, &r->arena);
    r->result.payloads.items = r->payloads;
    r->result.payloads.count = r->payload_count;
    r->result.num_unsent_requests = (int32_t)(r->request.request_messages.count - r->next);
    response.test_name = r->request.test_name;
    response.result_case = NAME(ClientCompatResponse_result_response);
    response.result.response = &r->result;
    write_response(&response, &r->arena);
    run_free(r);
}

/* ---- The call ---- */

static void cancel_now(void *arg) {
    run *r = (run *)arg;
    connect_call_finish(r->call, CONNECT_CANCELED, NULL);
}

static bool cancels(const run *r, int32_t timing) {
    return r->request.cancel &&
        (r->request.cancel->cancel_timing_case == timing ||
            (timing == NAME(ClientCompatRequest_Cancel_cancel_timing_after_close_send_ms) &&
                r->request.cancel->cancel_timing_case == 0));
}

static void close_send(run *r) {
    r->ended = true;
    if (cancels(r, NAME(ClientCompatRequest_Cancel_cancel_timing_before_close_send))) {
        cancel_now(r);
        return;
    }
    connect_call_finish(r->call, CONNECT_OK, NULL);
    if (cancels(r, NAME(ClientCompatRequest_Cancel_cancel_timing_after_close_send_ms))) {
        uint32_t ms = r->request.cancel->cancel_timing_case ? r->request.cancel->cancel_timing.after_close_send_ms : 0;
        connect_loop_after(loop, &r->cancel_task, ms, cancel_now, r);
    }
}

static void send_next(run *r);
static void send_after_delay(void *arg) {
    run *r = (run *)arg;
    r->waited = true;
    send_next(r);
}

/* Sends requests until one must wait: for its delay, for room, or, in full duplex, for a response. */
static void send_next(run *r) {
    const size_t count = r->request.request_messages.count;
    const bool single = r->method->kind == CONNECT_UNARY || r->method->kind == CONNECT_SERVER_STREAM;
    while (!r->ended && r->next < count) {
        const google_protobuf_Any *any = &r->request.request_messages.items[r->next];
        void *message = connect_arena_take(&r->arena, 1, r->method->input->size);
        if (r->full_duplex && r->next > r->payload_count) return;
        if (r->request.request_delay_ms && !r->waited) {
            connect_loop_after(loop, &r->send_task, r->request.request_delay_ms, send_after_delay, r);
            return;
        }
        if (!message || !connect_message_decode(r->method->input, message, any->value, &r->arena, NULL, NULL)) {
            cancel_now(r);
            return;
        }
        switch (connect_call_send(r->call, message)) {
        case CONNECT_IO_OK: break;
        case CONNECT_IO_AGAIN: return;
        default: r->ended = true; return; /* on_closed says why */
        }
        r->waited = false;
        r->next++;
    }
    if (r->full_duplex && r->next > r->payload_count && !single) return;
    if (!r->ended) close_send(r);
}

static void on_writable(connect_call_t *call, void *user) {
    (void)call;
    send_next((run *)user);
}

static connect_io_t on_message(connect_call_t *call, const void *message, void *user) {
    run *r = (run *)user;
    const connect_type_t *type = r->method->output;
    const NAME(ConformancePayload) *const *payload = (const NAME(ConformancePayload) *const *)connect_message_get(
        type, message, connect_message_field(type, connect_str_of("payload")));
    (void)call;
    if (r->payload_count == r->payload_room) {
        NAME(ConformancePayload) *more =
            CONNECT_NEW(&r->arena, NAME(ConformancePayload), r->payload_room = r->payload_room * 2 + 4);
        if (!more) return CONNECT_IO_ERROR;
        if (r->payload_count) memcpy(more, r->payloads, r->payload_count * sizeof *more);
        r->payloads = more;
    }
    if (payload &&
        !connect_message_copy(&NAME(ConformancePayload_type), &r->payloads[r->payload_count], *payload, &r->arena))
        return CONNECT_IO_ERROR;
    r->payload_count++;
    if (cancels(r, NAME(ClientCompatRequest_Cancel_cancel_timing_after_num_responses)) &&
        r->payload_count >= r->request.cancel->cancel_timing.after_num_responses)
        cancel_now(r);
    else if (r->full_duplex)
        send_next(r);
    return CONNECT_IO_OK;
}

static const connect_method_t *method_of(const run *r) {
    const connect_service_t *service = &NAME(ConformanceService_service);
    size_t i;
    for (i = 0; i < service->method_count; i++) {
        const char *name = strrchr(service->methods[i]->path, '/') + 1;
        if (connect_str_equal(connect_str_of(name), r->request.method)) return service->methods[i];
    }
    return NULL;
}

static connect_client_t *client_of(const run *r, connect_error_t *error) {
    static const connect_file_t *const files[] = {&NAME(service_file)};
    connect_client_options_t options = CONNECT_DEFAULTS;
    connect_tls_options_t tls = CONNECT_DEFAULTS;
    const NAME(TLSCreds) *creds = r->request.client_tls_creds;
    const bool is_secure = r->request.server_tls_cert.len != 0;
    char url[64];
    peer *p;
    for (p = peers; p; p = p->next)
        if (p->port == r->request.port && p->http == r->request.http_version && p->has_creds == (creds != NULL))
            return p->client;
    p = (peer *)calloc(1, sizeof *p);
    if (!p) return NULL;
    snprintf(url, sizeof url, "%s://" CONNECT_STR_FMT ":%u", is_secure ? "https" : "http",
        CONNECT_STR_ARG(r->request.host), (unsigned)r->request.port);
    if (is_secure) {
        tls.engine = TLS_ENGINE;
        tls.trust_anchors = r->request.server_tls_cert;
        if (creds) {
            tls.identity.certificate = creds->cert;
            tls.identity.private_key = creds->key;
        }
        options.tls = connect_tls_new(&tls, error);
        if (!options.tls) {
            free(p);
            return NULL;
        }
    }
    options.loop = loop;
    options.compress_min = 1;
    options.codec_options.schema.files = files;
    options.codec_options.schema.count = 1;
    options.http = r->request.http_version == NAME(HTTP_VERSION_2) ? CONNECT_HTTP_2 : CONNECT_HTTP_1;
    if (options.http == CONNECT_HTTP_1) options.connections = CALLS_MAX; /* time in a queue would be taken off timeouts */
    p->port = r->request.port;
    p->http = r->request.http_version;
    p->has_creds = creds != NULL;
    p->client = connect_client_new(url, &options, error);
    connect_tls_free(options.tls);
    if (!p->client) {
        free(p);
        return NULL;
    }
    p->next = peers;
    peers = p;
    return p->client;
}

static const char *compression_of(int32_t compression) {
    switch (compression) {
    case NAME(COMPRESSION_GZIP): return "gzip";
    case NAME(COMPRESSION_ZSTD): return "zstd";
    default: return "identity";
    }
}

static void start(connect_str_t bytes) {
    static const connect_events_t events = {
        .on_message = on_message, .on_writable = on_writable, .on_closed = on_closed};
    run *r = (run *)calloc(1, sizeof *r);
    connect_codec_options_t copy = CONNECT_DEFAULTS;
    connect_call_options_t options = CONNECT_DEFAULTS;
    connect_header_t *headers;
    connect_client_t *client;
    connect_error_t error;
    size_t i, k, count = 0;
    if (!r) exit(1);
    running++;
    copy.copy = true;
    if (!connect_message_decode(&NAME(ClientCompatRequest_type), &r->request, bytes, &r->arena, &copy, &error)) {
        run_failed(r, error.message.data);
        return;
    }
    r->method = method_of(r);
    client = r->method ? client_of(r, &error) : NULL;
    if (!client) {
        run_failed(r, r->method ? error.message.data : "no such method");
        return;
    }
    for (i = 0; i < r->request.request_headers.count; i++)
        count += r->request.request_headers.items[i].value.count;
    headers = CONNECT_NEW(&r->arena, connect_header_t, count + 1);
    for (i = count = 0; headers && i < r->request.request_headers.count; i++) {
        const NAME(Header) *header = &r->request.request_headers.items[i];
        char *name = (char *)connect_arena_take(&r->arena, 1, header->name.len + 1);
        for (k = 0; name && k < header->name.len; k++) {
            char c = header->name.data[k];
            name[k] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
        }
        for (k = 0; k < header->value.count; k++) {
            headers[count].name = name;
            headers[count++].value = header->value.items[k];
        }
    }
    options.headers.items = headers;
    options.headers.count = count;
    options.timeout_ms = r->request.has_timeout_ms ? r->request.timeout_ms : CONNECT_UNLIMITED;
    options.receive_bytes = r->request.message_receive_limit;
    options.compression = compression_of(r->request.compression);
    options.get = r->request.use_get_http_method;
    options.codec = r->request.codec == NAME(CODEC_JSON) ? "json" : "proto";
    options.protocol = (connect_protocol_t)r->request.protocol;
    r->full_duplex = r->request.stream_type == NAME(STREAM_TYPE_FULL_DUPLEX_BIDI_STREAM);
    r->call = connect_client_start(client, r->method, &events, r, &options, &error);
    if (!r->call) {
        run_failed(r, error.message.data);
        return;
    }
    if (r->method->kind == CONNECT_UNARY || r->method->kind == CONNECT_SERVER_STREAM) send_next(r);
}

/* ---- Standard input: whole frames are taken while there is room for calls ---- */

static char *input;
static size_t input_len, input_room;

static void take_frames(void) {
    size_t at = 0;
    while (running < CALLS_MAX && input_len - at >= 4) {
        connect_str_t frame;
        frame.len = frame_len((const unsigned char *)input + at);
        if (input_len - at - 4 < frame.len) break;
        frame.data = input + at + 4;
        start(frame);
        at += 4 + frame.len;
    }
    memmove(input, input + at, input_len - at);
    input_len -= at;
}

static bool read_input(void) {
    ssize_t got;
    if (input_room - input_len < 65536) {
        input_room = input_room * 2 + 65536;
        input = (char *)realloc(input, input_room);
        if (!input) exit(1);
    }
    got = read(0, input + input_len, input_room - input_len);
    if (got <= 0) return false;
    input_len += (size_t)got;
    return true;
}

int main(void) {
    struct pollfd watch[2];
    connect_error_t error;
    bool open = true;
    loop = connect_loop_new(NULL, &error);
    if (!loop) {
        fprintf(stderr, "conformance client: %s\n", error.message.data);
        return 1;
    }
    watch[0].fd = connect_loop_fd(loop);
    watch[1].fd = 0;
    watch[0].events = watch[1].events = POLLIN;
    while (open || running || input_len) {
        nfds_t count = open && running < CALLS_MAX ? 2 : 1;
        watch[1].revents = 0;
        if (poll(watch, count, connect_loop_timeout_ms(loop)) < 0) return 1;
        if (watch[1].revents) open = read_input();
        take_frames();
        connect_loop_run(loop, 0);
        if (!open && !running && input_len) break; /* half a frame */
    }
    while (peers) {
        peer *p = peers;
        peers = p->next;
        connect_client_free(p->client);
        free(p);
    }
    connect_loop_free(loop);
    free(input);
    return 0;
}
