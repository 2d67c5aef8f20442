#include "../vec_avx2.h"

#include "../matmul_tmpl.h"
