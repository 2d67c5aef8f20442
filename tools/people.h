/* People as a critic: they mark phrases of responses on a page that this
 * program serves to the browser of this machine. */
#ifndef PEOPLE_H
#define PEOPLE_H

#include "annotate.h"

/* The page, made of people.html by the build. */
extern const unsigned char people_page[];
extern const unsigned long people_page_size;

/* A response that is to be judged, n bytes, and the record it stands in. */
typedef struct people_case {
    const json_t *record;
    const char *response;
    size_t n;
} people_case;

/* Reads what the page sends, {"critique", "good_spans", "poor_spans",
 * "annotator", "seconds"}, and makes of it the answer that is kept, {"reply",
 * "annotator", "seconds"}, the caller's. T2G_ERR_FORMAT says what is wrong: a
 * span whose text is not what the response has at its offsets, for one.
 * `annotator` is who it is whatever the page says, or NULL. */
T2G_CHECK t2g_status people_answer(json_t **answer, const char *body,
                                   size_t body_n, const people_case *c,
                                   const char *annotator);

/* Sets critique, good_spans and poor_spans of o: those of an answer that was
 * kept. */
T2G_CHECK t2g_status people_show_answer(json_t *o, const json_t *answer);

/* The same of a feedback record, each phrase where alignment finds it; those
 * that are nowhere are listed as "unplaced". */
T2G_CHECK t2g_status people_show_record(json_t *o, const people_case *c);

#endif
