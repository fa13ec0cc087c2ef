#include "base/error.h"
#include "base/mem.h"

/* Errors that this side makes. A connect_error_t owns nothing: its text is static, or in an arena that the caller
   named; where there is no arena that outlives the failure (nothing was made) it stands in the error itself, cut to
   what fits. When the arena is full the format itself is the text: less precise, never absent. */

static bool cn_error_fill(connect_error_t *error, connect_code_t code, connect_str_t text) {
    memset(error, 0, sizeof *error);
    error->code = code;
    error->message = text;
    return false;
}

CN_PRIVATE bool cn_error_set(connect_error_t *error, connect_code_t code, const char *text) {
    return error ? cn_error_fill(error, code, connect_str_of(text)) : false;
}

CN_PRIVATE bool cn_error_print(
    connect_error_t *error, connect_arena_t *arena, connect_code_t code, const char *format, ...) {
    connect_str_t text = {NULL, 0};
    va_list arguments;
    if (!error) return false;
    va_start(arguments, format);
    if (arena) {
        text = cn_arena_vprintf(arena, format, arguments);
    } else {
        memset(error, 0, sizeof *error);
        error->code = code;
        vsnprintf(error->private_text, sizeof error->private_text, format, arguments);
        error->message = connect_str_of(error->private_text);
    }
    va_end(arguments);
    if (!arena) return false;
    return cn_error_fill(error, code, text.data ? text : connect_str_of(format));
}

CN_PRIVATE bool cn_error_memory(connect_error_t *error) {
    return cn_error_set(error, CONNECT_RESOURCE_EXHAUSTED, "out of memory");
}
