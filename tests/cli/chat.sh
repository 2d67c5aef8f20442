#!/bin/sh
# Conversations: through a chat template to tokens, training and answers.
. tests/cli/lib.sh

for command in train-tokenizer tokenize sft generate; do
    has_command $command || { echo "no command $command"; exit 77; }
done

say() # ROLE TEXT
{
    printf '{"role": "%s", "content": "%s"}' "$1" "$2"
}
conversation() # NUMBER
{
    echo "{\"messages\": [$(say system 'Count.'), $(say user "To $1"),
        $(say assistant "one $1"), $(say user 'Again <|im_end|>'),
        $(say assistant "two $1")]}" | tr -d '\n'
    echo
}
i=0
while [ $i -lt 24 ]; do
    i=$((i + 1))
    conversation $i
done > chats.jsonl
expect 0 '' t2g train-tokenizer --vocab-size 290 --output-dir tok \
    --special-tokens '<|im_start|>,<|im_end|>' --eos-token '<|im_end|>' chats.jsonl
expect 0 '' t2g init --tokenizer tok --hidden-size 32 --num-hidden-layers 1 \
    --num-attention-heads 2 --output-dir base --quiet

# Without a template messages are nothing that can be tokenized.
head -n 1 chats.jsonl > one.jsonl
tokenize='t2g tokenize --tokenizer tok --apply-chat-template --json'
expect 1 'messages need a chat template' $tokenize one.jsonl
expect 1 "'chattml': no such file, and none of chatml, " \
    $tokenize --chat-template chattml one.jsonl
printf '{{ messages[0].content' > broken.jinja
expect 1 'broken.jinja:1:' $tokenize --chat-template broken.jinja one.jsonl
expect 1 'chat-template NAME uses another' \
    $tokenize --chat-template broken.jinja one.jsonl

# Five turns, each with its start and its end; a user's <|im_end|> is no token.
expect 0 '"<\|im_start\|>"' $tokenize --chat-template chatml one.jsonl
[ "$(grep -o '"<|im_end|>"' output | wc -l)" -eq 5 ] ||
    complain 'not five turns end'
expect 0 '"a","s","s","i","s","t","a","nt",".n"\]' $tokenize --chat-template chatml \
    --add-generation-prompt one.jsonl

# The assistant's turns are what is learned, whatever the users say.
sft='t2g sft --model base --data chats.jsonl --batch-size 8 --max-steps 8'
expect 1 'chats.jsonl:1: messages need a chat template' \
    $sft --output-dir x
expect 0 '' $sft --chat-template chatml --learning-rate 1e-2 --output-dir run
printf '{"prompt": "To 3", "completion": "one 3"}\n' > pair.jsonl
expect 0 '' t2g sft --model base --data pair.jsonl --chat-template chatml \
    --max-steps 2 --output-dir pairs
expect 0 '"prompt": ?"system: Count' t2g generate --model run \
    --data one.jsonl --chat-template chatml --max-new-tokens 4
expect 0 '"response"' t2g generate --model run --data pair.jsonl \
    --no-chat-template --max-new-tokens 4
finish
