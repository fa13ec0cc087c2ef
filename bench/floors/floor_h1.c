/* The limit for HTTP/1.1: answers whatever comes with the same 66 bytes. One read and one write per request, no parsing. */
#include "floor.h"

static const char answer[] = "HTTP/1.1 200 OK\r\ncontent-type: application/proto\r\ncontent-length: 66\r\n\r\n"
                             "\x0a\x40"
                             "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

int main(void) {
    struct epoll_event event, events[64];
    char buffer[65536];
    int listener = floor_listen();
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    memset(&event, 0, sizeof event);
    event.events = EPOLLIN;
    event.data.fd = listener;
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    while (!floor_over) {
        int i, count = floor_wait(epoll, events, 64);
        for (i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                event.data.fd = floor_accept(listener);
                if (event.data.fd >= 0) epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event);
            } else if (read(fd, buffer, sizeof buffer) <= 0 ||
                write(fd, answer, sizeof answer - 1) != (ssize_t)(sizeof answer - 1)) {
                close(fd);
            }
        }
    }
    return 0;
}
