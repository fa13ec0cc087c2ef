#pragma once
#include "base/sys.h"

#define CN_ENVELOPE_HEAD 5u
enum { CN_ENVELOPE_COMPRESSED = 0x01, CN_ENVELOPE_END_STREAM = 0x02, CN_ENVELOPE_TRAILERS = 0x80 };

typedef struct cn_envelope_t {
    uint8_t flags;
    uint32_t len;
} cn_envelope_t;

/* Reads the head of an envelope from CN_ENVELOPE_HEAD bytes, and writes it there. */
CN_PRIVATE cn_envelope_t cn_envelope_read(const char *head);
CN_PRIVATE void cn_envelope_write(char *head, uint8_t flags, uint32_t len);
