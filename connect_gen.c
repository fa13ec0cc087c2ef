/* connect_gen.c 0.1.0 - makes the headers that connect.h needs from .proto files. SPDX-License-Identifier: MIT
   Made from src/ by amalgamate.py: edit there. Content: sha256 28b5554e72a027c5. */

/* #### src/gen/sys.h ############################################################################################### */
/* The generator needs of connect.h the memory, the views and the wire: no JSON, nothing of the network. */
#define CONNECT_ENABLE_CLIENT 0
#define CONNECT_ENABLE_SERVER 0
#define CONNECT_ENABLE_HTTP2 0
#define CONNECT_ENABLE_GRPC 0
#define CONNECT_ENABLE_SOCKETS 0
#define CONNECT_ENABLE_JSON 0
#if !defined(CN_MODULES)
#define CONNECT_IMPLEMENTATION
#endif
#include "connect.h"

#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* Functions that other modules call: static in the one file, hidden when the modules are compiled one by one. */
#if defined(CN_MODULES)
#define GEN_PRIVATE __attribute__((visibility("hidden")))
#elif defined(__GNUC__)
#define GEN_PRIVATE static __attribute__((unused))
#else
#define GEN_PRIVATE static
#endif
#define GEN_LEN(array) (sizeof(array) / sizeof *(array))

/* A list through the `next` of its items: GEN_LIST(gen_field_t) fields; */
#define GEN_LIST(type) \
    struct { \
        type *first, *tail; \
        size_t count; \
    }
#define GEN_APPEND(list, item) \
    do { \
        if ((list).tail) \
            (list).tail->next = (item); \
        else \
            (list).first = (item); \
        (list).tail = (item); \
        (list).count++; \
    } while (0)

/* #### src/gen/source.h ############################################################################################ */
#define GEN_ERRORS_MAX 100 /* after these the rest of the input is not read */

typedef struct gen_source_t {
    const char *name;   /* as imports say it: "google/protobuf/timestamp.proto" */
    const char *path;   /* as messages say it: "protos/a.proto" */
    connect_str_t text; /* with a zero after it; NULL: it came as a descriptor */
    uint32_t serial;    /* messages come in this order */
} gen_source_t;
/* A place in a source; source NULL: none (the command line). */
typedef struct gen_at_t {
    const gen_source_t *source;
    size_t offset; /* in the text; without one see gen_source_span */
} gen_at_t;
typedef struct gen_message_text_t {
    struct gen_message_text_t *next;
    gen_at_t at;
    const char *text;
    uint32_t serial;
    bool warning;
} gen_message_text_t;
typedef struct gen_context_t {
    connect_arena_t arena; /* never fails: the process ends with a message instead */
    GEN_LIST(gen_message_text_t) messages;
    uint32_t error_count, source_count;
} gen_context_t;

GEN_PRIVATE void gen_source_begin(gen_context_t *ctx);
GEN_PRIVATE void gen_source_free(gen_context_t *ctx);
/* Ends the process with exit 1: there is nothing better a command can do without memory. */
GEN_PRIVATE void gen_source_out_of_memory(void);
/* Prints into the arena. */
GEN_PRIVATE const char *gen_source_printf(gen_context_t *ctx, const char *format, ...) CONNECT_PRINTF(2, 3);
/* Copies into the arena, with a zero after it. */
GEN_PRIVATE const char *gen_source_copy(gen_context_t *ctx, connect_str_t text);
/* Makes a source from text that is in memory. */
GEN_PRIVATE gen_source_t *gen_source_new(gen_context_t *ctx, const char *name, const char *path, connect_str_t text);
/* Reads a file. Returns NULL with *os_error set if it cannot be opened; other failures are reported at `at`. */
GEN_PRIVATE gen_source_t *gen_source_read(
    gen_context_t *ctx, gen_at_t at, const char *name, const char *path, int *os_error);
/* Keeps a message for gen_source_report. */
GEN_PRIVATE void gen_source_error(gen_context_t *ctx, gen_at_t at, const char *format, ...) CONNECT_PRINTF(3, 4);
GEN_PRIVATE void gen_source_warn(gen_context_t *ctx, gen_at_t at, const char *format, ...) CONNECT_PRINTF(3, 4);
/* The place of a line and a column, both counted from 0, in a source that came as a descriptor. */
GEN_PRIVATE gen_at_t gen_source_span(const gen_source_t *source, uint64_t line, uint64_t column);
/* "file:line:col" of a place, for messages that name a second one. */
GEN_PRIVATE const char *gen_source_place(gen_context_t *ctx, gen_at_t at);
/* Writes all messages kept, in the order of the places. */
GEN_PRIVATE void gen_source_report(gen_context_t *ctx, FILE *to);
/* Text for a message: what is not printable ASCII as \xNN, cut at 64 bytes. */
GEN_PRIVATE const char *gen_source_quote(gen_context_t *ctx, connect_str_t text);

/* #### src/gen/source.c ############################################################################################ */
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

/* #### src/gen/lexer.h ############################################################################################# */
#define GEN_WORD_MAX 512u /* bytes of a word */

typedef enum gen_token_kind_t {
    GEN_TOKEN_END,
    GEN_TOKEN_WORD, /* an identifier or keyword */
    GEN_TOKEN_INTEGER,
    GEN_TOKEN_FLOAT,
    GEN_TOKEN_STRING, /* text: as written, with its quotes */
    GEN_TOKEN_SYMBOL  /* one byte */
} gen_token_kind_t;
typedef struct gen_token_t {
    gen_token_kind_t kind;
    connect_str_t text;
    gen_at_t at;
    uint64_t integer;
    bool too_big;          /* an INTEGER over 64 bits */
    bool bad;              /* it, or what stands before it, was reported already */
    connect_str_t leading; /* the comment that belongs to it, with its marks */
} gen_token_t;
typedef struct gen_lexer_t {
    gen_context_t *ctx;
    const gen_source_t *source;
    const char *next, *end;
    gen_token_t token;
    gen_at_t previous_end;
    connect_str_t trailing; /* the comment that belongs to the token before this one, with its marks */
    bool started;           /* there was a token before this one */
} gen_lexer_t;
/* Starts before the first token. */
GEN_PRIVATE void gen_lexer_begin(gen_lexer_t *lexer, gen_context_t *ctx, const gen_source_t *source);
/* Starts in a part of a source. */
GEN_PRIVATE void gen_lexer_begin_at(
    gen_lexer_t *lexer, gen_context_t *ctx, const gen_source_t *source, connect_str_t part);
/* Goes to the next token. What is no token is reported and skipped. */
GEN_PRIVATE void gen_lexer_next(gen_lexer_t *lexer);
GEN_PRIVATE bool gen_lexer_is(const gen_lexer_t *lexer, const char *text);
/* What an INTEGER or a FLOAT is as a double. */
GEN_PRIVATE double gen_lexer_double(gen_context_t *ctx, const gen_token_t *token);
/* Takes the string token and those that follow it, joined and unescaped. Returns false if one is bad. */
GEN_PRIVATE bool gen_lexer_strings(gen_lexer_t *lexer, connect_str_t *text);
/* The text of a comment without its marks, as descriptors have it. */
GEN_PRIVATE connect_str_t gen_lexer_comment_text(gen_context_t *ctx, connect_str_t comment);

/* #### src/gen/lexer.c ############################################################################################# */
/* Tokens of the protobuf language (protobuf.dev, "Protocol Buffers Language Specification", lexical elements), and
   which comment belongs to what.

   Words: letter or _, then letters, digits, _; at most GEN_WORD_MAX bytes. Integers: decimal, 0 octal, 0x hex.
   Floats: digits with a point or an exponent, or .5. Strings: '...' or "...", in one line,
   escapes \a \b \f \n \r \t \v \\ \' \" \? \ooo \xhh \uhhhh \Uhhhhhhhh. Comments: // and, not nested, block comments.

   Comments belong to tokens by the rules of protoc (descriptor.proto, SourceCodeInfo.Location), so that it does not
   matter whether a file comes as text or as a descriptor. // in lines in a row are one comment. A comment that starts
   in the line of a token trails it; so does the first of those below it, if an empty line or the end of the scope
   follows. The last comment without an empty line behind it leads the next token. All others are detached and dropped,
   and so is a single one between two tokens of one line.

   Refused: NUL and other control characters, bytes over 0x7F outside of strings and comments, a string without its end,
   a number that runs into a word. A byte order mark at the start is skipped. After GEN_ERRORS_MAX errors all is END. */

static bool gen_lexer_is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool gen_lexer_is_digit(char c) {
    return c >= '0' && c <= '9';
}

static int gen_lexer_hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static gen_at_t gen_lexer_at(const gen_lexer_t *lexer, const char *where) {
    gen_at_t at;
    at.source = lexer->source;
    at.offset = (size_t)(where - lexer->source->text.data);
    return at;
}

GEN_PRIVATE void gen_lexer_begin_at(
    gen_lexer_t *lexer, gen_context_t *ctx, const gen_source_t *source, connect_str_t part) {
    memset(lexer, 0, sizeof *lexer);
    lexer->ctx = ctx;
    lexer->source = source;
    lexer->next = part.data;
    lexer->end = part.data + part.len;
    lexer->token.at = lexer->previous_end = gen_lexer_at(lexer, lexer->next);
    gen_lexer_next(lexer);
}

GEN_PRIVATE void gen_lexer_begin(gen_lexer_t *lexer, gen_context_t *ctx, const gen_source_t *source) {
    connect_str_t all = source->text;
    if (all.len >= 3 && memcmp(all.data, "\xEF\xBB\xBF", 3) == 0) {
        all.data += 3;
        all.len -= 3;
    }
    gen_lexer_begin_at(lexer, ctx, source, all);
}

/* Reads one comment; at its end stands the newline of a //. */
static connect_str_t gen_lexer_comment(gen_lexer_t *lexer) {
    connect_str_t comment;
    const char *at = lexer->next;
    comment.data = at;
    if (at[1] == '/') {
        while (at < lexer->end && *at != '\n')
            at++;
    } else {
        at += 2;
        while (at < lexer->end && !(at[0] == '*' && at[1] == '/'))
            at++;
        if (at >= lexer->end)
            gen_source_error(lexer->ctx, gen_lexer_at(lexer, comment.data), "comment without its end");
        else
            at += 2;
    }
    comment.len = (size_t)(at - comment.data);
    lexer->next = at;
    return comment;
}

/* What was read since the last token, under way to what it belongs to. */
typedef struct gen_lexer_comments_t {
    connect_str_t pending, trailing;
    bool can_trail; /* the pending one may still belong to the token before */
    int settled;
} gen_lexer_comments_t;

static void gen_lexer_settle(gen_lexer_comments_t *comments) {
    if (!comments->pending.data) return;
    if (comments->can_trail) comments->trailing = comments->pending;
    comments->can_trail = false;
    memset(&comments->pending, 0, sizeof comments->pending);
    comments->settled++;
}

static void gen_lexer_blanks(gen_lexer_t *lexer) {
    while (lexer->next < lexer->end && *lexer->next && strchr(" \t\r\f\v", *lexer->next))
        lexer->next++;
}

static bool gen_lexer_newline(gen_lexer_t *lexer, int *line) {
    if (lexer->next >= lexer->end || *lexer->next != '\n') return false;
    lexer->next++;
    ++*line;
    return true;
}

static bool gen_lexer_at_comment(const gen_lexer_t *lexer) {
    return lexer->end - lexer->next >= 2 && lexer->next[0] == '/' && (lexer->next[1] == '/' || lexer->next[1] == '*');
}

/* Takes a comment into what is pending. */
static void gen_lexer_collect(gen_lexer_t *lexer, gen_lexer_comments_t *comments, int *line) {
    const bool is_line = lexer->next[1] == '/';
    const connect_str_t comment = gen_lexer_comment(lexer);
    const char *at;
    for (at = comment.data; at < comment.data + comment.len; at++)
        *line += *at == '\n';
    if (comments->pending.data && (!is_line || comments->pending.data[1] != '/')) gen_lexer_settle(comments);
    if (!comments->pending.data) comments->pending.data = comment.data;
    comments->pending.len = (size_t)(comment.data + comment.len - comments->pending.data);
}

/* Skips white space and comments, and tells to which token they belong. */
static void gen_lexer_skip(gen_lexer_t *lexer) {
    gen_lexer_comments_t comments;
    int line = 0, trailing_line = -1; /* from the token before on; where a comment in its line ends */
    char c;
    memset(&comments, 0, sizeof comments);
    comments.can_trail = lexer->started;
    lexer->trailing = comments.trailing;
    if (lexer->started) {
        gen_lexer_blanks(lexer);
        if (gen_lexer_at_comment(lexer)) {
            gen_lexer_collect(lexer, &comments, &line);
            trailing_line = line;
            gen_lexer_settle(&comments);
            gen_lexer_blanks(lexer);
        }
        if (!gen_lexer_newline(lexer, &line) && !gen_lexer_at_comment(lexer) && trailing_line < 0) return;
    }
    for (;;) {
        gen_lexer_blanks(lexer);
        if (gen_lexer_at_comment(lexer)) {
            gen_lexer_collect(lexer, &comments, &line);
            gen_lexer_blanks(lexer);
            gen_lexer_newline(lexer, &line);
        } else if (gen_lexer_newline(lexer, &line)) {
            gen_lexer_settle(&comments);
            comments.can_trail = false;
        } else {
            break;
        }
    }
    c = lexer->next < lexer->end ? *lexer->next : '}';
    if (c == '}' || c == ']' || c == ')') gen_lexer_settle(&comments);
    if (lexer->started && (line == 0 || line == trailing_line) &&
        comments.settled + (comments.pending.data != NULL) == 1) { /* it is not clear whose it is */
        memset(&comments.trailing, 0, sizeof comments.trailing);
        gen_lexer_settle(&comments);
    }
    lexer->token.leading = comments.pending;
    lexer->trailing = comments.trailing;
}

static void gen_lexer_bad(gen_lexer_t *lexer, const char *at, const char *what) {
    if (!lexer->token.bad) gen_source_error(lexer->ctx, gen_lexer_at(lexer, at), "%s", what);
    lexer->token.bad = true;
}

static void gen_lexer_number(gen_lexer_t *lexer) {
    const char *at = lexer->next, *begin = at;
    gen_token_t *token = &lexer->token;
    unsigned base = 10;
    bool octal = true;
    token->kind = GEN_TOKEN_INTEGER;
    if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X')) {
        base = 16;
        at += 2;
        if (gen_lexer_hex(*at) < 0) gen_lexer_bad(lexer, begin, "\"0x\" without hexadecimal digits");
    } else if (at[0] == '0' && gen_lexer_is_digit(at[1])) {
        base = 8;
        at++;
    }
    for (; base == 16 ? gen_lexer_hex(*at) >= 0 : gen_lexer_is_digit(*at); at++) {
        unsigned digit = (unsigned)gen_lexer_hex(*at);
        if (digit >= base) octal = false;
        if (token->integer > (UINT64_MAX - digit) / base) token->too_big = true;
        token->integer = token->integer * base + digit;
    }
    if (base != 16 && (*at == '.' || *at == 'e' || *at == 'E')) {
        token->kind = GEN_TOKEN_FLOAT;
        if (*at == '.') at++;
        while (gen_lexer_is_digit(*at))
            at++;
        if (*at == 'e' || *at == 'E') {
            at++;
            if (*at == '+' || *at == '-') at++;
            if (!gen_lexer_is_digit(*at)) gen_lexer_bad(lexer, begin, "exponent without digits");
            while (gen_lexer_is_digit(*at))
                at++;
        }
    }
    token->text.len = (size_t)(at - begin);
    if (base == 8 && (!octal || token->kind == GEN_TOKEN_FLOAT)) {
        gen_lexer_bad(lexer, begin, "a number that starts with 0 is octal: digits 0 to 7 only");
    }
    if (base != 10 && token->too_big) gen_lexer_bad(lexer, begin, "a hexadecimal or octal number of more than 64 bits");
    if (gen_lexer_is_letter(*at) || *at == '.') {
        gen_lexer_bad(lexer, at, "expected a space between a number and what follows");
        while (gen_lexer_is_letter(*at) || gen_lexer_is_digit(*at) || *at == '.')
            at++;
    }
    lexer->next = at;
}

GEN_PRIVATE double gen_lexer_double(gen_context_t *ctx, const gen_token_t *token) {
    if (token->kind == GEN_TOKEN_INTEGER && !token->too_big) return (double)token->integer;
    return strtod(gen_source_copy(ctx, token->text), NULL);
}

static void gen_lexer_string(gen_lexer_t *lexer) {
    const char *at = lexer->next, quote = *at++;
    while (at < lexer->end && *at != quote && *at != '\n' && *at) {
        if (*at == '\\' && at + 1 < lexer->end && at[1] != '\n' && at[1]) at++;
        at++;
    }
    lexer->token.kind = GEN_TOKEN_STRING;
    if (at < lexer->end && *at == quote)
        at++;
    else
        gen_lexer_bad(lexer, lexer->next, "string without its closing quote in the same line");
    lexer->token.text.len = (size_t)(at - lexer->next);
    lexer->next = at;
}

GEN_PRIVATE void gen_lexer_next(gen_lexer_t *lexer) {
    gen_token_t *token = &lexer->token;
    gen_at_t previous = token->at;
    previous.offset += token->text.len;
    lexer->previous_end = previous;
    token->bad = false;
    for (;;) {
        bool bad = token->bad;
        char c;
        memset(token, 0, sizeof *token);
        token->bad = bad;
        gen_lexer_skip(lexer);
        lexer->started = true;
        token->at = gen_lexer_at(lexer, lexer->next);
        token->text.data = lexer->next;
        if (lexer->next >= lexer->end || lexer->ctx->error_count >= GEN_ERRORS_MAX) return;
        c = *lexer->next;
        if (gen_lexer_is_letter(c)) {
            while (gen_lexer_is_letter(*lexer->next) || gen_lexer_is_digit(*lexer->next))
                lexer->next++;
            token->kind = GEN_TOKEN_WORD;
            token->text.len = (size_t)(lexer->next - token->text.data);
            if (token->text.len > GEN_WORD_MAX) {
                gen_source_error(lexer->ctx, token->at, "identifier with more than %u bytes", GEN_WORD_MAX);
                token->text.len = GEN_WORD_MAX;
            }
            return;
        }
        if (gen_lexer_is_digit(c) || (c == '.' && gen_lexer_is_digit(lexer->next[1]))) {
            gen_lexer_number(lexer);
            return;
        }
        if (c == '"' || c == '\'') {
            gen_lexer_string(lexer);
            return;
        }
        lexer->next++;
        if (c > 0x20 && c < 0x7F) {
            token->kind = GEN_TOKEN_SYMBOL;
            token->text.len = 1;
            return;
        }
        gen_source_error(lexer->ctx, token->at, "%s \\x%02X%s", (unsigned char)c < 0x80 ? "control character" : "byte",
            (unsigned)(unsigned char)c, (unsigned char)c < 0x80 ? "" : " outside of a string or comment");
        token->bad = true;
        while (lexer->next < lexer->end && ((unsigned char)*lexer->next >= 0x7F || (unsigned char)*lexer->next < 9)) {
            lexer->next++;
        }
    }
}

GEN_PRIVATE bool gen_lexer_is(const gen_lexer_t *lexer, const char *text) {
    size_t len = strlen(text);
    return (lexer->token.kind == GEN_TOKEN_WORD || lexer->token.kind == GEN_TOKEN_SYMBOL) &&
        lexer->token.text.len == len && memcmp(lexer->token.text.data, text, len) == 0;
}

static size_t gen_lexer_utf8(uint32_t c, char *to) {
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xC0 | (c >> 6));
        to[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xE0 | (c >> 12));
        to[1] = (char)(0x80 | ((c >> 6) & 0x3F));
        to[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    to[0] = (char)(0xF0 | (c >> 18));
    to[1] = (char)(0x80 | ((c >> 12) & 0x3F));
    to[2] = (char)(0x80 | ((c >> 6) & 0x3F));
    to[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

/* Reads up to max digits of a base; false if there is none. */
static bool gen_lexer_digits(const char **at, const char *end, size_t max, unsigned base, uint32_t *value) {
    size_t count = 0;
    *value = 0;
    for (; count < max && *at < end; count++, (*at)++) {
        int digit = gen_lexer_hex(**at);
        if (digit < 0 || (unsigned)digit >= base) break;
        *value = *value * base + (uint32_t)digit;
    }
    return count > 0;
}

/* Unescapes the string token to where there is room for it; unescaped it is never longer than written. */
static size_t gen_lexer_unescape(gen_lexer_t *lexer, char *text) {
    static const char names[] = "abfnrtv\\'\"?", bytes[] = "\a\b\f\n\r\t\v\\'\"?";
    const char *at = lexer->token.text.data + 1, *end = lexer->token.text.data + lexer->token.text.len, *name;
    size_t len = 0;
    if (end > at && end[-1] == at[-1]) end--;
    while (at < end) {
        const char *begin = at;
        uint32_t value;
        bool good = true;
        if (*at != '\\') {
            text[len++] = *at++;
            continue;
        }
        if (++at >= end) break;
        name = strchr(names, *at);
        if (name) {
            text[len++] = bytes[name - names];
            at++;
            continue;
        }
        if (*at >= '0' && *at <= '7') {
            gen_lexer_digits(&at, end, 3, 8, &value); /* more than a byte: the low one, as protoc has it */
            text[len++] = (char)(value & 0xFF);
        } else if (*at == 'x' || *at == 'X') {
            at++;
            good = gen_lexer_digits(&at, end, 2, 16, &value);
            text[len++] = (char)value;
        } else if (*at == 'u' || *at == 'U') {
            size_t max = *at == 'u' ? 4 : 8;
            const char *digits = ++at;
            good = gen_lexer_digits(&at, end, max, 16, &value) && (size_t)(at - digits) == max && value <= 0x1FFFFF;
            if (good && max == 4 && value >= 0xD800 && value < 0xDC00 && end - at >= 6 && at[0] == '\\' &&
                at[1] == 'u') {
                uint32_t low;
                const char *second = at + 2;
                if (gen_lexer_digits(&second, end, 4, 16, &low) && low >= 0xDC00 && low < 0xE000) {
                    value = 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00);
                    at = second;
                }
            }
            if (good && value > 0x10FFFF) /* stays as it is written, as protoc has it */
                len += (size_t)sprintf(text + len, "\\U%08lx", (unsigned long)value);
            else if (good)
                len += gen_lexer_utf8(value, text + len);
        } else {
            good = false;
            at++;
        }
        if (!good) gen_source_error(lexer->ctx, gen_lexer_at(lexer, begin), "wrong escape sequence in a string");
    }
    return len;
}

GEN_PRIVATE bool gen_lexer_strings(gen_lexer_t *lexer, connect_str_t *text) {
    const gen_token_t *token = &lexer->token;
    size_t len = 0, room = 0;
    char *joined = NULL;
    bool good = true;
    while (token->kind == GEN_TOKEN_STRING) {
        if (len + token->text.len + 1 > room) {
            char *longer;
            room = 2 * room + token->text.len + 1;
            longer = CONNECT_NEW(&lexer->ctx->arena, char, room);
            if (len) memcpy(longer, joined, len);
            joined = longer;
        }
        if (token->bad) good = false;
        len += gen_lexer_unescape(lexer, joined + len);
        gen_lexer_next(lexer);
    }
    text->data = joined;
    text->len = len;
    return good;
}

GEN_PRIVATE connect_str_t gen_lexer_comment_text(gen_context_t *ctx, connect_str_t comment) {
    connect_str_t result = {NULL, 0};
    const char *at = comment.data, *end;
    size_t len = 0;
    char *text;
    if (!comment.len) return result;
    end = at + comment.len;
    text = CONNECT_NEW(&ctx->arena, char, comment.len + 1);
    if (at[1] == '/') {
        while (at < end) {
            while (at < end && *at != '/')
                at++;
            for (at += 2; at < end && *at != '\n'; at++)
                text[len++] = *at;
            text[len++] = '\n';
            at++;
        }
    } else {
        if (end - at >= 4 && end[-1] == '/' && end[-2] == '*') end -= 2;
        for (at += 2; at < end;) {
            text[len++] = *at;
            if (*at++ != '\n') continue;
            while (at < end && strchr(" \t\r\f\v", *at))
                at++;
            if (at < end && *at == '*') at++;
        }
    }
    result.data = text;
    result.len = len;
    return result;
}

/* #### src/gen/map.h ############################################################################################### */
/* A map from zero-terminated names to pointers. {0} is an empty one. */
typedef struct gen_map_slot_t {
    const char *key;
    void *value;
} gen_map_slot_t;
typedef struct gen_map_t {
    gen_map_slot_t *slots;
    size_t room, count; /* room: 0 or a power of two */
} gen_map_t;
/* Returns the value of a key; NULL if there is none. */
GEN_PRIVATE void *gen_map_get(const gen_map_t *map, const char *key);
/* Adds a key that is not there yet; key: kept, value: not NULL. */
GEN_PRIVATE void gen_map_put(gen_context_t *ctx, gen_map_t *map, const char *key, void *value);

/* #### src/gen/map.c ############################################################################################### */
/* A hash map with open addressing, at most half full, in the context's arena. Nothing is ever removed. The order of the
   slots is never used for output, which must not depend on it. */

static size_t gen_map_hash(const char *key) {
    uint64_t hash = 14695981039346656037u;
    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * 1099511628211u;
    return (size_t)(hash ^ (hash >> 29));
}

static gen_map_slot_t *gen_map_slot(const gen_map_t *map, const char *key) {
    size_t at = gen_map_hash(key) & (map->room - 1);
    while (map->slots[at].key && strcmp(map->slots[at].key, key) != 0)
        at = (at + 1) & (map->room - 1);
    return &map->slots[at];
}

GEN_PRIVATE void *gen_map_get(const gen_map_t *map, const char *key) {
    return map->room ? gen_map_slot(map, key)->value : NULL;
}

GEN_PRIVATE void gen_map_put(gen_context_t *ctx, gen_map_t *map, const char *key, void *value) {
    gen_map_slot_t *slot;
    if (2 * (map->count + 1) > map->room) {
        gen_map_t old = *map;
        size_t i;
        map->room = old.room ? 2 * old.room : 64;
        map->slots = CONNECT_NEW(&ctx->arena, gen_map_slot_t, map->room);
        for (i = 0; i < old.room; i++) {
            if (old.slots[i].key) *gen_map_slot(map, old.slots[i].key) = old.slots[i];
        }
    }
    slot = gen_map_slot(map, key);
    slot->key = key;
    slot->value = value;
    map->count++;
}

/* #### src/gen/model.h ############################################################################################# */
/* What .proto files say: filled in by the parser, then by resolve, option, check and names, in this order. All of it is
   in the context's arena. Names are zero-terminated. */

typedef struct gen_file_t gen_file_t;
typedef struct gen_type_t gen_type_t;
typedef struct gen_enum_t gen_enum_t;
typedef struct gen_field_t gen_field_t;

typedef enum gen_syntax_t { GEN_SYNTAX_PROTO2, GEN_SYNTAX_PROTO3, GEN_SYNTAX_EDITIONS } gen_syntax_t;
typedef enum gen_feature_t { /* the numbers of google.protobuf.FeatureSet's fields */
    GEN_FEATURE_FIELD_PRESENCE = 1,
    GEN_FEATURE_ENUM_TYPE,
    GEN_FEATURE_REPEATED_FIELD_ENCODING,
    GEN_FEATURE_UTF8_VALIDATION,
    GEN_FEATURE_MESSAGE_ENCODING,
    GEN_FEATURE_JSON_FORMAT,
    GEN_FEATURE_ENFORCE_NAMING_STYLE,
    GEN_FEATURE_DEFAULT_SYMBOL_VISIBILITY,
    GEN_FEATURE_COUNT
} gen_feature_t;
enum { /* their values that are asked for */
    GEN_PRESENCE_EXPLICIT = 1,
    GEN_PRESENCE_IMPLICIT = 2,
    GEN_PRESENCE_LEGACY_REQUIRED = 3,
    GEN_ENUM_OPEN = 1,
    GEN_ENUM_CLOSED = 2,
    GEN_REPEATED_PACKED = 1,
    GEN_REPEATED_EXPANDED = 2,
    GEN_UTF8_VERIFY = 2,
    GEN_UTF8_NONE = 3,
    GEN_ENCODING_LENGTH_PREFIXED = 1,
    GEN_ENCODING_DELIMITED = 2,
    GEN_JSON_ALLOW = 1,
    GEN_JSON_LEGACY_BEST_EFFORT = 2,
    GEN_STYLE_2024 = 1,
    GEN_STYLE_LEGACY = 2,
    GEN_VISIBILITY_EXPORT_ALL = 1,
    GEN_VISIBILITY_EXPORT_TOP_LEVEL = 2,
    GEN_VISIBILITY_LOCAL_ALL = 3,
    GEN_VISIBILITY_STRICT = 4
};
#define GEN_EDITION_2023 1000 /* in google.protobuf.Edition */
#define GEN_EDITION_2024 1001
typedef struct gen_features_t { /* in effect: of[GEN_FEATURE_JSON_FORMAT] is GEN_JSON_ALLOW, ... */
    uint8_t of[GEN_FEATURE_COUNT];
} gen_features_t;
typedef enum gen_label_t { GEN_LABEL_NONE, GEN_LABEL_OPTIONAL, GEN_LABEL_REQUIRED, GEN_LABEL_REPEATED } gen_label_t;
typedef enum gen_value_kind_t {
    GEN_VALUE_WORD,     /* text: an identifier, or -inf, -nan */
    GEN_VALUE_INTEGER,  /* integer, negative */
    GEN_VALUE_FLOAT,    /* number */
    GEN_VALUE_STRING,   /* text: unescaped */
    GEN_VALUE_AGGREGATE /* text: as written, with its braces */
} gen_value_kind_t;

typedef struct gen_docs_t { /* comments, without their marks */
    connect_str_t leading, trailing;
} gen_docs_t;
/* A message of a type of the model, by its values: what options are. Items are in the order of their numbers. */
typedef struct gen_object_t gen_object_t;
typedef struct gen_item_t {
    struct gen_item_t *next;
    const gen_field_t *field;
    gen_at_t at;
    uint64_t bits;         /* numbers, bools, enums: int32 and int64 with their sign; floats as IEEE 754 has them */
    connect_str_t text;    /* string, bytes */
    gen_object_t *message; /* message, group */
} gen_item_t;
struct gen_object_t {
    const gen_type_t *type;
    gen_item_t *items, *last;
    connect_str_t unknown; /* of a descriptor: fields that the type does not have, as they stand on the wire */
};

/* `name = value`, as it is written. */
typedef struct gen_option_t {
    struct gen_option_t *next;
    const char *name; /* "packed", "(acme.label).text" */
    gen_at_t at, value_at;
    gen_value_kind_t kind;
    connect_str_t text;
    uint64_t integer;
    double number;
    bool negative;
} gen_option_t;
typedef struct gen_options_t { /* of a file, a message, a field ... */
    gen_option_t *first, *tail;
    size_t count;
    connect_str_t encoded; /* of a descriptor, in place of the list; not NULL: there are options, if of no number */
    gen_object_t *object;  /* what they mean, a google.protobuf.FileOptions ...; NULL: there are none */
} gen_options_t;
typedef struct gen_range_t {
    struct gen_range_t *next;
    gen_at_t at;
    int32_t first, last; /* both belong to it */
    bool to_max;
    gen_options_t *options; /* of extension numbers: shared by those of one statement */
} gen_range_t;
typedef struct gen_word_t {
    struct gen_word_t *next;
    gen_at_t at;
    const char *text;
} gen_word_t;

typedef struct gen_oneof_t {
    struct gen_oneof_t *next;
    const char *name, *full_name;
    gen_at_t at;
    gen_docs_t docs;
    gen_options_t options;
    gen_features_t features;
    size_t field_count;
    uint32_t index;
    bool synthetic;                 /* around a proto3 optional */
    const char *c_name, *c_case;    /* members: the union, and what says which */
    const char *c_enum, *c_not_set; /* the enum of the choices, and its zero */
} gen_oneof_t;
struct gen_field_t {
    gen_field_t *next;
    gen_file_t *file;
    gen_type_t *parent; /* NULL: an extension outside of a message */
    gen_oneof_t *oneof;
    const char *name, *full_name, *json_name;
    const char *type_name; /* as written; NULL: a scalar */
    const char *extendee_name;
    gen_at_t at, type_at, number_at, extendee_at, json_name_at;
    gen_docs_t docs;
    gen_options_t options;
    const gen_option_t *default_value;
    gen_features_t features;
    gen_type_t *extendee;
    gen_type_t *holder;      /* of an extension: the struct with this one field */
    gen_type_t *type;        /* MESSAGE, GROUP */
    gen_enum_t *enumeration; /* ENUM */
    gen_label_t label;
    int kind; /* connect_kind_t; 0: a name that is not resolved yet */
    int32_t number;
    bool has_json_name; /* another than the default one */
    bool proto3_optional, is_map, is_group;
    bool required, packed, nullable, has, utf8, deprecated;
    const char *c_name, *c_has; /* members */
    const char *c_choice;       /* the enumerator in its oneof */
    const char *c_get, *c_set;  /* functions: that looks into the map; that sets what makes it present, too */
};
typedef struct gen_user_t {
    struct gen_user_t *next;
    gen_type_t *type;
} gen_user_t;
struct gen_type_t { /* a message */
    struct gen_type_t *next;
    gen_file_t *file;
    gen_type_t *parent;
    const char *name, *full_name;
    gen_at_t at;
    gen_docs_t docs;
    gen_options_t options;
    gen_features_t features;
    GEN_LIST(gen_field_t) fields;
    GEN_LIST(gen_field_t) extensions;
    GEN_LIST(gen_oneof_t) oneofs;
    GEN_LIST(gen_type_t) types;
    GEN_LIST(gen_enum_t) enums;
    GEN_LIST(gen_range_t) reserved;
    GEN_LIST(gen_range_t) extension_ranges;
    GEN_LIST(gen_word_t) reserved_names;
    gen_field_t **by_number;
    int32_t visibility;           /* google.protobuf.SymbolVisibility: 0 not said, 1 local, 2 export */
    const gen_field_t *extension; /* whose holder it is; NULL: it is a message */
    gen_user_t *users;            /* messages that have fields of its type */
    gen_type_t *next_required;    /* on the list of those whose users are to be told that it has_required */
    bool is_map_entry, is_message_set, has_required, keeps_unknown, deprecated;
    const char *c_name, *c_unknown;
};
typedef struct gen_enum_value_t {
    struct gen_enum_value_t *next;
    gen_enum_t *parent;
    const char *name, *full_name;
    gen_at_t at, number_at;
    gen_docs_t docs;
    gen_options_t options;
    gen_features_t features;
    uint32_t index; /* in its enum */
    int32_t number;
    bool deprecated;
    const char *c_name;
} gen_enum_value_t;
struct gen_enum_t {
    struct gen_enum_t *next;
    gen_file_t *file;
    gen_type_t *parent;
    const char *name, *full_name;
    gen_at_t at;
    gen_docs_t docs;
    gen_options_t options;
    gen_features_t features;
    GEN_LIST(gen_enum_value_t) values;
    GEN_LIST(gen_range_t) reserved;
    GEN_LIST(gen_word_t) reserved_names;
    gen_map_t by_name;  /* its values; filled when it is asked for */
    int32_t visibility; /* as of messages */
    bool closed, allow_alias, deprecated;
    const char *c_name;
};
typedef struct gen_method_t {
    struct gen_method_t *next;
    const char *name, *full_name;
    const char *input_name, *output_name;
    gen_at_t at, input_at, output_at;
    gen_docs_t docs;
    gen_options_t options;
    gen_features_t features;
    gen_type_t *input, *output;
    bool client_streams, server_streams, deprecated;
    int32_t idempotency;
    const char *c_name, *c_slot; /* Service_Method, and the member of the handlers */
} gen_method_t;
typedef struct gen_service_t {
    struct gen_service_t *next;
    gen_file_t *file;
    const char *name, *full_name;
    gen_at_t at;
    gen_docs_t docs;
    gen_options_t options;
    gen_features_t features;
    GEN_LIST(gen_method_t) methods;
    bool deprecated;
    const char *c_name;
} gen_service_t;
typedef struct gen_import_t {
    struct gen_import_t *next;
    const char *name;
    gen_at_t at;
    gen_file_t *file; /* NULL: not found */
    bool is_public, is_weak;
} gen_import_t;
struct gen_file_t {
    struct gen_file_t *next;
    const gen_source_t *source;
    const char *name;
    const char *package; /* "" if it has none */
    gen_at_t package_at;
    gen_syntax_t syntax;
    int32_t edition; /* the number in google.protobuf.Edition */
    gen_options_t options;
    gen_features_t features;
    GEN_LIST(gen_import_t) imports;
    GEN_LIST(gen_import_t) option_imports; /* for custom options only */
    GEN_LIST(gen_type_t) types;
    GEN_LIST(gen_enum_t) enums;
    GEN_LIST(gen_service_t) services;
    GEN_LIST(gen_field_t) extensions;
    GEN_LIST(gen_type_t) holders; /* of all extensions in it */
    bool built_in, wanted;        /* wanted: a header is to be written */
    bool incomplete;              /* it, or what it imports, could not be read in full */
    bool loading;                 /* on the path of imports that is being read */
    uint32_t visible_from;        /* the serial of the last gen_resolve_see that found this one */
    const char *c_name, *guard, *header;
};
typedef struct gen_style_t { /* what the user wants of the code */
    const char *prefix;      /* in front of every name; "" if nothing */
    const char **strip;      /* packages left out of names; "" stands for all */
    size_t strip_count;
    bool drop_unknown; /* structs without unknown fields */
} gen_style_t;
typedef struct gen_model_t {
    gen_context_t *ctx;
    gen_style_t style;
    GEN_LIST(gen_file_t) files; /* imports before what imports them */
    gen_map_t file_names, symbols;
    uint32_t serial; /* of the last gen_resolve_see: what is visible has it in visible_from */
} gen_model_t;

/* #### src/gen/scalar.h ############################################################################################ */
/* "int32" is CONNECT_KIND_INT32, and back; 0: it is no scalar type. */
GEN_PRIVATE int gen_scalar_kind(const char *name);
GEN_PRIVATE const char *gen_scalar_kind_name(int kind);
/* Finds a value of an enum by its name; NULL if there is none. */
GEN_PRIVATE const gen_enum_value_t *gen_scalar_enum_value(
    gen_context_t *ctx, gen_enum_t *enumeration, connect_str_t name);
/* Turns what is written into the value of a field that is no message. what: `option "packed"`, for the message if it
   does not fit, which is reported. text_format: what that accepts besides. */
GEN_PRIVATE bool gen_scalar_read(gen_context_t *ctx, gen_item_t *item, const gen_field_t *field,
    const gen_option_t *value, const char *what, bool text_format);

/* #### src/gen/scalar.c ############################################################################################ */
/* Values as they are written, of options and defaults: what of it fits which type (protobuf.dev, "Language
   Specification", constant).

     int32 ... sfixed64   an integer in range; unsigned ones without a minus
     float, double        an integer, a float, inf, nan; a float that is too large is infinite
     bool                 true, false
     enum                 the name of a value
     string, bytes        strings in quotes

   The text format (protobuf.dev, "Text Format Language"), in which messages are written, has more: true and false as t,
   True, 1, f, False, 0; enums by number; infinity for inf, in any case. */

GEN_PRIVATE const char *gen_scalar_kind_name(int kind) {
    static const char *const names[] = {"", "double", "float", "int64", "uint64", "int32", "fixed64", "fixed32", "bool",
        "string", "group", "message", "bytes", "uint32", "enum", "sfixed32", "sfixed64", "sint32", "sint64"};
    return names[kind];
}

GEN_PRIVATE int gen_scalar_kind(const char *name) {
    int kind;
    for (kind = CONNECT_KIND_DOUBLE; kind <= CONNECT_KIND_SINT64; kind++) {
        if (kind == CONNECT_KIND_GROUP || kind == CONNECT_KIND_MESSAGE || kind == CONNECT_KIND_ENUM) continue;
        if (strcmp(gen_scalar_kind_name(kind), name) == 0) return kind;
    }
    return 0;
}

GEN_PRIVATE const gen_enum_value_t *gen_scalar_enum_value(
    gen_context_t *ctx, gen_enum_t *enumeration, connect_str_t name) {
    if (!enumeration->by_name.count) {
        gen_enum_value_t *value;
        for (value = enumeration->values.first; value; value = value->next) {
            if (!gen_map_get(&enumeration->by_name, value->name))
                gen_map_put(ctx, &enumeration->by_name, value->name, value);
        }
    }
    return gen_map_get(&enumeration->by_name, gen_source_copy(ctx, name));
}

static bool gen_scalar_is_one_of(const gen_option_t *value, const char *words) {
    size_t len = value->text.len;
    while (*words) {
        size_t word = strcspn(words, " ");
        if (word == len && memcmp(words, value->text.data, len) == 0) return true;
        words += word + (words[word] == ' ');
    }
    return false;
}

static bool gen_scalar_bool(gen_item_t *item, const gen_option_t *value, bool text_format) {
    if (text_format && value->kind == GEN_VALUE_INTEGER && !value->negative && value->integer <= 1) {
        item->bits = value->integer;
        return true;
    }
    if (value->kind != GEN_VALUE_WORD || value->negative) return false;
    item->bits = gen_scalar_is_one_of(value, text_format ? "true True t" : "true");
    return item->bits || gen_scalar_is_one_of(value, text_format ? "false False f" : "false");
}

static bool gen_scalar_float(gen_item_t *item, const gen_option_t *value, bool single, bool text_format) {
    double number = value->number;
    if (value->kind == GEN_VALUE_WORD) {
        char word[16] = "";
        size_t i;
        for (i = 0; i < value->text.len && i < sizeof word - 1; i++) {
            char c = value->text.data[i];
            word[i] = text_format && c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
        }
        if (strcmp(word, "inf") == 0 || (text_format && strcmp(word, "infinity") == 0))
            number = strtod("inf", NULL);
        else if (strcmp(word, "nan") == 0)
            number = strtod("nan", NULL);
        else
            return false;
    } else if (value->kind != GEN_VALUE_INTEGER && value->kind != GEN_VALUE_FLOAT) {
        return false;
    }
    if (value->negative) number = -number;
    if (single) {
        float narrow = (float)number;
        uint32_t bits;
        memcpy(&bits, &narrow, sizeof bits);
        item->bits = bits;
    } else {
        memcpy(&item->bits, &number, sizeof number);
    }
    return true;
}

static bool gen_scalar_enum(
    gen_context_t *ctx, gen_item_t *item, gen_enum_t *enumeration, const gen_option_t *value, bool text_format) {
    const gen_enum_value_t *choice;
    if (text_format && value->kind == GEN_VALUE_INTEGER && value->integer <= (value->negative ? 1u << 31 : INT32_MAX)) {
        const int64_t number = value->negative ? -(int64_t)value->integer : (int64_t)value->integer;
        item->bits = (uint64_t)number;
        if (!enumeration->closed) return true;
        for (choice = enumeration->values.first; choice; choice = choice->next) {
            if (choice->number == number) return true;
        }
        return false;
    }
    if (value->kind != GEN_VALUE_WORD || value->negative) return false;
    choice = gen_scalar_enum_value(ctx, enumeration, value->text);
    if (choice) item->bits = (uint64_t)(int64_t)choice->number;
    return choice != NULL;
}

static bool gen_scalar_integer(gen_item_t *item, const gen_option_t *value, int kind) {
    const bool wide = kind == CONNECT_KIND_INT64 || kind == CONNECT_KIND_SINT64 || kind == CONNECT_KIND_SFIXED64 ||
        kind == CONNECT_KIND_UINT64 || kind == CONNECT_KIND_FIXED64;
    const bool is_unsigned = kind == CONNECT_KIND_UINT64 || kind == CONNECT_KIND_FIXED64 ||
        kind == CONNECT_KIND_UINT32 || kind == CONNECT_KIND_FIXED32;
    uint64_t max = is_unsigned ? (wide ? UINT64_MAX : UINT32_MAX) : (wide ? (uint64_t)INT64_MAX : INT32_MAX);
    if (value->negative) max++;
    if (value->kind != GEN_VALUE_INTEGER || value->integer > max || (value->negative && is_unsigned)) return false;
    item->bits = value->negative ? (uint64_t)0 - value->integer : value->integer;
    return true;
}

/* What an enum's values are called, as far as a message has room for. */
static const char *gen_scalar_choices(gen_context_t *ctx, const gen_enum_t *enumeration) {
    const gen_enum_value_t *value = enumeration->values.first;
    const char *list = "";
    unsigned i;
    for (i = 0; value && i < 10; value = value->next, i++)
        list = gen_source_printf(ctx, "%s%s%s", list, i ? ", " : "", value->name);
    return value ? gen_source_printf(ctx, "%s, ...", list) : list;
}

GEN_PRIVATE bool gen_scalar_read(gen_context_t *ctx, gen_item_t *item, const gen_field_t *field,
    const gen_option_t *value, const char *what, bool text_format) {
    const char *wanted;
    switch (field->kind) {
    case CONNECT_KIND_STRING:
    case CONNECT_KIND_BYTES:
        item->text = value->text;
        if (value->kind == GEN_VALUE_STRING) return true;
        wanted = "a string";
        break;
    case CONNECT_KIND_BOOL:
        if (gen_scalar_bool(item, value, text_format)) return true;
        wanted = "true or false";
        break;
    case CONNECT_KIND_ENUM:
        if (!field->enumeration || gen_scalar_enum(ctx, item, field->enumeration, value, text_format)) return true;
        wanted = gen_source_printf(ctx, "one of %s", gen_scalar_choices(ctx, field->enumeration));
        break;
    case CONNECT_KIND_DOUBLE:
    case CONNECT_KIND_FLOAT:
        if (gen_scalar_float(item, value, field->kind == CONNECT_KIND_FLOAT, text_format)) return true;
        wanted = "a number";
        break;
    default:
        if (gen_scalar_integer(item, value, field->kind)) return true;
        wanted = gen_source_printf(ctx, "an integer in the range of %s", gen_scalar_kind_name(field->kind));
        break;
    }
    gen_source_error(ctx, value->value_at, "%s must be %s", what, wanted);
    return false;
}

/* #### src/gen/parser.h ############################################################################################ */
#define GEN_PATH_MAX 4096u /* bytes of a name with dots */
#define GEN_DEPTH_MAX 32u  /* levels of messages in messages */

/* Reads a source into a file. What is wrong is reported; the file holds what could be read. */
GEN_PRIVATE gen_file_t *gen_parser_file(gen_context_t *ctx, const gen_source_t *source);

/* For parse_option.c: the parser's state, and what it has for others. */
typedef struct gen_parser_t {
    gen_context_t *ctx;
    gen_lexer_t lexer;
    gen_file_t *file;
    unsigned depth;
    int32_t visibility; /* said in front of the message or enum at hand */
} gen_parser_t;
GEN_PRIVATE bool gen_parser_take(gen_parser_t *parser, const char *text);
/* Takes a symbol, or reports that it was expected. A missing ; at the end of a line is taken as if it were there. */
GEN_PRIVATE bool gen_parser_expect(gen_parser_t *parser, const char *text, const char *where);
/* Reports that something else was expected. Returns false. */
GEN_PRIVATE bool gen_parser_wrong(gen_parser_t *parser, const char *expected);
/* Takes a word into *name; false, and reported, if there is none. */
GEN_PRIVATE bool gen_parser_word(gen_parser_t *parser, const char *what, const char **name);
/* Takes one or more string literals; false, and reported, if there is none. */
GEN_PRIVATE bool gen_parser_string(gen_parser_t *parser, const char *what, connect_str_t *text);
/* Takes a.b.c or .a.b.c. */
GEN_PRIVATE bool gen_parser_path(gen_parser_t *parser, const char *what, const char **path);

/* #### src/gen/parse_option.h ###################################################################################### */
/* Reads `name = value`, at the name, into the list. Returns false after a syntax error. */
GEN_PRIVATE bool gen_parse_option_assignment(gen_parser_t *parser, gen_options_t *options);
/* Reads `option name = value;`. */
GEN_PRIVATE bool gen_parse_option_statement(gen_parser_t *parser, gen_options_t *options);
/* Reads `[a = 1, b = 2]` if it is there. */
GEN_PRIVATE bool gen_parse_option_brackets(gen_parser_t *parser, gen_options_t *options);

/* #### src/gen/parse_option.c ###################################################################################### */
/* Options as they are written: names of parts, a.(b.c).d, and values: a word, a number, strings, or a text-format
   message in braces. What they mean is told by option.c.

   An aggregate is kept as text. Its braces, brackets and angles must match; they may nest GEN_PARSE_OPTION_DEPTH
   deep. */

#define GEN_PARSE_OPTION_DEPTH 64u

static bool gen_parse_option_name(gen_parser_t *parser, gen_option_t *option) {
    const char *name = "";
    option->at = parser->lexer.token.at;
    for (;;) {
        const char *part;
        if (gen_parser_take(parser, "(")) {
            if (!gen_parser_path(parser, "the name of an option", &part)) return false;
            if (!gen_parser_expect(parser, ")", "after the name of a custom option")) return false;
            part = gen_source_printf(parser->ctx, "(%s)", part);
        } else if (!gen_parser_word(parser, "the name of an option", &part)) {
            return false;
        }
        if (strlen(name) + strlen(part) > GEN_PATH_MAX) {
            gen_source_error(parser->ctx, option->at, "the name of an option has more than %u bytes", GEN_PATH_MAX);
            return false;
        }
        name = *name ? gen_source_printf(parser->ctx, "%s.%s", name, part) : part;
        if (!gen_parser_take(parser, ".")) break;
    }
    option->name = name;
    return true;
}

static bool gen_parse_option_brackets_match(gen_parser_t *parser, gen_option_t *option) {
    char closing[GEN_PARSE_OPTION_DEPTH];
    unsigned depth = 0;
    const gen_token_t *token = &parser->lexer.token;
    do {
        char c = token->kind == GEN_TOKEN_SYMBOL ? token->text.data[0] : 'x';
        if (token->kind == GEN_TOKEN_END) return gen_parser_wrong(parser, "the end of the option's value");
        if (c == '{' || c == '[' || c == '<') {
            if (depth == GEN_PARSE_OPTION_DEPTH) {
                gen_source_error(
                    parser->ctx, token->at, "the option's value nests deeper than %u levels", GEN_PARSE_OPTION_DEPTH);
                return false;
            }
            closing[depth++] = c == '{' ? '}' : c == '[' ? ']' : '>';
        } else if (c == '}' || c == ']' || c == '>') {
            const char wanted[4] = {'"', closing[depth - 1], '"', 0};
            if (c != closing[depth - 1]) return gen_parser_wrong(parser, wanted);
            depth--;
        } else if (c != 'x' && !strchr(":;,.-/", c)) {
            return gen_parser_wrong(parser, "a field of the option's value");
        }
        option->text.len = (size_t)(token->text.data + token->text.len - option->text.data);
        gen_lexer_next(&parser->lexer);
    } while (depth > 0);
    return true;
}

static bool gen_parse_option_aggregate(gen_parser_t *parser, gen_option_t *option) {
    option->kind = GEN_VALUE_AGGREGATE;
    option->text.data = parser->lexer.token.text.data;
    if (gen_parse_option_brackets_match(parser, option)) return true;
    /* Where braces do not match, the ; that ends the statement is the best place to go on at. */
    while (!gen_lexer_is(&parser->lexer, ";") && parser->lexer.token.kind != GEN_TOKEN_END) {
        gen_lexer_next(&parser->lexer);
    }
    return false;
}

GEN_PRIVATE bool gen_parse_option_assignment(gen_parser_t *parser, gen_options_t *options) {
    gen_option_t *option = CONNECT_NEW(&parser->ctx->arena, gen_option_t, 1);
    const gen_token_t *token = &parser->lexer.token;
    if (!gen_parse_option_name(parser, option)) return false;
    if (!gen_parser_expect(parser, "=", "after the name of an option")) return false;
    option->value_at = token->at;
    if (gen_lexer_is(&parser->lexer, "{")) {
        if (!gen_parse_option_aggregate(parser, option)) return false;
    } else if (token->kind == GEN_TOKEN_STRING) {
        option->kind = GEN_VALUE_STRING;
        if (!gen_parser_string(parser, "a value", &option->text)) return false;
    } else {
        option->negative = gen_parser_take(parser, "-");
        if (token->kind == GEN_TOKEN_INTEGER) {
            option->kind = GEN_VALUE_INTEGER;
            option->integer = token->integer;
            option->number = gen_lexer_double(parser->ctx, token);
            if (token->too_big) option->kind = GEN_VALUE_FLOAT;
        } else if (token->kind == GEN_TOKEN_FLOAT) {
            option->kind = GEN_VALUE_FLOAT;
            option->number = gen_lexer_double(parser->ctx, token);
        } else if (token->kind == GEN_TOKEN_WORD) {
            option->kind = GEN_VALUE_WORD;
        } else {
            return gen_parser_wrong(parser, "the value of an option");
        }
        option->text = token->text;
        gen_lexer_next(&parser->lexer);
    }
    GEN_APPEND(*options, option);
    return true;
}

GEN_PRIVATE bool gen_parse_option_statement(gen_parser_t *parser, gen_options_t *options) {
    gen_lexer_next(&parser->lexer);
    return gen_parse_option_assignment(parser, options) && gen_parser_expect(parser, ";", "after an option");
}

GEN_PRIVATE bool gen_parse_option_brackets(gen_parser_t *parser, gen_options_t *options) {
    if (!gen_parser_take(parser, "[")) return true;
    do {
        if (!gen_parse_option_assignment(parser, options)) return false;
    } while (gen_parser_take(parser, ","));
    return gen_parser_expect(parser, "]", "after the options");
}

/* #### src/gen/parser.c ############################################################################################ */
/* The protobuf language, proto2, proto3 and editions (protobuf.dev, "Language Specification"): one function for each
   production, and a place for every name, so that later messages can point at it. Which statement is allowed in which
   syntax, and all that needs a second look, is told by check.c; names are resolved by resolve.c.

   A syntax error is reported once; reading goes on behind the statement: behind its ; or behind its {...}, before a }
   that closes what the statement is in. A ; that is missing at the end of a line is reported and taken as if it were
   there.

   Recursion: only messages in messages (and groups), at most GEN_DEPTH_MAX levels; deeper ones are reported and
   skipped. */

static void gen_parser_message_body(gen_parser_t *parser, gen_type_t *type);

GEN_PRIVATE bool gen_parser_take(gen_parser_t *parser, const char *text) {
    if (!gen_lexer_is(&parser->lexer, text)) return false;
    gen_lexer_next(&parser->lexer);
    return true;
}

GEN_PRIVATE bool gen_parser_wrong(gen_parser_t *parser, const char *expected) {
    const gen_token_t *token = &parser->lexer.token;
    if (token->bad) return false;
    if (token->kind == GEN_TOKEN_END) {
        if (parser->ctx->error_count < GEN_ERRORS_MAX) {
            gen_source_error(parser->ctx, token->at, "expected %s, found the end of the file", expected);
        }
    } else {
        const char *quote = token->kind == GEN_TOKEN_STRING ? "" : "\"";
        gen_source_error(parser->ctx, token->at, "expected %s, found %s%s%s", expected, quote,
            gen_source_quote(parser->ctx, token->text), quote);
    }
    return false;
}

GEN_PRIVATE bool gen_parser_expect(gen_parser_t *parser, const char *text, const char *where) {
    const gen_token_t *token = &parser->lexer.token;
    if (gen_parser_take(parser, text)) return true;
    if (text[0] == ';' && token->kind != GEN_TOKEN_END) {
        gen_at_t at = parser->lexer.previous_end;
        const char *newline = memchr(at.source->text.data + at.offset, '\n', token->at.offset - at.offset);
        if (newline || gen_lexer_is(&parser->lexer, "}")) {
            gen_source_error(parser->ctx, at, "expected \";\" %s", where);
            return true;
        }
    }
    return gen_parser_wrong(parser, gen_source_printf(parser->ctx, "\"%s\" %s", text, where));
}

GEN_PRIVATE bool gen_parser_word(gen_parser_t *parser, const char *what, const char **name) {
    *name = "";
    if (parser->lexer.token.kind != GEN_TOKEN_WORD) return gen_parser_wrong(parser, what);
    *name = gen_source_copy(parser->ctx, parser->lexer.token.text);
    gen_lexer_next(&parser->lexer);
    return true;
}

GEN_PRIVATE bool gen_parser_string(gen_parser_t *parser, const char *what, connect_str_t *text) {
    const gen_token_t *token = &parser->lexer.token;
    text->data = "";
    text->len = 0;
    if (token->kind != GEN_TOKEN_STRING || token->bad) return gen_parser_wrong(parser, what);
    return gen_lexer_strings(&parser->lexer, text);
}

GEN_PRIVATE bool gen_parser_path(gen_parser_t *parser, const char *what, const char **path) {
    char text[GEN_PATH_MAX + 1];
    size_t len = 0;
    gen_at_t at = parser->lexer.token.at;
    *path = "";
    if (gen_parser_take(parser, ".")) text[len++] = '.';
    do {
        const gen_token_t *token = &parser->lexer.token;
        if (token->kind != GEN_TOKEN_WORD) return gen_parser_wrong(parser, what);
        if (len + token->text.len + 1 > GEN_PATH_MAX) {
            gen_source_error(parser->ctx, at, "a name has more than %u bytes", GEN_PATH_MAX);
            return false;
        }
        if (len > 0 && text[len - 1] != '.') text[len++] = '.';
        memcpy(text + len, token->text.data, token->text.len);
        len += token->text.len;
        gen_lexer_next(&parser->lexer);
    } while (gen_parser_take(parser, "."));
    *path = gen_source_copy(parser->ctx, (connect_str_t){text, len});
    return true;
}

/* The comment above the statement that begins here, and the one that belongs to what ended here. */
static connect_str_t gen_parser_leading(const gen_parser_t *parser) {
    return gen_lexer_comment_text(parser->ctx, parser->lexer.token.leading);
}

static connect_str_t gen_parser_trailing(const gen_parser_t *parser) {
    return gen_lexer_comment_text(parser->ctx, parser->lexer.trailing);
}

/* Skips to behind the statement that went wrong. */
static void gen_parser_recover(gen_parser_t *parser) {
    unsigned long depth = 0;
    while (parser->lexer.token.kind != GEN_TOKEN_END) {
        if (gen_lexer_is(&parser->lexer, "{")) {
            depth++;
        } else if (gen_lexer_is(&parser->lexer, "}")) {
            if (depth == 0) return;
            if (--depth == 0) {
                gen_lexer_next(&parser->lexer);
                return;
            }
        } else if (depth == 0 && gen_lexer_is(&parser->lexer, ";")) {
            gen_lexer_next(&parser->lexer);
            return;
        }
        gen_lexer_next(&parser->lexer);
    }
}

/* Takes a number of int32's range. max: what `max` stands for, 0: not allowed. */
static bool gen_parser_int32(gen_parser_t *parser, const char *what, int32_t max, int32_t *value) {
    const gen_token_t *token = &parser->lexer.token;
    gen_at_t at = token->at;
    int64_t wide;
    bool negative;
    *value = 0;
    if (max && gen_parser_take(parser, "max")) {
        *value = max;
        return true;
    }
    negative = gen_parser_take(parser, "-");
    if (token->kind != GEN_TOKEN_INTEGER || token->bad) return gen_parser_wrong(parser, what);
    if (token->too_big || token->integer > (negative ? 2147483648u : 2147483647u)) {
        gen_source_error(parser->ctx, at, "%s is out of range: it must fit into 32 bits", what);
        return false;
    }
    wide = (int64_t)token->integer;
    *value = (int32_t)(negative ? -wide : wide);
    gen_lexer_next(&parser->lexer);
    return true;
}

static bool gen_parser_skip_block(gen_parser_t *parser) {
    gen_parser_recover(parser);
    return true;
}

/* ---- Enums ---- */

/* `reserved 2, 5 to 9, 20 to max;` or `reserved "a", "b";`, in editions `reserved a, b;`, at `reserved`.
   max: the number that is called so. */
static bool gen_parser_reserved(gen_parser_t *parser, int32_t max, gen_type_t *type, gen_enum_t *enumeration) {
    const gen_token_t *token = &parser->lexer.token;
    const bool names_are_words = parser->file->syntax == GEN_SYNTAX_EDITIONS;
    gen_lexer_next(&parser->lexer);
    if (token->kind == (names_are_words ? GEN_TOKEN_WORD : GEN_TOKEN_STRING)) {
        do {
            gen_word_t *word = CONNECT_NEW(&parser->ctx->arena, gen_word_t, 1);
            connect_str_t text;
            word->at = token->at;
            if (names_are_words) {
                if (!gen_parser_word(parser, "a reserved name", &word->text)) return false;
            } else {
                if (!gen_parser_string(parser, "a reserved name in quotes", &text)) return false;
                word->text = gen_source_copy(parser->ctx, text);
            }
            if (type)
                GEN_APPEND(type->reserved_names, word);
            else
                GEN_APPEND(enumeration->reserved_names, word);
        } while (gen_parser_take(parser, ","));
        return gen_parser_expect(parser, ";", "after the reserved names");
    }
    if (token->kind == GEN_TOKEN_WORD) return gen_parser_wrong(parser, "reserved numbers, or names in quotes");
    if (token->kind == GEN_TOKEN_STRING && !token->bad) {
        return gen_parser_wrong(parser, "reserved numbers, or names without quotes");
    }
    do {
        gen_range_t *range = CONNECT_NEW(&parser->ctx->arena, gen_range_t, 1);
        range->at = token->at;
        if (!gen_parser_int32(parser, "a reserved number", 0, &range->first)) return false;
        range->last = range->first;
        if (gen_parser_take(parser, "to")) {
            if (!gen_parser_int32(parser, "the end of a reserved range", max, &range->last)) return false;
        }
        if (type)
            GEN_APPEND(type->reserved, range);
        else
            GEN_APPEND(enumeration->reserved, range);
    } while (gen_parser_take(parser, ","));
    return gen_parser_expect(parser, ";", "after the reserved numbers");
}

static bool gen_parser_enum_value(gen_parser_t *parser, gen_enum_t *enumeration) {
    gen_enum_value_t *value = CONNECT_NEW(&parser->ctx->arena, gen_enum_value_t, 1);
    value->parent = enumeration;
    value->docs.leading = gen_parser_leading(parser);
    value->at = parser->lexer.token.at;
    if (!gen_parser_word(parser, "the name of an enum value", &value->name)) return false;
    if (!gen_parser_expect(parser, "=", "and a number after the name of an enum value")) return false;
    value->number_at = parser->lexer.token.at;
    if (!gen_parser_int32(parser, "the number of an enum value", 0, &value->number)) return false;
    value->index = (uint32_t)enumeration->values.count;
    GEN_APPEND(enumeration->values, value);
    if (!gen_parse_option_brackets(parser, &value->options)) return false;
    if (!gen_parser_expect(parser, ";", "after an enum value")) return false;
    value->docs.trailing = gen_parser_trailing(parser);
    return true;
}

static bool gen_parser_enum(gen_parser_t *parser, gen_type_t *parent) {
    gen_enum_t *enumeration = CONNECT_NEW(&parser->ctx->arena, gen_enum_t, 1);
    enumeration->file = parser->file;
    enumeration->visibility = parser->visibility;
    parser->visibility = 0;
    enumeration->parent = parent;
    enumeration->docs.leading = gen_parser_leading(parser);
    gen_lexer_next(&parser->lexer);
    enumeration->at = parser->lexer.token.at;
    if (!gen_parser_word(parser, "the name of an enum", &enumeration->name)) return false;
    if (!gen_parser_expect(parser, "{", "after the name of an enum")) return false;
    enumeration->docs.trailing = gen_parser_trailing(parser);
    if (parent)
        GEN_APPEND(parent->enums, enumeration);
    else
        GEN_APPEND(parser->file->enums, enumeration);
    while (!gen_lexer_is(&parser->lexer, "}") && parser->lexer.token.kind != GEN_TOKEN_END) {
        bool good;
        if (gen_parser_take(parser, ";")) continue;
        if (gen_lexer_is(&parser->lexer, "option")) {
            good = gen_parse_option_statement(parser, &enumeration->options);
        } else if (gen_lexer_is(&parser->lexer, "reserved")) {
            good = gen_parser_reserved(parser, INT32_MAX, NULL, enumeration);
        } else {
            good = gen_parser_enum_value(parser, enumeration);
        }
        if (!good) gen_parser_recover(parser);
    }
    return gen_parser_expect(parser, "}", "at the end of an enum");
}

/* ---- Messages ---- */

static bool gen_parser_type_name(gen_parser_t *parser, gen_field_t *field) {
    const char *name;
    field->type_at = parser->lexer.token.at;
    if (!gen_parser_path(parser, "the type of a field", &name)) return false;
    field->kind = gen_scalar_kind(name);
    if (!field->kind) field->type_name = name;
    return true;
}

/* `= number [options]`, and for what is no group the ; */
static bool gen_parser_field_rest(gen_parser_t *parser, gen_field_t *field) {
    gen_option_t *option, **link;
    if (!gen_parser_expect(parser, "=", "and a number after the name of a field")) return false;
    field->number_at = parser->lexer.token.at;
    if (!gen_parser_int32(parser, "the number of a field", 0, &field->number)) return false;
    if (!gen_parse_option_brackets(parser, &field->options)) return false;
    for (link = &field->options.first; (option = *link) != NULL;) { /* these two are no options of FieldOptions */
        bool is_default = strcmp(option->name, "default") == 0, is_json = strcmp(option->name, "json_name") == 0;
        if (!is_default && !is_json) {
            link = &option->next;
            continue;
        }
        if (is_default ? field->default_value != NULL : field->has_json_name) {
            gen_source_error(parser->ctx, option->at, "option \"%s\" is set twice", option->name);
        } else if (is_default) {
            field->default_value = option;
        } else if (option->kind != GEN_VALUE_STRING) {
            gen_source_error(parser->ctx, option->value_at, "\"json_name\" must be a string");
        } else if (memchr(option->text.data, 0, option->text.len)) {
            gen_source_error(parser->ctx, option->value_at, "\"json_name\" must not hold a NUL byte");
        } else {
            field->has_json_name = true;
            field->json_name = gen_source_copy(parser->ctx, option->text);
            field->json_name_at = option->value_at;
        }
        *link = option->next;
        field->options.count--;
    }
    field->options.tail = NULL;
    for (option = field->options.first; option; option = option->next)
        field->options.tail = option;
    return true;
}

static gen_type_t *gen_parser_new_type(gen_parser_t *parser, gen_type_t *parent, const char *name, gen_at_t at) {
    gen_type_t *type = CONNECT_NEW(&parser->ctx->arena, gen_type_t, 1);
    type->file = parser->file;
    type->parent = parent;
    type->name = name;
    type->at = at;
    if (parent)
        GEN_APPEND(parent->types, type);
    else
        GEN_APPEND(parser->file->types, type);
    return type;
}

/* "per_sensor" becomes "PerSensorEntry", as the name of the message that is the entry of a map. */
static const char *gen_parser_entry_name(gen_parser_t *parser, const char *field_name) {
    char *name = CONNECT_NEW(&parser->ctx->arena, char, strlen(field_name) + 6);
    size_t len = 0;
    bool upper = true;
    for (; *field_name; field_name++) {
        char c = *field_name;
        if (c == '_') {
            upper = true;
            continue;
        }
        name[len++] = upper && c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
        upper = false;
    }
    memcpy(name + len, "Entry", 6);
    return name;
}

/* `map<K, V> name = number;`, behind `map`. */
static bool gen_parser_map(gen_parser_t *parser, gen_type_t *parent, gen_field_t *field) {
    gen_field_t *key = CONNECT_NEW(&parser->ctx->arena, gen_field_t, 1);
    gen_field_t *value = CONNECT_NEW(&parser->ctx->arena, gen_field_t, 1);
    gen_type_t *entry;
    gen_lexer_next(&parser->lexer);
    if (!gen_parser_type_name(parser, key)) return false;
    if (!gen_parser_expect(parser, ",", "between the types of a map's key and value")) return false;
    if (!gen_parser_type_name(parser, value)) return false;
    if (!gen_parser_expect(parser, ">", "after the type of a map's value")) return false;
    field->at = parser->lexer.token.at;
    if (!gen_parser_word(parser, "the name of a field", &field->name)) return false;
    field->is_map = true;
    field->kind = CONNECT_KIND_MESSAGE;
    if (!parent || field->extendee_name) {
        gen_source_error(parser->ctx, field->type_at, "an extension must not be a map");
        return false;
    }
    if (!gen_parser_field_rest(parser, field)) return false;
    entry = gen_parser_new_type(parser, parent, gen_parser_entry_name(parser, field->name), field->at);
    entry->is_map_entry = true;
    key->name = "key";
    value->name = "value";
    key->number = 1;
    value->number = 2;
    key->label = value->label = GEN_LABEL_OPTIONAL;
    key->file = value->file = parser->file;
    key->parent = value->parent = entry;
    key->at = value->at = field->at;
    key->number_at = value->number_at = field->at;
    GEN_APPEND(entry->fields, key);
    GEN_APPEND(entry->fields, value);
    field->type = entry;
    return true;
}

/* `group Name = number {...}`, behind `group`. */
static bool gen_parser_group(gen_parser_t *parser, gen_type_t *parent, gen_field_t *field) {
    gen_type_t *group;
    const char *name;
    char *lower;
    size_t i, len;
    field->at = parser->lexer.token.at;
    if (!gen_parser_word(parser, "the name of a group", &name)) return false;
    len = strlen(name);
    if (name[0] < 'A' || name[0] > 'Z') {
        gen_source_error(parser->ctx, field->at, "the name of a group must start with a capital letter");
    }
    lower = CONNECT_NEW(&parser->ctx->arena, char, len + 1);
    for (i = 0; i < len; i++)
        lower[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];
    field->name = lower;
    field->kind = CONNECT_KIND_GROUP;
    field->is_group = true;
    if (!gen_parser_field_rest(parser, field)) return false;
    if (!gen_lexer_is(&parser->lexer, "{")) return gen_parser_wrong(parser, "\"{\" after the number of a group");
    if (parser->depth >= GEN_DEPTH_MAX) {
        gen_source_error(parser->ctx, field->at, "messages nest deeper than %u levels", GEN_DEPTH_MAX);
        return gen_parser_skip_block(parser);
    }
    group = gen_parser_new_type(parser, parent, name, field->at);
    group->docs.leading = field->docs.leading;
    memset(&field->docs, 0, sizeof field->docs);
    field->type = group;
    gen_parser_message_body(parser, group);
    return true;
}

static void gen_parser_add_field(gen_parser_t *parser, gen_type_t *parent, gen_field_t *field) {
    if (field->extendee_name) {
        if (parent)
            GEN_APPEND(parent->extensions, field);
        else
            GEN_APPEND(parser->file->extensions, field);
    } else {
        GEN_APPEND(parent->fields, field);
    }
}

/* A field: in a message, in a oneof (oneof given), or in extend (template given). */
static bool gen_parser_field(gen_parser_t *parser, gen_type_t *parent, gen_oneof_t *oneof, const gen_field_t *extend) {
    gen_field_t *field = CONNECT_NEW(&parser->ctx->arena, gen_field_t, 1);
    gen_at_t label_at = parser->lexer.token.at;
    if (extend) *field = *extend;
    field->file = parser->file;
    field->parent = parent;
    field->oneof = oneof;
    field->docs.leading = gen_parser_leading(parser);
    if (gen_parser_take(parser, "optional"))
        field->label = GEN_LABEL_OPTIONAL;
    else if (gen_parser_take(parser, "required"))
        field->label = GEN_LABEL_REQUIRED;
    else if (gen_parser_take(parser, "repeated"))
        field->label = GEN_LABEL_REPEATED;
    if (oneof && field->label) {
        gen_source_error(parser->ctx, label_at, "a field of a oneof must not have a label");
        field->label = GEN_LABEL_NONE;
    }
    if (oneof) oneof->field_count++;
    field->type_at = parser->lexer.token.at;
    if (gen_lexer_is(&parser->lexer, "group")) {
        gen_lexer_next(&parser->lexer);
        if (!gen_parser_group(parser, parent, field)) return false;
        gen_parser_add_field(parser, parent, field);
        return true;
    }
    if (!gen_parser_type_name(parser, field)) return false;
    if (field->type_name && strcmp(field->type_name, "map") == 0 && gen_lexer_is(&parser->lexer, "<")) {
        field->type_name = NULL;
        if (field->label || oneof) {
            gen_source_error(parser->ctx, label_at,
                oneof ? "a map must not be in a oneof" : "a map must not have a label: it is repeated as such");
        }
        field->label = GEN_LABEL_REPEATED;
        field->oneof = NULL;
        if (!gen_parser_map(parser, parent, field)) return false;
    } else {
        field->at = parser->lexer.token.at;
        if (!gen_parser_word(parser, "the name of a field", &field->name)) return false;
        if (!gen_parser_field_rest(parser, field)) return false;
    }
    gen_parser_add_field(parser, parent, field);
    if (!gen_parser_expect(parser, ";", "after a field")) return false;
    field->docs.trailing = gen_parser_trailing(parser);
    return true;
}

static bool gen_parser_oneof(gen_parser_t *parser, gen_type_t *parent) {
    gen_oneof_t *oneof = CONNECT_NEW(&parser->ctx->arena, gen_oneof_t, 1);
    oneof->docs.leading = gen_parser_leading(parser);
    gen_lexer_next(&parser->lexer);
    oneof->at = parser->lexer.token.at;
    if (!gen_parser_word(parser, "the name of a oneof", &oneof->name)) return false;
    if (!gen_parser_expect(parser, "{", "after the name of a oneof")) return false;
    oneof->docs.trailing = gen_parser_trailing(parser);
    oneof->index = (uint32_t)parent->oneofs.count;
    GEN_APPEND(parent->oneofs, oneof);
    while (!gen_lexer_is(&parser->lexer, "}") && parser->lexer.token.kind != GEN_TOKEN_END) {
        bool good;
        if (gen_lexer_is(&parser->lexer, "option"))
            good = gen_parse_option_statement(parser, &oneof->options);
        else
            good = gen_parser_field(parser, parent, oneof, NULL);
        if (!good) gen_parser_recover(parser);
    }
    if (oneof->field_count == 0) {
        gen_source_error(parser->ctx, oneof->at, "oneof \"%s\" must have a field", oneof->name);
    }
    return gen_parser_expect(parser, "}", "at the end of a oneof");
}

static bool gen_parser_extend(gen_parser_t *parser, gen_type_t *parent) {
    gen_field_t template;
    memset(&template, 0, sizeof template);
    gen_lexer_next(&parser->lexer);
    template.extendee_at = parser->lexer.token.at;
    if (!gen_parser_path(parser, "the name of the message that is extended", &template.extendee_name)) return false;
    if (!gen_parser_expect(parser, "{", "after the name of the message that is extended")) return false;
    if (gen_lexer_is(&parser->lexer, "}")) gen_parser_wrong(parser, "an extension");
    while (!gen_lexer_is(&parser->lexer, "}") && parser->lexer.token.kind != GEN_TOKEN_END) {
        if (!gen_parser_field(parser, parent, NULL, &template)) gen_parser_recover(parser);
    }
    return gen_parser_expect(parser, "}", "at the end of the extensions");
}

static bool gen_parser_extensions(gen_parser_t *parser, gen_type_t *type) {
    gen_options_t *options = CONNECT_NEW(&parser->ctx->arena, gen_options_t, 1);
    gen_lexer_next(&parser->lexer);
    do {
        gen_range_t *range = CONNECT_NEW(&parser->ctx->arena, gen_range_t, 1);
        range->at = parser->lexer.token.at;
        range->options = options;
        if (!gen_parser_int32(parser, "an extension number", 0, &range->first)) return false;
        range->last = range->first;
        if (gen_parser_take(parser, "to")) {
            range->to_max = gen_lexer_is(&parser->lexer, "max");
            if (!gen_parser_int32(parser, "the end of an extension range", 536870911, &range->last)) return false;
        }
        GEN_APPEND(type->extension_ranges, range);
    } while (gen_parser_take(parser, ","));
    return gen_parse_option_brackets(parser, options) && gen_parser_expect(parser, ";", "after the extension numbers");
}

static bool gen_parser_message(gen_parser_t *parser, gen_type_t *parent) {
    const connect_str_t leading = gen_parser_leading(parser);
    const int32_t visibility = parser->visibility;
    gen_at_t at;
    gen_type_t *type;
    const char *name;
    parser->visibility = 0;
    gen_lexer_next(&parser->lexer);
    at = parser->lexer.token.at;
    if (!gen_parser_word(parser, "the name of a message", &name)) return false;
    if (!gen_lexer_is(&parser->lexer, "{")) return gen_parser_wrong(parser, "\"{\" after the name of a message");
    if (parser->depth >= GEN_DEPTH_MAX) {
        gen_source_error(parser->ctx, at, "messages nest deeper than %u levels", GEN_DEPTH_MAX);
        return gen_parser_skip_block(parser);
    }
    type = gen_parser_new_type(parser, parent, name, at);
    type->visibility = visibility;
    type->docs.leading = leading;
    gen_parser_message_body(parser, type);
    return true;
}

/* `export` or `local`, from edition 2024 on. Returns false if neither a message nor an enum follows. */
static bool gen_parser_visibility(gen_parser_t *parser) {
    const gen_lexer_t *lexer = &parser->lexer;
    if (parser->file->edition < GEN_EDITION_2024 || (!gen_lexer_is(lexer, "export") && !gen_lexer_is(lexer, "local")))
        return true;
    parser->visibility = gen_lexer_is(lexer, "local") ? 1 : 2;
    gen_lexer_next(&parser->lexer);
    if (gen_lexer_is(lexer, "message") || gen_lexer_is(lexer, "enum")) return true;
    parser->visibility = 0;
    return gen_parser_wrong(parser, "message or enum");
}

static bool gen_parser_message_statement(gen_parser_t *parser, gen_type_t *type) {
    if (!gen_parser_visibility(parser)) return false;
    if (gen_lexer_is(&parser->lexer, "message")) return gen_parser_message(parser, type);
    if (gen_lexer_is(&parser->lexer, "enum")) return gen_parser_enum(parser, type);
    if (gen_lexer_is(&parser->lexer, "extend")) return gen_parser_extend(parser, type);
    if (gen_lexer_is(&parser->lexer, "extensions")) return gen_parser_extensions(parser, type);
    if (gen_lexer_is(&parser->lexer, "reserved")) return gen_parser_reserved(parser, 536870911, type, NULL);
    if (gen_lexer_is(&parser->lexer, "option")) return gen_parse_option_statement(parser, &type->options);
    if (gen_lexer_is(&parser->lexer, "oneof")) return gen_parser_oneof(parser, type);
    return gen_parser_field(parser, type, NULL, NULL);
}

static void gen_parser_message_body(gen_parser_t *parser, gen_type_t *type) {
    gen_parser_take(parser, "{");
    type->docs.trailing = gen_parser_trailing(parser);
    parser->depth++;
    while (!gen_lexer_is(&parser->lexer, "}") && parser->lexer.token.kind != GEN_TOKEN_END) {
        if (gen_parser_take(parser, ";")) continue;
        if (!gen_parser_message_statement(parser, type)) gen_parser_recover(parser);
    }
    parser->depth--;
    gen_parser_expect(parser, "}", "at the end of a message");
}

/* ---- Services ---- */

static bool gen_parser_method_type(gen_parser_t *parser, bool *streams, const char **name, gen_at_t *at) {
    if (!gen_parser_expect(parser, "(", "before the type of a method's message")) return false;
    *streams = gen_parser_take(parser, "stream");
    *at = parser->lexer.token.at;
    if (!gen_parser_path(parser, "the type of a method's message", name)) return false;
    return gen_parser_expect(parser, ")", "after the type of a method's message");
}

static bool gen_parser_method(gen_parser_t *parser, gen_service_t *service) {
    gen_method_t *method = CONNECT_NEW(&parser->ctx->arena, gen_method_t, 1);
    method->docs.leading = gen_parser_leading(parser);
    if (!gen_parser_take(parser, "rpc")) return gen_parser_wrong(parser, "\"rpc\" or \"option\"");
    method->at = parser->lexer.token.at;
    if (!gen_parser_word(parser, "the name of a method", &method->name)) return false;
    if (!gen_parser_method_type(parser, &method->client_streams, &method->input_name, &method->input_at)) return false;
    if (!gen_parser_expect(parser, "returns", "after the request's type")) return false;
    if (!gen_parser_method_type(parser, &method->server_streams, &method->output_name, &method->output_at)) {
        return false;
    }
    GEN_APPEND(service->methods, method);
    if (!gen_parser_take(parser, "{")) {
        if (!gen_parser_expect(parser, ";", "after a method")) return false;
        method->docs.trailing = gen_parser_trailing(parser);
        return true;
    }
    method->docs.trailing = gen_parser_trailing(parser);
    method->options.encoded.data = ""; /* {} stands for options, even without one */
    while (!gen_lexer_is(&parser->lexer, "}") && parser->lexer.token.kind != GEN_TOKEN_END) {
        if (gen_parser_take(parser, ";")) continue;
        if (!gen_lexer_is(&parser->lexer, "option"))
            gen_parser_wrong(parser, "\"option\" or \"}\" in a method");
        else if (gen_parse_option_statement(parser, &method->options))
            continue;
        gen_parser_recover(parser);
    }
    return gen_parser_expect(parser, "}", "at the end of a method");
}

static bool gen_parser_service(gen_parser_t *parser) {
    gen_service_t *service = CONNECT_NEW(&parser->ctx->arena, gen_service_t, 1);
    service->file = parser->file;
    service->docs.leading = gen_parser_leading(parser);
    gen_lexer_next(&parser->lexer);
    service->at = parser->lexer.token.at;
    if (!gen_parser_word(parser, "the name of a service", &service->name)) return false;
    if (!gen_parser_expect(parser, "{", "after the name of a service")) return false;
    service->docs.trailing = gen_parser_trailing(parser);
    GEN_APPEND(parser->file->services, service);
    while (!gen_lexer_is(&parser->lexer, "}") && parser->lexer.token.kind != GEN_TOKEN_END) {
        bool good;
        if (gen_parser_take(parser, ";")) continue;
        if (gen_lexer_is(&parser->lexer, "option"))
            good = gen_parse_option_statement(parser, &service->options);
        else
            good = gen_parser_method(parser, service);
        if (!good) gen_parser_recover(parser);
    }
    return gen_parser_expect(parser, "}", "at the end of a service");
}

/* ---- Files ---- */

static bool gen_parser_import(gen_parser_t *parser) {
    gen_import_t *import = CONNECT_NEW(&parser->ctx->arena, gen_import_t, 1), *other;
    bool is_option = false;
    connect_str_t name;
    gen_lexer_next(&parser->lexer);
    if (gen_parser_take(parser, "public"))
        import->is_public = true;
    else if (parser->file->edition < GEN_EDITION_2024 && gen_parser_take(parser, "weak"))
        import->is_weak = true;
    else if (parser->file->edition >= GEN_EDITION_2024 && gen_parser_take(parser, "option"))
        is_option = true;
    import->at = parser->lexer.token.at;
    if (!gen_parser_string(parser, "the name of a file in quotes", &name)) return false;
    import->name = gen_source_copy(parser->ctx, name);
    for (other = parser->file->imports.first; other; other = other->next) {
        if (strcmp(other->name, import->name) == 0) {
            gen_source_error(parser->ctx, import->at, "\"%s\" is imported already, at %s",
                gen_source_quote(parser->ctx, name), gen_source_place(parser->ctx, other->at));
            return gen_parser_expect(parser, ";", "after an import");
        }
    }
    if (memchr(name.data, 0, name.len)) {
        gen_source_error(parser->ctx, import->at, "the name of a file must not hold a NUL byte");
    } else if (is_option) {
        GEN_APPEND(parser->file->option_imports, import);
    } else {
        if (parser->file->option_imports.first)
            gen_source_error(parser->ctx, import->at, "imports stand in front of all imports for options");
        GEN_APPEND(parser->file->imports, import);
    }
    return gen_parser_expect(parser, ";", "after an import");
}

static bool gen_parser_package(gen_parser_t *parser) {
    gen_file_t *file = parser->file;
    const char *package;
    gen_at_t at;
    gen_lexer_next(&parser->lexer);
    at = parser->lexer.token.at;
    if (gen_lexer_is(&parser->lexer, ".")) return gen_parser_wrong(parser, "the name of the package");
    if (!gen_parser_path(parser, "the name of the package", &package)) return false;
    if (*file->package) gen_source_error(parser->ctx, at, "a file has one package only");
    file->package = package;
    file->package_at = at;
    return gen_parser_expect(parser, ";", "after the package");
}

static bool gen_parser_statement(gen_parser_t *parser) {
    const gen_lexer_t *lexer = &parser->lexer;
    if (!gen_parser_visibility(parser)) return false;
    if (gen_lexer_is(lexer, "message")) return gen_parser_message(parser, NULL);
    if (gen_lexer_is(lexer, "enum")) return gen_parser_enum(parser, NULL);
    if (gen_lexer_is(lexer, "service")) return gen_parser_service(parser);
    if (gen_lexer_is(lexer, "extend")) return gen_parser_extend(parser, NULL);
    if (gen_lexer_is(lexer, "import")) return gen_parser_import(parser);
    if (gen_lexer_is(lexer, "package")) return gen_parser_package(parser);
    if (gen_lexer_is(lexer, "option")) return gen_parse_option_statement(parser, &parser->file->options);
    if (gen_lexer_is(lexer, "}")) {
        gen_source_error(parser->ctx, lexer->token.at, "\"}\" closes nothing");
        gen_lexer_next(&parser->lexer);
        return true;
    }
    return gen_parser_wrong(parser, "message, enum, service, extend, import, package or option");
}

/* The first statement. Returns false if the rest is not to be read. */
static bool gen_parser_syntax(gen_parser_t *parser) {
    static const struct {
        const char *name;
        bool edition;
        gen_syntax_t syntax;
        int32_t number;
    } known[] = {{"proto2", false, GEN_SYNTAX_PROTO2, 998}, {"proto3", false, GEN_SYNTAX_PROTO3, 999},
        {"2023", true, GEN_SYNTAX_EDITIONS, GEN_EDITION_2023}, {"2024", true, GEN_SYNTAX_EDITIONS, GEN_EDITION_2024}};
    gen_at_t at = parser->lexer.token.at;
    bool edition = gen_lexer_is(&parser->lexer, "edition");
    connect_str_t text;
    size_t i;
    parser->file->syntax = GEN_SYNTAX_PROTO2;
    parser->file->edition = 998;
    if (!edition && !gen_lexer_is(&parser->lexer, "syntax")) {
        if (parser->lexer.ctx->error_count >= GEN_ERRORS_MAX) return false;
        gen_source_warn(parser->ctx, at, "without a syntax statement it is taken for syntax = \"proto2\"");
        return true;
    }
    gen_lexer_next(&parser->lexer);
    if (!gen_parser_expect(parser, "=", edition ? "after \"edition\"" : "after \"syntax\"")) return false;
    at = parser->lexer.token.at;
    if (!gen_parser_string(parser, edition ? "\"2023\"" : "\"proto3\"", &text)) return false;
    for (i = 0; i < GEN_LEN(known); i++) {
        if (known[i].edition != edition || !connect_str_equal(text, connect_str_of(known[i].name))) continue;
        parser->file->syntax = known[i].syntax;
        parser->file->edition = known[i].number;
        return gen_parser_expect(parser, ";", edition ? "after the edition" : "after the syntax");
    }
    gen_source_error(parser->ctx, at, "%s \"%s\" is not known: write %s", edition ? "edition" : "syntax",
        gen_source_quote(parser->ctx, text), edition ? "\"2023\" or \"2024\"" : "\"proto2\" or \"proto3\"");
    return false;
}

GEN_PRIVATE gen_file_t *gen_parser_file(gen_context_t *ctx, const gen_source_t *source) {
    gen_parser_t parser;
    memset(&parser, 0, sizeof parser);
    parser.ctx = ctx;
    parser.file = CONNECT_NEW(&ctx->arena, gen_file_t, 1);
    parser.file->source = source;
    parser.file->name = source->name;
    parser.file->package = "";
    gen_lexer_begin(&parser.lexer, ctx, source);
    if (!gen_parser_syntax(&parser)) return parser.file;
    while (parser.lexer.token.kind != GEN_TOKEN_END) {
        if (gen_parser_take(&parser, ";")) continue;
        if (!gen_parser_statement(&parser)) {
            gen_at_t at = parser.lexer.token.at;
            gen_parser_recover(&parser);
            if (parser.lexer.token.at.offset == at.offset && gen_lexer_is(&parser.lexer, "}")) {
                gen_lexer_next(&parser.lexer);
            }
        }
    }
    return parser.file;
}

/* #### src/gen/wellknown.h ######################################################################################### */
/* The schema of a google/protobuf/ file that is built in, as a source; NULL: there is none of that name. */
GEN_PRIVATE gen_source_t *gen_wellknown_source(gen_context_t *ctx, const char *name);
/* A message whose JSON has a form of its own, and whose struct has functions of its own. */
typedef struct gen_wellknown_t {
    const char *name;
    const char *form;    /* its connect_form_t */
    const char *fields;  /* "int64 seconds = 1; int32 nanos = 2;": what both rely on */
    const char *helpers; /* "_now|_from_timespec|_to_timespec|": what emit_wellknown.c hangs on its C name */
} gen_wellknown_t;
/* Finds it by its full name; NULL: it is a message like any other. */
GEN_PRIVATE const gen_wellknown_t *gen_wellknown_find(const char *full_name);

/* #### src/gen/wellknown.c ######################################################################################### */
/* The files of google/protobuf/ that other files import, built in so that no include path is needed: names, numbers,
   types and options as protobuf 35 has them, which is all that a descriptor tells; protobuf.dev, "Protocol Buffers
   Well- Known Types". The text is .proto, read by the same parser as all other files, so that nothing is known twice.

   descriptor.proto is here so that custom options can be declared. It is the one file in proto2.

   A literal has less than 4,096 bytes, which is what C99 compilers must take. */

static const char *const gen_wellknown_any[] = {
    "syntax = \"proto3\"; package google.protobuf; option java_package = \"com.google.protobuf\"; option "
    "java_outer_classname = \"AnyProto\"; option java_multiple_files = true; option go_package = "
    "\"google.golang.org/protobuf/types/known/anypb\"; option objc_class_prefix = \"GPB\"; option csharp_namespace = "
    "\"Google.Protobuf.WellKnownTypes\"; "
    "// A message of any type: its encoding, and a URL that ends with the name of its type.\n"
    "message Any { string type_url = 1; bytes value = 2; } ",
    NULL};
static const char *const gen_wellknown_source_context[] = {
    "syntax = \"proto3\"; package google.protobuf; option java_package = \"com.google.protobuf\"; option "
    "java_outer_classname = \"SourceContextProto\"; option java_multiple_files = true; option go_package = "
    "\"google.golang.org/protobuf/types/known/sourcecontextpb\"; option objc_class_prefix = \"GPB\"; option "
    "csharp_namespace = \"Google.Protobuf.WellKnownTypes\"; message SourceContext { string file_name = 1; } ",
    NULL};
static const char *const gen_wellknown_type[] = {
    "syntax = \"proto3\"; package google.protobuf; import \"google/protobuf/any.proto\"; import "
    "\"google/protobuf/source_context.proto\"; option java_package = \"com.google.protobuf\"; option "
    "java_outer_classname = \"TypeProto\"; option java_multiple_files = true; option go_package = "
    "\"google.golang.org/protobuf/types/known/typepb\"; option cc_enable_arenas = true; option objc_class_prefix = "
    "\"GPB\"; option csharp_namespace = \"Google.Protobuf.WellKnownTypes\"; message Type { string name = 1; repeated "
    "Field fields = 2; repeated string oneofs = 3; repeated Option options = 4; SourceContext source_context = 5; "
    "Syntax syntax = 6; string edition = 7; } message Field { enum Kind { TYPE_UNKNOWN = 0; TYPE_DOUBLE = 1; "
    "TYPE_FLOAT = 2; TYPE_INT64 = 3; TYPE_UINT64 = 4; TYPE_INT32 = 5; TYPE_FIXED64 = 6; TYPE_FIXED32 = 7; TYPE_BOOL "
    "= 8; TYPE_STRING = 9; TYPE_GROUP = 10; TYPE_MESSAGE = 11; TYPE_BYTES = 12; TYPE_UINT32 = 13; TYPE_ENUM = 14; "
    "TYPE_SFIXED32 = 15; TYPE_SFIXED64 = 16; TYPE_SINT32 = 17; TYPE_SINT64 = 18; } enum Cardinality { "
    "CARDINALITY_UNKNOWN = 0; CARDINALITY_OPTIONAL = 1; CARDINALITY_REQUIRED = 2; CARDINALITY_REPEATED = 3; } "
    "Field.Kind kind = 1; Field.Cardinality cardinality = 2; int32 number = 3; string name = 4; string type_url = 6; "
    "int32 oneof_index = 7; bool packed = 8; repeated Option options = 9; string json_name = 10; string "
    "default_value = 11; } message Enum { string name = 1; repeated EnumValue enumvalue = 2; repeated Option options "
    "= 3; SourceContext source_context = 4; Syntax syntax = 5; string edition = 6; } message EnumValue { string name "
    "= 1; int32 number = 2; repeated Option options = 3; } message Option { string name = 1; Any value = 2; } enum "
    "Syntax { SYNTAX_PROTO2 = 0; SYNTAX_PROTO3 = 1; SYNTAX_EDITIONS = 2; } ",
    NULL};
static const char *const gen_wellknown_api[] = {
    "syntax = \"proto3\"; package google.protobuf; import \"google/protobuf/source_context.proto\"; import "
    "\"google/protobuf/type.proto\"; option java_package = \"com.google.protobuf\"; option java_outer_classname = "
    "\"ApiProto\"; option java_multiple_files = true; option go_package = "
    "\"google.golang.org/protobuf/types/known/apipb\"; option objc_class_prefix = \"GPB\"; option csharp_namespace = "
    "\"Google.Protobuf.WellKnownTypes\"; message Api { string name = 1; repeated Method methods = 2; repeated Option "
    "options = 3; string version = 4; SourceContext source_context = 5; repeated Mixin mixins = 6; Syntax syntax = "
    "7; string edition = 8; } message Method { string name = 1; string request_type_url = 2; bool request_streaming "
    "= 3; string response_type_url = 4; bool response_streaming = 5; repeated Option options = 6; Syntax syntax = 7 "
    "[deprecated = true]; string edition = 8 [deprecated = true]; } message Mixin { string name = 1; string root = "
    "2; } ",
    NULL};
static const char *const gen_wellknown_duration[] = {
    "syntax = \"proto3\"; package google.protobuf; option java_package = \"com.google.protobuf\"; option "
    "java_outer_classname = \"DurationProto\"; option java_multiple_files = true; option go_package = "
    "\"google.golang.org/protobuf/types/known/durationpb\"; option cc_enable_arenas = true; option objc_class_prefix "
    "= \"GPB\"; option csharp_namespace = \"Google.Protobuf.WellKnownTypes\"; "
    "// A span of time; seconds and nanos have the same sign.\n"
    "message Duration { int64 seconds = 1; int32 nanos = 2; } ",
    NULL};
static const char *const gen_wellknown_empty[] = {
    "syntax = \"proto3\"; package google.protobuf; option java_package = \"com.google.protobuf\"; option "
    "java_outer_classname = \"EmptyProto\"; option java_multiple_files = true; option go_package = "
    "\"google.golang.org/protobuf/types/known/emptypb\"; option cc_enable_arenas = true; option objc_class_prefix = "
    "\"GPB\"; option csharp_namespace = \"Google.Protobuf.WellKnownTypes\"; "
    "// Nothing.\n"
    "message Empty { } ",
    NULL};
static const char *const gen_wellknown_field_mask[] = {
    "syntax = \"proto3\"; package google.protobuf; option java_package = \"com.google.protobuf\"; option "
    "java_outer_classname = \"FieldMaskProto\"; option java_multiple_files = true; option go_package = "
    "\"google.golang.org/protobuf/types/known/fieldmaskpb\"; option cc_enable_arenas = true; option "
    "objc_class_prefix = \"GPB\"; option csharp_namespace = \"Google.Protobuf.WellKnownTypes\"; "
    "// Names of fields: \"a.b\".\n"
    "message FieldMask { repeated string paths = 1; } ",
    NULL};
static const char *const gen_wellknown_struct[] = {
    "syntax = \"proto3\"; package google.protobuf; option java_package = \"com.google.protobuf\"; option "
    "java_outer_classname = \"StructProto\"; option java_multiple_files = true; option go_package = "
    "\"google.golang.org/protobuf/types/known/structpb\"; option cc_enable_arenas = true; option objc_class_prefix = "
    "\"GPB\"; option csharp_namespace = \"Google.Protobuf.WellKnownTypes\"; "
    "// A JSON object.\n"
    "message Struct { map<string, Value> fields = 1; } "
    "// Any JSON value.\n"
    "message Value { oneof kind { NullValue null_value = 1; double number_value = 2; string string_value = 3; bool "
    "bool_value = 4; Struct struct_value = 5; ListValue list_value = 6; } } "
    "// A JSON array.\n"
    "message ListValue { repeated Value values = 1; } "
    "// JSON's null.\n"
    "enum NullValue { NULL_VALUE = 0; } ",
    NULL};
static const char *const gen_wellknown_timestamp[] = {
    "syntax = \"proto3\"; package google.protobuf; option java_package = \"com.google.protobuf\"; option "
    "java_outer_classname = \"TimestampProto\"; option java_multiple_files = true; option go_package = "
    "\"google.golang.org/protobuf/types/known/timestamppb\"; option cc_enable_arenas = true; option "
    "objc_class_prefix = \"GPB\"; option csharp_namespace = \"Google.Protobuf.WellKnownTypes\"; "
    "// A point in time, as UTC seconds since 1970-01-01T00:00:00Z and 0 to 999,999,999 nanoseconds more.\n"
    "message Timestamp { int64 seconds = 1; int32 nanos = 2; } ",
    NULL};
static const char *const gen_wellknown_wrappers[] = {
    "syntax = \"proto3\"; package google.protobuf; option java_package = \"com.google.protobuf\"; option "
    "java_outer_classname = \"WrappersProto\"; option java_multiple_files = true; option go_package = "
    "\"google.golang.org/protobuf/types/known/wrapperspb\"; option cc_enable_arenas = true; option objc_class_prefix "
    "= \"GPB\"; option csharp_namespace = \"Google.Protobuf.WellKnownTypes\"; "
    "// A double that may be absent.\n"
    "message DoubleValue { double value = 1; } "
    "// A float that may be absent.\n"
    "message FloatValue { float value = 1; } "
    "// An int64 that may be absent.\n"
    "message Int64Value { int64 value = 1; } "
    "// A uint64 that may be absent.\n"
    "message UInt64Value { uint64 value = 1; } "
    "// An int32 that may be absent.\n"
    "message Int32Value { int32 value = 1; } "
    "// A uint32 that may be absent.\n"
    "message UInt32Value { uint32 value = 1; } "
    "// A bool that may be absent.\n"
    "message BoolValue { bool value = 1; } "
    "// A string that may be absent.\n"
    "message StringValue { string value = 1; } "
    "// Bytes that may be absent.\n"
    "message BytesValue { bytes value = 1; } ",
    NULL};
static const char *const gen_wellknown_descriptor[] = {
    "syntax = \"proto2\"; package google.protobuf; option java_package = \"com.google.protobuf\"; option "
    "java_outer_classname = \"DescriptorProtos\"; option optimize_for = SPEED; option go_package = "
    "\"google.golang.org/protobuf/types/descriptorpb\"; option cc_enable_arenas = true; option objc_class_prefix = "
    "\"GPB\"; option csharp_namespace = \"Google.Protobuf.Reflection\"; message FileDescriptorSet { repeated "
    "FileDescriptorProto file = 1; extensions 536000000; } message FileDescriptorProto { optional string name = 1; "
    "optional string package = 2; repeated string dependency = 3; repeated int32 public_dependency = 10; repeated "
    "int32 weak_dependency = 11; repeated string option_dependency = 15; repeated DescriptorProto message_type = 4; "
    "repeated EnumDescriptorProto enum_type = 5; repeated ServiceDescriptorProto service = 6; repeated "
    "FieldDescriptorProto extension = 7; optional FileOptions options = 8; optional SourceCodeInfo source_code_info "
    "= 9; optional string syntax = 12; optional Edition edition = 14; } message DescriptorProto { message "
    "ExtensionRange { optional int32 start = 1; optional int32 end = 2; optional ExtensionRangeOptions options = 3; "
    "} message ReservedRange { optional int32 start = 1; optional int32 end = 2; } optional string name = 1; "
    "repeated FieldDescriptorProto field = 2; repeated FieldDescriptorProto extension = 6; repeated DescriptorProto "
    "nested_type = 3; repeated EnumDescriptorProto enum_type = 4; repeated DescriptorProto.ExtensionRange "
    "extension_range = 5; repeated OneofDescriptorProto oneof_decl = 8; optional MessageOptions options = 7; "
    "repeated DescriptorProto.ReservedRange reserved_range = 9; repeated string reserved_name = 10; optional "
    "SymbolVisibility visibility = 11; } message ExtensionRangeOptions { message Declaration { optional int32 number "
    "= 1; optional string full_name = 2; optional string type = 3; optional bool reserved = 5; optional bool "
    "repeated = 6; reserved 4; } enum VerificationState { DECLARATION = 0; UNVERIFIED = 1; } repeated "
    "UninterpretedOption uninterpreted_option = 999; repeated ExtensionRangeOptions.Declaration declaration = 2 "
    "[retention = RETENTION_SOURCE]; optional FeatureSet features = 50; optional "
    "ExtensionRangeOptions.VerificationState verification = 3 [default = UNVERIFIED, retention = RETENTION_SOURCE]; "
    "extensions 990 to 998; extensions 1000 to max; } message FieldDescriptorProto { enum Type { TYPE_DOUBLE = 1; "
    "TYPE_FLOAT = 2; TYPE_INT64 = 3; TYPE_UINT64 = 4; TYPE_INT32 = 5; TYPE_FIXED64 = 6; TYPE_FIXED32 = 7; TYPE_BOOL "
    "= 8; TYPE_STRING = 9; TYPE_GROUP = 10; TYPE_MESSAGE = 11; TYPE_BYTES = 12; TYPE_UINT32 = 13; TYPE_ENUM = 14; "
    "TYPE_SFIXED32 = 15; TYPE_SFIXED64 = 16; TYPE_SINT32 = 17; TYPE_SINT64 = 18; } enum Label { LABEL_OPTIONAL = 1; "
    "LABEL_REPEATED = 3; LABEL_REQUIRED = 2; } optional string name = 1; optional int32 number = 3; optional "
    "FieldDescriptorProto.Label label = 4; optional FieldDescriptorProto.Type type = 5; optional string type_name = "
    "6; optional string extendee = 2; optional string default_value = 7; optional int32 oneof_index = 9; optional ",
    "string json_name = 10; optional FieldOptions options = 8; optional bool proto3_optional = 17; } message "
    "OneofDescriptorProto { optional string name = 1; optional OneofOptions options = 2; } message "
    "EnumDescriptorProto { message EnumReservedRange { optional int32 start = 1; optional int32 end = 2; } optional "
    "string name = 1; repeated EnumValueDescriptorProto value = 2; optional EnumOptions options = 3; repeated "
    "EnumDescriptorProto.EnumReservedRange reserved_range = 4; repeated string reserved_name = 5; optional "
    "SymbolVisibility visibility = 6; } message EnumValueDescriptorProto { optional string name = 1; optional int32 "
    "number = 2; optional EnumValueOptions options = 3; } message ServiceDescriptorProto { optional string name = 1; "
    "repeated MethodDescriptorProto method = 2; optional ServiceOptions options = 3; reserved 4; reserved "
    "\"stream\"; } message MethodDescriptorProto { optional string name = 1; optional string input_type = 2; "
    "optional string output_type = 3; optional MethodOptions options = 4; optional bool client_streaming = 5 "
    "[default = false]; optional bool server_streaming = 6 [default = false]; } message FileOptions { enum "
    "OptimizeMode { SPEED = 1; CODE_SIZE = 2; LITE_RUNTIME = 3; } optional string java_package = 1; optional string "
    "java_outer_classname = 8; optional bool java_multiple_files = 10 [default = false, "
    "feature_support.edition_introduced = EDITION_PROTO2, feature_support.edition_removed = EDITION_2024, "
    "feature_support.removal_error = \"This behavior is enabled by default in editions 2024 and above. To disable "
    "it, you can set `features.(pb.java).nest_in_file_class = YES` on individual messages, enums, or services.\"]; "
    "optional bool java_generate_equals_and_hash = 20 [deprecated = true]; optional bool java_string_check_utf8 = 27 "
    "[default = false]; optional FileOptions.OptimizeMode optimize_for = 9 [default = SPEED]; optional string "
    "go_package = 11; optional bool cc_generic_services = 16 [default = false]; optional bool java_generic_services "
    "= 17 [default = false]; optional bool py_generic_services = 18 [default = false]; optional bool deprecated = 23 "
    "[default = false]; optional bool cc_enable_arenas = 31 [default = true]; optional string objc_class_prefix = "
    "36; optional string csharp_namespace = 37; optional string swift_prefix = 39; optional string php_class_prefix "
    "= 40; optional string php_namespace = 41; optional string php_metadata_namespace = 44; optional string "
    "ruby_package = 45; optional FeatureSet features = 50; repeated UninterpretedOption uninterpreted_option = 999; "
    "extensions 990 to 998; extensions 1000 to max; reserved 42, 38; reserved \"php_generic_services\"; } message "
    "MessageOptions { optional bool message_set_wire_format = 1 [default = false]; optional bool "
    "no_standard_descriptor_accessor = 2 [default = false]; optional bool deprecated = 3 [default = false]; optional "
    "bool map_entry = 7; optional bool deprecated_legacy_json_field_conflicts = 11 [deprecated = true]; optional "
    "FeatureSet features = 12; repeated UninterpretedOption uninterpreted_option = 999; extensions 990 to 998; ",
    "extensions 1000 to max; reserved 4, 5, 6, 8, 9; } message FieldOptions { message EditionDefault { optional "
    "Edition edition = 3; optional string value = 2; } message FeatureSupport { optional Edition edition_introduced "
    "= 1; optional Edition edition_deprecated = 2; optional string deprecation_warning = 3; optional Edition "
    "edition_removed = 4; optional string removal_error = 5; } enum CType { STRING = 0; CORD = 1; STRING_PIECE = 2; "
    "} enum JSType { JS_NORMAL = 0; JS_STRING = 1; JS_NUMBER = 2; } enum OptionRetention { RETENTION_UNKNOWN = 0; "
    "RETENTION_RUNTIME = 1; RETENTION_SOURCE = 2; } enum OptionTargetType { TARGET_TYPE_UNKNOWN = 0; "
    "TARGET_TYPE_FILE = 1; TARGET_TYPE_EXTENSION_RANGE = 2; TARGET_TYPE_MESSAGE = 3; TARGET_TYPE_FIELD = 4; "
    "TARGET_TYPE_ONEOF = 5; TARGET_TYPE_ENUM = 6; TARGET_TYPE_ENUM_ENTRY = 7; TARGET_TYPE_SERVICE = 8; "
    "TARGET_TYPE_METHOD = 9; } optional FieldOptions.CType ctype = 1 [default = STRING]; optional bool packed = 2; "
    "optional FieldOptions.JSType jstype = 6 [default = JS_NORMAL]; optional bool lazy = 5 [default = false]; "
    "optional bool unverified_lazy = 15 [default = false]; optional bool deprecated = 3 [default = false]; optional "
    "bool weak = 10 [default = false, deprecated = true]; optional bool debug_redact = 16 [default = false]; "
    "optional FieldOptions.OptionRetention retention = 17; repeated FieldOptions.OptionTargetType targets = 19; "
    "repeated FieldOptions.EditionDefault edition_defaults = 20; optional FeatureSet features = 21; optional "
    "FieldOptions.FeatureSupport feature_support = 22; repeated UninterpretedOption uninterpreted_option = 999; "
    "extensions 990 to 998; extensions 1000 to max; reserved 4, 18; } message OneofOptions { optional FeatureSet "
    "features = 1; repeated UninterpretedOption uninterpreted_option = 999; extensions 990 to 998; extensions 1000 "
    "to max; } message EnumOptions { optional bool allow_alias = 2; optional bool deprecated = 3 [default = false]; "
    "optional bool deprecated_legacy_json_field_conflicts = 6 [deprecated = true]; optional FeatureSet features = 7; "
    "repeated UninterpretedOption uninterpreted_option = 999; extensions 990 to 998; extensions 1000 to max; "
    "reserved 5; } message EnumValueOptions { optional bool deprecated = 1 [default = false]; optional FeatureSet "
    "features = 2; optional bool debug_redact = 3 [default = false]; optional FieldOptions.FeatureSupport "
    "feature_support = 4; repeated UninterpretedOption uninterpreted_option = 999; extensions 990 to 998; extensions "
    "1000 to max; } message ServiceOptions { optional FeatureSet features = 34; optional bool deprecated = 33 "
    "[default = false]; repeated UninterpretedOption uninterpreted_option = 999; extensions 990 to 998; extensions "
    "1000 to max; } message MethodOptions { enum IdempotencyLevel { IDEMPOTENCY_UNKNOWN = 0; NO_SIDE_EFFECTS = 1; "
    "IDEMPOTENT = 2; } optional bool deprecated = 33 [default = false]; optional MethodOptions.IdempotencyLevel "
    "idempotency_level = 34 [default = IDEMPOTENCY_UNKNOWN]; optional FeatureSet features = 35; repeated "
    "UninterpretedOption uninterpreted_option = 999; extensions 990 to 998; extensions 1000 to max; } message ",
    "UninterpretedOption { message NamePart { required string name_part = 1; required bool is_extension = 2; } "
    "repeated UninterpretedOption.NamePart name = 2; optional string identifier_value = 3; optional uint64 "
    "positive_int_value = 4; optional int64 negative_int_value = 5; optional double double_value = 6; optional bytes "
    "string_value = 7; optional string aggregate_value = 8; } message FeatureSet { message VisibilityFeature { enum "
    "DefaultSymbolVisibility { DEFAULT_SYMBOL_VISIBILITY_UNKNOWN = 0; EXPORT_ALL = 1; EXPORT_TOP_LEVEL = 2; "
    "LOCAL_ALL = 3; STRICT = 4; } reserved 1 to max; } enum FieldPresence { FIELD_PRESENCE_UNKNOWN = 0; EXPLICIT = "
    "1; IMPLICIT = 2; LEGACY_REQUIRED = 3; } enum EnumType { ENUM_TYPE_UNKNOWN = 0; OPEN = 1; CLOSED = 2; } enum "
    "RepeatedFieldEncoding { REPEATED_FIELD_ENCODING_UNKNOWN = 0; PACKED = 1; EXPANDED = 2; } enum Utf8Validation { "
    "UTF8_VALIDATION_UNKNOWN = 0; VERIFY = 2; NONE = 3; reserved 1; } enum MessageEncoding { "
    "MESSAGE_ENCODING_UNKNOWN = 0; LENGTH_PREFIXED = 1; DELIMITED = 2; } enum JsonFormat { JSON_FORMAT_UNKNOWN = 0; "
    "ALLOW = 1; LEGACY_BEST_EFFORT = 2; } enum EnforceNamingStyle { ENFORCE_NAMING_STYLE_UNKNOWN = 0; STYLE2024 = 1; "
    "STYLE_LEGACY = 2; STYLE2026 = 3; } optional FeatureSet.FieldPresence field_presence = 1 [retention = "
    "RETENTION_RUNTIME, targets = TARGET_TYPE_FIELD, targets = TARGET_TYPE_FILE, edition_defaults = { value: "
    "\"EXPLICIT\" edition: EDITION_LEGACY }, edition_defaults = { value: \"IMPLICIT\" edition: EDITION_PROTO3 }, "
    "edition_defaults = { value: \"EXPLICIT\" edition: EDITION_2023 }, feature_support.edition_introduced = "
    "EDITION_2023]; optional FeatureSet.EnumType enum_type = 2 [retention = RETENTION_RUNTIME, targets = "
    "TARGET_TYPE_ENUM, targets = TARGET_TYPE_FILE, edition_defaults = { value: \"CLOSED\" edition: EDITION_LEGACY }, "
    "edition_defaults = { value: \"OPEN\" edition: EDITION_PROTO3 }, feature_support.edition_introduced = "
    "EDITION_2023]; optional FeatureSet.RepeatedFieldEncoding repeated_field_encoding = 3 [retention = "
    "RETENTION_RUNTIME, targets = TARGET_TYPE_FIELD, targets = TARGET_TYPE_FILE, edition_defaults = { value: "
    "\"EXPANDED\" edition: EDITION_LEGACY }, edition_defaults = { value: \"PACKED\" edition: EDITION_PROTO3 }, "
    "feature_support.edition_introduced = EDITION_2023]; optional FeatureSet.Utf8Validation utf8_validation = 4 "
    "[retention = RETENTION_RUNTIME, targets = TARGET_TYPE_FIELD, targets = TARGET_TYPE_FILE, edition_defaults = { "
    "value: \"NONE\" edition: EDITION_LEGACY }, edition_defaults = { value: \"VERIFY\" edition: EDITION_PROTO3 }, "
    "feature_support.edition_introduced = EDITION_2023]; optional FeatureSet.MessageEncoding message_encoding = 5 "
    "[retention = RETENTION_RUNTIME, targets = TARGET_TYPE_FIELD, targets = TARGET_TYPE_FILE, edition_defaults = { "
    "value: \"LENGTH_PREFIXED\" edition: EDITION_LEGACY }, feature_support.edition_introduced = EDITION_2023]; "
    "optional FeatureSet.JsonFormat json_format = 6 [retention = RETENTION_RUNTIME, targets = TARGET_TYPE_MESSAGE, "
    "targets = TARGET_TYPE_ENUM, targets = TARGET_TYPE_FILE, edition_defaults = { value: \"LEGACY_BEST_EFFORT\" ",
    "edition: EDITION_LEGACY }, edition_defaults = { value: \"ALLOW\" edition: EDITION_PROTO3 }, "
    "feature_support.edition_introduced = EDITION_2023]; optional FeatureSet.EnforceNamingStyle enforce_naming_style "
    "= 7 [retention = RETENTION_SOURCE, targets = TARGET_TYPE_FILE, targets = TARGET_TYPE_EXTENSION_RANGE, targets = "
    "TARGET_TYPE_MESSAGE, targets = TARGET_TYPE_FIELD, targets = TARGET_TYPE_ONEOF, targets = TARGET_TYPE_ENUM, "
    "targets = TARGET_TYPE_ENUM_ENTRY, targets = TARGET_TYPE_SERVICE, targets = TARGET_TYPE_METHOD, edition_defaults "
    "= { value: \"STYLE_LEGACY\" edition: EDITION_LEGACY }, edition_defaults = { value: \"STYLE2024\" edition: "
    "EDITION_2024 }, edition_defaults = { value: \"STYLE2026\" edition: EDITION_UNSTABLE }, "
    "feature_support.edition_introduced = EDITION_2024]; optional "
    "FeatureSet.VisibilityFeature.DefaultSymbolVisibility default_symbol_visibility = 8 [retention = "
    "RETENTION_SOURCE, targets = TARGET_TYPE_FILE, edition_defaults = { value: \"EXPORT_ALL\" edition: "
    "EDITION_LEGACY }, edition_defaults = { value: \"EXPORT_TOP_LEVEL\" edition: EDITION_2024 }, "
    "feature_support.edition_introduced = EDITION_2024]; extensions 1000 to 9994 ["
    "declaration = { number: 1000 full_name: \".pb.cpp\" type: \".pb.CppFeatures\" }, "
    "declaration = { number: 1001 full_name: \".pb.java\" type: \".pb.JavaFeatures\" }, "
    "declaration = { number: 1002 full_name: \".pb.go\" type: \".pb.GoFeatures\" }, "
    "declaration = { number: 1003 full_name: \".pb.python\" type: \".pb.PythonFeatures\" }, "
    "declaration = { number: 1004 full_name: \".pb.csharp\" type: \".pb.CSharpFeatures\" }, "
    "declaration = { number: 1100 full_name: \".imp.impress_feature_set\" type: \".imp.ImpressFeatureSet\" }, "
    "declaration = { number: 9989 full_name: \".pb.java_mutable\" type: \".pb.JavaMutableFeatures\" }, "
    "declaration = { number: 9990 full_name: \".pb.proto1\" type: \".pb.Proto1Features\" }]; "
    "extensions 9995 to 9999; extensions 10000; reserved 999; } message FeatureSetDefaults { message "
    "FeatureSetEditionDefault { optional "
    "Edition edition = 3; optional FeatureSet overridable_features = 4; optional FeatureSet fixed_features = 5; "
    "reserved 1, 2; reserved \"features\"; } repeated FeatureSetDefaults.FeatureSetEditionDefault defaults = 1; "
    "optional Edition minimum_edition = 4; optional Edition maximum_edition = 5; } message SourceCodeInfo { message "
    "Location { repeated int32 path = 1 [packed = true]; repeated int32 span = 2 [packed = true]; optional string "
    "leading_comments = 3; optional string trailing_comments = 4; repeated string leading_detached_comments = 6; } "
    "repeated SourceCodeInfo.Location location = 1; extensions 536000000; } message GeneratedCodeInfo { message "
    "Annotation { enum Semantic { NONE = 0; SET = 1; ALIAS = 2; } repeated int32 path = 1 [packed = true]; optional "
    "string source_file = 2; optional int32 begin = 3; optional int32 end = 4; optional "
    "GeneratedCodeInfo.Annotation.Semantic semantic = 5; } repeated GeneratedCodeInfo.Annotation annotation = 1; } "
    "enum Edition { EDITION_UNKNOWN = 0; EDITION_LEGACY = 900; EDITION_PROTO2 = 998; EDITION_PROTO3 = 999; "
    "EDITION_2023 = 1000; EDITION_2024 = 1001; EDITION_2026 = 1002; EDITION_UNSTABLE = 9999; EDITION_1_TEST_ONLY = "
    "1; EDITION_2_TEST_ONLY = 2; EDITION_99997_TEST_ONLY = 99997; EDITION_99998_TEST_ONLY = 99998; "
    "EDITION_99999_TEST_ONLY = 99999; EDITION_MAX = 2147483647; } enum SymbolVisibility { VISIBILITY_UNSET = 0; "
    "VISIBILITY_LOCAL = 1; VISIBILITY_EXPORT = 2; } ",
    NULL};

GEN_PRIVATE gen_source_t *gen_wellknown_source(gen_context_t *ctx, const char *name) {
    static const struct {
        const char *name;
        const char *const *parts;
    } files[] = {
        {"google/protobuf/any.proto", gen_wellknown_any},
        {"google/protobuf/api.proto", gen_wellknown_api},
        {"google/protobuf/descriptor.proto", gen_wellknown_descriptor},
        {"google/protobuf/duration.proto", gen_wellknown_duration},
        {"google/protobuf/empty.proto", gen_wellknown_empty},
        {"google/protobuf/field_mask.proto", gen_wellknown_field_mask},
        {"google/protobuf/source_context.proto", gen_wellknown_source_context},
        {"google/protobuf/struct.proto", gen_wellknown_struct},
        {"google/protobuf/timestamp.proto", gen_wellknown_timestamp},
        {"google/protobuf/type.proto", gen_wellknown_type},
        {"google/protobuf/wrappers.proto", gen_wellknown_wrappers},
    };
    size_t i, j, len = 0, at = 0;
    for (i = 0; i < GEN_LEN(files); i++) {
        char *text;
        if (strcmp(files[i].name, name) != 0) continue;
        for (j = 0; files[i].parts[j]; j++)
            len += strlen(files[i].parts[j]);
        text = CONNECT_NEW(&ctx->arena, char, len + 1);
        for (j = 0; files[i].parts[j]; j++) {
            size_t part = strlen(files[i].parts[j]);
            memcpy(text + at, files[i].parts[j], part);
            at += part;
        }
        return gen_source_new(ctx, files[i].name, files[i].name, (connect_str_t){text, len});
    }
    return NULL;
}

GEN_PRIVATE const gen_wellknown_t *gen_wellknown_find(const char *full_name) {
    static const char package[] = "google.protobuf.";
    static const gen_wellknown_t types[] = {
        {"Any", "CONNECT_FORM_ANY", "string type_url = 1; bytes value = 2;", "_pack|_is|_unpack|"},
        {"Timestamp", "CONNECT_FORM_TIMESTAMP", "int64 seconds = 1; int32 nanos = 2;",
            "_now|_from_timespec|_to_timespec|"},
        {"Duration", "CONNECT_FORM_DURATION", "int64 seconds = 1; int32 nanos = 2;",
            "_from_timespec|_to_timespec|_from_ms|_to_ms|"},
        {"FieldMask", "CONNECT_FORM_FIELD_MASK", "repeated string paths = 1;", "_has|_check|_copy|"},
        {"Struct", "CONNECT_FORM_STRUCT", "map<string, google.protobuf.Value> fields = 1;", "_get|_set|"},
        {"Value", "CONNECT_FORM_VALUE",
            "oneof kind { google.protobuf.NullValue null_value = 1; double number_value = 2; string string_value = 3; "
            "bool bool_value = 4; google.protobuf.Struct struct_value = 5; google.protobuf.ListValue list_value = 6; }",
            "_of_null|_of_number|_of_string|_of_bool|_of_struct|_of_list|_is_null|_number_or|_string_or|_bool_or|"
            "_struct_or_null|_list_or_null|"},
        {"ListValue", "CONNECT_FORM_LIST", "repeated google.protobuf.Value values = 1;", "_append|"},
        {"Empty", "CONNECT_FORM_EMPTY", "", ""},
        {"DoubleValue", "CONNECT_FORM_WRAPPER", "double value = 1;", "_of|_or|"},
        {"FloatValue", "CONNECT_FORM_WRAPPER", "float value = 1;", "_of|_or|"},
        {"Int64Value", "CONNECT_FORM_WRAPPER", "int64 value = 1;", "_of|_or|"},
        {"UInt64Value", "CONNECT_FORM_WRAPPER", "uint64 value = 1;", "_of|_or|"},
        {"Int32Value", "CONNECT_FORM_WRAPPER", "int32 value = 1;", "_of|_or|"},
        {"UInt32Value", "CONNECT_FORM_WRAPPER", "uint32 value = 1;", "_of|_or|"},
        {"BoolValue", "CONNECT_FORM_WRAPPER", "bool value = 1;", "_of|_or|"},
        {"StringValue", "CONNECT_FORM_WRAPPER", "string value = 1;", "_of|_or|"},
        {"BytesValue", "CONNECT_FORM_WRAPPER", "bytes value = 1;", "_of|_or|"},
    };
    size_t i;
    if (strncmp(full_name, package, sizeof package - 1) != 0) return NULL;
    for (i = 0; i < GEN_LEN(types); i++) {
        if (strcmp(types[i].name, full_name + sizeof package - 1) == 0) return &types[i];
    }
    return NULL;
}

/* #### src/gen/reader.h ############################################################################################ */
/* Reads a google.protobuf.FileDescriptorProto into a file, as the parser reads text. NULL after a message. */
GEN_PRIVATE gen_file_t *gen_reader_file(gen_context_t *ctx, const gen_source_t *source, connect_str_t descriptor);
/* The name in a FileDescriptorProto; "" if it has none. */
GEN_PRIVATE const char *gen_reader_name(gen_context_t *ctx, connect_str_t descriptor);

/* #### src/gen/reader.c ############################################################################################ */
/* From FileDescriptorProto (google/protobuf/descriptor.proto) to the same model that the parser makes of text, and in
   the same state: names as they are written (with a dot in front), options not looked at yet. Numbers in the switches
   are those of descriptor.proto; what is not needed, or of a later version, is skipped.

   A descriptor says some things in other words, which are turned back here: synthetic oneofs into proto3 optional, map
   entries into maps, the type GROUP of editions into MESSAGE, labels that the syntax has no word for into none,
   defaults into values.

   Places and comments come from its SourceCodeInfo, if it has one: a location is found by its path, the numbers of
   fields and indexes from the file down, as text. Without it places are that of the file.

   Malformed bytes are refused. Messages nest GEN_DEPTH_MAX deep, as in text. */

typedef struct gen_reader_location_t {
    gen_docs_t docs;
    gen_at_t at;
} gen_reader_location_t;

typedef struct gen_reader_t {
    gen_context_t *ctx;
    const gen_source_t *source;
    gen_file_t *file;
    gen_map_t locations; /* by their path */
    unsigned depth;
    bool failed;
} gen_reader_t;

/* ---- Records ---- */

static bool gen_reader_next(gen_reader_t *reader, connect_reader_t *records, connect_record_t *record) {
    if (connect_reader_next(records, record)) return true;
    if (records->failed) reader->failed = true;
    return false;
}

static connect_reader_t gen_reader_of(connect_str_t bytes) {
    connect_reader_t records = {{NULL, 0}, false};
    records.rest = bytes;
    return records;
}

static connect_str_t gen_reader_bytes(gen_reader_t *reader, const connect_record_t *record) {
    connect_str_t bytes = {"", 0};
    if (record->wire != CONNECT_WIRE_BYTES)
        reader->failed = true;
    else if (record->bytes.data)
        bytes = record->bytes;
    return bytes;
}

/* A text, with a zero after it; one that holds a zero is malformed. */
static const char *gen_reader_text(gen_reader_t *reader, const connect_record_t *record) {
    const connect_str_t bytes = gen_reader_bytes(reader, record);
    if (memchr(bytes.data, 0, bytes.len)) reader->failed = true;
    return gen_source_copy(reader->ctx, bytes);
}

static int32_t gen_reader_int(gen_reader_t *reader, const connect_record_t *record) {
    int32_t value = 0;
    if (!connect_record_get(record, CONNECT_KIND_INT32, &value)) reader->failed = true;
    return value;
}

/* A name of one part, as the language has them: what is made of it stands in C. */
static const char *gen_reader_word(gen_reader_t *reader, const connect_record_t *record) {
    const char *name = gen_reader_text(reader, record), *at;
    for (at = name; *at; at++) {
        const char c = *at;
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && !(at > name && c >= '0' && c <= '9')) reader->failed = true;
    }
    if (!*name || strlen(name) > GEN_WORD_MAX) reader->failed = true;
    return name;
}

/* A name with dots, maybe with one in front. */
static const char *gen_reader_dotted(gen_reader_t *reader, const connect_record_t *record) {
    const char *name = gen_reader_text(reader, record), *at;
    for (at = name; *at; at++) {
        const bool letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || *at == '_';
        const bool starts = at == name || at[-1] == '.';
        const bool ends = !at[1] && *at == '.';
        if (!letter && (ends || !(*at == '.' ? at == name || !starts : *at >= '0' && *at <= '9' && !starts)))
            reader->failed = true;
    }
    if (at - name > (long)GEN_PATH_MAX) reader->failed = true;
    return name;
}

/* ---- Source info ---- */

/* Numbers of a repeated field: packed, or one. */
static bool gen_reader_varint(connect_str_t *bytes, uint64_t *value) {
    unsigned shift = 0;
    *value = 0;
    while (bytes->len > 0 && shift < 64) {
        const unsigned char c = (unsigned char)*bytes->data++;
        bytes->len--;
        *value |= (uint64_t)(c & 0x7Fu) << shift;
        if (c < 0x80) return true;
        shift += 7;
    }
    return false;
}

static const char *gen_reader_path(gen_reader_t *reader, const char *outer, uint32_t number, size_t index) {
    return gen_source_printf(reader->ctx, "%s,%lu,%lu", outer, (unsigned long)number, (unsigned long)index);
}

static void gen_reader_location(gen_reader_t *reader, connect_str_t bytes) {
    connect_reader_t records = gen_reader_of(bytes);
    connect_record_t record;
    gen_reader_location_t *location = CONNECT_NEW(&reader->ctx->arena, gen_reader_location_t, 1);
    connect_str_t path = {"", 0}, span = {"", 0};
    uint64_t value, line = 0, column = 0;
    char *text;
    size_t len = 0;
    while (gen_reader_next(reader, &records, &record)) {
        switch (record.number) {
        case 1: path = gen_reader_bytes(reader, &record); break;
        case 2: span = gen_reader_bytes(reader, &record); break;
        case 3: location->docs.leading = gen_reader_bytes(reader, &record); break;
        case 4: location->docs.trailing = gen_reader_bytes(reader, &record); break;
        default: break;
        }
    }
    text = CONNECT_NEW(&reader->ctx->arena, char, 12 * path.len + 1);
    while (path.len > 0) {
        if (!gen_reader_varint(&path, &value)) reader->failed = true;
        len += (size_t)sprintf(text + len, ",%lu", (unsigned long)(uint32_t)value);
    }
    if (!gen_reader_varint(&span, &line) || !gen_reader_varint(&span, &column)) reader->failed = true;
    location->at = gen_source_span(reader->source, line, column);
    if (!gen_map_get(&reader->locations, text)) gen_map_put(reader->ctx, &reader->locations, text, location);
}

static void gen_reader_source_info(gen_reader_t *reader, connect_str_t bytes) {
    connect_reader_t records = gen_reader_of(bytes);
    connect_record_t record;
    while (gen_reader_next(reader, &records, &record)) {
        if (record.number == 1) gen_reader_location(reader, gen_reader_bytes(reader, &record));
    }
}

static gen_at_t gen_reader_at(const gen_reader_t *reader, const char *path) {
    const gen_reader_location_t *location = gen_map_get(&reader->locations, path);
    gen_at_t at = {NULL, 0};
    at.source = reader->source;
    return location ? location->at : at;
}

/* The place of a part of what is at a path, its name say. */
static gen_at_t gen_reader_at_part(gen_reader_t *reader, const char *path, uint32_t number) {
    const char *part = gen_source_printf(reader->ctx, "%s,%lu", path, (unsigned long)number);
    return gen_reader_at(reader, gen_map_get(&reader->locations, part) ? part : path);
}

static gen_docs_t gen_reader_docs(const gen_reader_t *reader, const char *path) {
    const gen_reader_location_t *location = gen_map_get(&reader->locations, path);
    static const gen_docs_t none = {{NULL, 0}, {NULL, 0}};
    return location ? location->docs : none;
}

/* ---- Enums ---- */

/* last_behind: the end does not belong to the range. */
static gen_range_t *gen_reader_range(gen_reader_t *reader, connect_str_t bytes, const char *path, bool last_behind) {
    gen_range_t *range = CONNECT_NEW(&reader->ctx->arena, gen_range_t, 1);
    connect_reader_t records = gen_reader_of(bytes);
    connect_record_t record;
    range->options = CONNECT_NEW(&reader->ctx->arena, gen_options_t, 1);
    range->at = gen_reader_at(reader, path);
    while (gen_reader_next(reader, &records, &record)) {
        switch (record.number) {
        case 1: range->first = gen_reader_int(reader, &record); break;
        case 2: range->last = gen_reader_int(reader, &record); break;
        case 3: range->options->encoded = gen_reader_bytes(reader, &record); break;
        default: break;
        }
    }
    if (last_behind && range->last > INT32_MIN) range->last--;
    return range;
}

static gen_word_t *gen_reader_reserved_name(gen_reader_t *reader, const connect_record_t *record, const char *path) {
    gen_word_t *word = CONNECT_NEW(&reader->ctx->arena, gen_word_t, 1);
    word->text = gen_reader_text(reader, record);
    word->at = gen_reader_at(reader, path);
    return word;
}

static void gen_reader_enum_value(gen_reader_t *reader, connect_str_t bytes, const char *path, gen_enum_t *parent) {
    gen_enum_value_t *value = CONNECT_NEW(&reader->ctx->arena, gen_enum_value_t, 1);
    connect_reader_t records = gen_reader_of(bytes);
    connect_record_t record;
    value->parent = parent;
    value->at = gen_reader_at_part(reader, path, 1);
    value->number_at = gen_reader_at_part(reader, path, 2);
    value->docs = gen_reader_docs(reader, path);
    while (gen_reader_next(reader, &records, &record)) {
        switch (record.number) {
        case 1: value->name = gen_reader_word(reader, &record); break;
        case 2: value->number = gen_reader_int(reader, &record); break;
        case 3: value->options.encoded = gen_reader_bytes(reader, &record); break;
        default: break;
        }
    }
    if (!value->name) reader->failed = true;
    value->index = (uint32_t)parent->values.count;
    GEN_APPEND(parent->values, value);
}

static gen_enum_t *gen_reader_enum(gen_reader_t *reader, connect_str_t bytes, const char *path, gen_type_t *parent) {
    gen_enum_t *enumeration = CONNECT_NEW(&reader->ctx->arena, gen_enum_t, 1);
    connect_reader_t records = gen_reader_of(bytes);
    connect_record_t record;
    enumeration->file = reader->file;
    enumeration->parent = parent;
    enumeration->at = gen_reader_at_part(reader, path, 1);
    enumeration->docs = gen_reader_docs(reader, path);
    while (gen_reader_next(reader, &records, &record)) {
        connect_str_t inner = {"", 0};
        gen_range_t *range;
        gen_word_t *word;
        if (record.wire == CONNECT_WIRE_BYTES) inner = gen_reader_bytes(reader, &record);
        switch (record.number) {
        case 1: enumeration->name = gen_reader_word(reader, &record); break;
        case 2:
            gen_reader_enum_value(
                reader, inner, gen_reader_path(reader, path, 2, enumeration->values.count), enumeration);
            break;
        case 3: enumeration->options.encoded = gen_reader_bytes(reader, &record); break;
        case 4:
            range =
                gen_reader_range(reader, inner, gen_reader_path(reader, path, 4, enumeration->reserved.count), false);
            GEN_APPEND(enumeration->reserved, range);
            break;
        case 5:
            word = gen_reader_reserved_name(
                reader, &record, gen_reader_path(reader, path, 5, enumeration->reserved_names.count));
            GEN_APPEND(enumeration->reserved_names, word);
            break;
        case 6: enumeration->visibility = gen_reader_int(reader, &record); break;
        default: break;
        }
    }
    if (!enumeration->name) reader->failed = true;
    return enumeration;
}

/* ---- Fields ---- */

/* "-12", "1.5e+10", "inf", "true", "NAME", text; bytes with escapes, as in a literal. */
static const gen_option_t *gen_reader_default(gen_reader_t *reader, connect_str_t text, int kind, gen_at_t at) {
    gen_option_t *value = CONNECT_NEW(&reader->ctx->arena, gen_option_t, 1);
    const char *number;
    value->name = "default";
    value->at = value->value_at = at;
    value->text = text;
    value->kind = GEN_VALUE_WORD;
    if (kind == CONNECT_KIND_STRING) {
        value->kind = GEN_VALUE_STRING;
    } else if (kind == CONNECT_KIND_BYTES) {
        const char *quoted = gen_source_printf(reader->ctx, "\"%s\"", gen_source_copy(reader->ctx, text));
        const gen_source_t *literal =
            gen_source_new(reader->ctx, reader->source->name, reader->source->path, connect_str_of(quoted));
        gen_lexer_t lexer;
        gen_lexer_begin(&lexer, reader->ctx, literal);
        value->kind = GEN_VALUE_STRING;
        if (!gen_lexer_strings(&lexer, &value->text)) reader->failed = true;
    } else if (kind != CONNECT_KIND_BOOL && kind != CONNECT_KIND_ENUM) {
        value->negative = text.len > 0 && text.data[0] == '-';
        value->text.data += value->negative;
        value->text.len -= value->negative;
        number = gen_source_copy(reader->ctx, value->text);
        if (*number != 'i' && *number != 'n') {
            char *end;
            errno = 0;
            value->kind = GEN_VALUE_INTEGER;
            value->integer = strtoull(number, &end, 10);
            if (*end || errno) value->kind = GEN_VALUE_FLOAT;
            value->number = strtod(number, &end);
            if (*end || !*number) reader->failed = true;
        }
    }
    return value;
}

/* What the parser makes of a label, where the syntax has one. */
static gen_label_t gen_reader_label(const gen_reader_t *reader, const gen_field_t *field, int32_t label) {
    if (label == GEN_LABEL_REPEATED || label == GEN_LABEL_REQUIRED) return (gen_label_t)label;
    if (field->parent && field->parent->is_map_entry) return GEN_LABEL_OPTIONAL;
    if (field->oneof && !field->proto3_optional) return GEN_LABEL_NONE;
    return reader->file->syntax == GEN_SYNTAX_PROTO2 || field->proto3_optional ? GEN_LABEL_OPTIONAL : GEN_LABEL_NONE;
}

static gen_field_t *gen_reader_field(gen_reader_t *reader, connect_str_t bytes, const char *path, gen_type_t *parent) {
    gen_field_t *field = CONNECT_NEW(&reader->ctx->arena, gen_field_t, 1);
    connect_reader_t records = gen_reader_of(bytes);
    connect_record_t record;
    connect_str_t default_value = {NULL, 0};
    int32_t label = GEN_LABEL_OPTIONAL, oneof_index = -1;
    gen_oneof_t *oneof = parent ? parent->oneofs.first : NULL;
    field->file = reader->file;
    field->parent = parent;
    field->docs = gen_reader_docs(reader, path);
    field->at = gen_reader_at_part(reader, path, 1);
    field->extendee_at = gen_reader_at_part(reader, path, 2);
    field->number_at = gen_reader_at_part(reader, path, 3);
    field->type_at = gen_reader_at_part(reader, path, 6);
    field->json_name_at = gen_reader_at_part(reader, path, 10);
    while (gen_reader_next(reader, &records, &record)) {
        switch (record.number) {
        case 1: field->name = gen_reader_word(reader, &record); break;
        case 2: field->extendee_name = gen_reader_dotted(reader, &record); break;
        case 3: field->number = gen_reader_int(reader, &record); break;
        case 4: label = gen_reader_int(reader, &record); break;
        case 5: field->kind = gen_reader_int(reader, &record); break;
        case 6: field->type_name = gen_reader_dotted(reader, &record); break;
        case 7: default_value = gen_reader_bytes(reader, &record); break;
        case 8: field->options.encoded = gen_reader_bytes(reader, &record); break;
        case 9: oneof_index = gen_reader_int(reader, &record); break;
        case 10: field->json_name = gen_reader_text(reader, &record); break;
        case 17: field->proto3_optional = gen_reader_int(reader, &record) != 0; break;
        default: break;
        }
    }
    if (!field->name || field->kind < 0 || field->kind > CONNECT_KIND_SINT64 || label < 1 || label > 3) {
        reader->failed = true;
        return NULL;
    }
    if (default_value.data) field->default_value = gen_reader_default(reader, default_value, field->kind, field->at);
    if (field->type_name) {
        field->is_group = field->kind == CONNECT_KIND_GROUP && reader->file->syntax == GEN_SYNTAX_PROTO2;
        field->kind = field->is_group ? CONNECT_KIND_GROUP : 0; /* resolve.c tells the others */
    } else if (!field->kind || field->kind == CONNECT_KIND_GROUP || field->kind == CONNECT_KIND_MESSAGE ||
        field->kind == CONNECT_KIND_ENUM) {
        reader->failed = true;
    }
    if (oneof_index >= 0) {
        while (oneof && oneof->index != (uint32_t)oneof_index)
            oneof = oneof->next;
        field->oneof = oneof;
        if (!oneof) {
            reader->failed = true;
            return NULL;
        }
        oneof->field_count++;
        oneof->synthetic = field->proto3_optional;
    }
    field->label = gen_reader_label(reader, field, label);
    return field;
}

/* ---- Messages ---- */

static gen_type_t *gen_reader_type(gen_reader_t *reader, connect_str_t bytes, const char *path, gen_type_t *parent);

static void gen_reader_oneof(gen_reader_t *reader, connect_str_t bytes, const char *path, gen_type_t *type) {
    gen_oneof_t *oneof = CONNECT_NEW(&reader->ctx->arena, gen_oneof_t, 1);
    connect_reader_t records = gen_reader_of(bytes);
    connect_record_t record;
    oneof->at = gen_reader_at_part(reader, path, 1);
    oneof->docs = gen_reader_docs(reader, path);
    while (gen_reader_next(reader, &records, &record)) {
        switch (record.number) {
        case 1: oneof->name = gen_reader_word(reader, &record); break;
        case 2: oneof->options.encoded = gen_reader_bytes(reader, &record); break;
        default: break;
        }
    }
    if (!oneof->name) reader->failed = true;
    oneof->index = (uint32_t)type->oneofs.count;
    GEN_APPEND(type->oneofs, oneof);
}

/* Whether MessageOptions say map_entry. */
static bool gen_reader_is_map_entry(gen_reader_t *reader, connect_str_t options) {
    connect_reader_t records = gen_reader_of(options);
    connect_record_t record;
    bool is_map_entry = false;
    while (gen_reader_next(reader, &records, &record)) {
        if (record.number == 7) is_map_entry = gen_reader_int(reader, &record) != 0;
    }
    return is_map_entry;
}

/* A repeated field of a map entry that stands in the same message is a map. */
static void gen_reader_link(const gen_type_t *type, gen_field_t *field, const char *scope) {
    const size_t len = strlen(scope);
    gen_type_t *inner;
    if (!field->type_name || strncmp(field->type_name, scope, len) != 0) return;
    for (inner = type->types.first; inner; inner = inner->next) {
        if (strcmp(field->type_name + len, inner->name) != 0) continue;
        if (!inner->is_map_entry || field->label != GEN_LABEL_REPEATED) return;
        field->is_map = true;
        field->kind = CONNECT_KIND_MESSAGE;
        field->type = inner;
        field->type_name = NULL;
        inner->at = field->at;
        return;
    }
}

/* What the fields refer to, before the fields. */
static void gen_reader_type_inside(
    gen_reader_t *reader, connect_str_t bytes, const char *path, gen_type_t *type, connect_str_t *options) {
    connect_reader_t records = gen_reader_of(bytes);
    connect_record_t record;
    while (gen_reader_next(reader, &records, &record)) {
        connect_str_t inner = {"", 0};
        gen_type_t *nested;
        gen_enum_t *enumeration;
        if (record.wire == CONNECT_WIRE_BYTES) inner = gen_reader_bytes(reader, &record);
        switch (record.number) {
        case 1: type->name = gen_reader_word(reader, &record); break;
        case 3:
            nested = gen_reader_type(reader, inner, gen_reader_path(reader, path, 3, type->types.count), type);
            if (nested) GEN_APPEND(type->types, nested);
            break;
        case 4:
            enumeration = gen_reader_enum(reader, inner, gen_reader_path(reader, path, 4, type->enums.count), type);
            GEN_APPEND(type->enums, enumeration);
            break;
        case 7: *options = gen_reader_bytes(reader, &record); break;
        case 8: gen_reader_oneof(reader, inner, gen_reader_path(reader, path, 8, type->oneofs.count), type); break;
        case 11: type->visibility = gen_reader_int(reader, &record); break;
        default: break;
        }
    }
}

/* ".pkg.Outer.Inner." of a message. */
static const char *gen_reader_scope(gen_reader_t *reader, const gen_type_t *type) {
    const char *scope = "";
    for (; type; type = type->parent)
        scope = gen_source_printf(reader->ctx, "%s.%s", type->name, scope);
    return gen_source_printf(reader->ctx, ".%s%s%s", reader->file->package, *reader->file->package ? "." : "", scope);
}

static gen_type_t *gen_reader_type(gen_reader_t *reader, connect_str_t bytes, const char *path, gen_type_t *parent) {
    gen_type_t *type = CONNECT_NEW(&reader->ctx->arena, gen_type_t, 1);
    connect_reader_t records = gen_reader_of(bytes);
    connect_record_t record;
    connect_str_t options = {NULL, 0};
    const char *scope;
    type->file = reader->file;
    type->parent = parent;
    type->name = "";
    type->at = gen_reader_at_part(reader, path, 1);
    type->docs = gen_reader_docs(reader, path);
    if (reader->depth >= GEN_DEPTH_MAX) {
        gen_source_error(reader->ctx, type->at, "messages nest deeper than %u levels", GEN_DEPTH_MAX);
        return NULL;
    }
    reader->depth++;
    gen_reader_type_inside(reader, bytes, path, type, &options);
    reader->depth--;
    if (options.data) type->is_map_entry = gen_reader_is_map_entry(reader, options);
    if (!type->is_map_entry) type->options.encoded = options;
    if (!*type->name) reader->failed = true;
    scope = gen_reader_scope(reader, type);
    while (!reader->failed && gen_reader_next(reader, &records, &record)) {
        connect_str_t inner = {"", 0};
        gen_field_t *field;
        gen_range_t *range;
        gen_word_t *word;
        if (record.wire == CONNECT_WIRE_BYTES) inner = gen_reader_bytes(reader, &record);
        switch (record.number) {
        case 2:
            field = gen_reader_field(reader, inner, gen_reader_path(reader, path, 2, type->fields.count), type);
            if (!field) break;
            gen_reader_link(type, field, scope);
            GEN_APPEND(type->fields, field);
            break;
        case 5:
            range =
                gen_reader_range(reader, inner, gen_reader_path(reader, path, 5, type->extension_ranges.count), true);
            GEN_APPEND(type->extension_ranges, range);
            break;
        case 6:
            field = gen_reader_field(reader, inner, gen_reader_path(reader, path, 6, type->extensions.count), type);
            if (field) GEN_APPEND(type->extensions, field);
            break;
        case 9:
            range = gen_reader_range(reader, inner, gen_reader_path(reader, path, 9, type->reserved.count), true);
            GEN_APPEND(type->reserved, range);
            break;
        case 10:
            word = gen_reader_reserved_name(
                reader, &record, gen_reader_path(reader, path, 10, type->reserved_names.count));
            GEN_APPEND(type->reserved_names, word);
            break;
        default: break;
        }
    }
    if (type->is_map_entry && type->fields.count != 2) reader->failed = true;
    return type;
}

/* ---- Services ---- */

static void gen_reader_method(gen_reader_t *reader, connect_str_t bytes, const char *path, gen_service_t *service) {
    gen_method_t *method = CONNECT_NEW(&reader->ctx->arena, gen_method_t, 1);
    connect_reader_t records = gen_reader_of(bytes);
    connect_record_t record;
    method->at = gen_reader_at_part(reader, path, 1);
    method->input_at = gen_reader_at_part(reader, path, 2);
    method->output_at = gen_reader_at_part(reader, path, 3);
    method->docs = gen_reader_docs(reader, path);
    while (gen_reader_next(reader, &records, &record)) {
        switch (record.number) {
        case 1: method->name = gen_reader_word(reader, &record); break;
        case 2: method->input_name = gen_reader_dotted(reader, &record); break;
        case 3: method->output_name = gen_reader_dotted(reader, &record); break;
        case 4: method->options.encoded = gen_reader_bytes(reader, &record); break;
        case 5: method->client_streams = gen_reader_int(reader, &record) != 0; break;
        case 6: method->server_streams = gen_reader_int(reader, &record) != 0; break;
        default: break;
        }
    }
    if (!method->name || !method->input_name || !method->output_name)
        reader->failed = true;
    else
        GEN_APPEND(service->methods, method);
}

static gen_service_t *gen_reader_service(gen_reader_t *reader, connect_str_t bytes, const char *path) {
    gen_service_t *service = CONNECT_NEW(&reader->ctx->arena, gen_service_t, 1);
    connect_reader_t records = gen_reader_of(bytes);
    connect_record_t record;
    service->file = reader->file;
    service->at = gen_reader_at_part(reader, path, 1);
    service->docs = gen_reader_docs(reader, path);
    while (gen_reader_next(reader, &records, &record)) {
        switch (record.number) {
        case 1: service->name = gen_reader_word(reader, &record); break;
        case 2:
            gen_reader_method(reader, gen_reader_bytes(reader, &record),
                gen_reader_path(reader, path, 2, service->methods.count), service);
            break;
        case 3: service->options.encoded = gen_reader_bytes(reader, &record); break;
        default: break;
        }
    }
    if (!service->name) reader->failed = true;
    return service;
}

/* ---- Files ---- */

static gen_import_t *gen_reader_import(
    gen_reader_t *reader, const connect_record_t *record, uint32_t number, size_t index) {
    gen_import_t *import = CONNECT_NEW(&reader->ctx->arena, gen_import_t, 1);
    import->name = gen_reader_text(reader, record);
    import->at = gen_reader_at(reader, gen_reader_path(reader, "", number, index));
    return import;
}

/* Marks the imports that a list of indexes names. */
static void gen_reader_mark(gen_reader_t *reader, const connect_record_t *record) {
    connect_str_t packed = {"", 0};
    uint64_t index = record->value;
    if (record->wire == CONNECT_WIRE_BYTES) packed = record->bytes;
    do {
        gen_import_t *import = reader->file->imports.first;
        if (record->wire == CONNECT_WIRE_BYTES && !gen_reader_varint(&packed, &index)) break;
        for (; import && index > 0; index--)
            import = import->next;
        if (!import)
            reader->failed = true;
        else if (record->number == 10)
            import->is_public = true;
        else
            import->is_weak = true;
    } while (packed.len > 0);
}

/* What must be known before the rest is read. */
static void gen_reader_head(gen_reader_t *reader, connect_str_t bytes) {
    connect_reader_t records = gen_reader_of(bytes);
    connect_record_t record;
    gen_file_t *file = reader->file;
    file->edition = 998;
    while (gen_reader_next(reader, &records, &record)) {
        const char *syntax;
        switch (record.number) {
        case 2: file->package = gen_reader_dotted(reader, &record); break;
        case 9: gen_reader_source_info(reader, gen_reader_bytes(reader, &record)); break;
        case 12:
            syntax = gen_reader_text(reader, &record);
            file->syntax = strcmp(syntax, "proto3") == 0 ? GEN_SYNTAX_PROTO3
                : strcmp(syntax, "editions") == 0        ? GEN_SYNTAX_EDITIONS
                                                         : GEN_SYNTAX_PROTO2;
            if (file->syntax == GEN_SYNTAX_PROTO3) file->edition = 999;
            break;
        case 14: file->edition = gen_reader_int(reader, &record); break;
        default: break;
        }
    }
    file->package_at = gen_reader_at(reader, ",2");
    if (file->syntax == GEN_SYNTAX_EDITIONS && (file->edition < GEN_EDITION_2023 || file->edition > GEN_EDITION_2024)) {
        gen_source_error(reader->ctx, gen_reader_at(reader, ",14"), "edition %ld is not known: 2023 and 2024 are",
            (long)file->edition);
    }
}

static void gen_reader_body(gen_reader_t *reader, connect_str_t bytes) {
    connect_reader_t records = gen_reader_of(bytes);
    connect_record_t record;
    gen_file_t *file = reader->file;
    while (!reader->failed && gen_reader_next(reader, &records, &record)) {
        connect_str_t inner = {"", 0};
        gen_import_t *import;
        gen_type_t *type;
        gen_enum_t *enumeration;
        gen_service_t *service;
        gen_field_t *field;
        if (record.wire == CONNECT_WIRE_BYTES) inner = gen_reader_bytes(reader, &record);
        switch (record.number) {
        case 3:
            import = gen_reader_import(reader, &record, 3, file->imports.count);
            GEN_APPEND(file->imports, import);
            break;
        case 4:
            type = gen_reader_type(reader, inner, gen_reader_path(reader, "", 4, file->types.count), NULL);
            if (type) GEN_APPEND(file->types, type);
            break;
        case 5:
            enumeration = gen_reader_enum(reader, inner, gen_reader_path(reader, "", 5, file->enums.count), NULL);
            GEN_APPEND(file->enums, enumeration);
            break;
        case 6:
            service = gen_reader_service(reader, inner, gen_reader_path(reader, "", 6, file->services.count));
            GEN_APPEND(file->services, service);
            break;
        case 7:
            field = gen_reader_field(reader, inner, gen_reader_path(reader, "", 7, file->extensions.count), NULL);
            if (field) GEN_APPEND(file->extensions, field);
            break;
        case 8: file->options.encoded = gen_reader_bytes(reader, &record); break;
        case 10:
        case 11: gen_reader_mark(reader, &record); break;
        case 15:
            import = gen_reader_import(reader, &record, 15, file->option_imports.count);
            GEN_APPEND(file->option_imports, import);
            break;
        default: break;
        }
    }
}

GEN_PRIVATE gen_file_t *gen_reader_file(gen_context_t *ctx, const gen_source_t *source, connect_str_t descriptor) {
    gen_reader_t reader;
    const gen_at_t at = {source, 0};
    memset(&reader, 0, sizeof reader);
    reader.ctx = ctx;
    reader.source = source;
    reader.file = CONNECT_NEW(&ctx->arena, gen_file_t, 1);
    reader.file->source = source;
    reader.file->name = source->name;
    reader.file->package = "";
    gen_reader_head(&reader, descriptor);
    if (*reader.file->package == '.') reader.failed = true;
    if (!reader.failed) gen_reader_body(&reader, descriptor);
    if (!reader.failed) return reader.file;
    gen_source_error(ctx, at, "the descriptor of \"%s\" is malformed", source->name);
    return NULL;
}

GEN_PRIVATE const char *gen_reader_name(gen_context_t *ctx, connect_str_t descriptor) {
    connect_reader_t records = gen_reader_of(descriptor);
    connect_record_t record;
    const char *name = "";
    while (connect_reader_next(&records, &record)) {
        if (record.number == 1 && record.wire == CONNECT_WIRE_BYTES) name = gen_source_copy(ctx, record.bytes);
    }
    return name;
}

/* #### src/gen/load.h ############################################################################################## */
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

/* #### src/gen/load.c ############################################################################################## */
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

/* #### src/gen/resolve.h ########################################################################################### */
typedef enum gen_symbol_kind_t {
    GEN_SYMBOL_PACKAGE,
    GEN_SYMBOL_MESSAGE,
    GEN_SYMBOL_ENUM,
    GEN_SYMBOL_SERVICE,
    GEN_SYMBOL_OTHER /* a field, a oneof, an enum value, a method */
} gen_symbol_kind_t;
typedef struct gen_symbol_t {
    gen_symbol_kind_t kind;
    const gen_file_t *file; /* of a package: one that is in it */
    gen_at_t at;
    gen_type_t *type;
    gen_enum_t *enumeration;
    gen_field_t *field;
} gen_symbol_t;
/* Gives everything its full name, and finds what names mean. */
GEN_PRIVATE void gen_resolve_model(gen_model_t *model);

/* Later lookups, as one file sees it. */
typedef struct gen_resolve_t {
    gen_model_t *model;
    gen_context_t *ctx;
    gen_file_t *file;
} gen_resolve_t;
/* From here on names are looked up as a file sees it; for_options: in options, for which it may import more. */
GEN_PRIVATE void gen_resolve_see(gen_resolve_t *resolve, gen_model_t *model, gen_file_t *file, bool for_options);
/* Finds an extension by its name as it is written in what is called `element`; NULL if there is none. */
GEN_PRIVATE gen_field_t *gen_resolve_extension(gen_resolve_t *resolve, const char *element, const char *name);
/* Finds what has a full name; NULL if the file does not see it. */
GEN_PRIVATE gen_symbol_t *gen_resolve_full_name(gen_resolve_t *resolve, const char *full_name);

/* #### src/gen/resolve.c ########################################################################################### */
/* Names. Everything in a file is registered by its full name, once; then the names of types are looked up as
   protobuf's language does it, like C++: from the innermost scope outwards, for the first part of the name; where
   that is found, the rest must be, too, unless it was something that has nothing inside. What is no type does not hide
   a type from fields, but it does so from methods and extend. ".a.B" is looked up at the outermost scope only.

   An enum value is in the scope its enum is in. A package and its parts are names, too, but several files may share
   them. A file sees itself, what it imports, and what that imports publicly. */

#define GEN_RESOLVE_NAME_MAX 1024u

/* Stands for a name that is too long: full names grow with each level, and memory is to stay bounded. */
static const char gen_resolve_too_long[] = "";

static const char *gen_resolve_join(gen_resolve_t *resolve, const char *scope, const char *name) {
    if (strlen(scope) + strlen(name) >= GEN_RESOLVE_NAME_MAX) return gen_resolve_too_long;
    return *scope ? gen_source_printf(resolve->ctx, "%s.%s", scope, name) : name;
}

static gen_symbol_t *gen_resolve_add(
    gen_resolve_t *resolve, const char *full_name, gen_symbol_kind_t kind, gen_at_t at) {
    gen_symbol_t *old, *symbol;
    if (full_name == gen_resolve_too_long || strlen(full_name) > GEN_RESOLVE_NAME_MAX) {
        gen_source_error(resolve->ctx, at, "full name with more than %u bytes", GEN_RESOLVE_NAME_MAX);
        return NULL;
    }
    old = gen_map_get(&resolve->model->symbols, full_name);
    if (old) {
        if (kind == GEN_SYMBOL_PACKAGE && old->kind == GEN_SYMBOL_PACKAGE) return old;
        gen_source_error(resolve->ctx, at, "\"%s\" is %s already, at %s", full_name,
            old->kind == GEN_SYMBOL_PACKAGE ? "a package" : "defined", gen_source_place(resolve->ctx, old->at));
        return NULL;
    }
    symbol = CONNECT_NEW(&resolve->ctx->arena, gen_symbol_t, 1);
    symbol->kind = kind;
    symbol->file = resolve->file;
    symbol->at = at;
    gen_map_put(resolve->ctx, &resolve->model->symbols, full_name, symbol);
    return symbol;
}

/* ---- Full names ---- */

static void gen_resolve_add_enum(gen_resolve_t *resolve, const char *scope, gen_enum_t *enumeration) {
    gen_symbol_t *symbol;
    gen_enum_value_t *value;
    enumeration->full_name = gen_resolve_join(resolve, scope, enumeration->name);
    symbol = gen_resolve_add(resolve, enumeration->full_name, GEN_SYMBOL_ENUM, enumeration->at);
    if (symbol) symbol->enumeration = enumeration;
    for (value = enumeration->values.first; value; value = value->next) {
        value->full_name = gen_resolve_join(resolve, scope, value->name);
        gen_resolve_add(resolve, value->full_name, GEN_SYMBOL_OTHER, value->at);
    }
}

/* "raw_frame" is "rawFrame" in JSON. */
static const char *gen_resolve_json_name(gen_resolve_t *resolve, const char *name) {
    char *json = CONNECT_NEW(&resolve->ctx->arena, char, strlen(name) + 1);
    size_t len = 0;
    bool upper = false;
    for (; *name; name++) {
        if (*name == '_') {
            upper = true;
            continue;
        }
        json[len++] = upper && *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name;
        upper = false;
    }
    return json;
}

static void gen_resolve_add_field(gen_resolve_t *resolve, const char *scope, gen_field_t *field) {
    gen_symbol_t *symbol;
    const char *json_name;
    field->full_name = gen_resolve_join(resolve, scope, field->name);
    symbol = gen_resolve_add(resolve, field->full_name, GEN_SYMBOL_OTHER, field->at);
    if (symbol) symbol->field = field;
    json_name = gen_resolve_json_name(resolve, field->name);
    if (!field->json_name) field->json_name = json_name;
    field->has_json_name = strcmp(field->json_name, json_name) != 0;
}

/* The oneof that stands for a proto3 optional in descriptors: "_name", with more underscores if that is taken. */
static void gen_resolve_synthetic(gen_resolve_t *resolve, gen_type_t *type, gen_field_t *field) {
    gen_oneof_t *oneof = CONNECT_NEW(&resolve->ctx->arena, gen_oneof_t, 1);
    const char *name = field->name[0] == '_' ? field->name : gen_source_printf(resolve->ctx, "_%s", field->name);
    const char *full_name = gen_resolve_join(resolve, type->full_name, name);
    while (gen_map_get(&resolve->model->symbols, full_name)) {
        name = gen_source_printf(resolve->ctx, "X%s", name);
        full_name = gen_resolve_join(resolve, type->full_name, name);
    }
    gen_resolve_add(resolve, full_name, GEN_SYMBOL_OTHER, field->at);
    oneof->name = name;
    oneof->full_name = full_name;
    oneof->at = field->at;
    oneof->synthetic = true;
    oneof->field_count = 1;
    oneof->index = (uint32_t)type->oneofs.count;
    GEN_APPEND(type->oneofs, oneof);
    field->oneof = oneof;
    field->proto3_optional = true;
}

static void gen_resolve_add_type(gen_resolve_t *resolve, const char *scope, gen_type_t *type) {
    gen_symbol_t *symbol;
    gen_type_t *inner;
    gen_enum_t *enumeration;
    gen_field_t *field;
    gen_oneof_t *oneof;
    type->full_name = gen_resolve_join(resolve, scope, type->name);
    symbol = gen_resolve_add(resolve, type->full_name, GEN_SYMBOL_MESSAGE, type->at);
    if (symbol) symbol->type = type;
    for (field = type->fields.first; field; field = field->next)
        gen_resolve_add_field(resolve, type->full_name, field);
    for (oneof = type->oneofs.first; oneof; oneof = oneof->next) {
        oneof->full_name = gen_resolve_join(resolve, type->full_name, oneof->name);
        gen_resolve_add(resolve, oneof->full_name, GEN_SYMBOL_OTHER, oneof->at);
    }
    for (inner = type->types.first; inner; inner = inner->next)
        gen_resolve_add_type(resolve, type->full_name, inner);
    for (enumeration = type->enums.first; enumeration; enumeration = enumeration->next) {
        gen_resolve_add_enum(resolve, type->full_name, enumeration);
    }
    for (field = type->extensions.first; field; field = field->next) {
        gen_resolve_add_field(resolve, type->full_name, field);
    }
    if (type->file->syntax != GEN_SYNTAX_PROTO3 || type->is_map_entry) return;
    for (field = type->fields.first; field; field = field->next) {
        if (field->label == GEN_LABEL_OPTIONAL && !field->oneof) gen_resolve_synthetic(resolve, type, field);
    }
}

static void gen_resolve_add_file(gen_resolve_t *resolve, gen_file_t *file) {
    const char *dot = file->package;
    gen_type_t *type;
    gen_enum_t *enumeration;
    gen_service_t *service;
    gen_method_t *method;
    gen_field_t *field;
    resolve->file = file;
    while (*dot) {
        connect_str_t part;
        dot += strcspn(dot, ".");
        part.data = file->package;
        part.len = (size_t)(dot - file->package);
        gen_resolve_add(resolve, gen_source_copy(resolve->ctx, part), GEN_SYMBOL_PACKAGE, file->package_at);
        if (*dot) dot++;
    }
    for (type = file->types.first; type; type = type->next)
        gen_resolve_add_type(resolve, file->package, type);
    for (enumeration = file->enums.first; enumeration; enumeration = enumeration->next) {
        gen_resolve_add_enum(resolve, file->package, enumeration);
    }
    for (service = file->services.first; service; service = service->next) {
        service->full_name = gen_resolve_join(resolve, file->package, service->name);
        gen_resolve_add(resolve, service->full_name, GEN_SYMBOL_SERVICE, service->at);
        for (method = service->methods.first; method; method = method->next) {
            method->full_name = gen_resolve_join(resolve, service->full_name, method->name);
            gen_resolve_add(resolve, method->full_name, GEN_SYMBOL_OTHER, method->at);
        }
    }
    for (field = file->extensions.first; field; field = field->next) {
        gen_resolve_add_field(resolve, file->package, field);
    }
}

/* ---- Lookup ---- */

static size_t gen_resolve_mark(gen_resolve_t *resolve, gen_import_t *import, bool all, gen_file_t **todo) {
    size_t count = 0;
    for (; import; import = import->next) {
        if (!import->file || !(all || import->is_public)) continue;
        if (import->file->visible_from == resolve->model->serial) continue;
        import->file->visible_from = resolve->model->serial;
        todo[count++] = import->file;
    }
    return count;
}

GEN_PRIVATE void gen_resolve_see(gen_resolve_t *resolve, gen_model_t *model, gen_file_t *file, bool for_options) {
    gen_file_t **todo = CONNECT_NEW(&model->ctx->arena, gen_file_t *, model->files.count + 1);
    size_t count;
    resolve->model = model;
    resolve->ctx = model->ctx;
    resolve->file = file;
    file->visible_from = ++model->serial;
    count = gen_resolve_mark(resolve, file->imports.first, true, todo);
    if (for_options) count += gen_resolve_mark(resolve, file->option_imports.first, true, todo + count);
    while (count > 0) {
        const gen_file_t *next = todo[--count];
        count += gen_resolve_mark(resolve, next->imports.first, false, todo + count);
    }
}

static bool gen_resolve_package_seen(gen_resolve_t *resolve, const char *package) {
    const gen_file_t *file;
    size_t len = strlen(package);
    for (file = resolve->model->files.first; file; file = file->next) {
        if (file->visible_from == resolve->model->serial && strncmp(file->package, package, len) == 0 &&
            (!file->package[len] || file->package[len] == '.')) {
            return true;
        }
    }
    return false;
}

static gen_symbol_t *gen_resolve_find(gen_resolve_t *resolve, const char *full_name, gen_symbol_t **hidden) {
    gen_symbol_t *symbol = gen_map_get(&resolve->model->symbols, full_name);
    if (!symbol) return NULL;
    if (symbol->kind == GEN_SYMBOL_PACKAGE) return gen_resolve_package_seen(resolve, full_name) ? symbol : NULL;
    if (symbol->file->visible_from == resolve->model->serial) return symbol;
    *hidden = symbol;
    return NULL;
}

/* Looks a name up, from the scope outwards. types_only: what is no type does not hide one further out. *wrong: the
   full name at which the search had to end. */
static gen_symbol_t *gen_resolve_name(gen_resolve_t *resolve, const char *scope, const char *name, bool types_only,
    gen_symbol_t **hidden, const char **wrong) {
    const size_t first_len = strcspn(name, ".");
    size_t scope_len = strlen(scope);
    gen_symbol_t *found = NULL;
    char *full;
    if (*name == '.') return gen_resolve_find(resolve, name + 1, hidden);
    full = CONNECT_NEW(&resolve->ctx->arena, char, scope_len + strlen(name) + 2);
    for (;;) {
        gen_symbol_t *first;
        const size_t at_name = scope_len ? scope_len + 1 : 0;
        memcpy(full, scope, scope_len);
        if (scope_len) full[scope_len] = '.';
        memcpy(full + at_name, name, first_len);
        full[at_name + first_len] = 0;
        first = gen_resolve_find(resolve, full, hidden);
        if (first && !name[first_len]) {
            found = first;
            if (!types_only || first->kind == GEN_SYMBOL_MESSAGE || first->kind == GEN_SYMBOL_ENUM) return found;
        } else if (first && first->kind != GEN_SYMBOL_OTHER) {
            strcpy(full + at_name, name);
            found = gen_resolve_find(resolve, full, hidden);
            if (!found) *wrong = full;
            return found;
        }
        if (scope_len == 0) return found;
        while (scope_len > 0 && scope[scope_len - 1] != '.')
            scope_len--;
        if (scope_len > 0) scope_len--;
    }
}

GEN_PRIVATE gen_field_t *gen_resolve_extension(gen_resolve_t *resolve, const char *element, const char *name) {
    const char *dot = strrchr(element, '.'), *wrong = NULL;
    const connect_str_t scope = {element, dot ? (size_t)(dot - element) : 0};
    gen_symbol_t *hidden = NULL;
    const gen_symbol_t *symbol =
        gen_resolve_name(resolve, gen_source_copy(resolve->ctx, scope), name, false, &hidden, &wrong);
    return symbol && symbol->field && symbol->field->extendee_name ? symbol->field : NULL;
}

GEN_PRIVATE gen_symbol_t *gen_resolve_full_name(gen_resolve_t *resolve, const char *full_name) {
    gen_symbol_t *hidden = NULL;
    return gen_resolve_find(resolve, full_name, &hidden);
}

/* Finds a message or an enum; reports it if there is none. types_only: as of gen_resolve_name. */
static gen_symbol_t *gen_resolve_type(
    gen_resolve_t *resolve, const char *scope, const char *name, bool types_only, gen_at_t at) {
    const char *wrong = NULL;
    gen_symbol_t *hidden = NULL, *found = gen_resolve_name(resolve, scope, name, types_only, &hidden, &wrong);
    if (found && (found->kind == GEN_SYMBOL_MESSAGE || found->kind == GEN_SYMBOL_ENUM)) return found;
    if (found && !types_only && *name != '.') {
        gen_source_error(resolve->ctx, at,
            "\"%s\" is not a message but what is defined at %s; start the name with a dot to look at the outermost "
            "scope "
            "only",
            name, gen_source_place(resolve->ctx, found->at));
    } else if (found) {
        gen_source_error(resolve->ctx, at, "\"%s\" is not a message or an enum", name);
    } else if (resolve->file->incomplete) {
        return NULL; /* it may stand in what could not be read */
    } else if (hidden) {
        gen_source_error(resolve->ctx, at,
            "\"%s\" is defined in \"%s\", which is not imported here: add import \"%s\";", name, hidden->file->name,
            hidden->file->name);
    } else if (wrong && strcmp(wrong, name) != 0) {
        gen_source_error(resolve->ctx, at,
            "\"%s\" is taken for \"%s\", which is not defined; start the name with a dot to look at the outermost "
            "scope only",
            name, wrong);
    } else {
        gen_source_error(resolve->ctx, at, "\"%s\" is not defined", name);
    }
    return NULL;
}

/* What is extended, sent or received. Here what is no type hides one further out. */
static gen_type_t *gen_resolve_message(gen_resolve_t *resolve, const char *scope, const char *name, gen_at_t at) {
    gen_symbol_t *symbol = gen_resolve_type(resolve, scope, name, false, at);
    if (symbol && symbol->kind != GEN_SYMBOL_MESSAGE) {
        gen_source_error(resolve->ctx, at, "\"%s\" is not a message", name);
        return NULL;
    }
    return symbol ? symbol->type : NULL;
}

static void gen_resolve_field(gen_resolve_t *resolve, const char *scope, gen_field_t *field) {
    gen_symbol_t *symbol;
    if (field->extendee_name) {
        field->extendee = gen_resolve_message(resolve, scope, field->extendee_name, field->extendee_at);
    }
    if (!field->type_name) return;
    symbol = gen_resolve_type(resolve, scope, field->type_name, true, field->type_at);
    if (!symbol) return;
    field->type = symbol->type;
    field->enumeration = symbol->enumeration;
    field->kind = symbol->kind == GEN_SYMBOL_ENUM ? CONNECT_KIND_ENUM : CONNECT_KIND_MESSAGE;
    if (field->type && field->type->is_map_entry) {
        gen_source_error(
            resolve->ctx, field->type_at, "\"%s\" is the entry of a map: write map<...> instead", field->type_name);
    }
}

static void gen_resolve_fields(gen_resolve_t *resolve, gen_type_t *type) {
    gen_type_t *inner;
    gen_field_t *field;
    for (field = type->fields.first; field; field = field->next)
        gen_resolve_field(resolve, type->full_name, field);
    for (field = type->extensions.first; field; field = field->next) {
        gen_resolve_field(resolve, type->full_name, field);
    }
    for (inner = type->types.first; inner; inner = inner->next)
        gen_resolve_fields(resolve, inner);
}

GEN_PRIVATE void gen_resolve_model(gen_model_t *model) {
    gen_resolve_t resolve;
    gen_file_t *file;
    gen_type_t *type;
    gen_field_t *field;
    gen_service_t *service;
    gen_method_t *method;
    memset(&resolve, 0, sizeof resolve);
    resolve.model = model;
    resolve.ctx = model->ctx;
    for (file = model->files.first; file; file = file->next)
        gen_resolve_add_file(&resolve, file);
    for (file = model->files.first; file; file = file->next) {
        gen_resolve_see(&resolve, model, file, false);
        for (type = file->types.first; type; type = type->next)
            gen_resolve_fields(&resolve, type);
        for (field = file->extensions.first; field; field = field->next) {
            gen_resolve_field(&resolve, file->package, field);
        }
        for (service = file->services.first; service; service = service->next) {
            for (method = service->methods.first; method; method = method->next) {
                method->input = gen_resolve_message(&resolve, service->full_name, method->input_name, method->input_at);
                method->output =
                    gen_resolve_message(&resolve, service->full_name, method->output_name, method->output_at);
            }
        }
    }
}

/* #### src/gen/object.h ############################################################################################ */
/* Finds the first value of a field that is no extension; NULL if there is none. object: may be NULL. */
GEN_PRIVATE const gen_item_t *gen_object_get(const gen_object_t *object, const char *name);
/* Finds the first value of a field; NULL if there is none. */
GEN_PRIVATE gen_item_t *gen_object_find(const gen_object_t *object, const gen_field_t *field);
/* Adds a value behind those of the same field. */
GEN_PRIVATE gen_item_t *gen_object_add(gen_context_t *ctx, gen_object_t *object, const gen_field_t *field, gen_at_t at);
/* Gives the entry of a map the key and the value that it does not have yet: empty or zero. */
GEN_PRIVATE void gen_object_complete(gen_context_t *ctx, gen_object_t *entry, gen_at_t at);
/* Takes the values of a oneof's fields out. */
GEN_PRIVATE void gen_object_clear_oneof(gen_object_t *object, const gen_oneof_t *oneof);
/* Whether a bool field is set to true. */
GEN_PRIVATE bool gen_object_is_true(const gen_object_t *object, const char *name);
/* The number of an enum field or an integer; otherwise what it is without a value. */
GEN_PRIVATE int32_t gen_object_number(const gen_object_t *object, const char *name, int32_t otherwise);
/* Its text, with a zero after it; NULL if the field is not set. */
GEN_PRIVATE const char *gen_object_text(gen_context_t *ctx, const gen_object_t *object, const char *name);
/* The fields of an object on the wire, without those that are for sources only. */
GEN_PRIVATE connect_str_t gen_object_encode(gen_context_t *ctx, const gen_object_t *object);
/* Adds to an object what is on the wire; extensions are those of the model. Reports at `at` what is malformed. */
GEN_PRIVATE void gen_object_decode(const gen_model_t *model, gen_object_t *object, connect_str_t bytes, gen_at_t at);

/* #### src/gen/object.c ############################################################################################ */
/* Messages whose types are in the model, as custom options are: kept by their values, read from and written to the
   wire (protobuf.dev, "Encoding").

   An object has its items by the number of their fields, those of one field in the order they came in; a field that is
   not repeated has one at most, messages merge; the entry of a map has key and value. So an object comes out the same
   on the wire however it was put together. Repeated fields are never packed: readers take both.

   Fields with retention = RETENTION_SOURCE are not written: they are for who reads the source. What is in groups is
   read and written as in other messages. Depth: GEN_OBJECT_DEPTH_MAX levels. */

#define GEN_OBJECT_DEPTH_MAX 100u
#define GEN_OBJECT_RETENTION_SOURCE 2

GEN_PRIVATE const gen_item_t *gen_object_get(const gen_object_t *object, const char *name) {
    const gen_item_t *item = object ? object->items : NULL;
    while (item && (item->field->extendee_name || strcmp(item->field->name, name) != 0))
        item = item->next;
    return item;
}

GEN_PRIVATE gen_item_t *gen_object_find(const gen_object_t *object, const gen_field_t *field) {
    gen_item_t *item = object->items;
    while (item && item->field != field)
        item = item->next;
    return item;
}

GEN_PRIVATE gen_item_t *gen_object_add(
    gen_context_t *ctx, gen_object_t *object, const gen_field_t *field, gen_at_t at) {
    gen_item_t *item = CONNECT_NEW(&ctx->arena, gen_item_t, 1), **link = &object->items;
    item->field = field;
    item->at = at;
    if (object->last && object->last->field->number <= field->number) link = &object->last->next;
    while (*link && (*link)->field->number <= field->number)
        link = &(*link)->next;
    item->next = *link;
    *link = item;
    if (!item->next) object->last = item;
    if (field->type) {
        item->message = CONNECT_NEW(&ctx->arena, gen_object_t, 1);
        item->message->type = field->type;
    }
    return item;
}

GEN_PRIVATE void gen_object_complete(gen_context_t *ctx, gen_object_t *entry, gen_at_t at) {
    const gen_field_t *field;
    for (field = entry->type->fields.first; field; field = field->next) {
        if (!gen_object_find(entry, field)) gen_object_add(ctx, entry, field, at);
    }
}

GEN_PRIVATE void gen_object_clear_oneof(gen_object_t *object, const gen_oneof_t *oneof) {
    gen_item_t **link = &object->items;
    object->last = NULL;
    while (*link) {
        if ((*link)->field->oneof == oneof) {
            *link = (*link)->next;
        } else {
            object->last = *link;
            link = &(*link)->next;
        }
    }
}

GEN_PRIVATE bool gen_object_is_true(const gen_object_t *object, const char *name) {
    const gen_item_t *item = gen_object_get(object, name);
    return item && item->bits != 0;
}

GEN_PRIVATE int32_t gen_object_number(const gen_object_t *object, const char *name, int32_t otherwise) {
    const gen_item_t *item = gen_object_get(object, name);
    return item ? (int32_t)item->bits : otherwise;
}

GEN_PRIVATE const char *gen_object_text(gen_context_t *ctx, const gen_object_t *object, const char *name) {
    const gen_item_t *item = gen_object_get(object, name);
    return item ? gen_source_copy(ctx, item->text) : NULL;
}

/* ---- To the wire ---- */

static bool gen_object_is_for_sources(const gen_field_t *field) {
    return gen_object_number(field->options.object, "retention", 0) == GEN_OBJECT_RETENTION_SOURCE;
}

static void gen_object_put(gen_context_t *ctx, connect_writer_t *writer, const gen_item_t *item) {
    const uint32_t number = (uint32_t)item->field->number;
    const connect_kind_t kind = (connect_kind_t)item->field->kind;
    const int32_t narrow = (int32_t)(uint32_t)item->bits;
    const uint32_t narrow_bits = (uint32_t)item->bits;
    const bool truth = item->bits != 0;
    connect_str_t bytes;
    double wide_float;
    float narrow_float;
    switch (kind) {
    case CONNECT_KIND_STRING:
    case CONNECT_KIND_BYTES: connect_writer_put(writer, number, CONNECT_KIND_BYTES, &item->text); break;
    case CONNECT_KIND_MESSAGE:
    case CONNECT_KIND_GROUP:
        bytes = gen_object_encode(ctx, item->message);
        connect_writer_put(writer, number, kind, &bytes);
        break;
    case CONNECT_KIND_DOUBLE:
        memcpy(&wide_float, &item->bits, sizeof wide_float);
        connect_writer_put(writer, number, kind, &wide_float);
        break;
    case CONNECT_KIND_FLOAT:
        memcpy(&narrow_float, &narrow_bits, sizeof narrow_float);
        connect_writer_put(writer, number, kind, &narrow_float);
        break;
    case CONNECT_KIND_BOOL: connect_writer_put(writer, number, kind, &truth); break;
    case CONNECT_KIND_INT64:
    case CONNECT_KIND_UINT64:
    case CONNECT_KIND_SINT64:
    case CONNECT_KIND_FIXED64:
    case CONNECT_KIND_SFIXED64: connect_writer_put(writer, number, kind, &item->bits); break;
    case CONNECT_KIND_UINT32:
    case CONNECT_KIND_FIXED32: connect_writer_put(writer, number, kind, &narrow_bits); break;
    default: connect_writer_put(writer, number, kind, &narrow); break;
    }
}

GEN_PRIVATE connect_str_t gen_object_encode(gen_context_t *ctx, const gen_object_t *object) {
    connect_writer_t writer = {NULL, {NULL, 0}, false, 0};
    const gen_item_t *item;
    connect_str_t all;
    char *joined;
    writer.arena = &ctx->arena;
    for (item = object->items; item; item = item->next) {
        if (!gen_object_is_for_sources(item->field)) gen_object_put(ctx, &writer, item);
    }
    if (!object->unknown.len) {
        all = writer.written;
        if (!all.data) all.data = "";
        return all;
    }
    all.len = writer.written.len + object->unknown.len;
    all.data = joined = CONNECT_NEW(&ctx->arena, char, all.len);
    if (writer.written.len) memcpy(joined, writer.written.data, writer.written.len);
    memcpy(joined + writer.written.len, object->unknown.data, object->unknown.len);
    return all;
}

/* ---- From the wire ---- */

typedef struct gen_object_reader_t {
    const gen_model_t *model;
    gen_at_t at;
    unsigned depth;
} gen_object_reader_t;

static const gen_field_t *gen_object_field_in(const gen_field_t *field, const gen_type_t *type, uint32_t number) {
    for (; field; field = field->next) {
        if ((uint32_t)field->number == number && (!field->extendee_name || field->extendee == type)) return field;
    }
    return NULL;
}

static const gen_field_t *gen_object_extension_in(const gen_type_t *types, const gen_type_t *type, uint32_t number) {
    const gen_field_t *found = NULL;
    for (; types && !found; types = types->next) {
        found = gen_object_field_in(types->extensions.first, type, number);
        if (!found) found = gen_object_extension_in(types->types.first, type, number);
    }
    return found;
}

static const gen_field_t *gen_object_field(const gen_model_t *model, const gen_type_t *type, uint32_t number) {
    const gen_field_t *found = gen_object_field_in(type->fields.first, type, number);
    const gen_file_t *file;
    for (file = model->files.first; file && !found && type->extension_ranges.first; file = file->next) {
        found = gen_object_field_in(file->extensions.first, type, number);
        if (!found) found = gen_object_extension_in(file->types.first, type, number);
    }
    return found;
}

static void gen_object_keep(gen_context_t *ctx, gen_object_t *object, const char *from, const char *to) {
    const size_t len = (size_t)(to - from);
    char *joined = CONNECT_NEW(&ctx->arena, char, object->unknown.len + len);
    if (object->unknown.len) memcpy(joined, object->unknown.data, object->unknown.len);
    memcpy(joined + object->unknown.len, from, len);
    object->unknown.data = joined;
    object->unknown.len += len;
}

static bool gen_object_value(const connect_record_t *record, gen_item_t *item) {
    const connect_kind_t kind = (connect_kind_t)item->field->kind;
    double wide_float;
    float narrow_float;
    uint32_t narrow_bits = 0;
    int32_t narrow;
    bool good, truth;
    switch (kind) {
    case CONNECT_KIND_STRING:
    case CONNECT_KIND_BYTES: return connect_record_get(record, CONNECT_KIND_BYTES, &item->text);
    case CONNECT_KIND_DOUBLE:
        good = connect_record_get(record, kind, &wide_float);
        if (good) memcpy(&item->bits, &wide_float, sizeof wide_float);
        return good;
    case CONNECT_KIND_FLOAT:
        good = connect_record_get(record, kind, &narrow_float);
        if (good) memcpy(&narrow_bits, &narrow_float, sizeof narrow_float);
        item->bits = narrow_bits;
        return good;
    case CONNECT_KIND_BOOL:
        good = connect_record_get(record, kind, &truth);
        item->bits = good && truth;
        return good;
    case CONNECT_KIND_INT64:
    case CONNECT_KIND_UINT64:
    case CONNECT_KIND_SINT64:
    case CONNECT_KIND_FIXED64:
    case CONNECT_KIND_SFIXED64: return connect_record_get(record, kind, &item->bits);
    case CONNECT_KIND_UINT32:
    case CONNECT_KIND_FIXED32:
        good = connect_record_get(record, kind, &narrow_bits);
        item->bits = narrow_bits;
        return good;
    default:
        good = connect_record_get(record, kind, &narrow);
        if (good) item->bits = (uint64_t)(int64_t)narrow;
        return good;
    }
}

/* The size of a kind's numbers on the wire; 0: they are varints. */
static size_t gen_object_fixed(int kind) {
    switch (kind) {
    case CONNECT_KIND_DOUBLE:
    case CONNECT_KIND_FIXED64:
    case CONNECT_KIND_SFIXED64: return 8;
    case CONNECT_KIND_FLOAT:
    case CONNECT_KIND_FIXED32:
    case CONNECT_KIND_SFIXED32: return 4;
    default: return 0;
    }
}

/* Takes a number out of a packed list, as if it stood alone. */
static bool gen_object_unpack(connect_str_t *packed, size_t fixed, connect_record_t *record) {
    size_t len = 0;
    record->wire = fixed == 8 ? CONNECT_WIRE_FIXED64 : fixed == 4 ? CONNECT_WIRE_FIXED32 : CONNECT_WIRE_VARINT;
    record->value = 0;
    for (;;) {
        const unsigned char c = len < packed->len ? (unsigned char)packed->data[len] : 0x80;
        if (len >= packed->len || len == 10) return false;
        record->value |= (uint64_t)(fixed ? c : c & 0x7Fu) << (fixed ? 8 : 7) * len;
        len++;
        if (fixed ? len == fixed : c < 0x80) break;
    }
    packed->data += len;
    packed->len -= len;
    return true;
}

static bool gen_object_read(gen_object_reader_t *reader, gen_object_t *object, connect_str_t bytes);

static bool gen_object_read_field(
    gen_object_reader_t *reader, gen_object_t *object, const gen_field_t *field, const connect_record_t *record) {
    gen_context_t *ctx = reader->model->ctx;
    const bool repeated = field->label == GEN_LABEL_REPEATED;
    const bool is_bytes = field->type || field->kind == CONNECT_KIND_STRING || field->kind == CONNECT_KIND_BYTES;
    gen_item_t *item = repeated ? NULL : gen_object_find(object, field);
    bool good;
    if (repeated && !is_bytes && record->wire == CONNECT_WIRE_BYTES) {
        connect_str_t packed = record->bytes;
        connect_record_t one = *record;
        while (packed.len > 0) {
            if (!gen_object_unpack(&packed, gen_object_fixed(field->kind), &one)) return false;
            if (!gen_object_value(&one, gen_object_add(ctx, object, field, reader->at))) return false;
        }
        return true;
    }
    if (!item && field->oneof) gen_object_clear_oneof(object, field->oneof);
    if (!item) item = gen_object_add(ctx, object, field, reader->at);
    if (!field->type) return gen_object_value(record, item);
    if (record->wire != CONNECT_WIRE_BYTES && record->wire != CONNECT_WIRE_GROUP) return false;
    if (reader->depth >= GEN_OBJECT_DEPTH_MAX) return false;
    reader->depth++;
    good = gen_object_read(reader, item->message, record->bytes);
    reader->depth--;
    if (field->is_map) gen_object_complete(ctx, item->message, reader->at);
    return good;
}

static bool gen_object_read(gen_object_reader_t *reader, gen_object_t *object, connect_str_t bytes) {
    connect_reader_t records = {{NULL, 0}, false};
    connect_record_t record;
    records.rest = bytes;
    for (;;) {
        const char *from = records.rest.data;
        const gen_field_t *field;
        if (!connect_reader_next(&records, &record)) return !records.failed;
        field = gen_object_field(reader->model, object->type, record.number);
        if (!field || (!field->kind && !field->type)) {
            gen_object_keep(reader->model->ctx, object, from, records.rest.data);
        } else if (!gen_object_read_field(reader, object, field, &record)) {
            return false;
        }
    }
}

GEN_PRIVATE void gen_object_decode(const gen_model_t *model, gen_object_t *object, connect_str_t bytes, gen_at_t at) {
    gen_object_reader_t reader = {NULL, {NULL, 0}, 0};
    reader.model = model;
    reader.at = at;
    if (!gen_object_read(&reader, object, bytes)) {
        gen_source_error(model->ctx, at, "the descriptor's options are malformed");
    }
}

/* #### src/gen/aggregate.h ######################################################################################### */
/* Adds to an object what stands in the braces of an option's value. what is wrong is reported. */
GEN_PRIVATE void gen_aggregate_read(gen_resolve_t *resolve, gen_object_t *object, const gen_option_t *option);

/* #### src/gen/aggregate.c ######################################################################################### */
/* The text format (protobuf.dev, "Text Format Language Specification"), as far as it is the value of an option: a
   message in braces, in the tokens of the .proto language.

     message   (field [, | ;])*
     field     name : scalar | name : [scalar, ...] | name [:] {message} | name [:] <message> | name [:] [{...}, ...]
     name      a field's, a group's type's; [full.name] of an extension; [type.googleapis.com/full.name] in an Any

   A field that is not repeated is given once, of a oneof one. A reserved name is skipped with its value. Brackets
   match, and nest as deep as parse_option.c lets them: it has read the text before. */

typedef struct gen_aggregate_t {
    gen_resolve_t *resolve;
    gen_context_t *ctx;
    gen_lexer_t lexer;
} gen_aggregate_t;

static bool gen_aggregate_take(gen_aggregate_t *text, const char *symbol) {
    if (!gen_lexer_is(&text->lexer, symbol)) return false;
    gen_lexer_next(&text->lexer);
    return true;
}

static bool gen_aggregate_wrong(gen_aggregate_t *text, const char *expected) {
    const gen_token_t *token = &text->lexer.token;
    if (!token->bad) {
        gen_source_error(text->ctx, token->at, "expected %s, found \"%s\"", expected,
            token->kind == GEN_TOKEN_END ? "}" : gen_source_quote(text->ctx, token->text));
    }
    return false;
}

/* ---- Scalars ---- */

static bool gen_aggregate_literal(gen_aggregate_t *text, gen_option_t *value) {
    const gen_token_t *token = &text->lexer.token;
    memset(value, 0, sizeof *value);
    value->at = value->value_at = token->at;
    if (token->kind == GEN_TOKEN_STRING) {
        value->kind = GEN_VALUE_STRING;
        return gen_lexer_strings(&text->lexer, &value->text);
    }
    value->negative = gen_aggregate_take(text, "-");
    switch (token->kind) {
    case GEN_TOKEN_WORD: value->kind = GEN_VALUE_WORD; break;
    case GEN_TOKEN_INTEGER: value->kind = token->too_big ? GEN_VALUE_FLOAT : GEN_VALUE_INTEGER; break;
    case GEN_TOKEN_FLOAT: value->kind = GEN_VALUE_FLOAT; break;
    default: return gen_aggregate_wrong(text, "a value");
    }
    value->text = token->text;
    value->integer = token->integer;
    if (value->kind != GEN_VALUE_WORD) value->number = gen_lexer_double(text->ctx, token);
    if (token->bad) return false;
    gen_lexer_next(&text->lexer);
    return true;
}

/* ---- Names ---- */

/* Skips a value: to behind it. */
static void gen_aggregate_skip(gen_aggregate_t *text) {
    size_t depth = 0;
    gen_aggregate_take(text, ":");
    do {
        bool is_string = text->lexer.token.kind == GEN_TOKEN_STRING;
        if (text->lexer.token.kind == GEN_TOKEN_END) return;
        if (gen_lexer_is(&text->lexer, "{") || gen_lexer_is(&text->lexer, "<") || gen_lexer_is(&text->lexer, "["))
            depth++;
        else if (gen_lexer_is(&text->lexer, "}") || gen_lexer_is(&text->lexer, ">") || gen_lexer_is(&text->lexer, "]"))
            depth--;
        else if (gen_aggregate_take(text, "-"))
            continue;
        gen_lexer_next(&text->lexer);
        while (is_string && text->lexer.token.kind == GEN_TOKEN_STRING)
            gen_lexer_next(&text->lexer);
    } while (depth > 0);
}

/* A group has the name of its type, too. */
static const gen_field_t *gen_aggregate_plain_field(const gen_type_t *type, const char *name) {
    const gen_field_t *field;
    for (field = type->fields.first; field; field = field->next) {
        if (strcmp(field->name, name) == 0) return field;
        if (field->is_group && field->type && strcmp(field->type->name, name) == 0) return field;
    }
    return NULL;
}

static bool gen_aggregate_is_reserved(const gen_type_t *type, const char *name) {
    const gen_word_t *word = type->reserved_names.first;
    while (word && strcmp(word->text, name) != 0)
        word = word->next;
    return word != NULL;
}

/* The name in [ ], behind the [. *slash: where in it the last / is. */
static bool gen_aggregate_bracketed(gen_aggregate_t *text, const char **name, const char **slash) {
    char full[512];
    size_t len = 0;
    bool wants_word = true;
    while (!gen_lexer_is(&text->lexer, "]")) {
        const gen_token_t *token = &text->lexer.token;
        const bool is_word = token->kind == GEN_TOKEN_WORD;
        const bool is_mark =
            gen_lexer_is(&text->lexer, ".") || gen_lexer_is(&text->lexer, "/") || gen_lexer_is(&text->lexer, "-");
        if (wants_word ? !is_word : !is_mark) return gen_aggregate_wrong(text, "the name of an extension in [ ]");
        if (len + token->text.len + 1 > sizeof full) {
            gen_source_error(text->ctx, token->at, "the name of an extension has more than 511 bytes");
            return false;
        }
        memcpy(full + len, token->text.data, token->text.len);
        len += token->text.len;
        wants_word = !wants_word;
        gen_lexer_next(&text->lexer);
    }
    if (wants_word) return gen_aggregate_wrong(text, "the name of an extension");
    gen_lexer_next(&text->lexer);
    *name = gen_source_copy(text->ctx, (connect_str_t){full, len});
    *slash = strrchr(*name, '/');
    return true;
}

/* ---- Fields ---- */

static bool gen_aggregate_fields(gen_aggregate_t *text, gen_object_t *object, const char *closing);

static bool gen_aggregate_message(gen_aggregate_t *text, gen_object_t *object) {
    const bool angle = gen_lexer_is(&text->lexer, "<");
    if (!gen_aggregate_take(text, angle ? "<" : "{")) return gen_aggregate_wrong(text, "\"{\"");
    return gen_aggregate_fields(text, object, angle ? ">" : "}");
}

static bool gen_aggregate_value(gen_aggregate_t *text, gen_object_t *object, const gen_field_t *field, gen_at_t at) {
    gen_option_t value;
    gen_item_t *item;
    if (field->type) {
        item = gen_object_add(text->ctx, object, field, at);
        if (!gen_aggregate_message(text, item->message)) return false;
        if (field->is_map) gen_object_complete(text->ctx, item->message, at);
        return true;
    }
    if (!gen_aggregate_literal(text, &value)) return false;
    item = gen_object_add(text->ctx, object, field, at);
    gen_scalar_read(text->ctx, item, field, &value, gen_source_printf(text->ctx, "field \"%s\"", field->name), true);
    return true; /* of what stands behind it more can be said */
}

static void gen_aggregate_twice(gen_aggregate_t *text, gen_object_t *object, const gen_field_t *field, gen_at_t at) {
    const gen_item_t *item;
    for (item = object->items; item && field->label != GEN_LABEL_REPEATED; item = item->next) {
        if (item->field == field) {
            gen_source_error(text->ctx, at, "field \"%s\" is set already, at %s", field->name,
                gen_source_place(text->ctx, item->at));
            return;
        }
        if (field->oneof && item->field->oneof == field->oneof) {
            gen_source_error(text->ctx, at, "field \"%s\" is in a oneof with \"%s\", which is set already", field->name,
                item->field->name);
            return;
        }
    }
}

/* `[type.googleapis.com/full.name] { ... }`, behind the name: the value of an Any. */
static bool gen_aggregate_any(
    gen_aggregate_t *text, gen_object_t *object, const char *url, const char *slash, gen_at_t at) {
    const gen_type_t *type = NULL;
    const gen_field_t *url_field = gen_aggregate_plain_field(object->type, "type_url");
    const gen_field_t *value_field = gen_aggregate_plain_field(object->type, "value");
    const gen_symbol_t *symbol = gen_resolve_full_name(text->resolve, slash + 1);
    const size_t host = (size_t)(slash - url);
    gen_object_t *inner;
    gen_item_t *item;
    if (strcmp(object->type->full_name, "google.protobuf.Any") != 0 || !url_field || !value_field) {
        gen_source_error(text->ctx, at, "only a google.protobuf.Any has a [type URL]");
        return false;
    }
    if (symbol && symbol->kind == GEN_SYMBOL_MESSAGE) type = symbol->type;
    if (!type || (strncmp(url, "type.googleapis.com", host) != 0 && strncmp(url, "type.googleprod.com", host) != 0)) {
        gen_source_error(text->ctx, at, "\"%s\" is not the URL of a type: write type.googleapis.com/full.name", url);
        return false;
    }
    gen_aggregate_take(text, ":");
    inner = CONNECT_NEW(&text->ctx->arena, gen_object_t, 1);
    inner->type = type;
    if (!gen_aggregate_message(text, inner)) return false;
    item = gen_object_add(text->ctx, object, url_field, at);
    item->text = connect_str_of(url);
    item = gen_object_add(text->ctx, object, value_field, at);
    item->text = gen_object_encode(text->ctx, inner);
    return true;
}

static bool gen_aggregate_field(gen_aggregate_t *text, gen_object_t *object) {
    const gen_at_t at = text->lexer.token.at;
    const gen_field_t *field = NULL;
    const char *name, *slash;
    if (gen_aggregate_take(text, "[")) {
        if (!gen_aggregate_bracketed(text, &name, &slash)) return false;
        if (slash) return gen_aggregate_any(text, object, name, slash, at);
        field = gen_resolve_extension(text->resolve, object->type->full_name, name);
        if (!field || field->extendee != object->type) {
            gen_source_error(text->ctx, at, "message \"%s\" has no extension \"%s\"", object->type->full_name, name);
            return false;
        }
    } else {
        if (text->lexer.token.kind != GEN_TOKEN_WORD) return gen_aggregate_wrong(text, "the name of a field");
        name = gen_source_copy(text->ctx, text->lexer.token.text);
        gen_lexer_next(&text->lexer);
        field = gen_aggregate_plain_field(object->type, name);
        if (!field && gen_aggregate_is_reserved(object->type, name)) {
            gen_aggregate_skip(text);
            return true;
        }
        if (!field) {
            gen_source_error(text->ctx, at, "message \"%s\" has no field \"%s\"", object->type->full_name, name);
            return false;
        }
    }
    if (!field->kind && !field->type) return false; /* reported already */
    if (!gen_aggregate_take(text, ":") && !field->type) return gen_aggregate_wrong(text, "\":\"");
    gen_aggregate_twice(text, object, field, at);
    if (field->label == GEN_LABEL_REPEATED && gen_aggregate_take(text, "[")) {
        if (gen_aggregate_take(text, "]")) return true;
        do {
            if (!gen_aggregate_value(text, object, field, text->lexer.token.at)) return false;
        } while (gen_aggregate_take(text, ","));
        return gen_aggregate_take(text, "]") || gen_aggregate_wrong(text, "\",\" or \"]\"");
    }
    return gen_aggregate_value(text, object, field, at);
}

static bool gen_aggregate_fields(gen_aggregate_t *text, gen_object_t *object, const char *closing) {
    while (!gen_aggregate_take(text, closing)) {
        if (!gen_aggregate_field(text, object)) return false;
        if (!gen_aggregate_take(text, ",")) gen_aggregate_take(text, ";");
    }
    return true;
}

GEN_PRIVATE void gen_aggregate_read(gen_resolve_t *resolve, gen_object_t *object, const gen_option_t *option) {
    gen_aggregate_t text;
    memset(&text, 0, sizeof text);
    text.resolve = resolve;
    text.ctx = resolve->ctx;
    gen_lexer_begin_at(&text.lexer, resolve->ctx, option->value_at.source, option->text);
    gen_aggregate_message(&text, object);
}

/* #### src/gen/option.h ############################################################################################ */
/* Gives the options of all files their meaning, and everything its features. */
GEN_PRIVATE void gen_option_model(gen_model_t *model);

/* #### src/gen/option.c ############################################################################################ */
/* Options: each is a field of google.protobuf.FileOptions, MessageOptions ..., or of an extension of them, or deeper in
   one that is a message; and what is set on a thing is one message of that type, an object. What fields there are, of
   which type, on what they may be set (targets) and in which editions (feature_support), is told by
   google/protobuf/descriptor.proto, the built-in one unless the user's files bring their own; nothing of it is known
   here twice. Where the user's files do not use that file it is read into a model of its own, so that it is in the way
   of no name.

   A name, a.(b.c).d, goes from message to message; on the way only fields that are not repeated can stand. What is set
   twice is refused. The names of extensions are looked up as those of types are, but for what option imports bring.

   Features (protobuf.dev, "Feature Settings for Editions"): every file, message, oneof, field and enum has the features
   of what it stands in, with those that are set on it in their place; a file has its edition's. proto2 and proto3 are
   editions in which none can be set: there labels, groups and [packed] say the same for a field. */

typedef enum gen_option_target_t { /* the numbers of google.protobuf.FieldOptions.OptionTargetType */
    GEN_OPTION_OF_FILE = 1,
    GEN_OPTION_OF_EXTENSION_RANGE,
    GEN_OPTION_OF_MESSAGE,
    GEN_OPTION_OF_FIELD,
    GEN_OPTION_OF_ONEOF,
    GEN_OPTION_OF_ENUM,
    GEN_OPTION_OF_VALUE,
    GEN_OPTION_OF_SERVICE,
    GEN_OPTION_OF_METHOD
} gen_option_target_t;
static const char *const gen_option_types[] = {"", "FileOptions", "ExtensionRangeOptions", "MessageOptions",
    "FieldOptions", "OneofOptions", "EnumOptions", "EnumValueOptions", "ServiceOptions", "MethodOptions"};
static const char *const gen_option_things[] = {"", "a file", "extension numbers", "a message", "a field", "a oneof",
    "an enum", "an enum value", "a service", "a method"};

/* All files are gone through three times: which values an enum takes depends on its features; where an option may be
   set on the options of the extension that it is. */
typedef enum gen_option_pass_t { GEN_OPTION_FEATURES, GEN_OPTION_OTHERS, GEN_OPTION_VALIDATION } gen_option_pass_t;

typedef struct gen_option_reader_t {
    gen_model_t *schema; /* with descriptor.proto; NULL: nothing has options so far */
    gen_context_t *ctx;
    gen_resolve_t resolve;
    const gen_file_t *file;
    gen_option_pass_t pass;
} gen_option_reader_t;

/* ---- From what is written to objects ---- */

static const gen_field_t *gen_option_plain_field(const gen_type_t *type, const char *name) {
    const gen_field_t *field = type->fields.first;
    while (field && strcmp(field->name, name) != 0)
        field = field->next;
    return field;
}

/* Takes the next part of a name: "(b.c)" or "d". *rest: behind it and its dot. */
static const char *gen_option_part(gen_context_t *ctx, const char **rest, bool *is_extension) {
    const char *begin = *rest;
    size_t len;
    *is_extension = *begin == '(';
    if (*is_extension) begin++;
    len = strcspn(begin, *is_extension ? ")" : ".");
    *rest = begin + len + (*is_extension ? 1 : 0);
    if (**rest == '.') ++*rest;
    return gen_source_copy(ctx, (connect_str_t){begin, len});
}

/* Finds the field that a part of an option's name means; NULL after a message. */
static const gen_field_t *gen_option_field_of(gen_option_reader_t *reader, const gen_type_t *type,
    const gen_option_t *option, const char *element, const char *part, bool is_extension) {
    const gen_field_t *field;
    if (!is_extension) {
        field = gen_option_plain_field(type, part);
        if (field && strcmp(part, "uninterpreted_option") != 0) return field;
        if (strcmp(option->name, part) == 0) {
            gen_source_error(reader->ctx, option->at, "option \"%s\" is not known; custom options stand in parentheses",
                option->name);
        } else {
            gen_source_error(reader->ctx, option->at, "option \"%s\": message \"%s\" has no field \"%s\"", option->name,
                type->full_name, part);
        }
        return NULL;
    }
    field = gen_resolve_extension(&reader->resolve, element, part);
    if (!field) {
        if (!reader->file->incomplete) {
            gen_source_error(reader->ctx, option->at,
                "option \"(%s)\" is not defined; import the file that extends %s with it", part, type->full_name);
        }
        return NULL;
    }
    if (field->extendee == type) return field;
    if (field->extendee) {
        gen_source_error(reader->ctx, option->at, "option \"(%s)\" extends %s, so it cannot be set in a %s", part,
            field->extendee->full_name, type->full_name);
    }
    return NULL;
}

static void gen_option_set(
    gen_option_reader_t *reader, gen_object_t *object, const gen_field_t *field, const gen_option_t *option) {
    gen_item_t *item = field->label == GEN_LABEL_REPEATED ? NULL : gen_object_find(object, field);
    if (item) {
        gen_source_error(reader->ctx, option->at, "option \"%s\" is set already, at %s", option->name,
            gen_source_place(reader->ctx, item->at));
        return;
    }
    if (field->oneof) gen_object_clear_oneof(object, field->oneof);
    if (!field->kind && !field->type) return; /* its type was reported */
    item = gen_object_add(reader->ctx, object, field, option->at);
    if (!field->type) {
        gen_scalar_read(
            reader->ctx, item, field, option, gen_source_printf(reader->ctx, "option \"%s\"", option->name), false);
    } else if (option->kind == GEN_VALUE_AGGREGATE) {
        gen_aggregate_read(&reader->resolve, item->message, option);
    } else {
        gen_source_error(reader->ctx, option->value_at,
            "option \"%s\" must be a message in braces; of one of its fields write %s.field = ...", option->name,
            option->name);
    }
}

static void gen_option_interpret(
    gen_option_reader_t *reader, gen_object_t *object, const gen_option_t *option, const char *element) {
    const char *rest = option->name;
    for (;;) {
        bool is_extension;
        const char *part = gen_option_part(reader->ctx, &rest, &is_extension);
        const gen_field_t *field = gen_option_field_of(reader, object->type, option, element, part, is_extension);
        gen_item_t *item;
        if (!field) return;
        if (!*rest) {
            gen_option_set(reader, object, field, option);
            return;
        }
        if (!field->type) {
            if (field->kind) {
                gen_source_error(
                    reader->ctx, option->at, "option \"%s\": \"%s\" is not a message", option->name, field->name);
            }
            return;
        }
        if (field->label == GEN_LABEL_REPEATED) {
            gen_source_error(reader->ctx, option->at,
                "option \"%s\": \"%s\" is repeated, so each must be given as a whole, in braces", option->name,
                field->name);
            return;
        }
        item = gen_object_find(object, field);
        if (!item) item = gen_object_add(reader->ctx, object, field, option->at);
        object = item->message;
    }
}

/* ---- Where and since when ---- */

static const char *gen_option_edition(gen_context_t *ctx, int32_t edition) {
    if (edition == 998) return "proto2";
    if (edition == 999) return "proto3";
    return gen_source_printf(ctx, "edition \"%ld\"", (long)edition + 1023);
}

static void gen_option_lifetime(
    gen_option_reader_t *reader, const gen_object_t *options, const gen_item_t *item, const char *what) {
    const gen_item_t *support = gen_object_get(options, "feature_support");
    const int32_t edition = reader->file->edition;
    int32_t introduced, removed;
    if (!support) return;
    introduced = gen_object_number(support->message, "edition_introduced", 0);
    removed = gen_object_number(support->message, "edition_removed", INT32_MAX);
    if (edition < introduced) {
        gen_source_error(reader->ctx, item->at, "%s needs %s", what, gen_option_edition(reader->ctx, introduced));
    } else if (edition >= removed) {
        gen_source_error(
            reader->ctx, item->at, "%s is no more from %s on", what, gen_option_edition(reader->ctx, removed));
    }
}

static void gen_option_validate(gen_option_reader_t *reader, const gen_object_t *object, gen_option_target_t target) {
    const gen_item_t *item, *allowed;
    for (item = object->items; item; item = item->next) {
        const gen_field_t *field = item->field;
        const gen_object_t *options = field->options.object;
        const char *what = gen_source_printf(reader->ctx, "\"%s\"", field->name);
        const gen_enum_value_t *value = field->enumeration ? field->enumeration->values.first : NULL;
        bool limited = false, good = false;
        for (allowed = options ? options->items : NULL; allowed; allowed = allowed->next) {
            if (allowed->field->extendee_name || strcmp(allowed->field->name, "targets") != 0) continue;
            limited = true;
            if (allowed->bits == (uint64_t)target) good = true;
        }
        if (limited && !good) {
            gen_source_error(reader->ctx, item->at, "%s cannot be set on %s", what, gen_option_things[target]);
        }
        gen_option_lifetime(reader, options, item, what);
        while (value && (uint64_t)(int64_t)value->number != item->bits)
            value = value->next;
        if (value) {
            gen_option_lifetime(
                reader, value->options.object, item, gen_source_printf(reader->ctx, "%s = %s", what, value->name));
        }
        if (item->message) gen_option_validate(reader, item->message, target);
    }
}

/* ---- Features ---- */

static void gen_option_inherit(gen_features_t *features, const gen_features_t *outer, const gen_options_t *options) {
    const gen_item_t *set = gen_object_get(options->object, "features"), *item;
    *features = *outer;
    for (item = set ? set->message->items : NULL; item; item = item->next) {
        if (!item->field->extendee_name && item->field->number < GEN_FEATURE_COUNT && item->bits != 0)
            features->of[item->field->number] = (uint8_t)item->bits;
    }
}

static void gen_option_file_features(const gen_option_reader_t *reader, gen_file_t *file) {
    static const gen_features_t proto2 = {
        {0, GEN_PRESENCE_EXPLICIT, GEN_ENUM_CLOSED, GEN_REPEATED_EXPANDED, GEN_UTF8_NONE, GEN_ENCODING_LENGTH_PREFIXED,
            GEN_JSON_LEGACY_BEST_EFFORT, GEN_STYLE_LEGACY, GEN_VISIBILITY_EXPORT_ALL}};
    static const gen_features_t proto3 = {{0, GEN_PRESENCE_IMPLICIT, GEN_ENUM_OPEN, GEN_REPEATED_PACKED,
        GEN_UTF8_VERIFY, GEN_ENCODING_LENGTH_PREFIXED, GEN_JSON_ALLOW, GEN_STYLE_LEGACY, GEN_VISIBILITY_EXPORT_ALL}};
    gen_features_t features = file->syntax == GEN_SYNTAX_PROTO2 ? proto2 : proto3;
    if (file->syntax == GEN_SYNTAX_EDITIONS) features.of[GEN_FEATURE_FIELD_PRESENCE] = GEN_PRESENCE_EXPLICIT;
    if (file->edition >= GEN_EDITION_2024) {
        features.of[GEN_FEATURE_ENFORCE_NAMING_STYLE] = GEN_STYLE_2024;
        features.of[GEN_FEATURE_DEFAULT_SYMBOL_VISIBILITY] = GEN_VISIBILITY_EXPORT_TOP_LEVEL;
    }
    gen_option_inherit(&file->features, &features, &file->options);
    if (file->features.of[GEN_FEATURE_FIELD_PRESENCE] == GEN_PRESENCE_LEGACY_REQUIRED &&
        reader->pass == GEN_OPTION_VALIDATION) {
        const gen_item_t *set = gen_object_get(file->options.object, "features");
        gen_source_error(reader->ctx, set->at, "required presence cannot be the default: set it on fields");
    }
}

/* ---- All of them ---- */

static bool gen_option_is_feature(const gen_option_t *option) {
    return strncmp(option->name, "features", 8) == 0 && (!option->name[8] || option->name[8] == '.');
}

/* The model that has descriptor.proto: this one, or one that is read for it. */
static gen_model_t *gen_option_schema(gen_model_t *model) {
    static const char name[] = "google/protobuf/descriptor.proto";
    gen_model_t *schema;
    if (gen_map_get(&model->file_names, name)) return model;
    schema = CONNECT_NEW(&model->ctx->arena, gen_model_t, 1);
    schema->ctx = model->ctx;
    gen_load_built_in(schema, name);
    gen_resolve_model(schema);
    gen_option_model(schema);
    return schema;
}

/* Makes the object; NULL: there are no options. */
static gen_object_t *gen_option_object(
    gen_option_reader_t *reader, gen_options_t *options, gen_option_target_t target, gen_at_t at) {
    const char *name = gen_source_printf(reader->ctx, "google.protobuf.%s", gen_option_types[target]);
    const gen_symbol_t *symbol;
    if (options->object || (!options->first && !options->encoded.data)) return options->object;
    if (!reader->schema) reader->schema = gen_option_schema(reader->resolve.model);
    symbol = gen_map_get(&reader->schema->symbols, name);
    if (!symbol || symbol->kind != GEN_SYMBOL_MESSAGE) {
        gen_source_error(reader->ctx, at, "there is no message \"%s\" in google/protobuf/descriptor.proto", name);
        return NULL;
    }
    options->object = CONNECT_NEW(&reader->ctx->arena, gen_object_t, 1);
    options->object->type = symbol->type;
    if (options->encoded.data) gen_object_decode(reader->resolve.model, options->object, options->encoded, at);
    return options->object;
}

static void gen_option_validate_all(
    gen_option_reader_t *reader, const gen_object_t *object, gen_option_target_t target) {
    const gen_item_t *features = gen_object_get(object, "features"), *item;
    if (features && reader->file->syntax != GEN_SYNTAX_EDITIONS) {
        gen_source_error(reader->ctx, features->at, "option \"features\" is for editions only");
        return;
    }
    for (item = features ? features->message->items : NULL; item; item = item->next) {
        if (!item->field->enumeration || item->field->extendee_name || item->bits) continue;
        gen_source_error(reader->ctx, item->at, "feature \"%s\" must not be unknown", item->field->name);
    }
    gen_option_validate(reader, object, target);
}

/* element: the full name of what they are set on. Returns whether it is deprecated. */
static bool gen_option_apply(
    gen_option_reader_t *reader, gen_options_t *options, gen_option_target_t target, const char *element, gen_at_t at) {
    gen_object_t *object = gen_option_object(reader, options, target, at);
    const gen_option_t *option;
    if (!object) return false;
    if (reader->pass == GEN_OPTION_VALIDATION) {
        gen_option_validate_all(reader, object, target);
        return gen_object_is_true(object, "deprecated");
    }
    for (option = options->first; option; option = option->next) {
        if (gen_option_is_feature(option) != (reader->pass == GEN_OPTION_FEATURES)) continue;
        if (target == GEN_OPTION_OF_MESSAGE && strcmp(option->name, "map_entry") == 0) {
            gen_source_error(reader->ctx, option->at, "option \"map_entry\" must not be set: write map<...>");
        } else {
            gen_option_interpret(reader, object, option, element);
        }
    }
    return gen_object_is_true(object, "deprecated");
}

static void gen_option_enum(gen_option_reader_t *reader, gen_enum_t *enumeration, const gen_features_t *outer) {
    gen_enum_value_t *value;
    enumeration->deprecated =
        gen_option_apply(reader, &enumeration->options, GEN_OPTION_OF_ENUM, enumeration->full_name, enumeration->at);
    gen_option_inherit(&enumeration->features, outer, &enumeration->options);
    enumeration->allow_alias = gen_object_is_true(enumeration->options.object, "allow_alias");
    enumeration->closed = enumeration->features.of[GEN_FEATURE_ENUM_TYPE] == GEN_ENUM_CLOSED;
    for (value = enumeration->values.first; value; value = value->next) {
        value->deprecated = gen_option_apply(reader, &value->options, GEN_OPTION_OF_VALUE, value->full_name, value->at);
        gen_option_inherit(&value->features, &enumeration->features, &value->options);
    }
}

/* outer: of the oneof, the message or the file. */
static void gen_option_field(gen_option_reader_t *reader, gen_field_t *field, const gen_features_t *outer) {
    uint8_t *of = field->features.of;
    field->deprecated = gen_option_apply(reader, &field->options, GEN_OPTION_OF_FIELD, field->full_name, field->at);
    gen_option_inherit(&field->features, outer, &field->options);
    if (field->file->syntax == GEN_SYNTAX_EDITIONS) return;
    if (field->label == GEN_LABEL_REQUIRED) of[GEN_FEATURE_FIELD_PRESENCE] = GEN_PRESENCE_LEGACY_REQUIRED;
    if (field->proto3_optional) of[GEN_FEATURE_FIELD_PRESENCE] = GEN_PRESENCE_EXPLICIT;
    if (field->is_group) of[GEN_FEATURE_MESSAGE_ENCODING] = GEN_ENCODING_DELIMITED;
    if (gen_object_get(field->options.object, "packed")) {
        of[GEN_FEATURE_REPEATED_FIELD_ENCODING] =
            gen_object_is_true(field->options.object, "packed") ? GEN_REPEATED_PACKED : GEN_REPEATED_EXPANDED;
    }
}

static void gen_option_type(gen_option_reader_t *reader, gen_type_t *type, const gen_features_t *outer) {
    gen_type_t *inner;
    gen_enum_t *enumeration;
    gen_field_t *field;
    gen_oneof_t *oneof;
    gen_range_t *range;
    type->deprecated = gen_option_apply(reader, &type->options, GEN_OPTION_OF_MESSAGE, type->full_name, type->at);
    gen_option_inherit(&type->features, outer, &type->options);
    type->is_message_set = gen_object_is_true(type->options.object, "message_set_wire_format");
    for (oneof = type->oneofs.first; oneof; oneof = oneof->next) {
        gen_option_apply(reader, &oneof->options, GEN_OPTION_OF_ONEOF, oneof->full_name, oneof->at);
        gen_option_inherit(&oneof->features, &type->features, &oneof->options);
    }
    for (field = type->fields.first; field; field = field->next) {
        gen_option_field(reader, field, field->oneof ? &field->oneof->features : &type->features);
        if (type->is_map_entry) field->features.of[GEN_FEATURE_MESSAGE_ENCODING] = GEN_ENCODING_LENGTH_PREFIXED;
    }
    for (field = type->extensions.first; field; field = field->next)
        gen_option_field(reader, field, &type->features);
    for (range = type->extension_ranges.first; range; range = range->next) {
        if (range->next && range->next->options == range->options) continue; /* once for each statement */
        gen_option_apply(reader, range->options, GEN_OPTION_OF_EXTENSION_RANGE, type->full_name, range->at);
    }
    for (enumeration = type->enums.first; enumeration; enumeration = enumeration->next) {
        gen_option_enum(reader, enumeration, &type->features);
    }
    for (inner = type->types.first; inner; inner = inner->next)
        gen_option_type(reader, inner, &type->features);
}

static void gen_option_service(gen_option_reader_t *reader, gen_service_t *service, const gen_features_t *outer) {
    gen_method_t *method;
    service->deprecated =
        gen_option_apply(reader, &service->options, GEN_OPTION_OF_SERVICE, service->full_name, service->at);
    gen_option_inherit(&service->features, outer, &service->options);
    for (method = service->methods.first; method; method = method->next) {
        method->deprecated =
            gen_option_apply(reader, &method->options, GEN_OPTION_OF_METHOD, method->full_name, method->at);
        method->idempotency = gen_object_number(method->options.object, "idempotency_level", 0);
        gen_option_inherit(&method->features, &service->features, &method->options);
    }
}

static void gen_option_file(gen_option_reader_t *reader, gen_file_t *file) {
    gen_type_t *type;
    gen_enum_t *enumeration;
    gen_service_t *service;
    gen_field_t *field;
    const char *dummy = gen_source_printf(reader->ctx, "%s%s_", file->package, *file->package ? "." : "");
    const gen_at_t at = {file->source, 0};
    gen_option_apply(reader, &file->options, GEN_OPTION_OF_FILE, dummy, at);
    gen_option_file_features(reader, file);
    for (type = file->types.first; type; type = type->next)
        gen_option_type(reader, type, &file->features);
    for (enumeration = file->enums.first; enumeration; enumeration = enumeration->next) {
        gen_option_enum(reader, enumeration, &file->features);
    }
    for (field = file->extensions.first; field; field = field->next)
        gen_option_field(reader, field, &file->features);
    for (service = file->services.first; service; service = service->next)
        gen_option_service(reader, service, &file->features);
}

GEN_PRIVATE void gen_option_model(gen_model_t *model) {
    gen_option_reader_t reader;
    gen_file_t *file;
    memset(&reader, 0, sizeof reader);
    reader.ctx = model->ctx;
    for (; reader.pass <= GEN_OPTION_VALIDATION; reader.pass++) {
        for (file = model->files.first; file; file = file->next) {
            gen_resolve_see(&reader.resolve, model, file, true);
            reader.file = file;
            gen_option_file(&reader, file);
        }
    }
}

/* #### src/gen/check.h ############################################################################################# */
/* Reports what a compiler for protobuf must refuse, and works out how each field is stored and written. */
GEN_PRIVATE void gen_check_model(gen_model_t *model);

/* #### src/gen/check.c ############################################################################################# */
/* The rules of the language that need the whole model: numbers, labels and types, names in JSON, enums, maps, reserved
   things, and the limits of connect_type_t. As protoc refuses them, with messages that say what to do.

   Field numbers: 1 to 536,870,911, not 19,000 to 19,999. JSON names of a message's fields differ, the default ones
   and those given, unless json_format is LEGACY_BEST_EFFORT; so do the values of an enum without their enum's name in
   front, whatever case and underscores (JSON mappings of other languages use that). The first value of an open enum is
   0. proto3: no required, default, group, extension but of options. Editions: no labels but repeated, no groups, no
   [packed]: features say it.

   How a field is stored (connect_field_t): NULLABLE, what tracks presence and has a NULL; HAS, what tracks presence
   and has none, and strings with a default; neither in a oneof, whose case says it. The kind of a message with
   DELIMITED encoding is GROUP, but for maps and what is in them.

   An extension has a holder: a struct with this one field, called value.

   A message of the name of a well-known type has its fields: JSON and the helpers in headers rely on them.

   Limits: a struct of 65,535 bytes (offsets have 16 bits), as laid out where pointers have 8 bytes; as many bytes of
   names; 65,535 values of an enum. */

#define GEN_CHECK_NUMBER_MAX 536870911

typedef struct gen_check_t {
    gen_model_t *model;
    gen_context_t *ctx;
    gen_map_t extensions; /* by the message they extend and their number */
} gen_check_t;

/* ---- Numbers ---- */

static int gen_check_compare_numbers(const void *a, const void *b) {
    const gen_field_t *one = *(const gen_field_t *const *)a, *two = *(const gen_field_t *const *)b;
    if (one->number != two->number) return one->number < two->number ? -1 : 1;
    return one->at.offset < two->at.offset ? -1 : one->at.offset > two->at.offset;
}

static int gen_check_compare_ranges(const void *a, const void *b) {
    const gen_range_t *one = *(const gen_range_t *const *)a, *two = *(const gen_range_t *const *)b;
    if (one->first != two->first) return one->first < two->first ? -1 : 1;
    return one->at.offset < two->at.offset ? -1 : one->at.offset > two->at.offset;
}

/* Ranges by their first number; overlaps are reported. */
static gen_range_t **gen_check_ranges(gen_check_t *check, gen_range_t *first, size_t count) {
    gen_range_t **sorted = CONNECT_NEW(&check->ctx->arena, gen_range_t *, count + 1), *range;
    size_t i = 0;
    for (range = first; range; range = range->next)
        sorted[i++] = range;
    for (i = 0; i < count; i++) {
        if (sorted[i]->last < sorted[i]->first) {
            gen_source_error(
                check->ctx, sorted[i]->at, "the range ends at %ld, before it starts", (long)sorted[i]->last);
        }
    }
    qsort(sorted, count, sizeof *sorted, gen_check_compare_ranges);
    for (i = 1; i < count; i++) {
        bool later = sorted[i]->at.offset > sorted[i - 1]->at.offset;
        if (sorted[i]->first <= sorted[i - 1]->last) {
            gen_source_error(check->ctx, sorted[later ? i : i - 1]->at, "the range overlaps the one at %s",
                gen_source_place(check->ctx, sorted[later ? i - 1 : i]->at));
        }
        if (sorted[i]->last < sorted[i - 1]->last && sorted[i]->first <= sorted[i - 1]->last) {
            sorted[i]->last = sorted[i - 1]->last;
        }
    }
    return sorted;
}

/* The range that shares a number with first to last. */
static const gen_range_t *gen_check_in(gen_range_t *const *sorted, size_t count, int32_t first, int32_t last) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sorted[middle]->first <= last)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && sorted[low - 1]->last >= first ? sorted[low - 1] : NULL;
}

static void gen_check_number(gen_check_t *check, const gen_field_t *field) {
    if (field->extendee && field->extendee->is_message_set && field->number > 0) return;
    if (field->number < 1 || field->number > GEN_CHECK_NUMBER_MAX) {
        gen_source_error(check->ctx, field->number_at, "field numbers are 1 to 536870911");
    } else if (field->number >= 19000 && field->number <= 19999) {
        gen_source_error(check->ctx, field->number_at, "field numbers 19000 to 19999 are reserved for protobuf itself");
    }
}

static void gen_check_numbers(gen_check_t *check, gen_type_t *type) {
    size_t i = 0, reserved_count = type->reserved.count, taken_count = type->extension_ranges.count;
    gen_range_t **reserved, **taken, *range;
    gen_field_t *field;
    type->by_number = CONNECT_NEW(&check->ctx->arena, gen_field_t *, type->fields.count + 1);
    for (field = type->fields.first; field; field = field->next)
        type->by_number[i++] = field;
    qsort(type->by_number, type->fields.count, sizeof *type->by_number, gen_check_compare_numbers);
    for (i = 1; i < type->fields.count; i++) {
        if (type->by_number[i]->number == type->by_number[i - 1]->number) {
            gen_source_error(check->ctx, type->by_number[i]->number_at, "number %ld is used already, by field \"%s\"",
                (long)type->by_number[i]->number, type->by_number[i - 1]->name);
        }
    }
    for (range = type->reserved.first; range; range = range->next) {
        if (range->first < 1 || range->last > GEN_CHECK_NUMBER_MAX + 1) { /* one more, as protoc has it */
            gen_source_error(check->ctx, range->at, "reserved numbers are 1 to 536870911");
        }
    }
    for (range = type->extension_ranges.first; range; range = range->next) {
        if (type->is_message_set && range->to_max) range->last = INT32_MAX - 1;
        if (range->first < 1 || range->last > (type->is_message_set ? INT32_MAX - 1 : GEN_CHECK_NUMBER_MAX)) {
            gen_source_error(check->ctx, range->at, "extension numbers are 1 to 536870911");
        }
    }
    reserved = gen_check_ranges(check, type->reserved.first, reserved_count);
    taken = gen_check_ranges(check, type->extension_ranges.first, taken_count);
    for (range = type->extension_ranges.first; range; range = range->next) {
        const gen_range_t *hit = gen_check_in(reserved, reserved_count, range->first, range->last);
        if (hit) {
            gen_source_error(check->ctx, range->at, "the range overlaps reserved numbers, at %s",
                gen_source_place(check->ctx, hit->at));
        }
    }
    for (field = type->fields.first; field; field = field->next) {
        const gen_range_t *hit = gen_check_in(reserved, reserved_count, field->number, field->number);
        gen_check_number(check, field);
        if (hit) {
            gen_source_error(check->ctx, field->number_at, "number %ld is reserved, at %s", (long)field->number,
                gen_source_place(check->ctx, hit->at));
        }
        hit = gen_check_in(taken, taken_count, field->number, field->number);
        if (hit) {
            gen_source_error(check->ctx, field->number_at, "number %ld is for extensions, at %s", (long)field->number,
                gen_source_place(check->ctx, hit->at));
        }
    }
}

/* ---- Names ---- */

static void gen_check_reserved_names(gen_check_t *check, const gen_word_t *first, gen_map_t *map) {
    const gen_word_t *word;
    for (word = first; word; word = word->next) {
        gen_at_t *at;
        const char *c = word->text;
        if (gen_map_get(map, word->text)) {
            gen_source_error(check->ctx, word->at, "name \"%s\" is reserved twice",
                gen_source_quote(check->ctx, connect_str_of(word->text)));
            continue;
        }
        while (*c == '_' || (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
            (c > word->text && *c >= '0' && *c <= '9')) {
            c++;
        }
        if (*c || !*word->text) {
            gen_source_warn(check->ctx, word->at, "\"%s\" cannot be a name, so it need not be reserved",
                gen_source_quote(check->ctx, connect_str_of(word->text)));
        }
        at = CONNECT_NEW(&check->ctx->arena, gen_at_t, 1);
        *at = word->at;
        gen_map_put(check->ctx, map, word->text, at);
    }
}

static void gen_check_reserved_use(gen_check_t *check, const gen_map_t *map, const char *name, gen_at_t at) {
    const gen_at_t *where = gen_map_get(map, name);
    if (where)
        gen_source_error(check->ctx, at, "name \"%s\" is reserved, at %s", name, gen_source_place(check->ctx, *where));
}

static const char *gen_check_default_json(gen_check_t *check, const char *name) {
    char *json = CONNECT_NEW(&check->ctx->arena, char, strlen(name) + 1);
    size_t len = 0;
    bool upper = false;
    for (; *name; name++) {
        if (*name == '_')
            upper = true;
        else {
            json[len++] = upper && *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name;
            upper = false;
        }
    }
    return json;
}

/* JSON names: those in effect, and then the default ones, which other implementations go by. */
static void gen_check_json_names(gen_check_t *check, const gen_type_t *type) {
    int round;
    if (type->features.of[GEN_FEATURE_JSON_FORMAT] != GEN_JSON_ALLOW) return;
    if (gen_object_is_true(type->options.object, "deprecated_legacy_json_field_conflicts")) return;
    for (round = 0; round < 2; round++) {
        gen_map_t map;
        gen_field_t *field;
        memset(&map, 0, sizeof map);
        for (field = type->fields.first; field; field = field->next) {
            const char *json = round == 0 ? field->json_name : gen_check_default_json(check, field->name);
            const gen_field_t *other = gen_map_get(&map, json);
            if (!other) {
                gen_map_put(check->ctx, &map, json, field);
            } else if (strcmp(field->name, other->name) == 0) {
                continue; /* told already */
            } else if (round == 0 || (strcmp(json, field->json_name) != 0 || strcmp(json, other->json_name) != 0)) {
                gen_source_error(check->ctx, round == 0 && field->has_json_name ? field->json_name_at : field->at,
                    "the %sJSON name of field \"%s\", \"%s\", is also that of \"%s\"", round == 0 ? "" : "default ",
                    field->name, gen_source_quote(check->ctx, connect_str_of(json)), other->name);
            }
        }
    }
}

/* ---- Fields ---- */

static bool gen_check_is_number(int kind) {
    return kind != CONNECT_KIND_STRING && kind != CONNECT_KIND_BYTES && kind != CONNECT_KIND_MESSAGE &&
        kind != CONNECT_KIND_GROUP && kind != 0;
}

static void gen_check_default(gen_check_t *check, const gen_field_t *field) {
    const gen_option_t *value = field->default_value;
    gen_item_t item;
    if (field->label == GEN_LABEL_REPEATED || field->kind == CONNECT_KIND_MESSAGE ||
        field->kind == CONNECT_KIND_GROUP) {
        gen_source_error(check->ctx, value->at, "a repeated field or a message has no default");
    } else if (field->kind) {
        gen_scalar_read(check->ctx, &item, field, value, "the default", false);
    }
}

/* What proto2, proto3 and editions allow of a field each. */
static void gen_check_field_syntax(gen_check_t *check, const gen_field_t *field) {
    switch (field->file->syntax) {
    case GEN_SYNTAX_PROTO2:
        if (field->label == GEN_LABEL_NONE && !field->oneof) {
            gen_source_error(check->ctx, field->type_at, "expected \"required\", \"optional\" or \"repeated\"");
        }
        break;
    case GEN_SYNTAX_PROTO3:
        if (field->label == GEN_LABEL_REQUIRED) {
            gen_source_error(check->ctx, field->type_at, "proto3 has no required fields: leave the label out");
        }
        if (field->is_group) {
            gen_source_error(check->ctx, field->type_at, "proto3 has no groups: use a nested message");
        }
        if (field->default_value) {
            gen_source_error(check->ctx, field->default_value->at, "proto3 has no defaults but zero and empty");
        }
        if (field->enumeration && field->enumeration->closed) {
            gen_source_error(check->ctx, field->type_at, "enum \"%s\" is proto2's, and proto3 cannot use it",
                field->enumeration->full_name);
        }
        return;
    default:
        if (field->parent && field->parent->is_map_entry) break;
        if (field->label == GEN_LABEL_REQUIRED) {
            gen_source_error(check->ctx, field->type_at,
                "editions have no label \"required\": write [features.field_presence = LEGACY_REQUIRED]");
        }
        if (field->label == GEN_LABEL_OPTIONAL) {
            gen_source_error(
                check->ctx, field->type_at, "editions have no label \"optional\": it is what a field is without");
        }
        if (field->is_group) {
            gen_source_error(check->ctx, field->type_at,
                "editions have no groups: use a message with [features.message_encoding = DELIMITED]");
        }
        break;
    }
    if (field->default_value) gen_check_default(check, field);
}

static bool gen_check_has_strings(const gen_field_t *field) {
    const gen_field_t *inner = field->is_map ? field->type->fields.first : NULL;
    for (; inner; inner = inner->next) {
        if (inner->kind == CONNECT_KIND_STRING) return true;
    }
    return field->kind == CONNECT_KIND_STRING;
}

/* Why a feature cannot be set on a field; NULL: it can. */
static const char *gen_check_feature(const gen_field_t *field, const gen_item_t *feature) {
    const bool repeated = field->label == GEN_LABEL_REPEATED;
    const bool is_message = field->kind == CONNECT_KIND_MESSAGE || field->kind == CONNECT_KIND_GROUP;
    switch (feature->field->extendee_name ? 0 : feature->field->number) {
    case GEN_FEATURE_FIELD_PRESENCE:
        if (repeated) return "a repeated field has no presence";
        if (field->extendee_name) return "an extension has explicit presence";
        if (field->oneof) return "a field of a oneof has explicit presence";
        return is_message && feature->bits == GEN_PRESENCE_IMPLICIT ? "a message has explicit presence" : NULL;
    case GEN_FEATURE_REPEATED_FIELD_ENCODING:
        if (!repeated) return "this is for repeated fields";
        return feature->bits == GEN_REPEATED_PACKED && field->kind && !gen_check_is_number(field->kind)
            ? "only numbers, bools and enums can be packed"
            : NULL;
    case GEN_FEATURE_UTF8_VALIDATION:
        return field->kind && !gen_check_has_strings(field) ? "this is for strings" : NULL;
    case GEN_FEATURE_MESSAGE_ENCODING:
        return (field->kind && !is_message) || field->is_map ? "this is for fields of messages" : NULL;
    default: return NULL;
    }
}

static void gen_check_field_features(gen_check_t *check, const gen_field_t *field) {
    const uint8_t *of = field->features.of;
    const gen_item_t *set = gen_object_get(field->options.object, "features"), *feature;
    for (feature = set ? set->message->items : NULL; feature; feature = feature->next) {
        const char *wrong = gen_check_feature(field, feature);
        if (wrong) gen_source_error(check->ctx, feature->at, "%s", wrong);
    }
    if (field->label == GEN_LABEL_REPEATED || field->oneof || field->extendee_name || field->type ||
        of[GEN_FEATURE_FIELD_PRESENCE] != GEN_PRESENCE_IMPLICIT || field->file->syntax != GEN_SYNTAX_EDITIONS) {
        return;
    }
    if (field->default_value) {
        gen_source_error(check->ctx, field->default_value->at, "a field with implicit presence has no default");
    }
    if (field->enumeration && field->enumeration->closed) {
        gen_source_error(check->ctx, field->type_at,
            "a field with implicit presence cannot be of the closed enum \"%s\"", field->enumeration->full_name);
    }
}

static void gen_check_field_options(gen_check_t *check, const gen_field_t *field, bool scalar_list) {
    static const char *const lazy[] = {"lazy", "unverified_lazy"};
    const gen_object_t *options = field->options.object;
    const gen_item_t *item = gen_object_get(options, "packed");
    size_t i;
    if (item && field->file->syntax == GEN_SYNTAX_EDITIONS) {
        gen_source_error(
            check->ctx, item->at, "editions have no option \"packed\": write features.repeated_field_encoding");
    } else if (item && item->bits && !scalar_list && field->kind) {
        gen_source_error(check->ctx, item->at, "packed is for repeated fields of numbers, bools and enums");
    }
    item = gen_object_get(options, "ctype");
    if (item && field->file->edition >= GEN_EDITION_2024)
        gen_source_error(check->ctx, item->at, "edition 2024 has no ctype: write features.(pb.cpp).string_type");
    item = gen_object_get(options, "unverified_lazy");
    if (item && item->bits && field->extendee_name)
        gen_source_error(check->ctx, item->at, "an extension cannot be unverified_lazy");
    item = gen_object_get(options, "jstype");
    if (item && item->bits && field->kind != CONNECT_KIND_INT64 && field->kind != CONNECT_KIND_UINT64 &&
        field->kind != CONNECT_KIND_SINT64 && field->kind != CONNECT_KIND_FIXED64 &&
        field->kind != CONNECT_KIND_SFIXED64) {
        gen_source_error(check->ctx, item->at, "jstype is for fields of 64-bit integers");
    }
    for (i = 0; i < GEN_LEN(lazy); i++) {
        item = gen_object_get(options, lazy[i]);
        if (item && item->bits && field->kind && field->kind != CONNECT_KIND_MESSAGE)
            gen_source_error(check->ctx, item->at, "%s is for fields of messages", lazy[i]);
    }
}

static void gen_check_field(gen_check_t *check, gen_field_t *field) {
    const uint8_t *of = field->features.of;
    bool scalar_list = field->label == GEN_LABEL_REPEATED && gen_check_is_number(field->kind);
    bool tracked;
    if (field->json_name[0] == '[' && field->json_name[strlen(field->json_name) - 1] == ']')
        gen_source_error(check->ctx, field->json_name_at, "a JSON name in [ ] is kept for extensions");
    gen_check_field_syntax(check, field);
    gen_check_field_features(check, field);
    gen_check_field_options(check, field, scalar_list);
    field->packed = scalar_list && of[GEN_FEATURE_REPEATED_FIELD_ENCODING] == GEN_REPEATED_PACKED;
    field->utf8 = field->kind == CONNECT_KIND_STRING && of[GEN_FEATURE_UTF8_VALIDATION] == GEN_UTF8_VERIFY;
    if (field->kind == CONNECT_KIND_MESSAGE && of[GEN_FEATURE_MESSAGE_ENCODING] == GEN_ENCODING_DELIMITED &&
        !field->is_map) {
        field->kind = CONNECT_KIND_GROUP;
    }
    if (field->label == GEN_LABEL_REPEATED || (field->oneof && !field->oneof->synthetic)) return;
    field->required = of[GEN_FEATURE_FIELD_PRESENCE] == GEN_PRESENCE_LEGACY_REQUIRED && !field->extendee_name;
    tracked = of[GEN_FEATURE_FIELD_PRESENCE] != GEN_PRESENCE_IMPLICIT || field->extendee_name;
    if (field->parent && field->parent->is_map_entry) field->required = tracked = false;
    if (field->kind == CONNECT_KIND_MESSAGE || field->kind == CONNECT_KIND_GROUP)
        field->nullable = true;
    else if (tracked && !gen_check_is_number(field->kind) && !field->default_value)
        field->nullable = true;
    else if (tracked)
        field->has = true;
}

static void gen_check_map(gen_check_t *check, const gen_type_t *entry) {
    const gen_field_t *key = entry->fields.first, *value = key->next;
    switch (key->kind) {
    case CONNECT_KIND_DOUBLE:
    case CONNECT_KIND_FLOAT:
    case CONNECT_KIND_BYTES:
    case CONNECT_KIND_ENUM:
    case CONNECT_KIND_MESSAGE:
        gen_source_error(check->ctx, key->type_at, "the key of a map must be an integer, a bool or a string");
        break;
    default: break;
    }
    if (value->enumeration && value->enumeration->values.first && value->enumeration->values.first->number != 0) {
        gen_source_error(check->ctx, value->type_at, "the enum of a map's value must have 0 as its first number");
    }
}

static void gen_check_message_set(gen_check_t *check, const gen_type_t *type) {
    if (type->file->syntax == GEN_SYNTAX_PROTO3) {
        gen_source_error(check->ctx, type->at, "proto3 has no message sets: leave message_set_wire_format out");
    } else if (type->fields.first) {
        gen_source_error(check->ctx, type->fields.first->at, "a message set has extensions only, no fields");
    }
}

/* The struct that an extension is read into. */
static void gen_check_holder(gen_check_t *check, gen_field_t *field) {
    gen_type_t *holder = CONNECT_NEW(&check->ctx->arena, gen_type_t, 1);
    gen_field_t *value = CONNECT_NEW(&check->ctx->arena, gen_field_t, 1);
    *value = *field;
    value->next = NULL;
    value->parent = holder;
    holder->file = field->file;
    holder->name = field->name;
    holder->full_name = field->full_name;
    holder->at = field->at;
    holder->docs = field->docs;
    holder->features = field->features;
    holder->extension = field;
    holder->deprecated = field->deprecated;
    holder->has_required = field->type && field->type->has_required;
    holder->by_number = CONNECT_NEW(&check->ctx->arena, gen_field_t *, 1);
    holder->by_number[0] = value;
    GEN_APPEND(holder->fields, value);
    GEN_APPEND(field->file->holders, holder);
    field->holder = holder;
}

/* Of two extensions with one number, in whatever files, the second is wrong. */
static void gen_check_extension_twice(gen_check_t *check, gen_field_t *field) {
    const char *key = gen_source_printf(check->ctx, "%s %ld", field->extendee->full_name, (long)field->number);
    const gen_field_t *other = gen_map_get(&check->extensions, key);
    if (!other) {
        gen_map_put(check->ctx, &check->extensions, key, field);
    } else if (other != field) {
        gen_source_error(check->ctx, field->number_at, "number %ld is used already, by extension \"%s\" at %s",
            (long)field->number, other->full_name, gen_source_place(check->ctx, other->number_at));
    }
}

static void gen_check_extension(gen_check_t *check, gen_field_t *field) {
    const gen_type_t *extendee = field->extendee;
    const gen_range_t *range;
    bool of_options;
    gen_check_number(check, field);
    if (!extendee) return;
    gen_check_extension_twice(check, field);
    of_options = strncmp(extendee->full_name, "google.protobuf.", 16) == 0 &&
        strcmp(extendee->full_name + strlen(extendee->full_name) - 7, "Options") == 0;
    if (field->file->syntax == GEN_SYNTAX_PROTO3 && !of_options) {
        gen_source_error(check->ctx, field->extendee_at, "proto3 has no extensions but those of options");
        return;
    }
    if (field->label == GEN_LABEL_REQUIRED || field->required) {
        gen_source_error(check->ctx, field->type_at, "an extension must not be required");
    }
    if (extendee->is_message_set && (field->kind != CONNECT_KIND_MESSAGE || field->label == GEN_LABEL_REPEATED)) {
        gen_source_error(check->ctx, field->type_at, "an extension of a message set must be an optional message");
    }
    if (field->has_json_name) {
        gen_source_error(
            check->ctx, field->json_name_at, "an extension has no json_name: it is [%s] in JSON", field->full_name);
    }
    for (range = extendee->extension_ranges.first; range; range = range->next) {
        if (field->number >= range->first && field->number <= range->last) return;
    }
    gen_source_error(check->ctx, field->number_at, "message \"%s\" does not have %ld among its extension numbers",
        extendee->full_name, (long)field->number);
}

/* ---- Sizes ---- */

static uint32_t gen_check_align(uint32_t size, uint32_t align) {
    return (size + align - 1) / align * align;
}

static uint32_t gen_check_size(const gen_field_t *field) {
    if (field->label == GEN_LABEL_REPEATED) return 16;
    switch (field->kind) {
    case CONNECT_KIND_STRING:
    case CONNECT_KIND_BYTES: return 16;
    case CONNECT_KIND_BOOL: return 1;
    case CONNECT_KIND_FLOAT:
    case CONNECT_KIND_INT32:
    case CONNECT_KIND_UINT32:
    case CONNECT_KIND_SINT32:
    case CONNECT_KIND_FIXED32:
    case CONNECT_KIND_SFIXED32:
    case CONNECT_KIND_ENUM: return 4;
    default: return 8;
    }
}

static void gen_check_limits(gen_check_t *check, const gen_type_t *type) {
    const gen_field_t *field;
    const gen_oneof_t *oneof = NULL;
    uint32_t size = 0;
    size_t names = 0;
    for (field = type->fields.first; field && size < 1u << 24; field = field->next) {
        uint32_t bytes = gen_check_size(field), align = bytes == 16 ? 8 : bytes;
        if (field->oneof && !field->oneof->synthetic) {
            if (field->oneof == oneof) continue;
            oneof = field->oneof;
            size = gen_check_align(size, 4) + 4;
            bytes = 16; /* at most */
            align = 8;
        }
        size = gen_check_align(size, align) + bytes + (field->has ? 1 : 0);
        names += strlen(field->name) + 2;
        if (strcmp(field->name, field->json_name) != 0) names += strlen(field->json_name) + 2;
    }
    size = gen_check_align(size, 8) + 16;
    if (size > 65535) {
        gen_source_error(check->ctx, type->at,
            "message \"%s\" has too many fields: its struct would have more than 65535 bytes", type->name);
    } else if (names > 65535) {
        gen_source_error(
            check->ctx, type->at, "the names of the fields of message \"%s\" have more than 65535 bytes", type->name);
    }
}

/* ---- Enums ---- */

/* "QUALITY_GOOD" in enum Quality becomes "good": what generators for other languages make of it. */
static const char *gen_check_bare_name(gen_check_t *check, const char *enum_name, const char *name) {
    char *bare = CONNECT_NEW(&check->ctx->arena, char, strlen(name) + 1);
    const char *rest = name, *prefix = enum_name;
    size_t len = 0;
    while (*prefix && *rest) {
        char a = *prefix, b = *rest;
        if (a == '_') {
            prefix++;
            continue;
        }
        if (b == '_') {
            rest++;
            continue;
        }
        if (a >= 'A' && a <= 'Z') a = (char)(a - 'A' + 'a');
        if (b >= 'A' && b <= 'Z') b = (char)(b - 'A' + 'a');
        if (a != b) break;
        prefix++;
        rest++;
    }
    while (*prefix == '_')
        prefix++;
    while (*rest == '_')
        rest++;
    if (*prefix || !*rest) rest = name;
    for (; *rest; rest++) {
        if (*rest != '_') bare[len++] = *rest >= 'A' && *rest <= 'Z' ? (char)(*rest - 'A' + 'a') : *rest;
    }
    return bare;
}

static int gen_check_compare_values(const void *a, const void *b) {
    const gen_enum_value_t *one = *(const gen_enum_value_t *const *)a, *two = *(const gen_enum_value_t *const *)b;
    if (one->number != two->number) return one->number < two->number ? -1 : 1;
    return one->index < two->index ? -1 : 1;
}

static void gen_check_enum(gen_check_t *check, gen_enum_t *enumeration) {
    gen_enum_value_t **sorted = CONNECT_NEW(&check->ctx->arena, gen_enum_value_t *, enumeration->values.count + 1);
    gen_enum_value_t *value;
    gen_range_t **reserved;
    gen_map_t names, bare;
    const gen_item_t *alias;
    size_t i = 0, reserved_count = enumeration->reserved.count;
    bool has_alias = false;
    memset(&names, 0, sizeof names);
    memset(&bare, 0, sizeof bare);
    if (!enumeration->values.first) {
        gen_source_error(check->ctx, enumeration->at, "enum \"%s\" must have a value", enumeration->name);
        return;
    }
    if (enumeration->values.count > 65535) {
        gen_source_error(check->ctx, enumeration->at, "enum \"%s\" has more than 65535 values", enumeration->name);
    }
    if (!enumeration->closed && enumeration->values.first->number != 0) {
        gen_source_error(check->ctx, enumeration->values.first->number_at,
            "the first value of an open enum must be 0: it is what an absent field holds");
    }
    for (value = enumeration->values.first; value; value = value->next)
        sorted[i++] = value;
    qsort(sorted, i, sizeof *sorted, gen_check_compare_values);
    for (i = 1; i < enumeration->values.count; i++) {
        if (sorted[i]->number != sorted[i - 1]->number) continue;
        has_alias = true;
        if (!enumeration->allow_alias) {
            gen_source_error(check->ctx, sorted[i]->number_at,
                "number %ld is used already, by \"%s\"; for two names of one number set option allow_alias = true;",
                (long)sorted[i]->number, sorted[i - 1]->name);
        }
    }
    alias = gen_object_get(enumeration->options.object, "allow_alias");
    if (alias && !alias->bits) {
        gen_source_error(check->ctx, alias->at, "allow_alias = false says nothing: leave it out");
    } else if (enumeration->allow_alias && !has_alias) {
        gen_source_error(check->ctx, enumeration->at, "enum \"%s\" has allow_alias, but no two values share a number",
            enumeration->name);
    }
    reserved = gen_check_ranges(check, enumeration->reserved.first, reserved_count);
    gen_check_reserved_names(check, enumeration->reserved_names.first, &names);
    for (value = enumeration->values.first; value; value = value->next) {
        const gen_range_t *hit = gen_check_in(reserved, reserved_count, value->number, value->number);
        const char *bare_name = gen_check_bare_name(check, enumeration->name, value->name);
        const gen_enum_value_t *other = gen_map_get(&bare, bare_name);
        if (hit) {
            gen_source_error(check->ctx, value->number_at, "number %ld is reserved, at %s", (long)value->number,
                gen_source_place(check->ctx, hit->at));
        }
        gen_check_reserved_use(check, &names, value->name, value->at);
        if (!other) {
            gen_map_put(check->ctx, &bare, bare_name, value);
        } else if (other->number != value->number && strcmp(other->name, value->name) != 0 &&
            (enumeration->file->syntax != GEN_SYNTAX_PROTO2 ||
                !gen_object_is_true(enumeration->options.object, "deprecated_legacy_json_field_conflicts"))) {
            gen_source_error(check->ctx, value->at,
                "\"%s\" and \"%s\" are the same without the enum's name, case and underscores", value->name,
                other->name);
        }
    }
}

/* ---- Well-known types ---- */

/* "repeated string", "map<string, a.B>" */
static const char *gen_check_declared_type(gen_context_t *ctx, const gen_field_t *field) {
    const gen_field_t *value = field->is_map ? field->type->fields.first->next : field;
    const char *name = value->type ? value->type->full_name
        : value->enumeration       ? value->enumeration->full_name
                                   : gen_scalar_kind_name(value->kind);
    if (field->is_map)
        return gen_source_printf(ctx, "map<%s, %s>", gen_scalar_kind_name(field->type->fields.first->kind), name);
    if (field->label == GEN_LABEL_REPEATED) return gen_source_printf(ctx, "repeated %s", name);
    return field->has || (field->nullable && !field->type) ? gen_source_printf(ctx, "optional %s", name) : name;
}

static void gen_check_wellknown(gen_check_t *check, const gen_type_t *type) {
    const gen_wellknown_t *wellknown = gen_wellknown_find(type->full_name);
    const char *fields = "", *space = "";
    const gen_oneof_t *oneof = NULL;
    const gen_field_t *field;
    size_t left = 7; /* none has more than six */
    if (!wellknown) return;
    for (field = type->fields.first; field && left > 0; field = field->next, left--) {
        const gen_oneof_t *in = field->oneof && !field->oneof->synthetic ? field->oneof : NULL;
        if (in != oneof) {
            if (oneof) fields = gen_source_printf(check->ctx, "%s }", fields);
            if (in) fields = gen_source_printf(check->ctx, "%s%soneof %s {", fields, space, in->name);
            oneof = in;
            space = " ";
        }
        fields = gen_source_printf(check->ctx, "%s%s%s %s = %ld;", fields, space,
            gen_check_declared_type(check->ctx, field), field->name, (long)field->number);
        space = " ";
    }
    if (oneof) fields = gen_source_printf(check->ctx, "%s }", fields);
    if (strcmp(fields, wellknown->fields) == 0) return;
    gen_source_error(check->ctx, type->at, "\"%s\" is a well-known type: it must have its fields, { %s }",
        type->full_name, wellknown->fields);
}

/* ---- All ---- */

static void gen_check_type(gen_check_t *check, gen_type_t *type) {
    gen_type_t *inner;
    gen_enum_t *enumeration;
    gen_field_t *field;
    gen_map_t names;
    memset(&names, 0, sizeof names);
    gen_check_numbers(check, type);
    gen_check_reserved_names(check, type->reserved_names.first, &names);
    if (type->file->syntax == GEN_SYNTAX_PROTO3 && type->extension_ranges.first) {
        gen_source_error(check->ctx, type->extension_ranges.first->at, "proto3 has no extension ranges");
    }
    for (field = type->fields.first; field; field = field->next) {
        gen_check_field(check, field);
        gen_check_reserved_use(check, &names, field->name, field->at);
    }
    for (field = type->extensions.first; field; field = field->next) {
        gen_check_field(check, field);
        gen_check_extension(check, field);
    }
    if (type->is_map_entry) gen_check_map(check, type);
    if (type->is_message_set) gen_check_message_set(check, type);
    gen_check_json_names(check, type);
    gen_check_limits(check, type);
    gen_check_wellknown(check, type);
    for (enumeration = type->enums.first; enumeration; enumeration = enumeration->next) {
        gen_check_enum(check, enumeration);
    }
    for (inner = type->types.first; inner; inner = inner->next)
        gen_check_type(check, inner);
}

/* Notes for each message who has fields of its type, and puts those with required fields on the list. */
static void gen_check_users(gen_check_t *check, gen_type_t *type, gen_type_t **required) {
    gen_type_t *inner;
    gen_field_t *field;
    for (field = type->fields.first; field; field = field->next) {
        if (field->required && !type->has_required) {
            type->has_required = true;
            type->next_required = *required;
            *required = type;
        }
        if (field->type) {
            gen_user_t *user = CONNECT_NEW(&check->ctx->arena, gen_user_t, 1);
            user->type = type;
            user->next = field->type->users;
            field->type->users = user;
        }
    }
    for (inner = type->types.first; inner; inner = inner->next)
        gen_check_users(check, inner, required);
}

/* has_required also says that a message below has one: it goes up from field to user. */
static void gen_check_required(gen_check_t *check) {
    gen_type_t *required = NULL, *type;
    const gen_file_t *file;
    const gen_user_t *user;
    for (file = check->model->files.first; file; file = file->next) {
        for (type = file->types.first; type; type = type->next)
            gen_check_users(check, type, &required);
    }
    while (required) {
        user = required->users;
        required = required->next_required;
        for (; user; user = user->next) {
            if (user->type->has_required) continue;
            user->type->has_required = true;
            user->type->next_required = required;
            required = user->type;
        }
    }
}

static void gen_check_holders(gen_check_t *check, gen_type_t *type) {
    gen_type_t *inner;
    gen_field_t *field;
    for (inner = type->types.first; inner; inner = inner->next)
        gen_check_holders(check, inner);
    for (field = type->extensions.first; field; field = field->next)
        gen_check_holder(check, field);
}

GEN_PRIVATE void gen_check_model(gen_model_t *model) {
    gen_check_t check;
    gen_file_t *file;
    gen_type_t *type;
    gen_enum_t *enumeration;
    gen_field_t *field;
    memset(&check, 0, sizeof check);
    check.model = model;
    check.ctx = model->ctx;
    for (file = model->files.first; file; file = file->next) {
        for (type = file->types.first; type; type = type->next)
            gen_check_type(&check, type);
        for (enumeration = file->enums.first; enumeration; enumeration = enumeration->next) {
            gen_check_enum(&check, enumeration);
        }
        for (field = file->extensions.first; field; field = field->next) {
            gen_check_field(&check, field);
            gen_check_extension(&check, field);
        }
    }
    gen_check_required(&check);
    for (file = model->files.first; file; file = file->next) {
        for (type = file->types.first; type; type = type->next)
            gen_check_holders(&check, type);
        for (field = file->extensions.first; field; field = field->next)
            gen_check_holder(&check, field);
    }
}

/* #### src/gen/declaration.h ####################################################################################### */
/* Reports extension declarations that are wrong, and extensions that are not as their message declares them. */
GEN_PRIVATE void gen_declaration_model(gen_model_t *model);

/* #### src/gen/declaration.c ####################################################################################### */
/* Extension declarations (protobuf.dev, "Extension Declarations"): the options of a range of extension numbers may say
   which extension has which number, of which type.

   A declaration has a number of its range, and unless it is reserved a full name and a type: both with a dot in front,
   unless the type is a scalar one; no number and no name twice in a message. A range with declarations is not
   UNVERIFIED, and its statement has no other range. An extension whose range has declarations, or verification =
   DECLARATION, must be declared, by its name, type and whether it is repeated. */

#define GEN_DECLARATION_UNVERIFIED 1

/* The next declaration of a range's options from an item on; NULL: no more. */
static const gen_item_t *gen_declaration_next(const gen_item_t *item) {
    while (item && (item->field->extendee_name || strcmp(item->field->name, "declaration") != 0))
        item = item->next;
    return item;
}

static const gen_item_t *gen_declaration_first(const gen_range_t *range) {
    const gen_object_t *options = range->options ? range->options->object : NULL;
    return gen_declaration_next(options ? options->items : NULL);
}

/* ".a.b" */
static bool gen_declaration_is_full_name(const char *name) {
    const char *at;
    if (*name != '.') return false;
    for (at = name + 1; *at; at++) {
        const bool letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || *at == '_';
        if (!letter && (at[-1] == '.' || (*at != '.' && !(*at >= '0' && *at <= '9')))) return false;
    }
    return at[-1] != '.';
}

static void gen_declaration_one(
    gen_context_t *ctx, const gen_range_t *range, const gen_item_t *item, gen_map_t *names, gen_map_t *numbers) {
    const gen_object_t *declaration = item->message;
    const int32_t number = gen_object_number(declaration, "number", 0);
    const char *key = gen_source_printf(ctx, "%ld", (long)number);
    const char *name = gen_object_text(ctx, declaration, "full_name");
    const char *type = gen_object_text(ctx, declaration, "type");
    if (number < range->first || number > range->last)
        gen_source_error(ctx, item->at, "number %ld is not in the range that this is an option of", (long)number);
    if (gen_map_get(numbers, key))
        gen_source_error(ctx, item->at, "number %ld is declared twice", (long)number);
    else
        gen_map_put(ctx, numbers, key, numbers);
    if (name && gen_map_get(names, name))
        gen_source_error(ctx, item->at, "\"%s\" is declared twice", name);
    else if (name)
        gen_map_put(ctx, names, name, names);
    if (!gen_object_is_true(declaration, "reserved") && (!name || !type))
        gen_source_error(ctx, item->at, "a declaration must have full_name and type, unless it is reserved");
    if (name && !gen_declaration_is_full_name(name))
        gen_source_error(ctx, item->at, "full_name must be a full name with a dot in front");
    if (type && !gen_scalar_kind(type) && !gen_declaration_is_full_name(type))
        gen_source_error(ctx, item->at, "type must be a scalar type, or a full name with a dot in front");
}

static void gen_declaration_range(gen_context_t *ctx, const gen_range_t *range, gen_map_t *names, gen_map_t *numbers) {
    const gen_item_t *item = gen_declaration_first(range);
    if (!item) return;
    if (gen_object_number(range->options->object, "verification", 0) == GEN_DECLARATION_UNVERIFIED)
        gen_source_error(ctx, item->at, "extension numbers with declarations cannot be UNVERIFIED");
    if (range->next && range->next->options == range->options) {
        gen_source_error(ctx, item->at, "a range with declarations stands alone in its statement");
        return;
    }
    for (; item; item = gen_declaration_next(item->next))
        gen_declaration_one(ctx, range, item, names, numbers);
}

/* Whether an extension is as it is declared. */
static void gen_declaration_compare(gen_context_t *ctx, const gen_field_t *field, const gen_object_t *declaration) {
    const char *name = gen_object_text(ctx, declaration, "full_name");
    const char *type = gen_object_text(ctx, declaration, "type");
    const char *own = field->type || field->enumeration
        ? gen_source_printf(ctx, ".%s", field->type ? field->type->full_name : field->enumeration->full_name)
        : gen_scalar_kind_name(field->kind);
    if (gen_object_is_true(declaration, "reserved")) {
        gen_source_error(ctx, field->number_at, "number %ld is reserved by a declaration in message \"%s\"",
            (long)field->number, field->extendee->full_name);
        return;
    }
    if (name && strcmp(name + (*name == '.'), field->full_name) != 0) {
        gen_source_error(ctx, field->at, "message \"%s\" declares number %ld for \"%s\"", field->extendee->full_name,
            (long)field->number, name);
    }
    if (type && *own && strcmp(type, own) != 0)
        gen_source_error(ctx, field->type_at, "extension \"%s\" is declared to be a \"%s\"", field->full_name, type);
    if (gen_object_is_true(declaration, "repeated") != (field->label == GEN_LABEL_REPEATED)) {
        gen_source_error(ctx, field->at, "extension \"%s\" is declared to be %s", field->full_name,
            field->label == GEN_LABEL_REPEATED ? "not repeated" : "repeated");
    }
}

static void gen_declaration_field(gen_context_t *ctx, const gen_field_t *field) {
    const gen_range_t *range = field->extendee ? field->extendee->extension_ranges.first : NULL;
    const gen_object_t *options;
    const gen_item_t *item;
    while (range && (field->number < range->first || field->number > range->last))
        range = range->next;
    options = range && range->options ? range->options->object : NULL;
    if (!options) return;
    for (item = gen_declaration_first(range); item; item = gen_declaration_next(item->next)) {
        if (gen_object_number(item->message, "number", 0) != field->number) continue;
        gen_declaration_compare(ctx, field, item->message);
        return;
    }
    if (!gen_declaration_first(range) &&
        gen_object_number(options, "verification", GEN_DECLARATION_UNVERIFIED) == GEN_DECLARATION_UNVERIFIED) {
        return;
    }
    gen_source_error(ctx, field->number_at, "message \"%s\" wants extensions of this range declared, and %ld is not",
        field->extendee->full_name, (long)field->number);
}

static void gen_declaration_type(gen_context_t *ctx, const gen_type_t *type) {
    const gen_type_t *inner;
    const gen_range_t *range;
    const gen_field_t *field;
    gen_map_t names, numbers;
    memset(&names, 0, sizeof names);
    memset(&numbers, 0, sizeof numbers);
    for (range = type->extension_ranges.first; range; range = range->next)
        gen_declaration_range(ctx, range, &names, &numbers);
    for (field = type->extensions.first; field; field = field->next)
        gen_declaration_field(ctx, field);
    for (inner = type->types.first; inner; inner = inner->next)
        gen_declaration_type(ctx, inner);
}

GEN_PRIVATE void gen_declaration_model(gen_model_t *model) {
    const gen_file_t *file;
    const gen_type_t *type;
    const gen_field_t *field;
    for (file = model->files.first; file; file = file->next) {
        for (type = file->types.first; type; type = type->next)
            gen_declaration_type(model->ctx, type);
        for (field = file->extensions.first; field; field = field->next)
            gen_declaration_field(model->ctx, field);
    }
}

/* #### src/gen/style.h ############################################################################################# */
/* Reports names that are not as the edition wants them, and types that are used where they are not visible. */
GEN_PRIVATE void gen_style_model(gen_model_t *model);

/* #### src/gen/style.c ############################################################################################# */
/* What edition 2024 adds, by two features (descriptor.proto, FeatureSet; protobuf.dev, "Feature Settings for
   Editions").

   enforce_naming_style = STYLE2024: messages, enums, services and methods are TitleCase; fields, oneofs, extensions and
   packages lower_snake_case; enum values UPPER_SNAKE_CASE. In the snake cases a `_` stands between letters or behind a
   digit, never first, last, twice or in front of a digit.

   default_symbol_visibility: whether messages and enums that say neither `export` nor `local` may be used in other
   files: all, those at the top level, or none. With STRICT what is nested cannot be exported, but for enums in a
   message that is there for nothing else: local, at the top level, with all field numbers reserved. */

enum { GEN_STYLE_LOCAL = 1, GEN_STYLE_EXPORT = 2 }; /* google.protobuf.SymbolVisibility */

/* ---- Names ---- */

typedef enum gen_style_case_t { GEN_STYLE_TITLE, GEN_STYLE_LOWER, GEN_STYLE_UPPER } gen_style_case_t;

static bool gen_style_fits(const char *name, gen_style_case_t wanted) {
    const char *at;
    if (wanted == GEN_STYLE_TITLE ? !(*name >= 'A' && *name <= 'Z') : *name == '_') return false;
    for (at = name; *at; at++) {
        const bool lower = *at >= 'a' && *at <= 'z', upper = *at >= 'A' && *at <= 'Z';
        const bool next_is_letter = (at[1] >= 'a' && at[1] <= 'z') || (at[1] >= 'A' && at[1] <= 'Z');
        if (*at == '_' ? wanted == GEN_STYLE_TITLE || !next_is_letter
                       : (lower && wanted == GEN_STYLE_UPPER) || (upper && wanted == GEN_STYLE_LOWER)) {
            return false;
        }
    }
    return true;
}

static void gen_style_name(
    gen_context_t *ctx, const gen_features_t *features, const char *name, gen_style_case_t wanted, gen_at_t at) {
    static const char *const cases[] = {"TitleCase", "lower_snake_case", "UPPER_SNAKE_CASE"};
    if (features->of[GEN_FEATURE_ENFORCE_NAMING_STYLE] != GEN_STYLE_2024 || gen_style_fits(name, wanted)) return;
    gen_source_error(ctx, at,
        "\"%s\" must be %s, a `_` only in front of a letter; or set features.enforce_naming_style = STYLE_LEGACY", name,
        cases[wanted]);
}

static void gen_style_package(gen_context_t *ctx, const gen_file_t *file) {
    const char *part = file->package;
    while (*part) {
        const connect_str_t name = {part, strcspn(part, ".")};
        gen_style_name(ctx, &file->features, gen_source_copy(ctx, name), GEN_STYLE_LOWER, file->package_at);
        part += name.len + (part[name.len] == '.');
    }
}

/* ---- Visibility ---- */

static bool gen_style_is_local(int32_t said, const gen_type_t *parent, const gen_file_t *file) {
    if (said) return said == GEN_STYLE_LOCAL;
    switch (file->features.of[GEN_FEATURE_DEFAULT_SYMBOL_VISIBILITY]) {
    case GEN_VISIBILITY_EXPORT_TOP_LEVEL: return parent != NULL;
    case GEN_VISIBILITY_LOCAL_ALL:
    case GEN_VISIBILITY_STRICT: return true;
    default: return false;
    }
}

static void gen_style_use(
    gen_context_t *ctx, const gen_file_t *user, const gen_type_t *type, const gen_enum_t *enumeration, gen_at_t at) {
    const gen_file_t *file = type ? type->file : enumeration ? enumeration->file : user;
    const gen_type_t *parent = type ? type->parent : enumeration ? enumeration->parent : NULL;
    const int32_t said = type ? type->visibility : enumeration ? enumeration->visibility : 0;
    if (file == user || !gen_style_is_local(said, parent, file)) return;
    gen_source_error(ctx, at, "\"%s\" is local to \"%s\"%s; write `export` in front of it there",
        type ? type->full_name : enumeration->full_name, file->name,
        said ? "" : ", by features.default_symbol_visibility");
}

/* A message that is there for its enums only. */
static bool gen_style_is_namespace(const gen_type_t *type) {
    const gen_range_t *range = type->reserved.first;
    return !type->parent && gen_style_is_local(type->visibility, NULL, type->file) && type->reserved.count == 1 &&
        range->first == 1 && range->last == 536870911;
}

static void gen_style_strict(gen_context_t *ctx, const gen_file_t *file, const gen_type_t *parent, int32_t said,
    bool is_enum, const char *name, gen_at_t at) {
    if (file->features.of[GEN_FEATURE_DEFAULT_SYMBOL_VISIBILITY] != GEN_VISIBILITY_STRICT || !parent) return;
    if (said != GEN_STYLE_EXPORT || (is_enum && gen_style_is_namespace(parent))) return;
    gen_source_error(ctx, at, "\"%s\" is nested, so it cannot be exported: default_symbol_visibility is STRICT", name);
}

/* ---- All ---- */

static void gen_style_field(gen_context_t *ctx, const gen_field_t *field) {
    if (field->parent && field->parent->is_map_entry) { /* its value is what the user wrote */
        if (field->number == 2) gen_style_use(ctx, field->file, field->type, field->enumeration, field->type_at);
        return;
    }
    gen_style_name(ctx, &field->features, field->name, GEN_STYLE_LOWER, field->at);
    gen_style_use(ctx, field->file, field->type, field->enumeration, field->type_at);
    if (field->extendee) gen_style_use(ctx, field->file, field->extendee, NULL, field->extendee_at);
}

static void gen_style_enum(gen_context_t *ctx, const gen_enum_t *enumeration) {
    const gen_enum_value_t *value;
    gen_style_name(ctx, &enumeration->features, enumeration->name, GEN_STYLE_TITLE, enumeration->at);
    gen_style_strict(
        ctx, enumeration->file, enumeration->parent, enumeration->visibility, true, enumeration->name, enumeration->at);
    for (value = enumeration->values.first; value; value = value->next)
        gen_style_name(ctx, &value->features, value->name, GEN_STYLE_UPPER, value->at);
}

static void gen_style_type(gen_context_t *ctx, const gen_type_t *type) {
    const gen_type_t *inner;
    const gen_enum_t *enumeration;
    const gen_field_t *field;
    const gen_oneof_t *oneof;
    if (!type->is_map_entry) gen_style_name(ctx, &type->features, type->name, GEN_STYLE_TITLE, type->at);
    gen_style_strict(ctx, type->file, type->parent, type->visibility, false, type->name, type->at);
    for (field = type->fields.first; field; field = field->next)
        gen_style_field(ctx, field);
    for (field = type->extensions.first; field; field = field->next)
        gen_style_field(ctx, field);
    for (oneof = type->oneofs.first; oneof; oneof = oneof->next)
        gen_style_name(ctx, &oneof->features, oneof->name, GEN_STYLE_LOWER, oneof->at);
    for (enumeration = type->enums.first; enumeration; enumeration = enumeration->next)
        gen_style_enum(ctx, enumeration);
    for (inner = type->types.first; inner; inner = inner->next)
        gen_style_type(ctx, inner);
}

static void gen_style_service(gen_context_t *ctx, const gen_service_t *service) {
    const gen_method_t *method;
    gen_style_name(ctx, &service->features, service->name, GEN_STYLE_TITLE, service->at);
    for (method = service->methods.first; method; method = method->next) {
        gen_style_name(ctx, &method->features, method->name, GEN_STYLE_TITLE, method->at);
        gen_style_use(ctx, service->file, method->input, NULL, method->input_at);
        gen_style_use(ctx, service->file, method->output, NULL, method->output_at);
    }
}

GEN_PRIVATE void gen_style_model(gen_model_t *model) {
    const gen_file_t *file;
    const gen_type_t *type;
    const gen_enum_t *enumeration;
    const gen_field_t *field;
    const gen_service_t *service;
    for (file = model->files.first; file; file = file->next) {
        gen_style_package(model->ctx, file);
        for (type = file->types.first; type; type = type->next)
            gen_style_type(model->ctx, type);
        for (enumeration = file->enums.first; enumeration; enumeration = enumeration->next)
            gen_style_enum(model->ctx, enumeration);
        for (field = file->extensions.first; field; field = field->next)
            gen_style_field(model->ctx, field);
        for (service = file->services.first; service; service = service->next)
            gen_style_service(model->ctx, service);
    }
}

/* #### src/gen/names.h ############################################################################################# */
/* Gives everything its names in C. */
GEN_PRIVATE void gen_names_model(gen_model_t *model);

/* #### src/gen/names.c ############################################################################################# */
/* From protobuf names to C names. The rules, which users read in docs/generator.md:

   1. A message, enum, enum value, service: its full name with `_` for each dot. A method: Service_Method. A file: the
      package and the stem of its name (acme_telemetry_v1_telemetry), in capitals for the include guard. From the full
      name --strip-package takes the package or a part of it, and --prefix comes in front; not for google.protobuf,
      whose headers everybody shares.
   2. What begins with connect_, CONNECT_, cn_ or CN_ gets pb_ in front: these names belong to the library.
   3. A name that is a keyword of C or C++, a macro or a common name of libc, gets a `_` at its end. Without a package
      that also holds for the names of parameters in generated functions. Members of structs: keywords and macros
      only.
   4. From each name others are derived: X_type, X_list, X_enum, X_extension, S_handlers ... If one of these is
      taken, the name gets a `_` at its end, and another, until all are free. Who comes first keeps its name: built-
      in files, then imports before what imports them, inputs by name; in a file types, then enum values,
      extensions, services, methods, the file; each in order. A changed name is told by a warning.
   5. Members: fields keep their names if rule 3 lets them; then has_x, x_case, unknown_fields and what rule 3 changed
      get `_` at the end while they are taken. A field named as a C type of its own message gets `_`, too (C++ wants
      that).

   The result depends on nothing but the set of files, so it is the same in every run over them. */

typedef struct gen_names_t {
    gen_context_t *ctx;
    const gen_style_t *style;
    gen_map_t taken;
} gen_names_t;

/* Sorted by no rule: searched in turn, through a space in front and behind. */
static const char *const gen_names_keywords[] = {
    " auto break case char const continue default do double else enum extern float for goto if inline int long "
    "register "
    "restrict return short signed sizeof static struct switch typedef union unsigned void volatile while _Alignas "
    "_Alignof _Atomic _Bool _Complex _Generic _Imaginary _Noreturn _Static_assert _Thread_local _Pragma asm fortran "
    "typeof typeof_unqual ",
    " alignas alignof and and_eq bitand bitor bool catch char8_t char16_t char32_t class co_await co_return co_yield "
    "compl "
    "concept const_cast consteval constexpr constinit decltype delete dynamic_cast explicit export false friend "
    "mutable "
    "namespace new noexcept not not_eq nullptr operator or or_eq private protected public reinterpret_cast requires "
    "static_assert static_cast template this thread_local throw true try typeid typename using virtual wchar_t xor "
    "xor_eq final override import module ",
    " int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t intptr_t uintptr_t size_t ssize_t ptrdiff_t ",
};
static const char *const gen_names_macros[] = {
    " NULL EOF errno stdin stdout stderr assert offsetof va_arg va_copy va_end va_start va_list setjmp unix linux i386 "
    "arm "
    "mips sparc sun hpux sgi vax pdp11 major minor makedev signbit isnan isinf isfinite isnormal fpclassify isgreater "
    "isgreaterequal isless islessequal islessgreater isunordered NAN INFINITY HUGE_VAL HUGE_VALF HUGE_VALL complex "
    "imaginary I noreturn BUFSIZ FILENAME_MAX FOPEN_MAX L_tmpnam TMP_MAX SEEK_SET SEEK_CUR SEEK_END EXIT_SUCCESS "
    "EXIT_FAILURE RAND_MAX MB_CUR_MAX CLOCKS_PER_SEC TRUE FALSE BOOL DOMAIN OVERFLOW UNDERFLOW SING PLOSS TLOSS ",
    " CHAR_BIT CHAR_MAX CHAR_MIN INT_MAX INT_MIN LONG_MAX LONG_MIN LLONG_MAX LLONG_MIN SHRT_MAX SHRT_MIN SCHAR_MAX "
    "SCHAR_MIN UCHAR_MAX UINT_MAX ULONG_MAX ULLONG_MAX USHRT_MAX SSIZE_MAX PATH_MAX NAME_MAX PIPE_BUF IOV_MAX OPEN_MAX "
    "ARG_MAX PAGE_SIZE INT8_MAX INT8_MIN INT16_MAX INT16_MIN INT32_MAX INT32_MIN INT64_MAX INT64_MIN UINT8_MAX "
    "UINT16_MAX UINT32_MAX UINT64_MAX SIZE_MAX PTRDIFF_MAX PTRDIFF_MIN INTPTR_MAX UINTPTR_MAX WCHAR_MAX WCHAR_MIN ",
    " st_atime st_mtime st_ctime s6_addr s6_addr16 s6_addr32 h_addr h_errno math_errhandling sa_handler sa_sigaction "
    "si_addr si_addr_lsb si_arch si_band si_call_addr si_fd si_int si_lower si_overrun si_pid si_pkey si_ptr si_status "
    "si_stime si_syscall si_timerid si_uid si_upper si_utime si_value sigmask sigev_notify_attributes "
    "sigev_notify_function sched_priority d_fileno ifa_broadaddr ifa_dstaddr ifc_buf ifc_req ifr_addr ifr_bandwidth "
    "ifr_broadaddr ifr_data ifr_dstaddr ifr_flags ifr_hwaddr ifr_ifindex ifr_map ifr_metric ifr_mtu ifr_name "
    "ifr_netmask ifr_newname ifr_qlen ifr_slave ",
    " O_RDONLY O_WRONLY O_RDWR O_CREAT O_EXCL O_APPEND O_TRUNC O_NONBLOCK F_OK R_OK W_OK X_OK AF_INET AF_INET6 AF_UNIX "
    "AF_UNSPEC SOCK_STREAM SOCK_DGRAM SOCK_RAW IPPROTO_IP IPPROTO_IPV6 IPPROTO_ICMP IPPROTO_TCP IPPROTO_UDP "
    "IPPROTO_RAW "
    "SHUT_RD SHUT_WR SHUT_RDWR MSG_PEEK NI_MAXHOST INADDR_ANY INADDR_NONE TCP_ESTABLISHED TCP_SYN_SENT TCP_SYN_RECV "
    "TCP_FIN_WAIT1 TCP_FIN_WAIT2 TCP_TIME_WAIT TCP_CLOSE TCP_CLOSE_WAIT TCP_LAST_ACK TCP_LISTEN TCP_CLOSING "
    "TCP_NODELAY "
    "HOST_NOT_FOUND NO_ADDRESS NO_DATA NO_RECOVERY TRY_AGAIN LOCK_SH LOCK_EX LOCK_UN LOG_EMERG LOG_ALERT LOG_CRIT "
    "LOG_ERR LOG_WARNING LOG_NOTICE LOG_INFO LOG_DEBUG LOG_USER LOG_KERN LOG_MAIL LOG_DAEMON LOG_AUTH SCHED_FIFO "
    "SCHED_RR SCHED_OTHER PROT_NONE PROT_READ PROT_WRITE PROT_EXEC MAP_SHARED MAP_PRIVATE CLOCK_REALTIME "
    "CLOCK_MONOTONIC POLLIN POLLOUT POLLERR POLLHUP POLL_IN POLL_OUT POLL_ERR POLL_HUP BIG_ENDIAN LITTLE_ENDIAN "
    "PDP_ENDIAN BYTE_ORDER STDIN_FILENO STDOUT_FILENO STDERR_FILENO NSIG HZ NODEV CS DS ES FS GS SS M_PI M_E LC_ALL "
    "FAR NEAR DEBUG NDEBUG ERROR __FILE__ __LINE__ __func__ interface near far min max ",
};
static const char *const gen_names_others[] = {
    /* at file scope only */
    " FILE DIR abort abs accept access alarm atexit atof atoi atol basename bind bsearch calloc chdir chmod chown "
    "clock "
    "close connect creat ctime daemon difftime dirname div dup dup2 environ exec execl execv execve exit exp fabs "
    "fchmod "
    "fclose fcntl feof ferror fflush fgets floor fmod fopen fork fputs fread free frexp fsync ftell fwrite getc "
    "getchar "
    "getenv gethostname getpid gets gmtime index ioctl isatty kill labs ldexp link listen localtime log lseek main "
    "malloc memchr memcmp memcpy memmove memset mkdir mktime mmap mount nice open pause perror pipe poll pow printf "
    "putc putchar puts qsort raise rand random read readlink realloc recv remove rename rewind rindex rmdir scanf "
    "select send sendfile setenv shutdown signal sin sleep socket sprintf sqrt srand stat strcat strchr strcmp strcpy "
    "strdup strerror strlen strstr strtok strtol swab symlink sync syscall system tan time timer timespec timeval "
    "times "
    "tm tolower toupper truncate umask uname ungetc unlink usleep utime wait waitpid write y0 y1 yn j0 j1 jn gamma ",
    " arena call cancel client code count done error error_or_null events events_or_null handlers items key message "
    "number options request response response_or_null server slot thunks user value value_or_null ",
};

static bool gen_names_in(const char *const *lists, size_t count, const char *name) {
    char spaced[64];
    size_t i;
    if (strlen(name) > sizeof spaced - 3) return false;
    sprintf(spaced, " %s ", name);
    for (i = 0; i < count; i++) {
        if (strstr(lists[i], spaced)) return true;
    }
    return false;
}

/* Names like those of errno.h and signal.h: EINVAL, SIGINT. */
static bool gen_names_errno_like(const char *name) {
    size_t skip = strncmp(name, "SIG", 3) == 0 ? 3 : name[0] == 'E' ? 1 : 0;
    const char *at = name + skip;
    if (!skip || !*at) return false;
    while ((*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9'))
        at++;
    return !*at && strlen(name) <= 16;
}

static bool gen_names_is_special(const char *name) {
    return gen_names_in(gen_names_keywords, GEN_LEN(gen_names_keywords), name) ||
        gen_names_in(gen_names_macros, GEN_LEN(gen_names_macros), name) || gen_names_errno_like(name) ||
        (name[0] == '_' && name[1] == '_');
}

/* Whether a package is another, or below it. */
static bool gen_names_is_below(const char *package, const char *outer) {
    const size_t len = strlen(outer);
    return strncmp(package, outer, len) == 0 && (!package[len] || package[len] == '.');
}

/* The user's wishes are not for the packages that everybody shares. */
static bool gen_names_is_shared(const gen_file_t *file) {
    return gen_names_is_below(file->package, "google.protobuf");
}

/* A full name as the user wants it: with less of the package in front, and a prefix. */
static const char *gen_names_styled(gen_names_t *names, const gen_file_t *file, const char *full_name) {
    const gen_style_t *style = names->style;
    size_t i, stripped = 0;
    if (gen_names_is_shared(file)) return full_name;
    for (i = 0; i < style->strip_count; i++) {
        const char *package = *style->strip[i] ? style->strip[i] : file->package;
        if (*package && gen_names_is_below(file->package, package) && strlen(package) + 1 > stripped)
            stripped = strlen(package) + 1;
    }
    return gen_source_printf(names->ctx, "%s%s", style->prefix, full_name + stripped);
}

static const char *gen_names_base(gen_names_t *names, const gen_file_t *file, const char *full_name) {
    static const char *const ours[] = {"connect_", "CONNECT_", "cn_", "CN_"};
    char *base;
    char *at;
    size_t i;
    full_name = gen_names_styled(names, file, full_name);
    base = CONNECT_NEW(&names->ctx->arena, char, strlen(full_name) + 2);
    strcpy(base, full_name);
    for (at = base; *at; at++) {
        if (*at == '.') *at = '_';
    }
    for (i = 0; i < GEN_LEN(ours); i++) {
        if (strncmp(base, ours[i], strlen(ours[i])) == 0) return gen_source_printf(names->ctx, "pb_%s", base);
    }
    if (gen_names_is_special(base) || gen_names_in(gen_names_others, GEN_LEN(gen_names_others), base))
        strcat(base, "_");
    return base;
}

/* Takes base with all suffixes ("|_type|_list|" has three), after as many `_` as it needs. what: "message a.B". */
static const char *gen_names_take(
    gen_names_t *names, const char *base, const char *suffixes, gen_at_t at, const char *what) {
    const char *wanted = base;
    for (;;) {
        const char *suffix, *taken_by = NULL;
        for (suffix = suffixes; suffix[1] || suffix == suffixes;) {
            const char *end = strchr(suffix + 1, '|');
            const char *name = gen_source_printf(names->ctx, "%s%.*s", base, (int)(end - suffix - 1), suffix + 1);
            taken_by = gen_map_get(&names->taken, name);
            if (taken_by) {
                gen_source_warn(names->ctx, at, "\"%s\", the C name of %s, is taken by %s: it becomes \"%s_\"", wanted,
                    what, taken_by, base);
                break;
            }
            suffix = end;
        }
        if (!taken_by) break;
        base = gen_source_printf(names->ctx, "%s_", base);
    }
    for (;;) {
        const char *end = strchr(suffixes + 1, '|');
        char *owner = CONNECT_NEW(&names->ctx->arena, char, strlen(what) + 1);
        strcpy(owner, what);
        gen_map_put(names->ctx, &names->taken,
            gen_source_printf(names->ctx, "%s%.*s", base, (int)(end - suffixes - 1), suffixes + 1), owner);
        suffixes = end;
        if (!suffixes[1]) break;
    }
    return base;
}

/* ---- Members ---- */

static bool gen_names_type_like(const gen_type_t *type, const char *name) {
    const gen_field_t *field;
    size_t len = strlen(name);
    if (strncmp(name, "connect_", 8) == 0 && len > 2 && strcmp(name + len - 2, "_t") == 0) return true;
    for (field = type->fields.first; field; field = field->next) {
        const char *c_type = field->type ? field->type->c_name : NULL;
        if (!c_type || strncmp(c_type, name, strlen(c_type)) != 0) continue;
        if (strlen(c_type) == len || strcmp(name + strlen(c_type), "_list") == 0) return true;
    }
    return strcmp(type->c_name, name) == 0;
}

/* A name that no other member has; type_or_null: whose members these are. */
static const char *gen_names_member(
    gen_names_t *names, gen_map_t *members, const gen_type_t *type_or_null, const char *wanted) {
    const char *name = wanted;
    while (gen_map_get(members, name) || (type_or_null && gen_names_type_like(type_or_null, name))) {
        name = gen_source_printf(names->ctx, "%s_", name);
    }
    gen_map_put(names->ctx, members, name, members);
    return name;
}

static void gen_names_members(gen_names_t *names, gen_type_t *type) {
    gen_map_t members;
    gen_field_t *field;
    gen_oneof_t *oneof;
    memset(&members, 0, sizeof members);
    for (field = type->fields.first; field; field = field->next) {
        if (gen_names_is_special(field->name) || gen_names_type_like(type, field->name)) continue;
        field->c_name = gen_names_member(names, &members, type, field->name);
    }
    for (field = type->fields.first; field; field = field->next) {
        if (!field->c_name) {
            field->c_name = gen_names_member(names, &members, type, gen_source_printf(names->ctx, "%s_", field->name));
        }
    }
    for (oneof = type->oneofs.first; oneof; oneof = oneof->next) {
        bool special = gen_names_is_special(oneof->name) || gen_names_type_like(type, oneof->name);
        if (oneof->synthetic) continue;
        oneof->c_name = gen_names_member(
            names, &members, type, gen_source_printf(names->ctx, "%s%s", oneof->name, special ? "_" : ""));
        oneof->c_case = gen_names_member(names, &members, type, gen_source_printf(names->ctx, "%s_case", oneof->name));
    }
    for (field = type->fields.first; field; field = field->next) {
        if (field->has) {
            field->c_has =
                gen_names_member(names, &members, type, gen_source_printf(names->ctx, "has_%s", field->name));
        }
    }
    type->c_unknown = gen_names_member(names, &members, type, "unknown_fields");
}

/* ---- File scope ---- */

static void gen_names_enum(gen_names_t *names, gen_enum_t *enumeration) {
    enumeration->c_name = gen_names_take(names, gen_names_base(names, enumeration->file, enumeration->full_name),
        "||_enum|_values|_names|_name|", enumeration->at,
        gen_source_printf(names->ctx, "enum %s", enumeration->full_name));
}

static void gen_names_types(gen_names_t *names, gen_type_t *type) {
    gen_type_t *inner;
    gen_enum_t *enumeration;
    const gen_wellknown_t *wellknown = gen_wellknown_find(type->full_name);
    const char *suffixes = "||_type|_list|_init|_fields|_types|_enums|_defaults|_names|_slots|_fits|";
    if (wellknown) suffixes = gen_source_printf(names->ctx, "%s%s", suffixes, wellknown->helpers);
    type->c_name = gen_names_take(names, gen_names_base(names, type->file, type->full_name), suffixes, type->at,
        gen_source_printf(names->ctx, "message %s", type->full_name));
    type->keeps_unknown = !type->is_map_entry &&
        (!names->style->drop_unknown || type->extension_ranges.first || gen_names_is_shared(type->file));
    for (enumeration = type->enums.first; enumeration; enumeration = enumeration->next) {
        gen_names_enum(names, enumeration);
    }
    for (inner = type->types.first; inner; inner = inner->next)
        gen_names_types(names, inner);
}

static void gen_names_holder(gen_names_t *names, gen_type_t *holder) {
    gen_field_t *value = holder->fields.first;
    holder->c_name = gen_names_take(names, gen_names_base(names, holder->file, holder->full_name),
        "||_type|_get|_set|_fields|_types|_enums|_defaults|_names|_slots|_fits|_extension|", holder->at,
        gen_source_printf(names->ctx, "extension %s", holder->full_name));
    value->c_name = "value";
    if (value->has) value->c_has = "has_value";
    holder->c_unknown = "unknown_fields";
    holder->keeps_unknown = !names->style->drop_unknown;
}

static void gen_names_values(gen_names_t *names, gen_enum_t *enumeration) {
    gen_enum_value_t *value;
    for (value = enumeration->values.first; value; value = value->next) {
        value->c_name = gen_names_take(names, gen_names_base(names, enumeration->file, value->full_name), "||",
            value->at, gen_source_printf(names->ctx, "enum value %s", value->full_name));
    }
}

/* What belongs to messages and enums besides themselves. */
static void gen_names_inner(gen_names_t *names, gen_type_t *type) {
    gen_type_t *inner;
    gen_enum_t *enumeration;
    gen_field_t *field;
    gen_oneof_t *oneof;
    for (enumeration = type->enums.first; enumeration; enumeration = enumeration->next) {
        gen_names_values(names, enumeration);
    }
    for (oneof = type->oneofs.first; oneof; oneof = oneof->next) {
        if (oneof->synthetic) continue;
        oneof->c_enum = gen_names_take(names, gen_source_printf(names->ctx, "%s_%s_case", type->c_name, oneof->name),
            "||", oneof->at, gen_source_printf(names->ctx, "the cases of oneof %s", oneof->full_name));
        oneof->c_not_set =
            gen_names_take(names, gen_source_printf(names->ctx, "%s_%s_NOT_SET", type->c_name, oneof->name), "||",
                oneof->at, gen_source_printf(names->ctx, "oneof %s", oneof->full_name));
    }
    for (field = type->fields.first; field; field = field->next) {
        if (field->oneof && !field->oneof->synthetic) {
            field->c_choice = gen_names_take(names,
                gen_source_printf(names->ctx, "%s_%s_%s", type->c_name, field->oneof->name, field->name), "||",
                field->at, gen_source_printf(names->ctx, "field %s", field->full_name));
        }
        if (field->has || field->c_choice) {
            field->c_set = gen_names_take(names, gen_source_printf(names->ctx, "%s_set_%s", type->c_name, field->name),
                "||", field->at, gen_source_printf(names->ctx, "field %s", field->full_name));
        }
        if (field->is_map) {
            field->c_get = gen_names_take(names, gen_source_printf(names->ctx, "%s_%s_get", type->c_name, field->name),
                "||", field->at, gen_source_printf(names->ctx, "field %s", field->full_name));
        }
    }
    gen_names_members(names, type);
    for (inner = type->types.first; inner; inner = inner->next)
        gen_names_inner(names, inner);
}

static void gen_names_service(gen_names_t *names, gen_service_t *service) {
    gen_map_t slots;
    gen_method_t *method;
    memset(&slots, 0, sizeof slots);
    service->c_name = gen_names_take(names, gen_names_base(names, service->file, service->full_name),
        "||_service|_handlers|_serve|_methods|_thunks|_of|", service->at,
        gen_source_printf(names->ctx, "service %s", service->full_name));
    for (method = service->methods.first; method; method = method->next) {
        bool special = gen_names_is_special(method->name);
        method->c_slot = gen_names_member(
            names, &slots, NULL, gen_source_printf(names->ctx, "%s%s", method->name, special ? "_" : ""));
        method->c_name = gen_names_take(names, gen_source_printf(names->ctx, "%s_%s", service->c_name, method->name),
            "||_method|_with|_wait|_wait_with|_finish|_send_response|_send_request|_send_request_wait|_receive_wait|_"
            "done|"
            "_events|_events_of|_slot|_slot_of|_thunks|_on_open|_on_request|_on_message|_on_end|_on_writable|_on_drain|"
            "_on_closed|_client_on_open|_client_on_message|_client_on_writable|_client_on_drain|_client_on_closed|",
            method->at, gen_source_printf(names->ctx, "method %s", method->full_name));
    }
}

/* The package and the stem of a file's name: what of it has no place in a name becomes `_`. */
static char *gen_names_file_base(gen_names_t *names, const gen_file_t *file, const char *stem, size_t stem_len) {
    char *base = CONNECT_NEW(&names->ctx->arena, char, strlen(file->package) + stem_len + 3);
    char *at = base + sprintf(base, "%s%s", file->package, *file->package ? "." : "");
    if (!*file->package && stem_len && *stem >= '0' && *stem <= '9') *at++ = '_';
    for (; stem_len > 0; stem_len--, stem++) {
        const char c = *stem;
        const bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        *at++ = good ? c : '_';
    }
    return base;
}

static void gen_names_file_itself(gen_names_t *names, gen_file_t *file) {
    const char *slash = strrchr(file->name, '/'), *stem = slash ? slash + 1 : file->name;
    const size_t len = strlen(file->name), stem_len = strlen(stem);
    const size_t suffix = stem_len > 6 && strcmp(stem + stem_len - 6, ".proto") == 0 ? 6 : 0;
    const char *what = gen_source_printf(names->ctx, "file %s", file->name);
    char *base = gen_names_file_base(names, file, stem, stem_len - suffix), *at;
    const gen_at_t place = {file->source, 0};
    file->header = gen_source_printf(names->ctx, "%.*s.connect.h", (int)(len - suffix), file->name);
    file->c_name = gen_names_take(names, gen_names_base(names, file, base),
        "|_file|_file_bytes|_file_imports|_file_types|_file_enums|_file_extensions|_file_services|", place, what);
    for (at = base; *at; at++) /* the guard is the same whatever the user wants: two headers must not share one */
        *at = *at == '.' ? '_' : *at >= 'a' && *at <= 'z' ? (char)(*at - 'a' + 'A') : *at;
    file->guard = gen_names_take(names, base, "|_CONNECT_H|_CONNECT_DONE|", place, what);
}

static void gen_names_file(gen_names_t *names, gen_file_t *file) {
    gen_type_t *type, *holder;
    gen_enum_t *enumeration;
    gen_service_t *service;
    for (enumeration = file->enums.first; enumeration; enumeration = enumeration->next) {
        gen_names_enum(names, enumeration);
    }
    for (type = file->types.first; type; type = type->next)
        gen_names_types(names, type);
    for (enumeration = file->enums.first; enumeration; enumeration = enumeration->next) {
        gen_names_values(names, enumeration);
    }
    for (type = file->types.first; type; type = type->next)
        gen_names_inner(names, type);
    for (holder = file->holders.first; holder; holder = holder->next)
        gen_names_holder(names, holder);
    for (service = file->services.first; service; service = service->next)
        gen_names_service(names, service);
    gen_names_file_itself(names, file);
}

GEN_PRIVATE void gen_names_model(gen_model_t *model) {
    gen_names_t names;
    gen_file_t *file;
    memset(&names, 0, sizeof names);
    names.ctx = model->ctx;
    names.style = &model->style;
    for (file = model->files.first; file; file = file->next) {
        if (file->built_in) gen_names_file(&names, file);
    }
    for (file = model->files.first; file; file = file->next) {
        if (!file->built_in) gen_names_file(&names, file);
    }
}

/* #### src/gen/descriptor.h ######################################################################################## */
/* The FileDescriptorProto of a file, in the context's arena. */
GEN_PRIVATE connect_str_t gen_descriptor_file(gen_context_t *ctx, const gen_file_t *file);

/* #### src/gen/descriptor.c ######################################################################################## */
/* FileDescriptorProto (google/protobuf/descriptor.proto), written by hand: fields in the order of their numbers, as
   protoc writes them, json_name included, source info left out, custom options left out. Each message is written on
   its own and then put into the one around it; messages nest at most GEN_DEPTH_MAX deep, so nothing is copied more
   often than that.

   The numbers beside each call are those of descriptor.proto. A reserved or extension range ends behind its last number
   in a message, at its last number in an enum. */

static connect_writer_t gen_descriptor_begin(gen_context_t *ctx) {
    connect_writer_t writer;
    memset(&writer, 0, sizeof writer);
    writer.arena = &ctx->arena;
    return writer;
}

static void gen_descriptor_text(connect_writer_t *writer, uint32_t number, const char *text) {
    connect_str_t value;
    value.data = text;
    value.len = strlen(text);
    connect_writer_put(writer, number, CONNECT_KIND_STRING, &value);
}

static void gen_descriptor_int(connect_writer_t *writer, uint32_t number, int32_t value) {
    connect_writer_put(writer, number, CONNECT_KIND_INT32, &value);
}

static void gen_descriptor_bool(connect_writer_t *writer, uint32_t number, bool value) {
    connect_writer_put(writer, number, CONNECT_KIND_BOOL, &value);
}

/* Puts a finished message; an empty one, too. */
static void gen_descriptor_put(connect_writer_t *writer, uint32_t number, const connect_writer_t *inner) {
    connect_str_t bytes = inner->written;
    if (!bytes.data) bytes.data = "";
    connect_writer_put(writer, number, CONNECT_KIND_MESSAGE, &bytes);
}

/* Options of which nothing is left, since all were for sources, are no options. */
static void gen_descriptor_options(
    gen_context_t *ctx, connect_writer_t *writer, uint32_t number, const gen_options_t *options) {
    connect_str_t bytes;
    if (!options || !options->object) return;
    bytes = gen_object_encode(ctx, options->object);
    if (bytes.len || !options->object->items) connect_writer_put(writer, number, CONNECT_KIND_MESSAGE, &bytes);
}

static void gen_descriptor_default(gen_context_t *ctx, connect_writer_t *writer, const gen_field_t *field) {
    const gen_option_t *value = field->default_value;
    char text[40];
    size_t i, len = 0;
    char *escaped;
    if (value->kind == GEN_VALUE_STRING && field->kind == CONNECT_KIND_STRING) {
        connect_writer_put(writer, 7, CONNECT_KIND_STRING, &value->text);
        return;
    }
    if (value->kind == GEN_VALUE_STRING) { /* bytes: as a C literal */
        escaped = CONNECT_NEW(&ctx->arena, char, 4 * value->text.len + 1);
        for (i = 0; i < value->text.len; i++) {
            unsigned char c = (unsigned char)value->text.data[i];
            const char *simple = c ? strchr("\n\r\t\"'\\", c) : NULL;
            static const char letters[] = "nrt\"'\\";
            if (simple) {
                escaped[len++] = '\\';
                escaped[len++] = letters[simple - strchr("\n\r\t\"'\\", '\n')];
            } else if (c >= 0x20 && c < 0x7F) {
                escaped[len++] = (char)c;
            } else {
                len += (size_t)sprintf(escaped + len, "\\%03o", c);
            }
        }
        gen_descriptor_text(writer, 7, escaped);
        return;
    }
    if (value->kind == GEN_VALUE_WORD) {
        const bool minus = value->negative && !connect_str_equal(value->text, connect_str_of("nan"));
        gen_descriptor_text(
            writer, 7, gen_source_printf(ctx, "%s%.*s", minus ? "-" : "", (int)value->text.len, value->text.data));
        return;
    }
    if (field->kind == CONNECT_KIND_DOUBLE || field->kind == CONNECT_KIND_FLOAT) {
        /* As protoc: a float with 6 digits or, if these are too few or it is subnormal, 9; a double with 15 or 17. */
        const bool single = field->kind == CONNECT_KIND_FLOAT;
        double number = value->negative ? -value->number : value->number, back;
        bool subnormal;
        if (single) number = (double)(float)number;
        snprintf(text, sizeof text, "%.*g", single ? 6 : 15, number);
        back = single ? (double)strtof(text, NULL) : strtod(text, NULL);
        subnormal = single && number > -(double)FLT_MIN && number < (double)FLT_MIN && (number < 0 || number > 0);
        if (subnormal || back < number || back > number) snprintf(text, sizeof text, "%.*g", single ? 9 : 17, number);
        gen_descriptor_text(writer, 7, text);
        return;
    }
    gen_descriptor_text(
        writer, 7, gen_source_printf(ctx, "%s%llu", value->negative ? "-" : "", (unsigned long long)value->integer));
}

static connect_writer_t gen_descriptor_field(gen_context_t *ctx, const gen_field_t *field) {
    connect_writer_t writer = gen_descriptor_begin(ctx);
    int32_t label = field->label == GEN_LABEL_NONE ? 1 : (int32_t)field->label;
    gen_descriptor_text(&writer, 1, field->name);
    if (field->extendee) gen_descriptor_text(&writer, 2, gen_source_printf(ctx, ".%s", field->extendee->full_name));
    gen_descriptor_int(&writer, 3, field->number);
    gen_descriptor_int(&writer, 4, label);
    /* With features the encoding is one of them, and not a type. */
    gen_descriptor_int(
        &writer, 5, field->kind == CONNECT_KIND_GROUP && !field->is_group ? CONNECT_KIND_MESSAGE : field->kind);
    if (field->type) gen_descriptor_text(&writer, 6, gen_source_printf(ctx, ".%s", field->type->full_name));
    if (field->enumeration)
        gen_descriptor_text(&writer, 6, gen_source_printf(ctx, ".%s", field->enumeration->full_name));
    if (field->default_value) gen_descriptor_default(ctx, &writer, field);
    gen_descriptor_options(ctx, &writer, 8, &field->options);
    if (field->oneof) gen_descriptor_int(&writer, 9, (int32_t)field->oneof->index);
    gen_descriptor_text(&writer, 10, field->json_name);
    if (field->proto3_optional) gen_descriptor_bool(&writer, 17, true);
    return writer;
}

static connect_writer_t gen_descriptor_range(gen_context_t *ctx, int32_t first, int32_t end) {
    connect_writer_t writer = gen_descriptor_begin(ctx);
    gen_descriptor_int(&writer, 1, first);
    gen_descriptor_int(&writer, 2, end);
    return writer;
}

static connect_writer_t gen_descriptor_enum(gen_context_t *ctx, const gen_enum_t *enumeration) {
    connect_writer_t writer = gen_descriptor_begin(ctx), inner;
    const gen_enum_value_t *value;
    const gen_range_t *range;
    const gen_word_t *word;
    gen_descriptor_text(&writer, 1, enumeration->name);
    for (value = enumeration->values.first; value; value = value->next) {
        inner = gen_descriptor_begin(ctx);
        gen_descriptor_text(&inner, 1, value->name);
        gen_descriptor_int(&inner, 2, value->number);
        gen_descriptor_options(ctx, &inner, 3, &value->options);
        gen_descriptor_put(&writer, 2, &inner);
    }
    gen_descriptor_options(ctx, &writer, 3, &enumeration->options);
    for (range = enumeration->reserved.first; range; range = range->next) {
        inner = gen_descriptor_range(ctx, range->first, range->last);
        gen_descriptor_put(&writer, 4, &inner);
    }
    for (word = enumeration->reserved_names.first; word; word = word->next)
        gen_descriptor_text(&writer, 5, word->text);
    if (enumeration->visibility) gen_descriptor_int(&writer, 6, enumeration->visibility);
    return writer;
}

static connect_writer_t gen_descriptor_type(gen_context_t *ctx, const gen_type_t *type) {
    connect_writer_t writer = gen_descriptor_begin(ctx), inner;
    const gen_field_t *field;
    const gen_type_t *nested;
    const gen_enum_t *enumeration;
    const gen_oneof_t *oneof;
    const gen_range_t *range;
    const gen_word_t *word;
    gen_descriptor_text(&writer, 1, type->name);
    for (field = type->fields.first; field; field = field->next) {
        inner = gen_descriptor_field(ctx, field);
        gen_descriptor_put(&writer, 2, &inner);
    }
    for (nested = type->types.first; nested; nested = nested->next) {
        inner = gen_descriptor_type(ctx, nested);
        gen_descriptor_put(&writer, 3, &inner);
    }
    for (enumeration = type->enums.first; enumeration; enumeration = enumeration->next) {
        inner = gen_descriptor_enum(ctx, enumeration);
        gen_descriptor_put(&writer, 4, &inner);
    }
    for (range = type->extension_ranges.first; range; range = range->next) {
        inner = gen_descriptor_range(ctx, range->first, range->last + 1);
        gen_descriptor_options(ctx, &inner, 3, range->options);
        gen_descriptor_put(&writer, 5, &inner);
    }
    for (field = type->extensions.first; field; field = field->next) {
        inner = gen_descriptor_field(ctx, field);
        gen_descriptor_put(&writer, 6, &inner);
    }
    if (type->is_map_entry) {
        inner = gen_descriptor_begin(ctx);
        gen_descriptor_bool(&inner, 7, true);
        gen_descriptor_put(&writer, 7, &inner);
    } else {
        gen_descriptor_options(ctx, &writer, 7, &type->options);
    }
    for (oneof = type->oneofs.first; oneof; oneof = oneof->next) {
        inner = gen_descriptor_begin(ctx);
        gen_descriptor_text(&inner, 1, oneof->name);
        gen_descriptor_options(ctx, &inner, 2, &oneof->options);
        gen_descriptor_put(&writer, 8, &inner);
    }
    for (range = type->reserved.first; range; range = range->next) {
        inner = gen_descriptor_range(ctx, range->first, range->last + 1);
        gen_descriptor_put(&writer, 9, &inner);
    }
    for (word = type->reserved_names.first; word; word = word->next)
        gen_descriptor_text(&writer, 10, word->text);
    if (type->visibility) gen_descriptor_int(&writer, 11, type->visibility);
    return writer;
}

static connect_writer_t gen_descriptor_service(gen_context_t *ctx, const gen_service_t *service) {
    connect_writer_t writer = gen_descriptor_begin(ctx);
    const gen_method_t *method;
    gen_descriptor_text(&writer, 1, service->name);
    for (method = service->methods.first; method; method = method->next) {
        connect_writer_t inner = gen_descriptor_begin(ctx);
        gen_descriptor_text(&inner, 1, method->name);
        gen_descriptor_text(&inner, 2, gen_source_printf(ctx, ".%s", method->input->full_name));
        gen_descriptor_text(&inner, 3, gen_source_printf(ctx, ".%s", method->output->full_name));
        gen_descriptor_options(ctx, &inner, 4, &method->options);
        if (method->client_streams) gen_descriptor_bool(&inner, 5, true);
        if (method->server_streams) gen_descriptor_bool(&inner, 6, true);
        gen_descriptor_put(&writer, 2, &inner);
    }
    gen_descriptor_options(ctx, &writer, 3, &service->options);
    return writer;
}

GEN_PRIVATE connect_str_t gen_descriptor_file(gen_context_t *ctx, const gen_file_t *file) {
    connect_writer_t writer = gen_descriptor_begin(ctx), inner;
    const gen_import_t *import;
    const gen_type_t *type;
    const gen_enum_t *enumeration;
    const gen_service_t *service;
    const gen_field_t *field;
    int32_t index;
    gen_descriptor_text(&writer, 1, file->name);
    if (*file->package) gen_descriptor_text(&writer, 2, file->package);
    for (import = file->imports.first; import; import = import->next)
        gen_descriptor_text(&writer, 3, import->name);
    for (type = file->types.first; type; type = type->next) {
        inner = gen_descriptor_type(ctx, type);
        gen_descriptor_put(&writer, 4, &inner);
    }
    for (enumeration = file->enums.first; enumeration; enumeration = enumeration->next) {
        inner = gen_descriptor_enum(ctx, enumeration);
        gen_descriptor_put(&writer, 5, &inner);
    }
    for (service = file->services.first; service; service = service->next) {
        inner = gen_descriptor_service(ctx, service);
        gen_descriptor_put(&writer, 6, &inner);
    }
    for (field = file->extensions.first; field; field = field->next) {
        inner = gen_descriptor_field(ctx, field);
        gen_descriptor_put(&writer, 7, &inner);
    }
    gen_descriptor_options(ctx, &writer, 8, &file->options);
    for (import = file->imports.first, index = 0; import; import = import->next, index++) {
        if (import->is_public) gen_descriptor_int(&writer, 10, index);
    }
    for (import = file->imports.first, index = 0; import; import = import->next, index++) {
        if (import->is_weak) gen_descriptor_int(&writer, 11, index);
    }
    if (file->syntax == GEN_SYNTAX_PROTO3) gen_descriptor_text(&writer, 12, "proto3");
    if (file->syntax == GEN_SYNTAX_EDITIONS) {
        gen_descriptor_text(&writer, 12, "editions");
        gen_descriptor_int(&writer, 14, file->edition);
    }
    for (import = file->option_imports.first; import; import = import->next)
        gen_descriptor_text(&writer, 15, import->name);
    return writer.written;
}

/* #### src/gen/text.h ############################################################################################## */
/* Output that grows. {0} is empty. */
typedef struct gen_text_t {
    char *data;
    size_t len, room;
} gen_text_t;
GEN_PRIVATE void gen_text_put(gen_text_t *text, const char *more);
GEN_PRIVATE void gen_text_bytes(gen_text_t *text, const char *more, size_t len);
/* One logical line, without the newline; broken at 120 columns where C allows it. */
GEN_PRIVATE void gen_text_line(gen_text_t *text, const char *format, ...) CONNECT_PRINTF(2, 3);
/* Lines of a template, in which $A to $Z stand for values[0] to values[25]; each is put as by gen_text_line. */
GEN_PRIVATE void gen_text_template(gen_text_t *text, const char *lines, const char *const values[26]);
/* Bytes as C string literals, behind an indent. */
GEN_PRIVATE void gen_text_literal(gen_text_t *text, const char *indent, connect_str_t bytes);
/* Bytes as the initializer of a char array, where they are too many for a literal. */
GEN_PRIVATE void gen_text_array(gen_text_t *text, const char *indent, connect_str_t bytes);
/* Comments of a .proto file as a C comment of its own lines; deprecated: says so. */
GEN_PRIVATE void gen_text_comment(
    gen_text_t *text, const char *indent, connect_str_t leading, connect_str_t trailing, bool deprecated);
GEN_PRIVATE void gen_text_free(gen_text_t *text);

/* #### src/gen/text.c ############################################################################################## */
/* Output: lines of C, literals, comments.

   Lines longer than GEN_TEXT_COLUMNS are broken at a space, behind a comma if there is one, never inside a literal,
   and go on 4 columns further right; lines that start with # are never broken.

   Literals: octal escapes always have three digits where a digit follows; ? is escaped after ?, for trigraphs.

   Comments come from files that anyone may have written, and must stay comments: a comment mark inside gets a space
   between its two characters, two ? get one (a trigraph may make a backslash, that may join lines), a backslash at
   the end of a line is dropped, control characters become spaces; bytes that are not valid UTF-8, and the marks that
   reverse the direction of text (U+202A to U+202E, U+2066 to U+2069), become ?. */

#define GEN_TEXT_COLUMNS 120u
#define GEN_TEXT_LITERAL_COLUMNS 100u

GEN_PRIVATE void gen_text_bytes(gen_text_t *text, const char *data, size_t len) {
    if (text->len + len + 1 > text->room) {
        text->room = 2 * (text->len + len + 1);
        text->data = realloc(text->data, text->room);
        if (!text->data) gen_source_out_of_memory();
    }
    if (len) memcpy(text->data + text->len, data, len);
    text->len += len;
    text->data[text->len] = 0;
}

GEN_PRIVATE void gen_text_free(gen_text_t *text) {
    free(text->data);
    memset(text, 0, sizeof *text);
}

GEN_PRIVATE void gen_text_put(gen_text_t *text, const char *more) {
    gen_text_bytes(text, more, strlen(more));
}

/* Where to break a line that is too long: an index of a space, or 0. */
static size_t gen_text_break(const char *line, size_t len, size_t indent, size_t columns) {
    size_t i, best = 0, comma = 0, first = 0;
    char quote = 0;
    for (i = 0; i < len; i++) {
        char c = line[i];
        if (quote) {
            if (c == '\\')
                i++;
            else if (c == quote)
                quote = 0;
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c == ' ' && i > indent + 8 && strncmp(line + i - 5, "const", 5) != 0) {
            if (!first) first = i;
            if (i > columns) break;
            best = i;
            if (line[i - 1] == ',') comma = i;
        }
    }
    if (comma > columns / 2) return comma;
    return best ? best : first;
}

static void gen_text_wrapped(gen_text_t *text, const char *line, size_t len) {
    size_t indent = 0, columns = GEN_TEXT_COLUMNS;
    while (indent < len && line[indent] == ' ')
        indent++;
    if (indent < len && line[indent] != '#') {
        size_t more = 0; /* columns that this part is indented beyond what it holds */
        while (len + more > columns) {
            size_t at = gen_text_break(line, len, more ? 0 : indent, columns - more);
            if (!at) break;
            gen_text_bytes(text, line, at);
            gen_text_put(text, "\n");
            line += at + 1;
            len -= at + 1;
            more = indent + 4;
            gen_text_bytes(text, "                                        ", more < 40 ? more : 40);
        }
    }
    gen_text_bytes(text, line, len);
    gen_text_put(text, "\n");
}

GEN_PRIVATE void gen_text_line(gen_text_t *text, const char *format, ...) {
    va_list arguments;
    int len;
    char *line;
    va_start(arguments, format);
    len = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    line = malloc((size_t)len + 1);
    if (!line || len < 0) gen_source_out_of_memory();
    va_start(arguments, format);
    vsnprintf(line, (size_t)len + 1, format, arguments);
    va_end(arguments);
    gen_text_wrapped(text, line, (size_t)len);
    free(line);
}

/* Adds to a line under way; each newline puts it. */
static void gen_text_add(gen_text_t *text, gen_text_t *line, const char *more) {
    for (;;) {
        size_t len = strcspn(more, "\n");
        gen_text_bytes(line, more, len);
        if (!more[len]) return;
        gen_text_wrapped(text, line->data, line->len);
        line->len = 0;
        more += len + 1;
    }
}

GEN_PRIVATE void gen_text_template(gen_text_t *text, const char *lines, const char *const values[26]) {
    gen_text_t line = {NULL, 0, 0};
    char one[2] = {0, 0};
    for (; *lines; lines++) {
        if (lines[0] == '$' && lines[1] >= 'A' && lines[1] <= 'Z') {
            gen_text_add(text, &line, values[lines[1] - 'A']);
            lines++;
        } else {
            one[0] = *lines;
            gen_text_add(text, &line, one);
        }
    }
    gen_text_free(&line);
}

GEN_PRIVATE void gen_text_literal(gen_text_t *text, const char *indent, connect_str_t bytes) {
    size_t i, column = 0;
    if (!bytes.len) {
        gen_text_put(text, indent);
        gen_text_put(text, "\"\"");
    }
    for (i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.data[i];
        char escaped[8];
        bool digit = i + 1 < bytes.len && bytes.data[i + 1] >= '0' && bytes.data[i + 1] <= '9';
        if (c == '"' || c == '\\')
            sprintf(escaped, "\\%c", c);
        else if (c == '?' && i > 0 && bytes.data[i - 1] == '?')
            strcpy(escaped, "\\?");
        else if (c >= 0x20 && c < 0x7F)
            sprintf(escaped, "%c", c);
        else if (c == 0 && !digit)
            strcpy(escaped, "\\0");
        else
            sprintf(escaped, "\\%03o", c);
        if (column == 0) {
            gen_text_put(text, indent);
            gen_text_put(text, "\"");
        }
        gen_text_put(text, escaped);
        column += strlen(escaped);
        if (i + 1 == bytes.len) {
            gen_text_put(text, "\"");
        } else if (column >= GEN_TEXT_LITERAL_COLUMNS) {
            gen_text_put(text, "\"\n");
            column = 0;
        }
    }
}

GEN_PRIVATE void gen_text_array(gen_text_t *text, const char *indent, connect_str_t bytes) {
    size_t i, column = 0;
    gen_text_put(text, indent);
    gen_text_put(text, "{");
    for (i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.data[i];
        char item[12];
        if (c >= 0x20 && c < 0x7F && c != '\'' && c != '\\')
            sprintf(item, "'%c'", c);
        else
            sprintf(item, "'\\%o'", c);
        if (i + 1 < bytes.len) strcat(item, ",");
        gen_text_put(text, item);
        column += strlen(item);
        if (column >= GEN_TEXT_LITERAL_COLUMNS && i + 1 < bytes.len) {
            gen_text_put(text, "\n");
            gen_text_put(text, indent);
            column = 0;
        }
    }
    gen_text_put(text, "}");
}

/* ---- Comments ---- */

/* How many bytes the UTF-8 character here has; 0: it is none, or one that reverses text. */
static size_t gen_text_utf8(const char *at, size_t len) {
    const unsigned char *c = (const unsigned char *)at;
    size_t need, i;
    uint32_t value;
    if (c[0] < 0x80) return 1;
    if (c[0] < 0xC2 || c[0] > 0xF4) return 0;
    need = c[0] < 0xE0 ? 2 : c[0] < 0xF0 ? 3 : 4;
    if (len < need) return 0;
    value = c[0] & (0x7Fu >> need);
    for (i = 1; i < need; i++) {
        if ((c[i] & 0xC0) != 0x80) return 0;
        value = (value << 6) | (c[i] & 0x3Fu);
    }
    if ((need == 3 && value < 0x800) || (need == 4 && (value < 0x10000 || value > 0x10FFFF))) return 0;
    if (value >= 0xD800 && value < 0xE000) return 0;
    if ((value >= 0x202A && value <= 0x202E) || (value >= 0x2066 && value <= 0x2069)) return 0;
    return need;
}

/* One line of a comment, without spaces at its end. */
static void gen_text_comment_line(gen_text_t *text, const char *line, size_t len) {
    size_t begin = text->len;
    while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t' || line[len - 1] == '\r'))
        len--;
    while (len > 0) {
        size_t count = gen_text_utf8(line, len);
        char last = text->len > begin ? text->data[text->len - 1] : 0;
        if (count == 0) {
            if (last != '?') gen_text_put(text, "?");
            count = 1;
        } else if (count == 1) {
            char c = (unsigned char)*line < 0x20 || *line == 0x7F ? ' ' : *line;
            if ((last == '*' && c == '/') || (last == '/' && c == '*') || (last == '?' && c == '?'))
                gen_text_put(text, " ");
            gen_text_bytes(text, &c, 1);
        } else {
            gen_text_bytes(text, line, count);
        }
        line += count;
        len -= count;
    }
    while (text->len > begin && strchr(" \\", text->data[text->len - 1]))
        text->len--;
    text->data[text->len] = 0;
}

static void gen_text_comment_body(gen_text_t *body, const char *indent, connect_str_t comment) {
    static const gen_text_t empty = {NULL, 0, 0};
    const char *at = comment.data, *end = at ? at + comment.len : NULL;
    gen_text_t line = empty;
    bool skipped = false;
    gen_text_put(&line, "");
    while (at && at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at)), *stop = newline ? newline : end;
        while (at < stop && (*at == '*' || *at == '/')) /* marks of documentation comments */
            at++;
        if (at < stop && *at == ' ') at++;
        line.len = 0;
        gen_text_comment_line(&line, at, (size_t)(stop - at));
        if (!line.len) {
            skipped = true;
        } else {
            if (body->len) {
                gen_text_put(body, skipped ? "\n\n" : "\n");
                gen_text_put(body, indent);
                gen_text_put(body, "   ");
            }
            gen_text_bytes(body, line.data, line.len);
            skipped = false;
        }
        at = newline ? newline + 1 : end;
    }
    gen_text_free(&line);
}

GEN_PRIVATE void gen_text_comment(
    gen_text_t *text, const char *indent, connect_str_t leading, connect_str_t trailing, bool deprecated) {
    static const connect_str_t deprecation = {"Deprecated.", 11};
    gen_text_t body;
    memset(&body, 0, sizeof body);
    gen_text_comment_body(&body, indent, leading);
    gen_text_comment_body(&body, indent, trailing);
    if (deprecated) gen_text_comment_body(&body, indent, deprecation);
    if (body.len) {
        gen_text_put(text, indent);
        gen_text_put(text, "/* ");
        gen_text_bytes(text, body.data, body.len);
        gen_text_put(text, " */\n");
    }
    gen_text_free(&body);
}

/* #### src/gen/emit_types.h ######################################################################################## */
/* Enums, structs, the declarations of their tables, and the functions that look into maps. */
GEN_PRIVATE void gen_emit_types_declare(gen_context_t *ctx, const gen_file_t *file, gen_text_t *text);

/* #### src/gen/emit_types.c ######################################################################################## */
/* The declarations for messages and enums: what users read. The shape is told in docs/schema.md; in short: a struct
   with a member for each field in the order of the .proto file, then has_x for what tracks presence by a bool, then
   the unknown fields. A oneof stands where its first field stands: x_case, and a union. Comments go with what they
   are for.

   Every message has a list type, so that any file may repeat it. Messages inside others come before them. */

static void gen_emit_types_enum(const gen_enum_t *enumeration, gen_text_t *text) {
    const gen_enum_value_t *value;
    gen_text_comment(text, "", enumeration->docs.leading, enumeration->docs.trailing, enumeration->deprecated);
    gen_text_line(text, "typedef enum %s {", enumeration->c_name);
    for (value = enumeration->values.first; value; value = value->next) {
        gen_text_comment(text, "    ", value->docs.leading, value->docs.trailing, value->deprecated);
        if (value->number == INT32_MIN)
            gen_text_line(text, "    %s = -2147483647 - 1%s", value->c_name, value->next ? "," : "");
        else
            gen_text_line(text, "    %s = %ld%s", value->c_name, (long)value->number, value->next ? "," : "");
    }
    gen_text_line(text, "} %s;", enumeration->c_name);
}

static void gen_emit_types_enums(const gen_type_t *type, gen_text_t *text) {
    const gen_type_t *inner;
    const gen_enum_t *enumeration;
    for (inner = type->types.first; inner; inner = inner->next)
        gen_emit_types_enums(inner, text);
    for (enumeration = type->enums.first; enumeration; enumeration = enumeration->next) {
        gen_emit_types_enum(enumeration, text);
    }
}

static void gen_emit_types_forward(const gen_type_t *type, gen_text_t *text) {
    const gen_type_t *inner;
    for (inner = type->types.first; inner; inner = inner->next)
        gen_emit_types_forward(inner, text);
    gen_text_line(text, "typedef struct %s %s;", type->c_name, type->c_name);
}

static void gen_emit_types_lists(const gen_type_t *type, gen_text_t *text) {
    const gen_type_t *inner;
    for (inner = type->types.first; inner; inner = inner->next)
        gen_emit_types_lists(inner, text);
    gen_text_line(text, "typedef struct %s_list {", type->c_name);
    gen_text_line(text, "    const %s *items;", type->c_name);
    gen_text_line(text, "    size_t count;");
    gen_text_line(text, "} %s_list;", type->c_name);
}

/* "int32_t ", "const a_B *": what stands before a member's name. */
static const char *gen_emit_types_of(gen_context_t *ctx, const gen_field_t *field) {
    static const char *const names[] = {"", "double", "float", "int64", "uint64", "int32", "uint64", "uint32", "bool",
        "str", "", "", "str", "uint32", "int32", "int32", "int64", "int32", "int64"};
    const char *name = names[field->kind];
    if (field->type) {
        return field->label == GEN_LABEL_REPEATED ? gen_source_printf(ctx, "%s_list ", field->type->c_name)
                                                  : gen_source_printf(ctx, "const %s *", field->type->c_name);
    }
    if (field->label == GEN_LABEL_REPEATED) return gen_source_printf(ctx, "connect_%s_list_t ", name);
    if (strcmp(name, "str") == 0) return "connect_str_t ";
    if (field->kind == CONNECT_KIND_DOUBLE || field->kind == CONNECT_KIND_FLOAT || field->kind == CONNECT_KIND_BOOL) {
        return gen_source_printf(ctx, "%s ", name);
    }
    return gen_source_printf(ctx, "%s_t ", name);
}

static void gen_emit_types_member(gen_context_t *ctx, const gen_field_t *field, const char *indent, gen_text_t *text) {
    const char *note = "";
    if (field->enumeration)
        note = gen_source_printf(ctx, " /* %s */", field->enumeration->c_name);
    else if (field->nullable && !field->type)
        note = " /* data == NULL: absent */";
    gen_text_comment(text, indent, field->docs.leading, field->docs.trailing, field->deprecated);
    gen_text_line(text, "%s%s%s;%s", indent, gen_emit_types_of(ctx, field), field->c_name, note);
}

static void gen_emit_types_oneof(
    gen_context_t *ctx, const gen_type_t *type, const gen_oneof_t *oneof, gen_text_t *text) {
    const gen_field_t *field;
    gen_text_comment(text, "    ", oneof->docs.leading, oneof->docs.trailing, false);
    gen_text_line(text, "    int32_t %s; /* %s */", oneof->c_case, oneof->c_enum);
    gen_text_line(text, "    union {");
    for (field = type->fields.first; field; field = field->next) {
        if (field->oneof == oneof) gen_emit_types_member(ctx, field, "        ", text);
    }
    gen_text_line(text, "    } %s;", oneof->c_name);
}

static void gen_emit_types_cases(const gen_type_t *type, const gen_oneof_t *oneof, gen_text_t *text) {
    const gen_field_t *field, *last = NULL;
    for (field = type->fields.first; field; field = field->next) {
        if (field->oneof == oneof) last = field;
    }
    gen_text_line(text, "typedef enum %s {", oneof->c_enum);
    gen_text_line(text, "    %s = 0,", oneof->c_not_set);
    for (field = type->fields.first; field; field = field->next) {
        if (field->oneof != oneof) continue;
        gen_text_line(text, "    %s = %ld%s", field->c_choice, (long)field->number, field == last ? "" : ",");
    }
    gen_text_line(text, "} %s;", oneof->c_enum);
}

static void gen_emit_types_struct(gen_context_t *ctx, const gen_type_t *type, gen_text_t *text) {
    const gen_type_t *inner;
    const gen_field_t *field;
    const gen_oneof_t *oneof = NULL;
    for (inner = type->types.first; inner; inner = inner->next)
        gen_emit_types_struct(ctx, inner, text);
    gen_text_put(text, "\n");
    gen_text_comment(text, "", type->docs.leading, type->docs.trailing, type->deprecated);
    gen_text_line(text, "struct %s {", type->c_name);
    for (field = type->fields.first; field; field = field->next) {
        if (!field->oneof || field->oneof->synthetic) {
            gen_emit_types_member(ctx, field, "    ", text);
        } else if (field->oneof != oneof) { /* the fields of a oneof stand together */
            oneof = field->oneof;
            gen_emit_types_oneof(ctx, type, oneof, text);
        }
    }
    for (field = type->fields.first; field; field = field->next) {
        if (field->has) gen_text_line(text, "    bool %s;", field->c_has);
    }
    if (type->keeps_unknown) gen_text_line(text, "    connect_str_list_t %s;", type->c_unknown);
    if (!type->fields.first && !type->keeps_unknown)
        gen_text_line(text, "    char private_empty; /* C has no empty structs */");
    gen_text_line(text, "};");
    for (oneof = type->oneofs.first; oneof; oneof = oneof->next) {
        if (!oneof->synthetic) gen_emit_types_cases(type, oneof, text);
    }
}

static void gen_emit_types_enum_tables(const gen_type_t *type, gen_text_t *text) {
    const gen_type_t *inner;
    const gen_enum_t *enumeration;
    for (inner = type->types.first; inner; inner = inner->next)
        gen_emit_types_enum_tables(inner, text);
    for (enumeration = type->enums.first; enumeration; enumeration = enumeration->next) {
        gen_text_line(text, "CONNECT_API const connect_enum_t %s_enum;", enumeration->c_name);
    }
}

static void gen_emit_types_tables(const gen_type_t *type, gen_text_t *text) {
    const gen_type_t *inner;
    for (inner = type->types.first; inner; inner = inner->next)
        gen_emit_types_tables(inner, text);
    gen_text_line(text, "CONNECT_API const connect_type_t %s_type;", type->c_name);
}

/* ---- Functions ---- */

static void gen_emit_types_get(gen_context_t *ctx, const gen_type_t *type, const gen_field_t *field, gen_text_t *text) {
    gen_text_line(text, "/* Finds an entry of %s.%s by its key; NULL if there is none. */", type->name, field->name);
    gen_text_line(text, "static inline const %s *%s(const %s *message, %skey) {", field->type->c_name, field->c_get,
        type->c_name, gen_emit_types_of(ctx, field->type->fields.first));
    gen_text_line(text, "    return CONNECT_CAST(const %s *, connect_message_map_get(&%s_type, message, %ld, &key));",
        field->type->c_name, type->c_name, (long)field->number);
    gen_text_line(text, "}");
}

static void gen_emit_types_set(gen_context_t *ctx, const gen_type_t *type, const gen_field_t *field, gen_text_t *text) {
    const gen_oneof_t *oneof = field->c_choice ? field->oneof : NULL;
    gen_text_line(text, "static inline void %s(%s *message, %svalue) {", field->c_set, type->c_name,
        gen_emit_types_of(ctx, field));
    gen_text_line(text, "    message->%s%s%s = value;", oneof ? oneof->c_name : "", oneof ? "." : "", field->c_name);
    if (oneof)
        gen_text_line(text, "    message->%s = %s;", oneof->c_case, field->c_choice);
    else
        gen_text_line(text, "    message->%s = true;", field->c_has);
    gen_text_line(text, "}");
}

static void gen_emit_types_functions(gen_context_t *ctx, const gen_type_t *type, gen_text_t *text) {
    const gen_type_t *inner;
    const gen_field_t *field;
    for (inner = type->types.first; inner; inner = inner->next)
        gen_emit_types_functions(ctx, inner, text);
    if (type->is_map_entry) return;
    gen_text_line(text, "static inline void %s_init(%s *message) {", type->c_name, type->c_name);
    gen_text_line(text, "    connect_message_init(&%s_type, message);", type->c_name);
    gen_text_line(text, "}");
    for (field = type->fields.first; field; field = field->next) {
        if (field->c_set) gen_emit_types_set(ctx, type, field, text);
        if (field->c_get) gen_emit_types_get(ctx, type, field, text);
    }
}

static void gen_emit_types_name(const gen_enum_t *enumeration, gen_text_t *text) {
    gen_text_line(text, "static inline const char *%s_name(int32_t number) {", enumeration->c_name);
    gen_text_line(text, "    return connect_enum_name(&%s_enum, number);", enumeration->c_name);
    gen_text_line(text, "}");
}

static void gen_emit_types_enum_names(const gen_type_t *type, gen_text_t *text) {
    const gen_type_t *inner;
    const gen_enum_t *enumeration;
    for (inner = type->types.first; inner; inner = inner->next)
        gen_emit_types_enum_names(inner, text);
    for (enumeration = type->enums.first; enumeration; enumeration = enumeration->next)
        gen_emit_types_name(enumeration, text);
}

/* Typed ways to an extension. */
static void gen_emit_types_extension(const gen_type_t *holder, gen_text_t *text) {
    const char *name = holder->c_name, *extendee = holder->extension->extendee->c_name;
    gen_text_line(text, "static inline bool %s_get(const %s *message, %s *value, connect_arena_t *arena) {", name,
        extendee, name);
    gen_text_line(text, "    return connect_extension_get(&%s_extension, message, value, arena);", name);
    gen_text_line(text, "}");
    gen_text_line(text, "static inline bool %s_set(%s *message, const %s *value_or_null, connect_arena_t *arena) {",
        name, extendee, name);
    gen_text_line(text, "    return connect_extension_set(&%s_extension, message, value_or_null, arena);", name);
    gen_text_line(text, "}");
}

static bool gen_emit_types_have_enums(const gen_type_t *type) {
    const gen_type_t *inner;
    if (type->enums.first) return true;
    for (inner = type->types.first; inner; inner = inner->next) {
        if (gen_emit_types_have_enums(inner)) return true;
    }
    return false;
}

static void gen_emit_types_holder(gen_context_t *ctx, const gen_type_t *holder, gen_text_t *text) {
    const gen_field_t *value = holder->fields.first;
    gen_text_put(text, "\n");
    gen_text_comment(text, "", holder->docs.leading, holder->docs.trailing, holder->deprecated);
    gen_text_line(text, "/* Extension of %s: %s_get and %s_set. */", holder->extension->extendee->full_name,
        holder->c_name, holder->c_name);
    gen_text_line(text, "typedef struct %s {", holder->c_name);
    gen_text_line(text, "    %svalue;%s", gen_emit_types_of(ctx, value),
        value->enumeration                    ? gen_source_printf(ctx, " /* %s */", value->enumeration->c_name)
            : value->nullable && !value->type ? " /* data == NULL: absent */"
                                              : "");
    if (value->has) gen_text_line(text, "    bool has_value;");
    if (holder->keeps_unknown) gen_text_line(text, "    connect_str_list_t unknown_fields;");
    gen_text_line(text, "} %s;", holder->c_name);
}

GEN_PRIVATE void gen_emit_types_declare(gen_context_t *ctx, const gen_file_t *file, gen_text_t *text) {
    const gen_type_t *type, *holder;
    const gen_enum_t *enumeration;
    bool enums = file->enums.first != NULL;
    for (type = file->types.first; type; type = type->next) {
        if (gen_emit_types_have_enums(type)) enums = true;
    }
    if (enums) {
        gen_text_put(text,
            "\n/* ---- Enums: a field is an int32_t, since an open enum may hold numbers that this list does "
            "not know ---- */\n");
        for (enumeration = file->enums.first; enumeration; enumeration = enumeration->next) {
            gen_emit_types_enum(enumeration, text);
        }
        for (type = file->types.first; type; type = type->next)
            gen_emit_types_enums(type, text);
    }
    if (file->types.first) {
        gen_text_put(text, "\n/* ---- Messages ---- */\n");
        for (type = file->types.first; type; type = type->next)
            gen_emit_types_forward(type, text);
        for (type = file->types.first; type; type = type->next)
            gen_emit_types_lists(type, text);
        for (type = file->types.first; type; type = type->next)
            gen_emit_types_struct(ctx, type, text);
    }
    for (holder = file->holders.first; holder; holder = holder->next)
        gen_emit_types_holder(ctx, holder, text);
    gen_text_put(text, "\n");
    for (enumeration = file->enums.first; enumeration; enumeration = enumeration->next) {
        gen_text_line(text, "CONNECT_API const connect_enum_t %s_enum;", enumeration->c_name);
    }
    for (type = file->types.first; type; type = type->next)
        gen_emit_types_enum_tables(type, text);
    for (type = file->types.first; type; type = type->next)
        gen_emit_types_tables(type, text);
    for (holder = file->holders.first; holder; holder = holder->next) {
        gen_text_line(text, "CONNECT_API const connect_extension_t %s_extension;", holder->c_name);
    }
    gen_text_line(text, "CONNECT_API const connect_file_t %s_file;", file->c_name);
    if (!enums && !file->types.first && !file->holders.first) return;
    gen_text_put(text,
        "\n/* ---- Functions: _init sets defaults, _set_x a field and that it is present, _name is NULL for an unknown "
        "number ---- */\n");
    for (enumeration = file->enums.first; enumeration; enumeration = enumeration->next)
        gen_emit_types_name(enumeration, text);
    for (type = file->types.first; type; type = type->next)
        gen_emit_types_enum_names(type, text);
    for (type = file->types.first; type; type = type->next)
        gen_emit_types_functions(ctx, type, text);
    for (holder = file->holders.first; holder; holder = holder->next)
        gen_emit_types_extension(holder, text);
}

/* #### src/gen/emit_tables.h ####################################################################################### */
/* The tables of enums and messages. */
GEN_PRIVATE void gen_emit_tables_types(gen_context_t *ctx, const gen_file_t *file, gen_text_t *text);
/* The descriptor, and the table of the file. */
GEN_PRIVATE void gen_emit_tables_file(gen_context_t *ctx, const gen_file_t *file, gen_text_t *text);

/* #### src/gen/emit_tables.c ####################################################################################### */
/* The tables that connect_type_t, connect_enum_t and connect_file_t are made of; designated initializers, so C only.

   Fields: by number. Names: one string, each with its zero; a JSON name equal to the name shares its place. types,
   enums: those the fields refer to, each once, in the order of their first use by number. dense: how many fields from
   the first have the numbers 1, 2, 3 ... defaults: a struct, if any field of proto2 has a default other than zero, or
   a closed enum whose first value is not zero.

   X_slots: the perfect hash from names to fields that name_slots describes, for GEN_EMIT_TABLES_HASHED fields and
   more: seeds are tried in turn for the least table, then for one of twice the size. Without luck, or with more than
   255 fields, there is none, and names are compared in turn.

   X_fits: a struct may have 65,535 bytes, since offsets have 16 bits; this says so to the user's compiler.

   A literal over GEN_EMIT_TABLES_LITERAL bytes is written as an array: C99 does not promise more. */

#define GEN_EMIT_TABLES_LITERAL 4000u
#define GEN_EMIT_TABLES_HASHED 9u
#define GEN_EMIT_TABLES_HASH_BITS 13u
#define GEN_EMIT_TABLES_SEEDS 20000u

/* A string of names under way: each is put once, and its place remembered. */
typedef struct gen_emit_names_t {
    gen_text_t text; /* with zeros inside; the last zero is C's own */
} gen_emit_names_t;

/* What stands before a name: its length, if JSON has no escape in it. */
static char gen_emit_names_length(const char *name) {
    size_t len = 0;
    for (; name[len]; len++) {
        unsigned char c = (unsigned char)name[len];
        if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\' || len == 255) return 0;
    }
    return (char)(unsigned char)len;
}

static size_t gen_emit_names_put(gen_emit_names_t *names, const char *name) {
    size_t at = names->text.len ? names->text.len + 2 : 1;
    gen_text_put(&names->text, at > 1 ? "  " : " ");
    if (at > 1) names->text.data[at - 2] = 0;
    names->text.data[at - 1] = gen_emit_names_length(name);
    gen_text_put(&names->text, name);
    return at;
}

/* Writes `static const char <name>[] = ...;` if the bytes are too many for a literal. Returns whether it did. */
static bool gen_emit_tables_bytes(const char *name, connect_str_t bytes, gen_text_t *text) {
    if (bytes.len <= GEN_EMIT_TABLES_LITERAL) return false;
    gen_text_line(text, "static const char %s[] =", name);
    gen_text_array(text, "    ", bytes);
    gen_text_put(text, ";\n");
    return true;
}

/* `.names = "..."`, with what comes behind it. */
static void gen_emit_tables_names(const gen_emit_names_t *names, bool is_array, const char *c_name, gen_text_t *text) {
    connect_str_t bytes;
    bytes.data = names->text.data;
    bytes.len = names->text.len;
    if (is_array) {
        gen_text_line(text, "    .names = %s_names", c_name);
    } else if (bytes.len <= 24) { /* one line, whatever is escaped */
        gen_text_literal(text, "    .names = ", bytes);
        gen_text_put(text, "\n");
    } else {
        gen_text_put(text, "    .names =\n");
        gen_text_literal(text, "        ", bytes);
        gen_text_put(text, "\n");
    }
}

/* ---- Enums ---- */

static int gen_emit_tables_compare(const void *a, const void *b) {
    const gen_enum_value_t *one = *(const gen_enum_value_t *const *)a, *two = *(const gen_enum_value_t *const *)b;
    if (one->number != two->number) return one->number < two->number ? -1 : 1;
    return one->index < two->index ? -1 : 1;
}

static void gen_emit_tables_enum(gen_context_t *ctx, const gen_enum_t *enumeration, gen_text_t *text) {
    const gen_enum_value_t **sorted = CONNECT_NEW(&ctx->arena, const gen_enum_value_t *, enumeration->values.count);
    const gen_enum_value_t *value;
    gen_emit_names_t names;
    gen_text_t line;
    connect_str_t bytes;
    size_t i = 0;
    bool is_array;
    memset(&names, 0, sizeof names);
    memset(&line, 0, sizeof line);
    for (value = enumeration->values.first; value; value = value->next)
        sorted[i++] = value;
    qsort(sorted, i, sizeof *sorted, gen_emit_tables_compare);
    gen_text_put(&line, "");
    for (i = 0; i < enumeration->values.count; i++) {
        size_t at = gen_emit_names_put(&names, sorted[i]->name);
        const char *number =
            sorted[i]->number == INT32_MIN ? "-2147483647 - 1" : gen_source_printf(ctx, "%ld", (long)sorted[i]->number);
        gen_text_put(&line, gen_source_printf(ctx, "%s{%s, %lu}", i ? ", " : "", number, (unsigned long)at));
    }
    gen_text_line(text, "static const connect_enum_value_t %s_values[] = {%s};", enumeration->c_name, line.data);
    bytes.data = names.text.data;
    bytes.len = names.text.len;
    is_array = gen_emit_tables_bytes(
        gen_source_printf(ctx, "%s_names", enumeration->c_name), (connect_str_t){bytes.data, bytes.len + 1}, text);
    gen_text_line(text, "const connect_enum_t %s_enum = {", enumeration->c_name);
    gen_text_line(text, "    .full_name = \"%s\", .values = %s_values, .count = %lu, .closed = %s,",
        enumeration->full_name, enumeration->c_name, (unsigned long)enumeration->values.count,
        enumeration->closed ? "true" : "false");
    gen_emit_tables_names(&names, is_array, enumeration->c_name, text);
    gen_text_line(text, "};");
    gen_text_free(&names.text);
    gen_text_free(&line);
}

/* ---- Messages ---- */

static const char *gen_emit_tables_kind(int kind) {
    static const char *const names[] = {"", "DOUBLE", "FLOAT", "INT64", "UINT64", "INT32", "FIXED64", "FIXED32", "BOOL",
        "STRING", "GROUP", "MESSAGE", "BYTES", "UINT32", "ENUM", "SFIXED32", "SFIXED64", "SINT32", "SINT64"};
    return names[kind];
}

static const char *gen_emit_tables_flags(gen_context_t *ctx, const gen_field_t *field) {
    bool in_oneof = field->oneof && !field->oneof->synthetic;
    const char *flags = gen_source_printf(ctx, "%s%s%s%s%s%s%s%s",
        field->label == GEN_LABEL_REPEATED ? " | CONNECT_FIELD_REPEATED" : "",
        field->packed ? " | CONNECT_FIELD_PACKED" : "", field->is_map ? " | CONNECT_FIELD_MAP" : "",
        field->required ? " | CONNECT_FIELD_REQUIRED" : "", field->has ? " | CONNECT_FIELD_HAS" : "",
        in_oneof ? " | CONNECT_FIELD_ONEOF" : "", field->nullable ? " | CONNECT_FIELD_NULLABLE" : "",
        field->utf8 ? " | CONNECT_FIELD_UTF8" : "");
    return *flags ? flags + 3 : "0";
}

/* The tables of types or of enums that fields refer to; indexes[i]: the place of field i's. Returns how many. */
static size_t gen_emit_tables_refer(
    gen_context_t *ctx, const gen_type_t *type, bool enums, size_t *indexes, const char *table, gen_text_t *text) {
    gen_map_t known;
    gen_text_t line;
    size_t i, count = 0;
    memset(&known, 0, sizeof known);
    memset(&line, 0, sizeof line);
    gen_text_put(&line, "");
    for (i = 0; i < type->fields.count; i++) {
        const gen_field_t *field = type->by_number[i];
        const char *name = enums ? (field->enumeration ? field->enumeration->c_name : NULL)
                                 : (field->type ? field->type->c_name : NULL);
        size_t *place;
        if (!name) continue;
        place = gen_map_get(&known, name);
        if (!place) {
            place = CONNECT_NEW(&ctx->arena, size_t, 1);
            *place = count++;
            gen_map_put(ctx, &known, name, place);
            gen_text_put(&line, gen_source_printf(ctx, "%s&%s_%s", *place ? ", " : "", name, enums ? "enum" : "type"));
        }
        indexes[i] = *place;
    }
    if (count) {
        gen_text_line(text, "static const connect_%s_t *const %s[] = {%s};", enums ? "enum" : "type", table, line.data);
    }
    gen_text_free(&line);
    return count;
}

static const char *gen_emit_tables_default(gen_context_t *ctx, const gen_field_t *field) {
    const gen_option_t *value = field->default_value;
    const gen_enum_value_t *choice;
    gen_text_t literal;
    const char *result;
    double number;
    if (field->label == GEN_LABEL_REPEATED || field->type || (field->oneof && !field->oneof->synthetic)) return NULL;
    if (field->enumeration) {
        choice = value ? gen_scalar_enum_value(ctx, field->enumeration, value->text) : field->enumeration->values.first;
        return choice && choice->number ? choice->c_name : NULL;
    }
    if (!value) return NULL;
    switch (field->kind) {
    case CONNECT_KIND_STRING:
    case CONNECT_KIND_BYTES:
        if (!value->text.len) return "{\"\", 0}";
        memset(&literal, 0, sizeof literal);
        gen_text_literal(&literal, "", value->text);
        result = gen_source_printf(ctx, "{%s, %lu}", literal.data, (unsigned long)value->text.len);
        gen_text_free(&literal);
        return result;
    case CONNECT_KIND_BOOL: return value->text.len == 4 ? "true" : NULL;
    case CONNECT_KIND_DOUBLE:
    case CONNECT_KIND_FLOAT: {
        /* Not the macros of math.h, which generated code does without. */
        bool single = field->kind == CONNECT_KIND_FLOAT;
        if (value->kind == GEN_VALUE_WORD) {
            if (value->text.data[0] == 'n') return single ? "(float)(0.0 / 0.0)" : "0.0 / 0.0";
            return gen_source_printf(ctx, "%s(%s1.0 / 0.0)", single ? "(float)" : "", value->negative ? "-" : "");
        }
        number = value->negative ? -value->number : value->number;
        if (single) number = (double)(float)number;
        if (number - number < 0 || number - number > 0 || number - number != number - number) { /* it is too large */
            return gen_source_printf(ctx, "%s(%s1.0 / 0.0)", single ? "(float)" : "", value->negative ? "-" : "");
        }
        result = gen_source_printf(ctx, "%.17g", number);
        return gen_source_printf(
            ctx, "%s%s%s%s", single ? "(float)" : "", result, strpbrk(result, ".en") ? "" : ".0", "");
    }
    default:
        if (!value->integer) return NULL;
        if (field->kind == CONNECT_KIND_UINT64 || field->kind == CONNECT_KIND_FIXED64) {
            return gen_source_printf(ctx, "%lluu", (unsigned long long)value->integer);
        }
        if (field->kind == CONNECT_KIND_UINT32 || field->kind == CONNECT_KIND_FIXED32) {
            return gen_source_printf(ctx, "%luu", (unsigned long)value->integer);
        }
        if (value->negative && (value->integer == 0x80000000u || value->integer > INT64_MAX)) {
            /* the least of a type is no literal */
            return gen_source_printf(ctx, "-%llu - 1", (unsigned long long)value->integer - 1);
        }
        if (value->negative) return gen_source_printf(ctx, "-%llu", (unsigned long long)value->integer);
        return gen_source_printf(ctx, "%llu", (unsigned long long)value->integer);
    }
}

static bool gen_emit_tables_defaults(gen_context_t *ctx, const gen_type_t *type, gen_text_t *text) {
    const gen_field_t *field;
    gen_text_t line;
    memset(&line, 0, sizeof line);
    for (field = type->fields.first; field; field = field->next) {
        const char *value = gen_emit_tables_default(ctx, field);
        if (value)
            gen_text_put(&line, gen_source_printf(ctx, "%s.%s = %s", line.len ? ", " : "", field->c_name, value));
    }
    if (!line.len) return false;
    gen_text_line(text, "static const %s %s_defaults = {%s};", type->c_name, type->c_name, line.data);
    gen_text_free(&line);
    return true;
}

static void gen_emit_tables_fields(gen_context_t *ctx, const gen_type_t *type, const size_t *types, const size_t *enums,
    gen_emit_names_t *names, gen_text_t *text) {
    size_t i;
    if (!type->fields.count) return;
    gen_text_line(text, "static const connect_field_t %s_fields[] = {", type->c_name);
    for (i = 0; i < type->fields.count; i++) {
        const gen_field_t *field = type->by_number[i];
        bool in_oneof = field->oneof && !field->oneof->synthetic;
        const char *presence = in_oneof ? field->oneof->c_case : field->has ? field->c_has : NULL;
        size_t name_at = gen_emit_names_put(names, field->name);
        size_t json_at =
            strcmp(field->name, field->json_name) == 0 ? name_at : gen_emit_names_put(names, field->json_name);
        gen_text_line(text, "    {%ld, offsetof(%s, %s%s%s), %s, %lu, %lu, %lu, CONNECT_KIND_%s, %s}%s",
            (long)field->number, type->c_name, in_oneof ? field->oneof->c_name : "", in_oneof ? "." : "", field->c_name,
            presence ? gen_source_printf(ctx, "offsetof(%s, %s)", type->c_name, presence) : "0", (unsigned long)name_at,
            (unsigned long)json_at,
            (unsigned long)(field->type  ? types[i]
                    : field->enumeration ? enums[i]
                                         : 0),
            gen_emit_tables_kind(field->kind), gen_emit_tables_flags(ctx, field),
            i + 1 < type->fields.count ? "," : "");
    }
    gen_text_line(text, "};");
}

/* A name of a field, and what its slot holds. */
typedef struct gen_emit_slot_t {
    connect_str_t name;
    uint8_t value;
} gen_emit_slot_t;

/* Puts all names into the slots. Returns false if two meet. */
static bool gen_emit_tables_fill(
    const gen_emit_slot_t *names, size_t count, uint8_t *slots, uint32_t seed, unsigned bits) {
    size_t i;
    memset(slots, 0, (size_t)1 << bits);
    for (i = 0; i < count; i++) {
        const size_t at = cn_message_name_slot(names[i].name, seed, bits);
        if (slots[at]) return false;
        slots[at] = names[i].value;
    }
    return true;
}

static bool gen_emit_tables_slots(gen_context_t *ctx, const gen_type_t *type, uint32_t *seed, gen_text_t *text) {
    gen_emit_slot_t *names;
    uint8_t *slots;
    unsigned bits = 4;
    gen_text_t line;
    size_t i, count = 0;
    if (type->fields.count < GEN_EMIT_TABLES_HASHED || type->fields.count > 255) return false;
    names = CONNECT_NEW(&ctx->arena, gen_emit_slot_t, 2 * type->fields.count);
    for (i = 0; i < type->fields.count; i++) {
        const gen_field_t *field = type->by_number[i];
        names[count].name = connect_str_of(field->name);
        names[count++].value = (uint8_t)(i + 1);
        if (strcmp(field->name, field->json_name) == 0) continue;
        names[count].name = connect_str_of(field->json_name);
        names[count++].value = (uint8_t)(i + 1);
    }
    slots = CONNECT_NEW(&ctx->arena, uint8_t, (size_t)1 << GEN_EMIT_TABLES_HASH_BITS);
    while (bits < GEN_EMIT_TABLES_HASH_BITS && count * count > (size_t)28 << bits)
        bits++; /* of n names in m slots about one seed in exp(n * n / 2m) fits */
    for (*seed = 0; !gen_emit_tables_fill(names, count, slots, *seed, bits); ++*seed) {
        if (*seed < GEN_EMIT_TABLES_SEEDS) continue;
        if (bits == GEN_EMIT_TABLES_HASH_BITS) return false;
        bits++;
        *seed = 0;
    }
    memset(&line, 0, sizeof line);
    for (i = 0; i < (size_t)1 << bits; i++)
        gen_text_put(&line, gen_source_printf(ctx, ", %u", (unsigned)slots[i]));
    gen_text_line(text, "static const uint8_t %s_slots[] = {%u%s};", type->c_name, bits, line.data);
    gen_text_free(&line);
    return true;
}

static void gen_emit_tables_type(gen_context_t *ctx, const gen_type_t *type, gen_text_t *text) {
    size_t *types = CONNECT_NEW(&ctx->arena, size_t, type->fields.count + 1);
    size_t *enums = CONNECT_NEW(&ctx->arena, size_t, type->fields.count + 1);
    const char *name = type->c_name;
    const gen_wellknown_t *wellknown = gen_wellknown_find(type->full_name);
    const gen_type_t *inner;
    gen_emit_names_t names;
    gen_text_t refer, fields;
    size_t dense = 0, type_count, enum_count;
    bool is_array, has_defaults, has_slots;
    uint32_t seed = 0;
    for (inner = type->types.first; inner; inner = inner->next)
        gen_emit_tables_type(ctx, inner, text);
    memset(&names, 0, sizeof names);
    memset(&refer, 0, sizeof refer);
    memset(&fields, 0, sizeof fields);
    gen_text_put(&names.text, "");
    gen_text_put(&refer, "");
    type_count = gen_emit_tables_refer(ctx, type, false, types, gen_source_printf(ctx, "%s_types", name), &refer);
    enum_count = gen_emit_tables_refer(ctx, type, true, enums, gen_source_printf(ctx, "%s_enums", name), &refer);
    gen_emit_tables_fields(ctx, type, types, enums, &names, text);
    gen_text_put(text, refer.data);
    has_defaults = gen_emit_tables_defaults(ctx, type, text);
    is_array = gen_emit_tables_bytes(
        gen_source_printf(ctx, "%s_names", name), (connect_str_t){names.text.data, names.text.len + 1}, text);
    has_slots = gen_emit_tables_slots(ctx, type, &seed, text);
    while (dense < type->fields.count && type->by_number[dense]->number == (int32_t)dense + 1)
        dense++;
    gen_text_line(text, "typedef char %s_fits[sizeof(%s) <= 65535 ? 1 : -1];", name, name);
    gen_text_line(text, "const connect_type_t %s_type = {", name);
    gen_text_line(text, "    .full_name = \"%s\", .file = &%s_file, .size = sizeof(%s),", type->full_name,
        type->file->c_name, name);
    if (type->fields.count) {
        gen_text_line(text, "    .fields = %s_fields, .field_count = %lu, .dense = %lu,", name,
            (unsigned long)type->fields.count, (unsigned long)dense);
    }
    if (type_count) gen_text_line(text, "    .types = %s_types,", name);
    if (enum_count) gen_text_line(text, "    .enums = %s_enums,", name);
    if (has_defaults) gen_text_line(text, "    .defaults = &%s_defaults,", name);
    if (has_slots) gen_text_line(text, "    .name_slots = %s_slots, .name_seed = %lu,", name, (unsigned long)seed);
    if (type->has_required) gen_text_line(text, "    .has_required = true,");
    if (type->is_map_entry)
        gen_text_line(text, "    .is_map_entry = true,");
    else if (type->is_message_set)
        gen_text_line(text, "    .is_message_set = true,");
    if (type->keeps_unknown)
        gen_text_line(text, "    .keeps_unknown = true, .unknown = offsetof(%s, %s),", name, type->c_unknown);
    if (wellknown) gen_text_line(text, "    .form = %s,", wellknown->form);
    gen_emit_tables_names(&names, is_array, name, text);
    gen_text_line(text, "};");
    gen_text_free(&names.text);
    gen_text_free(&refer);
}

static void gen_emit_tables_enums(gen_context_t *ctx, const gen_type_t *type, gen_text_t *text) {
    const gen_type_t *inner;
    const gen_enum_t *enumeration;
    for (inner = type->types.first; inner; inner = inner->next)
        gen_emit_tables_enums(ctx, inner, text);
    for (enumeration = type->enums.first; enumeration; enumeration = enumeration->next) {
        gen_emit_tables_enum(ctx, enumeration, text);
    }
}

GEN_PRIVATE void gen_emit_tables_types(gen_context_t *ctx, const gen_file_t *file, gen_text_t *text) {
    const gen_type_t *type;
    const gen_enum_t *enumeration;
    for (enumeration = file->enums.first; enumeration; enumeration = enumeration->next) {
        gen_emit_tables_enum(ctx, enumeration, text);
    }
    for (type = file->types.first; type; type = type->next)
        gen_emit_tables_enums(ctx, type, text);
    for (type = file->types.first; type; type = type->next)
        gen_emit_tables_type(ctx, type, text);
    for (type = file->holders.first; type; type = type->next) {
        gen_emit_tables_type(ctx, type, text);
        gen_text_line(text, "const connect_extension_t %s_extension = {&%s_type, &%s_type};", type->c_name,
            type->extension->extendee->c_name, type->c_name);
    }
}

/* ---- Files ---- */

/* Lists of pointers to tables, with what they are lists of. */
typedef struct gen_emit_list_t {
    gen_text_t line;
    size_t count;
} gen_emit_list_t;

static void gen_emit_list_add(gen_emit_list_t *list, gen_context_t *ctx, const char *name, const char *suffix) {
    gen_text_put(&list->line, gen_source_printf(ctx, "%s&%s%s", list->count ? ", " : "", name, suffix));
    list->count++;
}

static void gen_emit_list_types(gen_emit_list_t *list, gen_context_t *ctx, const gen_type_t *type) {
    const gen_type_t *inner;
    for (inner = type->types.first; inner; inner = inner->next)
        gen_emit_list_types(list, ctx, inner);
    gen_emit_list_add(list, ctx, type->c_name, "_type");
}

static void gen_emit_list_enums(gen_emit_list_t *list, gen_context_t *ctx, const gen_type_t *type) {
    const gen_type_t *inner;
    const gen_enum_t *enumeration;
    for (inner = type->types.first; inner; inner = inner->next)
        gen_emit_list_enums(list, ctx, inner);
    for (enumeration = type->enums.first; enumeration; enumeration = enumeration->next) {
        gen_emit_list_add(list, ctx, enumeration->c_name, "_enum");
    }
}

static void gen_emit_list_write(
    const gen_emit_list_t *list, const char *kind, const char *file, const char *what, gen_text_t *text) {
    if (list->count) {
        gen_text_line(text, "static const connect_%s_t *const %s_file_%s[] = {%s};", kind, file, what, list->line.data);
    }
}

static void gen_emit_list_use(gen_emit_list_t *list, const char *file, const char *what, gen_text_t *text) {
    if (list->count) {
        gen_text_put(text, ",\n");
        gen_text_put(text, "    .");
        gen_text_put(text, what);
        gen_text_put(text, " = {");
        gen_text_put(text, file);
        gen_text_put(text, "_file_");
        gen_text_put(text, what);
        {
            char count[32];
            sprintf(count, ", %lu}", (unsigned long)list->count);
            gen_text_put(text, count);
        }
    }
    gen_text_free(&list->line);
}

GEN_PRIVATE void gen_emit_tables_file(gen_context_t *ctx, const gen_file_t *file, gen_text_t *text) {
    connect_str_t descriptor = gen_descriptor_file(ctx, file);
    gen_emit_list_t imports, types, enums, extensions, services;
    const gen_import_t *import;
    const gen_type_t *type;
    const gen_enum_t *enumeration;
    const gen_service_t *service;
    const char *bytes = gen_source_printf(ctx, "%s_file_bytes", file->c_name);
    bool is_array = gen_emit_tables_bytes(bytes, descriptor, text);
    memset(&imports, 0, sizeof imports);
    memset(&types, 0, sizeof types);
    memset(&enums, 0, sizeof enums);
    memset(&extensions, 0, sizeof extensions);
    memset(&services, 0, sizeof services);
    for (import = file->imports.first; import; import = import->next) {
        gen_emit_list_add(&imports, ctx, import->file->c_name, "_file");
    }
    for (type = file->types.first; type; type = type->next)
        gen_emit_list_types(&types, ctx, type);
    for (enumeration = file->enums.first; enumeration; enumeration = enumeration->next) {
        gen_emit_list_add(&enums, ctx, enumeration->c_name, "_enum");
    }
    for (type = file->types.first; type; type = type->next)
        gen_emit_list_enums(&enums, ctx, type);
    for (type = file->holders.first; type; type = type->next)
        gen_emit_list_add(&extensions, ctx, type->c_name, "_extension");
    for (service = file->services.first; service; service = service->next) {
        gen_emit_list_add(&services, ctx, service->c_name, "_service");
    }
    if (!is_array) {
        gen_text_line(text, "static const char %s[] =", bytes);
        gen_text_literal(text, "    ", descriptor);
        gen_text_put(text, ";\n");
    }
    gen_emit_list_write(&imports, "file", file->c_name, "imports", text);
    gen_emit_list_write(&types, "type", file->c_name, "types", text);
    gen_emit_list_write(&enums, "enum", file->c_name, "enums", text);
    gen_emit_list_write(&extensions, "extension", file->c_name, "extensions", text);
    gen_emit_list_write(&services, "service", file->c_name, "services", text);
    gen_text_line(text, "const connect_file_t %s_file = {", file->c_name);
    gen_text_put(text,
        gen_source_printf(ctx, "    .name = \"%s\",\n    .descriptor = {%s, sizeof %s%s}", file->name, bytes, bytes,
            is_array ? "" : " - 1"));
    gen_emit_list_use(&imports, file->c_name, "imports", text);
    gen_emit_list_use(&types, file->c_name, "types", text);
    gen_emit_list_use(&enums, file->c_name, "enums", text);
    gen_emit_list_use(&extensions, file->c_name, "extensions", text);
    gen_emit_list_use(&services, file->c_name, "services", text);
    gen_text_put(text, "\n};\n");
}

/* #### src/gen/emit_wellknown.h #################################################################################### */
/* Functions for the structs of well-known types: Timestamp, Duration, Any, FieldMask, Struct and Value, wrappers. */
GEN_PRIVATE void gen_emit_wellknown_declare(const gen_file_t *file, gen_text_t *text);

/* #### src/gen/emit_wellknown.c #################################################################################### */
/* What the headers of google/protobuf/ have besides structs and tables: typed functions, each a line or a few around
   those of connect.h (api/wellknown.h), in the header itself, so that they cost nothing where they are not used.

   In the templates $T is the C name of the message at hand; $V, $S and $L are those of Value, Struct and ListValue. */

static const char gen_emit_wellknown_timestamp[] =
    "/* Returns the time by the system's clock. */\n"
    "static inline $T $T_now(void) {\n"
    "    $T timestamp = CONNECT_DEFAULTS;\n"
    "    connect_timestamp_now(&timestamp.seconds, &timestamp.nanos);\n"
    "    return timestamp;\n"
    "}\n"
    "/* Converts a time since 1970, as clock_gettime gives it. */\n"
    "static inline $T $T_from_timespec(const struct timespec *time) {\n"
    "    $T timestamp = CONNECT_DEFAULTS;\n"
    "    connect_timestamp_from_timespec(time, &timestamp.seconds, &timestamp.nanos);\n"
    "    return timestamp;\n"
    "}\n"
    "/* Returns false if time_t cannot hold it, or nanos is not from 0 to 999,999,999. */\n"
    "static inline bool $T_to_timespec(const $T *timestamp, struct timespec *time) {\n"
    "    return connect_timestamp_to_timespec(timestamp->seconds, timestamp->nanos, time);\n"
    "}\n";

static const char gen_emit_wellknown_duration[] =
    "/* Converts a span of time. */\n"
    "static inline $T $T_from_timespec(const struct timespec *span) {\n"
    "    $T duration = CONNECT_DEFAULTS;\n"
    "    connect_duration_from_timespec(span, &duration.seconds, &duration.nanos);\n"
    "    return duration;\n"
    "}\n"
    "/* Returns false if time_t cannot hold it, or the signs differ. */\n"
    "static inline bool $T_to_timespec(const $T *duration, struct timespec *span) {\n"
    "    return connect_duration_to_timespec(duration->seconds, duration->nanos, span);\n"
    "}\n"
    "/* Converts milliseconds. */\n"
    "static inline $T $T_from_ms(int64_t ms) {\n"
    "    $T duration = CONNECT_DEFAULTS;\n"
    "    connect_duration_from_ms(ms, &duration.seconds, &duration.nanos);\n"
    "    return duration;\n"
    "}\n"
    "/* Returns whole milliseconds; what int64_t cannot hold becomes the nearest it can. */\n"
    "static inline int64_t $T_to_ms(const $T *duration) {\n"
    "    return connect_duration_to_ms(duration->seconds, duration->nanos);\n"
    "}\n";

static const char gen_emit_wellknown_any[] =
    "/* Puts a message into an Any. Returns false on the errors of connect_message_encode. Lifetime: the arena's. */\n"
    "static inline bool $T_pack($T *any, const connect_type_t *type, const void *message, connect_arena_t *arena,\n"
    "    connect_error_t *error) {\n"
    "    return connect_any_pack(&any->type_url, &any->value, type, message, arena, error);\n"
    "}\n"
    "/* Tells whether an Any holds a message of a type. */\n"
    "static inline bool $T_is(const $T *any, const connect_type_t *type) {\n"
    "    return connect_any_is(any->type_url, type);\n"
    "}\n"
    "/* Decodes what an Any holds into a struct of that type. Errors: INVALID_ARGUMENT if it is of another type, and\n"
    "   those of connect_message_decode. Lifetime: strings are views of the Any's value. */\n"
    "static inline bool $T_unpack(const $T *any, const connect_type_t *type, void *message, connect_arena_t *arena,\n"
    "    connect_error_t *error) {\n"
    "    return connect_any_unpack(any->type_url, any->value, type, message, arena, CONNECT_NULL, error);\n"
    "}\n";

static const char gen_emit_wellknown_field_mask[] =
    "/* Tells whether a mask names a field, \"a.b\", or a message that the field is in, \"a\". */\n"
    "static inline bool $T_has(const $T *mask, const char *path) {\n"
    "    return connect_field_mask_has(mask->paths, path);\n"
    "}\n"
    "/* Tells whether each path names a field of a type. Errors: INVALID_ARGUMENT. */\n"
    "static inline bool $T_check(const $T *mask, const connect_type_t *type, connect_arena_t *arena,\n"
    "    connect_error_t *error) {\n"
    "    return connect_field_mask_check(mask->paths, type, arena, error);\n"
    "}\n"
    "/* Copies the fields that a mask names, deeply: each replaces what `to` has, or clears it if `from` has none.\n"
    "   Errors: INVALID_ARGUMENT (a path that is none; nothing is copied then), RESOURCE_EXHAUSTED. */\n"
    "static inline bool $T_copy(const $T *mask, const connect_type_t *type, void *to, const void *from,\n"
    "    connect_arena_t *arena, connect_error_t *error) {\n"
    "    return connect_field_mask_copy(mask->paths, type, to, from, arena, error);\n"
    "}\n";

/* In two parts, since a literal has at most 4,095 characters. */
static const char gen_emit_wellknown_value_of[] = "/* Make a Value; what is pointed to is not copied. */\n"
                                                  "static inline $V $V_of_null(void) {\n"
                                                  "    $V value = CONNECT_DEFAULTS;\n"
                                                  "    value.kind_case = $V_kind_null_value;\n"
                                                  "    return value;\n"
                                                  "}\n"
                                                  "static inline $V $V_of_number(double number) {\n"
                                                  "    $V value = CONNECT_DEFAULTS;\n"
                                                  "    value.kind_case = $V_kind_number_value;\n"
                                                  "    value.kind.number_value = number;\n"
                                                  "    return value;\n"
                                                  "}\n"
                                                  "static inline $V $V_of_string(connect_str_t text) {\n"
                                                  "    $V value = CONNECT_DEFAULTS;\n"
                                                  "    value.kind_case = $V_kind_string_value;\n"
                                                  "    value.kind.string_value = text;\n"
                                                  "    return value;\n"
                                                  "}\n"
                                                  "static inline $V $V_of_bool(bool truth) {\n"
                                                  "    $V value = CONNECT_DEFAULTS;\n"
                                                  "    value.kind_case = $V_kind_bool_value;\n"
                                                  "    value.kind.bool_value = truth;\n"
                                                  "    return value;\n"
                                                  "}\n"
                                                  "static inline $V $V_of_struct(const $S *object) {\n"
                                                  "    $V value = CONNECT_DEFAULTS;\n"
                                                  "    value.kind_case = $V_kind_struct_value;\n"
                                                  "    value.kind.struct_value = object;\n"
                                                  "    return value;\n"
                                                  "}\n"
                                                  "static inline $V $V_of_list(const $L *list) {\n"
                                                  "    $V value = CONNECT_DEFAULTS;\n"
                                                  "    value.kind_case = $V_kind_list_value;\n"
                                                  "    value.kind.list_value = list;\n"
                                                  "    return value;\n"
                                                  "}\n";
static const char gen_emit_wellknown_value_as[] =
    "/* Read a Value; value_or_null: absent is as of another kind. Return `otherwise`, or NULL, for other kinds. */\n"
    "static inline bool $V_is_null(const $V *value_or_null) {\n"
    "    return value_or_null && value_or_null->kind_case == $V_kind_null_value;\n"
    "}\n"
    "static inline double $V_number_or(const $V *value_or_null, double otherwise) {\n"
    "    if (!value_or_null || value_or_null->kind_case != $V_kind_number_value) return otherwise;\n"
    "    return value_or_null->kind.number_value;\n"
    "}\n"
    "static inline connect_str_t $V_string_or(const $V *value_or_null, connect_str_t otherwise) {\n"
    "    if (!value_or_null || value_or_null->kind_case != $V_kind_string_value) return otherwise;\n"
    "    return value_or_null->kind.string_value;\n"
    "}\n"
    "static inline bool $V_bool_or(const $V *value_or_null, bool otherwise) {\n"
    "    if (!value_or_null || value_or_null->kind_case != $V_kind_bool_value) return otherwise;\n"
    "    return value_or_null->kind.bool_value;\n"
    "}\n"
    "static inline const $S *$V_struct_or_null(const $V *value_or_null) {\n"
    "    if (!value_or_null || value_or_null->kind_case != $V_kind_struct_value) return CONNECT_NULL;\n"
    "    return value_or_null->kind.struct_value;\n"
    "}\n"
    "static inline const $L *$V_list_or_null(const $V *value_or_null) {\n"
    "    if (!value_or_null || value_or_null->kind_case != $V_kind_list_value) return CONNECT_NULL;\n"
    "    return value_or_null->kind.list_value;\n"
    "}\n";
static const char gen_emit_wellknown_struct[] =
    "/* Finds a member by its name; NULL if there is none, or the object is NULL. */\n"
    "static inline const $V *$S_get(const $S *object_or_null, const char *name) {\n"
    "    const $S_FieldsEntry *entry = CONNECT_NULL;\n"
    "    if (object_or_null) entry = $S_fields_get(object_or_null, connect_str_of(name));\n"
    "    return entry ? entry->value : CONNECT_NULL;\n"
    "}\n"
    "/* Adds a member, or replaces the one of that name, in a copy of the list of members: for many, fill an array\n"
    "   instead. name: not copied. Returns false if the arena is full; the object is as before then. */\n"
    "static inline bool $S_set($S *object, const char *name, $V value, connect_arena_t *arena) {\n"
    "    $S_FieldsEntry *items = CONNECT_NEW(arena, $S_FieldsEntry, object->fields.count + 1);\n"
    "    $V *copy = CONNECT_NEW(arena, $V, 1);\n"
    "    connect_str_t key = connect_str_of(name);\n"
    "    size_t i, count = 0;\n"
    "    if (!items || !copy) return false;\n"
    "    *copy = value;\n"
    "    for (i = 0; i < object->fields.count; i++) {\n"
    "        if (!connect_str_equal(object->fields.items[i].key, key)) items[count++] = object->fields.items[i];\n"
    "    }\n"
    "    items[count].key = key;\n"
    "    items[count].value = copy;\n"
    "    object->fields.items = items;\n"
    "    object->fields.count = count + 1;\n"
    "    return true;\n"
    "}\n"
    "/* Appends to a list, in a copy of it: for many, fill an array instead. Returns as $S_set. */\n"
    "static inline bool $L_append($L *list, $V value, connect_arena_t *arena) {\n"
    "    $V *items = CONNECT_NEW(arena, $V, list->values.count + 1);\n"
    "    size_t i;\n"
    "    if (!items) return false;\n"
    "    for (i = 0; i < list->values.count; i++) items[i] = list->values.items[i];\n"
    "    items[i] = value;\n"
    "    list->values.items = items;\n"
    "    list->values.count = i + 1;\n"
    "    return true;\n"
    "}\n";

static const char gen_emit_wellknown_wrapper[] =
    "/* Makes a wrapper around a value; and returns the value of one that may be absent. */\n"
    "static inline $T $T_of($C value) {\n"
    "    $T wrapper = CONNECT_DEFAULTS;\n"
    "    wrapper.value = value;\n"
    "    return wrapper;\n"
    "}\n"
    "static inline $C $T_or(const $T *wrapper_or_null, $C otherwise) {\n"
    "    return wrapper_or_null ? wrapper_or_null->value : otherwise;\n"
    "}\n";

/* The C name of a message of the file. */
static const char *gen_emit_wellknown_name(const gen_file_t *file, const char *name) {
    const gen_type_t *type;
    for (type = file->types.first; type; type = type->next) {
        if (strcmp(type->name, name) == 0) return type->c_name;
    }
    return "";
}

static const char *gen_emit_wellknown_scalar(int kind) {
    switch (kind) {
    case CONNECT_KIND_DOUBLE: return "double";
    case CONNECT_KIND_FLOAT: return "float";
    case CONNECT_KIND_INT64: return "int64_t";
    case CONNECT_KIND_UINT64: return "uint64_t";
    case CONNECT_KIND_INT32: return "int32_t";
    case CONNECT_KIND_UINT32: return "uint32_t";
    case CONNECT_KIND_BOOL: return "bool";
    default: return "connect_str_t";
    }
}

GEN_PRIVATE void gen_emit_wellknown_declare(const gen_file_t *file, gen_text_t *text) {
    static const struct {
        const char *form;
        const char *templates[3];
    } forms[] = {{"CONNECT_FORM_TIMESTAMP", {gen_emit_wellknown_timestamp, NULL, NULL}},
        {"CONNECT_FORM_DURATION", {gen_emit_wellknown_duration, NULL, NULL}},
        {"CONNECT_FORM_ANY", {gen_emit_wellknown_any, NULL, NULL}},
        {"CONNECT_FORM_FIELD_MASK", {gen_emit_wellknown_field_mask, NULL, NULL}},
        {"CONNECT_FORM_STRUCT", {gen_emit_wellknown_value_of, gen_emit_wellknown_value_as, gen_emit_wellknown_struct}},
        {"CONNECT_FORM_WRAPPER", {gen_emit_wellknown_wrapper, NULL, NULL}}};
    const char *values[26] = {NULL};
    const gen_type_t *type;
    size_t i, j;
    for (type = file->types.first; type; type = type->next) {
        const gen_wellknown_t *wellknown = gen_wellknown_find(type->full_name);
        for (i = 0; wellknown && i < GEN_LEN(forms); i++) {
            if (strcmp(wellknown->form, forms[i].form) != 0) continue;
            values['T' - 'A'] = type->c_name;
            values['V' - 'A'] = gen_emit_wellknown_name(file, "Value");
            values['S' - 'A'] = gen_emit_wellknown_name(file, "Struct");
            values['L' - 'A'] = gen_emit_wellknown_name(file, "ListValue");
            values['C' - 'A'] = gen_emit_wellknown_scalar(type->fields.first->kind);
            gen_text_put(text, "\n");
            for (j = 0; j < GEN_LEN(forms[i].templates) && forms[i].templates[j]; j++)
                gen_text_template(text, forms[i].templates[j], values);
        }
    }
}

/* #### src/gen/emit_service.h ###################################################################################### */
/* The handlers, and the functions of server and client. */
GEN_PRIVATE void gen_emit_service_declare(gen_context_t *ctx, const gen_service_t *service, gen_text_t *text);
/* The methods' tables, the thunks, and what is not inline. */
GEN_PRIVATE void gen_emit_service_define(gen_context_t *ctx, const gen_service_t *service, gen_text_t *text);

/* #### src/gen/emit_service.c ###################################################################################### */
/* Services, typed: for the server a struct of handlers, whose thunks turn the untyped events of connect_events_t into
   calls of them; for the client a function per method. Written as templates, in which
     $S the service's C name    $M the method's C name (S_M)     $H the method's member in the handlers
     $Q the request's struct    $R the response's struct         $N the method's own name
   All of the server is under CONNECT_ENABLE_SERVER, of the client under CONNECT_ENABLE_CLIENT.

   The thunks find the handlers by connect_call_value(call, &S_service), where connect_server_add_service put them. A
   client call keeps its callbacks in its own arena, found by the method's address. If there is no memory for them,
   the call is canceled and NULL returned, as if it could not be started: no callback comes; thunks that find nothing
   do nothing. */

typedef enum gen_emit_shape_t {
    GEN_EMIT_UNARY,
    GEN_EMIT_CLIENT_STREAM,
    GEN_EMIT_SERVER_STREAM,
    GEN_EMIT_BIDI
} gen_emit_shape_t;

static gen_emit_shape_t gen_emit_service_shape(const gen_method_t *method) {
    if (method->client_streams) return method->server_streams ? GEN_EMIT_BIDI : GEN_EMIT_CLIENT_STREAM;
    return method->server_streams ? GEN_EMIT_SERVER_STREAM : GEN_EMIT_UNARY;
}

static void gen_emit_service_values(const gen_service_t *service, const gen_method_t *method, const char *values[26]) {
    size_t i;
    for (i = 0; i < 26; i++)
        values[i] = "";
    values['S' - 'A'] = service->c_name;
    if (!method) return;
    values['M' - 'A'] = method->c_name;
    values['H' - 'A'] = method->c_slot;
    values['N' - 'A'] = method->name;
    values['Q' - 'A'] = method->input->c_name;
    values['R' - 'A'] = method->output->c_name;
}

/* ---- Declarations: server ---- */

static void gen_emit_service_handlers(const gen_service_t *service, gen_text_t *text) {
    static const char *const slots[] = {
        "    connect_code_t (*$H)(connect_call_t *call, const $Q *request, $R *response, void *user);\n",
        "    struct {\n"
        "        connect_code_t (*on_open)(connect_call_t *call, void *user);\n"
        "        connect_io_t (*on_message)(connect_call_t *call, const $Q *request, void *user);\n"
        "        connect_code_t (*on_end)(connect_call_t *call, $R *response, void *user);\n"
        "        void (*on_drain)(connect_call_t *call, void *user);\n"
        "        void (*on_closed)(connect_call_t *call, const connect_error_t *error_or_null, void *user);\n"
        "    } $H;\n",
        "    struct {\n"
        "        connect_code_t (*on_request)(connect_call_t *call, const $Q *request, void *user);\n"
        "        void (*on_writable)(connect_call_t *call, void *user);\n"
        "        void (*on_drain)(connect_call_t *call, void *user);\n"
        "        void (*on_closed)(connect_call_t *call, const connect_error_t *error_or_null, void *user);\n"
        "    } $H;\n",
        "    struct {\n"
        "        connect_code_t (*on_open)(connect_call_t *call, void *user);\n"
        "        connect_io_t (*on_message)(connect_call_t *call, const $Q *request, void *user);\n"
        "        connect_code_t (*on_end)(connect_call_t *call, void *user);\n"
        "        void (*on_writable)(connect_call_t *call, void *user);\n"
        "        void (*on_drain)(connect_call_t *call, void *user);\n"
        "        void (*on_closed)(connect_call_t *call, const connect_error_t *error_or_null, void *user);\n"
        "    } $H;\n"};
    const gen_method_t *method;
    const char *values[26];
    gen_emit_service_values(service, NULL, values);
    gen_text_template(
        text, "typedef struct $S_handlers { /* a method left NULL is UNIMPLEMENTED; see connect_events_t */\n", values);
    for (method = service->methods.first; method; method = method->next) {
        gen_emit_service_values(service, method, values);
        gen_text_comment(text, "    ", method->docs.leading, method->docs.trailing, method->deprecated);
        gen_text_template(text, slots[gen_emit_service_shape(method)], values);
    }
    if (!service->methods.first) gen_text_put(text, "    char private_empty; /* C has no empty structs */\n");
    gen_emit_service_values(service, NULL, values);
    gen_text_template(text,
        "} $S_handlers;\n"
        "/* Adds the service to a server. handlers: copied. As connect_server_add_service. */\n"
        "CONNECT_API bool $S_serve(connect_server_t *server, const $S_handlers *handlers, void *user, "
        "const connect_route_options_t *options, connect_error_t *error);\n",
        values);
    for (method = service->methods.first; method; method = method->next) {
        gen_emit_service_values(service, method, values);
        gen_text_template(text,
            method->server_streams ? "CONNECT_CHECKED static inline connect_io_t $M_send_response(connect_call_t "
                                     "*call, const $R *response) {\n"
                                     "    return connect_call_send(call, response);\n"
                                     "}\n"
                                   : "static inline void $M_finish(connect_call_t *call, connect_code_t code, const $R "
                                     "*response_or_null) {\n"
                                     "    connect_call_finish(call, code, response_or_null);\n"
                                     "}\n",
            values);
    }
}

/* ---- Declarations: client ---- */

static const char gen_emit_service_unary[] =
    "/* $N: calls done at the end; _wait: blocks, see connect_client_unary_wait. _with: with options. */\n"
    "typedef void (*$M_done)(connect_call_t *call, const $R *response_or_null, const connect_error_t *error_or_null, "
    "void *user);\n"
    "CONNECT_API connect_call_t *$M_with(connect_client_t *client, const $Q *request, $M_done done, void *user, "
    "const connect_call_options_t *options, connect_error_t *error);\n"
    "static inline connect_call_t *$M(connect_client_t *client, const $Q *request, $M_done done, void *user, "
    "connect_error_t *error) {\n"
    "    return $M_with(client, request, done, user, CONNECT_NULL, error);\n"
    "}\n"
    "static inline connect_code_t $M_wait_with(connect_client_t *client, const $Q *request, $R *response, "
    "connect_arena_t *arena, const connect_call_options_t *options, connect_error_t *error) {\n"
    "    return connect_client_unary_wait(client, &$M_method, request, response, arena, options, error);\n"
    "}\n"
    "static inline connect_code_t $M_wait(connect_client_t *client, const $Q *request, $R *response, "
    "connect_arena_t *arena, connect_error_t *error) {\n"
    "    return connect_client_unary_wait(client, &$M_method, request, response, arena, CONNECT_NULL, error);\n"
    "}\n";

/* $W the line of on_writable or nothing; $A the request's parameter, $B its argument. */
static const char gen_emit_service_stream[] =
    "typedef struct $M_events {\n"
    "    connect_code_t (*on_open)(connect_call_t *call, void *user);\n"
    "    connect_io_t (*on_message)(connect_call_t *call, const $R *response, void *user);\n"
    "$W"
    "    void (*on_drain)(connect_call_t *call, void *user);\n"
    "    void (*on_closed)(connect_call_t *call, const connect_error_t *error_or_null, void *user);\n"
    "} $M_events;\n"
    "CONNECT_API connect_call_t *$M_with(connect_client_t *client, $A"
    "const $M_events *events_or_null, void *user, const connect_call_options_t *options, connect_error_t *error);\n"
    "static inline connect_call_t *$M(connect_client_t *client, $A"
    "const $M_events *events_or_null, void *user, connect_error_t *error) {\n"
    "    return $M_with(client, $Bevents_or_null, user, CONNECT_NULL, error);\n"
    "}\n";

static void gen_emit_service_client(gen_context_t *ctx, const gen_service_t *service, gen_text_t *text) {
    const gen_method_t *method;
    const char *values[26];
    for (method = service->methods.first; method; method = method->next) {
        gen_emit_service_values(service, method, values);
        gen_text_comment(text, "", method->docs.leading, method->docs.trailing, method->deprecated);
        if (gen_emit_service_shape(method) == GEN_EMIT_UNARY) {
            gen_text_template(text, gen_emit_service_unary, values);
            continue;
        }
        if (method->client_streams) {
            values['W' - 'A'] = "    void (*on_writable)(connect_call_t *call, void *user);\n";
            gen_text_template(text,
                "/* $N: events, or NULL and the _wait functions; ends sending by connect_call_finish. _with: with "
                "options. "
                "*/\n",
                values);
        } else {
            values['A' - 'A'] = gen_source_printf(ctx, "const %s *request, ", method->input->c_name);
            values['B' - 'A'] = "request, ";
            gen_text_template(
                text, "/* $N: sends the request; events, or NULL and _receive_wait. _with: with options. */\n", values);
        }
        gen_text_template(text, gen_emit_service_stream, values);
        if (method->client_streams) {
            gen_text_template(text,
                "CONNECT_CHECKED static inline connect_io_t $M_send_request(connect_call_t *call, const $Q *request) "
                "{\n"
                "    return connect_call_send(call, request);\n"
                "}\n",
                values);
        }
        if (method->client_streams) {
            gen_text_template(text,
                "static inline connect_io_t $M_send_request_wait(connect_call_t *call, const $Q *request, "
                "connect_error_t *error) {\n"
                "    return connect_call_send_wait(call, request, error);\n"
                "}\n",
                values);
        }
        gen_text_template(text,
            "static inline connect_io_t $M_receive_wait(connect_call_t *call, $R *response, connect_arena_t *arena, "
            "connect_error_t *error) {\n"
            "    return connect_call_receive_wait(call, response, arena, error);\n"
            "}\n",
            values);
    }
}

GEN_PRIVATE void gen_emit_service_declare(gen_context_t *ctx, const gen_service_t *service, gen_text_t *text) {
    const gen_method_t *method;
    gen_text_put(text, "\n");
    gen_text_line(text, "/* ==== %s ==== */", service->full_name);
    gen_text_comment(text, "", service->docs.leading, service->docs.trailing, service->deprecated);
    gen_text_line(text, "CONNECT_API const connect_service_t %s_service;", service->c_name);
    for (method = service->methods.first; method; method = method->next) {
        gen_text_line(text, "CONNECT_API const connect_method_t %s_method;", method->c_name);
    }
    gen_text_put(text, "\n#if CONNECT_ENABLE_SERVER\n");
    gen_emit_service_handlers(service, text);
    gen_text_put(text, "#endif\n");
    if (!service->methods.first) return;
    gen_text_put(text, "\n#if CONNECT_ENABLE_CLIENT\n");
    gen_emit_service_client(ctx, service, text);
    gen_text_put(text, "#endif\n");
}

/* ---- Definitions: server ---- */

static const char gen_emit_service_on_request[] =
    "static connect_code_t $M_on_request(connect_call_t *call, const void *request, void *response, void *user) {\n"
    "    const $S_handlers *handlers = $S_of(call);\n"
    "    if (!handlers->$H) return CONNECT_UNIMPLEMENTED;\n"
    "    return handlers->$H(call, (const $Q *)request, ($R *)response, user);\n"
    "}\n";
static const char gen_emit_service_on_stream_request[] =
    "static connect_code_t $M_on_request(connect_call_t *call, const void *request, void *response, void *user) {\n"
    "    const $S_handlers *handlers = $S_of(call);\n"
    "    (void)response;\n"
    "    if (!handlers->$H.on_request) return CONNECT_UNIMPLEMENTED;\n"
    "    return handlers->$H.on_request(call, (const $Q *)request, user);\n"
    "}\n";
static const char gen_emit_service_on_open[] =
    "static connect_code_t $M_on_open(connect_call_t *call, void *user) {\n"
    "    const $S_handlers *handlers = $S_of(call);\n"
    "    if (!handlers->$H.on_message) return CONNECT_UNIMPLEMENTED;\n"
    "    return handlers->$H.on_open ? handlers->$H.on_open(call, user) : CONNECT_OK;\n"
    "}\n"
    "static connect_io_t $M_on_message(connect_call_t *call, const void *message, void *user) {\n"
    "    return $S_of(call)->$H.on_message(call, (const $Q *)message, user);\n"
    "}\n";
static const char gen_emit_service_on_end[] =
    "static connect_code_t $M_on_end(connect_call_t *call, void *response, void *user) {\n"
    "    const $S_handlers *handlers = $S_of(call);\n"
    "    return handlers->$H.on_end ? handlers->$H.on_end(call, ($R *)response, user) : CONNECT_OK;\n"
    "}\n";
static const char gen_emit_service_on_bidi_end[] =
    "static connect_code_t $M_on_end(connect_call_t *call, void *response, void *user) {\n"
    "    const $S_handlers *handlers = $S_of(call);\n"
    "    (void)response;\n"
    "    return handlers->$H.on_end ? handlers->$H.on_end(call, user) : CONNECT_OK;\n"
    "}\n";
static const char gen_emit_service_on_writable[] =
    "static void $M_on_writable(connect_call_t *call, void *user) {\n"
    "    const $S_handlers *handlers = $S_of(call);\n"
    "    if (handlers->$H.on_writable) handlers->$H.on_writable(call, user);\n"
    "}\n";
static const char gen_emit_service_on_closed[] =
    "static void $M_on_drain(connect_call_t *call, void *user) {\n"
    "    const $S_handlers *handlers = $S_of(call);\n"
    "    if (handlers->$H.on_drain) handlers->$H.on_drain(call, user);\n"
    "}\n"
    "static void $M_on_closed(connect_call_t *call, const connect_error_t *error_or_null, void *user) {\n"
    "    const $S_handlers *handlers = $S_of(call);\n"
    "    if (handlers->$H.on_closed) handlers->$H.on_closed(call, error_or_null, user);\n"
    "}\n";

static void gen_emit_service_thunks(const gen_service_t *service, const gen_method_t *method, gen_text_t *text) {
    const char *values[26];
    gen_emit_service_values(service, method, values);
    if (gen_emit_service_shape(method) == GEN_EMIT_UNARY) {
        gen_text_template(text, gen_emit_service_on_request, values);
        gen_text_template(text,
            "static const connect_events_t $M_thunks = {\n"
            "    .on_request = $M_on_request\n"
            "};\n",
            values);
        return;
    }
    if (method->client_streams) {
        gen_text_template(text, gen_emit_service_on_open, values);
        gen_text_template(
            text, method->server_streams ? gen_emit_service_on_bidi_end : gen_emit_service_on_end, values);
    } else {
        gen_text_template(text, gen_emit_service_on_stream_request, values);
    }
    if (method->server_streams) gen_text_template(text, gen_emit_service_on_writable, values);
    gen_text_template(text, gen_emit_service_on_closed, values);
    gen_text_template(text, "static const connect_events_t $M_thunks = {\n", values);
    gen_text_template(text,
        method->client_streams ? "    .on_open = $M_on_open,\n"
                                 "    .on_message = $M_on_message,\n"
                                 "    .on_end = $M_on_end,\n"
                               : "    .on_request = $M_on_request,\n",
        values);
    if (method->server_streams) gen_text_template(text, "    .on_writable = $M_on_writable,\n", values);
    gen_text_template(text,
        "    .on_drain = $M_on_drain,\n"
        "    .on_closed = $M_on_closed\n"
        "};\n",
        values);
}

/* ---- Definitions: client ---- */

static const char gen_emit_service_unary_with[] =
    "typedef struct $M_slot {\n"
    "    $M_done done;\n"
    "    const $R *response;\n"
    "} $M_slot;\n"
    "static $M_slot *$M_slot_of(const connect_call_t *call) {\n"
    "    return ($M_slot *)connect_call_value(call, &$M_method);\n"
    "}\n"
    "static connect_io_t $M_client_on_message(connect_call_t *call, const void *message, void *user) {\n"
    "    $M_slot *slot = $M_slot_of(call);\n"
    "    (void)user;\n"
    "    if (slot) slot->response = (const $R *)message;\n"
    "    return CONNECT_IO_OK;\n"
    "}\n"
    "static void $M_client_on_closed(connect_call_t *call, const connect_error_t *error_or_null, void *user) {\n"
    "    const $M_slot *slot = $M_slot_of(call);\n"
    "    if (slot && slot->done) slot->done(call, error_or_null ? NULL : slot->response, error_or_null, user);\n"
    "}\n"
    "connect_call_t *$M_with(connect_client_t *client, const $Q *request, $M_done done, void *user, "
    "const connect_call_options_t *options, connect_error_t *error) {\n"
    "    static const connect_events_t thunks = {\n"
    "        .on_message = $M_client_on_message,\n"
    "        .on_closed = $M_client_on_closed\n"
    "    };\n"
    "    connect_call_t *call = connect_client_start(client, &$M_method, &thunks, user, options, error);\n"
    "    $M_slot *slot;\n"
    "    if (!call) return NULL;\n"
    "    slot = CONNECT_NEW(connect_call_arena(call), $M_slot, 1);\n"
    "    if (slot) slot->done = done;\n"
    "    if (!slot || !connect_call_set_value(call, &$M_method, slot)) {\n"
    "$F"
    "    }\n"
    "    connect_call_finish(call, CONNECT_OK, request);\n"
    "    return call;\n"
    "}\n";
static const char gen_emit_service_failure[] = "        const connect_error_t no_memory = {.code = "
                                               "CONNECT_RESOURCE_EXHAUSTED, .message = {\"out of memory\", 13}};\n"
                                               "        connect_call_finish(call, CONNECT_RESOURCE_EXHAUSTED, NULL);\n"
                                               "        if (error) *error = no_memory;\n"
                                               "        return NULL;\n";
static const char gen_emit_service_stream_thunks[] =
    "static const $M_events *$M_events_of(const connect_call_t *call) {\n"
    "    return (const $M_events *)connect_call_value(call, &$M_method);\n"
    "}\n"
    "static connect_code_t $M_client_on_open(connect_call_t *call, void *user) {\n"
    "    const $M_events *events = $M_events_of(call);\n"
    "    return events && events->on_open ? events->on_open(call, user) : CONNECT_OK;\n"
    "}\n"
    "static connect_io_t $M_client_on_message(connect_call_t *call, const void *message, void *user) {\n"
    "    const $M_events *events = $M_events_of(call);\n"
    "    return events && events->on_message ? events->on_message(call, (const $R *)message, user) : CONNECT_IO_OK;\n"
    "}\n";
static const char gen_emit_service_stream_writable[] =
    "static void $M_client_on_writable(connect_call_t *call, void *user) {\n"
    "    const $M_events *events = $M_events_of(call);\n"
    "    if (events && events->on_writable) events->on_writable(call, user);\n"
    "}\n";
static const char gen_emit_service_stream_with[] =
    "static void $M_client_on_drain(connect_call_t *call, void *user) {\n"
    "    const $M_events *events = $M_events_of(call);\n"
    "    if (events && events->on_drain) events->on_drain(call, user);\n"
    "}\n"
    "static void $M_client_on_closed(connect_call_t *call, const connect_error_t *error_or_null, void *user) {\n"
    "    const $M_events *events = $M_events_of(call);\n"
    "    if (events && events->on_closed) events->on_closed(call, error_or_null, user);\n"
    "}\n"
    "connect_call_t *$M_with(connect_client_t *client, $A"
    "const $M_events *events_or_null, void *user, const connect_call_options_t *options, connect_error_t *error) {\n"
    "    static const connect_events_t thunks = {\n"
    "        .on_open = $M_client_on_open,\n"
    "        .on_message = $M_client_on_message,\n"
    "$W"
    "        .on_drain = $M_client_on_drain,\n"
    "        .on_closed = $M_client_on_closed\n"
    "    };\n"
    "    connect_call_t *call = connect_client_start(client, &$M_method, events_or_null ? &thunks : NULL, user, "
    "options, "
    "error);\n"
    "    if (call && events_or_null) {\n"
    "        $M_events *events = CONNECT_NEW(connect_call_arena(call), $M_events, 1);\n"
    "        if (events) *events = *events_or_null;\n"
    "        if (!events || !connect_call_set_value(call, &$M_method, events)) {\n"
    "$F"
    "        }\n"
    "    }\n"
    "$E"
    "    return call;\n"
    "}\n";
static const char gen_emit_service_stream_failure[] =
    "            const connect_error_t no_memory = {.code = CONNECT_RESOURCE_EXHAUSTED, .message = {\"out of memory\", "
    "13}};\n"
    "            connect_call_finish(call, CONNECT_RESOURCE_EXHAUSTED, NULL);\n"
    "            if (error) *error = no_memory;\n"
    "            return NULL;\n";

static void gen_emit_service_calls(
    gen_context_t *ctx, const gen_service_t *service, const gen_method_t *method, gen_text_t *text) {
    const char *values[26];
    gen_emit_service_values(service, method, values);
    if (gen_emit_service_shape(method) == GEN_EMIT_UNARY) {
        values['F' - 'A'] = gen_emit_service_failure;
        gen_text_template(text, gen_emit_service_unary_with, values);
        return;
    }
    values['F' - 'A'] = gen_emit_service_stream_failure;
    gen_text_template(text, gen_emit_service_stream_thunks, values);
    if (method->client_streams) {
        gen_text_template(text, gen_emit_service_stream_writable, values);
        values['W' - 'A'] = gen_source_printf(ctx, "        .on_writable = %s_client_on_writable,\n", method->c_name);
    } else {
        values['A' - 'A'] = gen_source_printf(ctx, "const %s *request, ", method->input->c_name);
        values['E' - 'A'] = "    if (call) connect_call_finish(call, CONNECT_OK, request);\n";
    }
    gen_text_template(text, gen_emit_service_stream_with, values);
}

GEN_PRIVATE void gen_emit_service_define(gen_context_t *ctx, const gen_service_t *service, gen_text_t *text) {
    static const char *const kinds[] = {
        "CONNECT_UNARY", "CONNECT_CLIENT_STREAM", "CONNECT_SERVER_STREAM", "CONNECT_BIDI_STREAM"};
    static const char *const idempotency[] = {
        "CONNECT_IDEMPOTENCY_UNKNOWN", "CONNECT_NO_SIDE_EFFECTS", "CONNECT_IDEMPOTENT"};
    const gen_method_t *method;
    const char *values[26];
    gen_text_t methods, thunks;
    memset(&methods, 0, sizeof methods);
    memset(&thunks, 0, sizeof thunks);
    gen_text_put(&methods, "");
    gen_text_put(&thunks, "");
    for (method = service->methods.first; method; method = method->next) {
        const char *comma = method->next ? ", " : "";
        gen_text_line(text, "const connect_method_t %s_method = {", method->c_name);
        gen_text_line(text, "    \"/%s/%s\",", service->full_name, method->name);
        gen_text_line(text, "    &%s_type, &%s_type, %s, %s", method->input->c_name, method->output->c_name,
            kinds[gen_emit_service_shape(method)], idempotency[method->idempotency]);
        gen_text_line(text, "};");
        gen_text_put(&methods, gen_source_printf(ctx, "&%s_method%s", method->c_name, comma));
        gen_text_put(&thunks, gen_source_printf(ctx, "&%s_thunks%s", method->c_name, comma));
    }
    gen_emit_service_values(service, NULL, values);
    if (service->methods.first) {
        gen_text_line(text, "static const connect_method_t *const %s_methods[] = {%s};", service->c_name, methods.data);
    }
    gen_text_put(text, "#if CONNECT_ENABLE_SERVER\n");
    if (service->methods.first) {
        gen_text_template(text,
            "static const $S_handlers *$S_of(const connect_call_t *call) {\n"
            "    return (const $S_handlers *)connect_call_value(call, &$S_service);\n"
            "}\n",
            values);
        for (method = service->methods.first; method; method = method->next) {
            gen_emit_service_thunks(service, method, text);
        }
        gen_text_line(text, "static const connect_events_t *const %s_thunks[] = {%s};", service->c_name, thunks.data);
    }
    gen_text_template(text,
        "bool $S_serve(connect_server_t *server, const $S_handlers *handlers, void *user, "
        "const connect_route_options_t *options, connect_error_t *error) {\n"
        "    return connect_server_add_service(server, &$S_service, handlers, user, options, error);\n"
        "}\n"
        "#endif\n",
        values);
    if (service->methods.first) {
        gen_text_put(text, "#if CONNECT_ENABLE_CLIENT\n");
        for (method = service->methods.first; method; method = method->next) {
            gen_emit_service_calls(ctx, service, method, text);
        }
        gen_text_put(text, "#endif\n");
    }
    gen_text_line(text, "const connect_service_t %s_service = {", service->c_name);
    if (service->methods.first) {
        gen_text_line(text, "    .methods = %s_methods, .method_count = %lu,", service->c_name,
            (unsigned long)service->methods.count);
    }
    gen_text_put(text, "#if CONNECT_ENABLE_SERVER\n");
    if (service->methods.first) gen_text_line(text, "    .thunks = %s_thunks,", service->c_name);
    gen_text_line(text, "    .handlers_size = sizeof(%s_handlers),", service->c_name);
    gen_text_put(text, "#endif\n");
    gen_text_line(text, "    .full_name = \"%s\", .file = &%s_file", service->full_name, service->file->c_name);
    gen_text_line(text, "};");
    gen_text_free(&methods);
    gen_text_free(&thunks);
}

/* #### src/gen/emit.h ############################################################################################## */
/* The whole header of a file. */
GEN_PRIVATE void gen_emit_header(gen_context_t *ctx, const gen_file_t *file, gen_text_t *text);

/* #### src/gen/emit.c ############################################################################################## */
/* The header of a file: guard, includes, declarations; then, where CONNECT_IMPLEMENTATION or
   CONNECT_GENERATED_IMPLEMENTATION is defined, the tables, once. The includes stand there a second time: a header
   that was included for its declarations first must still bring the tables of what it imports. */

static void gen_emit_includes(const gen_file_t *file, gen_text_t *text) {
    const gen_import_t *import;
    gen_text_put(text, "#include \"connect.h\"\n");
    for (import = file->imports.first; import; import = import->next) {
        gen_text_put(text, "#include \"");
        gen_text_put(text, import->file->header);
        gen_text_put(text, "\"\n");
    }
}

GEN_PRIVATE void gen_emit_header(gen_context_t *ctx, const gen_file_t *file, gen_text_t *text) {
    const gen_service_t *service;
    gen_text_put(text,
        gen_source_printf(
            ctx, "/* Generated by connect_gen %s from %s. Do not edit. */\n", CONNECT_VERSION_STRING, file->name));
    gen_text_put(
        text, gen_source_printf(ctx, "#ifndef %s_CONNECT_H\n#define %s_CONNECT_H\n", file->guard, file->guard));
    gen_emit_includes(file, text);
    gen_text_put(text, gen_source_printf(ctx, "#if CONNECT_GEN_API != %d\n", CONNECT_GEN_API));
    gen_text_put(text,
        gen_source_printf(ctx, "#error \"Regenerate %s with the connect_gen of your connect.h.\"\n", file->header));
    gen_text_put(text,
        "#endif\n"
        "#ifdef __cplusplus\n"
        "extern \"C\" {\n"
        "#endif\n");
    gen_emit_types_declare(ctx, file, text);
    gen_emit_wellknown_declare(file, text);
    for (service = file->services.first; service; service = service->next)
        gen_emit_service_declare(ctx, service, text);
    gen_text_put(text,
        "\n"
        "#ifdef __cplusplus\n"
        "}\n"
        "#endif\n"
        "#endif\n"
        "\n"
        "/* ---- Tables and thunks: emitted with CONNECT_IMPLEMENTATION, or in another C file with "
        "CONNECT_GENERATED_IMPLEMENTATION */\n"
        "#if (defined(CONNECT_IMPLEMENTATION) || defined(CONNECT_GENERATED_IMPLEMENTATION)) && \\\n");
    gen_text_put(text,
        gen_source_printf(ctx, "    !defined(%s_CONNECT_DONE)\n#define %s_CONNECT_DONE\n", file->guard, file->guard));
    gen_emit_includes(file, text);
    gen_emit_tables_types(ctx, file, text);
    for (service = file->services.first; service; service = service->next)
        gen_emit_service_define(ctx, service, text);
    gen_emit_tables_file(ctx, file, text);
    gen_text_put(text, "#endif\n");
}

/* #### src/gen/output.h ############################################################################################ */
typedef struct gen_output_t {
    const char *name;      /* below the folder */
    const char *elsewhere; /* its path, if it is not to be below the folder; NULL otherwise */
    gen_text_t text;
    const char *path;
    const char *temporary; /* NULL: not written yet, or to be written to its path */
} gen_output_t;
/* The path of a name below a folder. */
GEN_PRIVATE const char *gen_output_path(gen_context_t *ctx, const char *folder, const char *name);
/* Writes all files below a folder, or none; reports what fails. */
GEN_PRIVATE void gen_output_write(gen_context_t *ctx, const char *folder, gen_output_t *outputs, size_t count);

/* #### src/gen/output.c ############################################################################################ */
/* Files come out whole, or not at all: each is written under another name beside its place, and all are renamed when
   all are written. If one cannot be written, those other names are removed again. What the user named and is no plain
   file (a link, a pipe, /dev/stdout) is not replaced but written to, before the others are renamed. Folders are made as
   needed. Names were checked when they were loaded: they are relative and without "..". */

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

/* #### src/gen/command.h ########################################################################################### */
typedef struct gen_command_t { /* what a command line, or the parameter of a plugin, says */
    const char **folders, **inputs, **sets;
    size_t folder_count, input_count, set_count;
    const char *out, *set_out, *depfile; /* NULL: not said */
    bool include_imports;
    gen_style_t style;
} gen_command_t;
/* Reads a command line. Returns -1 to go on, or the exit status: help was shown, or it is wrong, which is told. */
GEN_PRIVATE int gen_command_line(gen_context_t *ctx, gen_command_t *command, int argc, char **argv);
/* Reads the parameter of a plugin: the same options, without --, between commas. Returns false after a message. */
GEN_PRIVATE bool gen_command_parameter(gen_context_t *ctx, gen_command_t *command, const char *parameter);

/* #### src/gen/command.c ########################################################################################### */
/* The command line, and a plugin's parameter, by one table of options: `--name value`, `--name=value`, `-Ivalue`, what
   has no value alone; in a parameter `name=value,name`. Options of what is generated are for both, those of where it
   comes from and goes to only for the command line: protoc and buf have their own.

   Exit status 2 after a wrong command line. */

typedef enum gen_command_id_t {
    GEN_COMMAND_FOLDER,
    GEN_COMMAND_OUT,
    GEN_COMMAND_SET_IN,
    GEN_COMMAND_SET_OUT,
    GEN_COMMAND_IMPORTS,
    GEN_COMMAND_DEPFILE,
    GEN_COMMAND_PREFIX,
    GEN_COMMAND_STRIP,
    GEN_COMMAND_DROP_UNKNOWN,
    GEN_COMMAND_HELP,
    GEN_COMMAND_VERSION
} gen_command_id_t;
typedef enum gen_command_value_t {
    GEN_COMMAND_NO_VALUE,
    GEN_COMMAND_VALUE,
    GEN_COMMAND_MAYBE_VALUE
} gen_command_value_t;
typedef struct gen_command_option_t {
    gen_command_id_t id;
    const char *name;
    gen_command_value_t value;
    bool of_style; /* and so a plugin's, too */
} gen_command_option_t;

static const gen_command_option_t gen_command_options[] = {
    {GEN_COMMAND_FOLDER, "-I", GEN_COMMAND_VALUE, false},
    {GEN_COMMAND_FOLDER, "--proto_path", GEN_COMMAND_VALUE, false},
    {GEN_COMMAND_OUT, "--out", GEN_COMMAND_VALUE, false},
    {GEN_COMMAND_SET_IN, "--descriptor_set_in", GEN_COMMAND_VALUE, false},
    {GEN_COMMAND_SET_OUT, "--descriptor_set_out", GEN_COMMAND_VALUE, false},
    {GEN_COMMAND_IMPORTS, "--include_imports", GEN_COMMAND_NO_VALUE, false},
    {GEN_COMMAND_DEPFILE, "--depfile", GEN_COMMAND_VALUE, false},
    {GEN_COMMAND_PREFIX, "--prefix", GEN_COMMAND_VALUE, true},
    {GEN_COMMAND_STRIP, "--strip-package", GEN_COMMAND_MAYBE_VALUE, true},
    {GEN_COMMAND_DROP_UNKNOWN, "--drop-unknown", GEN_COMMAND_NO_VALUE, true},
    {GEN_COMMAND_HELP, "--help", GEN_COMMAND_NO_VALUE, false},
    {GEN_COMMAND_HELP, "-h", GEN_COMMAND_NO_VALUE, false},
    {GEN_COMMAND_VERSION, "--version", GEN_COMMAND_NO_VALUE, false},
};

static const char gen_command_help[] =
    "Usage: connect_gen [-I FOLDER]... [--out FOLDER] [OPTION]... FILE.proto...\n"
    "       protoc --connect-c_out=FOLDER [--connect-c_opt=OPTION,...] FILE.proto...\n"
    "\n"
    "Makes a C header, FILE.connect.h, for connect.h from each .proto file, and one for each well-known type they\n"
    "use. Under the name protoc-gen-connect-c it is a plugin of protoc and buf.\n"
    "\n"
    "What is read:\n"
    "  -I FOLDER, --proto_path FOLDER\n"
    "                where imports are looked for, and what the names of files are relative to; several are looked\n"
    "                through in their order. Default: the current folder. The well-known types\n"
    "                (google/protobuf/*.proto) are built in.\n"
    "  --descriptor_set_in FILE\n"
    "                a google.protobuf.FileDescriptorSet; files are looked for in it first, and then in folders only\n"
    "                if -I names them\n"
    "\n"
    "What is written:\n"
    "  --out FOLDER  where the headers go; folders are made as needed. Default: the current folder\n"
    "  --descriptor_set_out FILE\n"
    "                a google.protobuf.FileDescriptorSet of the files; then headers only if --out is there, too\n"
    "  --include_imports\n"
    "                puts into that set all that the files import, too\n"
    "  --depfile FILE\n"
    "                a rule for make and ninja: what was written depends on what was read\n"
    "\n"
    "How it is written; a plugin has these, too, without the --:\n"
    "  --strip-package[=PACKAGE]\n"
    "                leaves the package out of C names; with a value, only that part of packages below it\n"
    "  --prefix TEXT puts TEXT in front of C names, behind which the package comes, unless it is stripped\n"
    "  --drop-unknown\n"
    "                structs without unknown_fields: what a schema does not know is lost, and structs are smaller.\n"
    "                Messages with extensions keep theirs: extensions are in it\n"
    "  What is in google.protobuf keeps its names and fields whatever is said: its headers are shared.\n"
    "\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0; 1: a file is wrong or cannot be read or written, nothing was written; 2: wrong command line.\n";

static void gen_command_wrong(gen_context_t *ctx, const char *what, const char *option) {
    const gen_at_t nowhere = {NULL, 0};
    gen_source_error(ctx, nowhere, "%s%s%s%s", what, option ? " \"" : "", option ? option : "", option ? "\"" : "");
}

static bool gen_command_is_name(const char *text, bool dots) {
    const char *at = text;
    for (; *at; at++) {
        const bool letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || *at == '_';
        const bool inside = at > text && at[-1] != '.';
        if (!letter && !(inside && ((*at >= '0' && *at <= '9') || (dots && *at == '.' && at[1])))) return false;
    }
    return at > text && at - text <= 256;
}

/* Returns -1 to go on, or the exit status. */
static int gen_command_apply(
    gen_context_t *ctx, gen_command_t *command, const gen_command_option_t *option, const char *value) {
    if (option->value == GEN_COMMAND_VALUE && !*value) {
        gen_command_wrong(ctx, "this option needs a value:", option->name);
        return 2;
    }
    switch (option->id) {
    case GEN_COMMAND_FOLDER: command->folders[command->folder_count++] = value; break;
    case GEN_COMMAND_OUT: command->out = value; break;
    case GEN_COMMAND_SET_IN: command->sets[command->set_count++] = value; break;
    case GEN_COMMAND_SET_OUT: command->set_out = value; break;
    case GEN_COMMAND_IMPORTS: command->include_imports = true; break;
    case GEN_COMMAND_DEPFILE: command->depfile = value; break;
    case GEN_COMMAND_PREFIX:
        command->style.prefix = value;
        if (gen_command_is_name(value, false)) break;
        gen_command_wrong(ctx, "--prefix must be the beginning of a C name, and not", value);
        return 2;
    case GEN_COMMAND_STRIP:
        command->style.strip[command->style.strip_count++] = value;
        if (!*value || gen_command_is_name(value, true)) break;
        gen_command_wrong(ctx, "--strip-package must be the name of a package, and not", value);
        return 2;
    case GEN_COMMAND_DROP_UNKNOWN: command->style.drop_unknown = true; break;
    case GEN_COMMAND_HELP: fputs(gen_command_help, stdout); return 0;
    case GEN_COMMAND_VERSION: printf("connect_gen %s\n", CONNECT_VERSION_STRING); return 0;
    default: break;
    }
    return -1;
}

static void gen_command_begin(gen_context_t *ctx, gen_command_t *command, size_t words) {
    memset(command, 0, sizeof *command);
    command->folders = CONNECT_NEW(&ctx->arena, const char *, words + 1);
    command->inputs = CONNECT_NEW(&ctx->arena, const char *, words + 1);
    command->sets = CONNECT_NEW(&ctx->arena, const char *, words + 1);
    command->style.strip = CONNECT_NEW(&ctx->arena, const char *, words + 1);
    command->style.prefix = "";
}

/* The option of an argument, and its value if it is in the same; NULL: there is no such. */
static const gen_command_option_t *gen_command_find(const char *argument, const char **value) {
    size_t i;
    for (i = 0; i < GEN_LEN(gen_command_options); i++) {
        const gen_command_option_t *option = &gen_command_options[i];
        const size_t len = strlen(option->name);
        if (strncmp(argument, option->name, len) != 0) continue;
        *value = argument[len] == '=' ? argument + len + 1 : NULL;
        if (!argument[len] || (*value && option->value != GEN_COMMAND_NO_VALUE)) return option;
        if (option->id == GEN_COMMAND_FOLDER && len == 2) {
            *value = argument + len;
            return option;
        }
    }
    return NULL;
}

GEN_PRIVATE int gen_command_line(gen_context_t *ctx, gen_command_t *command, int argc, char **argv) {
    bool only_files = false;
    int i, status = -1;
    gen_command_begin(ctx, command, (size_t)argc);
    for (i = 1; i < argc && status < 0; i++) {
        const gen_command_option_t *option;
        const char *value = NULL;
        if (only_files || argv[i][0] != '-' || !argv[i][1]) {
            command->inputs[command->input_count++] = argv[i];
            continue;
        }
        if (strcmp(argv[i], "--") == 0) {
            only_files = true;
            continue;
        }
        option = gen_command_find(argv[i], &value);
        if (!option) {
            gen_command_wrong(ctx, "unknown option", argv[i]);
            return 2;
        }
        if (!value && option->value == GEN_COMMAND_VALUE && i + 1 < argc) value = argv[++i];
        status = gen_command_apply(ctx, command, option, value ? value : "");
    }
    if (status >= 0) return status;
    if (!command->input_count) {
        gen_command_wrong(ctx, "no .proto file was named", NULL);
        return 2;
    }
    if (!command->out && !command->set_out) command->out = ".";
    if (!command->folder_count && !command->set_count) command->folders[command->folder_count++] = ".";
    return -1;
}

GEN_PRIVATE bool gen_command_parameter(gen_context_t *ctx, gen_command_t *command, const char *parameter) {
    gen_command_begin(ctx, command, strlen(parameter));
    while (*parameter) {
        const size_t len = strcspn(parameter, ",");
        const connect_str_t word = {parameter, len};
        const char *value = NULL, *name = gen_source_copy(ctx, word);
        const gen_command_option_t *option = gen_command_find(gen_source_printf(ctx, "--%s", name), &value);
        parameter += len + (parameter[len] == ',');
        if (!len) continue;
        if (!option || !option->of_style) {
            gen_command_wrong(
                ctx, "unknown option; a plugin has strip-package, prefix and drop-unknown, and not", name);
            return false;
        }
        if (gen_command_apply(ctx, command, option, value ? value : "") >= 0) return false;
    }
    return true;
}

/* #### src/gen/generate.h ########################################################################################## */
typedef struct gen_outputs_t {
    gen_output_t *items;
    size_t count;
} gen_outputs_t;
/* Reads the files of a command from where they are, and makes their headers if with_headers is set. What is wrong is
   reported; the outputs are then not of use. */
GEN_PRIVATE void gen_generate(gen_model_t *model, const gen_command_t *command, const gen_load_from_t *from,
    bool with_headers, gen_outputs_t *outputs);
GEN_PRIVATE void gen_generate_free(gen_outputs_t *outputs);

/* #### src/gen/generate.c ########################################################################################## */
/* From files to headers. The steps: load (parse what is named and imported, or read descriptors), resolve names,
   options, check, C names, emit. Later steps run only if there was no error so far, but for resolve, option and check,
   which together report as much as they can. */

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

/* #### src/gen/plugin.h ############################################################################################ */
/* Whether a program of this name is to be a plugin. */
GEN_PRIVATE bool gen_plugin_is_asked(const char *program);
/* Reads a CodeGeneratorRequest from standard input, writes the response to standard output. Returns the exit status. */
GEN_PRIVATE int gen_plugin_run(gen_context_t *ctx);

/* #### src/gen/plugin.c ############################################################################################ */
/* A plugin of protoc and buf: google/protobuf/compiler/plugin.proto. A CodeGeneratorRequest comes in, with the
   descriptors of all files; a CodeGeneratorResponse goes out, with the headers of those to generate for, and of the
   well-known types that these need: the same as from the command line, byte for byte.

     request    1 file_to_generate   2 parameter            15 proto_file
     response   1 error              2 supported_features   3 minimum_edition   4 maximum_edition   15 file
     file       1 name               15 content

   What is wrong with the files is the response's error, with exit status 0, as plugins do; warnings go to standard
   error. A request that is malformed, or too long (GEN_PLUGIN_BYTES_MAX), is told there, with exit status 1. */

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

/* #### src/gen/main.c ############################################################################################## */
/* connect_gen: reads .proto files, writes a header for each. The command line is told by --help; under the name
   protoc-gen-connect-c, with nothing on its command line, the program is a plugin.

   Exit status: 0; 1 after an error in what was read or written, and then nothing was written; 2 after a wrong command
   line. All files are written together (output.c): the headers, a descriptor set, a dependency file. */

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
