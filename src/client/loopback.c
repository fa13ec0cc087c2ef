#include "client/loopback.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/list.h"
#include "base/mem.h"
#include "io/conn.h"

/* The loopback: a client's connections with a server in the same memory. Both ends are whole connections; what one puts
   out is fed to the other. No sockets, no clock and no thread: someone calls cn_loopback_carry with the time, the loop
   or a function that waits.

   A wire is one direction: bytes that left an end and were not taken by the other, at most CN_LOOPBACK_ROOM, so that
   backpressure works as over a socket. They are copied there: feeding an end runs callbacks, which may have the other
   one move its output.

   The end of an end is that of a socket's: what it wrote before still arrives, then the other sees the end of the
   input; if that one still has something to say it is told that the connection was reset.

   Events may close any end (end->conn is NULL then), dial, and free the client. Links are freed by cn_loopback_carry
   alone, once both of their ends are closed. */

#if CONNECT_ENABLE_CLIENT && CONNECT_ENABLE_SERVER
#define CN_LOOPBACK_ROOM 65536u
#define CN_LOOPBACK_ROUNDS 64 /* of one carry */

typedef struct cn_loopback_end_t {
    cn_loopback_t *loopback;
    connect_conn_t *conn;     /* NULL: closed */
    cn_buf_t wire;            /* from here to the other end */
    bool is_woken, has_ended; /* ended: it was told the end of its input */
} cn_loopback_end_t;
typedef struct cn_loopback_link_t {
    cn_list_t node;
    cn_loopback_end_t client, server;
} cn_loopback_link_t;

static void cn_loopback_tell(cn_loopback_t *loopback) {
    loopback->is_woken = true;
    if (!loopback->is_running && loopback->wake) loopback->wake(loopback);
}

static void cn_loopback_on_output(connect_conn_t *conn, void *user) {
    cn_loopback_end_t *end = (cn_loopback_end_t *)user;
    (void)conn;
    end->is_woken = true;
    cn_loopback_tell(end->loopback);
}

static void cn_loopback_close(cn_loopback_end_t *end) {
    connect_conn_t *conn = end->conn;
    end->conn = NULL;
    if (!conn) return;
    connect_conn_close(conn);
    cn_loopback_tell(end->loopback);
}

static void cn_loopback_break(cn_loopback_end_t *end, int os_error, const char *why) {
    cn_conn_set_failure(end->conn, os_error, why);
    cn_loopback_close(end);
}

static void cn_loopback_abandon(connect_conn_t *conn, void *transport) {
    cn_loopback_end_t *end = (cn_loopback_end_t *)transport;
    if (end->conn == conn) cn_loopback_close(end);
}

static void cn_loopback_attach(cn_loopback_end_t *end, cn_loopback_t *loopback, connect_conn_t *conn) {
    end->loopback = loopback;
    end->conn = conn;
    end->is_woken = true;
    cn_conn_set_transport(conn, cn_loopback_abandon, end);
    connect_conn_on_output(conn, cn_loopback_on_output, end);
}

CN_PRIVATE connect_code_t cn_loopback_dial(connect_conn_t *conn, const char *address, void *user) {
    cn_loopback_t *loopback = (cn_loopback_t *)user;
    cn_loopback_link_t *link;
    connect_error_t error;
    connect_conn_t *server = connect_server_accept(loopback->server, address, NULL, &error);
    if (!server) {
        cn_conn_set_failure(conn, 0, error.message.data);
        return error.code;
    }
    link = (cn_loopback_link_t *)cn_mem_acquire(loopback->allocator, sizeof *link);
    if (!link) {
        connect_conn_close(server);
        cn_conn_set_failure(conn, ENOMEM, "out of memory");
        return CONNECT_RESOURCE_EXHAUSTED;
    }
    cn_loopback_attach(&link->client, loopback, conn);
    cn_loopback_attach(&link->server, loopback, server);
    cn_list_append(&loopback->links, &link->node);
    cn_loopback_tell(loopback);
    return CONNECT_OK;
}

/* ---- Carrying --------------------------------------------------------------------------------------------------- */

/* Opens an end, or tells it the time. Returns false: it was closed. */
static bool cn_loopback_advance(cn_loopback_end_t *end) {
    int64_t now_ms = end->loopback->now_ms;
    if (!end->conn->opened) {
        connect_conn_opened(end->conn, now_ms);
    } else if (end->is_woken || connect_conn_deadline_ms(end->conn) <= now_ms) {
        end->is_woken = false;
        connect_conn_feed(end->conn, "", 0, now_ms);
    }
    return end->conn != NULL;
}

/* Puts an end's output on its wire. Returns whether something happened. */
static bool cn_loopback_collect(cn_loopback_end_t *end, const cn_loopback_end_t *other) {
    bool has_moved = end->conn && end->is_woken;
    if (!end->conn) return false;
    if (!cn_loopback_advance(end)) return true;
    while (cn_buf_len(&end->wire) < CN_LOOPBACK_ROOM) {
        connect_str_t output = connect_conn_output(end->conn);
        if (!end->conn) return true;
        if (output.len == 0) break;
        if (!other->conn) {
            if (cn_buf_len(&other->wire) && (connect_conn_wants(end->conn) & CONNECT_WANTS_READ)) break;
            cn_loopback_break(end, ECONNRESET, "connection to memory: reset by peer");
            return true;
        }
        output.len = CN_MIN(output.len, CN_LOOPBACK_ROOM - cn_buf_len(&end->wire));
        if (!cn_buf_append_str(&end->wire, end->loopback->allocator, output)) {
            cn_loopback_break(end, ENOMEM, "out of memory");
            return true;
        }
        connect_conn_sent(end->conn, output.len);
        has_moved = true;
        if (!end->conn) return true;
    }
    if (connect_conn_wants(end->conn) != 0) return has_moved;
    cn_loopback_close(end);
    return true;
}

/* Feeds what is on a wire, and after the last of it its end. Returns whether something happened. */
static bool cn_loopback_deliver(cn_loopback_end_t *from, cn_loopback_end_t *to) {
    connect_str_t bytes = cn_buf_view(&from->wire);
    size_t taken;
    if (!to->conn) {
        cn_buf_clear(&from->wire);
        return false;
    }
    if (bytes.len == 0) {
        if (from->conn || to->has_ended) return false;
        to->has_ended = true;
        cn_conn_eof(to->conn, to->loopback->now_ms);
        return true;
    }
    if (!(connect_conn_wants(to->conn) & CONNECT_WANTS_READ)) return false;
    taken = connect_conn_feed(to->conn, bytes.data, bytes.len, to->loopback->now_ms);
    cn_buf_drop(&from->wire, taken);
    if (cn_buf_len(&from->wire) == 0) cn_buf_free(&from->wire, from->loopback->allocator);
    return taken > 0;
}

static bool cn_loopback_carry_link(cn_loopback_link_t *link) {
    bool has_moved = cn_loopback_collect(&link->client, &link->server);
    has_moved = cn_loopback_deliver(&link->client, &link->server) || has_moved;
    has_moved = cn_loopback_collect(&link->server, &link->client) || has_moved;
    return cn_loopback_deliver(&link->server, &link->client) || has_moved;
}

static void cn_loopback_free_link(cn_loopback_link_t *link, const connect_allocator_t *allocator) {
    cn_list_remove(&link->node);
    cn_buf_free(&link->client.wire, allocator);
    cn_buf_free(&link->server.wire, allocator);
    cn_mem_release(allocator, link);
}

CN_PRIVATE bool cn_loopback_carry(cn_loopback_t *loopback, int64_t now_ms, bool *is_freed) {
    bool has_moved = true;
    int round;
    *is_freed = false;
    loopback->is_running = true;
    loopback->now_ms = CN_MAX(loopback->now_ms, now_ms);
    for (round = 0; has_moved && round < CN_LOOPBACK_ROUNDS; round++) {
        cn_list_t *node, *next;
        loopback->is_woken = has_moved = false;
        for (node = loopback->links.next; node != &loopback->links; node = next) {
            cn_loopback_link_t *link = CN_CONTAINER(node, cn_loopback_link_t, node);
            has_moved = cn_loopback_carry_link(link) || has_moved;
            next = node->next;
            if (!link->client.conn && !link->server.conn) cn_loopback_free_link(link, loopback->allocator);
        }
        has_moved = has_moved || loopback->is_woken;
    }
    loopback->is_running = false;
    if (loopback->is_doomed) {
        *is_freed = true;
        cn_loopback_free(loopback);
        return false;
    }
    return has_moved;
}

CN_PRIVATE int64_t cn_loopback_due_ms(cn_loopback_t *loopback) {
    int64_t due_ms = INT64_MAX;
    cn_list_t *node;
    if (loopback->is_woken) return loopback->now_ms;
    for (node = loopback->links.next; node != &loopback->links; node = node->next) {
        cn_loopback_link_t *link = CN_CONTAINER(node, cn_loopback_link_t, node);
        if (link->client.conn) due_ms = CN_MIN(due_ms, connect_conn_deadline_ms(link->client.conn));
        if (link->server.conn) due_ms = CN_MIN(due_ms, connect_conn_deadline_ms(link->server.conn));
    }
    return due_ms;
}

/* ---- The beginning and the end ---------------------------------------------------------------------------------- */

CN_PRIVATE cn_loopback_t *cn_loopback_new(const connect_allocator_t *allocator, connect_server_t *server) {
    cn_loopback_t *loopback = (cn_loopback_t *)cn_mem_acquire(allocator, sizeof *loopback);
    if (!loopback) return NULL;
    loopback->allocator = allocator;
    loopback->server = server;
    cn_list_init(&loopback->links);
    return loopback;
}

CN_PRIVATE void cn_loopback_free(cn_loopback_t *loopback_or_null) {
    cn_loopback_t *loopback = loopback_or_null;
    if (!loopback) return;
    loopback->is_doomed = true;
#if CONNECT_ENABLE_SOCKETS
    if (loopback->loop) connect_loop_after(loopback->loop, &loopback->task, -1, NULL, NULL);
#endif
    if (loopback->is_running) return;
    loopback->is_running = true; /* nobody is woken any more */
    while (!cn_list_empty(&loopback->links)) {
        cn_loopback_link_t *link = CN_CONTAINER(loopback->links.next, cn_loopback_link_t, node);
        cn_loopback_close(&link->client);
        cn_loopback_close(&link->server);
        cn_loopback_free_link(link, loopback->allocator);
    }
    cn_mem_release(loopback->allocator, loopback);
}
#endif
