/* Rings of nodes: against an array, at random. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"

#define NODES 12

static void check_ring(const cn_list_t *head, cn_list_t *const *expected, size_t count) {
    const cn_list_t *at = head;
    size_t i;
    assert_int_equal(cn_list_empty(head), count == 0);
    for (i = 0; i < count; i++) {
        assert_ptr_equal(at->next, expected[i]);
        assert_ptr_equal(expected[i]->prev, at);
        at = at->next;
    }
    assert_ptr_equal(at->next, head);
    assert_ptr_equal(head->prev, at);
}

static void test_against_an_array(void **state) {
    cn_list_t heads[2], nodes[NODES], *model[2][NODES];
    size_t counts[2] = {0, 0}, i, k;
    uint32_t random = 1;
    int step;
    (void)state;
    memset(nodes, 0, sizeof nodes);
    cn_list_init(&heads[0]);
    cn_list_init(&heads[1]);
    for (step = 0; step < 20000; step++) {
        cn_list_t *node;
        size_t list, in[2] = {NODES, NODES};
        random = random * 1664525u + 1013904223u;
        node = &nodes[(random >> 20) % NODES];
        list = random >> 31;
        for (k = 0; k < 2; k++)
            for (i = 0; i < counts[k]; i++)
                if (model[k][i] == node) in[k] = i;
        assert_int_equal(node->next != NULL, in[0] != NODES || in[1] != NODES);
        switch ((random >> 28) % 4) {
        case 0:
        case 1:
            cn_list_append(&heads[list], node); /* in a list already: stays where it is */
            if (in[0] == NODES && in[1] == NODES) model[list][counts[list]++] = node;
            break;
        case 2:
            cn_list_remove(node);
            for (k = 0; k < 2; k++)
                if (in[k] != NODES)
                    memmove(&model[k][in[k]], &model[k][in[k] + 1], (--counts[k] - in[k]) * sizeof model[k][0]);
            assert_null(node->next);
            break;
        default:
            node = cn_list_pop(&heads[list]);
            assert_ptr_equal(node, counts[list] ? model[list][0] : NULL);
            if (node) {
                memmove(&model[list][0], &model[list][1], --counts[list] * sizeof model[list][0]);
                assert_null(node->next);
            }
        }
        check_ring(&heads[0], model[0], counts[0]);
        check_ring(&heads[1], model[1], counts[1]);
    }
}

static void test_zeroed(void **state) {
    cn_list_t zeroed = {NULL, NULL};
    (void)state;
    assert_true(cn_list_empty(&zeroed));
    assert_null(cn_list_pop(&zeroed));
    cn_list_remove(&zeroed);
    assert_null(zeroed.next);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_an_array),
        cmocka_unit_test(test_zeroed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
