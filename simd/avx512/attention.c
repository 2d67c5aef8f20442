#include "../vec_avx512.h"

#include "../attention_tmpl.h"
