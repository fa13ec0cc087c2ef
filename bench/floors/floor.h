/* What both floors share: a listener on a free loopback port, an epoll set, an end by SIGTERM. */
#ifndef CONNECT_BENCH_FLOOR_H
#define CONNECT_BENCH_FLOOR_H
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static volatile sig_atomic_t floor_over;
static void floor_stop(int signal_number) {
    (void)signal_number;
    floor_over = 1;
}

/* Listens, says where, and returns the listener, non-blocking; exits if it cannot. */
static int floor_listen(void) {
    struct sockaddr_in address;
    struct sigaction action;
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    memset(&action, 0, sizeof action);
    action.sa_handler = floor_stop;
    sigaction(SIGTERM, &action, NULL);
    sigemptyset(&action.sa_mask); /* SIGTERM comes only while epoll waits, so that it is never missed */
    sigaddset(&action.sa_mask, SIGTERM);
    sigprocmask(SIG_BLOCK, &action.sa_mask, NULL);
    signal(SIGPIPE, SIG_IGN);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 1024) ||
        getsockname(fd, (struct sockaddr *)&address, &len)) {
        perror("listen");
        exit(1);
    }
    printf("listens on 127.0.0.1:%d\n", (int)ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static int floor_wait(int epoll, struct epoll_event *events, int room) {
    sigset_t none;
    sigemptyset(&none);
    return epoll_pwait(epoll, events, room, -1, &none);
}

static int floor_accept(int listener) {
    int one = 1;
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}
#endif
