"""Writes ref/metrics/lower_tables.c: lower case of Unicode as Python's
str.lower has it - the single characters, and the two classes that decide
between the two forms of sigma.

    python3 vectors/gen/lower_tables.py

The classes are asked of str.lower itself, which looks at the characters around
a capital sigma: cased ones, past those that are ignored.
"""
import pathlib
import unicodedata

OUTPUT = pathlib.Path(__file__).parents[2] / "ref/metrics/lower_tables.c"
CODES = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
SIGMA, FINAL, DOTTED = "\u03a3", "\u03c2", 0x130


def mappings():
    """Runs of (first, last, step, what to add)."""
    runs = []
    for code in CODES:
        low = chr(code).lower()
        if low == chr(code) or code == DOTTED:
            continue
        assert len(low) == 1
        add = ord(low) - code
        run = runs[-1] if runs else None
        if run and run[3] == add and code - run[1] in (1, 2) and \
                (run[0] == run[1] or run[2] == code - run[1]):
            run[1], run[2] = code, code - run[1]
        else:
            runs.append([code, code, 1, add])
    return runs


def ranges(codes):
    out = []
    for code in codes:
        if out and out[-1][1] == code - 1:
            out[-1][1] = code
        else:
            out.append([code, code])
    return out


def ignored(code):
    """Passed over when looking for a cased neighbour."""
    return not cased(code) and \
        ("A" + chr(code) + SIGMA).lower().endswith(FINAL)


def cased(code):
    return ("1" + chr(code) + SIGMA).lower().endswith(FINAL)


def rows(items):
    line = "   "
    for item in items:
        text = " {" + ", ".join(f"{v:#x}" if v > 9 else str(v)
                                for v in item) + "},"
        if len(line) + len(text) > 80:
            yield line
            line = "   "
        line += text
    yield line


def table(kind, name, items):
    return [f"const size_t t2g_{name}_count = {len(items)};",
            f"const {kind} t2g_{name}[] = {{", *rows(items), "};", ""]


lines = [
    "/* Written by vectors/gen/lower_tables.py; do not edit. From",
    f" * the Unicode Character Database {unicodedata.unidata_version},",
    " * (c) Unicode, Inc., https://www.unicode.org/license.txt */",
    '#include "lower.h"', "",
    *table("t2g_lower_run", "lower_runs", mappings()),
    *table("t2g_code_range", "cased", ranges(c for c in CODES if cased(c))),
    *table("t2g_code_range", "ignored", ranges(c for c in CODES
                                               if ignored(c)))]
OUTPUT.write_text("\n".join(lines[:-1]) + "\n")
