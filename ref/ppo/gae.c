/* Generalised advantage estimation [GAE] eq. 16. */
#include "t2g/ppo.h"

t2g_status t2g_gae(float *adv, float *ret, const float *reward,
                   const float *value, const uint8_t *mask, size_t n,
                   float gamma, float lambda, t2g_gae_gap gap)
{
    if (!(gamma >= 0 && gamma <= 1) || !(lambda >= 0 && lambda <= 1))
        return t2g_fail(T2G_ERR_ARG, "gamma %g and lambda %g must lie in "
                        "[0, 1]", (double)gamma, (double)lambda);
    float next = 0, trace = 0;
    for (size_t p = n; p-- > 0;) {
        float v = mask[p] ? value[p] : 0, r = mask[p] ? reward[p] : 0;
        float d = r + gamma * next - v;
        trace = d + gamma * lambda * trace;
        if (!mask[p] && gap == T2G_GAP_RESET)
            trace = 0;
        adv[p] = trace;
        ret[p] = trace + v;
        next = v;
    }
    return T2G_OK;
}
