#include "kernels_tmpl.h"

#define QUOTE(isa) #isa
#define QUOTE_EXPANDED(isa) QUOTE(isa)

void KERNEL(kernels_init)(t2g_kernels *k);

void KERNEL(kernels_init)(t2g_kernels *k)
{
    *k = (t2g_kernels){
        .isa = QUOTE_EXPANDED(ISA),
        .pack = KERNEL(pack),
        .matmul = KERNEL(matmul),
        .matmul_tn = KERNEL(matmul_tn),
        .column_sum = KERNEL(column_sum),
        .rmsnorm = KERNEL(rmsnorm),
        .rmsnorm_bwd = KERNEL(rmsnorm_bwd),
        .rmsnorm_gain_bwd = KERNEL(rmsnorm_gain_bwd),
        .rope = KERNEL(rope),
        .attention = KERNEL(attention),
        .attention_bwd = KERNEL(attention_bwd),
        .swiglu = KERNEL(swiglu),
        .swiglu_bwd = KERNEL(swiglu_bwd),
        .logsumexp = KERNEL(logsumexp),
        .softmax_kl = KERNEL(softmax_kl),
        .softmax_bwd = KERNEL(softmax_bwd),
        .exp = KERNEL(exp),
        .sum_squares = KERNEL(sum_squares),
        .adamw = KERNEL(adamw),
        .edit_distance = KERNEL(edit_distance),
    };
}
