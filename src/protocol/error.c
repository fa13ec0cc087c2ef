#include "protocol/error.h"
#include "base/base64.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/utf8.h"
#include "codec/json.h"
#include "codec/pb.h"
#include "http/header.h"
#include "protocol/code.h"

/* An RPC error in its forms on the wire.

   Connect (Connect "Error end-stream", "Unary error"): {"code":"not_found","message":"...","details":[{"type":
   "acme.Fault","value":"<unpadded base64>"}]}; a stream ends with {"error":{...},"metadata":{"name":["value"]}}.
   Unknown members are ignored at every level and never written. "error": null is no error. A code that is missing,
   null or unknown is told by the caller; one that is not a string makes the object malformed. "debug" is neither
   written nor read.

   gRPC: grpc-status and grpc-message (percent-encoded; by the callers), and grpc-status-details-bin, a
   google.rpc.Status {int32 code = 1; string message = 2; repeated google.protobuf.Any details = 3} in binary,
   whatever the codec is, where Any is {string type_url = 1; bytes value = 2}. In Connect the type's name stands
   alone, in Any behind "type.googleapis.com/". */

#define CN_ERROR_JSON_DEPTH 100u

static connect_str_t cn_error_printable(connect_arena_t *arena, connect_str_t message) {
    return cn_utf8_valid(message) ? message : cn_str_quote(arena, message);
}

static void cn_error_write_object(cn_json_writer_t *writer, connect_arena_t *arena, const connect_error_t *error) {
    size_t i;
    cn_json_object_begin(writer);
    cn_json_name(writer, CN_STR("code"));
    cn_json_string(writer, connect_str_of(connect_code_name(cn_code_of_error(error->code))));
    if (error->message.len) {
        cn_json_name(writer, CN_STR("message"));
        cn_json_string(writer, cn_error_printable(arena, error->message));
    }
    if (error->details.count) {
        cn_json_name(writer, CN_STR("details"));
        cn_json_array_begin(writer);
        for (i = 0; i < error->details.count; i++) {
            cn_json_object_begin(writer);
            cn_json_name(writer, CN_STR("type"));
            cn_json_string(writer, error->details.items[i].type);
            cn_json_name(writer, CN_STR("value"));
            cn_json_base64(writer, error->details.items[i].value, false);
            cn_json_object_end(writer);
        }
        cn_json_array_end(writer);
    }
    cn_json_object_end(writer);
}

CN_PRIVATE bool cn_error_write_json(
    cn_buf_t *out, const connect_allocator_t *allocator, connect_arena_t *arena, const connect_error_t *error) {
    cn_json_writer_t writer;
    cn_json_write(&writer, out, allocator, false);
    cn_error_write_object(&writer, arena, error);
    return !writer.failed;
}

/* Tells whether this name stands in the list before place `at`: then its values were written there. */
static bool cn_error_named_before(connect_headers_t headers, size_t at) {
    size_t i;
    for (i = 0; i < at; i++)
        if (strcmp(headers.items[i].name, headers.items[at].name) == 0) return true;
    return false;
}

CN_PRIVATE bool cn_error_write_end_stream(cn_buf_t *out, const connect_allocator_t *allocator, connect_arena_t *arena,
    const connect_error_t *error, connect_headers_t trailers) {
    cn_json_writer_t writer;
    size_t i, k;
    cn_json_write(&writer, out, allocator, false);
    cn_json_object_begin(&writer);
    if (error->code != CONNECT_OK) {
        cn_json_name(&writer, CN_STR("error"));
        cn_error_write_object(&writer, arena, error);
    }
    if (trailers.count) {
        cn_json_name(&writer, CN_STR("metadata"));
        cn_json_object_begin(&writer);
        for (i = 0; i < trailers.count; i++) {
            if (cn_error_named_before(trailers, i)) continue;
            cn_json_name(&writer, connect_str_of(trailers.items[i].name));
            cn_json_array_begin(&writer);
            for (k = i; k < trailers.count; k++)
                if (strcmp(trailers.items[k].name, trailers.items[i].name) == 0)
                    cn_json_string(&writer, cn_error_printable(arena, trailers.items[k].value));
            cn_json_array_end(&writer);
        }
        cn_json_object_end(&writer);
    }
    cn_json_object_end(&writer);
    return !writer.failed;
}

CN_PRIVATE bool cn_error_add_detail(
    connect_error_t *error, connect_arena_t *arena, connect_str_t type, connect_str_t value) {
    size_t count = error->details.count;
    connect_error_detail_t detail, *items;
    detail.type = connect_arena_copy(arena, type);
    detail.value = connect_arena_copy(arena, value);
    if (!detail.type.data || !detail.value.data) return false;
    if ((count & (count - 1)) == 0) { /* a full list has a power of two of them, or none */
        items = CONNECT_NEW(arena, connect_error_detail_t, CN_MAX(count * 2, (size_t)1));
        if (!items) return false;
        if (count) memcpy(items, error->details.items, count * sizeof *items);
        error->details.items = items;
    }
    /* the list was made above, by an earlier call: only the view of it is const */
    memcpy(&items, &error->details.items, sizeof items);
    items[count] = detail;
    error->details.count = count + 1;
    return true;
}

/* ---- Reading JSON: `token` is the value's first token; false: malformed ---- */

static connect_str_t cn_error_type_name(connect_str_t type) {
    size_t i = type.len;
    while (i && type.data[i - 1] != '/')
        i--;
    return cn_str(type.data + i, type.len - i);
}

static bool cn_error_read_detail(connect_error_t *error, cn_json_reader_t *reader, connect_arena_t *arena) {
    connect_str_t type = {NULL, 0}, value = {NULL, 0};
    cn_json_token_t token;
    while ((token = cn_json_next(reader)) == CN_JSON_NAME) {
        connect_str_t name = reader->text;
        token = cn_json_next(reader);
        if (connect_str_equal(name, CN_STR("type")) && token == CN_JSON_STRING)
            type = cn_error_type_name(reader->text);
        else if (connect_str_equal(name, CN_STR("value")) && token == CN_JSON_STRING)
            value = connect_base64_decode(reader->text, arena);
        else if (!cn_json_skip(reader, token))
            return false;
    }
    if (token != CN_JSON_OBJECT_END) return false;
    if (!value.data && arena->failed) return false; /* no room is no reason to lose a detail */
    return !type.data || !value.data || cn_error_add_detail(error, arena, type, value);
}

static bool cn_error_read_object(
    connect_error_t *error, cn_json_reader_t *reader, connect_code_t otherwise, connect_arena_t *arena) {
    cn_json_token_t token;
    error->code = otherwise;
    error->message = CN_STR("");
    error->from_peer = true;
    while ((token = cn_json_next(reader)) == CN_JSON_NAME) {
        connect_str_t name = reader->text;
        token = cn_json_next(reader);
        if (connect_str_equal(name, CN_STR("code")) && token != CN_JSON_NULL) {
            if (token != CN_JSON_STRING) return false;
            if (!cn_code_from_name(reader->text, &error->code)) error->code = otherwise;
        } else if (connect_str_equal(name, CN_STR("message")) && token == CN_JSON_STRING) {
            error->message = connect_arena_copy(arena, reader->text);
            if (!error->message.data) return false;
        } else if (connect_str_equal(name, CN_STR("details")) && token == CN_JSON_ARRAY_BEGIN) {
            while ((token = cn_json_next(reader)) == CN_JSON_OBJECT_BEGIN)
                if (!cn_error_read_detail(error, reader, arena)) return false;
            if (token != CN_JSON_ARRAY_END) return false;
        } else if (!cn_json_skip(reader, token)) {
            return false;
        }
    }
    return token == CN_JSON_OBJECT_END;
}

CN_PRIVATE bool cn_error_read_json(
    connect_error_t *error, connect_str_t json, connect_code_t otherwise, connect_arena_t *arena) {
    cn_json_reader_t reader;
    memset(error, 0, sizeof *error);
    cn_json_read(&reader, json, arena, CN_ERROR_JSON_DEPTH);
    return cn_json_next(&reader) == CN_JSON_OBJECT_BEGIN && cn_error_read_object(error, &reader, otherwise, arena) &&
        cn_json_next(&reader) == CN_JSON_END;
}

static bool cn_error_read_metadata(cn_headers_t *trailers, cn_json_reader_t *reader, const connect_limits_t *limits,
    connect_arena_t *arena, cn_headers_result_t *result) {
    cn_json_token_t token;
    while ((token = cn_json_next(reader)) == CN_JSON_NAME) {
        connect_str_t name = reader->text;
        token = cn_json_next(reader);
        if (token != CN_JSON_ARRAY_BEGIN || !cn_header_name_valid(name)) {
            if (!cn_json_skip(reader, token)) return false;
            continue;
        }
        while ((token = cn_json_next(reader)) == CN_JSON_STRING)
            if (!cn_header_value_valid(reader->text) ||
                (*result = cn_headers_receive(trailers, arena, limits, name, reader->text)) != CN_HEADERS_OK)
                return false;
        if (token != CN_JSON_ARRAY_END) return false;
    }
    return token == CN_JSON_OBJECT_END;
}

static bool cn_error_read_end_stream_object(connect_error_t *error, connect_headers_t *trailers, connect_str_t json,
    const connect_limits_t *limits, connect_arena_t *arena, cn_headers_result_t *result) {
    cn_json_reader_t reader;
    cn_headers_t metadata;
    cn_json_token_t token;
    memset(error, 0, sizeof *error);
    memset(&metadata, 0, sizeof metadata);
    cn_json_read(&reader, json, arena, CN_ERROR_JSON_DEPTH);
    if (cn_json_next(&reader) != CN_JSON_OBJECT_BEGIN) return false;
    while ((token = cn_json_next(&reader)) == CN_JSON_NAME) {
        connect_str_t name = reader.text;
        token = cn_json_next(&reader);
        if (connect_str_equal(name, CN_STR("error")) && token != CN_JSON_NULL) {
            if (token != CN_JSON_OBJECT_BEGIN || !cn_error_read_object(error, &reader, CONNECT_UNKNOWN, arena))
                return false;
        } else if (connect_str_equal(name, CN_STR("metadata")) && token == CN_JSON_OBJECT_BEGIN) {
            if (!cn_error_read_metadata(&metadata, &reader, limits, arena, result)) return false;
        } else if (!cn_json_skip(&reader, token)) {
            return false;
        }
    }
    *trailers = cn_headers_view(&metadata);
    return token == CN_JSON_OBJECT_END && cn_json_next(&reader) == CN_JSON_END;
}

CN_PRIVATE bool cn_error_read_end_stream(connect_error_t *error, connect_headers_t *trailers, connect_str_t json,
    const connect_limits_t *limits, connect_arena_t *arena) {
    cn_headers_result_t result = CN_HEADERS_OK;
    if (cn_error_read_end_stream_object(error, trailers, json, limits, arena, &result)) return true;
    memset(error, 0, sizeof *error);
    if (result == CN_HEADERS_TOO_LARGE)
        return cn_error_set(error, CONNECT_RESOURCE_EXHAUSTED,
            "the trailers of the response are over limits.header_bytes or limits.header_count");
    return arena->failed
        ? cn_error_memory(error)
        : cn_error_set(error, CONNECT_INTERNAL, "the END_STREAM message of the response is malformed");
}

/* ---- google.rpc.Status ---- */

CN_PRIVATE connect_str_t cn_error_write_details_bin(connect_arena_t *arena, const connect_error_t *error) {
    connect_writer_t status, any;
    connect_str_t message = cn_error_printable(arena, error->message), url;
    int32_t code = (int32_t)cn_code_of_error(error->code);
    size_t i;
    memset(&status, 0, sizeof status);
    status.arena = arena;
    connect_writer_put(&status, 1, CONNECT_KIND_INT32, &code);
    connect_writer_put(&status, 2, CONNECT_KIND_STRING, &message);
    for (i = 0; i < error->details.count; i++) {
        const connect_error_detail_t *detail = &error->details.items[i];
        memset(&any, 0, sizeof any);
        any.arena = arena;
        url = connect_arena_printf(arena, "type.googleapis.com/" CONNECT_STR_FMT, CONNECT_STR_ARG(detail->type));
        connect_writer_put(&any, 1, CONNECT_KIND_STRING, &url);
        connect_writer_put(&any, 2, CONNECT_KIND_BYTES, &detail->value);
        if (!url.data || any.failed) return cn_str(NULL, 0);
        connect_writer_put(&status, 3, CONNECT_KIND_MESSAGE, &any.written);
    }
    return status.failed ? cn_str(NULL, 0) : connect_base64_encode(status.written, arena);
}

static bool cn_error_read_any(connect_error_t *error, connect_str_t bytes, connect_arena_t *arena) {
    connect_reader_t reader = CONNECT_DEFAULTS;
    connect_record_t record;
    connect_str_t url = {"", 0}, value = {"", 0};
    bool ok = true;
    reader.rest = bytes;
    while (ok && connect_reader_next(&reader, &record)) {
        if (record.number == 1) ok = connect_record_get(&record, CONNECT_KIND_STRING, &url);
        if (record.number == 2) ok = connect_record_get(&record, CONNECT_KIND_BYTES, &value);
    }
    return ok && !reader.failed && cn_error_add_detail(error, arena, cn_error_type_name(url), value);
}

CN_PRIVATE bool cn_error_read_details_bin(connect_error_t *error, connect_str_t value, connect_arena_t *arena) {
    connect_reader_t reader = CONNECT_DEFAULTS;
    connect_record_t record;
    connect_str_t any;
    int32_t code = 0;
    bool ok = true;
    memset(error, 0, sizeof *error);
    error->message = CN_STR("");
    error->from_peer = true;
    reader.rest = connect_base64_decode(cn_str_trim(value), arena);
    if (!reader.rest.data) return false;
    while (ok && connect_reader_next(&reader, &record)) {
        if (record.number == 1) ok = connect_record_get(&record, CONNECT_KIND_INT32, &code);
        if (record.number == 2) {
            ok = connect_record_get(&record, CONNECT_KIND_STRING, &error->message);
            if (ok) error->message = connect_arena_copy(arena, error->message);
            ok = ok && error->message.data;
        }
        if (record.number == 3)
            ok = connect_record_get(&record, CONNECT_KIND_MESSAGE, &any) && cn_error_read_any(error, any, arena);
    }
    error->code = (connect_code_t)code;
    return ok && !reader.failed;
}

CN_PRIVATE bool cn_error_copy(connect_error_t *to, const connect_error_t *from, connect_arena_t *arena) {
    connect_header_t *headers = CONNECT_NEW(arena, connect_header_t, from->metadata.count + 1);
    size_t i;
    bool ok = headers != NULL;
    *to = *from;
    to->message = connect_arena_copy(arena, from->message);
    ok = ok && to->message.data;
    to->details.items = NULL;
    to->details.count = 0;
    for (i = 0; ok && i < from->details.count; i++)
        ok = cn_error_add_detail(to, arena, from->details.items[i].type, from->details.items[i].value);
    for (i = 0; ok && i < from->metadata.count; i++) {
        headers[i].name = connect_arena_copy(arena, connect_str_of(from->metadata.items[i].name)).data;
        headers[i].value = connect_arena_copy(arena, from->metadata.items[i].value);
        ok = headers[i].name && headers[i].value.data;
    }
    to->metadata.items = headers;
    to->metadata.count = ok ? from->metadata.count : 0;
    if (!to->message.data) to->message = CN_STR("out of memory");
    return ok;
}

bool connect_error_find(
    const connect_error_t *error, const connect_type_t *type, void *message, connect_arena_t *arena) {
    size_t i;
    for (i = 0; i < error->details.count; i++)
        if (connect_str_equal(error->details.items[i].type, connect_str_of(type->full_name)))
            return connect_message_decode(type, message, error->details.items[i].value, arena, NULL, NULL);
    return false;
}
