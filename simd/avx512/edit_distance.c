#include "../vec_avx512.h"

#include "../edit_distance_tmpl.h"
