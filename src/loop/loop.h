#pragma once
#include "base/sys.h"

#if CONNECT_ENABLE_SOCKETS
typedef struct cn_listener_t cn_listener_t;

/* Listens on an address, as connect_server_listen says. on_accept: gives the connection for a peer, or NULL: refuse.
   Returns NULL on failure; the error's text stays until the loop's next failure. *port: 0 where there is none. */
CN_PRIVATE cn_listener_t *cn_loop_listen(connect_loop_t *loop, const char *address,
    const connect_listen_options_t *options, connect_conn_t *(*on_accept)(void *user, const char *peer), void *user,
    int *port, connect_error_t *error);
/* Closes the listening socket; accepted connections go on. Legal inside callbacks. */
CN_PRIVATE void cn_loop_unlisten(cn_listener_t *listener);
/* Opens a socket to an address and carries the connection's bytes from then on, until it wants nothing. dial_ms: for
   each of the addresses of a name. What fails later is told by cn_conn_set_failure and connect_conn_close. Returns OK,
   or why it cannot even begin; then the connection is the caller's to close. */
CN_PRIVATE connect_code_t cn_loop_dial(connect_loop_t *loop, connect_conn_t *conn, const char *address,
    uint32_t dial_ms);
/* Runs turns until done says true, or nothing can come any more (false). */
CN_PRIVATE bool cn_loop_run_until(connect_loop_t *loop, bool (*done)(void *arg), void *arg);
/* True while the loop runs callbacks: then _run and _wait must refuse. */
CN_PRIVATE bool cn_loop_is_running(const connect_loop_t *loop);
/* The time of this turn, of a clock that never goes back; read anew when no turn is running. */
CN_PRIVATE int64_t cn_loop_now_ms(connect_loop_t *loop);
#endif
