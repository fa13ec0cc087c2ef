/* What the unit tests share: inputs that end at a guard page, an allocator that fails on purpose, small helpers.
   Include after connect.h, in a file that defines CONNECT_IMPLEMENTATION. */
#ifndef CONNECT_TESTS_SUPPORT_H
#define CONNECT_TESTS_SUPPORT_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#define SUPPORT_UNUSED __attribute__((unused))

/* ---- Guard page: bytes whose last one is the last of a page, and nothing readable `slack` bytes behind it ---- */
typedef struct guarded {
    char *data; /* len bytes, then slack bytes of 0xA5, then the guard page */
    size_t len;
    void *map;
    size_t map_size;
} guarded;

static SUPPORT_UNUSED guarded guarded_new(size_t len, size_t slack) {
    guarded g;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t body = (len + slack + page - 1) / page * page;
    if (body == 0) body = page;
    g.map_size = body + page;
    g.map = mmap(NULL, g.map_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(g.map != MAP_FAILED);
    assert_int_equal(mprotect((char *)g.map + body, page, PROT_NONE), 0);
    g.data = (char *)g.map + body - len - slack;
    g.len = len;
    memset(g.data + len, 0xA5, slack);
    return g;
}
static SUPPORT_UNUSED guarded guarded_copy(const void *bytes, size_t len, size_t slack) {
    guarded g = guarded_new(len, slack);
    if (len) memcpy(g.data, bytes, len);
    return g;
}
static SUPPORT_UNUSED void guarded_free(guarded *g) {
    munmap(g->map, g->map_size);
    g->map = NULL;
}

/* ---- Failing allocator: counts, and fails allocation number fail_at (from 0) once, or all from there on ---- */
typedef struct failing_allocator {
    connect_allocator_t allocator;               /* give &f.allocator to the library */
    size_t calls, live, fail_at, largest, taken; /* largest: block asked for; taken: bytes, all together */
    bool sticky, fired;
} failing_allocator;

static SUPPORT_UNUSED bool failing_now(failing_allocator *f, size_t size) {
    bool fail = f->calls == f->fail_at || (f->sticky && f->calls > f->fail_at);
    f->calls++;
    if (size > f->largest) f->largest = size;
    f->taken += size;
    f->fired = f->fired || fail;
    return fail;
}
static SUPPORT_UNUSED void *failing_acquire(void *ctx, size_t size) {
    failing_allocator *f = (failing_allocator *)ctx;
    void *block = failing_now(f, size) ? NULL : malloc(size);
    if (block) f->live++;
    return block;
}
static SUPPORT_UNUSED void *failing_resize(void *ctx, void *block, size_t size) {
    failing_allocator *f = (failing_allocator *)ctx;
    void *moved = failing_now(f, size) ? NULL : realloc(block, size);
    if (moved && !block) f->live++;
    return moved;
}
static SUPPORT_UNUSED void failing_release(void *ctx, void *block) {
    failing_allocator *f = (failing_allocator *)ctx;
    if (block) {
        assert_true(f->live > 0);
        f->live--;
    }
    free(block);
}
/* fail_at: SIZE_MAX never fails, and only counts. */
static SUPPORT_UNUSED void failing_init(failing_allocator *f, size_t fail_at, bool sticky) {
    memset(f, 0, sizeof *f);
    f->allocator.acquire = failing_acquire;
    f->allocator.resize = failing_resize;
    f->allocator.release = failing_release;
    f->allocator.ctx = f;
    f->fail_at = fail_at;
    f->sticky = sticky;
}
/* Runs `run` with allocation 0, 1, 2 ... failing, once and sticky, until nothing failed any more. `run` gets the
   allocator, must free all it took, and returns whether it succeeded; it may fail only if the allocator fired, and must
   succeed if it did not. */
static SUPPORT_UNUSED void sweep_allocations(bool (*run)(const connect_allocator_t *allocator, void *arg), void *arg) {
    int sticky;
    for (sticky = 0; sticky < 2; sticky++) {
        size_t i;
        for (i = 0;; i++) {
            failing_allocator f;
            bool ok;
            failing_init(&f, i, sticky != 0);
            ok = run(&f.allocator, arg);
            assert_int_equal(f.live, 0);
            if (!f.fired) {
                assert_true(ok);
                break;
            }
            assert_true(i < 100000);
        }
    }
}

/* ---- Views ---- */
static SUPPORT_UNUSED void assert_str(connect_str_t actual, const char *expected) {
    size_t len = strlen(expected);
    if (actual.len != len || memcmp(actual.data ? actual.data : "", expected, len) != 0)
        fail_msg("expected \"%s\", got \"%.*s\"", expected, (int)actual.len, actual.data ? actual.data : "(absent)");
}
#endif
