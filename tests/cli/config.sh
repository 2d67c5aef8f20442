#!/bin/sh
# --config: what it may hold, that the command line wins, that run.json is one.
. tests/cli/lib.sh

small='--hidden-size 8 --num-hidden-layers 1 --num-attention-heads 2 --quiet'
echo '{"vocab_size": 17, "seed": "18446744073709551615", "rope-theta": null,
       "tie-word-embeddings": false}' > good.json
echo '{"vocab-size": 17,' > broken.json
echo '{"vocabsize": 17}' > unknown.json
echo '{"vocab-size": [17]}' > array.json
echo '{"vocab-size": "many"}' > text.json
echo '{"output-dir": 3}' > number.json
echo '{"command": "train", "vocab-size": 17}' > other.json
echo '[1, 2]' > list.json

expect 0 '' t2g init --config good.json --output-dir a $small
expect 0 '"vocab-size": 17' cat a/run.json
expect 0 '"seed": "18446744073709551615"' cat a/run.json
expect 0 '"tie-word-embeddings": false' cat a/run.json
expect 0 '"rope-theta": 10000' cat a/run.json
expect 0 '"vocab_size": 17' cat a/config.json

expect 0 '' t2g init --config a/run.json --output-dir b
expect 0 '"hidden-size": 8' cat b/run.json
expect 0 '' t2g digest a b
[ "$(cut -d ' ' -f 1 output | sort -u | wc -l)" -eq 1 ] ||
    complain 'a run.json does not repeat the run'

expect 0 '' t2g init --config good.json --vocab-size 19 --output-dir c $small
expect 0 '"vocab-size": 19' cat c/run.json

expect 1 'missing.json: No such file' t2g init --config missing.json
expect 1 'broken.json:[0-9]+:[0-9]+: not JSON' t2g init --config broken.json
expect 1 'list.json: expected a JSON object' t2g init --config list.json
expect 2 "unknown.json: unknown option 'vocabsize', did you mean 'vocab-size'" \
    t2g init --config unknown.json
expect 2 'array.json: vocab-size is an array' t2g init --config array.json
expect 2 "text.json: vocab-size is 'many'" t2g init --config text.json
expect 2 'number.json: output-dir is a number' t2g init --config number.json
expect 2 "options of command 'train', expected 'init'" \
    t2g init --config other.json
finish
