/* kqueue(2) on Linux, as far as connect.h uses it: sockets and pipes, EVFILT_READ and EVFILT_WRITE. A kqueue is an
   epoll instance around three others: EVFILT_READ level-triggered, EVFILT_READ with EV_CLEAR, EVFILT_WRITE. As on the
   BSDs, a filter keeps EV_CLEAR, or the lack of it, when it is added again; EV_EOF of EVFILT_READ says that the peer
   sends no more, of EVFILT_WRITE that it takes no more; an error is in fflags and stays with the socket. Which errno it
   is, is not told: ECONNRESET stands for all. idents are not given back. */
#ifndef CONNECT_TESTS_KQUEUE_H
#define CONNECT_TESTS_KQUEUE_H
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { EVFILT_READ = -1, EVFILT_WRITE = -2 };
enum { EV_ADD = 0x1, EV_DELETE = 0x2, EV_CLEAR = 0x20, EV_EOF = 0x8000 };
struct kevent {
    uintptr_t ident;
    short filter;
    unsigned short flags;
    unsigned fflags;
    int64_t data;
    void *udata;
};
#define EV_SET(event, ident_, filter_, flags_, fflags_, data_, udata_) \
    ((event)->ident = (ident_), (event)->filter = (short)(filter_), (event)->flags = (unsigned short)(flags_), \
        (event)->fflags = (fflags_), (event)->data = (data_), (event)->udata = (udata_))

enum { KQUEUE_READ, KQUEUE_READ_CLEAR, KQUEUE_WRITE, KQUEUE_SETS };
typedef struct kqueue_emulation {
    int fd, sets[KQUEUE_SETS]; /* fd 0: free */
} kqueue_emulation;
static kqueue_emulation kqueue_emulations[64];
static size_t kqueue_waits, kqueue_failing_change; /* counted; the nth change from now fails: 1 the next, 0 none */

static kqueue_emulation *kqueue_find(int fd) {
    size_t i;
    for (i = 0; i < sizeof kqueue_emulations / sizeof *kqueue_emulations; i++)
        if (kqueue_emulations[i].fd == fd) return &kqueue_emulations[i];
    return NULL;
}

/* Stands in for close: closes the sets of a kqueue, too. */
static int kqueue_close(int fd) {
    kqueue_emulation *queue = fd > 0 ? kqueue_find(fd) : NULL;
    int i;
    for (i = 0; queue && i < KQUEUE_SETS; i++)
        if (queue->sets[i] > 0) close(queue->sets[i]);
    if (queue) memset(queue, 0, sizeof *queue);
    return close(fd);
}

static int kqueue(void) {
    kqueue_emulation *queue = kqueue_find(0);
    int i;
    if (!queue) {
        errno = ENOMEM;
        return -1;
    }
    queue->fd = epoll_create1(0);
    for (i = 0; queue->fd > 0 && i < KQUEUE_SETS; i++) {
        struct epoll_event event = {EPOLLIN, {NULL}};
        event.data.u32 = (uint32_t)i;
        queue->sets[i] = epoll_create1(EPOLL_CLOEXEC);
        if (queue->sets[i] > 0 && epoll_ctl(queue->fd, EPOLL_CTL_ADD, queue->sets[i], &event) == 0) continue;
        i = errno;
        kqueue_close(queue->fd);
        errno = i;
        return -1;
    }
    i = queue->fd;
    if (i <= 0) queue->fd = 0;
    return i;
}

static int kqueue_set_of(const kqueue_emulation *queue, const struct kevent *change, int op) {
    struct epoll_event event = {0, {NULL}};
    bool is_write = change->filter == EVFILT_WRITE;
    int set = is_write ? KQUEUE_WRITE : change->flags & EV_CLEAR ? KQUEUE_READ_CLEAR : KQUEUE_READ;
    event.events = is_write ? (uint32_t)EPOLLOUT : (uint32_t)(EPOLLIN | EPOLLRDHUP);
    if (change->flags & EV_CLEAR) event.events |= (uint32_t)EPOLLET;
    event.data.ptr = change->udata;
    return epoll_ctl(queue->sets[set], op, (int)change->ident, &event);
}

static int kqueue_change(const kqueue_emulation *queue, const struct kevent *change) {
    struct kevent other = *change;
    other.flags = (unsigned short)(other.flags ^ EV_CLEAR);
    if (kqueue_failing_change && --kqueue_failing_change == 0) {
        errno = ENOMEM;
        return -1;
    }
    if (change->flags & EV_DELETE) {
        if (kqueue_set_of(queue, change, EPOLL_CTL_DEL) == 0) return 0;
        return change->filter == EVFILT_READ ? kqueue_set_of(queue, &other, EPOLL_CTL_DEL) : -1;
    }
    if (kqueue_set_of(queue, change, EPOLL_CTL_MOD) == 0) return 0;
    if (change->filter == EVFILT_READ && kqueue_set_of(queue, &other, EPOLL_CTL_MOD) == 0) return 0;
    return kqueue_set_of(queue, change, EPOLL_CTL_ADD);
}

static int kqueue_take(const kqueue_emulation *queue, int set, struct kevent *to, int room) {
    struct epoll_event raw[64];
    int count = room > 0 ? epoll_wait(queue->sets[set], raw, room < 64 ? room : 64, 0) : 0, i;
    for (i = 0; i < count; i++) {
        uint32_t ends = set == KQUEUE_WRITE ? (uint32_t)EPOLLHUP : (uint32_t)(EPOLLRDHUP | EPOLLHUP);
        memset(&to[i], 0, sizeof to[i]);
        to[i].filter = set == KQUEUE_WRITE ? EVFILT_WRITE : EVFILT_READ;
        to[i].flags = set == KQUEUE_READ_CLEAR ? EV_CLEAR : 0;
        to[i].udata = raw[i].data.ptr;
        if (raw[i].events & (ends | EPOLLERR)) to[i].flags |= EV_EOF;
        if (raw[i].events & EPOLLERR) to[i].fflags = ECONNRESET;
    }
    return count > 0 ? count : 0;
}

static int kevent(int fd, const struct kevent *changes, int change_count, struct kevent *events, int capacity,
    const struct timespec *timeout_or_null) {
    const kqueue_emulation *queue = kqueue_find(fd);
    struct epoll_event raw[KQUEUE_SETS];
    int count = 0, ready, i;
    for (i = 0; i < change_count; i++)
        if (kqueue_change(queue, &changes[i]) != 0) return -1;
    if (capacity == 0) return 0;
    kqueue_waits++;
    ready = epoll_wait(fd, raw, KQUEUE_SETS,
        timeout_or_null ? (int)(timeout_or_null->tv_sec * 1000 + (timeout_or_null->tv_nsec + 999999) / 1000000) : -1);
    if (ready < 0) return -1;
    for (i = 0; i < ready; i++)
        count += kqueue_take(queue, (int)raw[i].data.u32, events + count, capacity - count);
    return count;
}

#define close kqueue_close
#endif
