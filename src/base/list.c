#include "base/list.h"

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

CN_PRIVATE cn_list_t *cn_list_pop(cn_list_t *head) {
    cn_list_t *node = head->next;
    if (cn_list_empty(head)) return NULL;
    cn_list_remove(node);
    return node;
}
