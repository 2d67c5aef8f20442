/* Binds kernels to the CPU: the scalar table first, then each instruction set
 * overwrites what it has, weak to strong. */
#include <stdlib.h>
#include <string.h>

#include "t2g/kernels.h"

void t2g_kernels_init_avx2(t2g_kernels *k);
void t2g_kernels_init_avx512(t2g_kernels *k);
void t2g_kernels_init_neon(t2g_kernels *k);

typedef struct isa {
    const char *name;
    int (*runs)(void); /* does this CPU have it? */
    void (*init)(t2g_kernels *k);
} isa;

/* SLEEF's deterministic functions, and so even the scalar kernels, need FMA. */
static int runs_scalar(void)
{
#ifdef __x86_64__
    return __builtin_cpu_supports("fma");
#else
    return 1;
#endif
}

#ifdef T2G_HAVE_AVX2
static int runs_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}
#endif

#ifdef T2G_HAVE_AVX512
static int runs_avx512(void)
{
    return __builtin_cpu_supports("avx512f");
}
#endif

/* Weak to strong; each needs those before it. */
static const isa isas[] = {
    {"scalar", runs_scalar, t2g_kernels_ref},
#ifdef T2G_HAVE_AVX2
    {"avx2", runs_avx2, t2g_kernels_init_avx2},
#endif
#ifdef T2G_HAVE_AVX512
    {"avx512", runs_avx512, t2g_kernels_init_avx512},
#endif
#ifdef T2G_HAVE_NEON /* part of AArch64 */
    {"neon", runs_scalar, t2g_kernels_init_neon},
#endif
};
enum { ISAS = sizeof isas / sizeof *isas };

/* How many of them, from the weakest on, the CPU has. */
static size_t count_available(void)
{
    size_t n = 0;
    while (n < ISAS && isas[n].runs())
        n++;
    return n;
}

const char *const *t2g_isa_available(void)
{
    static _Thread_local const char *names[ISAS + 1];
    size_t n = count_available();
    for (size_t i = 0; i < n; i++)
        names[i] = isas[i].name;
    return names;
}

static t2g_status unavailable(const char *name, size_t n)
{
    char list[64] = "";
    for (size_t i = 0; i < n; i++) {
        strcat(list, i ? ", " : "");
        strcat(list, isas[i].name);
    }
    return t2g_fail(T2G_ERR_ARG, "instruction set '%s' is unknown here; this "
                    "build and CPU have: %s", name, list);
}

t2g_status t2g_kernels_select(t2g_kernels *k, const char *isa)
{
    size_t n = count_available();
    if (n == 0)
        return t2g_fail(T2G_ERR_UNSUPPORTED, "this CPU has no fused "
                        "multiply-add (FMA), which every kernel needs");
    if (!isa)
        isa = getenv("T2G_ISA");
    size_t wanted = n - 1;
    if (isa && *isa)
        for (wanted = 0; strcmp(isas[wanted].name, isa) != 0;)
            if (++wanted == n)
                return unavailable(isa, n);
    for (size_t i = 0; i <= wanted; i++)
        isas[i].init(k);
    return T2G_OK;
}
