/* gateway ADDRESS URL [DESCRIPTOR_SET]: methods known at run time only.
   1. Calls of /acme.* are forwarded to URL, in whatever protocol, codec and kind they come: nobody needs their schema.
   2. /internal/acme.blob.v1.Blobs/Store is answered here: bytes in, bytes out.
   3. A method whose schema is loaded from a file is answered in protobuf and in JSON. */
#include "connect.h"
#include <stdio.h>
#include <stdlib.h>

/* ---- 1. A raw proxy. Messages, headers, trailers, errors and deadlines pass through; and each end's AGAIN is the
        other's: what cannot be sent on is not taken, and comes again after resume. ---- */
typedef struct forward {
    connect_call_t *down, *up; /* the caller's; that which answers. NULL: closed */
    bool opened;
} forward;

static void set_headers(forward *f, connect_headers_t headers) {
    size_t i;
    for (i = 0; i < headers.count; i++) /* false for those of the protocol: the other end has its own */
        (void)connect_call_set_header(f->down, headers.items[i].name, headers.items[i].value);
}
static connect_code_t up_open(connect_call_t *up, void *user) {
    forward *f = (forward *)user;
    f->opened = true;
    set_headers(f, connect_call_info(up)->headers);
    return CONNECT_OK;
}
static connect_io_t up_message(connect_call_t *up, const void *message, void *user) {
    (void)up;
    return connect_call_send(((forward *)user)->down, message);
}
static void up_writable(connect_call_t *up, void *user) {
    (void)up;
    connect_call_resume(((forward *)user)->down);
}
static void up_closed(connect_call_t *up, const connect_error_t *error_or_null, void *user) {
    forward *f = (forward *)user;
    connect_headers_t trailers = connect_call_info(up)->trailers;
    connect_code_t code = CONNECT_OK;
    size_t i;
    f->up = NULL;
    if (!f->opened) set_headers(f, connect_call_info(up)->headers);
    for (i = 0; i < trailers.count; i++)
        (void)connect_call_set_trailer(f->down, trailers.items[i].name, trailers.items[i].value);
    if (error_or_null) {
        connect_error_t error = *error_or_null;
        error.metadata.count = 0; /* headers and trailers again */
        code = connect_call_fail_as(f->down, &error);
    }
    connect_call_finish(f->down, code, NULL);
}

static connect_code_t down_open(connect_call_t *down, void *user) {
    static const connect_events_t events = {
        .on_open = up_open, .on_message = up_message, .on_writable = up_writable, .on_closed = up_closed};
    const connect_call_info_t *info = connect_call_info(down);
    forward *f = CONNECT_NEW(connect_call_arena(down), forward, 1);
    connect_method_t method = CONNECT_DEFAULTS;
    connect_call_options_t options = CONNECT_DEFAULTS;
    connect_error_t error;
    if (!f) return CONNECT_RESOURCE_EXHAUSTED;
    method.path = info->path;
    method.kind = info->kind;
    options.protocol = info->protocol;
    options.codec = info->codec;
    options.headers = info->headers; /* the protocol's own are left out */
    options.parent = down;           /* same deadline; up is closed before down is */
    options.timeout_ms = CONNECT_UNLIMITED;
    f->down = down;
    f->up = connect_client_start((connect_client_t *)user, &method, &events, f, &options, &error);
    if (!f->up) return connect_call_fail_as(down, &error);
    connect_call_set_user(down, f);
    return CONNECT_OK;
}
static connect_io_t down_message(connect_call_t *down, const void *message, void *user) {
    forward *f = (forward *)user;
    (void)down;
    return f->up ? connect_call_send(f->up, message) : CONNECT_IO_END;
}
static connect_code_t down_end(connect_call_t *down, void *response, void *user) {
    forward *f = (forward *)user;
    (void)down;
    (void)response;
    if (f->up) connect_call_finish(f->up, CONNECT_OK, NULL);
    return CONNECT_LATER; /* up_closed finishes */
}
static void down_writable(connect_call_t *down, void *user) {
    forward *f = (forward *)user;
    (void)down;
    if (f->up) connect_call_resume(f->up);
}
static bool add_proxy(connect_server_t *server, const char *paths, connect_client_t *upstream, connect_error_t *error) {
    static const connect_events_t events = {
        .on_open = down_open, .on_message = down_message, .on_end = down_end, .on_writable = down_writable};
    connect_method_t any = CONNECT_DEFAULTS;
    any.path = paths;
    any.kind = CONNECT_ANY_KIND;
    return connect_server_add_route(server, &any, &events, upstream, NULL, error);
}

/* ---- 2. A raw handler, below a prefix ---- */
static connect_code_t store_blob(connect_call_t *call, const void *request, void *response, void *user) {
    const connect_str_t *blob = (const connect_str_t *)request;
    (void)call;
    (void)user;
    *(connect_str_t *)response = *blob;
    return CONNECT_OK;
}
static bool add_blob(connect_server_t *server, connect_error_t *error) {
    connect_method_t method = CONNECT_DEFAULTS;
    connect_events_t events = CONNECT_DEFAULTS;
    connect_route_options_t options = CONNECT_DEFAULTS;
    method.path = "/acme.blob.v1.Blobs/Store";
    events.on_request = store_blob;
    options.prefix = "/internal";
    options.receive_bytes = 1024 * 1024;
    return connect_server_add_route(server, &method, &events, NULL, &options, error);
}

/* ---- 3. A schema loaded at run time: every unary method in it answers with its request, but for the field `secret`,
        where its response is of the same type ---- */
static connect_code_t redact(connect_call_t *call, const void *request, void *response, void *user) {
    const connect_type_t *type = connect_call_info(call)->method->output;
    const connect_field_t *secret = connect_message_field(type, connect_str_of("secret"));
    (void)user;
    if (!connect_message_copy(type, response, request, connect_call_arena(call))) return CONNECT_RESOURCE_EXHAUSTED;
    if (secret) connect_message_set(type, response, secret, NULL);
    return CONNECT_OK;
}
static bool add_redaction(
    connect_server_t *server, connect_str_t descriptor_set, connect_arena_t *arena, connect_error_t *error) {
    connect_events_t events = CONNECT_DEFAULTS;
    connect_schema_t schema;
    size_t i, j, k;
    events.on_request = redact;
    if (!connect_schema_load(&schema, descriptor_set, arena, error)) return false;
    for (i = 0; i < schema.count; i++) {
        for (j = 0; j < schema.files[i]->services.count; j++) {
            const connect_service_t *service = schema.files[i]->services.items[j];
            for (k = 0; k < service->method_count; k++) {
                const connect_method_t *method = service->methods[k];
                if (method->kind == CONNECT_UNARY && method->input == method->output &&
                    !connect_server_add_route(server, method, &events, NULL, NULL, error))
                    return false;
            }
        }
    }
    return true;
}
static connect_str_t read_file(const char *name, connect_arena_t *arena) {
    FILE *file = fopen(name, "rb");
    char *buffer = CONNECT_NEW(arena, char, 1 << 20);
    connect_str_t content = {NULL, 0};
    if (file && buffer) {
        content.len = fread(buffer, 1, 1 << 20, file);
        content.data = buffer;
    }
    if (file) fclose(file);
    return content;
}

int main(int argc, char **argv) {
    connect_server_options_t options = CONNECT_DEFAULTS;
    connect_client_options_t upstream_options = CONNECT_DEFAULTS;
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_server_t *server = NULL;
    connect_client_t *upstream = NULL;
    connect_error_t error;
    int port = -1;
    if (argc < 3) {
        fprintf(stderr, "usage: gateway ADDRESS URL [DESCRIPTOR_SET]\n");
        return 2;
    }
    options.loop = upstream_options.loop = connect_loop_new(NULL, &error); /* one loop, one thread for both ends */
    if (options.loop && (server = connect_server_new(&options, &error)) != NULL &&
        (upstream = connect_client_new(argv[2], &upstream_options, &error)) != NULL &&
        add_proxy(server, "/acme.*", upstream, &error) && add_blob(server, &error) &&
        (argc < 4 || add_redaction(server, read_file(argv[3], &arena), &arena, &error)))
        port = connect_server_listen(server, argv[1], NULL, &error);
    if (port >= 0) {
        printf("listens on port %d\n", port);
        fflush(stdout);
        connect_server_run(server);
    } else {
        fprintf(stderr, "%s: %s\n", connect_code_name(error.code), error.message.data);
    }
    connect_server_free(server); /* first: its calls have theirs upstream */
    connect_client_free(upstream);
    connect_loop_free(options.loop);
    connect_arena_free(&arena);
    return port < 0;
}
