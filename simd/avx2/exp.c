#include "../vec_avx2.h"

#include "../exp_tmpl.h"
