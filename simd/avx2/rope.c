#include "../vec_avx2.h"

#include "../rope_tmpl.h"
