#include "../vec_avx2.h"

#include "../init_tmpl.h"
