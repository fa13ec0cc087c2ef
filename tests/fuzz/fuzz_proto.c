/* .proto text, and descriptors (behind a zero byte): the generator refuses or takes them. What it takes has a
   descriptor that reads as the same file: it makes the same descriptor again, and headers for it. */
#define main connect_gen_main
#include "connect_gen.c"
#undef main

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    } while (0)

static const char fuzz_name[] = "fuzz.proto";

static void fuzz_report(gen_context_t *ctx) {
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    CHECK(file);
    gen_source_report(ctx, file);
    CHECK(fclose(file) == 0);
    CHECK(!ctx->error_count == !strstr(text, "error: "));
    free(text);
}

/* Reads a descriptor as an input; returns the file, or NULL if it is refused. */
static const gen_file_t *fuzz_descriptor(gen_model_t *model, connect_str_t descriptor, gen_outputs_t *outputs) {
    const char *inputs[1];
    gen_command_t command;
    gen_load_from_t from;
    memset(&command, 0, sizeof command);
    memset(&from, 0, sizeof from);
    inputs[0] = gen_reader_name(model->ctx, descriptor);
    command.inputs = inputs;
    command.input_count = 1;
    command.style.prefix = "";
    gen_load_descriptor(model->ctx, &from, descriptor);
    gen_generate(model, &command, &from, true, outputs);
    return model->ctx->error_count ? NULL : gen_map_get(&model->file_names, inputs[0]);
}

static const gen_file_t *fuzz_text(gen_model_t *model, connect_str_t text, gen_outputs_t *outputs) {
    gen_context_t *ctx = model->ctx;
    const connect_str_t copy = {gen_source_copy(ctx, text), text.len};
    gen_file_t *file = gen_parser_file(ctx, gen_source_new(ctx, fuzz_name, fuzz_name, copy));
    gen_load_t load;
    memset(&load, 0, sizeof load);
    load.model = model;
    load.ctx = ctx;
    load.path[load.depth++] = file;
    file->loading = true;
    model->style.prefix = "";
    gen_map_put(ctx, &model->file_names, fuzz_name, file);
    gen_load_imports(&load, file, file->imports.first);
    gen_load_imports(&load, file, file->option_imports.first);
    file->loading = false;
    GEN_APPEND(model->files, file);
    file->wanted = true;
    gen_load_want(model);
    gen_generate_loaded(model, true, outputs);
    return ctx->error_count ? NULL : file;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    connect_str_t input = {(const char *)data, size}, first, second;
    gen_context_t ctx, ctx_again;
    gen_model_t model, model_again;
    gen_outputs_t outputs, outputs_again;
    const gen_file_t *file;
    memset(&model, 0, sizeof model);
    memset(&model_again, 0, sizeof model_again);
    memset(&outputs, 0, sizeof outputs);
    memset(&outputs_again, 0, sizeof outputs_again);
    gen_source_begin(&ctx);
    gen_source_begin(&ctx_again);
    model.ctx = &ctx;
    model_again.ctx = &ctx_again;
    if (size > 0 && data[0] == 0) {
        input.data++;
        input.len--;
        file = fuzz_descriptor(&model, input, &outputs);
    } else {
        file = fuzz_text(&model, input, &outputs);
    }
    fuzz_report(&ctx);
    if (file) {
        CHECK(outputs.count > 0);
        first = gen_descriptor_file(&ctx, file);
        file = fuzz_descriptor(&model_again, first, &outputs_again);
        fuzz_report(&ctx_again);
        CHECK(file);
        second = gen_descriptor_file(&ctx_again, file);
        CHECK(connect_str_equal(first, second));
        CHECK(outputs.count == outputs_again.count);
    }
    gen_generate_free(&outputs);
    gen_generate_free(&outputs_again);
    gen_source_free(&ctx);
    gen_source_free(&ctx_again);
    return 0;
}
