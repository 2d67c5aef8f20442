/* Recorded cases of the metrics: what our functions make of their inputs. */
#ifndef METRICS_CASE_H
#define METRICS_CASE_H

#include <jansson.h>
#include <stdbool.h>

#include "t2g/status.h"

/* Sets members of out, named as the outputs of case `one`: flat lists of
 * numbers (those that JSON lacks as strings) or of strings.
 * T2G_ERR_UNSUPPORTED: no such kind; T2G_ERR_FORMAT: the case lacks an input,
 * or has one of another type. */
T2G_CHECK t2g_status metrics_case(json_t *out, const char *kind,
                                  const json_t *one);

/* How far a figure of this kind may be off: *absolute + *relative * |want|. The
 * largest sums and inverse functions are held to less than the rest. */
void metrics_tolerance(const char *kind, const json_t *one, double *absolute,
                       double *relative);
/* Is this output one to be met? (Cases also show what must not come out.) */
bool metrics_wanted(const char *name);

/* A list of numbers out of metrics_case; NaN where an element is none. */
double metrics_number(const json_t *value);

#endif
