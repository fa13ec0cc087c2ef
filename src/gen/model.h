#pragma once
#include "gen/map.h"

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
