#include "../vec_avx2.h"

#include "../sum_squares_tmpl.h"
