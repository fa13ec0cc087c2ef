#pragma once
#include "base/sys.h"

#if CONNECT_ENABLE_JSON
/* The text forms of google.protobuf.Timestamp, Duration and FieldMask in JSON. */

#define CN_WKT_ROOM 40 /* what the longest of the first two takes */

/* RFC 3339 in UTC with 0, 3, 6 or 9 digits of a second. Returns how many characters; 0: out of the range of years 1 to
   9999, or nanos not from 0 to 999,999,999. */
CN_PRIVATE size_t cn_wkt_timestamp_to_text(char *to, int64_t seconds, int32_t nanos);
CN_PRIVATE bool cn_wkt_timestamp_from_text(connect_str_t text, int64_t *seconds, int32_t *nanos);
/* "-1.500s". Returns how many characters; 0: beyond 315,576,000,000 seconds, or signs that differ. */
CN_PRIVATE size_t cn_wkt_duration_to_text(char *to, int64_t seconds, int32_t nanos);
CN_PRIVATE bool cn_wkt_duration_from_text(connect_str_t text, int64_t *seconds, int32_t *nanos);
/* "a.foo_bar" to "a.fooBar", which is not longer; false: it could not be read back. */
CN_PRIVATE bool cn_wkt_path_to_json(char *to, size_t *len, connect_str_t path);
/* The way back, at most twice as long; false: an underscore. */
CN_PRIVATE bool cn_wkt_path_from_json(char *to, size_t *len, connect_str_t text);
#endif
