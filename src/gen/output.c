/* Files come out whole, or not at all: each is written under another name beside its place, and all are renamed when
   all are written. If one cannot be written, those other names are removed again. What the user named and is no plain
   file (a link, a pipe, /dev/stdout) is not replaced but written to, before the others are renamed. Folders are made as
   needed. Names were checked when they were loaded: they are relative and without "..". */
#include "gen/output.h"

static const gen_at_t gen_output_nowhere = {NULL, 0};

/* Makes the folders that a path goes through. */
static void gen_output_folders(gen_context_t *ctx, const char *path) {
    char *part = CONNECT_NEW(&ctx->arena, char, strlen(path) + 1);
    size_t i;
    for (i = 0; path[i]; i++) {
        if (path[i] == '/' && i > 0) mkdir(part, 0777); /* if it fails, opening the file tells why */
        part[i] = path[i];
    }
}

static bool gen_output_is_special(const char *path) {
    struct stat about;
    return lstat(path, &about) == 0 && !S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode);
}

static bool gen_output_put(gen_context_t *ctx, const gen_output_t *output, const char *path, int flags) {
    int fd = open(path, O_WRONLY | flags, 0666);
    FILE *file;
    bool good;
    if (fd < 0) {
        gen_source_error(ctx, gen_output_nowhere, "cannot write \"%s\": %s", path, strerror(errno));
        return false;
    }
    file = fdopen(fd, "wb");
    if (!file) {
        close(fd);
        gen_source_out_of_memory();
        return false;
    }
    good = fwrite(output->text.data, 1, output->text.len, file) == output->text.len;
    if (fclose(file) != 0) good = false;
    if (!good) gen_source_error(ctx, gen_output_nowhere, "cannot write \"%s\": %s", output->path, strerror(errno));
    return good;
}

/* A link may point to a file that is not there yet. */
static bool gen_output_put_special(gen_context_t *ctx, const gen_output_t *output) {
    struct stat about;
    const bool exists = stat(output->path, &about) == 0;
    return gen_output_put(ctx, output, output->path, exists ? O_TRUNC : O_CREAT);
}

GEN_PRIVATE const char *gen_output_path(gen_context_t *ctx, const char *folder, const char *name) {
    const size_t len = strlen(folder);
    if (strcmp(folder, ".") == 0) return name;
    return gen_source_printf(ctx, "%s%s%s", folder, len && folder[len - 1] == '/' ? "" : "/", name);
}

GEN_PRIVATE void gen_output_write(gen_context_t *ctx, const char *folder, gen_output_t *outputs, size_t count) {
    size_t i;
    bool good = true;
    for (i = 0; i < count && good; i++) {
        gen_output_t *output = &outputs[i];
        output->path = output->elsewhere ? output->elsewhere : gen_output_path(ctx, folder, output->name);
        if (output->elsewhere && gen_output_is_special(output->path)) continue;
        gen_output_folders(ctx, output->path);
        output->temporary = gen_source_printf(ctx, "%s.%ld.tmp", output->path, (long)getpid());
        good = gen_output_put(ctx, output, output->temporary, O_CREAT | O_EXCL);
    }
    for (i = 0; i < count && good; i++)
        if (!outputs[i].temporary) good = gen_output_put_special(ctx, &outputs[i]);
    for (i = 0; i < count && good; i++) {
        if (outputs[i].temporary && rename(outputs[i].temporary, outputs[i].path) != 0) {
            gen_source_error(ctx, gen_output_nowhere, "cannot write \"%s\": %s", outputs[i].path, strerror(errno));
            good = false;
        }
    }
    for (i = 0; i < count && !good; i++)
        if (outputs[i].temporary) unlink(outputs[i].temporary);
}
