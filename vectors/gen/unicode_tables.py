"""Writes ref/tokenizer/unicode_tables.c: the character classes that splitting,
normalizing and single_word need, lower case, and the data of the four
normalization forms.

    pip install 'unicodedata2>=16,<17'
    python vectors/gen/unicode_tables.py [--check CLASSES.json]

General categories are those of Unicode 16.0, which is what the regex engines
of Hugging Face tokenizers and tiktoken use. Other parts of the former are older
or newer: normalization forms and StripAccents at 9.0, Punctuation and
BertNormalizer at 8.0, Digits and Lowercase at 17.0. By the stability policy
older normalization is today's data less the later code points; of the rest the
differences are listed here. --check compares with a JSON file of inclusive
ranges measured on the reference.
"""
import argparse
import json
import pathlib
import sys

import unicodedata2

OUTPUT = pathlib.Path(__file__).parents[2] / "ref/tokenizer/unicode_tables.c"
BLOCK = 256  # code points a block

# The order is that of the enum in ref/tokenizer/unicode.h.
CLASSES = ["LU", "LL", "LT", "LM", "LO", "M", "N", "P", "S", "SPACE", "WORD",
           "DIGIT", "NFC", "NFD", "NFKC", "NFKD", "UPPER", "PUNCTUATION",
           "ACCENT", "BERT_ACCENT", "BERT_CONTROL"]

WHITE_SPACE = {*range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0x1680,
               *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000}
# Alphabetic, but neither letter, mark nor number: the circled and squared
# Latin letters (Other_Alphabetic of category So).
ALPHABETIC_SYMBOLS = {*range(0x24B6, 0x24EA), *range(0x1F130, 0x1F14A),
                      *range(0x1F150, 0x1F16A), *range(0x1F170, 0x1F18A)}
JOIN_CONTROL = {0x200C, 0x200D}
# Digits asks Rust's char::is_numeric, which is at Unicode 17.0.
NUMBERS_OF_17 = {*range(0x11DE0, 0x11DEA), *range(0x16FF4, 0x16FF7)}

# Assigned after Unicode 9.0, with a combining class or a decomposition.
AFTER_9 = """
7FD 897-89F 8CA-8D3 9FE C3C D3B-D3C EBA 1715 1ABF-1ADD 1AE0-1AEB 1DF6-1DFA
32FF A7F1-A7F4 A82C AB69 105C9 105E4 10781-10785 10787-107B0 107B2-107BA
10D24-10D27 10D69-10D6D 10EAB-10EAC 10EFA-10EFB 10EFD-10EFF 10F46-10F50
10F82-10F85 11070 1133B 11383 11385 1138E 11391 113C5 113C7-113C8
113CE-113D0 1145E 11839-1183A 11938 1193D-1193E 11943 119E0 11A34 11A47
11A99 11D42 11D44-11D45 11D97 11F41-11F42 16121-16128 1612F 16D68-16D6A
16FF0-16FF1 1CCD6-1CCF9 1E030-1E06D 1E08F 1E130-1E136 1E2AE 1E2EC-1E2EF
1E4EC-1E4EF 1E5EE-1E5EF 1E6E3 1E6E6 1E6EE-1E6EF 1E6F5 1F16C 1FBF0-1FBF9"""
# Marks of Unicode 16.0 that Unicode 9.0 lacks; two that were marks then.
MARKS_AFTER_9 = """
7FD 897-89F 8CA-8D3 9FE AFA-AFF B55 C04 C3C CF3 D00 D3B-D3C D81 EBA ECE 1715
180F 1ABF-1ACE 1CF7 1DF6-1DFA A82C A8FF 10D24-10D27 10D69-10D6D 10EAB-10EAC
10EFC-10EFF 10F46-10F50 10F82-10F85 11070 11073-11074 110C2 11145-11146 111C9
111CE-111CF 11241 1133B 113B8-113C0 113C2 113C5 113C7-113CA 113CC-113D0 113D2
113E1-113E2 1145E 1182C-1183A 11930-11935 11937-11938 1193B-1193E 11940
11942-11943 119D1-119D7 119DA-119E0 119E4 11A01-11A0A 11A33-11A39 11A3B-11A3E
11A47 11A51-11A5B 11A8A-11A99 11D31-11D36 11D3A 11D3C-11D3D 11D3F-11D45 11D47
11D8A-11D8E 11D90-11D91 11D93-11D97 11EF3-11EF6 11F00-11F01 11F03 11F34-11F3A
11F3E-11F42 11F5A 13440 13447-13455 1611E-1612F 16F4F 16F7F-16F87 16FE4
16FF0-16FF1 1CF00-1CF2D 1CF30-1CF46 1E08F 1E130-1E136 1E2AE 1E2EC-1E2EF
1E4EC-1E4EF 1E5EE-1E5EF"""
MARKS_OF_9_ONLY = "1CF2-1CF3"
# Nonspacing marks of 9.0 that 8.0 lacks; two that were nonspacing then.
NONSPACING_OF_9 = """
8D4-8E1 1885-1886 1DFB A8C5 A9BD 1123E 11438-1143F 11442-11444 11446
11C30-11C36 11C38-11C3D 11C3F 11C92-11CA7 11CAA-11CB0 11CB2-11CB3 11CB5-11CB6
1E000-1E006 1E008-1E018 1E01B-1E021 1E023-1E024 1E026-1E02A 1E944-1E94A"""
NONSPACING_OF_8_ONLY = "1734 1171E"
# Punctuation after 8.0, and what was punctuation then.
PUNCTUATION_AFTER_8 = """
61D 9FD A76 C77 C84 1B4E-1B4F 1B7D-1B7F 2E43-2E4F 2E52-2E5D 10D6E 10EAD
10F55-10F59 10F86-10F89 113D4-113D5 113D7-113D8 1144B-1144F 1145A-1145B 1145D
11660-1166C 116B9 1183B 11944-11946 119E2 11A3F-11A46 11A9A-11A9C 11A9E-11AA2
11B00-11B09 11BE1 11C41-11C45 11C70-11C71 11EF7-11EF8 11F43-11F4F 11FFF
12FF1-12FF2 16D6D-16D6F 16E97-16E9A 16FE2 1E5FF 1E95E-1E95F"""
PUNCTUATION_OF_8_ONLY = "166D 111C9"
ASCII_SYMBOLS = set(map(ord, "$+<=>^`|~"))
# Controls, formats and private use after 8.0, and those that are whitespace.
CONTROLS_AFTER_8 = "9-A D 890-891 8E2 110CD 13430-1343F"


def parsed(text):
    """The code points of inclusive hexadecimal ranges."""
    return {code for part in text.split()
            for code in range(int(part.split("-")[0], 16),
                              int(part.split("-")[-1], 16) + 1)}


INERT = parsed(AFTER_9)
MARKS_AFTER_9 = parsed(MARKS_AFTER_9)
MARKS_OF_9_ONLY = parsed(MARKS_OF_9_ONLY)
NONSPACING_AFTER_8 = MARKS_AFTER_9 | parsed(NONSPACING_OF_9)
NONSPACING_OF_8_ONLY = parsed(NONSPACING_OF_8_ONLY)
PUNCTUATION_AFTER_8 = parsed(PUNCTUATION_AFTER_8)
PUNCTUATION_OF_8_ONLY = parsed(PUNCTUATION_OF_8_ONLY)
CONTROLS_AFTER_8 = parsed(CONTROLS_AFTER_8)
# Lower case that came with Unicode 16.0 and 17.0: range, distance.
LOWER_AFTER_15 = [(0x1C89, 0x1C89, 1), (0xA7CB, 0xA7CB, 0x264 - 0xA7CB),
                  (0xA7CC, 0xA7CC, 1), (0xA7CE, 0xA7CE, 1),
                  (0xA7D2, 0xA7D2, 1), (0xA7D4, 0xA7D4, 1),
                  (0xA7DA, 0xA7DA, 1), (0xA7DC, 0xA7DC, 0x19B - 0xA7DC),
                  (0x10D50, 0x10D65, 0x20), (0x16EA0, 0x16EB8, 0x1B)]
HANGUL = range(0xAC00, 0xD7A4)  # composed by arithmetic
JAMO = {*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)}


def combining(code):
    return 0 if code in INERT else unicodedata2.combining(chr(code))


def decompositions(compatibility):
    """Code point -> its decomposition, one level of it."""
    found = {}
    for code in range(0x110000):
        text = unicodedata2.decomposition(chr(code))
        parts = text.split()
        if not parts or code in INERT:
            continue
        if text[0] != "<":
            found[code] = tuple(int(part, 16) for part in parts)
        elif compatibility:
            found[code] = tuple(int(part, 16) for part in parts[1:])
    return found


def full(levels):
    """The same to the last level."""
    def expand(code):
        if code not in levels:
            return (code,)
        return tuple(c for part in levels[code] for c in expand(part))
    return {code: expand(code) for code in levels}


LEVELS = decompositions(compatibility=False)
CANONICAL = full(LEVELS)
COMPATIBILITY = {code: parts for code, parts
                 in full(decompositions(compatibility=True)).items()
                 if parts != CANONICAL.get(code)}
COMPOSITION = {pair: code for code, pair in LEVELS.items()
               if len(pair) == 2 and unicodedata2.normalize(
                   "NFC", "".join(map(chr, pair))) == chr(code)}
# Code points that a form may change, or that may change their neighbours.
MARKED = {code for code in range(0x110000) if combining(code)}
TOUCHED_D = MARKED | set(CANONICAL) | set(HANGUL)
TOUCHED_C = (MARKED | {second for _, second in COMPOSITION} | JAMO |
             {code for code in LEVELS if LEVELS[code] not in COMPOSITION})
TOUCHED = {"NFC": TOUCHED_C, "NFKC": TOUCHED_C | set(COMPATIBILITY),
           "NFD": TOUCHED_D, "NFKD": TOUCHED_D | set(COMPATIBILITY)}
# No other one can join what comes before it: forms work from one to the next.
assert not any(parts[0] in TOUCHED_C for code, parts in CANONICAL.items()
               if code not in TOUCHED_C)


def lower_case():
    """Code point -> its lower case; of U+0130 the first character."""
    found = {}
    for code in range(0x110000):
        if chr(code).lower() != chr(code):
            found[code] = ord(chr(code).lower()[0])
    for first, last, distance in LOWER_AFTER_15:
        found.update({c: c + distance for c in range(first, last + 1)})
    assert len(found) == 1488
    return found


LOWER = lower_case()


def classes(code):
    category = unicodedata2.category(chr(code))
    if category == "Cs":
        return set()
    found = {"L": {category.upper()}, "M": {"M"}, "N": {"N"}, "P": {"P"},
             "S": {"S"}}.get(category[0], set()).copy()
    if code in WHITE_SPACE:
        found.add("SPACE")
    if (category[0] in "LM" or category in ("Nl", "Nd", "Pc")
            or code in ALPHABETIC_SYMBOLS or code in JOIN_CONTROL):
        found.add("WORD")
    if category[0] == "N" or code in NUMBERS_OF_17:
        found.add("DIGIT")
    found |= {form for form, codes in TOUCHED.items() if code in codes}
    if code in LOWER:
        found.add("UPPER")
    return found | old_classes(code, category)


def old_classes(code, category):
    """Those of older versions."""
    found = set()
    if (category[0] == "P" and code not in PUNCTUATION_AFTER_8
            or code in ASCII_SYMBOLS or code in PUNCTUATION_OF_8_ONLY):
        found.add("PUNCTUATION")
    if (category[0] == "M" and code not in MARKS_AFTER_9
            or code in MARKS_OF_9_ONLY):
        found.add("ACCENT")
    if (category == "Mn" and code not in NONSPACING_AFTER_8
            or code in NONSPACING_OF_8_ONLY):
        found.add("BERT_ACCENT")
    if (category in ("Cc", "Cf", "Co") and code not in CONTROLS_AFTER_8
            or code == 0xFFFD):
        found.add("BERT_CONTROL")
    return found


def bits(code):
    return sum(1 << CLASSES.index(c) for c in classes(code))


def check(path):
    """Ranges of the reference against ours, class by class."""
    measured = json.loads(pathlib.Path(path).read_text())
    latin_digits = {0xB2, 0xB3, 0xB9, 0xBC, 0xBD, 0xBE}  # Oniguruma's \w only
    letters = {"LU", "LL", "LT", "LM", "LO"}
    want = {"regex_L": letters, "regex_Lu": {"LU"}, "regex_Ll": {"LL"},
            "regex_Lt": {"LT"}, "regex_Lm": {"LM"}, "regex_Lo": {"LO"},
            "regex_M": {"M"}, "regex_N": {"N"}, "regex_P": {"P"},
            "regex_S": {"S"}, "regex_s": {"SPACE"}, "regex_w": {"WORD"},
            "char_is_numeric": {"DIGIT"}, "char_is_whitespace": {"SPACE"},
            "punctuation": {"PUNCTUATION"}}
    assert INERT == {code for low, high in measured["normalization_inert"]
                     for code in range(low, high + 1)}
    ours = [classes(code) for code in range(0x110000)]
    for name, wanted in want.items():
        reference = {code for low, high in measured[name]
                     for code in range(low, high + 1)}
        if name == "regex_w":
            reference = reference - latin_digits | JOIN_CONTROL
        got = {code for code in range(0x110000) if ours[code] & wanted}
        if got != reference:
            sys.exit(f"{name}: differs at "
                     f"{[hex(c) for c in sorted(got ^ reference)[:10]]}")
        print(f"{name}: {len(got)} code points agree")


def filled(items):
    """Lines of at most 80 columns."""
    line = "   "
    for item in items:
        if len(line) + len(item) + 2 > 80:
            yield line
            line = "   "
        line += f" {item},"
    yield line


def braced(item):
    """Code points in hexadecimal, small numbers in decimal."""
    return "{" + ", ".join(f"{v:#x}" if v > 99 else f"{v}" for v in item) + "}"


def combining_ranges():
    """(first, last, combining class) of each run of code points."""
    runs = []
    for code in range(0x110000):
        if not combining(code):
            continue
        if runs and runs[-1][1] == code - 1 and runs[-1][2] == combining(code):
            runs[-1][1] = code
        else:
            runs.append([code, code, combining(code)])
    return runs


def lower_runs():
    """(first, last, distance) of neighbours that move alike; from one to the
    next is always the same step."""
    runs = []
    for code, to in sorted(LOWER.items()):
        move = (code, code, to - code, 0)
        if runs:
            first, last, distance, step = runs[-1]
            gap = code - last
            if distance == to - code and gap in ((1, 2) if step == 0
                                                 else (step,)):
                runs.pop()
                move = (first, code, distance, gap)
        runs.append(move)
    return [run[:3] for run in runs]


def decomposition_runs(decomposition, pool):
    """(first, count, length, at): consecutive code points with decompositions
    of one length, which follow each other in the pool."""
    runs = []
    for code, parts in sorted(decomposition.items()):
        if (runs and runs[-1][0] + runs[-1][1] == code
                and runs[-1][2] == len(parts)):
            runs[-1][1] += 1
        else:
            runs.append([code, 1, len(parts), len(pool)])
        pool += parts
    return runs


def table(name, kind, items):
    yield from [f"const size_t t2g_{name}_count = {len(items)};",
                f"const {kind} t2g_{name}[] = {{", *filled(items), "};", ""]


def normalization():
    """The tables of the forms and of lower case, for binary search."""
    pool = []
    canonical = decomposition_runs(CANONICAL, pool)
    compatibility = decomposition_runs(COMPATIBILITY, pool)
    composition = [(*pair, code) for pair, code in sorted(COMPOSITION.items())]
    for name, kind, items in [
            ("combining", "t2g_combining_range", combining_ranges()),
            ("canonical", "t2g_decomposition_run", canonical),
            ("compatibility", "t2g_decomposition_run", compatibility),
            ("composition", "t2g_composite", composition),
            ("lower", "t2g_lower_run", lower_runs())]:
        yield from table(name, kind, [braced(item) for item in items])
    yield from ["const uint32_t t2g_decomposed[] = {",
                *filled(f"{code:#x}" for code in pool), "};"]


def write():
    kinds, blocks, index = {}, {}, []
    for first in range(0, 0x110000, BLOCK):
        block = tuple(kinds.setdefault(bits(code), len(kinds))
                      for code in range(first, first + BLOCK))
        index.append(blocks.setdefault(block, len(blocks)))
    assert len(kinds) <= 256 and len(blocks) <= 256
    lines = [
        "/* Written by vectors/gen/unicode_tables.py; do not edit. From",
        f" * the Unicode Character Database {unicodedata2.unidata_version},",
        " * (c) Unicode, Inc., https://www.unicode.org/license.txt */",
        '#include "unicode.h"',
        "",
        "const uint8_t t2g_unicode_block[0x110000 / T2G_UNICODE_BLOCK] = {",
        *filled(map(str, index)),
        "};",
        "",
        "const uint8_t t2g_unicode_kind[][T2G_UNICODE_BLOCK] = {",
    ]
    for block in blocks:
        lines += ["    {", *filled(map(str, block)), "    },"]
    lines += ["};", "", "const uint32_t t2g_unicode_classes[] = {",
              *filled(f"{kind:#x}" for kind in kinds), "};", "",
              "const uint32_t t2g_ascii_classes[128] = {",
              *filled(f"{bits(code):#x}" for code in range(128)), "};", "",
              *normalization()]
    OUTPUT.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", metavar="CLASSES.json")
    options = parser.parse_args()
    assert unicodedata2.unidata_version == "16.0.0"
    if options.check:
        check(options.check)
    write()
