#pragma once
#include "gen/model.h"

/* Reads a google.protobuf.FileDescriptorProto into a file, as the parser reads text. NULL after a message. */
GEN_PRIVATE gen_file_t *gen_reader_file(gen_context_t *ctx, const gen_source_t *source, connect_str_t descriptor);
/* The name in a FileDescriptorProto; "" if it has none. */
GEN_PRIVATE const char *gen_reader_name(gen_context_t *ctx, connect_str_t descriptor);
