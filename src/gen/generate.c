/* From files to headers. The steps: load (parse what is named and imported, or read descriptors), resolve names,
   options, check, C names, emit. Later steps run only if there was no error so far, but for resolve, option and check,
   which together report as much as they can. */
#include "gen/generate.h"
#include "gen/check.h"
#include "gen/declaration.h"
#include "gen/emit.h"
#include "gen/names.h"
#include "gen/option.h"
#include "gen/resolve.h"
#include "gen/style.h"

static void gen_generate_headers(gen_model_t *model, gen_outputs_t *outputs) {
    const gen_at_t nowhere = {NULL, 0};
    gen_context_t *ctx = model->ctx;
    gen_map_t headers;
    gen_file_t *file;
    memset(&headers, 0, sizeof headers);
    outputs->items = CONNECT_NEW(&ctx->arena, gen_output_t, model->files.count + 1);
    for (file = model->files.first; file; file = file->next) {
        const gen_file_t *other;
        if (!file->wanted) continue;
        other = gen_map_get(&headers, file->header);
        if (other) {
            gen_source_error(
                ctx, nowhere, "\"%s\" and \"%s\" would both become \"%s\"", other->name, file->name, file->header);
            continue;
        }
        gen_map_put(ctx, &headers, file->header, file);
        outputs->items[outputs->count].name = file->header;
        gen_emit_header(ctx, file, &outputs->items[outputs->count++].text);
    }
}

/* Everything behind loading. */
static void gen_generate_loaded(gen_model_t *model, bool with_headers, gen_outputs_t *outputs) {
    gen_resolve_model(model);
    gen_option_model(model);
    gen_check_model(model);
    gen_declaration_model(model);
    gen_style_model(model);
    if (model->ctx->error_count || !with_headers) return;
    gen_names_model(model);
    gen_generate_headers(model, outputs);
}

GEN_PRIVATE void gen_generate(gen_model_t *model, const gen_command_t *command, const gen_load_from_t *from,
    bool with_headers, gen_outputs_t *outputs) {
    memset(outputs, 0, sizeof *outputs);
    model->style = command->style;
    gen_load_inputs(model, from, command->inputs, command->input_count);
    gen_generate_loaded(model, with_headers, outputs);
}

GEN_PRIVATE void gen_generate_free(gen_outputs_t *outputs) {
    size_t i;
    for (i = 0; i < outputs->count; i++)
        gen_text_free(&outputs->items[i].text);
}
