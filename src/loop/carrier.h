#pragma once
#include "base/sys.h"
#include "loop/core.h"

#if CONNECT_ENABLE_SOCKETS
/* Carries an accepted socket's bytes. If on_accept gives no connection, a peer that speaks in clear text is told so
   before the socket is closed; if memory is out, it is only closed. */
CN_PRIVATE void cn_carrier_accept(connect_loop_t *loop, int fd, const char *peer, bool is_clear,
    connect_conn_t *(*on_accept)(void *user, const char *peer), void *user);
/* A turn's last part: connections that were woken, then those that have something to write. */
CN_PRIVATE void cn_carrier_run_all(connect_loop_t *loop);
#endif
