/* From names to files: where imports are looked for, in which order files come, and which headers are to be written.

   A file has one name, by which others import it: its path below one of the -I folders. On the command line it may
   stand with that folder in front ("protos/a.proto" with -I protos) or without. An import is looked for among the
   built-in files, then among descriptors, then in the folders in their order; a built-in file that is named on the
   command line is looked for there first.

   Refused: names that are absolute, hold "..", ".", an empty part, or bytes that have no place in an #include line or
   a comment; so no output ever stands outside of --out. Import cycles, named with all their files. Imports that nest
   deeper than GEN_LOAD_DEPTH_MAX.

   The order of model->files: imports before what imports them, inputs by name; hence the same for the same set of
   inputs. Headers are written for the inputs and for every built-in file they need. */
#include "gen/load.h"
#include "gen/parser.h"
#include "gen/reader.h"
#include "gen/wellknown.h"

#define GEN_LOAD_DEPTH_MAX 200u
#define GEN_LOAD_NAME_MAX 1024u

typedef struct gen_load_t {
    gen_model_t *model;
    gen_context_t *ctx;
    const char *const *folders;
    size_t folder_count;
    const gen_map_t *descriptors;
    gen_map_t inputs; /* names of the inputs */
    gen_file_t *path[GEN_LOAD_DEPTH_MAX];
    unsigned depth;
} gen_load_t;

static const char *gen_load_unsafe(const char *name) {
    const char *at = name;
    if (!*name) return "it is empty";
    if (strlen(name) > GEN_LOAD_NAME_MAX) return "it has more than 1,024 bytes";
    if (*name == '/') return "it must be relative to an -I folder";
    for (; *at; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7F || strchr("\"\\*?<>", *at))
            return "it holds a byte not allowed there";
        if (at == name || at[-1] == '/') {
            size_t len = strcspn(at, "/");
            if (len == 0) return "it holds //";
            if (len == 1 && at[0] == '.') return "it holds a part that is .";
            if (len == 2 && at[0] == '.' && at[1] == '.') return "it holds a part that is ..";
        }
    }
    return at[-1] == '/' ? "it ends with /" : NULL;
}

static const char *gen_load_searched(gen_load_t *load) {
    const char *text = load->descriptors && load->descriptors->count ? "the descriptors" : "";
    size_t i;
    for (i = 0; i < load->folder_count && i < 16; i++) {
        text = gen_source_printf(load->ctx, "%s%s%s", text, *text ? ", " : "", load->folders[i]);
    }
    return text;
}

static const char *gen_load_join(gen_load_t *load, const char *folder, const char *name) {
    size_t len = strlen(folder);
    if (strcmp(folder, ".") == 0) return name;
    return gen_source_printf(load->ctx, "%s%s%s", folder, len && folder[len - 1] == '/' ? "" : "/", name);
}

/* Reads the text of a name from a folder; NULL after a message, or with *found false. */
static gen_source_t *gen_load_source(gen_load_t *load, gen_at_t at, const char *name, bool *found) {
    size_t i;
    *found = true;
    for (i = 0; i < load->folder_count; i++) {
        const char *path = gen_load_join(load, load->folders[i], name);
        int os_error;
        gen_source_t *source = gen_source_read(load->ctx, at, name, path, &os_error);
        if (source) return source;
        if (os_error != ENOENT && os_error != ENOTDIR) {
            gen_source_error(load->ctx, at, "cannot read \"%s\": %s", path, strerror(os_error));
            return NULL;
        }
    }
    *found = false;
    return NULL;
}

/* Reads a file from wherever it is; NULL after a message. */
static gen_file_t *gen_load_read(gen_load_t *load, gen_at_t at, const char *name) {
    const bool is_input = gen_map_get(&load->inputs, name) != NULL;
    const connect_str_t *descriptor = load->descriptors ? gen_map_get(load->descriptors, name) : NULL;
    gen_source_t *built_in = gen_wellknown_source(load->ctx, name), *source;
    gen_file_t *file = NULL;
    bool found;
    if (built_in && !is_input) {
        file = gen_parser_file(load->ctx, built_in);
        file->built_in = true;
        return file;
    }
    if (descriptor) {
        const connect_str_t no_text = {NULL, 0};
        return gen_reader_file(load->ctx, gen_source_new(load->ctx, name, name, no_text), *descriptor);
    }
    source = gen_load_source(load, at, name, &found);
    if (!found && built_in) source = built_in;
    if (source) return gen_parser_file(load->ctx, source);
    if (!found) {
        gen_source_error(load->ctx, at, "\"%s\" was not found; searched in: %s",
            gen_source_quote(load->ctx, connect_str_of(name)), gen_load_searched(load));
    }
    return NULL;
}

static void gen_load_cycle(gen_load_t *load, gen_at_t at, const gen_file_t *file) {
    const char *text = "";
    unsigned i = 0;
    while (load->path[i] != file)
        i++;
    for (; i < load->depth; i++)
        text = gen_source_printf(load->ctx, "%s%s -> ", text, load->path[i]->name);
    gen_source_error(load->ctx, at, "import cycle: %s%s", text, file->name);
}

static gen_file_t *gen_load_file(gen_load_t *load, gen_at_t at, const char *name);

/* What a descriptor imports for options only need not be there: its options are read already. */
static void gen_load_imports(gen_load_t *load, gen_file_t *file, gen_import_t *import) {
    for (; import; import = import->next) {
        import->file = gen_load_file(load, import->at, import->name);
        if (!import->file || import->file->incomplete) file->incomplete = true;
    }
}

static gen_file_t *gen_load_file(gen_load_t *load, gen_at_t at, const char *name) {
    gen_file_t *file = gen_map_get(&load->model->file_names, name);
    const char *unsafe = gen_load_unsafe(name);
    uint32_t errors;
    if (file) {
        if (!file->loading) return file;
        gen_load_cycle(load, at, file);
        return NULL;
    }
    if (unsafe) {
        gen_source_error(load->ctx, at, "\"%s\" cannot be the name of a file: %s",
            gen_source_quote(load->ctx, connect_str_of(name)), unsafe);
        return NULL;
    }
    if (load->depth >= GEN_LOAD_DEPTH_MAX) {
        gen_source_error(load->ctx, at, "imports nest deeper than %u files", GEN_LOAD_DEPTH_MAX);
        return NULL;
    }
    errors = load->ctx->error_count;
    file = gen_load_read(load, at, name);
    if (!file) return NULL;
    file->name = name;
    file->incomplete = load->ctx->error_count > errors;
    gen_map_put(load->ctx, &load->model->file_names, name, file);
    file->loading = true;
    load->path[load->depth++] = file;
    gen_load_imports(load, file, file->imports.first);
    if (file->source->text.data) gen_load_imports(load, file, file->option_imports.first);
    load->depth--;
    file->loading = false;
    GEN_APPEND(load->model->files, file);
    return file;
}

/* "./a//b/" becomes "a/b", "" and "./" become ".". */
static const char *gen_load_clean(gen_load_t *load, const char *path) {
    char *clean = CONNECT_NEW(&load->ctx->arena, char, strlen(path) + 2);
    size_t len = 0;
    if (*path == '/') clean[len++] = '/';
    while (*path) {
        size_t part = strcspn(path, "/");
        if (part && !(part == 1 && *path == '.')) {
            if (len && clean[len - 1] != '/') clean[len++] = '/';
            memcpy(clean + len, path, part);
            len += part;
        }
        path += part;
        while (*path == '/')
            path++;
    }
    if (!len) clean[len++] = '.';
    return clean;
}

static bool gen_load_exists(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && !S_ISDIR(about.st_mode);
}

/* The name of an input by which others import it; NULL after a message. */
static const char *gen_load_name(gen_load_t *load, const char *input) {
    static const gen_at_t nowhere = {NULL, 0};
    const char *path = gen_load_clean(load, input);
    bool exists = gen_load_exists(path);
    size_t i;
    if (gen_map_get(load->descriptors, path)) return path;
    for (i = 0; exists && i < load->folder_count; i++) {
        const char *folder = load->folders[i];
        size_t len = strlen(folder);
        if (strcmp(folder, ".") == 0) {
            if (!gen_load_unsafe(path)) return path;
        } else if (strncmp(path, folder, len) == 0 && (folder[len - 1] == '/' || path[len] == '/')) {
            return path + len + (path[len] == '/');
        }
    }
    if (!gen_load_unsafe(path)) {
        for (i = 0; i < load->folder_count; i++) {
            if (gen_load_exists(gen_load_join(load, load->folders[i], path))) return path;
        }
        if (gen_wellknown_source(load->ctx, path)) return path;
    }
    if (exists) {
        gen_source_error(load->ctx, nowhere, "\"%s\" is not below an -I folder (%s): add -I with the folder it is in",
            input, gen_load_searched(load));
    } else {
        gen_source_error(load->ctx, nowhere, "\"%s\" was not found; searched in: %s", input, gen_load_searched(load));
    }
    return NULL;
}

static int gen_load_compare(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Headers of the built-in files that a wanted file needs; imports stand before what imports them. */
static void gen_load_want(gen_model_t *model) {
    gen_file_t **backwards = CONNECT_NEW(&model->ctx->arena, gen_file_t *, model->files.count + 1);
    gen_file_t *file;
    gen_import_t *import;
    size_t i = model->files.count;
    for (file = model->files.first; file; file = file->next)
        backwards[--i] = file;
    for (i = 0; i < model->files.count; i++) {
        if (!backwards[i]->wanted) continue;
        for (import = backwards[i]->imports.first; import; import = import->next) {
            if (import->file && import->file->built_in) import->file->wanted = true;
        }
    }
}

GEN_PRIVATE void gen_load_inputs(
    gen_model_t *model, const gen_load_from_t *from, const char *const *inputs, size_t input_count) {
    static const gen_at_t nowhere = {NULL, 0};
    gen_load_t load;
    const char **names = CONNECT_NEW(&model->ctx->arena, const char *, input_count + 1);
    const char **clean = CONNECT_NEW(&model->ctx->arena, const char *, from->folder_count + 1);
    size_t i, count = 0;
    memset(&load, 0, sizeof load);
    load.model = model;
    load.ctx = model->ctx;
    load.folders = clean;
    load.folder_count = from->folder_count;
    load.descriptors = &from->descriptors;
    for (i = 0; i < from->folder_count; i++)
        clean[i] = gen_load_clean(&load, from->folders[i]);
    for (i = 0; i < input_count; i++) {
        const char *name = gen_load_name(&load, inputs[i]);
        if (!name || gen_map_get(&load.inputs, name)) continue;
        names[count++] = name;
        gen_map_put(load.ctx, &load.inputs, name, model);
    }
    qsort(names, count, sizeof *names, gen_load_compare);
    for (i = 0; i < count; i++) {
        gen_file_t *file = gen_load_file(&load, nowhere, names[i]);
        if (file) file->wanted = true;
    }
    gen_load_want(model);
}

GEN_PRIVATE void gen_load_descriptor(gen_context_t *ctx, gen_load_from_t *from, connect_str_t descriptor) {
    connect_str_t *kept = CONNECT_NEW(&ctx->arena, connect_str_t, 1);
    const char *name = gen_reader_name(ctx, descriptor);
    *kept = descriptor;
    if (!gen_map_get(&from->descriptors, name)) gen_map_put(ctx, &from->descriptors, name, kept);
}

GEN_PRIVATE bool gen_load_descriptor_set(gen_context_t *ctx, gen_load_from_t *from, connect_str_t set) {
    connect_reader_t records = {{NULL, 0}, false};
    connect_record_t record;
    records.rest = set;
    while (connect_reader_next(&records, &record)) {
        if (record.number == 1 && record.wire == CONNECT_WIRE_BYTES) gen_load_descriptor(ctx, from, record.bytes);
    }
    return !records.failed;
}

GEN_PRIVATE void gen_load_built_in(gen_model_t *model, const char *name) {
    static const gen_at_t nowhere = {NULL, 0};
    gen_load_t load;
    memset(&load, 0, sizeof load);
    load.model = model;
    load.ctx = model->ctx;
    gen_load_file(&load, nowhere, name);
}
