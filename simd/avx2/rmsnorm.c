#include "../vec_avx2.h"

#include "../rmsnorm_tmpl.h"
