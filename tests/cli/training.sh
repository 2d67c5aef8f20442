#!/bin/sh
# The way from texts to a trained model, small; and that it can be interrupted.
. tests/cli/lib.sh

for command in train-tokenizer sft generate eval; do
    has_command $command || { echo "no command $command"; exit 77; }
done

i=0
while [ $i -lt 40 ]; do
    i=$((i + 1))
    echo "{\"prompt\": \"Count to $i:\", \"completion\": \" one two $i\"}"
done > data.jsonl

expect 0 '' t2g train-tokenizer --vocab-size 280 --output-dir tok data.jsonl
expect 0 '' t2g init --tokenizer tok --hidden-size 32 --num-hidden-layers 1 \
    --num-attention-heads 2 --output-dir base --quiet

sft='t2g sft --model base --data data.jsonl --batch-size 8 --learning-rate 1e-3'
expect 2 'needs --model' t2g sft
expect 1 'nothing: No such file' t2g sft --model nothing --data data.jsonl --output-dir x
expect 1 'missing.jsonl: No such file' \
    t2g sft --model base --data missing.jsonl --output-dir x
printf '{"prompt": "a", "completion": "b"}\n{"prompt": 3}\n' > bad.jsonl
expect 1 'bad.jsonl:2:' t2g sft --model base --data bad.jsonl --output-dir x
absent x/model.safetensors

expect 0 '' $sft --max-steps 6 --output-dir run
for f in run.json metrics.jsonl model.safetensors config.json tokenizer.json; do
    [ -s run/$f ] || complain "no run/$f"
done
expect 1 "run holds another run's run.json" $sft --max-steps 6 --output-dir run
for isa in $(t2g --version | sed -n 's/^available *//p'); do
    expect 0 '' $sft --max-steps 6 --output-dir "run-$isa" --isa "$isa" \
        --threads 1
    expect 0 '' t2g digest run "run-$isa"
    [ "$(cut -d ' ' -f 1 output | sort -u | wc -l)" -eq 1 ] ||
        complain "training with $isa and one thread differs"
done

head -n 3 data.jsonl > prompts.jsonl
expect 0 '"response"' t2g generate --model run --data prompts.jsonl \
    --max-new-tokens 5
expect 0 '' t2g generate --model run --data prompts.jsonl --do-sample \
    --max-new-tokens 5 --output answers.jsonl
expect 0 'length' t2g eval --data answers.jsonl --metrics length
expect 1 'no_folder/answers.jsonl' t2g generate --model run \
    --data prompts.jsonl --output no_folder/answers.jsonl

# The first Ctrl-C finishes the update, saves, and ends with status 1.
(exec ${RUNNER:-} "$BUILD/t2g" ${sft#t2g} --max-steps 1000000 \
    --output-dir stopped) > output 2>&1 &
job=$!
for wait in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ -s stopped/metrics.jsonl ] && break
    sleep 0.5
done
kill -INT $job
wait $job
got=$?
[ $got -eq 1 ] || complain "an interrupted run: status $got, expected 1"
grep -q 'stopped after' output || complain 'an interrupted run says nothing'
expect 0 '' t2g digest stopped
finish
