#include "http/exchange.h"
#include "base/buf.h"
#include "base/list.h"

/* What HTTP/1.1 and HTTP/2 do alike with an exchange: keep the list of the open ones, tell the owner once that there is
   output, remember the earliest deadline, and say on_closed exactly once.

   http->due_ms is a lower bound: it is lowered at once and raised only by the connection's walk over the list, so that
   a deadline that is set and taken back for every call costs nothing. */

CN_PRIVATE void cn_exchange_set_due(cn_exchange_t *x, int64_t due_ms) {
    x->due_ms = due_ms;
    if (x->http && due_ms < x->http->due_ms) {
        x->http->due_ms = due_ms;
        cn_http_wake(x->http);
    }
}

CN_PRIVATE bool cn_exchange_is_stopped(const cn_exchange_t *x) {
    return x->http && x->http->stopped;
}

CN_PRIVATE void cn_http_wake(cn_http_t *http) {
    if (http->feeding || http->woken) return;
    http->woken = true;
    if (http->events->on_output) http->events->on_output(http);
}

CN_PRIVATE void cn_exchange_attach(cn_http_t *http, cn_exchange_t *x) {
    x->http = http;
    x->content_length = -1;
    x->received_ms = http->now_ms;
    x->written_before = http->written + cn_buf_len(&http->out);
    cn_list_append(&http->exchanges, &x->node);
    http->exchange_count++;
    if (x->due_ms < http->due_ms) http->due_ms = x->due_ms;
}

CN_PRIVATE void cn_exchange_close(cn_exchange_t *x) {
    cn_http_t *http = x->http;
    if (!http) return;
    cn_list_remove(&x->node);
    http->exchange_count--;
    x->http = NULL;
    if (!x->received_head && http->written <= x->written_before) x->unprocessed = true;
    if (x->close_code == CONNECT_UNAVAILABLE && http->failure) x->close_why = http->failure;
    x->events->on_closed(x, x->close_code, x->close_why);
}
