/* The client against answers that a good server never gives, byte for byte; and its life cycle: deadlines, cancelling,
   freeing in callbacks, dialling that fails, back-pressure. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"
#include "pair.h"

typedef struct heard {
    int opened, messages, closed;
    connect_code_t code;
    bool from_peer, has_headers; /* the response's, in the error's metadata if there is one */
    bytes text;                  /* messages' texts, then the error's message */
    bytes trailers;
    connect_call_t *call;
    connect_client_t *free_in[3]; /* on_open, on_message, on_closed: freed there */
    connect_code_t open_code;
    connect_io_t message_io;
    bool finish_in_message;
} heard;

static connect_code_t heard_open(connect_call_t *call, void *user) {
    heard *h = (heard *)user;
    (void)call;
    h->opened++;
    if (h->free_in[0]) connect_client_free(h->free_in[0]);
    return h->open_code;
}
static connect_io_t heard_message(connect_call_t *call, const void *message, void *user) {
    heard *h = (heard *)user;
    h->messages++;
    bytes_quote(&h->text, ((const note *)message)->text);
    bytes_text(&h->text, ";");
    if (h->free_in[1]) connect_client_free(h->free_in[1]);
    if (h->finish_in_message) connect_call_finish(call, CONNECT_CANCELED, NULL);
    return h->message_io;
}
static void heard_closed(connect_call_t *call, const connect_error_t *error, void *user) {
    heard *h = (heard *)user;
    connect_headers_t trailers = connect_call_info(call)->trailers;
    size_t i;
    h->closed++;
    h->code = error ? error->code : CONNECT_OK;
    h->from_peer = error && error->from_peer;
    h->has_headers = connect_headers_get(error ? error->metadata : connect_call_info(call)->headers, "x-kept", 0).len ||
        connect_headers_get(trailers, "x-kept", 0).len; /* of gRPC with nothing but trailers */
    if (error) bytes_quote(&h->text, error->message);
    for (i = 0; i < trailers.count; i++) {
        bytes_print(&h->trailers, "%s=", trailers.items[i].name);
        bytes_quote(&h->trailers, trailers.items[i].value);
        bytes_text(&h->trailers, ";");
    }
    if (h->free_in[2]) connect_client_free(h->free_in[2]);
}
static const connect_events_t heard_events = {heard_open, NULL, heard_message, NULL, NULL, NULL, heard_closed};

static void heard_free(heard *h) {
    bytes_free(&h->text);
    bytes_free(&h->trailers);
}

static connect_client_t *client_for(
    pair *p, const pair_kind *kind, const connect_limits_t *limits, const connect_allocator_t *allocator) {
    connect_client_options_t options;
    connect_error_t error;
    memset(&options, 0, sizeof options);
    options.dial = pair_dial;
    options.user = p;
    options.http = kind->http;
    options.protocol = kind->protocol;
    options.codec = kind->codec;
    options.allocator = allocator;
    if (limits) options.limits = *limits;
    p->client = connect_client_new("http://memory:1", &options, &error);
    assert_non_null(p->client);
    return p->client;
}
/* Starts a call whose requests are all sent. */
static connect_call_t *start_call(pair *p, connect_method_kind_t kind, heard *h, uint32_t timeout_ms) {
    connect_call_options_t options;
    connect_error_t error;
    note n;
    connect_call_t *call;
    memset(&options, 0, sizeof options);
    memset(&n, 0, sizeof n);
    options.timeout_ms = timeout_ms;
    n.text = connect_str_of("hello");
    call = connect_client_start(p->client, &note_methods[kind], &heard_events, h, &options, &error);
    assert_non_null(call);
    h->call = call;
    connect_call_finish(call, CONNECT_OK, &n);
    return call;
}

/* ---- Canned answers ---- */

typedef struct answer {
    const char *name;
    connect_protocol_t protocol;
    connect_method_kind_t kind;
    int status;
    const char *headers; /* "name: value\n" for each */
    /* The body, in pieces separated by '~': "M<text>" an envelope with that text as Note; "P<flags in 2 hex>:<payload>";
       "R<raw>"; "U<text>": a bare message. Without a body: "". */
    const char *body;
    const char *trailers; /* HTTP/2 */
    connect_code_t code;  /* expected */
    int messages;         /* expected */
    const char *says;     /* in the message; NULL: anything */
} answer;

#define C CONNECT_PROTOCOL_CONNECT
#define G CONNECT_PROTOCOL_GRPC
#define W CONNECT_PROTOCOL_GRPC_WEB
#define PROTO "content-type: application/proto\n"
#define STREAM "content-type: application/connect+proto\n"
#define GRPC "content-type: application/grpc\n"
#define WEB "content-type: application/grpc-web+proto\n"
#define JSON "content-type: application/json\n"

static const answer answers[] = {
    {"good", C, CONNECT_UNARY, 200, PROTO, "Uhi", "", CONNECT_OK, 1, "hi;"},
    {"empty body", C, CONNECT_UNARY, 200, PROTO, "", "", CONNECT_OK, 1, ";"},
    {"type in other case", C, CONNECT_UNARY, 200, "content-type: Application/Proto\n", "Uhi", "", CONNECT_OK, 1, NULL},
    {"other codec", C, CONNECT_UNARY, 200, JSON, "R{}", "", CONNECT_INTERNAL, 0, NULL},
    {"other type", C, CONNECT_UNARY, 200, "content-type: text/html\n", "R<p>", "", CONNECT_UNKNOWN, 0, NULL},
    {"no type", C, CONNECT_UNARY, 200, "", "R<p>", "", CONNECT_UNKNOWN, 0, NULL},
    {"unknown coding", C, CONNECT_UNARY, 200, PROTO "content-encoding: snappy\n", "Rxx", "", CONNECT_INTERNAL, 0, NULL},
    {"identity", C, CONNECT_UNARY, 200, PROTO "content-encoding: identity\n", "Uhi", "", CONNECT_OK, 1, NULL},
    {"bad message", C, CONNECT_UNARY, 200, PROTO, "R\x0a\x7f", "", CONNECT_INTERNAL, 0, NULL},
    {"400", C, CONNECT_UNARY, 400, "", "", "", CONNECT_INTERNAL, 0, NULL},
    {"401", C, CONNECT_UNARY, 401, "", "", "", CONNECT_UNAUTHENTICATED, 0, NULL},
    {"403 proto", C, CONNECT_UNARY, 403, PROTO, "Uhi", "", CONNECT_PERMISSION_DENIED, 0, NULL},
    {"404", C, CONNECT_UNARY, 404, "", "Rnope", "", CONNECT_UNIMPLEMENTED, 0, NULL},
    {"409", C, CONNECT_UNARY, 409, "", "", "", CONNECT_UNKNOWN, 0, NULL},
    {"412", C, CONNECT_UNARY, 412, "", "", "", CONNECT_UNKNOWN, 0, NULL},
    {"415", C, CONNECT_UNARY, 415, "", "", "", CONNECT_UNKNOWN, 0, NULL},
    {"418", C, CONNECT_UNARY, 418, "", "", "", CONNECT_UNKNOWN, 0, NULL},
    {"429", C, CONNECT_UNARY, 429, "", "", "", CONNECT_UNAVAILABLE, 0, NULL},
    {"431", C, CONNECT_UNARY, 431, "", "", "", CONNECT_UNKNOWN, 0, NULL},
    {"502", C, CONNECT_UNARY, 502, "", "", "", CONNECT_UNAVAILABLE, 0, NULL},
    {"503", C, CONNECT_UNARY, 503, "", "", "", CONNECT_UNAVAILABLE, 0, NULL},
    {"504", C, CONNECT_UNARY, 504, "", "", "", CONNECT_UNAVAILABLE, 0, NULL},
    {"505", C, CONNECT_UNARY, 505, "", "", "", CONNECT_UNKNOWN, 0, NULL},
    {"800", C, CONNECT_UNARY, 800, "", "", "", CONNECT_UNKNOWN, 0, NULL},
    {"204", C, CONNECT_UNARY, 204, "", "", "", CONNECT_UNKNOWN, 0, NULL},
    {"error", C, CONNECT_UNARY, 422, JSON, "R{\"code\":\"out_of_range\",\"message\":\"m\"}", "", CONNECT_OUT_OF_RANGE,
        0, "m"},
    {"error, charset", C, CONNECT_UNARY, 422, "content-type: application/json; charset=UTF-8\n",
        "R{\"code\":\"out_of_range\"}", "", CONNECT_OUT_OF_RANGE, 0, ""},
    {"error with 200", C, CONNECT_UNARY, 200, JSON, "R{\"code\":\"out_of_range\"}", "", CONNECT_INTERNAL, 0, NULL},
    {"error, code null", C, CONNECT_UNARY, 401, JSON, "R{\"code\":null,\"message\":\"m\"}", "", CONNECT_UNAUTHENTICATED,
        0, "m"},
    {"error, no code", C, CONNECT_UNARY, 401, JSON, "R{\"message\":\"m\"}", "", CONNECT_UNAUTHENTICATED, 0, "m"},
    {"error, code unknown", C, CONNECT_UNARY, 403, JSON, "R{\"code\":\"cancelled\",\"message\":\"m\"}", "",
        CONNECT_PERMISSION_DENIED, 0, "m"},
    {"error, code 5", C, CONNECT_UNARY, 404, JSON, "R{\"code\":5,\"message\":\"m\"}", "", CONNECT_UNIMPLEMENTED, 0,
        NULL},
    {"error, not JSON", C, CONNECT_UNARY, 503, JSON, "R{\"code\":", "", CONNECT_UNAVAILABLE, 0, NULL},
    {"error, null", C, CONNECT_UNARY, 404, JSON, "Rnull", "", CONNECT_UNIMPLEMENTED, 0, NULL},
    {"error, empty", C, CONNECT_UNARY, 429, JSON, "", "", CONNECT_UNAVAILABLE, 0, NULL},
    {"error, more behind", C, CONNECT_UNARY, 429, JSON, "R{\"code\":\"aborted\"}x", "", CONNECT_UNAVAILABLE, 0, NULL},
    {"error, unknown keys", C, CONNECT_UNARY, 400, JSON,
        "R{\"a\":[1,{}],\"code\":\"aborted\",\"details\":[{\"type\":\"x.Y\",\"value\":\"AA\",\"debug\":[null],\"z\":1}]"
        "}",
        "", CONNECT_ABORTED, 0, ""},
    {"error, ok", C, CONNECT_UNARY, 500, JSON, "R{\"code\":\"ok\"}", "", CONNECT_UNKNOWN, 0, NULL},
    {"trailer- headers", C, CONNECT_UNARY, 200, PROTO "Trailer-X: 1\ntrailer-x: 2\n", "Uhi", "", CONNECT_OK, 1, NULL},

    {"stream", C, CONNECT_SERVER_STREAM, 200, STREAM, "Ma~Mb~P02:{}", "", CONNECT_OK, 2, "a;b;"},
    {"stream, none", C, CONNECT_SERVER_STREAM, 200, STREAM, "P02:{}", "", CONNECT_OK, 0, ""},
    {"no END_STREAM", C, CONNECT_SERVER_STREAM, 200, STREAM, "Ma", "", CONNECT_INTERNAL, 1, NULL},
    {"nothing at all", C, CONNECT_SERVER_STREAM, 200, STREAM, "", "", CONNECT_INTERNAL, 0, NULL},
    {"error null", C, CONNECT_SERVER_STREAM, 200, STREAM, "Ma~P02:{\"error\":null}", "", CONNECT_OK, 1, NULL},
    {"code at the top", C, CONNECT_SERVER_STREAM, 200, STREAM, "Ma~P02:{\"code\":\"aborted\",\"x\":[]}", "", CONNECT_OK,
        1, NULL},
    {"error {}", C, CONNECT_SERVER_STREAM, 200, STREAM, "Ma~P02:{\"error\":{\"message\":\"m\"}}", "", CONNECT_UNKNOWN,
        1, "a;m"},
    {"error, code unknown", C, CONNECT_SERVER_STREAM, 200, STREAM, "P02:{\"error\":{\"code\":\"zz\"}}", "",
        CONNECT_UNKNOWN, 0, ""},
    {"error, code 5", C, CONNECT_SERVER_STREAM, 200, STREAM, "P02:{\"error\":{\"code\":5}}", "", CONNECT_INTERNAL, 0,
        NULL},
    {"error is a string", C, CONNECT_SERVER_STREAM, 200, STREAM, "P02:{\"error\":\"x\"}", "", CONNECT_INTERNAL, 0,
        NULL},
    {"error, debug", C, CONNECT_SERVER_STREAM, 200, STREAM,
        "P02:{\"error\":{\"code\":\"aborted\",\"message\":\"m\",\"details\":[{\"type\":\"a.B\",\"value\":\"AA==\","
        "\"debug\":{\"@"
        "type\":7}}]},\"metadata\":{\"X-A\":[\"1\",\"2\"],\"b\":[]}}",
        "", CONNECT_ABORTED, 0, "m"},
    {"END_STREAM not JSON", C, CONNECT_SERVER_STREAM, 200, STREAM, "Ma~P02:{", "", CONNECT_INTERNAL, 1, NULL},
    {"END_STREAM empty", C, CONNECT_SERVER_STREAM, 200, STREAM, "P02:", "", CONNECT_INTERNAL, 0, NULL},
    {"END_STREAM null", C, CONNECT_SERVER_STREAM, 200, STREAM, "P02:null", "", CONNECT_INTERNAL, 0, NULL},
    {"bytes after the end", C, CONNECT_SERVER_STREAM, 200, STREAM, "P02:{}~Ma", "", CONNECT_INTERNAL, 0, NULL},
    {"one byte after the end", C, CONNECT_SERVER_STREAM, 200, STREAM, "Ma~P02:{}~R!", "", CONNECT_INTERNAL, 1, NULL},
    {"two ends", C, CONNECT_SERVER_STREAM, 200, STREAM, "P02:{}~P02:{}", "", CONNECT_INTERNAL, 0, NULL},
    {"compressed flag", C, CONNECT_SERVER_STREAM, 200, STREAM, "P01:x~P02:{}", "", CONNECT_INTERNAL, 0, NULL},
    {"compressed flag, empty", C, CONNECT_SERVER_STREAM, 200, STREAM, "P01:~P02:{}", "", CONNECT_INTERNAL, 0, NULL},
    {"compressed end", C, CONNECT_SERVER_STREAM, 200, STREAM, "P03:{}", "", CONNECT_INTERNAL, 0, NULL},
    {"reserved flag", C, CONNECT_SERVER_STREAM, 200, STREAM, "P04:~P02:{}", "", CONNECT_INTERNAL, 0, NULL},
    {"gRPC-Web flag", C, CONNECT_SERVER_STREAM, 200, STREAM, "P80:grpc-status: 0\r\n", "", CONNECT_INTERNAL, 0, NULL},
    {"cut envelope head", C, CONNECT_SERVER_STREAM, 200, STREAM, "Ma~R\x01", "", CONNECT_INTERNAL, 1, NULL},
    {"cut envelope", C, CONNECT_SERVER_STREAM, 200, STREAM, "Ma~R\x02\x01\x01\x01\x09{}", "",
        CONNECT_RESOURCE_EXHAUSTED, 1, NULL},
    {"unknown coding", C, CONNECT_SERVER_STREAM, 200, STREAM "connect-content-encoding: zz\n", "P02:{}", "",
        CONNECT_INTERNAL, 0, NULL},
    {"stream, unary type", C, CONNECT_SERVER_STREAM, 200, PROTO, "Uhi", "", CONNECT_UNKNOWN, 0, NULL},
    {"stream, other codec", C, CONNECT_SERVER_STREAM, 200, "content-type: application/connect+json\n", "P02:{}", "",
        CONNECT_INTERNAL, 0, NULL},
    {"stream, 404", C, CONNECT_SERVER_STREAM, 404, JSON, "R{\"code\":\"aborted\"}", "", CONNECT_UNIMPLEMENTED, 0, NULL},
    {"stream, 503", C, CONNECT_SERVER_STREAM, 503, STREAM, "P02:{}", "", CONNECT_UNAVAILABLE, 0, NULL},
    {"bad message", C, CONNECT_SERVER_STREAM, 200, STREAM, "P00:\x0a\x7f~P02:{}", "", CONNECT_INTERNAL, 0, NULL},
    {"single, none", C, CONNECT_CLIENT_STREAM, 200, STREAM, "P02:{}", "", CONNECT_UNIMPLEMENTED, 0, NULL},
    {"single, two", C, CONNECT_CLIENT_STREAM, 200, STREAM, "Ma~Mb~P02:{}", "", CONNECT_UNIMPLEMENTED, 0, NULL},
    {"single, then error", C, CONNECT_CLIENT_STREAM, 200, STREAM, "Ma~P02:{\"error\":{\"code\":\"aborted\"}}", "",
        CONNECT_ABORTED, 0, ""},
    {"single, no end", C, CONNECT_CLIENT_STREAM, 200, STREAM, "Ma", "", CONNECT_INTERNAL, 0, NULL},

    {"good", G, CONNECT_UNARY, 200, GRPC, "Mhi", "grpc-status: 0\n", CONNECT_OK, 1, "hi;"},
    {"+proto", G, CONNECT_UNARY, 200, "content-type: application/grpc+proto\n", "Mhi", "grpc-status: 0\n", CONNECT_OK,
        1, NULL},
    {"other codec", G, CONNECT_UNARY, 200, "content-type: application/grpc+json\n", "Mhi", "grpc-status: 0\n",
        CONNECT_INTERNAL, 0, NULL},
    {"other type", G, CONNECT_UNARY, 200, "content-type: text/html\n", "Mhi", "grpc-status: 0\n", CONNECT_UNKNOWN, 0,
        NULL},
    {"web type", G, CONNECT_UNARY, 200, WEB, "Mhi", "grpc-status: 0\n", CONNECT_UNKNOWN, 0, NULL},
    {"no status", G, CONNECT_UNARY, 200, GRPC, "Mhi", "x: y\n", CONNECT_UNKNOWN, 0, NULL},
    {"no trailers", G, CONNECT_UNARY, 200, GRPC, "Mhi", "", CONNECT_INTERNAL, 0, NULL},
    {"status in headers, body", G, CONNECT_UNARY, 200, GRPC "grpc-status: 0\n", "Mhi", "", CONNECT_INTERNAL, 0, NULL},
    {"status in headers 8, trailers 9", G, CONNECT_UNARY, 200, GRPC "grpc-status: 8\n", "", "grpc-status: 9\n",
        CONNECT_FAILED_PRECONDITION, 0, NULL},
    {"status in headers 0, trailers none", G, CONNECT_SERVER_STREAM, 200, GRPC "grpc-status: 0\n", "", "x: y\n",
        CONNECT_UNKNOWN, 0, NULL},
    {"trailers only", G, CONNECT_UNARY, 200, GRPC "grpc-status: 9\ngrpc-message: a%20b%0a%zz\nx-t: 1\n", "", "",
        CONNECT_FAILED_PRECONDITION, 0, "a b\\x0a%zz"},
    {"trailers only, ok", G, CONNECT_UNARY, 200, GRPC "grpc-status: 0\n", "", "", CONNECT_UNIMPLEMENTED, 0, NULL},
    {"trailers only, stream", G, CONNECT_SERVER_STREAM, 200, GRPC "grpc-status: 0\n", "", "", CONNECT_OK, 0, NULL},
    {"nothing", G, CONNECT_UNARY, 200, GRPC, "", "", CONNECT_INTERNAL, 0, NULL},
    {"status x", G, CONNECT_UNARY, 200, GRPC, "Mhi", "grpc-status: x\n", CONNECT_UNKNOWN, 0, NULL},
    {"status 17", G, CONNECT_UNARY, 200, GRPC, "Mhi", "grpc-status: 17\n", CONNECT_UNKNOWN, 0, NULL},
    {"status -1", G, CONNECT_UNARY, 200, GRPC, "Mhi", "grpc-status: -1\n", CONNECT_UNKNOWN, 0, NULL},
    {"status twice", G, CONNECT_UNARY, 200, GRPC, "Mhi", "grpc-status: 0\ngrpc-status: 5\n", CONNECT_UNKNOWN, 0, NULL},
    {"status 5", G, CONNECT_UNARY, 200, GRPC, "Mhi", "grpc-status: 5\ngrpc-message: gone\n", CONNECT_NOT_FOUND, 0,
        "gone"},
    {"details", G, CONNECT_UNARY, 200, GRPC, "", "grpc-status: 5\ngrpc-message: x\ngrpc-status-details-bin: CAYSAWg\n",
        CONNECT_ALREADY_EXISTS, 0, "h"},
    {"details, bad base64", G, CONNECT_UNARY, 200, GRPC, "", "grpc-status: 5\ngrpc-status-details-bin: !!\n",
        CONNECT_INTERNAL, 0, NULL},
    {"details, bad proto", G, CONNECT_UNARY, 200, GRPC, "", "grpc-status: 5\ngrpc-status-details-bin: /////w\n",
        CONNECT_INTERNAL, 0, NULL},
    {"no message", G, CONNECT_UNARY, 200, GRPC "x: y\n", "", "grpc-status: 0\n", CONNECT_UNIMPLEMENTED, 0, NULL},
    {"two messages", G, CONNECT_UNARY, 200, GRPC, "Ma~Mb", "grpc-status: 0\n", CONNECT_UNIMPLEMENTED, 0, NULL},
    {"empty message", G, CONNECT_UNARY, 200, GRPC, "M", "grpc-status: 0\n", CONNECT_OK, 1, ";"},
    {"unknown coding", G, CONNECT_UNARY, 200, GRPC "grpc-encoding: zz\n", "Ma", "grpc-status: 0\n", CONNECT_INTERNAL, 0,
        NULL},
    {"compressed flag", G, CONNECT_UNARY, 200, GRPC, "P01:", "grpc-status: 0\n", CONNECT_INTERNAL, 0, NULL},
    {"0x80 flag", G, CONNECT_SERVER_STREAM, 200, GRPC, "P80:grpc-status: 0\r\n", "grpc-status: 0\n", CONNECT_INTERNAL,
        0, NULL},
    {"cut message", G, CONNECT_SERVER_STREAM, 200, GRPC, "Ma~R\x01\x02", "grpc-status: 0\n", CONNECT_INTERNAL, 1, NULL},
    {"403", G, CONNECT_UNARY, 403, GRPC "grpc-status: 0\n", "", "", CONNECT_PERMISSION_DENIED, 0, NULL},
    {"800", G, CONNECT_UNARY, 800, "", "", "", CONNECT_UNKNOWN, 0, NULL},

    {"good", W, CONNECT_UNARY, 200, WEB, "Mhi~P80:grpc-status: 0\r\n", "", CONNECT_OK, 1, "hi;"},
    {"bare type", W, CONNECT_UNARY, 200, "content-type: application/grpc-web\n", "Mhi~P80:grpc-status: 0\r\n", "",
        CONNECT_OK, 1, NULL},
    {"gRPC type", W, CONNECT_UNARY, 200, GRPC, "Mhi~P80:grpc-status: 0\r\n", "", CONNECT_UNKNOWN, 0, NULL},
    {"mixed case", W, CONNECT_UNARY, 200, WEB,
        "Mhi~P80:GRPC-Status:5\r\nGrpc-Message: \tgo%6Ee \r\nX-Up: 1\r\nx-up: 2\r\n", "", CONNECT_NOT_FOUND, 0, "gone"},
    {"LF, empty line", W, CONNECT_UNARY, 200, WEB, "Mhi~P80:x: y\ngrpc-status: 0\n\r\n", "", CONNECT_OK, 1, NULL},
    {"header status ignored", W, CONNECT_UNARY, 200, WEB "grpc-status: 8\n", "P80:grpc-status: 9\r\n", "",
        CONNECT_FAILED_PRECONDITION, 0, NULL},
    {"trailers only", W, CONNECT_UNARY, 200, WEB "grpc-status: 9\ngrpc-message: m\n", "", "",
        CONNECT_FAILED_PRECONDITION, 0, "m"},
    {"trailers only, ok", W, CONNECT_UNARY, 200, WEB "grpc-status: 0\n", "", "", CONNECT_UNIMPLEMENTED, 0, NULL},
    {"no trailers", W, CONNECT_UNARY, 200, WEB, "Mhi", "", CONNECT_INTERNAL, 0, NULL},
    {"no trailers, header status", W, CONNECT_UNARY, 200, WEB "grpc-status: 0\n", "Mhi", "", CONNECT_INTERNAL, 0, NULL},
    {"nothing", W, CONNECT_UNARY, 200, WEB, "", "", CONNECT_INTERNAL, 0, NULL},
    {"no status", W, CONNECT_UNARY, 200, WEB, "Mhi~P80:x: y\r\n", "", CONNECT_UNKNOWN, 0, NULL},
    {"empty trailers", W, CONNECT_UNARY, 200, WEB, "Mhi~P80:", "", CONNECT_UNKNOWN, 0, NULL},
    {"status 17", W, CONNECT_UNARY, 200, WEB, "Mhi~P80:grpc-status: 17\r\n", "", CONNECT_UNKNOWN, 0, NULL},
    {"status twice", W, CONNECT_UNARY, 200, WEB, "Mhi~P80:grpc-status: 0\r\ngrpc-status: 5\r\n", "", CONNECT_UNKNOWN, 0,
        NULL},
    {"no colon", W, CONNECT_UNARY, 200, WEB, "Mhi~P80:grpc-status 0\r\n", "", CONNECT_INTERNAL, 0, NULL},
    {"bytes after", W, CONNECT_UNARY, 200, WEB, "Mhi~P80:grpc-status: 0\r\n~R\x01", "", CONNECT_INTERNAL, 0, NULL},
    {"message after", W, CONNECT_UNARY, 200, WEB, "P80:grpc-status: 0\r\n~Mhi", "", CONNECT_INTERNAL, 0, NULL},
    {"compressed trailers", W, CONNECT_UNARY, 200, WEB, "Mhi~P81:xx", "", CONNECT_INTERNAL, 0, NULL},
    {"END_STREAM flag", W, CONNECT_SERVER_STREAM, 200, WEB, "P02:{}", "", CONNECT_INTERNAL, 0, NULL},
    {"two messages", W, CONNECT_UNARY, 200, WEB, "Ma~Mb~P80:grpc-status: 0\r\n", "", CONNECT_UNIMPLEMENTED, 0, NULL},
    {"error after message", W, CONNECT_UNARY, 200, WEB, "Ma~P80:grpc-status: 10\r\n", "", CONNECT_ABORTED, 0, ""},
    {"502", W, CONNECT_UNARY, 502, WEB, "P80:grpc-status: 0\r\n", "", CONNECT_UNAVAILABLE, 0, NULL},
};

static void answer_body(const answer *a, bytes *body) {
    const char *at = a->body;
    while (*at) {
        const char *end = strchr(at, '~');
        size_t len = end ? (size_t)(end - at) : strlen(at);
        if (at[0] == 'R') {
            bytes_add(body, at + 1, len - 1);
        } else if (at[0] == 'P') {
            envelope_add(body, (uint8_t)strtoul(at + 1, NULL, 16), at + 4, len - 4);
        } else {
            bytes note_bytes = {NULL, 0, 0};
            char head[2];
            head[0] = 0x0a;
            head[1] = (char)(len - 1);
            if (len > 1) bytes_add(&note_bytes, head, 2);
            bytes_add(&note_bytes, at + 1, len - 1);
            if (at[0] == 'M')
                envelope_add(body, 0, note_bytes.data, note_bytes.len);
            else
                bytes_add(body, note_bytes.data, note_bytes.len);
            bytes_free(&note_bytes);
        }
        at += len + (end ? 1 : 0);
    }
}
static void answer_http1(const answer *a, const bytes *body, bytes *out) {
    const char *at = a->headers;
    bytes_print(out, "HTTP/1.1 %d X\r\n", a->status);
    while (*at) {
        const char *end = strchr(at, '\n');
        bytes_add(out, at, (size_t)(end - at));
        bytes_text(out, "\r\n");
        at = end + 1;
    }
    if (a->status != 204) bytes_print(out, "content-length: %lu\r\n", (unsigned long)body->len);
    bytes_text(out, "\r\n");
    bytes_add(out, body->data, body->len);
}
static void answer_http2(const answer *a, const bytes *body, bytes *out) {
    bytes head = {NULL, 0, 0};
    const char *at = a->headers;
    bool only = !body->len && !a->trailers[0];
    h2_frame(out, 4, 0, 0, NULL, 0);
    bytes_print(&head, ":status: %d\n", a->status);
    for (; *at; at++) {
        char c = *at;
        if (c >= 'A' && c <= 'Z') c = (char)(c + 32);
        bytes_add(&head, &c, 1);
    }
    h2_headers(out, only ? 1 : 0, 1, head.data);
    if (body->len) h2_frame(out, 0, a->trailers[0] ? 0 : 1, 1, body->data, body->len);
    if (a->trailers[0]) h2_headers(out, 1, 1, a->trailers);
    bytes_free(&head);
}

/* Returns the largest piece of memory that the client asked for. */
static size_t answer_run(const answer *a, const bytes *body, connect_http_version_t http, pair_mode mode) {
    failing_allocator memory;
    connect_limits_t limits;
    pair_kind kind;
    heard h;
    pair p;
    bytes *down;
    failing_init(&memory, SIZE_MAX, false);
    memset(&h, 0, sizeof h);
    memset(&limits, 0, sizeof limits);
    pair_init(&p);
    p.mode = mode;
    kind.protocol = a->protocol;
    kind.http = http;
    kind.codec = "proto";
    kind.kind = a->kind;
    limits.receive_bytes = 100000;
    client_for(&p, &kind, &limits, &memory.allocator);
    start_call(&p, a->kind, &h, 0);
    pair_pump(&p);
    assert_int_equal(p.count, 1);
    down = &p.links[0].down.sent;
    if (http == CONNECT_HTTP_1)
        answer_http1(a, body, down);
    else
        answer_http2(a, body, down);
    pair_pump(&p);
    if (h.closed != 1 || h.code != a->code || h.messages != a->messages ||
        (a->says && strcmp(h.text.data ? h.text.data : "", a->says) != 0))
        fail_msg("protocol %d, HTTP/%d, mode %d, %s: on_closed %d times, %s and not %s, %d messages and not %d, \"%s\"",
            (int)a->protocol, (int)http, (int)mode, a->name, h.closed, connect_code_name(h.code),
            connect_code_name(a->code), h.messages, a->messages, h.text.data ? h.text.data : "");
    if (h.has_headers != (strstr(a->headers, "x-kept") != NULL))
        fail_msg("protocol %d, HTTP/%d, %s: the headers are lost", (int)a->protocol, (int)http, a->name);
    pair_free(&p);
    assert_int_equal(h.closed, 1);
    heard_free(&h);
    assert_int_equal(memory.live, 0);
    return memory.largest;
}
static void answer_try(const answer *a, connect_http_version_t http, pair_mode mode) {
    bytes body = {NULL, 0, 0};
    answer_body(a, &body);
    answer_run(a, &body, http, mode);
    bytes_free(&body);
}
static void test_answers(void **state) {
    size_t i;
    int mode;
    (void)state;
    for (i = 0; i < sizeof answers / sizeof *answers; i++) {
        for (mode = PAIR_WHOLE; mode <= PAIR_ODD; mode++) {
            if (answers[i].protocol != G) answer_try(&answers[i], CONNECT_HTTP_1, (pair_mode)mode);
            answer_try(&answers[i], CONNECT_HTTP_2, (pair_mode)mode);
        }
    }
}

/* Whatever is wrong with an answer: its headers are there, beside the error. */
static void test_headers_are_kept(void **state) {
    size_t i;
    (void)state;
    for (i = 0; i < sizeof answers / sizeof *answers; i++) {
        answer with = answers[i];
        char headers[300];
        snprintf(headers, sizeof headers, "%sx-kept: 1\n", with.headers);
        with.headers = headers;
        if (with.protocol != G) answer_try(&with, CONNECT_HTTP_1, PAIR_WHOLE);
        answer_try(&with, CONNECT_HTTP_2, PAIR_WHOLE);
    }
}

/* ---- Compressed answers ---- */

static void add_gzip(bytes *to, size_t text) { /* a Note with a text of so many bytes */
    size_t room = text + 1000, len = 1;
    unsigned char *plain = (unsigned char *)malloc(text + 16);
    char *packed = (char *)malloc(room);
    z_stream z;
    size_t left = text;
    memset(plain, 'x', text + 16);
    plain[0] = 0x0a;
    for (; left >= 128; left >>= 7)
        plain[len++] = (unsigned char)(left | 128);
    plain[len++] = (unsigned char)left;
    memset(&z, 0, sizeof z);
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = plain;
    z.avail_in = (uInt)(len + text);
    z.next_out = (Bytef *)packed;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    bytes_add(to, packed, z.total_out);
    deflateEnd(&z);
    free(plain);
    free(packed);
}
/* Bodies that are whole, with compressed messages that are not, or too large: never a success, and what is refused is
   not expanded. */
static void test_compressed_answers(void **state) {
    enum { GOOD, CUT, CHANGED, BOMB, SECOND, HOWS };
    static const char *const hows[] = {"whole", "cut", "changed", "over the limit", "second message"};
    static const answer kinds[] = {
        {"", C, CONNECT_UNARY, 200, PROTO "content-encoding: gzip\n", "", "", CONNECT_OK, 0, NULL},
        {"", C, CONNECT_CLIENT_STREAM, 200, STREAM "connect-content-encoding: gzip\n", "P02:{}", "", CONNECT_OK, 0,
            NULL},
        {"", G, CONNECT_UNARY, 200, GRPC "grpc-encoding: gzip\n", "", "grpc-status: 0\n", CONNECT_OK, 0, NULL},
        {"", W, CONNECT_UNARY, 200, WEB "grpc-encoding: gzip\n", "P80:grpc-status: 0\r\n", "", CONNECT_OK, 0, NULL},
    };
    static const connect_code_t codes[] = {
        CONNECT_OK, CONNECT_INTERNAL, CONNECT_INTERNAL, CONNECT_RESOURCE_EXHAUSTED, CONNECT_UNIMPLEMENTED};
    size_t i;
    int how, mode;
    (void)state;
    for (i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        for (how = GOOD; how < HOWS; how++) {
            bytes packed = {NULL, 0, 0}, body = {NULL, 0, 0};
            const size_t room = how == BOMB ? 200000 : 50000; /* receive_bytes is 100,000 */
            answer a = kinds[i];
            if (how == SECOND && i == 0) continue; /* a body is one message */
            a.name = hows[how];
            a.code = codes[how];
            a.messages = how == GOOD;
            add_gzip(&packed, how == BOMB ? 10000000 : 20);
            if (how == CUT) packed.len--;
            if (how == CHANGED) packed.data[packed.len - 6] ^= 0x10; /* its checksum */
            if (i == 0) {
                bytes_add(&body, packed.data, packed.len);
            } else {
                envelope_add(&body, 1, packed.data, packed.len);
                bytes_free(&packed);
                if (how == SECOND) {
                    add_gzip(&packed, 90000);
                    envelope_add(&body, 1, packed.data, packed.len);
                }
                answer_body(&a, &body);
            }
            for (mode = PAIR_WHOLE; mode <= PAIR_ODD; mode++) {
                if (a.protocol != G) assert_true(answer_run(&a, &body, CONNECT_HTTP_1, (pair_mode)mode) < room);
                assert_true(answer_run(&a, &body, CONNECT_HTTP_2, (pair_mode)mode) < room);
            }
            bytes_free(&packed);
            bytes_free(&body);
        }
    }
}

/* ---- Limits ---- */

/* Trailers of a server, in each form that they have: at limits.header_count they pass, one more is refused; and so of
   header_bytes, where they are one long field. */
static void test_trailer_limits(void **state) {
    static const answer forms[] = {
        {"END_STREAM", C, CONNECT_SERVER_STREAM, 200, STREAM, "", "", CONNECT_OK, 0, NULL},
        {"trailer frame", W, CONNECT_SERVER_STREAM, 200, WEB, "", "", CONNECT_OK, 0, NULL},
        {"HTTP/2 trailers", G, CONNECT_SERVER_STREAM, 200, GRPC, "M", "", CONNECT_OK, 1, NULL},
    };
    size_t i, fields;
    int is_long, over;
    (void)state;
    for (i = 0; i < 3; i++) {
        for (is_long = 0; is_long < 2; is_long++) {
            for (over = 0; over < 2; over++) {
                bytes list = {NULL, 0, 0}, body = {NULL, 0, 0};
                answer a = forms[i];
                char *value = (char *)calloc(1, 20000);
                size_t count = is_long ? 1 : (size_t)(i == 0 ? 128 : 127) + (size_t)over, size, used;
                /* 32 bytes for each field; of gRPC's, also its status */
                used = i == 0 ? 32 + 2 : 2 * 32 + 2 + sizeof "grpc-status" - 1 + 1;
                size = is_long ? 16384 - used + (size_t)over : 1;
                memset(value, 'v', size);
                for (fields = 0; fields < count; fields++) {
                    if (i == 0)
                        bytes_print(&list, "%s\"x%c\":[\"%s\"]", fields ? "," : "", (int)('a' + fields % 26), value);
                    else
                        bytes_print(&list, "x%c: %s%s", (int)('a' + fields % 26), value, i == 1 ? "\r\n" : "\n");
                }
                if (i == 0) {
                    bytes json = {NULL, 0, 0};
                    bytes_print(&json, "{\"metadata\":{%s}}", list.data);
                    envelope_add(&body, 2, json.data, json.len);
                    bytes_free(&json);
                } else if (i == 1) {
                    bytes_text(&list, "grpc-status: 0\r\n");
                    envelope_add(&body, 0x80, list.data, list.len);
                } else {
                    bytes_text(&list, "grpc-status: 0\n");
                    answer_body(&a, &body);
                    a.trailers = list.data;
                }
                if (over) a.code = CONNECT_RESOURCE_EXHAUSTED;
                if (i < 2) answer_run(&a, &body, CONNECT_HTTP_1, PAIR_WHOLE);
                answer_run(&a, &body, CONNECT_HTTP_2, PAIR_WHOLE);
                bytes_free(&list);
                bytes_free(&body);
                free(value);
            }
        }
    }
}

/* A peer that ends the call while the client still sends, and one that reads nothing: neither takes memory without end,
   nor lets the sender go on. */
static void test_send_to_deaf_peer(void **state) {
    static const pair_kind kinds[] = {{CONNECT_PROTOCOL_CONNECT, CONNECT_HTTP_1, "proto", CONNECT_CLIENT_STREAM},
        {CONNECT_PROTOCOL_CONNECT, CONNECT_HTTP_2, "proto", CONNECT_BIDI_STREAM},
        {CONNECT_PROTOCOL_GRPC, CONNECT_HTTP_2, "proto", CONNECT_BIDI_STREAM},
        {CONNECT_PROTOCOL_GRPC_WEB, CONNECT_HTTP_2, "proto", CONNECT_BIDI_STREAM}};
    char text[100];
    size_t i;
    int answers_error;
    (void)state;
    memset(text, 'x', sizeof text);
    for (i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        for (answers_error = 0; answers_error < 2; answers_error++) {
            connect_call_options_t options;
            failing_allocator memory;
            connect_call_t *call;
            connect_error_t error;
            connect_io_t io = CONNECT_IO_OK;
            answer refusal = {"", kinds[i].protocol, kinds[i].kind, 200, "", "", "", CONNECT_OK, 0, NULL};
            bytes body = {NULL, 0, 0};
            heard h;
            note n;
            pair p;
            int sent;
            memset(&options, 0, sizeof options);
            memset(&h, 0, sizeof h);
            memset(&n, 0, sizeof n);
            n.text.data = text;
            n.text.len = sizeof text;
            failing_init(&memory, SIZE_MAX, false);
            pair_init(&p);
            client_for(&p, &kinds[i], NULL, &memory.allocator);
            options.timeout_ms = 500;
            call = connect_client_start(p.client, &note_methods[kinds[i].kind], &heard_events, &h, &options, &error);
            assert_non_null(call);
            assert_int_equal(connect_call_send(call, &n), CONNECT_IO_OK);
            pair_pump(&p);
            if (answers_error) {
                refusal.headers = refusal.protocol == C ? STREAM : refusal.protocol == G ? GRPC : WEB;
                refusal.body = refusal.protocol == C ? "P02:{\"error\":{\"code\":\"aborted\"}}"
                    : refusal.protocol == G          ? ""
                                                     : "P80:grpc-status: 10\r\n";
                if (refusal.protocol == G) refusal.trailers = "grpc-status: 10\n";
                answer_body(&refusal, &body);
                (kinds[i].http == CONNECT_HTTP_1 ? answer_http1 : answer_http2)(&refusal, &body, &p.links[0].down.sent);
                pair_pump(&p);
                assert_int_equal(h.closed, 1);
                assert_int_equal(h.code, CONNECT_ABORTED);
            } else {
                for (sent = 0; sent < 100000 && io == CONNECT_IO_OK; sent++)
                    io = connect_call_send(call, &n);
                assert_int_equal(io, CONNECT_IO_AGAIN);
                assert_true(memory.largest < 400000);
                pair_advance(&p, 499);
                assert_int_equal(h.closed, 0);
                pair_advance(&p, 1);
                assert_int_equal(h.closed, 1);
                assert_int_equal(h.code, CONNECT_DEADLINE_EXCEEDED);
            }
            pair_free(&p);
            heard_free(&h);
            bytes_free(&body);
            assert_int_equal(memory.live, 0);
        }
    }
}

/* A length of 2^32-1, and one above the limit, are refused from the envelope's head; at the limit it passes. */
static void test_limits(void **state) {
    static const struct {
        uint32_t declared;
        connect_code_t code;
    } rows[] = {{1000, CONNECT_OK}, {1001, CONNECT_RESOURCE_EXHAUSTED}, {0x7FFFFFFFu, CONNECT_RESOURCE_EXHAUSTED},
        {0x80000000u, CONNECT_RESOURCE_EXHAUSTED}, {0xFFFFFFFFu, CONNECT_RESOURCE_EXHAUSTED}};
    size_t i;
    (void)state;
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        pair_kind kind = {CONNECT_PROTOCOL_CONNECT, CONNECT_HTTP_1, "proto", CONNECT_SERVER_STREAM};
        connect_limits_t limits;
        heard h;
        pair p;
        bytes *down;
        char head[5], message[1000];
        memset(&h, 0, sizeof h);
        memset(&limits, 0, sizeof limits);
        limits.receive_bytes = 1000;
        pair_init(&p);
        client_for(&p, &kind, &limits, NULL);
        start_call(&p, kind.kind, &h, 0);
        pair_pump(&p);
        down = &p.links[0].down.sent;
        bytes_text(down, "HTTP/1.1 200 OK\r\ncontent-type: application/connect+proto\r\n\r\n");
        cn_envelope_write(head, 0, rows[i].declared);
        bytes_add(down, head, 5);
        pair_pump(&p);
        if (rows[i].code == CONNECT_OK) {
            memset(message, 'x', sizeof message);
            memcpy(message, "\x0a\xe5\x07", 3); /* text of 997 bytes */
            bytes_add(down, message, sizeof message);
            envelope_add(down, 2, "{}", 2);
            p.links[0].down.sender_gone = true;
            pair_pump(&p);
        }
        assert_int_equal(h.closed, 1);
        assert_int_equal(h.code, rows[i].code);
        assert_int_equal(h.messages, rows[i].code == CONNECT_OK);
        pair_free(&p);
        heard_free(&h);
    }
}

/* ---- Life cycle ---- */

#define SERVER_STREAM_HEAD \
    "HTTP/1.1 200 OK\r\ncontent-type: application/connect+proto\r\ntransfer-encoding: chunked\r\n\r\n"
#define ONE_MESSAGE "8\r\n\0\0\0\0\3\x0a\1a\r\n"

static const pair_kind stream_kind = {CONNECT_PROTOCOL_CONNECT, CONNECT_HTTP_1, "proto", CONNECT_SERVER_STREAM};
static const pair_kind h2_kind = {CONNECT_PROTOCOL_GRPC, CONNECT_HTTP_2, "proto", CONNECT_BIDI_STREAM};

static void test_deadline(void **state) {
    pair_kind kind;
    size_t i = 0;
    (void)state;
    while (pair_next(&kind, &i)) {
        heard h;
        pair p;
        memset(&h, 0, sizeof h);
        pair_init(&p);
        client_for(&p, &kind, NULL, NULL);
        start_call(&p, kind.kind, &h, 500);
        pair_advance(&p, 499);
        assert_int_equal(h.closed, 0);
        pair_advance(&p, 1);
        assert_int_equal(h.closed, 1);
        assert_int_equal(h.code, CONNECT_DEADLINE_EXCEEDED);
        assert_int_equal(p.count, 1);
        if (kind.http == CONNECT_HTTP_2) { /* the server hears of it: the last frame is RST_STREAM, CANCEL */
            const bytes *up = &p.links[0].up.sent;
            assert_memory_equal(up->data + up->len - 13, "\0\0\4\3\0\0\0\0\1\0\0\0\10", 13);
            assert_non_null(p.links[0].client);
        } else {
            assert_null(p.links[0].client);
        }
        pair_free(&p);
        assert_int_equal(h.closed, 1);
        heard_free(&h);
    }
}

/* From another thread a call is cancelled by a post to its loop; its handler hears of it. */
typedef struct remote {
    connect_loop_t *loop;
    connect_call_t *call;
    connect_task_t task;
    int canceled;
} remote;
static void remote_canceled(connect_call_t *call, void *arg) {
    ((remote *)arg)->canceled++;
    connect_call_finish(call, CONNECT_CANCELED, NULL);
}
static connect_code_t remote_request(connect_call_t *call, const void *request, void *response, void *user) {
    (void)request;
    (void)response;
    connect_call_on_cancel(call, remote_canceled, user);
    return CONNECT_LATER;
}
static void remote_cancel(void *arg) {
    connect_call_finish(((remote *)arg)->call, CONNECT_CANCELED, NULL);
}
static void *remote_run(void *arg) {
    remote *r = (remote *)arg;
    const struct timespec pause = {0, 20000000};
    nanosleep(&pause, NULL);
    connect_loop_post(r->loop, &r->task, remote_cancel, r);
    return NULL;
}
static void test_cancel_from_thread(void **state) {
    static const connect_events_t events = {NULL, remote_request, NULL, NULL, NULL, NULL, NULL};
    connect_server_options_t serving = CONNECT_DEFAULTS;
    connect_client_options_t options = CONNECT_DEFAULTS;
    remote r = CONNECT_DEFAULTS;
    connect_error_t error;
    pthread_t thread;
    heard h;
    pair p;
    int turns;
    (void)state;
    memset(&h, 0, sizeof h);
    pair_init(&p);
    serving.loop = r.loop = connect_loop_new(NULL, &error);
    assert_non_null(r.loop);
    options.loopback = p.server = connect_server_new(&serving, &error);
    pair_serve(&p, &events, &r);
    options.protocol = CONNECT_PROTOCOL_GRPC;
    p.client = connect_client_new("http://memory", &options, &error);
    assert_non_null(p.client);
    r.call = start_call(&p, CONNECT_UNARY, &h, 0);
    assert_int_equal(pthread_create(&thread, NULL, remote_run, &r), 0);
    for (turns = 0; turns < 1000 && !(h.closed && r.canceled); turns++)
        connect_loop_run(r.loop, 1000);
    pthread_join(thread, NULL);
    assert_true(h.closed == 1 && h.code == CONNECT_CANCELED && !h.from_peer && h.messages == 0);
    assert_int_equal(r.canceled, 1);
    pair_free(&p);
    connect_loop_free(r.loop);
    assert_int_equal(h.closed, 1);
    heard_free(&h);
}

/* The peer resets at the deadline that we gave it, and its word comes before our own timer: it is the deadline all the
   same. A moment earlier it is what it says. */
static void test_reset_at_deadline(void **state) {
    static const char settings[] = "\0\0\0\4\0\0\0\0\0";
    static const char reset[] = "\0\0\4\3\0\0\0\0\1\0\0\0\10"; /* RST_STREAM of stream 1, CANCEL */
    int64_t late;
    (void)state;
    for (late = 0; late < 2; late++) {
        pair_kind kind = {CONNECT_PROTOCOL_GRPC, CONNECT_HTTP_2, "proto", CONNECT_UNARY};
        heard h;
        pair p;
        connect_conn_t *conn;
        memset(&h, 0, sizeof h);
        pair_init(&p);
        client_for(&p, &kind, NULL, NULL);
        start_call(&p, kind.kind, &h, 500);
        pair_pump(&p);
        assert_int_equal(p.count, 1);
        conn = p.links[0].client;
        connect_conn_feed(conn, settings, sizeof settings - 1, p.now);
        assert_int_equal(h.closed, 0);
        connect_conn_feed(conn, reset, sizeof reset - 1, p.now + 499 + late);
        connect_conn_feed(conn, NULL, 0, p.now + 499 + late);
        assert_int_equal(h.closed, 1);
        assert_int_equal(h.code, late ? CONNECT_DEADLINE_EXCEEDED : CONNECT_CANCELED);
        pair_free(&p);
        heard_free(&h);
    }
}

/* The transport never opens: it is closed, or nothing happens. */
static void test_never_opened(void **state) {
    heard h;
    pair p;
    connect_error_t error;
    (void)state;
    memset(&h, 0, sizeof h);
    pair_init(&p);
    client_for(&p, &stream_kind, NULL, NULL);
    start_call(&p, CONNECT_UNARY, &h, 0);
    assert_int_equal(p.dials, 1);
    pair_close(&p);
    assert_int_equal(h.closed, 1);
    assert_int_equal(h.code, CONNECT_UNAVAILABLE);
    pair_free(&p);
    heard_free(&h);

    memset(&h, 0, sizeof h);
    pair_init(&p);
    p.dial_code = CONNECT_UNAVAILABLE;
    client_for(&p, &stream_kind, NULL, NULL);
    assert_null(connect_client_start(p.client, &note_methods[0], &heard_events, &h, NULL, &error));
    assert_int_equal(error.code, CONNECT_UNAVAILABLE);
    assert_int_equal(p.dials, 1);
    assert_int_equal(h.closed, 0);
    /* and it can be tried again */
    p.dial_code = CONNECT_OK;
    start_call(&p, CONNECT_UNARY, &h, 0);
    pair_pump(&p);
    assert_int_equal(h.closed, 0);
    /* while that one is busy, a second connection cannot be had: the call waits, and nothing spins */
    p.dial_code = CONNECT_UNAVAILABLE;
    assert_non_null(connect_client_start(p.client, &note_methods[0], &heard_events, &h, NULL, &error));
    pair_pump(&p);
    assert_true(p.dials < 10);
    pair_free(&p);
    assert_int_equal(h.closed, 2);
    heard_free(&h);
}

/* Freed with calls in every state: on_closed once, CANCELED. */
static void test_free_with_calls(void **state) {
    size_t order;
    (void)state;
    for (order = 0; order < 3; order++) {
        const pair_kind *kinds[2];
        size_t k;
        kinds[0] = &stream_kind;
        kinds[1] = &h2_kind;
        for (k = 0; k < 2; k++) {
            failing_allocator memory;
            heard h;
            pair p;
            int i;
            failing_init(&memory, SIZE_MAX, false);
            memset(&h, 0, sizeof h);
            pair_init(&p);
            client_for(&p, kinds[k], NULL, &memory.allocator);
            for (i = 0; i < 12; i++) {
                start_call(&p, (connect_method_kind_t)(i % 4), &h, 0);
                if (i == 5 && order) pair_pump(&p);
            }
            if (order == 2) pair_close(&p);
            connect_client_free(p.client);
            assert_int_equal(h.closed, 12);
            if (order < 2) assert_int_equal(h.code, CONNECT_CANCELED);
            p.client = NULL;
            pair_free(&p);
            assert_int_equal(h.closed, 12);
            heard_free(&h);
            assert_int_equal(memory.live, 0);
        }
    }
}

/* The client is freed inside each of its callbacks. */
static void test_free_in_callbacks(void **state) {
    size_t where;
    (void)state;
    for (where = 0; where < 3; where++) {
        failing_allocator memory;
        heard h;
        pair p;
        failing_init(&memory, SIZE_MAX, false);
        memset(&h, 0, sizeof h);
        pair_init(&p);
        client_for(&p, &stream_kind, NULL, &memory.allocator);
        h.free_in[where] = p.client;
        start_call(&p, CONNECT_SERVER_STREAM, &h, 0);
        pair_pump(&p);
        bytes_text(&p.links[0].down.sent, SERVER_STREAM_HEAD);
        bytes_add(&p.links[0].down.sent, ONE_MESSAGE ONE_MESSAGE "7\r\n\2\0\0\0\2{}\r\n0\r\n\r\n",
            2 * (sizeof ONE_MESSAGE - 1) + 17);
        pair_pump(&p);
        p.client = NULL;
        assert_int_equal(h.closed, 1);
        assert_int_equal(h.code, where < 2 ? CONNECT_CANCELED : CONNECT_OK);
        pair_free(&p);
        assert_int_equal(h.closed, 1);
        heard_free(&h);
        assert_int_equal(memory.live, 0);
    }
}

/* on_open ends the call: no on_closed. on_message that wants no more: the outcome is still told. Cancelled there:
   CANCELED, once. */
static void test_ended_by_callbacks(void **state) {
    int what;
    (void)state;
    for (what = 0; what < 4; what++) {
        failing_allocator memory;
        heard h;
        pair p;
        failing_init(&memory, SIZE_MAX, false);
        memset(&h, 0, sizeof h);
        pair_init(&p);
        client_for(&p, &stream_kind, NULL, &memory.allocator);
        if (what == 0) h.open_code = CONNECT_ABORTED;
        if (what == 1) h.message_io = CONNECT_IO_END;
        if (what == 2) h.finish_in_message = true;
        if (what == 3) h.message_io = CONNECT_IO_AGAIN;
        start_call(&p, CONNECT_SERVER_STREAM, &h, 0);
        pair_pump(&p);
        bytes_text(&p.links[0].down.sent, SERVER_STREAM_HEAD);
        bytes_add(&p.links[0].down.sent, ONE_MESSAGE ONE_MESSAGE "7\r\n\2\0\0\0\2{}\r\n0\r\n\r\n",
            2 * (sizeof ONE_MESSAGE - 1) + 17);
        pair_pump(&p);
        assert_int_equal(h.opened, 1);
        assert_int_equal(h.closed, what == 0 || what == 3 ? 0 : 1);
        if (what == 1) assert_int_equal(h.code, CONNECT_OK);
        if (what == 2) assert_int_equal(h.code, CONNECT_CANCELED);
        assert_int_equal(h.messages, what == 0 ? 0 : 1);
        if (what == 3) { /* the message comes again */
            h.message_io = CONNECT_IO_OK;
            connect_call_resume(h.call);
            assert_int_equal(h.messages, 1);
            pair_pump(&p);
            assert_int_equal(h.messages, 3);
            assert_int_equal(h.closed, 1);
            assert_int_equal(h.code, CONNECT_OK);
            assert_string_equal(h.text.data, "a;a;a;");
        }
        pair_free(&p);
        heard_free(&h);
        assert_int_equal(memory.live, 0);
    }
}

static void test_calls_without_events(void **state) {
    failing_allocator memory;
    pair p;
    int i;
    (void)state;
    failing_init(&memory, SIZE_MAX, false);
    for (i = 0; i < 4; i++) {
        connect_call_t *call;
        note n;
        memset(&n, 0, sizeof n);
        pair_init(&p);
        client_for(&p, &h2_kind, NULL, &memory.allocator);
        call = connect_client_start(p.client, &note_methods[i], NULL, NULL, NULL, NULL);
        assert_non_null(call);
        connect_call_finish(call, CONNECT_OK, &n);
        if (i % 2) pair_pump(&p);
        if (i < 2) { /* the client goes first, or the call does */
            pair_free(&p);
            connect_call_free(call);
        } else {
            connect_call_free(call);
            pair_pump(&p);
            pair_free(&p);
        }
        assert_int_equal(memory.live, 0);
    }
}

static void test_reserved_headers(void **state) {
    static const char *const refused[] = {"content-type", "content-length", "Content-Encoding", "TE", "host",
        "connect-timeout-ms", "grpc-timeout", "connection", "transfer-encoding", "trailer-x", "accept-encoding", "a b",
        "", "x:"};
    const size_t reserved = 11; /* of these a call's options may have: they are left out, as a proxy hands them on */
    pair p;
    heard h;
    connect_call_t *call, *other;
    size_t i;
    (void)state;
    memset(&h, 0, sizeof h);
    pair_init(&p);
    client_for(&p, &stream_kind, NULL, NULL);
    call = connect_client_start(p.client, &note_methods[0], &heard_events, &h, NULL, NULL);
    assert_non_null(call);
    for (i = 0; i < sizeof refused / sizeof *refused; i++) {
        connect_call_options_t options;
        connect_header_t header;
        connect_error_t error;
        if (connect_call_set_header(call, refused[i], connect_str_of("x"))) fail_msg("\"%s\" was taken", refused[i]);
        memset(&options, 0, sizeof options);
        header.name = refused[i];
        header.value = connect_str_of("x");
        options.headers.items = &header;
        options.headers.count = 1;
        other = connect_client_start(p.client, &note_methods[0], &heard_events, &h, &options, &error);
        if (i < reserved) {
            assert_non_null(other);
            assert_int_equal(other->rpc.headers.count, 0);
        } else {
            assert_null(other);
            assert_int_equal(error.code, CONNECT_INVALID_ARGUMENT);
        }
    }
    assert_false(connect_call_set_header(call, "x-a", connect_str_of("a\r\nx: y")));
    assert_false(connect_call_set_header(call, "x-a-bin", connect_str_of("***")));
    assert_false(connect_call_set_trailer(call, "x-a", connect_str_of("a")));
    assert_true(connect_call_set_header(call, "x-a", connect_str_of("a")));
    assert_true(connect_call_set_header(call, "user-agent", connect_str_of("mine")));
    pair_free(&p);
    heard_free(&h);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers), cmocka_unit_test(test_headers_are_kept),
        cmocka_unit_test(test_compressed_answers), cmocka_unit_test(test_trailer_limits),
        cmocka_unit_test(test_send_to_deaf_peer), cmocka_unit_test(test_limits), cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_cancel_from_thread), cmocka_unit_test(test_reset_at_deadline),
        cmocka_unit_test(test_never_opened), cmocka_unit_test(test_free_with_calls),
        cmocka_unit_test(test_free_in_callbacks), cmocka_unit_test(test_ended_by_callbacks),
        cmocka_unit_test(test_calls_without_events), cmocka_unit_test(test_reserved_headers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
