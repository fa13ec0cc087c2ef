#include "loop/resolve.h"
#include "base/str.h"
#include "client/client.h"
#include "client/name.h"
#include "loop/address.h"
#include "loop/loop.h"

/* The default resolver: getaddrinfo, which knows all that the system is set up for (hosts file, DNS, mDNS, NSS) and may
   block for many seconds. So it runs in a thread of its own, which lives only while a name is looked up; a literal
   address, and an empty host (loopback), need none. It touches nothing but its job, and posts it to the loop.

   A job is owned by both, the thread and the question. `lock` guards `abandoned` and the post: a client that is freed
   abandons its job, after which the thread does not know the loop any more, and frees the job at its end; what was
   posted before is taken back. Its memory is libc's, as the user's allocator belongs to one thread.

   The order is getaddrinfo's (RFC 6724), but the families take turns (RFC 8305 4): so that of two addresses that are
   tried soon one is of the other family. An answer is good for CN_RESOLVE_VALID_MS: getaddrinfo tells no TTL. */

#if CONNECT_ENABLE_CLIENT && CONNECT_ENABLE_SOCKETS
#define CN_RESOLVE_VALID_MS 30000u
#define CN_RESOLVE_MOST 16
#define CN_RESOLVE_STACK (256u * 1024u)

typedef struct cn_resolve_job_t {
    pthread_mutex_t lock;
    bool abandoned; /* by the question: it is gone */
    connect_loop_t *loop;
    connect_resolve_t *question;
    connect_task_t task;
    cn_endpoint_t endpoints[CN_RESOLVE_MOST];
    size_t count;
    cn_failure_t failure;
    uint16_t port;
    char host[256];
} cn_resolve_job_t;

static void cn_resolve_job_free(cn_resolve_job_t *job) {
    pthread_mutex_destroy(&job->lock);
    free(job);
}

/* The families take turns, beginning with that of the first. */
static void cn_resolve_interleave(cn_endpoint_t *endpoints, size_t count) {
    size_t i, k;
    for (i = 1; i < count; i++) {
        for (k = i; k < count && endpoints[k].address.ss_family == endpoints[i - 1].address.ss_family;)
            k++;
        if (k == i || k == count) continue;
        {
            const cn_endpoint_t other = endpoints[k];
            memmove(&endpoints[i + 1], &endpoints[i], (k - i) * sizeof *endpoints);
            endpoints[i] = other;
        }
    }
}

static void cn_resolve_answer(connect_resolve_t *question, const cn_endpoint_t *endpoints, size_t count,
    const cn_failure_t *failure, uint32_t valid_ms) {
    char texts[CN_RESOLVE_MOST][CN_PEER_TEXT];
    const char *addresses[CN_RESOLVE_MOST];
    size_t i;
    if (count == 0) {
        cn_name_fail(question, failure->code, failure->os_error, failure->text);
        return;
    }
    for (i = 0; i < count; i++) {
        cn_address_print(texts[i], &endpoints[i].address);
        addresses[i] = texts[i];
    }
    connect_resolve_finish(question, addresses, count, valid_ms);
}

static void cn_resolve_on_posted(void *arg) {
    cn_resolve_job_t *job = (cn_resolve_job_t *)arg;
    pthread_mutex_lock(&job->lock); /* the thread may not have let go of it yet */
    pthread_mutex_unlock(&job->lock);
    cn_name_set_abandon(job->question, NULL, NULL);
    cn_resolve_answer(job->question, job->endpoints, job->count, &job->failure, CN_RESOLVE_VALID_MS);
    cn_resolve_job_free(job);
}

static void *cn_resolve_run(void *arg) {
    cn_resolve_job_t *job = (cn_resolve_job_t *)arg;
    cn_address_t address;
    bool abandoned;
    memset(&address, 0, sizeof address);
    address.kind = CN_ADDRESS_TCP;
    address.text = job->host;
    address.host = connect_str_of(job->host);
    address.port = job->port;
    job->count = cn_address_resolve(&address, false, job->endpoints, CN_RESOLVE_MOST, &job->failure);
    cn_resolve_interleave(job->endpoints, job->count);
    pthread_mutex_lock(&job->lock);
    abandoned = job->abandoned;
    if (!abandoned) connect_loop_post(job->loop, &job->task, cn_resolve_on_posted, job);
    pthread_mutex_unlock(&job->lock);
    if (abandoned) cn_resolve_job_free(job);
    return NULL;
}

static void cn_resolve_abandon(void *arg) {
    cn_resolve_job_t *job = (cn_resolve_job_t *)arg;
    bool was_posted;
    pthread_mutex_lock(&job->lock);
    job->abandoned = true;
    was_posted = __atomic_load_n(&job->task.private_waits, __ATOMIC_ACQUIRE) != 0;
    pthread_mutex_unlock(&job->lock);
    if (!was_posted) return;
    connect_loop_after(job->loop, &job->task, -1, NULL, NULL);
    cn_resolve_job_free(job);
}

/* A thread that no signal of the application's is handled in. */
static bool cn_resolve_start(cn_resolve_job_t *job) {
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    int failed;
    if (pthread_attr_init(&attributes) != 0) return false;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, CN_RESOLVE_STACK); /* if it is too small, the default stays */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&thread, &attributes, cn_resolve_run, job);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return !failed;
}

static void cn_resolve_in_thread(connect_resolve_t *question, connect_loop_t *loop, connect_str_t host, uint16_t port) {
    cn_resolve_job_t *job = (cn_resolve_job_t *)calloc(1, sizeof *job);
    if (!job || host.len >= sizeof job->host || pthread_mutex_init(&job->lock, NULL) != 0) {
        free(job);
        cn_name_fail(question, CONNECT_RESOURCE_EXHAUSTED, ENOMEM, "cannot resolve: out of memory");
        return;
    }
    job->loop = loop;
    job->question = question;
    job->port = port;
    memcpy(job->host, host.data, host.len);
    cn_name_set_abandon(question, cn_resolve_abandon, job);
    if (cn_resolve_start(job)) return;
    cn_name_set_abandon(question, NULL, NULL);
    cn_resolve_job_free(job);
    cn_name_fail(question, CONNECT_RESOURCE_EXHAUSTED, EAGAIN, "cannot resolve: no thread can be made");
}

CN_PRIVATE void cn_resolve_by_system(connect_resolve_t *question, const char *host, const char *port, void *user) {
    connect_client_t *client = (connect_client_t *)user;
    cn_endpoint_t endpoints[CN_RESOLVE_MOST];
    cn_address_t address;
    cn_failure_t failure;
    size_t count;
    if (!cn_address_parse(&address, client->address, &failure)) {
        cn_name_fail(question, failure.code, failure.os_error, failure.text);
        return;
    }
    (void)host;
    (void)port;
    if (address.port == 0) {
        cn_failure_print(&failure, CONNECT_INVALID_ARGUMENT, 0, "bad address \"%s\": expected a port from 1 to 65535",
            client->address);
        cn_name_fail(question, failure.code, 0, failure.text);
        return;
    }
    count = cn_address_literal(&address, false, endpoints, CN_RESOLVE_MOST);
    if (count)
        cn_resolve_answer(question, endpoints, count, NULL, CONNECT_UNLIMITED);
    else
        cn_resolve_in_thread(question, client->loop, address.host, address.port);
}
#endif
