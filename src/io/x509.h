#pragma once
#include "base/sys.h"

typedef struct cn_x509_t {         /* what is read out of a certificate; views into its DER */
    connect_str_t issuer, subject; /* encoded names */
    int64_t not_before, not_after; /* Unix time, both included */
    connect_str_t spki;            /* SubjectPublicKeyInfo, whole: what pins are made of */
    connect_str_t signature_oid;
    uint32_t rsa_bits;             /* 0: no RSA key */
    connect_str_t alt_names;       /* the content of subjectAltName; absent: none */
    connect_str_t extended_usages; /* the content of extKeyUsage; absent: any */
    bool is_ca;
} cn_x509_t;
typedef enum cn_x509_usage_t { CN_X509_SERVER_AUTH = 1, CN_X509_CLIENT_AUTH = 2 } cn_x509_usage_t;

#if CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER
/* Returns the first DER element of these bytes, whole; absent: it is not all there, or is no DER. */
CN_PRIVATE connect_str_t cn_x509_element(connect_str_t bytes);
/* Reads one certificate. Returns false: it is none. */
CN_PRIVATE bool cn_x509_parse(cn_x509_t *cert, connect_str_t der);
/* Tells whether the certificate is made for this use. */
CN_PRIVATE bool cn_x509_allows(const cn_x509_t *cert, cn_x509_usage_t usage);
/* Reads "10.0.0.7", "::1" or "[::1]" to 4 or 16 bytes; 0: no address. */
CN_PRIVATE size_t cn_x509_address(const char *text, unsigned char address[16]);
/* Tells whether an address stands in the certificate. */
CN_PRIVATE bool cn_x509_has_address(const cn_x509_t *cert, const unsigned char *address, size_t len);
/* Tells whether a host name stands in the certificate; "*." stands for one label (RFC 6125 6.4). */
CN_PRIVATE bool cn_x509_has_host(const cn_x509_t *cert, connect_str_t host);
/* Lists the names: "DNS:gw.local", "IP:10.0.0.7", "URI:...", "email:...", "CN:gw". Returns false: out of memory. */
CN_PRIVATE bool cn_x509_names(const cn_x509_t *cert, connect_arena_t *arena, connect_str_list_t *names);
/* An encoded name as text, the most special part first: "CN=gw, O=Acme". Absent: out of memory. */
CN_PRIVATE connect_str_t cn_x509_name_text(connect_str_t name, connect_arena_t *arena);
/* The common name alone, or the whole name if it has none. Absent: out of memory. */
CN_PRIVATE connect_str_t cn_x509_common_name(connect_str_t name, connect_arena_t *arena);
/* "2026-03-01". text: 16 bytes. */
CN_PRIVATE const char *cn_x509_date(char *text, int64_t unix_seconds);
#endif
