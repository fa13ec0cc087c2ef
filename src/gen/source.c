/* Source files, places in them, and messages about them.

   A message is kept until the end of the run and printed in the order of its place, as
       file:line:col: error: text
           the source line
           ^
   line and col count from 1, col in bytes. Of a long line only the part around the place is shown; tabs stay tabs under
   which the caret line has tabs, too; bytes that are not printable ASCII and no part of valid UTF-8 are shown as '?'.
   A message without a place (the command line) is "connect_gen: error: text". Of a source that came as a descriptor
   there is no line to show; its places hold line and column in one number.

   A source may have GEN_SOURCE_BYTES_MAX bytes, so that a run's memory stays bounded. NUL bytes are refused by the
   lexer.

   Memory: one arena over an allocator that ends the process when there is no more. A function of the generator hence
   never sees a failed allocation. */
#include "gen/source.h"

#define GEN_SOURCE_BYTES_MAX (16u << 20)
#define GEN_SOURCE_SHOWN 160u /* bytes of a source line */
#define GEN_SOURCE_COLUMNS 4096u
#define GEN_SOURCE_LINES (1u << 20)

static void *gen_source_acquire(void *ctx, size_t size) {
    void *block = malloc(size ? size : 1);
    (void)ctx;
    if (!block) gen_source_out_of_memory();
    return block;
}

static void *gen_source_resize(void *ctx, void *block, size_t size) {
    void *moved = realloc(block, size ? size : 1);
    (void)ctx;
    if (!moved) gen_source_out_of_memory();
    return moved;
}

static void gen_source_release(void *ctx, void *block) {
    (void)ctx;
    free(block);
}

static const connect_allocator_t gen_source_allocator = {
    gen_source_acquire, gen_source_resize, gen_source_release, NULL};

GEN_PRIVATE void gen_source_out_of_memory(void) {
    fputs("connect_gen: error: out of memory\n", stderr);
    exit(1);
}

GEN_PRIVATE void gen_source_begin(gen_context_t *ctx) {
    memset(ctx, 0, sizeof *ctx);
    connect_arena_init(&ctx->arena, NULL, 0, &gen_source_allocator);
}

GEN_PRIVATE void gen_source_free(gen_context_t *ctx) {
    connect_arena_free(&ctx->arena);
}

static const char *gen_source_vprintf(gen_context_t *ctx, const char *format, va_list arguments) {
    va_list again;
    int len;
    char *text;
    va_copy(again, arguments);
    len = vsnprintf(NULL, 0, format, arguments);
    if (len < 0) len = 0;
    text = CONNECT_NEW(&ctx->arena, char, (size_t)len + 1);
    vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    return text;
}

GEN_PRIVATE const char *gen_source_printf(gen_context_t *ctx, const char *format, ...) {
    va_list arguments;
    const char *text;
    va_start(arguments, format);
    text = gen_source_vprintf(ctx, format, arguments);
    va_end(arguments);
    return text;
}

GEN_PRIVATE const char *gen_source_copy(gen_context_t *ctx, connect_str_t text) {
    char *copy = CONNECT_NEW(&ctx->arena, char, text.len + 1);
    if (text.len) memcpy(copy, text.data, text.len);
    return copy;
}

GEN_PRIVATE gen_source_t *gen_source_new(gen_context_t *ctx, const char *name, const char *path, connect_str_t text) {
    gen_source_t *source = CONNECT_NEW(&ctx->arena, gen_source_t, 1);
    source->name = name;
    source->path = path;
    source->text = text;
    source->serial = ++ctx->source_count;
    return source;
}

GEN_PRIVATE gen_source_t *gen_source_read(
    gen_context_t *ctx, gen_at_t at, const char *name, const char *path, int *os_error) {
    struct stat about;
    size_t len = 0, room = 16384;
    char *text;
    FILE *file;
    *os_error = 0;
    if (stat(path, &about) != 0) {
        *os_error = errno ? errno : EIO;
        return NULL;
    }
    if (S_ISDIR(about.st_mode)) {
        *os_error = EISDIR;
        return NULL;
    }
    file = fopen(path, "rb");
    if (!file) {
        *os_error = errno ? errno : EIO;
        return NULL;
    }
    text = gen_source_acquire(NULL, room + 1);
    for (;;) {
        size_t got = fread(text + len, 1, room - len, file);
        len += got;
        if (len < room || len > GEN_SOURCE_BYTES_MAX) break;
        room *= 2;
        text = gen_source_resize(NULL, text, room + 1);
    }
    if (ferror(file)) {
        gen_source_error(ctx, at, "cannot read \"%s\": %s", path, strerror(errno));
        len = 0;
    }
    fclose(file);
    if (len > GEN_SOURCE_BYTES_MAX) {
        gen_source_error(ctx, at, "\"%s\" has more than 16 MiB", path);
        len = 0;
    }
    text[len] = 0;
    {
        connect_str_t kept;
        kept.data = gen_source_copy(ctx, (connect_str_t){text, len});
        kept.len = len;
        free(text);
        return gen_source_new(ctx, name, path, kept);
    }
}

static void gen_source_keep(gen_context_t *ctx, gen_at_t at, bool warning, const char *text) {
    gen_message_text_t *message = ctx->messages.tail;
    if (message && message->at.source == at.source && message->at.offset == at.offset &&
        strcmp(message->text, text) == 0) {
        return;
    }
    message = CONNECT_NEW(&ctx->arena, gen_message_text_t, 1);
    message->at = at;
    message->text = text;
    message->warning = warning;
    message->serial = (uint32_t)ctx->messages.count;
    GEN_APPEND(ctx->messages, message);
}

GEN_PRIVATE void gen_source_error(gen_context_t *ctx, gen_at_t at, const char *format, ...) {
    va_list arguments;
    if (ctx->error_count >= GEN_ERRORS_MAX) return;
    va_start(arguments, format);
    gen_source_keep(ctx, at, false, gen_source_vprintf(ctx, format, arguments));
    va_end(arguments);
    ctx->error_count++;
}

GEN_PRIVATE void gen_source_warn(gen_context_t *ctx, gen_at_t at, const char *format, ...) {
    va_list arguments;
    if (ctx->messages.count >= 2 * GEN_ERRORS_MAX) return;
    va_start(arguments, format);
    gen_source_keep(ctx, at, true, gen_source_vprintf(ctx, format, arguments));
    va_end(arguments);
}

GEN_PRIVATE gen_at_t gen_source_span(const gen_source_t *source, uint64_t line, uint64_t column) {
    gen_at_t at = {NULL, 0};
    at.source = source;
    if (line >= GEN_SOURCE_LINES) line = GEN_SOURCE_LINES - 1;
    if (column >= GEN_SOURCE_COLUMNS) column = GEN_SOURCE_COLUMNS - 1;
    at.offset = (size_t)(line * GEN_SOURCE_COLUMNS + column);
    return at;
}

/* Line and column, and where the line begins. */
static size_t gen_source_line(gen_at_t at, size_t *line, size_t *column) {
    size_t i, begin = 0;
    if (!at.source->text.data) {
        *line = at.offset / GEN_SOURCE_COLUMNS + 1;
        *column = at.offset % GEN_SOURCE_COLUMNS + 1;
        return 0;
    }
    *line = 1;
    for (i = 0; i < at.offset && i < at.source->text.len; i++) {
        if (at.source->text.data[i] == '\n') {
            (*line)++;
            begin = i + 1;
        }
    }
    *column = at.offset - begin + 1;
    return begin;
}

GEN_PRIVATE const char *gen_source_place(gen_context_t *ctx, gen_at_t at) {
    size_t line, column;
    if (!at.source) return "the command line";
    if (ctx->error_count >= GEN_ERRORS_MAX) return ""; /* nobody will read it, and counting lines takes time */
    gen_source_line(at, &line, &column);
    return gen_source_printf(ctx, "%s:%lu:%lu", at.source->path, (unsigned long)line, (unsigned long)column);
}

static int gen_source_compare(const void *a, const void *b) {
    const gen_message_text_t *one = *(const gen_message_text_t *const *)a;
    const gen_message_text_t *two = *(const gen_message_text_t *const *)b;
    uint32_t first = one->at.source ? one->at.source->serial : 0, second = two->at.source ? two->at.source->serial : 0;
    if (first != second) return first < second ? -1 : 1;
    if (one->at.offset != two->at.offset) return one->at.offset < two->at.offset ? -1 : 1;
    return one->serial < two->serial ? -1 : 1;
}

static void gen_source_show(gen_at_t at, size_t begin, FILE *to) {
    const char *text = at.source->text.data;
    size_t end = at.offset, i;
    while (end < at.source->text.len && text[end] != '\n' && text[end] != '\r')
        end++;
    if (at.offset - begin > GEN_SOURCE_SHOWN / 2) begin = at.offset - GEN_SOURCE_SHOWN / 2;
    if (end - begin > GEN_SOURCE_SHOWN) end = begin + GEN_SOURCE_SHOWN;
    fputs("    ", to);
    for (i = begin; i < end; i++) {
        unsigned char c = (unsigned char)text[i];
        fputc(c == '\t' || (c >= 0x20 && c < 0x7F) ? c : '?', to);
    }
    fputs("\n    ", to);
    for (i = begin; i < at.offset; i++)
        fputc(text[i] == '\t' ? '\t' : ' ', to);
    fputs("^\n", to);
}

GEN_PRIVATE void gen_source_report(gen_context_t *ctx, FILE *to) {
    const gen_message_text_t **sorted = CONNECT_NEW(&ctx->arena, const gen_message_text_t *, ctx->messages.count + 1);
    const gen_message_text_t *message;
    size_t i, count = 0, line, column, begin;
    for (message = ctx->messages.first; message; message = message->next)
        sorted[count++] = message;
    qsort(sorted, count, sizeof *sorted, gen_source_compare);
    for (i = 0; i < count; i++) {
        const char *what = sorted[i]->warning ? "warning" : "error";
        if (!sorted[i]->at.source) {
            fprintf(to, "connect_gen: %s: %s\n", what, sorted[i]->text);
            continue;
        }
        begin = gen_source_line(sorted[i]->at, &line, &column);
        fprintf(to, "%s:%lu:%lu: %s: %s\n", sorted[i]->at.source->path, (unsigned long)line, (unsigned long)column,
            what, sorted[i]->text);
        if (sorted[i]->at.source->text.data) gen_source_show(sorted[i]->at, begin, to);
    }
    if (ctx->error_count >= GEN_ERRORS_MAX) fprintf(to, "connect_gen: error: too many errors\n");
}

GEN_PRIVATE const char *gen_source_quote(gen_context_t *ctx, connect_str_t text) {
    char *quoted = CONNECT_NEW(&ctx->arena, char, 64 * 4 + 4);
    size_t i, len = 0;
    for (i = 0; i < text.len && i < 64; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c >= 0x20 && c < 0x7F)
            quoted[len++] = (char)c;
        else
            len += (size_t)sprintf(quoted + len, "\\x%02X", c);
    }
    if (text.len > 64) memcpy(quoted + len, "...", 4);
    return quoted;
}
