"""Records for annotate_code.sh, and what must come of them.

    annotate_code.py records GROUP          writes the records of a group
    annotate_code.py check GROUP FILE       compares their annotation
"""
import json
import re
import sys

PROMPT = '''from typing import List


def add_all(numbers: List[int], start: int = 0) -> int:
    """ The sum of numbers, beginning with start.
    >>> add_all([1, 2])
    3
    """
'''
TEST = '''
METADATA = {}


def check(candidate):
    assert candidate([]) == 0
    assert candidate([1, 2]) == 3
    assert candidate([1, 2], 5) == 8, "with a start"
'''
KODCODE = '''from solution import add_all

def test_empty():
    assert add_all([]) == 0

def test_two():
    result = add_all([1, 2])
    assert result == 3
'''
BODY = "    return start + sum(numbers)\n"
FULL = "def add_all(numbers, start=0):\n" + BODY

# name: response, outcome, pattern in the critique, the poor line or None, and
# what differs in the record
PLAIN = {
    "completion": (BODY, "passed", "^All 3 assertions of the tests pass.$",
                   None),
    "whole": (FULL, "passed", "^All 3 assert", None),
    "fenced": ("Sure, here it is:\n\n```python\n" + FULL + "```\nHope it helps",
               "passed", "^All 3 assert", None),
    "open fence": ("```\n" + FULL, "passed", "^All 3 assert", None),
    "two fences": ("```py\nfrom functools import reduce\n```\nthen\n```py\n"
                   "def add_all(numbers, start=0):\n"
                   "    return reduce(lambda a, b: a - b, numbers, start)\n"
                   "```", "assertion", "-3, expected 3",
                   "return reduce(lambda a, b: a - b, numbers, start)"),
    "wrong": ("    total = start\n    for n in numbers:\n        total = n\n"
              "    return total\n", "assertion",
              r"`candidate\(\[1, 2\]\) == 3` of the tests fails, after 1 that "
              "holds. The value is 2, expected 3. It was returned by",
              "return total"),
    "message": ("    return sum(numbers)\n", "assertion",
                "fails, after 2 that hold: with a start. The value is 3, "
                "expected 8", "return sum(numbers)"),
    "branch": ("    if start:\n        return 1\n    return sum(numbers)\n",
               "assertion", "The value is 1, expected 8", "return 1"),
    "no return": ("    total = start\n    total += sum(numbers)\n", "assertion",
                  "The value is None, expected 0", "total += sum(numbers)"),
    "raises": ("    total = start\n    total += numbers[0]  # \u00e9\n"
               "    return total\n", "exception",
               "raises IndexError: list index out of range",
               "total += numbers[0]  # \u00e9"),
    "helper": ("    return helper(numbers) + start\n\n\ndef helper(n):\n"
               "    return len(n) / 0\n", "exception", "ZeroDivisionError",
               "return len(n) / 0"),
    "import": ("    import no_such_module_here\n    return 0\n", "exception",
               "ModuleNotFoundError", "import no_such_module_here"),
    "own assertion": ("    assert numbers, 'none'\n    return 0\n",
                      "exception", "AssertionError: none",
                      "assert numbers, 'none'"),
    "syntax": ("    total = = 3\n    return total\n", "syntax",
               "cannot be compiled: SyntaxError", "total = = 3"),
    "indentation": ("    a = 1\n  b = 2\n", "syntax", "IndentationError",
                    "b = 2"),
    "missing": ("def add_some(n):\n    return 0\n", "missing",
                "does not define `add_all`", None, {"prompt": "Add numbers."}),
    "signature": ("def add_all(numbers):\n    return sum(numbers)\n",
                  "test_exception", "TypeError: add_all\\(\\) takes 1",
                  "def add_all(numbers):"),
    "recursion": ("    return add_all(numbers, start)\n", "exception",
                  "RecursionError", "return add_all(numbers, start)"),
    "memory": ("    x = [0]\n    for _ in range(40):\n        x = x + x\n",
               "memory", "more memory than it may have", "x = x + x"),
    "loop": ("    while True:\n        start += 1\n", "timeout",
             "did not end within 2 seconds", re.compile("while True:|start")),
    "sleep": ("    import time\n    time.sleep(1000)\n", "timeout", "did not",
              "time.sleep(1000)"),
    "kodcode": (FULL, "passed", "^All 2 assertions", None, {"test": KODCODE}),
    "kodcode wrong": ("def add_all(numbers):\n    return 0\n", "assertion",
                      "`result == 3`.*The value is 0, expected 3", "return 0",
                      {"test": KODCODE}),
    "module level": (FULL, "passed", "^The only assertion", None,
                     {"test": "assert add_all([4]) == 4"}),
    "unittest": ("    return 7\n", "assertion", "A test fails: 7 != 0",
                 "return 7", {"test": "import unittest\n\n"
                              "class TestIt(unittest.TestCase):\n"
                              "    def test_it(self):\n"
                              "        self.assertEqual(add_all([]), 0)\n"}),
    "asyncio": ("    import asyncio\n    async def f():\n"
                "        return start + sum(numbers)\n"
                "    return asyncio.run(f())\n", "passed", "All 3", None),
    "threads": ("    import threading\n    out = []\n"
                "    t = threading.Thread(target=lambda: out.append(\n"
                "        start + sum(numbers)))\n    t.start()\n    t.join()\n"
                "    return out[0]\n", "passed", "All 3", None),
    "two calls": ("    return len(numbers)\n", "assertion", "3, expected 4",
                  "return len(numbers)",
                  {"test": "assert add_all([1, 2]) + add_all([1]) == 4"}),
    "either line": ("    if len(numbers) == 1:\n        return 1\n"
                    "    return 2\n", "assertion", "3, expected 4", None,
                    {"test": "assert add_all([1, 2]) + add_all([1]) == 4"}),
}

# They misbehave: none may pass, hurt the machine or leave anything behind.
HOSTILE = {
    "os._exit": ("    import os\n    os._exit(0)\n", "ended",
                 "status 0 before the tests were through, which is no pass",
                 None),
    "sys.exit": ("    import sys\n    sys.exit(0)\n", "exit", "SystemExit",
                 "sys.exit(0)"),
    "exit at once": ("import os\nos._exit(0)\n" + FULL, "ended", "status 0",
                     None),
    "crash": ("    import ctypes\n    ctypes.string_at(0)\n", "ended",
              "signal 11", None),
    "closes all": ("    import os\n    os.closerange(0, 1000)\n    return 9\n",
                   "ended", "before the tests", None),
    "forged report": ("    import os, json\n    os.write(3, b'0' * 32 + "
                      "json.dumps({'outcome': 'passed', 'passed': 3})"
                      ".encode())\n    os._exit(0)\n", "ended", "status 0",
                      None),
    "assertion": ("    import builtins\n    builtins.AssertionError = int\n"
                  "    return 9\n", "assertion", "9, expected 0", "return 9"),
    "patches": ("    import json, os, sys, ast\n    json.dumps = os.write = "
                "ast.unparse = None\n    sys.settrace(None)\n    return 9\n",
                "assertion", "9, expected 0", None),
    "every exception": ("    while True:\n        try:\n"
                        "            while True:\n                start += 1\n"
                        "        except BaseException:\n            pass\n",
                        "timeout", "did not end", re.compile(".")),
    "no alarm": ("    import signal\n    signal.setitimer(signal.ITIMER_REAL, "
                 "0)\n    while True:\n        pass\n", "timeout",
                 "did not end within 2 seconds", None),
    "loud": ("    import sys\n    for _ in range(1024):\n"
             "        sys.stdout.write('x' * (1 << 20))\n"
             "    return 9\n", "assertion|timeout", "9, expected 0|did not",
             re.compile(".")),
    "fork bomb": ("    import os\n    n = 0\n    try:\n"
                  "        while n < 5000:\n"
                  "            if os.fork() == 0:\n"
                  "                while True:\n                    pass\n"
                  "            n += 1\n    except OSError:\n"
                  "        raise ValueError('%d forks' % (n < 40))\n",
                  "exception", "ValueError: 1 forks",
                  "raise ValueError('%d forks' % (n < 40))"),
    "orphan": ("    import os, time\n    try:\n        pid = os.fork()\n"
               "    except OSError:\n        return 9\n"
               "    if pid == 0:\n        os.setsid()\n        if os.fork():\n"
               "            os._exit(0)\n        time.sleep(987.25)\n"
               "    return 9\n", "assertion", "9, expected 0", "return 9"),
    "big file": ("    f = open('big', 'wb')\n    for _ in range(1 << 12):\n"
                 "        f.write(b'x' * (1 << 20))\n", "exception",
                 "OSError.*(large|space)", "f.write(b'x' * (1 << 20))"),
    "files": ("    f = [open('job', 'w') for _ in range(1000)]\n", "exception",
              "Too many open files",
              "f = [open('job', 'w') for _ in range(1000)]"),
    "environment": ("    import os\n    return sorted(os.environ)\n",
                    "assertion", r"\['HOME', 'LANG', 'PATH', 'TMPDIR'",
                    "return sorted(os.environ)"),
    "stdin": ("    return input()\n", "exception", "EOFError",
              "return input()"),
}
FILES = {
    "writes": ("    import os, tempfile\n    open('own', 'w').write('x')\n"
               "    os.makedirs('a/b')\n    os.chmod('a', 0)\n"
               "    open('WORK/written', 'w')\n    return 9\n", "exception",
               "OSError|PermissionError", "open('WORK/written', 'w')"),
}
REACHING_OUT = {
    "socket": ("    import socket\n    s = socket.socket()\n"
               "    s.connect(('127.0.0.1', PORT))\n", "exception",
               "PermissionError|unreachable|refused",
               re.compile("socket.socket|connect")),
    "mount": ("    import ctypes\n    c = ctypes.CDLL(None, use_errno=True)\n"
              "    return [c.mount(b'a', b'/', b'tmpfs', 0, 0), "
              "c.unshare(0x10000000), c.ptrace(0, 0, 0, 0)]\n", "assertion",
              r"\[-1, -1, -1\]", re.compile("return")),
}
BROKEN_TESTS = {
    "needs": (BODY, "", "ModuleNotFoundError", None,
              {"test": "import no_such_module_here\n"}),
    "nothing": (BODY, "", "assert nothing", None, {"test": "x = 1\n"}),
    "syntax": (BODY, "", "SyntaxError", None, {"test": "def check(:\n"}),
}
GROUPS = {"plain": PLAIN, "hostile": HOSTILE, "out": REACHING_OUT,
          "files": FILES, "broken": BROKEN_TESTS}


def record(name, case, place, port):
    response = case[0].replace("WORK", place).replace("PORT", port)
    extra = case[4] if len(case) > 4 else {}
    return dict({"id": name, "prompt": PROMPT, "response": response,
                 "entry_point": "add_all", "test": TEST}, **extra)


def quotes(spans, response):
    """Their texts, each exactly where its bytes are said to be."""
    data = response.encode()
    for span in spans:
        yield span["text"]
        if data[span["start"]:span["end"]].decode() != span["text"]:
            yield "not at its place"


def faults(case, got):
    _, outcome, pattern, line = case[:4]
    result = got["test_result"]["outcome"]
    poor = list(quotes(got["poor_spans"], got["response"]))
    good = list(quotes(got["good_spans"], got["response"]))
    if not re.fullmatch(outcome, result):
        yield "outcome %s, expected %s" % (result, outcome)
    if not re.search(pattern, got["critique"]):
        yield "no '%s' in the critique" % pattern
    if isinstance(line, re.Pattern):
        if len(poor) > 1 or (poor and not line.search(poor[0])):
            yield "poor spans %s" % poor
    elif poor != ([] if line is None else
                  [line.replace("WORK", sys.argv[4])]):
        yield "poor spans %s, expected %s" % (poor, line)
    if bool(good) != (result == "passed"):
        yield "good spans %s" % good
    if result == "passed" and "def add_all" in good[0]:
        yield "the head is praised"
    if got["analysis"]["wrong_code"] != poor:
        yield "wrong_code %s" % got["analysis"]["wrong_code"]


def check(cases, path):
    failed, seen = False, 0
    for line in open(path, encoding="utf-8"):
        got = json.loads(line)
        seen += 1
        for fault in faults(cases[got["id"]], got):
            failed = True
            print("%s: %s: %s" % (got["id"], fault, got["critique"]))
    if seen != len(cases):
        failed = True
        print("%d records, expected %d" % (seen, len(cases)))
    return failed


def main():
    cases = GROUPS[sys.argv[2]]
    if sys.argv[1] == "check":
        sys.exit(check(cases, sys.argv[3]))
    for name, case in cases.items():
        print(json.dumps(record(name, case, sys.argv[3], sys.argv[4])))


main()
