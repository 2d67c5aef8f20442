#include "../vec_avx512.h"

#include "../exp_tmpl.h"
