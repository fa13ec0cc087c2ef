/* PEM, DER and files: what is read, and what is said of what cannot be. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"

#define CERTIFICATES "build/certificates/"
/* 30 06 02 01 05 02 01 07, as a key is no certificate */
#define KEY "-----BEGIN PRIVATE KEY-----\nMAYCAQUC\nAQc=\n-----END PRIVATE KEY-----\n"

static void refused(connect_str_t source, cn_pem_kind_t kind, connect_code_t code, const char *message) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_str_t der;
    connect_error_t error;
    assert_false(cn_pem_read(source, kind, "option", &arena, &der, &error));
    assert_str(error.message, message);
    assert_int_equal(error.code, code);
    connect_arena_free(&arena);
}

static void test_keys(void **state) {
    static const char *const good[] = {KEY, "text before\n" KEY "text behind",
        "-----BEGIN EC PARAMETERS-----\nBggq\n"
        "-----END EC PARAMETERS-----\n" KEY,
        "-----BEGIN PRIVATE KEY-----\r\nMAYCAQUCAQc=\r\n-----END PRIVATE KEY-----\r\n",
        "-----BEGIN PRIVATE KEY-----\nM\nAYC AQ UC\n AQc=\n-----END PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\nMAYCAQUCAQc=\n-----END RSA PRIVATE KEY-----\n",
        KEY "-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n" /* only the first counts */};
    size_t i;
    (void)state;
    for (i = 0; i < sizeof good / sizeof *good; i++) {
        connect_arena_t arena = CONNECT_DEFAULTS;
        guarded g = guarded_copy(good[i], strlen(good[i]), 0);
        connect_str_t der;
        connect_error_t error;
        bool ok = cn_pem_read((connect_str_t){g.data, g.len}, CN_PEM_KEY, "option", &arena, &der, &error);
        if (i == 4) { /* a space inside a line is no base64 */
            assert_false(ok);
            assert_str(error.message, "option, line 3: this is no base64");
        } else {
            if (!ok) fail_msg("%zu: %s", i, error.message.data);
            assert_int_equal(der.len, 8);
            assert_memory_equal(der.data, "\x30\6\2\1\5\2\1\7", 8);
        }
        guarded_free(&g);
        connect_arena_free(&arena);
    }
}

static void test_refused(void **state) {
    static const struct {
        const char *text, *message;
    } rows[] = {{"\n-----BEGIN PRIVATE KEY-----\nMAYCAQ!CAQc=\n-----END PRIVATE KEY-----\n",
                    "option, line 3: this is no base64"},
        {"-----BEGIN PRIVATE KEY-----\nMAYCAQUCAQc=\n", "option, line 1: this BEGIN has no END"},
        {"-----BEGIN PRIVATE KEY-----\nMAYCAQUCAQc=\n-----END CERTIFICATE-----\n",
            "option, line 3: this END does not belong to the BEGIN"},
        {"-----BEGIN PRIVATE KEY-----\nMAYCAQUCAQ\n-----END PRIVATE KEY-----\n",
            "option, line 3: the base64 is cut short"},
        {"-----BEGIN PRIVATE KEY-----\nMAYCAQUCAQc=\nMAYC\n-----END PRIVATE KEY-----\n",
            "option, line 3: base64 goes on after its end"},
        {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "option, line 1: this block is no DER"},
        {"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", "option, line 1: this block is no DER"},
        {"-----BEGIN CERTIFICATE-----\nMAYCAQUCAQc=\n-----END CERTIFICATE-----\n",
            "option: there is no private key in it"},
        {"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAYCAQUCAQc=\n-----END ENCRYPTED PRIVATE KEY-----\n",
            "option, line 1: the key is encrypted; decrypt it: openssl pkey -in KEY -out PLAIN"}};
    size_t i;
    (void)state;
    for (i = 0; i < sizeof rows / sizeof *rows; i++)
        refused(connect_str_of(rows[i].text), CN_PEM_KEY, CONNECT_INVALID_ARGUMENT, rows[i].message);
    refused(connect_str_of(KEY), CN_PEM_CHAIN, CONNECT_INVALID_ARGUMENT, "option: there is no certificate in it");
    refused(connect_str_of("-----BEGIN CERTIFICATE-----\nMAYCAQUCAQc=\n-----END CERTIFICATE-----\n"), CN_PEM_CHAIN,
        CONNECT_INVALID_ARGUMENT, "option, line 1: this is no X.509 certificate");
    refused((connect_str_t){"\x30\6\2\1\5\2\1\7", 8}, CN_PEM_CHAIN, CONNECT_INVALID_ARGUMENT,
        "option: this is no X.509 certificate");
    refused((connect_str_t){"\x30\6\2\1\5\2\1\7\x30", 9}, CN_PEM_ANCHORS, CONNECT_INVALID_ARGUMENT,
        "option: the DER is cut short or broken");
    refused((connect_str_t){"\x30\6\2\1\5\2\1\0", 7}, CN_PEM_ANCHORS, CONNECT_NOT_FOUND,
        "option: cannot read 0\6\2\1\5\2\1: No such file or directory");
    refused((connect_str_t){"a\0b", 3}, CN_PEM_KEY, CONNECT_INVALID_ARGUMENT,
        "option: neither PEM text, nor DER, nor the path of a file");
    refused((connect_str_t){"", 0}, CN_PEM_KEY, CONNECT_INVALID_ARGUMENT,
        "option: neither PEM text, nor DER, nor the path of a file");
    refused(connect_str_of("0cert.pem"), CN_PEM_CHAIN, CONNECT_NOT_FOUND,
        "option: cannot read 0cert.pem: No such file or directory");
    refused(connect_str_of("/"), CN_PEM_CHAIN, CONNECT_INVALID_ARGUMENT, "option: cannot read /: Is a directory");
    refused(connect_str_of("/dev/null"), CN_PEM_CHAIN, CONNECT_INVALID_ARGUMENT,
        "option, /dev/null: the file has neither PEM text nor DER");
    refused(connect_str_of("/dev/zero"), CN_PEM_CHAIN, CONNECT_INVALID_ARGUMENT,
        "option: cannot read /dev/zero: more than 8 MiB");
    refused(connect_str_of("system"), CN_PEM_CHAIN, CONNECT_NOT_FOUND,
        "option: cannot read system: No such file or directory");
}

/* Every prefix of a file of certificates: whole ones, or a refusal that names a line. */
static void test_cut(void **state) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    char text[8192];
    size_t len, i;
    FILE *in = fopen(CERTIFICATES "deep-chain.pem", "rb");
    (void)state;
    assert_non_null(in);
    len = fread(text, 1, sizeof text, in);
    fclose(in);
    assert_true(len > 500 && len < sizeof text);
    for (i = 30; i <= len; i++) {
        guarded g = guarded_copy(text, i, 0);
        connect_str_t der = {NULL, 0};
        connect_error_t error;
        bool ok = cn_pem_read((connect_str_t){g.data, g.len}, CN_PEM_CHAIN, "option", &arena, &der, &error);
        if (ok) {
            cn_x509_t cert;
            assert_true(cn_x509_parse(&cert, cn_x509_element(der)));
        } else {
            assert_int_equal(error.code, CONNECT_INVALID_ARGUMENT);
            assert_non_null(strstr(error.message.data, "option, line "));
        }
        if (i == len) assert_true(ok);
        guarded_free(&g);
        connect_arena_reset(&arena);
    }
    connect_arena_free(&arena);
}

static bool run_with(const connect_allocator_t *allocator, void *arg) {
    connect_arena_t arena;
    connect_str_t der;
    connect_error_t error;
    bool ok;
    connect_arena_init(&arena, NULL, 0, allocator);
    ok = cn_pem_read(connect_str_of((const char *)arg), CN_PEM_ANCHORS, "option", &arena, &der, &error);
    if (!ok) assert_int_equal(error.code, CONNECT_RESOURCE_EXHAUSTED);
    connect_arena_free(&arena);
    return ok;
}

static void test_memory(void **state) {
    char path[] = CERTIFICATES "bundle.pem";
    (void)state;
    sweep_allocations(run_with, path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
