"""Writes ref/tokenizer/unicode_tables.c: the character classes that the split
patterns, Digits and single_word need, and the data of normalization form C.

    pip install 'unicodedata2>=16,<17'
    python vectors/gen/unicode_tables.py [--check CLASSES.json]

General categories are those of Unicode 16.0, which is what the regex engines
of Hugging Face tokenizers and tiktoken use; normalization is at Unicode 9.0
there, which by the stability policy is today's data less the later code points.
--check compares with a JSON file of inclusive ranges measured on the reference.
"""
import argparse
import json
import pathlib
import sys

import unicodedata2

OUTPUT = pathlib.Path(__file__).parents[2] / "ref/tokenizer/unicode_tables.c"
BLOCK = 128  # code points a block

# The order is that of the enum in ref/tokenizer/unicode.h.
CLASSES = ["LU", "LL", "LT", "LM", "LO", "M", "N", "P", "S", "SPACE", "WORD",
           "DIGIT", "NFC"]

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
INERT = {code for part in AFTER_9.split()
         for code in range(int(part.split("-")[0], 16),
                           int(part.split("-")[-1], 16) + 1)}
HANGUL = range(0xAC00, 0xD7A4)  # composed by arithmetic
JAMO = {*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)}


def combining(code):
    return 0 if code in INERT else unicodedata2.combining(chr(code))


def decompositions():
    """Code point -> its canonical decomposition of one or two code points."""
    found = {}
    for code in range(0x110000):
        text = unicodedata2.decomposition(chr(code))
        if text and text[0] != "<" and code not in INERT:
            found[code] = tuple(int(part, 16) for part in text.split())
    return found


DECOMPOSITION = decompositions()
COMPOSITION = {pair: code for code, pair in DECOMPOSITION.items()
               if len(pair) == 2 and unicodedata2.normalize(
                   "NFC", "".join(map(chr, pair))) == chr(code)}
# Code points that form C may change, or that may change their neighbours.
TOUCHED = ({second for _, second in COMPOSITION} | JAMO |
           {code for code in DECOMPOSITION
            if DECOMPOSITION[code] not in COMPOSITION} |
           {code for code in range(0x110000) if combining(code)})


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
    if code in TOUCHED:
        found.add("NFC")
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
            "char_is_numeric": {"DIGIT"}, "char_is_whitespace": {"SPACE"}}
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


def rows(values, width):
    """Lines of at most 80 columns, numbers padded to `width`."""
    per_row = (79 - 4) // (width + 2)
    for i in range(0, len(values), per_row):
        yield "    " + ", ".join(f"{v:{width}}" for v in
                                 values[i:i + per_row]) + ","


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


def tuples(items, widths):
    """Lines of braced tuples, hexadecimal."""
    texts = ["{" + ", ".join(f"0x{v:0{w}x}" for v, w in zip(item, widths)) + "}"
             for item in items]
    per_row = (79 - 4) // (len(texts[0]) + 2)
    for i in range(0, len(texts), per_row):
        yield "    " + ", ".join(texts[i:i + per_row]) + ","


def normalization():
    """The tables of form C, sorted for binary search."""
    decomposition = [(code, *(pair + (0,))[:2])
                     for code, pair in sorted(DECOMPOSITION.items())]
    composition = [(*pair, code) for pair, code in sorted(COMPOSITION.items())]
    for name, kind, items, widths in [
            ("combining", "const t2g_combining_range",
             combining_ranges(), (5, 5, 2)),
            ("decomposition", "t2g_mapping", decomposition,
             (5, 5, 5)),
            ("composition", "t2g_mapping", composition,
             (5, 5, 5))]:
        yield from [f"const size_t t2g_{name}_count = {len(items)};",
                    f"{kind} t2g_{name}[] = {{",
                    *tuples(items, widths), "};", ""]


def write():
    blocks, index = {}, []
    for first in range(0, 0x110000, BLOCK):
        block = tuple(bits(code) for code in range(first, first + BLOCK))
        index.append(blocks.setdefault(block, len(blocks)))
    lines = [
        "/* Written by vectors/gen/unicode_tables.py; do not edit. From",
        f" * the Unicode Character Database {unicodedata2.unidata_version},",
        " * (c) Unicode, Inc., https://www.unicode.org/license.txt */",
        '#include "unicode.h"',
        "",
        "const uint16_t t2g_unicode_block[0x110000 / T2G_UNICODE_BLOCK] = {",
        *rows(index, 3),
        "};",
        "",
        "const uint16_t t2g_unicode_classes[][T2G_UNICODE_BLOCK] = {",
    ]
    for block in blocks:
        lines += ["    {", *rows(block, 4), "    },"]
    lines += ["};", "", *normalization()]
    OUTPUT.write_text("\n".join(lines))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", metavar="CLASSES.json")
    options = parser.parse_args()
    assert unicodedata2.unidata_version == "16.0.0"
    if options.check:
        check(options.check)
    write()
