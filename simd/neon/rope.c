#include "../vec_neon.h"

#include "../rope_tmpl.h"
