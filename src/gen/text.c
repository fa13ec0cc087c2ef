/* Output: lines of C, literals, comments.

   Lines longer than GEN_TEXT_COLUMNS are broken at a space, behind a comma if there is one, never inside a literal,
   and go on 4 columns further right; lines that start with # are never broken.

   Literals: octal escapes always have three digits where a digit follows; ? is escaped after ?, for trigraphs.

   Comments come from files that anyone may have written, and must stay comments: a comment mark inside gets a space
   between its two characters, two ? get one (a trigraph may make a backslash, that may join lines), a backslash at
   the end of a line is dropped, control characters become spaces; bytes that are not valid UTF-8, and the marks that
   reverse the direction of text (U+202A to U+202E, U+2066 to U+2069), become ?. */
#include "gen/text.h"

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
