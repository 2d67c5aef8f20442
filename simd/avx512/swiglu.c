#include "../vec_avx512.h"

#include "../swiglu_tmpl.h"
