/* What the fuzz targets share. Each is a program of libFuzzer's: it calls
 * LLVMFuzzerTestOneInput with bytes of its own invention. */
#ifndef T2G_FUZZ_H
#define T2G_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "t2g/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* A finding. */
#define FUZZ_CHECK(condition)                                                  \
    do {                                                                       \
        if (!(condition)) {                                                    \
            fprintf(stderr, "%s:%d: %s; latest message: %s\n", __FILE__,       \
                    __LINE__, #condition, t2g_error_message());                \
            abort();                                                           \
        }                                                                      \
    } while (0)

/* The path of a file in memory that holds these bytes. */
static inline const char *fuzz_file(const void *bytes, size_t n)
{
    static char path[32];
    static int file = -1;
    if (file < 0) {
        file = memfd_create("fuzz", 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    }
    FUZZ_CHECK(file >= 0 && ftruncate(file, 0) == 0 &&
               pwrite(file, bytes, n, 0) == (ssize_t)n);
    return path;
}

#endif
