#pragma once

/* ==== 3. Messages: types and codecs, of use without any RPC ======================================================
   A message is a plain struct, and a connect_type_t says how to read it. C members by kind: bool, int32_t ... double
   (enums: int32_t); string, bytes: connect_str_t; message, group: const T *; repeated: {const T *items; size_t count;};
   map: a list of entries {key, value}; oneof: int32_t x_case, union x. Present is what has has_x, or, without
   such a member, what is not NULL, zero or empty; in a oneof, what x_case names by its number. */

typedef enum connect_kind_t { /* the numbers of google.protobuf.FieldDescriptorProto.Type */
    CONNECT_KIND_DOUBLE = 1, CONNECT_KIND_FLOAT = 2, CONNECT_KIND_INT64 = 3, CONNECT_KIND_UINT64 = 4,
    CONNECT_KIND_INT32 = 5, CONNECT_KIND_FIXED64 = 6, CONNECT_KIND_FIXED32 = 7, CONNECT_KIND_BOOL = 8,
    CONNECT_KIND_STRING = 9, CONNECT_KIND_GROUP = 10, CONNECT_KIND_MESSAGE = 11, CONNECT_KIND_BYTES = 12,
    CONNECT_KIND_UINT32 = 13, CONNECT_KIND_ENUM = 14, CONNECT_KIND_SFIXED32 = 15, CONNECT_KIND_SFIXED64 = 16,
    CONNECT_KIND_SINT32 = 17, CONNECT_KIND_SINT64 = 18
} connect_kind_t;
enum { /* connect_field_t.flags */
    CONNECT_FIELD_REPEATED = 1,
    CONNECT_FIELD_PACKED = 2,    /* written packed; both forms are read */
    CONNECT_FIELD_MAP = 4,       /* REPEATED entries; the last of a key counts */
    CONNECT_FIELD_REQUIRED = 8,
    CONNECT_FIELD_HAS = 16,      /* `presence` is the offset of bool has_x */
    CONNECT_FIELD_ONEOF = 32,    /* `presence` is the offset of int32_t x_case */
    CONNECT_FIELD_NULLABLE = 64, /* absent is NULL: messages; strings and bytes that track presence */
    CONNECT_FIELD_UTF8 = 128     /* the text is checked */
};
typedef struct connect_field_t { /* 16 bytes without pointers: shared, read-only pages even in a PIE */
    uint32_t number;
    uint16_t offset, presence;   /* of the members in the struct */
    uint16_t name, json_name;    /* offsets into the type's names */
    uint16_t type;               /* index into the type's `types` or `enums` */
    uint8_t kind, flags;
} connect_field_t;
typedef struct connect_enum_value_t { int32_t number; uint32_t name; } connect_enum_value_t;
typedef struct connect_enum_t {
    const char *full_name;              /* "acme.telemetry.v1.Quality" */
    const connect_enum_value_t *values; /* by number, aliases after the first */
    const char *names;
    uint16_t count;
    bool closed;                        /* a number it does not know goes to the unknown fields */
} connect_enum_t;
typedef enum connect_form_t { /* messages with a JSON form of their own */
    CONNECT_FORM_PLAIN, CONNECT_FORM_ANY, CONNECT_FORM_TIMESTAMP, CONNECT_FORM_DURATION, CONNECT_FORM_FIELD_MASK,
    CONNECT_FORM_STRUCT, CONNECT_FORM_VALUE, CONNECT_FORM_LIST, CONNECT_FORM_WRAPPER, CONNECT_FORM_EMPTY
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
    const uint8_t *name_slots;          /* perfect hash from both names to fields; NULL: they are compared in turn */
    uint32_t name_seed;
    uint32_t size;                      /* sizeof the struct */
    uint16_t field_count;
    uint16_t dense;                     /* fields[i].number == i + 1 for i < dense */
    uint16_t unknown;                   /* offset of connect_str_list_t unknown_fields */
    bool keeps_unknown;                 /* false: the struct has no such member, unknown fields are dropped */
    bool has_required;                  /* here or in a message below */
    bool is_map_entry;
    bool is_message_set;                /* its unknown fields are items of a MessageSet */
    uint8_t form;                       /* connect_form_t */
};
typedef struct connect_extension_t {    /* its value stays among the unknown fields until asked for */
    const connect_type_t *extendee;
    const connect_type_t *holder;       /* a type with this one field; full_name is the extension's */
} connect_extension_t;
typedef enum connect_method_kind_t {
    CONNECT_UNARY, CONNECT_CLIENT_STREAM, CONNECT_SERVER_STREAM, CONNECT_BIDI_STREAM,
    CONNECT_ANY_KIND                    /* raw routes: each as the request says, all handled as bidi */
} connect_method_kind_t;
typedef enum connect_idempotency_t {
    CONNECT_IDEMPOTENCY_UNKNOWN, CONNECT_NO_SIDE_EFFECTS, CONNECT_IDEMPOTENT
} connect_idempotency_t;
typedef struct connect_method_t {
    const char *path;                   /* "/acme.telemetry.v1.Telemetry/Read" */
    const connect_type_t *input, *output; /* NULL: raw, a message is a connect_str_t with its bytes */
    connect_method_kind_t kind;
    connect_idempotency_t idempotency;
} connect_method_t;
typedef struct connect_service_t {
    const char *full_name;              /* "acme.telemetry.v1.Telemetry" */
    const connect_file_t *file;
    const connect_method_t *const *methods;
    const struct connect_events_t *const *thunks; /* one for each method: they call the typed handlers */
    size_t method_count, handlers_size;
} connect_service_t;
struct connect_file_t {
    const char *name;                   /* "acme/telemetry/v1/telemetry.proto" */
    connect_str_t descriptor;           /* its FileDescriptorProto, for reflection; absent if generated without */
    struct { const connect_file_t *const *items; size_t count; } imports;
    struct { const connect_type_t *const *items; size_t count; } types;
    struct { const connect_enum_t *const *items; size_t count; } enums;
    struct { const connect_extension_t *const *items; size_t count; } extensions;
    struct { const connect_service_t *const *items; size_t count; } services;
};
typedef struct connect_schema_t {       /* a set of files, generated or loaded */
    const connect_file_t *const *files;
    size_t count;
} connect_schema_t;

typedef struct connect_codec_options_t {
    uint32_t depth_max;                 /* nesting; default 100 */
    uint32_t memory_max;                /* bytes of decoded elements; default 16 MiB */
    bool merge;                         /* decode into what the message holds; default: it is set to defaults first */
    bool copy;                          /* decode: strings are copied to the arena; default: views of the input */
    bool drop_unknown;                  /* decode: default: unknown fields are kept, and written again */
    bool partial;                       /* a missing required field is no error */
    bool deterministic;                 /* encode: maps in the order of their keys */
    bool json_strict;                   /* unknown names are errors; default: they are skipped */
    bool json_defaults;                 /* write fields that have their default value, too */
    bool json_proto_names, json_enum_numbers, json_pretty;
    connect_schema_t schema;            /* where JSON finds the types of Any and extensions; servers add their own */
} connect_codec_options_t;

/* Sets a message to its defaults, and so clears it; the same as zeroing it unless the schema gives [default = x] or a
   closed enum. */
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
/* Writes a message in protobuf's text form, for logs. Returns the text, with a zero after it, or the absent view. */
CONNECT_API connect_str_t connect_message_encode_text(const connect_type_t *type, const void *message,
    connect_arena_t *arena);
/* Returns how many bytes connect_message_encode would write; with options->deterministic it writes less if a map has a
   key twice. */
CONNECT_API size_t connect_message_size(const connect_type_t *type, const void *message);
/* Tells whether two messages are equal: maps in any order, unknown fields byte by byte, NaN equals NaN. Sorts maps of
   more than a few entries, in memory of libc's malloc; takes quadratic time for them if there is none. */
CONNECT_API bool connect_message_equal(const connect_type_t *type, const void *a, const void *b);
/* Copies deeply: `to` then points into the arena only. Returns false if it does not fit; `to` is then as after init. */
CONNECT_API bool connect_message_copy(const connect_type_t *type, void *to, const void *from, connect_arena_t *arena);
/* Merges deeply, by protobuf's rules: set fields replace, messages merge, lists append. Returns as copy. */
CONNECT_API bool connect_message_merge(const connect_type_t *type, void *to, const void *from, connect_arena_t *arena);

/* Makes types at run time from a google.protobuf.FileDescriptorSet that holds all imports.
   Errors: INVALID_ARGUMENT names file and type. Lifetime: all of it is in the arena. */
CONNECT_API bool connect_schema_load(connect_schema_t *schema, connect_str_t descriptor_set, connect_arena_t *arena,
    connect_error_t *error);
/* Find a message type by its full name, a method by its path; NULL if the schema has none. */
CONNECT_API const connect_type_t *connect_schema_type(connect_schema_t schema, const char *full_name);
CONNECT_API const connect_method_t *connect_schema_method(connect_schema_t schema, const char *path);
/* Finds a field by its name or its JSON name; NULL if there is none. */
CONNECT_API const connect_field_t *connect_message_field(const connect_type_t *type, connect_str_t name);
/* Returns where a field's value stands, as the member's C type, or NULL if it is absent. */
CONNECT_API const void *connect_message_get(const connect_type_t *type, const void *message,
    const connect_field_t *field);
/* Sets a field and its presence. value_or_null: of the member's C type, copied flat; NULL clears the field. */
CONNECT_API void connect_message_set(const connect_type_t *type, void *message, const connect_field_t *field,
    const void *value_or_null);
/* Finds the entry of a map field by a key of the key's C type, looking at each; NULL if there is none. */
CONNECT_API const void *connect_message_map_get(const connect_type_t *type, const void *message, uint32_t number,
    const void *key);
/* Reads an extension out of the unknown fields into a struct of its holder type. Returns false: absent or bad. */
CONNECT_API bool connect_extension_get(const connect_extension_t *extension, const void *message, void *holder,
    connect_arena_t *arena);
/* Writes an extension in place of its earlier value, before those of greater numbers. holder_or_null: NULL removes it.
   Returns false: no room, the holder cannot be encoded, or the struct has no unknown_fields. */
CONNECT_API bool connect_extension_set(const connect_extension_t *extension, void *message, const void *holder_or_null,
    connect_arena_t *arena);
/* Returns the name of an enum's number, NULL if it has none; and the number of a name, false if it has none. */
CONNECT_API const char *connect_enum_name(const connect_enum_t *type, int32_t number);
CONNECT_API bool connect_enum_number(const connect_enum_t *type, connect_str_t name, int32_t *number);

/* ---- The wire by hand, without types ---- */
typedef enum connect_wire_t {
    CONNECT_WIRE_VARINT = 0, CONNECT_WIRE_FIXED64 = 1, CONNECT_WIRE_BYTES = 2, CONNECT_WIRE_GROUP = 3,
    CONNECT_WIRE_FIXED32 = 5
} connect_wire_t;
typedef struct connect_record_t { /* one field as it stands on the wire */
    uint32_t number;
    connect_wire_t wire;
    uint64_t value;               /* VARINT, FIXED64, FIXED32 */
    connect_str_t bytes;          /* BYTES, and the inside of a GROUP: messages are read by another reader */
} connect_record_t;
typedef struct connect_reader_t { /* connect_reader_t reader = {bytes, false}; */
    connect_str_t rest;
    bool failed;
} connect_reader_t;
typedef struct connect_writer_t { /* connect_writer_t writer = {&arena, {NULL, 0}, false, 0}; */
    connect_arena_t *arena;
    connect_str_t written;        /* all of it so far, in the arena */
    bool failed;                  /* the arena is full; what follows does nothing */
    size_t private_room;
} connect_writer_t;
/* Reads the next record. Returns false at the end, and at malformed bytes, which sets reader->failed, too. */
CONNECT_API bool connect_reader_next(connect_reader_t *reader, connect_record_t *record);
/* Reads a record's value as a kind. value: of the kind's C type; messages: a connect_str_t. Returns false: no such. */
CONNECT_API bool connect_record_get(const connect_record_t *record, connect_kind_t kind, void *value);
/* Writes a field of a kind. value: as for connect_record_get. */
CONNECT_API void connect_writer_put(connect_writer_t *writer, uint32_t number, connect_kind_t kind, const void *value);

