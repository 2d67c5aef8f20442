/* SHA-256, to compare files with published digests. [FIPS180-4] */
#ifndef SHA256_H
#define SHA256_H

#include <stddef.h>

/* hex gets 64 lower-case digits and a NUL. */
void sha256_hex(const void *bytes, size_t n, char hex[65]);

#endif
