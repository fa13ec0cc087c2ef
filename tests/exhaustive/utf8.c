/* Counts the strings of four bytes that are UTF-8: utf8 FIRST LAST EXPECTED, with the range of the first byte in
   hexadecimal. Over all, 00 to FF, they are 383270912:

       with lengths 1, 2, 3, 4 of which there are a = 128, b = 1920, c = 61440, d = 1048576 (code points without
       surrogates), a^4 + 3 a^2 b + b^2 + 2 a c + d */
#define CONNECT_ENABLE_CLIENT 0
#define CONNECT_ENABLE_SERVER 0
#define CONNECT_IMPLEMENTATION
#include "connect.h"

int main(int argc, char **argv) {
    unsigned long first, last, expected, counted = 0, differ = 0;
    uint64_t i, end;
    if (argc != 4) return 2;
    first = strtoul(argv[1], NULL, 16);
    last = strtoul(argv[2], NULL, 16);
    expected = strtoul(argv[3], NULL, 10);
    end = (uint64_t)(last + 1) << 24;
    for (i = (uint64_t)first << 24; i < end; i++) {
        const unsigned char bytes[4] = {
            (unsigned char)(i >> 24), (unsigned char)(i >> 16), (unsigned char)(i >> 8), (unsigned char)i};
        connect_str_t text;
        bool valid;
        text.data = (const char *)bytes;
        text.len = sizeof bytes;
        valid = cn_utf8_valid(text);
        counted += valid;
        differ += valid != cn_pb_is_utf8(text.data, text.len); /* the decoder's way to it */
    }
    printf("%lx to %lx: %lu strings of four bytes are UTF-8, expected %lu; %lu differ\n", first, last, counted,
        expected, differ);
    return counted == expected && !differ ? 0 : 1;
}
