#pragma once
#include "base/sys.h"
#include "base/buf.h"

/* Appends a message in protobuf binary to a queue. arena: for the error's text. options, error: may be NULL. On failure
   the queue is as it was. */
CN_PRIVATE bool cn_pb_encode(const connect_type_t *type, const void *message, cn_buf_t *out,
    const connect_allocator_t *allocator, const connect_codec_options_t *options, connect_arena_t *arena,
    connect_error_t *error);
/* As connect_message_decode, for input with CN_SLACK readable bytes behind it. */
CN_PRIVATE bool cn_pb_decode(const connect_type_t *type, void *message, connect_str_t bytes, connect_arena_t *arena,
    const connect_codec_options_t *options, connect_error_t *error);
