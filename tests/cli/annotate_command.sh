#!/bin/sh
# annotate --critic command: programs that judge, crash, hang, chatter.
. tests/cli/lib.sh

cat > critic.sh <<'END'
# Praises what stands behind "say:"; other words make it misbehave.
echo "started $$" >> started
while read -r line; do
    echo "$line" >> asked
    case $line in
    *crash-once*)
        [ -e crashed ] || { : > crashed; echo 'I die' >&2; exit 3; } ;;
    *crash-always*) kill -SEGV $$ ;;
    *hang-once*) [ -e hung ] || { : > hung; sleep 30; } ;;
    *chatter*) echo '{}'; echo '{}'; continue ;;
    *flood*) yes 0123456789 | tr -d '\n' ;;
    *prose*) echo 'very nice'; continue ;;
    esac
    what=${line##*say:}
    what=${what%%\"*}
    echo "{\"textual_feedback\": \"Well.\", \"good_spans\": [\"$what\"]," \
        '"poor_spans": []}'
done
END

record() # ID RESPONSE
{
    printf '{"id": "%s", "prompt": "p", "response": "%s"}\n' "$1" "$2"
}

fresh()
{
    rm -f started asked crashed hung out.jsonl*
}

annotate() # OPTIONS...
{
    t2g annotate --critic command --command 'sh critic.sh' --data in.jsonl \
        --output out.jsonl --retry-delay 0.01 "$@"
}

same() # WHAT GOT WANTED
{
    [ "$2" = "$3" ] || { failed=1; echo "$1: $2, expected $3"; }
}

count() # FILE
{
    wc -l < "$1" | tr -d ' '
}

# Every response once, in the order of the input, equal ones together.
for i in 1 2 3 4 5 6 7 8 9; do
    record "r$i" "say:word$i"
done > in.jsonl
record again 'say:word9' >> in.jsonl
expect 0 '10 responses, 0 unparsed; 9 questions, 9 asked in 9 tries' \
    annotate --concurrency 3
same asked "$(count asked)" 9
same 'programs started' "$(count started)" 3
line='"critique":"Well.","good_spans":\["word[0-9]"\],"poor_spans":\[\],'
line=$line'"critic":"command/1 sh","status":"ok"'
same critics "$(grep -c "$line" out.jsonl)" 10
same order "$(sed 's/.*"id":"\([a-z0-9]*\)".*/\1/' out.jsonl | tr '\n' ' ')" \
    'r1 r2 r3 r4 r5 r6 r7 r8 r9 again '
expect 0 '9 of 9 answers are in' annotate
same 'asked, in two runs' "$(count asked)" 9

# Crashes and hangs pass; what it says on stderr is passed on.
fresh
{ record a 'crash-once say:a'; record b 'hang-once say:b'; record c say:c; } \
    > in.jsonl
expect 0 '3 responses, 0 unparsed' annotate --timeout 1 --concurrency 1
grep -q '^critic 1: I die$' output || complain 'its stderr is lost'
same 'programs started' "$(count started)" 3

# A record that always breaks it has no answer; the others have.
fresh
{ record a 'crash-always say:a'; record b 'prose'; record c say:c; } > in.jsonl
expect 1 'in.jsonl:1: the command .*(signal 11|status 139) .*in 3 tries' \
    annotate --retries 2 --concurrency 1
absent out.jsonl
expect 0 '3 responses, 2 unparsed.* 1 without an answer' annotate --retries 0 \
    --allow-failed
grep -q '"raw_reply":"very nice"' out.jsonl || complain 'no raw reply'

fresh
record a flood > in.jsonl
expect 1 'longer than --max-reply-bytes' annotate --retries 1 \
    --max-reply-bytes 10000

# More than one line would put critiques next to the wrong responses.
fresh
{ record a chatter; record b say:b; } > in.jsonl
expect 1 'more than one line about a record' annotate --concurrency 1
absent out.jsonl

# Programs that serve one record, or none, or do not exist.
fresh
for i in 1 2 3 4 5 6; do
    record "r$i" "say:word$i"
done > in.jsonl
expect 0 '6 responses, 0 unparsed' annotate --command \
    'read -r line; echo "$line" | sh critic.sh' --concurrency 2
expect 1 'no answer to any question any more' annotate --command 'exit 0' \
    --retries 0
expect 1 'ended with status 127' annotate --command no-such-program-here
expect 2 'needs --command' t2g annotate --critic command --data in.jsonl
finish
