#include "../vec_neon.h"

#include "../edit_distance_tmpl.h"
