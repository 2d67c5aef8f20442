#include "../vec_neon.h"

#include "../attention_tmpl.h"
