#include "../vec_avx512.h"

#include "../rmsnorm_tmpl.h"
