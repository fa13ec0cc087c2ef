#include "base/meter.h"
#include "base/mem.h"

/* All memory of a server in one number. Every block carries its size before it, as the allocator's interface gives none
   back; CN_METER_HEAD bytes, so that the alignment stays. What would pass the limit is refused as if there were no
   more memory.

   Blocks may outlive their server (a call that is promised, a connection of the user's transport): the meter stays for
   them.

   `used` is changed with atomic operations: a handler that answers later may take from its call's arena in another
   thread. */

#define CN_METER_HEAD 16u

static bool cn_meter_take(cn_meter_t *meter, size_t size) {
    const size_t used = __atomic_add_fetch(&meter->used, size, __ATOMIC_RELAXED);
    if (used <= meter->limit && used >= size) return true;
    __atomic_sub_fetch(&meter->used, size, __ATOMIC_RELAXED);
    return false;
}

static void cn_meter_give_back(cn_meter_t *meter, size_t size) {
    __atomic_sub_fetch(&meter->used, size, __ATOMIC_RELAXED);
}

static void *cn_meter_resize(void *ctx, void *block, size_t size) {
    cn_meter_t *meter = (cn_meter_t *)ctx;
    char *whole = block ? (char *)block - CN_METER_HEAD : NULL;
    size_t before = 0, after = size + CN_METER_HEAD;
    if (after < size) return NULL;
    if (whole) memcpy(&before, whole, sizeof before);
    if (after > before && !cn_meter_take(meter, after - before)) return NULL;
    whole = (char *)meter->under->resize(meter->under->ctx, whole, after);
    if (!whole) {
        if (after > before) cn_meter_give_back(meter, after - before);
        return NULL;
    }
    if (before > after) cn_meter_give_back(meter, before - after);
    memcpy(whole, &after, sizeof after);
    return whole + CN_METER_HEAD;
}

static void *cn_meter_acquire(void *ctx, size_t size) {
    cn_meter_t *meter = (cn_meter_t *)ctx;
    const size_t whole = size + CN_METER_HEAD;
    char *block;
    if (whole < size || !cn_meter_take(meter, whole)) return NULL;
    block = (char *)meter->under->acquire(meter->under->ctx, whole);
    if (!block) {
        cn_meter_give_back(meter, whole);
        return NULL;
    }
    memcpy(block, &whole, sizeof whole);
    return block + CN_METER_HEAD;
}

static void cn_meter_release(void *ctx, void *block) {
    cn_meter_t *meter = (cn_meter_t *)ctx;
    char *whole = block ? (char *)block - CN_METER_HEAD : NULL;
    size_t size;
    if (!whole) return;
    memcpy(&size, whole, sizeof size);
    meter->under->release(meter->under->ctx, whole);
    cn_meter_give_back(meter, size);
    if (meter->freed) cn_meter_free(meter);
}

CN_PRIVATE cn_meter_t *cn_meter_new(const connect_allocator_t *under, size_t limit) {
    cn_meter_t *meter = (cn_meter_t *)cn_mem_acquire(under, sizeof *meter);
    if (!meter) return NULL;
    meter->allocator.acquire = cn_meter_acquire;
    meter->allocator.resize = cn_meter_resize;
    meter->allocator.release = cn_meter_release;
    meter->allocator.ctx = meter;
    meter->under = under ? under : connect_allocator_libc();
    meter->limit = limit;
    return meter;
}

CN_PRIVATE void cn_meter_free(cn_meter_t *meter) {
    if (!meter) return;
    meter->freed = true;
    if (meter->used == 0) cn_mem_release(meter->under, meter);
}

CN_PRIVATE bool cn_meter_is_high(const cn_meter_t *meter) {
    return __atomic_load_n(&meter->used, __ATOMIC_RELAXED) > meter->limit - meter->limit / 4;
}
