/* The list of test_tls.c, with OpenSSL at both ends, and at one of them. */
#define CONNECT_OPENSSL_IMPLEMENTATION
#define TLS_WITH_OPENSSL
#include "test_tls.c"
