#pragma once
#include "base/sys.h"

#define CN_MESSAGE_DEPTH 100u                   /* nesting, unless options->depth_max says otherwise */
#define CN_MESSAGE_MEMORY (16u * 1024u * 1024u) /* bytes of decoded elements, unless options->memory_max does */
#define CN_MESSAGE_DEPTH_COPY 1000u             /* nesting that equal, copy and merge follow */

/* What every list member looks like in memory; read and written by memcpy. */
typedef struct cn_message_list_t {
    const void *items;
    size_t count;
} cn_message_list_t;

/* The size of a scalar's C type; 0: not a scalar. */
CN_PRIVATE size_t cn_message_scalar_size(uint8_t kind);
/* The size of a field's member, or of one item of its list. */
CN_PRIVATE size_t cn_message_value_size(const connect_type_t *type, const connect_field_t *field);
/* Tells whether a field is present: has_x, the oneof's case, not NULL, not zero, not empty. */
CN_PRIVATE bool cn_message_has(const connect_field_t *field, const void *message);
/* Says that a field is there: sets has_x or the oneof's case, if it has one. */
CN_PRIVATE void cn_message_mark(const connect_field_t *field, void *message);
/* Finds a field by its number; NULL if there is none. */
CN_PRIVATE const connect_field_t *cn_message_field_number(const connect_type_t *type, uint32_t number);
/* Tells whether an enum names a number. */
CN_PRIVATE bool cn_message_enum_has(const connect_enum_t *type, int32_t number);
/* The slot of a name in name_slots: name_slots[0] is log2 of how many slots follow it (1 to 15), and each of these is
   0, empty, or 1 + a field's index. The generator calls the same formula. */
CN_PRIVATE size_t cn_message_name_slot(connect_str_t name, uint32_t seed, unsigned bits);
