#!/bin/sh
# annotate --critic code: tests of responses that are right, wrong or hostile.
. tests/cli/lib.sh

# Root hands the code to another user, who must be able to run it.
python=
for p in /usr/bin/python3 "$(command -v python3)"; do
    "$p" -c 'import ast; ast.unparse' > /dev/null 2>&1 && python=$p && break
done
[ -n "$python" ] || { echo 'there is no Python 3.9 or later'; exit 77; }

mkdir scratch
chmod 711 .
cases()
{
    "$python" "$root/tests/cli/annotate_code.py" "$@"
}

annotate() # OPTIONS...
{
    ( TMPDIR=$work/scratch
      export TMPDIR
      t2g annotate --critic code --interpreter "$python" --data in.jsonl \
          --output out.jsonl --timeout 2 --memory-limit 256 --concurrency 2 \
          --retries 0 "$@" )
}

# Neither files nor processes (their environment names the scratch directory).
nothing_left()
{
    [ -z "$(ls -A scratch)" ] ||
        { failed=1; echo 'files are left:'; ls scratch; }
    [ -d /proc/self ] || return
    for p in /proc/[0-9]*; do
        grep -q "$work/scratch/" "$p/environ" 2> /dev/null &&
            { failed=1; echo "process ${p#/proc/} is left"; }
    done
}

group() # NAME OPTIONS...
{
    name=$1
    shift
    rm -f out.jsonl*
    cases records "$name" "$work" 9 > in.jsonl
    expect 0 'responses, 0 unparsed.* 0 without an answer' annotate "$@"
    cases check "$name" out.jsonl "$work" || { failed=1; echo "in $name $*"; }
    nothing_left
}

isolated() # NAME: the last run's sandbox had it
{
    grep -q "\"sandbox\":{[^}]*\"$1\":true" out.jsonl
}

# Some emulators cannot fork.
if [ -n "${RUNNER:-}" ]; then
    cases records plain "$work" 9 > in.jsonl
    annotate --allow-unsandboxed --concurrency 1 > output 2>&1
    grep -q 'ended before the program began' output &&
        { echo 'no processes under this emulator'; exit 77; }
fi

group plain --allow-unsandboxed
expect 0 '29 of 29 answers are in' annotate --allow-unsandboxed
rm -f out.jsonl # as after a crash: all is in the answers
expect 0 '29 questions, 0 asked in 0 tries' annotate --allow-unsandboxed
t2g align --data out.jsonl --tokenizer "$root/vectors/tokenizer/gpt2" \
    --output rewards.jsonl > output 2>&1 || complain 'align cannot read it'

if isolated processes && isolated files; then
    group hostile
    group out
    group files
    [ -e written ] && { failed=1; echo 'it wrote outside of its scratch'; }
else
    echo 'note: no namespaces here'
fi

# Where there are no namespaces.
group plain --isolation limits --allow-unsandboxed
isolated network && complain 'limits alone isolate no network'
expect 1 'kept off the network here.*--allow-unsandboxed' annotate \
    --isolation limits
cases records plain "$work" 9 > in.jsonl
rm -f out.jsonl*
if annotate --isolation filter > output 2>&1; then
    grep -q 'not isolated: network, processes, files' output ||
        complain 'it does not say what is not isolated'
    group hostile --isolation filter
    group out --isolation filter
else
    grep -q 'kept off the network' output || complain 'filter'
fi

# Tests that are broken blame nobody.
cases records broken "$work" 9 > in.jsonl
rm -f out.jsonl*
expect 1 'in.jsonl:1: the tests cannot be run: ModuleNotFoundError' annotate \
    --allow-unsandboxed
grep -q 'in.jsonl:2: the tests assert nothing' output || complain 'nothing'
grep -q 'in.jsonl:3: the tests cannot be run: SyntaxError' output ||
    complain 'syntax'
absent out.jsonl

# The official layout, read and written.
rm -f out.jsonl*
printf '%s\n' '{"question": "Add.", "solution": "def f(x):\n    return x",
"test": "from solution import f\n\ndef test_f():\n    assert f(1) == 2\n"}' |
    tr '\n' ' ' > in.jsonl
expect 0 '' annotate --format kodcode --allow-unsandboxed
grep -q '"wrong_code":\["return x"\],"improvement_code":\[\]' out.jsonl ||
    complain 'no wrong_code'

# Another language: one file, and a status.
rm -f out.jsonl*
printf '%s\n' '{"response": "s=$((1 + 2))", "test": "[ $s = 3 ]"}' \
    '{"response": "a=1\n${", "test": ""}' \
    '{"response": "s=2", "test": "[ $s = 3 ] || { echo no; exit 3; }"}' \
    > in.jsonl
expect 0 '3 responses, 0 unparsed' annotate --interpreter sh \
    --allow-unsandboxed
grep -q '"critique":"The tests pass."' out.jsonl || complain 'sh passes'
grep -q '"critique":"The program fails with status 3: no."' out.jsonl ||
    complain 'sh fails'

printf '{"prompt": "p", "response": "r"}\n' > in.jsonl
expect 1 "in.jsonl:1: .*'test'" annotate --allow-unsandboxed
expect 1 "'no-such-python' cannot be run" annotate \
    --interpreter no-such-python
finish
