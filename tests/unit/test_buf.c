/* The byte queue, against a plain array at random; and the pool of blocks. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"

#define MODEL_MAX 100000
#define SLACK 16 /* as buf.h promises */

typedef struct model {
    char bytes[MODEL_MAX];
    size_t len;
} model;

static void check(const cn_buf_t *buf, const model *m) {
    connect_str_t view = cn_buf_view(buf);
    assert_int_equal(cn_buf_len(buf), m->len);
    assert_int_equal(view.len, m->len);
    assert_non_null(view.data);
    if (m->len) assert_memory_equal(view.data, m->bytes, m->len);
    assert_true(buf->start <= buf->end && buf->end <= buf->capacity);
    if (m->len == 0) assert_true(buf->start == 0 && buf->end == 0);
    if (buf->block) { /* what stands behind the bytes may be read */
        char behind[SLACK];
        memcpy(behind, view.data + view.len, SLACK);
        assert_true(memchr(behind, behind[SLACK - 1], SLACK) != NULL);
    }
}

/* failing: every fourth allocation is refused; then nothing has changed. */
static void run_against_an_array(uint32_t random, bool failing) {
    static model m;
    failing_allocator f;
    cn_buf_t buf = {NULL, 0, 0, 0};
    char bytes[3000];
    size_t i, refused = 0;
    int step;
    m.len = 0;
    failing_init(&f, SIZE_MAX, false);
    for (step = 0; step < 4000; step++) {
        size_t len;
        random = random * 1664525u + 1013904223u;
        len = random >> 30 ? (random >> 20) % 100 : (random >> 15) % sizeof bytes;
        for (i = 0; i < len; i++)
            bytes[i] = (char)(step + (int)i);
        f.fail_at = failing && step % 4 == 0 ? f.calls : SIZE_MAX;
        switch ((random >> 10) % 8) {
        case 0:
        case 1:
        case 2:
            if (m.len + len > MODEL_MAX) break;
            if (cn_buf_append(&buf, &f.allocator, len ? bytes : NULL, len)) {
                memcpy(m.bytes + m.len, bytes, len);
                m.len += len;
            } else {
                refused++;
            }
            break;
        case 3: { /* more is reserved than written */
            char *to;
            if (m.len + len > MODEL_MAX) break;
            to = cn_buf_reserve(&buf, &f.allocator, len + 50);
            if (!to) {
                refused++;
                break;
            }
            assert_ptr_equal(to, cn_buf_view(&buf).data + m.len);
            memset(to, 0x5A, len + 50);
            if (len && random & 0x2000) { /* and they are made to stand further up */
                cn_buf_move_up(&buf, 50);
                to += 50;
            }
            memcpy(to, bytes, len);
            cn_buf_commit(&buf, len);
            memcpy(m.bytes + m.len, bytes, len);
            m.len += len;
            break;
        }
        case 4:
        case 5:
            if (len > m.len) len = m.len;
            cn_buf_drop(&buf, len);
            memmove(m.bytes, m.bytes + len, m.len - len);
            m.len -= len;
            break;
        case 6:
            if (len > m.len) len = m.len;
            cn_buf_truncate(&buf, m.len - len);
            m.len -= len;
            break;
        default:
            if (random & 0x1E000) break;
            if (random & 0x40000)
                cn_buf_clear(&buf);
            else
                cn_buf_free(&buf, &f.allocator);
            m.len = 0;
        }
        check(&buf, &m);
        assert_true(f.live <= 1);
    }
    assert_int_equal(refused > 0, failing);
    cn_buf_free(&buf, &f.allocator);
    assert_null(buf.block);
    assert_int_equal(f.live, 0);
}
static void test_against_an_array(void **state) {
    uint32_t seed;
    (void)state;
    for (seed = 1; seed <= 20; seed++) {
        run_against_an_array(seed, false);
        run_against_an_array(seed, true);
    }
}

/* A queue that is read as fast as it is written keeps its block. */
static void test_no_growth(void **state) {
    failing_allocator f;
    cn_buf_t buf = {NULL, 0, 0, 0};
    char bytes[200] = "";
    int i;
    (void)state;
    failing_init(&f, SIZE_MAX, false);
    assert_true(cn_buf_append_str(&buf, &f.allocator, cn_str(bytes, sizeof bytes)));
    for (i = 0; i < 10000; i++) {
        assert_true(cn_buf_append(&buf, &f.allocator, bytes, 100 + (size_t)i % 100));
        cn_buf_drop(&buf, 100 + (size_t)i % 100);
    }
    assert_int_equal(f.calls, 1);
    cn_buf_free(&buf, &f.allocator);
}

static void test_too_much(void **state) {
    failing_allocator f;
    cn_buf_t buf = {NULL, 0, 0, 0};
    (void)state;
    failing_init(&f, SIZE_MAX, false);
    assert_true(cn_buf_append(&buf, &f.allocator, "abc", 3));
    assert_null(cn_buf_reserve(&buf, &f.allocator, SIZE_MAX));
    assert_null(cn_buf_reserve(&buf, &f.allocator, SIZE_MAX - 2));
    assert_null(cn_buf_reserve(&buf, &f.allocator, SIZE_MAX / 2));
    assert_int_equal(f.calls, 1);
    assert_str(cn_buf_view(&buf), "abc");
    cn_buf_free(&buf, &f.allocator);
    cn_buf_free(&buf, &f.allocator);
    assert_str(cn_buf_view(&buf), "");
}

static void test_pool(void **state) {
    failing_allocator f;
    cn_buf_pool_t pool;
    cn_buf_t bufs[20], buf = {NULL, 0, 0, 0};
    char *block;
    size_t i;
    (void)state;
    memset(&pool, 0, sizeof pool);
    memset(bufs, 0, sizeof bufs);
    failing_init(&f, SIZE_MAX, false);
    cn_buf_borrow(&buf, &pool); /* nothing there */
    assert_null(buf.block);
    cn_buf_give_back(&buf, &pool, &f.allocator);
    assert_int_equal(pool.count, 0);
    for (i = 0; i < 20; i++)
        assert_true(cn_buf_append(&bufs[i], &f.allocator, "abc", 3));
    for (i = 0; i < 20; i++) {
        cn_buf_drop(&bufs[i], 3);
        cn_buf_give_back(&bufs[i], &pool, &f.allocator);
        assert_null(bufs[i].block);
        assert_int_equal(bufs[i].capacity, 0);
    }
    assert_int_equal(pool.count, 16); /* four were one too many */
    assert_int_equal(f.live, 16);
    assert_true(cn_buf_append(&buf, &f.allocator, "own", 3));
    block = buf.block;
    cn_buf_borrow(&buf, &pool); /* has one already */
    assert_ptr_equal(buf.block, block);
    assert_str(cn_buf_view(&buf), "own");
    cn_buf_free(&buf, &f.allocator);
    for (i = 0; i < 16; i++) {
        cn_buf_borrow(&bufs[i], &pool);
        assert_non_null(bufs[i].block);
        assert_str(cn_buf_view(&bufs[i]), "");
    }
    cn_buf_borrow(&bufs[16], &pool);
    assert_null(bufs[16].block);
    i = f.calls;
    assert_true(cn_buf_append(&bufs[0], &f.allocator, "again", 5)); /* into the borrowed block */
    assert_int_equal(f.calls, i);
    assert_non_null(cn_buf_reserve(&bufs[1], &f.allocator, 64 * 1024));
    assert_non_null(cn_buf_reserve(&bufs[2], &f.allocator, 64 * 1024 + 1));
    for (i = 0; i < 16; i++) {
        cn_buf_clear(&bufs[i]);
        cn_buf_give_back(&bufs[i], &pool, &f.allocator);
    }
    assert_int_equal(pool.count, 16);
    assert_int_equal(pool.large_bytes, 64 * 1024 + 512);
    for (i = 0; i < 16; i++) {
        cn_buf_borrow(&bufs[i], &pool);
        assert_non_null(cn_buf_reserve(&bufs[i], &f.allocator, 256 * 1024));
    }
    assert_int_equal(pool.large_bytes, 0);
    for (i = 0; i < 16; i++)
        cn_buf_give_back(&bufs[i], &pool, &f.allocator);
    assert_int_equal(pool.count, 4); /* of 256 KiB: more would be over 1 MiB */
    assert_int_equal(pool.large_bytes, 1024 * 1024);
    assert_int_equal(f.live, 4);
    cn_buf_pool_free(&pool, &f.allocator);
    assert_int_equal(pool.count, 0);
    assert_int_equal(f.live, 0);
}

/* A claim never takes more than four times what is there, and what is whole takes no more than the claim. */
static void test_part(void **state) {
    static const size_t pieces[] = {1, 100, 700, 16 * 1024};
    static char bytes[16 * 1024];
    size_t i, k;
    (void)state;
    for (i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7);
    for (k = 0; k < 4; k++) {
        const size_t whole = 300 * 1000, piece = pieces[k];
        failing_allocator f;
        cn_buf_t buf = {NULL, 0, 0, 0};
        size_t moves = 0;
        failing_init(&f, SIZE_MAX, false);
        for (i = 0; i < whole; i += piece) {
            const size_t len = i + piece < whole ? piece : whole - i, before = f.calls;
            assert_true(cn_buf_append_part(&buf, &f.allocator, bytes, len, whole));
            moves += f.calls != before;
            assert_true(buf.capacity <= 4 * (i + len) || buf.capacity == 512);
        }
        assert_int_equal(buf.capacity, whole);
        assert_true(moves <= 6);
        assert_int_equal(cn_buf_len(&buf), whole);
        for (i = 0; i < whole; i++)
            if (cn_buf_view(&buf).data[i] != bytes[i % piece]) fail_msg("byte %lu differs", (unsigned long)i);
        assert_true(cn_buf_append_part(&buf, &f.allocator, bytes, 100, whole)); /* more than was said */
        assert_memory_equal(cn_buf_view(&buf).data + whole, bytes, 100);
        f.fail_at = f.calls;
        cn_buf_free(&buf, &f.allocator);
        assert_int_equal(f.live, 0);
    }
}

static bool run_with_allocator(const connect_allocator_t *allocator, void *arg) {
    cn_buf_t buf = {NULL, 0, 0, 0};
    bool ok = true;
    int i;
    (void)arg;
    for (i = 0; ok && i < 5000; i++) {
        char byte = (char)i;
        ok = cn_buf_append(&buf, allocator, &byte, 1);
        if (!ok) assert_int_equal(cn_buf_len(&buf), i);
    }
    for (i = 0; i < (int)cn_buf_len(&buf); i++)
        assert_int_equal(cn_buf_view(&buf).data[i], (char)i);
    cn_buf_free(&buf, allocator);
    return ok;
}
static void test_allocations(void **state) {
    (void)state;
    sweep_allocations(run_with_allocator, NULL);
}

static void test_spares(void **state) {
    failing_allocator f;
    cn_buf_pool_t pool;
    char *a, *b, *c;
    (void)state;
    memset(&pool, 0, sizeof pool);
    failing_init(&f, SIZE_MAX, false);
    a = (char *)cn_mem_acquire(&f.allocator, 64);
    b = (char *)cn_mem_acquire(&f.allocator, 64);
    c = (char *)cn_mem_acquire(&f.allocator, 128);
    assert_null(cn_buf_take_spare(&pool, 0, 64));
    cn_buf_keep_spare(&pool, 0, a, 64);
    cn_buf_keep_spare(&pool, 1, c, 128);
    assert_true(cn_buf_has_room_for_spare(&pool, 64, 256));
    cn_buf_keep_spare(&pool, 0, b, 64);
    assert_false(cn_buf_has_room_for_spare(&pool, 64, 256));
    assert_null(cn_buf_take_spare(&pool, 2, 192));
    assert_ptr_equal(cn_buf_take_spare(&pool, 0, 64), b);
    assert_int_equal(pool.spare_bytes, 192);
    cn_mem_release(&f.allocator, b);
    cn_buf_pool_free(&pool, &f.allocator);
    assert_int_equal(f.live, 0);
    assert_int_equal(pool.spare_bytes, 0);
}

static void test_shared(void **state) {
    failing_allocator memory;
    cn_buf_pool_t pool;
    void *block;
    (void)state;
    memset(&pool, 0, sizeof pool);
    failing_init(&memory, 0, false);
    assert_null(cn_buf_share(&pool, &memory.allocator, 1000));
    assert_int_equal(pool.sharers, 0);
    failing_init(&memory, SIZE_MAX, false);
    block = cn_buf_share(&pool, &memory.allocator, 1000);
    assert_non_null(block);
    assert_ptr_equal(cn_buf_share(&pool, &memory.allocator, 1000), block);
    assert_int_equal(memory.live, 1);
    cn_buf_unshare(&pool, &memory.allocator);
    assert_int_equal(memory.live, 1);
    cn_buf_unshare(&pool, &memory.allocator);
    assert_int_equal(memory.live, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_an_array),
        cmocka_unit_test(test_no_growth),
        cmocka_unit_test(test_too_much),
        cmocka_unit_test(test_part),
        cmocka_unit_test(test_pool),
        cmocka_unit_test(test_spares),
        cmocka_unit_test(test_shared),
        cmocka_unit_test(test_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
