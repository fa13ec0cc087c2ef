/* Memory: what an arena gives out is aligned, zeroed and disjoint; growing, resetting, the caller's first block. */
#define CONNECT_IMPLEMENTATION
#include "connect.h"
#include "support.h"

#define STR(literal) ((connect_str_t){(literal), sizeof(literal) - 1})
#define TAKES 2000

static bool aligned(const void *at) {
    return (uintptr_t)at % 16 == 0;
}

/* ---- The allocator ---- */

static void test_allocator(void **state) {
    failing_allocator f;
    unsigned char *block;
    size_t i;
    (void)state;
    assert_ptr_equal(connect_allocator_libc(), connect_allocator_libc());
    failing_init(&f, SIZE_MAX, false);
    block = (unsigned char *)cn_mem_acquire(&f.allocator, 300);
    for (i = 0; i < 300; i++)
        assert_int_equal(block[i], 0);
    memset(block, 7, 300);
    block = (unsigned char *)cn_mem_resize(&f.allocator, block, 5000);
    for (i = 0; i < 300; i++)
        assert_int_equal(block[i], 7);
    assert_int_equal(f.calls, 2);
    cn_mem_release(&f.allocator, block);
    cn_mem_release(&f.allocator, NULL);
    assert_int_equal(f.live, 0);
    block = (unsigned char *)cn_mem_acquire(NULL, 0); /* size 0 is taken as 1 */
    assert_non_null(block);
    block[0] = 1;
    block = (unsigned char *)cn_mem_resize(NULL, block, 0);
    assert_non_null(block);
    cn_mem_release(NULL, block);
    failing_init(&f, 0, true);
    assert_null(cn_mem_acquire(&f.allocator, 1));
    assert_null(cn_mem_resize(&f.allocator, NULL, 1));
}

/* ---- Taking ---- */

/* Every size, from arenas whose first block begins and ends anywhere: aligned, zeroed, and nothing overlaps. */
static void test_take(void **state) {
    static char first[700];
    size_t shift;
    (void)state;
    for (shift = 0; shift < 40; shift++) {
        connect_arena_t arena;
        unsigned char *taken[300];
        size_t size, i;
        memset(first, 0x55, sizeof first);
        connect_arena_init(&arena, first + shift, sizeof first - shift - shift % 7, connect_allocator_libc());
        for (size = 0; size < 300; size++) {
            taken[size] = (unsigned char *)connect_arena_take(&arena, 1, size);
            assert_non_null(taken[size]);
            assert_true(aligned(taken[size]));
            for (i = 0; i < size; i++)
                assert_int_equal(taken[size][i], 0);
            memset(taken[size], (int)(size & 0xFF), size);
        }
        for (size = 0; size < 300; size++) {
            for (i = 0; i < size; i++)
                assert_int_equal(taken[size][i], size & 0xFF);
            if (size) assert_ptr_not_equal(taken[size], taken[size - 1]);
        }
        for (i = 0; i < shift; i++)
            assert_int_equal(first[i], 0x55);
        for (i = sizeof first - shift % 7; i < sizeof first; i++)
            assert_int_equal(first[i], 0x55);
        assert_false(arena.failed);
        connect_arena_free(&arena);
    }
}

static void test_take_overflow(void **state) {
    static const size_t bad[][2] = {{SIZE_MAX, 2}, {2, SIZE_MAX}, {SIZE_MAX / 2 + 1, 2}, {SIZE_MAX, 1},
        {SIZE_MAX - 15, 1}, {1, SIZE_MAX - 14}, {SIZE_MAX - 40, 1}, {SIZE_MAX, SIZE_MAX},
        {(size_t)1 << (sizeof(size_t) * 4), (size_t)1 << (sizeof(size_t) * 4)}};
    size_t i;
    (void)state;
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        connect_arena_t arena = CONNECT_DEFAULTS;
        failing_allocator f;
        failing_init(&f, SIZE_MAX, false);
        connect_arena_init(&arena, NULL, 0, &f.allocator);
        assert_null(connect_arena_take(&arena, bad[i][0], bad[i][1]));
        assert_true(arena.failed);
        assert_int_equal(f.calls, 0);                             /* refused before anyone is asked */
        assert_non_null(connect_arena_take(&arena, 0, SIZE_MAX)); /* nothing of anything is fine, and so is the arena */
        assert_non_null(connect_arena_take(&arena, SIZE_MAX, 0));
        assert_true(arena.failed); /* until it is reset */
        connect_arena_reset(&arena);
        assert_false(arena.failed);
        connect_arena_free(&arena);
        assert_int_equal(f.live, 0);
    }
}

/* ---- Blocks ---- */

static void test_growth(void **state) {
    connect_arena_t arena;
    failing_allocator f;
    size_t sizes[16], count = 0, i, last = 0;
    (void)state;
    failing_init(&f, SIZE_MAX, false);
    connect_arena_init(&arena, NULL, 0, &f.allocator);
    assert_int_equal(cn_arena_block_size(&arena), 0);
    for (i = 0; i < 60000; i++) {
        assert_non_null(connect_arena_take(&arena, 1, 16));
        if (cn_arena_block_size(&arena) != last && count < 16) sizes[count++] = last = cn_arena_block_size(&arena);
    }
    assert_int_equal(count, 9); /* 1 KiB, 2 KiB ... 256 KiB */
    for (i = 0; i < count; i++)
        assert_int_equal(sizes[i], (size_t)1024 << i);
    assert_true(f.calls < 14); /* 960,000 bytes */
    assert_int_equal(f.calls, f.live);
    assert_non_null(connect_arena_take(&arena, 1, 1000000)); /* one request that needs more */
    assert_true(cn_arena_block_size(&arena) >= 1000000);
    assert_true(cn_arena_block_size(&arena) < 1001000);
    connect_arena_free(&arena);
    assert_int_equal(f.live, 0);
}

/* After a few rounds of the same work nothing is allocated any more. */
static void check_rounds(const size_t *sizes, size_t count) {
    connect_arena_t arena;
    failing_allocator f;
    size_t round, i, calls = 0;
    failing_init(&f, SIZE_MAX, false);
    connect_arena_init(&arena, NULL, 0, &f.allocator);
    for (round = 0; round < 12; round++) {
        calls = f.calls;
        for (i = 0; i < count; i++)
            assert_non_null(connect_arena_take(&arena, 1, sizes[i]));
        connect_arena_reset(&arena);
        assert_int_equal(f.live, 1);
    }
    assert_int_equal(f.calls, calls);
    connect_arena_free(&arena);
    assert_int_equal(f.live, 0);
}
static void test_rounds(void **state) {
    static const size_t small[] = {100, 200, 300, 400, 500, 600, 700, 800};
    static const size_t rising[] = {100, 1000, 10000, 100000};
    static const size_t falling[] = {100000, 10000, 1000, 100};
    (void)state;
    check_rounds(small, sizeof small / sizeof *small);
    check_rounds(rising, sizeof rising / sizeof *rising);
    check_rounds(falling, sizeof falling / sizeof *falling);
}

/* Reset keeps the largest block, whichever it is: also one above what blocks grow to, followed by a smaller one. */
static void test_reset_keeps_the_largest(void **state) {
    connect_arena_t arena;
    failing_allocator f;
    char *first, *again;
    (void)state;
    failing_init(&f, SIZE_MAX, false);
    connect_arena_init(&arena, NULL, 0, &f.allocator);
    connect_arena_reset(&arena); /* of an empty one */
    assert_int_equal(f.calls, 0);
    first = (char *)connect_arena_take(&arena, 1, 1000000);
    assert_non_null(first);
    assert_non_null(connect_arena_take(&arena, 1, 2000)); /* does not fit: a block of 256 KiB */
    assert_int_equal(f.live, 2);
    connect_arena_reset(&arena);
    assert_int_equal(f.live, 1);
    assert_true(cn_arena_block_size(&arena) >= 1000000);
    again = (char *)connect_arena_take(&arena, 1, 1000000);
    assert_ptr_equal(again, first);
    assert_int_equal(again[999999], 0);
    assert_int_equal(f.calls, 2);
    connect_arena_free(&arena);
    assert_int_equal(f.live, 0);
}

static void test_fixed(void **state) {
    size_t size;
    (void)state;
    for (size = 0; size < 200; size++) {
        guarded memory = guarded_new(size, 0);
        connect_arena_t arena;
        size_t count = 0, again = 0;
        connect_arena_init(&arena, memory.data, size, NULL);
        assert_false(arena.failed);
        while (count < 100) {
            void *at = connect_arena_take(&arena, 1, 16);
            if (!at) break;
            memset(at, 1, 16);
            count++;
        }
        assert_true(arena.failed);
        assert_true(count * 16 <= size);
        if (size >= 150) assert_true(count >= 4); /* little is lost */
        assert_null(connect_arena_take(&arena, 1, 1));
        assert_null(connect_arena_copy(&arena, STR("x")).data);
        assert_null(connect_arena_printf(&arena, "x").data);
        connect_arena_reset(&arena);
        assert_false(arena.failed);
        while (connect_arena_take(&arena, 1, 16))
            again++;
        assert_int_equal(again, count);
        connect_arena_free(&arena);
        guarded_free(&memory);
    }
}

/* The caller's block is used first, kept over a reset, and never released. */
static void test_first_block(void **state) {
    char first[512];
    connect_arena_t arena;
    failing_allocator f;
    char *at;
    int i;
    (void)state;
    failing_init(&f, SIZE_MAX, false);
    connect_arena_init(&arena, first, sizeof first, &f.allocator);
    for (i = 0; i < 3; i++) {
        at = (char *)connect_arena_take(&arena, 1, 300);
        assert_true(at >= first && at + 300 <= first + sizeof first);
        assert_int_equal(f.calls, 0);
        connect_arena_reset(&arena);
    }
    assert_int_equal(cn_arena_block_size(&arena), 0);
    for (i = 0; i < 10; i++)
        assert_non_null(connect_arena_take(&arena, 1, 400));
    assert_true(f.live > 0);
    connect_arena_reset(&arena);
    assert_int_equal(f.live, 1);
    connect_arena_reset(&arena);
    assert_int_equal(f.live, 1);
    connect_arena_free(&arena);
    assert_int_equal(f.live, 0);
    assert_non_null(connect_arena_take(&arena, 1, 20)); /* freed is empty, not gone */
    connect_arena_free(&arena);
    connect_arena_free(&arena);
    assert_int_equal(f.live, 0);
    connect_arena_init(&arena, first, sizeof first, NULL);
    connect_arena_free(&arena);
    assert_null(connect_arena_take(&arena, 1, 1)); /* a fixed one stays fixed */
}

/* ---- Growing and shrinking ---- */

static void test_grow(void **state) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    char *list = NULL, *moved, *other;
    size_t len, i;
    (void)state;
    list = (char *)cn_arena_grow(&arena, NULL, 0, 10);
    assert_non_null(list);
    memset(list, 'x', 10);
    for (len = 10; len < 600; len++) { /* the last one grows where it is */
        moved = (char *)cn_arena_grow(&arena, list, len, len + 1);
        assert_ptr_equal(moved, list);
        list[len] = (char)('a' + len % 26);
    }
    other = (char *)connect_arena_take(&arena, 1, 16);
    assert_true(other >= list + 600);
    memset(other, 'o', 16);
    moved = (char *)cn_arena_grow(&arena, list, 600, 5000); /* another one stands behind it, and the block is full */
    assert_ptr_not_equal(moved, list);
    for (i = 0; i < 600; i++)
        assert_int_equal(moved[i], i < 10 ? 'x' : (char)('a' + i % 26));
    assert_true(moved + 5000 <= other || moved >= other + 16);
    memset(moved, 'm', 5000);
    for (i = 0; i < 16; i++)
        assert_int_equal(other[i], 'o');
    assert_null(cn_arena_grow(&arena, moved, 5000, SIZE_MAX));
    assert_null(cn_arena_grow(&arena, moved, 5000, SIZE_MAX - 20));
    assert_true(arena.failed);
    assert_int_equal(moved[4999], 'm');
    connect_arena_free(&arena);
}

static void test_grow_at_the_end_of_a_block(void **state) {
    char first[256];
    connect_arena_t arena;
    char *at, *moved;
    (void)state;
    connect_arena_init(&arena, first, sizeof first, NULL);
    at = (char *)connect_arena_take(&arena, 1, 16);
    assert_null(cn_arena_grow(&arena, at, 16, 512));
    assert_true(arena.failed);
    connect_arena_init(&arena, first, sizeof first, connect_allocator_libc());
    at = (char *)connect_arena_take(&arena, 1, 16);
    memset(at, 'a', 16);
    moved = (char *)cn_arena_grow(&arena, at, 16, 512);
    assert_true(moved < first || moved >= first + sizeof first);
    assert_memory_equal(moved, "aaaaaaaaaaaaaaaa", 16);
    memset(moved, 'b', 512);
    connect_arena_free(&arena);
}

static void test_shrink(void **state) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    char *at, *other, *last;
    (void)state;
    at = (char *)cn_arena_raw(&arena, 500);
    cn_arena_shrink(&arena, at, 500, 17);
    other = (char *)cn_arena_raw(&arena, 100);
    assert_ptr_equal(other, at + 32);
    cn_arena_shrink(&arena, at, 32, 1); /* not the last one: stays */
    last = (char *)cn_arena_raw(&arena, 1);
    assert_ptr_equal(last, other + 112);
    cn_arena_shrink(&arena, last, 1, 0); /* what was taken keeps an address of its own */
    assert_ptr_not_equal(cn_arena_raw(&arena, 1), last);
    connect_arena_free(&arena);
}

/* ---- Texts ---- */

static void test_copy(void **state) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    connect_str_t copy;
    size_t len;
    (void)state;
    for (len = 0; len < 70; len++) {
        guarded text = guarded_new(len, 0);
        memset(text.data, 'q', len);
        copy = connect_arena_copy(&arena, cn_str(text.data, len));
        assert_int_equal(copy.len, len);
        assert_memory_equal(copy.data, text.data, len);
        assert_int_equal(copy.data[len], 0);
        guarded_free(&text);
    }
    copy = connect_arena_copy(&arena, cn_str(NULL, 0));
    assert_non_null(copy.data);
    assert_int_equal(copy.data[0], 0);
    assert_false(arena.failed);
    copy = connect_arena_copy(&arena, cn_str("x", SIZE_MAX));
    assert_null(copy.data);
    assert_int_equal(copy.len, 0);
    assert_true(arena.failed);
    connect_arena_free(&arena);
}

static void test_printf(void **state) {
    connect_arena_t arena = CONNECT_DEFAULTS;
    char expected[700];
    connect_str_t text;
    int len;
    (void)state;
    for (len = 0; len < 600; len++) { /* around the 256 bytes of the first try */
        memset(expected, 'z', sizeof expected);
        expected[len] = 0;
        text = connect_arena_printf(&arena, "%s", expected);
        assert_int_equal(text.len, len);
        assert_string_equal(text.data, expected);
    }
    text = connect_arena_printf(&arena, "%d %s %u " CONNECT_STR_FMT, -1, "two", 3u, CONNECT_STR_ARG(STR("four")));
    assert_int_equal(text.len, 13);
    assert_string_equal(text.data, "-1 two 3 four");
    assert_false(arena.failed);
    connect_arena_free(&arena);
}

/* ---- No memory ---- */

static bool run_with_allocator(const connect_allocator_t *allocator, void *arg) {
    char first[128];
    connect_arena_t arena;
    char *grown = NULL;
    bool ok = true;
    size_t i;
    (void)arg;
    connect_arena_init(&arena, first, sizeof first, allocator);
    for (i = 0; i < TAKES; i++) {
        unsigned char *at = CONNECT_NEW(&arena, unsigned char, i % 97);
        char *more;
        ok = at && ok;
        if (at) memset(at, 0xEE, i % 97);
        ok = connect_arena_copy(&arena, STR("a copy")).data && ok;
        ok = connect_arena_printf(&arena, "%300d", 7).data && ok;
        more = (char *)cn_arena_grow(&arena, grown, i * 8, i * 8 + 8);
        ok = more && ok;
        if (!more) break;
        grown = more;
        memset(grown + i * 8, (int)i, 8);
    }
    for (i = 0; ok && i < TAKES; i++)
        assert_int_equal((unsigned char)grown[i * 8 + 7], i & 0xFF);
    assert_int_equal(arena.failed, !ok);
    connect_arena_reset(&arena);
    assert_false(arena.failed);
    connect_arena_free(&arena);
    return ok;
}
static void test_allocations(void **state) {
    (void)state;
    sweep_allocations(run_with_allocator, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_allocator),
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_take_overflow),
        cmocka_unit_test(test_growth),
        cmocka_unit_test(test_rounds),
        cmocka_unit_test(test_reset_keeps_the_largest),
        cmocka_unit_test(test_fixed),
        cmocka_unit_test(test_first_block),
        cmocka_unit_test(test_grow),
        cmocka_unit_test(test_grow_at_the_end_of_a_block),
        cmocka_unit_test(test_shrink),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_printf),
        cmocka_unit_test(test_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
