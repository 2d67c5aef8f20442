/* KL estimators from the log-probabilities of the tokens taken. */
#include <math.h>

#include "t2g/ppo.h"

t2g_status t2g_kl(float *kl, const float *logprob, const float *ref_logprob,
                  size_t n, t2g_kl_penalty penalty)
{
    if (penalty == T2G_KL_FULL)
        return t2g_fail(T2G_ERR_ARG, "the full KL needs whole distributions, "
                        "not the log-probabilities of the taken tokens");
    for (size_t i = 0; i < n; i++) {
        float d = logprob[i] - ref_logprob[i];
        if (penalty == T2G_KL_ABS)
            d = fabsf(d);
        else if (penalty == T2G_KL_MSE)
            d = 0.5f * (d * d);
        kl[i] = d;
    }
    return T2G_OK;
}
