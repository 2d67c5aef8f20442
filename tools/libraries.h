/* What this build of the program is made of; for --version and info. */
#ifndef LIBRARIES_H
#define LIBRARIES_H

#include <jansson.h>
#include <stdio.h>

/** Version, compiler, flags, libraries, ISAs compiled and available. */
void libraries_print(FILE *out);
json_t *libraries_json(void);

#endif
