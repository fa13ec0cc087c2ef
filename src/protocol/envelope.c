#include "protocol/envelope.h"

/* The five bytes before each message of Connect streams, gRPC and gRPC-Web (gRPC over HTTP/2
   "Length-Prefixed-Message", Connect "Enveloped-Message"): one byte of flags, the length in four bytes, big-endian.
   The boundaries of DATA frames and chunks mean nothing. */

CN_PRIVATE cn_envelope_t cn_envelope_read(const char *head) {
    const unsigned char *bytes = (const unsigned char *)head;
    cn_envelope_t envelope;
    envelope.flags = bytes[0];
    envelope.len = (uint32_t)bytes[1] << 24 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 8 | bytes[4];
    return envelope;
}

CN_PRIVATE void cn_envelope_write(char *head, uint8_t flags, uint32_t len) {
    head[0] = (char)flags;
    head[1] = (char)(unsigned char)(len >> 24);
    head[2] = (char)(unsigned char)(len >> 16);
    head[3] = (char)(unsigned char)(len >> 8);
    head[4] = (char)(unsigned char)len;
}
