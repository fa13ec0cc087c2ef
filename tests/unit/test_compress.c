/* Compressions alone: what went in comes out; whatever is cut short, changed, too long or too large is told apart, with
   inputs that end at a guard page; memory that runs out leaves nothing behind; steady messages take none. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"

#define WINDOW (8u * 1024u * 1024u)
#define NO_LIMIT ((size_t)1 << 30)

/* ---- A registered compression: two bytes of head, every byte xor 0x55 ---- */
static bool twist_compress(void *ctx, connect_str_t in, connect_arena_t *arena, connect_str_t *out) {
    char *to = (char *)connect_arena_take(arena, 1, in.len + 2);
    size_t i;
    (void)ctx;
    if (!to) return false;
    to[0] = 'T';
    to[1] = 'W';
    for (i = 0; i < in.len; i++)
        to[i + 2] = (char)(in.data[i] ^ 0x55);
    out->data = to;
    out->len = in.len + 2;
    return true;
}
static bool twist_decompress(void *ctx, connect_str_t in, size_t max, connect_arena_t *arena, connect_str_t *out) {
    (void)max; /* what comes out is checked all the same */
    if (in.len < 2 || memcmp(in.data, "TW", 2) != 0) return false;
    in.data += 2;
    in.len -= 2;
    if (!twist_compress(ctx, in, arena, out)) return false;
    out->data += 2;
    out->len -= 2;
    return true;
}
static const connect_compression_t twist = {"twist", twist_compress, twist_decompress, NULL};

static cn_codings_options_t options_of(const char *accept) {
    cn_codings_options_t options;
    memset(&options, 0, sizeof options);
    options.registered = &twist;
    options.registered_count = 1;
    options.accept = accept;
    options.zstd_window = WINDOW;
    return options;
}
static void codings_new(cn_codings_t *codings, const connect_allocator_t *allocator) {
    cn_codings_options_t options = options_of(NULL);
    memset(codings, 0, sizeof *codings);
    assert_true(cn_codings_init(codings, allocator, &options, NULL));
}

typedef struct sample {
    char *data;
    size_t len;
} sample;
/* kind 0: zeros; 1: text; 2: noise. */
static sample sample_new(int kind, size_t len) {
    static const char text[] = "the sensor on the roof says 21.5 degrees, and the one below says 19; ";
    uint32_t seed = 7;
    sample s;
    size_t i;
    s.len = len;
    s.data = (char *)calloc(1, len + 1);
    assert_non_null(s.data);
    for (i = 0; i < len && kind; i++) {
        seed = seed * 1664525u + 1013904223u;
        s.data[i] = kind == 1 ? text[(i + i / 1000) % (sizeof text - 1)] : (char)(seed >> 24);
    }
    return s;
}
static connect_str_t view(const sample *s) {
    connect_str_t v;
    v.data = s->data;
    v.len = s->len;
    return v;
}

/* Expands a copy at a guard page. */
static cn_expand_t expand(
    cn_codings_t *codings, const cn_coding_t *coding, const char *data, size_t len, size_t max, cn_buf_t *out) {
    guarded g = guarded_copy(data, len, 0);
    connect_str_t in;
    cn_expand_t result;
    in.data = g.data;
    in.len = g.len;
    cn_buf_clear(out);
    result = cn_codings_expand(codings, coding, in, max, out);
    guarded_free(&g);
    return result;
}

static void test_round_trips(void **state) {
    static const size_t sizes[] = {1, 2, 100, 1023, 1024, 1025, 70000, 300000};
    cn_codings_t codings;
    size_t c, i;
    int kind;
    (void)state;
    codings_new(&codings, NULL);
    assert_str(codings.accept, "zstd, gzip, twist");
    for (c = 0; c < codings.count; c++) {
        for (kind = 0; kind < 3; kind++) {
            for (i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                sample s = sample_new(kind, sizes[i]);
                guarded g = guarded_copy(s.data, s.len, 0);
                connect_str_t in;
                cn_buf_t packed, out;
                memset(&packed, 0, sizeof packed);
                memset(&out, 0, sizeof out);
                in.data = g.data;
                in.len = g.len;
                assert_true(cn_buf_append(&packed, NULL, "head", 4));
                assert_true(cn_codings_compress(&codings, &codings.items[c], in, &packed));
                assert_memory_equal(cn_buf_view(&packed).data, "head", 4);
                cn_buf_drop(&packed, 4);
                assert_int_equal(
                    expand(&codings, &codings.items[c], cn_buf_view(&packed).data, cn_buf_len(&packed), s.len, &out),
                    CN_EXPAND_OK);
                assert_int_equal(cn_buf_len(&out), s.len);
                assert_memory_equal(cn_buf_view(&out).data, s.data, s.len);
                assert_int_equal(expand(&codings, &codings.items[c], cn_buf_view(&packed).data, cn_buf_len(&packed),
                                     s.len - 1, &out),
                    CN_EXPAND_TOO_LARGE);
                if (kind != 2 && s.len > 1000 && codings.items[c].kind != CN_CODING_REGISTERED)
                    assert_true(cn_buf_len(&packed) < s.len / 5);
                cn_buf_free(&packed, NULL);
                cn_buf_free(&out, NULL);
                guarded_free(&g);
                free(s.data);
            }
        }
    }
    cn_codings_free(&codings);
}

/* Cut at every byte, followed by bytes, changed in every bit: never a success with other bytes. */
static void try_broken(cn_codings_t *codings, const cn_coding_t *coding, const char *packed, size_t len,
    connect_str_t whole, bool has_checksum) {
    cn_buf_t out;
    char *copy = (char *)malloc(len * 2 + 16);
    size_t i;
    memset(&out, 0, sizeof out);
    assert_non_null(copy);
    assert_int_equal(expand(codings, coding, packed, len, NO_LIMIT, &out), CN_EXPAND_OK);
    for (i = 1; i < len; i++)
        assert_int_equal(expand(codings, coding, packed, i, NO_LIMIT, &out), CN_EXPAND_CORRUPT);
    memcpy(copy, packed, len);
    memset(copy + len, 0, 16);
    for (i = 1; i <= 16; i++)
        assert_int_equal(expand(codings, coding, copy, len + i, NO_LIMIT, &out), CN_EXPAND_CORRUPT);
    memcpy(copy + len, packed, len); /* a second member, or frame */
    assert_int_equal(expand(codings, coding, copy, len * 2, NO_LIMIT, &out), CN_EXPAND_CORRUPT);
    for (i = 0; i < len * 8; i++) {
        cn_expand_t result;
        memcpy(copy, packed, len);
        copy[i / 8] = (char)(copy[i / 8] ^ (1 << i % 8));
        result = expand(codings, coding, copy, len, 100000, &out);
        if (result != CN_EXPAND_OK) continue;
        assert_true(cn_buf_len(&out) <= 100000);
        if (!has_checksum) continue;
        assert_int_equal(cn_buf_len(&out), whole.len);
        assert_memory_equal(cn_buf_view(&out).data, whole.data, whole.len);
    }
    assert_int_equal(expand(codings, coding, packed, len, NO_LIMIT, &out), CN_EXPAND_OK); /* the context still works */
    free(copy);
    cn_buf_free(&out, NULL);
}
static void test_broken(void **state) {
    cn_codings_t codings;
    size_t c;
    int kind;
    (void)state;
    codings_new(&codings, NULL);
    for (c = 0; c < 2; c++) {
        for (kind = 0; kind < 3; kind++) {
            sample s = sample_new(kind, 400);
            cn_buf_t packed;
            memset(&packed, 0, sizeof packed);
            assert_true(cn_codings_compress(&codings, &codings.items[c], view(&s), &packed));
            try_broken(&codings, &codings.items[c], cn_buf_view(&packed).data, cn_buf_len(&packed), view(&s),
                codings.items[c].kind == CN_CODING_GZIP);
            cn_buf_free(&packed, NULL);
            free(s.data);
        }
    }
    cn_codings_free(&codings);
}

/* 64 MiB of zeros: the expansion stops at the limit, and takes no more memory than that is worth. */
static void test_bombs(void **state) {
    sample s = sample_new(0, 64u << 20);
    cn_codings_t codings;
    size_t c;
    (void)state;
    codings_new(&codings, NULL);
    for (c = 0; c < 2; c++) {
        cn_buf_t packed, out;
        memset(&packed, 0, sizeof packed);
        memset(&out, 0, sizeof out);
        assert_true(cn_codings_compress(&codings, &codings.items[c], view(&s), &packed));
        assert_true(cn_buf_len(&packed) < 400000);
        assert_int_equal(
            expand(&codings, &codings.items[c], cn_buf_view(&packed).data, cn_buf_len(&packed), 100000, &out),
            CN_EXPAND_TOO_LARGE);
        assert_true(cn_buf_len(&out) <= 100001);
        assert_true(out.capacity < 300000);
        cn_buf_free(&packed, NULL);
        cn_buf_free(&out, NULL);
    }
    cn_codings_free(&codings);
    free(s.data);
}

/* A frame by hand, in pieces, so that it says nothing of its content's size. */
static size_t zstd_frame(const sample *s, int window_log, bool sized, char *to, size_t room) {
    ZSTD_CCtx *context = ZSTD_createCCtx();
    ZSTD_inBuffer in = {s->data, s->len, 0};
    ZSTD_outBuffer out = {to, room, 0};
    size_t left = 1;
    assert_non_null(context);
    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, sized);
    in.size = s->len / 2;
    while (in.pos < in.size)
        assert_false(ZSTD_isError(ZSTD_compressStream2(context, &out, &in, ZSTD_e_continue)));
    in.size = s->len;
    while (left) {
        left = ZSTD_compressStream2(context, &out, &in, ZSTD_e_end);
        assert_false(ZSTD_isError(left));
    }
    ZSTD_freeCCtx(context);
    return out.pos;
}
static void test_zstd_frames(void **state) {
    cn_codings_t codings;
    const cn_coding_t *zstd;
    sample s = sample_new(1, 500000);
    size_t room = 1 << 20, len;
    char *frame = (char *)malloc(room);
    cn_buf_t out;
    (void)state;
    assert_non_null(frame);
    memset(&out, 0, sizeof out);
    codings_new(&codings, NULL);
    zstd = cn_codings_find(&codings, connect_str_of("ZSTD"));
    assert_non_null(zstd);
    len = zstd_frame(&s, 23, false, frame, room);
    assert_int_equal(ZSTD_getFrameContentSize(frame, len), ZSTD_CONTENTSIZE_UNKNOWN);
    assert_int_equal(expand(&codings, zstd, frame, len, s.len, &out), CN_EXPAND_OK);
    assert_int_equal(cn_buf_len(&out), s.len);
    assert_memory_equal(cn_buf_view(&out).data, s.data, s.len);
    assert_int_equal(expand(&codings, zstd, frame, len, s.len - 1, &out), CN_EXPAND_TOO_LARGE);
    assert_true(!codings.zstd.expand || ZSTD_sizeof_DCtx((ZSTD_DCtx *)codings.zstd.expand) <= 2u << 20);
    len = zstd_frame(&s, 24, false, frame, room); /* a window over the limit, by its head alone */
    assert_int_equal(expand(&codings, zstd, frame, len, s.len, &out), CN_EXPAND_CORRUPT);
    len = zstd_frame(&s, 20, false, frame, room);
    codings.zstd_window = 1 << 20;
    assert_int_equal(expand(&codings, zstd, frame, len, s.len, &out), CN_EXPAND_OK);
    codings.zstd_window = (1 << 20) - 1;
    assert_int_equal(expand(&codings, zstd, frame, len, s.len, &out), CN_EXPAND_CORRUPT);
    codings.zstd_window = WINDOW;
    frame[4] = (char)(frame[4] | 1); /* a dictionary */
    assert_int_equal(expand(&codings, zstd, frame, len, s.len, &out), CN_EXPAND_CORRUPT);
    memcpy(frame, "\x50\x2A\x4D\x18\x04\0\0\0abcd", 12); /* a skippable frame */
    assert_int_equal(expand(&codings, zstd, frame, 12, s.len, &out), CN_EXPAND_CORRUPT);
    free(s.data);
    s = sample_new(1, 300);
    len = zstd_frame(&s, 17, false, frame, room);
    try_broken(&codings, zstd, frame, len, view(&s), true);
    len = ZSTD_compress(frame, room, s.data, s.len, 1); /* 300 - 256 in two bytes behind the descriptor */
    assert_int_equal((unsigned char)frame[4] & 0xE0, 0x60);
    frame[5]++;
    assert_int_equal(expand(&codings, zstd, frame, len, NO_LIMIT, &out), CN_EXPAND_CORRUPT);
    frame[5] = (char)(frame[5] - 2);
    assert_int_equal(expand(&codings, zstd, frame, len, NO_LIMIT, &out), CN_EXPAND_CORRUPT);
    cn_buf_free(&out, NULL);
    cn_codings_free(&codings);
    free(frame);
    free(s.data);
}

static bool run_once(const connect_allocator_t *allocator, void *arg) {
    const sample *s = (const sample *)arg;
    cn_codings_options_t options = options_of(NULL);
    cn_codings_t codings;
    cn_buf_t packed, out;
    bool ok;
    size_t c;
    memset(&codings, 0, sizeof codings);
    memset(&packed, 0, sizeof packed);
    memset(&out, 0, sizeof out);
    ok = cn_codings_init(&codings, allocator, &options, NULL);
    for (c = 0; ok && c < codings.count; c++) {
        cn_expand_t result;
        cn_buf_clear(&packed);
        cn_buf_clear(&out);
        ok = cn_codings_compress(&codings, &codings.items[c], view(s), &packed);
        if (!ok) break;
        result = cn_codings_expand(&codings, &codings.items[c], cn_buf_view(&packed), s->len, &out);
        assert_true(result == CN_EXPAND_OK || result == CN_EXPAND_NO_MEMORY);
        ok = result == CN_EXPAND_OK;
    }
    cn_buf_free(&packed, allocator);
    cn_buf_free(&out, allocator);
    cn_codings_free(&codings);
    return ok;
}
static void test_allocations(void **state) {
    sample s = sample_new(1, 20000);
    failing_allocator f;
    cn_codings_t codings;
    cn_buf_t packed, out;
    size_t i, c, before = 0;
    (void)state;
    sweep_allocations(run_once, &s);
    failing_init(&f, SIZE_MAX, false);
    codings_new(&codings, &f.allocator);
    memset(&packed, 0, sizeof packed);
    memset(&out, 0, sizeof out);
    for (i = 0; i < 300; i++) { /* steady: none */
        if (i == 1) before = f.calls;
        for (c = 0; c < 2; c++) {
            cn_buf_clear(&packed);
            cn_buf_clear(&out);
            assert_true(cn_codings_compress(&codings, &codings.items[c], view(&s), &packed));
            assert_int_equal(
                cn_codings_expand(&codings, &codings.items[c], cn_buf_view(&packed), s.len, &out), CN_EXPAND_OK);
        }
    }
    assert_int_equal(f.calls, before);
    cn_buf_free(&packed, &f.allocator);
    cn_buf_free(&out, &f.allocator);
    cn_codings_free(&codings);
    assert_int_equal(f.live, 0);
    free(s.data);
}

static void test_options(void **state) {
    static const char *const good[][2] = {{"", ""}, {"identity", ""}, {"gzip", "gzip"}, {"GZIP , zstd", "gzip, zstd"},
        {"twist,identity,,gzip,gzip", "twist, gzip"}};
    static const char *const bad_names[] = {"", "Br", "b r", "identity", "gzip", "zstd", "a,b"};
    const cn_coding_t *coding;
    cn_codings_t codings;
    connect_error_t error;
    size_t i;
    (void)state;
    for (i = 0; i < sizeof good / sizeof *good; i++) {
        cn_codings_options_t options = options_of(good[i][0]);
        memset(&codings, 0, sizeof codings);
        assert_true(cn_codings_init(&codings, NULL, &options, &error));
        assert_str(codings.accept, good[i][1]);
        cn_codings_free(&codings);
    }
    for (i = 0; i <= sizeof bad_names / sizeof *bad_names; i++) {
        connect_compression_t bad = twist;
        cn_codings_options_t options = options_of(NULL);
        if (i < sizeof bad_names / sizeof *bad_names)
            bad.name = bad_names[i];
        else
            bad.decompress = NULL;
        options.registered = &bad;
        memset(&codings, 0, sizeof codings);
        assert_false(cn_codings_init(&codings, NULL, &options, &error));
        assert_int_equal(error.code, CONNECT_INVALID_ARGUMENT);
        cn_codings_free(&codings);
    }
    {
        cn_codings_options_t options = options_of("gzip, br");
        memset(&codings, 0, sizeof codings);
        assert_false(cn_codings_init(&codings, NULL, &options, &error));
        assert_int_equal(error.code, CONNECT_INVALID_ARGUMENT);
        cn_codings_free(&codings);
    }
    codings_new(&codings, NULL);
    coding = cn_codings_first_of_list(&codings, connect_str_of("br;q=1.0, *, gzip;q=0.000 , twist ; q=0.5, zstd"));
    assert_non_null(coding);
    assert_string_equal(coding->name, "twist");
    assert_true(cn_coding_in_list(coding, connect_str_of("a,TWIST")));
    assert_false(cn_coding_in_list(coding, connect_str_of("twist;q=0")));
    assert_null(cn_codings_first_of_list(&codings, connect_str_of("")));
    assert_string_equal(cn_coding_name(NULL), "identity");
    assert_true(cn_codings_choose(&codings, NULL, &coding, &error) && !coding);
    assert_true(cn_codings_choose(&codings, "identity", &coding, &error) && !coding);
    assert_true(cn_codings_choose(&codings, "zstd", &coding, &error) && coding);
    assert_false(cn_codings_choose(&codings, "br", &coding, &error));
    cn_codings_free(&codings);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trips), cmocka_unit_test(test_broken),
        cmocka_unit_test(test_bombs), cmocka_unit_test(test_zstd_frames), cmocka_unit_test(test_allocations),
        cmocka_unit_test(test_options)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
