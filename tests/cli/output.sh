#!/bin/sh
# Output folders are not overwritten unasked; what cannot be written whole is
# not there at all; a full disk is an error.
. tests/cli/lib.sh

init='t2g init --vocab-size 300 --hidden-size 32 --num-hidden-layers 2
      --num-attention-heads 4 --quiet'

expect 0 '' $init --output-dir model
first=$(t2g digest model | cut -d ' ' -f 1)
expect 1 "model holds another run's run.json; --overwrite" \
    $init --output-dir model
expect 0 '' $init --output-dir model --overwrite --threads 2
[ "$(t2g digest model | cut -d ' ' -f 1)" = "$first" ] ||
    complain 'the same options and seed gave another digest'
expect 0 '' $init --output-dir other --seed 43
[ "$(t2g digest other | cut -d ' ' -f 1)" = "$first" ] &&
    complain 'another seed gave the same digest'

echo text > file
expect 1 'file: cannot make this directory: Not a directory' \
    $init --output-dir file/below

# A file can grow no further, as on a full disk.
limited()
{
    (trap '' XFSZ && ulimit -f 16 && "$@")
}
expect 1 'model.safetensors: not written: File too large' \
    limited $init --output-dir full
absent full/model.safetensors

if [ -c /dev/full ]; then
    version_to_full()
    {
        t2g --version > /dev/full
    }
    expect 1 'could not be written' version_to_full
fi
finish
