#include "../vec_avx2.h"

#include "../swiglu_tmpl.h"
