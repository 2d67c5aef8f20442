#include "../vec_avx512.h"

#include "../adamw_tmpl.h"
