#pragma once
#include "base/sys.h"
#include "loop/core.h"

#if CONNECT_ENABLE_SOCKETS
/* Carries an accepted socket's bytes; it is closed if on_accept refuses, or memory is out. */
CN_PRIVATE void cn_carrier_accept(connect_loop_t *loop, int fd, const char *peer,
    connect_conn_t *(*on_accept)(void *user, const char *peer), void *user);
/* A turn's last part: connections that were woken, then those that have something to write. */
CN_PRIVATE void cn_carrier_run_all(connect_loop_t *loop);
#endif
