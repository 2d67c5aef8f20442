#include "../vec_neon.h"

#include "../init_tmpl.h"
