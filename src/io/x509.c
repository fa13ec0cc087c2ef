#include "io/x509.h"
#include "base/mem.h"
#include "base/str.h"

/* What we read out of certificates ourselves: for what the user is told about the peer, for the texts of failures, and
   for the checks that a TLS library may lack (addresses, extended key usage). Whether a chain is good is the library's
   to say; nothing here verifies a signature.

   RFC 5280 4.1:  Certificate ::= SEQUENCE { TBSCertificate, AlgorithmIdentifier, BIT STRING }
                  TBSCertificate ::= SEQUENCE { [0] version, serial, AlgorithmIdentifier, issuer, validity, subject,
                                                SubjectPublicKeyInfo, [1], [2], [3] extensions }
   DER (X.690): a tag of one byte, a length of at most four bytes in its shortest form, the content. Indefinite lengths
   and tags above 30 are not DER and none of X.509. A cursor runs over a view; whatever does not fit makes it fail, and
   a failed cursor yields nothing any more.

   GeneralName (4.2.1.6): [1] rfc822Name, [2] dNSName, [6] URI, [7] iPAddress of 4 or 16 bytes; others are passed over.
   In texts what is not printable ASCII is \xNN: a name cannot forge another by control bytes. */

#define CN_X509_SEQUENCE 0x30
#define CN_X509_SET 0x31
#define CN_X509_OID 0x06
#define CN_X509_LENGTH_BYTES 4 /* of the longest length that is read: more than any certificate */
#define CN_X509_NAMES_MAX 256  /* listed of one certificate */
#define CN_X509_RDNS_MAX 32

#if CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER
typedef struct cn_der_t { /* what is still to be read */
    connect_str_t rest;
    bool failed;
} cn_der_t;

static const unsigned char cn_x509_oid_rsa[] = {0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01};
static const unsigned char cn_x509_oid_basic[] = {0x55, 0x1D, 0x13};
static const unsigned char cn_x509_oid_alt_names[] = {0x55, 0x1D, 0x11};
static const unsigned char cn_x509_oid_usages[] = {0x55, 0x1D, 0x25};
static const unsigned char cn_x509_oid_any_usage[] = {0x55, 0x1D, 0x25, 0x00};
static const unsigned char cn_x509_oid_server[] = {0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01};
static const unsigned char cn_x509_oid_client[] = {0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02};
static const unsigned char cn_x509_oid_common_name[] = {0x55, 0x04, 0x03};

/* ---- DER ---- */

static cn_der_t cn_der_of(connect_str_t bytes) {
    cn_der_t der;
    der.rest = bytes;
    der.failed = bytes.data == NULL;
    return der;
}

/* Takes the next element. Returns its tag, -1: there is none, or it is broken. */
static int cn_der_next(cn_der_t *der, connect_str_t *content, connect_str_t *whole_or_null) {
    const unsigned char *at = (const unsigned char *)der->rest.data;
    size_t left = der->rest.len, head = 2, len;
    if (der->failed || left == 0) return -1;
    der->failed = true;
    if (left < 2 || (at[0] & 0x1F) == 0x1F) return -1;
    len = at[1];
    if (len >= 0x80) {
        size_t count = len & 0x7F, i;
        if (count == 0 || count > CN_X509_LENGTH_BYTES || left < 2 + count || at[2] == 0) return -1;
        for (len = 0, i = 0; i < count; i++)
            len = len << 8 | at[2 + i];
        if (len < 0x80) return -1;
        head += count;
    }
    if (left - head < len) return -1;
    *content = cn_str(der->rest.data + head, len);
    if (whole_or_null) *whole_or_null = cn_str(der->rest.data, head + len);
    der->rest = cn_str(der->rest.data + head + len, left - head - len);
    der->failed = false;
    return at[0];
}

/* Takes the next element if it has this tag; else the cursor fails. */
static connect_str_t cn_der_take(cn_der_t *der, int tag) {
    connect_str_t content = {NULL, 0};
    if (cn_der_next(der, &content, NULL) == tag) return content;
    der->failed = true;
    return cn_str(NULL, 0);
}

static int cn_der_peek(const cn_der_t *der) {
    return der->failed || der->rest.len == 0 ? -1 : (unsigned char)der->rest.data[0];
}

static bool cn_der_is(connect_str_t content, const unsigned char *bytes, size_t len) {
    return content.len == len && memcmp(content.data, bytes, len) == 0;
}
#define CN_DER_IS(content, oid) cn_der_is(content, oid, sizeof oid)

CN_PRIVATE connect_str_t cn_x509_element(connect_str_t bytes) {
    cn_der_t der = cn_der_of(bytes);
    connect_str_t content, whole = {NULL, 0};
    return cn_der_next(&der, &content, &whole) < 0 ? cn_str(NULL, 0) : whole;
}

/* ---- Certificates ---- */

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar. */
static int64_t cn_x509_days(int64_t year, int64_t month, int64_t day) {
    int64_t era, of_era;
    year -= month <= 2;
    era = year / 400;
    of_era = year - era * 400;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 +
        day - 1 - 719468;
}

static int64_t cn_x509_digits(const char *text, size_t count) {
    uint64_t value = 0;
    return cn_str_to_uint(cn_str(text, count), count, &value) ? (int64_t)value : -1;
}

/* UTCTime YYMMDDHHMMSSZ, GeneralizedTime YYYYMMDDHHMMSSZ (RFC 5280 4.1.2.5). */
static bool cn_x509_time(cn_der_t *der, int64_t *seconds) {
    connect_str_t text = {NULL, 0};
    int tag = cn_der_next(der, &text, NULL);
    size_t year_len = tag == 0x17 ? 2 : 4, i;
    int64_t year, part[5];
    if ((tag != 0x17 && tag != 0x18) || text.len != year_len + 11 || text.data[text.len - 1] != 'Z') return false;
    year = cn_x509_digits(text.data, year_len);
    if (tag == 0x17) year += year >= 50 ? 1900 : 2000;
    for (i = 0; i < 5; i++) {
        part[i] = cn_x509_digits(text.data + year_len + 2 * i, 2);
        if (part[i] < 0) return false;
    }
    if (year < 0 || part[0] < 1 || part[0] > 12 || part[1] < 1 || part[1] > 31 || part[2] > 23 || part[3] > 59)
        return false;
    *seconds = cn_x509_days(year, part[0], part[1]) * 86400 + part[2] * 3600 + part[3] * 60 + part[4];
    return true;
}

static void cn_x509_parse_key(cn_x509_t *cert, connect_str_t spki) {
    cn_der_t outer = cn_der_of(spki), der, algorithm;
    connect_str_t bits, modulus;
    der = cn_der_of(cn_der_take(&outer, CN_X509_SEQUENCE));
    algorithm = cn_der_of(cn_der_take(&der, CN_X509_SEQUENCE));
    if (!CN_DER_IS(cn_der_take(&algorithm, CN_X509_OID), cn_x509_oid_rsa)) return;
    bits = cn_der_take(&der, 0x03);
    if (bits.len < 1) return;
    outer = cn_der_of(cn_str(bits.data + 1, bits.len - 1));
    der = cn_der_of(cn_der_take(&outer, CN_X509_SEQUENCE));
    modulus = cn_der_take(&der, 0x02);
    while (modulus.len && modulus.data[0] == 0)
        modulus = cn_str(modulus.data + 1, modulus.len - 1);
    if (modulus.len == 0 || modulus.len > 8192) return;
    cert->rsa_bits = (uint32_t)modulus.len * 8;
    {
        unsigned top = (unsigned char)modulus.data[0];
        for (; top < 0x80; top <<= 1)
            cert->rsa_bits--;
    }
}

static bool cn_x509_parse_extensions(cn_x509_t *cert, cn_der_t *tbs) {
    cn_der_t list, outer;
    while (cn_der_peek(tbs) == 0x81 || cn_der_peek(tbs) == 0x82 || cn_der_peek(tbs) == 0xA1 || cn_der_peek(tbs) == 0xA2)
        cn_der_take(tbs, cn_der_peek(tbs));
    if (cn_der_peek(tbs) != 0xA3) return !tbs->failed;
    outer = cn_der_of(cn_der_take(tbs, 0xA3));
    list = cn_der_of(cn_der_take(&outer, CN_X509_SEQUENCE));
    while (cn_der_peek(&list) >= 0) {
        cn_der_t extension = cn_der_of(cn_der_take(&list, CN_X509_SEQUENCE)), inner;
        connect_str_t oid = cn_der_take(&extension, CN_X509_OID), value;
        if (cn_der_peek(&extension) == 0x01) cn_der_take(&extension, 0x01);
        value = cn_der_take(&extension, 0x04);
        if (extension.failed) return false;
        inner = cn_der_of(value);
        if (CN_DER_IS(oid, cn_x509_oid_alt_names)) {
            cert->alt_names = cn_der_take(&inner, CN_X509_SEQUENCE);
            if (inner.failed) return false;
        } else if (CN_DER_IS(oid, cn_x509_oid_usages)) {
            cert->extended_usages = cn_der_take(&inner, CN_X509_SEQUENCE);
            if (inner.failed) return false;
        } else if (CN_DER_IS(oid, cn_x509_oid_basic)) {
            cn_der_t basic = cn_der_of(cn_der_take(&inner, CN_X509_SEQUENCE));
            connect_str_t is_ca = cn_der_peek(&basic) == 0x01 ? cn_der_take(&basic, 0x01) : cn_str(NULL, 0);
            cert->is_ca = is_ca.len == 1 && is_ca.data[0] != 0;
        }
    }
    return !list.failed && !outer.failed;
}

CN_PRIVATE bool cn_x509_parse(cn_x509_t *cert, connect_str_t der) {
    cn_der_t outer = cn_der_of(der), certificate, tbs, inner;
    connect_str_t content;
    memset(cert, 0, sizeof *cert);
    certificate = cn_der_of(cn_der_take(&outer, CN_X509_SEQUENCE));
    if (outer.failed || outer.rest.len) return false;
    tbs = cn_der_of(cn_der_take(&certificate, CN_X509_SEQUENCE));
    inner = cn_der_of(cn_der_take(&certificate, CN_X509_SEQUENCE));
    cert->signature_oid = cn_der_take(&inner, CN_X509_OID);
    cn_der_take(&certificate, 0x03);
    if (certificate.failed || inner.failed) return false;
    if (cn_der_peek(&tbs) == 0xA0) cn_der_take(&tbs, 0xA0);
    cn_der_take(&tbs, 0x02);
    cn_der_take(&tbs, CN_X509_SEQUENCE);
    cert->issuer = cn_der_take(&tbs, CN_X509_SEQUENCE);
    inner = cn_der_of(cn_der_take(&tbs, CN_X509_SEQUENCE));
    if (!cn_x509_time(&inner, &cert->not_before) || !cn_x509_time(&inner, &cert->not_after)) return false;
    cert->subject = cn_der_take(&tbs, CN_X509_SEQUENCE);
    if (cn_der_next(&tbs, &content, &cert->spki) != CN_X509_SEQUENCE) return false;
    cn_x509_parse_key(cert, cert->spki);
    return cn_x509_parse_extensions(cert, &tbs);
}

CN_PRIVATE bool cn_x509_allows(const cn_x509_t *cert, cn_x509_usage_t usage) {
    cn_der_t list = cn_der_of(cert->extended_usages);
    if (!cert->extended_usages.data) return true;
    while (cn_der_peek(&list) >= 0) {
        connect_str_t oid = cn_der_take(&list, CN_X509_OID);
        if (CN_DER_IS(oid, cn_x509_oid_any_usage) ||
            (usage == CN_X509_SERVER_AUTH ? CN_DER_IS(oid, cn_x509_oid_server) : CN_DER_IS(oid, cn_x509_oid_client)))
            return true;
    }
    return false;
}

/* ---- Addresses ---- */

static size_t cn_x509_address4(connect_str_t text, unsigned char *address) {
    size_t count = 0;
    connect_str_t part;
    while (cn_str_split(&text, '.', &part)) {
        uint64_t value;
        if (count == 4 || !cn_str_to_uint(part, 3, &value) || value > 255) return 0;
        if (part.len > 1 && part.data[0] == '0') return 0;
        address[count++] = (unsigned char)value;
    }
    return count == 4 ? 4 : 0;
}

static int cn_x509_hex(char c) {
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* RFC 4291 2.2: groups of four hex digits, "::" once for a run of zeros, the last 32 bits perhaps as IPv4. */
static size_t cn_x509_address6(connect_str_t text, unsigned char *address) {
    size_t at = 0, filled = 0, gap = SIZE_MAX, i;
    memset(address, 0, 16);
    if (text.len >= 2 && text.data[0] == ':' && text.data[1] == ':') {
        gap = 0;
        at = 2;
    }
    while (at < text.len) {
        size_t start = at;
        unsigned value = 0;
        for (; at < text.len && cn_x509_hex(text.data[at]) >= 0; at++)
            value = value << 4 | (unsigned)cn_x509_hex(text.data[at]);
        if (at < text.len && text.data[at] == '.') {
            if (filled > 12 || !cn_x509_address4(cn_str(text.data + start, text.len - start), address + filled))
                return 0;
            filled += 4;
            break;
        }
        if (at == start || at - start > 4 || filled > 14) return 0;
        address[filled++] = (unsigned char)(value >> 8);
        address[filled++] = (unsigned char)value;
        if (at == text.len) break;
        if (text.data[at++] != ':' || at == text.len) return 0;
        if (text.data[at] == ':') {
            if (gap != SIZE_MAX) return 0;
            gap = filled;
            at++;
        }
    }
    if (gap == SIZE_MAX) return filled == 16 ? 16 : 0;
    if (filled > 14) return 0;
    for (i = filled; i-- > gap;) {
        address[16 - filled + i] = address[i];
        address[i] = 0;
    }
    return 16;
}

CN_PRIVATE size_t cn_x509_address(const char *text, unsigned char address[16]) {
    connect_str_t view = connect_str_of(text);
    if (view.len > 2 && view.data[0] == '[' && view.data[view.len - 1] == ']') view = cn_str(text + 1, view.len - 2);
    if (view.len == 0) return 0;
    return memchr(view.data, ':', view.len) ? cn_x509_address6(view, address) : cn_x509_address4(view, address);
}

CN_PRIVATE bool cn_x509_has_address(const cn_x509_t *cert, const unsigned char *address, size_t len) {
    cn_der_t list = cn_der_of(cert->alt_names);
    connect_str_t content;
    int tag;
    while ((tag = cn_der_next(&list, &content, NULL)) >= 0)
        if (tag == 0x87 && cn_der_is(content, address, len)) return true;
    return false;
}

CN_PRIVATE bool cn_x509_has_host(const cn_x509_t *cert, connect_str_t host) {
    cn_der_t list = cn_der_of(cert->alt_names);
    connect_str_t name;
    int tag;
    while ((tag = cn_der_next(&list, &name, NULL)) >= 0) {
        const char *dot = host.len ? (const char *)memchr(host.data, '.', host.len) : NULL;
        connect_str_t parent = dot ? cn_str(dot, (size_t)(host.data + host.len - dot)) : cn_str("", 0);
        if (tag != 0x82) continue;
        if (cn_str_equal_nocase(name, host)) return true;
        if (parent.len > 1 && host.data != dot && cn_str_starts(name, CN_STR("*.")) &&
            cn_str_equal_nocase(cn_str(name.data + 1, name.len - 1), parent))
            return true;
    }
    return false;
}

/* ---- Texts ---- */

static bool cn_x509_put_text(char *to, size_t room, size_t *len, connect_str_t bytes, bool escape_commas) {
    static const char hex[] = "0123456789abcdef";
    size_t i;
    for (i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.data[i];
        if (room - *len < 5) return false;
        if (c < 0x20 || c >= 0x7F) {
            to[(*len)++] = '\\';
            to[(*len)++] = 'x';
            to[(*len)++] = hex[c >> 4];
            to[(*len)++] = hex[c & 15];
        } else {
            if (c == '\\' || (escape_commas && (c == ',' || c == '='))) to[(*len)++] = '\\';
            to[(*len)++] = (char)c;
        }
    }
    return true;
}

static connect_str_t cn_x509_printable(connect_arena_t *arena, const char *kind, connect_str_t bytes) {
    size_t room = strlen(kind) + 4 * bytes.len + 6, len = strlen(kind);
    char *text = (char *)cn_arena_raw(arena, room);
    if (!text) return cn_str(NULL, 0);
    memcpy(text, kind, len);
    cn_x509_put_text(text, room, &len, bytes, false);
    text[len] = '\0';
    return cn_str(text, len);
}

static connect_str_t cn_x509_address_text(connect_arena_t *arena, connect_str_t bytes) {
    const unsigned char *a = (const unsigned char *)bytes.data;
    char text[48];
    size_t len = 0, i, run = 0, run_start = 0, best = 0, best_start = 0;
    if (bytes.len == 4) return connect_arena_printf(arena, "IP:%u.%u.%u.%u", a[0], a[1], a[2], a[3]);
    for (i = 0; i < 8; i++) { /* RFC 5952: the longest run of zeros, of two or more, is "::" */
        if (a[2 * i] || a[2 * i + 1]) {
            run = 0;
            continue;
        }
        if (run++ == 0) run_start = i;
        if (run > best && run > 1) {
            best = run;
            best_start = run_start;
        }
    }
    text[0] = '\0';
    for (i = 0; i < 8; i++) {
        if (best && i == best_start) {
            len += (size_t)snprintf(text + len, sizeof text - len, "::");
            i += best - 1;
            continue;
        }
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%x", len && text[len - 1] != ':' ? ":" : "",
            (unsigned)a[2 * i] << 8 | a[2 * i + 1]);
    }
    return connect_arena_printf(arena, "IP:%s", text);
}

/* Parts of a name in their order: SET OF SEQUENCE { OID, text }. false: no more. */
static bool cn_x509_next_part(cn_der_t *name, connect_str_t *oid, connect_str_t *value) {
    cn_der_t set = cn_der_of(cn_der_take(name, CN_X509_SET)), pair;
    pair = cn_der_of(cn_der_take(&set, CN_X509_SEQUENCE)); /* of several in one SET the first */
    *oid = cn_der_take(&pair, CN_X509_OID);
    return !pair.failed && cn_der_next(&pair, value, NULL) >= 0;
}

static bool cn_x509_find_common_name(connect_str_t name, connect_str_t *found) {
    cn_der_t der = cn_der_of(name);
    connect_str_t oid, value;
    bool any = false;
    while (cn_x509_next_part(&der, &oid, &value)) {
        if (!CN_DER_IS(oid, cn_x509_oid_common_name)) continue;
        *found = value;
        any = true;
    }
    return any;
}

static const char *cn_x509_part_name(connect_str_t oid) {
    static const struct {
        unsigned char last;
        char name[8];
    } known[] = {{3, "CN"}, {4, "SN"}, {5, "serial"}, {6, "C"}, {7, "L"}, {8, "ST"}, {9, "STREET"}, {10, "O"},
        {11, "OU"}, {12, "T"}, {42, "GN"}};
    size_t i;
    for (i = 0; i < CN_LEN(known); i++)
        if (oid.len == 3 && oid.data[0] == 0x55 && oid.data[1] == 0x04 && (unsigned char)oid.data[2] == known[i].last)
            return known[i].name;
    return "?";
}

CN_PRIVATE connect_str_t cn_x509_name_text(connect_str_t name, connect_arena_t *arena) {
    connect_str_t oids[CN_X509_RDNS_MAX], values[CN_X509_RDNS_MAX];
    cn_der_t der = cn_der_of(name);
    size_t count = 0, room = 1, len = 0;
    char *text;
    while (count < CN_X509_RDNS_MAX && cn_x509_next_part(&der, &oids[count], &values[count]))
        room += 16 + 4 * values[count++].len;
    text = (char *)cn_arena_raw(arena, room);
    if (!text) return cn_str(NULL, 0);
    while (count-- > 0) {
        len += (size_t)snprintf(text + len, room - len, "%s%s=", len ? ", " : "", cn_x509_part_name(oids[count]));
        cn_x509_put_text(text, room, &len, values[count], true);
    }
    text[len] = '\0';
    return cn_str(text, len);
}

CN_PRIVATE connect_str_t cn_x509_common_name(connect_str_t name, connect_arena_t *arena) {
    connect_str_t value;
    if (cn_x509_find_common_name(name, &value)) return cn_x509_printable(arena, "", value);
    return cn_x509_name_text(name, arena);
}

CN_PRIVATE bool cn_x509_names(const cn_x509_t *cert, connect_arena_t *arena, connect_str_list_t *names) {
    cn_der_t list = cn_der_of(cert->alt_names);
    connect_str_t content, *items;
    size_t count = 0, i = 0;
    int tag;
    while (count < CN_X509_NAMES_MAX && cn_der_next(&list, &content, NULL) >= 0)
        count++;
    items = CONNECT_NEW(arena, connect_str_t, count + 1);
    if (!items) return false;
    list = cn_der_of(cert->alt_names);
    while (count-- > 0 && (tag = cn_der_next(&list, &content, NULL)) >= 0) {
        if (tag == 0x82)
            items[i++] = cn_x509_printable(arena, "DNS:", content);
        else if (tag == 0x87 && (content.len == 4 || content.len == 16))
            items[i++] = cn_x509_address_text(arena, content);
        else if (tag == 0x86)
            items[i++] = cn_x509_printable(arena, "URI:", content);
        else if (tag == 0x81)
            items[i++] = cn_x509_printable(arena, "email:", content);
    }
    if (cn_x509_find_common_name(cert->subject, &content)) items[i++] = cn_x509_printable(arena, "CN:", content);
    names->items = items;
    names->count = i;
    while (i-- > 0)
        if (!items[i].data) return false;
    return true;
}

CN_PRIVATE const char *cn_x509_date(char *text, int64_t unix_seconds) {
    int64_t days = unix_seconds / 86400 - (unix_seconds % 86400 < 0) + 719468, era, of_era, year, of_year, month;
    era = (days >= 0 ? days : days - 146096) / 146097;
    of_era = days - era * 146097;
    year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    of_year = of_era - (365 * year + year / 4 - year / 100);
    month = (5 * of_year + 2) / 153;
    year += era * 400 + (month >= 10);
    snprintf(text, 16, "%04d-%02d-%02d", (int)CN_MAX(CN_MIN(year, 9999), 0), (int)(month + (month < 10 ? 3 : -9)),
        (int)(of_year - (153 * month + 2) / 5 + 1));
    return text;
}
#endif
