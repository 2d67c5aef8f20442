"""Cases for reading critiques, aligning spans and the built-in critic.

Writes vectors/feedback/{parse,align,words,difflib,facts}.json. Everything expected is
computed here, in plain Python on code points, without the library: rules as
documented in include/t2g/feedback.h and facts.h. Run it from anywhere:

    python3 vectors/gen/feedback.py
"""
import difflib
import json
import random
import re
import struct
import unicodedata
from pathlib import Path

OUT = Path(__file__).resolve().parents[1] / "feedback"


def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


# --- folding -----------------------------------------------------------------

ZERO_WIDTH = set("\u200b\u200c\u200d\u2060\ufeff\u00ad")
SIGNS = {
    "'": "\u2018\u2019\u201a\u201b\u2032\u00b4\u0060\u02bc\uff07",
    '"': "\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb\uff02",
    "-": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d",
}
SIGN_OF = {c: sign for sign, chars in SIGNS.items() for c in chars}


def compatible(c):
    return SIGN_OF.get(c) or unicodedata.normalize("NFKD", c).casefold()


def fold(text):
    """List of (folded character, first, one past last code point)."""
    out = []
    blank = None
    for i, c in enumerate(text):
        for f in "" if c in ZERO_WIDTH else compatible(c):
            if f.isspace():
                blank = (blank[0] if blank else i, i + 1)
                continue
            if blank and out:
                out.append((" ", *blank))
            blank = None
            out.append((f, i, i + 1))
            k = len(out) - 1 # marks in the order of their classes
            while k and (unicodedata.combining(out[k - 1][0]) >
                         unicodedata.combining(out[k][0]) > 0):
                (x, b, e), (y, c2, e2) = out[k - 1], out[k]
                both = (min(b, c2), max(e, e2))
                out[k - 1:k + 1] = [(y, *both), (x, *both)]
                k -= 1
    return out


def letters(folded):
    return "".join(f for f, _, _ in folded)


# --- finding -----------------------------------------------------------------

def is_word(c):
    return unicodedata.category(c)[0] in "LN"


def inside(text, i):
    return 0 < i < len(text) and is_word(text[i - 1]) and is_word(text[i])


def at_words(text, begin, end):
    return not inside(text, begin) and not inside(text, end)


def prefer_words(text, places):
    whole = [p for p in places if at_words(text, *p)]
    return whole or places


def occurrences(folded, pattern):
    text = letters(folded)
    m = len(pattern)
    return [(folded[i][1], folded[i + m - 1][2])
            for i in range(len(text) - m + 1) if m and
            text[i:i + m] == pattern]


def unescape(quote):
    table = {'\\"': '"', "\\'": "'", "\\\\": "\\", "\\n": " ", "\\t": " ",
             "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"',
             "&#39;": "'", "**": "", "__": "", "`": ""}
    out, i = "", 0
    while i < len(quote):
        for written, means in table.items():
            if quote.startswith(written, i):
                out, i = out + means, i + len(written)
                break
        else:
            left = i > 0 and is_word(quote[i - 1])
            right = i + 1 < len(quote) and is_word(quote[i + 1])
            if quote[i] not in "*_" or left == right:
                out += quote[i]
            i += 1
    return out


def find_ellipsis(folded, pattern):
    pieces = re.split(r"\.{3,}", pattern)
    if len(pieces) == 1:
        return []
    text, first, at = letters(folded), None, 0
    for piece in filter(None, (p.strip(" ") for p in pieces)):
        begin = text.find(piece, at)
        if begin < 0:
            return []
        first = begin if first is None else first
        at = begin + len(piece)
    if first is None or at - first > 6 * len(pattern) + 80:
        return []
    return [(folded[first][1], folded[at - 1][2])]


def find_fuzzy(text, folded, pattern):
    """(reason, distance, places): the plain dynamic programme."""
    m = len(pattern)
    if m < 8:
        return "too_short_for_fuzzy", None, []
    limit = int((.2 if m < 20 else .3 if m < 40 else .35) * m)
    column = [(i, 0) for i in range(m + 1)] # (distance, start)
    found, least = [], m
    for j, (c, _, _) in enumerate(folded):
        new = [(0, j + 1)]
        for i in range(1, m + 1):
            d, s = column[i - 1]
            new.append(min((d + (pattern[i - 1] != c), s),
                           (column[i][0] + 1, column[i][1]),
                           (new[i - 1][0] + 1, new[i - 1][1])))
        column = new
        d, start = column[m]
        least = min(least, d)
        if d <= limit and start <= j:
            begin, end = folded[start][1], folded[j][2]
            cost = 2 * d + inside(text, begin) + inside(text, end)
            found.append((cost, begin, -end))
    if not found:
        return "over_threshold", least, []
    cheapest, kept = min(found)[0], []
    for cost, begin, end in sorted(found):
        if cost == cheapest and (not kept or begin >= kept[-1][1]):
            kept.append((begin, -end))
    return None, least, kept


def find(text, span):
    """(method, reason, places in code points)"""
    if span.get("rejected"):
        return "none", "rejected_score", []
    n = len(span["text"])
    places = [(i, i + n) for i in range(len(text) - n + 1)
              if n and text[i:i + n] == span["text"]]
    if places:
        return "exact", None, prefer_words(text, places)
    folded, pattern = fold(text), letters(fold(span["text"]))
    if not pattern:
        return "none", "empty", []
    clean = letters(fold(unescape(span["text"])))
    for method, quote in ("folded", pattern), ("unescaped", clean):
        places = prefer_words(text, occurrences(folded, quote))
        if places:
            return method, None, places
    bare = "".join(filter(is_word, clean))
    if len(bare) >= 3:
        places = [p for p in occurrences([f for f in folded if is_word(f[0])],
                                         bare) if at_words(text, *p)]
        if places:
            return "skeleton", None, places
    places = find_ellipsis(folded, pattern)
    if places:
        return "ellipsis", None, places
    reason, _, places = find_fuzzy(text, folded, clean)
    return ("fuzzy" if places else "none"), reason, places


def byte_boundaries(text):
    ends, at = {0}, 0
    for c in text:
        at += len(c.encode())
        ends.add(at)
    return ends


def is_given(text, span):
    raw = text.encode()
    b, e = span.get("start"), span.get("end")
    if b is None or e is None or span.get("rejected"):
        return False
    if not b < e <= len(raw) or not {b, e} <= byte_boundaries(text):
        return False
    return span["text"] == "" or raw[b:e] == span["text"].encode()


# --- placing -----------------------------------------------------------------

REPEATED = re.compile("repeat|redundant|again", re.IGNORECASE)


def place(text, critique, spans, on_repeat):
    position = [len(text[:i].encode()) for i in range(len(text) + 1)]
    key = [letters(fold(s["text"])) for s in spans]
    given = [is_given(text, s) for s in spans]

    def found(k):
        method, reason, places = find(text, spans[k])
        places = [(position[b], position[e]) for b, e in places]
        for i, other in enumerate(spans):
            if given[i] and key[i] == key[k]:
                free = [p for p in places if p[0] != other["start"]]
                places = free or places
        return method, reason, places

    every = [found(k) for k in range(len(spans))]
    placements = []
    for k, span in enumerate(spans):
        def put(method, rule, begin=0, end=0, reward=0.0, ambiguous=False,
                reason=None, occurrences=0, occurrence=0):
            placements.append(dict(
                span=k, method=method, rule=rule, reason=reason, start=begin,
                end=end, occurrences=occurrences, occurrence=occurrence,
                ambiguous=ambiguous, reward=reward))
        if given[k]:
            put("given", "given", span["start"], span["end"], span["score"],
                occurrences=1)
            continue
        method, reason, places = every[k]
        n = len(places)
        peers = [i for i in range(len(spans))
                 if not given[i] and every[i][2] == places]
        score = span["score"]

        def at(i, rule, ambiguous=False, share=1):
            put(method, rule, *places[i], score / share, ambiguous,
                occurrences=n, occurrence=i)
        if n == 0:
            put("none", "unique", reason=reason)
        elif n == 1:
            at(0, "unique")
        elif 1 < len(peers) <= n:
            at(peers.index(k), "in_order")
        elif REPEATED.search(span.get("note") or "") or (
                score < 0 and REPEATED.search(critique)):
            at(n - 1, "last_repeated")
        elif on_repeat == "first":
            at(0, "first", True)
        elif on_repeat == "last":
            at(n - 1, "last", True)
        elif on_repeat == "skip":
            put("none", "skip", reason="several_occurrences", occurrences=n)
        else:
            for i in range(n):
                at(i, on_repeat, True, n if on_repeat == "split" else 1)
    return placements


# --- tokens ------------------------------------------------------------------

SPACES = [chr(c).encode() for c in range(0x3001) if chr(c).isspace()]


def core(raw, begin, end):
    changed = True
    while changed:
        changed = False
        for s in SPACES:
            if raw[begin:end].startswith(s):
                begin += len(s)
                changed = True
            elif raw[begin:end].endswith(s):
                end -= len(s)
                changed = True
    return begin, end


def cover(p, cores):
    inside = [max(0, min(e, p["end"]) - max(b, p["start"])) for b, e in cores]
    hit = [t for t, (b, e) in enumerate(cores)
           if e > b and 2 * inside[t] >= e - b]
    if not hit and max(inside, default=0) > 0:
        hit = [inside.index(max(inside))]
    return [hit[0], hit[-1] + 1] if hit else [0, 0]


def encloses(outer, inner):
    return (outer["start"] <= inner["start"] and inner["end"] <= outer["end"]
            and outer["end"] - outer["start"] > inner["end"] - inner["start"])


def combine(held, how):
    if how == "negative":
        value = min(p["reward"] for p in held)
    elif how == "first":
        value = held[0]["reward"]
    elif how == "inner":
        least = min(p["end"] - p["start"] for p in held)
        value = sum(p["reward"] for p in held
                    if p["end"] - p["start"] == least)
    else:
        value = sum(p["reward"] for p in held
                    if not any(encloses(p, q) for q in held))
    return max(-1.0, min(1.0, value))


def align(case):
    text, spans = case["response"], case["spans"]
    raw, offsets = text.encode(), case["offsets"]
    tokens = list(zip(offsets[0::2], offsets[1::2]))
    cores = [core(raw, b, e) for b, e in tokens]
    placements = place(text, case["critique"], spans, case["on_repeat"])
    for p in placements:
        p["tokens"] = cover(p, cores) if p["end"] > p["start"] else [0, 0]
    character = [c for c in text for _ in c.encode()]
    delta, conflicts = [], 0
    for t, (b, e) in enumerate(tokens):
        held = [p for p in placements if p["tokens"][0] <= t < p["tokens"][1]]
        quiet = case["punctuation_zero"] and not any(
            is_word(character[i]) for i in range(*cores[t]))
        if b == e or quiet:
            delta.append(0.0)
            continue
        conflicts += (any(p["reward"] > 0 for p in held) and
                      any(p["reward"] < 0 for p in held))
        delta.append(f32(combine(held, case["on_overlap"]) if held
                         else case["background"]))
    status = ("empty" if not spans else "partial"
              if any(p["method"] == "none" for p in placements) else "ok")
    return dict(placements=placements, delta=delta, conflicts=conflicts,
                status=status)


# --- alignment cases ---------------------------------------------------------

WORDS = ("on Sunday at seven in the lobby led by Kate Éva Ζεύς Σίσυφος Жанна "
         "well-known well\u2013known \"so\" \u201cso\u201d it's it\u2019s 12 "
         "dollars the the in . , ... \u2026 \u6c34 stra\u00dfe \ufb01ne caf\u00e9 "
         "\uff11\uff12 \uac00\uac01").split()


def random_text(rng):
    known = WORDS if rng.random() < .6 else rng.sample(WORDS, 3)
    words = [rng.choice(known) for _ in range(rng.randint(1, 24))]
    gap = [" "] * 6 + ["  ", "\n", "\u00a0", "", "\u200b", "\u00ad", "\ufeff"]
    return "".join(w + rng.choice(gap) for w in words)


def slip(rng, quote):
    i = rng.randrange(len(quote))
    return rng.choice([quote[:i] + quote[i + 1:],
                       quote[:i] + "x" + quote[i + 1:],
                       quote[:i] + "x" + quote[i:]])


def damage(rng, quote):
    kind = rng.randrange(13)
    if kind == 0:
        return quote.upper()
    if kind == 1:
        return quote.replace(" ", rng.choice(["  ", "\n", "\u2009"]))
    if kind == 2:
        return quote.replace("-", "\u2014").replace("'", "\u2019")
    if kind == 3:
        return " " + quote + "\t"
    if kind == 4:
        return quote + "q"
    if kind == 5:
        return rng.choice(["**%s**", "`%s`", "_%s_", "*%s* "]) % quote
    if kind == 6:
        return quote.replace('"', '\\"').replace(" ", "\\n").replace("'",
                                                                   "&#39;")
    if kind == 7:
        return "".join(c for c in quote if is_word(c) or c == " ")
    if kind == 8:
        third = len(quote) // 3
        return quote[:third] + rng.choice(["...", "\u2026", " .... "]) + \
            quote[len(quote) - third:]
    if kind == 9:
        return unicodedata.normalize("NFKD", quote)
    for _ in range(rng.randint(0, 4) if kind < 12 else 0):
        quote = slip(rng, quote) if quote else quote
    return quote


def random_span(rng, text):
    position = [len(text[:i].encode()) for i in range(len(text) + 1)]
    b = rng.randrange(len(text))
    e = min(len(text), b + rng.choice([3, 8, 16, 30, 70]))
    span = {"text": damage(rng, text[b:e]) if rng.random() < .9 else "",
            "score": rng.choice([1.0, 1.0, -1.0, -1.0, .5, -.25, 0.0])}
    if rng.random() < .4:
        span["start"] = position[b] + (rng.random() < .2)
        span["end"] = position[e]
        if rng.random() < .8:
            span["text"] = text[b:e] if rng.random() < .8 else ""
    if rng.random() < .15:
        span["note"] = rng.choice(["Redundant", "said again", "off topic"])
    return span


def random_offsets(rng, n):
    """Tokens that tile the text, ends anywhere, special tokens between."""
    offsets, at = [], 0
    while at < n:
        if rng.random() < .05:
            offsets += [at, at]
        end = min(n, at + rng.choice([1, 2, 3, 4, 5, 6, 8]))
        offsets += [at, end]
        at = end
    return offsets + [n, n]


def random_case(rng, number):
    text = random_text(rng)
    spans = [random_span(rng, text) for _ in range(rng.randint(0, 5))]
    if spans and rng.random() < .5: # equal quotes, some with another's place
        for _ in range(rng.randint(1, 3)):
            twin = dict(rng.choice(spans), score=rng.choice([1., -1.]))
            if rng.random() < .7:
                twin.pop("start", None)
                twin.pop("end", None)
            spans.insert(rng.randrange(len(spans) + 1), twin)
    return {
        "id": f"random-{number}", "response": text,
        "offsets": random_offsets(rng, len(text.encode())), "spans": spans,
        "critique": rng.choice(["", "", "It says Sunday again."]),
        "on_repeat": rng.choice(["split", "split", "first", "last", "all",
                                 "skip"]),
        "on_overlap": rng.choice(["sum", "sum", "inner", "negative", "first"]),
        "background": rng.choice([0.0, 0.0, 1.0]),
        "punctuation_zero": rng.random() < .3}


# --- lists of words ----------------------------------------------------------

def word_key(word):
    folded = letters(fold(word))
    return "".join(filter(is_word, folded)) or folded


def match_words(response, listed):
    """Index of the response's word for each listed one, or None."""
    words = [m.span() for m in re.finditer(r"\S+", response)]
    keys = [word_key(response[b:e]) for b, e in words]
    wanted = [word_key(w) for w in listed]

    def same(i, j):
        return wanted[i - 1] == keys[j - 1] != ""
    score = [[0] * (len(keys) + 1)]
    move = [[None] * (len(keys) + 1)]
    for i in range(1, len(wanted) + 1):
        score.append([-100 * i])
        move.append(["listed"])
        for j in range(1, len(keys) + 1):
            near = (i > 1 and j > 1 and move[i - 1][j - 1] == "pair" and
                    same(i - 1, j - 1))
            pair = 200 + 100 * near if same(i, j) else -100
            best = max([(score[i - 1][j - 1] + pair, 2, "pair"),
                        (score[i - 1][j] - 100, 1, "listed"),
                        (score[i][j - 1] - 1, 0, "response")])
            score[i].append(best[0])
            move[i].append(best[2])
    found = [None] * len(wanted)
    i, j = len(wanted), score[-1].index(max(score[-1]))
    while i:
        how = move[i][j]
        if how == "pair" and same(i, j):
            begin, end = words[j - 1]
            if response[begin:end] != listed[i - 1]:
                known = [k for k in range(begin, end) if is_word(response[k])]
                begin, end = ((known[0], known[-1] + 1) if known
                              else (begin, end))
            found[i - 1] = (begin, end)
        i, j = i - (how != "response"), j - (how != "listed")
    return found


def words_case(rng, number):
    response = random_text(rng)
    listed = []
    for word in response.split():
        if rng.random() < .8:
            listed.append(word if rng.random() < .8 else rng.choice(
                [word.upper(), word.strip(".,"), slip(rng, word), "gone"]))
        if rng.random() < .1:
            listed.append(rng.choice(WORDS))
    found = match_words(response, listed)
    return {"id": f"words-{number}", "response": response, "words": listed,
            "expect": [[len(response[:x].encode()) for x in at] if at else None
                       for at in found]}


def words_cases():
    rng = random.Random(20260203)
    return [words_case(rng, number) for number in range(60)]


def align_cases():
    rng = random.Random(20260201)
    cases = []
    for number in range(240):
        case = random_case(rng, number)
        case["expect"] = align(case)
        cases.append(case)
    return cases


# --- replies -----------------------------------------------------------------

class Unparsed(Exception):
    pass


def once(pairs):
    if len({k for k, _ in pairs}) != len(pairs):
        raise Unparsed
    return dict(pairs)


def refuse(_):
    raise Unparsed


def parse_item(item, score):
    if isinstance(item, str):
        return {"text": item, "score": score}
    if not isinstance(item, dict) or not isinstance(item.get("text"), str):
        raise Unparsed
    out = {"text": item["text"], "score": score}
    for key in ("start", "end"):
        v = item.get(key)
        if v is not None:
            if not isinstance(v, int) or isinstance(v, bool) or v < 0:
                raise Unparsed
            out[key] = v
    v = item.get("score")
    if v is not None:
        if isinstance(v, bool) or not isinstance(v, (int, float)):
            out["rejected"] = True
        else:
            out["score"] = max(-1.0, min(1.0, float(v)))
    for key in ("note", "type"):
        if isinstance(item.get(key), str):
            out.setdefault("note", item[key])
    return out


def parse(reply):
    try:
        root = json.loads(reply, object_pairs_hook=once, parse_constant=refuse)
        if not isinstance(root, dict):
            raise Unparsed
        text = root.get("textual_feedback", root.get("critique"))
        if not isinstance(text, str):
            raise Unparsed
        spans = []
        for key, score in (("good_spans", 1.0), ("poor_spans", -1.0)):
            if not isinstance(root.get(key), list):
                raise Unparsed
            spans += [dict(parse_item(i, score), source=key)
                      for i in root[key]]
    except (ValueError, RecursionError, Unparsed):
        return {"status": "unparsed", "text": "", "spans": []}
    return {"status": "ok" if spans else "empty", "text": text, "spans": spans}


# Replies that are what was asked for, and some that hold nothing.
GOOD = ('{"textual_feedback": "The day is Sunday.", "good_spans": ["on Sunday",'
        ' "at seven"], "poor_spans": [{"text": "the lobby", "start": 3, "end":'
        ' 12, "score": -0.5, "note": "said again"}]}')
NOTHING = ["", " ", "null", "[]", "{}", '"text"', "[" * 3000,
           '{"a":' * 3000, "I like it.", "Rating: 3\nTime: 10:30",
           '{"textual_feedback": "cut off here']
REPLIES = NOTHING + [
    GOOD, " \n" + GOOD + "\t ", GOOD + " That is all.", "Sure: " + GOOD,
    "```json\n" + GOOD + "\n```", GOOD[:-1], GOOD[:60], GOOD.replace('"at seven"]', '"at seven",]'),
    GOOD.replace('"', "'"), GOOD.replace("good_spans", "goods"),
    GOOD.replace('"on Sunday"', "7"), GOOD.replace('"on Sunday"', "null"),
    GOOD.replace('"on Sunday"', '["on Sunday"]'),
    GOOD.replace('"on Sunday"', '{"score": 1}'),
    GOOD.replace("-0.5", "-7"), GOOD.replace("-0.5", "null"),
    GOOD.replace("-0.5", '"dubious"'), GOOD.replace("-0.5", "0"),
    GOOD.replace("-0.5", "NaN"), GOOD.replace("-0.5", "true"),
    GOOD.replace('"start": 3', '"start": -3'),
    GOOD.replace('"start": 3', '"start": 3.5'),
    GOOD.replace('"start": 3, ', ""), GOOD.replace("textual_feedback",
                                                   "critique"),
    GOOD.replace('"The day is Sunday."', "null"),
    GOOD.replace("The day",
                 "Le jour d'été \\u00e9 \\ud83d\\ude00 \\n \\\"x\\\""),
    GOOD.replace("Sunday.", "Sun\nday."), GOOD.replace("Sunday.", "\\q"),
    GOOD[:-1] + ', "good_spans": []}', GOOD[:-1] + ', "rating": 3}',
    '{"textual_feedback": "Fine.", "good_spans": [], "poor_spans": []}',
    '{"textual_feedback": "Fine.", "good_spans": {}, "poor_spans": []}',
    '{"textual_feedback": "Fine.", "good_spans": []}',
    '{"textual_feedback": "", "good_spans": [""], "poor_spans": []}',
    GOOD.replace('"note": "said again"', '"type": "Redundant"'),
]


# Replies damaged in known ways: what is meant is known before the damage.

QUOTES = ["on Sunday", "film's score", 'def f(x):\n    return "a"', "C++, [1]",
          "caf\u00e9", "at seven", "a {b} c", "10:30", "O'Hara said \"so\""]
SOURCE = {"qa": ("textual_feedback", "good_spans", "poor_spans"),
          "code": ("code_feedback", "wrong_code", "improvement_code")}
SCORE = {"good_spans": 1.0, "poor_spans": -1.0, "wrong_code": -1.0,
         "improvement_code": 0.0}


def meant_lists(rng, task):
    words, first, second = SOURCE[task]
    return {words: "It says 'on Sunday', twice (see 10:30).",
            first: rng.sample(QUOTES, rng.randint(0, 4)),
            second: rng.sample(QUOTES, rng.randint(1, 4))}


def dumps(o, **more):
    return json.dumps(o, ensure_ascii=False, **more)


def damaged_lists(rng, o):
    """[(kind, reply, repair)]"""
    text, first = dumps(o), list(o)[1]
    pretty = dumps(o, indent=2)
    return [
        ("fence", f"Here:\n```json\n{pretty}\n```\nBye", "surrounded"),
        ("prose", "Well (fine): " + text + " Done.", "surrounded"),
        ("extra_brace", text + "}}", "surrounded"),
        ("wrapped", dumps({"result": [o]}), "surrounded"),
        ("encoded", json.dumps(text), "unpacked_string"),
        ("open", text[:-1], "end_of_input"),
        ("missing_bracket", text[:-2] + "}", "missing_bracket"),
        ("trailing_comma", text[:-2] + ",],}", "extra_comma"),
        ("missing_comma", pretty.replace('",\n', '"\n'),
         None if '",\n' not in pretty else "missing_comma"),
        ("comments", pretty.replace("{\n", "{ // note\n", 1)
         .replace("\n}", " /* end */\n}"), "comment"),
        ("python", repr(dict(o, ok=True, no=None)), "python_literal"),
        ("names", text.replace('"' + first, '"' + first.title()
                               .replace("_", " ")), "key_name"),
        ("no_braces", "\n".join(dumps({k: v})[1:-1] for k, v in o.items()),
         "no_object"),
        ("raw_control", text.replace("says", "says\n\t"), "raw_control"),
        ("bad_escape", text.replace("says", "says \\d"), "unknown_escape"),
        ("inner_quote", text.replace("twice", '"twi"ce'), "inner_quote"),
        ("nonsense_first", '{"a": "b" "c"} ' + text, "surrounded"),
        ("empty_after", text + "\n" + dumps({k: type(v)() for k, v in
                                              o.items()}), "surrounded"),
    ]


def meant_words(rng):
    words = rng.sample(["The", "Act", "of", "1986,", "O'Hara", "C++", "(i.e,",
                        "caf\u00e9", "be\"st", "10:30"], 7)
    return [[w, rng.choice([-1, 0, 1])] for w in words]


def damaged_words(rng, pairs):
    o = {"textual_feedback": "Fine (mostly): \"ok\".",
         "word_score_list": pairs}
    names = {1: "positive", 0: "neutral", -1: "Negative"}
    lists = {
        "tuples": ("[" + ", ".join("(%s, %d)" % (dumps(w), x)
                                   for w, x in pairs) + "]", "tuple"),
        "plus": ("[" + ", ".join("[%s, %+d]" % (dumps(w), x)
                                 for w, x in pairs) + "]",
                 "plus_sign"),
        "strings": (dumps([[w, str(x)] for w, x in pairs]), None),
        "names": (dumps([[w, names[x]] for w, x in pairs]), None),
        "objects": (dumps([{"word": w, "Score": x} for w, x in pairs]),
                    "item_form"),
        "single": (dumps([{w: x} for w, x in pairs]), "item_form"),
        "mapping": (dumps(dict(pairs)), "item_form"),
        "packed": (json.dumps(dumps(pairs)), "unpacked_string"),
    }
    out = [(kind, dumps(dict(o, word_score_list="@")).replace('"@"', text),
            repair) for kind, (text, repair) in lists.items()]
    return out + [
        ("python", repr(dict(o, word_score_list=[tuple(p) for p in pairs])),
         "single_quotes"),
        ("bare", dumps(pairs), "no_object"),
        ("chain", "Scores (all): " + " ".join("(%s, %d)" % (dumps(w), x)
                                              for w, x in pairs), "no_object"),
        ("arrows", "\n".join(f"{w} -> {x}" for w, x in pairs), "lines"),
        ("colons", "\n".join(f"{w}: {x}.0" for w, x in pairs), "lines"),
    ]


def lists_case(kind, number, o, reply, repair):
    spans = [{"text": t, "score": SCORE[k], "source": k}
             for k in list(o)[1:] for t in o[k]]
    return {"id": f"{kind}-{number}", "reply": reply,
            "repairs": [repair] if repair else [],
            "expect": {"status": "ok", "spans": spans}}


def words_reply(kind, number, pairs, reply, repair):
    spans = [{"text": w, "score": float(x), "source": "word_score_list"}
             for w, x in pairs]
    return {"id": f"words-{kind}-{number}", "reply": reply,
            "repairs": [repair] if repair else [],
            "expect": {"status": "ok", "spans": spans}}


def reply_cases():
    rng = random.Random(20260204)
    cases = []
    for i, reply in enumerate(REPLIES):
        want = parse(reply)
        if want["status"] != "unparsed" or reply in NOTHING:
            cases.append({"id": f"reply-{i}", "reply": reply, "expect": want})
    for number in range(6):
        o = meant_lists(rng, rng.choice(["qa", "code"]))
        cases += [lists_case(kind, number, o, reply, repair)
                  for kind, reply, repair in damaged_lists(rng, o)]
        pairs = meant_words(rng)
        cases += [words_reply(kind, number, pairs, reply, repair)
                  for kind, reply, repair in damaged_words(rng, pairs)]
    return cases


# --- sequence matcher --------------------------------------------------------

def difflib_cases():
    rng = random.Random(20260205)
    cases = []
    for number in range(40):
        letters_ = rng.choice(["ab", "abcd ", "abcdefghij  ", "\u00e9ab\u6c34"])
        a, b = ("".join(rng.choices(letters_, k=rng.choice([0, 3, 20, 90, 260])))
                for _ in range(2))
        if rng.random() < .4 and len(a) > 8:
            b = b[:9] + a[3:] + b[9:]
        case = {"id": f"difflib-{number}", "a": a, "b": b}
        for name, junk in ("autojunk", True), ("no_autojunk", False):
            m = difflib.SequenceMatcher(None, a, b, junk)
            longest = m.find_longest_match(0, len(a), 0, len(b))
            case[name] = {"ratio": m.ratio(), "longest": list(longest),
                          "blocks": [list(x) for x in m.get_matching_blocks()]}
        cases.append(case)
    return cases


# --- the built-in critic -----------------------------------------------------

FACTS = ["event", "day", "time", "place", "host", "price", "item"]
TELL = {
    "event": ["The {event} is on {day}.", "We plan the {event} for {day}.",
              "The {event} has moved from {x} to {day}.",
              "The {event} is on {day} instead of {x}.",
              "The {event} was on {x} but is now on {day}."],
    "time": ["Doors open at {time}.", "We begin at {time} instead of {x}.",
             "Doors opened at {x} but now open at {time}."],
    "place": ["Find us in the {place}.",
              "The {x} is closed, so we meet in the {place}.",
              "We moved from the {x} to the {place}."],
    "host": ["{host} will lead it.", "{x} is ill, so {host} will lead it.",
             "{host} leads it instead of {x}.", "Your host is {host}."],
    "price": ["Entry is {price} dollars.",
              "The price went from {x} to {price} dollars.",
              "Tickets cost {price} dollars instead of {x}."],
    "item": ["Please bring a {item}.", "Do not forget a {item}."],
}
VALUES = {
    "event": ["safety walk", "book fair", "team lunch", "yoga class"],
    "day": ["Sunday", "Monday", "Friday"], "time": ["one", "seven", "nine"],
    "place": ["lobby", "gym", "barn"], "host": ["Kate", "Maya", "Zoe"],
    "price": ["2", "12", "30"], "item": ["mug", "pen", "hat"],
}
PIECE = {
    "event": " the {}", "day": " on {}", "time": " at {}",
    "place": " in the {}", "host": ", led by {}", "price": ", for {} dollars",
    "item": ", bring a {}",
}
KEYWORDS = "on at in the led by for dollars bring a The is".split()
VALUE = "(?!(?:%s)(?![0-9A-Za-z]))[0-9A-Za-z]+" % "|".join(KEYWORDS)
MENTION = re.compile(
    r"(?<![0-9A-Za-z])(?:"
    rf"on +(?P<day>{VALUE})|at +(?P<time>{VALUE})|"
    rf"in +the +(?P<place>{VALUE})|led +by +(?P<host>{VALUE})|"
    rf"for +(?P<price>{VALUE})(?: +dollars(?![0-9A-Za-z]))?|"
    rf"bring +a +(?P<item>{VALUE})|"
    rf"(?:the|The) +(?P<event>{VALUE}(?: +{VALUE})?)|in +the(?![0-9A-Za-z]))")


def random_post(rng):
    truth = {f: rng.choice(VALUES[f]) for f in FACTS
             if f in ("event", "day") or rng.random() < .75}
    sentences = []
    for f in FACTS:
        if f in truth and f != "day":
            pattern = rng.choice(TELL[f])
            x = rng.choice(VALUES["day" if f == "event" else f])
            sentences.append(pattern.format(x=x, **truth))
    rng.shuffle(sentences)
    return truth, " ".join(sentences + ["Take care and have fun."])


def random_response(rng, truth):
    said = []
    for f in FACTS:
        for _ in range(rng.choice([0, 1, 1, 1, 1, 1, 2])):
            if f in truth and rng.random() < .6:
                said.append(PIECE[f].format(truth[f]))
            else:
                said.append(PIECE[f].format(rng.choice(
                    VALUES[f] + ["xyz", "in", "the", "the the"])))
    if rng.random() < .5:
        rng.shuffle(said)
    text = rng.choice([" Join", " There is", "", " on on"]) + "".join(said)
    if rng.random() < .3: # broken off or with a word lost
        words = text.split(" ")
        del words[rng.randrange(len(words))]
        text = " ".join(words)[:rng.randint(5, 300)]
    return text + rng.choice([".", "", " the", "  "])


def check(truth, response):
    first, again, spans = {}, {f: "" for f in FACTS}, []
    tally = dict.fromkeys(["right", "wrong", "missing", "invented",
                           "repeated"], 0)
    for m in MENTION.finditer(response):
        f = m.lastgroup
        if not f:
            continue
        value = m.group(f)
        verdict = ("repeated" if f in first else "invented" if f not in truth
                   else "right" if truth[f] == value else "wrong")
        tally[verdict] += 1
        if f in first:
            again[f] += f" It says {value} again."
        first.setdefault(f, value)
        spans.append({"text": m.group(0), "start": m.start(), "end": m.end(),
                      "score": 1.0 if verdict == "right" else -1.0})
    words = []
    for f in FACTS:
        if f in truth or f in first:
            told, said = truth.get(f, "unknown"), first.get(f)
            end = ("nothing" if said is None else
                   f"{said} anyway" if f not in truth else
                   f"{said} too" if said == told else f"{said} instead")
            words.append(f"The {f} is {told}, it says {end}.{again[f]}")
        tally["missing"] += f in truth and f not in first
    return {"critique": " ".join(words), "spans": spans, "tally": tally}


def facts_cases():
    rng = random.Random(20260202)
    cases = []
    for number in range(80):
        truth, post = random_post(rng)
        response = random_response(rng, truth)
        cases.append({"id": f"facts-{number}",
                      "prompt": f"POST: {post}\nTL;DR:", "response": response,
                      "expect": check(truth, response)})
    return cases


# --- files -------------------------------------------------------------------

def write(name, kind, cases):
    lines = ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases)
    (OUT / name).write_text(f'{{"kind": "{kind}", "cases": [\n{lines}\n]}}\n',
                            encoding="utf-8")


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    write("parse.json", "feedback_parse", reply_cases())
    write("align.json", "feedback_align", align_cases())
    write("words.json", "feedback_words", words_cases())
    write("difflib.json", "feedback_difflib", difflib_cases())
    write("facts.json", "feedback_facts", facts_cases())
