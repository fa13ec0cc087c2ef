#pragma once

/* ==== 2. Codes and errors ======================================================================================== */

typedef enum connect_code_t { /* as in Connect and gRPC */
    CONNECT_OK = 0,
    CONNECT_CANCELED = 1, CONNECT_UNKNOWN = 2, CONNECT_INVALID_ARGUMENT = 3, CONNECT_DEADLINE_EXCEEDED = 4,
    CONNECT_NOT_FOUND = 5, CONNECT_ALREADY_EXISTS = 6, CONNECT_PERMISSION_DENIED = 7, CONNECT_RESOURCE_EXHAUSTED = 8,
    CONNECT_FAILED_PRECONDITION = 9, CONNECT_ABORTED = 10, CONNECT_OUT_OF_RANGE = 11, CONNECT_UNIMPLEMENTED = 12,
    CONNECT_INTERNAL = 13, CONNECT_UNAVAILABLE = 14, CONNECT_DATA_LOSS = 15, CONNECT_UNAUTHENTICATED = 16,
    CONNECT_LATER = -1 /* never on the wire: a handler returns it to answer later, by connect_call_finish */
} connect_code_t;
/* Returns a code's name in the Connect protocol, "not_found"; static; "unknown" for other numbers. */
CONNECT_API const char *connect_code_name(connect_code_t code);

typedef struct connect_type_t connect_type_t; /* section 3 */
typedef struct connect_error_detail_t {
    connect_str_t type, value; /* "google.rpc.RetryInfo", and that message in protobuf binary */
} connect_error_detail_t;
typedef struct connect_error_t {
    connect_code_t code;
    connect_str_t message;      /* zero-terminated and, after a failure, never NULL: printf("%s", err.message.data) */
    struct { const connect_error_detail_t *items; size_t count; } details;
    connect_headers_t metadata; /* client: the response headers and trailers it came with */
    int os_error;               /* errno of a local failure, or 0 */
    bool from_peer;             /* true: the other end sent it; false: it was made on this side */
    char private_text[176];     /* the text, where no object is left that could hold it */
} connect_error_t;
/* Finds an error's first detail of a type and decodes it into a struct of that type. Returns false: none, or bad. */
CONNECT_API bool connect_error_find(const connect_error_t *error, const connect_type_t *type, void *message,
    connect_arena_t *arena);

