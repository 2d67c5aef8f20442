/** Threads: an OpenMP team. No result depends on their number. */
#ifndef T2G_THREADS_H
#define T2G_THREADS_H

#include "t2g/status.h"

/** n >= 1 threads from now on; 0 = T2G_THREADS, else OMP_NUM_THREADS, else the
 * cores this process may use. T2G_ERR_ARG when T2G_THREADS is no number >=
 * 1. */
T2G_CHECK t2g_status t2g_set_threads(int n);
/** How many threads the library uses (1 in a build without OpenMP). */
int t2g_threads(void);

#endif
