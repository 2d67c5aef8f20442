#!/bin/sh
# Tokenizers of rank files: tokenize, and verify with cases of our own.
. tests/cli/lib.sh

# The bytes by value, then "ab".
ranks()
{
    awk 'BEGIN {
        d = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        for (b = 0; b < 256; b++)
            printf "%s%s== %d\n", substr(d, int(b / 4) + 1, 1),
                substr(d, b % 4 * 16 + 1, 1), b
        print "YWI= 256"
    }'
}

cases() # IDS-WITH-SPECIAL
{
    cat << END
{"tokenizer": "tiny", "kind": "tiktoken", "rank_file": "ranks/tiny.tiktoken",
 "cases": [{"id": "one", "text": "abc<|end|>", "ids": $1,
  "ids_no_special": [256, 99, 60, 124, 101, 110, 100, 124, 62]}]}
END
}

mkdir -p dir/ranks good/tokenizer bad/tokenizer
ranks > dir/ranks/tiny.tiktoken
cat > dir/ranks/tiny.json << 'END'
{"pattern": "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
 "special_tokens": {"<|end|>": 300}, "n_vocab": 301}
END
cases '[256, 99, 300]' > good/tokenizer/a.json
cases '[256, 99, 299]' > bad/tokenizer/a.json

expect 0 '^300' t2g tokenize --tokenizer dir/ranks/tiny.tiktoken \
    --text 'abc<|end|>'
expect 0 '^1 passed, 0 failed, 0 skipped$' \
    t2g verify all good --tokenizers dir
expect 1 'one: ids.*wanted 299, got 300' t2g verify all bad --tokenizers dir
expect 1 '^skipped 1: its rank file is not in --tokenizers DIR$' \
    t2g verify all good

gzip dir/ranks/tiny.tiktoken
expect 0 '^1 passed, 0 failed, 0 skipped$' \
    t2g verify all good --tokenizers dir
rm dir/ranks/tiny.json
expect 1 'tiny.tiktoken: load: .*expected tiny.json beside it' \
    t2g verify all good --tokenizers dir
finish
