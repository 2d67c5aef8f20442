#include "../vec_neon.h"

#include "../swiglu_tmpl.h"
