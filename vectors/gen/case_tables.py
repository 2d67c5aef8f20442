"""Writes ref/tokenizer/chat_case_tables.c: how Python changes case.

    python3.11 vectors/gen/case_tables.py

All is asked of Python's str methods (3.11 knows Unicode 14.0), so the tables
are what upper(), lower() and title() do, the context of a final sigma included.
"""
import pathlib

OUT = pathlib.Path(__file__).parents[2] / "ref/tokenizer/chat_case_tables.c"
CODES = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def runs(pairs):
    """(code, delta) by rising code -> [first, last, step, delta]."""
    out = []
    for code, delta in pairs:
        if out and out[-1][3] == delta:
            first, last, step, _ = out[-1]
            gap = code - last
            if gap <= 2 and (first == last or gap == step):
                out[-1] = [first, code, gap, delta]
                continue
        out.append([code, code, 1, delta])
    return out


def mapping(changed):
    """{code: text} -> runs of single characters, specials."""
    single = [(c, ord(t) - c) for c, t in changed.items() if len(t) == 1]
    special = [(c, [ord(x) for x in t]) for c, t in changed.items()
               if len(t) > 1]
    return runs(single), special


def ranges(codes):
    out = []
    for c in codes:
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def wrapped(items):
    lines, line = [], "   "
    for item in items:
        if len(line) + len(item) + 2 > 80:
            lines.append(line)
            line = "   "
        line += " " + item + ","
    return "\n".join(lines + [line])


def table(kind, name, items):
    return (f"const {kind} {name}[] = {{\n{wrapped(items)}\n}};\n"
            f"const size_t {name}_count = {len(items)};\n")


def main():
    upper = {c: chr(c).upper() for c in CODES if chr(c).upper() != chr(c)}
    lower = {c: chr(c).lower() for c in CODES if chr(c).lower() != chr(c)}
    title = {c: chr(c).title() for c in CODES
             if chr(c).title() != chr(c).upper()}
    cased = [c for c in CODES if (chr(c) + "a").title()[-1] == "a"]
    ignored = [c for c in CODES
               if ("A" + chr(c) + "\u03a3").lower()[-1] == "\u03c2"
               and (chr(c) + "\u03a3").lower()[-1] != "\u03c2"]
    parts = ["/* How characters change case: Unicode 14.0, written by\n"
             " * vectors/gen/case_tables.py. */\n"
             '#include "chat_case.h"\n']
    for name, changed in ("upper", upper), ("lower", lower), ("title", title):
        single, special = mapping(changed)
        parts.append(table("t2g_case_run", f"t2g_case_{name}",
                           [f"{{{f:#x}, {l:#x}, {s}, {d}}}"
                            for f, l, s, d in single]))
        parts.append(table("t2g_case_special", f"t2g_special_{name}",
                           [f"{{{c:#x}, {{{', '.join(map(hex, t))}}}}}"
                            for c, t in special]))
    for name, codes in ("cased", cased), ("case_ignored", ignored):
        parts.append(table("t2g_code_range", f"t2g_{name}",
                           [f"{{{a:#x}, {b:#x}}}" for a, b in ranges(codes)]))
    OUT.write_text("\n".join(parts))


main()
