#!/bin/sh
# A reward model that has learned nothing still writes critiques that can be
# read and that quote the response; without the grammar it does not.
. tests/cli/lib.sh

cat > data.jsonl <<'EOF'
{"prompt": "Sum:", "response": "The \"lunch\" is here, caf\u00e9 \ud83d\ude00."}
{"prompt": "Sum up:", "response": ""}
{"prompt": "Sum up:", "response": "C:\\new\n\tline"}
{"prompt": "Sum up:", "response": "Nobody knows."}
EOF
expect 0 '' t2g train-tokenizer --vocab-size 280 \
    --special-tokens '<|bos|>,<|eot|>' --bos-token '<|bos|>' \
    --eos-token '<|eot|>' --output-dir tok data.jsonl
expect 0 '' t2g init --tokenizer tok --hidden-size 32 --num-hidden-layers 1 \
    --num-attention-heads 2 --output-dir rm --quiet

critique='t2g critique --model rm --data data.jsonl'
expect 0 '4 critiques, 0 unparsed' $critique --max-new-tokens 200 \
    --output out.jsonl
[ "$(grep -c '"status":"ok","decoding":"constrained"' out.jsonl)" -eq 4 ] ||
    complain 'the records do not tell how they were written'
grep -q '"response":"","critique":".*","good_spans":\[\],"poor_spans":\[\]' \
    out.jsonl || complain 'an empty response has spans'
expect 0 '' t2g align --data out.jsonl --tokenizer tok --on-unmatched fail \
    --output rewards.jsonl

for isa in $(t2g --version | sed -n 's/^available *//p'); do
    expect 0 '' $critique --max-new-tokens 200 --output "$isa.jsonl" \
        --isa "$isa" --threads 3
    cmp -s out.jsonl "$isa.jsonl" || complain "$isa writes other critiques"
done

expect 0 '4 critiques, 4 unparsed \(unconstrained\)' $critique \
    --max-new-tokens 50 --output free.jsonl --unconstrained
grep -q '"decoding":"unconstrained"' free.jsonl ||
    complain 'nothing says that they were unconstrained'
expect 1 'the shortest reply takes [0-9]* tokens, max_new_tokens is 10' \
    $critique --max-new-tokens 10 --output none.jsonl
absent none.jsonl

# In the loop as well.
train='t2g train --model rm --reward-model rm --data data.jsonl --steps 1
    --batch-size 4 --mini-batch-size 4 --max-new-tokens 8
    --judge-max-new-tokens 120 --quiet'
expect 0 '' $train --output-dir held
grep -q '"constrained":1.0,"unparsed":0.0' held/metrics.jsonl ||
    complain 'a step with constrained critiques has unparsed ones'
expect 0 '' $train --output-dir free --unconstrained
grep -q '"constrained":0.0,"unparsed":1.0' free/metrics.jsonl ||
    complain 'a step with unconstrained critiques has none unparsed'
exit $failed
