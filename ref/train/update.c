/* What an update needs to know beside gradients and moments. */
#include "t2g/train.h"

double t2g_clip_factor(double norm, double max_norm)
{
    double factor = max_norm / (norm + 1e-6);
    return max_norm > 0 && factor < 1 ? factor : 1;
}

t2g_adamw t2g_adamw_constants(const t2g_optim_config *c, uint64_t t, double lr,
                              double scale)
{
    float b1 = (float)c->b1, b2 = (float)c->b2;
    double decay = c->kind == T2G_ADAMW ? 1 - lr * c->weight_decay : 1;
    return (t2g_adamw){.lr = (float)lr,
                       .b1 = b1,
                       .b2 = b2,
                       .eps = (float)c->eps,
                       .decay = (float)decay,
                       .c1 = (float)(1 - t2g_pow((double)b1, (double)t)),
                       .c2 = (float)(1 - t2g_pow((double)b2, (double)t)),
                       .scale = (float)scale};
}
