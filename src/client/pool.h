#pragma once
#include "base/sys.h"
#include "client/client.h"

#if CONNECT_ENABLE_CLIENT
typedef struct cn_pool_state_t { /* of the connections that take calls */
    uint32_t opening, live;      /* that are being dialled; that are open */
    uint32_t calls, capacity;    /* of the live ones, as their peers allow it */
    bool has_room;               /* one of them takes a call, and its peer has shown itself */
} cn_pool_state_t;

CN_PRIVATE void cn_pool_init(cn_pool_t *pool, cn_backend_t *backend, bool http2);
CN_PRIVATE cn_pool_state_t cn_pool_state(const cn_pool_t *pool);
/* How many connections there may be. */
CN_PRIVATE uint32_t cn_pool_most(const cn_pool_t *pool);
/* Returns a connection that takes one more call, or NULL. */
CN_PRIVATE connect_conn_t *cn_pool_room(const cn_pool_t *pool);
/* Goes on with what is being dialled, and dials what is wanted. Returns when it is due again. */
CN_PRIVATE int64_t cn_pool_advance(cn_pool_t *pool, int64_t now_ms);
/* Lets connections take no more calls; they close after their last one. */
CN_PRIVATE void cn_pool_drain(cn_pool_t *pool);
/* Closes them all. */
CN_PRIVATE void cn_pool_close(cn_pool_t *pool);
/* What a connection of it has to say. */
CN_PRIVATE void cn_pool_on_room(connect_conn_t *conn);
CN_PRIVATE void cn_pool_on_lost(connect_conn_t *conn);
#endif
