#include "loop/loop.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/list.h"
#include "base/mem.h"
#include "loop/carrier.h"
#include "loop/core.h"
#include "loop/socket.h"

#if CONNECT_ENABLE_SOCKETS
/* The loop: waits for descriptors, runs tasks and timers. One thread; only connect_loop_post may come from others.

   A turn: wait -> accept, connect, read and feed -> posted tasks -> timers -> connections that were woken: feed
   nothing -> connections with something to do: output and write -> memory of what was closed. A steady ping-pong costs
   one wait, one read, one write. The clock is read once after the wait, and before it if there are timers. A turn
   reads at most CN_LOOP_INPUT bytes of a connection; the rest is told again by the poller. A function that waits writes
   before its first turn, so that a blocking call costs one write, one wait, one read.

   Callbacks may close anything. Sources (listeners, carriers) that are closed during a turn have fd -1, stay in
   loop->dead, and are freed at its end. A loop freed in a callback is doomed: freed at the end of its turn.

   Tasks: private_waits is set by whoever gets hold of the task, atomically; the loop clears it before it runs the
   function, which may therefore post again. private_place is the loop's own: where the task stands. A post pushes onto
   a stack that the loop takes as a whole and turns round, so the order of posts is kept.
   Waking: `asleep` is set except between a wait and the end of its turn. Who pushes onto the empty stack and sees it
   writes to the wake descriptor; the loop sees every push before that when it looks at the stack, with asleep set,
   before the wait. What is started on the loop's thread outside of a turn writes only if connect_loop_fd was ever
   asked for. */

#define CN_LOOP_EVENTS 64   /* of one wait */
#define CN_LOOP_FRESH_MS 10 /* after a wait: what it showed still holds */

/* ---- Time ------------------------------------------------------------------------------------------------------- */

static int64_t cn_loop_clock_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

CN_PRIVATE int64_t cn_loop_now_ms(connect_loop_t *loop) {
    return loop->is_running ? loop->now_ms : cn_loop_clock_ms();
}

CN_PRIVATE bool cn_loop_is_running(const connect_loop_t *loop) {
    return loop->is_running;
}

CN_PRIVATE void cn_loop_tell_outside(const connect_loop_t *loop) {
    cn_loop_wake_t *wake = loop->wake_of;
    if (loop->is_running || !wake->is_asked || wake->is_sent) return;
    wake->is_sent = true;
    cn_wake_send(wake->ends[1]);
}

/* ---- Tasks and timers ------------------------------------------------------------------------------------------- */

CN_PRIVATE void cn_task_disarm(connect_loop_t *loop, connect_task_t *task) {
    if (task->private_place != CN_TASK_TIMED) return;
    cn_timer_remove(&loop->timers, task);
    task->private_place = CN_TASK_ELSEWHERE;
}

CN_PRIVATE void cn_task_arm(
    connect_loop_t *loop, connect_task_t *task, int64_t due_ms, void (*run)(void *arg), void *arg) {
    cn_task_disarm(loop, task);
    task->private_run = run;
    task->private_arg = arg;
    task->private_place = CN_TASK_TIMED;
    cn_timer_insert(&loop->timers, task, due_ms);
    if (cn_timer_peek(&loop->timers) == task) cn_loop_tell_outside(loop);
}

static void cn_task_run(connect_task_t *task) {
    void (*run)(void *arg) = task->private_run;
    void *arg = task->private_arg;
    task->private_place = CN_TASK_ELSEWHERE;
    __atomic_exchange_n(&task->private_waits, 0, __ATOMIC_ACQ_REL); /* sees what each post so far brought */
    run(arg);
}

/* Takes all that was posted into the queue, oldest first. */
static void cn_loop_take_posted(connect_loop_t *loop) {
    connect_task_t *stack, *first = NULL, *last;
    if (!__atomic_load_n(&loop->posted, __ATOMIC_RELAXED)) return;
    stack = last = __atomic_exchange_n(&loop->posted, NULL, __ATOMIC_SEQ_CST);
    while (stack) {
        connect_task_t *task = stack;
        stack = task->private_next;
        task->private_place = CN_TASK_QUEUED;
        task->private_sequence = loop->queue_batch;
        task->private_before = NULL;
        task->private_next = first;
        if (first) first->private_before = task;
        first = task;
    }
    /* first is the oldest, and last, the top of the stack, the youngest */
    first->private_before = loop->queue_last;
    if (loop->queue_last)
        loop->queue_last->private_next = first;
    else
        loop->queue_first = first;
    loop->queue_last = last;
}

static void cn_loop_unqueue(connect_loop_t *loop, connect_task_t *task) {
    if (task->private_before)
        task->private_before->private_next = task->private_next;
    else
        loop->queue_first = task->private_next;
    if (task->private_next)
        task->private_next->private_before = task->private_before;
    else
        loop->queue_last = task->private_before;
    task->private_next = task->private_before = NULL;
    task->private_place = CN_TASK_ELSEWHERE;
}

void connect_loop_post(connect_loop_t *loop, connect_task_t *task, void (*run)(void *arg), void *arg) {
    connect_task_t *top;
    if (__atomic_exchange_n(&task->private_waits, 1, __ATOMIC_ACQ_REL)) return;
    task->private_run = run;
    task->private_arg = arg;
    top = __atomic_load_n(&loop->posted, __ATOMIC_RELAXED);
    do
        task->private_next = top;
    while (!__atomic_compare_exchange_n(&loop->posted, &top, task, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
    if (!top && __atomic_load_n(&loop->wake.asleep, __ATOMIC_SEQ_CST)) cn_wake_send(loop->wake.ends[1]);
}

void connect_loop_after(
    connect_loop_t *loop, connect_task_t *task, int64_t delay_ms, void (*run_or_null)(void *arg), void *arg) {
    int64_t now = cn_loop_now_ms(loop);
    bool waits = __atomic_load_n(&task->private_waits, __ATOMIC_ACQUIRE) != 0;
    if (waits && task->private_place == CN_TASK_ELSEWHERE) cn_loop_take_posted(loop);
    if (task->private_place == CN_TASK_QUEUED) {
        cn_loop_unqueue(loop, task);
    } else if (task->private_place == CN_TASK_TIMED) {
        cn_task_disarm(loop, task);
    } else if (waits || delay_ms < 0 || __atomic_exchange_n(&task->private_waits, 1, __ATOMIC_ACQ_REL)) {
        return; /* nothing to take back, or another thread is posting it at this moment: it is left as it is */
    }
    if (delay_ms < 0)
        __atomic_exchange_n(&task->private_waits, 0, __ATOMIC_ACQ_REL);
    else
        cn_task_arm(loop, task, delay_ms > INT64_MAX - now ? INT64_MAX : now + delay_ms, run_or_null, arg);
}

/* What comes in meanwhile waits for the next turn. */
static void cn_loop_run_posted(connect_loop_t *loop) {
    uint64_t batch;
    cn_loop_take_posted(loop);
    batch = loop->queue_batch++;
    while (loop->queue_first && loop->queue_first->private_sequence <= batch) {
        connect_task_t *task = loop->queue_first;
        cn_loop_unqueue(loop, task);
        cn_task_run(task);
    }
}

static void cn_loop_run_timers(connect_loop_t *loop) {
    uint64_t end = loop->timers.sequence;
    connect_task_t *task;
    while ((task = cn_timer_peek(&loop->timers)) != NULL && task->private_due_ms <= loop->now_ms &&
        task->private_sequence < end) {
        cn_timer_remove(&loop->timers, task);
        cn_task_run(task);
    }
}

/* ---- Sources ---------------------------------------------------------------------------------------------------- */

CN_PRIVATE bool cn_source_watch(connect_loop_t *loop, cn_source_t *source, unsigned interest) {
    if (interest == source->interest) return true;
    if (!loop->poller->watch(loop->poller_fd, source->fd, source->interest, interest, source)) return false;
    source->interest = interest;
    return true;
}

CN_PRIVATE int cn_source_forget(connect_loop_t *loop, cn_source_t *source) {
    int fd = source->fd;
    if (fd >= 0) cn_source_watch(loop, source, 0);
    source->fd = -1;
    source->interest = 0;
    return fd;
}

CN_PRIVATE void cn_source_close(connect_loop_t *loop, cn_source_t *source) {
    int fd = cn_source_forget(loop, source);
    if (fd >= 0) close(fd);
}

CN_PRIVATE void cn_source_free(connect_loop_t *loop, cn_source_t *source) {
    cn_list_remove(&source->node);
    if (loop->is_running)
        cn_list_append(&loop->dead, &source->node);
    else
        cn_mem_release(loop->allocator, source);
}

static void cn_loop_bury(connect_loop_t *loop) {
    cn_list_t *node;
    while ((node = cn_list_pop(&loop->dead)) != NULL)
        cn_mem_release(loop->allocator, CN_CONTAINER(node, cn_source_t, node));
}

/* ---- The loop --------------------------------------------------------------------------------------------------- */

static void cn_loop_woken(cn_source_t *source, unsigned ready) {
    connect_loop_t *loop = CN_CONTAINER(source, connect_loop_t, wake_source);
    (void)ready;
    cn_wake_drain(source->fd);
    loop->wake.is_sent = false;
}

connect_loop_t *connect_loop_new(const connect_allocator_t *allocator_or_null, connect_error_t *error) {
    const connect_allocator_t *allocator = allocator_or_null ? allocator_or_null : connect_allocator_libc();
    connect_loop_t *loop = (connect_loop_t *)cn_mem_acquire(allocator, sizeof *loop);
    if (!loop) {
        cn_error_memory(error);
        return NULL;
    }
    loop->allocator = allocator;
#if CN_POLLER_KQUEUE
    loop->poller = cn_poller_kqueue();
#else
    loop->poller = cn_poller_epoll();
#endif
    loop->poller_fd = -1;
    cn_list_init(&loop->sources);
    cn_list_init(&loop->dead);
    cn_list_init(&loop->woken);
    cn_list_init(&loop->dirty);
    loop->wake_of = &loop->wake;
    loop->wake.ends[0] = loop->wake.ends[1] = -1;
    loop->wake.asleep = 1;
    /* not zeroed: pages that no input reaches are never touched */
    loop->input = (char *)allocator->acquire(allocator->ctx, CN_LOOP_INPUT + CN_SLACK);
    if (!loop->input) {
        cn_error_memory(error);
        connect_loop_free(loop);
        return NULL;
    }
    loop->poller_fd = loop->poller->open();
    loop->wake_source.ready = cn_loop_woken;
    if (loop->poller_fd >= 0 && cn_wake_open(loop->wake.ends)) {
        loop->wake_source.fd = loop->wake.ends[0];
        if (cn_source_watch(loop, &loop->wake_source, CN_POLL_KNOWN | CN_POLL_READ)) return loop;
    }
    cn_error_set(error, CONNECT_RESOURCE_EXHAUSTED, "cannot make an event loop: no descriptors or memory for it");
    if (error) error->os_error = errno;
    connect_loop_free(loop);
    return NULL;
}

void connect_loop_free(connect_loop_t *loop_or_null) {
    connect_loop_t *loop = loop_or_null;
    const connect_allocator_t *allocator;
    if (!loop) return;
    if (loop->is_running) {
        loop->is_doomed = true;
        return;
    }
    loop->is_running = loop->is_doomed = true; /* callbacks begin no turn and dial no more */
    loop->now_ms = cn_loop_clock_ms();
    while (!cn_list_empty(&loop->sources)) {
        cn_source_t *source = CN_CONTAINER(loop->sources.next, cn_source_t, node);
        source->close(source);
    }
    cn_loop_bury(loop);
    cn_wake_close(loop->wake.ends);
    if (loop->poller_fd >= 0) loop->poller->close(loop->poller_fd);
    allocator = loop->allocator;
    cn_mem_release(allocator, loop->input);
    cn_mem_release(allocator, loop);
}

/* Work that waits for nothing. */
static bool cn_loop_has_work(const connect_loop_t *loop) {
    return loop->queue_first || __atomic_load_n(&loop->posted, __ATOMIC_SEQ_CST) || !cn_list_empty(&loop->woken) ||
        !cn_list_empty(&loop->dirty);
}

static bool cn_loop_can_go_on(const connect_loop_t *loop) {
    return cn_loop_has_work(loop) || !cn_list_empty(&loop->sources) || cn_timer_peek(&loop->timers);
}

int connect_loop_timeout_ms(const connect_loop_t *loop) {
    const connect_task_t *first = cn_timer_peek(&loop->timers);
    int64_t left;
    if (cn_loop_has_work(loop)) return 0;
    if (!first) return -1;
    left = first->private_due_ms - cn_loop_clock_ms();
    return left <= 0 ? 0 : (int)CN_MIN(left, (int64_t)INT_MAX);
}

int connect_loop_fd(const connect_loop_t *loop) {
    if (!loop->wake_of->is_asked) {
        loop->wake_of->is_asked = true;
        if (cn_loop_has_work(loop)) cn_loop_tell_outside(loop);
    }
    return loop->poller_fd;
}

static bool cn_loop_turn(connect_loop_t *loop, int timeout_ms, bool *is_freed) {
    cn_poll_event_t events[CN_LOOP_EVENTS];
    int count, i, due_ms;
    *is_freed = false;
    if (loop->is_running || !cn_loop_can_go_on(loop)) return false;
    due_ms = connect_loop_timeout_ms(loop);
    if (due_ms >= 0 && (timeout_ms < 0 || due_ms < timeout_ms)) timeout_ms = due_ms;
    loop->is_running = true;
    count = loop->poller->wait(loop->poller_fd, events, CN_LOOP_EVENTS, timeout_ms);
    __atomic_store_n(&loop->wake.asleep, 0, __ATOMIC_SEQ_CST);
    loop->now_ms = cn_loop_clock_ms();
    for (i = 0; i < count; i++) {
        cn_source_t *source = (cn_source_t *)events[i].data;
        if (source->fd >= 0) source->ready(source, events[i].ready);
    }
    cn_loop_run_posted(loop);
    cn_loop_run_timers(loop);
    cn_carrier_run_all(loop);
    cn_loop_bury(loop);
    loop->is_running = false;
    if (loop->is_doomed) {
        *is_freed = true;
        connect_loop_free(loop);
        return false;
    }
    __atomic_store_n(&loop->wake.asleep, 1, __ATOMIC_SEQ_CST);
    return cn_loop_can_go_on(loop);
}

bool connect_loop_run(connect_loop_t *loop, int timeout_ms) {
    bool is_freed;
    return cn_loop_turn(loop, timeout_ms, &is_freed);
}

/* What is to be written goes out before the wait, if the last wait was a moment ago: later a connection may have been
   closed by its peer, which only a wait would show. Returns false: the loop was freed. */
static bool cn_loop_write_first(connect_loop_t *loop) {
    const int64_t now_ms = cn_loop_clock_ms();
    if (cn_list_empty(&loop->woken) || now_ms - loop->now_ms > CN_LOOP_FRESH_MS) return true;
    loop->is_running = true;
    loop->now_ms = now_ms;
    cn_carrier_run_all(loop);
    cn_loop_bury(loop);
    loop->is_running = false;
    if (!loop->is_doomed) return true;
    connect_loop_free(loop);
    return false;
}

CN_PRIVATE bool cn_loop_run_until(connect_loop_t *loop, bool (*done)(void *arg), void *arg) {
    if (loop->is_running) return false;
    while (!done(arg)) {
        bool is_freed;
        if (!cn_loop_write_first(loop)) return false;
        if (done(arg)) return true;
        if (!cn_loop_turn(loop, -1, &is_freed)) return !is_freed && done(arg);
    }
    return true;
}
#endif
