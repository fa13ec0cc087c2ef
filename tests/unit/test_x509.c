/* What we read out of certificates: every field, cut and changed at every byte, names and addresses by hand. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"

#define CERTIFICATES "build/certificates/"

static connect_str_t der_of(const char *name, connect_arena_t *arena) {
    connect_str_t der;
    connect_error_t error;
    char path[128];
    snprintf(path, sizeof path, CERTIFICATES "%s", name);
    if (!cn_pem_read(connect_str_of(path), CN_PEM_CHAIN, "test", arena, &der, &error))
        fail_msg("%s", error.message.data);
    return der;
}

static void test_fields(void **state) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_str_list_t names;
    char date[16], list[400] = "";
    cn_x509_t cert;
    size_t i;
    (void)state;
    assert_true(cn_x509_parse(&cert, der_of("expired.pem", &arena)));
    assert_string_equal(cn_x509_date(date, cert.not_before), "2026-01-01");
    assert_string_equal(cn_x509_date(date, cert.not_after), "2026-03-01");
    assert_int_equal(cert.not_before, 1767225600);
    assert_int_equal(cert.not_after, 1772366400);
    assert_str(cn_x509_name_text(cert.subject, &arena), "CN=expired");
    assert_str(cn_x509_name_text(cert.issuer, &arena), "O=Acme, CN=Test CA");
    assert_str(cn_x509_common_name(cert.issuer, &arena), "Test CA");
    assert_int_equal(cert.rsa_bits, 0);
    assert_false(cert.is_ca);
    assert_true(cn_x509_names(&cert, &arena, &names));
    for (i = 0; i < names.count; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s ", names.items[i].data);
    assert_string_equal(list, "DNS:localhost DNS:gw.local DNS:*.wild.example IP:127.0.0.1 IP:::1 CN:expired ");
    assert_true(cn_x509_parse(&cert, der_of("early.pem", &arena)));
    assert_string_equal(cn_x509_date(date, cert.not_before), "2097-01-01");
    assert_true(cn_x509_parse(&cert, der_of("server-rsa.pem", &arena)));
    assert_int_equal(cert.rsa_bits, 2048);
    assert_true(cn_x509_allows(&cert, CN_X509_SERVER_AUTH));
    assert_false(cn_x509_allows(&cert, CN_X509_CLIENT_AUTH));
    assert_true(cn_x509_parse(&cert, der_of("client.pem", &arena)));
    assert_true(cn_x509_allows(&cert, CN_X509_CLIENT_AUTH));
    assert_false(cn_x509_allows(&cert, CN_X509_SERVER_AUTH));
    assert_true(cn_x509_parse(&cert, der_of("any.pem", &arena)));
    assert_true(cn_x509_allows(&cert, CN_X509_CLIENT_AUTH) && cn_x509_allows(&cert, CN_X509_SERVER_AUTH));
    assert_true(cn_x509_parse(&cert, der_of("ca.pem", &arena)));
    assert_true(cert.is_ca);
    assert_true(cn_x509_parse(&cert, der_of("weak.pem", &arena)));
    assert_int_equal(cert.rsa_bits, 1024);
    connect_arena_free(&arena);
}

/* All that is done with a certificate, on bytes that end at a guard page. */
static bool read_all(const char *bytes, size_t len) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    guarded g = guarded_copy(bytes, len, 0);
    connect_str_t der = {g.data, g.len};
    connect_str_list_t names;
    unsigned char address[4] = {127, 0, 0, 1};
    cn_x509_t cert;
    bool ok = cn_x509_parse(&cert, der);
    if (ok) {
        cn_x509_allows(&cert, CN_X509_CLIENT_AUTH);
        cn_x509_has_address(&cert, address, 4);
        cn_x509_has_host(&cert, connect_str_of("gw.local"));
        assert_true(cn_x509_names(&cert, &arena, &names));
        assert_non_null(cn_x509_name_text(cert.subject, &arena).data);
        assert_non_null(cn_x509_common_name(cert.issuer, &arena).data);
    }
    connect_arena_free(&arena);
    guarded_free(&g);
    return ok;
}

static void test_cut_and_changed(void **state) {
    static const char *const names[] = {"server.pem", "server-rsa.pem", "ca.pem"};
    size_t n;
    (void)state;
    for (n = 0; n < sizeof names / sizeof *names; n++) {
        connect_arena_t arena = CONNECT_DEFAULTS;
        connect_str_t der = der_of(names[n], &arena);
        char *copy = (char *)malloc(der.len + 1);
        size_t i;
        int bit;
        memcpy(copy, der.data, der.len);
        copy[der.len] = 0;
        assert_true(read_all(copy, der.len));
        assert_false(read_all(copy, der.len + 1)); /* something behind it */
        for (i = 0; i < der.len; i++)
            assert_false(read_all(copy, i));
        for (i = 0; i < der.len; i++)
            for (bit = 0; bit < 8; bit++) {
                copy[i] = (char)(copy[i] ^ 1 << bit);
                read_all(copy, der.len);
                copy[i] = (char)(copy[i] ^ 1 << bit);
            }
        free(copy);
        connect_arena_free(&arena);
    }
}

static void test_addresses(void **state) {
    static const struct {
        const char *text;
        size_t len;
        const char *bytes;
    } rows[] = {{"10.0.0.7", 4, "\12\0\0\7"}, {"255.255.255.255", 4, "\377\377\377\377"},
        {"::", 16, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"}, {"::1", 16, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"},
        {"[::1]", 16, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"},
        {"2001:db8::a:1", 16, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\xa\0\1"},
        {"1:2:3:4:5:6:7:8", 16, "\0\1\0\2\0\3\0\4\0\5\0\6\0\7\0\10"},
        {"::ffff:10.0.0.7", 16, "\0\0\0\0\0\0\0\0\0\0\377\377\12\0\0\7"},
        {"FE80::1", 16, "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\1"}, {"1::", 16, "\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0"}};
    static const char *const bad[] = {"", ".", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", "a.b.c.d",
        ":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "::g", "1:", "[::1", "::1.2.3",
        "1:2:3:4:5:6:7:1.2.3.4", "localhost", "gw.local", "1:2:3:4:5:6:7::8:9"};
    unsigned char address[16];
    size_t i;
    (void)state;
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(cn_x509_address(rows[i].text, address), rows[i].len);
        assert_memory_equal(address, rows[i].bytes, rows[i].len);
    }
    for (i = 0; i < sizeof bad / sizeof *bad; i++)
        if (cn_x509_address(bad[i], address)) fail_msg("\"%s\" is taken for an address", bad[i]);
}

/* Names are written by hand: [2] dNSName and the like, in the content of subjectAltName. */
static void test_hosts(void **state) {
    static const char names[] =
        "\x82\x08gw.local\x82\x0e*.wild.example\x82\x01*\x82\x05*.com\x87\x04\12\0\0\1\x82\x09x.y\0.evil"
        "\x86\x05u:\x01,\xff";
    static const struct {
        const char *host;
        bool matches;
    } rows[] = {{"gw.local", true}, {"GW.LOCAL", true}, {"gw.loca", false}, {"xgw.local", false}, {"a.gw.local", false},
        {"a.wild.example", true}, {"A.WILD.example", true}, {"wild.example", false}, {".wild.example", false},
        {"a.b.wild.example", false}, {"anything", false}, {"x.y", false}, {"10.0.0.1", false}, {"", false},
        {"a.", false}};
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_str_list_t list;
    cn_x509_t cert;
    size_t i;
    (void)state;
    memset(&cert, 0, sizeof cert);
    cert.alt_names = (connect_str_t){names, sizeof names - 1};
    for (i = 0; i < sizeof rows / sizeof *rows; i++)
        if (cn_x509_has_host(&cert, connect_str_of(rows[i].host)) != rows[i].matches) fail_msg("%s", rows[i].host);
    assert_true(cn_x509_names(&cert, &arena, &list));
    assert_int_equal(list.count, 7);
    assert_str(list.items[4], "IP:10.0.0.1");
    assert_str(list.items[5], "DNS:x.y\\x00.evil"); /* a zero cannot shorten a name */
    assert_str(list.items[6], "URI:u:\\x01,\\xff");
    connect_arena_free(&arena);
}

static void test_subjects(void **state) {
    static const char name[] = "\x31\x0b\x30\x09\x06\x03\x55\x04\x06\x13\x02"
                               "DE"
                               "\x31\x0e\x30\x0c\x06\x03\x55\x04\x0a\x0c\x05"
                               "A, B="
                               "\x31\x0a\x30\x08\x06\x02\x2a\x03\x0c\x02"
                               "zz"
                               "\x31\x0b\x30\x09\x06\x03\x55\x04\x03\x0c\x02"
                               "g\n";
    connect_arena_t arena = CONNECT_DEFAULTS;
    (void)state;
    assert_str(cn_x509_name_text((connect_str_t){name, sizeof name - 1}, &arena), "CN=g\\x0a, ?=zz, O=A\\, B\\=, C=DE");
    assert_str(cn_x509_common_name((connect_str_t){name, sizeof name - 1}, &arena), "g\\x0a");
    assert_str(cn_x509_name_text((connect_str_t){"", 0}, &arena), "");
    assert_str(cn_x509_name_text((connect_str_t){name, 5}, &arena), "");
    connect_arena_free(&arena);
}

static void test_dates(void **state) {
    char text[16];
    (void)state;
    assert_string_equal(cn_x509_date(text, 0), "1970-01-01");
    assert_string_equal(cn_x509_date(text, -1), "1969-12-31");
    assert_string_equal(cn_x509_date(text, 951782400), "2000-02-29");
    assert_string_equal(cn_x509_date(text, 1709251199), "2024-02-29");
    assert_string_equal(cn_x509_date(text, 4107542400), "2100-03-01");
    assert_string_equal(cn_x509_date(text, 253402300799), "9999-12-31");
}

static void test_elements(void **state) {
    static const struct {
        const char *bytes;
        size_t len, whole;
    } rows[] = {{"\x30\x01x", 3, 3}, {"\x30\x01xy", 4, 3}, {"\x30\x02x", 3, 0}, {"\x30", 1, 0}, {"", 0, 0},
        {"\x30\x80", 2, 0}, {"\x30\x81\x7f", 3, 0}, {"\x30\x85\1\1\1\1\1", 7, 0}, {"\x3f\x01x", 3, 0},
        {"\x30\x82\0\x81", 4, 0}, {"\x30\x84\xff\xff\xff\xff", 6, 0}};
    size_t i;
    (void)state;
    for (i = 0; i < sizeof rows / sizeof *rows; i++) {
        guarded g = guarded_copy(rows[i].bytes, rows[i].len, 0);
        connect_str_t element = cn_x509_element((connect_str_t){g.data, g.len});
        assert_int_equal(element.len, rows[i].whole);
        assert_true((element.data != NULL) == (rows[i].whole != 0));
        guarded_free(&g);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_cut_and_changed),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_subjects),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_elements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
