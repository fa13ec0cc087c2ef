/* connect_gen: reads .proto files, writes a header for each. The command line is told by --help.

   Exit status: 0; 1 after an error in what was read or written, and then nothing was written; 2 after a wrong command
   line. The steps: load (parse what is named and imported), resolve names, options, check, C names, emit, write.
   Later steps run only if there was no error so far, but for resolve, option and check, which together report as much
   as they can. */
#include "gen/check.h"
#include "gen/descriptor.h"
#include "gen/emit.h"
#include "gen/load.h"
#include "gen/names.h"
#include "gen/option.h"
#include "gen/output.h"
#include "gen/resolve.h"

static const char gen_main_help[] =
    "Usage: connect_gen [-I FOLDER]... [--out FOLDER] FILE.proto...\n"
    "\n"
    "Makes a C header, FILE.connect.h, for connect.h from each .proto file, and one for each well-known type they "
    "use.\n"
    "\n"
    "  -I FOLDER     where imports are looked for, and what the names of files are relative to; several are looked\n"
    "                through in their order. Default: the current folder. The well-known types "
    "(google/protobuf/*.proto)\n"
    "                are built in.\n"
    "  --out FOLDER  where the headers go; folders are made as needed. Default: the current folder\n"
    "  --descriptor_set_out FILE\n"
    "                writes a google.protobuf.FileDescriptorSet of the files; then headers only if --out is there, "
    "too\n"
    "  --include_imports\n"
    "                puts into that set all that the files import, too\n"
    "  --help        shows this\n"
    "  --version     shows the version\n"
    "\n"
    "Exit status: 0; 1: a file is wrong or cannot be read or written, nothing was written; 2: wrong command line.\n";

typedef struct gen_main_t {
    const char **folders, **inputs;
    size_t folder_count, input_count;
    const char *out, *set_out;
    bool include_imports;
} gen_main_t;

static int gen_main_usage(const char *what, const char *argument) {
    fprintf(stderr, "connect_gen: error: %s%s%s%s; see connect_gen --help\n", what, argument ? " \"" : "",
        argument ? argument : "", argument ? "\"" : "");
    return 2;
}

/* The value of an option that starts with name: behind it, or the next argument. NULL: it is another option. */
static const char *gen_main_value(const char *name, int argc, char **argv, int *at, bool *missing) {
    size_t len = strlen(name);
    const char *argument = argv[*at];
    if (strncmp(argument, name, len) != 0) return NULL;
    if (!argument[len]) {
        if (*at + 1 >= argc) {
            *missing = true;
            return NULL;
        }
        return argv[++*at];
    }
    if (argument[len] == '=') return argument + len + 1;
    return len == 2 ? argument + len : NULL;
}

/* Returns -1 to go on, or the exit status. */
static int gen_main_arguments(gen_main_t *options, int argc, char **argv) {
    bool only_files = false;
    int i;
    for (i = 1; i < argc; i++) {
        const char *value;
        bool missing = false;
        if (only_files || argv[i][0] != '-' || !argv[i][1]) {
            options->inputs[options->input_count++] = argv[i];
        } else if (strcmp(argv[i], "--") == 0) {
            only_files = true;
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(gen_main_help, stdout);
            return 0;
        } else if (strcmp(argv[i], "--version") == 0) {
            printf("connect_gen %s\n", CONNECT_VERSION_STRING);
            return 0;
        } else if (strcmp(argv[i], "--include_imports") == 0) {
            options->include_imports = true;
        } else if ((value = gen_main_value("-I", argc, argv, &i, &missing)) != NULL) {
            options->folders[options->folder_count++] = value;
        } else if (!missing && (value = gen_main_value("--out", argc, argv, &i, &missing)) != NULL) {
            if (!*value) return gen_main_usage("--out needs a folder", NULL);
            options->out = value;
        } else if (!missing && (value = gen_main_value("--descriptor_set_out", argc, argv, &i, &missing)) != NULL) {
            if (!*value) return gen_main_usage("--descriptor_set_out needs a file", NULL);
            options->set_out = value;
        } else {
            return missing ? gen_main_usage("this option needs a value:", argv[i])
                           : gen_main_usage("unknown option", argv[i]);
        }
    }
    if (!options->input_count) return gen_main_usage("no .proto file was named", NULL);
    if (!options->out && !options->set_out) options->out = ".";
    if (!options->folder_count) options->folders[options->folder_count++] = ".";
    return -1;
}

static void gen_main_emit(gen_model_t *model, const gen_main_t *options) {
    gen_context_t *ctx = model->ctx;
    gen_output_t *outputs = CONNECT_NEW(&ctx->arena, gen_output_t, model->files.count + 1);
    gen_map_t headers;
    gen_file_t *file;
    size_t i, count = 0;
    memset(&headers, 0, sizeof headers);
    for (file = model->files.first; file; file = file->next) {
        const gen_file_t *other;
        if (!file->wanted) continue;
        other = gen_map_get(&headers, file->header);
        if (other) {
            gen_at_t at = {NULL, 0};
            gen_source_error(
                ctx, at, "\"%s\" and \"%s\" would both become \"%s\"", other->name, file->name, file->header);
            continue;
        }
        gen_map_put(ctx, &headers, file->header, file);
        outputs[count].name = file->header;
        gen_emit_header(ctx, file, &outputs[count++].text);
    }
    if (!ctx->error_count) gen_output_write(ctx, options->out, outputs, count);
    for (i = 0; i < count; i++)
        gen_text_free(&outputs[i].text);
}

static void gen_main_descriptor_set(gen_model_t *model, const gen_main_t *options) {
    gen_context_t *ctx = model->ctx;
    const char *slash = strrchr(options->set_out, '/');
    connect_str_t folder = connect_str_of(".");
    connect_writer_t writer;
    gen_output_t output;
    gen_file_t *file;
    memset(&writer, 0, sizeof writer);
    memset(&output, 0, sizeof output);
    writer.arena = &ctx->arena;
    for (file = model->files.first; file; file = file->next) {
        connect_str_t bytes;
        if (!options->include_imports && (!file->wanted || file->built_in)) continue;
        bytes = gen_descriptor_file(ctx, file);
        connect_writer_put(&writer, 1, CONNECT_KIND_MESSAGE, &bytes);
    }
    if (slash) {
        folder.data = options->set_out;
        folder.len = (size_t)(slash - options->set_out) + 1;
    }
    output.name = slash ? slash + 1 : options->set_out;
    gen_text_bytes(&output.text, writer.written.data, writer.written.len);
    gen_output_write(ctx, gen_source_copy(ctx, folder), &output, 1);
    gen_text_free(&output.text);
}

static int gen_main_run(const gen_main_t *options) {
    gen_context_t ctx;
    gen_model_t model;
    int status;
    gen_source_begin(&ctx);
    memset(&model, 0, sizeof model);
    model.ctx = &ctx;
    gen_load_inputs(&model, options->folders, options->folder_count, options->inputs, options->input_count);
    gen_resolve_model(&model);
    gen_option_model(&model);
    gen_check_model(&model);
    if (!ctx.error_count) {
        gen_names_model(&model);
        if (options->out) gen_main_emit(&model, options);
        if (options->set_out && !ctx.error_count) gen_main_descriptor_set(&model, options);
    }
    gen_source_report(&ctx, stderr);
    status = ctx.error_count ? 1 : 0;
    gen_source_free(&ctx);
    return status;
}

int main(int argc, char **argv) {
    gen_main_t options;
    int status;
    memset(&options, 0, sizeof options);
    options.folders = calloc((size_t)argc + 1, sizeof *options.folders);
    options.inputs = calloc((size_t)argc + 1, sizeof *options.inputs);
    if (!options.folders || !options.inputs) gen_source_out_of_memory();
    status = gen_main_arguments(&options, argc, argv);
    if (status < 0) status = gen_main_run(&options);
    free(options.folders);
    free(options.inputs);
    return status;
}
