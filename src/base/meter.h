#pragma once
#include "base/sys.h"

typedef struct cn_meter_t {        /* an allocator that counts, and stops at a limit */
    connect_allocator_t allocator; /* over `under`, for all that is counted */
    const connect_allocator_t *under;
    size_t limit, used;
    bool waiting; /* something waits until it is not high any more */
    bool freed;   /* by its owner: it goes with the last block */
} cn_meter_t;

/* Makes one; NULL: out of memory. under: NULL is libc. limit: SIZE_MAX: none. */
CN_PRIVATE cn_meter_t *cn_meter_new(const connect_allocator_t *under, size_t limit);
/* Frees it, at the latest when its last block is released. */
CN_PRIVATE void cn_meter_free(cn_meter_t *meter_or_null);
/* Tells whether so much is used that nothing new should begin: three quarters of the limit. */
CN_PRIVATE bool cn_meter_is_high(const cn_meter_t *meter);
