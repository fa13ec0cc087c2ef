#include "io/pem.h"
#include "base/base64.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/x509.h"

/* Certificates and keys as users have them: PEM text (RFC 7468), DER bytes, or a file with one of the two. What comes
   out is DER, one element behind the other, so that an engine has one form to read.

   What a source is: it holds "-----BEGIN " -> PEM; it begins with a whole SEQUENCE (0x30) -> DER; else
   a path.
   PEM: text between blocks is passed over, and so are blocks of other kinds (a key in a file of certificates, EC
   PARAMETERS). Keys: "PRIVATE KEY" (PKCS#8), "RSA PRIVATE KEY" (PKCS#1), "EC PRIVATE KEY" (SEC1); encrypted ones are
   refused, as there is nobody to ask for the password. The text of a file is wiped and freed as soon as it is read; DER
   stays in the caller's arena. Base64 is read strictly: a changed byte is found here, with its
   line, and not in the middle of a handshake.

   The system's bundle: what SSL_CERT_FILE names, else the first that exists of where systems keep it. */

#define CN_PEM_FILE_MAX (8u * 1024 * 1024) /* bytes of one file; bundles of all authorities have some 200 KiB */

#if CONNECT_ENABLE_CLIENT || CONNECT_ENABLE_SERVER
typedef struct cn_pem_reader_t {
    connect_str_t rest;
    size_t line; /* of what was taken last, from 1 */
    const char *option;
    connect_str_t path; /* absent: the text stands in the option itself */
    cn_pem_kind_t kind;
    connect_error_t *error;
} cn_pem_reader_t;

/* ---- Files ---- */

static bool cn_pem_fail_file(const char *option, const char *path, int os_error, connect_error_t *error) {
    cn_error_print(error, NULL, os_error == ENOENT ? CONNECT_NOT_FOUND : CONNECT_INVALID_ARGUMENT,
        "%s: cannot read %.100s: %s", option, path, os_error == EFBIG ? "more than 8 MiB" : strerror(os_error));
    if (error) error->os_error = os_error;
    return false;
}

static bool cn_pem_read_file(
    const char *path, const char *option, connect_arena_t *arena, connect_str_t *bytes, connect_error_t *error) {
    FILE *file = fopen(path, "rb");
    char *to = NULL;
    size_t len = 0, room = 0;
    int os_error = 0;
    if (!file) return cn_pem_fail_file(option, path, errno, error);
    setvbuf(file, NULL, _IONBF, 0); /* a buffer of stdio's would keep a key */
    for (;;) {
        size_t got;
        if (room - len < 4096) {
            size_t more = room ? room * 2 : 16384;
            to = (char *)cn_arena_grow(arena, to, room, more);
            if (!to) os_error = ENOMEM;
            room = more;
        }
        if (os_error) break;
        errno = 0;
        got = fread(to + len, 1, room - len, file);
        len += got;
        if (ferror(file)) os_error = errno ? errno : EIO;
        if (len > CN_PEM_FILE_MAX) os_error = EFBIG;
        if (got == 0) break;
    }
    fclose(file);
    if (os_error == ENOMEM) return cn_error_memory(error);
    if (os_error) return cn_pem_fail_file(option, path, os_error, error);
    *bytes = cn_str(to, len);
    return true;
}

static const char *cn_pem_system_path(void) {
    static const char *const paths[] = {
        "/etc/ssl/certs/ca-certificates.crt",     /* Debian, Ubuntu, Arch, OpenWrt */
        "/etc/pki/tls/certs/ca-bundle.crt",       /* Fedora, RHEL */
        "/etc/ssl/ca-bundle.pem",                 /* SUSE */
        "/etc/ssl/cert.pem",                      /* Alpine, OpenBSD, macOS */
        "/usr/local/share/certs/ca-root-nss.crt", /* FreeBSD */
    };
    const char *chosen = getenv("SSL_CERT_FILE");
    size_t i;
    if (chosen && *chosen) return chosen;
    for (i = 0; i < CN_LEN(paths); i++) {
        FILE *file = fopen(paths[i], "rb");
        if (!file) continue;
        fclose(file);
        return paths[i];
    }
    return NULL;
}

/* ---- PEM ---- */

static bool cn_pem_fail(const cn_pem_reader_t *reader, const char *what) {
    char line[32] = "";
    if (reader->line) snprintf(line, sizeof line, ", line %zu", reader->line);
    return cn_error_print(reader->error, NULL, CONNECT_INVALID_ARGUMENT, "%s%s%.*s%s: %s", reader->option,
        reader->path.len ? ", " : "", (int)CN_MIN(reader->path.len, 80u), reader->path.len ? reader->path.data : "",
        line, what);
}

static bool cn_pem_next_line(cn_pem_reader_t *reader, connect_str_t *line) {
    if (reader->rest.len == 0 || !cn_str_split(&reader->rest, '\n', line)) return false;
    reader->line++;
    while (line->len && (line->data[line->len - 1] == '\r' || line->data[line->len - 1] == ' '))
        line->len--;
    return true;
}

/* "-----BEGIN label-----": the label. */
static bool cn_pem_label(connect_str_t line, connect_str_t mark, connect_str_t *label) {
    if (!cn_str_starts(line, mark) || line.len < mark.len + 5) return false;
    if (memcmp(line.data + line.len - 5, "-----", 5) != 0) return false;
    *label = cn_str(line.data + mark.len, line.len - mark.len - 5);
    return true;
}

static bool cn_pem_wanted(cn_pem_kind_t kind, connect_str_t label) {
    if (kind != CN_PEM_KEY)
        return connect_str_equal(label, CN_STR("CERTIFICATE")) || connect_str_equal(label, CN_STR("X509 CERTIFICATE"));
    return connect_str_equal(label, CN_STR("PRIVATE KEY")) || connect_str_equal(label, CN_STR("RSA PRIVATE KEY")) ||
        connect_str_equal(label, CN_STR("EC PRIVATE KEY"));
}

static bool cn_pem_check(const cn_pem_reader_t *reader, connect_str_t der) {
    cn_x509_t cert;
    if (der.len == 0 || cn_x509_element(der).len != der.len) return cn_pem_fail(reader, "this block is no DER");
    if (reader->kind == CN_PEM_CHAIN && !cn_x509_parse(&cert, der))
        return cn_pem_fail(reader, "this is no X.509 certificate");
    return true;
}

/* Reads the lines up to -----END, decodes them behind what is there. *len: of the DER so far. */
static bool cn_pem_read_block(cn_pem_reader_t *reader, connect_str_t label, char *der, size_t *len) {
    const size_t begin = reader->line, start = *len;
    connect_str_t line, end;
    char group[4]; /* a line need not be a multiple of four characters */
    size_t held = 0;
    bool padded = false;
    while (cn_pem_next_line(reader, &line)) {
        size_t i;
        if (cn_pem_label(line, CN_STR("-----END "), &end)) {
            if (!connect_str_equal(label, end)) return cn_pem_fail(reader, "this END does not belong to the BEGIN");
            if (held) return cn_pem_fail(reader, "the base64 is cut short");
            reader->line = begin;
            return cn_pem_check(reader, cn_str(der + start, *len - start));
        }
        if (cn_str_starts(line, CN_STR("Proc-Type:")))
            return cn_pem_fail(reader, "the key is encrypted; decrypt it: openssl pkey -in KEY -out PLAIN");
        for (i = 0; i < line.len; i++) {
            size_t got;
            if (padded && line.data[i] != '=') return cn_pem_fail(reader, "base64 goes on after its end");
            group[held++] = line.data[i];
            if (held < 4) continue;
            held = 0;
            padded = group[3] == '=';
            if (!cn_base64_decode(der + *len, &got, cn_str(group, 4))) return cn_pem_fail(reader, "this is no base64");
            *len += got;
        }
    }
    reader->line = begin;
    return cn_pem_fail(reader, "this BEGIN has no END");
}

static bool cn_pem_decode(cn_pem_reader_t *reader, connect_arena_t *arena, connect_str_t *der) {
    size_t room = cn_base64_decoded_max(reader->rest.len) + 4, len = 0;
    char *to = (char *)cn_arena_raw(arena, room);
    connect_str_t line, label;
    if (!to) return cn_error_memory(reader->error);
    while (cn_pem_next_line(reader, &line)) {
        if (!cn_pem_label(line, CN_STR("-----BEGIN "), &label)) continue;
        if (reader->kind == CN_PEM_KEY && connect_str_equal(label, CN_STR("ENCRYPTED PRIVATE KEY")))
            return cn_pem_fail(reader, "the key is encrypted; decrypt it: openssl pkey -in KEY -out PLAIN");
        if (!cn_pem_wanted(reader->kind, label)) continue;
        if (!cn_pem_read_block(reader, label, to, &len)) return false;
        if (reader->kind == CN_PEM_KEY) break;
    }
    if (len == 0) {
        reader->line = 0;
        return cn_pem_fail(
            reader, reader->kind == CN_PEM_KEY ? "there is no private key in it" : "there is no certificate in it");
    }
    cn_arena_shrink(arena, to, room, len);
    *der = cn_str(to, len);
    return true;
}

static bool cn_pem_check_der(cn_pem_reader_t *reader, connect_str_t bytes) {
    do {
        connect_str_t element = cn_x509_element(bytes);
        if (!element.data) return cn_pem_fail(reader, "the DER is cut short or broken");
        if (!cn_pem_check(reader, element)) return false;
        bytes = cn_str(bytes.data + element.len, bytes.len - element.len);
    } while (bytes.len);
    return true;
}

static bool cn_pem_is_text(connect_str_t bytes) {
    static const char mark[] = "-----BEGIN ";
    size_t i;
    for (i = 0; i + sizeof mark - 1 <= bytes.len; i++)
        if (bytes.data[i] == '-' && memcmp(bytes.data + i, mark, sizeof mark - 1) == 0) return true;
    return false;
}

static bool cn_pem_is_der(connect_str_t bytes) {
    return bytes.len && bytes.data[0] == 0x30 && cn_x509_element(bytes).data;
}

/* Finds out what the source is, and reads the file if it is a path. text: where its path and content go. */
static bool cn_pem_open(cn_pem_reader_t *reader, connect_str_t source, connect_arena_t *text) {
    const char *path = NULL;
    reader->rest = source;
    if (cn_pem_is_text(source) || cn_pem_is_der(source)) return true;
    if (reader->kind == CN_PEM_ANCHORS && connect_str_equal(source, CN_STR("system"))) {
        path = cn_pem_system_path();
        if (!path)
            return cn_error_print(reader->error, NULL, CONNECT_NOT_FOUND,
                "%s: this system has no bundle of trust anchors where one is looked for; name a file", reader->option);
    } else {
        if (source.len == 0 || memchr(source.data, '\0', source.len))
            return cn_pem_fail(reader, "neither PEM text, nor DER, nor the path of a file");
        path = connect_arena_copy(text, source).data;
        if (!path) return cn_error_memory(reader->error);
    }
    if (!cn_pem_read_file(path, reader->option, text, &reader->rest, reader->error)) return false;
    reader->path = connect_str_of(path);
    if (cn_pem_is_text(reader->rest) || cn_pem_is_der(reader->rest)) return true;
    return cn_pem_fail(reader, "the file has neither PEM text nor DER");
}

static bool cn_pem_parse(cn_pem_reader_t *reader, connect_arena_t *arena, connect_str_t *der) {
    if (cn_pem_is_text(reader->rest)) return cn_pem_decode(reader, arena, der);
    if (!cn_pem_check_der(reader, reader->rest)) return false;
    *der = connect_arena_copy(arena, reader->rest);
    return der->data || cn_error_memory(reader->error);
}

CN_PRIVATE bool cn_pem_read(connect_str_t source, cn_pem_kind_t kind, const char *option, connect_arena_t *arena,
    connect_str_t *der, connect_error_t *error) {
    cn_pem_reader_t reader;
    connect_arena_t text;
    bool ok;
    memset(&reader, 0, sizeof reader);
    memset(&text, 0, sizeof text);
    text.private_allocator = arena->private_allocator;
    reader.option = option;
    reader.kind = kind;
    reader.error = error;
    ok = cn_pem_open(&reader, source, &text) && cn_pem_parse(&reader, arena, der);
    cn_arena_wipe(&text);
    connect_arena_free(&text);
    return ok;
}
#endif
