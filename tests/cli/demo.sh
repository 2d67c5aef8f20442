#!/bin/sh
# The quick demo runs every stage; its parameters have one digest on every ISA, for
# any number of threads, and the one recorded in vectors/demo/quick.json.
. tests/cli/lib.sh

digest_in() # FILE
{
    sed -n 's/.*"digest":"\([0-9a-f]*\)".*/\1/p' "$1"
}

demo='t2g demo --quick --json --quiet'
wanted=$(sed -n 's/.*"digest": "\([0-9a-f]*\)".*/\1/p' \
    "$root/vectors/demo/quick.json")
[ -n "$wanted" ] || complain "vectors/demo/quick.json names no digest"

same() # NAME OPTIONS...
{
    name=$1
    shift
    expect 0 '"digest"' $demo --output-dir "$name" "$@"
    got=$(digest_in output)
    [ "$got" = "$wanted" ] || complain "$name: digest $got, expected $wanted"
}

for isa in $(t2g --version | sed -n 's/^available *//p'); do
    same "isa-$isa" --isa "$isa" --threads 2
done
for threads in 1 2 3; do
    same "threads-$threads" --threads $threads
done

for f in run.json result.json metrics.jsonl samples.jsonl commands.sh \
    report.html sft/model.safetensors rm/model.safetensors \
    text2grad/model.safetensors ppo/audit.jsonl; do
    [ -s "threads-1/$f" ] || complain "no $f"
done
expect 1 "holds another run" $demo --output-dir threads-1
expect 2 'unknown option' t2g demo --no-such-option

# The commands the demo recorded are the demo: run again by hand, the same models.
mkdir again
cp threads-2/*.jsonl again/
(
    cd again || exit 1
    export T2G_THREADS=2
    t2g() { ${RUNNER:-} "$BUILD/t2g" "$@"; }
    grep -v 't2g report' ../threads-2/commands.sh > steps.sh
    . ./steps.sh
) > output 2>&1 || complain 'commands.sh does not run'
for m in sft rm ppo text2grad; do
    t2g digest "threads-2/$m" "again/$m" > output
    [ "$(cut -d ' ' -f 1 output | sort -u | wc -l)" -eq 1 ] ||
        complain "commands.sh gives another $m"
done
exit $failed
