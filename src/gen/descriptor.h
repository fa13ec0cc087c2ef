#pragma once
#include "gen/model.h"

/* The FileDescriptorProto of a file, in the context's arena. */
GEN_PRIVATE connect_str_t gen_descriptor_file(gen_context_t *ctx, const gen_file_t *file);
