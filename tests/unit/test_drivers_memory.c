/* The list of test_drivers.c in a build without sockets: in memory, and without any I/O. */
#define CONNECT_ENABLE_SOCKETS 0
#include "test_drivers.c"
