/* The report: what a run directory holds, and the parts of its page. */
#ifndef REPORT_H
#define REPORT_H

#include "cli.h"

/* --- the run -------------------------------------------------------------- */

enum { REPORT_ARMS = 12, SMOOTH = 3 };

/* A policy of the run. */
typedef struct report_arm {
    const char *id, *name; /* "ppo", "PPO (scalar)" */
    size_t colour;
    const json_t *score; /* its entry in result.json, or NULL */
    const json_t *last;  /* its last line in metrics.jsonl, or NULL */
} report_arm;

typedef struct report_run {
    const char *dir;
    json_t *options, *result;    /* NULL: none */
    t2g_records metrics, samples; /* no record: none */
    t2g_buffer commands, notes;  /* notes: one a line, what is missing */
    report_arm arm[REPORT_ARMS];
    size_t arms;
} report_run;

/* The arm of that id, or NULL. */
const report_arm *report_find(const report_run *r, const char *id);
/* A member of an object that is a number one can draw, else NAN. */
double report_number(const json_t *object, const char *key);
/* The last line of a stage in metrics.jsonl, or NULL. */
const json_t *report_last(const report_run *r, const char *stage);

/* --- writing HTML (report_svg.c) ------------------------------------------ */

void put(t2g_writer *w, const char *html);
/* Any bytes as text: markup is escaped, control characters and bytes that are
 * not UTF-8 are made visible. Good inside attributes too. */
void put_text(t2g_writer *w, const char *text, size_t n);
void put_string(t2g_writer *w, const char *text);
/* A number with so many decimals; a dash for NAN. */
void put_real(t2g_writer *w, double x, int decimals);

/* --- charts (report_svg.c) ------------------------------------------------ */

/* One curve: the records whose member `key` is `value`, x against y. */
typedef struct series {
    const char *name; /* in the legend; NULL: not there */
    size_t colour, count;
    double *x, *y; /* owned */
} series;

T2G_CHECK t2g_status series_read(series *s, const t2g_records *r,
                                 const char *key, const char *value,
                                 const char *x, const char *y);
/* Mean of the last SMOOTH values up to i. */
double series_smooth(const series *s, size_t i);
void series_free(series *s);

typedef struct chart {
    const char *title, *note, *x_name;
    const series *line;
    size_t lines;
    double level; /* a horizontal line; NAN: none */
    const char *level_name;
    bool loss; /* logarithmic if it spans much */
} chart;

/* Raw points pale, their running mean as a line. */
void chart_write(t2g_writer *w, const chart *c);
/* Held-out accuracies of the arms as dots with whiskers of two standard
 * errors. */
void intervals_write(t2g_writer *w, const report_run *r);

/* --- parts of the page ---------------------------------------------------- */

T2G_CHECK t2g_status report_summary(t2g_writer *w, const report_run *r);
void report_results(t2g_writer *w, const report_run *r);
T2G_CHECK t2g_status report_curves(t2g_writer *w, const report_run *r);
void report_reward_model(t2g_writer *w, const report_run *r);
void report_examples(t2g_writer *w, const report_run *r);
void report_cost(t2g_writer *w, const report_run *r);

#endif
