#include "io/conn.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/http1.h"
#include "http/http2.h"
#include "io/tls.h"

/* A connection without I/O: bytes in, bytes out, and the time with them. It finds out which HTTP version the peer
   speaks, hands it the bytes, watches the clock for all that hangs on the connection, and tells the transport what it
   wants.

   Which version (server): a connection that begins with the 24 bytes of the client preface (RFC 9113 3.4) is HTTP/2,
   any other is HTTP/1.1; up to then the bytes are held in `preface`. A client knows beforehand.

   Clocks: header_ms (a head is awaited in the middle of it, or nothing came at all), idle_http1_ms and idle_http2_ms
   (no exchange), write_stall_ms (output waits and the transport takes none), ping_ms and ping_answer_ms (nothing is
   heard), abort_ms (drained too long), the exchanges' own due_ms and the owner's. The clock is the user's: it is known
   from the first feed on. deadline_ms is the earliest; a step called `tick` at the end of each feed acts on what has
   come.

   Events run only inside feed, output, eof, opened, and close. `depth` counts them: a connection that is closed inside
   one of its own events is freed when the outermost has ended, and owner->leave is the last thing of all, as the owner
   may free itself there.

   TLS: bytes of the peer go to the engine, and what it decrypts goes the way of bytes in clear text; http.out is sealed
   into tls->out, which then is what the transport writes. The version follows from ALPN; without ALPN it is found out
   as in clear text. A handshake has handshake_ms. Its steps cost milliseconds: of an owner's connections at most
   CN_CONN_HANDSHAKES take one in the same millisecond, the others ask to be fed again in the next, so that established
   connections are served between them. The end of the bytes without close_notify is a truncation: what runs ends with
   UNAVAILABLE, also a response that would end with the connection (RFC 9112 9.8). Who speaks clear text to TLS, or TLS
   to clear text, is told so in HTTP, or by the text of the failure.

   The output queue's block is borrowed from the owner's pool when bytes come, and given back when all is written. */

#define CN_CONN_HANDSHAKES 4u
#define CN_CONN_TLS_HANDSHAKE 22 /* the first byte of every TLS connection (RFC 8446 5.1) */
#define CN_CONN_TLS_ALERT 21
#define CN_CONN_BLOCKED 4u /* reading stops while output waits above so many times limits->connection_buffer */

#if CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER
static const char cn_conn_stalled[] = "the peer takes no bytes (limits.write_stall_ms)";
static const char cn_conn_preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

CN_PRIVATE connect_conn_t *cn_conn_of(cn_http_t *http) {
    return CN_CONTAINER(http, connect_conn_t, http);
}

static cn_exchange_t *cn_conn_on_begin(cn_http_t *http) {
    connect_conn_t *conn = cn_conn_of(http);
    conn->idle_since_ms = -1; /* also if it is over before the clock is looked at */
    return conn->owner ? conn->events->on_begin(conn) : NULL;
}

static void cn_conn_on_http_output(cn_http_t *http) {
    connect_conn_t *conn = cn_conn_of(http);
    if (conn->output) conn->output(conn, conn->output_user);
}

static void cn_conn_on_room(cn_http_t *http) {
    connect_conn_t *conn = cn_conn_of(http);
    if (conn->owner && conn->events->on_room) conn->events->on_room(conn);
}

CN_PRIVATE connect_conn_t *cn_conn_new(const cn_conn_options_t *options) {
    static const cn_http_events_t events = {cn_conn_on_begin, cn_conn_on_http_output, cn_conn_on_room};
    const char *peer = options->peer ? options->peer : "";
    const size_t peer_len = strlen(peer);
    connect_conn_t *conn = (connect_conn_t *)cn_mem_acquire(options->allocator, sizeof *conn + peer_len + 1);
    if (!conn) return NULL;
    memcpy(conn->peer, peer, peer_len + 1);
    conn->credentials.pid = conn->credentials.uid = conn->credentials.gid = -1;
    conn->http.events = &events;
    conn->http.allocator = options->allocator;
    conn->http.limits = options->limits;
    conn->http.is_server = options->is_server;
    conn->http.head_since_ms = -1;
    conn->http.due_ms = INT64_MAX;
    cn_list_init(&conn->http.exchanges);
    conn->events = options->events;
    conn->owner = options->owner;
    conn->http.pool = options->pool;
    conn->allow_http1 = options->allow_http1;
    conn->allow_http2 = options->allow_http2;
    conn->owner_due_ms = conn->abort_ms = conn->stall_check_ms = INT64_MAX;
    conn->opened_ms = -1;
    conn->idle_since_ms = -1;
    conn->pinged_ms = -1;
    conn->stalled_since_ms = -1;
    conn->connected = options->is_server;
    conn->opened = options->is_server;
    conn->turn = options->turn;
    if (options->tls) {
        conn->http.is_secure = true;
        conn->tls = cn_tls_begin(options->tls, options->allocator, options->is_server, options->server_name,
            options->peer, options->allow_http1, options->allow_http2);
        if (!conn->tls) {
            cn_mem_release(options->allocator, conn);
            return NULL;
        }
    }
    return conn;
}

/* ---- Entering and leaving ---- */

/* now_ms: -1: not told. */
static void cn_conn_enter(connect_conn_t *conn, int64_t now_ms) {
    if (now_ms > conn->http.now_ms) conn->http.now_ms = now_ms;
    if (conn->opened_ms < 0) conn->opened_ms = conn->heard_ms = conn->http.now_ms;
    if (conn->depth++ == 0 && conn->owner) conn->events->enter(conn->owner, now_ms < 0 ? -1 : conn->http.now_ms);
    conn->http.feeding = true;
}

static void cn_conn_free(connect_conn_t *conn) {
    const connect_allocator_t *allocator = conn->http.allocator;
    const cn_conn_owner_t *events = conn->events;
    void *owner = conn->owner;
    if (conn->gone) *conn->gone = true;
    conn->gone = NULL;
    if (owner) events->enter(owner, -1);
    conn->depth = 1; /* what is closed in the events below is closed already */
    conn->dead = true;
    conn->http.feeding = true;
    if (conn->http.version) conn->http.version->free(&conn->http);
    conn->http.version = NULL;
    if (conn->owner) {
        events->on_lost(conn);
        cn_list_remove(&conn->node);
        cn_buf_give_back(&conn->http.out, conn->http.pool, allocator);
    }
    cn_buf_free(&conn->http.out, allocator);
    cn_tls_unref(conn->tls);
    cn_mem_release(allocator, conn->failure_block);
    cn_mem_release(allocator, conn);
    if (owner) events->leave(owner);
}

static void cn_conn_leave(connect_conn_t *conn) {
    const cn_conn_owner_t *events = conn->events;
    void *owner = conn->owner;
    if (conn->depth > 1) {
        conn->depth--;
        return;
    }
    conn->http.feeding = false;
    conn->depth = 0;
    if (conn->close_wanted) cn_conn_free(conn);
    if (owner) events->leave(owner);
}

/* ---- Opening ---- */

static bool cn_conn_open_version(connect_conn_t *conn, bool http2) {
    const cn_http_version_t *version = NULL;
#if CONNECT_ENABLE_HTTP2
    if (http2) version = cn_http2_version();
#else
    (void)http2;
#endif
    if (!version) version = cn_http1_version();
    if (!version->open(&conn->http)) {
        cn_conn_set_failure(conn, ENOMEM, "out of memory");
        conn->dead = true;
        return false;
    }
    conn->http.version = version;
    return true;
}

/* Client: requests may go now. */
static void cn_conn_ready(connect_conn_t *conn, bool http2) {
    conn->opened = true;
    conn->opened_ms = conn->http.now_ms;
    if (cn_conn_open_version(conn, http2) && conn->owner && conn->events->on_room) conn->events->on_room(conn);
}

void connect_conn_opened(connect_conn_t *conn, int64_t now_ms) {
    if (conn->connected || conn->dead) return;
    cn_conn_enter(conn, now_ms);
    conn->connected = true;
    conn->opened_ms = conn->http.now_ms;
    if (conn->tls) {
        cn_tls_collect(conn->tls);
        conn->output_due = true;
    } else {
        cn_conn_ready(conn, conn->allow_http2);
    }
    cn_conn_leave(conn);
}

/* Tells the version by the first bytes. Returns how many were used up before the version takes over; all of them if
   it is not known yet. */
static size_t cn_conn_sniff(connect_conn_t *conn, const char *bytes, size_t len) {
    static const char is_tls[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n"
                                 "Content-Length: 49\r\n\r\nThis port speaks clear text, not TLS: use http://\n";
    size_t have = conn->preface_len, take, held;
    if (!have && bytes[0] == CN_CONN_TLS_HANDSHAKE && !conn->tls) {
        cn_buf_append(&conn->http.out, conn->http.allocator, is_tls, sizeof is_tls - 1);
        conn->http.closing = true;
        return len;
    }
    if (!conn->allow_http2 || !conn->allow_http1) {
        cn_conn_open_version(conn, conn->allow_http2);
        return 0;
    }
    take = CN_MIN(len, sizeof conn->preface - have);
    memcpy(conn->preface + have, bytes, take);
    held = have + take;
    if (memcmp(conn->preface, cn_conn_preface, held) != 0) {
        if (!cn_conn_open_version(conn, false)) return len;
        if (have) conn->http.version->feed(&conn->http, conn->preface, have); /* shorter than any limit: all is taken */
        return 0;
    }
    conn->preface_len = (uint8_t)held;
    if (held < sizeof conn->preface) return take;
    if (!cn_conn_open_version(conn, true)) return len;
    conn->http.version->feed(&conn->http, conn->preface, held);
    return take;
}

/* ---- The clock ---- */

static int64_t cn_conn_add_ms(int64_t since_ms, uint32_t limit_ms) {
    return since_ms < 0 || limit_ms == CONNECT_UNLIMITED ? INT64_MAX : since_ms + (int64_t)limit_ms;
}

static int64_t cn_conn_idle_due(const connect_conn_t *conn) {
    const connect_limits_t *limits = conn->http.limits;
    if (conn->tls && !conn->tls->is_open)
        return conn->connected ? cn_conn_add_ms(conn->opened_ms, limits->handshake_ms) : INT64_MAX;
    if (!conn->http.version)
        return conn->http.is_server ? cn_conn_add_ms(conn->opened_ms, limits->header_ms) : INT64_MAX;
    return cn_conn_add_ms(conn->idle_since_ms,
        conn->http.version->number == CONNECT_HTTP_2 ? limits->idle_http2_ms : limits->idle_http1_ms);
}

/* A peer of which nothing was heard for ping_ms is asked, one that does not answer is gone. */
static int64_t cn_conn_ping_due(const connect_conn_t *conn) {
    const cn_http_t *http = &conn->http;
    if (!http->version || !http->version->ping || http->closing) return INT64_MAX;
    return conn->pinged_ms >= 0 ? cn_conn_add_ms(conn->pinged_ms, http->limits->ping_answer_ms)
                                : cn_conn_add_ms(conn->heard_ms, http->limits->ping_ms);
}

static void cn_conn_kill(connect_conn_t *conn);

static void cn_conn_tick_ping(connect_conn_t *conn) {
    const int64_t now = conn->http.now_ms;
    if (cn_conn_ping_due(conn) > now) return;
    if (conn->pinged_ms < 0) {
        conn->pinged_ms = now;
        conn->http.version->ping(&conn->http);
        return;
    }
    cn_conn_set_failure(conn, ETIMEDOUT, "the peer does not answer (limits.ping_answer_ms)");
    cn_conn_kill(conn);
}

int64_t connect_conn_deadline_ms(const connect_conn_t *conn) {
    const cn_http_t *http = &conn->http;
    int64_t due = CN_MIN(http->due_ms, conn->owner_due_ms);
    if (conn->dead || http->woken || conn->opened_ms < 0) return http->now_ms;
    if (conn->handshake_ms) due = CN_MIN(due, conn->handshake_ms);
    if (conn->tls && !http->read_blocked && !http->closing && cn_tls_plain(conn->tls).len) return http->now_ms;
    due = CN_MIN(due, cn_conn_add_ms(http->head_since_ms, http->limits->header_ms));
    due = CN_MIN(due, cn_conn_add_ms(conn->stalled_since_ms, http->limits->write_stall_ms));
    due = CN_MIN(due, cn_conn_idle_due(conn));
    due = CN_MIN(due, cn_conn_ping_due(conn));
    due = CN_MIN(due, conn->stall_check_ms);
    return CN_MIN(due, conn->abort_ms);
}

/* Ends it from this side: what is open is cut short. */
static void cn_conn_kill(connect_conn_t *conn) {
    conn->dead = true;
    if (conn->http.version) conn->http.version->eof(&conn->http);
}

static void cn_conn_tick_exchanges(connect_conn_t *conn) {
    cn_http_t *http = &conn->http;
    cn_list_t *node, *next;
    int64_t now = http->now_ms, due = INT64_MAX;
    if (http->due_ms > now) return;
    http->due_ms = INT64_MAX;
    for (node = http->exchanges.next; node != &http->exchanges && !http->stopped; node = next) {
        cn_exchange_t *x = CN_CONTAINER(node, cn_exchange_t, node);
        next = node->next;
        if (x->due_ms <= now) {
            x->due_ms = INT64_MAX;
            x->events->on_due(x);
            if (x->http) next = node->next; /* what began meanwhile is last in the list */
        }
        if (x->http) due = CN_MIN(due, x->due_ms);
    }
    http->due_ms = CN_MIN(http->due_ms, due);
}

/* A peer that opens no window keeps what waits for it in memory: an exchange of which nothing went out between two
   looks, limits.write_stall_ms apart, is given up. Returns when to look again. */
static int64_t cn_conn_look_for_stalls(cn_http_t *http, bool first) {
    cn_list_t *node, *next;
    bool waits = false;
    for (node = http->exchanges.next; node != &http->exchanges; node = next) {
        cn_exchange_t *x = CN_CONTAINER(node, cn_exchange_t, node);
        next = node->next;
        if (!first && x->out_waited && cn_buf_len(&x->out) && x->out_taken == x->out_taken_before) {
            x->close_code = http->is_server ? CONNECT_CANCELED : CONNECT_UNAVAILABLE;
            x->close_why = cn_conn_stalled;
            http->version->reset(x, CN_RESET_STALLED);
        }
        x->out_waited = cn_buf_len(&x->out) != 0;
        x->out_taken_before = x->out_taken;
        waits = waits || x->out_waited;
    }
    return waits ? cn_conn_add_ms(http->now_ms, http->limits->write_stall_ms) : INT64_MAX;
}

/* Returns whether anything was due. */
static bool cn_conn_tick(connect_conn_t *conn) {
    static const char timeout[] = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    cn_http_t *http = &conn->http;
    int64_t now = http->now_ms;
    bool due = !conn->dead && connect_conn_deadline_ms(conn) <= now;
    if (conn->dead) return false;
    cn_conn_tick_exchanges(conn);
    if (http->stopped) return due;
    if (conn->owner_due_ms <= now && conn->owner) {
        conn->owner_due_ms = INT64_MAX;
        conn->events->on_due(conn);
    }
    if (http->exchange_count) {
        conn->idle_since_ms = -1;
    } else if (conn->idle_since_ms < 0) {
        conn->idle_since_ms = now;
    } else if (cn_conn_idle_due(conn) <= now) {
        if (conn->tls && !conn->tls->is_open)
            cn_conn_set_failure(conn, ETIMEDOUT, "the TLS handshake took too long (limits.handshake_ms)");
        if (http->version && !http->draining) {
            http->version->drain(http);
            conn->idle_since_ms = now;
        } else {
            http->closing = true;
        }
    }
    if (cn_conn_add_ms(http->head_since_ms, http->limits->header_ms) <= now) {
        if (http->version && http->version->number == CONNECT_HTTP_1 && http->is_server && !http->exchange_count)
            cn_buf_append(&http->out, http->allocator, timeout, sizeof timeout - 1);
        http->head_since_ms = -1;
        http->closing = true;
        http->read_blocked = true;
    }
    cn_conn_tick_ping(conn);
    if (conn->dead) return due;
    if (conn->grace_ms && conn->abort_ms == INT64_MAX) conn->abort_ms = cn_conn_add_ms(now, conn->grace_ms);
    if (conn->stall_check_ms <= now) conn->stall_check_ms = cn_conn_look_for_stalls(http, false);
    if (cn_conn_add_ms(conn->stalled_since_ms, http->limits->write_stall_ms) <= now || conn->abort_ms <= now) {
        cn_conn_set_failure(
            conn, ETIMEDOUT, conn->abort_ms <= now ? "drained, and the grace is over" : cn_conn_stalled);
        cn_conn_kill(conn);
    }
    return due;
}

/* ---- Bytes in ---- */

/* Hands plaintext over. Returns how many bytes were taken. */
static size_t cn_conn_deliver(connect_conn_t *conn, const char *bytes, size_t len) {
    size_t taken = 0;
    if (len && !conn->http.version) taken = cn_conn_sniff(conn, bytes, len);
    if (conn->http.version && !conn->dead && taken < len && !conn->http.closing)
        taken += conn->http.version->feed(&conn->http, bytes + taken, len - taken);
    return conn->http.closing ? len : taken; /* of no interest any more */
}

/* TLS is over: by close_notify, or for the reason that is in error. What the engine has to say still goes out. */
static void cn_conn_tls_over(connect_conn_t *conn, const connect_error_t *error) {
    cn_http_t *http = &conn->http;
    char text[CN_CONN_FAILURE_TEXT];
    if (error->code != CONNECT_OK) {
        snprintf(text, sizeof text, "TLS with %s: %s", conn->peer, error->message.data);
        cn_conn_set_failure(conn, 0, text);
    } else if (!conn->tls->is_open) {
        cn_conn_set_failure(conn, 0, "the connection was closed during the TLS handshake");
    }
    if (http->version) http->version->eof(http);
    cn_buf_clear(&http->out); /* nothing can be sealed any more */
    http->closing = true;
}

static void cn_conn_tls_open(connect_conn_t *conn) {
    const bool http2 = strcmp(conn->tls->info.alpn, "h2") == 0;
    conn->handshake_ms = 0;
    conn->opened_ms = conn->http.now_ms;
    if (conn->http.is_server) {
        if (conn->tls->info.alpn[0]) cn_conn_open_version(conn, http2);
    } else if (http2 || conn->allow_http1) {
        conn->allow_http1 = !http2;
        conn->allow_http2 = http2;
        cn_conn_ready(conn, http2);
    } else {
        connect_error_t error;
        cn_error_set(&error, CONNECT_UNAVAILABLE, "the server does not offer HTTP/2 (ALPN h2)");
        cn_conn_tls_over(conn, &error);
    }
}

/* Looks whether the first bytes are TLS, and tells so who speaks clear text. *held: the bytes wait for more of them.
   Returns true: it is over. */
static bool cn_conn_is_clear_text(connect_conn_t *conn, const char *bytes, size_t len, bool *held) {
    static const char http1[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n"
                                "Content-Length: 50\r\n\r\nThis port speaks TLS, not clear text: use https://\n";
    /* RFC 9113: empty SETTINGS; GOAWAY of 42 bytes, INADEQUATE_SECURITY (7) */
    static const char http2[] = "\0\0\0\4\0\0\0\0\0"
                                "\0\0\x2A\7\0\0\0\0\0\0\0\0\0\0\0\0\xC"
                                "This port speaks TLS: use https://";
    const unsigned char first = (unsigned char)(conn->preface_len ? conn->preface[0] : bytes[0]);
    *held = false;
    if (conn->heard && !conn->preface_len) return false;
    if (first == CN_CONN_TLS_HANDSHAKE || first == CN_CONN_TLS_ALERT) return false;
    if (conn->http.is_server) {
        if (first < 'A' || first > 'Z') return false; /* the engine has an alert for it */
        while (len-- && conn->preface_len < 3)
            conn->preface[conn->preface_len++] = *bytes++;
        *held = conn->preface_len < 3 && memcmp(conn->preface, cn_conn_preface, conn->preface_len) == 0;
        if (*held) return false;
        if (memcmp(conn->preface, cn_conn_preface, 3) == 0)
            cn_buf_append(&conn->tls->out, conn->http.allocator, http2, sizeof http2 - 1);
        else
            cn_buf_append(&conn->tls->out, conn->http.allocator, http1, sizeof http1 - 1);
    }
    conn->tls->is_closed = true;
    conn->http.closing = true;
    cn_conn_set_failure(conn, 0,
        conn->http.is_server ? "the client does not speak TLS" : "the server does not speak TLS here: use http://");
    return true;
}

/* Is there time for a step of the handshake in this millisecond? */
static bool cn_conn_may_shake_hands(connect_conn_t *conn) {
    cn_conn_turn_t *turn = conn->turn;
    const int64_t now = conn->http.now_ms;
    conn->handshake_ms = 0;
    if (!turn || conn->tls->is_open) return true;
    if (turn->now_ms != now) turn->handshakes = 0;
    turn->now_ms = now;
    if (turn->handshakes < CN_CONN_HANDSHAKES) return true;
    conn->handshake_ms = now + 1;
    return false;
}

static size_t cn_conn_run_tls(connect_conn_t *conn, const char *bytes, size_t len) {
    cn_tls_t *tls = conn->tls;
    size_t taken = 0, used;
    connect_error_t error;
    for (;;) {
        connect_str_t plain;
        size_t got = cn_tls_take(tls, bytes + taken, len - taken);
        taken += got;
        if (!tls->is_open) {
            if (!cn_tls_look(tls, &error)) {
                cn_tls_close(tls);
                cn_conn_tls_over(conn, &error);
                return len;
            }
            if (tls->is_open) cn_conn_tls_open(conn);
        }
        plain = cn_tls_plain(tls);
        used = plain.len ? cn_conn_deliver(conn, plain.data, plain.len) : 0;
        if (plain.len) cn_tls_used(tls, used);
        if (conn->dead || conn->http.closing) return len;
        if (plain.len ? used == 0 || conn->http.read_blocked : taken == len || got == 0) break;
    }
    if (!tls->is_closed && cn_tls_over(tls, &error)) {
        cn_conn_tls_over(conn, &error);
        return len;
    }
    return taken;
}

static size_t cn_conn_feed_tls(connect_conn_t *conn, const char *bytes, size_t len) {
    const bool was_open = conn->tls->is_open;
    const size_t answered = cn_buf_len(&conn->tls->out);
    bool held;
    if (conn->handshake_ms && conn->handshake_ms <= conn->http.now_ms) conn->handshake_ms = 0;
    if (len && (cn_conn_is_clear_text(conn, bytes, len, &held) || held)) return len;
    if (len && !cn_conn_may_shake_hands(conn)) return 0;
    len = cn_conn_run_tls(conn, bytes, len);
    if (!was_open && conn->turn && cn_buf_len(&conn->tls->out) > answered) conn->turn->handshakes++; /* it was work */
    return len;
}

/* A server that answers a request in clear text with an alert of TLS. */
static size_t cn_conn_refuse_tls(connect_conn_t *conn, size_t len) {
    cn_conn_set_failure(conn, 0, "the server speaks TLS here: use https://");
    cn_conn_kill(conn);
    return len;
}

size_t connect_conn_feed(connect_conn_t *conn, const void *bytes, size_t len, int64_t now_ms) {
    const char *at = (const char *)bytes;
    size_t taken = 0;
    bool woken, due;
    cn_conn_enter(conn, now_ms);
    if (!conn->opens_later) connect_conn_opened(conn, now_ms);
    woken = conn->http.woken;
    conn->http.woken = false;
    if (!conn->dead && conn->connected) {
        cn_buf_borrow(&conn->http.out, conn->http.pool);
        if (conn->tls && !conn->http.closing)
            taken = cn_conn_feed_tls(conn, at, len);
        else if (len && !conn->heard && !conn->http.is_server && at[0] == CN_CONN_TLS_ALERT)
            taken = cn_conn_refuse_tls(conn, len);
        else
            taken = cn_conn_deliver(conn, at, len);
        if (taken) {
            conn->heard = true;
            conn->heard_ms = conn->http.now_ms;
            conn->pinged_ms = -1;
        }
    }
    due = cn_conn_tick(conn);
    conn->output_due = conn->output_due || len || woken || due;
    if (conn->dead) taken = len;
    cn_conn_leave(conn);
    return taken;
}

/* The bytes ended, and TLS did not. */
static void cn_conn_tls_cut(connect_conn_t *conn) {
    char text[CN_CONN_FAILURE_TEXT];
    snprintf(text, sizeof text,
        conn->tls->is_open ? "the connection to %s was cut: it ended without close_notify (TLS)"
                           : "%s closed the connection during the TLS handshake",
        conn->peer);
    cn_conn_set_failure(conn, 0, text);
    conn->dead = true;
}

CN_PRIVATE void cn_conn_eof(connect_conn_t *conn, int64_t now_ms) {
    cn_conn_enter(conn, now_ms);
    if (conn->tls && !conn->tls->is_closed) cn_conn_tls_cut(conn);
    if (conn->http.version && (!conn->dead || conn->tls))
        conn->http.version->eof(&conn->http);
    else
        conn->dead = true;
    cn_conn_leave(conn);
}

/* ---- Bytes out ---- */

/* What the transport writes. */
static cn_buf_t *cn_conn_wire(connect_conn_t *conn) {
    return conn->tls ? &conn->tls->out : &conn->http.out;
}

/* Seals what there is, up to the buffer's limit, and says goodbye behind the last of it. */
static void cn_conn_seal(connect_conn_t *conn) {
    cn_http_t *http = &conn->http;
    cn_tls_t *tls = conn->tls;
    while (tls->is_open && cn_buf_len(&http->out) && cn_buf_len(&tls->out) <= http->limits->connection_buffer) {
        size_t sealed = cn_tls_seal(tls, cn_buf_view(&http->out));
        cn_buf_drop(&http->out, sealed);
        if (!sealed) break;
    }
    if (cn_buf_len(&http->out) == 0) {
        if (http->closing) cn_tls_close(tls);
        if (conn->owner) cn_buf_give_back(&http->out, conn->http.pool, http->allocator);
    }
    if (tls->has_no_memory) {
        cn_conn_set_failure(conn, ENOMEM, "out of memory");
        cn_conn_kill(conn);
    }
}

connect_str_t connect_conn_output(connect_conn_t *conn) {
    cn_http_t *http = &conn->http;
    connect_str_t view = {"", 0};
    bool gone = false, *outer_gone = conn->gone, is_all = !http->version;
    if (conn->dead || conn->opened_ms < 0) return view; /* without the time nothing can begin, not even a clock */
    if (conn->depth) { /* out of an event: there is more when that has ended */
        conn->output_due = true;
        return view;
    }
    conn->gone = &gone;
    cn_conn_enter(conn, -1);
    if (http->exchange_count) conn->idle_since_ms = -1;
    if (http->version && (!conn->tls || cn_buf_len(&conn->tls->out) <= http->limits->connection_buffer)) {
        cn_buf_borrow(&http->out, conn->http.pool);
        http->version->pull(http);
        is_all = cn_buf_len(&http->out) <= http->limits->connection_buffer / 2; /* else it may have stopped there */
    }
    if (conn->tls) {
        cn_buf_borrow(&conn->tls->out, conn->http.pool);
        cn_conn_seal(conn);
    }
    if (http->exchange_count == 0 && conn->idle_since_ms < 0) conn->idle_since_ms = http->now_ms;
    conn->output_due = !is_all;
    if (conn->stall_check_ms == INT64_MAX && http->exchange_count)
        conn->stall_check_ms = cn_conn_look_for_stalls(http, true);
    cn_conn_leave(conn); /* what runs there may add output, and move it */
    if (gone) {
        if (outer_gone) *outer_gone = true;
        return CN_STR("");
    }
    conn->gone = outer_gone;
    if (conn->dead) return CN_STR("");
    view = cn_buf_view(cn_conn_wire(conn));
    if (view.len == 0) {
        if (conn->owner) cn_buf_give_back(cn_conn_wire(conn), conn->http.pool, http->allocator);
        conn->stalled_since_ms = -1;
    } else if (conn->stalled_since_ms < 0) {
        conn->stalled_since_ms = http->now_ms;
    }
    return view;
}

void connect_conn_sent(connect_conn_t *conn, size_t len) {
    cn_http_t *http = &conn->http;
    cn_buf_t *wire = cn_conn_wire(conn);
    cn_buf_drop(wire, len);
    http->written += len;
    if (len) conn->stalled_since_ms = cn_buf_len(wire) ? http->now_ms : -1;
    if (cn_buf_len(wire) == 0 && conn->owner) cn_buf_give_back(wire, conn->http.pool, http->allocator);
}

unsigned connect_conn_wants(const connect_conn_t *conn) {
    const cn_http_t *http = &conn->http;
    size_t waiting = cn_buf_len(&http->out) + (conn->tls ? cn_buf_len(&conn->tls->out) : 0);
    unsigned wants = 0;
    if (conn->dead || !conn->owner) return 0;
    if (waiting || conn->output_due || (conn->tls && http->closing && !conn->tls->is_closed))
        wants |= CONNECT_WANTS_WRITE;
    if (!http->closing) {
        if (http->woken) wants |= CONNECT_WANTS_WRITE;
        if (!http->read_blocked && !conn->handshake_ms && waiting / CN_CONN_BLOCKED <= http->limits->connection_buffer)
            wants |= CONNECT_WANTS_READ;
        if (!wants) wants = CONNECT_WANTS_WAKE;
    }
    return wants;
}

void connect_conn_on_output(connect_conn_t *conn, void (*output)(connect_conn_t *conn, void *user), void *user) {
    conn->output = output;
    conn->output_user = user;
}

/* ---- The end ---- */

void connect_conn_close(connect_conn_t *conn) {
    conn->dead = true;
    conn->http.stopped = true;
    if (conn->depth)
        conn->close_wanted = true;
    else
        cn_conn_free(conn);
}

CN_PRIVATE void cn_conn_set_transport(
    connect_conn_t *conn, void (*abandon)(connect_conn_t *conn, void *transport), void *transport) {
    conn->abandon = abandon;
    conn->transport = transport;
}

CN_PRIVATE void cn_conn_set_failure(connect_conn_t *conn, int os_error, const char *text) {
    size_t len = strlen(text);
    if (conn->http.failure) return;
    conn->os_error = os_error;
    len = CN_MIN(len, CN_CONN_FAILURE_TEXT - 1);
    conn->failure_block = (char *)cn_mem_acquire(conn->http.allocator, len + 1);
    if (conn->failure_block) memcpy(conn->failure_block, text, len);
    conn->http.failure = conn->failure_block ? conn->failure_block : "out of memory";
}

CN_PRIVATE void cn_conn_abort(connect_conn_t *conn) {
    if (conn->abandon) {
        conn->abandon(conn, conn->transport);
        return;
    }
    if (conn->gone) *conn->gone = true;
    conn->gone = NULL;
    conn->dead = true;
    conn->http.feeding = true;
    conn->depth++;
    if (conn->http.version) conn->http.version->free(&conn->http);
    conn->http.version = NULL;
    cn_buf_free(&conn->http.out, conn->http.allocator);
    conn->events->on_lost(conn);
    cn_list_remove(&conn->node);
    conn->owner = NULL;
    conn->depth--;
    if (conn->close_wanted && !conn->depth)
        cn_conn_free(conn);
    else if (conn->output)
        conn->output(conn, conn->output_user); /* it may wait for something else */
}

CN_PRIVATE connect_str_t cn_conn_farewell(connect_conn_t *conn) {
    if (!conn->tls || !conn->tls->is_open || conn->tls->is_closed) return CN_STR("");
    cn_tls_close(conn->tls);
    return cn_buf_view(&conn->tls->out);
}

CN_PRIVATE connect_str_t cn_conn_refusal(connect_str_t first) {
    static const char http1[] = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    static const char http2[] = "\0\0\0\4\0\0\0\0\0" /* SETTINGS */
                                "\0\0\x08\7\0\0\0\0\0"
                                "\0\0\0\0"
                                "\0\0\0\0"; /* GOAWAY: no stream is served */
    size_t seen = CN_MIN(first.len, CN_REFUSAL_FIRST);
    if (memcmp(first.data, cn_conn_preface, seen) != 0) return cn_str(http1, sizeof http1 - 1);
    return seen < CN_REFUSAL_FIRST ? cn_str(NULL, 0) : cn_str(http2, sizeof http2 - 1);
}

CN_PRIVATE void cn_conn_drain(connect_conn_t *conn, uint32_t grace_ms) {
    if (!conn->grace_ms || grace_ms < conn->grace_ms) conn->grace_ms = grace_ms;
    if (conn->http.version && !conn->dead)
        conn->http.version->drain(&conn->http);
    else
        conn->http.closing = true;
    cn_http_wake(&conn->http);
}

CN_PRIVATE void cn_conn_set_owner_due(connect_conn_t *conn, int64_t due_ms) {
    bool earlier = due_ms < conn->owner_due_ms;
    conn->owner_due_ms = due_ms;
    if (earlier) cn_http_wake(&conn->http);
}
#endif
