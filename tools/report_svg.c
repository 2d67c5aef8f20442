/* The report's text and charts: escaped HTML, SVG without scripts. */
#include "report.h"

#include <math.h>
#include <string.h>

/* --- text ----------------------------------------------------------------- */

void put(t2g_writer *w, const char *html)
{
    t2g_writer_write(w, html, strlen(html));
}

/* What stands for a byte in text of HTML, or NULL: itself. */
static const char *escape_of(unsigned char c, char picture[4])
{
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    case '\n':
    case '\t': return NULL;
    }
    if (c >= 0x20 && c != 0x7f)
        return NULL;
    /* U+2400 and on are pictures of the control characters. */
    memcpy(picture, "\xe2\x90", 2);
    picture[2] = (char)(c == 0x7f ? 0xa1 : 0x80 + c);
    picture[3] = '\0';
    return picture;
}

static void put_valid(t2g_writer *w, const char *text, size_t n)
{
    size_t written = 0;
    for (size_t i = 0; i < n; i++) {
        char picture[4];
        const char *escape = escape_of((unsigned char)text[i], picture);
        if (!escape)
            continue;
        t2g_writer_write(w, text + written, i - written);
        put(w, escape);
        written = i + 1;
    }
    t2g_writer_write(w, text + written, n - written);
}

void put_text(t2g_writer *w, const char *text, size_t n)
{
    while (n > 0) {
        size_t valid = t2g_utf8_invalid(text, n);
        put_valid(w, text, valid);
        if (valid == n)
            return;
        put(w, "\xef\xbf\xbd");
        text += valid + 1;
        n -= valid + 1;
    }
}

void put_string(t2g_writer *w, const char *text)
{
    put_text(w, text, strlen(text));
}

void put_real(t2g_writer *w, double x, int decimals)
{
    if (isnan(x))
        put(w, "\xe2\x80\x93");
    else
        t2g_writer_printf(w, "%.*f", decimals, x);
}

/* --- series --------------------------------------------------------------- */

enum { MOST_POINTS = 400 };

static bool selected(const json_t *record, const char *key, const char *value)
{
    const char *found = json_string_value(json_object_get(record, key));
    return found && strcmp(found, value) == 0;
}

/* Long curves are drawn as means of equally many points. */
static void thin(series *s)
{
    size_t group = (s->count + MOST_POINTS - 1) / MOST_POINTS, n = 0;
    for (size_t i = 0; group > 1 && i < s->count; i += group, n++) {
        size_t m = s->count - i < group ? s->count - i : group;
        double x = 0, y = 0;
        for (size_t k = i; k < i + m; k++) {
            x += s->x[k];
            y += s->y[k];
        }
        s->x[n] = x / (double)m;
        s->y[n] = y / (double)m;
    }
    if (group > 1)
        s->count = n;
}

t2g_status series_read(series *s, const t2g_records *r, const char *key,
                       const char *value, const char *x, const char *y)
{
    *s = (series){.name = value, .x = t2g_calloc(r->count, sizeof *s->x),
                  .y = t2g_calloc(r->count, sizeof *s->y)};
    if (!s->x || !s->y) {
        series_free(s);
        return T2G_ERR_MEMORY;
    }
    for (size_t i = 0; i < r->count; i++) {
        double u = report_number(r->record[i], x);
        double v = report_number(r->record[i], y);
        if (!selected(r->record[i], key, value) || isnan(u) || isnan(v))
            continue;
        s->x[s->count] = u;
        s->y[s->count++] = v;
    }
    thin(s);
    return T2G_OK;
}

double series_smooth(const series *s, size_t i)
{
    double sum = 0;
    size_t from = i + 1 < SMOOTH ? 0 : i + 1 - SMOOTH;
    for (size_t k = from; k <= i; k++)
        sum += s->y[k];
    return sum / (double)(i + 1 - from);
}

void series_free(series *s)
{
    t2g_free(s->x);
    t2g_free(s->y);
    *s = (series){0};
}

/* --- axes ----------------------------------------------------------------- */

enum { MOST_TICKS = 24 };

typedef struct axis {
    double tick[MOST_TICKS];
    size_t ticks;
    bool logarithmic;
    double from, to; /* pixels of the first and the last tick */
} axis;

typedef struct range {
    double low, high;
} range;

static void widen(range *r, double x)
{
    r->low = fmin(r->low, x);
    r->high = fmax(r->high, x);
}

/* The least of 1, 2, 5, 10 times a power of ten that is not below x > 0. */
static double round_step(double x)
{
    double power = pow(10, floor(log10(x))), m = x / power;
    return power * (m <= 1 ? 1 : m <= 2 ? 2 : m <= 5 ? 5 : 10);
}

/* About five round steps, none below `least`, that hold the range. */
static axis linear_axis(range r, double least, double from, double to)
{
    axis a = {.from = from, .to = to};
    double size = fmax(fabs(r.low), fabs(r.high));
    if (r.high - r.low <= 1e-6 * size) { /* one value: make room round it */
        r.low -= 0.1 * size;
        r.high += size > 0 ? 0.1 * size : 1;
    }
    double step = fmax(round_step((r.high - r.low) / 5), least);
    double low = floor(r.low / step + 1e-9), high = ceil(r.high / step - 1e-9);
    while (a.ticks < MOST_TICKS && low + (double)a.ticks <= high) {
        a.tick[a.ticks] = (low + (double)a.ticks) * step;
        a.ticks++;
    }
    return a;
}

/* Number t of ..., 0.5, 1, 2, 5, 10, ...; number 0 is 1. */
static double log_tick(int t)
{
    static const double digit[] = {1, 2, 5};
    int decade = (int)floor(t / 3.0);
    return digit[t - 3 * decade] * pow(10, decade);
}

/* The last of those ticks that is not above x. */
static int log_tick_below(double x)
{
    int t = 3 * ((int)floor(log10(x)) + 1);
    while (log_tick(t) > x)
        t--;
    return t;
}

/* Ticks 1, 2, 5, 10, ... or, where these were too many, powers of ten. */
static axis log_axis(range r, double from, double to)
{
    axis a = {.from = from, .to = to, .logarithmic = true};
    int low = log_tick_below(r.low), high = log_tick_below(r.high), step = 1;
    high += log_tick(high) < r.high;
    if (high - low > 9) {
        step = 3;
        low = 3 * (int)floor(low / 3.0);
        high = 3 * (int)ceil(high / 3.0);
    }
    while (a.ticks < MOST_TICKS && low <= high) {
        a.tick[a.ticks++] = log_tick(low);
        low += step;
    }
    return a;
}

static double pixel(const axis *a, double x)
{
    double low = a->tick[0], high = a->tick[a->ticks - 1];
    double share = a->logarithmic ? log10(x / low) / log10(high / low)
                                  : (x - low) / (high - low);
    return a->from + share * (a->to - a->from);
}

/* A tick's value with the digits that tell it from its neighbours. */
static void put_tick(t2g_writer *w, const axis *a, size_t i)
{
    double x = a->tick[i], step = a->tick[1] - a->tick[0];
    double digits = -floor(log10(step) + 1e-9);
    if (a->logarithmic)
        t2g_writer_printf(w, "%g", x);
    else if (step >= 1e-4 && fabs(x) < 1e6)
        t2g_writer_printf(w, "%.*f", digits > 0 ? (int)digits : 0, x);
    else
        t2g_writer_printf(w, "%.*g", x == 0 ? 1 :
                          (int)fmin(9, floor(log10(fabs(x))) + digits + 1), x);
}

/* --- line charts ---------------------------------------------------------- */

enum { WIDTH = 480, HEIGHT = 250, LEFT = 56, RIGHT = 464, TOP = 10,
       BOTTOM = 206 };

static void y_axis_write(t2g_writer *w, const axis *y)
{
    for (size_t i = 0; i < y->ticks; i++) {
        double at = pixel(y, y->tick[i]);
        t2g_writer_printf(w, "<path class=grid d=\"M%d %.1fH%d\"/><text x=%d "
                          "y=%.1f text-anchor=end>", LEFT, at, RIGHT, LEFT - 7,
                          at + 4);
        put_tick(w, y, i);
        put(w, "</text>\n");
    }
}

static void x_axis_write(t2g_writer *w, const axis *x, int bottom,
                         const char *name)
{
    t2g_writer_printf(w, "<path class=axis d=\"M%.1f %dH%.1f\"/>\n", x->from,
                      bottom, x->to);
    for (size_t i = 0; i < x->ticks; i++) {
        double at = pixel(x, x->tick[i]);
        t2g_writer_printf(w, "<path class=axis d=\"M%.1f %dv5\"/><text x=%.1f "
                          "y=%d text-anchor=middle>", at, bottom, at,
                          bottom + 18);
        put_tick(w, x, i);
        put(w, "</text>\n");
    }
    t2g_writer_printf(w, "<text x=%.1f y=%d text-anchor=middle>",
                      (x->from + x->to) / 2, bottom + 36);
    put_string(w, name);
    put(w, "</text>\n");
}

static void line_write(t2g_writer *w, const series *s, const axis *x,
                       const axis *y)
{
    t2g_writer_printf(w, "<g class=c%zu>", s->colour);
    for (size_t i = 0; i < s->count; i++)
        t2g_writer_printf(w, "<circle class=raw cx=%.1f cy=%.1f r=2.2 />",
                          pixel(x, s->x[i]), pixel(y, s->y[i]));
    put(w, "<polyline class=mean points=\"");
    for (size_t i = 0; i < s->count; i++)
        t2g_writer_printf(w, "%.1f,%.1f ", pixel(x, s->x[i]),
                          pixel(y, series_smooth(s, i)));
    put(w, "\"/></g>\n");
}

static void legend_item(t2g_writer *w, const char *class, const char *name)
{
    t2g_writer_printf(w, "<span><svg width=26 height=10 aria-hidden=true "
                      "class=%s><path class=mean d=\"M0 5H26\"/></svg> ",
                      class);
    put_string(w, name);
    put(w, "</span> ");
}

static void legend_write(t2g_writer *w, const chart *c)
{
    put(w, "<p class=legend>");
    for (size_t i = 0; i < c->lines; i++) {
        char class[32];
        if (!c->line[i].name)
            continue;
        snprintf(class, sizeof class, "c%zu", c->line[i].colour);
        legend_item(w, class, c->line[i].name);
    }
    if (!isnan(c->level))
        legend_item(w, "level", c->level_name);
    put(w, "</p>\n");
}

void chart_write(t2g_writer *w, const chart *c)
{
    range of_x = {INFINITY, -INFINITY}, of_y = of_x;
    for (size_t k = 0; k < c->lines; k++)
        for (size_t i = 0; i < c->line[k].count; i++) {
            widen(&of_x, c->line[k].x[i]);
            widen(&of_y, c->line[k].y[i]);
        }
    if (of_x.high < of_x.low)
        return; /* nothing to draw */
    if (!isnan(c->level))
        widen(&of_y, c->level);
    bool wide = c->loss && of_y.low > 0 && of_y.high > 20 * of_y.low;
    axis x = linear_axis(of_x, 1, LEFT, RIGHT - 8);
    axis y = wide ? log_axis(of_y, BOTTOM, TOP)
                  : linear_axis(of_y, 0, BOTTOM, TOP);
    put(w, "<figure><figcaption>");
    put_string(w, c->title);
    put(w, "</figcaption>\n");
    legend_write(w, c);
    t2g_writer_printf(w, "<svg class=chart viewBox=\"0 0 %d %d\" role=img "
                      "aria-label=\"", WIDTH, HEIGHT);
    put_string(w, c->title);
    put(w, "\">\n");
    y_axis_write(w, &y);
    x_axis_write(w, &x, BOTTOM, c->x_name);
    if (!isnan(c->level))
        t2g_writer_printf(w, "<g class=level><path class=mean d=\"M%d "
                          "%.1fH%d\"/></g>\n", LEFT, pixel(&y, c->level),
                          RIGHT);
    for (size_t k = 0; k < c->lines; k++)
        line_write(w, &c->line[k], &x, &y);
    put(w, "</svg>\n<p class=note>");
    put_string(w, c->note);
    if (wide)
        put(w, " Logarithmic scale.");
    put(w, "</p></figure>\n");
}

/* --- dots and whiskers ---------------------------------------------------- */

enum { ROW = 40, NAMES = 128 };

/* One accuracy with two standard errors each way; greedy ones are hollow. */
static void interval_write(t2g_writer *w, const axis *x, double value,
                           double se, double at, bool hollow)
{
    if (isnan(value))
        return;
    if (!isnan(se))
        t2g_writer_printf(w, "<path class=whisker d=\"M%.1f %.1fH%.1fm0 -4v8M"
                          "%.1f %.1fv8\"/>", pixel(x, value - 2 * se), at,
                          pixel(x, value + 2 * se), pixel(x, value - 2 * se),
                          at - 4);
    t2g_writer_printf(w, "<circle class=%s cx=%.1f cy=%.1f r=5 />\n",
                      hollow ? "hollow" : "dot", pixel(x, value), at);
}

static void widen_by(range *r, const json_t *score, const char *key,
                     const char *se_key)
{
    double value = report_number(score, key), se = report_number(score, se_key);
    if (isnan(value))
        return;
    widen(r, value - 2 * (isnan(se) ? 0 : se));
    widen(r, value + 2 * (isnan(se) ? 0 : se));
}

void intervals_write(t2g_writer *w, const report_run *r)
{
    range all = {INFINITY, -INFINITY};
    size_t rows = 0;
    for (size_t i = 0; i < r->arms; i++) {
        widen_by(&all, r->arm[i].score, "sampled", "sampled_se");
        widen_by(&all, r->arm[i].score, "greedy", "greedy_se");
        rows += r->arm[i].score != NULL;
    }
    if (all.high < all.low)
        return;
    axis x = linear_axis(all, 0, NAMES, RIGHT - 8);
    int bottom = TOP + ROW * (int)rows, row = 0;
    t2g_writer_printf(w, "<figure><figcaption>Held-out accuracy</figcaption>"
                      "<svg class=chart viewBox=\"0 0 %d %d\" role=img "
                      "aria-label=\"Held-out accuracy of each policy\">\n",
                      WIDTH, bottom + 44);
    for (size_t i = 0; i < x.ticks; i++)
        t2g_writer_printf(w, "<path class=grid d=\"M%.1f %dV%d\"/>",
                          pixel(&x, x.tick[i]), TOP, bottom);
    for (size_t i = 0; i < r->arms; i++) {
        const report_arm *a = &r->arm[i];
        if (!a->score)
            continue;
        double at = TOP + ROW * (row++ + 0.5);
        t2g_writer_printf(w, "<text x=%d y=%.1f text-anchor=end>", NAMES - 12,
                          at + 4);
        put_string(w, a->name);
        t2g_writer_printf(w, "</text><g class=c%zu>", a->colour);
        interval_write(w, &x, report_number(a->score, "sampled"),
                       report_number(a->score, "sampled_se"), at - 8, false);
        interval_write(w, &x, report_number(a->score, "greedy"),
                       report_number(a->score, "greedy_se"), at + 8, true);
        put(w, "</g>\n");
    }
    x_axis_write(w, &x, bottom, "share of the facts that are right");
    put(w, "</svg>\n<p class=note>Filled: sampled; hollow: greedy. Whiskers: "
           "two standard errors over messages.</p></figure>\n");
}
