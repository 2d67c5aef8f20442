#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Seconds between redraws of a bar, and between plain lines. */
static const double REDRAW = 0.1, PLAIN = 10;

static bool bar_shown; /* a bar stands on the terminal's current line */

void progress_clear(void)
{
    if (!bar_shown)
        return;
    fputs("\r\033[K", stderr);
    bar_shown = false;
}

void progress_begin(progress *p, const invocation *inv, const char *stage,
                    uint64_t total)
{
    const char *term = getenv("TERM");
    *p = (progress){.inv = inv, .total = total, .started = cli_seconds()};
    snprintf(p->stage, sizeof p->stage, "%s", stage);
    p->terminal = isatty(STDERR_FILENO) && !(term && !strcmp(term, "dumb"));
    p->shown = p->started;
}

static size_t columns(void)
{
    struct winsize w;
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0;
    return known ? w.ws_col : 80;
}

static void format_time(char out[24], double seconds)
{
    unsigned long long s = (unsigned long long)(seconds + 0.5);
    if (s < 3600)
        snprintf(out, 24, "%llu:%02llu", s / 60, s % 60);
    else
        snprintf(out, 24, "%llu:%02llu:%02llu", s / 3600, s / 60 % 60, s % 60);
}

/* 12.3, 4567, 12.3k, 4.5M */
static void format_rate(char out[24], double rate)
{
    const char *unit = rate >= 1e6 ? "M" : rate >= 1e4 ? "k" : "";
    double v = rate >= 1e6 ? rate * 1e-6 : rate >= 1e4 ? rate * 1e-3 : rate;
    snprintf(out, 24, v < 100 ? "%.1f%s" : "%.0f%s", v, unit);
}

static void append(char *line, size_t room, const char *text)
{
    size_t n = strlen(line);
    snprintf(line + n, room - n, "%s", text);
}

static void append_rate(char *line, size_t room, const progress *p)
{
    char rate[24], text[64];
    double seconds = cli_seconds() - p->started;
    if (!p->unit_name || p->units == 0 || seconds <= 0)
        return;
    format_rate(rate, (double)p->units / seconds);
    snprintf(text, sizeof text, "  %s %s/s", rate, p->unit_name);
    append(line, room, text);
}

static void append_left(char *line, size_t room, const progress *p)
{
    char time[24], text[40];
    if (p->done == 0 || p->done >= p->total)
        return;
    double left = (cli_seconds() - p->started) *
                  (double)(p->total - p->done) / (double)p->done;
    format_time(time, left);
    snprintf(text, sizeof text, "  %s left", time);
    append(line, room, text);
}

/* "120/200  1234 tok/s  0:12 left  loss 1.23" */
static void describe(char *line, size_t room, const progress *p,
                     const char *extra)
{
    unsigned long long done = p->done, total = p->total;
    if (total > 0)
        snprintf(line, room, "%llu/%llu", done, total);
    else
        snprintf(line, room, "%llu", done);
    append_rate(line, room, p);
    append_left(line, room, p);
    if (extra) {
        append(line, room, "  ");
        append(line, room, extra);
    }
}

static void draw(const progress *p, const char *facts)
{
    enum { CELLS = 20 };
    char bar[CELLS + 1], line[512];
    size_t full = p->total ? (size_t)((double)CELLS * (double)p->done /
                                      (double)p->total) : 0;
    for (size_t i = 0; i < CELLS; i++)
        bar[i] = i < full ? '=' : i == full ? '>' : ' ';
    bar[CELLS] = '\0';
    snprintf(line, sizeof line, "%s [%s] %s", p->stage, bar, facts);
    fprintf(stderr, "\r%.*s\033[K", (int)columns() - 1, line);
    bar_shown = true;
}

void progress_update(progress *p, uint64_t done, uint64_t units,
                     const char *unit_name, const char *extra)
{
    char facts[384];
    double now = cli_seconds();
    p->done = done;
    p->units = units;
    p->unit_name = unit_name;
    if (p->inv->common.quiet || now - p->shown < (p->terminal ? REDRAW : PLAIN))
        return;
    p->shown = now;
    describe(facts, sizeof facts, p, extra);
    if (p->terminal)
        draw(p, facts);
    else
        fprintf(stderr, "%s: %s\n", p->stage, facts);
}

void progress_end(progress *p, const char *summary)
{
    char line[256], time[24];
    progress_clear();
    if (p->inv->common.quiet)
        return;
    format_time(time, cli_seconds() - p->started);
    snprintf(line, sizeof line, "%llu in %s", (unsigned long long)p->done,
             time);
    append_rate(line, sizeof line, p);
    fprintf(stderr, "%s: %s\n", p->stage, summary ? summary : line);
}
