#include "../vec_avx512.h"

#include "../rope_tmpl.h"
