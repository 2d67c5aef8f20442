#include "../vec_avx2.h"

#include "../attention_tmpl.h"
