#pragma once
#include "base/sys.h"

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
