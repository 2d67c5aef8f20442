#include "../vec_neon.h"

#include "../softmax_tmpl.h"
