#pragma once
#include "base/sys.h"

#if CONNECT_ENABLE_SOCKETS
typedef struct cn_timers_t { /* tasks by due time, those of the same time as they came; zeroed: empty */
    connect_task_t *root;
    uint64_t sequence; /* of the next one */
} cn_timers_t;

/* Puts a task in that is not in. */
CN_PRIVATE void cn_timer_insert(cn_timers_t *timers, connect_task_t *task, int64_t due_ms);
/* Takes one out that is in. */
CN_PRIVATE void cn_timer_remove(cn_timers_t *timers, connect_task_t *task);
/* Returns the one that is due first; NULL: none. */
CN_PRIVATE connect_task_t *cn_timer_peek(const cn_timers_t *timers);
#endif
