#pragma once

/* ==== 6. A connection without I/O: bytes in, bytes out ===========================================================
   From connect_server_accept, or given to connect_client_options_t.dial. Carry bytes until wants is 0, then close.
   A client's connection opens with the first connect_conn_feed, which may bring no bytes; or with connect_conn_opened,
   if the dialer returned LATER. */

typedef struct connect_conn_t connect_conn_t;
enum {
    CONNECT_WANTS_READ = 1,
    CONNECT_WANTS_WRITE = 2,
    CONNECT_WANTS_WAKE = 4 /* neither for now: on_output or the deadline will say */
};
#if CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER
/* Takes bytes from the peer, and runs what they cause. now_ms: a clock that never goes back; len 0 only tells the time.
   Returns how many were taken; if fewer than len, offer the rest when wants says READ again. */
CONNECT_API size_t connect_conn_feed(connect_conn_t *conn, const void *bytes, size_t len, int64_t now_ms);
/* Says that the transport is open; due once, if the dialer returned LATER. Until then connect_conn_feed only tells the
   time, and is due at the deadline as ever. now_ms: as there. */
CONNECT_API void connect_conn_opened(connect_conn_t *conn, int64_t now_ms);
/* Returns the bytes to write; they stay until the next call on conn. Then say how many were written. Inside an event of
   conn there are none; wants says WRITE until that has ended. */
CONNECT_API connect_str_t connect_conn_output(connect_conn_t *conn);
CONNECT_API void connect_conn_sent(connect_conn_t *conn, size_t len);
/* Returns CONNECT_WANTS_ bits; 0: it is over. */
CONNECT_API unsigned connect_conn_wants(const connect_conn_t *conn);
/* Returns when connect_conn_feed is due at the latest, in now_ms; INT64_MAX: no need. */
CONNECT_API int64_t connect_conn_deadline_ms(const connect_conn_t *conn);
/* Has a function called when there is output that connect_conn_feed did not cause. */
CONNECT_API void connect_conn_on_output(connect_conn_t *conn, void (*output)(connect_conn_t *conn, void *user),
    void *user);
/* Says that the transport is gone, and frees conn; due for every conn. Calls that run end: UNAVAILABLE or CANCELED. */
CONNECT_API void connect_conn_close(connect_conn_t *conn);
#endif
