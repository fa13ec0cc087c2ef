#include "io/tls_bearssl.h"
#include "base/mem.h"
#include "base/str.h"

#if CONNECT_ENABLE_TLS
/* Sessions to be resumed, of both roles. A server finds one by the session ID that the client sends; a client by the
   server's name, address and protocols. What the full handshake found out about the peer is kept with the session: a
   resumed one checks no certificates, so the identity must come from here, and never from anywhere else.

   Sets of CN_BEAR_WAYS entries, chosen by a hash of the key; the one used least recently goes. So memory is bounded,
   nothing is ever moved, and a flood of sessions costs each other one a quarter of a chance. A session ends after a day
   (RFC 5246 F.1.4), and when a certificate of the peer does. Master secrets are wiped as they go. */

#define CN_BEAR_WAYS 4
#define CN_BEAR_SESSION_S (24 * 3600)

struct cn_bear_entry_t {
    uint32_t used; /* when, by the cache's clock */
    int64_t expires;
    cn_bear_resumable_t session;
    size_t key_len;
    char key[];
};

CN_PRIVATE void cn_bear_peer_hold(cn_bear_peer_t *peer) {
    if (peer) __atomic_add_fetch(&peer->refs, 1, __ATOMIC_RELAXED);
}

CN_PRIVATE void cn_bear_peer_release(cn_bear_peer_t *peer) {
    if (peer && __atomic_sub_fetch(&peer->refs, 1, __ATOMIC_ACQ_REL) == 0) cn_mem_release(peer->allocator, peer);
}

CN_PRIVATE bool cn_bear_cache_init(cn_bear_cache_t *cache, const connect_allocator_t *allocator, uint32_t capacity) {
    size_t sets = capacity / CN_BEAR_WAYS + (capacity % CN_BEAR_WAYS != 0);
    cache->allocator = allocator;
    if (sets == 0) return true;
    if (sets > SIZE_MAX / CN_BEAR_WAYS / sizeof *cache->entries) return false;
    cache->entries = (cn_bear_entry_t **)cn_mem_acquire(allocator, sets * CN_BEAR_WAYS * sizeof *cache->entries);
    if (!cache->entries) return false;
    if (pthread_mutex_init(&cache->mutex, NULL) != 0) return false;
    cache->sets = sets;
    return true;
}

static void cn_bear_entry_free(const cn_bear_cache_t *cache, cn_bear_entry_t *entry) {
    if (!entry) return;
    cn_mem_wipe(entry->session.parameters.master_secret, sizeof entry->session.parameters.master_secret);
    cn_bear_peer_release(entry->session.peer);
    cn_mem_release(cache->allocator, entry);
}

CN_PRIVATE void cn_bear_cache_free(cn_bear_cache_t *cache) {
    size_t i;
    for (i = 0; i < cache->sets * CN_BEAR_WAYS; i++)
        cn_bear_entry_free(cache, cache->entries[i]);
    if (cache->sets) pthread_mutex_destroy(&cache->mutex);
    cn_mem_release(cache->allocator, cache->entries);
    cache->entries = NULL;
    cache->sets = 0;
}

static cn_bear_entry_t **cn_bear_cache_set(cn_bear_cache_t *cache, connect_str_t key) {
    return cache->entries + cn_str_hash(key) % cache->sets * CN_BEAR_WAYS;
}

static bool cn_bear_entry_is(const cn_bear_entry_t *entry, connect_str_t key) {
    return entry && entry->key_len == key.len && memcmp(entry->key, key.data, key.len) == 0;
}

CN_PRIVATE void cn_bear_cache_put(
    cn_bear_cache_t *cache, connect_str_t key, const cn_bear_resumable_t *session, int64_t now) {
    const cn_bear_peer_t *peer = session->peer;
    cn_bear_entry_t *entry, **set, **chosen, *old;
    size_t i;
    if (cache->sets == 0) return;
    entry = (cn_bear_entry_t *)cn_mem_acquire(cache->allocator, sizeof *entry + key.len);
    if (!entry) return;
    entry->session = *session;
    cn_bear_peer_hold(session->peer);
    entry->expires =
        peer && peer->is_verified ? CN_MIN(now + CN_BEAR_SESSION_S, peer->not_after) : now + CN_BEAR_SESSION_S;
    entry->key_len = key.len;
    memcpy(entry->key, key.data, key.len);
    pthread_mutex_lock(&cache->mutex);
    set = cn_bear_cache_set(cache, key);
    chosen = set;
    for (i = 0; i < CN_BEAR_WAYS; i++) {
        if (cn_bear_entry_is(set[i], key)) {
            chosen = &set[i];
            break;
        }
        if (*chosen && (!set[i] || (int32_t)(set[i]->used - (*chosen)->used) < 0)) chosen = &set[i];
    }
    entry->used = ++cache->clock;
    old = *chosen;
    *chosen = entry;
    pthread_mutex_unlock(&cache->mutex);
    cn_bear_entry_free(cache, old);
}

CN_PRIVATE bool cn_bear_cache_get(
    cn_bear_cache_t *cache, connect_str_t key, cn_bear_resumable_t *session, int64_t now) {
    cn_bear_entry_t **set, *expired = NULL;
    bool found = false;
    size_t i;
    memset(session, 0, sizeof *session);
    if (cache->sets == 0) return false;
    pthread_mutex_lock(&cache->mutex);
    set = cn_bear_cache_set(cache, key);
    for (i = 0; i < CN_BEAR_WAYS && !found; i++) {
        if (!cn_bear_entry_is(set[i], key)) continue;
        if (set[i]->expires < now || set[i]->expires > now + CN_BEAR_SESSION_S) { /* or the clock was set back */
            expired = set[i];
            set[i] = NULL;
            break;
        }
        set[i]->used = ++cache->clock;
        *session = set[i]->session;
        cn_bear_peer_hold(session->peer);
        found = true;
    }
    pthread_mutex_unlock(&cache->mutex);
    cn_bear_entry_free(cache, expired);
    return found;
}
#endif
