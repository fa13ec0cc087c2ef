#pragma once
#include "base/sys.h"
#include "codec/message.h"

/* Which of two entries of a map has the lesser key: texts by their bytes, numbers by value. */
CN_PRIVATE int cn_map_key_compare(const connect_type_t *entry, const char *a, const char *b);
/* Fills in pointers to all entries of a list in the order of their keys, and then of their places. */
CN_PRIVATE void cn_map_key_sort(const connect_type_t *entry, const char **entries, cn_message_list_t list);
/* Whether each key is greater than the one before it. */
CN_PRIVATE bool cn_map_key_ascend(const connect_type_t *entry, cn_message_list_t list);
/* Whether an entry behind this one has the same key; looks at each, so it is for few. */
CN_PRIVATE bool cn_map_key_again(const connect_type_t *entry, cn_message_list_t list, size_t index);
/* The last entry with the key that stands at `key`; NULL: none. */
CN_PRIVATE const char *cn_map_key_find(const connect_type_t *entry, cn_message_list_t list, const char *key);
