#include "../vec_neon.h"

#include "../rmsnorm_tmpl.h"
