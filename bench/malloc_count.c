/* LD_PRELOAD: counts how often a process takes memory from libc, and writes it to $MALLOC_COUNT_FILE when it exits. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);

static unsigned long taken;

void *malloc(size_t size) {
    __atomic_add_fetch(&taken, 1, __ATOMIC_RELAXED);
    return __libc_malloc(size);
}
void *calloc(size_t count, size_t size) {
    __atomic_add_fetch(&taken, 1, __ATOMIC_RELAXED);
    return __libc_calloc(count, size);
}
void *realloc(void *block, size_t size) {
    __atomic_add_fetch(&taken, 1, __ATOMIC_RELAXED);
    return __libc_realloc(block, size);
}

static __attribute__((destructor)) void write_count(void) {
    const char *name = getenv("MALLOC_COUNT_FILE");
    unsigned long count = __atomic_load_n(&taken, __ATOMIC_RELAXED);
    FILE *file = name ? fopen(name, "w") : NULL;
    if (!file) return;
    fprintf(file, "%lu\n", count);
    fclose(file);
}
