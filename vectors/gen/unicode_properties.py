"""Writes ref/tokenizer/unicode_properties.c: the code points of the properties
that \\p{...} of a regular expression may name, as ranges.

    pip install 'unicodedata2>=16,<17' 'fonttools==4.55.0'
    python vectors/gen/unicode_properties.py [--check CLASSES.json]

General categories and scripts are those of Unicode 16.0, the version of the
regex engines that Hugging Face tokenizers runs. Word and Space are what \\w and
\\s match there. --check compares with a JSON file of inclusive ranges measured
on the reference.
"""
import argparse
import json
import pathlib
import sys

import unicodedata2
from fontTools.unicodedata import script

from unicode_tables import ALPHABETIC_SYMBOLS, WHITE_SPACE, filled

OUTPUT = (pathlib.Path(__file__).parents[2]
          / "ref/tokenizer/unicode_properties.c")
SCRIPTS = {"Han": "Hani", "Hiragana": "Hira", "Katakana": "Kana",
           "Hangul": "Hang", "Latin": "Latn", "Cyrillic": "Cyrl",
           "Greek": "Grek", "Arabic": "Arab", "Hebrew": "Hebr",
           "Thai": "Thai", "Devanagari": "Deva"}
LATIN_1_DIGITS = {0xB2, 0xB3, 0xB9, 0xBC, 0xBD, 0xBE}  # Oniguruma's \w only


def is_word(code, category):
    return (category[0] in "LM" or category in ("Nd", "Nl", "Pc")
            or code in ALPHABETIC_SYMBOLS or code in LATIN_1_DIGITS)


def properties():
    """Name -> its code points in ascending order."""
    found = {name: [] for name in SCRIPTS}
    long_names = {short: name for name, short in SCRIPTS.items()}
    for code in range(0x110000):
        category = unicodedata2.category(chr(code))
        names = [category, category[0], long_names.get(script(chr(code)))]
        names += ["Word"] * is_word(code, category)
        names += ["Space"] * (code in WHITE_SPACE)
        for name in filter(None, names):
            found.setdefault(name, []).append(code)
    return dict(sorted(found.items()))


def ranges(codes):
    """The inclusive ranges of ascending code points."""
    runs = []
    for code in codes:
        if runs and runs[-1][1] == code - 1:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    return runs


def check(path, found):
    measured = json.loads(pathlib.Path(path).read_text())
    special = {"Word": "regex_w", "Space": "regex_s"}
    for name, runs in found.items():
        reference = measured.get(special.get(name, "regex_" + name))
        if reference is None:
            continue
        if runs != reference:
            sys.exit(f"{name}: differs")
        print(f"{name}: {len(runs)} ranges agree")


def write(found):
    lines = [
        "/* Written by vectors/gen/unicode_properties.py; do not edit. From",
        f" * the Unicode Character Database {unicodedata2.unidata_version},",
        " * (c) Unicode, Inc., https://www.unicode.org/license.txt */",
        "#include <string.h>",
        "",
        '#include "unicode_properties.h"',
        "",
        "static const t2g_unicode_range range[] = {",
    ]
    begin, entries = 0, []
    for name, runs in found.items():
        lines += [f"    /* {name} */",
                  *filled(f"{{{a:#x}, {b:#x}}}" for a, b in runs)]
        entries.append(f'{{"{name}", {begin}, {len(runs)}}}')
        begin += len(runs)
    lines += ["};", "",
              "static const struct property {",
              "    const char *name;",
              "    uint16_t begin, count;",
              "} property[] = {", *filled(entries), "};", "",
              "const t2g_unicode_range *t2g_unicode_property(const char *name,",
              "                                              size_t *count)",
              "{",
              "    for (size_t i = 0; i < sizeof property / sizeof *property; "
              "i++) {",
              "        *count = property[i].count;",
              "        if (strcmp(property[i].name, name) == 0)",
              "            return range + property[i].begin;",
              "    }",
              "    *count = 0;",
              "    return NULL;",
              "}"]
    OUTPUT.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", metavar="CLASSES.json")
    options = parser.parse_args()
    assert unicodedata2.unidata_version == "16.0.0"
    found = {name: ranges(codes) for name, codes in properties().items()}
    if options.check:
        check(options.check, found)
    write(found)
