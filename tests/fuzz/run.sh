#!/bin/sh
# Runs fuzz targets one after the other, each from the seeds in
# tests/fuzz/corpus/NAME and what it found before in BUILD. An input that takes
# 5 seconds or 1 GB is a finding too; the file it is in is named.
# Usage: BUILD=build/fuzz sh tests/fuzz/run.sh SECONDS PROGRAM...
set -u
seconds=$1
shift
failed=0
for program in "$@"; do
    name=${program##*/}
    found=$BUILD/corpus/$name seeds=tests/fuzz/corpus/$name
    dictionary=tests/fuzz/corpus/$name.dict
    mkdir -p "$found" "$seeds"
    set -- -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024
    [ -f "$dictionary" ] && set -- "$@" -dict="$dictionary"
    if "$program" "$@" -artifact_prefix="$BUILD/$name-" "$found" "$seeds" \
        > "$BUILD/$name.log" 2>&1; then
        printf 'passed   %-24s %s\n' "$name" "$(grep Done "$BUILD/$name.log")"
    else
        failed=1
        printf 'FAILED   %s, see %s\n' "$name" "$BUILD/$name.log"
        tail -n 20 "$BUILD/$name.log"
    fi
done
exit $failed
