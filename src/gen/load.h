#pragma once
#include "gen/model.h"

typedef struct gen_load_from_t { /* where files are looked for */
    const char *const *folders;
    size_t folder_count;
    gen_map_t descriptors; /* connect_str_t: FileDescriptorProto, by the names of files; they come before folders */
} gen_load_from_t;
/* Adds the files of a google.protobuf.FileDescriptorSet. Returns false if it is malformed. */
GEN_PRIVATE bool gen_load_descriptor_set(gen_context_t *ctx, gen_load_from_t *from, connect_str_t set);
/* Adds one google.protobuf.FileDescriptorProto; of two with one name the first counts. */
GEN_PRIVATE void gen_load_descriptor(gen_context_t *ctx, gen_load_from_t *from, connect_str_t descriptor);
/* Reads the files that are named, and all that they import. */
GEN_PRIVATE void gen_load_inputs(
    gen_model_t *model, const gen_load_from_t *from, const char *const *inputs, size_t input_count);
/* Reads a built-in file, and what it imports, into an empty model. */
GEN_PRIVATE void gen_load_built_in(gen_model_t *model, const char *name);
