#include "t2g/threads.h"

#include <stdlib.h>

#ifdef _OPENMP
#include <omp.h>
#endif

t2g_status t2g_set_threads(int n)
{
    const char *text = getenv("T2G_THREADS");
    if (n == 0 && text && *text) {
        char *end;
        long v = strtol(text, &end, 10);
        if (*end || v < 1 || v > 4096)
            return t2g_fail(T2G_ERR_ARG, "T2G_THREADS is '%s', expected a "
                            "number from 1 to 4096", text);
        n = (int)v;
    }
    if (n < 0 || n > 4096)
        return t2g_fail(T2G_ERR_ARG, "%d threads, expected 1 to 4096", n);
#ifdef _OPENMP
    if (n > 0)
        omp_set_num_threads(n);
    else if (!getenv("OMP_NUM_THREADS"))
        omp_set_num_threads(omp_get_num_procs());
#endif
    return T2G_OK;
}

int t2g_threads(void)
{
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}
