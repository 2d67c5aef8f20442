"""Cases for the metrics: texts, judgements and figures with the scores that
other libraries give them, or plain Python where there is none.

    pip install rouge_score==0.1.2 sacrebleu==2.6.0 nltk==3.10.4 \\
        krippendorff==0.9.0 mpmath
    python vectors/gen/metrics.py [--seed N] [--scale N] [--output DIR]

Writes vectors/metrics/*.json. Another seed and a larger scale give as many
other cases as one likes; `t2g verify metrics DIR` compares them.
"""
import argparse
import collections
import difflib
import json
import math
import pathlib
import random
import re
import string

import krippendorff
import mpmath
import numpy as np
from nltk.stem.porter import PorterStemmer
from nltk.translate import bleu_score as nltk_bleu
from rouge_score import rouge_scorer, tokenize
from sacrebleu.metrics import BLEU
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

HERE = pathlib.Path(__file__).resolve().parents[1] / "metrics"
mpmath.mp.dps = 40
RNG = random.Random(0)
SCALE = 1


# --- writing -----------------------------------------------------------------

def plain(x):
    if isinstance(x, (float, np.floating)):
        x = float(x)
        return x if math.isfinite(x) else str(x)
    return x


def tensor(values, dtype, shape=None):
    if not isinstance(values, (list, tuple)):
        values, shape = [values], []
    return {"dtype": dtype, "shape": [len(values)] if shape is None else shape,
            "data": [plain(v) for v in values]}


def f64(values, shape=None):
    return tensor(values, "f64", shape)


def i64(values, shape=None):
    return tensor(values, "i64", shape)


def texts(values):
    return tensor(values, "str")


def write(kind, cases):
    for i, case in enumerate(cases):
        case["id"] = f"{kind}-{i}"
    head = json.dumps({"format": "t2g-oracle/1", "kind": kind})[:-1]
    lines = ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases)
    (OUT / f"{kind}.json").write_text(f'{head}, "cases": [\n{lines}]}}\n')


def case(config, inputs, outputs):
    return {"id": "", "config": config, "in": inputs, "out": outputs}


# --- texts -------------------------------------------------------------------

WORDS = """the a an of in on and was were river mountain city song band year
people running ran runners organized organizations generously relational hoping
hopped falling tying dying skies news ties tied ages possibly additionally
apology carefully happily enjoying played plays revving eyed agreed feed proceed
conditional rationally sensibility effective activities formality operator
controlled rolling yy yellow saying syzygy state-of-the-art don't it's U.S. 3.14
1,000 5-4 10-year e.g. i.e. A-1 x86 C++ C# wait... what?! -- "quoted" (aside)
[12] {brace} a/b me@home 50% $5 #1 caf\u00e9 na\u00efve Stra\u00dfe \u0130stanbul
\u212a \u039f\u0394\u039f\u03a3 \u03a3\u0391\u03a3 \u4f60\u597d \ufb01ne
\uff26\uff55\uff4c\uff4c &amp; &quot;x&quot; &lt;b&gt; &amp;lt; <skipped>
end- ,, .. a,,b ... \u2014 \u201cthus\u201d THE An A""".split()
SPACES = [" "] * 24 + ["  ", "\n", "\n\n", "\t", "\r\n", "\u00a0", "\u3000",
                       "-\n", "\u2028", "\x1c"]


def make_text(most):
    n = RNG.randrange(most + 1)
    return "".join(RNG.choice(WORDS) + RNG.choice(SPACES)
                   for _ in range(n)) + RNG.choice(["", ".", "!", "\n", " "])


def change(text):
    """A text that shares something with text."""
    words = re.split(r"(\s+)", text)
    for _ in range(RNG.randrange(1 + len(words) // 3)):
        words[RNG.randrange(len(words))] = RNG.choice(WORDS + ["", "\n"])
    return "".join(words)


def pair(most):
    a = make_text(most)
    return a, change(a) if RNG.random() < 0.8 else make_text(most)


EDGES = [("", ""), ("", "a"), ("a", ""), ("...", "!?"), ("a b", "b a"),
         ("\u4f60\u597d", "\u4f60\u597d"), ("a\nb\nc", "c\nb\na"),
         ("the cat\nthe dog", "the the the"), ("a" * 300, "a" * 250),
         ("\n\n", "\n"), ("x", "x"), ("-", "-")]


# --- words -------------------------------------------------------------------

SUFFIXES = """ational tional enci anci izer bli alli entli eli ousli ization
ation ator alism iveness fulness ousness aliti iviti biliti fulli logi icate
ative alize iciti ical ful ness al ance ence er ic able ible ant ement ment ent
sion tion ion ou ism ate iti ous ive ize s es ies ied ed ing eed y e ll""".split()


def stem_cases():
    stemmer = PorterStemmer()
    words = set(WORDS) | set("sky skies dying lying tying news inning innings "
                             "outing outings canning cannings howe proceed "
                             "exceed succeed".split())
    while len(words) < 600 * SCALE:
        stem = "".join(RNG.choice("aeiouybcdlmnrstvwxz01")
                       for _ in range(RNG.randrange(7)))
        words.add(stem + "".join(RNG.choice(SUFFIXES)
                                 for _ in range(RNG.randrange(3))))
    words = sorted(w for w in words if re.fullmatch("[a-z0-9]+", w))
    return [case({}, {"words": texts(words[i:i + 100])},
                 {"stems": texts([stemmer.stem(w)
                                  for w in words[i:i + 100]])})
            for i in range(0, len(words), 100)]


def rouge_cases():
    types = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
    scorers = {"stem": rouge_scorer.RougeScorer(types, use_stemmer=True),
               "plain": rouge_scorer.RougeScorer(types, use_stemmer=False)}
    stemmer = PorterStemmer()
    cases = []
    for reference, prediction in EDGES + [pair(40) for _ in range(48 * SCALE)]:
        out = {}
        for name, scorer in scorers.items():
            scores = scorer.score(reference, prediction)
            for t in types:
                out[f"{t}.{name}"] = f64(list(scores[t]))
        mean = sum(scorers["stem"].score(reference, prediction)[t].fmeasure
                   for t in types[:3]) / 3
        ratio = difflib.SequenceMatcher(None, reference, prediction).ratio()
        out["official_similarity"] = f64(0.5 * mean + 0.5 * ratio)
        out["ref_tokens"] = texts(tokenize.tokenize(reference, stemmer))
        out["pred_tokens"] = texts(tokenize.tokenize(prediction, stemmer))
        cases.append(case({}, {"reference": reference,
                               "prediction": prediction}, out))
    return cases


# --- BLEU --------------------------------------------------------------------

def segments():
    n, references = RNG.randrange(1, 8), RNG.randrange(1, 4)
    hypotheses, lists = [], [[] for _ in range(references)]
    for _ in range(n):
        reference, hypothesis = pair(RNG.choice([3, 12, 30]))
        hypotheses.append(hypothesis)
        for k in range(references):
            lists[k].append(reference if k == 0 else change(reference))
    return hypotheses, lists


def bleu_cases():
    tokenizer = Tokenizer13a()
    cases = []
    for i in range(30 * SCALE):
        hypotheses, lists = segments()
        method = RNG.choice(["exp", "exp", "floor", "add-k", "none"])
        value = RNG.choice([None, 0.5, 2]) if method in ("floor", "add-k") \
            else None
        lower = RNG.random() < 0.3
        options = dict(smooth_method=method, smooth_value=value,
                       lowercase=lower)
        effective = RNG.random() < 0.2
        got = BLEU(effective_order=effective, **options).corpus_score(
            hypotheses, lists)
        single = BLEU(effective_order=True, **options)
        counts = BLEU(effective_order=effective, lowercase=lower).corpus_score(
            hypotheses, lists)  # before anything is added
        cut = [tokenizer((h.lower() if lower else h).rstrip())
               for h in hypotheses]
        inputs = {"hypotheses": texts(hypotheses)}
        for k, references in enumerate(lists):
            inputs[f"references{k}"] = texts(references)
        cases.append(case(
            {"lowercase": int(lower), "smooth_method": method,
             "effective_order": int(effective),
             "smooth_value": "default" if value is None else value}, inputs,
            {"score": f64(got.score), "precisions": f64(got.precisions),
             "bp": f64(got.bp), "sys_len": i64(got.sys_len),
             "ref_len": i64(got.ref_len), "counts": i64(counts.counts),
             "totals": i64(counts.totals), "hyp_13a": texts(cut),
             "sentence_scores": f64(
                 [single.sentence_score(h, list(r)).score
                  for h, *r in zip(hypotheses, *lists)])}))
    return cases


def bleu_nltk_cases():
    smooth = nltk_bleu.SmoothingFunction().method1
    cases = []
    for _ in range(12 * SCALE):
        hypotheses, lists = segments()
        hyps = [h.split() for h in hypotheses]
        refs = [[r.split() for r in own] for own in zip(*lists)]
        inputs = {"hypotheses": texts(hypotheses)}
        for k, references in enumerate(lists):
            inputs[f"references{k}"] = texts(references)
        cases.append(case({}, inputs, {
            "corpus.method1": f64(float(nltk_bleu.corpus_bleu(
                refs, hyps, smoothing_function=smooth))),
            "sentence.method1": f64(
                [float(nltk_bleu.sentence_bleu(r, h,
                                               smoothing_function=smooth))
                 for r, h in zip(refs, hyps)])}))
    return cases


# --- other measures of text --------------------------------------------------

def normal(text):
    text = "".join(c for c in text.lower() if c not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def token_f1(reference, prediction):
    r, p = normal(reference).split(), normal(prediction).split()
    if not r or not p:
        return float(r == p)
    same = sum((collections.Counter(r) & collections.Counter(p)).values())
    precision, recall = same / len(p), same / len(r)
    return 2 * precision * recall / (precision + recall) if same else 0.0


def ratio_of_sets(lists):
    grams = [g for own in lists for g in own]
    each = [len(set(own)) / len(own) for own in lists if own]
    return (len(set(grams)) / len(grams) if grams else 0.0,
            sum(each) / len(each) if each else 0.0)


def text_cases():
    cases = []
    for _ in range(3 * SCALE):
        pairs = [pair(6) for _ in range(20)] + EDGES
        r, p = [a for a, _ in pairs], [b for _, b in pairs]
        cases.append(case(
            {"type": "exact_match"},
            {"reference": texts(r), "prediction": texts(p)},
            {"normalized_reference": texts([normal(t) for t in r]),
             "normalized_prediction": texts([normal(t) for t in p]),
             "em": i64([int(normal(a) == normal(b)) for a, b in pairs]),
             "f1": f64([token_f1(a, b) for a, b in pairs])}))
        own = [make_text(30) for _ in range(RNG.randrange(1, 9))]
        tokens = [Tokenizer13a()(t.rstrip()).split() for t in own]
        out = {}
        for n in range(1, 5):
            corpus, mean = ratio_of_sets(
                [list(zip(*(t[k:] for k in range(n)))) for t in tokens])
            out[f"distinct{n}.corpus"] = f64(corpus)
            out[f"distinct{n}.mean"] = f64(mean)
        cases.append(case({"type": "distinct"}, {"texts": texts(own)}, out))
        counts = [RNG.randrange(1, 20) for _ in range(RNG.randrange(1, 6))]
        nll = [round(RNG.expovariate(0.5), 6) for _ in range(sum(counts))]
        sizes = [n * RNG.randrange(2, 6) for n in counts]
        parts = [nll[sum(counts[:i]):sum(counts[:i + 1])]
                 for i in range(len(counts))]
        cases.append(case(
            {"type": "perplexity"},
            {"nll": f64(nll), "tokens": i64(counts), "bytes": i64(sizes)},
            {"perplexity": f64(math.exp(sum(nll) / len(nll))),
             "perplexity_seq_mean": f64(sum(math.exp(sum(p) / len(p))
                                            for p in parts) / len(parts)),
             "bits_per_byte": f64(sum(nll) / math.log(2) / sum(sizes))}))
    return cases


def passk_cases():
    cases = []
    for _ in range(8 * SCALE):
        n = RNG.choice([1, 5, 10, 200])
        k = RNG.randrange(1, min(n, 100) + 1)
        c = [RNG.randrange(n + 1) for _ in range(RNG.randrange(1, 9))]
        each = [1 - math.comb(n - x, k) / math.comb(n, k) for x in c]
        cases.append(case({"n": n, "k": k}, {"c": i64(c)},
                          {"per_problem": f64(each),
                           "pass_at_k": f64(sum(each) / len(each))}))
    return cases


# --- judgements --------------------------------------------------------------

def normal_quantile(level):
    return float(mpmath.sqrt(2) * mpmath.erfinv(level))


def wilson(p, n, level):
    z = normal_quantile(level)
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n
                                           + z * z / (4 * n * n))
    return (0.0 if p == 0 else centre - half, 1.0 if p == 1 else centre + half)


def winrate_cases():
    cases = []
    for _ in range(8 * SCALE):
        n = RNG.choice([1, 3, 20, 300])
        ab = [RNG.choice([1, 1, 0, -1]) for _ in range(n)]
        ba = [x if RNG.random() < 0.6 else RNG.choice([1, 0, -1]) for x in ab]
        wins = sum(a + b > 0 for a, b in zip(ab, ba))
        losses = sum(a + b < 0 for a, b in zip(ab, ba))
        rate = (wins + (n - wins - losses) / 2) / n
        total, few = wins + losses, min(wins, losses)
        tail = sum(math.comb(total, i) for i in range(few + 1))
        p = 1.0 if wins == losses else min(1.0, 2 * tail / 2 ** total)
        first = [x > 0 for x in ab if x] + [x < 0 for x in ba if x]
        lo, hi = wilson(rate, n, 0.95)
        cases.append(case(
            {"level": 0.95}, {"verdict_ab": i64(ab), "verdict_ba": i64(ba)},
            {"wins": i64(wins), "losses": i64(losses),
             "ties": i64(n - wins - losses), "rate": f64(rate), "lo": f64(lo),
             "hi": f64(hi), "p_sign": f64(p),
             "consistent": f64(sum(a == b for a, b in zip(ab, ba)) / n),
             "first_position": f64(sum(first) / len(first) if first
                                   else 0.0)}))
    return cases


def kappa(a, b, power):
    labels = sorted(set(a) | set(b))
    o = np.zeros((len(labels), len(labels)))
    for x, y in zip(a, b):
        o[labels.index(x), labels.index(y)] += 1
    e = np.outer(o.sum(1), o.sum(0)) / o.sum()
    i = np.arange(len(labels))
    w = np.abs(i[:, None] - i[None, :]).astype(float)
    w = (w > 0) if power == 0 else w ** power
    with np.errstate(all="ignore"):
        return float(1 - (w * o).sum() / (w * e).sum())


def agreement_cases():
    cases = []
    for _ in range(8 * SCALE):
        n = RNG.choice([2, 10, 200])
        labels = RNG.choice([[-1, 0, 1], [0, 1], [-1, 0, 1, 2, 5]])
        a = [RNG.choice(labels) for _ in range(n)]
        b = [x if RNG.random() < 0.6 else RNG.choice(labels) for x in a]
        cases.append(case(
            {"type": "cohen"}, {"a": i64(a), "b": i64(b)},
            {"kappa": f64(kappa(a, b, 0)), "kappa_linear": f64(kappa(a, b, 1)),
             "kappa_quadratic": f64(kappa(a, b, 2))}))
        raters, units = RNG.randrange(2, 5), RNG.choice([12, 40])
        truth = [RNG.choice([-1.0, 0.0, 1.0]) for _ in range(units)]
        x = np.array([[t if RNG.random() < 0.7 else RNG.choice([-1., 0., 1.])
                       for t in truth] for _ in range(raters)])
        x[np.array([[RNG.random() < 0.2 for _ in range(units)]
                    for _ in range(raters)])] = np.nan
        cases.append(case(
            {"type": "krippendorff"},
            {"ratings": f64(x.ravel().tolist(), [raters, units])},
            {level: f64(krippendorff.alpha(reliability_data=x,
                                           level_of_measurement=level))
             for level in ("nominal", "ordinal", "interval")}))
    return cases


# --- random numbers and resampling -------------------------------------------

def philox(counter, key):
    c, k, low = list(counter), list(key), 0xFFFFFFFF
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [b >> 32 ^ c[1] ^ k[0], b & low, a >> 32 ^ c[3] ^ k[1], a & low]
        k = [(k[0] + 0x9E3779B9) & low, (k[1] + 0xBB67AE85) & low]
    return c


def draws(seed, stratum, replicate, n):
    key = [seed & 0xFFFFFFFF, seed >> 32]
    words = []
    for block in range((n + 3) // 4):
        words += philox([block, replicate, stratum, 0x424F4F54], key)
    return [w * n >> 32 for w in words[:n]]


def bootstrap_cases():
    cases = []
    for i in range(8 * SCALE):
        seed, stratum = RNG.getrandbits(64), RNG.randrange(4)
        n, size = RNG.choice([1, 2, 7, 60]), RNG.choice([40, 200, 333])
        alpha = RNG.choice([0.05, 0.1, 0.01])
        a = [round(RNG.random(), 5) for _ in range(n)]
        b = [round(RNG.random(), 5) for _ in range(n)]
        paired = i % 2 == 1
        d = [x - y for x, y in zip(a, b)] if paired else a
        x = [sum(d[j] for j in draws(seed, stratum, r, n)) / n
             for r in range(size)]
        k, order = math.floor(size * alpha / 2), sorted(x)
        least = min(sum(v <= 0 for v in x), sum(v >= 0 for v in x))
        mean = sum(x) / size
        cases.append(case(
            {"type": "paired" if paired else "mean", "seed": str(seed),
             "step": stratum, "B": size, "alpha": alpha},
            {"a": f64(a), "b": f64(b)} if paired else {"values": f64(a)},
            {"mean": f64(sum(d) / n), "lo": f64(order[k]),
             "hi": f64(order[size - 1 - k]), "first": f64(x[:5]),
             "p": f64(min(1.0, 2 * (1 + least) / (size + 1))),
             "se": f64(math.sqrt(sum((v - mean) ** 2 for v in x)
                                 / (size - 1)))}))
    return cases


# --- intervals ---------------------------------------------------------------

def t_tail(t, df):
    return mpmath.betainc(mpmath.mpf(df) / 2, 0.5, 0,
                          mpmath.mpf(df) / (df + mpmath.mpf(t) ** 2),
                          regularized=True)


def t_quantile(level, df):
    low, high = mpmath.mpf(0), mpmath.mpf(10) ** 4
    for _ in range(110):
        middle = (low + high) / 2
        if t_tail(middle, df) > 1 - mpmath.mpf(level):
            low = middle
        else:
            high = middle
    return float(low)


def t_interval(x, level):
    n, mean = len(x), math.fsum(x) / len(x)
    sd = math.sqrt(math.fsum((v - mean) ** 2 for v in x) / (n - 1))
    half = t_quantile(level, n - 1) * sd / math.sqrt(n)
    return mean, sd, mean - half, mean + half, \
        float(t_tail(mean / (sd / math.sqrt(n)), n - 1))


def interval_cases():
    df = [1, 2, 3, 5, 9, 30, 100]
    cases = [case({"type": "t_quantile", "level": level}, {"df": i64(df)},
                  {"t": f64([t_quantile(level, v) for v in df])})
             for level in (0.9, 0.95, 0.99)]
    for _ in range(5 * SCALE):
        level = RNG.choice([0.9, 0.95, 0.99])
        n = RNG.choice([2, 3, 5, 12])
        x = [round(RNG.gauss(0.3, 1), 6) for _ in range(n)]
        mean, sd, lo, hi, p = t_interval(x, level)
        cases.append(case(
            {"type": "t_interval", "level": level}, {"values": f64(x)},
            {"mean": f64(mean), "sd": f64(sd), "lo": f64(lo), "hi": f64(hi),
             "p": f64(p)}))
        a = [RNG.randrange(50, 200) for _ in range(n)]
        b = [RNG.randrange(50, 200) for _ in range(n)]
        mean, _, lo, hi, _ = t_interval(
            [math.log(u / v) for u, v in zip(a, b)], level)
        cases.append(case(
            {"type": "ratio_interval", "level": level},
            {"a": i64(a), "b": i64(b)},
            {"ratio": f64(math.exp(mean)), "lo": f64(math.exp(lo)),
             "hi": f64(math.exp(hi))}))
        n = RNG.choice([1, 7, 500])
        k = RNG.choice([0, n, RNG.randrange(n + 1)])
        lo, hi = wilson(k / n, n, level)
        cases.append(case({"type": "wilson", "level": level},
                          {"k": i64(k), "n": i64(n)},
                          {"p": f64(k / n), "lo": f64(lo), "hi": f64(hi)}))
    return cases


# --- training ----------------------------------------------------------------

def smooth(x, window):
    return [sum(x[max(0, i + 1 - window):i + 1])
            / len(x[max(0, i + 1 - window):i + 1]) for i in range(len(x))]


def reach(x, steps, target, hold):
    for i in range(len(x) - hold + 1):
        if all(v >= target for v in x[i:i + hold]):
            return steps[i]
    return -1


def convergence_cases():
    cases = []
    for _ in range(10 * SCALE):
        n, window, hold = RNG.randrange(2, 25), RNG.choice([1, 3, 5]), \
            RNG.choice([1, 2, 3])
        steps = [10 * i for i in range(n)]
        curve = [[round(0.2 + 0.1 * (1 - math.exp(-i / pace))
                        + RNG.gauss(0, 0.004), 5) for i in range(n)]
                 for pace in (RNG.uniform(1, 9), RNG.uniform(1, 9))]
        if RNG.random() < 0.2:
            curve[0].reverse()
        baseline, method = smooth(curve[0], window), smooth(curve[1], window)
        target = curve[0][0] + 0.95 * (baseline[-1] - curve[0][0])
        b = reach(baseline, steps, target, hold)
        m = reach(method, steps, target, hold)
        cases.append(case(
            {"window": window, "hold": hold, "fraction": 0.95},
            {"steps": i64(steps), "baseline": f64(curve[0]),
             "method": f64(curve[1])},
            {"target": f64(target), "smooth_baseline": f64(baseline),
             "smooth_method": f64(method), "step_baseline": i64(b),
             "step_method": i64(m),
             "saving": f64(1 - m / b if b > 0 and m >= 0 else math.nan)}))
    return cases


def mean_of(x):
    return sum(x) / len(x) if x else math.nan


def span_effect_cases():
    cases = []
    for _ in range(8 * SCALE):
        lengths = [RNG.randrange(1, 30) for _ in range(RNG.randrange(1, 9))]
        response = [i for i, n in enumerate(lengths) for _ in range(n)]
        n = len(response)
        delta = [RNG.choice([0, 0, 0, 1, 1, -1, -0.5]) for _ in range(n)]
        mask = [int(RNG.random() < 0.9) for _ in range(n)]
        before = [round(-RNG.expovariate(1), 3) for _ in range(n)]
        after = [round(x + 0.1 * RNG.gauss(0, 1) + 0.1 * d, 2)
                 for x, d in zip(before, delta)]
        rows = [(a - b, d, r) for a, b, d, r, m in
                zip(after, before, delta, response, mask) if m]
        out, means = {}, {}
        for name, sign in (("good", 1), ("poor", -1), ("neutral", 0)):
            own = [(d, r) for d, x, r in rows if (x > 0) - (x < 0) == sign]
            by = collections.defaultdict(list)
            for d, r in own:
                by[r].append(d)
            means[name] = mean_of([d for d, _ in own])
            out[f"{name}.tokens"] = i64(len(own))
            out[f"{name}.mean"] = f64(means[name])
            out[f"{name}.response_mean"] = f64(mean_of(
                [mean_of(v) for v in by.values()]))
            out[f"{name}.up"] = f64(mean_of([float(d > 0) for d, _ in own]))
        weight = sum(abs(x) for _, x, _ in rows)
        good = [d for d, x, _ in rows if x > 0]
        poor = [d for d, x, _ in rows if x < 0]
        out["contrast"] = f64(means["good"] - means["poor"])
        out["good.excess"] = f64(means["good"] - means["neutral"])
        out["poor.excess"] = f64(means["poor"] - means["neutral"])
        out["weighted"] = f64(sum(d * x for d, x, _ in rows) / weight
                              if weight else math.nan)
        out["auc"] = f64(mean_of([(g > p) + (g == p) / 2
                                  for g in good for p in poor]))
        cases.append(case({}, {"before": f64(before), "after": f64(after),
                               "delta": f64(delta), "mask": i64(mask),
                               "response": i64(response)}, out))
    return cases


# --- reward models -----------------------------------------------------------

def prf(hit, predicted, actual):
    p = hit / predicted if predicted else 0
    r = hit / actual if actual else 0
    return {"precision": p, "recall": r,
            "f1": 2 * p * r / (p + r) if p + r else 0}


def scored(n):
    words = [RNG.choice(WORDS[:30]) for _ in range(n)]
    return [[w, RNG.choice([-1, 0, 0, 1, 1])] for w in words]


def spoil(words):
    out = [[w, s if RNG.random() < 0.7 else RNG.choice([-1, 0, 1, 0.1, "1"])]
           for w, s in words if RNG.random() < 0.97]
    return out + scored(RNG.randrange(2))


def word_maps(samples):
    hit, predicted, actual = ({c: 0 for c in (-1, 0, 1)} for _ in range(3))
    words = collections.Counter()
    for s in samples:
        p = dict(map(tuple, s["predicted_word_scores"]))
        r = dict(map(tuple, s["standard_word_scores"]))
        if not p or not r:
            continue
        words["total_std_words"] += len(r)
        words["total_pred_words"] += len(p)
        words["missing_words"] += len(set(r) - set(p))
        words["matching_words"] += len(set(r) & set(p))
        for c in (-1, 0, 1):
            hit[c] += sum(p.get(w) == c for w in r if r[w] == c)
            predicted[c] += sum(v == c for v in p.values())
            actual[c] += sum(v == c for v in r.values())
    return {"score_specific": {
        str(c): {"true_positives": hit[c], "predicted_positives": predicted[c],
                 "actual_positives": actual[c],
                 **prf(hit[c], predicted[c], actual[c])} for c in (-1, 0, 1)},
        "word_matching": {k: words[k] for k in (
            "total_std_words", "total_pred_words", "missing_words",
            "matching_words")}}


def word_places(reference, extracted):
    out, total = {}, [0, 0, 0]
    rows = [(p, r) for (w, p), (v, r) in zip(extracted, reference) if w == v]
    for name, c in (("positive", 1), ("negative", -1), ("neutral", 0)):
        own = [sum(p == c and r == c for p, r in rows),
               sum(p == c and r != c for p, r in rows),
               sum(p != c and r == c for p, r in rows)]
        total = [x + y for x, y in zip(total, own)]
        out[name] = own
    out["overall"] = total
    return {k: {"tp": tp, "fp": fp, "fn": fn, **prf(tp, tp + fp, tp + fn)}
            for k, (tp, fp, fn) in out.items()}


def runs(words, c):
    out, own = [], set()
    for i, (_, s) in enumerate(words + [["", None]]):
        if s == c:
            own.add(i)
        elif own:
            out.append(own)
            own = set()
    return out


def spans(reference, extracted):
    out = {}
    for name, c in (("good_span", 1), ("poor_span", -1)):
        r, p = runs(reference, c), runs(extracted, c)
        best = [max([len(x & y) / len(x | y) for y in p], default=0)
                for x in r]
        exact = sum(b == 1 for b in best)
        partial = sum(0 < b < 1 for b in best)
        touched = [b for b in best if b]
        out[name] = {
            "gt_count": len(r), "ex_count": len(p), "exact_match": exact,
            "partial_match": partial,
            "avg_iou": sum(touched) / len(touched) if touched else 0,
            **prf(partial, len(p), len(r)),
            **{f"exact_{k}": v
               for k, v in prf(exact, len(p), len(r)).items()}}
    return out


def similarity(generated, reference):
    g, r = (x if isinstance(x, str) else "\n".join(x)
            for x in (generated, reference))
    if not g or not r:
        return [1, 1, 1] if g == r else [0, 1, 0] if not r else [1, 0, 0]
    m = sum(b.size for b in
            difflib.SequenceMatcher(None, g, r).get_matching_blocks())
    return list(prf(m, len(g), len(r)).values())


def code_item():
    item = {}
    for field in ("wrong_code", "improvement_code"):
        own = [make_text(12) for _ in range(RNG.randrange(4))]
        item[field] = own
        item["generated_" + field] = [change(t) for t in own
                                      if RNG.random() < 0.8]
    item["feedback"], item["generated_feedback"] = pair(60)
    return item


def code_dataset(items):
    fields = ("wrong_code", "improvement_code", "feedback")
    each = [[similarity(i["generated_" + f], i[f]) for f in fields]
            for i in items]
    rows = [[s[k] for s in each] for k in range(3)]
    rows.append([[sum(x) / 3 for x in zip(*s)] for s in each])
    return {**{name: dict(zip(("precision", "recall", "f1"),
                              (sum(x) / len(items) for x in zip(*own))))
               for name, own in zip(fields + ("overall",), rows)},
            "samples": len(items)}


def reward_model():
    out = collections.defaultdict(list)
    for _ in range(4 * SCALE):
        samples = []
        for _ in range(3):
            r = scored(RNG.randrange(20))
            samples.append({"predicted_word_scores": spoil(r),
                            "standard_word_scores": r})
        out["slf5k_overall"].append({"samples": samples,
                                     "expect": word_maps(samples)})
        r = scored(RNG.randrange(40))
        e = spoil(r)
        both = {"reference": r, "extracted": e}
        out["qa_words"].append({**both, "expect": word_places(r, e)})
        out["qa_spans"].append({**both, "expect": spans(r, e)})
        item = code_item()
        both = {"generated": item["generated_wrong_code"],
                "reference": item["wrong_code"]}
        out["code_similarity"].append({**both,
                                       "expect": similarity(**both)})
        items = [code_item() for _ in range(3)]
        out["code_dataset"].append({"items": items,
                                    "expect": code_dataset(items)})
    words = scored(4)
    for record in (
            {"word_score_list": words}, {"x": 1, "word_scores": words},
            {"scores": [{"word": w, "Score": s} for w, s in words]},
            {"any": [{"Token": w, "VALUE": s} for w, s in words]},
            {"tags": ["a"], "any": [[w, s, "more"] for w, s in words]}):
        out["slf5k_reference_lists"].append({"record": record,
                                             "expect": {"returns": words}})
    for record in ({}, {"any": ["a", "b"]}, {"word_score_list": [["a"]]}):
        out["slf5k_reference_lists"].append({"record": record,
                                             "expect": {"returns": []}})
    parts = ",\n".join(
        f'"{name}": [\n' + ",\n".join(json.dumps(c, ensure_ascii=False)
                                     for c in cases) + "]"
        for name, cases in out.items())
    (OUT / "reward_model.json").write_text(
        '{"kind": "reward_model",\n' + parts + "}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--output", type=pathlib.Path, default=HERE)
    options = parser.parse_args()
    RNG.seed(options.seed)
    SCALE, OUT = options.scale, options.output
    OUT.mkdir(parents=True, exist_ok=True)
    for kind, cases in (
            ("stem", stem_cases), ("rouge", rouge_cases),
            ("bleu", bleu_cases), ("bleu_nltk", bleu_nltk_cases),
            ("text", text_cases), ("passk", passk_cases),
            ("winrate", winrate_cases), ("agreement", agreement_cases),
            ("bootstrap", bootstrap_cases), ("intervals", interval_cases),
            ("convergence", convergence_cases),
            ("span_effect", span_effect_cases)):
        write(kind, cases())
    reward_model()
