#include "../vec_neon.h"

#include "../adamw_tmpl.h"
