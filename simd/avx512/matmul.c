#include "../vec_avx512.h"

#include "../matmul_tmpl.h"
