#!/bin/sh
# Runs every test: the programs given as arguments, the kernel check, the rules
# and the command-line tests. One line each; all output of those that fail.
# Usage: BUILD=build sh tests/run.sh PROGRAM...
set -u
BUILD=${BUILD:-build}
export BUILD
LC_ALL=C
export LC_ALL

# Only what OpenMP keeps until the process ends is not ours to free.
suppressions=$BUILD/tests/lsan.txt
mkdir -p "$BUILD/tests"
printf 'leak:libgomp\nleak:libomp\n' > "$suppressions"
ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:strict_string_checks=1}
LSAN_OPTIONS=${LSAN_OPTIONS:-suppressions=$suppressions:print_suppressions=0}
UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export ASAN_OPTIONS LSAN_OPTIONS UBSAN_OPTIONS

# Threads that wait must not take the cores from those that work.
OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}
export OMP_WAIT_POLICY

passed=0 failed=0 skipped=0
log=$BUILD/tests/log.txt

# A test says how it went by its exit status: 0 passed, 77 skipped, else failed.
run() # NAME COMMAND...
{
    name=$1
    shift
    begin=$(date +%s)
    "$@" > "$log" 2>&1
    status=$?
    seconds=$(($(date +%s) - begin))
    if [ $status -eq 0 ]; then
        passed=$((passed + 1))
        printf 'passed   %-32s %3d s\n' "$name" "$seconds"
    elif [ $status -eq 77 ]; then
        skipped=$((skipped + 1))
        printf 'skipped  %-32s %s\n' "$name" "$(tail -n 1 "$log")"
    else
        failed=$((failed + 1))
        printf 'FAILED   %-32s status %d\n' "$name" "$status"
        sed 's/^/    /' "$log"
    fi
}

for program in "$@"; do
    run "${program#"$BUILD/tests/"}" ${RUNNER:-} "$program"
done
if [ -x "$BUILD/tests/check/check" ]; then
    run check ${RUNNER:-} "$BUILD/tests/check/check"
fi
for script in tests/rules/*.sh tests/cli/*.sh; do
    case $script in
    *'*'* | */lib.sh) continue ;;
    esac
    name=${script#tests/}
    run "${name%.sh}" sh "$script"
done

printf '%d passed, %d failed, %d skipped\n' $passed $failed $skipped
[ $failed -eq 0 ] && [ $passed -gt 0 ]
