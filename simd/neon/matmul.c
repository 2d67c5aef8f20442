#include "../vec_neon.h"

#include "../matmul_tmpl.h"
