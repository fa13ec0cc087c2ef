#include "codec/pb_wire.h"
#include "base/error.h"

/* Errors of protobuf binary name the path, "acme.v1.Reading.samples[3].value". It is put together while the failed call
   returns: each level puts its own part in front; a path that is too long loses its front. */

static CN_COLD void cn_pb_failure_prepend(cn_pb_failure_t *failure, const char *part, size_t len) {
    if (failure->cut) return;
    if (len + 3 > failure->begin) { /* no room: the front is left out */
        failure->cut = true;
        part = "...";
        len = 3;
    }
    failure->begin -= len;
    memcpy(failure->text + failure->begin, part, len);
}

CN_PRIVATE CN_COLD void cn_pb_failure_at(
    cn_pb_failure_t *failure, const connect_type_t *type, const connect_field_t *field, size_t index) {
    char part[96];
    int len;
    if (field->flags & CONNECT_FIELD_REPEATED)
        len = snprintf(part, sizeof part, ".%.60s[%lu]", type->names + field->name, (unsigned long)index);
    else
        len = snprintf(part, sizeof part, ".%.60s", type->names + field->name);
    if (len > 0) cn_pb_failure_prepend(failure, part, (size_t)len);
}

CN_PRIVATE CN_COLD bool cn_pb_failure_report(
    const cn_pb_failure_t *failure, const connect_type_t *type, connect_arena_t *arena, connect_error_t *error) {
    const char *reason = failure->reason ? failure->reason : "cannot be written",
               *path = failure->text + failure->begin;
    connect_str_t text = {NULL, 0};
    if (!error) return false;
    if (arena && failure->no_offset)
        text = connect_arena_printf(arena, "%s%s: %s", type->full_name, path, reason);
    else if (arena)
        text = connect_arena_printf(
            arena, "%s%s: %s at byte %lu", type->full_name, path, reason, (unsigned long)failure->offset);
    cn_error_set(error, failure->code, reason);
    if (text.data) error->message = text;
    return false;
}
