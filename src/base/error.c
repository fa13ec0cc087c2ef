#include "base/error.h"
#include "base/mem.h"

/* Errors that this side makes. A connect_error_t owns nothing: its text is static or in an arena that the caller
   named. When even the arena is full the format itself is the text: less precise, never absent. */

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
    if (!error) return false;
    if (arena) {
        va_list arguments;
        va_start(arguments, format);
        text = cn_arena_vprintf(arena, format, arguments);
        va_end(arguments);
    }
    return cn_error_fill(error, code, text.data ? text : connect_str_of(format));
}

CN_PRIVATE bool cn_error_memory(connect_error_t *error) {
    return cn_error_set(error, CONNECT_RESOURCE_EXHAUSTED, "out of memory");
}
