#pragma once
#include "base/sys.h"
#include "base/buf.h"

#if CONNECT_ENABLE_JSON
/* Appends a message as JSON to a queue. arena: for the error's text. options, error: may be NULL. On failure the queue
   is as it was. */
CN_PRIVATE bool cn_pbjson_encode(const connect_type_t *type, const void *message, cn_buf_t *out,
    const connect_allocator_t *allocator, const connect_codec_options_t *options, connect_arena_t *arena,
    connect_error_t *error);
/* As connect_message_decode_json. Nothing behind the text is read. */
CN_PRIVATE bool cn_pbjson_decode(const connect_type_t *type, void *message, connect_str_t json, connect_arena_t *arena,
    const connect_codec_options_t *options, connect_error_t *error);
#endif
