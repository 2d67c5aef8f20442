#include "../vec_avx512.h"

#include "../sum_squares_tmpl.h"
