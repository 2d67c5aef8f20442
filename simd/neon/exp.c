#include "../vec_neon.h"

#include "../exp_tmpl.h"
