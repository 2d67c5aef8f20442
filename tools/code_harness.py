"""Runs a program and its tests, and says on descriptor 3 how that went.

The program is not trusted: it may print, exit, hang, close descriptors or
replace what it can reach. Only a report with the token of the job counts, and
none is a failure; so whatever goes wrong here is never a pass.
"""
import ast
import json
import os
import signal
import sys
import types
from builtins import *  # ours, whatever the program makes of them

RESPONSE, TEST = "<response>", "<test>"
LONGEST = 200  # characters of a value that are shown
SEEN = 10000  # values that are remembered
write, leave, dumps = os.write, os._exit, json.dumps


def clip(text):
    text = text if len(text) <= LONGEST else text[:LONGEST] + "..."
    return text.encode("utf-8", "backslashreplace").decode()


def show(value):
    """A value in words; hostile objects cannot break it."""
    try:
        return clip(repr(value))
    except BaseException:
        return "<an object that cannot be shown>"


def send(token, result):
    data = (token + dumps(result)).encode()
    while data:
        data = data[write(3, data):]
    leave(0)


class Assertions(ast.NodeTransformer):
    """Keeps the values that each assertion compares, and counts those that
    hold. The names are none that a program could have."""

    def __init__(self):
        self.text = {}  # line -> the asserted expression

    def visit_Assert(self, node):
        self.text[node.lineno] = clip(ast.unparse(node.test))
        test = node.test
        pair = isinstance(test, ast.Compare) and len(test.ops) == 1
        values = {"@left": test.left, "@right": test.comparators[0]} \
            if pair else {"@left": test}
        keep = [ast.Assign([ast.Name(name, ast.Store())], value)
                for name, value in values.items()]
        left = ast.Name("@left", ast.Load())
        node.test = ast.Compare(left, test.ops,
                                [ast.Name("@right", ast.Load())]) \
            if pair else left
        count = ast.Expr(ast.Call(ast.Name("@passed", ast.Load()), [], []))
        lines = keep + [node, count]
        for line in lines:
            ast.copy_location(line, node)
            ast.fix_missing_locations(line)
        return lines


class Returns:
    """A trace function: what calls from outside the response returned, and on
    which line."""

    def __init__(self):
        self.inside = None
        self.seen, self.since = [], 0  # since: the last assertion that held

    def __call__(self, frame, event, argument):
        if self.inside or frame.f_code.co_filename != RESPONSE or \
                frame.f_code.co_name == "<module>":
            return None
        self.inside = frame
        frame.f_trace_lines = False
        return self.end

    def end(self, frame, event, argument):
        if event == "return":
            self.inside = None
            if len(self.seen) < SEEN:
                self.seen.append((frame.f_lineno, argument))
        return self.end

    def lines(self, values):
        """Lines that returned one of these very values, the latest of each;
        if there is none, those that returned since an assertion held."""
        found = set()
        for value in values:
            for line, returned in reversed(self.seen):
                if returned is value:
                    found.add(line)
                    break
        return sorted(found or {line for line, _ in self.seen[self.since:]})


def response_lines(frame):
    """Lines of the response in a stack, the innermost first."""
    lines = []
    while frame:
        if frame.f_code.co_filename == RESPONSE:
            lines.append(frame.f_lineno)
        frame = frame.f_back
    return lines[:64]


def cases(function):
    """The arguments of a test function: pytest's parametrize, or none."""
    found = [{}]
    for mark in getattr(function, "pytestmark", []):
        if mark.name != "parametrize":
            continue
        names, rows = mark.args[0], mark.args[1]
        names = [n.strip() for n in names.split(",")] \
            if isinstance(names, str) else list(names)
        rows = [getattr(row, "values", row) if len(names) > 1 or
                hasattr(row, "marks") else (row,) for row in rows]
        found = [dict(old, **dict(zip(names, row)))
                 for old in found for row in rows]
    return found


def methods(kind):
    for name in dir(kind):
        if name.startswith("test"):
            if hasattr(kind, "debug"):  # unittest
                yield kind(name).debug
            else:
                yield getattr(kind(), name)


class Attempt:
    def __init__(self, job, traced):
        self.job, self.held, self.called = job, 0, 0
        self.trace = Returns() if traced else None
        self.assertions = Assertions()

    def passed(self):
        self.held += 1
        if self.trace:
            self.trace.since = len(self.trace.seen)

    def result(self, outcome, error=None, **more):
        if error is not None:
            more.update(type=clip(type(error).__name__), message=text_of(error))
        return dict(more, outcome=outcome, passed=self.held)

    def compile(self):
        """What is wrong, or None. All of it before the response runs."""
        try:
            test = self.assertions.visit(ast.parse(self.job["test"], TEST))
            self.test = compile(test, TEST, "exec", dont_inherit=True)
        except Exception as error:
            return self.result("test_error", error)
        try:
            self.code = compile(self.job["code"], RESPONSE, "exec",
                                dont_inherit=True)
        except (SyntaxError, ValueError, OverflowError, RecursionError,
                MemoryError) as error:
            line = getattr(error, "lineno", None)
            return self.result("syntax", error, lines=[line] if line else [])
        return None

    def call(self, space, own, candidate):
        """Runs what the tests define: HumanEval's check, else pytest's
        functions and classes."""
        if candidate is not None and callable(space.get("check")):
            self.called += 1
            space["check"](candidate)
            return
        for name, value in list(space.items()):
            if name in own and own[name] is value:
                continue
            if name.startswith("test") and isinstance(value,
                                                      types.FunctionType):
                for arguments in cases(value):
                    self.called += 1
                    value(**arguments)
            elif isinstance(value, type) and value.__module__ == "tests" and \
                    (name.startswith("Test") or hasattr(value, "debug")):
                for method in methods(value):
                    self.called += 1
                    method()

    def run(self):
        entry = self.job["entry"]
        solution = types.ModuleType("solution")
        sys.modules["solution"] = solution
        own = solution.__dict__
        exec(self.code, own)
        if entry and entry not in own:
            return self.result("missing", name=entry)
        candidate = own.get(entry) if entry else None
        space = dict(own, __name__="tests")
        space["@passed"] = self.passed
        sys.settrace(self.trace)
        exec(self.test, space)
        self.call(space, own, candidate)
        sys.settrace(None)
        if self.held + self.called == 0:
            return self.result("no_tests")
        return self.result("passed")

    def outcome(self):
        wrong = self.compile()
        if wrong:
            return wrong
        try:
            return self.run()
        except BaseException as error:
            sys.settrace(None)
            return self.describe(error)

    def describe(self, error):
        ours, trace = [], error.__traceback__
        while trace:
            if trace.tb_frame.f_code.co_filename in (RESPONSE, TEST):
                ours.append((trace.tb_frame, trace.tb_lineno))
            trace = trace.tb_next
        lines = [line for frame, line in reversed(ours)
                 if frame.f_code.co_filename == RESPONSE][:64]
        if not ours:
            return self.result("test_error", error)
        frame, line = ours[-1]
        if isinstance(error, MemoryError):
            return self.result("memory", error, lines=lines)
        if frame.f_code.co_filename == RESPONSE:
            kind = "exit" if isinstance(error, SystemExit) else "exception"
            return self.result(kind, error, lines=lines)
        return self.in_test(error, frame, line)

    def in_test(self, error, frame, line):
        """The tests themselves stopped: over a value that was returned, or
        over what is not there."""
        if isinstance(error, ModuleNotFoundError):
            return self.result("test_error", error)
        if isinstance(error, (ImportError, NameError)):
            name = getattr(error, "name", None)
            if isinstance(error, ImportError):
                name = text_of(error).partition("name '")[2].partition("'")[0]
            return self.result("missing", error, name=clip(name or ""))
        failed = isinstance(error, AssertionError) or \
            type(error).__name__ == "Failed"  # pytest's
        more, values = {"test_line": line}, []
        if line in self.assertions.text:
            more["expression"] = self.assertions.text[line]
        names = frame.f_locals
        if failed and "expression" in more and "@left" in names:
            values = [names[n] for n in ("@left", "@right") if n in names]
            if "==" in more["expression"] or len(values) == 2:
                more.update(zip(("left", "right"), map(show, values)))
        if not failed and isinstance(error, TypeError) and \
                text_of(error).startswith(str(self.job["entry"]) + "()"):
            more["signature"] = True
        if self.trace:
            more["lines"] = self.trace.lines(values)
        return self.result("assertion" if failed else "test_exception", error,
                           **more)


def text_of(error):
    try:
        text = error.msg if isinstance(error, SyntaxError) else str(error)
        return clip(str(text))
    except BaseException:
        return ""


def definition(job):
    """Line of the entry point's definition, first and last of its body."""
    try:
        tree = ast.parse(job["code"])
    except Exception:
        return None
    for node in reversed(tree.body):
        if getattr(node, "name", None) == job["entry"]:
            body = node.body
            if ast.get_docstring(node) is not None and len(body) > 1:
                body = body[1:]
            return [node.lineno, body[0].lineno, body[-1].end_lineno]
    return None


def same(a, b):
    keys = ("outcome", "type", "message", "test_line", "left", "right")
    return all(a.get(key) == b.get(key) for key in keys)


def main():
    with open("job.json", encoding="utf-8") as file:
        job = json.load(file)
    os.unlink("job.json")
    token = job.pop("token")
    where = definition(job)
    latest = []

    def alarm(number, frame):
        send(token, latest[0] if latest else
             {"outcome": "timeout", "lines": response_lines(frame),
              "definition": where})

    signal.signal(signal.SIGALRM, alarm)
    signal.setitimer(signal.ITIMER_REAL, job["seconds"])
    result = Attempt(job, False).outcome()
    result["definition"] = where
    if result["outcome"] in ("assertion", "test_exception"):
        # Once more, traced: lines count only if the same comes of it.
        latest.append(result)
        again = Attempt(job, True).outcome()
        if same(result, again):
            result["lines"] = again.get("lines", [])
    send(token, result)


main()
