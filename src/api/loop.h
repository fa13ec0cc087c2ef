#pragma once

/* ==== 5. The loop ================================================================================================ */

typedef struct connect_loop_t connect_loop_t;
typedef struct connect_task_t { /* something to do on a loop's thread: a CONNECT_DEFAULTS member of a struct of yours */
    struct connect_task_t *private_next, *private_child, *private_before;
    void (*private_run)(void *arg);
    void *private_arg;
    int64_t private_due_ms;
    uint64_t private_sequence;
    int private_waits, private_place;
} connect_task_t;
#if CONNECT_ENABLE_SOCKETS
/* Makes an event loop (epoll, kqueue) for any number of servers and clients. */
CONNECT_API connect_loop_t *connect_loop_new(const connect_allocator_t *allocator_or_null, connect_error_t *error);
/* Frees a loop, after its servers and clients. */
CONNECT_API void connect_loop_free(connect_loop_t *loop_or_null);
/* Waits for events and handles them. timeout_ms: at most; 0: no wait, -1: no end. Returns false: nothing can come. */
CONNECT_API bool connect_loop_run(connect_loop_t *loop, int timeout_ms);
/* For a loop of yours around this one: wait until this one descriptor is readable, or for so many milliseconds (-1: no
   timer; new after each run), then connect_loop_run(loop, 0). What is sent or started outside makes it readable. */
CONNECT_API int connect_loop_fd(const connect_loop_t *loop);
CONNECT_API int connect_loop_timeout_ms(const connect_loop_t *loop);
/* Has a function called on the loop's thread; from any thread or signal handler. Cannot fail and allocates nothing.
   task: in use until then; if it waits already it is left as it is. */
CONNECT_API void connect_loop_post(connect_loop_t *loop, connect_task_t *task, void (*run)(void *arg), void *arg);
/* The same after a delay, counted anew if the task waits already; on the loop's thread. delay_ms: -1 takes it back
   (run_or_null may then be NULL). */
CONNECT_API void connect_loop_after(connect_loop_t *loop, connect_task_t *task, int64_t delay_ms,
    void (*run_or_null)(void *arg), void *arg);
/* Returns the loop that runs a call; it outlives the call. */
CONNECT_API connect_loop_t *connect_call_loop(const connect_call_t *call);
#endif

