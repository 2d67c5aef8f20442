#!/bin/sh
# Bad data files: the message names file and line, and nothing is written.
. tests/cli/lib.sh

printf '{"prompt": "a", "response": "b"}\n{"prompt": \n' > broken.jsonl
printf '{"prompt": "a", "response": "b"}\n\n[1]\n' > list.jsonl
printf '{"prompt": "a", "response": "\377"}\n' > bytes.jsonl
printf '{"prompt": "a"}\n' > no_response.jsonl
printf '{"prompt": "a", "response": 3}\n' > number.jsonl
printf '\n\n' > blank.jsonl
: > empty.jsonl

bad() # COMMAND OPTIONS...
{
    expect 1 'missing.jsonl: No such file' t2g "$@" --data missing.jsonl
    expect 1 'broken.jsonl:2:' t2g "$@" --data broken.jsonl
    expect 1 'list.jsonl:3:' t2g "$@" --data list.jsonl
    expect 1 'bytes.jsonl:1:.*UTF-8' t2g "$@" --data bytes.jsonl
    expect 1 'blank.jsonl: ' t2g "$@" --data blank.jsonl
    expect 1 'empty.jsonl: ' t2g "$@" --data empty.jsonl
    expect 1 'no_response.jsonl:1:.*response' t2g "$@" --data no_response.jsonl
    expect 1 'number.jsonl:1:.*response' t2g "$@" --data number.jsonl
    absent out.jsonl
}

has_command annotate && bad annotate --critic facts --output out.jsonl
has_command align && bad align --output out.jsonl \
    --tokenizer "$root/vectors/tokenizer/gpt2"
has_command eval && bad eval --output out.jsonl
finish
