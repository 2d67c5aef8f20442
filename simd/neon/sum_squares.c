#include "../vec_neon.h"

#include "../sum_squares_tmpl.h"
