/* A relay between a client and a server, in a thread of its own, that does to the bytes what a bad network does.
   Include after connect.h's implementation. */
#ifndef CONNECT_TESTS_RELAY_H
#define CONNECT_TESTS_RELAY_H
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef enum relay_fault_t {
    RELAY_NONE,
    RELAY_FIN,    /* both ends are closed */
    RELAY_RST,    /* both ends are reset */
    RELAY_HALF,   /* this direction ends, the other goes on */
    RELAY_FREEZE, /* nothing moves any more, nothing is closed */
    RELAY_PAUSE   /* nothing moves for pause_ms */
} relay_fault_t;

typedef struct relay_script_t { /* of one direction; a connection takes its scripts as it is accepted */
    relay_fault_t fault;
    size_t after; /* bytes that still pass; the fault comes with the next one, or at once if there is none to come */
    int pause_ms;
} relay_script_t;

enum { RELAY_CONNECTIONS = 64 };

typedef struct relay_pipe_t {
    int from, to;
    relay_script_t script;
    size_t passed;
    bool is_ended, is_frozen;
    int64_t paused_until;
} relay_pipe_t;

typedef struct relay_connection_t {
    int client, server;
    relay_pipe_t up, down; /* to the server, to the client */
    bool is_open;
} relay_connection_t;

typedef struct relay_t {
    pthread_t thread;
    pthread_mutex_t mutex; /* of what follows */
    int listener, wake[2];
    int port, backend; /* ports of 127.0.0.1 */
    relay_script_t up, down;
    size_t (*next)(void *user); /* NULL: each gets up and down; else: how many bytes come down before a reset */
    void *user;
    size_t passed_down; /* bytes, of the connection accepted last */
    bool stop;
    relay_connection_t connections[RELAY_CONNECTIONS];
} relay_t;

static int64_t relay_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct sockaddr_in relay_address(int port) {
    struct sockaddr_in address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)port);
    return address;
}

static void relay_close(relay_connection_t *c, bool reset) {
    struct linger linger = {1, 0};
    if (reset) {
        setsockopt(c->client, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        setsockopt(c->server, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    }
    close(c->client);
    close(c->server);
    c->is_open = false;
}

static void relay_accept(relay_t *r) {
    relay_connection_t *c = NULL;
    struct sockaddr_in backend = relay_address(r->backend);
    int one = 1, client = accept(r->listener, NULL, NULL), i;
    if (client < 0) return;
    for (i = 0; i < RELAY_CONNECTIONS && !c; i++)
        if (!r->connections[i].is_open) c = &r->connections[i];
    if (!c) {
        close(client);
        return;
    }
    memset(c, 0, sizeof *c);
    c->client = client;
    c->server = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(c->client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(c->server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->is_open = true;
    c->up.from = c->down.to = c->client;
    c->up.to = c->down.from = c->server;
    c->up.script = r->up;
    c->down.script = r->down;
    if (r->next) {
        c->down.script.fault = RELAY_RST;
        c->down.script.after = r->next(r->user);
    }
    r->passed_down = 0;
    if (connect(c->server, (struct sockaddr *)&backend, sizeof backend) != 0) relay_close(c, false);
}

static bool relay_write(int to, const char *bytes, size_t len) {
    while (len > 0) {
        ssize_t n = send(to, bytes, len, MSG_NOSIGNAL);
        if (n < 0) return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

/* The bytes of the script have passed. Returns false: the connection is gone. */
static bool relay_strike(relay_connection_t *c, relay_pipe_t *p) {
    relay_fault_t fault = p->script.fault;
    switch (fault) {
    case RELAY_FIN:
    case RELAY_RST: relay_close(c, fault == RELAY_RST); return false;
    case RELAY_HALF:
        shutdown(p->to, SHUT_WR);
        p->is_ended = true;
        return true;
    case RELAY_FREEZE: c->up.is_frozen = c->down.is_frozen = true; return true;
    case RELAY_PAUSE: p->paused_until = relay_now_ms() + p->script.pause_ms; break;
    case RELAY_NONE: break;
    }
    p->script.fault = RELAY_NONE;
    return true;
}

/* Returns false: the connection is gone. */
static bool relay_move(relay_t *r, relay_connection_t *c, relay_pipe_t *p) {
    char bytes[16384];
    size_t room = sizeof bytes;
    ssize_t n;
    if (p->script.fault != RELAY_NONE && p->script.after - p->passed < room) room = p->script.after - p->passed;
    if (room == 0) return relay_strike(c, p);
    n = recv(p->from, bytes, room, 0);
    if (n < 0) {
        relay_close(c, true);
        return false;
    }
    if (n == 0) {
        shutdown(p->to, SHUT_WR);
        p->is_ended = true;
        if (!c->up.is_ended || !c->down.is_ended) return true;
        relay_close(c, false);
        return false;
    }
    if (!relay_write(p->to, bytes, (size_t)n)) {
        relay_close(c, true);
        return false;
    }
    p->passed += (size_t)n;
    if (p == &c->down) r->passed_down = p->passed;
    if (p->script.fault != RELAY_NONE && p->passed == p->script.after) return relay_strike(c, p);
    return true;
}

static bool relay_wants(const relay_pipe_t *p, int64_t now) {
    return !p->is_ended && !p->is_frozen && p->paused_until <= now;
}

static void *relay_run(void *arg) {
    relay_t *r = (relay_t *)arg;
    struct pollfd fds[2 + 2 * RELAY_CONNECTIONS];
    relay_connection_t *who[2 + 2 * RELAY_CONNECTIONS];
    pthread_mutex_lock(&r->mutex);
    while (!r->stop) {
        int64_t now = relay_now_ms();
        nfds_t n = 2, i;
        bool pauses = false;
        fds[0].fd = r->listener;
        fds[1].fd = r->wake[0];
        fds[0].events = fds[1].events = POLLIN;
        for (i = 0; i < RELAY_CONNECTIONS; i++) {
            relay_connection_t *c = &r->connections[i];
            if (!c->is_open) continue;
            pauses |= c->up.paused_until > now || c->down.paused_until > now;
            who[n] = who[n + 1] = c;
            fds[n].fd = relay_wants(&c->up, now) ? c->client : -1;
            fds[n + 1].fd = relay_wants(&c->down, now) ? c->server : -1;
            fds[n].events = fds[n + 1].events = POLLIN;
            n += 2;
        }
        pthread_mutex_unlock(&r->mutex);
        poll(fds, n, pauses ? 1 : -1);
        pthread_mutex_lock(&r->mutex);
        if (fds[1].revents) {
            char drop[16];
            (void)!read(r->wake[0], drop, sizeof drop);
        }
        for (i = 2; i < n; i += 2) {
            relay_connection_t *c = who[i];
            if (c->is_open && fds[i].fd >= 0 && fds[i].revents && !relay_move(r, c, &c->up)) continue;
            if (c->is_open && fds[i + 1].fd >= 0 && fds[i + 1].revents) relay_move(r, c, &c->down);
        }
        if (fds[0].revents) relay_accept(r);
    }
    pthread_mutex_unlock(&r->mutex);
    return NULL;
}

static bool relay_start(relay_t *r, int backend) {
    struct sockaddr_in address = relay_address(0);
    socklen_t len = sizeof address;
    memset(r, 0, sizeof *r);
    r->backend = backend;
    r->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (pipe(r->wake) != 0 || bind(r->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(r->listener, 64) != 0 || getsockname(r->listener, (struct sockaddr *)&address, &len) != 0)
        return false;
    r->port = ntohs(address.sin_port);
    return pthread_mutex_init(&r->mutex, NULL) == 0 && pthread_create(&r->thread, NULL, relay_run, r) == 0;
}

/* Sets what the connections get that are accepted from now on. */
static void relay_set(relay_t *r, relay_script_t up, relay_script_t down) {
    pthread_mutex_lock(&r->mutex);
    r->up = up;
    r->down = down;
    pthread_mutex_unlock(&r->mutex);
}

static size_t relay_passed_down(relay_t *r) {
    size_t passed;
    pthread_mutex_lock(&r->mutex);
    passed = r->passed_down;
    pthread_mutex_unlock(&r->mutex);
    return passed;
}

static void relay_stop(relay_t *r) {
    size_t i;
    pthread_mutex_lock(&r->mutex);
    r->stop = true;
    pthread_mutex_unlock(&r->mutex);
    (void)!write(r->wake[1], "", 1);
    pthread_join(r->thread, NULL);
    for (i = 0; i < RELAY_CONNECTIONS; i++)
        if (r->connections[i].is_open) relay_close(&r->connections[i], false);
    close(r->listener);
    close(r->wake[0]);
    close(r->wake[1]);
    pthread_mutex_destroy(&r->mutex);
}
#endif
