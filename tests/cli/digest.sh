#!/bin/sh
# digest: bad folders and files are named, none crashes the program.
. tests/cli/lib.sh

t2g init --vocab-size 50 --hidden-size 16 --num-hidden-layers 1 \
    --num-attention-heads 2 --quiet --output-dir good || exit 1
expect 0 '^[0-9a-f]{32}  good$' t2g digest good
expect 0 '^[0-9a-f]{32}  good/model.safetensors$' \
    t2g digest good/model.safetensors
expect 0 '"digest":"[0-9a-f]{32}"' t2g digest --json good
same=$(for isa in $(t2g --version | sed -n 's/^available *//p'); do
    t2g digest --isa "$isa" --threads 2 good
done | sort -u | wc -l)
[ "$same" -eq 1 ] || complain 'the digest depends on the instruction set'

expect 1 'nothing: No such file' t2g digest nothing
mkdir no_config
expect 1 'no_config/config.json: No such file' t2g digest no_config
cp -r good cut
head -c 1000 good/model.safetensors > cut/model.safetensors
expect 1 'cut/model.safetensors' t2g digest cut
: > none.safetensors
expect 1 'none.safetensors' t2g digest none.safetensors
cp -r good no_weights
rm no_weights/model.safetensors
expect 1 'no_weights' t2g digest no_weights
cp -r good wrong
sed 's/"hidden_size": 16/"hidden_size": 32/' good/config.json \
    > wrong/config.json
expect 1 'wrong' t2g digest wrong
finish
