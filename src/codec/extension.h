#pragma once
#include "base/sys.h"

/* The field of an extension's holder. */
CN_PRIVATE const connect_field_t *cn_extension_field(const connect_extension_t *extension);
/* Whether a message has a value of an extension, good or bad. */
CN_PRIVATE bool cn_extension_has(const connect_extension_t *extension, const void *message);
