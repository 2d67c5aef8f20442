#include "tokens.h"

#include <math.h>
#include <stdlib.h>

/* --- tokens of a range ---------------------------------------------------- */

/* ASCII, and not white space */
static bool is_solid(char c)
{
    return (unsigned char)c > ' ' && (unsigned char)c < 0x80;
}

/* A token's bytes without white space at either end. */
static t2g_range core_of(const char *text, size_t begin, size_t end)
{
    size_t length;
    while (begin < end && !is_solid(text[begin]) &&
           (length = t2g_space_at(text, end, begin)))
        begin += length;
    while (begin < end && !is_solid(text[end - 1])) {
        size_t last = end - 1;
        while (last > begin && ((unsigned char)text[last] & 0xc0) == 0x80)
            last--;
        if (!t2g_space_at(text, end, last))
            break;
        end = last;
    }
    return (t2g_range){begin, end};
}

static size_t overlap(t2g_range a, t2g_range b)
{
    size_t begin = a.begin > b.begin ? a.begin : b.begin;
    size_t end = a.end < b.end ? a.end : b.end;
    return begin < end ? end - begin : 0;
}

typedef struct coverage {
    const char *text;
    const size_t *offset;
    size_t tokens;
    bool sorted; /* ends never fall: tokens can be searched for */
} coverage;

/* First token that may share a byte with what begins at `begin`. */
static size_t first_candidate(const coverage *c, size_t begin)
{
    size_t low = 0, high = c->sorted ? c->tokens : 0;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (c->offset[2 * middle + 1] <= begin)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void note_straddle(t2g_placement *p, size_t token, size_t in,
                          size_t size)
{
    if (in > 0 && in < size && p->straddles < T2G_STRADDLES)
        p->straddle[p->straddles++] = (t2g_straddle){token, in, size};
}

static void cover(t2g_placement *p, const coverage *c)
{
    t2g_range r = {p->start, p->end};
    size_t best = c->tokens, most = 0;
    p->first_token = p->last_token = 0;
    for (size_t t = first_candidate(c, r.begin); t < c->tokens; t++) {
        if (c->sorted && c->offset[2 * t] >= r.end)
            break;
        t2g_range core = core_of(c->text, c->offset[2 * t],
                                 c->offset[2 * t + 1]);
        size_t size = core.end - core.begin, in = overlap(core, r);
        note_straddle(p, t, in, size);
        if (in > most) {
            most = in;
            best = t;
        }
        if (size == 0 || 2 * in < size)
            continue;
        if (p->first_token == p->last_token)
            p->first_token = t;
        p->last_token = t + 1;
    }
    if (p->first_token == p->last_token && best < c->tokens) {
        p->first_token = best;
        p->last_token = best + 1;
    }
}

static bool is_sorted(const size_t *offset, size_t tokens)
{
    for (size_t t = 1; t < tokens; t++)
        if (offset[2 * t] < offset[2 * t - 2] ||
            offset[2 * t + 1] < offset[2 * t - 1])
            return false;
    return true;
}

void t2g_cover_tokens(t2g_alignment *a, const char *response,
                      const size_t *offset)
{
    coverage c = {response, offset, a->tokens, is_sorted(offset, a->tokens)};
    for (size_t i = 0; i < a->count; i++)
        if (a->placement[i].end > a->placement[i].start)
            cover(&a->placement[i], &c);
}

void t2g_silence_tokens(t2g_alignment *a, const char *response, size_t n,
                        const size_t *offset, bool punctuation_zero)
{
    for (size_t t = 0; t < a->tokens; t++) {
        bool word = false;
        for (size_t i = offset[2 * t]; punctuation_zero && !word &&
                                       i < offset[2 * t + 1]; i++)
            word = t2g_word_at(response, n, i);
        a->silent[t] = offset[2 * t] == offset[2 * t + 1] ||
                       (punctuation_zero && !word);
    }
}

/* --- rewards of tokens ---------------------------------------------------- */

static bool encloses(const t2g_placement *outer, const t2g_placement *inner)
{
    return outer->start <= inner->start && inner->end <= outer->end &&
           (outer->start < inner->start || inner->end < outer->end);
}

/* The placements that hold a token, and what they make of it together. It
 * changes only where a span begins or ends. */
typedef struct verdict {
    t2g_alignment *a;
    const t2g_align_options *o;
    size_t *order; /* placements by first token */
    size_t next;   /* of order, not yet begun */
    size_t *active, count;
    bool *overruled; /* [count] */
    double value;
    bool conflict;
} verdict;

static const t2g_placement *held(const verdict *v, size_t i)
{
    return &v->a->placement[v->active[i]];
}

/* The more specific statement wins: is there a holder inside this one? */
static bool is_overruled(const verdict *v, const t2g_placement *p)
{
    for (size_t i = 0; i < v->count; i++)
        if (encloses(p, held(v, i)))
            return true;
    return false;
}

static double inner_value(const verdict *v)
{
    size_t smallest = SIZE_MAX;
    double sum = 0;
    for (size_t i = 0; i < v->count; i++) {
        size_t size = held(v, i)->end - held(v, i)->start;
        sum = size < smallest    ? held(v, i)->reward
              : size == smallest ? sum + held(v, i)->reward
                                 : sum;
        smallest = size < smallest ? size : smallest;
    }
    return sum;
}

static double sum_value(const verdict *v)
{
    double sum = 0;
    for (size_t i = 0; i < v->count; i++)
        if (!v->overruled[i])
            sum += held(v, i)->reward;
    return sum;
}

static double least_value(const verdict *v)
{
    double least = held(v, 0)->reward;
    for (size_t i = 1; i < v->count; i++)
        least = fmin(least, held(v, i)->reward);
    return least;
}

static double joint_value(const verdict *v)
{
    if (v->count == 0)
        return v->o->background;
    switch (v->o->on_overlap) {
    case T2G_OVERLAP_INNER: return inner_value(v);
    case T2G_OVERLAP_NEGATIVE: return least_value(v);
    case T2G_OVERLAP_FIRST: return held(v, 0)->reward;
    default: return sum_value(v);
    }
}

/* Pairs of opposite signs of which the later one has just begun. */
static t2g_status note_conflicts(verdict *v, size_t begun)
{
    t2g_alignment *a = v->a;
    for (size_t i = 0; i < v->count; i++)
        for (size_t k = 0; k < i && a->opposed < T2G_MOST_OPPOSED; k++) {
            bool fresh = held(v, i)->first_token == begun ||
                         held(v, k)->first_token == begun;
            if (!fresh || held(v, i)->reward * held(v, k)->reward >= 0)
                continue;
            if ((a->opposed & (a->opposed - 1)) == 0) {
                size_t n = a->opposed ? 2 * a->opposed : 1;
                t2g_opposed *more = t2g_regrow(a->opposed_pair, a->opposed, n,
                                               sizeof *more);
                if (!more)
                    return T2G_ERR_MEMORY;
                a->opposed_pair = more;
            }
            a->opposed_pair[a->opposed++] =
                (t2g_opposed){v->active[k], v->active[i]};
        }
    return T2G_OK;
}

static void judge(verdict *v)
{
    bool up = false, down = false;
    for (size_t i = 0; i < v->count; i++) {
        up |= held(v, i)->reward > 0;
        down |= held(v, i)->reward < 0;
        v->overruled[i] = v->o->on_overlap == T2G_OVERLAP_SUM &&
                          is_overruled(v, held(v, i));
    }
    v->conflict = up && down;
    v->value = fmin(fmax(joint_value(v), -1), 1);
}

static int by_index(const void *x, const void *y)
{
    size_t a = *(const size_t *)x, b = *(const size_t *)y;
    return (a > b) - (a < b);
}

/* Placements that end before token t leave, those that begin at it come; they
 * stay in the order of listing. */
static t2g_status advance(verdict *v, size_t t)
{
    size_t kept = 0, before = v->count;
    for (size_t i = 0; i < v->count; i++)
        if (held(v, i)->last_token > t)
            v->active[kept++] = v->active[i];
    v->count = kept;
    while (v->next < v->a->count &&
           v->a->placement[v->order[v->next]].first_token <= t) {
        size_t i = v->order[v->next++];
        if (v->a->placement[i].last_token > t)
            v->active[v->count++] = i;
    }
    if (kept == before && v->count == kept && t > 0)
        return T2G_OK;
    if (v->count > kept)
        qsort(v->active, v->count, sizeof *v->active, by_index);
    judge(v);
    return v->count > kept ? note_conflicts(v, t) : T2G_OK;
}

static t2g_status reward_tokens(verdict *v)
{
    t2g_alignment *a = v->a;
    for (size_t t = 0; t < a->tokens; t++) {
        T2G_TRY(advance(v, t));
        if (a->silent[t])
            continue;
        a->delta[t] = (float)v->value;
        a->conflicts += v->conflict;
        for (size_t i = 0; i < v->count; i++)
            a->placement[v->active[i]].overruled += v->overruled[i];
    }
    return T2G_OK;
}

/* Counting sort by first token, listing order among equals; count [tokens + 2]
 * is zero. */
static void sort_placements(verdict *v, size_t *count)
{
    for (size_t i = 0; i < v->a->count; i++)
        count[v->a->placement[i].first_token + 1]++;
    for (size_t t = 0; t <= v->a->tokens; t++)
        count[t + 1] += count[t];
    for (size_t i = 0; i < v->a->count; i++)
        v->order[count[v->a->placement[i].first_token]++] = i;
}

t2g_status t2g_combine_tokens(t2g_alignment *a, const t2g_align_options *o)
{
    size_t n = a->count;
    size_t *block = t2g_calloc(2 * n + a->tokens + 2, sizeof *block);
    bool *overruled = t2g_calloc(n, sizeof *overruled);
    verdict v = {.a = a, .o = o, .order = block,
                 .active = block ? block + n : NULL,
                 .overruled = overruled};
    t2g_status s = block && overruled ? T2G_OK : T2G_ERR_MEMORY;
    if (s == T2G_OK) {
        sort_placements(&v, block + 2 * n);
        s = reward_tokens(&v);
    }
    t2g_free(block);
    t2g_free(overruled);
    return s;
}
