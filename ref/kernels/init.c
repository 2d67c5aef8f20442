#include "kernels_ref.h"

void t2g_kernels_ref(t2g_kernels *k)
{
    *k = (t2g_kernels){
        .isa = "scalar",
        .pack = t2g_pack_ref,
        .matmul = t2g_matmul_ref,
        .matmul_tn = t2g_matmul_tn_ref,
        .column_sum = t2g_column_sum_ref,
        .rmsnorm = t2g_rmsnorm_ref,
        .rmsnorm_bwd = t2g_rmsnorm_bwd_ref,
        .rmsnorm_gain_bwd = t2g_rmsnorm_gain_bwd_ref,
        .rope = t2g_rope_ref,
        .attention = t2g_attention_ref,
        .attention_bwd = t2g_attention_bwd_ref,
        .swiglu = t2g_swiglu_ref,
        .swiglu_bwd = t2g_swiglu_bwd_ref,
        .logsumexp = t2g_logsumexp_ref,
        .softmax_kl = t2g_softmax_kl_ref,
        .softmax_bwd = t2g_softmax_bwd_ref,
        .exp = t2g_exp_ref,
        .sum_squares = t2g_sum_squares_ref,
        .adamw = t2g_adamw_ref,
        .edit_distance = t2g_edit_distance_ref,
    };
}
