/* What this machine can do at most, measured: fused multiply-adds and reading
 * from memory. Rates of everything else are shares of these. */
#ifndef PEAKS_H
#define PEAKS_H

#include <stddef.h>

#include "t2g/status.h"

typedef struct peaks {
    const char *isa;          /* the strongest of this CPU and build */
    int threads;
    double flops, flops_one;  /* a second, all threads together; one thread */
    double bytes, bytes_one;  /* read a second, likewise */
} peaks;

/** Takes about a third of a second. */
T2G_CHECK t2g_status peaks_measure(peaks *p);

/** Bytes of the largest cache; 32 MB when the system does not tell. */
size_t cache_last_level(void);

#endif
