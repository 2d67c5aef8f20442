#include "../vec_avx2.h"

#include "../edit_distance_tmpl.h"
