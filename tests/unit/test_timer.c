#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "tests/support/support.h"

/* The heap of timers against a model: a plain array that is searched. */

#define TIMER_TASKS 300

static uint32_t timer_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Every link of the heap is right, and no child is before its parent. Returns how many tasks it holds. */
static size_t timer_check(const connect_task_t *first, const connect_task_t *parent) {
    const connect_task_t *before = parent, *task;
    size_t count = 0;
    for (task = first; task; task = task->private_next) {
        assert_ptr_equal(task->private_before, before);
        if (parent) {
            assert_true(parent->private_due_ms < task->private_due_ms ||
                (parent->private_due_ms == task->private_due_ms && parent->private_sequence < task->private_sequence));
        }
        count += 1 + timer_check(task->private_child, task);
        before = task;
    }
    return count;
}

static void test_against_model(void **state) {
    static connect_task_t tasks[TIMER_TASKS];
    bool is_in[TIMER_TASKS] = {false};
    uint32_t random = 1;
    size_t held = 0;
    int step;
    cn_timers_t timers;
    (void)state;
    memset(&timers, 0, sizeof timers);
    memset(tasks, 0, sizeof tasks);
    for (step = 0; step < 60000; step++) {
        size_t i = timer_random(&random) % TIMER_TASKS, j, first = TIMER_TASKS;
        /* the range of times is small: many are due together */
        if (is_in[i]) {
            cn_timer_remove(&timers, &tasks[i]);
            assert_null(tasks[i].private_next);
            assert_null(tasks[i].private_child);
            assert_null(tasks[i].private_before);
            held--;
        } else {
            cn_timer_insert(&timers, &tasks[i], (int64_t)(timer_random(&random) % 100) - 50);
            held++;
        }
        is_in[i] = !is_in[i];
        for (j = 0; j < TIMER_TASKS; j++) {
            if (!is_in[j]) continue;
            if (first == TIMER_TASKS || tasks[j].private_due_ms < tasks[first].private_due_ms ||
                (tasks[j].private_due_ms == tasks[first].private_due_ms &&
                    tasks[j].private_sequence < tasks[first].private_sequence))
                first = j;
        }
        assert_ptr_equal(cn_timer_peek(&timers), first == TIMER_TASKS ? NULL : &tasks[first]);
        if (step % 100 == 0) assert_int_equal(timer_check(timers.root, NULL), held);
    }
}

static void test_same_time_first_come_first_served(void **state) {
    static connect_task_t tasks[TIMER_TASKS];
    cn_timers_t timers;
    size_t i;
    (void)state;
    memset(&timers, 0, sizeof timers);
    memset(tasks, 0, sizeof tasks);
    for (i = 0; i < TIMER_TASKS; i++)
        cn_timer_insert(&timers, &tasks[i], (int64_t)(i % 3));
    for (i = 0; i < TIMER_TASKS; i++) {
        connect_task_t *first = cn_timer_peek(&timers);
        assert_ptr_equal(first, &tasks[i % (TIMER_TASKS / 3) * 3 + i / (TIMER_TASKS / 3)]);
        cn_timer_remove(&timers, first);
    }
    assert_null(cn_timer_peek(&timers));
}

/* Many, taken out one by one and from the middle: no recursion, no quadratic time. */
static void test_many(void **state) {
    enum { MANY = 200000 };
    connect_task_t *tasks = (connect_task_t *)calloc(MANY, sizeof *tasks);
    cn_timers_t timers;
    int64_t last = INT64_MIN;
    size_t i;
    (void)state;
    assert_non_null(tasks);
    memset(&timers, 0, sizeof timers);
    for (i = 0; i < MANY; i++)
        cn_timer_insert(&timers, &tasks[i], i % 2 ? (int64_t)i : -(int64_t)i);
    for (i = MANY / 4; i < MANY / 2; i++)
        cn_timer_remove(&timers, &tasks[i]);
    for (i = 0; cn_timer_peek(&timers); i++) {
        connect_task_t *first = cn_timer_peek(&timers);
        assert_true(first->private_due_ms >= last);
        last = first->private_due_ms;
        cn_timer_remove(&timers, first);
    }
    assert_int_equal(i, MANY - MANY / 4);
    free(tasks);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_model),
        cmocka_unit_test(test_same_time_first_come_first_served),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
