#include "loop/loop.h"
#include "base/error.h"
#include "base/mem.h"
#include "loop/carrier.h"
#include "loop/core.h"
#include "loop/socket.h"

#if CONNECT_ENABLE_SOCKETS
/* Listeners: sockets that connections come from. A turn accepts at most CN_ACCEPT_BATCH of each, so that a flood of
   connections does not keep the others waiting. When descriptors or memory run out the listener pauses: else the poller
   would report the same connection without end (limits: accept batch 16, back-off 100 ms). */

#define CN_ACCEPT_BATCH 16
#define CN_ACCEPT_PAUSE_MS 100

struct cn_listener_t {
    cn_source_t source;
    connect_loop_t *loop;
    cn_listening_t listening;
    bool is_clear; /* not TLS */
    connect_conn_t *(*on_accept)(void *user, const char *peer);
    void *user;
    connect_task_t pause;
};

static void cn_listener_resume(void *arg) {
    cn_listener_t *listener = (cn_listener_t *)arg;
    connect_loop_t *loop = listener->loop;
    if (!cn_source_watch(loop, &listener->source, CN_POLL_KNOWN | CN_POLL_READ))
        cn_task_arm(loop, &listener->pause, loop->now_ms + CN_ACCEPT_PAUSE_MS, cn_listener_resume, listener);
}

/* No descriptor or memory is left for another connection: without a pause the poller would report it without end. */
static void cn_listener_pause(cn_listener_t *listener) {
    connect_loop_t *loop = listener->loop;
    cn_source_watch(loop, &listener->source, CN_POLL_KNOWN);
    cn_task_arm(loop, &listener->pause, loop->now_ms + CN_ACCEPT_PAUSE_MS, cn_listener_resume, listener);
}

/* Returns false: no more for now. */
static bool cn_listener_accept(cn_listener_t *listener) {
    connect_loop_t *loop = listener->loop;
    char peer[CN_PEER_TEXT];
    int fd = cn_socket_accept(listener->source.fd, peer);
    if (fd < 0) {
        if (cn_socket_would_block(errno)) return false;
        if (errno == EINTR || errno == ECONNABORTED) return true;
        cn_listener_pause(listener);
        return false;
    }
    cn_carrier_accept(loop, fd, peer, listener->is_clear, listener->on_accept, listener->user);
    return listener->source.fd >= 0;
}

static void cn_listener_ready(cn_source_t *source, unsigned ready) {
    cn_listener_t *listener = (cn_listener_t *)(void *)source;
    int count;
    (void)ready;
    for (count = 0; count < CN_ACCEPT_BATCH && cn_listener_accept(listener); count++) {}
}

static void cn_loop_tell_failure(connect_loop_t *loop, const cn_failure_t *failure, connect_error_t *error) {
    loop->failure = *failure;
    cn_error_set(error, failure->code, loop->failure.text);
    if (error) error->os_error = failure->os_error;
}

static void cn_listener_close(cn_source_t *source) {
    cn_loop_unlisten((cn_listener_t *)(void *)source);
}

CN_PRIVATE cn_listener_t *cn_loop_listen(connect_loop_t *loop, const char *address,
    const connect_listen_options_t *options, connect_conn_t *(*on_accept)(void *user, const char *peer), void *user,
    int *port, connect_error_t *error) {
    cn_listener_t *listener;
    cn_address_t parsed;
    cn_failure_t failure;
    if (!cn_address_parse(&parsed, address, &failure)) {
        cn_loop_tell_failure(loop, &failure, error);
        return NULL;
    }
    listener = (cn_listener_t *)cn_mem_acquire(loop->allocator, sizeof *listener);
    if (!listener) {
        cn_error_memory(error);
        return NULL;
    }
    listener->loop = loop;
    listener->is_clear = !options || !options->tls;
    listener->on_accept = on_accept;
    listener->user = user;
    listener->source.ready = cn_listener_ready;
    listener->source.close = cn_listener_close;
    if (!cn_socket_listen(&listener->listening, &parsed, options, &failure)) {
        cn_mem_release(loop->allocator, listener);
        cn_loop_tell_failure(loop, &failure, error);
        return NULL;
    }
    listener->source.fd = listener->listening.fd;
    if (!cn_source_watch(loop, &listener->source, CN_POLL_KNOWN | CN_POLL_READ)) {
        cn_failure_system(&failure, "cannot listen on", address, errno);
        cn_socket_unlisten(&listener->listening);
        cn_mem_release(loop->allocator, listener);
        cn_loop_tell_failure(loop, &failure, error);
        return NULL;
    }
    cn_list_append(&loop->sources, &listener->source.node);
    if (port) *port = listener->listening.port;
    return listener;
}

CN_PRIVATE void cn_loop_unlisten(cn_listener_t *listener) {
    connect_loop_t *loop = listener->loop;
    cn_task_disarm(loop, &listener->pause);
    cn_source_forget(loop, &listener->source);
    cn_socket_unlisten(&listener->listening);
    cn_source_free(loop, &listener->source);
}

#endif
