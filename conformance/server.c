/* The server that the official Connect conformance runner talks to.

   The runner starts it once for each configuration: it writes a ServerCompatRequest to standard input (four bytes of
   length, big-endian, then protobuf), reads a ServerCompatResponse from standard output, sends its calls, and ends with
   SIGTERM. What each method must do is told by the request itself, see ConformanceService in service.proto. */
#include "common.h"
#include "connectrpc/conformance/v1/server_compat.connect.h"
#include "google/protobuf/any.connect.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char type_prefix[] = "type.googleapis.com/";

/* ---- What every response tells of its request ---- */

static google_protobuf_Any *any_of(
    connect_arena_t *arena, const connect_type_t *type, const void *message, size_t count) {
    google_protobuf_Any *any = CONNECT_NEW(arena, google_protobuf_Any, count);
    if (any && message) {
        any->type_url = connect_arena_printf(arena, "%s%s", type_prefix, type->full_name);
        any->value = connect_message_encode(type, message, arena, NULL, NULL);
    }
    return any;
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9' ? c - '0'
        : c >= 'A' && c <= 'F'  ? c - 'A' + 10
        : c >= 'a' && c <= 'f'  ? c - 'a' + 10
                                : -1;
}

static connect_str_t decoded(const char *from, const char *end, connect_arena_t *arena) {
    char *to = (char *)connect_arena_take(arena, 1, (size_t)(end - from) + 1);
    connect_str_t text = {NULL, 0};
    text.data = to;
    for (; to && from < end; from++) {
        char c = *from == '+' ? ' ' : *from;
        if (c == '%' && end - from > 2 && hex_digit(from[1]) >= 0 && hex_digit(from[2]) >= 0) {
            c = (char)(hex_digit(from[1]) * 16 + hex_digit(from[2]));
            from += 2;
        }
        to[text.len++] = c;
    }
    return text;
}

/* The parameters of a GET's URL. */
static NAME(ConformancePayload_ConnectGetInfo) * get_info(connect_str_t query, connect_arena_t *arena) {
    NAME(ConformancePayload_ConnectGetInfo) *info = CONNECT_NEW(arena, NAME(ConformancePayload_ConnectGetInfo), 1);
    NAME(Header) *list = CONNECT_NEW(arena, NAME(Header), query.len + 1);
    const char *at = query.data, *end = query.data + query.len;
    size_t count = 0;
    if (!info || !list) return NULL;
    while (at < end) {
        const char *stop = (const char *)memchr(at, '&', (size_t)(end - at));
        const char *equals;
        connect_str_t *value = CONNECT_NEW(arena, connect_str_t, 1);
        if (!stop) stop = end;
        equals = (const char *)memchr(at, '=', (size_t)(stop - at));
        if (value && stop > at) {
            *value = decoded(equals ? equals + 1 : stop, stop, arena);
            list[count].name = decoded(at, equals ? equals : stop, arena);
            list[count].value.items = value;
            list[count++].value.count = 1;
        }
        at = stop + (stop < end);
    }
    info->query_params.items = list;
    info->query_params.count = count;
    return info;
}

static NAME(ConformancePayload_RequestInfo) *
    request_info(connect_call_t *call, const google_protobuf_Any *requests, size_t request_count, bool first) {
    connect_arena_t *arena = connect_call_arena(call);
    NAME(ConformancePayload_RequestInfo) *info = CONNECT_NEW(arena, NAME(ConformancePayload_RequestInfo), 1);
    int64_t left = connect_call_time_left_ms(call);
    if (!info) return NULL;
    info->requests.items = requests;
    info->requests.count = request_count;
    if (!first) return info;
    if (connect_call_info(call)->query.data) info->connect_get_info = get_info(connect_call_info(call)->query, arena);
    info->request_headers = headers_of(connect_call_info(call)->headers, arena);
    info->has_timeout_ms = left != INT64_MAX;
    info->timeout_ms = info->has_timeout_ms ? left : 0;
    return info;
}

static void set_metadata(connect_call_t *call, NAME(Header_list) headers, NAME(Header_list) trailers) {
    connect_arena_t *arena = connect_call_arena(call);
    size_t i, k;
    for (i = 0; i < headers.count; i++)
        for (k = 0; k < headers.items[i].value.count; k++)
            connect_call_set_header(
                call, connect_arena_copy(arena, headers.items[i].name).data, headers.items[i].value.items[k]);
    for (i = 0; i < trailers.count; i++)
        for (k = 0; k < trailers.items[i].value.count; k++)
            connect_call_set_trailer(
                call, connect_arena_copy(arena, trailers.items[i].name).data, trailers.items[i].value.items[k]);
}

/* The error that is asked for; info_or_null: added as its last detail. */
static connect_code_t fail_with(
    connect_call_t *call, const NAME(Error) * error, const NAME(ConformancePayload_RequestInfo) * info_or_null) {
    connect_arena_t *arena = connect_call_arena(call);
    connect_error_detail_t *details = CONNECT_NEW(arena, connect_error_detail_t, error->details.count + 1);
    connect_error_t failure;
    size_t i, count = 0;
    memset(&failure, 0, sizeof failure);
    failure.code = (connect_code_t)error->code;
    failure.message = error->message.data ? error->message : connect_str_of("");
    for (i = 0; details && i < error->details.count; i++) {
        connect_str_t url = error->details.items[i].type_url;
        const char *slash = url.len ? (const char *)memchr(url.data, '/', url.len) : NULL;
        size_t skip = slash ? (size_t)(slash - url.data) + 1 : 0;
        details[count].type.data = url.data + skip;
        details[count].type.len = url.len - skip;
        details[count++].value = error->details.items[i].value;
    }
    if (details && info_or_null) {
        const connect_type_t *type = &NAME(ConformancePayload_RequestInfo_type);
        details[count].type = connect_str_of(type->full_name);
        details[count++].value = connect_message_encode(type, info_or_null, arena, NULL, NULL);
    }
    failure.details.items = details;
    failure.details.count = count;
    return connect_call_fail_as(call, &failure);
}

/* ---- One response: unary, idempotent unary, client stream ---- */

static const char answer_key; /* a call that waits keeps its answer under this address */

typedef struct answer {
    connect_task_t task; /* the delay */
    connect_call_t *call;
    const NAME(UnaryResponseDefinition) * definition;
    const NAME(ConformancePayload) * *payload; /* of the response */
    NAME(ConformancePayload_RequestInfo) * info;
} answer;

static connect_code_t answer_now(const answer *a) {
    NAME(ConformancePayload) * payload;
    if (a->definition && a->definition->response_case == NAME(UnaryResponseDefinition_response_error))
        return fail_with(a->call, a->definition->response.error, a->info);
    payload = CONNECT_NEW(connect_call_arena(a->call), NAME(ConformancePayload), 1);
    if (!payload) return CONNECT_RESOURCE_EXHAUSTED;
    if (a->definition && a->definition->response_case == NAME(UnaryResponseDefinition_response_response_data))
        payload->data = a->definition->response.response_data;
    payload->request_info = a->info;
    *a->payload = payload;
    return CONNECT_OK;
}

static void answer_later(void *arg) {
    answer *a = (answer *)arg;
    connect_call_finish(a->call, answer_now(a), NULL);
}

static connect_code_t answer_call(connect_call_t *call, const NAME(UnaryResponseDefinition) * definition,
    const google_protobuf_Any *requests, size_t request_count, const NAME(ConformancePayload) * *payload) {
    answer *a = CONNECT_NEW(connect_call_arena(call), answer, 1);
    if (!a) return CONNECT_RESOURCE_EXHAUSTED;
    a->call = call;
    a->definition = definition;
    a->payload = payload;
    a->info = request_info(call, requests, request_count, true);
    if (definition) set_metadata(call, definition->response_headers, definition->response_trailers);
    if (!definition || !definition->response_delay_ms) return answer_now(a);
    connect_call_set_value(call, &answer_key, a);
    connect_loop_after(connect_call_loop(call), &a->task, definition->response_delay_ms, answer_later, a);
    return CONNECT_LATER;
}

static connect_code_t unary(
    connect_call_t *call, const NAME(UnaryRequest) * request, NAME(UnaryResponse) * response, void *user) {
    (void)user;
    return answer_call(call, request->response_definition,
        any_of(connect_call_arena(call), &NAME(UnaryRequest_type), request, 1), 1, &response->payload);
}

static connect_code_t idempotent_unary(connect_call_t *call, const NAME(IdempotentUnaryRequest) * request,
    NAME(IdempotentUnaryResponse) * response, void *user) {
    (void)user;
    return answer_call(call, request->response_definition,
        any_of(connect_call_arena(call), &NAME(IdempotentUnaryRequest_type), request, 1), 1, &response->payload);
}

/* ---- The requests of a stream, kept until they are told of ---- */

typedef struct kept {
    google_protobuf_Any *items;
    size_t count, room;
} kept;

static bool keep(kept *k, connect_call_t *call, const connect_type_t *type, const void *message) {
    connect_arena_t *arena = connect_call_arena(call);
    google_protobuf_Any *any = any_of(arena, type, message, 1);
    if (k->count == k->room) {
        google_protobuf_Any *more = any_of(arena, type, NULL, k->room = k->room * 2 + 4);
        if (!more) return false;
        if (k->count) memcpy(more, k->items, k->count * sizeof *more);
        k->items = more;
    }
    if (!any) return false;
    k->items[k->count++] = *any;
    return true;
}

typedef struct upload {
    kept requests;
    const NAME(UnaryResponseDefinition) * definition;
    bool begun;
} upload;

static connect_code_t client_stream_open(connect_call_t *call, void *user) {
    upload *u = CONNECT_NEW(connect_call_arena(call), upload, 1);
    (void)user;
    connect_call_set_user(call, u);
    return u ? CONNECT_OK : CONNECT_RESOURCE_EXHAUSTED;
}
static connect_io_t client_stream_message(connect_call_t *call, const NAME(ClientStreamRequest) * request, void *user) {
    upload *u = (upload *)user;
    if (!u->begun && request->response_definition) {
        NAME(UnaryResponseDefinition) *copy = CONNECT_NEW(connect_call_arena(call), NAME(UnaryResponseDefinition), 1);
        if (copy &&
            connect_message_copy(
                &NAME(UnaryResponseDefinition_type), copy, request->response_definition, connect_call_arena(call)))
            u->definition = copy;
    }
    u->begun = true;
    return keep(&u->requests, call, &NAME(ClientStreamRequest_type), request) ? CONNECT_IO_OK : CONNECT_IO_ERROR;
}
static connect_code_t client_stream_end(connect_call_t *call, NAME(ClientStreamResponse) * response, void *user) {
    upload *u = (upload *)user;
    return answer_call(call, u->definition, u->requests.items, u->requests.count, &response->payload);
}
static void client_stream_closed(connect_call_t *call, const connect_error_t *error_or_null, void *user) {
    answer *a = (answer *)connect_call_value(call, &answer_key);
    (void)error_or_null;
    (void)user;
    if (a) connect_loop_after(connect_call_loop(call), &a->task, -1, NULL, NULL);
}

/* ---- Several responses: server stream, bidi ---- */

typedef struct responder {
    connect_task_t task;
    connect_call_t *call;
    const NAME(StreamResponseDefinition) * definition;
    kept requests;  /* not told of yet */
    size_t next;    /* response to send */
    size_t allowed; /* responses that may go out so far */
    bool begun, full_duplex, waited, told, stop;
} responder;

static connect_io_t send_payload(responder *r, NAME(ConformancePayload) * payload) {
    if (connect_call_info(r->call)->method->kind == CONNECT_SERVER_STREAM) {
        NAME(ServerStreamResponse) response = CONNECT_DEFAULTS;
        response.payload = payload;
        return connect_call_send(r->call, &response);
    } else {
        NAME(BidiStreamResponse) response = CONNECT_DEFAULTS;
        response.payload = payload;
        return connect_call_send(r->call, &response);
    }
}

static void respond(responder *r);
static void respond_after_delay(void *arg) {
    responder *r = (responder *)arg;
    r->waited = true;
    respond(r);
}

/* Sends what may go out now, and ends the call after the last. */
static void respond(responder *r) {
    static const NAME(StreamResponseDefinition) none;
    const NAME(StreamResponseDefinition) *definition = r->definition ? r->definition : &none;
    const size_t count = definition->response_data.count;
    while (r->next < count && r->next < r->allowed) {
        NAME(ConformancePayload) payload = CONNECT_DEFAULTS;
        if (definition->response_delay_ms && !r->waited) {
            connect_loop_after(
                connect_call_loop(r->call), &r->task, definition->response_delay_ms, respond_after_delay, r);
            return;
        }
        payload.data = definition->response_data.items[r->next];
        if (!r->told || r->full_duplex)
            payload.request_info = request_info(r->call, r->requests.items, r->requests.count, !r->told);
        if (send_payload(r, &payload) != CONNECT_IO_OK) return; /* on_writable, or on_closed */
        r->told = true;
        r->requests.count = 0;
        r->requests.room = 0;
        r->waited = false;
        r->next++;
    }
    if (!r->stop || r->next < count) return;
    if (definition->error)
        connect_call_finish(r->call,
            fail_with(r->call, definition->error,
                r->told ? NULL : request_info(r->call, r->requests.items, r->requests.count, true)),
            NULL);
    else
        connect_call_finish(r->call, CONNECT_OK, NULL);
}

static connect_code_t begin_responder(connect_call_t *call, responder **r) {
    *r = CONNECT_NEW(connect_call_arena(call), responder, 1);
    if (!*r) return CONNECT_RESOURCE_EXHAUSTED;
    (*r)->call = call;
    connect_call_set_user(call, *r);
    return CONNECT_OK;
}

static void send_headers(connect_call_t *call) {
    if (connect_call_send(call, NULL) != CONNECT_IO_OK) connect_call_finish(call, CONNECT_INTERNAL, NULL);
}

static void responder_writable(connect_call_t *call, void *user) {
    (void)call;
    if (user) respond((responder *)user);
}
static void responder_closed(connect_call_t *call, const connect_error_t *error_or_null, void *user) {
    responder *r = (responder *)user;
    (void)error_or_null;
    if (r) connect_loop_after(connect_call_loop(call), &r->task, -1, NULL, NULL);
}

static connect_code_t server_stream(connect_call_t *call, const NAME(ServerStreamRequest) * request, void *user) {
    responder *r;
    connect_code_t code = begin_responder(call, &r);
    (void)user;
    if (code != CONNECT_OK) return code;
    r->definition = request->response_definition;
    r->allowed = SIZE_MAX;
    r->stop = true;
    if (!keep(&r->requests, call, &NAME(ServerStreamRequest_type), request)) return CONNECT_RESOURCE_EXHAUSTED;
    if (r->definition) {
        set_metadata(call, r->definition->response_headers, r->definition->response_trailers);
        if (r->definition->response_data.count) send_headers(call);
    }
    return CONNECT_LATER; /* on_writable comes */
}

static connect_code_t bidi_open(connect_call_t *call, void *user) {
    responder *r;
    (void)user;
    return begin_responder(call, &r);
}
static connect_io_t bidi_message(connect_call_t *call, const NAME(BidiStreamRequest) * request, void *user) {
    responder *r = (responder *)user;
    if (!r->begun) {
        r->begun = true;
        r->full_duplex = request->full_duplex;
        if (request->response_definition) {
            NAME(StreamResponseDefinition) *copy =
                CONNECT_NEW(connect_call_arena(call), NAME(StreamResponseDefinition), 1);
            if (copy &&
                connect_message_copy(
                    &NAME(StreamResponseDefinition_type), copy, request->response_definition, connect_call_arena(call)))
                r->definition = copy;
            if (r->definition) set_metadata(call, r->definition->response_headers, r->definition->response_trailers);
        }
        if (r->full_duplex && r->definition && r->definition->response_data.count) send_headers(call);
    }
    if (!keep(&r->requests, call, &NAME(BidiStreamRequest_type), request)) return CONNECT_IO_ERROR;
    if (!r->full_duplex) return CONNECT_IO_OK;
    if (!r->definition || r->next >= r->definition->response_data.count) {
        r->stop = true; /* a request with no response left */
        respond(r);
        return CONNECT_IO_END;
    }
    r->allowed++;
    respond(r);
    return CONNECT_IO_OK;
}
static connect_code_t bidi_end(connect_call_t *call, void *user) {
    responder *r = (responder *)user;
    r->allowed = SIZE_MAX;
    r->stop = true;
    if (!r->full_duplex && r->definition && r->definition->response_data.count) send_headers(call);
    respond(r);
    return CONNECT_LATER;
}

/* ---- Start ---- */

static bool read_request(connect_arena_t *arena, NAME(ServerCompatRequest) * request) {
    unsigned char head[4];
    connect_str_t bytes;
    char *data;
    if (fread(head, 1, sizeof head, stdin) != sizeof head) return false;
    bytes.len = frame_len(head);
    data = (char *)connect_arena_take(arena, 1, bytes.len + 1);
    if (!data || fread(data, 1, bytes.len, stdin) != bytes.len) return false;
    bytes.data = data;
    return connect_message_decode(&NAME(ServerCompatRequest_type), request, bytes, arena, NULL, NULL);
}

static connect_server_t *server; /* for the signal handler */
static connect_loop_t *loop;
static connect_task_t stop;
static void stop_now(void *arg) {
    connect_server_drain((connect_server_t *)arg, 500);
}
static void on_sigterm(int sig) {
    (void)sig;
    connect_loop_post(loop, &stop, stop_now, server);
}

int main(void) {
    static const connect_file_t *const files[] = {&connectrpc_conformance_v1_service_file};
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_error_t error;
    connect_server_options_t options = CONNECT_DEFAULTS;
    NAME(ConformanceService_handlers) handlers = CONNECT_DEFAULTS;
    NAME(ServerCompatRequest) request;
    NAME(ServerCompatResponse) response = CONNECT_DEFAULTS;
    connect_listen_options_t listen = CONNECT_DEFAULTS;
    int port;

    handlers.Unary = unary;
    handlers.IdempotentUnary = idempotent_unary;
    handlers.ClientStream.on_open = client_stream_open;
    handlers.ClientStream.on_message = client_stream_message;
    handlers.ClientStream.on_end = client_stream_end;
    handlers.ClientStream.on_closed = client_stream_closed;
    handlers.ServerStream.on_request = server_stream;
    handlers.ServerStream.on_writable = responder_writable;
    handlers.ServerStream.on_closed = responder_closed;
    handlers.BidiStream.on_open = bidi_open;
    handlers.BidiStream.on_message = bidi_message;
    handlers.BidiStream.on_end = bidi_end;
    handlers.BidiStream.on_writable = responder_writable;
    handlers.BidiStream.on_closed = responder_closed;

    if (!read_request(&arena, &request)) {
        fprintf(stderr, "conformance server: no ServerCompatRequest on standard input\n");
        return 1;
    }
    if (request.use_tls) {
        connect_tls_options_t tls = CONNECT_DEFAULTS;
        if (!request.server_creds) return 1;
        tls.engine = TLS_ENGINE;
        tls.identity.certificate = request.server_creds->cert;
        tls.identity.private_key = request.server_creds->key;
        if (request.client_tls_cert.len) {
            tls.trust_anchors = request.client_tls_cert;
            tls.client_auth = CONNECT_CLIENT_AUTH_REQUIRED;
        }
        response.pem_cert = request.server_creds->cert;
        listen.tls = connect_tls_new(&tls, &error);
        if (!listen.tls) {
            fprintf(stderr, "conformance server: %s\n", error.message.data);
            return 1;
        }
    }
    loop = connect_loop_new(NULL, &error);
    options.loop = loop;
    options.compress_min = 1;
    options.limits.receive_bytes = request.message_receive_limit;
    options.codec_options.schema.files = files;
    options.codec_options.schema.count = 1;
    server = loop ? connect_server_new(&options, &error) : NULL;
    if (!server || !NAME(ConformanceService_serve)(server, &handlers, NULL, NULL, &error) ||
        (port = connect_server_listen(server, "127.0.0.1:0", &listen, &error)) < 0) {
        fprintf(stderr, "conformance server: %s\n", error.message.data);
        return 1;
    }
    response.host = connect_str_of("127.0.0.1");
    response.port = (uint32_t)port;
    if (!write_frame(connect_message_encode(&NAME(ServerCompatResponse_type), &response, &arena, NULL, NULL))) return 1;
    signal(SIGTERM, on_sigterm);
    connect_server_run(server);
    connect_server_free(server);
    connect_tls_free(listen.tls);
    connect_loop_free(loop);
    connect_arena_free(&arena);
    return 0;
}
