#pragma once
#include "base/sys.h"

typedef struct cn_list_t { /* a ring of nodes inside other structs; the head is a node, too; zeroed: in no list */
    struct cn_list_t *next, *prev;
} cn_list_t;

CN_PRIVATE void cn_list_init(cn_list_t *head);
CN_PRIVATE bool cn_list_empty(const cn_list_t *head);
/* Appends a node; one that is in a list already stays where it is. */
CN_PRIVATE void cn_list_append(cn_list_t *head, cn_list_t *node);
/* Takes a node out; does nothing if it is in no list. */
CN_PRIVATE void cn_list_remove(cn_list_t *node);
/* Takes the first node out; NULL: the list is empty. */
CN_PRIVATE cn_list_t *cn_list_pop(cn_list_t *head);
