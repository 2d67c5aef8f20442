#include "../vec_avx2.h"

#include "../adamw_tmpl.h"
