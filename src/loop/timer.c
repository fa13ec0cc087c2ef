#include "loop/timer.h"

#if CONNECT_ENABLE_SOCKETS
/* Timers: a pairing heap of the tasks themselves, so that nothing is allocated and arming cannot fail. Insert and peek
   take one step, remove O(log n) amortised (Fredman, Sedgewick, Sleator, Tarjan 1986). A binary heap would need an
   array, a wheel a tick; most timers here are deadlines that are moved or taken back and hardly ever fire.

   Links: private_child is the first of a task's children, private_next its next sibling, private_before its previous
   sibling or, of a first child, its parent. The root has no siblings and nothing before it.
   Order: by due time, then by sequence, which makes those of the same time first come, first served. The sequence has
   64 bits and does not wrap.

   Invariants: no child is due before its parent; a task that is in no heap has no links. No recursion: the two passes
   over the children of what is removed go along the sibling list. */

static bool cn_timer_before(const connect_task_t *a, const connect_task_t *b) {
    return a->private_due_ms != b->private_due_ms ? a->private_due_ms < b->private_due_ms
                                                  : a->private_sequence < b->private_sequence;
}

/* Makes one heap of two roots; either may be NULL. */
static connect_task_t *cn_timer_meld(connect_task_t *a, connect_task_t *b) {
    connect_task_t *above, *below;
    if (!a || !b) return a ? a : b;
    above = cn_timer_before(b, a) ? b : a;
    below = above == a ? b : a;
    below->private_before = above;
    below->private_next = above->private_child;
    if (above->private_child) above->private_child->private_before = below;
    above->private_child = below;
    return above;
}

/* Makes one heap of a list of siblings: in pairs from the left, then all of them from the right. */
static connect_task_t *cn_timer_gather(connect_task_t *first) {
    connect_task_t *pairs = NULL, *root = NULL;
    while (first) {
        connect_task_t *a = first, *b = a->private_next, *pair;
        first = b ? b->private_next : NULL;
        a->private_next = a->private_before = NULL;
        if (b) b->private_next = b->private_before = NULL;
        pair = cn_timer_meld(a, b);
        pair->private_next = pairs;
        pairs = pair;
    }
    while (pairs) {
        connect_task_t *pair = pairs;
        pairs = pair->private_next;
        pair->private_next = NULL;
        root = cn_timer_meld(root, pair);
    }
    return root;
}

CN_PRIVATE void cn_timer_insert(cn_timers_t *timers, connect_task_t *task, int64_t due_ms) {
    task->private_due_ms = due_ms;
    task->private_sequence = timers->sequence++;
    task->private_next = task->private_child = task->private_before = NULL;
    timers->root = cn_timer_meld(timers->root, task);
}

CN_PRIVATE void cn_timer_remove(cn_timers_t *timers, connect_task_t *task) {
    connect_task_t *children = cn_timer_gather(task->private_child);
    if (task == timers->root) {
        timers->root = children;
    } else {
        if (task->private_before->private_child == task)
            task->private_before->private_child = task->private_next;
        else
            task->private_before->private_next = task->private_next;
        if (task->private_next) task->private_next->private_before = task->private_before;
        timers->root = cn_timer_meld(timers->root, children);
    }
    task->private_next = task->private_child = task->private_before = NULL;
}

CN_PRIVATE connect_task_t *cn_timer_peek(const cn_timers_t *timers) {
    return timers->root;
}
#endif
