/* The list of test_drivers.c, with loops that wait by kqueue(2) as tests/support/sys/event.h makes it of epoll. */
#define CN_POLLER_KQUEUE 1
#include "test_drivers.c"
