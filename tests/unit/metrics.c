/* Metrics and statistics at their edges: nothing to compare, nothing to divide
 * by, ties, values that are no numbers, texts that are none, no memory. What
 * ordinary texts score is replayed in golden/metrics. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "t2g/t2g.h"

static t2g_text text(const char *s)
{
    return (t2g_text){s, strlen(s)};
}

static void close_to(double got, double want)
{
    if (!(fabs(got - want) <= 1e-12 + 1e-12 * fabs(want)))
        fail_msg("%.17g is not %.17g", got, want);
}

/* --- tokens --------------------------------------------------------------- */

static void check_tokens(const t2g_tokens *t, const char *joined)
{
    t2g_buffer b = {0};
    for (size_t i = 0; i < t->count; i++) {
        t2g_text one = t2g_tokens_at(t, i);
        assert_int_equal(t2g_buffer_printf(&b, "%s%.*s", i ? "|" : "",
                                           (int)one.size, one.data), T2G_OK);
    }
    assert_string_equal(b.data ? b.data : "", joined);
    t2g_buffer_free(&b);
}

static void rouge_tokens(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", ""}, {"  ... ", ""}, {"\xe4\xbd\xa0", ""}, {"Ab-1", "ab|1"},
        {"\xe2\x84\xaa" "elvin", "kelvin"},       /* Kelvin sign */
        {"\xc4\xb0x", "i|x"},                     /* I with a dot */
        {"caf\xc3\xa9s", "caf|s"}, {"was ties", "was|tie"},
        {"bad \xff\xe2\x84 bytes", "bad|byte"}};
    t2g_tokens t = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(t2g_rouge_tokens(&t, text(cases[i][0]), true),
                         T2G_OK);
        check_tokens(&t, cases[i][1]);
    }
    assert_int_equal(t2g_rouge_tokens(&t, (t2g_text){"a\0b", 3}, true), T2G_OK);
    check_tokens(&t, "a|b");
    t2g_tokens_free(&t);
}

static void bleu_tokens(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", ""}, {" \xe3\x80\x80\n", ""}, {"..", ".|."},
        {"a,,b", "a|,|,|b"}, {"3.14", "3.14"}, {"5-4", "5|-|4"},
        {"end.", "end|."}, {"&amp;lt;", "<"}, {"a<skipped>b", "ab"},
        {"co-\nop", "coop"}, {"it's", "it's"}};
    t2g_tokens t = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(t2g_bleu_tokens(&t, text(cases[i][0]), false), T2G_OK);
        check_tokens(&t, cases[i][1]);
    }
    assert_int_equal(t2g_bleu_tokens(&t, text("\xce\x9f\xce\x94\xce\x9f\xce"
                                              "\xa3 \xce\xa3"), true), T2G_OK);
    check_tokens(&t, "\xce\xbf\xce\xb4\xce\xbf\xcf\x82|\xcf\x83"); /* sigmas */
    assert_int_equal(t2g_bleu_tokens(&t, text("\xce\x9f'\xce\xa3"), true),
                     T2G_OK);
    check_tokens(&t, "\xce\xbf'\xcf\x82"); /* past the apostrophe */
    assert_int_equal(t2g_bleu_tokens(&t, text("a\xff"), false),
                     T2G_ERR_FORMAT);
    t2g_tokens_free(&t);
}

static void stems_of_odd_words(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", ""}, {"s", "s"}, {"is", "is"}, {"yyyyyy", "yyyyyi"},
        {"1990s", "1990"}, {"ies", "i"}, {"dies", "die"}, {"ages", "age"},
        {"rationalli", "ration"}, {"proceed", "proceed"}, {"eed", "eed"},
        {"eulogy", "eulog"}};
    char word[16];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = strlen(cases[i][0]);
        memcpy(word, cases[i][0], n);
        word[t2g_porter_stem(word, n)] = '\0';
        assert_string_equal(word, cases[i][1]);
    }
}

/* --- ROUGE and matching --------------------------------------------------- */

static void rouge_of_nothing(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"", ""}, {"", "a"}, {"a", ""},
                                           {"!", "?"}, {"\n\n", "\n"}};
    t2g_prf s[T2G_ROUGES];
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        assert_int_equal(t2g_rouge(s, text(pairs[i][0]), text(pairs[i][1]),
                                   true), T2G_OK);
        for (int k = 0; k < T2G_ROUGES; k++)
            assert_true(s[k].precision == 0 && s[k].recall == 0 &&
                        s[k].f1 == 0);
    }
    assert_int_equal(t2g_rouge(s, text("a"), text("a"), true), T2G_OK);
    assert_true(s[T2G_ROUGE_1].f1 == 1 && s[T2G_ROUGE_2].f1 == 0);
    assert_int_equal(t2g_rouge_best(s, NULL, 0, text("a"), true), T2G_ERR_ARG);
}

static void best_reference_per_type(void **state)
{
    (void)state;
    t2g_text reference[] = {text("b a"), text("x a b")};
    t2g_prf s[T2G_ROUGES];
    assert_int_equal(t2g_rouge_best(s, reference, 2, text("a b"), false),
                     T2G_OK);
    close_to(s[T2G_ROUGE_1].f1, 1);   /* of the first */
    close_to(s[T2G_ROUGE_2].f1, 2.0 / 3); /* of the second */
}

static void long_texts_are_refused(void **state)
{
    (void)state;
    enum { WORDS = 33000 };
    char *s = malloc(2 * WORDS);
    t2g_prf out[T2G_ROUGES];
    for (size_t i = 0; i < WORDS; i++)
        memcpy(s + 2 * i, "a ", 2);
    t2g_text whole = {s, 2 * WORDS};
    assert_int_equal(t2g_rouge(out, whole, whole, false), T2G_ERR_UNSUPPORTED);
    assert_non_null(strstr(t2g_error_message(), "33000 and 33000 tokens"));
    free(s);
}

static void matching_edges(void **state)
{
    (void)state;
    double same;
    char many[201];
    memset(many, 'a', 200);
    many[200] = '\0';
    assert_int_equal(t2g_similarity(&same, text(""), text("")), T2G_OK);
    assert_true(same == 0.5); /* no n-grams, but all characters alike */
    assert_int_equal(t2g_similarity(&same, text("\xff"), text("a")),
                     T2G_ERR_FORMAT);
    t2g_matching m;
    static const struct {
        const char *a;
        bool autojunk;
        size_t matched;
    } cases[] = {{"aaa", true, 3}, /* no block starts, the empty one grows */
                 {"xaaa", true, 0}, {"xaaa", false, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t matched = 0;
        assert_int_equal(t2g_sequence_match(&m, text(cases[i].a), text(many),
                                            cases[i].autojunk), T2G_OK);
        for (size_t k = 0; k < m.count; k++)
            matched += m.block[k].size;
        assert_int_equal(matched, cases[i].matched);
        t2g_matching_free(&m);
    }
}

/* --- BLEU ----------------------------------------------------------------- */

static void bleu_edges(void **state)
{
    (void)state;
    t2g_bleu_options corpus = {0}, sentence = {.effective_order = true};
    t2g_bleu_counts c;
    t2g_text r[] = {text("a b c"), text("a")};
    assert_int_equal(t2g_bleu_count(&c, text("a b c"), r, 1, false), T2G_OK);
    assert_true(t2g_bleu_score(&c, &corpus).score == 0); /* no 4-gram */
    close_to(t2g_bleu_score(&c, &sentence).score, 100);
    assert_int_equal(t2g_bleu_count(&c, text("x y"), r, 2, false), T2G_OK);
    assert_int_equal(c.ref, 1); /* as near, and shorter */
    assert_true(t2g_bleu_score(&c, &sentence).score == 0);
    assert_int_equal(t2g_bleu_count(&c, text(""), r, 1, false), T2G_OK);
    assert_true(t2g_bleu_score(&c, &sentence).brevity == 0);
    assert_int_equal(t2g_bleu_nltk_count(&c, text(""), r, 1), T2G_OK);
    assert_true(c.total[3] == 1 && t2g_bleu_nltk_score(&c) == 0);
    assert_int_equal(t2g_bleu_count(&c, text("a"), r, 0, false), T2G_ERR_ARG);
    assert_int_equal(t2g_bleu_count(&c, text("\xff"), r, 1, false),
                     T2G_ERR_FORMAT);
}

/* --- other measures of text ----------------------------------------------- */

static void perplexity_edges(void **state)
{
    (void)state;
    const double nll[] = {1, 3, NAN};
    const size_t tokens[] = {0, 2}, bytes[] = {0, 4}, three[] = {3};
    t2g_perplexity p;
    assert_int_equal(t2g_perplexity_of(&p, nll, tokens, bytes, 2), T2G_OK);
    close_to(p.perplexity, exp(2));
    close_to(p.sequence_mean, exp(2)); /* the text without tokens is out */
    assert_int_equal(t2g_perplexity_of(&p, nll, tokens, bytes, 1), T2G_OK);
    assert_true(isnan(p.perplexity) && isnan(p.bits_per_byte));
    assert_int_equal(t2g_perplexity_of(&p, nll, three, bytes, 1),
                     T2G_ERR_NUMERIC);
}

static void distinct_edges(void **state)
{
    (void)state;
    t2g_text s[] = {text(""), text("a a")};
    t2g_distinct d[T2G_BLEU_ORDER];
    double each[2][T2G_BLEU_ORDER];
    assert_int_equal(t2g_distinct_of(d, each, s, 2), T2G_OK);
    close_to(d[0].mean, 0.5);
    assert_true(d[1].corpus == 1 && d[2].corpus == 0 && isnan(each[0][0]));
    assert_int_equal(t2g_distinct_of(d, NULL, s, 0), T2G_OK);
    assert_true(d[0].corpus == 0 && d[0].mean == 0);
}

static void answers(void **state)
{
    (void)state;
    static const struct { const char *r, *p; bool exact; double f1; } c[] = {
        {"The cat.", "cat", true, 1}, {"", "", true, 1}, {"the", "", true, 1},
        {"a cat", "the", false, 0}, {"theatre", "the atre", false, 0},
        {"new york", "york", false, 2.0 / 3}};
    bool exact;
    double f1;
    for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
        assert_int_equal(t2g_answer_match(&exact, &f1, text(c[i].r),
                                          text(c[i].p)), T2G_OK);
        assert_int_equal(exact, c[i].exact);
        close_to(f1, c[i].f1);
    }
    assert_int_equal(t2g_answer_match(&exact, &f1, text("\x80"), text("a")),
                     T2G_ERR_FORMAT);
}

static void pass_at_k(void **state)
{
    (void)state;
    assert_true(t2g_pass_at_k(1, 0, 1) == 0 && t2g_pass_at_k(1, 1, 1) == 1);
    assert_true(t2g_pass_at_k(10, 1, 10) == 1);
    close_to(t2g_pass_at_k(4, 2, 2), 5.0 / 6);
}

/* --- judgements ----------------------------------------------------------- */

static void win_rates(void **state)
{
    (void)state;
    t2g_win_rate w;
    const int position[] = {1, 1}, other[] = {-1, -1}, wrong[] = {2, 0};
    assert_int_equal(t2g_win_rate_of(&w, position, other, 2, 0.95), T2G_OK);
    assert_int_equal(w.ties, 2); /* a judge that follows the position */
    assert_true(w.rate == 0.5 && w.p_sign == 1 && w.consistent == 0 &&
                w.first_position == 1);
    assert_int_equal(t2g_win_rate_of(&w, position, position, 1, 0.95), T2G_OK);
    assert_true(w.rate == 1 && w.hi == 1 && w.lo > 0);
    assert_int_equal(t2g_win_rate_of(&w, position, wrong, 2, 0.95),
                     T2G_ERR_ARG);
    assert_int_equal(t2g_win_rate_of(&w, position, other, 0, 0.95),
                     T2G_ERR_ARG);
    assert_int_equal(t2g_win_rate_of(&w, position, other, 2, 1), T2G_ERR_ARG);
}

static void agreement(void **state)
{
    (void)state;
    const double a[] = {0, 0, 1}, b[] = {0, 1, 1}, bad[] = {0, NAN, 1};
    double k, many[2 * 300];
    for (int i = 0; i < 2 * 300; i++)
        many[i] = i;
    assert_int_equal(t2g_cohen_kappa(&k, a, b, 3, T2G_DISTANCE_NOMINAL),
                     T2G_OK);
    close_to(k, 0.4);
    assert_int_equal(t2g_cohen_kappa(&k, a, a, 2, T2G_DISTANCE_LINEAR),
                     T2G_OK);
    assert_true(isnan(k)); /* one label: nothing to agree about */
    assert_int_equal(t2g_cohen_kappa(&k, a, b, 0, T2G_DISTANCE_NOMINAL),
                     T2G_OK);
    assert_true(isnan(k));
    assert_int_equal(t2g_cohen_kappa(&k, a, bad, 3, T2G_DISTANCE_NOMINAL),
                     T2G_ERR_NUMERIC);
    assert_int_equal(t2g_cohen_kappa(&k, a, b, 3, T2G_DISTANCE_ORDINAL),
                     T2G_ERR_ARG);
    assert_int_equal(t2g_cohen_kappa(&k, many, many + 300, 300,
                                     T2G_DISTANCE_NOMINAL),
                     T2G_ERR_UNSUPPORTED);
    assert_int_equal(t2g_krippendorff(&k, bad, 1, 3, T2G_DISTANCE_NOMINAL),
                     T2G_OK);
    assert_true(isnan(k)); /* no unit has two values */
    assert_int_equal(t2g_krippendorff(&k, a, 1, 3, T2G_DISTANCE_LINEAR),
                     T2G_ERR_ARG);
}

/* --- statistics ----------------------------------------------------------- */

static void bootstrap_edges(void **state)
{
    (void)state;
    const double one[] = {-2}, bad[] = {1, NAN}, zero[] = {0};
    t2g_bootstrap_options o = {.seed = 1, .replicates = 50};
    t2g_bootstrap_result r;
    assert_int_equal(t2g_bootstrap_mean(&r, NULL, one, 1, &o), T2G_OK);
    assert_true(r.value == -2 && r.lo == -2 && r.hi == -2 && r.se == 0);
    close_to(r.p, 2.0 / 51);
    assert_int_equal(t2g_bootstrap_mean(&r, NULL, zero, 1, &o), T2G_OK);
    assert_true(r.p == 1);
    assert_int_equal(t2g_bootstrap_mean(&r, NULL, one, 0, &o), T2G_ERR_ARG);
    assert_int_equal(t2g_bootstrap_mean(&r, NULL, bad, 2, &o),
                     T2G_ERR_NUMERIC);
    o.alpha = 1;
    assert_int_equal(t2g_bootstrap_mean(&r, NULL, one, 1, &o), T2G_ERR_ARG);
    o = (t2g_bootstrap_options){.replicates = (1 << 24) + 1};
    assert_int_equal(t2g_bootstrap_mean(&r, NULL, one, 1, &o), T2G_ERR_ARG);
    o = (t2g_bootstrap_options){.replicates = 10};
    assert_int_equal(t2g_bootstrap_ratio(&r, NULL, one, zero, 1, &o), T2G_OK);
    assert_true(r.value == 0);
}

static void streams_of_the_bootstrap(void **state)
{
    (void)state;
    enum { UNITS = 7, REPLICATES = 3 };
    double value[UNITS], got[REPLICATES];
    t2g_bootstrap_options o = {.seed = (uint64_t)5 << 40, .stratum = 2,
                               .replicates = REPLICATES};
    t2g_bootstrap_result r;
    for (int i = 0; i < UNITS; i++)
        value[i] = i * i;
    assert_int_equal(t2g_bootstrap_mean(&r, got, value, UNITS, &o), T2G_OK);
    for (uint32_t b = 0; b < REPLICATES; b++) {
        t2g_stream s = {o.seed, b, o.stratum, T2G_RNG_BOOT};
        double sum = 0;
        for (uint64_t i = 0; i < UNITS; i++)
            sum += value[t2g_random_below(&s, i, UNITS)];
        assert_true(got[b] == sum / UNITS);
    }
}

static void intervals(void **state)
{
    (void)state;
    const double same[] = {3, 3}, zero[] = {0, 0}, bad[] = {1, INFINITY};
    t2g_t_interval t;
    double lo, hi;
    assert_int_equal(t2g_t_interval_of(&t, same, 2, 0.95), T2G_OK);
    assert_true(t.lo == 3 && t.hi == 3 && t.p == 0);
    assert_int_equal(t2g_t_interval_of(&t, zero, 2, 0.95), T2G_OK);
    assert_true(isnan(t.p));
    assert_int_equal(t2g_t_interval_of(&t, same, 1, 0.95), T2G_ERR_ARG);
    assert_int_equal(t2g_t_interval_of(&t, same, 2, 0), T2G_ERR_ARG);
    assert_int_equal(t2g_t_interval_of(&t, bad, 2, 0.95), T2G_ERR_NUMERIC);
    assert_int_equal(t2g_ratio_interval_of(&t, same, zero, 2, 0.95),
                     T2G_ERR_ARG);
    assert_int_equal(t2g_wilson(&lo, &hi, 0, 5, 0.95), T2G_OK);
    assert_true(lo == 0 && hi > 0 && hi < 1);
    assert_int_equal(t2g_wilson(&lo, &hi, 0.5, 0, 0.95), T2G_ERR_ARG);
    assert_int_equal(t2g_wilson(&lo, &hi, NAN, 5, 0.95), T2G_ERR_ARG);
    assert_true(t2g_sign_test(0, 0) == 1 && t2g_sign_test(4, 4) == 1);
    close_to(t2g_sign_test(0, 4), 0.125);
    close_to(t2g_normal_quantile(0.95), 1.959963984540054);
    assert_true(fabs(t2g_t_quantile(0.95, 1) - 12.706204736174698) < 1e-10);
    assert_true(t2g_t_quantile(0.999999, 1) > 6e5);
}

static void convergence_edges(void **state)
{
    (void)state;
    const int64_t step[] = {0, 10, 20}, back[] = {0, 10, 10};
    const double up[] = {0, 1, 1}, down[] = {1, 0.5, 0}, bad[] = {0, NAN, 1};
    t2g_convergence_rule rule = {1, 2, 0.95};
    t2g_convergence c;
    assert_int_equal(t2g_convergence_of(&c, step, up, down, 3, &rule), T2G_OK);
    assert_true(c.step_baseline == 10 && c.step_method == -1 &&
                isnan(c.saving) && c.baseline_learned);
    assert_int_equal(t2g_convergence_of(&c, step, down, up, 3, &rule), T2G_OK);
    assert_true(c.step_baseline == 0 && !c.baseline_learned &&
                isnan(c.saving));
    assert_int_equal(t2g_convergence_of(&c, back, up, up, 3, &rule),
                     T2G_ERR_ARG);
    assert_int_equal(t2g_convergence_of(&c, step, bad, up, 3, &rule),
                     T2G_ERR_NUMERIC);
    rule.hold = 4; /* more than there are */
    assert_int_equal(t2g_convergence_of(&c, step, up, up, 3, &rule), T2G_OK);
    assert_int_equal(c.step_baseline, -1);
    rule.window = 0;
    assert_int_equal(t2g_convergence_of(&c, step, up, up, 3, &rule),
                     T2G_ERR_ARG);
}

static void span_effects(void **state)
{
    (void)state;
    const double before[] = {0, 0, 0, NAN}, after[] = {1, 1, 0.5, 0};
    const double delta[] = {1, -1, 0, 1};
    const uint8_t mask[] = {1, 1, 1, 0};
    const size_t response[] = {0, 0, 3, 3}, falling[] = {1, 0, 3, 3};
    t2g_span_effect e;
    assert_int_equal(t2g_span_effect_of(&e, before, after, delta, mask,
                                        response, 4), T2G_OK);
    assert_true(e.good.tokens == 1 && e.contrast == 0 && e.auc == 0.5 &&
                e.poor_excess == 0.5);
    assert_int_equal(t2g_span_effect_of(&e, before, after, delta, NULL,
                                        response, 4), T2G_ERR_NUMERIC);
    assert_int_equal(t2g_span_effect_of(&e, before, after, delta, mask,
                                        falling, 4), T2G_ERR_ARG);
    assert_int_equal(t2g_span_effect_of(&e, before, after, delta, mask,
                                        response, 0), T2G_OK);
    assert_true(e.good.tokens == 0 && isnan(e.auc) && isnan(e.weighted));
}

/* --- reward models -------------------------------------------------------- */

static void word_lists_of_other_shapes(void **state)
{
    (void)state;
    static const char *const none[] = {
        "{}", "{\"a\": [1]}", "{\"word_score_list\": [[\"a\"]]}",
        "{\"scores\": [[\"a\", 1], 3]}", "{\"scores\": \"x\"}",
        "{\"scores\": [[1, 2]]}"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        json_t *record = json_loads(none[i], 0, NULL), *list;
        assert_int_equal(t2g_word_list(&list, record), T2G_OK);
        assert_int_equal(json_array_size(list), 0);
        json_decref(list);
        json_decref(record);
    }
    json_t *bad = json_pack("[[s, i], [i, i]]", "a", 1, 2, 3);
    t2g_word_score *w;
    size_t n;
    assert_int_equal(t2g_word_scores(&w, &n, bad), T2G_ERR_FORMAT);
    assert_null(w);
    json_decref(bad);
}

static void runs_and_code(void **state)
{
    (void)state;
    const double p[] = {1, 1, 0, 1}, r[] = {1, 1, 0, 0};
    t2g_run_counts c = {0};
    t2g_prf s;
    assert_int_equal(t2g_run_count(&c, p, 4, r, 4, 1), T2G_OK);
    assert_true(c.predicted == 2 && c.reference == 1 && c.exact == 1 &&
                c.partial == 0 && c.half == 1);
    assert_int_equal(t2g_run_count(&c, p, 0, r, 0, 1), T2G_OK);
    assert_int_equal(c.predicted, 2);
    assert_int_equal(t2g_code_similarity(&s, text(""), text("")), T2G_OK);
    assert_true(s.precision == 1 && s.recall == 1 && s.f1 == 1);
    assert_int_equal(t2g_code_similarity(&s, text("a"), text("")), T2G_OK);
    assert_true(s.precision == 0 && s.recall == 1 && s.f1 == 0);
    assert_int_equal(t2g_code_similarity(&s, text(""), text("a")), T2G_OK);
    assert_true(s.precision == 1 && s.recall == 0 && s.f1 == 0);
    assert_int_equal(t2g_code_field_similarity(&s, NULL, NULL), T2G_OK);
    assert_true(s.f1 == 1);
}

/* --- failed allocations --------------------------------------------------- */

static long allowed; /* allocations until one fails; < 0: all succeed */

static void *failing_alloc(void *context, size_t size, size_t align)
{
    (void)context;
    (void)align;
    if (allowed == 0)
        return NULL;
    allowed -= allowed > 0;
    return aligned_alloc(64, (size + 63) / 64 * 64);
}

static void failing_release(void *context, void *p)
{
    (void)context;
    free(p);
}

static t2g_status everything(void)
{
    t2g_prf rouge[T2G_ROUGES], code;
    t2g_text a = text("The cats sat.\nOn 3.5 mats"), b = text("A cat sat");
    t2g_bleu_counts counts;
    t2g_distinct d[T2G_BLEU_ORDER];
    const double x[] = {1, 0, 1}, y[] = {1, 1, 0};
    const size_t response[] = {0, 0, 1};
    t2g_bootstrap_options o = {.replicates = 5};
    t2g_bootstrap_result r;
    t2g_span_effect e;
    double value;
    bool exact;
    T2G_TRY(t2g_rouge(rouge, a, b, true));
    T2G_TRY(t2g_similarity(&value, a, b));
    T2G_TRY(t2g_bleu_count(&counts, a, &b, 1, true));
    T2G_TRY(t2g_distinct_of(d, NULL, &a, 1));
    T2G_TRY(t2g_answer_match(&exact, &value, a, b));
    T2G_TRY(t2g_cohen_kappa(&value, x, y, 3, T2G_DISTANCE_NOMINAL));
    T2G_TRY(t2g_krippendorff(&value, x, 1, 3, T2G_DISTANCE_ORDINAL));
    T2G_TRY(t2g_bootstrap_mean(&r, NULL, x, 3, &o));
    T2G_TRY(t2g_span_effect_of(&e, x, y, x, NULL, response, 3));
    return t2g_code_similarity(&code, a, b);
}

static void failed_allocations(void **state)
{
    (void)state;
    const t2g_allocator failing = {failing_alloc, failing_release, NULL};
    t2g_set_allocator(&failing);
    long n = 0;
    t2g_status s;
    do {
        allowed = n++;
        s = everything();
        assert_true(s == T2G_OK || s == T2G_ERR_MEMORY);
    } while (s != T2G_OK && n < 5000);
    allowed = -1;
    t2g_set_allocator(NULL);
    assert_int_equal(s, T2G_OK);
    assert_true(n > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rouge_tokens),
        cmocka_unit_test(bleu_tokens),
        cmocka_unit_test(stems_of_odd_words),
        cmocka_unit_test(rouge_of_nothing),
        cmocka_unit_test(best_reference_per_type),
        cmocka_unit_test(long_texts_are_refused),
        cmocka_unit_test(matching_edges),
        cmocka_unit_test(bleu_edges),
        cmocka_unit_test(perplexity_edges),
        cmocka_unit_test(distinct_edges),
        cmocka_unit_test(answers),
        cmocka_unit_test(pass_at_k),
        cmocka_unit_test(win_rates),
        cmocka_unit_test(agreement),
        cmocka_unit_test(bootstrap_edges),
        cmocka_unit_test(streams_of_the_bootstrap),
        cmocka_unit_test(intervals),
        cmocka_unit_test(convergence_edges),
        cmocka_unit_test(span_effects),
        cmocka_unit_test(word_lists_of_other_shapes),
        cmocka_unit_test(runs_and_code),
        cmocka_unit_test(failed_allocations),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
