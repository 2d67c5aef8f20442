/* How many steps a curve needs to reach a target. */
#include <math.h>

#include "t2g/memory.h"
#include "t2g/statistics.h"

void t2g_smooth(double *out, const double *value, size_t n, size_t window)
{
    for (size_t i = 0; i < n; i++) {
        size_t first = i + 1 > window ? i + 1 - window : 0;
        double sum = 0;
        for (size_t k = first; k <= i; k++)
            sum += value[k];
        out[i] = sum / (double)(i + 1 - first);
    }
}

/* The step of the first of `hold` smoothed values in a row that reach target,
 * or -1. */
static int64_t reach(const double *smoothed, const int64_t *step, size_t n,
                     double target, size_t hold)
{
    size_t in_a_row = 0;
    for (size_t i = 0; i < n; i++) {
        in_a_row = smoothed[i] >= target ? in_a_row + 1 : 0;
        if (in_a_row == hold)
            return step[i + 1 - hold];
    }
    return -1;
}

static t2g_status check(const int64_t *step, const double *baseline,
                        const double *method, size_t n,
                        const t2g_convergence_rule *rule)
{
    if (n == 0 || rule->window == 0 || rule->hold == 0)
        return t2g_fail(T2G_ERR_ARG, "%zu evaluations, a window of %zu and a "
                        "hold of %zu, expected at least 1 each", n,
                        rule->window, rule->hold);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && step[i] <= step[i - 1])
            return t2g_fail(T2G_ERR_ARG, "step %lld follows step %lld",
                            (long long)step[i], (long long)step[i - 1]);
        if (!isfinite(baseline[i]) || !isfinite(method[i]))
            return t2g_fail(T2G_ERR_NUMERIC, "evaluation %zu is %g and %g", i,
                            baseline[i], method[i]);
    }
    return T2G_OK;
}

t2g_status t2g_convergence_of(t2g_convergence *out, const int64_t *step,
                              const double *baseline, const double *method,
                              size_t n, const t2g_convergence_rule *rule)
{
    T2G_TRY(check(step, baseline, method, n, rule));
    double *smoothed = t2g_calloc(n, sizeof *smoothed);
    if (!smoothed)
        return T2G_ERR_MEMORY;
    t2g_smooth(smoothed, baseline, n, rule->window);
    double rise = smoothed[n - 1] - baseline[0];
    *out = (t2g_convergence){.target = baseline[0] + rule->fraction * rise,
                             .saving = NAN, .baseline_learned = rise > 0};
    out->step_baseline = reach(smoothed, step, n, out->target, rule->hold);
    t2g_smooth(smoothed, method, n, rule->window);
    out->step_method = reach(smoothed, step, n, out->target, rule->hold);
    if (out->step_baseline > 0 && out->step_method >= 0)
        out->saving = 1 - (double)out->step_method /
                              (double)out->step_baseline;
    t2g_free(smoothed);
    return T2G_OK;
}
