#pragma once
#include "base/sys.h"

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
