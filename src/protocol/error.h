#pragma once
#include "base/sys.h"
#include "base/buf.h"

/* Connect: the error object, and the END_STREAM object of it and of metadata (which the wire's trailers are). error
   with code OK: none. Return false: out of memory. */
CN_PRIVATE bool cn_error_write_json(
    cn_buf_t *out, const connect_allocator_t *allocator, connect_arena_t *arena, const connect_error_t *error);
CN_PRIVATE bool cn_error_write_end_stream(cn_buf_t *out, const connect_allocator_t *allocator, connect_arena_t *arena,
    const connect_error_t *error, connect_headers_t trailers);
/* Reads an error object. Returns false: it is no such object. A code that is missing or unknown: error->code is
   `otherwise`. All texts: in the arena. The text has CN_SLACK readable bytes behind it. */
CN_PRIVATE bool cn_error_read_json(
    connect_error_t *error, connect_str_t json, connect_code_t otherwise, connect_arena_t *arena);
/* Reads an END_STREAM object: the error (code OK: none), and the metadata. Returns false, and the error says why:
   malformed, over the limits, or out of memory. */
CN_PRIVATE bool cn_error_read_end_stream(connect_error_t *error, connect_headers_t *trailers, connect_str_t json,
    const connect_limits_t *limits, connect_arena_t *arena);
/* gRPC: grpc-status-details-bin, a google.rpc.Status in unpadded base64; the absent view: out of memory. */
CN_PRIVATE connect_str_t cn_error_write_details_bin(connect_arena_t *arena, const connect_error_t *error);
/* Reads it: code, message and details. Returns false: malformed, or out of memory. */
CN_PRIVATE bool cn_error_read_details_bin(connect_error_t *error, connect_str_t value, connect_arena_t *arena);
/* Copies an error into the arena: message, details, metadata. Returns false: out of memory. */
CN_PRIVATE bool cn_error_copy(connect_error_t *to, const connect_error_t *from, connect_arena_t *arena);
/* Adds a detail. Returns false: out of memory. */
CN_PRIVATE bool cn_error_add_detail(
    connect_error_t *error, connect_arena_t *arena, connect_str_t type, connect_str_t value);
