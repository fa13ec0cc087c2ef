/* The list of test_drivers.c, with loops that wait by kqueue(2) as tests/support/sys/event.h makes it of epoll. */
#define _POSIX_C_SOURCE 200809L
#define _DEFAULT_SOURCE 1
#define CN_POLLER_KQUEUE 1
#include <sys/event.h> /* first: it has a close of its own */
#include "test_drivers.c"
