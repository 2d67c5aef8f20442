#include "../vec_avx512.h"

#include "../init_tmpl.h"
