#pragma once
#include "base/sys.h"
#include "base/list.h"
#include "loop/timer.h"
#include "loop/address.h"
#include "loop/poller.h"

#if CONNECT_ENABLE_SOCKETS
#define CN_LOOP_INPUT 65536u /* bytes read at once */

typedef struct cn_source_t { /* the first member of what a descriptor belongs to: both are freed as one */
    void (*ready)(struct cn_source_t *source, unsigned ready);
    void (*close)(struct cn_source_t *source); /* as the loop goes away */
    cn_list_t node;                            /* in loop->sources or loop->dead */
    int fd;
    unsigned interest;
} cn_source_t;

typedef struct cn_loop_wake_t {
    int ends[2];
    int asleep;    /* atomic */
    bool is_asked; /* connect_loop_fd was called: a foreign loop may wait */
    bool is_sent;  /* by the loop's own thread */
} cn_loop_wake_t;

struct connect_loop_t {
    const connect_allocator_t *allocator;
    const cn_poller_t *poller;
    int poller_fd;
    bool is_running, is_doomed; /* doomed: freed by a callback */
    int64_t now_ms;
    cn_timers_t timers;
    connect_task_t *posted;                   /* atomic: a stack, from any thread */
    connect_task_t *queue_first, *queue_last; /* taken from there, in order */
    uint64_t queue_batch;
    cn_list_t sources, dead; /* cn_source_t.node */
    cn_list_t woken, dirty;  /* cn_carrier_t */
    cn_list_t batch_end;     /* in one of them: what comes behind it has time until the next round */
    unsigned lingerers;
    cn_source_t wake_source;
    cn_loop_wake_t wake, *wake_of; /* wake_of: &wake, also for who has the loop as const */
    cn_failure_t failure;          /* the text of the last error this loop gave */
    char *input;                   /* CN_LOOP_INPUT bytes and CN_SLACK */
};

/* Where a task stands; elsewhere: with its owner, or on its way by post. */
enum { CN_TASK_ELSEWHERE, CN_TASK_QUEUED, CN_TASK_TIMED };
/* For tasks of the loop's own, which are never posted. */
CN_PRIVATE void cn_task_arm(
    connect_loop_t *loop, connect_task_t *task, int64_t due_ms, void (*run)(void *arg), void *arg);
CN_PRIVATE void cn_task_disarm(connect_loop_t *loop, connect_task_t *task);

/* Changes what to wait for. Returns false, with errno: it stays as it was. */
CN_PRIVATE bool cn_source_watch(connect_loop_t *loop, cn_source_t *source, unsigned interest);
/* Takes the descriptor out of the poller and the source, and returns it: closing is not enough if a child process has
   it, too. */
CN_PRIVATE int cn_source_forget(connect_loop_t *loop, cn_source_t *source);
/* The same, and closes it. */
CN_PRIVATE void cn_source_close(connect_loop_t *loop, cn_source_t *source);
/* Frees what a closed source is part of, once nothing on the stack knows it any more. */
CN_PRIVATE void cn_source_free(connect_loop_t *loop, cn_source_t *source);

/* Something was started outside of a turn: a foreign loop that waits must see it. */
CN_PRIVATE void cn_loop_tell_outside(const connect_loop_t *loop);
#endif
