#!/bin/sh
# annotate --critic llm against a server that errs on demand: what is asked how
# often, what is kept, what is said. The server's log counts the requests.
. tests/cli/lib.sh
server=$BUILD/tests/mock/chat_server
[ -x "$server" ] || { echo "no $server; make test builds it"; exit 77; }
no_proxy='*'
export no_proxy
unset OPENAI_API_KEY
pid=
trap '[ -n "$pid" ] && kill "$pid" 2> /dev/null; rm -rf "$work"' EXIT

serve() # OPTIONS...
{
    [ -n "$pid" ] && kill "$pid" && wait "$pid" 2> /dev/null
    rm -f port log out.jsonl*
    : > log
    "$server" port log "$@" &
    pid=$!
    tries=0
    until [ -s port ]; do
        tries=$((tries + 1))
        [ $tries -gt 100 ] && { echo "the server does not start"; exit 1; }
        sleep 0.1
    done
    url=http://127.0.0.1:$(cat port)/v1
}

record() # CASE FAULT TIMES
{
    printf '{"id": "r%s", "prompt": "p %s", "response": "' "$1" "$1"
    printf 'case=%s fault=%s times=%s", "more": 1}\n' "$1" "$2" "$3"
}

records() # COUNT
{
    i=1
    while [ $i -le "$1" ]; do
        record $i none 0
        i=$((i + 1))
    done
}

annotate() # OPTIONS...
{
    t2g annotate --critic llm --base-url "$url" --llm-model m \
        --data in.jsonl --output out.jsonl --retry-delay 0.01 "$@"
}

# In the background; the process itself, not a shell around it, is $job.
start() # LOG OPTIONS...
{
    to=$1
    shift
    ${RUNNER:-} "$BUILD/t2g" annotate --critic llm --base-url "$url" \
        --llm-model m --data in.jsonl --output out.jsonl "$@" > "$to" 2>&1 &
    job=$!
}

same() # WHAT GOT WANTED
{
    [ "$2" = "$3" ] || { failed=1; echo "$1: $2, expected $3"; }
}

requests() # WANTED [PATTERN]
{
    same "requests ${2:-}" "$(grep -c -e "${2:-case}" log)" "$1"
}

answers() # WANTED
{
    same 'answers kept' "$(wc -l < out.jsonl.answers.jsonl | tr -d ' ')" "$1"
}

# --- what is asked ----------------------------------------------------------

serve
expect 0 '^You are .*summarised' t2g annotate --print-prompt --task sum
expect 0 'programming' t2g annotate --print-prompt --task code
expect 0 'request' t2g annotate --print-prompt --task qa
records 5 > in.jsonl
records 2 | sed 's/"id": "r/"id": "again/' >> in.jsonl
expect 0 '7 responses, 0 unparsed; 5 questions, 5 asked' annotate \
    --price-input 1000 --price-output 1000
grep -q '500 + 50 tokens, cost 0.55' output || complain 'no cost'
expect 0 '"questions": 5, "asked": 0, ' annotate --json
requests 5
requests 5 'format=json_schema auth=no answered POST /v1/chat/completions'
answers 5
same 'ids in order' "$(sed 's/.*"id":"\([a-z0-9]*\)".*/\1/' out.jsonl |
    tr '\n' ' ')" 'r1 r2 r3 r4 r5 again1 again2 '
line='"more":1,"critique":"Case [0-9].","good_spans":\["case=[0-9]"\],'
line=$line'"poor_spans":\[\],"critic":"llm/1 m","status":"ok"'
same critiques "$(grep -c "$line" out.jsonl)" 7

# Nothing is asked twice, but for other settings everything anew.
cp out.jsonl first.jsonl
expect 0 '5 of 5 answers are in out.jsonl.answers.jsonl' annotate
cmp -s out.jsonl first.jsonl || complain 'another output from kept answers'
requests 5
annotate --temperature 0.5 > output 2>&1 || complain 'temperature 0.5'
requests 10

# A conversation in the place of a prompt; records that are none.
printf '{"messages": [{"role": "user", "content": "case=77"}, {"role": ' > m
printf '"assistant", "content": "b"}], "response": "c"}\n' >> m
expect 0 '' annotate --data m
requests 1 case=77
printf '{"messages": [{"role": "user"}], "response": "c"}\n' > m
expect 1 'm:1: message 1 is not' annotate --data m --output other.jsonl
printf '{"prompt": "a"}\n' > m
expect 1 'm:1: .response. is missing' annotate --data m --output other.jsonl
absent other.jsonl.answers.jsonl
expect 2 'the same file' annotate --answers out.jsonl

# The whole address as base, with a gateway's query.
record 78 none 0 > m
expect 0 '' annotate --data m --base-url "$url/chat/completions/?v=1"
requests 1 'case=78 .*POST /v1/chat/completions?v=1 HTTP'

# A template of one's own.
printf 'Braces {{}}: {response} / {reference}\n' > own.txt
expect 1 'in.jsonl:1: no string .reference' annotate --prompt-template own.txt
printf '{prompt}\n  {respnse}\n' > own.txt
expect 1 'own.txt:2:3: ' annotate --prompt-template own.txt
printf '{prompt}\n' > own.txt
expect 1 'own.txt: .response. is nowhere' annotate --prompt-template own.txt
printf 'Judge {{ {response} }}\n' > own.txt
expect 0 '' annotate --prompt-template own.txt
requests 17

# --- faults that pass -------------------------------------------------------

serve
for f in 500 429 429date cut reset badjson schema html error200 headers huge; do
    i=$((${i:-0} + 1))
    record $i $f 1
done > in.jsonl
expect 0 '11 responses, 0 unparsed' annotate --max-reply-bytes 100000 \
    --concurrency 8
requests 22
requests 11 answered
answers 11

serve
{ record 1 silent 1; record 2 stall 1; record 3 dribble 1; } > in.jsonl
expect 0 '3 responses, 0 unparsed' annotate --timeout 1.5 --stall-timeout 0.5
requests 6

# --- faults that stay -------------------------------------------------------

serve
{ record 1 500 99; record 2 none 0; } > in.jsonl
expect 1 '1 of 2 questions .* first: in.jsonl:1: .*500: oops, in 3 tries' \
    annotate --retries 2
requests 4
absent out.jsonl
answers 1
expect 0 '2 responses, 1 unparsed; .*1 without' annotate --retries 0 \
    --allow-failed
requests 5
grep -q '"id":"r1".*"status":"unparsed","reason":"no answer: in.jsonl:1: ' \
    out.jsonl || complain 'a failed record without its reason'

serve
records 30 | sed 's/none times=0/500 times=99/' > in.jsonl
expect 1 'no answer to any question any more' annotate --retries 0 \
    --allow-failed --concurrency 1
requests 5
absent out.jsonl

serve
{ record 1 none 0; record 2 redirect 9; record 3 none 0; } > in.jsonl
expect 1 'answers 302 and points to http://127.0.0.1:9/x;.*1 of 3' annotate \
    --concurrency 1
grep -q secret output && complain 'a query in a message'
requests 2
record 1 429long 9 > in.jsonl
expect 1 'asks to wait 99999 s' annotate
record 4 400 9 > in.jsonl
expect 1 'the server answers 400: too long' annotate --response-format none

# --- replies that are no critique -------------------------------------------

serve
{ record 1 prose 9; record 2 length 9; record 3 none 0; } > in.jsonl
expect 0 '3 responses, 2 unparsed' annotate
requests 3
line='"good_spans":\[\],"poor_spans":\[\],"critic":"llm/1 m",'
line=$line'"status":"unparsed"'
same unparsed "$(grep -c "$line" out.jsonl)" 2
grep -q '"raw_reply":"I like it."' out.jsonl || complain 'no raw reply'
expect 0 '3 of 3 answers' annotate
requests 3

# --- the form of replies ----------------------------------------------------

serve --refuse json_schema,json_object
records 6 > in.jsonl
expect 0 '6 responses, 0 unparsed' annotate --concurrency 4
requests 8
requests 1 'format=json_schema auth=no refused'
requests 1 'format=json_object auth=no refused'
requests 6 'format=none'
records 8 > in.jsonl # remembered from run to run
expect 0 '6 of 8 answers' annotate
requests 10
serve --refuse json_schema
{ record 1 400 9; records 3 | tail -n 2; } > in.jsonl
expect 0 '3 responses, 1 unparsed' annotate --allow-failed --concurrency 2
requests 2 'json_object auth=no answered'
requests 0 'format=none auth=no answered'

# --- keys -------------------------------------------------------------------

serve
records 1 > in.jsonl
key=sk-very-secret-0123456789
printf '%s\n' $key > key
expect 0 '' annotate --api-key-file key
requests 1 auth=yes
serve
record 1 401 9 > in.jsonl
T2G_TEST_KEY=$key
export T2G_TEST_KEY
expect 1 'answers 401: the key \*+ is wrong' annotate --api-key-env T2G_TEST_KEY
grep -q "$key" output out.jsonl* log && complain 'the key is somewhere'
requests 1 auth=yes
expect 2 'no NO_SUCH_KEY' annotate --api-key-env NO_SUCH_KEY
printf 'a key\nX-Evil: 1\n' > key
expect 1 'key: holds no API key' annotate --api-key-file key
url=http://user:password@127.0.0.1/v1
expect 2 'user or password' annotate
grep -q 'password@' output && complain 'a password in a message'
url=ftp://127.0.0.1/v1
expect 2 'base-url' annotate

# --- a server that is not there, one that nobody vouches for ----------------

url=http://127.0.0.1:9/v1
records 1 > in.jsonl
expect 1 'in.jsonl:1: .*connect.*in 2 tries' annotate --retries 1
tls=
if command -v openssl > /dev/null 2>&1 && openssl req -x509 -newkey rsa:2048 \
    -nodes -keyout tls.key -out tls.crt -days 2 -subj /CN=127.0.0.1 \
    -addext subjectAltName=IP:127.0.0.1 > /dev/null 2>&1; then
    openssl s_server -accept 0 -key tls.key -cert tls.crt > tls.log 2>&1 \
        < /dev/zero &
    tls=$!
    sleep 1
fi
port=$(sed -n 's/^ACCEPT.*:\([0-9]*\)$/\1/p' tls.log 2> /dev/null)
if [ -n "$port" ]; then # older openssl does not tell
    url=https://127.0.0.1:$port/v1
    expect 1 'certificate.* 0 of 1 answers' annotate
    expect 1 '' annotate --ca-file tls.crt \
        --timeout 1 --retries 0
    grep -q certificate output && complain '--ca-file is not trusted'
fi
[ -n "$tls" ] && kill "$tls" 2> /dev/null

# --- damage to the answers, two runs at a time ------------------------------

serve
records 3 > in.jsonl
expect 0 '' annotate
printf '{"key": "0123' >> out.jsonl.answers.jsonl
expect 0 '3 of 3 answers' annotate
requests 3
answers 3
sed '2s/.*/{"key": 1}/' out.jsonl.answers.jsonl > damaged
cp damaged out.jsonl.answers.jsonl
expect 1 'out.jsonl.answers.jsonl:2: .key. is an integer' annotate
cmp -s damaged out.jsonl.answers.jsonl || complain 'damage made worse'
expect 2 'needs --output FILE or --answers' t2g annotate --critic llm \
    --base-url "$url" --llm-model m --data in.jsonl
expect 2 'needs --base-url' t2g annotate --critic llm --data in.jsonl

serve --delay 2000
start first_output
sleep 1
expect 1 'another process' annotate
wait $job || complain 'the first of two runs'

# --- Ctrl-C, kill -9 --------------------------------------------------------

serve --delay 500
records 40 > in.jsonl
start output --concurrency 4
tries=0
until [ "$(grep -c answered log)" -ge 5 ] || [ $tries -gt 100 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
kill -TERM $job
wait $job
same 'status after an interrupt' $? 1
grep -q 'stopped; [0-9]* of 40 answers are kept in .*the same command' output ||
    complain 'an interrupt says nothing'
absent out.jsonl
answers "$(grep -c answered log)"

serve --delay 5000
start output
sleep 0.5
kill -TERM $job
sleep 0.2
kill -TERM $job
wait $job
same 'status after a second interrupt' $? 130

serve --delay 20
records 60 > in.jsonl
rounds=${T2G_KILLS:-10}
kills=0
while [ $kills -lt "$rounds" ]; do
    kills=$((kills + 1))
    start /dev/null --concurrency 2
    sleep "0.$((kills * 37 % 20 + 10))"
    kill -9 $job 2> /dev/null
    wait $job 2> /dev/null
    sort -o kept.before kept.now 2> /dev/null || : > kept.before
    grep '}$' out.jsonl.answers.jsonl > kept.now 2> /dev/null
    sort -o kept.now kept.now
    [ -z "$(comm -23 kept.before kept.now)" ] || complain 'an answer was lost'
done
expect 0 '60 responses, 0 unparsed' annotate
answers 60
same 'different keys' "$(sed 's/.*"key":"\([0-9a-f]*\)".*/\1/' \
    out.jsonl.answers.jsonl | sort -u | wc -l | tr -d ' ')" 60
same 'records' "$(grep -c '"status":"ok"' out.jsonl)" 60
extra=$(($(grep -c answered log) - 60))
[ $extra -le $((2 * kills)) ] ||
    { failed=1; echo "$extra requests too many after $kills kills"; }
finish
