"""Writes ref/feedback/folding_tables.c: what each character folds to when a
quote is searched (compatibility decomposition, then full case folding), and the
decimal digits.

    python vectors/gen/folding_tables.py

The data is that of the interpreter's own Unicode tables. Hangul syllables,
which decompose by arithmetic, are left out.
"""
import pathlib
import sys
import unicodedata

OUTPUT = pathlib.Path(__file__).parents[2] / "ref/feedback/folding_tables.c"
HANGUL = range(0xAC00, 0xD7A4)
SURROGATES = range(0xD800, 0xE000)
CODES = [c for c in range(0x110000) if c not in SURROGATES]


def folded(code):
    return unicodedata.normalize("NFKD", chr(code)).casefold()


def sequences():
    """[(code, index in pool, count)], pool: sequences are shared."""
    pool, entries, seen = [], [], {}
    for code in CODES:
        text = folded(code)
        if code in HANGUL or text == chr(code):
            continue
        key = tuple(map(ord, text))
        if key not in seen:
            seen[key] = len(pool)
            pool += key
        entries.append((code, seen[key], len(key)))
    return entries, pool


def zeros():
    """First of each run of ten decimal digits."""
    return [c for c in CODES if unicodedata.decimal(chr(c), None) == 0]


def wrap(items):
    line, lines = "   ", []
    for item in items:
        if len(line) + len(item) + 2 > 80:
            lines.append(line)
            line = "   "
        line += " " + item + ","
    return "\n".join(lines + [line])


def main():
    entries, pool = sequences()
    zero = zeros()
    OUTPUT.write_text(f"""\
/* Written by vectors/gen/folding_tables.py from Unicode \
{unicodedata.unidata_version}. */
#include "folding_tables.h"

const uint16_t t2g_folding_count = {len(entries)};
const t2g_folding_entry t2g_folding[] = {{
{wrap(f"{{0x{c:x}, {at}, {n}}}" for c, at, n in entries)}
}};

const uint32_t t2g_folding_pool[] = {{
{wrap(f"0x{c:x}" for c in pool)}
}};

const uint16_t t2g_zero_count = {len(zero)};
const uint32_t t2g_zero[] = {{
{wrap(f"0x{c:x}" for c in zero)}
}};
""")
    print(f"{OUTPUT.name}: {len(entries)} folded, {len(zero)} zeros", file=sys.stderr)


if __name__ == "__main__":
    main()
