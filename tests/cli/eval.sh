#!/bin/sh
# eval: its metrics, references from the same or a second file, two files of
# feedback, what it refuses; and the metrics' recorded cases.
. tests/cli/lib.sh
has_command eval || { echo 'no command eval'; exit 77; }

cat > answers.jsonl << 'END'
{"prompt": "p", "response": "The cat sat on the mat.", "reference": "A cat sat on the mat.", "passed": true, "verdict_ab": 1, "verdict_ba": 1, "finish_reason": "length"}
{"prompt": "p", "response": "Dogs bark", "reference": ["Cats purr", "Dogs bark!"], "passed": false, "verdict_ab": 1, "verdict_ba": -1}
{"prompt": "q", "response": " ", "completion": "It rains.", "passed": false, "verdict_ab": 0, "verdict_ba": -1}
END
cat > references.jsonl << 'END'
{"prompt": "p", "response": "The cat sat on the mat."}
{"prompt": "p", "response": "Dogs bark"}
{"prompt": "q", "response": "It rains."}
END

expect 0 'words +2.667 .* 3$' t2g eval answers.jsonl
expect 0 '^  cut +0.3333  ' t2g eval --data answers.jsonl --metrics length
expect 0 '^  rouge1 +0.6111 ' t2g eval --data answers.jsonl --metrics rouge
expect 0 '^  rouge1 +0.6667 ' t2g eval --data answers.jsonl --metrics rouge \
    --references references.jsonl
expect 0 '^  rouge1 +0.6667 ' t2g eval answers.jsonl references.jsonl \
    --metrics rouge
expect 0 '^  corpus +58.92 ' t2g eval answers.jsonl --metrics bleu
expect 0 '^  exact +0.6667 ' t2g eval answers.jsonl --metrics match
expect 0 '^  pass@1 +0.25 .* 2$' t2g eval answers.jsonl --metrics passk
expect 0 '^  rate +0.5 ' t2g eval answers.jsonl --metrics winrate
expect 0 '^  1$' t2g eval answers.jsonl --metrics distinct
expect 0 '"lo": ' t2g eval answers.jsonl --json
t2g eval answers.jsonl --json --metrics rouge,bleu --seed 3 > one.json
t2g eval answers.jsonl --metrics rouge,bleu --seed 3 --output two.json
expect 0 '' cmp one.json two.json

head -n 2 references.jsonl > short.jsonl
sed 's/"q"/"r"/' references.jsonl > other.jsonl
expect 2 "did you mean 'rouge'" t2g eval answers.jsonl --metrics rugue
expect 2 'third file' t2g eval a b c
expect 1 'answers.jsonl has 3 records, short.jsonl has 2' \
    t2g eval answers.jsonl short.jsonl
expect 1 'other.jsonl:3 has another prompt than answers.jsonl:3' \
    t2g eval answers.jsonl other.jsonl
expect 1 "references.jsonl:1: no 'reference' or 'completion'" \
    t2g eval references.jsonl --metrics bleu
expect 1 "references.jsonl:1: no 'passed'" \
    t2g eval references.jsonl --metrics passk
expect 1 'needs --model' t2g eval answers.jsonl --metrics perplexity
expect 1 'there is one' t2g eval answers.jsonl --metrics agreement

feedback() # CRITIQUE GOOD POOR
{
    echo '{"response": "on Sunday at nine in the hall", "critique": "'"$1"'",' \
        '"good_spans": ['"$2"'], "poor_spans": ['"$3"']}'
}
{ feedback 'The day is right.' '"on Sunday"' '"in the hall"'
  feedback 'The hour is wrong.' '' '"at nine", "by noon"'; } > a.jsonl
{ feedback 'The day is right.' '"on Sunday"' '"in the hall"'
  feedback 'The place is wrong.' '' '"the hall"'
} > b.jsonl
expect 0 '^  kappa +1 ' t2g eval --metrics agreement a.jsonl a.jsonl
expect 0 '^  same +0.7143 .* 2$' t2g eval --metrics agreement a.jsonl b.jsonl
expect 0 '^  poor +0.6 .*P 0.6  R 0.6$' \
    t2g eval --metrics agreement a.jsonl b.jsonl
expect 0 '^    spans_half +0.5 ' t2g eval --metrics agreement a.jsonl b.jsonl
expect 0 '^    unmatched +0.25 ' t2g eval --metrics agreement a.jsonl b.jsonl
expect 0 '^    word_places$' t2g eval --metrics rm a.jsonl b.jsonl
sed 's/nine/ten/' b.jsonl > c.jsonl
expect 1 "c.jsonl:1 has another response" \
    t2g eval --metrics agreement a.jsonl c.jsonl
expect 0 '^ +t2g eval --data responses.jsonl --references' t2g eval --help

expect 0 '^[0-9]+ passed, 0 failed, 0 skipped$' \
    t2g verify metrics "$root/vectors/metrics"
finish
