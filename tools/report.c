/* t2g report: a run directory as one HTML page that needs nothing else. */
#include "report.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "training.h"

/* --- reading a run -------------------------------------------------------- */

static t2g_status note(report_run *r, const char *name, const char *what)
{
    return t2g_buffer_printf(&r->notes, "%s: %s\n", name, what);
}

/* What a file's reading came to: a page can do without it. */
static t2g_status settle(report_run *r, t2g_status s)
{
    if (s == T2G_OK || s == T2G_ERR_MEMORY)
        return s;
    return t2g_buffer_printf(&r->notes, "%s\n", t2g_error_message());
}

/* The path of a file; *there = false, and a note, if there is none. */
static t2g_status locate(report_run *r, char path[4096], const char *name,
                         bool *there)
{
    T2G_TRY(join_path(path, r->dir, name));
    *there = access(path, F_OK) == 0 || errno != ENOENT;
    return *there ? T2G_OK : note(r, name, "not in this directory");
}

static t2g_status read_object(report_run *r, json_t **out, const char *name)
{
    char path[4096];
    bool there;
    T2G_TRY(locate(r, path, name, &there));
    if (!there)
        return T2G_OK;
    T2G_TRY(settle(r, t2g_json_read(out, path)));
    if (!*out || json_is_object(*out))
        return T2G_OK;
    json_decref(*out);
    *out = NULL;
    return note(r, name, "not a JSON object");
}

static void keep_message(void *context, const char *message)
{
    (void)!t2g_buffer_printf(context, "%s\n", message);
}

static t2g_status read_lines(report_run *r, t2g_records *out, const char *name)
{
    char path[4096];
    bool there;
    T2G_TRY(locate(r, path, name, &there));
    if (!there)
        return T2G_OK;
    return settle(r, t2g_records_read(out, path, NULL, true, keep_message,
                                      &r->notes));
}

static t2g_status read_commands(report_run *r)
{
    char path[4096];
    bool there;
    T2G_TRY(locate(r, path, "commands.sh", &there));
    return there ? settle(r, t2g_file_read(path, &r->commands)) : T2G_OK;
}

static t2g_status check_directory(const char *dir)
{
    DIR *d = opendir(dir);
    if (!d)
        return t2g_fail(T2G_ERR_IO, "%s: %s, expected a run directory", dir,
                        strerror(errno));
    closedir(d);
    return T2G_OK;
}

/* --- what it holds -------------------------------------------------------- */

const report_arm *report_find(const report_run *r, const char *id)
{
    for (size_t i = 0; i < r->arms; i++)
        if (strcmp(r->arm[i].id, id) == 0)
            return &r->arm[i];
    return NULL;
}

/* Beyond these sizes nothing is measured, and scales would overflow. */
double report_number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    double x = json_number_value(value);
    if (!json_is_number(value) || !(fabs(x) < 1e100))
        return NAN;
    return fabs(x) < 1e-100 ? 0 : x;
}

const json_t *report_last(const report_run *r, const char *stage)
{
    for (size_t i = r->metrics.count; i-- > 0;) {
        const json_t *line = r->metrics.record[i];
        const char *s = json_string_value(json_object_get(line, "stage"));
        if (s && strcmp(s, stage) == 0)
            return line;
    }
    return NULL;
}

static const char *const arm_names[][2] = {
    {"sft", "supervised"}, {"ppo", "PPO (scalar)"},
    {"text2grad", "Text2Grad (spans)"}, {"prm-ppo", "PRM-PPO (steps)"}};
enum { NAMED = sizeof arm_names / sizeof *arm_names, OTHER_COLOURS = 2 };

/* The arm of that id, made if need be; NULL if there are too many. */
static report_arm *arm_of(report_run *r, const char *id)
{
    const report_arm *found = report_find(r, id);
    if (found || r->arms == REPORT_ARMS)
        return found ? &r->arm[found - r->arm] : NULL;
    report_arm *a = &r->arm[r->arms];
    *a = (report_arm){.id = id, .name = id,
                      .colour = NAMED + r->arms % OTHER_COLOURS};
    for (size_t i = 0; i < NAMED; i++)
        if (strcmp(arm_names[i][0], id) == 0) {
            a->name = arm_names[i][1];
            a->colour = i;
        }
    r->arms++;
    return a;
}

static t2g_status find_arms(report_run *r)
{
    json_t *scores = json_object_get(r->result, "accuracy"), *score;
    const char *id;
    bool full = false;
    json_object_foreach(scores, id, score) {
        report_arm *a = arm_of(r, id);
        if (a)
            a->score = score;
        full |= !a;
    }
    for (size_t i = 0; i < r->metrics.count; i++) {
        const json_t *line = r->metrics.record[i];
        id = json_string_value(json_object_get(line, "arm"));
        report_arm *a = id ? arm_of(r, id) : NULL;
        if (a)
            a->last = line;
        full |= id && !a;
    }
    return full ? note(r, "metrics.jsonl", "too many arms, the last of them "
                       "are left out")
                : T2G_OK;
}

static t2g_status read_run(report_run *r, const char *dir)
{
    r->dir = dir;
    T2G_TRY(check_directory(dir));
    T2G_TRY(read_object(r, &r->options, "run.json"));
    T2G_TRY(read_object(r, &r->result, "result.json"));
    T2G_TRY(read_lines(r, &r->metrics, "metrics.jsonl"));
    T2G_TRY(read_lines(r, &r->samples, "samples.jsonl"));
    T2G_TRY(read_commands(r));
    return find_arms(r);
}

static void free_run(report_run *r)
{
    json_decref(r->options);
    json_decref(r->result);
    t2g_records_free(&r->metrics);
    t2g_records_free(&r->samples);
    t2g_buffer_free(&r->commands);
    t2g_buffer_free(&r->notes);
}

/* --- the page ------------------------------------------------------------- */

/* --c is the colour of an arm, --d its dashes, --s the strength of a reward. */
static const char style[] =
    ":root{color-scheme:light dark;--bg:#fff;--fg:#1b1e23;--soft:#5a6270;"
    "--line:#dcdfe5;--card:#f5f6f8}\n"
    ".c0{--c:#6b7280}.c1{--c:#c2570c;--d:7 3}.c2{--c:#1d4ed8}"
    ".c3{--c:#7c3aed;--d:2 3}.c4{--c:#0f766e}.c5{--c:#be185d;--d:9 3 2 3}\n"
    "@media screen and (prefers-color-scheme:dark){:root{--bg:#15171b;"
    "--fg:#e4e6ea;--soft:#9aa2af;--line:#343a44;--card:#1e2127}"
    ".c0{--c:#a3aab6}.c1{--c:#fb923c}.c2{--c:#6ea8fe}.c3{--c:#c4b5fd}"
    ".c4{--c:#5eead4}.c5{--c:#f9a8d4}}\n"
    "*{box-sizing:border-box}body{margin:0 auto;padding:1rem;max-width:68rem;"
    "background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,sans-serif;"
    "overflow-wrap:anywhere}\n"
    "h1{font-size:1.6rem;line-height:1.2}h2{font-size:1.2rem;margin:2rem 0 "
    ".6rem;border-top:1px solid var(--line);padding-top:1.2rem;"
    "break-after:avoid}"
    "h4{margin:0;font-size:.9rem}p{margin:.5rem 0}\n"
    ".note{color:var(--soft);font-size:.85rem}.summary{max-width:46rem}\n"
    ".wide{overflow-x:auto;margin:.4rem 0 1rem}"
    "table{border-collapse:collapse;overflow-wrap:normal;font-size:.9rem;"
    "font-variant-numeric:tabular-nums}th,td{padding:.3rem .8rem .3rem 0;"
    "text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}"
    "th:first-child{text-align:left}th{font-weight:600}"
    "tr:first-child th{color:var(--soft);font-weight:400}"
    "th[class]{color:var(--c)}\n"
    ".cost .bar{width:40%;min-width:5rem}.bar span{display:block;height:.8rem;"
    "min-width:1px;background:#8795ab}.total th,.total td{border:0}\n"
    ".charts{display:grid;gap:1.2rem 2rem;"
    "grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr))}"
    "figure{margin:0;max-width:34rem;break-inside:avoid}"
    "figcaption{font-weight:600}"
    ".legend{font-size:.85rem;margin:.1rem 0}.legend span{margin-right:1rem;"
    "white-space:nowrap}\n"
    "svg{overflow:visible}.chart{display:block;width:100%;height:auto}"
    "svg text{font-size:12.5px;fill:var(--soft)}path{fill:none}"
    ".grid{stroke:var(--line)}.axis{stroke:var(--soft)}"
    ".mean{fill:none;stroke:var(--c);stroke-width:2;"
    "stroke-dasharray:var(--d,none);stroke-linejoin:round}"
    ".raw{fill:var(--c);opacity:.35}"
    ".level{--c:var(--soft);--d:1 3}.level .mean{stroke-width:1.5}"
    ".whisker{stroke:var(--c);stroke-width:1.5}.dot{fill:var(--c)}"
    ".hollow{fill:var(--bg);stroke:var(--c);stroke-width:2}\n"
    "blockquote{margin:1.4rem 0 .5rem;padding:.5rem .8rem;"
    "background:var(--card);border-left:3px solid var(--line);"
    "white-space:pre-wrap;font-size:.9rem;break-after:avoid}"
    ".example{display:grid;gap:.2rem 1.5rem;margin:.6rem 0;"
    "grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr));"
    "break-inside:avoid}"
    ".response .good,.response .poor{border-left:1px solid var(--bg)}"
    ".response{white-space:pre-wrap;line-height:1.7;margin:.2rem 0}"
    ".critique{font-size:.85rem;color:var(--soft)}"
    ".critique p{margin:0 0 .3rem}.spans .good,.spans .poor{padding:0 .3rem;"
    "color:var(--fg);white-space:pre-wrap}\n"
    ".good,.poor,.bar span{-webkit-print-color-adjust:exact;"
    "print-color-adjust:exact}"
    ".good{background:rgba(22,163,74,var(--s));border-bottom:2px solid "
    "#16a34a}.poor{background:rgba(220,38,38,var(--s));border-bottom:2px "
    "dashed #dc2626}\n"
    "details{margin:.5rem 0}summary{cursor:pointer}"
    "pre{white-space:pre-wrap;font-size:.8rem;background:var(--card);"
    "padding:.6rem .8rem}code{font-size:.9em}\n"
    "@media (max-width:34rem){table{font-size:.7rem}"
    "th,td{white-space:normal;padding-right:.3rem}"
    ".cost .bar{min-width:4rem}}\n"
    "@media print{body{font-size:11pt;max-width:none}"
    ".charts{grid-template-columns:1fr 1fr}}\n";

/* The last component of the directory's path: a page is passed on, and where it
 * lay on some machine is nobody's business. */
static void put_name(t2g_writer *w, const char *dir)
{
    size_t n = strlen(dir), begin;
    while (n > 1 && dir[n - 1] == '/')
        n--;
    for (begin = n; begin > 0 && dir[begin - 1] != '/';)
        begin--;
    put_text(w, dir + begin, n - begin);
}

static void put_head(t2g_writer *w, const report_run *r)
{
    put(w, "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8>\n"
           "<meta name=viewport content=\"width=device-width, "
           "initial-scale=1\">\n<title>Text2Grad: ");
    put_name(w, r->dir);
    put(w, "</title>\n<style>\n");
    put(w, style);
    put(w, "</style></head>\n<body>\n<h1>Text2Grad: ");
    put_name(w, r->dir);
    put(w, "</h1>\n");
}

static void put_details(t2g_writer *w, const char *title, const char *text,
                        size_t n)
{
    t2g_writer_printf(w, "<details><summary>%s</summary><pre>", title);
    put_text(w, text, n);
    put(w, "</pre></details>\n");
}

static void put_options(t2g_writer *w, const json_t *options)
{
    char *text = json_dumps(options, JSON_INDENT(2));
    if (text)
        put_details(w, "Options (run.json)", text, strlen(text));
    free(text);
}

/* Seed, digest, commands: what it takes to get the same again. */
static void put_origin(t2g_writer *w, const report_run *r)
{
    const char *digest = json_string_value(json_object_get(r->result,
                                                           "digest"));
    double seed = report_number(r->result, "seed");
    if (isnan(seed))
        seed = report_number(r->options, "seed");
    put(w, "<h2>The same again</h2>\n<p>Seed ");
    put_real(w, seed, 0);
    put(w, "; digest of all parameters ");
    if (digest) {
        put(w, "<code>");
        put_string(w, digest);
        put(w, "</code>, equal on every machine");
    } else {
        put(w, "not recorded");
    }
    put(w, ".</p>\n");
    if (r->commands.size)
        put_details(w, "Commands that were run", r->commands.data,
                    r->commands.size);
    if (r->options)
        put_options(w, r->options);
}

static void put_notes(t2g_writer *w, const report_run *r)
{
    if (r->notes.size)
        put_details(w, "Files that are missing or could not be read",
                    r->notes.data, r->notes.size);
    put(w, "<p class=note>t2g " T2G_VERSION "</p>\n</body></html>\n");
}

static t2g_status put_page(t2g_writer *w, const report_run *r)
{
    put_head(w, r);
    T2G_TRY(report_summary(w, r));
    report_results(w, r);
    T2G_TRY(report_curves(w, r));
    report_reward_model(w, r);
    report_examples(w, r);
    report_cost(w, r);
    put_origin(w, r);
    put_notes(w, r);
    return T2G_OK;
}

/* --- the command ---------------------------------------------------------- */

static t2g_status work(const invocation *inv, report_run *r, const char *output)
{
    const char *dir = inv->files[0];
    char path[4096];
    t2g_writer *w;
    T2G_TRY(read_run(r, dir));
    T2G_TRY(join_path(path, dir, "report.html"));
    if (!output)
        output = path;
    T2G_TRY(t2g_writer_open(&w, output));
    t2g_status s = put_page(w, r);
    if (s != T2G_OK) {
        t2g_writer_abort(w);
        return s;
    }
    T2G_TRY(t2g_writer_commit(w));
    cli_note(inv, "%s", output);
    return T2G_OK;
}

static int run(const command *self, int argc, char **argv)
{
    const char *output = NULL;
    option table[] = {{"output", OPTION_TEXT, &output, "Output",
                       "the page (default: report.html in the run directory; - "
                       "is stdout)", 0, 0, NULL, false},
                      {0}};
    invocation inv;
    int status = cli_parse(&inv, self, table, argc, argv);
    if (status >= 0)
        return status;
    if (inv.file_count != 1) {
        status = cli_usage(&inv, "needs one run directory");
    } else {
        report_run r = {0};
        status = work(&inv, &r, output) == T2G_OK ? EXIT_DONE
                                                  : cli_failed(&inv);
        free_run(&r);
    }
    cli_free(&inv);
    return status;
}

const command command_report = {
    "report", "a run directory as one HTML page: curves, table, examples",
    "RUN_DIR [options]", "t2g report demo --output demo.html", run};
