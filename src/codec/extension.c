#include "codec/extension.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/message.h"

/* Extensions: fields that another file adds to a message. Their records stay among the unknown fields, in the order in
   which they came, so that a program which does not know an extension passes it on; they are read out when asked for.

   A holder is a struct with the extension as its one field. Reading joins all records of its number and decodes them
   as a message of the holder's type; so the last wins, sub-messages merge and lists append, as for any field. Writing
   takes these records out, by making views of what stands between them, and puts the holder's own before the first
   record of a greater number: messages with the same extensions are equal, in whatever order these were set.

   A MessageSet (message_set_wire_format) has only extensions, each an item of its own: a group 1 that holds the
   extension's number as field 2, a varint, and the message as field 3, in any order. The records of its unknown fields
   may also have the extension's own number: that is what parsers which do not know about message sets write. */

#define CN_EXTENSION_ITEM 1u
#define CN_EXTENSION_ITEM_TYPE 2u
#define CN_EXTENSION_ITEM_MESSAGE 3u

CN_PRIVATE const connect_field_t *cn_extension_field(const connect_extension_t *extension) {
    return &extension->holder->fields[0];
}

typedef struct cn_extension_scan_t { /* through the records of all unknown fields */
    connect_str_list_t unknown;
    size_t next; /* span */
    connect_reader_t reader;
    connect_str_t bytes; /* of the last record, with its tag */
} cn_extension_scan_t;

static void cn_extension_scan(cn_extension_scan_t *scan, const connect_extension_t *extension, const void *message) {
    memset(scan, 0, sizeof *scan);
    if (extension->extendee->keeps_unknown)
        memcpy(&scan->unknown, (const char *)message + extension->extendee->unknown, sizeof scan->unknown);
}

static bool cn_extension_next(cn_extension_scan_t *scan, connect_record_t *record) {
    for (;;) {
        scan->bytes = scan->reader.rest;
        if (connect_reader_next(&scan->reader, record)) {
            scan->bytes.len -= scan->reader.rest.len;
            return true;
        }
        if (scan->reader.failed) { /* nested deeper than a reader goes: it is passed over, with all behind it */
            memset(record, 0, sizeof *record);
            scan->reader.rest.len = 0;
            scan->reader.failed = false;
            return true;
        }
        if (scan->next == scan->unknown.count) return false;
        scan->reader.rest = scan->unknown.items[scan->next++];
        scan->reader.failed = false;
    }
}

/* The number of the field or extension that a record belongs to, 0: none; *item: the record is the item of a
   MessageSet, and holds this message. */
static uint32_t cn_extension_number(
    const connect_type_t *extendee, const connect_record_t *record, connect_str_t *item) {
    connect_reader_t reader = {{NULL, 0}, false};
    connect_record_t inner;
    uint32_t number = 0;
    item->data = NULL;
    item->len = 0;
    if (!extendee->is_message_set) return record->number;
    if (record->number != CN_EXTENSION_ITEM || record->wire != CONNECT_WIRE_GROUP) {
        if (record->wire == CONNECT_WIRE_BYTES) *item = record->bytes;
        return item->data ? record->number : 0;
    }
    reader.rest = record->bytes;
    while (connect_reader_next(&reader, &inner)) {
        if (inner.number == CN_EXTENSION_ITEM_TYPE && inner.wire == CONNECT_WIRE_VARINT && !number)
            number = (uint32_t)inner.value;
        else if (inner.number == CN_EXTENSION_ITEM_MESSAGE && inner.wire == CONNECT_WIRE_BYTES)
            *item = inner.bytes;
    }
    return item->data ? number : 0;
}

static bool cn_extension_is(const connect_extension_t *extension, const connect_record_t *record, connect_str_t *item) {
    return cn_extension_number(extension->extendee, record, item) == cn_extension_field(extension)->number;
}

CN_PRIVATE bool cn_extension_has(const connect_extension_t *extension, const void *message) {
    cn_extension_scan_t scan;
    connect_record_t record;
    connect_str_t item;
    cn_extension_scan(&scan, extension, message);
    while (cn_extension_next(&scan, &record))
        if (cn_extension_is(extension, &record, &item)) return true;
    return false;
}

/* The records of an extension, one behind the other: an only one where it stands, several in the arena. *all is absent
   if there is none. Returns false: out of memory. */
static bool cn_extension_join(
    const connect_extension_t *extension, const void *message, connect_str_t *all, connect_arena_t *arena) {
    cn_extension_scan_t scan;
    connect_record_t record;
    connect_str_t item;
    size_t count = 0, len = 0;
    char *to;
    *all = cn_str(NULL, 0);
    cn_extension_scan(&scan, extension, message);
    while (cn_extension_next(&scan, &record)) {
        if (!cn_extension_is(extension, &record, &item)) continue;
        *all = extension->extendee->is_message_set ? item : scan.bytes;
        if (all->len > SIZE_MAX / 4 - len) return false;
        len += all->len;
        count++;
    }
    if (count < 2) return true;
    to = (char *)cn_arena_raw(arena, len);
    if (!to) return false;
    *all = cn_str(to, len);
    cn_extension_scan(&scan, extension, message);
    while (cn_extension_next(&scan, &record)) {
        connect_str_t part = scan.bytes;
        if (!cn_extension_is(extension, &record, &item)) continue;
        if (extension->extendee->is_message_set) part = item;
        if (part.len) memcpy(to, part.data, part.len);
        to += part.len;
    }
    return true;
}

bool connect_extension_get(
    const connect_extension_t *extension, const void *message, void *holder, connect_arena_t *arena) {
    const connect_type_t *type = extension->holder;
    const connect_field_t *field = cn_extension_field(extension);
    connect_codec_options_t options = CONNECT_DEFAULTS;
    connect_str_t all;
    void *sub;
    connect_message_init(type, holder);
    if (!cn_extension_join(extension, message, &all, arena) || !all.data) return false;
    options.partial = true;
    if (!extension->extendee->is_message_set)
        return connect_message_decode(type, holder, all, arena, &options, NULL) && cn_message_has(field, holder);
    type = type->types[field->type];
    sub = cn_arena_raw(arena, type->size);
    if (!sub || !connect_message_decode(type, sub, all, arena, &options, NULL)) return false;
    connect_message_set(extension->holder, holder, field, &sub);
    return true;
}

/* The records of a holder, as they go among the unknown fields. */
static bool cn_extension_encode(
    const connect_extension_t *extension, const void *holder, connect_str_t *bytes, connect_arena_t *arena) {
    const connect_type_t *type = extension->holder;
    const connect_field_t *field = cn_extension_field(extension);
    connect_codec_options_t options = CONNECT_DEFAULTS;
    connect_writer_t item = {arena, {NULL, 0}, false, 0}, writer = {arena, {NULL, 0}, false, 0};
    const void *sub;
    options.partial = true;
    if (!extension->extendee->is_message_set) {
        *bytes = connect_message_encode(type, holder, arena, &options, NULL);
        return bytes->data != NULL;
    }
    memcpy(&sub, (const char *)holder + field->offset, sizeof sub);
    bytes->data = "";
    bytes->len = 0;
    if (!sub) return true;
    *bytes = connect_message_encode(type->types[field->type], sub, arena, &options, NULL);
    if (!bytes->data) return false;
    connect_writer_put(&item, CN_EXTENSION_ITEM_TYPE, CONNECT_KIND_UINT32, &field->number);
    connect_writer_put(&item, CN_EXTENSION_ITEM_MESSAGE, CONNECT_KIND_BYTES, bytes);
    connect_writer_put(&writer, CN_EXTENSION_ITEM, CONNECT_KIND_GROUP, &item.written);
    *bytes = writer.written;
    return !item.failed && !writer.failed;
}

static void cn_extension_keep(connect_str_t *items, size_t *count, connect_str_t bytes) {
    if (*count && items[*count - 1].data + items[*count - 1].len == bytes.data)
        items[*count - 1].len += bytes.len;
    else
        items[(*count)++] = bytes;
}

bool connect_extension_set(
    const connect_extension_t *extension, void *message, const void *holder_or_null, connect_arena_t *arena) {
    connect_str_t added = {NULL, 0}, item, *items;
    connect_str_list_t list;
    cn_extension_scan_t scan;
    connect_record_t record;
    const uint32_t own = cn_extension_field(extension)->number;
    size_t room = 1, count = 0;
    if (!extension->extendee->keeps_unknown) return false;
    if (holder_or_null && !cn_extension_encode(extension, holder_or_null, &added, arena)) return false;
    cn_extension_scan(&scan, extension, message);
    while (cn_extension_next(&scan, &record))
        room++;
    if (room > SIZE_MAX / sizeof *items) return false;
    items = (connect_str_t *)cn_arena_raw(arena, room * sizeof *items);
    if (!items) return false;
    cn_extension_scan(&scan, extension, message);
    while (cn_extension_next(&scan, &record)) {
        const uint32_t number = cn_extension_number(extension->extendee, &record, &item);
        if ((number > own || record.number == 0) && added.len) { /* behind 0 a reader would not find it again */
            items[count++] = added;
            added.len = 0;
        }
        if (number != own) cn_extension_keep(items, &count, scan.bytes);
    }
    if (added.len) items[count++] = added;
    list.items = items;
    list.count = count;
    memcpy((char *)message + extension->extendee->unknown, &list, sizeof list);
    return true;
}
