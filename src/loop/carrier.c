#include "loop/carrier.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/conn.h"
#include "loop/loop.h"
#include "loop/socket.h"

#if CONNECT_ENABLE_SOCKETS
/* Carriers: each moves one connection's bytes between its socket and connect_conn_t.

     DIALING    no socket, or one that connects; one address after the other (of an empty host), each for dial_ms. Never
                looks a name up: it would block. The connection is told the time, but no bytes
     OPEN       readable -> one read into the loop's buffer -> connect_conn_feed. What is not taken is held, and offered
                again once wants says READ; until then nothing is read. A short write waits for room.
                wants 0, or what breaks it -> the connection is closed
     LINGERING  the connection is over and gone, its last bytes may not have arrived: a close with unread input would
                send RST, and RST makes the peer drop them (RFC 9112 9.6). So only the sending side is shut, and
                input is thrown away until the peer closes, CN_CARRIER_LINGER_MS or CN_CARRIER_LINGER_BYTES.
                An accepted socket that there is no connection for begins here: its first input is answered, at once,
                in its protocol (503, or GOAWAY), and then the sending side is shut

   Two lists of the loop's: woken are those to be fed nothing, so that they see the time and what was done from outside;
   dirty are those that may have output. All that a turn causes on a connection goes out at its end, in one write.

   Interest in reading is taken off only when something comes that cannot be read now (the end of the input comes again
   and again); so the pauses of ordinary traffic cost no system call. A hang-up cannot be masked: if it comes while the
   connection does not want to read, the descriptor leaves the poller until it does.

   Whatever is called on the connection may close it: code that called it checks carrier->conn before it goes on. */

#define CN_CARRIER_WRITES 16 /* of one connection in a turn: more than one only if its output comes in pieces */
#define CN_CARRIER_ROUNDS 4  /* of connections that wake each other in a turn */
#define CN_CARRIER_LINGER_MS 1000
#define CN_CARRIER_LINGER_BYTES (1024u * 1024u)
#define CN_CARRIER_LINGERERS 64u /* more are closed at once: they are not counted as connections */
#define CN_CARRIER_ADDRESSES 8

typedef enum cn_carrier_state_t { CN_CARRIER_DIALING, CN_CARRIER_OPEN, CN_CARRIER_LINGERING } cn_carrier_state_t;
typedef struct cn_dial_t {
    size_t next, count;
    cn_endpoint_t endpoints[CN_CARRIER_ADDRESSES];
    uint32_t dial_ms;
    int64_t due_ms; /* until when the present address has time; INT64_MAX: no end */
    int os_error;
    bool has_begun;
} cn_dial_t;
typedef struct cn_carrier_t {
    cn_source_t source;
    connect_loop_t *loop;
    connect_conn_t *conn; /* NULL: closed */
    cn_list_t woken, dirty;
    cn_buf_t held;
    cn_dial_t *dial;
    connect_task_t timer;
    cn_carrier_state_t state;
    bool has_ended;  /* the input */
    bool is_blocked; /* the output: waiting for room */
    bool has_written;
    bool owes_refusal; /* lingering: nothing was said yet */
    char first[CN_REFUSAL_FIRST]; /* of the bytes received meanwhile */
    size_t lingered; /* bytes */
    char peer[];     /* its address, as in texts */
} cn_carrier_t;

/* ---- The end ---------------------------------------------------------------------------------------------------- */

static void cn_carrier_free(cn_carrier_t *carrier) {
    connect_loop_t *loop = carrier->loop;
    if (carrier->state == CN_CARRIER_LINGERING) loop->lingerers--;
    cn_task_disarm(loop, &carrier->timer);
    cn_list_remove(&carrier->woken);
    cn_list_remove(&carrier->dirty);
    cn_buf_free(&carrier->held, loop->allocator);
    cn_mem_release(loop->allocator, carrier->dial);
    carrier->dial = NULL;
    cn_source_close(loop, &carrier->source);
    cn_source_free(loop, &carrier->source);
}

/* Closes the connection at once. */
static void cn_carrier_end(cn_carrier_t *carrier) {
    connect_conn_t *conn = carrier->conn;
    carrier->conn = NULL;
    cn_source_close(carrier->loop, &carrier->source);
    connect_conn_close(conn);
    cn_carrier_free(carrier);
}

static void cn_carrier_fail(cn_carrier_t *carrier, const cn_failure_t *failure) {
    if (carrier->state == CN_CARRIER_DIALING) /* no file: its server has not begun to listen */
        carrier->conn->dial_code = failure->os_error == ENOENT ? CONNECT_UNAVAILABLE : failure->code;
    cn_conn_set_failure(carrier->conn, failure->os_error, failure->text);
    cn_carrier_end(carrier);
}

/* The transport broke. */
static void cn_carrier_break(cn_carrier_t *carrier, int os_error) {
    cn_failure_t failure;
    if (os_error == ECONNRESET || os_error == EPIPE)
        cn_failure_print(&failure, CONNECT_UNAVAILABLE, os_error, "connection to %s reset by peer", carrier->peer);
    else
        cn_failure_system(&failure, "connection to", carrier->peer, os_error);
    cn_carrier_fail(carrier, &failure);
}

static void cn_carrier_on_timer(void *arg);

static bool cn_carrier_begin_lingering(cn_carrier_t *carrier) {
    connect_loop_t *loop = carrier->loop;
    if (loop->lingerers >= CN_CARRIER_LINGERERS ||
        !cn_source_watch(loop, &carrier->source, CN_POLL_KNOWN | CN_POLL_READ))
        return false;
    carrier->state = CN_CARRIER_LINGERING;
    loop->lingerers++;
    cn_task_arm(loop, &carrier->timer, loop->now_ms + CN_CARRIER_LINGER_MS, cn_carrier_on_timer, carrier);
    return true;
}

/* The connection wants nothing any more. */
static void cn_carrier_finish(cn_carrier_t *carrier) {
    connect_conn_t *conn = carrier->conn;
    if (carrier->has_ended || !carrier->has_written || shutdown(carrier->source.fd, SHUT_WR) != 0 ||
        !cn_carrier_begin_lingering(carrier)) {
        cn_carrier_end(carrier);
        return;
    }
    carrier->conn = NULL;
    cn_list_remove(&carrier->woken);
    cn_buf_free(&carrier->held, carrier->loop->allocator);
    connect_conn_close(conn);
}

/* Returns false: the peer is gone. */
static bool cn_carrier_refuse(cn_carrier_t *carrier, connect_str_t input) {
    size_t seen = carrier->lingered, more = CN_MIN(input.len, CN_REFUSAL_FIRST - seen);
    connect_str_t refusal;
    memcpy(carrier->first + seen, input.data, more);
    refusal = cn_conn_refusal(cn_str(carrier->first, seen + more));
    if (!refusal.data) return true;
    carrier->owes_refusal = false;
    return cn_socket_write(carrier->source.fd, refusal) > 0 && shutdown(carrier->source.fd, SHUT_WR) == 0;
}

static void cn_carrier_linger(cn_carrier_t *carrier) {
    ptrdiff_t got = cn_socket_read(carrier->source.fd, carrier->loop->input, CN_LOOP_INPUT);
    bool ends = got <= 0;
    if (got < 0 && cn_socket_would_block(errno)) return;
    if (!ends) {
        connect_str_t input = {carrier->loop->input, (size_t)got};
        ends = carrier->owes_refusal && !cn_carrier_refuse(carrier, input);
        carrier->lingered += input.len;
        ends = ends || carrier->lingered >= CN_CARRIER_LINGER_BYTES;
    }
    if (ends) cn_carrier_free(carrier);
}

/* ---- Bytes ------------------------------------------------------------------------------------------------------ */

static bool cn_carrier_can_read(const cn_carrier_t *carrier) {
    return !carrier->has_ended && cn_buf_len(&carrier->held) == 0 &&
        (connect_conn_wants(carrier->conn) & CONNECT_WANTS_READ) != 0;
}

static void cn_carrier_mark(cn_carrier_t *carrier) {
    cn_list_append(&carrier->loop->dirty, &carrier->dirty);
}

/* Returns how many bytes the connection took; all if it was closed by that. */
static size_t cn_carrier_offer(cn_carrier_t *carrier, connect_str_t bytes) {
    size_t at = 0, taken;
    do {
        taken = connect_conn_feed(carrier->conn, bytes.data + at, bytes.len - at, carrier->loop->now_ms);
        if (!carrier->conn) return bytes.len;
        at += taken;
    } while (taken && at < bytes.len && (connect_conn_wants(carrier->conn) & CONNECT_WANTS_READ));
    return at;
}

/* Reads once. Returns false: nothing was there. */
static bool cn_carrier_read(cn_carrier_t *carrier) {
    connect_loop_t *loop = carrier->loop;
    ptrdiff_t got = cn_socket_read(carrier->source.fd, loop->input, CN_LOOP_INPUT);
    if (got > 0) {
        connect_str_t bytes = {loop->input, (size_t)got};
        size_t taken = cn_carrier_offer(carrier, bytes);
        if (taken < bytes.len &&
            !cn_buf_append(&carrier->held, loop->allocator, bytes.data + taken, bytes.len - taken)) {
            cn_carrier_break(carrier, ENOMEM);
            return true;
        }
    } else if (got == 0) {
        carrier->has_ended = true;
        cn_conn_eof(carrier->conn, loop->now_ms);
    } else if (cn_socket_would_block(errno)) {
        return false;
    } else {
        cn_carrier_break(carrier, errno);
        return true;
    }
    if (carrier->conn) cn_carrier_mark(carrier);
    return true;
}

/* Tells the time, and offers what is held. */
static void cn_carrier_advance(cn_carrier_t *carrier) {
    connect_str_t nothing = {"", 0};
    if (cn_buf_len(&carrier->held) && (connect_conn_wants(carrier->conn) & CONNECT_WANTS_READ)) {
        cn_buf_t held = carrier->held; /* taken out: the carrier may be freed while the bytes are read */
        memset(&carrier->held, 0, sizeof carrier->held);
        cn_buf_drop(&held, cn_carrier_offer(carrier, cn_buf_view(&held)));
        if (cn_buf_len(&held) && carrier->conn)
            carrier->held = held;
        else
            cn_buf_free(&held, carrier->loop->allocator);
    } else {
        cn_carrier_offer(carrier, nothing);
    }
    if (carrier->conn) cn_carrier_mark(carrier);
}

/* A write failed. What the peer said before it closed may still be there: it is the better answer. */
static void cn_carrier_write_failed(cn_carrier_t *carrier, int os_error) {
    int reads;
    for (reads = 0; reads < CN_CARRIER_WRITES && cn_carrier_can_read(carrier); reads++) {
        bool was_there = cn_carrier_read(carrier);
        if (!carrier->conn) return;
        if (!was_there) break;
    }
    if (connect_conn_wants(carrier->conn) == 0)
        cn_carrier_end(carrier);
    else
        cn_carrier_break(carrier, os_error);
}

static void cn_carrier_wake(cn_carrier_t *carrier) {
    cn_list_append(&carrier->loop->woken, &carrier->woken);
}

/* Has the connection told the time when it is due. A later time than the one armed is found when that one fires: moving
   it with each call would cost more. */
static void cn_carrier_arm(cn_carrier_t *carrier) {
    int64_t due_ms = connect_conn_deadline_ms(carrier->conn);
    if (carrier->dial) due_ms = CN_MIN(due_ms, carrier->dial->due_ms);
    if (due_ms != INT64_MAX &&
        (carrier->timer.private_place != CN_TASK_TIMED || due_ms < carrier->timer.private_due_ms))
        cn_task_arm(carrier->loop, &carrier->timer, due_ms, cn_carrier_on_timer, carrier);
}

/* Waits for what the connection wants now, and until when. */
static void cn_carrier_watch(cn_carrier_t *carrier) {
    connect_loop_t *loop = carrier->loop;
    unsigned interest = carrier->source.interest;
    if (cn_carrier_can_read(carrier)) interest |= CN_POLL_KNOWN | CN_POLL_READ;
    interest &= ~(unsigned)CN_POLL_WRITE;
    if (carrier->is_blocked) interest |= CN_POLL_KNOWN | CN_POLL_WRITE;
    if (!cn_source_watch(loop, &carrier->source, interest)) {
        cn_carrier_break(carrier, errno);
        return;
    }
    cn_carrier_arm(carrier);
}

/* Writes what there is, and decides how it goes on. */
static void cn_carrier_flush(cn_carrier_t *carrier) {
    int writes;
    for (writes = 0; !carrier->is_blocked; writes++) {
        connect_str_t output = connect_conn_output(carrier->conn);
        ptrdiff_t sent;
        if (!carrier->conn) return;
        if (output.len == 0) break;
        if (writes == CN_CARRIER_WRITES) {
            cn_carrier_wake(carrier);
            break;
        }
        sent = cn_socket_write(carrier->source.fd, output);
        if (sent < 0 && !cn_socket_would_block(errno)) {
            cn_carrier_write_failed(carrier, errno);
            return;
        }
        carrier->is_blocked = sent < 0 || (size_t)sent < output.len;
        if (sent <= 0) break;
        carrier->has_written = true;
        connect_conn_sent(carrier->conn, (size_t)sent);
        if (!carrier->conn) return;
        if (!(connect_conn_wants(carrier->conn) & CONNECT_WANTS_WRITE)) break;
    }
    if (connect_conn_wants(carrier->conn) == 0) {
        cn_carrier_finish(carrier);
        return;
    }
    if (cn_buf_len(&carrier->held) && (connect_conn_wants(carrier->conn) & CONNECT_WANTS_READ))
        cn_carrier_wake(carrier);
    cn_carrier_watch(carrier);
}

static void cn_carrier_on_output(connect_conn_t *conn, void *user) {
    cn_carrier_t *carrier = (cn_carrier_t *)user;
    if (carrier->conn != conn) return;
    cn_carrier_wake(carrier);
    cn_loop_tell_outside(carrier->loop);
}

static void cn_carrier_abandon(connect_conn_t *conn, void *transport) {
    cn_carrier_t *carrier = (cn_carrier_t *)transport;
    if (carrier->conn != conn) return;
    if (carrier->state == CN_CARRIER_OPEN && !carrier->is_blocked) {
        connect_str_t last = cn_conn_farewell(conn);
        if (last.len && cn_socket_write(carrier->source.fd, last) < 0) {} /* it is over in any case */
    }
    cn_carrier_end(carrier);
}

/* Something came that cannot be taken now: it is not asked for again until it can. */
static void cn_carrier_postpone(cn_carrier_t *carrier, unsigned ready) {
    unsigned interest = carrier->source.interest & ~(unsigned)CN_POLL_READ;
    if ((ready & CN_POLL_ERROR) || ((ready & CN_POLL_HANGUP) && carrier->has_ended)) {
        int os_error = cn_socket_error(carrier->source.fd);
        cn_carrier_break(carrier, os_error ? os_error : ECONNRESET);
        return;
    }
    if ((ready & CN_POLL_HANGUP) && !carrier->is_blocked) interest = 0;
    if (!cn_source_watch(carrier->loop, &carrier->source, interest)) cn_carrier_break(carrier, errno);
}

static void cn_carrier_next_address(cn_carrier_t *carrier);
static void cn_carrier_opened(cn_carrier_t *carrier);

static void cn_carrier_ready(cn_source_t *source, unsigned ready) {
    cn_carrier_t *carrier = (cn_carrier_t *)(void *)source;
    if (carrier->state == CN_CARRIER_LINGERING) {
        cn_carrier_linger(carrier);
        return;
    }
    if (carrier->state == CN_CARRIER_DIALING) {
        int os_error = cn_socket_error(source->fd);
        if (os_error == 0) {
            cn_carrier_opened(carrier);
            return;
        }
        carrier->dial->os_error = os_error;
        cn_source_close(carrier->loop, source);
        cn_carrier_next_address(carrier);
        return;
    }
    if ((ready & (CN_POLL_WRITE | CN_POLL_ERROR | CN_POLL_HANGUP)) && carrier->is_blocked) {
        carrier->is_blocked = false;
        cn_carrier_wake(carrier);
    }
    if ((ready & (CN_POLL_READ | CN_POLL_ERROR | CN_POLL_HANGUP)) == 0) return;
    if (cn_carrier_can_read(carrier))
        cn_carrier_read(carrier);
    else
        cn_carrier_postpone(carrier, ready);
}

static void cn_carrier_on_timer(void *arg) {
    cn_carrier_t *carrier = (cn_carrier_t *)arg;
    if (carrier->state == CN_CARRIER_LINGERING) {
        cn_carrier_free(carrier);
    } else if (carrier->state == CN_CARRIER_DIALING) {
        if (carrier->dial->due_ms <= carrier->loop->now_ms) {
            carrier->dial->os_error = ETIMEDOUT;
            cn_source_close(carrier->loop, &carrier->source);
            cn_carrier_next_address(carrier);
        } else {
            cn_carrier_wake(carrier);
        }
    } else if (connect_conn_deadline_ms(carrier->conn) <= carrier->loop->now_ms) {
        cn_carrier_wake(carrier);
    } else {
        cn_carrier_arm(carrier);
    }
}

/* ---- The beginning ---------------------------------------------------------------------------------------------- */

static void cn_carrier_close(cn_source_t *source) {
    cn_carrier_t *carrier = (cn_carrier_t *)(void *)source;
    if (carrier->conn)
        cn_carrier_end(carrier);
    else
        cn_carrier_free(carrier);
}

static cn_carrier_t *cn_carrier_new(connect_loop_t *loop, int fd, const char *peer, cn_carrier_state_t state) {
    size_t len = strlen(peer);
    cn_carrier_t *carrier = (cn_carrier_t *)cn_mem_acquire(loop->allocator, sizeof *carrier + len + 1);
    if (!carrier) return NULL;
    carrier->source.ready = cn_carrier_ready;
    carrier->source.close = cn_carrier_close;
    carrier->source.fd = fd;
    carrier->loop = loop;
    carrier->state = state;
    memcpy(carrier->peer, peer, len + 1);
    return carrier;
}

static void cn_carrier_carry(cn_carrier_t *carrier, connect_conn_t *conn) {
    carrier->conn = conn;
    cn_list_append(&carrier->loop->sources, &carrier->source.node);
    cn_conn_set_transport(conn, cn_carrier_abandon, carrier);
    connect_conn_on_output(conn, cn_carrier_on_output, carrier);
    cn_carrier_wake(carrier);
}

static void cn_carrier_identify(cn_carrier_t *carrier) {
    if (strncmp(carrier->peer, "unix", 4) == 0)
        cn_socket_get_credentials(carrier->source.fd, &carrier->conn->credentials);
}

CN_PRIVATE void cn_carrier_accept(connect_loop_t *loop, int fd, const char *peer, bool is_clear,
    connect_conn_t *(*on_accept)(void *user, const char *peer), void *user) {
    cn_carrier_t *carrier = cn_carrier_new(loop, fd, peer, CN_CARRIER_OPEN);
    connect_conn_t *conn = carrier ? on_accept(user, peer) : NULL;
    if (conn) {
        cn_carrier_carry(carrier, conn);
        cn_carrier_identify(carrier);
        return;
    }
    if (carrier && is_clear && cn_carrier_begin_lingering(carrier)) {
        cn_list_append(&loop->sources, &carrier->source.node);
        carrier->owes_refusal = true;
        return;
    }
    cn_mem_release(loop->allocator, carrier);
    close(fd);
}

static void cn_carrier_opened(cn_carrier_t *carrier) {
    connect_loop_t *loop = carrier->loop;
    cn_mem_release(loop->allocator, carrier->dial);
    carrier->dial = NULL;
    carrier->state = CN_CARRIER_OPEN;
    cn_task_disarm(loop, &carrier->timer);
    cn_carrier_identify(carrier);
    connect_conn_opened(carrier->conn, loop->now_ms);
    if (carrier->conn) cn_carrier_mark(carrier);
}

static void cn_carrier_next_address(cn_carrier_t *carrier) {
    connect_loop_t *loop = carrier->loop;
    cn_dial_t *dial = carrier->dial;
    cn_failure_t failure;
    cn_task_disarm(loop, &carrier->timer);
    dial->due_ms = INT64_MAX;
    while (dial->next < dial->count) {
        bool is_open = false;
        int fd = cn_socket_connect(&dial->endpoints[dial->next++], &is_open);
        if (fd < 0) {
            dial->os_error = errno;
            continue;
        }
        carrier->source.fd = fd;
        if (is_open) {
            cn_carrier_opened(carrier);
            return;
        }
        if (!cn_source_watch(loop, &carrier->source, CN_POLL_KNOWN | CN_POLL_WRITE)) {
            dial->os_error = errno;
            cn_source_close(loop, &carrier->source);
            continue;
        }
        if (dial->dial_ms && dial->dial_ms != CONNECT_UNLIMITED) dial->due_ms = loop->now_ms + dial->dial_ms;
        cn_carrier_arm(carrier);
        return;
    }
    cn_failure_system(&failure, "cannot connect to", carrier->peer, dial->os_error);
    cn_carrier_fail(carrier, &failure);
}

/* Begins to dial; later: only tells the time. */
static void cn_carrier_dial(cn_carrier_t *carrier) {
    cn_dial_t *dial = carrier->dial;
    cn_address_t address;
    cn_failure_t failure;
    connect_conn_feed(carrier->conn, "", 0, carrier->loop->now_ms);
    if (!carrier->conn) return;
    if (connect_conn_wants(carrier->conn) == 0) {
        cn_carrier_end(carrier);
        return;
    }
    if (dial->has_begun) {
        cn_carrier_arm(carrier);
        return;
    }
    dial->has_begun = true;
    if (!cn_address_parse(&address, carrier->peer, &failure)) {
        cn_carrier_fail(carrier, &failure);
    } else if (address.kind == CN_ADDRESS_FD) {
        carrier->source.fd = cn_socket_adopt(&address, &failure);
        if (carrier->source.fd < 0)
            cn_carrier_fail(carrier, &failure);
        else
            cn_carrier_opened(carrier);
    } else {
        dial->count = cn_address_literal(&address, false, dial->endpoints, CN_LEN(dial->endpoints));
        if (dial->count) {
            cn_carrier_next_address(carrier);
            return;
        }
        cn_failure_print(&failure, CONNECT_INVALID_ARGUMENT, 0,
            "cannot connect to %s: expected an IP address, as a resolver answers", carrier->peer);
        cn_carrier_fail(carrier, &failure);
    }
}

CN_PRIVATE connect_code_t cn_loop_dial(
    connect_loop_t *loop, connect_conn_t *conn, const char *address, uint32_t dial_ms) {
    cn_carrier_t *carrier;
    cn_address_t parsed;
    cn_failure_t failure;
    if (!cn_address_parse(&parsed, address, &failure)) {
        cn_conn_set_failure(conn, failure.os_error, failure.text);
        return failure.code;
    }
    if (loop->is_doomed) {
        cn_conn_set_failure(conn, 0, "the event loop is being freed");
        return CONNECT_UNAVAILABLE;
    }
    if (parsed.kind == CN_ADDRESS_TCP && parsed.port == 0) {
        cn_failure_print(
            &failure, CONNECT_INVALID_ARGUMENT, 0, "bad address \"%s\": expected a port from 1 to 65535", address);
        cn_conn_set_failure(conn, 0, failure.text);
        return failure.code;
    }
    carrier = cn_carrier_new(loop, -1, address, CN_CARRIER_DIALING);
    if (carrier) carrier->dial = (cn_dial_t *)cn_mem_acquire(loop->allocator, sizeof *carrier->dial);
    if (!carrier || !carrier->dial) {
        cn_mem_release(loop->allocator, carrier);
        cn_conn_set_failure(conn, ENOMEM, "out of memory");
        return CONNECT_RESOURCE_EXHAUSTED;
    }
    conn->opens_later = true;
    carrier->dial->dial_ms = dial_ms;
    carrier->dial->due_ms = INT64_MAX;
    cn_carrier_carry(carrier, conn);
    cn_loop_tell_outside(loop);
    return CONNECT_OK;
}

/* ---- A turn ------------------------------------------------------------------------------------------------------ */

CN_PRIVATE void cn_carrier_run_all(connect_loop_t *loop) {
    cn_list_t *node, *last = &loop->batch_end;
    int round;
    for (round = 0; round < CN_CARRIER_ROUNDS && !cn_list_empty(&loop->woken); round++) {
        memset(last, 0, sizeof *last);
        cn_list_append(&loop->woken, last); /* what is woken meanwhile stands behind it */
        while ((node = cn_list_pop(&loop->woken)) != NULL && node != last) {
            cn_carrier_t *carrier = CN_CONTAINER(node, cn_carrier_t, woken);
            if (carrier->state == CN_CARRIER_DIALING)
                cn_carrier_dial(carrier);
            else if (carrier->conn)
                cn_carrier_advance(carrier);
        }
    }
    memset(last, 0, sizeof *last);
    cn_list_append(&loop->dirty, last);
    while ((node = cn_list_pop(&loop->dirty)) != NULL && node != last)
        cn_carrier_flush(CN_CONTAINER(node, cn_carrier_t, dirty));
}
#endif
