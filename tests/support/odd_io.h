/* Sockets at their worst, for what is compiled after this: each read and write moves few bytes, of odd numbers; now and
   then it says EAGAIN though there was something, or is interrupted; waits end early, or tell of what is not there. All
   of that is legal. The numbers repeat from run to run.
   Include before connect.h, with the feature-test macros set: -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE. */
#ifndef CONNECT_TESTS_ODD_IO_H
#define CONNECT_TESTS_ODD_IO_H
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define ODD_FDS 4096
typedef struct odd_watch { /* what is registered for reading, and where */
    int poller;
    epoll_data_t data;
} odd_watch;
static struct odd_io {
    uint32_t seed;
    size_t reads, writes, again, interrupted, spurious;
    odd_watch watched[ODD_FDS]; /* poller 0: not */
} odd_io;

static uint32_t odd_number(uint32_t below) {
    odd_io.seed = odd_io.seed * 1664525u + 1013904223u;
    return (odd_io.seed >> 8) % below;
}
/* Returns how many bytes of `size` go; 0: none, with errno. */
static size_t odd_size(size_t size) {
    static const uint32_t most[] = {3, 7, 13, 31, 61, 509, 4093, 20011};
    uint32_t what = odd_number(16);
    size_t piece;
    if (what < 2) {
        errno = what ? EAGAIN : EINTR;
        odd_io.again += what;
        odd_io.interrupted += 1 - what;
        return 0;
    }
    piece = 1 + odd_number(most[what % 8]);
    return piece < size ? piece : size;
}

static ssize_t odd_recv(int fd, void *to, size_t size, int flags) {
    size_t piece = odd_size(size);
    odd_io.reads++;
    return piece ? recv(fd, to, piece, flags) : -1;
}
static ssize_t odd_send(int fd, const void *from, size_t size, int flags) {
    size_t piece = odd_size(size);
    odd_io.writes++;
    return piece ? send(fd, from, piece, flags) : -1;
}
static int odd_accept(int fd, struct sockaddr *address, socklen_t *len) {
    static const int errors[] = {EAGAIN, EINTR, ECONNABORTED};
    uint32_t what = odd_number(9);
    if (what >= 3) return accept(fd, address, len);
    errno = errors[what];
    return -1;
}

static int odd_epoll_ctl(int poller, int op, int fd, struct epoll_event *event) {
    int status = epoll_ctl(poller, op, fd, event);
    if (status == 0 && fd < ODD_FDS) {
        memset(&odd_io.watched[fd], 0, sizeof odd_io.watched[fd]);
        if (op != EPOLL_CTL_DEL && (event->events & EPOLLIN)) {
            odd_io.watched[fd].poller = poller;
            odd_io.watched[fd].data = event->data;
        }
    }
    return status;
}
/* Adds that one of those is readable, be it so or not. */
static int odd_invent(int poller, struct epoll_event *events, int count, int capacity) {
    uint32_t fd = odd_number(64);
    int i;
    if (count == capacity || odd_io.watched[fd].poller != poller) return count;
    for (i = 0; i < count; i++)
        if (events[i].data.ptr == odd_io.watched[fd].data.ptr) return count;
    events[count].events = EPOLLIN;
    events[count].data = odd_io.watched[fd].data;
    odd_io.spurious++;
    return count + 1;
}
static int odd_epoll_wait(int poller, struct epoll_event *events, int capacity, int timeout_ms) {
    uint32_t what = odd_number(16);
    int count;
    if (what == 0) {
        errno = EINTR;
        return -1;
    }
    count = epoll_wait(poller, events, capacity, what == 1 ? 0 : timeout_ms);
    if (count < 0) return count;
    return what < 8 ? odd_invent(poller, events, count, capacity) : count;
}

#define recv odd_recv
#define send odd_send
#define accept odd_accept
#define epoll_ctl odd_epoll_ctl
#define epoll_wait odd_epoll_wait
#endif
