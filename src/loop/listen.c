#include "base/error.h"
#include "base/mem.h"
#include "io/tls.h"
#include "loop/loop.h"
#include "server/server.h"

/* Where a server meets the loop: its listeners. They are stopped by a drain, and when the server is freed. */

#if CONNECT_ENABLE_SERVER && CONNECT_ENABLE_SOCKETS
typedef struct cn_listen_entry_t {
    struct cn_listen_entry_t *next;
    connect_server_t *server;
    connect_tls_t *tls; /* NULL: clear text */
    cn_listener_t *listener;
} cn_listen_entry_t;

static void cn_listen_free(cn_listen_entry_t *entry) {
    connect_tls_free(entry->tls);
    cn_mem_release(entry->server->allocator, entry);
}

static void cn_listen_stop(connect_server_t *server) {
    cn_listen_entry_t *entry;
    while ((entry = (cn_listen_entry_t *)server->listeners) != NULL) {
        server->listeners = entry->next;
        cn_loop_unlisten(entry->listener);
        cn_listen_free(entry);
    }
}

static connect_conn_t *cn_listen_on_accept(void *user, const char *peer) {
    const cn_listen_entry_t *entry = (const cn_listen_entry_t *)user;
    connect_listen_options_t options;
    memset(&options, 0, sizeof options);
    options.tls = entry->tls;
    return connect_server_accept(entry->server, peer, &options, NULL);
}

CN_PRIVATE bool cn_server_need_loop(connect_server_t *server, connect_error_t *error) {
    if (server->loop) return true;
    server->loop = connect_loop_new(server->allocator, error);
    server->owns_loop = server->loop != NULL;
    return server->owns_loop;
}

int connect_server_listen(
    connect_server_t *server, const char *address, const connect_listen_options_t *options, connect_error_t *error) {
    static const connect_listen_options_t defaults;
    cn_listen_entry_t *entry;
    int port = -1;
    if (server->draining) {
        cn_error_set(error, CONNECT_FAILED_PRECONDITION, "the server is draining");
        return -1;
    }
    if (!cn_server_need_loop(server, error)) return -1;
    entry = (cn_listen_entry_t *)cn_mem_acquire(server->allocator, sizeof *entry);
    if (!entry) {
        cn_error_memory(error);
        return -1;
    }
    if (!options) options = &defaults;
    entry->server = server;
    entry->tls = cn_tls_hold(options->tls);
    entry->listener = cn_loop_listen(server->loop, address, options, cn_listen_on_accept, entry, &port, error);
    if (!entry->listener) {
        cn_listen_free(entry);
        return -1;
    }
    entry->next = (cn_listen_entry_t *)server->listeners;
    server->listeners = entry;
    server->stop_listening = cn_listen_stop;
    return port;
}

/* A server that is freed in a callback stays until the run that the callback came out of has returned. */
static bool cn_listen_is_done(void *arg) {
    const connect_server_t *server = (const connect_server_t *)arg;
    return server->free_wanted || cn_server_is_done(server);
}

void connect_server_run(connect_server_t *server) {
    if (!cn_server_need_loop(server, NULL) || cn_loop_is_running(server->loop)) return;
    server->runs++;
    cn_loop_run_until(server->loop, cn_listen_is_done, server);
    if (--server->runs == 0 && server->free_wanted && !server->busy) connect_server_free(server);
}
#endif
