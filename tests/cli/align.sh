#!/bin/sh
# align: rewards, the audit and what is rebuilt from it, the released code beside.
. tests/cli/lib.sh

cat > feedback.jsonl <<'DATA'
{"id": 1, "response": "Come on Sunday, on Sunday at seven.", "good_spans": ["on sunday", "at sevn in"], "poor_spans": ["**Come**"]}
{"id": 2, "response": "Come on Sunday.", "word_score_list": [["Come", 1], ["Sunday", -1]]}
{"id": 3, "response": "Come on Sunday.", "reply": "So: {'textual_feedback': 'x', 'good_spans': ['on Sunday',], 'poor_spans': []}"}
{"id": 4, "response": "Come on Sunday.", "reply": "I like it. Rating: 3"}
DATA
tok=$root/vectors/tokenizer/gpt2
align="t2g align --data feedback.jsonl --tokenizer $tok"

expect 0 '4 responses \(1 unparsed\)' $align --output out.jsonl \
    --audit audit.jsonl
for method in folded unescaped words exact none; do
    grep -q "\"method\":\"$method\"" audit.jsonl ||
        complain "no span was found by $method"
done
grep -q '"repairs":\["surrounded","single_quotes","extra_comma"\]' audit.jsonl ||
    complain 'the repairs of a reply are not in the audit'

# The rewards again, from the audit alone.
expect 0 'every digest' t2g align --rebuild audit.jsonl --output again.jsonl
for f in out again; do
    sed 's/.*"rewards":\(\[[^]]*\]\).*/\1/' $f.jsonl > $f.rewards
done
cmp -s out.rewards again.rewards || complain 'rebuilt rewards differ'
sed 's/"reward":0.5/"reward":0.25/' audit.jsonl > changed.jsonl
expect 1 'changed.jsonl:[0-9]*: .*digest' t2g align --rebuild changed.jsonl
sed '$d' audit.jsonl > cut.jsonl
head -n 1 audit.jsonl >> cut.jsonl
expect 1 'no summary follows' t2g align --rebuild cut.jsonl

# Rules.
expect 0 '"rewards":\[1.0,' $align --background 1 --on-repeat skip --output -
expect 1 'feedback.jsonl:1: span .*is not in the response' $align \
    --on-unmatched fail --output no.jsonl
absent no.jsonl
expect 2 '' $align --on-overlap least
expect 1 'TYPE=SCORE' $align --severity Redundant
expect 0 '' $align --severity Redundant=-0.5,Irrelevant=-1 --output sev.jsonl

# The released code.
expect 2 'needs --task' $align --profile official
expect 0 '"status":"success"' $align --profile official --task qa --output -
expect 0 'tokens differ' $align --compare-official --task qa
expect 0 '"differing":[0-9]*,"rewards":\[.*"official":\[' $align \
    --compare-official --task code --json
expect 2 'needs either --data or --rebuild' t2g align
finish
