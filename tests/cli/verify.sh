#!/bin/sh
# verify: what is found, counted and told, by --got on cases of our own.
. tests/cli/lib.sh

case_file() # SECOND-ELEMENT
{
    cat << END
{"format": "t2g-oracle/1", "kind": "demo", "set": "a", "cases": [
 {"id": "one", "config": {}, "in": {}, "noise": {"y": 1e-3},
  "out": {"x": {"dtype": "f32", "shape": [3], "data": [1, $1, "nan"]},
          "y": {"dtype": "f32", "shape": [], "data": [5]}}},
 {"id": "two", "config": {}, "in": {},
  "out": {"n": {"dtype": "i64", "shape": [2], "data": [7, 8]},
          "s": {"dtype": "str", "shape": [1], "data": ["word"]}}}]}
END
}

mkdir -p want/metrics/deep got/metrics/deep off/metrics/deep
case_file 2 > want/metrics/deep/a.json
case_file 2.00001 > got/metrics/deep/a.json
case_file 2.1 > off/metrics/deep/a.json
echo 'not a case' > want/metrics/notes.txt
echo '{"hidden_size": 3}' > want/metrics/config.json
echo '{"whatever": 3}' > want/metrics/settings.json

expect 0 '^2 passed, 0 failed, 0 skipped$' t2g verify metrics want --got got
expect 0 'a.json: 2 cases, 4 fields, worst 0.477 of the tolerance at one/x.1' \
    t2g verify all want --got got
expect 1 'one: x.1.: wanted 2, got 2.09.*, tolerance 2.1e-05 .1 of 3' \
    t2g verify metrics want/metrics/deep/a.json --got off/metrics/deep/a.json
expect 1 '^1 passed, 1 failed, 0 skipped$' t2g verify metrics want --got off
expect 0 '^1 passed, 0 failed, 0 skipped$' \
    t2g verify metrics want --got off --only two
expect 1 '"passed": 1,' t2g verify metrics want --got off --json
expect 1 '"index": 1' t2g verify metrics want --got off --json
expect 1 '^0 passed, 0 failed, 1 skipped$' t2g verify metrics want --got empty
expect 1 '^skipped 1: --got has no such file$' \
    t2g verify metrics want --got empty

# Nothing found is no success, a missing or broken file a failure.
mkdir empty
expect 1 '^0 passed, 0 failed, 0 skipped$' t2g verify all empty
expect 1 'missing: No such file' t2g verify metrics missing
echo '{"kind": ' > want/metrics/deep/b.json
expect 1 'b.json: -: file: .*b.json:[0-9]+:[0-9]+: not JSON' \
    t2g verify metrics want --got got
case_file 2 | gzip > zipped.json.gz && mkdir -p gz/metrics &&
    mv zipped.json.gz gz/metrics/a.json.gz
expect 0 '^2 passed, 0 failed, 0 skipped$' t2g verify metrics gz --got gz
finish
