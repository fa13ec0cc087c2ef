/* connect.h 0.1.0 - Connect, gRPC and gRPC-Web for C: client and server in one header. SPDX-License-Identifier: MIT
   Made from src/ by amalgamate.py: edit there. Content: sha256 bddb8e3da5b65d43. */

/* connect.h: Connect, gRPC and gRPC-Web for C, client and server in one header.

   Build     connect_impl.c:    #define CONNECT_IMPLEMENTATION
                                #include "telemetry.connect.h"      (the library and the generated tables, as C)
             cc app.c connect_impl.c -lnghttp2 -lz -lzstd

   Server    connect_code_t read_it(connect_call_t *call, const ReadRequest *request, Reading *response, void *user) {
                 response->celsius = 61.5;
                 return CONNECT_OK;
             }
             Telemetry_handlers handlers = CONNECT_DEFAULTS;         (in full: acme_telemetry_v1_Telemetry_handlers)
             handlers.Read = read_it;
             server = connect_server_new(NULL, &err);
             Telemetry_serve(server, &handlers, NULL, NULL, &err);
             connect_server_listen(server, ":8080", NULL, &err);
             connect_server_run(server);

   Client    client = connect_client_new("http://gateway:8080", NULL, &err);
             if (Telemetry_Read_wait(client, &request, &reading, &arena, &err) != CONNECT_OK) puts(err.message.data);

   Conventions, said once
   Zero      Options start as CONNECT_DEFAULTS; a zero or NULL member means its default, never "unlimited".
   NULL      `options` and `error` may be NULL, and what ends in _or_null, and members that say so; nothing else may.
   Results   false, NULL and -1 are failure. *error is written on failure only; its texts are static, or in the arena
             passed, or in the call, or in the object asked, until it is asked again.
   Kept      What you pass is copied or used up before the function returns. Only these must live as long as the object:
             `user` pointers, types and files, and the objects that options point to (loop, allocator).
   Views     connect_str_t is not zero-terminated. A received message, with all it points to, lives until the callback
             returns; the request that on_request gets: until its call is over; with _wait: as long as the arena.
   Blocking  Only functions with _wait or _run in their name block. In a callback they fail: FAILED_PRECONDITION.
   Callbacks Come out of connect_loop_run, connect_server_run, connect_conn_feed and the _wait functions (and on_closed
             out of the freeing of its object), never out of the function that causes them. In a callback, all but _run
             and _wait may be called; what is freed there ends when the callback has returned.
   Threads   An object belongs to the thread that runs its loop. From any thread: connect_loop_post, and what works on
             messages, arenas and views alone. */

#if defined(CONNECT_VERSION_NUMBER) && CONNECT_VERSION_NUMBER != 100
#error "Two versions of connect.h meet in this file: do not include it in your library's public headers."
#endif
#ifndef CONNECT_H
#define CONNECT_H

/* #### src/api/platform.h ########################################################################################## */
/* ---- Feature-test macros: they count only before the first system include --------------------------------------- */
#ifdef CONNECT_IMPLEMENTATION
#if !defined(_POSIX_C_SOURCE) && !defined(__FreeBSD__) /* there it hides all that is beyond it */
#define _POSIX_C_SOURCE 200809L
#endif
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE 1
#endif
#if defined(__NetBSD__) && !defined(_NETBSD_SOURCE)
#define _NETBSD_SOURCE 1
#endif
#if defined(__APPLE__) && !defined(_DARWIN_C_SOURCE)
#define _DARWIN_C_SOURCE 1
#endif
#endif

/* #### src/api/version.h ########################################################################################### */
/* ---- Version ---------------------------------------------------------------------------------------------------- */
#define CONNECT_VERSION_NUMBER 100 /* major * 10000 + minor * 100 + patch */
#define CONNECT_VERSION_STRING "0.1.0"
#define CONNECT_GEN_API 1 /* what generated code was made for; another number there is an #error "Regenerate" */

/* #### src/api/config.h ############################################################################################ */
/* ---- Configuration: each switch is 0 or 1 and removes functions; none changes a struct --------------------------
   With CLIENT and SERVER both 0 what remains is the codec: messages, protobuf and JSON, without any networking. */
#ifdef CONNECT_CONFIG_FILE /* -DCONNECT_CONFIG_FILE='"connect_config.h"': a project's switches in one place */
#include CONNECT_CONFIG_FILE
#endif
#ifndef CONNECT_ENABLE_CLIENT
#define CONNECT_ENABLE_CLIENT 1
#endif
#ifndef CONNECT_ENABLE_SERVER
#define CONNECT_ENABLE_SERVER 1
#endif
#ifndef CONNECT_ENABLE_HTTP2 /* needs nghttp2 */
#define CONNECT_ENABLE_HTTP2 (CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER)
#endif
#ifndef CONNECT_ENABLE_GRPC
#define CONNECT_ENABLE_GRPC CONNECT_ENABLE_HTTP2
#endif
#ifndef CONNECT_ENABLE_JSON /* messages as JSON; Connect's errors are JSON in any case */
#define CONNECT_ENABLE_JSON 1
#endif
#ifndef CONNECT_ENABLE_SOCKETS /* sockets and the loop; without them: connect_conn_t, bytes in and bytes out */
#define CONNECT_ENABLE_SOCKETS (CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER)
#endif
#ifndef CONNECT_ENABLE_GZIP /* needs zlib */
#define CONNECT_ENABLE_GZIP (CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER)
#endif
#ifndef CONNECT_ENABLE_ZSTD /* needs zstd */
#define CONNECT_ENABLE_ZSTD (CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER)
#endif
#if CONNECT_ENABLE_GRPC && !CONNECT_ENABLE_HTTP2
#error "CONNECT_ENABLE_GRPC=1 needs CONNECT_ENABLE_HTTP2=1: gRPC ends a call with HTTP trailers."
#endif
#if !CONNECT_ENABLE_CLIENT && !CONNECT_ENABLE_SERVER && (CONNECT_ENABLE_HTTP2 || CONNECT_ENABLE_SOCKETS)
#error "CONNECT_ENABLE_HTTP2=1 and CONNECT_ENABLE_SOCKETS=1 need CONNECT_ENABLE_CLIENT=1 or CONNECT_ENABLE_SERVER=1."
#endif
#if !CONNECT_ENABLE_CLIENT && !CONNECT_ENABLE_SERVER && (CONNECT_ENABLE_GZIP || CONNECT_ENABLE_ZSTD)
#error "CONNECT_ENABLE_GZIP=1 and CONNECT_ENABLE_ZSTD=1 need CONNECT_ENABLE_CLIENT=1 or CONNECT_ENABLE_SERVER=1."
#endif
#if defined(CONNECT_NO_CLIENT) || defined(CONNECT_DISABLE_CLIENT)
#error "Write CONNECT_ENABLE_CLIENT=0."
#endif
#if defined(CONNECT_NO_SERVER) || defined(CONNECT_DISABLE_SERVER)
#error "Write CONNECT_ENABLE_SERVER=0."
#endif
#if defined(CONNECT_NO_HTTP2) || defined(CONNECT_DISABLE_HTTP2)
#error "Write CONNECT_ENABLE_HTTP2=0."
#endif
#if defined(CONNECT_NO_GRPC) || defined(CONNECT_DISABLE_GRPC)
#error "Write CONNECT_ENABLE_GRPC=0."
#endif
#if defined(CONNECT_NO_JSON) || defined(CONNECT_DISABLE_JSON)
#error "Write CONNECT_ENABLE_JSON=0."
#endif
#if defined(CONNECT_NO_SOCKETS) || defined(CONNECT_DISABLE_SOCKETS)
#error "Write CONNECT_ENABLE_SOCKETS=0."
#endif
#if defined(CONNECT_NO_GZIP) || defined(CONNECT_DISABLE_GZIP)
#error "Write CONNECT_ENABLE_GZIP=0."
#endif
#if defined(CONNECT_NO_ZSTD) || defined(CONNECT_DISABLE_ZSTD)
#error "Write CONNECT_ENABLE_ZSTD=0."
#endif

/* #### src/api/linkage.h ########################################################################################### */
/* ---- Linkage ---------------------------------------------------------------------------------------------------- */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef CONNECT_API /* hidden: two libraries of one process that each carry a copy never call into each other's */
#if defined(__GNUC__) && !defined(_WIN32)
#define CONNECT_API extern __attribute__((visibility("hidden")))
#else
#define CONNECT_API extern
#endif
#endif
#if defined(__GNUC__)
#define CONNECT_PRINTF(format_at, first_at) __attribute__((format(printf, format_at, first_at)))
#define CONNECT_CHECKED __attribute__((warn_unused_result)) /* to ignore AGAIN is to lose a message */
#else
#define CONNECT_PRINTF(format_at, first_at)
#define CONNECT_CHECKED
#endif
#ifdef __cplusplus
#define CONNECT_DEFAULTS {}
#define CONNECT_CAST(type, pointer) static_cast<type>(pointer)
#define CONNECT_NULL nullptr
#else
#define CONNECT_DEFAULTS {0}
#define CONNECT_CAST(type, pointer) ((type)(pointer))
#define CONNECT_NULL NULL
#endif
#define CONNECT_UNLIMITED 0xFFFFFFFFu /* for a limit or a timeout: none */

#ifdef __cplusplus
extern "C" {
#endif

/* #### src/api/memory.h ############################################################################################ */
/* ==== 1. Views and memory ======================================================================================== */

typedef struct connect_str_t { /* text or bytes that stand somewhere else; data == NULL: absent */
    const char *data;
    size_t len;
} connect_str_t;
#define CONNECT_STR_FMT "%.*s" /* printf(CONNECT_STR_FMT, CONNECT_STR_ARG(str)) */
#define CONNECT_STR_ARG(str) (int)(str).len, (str).data

/* Makes a view of a zero-terminated text; NULL gives the absent view. */
CONNECT_API connect_str_t connect_str_of(const char *text_or_null);
/* Tells whether two views hold the same bytes; absent equals empty. */
CONNECT_API bool connect_str_equal(connect_str_t a, connect_str_t b);

typedef struct connect_bool_list_t { const bool *items; size_t count; } connect_bool_list_t;
typedef struct connect_int32_list_t { const int32_t *items; size_t count; } connect_int32_list_t;
typedef struct connect_int64_list_t { const int64_t *items; size_t count; } connect_int64_list_t;
typedef struct connect_uint32_list_t { const uint32_t *items; size_t count; } connect_uint32_list_t;
typedef struct connect_uint64_list_t { const uint64_t *items; size_t count; } connect_uint64_list_t;
typedef struct connect_float_list_t { const float *items; size_t count; } connect_float_list_t;
typedef struct connect_double_list_t { const double *items; size_t count; } connect_double_list_t;
typedef struct connect_str_list_t { const connect_str_t *items; size_t count; } connect_str_list_t;

typedef struct connect_header_t { const char *name; connect_str_t value; } connect_header_t; /* name: lower case */
typedef struct connect_headers_t { const connect_header_t *items; size_t count; } connect_headers_t;
/* Finds a header by name, in any case. nth: 0 for the first of that name.
   Returns its value as on the wire (names in -bin: base64), or the absent view. */
CONNECT_API connect_str_t connect_headers_get(connect_headers_t headers, const char *name, size_t nth);

typedef struct connect_allocator_t { /* libc's rules; no sizes are given back: nghttp2, zlib and zstd have none */
    void *(*acquire)(void *ctx, size_t size);
    void *(*resize)(void *ctx, void *block_or_null, size_t size);
    void (*release)(void *ctx, void *block_or_null);
    void *ctx;
} connect_allocator_t;
/* Returns the allocator over malloc, realloc and free; static. */
CONNECT_API const connect_allocator_t *connect_allocator_libc(void);

typedef struct connect_arena_t { /* memory taken bit by bit and freed as one; CONNECT_DEFAULTS: grows by malloc */
    bool failed;                 /* something did not fit since the last reset: one check after many takes */
    bool private_fixed;
    char *private_next, *private_end;
    void *private_blocks;
    const connect_allocator_t *private_allocator;
} connect_arena_t;
/* Sets up an arena over a first block of the caller's, which stays in use until connect_arena_free.
   more_or_null: where further blocks come from; NULL: nowhere, the first is all. */
CONNECT_API void connect_arena_init(connect_arena_t *arena, void *first, size_t first_size,
    const connect_allocator_t *more_or_null);
/* Takes zeroed memory, aligned for any type. Returns NULL, and sets arena->failed, if it does not fit. */
CONNECT_API void *connect_arena_take(connect_arena_t *arena, size_t count, size_t size);
#define CONNECT_NEW(arena, type, count) CONNECT_CAST(type *, connect_arena_take((arena), (count), sizeof(type)))
/* Copies bytes into the arena, with a zero after them. Returns the absent view if they do not fit. */
CONNECT_API connect_str_t connect_arena_copy(connect_arena_t *arena, connect_str_t bytes);
/* Prints into the arena, with a zero after the text. Returns the absent view if it does not fit. */
CONNECT_API connect_str_t connect_arena_printf(connect_arena_t *arena, const char *format, ...) CONNECT_PRINTF(2, 3);
/* Gives up all that was taken, and keeps the memory for the next use. */
CONNECT_API void connect_arena_reset(connect_arena_t *arena);
/* Gives up all that was taken, and the memory, too. */
CONNECT_API void connect_arena_free(connect_arena_t *arena);

/* Base64, for headers in -bin: written unpadded, read in both forms. Returns the absent view: no room, or bad text. */
CONNECT_API connect_str_t connect_base64_encode(connect_str_t bytes, connect_arena_t *arena);
CONNECT_API connect_str_t connect_base64_decode(connect_str_t text, connect_arena_t *arena);

/* #### src/api/error.h ############################################################################################# */
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
} connect_error_t;
/* Finds an error's first detail of a type and decodes it into a struct of that type. Returns false: none, or bad. */
CONNECT_API bool connect_error_find(const connect_error_t *error, const connect_type_t *type, void *message,
    connect_arena_t *arena);

/* #### src/api/message.h ########################################################################################### */
/* ==== 3. Messages: types and codecs, of use without any RPC ======================================================
   A message is a plain struct, and a connect_type_t says how to read it. C members by kind: bool, int32_t ... double
   (enums: int32_t); string, bytes: connect_str_t; message, group: const T *; repeated: {const T *items; size_t count;};
   map: a list of entries {key, value}; oneof: int32_t x_case, union x. Present is what has has_x, or, without
   such a member, what is not NULL, zero or empty; in a oneof, what x_case names by its number. */

typedef enum connect_kind_t { /* the numbers of google.protobuf.FieldDescriptorProto.Type */
    CONNECT_KIND_DOUBLE = 1,
    CONNECT_KIND_FLOAT = 2,
    CONNECT_KIND_INT64 = 3,
    CONNECT_KIND_UINT64 = 4,
    CONNECT_KIND_INT32 = 5,
    CONNECT_KIND_FIXED64 = 6,
    CONNECT_KIND_FIXED32 = 7,
    CONNECT_KIND_BOOL = 8,
    CONNECT_KIND_STRING = 9,
    CONNECT_KIND_GROUP = 10,
    CONNECT_KIND_MESSAGE = 11,
    CONNECT_KIND_BYTES = 12,
    CONNECT_KIND_UINT32 = 13,
    CONNECT_KIND_ENUM = 14,
    CONNECT_KIND_SFIXED32 = 15,
    CONNECT_KIND_SFIXED64 = 16,
    CONNECT_KIND_SINT32 = 17,
    CONNECT_KIND_SINT64 = 18
} connect_kind_t;
enum { /* connect_field_t.flags */
    CONNECT_FIELD_REPEATED = 1,
    CONNECT_FIELD_PACKED = 2, /* written packed; both forms are read */
    CONNECT_FIELD_MAP = 4,    /* REPEATED entries; the last of a key counts */
    CONNECT_FIELD_REQUIRED = 8,
    CONNECT_FIELD_HAS = 16,      /* `presence` is the offset of bool has_x */
    CONNECT_FIELD_ONEOF = 32,    /* `presence` is the offset of int32_t x_case */
    CONNECT_FIELD_NULLABLE = 64, /* absent is NULL: messages; strings and bytes that track presence */
    CONNECT_FIELD_UTF8 = 128     /* the text is checked */
};
typedef struct connect_field_t { /* 16 bytes without pointers: shared, read-only pages even in a PIE */
    uint32_t number;
    uint16_t offset, presence; /* of the members in the struct */
    uint16_t name, json_name;  /* offsets into the type's names */
    uint16_t type;             /* index into the type's `types` or `enums` */
    uint8_t kind, flags;
} connect_field_t;
typedef struct connect_enum_value_t {
    int32_t number;
    uint32_t name;
} connect_enum_value_t;
typedef struct connect_enum_t {
    const char *full_name;              /* "acme.telemetry.v1.Quality" */
    const connect_enum_value_t *values; /* by number, aliases after the first */
    const char *names;
    uint16_t count;
    bool closed; /* a number it does not know goes to the unknown fields */
} connect_enum_t;
typedef enum connect_form_t { /* messages with a JSON form of their own */
    CONNECT_FORM_PLAIN,
    CONNECT_FORM_ANY,
    CONNECT_FORM_TIMESTAMP,
    CONNECT_FORM_DURATION,
    CONNECT_FORM_FIELD_MASK,
    CONNECT_FORM_STRUCT,
    CONNECT_FORM_VALUE,
    CONNECT_FORM_LIST,
    CONNECT_FORM_WRAPPER,
    CONNECT_FORM_EMPTY
} connect_form_t;
typedef struct connect_file_t connect_file_t;
struct connect_type_t {
    const char *full_name;              /* "acme.telemetry.v1.Reading" */
    const connect_field_t *fields;      /* by number */
    const connect_type_t *const *types; /* of message fields */
    const connect_enum_t *const *enums; /* of enum fields */
    const char *names;                  /* of fields, and their JSON names: each between its length, 0 if it has more
                                           than 255 bytes or an escape in JSON, and its zero; at most 64 KiB */
    const void *defaults;               /* a struct with the defaults set; NULL: all zero */
    const connect_file_t *file;
    const uint8_t *name_slots; /* perfect hash from both names to fields; NULL: they are compared in turn */
    uint32_t name_seed;
    uint32_t size; /* sizeof the struct */
    uint16_t field_count;
    uint16_t dense;     /* fields[i].number == i + 1 for i < dense */
    uint16_t unknown;   /* offset of connect_str_list_t unknown_fields */
    bool keeps_unknown; /* false: the struct has no such member, unknown fields are dropped */
    bool has_required;  /* here or in a message below */
    bool is_map_entry;
    bool is_message_set; /* its unknown fields are items of a MessageSet */
    uint8_t form;        /* connect_form_t */
};
typedef struct connect_extension_t { /* its value stays among the unknown fields until asked for */
    const connect_type_t *extendee;
    const connect_type_t *holder; /* a type with this one field; full_name is the extension's */
} connect_extension_t;
typedef enum connect_method_kind_t {
    CONNECT_UNARY,
    CONNECT_CLIENT_STREAM,
    CONNECT_SERVER_STREAM,
    CONNECT_BIDI_STREAM
} connect_method_kind_t;
typedef enum connect_idempotency_t {
    CONNECT_IDEMPOTENCY_UNKNOWN,
    CONNECT_NO_SIDE_EFFECTS,
    CONNECT_IDEMPOTENT
} connect_idempotency_t;
typedef struct connect_method_t {
    const char *path; /* "/acme.telemetry.v1.Telemetry/Read" */
    const connect_type_t *input, *output;
    connect_method_kind_t kind;
    connect_idempotency_t idempotency;
} connect_method_t;
typedef struct connect_service_t {
    const char *full_name; /* "acme.telemetry.v1.Telemetry" */
    const connect_file_t *file;
    const connect_method_t *const *methods;
    const struct connect_events_t *const *thunks; /* one for each method: they call the typed handlers */
    size_t method_count, handlers_size;
} connect_service_t;
struct connect_file_t {
    const char *name;         /* "acme/telemetry/v1/telemetry.proto" */
    connect_str_t descriptor; /* its FileDescriptorProto, for reflection; absent if generated without */
    struct {
        const connect_file_t *const *items;
        size_t count;
    } imports;
    struct {
        const connect_type_t *const *items;
        size_t count;
    } types;
    struct {
        const connect_enum_t *const *items;
        size_t count;
    } enums;
    struct {
        const connect_extension_t *const *items;
        size_t count;
    } extensions;
    struct {
        const connect_service_t *const *items;
        size_t count;
    } services;
};
typedef struct connect_schema_t { /* a set of files, generated or loaded */
    const connect_file_t *const *files;
    size_t count;
} connect_schema_t;

typedef struct connect_codec_options_t {
    uint32_t depth_max;  /* nesting; default 100 */
    uint32_t memory_max; /* bytes of decoded elements; default 16 MiB */
    bool merge;          /* decode into what the message holds; default: it is set to defaults first */
    bool copy;           /* decode: strings are copied to the arena; default: views of the input */
    bool drop_unknown;   /* decode: default: unknown fields are kept, and written again */
    bool partial;        /* a missing required field is no error */
    bool deterministic;  /* encode: maps in the order of their keys */
    bool json_strict;    /* unknown names are errors; default: they are skipped */
    bool json_defaults;  /* write fields that have their default value, too */
    bool json_proto_names, json_enum_numbers, json_pretty;
    connect_schema_t schema; /* where JSON finds the types of Any and extensions; servers add their own */
} connect_codec_options_t;

/* Sets a message to its defaults; the same as zeroing it unless the schema gives [default = x] or a closed enum. */
CONNECT_API void connect_message_init(const connect_type_t *type, void *message);
/* Reads a message from protobuf binary. arena: for lists, messages and copies.
   Errors: INVALID_ARGUMENT with field path and offset, RESOURCE_EXHAUSTED.
   Lifetime: strings are views of bytes, unless options->copy; all else is in the arena. */
CONNECT_API bool connect_message_decode(const connect_type_t *type, void *message, connect_str_t bytes,
    connect_arena_t *arena, const connect_codec_options_t *options, connect_error_t *error);
/* Writes a message as protobuf binary into the arena. Returns the bytes (data is not NULL even if there are none), or
   the absent view. Errors: INVALID_ARGUMENT (required field missing, text not UTF-8), RESOURCE_EXHAUSTED. */
CONNECT_API connect_str_t connect_message_encode(const connect_type_t *type, const void *message,
    connect_arena_t *arena, const connect_codec_options_t *options, connect_error_t *error);
#if CONNECT_ENABLE_JSON
/* The same for JSON; the text written has a zero after it. */
CONNECT_API bool connect_message_decode_json(const connect_type_t *type, void *message, connect_str_t json,
    connect_arena_t *arena, const connect_codec_options_t *options, connect_error_t *error);
CONNECT_API connect_str_t connect_message_encode_json(const connect_type_t *type, const void *message,
    connect_arena_t *arena, const connect_codec_options_t *options, connect_error_t *error);
#endif
/* Returns how many bytes connect_message_encode would write. */
CONNECT_API size_t connect_message_size(const connect_type_t *type, const void *message);
/* Tells whether two messages are equal: maps in any order, unknown fields byte by byte, NaN equals NaN. */
CONNECT_API bool connect_message_equal(const connect_type_t *type, const void *a, const void *b);
/* Copies deeply: `to` then points into the arena only. Returns false if it does not fit; `to` is then as after init. */
CONNECT_API bool connect_message_copy(const connect_type_t *type, void *to, const void *from, connect_arena_t *arena);
/* Merges deeply, by protobuf's rules: set fields replace, messages merge, lists append. Returns as copy. */
CONNECT_API bool connect_message_merge(const connect_type_t *type, void *to, const void *from, connect_arena_t *arena);

/* Makes types at run time from a google.protobuf.FileDescriptorSet that holds all imports.
   Errors: INVALID_ARGUMENT names file and type. Lifetime: all of it is in the arena. */
CONNECT_API bool connect_schema_load(
    connect_schema_t *schema, connect_str_t descriptor_set, connect_arena_t *arena, connect_error_t *error);
/* Find a message type by its full name, a method by its path; NULL if the schema has none. */
CONNECT_API const connect_type_t *connect_schema_type(connect_schema_t schema, const char *full_name);
CONNECT_API const connect_method_t *connect_schema_method(connect_schema_t schema, const char *path);
/* Finds a field by its name or its JSON name; NULL if there is none. */
CONNECT_API const connect_field_t *connect_message_field(const connect_type_t *type, connect_str_t name);
/* Returns where a field's value stands, as the member's C type, or NULL if it is absent. */
CONNECT_API const void *connect_message_get(
    const connect_type_t *type, const void *message, const connect_field_t *field);
/* Sets a field and its presence. value_or_null: of the member's C type, copied flat; NULL clears the field. */
CONNECT_API void connect_message_set(
    const connect_type_t *type, void *message, const connect_field_t *field, const void *value_or_null);
/* Finds the entry of a map field by a key of the key's C type; NULL if there is none. */
CONNECT_API const void *connect_message_map_get(
    const connect_type_t *type, const void *message, uint32_t number, const void *key);
/* Reads an extension out of the unknown fields into a struct of its holder type. Returns false: absent or bad. */
CONNECT_API bool connect_extension_get(
    const connect_extension_t *extension, const void *message, void *holder, connect_arena_t *arena);
/* Writes an extension in place of its earlier value. holder_or_null: NULL removes it. Returns false: no room. */
CONNECT_API bool connect_extension_set(
    const connect_extension_t *extension, void *message, const void *holder_or_null, connect_arena_t *arena);
/* Returns the name of an enum's number, NULL if it has none; and the number of a name, false if it has none. */
CONNECT_API const char *connect_enum_name(const connect_enum_t *type, int32_t number);
CONNECT_API bool connect_enum_number(const connect_enum_t *type, connect_str_t name, int32_t *number);

/* ---- The wire by hand, without types ---- */
typedef enum connect_wire_t {
    CONNECT_WIRE_VARINT = 0,
    CONNECT_WIRE_FIXED64 = 1,
    CONNECT_WIRE_BYTES = 2,
    CONNECT_WIRE_GROUP = 3,
    CONNECT_WIRE_FIXED32 = 5
} connect_wire_t;
typedef struct connect_record_t { /* one field as it stands on the wire */
    uint32_t number;
    connect_wire_t wire;
    uint64_t value;      /* VARINT, FIXED64, FIXED32 */
    connect_str_t bytes; /* BYTES, and the inside of a GROUP: messages are read by another reader */
} connect_record_t;
typedef struct connect_reader_t { /* connect_reader_t reader = {bytes, false}; */
    connect_str_t rest;
    bool failed;
} connect_reader_t;
typedef struct connect_writer_t { /* connect_writer_t writer = {&arena, {NULL, 0}, false, 0}; */
    connect_arena_t *arena;
    connect_str_t written; /* all of it so far, in the arena */
    bool failed;           /* the arena is full; what follows does nothing */
    size_t private_room;
} connect_writer_t;
/* Reads the next record. Returns false at the end, and at malformed bytes, which sets reader->failed, too. */
CONNECT_API bool connect_reader_next(connect_reader_t *reader, connect_record_t *record);
/* Reads a record's value as a kind. value: of the kind's C type; messages: a connect_str_t. Returns false: no such. */
CONNECT_API bool connect_record_get(const connect_record_t *record, connect_kind_t kind, void *value);
/* Writes a field of a kind. value: as for connect_record_get. */
CONNECT_API void connect_writer_put(connect_writer_t *writer, uint32_t number, connect_kind_t kind, const void *value);

/* #### src/api/call.h ############################################################################################## */
/* ==== 4. Calls: one RPC, seen from either end ====================================================================
   The verbs are the same at both ends and for all kinds: send, finish, pause, resume; a unary call is a stream of one
   message each way. Half duplex over HTTP/1.1 is no case of its own: the same events come, only the peer reads late. */

typedef struct connect_call_t connect_call_t;

typedef enum connect_io_t { /* the same for sending and receiving, so that a forwarder can return what send said */
    CONNECT_IO_OK = 0,    /* taken */
    CONNECT_IO_AGAIN = 1, /* not taken. Sent: try again in on_writable. Received: comes again after resume */
    CONNECT_IO_END = 2,   /* no more: nothing can be sent any longer; from on_message: drop the rest */
    CONNECT_IO_ERROR = 3  /* it failed; on_closed, or *error, says why. From on_message: as END */
} connect_io_t;

typedef struct connect_events_t { /* what happens to a call; a NULL slot is passed over */
    /* Server: the request's headers are in. Client: the response's. Another code than OK ends the call. */
    connect_code_t (*on_open)(connect_call_t *call, void *user);
    /* Server, unary and server streaming: the request. response: zeroed, to fill in; NULL if streaming.
       Returns the code that ends the call, or CONNECT_LATER: it goes on until connect_call_finish. */
    connect_code_t (*on_request)(connect_call_t *call, const void *request, void *response, void *user);
    /* Server, client streaming and bidi: a request. Client: a response; a single one stays until on_closed returns. */
    connect_io_t (*on_message)(connect_call_t *call, const void *message, void *user);
    /* Server, client streaming and bidi: the client has sent all, and all of it was taken. As on_request (response:
       NULL for bidi); a NULL slot is as if it returned OK. */
    connect_code_t (*on_end)(connect_call_t *call, void *response, void *user);
    /* There is room to send: at first, and again after AGAIN. */
    void (*on_writable)(connect_call_t *call, void *user);
    /* This end or the other is about to stop: finish soon. */
    void (*on_drain)(connect_call_t *call, void *user);
    /* Exactly once and last, unless the first event ended the call by what it returned. NULL: it ended with OK. */
    void (*on_closed)(connect_call_t *call, const connect_error_t *error_or_null, void *user);
} connect_events_t;

typedef enum connect_protocol_t { /* 0: the default */
    CONNECT_PROTOCOL_CONNECT = 1, CONNECT_PROTOCOL_GRPC = 2, CONNECT_PROTOCOL_GRPC_WEB = 3
} connect_protocol_t;
typedef enum connect_http_version_t { CONNECT_HTTP_1 = 1, CONNECT_HTTP_2 = 2 } connect_http_version_t; /* 0: default */
typedef struct connect_peer_t {
    const char *address;           /* "10.0.0.7:51234", "[::1]:443", "unix:", "memory:" */
    connect_http_version_t http;
} connect_peer_t;
typedef struct connect_call_info_t {
    const connect_method_t *method;
    const char *path;              /* as asked for, without the prefix */
    bool is_server;                /* which end this is */
    connect_protocol_t protocol;
    const char *codec;             /* "proto" or "json" */
    const char *compression_received, *compression_sent; /* "identity", "gzip", "zstd", or a registered name */
    connect_headers_t headers;     /* received: the request's on the server, the response's on the client */
    connect_headers_t trailers;    /* received, once the other end has sent all */
    connect_str_t query;           /* of a Connect GET, undecoded; absent for POST */
    connect_peer_t peer;
} connect_call_info_t;
/* Around every call of a server, a route or a client, retries included. The first in a list is outermost: it sees
   requests first and responses last. A NULL slot is passed over. Unlike events these run inside the functions that
   cause them: start, send, finish. */
typedef struct connect_interceptor_t {
    /* Headers are in (server) or about to go (client), no body was read. *answer = a response: ends the call here
       with success. Another code than OK ends it with that; LATER: it waits for connect_call_proceed. */
    connect_code_t (*on_open)(connect_call_t *call, const void **answer, void *user);
    /* A message came in (again after AGAIN), or is about to go (but for connect_call_send_encoded of a typed method).
       *message may be replaced. Another code than OK ends the call. */
    connect_code_t (*on_receive)(connect_call_t *call, const void **message, void *user);
    connect_code_t (*on_send)(connect_call_t *call, const void **message, void *user);
    /* Once for every on_open: the outcome, code OK included, before it is sent (server) or told (client). It may be
       changed (an error to OK: the response is then an empty one); trailers may be added. */
    void (*on_finish)(connect_call_t *call, connect_error_t *error, void *user);
    void *user;
} connect_interceptor_t;

#if CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER
/* Returns what is known about a call. Lifetime: the call's; headers and trailers appear as they come. */
CONNECT_API const connect_call_info_t *connect_call_info(const connect_call_t *call);
/* Returns the milliseconds left until the deadline: 0 if it has passed, INT64_MAX if there is none. */
CONNECT_API int64_t connect_call_time_left_ms(const connect_call_t *call);
/* Returns memory that lives as long as the call. A new call has 256 bytes of it without allocation. */
CONNECT_API connect_arena_t *connect_call_arena(connect_call_t *call);
/* Returns memory that is reset when the present callback returns: for the messages of long streams. */
CONNECT_API connect_arena_t *connect_call_scratch(connect_call_t *call);
/* Sets what this call's later events get as `user`: state of the one call instead of the route's. */
CONNECT_API void connect_call_set_user(connect_call_t *call, void *user);
/* Keeps a pointer for whoever knows the key, say from an interceptor to the handler; the first 4 cannot fail.
   key: any address, compared as such. Returns false: out of memory. */
CONNECT_API bool connect_call_set_value(connect_call_t *call, const void *key, void *value);
/* Returns a pointer kept; NULL for an unknown key. key_or_null: NULL is connect_call_options_t.context. */
CONNECT_API void *connect_call_value(const connect_call_t *call, const void *key_or_null);
/* Adds a header to what this end sends, or a trailer to what the server sends; on the client: in on_open of
   interceptors, and headers only.
   Returns false: they are gone already, the name is the protocol's own, the text is not allowed (-bin: not base64). */
CONNECT_API bool connect_call_set_header(connect_call_t *call, const char *name, connect_str_t value);
CONNECT_API bool connect_call_set_trailer(connect_call_t *call, const char *name, connect_str_t value);
/* Chooses the compression of what is sent from now on. Once something was sent: what was chosen before, or "identity".
   Returns false: none of these, nor what the peer accepts. */
CONNECT_API bool connect_call_set_compression(connect_call_t *call, const char *name);
/* Changes the limits of this call's messages, in bytes; in on_open, before the body is read. 0: as they are. */
CONNECT_API void connect_call_set_limits(connect_call_t *call, uint32_t receive_bytes, uint32_t send_bytes);
/* Sets the error that the call will end with. Returns its code, so that a handler can return connect_call_fail(...). */
CONNECT_API connect_code_t connect_call_fail(connect_call_t *call, connect_code_t code, const char *format,
    ...) CONNECT_PRINTF(3, 4);
/* The same with an error from elsewhere: code, message, details, and metadata as trailers; copied. */
CONNECT_API connect_code_t connect_call_fail_as(connect_call_t *call, const connect_error_t *error);
/* Adds a typed detail to the error that the call will end with. Returns false: it does not encode, or no room. */
CONNECT_API bool connect_call_add_detail(connect_call_t *call, const connect_type_t *type, const void *message);

/* Sends a message; it is encoded before the function returns.
   message_or_null: a struct of the method's type; NULL: only the headers go, now.
   Returns OK; AGAIN: over the send buffer, on_writable will come; END: the call is over; ERROR: it does not encode or
   is over a limit, the call ends. */
CONNECT_API connect_io_t connect_call_send(connect_call_t *call, const void *message_or_null) CONNECT_CHECKED;
/* Sends a message that is encoded already, in info->codec: one encoding for many receivers. Returns as send. */
CONNECT_API connect_io_t connect_call_send_encoded(connect_call_t *call, connect_str_t bytes) CONNECT_CHECKED;
/* Ends what this end sends. Server: ends the call with the code. Client: OK says that there are no more requests,
   another code cancels the call. message_or_null: a last message; a server that answers with one message: NULL stands
   for the response the handler was given. What was sent before still goes out. A second finish does nothing,
   while the call lives.
   Lifetime: a unary call left open by CONNECT_LATER stays until its finish, which is due even if the peer is gone; all
   other calls until on_closed has returned. */
CONNECT_API void connect_call_finish(connect_call_t *call, connect_code_t code, const void *message_or_null);
/* Stop and restart on_message; meanwhile the peer's window stays shut. AGAIN from on_message pauses, too. */
CONNECT_API void connect_call_pause(connect_call_t *call);
CONNECT_API void connect_call_resume(connect_call_t *call);
/* Has a function called when nobody waits for a unary call's deferred answer any more: the peer is gone, the deadline
   has passed. connect_call_finish is due all the same. (Streams have on_closed.) */
CONNECT_API void connect_call_on_cancel(connect_call_t *call, void (*cancel)(connect_call_t *call, void *arg),
    void *arg);
/* Carries on a call whose interceptor's on_open returned CONNECT_LATER, as if it returned only now. A second proceed
   does nothing, while the call lives. Due even if the peer is gone: until then the call stays. */
CONNECT_API void connect_call_proceed(connect_call_t *call, connect_code_t code, const void *answer_or_null);
#endif

/* #### src/api/loop.h ############################################################################################## */
/* ==== 5. The loop ================================================================================================ */

typedef struct connect_loop_t connect_loop_t;
typedef struct connect_task_t { /* something to do on a loop's thread: a CONNECT_DEFAULTS member of a struct of yours */
    struct connect_task_t *private_next, *private_child, *private_before;
    void (*private_run)(void *arg);
    void *private_arg;
    int64_t private_due_ms;
    uint64_t private_sequence;
    int private_waits, private_place;
} connect_task_t;
#if CONNECT_ENABLE_SOCKETS
/* Makes an event loop (epoll, kqueue) for any number of servers and clients. */
CONNECT_API connect_loop_t *connect_loop_new(const connect_allocator_t *allocator_or_null, connect_error_t *error);
/* Frees a loop, after its servers and clients. */
CONNECT_API void connect_loop_free(connect_loop_t *loop_or_null);
/* Waits for events and handles them. timeout_ms: at most; 0: no wait, -1: no end. Returns false: nothing can come. */
CONNECT_API bool connect_loop_run(connect_loop_t *loop, int timeout_ms);
/* For a loop of yours around this one: wait until this one descriptor is readable, or for so many milliseconds (-1: no
   timer; new after each run), then connect_loop_run(loop, 0). What is sent or started outside makes it readable. */
CONNECT_API int connect_loop_fd(const connect_loop_t *loop);
CONNECT_API int connect_loop_timeout_ms(const connect_loop_t *loop);
/* Has a function called on the loop's thread; from any thread or signal handler. Cannot fail and allocates nothing.
   task: in use until then; if it waits already it is left as it is. */
CONNECT_API void connect_loop_post(connect_loop_t *loop, connect_task_t *task, void (*run)(void *arg), void *arg);
/* The same after a delay, counted anew if the task waits already; on the loop's thread. delay_ms: -1 takes it back
   (run_or_null may then be NULL). */
CONNECT_API void connect_loop_after(connect_loop_t *loop, connect_task_t *task, int64_t delay_ms,
    void (*run_or_null)(void *arg), void *arg);
/* Returns the loop that runs a call; it outlives the call. */
CONNECT_API connect_loop_t *connect_call_loop(const connect_call_t *call);
#endif

/* #### src/api/conn.h ############################################################################################## */
/* ==== 6. A connection without I/O: bytes in, bytes out ===========================================================
   From connect_server_accept, or given to connect_client_options_t.dial. Carry bytes until wants is 0, then close.
   A client's connection opens with the first connect_conn_feed, which may bring no bytes. */

typedef struct connect_conn_t connect_conn_t;
enum {
    CONNECT_WANTS_READ = 1,
    CONNECT_WANTS_WRITE = 2,
    CONNECT_WANTS_WAKE = 4 /* neither for now: on_output or the deadline will say */
};
#if CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER
/* Takes bytes from the peer, and runs what they cause. now_ms: a clock that never goes back; len 0 only tells the time.
   Returns how many were taken; if fewer than len, offer the rest when wants says READ again. */
CONNECT_API size_t connect_conn_feed(connect_conn_t *conn, const void *bytes, size_t len, int64_t now_ms);
/* Returns the bytes to write; they stay until the next call on conn. Then say how many were written. */
CONNECT_API connect_str_t connect_conn_output(connect_conn_t *conn);
CONNECT_API void connect_conn_sent(connect_conn_t *conn, size_t len);
/* Returns CONNECT_WANTS_ bits; 0: it is over. */
CONNECT_API unsigned connect_conn_wants(const connect_conn_t *conn);
/* Returns when connect_conn_feed is due at the latest, in now_ms; INT64_MAX: no need. */
CONNECT_API int64_t connect_conn_deadline_ms(const connect_conn_t *conn);
/* Has a function called when there is output that connect_conn_feed did not cause. */
CONNECT_API void connect_conn_on_output(connect_conn_t *conn, void (*output)(connect_conn_t *conn, void *user),
    void *user);
/* Says that the transport is gone, and frees conn; due for every conn. Calls that run end: UNAVAILABLE or CANCELED. */
CONNECT_API void connect_conn_close(connect_conn_t *conn);
#endif

/* #### src/api/limits.h ############################################################################################ */
/* ==== 7. What servers and clients share ========================================================================== */

typedef struct connect_compression_t { /* beyond identity, gzip and zstd */
    const char *name;                  /* as in Content-Encoding, in lower case */
    bool (*compress)(void *ctx, connect_str_t in, connect_arena_t *arena, connect_str_t *out);
    /* Stops past max bytes, and then says true with out->len > max: too large is not corrupt. */
    bool (*decompress)(void *ctx, connect_str_t in, size_t max, connect_arena_t *arena, connect_str_t *out);
    void *ctx;
} connect_compression_t;

typedef enum connect_preset_t { CONNECT_PRESET_GATEWAY, CONNECT_PRESET_TINY } connect_preset_t;
typedef struct connect_limits_t {         /* a zero takes the preset's value:                GATEWAY        TINY */
    connect_preset_t preset;
    uint32_t connections;                 /*                                                 256            32 */
    uint32_t requests;                    /* in the life of an HTTP/1.1 connection           10,000         1,000 */
    uint32_t streams;                     /* at once on a connection                         100            16 */
    uint32_t stream_window, connection_window; /* bytes a peer may send unread              64, 256 KiB    16, 64 KiB */
    uint32_t stream_buffer, connection_buffer; /* bytes waiting to go out, then AGAIN       64, 256 KiB    16, 32 KiB */
    uint32_t header_bytes, header_count;  /* of headers, and of trailers                     16 KiB, 128    8 KiB, 64 */
    uint32_t url_bytes;                   /* request line; a client's longer GET is a POST   8 KiB          4 KiB */
    uint32_t receive_bytes, send_bytes;   /* of one message, uncompressed                    4 MiB          256 KiB */
    uint32_t decode_bytes;                /* of one message's elements in memory             16 MiB         1 MiB */
    uint32_t depth;                       /* of nested messages                              100            32 */
    uint32_t zstd_window;                 /* bytes                                           8 MiB          1 MiB */
    uint32_t reset_burst, reset_rate;     /* streams reset by either end; per second         200, 33        50, 10 */
    uint32_t frame_burst, frame_rate;     /* frames of no use; per second                    10,000, 1,000 1,000, 100 */
    uint32_t header_ms;                   /* first byte to last header; preface, SETTINGS    10 s           10 s */
    uint32_t body_gap_ms;                 /* between two pieces of a request's body          30 s           30 s */
    uint32_t write_stall_ms;              /* nothing could be written                        30 s           30 s */
    uint32_t idle_http1_ms, idle_http2_ms; /*                                               60 s, 5 min    15 s, 60 s */
    uint32_t drain_ms;                    /*                                                 10 s           5 s */
    uint32_t dial_ms;                     /* client: for each address of a name              5 s            5 s */
} connect_limits_t;

/* #### src/api/server.h ############################################################################################ */
/* ==== 8. Server ================================================================================================== */

typedef struct connect_deadlines_t { /* what becomes of the client's timeout */
    uint32_t default_ms;             /* if it gives none; default: no deadline */
    uint32_t min_ms, max_ms;         /* it is raised or cut to these; default: as given */
    bool spare_streams;              /* streams need only begin in time */
} connect_deadlines_t;
typedef struct connect_server_options_t {
    const connect_allocator_t *allocator;  /* default libc */
    connect_loop_t *loop;                  /* default: one of its own */
    connect_limits_t limits;
    connect_deadlines_t deadlines;
    const char *prefix;                    /* of all RPC paths, "/api"; default "" */
    const connect_interceptor_t *interceptors; /* around every call */
    size_t interceptor_count;
    connect_codec_options_t codec_options; /* drop_unknown and json_; the rest comes from limits */
    const connect_compression_t *compressions; /* registered beside the built-in ones; copied */
    size_t compression_count;
    const char *compression;               /* of responses; default: what the client likes best; "identity": none */
    const char *accept;                    /* compressions of requests, "zstd, gzip"; default: all; "identity": none */
    uint32_t compress_min;                 /* bytes; what is shorter goes as it is; default 1,024 */
    int32_t compression_level;             /* of gzip and zstd; default: their fast ones */
    bool no_connect, no_grpc, no_grpc_web, no_json, no_get, no_http1, no_http2;
    bool require_connect_header;           /* refuses Connect requests without Connect-Protocol-Version */
} connect_server_options_t;
typedef struct connect_route_options_t {   /* of one service; default: as the server's */
    const char *prefix;                    /* instead of the server's; "": none */
    const connect_interceptor_t *interceptors; /* inside the server's */
    size_t interceptor_count;
    connect_deadlines_t deadlines;
    uint32_t receive_bytes, send_bytes;
    const char *compression;
} connect_route_options_t;
typedef struct connect_listen_options_t {
    uint32_t unix_mode;                    /* permissions of a Unix socket; default 0660 */
    uint32_t backlog;                      /* default 1,024 */
    bool reuse_port;                       /* several servers may listen here: one per thread, with state of its own */
} connect_listen_options_t;

typedef struct connect_server_t connect_server_t;
#if CONNECT_ENABLE_SERVER
/* Makes a server without services and listeners. Errors: INVALID_ARGUMENT names the option, RESOURCE_EXHAUSTED. */
CONNECT_API connect_server_t *connect_server_new(const connect_server_options_t *options, connect_error_t *error);
/* Ends all that runs, at once, and frees the server. What was left open by CONNECT_LATER must be finished before. */
CONNECT_API void connect_server_free(connect_server_t *server_or_null);
/* Adds a generated service; use its typed <Service>_serve. handlers: the service's table; a NULL method is
   UNIMPLEMENTED. The thunks find the table by connect_call_value(call, service). Errors: ALREADY_EXISTS. */
CONNECT_API bool connect_server_add_service(connect_server_t *server, const connect_service_t *service,
    const void *handlers, void *user, const connect_route_options_t *options, connect_error_t *error);
#if CONNECT_ENABLE_SOCKETS
/* Listens on one more address, for all protocols, HTTP/1.1 and HTTP/2.
   address: "host:port", ":port", "unix:/path", "unix-abstract:name", "fd:3". Port 0: any free one. Returns the port, 0
   where there is none, or -1. Errors: with os_error; UNAVAILABLE, PERMISSION_DENIED, INVALID_ARGUMENT. */
CONNECT_API int connect_server_listen(connect_server_t *server, const char *address,
    const connect_listen_options_t *options, connect_error_t *error);
/* Serves until connect_server_drain has done its work, deferred calls included. */
CONNECT_API void connect_server_run(connect_server_t *server);
#endif
/* Takes a connection over a transport of yours. peer: its address, for info. */
CONNECT_API connect_conn_t *connect_server_accept(connect_server_t *server, const char *peer, connect_error_t *error);
/* Takes no more connections and calls, tells peers and on_drain, and at last closes what still runs.
   grace_ms: until then; 0: limits.drain_ms. In a signal handler: post a task that calls it. */
CONNECT_API void connect_server_drain(connect_server_t *server, uint32_t grace_ms);
#endif

/* #### src/api/client.h ############################################################################################ */
/* ==== 9. Client ================================================================================================== */

typedef struct connect_client_t connect_client_t;
/* Opens a transport for a connection, whose bytes it then carries (section 6). Returns OK, or why it cannot. */
typedef connect_code_t connect_dialer_t(connect_conn_t *conn, const char *address, void *user);

typedef struct connect_client_options_t {
    const connect_allocator_t *allocator;  /* default libc */
    connect_loop_t *loop;                  /* default: one of its own, run by the _wait functions */
    connect_limits_t limits;
    const char *address;                   /* where to dial, as for connect_server_listen; default: the URL's host */
    connect_server_t *loopback;            /* calls this server in memory, on its loop; outlives the client; or NULL */
    connect_protocol_t protocol;           /* default Connect */
    const char *codec;                     /* default "proto" */
    connect_http_version_t http;           /* default: HTTP/2 for gRPC, else HTTP/1.1 */
    const connect_compression_t *compressions; /* registered beside the built-in ones; copied */
    size_t compression_count;
    const char *compression;               /* of requests; default "identity" */
    const char *accept;                    /* compressions of responses, "zstd, gzip"; default: all; "identity": none */
    uint32_t compress_min;                 /* bytes; what is shorter goes as it is; default 1,024 */
    int32_t compression_level;             /* of gzip and zstd; default: their fast ones */
    bool get;                              /* Connect GET for methods without side effects */
    connect_headers_t headers;             /* with every call; copied */
    uint32_t timeout_ms;                   /* default 30,000; for streams: none */
    connect_dialer_t *dial;                /* default sockets */
    void *user;                            /* for dial */
    const connect_interceptor_t *interceptors; /* around every call */
    size_t interceptor_count;
    connect_codec_options_t codec_options;
} connect_client_options_t;
typedef struct connect_reply_t { connect_headers_t headers, trailers; } connect_reply_t;
typedef struct connect_call_options_t {    /* of one call; default: the client's */
    uint32_t timeout_ms;
    connect_headers_t headers;             /* after the client's */
    uint32_t receive_bytes, send_bytes;
    const char *compression, *codec;
    connect_protocol_t protocol;
    bool get, no_get;
    void *context;                         /* for interceptors: connect_call_value(call, NULL) */
    connect_reply_t *reply;                /* unary _wait: takes headers and trailers, in the arena; NULL: not wanted */
} connect_call_options_t;

#if CONNECT_ENABLE_CLIENT
/* Makes a client for the server at one address, dialled when needed.
   base_url: "http://host:port/prefix". Errors: INVALID_ARGUMENT; UNIMPLEMENTED for https://. */
CONNECT_API connect_client_t *connect_client_new(const char *base_url, const connect_client_options_t *options,
    connect_error_t *error);
/* Ends all calls with CANCELED, and frees the client. */
CONNECT_API void connect_client_free(connect_client_t *client_or_null);
/* Starts a call of any kind; then connect_call_send and connect_call_finish(call, CONNECT_OK, last_request_or_null).
   events_or_null: NULL: the _wait functions below are used instead. user_or_null: what events get. Returns NULL: it
   could not be tried; no event comes. Lifetime: until on_closed has returned, or connect_call_free. */
CONNECT_API connect_call_t *connect_client_start(connect_client_t *client, const connect_method_t *method,
    const connect_events_t *events_or_null, void *user_or_null, const connect_call_options_t *options,
    connect_error_t *error);
/* Makes a unary call and waits for its end. Returns its code. Lifetime: response and error are in the arena. */
CONNECT_API connect_code_t connect_client_unary_wait(connect_client_t *client, const connect_method_t *method,
    const void *request, void *response, connect_arena_t *arena, const connect_call_options_t *options,
    connect_error_t *error);
/* Sends as connect_call_send, but waits where that says AGAIN. */
CONNECT_API connect_io_t connect_call_send_wait(connect_call_t *call, const void *message, connect_error_t *error);
/* Waits for the next response. Returns OK: message is filled in, in the arena; END: the call ended with OK; ERROR. */
CONNECT_API connect_io_t connect_call_receive_wait(connect_call_t *call, void *message, connect_arena_t *arena,
    connect_error_t *error);
/* Frees a call that was started without events; cancels it if it runs. */
CONNECT_API void connect_call_free(connect_call_t *call_or_null);
#endif

/* #### src/api/report.h ############################################################################################ */
/* Returns version and switches of the compiled library, "connect.h 0.1.0 HTTP2=1 GRPC=1 ...", for logs; static. */
CONNECT_API const char *connect_build_info(void);

#ifdef __cplusplus
}
#endif
#endif /* CONNECT_H */

/* ==== Implementation: outside the guard, so that it can be asked for after an earlier include ==================== */
#if defined(CONNECT_IMPLEMENTATION) && !defined(CONNECT_IMPLEMENTATION_DONE)
#define CONNECT_IMPLEMENTATION_DONE
#ifdef __cplusplus
#error "Compile the file that defines CONNECT_IMPLEMENTATION as C; the declarations serve C and C++."
#endif

/* #### src/base/sys.h ############################################################################################## */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if CONNECT_ENABLE_SOCKETS
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#if !defined(CN_POLLER_KQUEUE) /* a test of one system's poller on another says it itself */
#if defined(__linux__)
#define CN_POLLER_KQUEUE 0
#elif defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__)
#define CN_POLLER_KQUEUE 1
#else
#error "CONNECT_ENABLE_SOCKETS=1 is for Linux, macOS, FreeBSD, NetBSD. Write 0, and carry the bytes yourself."
#endif
#endif
#if CN_POLLER_KQUEUE
#include <sys/event.h>
#else
#include <sys/epoll.h>
#include <sys/eventfd.h>
#endif
#endif
#if defined(__SSE2__) && defined(__GNUC__)
#include <emmintrin.h>
#endif
#if CONNECT_ENABLE_HTTP2
#include <nghttp2/nghttp2.h>
#endif
#if CONNECT_ENABLE_GZIP
#include <zlib.h>
#endif
#if CONNECT_ENABLE_ZSTD
#define ZSTD_STATIC_LINKING_ONLY /* for contexts that live in our allocator's memory */
#include <zstd.h>
#include <zstd_errors.h>
#undef ZSTD_STATIC_LINKING_ONLY
#endif

/* Private functions: static in the single header, hidden when the modules are compiled one by one. */
#if defined(CN_MODULES)
#define CN_PRIVATE __attribute__((visibility("hidden")))
#elif defined(__GNUC__)
#define CN_PRIVATE static __attribute__((unused)) /* a switch may leave one without a caller */
#else
#define CN_PRIVATE static
#endif
#if defined(__GNUC__)
#define CN_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define CN_UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#else
#define CN_LIKELY(condition) (condition)
#define CN_UNLIKELY(condition) (condition)
#endif
/* Inlined where speed is asked for, and not size; kept out of line, off the path that is taken most; never taken in a
   good case. */
#if defined(__GNUC__) && !defined(__OPTIMIZE_SIZE__)
#define CN_HOT __attribute__((always_inline))
#else
#define CN_HOT
#endif
#if defined(__GNUC__)
#define CN_APART __attribute__((noinline))
#define CN_COLD __attribute__((noinline, cold))
#else
#define CN_APART
#define CN_COLD
#endif
#define CN_MIN(a, b) ((a) < (b) ? (a) : (b))
#define CN_MAX(a, b) ((a) > (b) ? (a) : (b))
#define CN_LEN(array) (sizeof(array) / sizeof *(array))
/* The struct that holds this member: for intrusive lists, and for what is embedded as a base. */
#define CN_CONTAINER(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* #### src/base/mem.h ############################################################################################## */
/* memcpy and memcmp == 0 for what is mostly short: words that overlap, and no call. */
static inline CN_HOT void cn_mem_copy(char *to, const char *from, size_t len) {
    if (len > 16) {
        memcpy(to, from, len);
    } else if (len >= 8) {
        uint64_t first, last;
        memcpy(&first, from, 8);
        memcpy(&last, from + len - 8, 8);
        memcpy(to, &first, 8);
        memcpy(to + len - 8, &last, 8);
    } else if (len >= 4) {
        uint32_t first, last;
        memcpy(&first, from, 4);
        memcpy(&last, from + len - 4, 4);
        memcpy(to, &first, 4);
        memcpy(to + len - 4, &last, 4);
    } else if (len) {
        to[0] = from[0];
        to[len >> 1] = from[len >> 1];
        to[len - 1] = from[len - 1];
    }
}

static inline CN_HOT bool cn_mem_equal(const char *a, const char *b, size_t len) {
    if (len > 16) return memcmp(a, b, len) == 0;
    if (len >= 8) {
        uint64_t a_first, a_last, b_first, b_last;
        memcpy(&a_first, a, 8);
        memcpy(&a_last, a + len - 8, 8);
        memcpy(&b_first, b, 8);
        memcpy(&b_last, b + len - 8, 8);
        return ((a_first ^ b_first) | (a_last ^ b_last)) == 0;
    }
    if (len >= 4) {
        uint32_t a_first, a_last, b_first, b_last;
        memcpy(&a_first, a, 4);
        memcpy(&a_last, a + len - 4, 4);
        memcpy(&b_first, b, 4);
        memcpy(&b_last, b + len - 4, 4);
        return ((a_first ^ b_first) | (a_last ^ b_last)) == 0;
    }
    return len == 0 || (a[0] == b[0] && a[len >> 1] == b[len >> 1] && a[len - 1] == b[len - 1]);
}

/* Allocator calls; allocator: NULL is libc. cn_mem_acquire gives zeroed memory; size 0 is taken as 1. */
CN_PRIVATE void *cn_mem_acquire(const connect_allocator_t *allocator, size_t size);
CN_PRIVATE void *cn_mem_resize(const connect_allocator_t *allocator, void *block, size_t size);
CN_PRIVATE void cn_mem_release(const connect_allocator_t *allocator, void *block);

/* Takes memory as connect_arena_take does, but not zeroed and without overflow check: size is in bytes. */
CN_PRIVATE void *cn_arena_raw(connect_arena_t *arena, size_t size);
/* Grows what was taken last in place, or moves it; new bytes are not zeroed. block NULL: takes anew. */
CN_PRIVATE void *cn_arena_grow(connect_arena_t *arena, void *block, size_t old_size, size_t new_size);
/* Gives back the tail of what was taken last. */
CN_PRIVATE void cn_arena_shrink(connect_arena_t *arena, void *block, size_t old_size, size_t new_size);
CN_PRIVATE connect_str_t cn_arena_vprintf(connect_arena_t *arena, const char *format, va_list arguments)
    CONNECT_PRINTF(2, 0);
/* How large the block is that is taken from; 0: none, or the caller's. */
CN_PRIVATE size_t cn_arena_block_size(const connect_arena_t *arena);

/* #### src/base/str.h ############################################################################################## */
/* A view of a string literal. */
#define CN_STR(literal) ((connect_str_t){(literal), sizeof(literal) - 1})
CN_PRIVATE connect_str_t cn_str(const char *data, size_t len);
/* ASCII only, as HTTP field names and media types compare. */
CN_PRIVATE bool cn_str_equal_nocase(connect_str_t a, connect_str_t b);
CN_PRIVATE bool cn_str_starts(connect_str_t text, connect_str_t prefix);
/* Without the spaces and tabs at both ends. */
CN_PRIVATE connect_str_t cn_str_trim(connect_str_t text);
/* Takes the part before the next separator off *rest; false at the end. "a,,b" has three parts. */
CN_PRIVATE bool cn_str_split(connect_str_t *rest, char separator, connect_str_t *part);
/* Reads decimal digits only, whole text, 1 to max_digits of them (at most 19). */
CN_PRIVATE bool cn_str_to_uint(connect_str_t text, size_t max_digits, uint64_t *value);
/* Writes decimal digits, no zero after them; `to` has room for 20. Returns how many. */
CN_PRIVATE size_t cn_str_from_uint(char *to, uint64_t value);
/* A text for an error message: at most 128 bytes of what a peer sent, what is not printable ASCII as \xNN, in the
   arena and zero-terminated; "" if there is no room. */
CN_PRIVATE connect_str_t cn_str_quote(connect_arena_t *arena, connect_str_t peer_data);
/* FNV-1a. */
CN_PRIVATE uint32_t cn_str_hash(connect_str_t text);

/* #### src/base/mem.c ############################################################################################## */
/* Memory: the allocator of the user's choice, and arenas over it.

   An arena is a list of blocks. Memory is taken from the youngest one by moving a pointer; a block that is too small
   stays behind, half used, and a larger one is taken: twice the size of the last, at least 1 KiB, at most 256 KiB
   unless one request needs more. Reset keeps the largest block only: after a few rounds of the same work, of up to
   256 KiB, one block holds all, and nothing is allocated any more. A first block may be the caller's (a stack array,
   or the tail of a struct); it is never released here.

   Encoders take from the end of the block, by moving private_end.

   Invariants: private_next <= private_end; both are NULL until the first block. Every block taken here starts with a
   cn_arena_block_t, the newest first. private_fixed says that the arena has an allocator field of NULL on purpose:
   the first block is all there is. All memory given out is aligned to CN_ARENA_ALIGN. */

#define CN_ARENA_ALIGN 16u
#define CN_ARENA_FIRST 1024u
#define CN_ARENA_LARGEST (256u * 1024u)

typedef struct cn_arena_block_t {
    struct cn_arena_block_t *older;
    size_t size; /* of the whole block, this head included; 0: the caller's block, never released here */
    char *begin, *end;
} cn_arena_block_t;

static void *cn_mem_libc_acquire(void *ctx, size_t size) {
    (void)ctx;
    return malloc(size);
}

static void *cn_mem_libc_resize(void *ctx, void *block, size_t size) {
    (void)ctx;
    return realloc(block, size);
}

static void cn_mem_libc_release(void *ctx, void *block) {
    (void)ctx;
    free(block);
}

const connect_allocator_t *connect_allocator_libc(void) {
    static const connect_allocator_t libc = {cn_mem_libc_acquire, cn_mem_libc_resize, cn_mem_libc_release, NULL};
    return &libc;
}

CN_PRIVATE void *cn_mem_acquire(const connect_allocator_t *allocator, size_t size) {
    void *block;
    if (!allocator) allocator = connect_allocator_libc();
    if (size == 0) size = 1;
    block = allocator->acquire(allocator->ctx, size);
    if (block) memset(block, 0, size);
    return block;
}

CN_PRIVATE void *cn_mem_resize(const connect_allocator_t *allocator, void *block, size_t size) {
    if (!allocator) allocator = connect_allocator_libc();
    return allocator->resize(allocator->ctx, block, size ? size : 1);
}

CN_PRIVATE void cn_mem_release(const connect_allocator_t *allocator, void *block) {
    if (!block) return;
    if (!allocator) allocator = connect_allocator_libc();
    allocator->release(allocator->ctx, block);
}

static size_t cn_arena_round(size_t size) {
    return (size + (CN_ARENA_ALIGN - 1)) & ~(size_t)(CN_ARENA_ALIGN - 1);
}

static char *cn_arena_align(char *at) {
    size_t over = (size_t)((uintptr_t)at & (CN_ARENA_ALIGN - 1));
    return over ? at + (CN_ARENA_ALIGN - over) : at;
}

/* Makes a block of at least so many bytes the one that is taken from. */
static bool cn_arena_add_block(connect_arena_t *arena, size_t size) {
    cn_arena_block_t *last = (cn_arena_block_t *)arena->private_blocks, *block;
    const size_t head = cn_arena_round(sizeof *block) + CN_ARENA_ALIGN;
    size_t whole = last && last->size ? CN_MIN(last->size * 2, (size_t)CN_ARENA_LARGEST) : CN_ARENA_FIRST;
    const connect_allocator_t *allocator = arena->private_allocator;
    if (arena->private_fixed || size > SIZE_MAX - head) return false;
    whole = CN_MAX(whole, size + head);
    if (!allocator) allocator = connect_allocator_libc();
    block = (cn_arena_block_t *)allocator->acquire(allocator->ctx, whole);
    if (!block) return false;
    block->older = last;
    block->size = whole;
    block->begin = cn_arena_align((char *)block + sizeof *block);
    arena->private_blocks = block;
    block->end = (char *)block + whole;
    arena->private_next = block->begin;
    arena->private_end = block->end;
    return true;
}

void connect_arena_init(
    connect_arena_t *arena, void *first, size_t first_size, const connect_allocator_t *more_or_null) {
    char *begin = cn_arena_align((char *)first);
    memset(arena, 0, sizeof *arena);
    arena->private_allocator = more_or_null;
    arena->private_fixed = more_or_null == NULL;
    if ((size_t)(begin - (char *)first) + sizeof(cn_arena_block_t) + CN_ARENA_ALIGN <= first_size) {
        cn_arena_block_t *block = (cn_arena_block_t *)(void *)begin;
        block->older = NULL;
        block->size = 0;
        block->begin = cn_arena_align(begin + sizeof *block);
        arena->private_blocks = block;
        block->end = (char *)first + first_size;
        arena->private_next = block->begin;
        arena->private_end = block->end;
    }
}

CN_PRIVATE void *cn_arena_raw(connect_arena_t *arena, size_t size) {
    size_t rounded = cn_arena_round(size ? size : 1);
    char *at;
    if (rounded < size ||
        ((size_t)(arena->private_end - arena->private_next) < rounded && !cn_arena_add_block(arena, rounded))) {
        arena->failed = true;
        return NULL;
    }
    at = arena->private_next;
    arena->private_next = at + rounded;
    return at;
}

void *connect_arena_take(connect_arena_t *arena, size_t count, size_t size) {
    void *at;
    if (size && count > SIZE_MAX / size) {
        arena->failed = true;
        return NULL;
    }
    at = cn_arena_raw(arena, count * size);
    if (at) memset(at, 0, count * size);
    return at;
}

CN_PRIVATE void *cn_arena_grow(connect_arena_t *arena, void *block, size_t old_size, size_t new_size) {
    void *moved;
    if (block && (char *)block + cn_arena_round(old_size ? old_size : 1) == arena->private_next) {
        size_t rounded = cn_arena_round(new_size);
        if (rounded >= new_size && (size_t)(arena->private_end - (char *)block) >= rounded) {
            arena->private_next = (char *)block + rounded;
            return block;
        }
    }
    moved = cn_arena_raw(arena, new_size);
    if (moved && block) memcpy(moved, block, CN_MIN(old_size, new_size));
    return moved;
}

CN_PRIVATE void cn_arena_shrink(connect_arena_t *arena, void *block, size_t old_size, size_t new_size) {
    if ((char *)block + cn_arena_round(old_size ? old_size : 1) == arena->private_next)
        arena->private_next = (char *)block + cn_arena_round(new_size ? new_size : 1);
}

connect_str_t connect_arena_copy(connect_arena_t *arena, connect_str_t bytes) {
    connect_str_t copy = {NULL, 0};
    char *to = bytes.len < SIZE_MAX ? (char *)cn_arena_raw(arena, bytes.len + 1) : NULL;
    if (!to) {
        arena->failed = true;
        return copy;
    }
    if (bytes.len) memcpy(to, bytes.data, bytes.len);
    to[bytes.len] = 0;
    copy.data = to;
    copy.len = bytes.len;
    return copy;
}

CN_PRIVATE connect_str_t cn_arena_vprintf(connect_arena_t *arena, const char *format, va_list arguments) {
    connect_str_t text = {NULL, 0};
    char small[256], *to;
    va_list again;
    int len;
    va_copy(again, arguments);
    len = vsnprintf(small, sizeof small, format, again);
    va_end(again);
    to = len < 0 ? NULL : (char *)cn_arena_raw(arena, (size_t)len + 1);
    if (!to) {
        arena->failed = true;
        return text;
    }
    if ((size_t)len < sizeof small)
        memcpy(to, small, (size_t)len + 1);
    else
        vsnprintf(to, (size_t)len + 1, format, arguments);
    text.data = to;
    text.len = (size_t)len;
    return text;
}

connect_str_t connect_arena_printf(connect_arena_t *arena, const char *format, ...) {
    connect_str_t text;
    va_list arguments;
    va_start(arguments, format);
    text = cn_arena_vprintf(arena, format, arguments);
    va_end(arguments);
    return text;
}

/* Releases all blocks older than the one given, except the caller's, which becomes the only older one. */
static void cn_arena_release_older(connect_arena_t *arena, cn_arena_block_t *block) {
    cn_arena_block_t *older = block->older, *first = NULL;
    while (older) {
        cn_arena_block_t *next = older->older;
        if (older->size)
            cn_mem_release(arena->private_allocator, older);
        else
            first = older;
        older = next;
    }
    block->older = first;
}

/* Makes the largest block the newest. It need not be that: after a request for more than CN_ARENA_LARGEST comes a block
   of that size again. */
static cn_arena_block_t *cn_arena_lift_largest(connect_arena_t *arena) {
    cn_arena_block_t *block = (cn_arena_block_t *)arena->private_blocks, *largest = block, *before = NULL;
    for (; block->older; block = block->older) {
        if (block->older->size > largest->size) {
            before = block;
            largest = block->older;
        }
    }
    if (before) {
        before->older = largest->older;
        largest->older = (cn_arena_block_t *)arena->private_blocks;
        arena->private_blocks = largest;
    }
    return largest;
}

void connect_arena_reset(connect_arena_t *arena) {
    cn_arena_block_t *block;
    arena->failed = false;
    if (!arena->private_blocks) return;
    block = cn_arena_lift_largest(arena);
    cn_arena_release_older(arena, block);
    arena->private_next = block->begin;
    arena->private_end = block->end;
}

void connect_arena_free(connect_arena_t *arena) {
    cn_arena_block_t *block = (cn_arena_block_t *)arena->private_blocks;
    const connect_allocator_t *allocator = arena->private_allocator;
    bool fixed = arena->private_fixed;
    if (block) {
        cn_arena_release_older(arena, block);
        if (block->size) cn_mem_release(allocator, block);
    }
    memset(arena, 0, sizeof *arena);
    arena->private_allocator = allocator;
    arena->private_fixed = fixed;
}

CN_PRIVATE size_t cn_arena_block_size(const connect_arena_t *arena) {
    const cn_arena_block_t *block = (const cn_arena_block_t *)arena->private_blocks;
    return block ? block->size : 0;
}

/* #### src/base/str.c ############################################################################################## */
/* Views of text and bytes that stand somewhere else, and the small texts that headers are made of. Nothing here depends
   on the locale: HTTP field names, media types and numbers are ASCII (RFC 9110 5.1, 5.6.2). */

#define CN_STR_QUOTE_MAX 128u /* bytes of a peer's data in an error text */

connect_str_t connect_str_of(const char *text_or_null) {
    connect_str_t text = {text_or_null, text_or_null ? strlen(text_or_null) : 0};
    return text;
}

bool connect_str_equal(connect_str_t a, connect_str_t b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

CN_PRIVATE connect_str_t cn_str(const char *data, size_t len) {
    connect_str_t text;
    text.data = data;
    text.len = len;
    return text;
}

static unsigned char cn_str_lower(char c) {
    unsigned char u = (unsigned char)c;
    return u >= 'A' && u <= 'Z' ? (unsigned char)(u + ('a' - 'A')) : u;
}

CN_PRIVATE bool cn_str_equal_nocase(connect_str_t a, connect_str_t b) {
    size_t i;
    if (a.len != b.len) return false;
    for (i = 0; i < a.len; i++)
        if (cn_str_lower(a.data[i]) != cn_str_lower(b.data[i])) return false;
    return true;
}

CN_PRIVATE bool cn_str_starts(connect_str_t text, connect_str_t prefix) {
    return text.len >= prefix.len && (prefix.len == 0 || memcmp(text.data, prefix.data, prefix.len) == 0);
}

CN_PRIVATE connect_str_t cn_str_trim(connect_str_t text) {
    while (text.len && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text.data++;
        text.len--;
    }
    while (text.len && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
        text.len--;
    return text;
}

CN_PRIVATE bool cn_str_split(connect_str_t *rest, char separator, connect_str_t *part) {
    const char *at;
    if (!rest->data) return false;
    at = rest->len ? (const char *)memchr(rest->data, separator, rest->len) : NULL;
    part->data = rest->data;
    if (at) {
        part->len = (size_t)(at - rest->data);
        rest->len -= part->len + 1;
        rest->data = at + 1;
    } else {
        part->len = rest->len;
        rest->data = NULL;
        rest->len = 0;
    }
    return true;
}

CN_PRIVATE bool cn_str_to_uint(connect_str_t text, size_t max_digits, uint64_t *value) {
    uint64_t sum = 0;
    size_t i;
    if (text.len == 0 || text.len > max_digits || text.len > 19) return false;
    for (i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)(unsigned char)text.data[i] - '0';
        if (digit > 9) return false;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return true;
}

CN_PRIVATE size_t cn_str_from_uint(char *to, uint64_t value) {
    char digits[20];
    size_t at = sizeof digits, len;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    len = sizeof digits - at;
    memcpy(to, digits + at, len);
    return len;
}

CN_PRIVATE connect_str_t cn_str_quote(connect_arena_t *arena, connect_str_t peer_data) {
    static const char hex[] = "0123456789ABCDEF";
    size_t len = CN_MIN(peer_data.len, CN_STR_QUOTE_MAX), i, at = 0;
    char *to = (char *)cn_arena_raw(arena, len * 4 + 4);
    if (!to) return CN_STR("");
    for (i = 0; i < len; i++) {
        unsigned char c = (unsigned char)peer_data.data[i];
        if (c >= 0x20 && c < 0x7F) {
            to[at++] = (char)c;
        } else {
            to[at++] = '\\';
            to[at++] = 'x';
            to[at++] = hex[c >> 4];
            to[at++] = hex[c & 15];
        }
    }
    if (len < peer_data.len) {
        memcpy(to + at, "...", 3);
        at += 3;
    }
    to[at] = 0;
    return cn_str(to, at);
}

CN_PRIVATE uint32_t cn_str_hash(connect_str_t text) {
    uint32_t hash = 2166136261u;
    size_t i;
    for (i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.data[i]) * 16777619u;
    return hash;
}

/* #### src/base/error.h ############################################################################################ */
/* Fills in an error made on this side; error may be NULL. text: static. Returns false, so that a failing function can
   return it. */
CN_PRIVATE bool cn_error_set(connect_error_t *error, connect_code_t code, const char *text);
/* The same with a text printed into the arena; arena NULL or full: the format stands in for it. */
CN_PRIVATE bool cn_error_print(
    connect_error_t *error, connect_arena_t *arena, connect_code_t code, const char *format, ...) CONNECT_PRINTF(4, 5);
/* "out of memory", static. */
CN_PRIVATE bool cn_error_memory(connect_error_t *error);

/* #### src/base/error.c ############################################################################################ */
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

/* #### src/base/buf.h ############################################################################################## */
#define CN_SLACK 16 /* bytes that may be read behind any received input: readers load whole words */

typedef struct cn_buf_t { /* a byte queue in one block: appended at the end, dropped at the start; zeroed: empty */
    char *block;
    size_t start, end, capacity; /* the block has CN_SLACK bytes more than capacity */
} cn_buf_t;

CN_PRIVATE size_t cn_buf_len(const cn_buf_t *buf);
CN_PRIVATE connect_str_t cn_buf_view(const cn_buf_t *buf);
/* Makes room for so many bytes more and returns where they go; NULL: out of memory, nothing changed. */
CN_PRIVATE char *cn_buf_reserve(cn_buf_t *buf, const connect_allocator_t *allocator, size_t len);
/* Says that so many of the reserved bytes were written. */
CN_PRIVATE void cn_buf_commit(cn_buf_t *buf, size_t len);
CN_PRIVATE bool cn_buf_append(cn_buf_t *buf, const connect_allocator_t *allocator, const void *bytes, size_t len);
CN_PRIVATE bool cn_buf_append_str(cn_buf_t *buf, const connect_allocator_t *allocator, connect_str_t bytes);
/* Takes bytes off the start. */
CN_PRIVATE void cn_buf_drop(cn_buf_t *buf, size_t len);
/* Cuts the end back to a length. */
CN_PRIVATE void cn_buf_truncate(cn_buf_t *buf, size_t len);
CN_PRIVATE void cn_buf_clear(cn_buf_t *buf);
/* Gives the block back. */
CN_PRIVATE void cn_buf_free(cn_buf_t *buf, const connect_allocator_t *allocator);

typedef struct cn_buf_pool_t { /* empty blocks that connections borrow, so that an idle one owns none */
    cn_buf_t blocks[16];
    size_t count;
} cn_buf_pool_t;

/* Gives an empty queue a block from the pool, if there is one. */
CN_PRIVATE void cn_buf_borrow(cn_buf_t *buf, cn_buf_pool_t *pool);
/* Puts the block of an empty queue into the pool; a large one, and one too many, is freed. */
CN_PRIVATE void cn_buf_give_back(cn_buf_t *buf, cn_buf_pool_t *pool, const connect_allocator_t *allocator);
CN_PRIVATE void cn_buf_pool_free(cn_buf_pool_t *pool, const connect_allocator_t *allocator);

/* #### src/base/buf.c ############################################################################################## */
/* A byte queue in one block. Bytes are appended at `end` and dropped at `start`; the block is read in place, so what
   is in the queue is always contiguous. When the end of the block is reached, the bytes are moved to its start if that
   makes room, else the block doubles. Behind `capacity` there are CN_SLACK bytes more, which readers may read.

   Invariants: start <= end <= capacity; an empty queue has start == end == 0. */

#define CN_BUF_FIRST 512u

CN_PRIVATE size_t cn_buf_len(const cn_buf_t *buf) {
    return buf->end - buf->start;
}

CN_PRIVATE connect_str_t cn_buf_view(const cn_buf_t *buf) {
    connect_str_t view;
    view.data = buf->block ? buf->block + buf->start : "";
    view.len = buf->end - buf->start;
    return view;
}

CN_PRIVATE char *cn_buf_reserve(cn_buf_t *buf, const connect_allocator_t *allocator, size_t len) {
    size_t used = buf->end - buf->start, capacity;
    char *block;
    if (CN_LIKELY(buf->block && buf->capacity - buf->end >= len)) return buf->block + buf->end;
    if (buf->block && buf->capacity - used >= len && used <= buf->capacity / 2) {
        memmove(buf->block, buf->block + buf->start, used);
        buf->start = 0;
        buf->end = used;
        return buf->block + used;
    }
    if (len > SIZE_MAX / 4 - used) return NULL;
    capacity = CN_MAX(buf->capacity * 2, (size_t)CN_BUF_FIRST);
    while (capacity < used + len)
        capacity *= 2;
    if (!allocator) allocator = connect_allocator_libc();
    block = (char *)allocator->acquire(allocator->ctx, capacity + CN_SLACK);
    if (!block) return NULL;
    if (used) memcpy(block, buf->block + buf->start, used);
    memset(block + capacity, 0, CN_SLACK);
    cn_mem_release(allocator, buf->block);
    buf->block = block;
    buf->start = 0;
    buf->end = used;
    buf->capacity = capacity;
    return block + used;
}

CN_PRIVATE void cn_buf_commit(cn_buf_t *buf, size_t len) {
    buf->end += len;
}

CN_PRIVATE bool cn_buf_append(cn_buf_t *buf, const connect_allocator_t *allocator, const void *bytes, size_t len) {
    char *to;
    if (len == 0) return true;
    to = cn_buf_reserve(buf, allocator, len);
    if (!to) return false;
    memcpy(to, bytes, len);
    buf->end += len;
    return true;
}

CN_PRIVATE bool cn_buf_append_str(cn_buf_t *buf, const connect_allocator_t *allocator, connect_str_t bytes) {
    return cn_buf_append(buf, allocator, bytes.data, bytes.len);
}

CN_PRIVATE void cn_buf_drop(cn_buf_t *buf, size_t len) {
    buf->start += len;
    if (buf->start == buf->end) buf->start = buf->end = 0;
}

CN_PRIVATE void cn_buf_truncate(cn_buf_t *buf, size_t len) {
    buf->end = buf->start + len;
    if (len == 0) buf->start = buf->end = 0;
}

CN_PRIVATE void cn_buf_clear(cn_buf_t *buf) {
    buf->start = buf->end = 0;
}

CN_PRIVATE void cn_buf_free(cn_buf_t *buf, const connect_allocator_t *allocator) {
    cn_mem_release(allocator, buf->block);
    memset(buf, 0, sizeof *buf);
}

#define CN_BUF_POOLED_MAX (64u * 1024u)

CN_PRIVATE void cn_buf_borrow(cn_buf_t *buf, cn_buf_pool_t *pool) {
    if (buf->block || !pool->count) return;
    *buf = pool->blocks[--pool->count];
    buf->start = buf->end = 0;
}

CN_PRIVATE void cn_buf_give_back(cn_buf_t *buf, cn_buf_pool_t *pool, const connect_allocator_t *allocator) {
    if (!buf->block) return;
    if (pool->count < CN_LEN(pool->blocks) && buf->capacity <= CN_BUF_POOLED_MAX) {
        pool->blocks[pool->count++] = *buf;
        memset(buf, 0, sizeof *buf);
    } else {
        cn_buf_free(buf, allocator);
    }
}

CN_PRIVATE void cn_buf_pool_free(cn_buf_pool_t *pool, const connect_allocator_t *allocator) {
    while (pool->count)
        cn_buf_free(&pool->blocks[--pool->count], allocator);
}

/* #### src/base/list.h ############################################################################################# */
typedef struct cn_list_t { /* a ring of nodes inside other structs; the head is a node, too; zeroed: in no list */
    struct cn_list_t *next, *prev;
} cn_list_t;

CN_PRIVATE void cn_list_init(cn_list_t *head);
CN_PRIVATE bool cn_list_empty(const cn_list_t *head);
/* Appends a node; one that is in a list already stays where it is. */
CN_PRIVATE void cn_list_append(cn_list_t *head, cn_list_t *node);
/* Takes a node out; does nothing if it is in no list. */
CN_PRIVATE void cn_list_remove(cn_list_t *node);
CN_PRIVATE bool cn_list_contains(const cn_list_t *node);
/* Takes the first node out; NULL: the list is empty. */
CN_PRIVATE cn_list_t *cn_list_pop(cn_list_t *head);

/* #### src/base/list.c ############################################################################################# */
/* Rings of nodes that live inside the structs they link: nothing is allocated, and a node leaves its list in one step.
   A node that is in no list has next == NULL. */

CN_PRIVATE void cn_list_init(cn_list_t *head) {
    head->next = head->prev = head;
}

CN_PRIVATE bool cn_list_empty(const cn_list_t *head) {
    return head->next == head || !head->next;
}

CN_PRIVATE void cn_list_append(cn_list_t *head, cn_list_t *node) {
    if (node->next) return;
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

CN_PRIVATE void cn_list_remove(cn_list_t *node) {
    if (!node->next) return;
    node->next->prev = node->prev;
    node->prev->next = node->next;
    node->next = node->prev = NULL;
}

CN_PRIVATE bool cn_list_contains(const cn_list_t *node) {
    return node->next != NULL;
}

CN_PRIVATE cn_list_t *cn_list_pop(cn_list_t *head) {
    cn_list_t *node = head->next;
    if (cn_list_empty(head)) return NULL;
    cn_list_remove(node);
    return node;
}

/* #### src/base/utf8.h ############################################################################################# */
/* Tells whether bytes are UTF-8 as protobuf wants it: no surrogates, nothing overlong, nothing above U+10FFFF. */
CN_PRIVATE bool cn_utf8_valid(connect_str_t text);
/* Writes one code point (a Unicode scalar value); `to` has room for 4 bytes. Returns how many. */
CN_PRIVATE size_t cn_utf8_put(char *to, uint32_t code_point);

/* #### src/base/utf8.c ############################################################################################# */
/* UTF-8 as protobuf and JSON want it (RFC 3629): U+0000 to U+10FFFF without the surrogates, each in its shortest form.
   Runs of ASCII are passed eight bytes at a time. Never reads behind the text.

   Legal sequences (RFC 3629 4):  00-7F | C2-DF T | E0 A0-BF T | E1-EC T T | ED 80-9F T | EE-EF T T |
   F0 90-BF T T | F1-F3 T T T | F4 80-8F T T, where T is 80-BF. */

CN_PRIVATE bool cn_utf8_valid(connect_str_t text) {
    const unsigned char *at = (const unsigned char *)text.data, *end = at + text.len;
    if (!text.len) return true;
    for (;;) {
        unsigned char c;
        while ((size_t)(end - at) >= 8) {
            uint64_t word;
            memcpy(&word, at, 8);
            if (word & 0x8080808080808080u) break;
            at += 8;
        }
        while (at < end && *at < 0x80)
            at++;
        if (at == end) return true;
        c = *at;
        if (c < 0xC2 || c > 0xF4) return false;
        if (c < 0xE0) {
            if (end - at < 2 || (at[1] & 0xC0) != 0x80) return false;
            at += 2;
        } else if (c < 0xF0) {
            if (end - at < 3 || (at[1] & 0xC0) != 0x80 || (at[2] & 0xC0) != 0x80) return false;
            if ((c == 0xE0 && at[1] < 0xA0) || (c == 0xED && at[1] > 0x9F)) return false;
            at += 3;
        } else {
            if (end - at < 4 || (at[1] & 0xC0) != 0x80 || (at[2] & 0xC0) != 0x80 || (at[3] & 0xC0) != 0x80)
                return false;
            if ((c == 0xF0 && at[1] < 0x90) || (c == 0xF4 && at[1] > 0x8F)) return false;
            at += 4;
        }
    }
}

CN_PRIVATE size_t cn_utf8_put(char *to, uint32_t code_point) {
    if (code_point < 0x80) {
        to[0] = (char)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        to[0] = (char)(0xC0 | (code_point >> 6));
        to[1] = (char)(0x80 | (code_point & 0x3F));
        return 2;
    }
    if (code_point < 0x10000) {
        to[0] = (char)(0xE0 | (code_point >> 12));
        to[1] = (char)(0x80 | ((code_point >> 6) & 0x3F));
        to[2] = (char)(0x80 | (code_point & 0x3F));
        return 3;
    }
    to[0] = (char)(0xF0 | (code_point >> 18));
    to[1] = (char)(0x80 | ((code_point >> 12) & 0x3F));
    to[2] = (char)(0x80 | ((code_point >> 6) & 0x3F));
    to[3] = (char)(0x80 | (code_point & 0x3F));
    return 4;
}

/* #### src/base/base64.h ########################################################################################### */
/* How many characters, or at most how many bytes, a conversion writes. */
CN_PRIVATE size_t cn_base64_encoded_len(size_t len, bool padded);
CN_PRIVATE size_t cn_base64_decoded_max(size_t len);
/* Writes the standard alphabet (+/). Returns how many characters. */
CN_PRIVATE size_t cn_base64_encode(char *to, connect_str_t bytes, bool padded);
/* Reads both alphabets, padded or not. Returns false: another character, or a length that cannot be. */
CN_PRIVATE bool cn_base64_decode(char *to, size_t *len, connect_str_t text);

/* #### src/base/base64.c ########################################################################################### */
/* Base64 (RFC 4648 4 and 5). Written: the standard alphabet, padded or not. Read: both alphabets mixed, padded to a
   multiple of four or not padded at all; the bits left over in the last character must be zero in neither form, as
   peers differ there. Used for metadata in -bin and for error details (Connect, gRPC), and for bytes in JSON. */

/* A character's value and one; 0: it is none of them. */
static const uint8_t cn_base64_values[256] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 63, 0, 63, 0, 64, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 0,
    0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 0,
    0, 0, 0, 64, 0, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51,
    52, 0, 0, 0, 0, 0};

static int cn_base64_value(char c) {
    return cn_base64_values[(unsigned char)c] - 1;
}

CN_PRIVATE size_t cn_base64_encoded_len(size_t len, bool padded) {
    size_t rest = len % 3;
    return len / 3 * 4 + (rest == 0 ? 0 : padded ? 4 : rest + 1);
}

CN_PRIVATE size_t cn_base64_decoded_max(size_t len) {
    return len / 4 * 3 + 3;
}

CN_PRIVATE size_t cn_base64_encode(char *to, connect_str_t bytes, bool padded) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *at = (const unsigned char *)bytes.data;
    char *begin = to;
    size_t left = bytes.len;
    for (; left >= 3; left -= 3, at += 3) {
        uint32_t bits = (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];
        *to++ = alphabet[bits >> 18];
        *to++ = alphabet[(bits >> 12) & 63];
        *to++ = alphabet[(bits >> 6) & 63];
        *to++ = alphabet[bits & 63];
    }
    if (left) {
        uint32_t bits = (uint32_t)at[0] << 16 | (left == 2 ? (uint32_t)at[1] << 8 : 0);
        *to++ = alphabet[bits >> 18];
        *to++ = alphabet[(bits >> 12) & 63];
        if (left == 2) *to++ = alphabet[(bits >> 6) & 63];
        if (padded) {
            if (left == 1) *to++ = '=';
            *to++ = '=';
        }
    }
    return (size_t)(to - begin);
}

CN_PRIVATE bool cn_base64_decode(char *to, size_t *len, connect_str_t text) {
    char *begin = to;
    size_t i, padding = 0, rest;
    while (padding < 2 && text.len > padding && text.data[text.len - 1 - padding] == '=')
        padding++;
    if (padding && text.len % 4 != 0) return false;
    text.len -= padding;
    rest = text.len % 4;
    if (rest == 1 || (padding && rest != 4 - padding)) return false;
    for (i = 0; i + 4 <= text.len; i += 4) {
        int a = cn_base64_value(text.data[i]), b = cn_base64_value(text.data[i + 1]);
        int c = cn_base64_value(text.data[i + 2]), d = cn_base64_value(text.data[i + 3]);
        if ((a | b | c | d) < 0) return false;
        *to++ = (char)(unsigned char)(a << 2 | b >> 4);
        *to++ = (char)(unsigned char)((b & 15) << 4 | c >> 2);
        *to++ = (char)(unsigned char)((c & 3) << 6 | d);
    }
    if (rest) {
        int a = cn_base64_value(text.data[i]), b = cn_base64_value(text.data[i + 1]);
        int c = rest == 3 ? cn_base64_value(text.data[i + 2]) : 0;
        if ((a | b | c) < 0) return false;
        *to++ = (char)(unsigned char)(a << 2 | b >> 4);
        if (rest == 3) *to++ = (char)(unsigned char)((b & 15) << 4 | c >> 2);
    }
    *len = (size_t)(to - begin);
    return true;
}

connect_str_t connect_base64_encode(connect_str_t bytes, connect_arena_t *arena) {
    connect_str_t text = {NULL, 0};
    size_t len = cn_base64_encoded_len(bytes.len, false);
    char *to = bytes.len < SIZE_MAX / 2 ? (char *)cn_arena_raw(arena, len + 1) : NULL;
    if (!to) {
        arena->failed = true;
        return text;
    }
    text.len = cn_base64_encode(to, bytes, false);
    to[text.len] = 0;
    text.data = to;
    return text;
}

connect_str_t connect_base64_decode(connect_str_t text, connect_arena_t *arena) {
    connect_str_t bytes = {NULL, 0};
    size_t room = cn_base64_decoded_max(text.len) + 1;
    char *to = (char *)cn_arena_raw(arena, room);
    if (!to || !cn_base64_decode(to, &bytes.len, text)) return bytes;
    to[bytes.len] = 0;
    bytes.data = to;
    return bytes;
}

/* #### src/base/percent.h ########################################################################################## */
/* grpc-message: bytes below 0x20, above 0x7E and '%' become %XX (gRPC over HTTP/2, "Percent-Encoded"). */
CN_PRIVATE connect_str_t cn_percent_encode(connect_arena_t *arena, connect_str_t text);
/* The value of a URL's parameter: all but letters, digits, "-._~" become %XX (RFC 3986 2.3). */
CN_PRIVATE connect_str_t cn_percent_encode_query(connect_arena_t *arena, connect_str_t text);
/* Tells whether it begins with an escape: "%" and two hexadecimal digits. */
CN_PRIVATE bool cn_percent_escape_valid(connect_str_t text);
/* A bad escape stays as it is. plus_is_space: as in a URL's query. */
CN_PRIVATE connect_str_t cn_percent_decode(connect_arena_t *arena, connect_str_t text, bool plus_is_space);

/* #### src/base/percent.c ########################################################################################## */
/* Percent-encoding: of grpc-message (gRPC over HTTP/2, "Percent-Encoded": every byte below 0x20, above 0x7E, and '%',
   as %XX with upper-case digits), and of URL queries (RFC 3986 2.1). A reader must not fail on a bad escape: it stays
   as it is. */

static int cn_percent_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

CN_PRIVATE connect_str_t cn_percent_encode(connect_arena_t *arena, connect_str_t text) {
    static const char hex[] = "0123456789ABCDEF";
    size_t escapes = 0, i, at = 0;
    char *to;
    for (i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        escapes += c < 0x20 || c > 0x7E || c == '%';
    }
    if (!escapes) return text;
    to = (char *)cn_arena_raw(arena, text.len + escapes * 2 + 1);
    if (!to) return cn_str(NULL, 0);
    for (i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < 0x20 || c > 0x7E || c == '%') {
            to[at++] = '%';
            to[at++] = hex[c >> 4];
            to[at++] = hex[c & 15];
        } else {
            to[at++] = (char)c;
        }
    }
    to[at] = 0;
    return cn_str(to, at);
}

CN_PRIVATE connect_str_t cn_percent_encode_query(connect_arena_t *arena, connect_str_t text) {
    static const char hex[] = "0123456789ABCDEF";
    size_t i, at = 0;
    char *to = text.len < SIZE_MAX / 4 ? (char *)cn_arena_raw(arena, text.len * 3 + 1) : NULL;
    if (!to) return cn_str(NULL, 0);
    for (i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
            c == '_' || c == '~') {
            to[at++] = (char)c;
        } else {
            to[at++] = '%';
            to[at++] = hex[c >> 4];
            to[at++] = hex[c & 15];
        }
    }
    to[at] = 0;
    return cn_str(to, at);
}

CN_PRIVATE bool cn_percent_escape_valid(connect_str_t text) {
    return text.len > 2 && text.data[0] == '%' &&
        (cn_percent_digit(text.data[1]) | cn_percent_digit(text.data[2])) >= 0;
}

CN_PRIVATE connect_str_t cn_percent_decode(connect_arena_t *arena, connect_str_t text, bool plus_is_space) {
    size_t i, at = 0;
    char *to = (char *)cn_arena_raw(arena, text.len + 1);
    if (!to) return cn_str(NULL, 0);
    for (i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '%' && text.len - i > 2) {
            int high = cn_percent_digit(text.data[i + 1]), low = cn_percent_digit(text.data[i + 2]);
            if ((high | low) >= 0) {
                c = (char)(unsigned char)(high << 4 | low);
                i += 2;
            }
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        to[at++] = c;
    }
    to[at] = 0;
    return cn_str(to, at);
}

/* #### src/codec/number.h ########################################################################################## */
/* Numbers as JSON writes them, exact and without any locale. */

#define CN_NUMBER_TEXT_MAX 1024 /* characters of a number that is read */
#define CN_NUMBER_ROOM 32       /* what the longest number takes: -2.2250738585072014e-308 */

/* Writes the shortest digits that read back as the same value; it is finite. Returns how many characters. */
CN_PRIVATE size_t cn_number_from_double(char *to, double value);
CN_PRIVATE size_t cn_number_from_float(char *to, float value);
CN_PRIVATE size_t cn_number_from_uint(char *to, uint64_t value);
CN_PRIVATE size_t cn_number_from_int(char *to, int64_t value);

typedef enum cn_number_result_t {
    CN_NUMBER_OK,
    CN_NUMBER_FRACTION, /* not an integer */
    CN_NUMBER_RANGE     /* too large for the type */
} cn_number_result_t;
typedef struct cn_number_t {         /* a number that was read, not yet as any type */
    const char *digits, *digits_end; /* with a point among them, perhaps */
    uint64_t first;                  /* the first 19 digits that count */
    int32_t first_exponent;          /* of first; what stands behind it is less than one unit */
    int32_t exponent;                /* of the digits taken as one integer */
    bool negative, more;             /* more: a digit behind the first 19 is not zero */
} cn_number_t;
/* Takes a number off a text. Returns its end; NULL: there is none, and *bad is where it ceases to be one. The digits
   stay where they are. */
CN_PRIVATE const char *cn_number_scan(cn_number_t *number, const char *at, const char *end, const char **bad);
/* The number as a type, rounded to the nearest, ties to even. A value too small is zero. Integers may be written with a
   fraction or an exponent, as long as the value is one: 1.0, 1e3, 12.50e1. */
CN_PRIVATE cn_number_result_t cn_number_as_double(const cn_number_t *number, double *value);
CN_PRIVATE cn_number_result_t cn_number_as_float(const cn_number_t *number, float *value);
CN_PRIVATE cn_number_result_t cn_number_as_int(const cn_number_t *number, int64_t min, int64_t max, int64_t *value);
CN_PRIVATE cn_number_result_t cn_number_as_uint(const cn_number_t *number, uint64_t max, uint64_t *value);
/* A text that is a number and nothing else. */
CN_PRIVATE bool cn_number_read(cn_number_t *number, connect_str_t text);

/* #### src/codec/number.c ########################################################################################## */
/* Decimal numbers, exact in both directions, with integer arithmetic only: neither the locale nor the rounding mode nor
   the x87's long registers can change a digit.

   Powers of ten. 10^k = 5^k * 2^k, and 5^k is needed to 128 bits for k from -351 to 350. The table has every 27th to
   192 bits, rounded down; times 5^j (j < 27, exact in 61 bits) that gives all of them, rounded down in the last of 128
   bits. That no one of the 702 is off by one was checked against exact integers when the table was made, and is
   checked by the unit test.

   Writing: Schubfach (R. Giulietti, "The Schubfach way to render doubles", 2020). The interval that rounds to the
   value, scaled by a power of ten, holds at most one multiple of ten, else one or two integers: that is the shortest,
   and if two the nearer. The products are kept "round to odd": one sticky bit in place of the tail. Small integers are
   their own digits. The form is ECMAScript's: a point for 1e-6 <= value < 1e21, an exponent otherwise.

   Reading: text is w * 10^q with w the first 19 digits. (1) w <= 2^53 and |q| <= 22: one multiplication or division,
   which IEEE 754 rounds right (Clinger 1990). (2) w times the 128-bit power of ten; if the error cannot reach the
   rounding bit, done (Eisel and Lemire, "Number parsing at a gigabyte per second", 2021). With more than 19 digits, w
   and w + 1 have to agree. (3) What is left, among it subnormals and ties: long division of big integers, bit by bit.

   Big integers hold 6,144 bits: a text of at most 1,024 characters has at most 3,402 bits of digits and, after the
   ranges are checked, at most 10^1424 (4,731 bits) below the line, plus 64. */

/* ---- 128 bits ---- */

typedef struct cn_number_wide_t {
    uint64_t high, low;
} cn_number_wide_t;

static cn_number_wide_t cn_number_multiply(uint64_t a, uint64_t b) {
    cn_number_wide_t product;
#if defined(__SIZEOF_INT128__)
    __extension__ typedef unsigned __int128 cn_uint128_t;
    cn_uint128_t whole = (cn_uint128_t)a * b;
    product.high = (uint64_t)(whole >> 64);
    product.low = (uint64_t)whole;
#else
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t p00 = a0 * b0, p01 = a0 * b1, p10 = a1 * b0, p11 = a1 * b1;
    uint64_t middle = (p00 >> 32) + (uint32_t)p01 + (uint32_t)p10;
    product.high = p11 + (p01 >> 32) + (p10 >> 32) + (middle >> 32);
    product.low = (middle << 32) | (uint32_t)p00;
#endif
    return product;
}

static int cn_number_leading_zeros(uint64_t value) {
#if defined(__GNUC__)
    return __builtin_clzll(value);
#else
    int count = 0;
    while (!(value >> 63)) {
        value <<= 1;
        count++;
    }
    return count;
#endif
}

/* ---- Powers ---- */

#define CN_NUMBER_POWER_STEP 27
#define CN_NUMBER_POWER_MIN (-351)
#define CN_NUMBER_POWER_MAX 350

/* 5^k for k = -351, -324 ... 324, the highest bit set. */
static const uint64_t cn_number_powers[26][3] = {
    {0x8049A4AC0C5811AEu, 0x205B896D777D6278u, 0xAC261E9F5141430Bu}, /* 5^-351 */
    {0xCF42894A5DCE35EAu, 0x52064CAC828675B9u, 0x475F2B7D7DF1AD7Au}, /* 5^-324 */
    {0xA76C582338ED2621u, 0xAF2AF2B80AF6F24Eu, 0x657C8F4D43323A36u}, /* 5^-297 */
    {0x873E4F75E2224E68u, 0x5A7744A6E804A291u, 0xCC35EDDFCF0996D7u}, /* 5^-270 */
    {0xDA7F5BF590966848u, 0xAF39A475506A899Eu, 0xA30294CC2934E662u}, /* 5^-243 */
    {0xB080392CC4349DECu, 0xBD8D794D96AACFB3u, 0xFE13A5C86AF64418u}, /* 5^-216 */
    {0x8E938662882AF53Eu, 0x547EB47B7282EE9Cu, 0x41B0230E1421487Du}, /* 5^-189 */
    {0xE65829B3046B0AFAu, 0x0CB4A5A3112A5112u, 0xA3B561B1CB208396u}, /* 5^-162 */
    {0xBA121A4650E4DDEBu, 0x92F34D62616CE413u, 0x21A0183E10583CD3u}, /* 5^-135 */
    {0x964E858C91BA2655u, 0x3A6A07F8D510F86Fu, 0xE9082F25E9C5E9ECu}, /* 5^-108 */
    {0xF2D56790AB41C2A2u, 0xFAE27299423FB9C3u, 0x3695DAD7E8858901u}, /* 5^-81 */
    {0xC428D05AA4751E4Cu, 0xAA97E14C3C26B886u, 0x96842DC95323F5A8u}, /* 5^-54 */
    {0x9E74D1B791E07E48u, 0x775EA264CF55347Du, 0xCA49F1C05120C9C7u}, /* 5^-27 */
    {0x8000000000000000u, 0x0000000000000000u, 0x0000000000000000u}, /* 5^0 */
    {0xCECB8F27F4200F3Au, 0x0000000000000000u, 0x0000000000000000u}, /* 5^27 */
    {0xA70C3C40A64E6C51u, 0x999090B65F67D924u, 0x0000000000000000u}, /* 5^54 */
    {0x86F0AC99B4E8DAFDu, 0x69A028BB3DED71A3u, 0xDF9F915627C04E28u}, /* 5^81 */
    {0xDA01EE641A708DE9u, 0xE80E6F4820CC9495u, 0xD74BAAD03BC1D8D3u}, /* 5^108 */
    {0xB01AE745B101E9E4u, 0x5EC05DCFF72E7F8Fu, 0xC04C79FFE324301Fu}, /* 5^135 */
    {0x8E41ADE9FBEBC27Du, 0x14588F13BE847307u, 0x23BD6A2059C002F5u}, /* 5^162 */
    {0xE5D3EF282A242E81u, 0x8F1668C8A86DA5FAu, 0xF0B5CCF5176ECC7Cu}, /* 5^189 */
    {0xB9A74A0637CE2EE1u, 0x6D953E2BD7173692u, 0x88EFB0037AC08BDEu}, /* 5^216 */
    {0x95F83D0A1FB69CD9u, 0x4ABDAF101564F98Eu, 0x0D5A4AF7B3A98E47u}, /* 5^243 */
    {0xF24A01A73CF2DCCFu, 0xBC633B39673C8CECu, 0x3D9C44CD2F36917Cu}, /* 5^270 */
    {0xC3B8358109E84F07u, 0x0A862F80EC4700C8u, 0x02606EA01029DC37u}, /* 5^297 */
    {0x9E19DB92B4E31BA9u, 0x6C07A2C26A8346D1u, 0x4944D9F52CD0DEC2u}, /* 5^324 */
};
/* 5^j, the highest bit set. */
static const uint64_t cn_number_fives[CN_NUMBER_POWER_STEP] = {
    0x8000000000000000u,
    0xA000000000000000u,
    0xC800000000000000u,
    0xFA00000000000000u,
    0x9C40000000000000u,
    0xC350000000000000u,
    0xF424000000000000u,
    0x9896800000000000u,
    0xBEBC200000000000u,
    0xEE6B280000000000u,
    0x9502F90000000000u,
    0xBA43B74000000000u,
    0xE8D4A51000000000u,
    0x9184E72A00000000u,
    0xB5E620F480000000u,
    0xE35FA931A0000000u,
    0x8E1BC9BF04000000u,
    0xB1A2BC2EC5000000u,
    0xDE0B6B3A76400000u,
    0x8AC7230489E80000u,
    0xAD78EBC5AC620000u,
    0xD8D726B7177A8000u,
    0x878678326EAC9000u,
    0xA968163F0A57B400u,
    0xD3C21BCECCEDA100u,
    0x84595161401484A0u,
    0xA56FA5B99019A5C8u,
};

/* 5^k in [2^127, 2^128), rounded down. */
static cn_number_wide_t cn_number_power(int k) {
    int from_min = k - CN_NUMBER_POWER_MIN;
    const uint64_t *base = cn_number_powers[from_min / CN_NUMBER_POWER_STEP];
    uint64_t five = cn_number_fives[from_min % CN_NUMBER_POWER_STEP];
    cn_number_wide_t top = cn_number_multiply(base[0], five), middle = cn_number_multiply(base[1], five), power;
    uint64_t next = cn_number_multiply(base[2], five).high;
    next += middle.low;
    middle.high += next < middle.low;
    power.low = top.low + middle.high;
    power.high = top.high + (power.low < top.low);
    if (!(power.high >> 63)) {
        power.high = (power.high << 1) | (power.low >> 63);
        power.low = (power.low << 1) | (next >> 63);
    }
    return power;
}

/* floor(log2(10^k)), for |k| <= 1233. */
static int cn_number_log2_of_power(int k) {
    return (int)((((int64_t)1 << 40) + (int64_t)k * 1741647) >> 19) - (1 << 21);
}

/* ---- Writing ---- */

static const char cn_number_pairs[] = "00010203040506070809101112131415161718192021222324"
                                      "25262728293031323334353637383940414243444546474849"
                                      "50515253545556575859606162636465666768697071727374"
                                      "75767778798081828384858687888990919293949596979899";

static size_t cn_number_digit_count(uint64_t value) {
    size_t count = 1;
    for (;;) {
        if (value < 10) return count;
        if (value < 100) return count + 1;
        if (value < 1000) return count + 2;
        if (value < 10000) return count + 3;
        value /= 10000;
        count += 4;
    }
}

/* Writes exactly so many digits, zeros in front. */
static void cn_number_put_digits(char *to, uint64_t value, size_t count) {
    while (count >= 2) {
        uint64_t rest = value / 100;
        count -= 2;
        memcpy(to + count, cn_number_pairs + (value - rest * 100) * 2, 2);
        value = rest;
    }
    if (count) *to = (char)('0' + value % 10);
}

CN_PRIVATE size_t cn_number_from_uint(char *to, uint64_t value) {
    size_t count;
    if (value < 100) {
        const char *pair = cn_number_pairs + value * 2;
        count = value >= 10;
        to[0] = pair[!count]; /* one digit stands in the second place */
        to[count] = pair[1];
        return count + 1;
    }
    count = cn_number_digit_count(value);
    cn_number_put_digits(to, value, count);
    return count;
}

CN_PRIVATE size_t cn_number_from_int(char *to, int64_t value) {
    if (value >= 0) return cn_number_from_uint(to, (uint64_t)value);
    *to = '-';
    return 1 + cn_number_from_uint(to + 1, 0 - (uint64_t)value);
}

typedef struct cn_number_decimal_t {
    uint64_t digits;
    int exponent;
} cn_number_decimal_t;

/* The upper half of a product, the lowest bit set if anything stands behind it. */
static uint64_t cn_number_round_to_odd(cn_number_wide_t power, uint64_t factor) {
    cn_number_wide_t low = cn_number_multiply(power.low, factor), high = cn_number_multiply(power.high, factor);
    uint64_t middle = high.low + low.high;
    high.high += middle < high.low;
    return high.high | (middle > 1);
}

/* The shortest decimal of c * 2^q. closer: the next smaller value is only half as far away as the next larger one. */
static cn_number_decimal_t cn_number_shortest(uint64_t c, int q, bool closer) {
    cn_number_decimal_t decimal;
    cn_number_wide_t power;
    uint64_t low, value, high, s, tens;
    bool odd = c & 1, below, above;
    int k, shift;
    if (q <= 0 && q > -53 && !(c & (((uint64_t)1 << -q) - 1))) {
        decimal.digits = c >> -q;
        decimal.exponent = 0;
        return decimal;
    }
    k = (int)((((int64_t)1 << 40) + (int64_t)q * 1262611 - (closer ? 524031 : 0)) >> 22) - (1 << 18);
    shift = q + cn_number_log2_of_power(-k) + 1;
    power = cn_number_power(-k);
    if (-k < 0 || -k > 55) power.high += ++power.low == 0;
    low = cn_number_round_to_odd(power, (4 * c - 2 + closer) << shift) + odd;
    value = cn_number_round_to_odd(power, (4 * c) << shift);
    high = cn_number_round_to_odd(power, (4 * c + 2) << shift) - odd;
    s = value / 4;
    decimal.exponent = k;
    if (s >= 10) {
        tens = s / 10;
        below = low <= 40 * tens;
        above = 40 * tens + 40 <= high;
        if (below != above) {
            decimal.digits = tens + above;
            decimal.exponent = k + 1;
            return decimal;
        }
    }
    below = low <= 4 * s;
    above = 4 * s + 4 <= high;
    if (below != above)
        decimal.digits = s + above;
    else
        decimal.digits = s + (value > 4 * s + 2 || (value == 4 * s + 2 && (s & 1)));
    return decimal;
}

static size_t cn_number_put_decimal(char *to, cn_number_decimal_t decimal) {
    char *begin = to;
    size_t count;
    int point; /* how many digits stand before it */
    if (decimal.exponent == 0 && decimal.digits < 1000000000000000u) return cn_number_from_uint(to, decimal.digits);
    while (decimal.digits % 10 == 0) {
        decimal.digits /= 10;
        decimal.exponent++;
    }
    count = cn_number_digit_count(decimal.digits);
    point = decimal.exponent + (int)count;
    if (point > 21 || point < -5) {
        cn_number_put_digits(to + 1, decimal.digits, count);
        to[0] = to[1];
        to[1] = '.';
        to += count > 1 ? count + 1 : 1;
        *to++ = 'e';
        *to++ = point > 0 ? '+' : '-';
        to += cn_number_from_uint(to, (uint64_t)(point > 0 ? point - 1 : 1 - point));
    } else if (point <= 0) {
        memcpy(to, "0.000000", 8);
        to += 2 - point;
        cn_number_put_digits(to, decimal.digits, count);
        to += count;
    } else if ((size_t)point >= count) {
        cn_number_put_digits(to, decimal.digits, count);
        memset(to + count, '0', (size_t)point - count);
        to += point;
    } else {
        cn_number_put_digits(to + 1, decimal.digits, count);
        memmove(to, to + 1, (size_t)point);
        to[point] = '.';
        to += count + 1;
    }
    return (size_t)(to - begin);
}

CN_PRIVATE size_t cn_number_from_double(char *to, double value) {
    uint64_t bits, fraction;
    int exponent;
    size_t sign;
    memcpy(&bits, &value, sizeof bits);
    fraction = bits & 0xFFFFFFFFFFFFFu;
    exponent = (int)(bits >> 52 & 0x7FF);
    sign = (size_t)(bits >> 63);
    *to = '-';
    if (!(bits << 1)) {
        to[sign] = '0';
        return sign + 1;
    }
    if (exponent)
        return sign +
            cn_number_put_decimal(to + sign,
                cn_number_shortest(fraction | (uint64_t)1 << 52, exponent - 1075, fraction == 0 && exponent > 1));
    return sign + cn_number_put_decimal(to + sign, cn_number_shortest(fraction, -1074, false));
}

CN_PRIVATE size_t cn_number_from_float(char *to, float value) {
    uint32_t bits, fraction;
    int exponent;
    size_t sign;
    memcpy(&bits, &value, sizeof bits);
    fraction = bits & 0x7FFFFFu;
    exponent = (int)(bits >> 23 & 0xFF);
    sign = bits >> 31;
    *to = '-';
    if (!(bits << 1)) {
        to[sign] = '0';
        return sign + 1;
    }
    if (exponent)
        return sign +
            cn_number_put_decimal(to + sign,
                cn_number_shortest(fraction | (uint32_t)1 << 23, exponent - 150, fraction == 0 && exponent > 1));
    return sign + cn_number_put_decimal(to + sign, cn_number_shortest(fraction, -149, false));
}

/* ---- Reading ---- */

static bool cn_number_is_digit(const char *at, const char *end) {
    return at < end && (unsigned char)(*at - '0') < 10;
}

#if defined(__GNUC__) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
/* Whether eight digits stand there; then their value by three multiplications instead of eight. */
static bool cn_number_eight_digits(const char *at, uint64_t *value) {
    uint64_t word;
    memcpy(&word, at, 8);
    if (((word & 0xF0F0F0F0F0F0F0F0u) | (((word + 0x0606060606060606u) & 0xF0F0F0F0F0F0F0F0u) >> 4)) !=
        0x3333333333333333u)
        return false;
    word -= 0x3030303030303030u;
    word = word * 10 + (word >> 8); /* pairs in every second byte */
    word = ((word & 0x000000FF000000FFu) * (100 + ((uint64_t)1000000 << 32)) +
               ((word >> 16) & 0x000000FF000000FFu) * (1 + ((uint64_t)10000 << 32))) >>
        32;
    *value = word;
    return true;
}
#else
static bool cn_number_eight_digits(const char *at, uint64_t *value) {
    (void)at;
    (void)value;
    return false;
}
#endif

/* The digits are more than 19: the sum may have overflowed. */
static void cn_number_first_digits(cn_number_t *number) {
    const char *at;
    int32_t count = 0, dropped = 0;
    number->first = 0;
    for (at = number->digits; at < number->digits_end; at++) {
        if (*at == '.') continue;
        if (count < 19) {
            number->first = number->first * 10 + (uint64_t)(*at - '0');
            count += number->first != 0;
        } else {
            dropped++;
            number->more = number->more || *at != '0';
        }
    }
    number->first_exponent += dropped;
}

/* What comes behind the integer: a fraction, an exponent. first: the integer's digits. */
static CN_APART const char *cn_number_scan_rest(
    cn_number_t *number, uint64_t first, const char *at, const char *end, const char **bad) {
    int32_t exponent = 0;
    if (at < end && *at == '.') {
        const char *point = at++;
        uint64_t eight;
        *bad = at;
        if (!cn_number_is_digit(at, end)) return NULL;
        while (end - at >= 8 && cn_number_eight_digits(at, &eight)) {
            first = first * 100000000 + eight;
            at += 8;
        }
        while (cn_number_is_digit(at, end))
            first = first * 10 + (uint64_t)(*at++ - '0');
        exponent = -(int32_t)(at - point - 1);
    }
    number->digits_end = at;
    if (at < end && (*at | 0x20) == 'e') {
        int32_t written = 0;
        bool negative;
        at++;
        negative = at < end && *at == '-';
        if (at < end && (*at == '-' || *at == '+')) at++;
        *bad = at;
        if (!cn_number_is_digit(at, end)) return NULL;
        while (cn_number_is_digit(at, end)) {
            if (written < 100000) written = written * 10 + (*at - '0');
            at++;
        }
        exponent += negative ? -written : written;
    }
    number->exponent = number->first_exponent = exponent;
    number->first = first;
    if (CN_UNLIKELY(number->digits_end - number->digits > 19)) cn_number_first_digits(number);
    return at;
}

CN_PRIVATE const char *cn_number_scan(cn_number_t *number, const char *at, const char *end, const char **bad) {
    const char *begin;
    uint64_t first;
    unsigned digit;
    if (end - at > CN_NUMBER_TEXT_MAX) end = at + CN_NUMBER_TEXT_MAX; /* the rest is for the caller to refuse */
    number->more = false;
    number->negative = at < end && *at == '-';
    at += number->negative;
    number->digits = begin = at;
    *bad = at;
    if (CN_UNLIKELY(at == end)) return NULL;
    first = digit = (unsigned char)(*at++ - '0');
    if (CN_UNLIKELY(digit > 9)) return NULL;
    if (CN_UNLIKELY(digit == 0 && cn_number_is_digit(at, end))) return NULL;
    while (at < end && (digit = (unsigned char)(*at - '0')) < 10) {
        first = first * 10 + digit;
        at++;
    }
    if (at < end && (*at == '.' || (*at | 0x20) == 'e')) return cn_number_scan_rest(number, first, at, end, bad);
    number->digits_end = at;
    number->exponent = number->first_exponent = 0;
    number->first = first;
    if (CN_UNLIKELY(at - begin > 19)) cn_number_first_digits(number);
    return at;
}

CN_PRIVATE bool cn_number_read(cn_number_t *number, connect_str_t text) {
    const char *bad;
    return text.len > 0 && text.len <= CN_NUMBER_TEXT_MAX &&
        cn_number_scan(number, text.data, text.data + text.len, &bad) == text.data + text.len;
}

typedef struct cn_number_format_t { /* of IEEE 754 */
    int bits;                       /* of the significand, the hidden one included */
    int exponent_min;               /* of the lowest bit of a subnormal */
    int exponent_max;               /* of the lowest bit of the largest value */
    int digits_max, digits_min;     /* values of 10^digits_max are infinite, below 10^digits_min zero */
} cn_number_format_t;

/* significand * 2^exponent, as bits. The significand has format->bits bits, or fewer with the smallest exponent. */
static uint64_t cn_number_encode(const cn_number_format_t *format, uint64_t significand, int exponent) {
    uint64_t hidden = (uint64_t)1 << (format->bits - 1);
    uint64_t biased = significand < hidden ? 0 : (uint64_t)(exponent - format->exponent_min + 1);
    return (biased << (format->bits - 1)) | (significand & (hidden - 1));
}

/* The value nearest to w * 10^q, as bits. Returns false if 128 bits do not tell, or the result is not normal. */
static bool cn_number_by_product(const cn_number_format_t *format, uint64_t w, int q, uint64_t *bits) {
    int spare = 62 - format->bits, zeros, top, exponent;
    uint64_t mask = ((uint64_t)1 << spare) - 1, significand;
    cn_number_wide_t power, product;
    if (q < CN_NUMBER_POWER_MIN || q > CN_NUMBER_POWER_MAX) return false;
    zeros = cn_number_leading_zeros(w);
    w <<= zeros;
    power = cn_number_power(q);
    product = cn_number_multiply(w, power.high);
    if ((product.high & mask) == mask && product.low + w < w) {
        cn_number_wide_t tail = cn_number_multiply(w, power.low);
        product.low += tail.high;
        product.high += product.low < tail.high;
        if ((product.high & mask) == mask && product.low + 1 == 0 && tail.low + w < w) return false;
    }
    top = (int)(product.high >> 63);
    significand = product.high >> (top + spare);
    if (product.low == 0 && (product.high & mask) == 0 && (significand & 3) == 1) return false;
    significand = (significand + (significand & 1)) >> 1;
    exponent = cn_number_log2_of_power(q) - zeros + top + 64 - format->bits;
    if (significand >> format->bits) {
        significand >>= 1;
        exponent++;
    }
    if (exponent < format->exponent_min || exponent > format->exponent_max) return false;
    *bits = cn_number_encode(format, significand, exponent);
    return true;
}

#define CN_NUMBER_WORDS 192
typedef struct cn_number_big_t {
    uint32_t words[CN_NUMBER_WORDS]; /* the lowest first */
    size_t count;                    /* words[count - 1] is not 0 */
} cn_number_big_t;

static void cn_number_big_multiply(cn_number_big_t *big, uint32_t factor, uint32_t add) {
    uint64_t carry = add;
    size_t i;
    for (i = 0; i < big->count; i++) {
        carry += (uint64_t)big->words[i] * factor;
        big->words[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry && big->count < CN_NUMBER_WORDS) big->words[big->count++] = (uint32_t)carry;
}

static void cn_number_big_multiply_power(cn_number_big_t *big, int k) {
    for (; k >= 9; k -= 9)
        cn_number_big_multiply(big, 1000000000u, 0);
    for (; k > 0; k--)
        cn_number_big_multiply(big, 10, 0);
}

static void cn_number_big_shift(cn_number_big_t *big, int by) {
    size_t words = (size_t)by / 32, i;
    unsigned bits = (unsigned)by % 32;
    if (!big->count || big->count + words + 1 > CN_NUMBER_WORDS) return;
    big->words[big->count + words] = 0;
    for (i = big->count; i-- > 0;) {
        uint64_t moved = (uint64_t)big->words[i] << bits;
        big->words[i + words + 1] |= (uint32_t)(moved >> 32);
        big->words[i + words] = (uint32_t)moved;
    }
    for (i = 0; i < words; i++)
        big->words[i] = 0;
    big->count += words + 1;
    if (!big->words[big->count - 1]) big->count--;
}

static int cn_number_big_compare(const cn_number_big_t *a, const cn_number_big_t *b) {
    size_t i;
    if (a->count != b->count) return a->count < b->count ? -1 : 1;
    for (i = a->count; i-- > 0;)
        if (a->words[i] != b->words[i]) return a->words[i] < b->words[i] ? -1 : 1;
    return 0;
}

/* a -= b, where a >= b. */
static void cn_number_big_subtract(cn_number_big_t *a, const cn_number_big_t *b) {
    uint32_t borrow = 0;
    size_t i;
    for (i = 0; i < a->count; i++) {
        uint64_t take = (uint64_t)(i < b->count ? b->words[i] : 0) + borrow;
        borrow = a->words[i] < take;
        a->words[i] = (uint32_t)(a->words[i] - take);
    }
    while (a->count && !a->words[a->count - 1])
        a->count--;
}

static int cn_number_big_bits(const cn_number_big_t *big) {
    return (int)big->count * 32 - (cn_number_leading_zeros(big->words[big->count - 1]) - 32);
}

/* The same for any number, exactly; infinity if it is too large. */
static uint64_t cn_number_by_division(const cn_number_format_t *format, const cn_number_t *number) {
    const uint64_t infinity = cn_number_encode(format, (uint64_t)1 << (format->bits - 1), format->exponent_max + 1);
    cn_number_big_t over, under;
    const char *at = number->digits, *end = number->digits_end;
    int32_t exponent = number->exponent;
    uint64_t significand = 0;
    int digits = 0, scale, count, i, order;
    while (at < end && (*at == '0' || *at == '.'))
        at++;
    while (end > at && (end[-1] == '0' || end[-1] == '.')) {
        /* zeros behind the point or at the end of the integer: both are a factor of ten less */
        if (end[-1] == '0') exponent++;
        end--;
    }
    over.count = 0;
    under.count = 1;
    under.words[0] = 1;
    while (at < end) {
        uint32_t chunk = 0, factor = 1; /* nine digits at a time */
        for (; at < end && factor < 1000000000u; at++) {
            if (*at == '.') continue;
            chunk = chunk * 10 + (uint32_t)(*at - '0');
            factor *= 10;
            digits++;
        }
        cn_number_big_multiply(&over, factor, chunk);
    }
    if (digits == 0 || digits + exponent < format->digits_min) return 0;
    if (digits + exponent > format->digits_max) return infinity;
    if (exponent >= 0)
        cn_number_big_multiply_power(&over, exponent);
    else
        cn_number_big_multiply_power(&under, -exponent);
    /* scale: the exponent of the lowest bit of a quotient of `bits` bits, or of one more */
    scale = cn_number_big_bits(&over) - cn_number_big_bits(&under) - format->bits;
    if (scale < format->exponent_min) scale = format->exponent_min;
    if (scale < 0)
        cn_number_big_shift(&over, -scale);
    else
        cn_number_big_shift(&under, scale);
    count = format->bits + 1;
    cn_number_big_shift(&under, count - 1);
    for (i = 0; i < count; i++) {
        significand <<= 1;
        if (cn_number_big_compare(&over, &under) >= 0) {
            cn_number_big_subtract(&over, &under);
            significand |= 1;
        }
        cn_number_big_shift(&over, 1);
    }
    if (significand >> format->bits) {
        bool half = significand & 1;
        significand >>= 1;
        scale++;
        significand += half && (over.count || (significand & 1));
    } else {
        order = cn_number_big_compare(&over, &under);
        significand += order > 0 || (order == 0 && (significand & 1));
    }
    if (significand >> format->bits) {
        significand >>= 1;
        scale++;
    }
    return scale > format->exponent_max ? infinity : cn_number_encode(format, significand, scale);
}

static uint64_t cn_number_nearest(const cn_number_format_t *format, const cn_number_t *number) {
    uint64_t bits, above;
    if (number->first == 0) return 0;
    if (cn_number_by_product(format, number->first, number->first_exponent, &bits) &&
        (!number->more ||
            (cn_number_by_product(format, number->first + 1, number->first_exponent, &above) && bits == above)))
        return bits;
    return cn_number_by_division(format, number);
}

CN_PRIVATE cn_number_result_t cn_number_as_double(const cn_number_t *number, double *value) {
    static const cn_number_format_t format = {53, -1074, 971, 309, -323};
    uint64_t bits;
#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ == 0
    if (number->first <= (uint64_t)1 << 53 && !number->more && number->first_exponent >= -22 &&
        number->first_exponent <= 22) {
        static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14,
            1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
        double exact = (double)number->first;
        exact = number->first_exponent < 0 ? exact / powers[-number->first_exponent]
                                           : exact * powers[number->first_exponent];
        *value = number->negative ? -exact : exact;
        return CN_NUMBER_OK;
    }
#endif
    bits = cn_number_nearest(&format, number);
    if (bits == (uint64_t)0x7FF << 52) return CN_NUMBER_RANGE;
    bits |= (uint64_t)number->negative << 63;
    memcpy(value, &bits, sizeof bits);
    return CN_NUMBER_OK;
}

CN_PRIVATE cn_number_result_t cn_number_as_float(const cn_number_t *number, float *value) {
    static const cn_number_format_t format = {24, -149, 104, 39, -45};
    uint32_t bits = (uint32_t)cn_number_nearest(&format, number);
    if (bits == (uint32_t)0xFF << 23) return CN_NUMBER_RANGE;
    bits |= (uint32_t)number->negative << 31;
    memcpy(value, &bits, sizeof bits);
    return CN_NUMBER_OK;
}

/* The absolute value of an integer that is written with a fraction or an exponent, or with 20 digits. */
static cn_number_result_t cn_number_long_magnitude(const cn_number_t *number, uint64_t *value) {
    const char *at = number->digits, *end = number->digits_end;
    int32_t exponent = number->exponent;
    uint64_t sum = 0;
    while (end > at && (end[-1] == '0' || end[-1] == '.')) {
        if (end[-1] == '0') exponent++;
        end--;
    }
    for (; at < end; at++) {
        uint64_t digit;
        if (*at == '.') continue;
        digit = (uint64_t)(*at - '0');
        if (sum > (UINT64_MAX - digit) / 10) return exponent < 0 ? CN_NUMBER_FRACTION : CN_NUMBER_RANGE;
        sum = sum * 10 + digit;
    }
    if (sum != 0 && exponent < 0) return CN_NUMBER_FRACTION;
    for (; sum != 0 && exponent > 0; exponent--) {
        if (sum > UINT64_MAX / 10) return CN_NUMBER_RANGE;
        sum *= 10;
    }
    *value = sum;
    return CN_NUMBER_OK;
}

static cn_number_result_t cn_number_magnitude(const cn_number_t *number, uint64_t *value) {
    if (CN_UNLIKELY(number->exponent != 0 || number->digits_end - number->digits > 19))
        return cn_number_long_magnitude(number, value);
    *value = number->first;
    return CN_NUMBER_OK;
}

CN_PRIVATE cn_number_result_t cn_number_as_int(const cn_number_t *number, int64_t min, int64_t max, int64_t *value) {
    uint64_t magnitude;
    cn_number_result_t result = cn_number_magnitude(number, &magnitude);
    if (result != CN_NUMBER_OK) return result;
    if (number->negative) {
        if (magnitude > 0 - (uint64_t)min) return CN_NUMBER_RANGE;
        *value = magnitude ? -(int64_t)(magnitude - 1) - 1 : 0;
    } else {
        if (magnitude > (uint64_t)max) return CN_NUMBER_RANGE;
        *value = (int64_t)magnitude;
    }
    return CN_NUMBER_OK;
}

CN_PRIVATE cn_number_result_t cn_number_as_uint(const cn_number_t *number, uint64_t max, uint64_t *value) {
    cn_number_result_t result = cn_number_magnitude(number, value);
    if (result == CN_NUMBER_OK && (*value > max || (number->negative && *value != 0))) return CN_NUMBER_RANGE;
    return result;
}

/* #### src/codec/json.h ############################################################################################ */
#define CN_JSON_DEPTH_MAX 256
#define CN_JSON_NAME_MAX 65536

/* A pull reader over a whole JSON text (RFC 8259); nothing behind the text is read. Strict: no comments, no trailing
   commas, no leading zeros, UTF-8 checked, one value and nothing behind it. */
typedef enum cn_json_token_t {
    CN_JSON_END,   /* the text is over, after one whole value */
    CN_JSON_ERROR, /* reader->error says why, reader->at where */
    CN_JSON_NULL,
    CN_JSON_TRUE,
    CN_JSON_FALSE,
    CN_JSON_NUMBER, /* reader->text: as written; reader->number */
    CN_JSON_STRING, /* reader->text: unescaped; a view of the input if nothing was escaped, else in the arena */
    CN_JSON_OBJECT_BEGIN,
    CN_JSON_OBJECT_END,
    CN_JSON_ARRAY_BEGIN,
    CN_JSON_ARRAY_END,
    CN_JSON_NAME /* of an object's member: reader->text, as for STRING; its value is the next token */
} cn_json_token_t;
typedef struct cn_json_reader_t {
    const char *begin, *at, *end;
    const char *token; /* where the last token starts */
    connect_arena_t *arena;
    cn_number_t number;
    connect_str_t text; /* data is never NULL after NUMBER, STRING and NAME */
    const char *error;  /* static: "expected a comma or ]" */
    uint32_t depth, depth_max;
    uint8_t state;                            /* what may come next; private to json.c */
    bool escaped;                             /* text is in the arena */
    bool discard;                             /* strings are checked, but not unescaped: text says nothing */
    bool out_of_memory;                       /* this is the error: the arena is full */
    uint64_t nesting[CN_JSON_DEPTH_MAX / 64]; /* one bit for each level: 1 is an object */
} cn_json_reader_t;
/* depth_max: how deep arrays and objects may nest; at most CN_JSON_DEPTH_MAX. */
CN_PRIVATE void cn_json_read(cn_json_reader_t *reader, connect_str_t text, connect_arena_t *arena, uint32_t depth_max);
CN_PRIVATE cn_json_token_t cn_json_next(cn_json_reader_t *reader);
/* The next item of an array, if it is a plain number: up to 18 digits, no space around them. Returns false if it is
   not; then nothing was read. */
CN_PRIVATE bool cn_json_next_uint(cn_json_reader_t *reader, uint64_t *value);
/* Skips the value whose first token is given. Returns false on an error in it. */
CN_PRIVATE bool cn_json_skip(cn_json_reader_t *reader, cn_json_token_t first);
/* Line and column, from 1, of a place in the text: for error texts. Columns are characters, not bytes. */
CN_PRIVATE void cn_json_position_of(const cn_json_reader_t *reader, const char *place, size_t *line, size_t *column);
/* The same for the reader's own place: the first byte that was not taken. */
CN_PRIVATE void cn_json_position(const cn_json_reader_t *reader, size_t *line, size_t *column);

/* A writer that appends to a queue, puts the commas and colons itself, and remembers failure. */
typedef struct cn_json_writer_t {
    cn_buf_t *out;
    const connect_allocator_t *allocator;
    bool pretty;
    bool comma;         /* the next item needs one before it */
    bool named;         /* a name and its colon were just written */
    bool failed;        /* out of memory, or a text that is not UTF-8 */
    bool out_of_memory; /* which of the two */
    uint32_t depth;
} cn_json_writer_t;
CN_PRIVATE void cn_json_write(
    cn_json_writer_t *writer, cn_buf_t *out, const connect_allocator_t *allocator, bool pretty);
CN_PRIVATE void cn_json_object_begin(cn_json_writer_t *writer);
CN_PRIVATE void cn_json_object_end(cn_json_writer_t *writer);
CN_PRIVATE void cn_json_array_begin(cn_json_writer_t *writer);
CN_PRIVATE void cn_json_array_end(cn_json_writer_t *writer);
CN_PRIVATE void cn_json_name(cn_json_writer_t *writer, connect_str_t name);
/* The same for a short name that needs no escape. */
CN_PRIVATE void cn_json_clean_name(cn_json_writer_t *writer, connect_str_t name);
CN_PRIVATE void cn_json_string(cn_json_writer_t *writer, connect_str_t text);
/* Bytes as a string of base64. */
CN_PRIVATE void cn_json_base64(cn_json_writer_t *writer, connect_str_t bytes, bool padded);
/* null, true, a number: written as it stands. */
CN_PRIVATE void cn_json_literal(cn_json_writer_t *writer, connect_str_t literal);
/* The same in quotes, for what needs no escapes. */
CN_PRIVATE void cn_json_quoted(cn_json_writer_t *writer, connect_str_t literal);
CN_PRIVATE void cn_json_bool(cn_json_writer_t *writer, bool value);
/* Numbers. quoted: in quotes, as JSON has no integers of 64 bits. A double or a float is finite. */
CN_PRIVATE void cn_json_int(cn_json_writer_t *writer, int64_t value, bool quoted);
CN_PRIVATE void cn_json_uint(cn_json_writer_t *writer, uint64_t value, bool quoted);
CN_PRIVATE void cn_json_double(cn_json_writer_t *writer, double value);
CN_PRIVATE void cn_json_float(cn_json_writer_t *writer, float value);

/* #### src/codec/json.c ############################################################################################ */
/* JSON text, RFC 8259: a pull reader and a writer. Always there, since Connect's errors and end-of-stream messages are
   JSON; what maps messages to JSON is pbjson.c.

   Reader. It takes the grammar of RFC 8259 section 2 and nothing else: space, tab, LF and CR between tokens; numbers as
   in section 6, kept as text; strings as in section 7, in UTF-8 (8.1), where an escaped surrogate has to be one of a
   pair. A byte order mark is refused. A name may stand twice in an object: it is the caller who knows what is a name.

       state       may come next                       then
       VALUE       a value                             AFTER, or FIRST_x
       FIRST_ITEM  a value, or ]                       AFTER, or FIRST_x
       FIRST_NAME  a name and its colon, or }          VALUE; AFTER
       AFTER       in an array: a comma and a value, or ]; in an object: a comma, a name and its colon, or };
                   outside of both: the end
       FAILED      the same error, again

   A reader never looks at a byte behind `end`. A string is scanned eight bytes at a time for what ends a clean run: a
   quote, a backslash, a control character. Bytes above 0x7F are collected on the way, and only text that has some is
   checked to be UTF-8.

   Limits: nesting depth_max, a number 1 KiB, a name 64 KiB. Strings are as long as the input.

   Writer. `comma` says that the next item needs one before it, `named` that a name and its colon were just written.
   Escaped are the quote, the backslash and the control characters; everything else stands as it is. */

enum { CN_JSON_VALUE, CN_JSON_FIRST_ITEM, CN_JSON_FIRST_NAME, CN_JSON_AFTER, CN_JSON_FAILED };

#define CN_JSON_DIGITS 18 /* of an integer that has no more than 63 bits whatever they are */
#define CN_JSON_ONES 0x0101010101010101u
#define CN_JSON_HIGHS 0x8080808080808080u

/* A bit in each byte that ends a clean run; above the lowest one there may be more than there should be. Less than 0x20
   or equal to 0x22 is what is less than 0x21 after a flip of bit 1. */
static inline uint64_t cn_json_word_stops(uint64_t word) {
    uint64_t backslash = word ^ (CN_JSON_ONES * 0x5C);
    uint64_t low = ((word ^ (CN_JSON_ONES * 0x02)) - CN_JSON_ONES * 0x21) & ~word;
    return (low | ((backslash - CN_JSON_ONES) & ~backslash)) & CN_JSON_HIGHS;
}

#if defined(__SSE2__) && defined(__GNUC__)
#define CN_JSON_SSE2 1
/* A bit for each of 16 bytes that ends a clean run. */
static inline unsigned cn_json_block_stops(__m128i block) {
    const __m128i quotes = _mm_cmpeq_epi8(block, _mm_set1_epi8('"'));
    const __m128i backslashes = _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'));
    const __m128i controls = _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(0x1F)), block);
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quotes, backslashes), controls));
}
#else
#define CN_JSON_SSE2 0
#endif

static inline bool cn_json_is_stop(char c) {
    return (unsigned char)c < 0x20 || c == '"' || c == '\\';
}

/* How many of the 8 bytes at p stand before the first stop; there is one. */
static size_t cn_json_stop_index(const char *p, uint64_t stops) {
#if defined(__GNUC__) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    (void)p;
    return (size_t)__builtin_ctzll(stops) >> 3;
#else
    size_t i = 0;
    (void)stops;
    while (i < 7 && !cn_json_is_stop(p[i]))
        i++;
    return i;
#endif
}

/* What stands before the first stop, with nothing in the high bits of the other bytes. */
static uint64_t cn_json_before_stop(const char *p, uint64_t word, uint64_t stops) {
#if defined(__GNUC__) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    (void)p;
    return word & ((stops & (0 - stops)) - 1);
#else
    size_t i, count = cn_json_stop_index(p, stops);
    uint64_t high = 0;
    (void)word;
    for (i = 0; i < count; i++)
        high |= (unsigned char)p[i];
    return high;
#endif
}

/* ---- Reader ---- */

CN_PRIVATE void cn_json_read(cn_json_reader_t *reader, connect_str_t text, connect_arena_t *arena, uint32_t depth_max) {
    memset(reader, 0, sizeof *reader);
    reader->begin = reader->at = reader->token = text.data ? text.data : "";
    reader->end = reader->begin + text.len;
    reader->arena = arena;
    reader->depth_max = CN_MIN(depth_max, (uint32_t)CN_JSON_DEPTH_MAX);
    reader->state = CN_JSON_VALUE;
}

static CN_COLD cn_json_token_t cn_json_fail(cn_json_reader_t *reader, const char *at, const char *error) {
    reader->at = at < reader->end ? at : reader->end;
    reader->error = error;
    reader->state = CN_JSON_FAILED;
    return CN_JSON_ERROR;
}

static bool cn_json_in_object(const cn_json_reader_t *reader) {
    uint32_t level = reader->depth - 1;
    return (reader->nesting[level / 64] >> (level % 64)) & 1;
}

static inline CN_HOT const char *cn_json_space(const char *at, const char *end) {
    while (at < end && (unsigned char)*at <= ' ' && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

static int cn_json_hex4(const char *at) {
    int value = 0, i;
    for (i = 0; i < 4; i++) {
        char c = at[i];
        if (c >= '0' && c <= '9')
            value = value * 16 + (c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            value = value * 16 + ((c | 0x20) - 'a' + 10);
        else
            return -1;
    }
    return value;
}

/* Unescapes what stands between two quotes, where no control character is left, and every backslash has a character
   behind it. `to` has room for as many bytes as there are. */
static cn_json_token_t cn_json_unescape(cn_json_reader_t *reader, char *to, const char *at, const char *end) {
    size_t len = 0;
    while (at < end) {
        const char *backslash = (const char *)memchr(at, '\\', (size_t)(end - at));
        size_t run = (size_t)((backslash ? backslash : end) - at);
        char c;
        if (to) memcpy(to + len, at, run);
        len += run;
        at += run;
        if (!backslash) break;
        switch (at[1]) {
        case 'b': c = '\b'; break;
        case 'f': c = '\f'; break;
        case 'n': c = '\n'; break;
        case 'r': c = '\r'; break;
        case 't': c = '\t'; break;
        case '"':
        case '\\':
        case '/': c = at[1]; break;
        case 'u': {
            int unit = end - at >= 6 ? cn_json_hex4(at + 2) : -1;
            uint32_t code_point = (uint32_t)unit;
            char scalar[4];
            size_t scalar_len;
            if (unit < 0) return cn_json_fail(reader, at, "expected four hexadecimal digits after \\u");
            if (unit >= 0xDC00 && unit <= 0xDFFF)
                return cn_json_fail(reader, at, "a low surrogate without a high one before it");
            if (unit >= 0xD800 && unit <= 0xDBFF) {
                int low = end - at >= 12 && at[6] == '\\' && at[7] == 'u' ? cn_json_hex4(at + 8) : -1;
                if (low < 0xDC00 || low > 0xDFFF)
                    return cn_json_fail(reader, at, "a high surrogate without a low one behind it");
                code_point = 0x10000 + (((uint32_t)unit - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
                at += 6;
            }
            at += 6;
            scalar_len = cn_utf8_put(scalar, code_point);
            if (to) memcpy(to + len, scalar, scalar_len);
            len += scalar_len;
            continue;
        }
        default: return cn_json_fail(reader, at, "an escape that JSON does not have");
        }
        if (to) to[len] = c;
        len++;
        at += 2;
    }
    if (to) reader->text = cn_str(to, len);
    return CN_JSON_STRING;
}

/* The first byte of a text that ends a clean run, or its end; *wide is set if one above 0x7F stands before it. */
static inline CN_HOT const char *cn_json_clean_end(const char *at, const char *end, bool *wide) {
    uint64_t all = 0;
#if CN_JSON_SSE2
    while (CN_LIKELY(end - at >= 16)) {
        const __m128i block = _mm_loadu_si128((const __m128i *)(const void *)at);
        const unsigned stops = cn_json_block_stops(block), high = (unsigned)_mm_movemask_epi8(block);
        if (stops) {
            *wide = *wide || (all | (high & ((stops & (0 - stops)) - 1))) != 0;
            return at + __builtin_ctz(stops);
        }
        all |= high;
        at += 16;
    }
    *wide = *wide || all != 0;
    all = 0;
#endif
    while (end - at >= 8) {
        uint64_t word, stops;
        memcpy(&word, at, 8);
        stops = cn_json_word_stops(word);
        if (stops) {
            *wide = *wide || ((all | cn_json_before_stop(at, word, stops)) & CN_JSON_HIGHS) != 0;
            return at + cn_json_stop_index(at, stops);
        }
        all |= word;
        at += 8;
    }
    for (; at < end && !cn_json_is_stop(*at); at++)
        all |= (unsigned char)*at;
    *wide = *wide || (all & CN_JSON_HIGHS) != 0;
    return at;
}

/* Goes on behind a backslash or at a control character. Returns the place of the quote that ends the string, or
   NULL. */
static const char *cn_json_escaped_end(cn_json_reader_t *reader, const char *at, bool *wide) {
    const char *end = reader->end;
    while (at < end && *at == '\\') {
        at++;
        if (at == end) break;
        if ((unsigned char)*at < 0x20) break;
        *wide = *wide || (unsigned char)*at >= 0x80;
        at = cn_json_clean_end(at + 1, end, wide);
        if (at < end && *at == '"') return at;
    }
    cn_json_fail(reader, at, at < end ? "a control character in a string" : "a string without its closing quote");
    return NULL;
}

static CN_APART cn_json_token_t cn_json_take_escaped(
    cn_json_reader_t *reader, const char *at, const char *stop, size_t len_max, bool wide) {
    const char *quote = stop < reader->end && *stop == '"' ? stop : cn_json_escaped_end(reader, stop, &wide);
    size_t room;
    char *to = NULL;
    if (!quote) return CN_JSON_ERROR;
    room = (size_t)(quote - at);
    if (room > len_max) return cn_json_fail(reader, at, "a name longer than 64 KiB");
    reader->text = cn_str(at, room);
    reader->escaped = quote != stop;
    if (wide && !cn_utf8_valid(reader->text)) return cn_json_fail(reader, at, "a string that is not UTF-8");
    if (reader->escaped) {
        if (!reader->discard) {
            to = (char *)cn_arena_raw(reader->arena, room);
            if (!to) {
                reader->out_of_memory = true;
                return cn_json_fail(reader, at, "out of memory");
            }
        }
        if (cn_json_unescape(reader, to, at, quote) == CN_JSON_ERROR) return CN_JSON_ERROR;
        if (to) cn_arena_shrink(reader->arena, to, room, reader->text.len);
    }
    reader->at = quote + 1;
    return CN_JSON_STRING;
}

/* at: behind the opening quote. */
static inline CN_HOT cn_json_token_t cn_json_take_string(cn_json_reader_t *reader, const char *at, size_t len_max) {
    bool wide = false;
    const char *stop = cn_json_clean_end(at, reader->end, &wide);
    if (CN_UNLIKELY(stop == reader->end || *stop != '"' || wide || (size_t)(stop - at) > len_max))
        return cn_json_take_escaped(reader, at, stop, len_max, wide);
    reader->text.data = at;
    reader->text.len = (size_t)(stop - at);
    reader->escaped = false;
    reader->at = stop + 1;
    return CN_JSON_STRING;
}

static CN_COLD cn_json_token_t cn_json_bad_number(cn_json_reader_t *reader, const char *at, const char *bad) {
    return cn_json_fail(reader, bad,
        bad - at >= CN_NUMBER_TEXT_MAX - 1     ? "a number longer than 1 KiB"
            : bad < reader->end && *bad == '0' ? "a number with a leading zero"
                                               : "expected a digit");
}

static inline CN_HOT cn_json_token_t cn_json_take_number(cn_json_reader_t *reader, const char *at) {
    const char *bad, *end = cn_number_scan(&reader->number, at, reader->end, &bad);
    if (CN_UNLIKELY(!end)) return cn_json_bad_number(reader, at, bad);
    if (CN_UNLIKELY(end - at == CN_NUMBER_TEXT_MAX) && end < reader->end &&
        (strchr(".eE", *end) || (unsigned char)(*end - '0') < 10))
        return cn_json_fail(reader, at, "a number longer than 1 KiB");
    reader->text.data = at;
    reader->text.len = (size_t)(end - at);
    reader->at = end;
    reader->state = CN_JSON_AFTER;
    return CN_JSON_NUMBER;
}

static cn_json_token_t cn_json_take_word(
    cn_json_reader_t *reader, const char *at, const char *word, size_t len, cn_json_token_t token) {
    if ((size_t)(reader->end - at) < len || memcmp(at, word, len) != 0)
        return cn_json_fail(reader, at, "expected a value");
    reader->at = at + len;
    reader->state = CN_JSON_AFTER;
    return token;
}

static cn_json_token_t cn_json_open(cn_json_reader_t *reader, const char *at, bool object) {
    uint32_t level = reader->depth;
    uint64_t bit = (uint64_t)1 << (level % 64);
    if (level >= reader->depth_max) return cn_json_fail(reader, at, "nested too deeply");
    if (object)
        reader->nesting[level / 64] |= bit;
    else
        reader->nesting[level / 64] &= ~bit;
    reader->depth++;
    reader->at = at + 1;
    reader->state = object ? CN_JSON_FIRST_NAME : CN_JSON_FIRST_ITEM;
    return object ? CN_JSON_OBJECT_BEGIN : CN_JSON_ARRAY_BEGIN;
}

static cn_json_token_t cn_json_close(cn_json_reader_t *reader, const char *at, cn_json_token_t token) {
    reader->depth--;
    reader->at = at + 1;
    reader->state = CN_JSON_AFTER;
    return token;
}

static inline CN_HOT cn_json_token_t cn_json_take_value(cn_json_reader_t *reader, const char *at) {
    if (CN_UNLIKELY(at >= reader->end)) return cn_json_fail(reader, at, "expected a value");
    switch (*at) {
    case '"': {
        cn_json_token_t token = cn_json_take_string(reader, at + 1, SIZE_MAX);
        if (CN_LIKELY(token == CN_JSON_STRING)) reader->state = CN_JSON_AFTER;
        return token;
    }
    case '{': return cn_json_open(reader, at, true);
    case '[': return cn_json_open(reader, at, false);
    case 't': return cn_json_take_word(reader, at, "true", 4, CN_JSON_TRUE);
    case 'f': return cn_json_take_word(reader, at, "false", 5, CN_JSON_FALSE);
    case 'n': return cn_json_take_word(reader, at, "null", 4, CN_JSON_NULL);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9': return cn_json_take_number(reader, at);
    default: return cn_json_fail(reader, at, "expected a value");
    }
}

static inline CN_HOT cn_json_token_t cn_json_take_name(cn_json_reader_t *reader, const char *at, const char *expected) {
    if (CN_UNLIKELY(at >= reader->end || *at != '"')) return cn_json_fail(reader, at, expected);
    if (CN_UNLIKELY(cn_json_take_string(reader, at + 1, CN_JSON_NAME_MAX) == CN_JSON_ERROR)) return CN_JSON_ERROR;
    at = reader->at;
    if (CN_UNLIKELY(at >= reader->end || *at != ':')) {
        at = cn_json_space(at, reader->end);
        if (at >= reader->end || *at != ':') return cn_json_fail(reader, at, "expected a colon");
    }
    reader->at = at + 1;
    reader->state = CN_JSON_VALUE;
    return CN_JSON_NAME;
}

CN_PRIVATE cn_json_token_t cn_json_next(cn_json_reader_t *reader) {
    const char *end = reader->end, *at = cn_json_space(reader->at, end), *name = NULL;
    const char c = at < end ? *at : 0;
    reader->token = at;
    switch (reader->state) {
    case CN_JSON_VALUE: break;
    case CN_JSON_FIRST_ITEM:
        if (c == ']') return cn_json_close(reader, at, CN_JSON_ARRAY_END);
        break;
    case CN_JSON_FIRST_NAME:
        if (c == '}') return cn_json_close(reader, at, CN_JSON_OBJECT_END);
        name = "expected a name or }";
        break;
    case CN_JSON_FAILED: return CN_JSON_ERROR;
    default: /* AFTER */
        if (reader->depth == 0) {
            if (at < end) return cn_json_fail(reader, at, "expected nothing after the value");
            reader->at = at;
            return CN_JSON_END;
        }
        if (cn_json_in_object(reader)) {
            if (c == '}') return cn_json_close(reader, at, CN_JSON_OBJECT_END);
            if (CN_UNLIKELY(c != ',')) return cn_json_fail(reader, at, "expected a comma or }");
            name = "expected a name";
        } else {
            if (c == ']') return cn_json_close(reader, at, CN_JSON_ARRAY_END);
            if (CN_UNLIKELY(c != ',')) return cn_json_fail(reader, at, "expected a comma or ]");
        }
        reader->token = at = cn_json_space(at + 1, end);
        break;
    }
    return name ? cn_json_take_name(reader, at, name) : cn_json_take_value(reader, at);
}

CN_PRIVATE bool cn_json_next_uint(cn_json_reader_t *reader, uint64_t *value) {
    const char *at = reader->at, *end = reader->end, *begin;
    uint64_t sum, digit;
    if (reader->state == CN_JSON_AFTER) {
        if (at == end || *at != ',') return false;
        at++;
    } else if (reader->state != CN_JSON_FIRST_ITEM) {
        return false;
    }
    begin = at;
    if (end - at > CN_JSON_DIGITS) end = at + CN_JSON_DIGITS + 1;
    for (sum = 0; at < end && (digit = (unsigned char)(*at - '0')) < 10; at++)
        sum = sum * 10 + digit;
    if (at == end || (*at != ',' && *at != ']') || at == begin || (*begin == '0' && at != begin + 1)) return false;
    reader->token = begin;
    reader->at = at;
    reader->state = CN_JSON_AFTER;
    *value = sum;
    return true;
}

CN_PRIVATE bool cn_json_skip(cn_json_reader_t *reader, cn_json_token_t first) {
    uint32_t depth = reader->depth;
    bool ok = first != CN_JSON_ERROR;
    if (first != CN_JSON_OBJECT_BEGIN && first != CN_JSON_ARRAY_BEGIN) return ok;
    reader->discard = true;
    while (ok && reader->depth >= depth)
        ok = cn_json_next(reader) != CN_JSON_ERROR;
    reader->discard = false;
    return ok;
}

CN_PRIVATE void cn_json_position_of(const cn_json_reader_t *reader, const char *place, size_t *line, size_t *column) {
    const char *at;
    *line = *column = 1;
    for (at = reader->begin; at < place; at++) {
        if (*at == '\n') {
            ++*line;
            *column = 1;
        } else if (((unsigned char)*at & 0xC0) != 0x80) {
            ++*column;
        }
    }
}

CN_PRIVATE void cn_json_position(const cn_json_reader_t *reader, size_t *line, size_t *column) {
    cn_json_position_of(reader, reader->at, line, column);
}

/* ---- Writer ---- */

CN_PRIVATE void cn_json_write(
    cn_json_writer_t *writer, cn_buf_t *out, const connect_allocator_t *allocator, bool pretty) {
    memset(writer, 0, sizeof *writer);
    writer->out = out;
    writer->allocator = allocator;
    writer->pretty = pretty;
}

static CN_APART char *cn_json_more_room(cn_json_writer_t *writer, size_t len) {
    char *to;
    if (writer->failed) return NULL;
    to = cn_buf_reserve(writer->out, writer->allocator, len);
    if (!to) writer->failed = writer->out_of_memory = true;
    return to;
}

/* Where the next byte goes, with room for so many, at least one; NULL: it failed. What was written is said once, at the
   end of an item, by cn_json_wrote. */
static inline CN_HOT char *cn_json_room(cn_json_writer_t *writer, size_t len) {
    const cn_buf_t *out = writer->out;
    return CN_LIKELY(out->capacity - out->end >= len) ? out->block + out->end : cn_json_more_room(writer, len);
}

static inline void cn_json_wrote(cn_json_writer_t *writer, const char *end) {
    writer->out->end = (size_t)(end - writer->out->block);
}

static char *cn_json_indent(char *to, uint32_t depth) {
    *to++ = '\n';
    memset(to, ' ', (size_t)depth * 2);
    return to + (size_t)depth * 2;
}

static char *cn_json_pretty_item(cn_json_writer_t *writer, size_t len) {
    char *to = cn_json_room(writer, len + 2 + (size_t)writer->depth * 2);
    if (!to) return NULL;
    if (writer->comma) *to++ = ',';
    if (!writer->named && writer->depth > 0) to = cn_json_indent(to, writer->depth);
    writer->named = false;
    writer->comma = true;
    return to;
}

/* Makes room for an item of at most len bytes, less than SIZE_MAX / 2, and writes what stands before it. Returns where
   it goes. */
static inline CN_HOT char *cn_json_item(cn_json_writer_t *writer, size_t len) {
    char *to;
    if (CN_UNLIKELY(writer->pretty)) return cn_json_pretty_item(writer, len);
    to = cn_json_room(writer, len + 1);
    if (CN_UNLIKELY(!to)) return NULL;
    *to = ',';
    to += writer->comma;
    writer->comma = true;
    return to;
}

static inline void cn_json_begin(cn_json_writer_t *writer, char bracket) {
    char *to = cn_json_item(writer, 1);
    writer->comma = false;
    writer->depth++;
    if (CN_UNLIKELY(!to)) return;
    *to++ = bracket;
    cn_json_wrote(writer, to);
}

static inline void cn_json_finish(cn_json_writer_t *writer, char bracket) {
    char *to;
    writer->depth--;
    to = cn_json_room(writer, 2 + (size_t)writer->depth * 2);
    if (CN_UNLIKELY(!to)) return;
    if (CN_UNLIKELY(writer->pretty) && writer->comma) to = cn_json_indent(to, writer->depth);
    *to++ = bracket;
    cn_json_wrote(writer, to);
    writer->comma = true;
}

CN_PRIVATE void cn_json_object_begin(cn_json_writer_t *writer) {
    cn_json_begin(writer, '{');
}

CN_PRIVATE void cn_json_object_end(cn_json_writer_t *writer) {
    cn_json_finish(writer, '}');
}

CN_PRIVATE void cn_json_array_begin(cn_json_writer_t *writer) {
    cn_json_begin(writer, '[');
}

CN_PRIVATE void cn_json_array_end(cn_json_writer_t *writer) {
    cn_json_finish(writer, ']');
}

/* Writes one character as its escape; `to` has room for 6. Returns how many. */
static size_t cn_json_escape(char *to, char c) {
    static const char hex[] = "0123456789abcdef";
    to[0] = '\\';
    switch (c) {
    case '"':
    case '\\': to[1] = c; return 2;
    case '\b': to[1] = 'b'; return 2;
    case '\f': to[1] = 'f'; return 2;
    case '\n': to[1] = 'n'; return 2;
    case '\r': to[1] = 'r'; return 2;
    case '\t': to[1] = 't'; return 2;
    default:
        memcpy(to + 1, "u00", 3);
        to[4] = hex[((unsigned char)c >> 4) & 15];
        to[5] = hex[(unsigned char)c & 15];
        return 6;
    }
}

/* Copies text up to its end, or up to some byte before the first one that needs an escape. Returns how many bytes;
   *wide is set if one of them may be above 0x7F. Blocks overlap at the end, so nothing behind the text is read or
   written. */
static inline CN_HOT size_t cn_json_copy_clean(char *to, const char *at, size_t len, bool *wide) {
    size_t i;
#if CN_JSON_SSE2
    if (len >= 16) {
        __m128i all = _mm_setzero_si128();
        for (i = 0; i < len;) {
            __m128i block;
            if (len - i < 16) i = len - 16;
            block = _mm_loadu_si128((const __m128i *)(const void *)(at + i));
            if (CN_UNLIKELY(cn_json_block_stops(block) != 0)) break;
            _mm_storeu_si128((__m128i *)(void *)(to + i), block);
            all = _mm_or_si128(all, block);
            i += 16;
        }
        *wide = *wide || _mm_movemask_epi8(all) != 0;
        return i;
    }
#endif
    if (len >= 8) {
        uint64_t all = 0;
        for (i = 0; i < len;) {
            uint64_t word;
            if (len - i < 8) i = len - 8;
            memcpy(&word, at + i, 8);
            if (CN_UNLIKELY(cn_json_word_stops(word) != 0)) break;
            memcpy(to + i, &word, 8);
            all |= word;
            i += 8;
        }
        *wide = *wide || (all & CN_JSON_HIGHS) != 0;
        return i;
    }
    if (len >= 4) {
        uint32_t first, last;
        uint64_t both;
        memcpy(&first, at, 4);
        memcpy(&last, at + len - 4, 4);
        both = (uint64_t)first << 32 | last;
        if (CN_UNLIKELY(cn_json_word_stops(both) != 0)) return 0;
        memcpy(to, &first, 4);
        memcpy(to + len - 4, &last, 4);
        *wide = *wide || (both & CN_JSON_HIGHS) != 0;
        return len;
    }
    for (i = 0; i < len && !cn_json_is_stop(at[i]); i++) {
        to[i] = at[i];
        *wide = *wide || (unsigned char)at[i] >= 0x80;
    }
    return i;
}

/* Writes the rest of a text, which has something to escape. Returns as cn_json_put_string. */
static CN_APART char *cn_json_put_escaped(cn_json_writer_t *writer, char *to, const char *at, size_t len, bool *wide) {
    for (;;) {
        size_t clean = cn_json_copy_clean(to, at, len, wide);
        to += clean;
        at += clean;
        len -= clean;
        for (; len && !cn_json_is_stop(*at); len--) { /* up to the one byte */
            *wide = *wide || (unsigned char)*at >= 0x80;
            *to++ = *at++;
        }
        if (!len) return to;
        cn_json_wrote(writer, to);
        to = cn_json_room(writer, 6 + len + 3);
        if (!to) return NULL;
        to += cn_json_escape(to, *at++);
        len--;
    }
}

/* Writes text in quotes where len + 4 bytes are reserved; escapes need more, and take it. Returns its end, with room
   for two bytes behind it; NULL: it failed. */
static inline CN_HOT char *cn_json_put_string(cn_json_writer_t *writer, char *to, connect_str_t text) {
    bool wide = false;
    size_t clean;
    *to++ = '"';
    clean = cn_json_copy_clean(to, text.data, text.len, &wide);
    to += clean;
    if (CN_UNLIKELY(clean < text.len)) {
        to = cn_json_put_escaped(writer, to, text.data + clean, text.len - clean, &wide);
        if (!to) return NULL;
    }
    if (CN_UNLIKELY(wide) && !cn_utf8_valid(text)) writer->failed = true;
    *to++ = '"';
    return to;
}

/* An item of so many bytes of the caller's and a few more. */
static inline char *cn_json_text_item(cn_json_writer_t *writer, size_t len) {
    if (CN_LIKELY(len < SIZE_MAX / 4)) return cn_json_item(writer, len + 4);
    writer->failed = writer->out_of_memory = true;
    return NULL;
}

CN_PRIVATE void cn_json_name(cn_json_writer_t *writer, connect_str_t name) {
    char *to = cn_json_text_item(writer, name.len);
    if (CN_LIKELY(to != NULL)) to = cn_json_put_string(writer, to, name);
    writer->comma = false;
    writer->named = true;
    if (CN_UNLIKELY(!to)) return;
    *to++ = ':';
    *to = ' ';
    cn_json_wrote(writer, to + writer->pretty);
}

CN_PRIVATE void cn_json_clean_name(cn_json_writer_t *writer, connect_str_t name) {
    char *to = cn_json_item(writer, name.len + 4);
    writer->comma = false;
    writer->named = true;
    if (CN_UNLIKELY(!to)) return;
    *to++ = '"';
    cn_mem_copy(to, name.data, name.len);
    to += name.len;
    memcpy(to, "\": ", 3);
    cn_json_wrote(writer, to + 2 + writer->pretty);
}

CN_PRIVATE void cn_json_string(cn_json_writer_t *writer, connect_str_t text) {
    char *to = cn_json_text_item(writer, text.len);
    if (CN_LIKELY(to != NULL)) to = cn_json_put_string(writer, to, text);
    if (CN_LIKELY(to != NULL)) cn_json_wrote(writer, to);
}

CN_PRIVATE void cn_json_base64(cn_json_writer_t *writer, connect_str_t bytes, bool padded) {
    char *to =
        cn_json_text_item(writer, bytes.len < SIZE_MAX / 4 ? cn_base64_encoded_len(bytes.len, padded) : SIZE_MAX);
    if (!to) return;
    *to++ = '"';
    to += cn_base64_encode(to, bytes, padded);
    *to++ = '"';
    cn_json_wrote(writer, to);
}

CN_PRIVATE void cn_json_literal(cn_json_writer_t *writer, connect_str_t literal) {
    char *to = cn_json_text_item(writer, literal.len);
    if (!to) return;
    if (literal.len) memcpy(to, literal.data, literal.len);
    cn_json_wrote(writer, to + literal.len);
}

CN_PRIVATE void cn_json_quoted(cn_json_writer_t *writer, connect_str_t literal) {
    char *to = cn_json_text_item(writer, literal.len);
    if (!to) return;
    *to++ = '"';
    if (literal.len) memcpy(to, literal.data, literal.len);
    to += literal.len;
    *to++ = '"';
    cn_json_wrote(writer, to);
}

CN_PRIVATE void cn_json_bool(cn_json_writer_t *writer, bool value) {
    char *to = cn_json_item(writer, 5);
    if (CN_UNLIKELY(!to)) return;
    memcpy(to, value ? "true " : "false", 5);
    cn_json_wrote(writer, to + (value ? 4 : 5));
}

CN_PRIVATE void cn_json_int(cn_json_writer_t *writer, int64_t value, bool quoted) {
    char *to = cn_json_item(writer, CN_NUMBER_ROOM + 2);
    if (CN_UNLIKELY(!to)) return;
    *to = '"';
    to += quoted;
    to += cn_number_from_int(to, value);
    *to = '"';
    cn_json_wrote(writer, to + quoted);
}

CN_PRIVATE void cn_json_uint(cn_json_writer_t *writer, uint64_t value, bool quoted) {
    char *to = cn_json_item(writer, CN_NUMBER_ROOM + 2);
    if (CN_UNLIKELY(!to)) return;
    *to = '"';
    to += quoted;
    to += cn_number_from_uint(to, value);
    *to = '"';
    cn_json_wrote(writer, to + quoted);
}

CN_PRIVATE void cn_json_double(cn_json_writer_t *writer, double value) {
    char *to = cn_json_item(writer, CN_NUMBER_ROOM);
    if (CN_LIKELY(to != NULL)) cn_json_wrote(writer, to + cn_number_from_double(to, value));
}

CN_PRIVATE void cn_json_float(cn_json_writer_t *writer, float value) {
    char *to = cn_json_item(writer, CN_NUMBER_ROOM);
    if (CN_LIKELY(to != NULL)) cn_json_wrote(writer, to + cn_number_from_float(to, value));
}

/* #### src/codec/message.h ######################################################################################### */
#define CN_MESSAGE_DEPTH 100u                   /* nesting, unless options->depth_max says otherwise */
#define CN_MESSAGE_MEMORY (16u * 1024u * 1024u) /* bytes of decoded elements, unless options->memory_max does */
#define CN_MESSAGE_DEPTH_COPY 1000u             /* nesting that equal, copy and merge follow */

/* What every list member looks like in memory; read and written by memcpy. */
typedef struct cn_message_list_t {
    const void *items;
    size_t count;
} cn_message_list_t;

static inline bool cn_message_is_message(const connect_field_t *field) {
    return field->kind == CONNECT_KIND_MESSAGE || field->kind == CONNECT_KIND_GROUP;
}

static inline bool cn_message_is_text(const connect_field_t *field) {
    return field->kind == CONNECT_KIND_STRING || field->kind == CONNECT_KIND_BYTES;
}

/* The size of a scalar's C type; 0: not a scalar. */
static inline size_t cn_message_scalar_size(uint8_t kind) {
    switch (kind) {
    case CONNECT_KIND_BOOL: return sizeof(bool);
    case CONNECT_KIND_FLOAT:
    case CONNECT_KIND_INT32:
    case CONNECT_KIND_FIXED32:
    case CONNECT_KIND_UINT32:
    case CONNECT_KIND_ENUM:
    case CONNECT_KIND_SFIXED32:
    case CONNECT_KIND_SINT32: return 4;
    case CONNECT_KIND_DOUBLE:
    case CONNECT_KIND_INT64:
    case CONNECT_KIND_UINT64:
    case CONNECT_KIND_FIXED64:
    case CONNECT_KIND_SFIXED64:
    case CONNECT_KIND_SINT64: return 8;
    default: return 0;
    }
}

/* The size of a field's member, or of one item of its list. */
static inline size_t cn_message_value_size(const connect_type_t *type, const connect_field_t *field) {
    if (cn_message_is_message(field))
        return field->flags & CONNECT_FIELD_REPEATED ? type->types[field->type]->size : sizeof(void *);
    if (cn_message_is_text(field)) return sizeof(connect_str_t);
    return cn_message_scalar_size(field->kind);
}

/* Tells whether a field is present: has_x, the oneof's case, not NULL, not zero, not empty. */
static inline bool cn_message_has(const connect_field_t *field, const void *message) {
    const char *at = (const char *)message + field->offset;
    const unsigned flags = field->flags;
    if (flags & (CONNECT_FIELD_REPEATED | CONNECT_FIELD_HAS | CONNECT_FIELD_ONEOF)) {
        if (flags & CONNECT_FIELD_REPEATED) {
            cn_message_list_t list;
            memcpy(&list, at, sizeof list);
            return list.count != 0;
        }
        if (flags & CONNECT_FIELD_HAS) {
            bool has;
            memcpy(&has, (const char *)message + field->presence, sizeof has);
            return has;
        } else {
            int32_t number;
            memcpy(&number, (const char *)message + field->presence, sizeof number);
            return number == (int32_t)field->number;
        }
    }
    if (cn_message_is_message(field)) {
        const void *sub;
        memcpy(&sub, at, sizeof sub);
        return sub != NULL;
    }
    if (cn_message_is_text(field)) {
        connect_str_t text;
        memcpy(&text, at, sizeof text);
        return flags & CONNECT_FIELD_NULLABLE ? text.data != NULL : text.len != 0;
    }
    switch (cn_message_scalar_size(field->kind)) {
    case 8: {
        uint64_t bits;
        memcpy(&bits, at, 8);
        return bits != 0;
    }
    case 4: {
        uint32_t bits;
        memcpy(&bits, at, 4);
        return bits != 0;
    }
    default: return *at != 0; /* bool */
    }
}

/* Says that a field is there: sets has_x or the oneof's case, if it has one. */
static inline void cn_message_mark(const connect_field_t *field, void *message) {
    char *presence = (char *)message + field->presence;
    if (field->flags & CONNECT_FIELD_HAS) {
        const bool has = true;
        memcpy(presence, &has, sizeof has);
    } else if (field->flags & CONNECT_FIELD_ONEOF) {
        const int32_t number = (int32_t)field->number;
        memcpy(presence, &number, sizeof number);
    }
}

/* Finds a field by its number; NULL if there is none. */
CN_PRIVATE const connect_field_t *cn_message_field_number(const connect_type_t *type, uint32_t number);
/* Tells whether an enum names a number. */
CN_PRIVATE bool cn_message_enum_has(const connect_enum_t *type, int32_t number);
/* The slot of a name in name_slots: name_slots[0] is log2 of how many slots follow it (1 to 15), and each of these is
   0, empty, or 1 + a field's index. The generator calls the same formula. */
CN_PRIVATE size_t cn_message_name_slot(connect_str_t name, uint32_t seed, unsigned bits);
/* The length of the name at a place in a type's names, if it needs no escape in JSON: the byte before it tells. 0: it
   does not, or it is longer than 255. */
static inline size_t cn_message_name_len(const char *names, size_t at) {
    return at ? (unsigned char)names[at - 1] : 0;
}

/* #### src/codec/message.c ######################################################################################### */
/* Messages as plain structs, seen through their tables: defaults, presence, equality, deep copy and merge, access by
   name. The C member of each kind is said at the head of section 3 of the public declarations.

   Presence, in this order: REPEATED: count is not 0; HAS: the bool at `presence`; ONEOF: the int32_t at `presence` is
   the field's number; messages, groups and NULLABLE text: the pointer is not NULL; else: the value's bits are not all
   zero (so that -0.0 is present), the text is not empty. A oneof may name a message and hold NULL: that is an empty
   message.

   Members are read and written by memcpy at their offsets: no assumption on aliasing, and pointers to const messages,
   which the arena holds, become writable without a cast.

   Recursion (equal, copy, merge) ends at CN_MESSAGE_DEPTH_COPY: deeper messages are not equal, and do not copy. */

static const connect_type_t *cn_message_type_of(const connect_type_t *type, const connect_field_t *field) {
    return type->types[field->type];
}

CN_PRIVATE const connect_field_t *cn_message_field_number(const connect_type_t *type, uint32_t number) {
    size_t low = type->dense, high = type->field_count;
    if (number - 1 < type->dense) return &type->fields[number - 1];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (type->fields[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < type->field_count && type->fields[low].number == number ? &type->fields[low] : NULL;
}

/* The index of an enum's first value with this number; type->count: there is none. */
static size_t cn_message_enum_index(const connect_enum_t *type, int32_t number) {
    size_t low = 0, high = type->count;
    if (high && number >= type->values[0].number) { /* most enums count up from the first, without gaps and aliases */
        uint32_t guess = (uint32_t)number - (uint32_t)type->values[0].number;
        if (guess < high && type->values[guess].number == number &&
            (guess == 0 || type->values[guess - 1].number != number))
            return guess;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (type->values[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < type->count && type->values[low].number == number ? low : type->count;
}

CN_PRIVATE bool cn_message_enum_has(const connect_enum_t *type, int32_t number) {
    return cn_message_enum_index(type, number) < type->count;
}

void connect_message_init(const connect_type_t *type, void *message) {
    if (type->defaults)
        memcpy(message, type->defaults, type->size);
    else
        memset(message, 0, type->size);
}

/* ---- Equality ---- */

static bool cn_message_equal_deep(const connect_type_t *type, const char *a, const char *b, uint32_t depth);

static bool cn_message_equal_sub(const connect_type_t *type, const void *a, const void *b, uint32_t depth) {
    if (a == b) return true;
    if (a && b) return depth > 0 && cn_message_equal_deep(type, (const char *)a, (const char *)b, depth - 1);
    return connect_message_size(type, a ? a : b) == 0; /* what is NULL in a oneof is an empty message */
}

/* a, b: the member, or the item of a list. */
static bool cn_message_equal_value(
    const connect_type_t *type, const connect_field_t *field, const char *a, const char *b, uint32_t depth) {
    switch (field->kind) {
    case CONNECT_KIND_MESSAGE:
    case CONNECT_KIND_GROUP: {
        const void *sub_a = a, *sub_b = b;
        if (!(field->flags & CONNECT_FIELD_REPEATED)) {
            memcpy(&sub_a, a, sizeof sub_a);
            memcpy(&sub_b, b, sizeof sub_b);
        }
        return cn_message_equal_sub(cn_message_type_of(type, field), sub_a, sub_b, depth);
    }
    case CONNECT_KIND_STRING:
    case CONNECT_KIND_BYTES: {
        connect_str_t text_a, text_b;
        memcpy(&text_a, a, sizeof text_a);
        memcpy(&text_b, b, sizeof text_b);
        return connect_str_equal(text_a, text_b);
    }
    case CONNECT_KIND_DOUBLE: {
        double number_a, number_b;
        memcpy(&number_a, a, sizeof number_a);
        memcpy(&number_b, b, sizeof number_b);
        return !(number_a < number_b) && !(number_a > number_b) && (number_a != number_a) == (number_b != number_b);
    }
    case CONNECT_KIND_FLOAT: {
        float number_a, number_b;
        memcpy(&number_a, a, sizeof number_a);
        memcpy(&number_b, b, sizeof number_b);
        return !(number_a < number_b) && !(number_a > number_b) && (number_a != number_a) == (number_b != number_b);
    }
    default: return memcmp(a, b, cn_message_scalar_size(field->kind)) == 0;
    }
}

/* The last entry with the key that stands at `key`; NULL: none. */
static const char *cn_message_map_find(const connect_type_t *entry, cn_message_list_t list, const char *key) {
    const connect_field_t *key_field = &entry->fields[0];
    while (list.count-- > 0) {
        const char *item = (const char *)list.items + list.count * entry->size;
        if (cn_message_equal_value(entry, key_field, item + key_field->offset, key, 0)) return item;
    }
    return NULL;
}

/* Every entry of `a` that counts is in `b`; how many count is given back, too. */
static bool cn_message_map_within(
    const connect_type_t *entry, cn_message_list_t a, cn_message_list_t b, size_t *counted, uint32_t depth) {
    size_t i;
    *counted = 0;
    for (i = 0; i < a.count; i++) {
        const char *item = (const char *)a.items + i * entry->size, *key = item + entry->fields[0].offset, *other;
        const connect_field_t *value = &entry->fields[1];
        if (cn_message_map_find(entry, a, key) != item) continue;
        other = cn_message_map_find(entry, b, key);
        if (!other || !cn_message_equal_value(entry, value, item + value->offset, other + value->offset, depth))
            return false;
        ++*counted;
    }
    return true;
}

static bool cn_message_equal_list(
    const connect_type_t *type, const connect_field_t *field, const char *a, const char *b, uint32_t depth) {
    size_t size = cn_message_value_size(type, field), i, counted_a, counted_b;
    cn_message_list_t list_a, list_b;
    memcpy(&list_a, a, sizeof list_a);
    memcpy(&list_b, b, sizeof list_b);
    if (list_a.count == list_b.count) {
        for (i = 0; i < list_a.count; i++)
            if (!cn_message_equal_value(
                    type, field, (const char *)list_a.items + i * size, (const char *)list_b.items + i * size, depth))
                break;
        if (i == list_a.count) return true;
    }
    if (!(field->flags & CONNECT_FIELD_MAP)) return false;
    return cn_message_map_within(cn_message_type_of(type, field), list_a, list_b, &counted_a, depth) &&
        cn_message_map_within(cn_message_type_of(type, field), list_b, list_a, &counted_b, depth) &&
        counted_a == counted_b;
}

static size_t cn_message_unknown_len(connect_str_list_t list) {
    size_t i, len = 0;
    for (i = 0; i < list.count; i++)
        len += list.items[i].len;
    return len;
}

/* The spans may be cut at different places. */
static bool cn_message_equal_unknown(connect_str_list_t a, connect_str_list_t b) {
    size_t i_a = 0, i_b = 0, done_a = 0, done_b = 0, len = cn_message_unknown_len(a);
    if (len != cn_message_unknown_len(b)) return false;
    while (len) {
        size_t part = CN_MIN(a.items[i_a].len - done_a, b.items[i_b].len - done_b);
        if (part && memcmp(a.items[i_a].data + done_a, b.items[i_b].data + done_b, part) != 0) return false;
        len -= part;
        done_a += part;
        done_b += part;
        if (done_a == a.items[i_a].len) {
            i_a++;
            done_a = 0;
        }
        if (done_b == b.items[i_b].len) {
            i_b++;
            done_b = 0;
        }
    }
    return true;
}

static bool cn_message_equal_deep(const connect_type_t *type, const char *a, const char *b, uint32_t depth) {
    size_t i;
    for (i = 0; i < type->field_count; i++) {
        const connect_field_t *field = &type->fields[i];
        if (!type->is_map_entry) {
            bool has = cn_message_has(field, a);
            if (has != cn_message_has(field, b)) return false;
            if (!has) continue;
        }
        if (field->flags & CONNECT_FIELD_REPEATED
                ? !cn_message_equal_list(type, field, a + field->offset, b + field->offset, depth)
                : !cn_message_equal_value(type, field, a + field->offset, b + field->offset, depth))
            return false;
    }
    if (type->keeps_unknown) {
        connect_str_list_t unknown_a, unknown_b;
        memcpy(&unknown_a, a + type->unknown, sizeof unknown_a);
        memcpy(&unknown_b, b + type->unknown, sizeof unknown_b);
        return cn_message_equal_unknown(unknown_a, unknown_b);
    }
    return true;
}

bool connect_message_equal(const connect_type_t *type, const void *a, const void *b) {
    return cn_message_equal_deep(type, (const char *)a, (const char *)b, CN_MESSAGE_DEPTH_COPY);
}

/* ---- Copy and merge ---- */

static bool cn_message_merge_deep(
    const connect_type_t *type, char *to, const char *from, connect_arena_t *arena, uint32_t depth);

static bool cn_message_merge_text(char *to, const char *from, connect_arena_t *arena) {
    connect_str_t text;
    memcpy(&text, from, sizeof text);
    if (text.len == 0)
        text.data = "";
    else {
        text = connect_arena_copy(arena, text);
        if (!text.data) return false;
    }
    memcpy(to, &text, sizeof text);
    return true;
}

static bool cn_message_merge_list(const connect_type_t *type, const connect_field_t *field, char *to, const char *from,
    connect_arena_t *arena, uint32_t depth) {
    const size_t size = cn_message_value_size(type, field);
    cn_message_list_t list, more;
    char *items;
    size_t i;
    memcpy(&list, to, sizeof list);
    memcpy(&more, from, sizeof more);
    if (more.count > SIZE_MAX / size - list.count) return false;
    items = (char *)cn_arena_raw(arena, (list.count + more.count) * size);
    if (!items) return false;
    if (list.count) memcpy(items, list.items, list.count * size);
    list.items = items;
    items += list.count * size;
    if (cn_message_is_message(field)) {
        const connect_type_t *item = cn_message_type_of(type, field);
        for (i = 0; i < more.count; i++, items += size) {
            connect_message_init(item, items);
            if (depth == 0 ||
                !cn_message_merge_deep(item, items, (const char *)more.items + i * size, arena, depth - 1))
                return false;
        }
    } else if (cn_message_is_text(field)) {
        for (i = 0; i < more.count; i++)
            if (!cn_message_merge_text(items + i * size, (const char *)more.items + i * size, arena)) return false;
    } else {
        memcpy(items, more.items, more.count * size);
    }
    list.count += more.count;
    memcpy(to, &list, sizeof list);
    return true;
}

static bool cn_message_merge_sub(const connect_type_t *type, const connect_field_t *field, char *to, const char *from,
    bool fresh, connect_arena_t *arena, uint32_t depth) {
    const connect_type_t *sub = cn_message_type_of(type, field);
    const void *old, *source;
    char *merged = (char *)cn_arena_raw(arena, sub->size);
    if (!merged || depth == 0) return false;
    memcpy(&old, to, sizeof old);
    memcpy(&source, from, sizeof source);
    if (old && !fresh)
        memcpy(merged, old, sub->size); /* the old one may be anyone's, so it is not written to */
    else
        connect_message_init(sub, merged);
    if (source && !cn_message_merge_deep(sub, merged, (const char *)source, arena, depth - 1)) return false;
    memcpy(to, &merged, sizeof merged);
    return true;
}

static bool cn_message_merge_unknown(char *to, const char *from, connect_arena_t *arena) {
    connect_str_list_t list, more;
    connect_str_t *items;
    char *bytes;
    size_t len, i;
    memcpy(&more, from, sizeof more);
    len = cn_message_unknown_len(more);
    if (!len) return true;
    memcpy(&list, to, sizeof list);
    items = (connect_str_t *)cn_arena_raw(arena, (list.count + 1) * sizeof *items);
    bytes = (char *)cn_arena_raw(arena, len);
    if (!items || !bytes) return false;
    if (list.count) memcpy(items, list.items, list.count * sizeof *items);
    items[list.count].data = bytes;
    items[list.count].len = len;
    for (i = 0; i < more.count; i++) {
        if (more.items[i].len) memcpy(bytes, more.items[i].data, more.items[i].len);
        bytes += more.items[i].len;
    }
    list.items = items;
    list.count++;
    memcpy(to, &list, sizeof list);
    return true;
}

static bool cn_message_merge_deep(
    const connect_type_t *type, char *to, const char *from, connect_arena_t *arena, uint32_t depth) {
    size_t i;
    for (i = 0; i < type->field_count; i++) {
        const connect_field_t *field = &type->fields[i];
        char *to_at = to + field->offset;
        const char *from_at = from + field->offset;
        bool ok = true;
        if (!cn_message_has(field, from)) continue;
        if (field->flags & CONNECT_FIELD_REPEATED)
            ok = cn_message_merge_list(type, field, to_at, from_at, arena, depth);
        else if (cn_message_is_message(field))
            ok = cn_message_merge_sub(type, field, to_at, from_at, !cn_message_has(field, to), arena, depth);
        else if (cn_message_is_text(field))
            ok = cn_message_merge_text(to_at, from_at, arena);
        else
            memcpy(to_at, from_at, cn_message_scalar_size(field->kind));
        if (!ok) return false;
        cn_message_mark(field, to);
    }
    return !type->keeps_unknown || cn_message_merge_unknown(to + type->unknown, from + type->unknown, arena);
}

bool connect_message_merge(const connect_type_t *type, void *to, const void *from, connect_arena_t *arena) {
    if (cn_message_merge_deep(type, (char *)to, (const char *)from, arena, CN_MESSAGE_DEPTH_COPY)) return true;
    connect_message_init(type, to);
    return false;
}

bool connect_message_copy(const connect_type_t *type, void *to, const void *from, connect_arena_t *arena) {
    connect_message_init(type, to);
    return connect_message_merge(type, to, from, arena);
}

/* ---- Access by name and number ---- */

CN_PRIVATE size_t cn_message_name_slot(connect_str_t name, uint32_t seed, unsigned bits) {
    return ((cn_str_hash(name) ^ seed) * 0x9E3779B1u) >>
        (32 - bits); /* the golden ratio: mixes up into the high bits */
}

/* A zero in `name` ends the comparison: names have none. */
static bool cn_message_name_equal(const char *text, connect_str_t name) {
    return strncmp(text, name.data, name.len) == 0 && text[name.len] == 0;
}

static bool cn_message_field_named(const connect_type_t *type, const connect_field_t *field, connect_str_t name) {
    return cn_message_name_equal(type->names + field->name, name) ||
        (field->json_name != field->name && cn_message_name_equal(type->names + field->json_name, name));
}

const connect_field_t *connect_message_field(const connect_type_t *type, connect_str_t name) {
    size_t i;
    if (!name.len || memchr(name.data, 0, name.len)) return NULL;
    if (type->name_slots) {
        i = type->name_slots[1 + cn_message_name_slot(name, type->name_seed, type->name_slots[0])];
        return i && cn_message_field_named(type, &type->fields[i - 1], name) ? &type->fields[i - 1] : NULL;
    }
    for (i = 0; i < type->field_count; i++)
        if (cn_message_field_named(type, &type->fields[i], name)) return &type->fields[i];
    return NULL;
}

const void *connect_message_get(const connect_type_t *type, const void *message, const connect_field_t *field) {
    (void)type;
    return cn_message_has(field, message) ? (const char *)message + field->offset : NULL;
}

void connect_message_set(
    const connect_type_t *type, void *message, const connect_field_t *field, const void *value_or_null) {
    const bool repeated = (field->flags & CONNECT_FIELD_REPEATED) != 0;
    const size_t size = repeated ? sizeof(cn_message_list_t) : cn_message_value_size(type, field);
    char *to = (char *)message + field->offset;
    if (value_or_null) {
        memcpy(to, value_or_null, size);
        cn_message_mark(field, message);
        return;
    }
    if (!repeated && (field->flags & CONNECT_FIELD_ONEOF)) {
        const int32_t none = 0;
        if (!cn_message_has(field, message)) return; /* the union holds another field */
        memset(to, 0, size);
        memcpy((char *)message + field->presence, &none, sizeof none);
        return;
    }
    if (type->defaults)
        memcpy(to, (const char *)type->defaults + field->offset, size);
    else
        memset(to, 0, size);
    if (!repeated && (field->flags & CONNECT_FIELD_HAS)) {
        const bool has = false;
        memcpy((char *)message + field->presence, &has, sizeof has);
    }
}

const void *connect_message_map_get(const connect_type_t *type, const void *message, uint32_t number, const void *key) {
    const connect_field_t *field = cn_message_field_number(type, number);
    cn_message_list_t list;
    if (!field || !(field->flags & CONNECT_FIELD_MAP)) return NULL;
    memcpy(&list, (const char *)message + field->offset, sizeof list);
    return cn_message_map_find(cn_message_type_of(type, field), list, (const char *)key);
}

const char *connect_enum_name(const connect_enum_t *type, int32_t number) {
    size_t i = cn_message_enum_index(type, number);
    return i < type->count ? type->names + type->values[i].name : NULL;
}

bool connect_enum_number(const connect_enum_t *type, connect_str_t name, int32_t *number) {
    size_t i;
    if (!name.len || memchr(name.data, 0, name.len)) return false;
    for (i = 0; i < type->count; i++)
        if (cn_message_name_equal(type->names + type->values[i].name, name)) {
            *number = type->values[i].number;
            return true;
        }
    return false;
}

/* #### src/codec/map_key.h ######################################################################################### */
/* Which of two entries of a map has the lesser key: texts by their bytes, numbers by value. */
CN_PRIVATE int cn_map_key_compare(const connect_type_t *entry, const char *a, const char *b);
/* Fills in pointers to all entries of a list in the order of their keys, and then of their places. */
CN_PRIVATE void cn_map_key_sort(const connect_type_t *entry, const char **entries, cn_message_list_t list);
/* Whether each key is greater than the one before it. */
CN_PRIVATE bool cn_map_key_ascend(const connect_type_t *entry, cn_message_list_t list);
/* Whether an entry behind this one has the same key; looks at each, so it is for few. */
CN_PRIVATE bool cn_map_key_again(const connect_type_t *entry, cn_message_list_t list, size_t index);

/* #### src/codec/map_key.c ######################################################################################### */
/* The keys of maps in order: for deterministic output, and to find keys that stand twice. Sorted by a heap sort, which
   takes no memory but the pointers and has no input that makes it slow. Of entries with the same key the last in memory
   is the one that counts, so places decide where keys are equal. */

CN_PRIVATE int cn_map_key_compare(const connect_type_t *entry, const char *a, const char *b) {
    const connect_field_t *key = &entry->fields[0];
    a += key->offset;
    b += key->offset;
    switch (key->kind) {
    case CONNECT_KIND_STRING: {
        connect_str_t text_a, text_b;
        int order;
        memcpy(&text_a, a, sizeof text_a);
        memcpy(&text_b, b, sizeof text_b);
        order = text_a.len && text_b.len ? memcmp(text_a.data, text_b.data, CN_MIN(text_a.len, text_b.len)) : 0;
        return order ? order : (text_a.len > text_b.len) - (text_a.len < text_b.len);
    }
    case CONNECT_KIND_BOOL: return (*a != 0) - (*b != 0);
    case CONNECT_KIND_INT32:
    case CONNECT_KIND_SINT32:
    case CONNECT_KIND_SFIXED32: {
        int32_t number_a, number_b;
        memcpy(&number_a, a, sizeof number_a);
        memcpy(&number_b, b, sizeof number_b);
        return (number_a > number_b) - (number_a < number_b);
    }
    case CONNECT_KIND_UINT32:
    case CONNECT_KIND_FIXED32: {
        uint32_t number_a, number_b;
        memcpy(&number_a, a, sizeof number_a);
        memcpy(&number_b, b, sizeof number_b);
        return (number_a > number_b) - (number_a < number_b);
    }
    case CONNECT_KIND_INT64:
    case CONNECT_KIND_SINT64:
    case CONNECT_KIND_SFIXED64: {
        int64_t number_a, number_b;
        memcpy(&number_a, a, sizeof number_a);
        memcpy(&number_b, b, sizeof number_b);
        return (number_a > number_b) - (number_a < number_b);
    }
    default: {
        uint64_t number_a, number_b;
        memcpy(&number_a, a, sizeof number_a);
        memcpy(&number_b, b, sizeof number_b);
        return (number_a > number_b) - (number_a < number_b);
    }
    }
}

/* Entries in memory order where keys are equal, so that the last of them is the one that counts. */
static bool cn_map_key_before(const connect_type_t *entry, const char *a, const char *b) {
    int order = cn_map_key_compare(entry, a, b);
    return order ? order < 0 : a < b;
}

static void cn_map_key_sift(const connect_type_t *entry, const char **entries, size_t root, size_t count) {
    const char *moved = entries[root];
    for (;;) {
        size_t child = root * 2 + 1;
        if (child >= count) break;
        if (child + 1 < count && cn_map_key_before(entry, entries[child], entries[child + 1])) child++;
        if (!cn_map_key_before(entry, moved, entries[child])) break;
        entries[root] = entries[child];
        root = child;
    }
    entries[root] = moved;
}

CN_PRIVATE void cn_map_key_sort(const connect_type_t *entry, const char **entries, cn_message_list_t list) {
    size_t i;
    for (i = 0; i < list.count; i++)
        entries[i] = (const char *)list.items + i * entry->size;
    for (i = list.count / 2; i-- > 0;)
        cn_map_key_sift(entry, entries, i, list.count);
    for (i = list.count; i-- > 1;) {
        const char *largest = entries[0];
        entries[0] = entries[i];
        entries[i] = largest;
        cn_map_key_sift(entry, entries, 0, i);
    }
}

CN_PRIVATE bool cn_map_key_ascend(const connect_type_t *entry, cn_message_list_t list) {
    const char *items = (const char *)list.items;
    size_t i;
    for (i = 1; i < list.count; i++)
        if (cn_map_key_compare(entry, items + (i - 1) * entry->size, items + i * entry->size) >= 0) return false;
    return true;
}

CN_PRIVATE bool cn_map_key_again(const connect_type_t *entry, cn_message_list_t list, size_t index) {
    const char *items = (const char *)list.items;
    size_t i;
    for (i = index + 1; i < list.count; i++)
        if (cn_map_key_compare(entry, items + index * entry->size, items + i * entry->size) == 0) return true;
    return false;
}

/* #### src/codec/pb.h ############################################################################################## */
/* Appends a message in protobuf binary to a queue. arena: for the error's text. options, error: may be NULL. On failure
   the queue is as it was. */
CN_PRIVATE bool cn_pb_encode(const connect_type_t *type, const void *message, cn_buf_t *out,
    const connect_allocator_t *allocator, const connect_codec_options_t *options, connect_arena_t *arena,
    connect_error_t *error);
/* As connect_message_decode, for input with CN_SLACK readable bytes behind it. */
CN_PRIVATE bool cn_pb_decode(const connect_type_t *type, void *message, connect_str_t bytes, connect_arena_t *arena,
    const connect_codec_options_t *options, connect_error_t *error);

/* #### src/codec/pb_wire.h ######################################################################################### */
/* What reading and writing protobuf binary share: see pb_decode.c and pb_encode.c. */

#define CN_PB_NUMBER_MAX 0x1FFFFFFFu
#define CN_PB_WIRE_END 4u /* of a group; the other wire types are connect_wire_t's */
#define CN_PB_PATH 256u

#if defined(__BYTE_ORDER__) && defined(__ORDER_LITTLE_ENDIAN__)
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define CN_PB_LITTLE 1
#endif
#endif
#ifndef CN_PB_LITTLE
#define CN_PB_LITTLE 0
#endif

/* ---- Where it failed ---- */

typedef struct cn_pb_failure_t {
    connect_code_t code;
    const char *reason; /* static; NULL: nothing failed */
    bool no_offset;     /* encoding, and what is missing, have none */
    bool cut;           /* the path is full */
    size_t offset;
    size_t begin; /* of the path in `text`, which is filled from its end */
    char text[CN_PB_PATH];
} cn_pb_failure_t;

static inline void cn_pb_failure_init(cn_pb_failure_t *failure) {
    failure->code = CONNECT_OK;
    failure->reason = NULL;
    failure->no_offset = failure->cut = false;
    failure->offset = 0;
    failure->begin = CN_PB_PATH - 1;
    failure->text[CN_PB_PATH - 1] = 0;
}
/* Puts ".name" or ".name[index]" in front of the path. */
CN_PRIVATE CN_COLD void cn_pb_failure_at(
    cn_pb_failure_t *failure, const connect_type_t *type, const connect_field_t *field, size_t index);
/* Makes the error, with its path in the arena. Returns false. */
CN_PRIVATE CN_COLD bool cn_pb_failure_report(
    const cn_pb_failure_t *failure, const connect_type_t *type, connect_arena_t *arena, connect_error_t *error);

/* ---- Numbers ---- */

static inline CN_HOT uint64_t cn_pb_load64(const char *p) {
#if CN_PB_LITTLE
    uint64_t value;
    memcpy(&value, p, 8);
    return value;
#else
    uint64_t value = 0;
    int i;
    for (i = 7; i >= 0; i--)
        value = value << 8 | (unsigned char)p[i];
    return value;
#endif
}

static inline CN_HOT uint32_t cn_pb_load32(const char *p) {
#if CN_PB_LITTLE
    uint32_t value;
    memcpy(&value, p, 4);
    return value;
#else
    return (uint32_t)(unsigned char)p[0] | (uint32_t)(unsigned char)p[1] << 8 | (uint32_t)(unsigned char)p[2] << 16 |
        (uint32_t)(unsigned char)p[3] << 24;
#endif
}

static inline CN_HOT void cn_pb_store64(char *p, uint64_t value) {
#if CN_PB_LITTLE
    memcpy(p, &value, 8);
#else
    int i;
    for (i = 0; i < 8; i++, value >>= 8)
        p[i] = (char)(unsigned char)(value & 0xFF);
#endif
}

static inline CN_HOT void cn_pb_store32(char *p, uint32_t value) {
#if CN_PB_LITTLE
    memcpy(p, &value, 4);
#else
    int i;
    for (i = 0; i < 4; i++, value >>= 8)
        p[i] = (char)(unsigned char)(value & 0xFF);
#endif
}

static inline CN_HOT uint32_t cn_pb_zigzag32_decode(uint32_t value) {
    return (value >> 1) ^ (0u - (value & 1));
}

static inline CN_HOT uint64_t cn_pb_zigzag64_decode(uint64_t value) {
    return (value >> 1) ^ ((uint64_t)0 - (value & 1));
}

static inline CN_HOT uint32_t cn_pb_zigzag32(uint32_t value) {
    return (value << 1) ^ (0u - (value >> 31));
}

static inline CN_HOT uint64_t cn_pb_zigzag64(uint64_t value) {
    return (value << 1) ^ ((uint64_t)0 - (value >> 63));
}

/* A 32-bit signed number is written as its 64-bit one: ten bytes if it is negative. */
static inline CN_HOT uint64_t cn_pb_sign_extend(uint32_t value) {
    return (uint64_t)value | ((uint64_t)0 - (value >> 31)) << 32;
}

static inline CN_HOT size_t cn_pb_varint_len(uint64_t value) {
#if defined(__GNUC__)
    return (size_t)((unsigned)(63 - __builtin_clzll(value | 1)) * 9 + 73) / 64;
#else
    size_t len = 1;
    while (value >= 0x80) {
        value >>= 7;
        len++;
    }
    return len;
#endif
}

/* ASCII is seen here, the rest elsewhere. Blocks overlap at the end, so nothing behind the text is read. */
static inline CN_HOT bool cn_pb_is_ascii(const char *p, size_t len) {
    const uint64_t high = 0x8080808080808080u;
#if defined(__SSE2__) && defined(__GNUC__)
    if (len >= 16) {
        const char *last = p + len - 16;
        __m128i all = _mm_loadu_si128((const __m128i *)(const void *)last);
        for (; p < last; p += 16)
            all = _mm_or_si128(all, _mm_loadu_si128((const __m128i *)(const void *)p));
        return _mm_movemask_epi8(all) == 0;
    }
#endif
    if (len >= 8) {
        const char *last = p + len - 8;
        uint64_t all, word;
        memcpy(&all, last, 8);
        for (; p < last; p += 8) {
            memcpy(&word, p, 8);
            all |= word;
        }
        return (all & high) == 0;
    }
    if (len >= 4) {
        uint32_t first, second;
        memcpy(&first, p, 4);
        memcpy(&second, p + len - 4, 4);
        return ((first | second) & 0x80808080u) == 0;
    }
    if (len == 0) return true;
    return (((unsigned char)p[0] | (unsigned char)p[len >> 1] | (unsigned char)p[len - 1]) & 0x80) == 0;
}

static inline CN_HOT bool cn_pb_is_utf8(const char *p, size_t len) {
    connect_str_t text;
    if (CN_LIKELY(cn_pb_is_ascii(p, len))) return true;
    text.data = p;
    text.len = len;
    return cn_utf8_valid(text);
}

/* #### src/codec/pb_wire.c ######################################################################################### */
/* Errors of protobuf binary name the path, "acme.v1.Reading.samples[3].value". It is put together while the failed call
   returns: each level puts its own part in front; a path that is too long loses its front. */

static CN_COLD void cn_pb_failure_prepend(cn_pb_failure_t *failure, const char *part, size_t len) {
    if (failure->cut) return;
    if (len + 3 > failure->begin) { /* no room: the front is left out */
        failure->cut = true;
        part = "...";
        len = 3;
    }
    failure->begin -= len;
    memcpy(failure->text + failure->begin, part, len);
}

CN_PRIVATE CN_COLD void cn_pb_failure_at(
    cn_pb_failure_t *failure, const connect_type_t *type, const connect_field_t *field, size_t index) {
    char part[96];
    int len;
    if (field->flags & CONNECT_FIELD_REPEATED)
        len = snprintf(part, sizeof part, ".%.60s[%lu]", type->names + field->name, (unsigned long)index);
    else
        len = snprintf(part, sizeof part, ".%.60s", type->names + field->name);
    if (len > 0) cn_pb_failure_prepend(failure, part, (size_t)len);
}

CN_PRIVATE CN_COLD bool cn_pb_failure_report(
    const cn_pb_failure_t *failure, const connect_type_t *type, connect_arena_t *arena, connect_error_t *error) {
    const char *reason = failure->reason ? failure->reason : "cannot be written",
               *path = failure->text + failure->begin;
    connect_str_t text = {NULL, 0};
    if (!error) return false;
    if (arena && failure->no_offset)
        text = connect_arena_printf(arena, "%s%s: %s", type->full_name, path, reason);
    else if (arena)
        text = connect_arena_printf(
            arena, "%s%s: %s at byte %lu", type->full_name, path, reason, (unsigned long)failure->offset);
    cn_error_set(error, failure->code, reason);
    if (text.data) error->message = text;
    return false;
}

/* #### src/codec/pb_decode.c ####################################################################################### */
/* Protobuf binary, driven by the tables of a connect_type_t (protobuf.dev, "Encoding").

   A message is a run of records. A record is a tag, (field number << 3) | wire type, and a value: 0 VARINT, 1 I64,
   2 LEN (a varint, then that many bytes), 3 SGROUP (records up to the tag 4 EGROUP of the same number), 5 I32. Field
   numbers are 1 to 2^29 - 1; a tag has at most 5 bytes; a varint has at most 10, the tenth at most 1.

   Decoding
   - The field is found by number: fields[number - 1] for the dense ones, else the next one behind the last found, else
     by bisection. What happens then is one jump on cn_pb_ops[kind][wire type].
   - Known number, unfitting wire type: an unknown field. Numeric fields that are repeated take both forms. A closed
     enum's unknown number goes to the unknown fields as the record it came in, from a packed record as records of its
     own, from a map's entry as the whole entry.
   - Scalars: the last wins. Messages: merged. A oneof: what comes last is what it holds; only a message that comes
     again right after itself is merged. Map entries are appended; readers take the last of a key.
   - 32-bit varints are cut to 32 bits, a bool is true if any bit is set.
   - Strings, bytes and unknown fields are views of the input. Adjacent unknown records are one view.
   - A list's block in the arena starts with a head that holds its capacity. Lists of strings and messages count the run
     of records at hand, packed ones their elements, so most lists are allocated once, exactly.
   - options->merge decodes into a new message and merges that: so all that the decoder writes to is its own.
   - memory_left pays for list items, messages and views of unknown fields, before they are taken.
   - Recursion is one level for each message, map entry and group, and ends at depth_max.
   - `limit` is where memory stops being readable: who has CN_SLACK bytes behind the input never leaves the fast path.
     No byte behind `limit` is read; what was read behind a message's end is never taken for its content. */

#define CN_PB_HEAD 8u /* in front of a decoded list's items: its capacity */

enum { /* what to do with a record */
    CN_PB_UNKNOWN,
    CN_PB_VARINT64,
    CN_PB_VARINT32,
    CN_PB_BOOL,
    CN_PB_SINT32,
    CN_PB_SINT64,
    CN_PB_ENUM,
    CN_PB_FIXED64,
    CN_PB_FIXED32,
    CN_PB_TEXT,
    CN_PB_MESSAGE,
    CN_PB_GROUP,
    CN_PB_PACKED
};

/* [kind][wire type] */
static const uint8_t cn_pb_ops[32][8] = {[CONNECT_KIND_DOUBLE] = {0, CN_PB_FIXED64, CN_PB_PACKED, 0, 0, 0, 0, 0},
    [CONNECT_KIND_FLOAT] = {0, 0, CN_PB_PACKED, 0, 0, CN_PB_FIXED32, 0, 0},
    [CONNECT_KIND_INT64] = {CN_PB_VARINT64, 0, CN_PB_PACKED, 0, 0, 0, 0, 0},
    [CONNECT_KIND_UINT64] = {CN_PB_VARINT64, 0, CN_PB_PACKED, 0, 0, 0, 0, 0},
    [CONNECT_KIND_INT32] = {CN_PB_VARINT32, 0, CN_PB_PACKED, 0, 0, 0, 0, 0},
    [CONNECT_KIND_FIXED64] = {0, CN_PB_FIXED64, CN_PB_PACKED, 0, 0, 0, 0, 0},
    [CONNECT_KIND_FIXED32] = {0, 0, CN_PB_PACKED, 0, 0, CN_PB_FIXED32, 0, 0},
    [CONNECT_KIND_BOOL] = {CN_PB_BOOL, 0, CN_PB_PACKED, 0, 0, 0, 0, 0},
    [CONNECT_KIND_STRING] = {0, 0, CN_PB_TEXT, 0, 0, 0, 0, 0},
    [CONNECT_KIND_GROUP] = {0, 0, 0, CN_PB_GROUP, 0, 0, 0, 0},
    [CONNECT_KIND_MESSAGE] = {0, 0, CN_PB_MESSAGE, 0, 0, 0, 0, 0},
    [CONNECT_KIND_BYTES] = {0, 0, CN_PB_TEXT, 0, 0, 0, 0, 0},
    [CONNECT_KIND_UINT32] = {CN_PB_VARINT32, 0, CN_PB_PACKED, 0, 0, 0, 0, 0},
    [CONNECT_KIND_ENUM] = {CN_PB_ENUM, 0, CN_PB_PACKED, 0, 0, 0, 0, 0},
    [CONNECT_KIND_SFIXED32] = {0, 0, CN_PB_PACKED, 0, 0, CN_PB_FIXED32, 0, 0},
    [CONNECT_KIND_SFIXED64] = {0, CN_PB_FIXED64, CN_PB_PACKED, 0, 0, 0, 0, 0},
    [CONNECT_KIND_SINT32] = {CN_PB_SINT32, 0, CN_PB_PACKED, 0, 0, 0, 0, 0},
    [CONNECT_KIND_SINT64] = {CN_PB_SINT64, 0, CN_PB_PACKED, 0, 0, 0, 0, 0}};

/* Squeezes the low 7 bits of each byte together. */
static inline CN_HOT uint64_t cn_pb_squeeze(uint64_t w) {
    w = (w & 0x007F007F007F007Fu) | (w & 0x7F007F007F007F00u) >> 1;
    w = (w & 0x00003FFF00003FFFu) | (w & 0x3FFF00003FFF0000u) >> 2;
    return (w & 0x000000000FFFFFFFu) | (w & 0x0FFFFFFF00000000u) >> 4;
}

/* ---- Decoding ---- */

typedef struct cn_pb_decoder_t {
    const char *start, *limit; /* of the input, for offsets; how far may be read */
    const char *group_end;     /* of the unknown group that was passed over last */
    connect_arena_t *arena;
    size_t memory_left;
    uint32_t depth_left;
    bool keeps_unknown;
    bool entry_unknown; /* the map entry just read has a number that its closed enum does not know */
    cn_pb_failure_t failure;
} cn_pb_decoder_t;

/* Returns NULL, so that a failing reader can return it. */
static CN_COLD const char *cn_pb_bad(cn_pb_decoder_t *d, const char *at, const char *reason) {
    d->failure.code = CONNECT_INVALID_ARGUMENT;
    d->failure.reason = reason;
    d->failure.offset = (size_t)(at - d->start);
    return NULL;
}

static CN_COLD void *cn_pb_exhausted(cn_pb_decoder_t *d, const char *at, const char *reason) {
    cn_pb_bad(d, at, reason);
    d->failure.code = CONNECT_RESOURCE_EXHAUSTED;
    return NULL;
}

/* Takes memory that the peer's bytes made necessary. */
static inline CN_HOT void *cn_pb_take(cn_pb_decoder_t *d, size_t size, const char *at) {
    void *block;
    if (CN_UNLIKELY(size > d->memory_left)) return cn_pb_exhausted(d, at, "decoded elements need more than memory_max");
    d->memory_left -= size;
    block = cn_arena_raw(d->arena, size);
    return CN_LIKELY(block != NULL) ? block : cn_pb_exhausted(d, at, "out of memory");
}

static const char *cn_pb_varint_careful(cn_pb_decoder_t *d, const char *p, const char *end, uint64_t *value) {
    const char *at = p;
    uint64_t v = 0;
    unsigned shift;
    for (shift = 0; shift < 70; shift += 7) {
        unsigned char byte;
        if (p == end) return cn_pb_bad(d, at, "truncated");
        byte = (unsigned char)*p++;
        if (shift == 63 && byte > 1) break;
        v |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *value = v;
            return p;
        }
    }
    return cn_pb_bad(d, at, "varint too long");
}

static CN_APART const char *cn_pb_varint_long(cn_pb_decoder_t *d, const char *p, const char *end, uint64_t *value) {
#if CN_PB_LITTLE && defined(__GNUC__)
    if (CN_LIKELY(d->limit - p >= 10)) {
        uint64_t w = cn_pb_load64(p), stop = ~w & 0x8080808080808080u;
        const char *next;
        if (CN_LIKELY(stop != 0)) {
            next = p + (((unsigned)__builtin_ctzll(stop) + 1) >> 3);
            *value = cn_pb_squeeze(w & (stop ^ (stop - 1)));
        } else {
            unsigned char ninth = (unsigned char)p[8], tenth = (unsigned char)p[9];
            uint64_t v = cn_pb_squeeze(w) | (uint64_t)(ninth & 0x7F) << 56;
            next = p + 9;
            if (ninth >= 0x80) {
                if (tenth > 1) return cn_pb_varint_careful(d, p, end, value); /* which finds what is wrong */
                v |= (uint64_t)tenth << 63;
                next = p + 10;
            }
            *value = v;
        }
        return CN_LIKELY(next <= end) ? next : cn_pb_bad(d, p, "truncated");
    }
#endif
    return cn_pb_varint_careful(d, p, end, value);
}

static inline CN_HOT const char *cn_pb_varint(cn_pb_decoder_t *d, const char *p, const char *end, uint64_t *value) {
    if (CN_LIKELY(p < end)) {
        unsigned char first = (unsigned char)*p;
        if (CN_LIKELY(first < 0x80)) {
            *value = first;
            return p + 1;
        }
        if (end - p >= 2 && (unsigned char)p[1] < 0x80) {
            *value = (uint64_t)(first & 0x7F) | (uint64_t)(unsigned char)p[1] << 7;
            return p + 2;
        }
    }
    return cn_pb_varint_long(d, p, end, value);
}

/* Reads a tag, all of it again; p is at its first byte. */
static CN_APART const char *cn_pb_tag_long(cn_pb_decoder_t *d, const char *p, const char *end, uint32_t *tag) {
    uint64_t value = 0; /* gcc cannot see that it is set */
    const char *next = cn_pb_varint_careful(d, p, end, &value);
    if (!next) return NULL;
    if (next - p > 5 || value > 0xFFFFFFFFu) return cn_pb_bad(d, p, "field number too large");
    *tag = (uint32_t)value;
    return next;
}

static inline CN_HOT const char *cn_pb_tag(cn_pb_decoder_t *d, const char *p, const char *end, uint32_t *tag) {
    uint32_t first = (unsigned char)*p;
    if (CN_LIKELY(first < 0x80)) {
        *tag = first;
        return p + 1;
    }
    if (CN_LIKELY(end - p >= 2 && (unsigned char)p[1] < 0x80)) {
        *tag = (first & 0x7F) | (uint32_t)(unsigned char)p[1] << 7;
        return p + 2;
    }
    return cn_pb_tag_long(d, p, end, tag);
}

/* Reads a length and sees that so much is there. */
static inline CN_HOT const char *cn_pb_len(cn_pb_decoder_t *d, const char *p, const char *end, size_t *len) {
    const char *at = p;
    uint64_t value;
    *len = 0;
    p = cn_pb_varint(d, p, end, &value);
    if (CN_UNLIKELY(!p)) return NULL;
    if (CN_UNLIKELY(value > (uint64_t)(end - p))) return cn_pb_bad(d, at, "truncated");
    *len = (size_t)value;
    return p;
}

/* Passes over the value of a record; groups with all that is in them. */
static const char *cn_pb_skip(cn_pb_decoder_t *d, const char *p, const char *end, uint32_t tag, const char *at) {
    const uint32_t number = tag >> 3;
    uint64_t value;
    size_t len;
    if (number == 0) return cn_pb_bad(d, at, "field number 0");
    switch (tag & 7) {
    case CONNECT_WIRE_VARINT: return cn_pb_varint(d, p, end, &value);
    case CONNECT_WIRE_FIXED64: return end - p >= 8 ? p + 8 : cn_pb_bad(d, p, "truncated");
    case CONNECT_WIRE_FIXED32: return end - p >= 4 ? p + 4 : cn_pb_bad(d, p, "truncated");
    case CONNECT_WIRE_BYTES: p = cn_pb_len(d, p, end, &len); return p ? p + len : NULL;
    case CONNECT_WIRE_GROUP:
        if (d->depth_left == 0) {
            return cn_pb_bad(d, at, "nested deeper than depth_max");
        }
        d->depth_left--;
        while (p < end) {
            uint32_t inner;
            const char *start = p;
            p = cn_pb_tag(d, p, end, &inner);
            if (!p) return NULL;
            if ((inner & 7) == CN_PB_WIRE_END) {
                if (inner >> 3 != number) return cn_pb_bad(d, start, "end of another group");
                d->depth_left++;
                d->group_end = start;
                return p;
            }
            p = cn_pb_skip(d, p, end, inner, start);
            if (!p) return NULL;
        }
        return cn_pb_bad(d, p, "truncated");
    case CN_PB_WIRE_END: return cn_pb_bad(d, at, "end of a group that was not begun");
    default: return cn_pb_bad(d, at, "unknown wire type");
    }
}

static inline CN_HOT size_t cn_pb_capacity(const cn_message_list_t *list) {
    size_t capacity = 0;
    if (list->items) memcpy(&capacity, (const char *)list->items - CN_PB_HEAD, sizeof capacity);
    return capacity;
}

/* Makes room in a list for `more` items. Its member in the message is set, its count stays. */
static CN_APART char *cn_pb_list_grow(
    cn_pb_decoder_t *d, char *member, cn_message_list_t *list, size_t size, size_t more, const char *at) {
    const size_t capacity = cn_pb_capacity(list);
    size_t wanted = list->count + more, twice = capacity * 2;
    char *block = NULL, *items;
    if (wanted < twice && (twice - capacity) <= d->memory_left / size) wanted = twice;
    if ((wanted - capacity) > d->memory_left / size) {
        cn_pb_exhausted(d, at, "decoded elements need more than memory_max");
        return NULL;
    }
    d->memory_left -= (wanted - capacity) * size;
    if (list->items) { /* the arena's, taken below: not const */
        memcpy(&block, member, sizeof block);
        block -= CN_PB_HEAD;
    }
    block =
        (char *)cn_arena_grow(d->arena, block, block ? CN_PB_HEAD + capacity * size : 0, CN_PB_HEAD + wanted * size);
    if (!block) {
        cn_pb_exhausted(d, at, "out of memory");
        return NULL;
    }
    memcpy(block, &wanted, sizeof wanted);
    items = block + CN_PB_HEAD;
    list->items = items;
    memcpy(member, list, sizeof *list);
    return items;
}

/* Where the next item of a list goes; its count is raised. more: how many are known to come. */
static inline CN_HOT char *cn_pb_append(cn_pb_decoder_t *d, char *member, size_t size, size_t more, const char *at) {
    cn_message_list_t list;
    char *items;
    memcpy(&list, member, sizeof list);
    memcpy(&items, member, sizeof items);
    if (CN_UNLIKELY(list.count == cn_pb_capacity(&list))) {
        items = cn_pb_list_grow(d, member, &list, size, more, at);
        if (!items) return NULL;
    }
    items += list.count * size;
    list.count++;
    memcpy(member + offsetof(cn_message_list_t, count), &list.count, sizeof list.count);
    return items;
}

static CN_APART bool cn_pb_keep_new(cn_pb_decoder_t *d, char *member, const char *from, size_t len) {
    connect_str_t view;
    char *item = cn_pb_append(d, member, sizeof view, 1, from);
    if (!item) return false;
    view.data = from;
    view.len = len;
    memcpy(item, &view, sizeof view);
    return true;
}

/* Keeps bytes as unknown fields: longer by them the last view, or a new one. */
static bool cn_pb_keep(cn_pb_decoder_t *d, const connect_type_t *type, char *message, const char *from, size_t len) {
    char *member = message + type->unknown;
    cn_message_list_t list;
    if (!d->keeps_unknown || !type->keeps_unknown) return true;
    memcpy(&list, member, sizeof list);
    if (list.count) {
        char *items;
        connect_str_t last;
        memcpy(&items, member, sizeof items);
        items += (list.count - 1) * sizeof last;
        memcpy(&last, items, sizeof last);
        if (last.data + last.len == from) {
            last.len += len;
            memcpy(items, &last, sizeof last);
            return true;
        }
    }
    return cn_pb_keep_new(d, member, from, len);
}

/* How many records of the same tag stand one behind the other. p is behind the first of them. Malformed ones are left
   for later. */
static CN_APART size_t cn_pb_run(const char *p, const char *end, const char *tag, size_t tag_len) {
    size_t n = 1;
    while ((size_t)(end - p) > tag_len && *p == *tag && (tag_len == 1 || memcmp(p, tag, tag_len) == 0)) {
        uint64_t len = (unsigned char)p[tag_len];
        p += tag_len + 1;
        if (len >= 0x80) {
            unsigned shift = 7;
            len &= 0x7F;
            do {
                if (p == end || shift > 28) return n;
                len |= (uint64_t)((unsigned char)*p & 0x7F) << shift;
                shift += 7;
            } while ((unsigned char)*p++ >= 0x80);
        }
        if (len > (uint64_t)(end - p)) return n;
        p += len;
        n++;
    }
    return n;
}

/* How many varints end in these bytes: bytes below 0x80. */
static size_t cn_pb_count_varints(const char *p, const char *end) {
    size_t n = 0;
    while (end - p >= 8) {
        uint64_t sums = 0;
        unsigned words = (size_t)(end - p) >= 255 * 8 ? 255 : (unsigned)((size_t)(end - p) / 8);
        for (; words; words--, p += 8) {
            uint64_t w;
            memcpy(&w, p, 8);
            sums += (~w >> 7) & 0x0101010101010101u;
        }
        sums = (sums & 0x00FF00FF00FF00FFu) + ((sums >> 8) & 0x00FF00FF00FF00FFu);
        n += (size_t)((sums * 0x0001000100010001u) >> 48);
    }
    for (; p < end; p++)
        n += (unsigned char)*p < 0x80;
    return n;
}

/* Stores a varint as the op's C type. op is a constant wherever this is called. */
static inline CN_HOT void cn_pb_unpack_one(unsigned op, char *items, size_t i, uint64_t value) {
    if (op == CN_PB_VARINT64) {
        memcpy(items + i * 8, &value, 8);
    } else if (op == CN_PB_SINT64) {
        value = cn_pb_zigzag64_decode(value);
        memcpy(items + i * 8, &value, 8);
    } else if (op == CN_PB_BOOL) {
        const bool truth = value != 0;
        memcpy(items + i * sizeof truth, &truth, sizeof truth);
    } else {
        uint32_t low = (uint32_t)value;
        if (op == CN_PB_SINT32) low = cn_pb_zigzag32_decode(low);
        memcpy(items + i * 4, &low, 4);
    }
}

/* Takes a varint of one or two bytes off a word, without a branch on which. Bit 15 of *longer is set if it has more.
   Returns how many bytes. */
static inline CN_HOT size_t cn_pb_unpack_short(unsigned op, char *items, size_t i, uint64_t *word, uint64_t *longer) {
    const uint64_t w = *word, two = 0 - (w >> 7 & 1); /* a mask */
    cn_pb_unpack_one(op, items, i, (w & 0x7F) | (w >> 1 & 0x3F80 & two));
    *longer |= w & two;
    *word = w >> (8 + (two & 8));
    return (size_t)(1 - two);
}

/* Reads n varints, which are known to end before `end`: four at once as long as they are short. */
static inline CN_HOT const char *cn_pb_unpack(
    cn_pb_decoder_t *d, unsigned op, char *items, size_t n, const char *p, const char *end) {
    const char *const limit = d->limit;
    size_t i = 0, stop;
    while (i < n) {
        if (CN_UNLIKELY(limit - p < 8)) {
            stop = n;
        } else if (CN_UNLIKELY(n - i < 4)) {
            uint64_t w = cn_pb_load64(p), longer = 0;
            const size_t used = cn_pb_unpack_short(op, items, i, &w, &longer);
            stop = i + 1;
            if (CN_LIKELY(!(longer & 0x8000))) {
                p += used;
                i++;
                continue;
            }
        } else {
            uint64_t w = cn_pb_load64(p), longer = 0;
            stop = i + 4;
            if (!(w & 0x80808080u)) {
                cn_pb_unpack_one(op, items, i, w & 0x7F);
                cn_pb_unpack_one(op, items, i + 1, w >> 8 & 0x7F);
                cn_pb_unpack_one(op, items, i + 2, w >> 16 & 0x7F);
                cn_pb_unpack_one(op, items, i + 3, w >> 24 & 0x7F);
                p += 4;
                i += 4;
                continue;
            } else {
                size_t used = cn_pb_unpack_short(op, items, i, &w, &longer);
                used += cn_pb_unpack_short(op, items, i + 1, &w, &longer);
                used += cn_pb_unpack_short(op, items, i + 2, &w, &longer);
                used += cn_pb_unpack_short(op, items, i + 3, &w, &longer);
                if (CN_LIKELY(!(longer & 0x8000))) {
                    p += used;
                    i += 4;
                    continue;
                }
            }
        }
        for (; i < stop; i++) {
            uint64_t value;
            p = cn_pb_varint(d, p, end, &value);
            if (CN_UNLIKELY(!p)) return NULL;
            cn_pb_unpack_one(op, items, i, value);
        }
    }
    return p;
}

/* Packed numbers of a closed enum: what it does not know becomes records of their own among the unknown fields. */
static const char *cn_pb_unpack_closed(cn_pb_decoder_t *d, const connect_type_t *type, const connect_field_t *field,
    char *message, char *items, size_t *n, const char *p, const char *end) {
    const connect_enum_t *values = type->enums[field->type];
    const size_t count = *n;
    const bool keeps = d->keeps_unknown && type->keeps_unknown;
    char *unknown = NULL, *to = NULL, tag[5];
    size_t i, room = 0, tag_len = 0;
    uint32_t rest = field->number << 3 | CONNECT_WIRE_VARINT;
    while (rest >= 0x80) {
        tag[tag_len++] = (char)(unsigned char)(rest | 0x80);
        rest >>= 7;
    }
    tag[tag_len++] = (char)(unsigned char)rest;
    *n = 0;
    for (i = 0; i < count; i++) {
        const char *at = p;
        uint64_t value;
        uint32_t low;
        p = cn_pb_varint(d, p, end, &value);
        if (!p) return NULL;
        low = (uint32_t)value;
        if (cn_message_enum_has(values, (int32_t)low)) {
            memcpy(items + *n * 4, &low, 4);
            ++*n;
        } else if (keeps) {
            if (!unknown) {
                room = (count - i) * tag_len + (size_t)(end - at);
                unknown = to = (char *)cn_pb_take(d, room, at);
                if (!unknown) return NULL;
            }
            memcpy(to, tag, tag_len);
            memcpy(to + tag_len, at, (size_t)(p - at));
            to += tag_len + (size_t)(p - at);
        }
    }
    if (unknown) {
        cn_arena_shrink(d->arena, unknown, room, (size_t)(to - unknown));
        if (!cn_pb_keep(d, type, message, unknown, (size_t)(to - unknown))) return NULL;
    }
    return p;
}

static CN_APART bool cn_pb_packed(cn_pb_decoder_t *d, const connect_type_t *type, const connect_field_t *field,
    char *message, const char *p, const char *end) {
    char *member = message + field->offset, *items;
    cn_message_list_t list;
    size_t size, n, added;
    unsigned op;
    if (p == end) return true;
    op = cn_pb_ops[field->kind & 31][CONNECT_WIRE_VARINT];
    if (op != CN_PB_UNKNOWN) {
        if ((unsigned char)end[-1] >= 0x80) return cn_pb_bad(d, p, "truncated") != NULL;
        n = cn_pb_count_varints(p, end);
        size = op == CN_PB_BOOL ? sizeof(bool) : op == CN_PB_VARINT64 || op == CN_PB_SINT64 ? 8 : 4;
    } else {
        size = cn_pb_ops[field->kind & 31][CONNECT_WIRE_FIXED64] ? 8 : 4;
        if ((size_t)(end - p) % size) return cn_pb_bad(d, p, "truncated") != NULL;
        n = (size_t)(end - p) / size;
    }
    memcpy(&list, member, sizeof list);
    memcpy(&items, member, sizeof items);
    if (cn_pb_capacity(&list) - list.count < n) {
        items = cn_pb_list_grow(d, member, &list, size, n, p);
        if (!items) return false;
    }
    items += list.count * size;
    added = n;
    switch (op) {
    case CN_PB_VARINT64: p = cn_pb_unpack(d, CN_PB_VARINT64, items, n, p, end); break;
    case CN_PB_SINT64: p = cn_pb_unpack(d, CN_PB_SINT64, items, n, p, end); break;
    case CN_PB_SINT32: p = cn_pb_unpack(d, CN_PB_SINT32, items, n, p, end); break;
    case CN_PB_BOOL: p = cn_pb_unpack(d, CN_PB_BOOL, items, n, p, end); break;
    case CN_PB_ENUM:
        if (type->enums[field->type]->closed) {
            p = cn_pb_unpack_closed(d, type, field, message, items, &added, p, end);
            break;
        } /* fall through */
    case CN_PB_VARINT32: p = cn_pb_unpack(d, CN_PB_VARINT32, items, n, p, end); break;
    default:
#if CN_PB_LITTLE
        memcpy(items, p, n * size);
#else
        for (; p < end; p += size, items += size) {
            if (size == 8) {
                uint64_t value = cn_pb_load64(p);
                memcpy(items, &value, 8);
            } else {
                uint32_t value = cn_pb_load32(p);
                memcpy(items, &value, 4);
            }
        }
#endif
        break;
    }
    if (!p) return false;
    list.count += added;
    memcpy(member + offsetof(cn_message_list_t, count), &list.count, sizeof list.count);
    return true;
}

/* The message that a singular field holds, made if there is none. */
static inline CN_HOT char *cn_pb_sub(
    cn_pb_decoder_t *d, const connect_type_t *sub, const connect_field_t *field, char *message, const char *at) {
    char *member = message + field->offset, *held;
    bool fresh;
    if (field->flags & CONNECT_FIELD_ONEOF) {
        fresh = !cn_message_has(field, message);
        cn_message_mark(field, message);
    } else {
        fresh = false;
    }
    memcpy(&held, member, sizeof held);
    if (!fresh && held) return held;
    held = (char *)cn_pb_take(d, sub->size, at);
    if (held) {
        connect_message_init(sub, held);
    } else if (field->flags & CONNECT_FIELD_ONEOF) { /* a case without a message: read as an empty one */
        memcpy(member, &held, sizeof held);          /* NULL */
        return NULL;
    }
    memcpy(member, &held, sizeof held);
    return held;
}

static CN_COLD const char *cn_pb_failed_at(
    cn_pb_decoder_t *d, const connect_type_t *type, const connect_field_t *field, const char *message, bool inside) {
    cn_message_list_t list = {NULL, 0};
    if (!field) return NULL;
    if (field->flags & CONNECT_FIELD_REPEATED) memcpy(&list, message + field->offset, sizeof list);
    cn_pb_failure_at(&d->failure, type, field, inside && list.count ? list.count - 1 : list.count);
    return NULL;
}

/* Ends a map entry: a message that is its value is there even if it was not sent. Gives it back to the wire if its
   closed enum does not know the number. */
static CN_APART bool cn_pb_entry(cn_pb_decoder_t *d, const connect_type_t *type, const connect_field_t *field,
    char *message, char *entry, const char *from, const char *to) {
    const connect_type_t *entry_type = type->types[field->type];
    const connect_field_t *value = &entry_type->fields[1];
    if (d->entry_unknown) {
        char *count_at = message + field->offset + offsetof(cn_message_list_t, count);
        size_t count;
        d->entry_unknown = false;
        memcpy(&count, count_at, sizeof count);
        count--;
        memcpy(count_at, &count, sizeof count);
        return cn_pb_keep(d, type, message, from, (size_t)(to - from));
    }
    return value->kind != CONNECT_KIND_MESSAGE ||
        cn_pb_sub(d, entry_type->types[value->type], value, entry, from) != NULL;
}

/* Reads records up to `end`, or up to the end of the group of that number (0: none). Returns where it ended. */
static const char *cn_pb_records(
    cn_pb_decoder_t *d, const connect_type_t *type, char *message, const char *p, const char *end, uint32_t group) {
    const connect_field_t *const fields = type->fields, *field = NULL;
    const uint32_t dense = type->dense;
    size_t next = dense;
    bool inside = false;
    while (p < end) {
        const char *start = p, *at;
        uint32_t tag, number, low;
        unsigned flags;
        uint64_t value;
        size_t len, more;
        char *to;
        p = cn_pb_tag(d, p, end, &tag);
        if (CN_UNLIKELY(!p)) return NULL;
        number = tag >> 3;
        if (CN_LIKELY(number - 1 < dense)) {
            field = fields + (number - 1);
        } else {
            while (next < type->field_count && fields[next].number < number)
                next++;
            if (CN_LIKELY(next < type->field_count && fields[next].number == number)) {
                field = fields + next++;
            } else {
                field = cn_message_field_number(type, number);
                if (!field) goto unknown;
                next = (size_t)(field - fields) + 1;
            }
        }
        flags = field->flags;
        at = p;
        switch (cn_pb_ops[field->kind & 31][tag & 7]) {
        case CN_PB_VARINT64:
            p = cn_pb_varint(d, p, end, &value);
            if (CN_UNLIKELY(!p)) goto failed;
            goto store64;
        case CN_PB_SINT64:
            p = cn_pb_varint(d, p, end, &value);
            if (CN_UNLIKELY(!p)) goto failed;
            value = cn_pb_zigzag64_decode(value);
            goto store64;
        case CN_PB_FIXED64:
            if (CN_UNLIKELY(end - p < 8)) goto truncated;
            value = cn_pb_load64(p);
            p += 8;
        store64:
            to = message + field->offset;
            if (flags & (CONNECT_FIELD_REPEATED | CONNECT_FIELD_HAS | CONNECT_FIELD_ONEOF)) {
                if (flags & CONNECT_FIELD_REPEATED) {
                    to = cn_pb_append(d, to, 8, 4, at);
                    if (CN_UNLIKELY(!to)) goto failed;
                } else {
                    cn_message_mark(field, message);
                }
            }
            memcpy(to, &value, 8);
            continue;
        case CN_PB_ENUM:
            p = cn_pb_varint(d, p, end, &value);
            if (CN_UNLIKELY(!p)) goto failed;
            low = (uint32_t)value;
            if (type->enums[field->type]->closed && !cn_message_enum_has(type->enums[field->type], (int32_t)low)) {
                d->entry_unknown = type->is_map_entry;
                if (!cn_pb_keep(d, type, message, start, (size_t)(p - start))) goto failed;
                continue;
            }
            goto store32;
        case CN_PB_VARINT32:
            p = cn_pb_varint(d, p, end, &value);
            if (CN_UNLIKELY(!p)) goto failed;
            low = (uint32_t)value;
            goto store32;
        case CN_PB_SINT32:
            p = cn_pb_varint(d, p, end, &value);
            if (CN_UNLIKELY(!p)) goto failed;
            low = cn_pb_zigzag32_decode((uint32_t)value);
            goto store32;
        case CN_PB_FIXED32:
            if (CN_UNLIKELY(end - p < 4)) goto truncated;
            low = cn_pb_load32(p);
            p += 4;
        store32:
            to = message + field->offset;
            if (flags & (CONNECT_FIELD_REPEATED | CONNECT_FIELD_HAS | CONNECT_FIELD_ONEOF)) {
                if (flags & CONNECT_FIELD_REPEATED) {
                    to = cn_pb_append(d, to, 4, 4, at);
                    if (CN_UNLIKELY(!to)) goto failed;
                } else {
                    cn_message_mark(field, message);
                }
            }
            memcpy(to, &low, 4);
            continue;
        case CN_PB_BOOL: {
            bool truth;
            p = cn_pb_varint(d, p, end, &value);
            if (CN_UNLIKELY(!p)) goto failed;
            truth = value != 0;
            to = message + field->offset;
            if (flags & CONNECT_FIELD_REPEATED) {
                to = cn_pb_append(d, to, sizeof truth, 8, at);
                if (CN_UNLIKELY(!to)) goto failed;
            } else {
                cn_message_mark(field, message);
            }
            memcpy(to, &truth, sizeof truth);
            continue;
        }
        case CN_PB_TEXT: {
            connect_str_t view;
            for (;;) {
                p = cn_pb_len(d, p, end, &len);
                if (CN_UNLIKELY(!p)) goto failed;
                if ((flags & CONNECT_FIELD_UTF8) && CN_UNLIKELY(!cn_pb_is_utf8(p, len))) {
                    cn_pb_bad(d, p, "not UTF-8");
                    goto failed;
                }
                view.data = p;
                view.len = len;
                p += len;
                to = message + field->offset;
                if (CN_LIKELY(!(flags & CONNECT_FIELD_REPEATED))) break;
                {
                    cn_message_list_t list;
                    memcpy(&list, to, sizeof list);
                    more = list.count == cn_pb_capacity(&list) ? cn_pb_run(p, end, start, (size_t)(at - start)) : 0;
                }
                to = cn_pb_append(d, to, sizeof view, more, at);
                if (CN_UNLIKELY(!to)) goto failed;
                memcpy(to, &view, sizeof view);
                if (tag >= 0x80 || p == end || (unsigned char)*p != tag) break;
                start = p++;
                at = p;
            }
            if (flags & CONNECT_FIELD_REPEATED) continue;
            if (flags & (CONNECT_FIELD_HAS | CONNECT_FIELD_ONEOF)) cn_message_mark(field, message);
            memcpy(to, &view, sizeof view);
            continue;
        }
        case CN_PB_MESSAGE: {
            const connect_type_t *sub = type->types[field->type];
            for (;;) {
                p = cn_pb_len(d, p, end, &len);
                if (CN_UNLIKELY(!p)) goto failed;
                if (CN_UNLIKELY(d->depth_left == 0)) goto too_deep;
                if (flags & CONNECT_FIELD_REPEATED) {
                    cn_message_list_t list;
                    to = message + field->offset;
                    memcpy(&list, to, sizeof list);
                    more =
                        list.count == cn_pb_capacity(&list) ? cn_pb_run(p + len, end, start, (size_t)(at - start)) : 0;
                    to = cn_pb_append(d, to, sub->size, more, at);
                    if (CN_UNLIKELY(!to)) goto failed;
                    connect_message_init(sub, to);
                } else {
                    to = cn_pb_sub(d, sub, field, message, at);
                    if (CN_UNLIKELY(!to)) goto failed;
                }
                d->depth_left--;
                inside = true;
                if (CN_UNLIKELY(!cn_pb_records(d, sub, to, p, p + len, 0))) goto failed;
                inside = false;
                d->depth_left++;
                p += len;
                if (!(flags & CONNECT_FIELD_REPEATED)) break;
                if ((flags & CONNECT_FIELD_MAP) && !cn_pb_entry(d, type, field, message, to, start, p)) goto failed;
                if (tag >= 0x80 || p == end || (unsigned char)*p != tag) break;
                start = p++;
                at = p;
            }
            continue;
        }
        case CN_PB_GROUP: {
            const connect_type_t *sub = type->types[field->type];
            if (d->depth_left == 0) goto too_deep;
            if (flags & CONNECT_FIELD_REPEATED) {
                to = cn_pb_append(d, message + field->offset, sub->size, 1, at);
                if (to) connect_message_init(sub, to);
            } else {
                to = cn_pb_sub(d, sub, field, message, at);
            }
            if (!to) goto failed;
            d->depth_left--;
            inside = true;
            p = cn_pb_records(d, sub, to, p, end, number);
            if (!p) goto failed;
            inside = false;
            d->depth_left++;
            continue;
        }
        case CN_PB_PACKED:
            if (!(flags & CONNECT_FIELD_REPEATED)) goto unknown;
            p = cn_pb_len(d, p, end, &len);
            if (CN_UNLIKELY(!p)) goto failed;
            if (!cn_pb_packed(d, type, field, message, p, p + len)) goto failed;
            p += len;
            continue;
        default: break;
        }
    unknown:
        field = NULL;
        if ((tag & 7) == CN_PB_WIRE_END && number == group && group != 0) return p;
        p = cn_pb_skip(d, p, end, tag, start);
        if (!p || !cn_pb_keep(d, type, message, start, (size_t)(p - start))) return NULL;
        continue;
    truncated:
        cn_pb_bad(d, at, "truncated");
        goto failed;
    too_deep:
        cn_pb_bad(d, start, "nested deeper than depth_max");
        goto failed;
    }
    if (CN_LIKELY(group == 0)) return p;
    return cn_pb_bad(d, end, "truncated");
failed:
    return cn_pb_failed_at(d, type, field, message, inside);
}

/* Looks for a required field that is missing, here and below. */
static bool cn_pb_complete(cn_pb_failure_t *failure, const connect_type_t *type, const char *message, uint32_t depth) {
    size_t i, j;
    if (!type->has_required) return true;
    for (i = 0; i < type->field_count; i++) {
        const connect_field_t *field = &type->fields[i];
        const connect_type_t *sub;
        const char *at = message + field->offset;
        const bool required = (field->flags & CONNECT_FIELD_REQUIRED) != 0;
        if (!required && !cn_message_is_message(field)) continue;
        if (!cn_message_has(field, message)) {
            if (!required) continue;
            failure->code = CONNECT_INVALID_ARGUMENT;
            failure->reason = "required field is missing";
            failure->no_offset = true;
            cn_pb_failure_at(failure, type, field, 0);
            return false;
        }
        if (!cn_message_is_message(field)) continue;
        sub = type->types[field->type];
        if (!sub->has_required || depth == 0) continue;
        if (field->flags & CONNECT_FIELD_REPEATED) {
            cn_message_list_t list;
            memcpy(&list, at, sizeof list);
            for (j = 0; j < list.count; j++) {
                if (!cn_pb_complete(failure, sub, (const char *)list.items + j * sub->size, depth - 1)) {
                    cn_pb_failure_at(failure, type, field, j);
                    return false;
                }
            }
        } else {
            const char *held;
            memcpy(&held, at, sizeof held);
            if (held && !cn_pb_complete(failure, sub, held, depth - 1)) {
                cn_pb_failure_at(failure, type, field, 0);
                return false;
            }
        }
    }
    return true;
}

static bool cn_pb_decode_slack(const connect_type_t *type, void *message, connect_str_t bytes, size_t slack,
    connect_arena_t *arena, const connect_codec_options_t *options, connect_error_t *error) {
    static const connect_codec_options_t defaults = CONNECT_DEFAULTS;
    cn_pb_decoder_t d;
    void *target = message;
    uint32_t depth;
    bool ok = true;
    if (!options) options = &defaults;
    depth = options->depth_max ? options->depth_max : CN_MESSAGE_DEPTH;
    if (!options->merge) connect_message_init(type, message);
    if (options->copy && bytes.len) {
        char *copy = bytes.len < SIZE_MAX / 2 ? (char *)cn_arena_raw(arena, bytes.len + CN_SLACK) : NULL;
        if (!copy) return cn_error_memory(error);
        memcpy(copy, bytes.data, bytes.len);
        memset(copy + bytes.len, 0, CN_SLACK);
        bytes.data = copy;
        slack = CN_SLACK;
    }
    d.start = bytes.data;
    d.limit = bytes.data ? bytes.data + bytes.len + slack : NULL;
    d.arena = arena;
    d.memory_left = options->memory_max ? options->memory_max : CN_MESSAGE_MEMORY;
    if (options->memory_max == CONNECT_UNLIMITED || d.memory_left > SIZE_MAX / 4) d.memory_left = SIZE_MAX / 4;
    d.depth_left = depth;
    d.keeps_unknown = !options->drop_unknown;
    d.entry_unknown = false;
    cn_pb_failure_init(&d.failure);
    if (bytes.len) {
        if (options->merge) {
            target = cn_arena_raw(arena, type->size);
            if (!target) return cn_error_memory(error);
            connect_message_init(type, target);
        }
        ok = cn_pb_records(&d, type, (char *)target, bytes.data, bytes.data + bytes.len, 0) != NULL;
        if (ok && options->merge && !connect_message_merge(type, message, target, arena)) return cn_error_memory(error);
    }
    if (ok && !options->partial) ok = cn_pb_complete(&d.failure, type, (const char *)message, depth);
    if (ok) return true;
    if (!options->merge) connect_message_init(type, message); /* nothing half read */
    return cn_pb_failure_report(&d.failure, type, arena, error);
}

bool connect_message_decode(const connect_type_t *type, void *message, connect_str_t bytes, connect_arena_t *arena,
    const connect_codec_options_t *options, connect_error_t *error) {
    return cn_pb_decode_slack(type, message, bytes, 0, arena, options, error);
}

CN_PRIVATE bool cn_pb_decode(const connect_type_t *type, void *message, connect_str_t bytes, connect_arena_t *arena,
    const connect_codec_options_t *options, connect_error_t *error) {
    return cn_pb_decode_slack(type, message, bytes, CN_SLACK, arena, options, error);
}

/* ---- The wire by hand ---- */

bool connect_reader_next(connect_reader_t *reader, connect_record_t *record) {
    const char *p = reader->rest.data, *end, *start;
    cn_pb_decoder_t d;
    uint32_t tag;
    size_t len;
    memset(record, 0, sizeof *record);
    record->wire = CONNECT_WIRE_VARINT;
    if (reader->failed || reader->rest.len == 0) return false;
    end = p + reader->rest.len;
    start = p;
    d.start = p;
    d.limit = end;
    d.depth_left = CN_MESSAGE_DEPTH;
    reader->failed = true;
    p = cn_pb_tag(&d, p, end, &tag);
    if (!p) return false;
    record->number = tag >> 3;
    switch (tag & 7) {
    case CONNECT_WIRE_VARINT:
        record->wire = CONNECT_WIRE_VARINT;
        p = cn_pb_varint(&d, p, end, &record->value);
        break;
    case CONNECT_WIRE_FIXED64:
        record->wire = CONNECT_WIRE_FIXED64;
        if (end - p < 8) return false;
        record->value = cn_pb_load64(p);
        p += 8;
        break;
    case CONNECT_WIRE_FIXED32:
        record->wire = CONNECT_WIRE_FIXED32;
        if (end - p < 4) return false;
        record->value = cn_pb_load32(p);
        p += 4;
        break;
    case CONNECT_WIRE_BYTES:
        record->wire = CONNECT_WIRE_BYTES;
        p = cn_pb_len(&d, p, end, &len);
        if (!p) return false;
        record->bytes.data = p;
        record->bytes.len = len;
        p += len;
        break;
    case CONNECT_WIRE_GROUP:
        record->wire = CONNECT_WIRE_GROUP;
        record->bytes.data = p;
        p = cn_pb_skip(&d, p, end, tag, start);
        if (!p) return false;
        record->bytes.len = (size_t)(d.group_end - record->bytes.data);
        break;
    default: return false;
    }
    if (!p || record->number == 0) return false;
    reader->rest.len = (size_t)(end - p);
    reader->rest.data = p;
    reader->failed = false;
    return true;
}

bool connect_record_get(const connect_record_t *record, connect_kind_t kind, void *value) {
    const uint32_t low = (uint32_t)record->value;
    uint64_t wide = record->value;
    const unsigned op = cn_pb_ops[(unsigned)kind & 31][(unsigned)record->wire & 7];
    switch (op) {
    case CN_PB_SINT64: wide = cn_pb_zigzag64_decode(wide); /* fall through */
    case CN_PB_VARINT64:
    case CN_PB_FIXED64: memcpy(value, &wide, 8); return true;
    case CN_PB_ENUM:
    case CN_PB_VARINT32:
    case CN_PB_FIXED32: memcpy(value, &low, 4); return true;
    case CN_PB_SINT32: {
        const uint32_t number = cn_pb_zigzag32_decode(low);
        memcpy(value, &number, 4);
        return true;
    }
    case CN_PB_BOOL: {
        const bool truth = wide != 0;
        memcpy(value, &truth, sizeof truth);
        return true;
    }
    case CN_PB_TEXT:
    case CN_PB_MESSAGE:
    case CN_PB_GROUP: memcpy(value, &record->bytes, sizeof record->bytes); return true;
    default: return false;
    }
}

/* #### src/codec/pb_encode.c ####################################################################################### */
/* Writing protobuf binary; the format is told in pb_decode.c.

   Encoding goes backwards, from the last byte of a window to the first: lengths are known when they are to be
   written, and nothing is measured first. In an arena the window is all that its block has left, and the message
   stays at the block's end. In a queue it is the room there, up to CN_PB_WINDOW, and what was written is moved to
   its start. A message that does not fit, or has a field of CN_PB_LARGE bytes that would be moved, is measured (in
   linear time) and written again, to where it stays.

   Whether there is room is looked at once for a field, after its number or its head was written, or its text's
   length is known: p, the lowest byte written, may be up to CN_PB_MARGIN bytes below `start`, which are the
   encoder's, too. What is below p holds nothing yet, so that whole words may be stored there. */

#define CN_PB_WINDOW (64u * 1024u)
#define CN_PB_LARGE (8u * 1024u)
#define CN_PB_MARGIN 64u

/* Puts 7 bits into each byte, of up to 56. */
static inline CN_HOT uint64_t cn_pb_spread(uint64_t w) {
    w = (w & 0x000000000FFFFFFFu) | (w & 0x00FFFFFFF0000000u) << 4;
    w = (w & 0x00003FFF00003FFFu) | (w & 0x0FFFC0000FFFC000u) << 2;
    return (w & 0x007F007F007F007Fu) | (w & 0x3F803F803F803F80u) << 1;
}

/* ---- Size ---- */

static size_t cn_pb_tag_len(const connect_field_t *field) {
    return cn_pb_varint_len((uint64_t)field->number << 3);
}

/* The varint that a scalar is written as. */
static inline CN_HOT uint64_t cn_pb_varint_of(uint8_t kind, const char *at) {
    uint64_t wide;
    uint32_t low;
    bool truth;
    switch (kind) {
    case CONNECT_KIND_INT64:
    case CONNECT_KIND_UINT64: memcpy(&wide, at, 8); return wide;
    case CONNECT_KIND_SINT64: memcpy(&wide, at, 8); return cn_pb_zigzag64(wide);
    case CONNECT_KIND_UINT32: memcpy(&low, at, 4); return low;
    case CONNECT_KIND_SINT32: memcpy(&low, at, 4); return cn_pb_zigzag32(low);
    case CONNECT_KIND_BOOL: memcpy(&truth, at, sizeof truth); return truth;
    default: memcpy(&low, at, 4); return cn_pb_sign_extend(low); /* INT32, ENUM */
    }
}

/* The width of a number that is written with a fixed one; 0: it is not. */
static inline CN_HOT size_t cn_pb_fixed_size(uint8_t kind) {
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

static size_t cn_pb_size(const connect_type_t *type, const char *message, uint32_t depth);

/* Without its tag. at: the member, or the item of a list. */
static size_t cn_pb_value_size(
    const connect_type_t *type, const connect_field_t *field, const char *at, uint32_t depth) {
    const void *sub;
    size_t len;
    switch (field->kind) {
    case CONNECT_KIND_STRING:
    case CONNECT_KIND_BYTES: {
        connect_str_t text;
        memcpy(&text, at, sizeof text);
        return cn_pb_varint_len(text.len) + text.len;
    }
    case CONNECT_KIND_MESSAGE:
    case CONNECT_KIND_GROUP:
        sub = at;
        if (!(field->flags & CONNECT_FIELD_REPEATED)) memcpy(&sub, at, sizeof sub);
        len = sub && depth ? cn_pb_size(type->types[field->type], (const char *)sub, depth - 1) : 0;
        return field->kind == CONNECT_KIND_GROUP ? len + cn_pb_tag_len(field) : cn_pb_varint_len(len) + len;
    default: len = cn_pb_fixed_size(field->kind); return len ? len : cn_pb_varint_len(cn_pb_varint_of(field->kind, at));
    }
}

static size_t cn_pb_list_size(
    const connect_type_t *type, const connect_field_t *field, const char *at, uint32_t depth) {
    const size_t size = cn_message_value_size(type, field), fixed = cn_pb_fixed_size(field->kind);
    cn_message_list_t list;
    size_t sum = 0, i;
    memcpy(&list, at, sizeof list);
    if (fixed) {
        sum = fixed * list.count;
    } else {
        for (i = 0; i < list.count; i++)
            sum += cn_pb_value_size(type, field, (const char *)list.items + i * size, depth);
    }
    if (field->flags & CONNECT_FIELD_PACKED) return cn_pb_tag_len(field) + cn_pb_varint_len(sum) + sum;
    return cn_pb_tag_len(field) * list.count + sum;
}

static size_t cn_pb_size(const connect_type_t *type, const char *message, uint32_t depth) {
    size_t sum = 0, i;
    for (i = 0; i < type->field_count; i++) {
        const connect_field_t *field = &type->fields[i];
        if (!type->is_map_entry && !cn_message_has(field, message)) continue;
        if (field->flags & CONNECT_FIELD_REPEATED)
            sum += cn_pb_list_size(type, field, message + field->offset, depth);
        else
            sum += cn_pb_tag_len(field) + cn_pb_value_size(type, field, message + field->offset, depth);
    }
    if (type->keeps_unknown) {
        connect_str_list_t unknown;
        memcpy(&unknown, message + type->unknown, sizeof unknown);
        for (i = 0; i < unknown.count; i++)
            sum += unknown.items[i].len;
    }
    return sum;
}

size_t connect_message_size(const connect_type_t *type, const void *message) {
    return cn_pb_size(type, (const char *)message, CN_MESSAGE_DEPTH);
}

/* ---- Encoding ---- */

typedef struct cn_pb_encoder_t {
    char *start;              /* of the window, behind its margin */
    connect_arena_t *scratch; /* for sorting maps; NULL: the allocator */
    const connect_allocator_t *allocator;
    uint32_t depth_left;
    bool partial, deterministic;
    bool stays;              /* what is written is not moved afterwards */
    cn_pb_failure_t failure; /* reason NULL after a failure: the window is full */
} cn_pb_encoder_t;

static CN_COLD char *cn_pb_refuse(cn_pb_encoder_t *e, connect_code_t code, const char *reason) {
    e->failure.code = code;
    e->failure.reason = reason;
    e->failure.no_offset = true;
    return NULL;
}

/* Two bytes: of a number from 0x80 to 0x3FFF. */
static inline CN_HOT char *cn_pb_put_pair(char *p, uint32_t value) {
    const uint16_t pair = (uint16_t)((value & 0x7F) | 0x80 | (value << 1 & 0x7F00));
#if CN_PB_LITTLE
    memcpy(p - 2, &pair, 2);
#else
    p[-2] = (char)(unsigned char)(pair & 0xFF);
    p[-1] = (char)(unsigned char)(pair >> 8);
#endif
    return p - 2;
}

static CN_APART char *cn_pb_put_varint_long(char *p, uint64_t value) {
    const size_t len = cn_pb_varint_len(value);
    char *to;
#if CN_PB_LITTLE
    if (CN_LIKELY(len <= 8)) {
        const uint64_t w = cn_pb_spread(value) | (0x8080808080808080u >> (8 * (9 - len)));
        cn_pb_store64(p - 8, w << (8 * (8 - len)));
        return p - len;
    }
#endif
    p -= len;
    for (to = p; value >= 0x80; value >>= 7)
        *to++ = (char)(unsigned char)((value & 0x7F) | 0x80);
    *to = (char)(unsigned char)value;
    return p;
}

static inline CN_HOT char *cn_pb_put_varint(char *p, uint64_t value) {
    if (CN_LIKELY(value < 0x80)) {
        *--p = (char)(unsigned char)value;
        return p;
    }
    return value < 0x4000 ? cn_pb_put_pair(p, (uint32_t)value) : cn_pb_put_varint_long(p, value);
}

static inline CN_HOT char *cn_pb_put_tag(char *p, uint32_t number, unsigned wire) {
    const uint32_t tag = number << 3 | wire;
    if (CN_LIKELY(tag < 0x80)) {
        *--p = (char)(unsigned char)tag;
        return p;
    }
    if (CN_UNLIKELY(tag >= 0x4000)) return cn_pb_put_varint_long(p, tag);
    return cn_pb_put_pair(p, tag);
}

static inline CN_HOT char *cn_pb_put_bytes(const cn_pb_encoder_t *e, char *p, const char *data, size_t len) {
    if (CN_UNLIKELY((size_t)(p - e->start) < len)) return NULL;
    if (CN_UNLIKELY(len >= CN_PB_LARGE) && !e->stays) return NULL;
    p -= len;
    cn_mem_copy(p, data, len);
    return p;
}

static inline CN_HOT char *cn_pb_put_fixed64(char *p, uint64_t value) {
    cn_pb_store64(p - 8, value);
    return p - 8;
}

static inline CN_HOT char *cn_pb_put_fixed32(char *p, uint32_t value) {
    cn_pb_store32(p - 4, value);
    return p - 4;
}

static inline CN_HOT char *cn_pb_put_text(
    cn_pb_encoder_t *e, char *p, const connect_field_t *field, connect_str_t text) {
    if ((field->flags & CONNECT_FIELD_UTF8) && CN_UNLIKELY(!cn_pb_is_utf8(text.data, text.len)))
        return cn_pb_refuse(e, CONNECT_INVALID_ARGUMENT, "not UTF-8");
    p = cn_pb_put_bytes(e, p, text.data, text.len);
    if (CN_UNLIKELY(!p)) return NULL;
    p = cn_pb_put_tag(cn_pb_put_varint(p, text.len), field->number, CONNECT_WIRE_BYTES);
    return CN_LIKELY(p >= e->start) ? p : NULL;
}

static char *cn_pb_put_records(cn_pb_encoder_t *e, char *p, const connect_type_t *type, const char *message);

/* sub may be NULL: an empty message. */
static inline CN_HOT char *cn_pb_put_sub(
    cn_pb_encoder_t *e, char *p, const connect_type_t *type, const connect_field_t *field, const char *sub) {
    const bool group = field->kind == CONNECT_KIND_GROUP;
    const char *end;
    if (CN_UNLIKELY(e->depth_left == 0))
        return cn_pb_refuse(e, CONNECT_INVALID_ARGUMENT, "nested deeper than depth_max");
    if (group) {
        p = cn_pb_put_tag(p, field->number, CN_PB_WIRE_END);
        if (p < e->start) return NULL;
    }
    end = p;
    if (CN_LIKELY(sub != NULL)) {
        e->depth_left--;
        p = cn_pb_put_records(e, p, type->types[field->type], sub);
        e->depth_left++;
        if (CN_UNLIKELY(!p)) return NULL;
    }
    if (group)
        p = cn_pb_put_tag(p, field->number, CONNECT_WIRE_GROUP);
    else
        p = cn_pb_put_tag(cn_pb_put_varint(p, (size_t)(end - p)), field->number, CONNECT_WIRE_BYTES);
    return CN_LIKELY(p >= e->start) ? p : NULL;
}

/* Writes numbers, the last one first; those of one and of two bytes without a branch between them, since which comes
   next is rarely to be guessed. kind is a constant wherever it matters. */
static inline CN_HOT char *cn_pb_put_varints(
    const cn_pb_encoder_t *e, char *p, uint8_t kind, const char *items, size_t size, size_t count) {
    const char *item = items + count * size;
    while (item != items) {
        uint64_t value;
        item -= size;
        value = cn_pb_varint_of(kind, item);
        if (CN_LIKELY(value < 0x4000)) {
            const uint32_t two = value >= 0x80, low = (uint32_t)value;
            cn_pb_put_pair(p, two ? low : low << 7); /* a single byte is the upper one */
            p -= 1 + two;
        } else {
            p = cn_pb_put_varint_long(p, value);
        }
        if (CN_UNLIKELY(p < e->start)) return NULL;
    }
    return p;
}

static CN_APART char *cn_pb_put_packed(
    cn_pb_encoder_t *e, char *p, const connect_type_t *type, const connect_field_t *field, cn_message_list_t list) {
    const uint8_t kind = field->kind;
    const size_t size = cn_message_value_size(type, field), fixed = cn_pb_fixed_size(kind);
    const char *items = (const char *)list.items, *end = p;
    size_t i = list.count;
    if (fixed) {
#if CN_PB_LITTLE
        if (list.count > (size_t)(p - e->start) / fixed) return NULL;
        p -= list.count * fixed;
        memcpy(p, items, list.count * fixed);
#else
        while (i-- > 0) {
            if (fixed == 8) {
                uint64_t value;
                memcpy(&value, items + i * 8, 8);
                p = cn_pb_put_fixed64(p, value);
            } else {
                uint32_t value;
                memcpy(&value, items + i * 4, 4);
                p = cn_pb_put_fixed32(p, value);
            }
            if (p < e->start) return NULL;
        }
#endif
    } else {
        switch (kind) {
        case CONNECT_KIND_INT64:
        case CONNECT_KIND_UINT64: p = cn_pb_put_varints(e, p, CONNECT_KIND_UINT64, items, 8, i); break;
        case CONNECT_KIND_UINT32: p = cn_pb_put_varints(e, p, CONNECT_KIND_UINT32, items, 4, i); break;
        case CONNECT_KIND_SINT32: p = cn_pb_put_varints(e, p, CONNECT_KIND_SINT32, items, 4, i); break;
        case CONNECT_KIND_INT32:
        case CONNECT_KIND_ENUM: p = cn_pb_put_varints(e, p, CONNECT_KIND_INT32, items, 4, i); break;
        default: p = cn_pb_put_varints(e, p, kind, items, size, i); break;
        }
        if (!p) return NULL;
    }
    p = cn_pb_put_tag(cn_pb_put_varint(p, (size_t)(end - p)), field->number, CONNECT_WIRE_BYTES);
    return p >= e->start ? p : NULL;
}

static CN_APART char *cn_pb_put_map(
    cn_pb_encoder_t *e, char *p, const connect_type_t *type, const connect_field_t *field, cn_message_list_t list) {
    const connect_type_t *entry = type->types[field->type];
    const char **entries = NULL;
    size_t i;
    if (list.count <= SIZE_MAX / sizeof *entries)
        entries = (const char **)(e->scratch ? cn_arena_raw(e->scratch, list.count * sizeof *entries)
                                             : cn_mem_acquire(e->allocator, list.count * sizeof *entries));
    if (!entries) return cn_pb_refuse(e, CONNECT_RESOURCE_EXHAUSTED, "out of memory");
    cn_map_key_sort(entry, entries, list);
    for (i = list.count; p && i-- > 0;) {
        if (i + 1 < list.count && cn_map_key_compare(entry, entries[i], entries[i + 1]) == 0)
            continue; /* overwritten */
        p = cn_pb_put_sub(e, p, type, field, entries[i]);
        if (!p && e->failure.reason)
            cn_pb_failure_at(&e->failure, type, field, (size_t)(entries[i] - (const char *)list.items) / entry->size);
    }
    if (!e->scratch) cn_mem_release(e->allocator, (void *)entries);
    return p;
}

static char *cn_pb_put_list(
    cn_pb_encoder_t *e, char *p, const connect_type_t *type, const connect_field_t *field, cn_message_list_t list) {
    const char *items = (const char *)list.items;
    size_t i = list.count, size, fixed;
    switch (field->kind) {
    case CONNECT_KIND_MESSAGE:
    case CONNECT_KIND_GROUP:
        if ((field->flags & CONNECT_FIELD_MAP) && e->deterministic) return cn_pb_put_map(e, p, type, field, list);
        size = type->types[field->type]->size;
        while (i-- > 0) {
            p = cn_pb_put_sub(e, p, type, field, items + i * size);
            if (CN_UNLIKELY(!p)) goto failed;
        }
        return p;
    case CONNECT_KIND_STRING:
    case CONNECT_KIND_BYTES:
        while (i-- > 0) {
            connect_str_t text;
            memcpy(&text, items + i * sizeof text, sizeof text);
            p = cn_pb_put_text(e, p, field, text);
            if (CN_UNLIKELY(!p)) goto failed;
        }
        return p;
    default: break;
    }
    if (field->flags & CONNECT_FIELD_PACKED) return cn_pb_put_packed(e, p, type, field, list);
    size = cn_message_value_size(type, field);
    fixed = cn_pb_fixed_size(field->kind);
    while (i-- > 0) {
        if (fixed) {
            uint64_t wide = 0;
            uint32_t low = 0;
            if (fixed == 8)
                memcpy(&wide, items + i * size, 8);
            else
                memcpy(&low, items + i * size, 4);
            p = fixed == 8 ? cn_pb_put_fixed64(p, wide) : cn_pb_put_fixed32(p, low);
            p = cn_pb_put_tag(p, field->number, fixed == 8 ? CONNECT_WIRE_FIXED64 : CONNECT_WIRE_FIXED32);
        } else {
            p = cn_pb_put_varint(p, cn_pb_varint_of(field->kind, items + i * size));
            p = cn_pb_put_tag(p, field->number, CONNECT_WIRE_VARINT);
        }
        if (p < e->start) return NULL;
    }
    return p;
failed:
    if (e->failure.reason) cn_pb_failure_at(&e->failure, type, field, i);
    return NULL;
}

/* Writes all of a message in front of p. Returns its first byte, or NULL. */
static char *cn_pb_put_records(cn_pb_encoder_t *e, char *p, const connect_type_t *type, const char *message) {
    const connect_field_t *const fields = type->fields, *field = fields + type->field_count;
    const bool in_entry = type->is_map_entry;
    const char *const start = e->start;
    if (type->keeps_unknown) {
        connect_str_list_t unknown;
        memcpy(&unknown, message + type->unknown, sizeof unknown);
        while (CN_UNLIKELY(unknown.count)) {
            unknown.count--;
            p = cn_pb_put_bytes(e, p, unknown.items[unknown.count].data, unknown.items[unknown.count].len);
            if (!p) return NULL;
        }
    }
    while (field != fields) {
        unsigned flags;
        bool present; /* although it is zero, or empty */
        const char *at;
        uint32_t low, number;
        uint64_t wide;
        bool truth;
        field--;
        flags = field->flags;
        number = field->number;
        at = message + field->offset;
        if (flags & CONNECT_FIELD_HAS) {
            memcpy(&truth, message + field->presence, sizeof truth);
            if (!truth) goto absent;
            present = true;
        } else if (CN_UNLIKELY(flags & (CONNECT_FIELD_REPEATED | CONNECT_FIELD_ONEOF))) {
            if (flags & CONNECT_FIELD_REPEATED) {
                cn_message_list_t list;
                memcpy(&list, at, sizeof list);
                if (!list.count) continue;
                p = cn_pb_put_list(e, p, type, field, list);
                if (CN_UNLIKELY(!p)) return NULL;
                continue;
            }
            memcpy(&low, message + field->presence, sizeof low);
            if (low != number) continue;
            present = true;
        } else {
            present = in_entry; /* both are written, always */
        }
        switch (field->kind) {
        case CONNECT_KIND_DOUBLE:
        case CONNECT_KIND_FIXED64:
        case CONNECT_KIND_SFIXED64:
            memcpy(&wide, at, 8);
            if (!wide && !present) continue;
            p = cn_pb_put_tag(cn_pb_put_fixed64(p, wide), number, CONNECT_WIRE_FIXED64);
            break;
        case CONNECT_KIND_FLOAT:
        case CONNECT_KIND_FIXED32:
        case CONNECT_KIND_SFIXED32:
            memcpy(&low, at, 4);
            if (!low && !present) continue;
            p = cn_pb_put_tag(cn_pb_put_fixed32(p, low), number, CONNECT_WIRE_FIXED32);
            break;
        case CONNECT_KIND_STRING:
        case CONNECT_KIND_BYTES: {
            connect_str_t text;
            memcpy(&text, at, sizeof text);
            if (!present && (flags & CONNECT_FIELD_NULLABLE ? !text.data : !text.len)) goto absent;
            p = cn_pb_put_text(e, p, field, text);
            if (CN_UNLIKELY(!p)) goto failed;
            continue;
        }
        case CONNECT_KIND_MESSAGE:
        case CONNECT_KIND_GROUP: {
            const char *sub;
            memcpy(&sub, at, sizeof sub);
            if (!sub && !present) goto absent;
            p = cn_pb_put_sub(e, p, type, field, sub);
            if (CN_UNLIKELY(!p)) goto failed;
            continue;
        }
        case CONNECT_KIND_INT64:
        case CONNECT_KIND_UINT64: memcpy(&wide, at, 8); goto varint;
        case CONNECT_KIND_SINT64:
            memcpy(&wide, at, 8);
            wide = cn_pb_zigzag64(wide);
            goto varint;
        case CONNECT_KIND_UINT32:
            memcpy(&low, at, 4);
            wide = low;
            goto varint;
        case CONNECT_KIND_SINT32:
            memcpy(&low, at, 4);
            wide = cn_pb_zigzag32(low);
            goto varint;
        case CONNECT_KIND_BOOL:
            memcpy(&truth, at, sizeof truth);
            if (!truth && !present) continue;
            *--p = (char)truth;
            p = cn_pb_put_tag(p, number, CONNECT_WIRE_VARINT);
            break;
        default: /* INT32, ENUM */
            memcpy(&low, at, 4);
            wide = cn_pb_sign_extend(low);
        varint:
            if (!wide && !present) continue;
            p = cn_pb_put_tag(cn_pb_put_varint(p, wide), number, CONNECT_WIRE_VARINT);
            break;
        }
        if (CN_UNLIKELY(p < start)) goto failed;
        continue;
    absent:
        if (CN_LIKELY(!(flags & CONNECT_FIELD_REQUIRED)) || e->partial) continue;
        cn_pb_refuse(e, CONNECT_INVALID_ARGUMENT, "required field is missing");
        goto failed;
    }
    return p;
failed:
    if (e->failure.reason) cn_pb_failure_at(&e->failure, type, field, 0);
    return NULL;
}

static void cn_pb_encoder_init(cn_pb_encoder_t *e, const connect_codec_options_t *options, connect_arena_t *scratch,
    const connect_allocator_t *allocator) {
    e->scratch = scratch;
    e->allocator = allocator;
    e->depth_left = options && options->depth_max ? options->depth_max : CN_MESSAGE_DEPTH;
    e->partial = options && options->partial;
    e->deterministic = options && options->deterministic;
    e->stays = true;
    cn_pb_failure_init(&e->failure);
}

/* Writes to where the window [start, end) ends; the first bytes of it are its margin. Returns the first byte, or
   NULL. */
static char *cn_pb_put(cn_pb_encoder_t *e, const connect_type_t *type, const void *message, char *start, char *end) {
    if ((size_t)(end - start) < CN_PB_MARGIN) return NULL;
    e->start = start + CN_PB_MARGIN;
    return cn_pb_put_records(e, end, type, (const char *)message);
}

CN_PRIVATE bool cn_pb_encode(const connect_type_t *type, const void *message, cn_buf_t *out,
    const connect_allocator_t *allocator, const connect_codec_options_t *options, connect_arena_t *arena,
    connect_error_t *error) {
    cn_pb_encoder_t e;
    size_t len;
    char *to, *end, *p;
    cn_pb_encoder_init(&e, options, NULL, allocator);
    to = cn_buf_reserve(out, allocator, CN_PB_MARGIN);
    if (!to) return cn_error_memory(error);
    end = to + CN_MIN(out->capacity - out->end, (size_t)CN_PB_WINDOW);
    e.stays = false;
    p = cn_pb_put(&e, type, message, to, end);
    if (!p && !e.failure.reason) {
        const size_t size = cn_pb_size(type, (const char *)message, e.depth_left);
        to = size < SIZE_MAX / 4 ? cn_buf_reserve(out, allocator, size + CN_PB_MARGIN) : NULL;
        if (!to) return cn_error_memory(error);
        end = to + size + CN_PB_MARGIN;
        e.stays = true;
        p = cn_pb_put(&e, type, message, to, end);
        if (!p && !e.failure.reason) cn_pb_refuse(&e, CONNECT_RESOURCE_EXHAUSTED, "too large");
    }
    if (!p) return cn_pb_failure_report(&e.failure, type, arena, error);
    len = (size_t)(end - p);
    memmove(to, p, len);
    cn_buf_commit(out, len);
    return true;
}

connect_str_t connect_message_encode(const connect_type_t *type, const void *message, connect_arena_t *arena,
    const connect_codec_options_t *options, connect_error_t *error) {
    connect_str_t written = {NULL, 0};
    cn_pb_encoder_t e;
    char *p = NULL, *to;
    cn_pb_encoder_init(&e, options, arena, NULL);
    if (arena->private_next && !e.deterministic) { /* sorting takes of the same room */
        p = cn_pb_put(&e, type, message, arena->private_next, arena->private_end);
        if (CN_LIKELY(p != NULL)) {
            written.data = p;
            written.len = (size_t)(arena->private_end - p);
            arena->private_end = p;
            return written;
        }
    }
    if (!e.failure.reason) {
        const size_t size = cn_pb_size(type, (const char *)message, e.depth_left), whole = size + CN_PB_MARGIN;
        to = size < SIZE_MAX / 4 ? (char *)cn_arena_raw(arena, whole) : NULL;
        if (!to) {
            cn_error_memory(error);
            return written;
        }
        p = cn_pb_put(&e, type, message, to, to + whole);
        if (p) {
            written.data = p;
            written.len = (size_t)(to + whole - p);
            return written;
        }
        cn_arena_shrink(arena, to, whole, 0);
        if (!e.failure.reason) cn_pb_refuse(&e, CONNECT_RESOURCE_EXHAUSTED, "too large");
    }
    cn_pb_failure_report(&e.failure, type, arena, error);
    return written;
}

/* ---- The wire by hand ---- */

/* Makes room for so many bytes and returns where they go; NULL: the arena is full. */
static char *cn_pb_writer_room(connect_writer_t *writer, size_t len) {
    char *block;
    memcpy(&block, &writer->written.data, sizeof block); /* the arena's: not const */
    if (!block || writer->private_room - writer->written.len < len) {
        const size_t used = writer->written.len, least = CN_MAX(writer->private_room * 2, (size_t)64);
        if (len > SIZE_MAX / 4 - used) return NULL;
        block = (char *)cn_arena_grow(writer->arena, block, writer->private_room, CN_MAX(least, used + len));
        if (!block) return NULL;
        writer->private_room = CN_MAX(least, used + len);
        writer->written.data = block;
    }
    return block + writer->written.len;
}

void connect_writer_put(connect_writer_t *writer, uint32_t number, connect_kind_t kind, const void *value) {
    connect_str_t bytes = {NULL, 0};
    char room[2 * CN_PB_MARGIN], *const tail_end = room + sizeof room, *const head_end = tail_end - CN_PB_MARGIN / 2;
    char *p = head_end, *to, *tail = tail_end;
    uint64_t wide;
    uint32_t low;
    unsigned wire = CONNECT_WIRE_VARINT;
    size_t head_len, tail_len;
    if (writer->failed) return;
    writer->failed = true;
    if (number == 0 || number > CN_PB_NUMBER_MAX) return;
    switch (kind) {
    case CONNECT_KIND_DOUBLE:
    case CONNECT_KIND_FIXED64:
    case CONNECT_KIND_SFIXED64:
        memcpy(&wide, value, 8);
        wire = CONNECT_WIRE_FIXED64;
        p = cn_pb_put_fixed64(p, wide);
        break;
    case CONNECT_KIND_FLOAT:
    case CONNECT_KIND_FIXED32:
    case CONNECT_KIND_SFIXED32:
        memcpy(&low, value, 4);
        wire = CONNECT_WIRE_FIXED32;
        p = cn_pb_put_fixed32(p, low);
        break;
    case CONNECT_KIND_STRING:
    case CONNECT_KIND_BYTES:
    case CONNECT_KIND_MESSAGE:
        memcpy(&bytes, value, sizeof bytes);
        wire = CONNECT_WIRE_BYTES;
        p = cn_pb_put_varint(p, bytes.len);
        break;
    case CONNECT_KIND_GROUP:
        memcpy(&bytes, value, sizeof bytes);
        wire = CONNECT_WIRE_GROUP;
        tail = cn_pb_put_tag(tail_end, number, CN_PB_WIRE_END);
        break;
    case CONNECT_KIND_INT64:
    case CONNECT_KIND_UINT64:
    case CONNECT_KIND_INT32:
    case CONNECT_KIND_BOOL:
    case CONNECT_KIND_UINT32:
    case CONNECT_KIND_ENUM:
    case CONNECT_KIND_SINT32:
    case CONNECT_KIND_SINT64: p = cn_pb_put_varint(p, cn_pb_varint_of((uint8_t)kind, (const char *)value)); break;
    default: return;
    }
    p = cn_pb_put_tag(p, number, wire);
    if (bytes.len > SIZE_MAX / 4) return;
    head_len = (size_t)(head_end - p);
    tail_len = (size_t)(tail_end - tail);
    to = cn_pb_writer_room(writer, head_len + bytes.len + tail_len);
    if (!to) return;
    memcpy(to, p, head_len);
    if (bytes.len) memcpy(to + head_len, bytes.data, bytes.len);
    memcpy(to + head_len + bytes.len, tail, tail_len);
    writer->written.len += head_len + bytes.len + tail_len;
    writer->failed = false;
}

/* #### src/codec/extension.h ####################################################################################### */
/* The field of an extension's holder. */
CN_PRIVATE const connect_field_t *cn_extension_field(const connect_extension_t *extension);
/* Whether a message has a value of an extension, good or bad. */
CN_PRIVATE bool cn_extension_has(const connect_extension_t *extension, const void *message);

/* #### src/codec/extension.c ####################################################################################### */
/* Extensions: fields that another file adds to a message. Their records stay among the unknown fields, in the order in
   which they came, so that a program which does not know an extension passes it on; they are read out when asked for.

   A holder is a struct with the extension as its one field. Reading joins all records of its number and decodes them
   as a message of the holder's type; so the last wins, sub-messages merge and lists append, as for any field. Writing
   takes these records out, by making views of what stands between them, and puts the holder's own at the end.

   A MessageSet (message_set_wire_format) has only extensions, each an item of its own: a group 1 that holds the
   extension's number as field 2, a varint, and the message as field 3, in any order. The records of its unknown fields
   may also have the extension's own number: that is what parsers which do not know about message sets write. */

#define CN_EXTENSION_ITEM 1u
#define CN_EXTENSION_ITEM_TYPE 2u
#define CN_EXTENSION_ITEM_MESSAGE 3u

CN_PRIVATE const connect_field_t *cn_extension_field(const connect_extension_t *extension) {
    return &extension->holder->fields[0];
}

typedef struct cn_extension_scan_t { /* through the records of all unknown fields */
    connect_str_list_t unknown;
    size_t next; /* span */
    connect_reader_t reader;
    connect_str_t bytes; /* of the last record, with its tag */
} cn_extension_scan_t;

static void cn_extension_scan(cn_extension_scan_t *scan, const connect_extension_t *extension, const void *message) {
    memset(scan, 0, sizeof *scan);
    if (extension->extendee->keeps_unknown)
        memcpy(&scan->unknown, (const char *)message + extension->extendee->unknown, sizeof scan->unknown);
}

static bool cn_extension_next(cn_extension_scan_t *scan, connect_record_t *record) {
    for (;;) {
        scan->bytes = scan->reader.rest;
        if (connect_reader_next(&scan->reader, record)) {
            scan->bytes.len -= scan->reader.rest.len;
            return true;
        }
        if (scan->next == scan->unknown.count) return false;
        scan->reader.rest = scan->unknown.items[scan->next++];
        scan->reader.failed = false;
    }
}

/* Whether a record is of the extension; *item: it is the item of a MessageSet, and holds this message. */
static bool cn_extension_is(const connect_extension_t *extension, const connect_record_t *record, connect_str_t *item) {
    const uint32_t number = cn_extension_field(extension)->number;
    connect_reader_t reader = {{NULL, 0}, false};
    connect_record_t inner;
    bool typed = false;
    item->data = NULL;
    item->len = 0;
    if (!extension->extendee->is_message_set) return record->number == number;
    if (record->number == number && record->wire == CONNECT_WIRE_BYTES) {
        *item = record->bytes;
        return true;
    }
    if (record->number != CN_EXTENSION_ITEM || record->wire != CONNECT_WIRE_GROUP) return false;
    reader.rest = record->bytes;
    while (connect_reader_next(&reader, &inner)) {
        if (inner.number == CN_EXTENSION_ITEM_TYPE && inner.wire == CONNECT_WIRE_VARINT && !typed) {
            if ((uint32_t)inner.value != number) return false;
            typed = true;
        } else if (inner.number == CN_EXTENSION_ITEM_MESSAGE && inner.wire == CONNECT_WIRE_BYTES) {
            *item = inner.bytes;
        }
    }
    return typed && item->data;
}

CN_PRIVATE bool cn_extension_has(const connect_extension_t *extension, const void *message) {
    cn_extension_scan_t scan;
    connect_record_t record;
    connect_str_t item;
    cn_extension_scan(&scan, extension, message);
    while (cn_extension_next(&scan, &record))
        if (cn_extension_is(extension, &record, &item)) return true;
    return false;
}

/* Puts parts together: the first as it stands, more in the arena. */
static bool cn_extension_join(connect_str_t *all, connect_str_t part, connect_arena_t *arena) {
    char *joined;
    if (!all->data) {
        *all = part;
        return true;
    }
    if (part.len > SIZE_MAX / 4 - all->len) return false;
    joined = (char *)cn_arena_raw(arena, all->len + part.len);
    if (!joined) return false;
    if (all->len) memcpy(joined, all->data, all->len);
    if (part.len) memcpy(joined + all->len, part.data, part.len);
    all->data = joined;
    all->len += part.len;
    return true;
}

bool connect_extension_get(
    const connect_extension_t *extension, const void *message, void *holder, connect_arena_t *arena) {
    const connect_type_t *type = extension->holder;
    const connect_field_t *field = cn_extension_field(extension);
    connect_codec_options_t options = CONNECT_DEFAULTS;
    connect_str_t all = {NULL, 0}, item;
    cn_extension_scan_t scan;
    connect_record_t record;
    void *sub;
    connect_message_init(type, holder);
    cn_extension_scan(&scan, extension, message);
    while (cn_extension_next(&scan, &record)) {
        if (!cn_extension_is(extension, &record, &item)) continue;
        if (!cn_extension_join(&all, extension->extendee->is_message_set ? item : scan.bytes, arena)) return false;
    }
    if (!all.data) return false;
    options.partial = true;
    if (!extension->extendee->is_message_set)
        return connect_message_decode(type, holder, all, arena, &options, NULL) && cn_message_has(field, holder);
    type = type->types[field->type];
    sub = cn_arena_raw(arena, type->size);
    if (!sub || !connect_message_decode(type, sub, all, arena, &options, NULL)) return false;
    connect_message_set(extension->holder, holder, field, &sub);
    return true;
}

/* The records of a holder, as they go among the unknown fields. */
static bool cn_extension_encode(
    const connect_extension_t *extension, const void *holder, connect_str_t *bytes, connect_arena_t *arena) {
    const connect_type_t *type = extension->holder;
    const connect_field_t *field = cn_extension_field(extension);
    connect_codec_options_t options = CONNECT_DEFAULTS;
    connect_writer_t item = {arena, {NULL, 0}, false, 0}, writer = {arena, {NULL, 0}, false, 0};
    const void *sub;
    options.partial = true;
    if (!extension->extendee->is_message_set) {
        *bytes = connect_message_encode(type, holder, arena, &options, NULL);
        return bytes->data != NULL;
    }
    memcpy(&sub, (const char *)holder + field->offset, sizeof sub);
    bytes->data = "";
    bytes->len = 0;
    if (!sub) return true;
    *bytes = connect_message_encode(type->types[field->type], sub, arena, &options, NULL);
    if (!bytes->data) return false;
    connect_writer_put(&item, CN_EXTENSION_ITEM_TYPE, CONNECT_KIND_UINT32, &field->number);
    connect_writer_put(&item, CN_EXTENSION_ITEM_MESSAGE, CONNECT_KIND_BYTES, bytes);
    connect_writer_put(&writer, CN_EXTENSION_ITEM, CONNECT_KIND_GROUP, &item.written);
    *bytes = writer.written;
    return !item.failed && !writer.failed;
}

static void cn_extension_keep(connect_str_t *items, size_t *count, connect_str_t bytes) {
    if (*count && items[*count - 1].data + items[*count - 1].len == bytes.data)
        items[*count - 1].len += bytes.len;
    else
        items[(*count)++] = bytes;
}

bool connect_extension_set(
    const connect_extension_t *extension, void *message, const void *holder_or_null, connect_arena_t *arena) {
    connect_str_t added = {NULL, 0}, item, *items;
    connect_str_list_t list;
    cn_extension_scan_t scan;
    connect_record_t record;
    size_t room = 1, count = 0;
    if (!extension->extendee->keeps_unknown) return false;
    if (holder_or_null && !cn_extension_encode(extension, holder_or_null, &added, arena)) return false;
    cn_extension_scan(&scan, extension, message);
    while (cn_extension_next(&scan, &record))
        room++;
    if (room > SIZE_MAX / sizeof *items) return false;
    items = (connect_str_t *)cn_arena_raw(arena, room * sizeof *items);
    if (!items) return false;
    cn_extension_scan(&scan, extension, message);
    while (cn_extension_next(&scan, &record))
        if (!cn_extension_is(extension, &record, &item)) cn_extension_keep(items, &count, scan.bytes);
    if (added.len) items[count++] = added;
    list.items = items;
    list.count = count;
    memcpy((char *)message + extension->extendee->unknown, &list, sizeof list);
    return true;
}

/* #### src/codec/schema.h ########################################################################################## */
/* What a descriptor set says, while types are made of it: schema_read.c fills it in, schema_link.c makes the tables. */

#define CN_SCHEMA_DEPTH 100u /* messages within messages */
#define CN_SCHEMA_NAME 1000u /* bytes of a full name */
#define CN_SCHEMA_NUMBER_MAX 0x1FFFFFFF

enum { /* the numbers of FeatureSet's fields, and the values that are asked for */
    CN_SCHEMA_PRESENCE = 1,
    CN_SCHEMA_ENUM_TYPE = 2,
    CN_SCHEMA_REPEATED = 3,
    CN_SCHEMA_UTF8 = 4,
    CN_SCHEMA_ENCODING = 5,
    CN_SCHEMA_FEATURES = 6,
    CN_SCHEMA_EXPLICIT = 1,
    CN_SCHEMA_IMPLICIT = 2,
    CN_SCHEMA_LEGACY_REQUIRED = 3,
    CN_SCHEMA_OPEN = 1,
    CN_SCHEMA_CLOSED = 2,
    CN_SCHEMA_PACKED = 1,
    CN_SCHEMA_EXPANDED = 2,
    CN_SCHEMA_VERIFY = 2,
    CN_SCHEMA_NONE = 3,
    CN_SCHEMA_LENGTH_PREFIXED = 1,
    CN_SCHEMA_DELIMITED = 2,
    CN_SCHEMA_LABEL_REQUIRED = 2,
    CN_SCHEMA_LABEL_REPEATED = 3
};
typedef struct cn_schema_features_t {
    uint8_t of[CN_SCHEMA_FEATURES];
} cn_schema_features_t;

typedef struct cn_schema_file_t cn_schema_file_t;
typedef struct cn_schema_message_t cn_schema_message_t;

typedef struct cn_schema_field_t {
    struct cn_schema_field_t *next;
    const char *name, *json_name;
    connect_str_t type_name, extendee, default_text; /* as written; absent: none */
    cn_schema_features_t features;
    int32_t number, label, kind, oneof; /* oneof: its index, or -1 */
    cn_schema_message_t *message;       /* whose type it has */
    const struct cn_schema_enum_t *enumeration;
    uint8_t flags;
    uint16_t offset, presence;
} cn_schema_field_t;
typedef struct cn_schema_oneof_t {
    cn_schema_features_t features;
    uint32_t size; /* of the union; 0: it has no field */
    uint16_t offset, presence;
} cn_schema_oneof_t;
typedef struct cn_schema_user_t { /* a message that has a field of another */
    struct cn_schema_user_t *next;
    cn_schema_message_t *message;
} cn_schema_user_t;
struct cn_schema_message_t { /* also an extension's holder, whose scope is where the extension stands */
    connect_type_t type;
    connect_extension_t extension;
    cn_schema_message_t *next, *next_required, *parent;
    cn_schema_file_t *file;
    const char *scope;
    cn_schema_field_t *fields, **fields_end;
    size_t field_count, oneof_count;
    cn_schema_oneof_t *oneofs;
    cn_schema_user_t *users;
};
typedef struct cn_schema_value_t {
    const char *name;
    int32_t number;
    uint32_t index; /* in the order in which they are declared */
} cn_schema_value_t;
typedef struct cn_schema_enum_t {
    connect_enum_t type;
    struct cn_schema_enum_t *next;
    const cn_schema_value_t *by_name;
    int32_t first; /* the number of the value that is declared first */
} cn_schema_enum_t;
typedef struct cn_schema_method_t {
    connect_method_t method;
    struct cn_schema_method_t *next;
    const char *name;
    connect_str_t input, output;
} cn_schema_method_t;
typedef struct cn_schema_service_t {
    connect_service_t service;
    struct cn_schema_service_t *next;
    cn_schema_method_t *methods;
} cn_schema_service_t;
struct cn_schema_file_t {
    connect_file_t file;
    cn_schema_file_t *next, *below; /* below: in the search for cycles, whose import it is */
    const char *package;
    cn_schema_features_t features;
    bool is_editions;
    cn_schema_message_t *messages, *holders;
    cn_schema_enum_t *enums;
    cn_schema_service_t *services;
    cn_schema_file_t **imports;
    size_t message_count, holder_count, enum_count, service_count, looked_at;
    enum { CN_SCHEMA_NEW, CN_SCHEMA_ON_PATH, CN_SCHEMA_DONE } state;
};
typedef struct cn_schema_symbol_t {
    const char *name;
    cn_schema_message_t *message;
    cn_schema_enum_t *enumeration;
    cn_schema_file_t *file; /* of the table of files only */
    struct cn_schema_symbol_t *next;
} cn_schema_symbol_t;
typedef struct cn_schema_table_t { /* a list, then an array that is sorted */
    cn_schema_symbol_t *list, *sorted;
    size_t count;
} cn_schema_table_t;
typedef struct cn_schema_loader_t {
    connect_arena_t *arena;
    connect_error_t *error;
    cn_schema_file_t *files, *file; /* all, in the order of the set; the one at hand */
    cn_schema_table_t by_file, by_name;
} cn_schema_loader_t;

/* Fill in the error, INVALID_ARGUMENT: file, place (NULL: none), reason, and what it is about. Return false. */
CN_PRIVATE bool cn_schema_bad(cn_schema_loader_t *loader, const char *where, const char *reason);
CN_PRIVATE bool cn_schema_bad_about(
    cn_schema_loader_t *loader, const char *where, const char *reason, connect_str_t what);
/* Zeroed memory; NULL: the error says so. */
CN_PRIVATE void *cn_schema_take(cn_schema_loader_t *loader, size_t count, size_t size);
/* A copy with a zero after it; NULL: the error says so. */
CN_PRIVATE const char *cn_schema_text(cn_schema_loader_t *loader, connect_str_t text);
CN_PRIVATE bool cn_schema_is_identifier(connect_str_t name);
CN_PRIVATE bool cn_schema_is_file_name(connect_str_t name);
/* How many records of a number a message has. */
CN_PRIVATE size_t cn_schema_count(connect_str_t bytes, uint32_t number);
CN_PRIVATE int cn_schema_compare_value_names(const void *a, const void *b);
/* Sorts a table, so that it can be searched. Returns false if a name stands twice. */
CN_PRIVATE bool cn_schema_sort(cn_schema_loader_t *loader, cn_schema_table_t *table);
CN_PRIVATE const cn_schema_symbol_t *cn_schema_find(const cn_schema_table_t *table, const char *name);
/* What a type name means in a scope: ".a.B" is a full name, "B" is looked for from the innermost scope outwards. */
CN_PRIVATE const cn_schema_symbol_t *cn_schema_resolve(
    const cn_schema_loader_t *loader, const char *scope, connect_str_t name);
/* Reads a FileDescriptorProto; it is loader->file then. */
CN_PRIVATE bool cn_schema_read_file(cn_schema_loader_t *loader, connect_str_t bytes);
/* Make the tables of a message or an extension; all symbols are sorted. */
CN_PRIVATE bool cn_schema_link_message(cn_schema_loader_t *loader, cn_schema_message_t *message);
CN_PRIVATE bool cn_schema_link_extension(cn_schema_loader_t *loader, cn_schema_message_t *holder);

/* #### src/codec/schema_read.c ##################################################################################### */
/* Reading a descriptor set (descriptor.proto): the steps 1 and 2 of schema.c. A record of an unfitting wire type is
   passed over, as any unknown field; of one that stands twice the last counts. */

/* ---- Errors and memory ---- */

CN_PRIVATE bool cn_schema_bad(cn_schema_loader_t *loader, const char *where, const char *reason) {
    const char *file = loader->file && loader->file->file.name ? loader->file->file.name : "descriptor set";
    return cn_error_print(loader->error, loader->arena, CONNECT_INVALID_ARGUMENT, "%s: %s%s%s", file,
        where ? where : "", where ? ": " : "", reason);
}

CN_PRIVATE bool cn_schema_bad_about(
    cn_schema_loader_t *loader, const char *where, const char *reason, connect_str_t what) {
    connect_arena_t *arena = loader->arena;
    connect_str_t text = cn_str_quote(arena, what);
    text = connect_arena_printf(arena, "%s \"%s\"", reason, text.data);
    return cn_schema_bad(loader, where, text.data ? text.data : reason);
}

/* Zeroed memory; NULL: the error says so. */
CN_PRIVATE void *cn_schema_take(cn_schema_loader_t *loader, size_t count, size_t size) {
    void *block = connect_arena_take(loader->arena, count, size);
    if (!block) cn_error_memory(loader->error);
    return block;
}

/* ---- Names ---- */

CN_PRIVATE bool cn_schema_is_identifier(connect_str_t name) {
    size_t i;
    for (i = 0; i < name.len; i++) {
        const char c = name.data[i];
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9')) return false;
    }
    return name.len != 0;
}

CN_PRIVATE const char *cn_schema_text(cn_schema_loader_t *loader, connect_str_t text) {
    connect_str_t copy = connect_arena_copy(loader->arena, text);
    if (!copy.data) cn_error_memory(loader->error);
    return copy.data;
}

/* "scope.name", or the name alone if the scope is empty. */
static const char *cn_schema_join(cn_schema_loader_t *loader, const char *scope, connect_str_t name) {
    const size_t scope_len = strlen(scope);
    char *joined;
    if (!cn_schema_is_identifier(name)) {
        cn_schema_bad_about(loader, *scope ? scope : NULL, "not a name:", name);
        return NULL;
    }
    if (scope_len + name.len >= CN_SCHEMA_NAME) {
        cn_schema_bad_about(loader, NULL, "a full name of more than 1000 bytes ends with", name);
        return NULL;
    }
    joined = (char *)cn_schema_take(loader, scope_len + name.len + 2, 1);
    if (!joined) return NULL;
    memcpy(joined, scope, scope_len);
    if (scope_len) joined[scope_len] = '.';
    memcpy(joined + scope_len + (scope_len != 0), name.data, name.len);
    return joined;
}

static cn_schema_symbol_t *cn_schema_declare(cn_schema_loader_t *loader, cn_schema_table_t *table, const char *name) {
    cn_schema_symbol_t *symbol = (cn_schema_symbol_t *)cn_schema_take(loader, 1, sizeof *symbol);
    if (!symbol) return NULL;
    symbol->name = name;
    symbol->next = table->list;
    table->list = symbol;
    table->count++;
    return symbol;
}

static int cn_schema_compare(const void *a, const void *b) {
    return strcmp(((const cn_schema_symbol_t *)a)->name, ((const cn_schema_symbol_t *)b)->name);
}

CN_PRIVATE bool cn_schema_sort(cn_schema_loader_t *loader, cn_schema_table_t *table) {
    const cn_schema_symbol_t *symbol;
    size_t i = 0;
    table->sorted = (cn_schema_symbol_t *)cn_schema_take(loader, table->count + 1, sizeof *table->sorted);
    if (!table->sorted) return false;
    for (symbol = table->list; symbol; symbol = symbol->next)
        table->sorted[i++] = *symbol;
    qsort(table->sorted, table->count, sizeof *table->sorted, cn_schema_compare);
    loader->file = NULL;
    for (i = 1; i < table->count; i++)
        if (strcmp(table->sorted[i - 1].name, table->sorted[i].name) == 0)
            return cn_schema_bad(loader, table->sorted[i].name, "stands twice");
    return true;
}

CN_PRIVATE const cn_schema_symbol_t *cn_schema_find(const cn_schema_table_t *table, const char *name) {
    cn_schema_symbol_t key;
    memset(&key, 0, sizeof key);
    key.name = name;
    return (const cn_schema_symbol_t *)bsearch(&key, table->sorted, table->count, sizeof key, cn_schema_compare);
}

/* What a type name means in a scope: ".a.B" is a full name, "B" is looked for from the innermost scope outwards. */
CN_PRIVATE const cn_schema_symbol_t *cn_schema_resolve(
    const cn_schema_loader_t *loader, const char *scope, connect_str_t name) {
    char full[2 * CN_SCHEMA_NAME + 2];
    size_t len = strlen(scope);
    if (!name.len || name.len > CN_SCHEMA_NAME || memchr(name.data, 0, name.len)) return NULL;
    if (name.data[0] == '.') {
        memcpy(full, name.data + 1, name.len - 1);
        full[name.len - 1] = 0;
        return cn_schema_find(&loader->by_name, full);
    }
    memcpy(full, scope, len);
    for (;;) {
        const cn_schema_symbol_t *symbol;
        if (len) full[len++] = '.';
        memcpy(full + len, name.data, name.len);
        full[len + name.len] = 0;
        symbol = cn_schema_find(&loader->by_name, full);
        if (symbol || !len) return symbol;
        for (len--; len && full[len - 1] != '.'; len--) {}
        if (len) len--;
    }
}

/* ---- Reading: records ---- */

static void cn_schema_get_text(const connect_record_t *record, connect_str_t *text) {
    if (record->wire == CONNECT_WIRE_BYTES) *text = record->bytes;
}

static void cn_schema_get_int(const connect_record_t *record, int32_t *number) {
    if (record->wire == CONNECT_WIRE_VARINT) *number = (int32_t)(uint32_t)record->value;
}

/* The number that an options message has for a field, or another if it has none. */
static int32_t cn_schema_option(connect_str_t options, uint32_t number, int32_t otherwise) {
    connect_reader_t reader = {{NULL, 0}, false};
    connect_record_t record;
    reader.rest = options;
    while (connect_reader_next(&reader, &record))
        if (record.number == number) cn_schema_get_int(&record, &otherwise);
    return otherwise;
}

/* Features are those of `outer`, but for what field `number` of the options says. */
static void cn_schema_inherit(
    cn_schema_features_t *features, const cn_schema_features_t *outer, connect_str_t options, uint32_t number) {
    connect_reader_t reader = {{NULL, 0}, false};
    connect_record_t record;
    int32_t feature;
    *features = *outer;
    reader.rest = options;
    while (connect_reader_next(&reader, &record)) {
        if (record.number != number || record.wire != CONNECT_WIRE_BYTES) continue;
        for (feature = 1; feature < CN_SCHEMA_FEATURES; feature++) {
            int32_t value = cn_schema_option(record.bytes, (uint32_t)feature, 0);
            if (value >= 1 && value <= 3) features->of[feature] = (uint8_t)value;
        }
    }
}

CN_PRIVATE size_t cn_schema_count(connect_str_t bytes, uint32_t number) {
    connect_reader_t reader = {{NULL, 0}, false};
    connect_record_t record;
    size_t count = 0;
    reader.rest = bytes;
    while (connect_reader_next(&reader, &record))
        count += record.number == number && record.wire == CONNECT_WIRE_BYTES;
    return count;
}

/* ---- Reading: declarations ---- */

static const char *cn_schema_default_json_name(cn_schema_loader_t *loader, connect_str_t name) {
    char *json = (char *)cn_schema_take(loader, name.len + 1, 1);
    size_t i, len = 0;
    bool upper = false;
    if (!json) return NULL;
    for (i = 0; i < name.len; i++) {
        char c = name.data[i];
        if (c != '_') json[len++] = upper && c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
        upper = c == '_';
    }
    return json;
}

/* FieldDescriptorProto, into a message or a holder. */
static bool cn_schema_read_field(
    cn_schema_loader_t *loader, cn_schema_message_t *message, connect_str_t bytes, const cn_schema_features_t *outer) {
    const char *where = message->type.full_name ? message->type.full_name : message->scope;
    cn_schema_field_t *field = (cn_schema_field_t *)cn_schema_take(loader, 1, sizeof *field);
    connect_reader_t reader = {{NULL, 0}, false};
    connect_str_t name = {NULL, 0}, json_name = {NULL, 0}, options = {NULL, 0};
    connect_record_t record;
    int32_t proto3_optional = 0, packed;
    if (!field) return false;
    field->oneof = -1;
    reader.rest = bytes;
    while (connect_reader_next(&reader, &record)) {
        switch (record.number) {
        case 1: cn_schema_get_text(&record, &name); break;
        case 2: cn_schema_get_text(&record, &field->extendee); break;
        case 3: cn_schema_get_int(&record, &field->number); break;
        case 4: cn_schema_get_int(&record, &field->label); break;
        case 5: cn_schema_get_int(&record, &field->kind); break;
        case 6: cn_schema_get_text(&record, &field->type_name); break;
        case 7: cn_schema_get_text(&record, &field->default_text); break;
        case 8: cn_schema_get_text(&record, &options); break;
        case 9: cn_schema_get_int(&record, &field->oneof); break;
        case 10: cn_schema_get_text(&record, &json_name); break;
        case 17: cn_schema_get_int(&record, &proto3_optional); break;
        default: break;
        }
    }
    if (reader.failed) return cn_schema_bad(loader, where, "a malformed field");
    if (!cn_schema_is_identifier(name)) return cn_schema_bad_about(loader, where, "not a name:", name);
    if (json_name.len && (memchr(json_name.data, 0, json_name.len) || !cn_utf8_valid(json_name)))
        return cn_schema_bad_about(loader, where, "not a JSON name:", json_name);
    field->name = cn_schema_text(loader, name);
    field->json_name = json_name.len ? cn_schema_text(loader, json_name) : cn_schema_default_json_name(loader, name);
    if (!field->name || !field->json_name) return false;
    if (proto3_optional) field->oneof = -1; /* the oneof around it is synthetic */
    if (field->oneof >= 0 && (uint32_t)field->oneof >= message->oneof_count)
        return cn_schema_bad_about(loader, where, "no such oneof: that of", name);
    if (field->oneof >= 0) outer = &message->oneofs[field->oneof].features;
    cn_schema_inherit(&field->features, outer, options, 21);
    if (!loader->file->is_editions) {
        uint8_t *of = field->features.of;
        packed = cn_schema_option(options, 2, -1);
        if (packed >= 0) of[CN_SCHEMA_REPEATED] = packed ? CN_SCHEMA_PACKED : CN_SCHEMA_EXPANDED;
        if (field->label == CN_SCHEMA_LABEL_REQUIRED) of[CN_SCHEMA_PRESENCE] = CN_SCHEMA_LEGACY_REQUIRED;
        if (proto3_optional) of[CN_SCHEMA_PRESENCE] = CN_SCHEMA_EXPLICIT;
    }
    if (message->type.is_map_entry) field->features.of[CN_SCHEMA_ENCODING] = CN_SCHEMA_LENGTH_PREFIXED;
    *message->fields_end = field;
    message->fields_end = &field->next;
    message->field_count++;
    return true;
}

static cn_schema_message_t *cn_schema_new_message(cn_schema_loader_t *loader, const char *scope) {
    cn_schema_message_t *message = (cn_schema_message_t *)cn_schema_take(loader, 1, sizeof *message);
    if (!message) return NULL;
    message->scope = scope;
    message->file = loader->file;
    message->fields_end = &message->fields;
    message->type.file = &loader->file->file;
    return message;
}

/* An extension's FieldDescriptorProto: a holder of its own. */
static bool cn_schema_read_extension(
    cn_schema_loader_t *loader, const char *scope, connect_str_t bytes, const cn_schema_features_t *outer) {
    cn_schema_message_t *holder = cn_schema_new_message(loader, scope);
    if (!holder || !cn_schema_read_field(loader, holder, bytes, outer)) return false;
    holder->type.full_name = cn_schema_join(loader, scope, connect_str_of(holder->fields->name));
    if (!holder->type.full_name || !cn_schema_declare(loader, &loader->by_name, holder->type.full_name)) return false;
    if (holder->fields->oneof >= 0) return cn_schema_bad(loader, holder->type.full_name, "an extension in a oneof");
    holder->next = loader->file->holders;
    loader->file->holders = holder;
    loader->file->holder_count++;
    return true;
}

CN_PRIVATE int cn_schema_compare_value_names(const void *a, const void *b) {
    return strcmp(((const cn_schema_value_t *)a)->name, ((const cn_schema_value_t *)b)->name);
}

static int cn_schema_compare_value_numbers(const void *a, const void *b) {
    const cn_schema_value_t *one = (const cn_schema_value_t *)a, *two = (const cn_schema_value_t *)b;
    if (one->number != two->number) return one->number < two->number ? -1 : 1;
    return one->index < two->index ? -1 : 1;
}

/* EnumValueDescriptorProto */
static bool cn_schema_read_value(
    cn_schema_loader_t *loader, const char *where, connect_str_t bytes, cn_schema_value_t *value) {
    connect_reader_t reader = {{NULL, 0}, false};
    connect_str_t name = {NULL, 0};
    connect_record_t record;
    reader.rest = bytes;
    while (connect_reader_next(&reader, &record)) {
        if (record.number == 1) cn_schema_get_text(&record, &name);
        if (record.number == 2) cn_schema_get_int(&record, &value->number);
    }
    if (reader.failed) return cn_schema_bad(loader, where, "a malformed value");
    if (!cn_schema_is_identifier(name)) return cn_schema_bad_about(loader, where, "not a name:", name);
    value->name = cn_schema_text(loader, name);
    return value->name != NULL;
}

/* The table of an enum's values, by number, out of those by name. */
static bool cn_schema_lay_out_enum(cn_schema_loader_t *loader, cn_schema_enum_t *enumeration) {
    const size_t count = enumeration->type.count;
    cn_schema_value_t *sorted = (cn_schema_value_t *)cn_schema_take(loader, count, sizeof *sorted);
    connect_enum_value_t *values = (connect_enum_value_t *)cn_schema_take(loader, count, sizeof *values);
    size_t i, len = 0;
    char *names;
    if (!sorted || !values) return false;
    for (i = 0; i < count; i++)
        len += strlen(enumeration->by_name[i].name) + 1;
    names = (char *)cn_schema_take(loader, len, 1);
    if (!names) return false;
    memcpy(sorted, enumeration->by_name, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, cn_schema_compare_value_numbers);
    for (i = 0, len = 0; i < count; i++) {
        const size_t name_len = strlen(sorted[i].name) + 1;
        if (len > UINT32_MAX - name_len) return cn_schema_bad(loader, enumeration->type.full_name, "names too long");
        values[i].number = sorted[i].number;
        values[i].name = (uint32_t)len;
        memcpy(names + len, sorted[i].name, name_len);
        len += name_len;
    }
    enumeration->type.values = values;
    enumeration->type.names = names;
    return true;
}

/* EnumDescriptorProto */
static bool cn_schema_read_enum(
    cn_schema_loader_t *loader, const char *scope, connect_str_t bytes, const cn_schema_features_t *outer) {
    cn_schema_enum_t *enumeration = (cn_schema_enum_t *)cn_schema_take(loader, 1, sizeof *enumeration);
    const size_t count = cn_schema_count(bytes, 2);
    connect_reader_t reader = {{NULL, 0}, false};
    connect_str_t name = {NULL, 0}, options = {NULL, 0};
    connect_record_t record;
    cn_schema_features_t features;
    cn_schema_symbol_t *symbol;
    cn_schema_value_t *values;
    size_t i = 0;
    reader.rest = bytes;
    while (connect_reader_next(&reader, &record)) {
        if (record.number == 1) cn_schema_get_text(&record, &name);
        if (record.number == 3) cn_schema_get_text(&record, &options);
    }
    if (!enumeration) return false;
    if (reader.failed) return cn_schema_bad(loader, scope, "a malformed enum");
    enumeration->type.full_name = cn_schema_join(loader, scope, name);
    if (!enumeration->type.full_name) return false;
    symbol = cn_schema_declare(loader, &loader->by_name, enumeration->type.full_name);
    if (!symbol) return false;
    symbol->enumeration = enumeration;
    if (count == 0) return cn_schema_bad(loader, symbol->name, "an enum without values");
    if (count > UINT16_MAX) return cn_schema_bad(loader, symbol->name, "an enum with more than 65535 values");
    cn_schema_inherit(&features, outer, options, 7);
    enumeration->type.closed = features.of[CN_SCHEMA_ENUM_TYPE] == CN_SCHEMA_CLOSED;
    enumeration->type.count = (uint16_t)count;
    values = (cn_schema_value_t *)cn_schema_take(loader, count, sizeof *values);
    if (!values) return false;
    reader.rest = bytes;
    while (connect_reader_next(&reader, &record)) {
        if (record.number != 2 || record.wire != CONNECT_WIRE_BYTES) continue;
        values[i].index = (uint32_t)i;
        if (!cn_schema_read_value(loader, symbol->name, record.bytes, &values[i++])) return false;
    }
    enumeration->first = values[0].number;
    if (!enumeration->type.closed && enumeration->first != 0)
        return cn_schema_bad(loader, symbol->name, "an open enum whose first value is not 0");
    qsort(values, count, sizeof *values, cn_schema_compare_value_names);
    for (i = 1; i < count; i++)
        if (strcmp(values[i - 1].name, values[i].name) == 0)
            return cn_schema_bad_about(loader, symbol->name, "two values are called", connect_str_of(values[i].name));
    enumeration->by_name = values;
    enumeration->next = loader->file->enums;
    loader->file->enums = enumeration;
    loader->file->enum_count++;
    return cn_schema_lay_out_enum(loader, enumeration);
}

/* DescriptorProto: what holds for all that is in it. */
static bool cn_schema_read_message_head(cn_schema_loader_t *loader, cn_schema_message_t *message, connect_str_t bytes,
    const cn_schema_features_t *outer, cn_schema_features_t *features) {
    connect_reader_t reader = {{NULL, 0}, false};
    connect_str_t name = {NULL, 0}, options = {NULL, 0};
    connect_record_t record;
    cn_schema_symbol_t *symbol;
    size_t i = 0;
    reader.rest = bytes;
    while (connect_reader_next(&reader, &record)) {
        if (record.number == 1) cn_schema_get_text(&record, &name);
        if (record.number == 7) cn_schema_get_text(&record, &options);
    }
    if (reader.failed) return cn_schema_bad(loader, message->scope, "a malformed message");
    message->type.full_name = message->scope = cn_schema_join(loader, message->scope, name);
    if (!message->type.full_name) return false;
    symbol = cn_schema_declare(loader, &loader->by_name, message->type.full_name);
    if (!symbol) return false;
    symbol->message = message;
    message->type.is_message_set = cn_schema_option(options, 1, 0) != 0;
    message->type.is_map_entry = cn_schema_option(options, 7, 0) != 0;
    cn_schema_inherit(features, outer, options, 12);
    message->oneof_count = cn_schema_count(bytes, 8);
    message->oneofs = (cn_schema_oneof_t *)cn_schema_take(loader, message->oneof_count + 1, sizeof *message->oneofs);
    if (!message->oneofs) return false;
    reader.rest = bytes;
    while (connect_reader_next(&reader, &record)) {
        connect_reader_t inner = {{NULL, 0}, false};
        connect_record_t of_oneof;
        if (record.number != 8 || record.wire != CONNECT_WIRE_BYTES) continue;
        message->oneofs[i].features = *features;
        inner.rest = record.bytes;
        while (connect_reader_next(&inner, &of_oneof))
            if (of_oneof.number == 2 && of_oneof.wire == CONNECT_WIRE_BYTES)
                cn_schema_inherit(&message->oneofs[i].features, features, of_oneof.bytes, 1);
        i++;
    }
    return true;
}

/* DescriptorProto, and all that is in it. */
static bool cn_schema_read_message(cn_schema_loader_t *loader, const char *scope, cn_schema_message_t *parent,
    connect_str_t bytes, const cn_schema_features_t *outer, uint32_t depth) {
    cn_schema_message_t *message = cn_schema_new_message(loader, scope);
    connect_reader_t reader = {{NULL, 0}, false};
    cn_schema_features_t features;
    connect_record_t record;
    bool ok = true;
    if (depth == 0) return cn_schema_bad(loader, scope, "messages nest deeper than 100");
    if (!message || !cn_schema_read_message_head(loader, message, bytes, outer, &features)) return false;
    message->parent = parent;
    message->next = loader->file->messages;
    loader->file->messages = message;
    loader->file->message_count++;
    reader.rest = bytes;
    while (ok && connect_reader_next(&reader, &record)) {
        if (record.wire != CONNECT_WIRE_BYTES) continue;
        switch (record.number) {
        case 2: ok = cn_schema_read_field(loader, message, record.bytes, &features); break;
        case 3: ok = cn_schema_read_message(loader, message->scope, message, record.bytes, &features, depth - 1); break;
        case 4: ok = cn_schema_read_enum(loader, message->scope, record.bytes, &features); break;
        case 6: ok = cn_schema_read_extension(loader, message->scope, record.bytes, &features); break;
        default: break;
        }
    }
    return ok;
}

/* MethodDescriptorProto */
static bool cn_schema_read_method(
    cn_schema_loader_t *loader, const char *service, connect_str_t bytes, cn_schema_method_t *method) {
    connect_reader_t reader = {{NULL, 0}, false};
    connect_str_t name = {NULL, 0}, options = {NULL, 0}, path;
    connect_record_t record;
    int32_t client_streams = 0, server_streams = 0, idempotency;
    reader.rest = bytes;
    while (connect_reader_next(&reader, &record)) {
        switch (record.number) {
        case 1: cn_schema_get_text(&record, &name); break;
        case 2: cn_schema_get_text(&record, &method->input); break;
        case 3: cn_schema_get_text(&record, &method->output); break;
        case 4: cn_schema_get_text(&record, &options); break;
        case 5: cn_schema_get_int(&record, &client_streams); break;
        case 6: cn_schema_get_int(&record, &server_streams); break;
        default: break;
        }
    }
    if (reader.failed) return cn_schema_bad(loader, service, "a malformed method");
    method->name = cn_schema_join(loader, service, name);
    if (!method->name || !cn_schema_declare(loader, &loader->by_name, method->name)) return false;
    path = connect_arena_printf(loader->arena, "/%s/%s", service, method->name + strlen(service) + 1);
    if (!path.data) return cn_error_memory(loader->error);
    method->method.path = path.data;
    method->method.kind = client_streams ? server_streams ? CONNECT_BIDI_STREAM : CONNECT_CLIENT_STREAM
        : server_streams                 ? CONNECT_SERVER_STREAM
                                         : CONNECT_UNARY;
    idempotency = cn_schema_option(options, 34, 0);
    if (idempotency == CONNECT_NO_SIDE_EFFECTS) method->method.idempotency = CONNECT_NO_SIDE_EFFECTS;
    if (idempotency == CONNECT_IDEMPOTENT) method->method.idempotency = CONNECT_IDEMPOTENT;
    return true;
}

/* ServiceDescriptorProto */
static bool cn_schema_read_service(cn_schema_loader_t *loader, const char *package, connect_str_t bytes) {
    cn_schema_service_t *service = (cn_schema_service_t *)cn_schema_take(loader, 1, sizeof *service);
    const size_t count = cn_schema_count(bytes, 2);
    cn_schema_method_t *methods = (cn_schema_method_t *)cn_schema_take(loader, count + 1, sizeof *methods);
    connect_reader_t reader = {{NULL, 0}, false};
    connect_str_t name = {NULL, 0};
    connect_record_t record;
    size_t i = 0;
    if (!service || !methods) return false;
    reader.rest = bytes;
    while (connect_reader_next(&reader, &record))
        if (record.number == 1) cn_schema_get_text(&record, &name);
    if (reader.failed) return cn_schema_bad(loader, package, "a malformed service");
    service->service.full_name = cn_schema_join(loader, package, name);
    if (!service->service.full_name) return false;
    if (!cn_schema_declare(loader, &loader->by_name, service->service.full_name)) return false;
    reader.rest = bytes;
    while (connect_reader_next(&reader, &record)) {
        if (record.number != 2 || record.wire != CONNECT_WIRE_BYTES) continue;
        if (!cn_schema_read_method(loader, service->service.full_name, record.bytes, &methods[i++])) return false;
    }
    service->service.file = &loader->file->file;
    service->service.method_count = count;
    service->methods = methods;
    service->next = loader->file->services;
    loader->file->services = service;
    loader->file->service_count++;
    return true;
}

/* ---- Reading: files ---- */

static bool cn_schema_edition(cn_schema_loader_t *loader, connect_str_t syntax, int32_t edition) {
    static const cn_schema_features_t proto2 = {
        {0, CN_SCHEMA_EXPLICIT, CN_SCHEMA_CLOSED, CN_SCHEMA_EXPANDED, CN_SCHEMA_NONE, CN_SCHEMA_LENGTH_PREFIXED}};
    static const cn_schema_features_t proto3 = {
        {0, CN_SCHEMA_IMPLICIT, CN_SCHEMA_OPEN, CN_SCHEMA_PACKED, CN_SCHEMA_VERIFY, CN_SCHEMA_LENGTH_PREFIXED}};
    cn_schema_file_t *file = loader->file;
    file->features = proto3;
    if (connect_str_equal(syntax, CN_STR("proto3"))) return true;
    if (syntax.len == 0 || connect_str_equal(syntax, CN_STR("proto2"))) {
        file->features = proto2;
        return true;
    }
    file->features.of[CN_SCHEMA_PRESENCE] = CN_SCHEMA_EXPLICIT;
    file->is_editions = true;
    if (!connect_str_equal(syntax, CN_STR("editions")))
        return cn_schema_bad_about(loader, NULL, "not a syntax:", syntax);
    return edition == 1000 || edition == 1001
        ? true
        : cn_schema_bad(loader, NULL, "an edition other than 2023 (1000) and 2024 (1001)");
}

static bool cn_schema_is_package(connect_str_t package) {
    connect_str_t rest = package, part;
    if (package.len > CN_SCHEMA_NAME / 2) return false;
    while (package.len && cn_str_split(&rest, '.', &part))
        if (!cn_schema_is_identifier(part)) return false;
    return true;
}

CN_PRIVATE bool cn_schema_is_file_name(connect_str_t name) {
    size_t i;
    for (i = 0; i < name.len; i++)
        if ((unsigned char)name.data[i] < 0x20 || name.data[i] == 0x7F) return false;
    return name.len && name.len <= CN_SCHEMA_NAME && cn_utf8_valid(name);
}

/* FileDescriptorProto: what holds for all that is in it. */
static bool cn_schema_read_file_head(cn_schema_loader_t *loader, connect_str_t bytes) {
    connect_reader_t reader = {{NULL, 0}, false};
    connect_str_t name = {NULL, 0}, package = {NULL, 0}, options = {NULL, 0}, syntax = {NULL, 0};
    cn_schema_file_t *file = loader->file;
    cn_schema_symbol_t *symbol;
    cn_schema_features_t features;
    connect_record_t record;
    int32_t edition = 0;
    reader.rest = bytes;
    while (connect_reader_next(&reader, &record)) {
        switch (record.number) {
        case 1: cn_schema_get_text(&record, &name); break;
        case 2: cn_schema_get_text(&record, &package); break;
        case 8: cn_schema_get_text(&record, &options); break;
        case 12: cn_schema_get_text(&record, &syntax); break;
        case 14: cn_schema_get_int(&record, &edition); break;
        default: break;
        }
    }
    if (!cn_schema_is_file_name(name)) return cn_schema_bad_about(loader, NULL, "not the name of a file:", name);
    file->file.name = cn_schema_text(loader, name);
    if (!file->file.name) return false;
    if (reader.failed) return cn_schema_bad(loader, NULL, "a malformed file");
    symbol = cn_schema_declare(loader, &loader->by_file, file->file.name);
    if (!symbol) return false;
    symbol->file = file;
    if (!cn_schema_is_package(package)) return cn_schema_bad_about(loader, NULL, "not a package:", package);
    file->package = package.len ? cn_schema_text(loader, package) : "";
    if (!file->package || !cn_schema_edition(loader, syntax, edition)) return false;
    features = file->features;
    cn_schema_inherit(&file->features, &features, options, 50);
    return true;
}

CN_PRIVATE bool cn_schema_read_file(cn_schema_loader_t *loader, connect_str_t bytes) {
    cn_schema_file_t *file = (cn_schema_file_t *)cn_schema_take(loader, 1, sizeof *file);
    connect_reader_t reader = {{NULL, 0}, false};
    connect_record_t record;
    bool ok = true;
    if (!file) return false;
    loader->file = file;
    file->file.descriptor = bytes;
    if (!cn_schema_read_file_head(loader, bytes)) return false;
    reader.rest = bytes;
    while (ok && connect_reader_next(&reader, &record)) {
        if (record.wire != CONNECT_WIRE_BYTES) continue;
        switch (record.number) {
        case 4:
            ok = cn_schema_read_message(loader, file->package, NULL, record.bytes, &file->features, CN_SCHEMA_DEPTH);
            break;
        case 5: ok = cn_schema_read_enum(loader, file->package, record.bytes, &file->features); break;
        case 6: ok = cn_schema_read_service(loader, file->package, record.bytes); break;
        case 7: ok = cn_schema_read_extension(loader, file->package, record.bytes, &file->features); break;
        default: break;
        }
    }
    return ok;
}

/* #### src/codec/schema_link.c ##################################################################################### */
/* From what was read to connect_type_t: step 3 of schema.c, for messages and extensions. */

/* ---- Linking: fields ---- */

static bool cn_schema_is_message(const cn_schema_field_t *field) {
    return field->kind == CONNECT_KIND_MESSAGE || field->kind == CONNECT_KIND_GROUP;
}

static bool cn_schema_is_text(const cn_schema_field_t *field) {
    return field->kind == CONNECT_KIND_STRING || field->kind == CONNECT_KIND_BYTES;
}

/* The type that a field names. */
static bool cn_schema_link_type(
    cn_schema_loader_t *loader, cn_schema_message_t *message, cn_schema_field_t *field, const char *where) {
    const cn_schema_symbol_t *symbol = cn_schema_resolve(loader, message->scope, field->type_name);
    cn_schema_user_t *user;
    if (!symbol || (!symbol->message && !symbol->enumeration))
        return cn_schema_bad_about(loader, where, "its type is not in the set:", field->type_name);
    if (!field->kind) field->kind = symbol->message ? CONNECT_KIND_MESSAGE : CONNECT_KIND_ENUM;
    if (field->kind == CONNECT_KIND_ENUM ? !symbol->enumeration : !symbol->message)
        return cn_schema_bad_about(loader, where, "its type is of another sort:", field->type_name);
    field->message = symbol->message;
    field->enumeration = symbol->enumeration;
    if (!field->message) return true;
    if (field->message->type.is_map_entry) {
        if (field->label != CN_SCHEMA_LABEL_REPEATED || field->kind != CONNECT_KIND_MESSAGE ||
            field->message->parent != message)
            return cn_schema_bad(loader, where, "the type of a map's entry may only be used by that map");
        field->flags |= CONNECT_FIELD_MAP;
    } else if (field->features.of[CN_SCHEMA_ENCODING] == CN_SCHEMA_DELIMITED) {
        field->kind = CONNECT_KIND_GROUP;
    }
    user = (cn_schema_user_t *)cn_schema_take(loader, 1, sizeof *user);
    if (!user) return false;
    user->message = message;
    user->next = field->message->users;
    field->message->users = user;
    return true;
}

static bool cn_schema_link_field(
    cn_schema_loader_t *loader, cn_schema_message_t *message, cn_schema_field_t *field, int64_t number_max) {
    const char *where = message->type.full_name;
    const bool is_extension = message->extension.holder != NULL, is_entry = message->type.is_map_entry;
    const uint8_t *of = field->features.of;
    bool repeated = field->label == CN_SCHEMA_LABEL_REPEATED, tracked;
    connect_str_t name = connect_str_of(field->name);
    if (field->number < 1 || field->number > number_max)
        return cn_schema_bad_about(loader, where, "a number that fields cannot have: that of", name);
    if (field->label < 0 || field->label > CN_SCHEMA_LABEL_REPEATED || field->kind < 0 ||
        field->kind > CONNECT_KIND_SINT64)
        return cn_schema_bad_about(loader, where, "no such label or type: those of", name);
    if (field->kind == 0 || field->kind == CONNECT_KIND_ENUM || cn_schema_is_message(field)) {
        if (!cn_schema_link_type(loader, message, field, where)) return false;
    }
    if (field->default_text.data && (repeated || cn_schema_is_message(field)))
        return cn_schema_bad_about(loader, where, "a default where none can be: that of", name);
    if (repeated) {
        field->flags |= CONNECT_FIELD_REPEATED;
        if (field->oneof >= 0) return cn_schema_bad_about(loader, where, "a repeated field in a oneof:", name);
        if (of[CN_SCHEMA_REPEATED] == CN_SCHEMA_PACKED && !cn_schema_is_message(field) && !cn_schema_is_text(field))
            field->flags |= CONNECT_FIELD_PACKED;
    }
    if (field->kind == CONNECT_KIND_STRING && of[CN_SCHEMA_UTF8] == CN_SCHEMA_VERIFY)
        field->flags |= CONNECT_FIELD_UTF8;
    if (field->oneof >= 0) field->flags |= CONNECT_FIELD_ONEOF;
    if (repeated || field->oneof >= 0) return true;
    tracked = !is_entry && (is_extension || of[CN_SCHEMA_PRESENCE] != CN_SCHEMA_IMPLICIT);
    if (of[CN_SCHEMA_PRESENCE] == CN_SCHEMA_LEGACY_REQUIRED && !is_extension && !is_entry)
        field->flags |= CONNECT_FIELD_REQUIRED;
    if (cn_schema_is_message(field))
        field->flags |= CONNECT_FIELD_NULLABLE;
    else if (tracked && cn_schema_is_text(field) && !field->default_text.data)
        field->flags |= CONNECT_FIELD_NULLABLE;
    else if (tracked)
        field->flags |= CONNECT_FIELD_HAS;
    else if (field->default_text.data || (field->enumeration && field->enumeration->first != 0))
        return cn_schema_bad_about(loader, where, "a default, and no presence to tell it by: that of", name);
    return true;
}

/* ---- Linking: structs ---- */

static uint32_t cn_schema_size(const cn_schema_field_t *field) {
    if (field->flags & CONNECT_FIELD_REPEATED) return (uint32_t)sizeof(cn_message_list_t);
    if (cn_schema_is_message(field)) return (uint32_t)sizeof(void *);
    if (cn_schema_is_text(field)) return (uint32_t)sizeof(connect_str_t);
    return (uint32_t)cn_message_scalar_size((uint8_t)field->kind);
}

/* Gives every member its place, those of `size` bytes. */
static void cn_schema_place(cn_schema_message_t *message, uint32_t size, uint32_t *end) {
    cn_schema_field_t *field;
    size_t i;
    for (field = message->fields; field; field = field->next) {
        if (!(field->flags & CONNECT_FIELD_ONEOF) && cn_schema_size(field) == size) {
            field->offset = (uint16_t)*end;
            *end += size;
        }
        if (size == sizeof(bool) && (field->flags & CONNECT_FIELD_HAS)) {
            field->presence = (uint16_t)*end;
            *end += size;
        }
    }
    for (i = 0; i < message->oneof_count; i++) {
        cn_schema_oneof_t *oneof = &message->oneofs[i];
        if (oneof->size == size) {
            oneof->offset = (uint16_t)*end;
            *end += size;
        }
        if (size == sizeof(int32_t) && oneof->size) {
            oneof->presence = (uint16_t)*end;
            *end += size;
        }
    }
}

static bool cn_schema_lay_out(cn_schema_loader_t *loader, cn_schema_message_t *message) {
    cn_schema_field_t *field;
    uint32_t end = 0, size;
    for (field = message->fields; field; field = field->next) {
        cn_schema_oneof_t *oneof;
        if (!(field->flags & CONNECT_FIELD_ONEOF)) continue;
        oneof = &message->oneofs[field->oneof];
        oneof->size = CN_MAX(oneof->size, cn_schema_size(field));
    }
    if (!message->type.is_map_entry) {
        message->type.keeps_unknown = true;
        end = (uint32_t)sizeof(connect_str_list_t);
    }
    for (size = 16; size; size /= 2)
        cn_schema_place(message, size, &end);
    message->type.size = (end + 7) & ~7u;
    if (message->type.size > 65535)
        return cn_schema_bad(loader, message->type.full_name, "its struct would have over 65535 bytes");
    for (field = message->fields; field; field = field->next) {
        if (!(field->flags & CONNECT_FIELD_ONEOF)) continue;
        field->offset = message->oneofs[field->oneof].offset;
        field->presence = message->oneofs[field->oneof].presence;
    }
    return true;
}

/* ---- Linking: defaults ---- */

/* Undoes the escapes of C, as descriptors write the default of bytes. */
static bool cn_schema_unescape(cn_schema_loader_t *loader, connect_str_t text, connect_str_t *bytes) {
    static const char letters[] = "abfnrtv", values[] = "\a\b\f\n\r\t\v";
    char *to = (char *)cn_schema_take(loader, text.len + 1, 1);
    size_t i = 0, len = 0;
    if (!to) return false;
    while (i < text.len) {
        char c = text.data[i++];
        if (c == '\\') {
            const char *letter;
            int digits = 0, value = 0;
            if (i == text.len) return false;
            while (digits < 3 && i < text.len && text.data[i] >= '0' && text.data[i] <= '7') {
                value = value * 8 + (text.data[i++] - '0');
                digits++;
            }
            if (digits) {
                c = (char)(unsigned char)(value & 0xFF);
            } else {
                c = text.data[i++];
                letter = c ? strchr(letters, c) : NULL;
                if (letter) c = values[letter - letters];
            }
        }
        to[len++] = c;
    }
    bytes->data = to;
    bytes->len = len;
    return true;
}

static bool cn_schema_default_number(const cn_schema_field_t *field, char *to) {
    const connect_str_t text = field->default_text;
    cn_number_t number;
    int64_t integer;
    uint64_t natural;
    double wide;
    float narrow;
    bool ok;
    if (field->kind == CONNECT_KIND_DOUBLE || field->kind == CONNECT_KIND_FLOAT) {
        if (connect_str_equal(text, CN_STR("inf")))
            wide = 1.0 / 0.0;
        else if (connect_str_equal(text, CN_STR("-inf")))
            wide = -1.0 / 0.0;
        else if (connect_str_equal(text, CN_STR("nan")))
            wide = 0.0 / 0.0;
        else if (!cn_number_read(&number, text) || cn_number_as_double(&number, &wide) != CN_NUMBER_OK)
            return false;
        narrow = (float)wide;
        if (wide - wide == 0 && cn_number_as_float(&number, &narrow) != CN_NUMBER_OK) narrow = (float)wide;
        memcpy(to, field->kind == CONNECT_KIND_DOUBLE ? (const void *)&wide : (const void *)&narrow,
            cn_schema_size(field));
        return true;
    }
    if (!cn_number_read(&number, text)) return false;
    switch (field->kind) {
    case CONNECT_KIND_UINT64:
    case CONNECT_KIND_FIXED64:
    case CONNECT_KIND_UINT32:
    case CONNECT_KIND_FIXED32:
        ok = cn_number_as_uint(&number, cn_schema_size(field) == 8 ? UINT64_MAX : UINT32_MAX, &natural) == CN_NUMBER_OK;
        integer = (int64_t)natural;
        break;
    default:
        ok = cn_number_as_int(&number, cn_schema_size(field) == 8 ? INT64_MIN : INT32_MIN,
                 cn_schema_size(field) == 8 ? INT64_MAX : INT32_MAX, &integer) == CN_NUMBER_OK;
    }
    if (!ok) return false;
    if (cn_schema_size(field) == 8) {
        memcpy(to, &integer, 8);
    } else {
        const uint32_t low = (uint32_t)(uint64_t)integer;
        memcpy(to, &low, 4);
    }
    return true;
}

static bool cn_schema_default_value(cn_schema_loader_t *loader, const cn_schema_field_t *field, char *to) {
    connect_str_t text = field->default_text;
    bool truth;
    switch (field->kind) {
    case CONNECT_KIND_ENUM: {
        int32_t number = field->enumeration->first;
        if (text.data) {
            const cn_schema_value_t *value;
            cn_schema_value_t key;
            memset(&key, 0, sizeof key);
            key.name = cn_schema_is_identifier(text) ? cn_schema_text(loader, text) : "";
            if (!key.name) return false;
            value = (const cn_schema_value_t *)bsearch(&key, field->enumeration->by_name,
                field->enumeration->type.count, sizeof key, cn_schema_compare_value_names);
            if (!value) return false;
            number = value->number;
        }
        memcpy(to, &number, sizeof number);
        return true;
    }
    case CONNECT_KIND_BYTES:
        if (!cn_schema_unescape(loader, text, &text)) return false;
        memcpy(to, &text, sizeof text);
        return true;
    case CONNECT_KIND_STRING: memcpy(to, &text, sizeof text); return true;
    case CONNECT_KIND_BOOL:
        truth = connect_str_equal(text, CN_STR("true"));
        memcpy(to, &truth, sizeof truth);
        return truth || connect_str_equal(text, CN_STR("false"));
    default: return cn_schema_default_number(field, to);
    }
}

/* The struct with the defaults, if there are any. */
static bool cn_schema_set_defaults(cn_schema_loader_t *loader, cn_schema_message_t *message) {
    const cn_schema_field_t *field;
    char *defaults = NULL;
    for (field = message->fields; field; field = field->next) {
        if (!(field->flags & CONNECT_FIELD_HAS) || !(field->default_text.data || field->enumeration)) continue;
        if (!field->default_text.data && field->enumeration->first == 0) continue;
        if (!defaults) defaults = (char *)cn_schema_take(loader, 1, message->type.size);
        if (!defaults) return false;
        if (!cn_schema_default_value(loader, field, defaults + field->offset))
            return loader->arena->failed ? cn_error_memory(loader->error)
                                         : cn_schema_bad_about(loader, message->type.full_name,
                                               "a default that is no value of its field:", field->default_text);
    }
    message->type.defaults = defaults;
    return true;
}

/* ---- Linking: tables ---- */

static int cn_schema_compare_field_names(const void *a, const void *b) {
    return strcmp((*(const cn_schema_field_t *const *)a)->name, (*(const cn_schema_field_t *const *)b)->name);
}

static int cn_schema_compare_field_numbers(const void *a, const void *b) {
    const int32_t one = (*(const cn_schema_field_t *const *)a)->number;
    const int32_t two = (*(const cn_schema_field_t *const *)b)->number;
    return (one > two) - (one < two);
}

/* The fields by number; NULL: it failed, or a name or number stands twice. */
static cn_schema_field_t **cn_schema_sort_fields(cn_schema_loader_t *loader, const cn_schema_message_t *message) {
    cn_schema_field_t **sorted = (cn_schema_field_t **)cn_schema_take(loader, message->field_count + 1, sizeof *sorted);
    cn_schema_field_t *field;
    size_t i = 0;
    if (!sorted) return NULL;
    for (field = message->fields; field; field = field->next)
        sorted[i++] = field;
    qsort(sorted, message->field_count, sizeof *sorted, cn_schema_compare_field_names);
    for (i = 1; i < message->field_count; i++) {
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) != 0) continue;
        cn_schema_bad_about(loader, message->scope, "two fields are called", connect_str_of(sorted[i]->name));
        return NULL;
    }
    qsort(sorted, message->field_count, sizeof *sorted, cn_schema_compare_field_numbers);
    for (i = 1; i < message->field_count; i++) {
        if (sorted[i - 1]->number != sorted[i]->number) continue;
        cn_schema_bad_about(
            loader, message->scope, "a number that another field has: that of", connect_str_of(sorted[i]->name));
        return NULL;
    }
    return sorted;
}

static uint16_t cn_schema_put_name(char *names, size_t *len, const char *name) {
    const size_t at = *len, name_len = strlen(name) + 1;
    memcpy(names + at, name, name_len);
    *len += name_len;
    return (uint16_t)at;
}

static bool cn_schema_set_fields(cn_schema_loader_t *loader, cn_schema_message_t *message) {
    const size_t count = message->field_count;
    cn_schema_field_t **sorted = cn_schema_sort_fields(loader, message);
    connect_field_t *fields;
    const connect_type_t **types;
    const connect_enum_t **enums;
    size_t i, len = 1, type_count = 0, enum_count = 0;
    char *names;
    if (!sorted) return false;
    for (i = 0; i < count; i++) {
        len += strlen(sorted[i]->name) + 1;
        if (strcmp(sorted[i]->name, sorted[i]->json_name) != 0) len += strlen(sorted[i]->json_name) + 1;
        type_count += sorted[i]->message != NULL;
        enum_count += sorted[i]->enumeration != NULL;
    }
    if (len > 65535) return cn_schema_bad(loader, message->type.full_name, "the names of its fields are too long");
    fields = (connect_field_t *)cn_schema_take(loader, count + 1, sizeof *fields);
    types = (const connect_type_t **)cn_schema_take(loader, type_count + 1, sizeof *types);
    enums = (const connect_enum_t **)cn_schema_take(loader, enum_count + 1, sizeof *enums);
    names = (char *)cn_schema_take(loader, len, 1);
    if (!fields || !types || !enums || !names) return false;
    len = type_count = enum_count = 0;
    for (i = 0; i < count; i++) {
        const cn_schema_field_t *field = sorted[i];
        fields[i].number = (uint32_t)field->number;
        fields[i].offset = field->offset;
        fields[i].presence = field->presence;
        fields[i].kind = (uint8_t)field->kind;
        fields[i].flags = field->flags;
        fields[i].name = fields[i].json_name = cn_schema_put_name(names, &len, field->name);
        if (strcmp(field->name, field->json_name) != 0)
            fields[i].json_name = cn_schema_put_name(names, &len, field->json_name);
        if (field->message) {
            fields[i].type = (uint16_t)type_count;
            types[type_count++] = &field->message->type;
        } else if (field->enumeration) {
            fields[i].type = (uint16_t)enum_count;
            enums[enum_count++] = &field->enumeration->type;
        }
        if (field->flags & CONNECT_FIELD_REQUIRED) message->type.has_required = true;
        if (fields[i].number == i + 1) message->type.dense = (uint16_t)(i + 1);
    }
    message->type.fields = fields;
    message->type.types = types;
    message->type.enums = enums;
    message->type.names = names;
    message->type.field_count = (uint16_t)count;
    return true;
}

static bool cn_schema_is_entry(const connect_type_t *type) {
    const connect_field_t *key = &type->fields[0];
    if (type->field_count != 2 || type->dense != 2) return false;
    if ((key->flags | type->fields[1].flags) & (CONNECT_FIELD_REPEATED | CONNECT_FIELD_ONEOF)) return false;
    return key->kind != CONNECT_KIND_DOUBLE && key->kind != CONNECT_KIND_FLOAT && key->kind != CONNECT_KIND_BYTES &&
        key->kind != CONNECT_KIND_ENUM && key->kind != CONNECT_KIND_MESSAGE && key->kind != CONNECT_KIND_GROUP;
}

/* The form of a well-known type, whose shape the JSON mapping relies on. */
static bool cn_schema_set_form(cn_schema_loader_t *loader, connect_type_t *type) {
    enum { SHAPE = CONNECT_FIELD_REPEATED | CONNECT_FIELD_MAP | CONNECT_FIELD_HAS | CONNECT_FIELD_ONEOF };
    static const char package[] = "google.protobuf.";
    static const struct {
        const char *name;
        uint8_t form, flags, kinds[7]; /* of the fields 1, 2, ...; all have these flags */
    } forms[] = {
        {"Any", CONNECT_FORM_ANY, 0, {CONNECT_KIND_STRING, CONNECT_KIND_BYTES, 0, 0, 0, 0, 0}},
        {"Timestamp", CONNECT_FORM_TIMESTAMP, 0, {CONNECT_KIND_INT64, CONNECT_KIND_INT32, 0, 0, 0, 0, 0}},
        {"Duration", CONNECT_FORM_DURATION, 0, {CONNECT_KIND_INT64, CONNECT_KIND_INT32, 0, 0, 0, 0, 0}},
        {"FieldMask", CONNECT_FORM_FIELD_MASK, CONNECT_FIELD_REPEATED, {CONNECT_KIND_STRING, 0, 0, 0, 0, 0, 0}},
        {"Struct", CONNECT_FORM_STRUCT, CONNECT_FIELD_REPEATED | CONNECT_FIELD_MAP,
            {CONNECT_KIND_MESSAGE, 0, 0, 0, 0, 0, 0}},
        {"Value", CONNECT_FORM_VALUE, CONNECT_FIELD_ONEOF,
            {CONNECT_KIND_ENUM, CONNECT_KIND_DOUBLE, CONNECT_KIND_STRING, CONNECT_KIND_BOOL, CONNECT_KIND_MESSAGE,
                CONNECT_KIND_MESSAGE, 0}},
        {"ListValue", CONNECT_FORM_LIST, CONNECT_FIELD_REPEATED, {CONNECT_KIND_MESSAGE, 0, 0, 0, 0, 0, 0}},
        {"Empty", CONNECT_FORM_EMPTY, 0, {0, 0, 0, 0, 0, 0, 0}},
        {"DoubleValue", CONNECT_FORM_WRAPPER, 0, {CONNECT_KIND_DOUBLE, 0, 0, 0, 0, 0, 0}},
        {"FloatValue", CONNECT_FORM_WRAPPER, 0, {CONNECT_KIND_FLOAT, 0, 0, 0, 0, 0, 0}},
        {"Int64Value", CONNECT_FORM_WRAPPER, 0, {CONNECT_KIND_INT64, 0, 0, 0, 0, 0, 0}},
        {"UInt64Value", CONNECT_FORM_WRAPPER, 0, {CONNECT_KIND_UINT64, 0, 0, 0, 0, 0, 0}},
        {"Int32Value", CONNECT_FORM_WRAPPER, 0, {CONNECT_KIND_INT32, 0, 0, 0, 0, 0, 0}},
        {"UInt32Value", CONNECT_FORM_WRAPPER, 0, {CONNECT_KIND_UINT32, 0, 0, 0, 0, 0, 0}},
        {"BoolValue", CONNECT_FORM_WRAPPER, 0, {CONNECT_KIND_BOOL, 0, 0, 0, 0, 0, 0}},
        {"StringValue", CONNECT_FORM_WRAPPER, 0, {CONNECT_KIND_STRING, 0, 0, 0, 0, 0, 0}},
        {"BytesValue", CONNECT_FORM_WRAPPER, 0, {CONNECT_KIND_BYTES, 0, 0, 0, 0, 0, 0}},
    };
    size_t i, j;
    if (strncmp(type->full_name, package, sizeof package - 1) != 0) return true;
    for (i = 0; i < CN_LEN(forms); i++) {
        if (strcmp(type->full_name + sizeof package - 1, forms[i].name) != 0) continue;
        type->form = forms[i].form;
        for (j = 0; forms[i].kinds[j]; j++)
            if (j >= type->dense || type->fields[j].kind != forms[i].kinds[j] ||
                (type->fields[j].flags & SHAPE) != forms[i].flags)
                break;
        if (forms[i].kinds[j] || j != type->field_count)
            return cn_schema_bad(loader, type->full_name, "not the well-known type of this name");
    }
    return true;
}

CN_PRIVATE bool cn_schema_link_message(cn_schema_loader_t *loader, cn_schema_message_t *message) {
    const bool of_message_set = message->extension.extendee && message->extension.extendee->is_message_set;
    cn_schema_field_t *field;
    if (message->field_count > UINT16_MAX) return cn_schema_bad(loader, message->scope, "more than 65535 fields");
    if (message->type.is_message_set && message->field_count)
        return cn_schema_bad(loader, message->scope, "a message set with fields");
    for (field = message->fields; field; field = field->next)
        if (!cn_schema_link_field(loader, message, field, of_message_set ? INT32_MAX : CN_SCHEMA_NUMBER_MAX))
            return false;
    if (!cn_schema_lay_out(loader, message) || !cn_schema_set_defaults(loader, message) ||
        !cn_schema_set_fields(loader, message))
        return false;
    if (message->type.is_map_entry && !cn_schema_is_entry(&message->type))
        return cn_schema_bad(loader, message->scope, "not the entry of a map");
    return cn_schema_set_form(loader, &message->type);
}

CN_PRIVATE bool cn_schema_link_extension(cn_schema_loader_t *loader, cn_schema_message_t *holder) {
    const cn_schema_symbol_t *extendee = cn_schema_resolve(loader, holder->scope, holder->fields->extendee);
    if (!extendee || !extendee->message || extendee->message->type.is_map_entry)
        return cn_schema_bad_about(
            loader, holder->type.full_name, "what it extends is not in the set:", holder->fields->extendee);
    holder->extension.extendee = &extendee->message->type;
    holder->extension.holder = &holder->type;
    if (!cn_schema_link_message(loader, holder)) return false;
    if (holder->extension.extendee->is_message_set && holder->fields->kind != CONNECT_KIND_MESSAGE)
        return cn_schema_bad(loader, holder->type.full_name, "an extension of a message set is a message");
    return true;
}

/* #### src/codec/schema.c ########################################################################################## */
/* Types at run time: google.protobuf.FileDescriptorSet (descriptor.proto) to the tables that the generator writes.

   1. read    each file, in two walks over its records: what holds for all that is in it (name, package, syntax,
              features), then its messages, enums, extensions and services; likewise each message. Every full name
              becomes a symbol.
   2. sort    files and symbols by name. No hash: whoever writes a set must not be able to choose collisions.
   3. link    imports, the types of fields, extendees, inputs and outputs; then each message's struct is laid out, and
              its fields are put into the order of their numbers.
   4. check   forms of well-known types, cycles of imports; has_required goes up from field to user.

   Features are resolved on the way down: edition, file, message, oneof, field (descriptor.proto, FeatureSet); proto2
   and proto3 are two sets of defaults, and `packed`, `required`, `proto3_optional` and groups say features.

   A struct has, in this order: unknown fields; members of 8 (and 16) bytes, of 4, of 1; a union is as large as its
   largest member. So nothing needs padding but the end. The C member of each kind is said at the head of section 3 of
   the public declarations; a map's entry has no unknown fields, an extension's holder is a message with one field.

   A set comes from anywhere. Refused is what would make tables unsafe or ambiguous, or the compiler's output
   different: names that are none or stand twice, numbers that are none or stand twice, types that are missing or of
   the wrong sort, bad defaults, maps whose entry is none, structs over 65,535 bytes, well-known types of another shape,
   cycles. What only a compiler cares for (reserved ranges, visibility, conflicts of JSON names) is not looked at.
   Recursion ends at CN_SCHEMA_DEPTH. Memory is linear in the input since full names are short: CN_SCHEMA_NAME. Time is
   linear but for sorting. */

/* ---- Linking: files ---- */

static const connect_type_t *cn_schema_link_message_name(
    cn_schema_loader_t *loader, const cn_schema_method_t *method, connect_str_t name) {
    const cn_schema_symbol_t *symbol = cn_schema_resolve(loader, method->name, name);
    if (symbol && symbol->message && !symbol->message->type.is_map_entry) return &symbol->message->type;
    cn_schema_bad_about(loader, method->name, "its input or output is not in the set:", name);
    return NULL;
}

static bool cn_schema_link_service(cn_schema_loader_t *loader, cn_schema_service_t *service) {
    const size_t count = service->service.method_count;
    const connect_method_t **methods = (const connect_method_t **)cn_schema_take(loader, count + 1, sizeof *methods);
    size_t i;
    if (!methods) return false;
    for (i = 0; i < count; i++) {
        cn_schema_method_t *method = &service->methods[i];
        method->method.input = cn_schema_link_message_name(loader, method, method->input);
        if (!method->method.input) return false;
        method->method.output = cn_schema_link_message_name(loader, method, method->output);
        if (!method->method.output) return false;
        methods[i] = &method->method;
    }
    service->service.methods = methods;
    return true;
}

/* A weak import may be missing. */
static bool cn_schema_link_imports(cn_schema_loader_t *loader, cn_schema_file_t *file) {
    const size_t count = cn_schema_count(file->file.descriptor, 3);
    const connect_file_t **items = (const connect_file_t **)cn_schema_take(loader, count + 1, sizeof *items);
    bool *weak = (bool *)cn_schema_take(loader, count + 1, sizeof *weak);
    connect_reader_t reader = {{NULL, 0}, false};
    connect_record_t record;
    size_t index = 0, linked = 0;
    file->imports = (cn_schema_file_t **)cn_schema_take(loader, count + 1, sizeof *file->imports);
    if (!items || !weak || !file->imports) return false;
    reader.rest = file->file.descriptor;
    while (connect_reader_next(&reader, &record))
        if (record.number == 11 && record.wire == CONNECT_WIRE_VARINT && record.value < count)
            weak[record.value] = true;
    reader.rest = file->file.descriptor;
    while (connect_reader_next(&reader, &record)) {
        const cn_schema_symbol_t *symbol = NULL;
        if (record.number != 3 || record.wire != CONNECT_WIRE_BYTES) continue;
        if (cn_schema_is_file_name(record.bytes)) {
            const char *name = cn_schema_text(loader, record.bytes);
            if (!name) return false;
            symbol = cn_schema_find(&loader->by_file, name);
        }
        if (symbol) {
            file->imports[linked] = symbol->file;
            items[linked++] = &symbol->file->file;
        } else if (!weak[index]) {
            return cn_schema_bad_about(loader, NULL, "the set does not hold what it imports:", record.bytes);
        }
        index++;
    }
    file->file.imports.items = items;
    file->file.imports.count = linked;
    return true;
}

/* The lists of a file, in the order in which they were read: the last one read stands first. */
static bool cn_schema_list(cn_schema_loader_t *loader, cn_schema_file_t *file) {
    const connect_type_t **types =
        (const connect_type_t **)cn_schema_take(loader, file->message_count + 1, sizeof *types);
    const connect_enum_t **enums = (const connect_enum_t **)cn_schema_take(loader, file->enum_count + 1, sizeof *enums);
    const connect_extension_t **extensions =
        (const connect_extension_t **)cn_schema_take(loader, file->holder_count + 1, sizeof *extensions);
    const connect_service_t **services =
        (const connect_service_t **)cn_schema_take(loader, file->service_count + 1, sizeof *services);
    const cn_schema_message_t *message;
    const cn_schema_enum_t *enumeration;
    const cn_schema_service_t *service;
    size_t i;
    if (!types || !enums || !extensions || !services) return false;
    for (message = file->messages, i = file->message_count; message; message = message->next)
        types[--i] = &message->type;
    for (enumeration = file->enums, i = file->enum_count; enumeration; enumeration = enumeration->next)
        enums[--i] = &enumeration->type;
    for (message = file->holders, i = file->holder_count; message; message = message->next)
        extensions[--i] = &message->extension;
    for (service = file->services, i = file->service_count; service; service = service->next)
        services[--i] = &service->service;
    file->file.types.items = types;
    file->file.types.count = file->message_count;
    file->file.enums.items = enums;
    file->file.enums.count = file->enum_count;
    file->file.extensions.items = extensions;
    file->file.extensions.count = file->holder_count;
    file->file.services.items = services;
    file->file.services.count = file->service_count;
    return true;
}

static bool cn_schema_link_file(cn_schema_loader_t *loader, cn_schema_file_t *file) {
    cn_schema_message_t *message;
    cn_schema_service_t *service;
    loader->file = file;
    if (!cn_schema_link_imports(loader, file)) return false;
    for (message = file->messages; message; message = message->next)
        if (!cn_schema_link_message(loader, message)) return false;
    for (message = file->holders; message; message = message->next)
        if (!cn_schema_link_extension(loader, message)) return false;
    for (service = file->services; service; service = service->next)
        if (!cn_schema_link_service(loader, service)) return false;
    return cn_schema_list(loader, file);
}

/* ---- Checking the whole ---- */

/* Whoever has a field of a message with required fields has some itself. */
static void cn_schema_spread_required(cn_schema_loader_t *loader) {
    cn_schema_message_t *todo = NULL, *message;
    const cn_schema_user_t *user;
    const cn_schema_file_t *file;
    for (file = loader->files; file; file = file->next) {
        for (message = file->messages; message; message = message->next) {
            if (!message->type.has_required) continue;
            message->next_required = todo;
            todo = message;
        }
    }
    while (todo) {
        message = todo;
        todo = message->next_required;
        for (user = message->users; user; user = user->next) {
            if (user->message->type.has_required) continue;
            user->message->type.has_required = true;
            user->message->next_required = todo;
            todo = user->message;
        }
    }
}

static bool cn_schema_check_cycles(cn_schema_loader_t *loader) {
    cn_schema_file_t *start, *file;
    for (start = loader->files; start; start = start->next) {
        if (start->state != CN_SCHEMA_NEW) continue;
        start->state = CN_SCHEMA_ON_PATH;
        for (file = start; file;) {
            cn_schema_file_t *import;
            if (file->looked_at == file->file.imports.count) {
                file->state = CN_SCHEMA_DONE;
                file = file->below;
                continue;
            }
            import = file->imports[file->looked_at++];
            if (import->state == CN_SCHEMA_DONE) continue;
            loader->file = file;
            if (import->state == CN_SCHEMA_ON_PATH)
                return cn_schema_bad_about(loader, NULL, "imports itself by way of", connect_str_of(import->file.name));
            import->state = CN_SCHEMA_ON_PATH;
            import->below = file;
            file = import;
        }
    }
    return true;
}

bool connect_schema_load(
    connect_schema_t *schema, connect_str_t descriptor_set, connect_arena_t *arena, connect_error_t *error) {
    const size_t count = cn_schema_count(descriptor_set, 1);
    connect_reader_t reader = {{NULL, 0}, false};
    cn_schema_file_t **end, *file;
    cn_schema_loader_t loader;
    const connect_file_t **files;
    connect_record_t record;
    size_t i = 0;
    memset(&loader, 0, sizeof loader);
    memset(schema, 0, sizeof *schema);
    loader.arena = arena;
    loader.error = error;
    end = &loader.files;
    files = (const connect_file_t **)cn_schema_take(&loader, count + 1, sizeof *files);
    reader.rest = connect_arena_copy(arena, descriptor_set);
    if (!files || (!reader.rest.data && descriptor_set.len)) return cn_error_memory(error);
    while (connect_reader_next(&reader, &record)) {
        if (record.number != 1 || record.wire != CONNECT_WIRE_BYTES) continue;
        if (!cn_schema_read_file(&loader, record.bytes)) return false;
        *end = loader.file;
        end = &loader.file->next;
    }
    loader.file = NULL;
    if (reader.failed) return cn_schema_bad(&loader, NULL, "malformed");
    if (!cn_schema_sort(&loader, &loader.by_file) || !cn_schema_sort(&loader, &loader.by_name)) return false;
    for (file = loader.files; file; file = file->next) {
        if (!cn_schema_link_file(&loader, file)) return false;
        files[i++] = &file->file;
    }
    if (!cn_schema_check_cycles(&loader)) return false;
    cn_schema_spread_required(&loader);
    schema->files = files;
    schema->count = i;
    return true;
}

/* ---- Looking up ---- */

const connect_type_t *connect_schema_type(connect_schema_t schema, const char *full_name) {
    size_t i, j;
    for (i = 0; i < schema.count; i++)
        for (j = 0; j < schema.files[i]->types.count; j++)
            if (strcmp(schema.files[i]->types.items[j]->full_name, full_name) == 0)
                return schema.files[i]->types.items[j];
    return NULL;
}

const connect_method_t *connect_schema_method(connect_schema_t schema, const char *path) {
    size_t i, j, k;
    for (i = 0; i < schema.count; i++) {
        for (j = 0; j < schema.files[i]->services.count; j++) {
            const connect_service_t *service = schema.files[i]->services.items[j];
            const size_t len = strlen(service->full_name);
            if (path[0] != '/' || strncmp(path + 1, service->full_name, len) != 0 || path[1 + len] != '/') continue;
            for (k = 0; k < service->method_count; k++)
                if (strcmp(service->methods[k]->path, path) == 0) return service->methods[k];
        }
    }
    return NULL;
}

/* #### src/codec/wkt.h ############################################################################################# */
#if CONNECT_ENABLE_JSON
/* The text forms of google.protobuf.Timestamp, Duration and FieldMask in JSON. */

#define CN_WKT_ROOM 40 /* what the longest of the first two takes */

/* RFC 3339 in UTC with 0, 3, 6 or 9 digits of a second. Returns how many characters; 0: out of the range of years 1 to
   9999, or nanos not from 0 to 999,999,999. */
CN_PRIVATE size_t cn_wkt_timestamp_to_text(char *to, int64_t seconds, int32_t nanos);
CN_PRIVATE bool cn_wkt_timestamp_from_text(connect_str_t text, int64_t *seconds, int32_t *nanos);
/* "-1.500s". Returns how many characters; 0: beyond 315,576,000,000 seconds, or signs that differ. */
CN_PRIVATE size_t cn_wkt_duration_to_text(char *to, int64_t seconds, int32_t nanos);
CN_PRIVATE bool cn_wkt_duration_from_text(connect_str_t text, int64_t *seconds, int32_t *nanos);
/* "a.foo_bar" to "a.fooBar", which is not longer; false: it could not be read back. */
CN_PRIVATE bool cn_wkt_path_to_json(char *to, size_t *len, connect_str_t path);
/* The way back, at most twice as long; false: an underscore. */
CN_PRIVATE bool cn_wkt_path_from_json(char *to, size_t *len, connect_str_t text);
#endif

/* #### src/codec/wkt.c ############################################################################################# */
#if CONNECT_ENABLE_JSON
/* What protobuf's JSON mapping says about three well-known types whose JSON form is a text (timestamp.proto,
   duration.proto, field_mask.proto). The other well-known types are made of JSON values: pbjson.c.

   Timestamp: RFC 3339 5.6 with capital T and Z and all parts given; any offset is read, Z is written. From
   0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999999999Z, no leap second. Duration: seconds with at most nine digits
   behind the point and an s; seconds and nanos never have different signs.

   Days are counted in the proleptic Gregorian calendar from March 1st of year 0, so that the leap day is the last of
   its year; 400 years have 146,097 days, and 1970-01-01 is day 719,468. */

#define CN_WKT_DAY 86400
#define CN_WKT_EPOCH 719468
#define CN_WKT_TIMESTAMP_MIN (-62135596800)
#define CN_WKT_TIMESTAMP_MAX 253402300799
#define CN_WKT_DURATION_MAX 315576000000
#define CN_WKT_SECOND 1000000000

static size_t cn_wkt_put_padded(char *to, uint32_t value, size_t width) {
    size_t i;
    for (i = width; i-- > 0; value /= 10)
        to[i] = (char)('0' + value % 10);
    return width;
}

/* Nothing, or a point and 3, 6 or 9 digits. */
static size_t cn_wkt_put_fraction(char *to, uint32_t nanos) {
    if (nanos == 0) return 0;
    *to = '.';
    if (nanos % 1000000 == 0) return 1 + cn_wkt_put_padded(to + 1, nanos / 1000000, 3);
    if (nanos % 1000 == 0) return 1 + cn_wkt_put_padded(to + 1, nanos / 1000, 6);
    return 1 + cn_wkt_put_padded(to + 1, nanos, 9);
}

/* Takes a number of exactly so many digits off the text. */
static bool cn_wkt_take_digits(connect_str_t *text, size_t width, int32_t *value) {
    uint64_t taken;
    if (text->len < width || !cn_str_to_uint(cn_str(text->data, width), width, &taken)) return false;
    *value = (int32_t)taken;
    text->data += width;
    text->len -= width;
    return true;
}

static bool cn_wkt_take_char(connect_str_t *text, char c) {
    if (text->len == 0 || *text->data != c) return false;
    text->data++;
    text->len--;
    return true;
}

/* Takes a point and 1 to 9 digits off the text, if there is a point. */
static bool cn_wkt_take_fraction(connect_str_t *text, int32_t *nanos) {
    size_t width = 0;
    *nanos = 0;
    if (!cn_wkt_take_char(text, '.')) return true;
    while (width < text->len && text->data[width] >= '0' && text->data[width] <= '9')
        width++;
    if (width == 0 || width > 9 || !cn_wkt_take_digits(text, width, nanos)) return false;
    for (; width < 9; width++)
        *nanos *= 10;
    return true;
}

static int64_t cn_wkt_days_of(int32_t year, int32_t month, int32_t day) {
    int64_t years = month > 2 ? year : year - 1; /* from March to February */
    int64_t months = (month + 9) % 12;
    return years * 365 + years / 4 - years / 100 + years / 400 + (months * 153 + 2) / 5 + day - 1;
}

CN_PRIVATE size_t cn_wkt_timestamp_to_text(char *to, int64_t seconds, int32_t nanos) {
    int64_t days, era, of_era, years, of_year, months, second;
    char *begin = to;
    if (seconds < CN_WKT_TIMESTAMP_MIN || seconds > CN_WKT_TIMESTAMP_MAX || nanos < 0 || nanos >= CN_WKT_SECOND)
        return 0;
    second = seconds + (int64_t)CN_WKT_EPOCH * CN_WKT_DAY; /* not negative from year 1 on */
    days = second / CN_WKT_DAY;
    second %= CN_WKT_DAY;
    era = days / 146097;
    of_era = days % 146097;
    years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    of_year = of_era - (years * 365 + years / 4 - years / 100);
    months = (of_year * 5 + 2) / 153; /* 0 is March */
    to += cn_wkt_put_padded(to, (uint32_t)(era * 400 + years + (months >= 10)), 4);
    *to++ = '-';
    to += cn_wkt_put_padded(to, (uint32_t)(months < 10 ? months + 3 : months - 9), 2);
    *to++ = '-';
    to += cn_wkt_put_padded(to, (uint32_t)(of_year - (months * 153 + 2) / 5 + 1), 2);
    *to++ = 'T';
    to += cn_wkt_put_padded(to, (uint32_t)(second / 3600), 2);
    *to++ = ':';
    to += cn_wkt_put_padded(to, (uint32_t)(second / 60 % 60), 2);
    *to++ = ':';
    to += cn_wkt_put_padded(to, (uint32_t)(second % 60), 2);
    to += cn_wkt_put_fraction(to, (uint32_t)nanos);
    *to++ = 'Z';
    return (size_t)(to - begin);
}

CN_PRIVATE bool cn_wkt_timestamp_from_text(connect_str_t text, int64_t *seconds, int32_t *nanos) {
    static const char days_in[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int32_t year, month, day, hour, minute, second, offset_hour = 0, offset_minute = 0;
    bool west = false, leap;
    if (!cn_wkt_take_digits(&text, 4, &year) || !cn_wkt_take_char(&text, '-') ||
        !cn_wkt_take_digits(&text, 2, &month) || !cn_wkt_take_char(&text, '-') || !cn_wkt_take_digits(&text, 2, &day) ||
        !cn_wkt_take_char(&text, 'T') || !cn_wkt_take_digits(&text, 2, &hour) || !cn_wkt_take_char(&text, ':') ||
        !cn_wkt_take_digits(&text, 2, &minute) || !cn_wkt_take_char(&text, ':') ||
        !cn_wkt_take_digits(&text, 2, &second) || !cn_wkt_take_fraction(&text, nanos))
        return false;
    if (!cn_wkt_take_char(&text, 'Z')) {
        west = cn_wkt_take_char(&text, '-');
        if ((!west && !cn_wkt_take_char(&text, '+')) || !cn_wkt_take_digits(&text, 2, &offset_hour) ||
            !cn_wkt_take_char(&text, ':') || !cn_wkt_take_digits(&text, 2, &offset_minute))
            return false;
    }
    leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (text.len || year < 1 || month < 1 || month > 12 || day < 1 || day > days_in[month - 1] ||
        (month == 2 && day == 29 && !leap) || hour > 23 || minute > 59 || second > 59 || offset_hour > 23 ||
        offset_minute > 59)
        return false;
    *seconds = (cn_wkt_days_of(year, month, day) - CN_WKT_EPOCH) * CN_WKT_DAY + hour * 3600 + minute * 60 + second;
    *seconds += (offset_hour * 3600 + offset_minute * 60) * (west ? 1 : -1);
    return *seconds >= CN_WKT_TIMESTAMP_MIN && *seconds <= CN_WKT_TIMESTAMP_MAX;
}

CN_PRIVATE size_t cn_wkt_duration_to_text(char *to, int64_t seconds, int32_t nanos) {
    char *begin = to;
    if (seconds < -CN_WKT_DURATION_MAX || seconds > CN_WKT_DURATION_MAX || nanos <= -CN_WKT_SECOND ||
        nanos >= CN_WKT_SECOND || (seconds < 0 && nanos > 0) || (seconds > 0 && nanos < 0))
        return 0;
    if (seconds < 0 || nanos < 0) *to++ = '-';
    to += cn_number_from_uint(to, (uint64_t)(seconds < 0 ? -seconds : seconds));
    to += cn_wkt_put_fraction(to, (uint32_t)(nanos < 0 ? -nanos : nanos));
    *to++ = 's';
    return (size_t)(to - begin);
}

CN_PRIVATE bool cn_wkt_duration_from_text(connect_str_t text, int64_t *seconds, int32_t *nanos) {
    bool negative = cn_wkt_take_char(&text, '-');
    size_t width = 0;
    uint64_t whole;
    while (width < text.len && text.data[width] >= '0' && text.data[width] <= '9')
        width++;
    if (!cn_str_to_uint(cn_str(text.data, width), 12, &whole)) return false;
    text.data += width;
    text.len -= width;
    if (!cn_wkt_take_fraction(&text, nanos) || !cn_wkt_take_char(&text, 's') || text.len) return false;
    if (whole > CN_WKT_DURATION_MAX) return false;
    *seconds = negative ? -(int64_t)whole : (int64_t)whole;
    if (negative) *nanos = -*nanos;
    return true;
}

CN_PRIVATE bool cn_wkt_path_to_json(char *to, size_t *len, connect_str_t path) {
    size_t i, at = 0;
    for (i = 0; i < path.len; i++) {
        char c = path.data[i];
        if (c >= 'A' && c <= 'Z') return false;
        if (c == '_') {
            i++;
            if (i == path.len || path.data[i] < 'a' || path.data[i] > 'z') return false;
            c = (char)(path.data[i] - 'a' + 'A');
        }
        to[at++] = c;
    }
    *len = at;
    return true;
}

CN_PRIVATE bool cn_wkt_path_from_json(char *to, size_t *len, connect_str_t text) {
    size_t i, at = 0;
    for (i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '_') return false;
        if (c >= 'A' && c <= 'Z') {
            to[at++] = '_';
            c = (char)(c - 'A' + 'a');
        }
        to[at++] = c;
    }
    *len = at;
    return true;
}
#endif

/* #### src/codec/pbjson.h ########################################################################################## */
#if CONNECT_ENABLE_JSON
/* Appends a message as JSON to a queue. arena: for the error's text. options, error: may be NULL. On failure the queue
   is as it was. */
CN_PRIVATE bool cn_pbjson_encode(const connect_type_t *type, const void *message, cn_buf_t *out,
    const connect_allocator_t *allocator, const connect_codec_options_t *options, connect_arena_t *arena,
    connect_error_t *error);
/* As connect_message_decode_json. Nothing behind the text is read. */
CN_PRIVATE bool cn_pbjson_decode(const connect_type_t *type, void *message, connect_str_t json, connect_arena_t *arena,
    const connect_codec_options_t *options, connect_error_t *error);
#endif

/* #### src/codec/pbjson_shared.h ################################################################################### */
#if CONNECT_ENABLE_JSON
/* What reading and writing messages as JSON share: see pbjson_decode.c and pbjson_encode.c. */

#define CN_PBJSON_TEXT 512     /* of an error: path and reason */
#define CN_PBJSON_KEY_PARTS 16 /* entries of a map that are compared each with each */

#define CN_PBJSON_VALUE_NULL 0 /* fields of google.protobuf.Value */
#define CN_PBJSON_VALUE_NUMBER 1
#define CN_PBJSON_VALUE_STRING 2
#define CN_PBJSON_VALUE_BOOL 3
#define CN_PBJSON_VALUE_STRUCT 4
#define CN_PBJSON_VALUE_LIST 5

typedef enum cn_pbjson_place_t { CN_PBJSON_MEMBER, CN_PBJSON_ITEM, CN_PBJSON_ENTRY } cn_pbjson_place_t;

typedef struct cn_pbjson_step_t {
    const struct cn_pbjson_step_t *outer;
    const connect_type_t *type;
    const connect_field_t *field; /* NULL: the message itself */
    size_t index;                 /* ITEM: from 0 */
    connect_str_t key;            /* ENTRY */
    cn_pbjson_place_t place;
} cn_pbjson_step_t;

typedef struct cn_pbjson_text_t {
    char data[CN_PBJSON_TEXT];
    size_t len, quoted;
} cn_pbjson_text_t;

/* "a.b[3]: reason", and, if there is one, a peer's text in quotes. */
CN_PRIVATE void cn_pbjson_text_make(
    cn_pbjson_text_t *text, const cn_pbjson_step_t *path, const char *reason, const connect_str_t *peer_data);
CN_PRIVATE const connect_codec_options_t *cn_pbjson_options(const connect_codec_options_t *options_or_null);
CN_PRIVATE bool cn_pbjson_is_null_value(const connect_type_t *type, const connect_field_t *field);
/* Whether all required fields of this message are there; *missing: the first that is not. */
CN_PRIVATE bool cn_pbjson_required_present(
    const connect_type_t *type, const void *message, const connect_field_t **missing);
/* The type that an Any names, or NULL. */
CN_PRIVATE const connect_type_t *cn_pbjson_any_type(connect_schema_t schema, connect_str_t url);
/* The extension of a type that is written as "[full.name]", or NULL. */
CN_PRIVATE const connect_extension_t *cn_pbjson_extension(
    connect_schema_t schema, const connect_type_t *type, connect_str_t name);
/* Whether an Any holds the message as the member "value"; google.protobuf.Empty is an object like others. */
CN_PRIVATE bool cn_pbjson_any_has_value(const connect_type_t *type);
#endif

/* #### src/codec/pbjson_shared.c ################################################################################### */
#if CONNECT_ENABLE_JSON
/* Error texts of JSON. The path, "readings[3].celsius", is made when it is needed, from a chain of steps on the stack:
   one for each message that is being read or written. What a peer sent is never quoted for more than CN_PBJSON_QUOTED
   bytes altogether. */

#define CN_PBJSON_QUOTED 128 /* bytes of a peer's data in it */

static void cn_pbjson_text_add(cn_pbjson_text_t *text, const char *part) {
    size_t len = CN_MIN(strlen(part), sizeof text->data - 1 - text->len);
    memcpy(text->data + text->len, part, len);
    text->len += len;
    text->data[text->len] = 0;
}

static void cn_pbjson_text_add_uint(cn_pbjson_text_t *text, uint64_t value) {
    char digits[CN_NUMBER_ROOM];
    digits[cn_number_from_uint(digits, value)] = 0;
    cn_pbjson_text_add(text, digits);
}

/* In quotes; what is not printable ASCII as \xNN, and cut when a peer's share is used up. */
static void cn_pbjson_text_quote(cn_pbjson_text_t *text, connect_str_t peer_data) {
    static const char hex[] = "0123456789ABCDEF";
    size_t i;
    cn_pbjson_text_add(text, "\"");
    for (i = 0; i < peer_data.len && text->quoted < CN_PBJSON_QUOTED; i++, text->quoted++) {
        unsigned char c = (unsigned char)peer_data.data[i];
        char part[5] = {0};
        if (c >= 0x20 && c < 0x7F) {
            part[0] = (char)c;
        } else {
            part[0] = '\\';
            part[1] = 'x';
            part[2] = hex[c >> 4];
            part[3] = hex[c & 15];
        }
        cn_pbjson_text_add(text, part);
    }
    cn_pbjson_text_add(text, i < peer_data.len ? "...\"" : "\"");
}

static void cn_pbjson_text_add_path(cn_pbjson_text_t *text, const cn_pbjson_step_t *last) {
    const cn_pbjson_step_t *step = NULL, *inner;
    while (step != last) { /* outermost first, without recursion and without a list of them */
        for (inner = last; inner->outer != step; inner = inner->outer) {}
        step = inner;
        if (!step->field) continue;
        if (text->len) cn_pbjson_text_add(text, ".");
        cn_pbjson_text_add(text, step->type->names + step->field->name);
        if (step->place == CN_PBJSON_MEMBER) continue;
        cn_pbjson_text_add(text, "[");
        if (step->place == CN_PBJSON_ITEM)
            cn_pbjson_text_add_uint(text, step->index);
        else
            cn_pbjson_text_quote(text, step->key);
        cn_pbjson_text_add(text, "]");
    }
}

CN_PRIVATE void cn_pbjson_text_make(
    cn_pbjson_text_t *text, const cn_pbjson_step_t *path, const char *reason, const connect_str_t *peer_data) {
    text->len = text->quoted = 0;
    text->data[0] = 0;
    if (path) cn_pbjson_text_add_path(text, path);
    if (text->len) {
        if (text->len > CN_PBJSON_TEXT - 200) { /* the reason must fit */
            text->len = CN_PBJSON_TEXT - 200;
            cn_pbjson_text_add(text, "...");
        }
        cn_pbjson_text_add(text, ": ");
    }
    cn_pbjson_text_add(text, reason);
    if (peer_data) {
        cn_pbjson_text_add(text, " ");
        cn_pbjson_text_quote(text, *peer_data);
    }
}

CN_PRIVATE const connect_codec_options_t *cn_pbjson_options(const connect_codec_options_t *options_or_null) {
    static const connect_codec_options_t defaults = {0};
    return options_or_null ? options_or_null : &defaults;
}

CN_PRIVATE bool cn_pbjson_is_null_value(const connect_type_t *type, const connect_field_t *field) {
    return field->kind == CONNECT_KIND_ENUM &&
        strcmp(type->enums[field->type]->full_name, "google.protobuf.NullValue") == 0;
}

CN_PRIVATE bool cn_pbjson_required_present(
    const connect_type_t *type, const void *message, const connect_field_t **missing) {
    size_t i;
    if (!type->has_required) return true;
    for (i = 0; i < type->field_count; i++) {
        *missing = &type->fields[i];
        if (((*missing)->flags & CONNECT_FIELD_REQUIRED) && !cn_message_has(*missing, message)) return false;
    }
    return true;
}

CN_PRIVATE const connect_type_t *cn_pbjson_any_type(connect_schema_t schema, connect_str_t url) {
    size_t slash = url.len, i, j;
    while (slash > 0 && url.data[slash - 1] != '/')
        slash--;
    if (slash < 2) return NULL;
    url.data += slash;
    url.len -= slash;
    for (i = 0; i < schema.count; i++) {
        const connect_file_t *file = schema.files[i];
        for (j = 0; j < file->types.count; j++) {
            const connect_type_t *type = file->types.items[j];
            if (!type->is_map_entry && connect_str_equal(connect_str_of(type->full_name), url)) return type;
        }
    }
    return NULL;
}

CN_PRIVATE const connect_extension_t *cn_pbjson_extension(
    connect_schema_t schema, const connect_type_t *type, connect_str_t name) {
    size_t i, j;
    if (name.len < 3 || name.data[0] != '[' || name.data[name.len - 1] != ']') return NULL;
    name.data++;
    name.len -= 2;
    for (i = 0; i < schema.count; i++) {
        const connect_file_t *file = schema.files[i];
        for (j = 0; j < file->extensions.count; j++) {
            const connect_extension_t *extension = file->extensions.items[j];
            if (extension->extendee == type && connect_str_equal(connect_str_of(extension->holder->full_name), name))
                return extension;
        }
    }
    return NULL;
}

CN_PRIVATE bool cn_pbjson_any_has_value(const connect_type_t *type) {
    return type->form != CONNECT_FORM_PLAIN && type->form != CONNECT_FORM_EMPTY;
}
#endif

/* #### src/codec/pbjson_decode.c ################################################################################### */
#if CONNECT_ENABLE_JSON
/* Messages as JSON, driven by the tables of a connect_type_t (protobuf.dev, "ProtoJSON Format").

       kind                   written                        read, too
       bool                   true, false
       32-bit integers        numbers                        strings that hold a number; 1.0, 1e3
       64-bit integers        strings                        numbers
       float, double          shortest that reads back;      strings that hold a number
                              "NaN", "Infinity", "-Infinity"
       string                 a string
       bytes                  base64, padded                 the other alphabet, and unpadded
       enum                   its name; a number, if it      the number
                              has none; NullValue: null
       message, group         an object, or a form of its own
       repeated               an array
       map                    an object, keys as strings

   Decoding. Names are those of the schema or their lowerCamelCase form; the field after the last one found is tried
   first, then the perfect hash, or each in turn. null stands for "absent", except for google.protobuf.Value and
   NullValue, where it is a value; in a list and in a map it is refused elsewhere. An unknown name is skipped, and so is
   an unknown enum value, unless json_strict. A name may not stand twice in an object, under whichever spelling; of a
   oneof there may be one member; a map has each key once. Strings are views of the input unless they were escaped or
   options->copy. options->merge decodes into a new message, and merges that.

   Extensions of the types in options->schema are members "[full.name]".

   Limits: recursion is counted as in protobuf binary, one for each message below the first and for each map entry;
   the text may nest twice as deep, since lists have no message of their own. The budget, memory_max, pays for list
   items, messages and the text that is read twice on account of an Any, before they are taken.

   An Any is {"@type": "type.googleapis.com/x.Y", ...}: the fields of x.Y, or "value" if x.Y has a form of its own. The
   type may stand anywhere in the object, so it is looked for first, and then the object is read again. What an Any
   holds is protobuf binary: it is decoded and encoded on the way. */

typedef struct cn_pbjson_decoder_t {
    cn_json_reader_t reader;
    connect_arena_t *arena;
    const connect_codec_options_t *options;
    connect_error_t *error;
    const cn_pbjson_step_t *path;
    uint64_t memory_left;
    uint32_t depth_left;
} cn_pbjson_decoder_t;

typedef enum cn_pbjson_result_t { CN_PBJSON_FAILED, CN_PBJSON_DONE, CN_PBJSON_DROPPED } cn_pbjson_result_t;

static bool cn_pbjson_read_message(
    cn_pbjson_decoder_t *decoder, const connect_type_t *type, void *message, cn_json_token_t token);

/* Fails at a place in the text. */
static bool cn_pbjson_fail_at(cn_pbjson_decoder_t *decoder, const char *place, connect_code_t code, const char *reason,
    const connect_str_t *peer_data) {
    cn_pbjson_text_t text;
    connect_str_t whole;
    size_t line, column;
    if (!decoder->error) return false;
    cn_error_set(decoder->error, code, reason); /* if the arena has no room for more */
    cn_json_position_of(&decoder->reader, place, &line, &column);
    cn_pbjson_text_make(&text, decoder->path, reason, peer_data);
    whole = connect_arena_printf(
        decoder->arena, "line %lu, column %lu: %s", (unsigned long)line, (unsigned long)column, text.data);
    if (whole.data) decoder->error->message = whole;
    return false;
}

/* Fails at the last token. */
static bool cn_pbjson_fail(cn_pbjson_decoder_t *decoder, const char *reason) {
    return cn_pbjson_fail_at(decoder, decoder->reader.token, CONNECT_INVALID_ARGUMENT, reason, NULL);
}

static bool cn_pbjson_fail_memory(cn_pbjson_decoder_t *decoder) {
    return cn_error_memory(decoder->error);
}

/* Fails as the reader did, if the token is its error, or for another reason. */
static bool cn_pbjson_refuse(cn_pbjson_decoder_t *decoder, cn_json_token_t token, const char *reason) {
    if (token != CN_JSON_ERROR) return cn_pbjson_fail(decoder, reason);
    if (decoder->reader.out_of_memory) return cn_pbjson_fail_memory(decoder);
    return cn_pbjson_fail_at(decoder, decoder->reader.at, CONNECT_INVALID_ARGUMENT, decoder->reader.error, NULL);
}

/* Takes from the budget. */
static inline bool cn_pbjson_pay(cn_pbjson_decoder_t *decoder, size_t size) {
    if (CN_UNLIKELY(size > decoder->memory_left))
        return cn_pbjson_fail_at(decoder, decoder->reader.token, CONNECT_RESOURCE_EXHAUSTED,
            "decoded elements need more than memory_max", NULL);
    decoder->memory_left -= size;
    return true;
}

static bool cn_pbjson_descend(cn_pbjson_decoder_t *decoder) {
    if (CN_UNLIKELY(decoder->depth_left == 0)) return cn_pbjson_fail(decoder, "nested deeper than depth_max");
    decoder->depth_left--;
    return true;
}

static bool cn_pbjson_skip(cn_pbjson_decoder_t *decoder) {
    cn_json_token_t token = cn_json_next(&decoder->reader);
    return cn_json_skip(&decoder->reader, token) ? true : cn_pbjson_refuse(decoder, CN_JSON_ERROR, NULL);
}

/* The string that was just read, as it will stay. */
static bool cn_pbjson_keep_text(cn_pbjson_decoder_t *decoder, connect_str_t *text) {
    *text = decoder->reader.text;
    if (!decoder->options->copy || decoder->reader.escaped) return true;
    *text = connect_arena_copy(decoder->arena, *text);
    return text->data ? true : cn_pbjson_fail_memory(decoder);
}

/* The number that the token is, or that its string holds; NULL: neither, and it failed. */
static const cn_number_t *cn_pbjson_number(cn_pbjson_decoder_t *decoder, cn_json_token_t token) {
    cn_json_reader_t *reader = &decoder->reader;
    if (CN_LIKELY(token == CN_JSON_NUMBER)) return &reader->number;
    if (token == CN_JSON_STRING && cn_number_read(&reader->number, reader->text)) return &reader->number;
    cn_pbjson_refuse(decoder, token, "expected a number");
    return NULL;
}

static bool cn_pbjson_fail_number(cn_pbjson_decoder_t *decoder, cn_number_result_t result) {
    return cn_pbjson_fail(decoder, result == CN_NUMBER_FRACTION ? "expected an integer" : "a number out of range");
}

static bool cn_pbjson_read_int(
    cn_pbjson_decoder_t *decoder, cn_json_token_t token, int64_t min, int64_t max, int64_t *value) {
    const cn_number_t *number = cn_pbjson_number(decoder, token);
    cn_number_result_t result;
    if (CN_UNLIKELY(!number)) return false;
    result = cn_number_as_int(number, min, max, value);
    return CN_LIKELY(result == CN_NUMBER_OK) ? true : cn_pbjson_fail_number(decoder, result);
}

static bool cn_pbjson_read_uint(cn_pbjson_decoder_t *decoder, cn_json_token_t token, uint64_t max, uint64_t *value) {
    const cn_number_t *number = cn_pbjson_number(decoder, token);
    cn_number_result_t result;
    if (CN_UNLIKELY(!number)) return false;
    result = cn_number_as_uint(number, max, value);
    return CN_LIKELY(result == CN_NUMBER_OK) ? true : cn_pbjson_fail_number(decoder, result);
}

/* The number of a value that JSON has no number for. */
static bool cn_pbjson_special(connect_str_t text, double *value) {
    static const struct {
        const char *name;
        uint64_t bits;
    } specials[] = {
        {"NaN", 0x7FF8000000000000u}, {"Infinity", 0x7FF0000000000000u}, {"-Infinity", 0xFFF0000000000000u}};
    size_t i;
    for (i = 0; i < CN_LEN(specials); i++)
        if (connect_str_equal(text, connect_str_of(specials[i].name))) {
            memcpy(value, &specials[i].bits, sizeof *value);
            return true;
        }
    return false;
}

static bool cn_pbjson_read_double(cn_pbjson_decoder_t *decoder, cn_json_token_t token, double *value) {
    const cn_number_t *number;
    cn_number_result_t result;
    if (token == CN_JSON_STRING && cn_pbjson_special(decoder->reader.text, value)) return true;
    number = cn_pbjson_number(decoder, token);
    if (CN_UNLIKELY(!number)) return false;
    result = cn_number_as_double(number, value);
    return CN_LIKELY(result == CN_NUMBER_OK) ? true : cn_pbjson_fail_number(decoder, result);
}

static bool cn_pbjson_read_float(cn_pbjson_decoder_t *decoder, cn_json_token_t token, float *value) {
    const cn_number_t *number;
    cn_number_result_t result;
    double special;
    if (token == CN_JSON_STRING && cn_pbjson_special(decoder->reader.text, &special)) {
        *value = (float)special;
        return true;
    }
    number = cn_pbjson_number(decoder, token);
    if (CN_UNLIKELY(!number)) return false;
    result = cn_number_as_float(number, value);
    return CN_LIKELY(result == CN_NUMBER_OK) ? true : cn_pbjson_fail_number(decoder, result);
}

static bool cn_pbjson_read_bytes(cn_pbjson_decoder_t *decoder, cn_json_token_t token, connect_str_t *bytes) {
    size_t room;
    char *to;
    if (token != CN_JSON_STRING) return cn_pbjson_refuse(decoder, token, "expected a string of base64");
    room = cn_base64_decoded_max(decoder->reader.text.len);
    to = (char *)cn_arena_raw(decoder->arena, room);
    if (!to) return cn_pbjson_fail_memory(decoder);
    if (!cn_base64_decode(to, &bytes->len, decoder->reader.text))
        return cn_pbjson_fail(decoder, "expected a string of base64");
    cn_arena_shrink(decoder->arena, to, room, bytes->len);
    bytes->data = to;
    return true;
}

static cn_pbjson_result_t cn_pbjson_read_enum(cn_pbjson_decoder_t *decoder, const connect_type_t *type,
    const connect_field_t *field, cn_json_token_t token, int32_t *value) {
    const connect_enum_t *names = type->enums[field->type];
    if (token == CN_JSON_NUMBER) {
        int64_t number;
        if (!cn_pbjson_read_int(decoder, token, INT32_MIN, INT32_MAX, &number)) return CN_PBJSON_FAILED;
        *value = (int32_t)number;
        if (!names->closed || cn_message_enum_has(names, *value)) return CN_PBJSON_DONE;
    } else if (token == CN_JSON_STRING) {
        if (connect_enum_number(names, decoder->reader.text, value)) return CN_PBJSON_DONE;
    } else if (token == CN_JSON_NULL && cn_pbjson_is_null_value(type, field)) {
        *value = 0;
        return CN_PBJSON_DONE;
    } else {
        cn_pbjson_refuse(decoder, token, "expected the name or the number of an enum value");
        return CN_PBJSON_FAILED;
    }
    if (!decoder->options->json_strict) return CN_PBJSON_DROPPED;
    cn_pbjson_fail_at(
        decoder, decoder->reader.token, CONNECT_INVALID_ARGUMENT, "unknown enum value", &decoder->reader.text);
    return CN_PBJSON_FAILED;
}

/* to: where the member stands, or an item of a list. */
static cn_pbjson_result_t cn_pbjson_read_scalar(cn_pbjson_decoder_t *decoder, const connect_type_t *type,
    const connect_field_t *field, cn_json_token_t token, char *to) {
    bool ok;
    switch (field->kind) {
    case CONNECT_KIND_BOOL: {
        bool value = token == CN_JSON_TRUE;
        if (!value && token != CN_JSON_FALSE) {
            cn_pbjson_refuse(decoder, token, "expected true or false");
            return CN_PBJSON_FAILED;
        }
        memcpy(to, &value, sizeof value);
        return CN_PBJSON_DONE;
    }
    case CONNECT_KIND_INT32:
    case CONNECT_KIND_SINT32:
    case CONNECT_KIND_SFIXED32: {
        int64_t number = 0;
        int32_t value;
        ok = cn_pbjson_read_int(decoder, token, INT32_MIN, INT32_MAX, &number);
        value = (int32_t)number;
        memcpy(to, &value, sizeof value);
        break;
    }
    case CONNECT_KIND_UINT32:
    case CONNECT_KIND_FIXED32: {
        uint64_t number = 0;
        uint32_t value;
        ok = cn_pbjson_read_uint(decoder, token, UINT32_MAX, &number);
        value = (uint32_t)number;
        memcpy(to, &value, sizeof value);
        break;
    }
    case CONNECT_KIND_INT64:
    case CONNECT_KIND_SINT64:
    case CONNECT_KIND_SFIXED64: {
        int64_t value = 0;
        ok = cn_pbjson_read_int(decoder, token, INT64_MIN, INT64_MAX, &value);
        memcpy(to, &value, sizeof value);
        break;
    }
    case CONNECT_KIND_UINT64:
    case CONNECT_KIND_FIXED64: {
        uint64_t value = 0;
        ok = cn_pbjson_read_uint(decoder, token, UINT64_MAX, &value);
        memcpy(to, &value, sizeof value);
        break;
    }
    case CONNECT_KIND_FLOAT: {
        float value = 0;
        ok = cn_pbjson_read_float(decoder, token, &value);
        memcpy(to, &value, sizeof value);
        break;
    }
    case CONNECT_KIND_DOUBLE: {
        double value = 0;
        ok = cn_pbjson_read_double(decoder, token, &value);
        memcpy(to, &value, sizeof value);
        break;
    }
    case CONNECT_KIND_STRING: {
        connect_str_t value = {NULL, 0};
        ok = token == CN_JSON_STRING ? cn_pbjson_keep_text(decoder, &value)
                                     : cn_pbjson_refuse(decoder, token, "expected a string");
        memcpy(to, &value, sizeof value);
        break;
    }
    case CONNECT_KIND_BYTES: {
        connect_str_t value = {NULL, 0};
        ok = cn_pbjson_read_bytes(decoder, token, &value);
        memcpy(to, &value, sizeof value);
        break;
    }
    default: {
        int32_t value = 0;
        cn_pbjson_result_t result = cn_pbjson_read_enum(decoder, type, field, token, &value);
        if (result == CN_PBJSON_DONE) memcpy(to, &value, sizeof value);
        return result;
    }
    }
    return ok ? CN_PBJSON_DONE : CN_PBJSON_FAILED;
}

/* A new message, and a pointer to it where the member stands. */
static bool cn_pbjson_read_pointer(
    cn_pbjson_decoder_t *decoder, const connect_type_t *type, cn_json_token_t token, char *to) {
    void *message;
    if (!cn_pbjson_pay(decoder, type->size)) return false;
    message = cn_arena_raw(decoder->arena, type->size);
    if (!message) return cn_pbjson_fail_memory(decoder);
    connect_message_init(type, message);
    memcpy(to, &message, sizeof message);
    if (!cn_pbjson_descend(decoder) || !cn_pbjson_read_message(decoder, type, message, token)) return false;
    decoder->depth_left++;
    return true;
}

/* null is a value of this field. */
static bool cn_pbjson_takes_null(const connect_type_t *type, const connect_field_t *field) {
    if (field->kind == CONNECT_KIND_MESSAGE) return type->types[field->type]->form == CONNECT_FORM_VALUE;
    return cn_pbjson_is_null_value(type, field);
}

typedef struct cn_pbjson_items_t { /* a list that grows; its capacity is paid for */
    char *items;
    size_t count, capacity, size;
} cn_pbjson_items_t;

static CN_APART bool cn_pbjson_items_grow(cn_pbjson_decoder_t *decoder, cn_pbjson_items_t *list) {
    size_t capacity = list->capacity ? list->capacity * 2 : CN_MAX((size_t)64 / list->size, (size_t)2);
    char *items;
    if ((capacity - list->capacity) > decoder->memory_left / list->size) capacity = list->capacity + 1;
    if (!cn_pbjson_pay(decoder, (capacity - list->capacity) * list->size)) return false;
    items = (char *)cn_arena_grow(decoder->arena, list->items, list->capacity * list->size, capacity * list->size);
    if (!items) return cn_pbjson_fail_memory(decoder);
    list->items = items;
    list->capacity = capacity;
    return true;
}

/* Room for one item more; NULL: it failed. */
static inline CN_HOT char *cn_pbjson_items_add(cn_pbjson_decoder_t *decoder, cn_pbjson_items_t *list) {
    if (CN_UNLIKELY(list->count == list->capacity) && !cn_pbjson_items_grow(decoder, list)) return NULL;
    return list->items + list->count * list->size;
}

static void cn_pbjson_items_finish(cn_pbjson_decoder_t *decoder, cn_pbjson_items_t *list, char *to) {
    cn_message_list_t finished;
    finished.items = list->items;
    finished.count = list->count;
    if (list->items)
        cn_arena_shrink(decoder->arena, list->items, list->capacity * list->size, list->count * list->size);
    decoder->memory_left += (list->capacity - list->count) * list->size;
    memcpy(to, &finished, sizeof finished);
}

/* The largest value of an integer kind; 0: another kind. */
static uint64_t cn_pbjson_integer_max(uint8_t kind) {
    switch (kind) {
    case CONNECT_KIND_INT32:
    case CONNECT_KIND_SINT32:
    case CONNECT_KIND_SFIXED32: return INT32_MAX;
    case CONNECT_KIND_UINT32:
    case CONNECT_KIND_FIXED32: return UINT32_MAX;
    case CONNECT_KIND_INT64:
    case CONNECT_KIND_SINT64:
    case CONNECT_KIND_SFIXED64:
    case CONNECT_KIND_UINT64:
    case CONNECT_KIND_FIXED64: return INT64_MAX;
    default: return 0;
    }
}

/* Reads plain integers as long as they come, one behind the other. Returns false if it failed. */
static bool cn_pbjson_read_plain(
    cn_pbjson_decoder_t *decoder, cn_pbjson_items_t *list, cn_pbjson_step_t *step, uint64_t max) {
    uint64_t value;
    for (; cn_json_next_uint(&decoder->reader, &value); step->index++) {
        char *item = cn_pbjson_items_add(decoder, list);
        if (CN_UNLIKELY(!item)) return false;
        if (CN_UNLIKELY(value > max)) return cn_pbjson_fail_number(decoder, CN_NUMBER_RANGE);
        if (list->size == 8) {
            memcpy(item, &value, 8);
        } else {
            const uint32_t low = (uint32_t)value;
            memcpy(item, &low, 4);
        }
        list->count++;
    }
    return true;
}

static bool cn_pbjson_read_list(cn_pbjson_decoder_t *decoder, const connect_type_t *type, const connect_field_t *field,
    cn_pbjson_step_t *step, cn_json_token_t token, char *to) {
    const connect_type_t *item_type = cn_message_is_message(field) ? type->types[field->type] : NULL;
    const bool takes_null = cn_pbjson_takes_null(type, field);
    const uint64_t integer_max = cn_pbjson_integer_max(field->kind);
    cn_pbjson_items_t list = {NULL, 0, 0, 0};
    list.size = cn_message_value_size(type, field);
    if (token != CN_JSON_ARRAY_BEGIN) return cn_pbjson_refuse(decoder, token, "expected an array");
    step->place = CN_PBJSON_ITEM;
    for (step->index = 0;; step->index++) {
        char *item;
        if (integer_max && !cn_pbjson_read_plain(decoder, &list, step, integer_max)) return false;
        token = cn_json_next(&decoder->reader);
        if (token == CN_JSON_ARRAY_END) break;
        if (token == CN_JSON_NULL && !takes_null) return cn_pbjson_fail(decoder, "null in a list");
        item = cn_pbjson_items_add(decoder, &list);
        if (!item) return false;
        if (item_type) {
            connect_message_init(item_type, item);
            if (!cn_pbjson_descend(decoder) || !cn_pbjson_read_message(decoder, item_type, item, token)) return false;
            decoder->depth_left++;
        } else {
            cn_pbjson_result_t result = cn_pbjson_read_scalar(decoder, type, field, token, item);
            if (result == CN_PBJSON_FAILED) return false;
            if (result == CN_PBJSON_DROPPED) continue;
        }
        list.count++;
    }
    step->place = CN_PBJSON_MEMBER;
    cn_pbjson_items_finish(decoder, &list, to);
    return true;
}

/* The name that was just read, as a map's key. */
static bool cn_pbjson_read_key(cn_pbjson_decoder_t *decoder, const connect_type_t *entry_type, char *entry) {
    const connect_field_t *key = &entry_type->fields[0];
    connect_str_t text = decoder->reader.text;
    char *to = entry + key->offset;
    bool value;
    if (key->kind != CONNECT_KIND_BOOL)
        return cn_pbjson_read_scalar(decoder, entry_type, key, CN_JSON_STRING, to) == CN_PBJSON_DONE;
    value = connect_str_equal(text, CN_STR("true"));
    if (!value && !connect_str_equal(text, CN_STR("false")))
        return cn_pbjson_fail(decoder, "expected \"true\" or \"false\"");
    memcpy(to, &value, sizeof value);
    return true;
}

static bool cn_pbjson_check_keys(
    cn_pbjson_decoder_t *decoder, const connect_type_t *entry_type, const cn_pbjson_items_t *items) {
    cn_message_list_t list;
    const char **sorted;
    bool again = false;
    size_t i, size;
    list.items = items->items;
    list.count = items->count;
    if (cn_map_key_ascend(entry_type, list)) return true;
    if (list.count <= CN_PBJSON_KEY_PARTS) {
        for (i = 0; i < list.count && !again; i++)
            again = cn_map_key_again(entry_type, list, i);
    } else {
        size = list.count * sizeof *sorted; /* no more than the entries have */
        sorted = (const char **)cn_arena_raw(decoder->arena, size);
        if (!sorted) return cn_pbjson_fail_memory(decoder);
        cn_map_key_sort(entry_type, sorted, list);
        for (i = 1; i < list.count && !again; i++)
            again = cn_map_key_compare(entry_type, sorted[i - 1], sorted[i]) == 0;
        cn_arena_shrink(decoder->arena, (void *)sorted, size, 0);
    }
    return again ? cn_pbjson_fail(decoder, "a key that stands twice") : true;
}

static bool cn_pbjson_read_map(cn_pbjson_decoder_t *decoder, const connect_type_t *type, const connect_field_t *field,
    cn_pbjson_step_t *step, cn_json_token_t token, char *to) {
    const connect_type_t *entry_type = type->types[field->type];
    const connect_field_t *value = &entry_type->fields[1];
    const bool takes_null = cn_pbjson_takes_null(entry_type, value);
    cn_pbjson_items_t list = {NULL, 0, 0, 0};
    list.size = entry_type->size;
    if (token != CN_JSON_OBJECT_BEGIN) return cn_pbjson_refuse(decoder, token, "expected an object");
    if (!cn_pbjson_descend(decoder)) return false;
    for (;;) {
        char *entry;
        token = cn_json_next(&decoder->reader);
        if (token == CN_JSON_OBJECT_END) break;
        if (token != CN_JSON_NAME) return cn_pbjson_refuse(decoder, token, NULL);
        step->place = CN_PBJSON_ENTRY;
        step->key = decoder->reader.text;
        entry = cn_pbjson_items_add(decoder, &list);
        if (!entry) return false;
        connect_message_init(entry_type, entry);
        if (!cn_pbjson_read_key(decoder, entry_type, entry)) return false;
        token = cn_json_next(&decoder->reader);
        if (token == CN_JSON_NULL && !takes_null) return cn_pbjson_fail(decoder, "null in a map");
        if (cn_message_is_message(value)) {
            if (!cn_pbjson_read_pointer(decoder, entry_type->types[value->type], token, entry + value->offset))
                return false;
        } else {
            cn_pbjson_result_t result = cn_pbjson_read_scalar(decoder, entry_type, value, token, entry + value->offset);
            if (result == CN_PBJSON_FAILED) return false;
            if (result == CN_PBJSON_DROPPED) continue;
        }
        list.count++;
    }
    step->place = CN_PBJSON_MEMBER;
    decoder->depth_left++;
    if (list.count > 1 && !cn_pbjson_check_keys(decoder, entry_type, &list)) return false;
    cn_pbjson_items_finish(decoder, &list, to);
    return true;
}

static inline CN_HOT bool cn_pbjson_name_equal(const char *names, size_t at, connect_str_t name) {
    const char *text = names + at;
    size_t i, len = cn_message_name_len(names, at);
    if (CN_LIKELY(len != 0)) return len == name.len && cn_mem_equal(text, name.data, len);
    for (i = 0; i < name.len; i++)
        if (text[i] != name.data[i] || !text[i]) return false;
    return !text[i];
}

static inline CN_HOT bool cn_pbjson_field_named(const connect_type_t *type, size_t index, connect_str_t name) {
    const connect_field_t *field = &type->fields[index];
    return cn_pbjson_name_equal(type->names, field->json_name, name) ||
        (field->json_name != field->name && cn_pbjson_name_equal(type->names, field->name, name));
}

/* The index of the field of that name; type->field_count: there is none. next: the one to try first. */
static size_t cn_pbjson_find_field(const connect_type_t *type, size_t next, connect_str_t name) {
    size_t i;
    if (CN_LIKELY(next < type->field_count && cn_pbjson_field_named(type, next, name))) return next;
    if (type->name_slots) {
        i = type->name_slots[1 + cn_message_name_slot(name, type->name_seed, type->name_slots[0])];
        return i && cn_pbjson_field_named(type, i - 1, name) ? i - 1 : type->field_count;
    }
    for (i = next; i < type->field_count; i++)
        if (cn_pbjson_field_named(type, i, name)) return i;
    for (i = 0; i < next && i < type->field_count; i++)
        if (cn_pbjson_field_named(type, i, name)) return i;
    return type->field_count;
}

static bool cn_pbjson_read_field(cn_pbjson_decoder_t *decoder, const connect_type_t *type, void *message,
    const connect_field_t *field, cn_pbjson_step_t *step) {
    cn_json_token_t token = cn_json_next(&decoder->reader);
    char *to = (char *)message + field->offset;
    if (token == CN_JSON_NULL && ((field->flags & CONNECT_FIELD_REPEATED) || !cn_pbjson_takes_null(type, field)))
        return true;
    if (field->flags & CONNECT_FIELD_MAP) return cn_pbjson_read_map(decoder, type, field, step, token, to);
    if (field->flags & CONNECT_FIELD_REPEATED) return cn_pbjson_read_list(decoder, type, field, step, token, to);
    if (field->flags & CONNECT_FIELD_ONEOF) {
        int32_t number;
        memcpy(&number, (const char *)message + field->presence, sizeof number);
        if (number) return cn_pbjson_fail(decoder, "another member of the oneof is set already");
    }
    if (cn_message_is_message(field)) {
        if (!cn_pbjson_read_pointer(decoder, type->types[field->type], token, to)) return false;
    } else {
        cn_pbjson_result_t result = cn_pbjson_read_scalar(decoder, type, field, token, to);
        if (result != CN_PBJSON_DONE) return result == CN_PBJSON_DROPPED;
    }
    cn_message_mark(field, message);
    return true;
}

/* An extension, which is not a member of the struct: read into its holder, then put among the unknown fields. */
static bool cn_pbjson_read_extension(
    cn_pbjson_decoder_t *decoder, const connect_extension_t *extension, void *message) {
    const connect_field_t *field = cn_extension_field(extension);
    cn_pbjson_step_t step = {decoder->path, extension->holder, field, 0, {NULL, 0}, CN_PBJSON_MEMBER};
    void *holder;
    decoder->path = &step;
    if (cn_extension_has(extension, message)) return cn_pbjson_fail(decoder, "a field that stands twice");
    if (!cn_pbjson_pay(decoder, extension->holder->size)) return false;
    holder = cn_arena_raw(decoder->arena, extension->holder->size);
    if (!holder) return cn_pbjson_fail_memory(decoder);
    connect_message_init(extension->holder, holder);
    if (!cn_pbjson_read_field(decoder, extension->holder, holder, field, &step)) return false;
    decoder->path = step.outer;
    if (!cn_message_has(field, holder) || decoder->options->drop_unknown) return true;
    return connect_extension_set(extension, message, holder, decoder->arena) ? true : cn_pbjson_fail_memory(decoder);
}

/* Reads up to the end of an object. in_any: the member @type is passed by. */
static bool cn_pbjson_read_members(
    cn_pbjson_decoder_t *decoder, const connect_type_t *type, void *message, bool in_any) {
    cn_pbjson_step_t step = {decoder->path, type, NULL, 0, {NULL, 0}, CN_PBJSON_MEMBER};
    uint64_t few[4] = {0, 0, 0, 0}, *seen = few; /* a bit for each field */
    const connect_field_t *missing;
    size_t next = 0;
    decoder->path = &step;
    if (type->field_count > 256) {
        size_t words = ((size_t)type->field_count + 63) / 64;
        if (!cn_pbjson_pay(decoder, words * sizeof *seen)) return false;
        seen = (uint64_t *)connect_arena_take(decoder->arena, words, sizeof *seen);
        if (!seen) return cn_pbjson_fail_memory(decoder);
    }
    for (;;) {
        cn_json_token_t token = cn_json_next(&decoder->reader);
        connect_str_t name = decoder->reader.text;
        size_t index;
        step.field = NULL;
        if (token == CN_JSON_OBJECT_END) break;
        if (token != CN_JSON_NAME) return cn_pbjson_refuse(decoder, token, NULL);
        index = cn_pbjson_find_field(type, next, name);
        if (CN_UNLIKELY(index == type->field_count)) {
            const connect_extension_t *extension = cn_pbjson_extension(decoder->options->schema, type, name);
            if (extension && type->keeps_unknown) {
                if (!cn_pbjson_read_extension(decoder, extension, message)) return false;
                continue;
            }
            if (decoder->options->json_strict && !(in_any && connect_str_equal(name, CN_STR("@type"))))
                return cn_pbjson_fail_at(
                    decoder, decoder->reader.token, CONNECT_INVALID_ARGUMENT, "unknown field", &name);
            if (!cn_pbjson_skip(decoder)) return false;
            continue;
        }
        step.field = &type->fields[index];
        if (seen[index / 64] >> (index % 64) & 1) return cn_pbjson_fail(decoder, "a field that stands twice");
        seen[index / 64] |= (uint64_t)1 << (index % 64);
        next = index + 1;
        if (!cn_pbjson_read_field(decoder, type, message, step.field, &step)) return false;
    }
    if (!decoder->options->partial && !cn_pbjson_required_present(type, message, &missing)) {
        step.field = missing;
        return cn_pbjson_fail(decoder, "required field is missing");
    }
    decoder->path = step.outer;
    return true;
}

/* ---- Decoding: forms of their own ---- */

static bool cn_pbjson_read_time(
    cn_pbjson_decoder_t *decoder, const connect_type_t *type, char *message, cn_json_token_t token) {
    const bool duration = type->form == CONNECT_FORM_DURATION;
    int64_t seconds = 0;
    int32_t nanos = 0;
    if (token != CN_JSON_STRING ||
        !(duration ? cn_wkt_duration_from_text(decoder->reader.text, &seconds, &nanos)
                   : cn_wkt_timestamp_from_text(decoder->reader.text, &seconds, &nanos)))
        return cn_pbjson_refuse(decoder, token,
            duration ? "expected a duration, as \"1.5s\"" : "expected a time, as \"1970-01-01T00:00:00Z\"");
    memcpy(message + type->fields[0].offset, &seconds, sizeof seconds);
    memcpy(message + type->fields[1].offset, &nanos, sizeof nanos);
    return true;
}

static bool cn_pbjson_read_field_mask(
    cn_pbjson_decoder_t *decoder, const connect_type_t *type, char *message, cn_json_token_t token) {
    cn_pbjson_items_t list = {NULL, 0, 0, sizeof(connect_str_t)};
    connect_str_t rest, part;
    if (token != CN_JSON_STRING) return cn_pbjson_refuse(decoder, token, "expected a string of field paths");
    rest = decoder->reader.text;
    if (rest.len == 0) return true;
    for (; cn_str_split(&rest, ',', &part); list.count++) {
        char *item = cn_pbjson_items_add(decoder, &list), *to;
        connect_str_t path;
        if (!item) return false;
        if (part.len > SIZE_MAX / 2) return cn_pbjson_fail_memory(decoder);
        to = (char *)cn_arena_raw(decoder->arena, part.len * 2);
        if (!to) return cn_pbjson_fail_memory(decoder);
        if (!cn_wkt_path_from_json(to, &path.len, part))
            return cn_pbjson_fail(decoder, "an underscore in a field path in lowerCamelCase");
        cn_arena_shrink(decoder->arena, to, part.len * 2, path.len);
        path.data = to;
        memcpy(item, &path, sizeof path);
    }
    cn_pbjson_items_finish(decoder, &list, message + type->fields[0].offset);
    return true;
}

static bool cn_pbjson_read_value(
    cn_pbjson_decoder_t *decoder, const connect_type_t *type, char *message, cn_json_token_t token) {
    const connect_field_t *field;
    size_t index;
    switch (token) {
    case CN_JSON_NULL: index = CN_PBJSON_VALUE_NULL; break;
    case CN_JSON_NUMBER: index = CN_PBJSON_VALUE_NUMBER; break;
    case CN_JSON_STRING: index = CN_PBJSON_VALUE_STRING; break;
    case CN_JSON_TRUE:
    case CN_JSON_FALSE: index = CN_PBJSON_VALUE_BOOL; break;
    case CN_JSON_OBJECT_BEGIN: index = CN_PBJSON_VALUE_STRUCT; break;
    case CN_JSON_ARRAY_BEGIN: index = CN_PBJSON_VALUE_LIST; break;
    default: return cn_pbjson_refuse(decoder, token, "expected a value");
    }
    field = &type->fields[index];
    cn_message_mark(field, message);
    if (cn_message_is_message(field))
        return cn_pbjson_read_pointer(decoder, type->types[field->type], token, message + field->offset);
    return cn_pbjson_read_scalar(decoder, type, field, token, message + field->offset) == CN_PBJSON_DONE;
}

/* A Struct or a ListValue: its one field, without its name. */
static bool cn_pbjson_read_only_field(
    cn_pbjson_decoder_t *decoder, const connect_type_t *type, char *message, cn_json_token_t token) {
    const connect_field_t *field = &type->fields[0];
    cn_pbjson_step_t step = {decoder->path, type, field, 0, {NULL, 0}, CN_PBJSON_MEMBER};
    bool ok;
    decoder->path = &step;
    if (field->flags & CONNECT_FIELD_MAP)
        ok = cn_pbjson_read_map(decoder, type, field, &step, token, message + field->offset);
    else
        ok = cn_pbjson_read_list(decoder, type, field, &step, token, message + field->offset);
    decoder->path = step.outer;
    return ok;
}

/* Looks for @type in the object that was begun. *url: absent if there is none; *empty: there is nothing at all. */
static bool cn_pbjson_find_any_type(cn_pbjson_decoder_t *decoder, connect_str_t *url, bool *empty) {
    const cn_json_reader_t begin = decoder->reader;
    cn_json_token_t token;
    *url = cn_str(NULL, 0);
    *empty = true;
    for (;;) {
        bool is_type;
        token = cn_json_next(&decoder->reader);
        if (token == CN_JSON_OBJECT_END) break;
        if (token != CN_JSON_NAME) return cn_pbjson_refuse(decoder, token, NULL);
        is_type = connect_str_equal(decoder->reader.text, CN_STR("@type"));
        if (is_type && url->data) return cn_pbjson_fail(decoder, "@type stands twice");
        if (!is_type) {
            if (!cn_pbjson_skip(decoder)) return false;
        } else {
            token = cn_json_next(&decoder->reader);
            if (token != CN_JSON_STRING) return cn_pbjson_refuse(decoder, token, "expected a type URL");
            if (!cn_pbjson_keep_text(decoder, url)) return false;
        }
        *empty = false;
    }
    if (!cn_pbjson_pay(decoder, (size_t)(decoder->reader.at - begin.at))) return false;
    decoder->reader = begin;
    return true;
}

/* {"@type": ..., "value": ...} */
static bool cn_pbjson_read_any_value(cn_pbjson_decoder_t *decoder, const connect_type_t *type, void *message) {
    bool found = false;
    for (;;) {
        cn_json_token_t token = cn_json_next(&decoder->reader);
        connect_str_t name = decoder->reader.text;
        if (token == CN_JSON_OBJECT_END) break;
        if (token != CN_JSON_NAME) return cn_pbjson_refuse(decoder, token, NULL);
        if (connect_str_equal(name, CN_STR("value"))) {
            if (found) return cn_pbjson_fail(decoder, "\"value\" stands twice");
            found = true;
            token = cn_json_next(&decoder->reader);
            if (!cn_pbjson_read_message(decoder, type, message, token)) return false;
        } else {
            if (decoder->options->json_strict && !connect_str_equal(name, CN_STR("@type")))
                return cn_pbjson_fail_at(
                    decoder, decoder->reader.token, CONNECT_INVALID_ARGUMENT, "unknown field", &name);
            if (!cn_pbjson_skip(decoder)) return false;
        }
    }
    return found ? true : cn_pbjson_fail(decoder, "expected \"value\" beside @type");
}

static bool cn_pbjson_read_any(
    cn_pbjson_decoder_t *decoder, const connect_type_t *type, char *message, cn_json_token_t token) {
    const char *place = decoder->reader.token;
    const connect_type_t *held_type;
    connect_codec_options_t options = *decoder->options;
    connect_str_t url, bytes;
    void *held;
    bool empty;
    if (token != CN_JSON_OBJECT_BEGIN) return cn_pbjson_refuse(decoder, token, "expected an object");
    if (!cn_pbjson_find_any_type(decoder, &url, &empty)) return false;
    if (empty) return cn_json_next(&decoder->reader) == CN_JSON_OBJECT_END;
    if (!url.data)
        return cn_pbjson_fail_at(decoder, place, CONNECT_INVALID_ARGUMENT, "expected @type, since it is an Any", NULL);
    held_type = cn_pbjson_any_type(decoder->options->schema, url);
    if (!held_type)
        return cn_pbjson_fail_at(decoder, place, CONNECT_INVALID_ARGUMENT, "the schema has no such type", &url);
    if (!cn_pbjson_pay(decoder, held_type->size)) return false;
    held = cn_arena_raw(decoder->arena, held_type->size);
    if (!held) return cn_pbjson_fail_memory(decoder);
    connect_message_init(held_type, held);
    if (!cn_pbjson_descend(decoder)) return false;
    if (!(cn_pbjson_any_has_value(held_type) ? cn_pbjson_read_any_value(decoder, held_type, held)
                                             : cn_pbjson_read_members(decoder, held_type, held, true)))
        return false;
    decoder->depth_left++;
    options.partial = true; /* that was looked at */
    bytes = connect_message_encode(held_type, held, decoder->arena, &options, decoder->error);
    if (!bytes.data) return false;
    memcpy(message + type->fields[0].offset, &url, sizeof url);
    memcpy(message + type->fields[1].offset, &bytes, sizeof bytes);
    return true;
}

static bool cn_pbjson_read_message(
    cn_pbjson_decoder_t *decoder, const connect_type_t *type, void *message, cn_json_token_t token) {
    switch (type->form) {
    case CONNECT_FORM_ANY: return cn_pbjson_read_any(decoder, type, (char *)message, token);
    case CONNECT_FORM_TIMESTAMP:
    case CONNECT_FORM_DURATION: return cn_pbjson_read_time(decoder, type, (char *)message, token);
    case CONNECT_FORM_FIELD_MASK: return cn_pbjson_read_field_mask(decoder, type, (char *)message, token);
    case CONNECT_FORM_STRUCT:
    case CONNECT_FORM_LIST: return cn_pbjson_read_only_field(decoder, type, (char *)message, token);
    case CONNECT_FORM_VALUE: return cn_pbjson_read_value(decoder, type, (char *)message, token);
    case CONNECT_FORM_WRAPPER:
        return cn_pbjson_read_scalar(
                   decoder, type, &type->fields[0], token, (char *)message + type->fields[0].offset) == CN_PBJSON_DONE;
    default:
        if (token != CN_JSON_OBJECT_BEGIN) return cn_pbjson_refuse(decoder, token, "expected an object");
        return cn_pbjson_read_members(decoder, type, message, false);
    }
}

static bool cn_pbjson_decode_new(const connect_type_t *type, void *message, connect_str_t json, connect_arena_t *arena,
    const connect_codec_options_t *options, connect_error_t *error) {
    const uint32_t depth = options->depth_max ? options->depth_max : CN_MESSAGE_DEPTH;
    cn_pbjson_decoder_t decoder;
    cn_json_token_t token;
    decoder.arena = arena;
    decoder.options = options;
    decoder.error = error;
    decoder.path = NULL;
    decoder.depth_left = depth;
    decoder.memory_left = options->memory_max ? options->memory_max : CN_MESSAGE_MEMORY;
    if (options->memory_max == CONNECT_UNLIMITED) decoder.memory_left = UINT64_MAX;
    cn_json_read(&decoder.reader, json, arena, depth < CN_JSON_DEPTH_MAX / 2 ? depth * 2 + 2 : CN_JSON_DEPTH_MAX);
    connect_message_init(type, message);
    token = cn_json_next(&decoder.reader);
    if (!cn_pbjson_read_message(&decoder, type, message, token)) return false;
    token = cn_json_next(&decoder.reader);
    return token == CN_JSON_END ? true : cn_pbjson_refuse(&decoder, token, NULL);
}

CN_PRIVATE bool cn_pbjson_decode(const connect_type_t *type, void *message, connect_str_t json, connect_arena_t *arena,
    const connect_codec_options_t *options, connect_error_t *error) {
    options = cn_pbjson_options(options);
    if (options->merge) {
        connect_codec_options_t fresh = *options;
        void *from = cn_arena_raw(arena, type->size);
        fresh.merge = false;
        if (!from) return cn_error_memory(error);
        if (!cn_pbjson_decode_new(type, from, json, arena, &fresh, error)) return false;
        return connect_message_merge(type, message, from, arena) ? true : cn_error_memory(error);
    }
    return cn_pbjson_decode_new(type, message, json, arena, options, error);
}

bool connect_message_decode_json(const connect_type_t *type, void *message, connect_str_t json, connect_arena_t *arena,
    const connect_codec_options_t *options, connect_error_t *error) {
    return cn_pbjson_decode(type, message, json, arena, options, error);
}
#endif

/* #### src/codec/pbjson_encode.c ################################################################################### */
#if CONNECT_ENABLE_JSON
/* Messages as JSON, written; the forms are told in pbjson_decode.c.

   Encoding. Fields in the order of their numbers, as they are present; unknown fields are left out, but for
   extensions that options->schema knows. Of a map's entries
   with the same key the last is written; deterministic: in the order of the keys (text by bytes, numbers by value). */

typedef struct cn_pbjson_encoder_t {
    cn_json_writer_t writer;
    const connect_codec_options_t *options;
    connect_arena_t *arena; /* for the error's text; may be NULL */
    connect_error_t *error;
    const cn_pbjson_step_t *path;
    uint32_t depth_left;
    bool in_arena; /* the queue's block stands in the arena */
} cn_pbjson_encoder_t;

static bool cn_pbjson_write_message(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const void *message);

/* A queue in an arena gives back the room that it does not need now, or, if it failed, all of it: a fixed arena may
   have no other room. */
static void cn_pbjson_yield(cn_pbjson_encoder_t *encoder, bool keep) {
    cn_buf_t *out = encoder->writer.out;
    if (!encoder->in_arena || !out->block) return;
    if (!keep) out->end = 0;
    cn_arena_shrink(encoder->arena, out->block, out->capacity + CN_SLACK, out->end + CN_SLACK);
    out->capacity = out->end;
}

static bool cn_pbjson_reject(cn_pbjson_encoder_t *encoder, const char *reason) {
    cn_pbjson_text_t text;
    connect_str_t whole = {NULL, 0};
    if (!encoder->error) return false;
    cn_error_set(encoder->error, CONNECT_INVALID_ARGUMENT, reason); /* if the arena has no room for more */
    cn_pbjson_text_make(&text, encoder->path, reason, NULL);
    cn_pbjson_yield(encoder, false);
    if (encoder->arena) whole = connect_arena_copy(encoder->arena, cn_str(text.data, text.len));
    if (whole.data) encoder->error->message = whole;
    return false;
}

/* Whether the writer is well. */
static bool cn_pbjson_written(cn_pbjson_encoder_t *encoder) {
    if (CN_LIKELY(!encoder->writer.failed)) return true;
    return encoder->writer.out_of_memory ? cn_error_memory(encoder->error)
                                         : cn_pbjson_reject(encoder, "text that is not UTF-8");
}

static void cn_pbjson_write_not_finite(cn_pbjson_encoder_t *encoder, bool nan, bool negative) {
    cn_json_quoted(&encoder->writer, nan ? CN_STR("NaN") : negative ? CN_STR("-Infinity") : CN_STR("Infinity"));
}

static void cn_pbjson_write_enum(
    cn_pbjson_encoder_t *encoder, const connect_type_t *type, const connect_field_t *field, int32_t value) {
    const char *name;
    if (cn_pbjson_is_null_value(type, field)) {
        cn_json_literal(&encoder->writer, CN_STR("null"));
        return;
    }
    name = encoder->options->json_enum_numbers ? NULL : connect_enum_name(type->enums[field->type], value);
    if (name)
        cn_json_quoted(&encoder->writer, connect_str_of(name));
    else
        cn_json_int(&encoder->writer, value, false);
}

/* at: where the member stands, or an item of a list. quoted: as a map's key. */
static bool cn_pbjson_write_scalar(
    cn_pbjson_encoder_t *encoder, const connect_type_t *type, const connect_field_t *field, const char *at) {
    switch (field->kind) {
    case CONNECT_KIND_BOOL: {
        bool value;
        memcpy(&value, at, sizeof value);
        cn_json_bool(&encoder->writer, value);
        break;
    }
    case CONNECT_KIND_INT32:
    case CONNECT_KIND_SINT32:
    case CONNECT_KIND_SFIXED32: {
        int32_t value;
        memcpy(&value, at, sizeof value);
        cn_json_int(&encoder->writer, value, false);
        break;
    }
    case CONNECT_KIND_UINT32:
    case CONNECT_KIND_FIXED32: {
        uint32_t value;
        memcpy(&value, at, sizeof value);
        cn_json_uint(&encoder->writer, value, false);
        break;
    }
    case CONNECT_KIND_INT64:
    case CONNECT_KIND_SINT64:
    case CONNECT_KIND_SFIXED64: {
        int64_t value;
        memcpy(&value, at, sizeof value);
        cn_json_int(&encoder->writer, value, true);
        break;
    }
    case CONNECT_KIND_UINT64:
    case CONNECT_KIND_FIXED64: {
        uint64_t value;
        memcpy(&value, at, sizeof value);
        cn_json_uint(&encoder->writer, value, true);
        break;
    }
    case CONNECT_KIND_FLOAT: {
        float value;
        memcpy(&value, at, sizeof value);
        if (value - value != 0)
            cn_pbjson_write_not_finite(encoder, value != value, value < 0);
        else
            cn_json_float(&encoder->writer, value);
        break;
    }
    case CONNECT_KIND_DOUBLE: {
        double value;
        memcpy(&value, at, sizeof value);
        if (value - value != 0)
            cn_pbjson_write_not_finite(encoder, value != value, value < 0);
        else
            cn_json_double(&encoder->writer, value);
        break;
    }
    case CONNECT_KIND_STRING: {
        connect_str_t value;
        memcpy(&value, at, sizeof value);
        cn_json_string(&encoder->writer, value);
        break;
    }
    case CONNECT_KIND_BYTES: {
        connect_str_t value;
        memcpy(&value, at, sizeof value);
        cn_json_base64(&encoder->writer, value, true);
        break;
    }
    default: {
        int32_t value;
        memcpy(&value, at, sizeof value);
        cn_pbjson_write_enum(encoder, type, field, value);
        break;
    }
    }
    return cn_pbjson_written(encoder);
}

/* One level down. */
static bool cn_pbjson_write_sub(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const void *message) {
    bool ok;
    if (encoder->depth_left == 0) return cn_pbjson_reject(encoder, "nested deeper than depth_max");
    encoder->depth_left--;
    ok = cn_pbjson_write_message(encoder, type, message);
    encoder->depth_left++;
    return ok;
}

/* The message that a member points to. */
static bool cn_pbjson_write_pointer(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const char *at) {
    const void *message;
    memcpy(&message, at, sizeof message);
    if (message) return cn_pbjson_write_sub(encoder, type, message);
    /* a oneof's or a map's: an empty message */
    if (type->form == CONNECT_FORM_PLAIN || type->form == CONNECT_FORM_EMPTY || type->form == CONNECT_FORM_ANY ||
        type->form == CONNECT_FORM_STRUCT) {
        cn_json_object_begin(&encoder->writer);
        cn_json_object_end(&encoder->writer);
    } else if (type->form == CONNECT_FORM_LIST) {
        cn_json_array_begin(&encoder->writer);
        cn_json_array_end(&encoder->writer);
    } else if (type->form == CONNECT_FORM_FIELD_MASK) {
        cn_json_quoted(&encoder->writer, CN_STR(""));
    } else if (type->form == CONNECT_FORM_TIMESTAMP) {
        cn_json_quoted(&encoder->writer, CN_STR("1970-01-01T00:00:00Z"));
    } else if (type->form == CONNECT_FORM_DURATION) {
        cn_json_quoted(&encoder->writer, CN_STR("0s"));
    } else if (type->form == CONNECT_FORM_WRAPPER) {
        static const char zero[sizeof(connect_str_t)] = {0};
        return cn_pbjson_write_scalar(encoder, type, &type->fields[0], zero);
    } else {
        return cn_pbjson_reject(encoder, "a google.protobuf.Value without a value");
    }
    return cn_pbjson_written(encoder);
}

static bool cn_pbjson_write_list(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const connect_field_t *field,
    cn_pbjson_step_t *step, const char *at) {
    const connect_type_t *item_type = cn_message_is_message(field) ? type->types[field->type] : NULL;
    const size_t size = cn_message_value_size(type, field);
    cn_message_list_t list;
    memcpy(&list, at, sizeof list);
    cn_json_array_begin(&encoder->writer);
    step->place = CN_PBJSON_ITEM;
    for (step->index = 0; step->index < list.count; step->index++) {
        const char *item = (const char *)list.items + step->index * size;
        if (!(item_type ? cn_pbjson_write_sub(encoder, item_type, item)
                        : cn_pbjson_write_scalar(encoder, type, field, item)))
            return false;
    }
    step->place = CN_PBJSON_MEMBER;
    cn_json_array_end(&encoder->writer);
    return cn_pbjson_written(encoder);
}

static bool cn_pbjson_write_entry(
    cn_pbjson_encoder_t *encoder, const connect_type_t *entry_type, cn_pbjson_step_t *step, const char *entry) {
    const connect_field_t *key = &entry_type->fields[0], *value = &entry_type->fields[1];
    const char *at = entry + key->offset;
    char text[CN_NUMBER_ROOM];
    int64_t signed_number = 0;
    uint64_t number = 0;
    step->key.data = text;
    step->key.len = 0;
    switch (key->kind) {
    case CONNECT_KIND_STRING: memcpy(&step->key, at, sizeof step->key); break;
    case CONNECT_KIND_BOOL: step->key = *at ? CN_STR("true") : CN_STR("false"); break;
    case CONNECT_KIND_UINT32:
    case CONNECT_KIND_FIXED32: {
        uint32_t narrow;
        memcpy(&narrow, at, sizeof narrow);
        number = narrow;
        step->key.len = cn_number_from_uint(text, number);
        break;
    }
    case CONNECT_KIND_UINT64:
    case CONNECT_KIND_FIXED64:
        memcpy(&number, at, sizeof number);
        step->key.len = cn_number_from_uint(text, number);
        break;
    case CONNECT_KIND_INT32:
    case CONNECT_KIND_SINT32:
    case CONNECT_KIND_SFIXED32: {
        int32_t narrow;
        memcpy(&narrow, at, sizeof narrow);
        signed_number = narrow;
        step->key.len = cn_number_from_int(text, signed_number);
        break;
    }
    default:
        memcpy(&signed_number, at, sizeof signed_number);
        step->key.len = cn_number_from_int(text, signed_number);
        break;
    }
    cn_json_name(&encoder->writer, step->key);
    if (!cn_pbjson_written(encoder)) return false;
    if (cn_message_is_message(value))
        return cn_pbjson_write_pointer(encoder, entry_type->types[value->type], entry + value->offset);
    return cn_pbjson_write_scalar(encoder, entry_type, value, entry + value->offset);
}

static bool cn_pbjson_write_sorted(cn_pbjson_encoder_t *encoder, const connect_type_t *entry_type,
    cn_pbjson_step_t *step, const cn_message_list_t *list) {
    const connect_allocator_t *allocator = encoder->writer.allocator;
    bool ordered = encoder->options->deterministic, ok = true;
    size_t i;
    const char **sorted = list->count < SIZE_MAX / sizeof *sorted
        ? (const char **)cn_mem_acquire(allocator, list->count * sizeof *sorted)
        : NULL;
    if (!sorted) return cn_error_memory(encoder->error);
    cn_map_key_sort(entry_type, sorted, *list);
    for (i = 1; i < list->count && !ordered; i++)
        ordered = cn_map_key_compare(entry_type, sorted[i - 1], sorted[i]) == 0;
    for (i = 0; i < list->count && ok; i++) {
        if (!ordered)
            ok = cn_pbjson_write_entry(encoder, entry_type, step, (const char *)list->items + i * entry_type->size);
        else if (i + 1 == list->count || cn_map_key_compare(entry_type, sorted[i], sorted[i + 1]) != 0)
            ok = cn_pbjson_write_entry(encoder, entry_type, step, sorted[i]);
    }
    cn_mem_release(allocator, (void *)sorted);
    return ok;
}

static bool cn_pbjson_write_map(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const connect_field_t *field,
    cn_pbjson_step_t *step, const char *at) {
    const connect_type_t *entry_type = type->types[field->type];
    cn_message_list_t list;
    size_t i;
    bool ascend;
    memcpy(&list, at, sizeof list);
    if (encoder->depth_left == 0) return cn_pbjson_reject(encoder, "nested deeper than depth_max");
    encoder->depth_left--;
    cn_json_object_begin(&encoder->writer);
    step->place = CN_PBJSON_ENTRY;
    ascend = cn_map_key_ascend(entry_type, list);
    if (!ascend && (encoder->options->deterministic || list.count > CN_PBJSON_KEY_PARTS)) {
        if (!cn_pbjson_write_sorted(encoder, entry_type, step, &list)) return false;
    } else {
        for (i = 0; i < list.count; i++) {
            if (!ascend && cn_map_key_again(entry_type, list, i)) continue;
            if (!cn_pbjson_write_entry(encoder, entry_type, step, (const char *)list.items + i * entry_type->size))
                return false;
        }
    }
    step->place = CN_PBJSON_MEMBER;
    cn_json_object_end(&encoder->writer);
    encoder->depth_left++;
    return cn_pbjson_written(encoder);
}

/* Written although it has its default value: it has no other way to be absent. */
static bool cn_pbjson_is_default_shown(const connect_field_t *field) {
    if (field->flags & CONNECT_FIELD_REPEATED) return true;
    return !cn_message_is_message(field) &&
        !(field->flags & (CONNECT_FIELD_HAS | CONNECT_FIELD_ONEOF | CONNECT_FIELD_NULLABLE));
}

static bool cn_pbjson_write_value_of(cn_pbjson_encoder_t *encoder, const connect_type_t *type,
    const connect_field_t *field, cn_pbjson_step_t *step, const char *at) {
    if (field->flags & CONNECT_FIELD_MAP) return cn_pbjson_write_map(encoder, type, field, step, at);
    if (field->flags & CONNECT_FIELD_REPEATED) return cn_pbjson_write_list(encoder, type, field, step, at);
    if (cn_message_is_message(field)) return cn_pbjson_write_pointer(encoder, type->types[field->type], at);
    return cn_pbjson_write_scalar(encoder, type, field, at);
}

static bool cn_pbjson_write_extension(
    cn_pbjson_encoder_t *encoder, const connect_extension_t *extension, const void *message) {
    const connect_type_t *type = extension->holder;
    const connect_field_t *field = cn_extension_field(extension);
    cn_pbjson_step_t step = {encoder->path, type, field, 0, {NULL, 0}, CN_PBJSON_MEMBER};
    const connect_allocator_t *allocator = encoder->writer.allocator;
    connect_str_t name;
    connect_arena_t scratch;
    void *holder;
    bool ok;
    encoder->path = &step;
    cn_pbjson_yield(encoder, true);
    connect_arena_init(&scratch, NULL, 0, allocator ? allocator : connect_allocator_libc());
    holder = connect_arena_take(&scratch, 1, type->size);
    name = connect_arena_printf(&scratch, "[%s]", type->full_name);
    if (!holder || !name.data) {
        ok = cn_error_memory(encoder->error);
    } else if (!connect_extension_get(extension, message, holder, &scratch)) {
        /* not of its type, or a number that its closed enum does not know: left out as an unknown field */
        ok = scratch.failed ? cn_error_memory(encoder->error) : true;
    } else {
        cn_json_name(&encoder->writer, name);
        ok = cn_pbjson_write_value_of(encoder, type, field, &step, (const char *)holder + field->offset);
    }
    connect_arena_free(&scratch);
    if (ok) encoder->path = step.outer;
    return ok;
}

/* Extensions, as far as the schema knows them. */
static bool cn_pbjson_write_extensions(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const void *message) {
    const connect_schema_t schema = encoder->options->schema;
    connect_str_list_t unknown;
    size_t i, j;
    if (!type->keeps_unknown) return true;
    memcpy(&unknown, (const char *)message + type->unknown, sizeof unknown);
    if (!unknown.count) return true;
    for (i = 0; i < schema.count; i++) {
        for (j = 0; j < schema.files[i]->extensions.count; j++) {
            const connect_extension_t *extension = schema.files[i]->extensions.items[j];
            if (extension->extendee != type || !cn_extension_has(extension, message)) continue;
            if (!cn_pbjson_write_extension(encoder, extension, message)) return false;
        }
    }
    return true;
}

static void cn_pbjson_write_name(cn_pbjson_encoder_t *encoder, const connect_type_t *type, size_t at) {
    connect_str_t name;
    name.data = type->names + at;
    name.len = cn_message_name_len(type->names, at);
    if (CN_LIKELY(name.len != 0))
        cn_json_clean_name(&encoder->writer, name);
    else
        cn_json_name(&encoder->writer, connect_str_of(name.data));
}

/* What stands between the braces. */
static bool cn_pbjson_write_members(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const void *message) {
    cn_pbjson_step_t step = {encoder->path, type, NULL, 0, {NULL, 0}, CN_PBJSON_MEMBER};
    const connect_field_t *missing;
    size_t i;
    encoder->path = &step;
    if (!encoder->options->partial && !cn_pbjson_required_present(type, message, &missing)) {
        step.field = missing;
        return cn_pbjson_reject(encoder, "required field is missing");
    }
    for (i = 0; i < type->field_count; i++) {
        const connect_field_t *field = &type->fields[i];
        if (!cn_message_has(field, message) && !(encoder->options->json_defaults && cn_pbjson_is_default_shown(field)))
            continue;
        step.field = field;
        cn_pbjson_write_name(encoder, type, encoder->options->json_proto_names ? field->name : field->json_name);
        if (!cn_pbjson_write_value_of(encoder, type, field, &step, (const char *)message + field->offset)) return false;
    }
    encoder->path = step.outer;
    return cn_pbjson_write_extensions(encoder, type, message);
}

/* ---- Encoding: forms of their own ---- */

static bool cn_pbjson_write_time(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const char *message) {
    const bool duration = type->form == CONNECT_FORM_DURATION;
    char text[CN_WKT_ROOM];
    int64_t seconds;
    int32_t nanos;
    size_t len;
    memcpy(&seconds, message + type->fields[0].offset, sizeof seconds);
    memcpy(&nanos, message + type->fields[1].offset, sizeof nanos);
    len = duration ? cn_wkt_duration_to_text(text, seconds, nanos) : cn_wkt_timestamp_to_text(text, seconds, nanos);
    if (!len) return cn_pbjson_reject(encoder, duration ? "a duration out of range" : "a time out of range");
    cn_json_quoted(&encoder->writer, cn_str(text, len));
    return cn_pbjson_written(encoder);
}

static bool cn_pbjson_write_field_mask(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const char *message) {
    const connect_allocator_t *allocator = encoder->writer.allocator;
    cn_message_list_t list;
    size_t i, len = 0, at = 0;
    bool ok = true;
    char *text;
    memcpy(&list, message + type->fields[0].offset, sizeof list);
    for (i = 0; i < list.count; i++) {
        connect_str_t path;
        memcpy(&path, (const char *)list.items + i * sizeof path, sizeof path);
        if (path.len >= SIZE_MAX / 2 - len) return cn_error_memory(encoder->error);
        len += path.len + 1;
    }
    text = (char *)cn_mem_acquire(allocator, len);
    if (!text) return cn_error_memory(encoder->error);
    for (i = 0; i < list.count && ok; i++) {
        connect_str_t path;
        memcpy(&path, (const char *)list.items + i * sizeof path, sizeof path);
        if (i) text[at++] = ',';
        ok = cn_wkt_path_to_json(text + at, &len, path);
        at += ok ? len : 0;
    }
    if (ok) cn_json_string(&encoder->writer, cn_str(text, at));
    cn_mem_release(allocator, text);
    return ok ? cn_pbjson_written(encoder)
              : cn_pbjson_reject(encoder, "a field path that lowerCamelCase cannot give back");
}

static bool cn_pbjson_write_value(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const char *message) {
    size_t i;
    for (i = 0; i < type->field_count; i++) {
        const connect_field_t *field = &type->fields[i];
        if (!cn_message_has(field, message)) continue;
        if (i == CN_PBJSON_VALUE_NUMBER) {
            double number;
            memcpy(&number, message + field->offset, sizeof number);
            if (number - number != 0)
                return cn_pbjson_reject(encoder, "a google.protobuf.Value that is not a finite number");
        }
        if (cn_message_is_message(field))
            return cn_pbjson_write_pointer(encoder, type->types[field->type], message + field->offset);
        return cn_pbjson_write_scalar(encoder, type, field, message + field->offset);
    }
    return cn_pbjson_reject(encoder, "a google.protobuf.Value without a value");
}

static bool cn_pbjson_write_only_field(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const char *message) {
    const connect_field_t *field = &type->fields[0];
    cn_pbjson_step_t step = {encoder->path, type, field, 0, {NULL, 0}, CN_PBJSON_MEMBER};
    encoder->path = &step;
    if (!cn_pbjson_write_value_of(encoder, type, field, &step, message + field->offset)) return false;
    encoder->path = step.outer;
    return true;
}

/* Decodes what an Any holds into the arena, and writes it. */
static bool cn_pbjson_write_any_held(cn_pbjson_encoder_t *encoder, const connect_type_t *held_type, connect_str_t url,
    connect_str_t bytes, connect_arena_t *scratch) {
    connect_codec_options_t options = {0};
    connect_error_t error = {CONNECT_OK, {NULL, 0}, {NULL, 0}, {NULL, 0}, 0, false};
    void *held = connect_arena_take(scratch, 1, held_type->size);
    if (!held) return cn_error_memory(encoder->error);
    options.depth_max = encoder->depth_left;
    options.memory_max = encoder->options->memory_max;
    options.partial = encoder->options->partial;
    options.drop_unknown = true;
    if (!connect_message_decode(held_type, held, bytes, scratch, &options, &error)) {
        if (scratch->failed) return cn_error_memory(encoder->error);
        return cn_pbjson_reject(encoder, "an Any that its type does not decode");
    }
    cn_json_object_begin(&encoder->writer);
    cn_json_name(&encoder->writer, CN_STR("@type"));
    cn_json_string(&encoder->writer, url);
    if (!cn_pbjson_written(encoder)) return false;
    if (cn_pbjson_any_has_value(held_type)) {
        cn_json_name(&encoder->writer, CN_STR("value"));
        if (!cn_pbjson_write_message(encoder, held_type, held)) return false;
    } else if (!cn_pbjson_write_members(encoder, held_type, held)) {
        return false;
    }
    cn_json_object_end(&encoder->writer);
    return cn_pbjson_written(encoder);
}

static bool cn_pbjson_write_any(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const char *message) {
    const connect_type_t *held_type;
    connect_str_t url, bytes;
    connect_arena_t scratch;
    bool ok;
    memcpy(&url, message + type->fields[0].offset, sizeof url);
    memcpy(&bytes, message + type->fields[1].offset, sizeof bytes);
    if (url.len == 0 && bytes.len == 0) {
        cn_json_object_begin(&encoder->writer);
        cn_json_object_end(&encoder->writer);
        return cn_pbjson_written(encoder);
    }
    held_type = cn_pbjson_any_type(encoder->options->schema, url);
    if (!held_type) return cn_pbjson_reject(encoder, "an Any of a type that the schema does not have");
    if (encoder->depth_left == 0) return cn_pbjson_reject(encoder, "nested deeper than depth_max");
    encoder->depth_left--;
    cn_pbjson_yield(encoder, true);
    connect_arena_init(
        &scratch, NULL, 0, encoder->writer.allocator ? encoder->writer.allocator : connect_allocator_libc());
    ok = cn_pbjson_write_any_held(encoder, held_type, url, bytes, &scratch);
    connect_arena_free(&scratch);
    encoder->depth_left++;
    return ok;
}

static bool cn_pbjson_write_message(cn_pbjson_encoder_t *encoder, const connect_type_t *type, const void *message) {
    switch (type->form) {
    case CONNECT_FORM_ANY: return cn_pbjson_write_any(encoder, type, (const char *)message);
    case CONNECT_FORM_TIMESTAMP:
    case CONNECT_FORM_DURATION: return cn_pbjson_write_time(encoder, type, (const char *)message);
    case CONNECT_FORM_FIELD_MASK: return cn_pbjson_write_field_mask(encoder, type, (const char *)message);
    case CONNECT_FORM_STRUCT:
    case CONNECT_FORM_LIST: return cn_pbjson_write_only_field(encoder, type, (const char *)message);
    case CONNECT_FORM_VALUE: return cn_pbjson_write_value(encoder, type, (const char *)message);
    case CONNECT_FORM_WRAPPER:
        return cn_pbjson_write_scalar(encoder, type, &type->fields[0], (const char *)message + type->fields[0].offset);
    default:
        cn_json_object_begin(&encoder->writer);
        if (!cn_pbjson_write_members(encoder, type, message)) return false;
        cn_json_object_end(&encoder->writer);
        return cn_pbjson_written(encoder);
    }
}

static bool cn_pbjson_encode_to(const connect_type_t *type, const void *message, cn_buf_t *out,
    const connect_allocator_t *allocator, const connect_codec_options_t *options, connect_arena_t *arena, bool in_arena,
    connect_error_t *error) {
    const size_t before = cn_buf_len(out);
    cn_pbjson_encoder_t encoder;
    encoder.options = cn_pbjson_options(options);
    encoder.arena = arena;
    encoder.error = error;
    encoder.path = NULL;
    encoder.depth_left = encoder.options->depth_max ? encoder.options->depth_max : CN_MESSAGE_DEPTH;
    encoder.depth_left = CN_MIN(encoder.depth_left, (uint32_t)CN_MESSAGE_DEPTH_COPY);
    encoder.in_arena = in_arena;
    cn_json_write(&encoder.writer, out, allocator, encoder.options->json_pretty);
    if (cn_pbjson_write_message(&encoder, type, message)) return true;
    cn_buf_truncate(out, before);
    return false;
}

CN_PRIVATE bool cn_pbjson_encode(const connect_type_t *type, const void *message, cn_buf_t *out,
    const connect_allocator_t *allocator, const connect_codec_options_t *options, connect_arena_t *arena,
    connect_error_t *error) {
    return cn_pbjson_encode_to(type, message, out, allocator, options, arena, false, error);
}

/* ---- A queue in an arena ---- */

static void *cn_pbjson_arena_acquire(void *ctx, size_t size) {
    return cn_arena_raw((connect_arena_t *)ctx, size);
}

/* Not called: neither a queue nor an arena resizes. */
static void *cn_pbjson_arena_resize(void *ctx, void *block, size_t size) {
    (void)ctx;
    (void)block;
    (void)size;
    return NULL;
}

static void cn_pbjson_arena_release(void *ctx, void *block) {
    (void)ctx;
    (void)block;
}

connect_str_t connect_message_encode_json(const connect_type_t *type, const void *message, connect_arena_t *arena,
    const connect_codec_options_t *options, connect_error_t *error) {
    connect_allocator_t allocator = {cn_pbjson_arena_acquire, cn_pbjson_arena_resize, cn_pbjson_arena_release, NULL};
    const size_t room = (size_t)(arena->private_end - arena->private_next) & ~(size_t)15;
    connect_str_t text = {NULL, 0};
    cn_buf_t out = {NULL, 0, 0, 0};
    bool ok;
    allocator.ctx = arena;
    if (room > 2 * CN_SLACK) { /* all that the arena's block has left, to begin with */
        out.block = (char *)cn_arena_raw(arena, room);
        out.capacity = out.block ? room - CN_SLACK : 0;
    }
    ok = cn_pbjson_encode_to(type, message, &out, &allocator, options, arena, true, error);
    if (ok && !cn_buf_append(&out, &allocator, "", 1)) ok = cn_error_memory(error);
    if (out.block) cn_arena_shrink(arena, out.block, out.capacity + CN_SLACK, ok ? out.end : 0);
    if (!ok) return text;
    text.data = out.block;
    text.len = out.end - 1;
    return text;
}
#endif

/* #### src/codec/expand.h ########################################################################################## */
typedef enum cn_expand_t { /* how an expansion ended; only after OK is what was appended of use */
    CN_EXPAND_OK,
    CN_EXPAND_TOO_LARGE,
    CN_EXPAND_CORRUPT, /* or truncated, or followed by more bytes */
    CN_EXPAND_NO_MEMORY
} cn_expand_t;

/* #### src/codec/gzip.h ############################################################################################ */
typedef struct cn_gzip_t { /* contexts, made when first needed and used again; zeroed: none */
    void *deflate, *inflate;
} cn_gzip_t;

#if CONNECT_ENABLE_GZIP
/* Appends `in` compressed. level: 0: fast. Returns false: out of memory, nothing was appended. */
CN_PRIVATE bool cn_gzip_compress(
    cn_gzip_t *gzip, const connect_allocator_t *allocator, int32_t level, connect_str_t in, cn_buf_t *out);
/* Appends what `in` expands to, at most max bytes. */
CN_PRIVATE cn_expand_t cn_gzip_expand(
    cn_gzip_t *gzip, const connect_allocator_t *allocator, connect_str_t in, size_t max, cn_buf_t *out);
#endif
CN_PRIVATE void cn_gzip_free(cn_gzip_t *gzip, const connect_allocator_t *allocator);

/* #### src/codec/gzip.c ############################################################################################ */
/* gzip (RFC 1952) by zlib. One member and nothing behind it: more members, though RFC 1952 allows them, are what no
   sender of messages writes, and so are counted as bytes after the end. What is too short, or whose CRC or length is
   wrong, is corrupt. An expansion stops when it has more than `max` bytes; the queue grows as bytes come out, never by
   what the input claims.

   Contexts are kept, and reset for each message: then zlib allocates nothing. Its memory comes from our allocator. */

#define CN_GZIP_WINDOW_BITS (15 + 16) /* 32 KiB of window, and the gzip frame */
#define CN_GZIP_MEMORY_LEVEL 8        /* zlib's default */
#define CN_GZIP_LEVEL 1               /* its fastest */
#define CN_GZIP_LEVEL_MAX 9
#define CN_GZIP_FIRST 1024u     /* room to expand into, at first at least */
#define CN_GZIP_STEP (1u << 30) /* lengths that fit into zlib's unsigned int */

#if CONNECT_ENABLE_GZIP
static void *cn_gzip_acquire(void *allocator, unsigned count, unsigned size) {
    const connect_allocator_t *from = (const connect_allocator_t *)allocator;
    return from->acquire(from->ctx, (size_t)count * size); /* not zeroed */
}

static void cn_gzip_release(void *allocator, void *block) {
    cn_mem_release((const connect_allocator_t *)allocator, block);
}

static z_stream *cn_gzip_new_stream(const connect_allocator_t *allocator) {
    z_stream *stream = (z_stream *)cn_mem_acquire(allocator, sizeof *stream);
    if (!stream) return NULL;
    stream->zalloc = cn_gzip_acquire;
    stream->zfree = cn_gzip_release;
    memcpy(&stream->opaque, &allocator, sizeof stream->opaque); /* const stays const: it comes back as such */
    return stream;
}

static z_stream *cn_gzip_deflater(cn_gzip_t *gzip, const connect_allocator_t *allocator, int32_t level) {
    z_stream *stream = (z_stream *)gzip->deflate;
    if (stream) return deflateReset(stream) == Z_OK ? stream : NULL;
    stream = cn_gzip_new_stream(allocator);
    if (!stream) return NULL;
    level = level <= 0 ? CN_GZIP_LEVEL : CN_MIN(level, CN_GZIP_LEVEL_MAX);
    if (deflateInit2(stream, level, Z_DEFLATED, CN_GZIP_WINDOW_BITS, CN_GZIP_MEMORY_LEVEL, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
        cn_mem_release(allocator, stream);
        return NULL;
    }
    gzip->deflate = stream;
    return stream;
}

static z_stream *cn_gzip_inflater(cn_gzip_t *gzip, const connect_allocator_t *allocator) {
    z_stream *stream = (z_stream *)gzip->inflate;
    if (stream) return inflateReset(stream) == Z_OK ? stream : NULL;
    stream = cn_gzip_new_stream(allocator);
    if (!stream) return NULL;
    if (inflateInit2(stream, CN_GZIP_WINDOW_BITS) != Z_OK) {
        cn_mem_release(allocator, stream);
        return NULL;
    }
    gzip->inflate = stream;
    return stream;
}

/* zlib declares its input without const unless asked to in time; it does not write there. */
static void cn_gzip_set_input(z_stream *stream, const char *data, size_t len) {
    memcpy(&stream->next_in, &data, sizeof stream->next_in);
    stream->avail_in = (unsigned)len;
}

CN_PRIVATE bool cn_gzip_compress(
    cn_gzip_t *gzip, const connect_allocator_t *allocator, int32_t level, connect_str_t in, cn_buf_t *out) {
    z_stream *stream = cn_gzip_deflater(gzip, allocator, level);
    size_t room;
    char *to;
    if (!stream || in.len > CN_GZIP_STEP) return false;
    room = deflateBound(stream, (unsigned long)in.len);
    to = cn_buf_reserve(out, allocator, room);
    if (!to) return false;
    cn_gzip_set_input(stream, in.data, in.len);
    stream->next_out = (unsigned char *)to;
    stream->avail_out = (unsigned)room;
    if (deflate(stream, Z_FINISH) != Z_STREAM_END) return false;
    cn_buf_commit(out, room - stream->avail_out);
    return true;
}

CN_PRIVATE cn_expand_t cn_gzip_expand(
    cn_gzip_t *gzip, const connect_allocator_t *allocator, connect_str_t in, size_t max, cn_buf_t *out) {
    z_stream *stream = cn_gzip_inflater(gzip, allocator);
    const size_t before = cn_buf_len(out);
    size_t room = CN_MAX(CN_MIN(in.len, CN_GZIP_STEP / 4) * 3, (size_t)CN_GZIP_FIRST), produced = 0;
    int result = Z_OK;
    if (!stream) return CN_EXPAND_NO_MEMORY;
    if (in.len > CN_GZIP_STEP) return CN_EXPAND_CORRUPT;
    cn_gzip_set_input(stream, in.data, in.len);
    while (result == Z_OK) {
        size_t left = max - produced;
        char *to;
        room = CN_MIN(room, left < CN_GZIP_STEP ? left + 1 : (size_t)CN_GZIP_STEP);
        to = cn_buf_reserve(out, allocator, room);
        if (!to) return CN_EXPAND_NO_MEMORY;
        stream->next_out = (unsigned char *)to;
        stream->avail_out = (unsigned)room;
        result = inflate(stream, Z_FINISH);
        cn_buf_commit(out, room - stream->avail_out);
        produced = cn_buf_len(out) - before;
        if (produced > max) return CN_EXPAND_TOO_LARGE;
        if (result == Z_BUF_ERROR && stream->avail_out == 0) result = Z_OK; /* it only wants more room */
        room = produced;
    }
    if (result == Z_MEM_ERROR) return CN_EXPAND_NO_MEMORY;
    return result == Z_STREAM_END && stream->avail_in == 0 ? CN_EXPAND_OK : CN_EXPAND_CORRUPT;
}

CN_PRIVATE void cn_gzip_free(cn_gzip_t *gzip, const connect_allocator_t *allocator) {
    if (gzip->deflate) deflateEnd((z_stream *)gzip->deflate);
    if (gzip->inflate) inflateEnd((z_stream *)gzip->inflate);
    cn_mem_release(allocator, gzip->deflate);
    cn_mem_release(allocator, gzip->inflate);
    gzip->deflate = gzip->inflate = NULL;
}
#else
CN_PRIVATE void cn_gzip_free(cn_gzip_t *gzip, const connect_allocator_t *allocator) {
    (void)gzip;
    (void)allocator;
}
#endif

/* #### src/codec/zstd.h ############################################################################################ */
typedef struct cn_zstd_t { /* contexts, made when first needed and used again; zeroed: none */
    void *compress, *expand;
} cn_zstd_t;

#if CONNECT_ENABLE_ZSTD
/* Appends `in` compressed. level: 0: fast. Returns false: out of memory, nothing was appended. */
CN_PRIVATE bool cn_zstd_compress(
    cn_zstd_t *zstd, const connect_allocator_t *allocator, int32_t level, connect_str_t in, cn_buf_t *out);
/* Appends what `in` expands to, at most max bytes. window: the largest that a frame may ask for. */
CN_PRIVATE cn_expand_t cn_zstd_expand(cn_zstd_t *zstd, const connect_allocator_t *allocator, uint32_t window,
    connect_str_t in, size_t max, cn_buf_t *out);
#endif
CN_PRIVATE void cn_zstd_free(cn_zstd_t *zstd, const connect_allocator_t *allocator);

/* #### src/codec/zstd.c ############################################################################################ */
/* zstd (RFC 8878) by libzstd. One frame and nothing behind it; skippable frames and dictionaries are refused.

   Memory. A frame that says how large its content is, as most do, expands straight into the queue. Any other needs a
   window in the context, as large as the frame asks for: above limits.zstd_window (RFC 9659: 8 MiB) it is refused, by
   its head alone (RFC 8878 3.1.1.1), whether a window would be needed or not. A content size over `max` is too large
   without expanding; one that is a lie makes the frame corrupt. A context that has grown above CN_ZSTD_KEPT_MAX is
   given back after the message.

   Contexts are kept, and reset for each message: then libzstd allocates nothing. Their memory comes from our allocator,
   for which libzstd must export its "advanced" constructors; every distribution's does. */

#define CN_ZSTD_LEVEL 1              /* the fastest but for the negative ones */
#define CN_ZSTD_LEVEL_MAX 19         /* above, windows of more than 8 MiB */
#define CN_ZSTD_MAGIC 0xFD2FB528u    /* RFC 8878 3.1.1 */
#define CN_ZSTD_SINGLE_SEGMENT 0x20u /* in the frame header descriptor, byte 4 */
#define CN_ZSTD_DICTIONARY 0x03u
#define CN_ZSTD_FIRST 1024u /* room to expand into, at first at least */
#define CN_ZSTD_KEPT_MAX (2u * 1024u * 1024u)

#if CONNECT_ENABLE_ZSTD
static void *cn_zstd_acquire(void *allocator, size_t size) {
    const connect_allocator_t *from = (const connect_allocator_t *)allocator;
    return from->acquire(from->ctx, size); /* not zeroed */
}

static void cn_zstd_release(void *allocator, void *block) {
    cn_mem_release((const connect_allocator_t *)allocator, block);
}

static ZSTD_customMem cn_zstd_memory(const connect_allocator_t *allocator) {
    ZSTD_customMem memory = {cn_zstd_acquire, cn_zstd_release, NULL};
    memcpy(&memory.opaque, &allocator, sizeof memory.opaque); /* const stays const: it comes back as such */
    return memory;
}

static ZSTD_CCtx *cn_zstd_compressor(cn_zstd_t *zstd, const connect_allocator_t *allocator, int32_t level) {
    ZSTD_CCtx *context = (ZSTD_CCtx *)zstd->compress;
    if (context) return context;
    context = ZSTD_createCCtx_advanced(cn_zstd_memory(allocator));
    if (!context) return NULL;
    level = level == 0 ? CN_ZSTD_LEVEL : CN_MIN(level, CN_ZSTD_LEVEL_MAX);
    if (ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, CN_MAX(level, ZSTD_minCLevel())))) {
        ZSTD_freeCCtx(context);
        return NULL;
    }
    zstd->compress = context;
    return context;
}

CN_PRIVATE bool cn_zstd_compress(
    cn_zstd_t *zstd, const connect_allocator_t *allocator, int32_t level, connect_str_t in, cn_buf_t *out) {
    ZSTD_CCtx *context = cn_zstd_compressor(zstd, allocator, level);
    const size_t room = ZSTD_compressBound(in.len);
    char *to;
    size_t len;
    if (!context || ZSTD_isError(room)) return false;
    to = cn_buf_reserve(out, allocator, room);
    if (!to) return false;
    len = ZSTD_compress2(context, to, room, in.data, in.len);
    if (ZSTD_isError(len)) return false;
    cn_buf_commit(out, len);
    if (ZSTD_sizeof_CCtx(context) > CN_ZSTD_KEPT_MAX) {
        ZSTD_freeCCtx(context);
        zstd->compress = NULL;
    }
    return true;
}

static int cn_zstd_log2(uint32_t window) {
    int log = 10; /* the smallest there is */
    while (log < 31 && (window >> log) > 1)
        log++;
    return log < 31 && ((uint32_t)1 << log) < window ? log + 1 : log;
}

static ZSTD_DCtx *cn_zstd_expander(cn_zstd_t *zstd, const connect_allocator_t *allocator, uint32_t window) {
    ZSTD_DCtx *context = (ZSTD_DCtx *)zstd->expand;
    if (context) {
        ZSTD_DCtx_reset(context, ZSTD_reset_session_only);
        return context;
    }
    context = ZSTD_createDCtx_advanced(cn_zstd_memory(allocator));
    if (!context) return NULL;
    if (ZSTD_isError(ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, cn_zstd_log2(window)))) {
        ZSTD_freeDCtx(context);
        return NULL;
    }
    zstd->expand = context;
    return context;
}

/* Tells whether it begins as a frame that we take (RFC 8878 3.1.1.1). */
static bool cn_zstd_head_is_good(connect_str_t in, uint32_t window) {
    const unsigned char *bytes = (const unsigned char *)in.data;
    uint64_t base;
    if (in.len < 6) return false;
    if (((uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24) !=
            CN_ZSTD_MAGIC ||
        (bytes[4] & CN_ZSTD_DICTIONARY))
        return false;
    if (bytes[4] & CN_ZSTD_SINGLE_SEGMENT) return true; /* its window is its content, which has a limit of its own */
    base = (uint64_t)1 << (10 + (bytes[5] >> 3));
    return base + base / 8 * (bytes[5] & 7u) <= window;
}

static cn_expand_t cn_zstd_expand_with(
    ZSTD_DCtx *context, const connect_allocator_t *allocator, connect_str_t in, size_t max, cn_buf_t *out) {
    const unsigned long long declared = ZSTD_getFrameContentSize(in.data, in.len);
    const size_t before = cn_buf_len(out);
    size_t room = CN_MAX(in.len < max ? in.len * 3 : max, (size_t)CN_ZSTD_FIRST), produced = 0, left = 1;
    ZSTD_inBuffer from;
    if (declared == ZSTD_CONTENTSIZE_ERROR) return CN_EXPAND_CORRUPT;
    if (declared != ZSTD_CONTENTSIZE_UNKNOWN) {
        if (declared > max) return CN_EXPAND_TOO_LARGE;
        room = CN_MAX((size_t)declared, (size_t)1);
    }
    from.src = in.data;
    from.size = in.len;
    from.pos = 0;
    while (left) {
        ZSTD_outBuffer to;
        const size_t from_before = from.pos;
        to.size = max - produced < room ? max - produced + 1 : room;
        to.dst = cn_buf_reserve(out, allocator, to.size);
        to.pos = 0;
        if (!to.dst) return CN_EXPAND_NO_MEMORY;
        left = ZSTD_decompressStream(context, &to, &from);
        if (ZSTD_isError(left))
            return ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation ? CN_EXPAND_NO_MEMORY : CN_EXPAND_CORRUPT;
        cn_buf_commit(out, to.pos);
        produced = cn_buf_len(out) - before;
        if (produced > max) return CN_EXPAND_TOO_LARGE;
        if (left && from.pos == from.size && to.pos < to.size) return CN_EXPAND_CORRUPT; /* truncated */
        if (left && from.pos == from_before && to.pos == 0) return CN_EXPAND_CORRUPT;
        room = CN_MAX(produced, (size_t)CN_ZSTD_FIRST);
    }
    return from.pos == from.size ? CN_EXPAND_OK : CN_EXPAND_CORRUPT;
}

CN_PRIVATE cn_expand_t cn_zstd_expand(cn_zstd_t *zstd, const connect_allocator_t *allocator, uint32_t window,
    connect_str_t in, size_t max, cn_buf_t *out) {
    cn_expand_t result;
    ZSTD_DCtx *context;
    if (!cn_zstd_head_is_good(in, window)) return CN_EXPAND_CORRUPT;
    context = cn_zstd_expander(zstd, allocator, window);
    if (!context) return CN_EXPAND_NO_MEMORY;
    result = cn_zstd_expand_with(context, allocator, in, max, out);
    if (ZSTD_sizeof_DCtx(context) > CN_ZSTD_KEPT_MAX) {
        ZSTD_freeDCtx(context);
        zstd->expand = NULL;
    }
    return result;
}

CN_PRIVATE void cn_zstd_free(cn_zstd_t *zstd, const connect_allocator_t *allocator) {
    (void)allocator;
    ZSTD_freeCCtx((ZSTD_CCtx *)zstd->compress);
    ZSTD_freeDCtx((ZSTD_DCtx *)zstd->expand);
    zstd->compress = zstd->expand = NULL;
}
#else
CN_PRIVATE void cn_zstd_free(cn_zstd_t *zstd, const connect_allocator_t *allocator) {
    (void)zstd;
    (void)allocator;
}
#endif

/* #### src/codec/compress.h ######################################################################################## */
typedef struct cn_coding_t { /* a compression, as Content-Encoding names it; identity is none: NULL */
    const char *name;
    int kind; /* gzip, zstd, or registered */
    connect_compression_t registered;
    bool accepted; /* in what is received */
} cn_coding_t;

typedef struct cn_codings_t { /* those of one server or client, with all that they need; zeroed: none */
    const connect_allocator_t *allocator;
    cn_coding_t *items; /* by preference */
    size_t count;
    connect_str_t accept; /* the accepted ones, "zstd, gzip"; "": none */
    uint32_t min;         /* what is shorter is not compressed */
    int32_t level;
    uint32_t zstd_window;
    cn_gzip_t gzip;
    cn_zstd_t zstd;
    cn_buf_t plain;        /* a message before it is compressed */
    connect_arena_t texts; /* the items and their names */
    connect_arena_t work;  /* what registered ones return */
} cn_codings_t;

typedef struct cn_codings_options_t {
    const connect_compression_t *registered;
    size_t registered_count;
    const char *accept; /* a list; NULL: all */
    uint32_t min;       /* 0: 1,024 */
    int32_t level;      /* 0: fast */
    uint32_t zstd_window;
} cn_codings_options_t;

/* Sets it up; what was zeroed may be freed after a failure, too. */
CN_PRIVATE bool cn_codings_init(cn_codings_t *codings, const connect_allocator_t *allocator,
    const cn_codings_options_t *options, connect_error_t *error);
CN_PRIVATE void cn_codings_free(cn_codings_t *codings);
/* Finds one by name, in any case; NULL: unknown. */
CN_PRIVATE const cn_coding_t *cn_codings_find(const cn_codings_t *codings, connect_str_t name);
/* Finds what an option names; NULL and "identity": none. Returns false: the error says that it is unknown. */
CN_PRIVATE bool cn_codings_choose(
    const cn_codings_t *codings, const char *name_or_null, const cn_coding_t **coding, connect_error_t *error);
/* "gzip"; of NULL: "identity". */
CN_PRIVATE const char *cn_coding_name(const cn_coding_t *coding_or_null);
/* Tells whether a list, as in Accept-Encoding, has it; q=0 is a no, other weights and "*" mean nothing. */
CN_PRIVATE bool cn_coding_in_list(const cn_coding_t *coding, connect_str_t list);
/* The first of a list that is known; NULL: none. */
CN_PRIVATE const cn_coding_t *cn_codings_first_of_list(const cn_codings_t *codings, connect_str_t list);
/* Appends `in` compressed. Returns false: out of memory, or a registered one failed; nothing was appended. */
CN_PRIVATE bool cn_codings_compress(cn_codings_t *codings, const cn_coding_t *coding, connect_str_t in, cn_buf_t *out);
/* Appends what `in` expands to, at most max bytes. */
CN_PRIVATE cn_expand_t cn_codings_expand(
    cn_codings_t *codings, const cn_coding_t *coding, connect_str_t in, size_t max, cn_buf_t *out);
/* An empty queue to encode into, and its end: a large one is freed. */
CN_PRIVATE cn_buf_t *cn_codings_plain(cn_codings_t *codings);
CN_PRIVATE void cn_codings_done(cn_codings_t *codings);

/* #### src/codec/compress.c ######################################################################################## */
/* The compressions of a server or a client, by the names that Content-Encoding and grpc-encoding use: zstd, gzip, and
   what the user registered, in this order of preference. Each message is compressed by itself.

   What is shorter than options.compress_min goes as it is. An empty message is never compressed, and what came empty is
   never expanded: the callers see to it. Contexts and queues belong to the server or client and are used again, so that
   a message in steady state allocates nothing. What expands stops at the limit, see gzip.c and zstd.c; a registered
   compression is asked to do the same, and its word is checked.

   Lists ("gzip, zstd;q=0.5", RFC 9110 12.5.3): the order is the preference, as in the Connect and gRPC specifications;
   a weight only says no, by 0. */

#define CN_CODINGS_MIN 1024u
#define CN_CODINGS_KEPT_MAX (64u * 1024u)
#define CN_CODINGS_BUILT_IN_MAX 2u
enum { CN_CODING_REGISTERED, CN_CODING_GZIP, CN_CODING_ZSTD };

CN_PRIVATE const char *cn_coding_name(const cn_coding_t *coding) {
    return coding ? coding->name : "identity";
}

CN_PRIVATE const cn_coding_t *cn_codings_find(const cn_codings_t *codings, connect_str_t name) {
    size_t i;
    for (i = 0; i < codings->count; i++)
        if (cn_str_equal_nocase(name, connect_str_of(codings->items[i].name))) return &codings->items[i];
    return NULL;
}

CN_PRIVATE bool cn_codings_choose(
    const cn_codings_t *codings, const char *name, const cn_coding_t **coding, connect_error_t *error) {
    *coding = NULL;
    if (!name || strcmp(name, "identity") == 0) return true;
    *coding = cn_codings_find(codings, connect_str_of(name));
    return *coding ||
        cn_error_set(error, CONNECT_INVALID_ARGUMENT, "compression is none that is built in or registered");
}

/* Takes the next name off a list; a refused one (q=0) is passed over. */
static bool cn_codings_next(connect_str_t *list, connect_str_t *name) {
    connect_str_t part, weight;
    while (list->data && cn_str_split(list, ',', &part)) {
        size_t i;
        bool refused;
        weight = part;
        if (!cn_str_split(&weight, ';', name)) continue;
        *name = cn_str_trim(*name);
        if (weight.data) weight = cn_str_trim(weight);
        refused = weight.data && weight.len > 2 && (weight.data[0] | 0x20) == 'q' && weight.data[1] == '=';
        for (i = 2; refused && i < weight.len; i++)
            refused = weight.data[i] == '0' || weight.data[i] == '.';
        if (name->len && !refused) return true;
    }
    return false;
}

CN_PRIVATE bool cn_coding_in_list(const cn_coding_t *coding, connect_str_t list) {
    connect_str_t name;
    while (cn_codings_next(&list, &name))
        if (cn_str_equal_nocase(name, connect_str_of(coding->name))) return true;
    return false;
}

CN_PRIVATE const cn_coding_t *cn_codings_first_of_list(const cn_codings_t *codings, connect_str_t list) {
    connect_str_t name;
    while (cn_codings_next(&list, &name)) {
        const cn_coding_t *coding = cn_codings_find(codings, name);
        if (coding) return coding;
    }
    return NULL;
}

/* ---- Setting up ---- */

static bool cn_codings_name_valid(const char *name) {
    size_t i;
    for (i = 0; name && name[i]; i++)
        if (!((name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9') || strchr("-_.+", name[i])))
            return false;
    return name && i > 0;
}

static bool cn_codings_add(cn_codings_t *codings, const char *name, int kind) {
    cn_coding_t *coding = &codings->items[codings->count];
    connect_str_t copy = connect_arena_copy(&codings->texts, connect_str_of(name));
    if (!copy.data) return false;
    coding->name = copy.data;
    coding->kind = kind;
    codings->count++;
    return true;
}

static bool cn_codings_add_all(cn_codings_t *codings, const cn_codings_options_t *options, connect_error_t *error) {
    size_t i;
#if CONNECT_ENABLE_ZSTD
    if (!cn_codings_add(codings, "zstd", CN_CODING_ZSTD)) return cn_error_memory(error);
#endif
#if CONNECT_ENABLE_GZIP
    if (!cn_codings_add(codings, "gzip", CN_CODING_GZIP)) return cn_error_memory(error);
#endif
    for (i = 0; i < options->registered_count; i++) {
        const connect_compression_t *given = &options->registered[i];
        if (!cn_codings_name_valid(given->name) || !given->compress || !given->decompress)
            return cn_error_set(error, CONNECT_INVALID_ARGUMENT,
                "compressions has one without functions, or whose name is not of lower-case letters and digits");
        if (strcmp(given->name, "identity") == 0 || cn_codings_find(codings, connect_str_of(given->name)))
            return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "compressions has a name that is there already");
        if (!cn_codings_add(codings, given->name, CN_CODING_REGISTERED)) return cn_error_memory(error);
        codings->items[codings->count - 1].registered = *given;
    }
    return true;
}

static bool cn_codings_set_accept(cn_codings_t *codings, const char *list, connect_error_t *error) {
    connect_str_t rest = list ? connect_str_of(list) : CN_STR(""), name, text = CN_STR("");
    size_t i;
    for (i = 0; !list && i < codings->count; i++) {
        codings->items[i].accepted = true;
        text = connect_arena_printf(
            &codings->texts, CONNECT_STR_FMT "%s%s", CONNECT_STR_ARG(text), i ? ", " : "", codings->items[i].name);
    }
    while (text.data && cn_codings_next(&rest, &name)) {
        if (connect_str_equal(name, CN_STR("identity"))) continue;
        for (i = 0; i < codings->count; i++)
            if (cn_str_equal_nocase(name, connect_str_of(codings->items[i].name))) break;
        if (i == codings->count)
            return cn_error_set(
                error, CONNECT_INVALID_ARGUMENT, "accept has a compression that is neither built in nor registered");
        if (codings->items[i].accepted) continue;
        codings->items[i].accepted = true;
        text = connect_arena_printf(&codings->texts, CONNECT_STR_FMT "%s%s", CONNECT_STR_ARG(text),
            text.len ? ", " : "", codings->items[i].name);
    }
    codings->accept = text;
    return text.data || cn_error_memory(error);
}

CN_PRIVATE bool cn_codings_init(cn_codings_t *codings, const connect_allocator_t *allocator,
    const cn_codings_options_t *options, connect_error_t *error) {
    if (!allocator) allocator = connect_allocator_libc();
    codings->allocator = allocator;
    codings->min = options->min ? options->min : CN_CODINGS_MIN;
    codings->level = options->level;
    codings->zstd_window = options->zstd_window;
    codings->texts.private_allocator = allocator;
    codings->work.private_allocator = allocator;
    codings->items =
        CONNECT_NEW(&codings->texts, cn_coding_t, options->registered_count + (size_t)CN_CODINGS_BUILT_IN_MAX);
    if (!codings->items) return cn_error_memory(error);
    return cn_codings_add_all(codings, options, error) && cn_codings_set_accept(codings, options->accept, error);
}

CN_PRIVATE void cn_codings_free(cn_codings_t *codings) {
    if (!codings->allocator) return;
    cn_gzip_free(&codings->gzip, codings->allocator);
    cn_zstd_free(&codings->zstd, codings->allocator);
    cn_buf_free(&codings->plain, codings->allocator);
    connect_arena_free(&codings->work);
    connect_arena_free(&codings->texts);
}

/* ---- Messages ---- */

CN_PRIVATE cn_buf_t *cn_codings_plain(cn_codings_t *codings) {
    cn_buf_clear(&codings->plain);
    return &codings->plain;
}

CN_PRIVATE void cn_codings_done(cn_codings_t *codings) {
    if (codings->plain.capacity > CN_CODINGS_KEPT_MAX) cn_buf_free(&codings->plain, codings->allocator);
}

static void cn_codings_end_work(cn_codings_t *codings) {
    if (cn_arena_block_size(&codings->work) > CN_CODINGS_KEPT_MAX)
        connect_arena_free(&codings->work);
    else
        connect_arena_reset(&codings->work);
}

static bool cn_codings_compress_registered(
    cn_codings_t *codings, const connect_compression_t *registered, connect_str_t in, cn_buf_t *out) {
    connect_str_t result = {NULL, 0};
    bool ok = registered->compress(registered->ctx, in, &codings->work, &result) && (result.data || !result.len) &&
        cn_buf_append_str(out, codings->allocator, result);
    cn_codings_end_work(codings);
    return ok;
}

static cn_expand_t cn_codings_expand_registered(
    cn_codings_t *codings, const connect_compression_t *registered, connect_str_t in, size_t max, cn_buf_t *out) {
    connect_str_t result = {NULL, 0};
    cn_expand_t how = CN_EXPAND_OK;
    if (!registered->decompress(registered->ctx, in, max, &codings->work, &result) || (!result.data && result.len))
        how = codings->work.failed ? CN_EXPAND_NO_MEMORY : CN_EXPAND_CORRUPT;
    else if (result.len > max)
        how = CN_EXPAND_TOO_LARGE;
    else if (!cn_buf_append_str(out, codings->allocator, result))
        how = CN_EXPAND_NO_MEMORY;
    cn_codings_end_work(codings);
    return how;
}

CN_PRIVATE bool cn_codings_compress(cn_codings_t *codings, const cn_coding_t *coding, connect_str_t in, cn_buf_t *out) {
#if CONNECT_ENABLE_ZSTD
    if (coding->kind == CN_CODING_ZSTD)
        return cn_zstd_compress(&codings->zstd, codings->allocator, codings->level, in, out);
#endif
#if CONNECT_ENABLE_GZIP
    if (coding->kind == CN_CODING_GZIP)
        return cn_gzip_compress(&codings->gzip, codings->allocator, codings->level, in, out);
#endif
    return cn_codings_compress_registered(codings, &coding->registered, in, out);
}

CN_PRIVATE cn_expand_t cn_codings_expand(
    cn_codings_t *codings, const cn_coding_t *coding, connect_str_t in, size_t max, cn_buf_t *out) {
#if CONNECT_ENABLE_ZSTD
    if (coding->kind == CN_CODING_ZSTD)
        return cn_zstd_expand(&codings->zstd, codings->allocator, codings->zstd_window, in, max, out);
#endif
#if CONNECT_ENABLE_GZIP
    if (coding->kind == CN_CODING_GZIP) return cn_gzip_expand(&codings->gzip, codings->allocator, in, max, out);
#endif
    return cn_codings_expand_registered(codings, &coding->registered, in, max, out);
}

/* #### src/http/header.h ########################################################################################### */
typedef struct cn_headers_t { /* a header list being built; zeroed: empty */
    connect_header_t *items;
    size_t count, capacity;
    size_t bytes; /* name + value + 32 for each, as SETTINGS_MAX_HEADER_LIST_SIZE counts (RFC 9113 6.5.2) */
} cn_headers_t;
typedef enum cn_headers_result_t { CN_HEADERS_OK, CN_HEADERS_TOO_LARGE, CN_HEADERS_NO_MEMORY } cn_headers_result_t;

/* Adds a received field: name and value are copied into the arena, each with a zero behind, the name in lower case.
   TOO_LARGE: past limits->header_bytes or header_count; nothing is stored. */
CN_PRIVATE cn_headers_result_t cn_headers_receive(cn_headers_t *headers, connect_arena_t *arena,
    const connect_limits_t *limits, connect_str_t name, connect_str_t value);
/* Makes room for so many fields more, so that adding them does not move the list. Returns false: out of memory. */
CN_PRIVATE bool cn_headers_reserve(cn_headers_t *headers, connect_arena_t *arena, size_t count);
/* Copies a name in lower case; `to` may be `from`. */
CN_PRIVATE void cn_header_lower(char *to, const char *from, size_t len);
/* Adds a field whose texts stay where they are. name: lower case. Returns false: out of memory. */
CN_PRIVATE bool cn_headers_put(cn_headers_t *headers, connect_arena_t *arena, const char *name, connect_str_t value);
CN_PRIVATE connect_headers_t cn_headers_view(const cn_headers_t *headers);
/* The first value of a name given in lower case, or the absent view. */
CN_PRIVATE connect_str_t cn_headers_find(const cn_headers_t *headers, const char *name);
/* A token (RFC 9110 5.6.2); a field value (RFC 9110 5.5: no CR, LF, NUL or other control but tab). */
CN_PRIVATE bool cn_header_name_valid(connect_str_t name);
CN_PRIVATE bool cn_header_value_valid(connect_str_t value);
/* Tells whether a text is uri-host [ ":" port ] (RFC 9110 7.2): not empty, no list, no userinfo. */
CN_PRIVATE bool cn_header_authority_valid(connect_str_t authority);

/* What a byte may be part of; the table has 256 entries. */
enum {
    CN_CHAR_TOKEN = 1,  /* RFC 9110 5.6.2 */
    CN_CHAR_VALUE = 2,  /* of a field value: VCHAR, obs-text, space, tab */
    CN_CHAR_TARGET = 4, /* of a request target: VCHAR, but no "#" (a fragment is never sent) and no "\" */
    CN_CHAR_HOST = 8,   /* of a reg-name or an IPv4 address (RFC 3986 3.2.2), but no ",": it would look like a list */
    CN_CHAR_QUOTED = 16 /* of a quoted-string, as it stands (RFC 9110 5.6.4) */
};
CN_PRIVATE const unsigned char *cn_header_chars(void);

/* #### src/http/header.c ########################################################################################### */
/* Header lists as both HTTP versions hold them: an array of (name, value) in an arena, names in lower case, all texts
   zero-terminated; order and repetitions are kept (RFC 9110 5.2, 5.3). And the grammar of names and values as a table
   of one byte per character.

   A received list is bounded twice: by limits->header_count, and by limits->header_bytes, where every field counts as
   name + value + 32 (RFC 9113 6.5.2). A field that is past a limit is not stored.

   The items are one array in the arena, which doubles; when nothing else was taken from the arena meanwhile it grows in
   place. cn_headers_reserve makes the array at once. */

#define CN_HEADERS_FIRST 8u
#define CN_HEADER_OVERHEAD 32u

/* Bits of CN_CHAR_: TOKEN 1, VALUE 2, TARGET 4, HOST 8, QUOTED 16. */
static const unsigned char cn_header_char_table[256] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 18, 31, 6, 19, 31, 31, 31, 31, 30, 30, 31, 31, 22, 31, 31, 22, 31, 31, 31, 31, 31,
    31, 31, 31, 31, 31, 22, 30, 22, 30, 22, 22, 22, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31,
    31, 31, 31, 31, 31, 31, 31, 31, 31, 22, 2, 22, 23, 31, 23, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31,
    31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 22, 23, 22, 31, 0, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18,
    18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18,
    18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18,
    18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18,
    18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18, 18};

CN_PRIVATE const unsigned char *cn_header_chars(void) {
    return cn_header_char_table;
}

static bool cn_header_all(connect_str_t text, unsigned char kind) {
    size_t i;
    for (i = 0; i < text.len; i++)
        if (!(cn_header_char_table[(unsigned char)text.data[i]] & kind)) return false;
    return true;
}

CN_PRIVATE bool cn_header_name_valid(connect_str_t name) {
    return name.len > 0 && cn_header_all(name, CN_CHAR_TOKEN);
}

CN_PRIVATE bool cn_header_value_valid(connect_str_t value) {
    return cn_header_all(value, CN_CHAR_VALUE);
}

CN_PRIVATE bool cn_header_authority_valid(connect_str_t authority) {
    const unsigned char *chars = cn_header_char_table;
    size_t at = 0, port;
    if (authority.len && authority.data[0] == '[') { /* IPv6, with "%" before a zone; what is in it is not looked at */
        at = 1;
        while (at < authority.len &&
            ((chars[(unsigned char)authority.data[at]] & CN_CHAR_HOST) || authority.data[at] == ':'))
            at++;
        if (at < 3 || at == authority.len || authority.data[at] != ']') return false;
        at++;
    } else {
        while (at < authority.len && (chars[(unsigned char)authority.data[at]] & CN_CHAR_HOST))
            at++;
        if (at == 0) return false;
    }
    if (at == authority.len) return true;
    if (authority.data[at] != ':') return false;
    for (port = ++at; at < authority.len; at++)
        if (authority.data[at] < '0' || authority.data[at] > '9') return false;
    return at - port <= 5;
}

/* Bytes below 0x80 that are 'A' to 'Z' get 0x20 added, eight at a time. */
static uint64_t cn_header_lower_word(uint64_t word) {
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t low = word & (ones * 0x7F);
    uint64_t upper = (low + ones * (0x80 - 'A')) & ~(low + ones * (0x80 - 'Z' - 1)) & ~word & (ones * 0x80);
    return word | upper >> 2;
}

static void cn_header_lower_8(char *to, const char *from) {
    uint64_t word;
    memcpy(&word, from, 8);
    word = cn_header_lower_word(word);
    memcpy(to, &word, 8);
}

static void cn_header_lower_4(char *to, const char *from) {
    uint32_t half;
    memcpy(&half, from, 4);
    half = (uint32_t)cn_header_lower_word(half);
    memcpy(to, &half, 4);
}

CN_PRIVATE void cn_header_lower(char *to, const char *from, size_t len) {
    size_t i;
    if (len >= 8) { /* the last word overlaps the one before */
        for (i = 0; i + 8 < len; i += 8)
            cn_header_lower_8(to + i, from + i);
        cn_header_lower_8(to + len - 8, from + len - 8);
    } else if (len >= 4) {
        cn_header_lower_4(to, from);
        cn_header_lower_4(to + len - 4, from + len - 4);
    } else {
        for (i = 0; i < len; i++) {
            unsigned char c = (unsigned char)from[i];
            to[i] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
        }
    }
}

CN_PRIVATE bool cn_headers_reserve(cn_headers_t *headers, connect_arena_t *arena, size_t count) {
    size_t capacity = headers->count + count;
    connect_header_t *items;
    if (capacity <= headers->capacity) return true;
    if (capacity > SIZE_MAX / 2 / sizeof *items) return false;
    items = (connect_header_t *)cn_arena_grow(
        arena, headers->items, headers->capacity * sizeof *items, capacity * sizeof *items);
    if (!items) return false;
    headers->items = items;
    headers->capacity = capacity;
    return true;
}

CN_PRIVATE bool cn_headers_put(cn_headers_t *headers, connect_arena_t *arena, const char *name, connect_str_t value) {
    if (headers->count == headers->capacity &&
        !cn_headers_reserve(headers, arena, CN_MAX(headers->capacity, (size_t)CN_HEADERS_FIRST)))
        return false;
    headers->items[headers->count].name = name;
    headers->items[headers->count].value = value;
    headers->count++;
    headers->bytes += strlen(name) + value.len + CN_HEADER_OVERHEAD;
    return true;
}

CN_PRIVATE cn_headers_result_t cn_headers_receive(cn_headers_t *headers, connect_arena_t *arena,
    const connect_limits_t *limits, connect_str_t name, connect_str_t value) {
    size_t left;
    char *text;
    if (headers->count >= limits->header_count || headers->bytes > limits->header_bytes) return CN_HEADERS_TOO_LARGE;
    left = limits->header_bytes - headers->bytes;
    if (left < CN_HEADER_OVERHEAD || name.len > left - CN_HEADER_OVERHEAD ||
        value.len > left - CN_HEADER_OVERHEAD - name.len)
        return CN_HEADERS_TOO_LARGE;
    if (headers->count == headers->capacity &&
        !cn_headers_reserve(headers, arena, CN_MAX(headers->capacity, (size_t)CN_HEADERS_FIRST)))
        return CN_HEADERS_NO_MEMORY;
    text = (char *)cn_arena_raw(arena, name.len + value.len + 2);
    if (!text) return CN_HEADERS_NO_MEMORY;
    cn_header_lower(text, name.data, name.len);
    text[name.len] = 0;
    if (value.len) memcpy(text + name.len + 1, value.data, value.len);
    text[name.len + 1 + value.len] = 0;
    headers->items[headers->count].name = text;
    headers->items[headers->count].value = cn_str(text + name.len + 1, value.len);
    headers->count++;
    headers->bytes += name.len + value.len + CN_HEADER_OVERHEAD;
    return CN_HEADERS_OK;
}

CN_PRIVATE connect_headers_t cn_headers_view(const cn_headers_t *headers) {
    connect_headers_t view;
    view.items = headers->items;
    view.count = headers->count;
    return view;
}

CN_PRIVATE connect_str_t cn_headers_find(const cn_headers_t *headers, const char *name) {
    size_t i;
    for (i = 0; i < headers->count; i++)
        if (headers->items[i].name[0] == name[0] && strcmp(headers->items[i].name, name) == 0)
            return headers->items[i].value;
    return cn_str(NULL, 0);
}

connect_str_t connect_headers_get(connect_headers_t headers, const char *name, size_t nth) {
    const connect_str_t wanted = connect_str_of(name);
    size_t i;
    for (i = 0; i < headers.count; i++)
        if (cn_str_equal_nocase(connect_str_of(headers.items[i].name), wanted) && nth-- == 0)
            return headers.items[i].value;
    return cn_str(NULL, 0);
}

/* #### src/http/exchange.h ######################################################################################### */
/* One HTTP exchange, a request and its response, as both HTTP versions offer it to the layer above, and what the two
   versions share with the connection that carries them.

   Events go up: on_head, then on_data, then on_end; on_closed exactly once and last, for every exchange that was begun,
   also after reset. Events come only out of feed, pull, eof and free; never out of an operation on an exchange.
   Operations go down: send_head once, bytes appended to x->out and flush, then send_end, or reset at any time. All of
   them may be called inside events, and outside. What an operation is given (header names and values, not the array)
   stays until on_closed. */

typedef struct cn_http_t cn_http_t;
typedef struct cn_exchange_t cn_exchange_t;

typedef enum cn_reset_t { /* why an exchange is given up; in HTTP/2 an error code (RFC 9113 7) */
    CN_RESET_NO_ERROR,    /* server: the response is complete, the rest of the request is of no use */
    CN_RESET_CANCEL,
    CN_RESET_REFUSED,
    CN_RESET_INTERNAL,
    CN_RESET_STALLED /* the peer takes no bytes of it: CANCEL, and a few of them are the connection's end */
} cn_reset_t;

typedef struct cn_head_t {           /* what send_head sends */
    int status;                      /* server */
    connect_str_t method, authority; /* client: "POST", "gateway:8080" */
    connect_str_t path;              /* client: with the query */
    const connect_header_t *headers; /* without content-length, connection, transfer-encoding, date */
    size_t header_count;
    int64_t content_length; /* of the body; -1: not known yet. HTTP/1.1 then sends it chunked */
} cn_head_t;

typedef struct cn_exchange_events_t {
    void (*on_head)(cn_exchange_t *x); /* the head of the request or the (final) response is in x */
    void (*on_data)(cn_exchange_t *x, const char *bytes, size_t len); /* takes all; len > 0 */
    void (*on_end)(cn_exchange_t *x);      /* the whole message is in; x->trailers has its trailers */
    void (*on_writable)(cn_exchange_t *x); /* x->out fell below half of limits->stream_buffer after it was above */
    void (*on_due)(cn_exchange_t *x);      /* x->due_ms has come; it is INT64_MAX again */
    /* The exchange is over, x is no longer known here. code OK: both messages were whole. Else: reset, lost, or broken
       by the peer; why: static. */
    void (*on_closed)(cn_exchange_t *x, connect_code_t code, const char *why);
} cn_exchange_events_t;

struct cn_exchange_t { /* embedded in what the layer above keeps for it; zeroed but for events, arena, due_ms */
    const cn_exchange_events_t *events;
    connect_arena_t *arena; /* for what is received and for what HTTP needs; lives until on_closed */
    int64_t due_ms;         /* when on_due is wanted; set by cn_exchange_set_due; INT64_MAX: never */
    /* received */
    connect_str_t method, path, authority; /* server; path: with the query */
    int status;                            /* client */
    cn_headers_t headers, trailers;        /* without pseudo-headers; host, content-length, te are in */
    int64_t content_length;                /* as declared, or -1 */
    int64_t received_ms;                   /* when the last byte of it came */
    bool received_head, received_end;
    /* to be sent */
    cn_buf_t out;             /* body bytes: appended by the layer above, which then calls flush, and frees it
                                      after on_closed; with http->allocator */
    bool sent_head, sent_end; /* send_head, send_end were called */
    /* the HTTP version's own */
    cn_http_t *http;                      /* NULL: not begun, or closed */
    cn_list_t node;                       /* in http->exchanges */
    int32_t stream_id;                    /* HTTP/2 */
    uint32_t unread;                      /* received bytes that the layer above has not consumed yet */
    uint64_t out_taken, out_taken_before; /* bytes that went out of x->out; at the connection's last look */
    bool out_waited;                      /* some waited then */
    bool until_eof; /* client: the response ends with the connection; nobody can tell if it is whole */
    bool over_high_water, is_head_request, reset;
    bool refused;              /* HTTP/2, server: answered here; the layer above gets on_closed only */
    uint8_t interim_heads;     /* client: 1xx responses so far */
    connect_code_t close_code; /* what on_closed will say */
    const char *close_why;
    connect_headers_t out_trailers;
    bool deferred; /* HTTP/2: the data source has nothing to give now */
};

typedef struct cn_http_events_t { /* to the owner of the connection */
    /* Server: a request begins. Returns its exchange, with events and arena set, or NULL: refuse it, no room. */
    cn_exchange_t *(*on_begin)(cn_http_t *http);
    /* There is something to pull, or to read again, that feed did not cause. Comes once until the next pull. */
    void (*on_output)(cn_http_t *http);
    /* Client: one more exchange may begin now, or no more ever (http->draining). */
    void (*on_room)(cn_http_t *http);
} cn_http_events_t;

typedef struct cn_http_version_t { /* HTTP/1.1 or HTTP/2 */
    connect_http_version_t number;
    bool (*open)(cn_http_t *http); /* makes http->state; false: out of memory */
    void (*free)(cn_http_t *http); /* closes what is still open (UNAVAILABLE), and frees http->state */
    /* Takes bytes from the peer; returns how many. Fewer than len: http->read_blocked, the rest must come again. */
    size_t (*feed)(cn_http_t *http, const char *bytes, size_t len);
    void (*eof)(cn_http_t *http);  /* the peer sends no more: what is not whole is cut short */
    void (*pull)(cn_http_t *http); /* moves into http->out what may go out now, up to limits->connection_buffer */
    bool (*can_begin)(const cn_http_t *http);         /* client: begin would work */
    bool (*begin)(cn_http_t *http, cn_exchange_t *x); /* client: attaches x; then send_head */
    void (*drain)(cn_http_t *http);                   /* no new exchanges; closes when the last one has ended */
    bool (*send_head)(cn_exchange_t *x, const cn_head_t *head, bool end); /* false: out of memory */
    void (*flush)(cn_exchange_t *x);                                      /* bytes were appended to x->out */
    void (*send_end)(cn_exchange_t *x, connect_headers_t trailers);       /* after what is in x->out */
    void (*reset)(cn_exchange_t *x, cn_reset_t why);
    void (*consume)(cn_exchange_t *x, size_t len); /* received bytes are used up: the peer may send as many */
} cn_http_version_t;

struct cn_http_t {                    /* embedded in the connection */
    const cn_http_version_t *version; /* NULL: not known yet */
    void *state;
    const cn_http_events_t *events;
    const connect_allocator_t *allocator;
    const connect_limits_t *limits; /* filled in: no zeros */
    cn_buf_t out;                   /* bytes for the peer */
    cn_list_t exchanges;            /* by begin */
    uint32_t exchange_count;
    int64_t now_ms;
    int64_t head_since_ms; /* a head (HTTP/1.1), preface and SETTINGS or header block (HTTP/2) is awaited
                                         since then in the middle of it; -1: none is. The connection watches it */
    int64_t due_ms;        /* no exchange is due before; INT64_MAX: none */
    bool is_server;
    bool feeding;        /* inside feed, eof or pull: no on_output needed */
    bool woken;          /* on_output was called, and no pull since */
    bool read_blocked;   /* feed would take nothing now */
    bool draining;       /* no exchange may begin any more */
    bool closing;        /* close when out is empty */
    const char *failure; /* why the transport broke, or NULL: exchanges that are lost say it */
};

/* Sets when on_due is wanted; INT64_MAX: not any more. */
CN_PRIVATE void cn_exchange_set_due(cn_exchange_t *x, int64_t due_ms);
/* Calls on_output, unless we are inside feed or it was called already. */
CN_PRIVATE void cn_http_wake(cn_http_t *http);
/* Puts x on the list of the open ones, and takes it off and says on_closed with x->close_code. */
CN_PRIVATE void cn_exchange_attach(cn_http_t *http, cn_exchange_t *x);
CN_PRIVATE void cn_exchange_close(cn_exchange_t *x);

/* #### src/http/exchange.c ######################################################################################### */
/* What HTTP/1.1 and HTTP/2 do alike with an exchange: keep the list of the open ones, tell the owner once that there is
   output, remember the earliest deadline, and say on_closed exactly once.

   http->due_ms is a lower bound: it is lowered at once and raised only by the connection's walk over the list, so that
   a deadline that is set and taken back for every call costs nothing. */

CN_PRIVATE void cn_exchange_set_due(cn_exchange_t *x, int64_t due_ms) {
    x->due_ms = due_ms;
    if (x->http && due_ms < x->http->due_ms) {
        x->http->due_ms = due_ms;
        cn_http_wake(x->http);
    }
}

CN_PRIVATE void cn_http_wake(cn_http_t *http) {
    if (http->feeding || http->woken) return;
    http->woken = true;
    if (http->events->on_output) http->events->on_output(http);
}

CN_PRIVATE void cn_exchange_attach(cn_http_t *http, cn_exchange_t *x) {
    x->http = http;
    x->content_length = -1;
    x->received_ms = http->now_ms;
    cn_list_append(&http->exchanges, &x->node);
    http->exchange_count++;
    if (x->due_ms < http->due_ms) http->due_ms = x->due_ms;
}

CN_PRIVATE void cn_exchange_close(cn_exchange_t *x) {
    cn_http_t *http = x->http;
    if (!http) return;
    cn_list_remove(&x->node);
    http->exchange_count--;
    x->http = NULL;
    if (x->close_code == CONNECT_UNAVAILABLE && http->failure) x->close_why = http->failure;
    x->events->on_closed(x, x->close_code, x->close_why);
}

/* #### src/http/http1.h ############################################################################################ */
/* HTTP/1.1 over a connection, server or client by http->is_server. */
CN_PRIVATE const cn_http_version_t *cn_http1_version(void);

/* #### src/http/http1.c ############################################################################################ */
/* HTTP/1.1 (RFC 9112) for one connection: a strict parser and a writer, server and client. One exchange at a time: the
   bytes of the next request are not taken before the exchange is over.

   Received: where read stands

       HEAD      start line and fields up to the empty line (2.1, 5); also between two messages
       FIXED     `left` bytes of a body with Content-Length (6.2)
       UNTIL_EOF client: a body that ends with the connection (6.3, rule 8)
       CHUNK     between the data of two chunks: CRLF, size, extensions, CRLF (7.1); the place in it is chunk_at
       DATA      `left` bytes of a chunk
       TRAILERS  fields up to the empty line (7.1.2)
       WHOLE     the message is in; the exchange goes on
       DEAD      nothing is read any more: bytes are taken and thrown away

       HEAD -> FIXED -> WHOLE, HEAD -> CHUNK <-> DATA, CHUNK -> TRAILERS -> WHOLE -> (exchange over) HEAD; any -> DEAD

   A head is parsed where it came, in one pass, line by line; its fields are copied only when all of it is there and
   right. What came of a head that is not whole yet is kept in `held`, and every line is parsed when its LF is there:
   each byte is looked at a bounded number of times, however it is cut. `section` has what is known of it; it counts in
   offsets, so that `held` may move.

   Strict means (400 on the server, a broken connection on the client): one space between the parts of the start line;
   CRLF only, no obsolete folding, no space before a colon (5.1), no control character; one Content-Length, of digits
   without a leading zero, not above 2^63-1; one Transfer-Encoding, which is "chunked", in HTTP/1.1 only, never with a
   Content-Length (6.1: it would be a way to smuggle); one Host that is an authority (3.2); chunk sizes of at most 16
   hexadecimal digits. Before a request line one empty line is passed over (2.2). Trailers have no framing fields.
   Limits: request line limits->url_bytes (414); fields limits->header_bytes and header_count, of headers and of
   trailers (431); a chunk line 256 bytes, all chunk extensions of a message 4 KiB; a method 32 bytes; on the client
   8 interim responses (RFC 9110 15.2).

   Sent: what stands in x->out is moved into http->out by transfer, framed by `write`; one chunk for each transfer.
   The end is written when x->out is empty after send_end. The exchange is over when this is done and the message of
   the peer is WHOLE, or nothing is read any more.

   Server, response complete before the request is: up to 64 KiB of the rest are thrown away, so that the connection can
   be kept; then, or when it is known to be more, it is closed after the response (RFC 9112 9.3). No on_data and no
   on_end come after send_end. A client that waits for 100 (Continue) gets it when its body is awaited; if the final
   response comes first, it need not send the body, and the connection is closed.

   Flow: x->unread never exceeds limits->stream_window; then read_blocked, until consume or the server's send_end.
   While a whole request waits for its response nothing is blocked until bytes come: so the end of input is noticed.

   Invariants: s->x is the one exchange, or NULL; it is taken out of s before on_closed, which is the last use of it.
   An operation never closes an exchange: reset only marks it, and feed, pull, eof or free close it. http->closing is
   set together with read == DEAD. */

#define CN_H1_METHOD_MAX 32u
#define CN_H1_CHUNK_LINE_MAX 256u
#define CN_H1_CHUNK_EXTENSIONS_MAX 4096u
#define CN_H1_DRAIN_MAX 65536u
#define CN_H1_INTERIM_MAX 8u
#define CN_H1_RECORDED 32u   /* fields of a head that came in one piece are not searched a second time */
#define CN_H1_FIELD_COST 30u /* a line "name: value" counts as name + value + 32 */

typedef enum cn_h1_read_t {
    CN_H1_HEAD,
    CN_H1_FIXED,
    CN_H1_UNTIL_EOF,
    CN_H1_CHUNK,
    CN_H1_DATA,
    CN_H1_TRAILERS,
    CN_H1_WHOLE,
    CN_H1_DEAD
} cn_h1_read_t;

typedef enum cn_h1_chunk_t { /* what comes next in a chunk line; BWS is RFC 9110 5.6.3 */
    CN_H1_SIZE_FIRST,
    CN_H1_SIZE,
    CN_H1_SIZE_BWS,
    CN_H1_NAME_BWS,
    CN_H1_NAME,
    CN_H1_EQUALS_BWS,
    CN_H1_VALUE_BWS,
    CN_H1_VALUE,
    CN_H1_QUOTED,
    CN_H1_ESCAPED,
    CN_H1_SEMICOLON_BWS,
    CN_H1_LINE_LF,
    CN_H1_DATA_CR,
    CN_H1_DATA_LF
} cn_h1_chunk_t;

typedef enum cn_h1_write_t { CN_H1_NO_BODY, CN_H1_SIZED, CN_H1_CHUNKED, CN_H1_CLOSE_DELIMITED } cn_h1_write_t;

typedef enum cn_h1_progress_t { CN_H1_MORE, CN_H1_DONE, CN_H1_BAD } cn_h1_progress_t;

typedef struct cn_h1_field_t {
    connect_str_t name, value;
} cn_h1_field_t;

typedef struct cn_h1_section_t { /* what is known of a head or a trailer section; offsets are from its first byte */
    size_t line;                 /* the first line that was not parsed yet */
    size_t fields_at;            /* the first field line */
    size_t count, bytes;
    size_t method_at, method_len, target_at, target_len, host_at, host_len;
    int64_t content_length;
    int status;
    int refusal; /* BAD: the status that says so, and why */
    const char *why;
    uint8_t minor; /* of the HTTP version */
    bool started;  /* the start line is parsed, or there is none */
    bool blank;    /* an empty line before it was passed over */
    bool has_host, has_length, has_coding, unknown_coding, close, keep_alive, expects;
} cn_h1_section_t;

typedef struct cn_h1_t {
    cn_exchange_t *x;
    cn_buf_t held;
    cn_h1_section_t section;
    uint64_t left;       /* of the body or the chunk that is received */
    uint64_t write_left; /* of the body that is sent, if SIZED */
    uint32_t requests, drain_left, chunk_line, chunk_extensions, chunk_digits, interim;
    uint8_t read, chunk_at, write; /* cn_h1_read_t, cn_h1_chunk_t, cn_h1_write_t */
    uint8_t minor;                 /* of the peer's message */
    bool write_done;               /* the end of what is sent is in http->out */
    bool keep;                     /* the connection may live on after this exchange */
    bool expects;                  /* the peer waits for 100 (Continue) */
    bool drop_rest;                /* the rest of the request is not waited for */
} cn_h1_t;

/* ---- Parsing a section ------------------------------------------------------------------------------------------ */

static cn_h1_progress_t cn_h1_bad(cn_h1_section_t *section, int status, const char *why) {
    section->refusal = status;
    section->why = why;
    return CN_H1_BAD;
}

/* Scanning eight bytes at a time: high bits of a word mark bytes. A mark above the lowest one may be wrong (a borrow):
   only the lowest counts, and what is found there is looked at once more. */
#define CN_H1_EACH(byte) (UINT64_C(0x0101010101010101) * (uint64_t)(byte))
#define CN_H1_MARKS CN_H1_EACH(0x80)

static uint64_t cn_h1_mark_below(uint64_t word, unsigned char limit) {
    return (word - CN_H1_EACH(limit)) & ~word;
}

static uint64_t cn_h1_mark_equal(uint64_t word, unsigned char byte) {
    word ^= CN_H1_EACH(byte);
    return (word - CN_H1_EACH(1)) & ~word;
}

/* How many bytes stand before the first mark; a lower bound where that is not known at once. */
static size_t cn_h1_before_mark(uint64_t marks) {
#if defined(__GNUC__) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (size_t)__builtin_ctzll(marks) >> 3;
#else
    (void)marks;
    return 0;
#endif
}

/* Skips what may be in a field value, and stops at the first byte that may not. */
static const char *cn_h1_skip_value(const char *p, const char *end) {
    const unsigned char *chars = cn_header_chars();
    while (end - p >= 8) {
        uint64_t word, marks;
        memcpy(&word, p, 8);
        marks = (cn_h1_mark_below(word, 0x20) | cn_h1_mark_equal(word, 0x7F)) & CN_H1_MARKS;
        if (marks) {
            p += cn_h1_before_mark(marks);
            break;
        }
        p += 8;
    }
    while (p < end && (chars[(unsigned char)*p] & CN_CHAR_VALUE))
        p++;
    return p;
}

/* The same for a request target. */
static const char *cn_h1_skip_target(const char *p, const char *end) {
    const unsigned char *chars = cn_header_chars();
    while (end - p >= 8) {
        uint64_t word, marks;
        memcpy(&word, p, 8);
        marks = (cn_h1_mark_below(word, 0x21) | word | cn_h1_mark_equal(word, 0x7F) | cn_h1_mark_equal(word, '#') |
                    cn_h1_mark_equal(word, '\\')) &
            CN_H1_MARKS;
        if (marks) {
            p += cn_h1_before_mark(marks);
            break;
        }
        p += 8;
    }
    while (p < end && (chars[(unsigned char)*p] & CN_CHAR_TARGET))
        p++;
    return p;
}

/* The same for a field name; letters and "-" are skipped by words. */
static const char *cn_h1_skip_name(const char *p, const char *end) {
    const unsigned char *chars = cn_header_chars();
    while (end - p >= 8) {
        uint64_t word, low, letters, dashes, marks; /* no borrows or carries here: these say what is allowed */
        memcpy(&word, p, 8);
        low = (word & CN_H1_EACH(0x7F)) | CN_H1_EACH(0x20);
        letters = (low + CN_H1_EACH(0x80 - 'a')) & ~(low + CN_H1_EACH(0x80 - 'z' - 1));
        dashes = ~(((word ^ CN_H1_EACH('-')) & CN_H1_EACH(0x7F)) + CN_H1_EACH(0x7F));
        marks = ~((letters | dashes) & ~word) & CN_H1_MARKS;
        if (marks) {
            p += cn_h1_before_mark(marks);
            break;
        }
        p += 8;
    }
    while (p < end && (chars[(unsigned char)*p] & CN_CHAR_TOKEN))
        p++;
    return p;
}

/* field-line = field-name ":" OWS field-value OWS CRLF (RFC 9112 5). DONE: *at stands behind it. */
static cn_h1_progress_t cn_h1_parse_field(const char **at, const char *end, cn_h1_field_t *field) {
    const char *p = *at, *last;
    field->name.data = p;
    p = cn_h1_skip_name(p, end);
    if (p == end) return CN_H1_MORE;
    if (CN_UNLIKELY(*p != ':' || p == *at)) return CN_H1_BAD;
    field->name.len = (size_t)(p - *at);
    p++;
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    field->value.data = p;
    p = cn_h1_skip_value(p, end);
    if (end - p < 2) return p == end || *p == '\r' ? CN_H1_MORE : CN_H1_BAD;
    if (CN_UNLIKELY(p[0] != '\r' || p[1] != '\n')) return CN_H1_BAD;
    last = p;
    while (last > field->value.data && (last[-1] == ' ' || last[-1] == '\t'))
        last--;
    field->value.len = (size_t)(last - field->value.data);
    *at = p + 2;
    return CN_H1_DONE;
}

/* DIGIT *DIGIT, no leading zero: some would read it as octal. */
static bool cn_h1_parse_length(connect_str_t text, int64_t *length) {
    uint64_t value;
    if (!cn_str_to_uint(text, 19, &value) || value > (uint64_t)INT64_MAX) return false;
    if (text.data[0] == '0' && text.len > 1) return false;
    *length = (int64_t)value;
    return true;
}

/* The value of Transfer-Encoding: "chunked" alone is understood. A well-formed list of other codings, with "chunked"
   nowhere but at its end, is not implemented; all else is an error. */
static cn_h1_progress_t cn_h1_parse_coding(cn_h1_section_t *section, connect_str_t value) {
    connect_str_t part;
    bool chunked = false;
    if (section->has_coding) return cn_h1_bad(section, 400, "two Transfer-Encoding fields");
    section->has_coding = true;
    if (cn_str_equal_nocase(value, CN_STR("chunked"))) return CN_H1_DONE;
    while (cn_str_split(&value, ',', &part)) {
        part = cn_str_trim(part);
        if (!cn_header_name_valid(part) || chunked) return cn_h1_bad(section, 400, "invalid Transfer-Encoding");
        chunked = cn_str_equal_nocase(part, CN_STR("chunked"));
    }
    section->unknown_coding = true;
    return CN_H1_DONE;
}

/* Compares a field name of 4 to 24 token characters with one in lower case of the same length. Bit 0x20 makes letters
   lower; no other token character becomes one of those that names are made of here, letters and "-". */
static bool cn_h1_name_is(connect_str_t name, const char *lower) {
    uint64_t a, b;
    uint32_t c, d;
    size_t at;
    if (name.len < 8) {
        memcpy(&c, name.data, 4);
        memcpy(&d, lower, 4);
        if ((c | UINT32_C(0x20202020)) != d) return false;
        memcpy(&c, name.data + name.len - 4, 4);
        memcpy(&d, lower + name.len - 4, 4);
        return (c | UINT32_C(0x20202020)) == d;
    }
    for (at = 0; at + 8 < name.len; at += 8) {
        memcpy(&a, name.data + at, 8);
        memcpy(&b, lower + at, 8);
        if ((a | CN_H1_EACH(0x20)) != b) return false;
    }
    memcpy(&a, name.data + name.len - 8, 8);
    memcpy(&b, lower + name.len - 8, 8);
    return (a | CN_H1_EACH(0x20)) == b;
}

/* The fields that HTTP/1.1 itself needs. */
static cn_h1_progress_t cn_h1_note_field(
    cn_http_t *http, cn_h1_section_t *section, const char *base, const cn_h1_field_t *field) {
    const cn_h1_t *s = (const cn_h1_t *)http->state;
    connect_str_t value = field->value, part;
    bool in_trailers = s->read == CN_H1_TRAILERS;
    switch (field->name.len) {
    case 4:
        if (!cn_h1_name_is(field->name, "host")) break;
        if (in_trailers) return cn_h1_bad(section, 400, "Host in trailers");
        if (section->has_host) return cn_h1_bad(section, 400, "two Host fields");
        section->has_host = true;
        section->host_at = (size_t)(value.data - base);
        section->host_len = value.len;
        break;
    case 6:
        if (!http->is_server || in_trailers || !cn_h1_name_is(field->name, "expect")) break;
        if (!cn_str_equal_nocase(value, CN_STR("100-continue"))) return cn_h1_bad(section, 417, "unknown expectation");
        section->expects = true;
        break;
    case 10:
        if (in_trailers || !cn_h1_name_is(field->name, "connection")) break;
        while (cn_str_split(&value, ',', &part)) {
            part = cn_str_trim(part);
            if (cn_str_equal_nocase(part, CN_STR("close")))
                section->close = true;
            else if (cn_str_equal_nocase(part, CN_STR("keep-alive")))
                section->keep_alive = true;
        }
        break;
    case 14:
        if (!cn_h1_name_is(field->name, "content-length")) break;
        if (in_trailers) return cn_h1_bad(section, 400, "Content-Length in trailers");
        if (section->has_length) return cn_h1_bad(section, 400, "two Content-Length fields");
        section->has_length = true;
        if (!cn_h1_parse_length(value, &section->content_length))
            return cn_h1_bad(section, 400, "invalid Content-Length");
        break;
    case 17:
        if (!cn_h1_name_is(field->name, "transfer-encoding")) break;
        if (in_trailers) return cn_h1_bad(section, 400, "Transfer-Encoding in trailers");
        return cn_h1_parse_coding(section, value);
    default: break;
    }
    return CN_H1_DONE;
}

/* HTTP-version CRLF; DONE: *at stands behind it. A line that is too short for it must not look like one that is not
   there yet. */
static cn_h1_progress_t cn_h1_parse_version(cn_h1_section_t *section, const char **at, const char *end) {
    const char *p = *at;
    if (end - p < 10) {
        if (memchr(p, '\n', (size_t)(end - p))) return cn_h1_bad(section, 400, "invalid request line");
        return CN_H1_MORE;
    }
    if (memcmp(p, "HTTP/", 5) != 0 || p[5] < '0' || p[5] > '9' || p[6] != '.' || p[7] < '0' || p[7] > '9' ||
        p[8] != '\r' || p[9] != '\n')
        return cn_h1_bad(section, 400, "invalid request line");
    if (p[5] != '1' || p[7] > '1') return cn_h1_bad(section, 505, "unknown HTTP version");
    section->minor = (uint8_t)(p[7] - '0');
    *at = p + 10;
    return CN_H1_DONE;
}

static bool cn_h1_starts_nocase(connect_str_t text, connect_str_t prefix) {
    return text.len >= prefix.len && cn_str_equal_nocase(cn_str(text.data, prefix.len), prefix);
}

/* The length of "http://" or "https://" before an authority, or 0. */
static size_t cn_h1_scheme_len(connect_str_t target) {
    if (cn_h1_starts_nocase(target, CN_STR("http://"))) return 7;
    if (cn_h1_starts_nocase(target, CN_STR("https://"))) return 8;
    return 0;
}

/* request-line = method SP request-target SP HTTP-version CRLF (RFC 9112 3) */
static cn_h1_progress_t cn_h1_parse_request_line(
    const cn_http_t *http, cn_h1_section_t *section, const char *base, const char *end) {
    const unsigned char *chars = cn_header_chars();
    const char *p = base + section->line, *start;
    connect_str_t method, target;
    cn_h1_progress_t progress;
    if (p < end && *p == '\r' && !section->blank) {
        if (end - p < 2) return CN_H1_MORE;
        if (p[1] == '\n') {
            section->blank = true;
            section->line += 2;
            p += 2;
        }
    }
    start = p;
    while (p < end && (chars[(unsigned char)*p] & CN_CHAR_TOKEN))
        p++;
    if ((size_t)(p - start) > CN_H1_METHOD_MAX) return cn_h1_bad(section, 400, "method too long");
    if (p == end) return CN_H1_MORE;
    if (*p != ' ' || p == start) return cn_h1_bad(section, 400, "invalid request line");
    method = cn_str(start, (size_t)(p - start));
    target.data = ++p;
    p = cn_h1_skip_target(p, end);
    if (p == end) return CN_H1_MORE;
    target.len = (size_t)(p - target.data);
    if (*p != ' ' || target.len == 0) return cn_h1_bad(section, 400, "invalid request line");
    p++;
    progress = cn_h1_parse_version(section, &p, end);
    if (progress != CN_H1_DONE) return progress;
    if ((size_t)(p - start) - 2 > http->limits->url_bytes) return cn_h1_bad(section, 414, "start line too long");
    if (connect_str_equal(method, CN_STR("CONNECT"))) return cn_h1_bad(section, 405, "CONNECT is not served");
    if (connect_str_equal(method, CN_STR("TRACE"))) return cn_h1_bad(section, 405, "TRACE is not served");
    if (target.data[0] != '/' && cn_h1_scheme_len(target) == 0 &&
        !(connect_str_equal(target, CN_STR("*")) && connect_str_equal(method, CN_STR("OPTIONS"))))
        return cn_h1_bad(section, 400, "invalid request target");
    section->method_at = (size_t)(method.data - base);
    section->method_len = method.len;
    section->target_at = (size_t)(target.data - base);
    section->target_len = target.len;
    section->line = section->fields_at = (size_t)(p - base);
    section->started = true;
    return CN_H1_DONE;
}

/* status-line = HTTP-version SP status-code SP [ reason-phrase ] CRLF (RFC 9112 4). The last space is often left out
   where there is no phrase. */
static cn_h1_progress_t cn_h1_parse_status_line(
    const cn_http_t *http, cn_h1_section_t *section, const char *base, const char *end) {
    const char *p = base + section->line, *start = p;
    size_t i;
    if (end - p < 14) {
        if (p < end && memchr(p, '\n', (size_t)(end - p))) return cn_h1_bad(section, 400, "invalid status line");
        return CN_H1_MORE;
    }
    if (memcmp(p, "HTTP/1.", 7) != 0 || (p[7] != '0' && p[7] != '1') || p[8] != ' ')
        return cn_h1_bad(section, 400, "invalid status line");
    section->minor = (uint8_t)(p[7] - '0');
    section->status = 0;
    for (i = 9; i < 12; i++) {
        if (p[i] < '0' || p[i] > '9') return cn_h1_bad(section, 400, "invalid status line");
        section->status = section->status * 10 + (p[i] - '0');
    }
    if (section->status < 100 || (p[12] != ' ' && p[12] != '\r')) return cn_h1_bad(section, 400, "invalid status line");
    p = cn_h1_skip_value(p + 12, end);
    if (end - p < 2 && (p == end || *p == '\r')) return CN_H1_MORE;
    if (end - p < 2 || p[0] != '\r' || p[1] != '\n') return cn_h1_bad(section, 400, "invalid status line");
    if ((size_t)(p - start) > http->limits->url_bytes) return cn_h1_bad(section, 414, "start line too long");
    section->line = section->fields_at = (size_t)(p + 2 - base);
    section->started = true;
    return CN_H1_DONE;
}

/* Tells whether a line of which `pending` bytes are there without its end can still be within the limits. */
static cn_h1_progress_t cn_h1_check_pending(const cn_http_t *http, cn_h1_section_t *section, size_t pending) {
    if (pending <= 2) return CN_H1_MORE; /* its CRLF does not count */
    if (!section->started && pending - 2 > http->limits->url_bytes)
        return cn_h1_bad(section, 414, "start line too long");
    if (section->started && pending - 2 > http->limits->header_bytes - section->bytes)
        return cn_h1_bad(section, 431, "headers too large");
    return CN_H1_MORE;
}

/* Parses on from section->line. fields: records the first CN_H1_RECORDED; or NULL. */
static cn_h1_progress_t cn_h1_parse_section(
    cn_http_t *http, cn_h1_section_t *section, const char *base, const char *end, cn_h1_field_t *fields) {
    const connect_limits_t *limits = http->limits;
    if (!section->started) {
        cn_h1_progress_t progress = http->is_server ? cn_h1_parse_request_line(http, section, base, end)
                                                    : cn_h1_parse_status_line(http, section, base, end);
        if (progress == CN_H1_MORE) return cn_h1_check_pending(http, section, (size_t)(end - base) - section->line);
        if (progress == CN_H1_BAD) return CN_H1_BAD;
    }
    for (;;) {
        const char *line = base + section->line, *p = line;
        cn_h1_field_t field;
        size_t cost;
        cn_h1_progress_t progress;
        if (p < end && *p == '\r') {
            if (end - p < 2) return CN_H1_MORE;
            if (p[1] != '\n') return cn_h1_bad(section, 400, "a CR that ends no line");
            section->line += 2;
            return CN_H1_DONE;
        }
        progress = cn_h1_parse_field(&p, end, &field);
        if (CN_UNLIKELY(progress == CN_H1_MORE)) return cn_h1_check_pending(http, section, (size_t)(end - line));
        if (CN_UNLIKELY(progress == CN_H1_BAD)) return cn_h1_bad(section, 400, "invalid header field");
        cost = CN_MAX((size_t)(p - line) - 2 + CN_H1_FIELD_COST, field.name.len + field.value.len + 32);
        if (section->count >= limits->header_count || cost > limits->header_bytes - section->bytes)
            return cn_h1_bad(section, 431, "headers too large");
        section->bytes += cost;
        if (fields && section->count < CN_H1_RECORDED) fields[section->count] = field;
        section->count++;
        section->line = (size_t)(p - base);
        if (cn_h1_note_field(http, section, base, &field) == CN_H1_BAD) return CN_H1_BAD;
    }
}

/* Field by field: it is done for every message, and the rest is written before it is read. */
static void cn_h1_new_section(cn_h1_t *s, bool started) {
    cn_h1_section_t *section = &s->section;
    section->line = section->fields_at = section->count = section->bytes = 0;
    section->content_length = -1;
    section->started = started;
    section->blank = false;
    section->has_host = section->has_length = section->has_coding = section->unknown_coding = false;
    section->close = section->keep_alive = section->expects = false;
}

/* Copies a parsed section into the arena in one piece: every text of it is then a part of this block. */
static char *cn_h1_copy_section(const cn_h1_section_t *section, const char *base, connect_arena_t *arena) {
    char *block = (char *)cn_arena_raw(arena, section->line);
    if (block) memcpy(block, base, section->line);
    return block;
}

/* Makes the list of the fields of a parsed section, in its copy: names get lower case, texts a zero where the colon,
   white space or CR behind them was. Limits were checked line by line. fields: the first `recorded` ones, in `base`. */
static bool cn_h1_list_fields(const cn_h1_section_t *section, const char *base, char *block,
    const cn_h1_field_t *fields, size_t recorded, cn_headers_t *to, connect_arena_t *arena) {
    const char *end = base + section->line, *p = base + section->fields_at;
    size_t i;
    if (!cn_headers_reserve(to, arena, section->count)) return false;
    for (i = 0; i < section->count; i++) {
        cn_h1_field_t field;
        char *name, *value;
        if (i < recorded) {
            field = fields[i];
            if (i + 1 == recorded && recorded < section->count) {
                p = field.value.data + field.value.len;
                p = (const char *)memchr(p, '\n', (size_t)(end - p)) + 1;
            }
        } else if (cn_h1_parse_field(&p, end, &field) != CN_H1_DONE) {
            return false;
        }
        name = block + (field.name.data - base);
        value = block + (field.value.data - base);
        cn_header_lower(name, name, field.name.len);
        name[field.name.len] = 0;
        value[field.value.len] = 0;
        to->items[to->count].name = name;
        to->items[to->count].value = cn_str(value, field.value.len);
        to->count++;
        to->bytes += field.name.len + field.value.len + 32;
    }
    return true;
}

static bool cn_h1_copy_fields(const cn_h1_section_t *section, const char *base, const cn_h1_field_t *fields,
    size_t recorded, cn_headers_t *to, connect_arena_t *arena) {
    char *block;
    if (section->count == 0) return true;
    block = cn_h1_copy_section(section, base, arena);
    return block && cn_h1_list_fields(section, base, block, fields, recorded, to, arena);
}

/* ---- Ends ------------------------------------------------------------------------------------------------------- */

/* Nothing more is read, and the connection is closed when all is out. */
static void cn_h1_shut(cn_http_t *http) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    s->read = CN_H1_DEAD;
    s->keep = false;
    s->expects = false;
    cn_buf_free(&s->held, http->allocator);
    http->head_since_ms = -1;
    http->read_blocked = false;
    http->draining = true;
    http->closing = true;
}

static void cn_h1_tell_room(cn_http_t *http) {
    if (!http->is_server && http->events->on_room) http->events->on_room(http);
}

/* Ends the exchange before its time, and the connection with it. */
static void cn_h1_lose(cn_http_t *http, connect_code_t code, const char *why) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    cn_exchange_t *x = s->x;
    cn_h1_shut(http);
    if (x) {
        s->x = NULL;
        cn_buf_clear(&x->out);
        x->close_code = code;
        x->close_why = why;
        cn_exchange_close(x);
    }
    cn_h1_tell_room(http);
}

/* After reset. What the client has not sent of its request stays unsent; what the server has not sent of its response
   too, but what stands before it may be the end of another one. */
static void cn_h1_abort(cn_http_t *http) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    if (!http->is_server) cn_buf_clear(&http->out);
    cn_h1_lose(http, s->x->close_code, s->x->close_why);
}

/* Both messages are done with. */
static void cn_h1_finish(cn_http_t *http) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    cn_exchange_t *x = s->x;
    if (!s->keep || http->draining || !x->received_end) {
        cn_h1_shut(http);
    } else {
        s->read = CN_H1_HEAD;
        http->read_blocked = false;
        cn_h1_new_section(s, false);
    }
    s->x = NULL;
    cn_exchange_close(x);
    cn_h1_tell_room(http);
    cn_http_wake(http);
}

static connect_code_t cn_h1_refusal_code(const cn_http_t *http, int status) {
    switch (status) {
    case 414:
    case 431:
    case 503: return CONNECT_RESOURCE_EXHAUSTED;
    default: return http->is_server ? CONNECT_INVALID_ARGUMENT : CONNECT_INTERNAL;
    }
}

#define CN_H1_REFUSAL(line) "HTTP/1.1 " line "\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"

static connect_str_t cn_h1_refusal_text(int status) {
    switch (status) {
    case 405:
        return CN_STR("HTTP/1.1 405 Method Not Allowed\r\nallow: GET, POST\r\ncontent-length: 0\r\n"
                      "connection: close\r\n\r\n");
    case 414: return CN_STR(CN_H1_REFUSAL("414 URI Too Long"));
    case 417: return CN_STR(CN_H1_REFUSAL("417 Expectation Failed"));
    case 431: return CN_STR(CN_H1_REFUSAL("431 Request Header Fields Too Large"));
    case 501: return CN_STR(CN_H1_REFUSAL("501 Not Implemented"));
    case 503: return CN_STR(CN_H1_REFUSAL("503 Service Unavailable"));
    case 505: return CN_STR(CN_H1_REFUSAL("505 HTTP Version Not Supported"));
    default: return CN_STR(CN_H1_REFUSAL("400 Bad Request"));
    }
}

/* The peer's message cannot be taken. */
static void cn_h1_refuse(cn_http_t *http, int status, const char *why) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    cn_exchange_t *x = s->x;
    if (http->is_server && x && x->sent_end) { /* its response is given: that still goes out */
        s->read = CN_H1_DEAD;
        s->keep = false;
        http->read_blocked = false;
        return;
    }
    if (http->is_server && !(x && x->sent_head)) /* without memory the connection just closes */
        (void)cn_buf_append_str(&http->out, http->allocator, cn_h1_refusal_text(status));
    cn_h1_lose(http, cn_h1_refusal_code(http, status), why);
}

/* ---- Sending ---------------------------------------------------------------------------------------------------- */

static char *cn_h1_put(char *to, const char *bytes, size_t len) {
    memcpy(to, bytes, len);
    return to + len;
}

#define CN_H1_PUT(to, literal) cn_h1_put((to), (literal), sizeof(literal) - 1)

static size_t cn_h1_fields_size(const connect_header_t *items, size_t count) {
    size_t size = 0, i;
    for (i = 0; i < count; i++)
        size += strlen(items[i].name) + items[i].value.len + 4;
    return size;
}

static char *cn_h1_put_fields(char *to, const connect_header_t *items, size_t count) {
    size_t i;
    for (i = 0; i < count; i++) {
        to = cn_h1_put(to, items[i].name, strlen(items[i].name));
        to = CN_H1_PUT(to, ": ");
        if (items[i].value.len) to = cn_h1_put(to, items[i].value.data, items[i].value.len);
        to = CN_H1_PUT(to, "\r\n");
    }
    return to;
}

static char *cn_h1_put_hex(char *to, uint64_t value) {
    static const char digits[] = "0123456789abcdef";
    unsigned shift = 60;
    while (shift && !(value >> shift))
        shift -= 4;
    for (;; shift -= 4) {
        *to++ = digits[(value >> shift) & 15];
        if (shift == 0) return to;
    }
}

/* Writes the end of the message. Returns false: out of memory. */
static bool cn_h1_write_end(cn_http_t *http, cn_exchange_t *x) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    if (s->write == CN_H1_CHUNKED) {
        const connect_headers_t trailers = x->out_trailers;
        char *start =
            cn_buf_reserve(&http->out, http->allocator, cn_h1_fields_size(trailers.items, trailers.count) + 5);
        char *to = start;
        if (!start) return false;
        to = CN_H1_PUT(to, "0\r\n");
        to = cn_h1_put_fields(to, trailers.items, trailers.count);
        to = CN_H1_PUT(to, "\r\n");
        cn_buf_commit(&http->out, (size_t)(to - start));
    }
    s->write_done = true;
    return true;
}

/* Moves `len` bytes of the body, framed. Returns false: out of memory. */
static bool cn_h1_write_body(cn_http_t *http, cn_exchange_t *x, size_t len) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    char *start = cn_buf_reserve(&http->out, http->allocator, len + 24), *to = start;
    if (!start) return false;
    if (s->write == CN_H1_CHUNKED) {
        to = cn_h1_put_hex(to, len);
        to = CN_H1_PUT(to, "\r\n");
    }
    to = cn_h1_put(to, cn_buf_view(&x->out).data, len);
    if (s->write == CN_H1_CHUNKED) to = CN_H1_PUT(to, "\r\n");
    cn_buf_commit(&http->out, (size_t)(to - start));
    cn_buf_drop(&x->out, len);
    x->out_taken += len;
    return true;
}

/* Moves what may go out now into http->out, and ends the exchange when there is nothing left to do for it. */
static void cn_h1_transfer(cn_http_t *http) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    cn_exchange_t *x;
    while ((x = s->x) != NULL) {
        const size_t waiting = cn_buf_len(&x->out), used = cn_buf_len(&http->out);
        const size_t most = http->limits->connection_buffer;
        size_t len = used < most ? CN_MIN(waiting, most - used) : 0;
        if (x->reset) {
            cn_h1_abort(http);
            return;
        }
        if (!x->sent_head) return;
        if (waiting > http->limits->stream_buffer) x->over_high_water = true;
        if (len < waiting && used > most / 2) len = 0; /* no small chunks: there will be more room */
        if (s->write == CN_H1_NO_BODY) {
            cn_buf_clear(&x->out);
        } else if (s->write == CN_H1_SIZED && len > s->write_left) {
            cn_h1_lose(http, CONNECT_INTERNAL, "the body is longer than was declared");
            return;
        } else if (len) {
            if (!cn_h1_write_body(http, x, len)) {
                cn_h1_lose(http, CONNECT_RESOURCE_EXHAUSTED, "out of memory");
                return;
            }
            if (s->write == CN_H1_SIZED) s->write_left -= len;
        }
        if (x->over_high_water && cn_buf_len(&x->out) < http->limits->stream_buffer / 2) {
            x->over_high_water = false;
            x->events->on_writable(x);
            if (x->reset || cn_buf_len(&x->out)) continue;
        }
        if (!x->sent_end || cn_buf_len(&x->out)) return;
        if (s->write == CN_H1_SIZED && s->write_left) {
            cn_h1_lose(http, CONNECT_INTERNAL, "the body is shorter than was declared");
            return;
        }
        if (!s->write_done && !cn_h1_write_end(http, x)) {
            cn_h1_lose(http, CONNECT_RESOURCE_EXHAUSTED, "out of memory");
            return;
        }
        if (http->is_server && !x->received_end && s->read != CN_H1_DEAD &&
            (s->drop_rest || (s->read == CN_H1_FIXED && s->left > s->drain_left)))
            s->read = CN_H1_DEAD;
        if (!x->received_end && s->read != CN_H1_DEAD) return;
        cn_h1_finish(http);
    }
}

static connect_str_t cn_h1_status_line(int status) {
    switch (status) {
    case 200: return CN_STR("HTTP/1.1 200 OK\r\n");
    case 204: return CN_STR("HTTP/1.1 204 No Content\r\n");
    case 304: return CN_STR("HTTP/1.1 304 Not Modified\r\n");
    case 400: return CN_STR("HTTP/1.1 400 Bad Request\r\n");
    case 401: return CN_STR("HTTP/1.1 401 Unauthorized\r\n");
    case 403: return CN_STR("HTTP/1.1 403 Forbidden\r\n");
    case 404: return CN_STR("HTTP/1.1 404 Not Found\r\n");
    case 405: return CN_STR("HTTP/1.1 405 Method Not Allowed\r\n");
    case 408: return CN_STR("HTTP/1.1 408 Request Timeout\r\n");
    case 409: return CN_STR("HTTP/1.1 409 Conflict\r\n");
    case 412: return CN_STR("HTTP/1.1 412 Precondition Failed\r\n");
    case 413: return CN_STR("HTTP/1.1 413 Content Too Large\r\n");
    case 415: return CN_STR("HTTP/1.1 415 Unsupported Media Type\r\n");
    case 429: return CN_STR("HTTP/1.1 429 Too Many Requests\r\n");
    case 431: return CN_STR("HTTP/1.1 431 Request Header Fields Too Large\r\n");
    case 499: return CN_STR("HTTP/1.1 499 Client Closed Request\r\n");
    case 500: return CN_STR("HTTP/1.1 500 Internal Server Error\r\n");
    case 501: return CN_STR("HTTP/1.1 501 Not Implemented\r\n");
    case 502: return CN_STR("HTTP/1.1 502 Bad Gateway\r\n");
    case 503: return CN_STR("HTTP/1.1 503 Service Unavailable\r\n");
    case 504: return CN_STR("HTTP/1.1 504 Gateway Timeout\r\n");
    case 505: return CN_STR("HTTP/1.1 505 HTTP Version Not Supported\r\n");
    default: return cn_str(NULL, 0);
    }
}

/* "content-length: 12\r\n" or "transfer-encoding: chunked\r\n", as s->write says. */
static char *cn_h1_put_framing(const cn_h1_t *s, char *to) {
    if (s->write == CN_H1_SIZED) {
        to = CN_H1_PUT(to, "content-length: ");
        to += cn_str_from_uint(to, s->write_left);
        return CN_H1_PUT(to, "\r\n");
    }
    if (s->write == CN_H1_CHUNKED) return CN_H1_PUT(to, "transfer-encoding: chunked\r\n");
    return to;
}

/* Room for a head, and for a small body behind it. */
static char *cn_h1_reserve_head(cn_http_t *http, const cn_head_t *head, size_t more) {
    size_t size = cn_h1_fields_size(head->headers, head->header_count) + more;
    if (head->content_length > 0 && head->content_length <= 16384) size += (size_t)head->content_length + 24;
    return cn_buf_reserve(&http->out, http->allocator, size);
}

static bool cn_h1_send_response(cn_http_t *http, cn_exchange_t *x, const cn_head_t *head, bool end) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    connect_str_t line = cn_h1_status_line(head->status);
    char *start = cn_h1_reserve_head(http, head, 256), *to = start;
    if (!start) return false;
    if (s->expects) {
        if (end || head->content_length >= 0) {
            s->keep = false;
            s->drop_rest = true;
        } else {
            to = CN_H1_PUT(to, "HTTP/1.1 100 Continue\r\n\r\n");
        }
        s->expects = false;
    }
    if (http->draining) s->keep = false;
    if (!x->received_end && s->read == CN_H1_FIXED && s->left > s->drain_left && (end || head->content_length >= 0))
        s->keep = false;
    s->write_left = head->content_length > 0 ? (uint64_t)head->content_length : 0;
    if (head->status == 204 || head->status == 304) {
        s->write = CN_H1_NO_BODY;
    } else if (head->content_length >= 0 || end) {
        s->write = CN_H1_SIZED;
    } else if (s->minor >= 1) {
        s->write = CN_H1_CHUNKED;
    } else {
        s->write = CN_H1_CLOSE_DELIMITED;
        s->keep = false;
    }
    if (line.data) {
        to = cn_h1_put(to, line.data, line.len);
    } else {
        to = CN_H1_PUT(to, "HTTP/1.1 ");
        to += cn_str_from_uint(to, (uint64_t)CN_MAX(CN_MIN(head->status, 999), 100));
        to = CN_H1_PUT(to, " \r\n");
    }
    to = cn_h1_put_fields(to, head->headers, head->header_count);
    to = cn_h1_put_framing(s, to);
    if (!s->keep)
        to = CN_H1_PUT(to, "connection: close\r\n");
    else if (s->minor == 0)
        to = CN_H1_PUT(to, "connection: keep-alive\r\n");
    to = CN_H1_PUT(to, "\r\n");
    cn_buf_commit(&http->out, (size_t)(to - start));
    if (x->is_head_request) s->write = CN_H1_NO_BODY;
    return true;
}

static bool cn_h1_send_request(cn_http_t *http, cn_exchange_t *x, const cn_head_t *head, bool end) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    char *start = cn_h1_reserve_head(http, head, head->method.len + head->path.len + head->authority.len + 160);
    char *to = start;
    bool bodyless = connect_str_equal(head->method, CN_STR("GET")) || connect_str_equal(head->method, CN_STR("HEAD"));
    if (!start) return false;
    x->is_head_request = connect_str_equal(head->method, CN_STR("HEAD"));
    s->write_left = head->content_length > 0 ? (uint64_t)head->content_length : 0;
    if (end && bodyless)
        s->write = CN_H1_NO_BODY;
    else
        s->write = head->content_length >= 0 || end ? CN_H1_SIZED : CN_H1_CHUNKED;
    if (http->draining) s->keep = false;
    to = cn_h1_put(to, head->method.data, head->method.len);
    *to++ = ' ';
    to = cn_h1_put(to, head->path.data, head->path.len);
    to = CN_H1_PUT(to, " HTTP/1.1\r\nhost: ");
    if (head->authority.len) to = cn_h1_put(to, head->authority.data, head->authority.len);
    to = CN_H1_PUT(to, "\r\n");
    to = cn_h1_put_fields(to, head->headers, head->header_count);
    to = cn_h1_put_framing(s, to);
    if (!s->keep) to = CN_H1_PUT(to, "connection: close\r\n");
    to = CN_H1_PUT(to, "\r\n");
    cn_buf_commit(&http->out, (size_t)(to - start));
    return true;
}

/* ---- Receiving -------------------------------------------------------------------------------------------------- */

/* All of the peer's message is in. */
static void cn_h1_message_end(cn_http_t *http) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    cn_exchange_t *x = s->x;
    s->read = CN_H1_WHOLE;
    s->expects = false;
    x->received_end = true;
    x->received_ms = http->now_ms;
    if (!http->is_server || !x->sent_end) x->events->on_end(x);
    cn_h1_transfer(http);
}

/* Checks what can be judged only when the head is whole. Returns false: it is refused. */
static bool cn_h1_check_request(cn_h1_section_t *head, const char *base) {
    connect_str_t target = cn_str(base + head->target_at, head->target_len), host = {NULL, 0};
    size_t scheme = cn_h1_scheme_len(target);
    if (head->has_coding && head->minor == 0)
        return cn_h1_bad(head, 400, "Transfer-Encoding in HTTP/1.0") == CN_H1_DONE;
    if (head->has_coding && head->has_length)
        return cn_h1_bad(head, 400, "Transfer-Encoding and Content-Length") == CN_H1_DONE;
    if (head->unknown_coding) return cn_h1_bad(head, 501, "unknown transfer coding") == CN_H1_DONE;
    if (head->has_host) {
        host = cn_str(base + head->host_at, head->host_len);
        if (!cn_header_authority_valid(host)) return cn_h1_bad(head, 400, "invalid Host") == CN_H1_DONE;
    } else if (head->minor >= 1) {
        return cn_h1_bad(head, 400, "no Host") == CN_H1_DONE;
    }
    if (scheme) {
        connect_str_t authority = cn_str(target.data + scheme, 0);
        while (scheme + authority.len < target.len && authority.data[authority.len] != '/' &&
            authority.data[authority.len] != '?')
            authority.len++;
        if (!cn_header_authority_valid(authority) || (head->has_host && !cn_str_equal_nocase(authority, host)))
            return cn_h1_bad(head, 400, "the target's authority is not that of Host") == CN_H1_DONE;
    }
    return true;
}

/* Fills in x from a head. The target has three forms (RFC 9112 3.2): path is what is routed by, authority that of the
   absolute-form or Host. Returns false: out of memory. */
static bool cn_h1_store_request(
    cn_exchange_t *x, const cn_h1_section_t *head, const char *base, const cn_h1_field_t *fields, size_t recorded) {
    char *block = cn_h1_copy_section(head, base, x->arena), *target;
    size_t at, start;
    if (!block) return false;
    target = block + head->target_at;
    target[head->target_len] = 0;
    block[head->method_at + head->method_len] = 0;
    x->method = cn_str(block + head->method_at, head->method_len);
    x->path = cn_str(target, head->target_len);
    if (head->has_host) x->authority = cn_str(block + head->host_at, head->host_len);
    start = at = cn_h1_scheme_len(x->path);
    if (at) {
        while (at < head->target_len && target[at] != '/' && target[at] != '?')
            at++;
        x->authority = cn_str(target + start, at - start);
        x->path = cn_str(target + at, head->target_len - at);
        if (x->path.len == 0 || x->path.data[0] == '?')
            x->path = connect_arena_printf(x->arena, "/" CONNECT_STR_FMT, CONNECT_STR_ARG(x->path));
        if (!x->path.data) return false;
    }
    return cn_h1_list_fields(head, base, block, fields, recorded, &x->headers, x->arena);
}

/* What is the same for a request's head and a final response's: the head is done with, a body may come. */
static void cn_h1_begin_body(cn_http_t *http, cn_exchange_t *x, cn_h1_read_t read, int64_t length) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    s->minor = s->section.minor;
    s->read = (uint8_t)read;
    s->left = length > 0 ? (uint64_t)length : 0;
    s->chunk_at = CN_H1_SIZE_FIRST;
    s->chunk_line = s->chunk_extensions = s->chunk_digits = 0;
    s->drain_left = CN_H1_DRAIN_MAX;
    if (read == CN_H1_UNTIL_EOF) s->left = UINT64_MAX;
    cn_buf_free(&s->held, http->allocator);
    cn_h1_new_section(s, false);
    http->head_since_ms = -1;
    x->received_head = true;
    x->received_ms = http->now_ms;
    x->events->on_head(x);
    if (s->read == CN_H1_FIXED && s->left == 0 && !x->reset) cn_h1_message_end(http);
}

static void cn_h1_request_head(cn_http_t *http, const char *base, const cn_h1_field_t *fields, size_t recorded) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    cn_h1_section_t *head = &s->section;
    cn_exchange_t *x;
    if (!cn_h1_check_request(head, base)) {
        cn_h1_refuse(http, head->refusal, head->why);
        return;
    }
    x = http->events->on_begin(http);
    if (!x) {
        cn_h1_refuse(http, 503, "no room");
        return;
    }
    s->x = x;
    cn_exchange_attach(http, x);
    if (!cn_h1_store_request(x, head, base, fields, recorded)) {
        cn_h1_refuse(http, 503, "out of memory");
        return;
    }
    x->content_length = head->content_length;
    x->is_head_request = connect_str_equal(x->method, CN_STR("HEAD"));
    if (s->requests < UINT32_MAX) s->requests++;
    s->keep = !head->close && (head->minor >= 1 || head->keep_alive) && s->requests < http->limits->requests &&
        !http->draining;
    s->expects = head->expects && head->minor >= 1 && (head->has_coding || head->content_length > 0);
    s->drop_rest = false;
    s->write_done = false;
    s->write = CN_H1_NO_BODY;
    cn_h1_begin_body(http, x, head->has_coding ? CN_H1_CHUNK : CN_H1_FIXED, head->content_length);
}

static void cn_h1_response_head(cn_http_t *http, const char *base, const cn_h1_field_t *fields, size_t recorded) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    cn_h1_section_t *head = &s->section;
    cn_exchange_t *x = s->x;
    cn_h1_read_t read;
    int64_t length = head->content_length;
    if (head->status == 101) {
        cn_h1_refuse(http, 400, "the server switches protocols, unasked");
        return;
    }
    if (head->status < 200) {
        if (++s->interim > CN_H1_INTERIM_MAX) {
            cn_h1_refuse(http, 400, "too many interim responses");
            return;
        }
        cn_buf_free(&s->held, http->allocator);
        cn_h1_new_section(s, false);
        http->head_since_ms = -1;
        return;
    }
    if (head->has_coding && (head->minor == 0 || head->has_length || head->unknown_coding)) {
        cn_h1_refuse(http, 400, "invalid Transfer-Encoding");
        return;
    }
    if (!cn_h1_copy_fields(head, base, fields, recorded, &x->headers, x->arena)) {
        cn_h1_refuse(http, 503, "out of memory");
        return;
    }
    x->status = head->status;
    x->content_length = head->content_length;
    if (head->close || (head->minor == 0 && !head->keep_alive)) s->keep = false;
    if (x->is_head_request || head->status == 204 || head->status == 304) {
        read = CN_H1_FIXED;
        length = 0;
    } else if (head->has_coding) {
        read = CN_H1_CHUNK;
    } else if (head->has_length) {
        read = CN_H1_FIXED;
    } else {
        read = CN_H1_UNTIL_EOF;
        s->keep = false;
        x->until_eof = true;
    }
    cn_h1_begin_body(http, x, read, length);
}

static void cn_h1_section_whole(cn_http_t *http, const char *base, const cn_h1_field_t *fields, size_t recorded) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    if (s->read == CN_H1_TRAILERS) {
        if (!cn_h1_copy_fields(&s->section, base, fields, recorded, &s->x->trailers, s->x->arena)) {
            cn_h1_refuse(http, 503, "out of memory");
            return;
        }
        cn_buf_free(&s->held, http->allocator);
        cn_h1_message_end(http);
    } else if (http->is_server) {
        cn_h1_request_head(http, base, fields, recorded);
    } else {
        cn_h1_response_head(http, base, fields, recorded);
    }
}

/* Takes bytes of a head or a trailer section. Returns how many. */
static size_t cn_h1_feed_section(cn_http_t *http, const char *bytes, size_t len) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    cn_h1_field_t fields[CN_H1_RECORDED];
    cn_h1_progress_t progress;
    size_t taken = len;
    if (s->read == CN_H1_HEAD && http->head_since_ms < 0) http->head_since_ms = http->now_ms;
    if (cn_buf_len(&s->held) == 0) {
        progress = cn_h1_parse_section(http, &s->section, bytes, bytes + len, fields);
        if (progress == CN_H1_DONE) {
            taken = s->section.line;
            cn_h1_section_whole(http, bytes, fields, CN_MIN(s->section.count, (size_t)CN_H1_RECORDED));
            return taken;
        }
        if (progress == CN_H1_MORE && !cn_buf_append(&s->held, http->allocator, bytes, len))
            progress = cn_h1_bad(&s->section, 503, "out of memory");
    } else {
        const char *lf = (const char *)memchr(bytes, '\n', len);
        if (lf) taken = (size_t)(lf - bytes) + 1;
        if (!cn_buf_append(&s->held, http->allocator, bytes, taken)) {
            progress = cn_h1_bad(&s->section, 503, "out of memory");
        } else {
            connect_str_t held = cn_buf_view(&s->held);
            if (lf || cn_h1_check_pending(http, &s->section, held.len - s->section.line) == CN_H1_BAD)
                progress = cn_h1_parse_section(http, &s->section, held.data, held.data + held.len, NULL);
            else
                progress = CN_H1_MORE;
            if (progress == CN_H1_DONE) {
                cn_h1_section_whole(http, held.data, NULL, 0);
                return taken;
            }
        }
    }
    if (progress == CN_H1_BAD) cn_h1_refuse(http, s->section.refusal, s->section.why);
    return taken;
}

/* The value of a hexadecimal digit, or above 15. */
static unsigned cn_h1_hex(unsigned char c) {
    if (c >= '0' && c <= '9') return (unsigned)(c - '0');
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) : 16;
}

/* Where a chunk line stands after a byte that may end one of its parts; -1: the byte is an error there.
   chunk-ext = *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ) (RFC 9112 7.1.1) */
static int cn_h1_chunk_next(cn_h1_chunk_t at, unsigned char c) {
    const unsigned char kind = cn_header_chars()[c];
    const bool blank = c == ' ' || c == '\t', token = (kind & CN_CHAR_TOKEN) != 0;
    switch (at) {
    case CN_H1_SIZE:
    case CN_H1_SIZE_BWS:
        if (c == ';') return CN_H1_NAME_BWS;
        if (blank) return CN_H1_SIZE_BWS;
        return c == '\r' && at == CN_H1_SIZE ? CN_H1_LINE_LF : -1;
    case CN_H1_NAME_BWS: return blank ? CN_H1_NAME_BWS : token ? CN_H1_NAME : -1;
    case CN_H1_NAME:
    case CN_H1_EQUALS_BWS:
        if (token && at == CN_H1_NAME) return CN_H1_NAME;
        if (c == '=') return CN_H1_VALUE_BWS;
        if (c == ';') return CN_H1_NAME_BWS;
        if (blank) return CN_H1_EQUALS_BWS;
        return c == '\r' && at == CN_H1_NAME ? CN_H1_LINE_LF : -1;
    case CN_H1_VALUE_BWS: return blank ? CN_H1_VALUE_BWS : c == '"' ? CN_H1_QUOTED : token ? CN_H1_VALUE : -1;
    case CN_H1_VALUE:
        if (token) return CN_H1_VALUE;
        if (c == ';') return CN_H1_NAME_BWS;
        if (blank) return CN_H1_SEMICOLON_BWS;
        return c == '\r' ? CN_H1_LINE_LF : -1;
    case CN_H1_QUOTED:
        if (c == '"') return CN_H1_SEMICOLON_BWS;
        if (c == '\\') return CN_H1_ESCAPED;
        return kind & CN_CHAR_QUOTED ? CN_H1_QUOTED : -1;
    case CN_H1_ESCAPED: return kind & CN_CHAR_VALUE ? CN_H1_QUOTED : -1;
    case CN_H1_SEMICOLON_BWS:
        if (c == ';') return CN_H1_NAME_BWS;
        if (blank) return CN_H1_SEMICOLON_BWS;
        return c == '\r' ? CN_H1_LINE_LF : -1;
    case CN_H1_SIZE_FIRST:
    case CN_H1_LINE_LF:
    case CN_H1_DATA_CR:
    case CN_H1_DATA_LF:
    default: return -1;
    }
}

/* Takes bytes between the data of two chunks. Returns how many. */
static size_t cn_h1_feed_chunk_line(cn_http_t *http, const char *bytes, size_t len) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    const char *why = "invalid chunk";
    size_t i;
    s->x->received_ms = http->now_ms;
    s->expects = false;
    for (i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)bytes[i];
        const unsigned digit = cn_h1_hex(c);
        int next;
        switch ((cn_h1_chunk_t)s->chunk_at) {
        case CN_H1_DATA_CR:
            if (c != '\r') goto bad;
            s->chunk_at = CN_H1_DATA_LF;
            continue;
        case CN_H1_DATA_LF:
            if (c != '\n') goto bad;
            s->chunk_at = CN_H1_SIZE_FIRST;
            continue;
        case CN_H1_SIZE_FIRST:
            if (digit > 15) goto bad;
            s->left = digit;
            s->chunk_digits = s->chunk_line = 1;
            s->chunk_at = CN_H1_SIZE;
            continue;
        case CN_H1_LINE_LF:
            if (c != '\n') goto bad;
            if (s->left) {
                s->read = CN_H1_DATA;
            } else {
                s->read = CN_H1_TRAILERS;
                cn_h1_new_section(s, true);
            }
            return i + 1;
        case CN_H1_SIZE:
            if (digit <= 15) {
                if (++s->chunk_digits > 16 || s->left >> 59) goto bad;
                s->left = s->left << 4 | digit;
                s->chunk_line++;
                continue;
            }
            break;
        case CN_H1_SIZE_BWS:
        case CN_H1_NAME_BWS:
        case CN_H1_NAME:
        case CN_H1_EQUALS_BWS:
        case CN_H1_VALUE_BWS:
        case CN_H1_VALUE:
        case CN_H1_QUOTED:
        case CN_H1_ESCAPED:
        case CN_H1_SEMICOLON_BWS:
        default: break;
        }
        next = cn_h1_chunk_next((cn_h1_chunk_t)s->chunk_at, c);
        if (next < 0) goto bad;
        if (next != CN_H1_LINE_LF &&
            (++s->chunk_line > CN_H1_CHUNK_LINE_MAX || ++s->chunk_extensions > CN_H1_CHUNK_EXTENSIONS_MAX)) {
            why = "chunk extensions too long";
            goto bad;
        }
        s->chunk_at = (uint8_t)next;
    }
    return len;
bad:
    cn_h1_refuse(http, 400, why);
    return i + 1;
}

/* Takes bytes of a body. Returns how many. */
static size_t cn_h1_feed_data(cn_http_t *http, const char *bytes, size_t len) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    cn_exchange_t *x = s->x;
    const size_t window = http->limits->stream_window;
    size_t taken = len < s->left ? len : (size_t)s->left;
    x->received_ms = http->now_ms;
    s->expects = false;
    if (http->is_server && x->sent_end) {
        if (taken > s->drain_left) {
            s->read = CN_H1_DEAD;
            s->keep = false;
            return taken;
        }
        s->drain_left -= (uint32_t)taken;
        s->left -= taken;
    } else {
        size_t room = x->unread < window ? window - x->unread : 0;
        if (room == 0) {
            http->read_blocked = true;
            return 0;
        }
        taken = CN_MIN(taken, room);
        x->unread += (uint32_t)taken;
        if (s->read != CN_H1_UNTIL_EOF) s->left -= taken;
        x->events->on_data(x, bytes, taken);
        if (x->reset) return taken;
    }
    if (s->left == 0 && s->read == CN_H1_FIXED) {
        cn_h1_message_end(http);
    } else if (s->left == 0) {
        s->read = CN_H1_CHUNK;
        s->chunk_at = CN_H1_DATA_CR;
    } else if (x->unread >= window && !(http->is_server && x->sent_end)) {
        http->read_blocked = true;
    }
    return taken;
}

/* What is read now ends with the window's room, or with the request that is whole. */
static bool cn_h1_reads_body(const cn_h1_t *s) {
    return s->read == CN_H1_FIXED || s->read == CN_H1_UNTIL_EOF || s->read == CN_H1_DATA || s->read == CN_H1_CHUNK ||
        s->read == CN_H1_TRAILERS;
}

static void cn_h1_unblock(cn_http_t *http, cn_exchange_t *x) {
    const cn_h1_t *s = (const cn_h1_t *)http->state;
    if (!http->read_blocked || !cn_h1_reads_body(s)) return;
    http->read_blocked = false;
    x->received_ms = http->now_ms;
    cn_http_wake(http);
}

static size_t cn_h1_feed(cn_http_t *http, const char *bytes, size_t len) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    const bool was_feeding = http->feeding;
    size_t at = 0;
    http->feeding = true;
    while (at < len && !http->read_blocked) {
        if (s->x && s->x->reset) cn_h1_abort(http);
        switch ((cn_h1_read_t)s->read) {
        case CN_H1_HEAD:
            if (!http->is_server && !(s->x && s->x->sent_head)) {
                cn_h1_lose(http, CONNECT_UNAVAILABLE, "the server sent what was not asked for");
                break;
            }
            at += cn_h1_feed_section(http, bytes + at, len - at);
            break;
        case CN_H1_TRAILERS:
            s->x->received_ms = http->now_ms;
            at += cn_h1_feed_section(http, bytes + at, len - at);
            break;
        case CN_H1_FIXED:
        case CN_H1_UNTIL_EOF:
        case CN_H1_DATA: at += cn_h1_feed_data(http, bytes + at, len - at); break;
        case CN_H1_CHUNK: at += cn_h1_feed_chunk_line(http, bytes + at, len - at); break;
        case CN_H1_WHOLE:
            if (http->is_server)
                http->read_blocked = true;
            else
                cn_h1_lose(http, CONNECT_INTERNAL, "the server sent more than its response");
            break;
        case CN_H1_DEAD: at = len; break;
        }
    }
    if (s->expects && s->x && !s->x->reset && !s->x->sent_head) {
        s->expects = false;
        if (!cn_buf_append_str(&http->out, http->allocator, CN_STR("HTTP/1.1 100 Continue\r\n\r\n")))
            cn_h1_refuse(http, 503, "out of memory");
    }
    http->feeding = was_feeding;
    return at;
}

static void cn_h1_pull(cn_http_t *http) {
    const bool was_feeding = http->feeding;
    http->feeding = true;
    http->woken = false;
    cn_h1_transfer(http);
    http->feeding = was_feeding;
}

static void cn_h1_eof_now(cn_http_t *http) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    cn_exchange_t *x = s->x;
    if (!x) {
        cn_h1_lose(http, CONNECT_UNAVAILABLE, NULL);
    } else if (x->reset) {
        cn_h1_abort(http);
    } else if (http->is_server) {
        if (!x->sent_end) {
            cn_h1_lose(http, CONNECT_CANCELED, "the client closed the connection");
            return;
        }
        s->keep = false;
        if (!x->received_end) s->read = CN_H1_DEAD;
        http->read_blocked = false;
        cn_h1_transfer(http);
    } else if (s->read == CN_H1_UNTIL_EOF) {
        s->keep = false;
        cn_h1_message_end(http);
        if (s->x) cn_h1_lose(http, CONNECT_UNAVAILABLE, "the connection was closed before the request was sent");
    } else if (!x->received_head) {
        cn_h1_lose(http, CONNECT_UNAVAILABLE, "the connection was closed before a response came");
    } else if (!x->received_end) {
        cn_h1_lose(http, CONNECT_UNAVAILABLE, "the connection was closed in the middle of the response");
    } else {
        cn_h1_lose(http, CONNECT_UNAVAILABLE, "the connection was closed before the request was sent");
    }
}

static void cn_h1_eof(cn_http_t *http) {
    const bool was_feeding = http->feeding;
    http->feeding = true;
    cn_h1_eof_now(http);
    http->feeding = was_feeding;
}

/* ---- Operations ------------------------------------------------------------------------------------------------- */

static bool cn_h1_open(cn_http_t *http) {
    cn_h1_t *s = (cn_h1_t *)cn_mem_acquire(http->allocator, sizeof *s);
    if (!s) return false;
    http->state = s;
    http->head_since_ms = -1;
    s->read = CN_H1_HEAD;
    s->keep = true;
    cn_h1_new_section(s, false);
    return true;
}

static void cn_h1_free(cn_http_t *http) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    cn_exchange_t *x;
    if (!s) return;
    http->feeding = true;
    x = s->x;
    if (x && x->reset)
        cn_h1_lose(http, x->close_code, x->close_why);
    else if (x)
        cn_h1_lose(http, CONNECT_UNAVAILABLE, "the connection is gone");
    cn_buf_free(&s->held, http->allocator);
    cn_mem_release(http->allocator, s);
    http->state = NULL;
    http->feeding = false;
}

static bool cn_h1_can_begin(const cn_http_t *http) {
    const cn_h1_t *s = (const cn_h1_t *)http->state;
    return !http->is_server && !s->x && s->read == CN_H1_HEAD && !http->draining && !http->closing;
}

static bool cn_h1_begin(cn_http_t *http, cn_exchange_t *x) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    if (!cn_h1_can_begin(http)) return false;
    s->x = x;
    s->keep = true;
    s->write = CN_H1_NO_BODY;
    s->write_done = false;
    s->interim = 0;
    cn_exchange_attach(http, x);
    return true;
}

static void cn_h1_drain(cn_http_t *http) {
    cn_h1_t *s = (cn_h1_t *)http->state;
    http->draining = true;
    if (!s->x && cn_buf_len(&s->held) == 0) cn_h1_shut(http);
    cn_http_wake(http);
}

/* Operations come too late for an exchange that was reset. */
static bool cn_h1_lives(const cn_exchange_t *x) {
    return x->http && !x->reset;
}

static bool cn_h1_send_head(cn_exchange_t *x, const cn_head_t *head, bool end) {
    cn_http_t *http = x->http;
    const cn_h1_t *s;
    if (!cn_h1_lives(x) || x->sent_head) return true;
    s = (const cn_h1_t *)http->state;
    if (!(http->is_server ? cn_h1_send_response(http, x, head, end) : cn_h1_send_request(http, x, head, end)))
        return false;
    x->sent_head = true;
    if (end || s->write == CN_H1_NO_BODY) { /* a message that cannot have a body is whole with its head */
        x->sent_end = true;
        if (http->is_server) cn_h1_unblock(http, x);
    }
    cn_http_wake(http);
    return true;
}

static void cn_h1_flush(cn_exchange_t *x) {
    if (!cn_h1_lives(x)) return;
    if (cn_buf_len(&x->out) > x->http->limits->stream_buffer) x->over_high_water = true;
    cn_http_wake(x->http);
}

static void cn_h1_reset(cn_exchange_t *x, cn_reset_t why) {
    if (!cn_h1_lives(x) || (why == CN_RESET_NO_ERROR && x->sent_end && x->http->is_server)) return;
    x->reset = true;
    if (x->close_code == CONNECT_OK) {
        x->close_code = CONNECT_CANCELED;
        x->close_why = "reset";
    }
    cn_http_wake(x->http); /* the pull that follows ends it, and opens what is blocked */
}

static void cn_h1_send_end(cn_exchange_t *x, connect_headers_t trailers) {
    const cn_h1_t *s;
    if (!cn_h1_lives(x) || x->sent_end) return;
    s = (const cn_h1_t *)x->http->state;
    if (trailers.count && s->write == CN_H1_CHUNKED) {
        connect_header_t *items = (connect_header_t *)cn_arena_raw(x->arena, trailers.count * sizeof *items);
        if (!items) {
            cn_h1_reset(x, CN_RESET_INTERNAL);
            x->close_code = CONNECT_RESOURCE_EXHAUSTED;
            x->close_why = "out of memory";
            return;
        }
        memcpy(items, trailers.items, trailers.count * sizeof *items);
        x->out_trailers.items = items;
        x->out_trailers.count = trailers.count;
    }
    x->sent_end = true;
    if (x->http->is_server) cn_h1_unblock(x->http, x);
    cn_http_wake(x->http);
}

static void cn_h1_consume(cn_exchange_t *x, size_t len) {
    x->unread -= (uint32_t)CN_MIN(len, (size_t)x->unread);
    if (cn_h1_lives(x) && x->unread < x->http->limits->stream_window) cn_h1_unblock(x->http, x);
}

CN_PRIVATE const cn_http_version_t *cn_http1_version(void) {
    static const cn_http_version_t version = {CONNECT_HTTP_1, cn_h1_open, cn_h1_free, cn_h1_feed, cn_h1_eof, cn_h1_pull,
        cn_h1_can_begin, cn_h1_begin, cn_h1_drain, cn_h1_send_head, cn_h1_flush, cn_h1_send_end, cn_h1_reset,
        cn_h1_consume};
    return &version;
}

/* #### src/http/http2.h ############################################################################################ */
#if CONNECT_ENABLE_HTTP2
/* HTTP/2 over a connection, server or client by http->is_server. */
CN_PRIVATE const cn_http_version_t *cn_http2_version(void);
#endif

/* #### src/http/http2.c ############################################################################################ */
/* HTTP/2 (RFC 9113) over nghttp2, server and client: frames, HPACK and the rules of a message are nghttp2's, what it
   means for an exchange is told here. Only what nghttp2 1.52 has is called.

   Streams and exchanges. A stream's user data is its exchange; `current` is that of the last frame, so that header
   fields and data need no look-up. on_begin comes with the first byte of a header block, on_head with its last. The
   header list goes into the exchange's arena as it comes.

     stream state (RFC 9113 5.1)       server                                client
     idle                              -                                     begin: stream_id 0 until send_head
     open                              on_begin, on_head                     send_head went out
     half-closed (remote)              on_end                                on_end
     half-closed (local)               RST_STREAM(NO_ERROR) is next (8.1)    send_end went out
     closed                            on_closed                             on_closed

   on_closed comes when nghttp2 closes the stream, so never from an operation; an exchange that nghttp2 does not know
   (never sent, or sent and not yet allowed to go) is closed by pull.

   Bytes to the peer. An operation only submits; pull has nghttp2 write frames, one after the other, into http->out, up
   to limits->connection_buffer. DATA goes from x->out straight into http->out, all that is queued in as few frames as
   the peer's frame size and windows allow; the last one carries END_STREAM, or trailers follow it.

   Bytes from the peer. Windows are returned by consume, never by themselves: the stream's for what the layer above has
   used up, the connection's with it. What belongs to no exchange any more is returned to the connection at once (by
   nghttp2 for streams it has closed, here for the rest), so that the connection's window never leaks.

   What nghttp2 leaves to its user (RFC 9113 10.5). feed looks at each frame's head before nghttp2 does, and keeps two
   token buckets: frames of no use (PING, SETTINGS, PRIORITY, unknown ones, empty or padded DATA, WINDOW_UPDATE beyond
   what the sent DATA explains, HEADERS that belong to no exchange) by limits->frame_burst and frame_rate, streams that
   were reset by limits->reset_burst and reset_rate. An empty one is the end: GOAWAY(ENHANCE_YOUR_CALM), and so is the
   third stream whose response the peer lets stand. A header list over limits->header_bytes is answered with 431 and not
   stored; four times as much is the end, too. A peer that does not read what it makes us send is not read from.

   Closed streams (5.1, 5.1.1). nghttp2 keeps none here, and would pass over what still comes for them. A server ends
   the connection for DATA or HEADERS on a stream that the peer has ended or passed over; up to last_cut_id, the highest
   that this end gave up first, they may have been on their way.

   The end. `ended` is set once, after which nghttp2 is never run again: by nghttp2 having nothing more to do, by an
   error of the peer, by running out of memory, by eof and free. GOAWAY goes out if nghttp2 had none out yet.

   Invariants: an exchange on http->exchanges with a stream_id is its stream's user data; after cn_http2_close neither
   nghttp2 nor `current` refers to it, or nghttp2 has ended. x->unread is what the connection's window still lacks. */

#if CONNECT_ENABLE_HTTP2

#define CN_HTTP2_MAGIC_LEN 24u        /* RFC 9113 3.4 */
#define CN_HTTP2_FRAME_HEAD 9u        /* RFC 9113 4.1 */
#define CN_HTTP2_CONTINUATIONS 8u     /* in one header block; as nghttp2 has it since 1.61 */
#define CN_HTTP2_INTERIM_HEADS 8u     /* 1xx responses before the final one */
#define CN_HTTP2_BOMB_FACTOR 4u       /* so many times the header limit ends the connection */
#define CN_HTTP2_ACKS_BLOCK 100u      /* control frames that wait while the peer does not read: it is not read either */
#define CN_HTTP2_ACKS_MAX 1000u       /* ... and the connection ends */
#define CN_HTTP2_STALLED_MAX 3u       /* streams of which the peer took nothing, in the life of a connection */
#define CN_HTTP2_UPDATE_CREDIT 10000u /* WINDOW_UPDATE frames that may come for DATA sent earlier */
#define CN_HTTP2_HPACK_TABLE 4096u    /* RFC 9113 6.5.2, the initial value */
#define CN_HTTP2_STACK_FIELDS 40u     /* header fields whose array is on the stack */

/* nghttp2's memory: blocks of up to 1 KiB are kept in free lists by size, for it frees and takes the same sizes again
   with every stream. All blocks start with a head that says how large they are.

   Once the allocator has failed the session ends, nothing is given back any more until then, and nghttp2 is not asked
   to clean up: 1.52 leaks what could not be queued, or frees it twice. All blocks are on a list, by which they are
   freed. */
#define CN_HTTP2_POOL_STEP 64u
#define CN_HTTP2_POOL_CLASSES 16u

typedef union cn_http2_block_t { /* the head of a block, as large as any type's alignment */
    struct {
        cn_list_t node;
        size_t size; /* usable bytes */
        union cn_http2_block_t *next_free;
    } head;
    long double align;
} cn_http2_block_t;

typedef struct cn_http2_bucket_t {
    uint64_t milli_tokens;
    int64_t filled_ms;
} cn_http2_bucket_t;

typedef struct cn_http2_t {
    cn_http_t *http;
    nghttp2_session *session;
    cn_exchange_t *current; /* the exchange of the last frame received; NULL: none */
    bool ended;
    bool had_room; /* client: what on_room was told last */
    bool settings_received;
    bool ping_sent, goaway_submitted;
    bool has_early_end;  /* server: a response may have ended before its request */
    bool early_end_seen; /* the peer has sent something since: it has had its time to read the response */
    bool has_stray;      /* client: an exchange was reset that nghttp2 may not know */
    uint32_t fatal;      /* an HTTP/2 error code that ends the connection as soon as nghttp2 returns; 0: none */
    connect_code_t fatal_code;
    const char *fatal_why;
    /* the header block that is being received */
    size_t block_bytes, block_count;
    int block_refusal; /* HTTP status; 0: none */
    bool block_has_host, block_has_length;
    /* the frames that pass */
    size_t magic_left;
    uint8_t frame_head[CN_HTTP2_FRAME_HEAD];
    size_t frame_head_len;
    uint32_t frame_left;
    bool frame_ends_block, in_block;
    uint32_t continuations;
    uint32_t update_credit, stalled;
    uint32_t dependent, dependency, dependency_bytes; /* of the PRIORITY frame that passes; dependent 0: none */
    cn_http2_bucket_t frames, resets;
    /* server: the streams that were opened and are no more */
    uint32_t last_stream_id;     /* the highest that nghttp2 was shown */
    uint32_t last_cut_id;        /* the highest that this end ended before the peer did: frames may be on their way */
    uint32_t last_peer_reset_id; /* of the last RST_STREAM that passed */
    /* memory */
    cn_list_t blocks; /* all of them */
    cn_http2_block_t *pool[CN_HTTP2_POOL_CLASSES];
    size_t pool_bytes, pool_max;
    bool starved; /* the allocator has failed */
} cn_http2_t;

/* ---- The end, as soon as nghttp2 returns ---- */

static void cn_http2_fail(cn_http2_t *h, uint32_t error, connect_code_t code, const char *why) {
    if (h->fatal) return;
    h->fatal = error;
    h->fatal_code = code;
    h->fatal_why = why;
}

static void cn_http2_fail_memory(cn_http2_t *h) {
    cn_http2_fail(h, NGHTTP2_INTERNAL_ERROR, CONNECT_RESOURCE_EXHAUSTED, "out of memory");
}

/* ---- Memory for nghttp2 ---- */

static size_t cn_http2_pool_class(size_t size) { /* size > 0 */
    return (size - 1) / CN_HTTP2_POOL_STEP;
}

static void *cn_http2_malloc(size_t size, void *user) {
    cn_http2_t *h = (cn_http2_t *)user;
    cn_http2_block_t *block;
    size_t class_at;
    if (size == 0) size = 1;
    class_at = cn_http2_pool_class(size);
    if (CN_LIKELY(class_at < CN_HTTP2_POOL_CLASSES)) {
        size = (class_at + 1) * CN_HTTP2_POOL_STEP;
        block = h->pool[class_at];
        if (CN_LIKELY(block != NULL)) {
            h->pool[class_at] = block->head.next_free;
            h->pool_bytes -= size;
            return block + 1;
        }
    }
    if (h->starved || size > SIZE_MAX - sizeof *block) return NULL;
    block = (cn_http2_block_t *)cn_mem_resize(h->http->allocator, NULL, sizeof *block + size);
    if (!block) {
        h->starved = true;
        cn_http2_fail_memory(h);
        return NULL;
    }
    block->head.size = size;
    block->head.node.next = NULL;
    cn_list_append(&h->blocks, &block->head.node);
    return block + 1;
}

static void cn_http2_free_block(void *at, void *user) {
    cn_http2_t *h = (cn_http2_t *)user;
    cn_http2_block_t *block;
    size_t class_at;
    if (!at || CN_UNLIKELY(h->starved)) return;
    block = (cn_http2_block_t *)at - 1;
    class_at = cn_http2_pool_class(block->head.size);
    if (CN_LIKELY(class_at < CN_HTTP2_POOL_CLASSES && h->pool_bytes + block->head.size <= h->pool_max)) {
        block->head.next_free = h->pool[class_at];
        h->pool[class_at] = block;
        h->pool_bytes += block->head.size;
        return;
    }
    cn_list_remove(&block->head.node);
    cn_mem_release(h->http->allocator, block);
}

static void *cn_http2_calloc(size_t count, size_t size, void *user) {
    void *at;
    if (size && count > SIZE_MAX / size) return NULL;
    at = cn_http2_malloc(count * size, user);
    if (at) memset(at, 0, count * size);
    return at;
}

static void *cn_http2_realloc(void *at, size_t size, void *user) {
    cn_http2_block_t *block;
    void *moved;
    if (!at) return cn_http2_malloc(size, user);
    block = (cn_http2_block_t *)at - 1;
    if (size <= block->head.size) return at;
    moved = cn_http2_malloc(size, user);
    if (!moved) return NULL;
    memcpy(moved, at, block->head.size);
    cn_http2_free_block(at, user);
    return moved;
}

static void cn_http2_free_all(cn_http2_t *h) {
    cn_list_t *node;
    while ((node = cn_list_pop(&h->blocks)) != NULL)
        cn_mem_release(h->http->allocator, CN_CONTAINER(node, cn_http2_block_t, head.node));
}

/* ---- Token buckets ---- */

static void cn_http2_bucket_init(cn_http2_bucket_t *bucket, uint32_t burst, int64_t now_ms) {
    bucket->milli_tokens = (uint64_t)burst * 1000;
    bucket->filled_ms = now_ms;
}

static bool cn_http2_bucket_take(cn_http2_bucket_t *bucket, uint32_t burst, uint32_t rate, int64_t now_ms) {
    if (now_ms > bucket->filled_ms) {
        const int64_t longest = (int64_t)1 << 24; /* so that the product fits */
        uint64_t elapsed_ms = (uint64_t)CN_MIN(now_ms - bucket->filled_ms, longest);
        bucket->milli_tokens = CN_MIN(bucket->milli_tokens + elapsed_ms * rate, (uint64_t)burst * 1000);
        bucket->filled_ms = now_ms;
    }
    if (bucket->milli_tokens < 1000) return false;
    bucket->milli_tokens -= 1000;
    return true;
}

static bool cn_http2_take_frame(cn_http2_t *h) {
    const connect_limits_t *limits = h->http->limits;
    return cn_http2_bucket_take(&h->frames, limits->frame_burst, limits->frame_rate, h->http->now_ms);
}

/* ---- The end ---- */

static void cn_http2_fail_flood(cn_http2_t *h) {
    cn_http2_fail(h, NGHTTP2_ENHANCE_YOUR_CALM, CONNECT_RESOURCE_EXHAUSTED, "too many frames of no use");
}

/* What nghttp2 answers to an operation: only a fatal error matters, the rest says that the stream is gone. */
static bool cn_http2_check(cn_http2_t *h, int result) {
    if (result == 0) return true;
    if (nghttp2_is_fatal(result)) cn_http2_fail_memory(h);
    return false;
}

static void cn_http2_close(cn_http2_t *h, cn_exchange_t *x) {
    if (h->current == x) h->current = NULL;
    cn_exchange_close(x);
}

/* Ends the connection for every exchange that is left. */
static void cn_http2_end(cn_http2_t *h, connect_code_t code, const char *why) {
    cn_http_t *http = h->http;
    h->ended = true;
    h->current = NULL;
    http->closing = true;
    http->draining = true;
    http->read_blocked = false;
    http->head_since_ms = -1;
    while (!cn_list_empty(&http->exchanges)) {
        cn_exchange_t *x = CN_CONTAINER(http->exchanges.next, cn_exchange_t, node);
        if (x->close_code == CONNECT_OK && (http->is_server || !x->received_end)) {
            x->close_code = http->is_server || x->reset ? CONNECT_CANCELED : code;
            x->close_why = x->reset ? "the stream was reset by this end" : why;
            if (!http->is_server && x->stream_id == 0) x->close_code = CONNECT_UNAVAILABLE; /* it was never sent */
        }
        cn_exchange_close(x);
    }
}

/* Ends the connection with a GOAWAY of our own making, for nghttp2 may be in no state to write one. */
static void cn_http2_abort(cn_http2_t *h) {
    cn_http_t *http = h->http;
    uint8_t frame[CN_HTTP2_FRAME_HEAD + 8] = {0, 0, 8, NGHTTP2_GOAWAY};
    uint32_t last = (uint32_t)nghttp2_session_get_last_proc_stream_id(h->session), i;
    for (i = 0; i < 4; i++) {
        frame[CN_HTTP2_FRAME_HEAD + i] = (uint8_t)(last >> (24 - 8 * i));
        frame[CN_HTTP2_FRAME_HEAD + 4 + i] = (uint8_t)(h->fatal >> (24 - 8 * i));
    }
    (void)cn_buf_append(&http->out, http->allocator, frame, sizeof frame);
    cn_http2_end(h, h->fatal_code, h->fatal_why);
}

static bool cn_http2_can_begin(const cn_http_t *http) {
    const cn_http2_t *h = (const cn_http2_t *)http->state;
    uint32_t most;
    if (http->draining || http->closing || h->ended || h->fatal) return false;
    most = nghttp2_session_get_remote_settings(h->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    return http->exchange_count < CN_MIN(most, http->limits->streams);
}

/* After nghttp2 ran: ends what is to be ended, and tells a client's owner whether another exchange may begin. Returns
   true: it was told, and may have begun one. */
static bool cn_http2_settle(cn_http2_t *h) {
    cn_http_t *http = h->http;
    bool has_room, told, was_draining = http->draining;
    if (!h->ended) {
        if (h->fatal)
            cn_http2_abort(h);
        else if (!nghttp2_session_want_read(h->session) && !nghttp2_session_want_write(h->session))
            cn_http2_end(h, CONNECT_INTERNAL, "the connection ended with an HTTP/2 error");
    }
    if (http->is_server) return false;
    has_room = cn_http2_can_begin(http);
    told = (has_room && !h->had_room) || (http->draining && !was_draining);
    h->had_room = has_room;
    if (told && http->events->on_room) http->events->on_room(http);
    return told && !h->ended;
}

/* ---- Frames as they pass ---- */

static uint32_t cn_http2_read_id(const uint8_t *bytes) {
    return ((uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3]) & 0x7FFFFFFF;
}

/* Whether the peer itself has ended this stream, and so may not send DATA or HEADERS on it (RFC 9113 5.1). nghttp2,
   which keeps no closed streams here, would ignore them. */
static bool cn_http2_is_over(const cn_http2_t *h, uint32_t id) {
    if (!h->http->is_server || (h->current && (uint32_t)h->current->stream_id == id)) return false;
    return id <= h->last_stream_id && id > h->last_cut_id && !nghttp2_session_find_stream(h->session, (int32_t)id);
}

static bool cn_http2_fail_closed(cn_http2_t *h) {
    cn_http2_fail(h, NGHTTP2_STREAM_CLOSED, CONNECT_INTERNAL, "a frame on a closed stream");
    return false;
}

/* One frame's head. Returns false: one too many of no use, or h->fatal. */
static bool cn_http2_see_frame(cn_http2_t *h, const uint8_t *head) {
    uint32_t length = (uint32_t)head[0] << 16 | (uint32_t)head[1] << 8 | head[2];
    uint32_t id = cn_http2_read_id(head + 5);
    uint8_t type = head[3], flags = head[4];
    h->frame_left = length;
    h->frame_ends_block = false;
    switch (type) {
    case NGHTTP2_DATA:
        if (CN_UNLIKELY(cn_http2_is_over(h, id) || (id == h->last_peer_reset_id && id))) return cn_http2_fail_closed(h);
        if (CN_LIKELY(length > 0 && !(flags & NGHTTP2_FLAG_PADDED))) return true;
        return (length == 0 && (flags & NGHTTP2_FLAG_END_STREAM)) || cn_http2_take_frame(h);
    case NGHTTP2_HEADERS: /* given back when it belongs to an exchange */
        h->in_block = true;
        h->continuations = 0;
        h->frame_ends_block = (flags & NGHTTP2_FLAG_END_HEADERS) != 0;
        return cn_http2_take_frame(h);
    case NGHTTP2_CONTINUATION:
        h->frame_ends_block = (flags & NGHTTP2_FLAG_END_HEADERS) != 0;
        return ++h->continuations <= CN_HTTP2_CONTINUATIONS;
    case NGHTTP2_WINDOW_UPDATE:
        if (h->update_credit > 0) {
            h->update_credit--;
            return true;
        }
        return cn_http2_take_frame(h);
    case NGHTTP2_PRIORITY:
        if (id == 0) {
            cn_http2_fail(h, NGHTTP2_PROTOCOL_ERROR, CONNECT_INTERNAL, "PRIORITY without a stream");
            return false;
        }
        if (length == 5) h->dependent = id;
        h->dependency = h->dependency_bytes = 0;
        return cn_http2_take_frame(h);
    case NGHTTP2_RST_STREAM: h->last_peer_reset_id = id; return cn_http2_take_frame(h);
    default: return cn_http2_take_frame(h);
    }
}

/* PRIORITY is not acted on, but a stream that depends on itself is an error yet (RFC 7540 5.3.1). */
static bool cn_http2_see_dependency(cn_http2_t *h, const uint8_t *bytes, size_t len) {
    for (; len > 0 && h->dependency_bytes < 4; bytes++, len--, h->dependency_bytes++)
        h->dependency = h->dependency << 8 | *bytes;
    if (h->dependency_bytes < 4) return true;
    if ((h->dependency & 0x7FFFFFFF) == h->dependent) {
        cn_http2_fail(h, NGHTTP2_PROTOCOL_ERROR, CONNECT_INTERNAL, "a stream that depends on itself");
        return false;
    }
    h->dependent = 0;
    return true;
}

static void cn_http2_frame_over(cn_http2_t *h) {
    if (h->frame_ends_block) h->in_block = false;
}

static bool cn_http2_see(cn_http2_t *h, const uint8_t *bytes, size_t len) {
    size_t n;
    if (h->magic_left) {
        n = CN_MIN(h->magic_left, len);
        h->magic_left -= n;
        bytes += n;
        len -= n;
    }
    while (len > 0) {
        const uint8_t *head;
        if (h->frame_left > 0) {
            n = CN_MIN((size_t)h->frame_left, len);
            if (CN_UNLIKELY(h->dependent) && !cn_http2_see_dependency(h, bytes, n)) return false;
            h->frame_left -= (uint32_t)n;
            bytes += n;
            len -= n;
            if (h->frame_left == 0) cn_http2_frame_over(h);
            continue;
        }
        if (CN_LIKELY(h->frame_head_len == 0 && len >= CN_HTTP2_FRAME_HEAD)) {
            head = bytes;
            n = CN_HTTP2_FRAME_HEAD;
        } else {
            n = CN_MIN(CN_HTTP2_FRAME_HEAD - h->frame_head_len, len);
            memcpy(h->frame_head + h->frame_head_len, bytes, n);
            h->frame_head_len += n;
            if (h->frame_head_len < CN_HTTP2_FRAME_HEAD) return true;
            h->frame_head_len = 0;
            head = h->frame_head;
        }
        bytes += n;
        len -= n;
        if (!cn_http2_see_frame(h, head)) return false;
        if (h->frame_left == 0) cn_http2_frame_over(h);
    }
    return true;
}

/* ---- What is received ---- */

static cn_exchange_t *cn_http2_find(cn_http2_t *h, int32_t stream_id) {
    if (h->current && h->current->stream_id == stream_id) return h->current;
    h->current = (cn_exchange_t *)nghttp2_session_get_stream_user_data(h->session, stream_id);
    return h->current;
}

static bool cn_http2_is_mute(const cn_exchange_t *x) {
    return x->reset || x->refused;
}

/* Gives an exchange up with an HTTP/2 error code; what on_closed will say is in it already. */
static void cn_http2_reset_stream(cn_http2_t *h, cn_exchange_t *x, uint32_t error) {
    x->reset = true;
    (void)cn_http2_check(h, nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, x->stream_id, error));
}

static void cn_http2_give_up(cn_http2_t *h, cn_exchange_t *x, uint32_t error, connect_code_t code, const char *why) {
    if (x->reset) return;
    x->close_code = code;
    x->close_why = why;
    cn_http2_reset_stream(h, x, error);
}

static int cn_http2_on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *head, void *user) {
    cn_http2_t *h = (cn_http2_t *)user;
    (void)session;
    if (head->type != NGHTTP2_HEADERS || !cn_http2_is_over(h, (uint32_t)head->stream_id)) return 0;
    (void)cn_http2_fail_closed(h);
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int cn_http2_on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    cn_http2_t *h = (cn_http2_t *)user;
    cn_http_t *http = h->http;
    cn_exchange_t *x;
    h->block_bytes = h->block_count = 0;
    h->block_refusal = 0;
    h->block_has_host = h->block_has_length = false;
    h->current = NULL;
    if (frame->hd.type != NGHTTP2_HEADERS) return 0;
    h->frames.milli_tokens += 1000;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
        (void)cn_http2_find(h, frame->hd.stream_id);
        return 0;
    }
    h->last_stream_id = (uint32_t)frame->hd.stream_id;
    x = http->events->on_begin(http);
    if (!x)
        return cn_http2_check(h,
                   nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_REFUSED_STREAM))
            ? 0
            : NGHTTP2_ERR_CALLBACK_FAILURE;
    cn_exchange_attach(http, x);
    x->stream_id = frame->hd.stream_id;
    (void)nghttp2_session_set_stream_user_data(session, x->stream_id, x);
    h->current = x;
    h->update_credit = CN_MIN(h->update_credit + 2, CN_HTTP2_UPDATE_CREDIT);
    return 0;
}

static connect_str_t cn_http2_view(const uint8_t *bytes, size_t len) {
    connect_str_t view;
    view.data = (const char *)bytes;
    view.len = len;
    return view;
}

static bool cn_http2_is(connect_str_t text, const char *name, size_t len) {
    return text.len == len && memcmp(text.data, name, len) == 0;
}

/* Returns false: out of memory. */
static bool cn_http2_on_pseudo_header(cn_http2_t *h, cn_exchange_t *x, connect_str_t name, connect_str_t value) {
    connect_str_t *to;
    switch (name.len) {
    case 5: /* :path */
        if (value.len > h->http->limits->url_bytes) {
            h->block_refusal = 414;
            return true;
        }
        to = &x->path;
        break;
    case 7: /* :method, :scheme, :status */
        if (name.data[1] == 's') {
            uint64_t status;
            if (name.data[2] == 't' && cn_str_to_uint(value, 3, &status)) x->status = (int)status;
            return true;
        }
        if (cn_http2_is(value, "POST", 4)) {
            x->method = CN_STR("POST");
            return true;
        }
        to = &x->method;
        break;
    case 10: to = &x->authority; break;
    default: return true;
    }
    *to = connect_arena_copy(x->arena, value);
    return to->data != NULL;
}

static int cn_http2_on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
    size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *user) {
    cn_http2_t *h = (cn_http2_t *)user;
    const connect_limits_t *limits = h->http->limits;
    cn_exchange_t *x = h->current;
    connect_str_t name_view = cn_http2_view(name, name_len), value_view = cn_http2_view(value, value_len);
    cn_headers_result_t result = CN_HEADERS_OK;
    (void)session;
    (void)frame;
    (void)flags;
    h->block_bytes += name_len + value_len + 32;
    h->block_count++;
    if (CN_UNLIKELY(h->block_bytes > limits->header_bytes)) {
        if (h->block_bytes / CN_HTTP2_BOMB_FACTOR > limits->header_bytes ||
            h->block_count / CN_HTTP2_BOMB_FACTOR > limits->header_count) {
            cn_http2_fail(h, NGHTTP2_ENHANCE_YOUR_CALM, CONNECT_RESOURCE_EXHAUSTED, "the headers are far too large");
            return NGHTTP2_ERR_CALLBACK_FAILURE;
        }
        result = CN_HEADERS_TOO_LARGE;
    }
    if (!x || cn_http2_is_mute(x) || h->block_refusal) return 0;
    if (CN_LIKELY(result == CN_HEADERS_OK)) {
        if (name[0] == ':') {
            if (!cn_http2_on_pseudo_header(h, x, name_view, value_view)) result = CN_HEADERS_NO_MEMORY;
        } else {
            if (name_len == 4 && memcmp(name, "host", 4) == 0) h->block_has_host = true;
            if (name_len == 14 && memcmp(name, "content-length", 14) == 0) h->block_has_length = true;
            result = cn_headers_receive(
                x->received_head ? &x->trailers : &x->headers, x->arena, limits, name_view, value_view);
        }
    }
    if (CN_LIKELY(result == CN_HEADERS_OK)) return 0;
    if (result == CN_HEADERS_TOO_LARGE)
        h->block_refusal = 431;
    else
        cn_http2_give_up(h, x, NGHTTP2_INTERNAL_ERROR, CONNECT_RESOURCE_EXHAUSTED, "out of memory");
    return h->fatal ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

/* nghttp2 takes header texts as uint8_t *, and does not write to them. */
static uint8_t *cn_http2_bytes(const char *text) {
    union {
        const char *from;
        uint8_t *to;
    } pointer;
    pointer.from = text;
    return pointer.to;
}

static void cn_http2_put(nghttp2_nv *field, connect_str_t name, connect_str_t value, bool steady) {
    field->name = cn_http2_bytes(name.data);
    field->namelen = name.len;
    field->value = cn_http2_bytes(value.data ? value.data : "");
    field->valuelen = value.len;
    field->flags = (uint8_t)(NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE |
        (steady ? NGHTTP2_NV_FLAG_NONE : NGHTTP2_NV_FLAG_NO_INDEX));
}

/* Answers a request that the layer above is not shown. */
static void cn_http2_refuse(cn_http2_t *h, cn_exchange_t *x, int status, connect_code_t code, const char *why) {
    nghttp2_nv field;
    cn_http2_put(&field, CN_STR(":status"),
        status == 400       ? CN_STR("400")
            : status == 414 ? CN_STR("414")
                            : CN_STR("431"),
        true);
    x->refused = true;
    x->sent_head = x->sent_end = true;
    x->close_code = code;
    x->close_why = why;
    h->has_early_end = true;
    if (!cn_http2_check(h, nghttp2_submit_response(h->session, x->stream_id, &field, 1, NULL)))
        cn_http2_reset_stream(h, x, NGHTTP2_INTERNAL_ERROR);
}

/* A header block is whole. */
static void cn_http2_on_head(cn_http2_t *h, cn_exchange_t *x) {
    const bool is_server = h->http->is_server;
    if (CN_UNLIKELY(h->block_refusal)) {
        const char *why = h->block_refusal == 414 ? "the path is too long" : "the headers are too large";
        if (is_server && !x->received_head)
            cn_http2_refuse(h, x, h->block_refusal, CONNECT_RESOURCE_EXHAUSTED, why);
        else
            cn_http2_give_up(h, x, NGHTTP2_ENHANCE_YOUR_CALM, CONNECT_RESOURCE_EXHAUSTED, why);
        return;
    }
    if (x->received_head) return;
    if (!is_server && x->status >= 100 && x->status < 200) {
        memset(&x->headers, 0, sizeof x->headers);
        if (++x->interim_heads > CN_HTTP2_INTERIM_HEADS)
            cn_http2_give_up(h, x, NGHTTP2_ENHANCE_YOUR_CALM, CONNECT_INTERNAL, "too many 1xx responses");
        return;
    }
    if (is_server) {
        connect_str_t host = x->authority;
        if (h->block_has_host) host = cn_headers_find(&x->headers, "host");
        if (!x->authority.data) x->authority = host;
        if (!cn_header_authority_valid(x->authority) ||
            (h->block_has_host && !cn_str_equal_nocase(x->authority, host))) {
            cn_http2_refuse(h, x, 400, CONNECT_INVALID_ARGUMENT, ":authority and host are wrong, or differ");
            return;
        }
    }
    if (h->block_has_length) {
        uint64_t length;
        if (cn_str_to_uint(cn_headers_find(&x->headers, "content-length"), 19, &length) && length <= INT64_MAX)
            x->content_length = (int64_t)length;
    }
    if (is_server && cn_http2_is(x->method, "HEAD", 4)) x->is_head_request = true;
    x->received_head = true;
    x->events->on_head(x);
}

static void cn_http2_on_goaway(cn_http2_t *h) {
    cn_http_t *http = h->http;
    if (http->is_server || http->draining) return;
    http->draining = true;
    h->had_room = false;
    if (http->events->on_room) http->events->on_room(http);
}

static const uint8_t *cn_http2_drain_ping(void) {
    static const uint8_t opaque[8] = {'d', 'r', 'a', 'i', 'n', 'i', 'n', 'g'};
    return opaque;
}

static void cn_http2_submit_goaway(cn_http2_t *h) {
    if (h->goaway_submitted) return;
    h->goaway_submitted = true;
    (void)cn_http2_check(h,
        nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h->session),
            NGHTTP2_NO_ERROR, NULL, 0));
}

static int cn_http2_on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    cn_http2_t *h = (cn_http2_t *)user;
    cn_exchange_t *x;
    (void)session;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
        x = cn_http2_find(h, frame->hd.stream_id);
        if (!x) return 0;
        x->received_ms = h->http->now_ms;
        if (frame->hd.type == NGHTTP2_HEADERS && !cn_http2_is_mute(x)) cn_http2_on_head(h, x);
        if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
            x->received_end = true;
            if (!cn_http2_is_mute(x)) x->events->on_end(x);
        }
        break;
    case NGHTTP2_SETTINGS:
        if (!(frame->hd.flags & NGHTTP2_FLAG_ACK)) h->settings_received = true;
        break;
    case NGHTTP2_GOAWAY: cn_http2_on_goaway(h); break;
    case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) && h->ping_sent &&
            memcmp(frame->ping.opaque_data, cn_http2_drain_ping(), 8) == 0)
            cn_http2_submit_goaway(h);
        break;
    default: break;
    }
    return h->fatal ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int cn_http2_on_data(
    nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *bytes, size_t len, void *user) {
    cn_http2_t *h = (cn_http2_t *)user;
    cn_exchange_t *x = cn_http2_find(h, stream_id);
    (void)flags;
    if (!x || cn_http2_is_mute(x)) {
        (void)cn_http2_check(h, nghttp2_session_consume_connection(session, len));
    } else {
        x->unread += (uint32_t)len;
        x->received_ms = h->http->now_ms;
        x->events->on_data(x, (const char *)bytes, len);
    }
    return h->fatal ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int cn_http2_on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error, void *user) {
    cn_http2_t *h = (cn_http2_t *)user;
    const connect_limits_t *limits = h->http->limits;
    (void)session;
    (void)frame;
    if (error != NGHTTP2_ERR_REFUSED_STREAM) return 0; /* a stream that was opened: it counts when it closes */
    if (cn_http2_bucket_take(&h->resets, limits->reset_burst, limits->reset_rate, h->http->now_ms)) return 0;
    cn_http2_fail(h, NGHTTP2_ENHANCE_YOUR_CALM, CONNECT_RESOURCE_EXHAUSTED, "too many streams were reset");
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* ---- The end of a stream ---- */

/* gRPC over HTTP/2, "Errors": an HTTP/2 error code as an RPC code. */
static connect_code_t cn_http2_code(uint32_t error, const char **why) {
    switch (error) {
    case NGHTTP2_NO_ERROR:
        *why = "the peer reset the stream before it was complete (NO_ERROR)";
        return CONNECT_INTERNAL;
    case NGHTTP2_REFUSED_STREAM:
        *why = "the peer did not process the request (REFUSED_STREAM)";
        return CONNECT_UNAVAILABLE;
    case NGHTTP2_CANCEL: *why = "the peer reset the stream (CANCEL)"; return CONNECT_CANCELED;
    case NGHTTP2_ENHANCE_YOUR_CALM:
        *why = "the peer reset the stream (ENHANCE_YOUR_CALM)";
        return CONNECT_RESOURCE_EXHAUSTED;
    case NGHTTP2_INADEQUATE_SECURITY:
        *why = "the peer reset the stream (INADEQUATE_SECURITY)";
        return CONNECT_PERMISSION_DENIED;
    case NGHTTP2_PROTOCOL_ERROR: *why = "HTTP/2 PROTOCOL_ERROR"; return CONNECT_INTERNAL;
    case NGHTTP2_INTERNAL_ERROR: *why = "HTTP/2 INTERNAL_ERROR"; return CONNECT_INTERNAL;
    case NGHTTP2_FLOW_CONTROL_ERROR: *why = "HTTP/2 FLOW_CONTROL_ERROR"; return CONNECT_INTERNAL;
    case NGHTTP2_STREAM_CLOSED: *why = "HTTP/2 STREAM_CLOSED"; return CONNECT_INTERNAL;
    case NGHTTP2_FRAME_SIZE_ERROR: *why = "HTTP/2 FRAME_SIZE_ERROR"; return CONNECT_INTERNAL;
    case NGHTTP2_COMPRESSION_ERROR: *why = "HTTP/2 COMPRESSION_ERROR"; return CONNECT_INTERNAL;
    case NGHTTP2_HTTP_1_1_REQUIRED: *why = "the peer wants HTTP/1.1 (HTTP_1_1_REQUIRED)"; return CONNECT_INTERNAL;
    default: *why = "the stream was reset"; return CONNECT_INTERNAL;
    }
}

static void cn_http2_set_close_code(cn_http2_t *h, cn_exchange_t *x, uint32_t error) {
    if (x->close_code != CONNECT_OK) return;
    if (h->http->is_server) {
        if (nghttp2_session_get_stream_local_close(h->session, x->stream_id) == 1) return;
        x->close_code = CONNECT_CANCELED;
        x->close_why = x->reset ? "the stream was reset by this end" : "the stream was reset";
    } else if (!x->received_end) {
        x->close_code = cn_http2_code(error, &x->close_why);
        if (x->reset) {
            x->close_code = CONNECT_CANCELED;
            x->close_why = "the stream was reset by this end";
        }
    }
}

static int cn_http2_on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error, void *user) {
    cn_http2_t *h = (cn_http2_t *)user;
    const connect_limits_t *limits = h->http->limits;
    cn_exchange_t *x = (cn_exchange_t *)nghttp2_session_get_stream_user_data(session, stream_id);
    bool counts = error != NGHTTP2_NO_ERROR && (h->http->is_server || (x && !x->reset));
    if ((!x || !x->received_end) && (uint32_t)stream_id != h->last_peer_reset_id)
        h->last_cut_id = CN_MAX(h->last_cut_id, (uint32_t)stream_id);
    if (x) {
        if (x->unread) (void)cn_http2_check(h, nghttp2_session_consume_connection(session, x->unread));
        x->unread = 0;
        cn_http2_set_close_code(h, x, error);
        cn_http2_close(h, x);
    }
    if (counts && !cn_http2_bucket_take(&h->resets, limits->reset_burst, limits->reset_rate, h->http->now_ms))
        cn_http2_fail(h, NGHTTP2_ENHANCE_YOUR_CALM, CONNECT_RESOURCE_EXHAUSTED, "too many streams were reset");
    return h->fatal ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

/* ---- What is sent ---- */

/* Whether a field is worth a place in the peer's HPACK table: it has the same value in call after call. */
static bool cn_http2_is_steady(connect_str_t name, connect_str_t value) {
    switch (name.len) {
    case 2: return cn_http2_is(name, "te", 2);
    case 6: return cn_http2_is(name, "accept", 6) || cn_http2_is(name, "server", 6);
    case 10: return cn_http2_is(name, "user-agent", 10) || cn_http2_is(name, "x-grpc-web", 10);
    case 11: return cn_http2_is(name, "grpc-status", 11) && value.len == 1 && value.data[0] == '0';
    case 12: return cn_http2_is(name, "content-type", 12);
    case 13: return cn_http2_is(name, "grpc-encoding", 13);
    case 15: return cn_http2_is(name, "accept-encoding", 15);
    case 16: return cn_http2_is(name, "content-encoding", 16);
    case 20: return cn_http2_is(name, "grpc-accept-encoding", 20);
    case 23: return cn_http2_is(name, "connect-accept-encoding", 23);
    case 24:
        return cn_http2_is(name, "connect-protocol-version", 24) || cn_http2_is(name, "connect-content-encoding", 24);
    default: return false;
    }
}

static void cn_http2_put_all(nghttp2_nv *fields, const connect_header_t *headers, size_t count) {
    size_t i;
    for (i = 0; i < count; i++) {
        connect_str_t name = cn_str(headers[i].name, strlen(headers[i].name));
        cn_http2_put(&fields[i], name, headers[i].value, cn_http2_is_steady(name, headers[i].value));
    }
}

/* The array for so many fields; NULL: out of memory. */
static nghttp2_nv *cn_http2_fields(connect_arena_t *arena, nghttp2_nv *on_stack, size_t count) {
    if (count <= CN_HTTP2_STACK_FIELDS) return on_stack;
    if (count > SIZE_MAX / sizeof *on_stack) return NULL;
    return (nghttp2_nv *)cn_arena_raw(arena, count * sizeof *on_stack);
}

static bool cn_http2_submit_trailers(cn_http2_t *h, cn_exchange_t *x) {
    nghttp2_nv on_stack[CN_HTTP2_STACK_FIELDS], *fields;
    const size_t count = x->out_trailers.count;
    fields = cn_http2_fields(x->arena, on_stack, count);
    if (!fields) return false;
    cn_http2_put_all(fields, x->out_trailers.items, count);
    return cn_http2_check(h, nghttp2_submit_trailer(h->session, x->stream_id, fields, count));
}

static ssize_t cn_http2_on_read(nghttp2_session *session, int32_t stream_id, uint8_t *buf, size_t length,
    uint32_t *data_flags, nghttp2_data_source *source, void *user) {
    cn_http2_t *h = (cn_http2_t *)user;
    cn_exchange_t *x = (cn_exchange_t *)source->ptr;
    size_t available;
    (void)session;
    (void)stream_id;
    (void)buf;
    if (x->is_head_request) cn_buf_clear(&x->out);
    available = cn_buf_len(&x->out);
    if (available == 0 && !x->sent_end) {
        x->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    *data_flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (available > length) return (ssize_t)length;
    if (x->sent_end) {
        *data_flags |= NGHTTP2_DATA_FLAG_EOF;
        if (x->out_trailers.count) {
            *data_flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            if (!cn_http2_submit_trailers(h, x)) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        }
    }
    return (ssize_t)available;
}

static int cn_http2_on_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *frame_head,
    size_t length, nghttp2_data_source *source, void *user) {
    cn_http2_t *h = (cn_http2_t *)user;
    cn_http_t *http = h->http;
    cn_exchange_t *x = (cn_exchange_t *)source->ptr;
    char *to = cn_buf_reserve(&http->out, http->allocator, CN_HTTP2_FRAME_HEAD + length);
    (void)session;
    (void)frame;
    if (!to) {
        cn_http2_fail_memory(h);
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    memcpy(to, frame_head, CN_HTTP2_FRAME_HEAD);
    if (length) memcpy(to + CN_HTTP2_FRAME_HEAD, cn_buf_view(&x->out).data, length);
    cn_buf_commit(&http->out, CN_HTTP2_FRAME_HEAD + length);
    cn_buf_drop(&x->out, length);
    x->out_taken += length;
    h->update_credit = CN_MIN(h->update_credit + 2, CN_HTTP2_UPDATE_CREDIT);
    if (x->over_high_water && cn_buf_len(&x->out) < http->limits->stream_buffer / 2) {
        x->over_high_water = false;
        if (!x->sent_end && !cn_http2_is_mute(x)) x->events->on_writable(x);
        if (h->fatal) return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    return cn_buf_len(&http->out) >= http->limits->connection_buffer ? NGHTTP2_ERR_PAUSE : 0;
}

static int cn_http2_on_frame_not_sent(nghttp2_session *session, const nghttp2_frame *frame, int error, void *user) {
    cn_http2_t *h = (cn_http2_t *)user;
    cn_exchange_t *x;
    (void)session;
    if (frame->hd.type != NGHTTP2_HEADERS || error != NGHTTP2_ERR_FRAME_SIZE_ERROR) return 0;
    x = (cn_exchange_t *)nghttp2_session_get_stream_user_data(h->session, frame->hd.stream_id);
    if (x)
        cn_http2_give_up(
            h, x, NGHTTP2_INTERNAL_ERROR, CONNECT_RESOURCE_EXHAUSTED, "the headers to be sent are too large");
    return h->fatal ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

/* ---- Open, free ---- */

static bool cn_http2_new_session(cn_http2_t *h) {
    cn_http_t *http = h->http;
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    nghttp2_mem mem;
    int result = NGHTTP2_ERR_NOMEM;
    mem.mem_user_data = h;
    mem.malloc = cn_http2_malloc;
    mem.free = cn_http2_free_block;
    mem.calloc = cn_http2_calloc;
    mem.realloc = cn_http2_realloc;
    if (nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0) {
        nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, cn_http2_on_begin_frame);
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, cn_http2_on_begin_headers);
        nghttp2_session_callbacks_set_on_header_callback(callbacks, cn_http2_on_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, cn_http2_on_frame);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, cn_http2_on_data);
        nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, cn_http2_on_invalid_frame);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, cn_http2_on_stream_close);
        nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, cn_http2_on_frame_not_sent);
        nghttp2_session_callbacks_set_send_data_callback(callbacks, cn_http2_on_send_data);
        nghttp2_option_set_no_auto_window_update(option, 1);
        nghttp2_option_set_no_closed_streams(option, 1);
        nghttp2_option_set_max_deflate_dynamic_table_size(option, CN_HTTP2_HPACK_TABLE);
        nghttp2_option_set_max_outbound_ack(option, CN_HTTP2_ACKS_MAX);
        result = http->is_server ? nghttp2_session_server_new3(&h->session, callbacks, h, option, &mem)
                                 : nghttp2_session_client_new3(&h->session, callbacks, h, option, &mem);
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return result == 0;
}

static bool cn_http2_submit_settings(cn_http2_t *h) {
    const connect_limits_t *limits = h->http->limits;
    const uint32_t largest = 0x7FFFFFFF; /* RFC 9113 6.9.1 */
    nghttp2_settings_entry entries[5];
    size_t count = 0;
    if (h->http->is_server) {
        entries[count].settings_id = NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS;
        entries[count++].value = limits->streams;
        entries[count].settings_id = NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES;
        entries[count++].value = 1; /* a client sends none, and its nghttp2 then lets streams take turns */
    } else {
        entries[count].settings_id = NGHTTP2_SETTINGS_ENABLE_PUSH;
        entries[count++].value = 0;
    }
    entries[count].settings_id = NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE;
    entries[count++].value = CN_MIN(limits->stream_window, largest);
    entries[count].settings_id = NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE;
    entries[count++].value = limits->header_bytes;
    return nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, entries, count) == 0 &&
        nghttp2_session_set_local_window_size(
            h->session, NGHTTP2_FLAG_NONE, 0, (int32_t)CN_MIN(limits->connection_window, largest)) == 0;
}

static void cn_http2_delete(cn_http2_t *h) {
    if (!h->starved) nghttp2_session_del(h->session);
    cn_http2_free_all(h);
    cn_mem_release(h->http->allocator, h);
}

static bool cn_http2_open(cn_http_t *http) {
    const connect_limits_t *limits = http->limits;
    cn_http2_t *h = (cn_http2_t *)cn_mem_acquire(http->allocator, sizeof *h);
    if (!h) return false;
    h->http = http;
    cn_list_init(&h->blocks);
    h->pool_max = limits->connection_buffer / 8;
    h->had_room = true;
    h->magic_left = http->is_server ? CN_HTTP2_MAGIC_LEN : 0;
    h->update_credit = limits->streams < CN_HTTP2_UPDATE_CREDIT / 2 ? limits->streams : CN_HTTP2_UPDATE_CREDIT / 2;
    cn_http2_bucket_init(&h->frames, limits->frame_burst, http->now_ms);
    cn_http2_bucket_init(&h->resets, limits->reset_burst, http->now_ms);
    if (!cn_http2_new_session(h) || !cn_http2_submit_settings(h)) {
        cn_http2_delete(h);
        return false;
    }
    if (!http->exchanges.next) cn_list_init(&http->exchanges);
    http->state = h;
    http->head_since_ms = http->is_server ? http->now_ms : -1;
    cn_http_wake(http);
    return true;
}

static void cn_http2_eof(cn_http_t *http) {
    cn_http2_t *h = (cn_http2_t *)http->state;
    bool was_feeding = http->feeding;
    if (h->ended) return;
    http->feeding = true;
    cn_http2_end(h, CONNECT_UNAVAILABLE, "the connection was closed");
    if (!http->is_server && http->events->on_room) http->events->on_room(http);
    http->feeding = was_feeding;
}

static void cn_http2_free(cn_http_t *http) {
    cn_http2_t *h = (cn_http2_t *)http->state;
    if (!h) return;
    if (!h->ended) {
        http->feeding = true;
        cn_http2_end(h, CONNECT_UNAVAILABLE, "the connection was closed");
        http->feeding = false;
    }
    http->state = NULL;
    cn_http2_delete(h);
}

/* ---- Feed, pull ---- */

static bool cn_http2_is_blocked(const cn_http2_t *h) {
    return cn_buf_len(&h->http->out) >= h->http->limits->connection_buffer &&
        nghttp2_session_get_outbound_queue_size(h->session) >= CN_HTTP2_ACKS_BLOCK;
}

static void cn_http2_receive(cn_http2_t *h, const uint8_t *bytes, size_t len) {
    ssize_t result;
    if (len == 0 || h->fatal) return;
    result = nghttp2_session_mem_recv(h->session, bytes, len);
    if (result >= 0) return;
    if (result == NGHTTP2_ERR_BAD_CLIENT_MAGIC)
        cn_http2_fail(h, NGHTTP2_PROTOCOL_ERROR, CONNECT_INTERNAL, "this is not HTTP/2");
    else if (result == NGHTTP2_ERR_FLOODED)
        cn_http2_fail_flood(h);
    else
        cn_http2_fail_memory(h);
}

/* Shows bytes to nghttp2, but for the start of a frame's head: newer ones count each piece of a CONTINUATION's head as
   one more CONTINUATION. */
static void cn_http2_receive_frames(cn_http2_t *h, const uint8_t *bytes, size_t len) {
    uint8_t head[CN_HTTP2_FRAME_HEAD];
    size_t held = h->frame_head_len, rest;
    memcpy(head, h->frame_head, held);
    if (!cn_http2_see(h, bytes, len)) {
        cn_http2_fail_flood(h);
        return;
    }
    if (CN_UNLIKELY(held > 0)) {
        rest = CN_HTTP2_FRAME_HEAD - held;
        if (rest > len) return;
        memcpy(head + held, bytes, rest);
        bytes += rest;
        len -= rest;
        cn_http2_receive(h, head, sizeof head);
    }
    cn_http2_receive(h, bytes, len - h->frame_head_len);
}

static size_t cn_http2_feed(cn_http_t *http, const char *bytes, size_t len) {
    cn_http2_t *h = (cn_http2_t *)http->state;
    bool was_feeding = http->feeding;
    if (h->ended || len == 0) return len;
    if (cn_http2_is_blocked(h)) {
        http->read_blocked = true;
        return 0;
    }
    h->early_end_seen = h->has_early_end;
    http->feeding = true;
    cn_http2_receive_frames(h, (const uint8_t *)bytes, len);
    if (h->settings_received || !http->is_server) {
        if (!h->in_block)
            http->head_since_ms = -1;
        else if (http->head_since_ms < 0)
            http->head_since_ms = http->now_ms;
    }
    (void)cn_http2_settle(h);
    http->feeding = was_feeding;
    return len;
}

/* Server: responses that went out whole before their requests came in whole (RFC 9113 8.1). Not in the write that
   carries the response: clients are known to drop it for the RST_STREAM behind it. */
static void cn_http2_reset_early_ends(cn_http2_t *h) {
    cn_list_t *node = h->http->exchanges.next, *next;
    h->has_early_end = h->early_end_seen = false;
    for (; node != &h->http->exchanges; node = next) {
        cn_exchange_t *x = CN_CONTAINER(node, cn_exchange_t, node);
        next = node->next;
        if (!x->sent_end || x->received_end || x->reset) continue;
        if (nghttp2_session_get_stream_local_close(h->session, x->stream_id) == 1)
            cn_http2_reset_stream(h, x, NGHTTP2_NO_ERROR);
        else
            h->has_early_end = true;
    }
}

/* Client: exchanges that were reset and that nghttp2 does not have. */
static void cn_http2_close_strays(cn_http2_t *h) {
    cn_list_t *node;
    h->has_stray = false;
restart: /* on_closed may change the list */
    for (node = h->http->exchanges.next; node != &h->http->exchanges; node = node->next) {
        cn_exchange_t *x = CN_CONTAINER(node, cn_exchange_t, node);
        if (!x->reset) continue;
        if (x->stream_id != 0) {
            if (nghttp2_session_find_stream(h->session, x->stream_id)) continue;
            (void)nghttp2_session_set_stream_user_data(h->session, x->stream_id, NULL);
        }
        if (x->close_code == CONNECT_OK) {
            x->close_code = CONNECT_CANCELED;
            x->close_why = "the stream was reset by this end";
        }
        cn_http2_close(h, x);
        goto restart;
    }
}

/* Moves frames into http->out. */
static void cn_http2_write(cn_http2_t *h) {
    cn_http_t *http = h->http;
    while (!h->fatal && cn_buf_len(&http->out) < http->limits->connection_buffer) {
        const uint8_t *bytes;
        ssize_t n = nghttp2_session_mem_send(h->session, &bytes);
        if (n == 0) break;
        if (n < 0 || !cn_buf_append(&http->out, http->allocator, bytes, (size_t)n)) cn_http2_fail_memory(h);
    }
}

static void cn_http2_pull(cn_http_t *http) {
    cn_http2_t *h = (cn_http2_t *)http->state;
    bool was_feeding = http->feeding, again;
    http->woken = false;
    if (h->ended) return;
    http->feeding = true;
    do {
        again = false;
        cn_http2_write(h);
        if (h->has_stray && !h->fatal) cn_http2_close_strays(h);
        if (http->draining && http->exchange_count == 0 && !h->goaway_submitted) {
            cn_http2_submit_goaway(h);
            again = true;
        }
        if (h->has_early_end && h->early_end_seen && !h->fatal) {
            cn_http2_reset_early_ends(h);
            again = again || !h->has_early_end;
        }
        again = cn_http2_settle(h) || again;
    } while (again && !h->ended);
    if (http->read_blocked && (h->ended || !cn_http2_is_blocked(h))) http->read_blocked = false;
    http->feeding = was_feeding;
}

/* ---- Operations ---- */

static cn_http2_t *cn_http2_of(const cn_exchange_t *x) {
    cn_http2_t *h = x->http ? (cn_http2_t *)x->http->state : NULL;
    return h && !h->ended ? h : NULL;
}

static bool cn_http2_begin(cn_http_t *http, cn_exchange_t *x) {
    cn_http2_t *h = (cn_http2_t *)http->state;
    if (!cn_http2_can_begin(http)) return false;
    cn_exchange_attach(http, x);
    h->had_room = cn_http2_can_begin(http);
    return true;
}

static bool cn_http2_send_head(cn_exchange_t *x, const cn_head_t *head, bool end) {
    cn_http2_t *h = cn_http2_of(x);
    nghttp2_nv on_stack[CN_HTTP2_STACK_FIELDS], *fields;
    nghttp2_data_provider provider;
    char digits[20];
    connect_str_t text;
    size_t count = 0;
    int32_t result;
    if (!h || cn_http2_is_mute(x) || x->sent_head) return true;
    fields = cn_http2_fields(x->arena, on_stack, head->header_count + 5);
    if (!fields) return false;
    provider.source.ptr = x;
    provider.read_callback = cn_http2_on_read;
    if (x->http->is_server) {
        text = CN_STR("200");
        if (head->status != 200) {
            text = connect_arena_copy(x->arena, cn_str(digits, cn_str_from_uint(digits, (uint64_t)head->status)));
            if (!text.data) return false;
        }
        cn_http2_put(&fields[count++], CN_STR(":status"), text, true);
    } else {
        cn_http2_put(&fields[count++], CN_STR(":method"), head->method, true);
        cn_http2_put(&fields[count++], CN_STR(":scheme"), CN_STR("http"), true);
        cn_http2_put(&fields[count++], CN_STR(":authority"), head->authority, true);
        cn_http2_put(&fields[count++], CN_STR(":path"), head->path, true);
        if (head->content_length >= 0) {
            text = cn_str(digits, cn_str_from_uint(digits, (uint64_t)head->content_length));
            text = connect_arena_copy(x->arena, text);
            if (!text.data) return false;
            cn_http2_put(&fields[count++], CN_STR("content-length"), text, false);
        }
    }
    cn_http2_put_all(fields + count, head->headers, head->header_count);
    count += head->header_count;
    if (x->http->is_server) {
        result = nghttp2_submit_response(h->session, x->stream_id, fields, count, end ? NULL : &provider);
        if (result != 0 && !nghttp2_is_fatal(result)) result = 0; /* the stream is gone, on_closed is to come */
    } else {
        result = nghttp2_submit_request(h->session, NULL, fields, count, end ? NULL : &provider, x);
        if (result > 0) x->stream_id = result;
    }
    if (result < 0) return false;
    x->sent_head = true;
    if (end) {
        x->sent_end = true;
        h->has_early_end = x->http->is_server && (h->has_early_end || !x->received_end);
    }
    cn_http_wake(x->http);
    return true;
}

static void cn_http2_resume(cn_http2_t *h, cn_exchange_t *x) {
    if (x->deferred) {
        x->deferred = false;
        (void)cn_http2_check(h, nghttp2_session_resume_data(h->session, x->stream_id));
    }
    cn_http_wake(x->http);
}

/* nghttp2 sends one stream's data to its end before the next one's, by RFC 9218's default; a stream that has more to
   send than its buffer holds has to take turns with the others, frame by frame. */
static void cn_http2_take_turns(cn_http2_t *h, cn_exchange_t *x) {
    nghttp2_extpri priority;
    priority.urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY;
    priority.inc = 1;
    (void)cn_http2_check(h, nghttp2_session_change_extpri_stream_priority(h->session, x->stream_id, &priority, 1));
}

static void cn_http2_flush(cn_exchange_t *x) {
    cn_http2_t *h = cn_http2_of(x);
    if (!h || cn_http2_is_mute(x)) return;
    if (!x->over_high_water && cn_buf_len(&x->out) >= x->http->limits->stream_buffer) {
        x->over_high_water = true;
        if (x->http->is_server && x->sent_head) cn_http2_take_turns(h, x);
    }
    cn_http2_resume(h, x);
}

static void cn_http2_reset(cn_exchange_t *x, cn_reset_t why) {
    cn_http2_t *h = cn_http2_of(x);
    uint32_t error = NGHTTP2_INTERNAL_ERROR;
    if (!h || cn_http2_is_mute(x)) return;
    switch (why) {
    case CN_RESET_NO_ERROR: error = NGHTTP2_NO_ERROR; break;
    case CN_RESET_CANCEL: error = NGHTTP2_CANCEL; break;
    case CN_RESET_REFUSED: error = NGHTTP2_REFUSED_STREAM; break;
    case CN_RESET_STALLED:
        error = NGHTTP2_CANCEL;
        if (++h->stalled >= CN_HTTP2_STALLED_MAX)
            cn_http2_fail(h, NGHTTP2_ENHANCE_YOUR_CALM, CONNECT_UNAVAILABLE, x->close_why);
        break;
    case CN_RESET_INTERNAL: break;
    }
    x->reset = true;
    if (!x->http->is_server) h->has_stray = true;
    if (x->stream_id != 0) cn_http2_reset_stream(h, x, error);
    cn_http_wake(x->http);
}

static void cn_http2_send_end(cn_exchange_t *x, connect_headers_t trailers) {
    cn_http2_t *h = cn_http2_of(x);
    if (!h || cn_http2_is_mute(x) || x->sent_end) return;
    if (trailers.count) { /* the array may be gone when they go out */
        connect_header_t *items = (connect_header_t *)connect_arena_take(x->arena, trailers.count, sizeof *items);
        if (!items) {
            x->close_code = CONNECT_RESOURCE_EXHAUSTED;
            x->close_why = "out of memory";
            cn_http2_reset(x, CN_RESET_INTERNAL);
            return;
        }
        memcpy(items, trailers.items, trailers.count * sizeof *items);
        x->out_trailers.items = items;
        x->out_trailers.count = trailers.count;
    }
    x->sent_end = true;
    if (x->http->is_server && !x->received_end) h->has_early_end = true;
    cn_http2_resume(h, x);
}

static void cn_http2_consume(cn_exchange_t *x, size_t len) {
    cn_http2_t *h = cn_http2_of(x);
    if (!h) return;
    len = CN_MIN(len, (size_t)x->unread);
    x->unread -= (uint32_t)len;
    if (len == 0) return;
    if (x->received_end || x->reset) /* the stream's window is of no use any more */
        (void)cn_http2_check(h, nghttp2_session_consume_connection(h->session, len));
    else
        (void)cn_http2_check(h, nghttp2_session_consume(h->session, x->stream_id, len));
    if (h->fatal || nghttp2_session_get_outbound_queue_size(h->session) > 0) cn_http_wake(x->http);
}

static void cn_http2_drain(cn_http_t *http) {
    cn_http2_t *h = (cn_http2_t *)http->state;
    if (h->ended || http->draining) return;
    http->draining = true;
    h->had_room = false;
    if (http->is_server && http->exchange_count > 0) {
        h->ping_sent = true;
        (void)cn_http2_check(h, nghttp2_submit_shutdown_notice(h->session));
        (void)cn_http2_check(h, nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, cn_http2_drain_ping()));
    }
    cn_http_wake(http);
}

CN_PRIVATE const cn_http_version_t *cn_http2_version(void) {
    static const cn_http_version_t version = {CONNECT_HTTP_2, cn_http2_open, cn_http2_free, cn_http2_feed, cn_http2_eof,
        cn_http2_pull, cn_http2_can_begin, cn_http2_begin, cn_http2_drain, cn_http2_send_head, cn_http2_flush,
        cn_http2_send_end, cn_http2_reset, cn_http2_consume};
    return &version;
}
#endif

/* #### src/protocol/code.h ######################################################################################### */
/* The code of a name, "not_found". Returns false: no such code. */
CN_PRIVATE bool cn_code_from_name(connect_str_t name, connect_code_t *code);
/* The HTTP status of a Connect unary error. */
CN_PRIVATE int cn_code_to_http(connect_code_t code);
/* What an HTTP status means where the answer names no code; the same for all protocols. */
CN_PRIVATE connect_code_t cn_code_from_http(int status);
/* A code that may go over the wire: UNKNOWN for what is none, or OK where an error is due. */
CN_PRIVATE connect_code_t cn_code_of_error(connect_code_t code);

/* #### src/protocol/code.c ######################################################################################### */
/* The sixteen codes of Connect and gRPC, their names in Connect's JSON, and the two tables between codes and HTTP
   statuses (Connect "Error Codes", "HTTP to Error Code"). The two are not inverse: 404 is sent for not_found, but a
   bare 404, which comes from something that is no RPC server, means unimplemented. */

static const struct {
    const char *name;
    int http;
} cn_code_table[] = {{"ok", 200}, {"canceled", 499}, {"unknown", 500}, {"invalid_argument", 400},
    {"deadline_exceeded", 504}, {"not_found", 404}, {"already_exists", 409}, {"permission_denied", 403},
    {"resource_exhausted", 429}, {"failed_precondition", 400}, {"aborted", 409}, {"out_of_range", 400},
    {"unimplemented", 501}, {"internal", 500}, {"unavailable", 503}, {"data_loss", 500}, {"unauthenticated", 401}};

static size_t cn_code_index(connect_code_t code) {
    return (int)code >= 0 && (size_t)code < CN_LEN(cn_code_table) ? (size_t)code : (size_t)CONNECT_UNKNOWN;
}

const char *connect_code_name(connect_code_t code) {
    return cn_code_table[cn_code_index(code)].name;
}

CN_PRIVATE bool cn_code_from_name(connect_str_t name, connect_code_t *code) {
    size_t i;
    for (i = 1; i < CN_LEN(cn_code_table); i++) {
        if (connect_str_equal(name, connect_str_of(cn_code_table[i].name))) {
            *code = (connect_code_t)i;
            return true;
        }
    }
    return false;
}

CN_PRIVATE int cn_code_to_http(connect_code_t code) {
    return cn_code_table[cn_code_index(code)].http;
}

CN_PRIVATE connect_code_t cn_code_from_http(int status) {
    switch (status) {
    case 400: return CONNECT_INTERNAL;
    case 401: return CONNECT_UNAUTHENTICATED;
    case 403: return CONNECT_PERMISSION_DENIED;
    case 404: return CONNECT_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504: return CONNECT_UNAVAILABLE;
    default: return CONNECT_UNKNOWN;
    }
}

CN_PRIVATE connect_code_t cn_code_of_error(connect_code_t code) {
    return (int)code > 0 && (size_t)code < CN_LEN(cn_code_table) ? code : CONNECT_UNKNOWN;
}

/* #### src/protocol/timeout.h ###################################################################################### */
#define CN_TIMEOUT_NONE (-1)                         /* no deadline */
#define CN_TIMEOUT_MAX_MS (365LL * 24 * 3600 * 1000) /* longer ones are cut to a year */

/* Connect-Timeout-Ms and grpc-timeout. Returns false: malformed. */
CN_PRIVATE bool cn_timeout_read_connect(connect_str_t text, int64_t *ms);
CN_PRIVATE bool cn_timeout_read_grpc(connect_str_t text, int64_t *ms);
/* Write them into the arena; the absent view: out of memory. */
CN_PRIVATE connect_str_t cn_timeout_write_connect(connect_arena_t *arena, int64_t ms);
CN_PRIVATE connect_str_t cn_timeout_write_grpc(connect_arena_t *arena, int64_t ms);

/* #### src/protocol/timeout.c ###################################################################################### */
/* Timeouts on the wire.

   Connect-Timeout-Ms: 1 to 10 digits, milliseconds (Connect "Timeout").
   grpc-timeout: 1 to 8 digits and one of H M S m u n (gRPC over HTTP/2 "Timeout").

   Read: what is longer, has a sign or an unknown unit is malformed; values above a year are cut to a year, so that
   adding to a clock cannot overflow. Below a millisecond is rounded up: a deadline is never moved before its time,
   except 0, which has passed already. Written: what is left at the start of the call, never 0 in Connect (at least 1
   ms), and in gRPC in the finest unit that fits eight digits. */

CN_PRIVATE bool cn_timeout_read_connect(connect_str_t text, int64_t *ms) {
    uint64_t value;
    if (!cn_str_to_uint(text, 10, &value)) return false;
    *ms = (int64_t)CN_MIN(value, (uint64_t)CN_TIMEOUT_MAX_MS);
    return true;
}

CN_PRIVATE bool cn_timeout_read_grpc(connect_str_t text, int64_t *ms) {
    uint64_t value;
    if (text.len < 2 || !cn_str_to_uint(cn_str(text.data, text.len - 1), 8, &value)) return false;
    switch (text.data[text.len - 1]) {
    case 'H': value *= 3600u * 1000u; break;
    case 'M': value *= 60u * 1000u; break;
    case 'S': value *= 1000u; break;
    case 'm': break;
    case 'u': value = (value + 999) / 1000; break;
    case 'n': value = (value + 999999) / 1000000; break;
    default: return false;
    }
    *ms = (int64_t)CN_MIN(value, (uint64_t)CN_TIMEOUT_MAX_MS);
    return true;
}

CN_PRIVATE connect_str_t cn_timeout_write_connect(connect_arena_t *arena, int64_t ms) {
    return connect_arena_printf(arena, "%lld", (long long)CN_MIN(CN_MAX(ms, 1), 9999999999LL));
}

CN_PRIVATE connect_str_t cn_timeout_write_grpc(connect_arena_t *arena, int64_t ms) {
    if (ms <= 0) return CN_STR("0n");
    if (ms < 100000000LL) return connect_arena_printf(arena, "%lldm", (long long)ms);
    return connect_arena_printf(arena, "%lldS", (long long)CN_MIN(ms / 1000, 99999999LL));
}

/* #### src/protocol/envelope.h ##################################################################################### */
#define CN_ENVELOPE_HEAD 5u
enum { CN_ENVELOPE_COMPRESSED = 0x01, CN_ENVELOPE_END_STREAM = 0x02, CN_ENVELOPE_TRAILERS = 0x80 };

typedef struct cn_envelope_t {
    uint8_t flags;
    uint32_t len;
} cn_envelope_t;

/* Reads the head of an envelope from CN_ENVELOPE_HEAD bytes, and writes it there. */
CN_PRIVATE cn_envelope_t cn_envelope_read(const char *head);
CN_PRIVATE void cn_envelope_write(char *head, uint8_t flags, uint32_t len);

/* #### src/protocol/envelope.c ##################################################################################### */
/* The five bytes before each message of Connect streams, gRPC and gRPC-Web (gRPC over HTTP/2
   "Length-Prefixed-Message", Connect "Enveloped-Message"): one byte of flags, the length in four bytes, big-endian.
   The boundaries of DATA frames and chunks mean nothing. */

CN_PRIVATE cn_envelope_t cn_envelope_read(const char *head) {
    const unsigned char *bytes = (const unsigned char *)head;
    cn_envelope_t envelope;
    envelope.flags = bytes[0];
    envelope.len = (uint32_t)bytes[1] << 24 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 8 | bytes[4];
    return envelope;
}

CN_PRIVATE void cn_envelope_write(char *head, uint8_t flags, uint32_t len) {
    head[0] = (char)flags;
    head[1] = (char)(unsigned char)(len >> 24);
    head[2] = (char)(unsigned char)(len >> 16);
    head[3] = (char)(unsigned char)(len >> 8);
    head[4] = (char)(unsigned char)len;
}

/* #### src/protocol/error.h ######################################################################################## */
/* Connect: the error object, and the END_STREAM object of it and of metadata (which the wire's trailers are). error
   with code OK: none. Return false: out of memory. */
CN_PRIVATE bool cn_error_write_json(
    cn_buf_t *out, const connect_allocator_t *allocator, connect_arena_t *arena, const connect_error_t *error);
CN_PRIVATE bool cn_error_write_end_stream(cn_buf_t *out, const connect_allocator_t *allocator, connect_arena_t *arena,
    const connect_error_t *error, connect_headers_t trailers);
/* Reads an error object. Returns false: it is no such object. A code that is missing or unknown: error->code is
   `otherwise`. All texts: in the arena. The text has CN_SLACK readable bytes behind it. */
CN_PRIVATE bool cn_error_read_json(
    connect_error_t *error, connect_str_t json, connect_code_t otherwise, connect_arena_t *arena);
/* Reads an END_STREAM object: the error (code OK: none), and the metadata. Returns false: malformed, or over the
   limits. */
CN_PRIVATE bool cn_error_read_end_stream(connect_error_t *error, connect_headers_t *trailers, connect_str_t json,
    const connect_limits_t *limits, connect_arena_t *arena);
/* gRPC: grpc-status-details-bin, a google.rpc.Status in unpadded base64; the absent view: out of memory. */
CN_PRIVATE connect_str_t cn_error_write_details_bin(connect_arena_t *arena, const connect_error_t *error);
/* Reads it: code, message and details. Returns false: malformed, or out of memory. */
CN_PRIVATE bool cn_error_read_details_bin(connect_error_t *error, connect_str_t value, connect_arena_t *arena);
/* Copies an error into the arena: message, details, metadata. Returns false: out of memory. */
CN_PRIVATE bool cn_error_copy(connect_error_t *to, const connect_error_t *from, connect_arena_t *arena);
/* Adds a detail. Returns false: out of memory. */
CN_PRIVATE bool cn_error_add_detail(
    connect_error_t *error, connect_arena_t *arena, connect_str_t type, connect_str_t value);

/* #### src/protocol/error.c ######################################################################################## */
/* An RPC error in its forms on the wire.

   Connect (Connect "Error end-stream", "Unary error"): {"code":"not_found","message":"...","details":[{"type":
   "acme.Fault","value":"<unpadded base64>"}]}; a stream ends with {"error":{...},"metadata":{"name":["value"]}}.
   Unknown members are ignored at every level and never written. "error": null is no error. A code that is missing,
   null or unknown is told by the caller; one that is not a string makes the object malformed. "debug" is neither
   written nor read.

   gRPC: grpc-status and grpc-message (percent-encoded; by the callers), and grpc-status-details-bin, a
   google.rpc.Status {int32 code = 1; string message = 2; repeated google.protobuf.Any details = 3} in binary,
   whatever the codec is, where Any is {string type_url = 1; bytes value = 2}. In Connect the type's name stands
   alone, in Any behind "type.googleapis.com/". */

#define CN_ERROR_JSON_DEPTH 100u

static connect_str_t cn_error_printable(connect_arena_t *arena, connect_str_t message) {
    return cn_utf8_valid(message) ? message : cn_str_quote(arena, message);
}

static void cn_error_write_object(cn_json_writer_t *writer, connect_arena_t *arena, const connect_error_t *error) {
    size_t i;
    cn_json_object_begin(writer);
    cn_json_name(writer, CN_STR("code"));
    cn_json_string(writer, connect_str_of(connect_code_name(cn_code_of_error(error->code))));
    if (error->message.len) {
        cn_json_name(writer, CN_STR("message"));
        cn_json_string(writer, cn_error_printable(arena, error->message));
    }
    if (error->details.count) {
        cn_json_name(writer, CN_STR("details"));
        cn_json_array_begin(writer);
        for (i = 0; i < error->details.count; i++) {
            cn_json_object_begin(writer);
            cn_json_name(writer, CN_STR("type"));
            cn_json_string(writer, error->details.items[i].type);
            cn_json_name(writer, CN_STR("value"));
            cn_json_base64(writer, error->details.items[i].value, false);
            cn_json_object_end(writer);
        }
        cn_json_array_end(writer);
    }
    cn_json_object_end(writer);
}

CN_PRIVATE bool cn_error_write_json(
    cn_buf_t *out, const connect_allocator_t *allocator, connect_arena_t *arena, const connect_error_t *error) {
    cn_json_writer_t writer;
    cn_json_write(&writer, out, allocator, false);
    cn_error_write_object(&writer, arena, error);
    return !writer.failed;
}

/* Tells whether this name stands in the list before place `at`: then its values were written there. */
static bool cn_error_named_before(connect_headers_t headers, size_t at) {
    size_t i;
    for (i = 0; i < at; i++)
        if (strcmp(headers.items[i].name, headers.items[at].name) == 0) return true;
    return false;
}

CN_PRIVATE bool cn_error_write_end_stream(cn_buf_t *out, const connect_allocator_t *allocator, connect_arena_t *arena,
    const connect_error_t *error, connect_headers_t trailers) {
    cn_json_writer_t writer;
    size_t i, k;
    cn_json_write(&writer, out, allocator, false);
    cn_json_object_begin(&writer);
    if (error->code != CONNECT_OK) {
        cn_json_name(&writer, CN_STR("error"));
        cn_error_write_object(&writer, arena, error);
    }
    if (trailers.count) {
        cn_json_name(&writer, CN_STR("metadata"));
        cn_json_object_begin(&writer);
        for (i = 0; i < trailers.count; i++) {
            if (cn_error_named_before(trailers, i)) continue;
            cn_json_name(&writer, connect_str_of(trailers.items[i].name));
            cn_json_array_begin(&writer);
            for (k = i; k < trailers.count; k++)
                if (strcmp(trailers.items[k].name, trailers.items[i].name) == 0)
                    cn_json_string(&writer, cn_error_printable(arena, trailers.items[k].value));
            cn_json_array_end(&writer);
        }
        cn_json_object_end(&writer);
    }
    cn_json_object_end(&writer);
    return !writer.failed;
}

CN_PRIVATE bool cn_error_add_detail(
    connect_error_t *error, connect_arena_t *arena, connect_str_t type, connect_str_t value) {
    size_t count = error->details.count;
    connect_error_detail_t detail, *items;
    detail.type = connect_arena_copy(arena, type);
    detail.value = connect_arena_copy(arena, value);
    if (!detail.type.data || !detail.value.data) return false;
    if ((count & (count - 1)) == 0) { /* a full list has a power of two of them, or none */
        items = CONNECT_NEW(arena, connect_error_detail_t, CN_MAX(count * 2, (size_t)1));
        if (!items) return false;
        if (count) memcpy(items, error->details.items, count * sizeof *items);
        error->details.items = items;
    }
    /* the list was made above, by an earlier call: only the view of it is const */
    memcpy(&items, &error->details.items, sizeof items);
    items[count] = detail;
    error->details.count = count + 1;
    return true;
}

/* ---- Reading JSON: `token` is the value's first token; false: malformed ---- */

static connect_str_t cn_error_type_name(connect_str_t type) {
    size_t i = type.len;
    while (i && type.data[i - 1] != '/')
        i--;
    return cn_str(type.data + i, type.len - i);
}

static bool cn_error_read_detail(connect_error_t *error, cn_json_reader_t *reader, connect_arena_t *arena) {
    connect_str_t type = {NULL, 0}, value = {NULL, 0};
    cn_json_token_t token;
    while ((token = cn_json_next(reader)) == CN_JSON_NAME) {
        connect_str_t name = reader->text;
        token = cn_json_next(reader);
        if (connect_str_equal(name, CN_STR("type")) && token == CN_JSON_STRING)
            type = cn_error_type_name(reader->text);
        else if (connect_str_equal(name, CN_STR("value")) && token == CN_JSON_STRING)
            value = connect_base64_decode(reader->text, arena);
        else if (!cn_json_skip(reader, token))
            return false;
    }
    if (token != CN_JSON_OBJECT_END) return false;
    if (!value.data && arena->failed) return false; /* no room is no reason to lose a detail */
    return !type.data || !value.data || cn_error_add_detail(error, arena, type, value);
}

static bool cn_error_read_object(
    connect_error_t *error, cn_json_reader_t *reader, connect_code_t otherwise, connect_arena_t *arena) {
    cn_json_token_t token;
    error->code = otherwise;
    error->message = CN_STR("");
    error->from_peer = true;
    while ((token = cn_json_next(reader)) == CN_JSON_NAME) {
        connect_str_t name = reader->text;
        token = cn_json_next(reader);
        if (connect_str_equal(name, CN_STR("code")) && token != CN_JSON_NULL) {
            if (token != CN_JSON_STRING) return false;
            if (!cn_code_from_name(reader->text, &error->code)) error->code = otherwise;
        } else if (connect_str_equal(name, CN_STR("message")) && token == CN_JSON_STRING) {
            error->message = connect_arena_copy(arena, reader->text);
            if (!error->message.data) return false;
        } else if (connect_str_equal(name, CN_STR("details")) && token == CN_JSON_ARRAY_BEGIN) {
            while ((token = cn_json_next(reader)) == CN_JSON_OBJECT_BEGIN)
                if (!cn_error_read_detail(error, reader, arena)) return false;
            if (token != CN_JSON_ARRAY_END) return false;
        } else if (!cn_json_skip(reader, token)) {
            return false;
        }
    }
    return token == CN_JSON_OBJECT_END;
}

CN_PRIVATE bool cn_error_read_json(
    connect_error_t *error, connect_str_t json, connect_code_t otherwise, connect_arena_t *arena) {
    cn_json_reader_t reader;
    memset(error, 0, sizeof *error);
    cn_json_read(&reader, json, arena, CN_ERROR_JSON_DEPTH);
    return cn_json_next(&reader) == CN_JSON_OBJECT_BEGIN && cn_error_read_object(error, &reader, otherwise, arena) &&
        cn_json_next(&reader) == CN_JSON_END;
}

static bool cn_error_read_metadata(
    cn_headers_t *trailers, cn_json_reader_t *reader, const connect_limits_t *limits, connect_arena_t *arena) {
    cn_json_token_t token;
    while ((token = cn_json_next(reader)) == CN_JSON_NAME) {
        connect_str_t name = reader->text;
        token = cn_json_next(reader);
        if (token != CN_JSON_ARRAY_BEGIN || !cn_header_name_valid(name)) {
            if (!cn_json_skip(reader, token)) return false;
            continue;
        }
        while ((token = cn_json_next(reader)) == CN_JSON_STRING)
            if (!cn_header_value_valid(reader->text) ||
                cn_headers_receive(trailers, arena, limits, name, reader->text) != CN_HEADERS_OK)
                return false;
        if (token != CN_JSON_ARRAY_END) return false;
    }
    return token == CN_JSON_OBJECT_END;
}

CN_PRIVATE bool cn_error_read_end_stream(connect_error_t *error, connect_headers_t *trailers, connect_str_t json,
    const connect_limits_t *limits, connect_arena_t *arena) {
    cn_json_reader_t reader;
    cn_headers_t metadata;
    cn_json_token_t token;
    memset(error, 0, sizeof *error);
    memset(&metadata, 0, sizeof metadata);
    cn_json_read(&reader, json, arena, CN_ERROR_JSON_DEPTH);
    if (cn_json_next(&reader) != CN_JSON_OBJECT_BEGIN) return false;
    while ((token = cn_json_next(&reader)) == CN_JSON_NAME) {
        connect_str_t name = reader.text;
        token = cn_json_next(&reader);
        if (connect_str_equal(name, CN_STR("error")) && token != CN_JSON_NULL) {
            if (token != CN_JSON_OBJECT_BEGIN || !cn_error_read_object(error, &reader, CONNECT_UNKNOWN, arena))
                return false;
        } else if (connect_str_equal(name, CN_STR("metadata")) && token == CN_JSON_OBJECT_BEGIN) {
            if (!cn_error_read_metadata(&metadata, &reader, limits, arena)) return false;
        } else if (!cn_json_skip(&reader, token)) {
            return false;
        }
    }
    *trailers = cn_headers_view(&metadata);
    return token == CN_JSON_OBJECT_END && cn_json_next(&reader) == CN_JSON_END;
}

/* ---- google.rpc.Status ---- */

CN_PRIVATE connect_str_t cn_error_write_details_bin(connect_arena_t *arena, const connect_error_t *error) {
    connect_writer_t status, any;
    connect_str_t message = cn_error_printable(arena, error->message), url;
    int32_t code = (int32_t)cn_code_of_error(error->code);
    size_t i;
    memset(&status, 0, sizeof status);
    status.arena = arena;
    connect_writer_put(&status, 1, CONNECT_KIND_INT32, &code);
    connect_writer_put(&status, 2, CONNECT_KIND_STRING, &message);
    for (i = 0; i < error->details.count; i++) {
        const connect_error_detail_t *detail = &error->details.items[i];
        memset(&any, 0, sizeof any);
        any.arena = arena;
        url = connect_arena_printf(arena, "type.googleapis.com/" CONNECT_STR_FMT, CONNECT_STR_ARG(detail->type));
        connect_writer_put(&any, 1, CONNECT_KIND_STRING, &url);
        connect_writer_put(&any, 2, CONNECT_KIND_BYTES, &detail->value);
        if (!url.data || any.failed) return cn_str(NULL, 0);
        connect_writer_put(&status, 3, CONNECT_KIND_MESSAGE, &any.written);
    }
    return status.failed ? cn_str(NULL, 0) : connect_base64_encode(status.written, arena);
}

static bool cn_error_read_any(connect_error_t *error, connect_str_t bytes, connect_arena_t *arena) {
    connect_reader_t reader = CONNECT_DEFAULTS;
    connect_record_t record;
    connect_str_t url = {"", 0}, value = {"", 0};
    bool ok = true;
    reader.rest = bytes;
    while (ok && connect_reader_next(&reader, &record)) {
        if (record.number == 1) ok = connect_record_get(&record, CONNECT_KIND_STRING, &url);
        if (record.number == 2) ok = connect_record_get(&record, CONNECT_KIND_BYTES, &value);
    }
    return ok && !reader.failed && cn_error_add_detail(error, arena, cn_error_type_name(url), value);
}

CN_PRIVATE bool cn_error_read_details_bin(connect_error_t *error, connect_str_t value, connect_arena_t *arena) {
    connect_reader_t reader = CONNECT_DEFAULTS;
    connect_record_t record;
    connect_str_t any;
    int32_t code = 0;
    bool ok = true;
    memset(error, 0, sizeof *error);
    error->message = CN_STR("");
    error->from_peer = true;
    reader.rest = connect_base64_decode(cn_str_trim(value), arena);
    if (!reader.rest.data) return false;
    while (ok && connect_reader_next(&reader, &record)) {
        if (record.number == 1) ok = connect_record_get(&record, CONNECT_KIND_INT32, &code);
        if (record.number == 2) {
            ok = connect_record_get(&record, CONNECT_KIND_STRING, &error->message);
            if (ok) error->message = connect_arena_copy(arena, error->message);
            ok = ok && error->message.data;
        }
        if (record.number == 3)
            ok = connect_record_get(&record, CONNECT_KIND_MESSAGE, &any) && cn_error_read_any(error, any, arena);
    }
    error->code = (connect_code_t)code;
    return ok && !reader.failed;
}

CN_PRIVATE bool cn_error_copy(connect_error_t *to, const connect_error_t *from, connect_arena_t *arena) {
    connect_header_t *headers = CONNECT_NEW(arena, connect_header_t, from->metadata.count + 1);
    size_t i;
    bool ok = headers != NULL;
    *to = *from;
    to->message = connect_arena_copy(arena, from->message);
    ok = ok && to->message.data;
    to->details.items = NULL;
    to->details.count = 0;
    for (i = 0; ok && i < from->details.count; i++)
        ok = cn_error_add_detail(to, arena, from->details.items[i].type, from->details.items[i].value);
    for (i = 0; ok && i < from->metadata.count; i++) {
        headers[i].name = connect_arena_copy(arena, connect_str_of(from->metadata.items[i].name)).data;
        headers[i].value = connect_arena_copy(arena, from->metadata.items[i].value);
        ok = headers[i].name && headers[i].value.data;
    }
    to->metadata.items = headers;
    to->metadata.count = ok ? from->metadata.count : 0;
    if (!to->message.data) to->message = CN_STR("out of memory");
    return ok;
}

bool connect_error_find(
    const connect_error_t *error, const connect_type_t *type, void *message, connect_arena_t *arena) {
    size_t i;
    for (i = 0; i < error->details.count; i++)
        if (connect_str_equal(error->details.items[i].type, connect_str_of(type->full_name)))
            return connect_message_decode(type, message, error->details.items[i].value, arena, NULL, NULL);
    return false;
}

/* #### src/protocol/protocol.h ##################################################################################### */
/* What a call is to its protocol, at either end. Four protocols: Connect's unary form and its streams have nothing in
   common but names, so they are two. */

typedef struct cn_protocol_t cn_protocol_t;
typedef struct cn_rpc_t {
    const cn_protocol_t *protocol;
    const connect_method_t *method;
    cn_exchange_t *x;
    connect_arena_t *arena;
    const connect_allocator_t *allocator;
    const connect_limits_t *limits;
    bool free_choice;                                      /* server: the client may choose the compression */
    bool json;                                             /* the codec: proto or json */
    bool require_version;                                  /* server: Connect-Protocol-Version must be there */
    bool get;                                              /* a Connect GET: the request is in the URL */
    bool list_codings;                                     /* server: the answer tells what it accepts */
    cn_codings_t *codings;                                 /* what this end knows; below, NULL is identity */
    const cn_coding_t *coding_received;                    /* as the other end announced it */
    const cn_coding_t *coding_announced, *coding_sent;     /* by this end; and for the next message: this, or none */
    const cn_coding_t *coding_body;                        /* of a bare body that waits to be sent */
    connect_str_t peer_accepts;                            /* server: the client's list; absent: none came */
    connect_str_t query, message;                          /* server: of a GET, undecoded; and the request out of it */
    int64_t timeout_ms;                                    /* server: as read; client: to be sent. CN_TIMEOUT_NONE */
    cn_headers_t headers, trailers;                        /* metadata that this end sends */
    connect_headers_t received_headers, received_trailers; /* metadata of the other end */
    connect_error_t error;                                 /* the outcome; code OK: none yet, or success */
    bool error_body;                                       /* client, Connect unary: the body is an error object */
    bool received_body;                                    /* client: at least one byte of it */
    bool ended;                                            /* client: the END_STREAM or trailer envelope was read */
} cn_rpc_t;

/* Functions that return false have set rpc->error; what may only run out of memory says so by RESOURCE_EXHAUSTED. */
struct cn_protocol_t {
    connect_protocol_t id;
    bool enveloped;
    uint8_t end_flag; /* of the envelope that ends a response; 0: HTTP trailers or nothing do */
    /* Server: reads what the request's headers say of timeout, compression and version. */
    bool (*server_open)(cn_rpc_t *rpc);
    /* Server: fills in the response's head. rpc->error: where the status depends on it, it is known already. */
    bool (*server_head)(cn_rpc_t *rpc, cn_head_t *head);
    /* Server: what follows the messages: appended to x->out, or HTTP trailers. For an error, too. */
    bool (*server_end)(cn_rpc_t *rpc, connect_headers_t *trailers);
    /* Client: fills in the request's head, but for method, path and authority. */
    bool (*client_head)(cn_rpc_t *rpc, cn_head_t *head);
    /* Client: checks the response's head. False: rpc->error is the outcome, the body is of no interest. */
    bool (*client_open)(cn_rpc_t *rpc);
    /* Client: reads the payload of the envelope with end_flag. */
    bool (*client_end_envelope)(cn_rpc_t *rpc, connect_str_t payload);
    /* Client: the response is whole. False: rpc->error is the outcome. body: of a protocol without envelopes. */
    bool (*client_end)(cn_rpc_t *rpc, connect_str_t body);
};

enum { CN_PROTOCOL_NO_CONNECT = 1, CN_PROTOCOL_NO_GRPC = 2, CN_PROTOCOL_NO_GRPC_WEB = 4, CN_PROTOCOL_NO_JSON = 8 };

/* The protocol of a request by its content type and its method; NULL: unsupported media type. without: bits of what the
   server does not speak. */
CN_PRIVATE const cn_protocol_t *cn_protocol_recognise(
    connect_str_t content_type, const connect_method_t *method, unsigned without, bool *json);
/* The protocol of a GET; NULL: as above. query: of its URL. */
CN_PRIVATE const cn_protocol_t *cn_protocol_recognise_get(
    connect_str_t query, connect_arena_t *arena, unsigned without, bool *json);
/* The content types that a method takes, for Accept-Post; in the arena. */
CN_PRIVATE connect_str_t cn_protocol_accept_post(
    connect_arena_t *arena, const connect_method_t *method, unsigned without);
/* The protocol of a client's call; NULL: not in this build. */
CN_PRIVATE const cn_protocol_t *cn_protocol_of(connect_protocol_t id, const connect_method_t *method);

/* What the protocols share. */
/* A media type without parameters but charset=utf-8; "" if it has others. */
CN_PRIVATE connect_str_t cn_protocol_media_type(connect_str_t content_type);
/* Takes the compression that the other end names. where: for the refusal, whose code is given. */
CN_PRIVATE bool cn_protocol_set_received(cn_rpc_t *rpc, connect_str_t name, const char *where, connect_code_t code);
/* Client: takes the compression that a header of the response names. */
CN_PRIVATE bool cn_protocol_check_response(cn_rpc_t *rpc, const char *header);
/* Server: takes the request's compression, by its name, and chooses the response's by a header. Before it is called
   coding_sent is what the server was told to use; `free_choice`: nothing. */
CN_PRIVATE bool cn_protocol_negotiate(cn_rpc_t *rpc, connect_str_t name, const char *where, const char *accept_header);
/* Server: tells whether the client takes responses of this compression. */
CN_PRIVATE bool cn_protocol_peer_takes(const cn_rpc_t *rpc, const cn_coding_t *coding);
/* Puts the header that announces the compression of enveloped messages, and what is accepted: a client always, a
   server with a refusal. */
CN_PRIVATE bool cn_protocol_put_codings(
    cn_rpc_t *rpc, cn_headers_t *headers, const char *name, const char *accept_name, bool is_server);
/* Sets rpc->error to RESOURCE_EXHAUSTED, and returns false. */
CN_PRIVATE bool cn_protocol_memory(cn_rpc_t *rpc);
/* Copies the metadata this end sends behind `headers`. */
CN_PRIVATE bool cn_protocol_put_all(cn_rpc_t *rpc, cn_headers_t *headers, const cn_headers_t *metadata);
/* Sets head's header list. */
CN_PRIVATE void cn_protocol_set_head(cn_head_t *head, const cn_headers_t *headers);

/* #### src/protocol/protocol.c ##################################################################################### */
/* What the protocols share: media types, the compression header, lists of headers.

   Media types compare in any case; `charset=utf-8` is passed over, any other parameter makes a type unknown. */

CN_PRIVATE connect_str_t cn_protocol_media_type(connect_str_t content_type) {
    connect_str_t rest = content_type, type, parameter;
    if (!cn_str_split(&rest, ';', &type)) return CN_STR("");
    while (cn_str_split(&rest, ';', &parameter)) {
        connect_str_t name;
        parameter = cn_str_trim(parameter);
        if (parameter.len == 0) continue;
        if (!cn_str_split(&parameter, '=', &name) || !cn_str_equal_nocase(name, CN_STR("charset"))) return CN_STR("");
        if (!cn_str_equal_nocase(parameter, CN_STR("utf-8")) && !cn_str_equal_nocase(parameter, CN_STR("\"utf-8\"")))
            return CN_STR("");
    }
    return cn_str_trim(type);
}

CN_PRIVATE bool cn_protocol_set_received(cn_rpc_t *rpc, connect_str_t name, const char *where, connect_code_t code) {
    const cn_coding_t *coding;
    name = name.len ? cn_str_trim(name) : name;
    if (name.len == 0 || cn_str_equal_nocase(name, CN_STR("identity"))) return true;
    coding = cn_codings_find(rpc->codings, name);
    if (coding && coding->accepted) {
        rpc->coding_received = coding;
        return true;
    }
    return cn_error_print(&rpc->error, rpc->arena, code,
        "unknown compression \"%s\" in %s: supported are " CONNECT_STR_FMT "%sidentity",
        cn_str_quote(rpc->arena, name).data, where, CONNECT_STR_ARG(rpc->codings->accept),
        rpc->codings->accept.len ? ", " : "");
}

CN_PRIVATE bool cn_protocol_check_response(cn_rpc_t *rpc, const char *header) {
    return cn_protocol_set_received(rpc, cn_headers_find(&rpc->x->headers, header), header, CONNECT_INTERNAL);
}

CN_PRIVATE bool cn_protocol_negotiate(cn_rpc_t *rpc, connect_str_t name, const char *where, const char *accept_header) {
    const cn_coding_t *chosen;
    rpc->peer_accepts = cn_headers_find(&rpc->x->headers, accept_header);
    if (!cn_protocol_set_received(rpc, name, where, CONNECT_UNIMPLEMENTED)) {
        rpc->list_codings = true;
        return false;
    }
    chosen = rpc->free_choice ? rpc->coding_received : rpc->coding_sent;
    if (chosen && !cn_protocol_peer_takes(rpc, chosen)) chosen = NULL;
    if (!chosen && rpc->free_choice && rpc->peer_accepts.data)
        chosen = cn_codings_first_of_list(rpc->codings, rpc->peer_accepts);
    rpc->coding_announced = rpc->coding_sent = chosen;
    return true;
}

CN_PRIVATE bool cn_protocol_peer_takes(const cn_rpc_t *rpc, const cn_coding_t *coding) {
    return rpc->peer_accepts.data ? cn_coding_in_list(coding, rpc->peer_accepts) : coding == rpc->coding_received;
}

CN_PRIVATE bool cn_protocol_put_codings(
    cn_rpc_t *rpc, cn_headers_t *headers, const char *name, const char *accept_name, bool is_server) {
    const bool lists = is_server ? rpc->list_codings : rpc->codings->accept.len != 0;
    if (rpc->coding_announced && rpc->error.code == CONNECT_OK &&
        !cn_headers_put(headers, rpc->arena, name, connect_str_of(rpc->coding_announced->name)))
        return false;
    return !lists ||
        cn_headers_put(
            headers, rpc->arena, accept_name, rpc->codings->accept.len ? rpc->codings->accept : CN_STR("identity"));
}

CN_PRIVATE bool cn_protocol_memory(cn_rpc_t *rpc) {
    return cn_error_memory(&rpc->error);
}

CN_PRIVATE bool cn_protocol_put_all(cn_rpc_t *rpc, cn_headers_t *headers, const cn_headers_t *metadata) {
    size_t i;
    for (i = 0; i < metadata->count; i++)
        if (!cn_headers_put(headers, rpc->arena, metadata->items[i].name, metadata->items[i].value))
            return cn_protocol_memory(rpc);
    return true;
}

CN_PRIVATE void cn_protocol_set_head(cn_head_t *head, const cn_headers_t *headers) {
    head->headers = headers->items;
    head->header_count = headers->count;
}

/* #### src/protocol/connect.h ###################################################################################### */
CN_PRIVATE const cn_protocol_t *cn_connect_unary_protocol(void);
CN_PRIVATE const cn_protocol_t *cn_connect_get_protocol(void);
/* A parameter of a query, decoded; the absent view: it is not there. Returns false: out of memory, or it does not
   decode. */
CN_PRIVATE bool cn_connect_get_parameter(
    connect_str_t query, connect_str_t name, connect_arena_t *arena, connect_str_t *value);
CN_PRIVATE const cn_protocol_t *cn_connect_stream_protocol(void);

/* #### src/protocol/connect.c ###################################################################################### */
/* The Connect protocol.

   Unary (Connect "Unary-Request", "Unary-Response"): POST with a bare message; 200 and a bare message of the same
   content type, or the status of an error's code and an error object in application/json. Trailing metadata are headers
   with `trailer-` before their names.

   Streams (Connect "Streaming-RPCs"): POST with enveloped messages of application/connect+<codec>; always 200 once the
   request is recognised; the response ends with an envelope of flag 0x02 that holds the END_STREAM object. No HTTP
   trailers ever.

   GET (Connect "Unary-Get-Request"), for unary methods without side effects: the request is in the query, with nothing
   of it in headers but timeout and accept-encoding:

     connect      v1; absent is as good, unless the server requires it
     base64       1: message is base64url. Any other value means nothing
     compression  of the decoded message; an empty one is never expanded
     encoding     proto or json; else 415
     message      required, percent-encoded; + is a space

   Written in this order, so that caches see one URL for one request; read in any, the first of a name counts. The
   message goes as text if it is JSON and not compressed, else as base64url without padding. A URL over
   limits.url_bytes makes the request a POST.

   Read by the server: Connect-Protocol-Version ("1", or absent), Connect-Timeout-Ms, content-encoding (unary) and
   connect-content-encoding (streams). The order of refusals: compression, version, timeout. */

static const char cn_connect_trailer_prefix[] = "trailer-";

/* ---- Server ---- */

static bool cn_connect_read_timeout(cn_rpc_t *rpc) {
    connect_str_t timeout = cn_headers_find(&rpc->x->headers, "connect-timeout-ms");
    return !timeout.data || cn_timeout_read_connect(timeout, &rpc->timeout_ms) ||
        cn_error_print(&rpc->error, rpc->arena, CONNECT_INVALID_ARGUMENT,
            "connect-timeout-ms must be 1 to 10 digits, not \"%s\"", cn_str_quote(rpc->arena, timeout).data);
}

static bool cn_connect_server_open_with(cn_rpc_t *rpc, const char *encoding_header, const char *accept_header) {
    connect_str_t version = cn_headers_find(&rpc->x->headers, "connect-protocol-version");
    connect_str_t encoding = cn_headers_find(&rpc->x->headers, encoding_header);
    if (!cn_protocol_negotiate(rpc, encoding, encoding_header, accept_header)) return false;
    if (!version.data && rpc->require_version)
        return cn_error_set(
            &rpc->error, CONNECT_INVALID_ARGUMENT, "missing required header: set connect-protocol-version to \"1\"");
    if (version.data && !connect_str_equal(version, CN_STR("1")))
        return cn_error_print(&rpc->error, rpc->arena, CONNECT_INVALID_ARGUMENT,
            "connect-protocol-version must be \"1\", not \"%s\"", cn_str_quote(rpc->arena, version).data);
    return cn_connect_read_timeout(rpc);
}

static bool cn_connect_unary_server_open(cn_rpc_t *rpc) {
    return cn_connect_server_open_with(rpc, "content-encoding", "accept-encoding");
}

static bool cn_connect_stream_server_open(cn_rpc_t *rpc) {
    return cn_connect_server_open_with(rpc, "connect-content-encoding", "connect-accept-encoding");
}

/* The next parameter of a query; value: not decoded. */
static bool cn_connect_get_next(connect_str_t *query, connect_str_t *name, connect_str_t *value) {
    connect_str_t part;
    while (cn_str_split(query, '&', &part)) {
        if (part.len == 0) continue;
        cn_str_split(&part, '=', name);
        *value = part.data ? part : CN_STR("");
        return true;
    }
    return false;
}

CN_PRIVATE bool cn_connect_get_parameter(
    connect_str_t query, connect_str_t name, connect_arena_t *arena, connect_str_t *value) {
    connect_str_t found, text;
    size_t i;
    *value = cn_str(NULL, 0);
    while (cn_connect_get_next(&query, &found, &text)) {
        if (!connect_str_equal(found, name)) continue;
        for (i = 0; i < text.len; i++)
            if (text.data[i] == '%' && !cn_percent_escape_valid(cn_str(text.data + i, text.len - i))) return false;
        *value = cn_percent_decode(arena, text, true);
        return value->data != NULL;
    }
    return true;
}

static bool cn_connect_get_read(cn_rpc_t *rpc, connect_str_t name, connect_str_t *value) {
    return cn_connect_get_parameter(rpc->query, name, rpc->arena, value) ||
        (rpc->arena->failed
                ? cn_protocol_memory(rpc)
                : cn_error_print(&rpc->error, rpc->arena, CONNECT_INVALID_ARGUMENT,
                      "the parameter " CONNECT_STR_FMT " of the URL has a bad percent escape", CONNECT_STR_ARG(name)));
}

static bool cn_connect_get_server_open(cn_rpc_t *rpc) {
    connect_str_t compression, version, base64, message;
    if (!cn_connect_get_read(rpc, CN_STR("compression"), &compression) ||
        !cn_protocol_negotiate(rpc, compression, "the URL's compression", "accept-encoding") ||
        !cn_connect_get_read(rpc, CN_STR("connect"), &version) ||
        !cn_connect_get_read(rpc, CN_STR("base64"), &base64) || !cn_connect_get_read(rpc, CN_STR("message"), &message))
        return false;
    if (version.len == 0 && rpc->require_version)
        return cn_error_set(&rpc->error, CONNECT_INVALID_ARGUMENT, "missing required parameter: set connect to \"v1\"");
    if (version.len && !connect_str_equal(version, CN_STR("v1")))
        return cn_error_print(&rpc->error, rpc->arena, CONNECT_INVALID_ARGUMENT,
            "the parameter connect of the URL must be \"v1\", not \"%s\"", cn_str_quote(rpc->arena, version).data);
    if (!message.data) return cn_error_set(&rpc->error, CONNECT_INVALID_ARGUMENT, "the URL has no parameter message");
    if (connect_str_equal(base64, CN_STR("1"))) {
        message = connect_base64_decode(message, rpc->arena);
        if (!message.data)
            return rpc->arena->failed
                ? cn_protocol_memory(rpc)
                : cn_error_set(&rpc->error, CONNECT_INVALID_ARGUMENT, "the URL's message is not valid base64");
    }
    rpc->message = message;
    return cn_connect_read_timeout(rpc);
}

static bool cn_connect_unary_server_head(cn_rpc_t *rpc, cn_head_t *head) {
    cn_headers_t headers;
    bool failed = rpc->error.code != CONNECT_OK, ok;
    size_t i;
    memset(&headers, 0, sizeof headers);
    head->status = failed ? cn_code_to_http(rpc->error.code) : 200;
    ok = cn_headers_put(&headers, rpc->arena, "content-type",
        rpc->json || failed ? CN_STR("application/json") : CN_STR("application/proto"));
    if (ok && !failed && rpc->coding_body)
        ok = cn_headers_put(&headers, rpc->arena, "content-encoding", connect_str_of(rpc->coding_body->name));
    if (ok && rpc->list_codings)
        ok = cn_headers_put(&headers, rpc->arena, "accept-encoding",
            rpc->codings->accept.len ? rpc->codings->accept : CN_STR("identity"));
    if (ok && rpc->get) ok = cn_headers_put(&headers, rpc->arena, "vary", CN_STR("accept-encoding"));
    if (!ok || !cn_protocol_put_all(rpc, &headers, &rpc->headers)) return cn_protocol_memory(rpc);
    for (i = 0; i < rpc->trailers.count; i++) {
        connect_str_t name =
            connect_arena_printf(rpc->arena, "%s%s", cn_connect_trailer_prefix, rpc->trailers.items[i].name);
        if (!name.data || !cn_headers_put(&headers, rpc->arena, name.data, rpc->trailers.items[i].value))
            return cn_protocol_memory(rpc);
    }
    cn_protocol_set_head(head, &headers);
    return true;
}

static bool cn_connect_unary_server_end(cn_rpc_t *rpc, connect_headers_t *trailers) {
    (void)trailers;
    if (rpc->error.code == CONNECT_OK) return true;
    cn_buf_clear(&rpc->x->out);
    return cn_error_write_json(&rpc->x->out, rpc->allocator, rpc->arena, &rpc->error) || cn_protocol_memory(rpc);
}

static bool cn_connect_stream_server_head(cn_rpc_t *rpc, cn_head_t *head) {
    cn_headers_t headers;
    memset(&headers, 0, sizeof headers);
    head->status = 200;
    if (!cn_headers_put(&headers, rpc->arena, "content-type",
            rpc->json ? CN_STR("application/connect+json") : CN_STR("application/connect+proto")) ||
        !cn_protocol_put_codings(rpc, &headers, "connect-content-encoding", "connect-accept-encoding", true) ||
        !cn_protocol_put_all(rpc, &headers, &rpc->headers))
        return cn_protocol_memory(rpc);
    cn_protocol_set_head(head, &headers);
    return true;
}

static bool cn_connect_stream_server_end(cn_rpc_t *rpc, connect_headers_t *trailers) {
    cn_buf_t *out = &rpc->x->out;
    size_t before = cn_buf_len(out);
    char head[CN_ENVELOPE_HEAD] = {0};
    (void)trailers;
    if (!cn_buf_append(out, rpc->allocator, head, sizeof head) ||
        !cn_error_write_end_stream(out, rpc->allocator, rpc->arena, &rpc->error, cn_headers_view(&rpc->trailers))) {
        cn_buf_truncate(out, before);
        return cn_protocol_memory(rpc);
    }
    cn_envelope_write(out->block + out->start + before, CN_ENVELOPE_END_STREAM,
        (uint32_t)(cn_buf_len(out) - before - CN_ENVELOPE_HEAD));
    return true;
}

/* ---- Client ---- */

/* The URL of a GET, or the absent view: too long, or out of memory. */
static connect_str_t cn_connect_get_url(cn_rpc_t *rpc, connect_str_t path, connect_str_t message) {
    const bool text = rpc->json && !rpc->coding_body;
    const size_t limit = rpc->limits->url_bytes;
    const char *compression = rpc->coding_body ? rpc->coding_body->name : "";
    connect_str_t value, url = {NULL, 0};
    size_t i;
    char *to;
    if (path.len >= limit || message.len >= limit) return url;
    if (text) {
        value = cn_percent_encode_query(rpc->arena, message);
    } else {
        value.len = cn_base64_encoded_len(message.len, false);
        value.data = to = (char *)cn_arena_raw(rpc->arena, value.len + 1);
        if (to) cn_base64_encode(to, message, false);
        for (i = 0; to && i < value.len; i++)
            to[i] = to[i] == '+' ? '-' : to[i] == '/' ? '_' : to[i];
    }
    if (!value.data) return url;
    url = connect_arena_printf(rpc->arena, CONNECT_STR_FMT "?connect=v1%s%s%s&encoding=%s&message=" CONNECT_STR_FMT,
        CONNECT_STR_ARG(path), text ? "" : "&base64=1", rpc->coding_body ? "&compression=" : "", compression,
        rpc->json ? "json" : "proto", CONNECT_STR_ARG(value));
    if (url.len + sizeof "GET  HTTP/1.1" > limit) url.data = NULL;
    return url;
}

static bool cn_connect_client_head_with(cn_rpc_t *rpc, cn_head_t *head, connect_str_t content_type, bool is_stream) {
    cn_headers_t headers;
    bool ok;
    memset(&headers, 0, sizeof headers);
    ok = rpc->get ||
        (cn_headers_put(&headers, rpc->arena, "content-type", content_type) &&
            cn_headers_put(&headers, rpc->arena, "connect-protocol-version", CN_STR("1")));
    if (ok && is_stream)
        ok = cn_headers_put(&headers, rpc->arena, "accept-encoding", CN_STR("identity")) &&
            cn_protocol_put_codings(rpc, &headers, "connect-content-encoding", "connect-accept-encoding", false);
    if (ok && !is_stream && rpc->coding_body && !rpc->get)
        ok = cn_headers_put(&headers, rpc->arena, "content-encoding", connect_str_of(rpc->coding_body->name));
    if (ok && !is_stream && rpc->codings->accept.len)
        ok = cn_headers_put(&headers, rpc->arena, "accept-encoding", rpc->codings->accept);
    if (ok && rpc->timeout_ms != CN_TIMEOUT_NONE) {
        connect_str_t timeout = cn_timeout_write_connect(rpc->arena, rpc->timeout_ms);
        ok = timeout.data && cn_headers_put(&headers, rpc->arena, "connect-timeout-ms", timeout);
    }
    if (ok && !cn_headers_find(&rpc->headers, "user-agent").data)
        ok = cn_headers_put(&headers, rpc->arena, "user-agent", CN_STR("connect-c/" CONNECT_VERSION_STRING));
    if (!ok || !cn_protocol_put_all(rpc, &headers, &rpc->headers)) return cn_protocol_memory(rpc);
    cn_protocol_set_head(head, &headers);
    return true;
}

static bool cn_connect_unary_client_head(cn_rpc_t *rpc, cn_head_t *head) {
    if (rpc->get) {
        connect_str_t url = cn_connect_get_url(rpc, head->path, cn_buf_view(&rpc->x->out));
        if (!url.data && rpc->arena->failed) return cn_protocol_memory(rpc);
        rpc->get = url.data != NULL;
        if (rpc->get) {
            head->method = CN_STR("GET");
            head->path = url;
            head->content_length = -1;
            cn_buf_clear(&rpc->x->out);
        }
    }
    return cn_connect_client_head_with(
        rpc, head, rpc->json ? CN_STR("application/json") : CN_STR("application/proto"), false);
}

static bool cn_connect_stream_client_head(cn_rpc_t *rpc, cn_head_t *head) {
    return cn_connect_client_head_with(
        rpc, head, rpc->json ? CN_STR("application/connect+json") : CN_STR("application/connect+proto"), true);
}

/* Headers whose names begin with `trailer-` are trailing metadata; the others are leading. */
static bool cn_connect_unary_split_metadata(cn_rpc_t *rpc) {
    const cn_headers_t *all = &rpc->x->headers;
    cn_headers_t headers, trailers;
    size_t i;
    memset(&headers, 0, sizeof headers);
    memset(&trailers, 0, sizeof trailers);
    for (i = 0; i < all->count; i++) {
        const char *name = all->items[i].name;
        bool is_trailer = strncmp(name, cn_connect_trailer_prefix, sizeof cn_connect_trailer_prefix - 1) == 0;
        if (is_trailer) name += sizeof cn_connect_trailer_prefix - 1;
        if (!cn_headers_put(is_trailer ? &trailers : &headers, rpc->arena, name, all->items[i].value))
            return cn_protocol_memory(rpc);
    }
    rpc->received_headers = cn_headers_view(&headers);
    rpc->received_trailers = cn_headers_view(&trailers);
    return true;
}

static bool cn_connect_fail_by_status(cn_rpc_t *rpc) {
    return cn_error_print(&rpc->error, rpc->arena, cn_code_from_http(rpc->x->status),
        "the server answered with HTTP status %d", rpc->x->status);
}

/* A response of another type than asked for: another codec is the server's fault, another type altogether is
   something else that answers. */
static bool cn_connect_fail_by_type(cn_rpc_t *rpc, connect_str_t type, connect_str_t prefix) {
    connect_code_t code = cn_str_starts(type, prefix) ? CONNECT_INTERNAL : CONNECT_UNKNOWN;
    return cn_error_print(&rpc->error, rpc->arena, code, "unexpected content type \"%s\" in the response",
        cn_str_quote(rpc->arena, type).data);
}

static bool cn_connect_unary_client_open(cn_rpc_t *rpc) {
    connect_str_t content_type = cn_headers_find(&rpc->x->headers, "content-type");
    connect_str_t type = cn_protocol_media_type(content_type);
    if (!cn_connect_unary_split_metadata(rpc)) return false;
    if (rpc->x->status != 200) {
        rpc->error_body = cn_str_equal_nocase(type, CN_STR("application/json"));
        return rpc->error_body ? cn_protocol_check_response(rpc, "content-encoding") : cn_connect_fail_by_status(rpc);
    }
    if (!cn_str_equal_nocase(type, rpc->json ? CN_STR("application/json") : CN_STR("application/proto")))
        return cn_connect_fail_by_type(rpc, content_type, CN_STR("application/"));
    if (rpc->x->until_eof)
        return cn_error_set(&rpc->error, CONNECT_INTERNAL, "the response has no length: a cut would go unnoticed");
    return cn_protocol_check_response(rpc, "content-encoding");
}

static bool cn_connect_stream_client_open(cn_rpc_t *rpc) {
    connect_str_t content_type = cn_headers_find(&rpc->x->headers, "content-type");
    connect_str_t type = cn_protocol_media_type(content_type);
    rpc->received_headers = cn_headers_view(&rpc->x->headers);
    if (rpc->x->status != 200) return cn_connect_fail_by_status(rpc);
    if (!cn_str_equal_nocase(
            type, rpc->json ? CN_STR("application/connect+json") : CN_STR("application/connect+proto")))
        return cn_connect_fail_by_type(rpc, content_type, CN_STR("application/connect+"));
    return cn_protocol_check_response(rpc, "connect-content-encoding");
}

static bool cn_connect_stream_client_end_envelope(cn_rpc_t *rpc, connect_str_t payload) {
    rpc->ended = true;
    if (!cn_error_read_end_stream(&rpc->error, &rpc->received_trailers, payload, rpc->limits, rpc->arena))
        return cn_error_set(&rpc->error, CONNECT_INTERNAL, "the END_STREAM message of the response is malformed");
    return rpc->error.code == CONNECT_OK;
}

static bool cn_connect_unary_client_end(cn_rpc_t *rpc, connect_str_t body) {
    if (!rpc->error_body) return true;
    if (cn_error_read_json(&rpc->error, body, cn_code_from_http(rpc->x->status), rpc->arena)) return false;
    return cn_connect_fail_by_status(rpc);
}

static bool cn_connect_stream_client_end(cn_rpc_t *rpc, connect_str_t body) {
    (void)body;
    if (rpc->ended) return rpc->error.code == CONNECT_OK;
    return cn_error_set(&rpc->error, CONNECT_INTERNAL, "the response ended without an END_STREAM message");
}

CN_PRIVATE const cn_protocol_t *cn_connect_unary_protocol(void) {
    static const cn_protocol_t protocol = {CONNECT_PROTOCOL_CONNECT, false, 0, cn_connect_unary_server_open,
        cn_connect_unary_server_head, cn_connect_unary_server_end, cn_connect_unary_client_head,
        cn_connect_unary_client_open, NULL, cn_connect_unary_client_end};
    return &protocol;
}

CN_PRIVATE const cn_protocol_t *cn_connect_get_protocol(void) {
    static const cn_protocol_t protocol = {CONNECT_PROTOCOL_CONNECT, false, 0, cn_connect_get_server_open,
        cn_connect_unary_server_head, cn_connect_unary_server_end, NULL, NULL, NULL, NULL};
    return &protocol;
}

CN_PRIVATE const cn_protocol_t *cn_connect_stream_protocol(void) {
    static const cn_protocol_t protocol = {CONNECT_PROTOCOL_CONNECT, true, CN_ENVELOPE_END_STREAM,
        cn_connect_stream_server_open, cn_connect_stream_server_head, cn_connect_stream_server_end,
        cn_connect_stream_client_head, cn_connect_stream_client_open, cn_connect_stream_client_end_envelope,
        cn_connect_stream_client_end};
    return &protocol;
}

/* #### src/protocol/grpc.h ######################################################################################### */
#if CONNECT_ENABLE_GRPC
CN_PRIVATE const cn_protocol_t *cn_grpc_protocol(void);
#endif
/* What gRPC-Web shares with it: the status as headers, and the reverse. */
CN_PRIVATE bool cn_grpc_write_status(cn_rpc_t *rpc, cn_headers_t *trailers);
CN_PRIVATE bool cn_grpc_read_status(cn_rpc_t *rpc, const cn_headers_t *trailers, bool trailers_came);
CN_PRIVATE bool cn_grpc_server_open(cn_rpc_t *rpc);
CN_PRIVATE bool cn_grpc_client_open(cn_rpc_t *rpc, connect_str_t bare_type);
CN_PRIVATE bool cn_grpc_server_head(cn_rpc_t *rpc, cn_head_t *head, const char *proto_type, const char *json_type);

/* #### src/protocol/grpc.c ######################################################################################### */
/* gRPC over HTTP/2 ("gRPC over HTTP2", PROTOCOL-HTTP2). Request: POST, content-type application/grpc[+proto|+json],
   te: trailers, enveloped messages. Response: 200, enveloped messages, then HTTP trailers with grpc-status (0 to 16,
   always there), grpc-message (percent-encoded) and grpc-status-details-bin. A response without messages and without
   leading metadata may be one block of headers ("Trailers-Only"): the call layer does that, by adding the trailers to
   the head. Read by a client: trailers; or, if neither a byte of body nor trailers came, the headers in their place.
   A grpc-status in the headers of any other response means nothing. Status missing: UNKNOWN if there were trailers,
   else INTERNAL; not a number, above 16, or there twice: UNKNOWN. Where grpc-status-details-bin is there, its code
   and message win; undecodable: INTERNAL.

   grpc-message is cut to CN_GRPC_MESSAGE_MAX bytes, so that the block of trailers stays below what peers accept. */

#define CN_GRPC_MESSAGE_MAX 4096u
#define CN_GRPC_DETAILS_MAX 8192u /* characters of base64; longer ones would break the block: details are left out */

static const connect_str_t cn_grpc_digits[] = {{"0", 1}, {"1", 1}, {"2", 1}, {"3", 1}, {"4", 1}, {"5", 1}, {"6", 1},
    {"7", 1}, {"8", 1}, {"9", 1}, {"10", 2}, {"11", 2}, {"12", 2}, {"13", 2}, {"14", 2}, {"15", 2}, {"16", 2}};

CN_PRIVATE bool cn_grpc_write_status(cn_rpc_t *rpc, cn_headers_t *trailers) {
    const connect_error_t *error = &rpc->error;
    connect_code_t code = error->code == CONNECT_OK ? CONNECT_OK : cn_code_of_error(error->code);
    bool ok = cn_headers_put(trailers, rpc->arena, "grpc-status", cn_grpc_digits[code]);
    if (ok && code != CONNECT_OK && error->message.len) {
        connect_str_t text = cn_str(error->message.data, CN_MIN(error->message.len, CN_GRPC_MESSAGE_MAX));
        text = cn_percent_encode(rpc->arena, text);
        ok = text.data && cn_headers_put(trailers, rpc->arena, "grpc-message", text);
    }
    if (ok && code != CONNECT_OK && error->details.count) {
        connect_str_t details = cn_error_write_details_bin(rpc->arena, error);
        ok = details.data &&
            (details.len > CN_GRPC_DETAILS_MAX ||
                cn_headers_put(trailers, rpc->arena, "grpc-status-details-bin", details));
    }
    return (ok && cn_protocol_put_all(rpc, trailers, &rpc->trailers)) || cn_protocol_memory(rpc);
}

static bool cn_grpc_is_status_header(const char *name) {
    return strcmp(name, "grpc-status") == 0 || strcmp(name, "grpc-message") == 0 ||
        strcmp(name, "grpc-status-details-bin") == 0;
}

CN_PRIVATE bool cn_grpc_read_status(cn_rpc_t *rpc, const cn_headers_t *trailers, bool trailers_came) {
    connect_str_t status = cn_headers_find(trailers, "grpc-status");
    connect_str_t details = cn_headers_find(trailers, "grpc-status-details-bin");
    cn_headers_t metadata;
    uint64_t code;
    size_t i;
    size_t statuses = 0;
    memset(&metadata, 0, sizeof metadata);
    for (i = 0; i < trailers->count; i++)
        statuses += strcmp(trailers->items[i].name, "grpc-status") == 0;
    for (i = 0; i < trailers->count; i++)
        if (!cn_grpc_is_status_header(trailers->items[i].name) &&
            !cn_headers_put(&metadata, rpc->arena, trailers->items[i].name, trailers->items[i].value))
            return cn_protocol_memory(rpc);
    rpc->received_trailers = cn_headers_view(&metadata);
    if (!status.data)
        return cn_error_set(&rpc->error, trailers_came ? CONNECT_UNKNOWN : CONNECT_INTERNAL,
            trailers_came ? "the response's trailers have no grpc-status" : "the response ended without trailers");
    if (statuses > 1) return cn_error_set(&rpc->error, CONNECT_UNKNOWN, "the response has grpc-status twice");
    if (!cn_str_to_uint(cn_str_trim(status), 10, &code) || code > 16)
        return cn_error_print(&rpc->error, rpc->arena, CONNECT_UNKNOWN, "grpc-status is no code: \"%s\"",
            cn_str_quote(rpc->arena, status).data);
    if (code == 0) return true;
    if (details.data) {
        if (!cn_error_read_details_bin(&rpc->error, details, rpc->arena))
            return cn_error_set(&rpc->error, CONNECT_INTERNAL, "grpc-status-details-bin of the response is malformed");
        rpc->error.code = rpc->error.code == CONNECT_OK ? (connect_code_t)code : cn_code_of_error(rpc->error.code);
        return false;
    }
    cn_error_set(&rpc->error, (connect_code_t)code, "");
    rpc->error.message = cn_percent_decode(rpc->arena, cn_headers_find(trailers, "grpc-message"), false);
    if (!rpc->error.message.data) rpc->error.message = CN_STR("");
    rpc->error.from_peer = true;
    return false;
}

CN_PRIVATE bool cn_grpc_server_open(cn_rpc_t *rpc) {
    connect_str_t timeout = cn_headers_find(&rpc->x->headers, "grpc-timeout");
    connect_str_t encoding = cn_headers_find(&rpc->x->headers, "grpc-encoding");
    if (!cn_protocol_negotiate(rpc, encoding, "grpc-encoding", "grpc-accept-encoding")) return false;
    if (timeout.data && !cn_timeout_read_grpc(timeout, &rpc->timeout_ms))
        return cn_error_print(&rpc->error, rpc->arena, CONNECT_INVALID_ARGUMENT,
            "grpc-timeout must be 1 to 8 digits and a unit of HMSmun, not \"%s\"",
            cn_str_quote(rpc->arena, timeout).data);
    return true;
}

CN_PRIVATE bool cn_grpc_server_head(cn_rpc_t *rpc, cn_head_t *head, const char *proto_type, const char *json_type) {
    cn_headers_t headers;
    memset(&headers, 0, sizeof headers);
    head->status = 200;
    if (!cn_headers_put(&headers, rpc->arena, "content-type", connect_str_of(rpc->json ? json_type : proto_type)) ||
        !cn_protocol_put_codings(rpc, &headers, "grpc-encoding", "grpc-accept-encoding", true) ||
        !cn_protocol_put_all(rpc, &headers, &rpc->headers))
        return cn_protocol_memory(rpc);
    cn_protocol_set_head(head, &headers);
    return true;
}

CN_PRIVATE bool cn_grpc_client_open(cn_rpc_t *rpc, connect_str_t bare_type) {
    connect_str_t content_type = cn_headers_find(&rpc->x->headers, "content-type");
    connect_str_t type = cn_protocol_media_type(content_type), codec;
    rpc->received_headers = cn_headers_view(&rpc->x->headers);
    if (rpc->x->status != 200)
        return cn_error_print(&rpc->error, rpc->arena, cn_code_from_http(rpc->x->status),
            "the server answered with HTTP status %d", rpc->x->status);
    codec = cn_str_starts(type, bare_type) ? cn_str(type.data + bare_type.len, type.len - bare_type.len) : type;
    if (!connect_str_equal(codec, rpc->json ? CN_STR("+json") : CN_STR("+proto")) && (rpc->json || codec.len != 0)) {
        bool is_other_codec = cn_str_starts(type, bare_type) && (codec.len == 0 || codec.data[0] == '+');
        return cn_error_print(&rpc->error, rpc->arena, is_other_codec ? CONNECT_INTERNAL : CONNECT_UNKNOWN,
            "unexpected content type \"%s\" in the response", cn_str_quote(rpc->arena, content_type).data);
    }
    return cn_protocol_check_response(rpc, "grpc-encoding");
}

#if CONNECT_ENABLE_GRPC
static bool cn_grpc_protocol_server_head(cn_rpc_t *rpc, cn_head_t *head) {
    return cn_grpc_server_head(rpc, head, "application/grpc", "application/grpc+json");
}

static bool cn_grpc_server_end(cn_rpc_t *rpc, connect_headers_t *trailers) {
    cn_headers_t list;
    memset(&list, 0, sizeof list);
    if (!cn_grpc_write_status(rpc, &list)) return false;
    *trailers = cn_headers_view(&list);
    return true;
}

static bool cn_grpc_client_head(cn_rpc_t *rpc, cn_head_t *head) {
    cn_headers_t headers;
    bool ok;
    memset(&headers, 0, sizeof headers);
    ok = cn_headers_put(&headers, rpc->arena, "content-type",
             rpc->json ? CN_STR("application/grpc+json") : CN_STR("application/grpc")) &&
        cn_headers_put(&headers, rpc->arena, "te", CN_STR("trailers")) &&
        cn_protocol_put_codings(rpc, &headers, "grpc-encoding", "grpc-accept-encoding", false);
    if (ok && rpc->timeout_ms != CN_TIMEOUT_NONE) {
        connect_str_t timeout = cn_timeout_write_grpc(rpc->arena, rpc->timeout_ms);
        ok = timeout.data && cn_headers_put(&headers, rpc->arena, "grpc-timeout", timeout);
    }
    if (ok && !cn_headers_find(&rpc->headers, "user-agent").data)
        ok = cn_headers_put(&headers, rpc->arena, "user-agent", CN_STR("grpc-c-connect/" CONNECT_VERSION_STRING));
    if (!ok || !cn_protocol_put_all(rpc, &headers, &rpc->headers)) return cn_protocol_memory(rpc);
    cn_protocol_set_head(head, &headers);
    return true;
}

static bool cn_grpc_protocol_client_open(cn_rpc_t *rpc) {
    return cn_grpc_client_open(rpc, CN_STR("application/grpc"));
}

static bool cn_grpc_client_end(cn_rpc_t *rpc, connect_str_t body) {
    (void)body;
    if (rpc->x->trailers.count == 0 && !rpc->received_body) {
        bool only = cn_headers_find(&rpc->x->headers, "grpc-status").data != NULL;
        if (only) rpc->received_headers.count = 0;
        return cn_grpc_read_status(rpc, only ? &rpc->x->headers : &rpc->x->trailers, only);
    }
    return cn_grpc_read_status(rpc, &rpc->x->trailers, rpc->x->trailers.count != 0);
}

CN_PRIVATE const cn_protocol_t *cn_grpc_protocol(void) {
    static const cn_protocol_t protocol = {CONNECT_PROTOCOL_GRPC, true, 0, cn_grpc_server_open,
        cn_grpc_protocol_server_head, cn_grpc_server_end, cn_grpc_client_head, cn_grpc_protocol_client_open, NULL,
        cn_grpc_client_end};
    return &protocol;
}
#endif

/* #### src/protocol/grpcweb.h ###################################################################################### */
CN_PRIVATE const cn_protocol_t *cn_grpcweb_protocol(void);

/* #### src/protocol/grpcweb.c ###################################################################################### */
/* gRPC-Web ("PROTOCOL-WEB"): gRPC for what cannot read HTTP trailers, over HTTP/1.1 and HTTP/2. The response ends
   with an envelope of flag 0x80 whose payload is a block of HTTP/1 header lines: `name: value` CRLF, names in lower
   case, no empty line behind. A reader takes names in any case, spaces around values, LF alone, and a final empty
   line. A response without any body may have the status in its headers ("Trailers-Only"); ours never does. If there
   is an envelope of trailers, a grpc-status in the headers means nothing. */

static bool cn_grpcweb_server_head(cn_rpc_t *rpc, cn_head_t *head) {
    return cn_grpc_server_head(rpc, head, "application/grpc-web+proto", "application/grpc-web+json");
}

static bool cn_grpcweb_append(cn_rpc_t *rpc, const connect_header_t *header) {
    cn_buf_t *out = &rpc->x->out;
    return cn_buf_append(out, rpc->allocator, header->name, strlen(header->name)) &&
        cn_buf_append(out, rpc->allocator, ": ", 2) && cn_buf_append_str(out, rpc->allocator, header->value) &&
        cn_buf_append(out, rpc->allocator, "\r\n", 2);
}

static bool cn_grpcweb_server_end(cn_rpc_t *rpc, connect_headers_t *trailers) {
    cn_buf_t *out = &rpc->x->out;
    size_t before = cn_buf_len(out), i;
    char head[CN_ENVELOPE_HEAD] = {0};
    cn_headers_t list;
    bool ok;
    (void)trailers;
    memset(&list, 0, sizeof list);
    if (!cn_grpc_write_status(rpc, &list)) return false;
    ok = cn_buf_append(out, rpc->allocator, head, sizeof head);
    for (i = 0; ok && i < list.count; i++)
        ok = cn_grpcweb_append(rpc, &list.items[i]);
    if (!ok) {
        cn_buf_truncate(out, before);
        return cn_protocol_memory(rpc);
    }
    cn_envelope_write(out->block + out->start + before, CN_ENVELOPE_TRAILERS,
        (uint32_t)(cn_buf_len(out) - before - CN_ENVELOPE_HEAD));
    return true;
}

static bool cn_grpcweb_client_head(cn_rpc_t *rpc, cn_head_t *head) {
    static const connect_str_t agent = {
        "grpc-c-connect/" CONNECT_VERSION_STRING, sizeof "grpc-c-connect/" CONNECT_VERSION_STRING - 1};
    cn_headers_t headers;
    bool ok;
    memset(&headers, 0, sizeof headers);
    ok = cn_headers_put(&headers, rpc->arena, "content-type",
             rpc->json ? CN_STR("application/grpc-web+json") : CN_STR("application/grpc-web+proto")) &&
        cn_headers_put(&headers, rpc->arena, "accept-encoding", CN_STR("identity")) &&
        cn_headers_put(&headers, rpc->arena, "x-grpc-web", CN_STR("1")) &&
        cn_headers_put(&headers, rpc->arena, "x-user-agent", agent) &&
        cn_protocol_put_codings(rpc, &headers, "grpc-encoding", "grpc-accept-encoding", false);
    if (ok && rpc->timeout_ms != CN_TIMEOUT_NONE) {
        connect_str_t timeout = cn_timeout_write_grpc(rpc->arena, rpc->timeout_ms);
        ok = timeout.data && cn_headers_put(&headers, rpc->arena, "grpc-timeout", timeout);
    }
    if (ok && !cn_headers_find(&rpc->headers, "user-agent").data)
        ok = cn_headers_put(&headers, rpc->arena, "user-agent", agent);
    if (!ok || !cn_protocol_put_all(rpc, &headers, &rpc->headers)) return cn_protocol_memory(rpc);
    cn_protocol_set_head(head, &headers);
    return true;
}

static bool cn_grpcweb_client_open(cn_rpc_t *rpc) {
    return cn_grpc_client_open(rpc, CN_STR("application/grpc-web"));
}

static bool cn_grpcweb_client_end_envelope(cn_rpc_t *rpc, connect_str_t payload) {
    connect_str_t line;
    cn_headers_t list;
    memset(&list, 0, sizeof list);
    rpc->ended = true;
    while (cn_str_split(&payload, '\n', &line)) {
        connect_str_t name;
        line = cn_str_trim(line);
        if (line.len && line.data[line.len - 1] == '\r') line.len--;
        if (line.len == 0) continue;
        if (!cn_str_split(&line, ':', &name) || !line.data || !cn_header_name_valid(name) ||
            !cn_header_value_valid(cn_str_trim(line)))
            return cn_error_set(&rpc->error, CONNECT_INTERNAL, "the trailers of the gRPC-Web response are malformed");
        switch (cn_headers_receive(&list, rpc->arena, rpc->limits, name, cn_str_trim(line))) {
        case CN_HEADERS_OK: break;
        case CN_HEADERS_TOO_LARGE:
            return cn_error_set(&rpc->error, CONNECT_RESOURCE_EXHAUSTED,
                "the trailers of the response are over limits.header_bytes or limits.header_count");
        case CN_HEADERS_NO_MEMORY: return cn_protocol_memory(rpc);
        }
    }
    return cn_grpc_read_status(rpc, &list, true);
}

static bool cn_grpcweb_client_end(cn_rpc_t *rpc, connect_str_t body) {
    (void)body;
    if (rpc->ended) return rpc->error.code == CONNECT_OK;
    if (!rpc->received_body && cn_headers_find(&rpc->x->headers, "grpc-status").data) {
        rpc->received_headers.count = 0;
        return cn_grpc_read_status(rpc, &rpc->x->headers, true);
    }
    return cn_error_set(&rpc->error, CONNECT_INTERNAL, "the response ended without trailers");
}

CN_PRIVATE const cn_protocol_t *cn_grpcweb_protocol(void) {
    static const cn_protocol_t protocol = {CONNECT_PROTOCOL_GRPC_WEB, true, CN_ENVELOPE_TRAILERS, cn_grpc_server_open,
        cn_grpcweb_server_head, cn_grpcweb_server_end, cn_grpcweb_client_head, cn_grpcweb_client_open,
        cn_grpcweb_client_end_envelope, cn_grpcweb_client_end};
    return &protocol;
}

/* #### src/protocol/recognise.c #################################################################################### */
/* Which protocol a request speaks: by its content type, and for Connect by the kind of its method (unary calls have a
   bare body, streams have envelopes). For gRPC all kinds are alike. One table is the server's decision, its
   Accept-Post header, and nothing else. */

typedef struct cn_recognise_row_t {
    const char *type;
    unsigned without; /* a server with one of these bits does not take it */
    bool json, for_unary, for_streams;
    const cn_protocol_t *(*protocol)(void);
} cn_recognise_row_t;

static const cn_recognise_row_t cn_recognise_table[] = {
#if CONNECT_ENABLE_GRPC
    {"application/grpc", CN_PROTOCOL_NO_GRPC, false, true, true, cn_grpc_protocol},
    {"application/grpc+proto", CN_PROTOCOL_NO_GRPC, false, true, true, cn_grpc_protocol},
#if CONNECT_ENABLE_JSON
    {"application/grpc+json", CN_PROTOCOL_NO_GRPC | CN_PROTOCOL_NO_JSON, true, true, true, cn_grpc_protocol},
#endif
#endif
    {"application/grpc-web", CN_PROTOCOL_NO_GRPC_WEB, false, true, true, cn_grpcweb_protocol},
    {"application/grpc-web+proto", CN_PROTOCOL_NO_GRPC_WEB, false, true, true, cn_grpcweb_protocol},
    {"application/proto", CN_PROTOCOL_NO_CONNECT, false, true, false, cn_connect_unary_protocol},
    {"application/connect+proto", CN_PROTOCOL_NO_CONNECT, false, false, true, cn_connect_stream_protocol},
#if CONNECT_ENABLE_JSON
    {"application/grpc-web+json", CN_PROTOCOL_NO_GRPC_WEB | CN_PROTOCOL_NO_JSON, true, true, true, cn_grpcweb_protocol},
    {"application/json", CN_PROTOCOL_NO_CONNECT | CN_PROTOCOL_NO_JSON, true, true, false, cn_connect_unary_protocol},
    {"application/connect+json", CN_PROTOCOL_NO_CONNECT | CN_PROTOCOL_NO_JSON, true, false, true,
        cn_connect_stream_protocol},
#endif
};

static bool cn_recognise_fits(const cn_recognise_row_t *row, const connect_method_t *method, unsigned without) {
    return !(row->without & without) && (method->kind == CONNECT_UNARY ? row->for_unary : row->for_streams);
}

CN_PRIVATE const cn_protocol_t *cn_protocol_recognise(
    connect_str_t content_type, const connect_method_t *method, unsigned without, bool *json) {
    connect_str_t type = cn_protocol_media_type(content_type);
    size_t i;
    for (i = 0; i < CN_LEN(cn_recognise_table); i++) {
        const cn_recognise_row_t *row = &cn_recognise_table[i];
        if (cn_recognise_fits(row, method, without) && cn_str_equal_nocase(type, connect_str_of(row->type))) {
            *json = row->json;
            return row->protocol();
        }
    }
    return NULL;
}

CN_PRIVATE const cn_protocol_t *cn_protocol_recognise_get(
    connect_str_t query, connect_arena_t *arena, unsigned without, bool *json) {
    connect_str_t encoding;
    if ((without & CN_PROTOCOL_NO_CONNECT) || !cn_connect_get_parameter(query, CN_STR("encoding"), arena, &encoding))
        return NULL;
    *json = connect_str_equal(encoding, CN_STR("json"));
    if (*json) return CONNECT_ENABLE_JSON && !(without & CN_PROTOCOL_NO_JSON) ? cn_connect_get_protocol() : NULL;
    return connect_str_equal(encoding, CN_STR("proto")) ? cn_connect_get_protocol() : NULL;
}

CN_PRIVATE connect_str_t cn_protocol_accept_post(
    connect_arena_t *arena, const connect_method_t *method, unsigned without) {
    connect_str_t list = CN_STR("");
    size_t i;
    for (i = 0; list.data && i < CN_LEN(cn_recognise_table); i++) {
        const cn_recognise_row_t *row = &cn_recognise_table[i];
        if (cn_recognise_fits(row, method, without))
            list = connect_arena_printf(
                arena, CONNECT_STR_FMT "%s%s", CONNECT_STR_ARG(list), list.len ? ", " : "", row->type);
    }
    return list;
}

CN_PRIVATE const cn_protocol_t *cn_protocol_of(connect_protocol_t id, const connect_method_t *method) {
    switch (id) {
    case CONNECT_PROTOCOL_CONNECT:
        return method->kind == CONNECT_UNARY ? cn_connect_unary_protocol() : cn_connect_stream_protocol();
#if CONNECT_ENABLE_GRPC
    case CONNECT_PROTOCOL_GRPC: return cn_grpc_protocol();
#else
    case CONNECT_PROTOCOL_GRPC: return NULL;
#endif
    case CONNECT_PROTOCOL_GRPC_WEB: return cn_grpcweb_protocol();
    default: return NULL;
    }
}

/* #### src/io/limits.h ############################################################################################# */
/* Fills in the zeros of a user's limits from its preset. Returns false, and the error names the option, if a value is
   out of its range. */
CN_PRIVATE bool cn_limits_resolve(connect_limits_t *limits, const connect_limits_t *options, connect_error_t *error);

/* #### src/io/limits.c ############################################################################################# */
/* The limits that ship. Two presets: `gateway`, the default, and `tiny` for a few megabytes of memory. What is 0 in
   the user's struct takes the preset's value; what is CONNECT_UNLIMITED stays and limits nothing. Values that a
   protocol bounds are checked: an HTTP/2 window is at least 1 and at most 2^31-1 (RFC 9113 6.9.1); the JSON reader
   keeps one bit per level for 256 levels.

   Where the numbers come from: what nginx, Envoy, grpc-go, hyper and nghttp2 ship, and the protocols' own minima. */

#define CN_LIMITS_KIB 1024u
#define CN_LIMITS_MIB (1024u * 1024u)
#define CN_LIMITS_SECOND 1000u
#define CN_LIMITS_WINDOW_MAX 0x7FFFFFFFu
#define CN_LIMITS_DEPTH_MAX 256u

#define CN_LIMITS_FIELDS(row) \
    row(connections, 256, 32) row(requests, 10000, 1000) row(streams, 100, 16) row(stream_window, 64 * CN_LIMITS_KIB, \
        16 * CN_LIMITS_KIB) row(connection_window, 256 * CN_LIMITS_KIB, 64 * CN_LIMITS_KIB) row(stream_buffer, \
        64 * CN_LIMITS_KIB, 16 * CN_LIMITS_KIB) row(connection_buffer, 256 * CN_LIMITS_KIB, 32 * CN_LIMITS_KIB) \
        row(header_bytes, 16 * CN_LIMITS_KIB, 8 * CN_LIMITS_KIB) row(header_count, 128, 64) \
            row(url_bytes, 8 * CN_LIMITS_KIB, 4 * CN_LIMITS_KIB) \
                row(receive_bytes, 4 * CN_LIMITS_MIB, 256 * CN_LIMITS_KIB) \
                    row(send_bytes, 4 * CN_LIMITS_MIB, 256 * CN_LIMITS_KIB) \
                        row(decode_bytes, 16 * CN_LIMITS_MIB, 1 * CN_LIMITS_MIB) row(depth, 100, 32) \
                            row(zstd_window, 8 * CN_LIMITS_MIB, 1 * CN_LIMITS_MIB) row(reset_burst, 200, 50) \
                                row(reset_rate, 33, 10) row(frame_burst, 10000, 1000) row(frame_rate, 1000, 100) \
                                    row(header_ms, 10 * CN_LIMITS_SECOND, 10 * CN_LIMITS_SECOND) \
                                        row(body_gap_ms, 30 * CN_LIMITS_SECOND, 30 * CN_LIMITS_SECOND) \
                                            row(write_stall_ms, 30 * CN_LIMITS_SECOND, 30 * CN_LIMITS_SECOND) \
                                                row(idle_http1_ms, 60 * CN_LIMITS_SECOND, 15 * CN_LIMITS_SECOND) \
                                                    row(idle_http2_ms, 300 * CN_LIMITS_SECOND, 60 * CN_LIMITS_SECOND) \
                                                        row(drain_ms, 10 * CN_LIMITS_SECOND, 5 * CN_LIMITS_SECOND) \
                                                            row(dial_ms, 5 * CN_LIMITS_SECOND, 5 * CN_LIMITS_SECOND)

CN_PRIVATE bool cn_limits_resolve(connect_limits_t *limits, const connect_limits_t *options, connect_error_t *error) {
    bool tiny;
    *limits = *options;
    if (limits->preset != CONNECT_PRESET_GATEWAY && limits->preset != CONNECT_PRESET_TINY)
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "limits.preset is neither GATEWAY nor TINY");
    tiny = limits->preset == CONNECT_PRESET_TINY;
#define CN_LIMITS_FILL(name, gateway, small) \
    if (limits->name == 0) limits->name = tiny ? (small) : (gateway);
    CN_LIMITS_FIELDS(CN_LIMITS_FILL)
    if (limits->stream_window > CN_LIMITS_WINDOW_MAX)
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "limits.stream_window is above 2^31-1");
    if (limits->connection_window > CN_LIMITS_WINDOW_MAX)
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "limits.connection_window is above 2^31-1");
    if (limits->depth > CN_LIMITS_DEPTH_MAX)
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "limits.depth is above 256");
    return true;
}

/* #### src/io/conn.h ############################################################################################### */
typedef struct cn_conn_owner_t {                      /* what a server or a client hears of its connections */
    cn_exchange_t *(*on_begin)(connect_conn_t *conn); /* server: as in cn_http_events_t */
    void (*on_room)(connect_conn_t *conn);            /* client: a call may begin, or the connection drains */
    void (*on_due)(connect_conn_t *conn);             /* conn->owner_due_ms has come; it is INT64_MAX again */
    void (*on_lost)(connect_conn_t *conn);            /* last: conn is freed after this; its exchanges are closed */
    void (*enter)(void *owner, int64_t now_ms);       /* around everything that can run callbacks: what is freed in */
    void (*leave)(void *owner);                       /* between goes in the last leave */
} cn_conn_owner_t;

struct connect_conn_t {
    cn_http_t http; /* first: the HTTP versions know only this */
    const cn_conn_owner_t *events;
    void *owner;
    cn_list_t node; /* in the owner's list */
    cn_buf_pool_t *pool;
    int64_t owner_due_ms;     /* set by cn_conn_set_owner_due */
    int64_t opened_ms;        /* when it was opened; -1: the time is not known yet */
    int64_t idle_since_ms;    /* no exchange since; -1: there is one */
    int64_t stalled_since_ms; /* output waits and none of it was written since; -1: none waits */
    int64_t abort_ms;         /* drained too long; INT64_MAX: not drained */
    uint32_t grace_ms;       /* from drain to abort_ms, which is set when the time is told; 0: not drained */
    int64_t stall_check_ms;  /* when exchanges are looked at that wait for their peer's window */
    bool output_due;         /* something was fed since the last output */
    char preface[24];         /* server: the first bytes, until they tell the version */
    uint8_t preface_len;
    bool allow_http1, allow_http2;
    bool opened;       /* bytes may flow */
    bool dead;         /* nothing is wanted any more */
    bool close_wanted; /* connect_conn_close was called inside an event */
    unsigned depth;    /* of feed, output and eof */
    bool *gone;        /* set when conn is freed, or its output is: connect_conn_output asks */
    int os_error;
    connect_code_t dial_code; /* client: what dial returned; 0: it began */
    char failure[256];
    char peer[110]; /* a Unix path is at most 108 bytes */
    void (*output)(connect_conn_t *conn, void *user);
    void *output_user;
    void (*abandon)(connect_conn_t *conn, void *transport);
    void *transport;
};

typedef struct cn_conn_options_t {
    const connect_allocator_t *allocator;
    const connect_limits_t *limits;
    cn_buf_pool_t *pool;
    const cn_conn_owner_t *events;
    void *owner;
    const char *peer;
    bool is_server, allow_http1, allow_http2; /* a client's has one of the two */
} cn_conn_options_t;

#if CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER
/* Makes a connection. NULL: out of memory. A server's is open at once; a client's by cn_conn_opened. */
CN_PRIVATE connect_conn_t *cn_conn_new(const cn_conn_options_t *options);
/* The transport is open now (client: TCP is connected). */
CN_PRIVATE void cn_conn_opened(connect_conn_t *conn, int64_t now_ms);
/* The peer sends no more; what was received may still be answered. */
CN_PRIVATE void cn_conn_eof(connect_conn_t *conn, int64_t now_ms);
/* What carries a connection's bytes may be told to let go of it at once: it then forgets its descriptor and calls
   connect_conn_close. Without this (a transport of the user's) the connection only wants nothing any more. */
CN_PRIVATE void cn_conn_set_transport(
    connect_conn_t *conn, void (*abandon)(connect_conn_t *conn, void *transport), void *transport);
/* Ends a connection now, as its owner goes away; outside of events. Through abandon; else (a transport of the user's)
   it has no owner from here on, and wants nothing until the user closes it. */
CN_PRIVATE void cn_conn_abort(connect_conn_t *conn);
/* Says why the transport could not be opened or broke, before connect_conn_close: calls end with it. text: copied, at
   most 255 bytes. */
CN_PRIVATE void cn_conn_set_failure(connect_conn_t *conn, int os_error, const char *text);
/* Takes no more exchanges, and closes after the last one, or after the grace. */
CN_PRIVATE void cn_conn_drain(connect_conn_t *conn, uint32_t grace_ms);
/* Sets when on_due is wanted; INT64_MAX: not any more. */
CN_PRIVATE void cn_conn_set_owner_due(connect_conn_t *conn, int64_t due_ms);
CN_PRIVATE connect_conn_t *cn_conn_of(cn_http_t *http);
#endif

/* #### src/io/conn.c ############################################################################################### */
/* A connection without I/O: bytes in, bytes out, and the time with them. It finds out which HTTP version the peer
   speaks, hands it the bytes, watches the clock for all that hangs on the connection, and tells the transport what it
   wants.

   Which version (server): a connection that begins with the 24 bytes of the client preface (RFC 9113 3.4) is HTTP/2,
   any other is HTTP/1.1; up to then the bytes are held in `preface`. A client knows beforehand.

   Clocks: header_ms (a head is awaited in the middle of it, or nothing came at all), idle_http1_ms and idle_http2_ms
   (no exchange), write_stall_ms (output waits and the transport takes none), abort_ms (drained too long), the
   exchanges' own due_ms and the owner's. The clock is the user's: it is known from the first feed on. deadline_ms is
   the earliest; a step called `tick` at the end of each feed acts on what has come.

   Events run only inside feed, output, eof, opened, and close. `depth` counts them: a connection that is closed inside
   one of its own events is freed when the outermost has ended, and owner->leave is the last thing of all, as the owner
   may free itself there.

   The output queue's block is borrowed from the owner's pool when bytes come, and given back when all is written. */

#define CN_CONN_BLOCKED 4u /* reading stops while output waits above so many times limits->connection_buffer */

#if CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER
static const char cn_conn_stalled[] = "the peer takes no bytes (limits.write_stall_ms)";
static const char cn_conn_preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

CN_PRIVATE connect_conn_t *cn_conn_of(cn_http_t *http) {
    return CN_CONTAINER(http, connect_conn_t, http);
}

static cn_exchange_t *cn_conn_on_begin(cn_http_t *http) {
    connect_conn_t *conn = cn_conn_of(http);
    conn->idle_since_ms = -1; /* also if it is over before the clock is looked at */
    return conn->owner ? conn->events->on_begin(conn) : NULL;
}

static void cn_conn_on_http_output(cn_http_t *http) {
    connect_conn_t *conn = cn_conn_of(http);
    if (conn->output) conn->output(conn, conn->output_user);
}

static void cn_conn_on_room(cn_http_t *http) {
    connect_conn_t *conn = cn_conn_of(http);
    if (conn->owner && conn->events->on_room) conn->events->on_room(conn);
}

CN_PRIVATE connect_conn_t *cn_conn_new(const cn_conn_options_t *options) {
    static const cn_http_events_t events = {cn_conn_on_begin, cn_conn_on_http_output, cn_conn_on_room};
    connect_conn_t *conn = (connect_conn_t *)cn_mem_acquire(options->allocator, sizeof *conn);
    if (!conn) return NULL;
    conn->http.events = &events;
    conn->http.allocator = options->allocator;
    conn->http.limits = options->limits;
    conn->http.is_server = options->is_server;
    conn->http.head_since_ms = -1;
    conn->http.due_ms = INT64_MAX;
    cn_list_init(&conn->http.exchanges);
    conn->events = options->events;
    conn->owner = options->owner;
    conn->pool = options->pool;
    conn->allow_http1 = options->allow_http1;
    conn->allow_http2 = options->allow_http2;
    conn->owner_due_ms = conn->abort_ms = conn->stall_check_ms = INT64_MAX;
    conn->opened_ms = -1;
    conn->idle_since_ms = -1;
    conn->stalled_since_ms = -1;
    conn->opened = options->is_server;
    snprintf(conn->peer, sizeof conn->peer, "%s", options->peer ? options->peer : "");
    return conn;
}

/* ---- Entering and leaving ---- */

static void cn_conn_enter(connect_conn_t *conn, int64_t now_ms) {
    if (now_ms > conn->http.now_ms) conn->http.now_ms = now_ms;
    if (conn->opened_ms < 0) conn->opened_ms = conn->http.now_ms;
    if (conn->depth++ == 0 && conn->owner) conn->events->enter(conn->owner, conn->http.now_ms);
    conn->http.feeding = true;
}

static void cn_conn_free(connect_conn_t *conn) {
    const connect_allocator_t *allocator = conn->http.allocator;
    const cn_conn_owner_t *events = conn->events;
    void *owner = conn->owner;
    if (conn->gone) *conn->gone = true;
    conn->gone = NULL;
    if (owner) events->enter(owner, conn->http.now_ms);
    conn->depth = 1; /* what is closed in the events below is closed already */
    conn->dead = true;
    conn->http.feeding = true;
    if (conn->http.version) conn->http.version->free(&conn->http);
    conn->http.version = NULL;
    if (conn->owner) {
        events->on_lost(conn);
        cn_list_remove(&conn->node);
        cn_buf_give_back(&conn->http.out, conn->pool, allocator);
    }
    cn_buf_free(&conn->http.out, allocator);
    cn_mem_release(allocator, conn);
    if (owner) events->leave(owner);
}

static void cn_conn_leave(connect_conn_t *conn) {
    const cn_conn_owner_t *events = conn->events;
    void *owner = conn->owner;
    if (conn->depth > 1) {
        conn->depth--;
        return;
    }
    conn->http.feeding = false;
    conn->depth = 0;
    if (conn->close_wanted) cn_conn_free(conn);
    if (owner) events->leave(owner);
}

/* ---- Opening ---- */

static bool cn_conn_open_version(connect_conn_t *conn, bool http2) {
    const cn_http_version_t *version = NULL;
#if CONNECT_ENABLE_HTTP2
    if (http2) version = cn_http2_version();
#else
    (void)http2;
#endif
    if (!version) version = cn_http1_version();
    if (!version->open(&conn->http)) {
        cn_conn_set_failure(conn, ENOMEM, "out of memory");
        conn->dead = true;
        return false;
    }
    conn->http.version = version;
    return true;
}

CN_PRIVATE void cn_conn_opened(connect_conn_t *conn, int64_t now_ms) {
    cn_conn_enter(conn, now_ms);
    conn->opened = true;
    conn->opened_ms = conn->http.now_ms;
    if (cn_conn_open_version(conn, conn->allow_http2) && conn->owner && conn->events->on_room)
        conn->events->on_room(conn);
    cn_conn_leave(conn);
}

/* Tells the version by the first bytes. Returns how many were used up before the version takes over; all of them if
   it is not known yet. */
static size_t cn_conn_sniff(connect_conn_t *conn, const char *bytes, size_t len) {
    size_t have = conn->preface_len, take, held;
    if (!conn->allow_http2 || !conn->allow_http1) {
        cn_conn_open_version(conn, conn->allow_http2);
        return 0;
    }
    take = CN_MIN(len, sizeof conn->preface - have);
    memcpy(conn->preface + have, bytes, take);
    held = have + take;
    if (memcmp(conn->preface, cn_conn_preface, held) != 0) {
        if (!cn_conn_open_version(conn, false)) return len;
        if (have) conn->http.version->feed(&conn->http, conn->preface, have); /* shorter than any limit: all is taken */
        return 0;
    }
    conn->preface_len = (uint8_t)held;
    if (held < sizeof conn->preface) return take;
    if (!cn_conn_open_version(conn, true)) return len;
    conn->http.version->feed(&conn->http, conn->preface, held);
    return take;
}

/* ---- The clock ---- */

static int64_t cn_conn_add_ms(int64_t since_ms, uint32_t limit_ms) {
    return since_ms < 0 || limit_ms == CONNECT_UNLIMITED ? INT64_MAX : since_ms + (int64_t)limit_ms;
}

static int64_t cn_conn_idle_due(const connect_conn_t *conn) {
    const connect_limits_t *limits = conn->http.limits;
    if (!conn->http.version)
        return conn->http.is_server ? cn_conn_add_ms(conn->opened_ms, limits->header_ms) : INT64_MAX;
    return cn_conn_add_ms(conn->idle_since_ms,
        conn->http.version->number == CONNECT_HTTP_2 ? limits->idle_http2_ms : limits->idle_http1_ms);
}

int64_t connect_conn_deadline_ms(const connect_conn_t *conn) {
    const cn_http_t *http = &conn->http;
    int64_t due = CN_MIN(http->due_ms, conn->owner_due_ms);
    if (conn->dead || http->woken || conn->opened_ms < 0) return http->now_ms;
    due = CN_MIN(due, cn_conn_add_ms(http->head_since_ms, http->limits->header_ms));
    due = CN_MIN(due, cn_conn_add_ms(conn->stalled_since_ms, http->limits->write_stall_ms));
    due = CN_MIN(due, cn_conn_idle_due(conn));
    due = CN_MIN(due, conn->stall_check_ms);
    return CN_MIN(due, conn->abort_ms);
}

/* Ends it from this side: what is open is cut short. */
static void cn_conn_kill(connect_conn_t *conn) {
    conn->dead = true;
    if (conn->http.version) conn->http.version->eof(&conn->http);
}

static void cn_conn_tick_exchanges(connect_conn_t *conn) {
    cn_http_t *http = &conn->http;
    cn_list_t *node, *next;
    int64_t now = http->now_ms, due = INT64_MAX;
    if (http->due_ms > now) return;
    http->due_ms = INT64_MAX;
    for (node = http->exchanges.next; node != &http->exchanges; node = next) {
        cn_exchange_t *x = CN_CONTAINER(node, cn_exchange_t, node);
        next = node->next;
        if (x->due_ms <= now) {
            x->due_ms = INT64_MAX;
            x->events->on_due(x);
            if (x->http) next = node->next; /* what began meanwhile is last in the list */
        }
        if (x->http) due = CN_MIN(due, x->due_ms);
    }
    http->due_ms = CN_MIN(http->due_ms, due);
}

/* A peer that opens no window keeps what waits for it in memory: an exchange of which nothing went out between two
   looks, limits.write_stall_ms apart, is given up. Returns when to look again. */
static int64_t cn_conn_look_for_stalls(cn_http_t *http, bool first) {
    cn_list_t *node, *next;
    bool waits = false;
    for (node = http->exchanges.next; node != &http->exchanges; node = next) {
        cn_exchange_t *x = CN_CONTAINER(node, cn_exchange_t, node);
        next = node->next;
        if (!first && x->out_waited && cn_buf_len(&x->out) && x->out_taken == x->out_taken_before) {
            x->close_code = http->is_server ? CONNECT_CANCELED : CONNECT_UNAVAILABLE;
            x->close_why = cn_conn_stalled;
            http->version->reset(x, CN_RESET_STALLED);
        }
        x->out_waited = cn_buf_len(&x->out) != 0;
        x->out_taken_before = x->out_taken;
        waits = waits || x->out_waited;
    }
    return waits ? cn_conn_add_ms(http->now_ms, http->limits->write_stall_ms) : INT64_MAX;
}

/* Returns whether anything was due. */
static bool cn_conn_tick(connect_conn_t *conn) {
    static const char timeout[] = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    cn_http_t *http = &conn->http;
    int64_t now = http->now_ms;
    bool due = !conn->dead && connect_conn_deadline_ms(conn) <= now;
    if (conn->dead) return false;
    cn_conn_tick_exchanges(conn);
    if (conn->owner_due_ms <= now && conn->owner) {
        conn->owner_due_ms = INT64_MAX;
        conn->events->on_due(conn);
    }
    if (http->exchange_count) {
        conn->idle_since_ms = -1;
    } else if (conn->idle_since_ms < 0) {
        conn->idle_since_ms = now;
    } else if (cn_conn_idle_due(conn) <= now) {
        if (http->version && !http->draining) {
            http->version->drain(http);
            conn->idle_since_ms = now;
        } else {
            http->closing = true;
        }
    }
    if (cn_conn_add_ms(http->head_since_ms, http->limits->header_ms) <= now) {
        if (http->version && http->version->number == CONNECT_HTTP_1 && http->is_server && !http->exchange_count)
            cn_buf_append(&http->out, http->allocator, timeout, sizeof timeout - 1);
        http->head_since_ms = -1;
        http->closing = true;
        http->read_blocked = true;
    }
    if (conn->grace_ms && conn->abort_ms == INT64_MAX) conn->abort_ms = cn_conn_add_ms(now, conn->grace_ms);
    if (conn->stall_check_ms <= now) conn->stall_check_ms = cn_conn_look_for_stalls(http, false);
    if (cn_conn_add_ms(conn->stalled_since_ms, http->limits->write_stall_ms) <= now || conn->abort_ms <= now) {
        cn_conn_set_failure(
            conn, ETIMEDOUT, conn->abort_ms <= now ? "drained, and the grace is over" : cn_conn_stalled);
        cn_conn_kill(conn);
    }
    return due;
}

/* ---- Bytes in ---- */

size_t connect_conn_feed(connect_conn_t *conn, const void *bytes, size_t len, int64_t now_ms) {
    const char *at = (const char *)bytes;
    size_t taken = 0;
    bool woken, due;
    cn_conn_enter(conn, now_ms);
    if (!conn->opened && !conn->abandon && !conn->dead) cn_conn_opened(conn, now_ms);
    woken = conn->http.woken;
    conn->http.woken = false;
    if (!conn->dead && conn->opened) {
        cn_buf_borrow(&conn->http.out, conn->pool);
        if (len && !conn->http.version) taken = cn_conn_sniff(conn, at, len);
        if (conn->http.version && !conn->dead && taken < len && !conn->http.closing)
            taken += conn->http.version->feed(&conn->http, at + taken, len - taken);
        if (conn->http.closing) taken = len; /* of no interest any more */
    }
    due = cn_conn_tick(conn);
    conn->output_due = conn->output_due || len || woken || due;
    if (conn->dead) taken = len;
    cn_conn_leave(conn);
    return taken;
}

CN_PRIVATE void cn_conn_eof(connect_conn_t *conn, int64_t now_ms) {
    cn_conn_enter(conn, now_ms);
    if (conn->http.version && !conn->dead)
        conn->http.version->eof(&conn->http);
    else
        conn->dead = true;
    cn_conn_leave(conn);
}

/* ---- Bytes out ---- */

connect_str_t connect_conn_output(connect_conn_t *conn) {
    cn_http_t *http = &conn->http;
    connect_str_t view = {"", 0};
    bool gone = false, *outer_gone = conn->gone;
    if (conn->dead || conn->opened_ms < 0) return view; /* without the time nothing can begin, not even a clock */
    conn->gone = &gone;
    cn_conn_enter(conn, http->now_ms);
    if (http->exchange_count) conn->idle_since_ms = -1;
    if (http->version) {
        cn_buf_borrow(&http->out, conn->pool);
        http->version->pull(http);
    }
    if (http->exchange_count == 0 && conn->idle_since_ms < 0) conn->idle_since_ms = http->now_ms;
    conn->output_due = false;
    if (conn->stall_check_ms == INT64_MAX && http->exchange_count)
        conn->stall_check_ms = cn_conn_look_for_stalls(http, true);
    cn_conn_leave(conn); /* what runs there may add output, and move it */
    if (gone) {
        if (outer_gone) *outer_gone = true;
        return CN_STR("");
    }
    conn->gone = outer_gone;
    if (conn->dead) return CN_STR("");
    view = cn_buf_view(&http->out);
    if (view.len == 0) {
        if (conn->owner) cn_buf_give_back(&http->out, conn->pool, http->allocator);
        conn->stalled_since_ms = -1;
    } else if (conn->stalled_since_ms < 0) {
        conn->stalled_since_ms = http->now_ms;
    }
    return view;
}

void connect_conn_sent(connect_conn_t *conn, size_t len) {
    cn_http_t *http = &conn->http;
    cn_buf_drop(&http->out, len);
    if (len) conn->stalled_since_ms = cn_buf_len(&http->out) ? http->now_ms : -1;
    if (cn_buf_len(&http->out) == 0 && conn->owner) cn_buf_give_back(&http->out, conn->pool, http->allocator);
}

unsigned connect_conn_wants(const connect_conn_t *conn) {
    const cn_http_t *http = &conn->http;
    size_t waiting = cn_buf_len(&http->out);
    unsigned wants = 0;
    if (conn->dead || !conn->owner) return 0;
    if (waiting || conn->output_due) wants |= CONNECT_WANTS_WRITE;
    if (!http->closing) {
        if (http->woken) wants |= CONNECT_WANTS_WRITE;
        if (!http->read_blocked && waiting / CN_CONN_BLOCKED <= http->limits->connection_buffer)
            wants |= CONNECT_WANTS_READ;
        if (!wants) wants = CONNECT_WANTS_WAKE;
    }
    return wants;
}

void connect_conn_on_output(connect_conn_t *conn, void (*output)(connect_conn_t *conn, void *user), void *user) {
    conn->output = output;
    conn->output_user = user;
}

/* ---- The end ---- */

void connect_conn_close(connect_conn_t *conn) {
    conn->dead = true;
    if (conn->depth)
        conn->close_wanted = true;
    else
        cn_conn_free(conn);
}

CN_PRIVATE void cn_conn_set_transport(
    connect_conn_t *conn, void (*abandon)(connect_conn_t *conn, void *transport), void *transport) {
    conn->abandon = abandon;
    conn->transport = transport;
}

CN_PRIVATE void cn_conn_set_failure(connect_conn_t *conn, int os_error, const char *text) {
    if (conn->failure[0]) return;
    conn->os_error = os_error;
    snprintf(conn->failure, sizeof conn->failure, "%s", text);
    conn->http.failure = conn->failure;
}

CN_PRIVATE void cn_conn_abort(connect_conn_t *conn) {
    if (conn->abandon) {
        conn->abandon(conn, conn->transport);
        return;
    }
    if (conn->gone) *conn->gone = true;
    conn->gone = NULL;
    conn->dead = true;
    conn->http.feeding = true;
    conn->depth++;
    if (conn->http.version) conn->http.version->free(&conn->http);
    conn->http.version = NULL;
    cn_buf_free(&conn->http.out, conn->http.allocator);
    conn->events->on_lost(conn);
    cn_list_remove(&conn->node);
    conn->owner = NULL;
    conn->depth--;
}

CN_PRIVATE void cn_conn_drain(connect_conn_t *conn, uint32_t grace_ms) {
    if (!conn->grace_ms || grace_ms < conn->grace_ms) conn->grace_ms = grace_ms;
    if (conn->http.version && !conn->dead)
        conn->http.version->drain(&conn->http);
    else
        conn->http.closing = true;
    cn_http_wake(&conn->http);
}

CN_PRIVATE void cn_conn_set_owner_due(connect_conn_t *conn, int64_t due_ms) {
    bool earlier = due_ms < conn->owner_due_ms;
    conn->owner_due_ms = due_ms;
    if (earlier) cn_http_wake(&conn->http);
}
#endif

/* #### src/call/call.h ############################################################################################# */
typedef struct cn_call_owner_t {                   /* the server or the client of a call */
    void (*on_head)(connect_call_t *call);         /* server: a request's head is in call->x: find out what it is */
    void (*on_released)(connect_call_t *call);     /* nobody refers to it any more: use it again */
    void (*poke)(connect_call_t *call);            /* have cn_call_on_poke called soon, though it has no exchange */
    int64_t (*now_ms)(const connect_call_t *call); /* the time, of a call without an exchange; -1: not known */
    void (*on_passed)(connect_call_t *call);       /* client: no interceptor holds it back any more */
} cn_call_owner_t;

typedef struct cn_interceptors_t { /* of a call: those around all calls, and inside them those of its route */
    const connect_interceptor_t *outer, *inner;
    size_t outer_count, inner_count;
} cn_interceptors_t;

typedef struct cn_value_t {
    const void *key;
    void *value;
    struct cn_value_t *next;
} cn_value_t;

typedef enum cn_front_t { /* what stands first in what was received */
    CN_FRONT_NONE,
    CN_FRONT_PARTIAL,
    CN_FRONT_MESSAGE,
    CN_FRONT_END,
    CN_FRONT_BAD /* call->rpc.error says why */
} cn_front_t;

struct connect_call_t {
    cn_exchange_t x; /* first */
    connect_arena_t arena, scratch;
    cn_rpc_t rpc;
    connect_call_info_t info;
    connect_events_t events;
    void *user;
    cn_interceptors_t interceptors;
    size_t opened, passed; /* interceptors: whose on_open was called; that see messages, as they let the call pass */
    const cn_call_owner_t *owner_events;
    void *owner;          /* NULL: it went away before the call */
    connect_loop_t *loop; /* NULL: no sockets */
    const connect_codec_options_t *codec_options;
    cn_list_t node;      /* in a list of the owner's */
    cn_list_t poke_node; /* in the owner's list of those to poke */
    int64_t deadline_ms; /* INT64_MAX: none */
    uint32_t receive_bytes, send_bytes;
    cn_buf_t in;             /* received, not yet delivered */
    cn_buf_t expanded;       /* a received message, if it came compressed */
    size_t unconsumed;       /* bytes in `in` that the peer's window still waits for */
    const void *request;     /* a single one. Client: what an interceptor's LATER holds back */
    const void *response;    /* a single one. Client: decoded, on_message is due */
    void *context;           /* client: connect_call_options_t.context */
    connect_str_t held;      /* client, single response: the message, expanded, until the call's outcome is known */
    connect_error_t failure; /* what connect_call_fail and add_detail set */
    void (*cancel)(connect_call_t *call, void *arg);
    void *cancel_arg;
    cn_value_t values[6], *more_values;
    uint32_t messages_in, messages_out;
    unsigned callbacks; /* depth of user's callbacks */
    bool is_server;
    bool opening;     /* an interceptor's on_open returned LATER, and not all of them have let the call pass */
    bool proceed_due; /* connect_call_proceed is */
    bool concluding;  /* on_finish of interceptors runs */
    bool packed;      /* what cn_call_front found is compressed */
    bool plain;       /* server: an HTTP answer, no call */
    bool pull;        /* client: no events, the _wait functions ask */
    bool entered;     /* the first event has happened and did not end it: on_closed is due */
    bool promised;    /* server, unary: LATER was returned, finish is due */
    bool finished;    /* finish was called, or a code returned */
    bool answered;    /* server: the response's end is on its way. Client: the request's */
    bool over;        /* the outcome is known: rpc.error */
    bool told;        /* on_closed was called, or is not due */
    bool in_end;      /* the peer has sent all */
    bool end_told;    /* server: on_end was called */
    bool paused;      /* no on_message for now */
    bool drop_input;  /* what still comes is of no interest */
    bool mute;        /* client: messages are of no interest, but the end is */
    bool taken;       /* client, single response: receive has given it out */
    bool local;       /* client: an interceptor answered in the server's place */
    bool draining;    /* on_drain is due */
    bool writable;    /* on_writable is due */
    bool poked;
    bool freed; /* client: connect_call_free was called */
    bool released;
};

typedef struct cn_call_pool_t { /* calls to be used again */
    cn_list_t calls;
    size_t count;
    bool ready;
} cn_call_pool_t;

#if CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER
/* Makes a call, or takes one from the pool. NULL: out of memory. */
CN_PRIVATE connect_call_t *cn_call_new(
    cn_call_pool_t *pool, const connect_allocator_t *allocator, const connect_limits_t *limits, bool is_server);
/* Puts a released call into the pool. pool NULL, or full: frees it. */
CN_PRIVATE void cn_call_recycle(cn_call_pool_t *pool, connect_call_t *call);
CN_PRIVATE void cn_call_pool_free(cn_call_pool_t *pool, const connect_allocator_t *allocator);
CN_PRIVATE connect_call_t *cn_call_of(cn_exchange_t *x);
CN_PRIVATE int64_t cn_call_now_ms(const connect_call_t *call);

/* Around user's callbacks: resets the scratch arena after the outermost. */
CN_PRIVATE void cn_call_enter(connect_call_t *call);
CN_PRIVATE void cn_call_leave(connect_call_t *call);
/* Gives the call back to its owner once nothing refers to it. */
CN_PRIVATE void cn_call_release_if_done(connect_call_t *call);
/* Has cn_call_on_poke called out of the next feed. */
CN_PRIVATE void cn_call_poke(connect_call_t *call);
CN_PRIVATE void cn_call_on_poke(connect_call_t *call);
/* Calls on_closed, once. */
CN_PRIVATE void cn_call_tell_closed(connect_call_t *call);
/* Tells whether an application may set a header of this name, in any case. */
CN_PRIVATE bool cn_call_may_set(const char *name, bool is_server);
/* Adds a header in lower case, copied. */
CN_PRIVATE bool cn_call_put_header(connect_call_t *call, cn_headers_t *headers, const char *name, connect_str_t value);

/* Looks at what stands first in call->in. *payload: of MESSAGE and END; *whole: how many bytes to drop with it. */
CN_PRIVATE cn_front_t cn_call_front(connect_call_t *call, connect_str_t *payload, size_t *whole);
/* Expands the payload that cn_call_front found, if it is compressed; it then stands in call->expanded, until the next.
   Returns false: rpc.error says why. */
CN_PRIVATE bool cn_call_expand(connect_call_t *call, connect_str_t *payload);
/* Appends received bytes. Returns false: out of memory, rpc.error says so. */
CN_PRIVATE bool cn_call_take_input(connect_call_t *call, const char *bytes, size_t len);
CN_PRIVATE void cn_call_drop_front(connect_call_t *call, size_t whole);
/* Lets the peer send as many bytes as were used up. */
CN_PRIVATE void cn_call_consume(connect_call_t *call);
CN_PRIVATE bool cn_call_decode(connect_call_t *call, const connect_type_t *type, void *message, connect_str_t payload,
    connect_arena_t *arena, bool copy, connect_error_t *error);
/* Makes a message with its defaults; type NULL: raw bytes, none. Returns NULL: out of memory. */
CN_PRIVATE void *cn_call_new_message(const connect_type_t *type, connect_arena_t *arena);
/* Copies a message deeply into one made as above. Returns false: out of memory. */
CN_PRIVATE bool cn_call_copy_message(const connect_type_t *type, void *to, const void *from, connect_arena_t *arena);
/* Encodes a message of a type; the call's codec. */
CN_PRIVATE bool cn_call_encode(
    connect_call_t *call, const connect_type_t *type, const void *message, cn_buf_t *out, connect_error_t *error);
/* What the application said of an error: connect_call_fail and add_detail; code: returned by it. */
CN_PRIVATE connect_error_t cn_call_failure(const connect_call_t *call, connect_code_t code);
/* Encodes a message behind what waits to be sent; interceptors see it before. Returns false: *error says why, nothing
   was appended. */
CN_PRIVATE bool cn_call_put_message(
    connect_call_t *call, const void *message, const connect_str_t *encoded_or_null, connect_error_t *error);
/* One message goes each way (from the client; from the server). */
CN_PRIVATE bool cn_call_single_request(const connect_call_t *call);
CN_PRIVATE bool cn_call_single_response(const connect_call_t *call);
#endif

/* #### src/call/intercept.h ######################################################################################## */
#if CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER
/* Calls on_open of those that have not been called yet. Returns OK: all let the call pass, or *answer ends it; LATER:
   connect_call_proceed is due; another code ends it. *answer: NULL before; may stand in the scratch arena. */
CN_PRIVATE connect_code_t cn_intercept_open(connect_call_t *call, const void **answer);
/* A message came in, or is about to go. Inside cn_call_enter and _leave: what is put in place may stand in the scratch
   arena. */
CN_PRIVATE connect_code_t cn_intercept_receive(connect_call_t *call, const void **message);
CN_PRIVATE connect_code_t cn_intercept_send(connect_call_t *call, const void **message);
/* Calls on_finish, once, with rpc.error, and takes what becomes of it. */
CN_PRIVATE void cn_intercept_finish(connect_call_t *call);
#endif

/* #### src/call/serve.h ############################################################################################ */
#if CONNECT_ENABLE_SERVER
/* The events of a server's exchange. */
CN_PRIVATE const cn_exchange_events_t *cn_serve_exchange_events(void);
/* Answers a request that is no call: a status, an optional header, a text. */
CN_PRIVATE void cn_serve_plain(
    connect_call_t *call, int status, const char *header_or_null, connect_str_t value, connect_str_t text);
/* Begins a call: call->rpc.protocol, .method, .json, events, user and limits are set. deadlines: the policy. */
CN_PRIVATE void cn_serve_begin(connect_call_t *call, const connect_deadlines_t *deadlines);
/* Ends it with rpc.error, which is set: on the wire, once. */
CN_PRIVATE void cn_serve_answer(connect_call_t *call);
CN_PRIVATE connect_io_t cn_serve_send(connect_call_t *call, const void *message, const connect_str_t *encoded);
CN_PRIVATE void cn_serve_proceed(connect_call_t *call, connect_code_t code, const void *answer);
CN_PRIVATE void cn_serve_finish(connect_call_t *call, connect_code_t code, const void *message);
CN_PRIVATE void cn_serve_on_poke(connect_call_t *call);
#endif

/* #### src/call/invoke.h ########################################################################################### */
#if CONNECT_ENABLE_CLIENT
CN_PRIVATE const cn_exchange_events_t *cn_invoke_exchange_events(void);
/* The call has its exchange now: sends what waits. authority, path: live as long as the call. */
CN_PRIVATE void cn_invoke_begun(connect_call_t *call, connect_str_t authority, connect_str_t path);
/* Has interceptors see a call that was just started. */
CN_PRIVATE void cn_invoke_open(connect_call_t *call);
CN_PRIVATE void cn_invoke_proceed(connect_call_t *call, connect_code_t code, const void *answer);
CN_PRIVATE connect_io_t cn_invoke_send(connect_call_t *call, const void *message, const connect_str_t *encoded);
CN_PRIVATE void cn_invoke_finish(connect_call_t *call, connect_code_t code, const void *message);
/* Ends a call with rpc.error, which is set. on_closed follows, out of a feed: never from in here. */
CN_PRIVATE void cn_invoke_end(connect_call_t *call);
CN_PRIVATE void cn_invoke_on_poke(connect_call_t *call);
/* For the _wait functions. Takes the next response: OK: decoded into the arena; AGAIN: none yet; END, ERROR: over. */
CN_PRIVATE connect_io_t cn_invoke_receive(
    connect_call_t *call, void *message, connect_arena_t *arena, connect_error_t *error);
#endif

/* #### src/call/call.c ############################################################################################# */
/* One RPC, seen from either end: the object, its memory, and what both ends do alike. How a server's call runs is in
   serve.c, a client's in invoke.c.

   Memory. A call is one block of CN_CALL_BLOCK bytes: the struct, and behind it the first block of its arena, in
   which headers, request, response and error find room in a usual unary call. Released calls are kept for the next
   ones, with the blocks of their queues, as long as these are small: then a call in steady state allocates nothing.

   Life. A call is held by its exchange (until x's on_closed), by a promise (a unary handler returned LATER: until
   finish), by the user of a client's call without events (until connect_call_free), and by callbacks that run. When the
   last of them lets go it is released, once.

   Input. Received bytes stand in `in` as they came. The peer's window is given back as soon as bytes belong to a
   message that is not complete yet (they are bounded by receive_bytes), or when a message was taken; so a paused call
   withholds it. Envelopes: flags but the protocol's own are refused, a length over the limit is refused from the five
   bytes alone. */

#define CN_CALL_PACKED_MORE (64u * 1024u) /* a compressed message may be longer than receive_bytes by so much */
#define CN_CALL_BLOCK 4096u
#define CN_CALL_POOLED_MAX 128u        /* calls kept */
#define CN_CALL_KEPT_MAX (16u * 1024u) /* bytes of a queue or an arena block kept with one */

#if CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER
/* ---- The object ---- */

static void cn_call_init(
    connect_call_t *call, const connect_allocator_t *allocator, const connect_limits_t *limits, bool is_server) {
    call->x.arena = &call->arena;
    call->x.due_ms = INT64_MAX;
    call->deadline_ms = INT64_MAX;
    call->is_server = is_server;
    call->rpc.x = &call->x;
    call->rpc.arena = &call->arena;
    call->rpc.allocator = allocator;
    call->rpc.limits = limits;
    call->rpc.timeout_ms = CN_TIMEOUT_NONE;
    call->receive_bytes = limits->receive_bytes;
    call->send_bytes = limits->send_bytes;
    call->failure.message = CN_STR("");
    call->rpc.error.message = CN_STR("");
}

CN_PRIVATE connect_call_t *cn_call_new(
    cn_call_pool_t *pool, const connect_allocator_t *allocator, const connect_limits_t *limits, bool is_server) {
    connect_call_t *call;
    if (!pool->ready) {
        cn_list_init(&pool->calls);
        pool->ready = true;
    }
    if (!cn_list_empty(&pool->calls)) {
        call = CN_CONTAINER(cn_list_pop(&pool->calls), connect_call_t, node);
        pool->count--;
    } else {
        if (!allocator) allocator = connect_allocator_libc();
        call = (connect_call_t *)allocator->acquire(allocator->ctx, CN_CALL_BLOCK);
        if (!call) return NULL;
        memset(call, 0, sizeof *call);
        connect_arena_init(&call->arena, (char *)call + sizeof *call, CN_CALL_BLOCK - sizeof *call, allocator);
        call->scratch.private_allocator = allocator;
    }
    cn_call_init(call, allocator, limits, is_server);
    return call;
}

static void cn_call_destroy(connect_call_t *call) {
    const connect_allocator_t *allocator = call->rpc.allocator;
    cn_buf_free(&call->in, allocator);
    cn_buf_free(&call->expanded, allocator);
    cn_buf_free(&call->x.out, allocator);
    connect_arena_free(&call->scratch);
    connect_arena_free(&call->arena);
    cn_mem_release(allocator, call);
}

CN_PRIVATE void cn_call_recycle(cn_call_pool_t *pool, connect_call_t *call) {
    connect_arena_t arena, scratch;
    cn_buf_t in, out, expanded;
    if (!pool || !pool->ready || pool->count >= CN_CALL_POOLED_MAX) {
        cn_call_destroy(call);
        return;
    }
    if (call->in.capacity > CN_CALL_KEPT_MAX) cn_buf_free(&call->in, call->rpc.allocator);
    if (call->x.out.capacity > CN_CALL_KEPT_MAX) cn_buf_free(&call->x.out, call->rpc.allocator);
    if (call->expanded.capacity > CN_CALL_KEPT_MAX) cn_buf_free(&call->expanded, call->rpc.allocator);
    cn_buf_clear(&call->in);
    cn_buf_clear(&call->expanded);
    cn_buf_clear(&call->x.out);
    if (cn_arena_block_size(&call->scratch) > CN_CALL_KEPT_MAX)
        connect_arena_free(&call->scratch);
    else
        connect_arena_reset(&call->scratch);
    if (cn_arena_block_size(&call->arena) > CN_CALL_KEPT_MAX) {
        const connect_allocator_t *allocator = call->arena.private_allocator;
        connect_arena_free(&call->arena);
        connect_arena_init(&call->arena, (char *)call + sizeof *call, CN_CALL_BLOCK - sizeof *call, allocator);
    } else {
        connect_arena_reset(&call->arena);
    }
    arena = call->arena;
    scratch = call->scratch;
    in = call->in;
    out = call->x.out;
    expanded = call->expanded;
    memset(call, 0, sizeof *call);
    call->arena = arena;
    call->scratch = scratch;
    call->in = in;
    call->x.out = out;
    call->expanded = expanded;
    cn_list_append(&pool->calls, &call->node);
    pool->count++;
}

CN_PRIVATE void cn_call_pool_free(cn_call_pool_t *pool, const connect_allocator_t *allocator) {
    while (pool->ready && !cn_list_empty(&pool->calls)) {
        connect_call_t *call = CN_CONTAINER(cn_list_pop(&pool->calls), connect_call_t, node);
        call->rpc.allocator = allocator;
        cn_call_destroy(call);
    }
    pool->count = 0;
}

CN_PRIVATE connect_call_t *cn_call_of(cn_exchange_t *x) {
    return CN_CONTAINER(x, connect_call_t, x);
}

CN_PRIVATE int64_t cn_call_now_ms(const connect_call_t *call) {
    if (call->x.http) return call->x.http->now_ms;
    return call->owner ? call->owner_events->now_ms(call) : call->x.received_ms;
}

CN_PRIVATE void cn_call_enter(connect_call_t *call) {
    call->callbacks++;
}

CN_PRIVATE void cn_call_leave(connect_call_t *call) {
    if (--call->callbacks == 0) connect_arena_reset(&call->scratch);
}

CN_PRIVATE void cn_call_release_if_done(connect_call_t *call) {
    bool user_has_it = call->proceed_due || (call->is_server ? call->promised : call->pull && !call->freed);
    if (call->x.http || user_has_it || call->callbacks || call->released || !call->told || call->poked) return;
    call->released = true;
    cn_list_remove(&call->poke_node);
    if (call->owner)
        call->owner_events->on_released(call);
    else
        cn_call_recycle(NULL, call);
}

CN_PRIVATE void cn_call_poke(connect_call_t *call) {
    call->poked = call->x.http || call->owner; /* else nobody is left to tell it to */
    if (call->x.http)
        cn_exchange_set_due(&call->x, call->x.http->now_ms);
    else if (call->owner)
        call->owner_events->poke(call);
}

CN_PRIVATE void cn_call_on_poke(connect_call_t *call) {
    const bool is_server = call->is_server;
    call->poked = false;
#if CONNECT_ENABLE_SERVER
    if (is_server) cn_serve_on_poke(call);
#endif
#if CONNECT_ENABLE_CLIENT
    if (!is_server) cn_invoke_on_poke(call);
#endif
}

CN_PRIVATE void cn_call_tell_closed(connect_call_t *call) {
    if (call->told) return;
    call->told = true;
    if (!call->entered || !call->events.on_closed) return;
    cn_call_enter(call);
    call->events.on_closed(call, call->rpc.error.code == CONNECT_OK ? NULL : &call->rpc.error, call->user);
    cn_call_leave(call);
}

CN_PRIVATE bool cn_call_single_request(const connect_call_t *call) {
    return call->rpc.method->kind == CONNECT_UNARY || call->rpc.method->kind == CONNECT_SERVER_STREAM;
}

CN_PRIVATE bool cn_call_single_response(const connect_call_t *call) {
    return call->rpc.method->kind == CONNECT_UNARY || call->rpc.method->kind == CONNECT_CLIENT_STREAM;
}

/* ---- Input ---- */

CN_PRIVATE bool cn_call_take_input(connect_call_t *call, const char *bytes, size_t len) {
    call->rpc.received_body = true;
    if (!cn_buf_append(&call->in, call->rpc.allocator, bytes, len)) return cn_error_memory(&call->rpc.error);
    call->unconsumed += len;
    return true;
}

CN_PRIVATE void cn_call_drop_front(connect_call_t *call, size_t whole) {
    cn_buf_drop(&call->in, whole);
}

CN_PRIVATE void cn_call_consume(connect_call_t *call) {
    size_t len = call->unconsumed;
    call->unconsumed = 0;
    if (len && call->x.http) call->x.http->version->consume(&call->x, len);
}

static cn_front_t cn_call_bad(connect_call_t *call, connect_code_t code, const char *text) {
    cn_error_set(&call->rpc.error, code, text);
    return CN_FRONT_BAD;
}

/* What is compressed may be a little longer than the limit of what it expands to: not all can be made shorter. */
static bool cn_call_fits(const connect_call_t *call, size_t len, bool packed) {
    return len <= call->receive_bytes || (packed && len - call->receive_bytes <= CN_CALL_PACKED_MORE);
}

static cn_front_t cn_call_too_large(connect_call_t *call, size_t len) {
    cn_error_print(&call->rpc.error, &call->arena, CONNECT_RESOURCE_EXHAUSTED,
        "a message of %llu bytes is over the limit of %lu (receive_bytes)", (unsigned long long)len,
        (unsigned long)call->receive_bytes);
    return CN_FRONT_BAD;
}

CN_PRIVATE cn_front_t cn_call_front(connect_call_t *call, connect_str_t *payload, size_t *whole) {
    connect_str_t in = cn_buf_view(&call->in);
    const cn_protocol_t *protocol = call->rpc.protocol;
    cn_envelope_t envelope;
    bool is_end;
    if (!protocol->enveloped) { /* the body is the message, and an empty one is a message, too */
        call->packed = call->rpc.coding_received && in.len;
        if (!cn_call_fits(call, in.len, call->packed)) return cn_call_too_large(call, in.len);
        if (!call->in_end) return in.len ? CN_FRONT_PARTIAL : CN_FRONT_NONE;
        if (call->messages_in) return CN_FRONT_NONE;
        *payload = in;
        *whole = in.len;
        return CN_FRONT_MESSAGE;
    }
    if (in.len < CN_ENVELOPE_HEAD) return in.len ? CN_FRONT_PARTIAL : CN_FRONT_NONE;
    envelope = cn_envelope_read(in.data);
    is_end = !call->is_server && protocol->end_flag && (envelope.flags & protocol->end_flag) != 0;
    if ((envelope.flags & CN_ENVELOPE_COMPRESSED) && !call->rpc.coding_received)
        return cn_call_bad(
            call, CONNECT_INTERNAL, "a message is flagged as compressed, but no compression was declared");
    if (envelope.flags & ~(CN_ENVELOPE_COMPRESSED | (is_end ? (unsigned)protocol->end_flag : 0u)))
        return cn_call_bad(call, CONNECT_INTERNAL, "an envelope has flags that this protocol does not know");
    call->packed = (envelope.flags & CN_ENVELOPE_COMPRESSED) && envelope.len;
    if (!cn_call_fits(call, envelope.len, call->packed)) return cn_call_too_large(call, envelope.len);
    if (in.len - CN_ENVELOPE_HEAD < envelope.len) return CN_FRONT_PARTIAL;
    *payload = cn_str(in.data + CN_ENVELOPE_HEAD, envelope.len);
    *whole = CN_ENVELOPE_HEAD + (size_t)envelope.len;
    return is_end ? CN_FRONT_END : CN_FRONT_MESSAGE;
}

CN_PRIVATE bool cn_call_expand(connect_call_t *call, connect_str_t *payload) {
    cn_rpc_t *rpc = &call->rpc;
    if (!call->packed) return true;
    cn_buf_clear(&call->expanded);
    switch (cn_codings_expand(rpc->codings, rpc->coding_received, *payload, call->receive_bytes, &call->expanded)) {
    case CN_EXPAND_OK: *payload = cn_buf_view(&call->expanded); return true;
    case CN_EXPAND_TOO_LARGE:
        return cn_error_print(&rpc->error, rpc->arena, CONNECT_RESOURCE_EXHAUSTED,
            "a message of %llu bytes in %s expands to more than the limit of %lu (receive_bytes)",
            (unsigned long long)payload->len, rpc->coding_received->name, (unsigned long)call->receive_bytes);
    case CN_EXPAND_CORRUPT:
        return cn_error_print(&rpc->error, rpc->arena, call->is_server ? CONNECT_INVALID_ARGUMENT : CONNECT_INTERNAL,
            "a compressed message is not valid %s", rpc->coding_received->name);
    case CN_EXPAND_NO_MEMORY: break;
    }
    return cn_error_memory(&rpc->error);
}

static connect_codec_options_t cn_call_codec_options(const connect_call_t *call) {
    connect_codec_options_t options = *call->codec_options;
    options.depth_max = call->rpc.limits->depth;
    options.memory_max = call->rpc.limits->decode_bytes;
    options.merge = false;
    return options;
}

static bool cn_call_take_raw(connect_str_t *to, connect_str_t bytes, connect_arena_t *copy_or_null) {
    *to = copy_or_null ? connect_arena_copy(copy_or_null, bytes) : bytes;
    return to->data != NULL;
}

CN_PRIVATE void *cn_call_new_message(const connect_type_t *type, connect_arena_t *arena) {
    void *message = connect_arena_take(arena, 1, type ? type->size : sizeof(connect_str_t));
    if (message && type) connect_message_init(type, message);
    if (message && !type) *(connect_str_t *)message = CN_STR("");
    return message;
}

CN_PRIVATE bool cn_call_copy_message(const connect_type_t *type, void *to, const void *from, connect_arena_t *arena) {
    if (type) return connect_message_copy(type, to, from, arena);
    return cn_call_take_raw((connect_str_t *)to, *(const connect_str_t *)from, arena);
}

CN_PRIVATE bool cn_call_decode(connect_call_t *call, const connect_type_t *type, void *message, connect_str_t payload,
    connect_arena_t *arena, bool copy, connect_error_t *error) {
    connect_codec_options_t options = cn_call_codec_options(call);
    options.copy = copy;
    if (!type)
        return cn_call_take_raw((connect_str_t *)message, payload, copy ? arena : NULL) || cn_error_memory(error);
#if CONNECT_ENABLE_JSON
    if (call->rpc.json) return cn_pbjson_decode(type, message, payload, arena, &options, error);
#endif
    return cn_pb_decode(type, message, payload, arena, &options, error);
}

/* ---- Output ---- */

CN_PRIVATE bool cn_call_encode(
    connect_call_t *call, const connect_type_t *type, const void *message, cn_buf_t *out, connect_error_t *error) {
    connect_codec_options_t options = cn_call_codec_options(call);
    if (call->rpc.get) options.deterministic = true; /* one URL for one request, for caches */
    if (!type)
        return cn_buf_append_str(out, call->rpc.allocator, *(const connect_str_t *)message) || cn_error_memory(error);
#if CONNECT_ENABLE_JSON
    if (call->rpc.json) return cn_pbjson_encode(type, message, out, call->rpc.allocator, &options, &call->arena, error);
#endif
    return cn_pb_encode(type, message, out, call->rpc.allocator, &options, &call->arena, error);
}

/* A message of one's own that does not encode: on a server it is not the client's argument that is invalid. */
static bool cn_call_encode_own(connect_call_t *call, const void *message, cn_buf_t *out, connect_error_t *error) {
    const connect_method_t *method = call->rpc.method;
    if (cn_call_encode(call, call->is_server ? method->output : method->input, message, out, error)) return true;
    if (call->is_server && error->code == CONNECT_INVALID_ARGUMENT) error->code = CONNECT_INTERNAL;
    return false;
}

static bool cn_call_check_send(connect_call_t *call, size_t len, connect_error_t *error) {
    return len <= call->send_bytes ||
        cn_error_print(error, &call->arena, CONNECT_RESOURCE_EXHAUSTED,
            "a message of %llu bytes is over the limit of %lu (send_bytes)", (unsigned long long)len,
            (unsigned long)call->send_bytes);
}

/* Appends a message, compressed if that is wanted and it is long enough. */
static bool cn_call_put_packed(
    connect_call_t *call, const void *message, const connect_str_t *encoded, bool *packed, connect_error_t *error) {
    cn_codings_t *codings = call->rpc.codings;
    cn_buf_t *plain = cn_codings_plain(codings);
    connect_str_t bytes = encoded ? *encoded : CN_STR("");
    bool ok = encoded || cn_call_encode_own(call, message, plain, error);
    if (!encoded) bytes = cn_buf_view(plain);
    ok = ok && cn_call_check_send(call, bytes.len, error);
    *packed = ok && bytes.len >= codings->min && bytes.len != 0;
    if (ok &&
        !(*packed ? cn_codings_compress(codings, call->rpc.coding_sent, bytes, &call->x.out)
                  : cn_buf_append_str(&call->x.out, call->rpc.allocator, bytes)))
        ok = cn_error_memory(error);
    cn_codings_done(codings);
    return ok;
}

static bool cn_call_put_plain(
    connect_call_t *call, const void *message, const connect_str_t *encoded, connect_error_t *error) {
    cn_buf_t *out = &call->x.out;
    const size_t before = cn_buf_len(out);
    if (encoded) {
        if (!cn_buf_append_str(out, call->rpc.allocator, *encoded)) return cn_error_memory(error);
    } else if (!cn_call_encode_own(call, message, out, error)) {
        return false;
    }
    return cn_call_check_send(call, cn_buf_len(out) - before, error);
}

/* An empty body stays as it is; but a client that compresses whatever it sends, compress_min 1, says so of it, too. */
static bool cn_call_announces_empty(const connect_call_t *call, size_t len) {
    return len == 0 && !call->is_server && !call->rpc.get && call->rpc.codings->min == 1;
}

static bool cn_call_append_message(
    connect_call_t *call, const void *message, const connect_str_t *encoded_or_null, connect_error_t *error) {
    const bool enveloped = call->rpc.protocol->enveloped;
    const char head[CN_ENVELOPE_HEAD] = {0};
    cn_buf_t *out = &call->x.out;
    const size_t before = cn_buf_len(out);
    bool packed = false, ok;
    if (call->messages_out && (call->is_server ? cn_call_single_response(call) : cn_call_single_request(call)))
        return cn_error_set(error, CONNECT_INTERNAL, "a second message was sent where the method has one");
    if (enveloped && !cn_buf_append(out, call->rpc.allocator, head, sizeof head)) return cn_error_memory(error);
    ok = call->rpc.coding_sent ? cn_call_put_packed(call, message, encoded_or_null, &packed, error)
                               : cn_call_put_plain(call, message, encoded_or_null, error);
    if (!ok) {
        cn_buf_truncate(out, before);
        return false;
    }
    if (enveloped)
        cn_envelope_write(out->block + out->start + before, packed ? CN_ENVELOPE_COMPRESSED : 0,
            (uint32_t)(cn_buf_len(out) - before - CN_ENVELOPE_HEAD));
    else
        call->rpc.coding_body = packed || cn_call_announces_empty(call, cn_buf_len(out)) ? call->rpc.coding_sent : NULL;
    call->messages_out++;
    return true;
}

CN_PRIVATE bool cn_call_put_message(
    connect_call_t *call, const void *message, const connect_str_t *encoded_or_null, connect_error_t *error) {
    connect_code_t code = CONNECT_OK;
    bool ok = false;
    cn_call_enter(call); /* what interceptors put in place stands in the scratch arena */
    if (message) code = cn_intercept_send(call, &message);
    if (code != CONNECT_OK)
        *error = cn_call_failure(call, code);
    else
        ok = cn_call_append_message(call, message, encoded_or_null, error);
    cn_call_leave(call);
    return ok;
}

/* ---- Metadata ---- */

CN_PRIVATE bool cn_call_may_set(const char *name, bool is_server) {
    static const char *const reserved[] = {"content-type", "content-length", "content-encoding", "transfer-encoding",
        "connection", "keep-alive", "proxy-connection", "upgrade", "te", "trailer", "host", "date", "accept-encoding",
        "expect"};
    static const char *const prefixes[] = {"connect-", "grpc-", "trailer-"};
    connect_str_t given = connect_str_of(name);
    size_t i;
    for (i = 0; i < CN_LEN(reserved); i++)
        if (cn_str_equal_nocase(given, connect_str_of(reserved[i]))) return false;
    for (i = 0; i < CN_LEN(prefixes); i++) {
        size_t len = strlen(prefixes[i]);
        if (given.len >= len && cn_str_equal_nocase(cn_str(name, len), cn_str(prefixes[i], len))) return false;
    }
    return !is_server || !cn_str_equal_nocase(given, CN_STR("user-agent"));
}

CN_PRIVATE bool cn_call_put_header(connect_call_t *call, cn_headers_t *headers, const char *name, connect_str_t value) {
    connect_str_t given = connect_str_of(name);
    char *lower;
    size_t i;
    if (!cn_header_name_valid(given) || !cn_header_value_valid(value)) return false;
    lower = (char *)cn_arena_raw(&call->arena, given.len + 1);
    if (!lower) return false;
    for (i = 0; i <= given.len; i++)
        lower[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];
    if (!cn_call_may_set(lower, call->is_server)) return false;
    value = connect_arena_copy(&call->arena, value);
    if (value.data && given.len > 4 && strcmp(lower + given.len - 4, "-bin") == 0 &&
        !connect_base64_decode(value, &call->arena).data)
        return false;
    return value.data && cn_headers_put(headers, &call->arena, lower, value);
}

bool connect_call_set_header(connect_call_t *call, const char *name, connect_str_t value) {
    if (call->x.sent_head || call->answered) return false;
    return cn_call_put_header(call, &call->rpc.headers, name, value);
}

bool connect_call_set_trailer(connect_call_t *call, const char *name, connect_str_t value) {
    if (!call->is_server || call->answered) return false;
    return cn_call_put_header(call, &call->rpc.trailers, name, value);
}

const connect_call_info_t *connect_call_info(const connect_call_t *call) {
    return &call->info;
}

int64_t connect_call_time_left_ms(const connect_call_t *call) {
    int64_t now = cn_call_now_ms(call);
    if (call->deadline_ms == INT64_MAX)
        return call->is_server || call->rpc.timeout_ms == CN_TIMEOUT_NONE ? INT64_MAX : call->rpc.timeout_ms;
    return CN_MAX(call->deadline_ms - now, 0);
}

connect_arena_t *connect_call_arena(connect_call_t *call) {
    return &call->arena;
}

connect_arena_t *connect_call_scratch(connect_call_t *call) {
    return &call->scratch;
}

void connect_call_set_user(connect_call_t *call, void *user) {
    call->user = user;
}

bool connect_call_set_value(connect_call_t *call, const void *key, void *value) {
    cn_value_t *entry = NULL;
    size_t i;
    for (i = 0; !entry && i < CN_LEN(call->values); i++)
        if (!call->values[i].key || call->values[i].key == key) entry = &call->values[i];
    if (!entry) {
        for (entry = call->more_values; entry && entry->key != key; entry = entry->next) {}
        if (!entry) {
            entry = CONNECT_NEW(&call->arena, cn_value_t, 1);
            if (!entry) return false;
            entry->next = call->more_values;
            call->more_values = entry;
        }
    }
    entry->key = key;
    entry->value = value;
    return true;
}

void *connect_call_value(const connect_call_t *call, const void *key) {
    const cn_value_t *entry;
    size_t i;
    if (!key) return call->context;
    for (i = 0; i < CN_LEN(call->values) && call->values[i].key; i++)
        if (call->values[i].key == key) return call->values[i].value;
    for (entry = call->more_values; entry; entry = entry->next)
        if (entry->key == key) return entry->value;
    return NULL;
}

bool connect_call_set_compression(connect_call_t *call, const char *name) {
    cn_rpc_t *rpc = &call->rpc;
    const bool begun = call->x.sent_head || call->messages_out;
    const cn_coding_t *coding;
    if (call->answered || !cn_codings_choose(rpc->codings, name, &coding, NULL)) return false;
    if (coding && (begun ? coding != rpc->coding_announced : call->is_server && !cn_protocol_peer_takes(rpc, coding)))
        return false;
    if (!begun) rpc->coding_announced = coding;
    rpc->coding_sent = coding;
    call->info.compression_sent = cn_coding_name(coding);
    return true;
}

void connect_call_set_limits(connect_call_t *call, uint32_t receive_bytes, uint32_t send_bytes) {
    if (receive_bytes) call->receive_bytes = receive_bytes;
    if (send_bytes) call->send_bytes = send_bytes;
}

/* ---- Errors ---- */

CN_PRIVATE connect_error_t cn_call_failure(const connect_call_t *call, connect_code_t code) {
    connect_error_t error = call->failure;
    error.code = code == CONNECT_LATER ? CONNECT_INTERNAL : code;
    return error;
}

connect_code_t connect_call_fail(connect_call_t *call, connect_code_t code, const char *format, ...) {
    connect_str_t text;
    va_list arguments;
    va_start(arguments, format);
    text = cn_arena_vprintf(&call->arena, format, arguments);
    va_end(arguments);
    call->failure.code = code;
    call->failure.message = text.data ? text : connect_str_of(format);
    return code;
}

connect_code_t connect_call_fail_as(connect_call_t *call, const connect_error_t *error) {
    size_t i;
    cn_error_copy(&call->failure, error, &call->arena);
    for (i = 0; i < error->metadata.count; i++)
        connect_call_set_trailer(call, error->metadata.items[i].name, error->metadata.items[i].value);
    return error->code;
}

bool connect_call_add_detail(connect_call_t *call, const connect_type_t *type, const void *message) {
    connect_str_t bytes = connect_message_encode(type, message, &call->arena, NULL, NULL);
    return bytes.data && cn_error_add_detail(&call->failure, &call->arena, connect_str_of(type->full_name), bytes);
}

/* ---- Verbs ---- */

static connect_io_t cn_call_send_any(connect_call_t *call, const void *message, const connect_str_t *encoded) {
#if CONNECT_ENABLE_SERVER
    if (call->is_server) return cn_serve_send(call, message, encoded);
#endif
#if CONNECT_ENABLE_CLIENT
    if (!call->is_server) return cn_invoke_send(call, message, encoded);
#endif
    return CONNECT_IO_ERROR;
}

connect_io_t connect_call_send(connect_call_t *call, const void *message_or_null) {
    return cn_call_send_any(call, message_or_null, NULL);
}

connect_io_t connect_call_send_encoded(connect_call_t *call, connect_str_t bytes) {
    return cn_call_send_any(call, NULL, &bytes);
}

void connect_call_finish(connect_call_t *call, connect_code_t code, const void *message_or_null) {
    const bool is_server = call->is_server; /* it may be released in between */
#if CONNECT_ENABLE_SERVER
    if (is_server) cn_serve_finish(call, code, message_or_null);
#endif
#if CONNECT_ENABLE_CLIENT
    if (!is_server) cn_invoke_finish(call, code, message_or_null);
#endif
}

void connect_call_pause(connect_call_t *call) {
    call->paused = true;
}

void connect_call_resume(connect_call_t *call) {
    if (!call->paused) return;
    call->paused = false;
    cn_call_poke(call);
}

void connect_call_on_cancel(connect_call_t *call, void (*cancel)(connect_call_t *call, void *arg), void *arg) {
    call->cancel = cancel;
    call->cancel_arg = arg;
}
#endif

/* #### src/call/intercept.c ######################################################################################## */
/* Interceptors around a call: those of the server or client, and inside them those of the route. The first is the
   outermost.

   on_open      outermost first, until one answers, fails, or says LATER; LATER goes on with the next one at
                connect_call_proceed
   messages     requests outermost first, responses innermost first; only those see them that let the call pass
   on_finish    innermost first, all whose on_open was called, that which ended the call included

     opened 0 ---- on_open OK ----> passed = opened ---- ... ----> all have passed: the call goes on
                 \-- LATER -------> opening, proceed_due ---- proceed OK ----> opening (serve and invoke go on out of a
                 \                                         \                   poke: no callback inside of proceed)
                  \-- answer, code -----------------------  answer, code ----> the call ends

   Invariants: passed <= opened. After on_finish opened is 0: it cannot come twice. A call with proceed_due is not
   released, whatever becomes of its peer. */

#if CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER
static const connect_interceptor_t *cn_intercept_at(const connect_call_t *call, size_t i) {
    const cn_interceptors_t *all = &call->interceptors;
    return i < all->outer_count ? &all->outer[i] : &all->inner[i - all->outer_count];
}

CN_PRIVATE connect_code_t cn_intercept_open(connect_call_t *call, const void **answer) {
    const size_t count = call->interceptors.outer_count + call->interceptors.inner_count;
    call->opening = true;
    while (call->opened < count) {
        const connect_interceptor_t *interceptor = cn_intercept_at(call, call->opened++);
        connect_code_t code = interceptor->on_open ? interceptor->on_open(call, answer, interceptor->user) : CONNECT_OK;
        if (code != CONNECT_OK || *answer) {
            call->opening = call->proceed_due = code == CONNECT_LATER;
            return code;
        }
        call->passed = call->opened;
    }
    call->opening = false;
    return CONNECT_OK;
}

static connect_code_t cn_intercept_message(connect_call_t *call, const void **message, bool received) {
    const bool is_request = received == call->is_server;
    size_t i;
    for (i = 0; i < call->passed; i++) {
        const connect_interceptor_t *interceptor = cn_intercept_at(call, is_request ? i : call->passed - 1 - i);
        connect_code_t (*on_message)(connect_call_t *, const void **, void *) =
            received ? interceptor->on_receive : interceptor->on_send;
        connect_code_t code = on_message ? on_message(call, message, interceptor->user) : CONNECT_OK;
        if (code != CONNECT_OK) return code;
    }
    return CONNECT_OK;
}

CN_PRIVATE connect_code_t cn_intercept_receive(connect_call_t *call, const void **message) {
    return cn_intercept_message(call, message, true);
}

CN_PRIVATE connect_code_t cn_intercept_send(connect_call_t *call, const void **message) {
    return cn_intercept_message(call, message, false);
}

CN_PRIVATE void cn_intercept_finish(connect_call_t *call) {
    const connect_error_t *before = &call->rpc.error;
    connect_error_t error = *before;
    size_t i = call->opened;
    if (i == 0) return;
    call->opened = call->passed = 0;
    call->concluding = true;
    cn_call_enter(call);
    while (i-- > 0) {
        const connect_interceptor_t *interceptor = cn_intercept_at(call, i);
        if (interceptor->on_finish) interceptor->on_finish(call, &error, interceptor->user);
    }
    if (!error.message.data) error.message = CN_STR("");
    if (error.message.data != before->message.data || error.details.items != before->details.items ||
        error.metadata.items != before->metadata.items)
        cn_error_copy(&call->rpc.error, &error, &call->arena); /* what is new may stand in the scratch arena */
    call->rpc.error.code = error.code == CONNECT_LATER ? CONNECT_INTERNAL : error.code;
    cn_call_leave(call);
    call->concluding = false;
}

void connect_call_proceed(connect_call_t *call, connect_code_t code, const void *answer_or_null) {
    const bool is_server = call->is_server; /* it may be released in between */
    if (!call->proceed_due || code == CONNECT_LATER) return;
    call->proceed_due = false;
    if (code == CONNECT_OK && !answer_or_null)
        call->passed = call->opened;
    else
        call->opening = false;
#if CONNECT_ENABLE_SERVER
    if (is_server) cn_serve_proceed(call, code, answer_or_null);
#endif
#if CONNECT_ENABLE_CLIENT
    if (!is_server) cn_invoke_proceed(call, code, answer_or_null);
#endif
}
#endif

/* #### src/call/serve.c ############################################################################################ */
/* A call as the server runs it.

   head in ----> interceptors ----> on_open ----> [one request: the whole of it is in ----> on_request]
                                             \--> [a stream: on_message for each, then on_end]
   a code returned, or finish ----> the answer goes out ----> the exchange closes ----> on_closed ----> released

   A request of one message is handed over only when the request has ended: two messages, none, or a message cut short
   never reach a handler. The answer is made once (`answered`): by the handler, by the deadline, or by whatever was
   wrong with the request. Response headers wait for the first message or the end, so that one write carries a unary
   response, with its length. What is left of a request after its answer has limits.body_gap_ms to come.

   While an interceptor holds a call back (`opening`) what comes of its body is kept, and the peer's window stays shut.

   A response without messages and without headers of the application's goes as one block of headers where the protocol
   ends with HTTP trailers (gRPC "Trailers-Only").

   Invariants: after `answered` nothing is sent. `promised` keeps a unary call whose handler returned LATER until its
   finish, whatever becomes of the exchange. on_closed is told when the exchange is closed and no promise is left. */

#if CONNECT_ENABLE_SERVER
/* ---- Answers ---- */

/* What is left of a request after its answer has limits.body_gap_ms to come. */
static void cn_serve_watch_rest(connect_call_t *call) {
    const uint32_t gap = call->rpc.limits->body_gap_ms;
    const bool rest = !call->x.received_end && gap != CONNECT_UNLIMITED;
    call->deadline_ms = rest ? call->x.http->now_ms + (int64_t)gap : INT64_MAX;
    cn_exchange_set_due(&call->x, call->deadline_ms);
}

static void cn_serve_reset(connect_call_t *call) {
    call->answered = true;
    if (call->x.http) call->x.http->version->reset(&call->x, CN_RESET_INTERNAL);
}

/* Sends the response's head, and says whether that was all of the response. */
static bool cn_serve_send_head(connect_call_t *call, int64_t content_length, connect_headers_t *trailers) {
    cn_exchange_t *x = &call->x;
    cn_headers_t all;
    cn_head_t head;
    bool end;
    memset(&head, 0, sizeof head);
    head.content_length = content_length;
    if (!call->rpc.protocol->server_head(&call->rpc, &head)) return false;
    end = content_length == 0;
    if (trailers && trailers->count) {
        end = end && call->rpc.headers.count == 0;
        if (end) {
            size_t i;
            memset(&all, 0, sizeof all);
            for (i = 0; i < head.header_count; i++)
                if (!cn_headers_put(&all, &call->arena, head.headers[i].name, head.headers[i].value)) return false;
            for (i = 0; i < trailers->count; i++)
                if (!cn_headers_put(&all, &call->arena, trailers->items[i].name, trailers->items[i].value))
                    return false;
            cn_protocol_set_head(&head, &all);
            trailers->count = 0;
        } else {
            head.content_length = -1;
        }
    }
    return x->http->version->send_head(x, &head, end);
}

/* Tells interceptors the outcome. Where they make an error an OK, the one response is an empty one. */
static void cn_serve_conclude(connect_call_t *call) {
    const bool failed = call->rpc.error.code != CONNECT_OK;
    const connect_type_t *type = call->rpc.method->output;
    const void *response;
    cn_intercept_finish(call);
    if (!failed || call->rpc.error.code != CONNECT_OK || !cn_call_single_response(call) || call->messages_out) return;
    response = cn_call_new_message(type, &call->arena);
    if (!response)
        cn_error_memory(&call->rpc.error);
    else
        (void)cn_call_put_message(call, response, NULL, &call->rpc.error);
}

CN_PRIVATE void cn_serve_answer(connect_call_t *call) {
    cn_exchange_t *x = &call->x;
    connect_headers_t trailers = {NULL, 0};
    if (call->answered || call->concluding) return;
    if (call->opened) cn_serve_conclude(call);
    call->answered = call->over = call->drop_input = true;
    if (!x->http) return;
    cn_serve_watch_rest(call);
    if (call->rpc.error.code != CONNECT_OK && !x->sent_head) cn_buf_clear(&x->out);
    if (!call->rpc.protocol->server_end(&call->rpc, &trailers) ||
        (!x->sent_head && !cn_serve_send_head(call, (int64_t)cn_buf_len(&x->out), &trailers))) {
        cn_serve_reset(call);
        return;
    }
    if (cn_buf_len(&x->out)) x->http->version->flush(x);
    x->http->version->send_end(x, trailers);
    cn_call_consume(call);
}

CN_PRIVATE void cn_serve_plain(
    connect_call_t *call, int status, const char *header_or_null, connect_str_t value, connect_str_t text) {
    cn_exchange_t *x = &call->x;
    connect_headers_t none = {NULL, 0};
    cn_headers_t headers;
    cn_head_t head;
    memset(&head, 0, sizeof head);
    memset(&headers, 0, sizeof headers);
    call->plain = call->told = call->answered = call->drop_input = true;
    head.status = status;
    head.content_length = (int64_t)text.len;
    if ((header_or_null && !cn_headers_put(&headers, &call->arena, header_or_null, value)) ||
        (text.len && !cn_headers_put(&headers, &call->arena, "content-type", CN_STR("text/plain; charset=utf-8"))) ||
        !cn_buf_append_str(&x->out, call->rpc.allocator, text)) {
        cn_serve_reset(call);
        return;
    }
    cn_protocol_set_head(&head, &headers);
    if (!x->http->version->send_head(x, &head, text.len == 0)) {
        cn_serve_reset(call);
        return;
    }
    if (text.len) x->http->version->flush(x);
    x->http->version->send_end(x, none);
    cn_serve_watch_rest(call);
}

static void cn_serve_finish_with(connect_call_t *call, connect_code_t code, const void *message) {
    connect_error_t error;
    if (call->finished || call->concluding) return;
    call->finished = true;
    if (call->answered) return;
    if (code != CONNECT_OK) {
        call->rpc.error = cn_call_failure(call, code);
    } else {
        bool single = cn_call_single_response(call);
        if (single && !message && !call->messages_out) message = call->response;
        if (message && !cn_call_put_message(call, message, NULL, &error)) call->rpc.error = error;
    }
    cn_serve_answer(call);
}

/* The exchange is gone and so may be the promise: tell, and let go. */
static void cn_serve_settle(connect_call_t *call) {
    if (!call->x.http && !call->promised && call->over) cn_call_tell_closed(call);
    cn_call_release_if_done(call);
}

CN_PRIVATE void cn_serve_finish(connect_call_t *call, connect_code_t code, const void *message) {
    bool promised = call->promised;
    if (call->opening) return; /* it is for the interceptor to say */
    cn_serve_finish_with(call, code, message);
    call->promised = false;
    if (!promised || call->x.http) return;
    if (call->entered && call->events.on_closed) {
        cn_call_poke(call);
    } else {
        call->told = true;
        cn_call_release_if_done(call);
    }
}

CN_PRIVATE connect_io_t cn_serve_send(connect_call_t *call, const void *message, const connect_str_t *encoded) {
    cn_exchange_t *x = &call->x;
    const bool single = cn_call_single_response(call);
    connect_error_t error;
    if (call->finished || call->answered || call->opening || call->concluding || !x->http) return CONNECT_IO_END;
    if (message || encoded) {
        if (cn_buf_len(&x->out) >= call->rpc.limits->stream_buffer) {
            x->over_high_water = true;
            return CONNECT_IO_AGAIN;
        }
        if (!cn_call_put_message(call, message, encoded, &error)) {
            call->rpc.error = error;
            cn_serve_answer(call);
            return CONNECT_IO_ERROR;
        }
        if (single) return CONNECT_IO_OK; /* goes with the end */
    }
    if (!x->sent_head && call->rpc.protocol->enveloped && !cn_serve_send_head(call, -1, NULL)) {
        cn_serve_reset(call);
        return CONNECT_IO_ERROR;
    }
    if (cn_buf_len(&x->out)) x->http->version->flush(x);
    return CONNECT_IO_OK;
}

/* ---- Handlers ---- */

static void cn_serve_writable(connect_call_t *call) {
    if (!call->entered || call->finished || call->answered || !call->events.on_writable) return;
    cn_call_enter(call);
    call->events.on_writable(call, call->user);
    cn_call_leave(call);
}

static void cn_serve_returned(connect_call_t *call, connect_code_t code) {
    if (code != CONNECT_LATER) {
        cn_serve_finish_with(call, code, NULL);
        return;
    }
    call->entered = true;
    if (call->draining) cn_call_poke(call);
    if (call->finished) return;
    if (call->rpc.method->kind == CONNECT_UNARY)
        call->promised = true;
    else if (!cn_call_single_response(call))
        cn_serve_writable(call);
}

/* Makes the response that on_request or on_end fills in. Returns false: out of memory, answered. */
static bool cn_serve_make_response(connect_call_t *call, void **response) {
    *response = NULL;
    if (!cn_call_single_response(call)) return true;
    call->response = *response = cn_call_new_message(call->rpc.method->output, &call->arena);
    if (*response) return true;
    cn_error_memory(&call->rpc.error);
    cn_serve_answer(call);
    return false;
}

/* Has interceptors see a message. Returns false: one of them refuses it, rpc.error says so. */
static bool cn_serve_intercept(connect_call_t *call, const void **message) {
    connect_code_t code = cn_intercept_receive(call, message);
    if (code != CONNECT_OK) call->rpc.error = cn_call_failure(call, code);
    return code == CONNECT_OK;
}

/* The one request as the handler gets it: it lives as long as the call, also if an interceptor put it there. Returns
   false: rpc.error says why. */
static bool cn_serve_take_request(connect_call_t *call, connect_str_t payload) {
    const connect_type_t *type = call->rpc.method->input;
    void *message, *copy;
    bool ok;
    call->messages_in++;
    if (!cn_call_expand(call, &payload)) return false;
    message = cn_call_new_message(type, &call->arena);
    if (!message) return cn_error_memory(&call->rpc.error);
    if (!cn_call_decode(call, type, message, payload, &call->arena, false, &call->rpc.error)) return false;
    call->request = message;
    if (!call->passed) return true;
    cn_call_enter(call);
    ok = cn_serve_intercept(call, &call->request);
    if (ok && call->request != message) {
        copy = cn_call_new_message(type, &call->arena);
        ok = (copy && cn_call_copy_message(type, copy, call->request, &call->arena)) ||
            cn_error_memory(&call->rpc.error);
        call->request = copy;
    }
    cn_call_leave(call);
    return ok;
}

static void cn_serve_request(connect_call_t *call, connect_str_t payload) {
    connect_code_t code = CONNECT_UNIMPLEMENTED;
    void *response;
    if (!cn_serve_take_request(call, payload)) {
        cn_serve_answer(call);
        return;
    }
    if (!cn_serve_make_response(call, &response)) return;
    if (call->events.on_request) {
        cn_call_enter(call);
        code = call->events.on_request(call, call->request, response, call->user);
        cn_call_leave(call);
    }
    cn_serve_returned(call, code);
}

/* Hands one message of a stream over. Returns false: not taken now, or no more is wanted. */
static bool cn_serve_message(connect_call_t *call, connect_str_t payload, size_t whole) {
    const connect_type_t *type = call->rpc.method->input;
    connect_io_t taken = CONNECT_IO_OK;
    const void *seen;
    void *message;
    cn_call_enter(call);
    seen = message = cn_call_new_message(type, &call->scratch);
    if (!message) {
        cn_error_memory(&call->rpc.error);
        cn_serve_answer(call);
    } else if (!cn_call_expand(call, &payload) ||
        !cn_call_decode(call, type, message, payload, &call->scratch, false, &call->rpc.error) ||
        !cn_serve_intercept(call, &seen)) {
        cn_serve_answer(call);
    } else if (call->events.on_message) {
        taken = call->events.on_message(call, seen, call->user);
    }
    cn_call_leave(call);
    if (call->answered) return false;
    if (taken == CONNECT_IO_AGAIN) {
        call->paused = true;
        return false;
    }
    call->messages_in++;
    cn_call_drop_front(call, whole);
    if (taken != CONNECT_IO_OK) call->drop_input = true;
    return true;
}

static void cn_serve_stream_end(connect_call_t *call) {
    connect_code_t code = CONNECT_OK;
    void *response;
    call->end_told = true;
    if (!cn_serve_make_response(call, &response)) return;
    if (call->events.on_end) {
        cn_call_enter(call);
        code = call->events.on_end(call, response, call->user);
        cn_call_leave(call);
    }
    if (code != CONNECT_LATER) cn_serve_finish_with(call, code, NULL);
}

static void cn_serve_fail(connect_call_t *call, connect_code_t code, const char *text) {
    cn_error_set(&call->rpc.error, code, text);
    cn_serve_answer(call);
}

/* A request of one message: hands it over once the request has ended. */
static void cn_serve_pump_single(connect_call_t *call) {
    connect_str_t payload = {"", 0};
    size_t whole = 0;
    cn_front_t front;
    if (call->messages_in) return;
    front = cn_call_front(call, &payload, &whole);
    if (front == CN_FRONT_BAD) {
        cn_serve_answer(call);
    } else if (front == CN_FRONT_MESSAGE && cn_buf_len(&call->in) > whole) {
        cn_serve_fail(call, CONNECT_UNIMPLEMENTED, "the request has more than the one message it should have");
    } else if (!call->in_end) {
        cn_call_consume(call);
    } else if (front == CN_FRONT_NONE) {
        cn_serve_fail(call, CONNECT_UNIMPLEMENTED, "the request has no message");
    } else if (front == CN_FRONT_PARTIAL) {
        cn_serve_fail(call, CONNECT_INTERNAL, "the request ends inside a message");
    } else {
        cn_serve_request(call, payload);
    }
}

static void cn_serve_pump_stream(connect_call_t *call) {
    while (!call->answered && !call->paused && !call->drop_input) {
        connect_str_t payload;
        size_t whole;
        cn_front_t front = cn_call_front(call, &payload, &whole);
        if (front == CN_FRONT_BAD) {
            cn_serve_answer(call);
        } else if (front == CN_FRONT_MESSAGE) {
            if (!cn_serve_message(call, payload, whole)) return;
            if (call->in.start == call->in.end) cn_call_consume(call);
        } else {
            if (front == CN_FRONT_PARTIAL && call->in_end)
                cn_serve_fail(call, CONNECT_INTERNAL, "the request ends inside a message");
            else if (call->in_end && !call->end_told)
                cn_serve_stream_end(call);
            cn_call_consume(call);
            return;
        }
    }
    if (call->drop_input) {
        cn_buf_clear(&call->in);
        cn_call_consume(call);
        if (call->in_end && !call->end_told && !call->answered) cn_serve_stream_end(call);
    }
}

static void cn_serve_pump(connect_call_t *call) {
    if (call->answered || call->opening || !call->rpc.method) return;
    if (cn_call_single_request(call))
        cn_serve_pump_single(call);
    else
        cn_serve_pump_stream(call);
}

/* ---- The exchange's events ---- */

static void cn_serve_on_head(cn_exchange_t *x) {
    connect_call_t *call = cn_call_of(x);
    call->owner_events->on_head(call);
}

static void cn_serve_on_data(cn_exchange_t *x, const char *bytes, size_t len) {
    connect_call_t *call = cn_call_of(x);
    if (call->answered || call->drop_input) {
        x->http->version->consume(x, len);
        return;
    }
    if (call->rpc.get) {
        x->http->version->consume(x, len);
        cn_error_set(&call->rpc.error, CONNECT_INVALID_ARGUMENT, "a GET has no body");
        cn_serve_answer(call);
        return;
    }
    if (cn_call_take_input(call, bytes, len))
        cn_serve_pump(call);
    else
        cn_serve_answer(call);
}

static void cn_serve_on_end(cn_exchange_t *x) {
    connect_call_t *call = cn_call_of(x);
    call->in_end = true;
    cn_serve_pump(call);
}

static void cn_serve_on_writable(cn_exchange_t *x) {
    cn_serve_writable(cn_call_of(x));
}

static void cn_serve_canceled(connect_call_t *call) {
    void (*cancel)(connect_call_t *, void *) = call->cancel;
    call->cancel = NULL;
    if (!cancel || !call->promised) return;
    cn_call_enter(call);
    cancel(call, call->cancel_arg);
    cn_call_leave(call);
}

/* When the call must be looked at next: its deadline, or the gap between two pieces of a request of one message. */
static int64_t cn_serve_next_due(const connect_call_t *call) {
    int64_t due = call->deadline_ms;
    uint32_t gap = call->rpc.limits->body_gap_ms;
    if (!call->in_end && gap != CONNECT_UNLIMITED && cn_call_single_request(call) && !call->opening)
        due = CN_MIN(due, call->x.received_ms + (int64_t)gap);
    return due;
}

static void cn_serve_on_due(cn_exchange_t *x) {
    connect_call_t *call = cn_call_of(x);
    int64_t now = x->http->now_ms;
    if (call->poked) cn_call_on_poke(call);
    if (call->answered) {
        if (x->received_end) return;
        if (call->deadline_ms <= now)
            x->http->version->reset(x, CN_RESET_NO_ERROR);
        else
            cn_exchange_set_due(x, call->deadline_ms);
        return;
    }
    if (!call->rpc.method) return;
    if (call->deadline_ms <= now) {
        cn_serve_fail(call, CONNECT_DEADLINE_EXCEEDED, "the deadline has passed");
        cn_serve_canceled(call);
    } else if (cn_serve_next_due(call) <= now) {
        cn_serve_fail(call, CONNECT_UNAVAILABLE, "the request came to a halt (limits.body_gap_ms)");
    } else {
        cn_exchange_set_due(x, cn_serve_next_due(call));
    }
}

static void cn_serve_on_closed(cn_exchange_t *x, connect_code_t code, const char *why) {
    connect_call_t *call = cn_call_of(x);
    bool was_answered = call->answered;
    if (code != CONNECT_OK && (!was_answered || call->rpc.error.code == CONNECT_OK))
        cn_error_set(&call->rpc.error, CONNECT_CANCELED, why);
    cn_intercept_finish(call);
    call->answered = call->over = call->drop_input = true;
    if (call->plain || !call->rpc.method) call->told = true;
    call->poked = false; /* nothing is left to resume */
    if (!was_answered) cn_serve_canceled(call);
    cn_serve_settle(call);
}

CN_PRIVATE const cn_exchange_events_t *cn_serve_exchange_events(void) {
    static const cn_exchange_events_t events = {
        cn_serve_on_head, cn_serve_on_data, cn_serve_on_end, cn_serve_on_writable, cn_serve_on_due, cn_serve_on_closed};
    return &events;
}

/* ---- The beginning ---- */

/* Lets a call through its interceptors to the handler, from where it stands. */
static void cn_serve_open(connect_call_t *call) {
    const void *answer = NULL;
    connect_code_t code;
    cn_call_enter(call);
    code = cn_intercept_open(call, &answer);
    if (code == CONNECT_OK && !answer && call->events.on_open) {
        code = call->events.on_open(call, call->user);
        call->entered = code == CONNECT_OK; /* the first event: from here on on_closed is due */
    }
    if ((code != CONNECT_OK || answer) && !call->opening) cn_serve_finish_with(call, code, answer);
    cn_call_leave(call);
    if (call->answered) return;
    cn_exchange_set_due(&call->x, cn_serve_next_due(call));
    if (call->opening || cn_call_single_request(call)) return;
    call->entered = true;
    if (call->draining) cn_call_poke(call);
    if (!cn_call_single_response(call)) cn_serve_writable(call);
}

CN_PRIVATE void cn_serve_proceed(connect_call_t *call, connect_code_t code, const void *answer) {
    if (!call->answered && call->opening) {
        cn_call_poke(call);
        return;
    }
    cn_serve_finish_with(call, code, answer);
    cn_call_release_if_done(call);
}

CN_PRIVATE void cn_serve_on_poke(connect_call_t *call) {
    if (call->opening && !call->proceed_due && !call->answered) {
        call->x.received_ms = cn_call_now_ms(call); /* the peer could not send meanwhile */
        cn_serve_open(call);
    }
    if (call->draining && call->entered && !call->answered && call->events.on_drain) {
        call->draining = false;
        cn_call_enter(call);
        call->events.on_drain(call, call->user);
        cn_call_leave(call);
    }
    cn_serve_pump(call);
    cn_serve_settle(call);
}

static void cn_serve_set_deadline(connect_call_t *call, const connect_deadlines_t *policy) {
    int64_t ms = call->rpc.timeout_ms;
    if (ms == CN_TIMEOUT_NONE && policy->default_ms && policy->default_ms != CONNECT_UNLIMITED) ms = policy->default_ms;
    if (ms != CN_TIMEOUT_NONE && ms < (int64_t)policy->min_ms) ms = policy->min_ms;
    if (policy->max_ms && policy->max_ms != CONNECT_UNLIMITED &&
        (ms == CN_TIMEOUT_NONE || ms > (int64_t)policy->max_ms))
        ms = policy->max_ms;
    if (ms == CN_TIMEOUT_NONE || (policy->spare_streams && call->rpc.method->kind != CONNECT_UNARY)) return;
    call->deadline_ms = cn_call_now_ms(call) + ms;
}

/* The request of a GET stands in its URL. */
static bool cn_serve_take_message(connect_call_t *call) {
    return !call->rpc.get || cn_buf_append_str(&call->in, call->rpc.allocator, call->rpc.message) ||
        cn_error_memory(&call->rpc.error);
}

CN_PRIVATE void cn_serve_begin(connect_call_t *call, const connect_deadlines_t *deadlines) {
    if (!call->rpc.protocol->server_open(&call->rpc) || !cn_serve_take_message(call)) {
        cn_serve_answer(call);
        return;
    }
    call->info.compression_received = cn_coding_name(call->rpc.coding_received);
    call->info.compression_sent = cn_coding_name(call->rpc.coding_sent);
    cn_serve_set_deadline(call, deadlines);
    if (call->deadline_ms <= cn_call_now_ms(call)) {
        cn_serve_fail(call, CONNECT_DEADLINE_EXCEEDED, "the deadline has passed");
        return;
    }
    cn_serve_open(call);
}
#endif

/* #### src/call/invoke.c ########################################################################################### */
/* A call as the client runs it.

   start ----> interceptors ----> (waits for a connection: what is sent meanwhile stands in x.out)
         ----> begun: head, messages, end go
   head in ----> on_open ----> on_message for each ----> the response has ended ----> outcome ----> on_closed

   The outcome is known when the response has ended, and is the protocol's word: trailers, END_STREAM, HTTP status. A
   single response is held until then, as an error after it wins; a response that should be single and is none or two
   is UNIMPLEMENTED, as both specifications' suites want it. A response cut short, or one that breaks the protocol,
   ends the call at once. At the deadline the exchange is reset and the call is DEADLINE_EXCEEDED, whatever the peer
   says later.

   Interceptors see the call inside of connect_client_start, before anything was sent. While one of them holds it back
   (`opening`) a stream's send says AGAIN, and what finish was given is copied. An answer in the server's place goes
   through the codec, as if it had come from there, and through the interceptors outside. A single response is decoded,
   and seen by interceptors, before the outcome is, and given to the application after it.

   Without events (`pull`) messages stay in `in` until cn_invoke_receive asks, and the window stays shut meanwhile.

   Invariants: after `over` rpc.error does not change. on_closed is told once, never inside a function of the user's. */

#if CONNECT_ENABLE_CLIENT
/* ---- The outcome ---- */

/* Response headers and trailers together are the error's metadata. */
static void cn_invoke_set_metadata(connect_call_t *call) {
    const connect_headers_t parts[2] = {call->rpc.received_headers, call->rpc.received_trailers};
    size_t count = parts[0].count + parts[1].count;
    connect_header_t *items = CONNECT_NEW(&call->arena, connect_header_t, count + 1);
    call->info.headers = parts[0];
    call->info.trailers = parts[1];
    if (!items || call->rpc.error.code == CONNECT_OK) return;
    if (parts[0].count) memcpy(items, parts[0].items, parts[0].count * sizeof *items);
    if (parts[1].count) memcpy(items + parts[0].count, parts[1].items, parts[1].count * sizeof *items);
    call->rpc.error.metadata.items = items;
    call->rpc.error.metadata.count = count;
}

/* Tells interceptors the outcome. Where they make an error an OK, the one response is an empty one. */
static void cn_invoke_conclude(connect_call_t *call) {
    const bool failed = call->rpc.error.code != CONNECT_OK;
    cn_intercept_finish(call);
    if (!failed || call->rpc.error.code != CONNECT_OK || !cn_call_single_response(call)) return;
    call->response = cn_call_new_message(call->rpc.method->output, &call->arena);
    if (!call->response) cn_error_memory(&call->rpc.error);
}

CN_PRIVATE void cn_invoke_end(connect_call_t *call) {
    cn_exchange_t *x = &call->x;
    if (call->over) return;
    call->over = call->drop_input = true;
    cn_invoke_set_metadata(call);
    cn_invoke_conclude(call);
    if (x->http && !call->in_end)
        x->http->version->reset(x, CN_RESET_CANCEL);
    else if (x->http && !x->sent_end)
        x->http->version->reset(x, CN_RESET_NO_ERROR);
    else
        cn_call_consume(call);
    if (call->pull) call->told = true;
    if (!call->told) cn_call_poke(call);
}

static void cn_invoke_fail(connect_call_t *call, connect_code_t code, const char *text) {
    cn_error_set(&call->rpc.error, code, text);
    cn_invoke_end(call);
}

/* A peer's message that cannot be read is the peer's fault. */
static void cn_invoke_decode_failed(connect_call_t *call) {
    if (call->rpc.error.code == CONNECT_INVALID_ARGUMENT) call->rpc.error.code = CONNECT_INTERNAL;
    cn_invoke_end(call);
}

/* Has interceptors see a message. Returns false: one of them refuses it, rpc.error says so. */
static bool cn_invoke_intercept(connect_call_t *call, const void **message) {
    connect_code_t code = cn_intercept_receive(call, message);
    if (code != CONNECT_OK) call->rpc.error = cn_call_failure(call, code);
    return code == CONNECT_OK;
}

/* Decodes a message into one of the application's. What interceptors put in its place is copied. Returns false:
   rpc.error says why. */
static bool cn_invoke_decode(
    connect_call_t *call, connect_str_t payload, void *message, connect_arena_t *arena, bool copy) {
    const connect_type_t *type = call->rpc.method->output;
    const void *seen = message;
    bool ok;
    if (!cn_call_decode(call, type, message, payload, arena, copy, &call->rpc.error)) {
        if (call->rpc.error.code == CONNECT_INVALID_ARGUMENT) call->rpc.error.code = CONNECT_INTERNAL;
        return false;
    }
    if (!call->passed) return true;
    cn_call_enter(call);
    ok = cn_invoke_intercept(call, &seen);
    if (ok && seen != message)
        ok = cn_call_copy_message(type, message, seen, arena) || cn_error_memory(&call->rpc.error);
    cn_call_leave(call);
    return ok;
}

/* Decodes a single response, which is held. Returns false: rpc.error says why. */
static bool cn_invoke_take_single(connect_call_t *call) {
    void *message = cn_call_new_message(call->rpc.method->output, &call->arena);
    if (!message) return cn_error_memory(&call->rpc.error);
    if (!cn_invoke_decode(call, call->held, message, &call->arena, false)) return false;
    call->response = message;
    return true;
}

/* on_message, where a single response is due, and on_closed. */
static void cn_invoke_tell(connect_call_t *call) {
    const void *response = call->rpc.error.code == CONNECT_OK && !call->told ? call->response : NULL;
    if (response && call->events.on_message) {
        cn_call_enter(call);
        (void)call->events.on_message(call, response, call->user);
        cn_call_leave(call);
    }
    cn_call_tell_closed(call);
}

/* The response has ended and all of it was taken. */
static void cn_invoke_settle(connect_call_t *call) {
    bool ok;
    if (call->over) return;
    if (!call->rpc.protocol->enveloped) {
        call->held = cn_buf_view(&call->in);
        call->packed = call->rpc.coding_received && call->held.len;
        if (!cn_call_expand(call, &call->held)) {
            cn_invoke_end(call);
            return;
        }
    }
    ok = call->rpc.protocol->client_end(&call->rpc, call->held);
    cn_invoke_set_metadata(call);
    if (ok && cn_call_single_response(call)) {
        if (call->rpc.protocol->enveloped && !call->messages_in)
            cn_error_set(&call->rpc.error, CONNECT_UNIMPLEMENTED, "the response has no message");
        else if (!call->pull || call->passed)
            cn_invoke_take_single(call);
    }
    cn_invoke_end(call);
}

/* ---- The response ---- */

/* Keeps a single response apart: what follows it must be seen first. */
static bool cn_invoke_hold(connect_call_t *call, connect_str_t payload, size_t whole) {
    char *copy;
    if (call->messages_in) {
        cn_invoke_fail(call, CONNECT_UNIMPLEMENTED, "the response has more than the one message it should have");
        return false;
    }
    if (!cn_call_expand(call, &payload)) {
        cn_invoke_end(call);
        return false;
    }
    copy = (char *)cn_arena_raw(&call->arena, payload.len + CN_SLACK);
    if (!copy) {
        cn_error_memory(&call->rpc.error);
        cn_invoke_end(call);
        return false;
    }
    if (payload.len) memcpy(copy, payload.data, payload.len);
    memset(copy + payload.len, 0, CN_SLACK);
    call->held = cn_str(copy, payload.len);
    call->messages_in++;
    cn_call_drop_front(call, whole);
    return true;
}

/* Gives a message of a stream to the application. Returns false: it was not taken, or the call is over. */
static bool cn_invoke_message(connect_call_t *call, connect_str_t payload, size_t whole) {
    const connect_type_t *type = call->rpc.method->output;
    connect_io_t taken = CONNECT_IO_OK;
    if (!call->mute) {
        const void *seen;
        void *message;
        bool ok;
        cn_call_enter(call);
        seen = message = cn_call_new_message(type, &call->scratch);
        if (!message)
            ok = cn_error_memory(&call->rpc.error);
        else
            ok = cn_call_expand(call, &payload) &&
                cn_call_decode(call, type, message, payload, &call->scratch, false, &call->rpc.error);
        if (!ok)
            cn_invoke_decode_failed(call);
        else if (!cn_invoke_intercept(call, &seen))
            cn_invoke_end(call);
        else if (call->events.on_message)
            taken = call->events.on_message(call, seen, call->user);
        cn_call_leave(call);
    }
    if (call->over) return false;
    if (taken == CONNECT_IO_AGAIN) {
        call->paused = true;
        return false;
    }
    if (taken != CONNECT_IO_OK) call->mute = true;
    call->messages_in++;
    cn_call_drop_front(call, whole);
    return true;
}

static bool cn_invoke_end_envelope(connect_call_t *call, connect_str_t payload, size_t whole) {
    if (cn_buf_len(&call->in) > whole) {
        cn_invoke_fail(call, CONNECT_INTERNAL, "bytes follow the end of the response");
        return false;
    }
    if (!cn_call_expand(call, &payload)) {
        cn_invoke_end(call);
        return false;
    }
    if (!call->rpc.protocol->client_end_envelope(&call->rpc, payload) && call->rpc.error.code == CONNECT_OK)
        cn_error_set(&call->rpc.error, CONNECT_INTERNAL, "the end of the response is malformed");
    cn_call_drop_front(call, whole);
    return true;
}

static void cn_invoke_pump(connect_call_t *call) {
    while (!call->over) {
        connect_str_t payload = {"", 0};
        size_t whole = 0;
        cn_front_t front;
        const bool single = cn_call_single_response(call);
        if (call->rpc.ended && cn_buf_len(&call->in)) {
            cn_invoke_fail(call, CONNECT_INTERNAL, "bytes follow the end of the response");
            return;
        }
        front = cn_call_front(call, &payload, &whole);
        if (front == CN_FRONT_BAD) {
            cn_invoke_end(call);
            return;
        }
        if (front == CN_FRONT_END) {
            if (!cn_invoke_end_envelope(call, payload, whole)) return;
            continue;
        }
        if (front == CN_FRONT_MESSAGE && call->rpc.protocol->enveloped) {
            if (single) {
                if (!cn_invoke_hold(call, payload, whole)) return;
                continue;
            }
            if (call->pull || (call->paused && !call->mute)) return;
            if (!cn_invoke_message(call, payload, whole)) return;
            continue;
        }
        cn_call_consume(call);
        if (!call->in_end) return;
        if (front == CN_FRONT_PARTIAL)
            cn_invoke_fail(call, CONNECT_INTERNAL, "the response ends inside a message");
        else
            cn_invoke_settle(call);
        return;
    }
}

/* ---- The exchange's events ---- */

static void cn_invoke_on_head(cn_exchange_t *x) {
    connect_call_t *call = cn_call_of(x);
    connect_code_t code = CONNECT_OK;
    if (call->over) return;
    if (!call->rpc.protocol->client_open(&call->rpc)) {
        cn_invoke_end(call);
        return;
    }
    call->info.headers = call->rpc.received_headers;
    call->info.compression_received = cn_coding_name(call->rpc.coding_received);
    if (!call->events.on_open || call->rpc.error_body) return;
    cn_call_enter(call);
    code = call->events.on_open(call, call->user);
    cn_call_leave(call);
    if (code == CONNECT_OK || call->over) return;
    call->entered = false; /* the first event ended it */
    call->rpc.error = cn_call_failure(call, code);
    cn_invoke_end(call);
}

static void cn_invoke_on_data(cn_exchange_t *x, const char *bytes, size_t len) {
    connect_call_t *call = cn_call_of(x);
    if (call->over) {
        x->http->version->consume(x, len);
        return;
    }
    if (cn_call_take_input(call, bytes, len))
        cn_invoke_pump(call);
    else
        cn_invoke_end(call);
}

static void cn_invoke_on_end(cn_exchange_t *x) {
    connect_call_t *call = cn_call_of(x);
    call->in_end = true;
    if (!call->over) cn_invoke_pump(call);
}

static void cn_invoke_on_writable(cn_exchange_t *x) {
    connect_call_t *call = cn_call_of(x);
    if (call->over || call->finished || !call->events.on_writable) return;
    cn_call_enter(call);
    call->events.on_writable(call, call->user);
    cn_call_leave(call);
}

static void cn_invoke_on_due(cn_exchange_t *x) {
    connect_call_t *call = cn_call_of(x);
    int64_t now = x->http->now_ms;
    if (call->poked) cn_call_on_poke(call);
    if (call->over) return;
    if (call->deadline_ms <= now)
        cn_invoke_fail(call, CONNECT_DEADLINE_EXCEEDED, "the deadline has passed");
    else
        cn_exchange_set_due(x, call->deadline_ms);
}

static void cn_invoke_on_closed(cn_exchange_t *x, connect_code_t code, const char *why) {
    connect_call_t *call = cn_call_of(x);
    if (!call->over && !call->in_end) {
        if (call->deadline_ms <= cn_call_now_ms(call)) { /* the peer's deadline is ours, and its word may come first */
            code = CONNECT_DEADLINE_EXCEEDED;
            why = "the deadline has passed";
        } else if (code == CONNECT_OK) {
            code = CONNECT_UNAVAILABLE;
        }
        cn_error_print(&call->rpc.error, &call->arena, code, "%s", why ? why : "the connection was lost");
        cn_invoke_end(call);
    }
    if (call->poked)
        cn_call_on_poke(call); /* the exchange would have done it */
    else
        cn_call_release_if_done(call);
}

CN_PRIVATE const cn_exchange_events_t *cn_invoke_exchange_events(void) {
    static const cn_exchange_events_t events = {cn_invoke_on_head, cn_invoke_on_data, cn_invoke_on_end,
        cn_invoke_on_writable, cn_invoke_on_due, cn_invoke_on_closed};
    return &events;
}

CN_PRIVATE void cn_invoke_on_poke(connect_call_t *call) {
    if (call->opening && !call->proceed_due && !call->over) cn_invoke_open(call);
    if (call->writable && !call->opening && !call->over) {
        call->writable = false;
        cn_invoke_on_writable(&call->x);
    }
    if (call->draining && !call->over && call->events.on_drain) {
        call->draining = false;
        cn_call_enter(call);
        call->events.on_drain(call, call->user);
        cn_call_leave(call);
    }
    if (call->over)
        cn_invoke_tell(call);
    else
        cn_invoke_pump(call);
    cn_call_release_if_done(call);
}

/* ---- The request ---- */

static void cn_invoke_send_head(connect_call_t *call) {
    cn_exchange_t *x = &call->x;
    size_t waiting = cn_buf_len(&x->out);
    const connect_headers_t none = {NULL, 0};
    cn_head_t head;
    memset(&head, 0, sizeof head);
    head.method = CN_STR("POST");
    head.authority = x->authority;
    head.path = x->path;
    head.content_length = call->finished ? (int64_t)waiting : -1;
    if (call->deadline_ms != INT64_MAX)
        call->rpc.timeout_ms = CN_MIN(call->rpc.timeout_ms, CN_MAX(call->deadline_ms - x->http->now_ms, 0));
    if (!call->rpc.protocol->client_head(&call->rpc, &head)) {
        cn_error_memory(&call->rpc.error);
        cn_invoke_end(call);
        return;
    }
    waiting = cn_buf_len(&x->out); /* a GET took it into its URL */
    if (!x->http->version->send_head(x, &head, call->finished && !waiting)) {
        cn_error_memory(&call->rpc.error);
        cn_invoke_end(call);
        return;
    }
    if (waiting) x->http->version->flush(x);
    if (call->finished) x->http->version->send_end(x, none);
}

CN_PRIVATE void cn_invoke_begun(connect_call_t *call, connect_str_t authority, connect_str_t path) {
    cn_exchange_t *x = &call->x;
    x->authority = authority;
    x->path = path;
    if (call->deadline_ms == INT64_MAX && call->rpc.timeout_ms != CN_TIMEOUT_NONE)
        call->deadline_ms = x->http->now_ms + call->rpc.timeout_ms;
    cn_exchange_set_due(x, call->poked ? x->http->now_ms : call->deadline_ms);
    if (call->finished || !cn_call_single_request(call)) cn_invoke_send_head(call);
}

CN_PRIVATE connect_io_t cn_invoke_send(connect_call_t *call, const void *message, const connect_str_t *encoded) {
    cn_exchange_t *x = &call->x;
    if (call->over || call->finished || call->concluding) return CONNECT_IO_END;
    if (call->opening) {
        call->writable = true;
        return CONNECT_IO_AGAIN;
    }
    if (message || encoded) {
        if (cn_buf_len(&x->out) >= call->rpc.limits->stream_buffer) {
            x->over_high_water = true;
            return CONNECT_IO_AGAIN;
        }
        if (!cn_call_put_message(call, message, encoded, &call->rpc.error)) {
            cn_invoke_end(call);
            return CONNECT_IO_ERROR;
        }
    }
    if (!x->http || cn_call_single_request(call)) return CONNECT_IO_OK;
    if (!x->sent_head)
        cn_invoke_send_head(call);
    else if (cn_buf_len(&x->out))
        x->http->version->flush(x);
    return call->over ? CONNECT_IO_ERROR : CONNECT_IO_OK;
}

/* Copies the request of a call that is held back. */
static bool cn_invoke_hold_request(connect_call_t *call, const void *message) {
    void *copy = cn_call_new_message(call->rpc.method->input, &call->arena);
    call->request = copy;
    return copy && cn_call_copy_message(call->rpc.method->input, copy, message, &call->arena);
}

CN_PRIVATE void cn_invoke_finish(connect_call_t *call, connect_code_t code, const void *message) {
    cn_exchange_t *x = &call->x;
    const connect_headers_t none = {NULL, 0};
    if (code != CONNECT_OK) {
        if (call->over) return;
        call->finished = true;
        cn_error_set(&call->rpc.error, code == CONNECT_LATER ? CONNECT_CANCELED : code, "canceled by this side");
        if (call->failure.message.len) call->rpc.error.message = call->failure.message;
        cn_invoke_end(call);
        return;
    }
    if (call->finished || call->over) return;
    if (call->opening) {
        call->finished = true;
        if (message && !cn_invoke_hold_request(call, message)) {
            cn_error_memory(&call->rpc.error);
            cn_invoke_end(call);
        }
        return;
    }
    if (message && !cn_call_put_message(call, message, NULL, &call->rpc.error)) {
        cn_invoke_end(call);
        return;
    }
    if (cn_call_single_request(call) && !call->messages_out) {
        cn_error_set(&call->rpc.error, CONNECT_INVALID_ARGUMENT, "the call was finished without its request");
        cn_invoke_end(call);
        return;
    }
    call->finished = true;
    if (!x->http) return;
    if (!x->sent_head) {
        cn_invoke_send_head(call);
    } else {
        if (cn_buf_len(&x->out)) x->http->version->flush(x);
        x->http->version->send_end(x, none);
    }
}

/* ---- Interceptors at the beginning ---- */

/* Ends a call by a response of this side's. */
static void cn_invoke_answer(connect_call_t *call, const void *answer) {
    cn_buf_t bytes = {NULL, 0, 0, 0};
    char *copy = NULL;
    if (cn_call_encode(call, call->rpc.method->output, answer, &bytes, &call->rpc.error)) {
        copy = (char *)cn_arena_raw(&call->arena, cn_buf_len(&bytes) + CN_SLACK);
        if (!copy) cn_error_memory(&call->rpc.error);
    }
    if (copy) {
        memset(copy + cn_buf_len(&bytes), 0, CN_SLACK);
        if (cn_buf_len(&bytes)) memcpy(copy, cn_buf_view(&bytes).data, cn_buf_len(&bytes));
        call->held = cn_str(copy, cn_buf_len(&bytes));
        call->local = true;
        cn_invoke_take_single(call);
    }
    cn_buf_free(&bytes, call->rpc.allocator);
    cn_invoke_end(call);
}

CN_PRIVATE void cn_invoke_open(connect_call_t *call) {
    const void *answer = NULL;
    connect_code_t code;
    cn_call_enter(call);
    code = cn_intercept_open(call, &answer);
    if (call->over) {
        call->opening = false;
    } else if (code == CONNECT_OK && answer) {
        cn_invoke_answer(call, answer);
    } else if (code != CONNECT_OK && code != CONNECT_LATER) {
        call->rpc.error = cn_call_failure(call, code);
        cn_invoke_end(call);
    }
    cn_call_leave(call);
    if (call->over || call->opening) return;
    if (call->finished) {
        call->finished = false;
        cn_invoke_finish(call, CONNECT_OK, call->request);
    }
    call->owner_events->on_passed(call);
}

CN_PRIVATE void cn_invoke_proceed(connect_call_t *call, connect_code_t code, const void *answer) {
    if (!call->over && call->opening) {
        cn_call_poke(call);
        return;
    }
    if (!call->over && answer && code == CONNECT_OK) {
        cn_invoke_answer(call, answer);
    } else if (!call->over) {
        call->rpc.error = cn_call_failure(call, code);
        cn_invoke_end(call);
    }
    cn_call_release_if_done(call);
}

/* ---- Receiving without events ---- */

CN_PRIVATE connect_io_t cn_invoke_receive(
    connect_call_t *call, void *message, connect_arena_t *arena, connect_error_t *error) {
    connect_str_t payload = {"", 0};
    size_t whole = 0;
    if (!call->over && !cn_call_single_response(call) && cn_call_front(call, &payload, &whole) == CN_FRONT_MESSAGE &&
        !call->rpc.ended) {
        if (!cn_call_expand(call, &payload) || !cn_invoke_decode(call, payload, message, arena, true)) {
            cn_invoke_end(call);
        } else {
            call->messages_in++;
            cn_call_drop_front(call, whole);
            cn_invoke_pump(call);
            return CONNECT_IO_OK;
        }
    }
    if (!call->over) cn_invoke_pump(call);
    if (!call->over) return CONNECT_IO_AGAIN;
    if (call->rpc.error.code == CONNECT_OK && (call->local || cn_call_single_response(call)) && !call->taken) {
        call->taken = true;
        if (!call->response) {
            if (cn_invoke_decode(call, call->held, message, arena, true)) return CONNECT_IO_OK;
        } else if (cn_call_copy_message(call->rpc.method->output, message, call->response, arena)) {
            return CONNECT_IO_OK;
        } else {
            cn_error_memory(&call->rpc.error);
        }
    }
    if (call->rpc.error.code == CONNECT_OK) return CONNECT_IO_END;
    if (error) cn_error_copy(error, &call->rpc.error, arena);
    return CONNECT_IO_ERROR;
}
#endif

/* #### src/server/route.h ########################################################################################## */
#if CONNECT_ENABLE_SERVER
typedef struct cn_route_t { /* one method of a server */
    char *path;             /* with the prefix; owned by the table */
    size_t path_len;
    uint32_t hash;
    const connect_method_t *method;
    const connect_events_t *events;
    const void *key, *value; /* for connect_call_value: the service and its table of handlers */
    void *user;
    const connect_interceptor_t *interceptors; /* inside the server's */
    size_t interceptor_count;
    connect_deadlines_t deadlines;
    uint32_t receive_bytes, send_bytes; /* 0: the server's */
    const cn_coding_t *coding;          /* of responses; NULL: none, or the client chooses */
    bool free_choice;
} cn_route_t;
typedef struct cn_route_table_t {
    cn_route_t *slots; /* open addressing; path NULL: free */
    size_t capacity, count;
} cn_route_table_t;

/* Adds a route; prefix and path are joined and copied. Returns false: out of memory, or the path is there already. */
CN_PRIVATE bool cn_route_add(cn_route_table_t *table, const connect_allocator_t *allocator, const char *prefix,
    const cn_route_t *route, connect_error_t *error);
/* The route of a path, or NULL. */
CN_PRIVATE const cn_route_t *cn_route_find(const cn_route_table_t *table, connect_str_t path);
CN_PRIVATE void cn_route_free(cn_route_table_t *table, const connect_allocator_t *allocator);
#endif

/* #### src/server/route.c ########################################################################################## */
/* From a request's path to its method: a hash table with open addressing over whole paths ("/acme.v1.Telemetry/Read",
   case-sensitive, nothing unescaped). One hash and, as a rule, one comparison for a request; at most half full. */

#if CONNECT_ENABLE_SERVER
#define CN_ROUTE_FIRST 16u

static cn_route_t *cn_route_slot(const cn_route_table_t *table, connect_str_t path, uint32_t hash) {
    size_t i = hash & (table->capacity - 1);
    while (table->slots[i].path) {
        cn_route_t *slot = &table->slots[i];
        if (slot->hash == hash && connect_str_equal(cn_str(slot->path, slot->path_len), path)) return slot;
        i = (i + 1) & (table->capacity - 1);
    }
    return &table->slots[i];
}

static bool cn_route_grow(cn_route_table_t *table, const connect_allocator_t *allocator) {
    cn_route_table_t larger;
    size_t i;
    larger.capacity = table->capacity ? table->capacity * 2 : CN_ROUTE_FIRST;
    larger.count = table->count;
    larger.slots = (cn_route_t *)cn_mem_acquire(allocator, larger.capacity * sizeof *larger.slots);
    if (!larger.slots) return false;
    for (i = 0; i < table->capacity; i++) {
        const cn_route_t *slot = &table->slots[i];
        if (slot->path) *cn_route_slot(&larger, cn_str(slot->path, slot->path_len), slot->hash) = *slot;
    }
    cn_mem_release(allocator, table->slots);
    *table = larger;
    return true;
}

CN_PRIVATE bool cn_route_add(cn_route_table_t *table, const connect_allocator_t *allocator, const char *prefix,
    const cn_route_t *route, connect_error_t *error) {
    size_t prefix_len = strlen(prefix), path_len = strlen(route->method->path);
    char *path = (char *)cn_mem_acquire(allocator, prefix_len + path_len + 1);
    cn_route_t *slot;
    uint32_t hash;
    if (!path || (table->count * 2 >= table->capacity && !cn_route_grow(table, allocator))) {
        cn_mem_release(allocator, path);
        return cn_error_memory(error);
    }
    memcpy(path, prefix, prefix_len);
    memcpy(path + prefix_len, route->method->path, path_len);
    hash = cn_str_hash(cn_str(path, prefix_len + path_len));
    slot = cn_route_slot(table, cn_str(path, prefix_len + path_len), hash);
    if (slot->path) {
        cn_mem_release(allocator, path);
        return cn_error_set(error, CONNECT_ALREADY_EXISTS, "the server has a method of this path already");
    }
    *slot = *route;
    slot->path = path;
    slot->path_len = prefix_len + path_len;
    slot->hash = hash;
    table->count++;
    return true;
}

CN_PRIVATE const cn_route_t *cn_route_find(const cn_route_table_t *table, connect_str_t path) {
    const cn_route_t *slot;
    if (!table->count) return NULL;
    slot = cn_route_slot(table, path, cn_str_hash(path));
    return slot->path ? slot : NULL;
}

CN_PRIVATE void cn_route_free(cn_route_table_t *table, const connect_allocator_t *allocator) {
    size_t i;
    for (i = 0; i < table->capacity; i++)
        cn_mem_release(allocator, table->slots[i].path);
    cn_mem_release(allocator, table->slots);
    memset(table, 0, sizeof *table);
}
#endif

/* #### src/server/server.h ######################################################################################### */
#if CONNECT_ENABLE_SERVER
typedef struct cn_handlers_t { /* a copied table of handlers */
    struct cn_handlers_t *next;
} cn_handlers_t;

struct connect_server_t {
    const connect_allocator_t *allocator;
    connect_loop_t *loop; /* NULL: not needed yet */
    bool owns_loop;
    connect_limits_t limits;
    connect_deadlines_t deadlines;
    connect_codec_options_t codec_options;
    const connect_interceptor_t *interceptors;
    size_t interceptor_count;
    cn_codings_t codings;
    const cn_coding_t *coding; /* of responses; NULL: none, or the client chooses */
    bool free_choice, no_get;
    unsigned without; /* CN_PROTOCOL_NO_ bits */
    bool no_http1, no_http2, require_connect_header;
    char *prefix;
    cn_route_table_t routes;
    cn_handlers_t *handlers;
    cn_list_t conns, calls; /* open connections; calls that are not released */
    size_t conn_count, call_count;
    cn_buf_pool_t buffers;
    cn_call_pool_t pool;
    cn_list_t pokes;
    connect_task_t poke_task;
    int64_t now_ms;         /* as last told by a connection */
    unsigned runs;          /* connect_server_run that have not returned */
    unsigned busy; /* depth of what runs callbacks */
    bool free_wanted, draining;
    uint32_t grace_ms;
    void *listeners; /* the socket layer's */
    void (*stop_listening)(connect_server_t *server);
};

/* True once a drained server has nothing left to do. */
CN_PRIVATE bool cn_server_is_done(const connect_server_t *server);
#if CONNECT_ENABLE_SOCKETS
/* Makes the server a loop, unless it has one. */
CN_PRIVATE bool cn_server_need_loop(connect_server_t *server, connect_error_t *error);
#endif
#endif

/* #### src/server/server.c ######################################################################################### */
/* A server: the methods it has, the connections it holds, and the decision what a request is.

   The decision, first match wins:
     no such path                     gRPC and gRPC-Web: UNIMPLEMENTED in their form; else 404
     not POST, nor GET where allowed  405, Allow: POST, or: GET, POST (methods without side effects, unary)
     GET of an unknown encoding       415, Accept-Post; also if it has a body
     content type of no protocol      415, Accept-Post: what the method takes
     gRPC over HTTP/1.1               505: its trailers need HTTP/2
     else                             a call; all that is wrong from here on is answered in its protocol's form

   Draining: no listener any more, GOAWAY or Connection: close to every peer, on_drain to every stream; what still runs
   when the grace is over is cut. The server is done when the last connection and the last deferred call are gone.

   `busy` counts what runs callbacks; a server freed in one of them goes when the outermost has ended. */

#if CONNECT_ENABLE_SERVER
/* ---- Callbacks and pokes ---- */

static void cn_server_enter(void *owner, int64_t now_ms) {
    connect_server_t *server = (connect_server_t *)owner;
    server->busy++;
    server->now_ms = CN_MAX(server->now_ms, now_ms);
}

static void cn_server_run_pokes(connect_server_t *server) {
    cn_list_t *node;
    while ((node = cn_list_pop(&server->pokes)) != NULL)
        cn_call_on_poke(CN_CONTAINER(node, connect_call_t, poke_node));
}

static void cn_server_leave(void *owner) {
    connect_server_t *server = (connect_server_t *)owner;
    if (server->busy == 1) cn_server_run_pokes(server);
    if (--server->busy == 0 && server->free_wanted && !server->runs) connect_server_free(server);
}

#if CONNECT_ENABLE_SOCKETS
static void cn_server_on_poke_task(void *arg) {
    cn_server_enter(arg, 0);
    cn_server_leave(arg);
}
#endif

static void cn_server_poke(connect_call_t *call) {
    connect_server_t *server = (connect_server_t *)call->owner;
    cn_list_append(&server->pokes, &call->poke_node);
    if (server->busy) return;
#if CONNECT_ENABLE_SOCKETS
    if (server->loop) {
        connect_loop_after(server->loop, &server->poke_task, 0, cn_server_on_poke_task, server);
        return;
    }
#endif
    if (!cn_list_empty(&server->conns)) cn_http_wake(&CN_CONTAINER(server->conns.next, connect_conn_t, node)->http);
}

/* ---- Requests ---- */

static const connect_method_t *cn_server_unknown_method(void) {
    static const connect_method_t method = {"", NULL, NULL, CONNECT_UNARY, CONNECT_IDEMPOTENCY_UNKNOWN};
    return &method;
}

static void cn_server_answer_unknown(connect_server_t *server, connect_call_t *call, connect_str_t path) {
    connect_str_t quoted = cn_str_quote(&call->arena, path);
    const connect_method_t *method = cn_server_unknown_method();
    call->rpc.protocol = cn_protocol_recognise(
        cn_headers_find(&call->x.headers, "content-type"), method, server->without, &call->rpc.json);
    if (!call->rpc.protocol || call->rpc.protocol->id == CONNECT_PROTOCOL_CONNECT) {
        connect_str_t text = connect_arena_printf(&call->arena, "no method %s\n", quoted.data);
        cn_serve_plain(call, 404, NULL, text, text.data ? text : CN_STR(""));
        return;
    }
    call->rpc.method = method;
    call->rpc.codings = &server->codings;
    call->told = true;
    cn_error_print(&call->rpc.error, &call->arena, CONNECT_UNIMPLEMENTED, "no method %s", quoted.data);
    cn_serve_answer(call);
}

static void cn_server_fill_info(connect_call_t *call, const cn_route_t *route) {
    cn_http_t *http = call->x.http;
    connect_call_info_t *info = &call->info;
    info->method = route->method;
    info->path = route->method->path;
    info->is_server = true;
    info->protocol = call->rpc.protocol->id;
    info->codec = call->rpc.json ? "json" : "proto";
    info->compression_received = info->compression_sent = cn_coding_name(NULL);
    info->headers = cn_headers_view(&call->x.headers);
    info->peer.http = http->version->number;
    info->peer.address = connect_arena_copy(&call->arena, connect_str_of(cn_conn_of(http)->peer)).data;
    if (!info->peer.address) info->peer.address = "";
}

static void cn_server_on_head(connect_call_t *call) {
    connect_server_t *server = (connect_server_t *)call->owner;
    cn_exchange_t *x = &call->x;
    connect_str_t path = x->path, content_type = cn_headers_find(&x->headers, "content-type");
    const char *query = path.len ? (const char *)memchr(path.data, '?', path.len) : NULL;
    const cn_route_t *route;
    bool may_get;
    if (query) path.len = (size_t)(query - path.data);
    if (connect_str_equal(x->method, CN_STR("CONNECT"))) { /* it names no path */
        cn_serve_plain(call, 405, "allow", CN_STR("GET, POST"), CN_STR("CONNECT is not served\n"));
        return;
    }
    route = cn_route_find(&server->routes, path);
    if (!route) {
        cn_server_answer_unknown(server, call, path);
        return;
    }
    may_get = !server->no_get && !(server->without & CN_PROTOCOL_NO_CONNECT) && route->method->kind == CONNECT_UNARY &&
        route->method->idempotency == CONNECT_NO_SIDE_EFFECTS;
    if (may_get && connect_str_equal(x->method, CN_STR("GET"))) {
        call->rpc.get = true;
        call->rpc.query = query ? cn_str(query + 1, (size_t)(x->path.data + x->path.len - query - 1)) : CN_STR("");
        call->info.query = call->rpc.query;
        if (x->content_length <= 0 && !cn_headers_find(&x->headers, "transfer-encoding").data)
            call->rpc.protocol =
                cn_protocol_recognise_get(call->rpc.query, &call->arena, server->without, &call->rpc.json);
    } else if (connect_str_equal(x->method, CN_STR("POST"))) {
        call->rpc.protocol = cn_protocol_recognise(content_type, route->method, server->without, &call->rpc.json);
    } else {
        cn_serve_plain(call, 405, "allow", may_get ? CN_STR("GET, POST") : CN_STR("POST"),
            may_get ? CN_STR("only GET and POST are allowed here\n") : CN_STR("only POST is allowed here\n"));
        return;
    }
    if (!call->rpc.protocol) {
        connect_str_t list = cn_protocol_accept_post(&call->arena, route->method, server->without);
        cn_serve_plain(call, 415, "accept-post", list, CN_STR("unsupported content type\n"));
        return;
    }
    if (call->rpc.protocol->id == CONNECT_PROTOCOL_GRPC && x->http->version->number == CONNECT_HTTP_1) {
        cn_serve_plain(call, 505, NULL, content_type, CN_STR("gRPC needs HTTP/2\n"));
        return;
    }
    call->rpc.method = route->method;
    call->rpc.codings = &server->codings;
    call->rpc.coding_sent = route->coding;
    call->rpc.free_choice = route->free_choice;
    call->rpc.require_version = server->require_connect_header;
    call->events = *route->events;
    call->user = route->user;
    call->codec_options = &server->codec_options;
    call->loop = server->loop;
    call->interceptors.outer = server->interceptors;
    call->interceptors.outer_count = server->interceptor_count;
    call->interceptors.inner = route->interceptors;
    call->interceptors.inner_count = route->interceptor_count;
    if (route->receive_bytes) call->receive_bytes = route->receive_bytes;
    if (route->send_bytes) call->send_bytes = route->send_bytes;
    call->values[0].key = route->key;
    call->values[0].value = NULL;
    memcpy(&call->values[0].value, &route->value, sizeof route->value); /* handed out as const again */
    cn_server_fill_info(call, route);
    cn_serve_begin(call, &route->deadlines);
}

static void cn_server_on_released(connect_call_t *call) {
    connect_server_t *server = (connect_server_t *)call->owner;
    cn_list_remove(&call->node);
    server->call_count--;
    cn_call_recycle(&server->pool, call);
}

static int64_t cn_server_now_ms(const connect_call_t *call) {
    return ((const connect_server_t *)call->owner)->now_ms;
}

/* ---- Connections ---- */

static cn_exchange_t *cn_server_on_begin(connect_conn_t *conn) {
    static const cn_call_owner_t events = {
        cn_server_on_head, cn_server_on_released, cn_server_poke, cn_server_now_ms, NULL};
    connect_server_t *server = (connect_server_t *)conn->owner;
    connect_call_t *call = cn_call_new(&server->pool, server->allocator, &server->limits, true);
    if (!call) return NULL;
    call->owner_events = &events;
    call->owner = server;
    call->draining = server->draining;
    call->x.events = cn_serve_exchange_events();
    cn_list_append(&server->calls, &call->node);
    server->call_count++;
    return &call->x;
}

static void cn_server_on_lost(connect_conn_t *conn) {
    ((connect_server_t *)conn->owner)->conn_count--;
}

connect_conn_t *connect_server_accept(connect_server_t *server, const char *peer, connect_error_t *error) {
    static const cn_conn_owner_t events = {
        cn_server_on_begin, NULL, NULL, cn_server_on_lost, cn_server_enter, cn_server_leave};
    cn_conn_options_t options;
    connect_conn_t *conn;
    if (server->draining || server->free_wanted) {
        cn_error_set(error, CONNECT_UNAVAILABLE, "the server is draining");
        return NULL;
    }
    if (server->conn_count >= server->limits.connections) {
        cn_error_set(error, CONNECT_RESOURCE_EXHAUSTED, "too many connections (limits.connections)");
        return NULL;
    }
    memset(&options, 0, sizeof options);
    options.allocator = server->allocator;
    options.limits = &server->limits;
    options.pool = &server->buffers;
    options.events = &events;
    options.owner = server;
    options.peer = peer;
    options.is_server = true;
    options.allow_http1 = !server->no_http1;
    options.allow_http2 = !server->no_http2;
    conn = cn_conn_new(&options);
    if (!conn) {
        cn_error_memory(error);
        return NULL;
    }
    cn_list_append(&server->conns, &conn->node);
    server->conn_count++;
    return conn;
}

/* ---- The server ---- */

static bool cn_server_set_codings(
    connect_server_t *server, const connect_server_options_t *options, connect_error_t *error) {
    cn_codings_options_t codings;
    codings.registered = options->compressions;
    codings.registered_count = options->compression_count;
    codings.accept = options->accept;
    codings.min = options->compress_min;
    codings.level = options->compression_level;
    codings.zstd_window = server->limits.zstd_window;
    server->free_choice = options->compression == NULL;
    return cn_codings_init(&server->codings, server->allocator, &codings, error) &&
        cn_codings_choose(&server->codings, options->compression, &server->coding, error);
}

connect_server_t *connect_server_new(const connect_server_options_t *options, connect_error_t *error) {
    static const connect_server_options_t defaults;
    connect_server_t *server;
    connect_limits_t limits;
    const char *prefix;
    if (!options) options = &defaults;
    prefix = options->prefix ? options->prefix : "";
    if (!cn_limits_resolve(&limits, &options->limits, error)) return NULL;
    if (prefix[0] && (prefix[0] != '/' || prefix[strlen(prefix) - 1] == '/')) {
        cn_error_set(error, CONNECT_INVALID_ARGUMENT, "prefix must begin with a slash and not end with one");
        return NULL;
    }
    if (options->no_http1 && (options->no_http2 || !CONNECT_ENABLE_HTTP2)) {
        cn_error_set(error, CONNECT_INVALID_ARGUMENT, "no_http1 and no_http2 leave nothing to speak");
        return NULL;
    }
    server = (connect_server_t *)cn_mem_acquire(options->allocator, sizeof *server);
    if (!server) {
        cn_error_memory(error);
        return NULL;
    }
    server->allocator = options->allocator;
    server->loop = options->loop;
    server->limits = limits;
    server->deadlines = options->deadlines;
    server->codec_options = options->codec_options;
    server->interceptors = options->interceptors;
    server->interceptor_count = options->interceptor_count;
    server->no_http1 = options->no_http1;
    server->no_http2 = options->no_http2 || !CONNECT_ENABLE_HTTP2;
    server->require_connect_header = options->require_connect_header;
    server->without = (options->no_connect ? (unsigned)CN_PROTOCOL_NO_CONNECT : 0u) |
        (options->no_grpc ? (unsigned)CN_PROTOCOL_NO_GRPC : 0u) |
        (options->no_grpc_web ? (unsigned)CN_PROTOCOL_NO_GRPC_WEB : 0u) |
        (options->no_json ? (unsigned)CN_PROTOCOL_NO_JSON : 0u);
    cn_list_init(&server->conns);
    cn_list_init(&server->calls);
    cn_list_init(&server->pokes);
    server->no_get = options->no_get;
    server->prefix = (char *)cn_mem_acquire(options->allocator, strlen(prefix) + 1);
    if (server->prefix)
        memcpy(server->prefix, prefix, strlen(prefix) + 1);
    else
        cn_error_memory(error);
    if (server->prefix && cn_server_set_codings(server, options, error)) return server;
    cn_codings_free(&server->codings);
    cn_mem_release(options->allocator, server->prefix);
    cn_mem_release(options->allocator, server);
    return NULL;
}

void connect_server_free(connect_server_t *server) {
    const connect_allocator_t *allocator;
    cn_handlers_t *handlers;
    cn_list_t *node;
    if (!server) return;
    if (server->busy || server->runs) {
        server->free_wanted = true;
        return;
    }
    server->busy = 1;
    server->free_wanted = true; /* nothing is accepted any more */
    allocator = server->allocator;
    if (server->stop_listening) server->stop_listening(server);
    while (!cn_list_empty(&server->conns))
        cn_conn_abort(CN_CONTAINER(server->conns.next, connect_conn_t, node));
    cn_server_run_pokes(server);
    while ((node = cn_list_pop(&server->calls)) != NULL)
        CN_CONTAINER(node, connect_call_t, node)->owner = NULL; /* promised calls: finish frees them */
#if CONNECT_ENABLE_SOCKETS
    if (server->loop) connect_loop_after(server->loop, &server->poke_task, -1, NULL, NULL);
    if (server->owns_loop) connect_loop_free(server->loop);
#endif
    cn_call_pool_free(&server->pool, allocator);
    cn_buf_pool_free(&server->buffers, allocator);
    cn_route_free(&server->routes, allocator);
    cn_codings_free(&server->codings);
    while ((handlers = server->handlers) != NULL) {
        server->handlers = handlers->next;
        cn_mem_release(allocator, handlers);
    }
    cn_mem_release(allocator, server->prefix);
    cn_mem_release(allocator, server);
}

bool connect_server_add_service(connect_server_t *server, const connect_service_t *service, const void *handlers,
    void *user, const connect_route_options_t *options, connect_error_t *error) {
    const char *prefix = options && options->prefix ? options->prefix : server->prefix;
    cn_handlers_t *copy;
    cn_route_t route;
    size_t i;
    if (prefix[0] && (prefix[0] != '/' || prefix[strlen(prefix) - 1] == '/'))
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "prefix must begin with a slash and not end with one");
    copy = (cn_handlers_t *)cn_mem_acquire(server->allocator, sizeof *copy + service->handlers_size);
    if (!copy) return cn_error_memory(error);
    memcpy(copy + 1, handlers, service->handlers_size);
    copy->next = server->handlers;
    server->handlers = copy;
    memset(&route, 0, sizeof route);
    route.key = service;
    route.value = copy + 1;
    route.user = user;
    route.deadlines = server->deadlines;
    route.coding = server->coding;
    route.free_choice = server->free_choice;
    if (options) {
        if (options->deadlines.default_ms) route.deadlines.default_ms = options->deadlines.default_ms;
        if (options->deadlines.min_ms) route.deadlines.min_ms = options->deadlines.min_ms;
        if (options->deadlines.max_ms) route.deadlines.max_ms = options->deadlines.max_ms;
        if (options->deadlines.spare_streams) route.deadlines.spare_streams = true;
        route.interceptors = options->interceptors;
        route.interceptor_count = options->interceptor_count;
        route.receive_bytes = options->receive_bytes;
        route.send_bytes = options->send_bytes;
        if (options->compression) {
            route.free_choice = false;
            if (!cn_codings_choose(&server->codings, options->compression, &route.coding, error)) return false;
        }
    }
    for (i = 0; i < service->method_count; i++) {
        route.method = service->methods[i];
        route.events = service->thunks[i];
        if (!cn_route_add(&server->routes, server->allocator, prefix, &route, error)) return false;
    }
    return true;
}

void connect_server_drain(connect_server_t *server, uint32_t grace_ms) {
    cn_list_t *node, *next;
    if (grace_ms == 0) grace_ms = server->limits.drain_ms;
    if (server->stop_listening) server->stop_listening(server);
    server->draining = true;
    for (node = server->conns.next; node != &server->conns; node = next) {
        connect_conn_t *conn = CN_CONTAINER(node, connect_conn_t, node);
        next = node->next;
        cn_conn_drain(conn, grace_ms);
    }
    for (node = server->calls.next; node != &server->calls; node = node->next) {
        connect_call_t *call = CN_CONTAINER(node, connect_call_t, node);
        call->draining = true;
        if (call->events.on_drain && !call->over) cn_call_poke(call);
    }
}

CN_PRIVATE bool cn_server_is_done(const connect_server_t *server) {
    return server->draining && server->conn_count == 0 && server->call_count == 0;
}
#endif

/* #### src/client/loopback.h ####################################################################################### */
#if CONNECT_ENABLE_CLIENT && CONNECT_ENABLE_SERVER
typedef struct cn_loopback_t { /* the connections of one client with a server in the same memory */
    const connect_allocator_t *allocator;
    connect_server_t *server;
    cn_list_t links;
    int64_t now_ms;
    bool is_running, is_woken, is_doomed;         /* doomed: freed by a callback */
    void (*wake)(struct cn_loopback_t *loopback); /* there is something to carry; NULL: who waits will see it */
    connect_loop_t *loop;                         /* NULL: none */
    connect_task_t task;                          /* of the loop's, to carry */
} cn_loopback_t;

/* Returns NULL: out of memory. */
CN_PRIVATE cn_loopback_t *cn_loopback_new(const connect_allocator_t *allocator, connect_server_t *server);
/* Closes both ends of all connections. Legal while it carries: then at the end of that. */
CN_PRIVATE void cn_loopback_free(cn_loopback_t *loopback_or_null);
/* The dialer; user: the loopback. */
CN_PRIVATE connect_code_t cn_loopback_dial(connect_conn_t *conn, const char *address, void *user);
/* Moves what there is to move. Returns true: there is more, for the next time. *is_freed: it was freed meanwhile. */
CN_PRIVATE bool cn_loopback_carry(cn_loopback_t *loopback, int64_t now_ms, bool *is_freed);
/* Returns when to carry at the latest; INT64_MAX: nothing can come. */
CN_PRIVATE int64_t cn_loopback_due_ms(cn_loopback_t *loopback);
#endif

/* #### src/client/loopback.c ####################################################################################### */
/* The loopback: a client's connections with a server in the same memory. Both ends are whole connections; what one puts
   out is fed to the other. No sockets, no clock and no thread: someone calls cn_loopback_carry with the time, the loop
   or a function that waits.

   A wire is one direction: bytes that left an end and were not taken by the other, at most CN_LOOPBACK_ROOM, so that
   backpressure works as over a socket. They are copied there: feeding an end runs callbacks, which may have the other
   one move its output.

   The end of an end is that of a socket's: what it wrote before still arrives, then the other sees the end of the
   input; if that one still has something to say it is told that the connection was reset.

   Events may close any end (end->conn is NULL then), dial, and free the client. Links are freed by cn_loopback_carry
   alone, once both of their ends are closed. */

#if CONNECT_ENABLE_CLIENT && CONNECT_ENABLE_SERVER
#define CN_LOOPBACK_ROOM 65536u
#define CN_LOOPBACK_ROUNDS 64 /* of one carry */

typedef struct cn_loopback_end_t {
    cn_loopback_t *loopback;
    connect_conn_t *conn;     /* NULL: closed */
    cn_buf_t wire;            /* from here to the other end */
    bool is_woken, has_ended; /* ended: it was told the end of its input */
} cn_loopback_end_t;
typedef struct cn_loopback_link_t {
    cn_list_t node;
    cn_loopback_end_t client, server;
} cn_loopback_link_t;

static void cn_loopback_tell(cn_loopback_t *loopback) {
    loopback->is_woken = true;
    if (!loopback->is_running && loopback->wake) loopback->wake(loopback);
}

static void cn_loopback_on_output(connect_conn_t *conn, void *user) {
    cn_loopback_end_t *end = (cn_loopback_end_t *)user;
    (void)conn;
    end->is_woken = true;
    cn_loopback_tell(end->loopback);
}

static void cn_loopback_close(cn_loopback_end_t *end) {
    connect_conn_t *conn = end->conn;
    end->conn = NULL;
    if (!conn) return;
    connect_conn_close(conn);
    cn_loopback_tell(end->loopback);
}

static void cn_loopback_break(cn_loopback_end_t *end, int os_error, const char *why) {
    cn_conn_set_failure(end->conn, os_error, why);
    cn_loopback_close(end);
}

static void cn_loopback_abandon(connect_conn_t *conn, void *transport) {
    cn_loopback_end_t *end = (cn_loopback_end_t *)transport;
    if (end->conn == conn) cn_loopback_close(end);
}

static void cn_loopback_attach(cn_loopback_end_t *end, cn_loopback_t *loopback, connect_conn_t *conn) {
    end->loopback = loopback;
    end->conn = conn;
    end->is_woken = true;
    cn_conn_set_transport(conn, cn_loopback_abandon, end);
    connect_conn_on_output(conn, cn_loopback_on_output, end);
}

CN_PRIVATE connect_code_t cn_loopback_dial(connect_conn_t *conn, const char *address, void *user) {
    cn_loopback_t *loopback = (cn_loopback_t *)user;
    cn_loopback_link_t *link;
    connect_error_t error;
    connect_conn_t *server = connect_server_accept(loopback->server, address, &error);
    if (!server) {
        cn_conn_set_failure(conn, 0, error.message.data);
        return error.code;
    }
    link = (cn_loopback_link_t *)cn_mem_acquire(loopback->allocator, sizeof *link);
    if (!link) {
        connect_conn_close(server);
        cn_conn_set_failure(conn, ENOMEM, "out of memory");
        return CONNECT_RESOURCE_EXHAUSTED;
    }
    cn_loopback_attach(&link->client, loopback, conn);
    cn_loopback_attach(&link->server, loopback, server);
    cn_list_append(&loopback->links, &link->node);
    cn_loopback_tell(loopback);
    return CONNECT_OK;
}

/* ---- Carrying --------------------------------------------------------------------------------------------------- */

/* Opens an end, or tells it the time. Returns false: it was closed. */
static bool cn_loopback_advance(cn_loopback_end_t *end) {
    int64_t now_ms = end->loopback->now_ms;
    if (!end->conn->opened) {
        cn_conn_opened(end->conn, now_ms);
    } else if (end->is_woken || connect_conn_deadline_ms(end->conn) <= now_ms) {
        end->is_woken = false;
        connect_conn_feed(end->conn, "", 0, now_ms);
    }
    return end->conn != NULL;
}

/* Puts an end's output on its wire. Returns whether something happened. */
static bool cn_loopback_collect(cn_loopback_end_t *end, const cn_loopback_end_t *other) {
    bool has_moved = end->conn && end->is_woken;
    if (!end->conn) return false;
    if (!cn_loopback_advance(end)) return true;
    while (cn_buf_len(&end->wire) < CN_LOOPBACK_ROOM) {
        connect_str_t output = connect_conn_output(end->conn);
        if (!end->conn) return true;
        if (output.len == 0) break;
        if (!other->conn) {
            if (cn_buf_len(&other->wire) && (connect_conn_wants(end->conn) & CONNECT_WANTS_READ)) break;
            cn_loopback_break(end, ECONNRESET, "connection to memory: reset by peer");
            return true;
        }
        output.len = CN_MIN(output.len, CN_LOOPBACK_ROOM - cn_buf_len(&end->wire));
        if (!cn_buf_append_str(&end->wire, end->loopback->allocator, output)) {
            cn_loopback_break(end, ENOMEM, "out of memory");
            return true;
        }
        connect_conn_sent(end->conn, output.len);
        has_moved = true;
        if (!end->conn) return true;
    }
    if (connect_conn_wants(end->conn) != 0) return has_moved;
    cn_loopback_close(end);
    return true;
}

/* Feeds what is on a wire, and after the last of it its end. Returns whether something happened. */
static bool cn_loopback_deliver(cn_loopback_end_t *from, cn_loopback_end_t *to) {
    connect_str_t bytes = cn_buf_view(&from->wire);
    size_t taken;
    if (!to->conn) {
        cn_buf_clear(&from->wire);
        return false;
    }
    if (bytes.len == 0) {
        if (from->conn || to->has_ended) return false;
        to->has_ended = true;
        cn_conn_eof(to->conn, to->loopback->now_ms);
        return true;
    }
    if (!(connect_conn_wants(to->conn) & CONNECT_WANTS_READ)) return false;
    taken = connect_conn_feed(to->conn, bytes.data, bytes.len, to->loopback->now_ms);
    cn_buf_drop(&from->wire, taken);
    if (cn_buf_len(&from->wire) == 0) cn_buf_free(&from->wire, from->loopback->allocator);
    return taken > 0;
}

static bool cn_loopback_carry_link(cn_loopback_link_t *link) {
    bool has_moved = cn_loopback_collect(&link->client, &link->server);
    has_moved = cn_loopback_deliver(&link->client, &link->server) || has_moved;
    has_moved = cn_loopback_collect(&link->server, &link->client) || has_moved;
    return cn_loopback_deliver(&link->server, &link->client) || has_moved;
}

static void cn_loopback_free_link(cn_loopback_link_t *link, const connect_allocator_t *allocator) {
    cn_list_remove(&link->node);
    cn_buf_free(&link->client.wire, allocator);
    cn_buf_free(&link->server.wire, allocator);
    cn_mem_release(allocator, link);
}

CN_PRIVATE bool cn_loopback_carry(cn_loopback_t *loopback, int64_t now_ms, bool *is_freed) {
    bool has_moved = true;
    int round;
    *is_freed = false;
    loopback->is_running = true;
    loopback->now_ms = CN_MAX(loopback->now_ms, now_ms);
    for (round = 0; has_moved && round < CN_LOOPBACK_ROUNDS; round++) {
        cn_list_t *node, *next;
        loopback->is_woken = has_moved = false;
        for (node = loopback->links.next; node != &loopback->links; node = next) {
            cn_loopback_link_t *link = CN_CONTAINER(node, cn_loopback_link_t, node);
            has_moved = cn_loopback_carry_link(link) || has_moved;
            next = node->next;
            if (!link->client.conn && !link->server.conn) cn_loopback_free_link(link, loopback->allocator);
        }
        has_moved = has_moved || loopback->is_woken;
    }
    loopback->is_running = false;
    if (loopback->is_doomed) {
        *is_freed = true;
        cn_loopback_free(loopback);
        return false;
    }
    return has_moved;
}

CN_PRIVATE int64_t cn_loopback_due_ms(cn_loopback_t *loopback) {
    int64_t due_ms = INT64_MAX;
    cn_list_t *node;
    if (loopback->is_woken) return loopback->now_ms;
    for (node = loopback->links.next; node != &loopback->links; node = node->next) {
        cn_loopback_link_t *link = CN_CONTAINER(node, cn_loopback_link_t, node);
        if (link->client.conn) due_ms = CN_MIN(due_ms, connect_conn_deadline_ms(link->client.conn));
        if (link->server.conn) due_ms = CN_MIN(due_ms, connect_conn_deadline_ms(link->server.conn));
    }
    return due_ms;
}

/* ---- The beginning and the end ---------------------------------------------------------------------------------- */

CN_PRIVATE cn_loopback_t *cn_loopback_new(const connect_allocator_t *allocator, connect_server_t *server) {
    cn_loopback_t *loopback = (cn_loopback_t *)cn_mem_acquire(allocator, sizeof *loopback);
    if (!loopback) return NULL;
    loopback->allocator = allocator;
    loopback->server = server;
    cn_list_init(&loopback->links);
    return loopback;
}

CN_PRIVATE void cn_loopback_free(cn_loopback_t *loopback_or_null) {
    cn_loopback_t *loopback = loopback_or_null;
    if (!loopback) return;
    loopback->is_doomed = true;
#if CONNECT_ENABLE_SOCKETS
    if (loopback->loop) connect_loop_after(loopback->loop, &loopback->task, -1, NULL, NULL);
#endif
    if (loopback->is_running) return;
    loopback->is_running = true; /* nobody is woken any more */
    while (!cn_list_empty(&loopback->links)) {
        cn_loopback_link_t *link = CN_CONTAINER(loopback->links.next, cn_loopback_link_t, node);
        cn_loopback_close(&link->client);
        cn_loopback_close(&link->server);
        cn_loopback_free_link(link, loopback->allocator);
    }
    cn_mem_release(loopback->allocator, loopback);
}
#endif

/* #### src/client/client.h ######################################################################################### */
#if CONNECT_ENABLE_CLIENT
struct connect_client_t {
    const connect_allocator_t *allocator;
    connect_loop_t *loop; /* NULL: no sockets */
    bool owns_loop;
    connect_limits_t limits;
    connect_codec_options_t codec_options;
    connect_protocol_t protocol;
    connect_http_version_t http; /* 0: by protocol */
    bool json, get;
    cn_codings_t codings;
    const cn_coding_t *coding; /* of requests; NULL: none */
    uint32_t timeout_ms;
    connect_arena_t arena;           /* the texts below, and the headers */
    connect_str_t authority, prefix; /* "gateway:8080", "/api" */
    const char *address;
    connect_headers_t headers;
    const connect_interceptor_t *interceptors;
    size_t interceptor_count;
    connect_dialer_t *dial;
    void *dial_user;
    struct cn_loopback_t *loopback; /* NULL: none */
    int64_t (*clock)(const connect_client_t *client); /* NULL: the time is what connections are told */
    cn_list_t conns, calls, waiting;                  /* calls that have a connection; those that wait for one */
    cn_buf_pool_t buffers;
    cn_call_pool_t pool;
    cn_list_t pokes;
    connect_task_t poke_task;
    int64_t now_ms; /* as last told by a connection; -1: not yet */
    bool told_now;                    /* now_ms is of this moment */
    unsigned waits;                   /* functions that wait for a call of it */
    unsigned busy;
    bool free_wanted, assigning;
    bool unassigned; /* a call came to those that wait */
};

#if CONNECT_ENABLE_SERVER
/* Has a new client call this server in memory: its loopback, dialer, clock and, with sockets, the server's loop. */
CN_PRIVATE bool cn_client_use_loopback(connect_client_t *client, connect_server_t *server, connect_error_t *error);
#endif
#if CONNECT_ENABLE_SOCKETS
/* The socket layer's part of a new client: its loop, dialer and clock, unless it has a dialer. */
CN_PRIVATE bool cn_client_use_sockets(connect_client_t *client, connect_error_t *error);
#endif
#endif

/* #### src/client/client.c ######################################################################################### */
/* A client for the server at one address.

   Calls wait in line for a connection of the HTTP version they need. A connection takes as many as it can (HTTP/1.1:
   one, HTTP/2: what the peer allows); if none can and there may be more (CN_CLIENT_HTTP1_MAX, CN_CLIENT_HTTP2_MAX),
   one is dialled. When a connection that never opened is lost, the calls that waited for it end with its reason,
   UNAVAILABLE; when one that was open is lost, those that wait go on waiting for another.

   A call's deadline runs from its start. Where the time comes from the transport of the user's (dial) and nothing was
   fed yet, it runs from the first feed on.

   base_url (RFC 3986): "http://" authority [path]. The path is put before the methods' own. */

#define CN_CLIENT_HTTP1_MAX 8u
#define CN_CLIENT_HTTP2_MAX 1u

#if CONNECT_ENABLE_CLIENT
static void cn_client_assign(connect_client_t *client);
static bool cn_client_dial(connect_client_t *client, bool http2);

/* -1: not known yet. */
static int64_t cn_client_now_ms(const connect_client_t *client) {
    return client->clock ? client->clock(client) : client->now_ms;
}

/* ---- Callbacks and pokes ---- */

static void cn_client_enter(void *owner, int64_t now_ms) {
    connect_client_t *client = (connect_client_t *)owner;
    client->busy++;
    client->now_ms = CN_MAX(client->now_ms, now_ms);
    client->told_now = now_ms >= 0;
}

static void cn_client_run_pokes(connect_client_t *client) {
    cn_list_t *node;
    while ((node = cn_list_pop(&client->pokes)) != NULL)
        cn_call_on_poke(CN_CONTAINER(node, connect_call_t, poke_node));
}

static void cn_client_leave(void *owner) {
    connect_client_t *client = (connect_client_t *)owner;
    if (client->busy == 1) {
        do {
            client->unassigned = false;
            if (!client->free_wanted) cn_client_assign(client);
            cn_client_run_pokes(client); /* these may start more */
        } while (client->unassigned);
    }
    if (--client->busy == 0 && client->free_wanted && !client->waits) connect_client_free(client);
}

#if CONNECT_ENABLE_SOCKETS
static void cn_client_on_poke_task(void *arg) {
    cn_client_enter(arg, -1);
    cn_client_leave(arg);
}
#endif

/* Has enter and leave run soon, out of a turn or a feed. */
static void cn_client_wake(connect_client_t *client) {
    if (client->busy) return;
#if CONNECT_ENABLE_SOCKETS
    if (client->loop) {
        connect_loop_after(client->loop, &client->poke_task, 0, cn_client_on_poke_task, client);
        return;
    }
#endif
    if (cn_list_empty(&client->conns) && !cn_list_empty(&client->waiting)) { /* lost while an interceptor decided */
        client->busy++;
        cn_client_dial(
            client, CN_CONTAINER(client->waiting.next, connect_call_t, node)->info.peer.http == CONNECT_HTTP_2);
        client->busy--;
    }
    if (!cn_list_empty(&client->conns)) cn_http_wake(&CN_CONTAINER(client->conns.next, connect_conn_t, node)->http);
}

static void cn_client_poke(connect_call_t *call) {
    connect_client_t *client = (connect_client_t *)call->owner;
    cn_list_append(&client->pokes, &call->poke_node);
    cn_client_wake(client);
}

/* A call waits for a connection now. */
static void cn_client_on_passed(connect_call_t *call) {
    connect_client_t *client = (connect_client_t *)call->owner;
    client->unassigned = true;
    cn_client_wake(client);
}

static int64_t cn_client_call_now_ms(const connect_call_t *call) {
    return cn_client_now_ms((const connect_client_t *)call->owner);
}

static void cn_client_on_released(connect_call_t *call) {
    connect_client_t *client = (connect_client_t *)call->owner;
    cn_list_remove(&call->node);
    cn_call_recycle(&client->pool, call);
}

/* ---- Connections ---- */

static connect_conn_t *cn_client_conn_of(cn_list_t *node) {
    return CN_CONTAINER(node, connect_conn_t, node);
}

static connect_call_t *cn_client_call_of(cn_list_t *node) {
    return CN_CONTAINER(node, connect_call_t, node);
}

static bool cn_client_fits(const connect_conn_t *conn, const connect_call_t *call) {
    return !conn->dead && conn->allow_http2 == (call->info.peer.http == CONNECT_HTTP_2);
}

/* Ends the waiting calls whose deadline has come, and has on_due called for the next. */
static void cn_client_watch_waiting(connect_client_t *client) {
    cn_list_t *node, *next;
    const bool fresh = client->clock || client->told_now;
    int64_t due = INT64_MAX, now = cn_client_now_ms(client);
    for (node = client->waiting.next; node != &client->waiting; node = next) {
        connect_call_t *call = cn_client_call_of(node);
        next = node->next;
        if (call->deadline_ms == INT64_MAX && call->rpc.timeout_ms != CN_TIMEOUT_NONE && fresh)
            call->deadline_ms = now + call->rpc.timeout_ms;
        if (call->over || call->deadline_ms <= now) {
            cn_list_remove(&call->node);
            cn_list_append(&client->calls, &call->node);
            cn_error_set(call->over ? NULL : &call->rpc.error, CONNECT_DEADLINE_EXCEEDED,
                "the deadline has passed before there was a connection");
            cn_invoke_end(call);
            cn_call_release_if_done(call);
        } else {
            due = CN_MIN(due, call->deadline_ms);
        }
    }
    if (due != INT64_MAX && !cn_list_empty(&client->conns))
        cn_conn_set_owner_due(cn_client_conn_of(client->conns.next), due);
}

static void cn_client_on_due(connect_conn_t *conn) {
    connect_client_t *client = (connect_client_t *)conn->owner;
    cn_client_watch_waiting(client);
}

static void cn_client_on_room(connect_conn_t *conn) {
    cn_list_t *node;
    cn_client_assign((connect_client_t *)conn->owner);
    if (!conn->http.draining) return;
    for (node = conn->http.exchanges.next; node != &conn->http.exchanges; node = node->next) {
        connect_call_t *call = cn_call_of(CN_CONTAINER(node, cn_exchange_t, node));
        if (!call->events.on_drain || call->over) continue;
        call->draining = true;
        cn_call_poke(call);
    }
}

/* Ends the calls that wait for a connection of this HTTP version, unless there is another. os_error: 0 if none. */
static void cn_client_fail_waiting(
    connect_client_t *client, bool http2, connect_code_t code, const char *text, int os_error) {
    cn_list_t *node, *next;
    for (node = client->conns.next; node != &client->conns; node = node->next)
        if (cn_client_conn_of(node)->allow_http2 == http2 && !cn_client_conn_of(node)->dead) return;
    for (node = client->waiting.next; node != &client->waiting; node = next) {
        connect_call_t *call = cn_client_call_of(node);
        next = node->next;
        if (call->opening || (call->info.peer.http == CONNECT_HTTP_2) != http2) continue;
        cn_list_remove(&call->node);
        cn_list_append(&client->calls, &call->node);
        if (!call->over) {
            cn_error_print(&call->rpc.error, &call->arena, code, "%s", text);
            call->rpc.error.os_error = os_error;
        }
        cn_invoke_end(call);
        cn_call_release_if_done(call);
    }
}

/* A connection that never opened takes the calls with it that wait for one of its kind. */
static void cn_client_on_lost(connect_conn_t *conn) {
    connect_client_t *client = (connect_client_t *)conn->owner;
    cn_list_remove(&conn->node);
    if (conn->opened) return;
    cn_client_fail_waiting(client, conn->allow_http2, conn->dial_code ? conn->dial_code : CONNECT_UNAVAILABLE,
        conn->failure[0] ? conn->failure : "the connection could not be opened", conn->os_error);
}

/* Returns false: it cannot be dialled, and the waiting calls that need it have failed. */
static bool cn_client_dial(connect_client_t *client, bool http2) {
    static const cn_conn_owner_t events = {
        NULL, cn_client_on_room, cn_client_on_due, cn_client_on_lost, cn_client_enter, cn_client_leave};
    cn_conn_options_t options;
    connect_conn_t *conn;
    connect_code_t code;
    memset(&options, 0, sizeof options);
    options.allocator = client->allocator;
    options.limits = &client->limits;
    options.pool = &client->buffers;
    options.events = &events;
    options.owner = client;
    options.peer = client->address;
    options.allow_http1 = !http2;
    options.allow_http2 = http2;
    conn = cn_conn_new(&options);
    if (!conn) {
        cn_client_fail_waiting(client, http2, CONNECT_RESOURCE_EXHAUSTED, "out of memory", ENOMEM);
        return false;
    }
    cn_list_append(&client->conns, &conn->node);
    code = client->dial(conn, client->address, client->dial_user);
    if (code == CONNECT_OK) return true;
    conn->dial_code = code;
    if (!conn->failure[0]) cn_conn_set_failure(conn, 0, "the connection could not be dialled");
    connect_conn_close(conn);
    return false;
}

static connect_conn_t *cn_client_find_room(connect_client_t *client, const connect_call_t *call, uint32_t *others) {
    cn_list_t *node;
    *others = 0;
    for (node = client->conns.next; node != &client->conns; node = node->next) {
        connect_conn_t *conn = cn_client_conn_of(node);
        if (!cn_client_fits(conn, call)) continue;
        if (conn->http.version && !conn->http.draining && !conn->http.closing &&
            conn->http.version->can_begin(&conn->http))
            return conn;
        if (!conn->http.draining && !conn->http.closing) ++*others;
    }
    return NULL;
}

static uint32_t cn_client_count_dialling(connect_client_t *client, const connect_call_t *call) {
    uint32_t count = 0;
    cn_list_t *node;
    for (node = client->conns.next; node != &client->conns; node = node->next)
        count += cn_client_fits(cn_client_conn_of(node), call) && !cn_client_conn_of(node)->opened;
    return count;
}

/* Gives connections to the calls that wait, in their order, and dials what is missing. */
static void cn_client_assign(connect_client_t *client) {
    cn_list_t *node, *next;
    uint32_t before[2] = {0, 0}; /* calls of each kind that wait further ahead for a connection that is being dialled */
    bool failed[2] = {false, false}; /* dialling: not again before something else happens */
    if (client->assigning) return;
    client->assigning = true;
    for (node = client->waiting.next; node != &client->waiting; node = next) {
        connect_call_t *call = cn_client_call_of(node);
        const bool http2 = call->info.peer.http == CONNECT_HTTP_2;
        uint32_t others;
        connect_conn_t *conn = cn_client_find_room(client, call, &others);
        next = node->next;
        if (call->over) {
            cn_list_remove(&call->node);
            cn_list_append(&client->calls, &call->node);
        } else if (call->opening) {
            continue;
        } else if (conn && conn->http.version->begin(&conn->http, &call->x)) {
            cn_list_remove(&call->node);
            cn_list_append(&client->calls, &call->node);
            cn_invoke_begun(call, client->authority, cn_str(call->info.path, strlen(call->info.path)));
        } else if (!conn && !failed[http2] && others < (http2 ? CN_CLIENT_HTTP2_MAX : CN_CLIENT_HTTP1_MAX) &&
            before[http2] >= cn_client_count_dialling(client, call)) {
            failed[http2] = !cn_client_dial(client, http2);
            next = client->waiting.next; /* it may have failed, and calls with it */
            before[0] = before[1] = 0;
        } else {
            before[http2]++;
        }
    }
    client->assigning = false;
    cn_client_watch_waiting(client);
}

/* ---- The client ---- */

/* Takes a URL apart. Returns false: the error says what is wrong. */
static bool cn_client_parse_url(connect_client_t *client, const char *url, connect_error_t *error) {
    static const char scheme[] = "http://";
    const char *authority, *path;
    size_t path_len;
    connect_str_t host;
    if (strncmp(url, "https://", 8) == 0)
        return cn_error_set(error, CONNECT_UNIMPLEMENTED, "base_url is https://, and this build has no TLS");
    if (strncmp(url, scheme, sizeof scheme - 1) != 0)
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "base_url must begin with http://");
    authority = url + sizeof scheme - 1;
    path = strpbrk(authority, "/?#");
    if (!path) path = authority + strlen(authority);
    if (strpbrk(path, "?#")) return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "base_url must have no ? and no #");
    host = cn_str(authority, (size_t)(path - authority));
    if (host.len == 0 || host.data[0] == ':' || memchr(host.data, '@', host.len) || !cn_header_value_valid(host) ||
        memchr(host.data, ' ', host.len))
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "base_url must be http://host:port/path");
    path_len = strlen(path);
    while (path_len && path[path_len - 1] == '/')
        path_len--;
    client->authority = connect_arena_copy(&client->arena, host);
    client->prefix = connect_arena_copy(&client->arena, cn_str(path, path_len));
    return (client->authority.data && client->prefix.data) || cn_error_memory(error);
}

/* Where to dial: the URL's authority, with the scheme's port if it names none. */
static bool cn_client_set_address(connect_client_t *client, const char *address, connect_error_t *error) {
    connect_str_t text = client->authority;
    if (address) {
        text = connect_arena_copy(&client->arena, connect_str_of(address));
    } else {
        const char *bracket = (const char *)memchr(text.data, ']', text.len);
        const char *after = bracket ? bracket : text.data;
        if (!memchr(after, ':', (size_t)(text.data + text.len - after)))
            text = connect_arena_printf(&client->arena, "%s:80", text.data);
    }
    client->address = text.data;
    return text.data != NULL || cn_error_memory(error);
}

static bool cn_client_check_header(const connect_header_t *header, connect_arena_t *arena, connect_error_t *error) {
    connect_str_t name = connect_str_of(header->name);
    if (cn_header_name_valid(name) && cn_header_value_valid(header->value) && cn_call_may_set(header->name, false))
        return true;
    return cn_error_print(error, arena, CONNECT_INVALID_ARGUMENT,
        "the header \"%s\" is not allowed: reserved for the protocol, not lower case, or with characters that are not "
        "legal",
        cn_str_quote(arena, name).data);
}

static bool cn_client_copy_headers(connect_client_t *client, connect_headers_t headers, connect_error_t *error) {
    cn_headers_t copy;
    size_t i;
    memset(&copy, 0, sizeof copy);
    for (i = 0; i < headers.count; i++) {
        if (!cn_client_check_header(&headers.items[i], &client->arena, NULL))
            return cn_error_set(error, CONNECT_INVALID_ARGUMENT,
                "headers has one that is reserved for the protocol, not in lower case, or not legal");
        if (cn_headers_receive(&copy, &client->arena, &client->limits, connect_str_of(headers.items[i].name),
                headers.items[i].value) != CN_HEADERS_OK)
            return cn_error_memory(error);
    }
    client->headers = cn_headers_view(&copy);
    return true;
}

static bool cn_client_codec(const char *name, bool *json, connect_error_t *error) {
    if (strcmp(name, "proto") == 0) {
        *json = false;
        return true;
    }
    if (CONNECT_ENABLE_JSON && strcmp(name, "json") == 0) {
        *json = true;
        return true;
    }
    return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "codec must be \"proto\" or \"json\"");
}

static bool cn_client_set_codings(
    connect_client_t *client, const connect_client_options_t *options, connect_error_t *error) {
    cn_codings_options_t codings;
    codings.registered = options->compressions;
    codings.registered_count = options->compression_count;
    codings.accept = options->accept;
    codings.min = options->compress_min;
    codings.level = options->compression_level;
    codings.zstd_window = client->limits.zstd_window;
    return cn_codings_init(&client->codings, client->allocator, &codings, error) &&
        cn_codings_choose(&client->codings, options->compression, &client->coding, error);
}

static bool cn_client_setup(
    connect_client_t *client, const char *base_url, const connect_client_options_t *options, connect_error_t *error) {
    const char *address = options->loopback ? "memory:" : options->address;
    if (!cn_limits_resolve(&client->limits, &options->limits, error) || !cn_client_parse_url(client, base_url, error) ||
        !cn_client_set_address(client, address, error) ||
        !cn_client_copy_headers(client, options->headers, error) ||
        !cn_client_codec(options->codec ? options->codec : "proto", &client->json, error) ||
        !cn_client_set_codings(client, options, error))
        return false;
    if (client->protocol > CONNECT_PROTOCOL_GRPC_WEB || client->http > CONNECT_HTTP_2)
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "protocol or http is no value of its enum");
#if CONNECT_ENABLE_SERVER
    if (options->loopback) return cn_client_use_loopback(client, options->loopback, error);
#endif
#if CONNECT_ENABLE_SOCKETS
    return cn_client_use_sockets(client, error);
#else
    return client->dial ||
        cn_error_set(error, CONNECT_INVALID_ARGUMENT, "dial or loopback is needed: this build has no sockets");
#endif
}

connect_client_t *connect_client_new(
    const char *base_url, const connect_client_options_t *options, connect_error_t *error) {
    static const connect_client_options_t defaults;
    connect_client_t *client;
    if (!options) options = &defaults;
    client = (connect_client_t *)cn_mem_acquire(options->allocator, sizeof *client);
    if (!client) {
        cn_error_memory(error);
        return NULL;
    }
    client->allocator = options->allocator;
    client->loop = options->loop;
    client->codec_options = options->codec_options;
    client->protocol = options->protocol ? options->protocol : CONNECT_PROTOCOL_CONNECT;
    client->http = options->http;
    client->get = options->get;
    client->interceptors = options->interceptors;
    client->interceptor_count = options->interceptor_count;
    client->timeout_ms = options->timeout_ms;
    client->dial = options->dial;
    client->dial_user = options->user;
    client->arena.private_allocator = options->allocator;
    client->now_ms = -1;
    cn_list_init(&client->conns);
    cn_list_init(&client->calls);
    cn_list_init(&client->waiting);
    cn_list_init(&client->pokes);
    if (cn_client_setup(client, base_url, options, error)) return client;
    connect_client_free(client);
    return NULL;
}

static void cn_client_cancel_all(connect_client_t *client) {
    cn_list_t *lists[2], *node, *next;
    size_t i;
    lists[0] = &client->waiting;
    lists[1] = &client->calls;
    for (i = 0; i < CN_LEN(lists); i++) {
        for (node = lists[i]->next; node != lists[i]; node = next) {
            connect_call_t *call = cn_client_call_of(node);
            next = node->next;
            cn_error_set(call->over ? NULL : &call->rpc.error, CONNECT_CANCELED, "the client was freed");
            cn_invoke_end(call);
        }
    }
}

void connect_client_free(connect_client_t *client) {
    const connect_allocator_t *allocator;
    cn_list_t *lists[2], *node;
    size_t i;
    if (!client) return;
    if (client->busy || client->waits) {
        if (!client->free_wanted) cn_client_cancel_all(client);
        client->free_wanted = true;
        return;
    }
    allocator = client->allocator;
    client->busy = 1;
    client->assigning = true;
    client->free_wanted = true; /* nothing is started any more */
    cn_client_cancel_all(client);
    lists[0] = &client->waiting;
    lists[1] = &client->calls;
    while (!cn_list_empty(&client->conns))
        cn_conn_abort(cn_client_conn_of(client->conns.next));
    cn_client_run_pokes(client);
    for (i = 0; i < CN_LEN(lists); i++) {
        while ((node = cn_list_pop(lists[i])) != NULL) { /* what the user frees by connect_call_free */
            connect_call_t *call = cn_client_call_of(node);
            call->owner = NULL;
            call->poked = false;
            cn_call_release_if_done(call);
        }
    }
#if CONNECT_ENABLE_SOCKETS
    if (client->loop) connect_loop_after(client->loop, &client->poke_task, -1, NULL, NULL);
    if (client->owns_loop) connect_loop_free(client->loop);
#endif
#if CONNECT_ENABLE_SERVER
    cn_loopback_free(client->loopback);
#endif
    cn_call_pool_free(&client->pool, allocator);
    cn_buf_pool_free(&client->buffers, allocator);
    connect_arena_free(&client->arena);
    cn_codings_free(&client->codings);
    cn_mem_release(allocator, client);
}

/* ---- Calls ---- */

static bool cn_client_set_call_headers(
    connect_call_t *call, connect_headers_t headers, bool checked, connect_error_t *error) {
    size_t i;
    for (i = 0; i < headers.count; i++) {
        if (!checked && !cn_client_check_header(&headers.items[i], &call->arena, &call->rpc.error))
            return cn_error_set(error, CONNECT_INVALID_ARGUMENT,
                "headers has one that is reserved for the protocol, not in lower case, or not legal");
        if (cn_headers_receive(&call->rpc.headers, &call->arena, call->rpc.limits,
                connect_str_of(headers.items[i].name), headers.items[i].value) != CN_HEADERS_OK)
            return cn_error_memory(error);
    }
    return true;
}

static bool cn_client_setup_call(connect_client_t *client, connect_call_t *call, const connect_method_t *method,
    const connect_call_options_t *options, connect_error_t *error) {
    connect_protocol_t protocol = options->protocol ? options->protocol : client->protocol;
    uint32_t timeout = options->timeout_ms ? options->timeout_ms : client->timeout_ms;
    int64_t now = cn_client_now_ms(client);
    connect_str_t path;
    call->rpc.json = client->json;
    if (options->codec && !cn_client_codec(options->codec, &call->rpc.json, error)) return false;
    call->rpc.protocol = cn_protocol_of(protocol, method);
    if (!call->rpc.protocol)
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "protocol is none that this build has");
    call->info.peer.http = client->http     ? client->http
        : protocol == CONNECT_PROTOCOL_GRPC ? CONNECT_HTTP_2
                                            : CONNECT_HTTP_1;
    if (protocol == CONNECT_PROTOCOL_GRPC && call->info.peer.http != CONNECT_HTTP_2)
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "gRPC needs http = CONNECT_HTTP_2");
    if (call->info.peer.http == CONNECT_HTTP_2 && !CONNECT_ENABLE_HTTP2)
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "this build has no HTTP/2");
    path = connect_arena_printf(&call->arena, "%s%s", client->prefix.data, method->path);
    if (!path.data) return cn_error_memory(error);
    call->rpc.codings = &client->codings;
    call->rpc.coding_sent = client->coding;
    if (options->compression &&
        !cn_codings_choose(&client->codings, options->compression, &call->rpc.coding_sent, error))
        return false;
    call->rpc.coding_announced = call->rpc.coding_sent;
    call->rpc.get = (client->get || options->get) && !options->no_get && protocol == CONNECT_PROTOCOL_CONNECT &&
        method->kind == CONNECT_UNARY && method->idempotency == CONNECT_NO_SIDE_EFFECTS;
    call->info.compression_received = cn_coding_name(NULL);
    call->info.compression_sent = cn_coding_name(call->rpc.coding_sent);
    call->info.method = method;
    call->info.path = path.data;
    call->info.protocol = protocol;
    call->info.codec = call->rpc.json ? "json" : "proto";
    call->info.peer.address = connect_arena_copy(&call->arena, connect_str_of(client->address)).data;
    if (!call->info.peer.address) return cn_error_memory(error);
    if (timeout == 0 && method->kind == CONNECT_UNARY) timeout = 30000;
    if (timeout && timeout != CONNECT_UNLIMITED) {
        call->rpc.timeout_ms = timeout;
        if (client->clock) call->deadline_ms = now + (int64_t)timeout; /* else from the next feed on */
    }
    connect_call_set_limits(call, options->receive_bytes, options->send_bytes);
    return cn_client_set_call_headers(call, client->headers, true, error) &&
        cn_client_set_call_headers(call, options->headers, false, error);
}

/* Without a loop it is connections that make the client run: so there is one from the first call on. */
static bool cn_client_dial_first(connect_client_t *client, bool http2, connect_error_t *error) {
    bool dialled;
    if (client->busy || client->loop || !cn_list_empty(&client->conns)) return true;
    client->busy++; /* what is caused here is told later */
    dialled = cn_client_dial(client, http2);
    client->busy--;
    return dialled || cn_error_set(error, CONNECT_UNAVAILABLE, "the connection could not be dialled");
}

connect_call_t *connect_client_start(connect_client_t *client, const connect_method_t *method,
    const connect_events_t *events_or_null, void *user_or_null, const connect_call_options_t *options,
    connect_error_t *error) {
    static const cn_call_owner_t owner_events = {
        NULL, cn_client_on_released, cn_client_poke, cn_client_call_now_ms, cn_client_on_passed};
    static const connect_call_options_t defaults;
    connect_call_t *call;
    if (client->free_wanted) {
        cn_error_set(error, CONNECT_CANCELED, "the client was freed");
        return NULL;
    }
    call = cn_call_new(&client->pool, client->allocator, &client->limits, false);
    if (!call) {
        cn_error_memory(error);
        return NULL;
    }
    call->rpc.method = method;
    call->owner_events = &owner_events;
    call->owner = client;
    call->loop = client->loop;
    call->codec_options = &client->codec_options;
    call->x.events = cn_invoke_exchange_events();
    call->pull = events_or_null == NULL;
    call->entered = true;
    call->user = user_or_null;
    if (events_or_null) call->events = *events_or_null;
    call->interceptors.outer = client->interceptors;
    call->interceptors.outer_count = client->interceptor_count;
    call->context = options ? options->context : NULL;
    if (!cn_client_setup_call(client, call, method, options ? options : &defaults, error)) {
        cn_call_recycle(&client->pool, call);
        return NULL;
    }
    if (!cn_client_dial_first(client, call->info.peer.http == CONNECT_HTTP_2, error)) {
        cn_call_recycle(&client->pool, call);
        return NULL;
    }
    call->writable = !cn_call_single_request(call);
    cn_list_append(&client->waiting, &call->node);
    if (call->writable && call->events.on_writable) cn_call_poke(call);
    client->busy++; /* what interceptors cause is told later */
    cn_invoke_open(call);
    client->busy--;
    cn_client_wake(client);
    return call;
}

void connect_call_free(connect_call_t *call) {
    if (!call) return;
    call->freed = true;
    if (!call->over) {
        cn_error_set(&call->rpc.error, CONNECT_CANCELED, "canceled by this side");
        call->finished = true;
        cn_invoke_end(call);
    }
    call->told = true;
    cn_call_release_if_done(call);
}

#endif

/* #### src/loop/loop.h ############################################################################################# */
#if CONNECT_ENABLE_SOCKETS
typedef struct cn_listener_t cn_listener_t;

/* Listens on an address, as connect_server_listen says. on_accept: gives the connection for a peer, or NULL: refuse.
   Returns NULL on failure; the error's text stays until the loop's next failure. *port: 0 where there is none. */
CN_PRIVATE cn_listener_t *cn_loop_listen(connect_loop_t *loop, const char *address,
    const connect_listen_options_t *options, connect_conn_t *(*on_accept)(void *user, const char *peer), void *user,
    int *port, connect_error_t *error);
/* Closes the listening socket; accepted connections go on. Legal inside callbacks. */
CN_PRIVATE void cn_loop_unlisten(cn_listener_t *listener);
/* Opens a socket to an address and carries the connection's bytes from then on, until it wants nothing. dial_ms: for
   each of the addresses of a name. What fails later is told by cn_conn_set_failure and connect_conn_close. Returns OK,
   or why it cannot even begin; then the connection is the caller's to close. */
CN_PRIVATE connect_code_t cn_loop_dial(connect_loop_t *loop, connect_conn_t *conn, const char *address,
    uint32_t dial_ms);
/* Runs turns until done says true, or nothing can come any more (false). */
CN_PRIVATE bool cn_loop_run_until(connect_loop_t *loop, bool (*done)(void *arg), void *arg);
/* True while the loop runs callbacks: then _run and _wait must refuse. */
CN_PRIVATE bool cn_loop_is_running(const connect_loop_t *loop);
/* The time of this turn, of a clock that never goes back; read anew when no turn is running. */
CN_PRIVATE int64_t cn_loop_now_ms(connect_loop_t *loop);
#endif

/* #### src/loop/timer.h ############################################################################################ */
#if CONNECT_ENABLE_SOCKETS
typedef struct cn_timers_t { /* tasks by due time, those of the same time as they came; zeroed: empty */
    connect_task_t *root;
    uint64_t sequence; /* of the next one */
} cn_timers_t;

/* Puts a task in that is not in. */
CN_PRIVATE void cn_timer_insert(cn_timers_t *timers, connect_task_t *task, int64_t due_ms);
/* Takes one out that is in. */
CN_PRIVATE void cn_timer_remove(cn_timers_t *timers, connect_task_t *task);
/* Returns the one that is due first; NULL: none. */
CN_PRIVATE connect_task_t *cn_timer_peek(const cn_timers_t *timers);
#endif

/* #### src/loop/timer.c ############################################################################################ */
#if CONNECT_ENABLE_SOCKETS
/* Timers: a pairing heap of the tasks themselves, so that nothing is allocated and arming cannot fail. Insert and peek
   take one step, remove O(log n) amortised (Fredman, Sedgewick, Sleator, Tarjan 1986). A binary heap would need an
   array, a wheel a tick; most timers here are deadlines that are moved or taken back and hardly ever fire.

   Links: private_child is the first of a task's children, private_next its next sibling, private_before its previous
   sibling or, of a first child, its parent. The root has no siblings and nothing before it.
   Order: by due time, then by sequence, which makes those of the same time first come, first served. The sequence has
   64 bits and does not wrap.

   Invariants: no child is due before its parent; a task that is in no heap has no links. No recursion: the two passes
   over the children of what is removed go along the sibling list. */

static bool cn_timer_before(const connect_task_t *a, const connect_task_t *b) {
    return a->private_due_ms != b->private_due_ms ? a->private_due_ms < b->private_due_ms
                                                  : a->private_sequence < b->private_sequence;
}

/* Makes one heap of two roots; either may be NULL. */
static connect_task_t *cn_timer_meld(connect_task_t *a, connect_task_t *b) {
    connect_task_t *above, *below;
    if (!a || !b) return a ? a : b;
    above = cn_timer_before(b, a) ? b : a;
    below = above == a ? b : a;
    below->private_before = above;
    below->private_next = above->private_child;
    if (above->private_child) above->private_child->private_before = below;
    above->private_child = below;
    return above;
}

/* Makes one heap of a list of siblings: in pairs from the left, then all of them from the right. */
static connect_task_t *cn_timer_gather(connect_task_t *first) {
    connect_task_t *pairs = NULL, *root = NULL;
    while (first) {
        connect_task_t *a = first, *b = a->private_next, *pair;
        first = b ? b->private_next : NULL;
        a->private_next = a->private_before = NULL;
        if (b) b->private_next = b->private_before = NULL;
        pair = cn_timer_meld(a, b);
        pair->private_next = pairs;
        pairs = pair;
    }
    while (pairs) {
        connect_task_t *pair = pairs;
        pairs = pair->private_next;
        pair->private_next = NULL;
        root = cn_timer_meld(root, pair);
    }
    return root;
}

CN_PRIVATE void cn_timer_insert(cn_timers_t *timers, connect_task_t *task, int64_t due_ms) {
    task->private_due_ms = due_ms;
    task->private_sequence = timers->sequence++;
    task->private_next = task->private_child = task->private_before = NULL;
    timers->root = cn_timer_meld(timers->root, task);
}

CN_PRIVATE void cn_timer_remove(cn_timers_t *timers, connect_task_t *task) {
    connect_task_t *children = cn_timer_gather(task->private_child);
    if (task == timers->root) {
        timers->root = children;
    } else {
        if (task->private_before->private_child == task)
            task->private_before->private_child = task->private_next;
        else
            task->private_before->private_next = task->private_next;
        if (task->private_next) task->private_next->private_before = task->private_before;
        timers->root = cn_timer_meld(timers->root, children);
    }
    task->private_next = task->private_child = task->private_before = NULL;
}

CN_PRIVATE connect_task_t *cn_timer_peek(const cn_timers_t *timers) {
    return timers->root;
}
#endif

/* #### src/loop/address.h ########################################################################################## */
#if CONNECT_ENABLE_SOCKETS
#define CN_FAILURE_TEXT 256u
typedef struct cn_failure_t { /* why something with an address failed */
    connect_code_t code;
    int os_error;
    char text[CN_FAILURE_TEXT];
} cn_failure_t;
/* Returns false, so that a failing function can return it. */
CN_PRIVATE bool cn_failure_print(cn_failure_t *failure, connect_code_t code, int os_error, const char *format, ...)
    CONNECT_PRINTF(4, 5);
/* "<doing> <address>: <text of errno>", and the code that fits. Returns false. */
CN_PRIVATE bool cn_failure_system(cn_failure_t *failure, const char *doing, const char *address, int os_error);

typedef enum cn_address_kind_t {
    CN_ADDRESS_TCP,
    CN_ADDRESS_UNIX,
    CN_ADDRESS_ABSTRACT,
    CN_ADDRESS_FD
} cn_address_kind_t;
typedef struct cn_address_t { /* an address as the user wrote it; views into that text */
    cn_address_kind_t kind;
    const char *text;
    connect_str_t host; /* TCP: empty is any of this machine's; without brackets */
    connect_str_t path; /* Unix: of the file, or the abstract name */
    uint16_t port;
    int fd;
} cn_address_t;
CN_PRIVATE bool cn_address_parse(cn_address_t *address, const char *text, cn_failure_t *failure);

typedef struct cn_endpoint_t {
    struct sockaddr_storage address;
    socklen_t len;
} cn_endpoint_t;
/* Gives what to bind or connect to, at most so many; not for CN_ADDRESS_FD. Blocks if the host is a name. to_listen: an
   empty host is all interfaces; else it is loopback. Returns how many, 0 after a failure. */
CN_PRIVATE size_t cn_address_resolve(
    const cn_address_t *address, bool to_listen, cn_endpoint_t *endpoints, size_t capacity, cn_failure_t *failure);

#define CN_PEER_TEXT 72u
/* Prints "10.0.0.7:51234", "[::1]:443", "unix:". */
CN_PRIVATE void cn_address_print(char to[CN_PEER_TEXT], const struct sockaddr_storage *peer);
/* Returns the port, 0 if the family has none. */
CN_PRIVATE uint16_t cn_address_port(const struct sockaddr_storage *address);
#endif

/* #### src/loop/address.c ########################################################################################## */
#if CONNECT_ENABLE_SOCKETS
/* Addresses: the forms that listen and dial take, and the texts that peers have.

     host:port           host: an IPv4 address, an IPv6 address in brackets (with %scope if need be), or a name
     :port               listen: all interfaces, IPv6 and IPv4; dial: loopback
     unix:/path          a Unix socket in the file system
     unix-abstract:name  one of Linux's without a file
     fd:3                a socket that is open already; it is the library's from then on

   Names are looked up by getaddrinfo, which BLOCKS, as long as resolv.conf lets it; numeric addresses never come there.
   An IPv4 peer of an IPv6 socket (RFC 4291 2.5.5.2) is printed as IPv4. */

#define CN_ADDRESS_FORMS "\"host:port\", \":port\", \"unix:/path\", \"unix-abstract:name\" or \"fd:3\""
#define CN_ADDRESS_HOST_MAX 253u /* RFC 1035 2.3.4, as text */

CN_PRIVATE bool cn_failure_print(cn_failure_t *failure, connect_code_t code, int os_error, const char *format, ...) {
    va_list arguments;
    failure->code = code;
    failure->os_error = os_error;
    va_start(arguments, format);
    vsnprintf(failure->text, sizeof failure->text, format, arguments);
    va_end(arguments);
    return false;
}

/* The text of an errno, in any thread. With _GNU_SOURCE glibc declares another strerror_r than POSIX. */
static const char *cn_failure_errno_text(int os_error, char *buffer, size_t size) {
#if defined(__GLIBC__) && defined(_GNU_SOURCE)
    return strerror_r(os_error, buffer, size);
#else
    if (strerror_r(os_error, buffer, size) != 0) snprintf(buffer, size, "error %d", os_error);
    return buffer;
#endif
}

static connect_code_t cn_failure_code(int os_error) {
    switch (os_error) {
    case EACCES:
    case EPERM: return CONNECT_PERMISSION_DENIED;
    case EINVAL:
    case EBADF:
    case ENOTSOCK:
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
    case EAFNOSUPPORT: return CONNECT_INVALID_ARGUMENT;
    case ENOMEM: return CONNECT_RESOURCE_EXHAUSTED;
    default: return CONNECT_UNAVAILABLE;
    }
}

CN_PRIVATE bool cn_failure_system(cn_failure_t *failure, const char *doing, const char *address, int os_error) {
    char buffer[128];
    return cn_failure_print(failure, cn_failure_code(os_error), os_error, "%s %s: %s", doing, address,
        cn_failure_errno_text(os_error, buffer, sizeof buffer));
}

static bool cn_address_refuse(cn_failure_t *failure, const char *text, const char *expected) {
    char block[640];
    connect_arena_t arena;
    connect_arena_init(&arena, block, sizeof block, NULL);
    return cn_failure_print(failure, CONNECT_INVALID_ARGUMENT, 0, "bad address \"%s\": expected %s",
        cn_str_quote(&arena, connect_str_of(text)).data, expected);
}

static bool cn_address_is_host(connect_str_t host) {
    size_t i;
    for (i = 0; i < host.len; i++) {
        char c = host.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
                c == '_'))
            return false;
    }
    return host.len <= CN_ADDRESS_HOST_MAX;
}

static bool cn_address_is_ipv6(connect_str_t host) {
    char text[INET6_ADDRSTRLEN];
    struct in6_addr in6;
    const char *scope = host.len ? (const char *)memchr(host.data, '%', host.len) : NULL;
    size_t len = scope ? (size_t)(scope - host.data) : host.len;
    if (len == 0 || len >= sizeof text || (scope && (host.len - len < 2 || host.len > 80))) return false;
    memcpy(text, host.data, len);
    text[len] = 0;
    return inet_pton(AF_INET6, text, &in6) == 1;
}

static bool cn_address_parse_tcp(cn_address_t *address, connect_str_t text, cn_failure_t *failure) {
    uint64_t port = 0;
    size_t colon = text.len;
    while (colon && text.data[colon - 1] != ':')
        colon--;
    if (colon == 0) return cn_address_refuse(failure, address->text, CN_ADDRESS_FORMS);
    address->host = cn_str(text.data, colon - 1);
    if (address->host.len && address->host.data[0] == '[') {
        size_t last = address->host.len - 1;
        if (address->host.data[last] != ']' || last < 2)
            return cn_address_refuse(failure, address->text, "an IPv6 address as in \"[::1]:443\"");
        address->host = cn_str(address->host.data + 1, last - 1);
        if (!cn_address_is_ipv6(address->host))
            return cn_address_refuse(failure, address->text, "an IPv6 address as in \"[::1]:443\"");
    } else if (address->host.len && memchr(address->host.data, ':', address->host.len)) {
        return cn_address_refuse(failure, address->text,
            memchr(text.data, '/', text.len) ? CN_ADDRESS_FORMS : "an IPv6 address in brackets, as in \"[::1]:443\"");
    } else if (!cn_address_is_host(address->host)) {
        return cn_address_refuse(failure, address->text, "a host name or an IP address before the port");
    }
    if (!cn_str_to_uint(cn_str(text.data + colon, text.len - colon), 5, &port) || port > 65535)
        return cn_address_refuse(failure, address->text, "a port from 0 to 65535 after the last colon");
    address->port = (uint16_t)port;
    return true;
}

CN_PRIVATE bool cn_address_parse(cn_address_t *address, const char *text, cn_failure_t *failure) {
    connect_str_t view = connect_str_of(text);
    uint64_t fd;
    memset(address, 0, sizeof *address);
    address->text = text;
    if (view.len == 0) return cn_address_refuse(failure, "", CN_ADDRESS_FORMS);
    if (cn_str_starts(view, CN_STR("unix:"))) {
        address->kind = CN_ADDRESS_UNIX;
        address->path = cn_str(text + 5, view.len - 5);
        if (address->path.len == 0) return cn_address_refuse(failure, text, "a path, as in \"unix:/run/app.sock\"");
        if (address->path.len >= sizeof((struct sockaddr_un *)NULL)->sun_path)
            return cn_address_refuse(failure, text, "a path of at most 107 bytes");
        return true;
    }
    if (cn_str_starts(view, CN_STR("unix-abstract:"))) {
        address->kind = CN_ADDRESS_ABSTRACT;
        address->path = cn_str(text + 14, view.len - 14);
#if !defined(__linux__)
        return cn_address_refuse(failure, text, "another form: only Linux has abstract Unix sockets");
#else
        if (address->path.len == 0) return cn_address_refuse(failure, text, "a name, as in \"unix-abstract:app\"");
        if (address->path.len >= sizeof((struct sockaddr_un *)NULL)->sun_path)
            return cn_address_refuse(failure, text, "a name of at most 107 bytes");
        return true;
#endif
    }
    if (cn_str_starts(view, CN_STR("fd:"))) {
        address->kind = CN_ADDRESS_FD;
        if (!cn_str_to_uint(cn_str(text + 3, view.len - 3), 9, &fd))
            return cn_address_refuse(failure, text, "the number of a descriptor, as in \"fd:3\"");
        address->fd = (int)fd;
        return true;
    }
    address->kind = CN_ADDRESS_TCP;
    return cn_address_parse_tcp(address, view, failure);
}

static void cn_endpoint_set_ipv4(cn_endpoint_t *endpoint, struct in_addr host, uint16_t port) {
    struct sockaddr_in in;
    memset(&in, 0, sizeof in);
    in.sin_family = AF_INET;
    in.sin_addr = host;
    in.sin_port = htons(port);
    memset(endpoint, 0, sizeof *endpoint);
    memcpy(&endpoint->address, &in, sizeof in);
    endpoint->len = sizeof in;
}

static void cn_endpoint_set_ipv6(cn_endpoint_t *endpoint, struct in6_addr host, uint16_t port) {
    struct sockaddr_in6 in6;
    memset(&in6, 0, sizeof in6);
    in6.sin6_family = AF_INET6;
    in6.sin6_addr = host;
    in6.sin6_port = htons(port);
    memset(endpoint, 0, sizeof *endpoint);
    memcpy(&endpoint->address, &in6, sizeof in6);
    endpoint->len = sizeof in6;
}

static size_t cn_endpoint_set_unix(cn_endpoint_t *endpoint, const cn_address_t *address) {
    struct sockaddr_un un;
    bool abstract = address->kind == CN_ADDRESS_ABSTRACT;
    memset(&un, 0, sizeof un);
    un.sun_family = AF_UNIX;
    memcpy(un.sun_path + (abstract ? 1 : 0), address->path.data, address->path.len); /* checked by parse */
    memset(endpoint, 0, sizeof *endpoint);
    memcpy(&endpoint->address, &un, sizeof un);
    endpoint->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + address->path.len + 1);
    return 1;
}

/* Looks a name up. The order is getaddrinfo's (RFC 6724). */
static size_t cn_address_look_up(
    const cn_address_t *address, const char *host, cn_endpoint_t *endpoints, size_t capacity, cn_failure_t *failure) {
    struct addrinfo hints, *found = NULL, *at;
    char service[8];
    size_t count = 0;
    int status;
    memset(&hints, 0, sizeof hints);
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    snprintf(service, sizeof service, "%u", (unsigned)address->port);
    status = getaddrinfo(host, service, &hints, &found);
    if (status != 0) {
        int os_error = status == EAI_SYSTEM ? errno : 0;
        if (os_error)
            cn_failure_system(failure, "cannot resolve", host, os_error);
        else
            cn_failure_print(failure, status == EAI_MEMORY ? CONNECT_RESOURCE_EXHAUSTED : CONNECT_UNAVAILABLE, 0,
                "cannot resolve %s: %s", host, gai_strerror(status));
        return 0;
    }
    for (at = found; at && count < capacity; at = at->ai_next) {
        if (at->ai_addrlen > sizeof endpoints->address) continue;
        memset(&endpoints[count], 0, sizeof endpoints[count]);
        memcpy(&endpoints[count].address, at->ai_addr, at->ai_addrlen);
        endpoints[count++].len = at->ai_addrlen;
    }
    freeaddrinfo(found);
    if (count == 0) cn_failure_print(failure, CONNECT_UNAVAILABLE, 0, "cannot resolve %s: it has no address", host);
    return count;
}

CN_PRIVATE size_t cn_address_resolve(
    const cn_address_t *address, bool to_listen, cn_endpoint_t *endpoints, size_t capacity, cn_failure_t *failure) {
    char host[CN_ADDRESS_HOST_MAX + 1];
    struct in6_addr in6;
    struct in_addr in;
    size_t count = 0;
    if (address->kind == CN_ADDRESS_UNIX || address->kind == CN_ADDRESS_ABSTRACT)
        return cn_endpoint_set_unix(endpoints, address);
    if (address->host.len == 0) {
        struct in6_addr any6 = IN6ADDR_ANY_INIT, loopback6 = IN6ADDR_LOOPBACK_INIT;
        in.s_addr = htonl(to_listen ? INADDR_ANY : INADDR_LOOPBACK);
        if (!to_listen) cn_endpoint_set_ipv4(&endpoints[count++], in, address->port);
        if (count < capacity) cn_endpoint_set_ipv6(&endpoints[count++], to_listen ? any6 : loopback6, address->port);
        if (to_listen && count < capacity) cn_endpoint_set_ipv4(&endpoints[count++], in, address->port);
        return count;
    }
    memcpy(host, address->host.data, address->host.len);
    host[address->host.len] = 0;
    if (inet_pton(AF_INET, host, &in) == 1) {
        cn_endpoint_set_ipv4(endpoints, in, address->port);
        return 1;
    }
    if (inet_pton(AF_INET6, host, &in6) == 1) {
        cn_endpoint_set_ipv6(endpoints, in6, address->port);
        return 1;
    }
    return cn_address_look_up(address, host, endpoints, capacity, failure);
}

static void cn_address_print_ipv4(char to[CN_PEER_TEXT], const unsigned char host[4], uint16_t port) {
    snprintf(to, CN_PEER_TEXT, "%u.%u.%u.%u:%u", host[0], host[1], host[2], host[3], port);
}

CN_PRIVATE void cn_address_print(char to[CN_PEER_TEXT], const struct sockaddr_storage *peer) {
    if (peer->ss_family == AF_INET) {
        struct sockaddr_in in;
        unsigned char host[4];
        memcpy(&in, peer, sizeof in);
        memcpy(host, &in.sin_addr, sizeof host);
        cn_address_print_ipv4(to, host, ntohs(in.sin_port));
    } else if (peer->ss_family == AF_INET6) {
        struct sockaddr_in6 in6;
        char host[INET6_ADDRSTRLEN] = "", scope[16] = "";
        memcpy(&in6, peer, sizeof in6);
        if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
            cn_address_print_ipv4(to, in6.sin6_addr.s6_addr + 12, ntohs(in6.sin6_port));
            return;
        }
        inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof host);
        if (in6.sin6_scope_id) snprintf(scope, sizeof scope, "%%%u", (unsigned)in6.sin6_scope_id);
        snprintf(to, CN_PEER_TEXT, "[%s%s]:%u", host, scope, (unsigned)ntohs(in6.sin6_port));
    } else {
        snprintf(to, CN_PEER_TEXT, "unix:");
    }
}

CN_PRIVATE uint16_t cn_address_port(const struct sockaddr_storage *address) {
    if (address->ss_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        return ntohs(in.sin_port);
    }
    if (address->ss_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof in6);
        return ntohs(in6.sin6_port);
    }
    return 0;
}
#endif

/* #### src/loop/socket.h ########################################################################################### */
#if CONNECT_ENABLE_SOCKETS
typedef struct cn_listening_t { /* a listening socket, and which file it made */
    int fd;
    uint16_t port;  /* 0: it has none */
    bool owns_path; /* a Unix socket's file, to be removed if it is still this one */
    dev_t device;
    ino_t inode;
} cn_listening_t;

/* Listens, as connect_server_listen says. */
CN_PRIVATE bool cn_socket_listen(cn_listening_t *listening, const cn_address_t *address,
    const connect_listen_options_t *options_or_null, cn_failure_t *failure);
CN_PRIVATE void cn_socket_unlisten(cn_listening_t *listening);
/* Takes a waiting connection, and prints its address. Returns its descriptor, or -1 with errno. */
CN_PRIVATE int cn_socket_accept(int listener, char peer[CN_PEER_TEXT]);
/* Begins to connect. Returns the descriptor, or -1 with errno. *is_open: no need to wait. */
CN_PRIVATE int cn_socket_connect(const cn_endpoint_t *endpoint, bool *is_open);
/* Takes a connected socket of the user's over. Returns its descriptor, or -1. */
CN_PRIVATE int cn_socket_adopt(const cn_address_t *address, cn_failure_t *failure);
/* Returns what became of a connect that had to wait, or what broke a socket: an errno, or 0. */
CN_PRIVATE int cn_socket_error(int fd);
/* Return how many bytes, 0 at the end of the input, or -1 with errno. */
CN_PRIVATE ptrdiff_t cn_socket_read(int fd, void *to, size_t size);
CN_PRIVATE ptrdiff_t cn_socket_write(int fd, connect_str_t bytes);
/* True if errno only says that the socket is not ready. */
CN_PRIVATE bool cn_socket_would_block(int os_error);

/* A descriptor that becomes readable when another thread or a signal handler says so: ends[0] reads, ends[1] says. */
CN_PRIVATE bool cn_wake_open(int ends[2]);
CN_PRIVATE void cn_wake_close(int ends[2]);
CN_PRIVATE void cn_wake_send(int end); /* async-signal-safe; errno stays */
CN_PRIVATE void cn_wake_drain(int end);
#endif

/* #### src/loop/socket.c ########################################################################################### */
#if CONNECT_ENABLE_SOCKETS
/* Sockets: the system calls, each with its rules. Every socket is nonblocking, closed on exec, and of TCP without delay
   (Nagle's algorithm waits for acknowledgements that a batched writer has no use for). No call raises SIGPIPE.

   Flags are set by fcntl after accept and socket (POSIX.1-2008 has no accept4): between the two a fork with exec in
   another thread could leak the descriptor to the child.

   Listening, TCP: SO_REUSEADDR, so that a server starts again while old connections are in TIME_WAIT; IPv6 sockets take
   IPv4 as well. The next address of a name is tried only if this machine does not have the one before; a port in use is
   an error, not a reason to listen elsewhere.
   Listening, Unix: permissions are set between bind and listen, while nobody can connect. A socket file that exists is
   removed only if it is a socket and nobody answers; a file of another kind never. When listening ends the file goes,
   if it is still the one made here. */

#define CN_SOCKET_BACKLOG 1024u
#define CN_SOCKET_UNIX_MODE 0660u
#define CN_SOCKET_ENDPOINTS 8

static void cn_socket_close(int fd) {
    int saved = errno;
    close(fd);
    errno = saved;
}

static bool cn_socket_set_flags(int fd) {
    int status = fcntl(fd, F_GETFL);
    return status >= 0 && fcntl(fd, F_SETFL, status | O_NONBLOCK) == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

static void cn_socket_set_option(int fd, int level, int option, int value) {
    setsockopt(fd, level, option, &value, sizeof value);
}

static void cn_socket_set_stream(int fd, int family) {
    if (family == AF_INET || family == AF_INET6) cn_socket_set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
#if defined(SO_NOSIGPIPE)
    cn_socket_set_option(fd, SOL_SOCKET, SO_NOSIGPIPE, 1);
#endif
}

static int cn_socket_open(int family) {
    int fd = socket(family, SOCK_STREAM, 0);
    if (fd >= 0 && !cn_socket_set_flags(fd)) {
        cn_socket_close(fd);
        return -1;
    }
    return fd;
}

static void cn_endpoint_view(const cn_endpoint_t *endpoint, const struct sockaddr **address) {
    *address = (const struct sockaddr *)(const void *)&endpoint->address;
}

/* ---- Listening -------------------------------------------------------------------------------------------------- */

/* Removes the file of a Unix socket that nobody listens on any more. Returns 0, or why it must stay. */
static int cn_socket_remove_stale(const cn_endpoint_t *endpoint, const char *path) {
    const struct sockaddr *address;
    struct stat file;
    int fd, os_error;
    if (lstat(path, &file) != 0) return errno == ENOENT ? 0 : errno;
    if (!S_ISSOCK(file.st_mode)) return EEXIST;
    fd = cn_socket_open(AF_UNIX);
    if (fd < 0) return errno;
    cn_endpoint_view(endpoint, &address);
    os_error = connect(fd, address, endpoint->len) == 0 ? 0 : errno;
    close(fd);
    if (os_error != ECONNREFUSED) return EADDRINUSE;
    return unlink(path) == 0 ? 0 : errno;
}

static int cn_socket_bind(int fd, const cn_endpoint_t *endpoint, const char *path_or_null, mode_t mode) {
    const struct sockaddr *address;
    int os_error;
    cn_endpoint_view(endpoint, &address);
    if (bind(fd, address, endpoint->len) != 0) {
        if (!path_or_null || errno != EADDRINUSE) return errno;
        os_error = cn_socket_remove_stale(endpoint, path_or_null);
        if (os_error) return os_error;
        if (bind(fd, address, endpoint->len) != 0) return errno;
    }
    if (path_or_null && chmod(path_or_null, mode) != 0) {
        os_error = errno;
        unlink(path_or_null);
        return os_error;
    }
    return 0;
}

/* Returns 0, or the errno of what failed. */
static int cn_socket_listen_at(cn_listening_t *listening, const cn_endpoint_t *endpoint, const char *path_or_null,
    const connect_listen_options_t *options_or_null) {
    uint32_t backlog = options_or_null && options_or_null->backlog ? options_or_null->backlog : CN_SOCKET_BACKLOG;
    uint32_t mode = options_or_null && options_or_null->unix_mode ? options_or_null->unix_mode : CN_SOCKET_UNIX_MODE;
    int family = endpoint->address.ss_family, os_error, fd = cn_socket_open(family);
    struct stat file;
    if (fd < 0) return errno;
    if (family != AF_UNIX) cn_socket_set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (family == AF_INET6) cn_socket_set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (family != AF_UNIX && options_or_null && options_or_null->reuse_port) {
        int on = 1;
        if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) {
            os_error = errno;
            close(fd);
            return os_error;
        }
    }
    os_error = cn_socket_bind(fd, endpoint, path_or_null, (mode_t)mode);
    if (os_error == 0 && listen(fd, (int)CN_MIN(backlog, (uint32_t)INT_MAX)) != 0) {
        os_error = errno;
        if (path_or_null) unlink(path_or_null);
    }
    if (os_error) {
        close(fd);
        return os_error;
    }
    listening->fd = fd;
    if (path_or_null && lstat(path_or_null, &file) == 0) {
        listening->owns_path = true;
        listening->device = file.st_dev;
        listening->inode = file.st_ino;
    }
    return 0;
}

static void cn_socket_name(int fd, struct sockaddr_storage *name) {
    socklen_t len = sizeof *name;
    memset(name, 0, sizeof *name);
    getsockname(fd, (struct sockaddr *)(void *)name, &len);
}

/* Tells whether a descriptor of the user's is a stream socket that does, or does not, listen; 0, or an errno. */
static int cn_socket_check(int fd, bool listens) {
    int type = 0, is_listening = 0;
    socklen_t len = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0) return errno;
    len = sizeof is_listening;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &len) != 0) return errno;
    return type == SOCK_STREAM && (is_listening != 0) == listens ? 0 : EINVAL;
}

static bool cn_socket_listen_adopt(cn_listening_t *listening, const cn_address_t *address, cn_failure_t *failure) {
    int os_error = cn_socket_check(address->fd, true);
    if (os_error == EINVAL)
        return cn_failure_print(failure, CONNECT_INVALID_ARGUMENT, EINVAL,
            "cannot listen on %s: it is not a listening socket", address->text);
    if (os_error == 0 && !cn_socket_set_flags(address->fd)) os_error = errno;
    if (os_error) return cn_failure_system(failure, "cannot listen on", address->text, os_error);
    listening->fd = address->fd;
    return true;
}

CN_PRIVATE bool cn_socket_listen(cn_listening_t *listening, const cn_address_t *address,
    const connect_listen_options_t *options_or_null, cn_failure_t *failure) {
    struct sockaddr_storage name;
    memset(listening, 0, sizeof *listening);
    listening->fd = -1;
    if (address->kind == CN_ADDRESS_FD) {
        if (!cn_socket_listen_adopt(listening, address, failure)) return false;
    } else {
        cn_endpoint_t endpoints[CN_SOCKET_ENDPOINTS];
        size_t count = cn_address_resolve(address, true, endpoints, CN_LEN(endpoints), failure), i;
        int os_error = EADDRNOTAVAIL;
        const char *path = address->kind == CN_ADDRESS_UNIX ? address->path.data : NULL;
        if (count == 0) return false;
        for (i = 0; i < count && (os_error == EADDRNOTAVAIL || os_error == EAFNOSUPPORT); i++)
            os_error = cn_socket_listen_at(listening, &endpoints[i], path, options_or_null);
        if (os_error == EEXIST)
            return cn_failure_print(failure, CONNECT_INVALID_ARGUMENT, EEXIST,
                "cannot listen on %s: the file exists and is no socket", address->text);
        if (os_error) return cn_failure_system(failure, "cannot listen on", address->text, os_error);
    }
    cn_socket_name(listening->fd, &name);
    listening->port = cn_address_port(&name);
    return true;
}

CN_PRIVATE void cn_socket_unlisten(cn_listening_t *listening) {
    if (listening->fd < 0) return;
    if (listening->owns_path) {
        struct sockaddr_storage name;
        struct sockaddr_un un;
        struct stat file;
        cn_socket_name(listening->fd, &name);
        memcpy(&un, &name, sizeof un);
        un.sun_path[sizeof un.sun_path - 1] = 0;
        if (lstat(un.sun_path, &file) == 0 && file.st_dev == listening->device && file.st_ino == listening->inode)
            unlink(un.sun_path);
    }
    close(listening->fd);
    listening->fd = -1;
}

/* ---- Connections ------------------------------------------------------------------------------------------------ */

CN_PRIVATE int cn_socket_accept(int listener, char peer[CN_PEER_TEXT]) {
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    int fd;
    memset(&address, 0, sizeof address);
    fd = accept(listener, (struct sockaddr *)(void *)&address, &len);
    if (fd < 0) return -1;
    if (!cn_socket_set_flags(fd)) {
        cn_socket_close(fd);
        return -1;
    }
    cn_socket_set_stream(fd, address.ss_family);
    cn_address_print(peer, &address);
    return fd;
}

CN_PRIVATE int cn_socket_connect(const cn_endpoint_t *endpoint, bool *is_open) {
    const struct sockaddr *address;
    int fd = cn_socket_open(endpoint->address.ss_family);
    if (fd < 0) return -1;
    cn_socket_set_stream(fd, endpoint->address.ss_family);
    cn_endpoint_view(endpoint, &address);
    *is_open = connect(fd, address, endpoint->len) == 0;
    if (*is_open || errno == EINPROGRESS || errno == EINTR) return fd;
    cn_socket_close(fd);
    return -1;
}

CN_PRIVATE int cn_socket_adopt(const cn_address_t *address, cn_failure_t *failure) {
    struct sockaddr_storage name;
    int os_error = cn_socket_check(address->fd, false);
    if (os_error == EINVAL) {
        cn_failure_print(failure, CONNECT_INVALID_ARGUMENT, EINVAL,
            "cannot connect to %s: it is not a connected stream socket", address->text);
        return -1;
    }
    if (os_error == 0 && !cn_socket_set_flags(address->fd)) os_error = errno;
    if (os_error) {
        cn_failure_system(failure, "cannot connect to", address->text, os_error);
        return -1;
    }
    cn_socket_name(address->fd, &name);
    cn_socket_set_stream(address->fd, name.ss_family);
    return address->fd;
}

CN_PRIVATE int cn_socket_error(int fd) {
    int os_error = 0;
    socklen_t len = sizeof os_error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &os_error, &len) == 0 ? os_error : errno;
}

CN_PRIVATE ptrdiff_t cn_socket_read(int fd, void *to, size_t size) {
    ptrdiff_t got;
    do
        got = recv(fd, to, size, 0);
    while (got < 0 && errno == EINTR);
    return got;
}

CN_PRIVATE ptrdiff_t cn_socket_write(int fd, connect_str_t bytes) {
    ptrdiff_t sent;
    do
#if defined(MSG_NOSIGNAL)
        sent = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL);
#else
        sent = send(fd, bytes.data, bytes.len, 0); /* SO_NOSIGPIPE is set */
#endif
    while (sent < 0 && errno == EINTR);
    return sent;
}

CN_PRIVATE bool cn_socket_would_block(int os_error) {
#if EAGAIN != EWOULDBLOCK
    if (os_error == EWOULDBLOCK) return true;
#endif
    return os_error == EAGAIN;
}

/* ---- Waking ----------------------------------------------------------------------------------------------------- */

CN_PRIVATE bool cn_wake_open(int ends[2]) {
#if !CN_POLLER_KQUEUE
    ends[0] = ends[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return ends[0] >= 0;
#else
    if (pipe(ends) != 0) {
        ends[0] = ends[1] = -1;
        return false;
    }
    if (cn_socket_set_flags(ends[0]) && cn_socket_set_flags(ends[1])) return true;
    cn_wake_close(ends);
    return false;
#endif
}

CN_PRIVATE void cn_wake_close(int ends[2]) {
    if (ends[0] >= 0) cn_socket_close(ends[0]);
    if (ends[1] >= 0 && ends[1] != ends[0]) cn_socket_close(ends[1]);
    ends[0] = ends[1] = -1;
}

CN_PRIVATE void cn_wake_send(int end) {
    static const uint64_t one = 1;
    int saved = errno;
    while (write(end, &one, sizeof one) < 0 && errno == EINTR) {
        /* a full pipe or counter is readable already */
    }
    errno = saved;
}

CN_PRIVATE void cn_wake_drain(int end) {
    char bytes[64];
#if !CN_POLLER_KQUEUE
    while (read(end, bytes, sizeof(uint64_t)) < 0 && errno == EINTR) {}
#else
    while (read(end, bytes, sizeof bytes) > 0) {}
#endif
}
#endif

/* #### src/loop/poller.h ########################################################################################### */
#if CONNECT_ENABLE_SOCKETS
/* What to wait for with a descriptor; nothing (0): it is not known to the poller. CN_POLL_KNOWN alone: only errors. */
enum { CN_POLL_READ = 1, CN_POLL_WRITE = 2, CN_POLL_KNOWN = 4 };
/* What came, besides CN_POLL_READ and CN_POLL_WRITE. These two come unasked. */
enum { CN_POLL_ERROR = 8, CN_POLL_HANGUP = 16 };

typedef struct cn_poll_event_t {
    void *data;
    unsigned ready;
} cn_poll_event_t;

typedef struct cn_poller_t { /* one system's way to wait for many descriptors; what waits is itself a descriptor */
    /* Returns the poller's descriptor, or -1 with errno. */
    int (*open)(void);
    void (*close)(int poller);
    /* Changes what to wait for from `old` to `interest`; called only when they differ. Level-triggered. data: comes
       back with each event. Returns false, with errno; then nothing changed. */
    bool (*watch)(int poller, int fd, unsigned old, unsigned interest, void *data);
    /* Returns how many events came, at most one for each descriptor; 0 after the timeout (-1: none), a signal, or
       something that nobody asked for. */
    int (*wait)(int poller, cn_poll_event_t *events, int capacity, int timeout_ms);
} cn_poller_t;

#if CN_POLLER_KQUEUE
CN_PRIVATE const cn_poller_t *cn_poller_kqueue(void);
#else
CN_PRIVATE const cn_poller_t *cn_poller_epoll(void);
#endif
#endif

/* #### src/loop/poller_epoll.c ##################################################################################### */
#if CONNECT_ENABLE_SOCKETS && !CN_POLLER_KQUEUE
/* Waiting with epoll(7), level-triggered: what was not read or written is told again, so a turn may stop anywhere. A
   descriptor is registered once and changed only when the interest in it changes; in steady traffic there is no
   epoll_ctl at all. EPOLLERR and EPOLLHUP come always, EPOLLRDHUP is not asked for: the end of the input is found by
   read, behind the bytes before it. */

#define CN_EPOLL_BATCH 64 /* events of one wait: more stay for the next turn */

static int cn_epoll_open(void) {
    return epoll_create1(EPOLL_CLOEXEC);
}

static void cn_epoll_close(int poller) {
    close(poller);
}

static bool cn_epoll_watch(int poller, int fd, unsigned old, unsigned interest, void *data) {
    struct epoll_event event;
    memset(&event, 0, sizeof event);
    event.events =
        (interest & CN_POLL_READ ? (uint32_t)EPOLLIN : 0) | (interest & CN_POLL_WRITE ? (uint32_t)EPOLLOUT : 0);
    event.data.ptr = data;
    return epoll_ctl(poller, old == 0 ? EPOLL_CTL_ADD : interest == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD, fd, &event) == 0;
}

static int cn_epoll_wait(int poller, cn_poll_event_t *events, int capacity, int timeout_ms) {
    struct epoll_event raw[CN_EPOLL_BATCH];
    int count = epoll_wait(poller, raw, CN_MIN(capacity, CN_EPOLL_BATCH), timeout_ms), i;
    for (i = 0; i < count; i++) {
        events[i].data = raw[i].data.ptr;
        events[i].ready = (raw[i].events & EPOLLIN ? (unsigned)CN_POLL_READ : 0) |
            (raw[i].events & EPOLLOUT ? (unsigned)CN_POLL_WRITE : 0) |
            (raw[i].events & EPOLLERR ? (unsigned)CN_POLL_ERROR : 0) |
            (raw[i].events & EPOLLHUP ? (unsigned)CN_POLL_HANGUP : 0);
    }
    return CN_MAX(count, 0);
}

CN_PRIVATE const cn_poller_t *cn_poller_epoll(void) {
    static const cn_poller_t epoll = {cn_epoll_open, cn_epoll_close, cn_epoll_watch, cn_epoll_wait};
    return &epoll;
}
#endif

/* #### src/loop/poller_kqueue.c #################################################################################### */
#if CONNECT_ENABLE_SOCKETS && CN_POLLER_KQUEUE
/* Waiting with kqueue(2), which knows filters where epoll knows descriptors:

     interest          EVFILT_READ         EVFILT_WRITE
     READ              level-triggered     -
     WRITE             EV_CLEAR            level-triggered
     READ and WRITE    level-triggered     level-triggered
     KNOWN alone       EV_CLEAR            -

   EVFILT_READ is there even if nothing is to be read, as it is what tells of a broken connection. EV_CLEAR then makes
   what arrives tell itself once, and cn_kqueue_wait drops it, unless it is an error. How a filter was added does not
   change by adding it again: it is deleted before.

   EV_EOF of EVFILT_READ: the peer has ended its side, which read finds behind the bytes before it; with an errno in
   fflags: the connection broke. EV_EOF of EVFILT_WRITE: nothing can be sent any more.

   The two filters of a descriptor come as two events. They are joined: handling the first may close the descriptor, and
   open another one in its place. */

#define CN_KQUEUE_BATCH 64  /* events of one wait: more stay for the next turn */
#define CN_KQUEUE_CHANGES 3 /* for one descriptor, at most */

typedef struct kevent cn_kevent_t;

static int cn_kqueue_open(void) {
    int poller = kqueue();
    if (poller >= 0) fcntl(poller, F_SETFD, FD_CLOEXEC);
    return poller;
}

static void cn_kqueue_close(int poller) {
    close(poller);
}

/* Returns how EVFILT_READ stands for an interest: its flags, 0 if it is not there. */
static unsigned cn_kqueue_read_flags(unsigned interest) {
    if (interest & CN_POLL_READ) return EV_ADD;
    return interest ? EV_ADD | EV_CLEAR : 0;
}

static cn_kevent_t cn_kqueue_change(int fd, int filter, unsigned flags, void *data) {
    cn_kevent_t change;
    EV_SET(&change, (unsigned)fd, filter, flags, 0, 0, data);
    return change;
}

static bool cn_kqueue_watch(int poller, int fd, unsigned old, unsigned interest, void *data) {
    cn_kevent_t changes[CN_KQUEUE_CHANGES], undo[CN_KQUEUE_CHANGES];
    unsigned read_old = cn_kqueue_read_flags(old), read = cn_kqueue_read_flags(interest);
    int count = 0, i, os_error;
    if ((interest & CN_POLL_WRITE) && !(old & CN_POLL_WRITE)) {
        undo[count] = cn_kqueue_change(fd, EVFILT_WRITE, EV_DELETE, data);
        changes[count++] = cn_kqueue_change(fd, EVFILT_WRITE, EV_ADD, data);
    }
    if (read_old && read != read_old) {
        undo[count] = cn_kqueue_change(fd, EVFILT_READ, read_old, data);
        changes[count++] = cn_kqueue_change(fd, EVFILT_READ, EV_DELETE, data);
    }
    if (read && read != read_old) {
        undo[count] = cn_kqueue_change(fd, EVFILT_READ, EV_DELETE, data);
        changes[count++] = cn_kqueue_change(fd, EVFILT_READ, read, data);
    }
    if (!(interest & CN_POLL_WRITE) && (old & CN_POLL_WRITE)) {
        undo[count] = cn_kqueue_change(fd, EVFILT_WRITE, EV_ADD, data);
        changes[count++] = cn_kqueue_change(fd, EVFILT_WRITE, EV_DELETE, data);
    }
    for (i = 0; i < count; i++)
        if (kevent(poller, &changes[i], 1, NULL, 0, NULL) != 0) break;
    if (i == count) return true;
    os_error = errno;
    while (i-- > 0)
        kevent(poller, &undo[i], 1, NULL, 0, NULL);
    errno = os_error;
    return false;
}

static unsigned cn_kqueue_ready(const cn_kevent_t *event) {
    bool has_ended = (event->flags & EV_EOF) != 0;
    unsigned ready = has_ended && event->fflags ? (unsigned)CN_POLL_ERROR : 0;
    if (event->filter == EVFILT_WRITE) return ready | CN_POLL_WRITE | (has_ended ? (unsigned)CN_POLL_HANGUP : 0);
    return ready | (event->flags & EV_CLEAR ? 0 : (unsigned)CN_POLL_READ);
}

static int cn_kqueue_wait(int poller, cn_poll_event_t *events, int capacity, int timeout_ms) {
    cn_kevent_t raw[CN_KQUEUE_BATCH];
    struct timespec timeout;
    int came, count = 0, i, at;
    timeout.tv_sec = timeout_ms / 1000;
    timeout.tv_nsec = timeout_ms % 1000 * 1000000L;
    capacity = CN_MIN(capacity, CN_KQUEUE_BATCH);
    /* the room is an int, on NetBSD a size_t */
    came = kevent(poller, NULL, 0, raw, (unsigned short)capacity, timeout_ms < 0 ? NULL : &timeout);
    for (i = 0; i < came; i++) {
        unsigned ready = cn_kqueue_ready(&raw[i]);
        if (!ready) continue;
        for (at = 0; at < count && events[at].data != raw[i].udata; at++) {}
        if (at == count) {
            events[count].data = raw[i].udata;
            events[count++].ready = 0;
        }
        events[at].ready |= ready;
    }
    return count;
}

CN_PRIVATE const cn_poller_t *cn_poller_kqueue(void) {
    static const cn_poller_t kqueue = {cn_kqueue_open, cn_kqueue_close, cn_kqueue_watch, cn_kqueue_wait};
    return &kqueue;
}
#endif

/* #### src/loop/core.h ############################################################################################# */
#if CONNECT_ENABLE_SOCKETS
#define CN_LOOP_INPUT 65536u /* bytes read at once */

typedef struct cn_source_t { /* the first member of what a descriptor belongs to: both are freed as one */
    void (*ready)(struct cn_source_t *source, unsigned ready);
    void (*close)(struct cn_source_t *source); /* as the loop goes away */
    cn_list_t node;                            /* in loop->sources or loop->dead */
    int fd;
    unsigned interest;
} cn_source_t;

typedef struct cn_loop_wake_t {
    int ends[2];
    int asleep;    /* atomic */
    bool is_asked; /* connect_loop_fd was called: a foreign loop may wait */
    bool is_sent;  /* by the loop's own thread */
} cn_loop_wake_t;

struct connect_loop_t {
    const connect_allocator_t *allocator;
    const cn_poller_t *poller;
    int poller_fd;
    bool is_running, is_doomed; /* doomed: freed by a callback */
    int64_t now_ms;
    cn_timers_t timers;
    connect_task_t *posted;                   /* atomic: a stack, from any thread */
    connect_task_t *queue_first, *queue_last; /* taken from there, in order */
    uint64_t queue_batch;
    cn_list_t sources, dead; /* cn_source_t.node */
    cn_list_t woken, dirty;  /* cn_carrier_t */
    unsigned lingerers;
    cn_source_t wake_source;
    cn_loop_wake_t wake, *wake_of; /* wake_of: &wake, also for who has the loop as const */
    cn_failure_t failure;          /* the text of the last error this loop gave */
    char *input;                   /* CN_LOOP_INPUT bytes and CN_SLACK */
};

/* Where a task stands; elsewhere: with its owner, or on its way by post. */
enum { CN_TASK_ELSEWHERE, CN_TASK_QUEUED, CN_TASK_TIMED };
/* For tasks of the loop's own, which are never posted. */
CN_PRIVATE void cn_task_arm(
    connect_loop_t *loop, connect_task_t *task, int64_t due_ms, void (*run)(void *arg), void *arg);
CN_PRIVATE void cn_task_disarm(connect_loop_t *loop, connect_task_t *task);

/* Changes what to wait for. Returns false, with errno: it stays as it was. */
CN_PRIVATE bool cn_source_watch(connect_loop_t *loop, cn_source_t *source, unsigned interest);
/* Takes the descriptor out of the poller and the source, and returns it: closing is not enough if a child process has
   it, too. */
CN_PRIVATE int cn_source_forget(connect_loop_t *loop, cn_source_t *source);
/* The same, and closes it. */
CN_PRIVATE void cn_source_close(connect_loop_t *loop, cn_source_t *source);
/* Frees what a closed source is part of, once nothing on the stack knows it any more. */
CN_PRIVATE void cn_source_free(connect_loop_t *loop, cn_source_t *source);

/* Something was started outside of a turn: a foreign loop that waits must see it. */
CN_PRIVATE void cn_loop_tell_outside(const connect_loop_t *loop);
#endif

/* #### src/loop/carrier.h ########################################################################################## */
#if CONNECT_ENABLE_SOCKETS
/* Carries an accepted socket's bytes; it is closed if on_accept refuses, or memory is out. */
CN_PRIVATE void cn_carrier_accept(connect_loop_t *loop, int fd, const char *peer,
    connect_conn_t *(*on_accept)(void *user, const char *peer), void *user);
/* A turn's last part: connections that were woken, then those that have something to write. */
CN_PRIVATE void cn_carrier_run_all(connect_loop_t *loop);
#endif

/* #### src/loop/carrier.c ########################################################################################## */
#if CONNECT_ENABLE_SOCKETS
/* Carriers: each moves one connection's bytes between its socket and connect_conn_t.

     DIALING    no socket, or one that connects; one address after the other, each for dial_ms; blocks while a name is
                looked up (address.c). The connection is told the time, but no bytes
     OPEN       readable -> one read into the loop's buffer -> connect_conn_feed. What is not taken is held, and offered
                again once wants says READ; until then nothing is read. A short write waits for room.
                wants 0, or what breaks it -> the connection is closed
     LINGERING  the connection is over and gone, its last bytes may not have arrived: a close with unread input would
                send RST, and RST makes the peer drop them (RFC 9112 9.6). So only the sending side is shut, and
                input is thrown away until the peer closes, CN_CARRIER_LINGER_MS or CN_CARRIER_LINGER_BYTES

   Two lists of the loop's: woken are those to be fed nothing, so that they see the time and what was done from outside;
   dirty are those that may have output. All that a turn causes on a connection goes out at its end, in one write.

   Interest in reading is taken off only when something comes that cannot be read now (the end of the input comes again
   and again); so the pauses of ordinary traffic cost no system call. A hang-up cannot be masked: if it comes while the
   connection does not want to read, the descriptor leaves the poller until it does.

   Whatever is called on the connection may close it: code that called it checks carrier->conn before it goes on. */

#define CN_CARRIER_WRITES 16 /* of one connection in a turn: more than one only if its output comes in pieces */
#define CN_CARRIER_ROUNDS 4  /* of connections that wake each other in a turn */
#define CN_CARRIER_LINGER_MS 1000
#define CN_CARRIER_LINGER_BYTES (1024u * 1024u)
#define CN_CARRIER_LINGERERS 64u /* more are closed at once: they are not counted as connections */
#define CN_CARRIER_ADDRESSES 8

typedef enum cn_carrier_state_t { CN_CARRIER_DIALING, CN_CARRIER_OPEN, CN_CARRIER_LINGERING } cn_carrier_state_t;
typedef struct cn_dial_t {
    size_t next, count;
    cn_endpoint_t endpoints[CN_CARRIER_ADDRESSES];
    uint32_t dial_ms;
    int64_t due_ms; /* until when the present address has time; INT64_MAX: no end */
    int os_error;
    bool is_resolved;
} cn_dial_t;
typedef struct cn_carrier_t {
    cn_source_t source;
    connect_loop_t *loop;
    connect_conn_t *conn; /* NULL: closed */
    cn_list_t woken, dirty;
    cn_buf_t held;
    cn_dial_t *dial;
    connect_task_t timer;
    cn_carrier_state_t state;
    bool has_ended;  /* the input */
    bool is_blocked; /* the output: waiting for room */
    bool has_written;
    size_t lingered; /* bytes */
    char peer[];     /* its address, as in texts */
} cn_carrier_t;

/* ---- The end ---------------------------------------------------------------------------------------------------- */

static void cn_carrier_free(cn_carrier_t *carrier) {
    connect_loop_t *loop = carrier->loop;
    if (carrier->state == CN_CARRIER_LINGERING) loop->lingerers--;
    cn_task_disarm(loop, &carrier->timer);
    cn_list_remove(&carrier->woken);
    cn_list_remove(&carrier->dirty);
    cn_buf_free(&carrier->held, loop->allocator);
    cn_mem_release(loop->allocator, carrier->dial);
    carrier->dial = NULL;
    cn_source_close(loop, &carrier->source);
    cn_source_free(loop, &carrier->source);
}

/* Closes the connection at once. */
static void cn_carrier_end(cn_carrier_t *carrier) {
    connect_conn_t *conn = carrier->conn;
    carrier->conn = NULL;
    cn_source_close(carrier->loop, &carrier->source);
    connect_conn_close(conn);
    cn_carrier_free(carrier);
}

static void cn_carrier_fail(cn_carrier_t *carrier, const cn_failure_t *failure) {
    cn_conn_set_failure(carrier->conn, failure->os_error, failure->text);
    cn_carrier_end(carrier);
}

/* The transport broke. */
static void cn_carrier_break(cn_carrier_t *carrier, int os_error) {
    cn_failure_t failure;
    if (os_error == ECONNRESET || os_error == EPIPE)
        cn_failure_print(&failure, CONNECT_UNAVAILABLE, os_error, "connection to %s reset by peer", carrier->peer);
    else
        cn_failure_system(&failure, "connection to", carrier->peer, os_error);
    cn_carrier_fail(carrier, &failure);
}

static void cn_carrier_on_timer(void *arg);

/* The connection wants nothing any more. */
static void cn_carrier_finish(cn_carrier_t *carrier) {
    connect_loop_t *loop = carrier->loop;
    connect_conn_t *conn;
    if (carrier->has_ended || !carrier->has_written || loop->lingerers >= CN_CARRIER_LINGERERS ||
        shutdown(carrier->source.fd, SHUT_WR) != 0 ||
        !cn_source_watch(loop, &carrier->source, CN_POLL_KNOWN | CN_POLL_READ)) {
        cn_carrier_end(carrier);
        return;
    }
    conn = carrier->conn;
    carrier->conn = NULL;
    carrier->state = CN_CARRIER_LINGERING;
    loop->lingerers++;
    cn_list_remove(&carrier->woken);
    cn_buf_free(&carrier->held, loop->allocator);
    cn_task_arm(loop, &carrier->timer, loop->now_ms + CN_CARRIER_LINGER_MS, cn_carrier_on_timer, carrier);
    connect_conn_close(conn);
}

static void cn_carrier_linger(cn_carrier_t *carrier) {
    ptrdiff_t got = cn_socket_read(carrier->source.fd, carrier->loop->input, CN_LOOP_INPUT);
    if (got < 0 && cn_socket_would_block(errno)) return;
    if (got > 0) carrier->lingered += (size_t)got;
    if (got <= 0 || carrier->lingered >= CN_CARRIER_LINGER_BYTES) cn_carrier_free(carrier);
}

/* ---- Bytes ------------------------------------------------------------------------------------------------------ */

static bool cn_carrier_can_read(const cn_carrier_t *carrier) {
    return !carrier->has_ended && cn_buf_len(&carrier->held) == 0 &&
        (connect_conn_wants(carrier->conn) & CONNECT_WANTS_READ) != 0;
}

static void cn_carrier_mark(cn_carrier_t *carrier) {
    cn_list_append(&carrier->loop->dirty, &carrier->dirty);
}

/* Returns how many bytes the connection took; all if it was closed by that. */
static size_t cn_carrier_offer(cn_carrier_t *carrier, connect_str_t bytes) {
    size_t at = 0, taken;
    do {
        taken = connect_conn_feed(carrier->conn, bytes.data + at, bytes.len - at, carrier->loop->now_ms);
        if (!carrier->conn) return bytes.len;
        at += taken;
    } while (taken && at < bytes.len && (connect_conn_wants(carrier->conn) & CONNECT_WANTS_READ));
    return at;
}

/* Reads once. Returns false: nothing was there. */
static bool cn_carrier_read(cn_carrier_t *carrier) {
    connect_loop_t *loop = carrier->loop;
    ptrdiff_t got = cn_socket_read(carrier->source.fd, loop->input, CN_LOOP_INPUT);
    if (got > 0) {
        connect_str_t bytes = {loop->input, (size_t)got};
        size_t taken = cn_carrier_offer(carrier, bytes);
        if (taken < bytes.len &&
            !cn_buf_append(&carrier->held, loop->allocator, bytes.data + taken, bytes.len - taken)) {
            cn_carrier_break(carrier, ENOMEM);
            return true;
        }
    } else if (got == 0) {
        carrier->has_ended = true;
        cn_conn_eof(carrier->conn, loop->now_ms);
    } else if (cn_socket_would_block(errno)) {
        return false;
    } else {
        cn_carrier_break(carrier, errno);
        return true;
    }
    if (carrier->conn) cn_carrier_mark(carrier);
    return true;
}

/* Tells the time, and offers what is held. */
static void cn_carrier_advance(cn_carrier_t *carrier) {
    connect_str_t nothing = {"", 0};
    if (cn_buf_len(&carrier->held) && (connect_conn_wants(carrier->conn) & CONNECT_WANTS_READ)) {
        cn_buf_t held = carrier->held; /* taken out: the carrier may be freed while the bytes are read */
        memset(&carrier->held, 0, sizeof carrier->held);
        cn_buf_drop(&held, cn_carrier_offer(carrier, cn_buf_view(&held)));
        if (cn_buf_len(&held) && carrier->conn)
            carrier->held = held;
        else
            cn_buf_free(&held, carrier->loop->allocator);
    } else {
        cn_carrier_offer(carrier, nothing);
    }
    if (carrier->conn) cn_carrier_mark(carrier);
}

/* A write failed. What the peer said before it closed may still be there: it is the better answer. */
static void cn_carrier_write_failed(cn_carrier_t *carrier, int os_error) {
    int reads;
    for (reads = 0; reads < CN_CARRIER_WRITES && cn_carrier_can_read(carrier); reads++) {
        bool was_there = cn_carrier_read(carrier);
        if (!carrier->conn) return;
        if (!was_there) break;
    }
    if (connect_conn_wants(carrier->conn) == 0)
        cn_carrier_end(carrier);
    else
        cn_carrier_break(carrier, os_error);
}

static void cn_carrier_wake(cn_carrier_t *carrier) {
    cn_list_append(&carrier->loop->woken, &carrier->woken);
}

/* Has the connection told the time when it is due. A later time than the one armed is found when that one fires: moving
   it with each call would cost more. */
static void cn_carrier_arm(cn_carrier_t *carrier) {
    int64_t due_ms = connect_conn_deadline_ms(carrier->conn);
    if (carrier->dial) due_ms = CN_MIN(due_ms, carrier->dial->due_ms);
    if (due_ms != INT64_MAX &&
        (carrier->timer.private_place != CN_TASK_TIMED || due_ms < carrier->timer.private_due_ms))
        cn_task_arm(carrier->loop, &carrier->timer, due_ms, cn_carrier_on_timer, carrier);
}

/* Waits for what the connection wants now, and until when. */
static void cn_carrier_watch(cn_carrier_t *carrier) {
    connect_loop_t *loop = carrier->loop;
    unsigned interest = carrier->source.interest;
    if (cn_carrier_can_read(carrier)) interest |= CN_POLL_KNOWN | CN_POLL_READ;
    interest &= ~(unsigned)CN_POLL_WRITE;
    if (carrier->is_blocked) interest |= CN_POLL_KNOWN | CN_POLL_WRITE;
    if (!cn_source_watch(loop, &carrier->source, interest)) {
        cn_carrier_break(carrier, errno);
        return;
    }
    cn_carrier_arm(carrier);
}

/* Writes what there is, and decides how it goes on. */
static void cn_carrier_flush(cn_carrier_t *carrier) {
    int writes;
    for (writes = 0; !carrier->is_blocked; writes++) {
        connect_str_t output = connect_conn_output(carrier->conn);
        ptrdiff_t sent;
        if (!carrier->conn) return;
        if (output.len == 0) break;
        if (writes == CN_CARRIER_WRITES) {
            cn_carrier_wake(carrier);
            break;
        }
        sent = cn_socket_write(carrier->source.fd, output);
        if (sent < 0 && !cn_socket_would_block(errno)) {
            cn_carrier_write_failed(carrier, errno);
            return;
        }
        carrier->is_blocked = sent < 0 || (size_t)sent < output.len;
        if (sent <= 0) break;
        carrier->has_written = true;
        connect_conn_sent(carrier->conn, (size_t)sent);
        if (!carrier->conn) return;
    }
    if (connect_conn_wants(carrier->conn) == 0) {
        cn_carrier_finish(carrier);
        return;
    }
    if (cn_buf_len(&carrier->held) && (connect_conn_wants(carrier->conn) & CONNECT_WANTS_READ))
        cn_carrier_wake(carrier);
    cn_carrier_watch(carrier);
}

static void cn_carrier_on_output(connect_conn_t *conn, void *user) {
    cn_carrier_t *carrier = (cn_carrier_t *)user;
    if (carrier->conn != conn) return;
    cn_carrier_wake(carrier);
    cn_loop_tell_outside(carrier->loop);
}

static void cn_carrier_abandon(connect_conn_t *conn, void *transport) {
    cn_carrier_t *carrier = (cn_carrier_t *)transport;
    if (carrier->conn == conn) cn_carrier_end(carrier);
}

/* Something came that cannot be taken now: it is not asked for again until it can. */
static void cn_carrier_postpone(cn_carrier_t *carrier, unsigned ready) {
    unsigned interest = carrier->source.interest & ~(unsigned)CN_POLL_READ;
    if ((ready & CN_POLL_ERROR) || ((ready & CN_POLL_HANGUP) && carrier->has_ended)) {
        int os_error = cn_socket_error(carrier->source.fd);
        cn_carrier_break(carrier, os_error ? os_error : ECONNRESET);
        return;
    }
    if ((ready & CN_POLL_HANGUP) && !carrier->is_blocked) interest = 0;
    if (!cn_source_watch(carrier->loop, &carrier->source, interest)) cn_carrier_break(carrier, errno);
}

static void cn_carrier_next_address(cn_carrier_t *carrier);
static void cn_carrier_opened(cn_carrier_t *carrier);

static void cn_carrier_ready(cn_source_t *source, unsigned ready) {
    cn_carrier_t *carrier = (cn_carrier_t *)(void *)source;
    if (carrier->state == CN_CARRIER_LINGERING) {
        cn_carrier_linger(carrier);
        return;
    }
    if (carrier->state == CN_CARRIER_DIALING) {
        int os_error = cn_socket_error(source->fd);
        if (os_error == 0) {
            cn_carrier_opened(carrier);
            return;
        }
        carrier->dial->os_error = os_error;
        cn_source_close(carrier->loop, source);
        cn_carrier_next_address(carrier);
        return;
    }
    if ((ready & (CN_POLL_WRITE | CN_POLL_ERROR | CN_POLL_HANGUP)) && carrier->is_blocked) {
        carrier->is_blocked = false;
        cn_carrier_wake(carrier);
    }
    if ((ready & (CN_POLL_READ | CN_POLL_ERROR | CN_POLL_HANGUP)) == 0) return;
    if (cn_carrier_can_read(carrier))
        cn_carrier_read(carrier);
    else
        cn_carrier_postpone(carrier, ready);
}

static void cn_carrier_on_timer(void *arg) {
    cn_carrier_t *carrier = (cn_carrier_t *)arg;
    if (carrier->state == CN_CARRIER_LINGERING) {
        cn_carrier_free(carrier);
    } else if (carrier->state == CN_CARRIER_DIALING) {
        if (carrier->dial->due_ms <= carrier->loop->now_ms) {
            carrier->dial->os_error = ETIMEDOUT;
            cn_source_close(carrier->loop, &carrier->source);
            cn_carrier_next_address(carrier);
        } else {
            cn_carrier_wake(carrier);
        }
    } else if (connect_conn_deadline_ms(carrier->conn) <= carrier->loop->now_ms) {
        cn_carrier_wake(carrier);
    } else {
        cn_carrier_arm(carrier);
    }
}

/* ---- The beginning ---------------------------------------------------------------------------------------------- */

static void cn_carrier_close(cn_source_t *source) {
    cn_carrier_t *carrier = (cn_carrier_t *)(void *)source;
    if (carrier->conn)
        cn_carrier_end(carrier);
    else
        cn_carrier_free(carrier);
}

static cn_carrier_t *cn_carrier_new(connect_loop_t *loop, int fd, const char *peer, cn_carrier_state_t state) {
    size_t len = strlen(peer);
    cn_carrier_t *carrier = (cn_carrier_t *)cn_mem_acquire(loop->allocator, sizeof *carrier + len + 1);
    if (!carrier) return NULL;
    carrier->source.ready = cn_carrier_ready;
    carrier->source.close = cn_carrier_close;
    carrier->source.fd = fd;
    carrier->loop = loop;
    carrier->state = state;
    memcpy(carrier->peer, peer, len + 1);
    return carrier;
}

static void cn_carrier_carry(cn_carrier_t *carrier, connect_conn_t *conn) {
    carrier->conn = conn;
    cn_list_append(&carrier->loop->sources, &carrier->source.node);
    cn_conn_set_transport(conn, cn_carrier_abandon, carrier);
    connect_conn_on_output(conn, cn_carrier_on_output, carrier);
    cn_carrier_wake(carrier);
}

CN_PRIVATE void cn_carrier_accept(connect_loop_t *loop, int fd, const char *peer,
    connect_conn_t *(*on_accept)(void *user, const char *peer), void *user) {
    cn_carrier_t *carrier = cn_carrier_new(loop, fd, peer, CN_CARRIER_OPEN);
    connect_conn_t *conn = carrier ? on_accept(user, peer) : NULL;
    if (conn) {
        cn_carrier_carry(carrier, conn);
        return;
    }
    cn_mem_release(loop->allocator, carrier);
    close(fd);
}

static void cn_carrier_opened(cn_carrier_t *carrier) {
    connect_loop_t *loop = carrier->loop;
    cn_mem_release(loop->allocator, carrier->dial);
    carrier->dial = NULL;
    carrier->state = CN_CARRIER_OPEN;
    cn_task_disarm(loop, &carrier->timer);
    cn_conn_opened(carrier->conn, loop->now_ms);
    if (carrier->conn) cn_carrier_mark(carrier);
}

static void cn_carrier_next_address(cn_carrier_t *carrier) {
    connect_loop_t *loop = carrier->loop;
    cn_dial_t *dial = carrier->dial;
    cn_failure_t failure;
    cn_task_disarm(loop, &carrier->timer);
    dial->due_ms = INT64_MAX;
    while (dial->next < dial->count) {
        bool is_open = false;
        int fd = cn_socket_connect(&dial->endpoints[dial->next++], &is_open);
        if (fd < 0) {
            dial->os_error = errno;
            continue;
        }
        carrier->source.fd = fd;
        if (is_open) {
            cn_carrier_opened(carrier);
            return;
        }
        if (!cn_source_watch(loop, &carrier->source, CN_POLL_KNOWN | CN_POLL_WRITE)) {
            dial->os_error = errno;
            cn_source_close(loop, &carrier->source);
            continue;
        }
        if (dial->dial_ms && dial->dial_ms != CONNECT_UNLIMITED) dial->due_ms = loop->now_ms + dial->dial_ms;
        cn_carrier_arm(carrier);
        return;
    }
    cn_failure_system(&failure, "cannot connect to", carrier->peer, dial->os_error);
    cn_carrier_fail(carrier, &failure);
}

/* Begins to dial; later: only tells the time. */
static void cn_carrier_dial(cn_carrier_t *carrier) {
    cn_dial_t *dial = carrier->dial;
    cn_address_t address;
    cn_failure_t failure;
    connect_conn_feed(carrier->conn, "", 0, carrier->loop->now_ms);
    if (!carrier->conn) return;
    if (connect_conn_wants(carrier->conn) == 0) {
        cn_carrier_end(carrier);
        return;
    }
    if (dial->is_resolved) {
        cn_carrier_arm(carrier);
        return;
    }
    dial->is_resolved = true;
    if (!cn_address_parse(&address, carrier->peer, &failure)) {
        cn_carrier_fail(carrier, &failure);
    } else if (address.kind == CN_ADDRESS_FD) {
        carrier->source.fd = cn_socket_adopt(&address, &failure);
        if (carrier->source.fd < 0)
            cn_carrier_fail(carrier, &failure);
        else
            cn_carrier_opened(carrier);
    } else {
        dial->count = cn_address_resolve(&address, false, dial->endpoints, CN_LEN(dial->endpoints), &failure);
        if (dial->count == 0)
            cn_carrier_fail(carrier, &failure);
        else
            cn_carrier_next_address(carrier);
    }
}

CN_PRIVATE connect_code_t cn_loop_dial(
    connect_loop_t *loop, connect_conn_t *conn, const char *address, uint32_t dial_ms) {
    cn_carrier_t *carrier;
    cn_address_t parsed;
    cn_failure_t failure;
    if (!cn_address_parse(&parsed, address, &failure)) {
        cn_conn_set_failure(conn, failure.os_error, failure.text);
        return failure.code;
    }
    if (loop->is_doomed) {
        cn_conn_set_failure(conn, 0, "the event loop is being freed");
        return CONNECT_UNAVAILABLE;
    }
    if (parsed.kind == CN_ADDRESS_TCP && parsed.port == 0) {
        cn_failure_print(
            &failure, CONNECT_INVALID_ARGUMENT, 0, "bad address \"%s\": expected a port from 1 to 65535", address);
        cn_conn_set_failure(conn, 0, failure.text);
        return failure.code;
    }
    carrier = cn_carrier_new(loop, -1, address, CN_CARRIER_DIALING);
    if (carrier) carrier->dial = (cn_dial_t *)cn_mem_acquire(loop->allocator, sizeof *carrier->dial);
    if (!carrier || !carrier->dial) {
        cn_mem_release(loop->allocator, carrier);
        cn_conn_set_failure(conn, ENOMEM, "out of memory");
        return CONNECT_RESOURCE_EXHAUSTED;
    }
    carrier->dial->dial_ms = dial_ms;
    carrier->dial->due_ms = INT64_MAX;
    cn_carrier_carry(carrier, conn);
    cn_loop_tell_outside(loop);
    return CONNECT_OK;
}

/* ---- A turn ------------------------------------------------------------------------------------------------------ */

CN_PRIVATE void cn_carrier_run_all(connect_loop_t *loop) {
    cn_list_t *node, last;
    int round;
    for (round = 0; round < CN_CARRIER_ROUNDS && !cn_list_empty(&loop->woken); round++) {
        memset(&last, 0, sizeof last);
        cn_list_append(&loop->woken, &last); /* what is woken meanwhile stands behind it */
        while ((node = cn_list_pop(&loop->woken)) != NULL && node != &last) {
            cn_carrier_t *carrier = CN_CONTAINER(node, cn_carrier_t, woken);
            if (carrier->state == CN_CARRIER_DIALING)
                cn_carrier_dial(carrier);
            else if (carrier->conn)
                cn_carrier_advance(carrier);
        }
    }
    memset(&last, 0, sizeof last);
    cn_list_append(&loop->dirty, &last);
    while ((node = cn_list_pop(&loop->dirty)) != NULL && node != &last)
        cn_carrier_flush(CN_CONTAINER(node, cn_carrier_t, dirty));
}
#endif

/* #### src/loop/accept.c ########################################################################################### */
#if CONNECT_ENABLE_SOCKETS
/* Listeners: sockets that connections come from. A turn accepts at most CN_ACCEPT_BATCH of each, so that a flood of
   connections does not keep the others waiting. When descriptors or memory run out the listener pauses: else the poller
   would report the same connection without end (limits: accept batch 16, back-off 100 ms). */

#define CN_ACCEPT_BATCH 16
#define CN_ACCEPT_PAUSE_MS 100

struct cn_listener_t {
    cn_source_t source;
    connect_loop_t *loop;
    cn_listening_t listening;
    connect_conn_t *(*on_accept)(void *user, const char *peer);
    void *user;
    connect_task_t pause;
};

static void cn_listener_resume(void *arg) {
    cn_listener_t *listener = (cn_listener_t *)arg;
    connect_loop_t *loop = listener->loop;
    if (!cn_source_watch(loop, &listener->source, CN_POLL_KNOWN | CN_POLL_READ))
        cn_task_arm(loop, &listener->pause, loop->now_ms + CN_ACCEPT_PAUSE_MS, cn_listener_resume, listener);
}

/* No descriptor or memory is left for another connection: without a pause the poller would report it without end. */
static void cn_listener_pause(cn_listener_t *listener) {
    connect_loop_t *loop = listener->loop;
    cn_source_watch(loop, &listener->source, CN_POLL_KNOWN);
    cn_task_arm(loop, &listener->pause, loop->now_ms + CN_ACCEPT_PAUSE_MS, cn_listener_resume, listener);
}

/* Returns false: no more for now. */
static bool cn_listener_accept(cn_listener_t *listener) {
    connect_loop_t *loop = listener->loop;
    char peer[CN_PEER_TEXT];
    int fd = cn_socket_accept(listener->source.fd, peer);
    if (fd < 0) {
        if (cn_socket_would_block(errno)) return false;
        if (errno == EINTR || errno == ECONNABORTED) return true;
        cn_listener_pause(listener);
        return false;
    }
    cn_carrier_accept(loop, fd, peer, listener->on_accept, listener->user);
    return listener->source.fd >= 0;
}

static void cn_listener_ready(cn_source_t *source, unsigned ready) {
    cn_listener_t *listener = (cn_listener_t *)(void *)source;
    int count;
    (void)ready;
    for (count = 0; count < CN_ACCEPT_BATCH && cn_listener_accept(listener); count++) {}
}

static void cn_loop_tell_failure(connect_loop_t *loop, const cn_failure_t *failure, connect_error_t *error) {
    loop->failure = *failure;
    cn_error_set(error, failure->code, loop->failure.text);
    if (error) error->os_error = failure->os_error;
}

static void cn_listener_close(cn_source_t *source) {
    cn_loop_unlisten((cn_listener_t *)(void *)source);
}

CN_PRIVATE cn_listener_t *cn_loop_listen(connect_loop_t *loop, const char *address,
    const connect_listen_options_t *options, connect_conn_t *(*on_accept)(void *user, const char *peer), void *user,
    int *port, connect_error_t *error) {
    cn_listener_t *listener;
    cn_address_t parsed;
    cn_failure_t failure;
    if (!cn_address_parse(&parsed, address, &failure)) {
        cn_loop_tell_failure(loop, &failure, error);
        return NULL;
    }
    listener = (cn_listener_t *)cn_mem_acquire(loop->allocator, sizeof *listener);
    if (!listener) {
        cn_error_memory(error);
        return NULL;
    }
    listener->loop = loop;
    listener->on_accept = on_accept;
    listener->user = user;
    listener->source.ready = cn_listener_ready;
    listener->source.close = cn_listener_close;
    if (!cn_socket_listen(&listener->listening, &parsed, options, &failure)) {
        cn_mem_release(loop->allocator, listener);
        cn_loop_tell_failure(loop, &failure, error);
        return NULL;
    }
    listener->source.fd = listener->listening.fd;
    if (!cn_source_watch(loop, &listener->source, CN_POLL_KNOWN | CN_POLL_READ)) {
        cn_failure_system(&failure, "cannot listen on", address, errno);
        cn_socket_unlisten(&listener->listening);
        cn_mem_release(loop->allocator, listener);
        cn_loop_tell_failure(loop, &failure, error);
        return NULL;
    }
    cn_list_append(&loop->sources, &listener->source.node);
    if (port) *port = listener->listening.port;
    return listener;
}

CN_PRIVATE void cn_loop_unlisten(cn_listener_t *listener) {
    connect_loop_t *loop = listener->loop;
    cn_task_disarm(loop, &listener->pause);
    cn_source_forget(loop, &listener->source);
    cn_socket_unlisten(&listener->listening);
    cn_source_free(loop, &listener->source);
}

#endif

/* #### src/loop/loop.c ############################################################################################# */
#if CONNECT_ENABLE_SOCKETS
/* The loop: waits for descriptors, runs tasks and timers. One thread; only connect_loop_post may come from others.

   A turn: wait -> accept, connect, read and feed -> posted tasks -> timers -> connections that were woken: feed
   nothing -> connections with something to do: output and write -> memory of what was closed. A steady ping-pong costs
   one wait, one read, one write. The clock is read once after the wait, and before it if there are timers. A turn
   reads at most CN_LOOP_INPUT bytes of a connection; the rest is told again by the poller.

   Callbacks may close anything. Sources (listeners, carriers) that are closed during a turn have fd -1, stay in
   loop->dead, and are freed at its end. A loop freed in a callback is doomed: freed at the end of its turn.

   Tasks: private_waits is set by whoever gets hold of the task, atomically; the loop clears it before it runs the
   function, which may therefore post again. private_place is the loop's own: where the task stands. A post pushes onto
   a stack that the loop takes as a whole and turns round, so the order of posts is kept.
   Waking: `asleep` is set except between a wait and the end of its turn. Who pushes onto the empty stack and sees it
   writes to the wake descriptor; the loop sees every push before that when it looks at the stack, with asleep set,
   before the wait. What is started on the loop's thread outside of a turn writes only if connect_loop_fd was ever
   asked for. */

#define CN_LOOP_EVENTS 64 /* of one wait */

/* ---- Time ------------------------------------------------------------------------------------------------------- */

static int64_t cn_loop_clock_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

CN_PRIVATE int64_t cn_loop_now_ms(connect_loop_t *loop) {
    return loop->is_running ? loop->now_ms : cn_loop_clock_ms();
}

CN_PRIVATE bool cn_loop_is_running(const connect_loop_t *loop) {
    return loop->is_running;
}

CN_PRIVATE void cn_loop_tell_outside(const connect_loop_t *loop) {
    cn_loop_wake_t *wake = loop->wake_of;
    if (loop->is_running || !wake->is_asked || wake->is_sent) return;
    wake->is_sent = true;
    cn_wake_send(wake->ends[1]);
}

/* ---- Tasks and timers ------------------------------------------------------------------------------------------- */

CN_PRIVATE void cn_task_disarm(connect_loop_t *loop, connect_task_t *task) {
    if (task->private_place != CN_TASK_TIMED) return;
    cn_timer_remove(&loop->timers, task);
    task->private_place = CN_TASK_ELSEWHERE;
}

CN_PRIVATE void cn_task_arm(
    connect_loop_t *loop, connect_task_t *task, int64_t due_ms, void (*run)(void *arg), void *arg) {
    cn_task_disarm(loop, task);
    task->private_run = run;
    task->private_arg = arg;
    task->private_place = CN_TASK_TIMED;
    cn_timer_insert(&loop->timers, task, due_ms);
    if (cn_timer_peek(&loop->timers) == task) cn_loop_tell_outside(loop);
}

static void cn_task_run(connect_task_t *task) {
    void (*run)(void *arg) = task->private_run;
    void *arg = task->private_arg;
    task->private_place = CN_TASK_ELSEWHERE;
    __atomic_exchange_n(&task->private_waits, 0, __ATOMIC_ACQ_REL); /* sees what each post so far brought */
    run(arg);
}

/* Takes all that was posted into the queue, oldest first. */
static void cn_loop_take_posted(connect_loop_t *loop) {
    connect_task_t *stack, *first = NULL, *last;
    if (!__atomic_load_n(&loop->posted, __ATOMIC_RELAXED)) return;
    stack = last = __atomic_exchange_n(&loop->posted, NULL, __ATOMIC_SEQ_CST);
    while (stack) {
        connect_task_t *task = stack;
        stack = task->private_next;
        task->private_place = CN_TASK_QUEUED;
        task->private_sequence = loop->queue_batch;
        task->private_before = NULL;
        task->private_next = first;
        if (first) first->private_before = task;
        first = task;
    }
    /* first is the oldest, and last, the top of the stack, the youngest */
    first->private_before = loop->queue_last;
    if (loop->queue_last)
        loop->queue_last->private_next = first;
    else
        loop->queue_first = first;
    loop->queue_last = last;
}

static void cn_loop_unqueue(connect_loop_t *loop, connect_task_t *task) {
    if (task->private_before)
        task->private_before->private_next = task->private_next;
    else
        loop->queue_first = task->private_next;
    if (task->private_next)
        task->private_next->private_before = task->private_before;
    else
        loop->queue_last = task->private_before;
    task->private_next = task->private_before = NULL;
    task->private_place = CN_TASK_ELSEWHERE;
}

void connect_loop_post(connect_loop_t *loop, connect_task_t *task, void (*run)(void *arg), void *arg) {
    connect_task_t *top;
    if (__atomic_exchange_n(&task->private_waits, 1, __ATOMIC_ACQ_REL)) return;
    task->private_run = run;
    task->private_arg = arg;
    top = __atomic_load_n(&loop->posted, __ATOMIC_RELAXED);
    do
        task->private_next = top;
    while (!__atomic_compare_exchange_n(&loop->posted, &top, task, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
    if (!top && __atomic_load_n(&loop->wake.asleep, __ATOMIC_SEQ_CST)) cn_wake_send(loop->wake.ends[1]);
}

void connect_loop_after(
    connect_loop_t *loop, connect_task_t *task, int64_t delay_ms, void (*run_or_null)(void *arg), void *arg) {
    int64_t now = cn_loop_now_ms(loop);
    bool waits = __atomic_load_n(&task->private_waits, __ATOMIC_ACQUIRE) != 0;
    if (waits && task->private_place == CN_TASK_ELSEWHERE) cn_loop_take_posted(loop);
    if (task->private_place == CN_TASK_QUEUED) {
        cn_loop_unqueue(loop, task);
    } else if (task->private_place == CN_TASK_TIMED) {
        cn_task_disarm(loop, task);
    } else if (waits || delay_ms < 0 || __atomic_exchange_n(&task->private_waits, 1, __ATOMIC_ACQ_REL)) {
        return; /* nothing to take back, or another thread is posting it at this moment: it is left as it is */
    }
    if (delay_ms < 0)
        __atomic_exchange_n(&task->private_waits, 0, __ATOMIC_ACQ_REL);
    else
        cn_task_arm(loop, task, delay_ms > INT64_MAX - now ? INT64_MAX : now + delay_ms, run_or_null, arg);
}

/* What comes in meanwhile waits for the next turn. */
static void cn_loop_run_posted(connect_loop_t *loop) {
    uint64_t batch;
    cn_loop_take_posted(loop);
    batch = loop->queue_batch++;
    while (loop->queue_first && loop->queue_first->private_sequence <= batch) {
        connect_task_t *task = loop->queue_first;
        cn_loop_unqueue(loop, task);
        cn_task_run(task);
    }
}

static void cn_loop_run_timers(connect_loop_t *loop) {
    uint64_t end = loop->timers.sequence;
    connect_task_t *task;
    while ((task = cn_timer_peek(&loop->timers)) != NULL && task->private_due_ms <= loop->now_ms &&
        task->private_sequence < end) {
        cn_timer_remove(&loop->timers, task);
        cn_task_run(task);
    }
}

/* ---- Sources ---------------------------------------------------------------------------------------------------- */

CN_PRIVATE bool cn_source_watch(connect_loop_t *loop, cn_source_t *source, unsigned interest) {
    if (interest == source->interest) return true;
    if (!loop->poller->watch(loop->poller_fd, source->fd, source->interest, interest, source)) return false;
    source->interest = interest;
    return true;
}

CN_PRIVATE int cn_source_forget(connect_loop_t *loop, cn_source_t *source) {
    int fd = source->fd;
    if (fd >= 0) cn_source_watch(loop, source, 0);
    source->fd = -1;
    source->interest = 0;
    return fd;
}

CN_PRIVATE void cn_source_close(connect_loop_t *loop, cn_source_t *source) {
    int fd = cn_source_forget(loop, source);
    if (fd >= 0) close(fd);
}

CN_PRIVATE void cn_source_free(connect_loop_t *loop, cn_source_t *source) {
    cn_list_remove(&source->node);
    if (loop->is_running)
        cn_list_append(&loop->dead, &source->node);
    else
        cn_mem_release(loop->allocator, source);
}

static void cn_loop_bury(connect_loop_t *loop) {
    cn_list_t *node;
    while ((node = cn_list_pop(&loop->dead)) != NULL)
        cn_mem_release(loop->allocator, CN_CONTAINER(node, cn_source_t, node));
}

/* ---- The loop --------------------------------------------------------------------------------------------------- */

static void cn_loop_woken(cn_source_t *source, unsigned ready) {
    connect_loop_t *loop = CN_CONTAINER(source, connect_loop_t, wake_source);
    (void)ready;
    cn_wake_drain(source->fd);
    loop->wake.is_sent = false;
}

connect_loop_t *connect_loop_new(const connect_allocator_t *allocator_or_null, connect_error_t *error) {
    const connect_allocator_t *allocator = allocator_or_null ? allocator_or_null : connect_allocator_libc();
    connect_loop_t *loop = (connect_loop_t *)cn_mem_acquire(allocator, sizeof *loop);
    if (!loop) {
        cn_error_memory(error);
        return NULL;
    }
    loop->allocator = allocator;
#if CN_POLLER_KQUEUE
    loop->poller = cn_poller_kqueue();
#else
    loop->poller = cn_poller_epoll();
#endif
    loop->poller_fd = -1;
    cn_list_init(&loop->sources);
    cn_list_init(&loop->dead);
    cn_list_init(&loop->woken);
    cn_list_init(&loop->dirty);
    loop->wake_of = &loop->wake;
    loop->wake.ends[0] = loop->wake.ends[1] = -1;
    loop->wake.asleep = 1;
    /* not zeroed: pages that no input reaches are never touched */
    loop->input = (char *)allocator->acquire(allocator->ctx, CN_LOOP_INPUT + CN_SLACK);
    if (!loop->input) {
        cn_error_memory(error);
        connect_loop_free(loop);
        return NULL;
    }
    loop->poller_fd = loop->poller->open();
    loop->wake_source.ready = cn_loop_woken;
    if (loop->poller_fd >= 0 && cn_wake_open(loop->wake.ends)) {
        loop->wake_source.fd = loop->wake.ends[0];
        if (cn_source_watch(loop, &loop->wake_source, CN_POLL_KNOWN | CN_POLL_READ)) return loop;
    }
    cn_error_set(error, CONNECT_RESOURCE_EXHAUSTED, "cannot make an event loop: no descriptors or memory for it");
    if (error) error->os_error = errno;
    connect_loop_free(loop);
    return NULL;
}

void connect_loop_free(connect_loop_t *loop_or_null) {
    connect_loop_t *loop = loop_or_null;
    const connect_allocator_t *allocator;
    if (!loop) return;
    if (loop->is_running) {
        loop->is_doomed = true;
        return;
    }
    loop->is_running = loop->is_doomed = true; /* callbacks begin no turn and dial no more */
    loop->now_ms = cn_loop_clock_ms();
    while (!cn_list_empty(&loop->sources)) {
        cn_source_t *source = CN_CONTAINER(loop->sources.next, cn_source_t, node);
        source->close(source);
    }
    cn_loop_bury(loop);
    cn_wake_close(loop->wake.ends);
    if (loop->poller_fd >= 0) loop->poller->close(loop->poller_fd);
    allocator = loop->allocator;
    cn_mem_release(allocator, loop->input);
    cn_mem_release(allocator, loop);
}

/* Work that waits for nothing. */
static bool cn_loop_has_work(const connect_loop_t *loop) {
    return loop->queue_first || __atomic_load_n(&loop->posted, __ATOMIC_SEQ_CST) || !cn_list_empty(&loop->woken) ||
        !cn_list_empty(&loop->dirty);
}

static bool cn_loop_can_go_on(const connect_loop_t *loop) {
    return cn_loop_has_work(loop) || !cn_list_empty(&loop->sources) || cn_timer_peek(&loop->timers);
}

int connect_loop_timeout_ms(const connect_loop_t *loop) {
    const connect_task_t *first = cn_timer_peek(&loop->timers);
    int64_t left;
    if (cn_loop_has_work(loop)) return 0;
    if (!first) return -1;
    left = first->private_due_ms - cn_loop_clock_ms();
    return left <= 0 ? 0 : (int)CN_MIN(left, (int64_t)INT_MAX);
}

int connect_loop_fd(const connect_loop_t *loop) {
    if (!loop->wake_of->is_asked) {
        loop->wake_of->is_asked = true;
        if (cn_loop_has_work(loop)) cn_loop_tell_outside(loop);
    }
    return loop->poller_fd;
}

static bool cn_loop_turn(connect_loop_t *loop, int timeout_ms, bool *is_freed) {
    cn_poll_event_t events[CN_LOOP_EVENTS];
    int count, i, due_ms;
    *is_freed = false;
    if (loop->is_running || !cn_loop_can_go_on(loop)) return false;
    due_ms = connect_loop_timeout_ms(loop);
    if (due_ms >= 0 && (timeout_ms < 0 || due_ms < timeout_ms)) timeout_ms = due_ms;
    loop->is_running = true;
    count = loop->poller->wait(loop->poller_fd, events, CN_LOOP_EVENTS, timeout_ms);
    __atomic_store_n(&loop->wake.asleep, 0, __ATOMIC_SEQ_CST);
    loop->now_ms = cn_loop_clock_ms();
    for (i = 0; i < count; i++) {
        cn_source_t *source = (cn_source_t *)events[i].data;
        if (source->fd >= 0) source->ready(source, events[i].ready);
    }
    cn_loop_run_posted(loop);
    cn_loop_run_timers(loop);
    cn_carrier_run_all(loop);
    cn_loop_bury(loop);
    loop->is_running = false;
    if (loop->is_doomed) {
        *is_freed = true;
        connect_loop_free(loop);
        return false;
    }
    __atomic_store_n(&loop->wake.asleep, 1, __ATOMIC_SEQ_CST);
    return cn_loop_can_go_on(loop);
}

bool connect_loop_run(connect_loop_t *loop, int timeout_ms) {
    bool is_freed;
    return cn_loop_turn(loop, timeout_ms, &is_freed);
}

CN_PRIVATE bool cn_loop_run_until(connect_loop_t *loop, bool (*done)(void *arg), void *arg) {
    if (loop->is_running) return false;
    while (!done(arg)) {
        bool is_freed;
        if (!cn_loop_turn(loop, -1, &is_freed)) return !is_freed && done(arg);
    }
    return true;
}
#endif

/* #### src/loop/listen.c ########################################################################################### */
/* Where a server meets the loop: its listeners. They are stopped by a drain, and when the server is freed. */

#if CONNECT_ENABLE_SERVER && CONNECT_ENABLE_SOCKETS
typedef struct cn_listen_entry_t {
    struct cn_listen_entry_t *next;
    cn_listener_t *listener;
} cn_listen_entry_t;

static void cn_listen_stop(connect_server_t *server) {
    cn_listen_entry_t *entry;
    while ((entry = (cn_listen_entry_t *)server->listeners) != NULL) {
        server->listeners = entry->next;
        cn_loop_unlisten(entry->listener);
        cn_mem_release(server->allocator, entry);
    }
}

static connect_conn_t *cn_listen_on_accept(void *user, const char *peer) {
    return connect_server_accept((connect_server_t *)user, peer, NULL);
}

CN_PRIVATE bool cn_server_need_loop(connect_server_t *server, connect_error_t *error) {
    if (server->loop) return true;
    server->loop = connect_loop_new(server->allocator, error);
    server->owns_loop = server->loop != NULL;
    return server->owns_loop;
}

int connect_server_listen(
    connect_server_t *server, const char *address, const connect_listen_options_t *options, connect_error_t *error) {
    static const connect_listen_options_t defaults;
    cn_listen_entry_t *entry;
    int port = -1;
    if (server->draining) {
        cn_error_set(error, CONNECT_FAILED_PRECONDITION, "the server is draining");
        return -1;
    }
    if (!cn_server_need_loop(server, error)) return -1;
    entry = (cn_listen_entry_t *)cn_mem_acquire(server->allocator, sizeof *entry);
    if (!entry) {
        cn_error_memory(error);
        return -1;
    }
    entry->listener =
        cn_loop_listen(server->loop, address, options ? options : &defaults, cn_listen_on_accept, server, &port, error);
    if (!entry->listener) {
        cn_mem_release(server->allocator, entry);
        return -1;
    }
    entry->next = (cn_listen_entry_t *)server->listeners;
    server->listeners = entry;
    server->stop_listening = cn_listen_stop;
    return port;
}

/* A server that is freed in a callback stays until the run that the callback came out of has returned. */
static bool cn_listen_is_done(void *arg) {
    const connect_server_t *server = (const connect_server_t *)arg;
    return server->free_wanted || cn_server_is_done(server);
}

void connect_server_run(connect_server_t *server) {
    if (!cn_server_need_loop(server, NULL) || cn_loop_is_running(server->loop)) return;
    server->runs++;
    cn_loop_run_until(server->loop, cn_listen_is_done, server);
    if (--server->runs == 0 && server->free_wanted && !server->busy) connect_server_free(server);
}
#endif

/* #### src/loop/wait.c ############################################################################################# */
/* Where a client meets the loop: its dialer and its clock, and the functions that wait. A blocking call is a call
   without events and a loop that is run until there is an answer; there is no second way. In a callback of the loop
   they fail with FAILED_PRECONDITION: the loop runs already.

   A client of a server in memory shares the server's loop, which carries between them as a task. Without sockets there
   is no loop and no clock: a function that waits carries itself, and when nothing moves any more the time jumps to
   whatever is due first. */

#if CONNECT_ENABLE_CLIENT && CONNECT_ENABLE_SOCKETS
static connect_code_t cn_wait_dial(connect_conn_t *conn, const char *address, void *user) {
    connect_client_t *client = (connect_client_t *)user;
    return cn_loop_dial(client->loop, conn, address, client->limits.dial_ms);
}

static int64_t cn_wait_clock(const connect_client_t *client) {
    return cn_loop_now_ms(client->loop);
}

CN_PRIVATE bool cn_client_use_sockets(connect_client_t *client, connect_error_t *error) {
    if (client->dial) return true;
    client->dial = cn_wait_dial;
    client->dial_user = client;
    client->clock = cn_wait_clock;
    if (client->loop) return true;
    client->loop = connect_loop_new(client->allocator, error);
    client->owns_loop = client->loop != NULL;
    return client->owns_loop;
}
#endif

/* ---- A server in memory ----------------------------------------------------------------------------------------- */

#if CONNECT_ENABLE_CLIENT && CONNECT_ENABLE_SERVER
#if CONNECT_ENABLE_SOCKETS
static void cn_wait_carry(void *arg) {
    cn_loopback_t *loopback = (cn_loopback_t *)arg;
    connect_loop_t *loop = loopback->loop;
    int64_t now_ms = cn_loop_now_ms(loop), due_ms = now_ms;
    bool is_freed, has_more = cn_loopback_carry(loopback, now_ms, &is_freed);
    if (is_freed) return;
    if (!has_more) due_ms = cn_loopback_due_ms(loopback);
    if (due_ms != INT64_MAX)
        connect_loop_after(loop, &loopback->task, CN_MAX(due_ms - now_ms, 0), cn_wait_carry, loopback);
}

static void cn_wait_wake(cn_loopback_t *loopback) {
    connect_loop_after(loopback->loop, &loopback->task, 0, cn_wait_carry, loopback);
}

static bool cn_wait_share_loop(connect_client_t *client, connect_server_t *server, connect_error_t *error) {
    if (!server->loop) server->loop = client->loop;
    if (!cn_server_need_loop(server, error)) return false;
    if (client->loop && client->loop != server->loop)
        return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "loopback: the server has another loop than options.loop");
    client->loop = client->loopback->loop = server->loop;
    client->loopback->wake = cn_wait_wake;
    client->clock = cn_wait_clock;
    return true;
}
#else
static int64_t cn_wait_clock(const connect_client_t *client) {
    return client->loopback->now_ms;
}

static bool cn_wait_share_loop(connect_client_t *client, connect_server_t *server, connect_error_t *error) {
    (void)server;
    (void)error;
    client->clock = cn_wait_clock;
    return true;
}
#endif

CN_PRIVATE bool cn_client_use_loopback(connect_client_t *client, connect_server_t *server, connect_error_t *error) {
    if (client->dial) return cn_error_set(error, CONNECT_INVALID_ARGUMENT, "loopback and dial exclude each other");
    client->loopback = cn_loopback_new(client->allocator, server);
    if (!client->loopback) return cn_error_memory(error);
    client->dial = cn_loopback_dial;
    client->dial_user = client->loopback;
    return cn_wait_share_loop(client, server, error);
}
#endif

/* ---- Waiting ---------------------------------------------------------------------------------------------------- */

#if CONNECT_ENABLE_CLIENT
#if CONNECT_ENABLE_SOCKETS
static bool cn_wait_is_possible(const connect_client_t *client) {
    return client->loop && !cn_loop_is_running(client->loop);
}

/* Runs callbacks until done says true, or nothing can come any more (false). */
static bool cn_wait_run(connect_client_t *client, bool (*done)(void *arg), void *arg) {
    return cn_loop_run_until(client->loop, done, arg);
}
#elif CONNECT_ENABLE_SERVER
static bool cn_wait_is_possible(const connect_client_t *client) {
    return client->loopback && !client->loopback->is_running;
}

static bool cn_wait_run(connect_client_t *client, bool (*done)(void *arg), void *arg) {
    int64_t now_ms = client->loopback->now_ms, due_ms;
    bool is_freed, has_more = true;
    while (!done(arg)) {
        due_ms = has_more ? now_ms : cn_loopback_due_ms(client->loopback);
        if (due_ms == INT64_MAX) return false;
        if (!has_more) now_ms = CN_MAX(due_ms, now_ms + 1);
        has_more = cn_loopback_carry(client->loopback, now_ms, &is_freed);
    }
    return true;
}
#else
static bool cn_wait_is_possible(const connect_client_t *client) {
    (void)client;
    return false;
}

static bool cn_wait_run(connect_client_t *client, bool (*done)(void *arg), void *arg) {
    (void)client;
    return done(arg);
}
#endif

typedef struct cn_wait_t {
    connect_call_t *call;
    void *message;
    connect_arena_t *arena;
    connect_error_t *error;
    connect_io_t result;
    const void *request;
} cn_wait_t;

static bool cn_wait_refuse(const connect_client_t *client, connect_error_t *error) {
    if (client && cn_wait_is_possible(client)) return false;
    cn_error_set(error, CONNECT_FAILED_PRECONDITION,
        "a function that waits needs the client's loop or loopback, and cannot be called in a callback");
    return true;
}

/* Between them a client that is freed in a callback stays; its calls are canceled at once. */
static void cn_wait_begin(connect_client_t *client) {
    client->waits++;
}

static void cn_wait_end(connect_client_t *client) {
    if (--client->waits == 0 && client->free_wanted && !client->busy) connect_client_free(client);
}

static bool cn_wait_received(void *arg) {
    cn_wait_t *wait = (cn_wait_t *)arg;
    wait->result = cn_invoke_receive(wait->call, wait->message, wait->arena, wait->error);
    return wait->result != CONNECT_IO_AGAIN;
}

connect_io_t connect_call_receive_wait(
    connect_call_t *call, void *message, connect_arena_t *arena, connect_error_t *error) {
    connect_client_t *client = (connect_client_t *)call->owner;
    cn_wait_t wait;
    if (!call->pull || cn_wait_refuse(client, error)) {
        if (!call->pull) cn_error_set(error, CONNECT_FAILED_PRECONDITION, "the call was started with events");
        return CONNECT_IO_ERROR;
    }
    memset(&wait, 0, sizeof wait);
    wait.call = call;
    wait.message = message;
    wait.arena = arena;
    wait.error = error;
    cn_wait_begin(client);
    if (!cn_wait_received(&wait) && !cn_wait_run(client, cn_wait_received, &wait)) {
        cn_error_set(error, CONNECT_UNAVAILABLE, "nothing can come any more");
        wait.result = CONNECT_IO_ERROR;
    }
    cn_wait_end(client);
    return wait.result;
}

static bool cn_wait_sent(void *arg) {
    cn_wait_t *wait = (cn_wait_t *)arg;
    wait->result = connect_call_send(wait->call, wait->request);
    return wait->result != CONNECT_IO_AGAIN;
}

connect_io_t connect_call_send_wait(connect_call_t *call, const void *message, connect_error_t *error) {
    connect_client_t *client = (connect_client_t *)call->owner;
    cn_wait_t wait;
    if (cn_wait_refuse(client, error)) return CONNECT_IO_ERROR;
    cn_wait_begin(client);
    memset(&wait, 0, sizeof wait);
    wait.call = call;
    wait.request = message;
    if (!cn_wait_sent(&wait) && !cn_wait_run(client, cn_wait_sent, &wait)) wait.result = CONNECT_IO_ERROR;
    if (wait.result == CONNECT_IO_ERROR && error) {
        *error = call->rpc.error;
        if (error->code == CONNECT_OK) cn_error_set(error, CONNECT_UNAVAILABLE, "nothing can come any more");
    }
    cn_wait_end(client);
    return wait.result;
}

static bool cn_wait_copy_headers(
    connect_headers_t *to, connect_headers_t from, const connect_limits_t *limits, connect_arena_t *arena) {
    cn_headers_t copy;
    size_t i;
    memset(&copy, 0, sizeof copy);
    for (i = 0; i < from.count; i++)
        if (cn_headers_receive(&copy, arena, limits, connect_str_of(from.items[i].name), from.items[i].value) !=
            CN_HEADERS_OK)
            return false;
    *to = cn_headers_view(&copy);
    return true;
}

connect_code_t connect_client_unary_wait(connect_client_t *client, const connect_method_t *method, const void *request,
    void *response, connect_arena_t *arena, const connect_call_options_t *options, connect_error_t *error) {
    connect_error_t local;
    connect_call_t *call;
    connect_io_t got;
    if (!error) error = &local;
    if (cn_wait_refuse(client, error)) return error->code;
    call = connect_client_start(client, method, NULL, NULL, options, error);
    if (!call) return error->code;
    cn_wait_begin(client);
    connect_call_finish(call, CONNECT_OK, request);
    got = connect_call_receive_wait(call, response, arena, error);
    if (got == CONNECT_IO_END) cn_error_set(error, CONNECT_UNIMPLEMENTED, "the response has no message");
    if (options && options->reply) {
        memset(options->reply, 0, sizeof *options->reply);
        if ((!cn_wait_copy_headers(&options->reply->headers, call->info.headers, call->rpc.limits, arena) ||
                !cn_wait_copy_headers(&options->reply->trailers, call->info.trailers, call->rpc.limits, arena)) &&
            got == CONNECT_IO_OK) {
            got = CONNECT_IO_ERROR;
            cn_error_memory(error);
        }
    }
    connect_call_free(call);
    cn_wait_end(client);
    return got == CONNECT_IO_OK ? CONNECT_OK : error->code;
}
#endif

#if CONNECT_ENABLE_SOCKETS
connect_loop_t *connect_call_loop(const connect_call_t *call) {
    return call->loop;
}
#endif

/* #### src/report.c ################################################################################################ */
/* What this build holds: the version and each switch, in one line for logs and bug reports. A switch's value may be an
   expression, so each is turned into a digit by #if. */

#if CONNECT_ENABLE_CLIENT
#define CN_REPORT_CLIENT " CLIENT=1"
#else
#define CN_REPORT_CLIENT " CLIENT=0"
#endif
#if CONNECT_ENABLE_SERVER
#define CN_REPORT_SERVER " SERVER=1"
#else
#define CN_REPORT_SERVER " SERVER=0"
#endif
#if CONNECT_ENABLE_HTTP2
#define CN_REPORT_HTTP2 " HTTP2=1"
#else
#define CN_REPORT_HTTP2 " HTTP2=0"
#endif
#if CONNECT_ENABLE_GRPC
#define CN_REPORT_GRPC " GRPC=1"
#else
#define CN_REPORT_GRPC " GRPC=0"
#endif
#if CONNECT_ENABLE_JSON
#define CN_REPORT_JSON " JSON=1"
#else
#define CN_REPORT_JSON " JSON=0"
#endif
#if CONNECT_ENABLE_SOCKETS
#define CN_REPORT_SOCKETS " SOCKETS=1"
#else
#define CN_REPORT_SOCKETS " SOCKETS=0"
#endif
#if CONNECT_ENABLE_GZIP
#define CN_REPORT_GZIP " GZIP=1"
#else
#define CN_REPORT_GZIP " GZIP=0"
#endif
#if CONNECT_ENABLE_ZSTD
#define CN_REPORT_ZSTD " ZSTD=1"
#else
#define CN_REPORT_ZSTD " ZSTD=0"
#endif

const char *connect_build_info(void) {
    return "connect.h " CONNECT_VERSION_STRING CN_REPORT_CLIENT CN_REPORT_SERVER CN_REPORT_HTTP2 CN_REPORT_GRPC
        CN_REPORT_JSON CN_REPORT_SOCKETS CN_REPORT_GZIP CN_REPORT_ZSTD;
}

/* #### No private macro is left #################################################################################### */
#undef CN_ACCEPT_BATCH
#undef CN_ACCEPT_PAUSE_MS
#undef CN_ADDRESS_FORMS
#undef CN_ADDRESS_HOST_MAX
#undef CN_APART
#undef CN_ARENA_ALIGN
#undef CN_ARENA_FIRST
#undef CN_ARENA_LARGEST
#undef CN_BUF_FIRST
#undef CN_BUF_POOLED_MAX
#undef CN_CALL_BLOCK
#undef CN_CALL_KEPT_MAX
#undef CN_CALL_PACKED_MORE
#undef CN_CALL_POOLED_MAX
#undef CN_CARRIER_ADDRESSES
#undef CN_CARRIER_LINGERERS
#undef CN_CARRIER_LINGER_BYTES
#undef CN_CARRIER_LINGER_MS
#undef CN_CARRIER_ROUNDS
#undef CN_CARRIER_WRITES
#undef CN_CLIENT_HTTP1_MAX
#undef CN_CLIENT_HTTP2_MAX
#undef CN_CODINGS_BUILT_IN_MAX
#undef CN_CODINGS_KEPT_MAX
#undef CN_CODINGS_MIN
#undef CN_COLD
#undef CN_CONN_BLOCKED
#undef CN_CONTAINER
#undef CN_ENVELOPE_HEAD
#undef CN_EPOLL_BATCH
#undef CN_ERROR_JSON_DEPTH
#undef CN_EXTENSION_ITEM
#undef CN_EXTENSION_ITEM_MESSAGE
#undef CN_EXTENSION_ITEM_TYPE
#undef CN_FAILURE_TEXT
#undef CN_GRPC_DETAILS_MAX
#undef CN_GRPC_MESSAGE_MAX
#undef CN_GZIP_FIRST
#undef CN_GZIP_LEVEL
#undef CN_GZIP_LEVEL_MAX
#undef CN_GZIP_MEMORY_LEVEL
#undef CN_GZIP_STEP
#undef CN_GZIP_WINDOW_BITS
#undef CN_H1_CHUNK_EXTENSIONS_MAX
#undef CN_H1_CHUNK_LINE_MAX
#undef CN_H1_DRAIN_MAX
#undef CN_H1_EACH
#undef CN_H1_FIELD_COST
#undef CN_H1_INTERIM_MAX
#undef CN_H1_MARKS
#undef CN_H1_METHOD_MAX
#undef CN_H1_PUT
#undef CN_H1_RECORDED
#undef CN_H1_REFUSAL
#undef CN_HEADERS_FIRST
#undef CN_HEADER_OVERHEAD
#undef CN_HOT
#undef CN_HTTP2_ACKS_BLOCK
#undef CN_HTTP2_ACKS_MAX
#undef CN_HTTP2_BOMB_FACTOR
#undef CN_HTTP2_CONTINUATIONS
#undef CN_HTTP2_FRAME_HEAD
#undef CN_HTTP2_HPACK_TABLE
#undef CN_HTTP2_INTERIM_HEADS
#undef CN_HTTP2_MAGIC_LEN
#undef CN_HTTP2_POOL_CLASSES
#undef CN_HTTP2_POOL_STEP
#undef CN_HTTP2_STACK_FIELDS
#undef CN_HTTP2_STALLED_MAX
#undef CN_HTTP2_UPDATE_CREDIT
#undef CN_JSON_DEPTH_MAX
#undef CN_JSON_DIGITS
#undef CN_JSON_HIGHS
#undef CN_JSON_NAME_MAX
#undef CN_JSON_ONES
#undef CN_JSON_SSE2
#undef CN_KQUEUE_BATCH
#undef CN_KQUEUE_CHANGES
#undef CN_LEN
#undef CN_LIKELY
#undef CN_LIMITS_DEPTH_MAX
#undef CN_LIMITS_FIELDS
#undef CN_LIMITS_FILL
#undef CN_LIMITS_KIB
#undef CN_LIMITS_MIB
#undef CN_LIMITS_SECOND
#undef CN_LIMITS_WINDOW_MAX
#undef CN_LOOPBACK_ROOM
#undef CN_LOOPBACK_ROUNDS
#undef CN_LOOP_EVENTS
#undef CN_LOOP_INPUT
#undef CN_MAX
#undef CN_MESSAGE_DEPTH
#undef CN_MESSAGE_DEPTH_COPY
#undef CN_MESSAGE_MEMORY
#undef CN_MIN
#undef CN_NUMBER_POWER_MAX
#undef CN_NUMBER_POWER_MIN
#undef CN_NUMBER_POWER_STEP
#undef CN_NUMBER_ROOM
#undef CN_NUMBER_TEXT_MAX
#undef CN_NUMBER_WORDS
#undef CN_PBJSON_KEY_PARTS
#undef CN_PBJSON_QUOTED
#undef CN_PBJSON_TEXT
#undef CN_PBJSON_VALUE_BOOL
#undef CN_PBJSON_VALUE_LIST
#undef CN_PBJSON_VALUE_NULL
#undef CN_PBJSON_VALUE_NUMBER
#undef CN_PBJSON_VALUE_STRING
#undef CN_PBJSON_VALUE_STRUCT
#undef CN_PB_HEAD
#undef CN_PB_LARGE
#undef CN_PB_LITTLE
#undef CN_PB_MARGIN
#undef CN_PB_NUMBER_MAX
#undef CN_PB_PATH
#undef CN_PB_WINDOW
#undef CN_PB_WIRE_END
#undef CN_PEER_TEXT
#undef CN_POLLER_KQUEUE
#undef CN_PRIVATE
#undef CN_REPORT_CLIENT
#undef CN_REPORT_GRPC
#undef CN_REPORT_GZIP
#undef CN_REPORT_HTTP2
#undef CN_REPORT_JSON
#undef CN_REPORT_SERVER
#undef CN_REPORT_SOCKETS
#undef CN_REPORT_ZSTD
#undef CN_ROUTE_FIRST
#undef CN_SCHEMA_DEPTH
#undef CN_SCHEMA_NAME
#undef CN_SCHEMA_NUMBER_MAX
#undef CN_SLACK
#undef CN_SOCKET_BACKLOG
#undef CN_SOCKET_ENDPOINTS
#undef CN_SOCKET_UNIX_MODE
#undef CN_STR
#undef CN_STR_QUOTE_MAX
#undef CN_TIMEOUT_MAX_MS
#undef CN_TIMEOUT_NONE
#undef CN_UNLIKELY
#undef CN_WKT_DAY
#undef CN_WKT_DURATION_MAX
#undef CN_WKT_EPOCH
#undef CN_WKT_ROOM
#undef CN_WKT_SECOND
#undef CN_WKT_TIMESTAMP_MAX
#undef CN_WKT_TIMESTAMP_MIN
#undef CN_ZSTD_DICTIONARY
#undef CN_ZSTD_FIRST
#undef CN_ZSTD_KEPT_MAX
#undef CN_ZSTD_LEVEL
#undef CN_ZSTD_LEVEL_MAX
#undef CN_ZSTD_MAGIC
#undef CN_ZSTD_SINGLE_SEGMENT
#endif /* CONNECT_IMPLEMENTATION */
