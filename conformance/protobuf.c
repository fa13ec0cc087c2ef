/* The testee of protobuf's conformance suite: reads requests from standard input, answers on standard output, each in
   a frame of 4 bytes of length (little endian) and a message. `make conformance-protobuf` runs it. */
#define CONNECT_IMPLEMENTATION
#define CONNECT_ENABLE_CLIENT 0
#define CONNECT_ENABLE_SERVER 0
#include "connect.h"

#include "conformance/conformance.connect.h"
#include "google/protobuf/test_messages_edition2023.connect.h"
#include "google/protobuf/test_messages_proto2.connect.h"
#include "google/protobuf/test_messages_proto2_editions.connect.h"
#include "google/protobuf/test_messages_proto3.connect.h"
#include "google/protobuf/test_messages_proto3_editions.connect.h"

#include <stdio.h>

static const connect_file_t *const files[] = {&protobuf_test_messages_proto2_test_messages_proto2_file,
    &protobuf_test_messages_proto3_test_messages_proto3_file,
    &protobuf_test_messages_editions_proto2_test_messages_proto2_editions_file,
    &protobuf_test_messages_editions_proto3_test_messages_proto3_editions_file,
    &protobuf_test_messages_editions_test_messages_edition2023_file, &google_protobuf_any_file,
    &google_protobuf_duration_file, &google_protobuf_field_mask_file, &google_protobuf_struct_file,
    &google_protobuf_timestamp_file, &google_protobuf_wrappers_file, &conformance_conformance_file};
static const connect_schema_t schema = {files, sizeof files / sizeof *files};

typedef conformance_ConformanceRequest request_t;
typedef conformance_ConformanceResponse response_t;

static void answer_skipped(response_t *response, const char *why) {
    response->result_case = conformance_ConformanceResponse_result_skipped;
    response->result.skipped = connect_str_of(why);
}

static void answer(const request_t *request, response_t *response, connect_arena_t *arena) {
    const connect_type_t *type;
    connect_codec_options_t options = CONNECT_DEFAULTS;
    connect_error_t error = CONNECT_DEFAULTS;
    void *message;
    bool ok;
    if (request->payload_case != conformance_ConformanceRequest_payload_protobuf_payload &&
        request->payload_case != conformance_ConformanceRequest_payload_json_payload) {
        answer_skipped(response, "this format is not read");
        return;
    }
    if (request->requested_output_format != conformance_PROTOBUF &&
        request->requested_output_format != conformance_JSON) {
        answer_skipped(response, "this format is not written");
        return;
    }
    type = connect_schema_type(schema, connect_arena_copy(arena, request->message_type).data);
    message = type ? connect_arena_take(arena, 1, type->size) : NULL;
    if (!message) {
        response->result_case = conformance_ConformanceResponse_result_runtime_error;
        response->result.runtime_error = connect_str_of("no such type, or no memory");
        return;
    }
    options.schema = schema;
    options.json_strict = request->test_category != conformance_JSON_IGNORE_UNKNOWN_PARSING_TEST;
    if (request->payload_case == conformance_ConformanceRequest_payload_protobuf_payload)
        ok = connect_message_decode(type, message, request->payload.protobuf_payload, arena, &options, &error);
    else
        ok = connect_message_decode_json(type, message, request->payload.json_payload, arena, &options, &error);
    if (!ok) {
        response->result_case = conformance_ConformanceResponse_result_parse_error;
        response->result.parse_error = error.message;
        return;
    }
    if (request->requested_output_format == conformance_PROTOBUF) {
        response->result_case = conformance_ConformanceResponse_result_protobuf_payload;
        response->result.protobuf_payload = connect_message_encode(type, message, arena, &options, &error);
        ok = response->result.protobuf_payload.data != NULL;
    } else {
        response->result_case = conformance_ConformanceResponse_result_json_payload;
        response->result.json_payload = connect_message_encode_json(type, message, arena, &options, &error);
        ok = response->result.json_payload.data != NULL;
    }
    if (ok) return;
    response->result_case = conformance_ConformanceResponse_result_serialize_error;
    response->result.serialize_error = error.message;
}

static bool read_all(unsigned char *to, size_t len) {
    return fread(to, 1, len, stdin) == len;
}

/* Returns false at the end of the input, or when it cannot go on. */
static bool serve_one(connect_arena_t *arena) {
    request_t request;
    response_t response;
    connect_str_t bytes;
    unsigned char head[4], *body;
    size_t i;
    if (!read_all(head, sizeof head)) return false;
    bytes.len = (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
    body = CONNECT_NEW(arena, unsigned char, bytes.len + 1);
    if (!body || !read_all(body, bytes.len)) return false;
    bytes.data = (const char *)body;
    connect_message_init(&conformance_ConformanceResponse_type, &response);
    if (!connect_message_decode(&conformance_ConformanceRequest_type, &request, bytes, arena, NULL, NULL)) return false;
    if (connect_str_equal(request.message_type, connect_str_of("conformance.FailureSet"))) {
        response.result_case = conformance_ConformanceResponse_result_protobuf_payload; /* no failure is expected */
        response.result.protobuf_payload = connect_str_of("");
    } else {
        answer(&request, &response, arena);
    }
    bytes = connect_message_encode(&conformance_ConformanceResponse_type, &response, arena, NULL, NULL);
    if (!bytes.data) return false;
    for (i = 0; i < sizeof head; i++)
        head[i] = (unsigned char)(bytes.len >> (8 * i) & 0xFF);
    return fwrite(head, 1, sizeof head, stdout) == sizeof head &&
        fwrite(bytes.data, 1, bytes.len, stdout) == bytes.len && fflush(stdout) == 0;
}

int main(void) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    while (serve_one(&arena))
        connect_arena_reset(&arena);
    connect_arena_free(&arena);
    return feof(stdin) ? 0 : 1;
}
