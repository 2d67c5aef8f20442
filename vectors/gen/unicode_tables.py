"""Writes ref/tokenizer/unicode_tables.c: the character classes that the split
patterns, Digits and single_word need.

    pip install 'unicodedata2>=16,<17'
    python vectors/gen/unicode_tables.py [--check CLASSES.json]

General categories are those of Unicode 16.0, which is what the regex engines of
Hugging Face tokenizers and tiktoken use. --check compares with a JSON file of
inclusive ranges measured on the reference.
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
           "DIGIT"]

WHITE_SPACE = {*range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0x1680,
               *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000}
# Alphabetic, but neither letter, mark nor number: the circled and squared
# Latin letters (Other_Alphabetic of category So).
ALPHABETIC_SYMBOLS = {*range(0x24B6, 0x24EA), *range(0x1F130, 0x1F14A),
                      *range(0x1F150, 0x1F16A), *range(0x1F170, 0x1F18A)}
JOIN_CONTROL = {0x200C, 0x200D}
# Digits asks Rust's char::is_numeric, which is at Unicode 17.0.
NUMBERS_OF_17 = {*range(0x11DE0, 0x11DEA), *range(0x16FF4, 0x16FF7)}


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


def write():
    blocks, index = {}, []
    for first in range(0, 0x110000, BLOCK):
        block = tuple(bits(code) for code in range(first, first + BLOCK))
        index.append(blocks.setdefault(block, len(blocks)))
    assert len(blocks) <= 256
    lines = [
        "/* Written by vectors/gen/unicode_tables.py; do not edit. Derived from",
        f" * the Unicode Character Database {unicodedata2.unidata_version},",
        " * (c) Unicode, Inc., https://www.unicode.org/license.txt */",
        '#include "unicode.h"',
        "",
        "const uint8_t t2g_unicode_block[0x110000 / T2G_UNICODE_BLOCK] = {",
        *rows(index, 3),
        "};",
        "",
        "const uint16_t t2g_unicode_classes[][T2G_UNICODE_BLOCK] = {",
    ]
    for block in blocks:
        lines += ["    {", *rows(block, 4), "    },"]
    lines += ["};", ""]
    OUTPUT.write_text("\n".join(lines))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", metavar="CLASSES.json")
    options = parser.parse_args()
    assert unicodedata2.unidata_version == "16.0.0"
    if options.check:
        check(options.check)
    write()
