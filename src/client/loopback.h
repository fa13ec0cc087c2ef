#pragma once
#include "base/sys.h"
#include "base/list.h"

#if CONNECT_ENABLE_CLIENT && CONNECT_ENABLE_SERVER
typedef struct cn_loopback_t { /* the connections of one client with a server in the same memory */
    const connect_allocator_t *allocator;
    connect_server_t *server;
    cn_list_t links;
    int64_t now_ms;
    bool is_running, is_woken, is_doomed;         /* doomed: freed by a callback */
    void (*wake)(struct cn_loopback_t *loopback); /* there is something to carry; NULL: who waits will see it */
    connect_loop_t *loop;                         /* NULL: none */
    connect_task_t task;                          /* of the loop's, to carry */
} cn_loopback_t;

/* Returns NULL: out of memory. */
CN_PRIVATE cn_loopback_t *cn_loopback_new(const connect_allocator_t *allocator, connect_server_t *server);
/* Closes both ends of all connections. Legal while it carries: then at the end of that. */
CN_PRIVATE void cn_loopback_free(cn_loopback_t *loopback_or_null);
/* The dialer; user: the loopback. */
CN_PRIVATE connect_code_t cn_loopback_dial(connect_conn_t *conn, const char *address, void *user);
/* Moves what there is to move. Returns true: there is more, for the next time. *is_freed: it was freed meanwhile. */
CN_PRIVATE bool cn_loopback_carry(cn_loopback_t *loopback, int64_t now_ms, bool *is_freed);
/* Returns when to carry at the latest; INT64_MAX: nothing can come. */
CN_PRIVATE int64_t cn_loopback_due_ms(cn_loopback_t *loopback);
#endif
