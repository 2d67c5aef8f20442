#!/bin/sh
# Wrong usage: status 2, and a message that says what was expected.
. tests/cli/lib.sh

expect 2 'usage: t2g COMMAND' t2g
expect 0 'usage: t2g COMMAND' t2g --help
expect 0 'libraries' t2g --version
expect 2 "unknown command 'verfy', did you mean 'verify'" t2g verfy
expect 2 "unknown command 'zzzzzz'; t2g --help lists them" t2g zzzzzz

for command in $(t2g --help | sed -n '/^commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p')
do
    expect 0 "^usage: t2g $command " t2g "$command" --help
    expect 0 '^example:' t2g "$command" -h
    expect 2 "t2g $command: unknown option 'no-such-option'" \
        t2g "$command" --no-such-option
    expect 2 "threads is 'many', expected a whole number from 0 to 4096" \
        t2g "$command" --threads many
    expect 2 "instruction set 'foo' is unknown here" t2g "$command" --isa foo
done

expect 2 "did you mean 'vocab-size'" t2g init --vocabsize 3
expect 2 "'--vocab-size' needs a value" t2g init --vocab-size
expect 2 "'--vocab-size' needs a value" t2g init --vocab-size --seed 3
expect 2 "vocab-size is '-1', expected a whole number" t2g init --vocab-size -1
expect 2 "vocab-size is '1.5', expected" t2g init --vocab_size=1.5
expect 2 "seed is '99999999999999999999', expected" \
    t2g init --seed 99999999999999999999
expect 2 "rope-theta is 'nan', expected a number" t2g init --rope-theta nan
expect 2 "rope-theta is '0', expected a number from 1" t2g init --rope-theta 0
expect 2 "family is 'bert', expected llama" t2g init --family bert
expect 2 "quiet is 'perhaps', expected true or false" t2g init --quiet=perhaps
expect 2 "'--no-quiet' takes no value" t2g init --no-quiet=true
expect 2 "options start with two dashes" t2g init -v
expect 2 'needs --output-dir' t2g init
expect 2 "unknown stage 'modl', did you mean 'model'" t2g verify modl .
expect 2 'needs a stage' t2g verify ppo
expect 2 "unknown group 'everything'" t2g bench everything
expect 2 'needs a model folder' t2g digest

T2G_ISA=foo expect 2 "instruction set 'foo' is unknown here" t2g digest x
T2G_THREADS=none expect 2 "T2G_THREADS is 'none'" t2g digest x
finish
