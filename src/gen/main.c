/* connect_gen: reads .proto files, writes a header for each. The command line is told by --help; under the name
   protoc-gen-connect-c, with nothing on its command line, the program is a plugin.

   Exit status: 0; 1 after an error in what was read or written, and then nothing was written; 2 after a wrong command
   line. All files are written together (output.c): the headers, a descriptor set, a dependency file. */
#include "gen/descriptor.h"
#include "gen/plugin.h"

static void gen_main_descriptor_set(const gen_model_t *model, bool include_imports, gen_output_t *output) {
    connect_writer_t writer = {NULL, {NULL, 0}, false, 0};
    const gen_file_t *file;
    writer.arena = &model->ctx->arena;
    for (file = model->files.first; file; file = file->next) {
        connect_str_t bytes;
        if (!include_imports && (!file->wanted || file->built_in)) continue;
        bytes = gen_descriptor_file(model->ctx, file);
        connect_writer_put(&writer, 1, CONNECT_KIND_MESSAGE, &bytes);
    }
    gen_text_bytes(&output->text, writer.written.data, writer.written.len);
}

/* A path in a rule of make and ninja. */
static void gen_main_depfile_path(gen_text_t *text, const char *path) {
    for (; *path; path++) {
        const char escaped[3] = {*path == '$' ? '$' : '\\', *path, 0};
        gen_text_put(text, strchr(" #$\\", *path) ? escaped : escaped + 1);
    }
}

/* "header header: file file", and an empty rule for each file, so that make goes on when one is gone. */
static void gen_main_depfile(
    const gen_model_t *model, const gen_command_t *command, const gen_outputs_t *outputs, gen_output_t *depfile) {
    const gen_file_t *file;
    gen_text_t rules;
    size_t i;
    memset(&rules, 0, sizeof rules);
    for (i = 0; i < outputs->count; i++) {
        const gen_output_t *output = &outputs->items[i];
        if (output == depfile) continue;
        if (depfile->text.len) gen_text_put(&depfile->text, " \\\n  ");
        gen_main_depfile_path(&depfile->text,
            output->elsewhere ? output->elsewhere : gen_output_path(model->ctx, command->out, output->name));
    }
    gen_text_put(&depfile->text, ":");
    for (file = model->files.first; file; file = file->next) {
        if (file->built_in || !file->source->text.data) continue;
        gen_text_put(&depfile->text, " \\\n  ");
        gen_main_depfile_path(&depfile->text, file->source->path);
        gen_main_depfile_path(&rules, file->source->path);
        gen_text_put(&rules, ":\n");
    }
    for (i = 0; i < command->set_count; i++) {
        gen_text_put(&depfile->text, " \\\n  ");
        gen_main_depfile_path(&depfile->text, command->sets[i]);
        gen_main_depfile_path(&rules, command->sets[i]);
        gen_text_put(&rules, ":\n");
    }
    gen_text_put(&depfile->text, "\n");
    if (rules.len) gen_text_put(&depfile->text, rules.data);
    gen_text_free(&rules);
}

static bool gen_main_read_sets(gen_context_t *ctx, const gen_command_t *command, gen_load_from_t *from) {
    const gen_at_t nowhere = {NULL, 0};
    size_t i;
    for (i = 0; i < command->set_count; i++) {
        int os_error;
        const gen_source_t *set = gen_source_read(ctx, nowhere, command->sets[i], command->sets[i], &os_error);
        if (!set) {
            gen_source_error(ctx, nowhere, "cannot read \"%s\": %s", command->sets[i], strerror(os_error));
        } else if (!gen_load_descriptor_set(ctx, from, set->text)) {
            gen_source_error(ctx, nowhere, "\"%s\" is not a google.protobuf.FileDescriptorSet", command->sets[i]);
        }
    }
    return !ctx->error_count;
}

static void gen_main_run(gen_context_t *ctx, const gen_command_t *command) {
    gen_load_from_t from;
    gen_model_t model;
    gen_outputs_t outputs;
    memset(&from, 0, sizeof from);
    memset(&model, 0, sizeof model);
    model.ctx = ctx;
    from.folders = command->folders;
    from.folder_count = command->folder_count;
    if (!gen_main_read_sets(ctx, command, &from)) return;
    gen_generate(&model, command, &from, command->out != NULL, &outputs);
    if (!ctx->error_count) {
        gen_output_t *all = CONNECT_NEW(&ctx->arena, gen_output_t, outputs.count + 2);
        if (outputs.count) memcpy(all, outputs.items, outputs.count * sizeof *all);
        outputs.items = all;
        if (command->set_out) {
            all[outputs.count].elsewhere = command->set_out;
            gen_main_descriptor_set(&model, command->include_imports, &all[outputs.count++]);
        }
        if (command->depfile) {
            gen_output_t *depfile = &all[outputs.count++];
            depfile->elsewhere = command->depfile;
            gen_main_depfile(&model, command, &outputs, depfile);
        }
        gen_output_write(ctx, command->out, all, outputs.count);
    }
    gen_generate_free(&outputs);
}

int main(int argc, char **argv) {
    gen_context_t ctx;
    gen_command_t command;
    int status;
    signal(SIGPIPE, SIG_IGN); /* what is written to a closed pipe fails, and is told */
    gen_source_begin(&ctx);
    if (argc == 1 && gen_plugin_is_asked(argv[0])) {
        status = gen_plugin_run(&ctx);
    } else {
        status = gen_command_line(&ctx, &command, argc, argv);
        if (status < 0) gen_main_run(&ctx, &command);
        gen_source_report(&ctx, stderr);
        if (status == 2) fputs("See connect_gen --help.\n", stderr);
        if (status < 0) status = ctx.error_count ? 1 : 0;
    }
    gen_source_free(&ctx);
    return status;
}
