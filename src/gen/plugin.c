/* A plugin of protoc and buf: google/protobuf/compiler/plugin.proto. A CodeGeneratorRequest comes in, with the
   descriptors of all files; a CodeGeneratorResponse goes out, with the headers of those to generate for, and of the
   well-known types that these need: the same as from the command line, byte for byte.

     request    1 file_to_generate   2 parameter            15 proto_file
     response   1 error              2 supported_features   3 minimum_edition   4 maximum_edition   15 file
     file       1 name               15 content

   What is wrong with the files is the response's error, with exit status 0, as plugins do; warnings go to standard
   error. A request that is malformed, or too long (GEN_PLUGIN_BYTES_MAX), is told there, with exit status 1. */
#include "gen/plugin.h"

#define GEN_PLUGIN_BYTES_MAX (256u << 20)
#define GEN_PLUGIN_PROTO3_OPTIONAL 1u
#define GEN_PLUGIN_EDITIONS 2u
#define GEN_PLUGIN_EDITION_MIN 998 /* EDITION_PROTO2 */

GEN_PRIVATE bool gen_plugin_is_asked(const char *program) {
    static const char name[] = "protoc-gen-connect-c";
    const char *slash = strrchr(program, '/');
    program = slash ? slash + 1 : program;
    return strncmp(program, name, sizeof name - 1) == 0 &&
        (!program[sizeof name - 1] || program[sizeof name - 1] == '.');
}

static bool gen_plugin_read(gen_context_t *ctx, connect_str_t *request) {
    const gen_at_t nowhere = {NULL, 0};
    gen_text_t input;
    char part[16384];
    size_t got;
    memset(&input, 0, sizeof input);
    gen_text_put(&input, "");
    while ((got = fread(part, 1, sizeof part, stdin)) > 0 && input.len <= GEN_PLUGIN_BYTES_MAX)
        gen_text_bytes(&input, part, got);
    request->data = gen_source_copy(ctx, (connect_str_t){input.data, input.len});
    request->len = input.len;
    gen_text_free(&input);
    if (ferror(stdin)) gen_source_error(ctx, nowhere, "cannot read standard input: %s", strerror(errno));
    if (got > 0) gen_source_error(ctx, nowhere, "the request has more than 256 MiB");
    return !ctx->error_count;
}

/* Takes a request apart; what is in it is not looked at yet. */
static bool gen_plugin_request(
    gen_context_t *ctx, connect_str_t request, gen_command_t *command, gen_load_from_t *from) {
    connect_reader_t records = {{NULL, 0}, false};
    connect_record_t record;
    const char *parameter = "", **inputs = CONNECT_NEW(&ctx->arena, const char *, request.len / 2 + 1);
    size_t input_count = 0;
    bool good = true;
    records.rest = request;
    while (connect_reader_next(&records, &record)) {
        if (record.number != 1 && record.number != 2 && record.number != 15) continue;
        if (record.wire != CONNECT_WIRE_BYTES) {
            good = false;
        } else if (record.number == 1) {
            inputs[input_count++] = gen_source_copy(ctx, record.bytes);
        } else if (record.number == 2) {
            parameter = gen_source_copy(ctx, record.bytes);
        } else {
            gen_load_descriptor(ctx, from, record.bytes);
        }
    }
    if (records.failed || !good) {
        const gen_at_t nowhere = {NULL, 0};
        gen_source_error(ctx, nowhere, "standard input holds no google.protobuf.compiler.CodeGeneratorRequest");
        return false;
    }
    if (gen_command_parameter(ctx, command, parameter)) {
        command->inputs = inputs;
        command->input_count = input_count;
    }
    return true;
}

/* All messages as one text. */
static const char *gen_plugin_messages(gen_context_t *ctx) {
    char *text = NULL;
    const char *copy;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    if (!file) gen_source_out_of_memory();
    gen_source_report(ctx, file);
    if (fclose(file) != 0) gen_source_out_of_memory();
    copy = gen_source_copy(ctx, (connect_str_t){text, len});
    free(text);
    return copy;
}

static bool gen_plugin_respond(gen_context_t *ctx, const gen_outputs_t *outputs) {
    const uint64_t features = GEN_PLUGIN_PROTO3_OPTIONAL | GEN_PLUGIN_EDITIONS;
    const int32_t oldest = GEN_PLUGIN_EDITION_MIN, newest = GEN_EDITION_2024;
    connect_writer_t writer = {NULL, {NULL, 0}, false, 0};
    size_t i;
    writer.arena = &ctx->arena;
    if (ctx->error_count) {
        const connect_str_t error = connect_str_of(gen_plugin_messages(ctx));
        connect_writer_put(&writer, 1, CONNECT_KIND_STRING, &error);
    } else {
        gen_source_report(ctx, stderr);
    }
    connect_writer_put(&writer, 2, CONNECT_KIND_UINT64, &features);
    connect_writer_put(&writer, 3, CONNECT_KIND_INT32, &oldest);
    connect_writer_put(&writer, 4, CONNECT_KIND_INT32, &newest);
    for (i = 0; i < outputs->count && !ctx->error_count; i++) {
        const gen_output_t *output = &outputs->items[i];
        const connect_str_t name = connect_str_of(output->name), content = {output->text.data, output->text.len};
        connect_writer_t file = {NULL, {NULL, 0}, false, 0};
        file.arena = &ctx->arena;
        connect_writer_put(&file, 1, CONNECT_KIND_STRING, &name);
        connect_writer_put(&file, 15, CONNECT_KIND_STRING, &content);
        connect_writer_put(&writer, 15, CONNECT_KIND_MESSAGE, &file.written);
    }
    return fwrite(writer.written.data, 1, writer.written.len, stdout) == writer.written.len && fflush(stdout) == 0;
}

GEN_PRIVATE int gen_plugin_run(gen_context_t *ctx) {
    gen_load_from_t from;
    gen_command_t command;
    gen_model_t model;
    gen_outputs_t outputs;
    connect_str_t request;
    bool good;
    memset(&from, 0, sizeof from);
    memset(&model, 0, sizeof model);
    memset(&outputs, 0, sizeof outputs);
    model.ctx = ctx;
    if (!gen_plugin_read(ctx, &request) || !gen_plugin_request(ctx, request, &command, &from)) {
        gen_source_report(ctx, stderr);
        return 1;
    }
    if (!ctx->error_count) gen_generate(&model, &command, &from, true, &outputs);
    good = gen_plugin_respond(ctx, &outputs);
    gen_generate_free(&outputs);
    if (!good) fprintf(stderr, "connect_gen: error: cannot write to standard output: %s\n", strerror(errno));
    return good ? 0 : 1;
}
