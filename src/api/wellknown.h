#pragma once

/* ---- Well-known types: on the values of their fields. The generated headers of google/protobuf/ have these functions
   for their structs: google_protobuf_Timestamp_now(), google_protobuf_Any_unpack(...) ---- */
struct timespec; /* of <time.h> */

/* Reads the system's clock, as the fields of a google.protobuf.Timestamp. */
CONNECT_API void connect_timestamp_now(int64_t *seconds, int32_t *nanos);
/* Converts a time since 1970, as clock_gettime gives it; and back. Returns false if time_t cannot hold it, or nanos is
   not from 0 to 999,999,999. */
CONNECT_API void connect_timestamp_from_timespec(const struct timespec *time, int64_t *seconds, int32_t *nanos);
CONNECT_API bool connect_timestamp_to_timespec(int64_t seconds, int32_t nanos, struct timespec *time);
/* Converts a span of time to the fields of a google.protobuf.Duration, whose signs are the same, and back. */
CONNECT_API void connect_duration_from_timespec(const struct timespec *span, int64_t *seconds, int32_t *nanos);
CONNECT_API bool connect_duration_to_timespec(int64_t seconds, int32_t nanos, struct timespec *span);
/* The same for milliseconds. Back: parts of one are cut off; what int64_t cannot hold becomes the nearest it can. */
CONNECT_API void connect_duration_from_ms(int64_t ms, int64_t *seconds, int32_t *nanos);
CONNECT_API int64_t connect_duration_to_ms(int64_t seconds, int32_t nanos);

/* Puts a message into a google.protobuf.Any, whose fields are set. Errors as of connect_message_encode. */
CONNECT_API bool connect_any_pack(connect_str_t *type_url, connect_str_t *value, const connect_type_t *type,
    const void *message, connect_arena_t *arena, connect_error_t *error);
/* Tells whether an Any holds a message of a type. */
CONNECT_API bool connect_any_is(connect_str_t type_url, const connect_type_t *type);
/* Decodes what an Any holds. Errors: INVALID_ARGUMENT if it is of another type, and those of connect_message_decode.
   Lifetime: strings are views of the value, unless options->copy. */
CONNECT_API bool connect_any_unpack(connect_str_t type_url, connect_str_t value, const connect_type_t *type,
    void *message, connect_arena_t *arena, const connect_codec_options_t *options, connect_error_t *error);

/* Tells whether a google.protobuf.FieldMask names a field, "a.b", or a message that the field is in, "a". */
CONNECT_API bool connect_field_mask_has(connect_str_list_t paths, const char *path);
/* Tells whether each path of a mask names a field of a type. arena: for the error. Errors: INVALID_ARGUMENT. */
CONNECT_API bool connect_field_mask_check(connect_str_list_t paths, const connect_type_t *type, connect_arena_t *arena,
    connect_error_t *error);
/* Copies the fields that a mask names, deeply: each replaces what `to` has, or clears it if `from` has none.
   Errors: INVALID_ARGUMENT (a path that is none; nothing is copied then), RESOURCE_EXHAUSTED. */
CONNECT_API bool connect_field_mask_copy(connect_str_list_t paths, const connect_type_t *type, void *to,
    const void *from, connect_arena_t *arena, connect_error_t *error);
