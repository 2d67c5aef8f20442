#!/bin/sh
# annotate --critic people: the server behind the page, driven as a browser
# would and as nobody should.
. tests/cli/lib.sh
client=$BUILD/tests/mock/http_client
[ -x "$client" ] || { echo "no $client here"; exit 77; }

same() # WHAT GOT WANTED
{
    [ "$2" = "$3" ] || { failed=1; echo "$1: $2, expected $3"; }
}

begin() # OPTIONS...: sets server, port, secret
{
    : > log
    ${RUNNER:-} "$BUILD/t2g" annotate --critic people --data in.jsonl \
        --output out.jsonl "$@" > stdout 2> log &
    server=$!
    for i in 1 2 3 4 5 6 7 8 9 10; do
        for j in 1 2 3 4 5 6 7 8 9 10; do
            grep -q 'http://.*/ in a' log && break 2
            sleep 0.05
        done
    done
    port=$(sed -n 's|.*http://127.0.0.1:\([0-9]*\)/.*|\1|p' log)
    secret=$(sed -n 's|.*http://127.0.0.1:[0-9]*/\([0-9a-f]*\)/.*|\1|p' log)
    [ -n "$secret" ] || { echo 'no address:'; cat log; exit 1; }
}

ended() # STATUS PATTERN: the server ends so
{
    wait "$server"
    same 'exit status' $? "$1"
    grep -qE -e "$2" log || { failed=1; echo "no '$2' in:"; cat log; }
}

get() # PATH: into output
{
    "$client" "$port" "/$secret$1" > output 2>&1
}

post() # ITEM REVISION GOOD POOR [MORE]: into output
{
    printf '{"revision": %s, "critique": "Well.", "good_spans": [%s], ' \
        "$2" "$3" > body
    printf '"poor_spans": [%s], "annotator": "Ada", "seconds": 2.5%s}' \
        "$4" "${5:-}" >> body
    "$client" "$port" "/$secret/item/$1" body > output 2>&1
}

status() # WHAT WANTED
{
    got=$(sed -n '1s/^\(HTTP.1.1 \)\{0,1\}\([0-9]*\).*/\2/p' output)
    [ "$got" = "$2" ] || complain "$1: status $got, expected $2"
}

raw() # WHAT STATUS FORMAT: a request as it is, %s is the secret
{
    printf "$3" "$secret" > request
    "$client" "$port" --hang 0 < request > output 2>&1
    status "$1" "$2"
}

cat > in.jsonl <<'IN'
{"id": "a", "prompt": "p", "response": "Caf\u00e9 \ud83d\udc69\u200d\ud83d\udd2c e\u0301\r\nok", "kept": 7}
{"id": "b", "messages": [{"role": "user", "content": "hi"}], "response": "two words"}
{"id": "again", "prompt": "p", "response": "Caf\u00e9 \ud83d\udc69\u200d\ud83d\udd2c e\u0301\r\nok"}
{"id": "c", "prompt": "p", "response": "three", "reference": "3"}
IN
begin
host="Host: 127.0.0.1:$port"

# Who may ask at all.
get /
status page 200
grep -q '<title>' output || complain 'no page'
grep -qE 'https?://[^1]' output && complain 'the page names other machines'
for path in / /state /item/0; do
    "$client" "$port" "$path" > output 2>&1
    status 'no secret' 403
    "$client" "$port" "/0123456789abcdef0123456789abcdef$path" > output 2>&1
    status 'wrong secret' 403
done
raw 'another host' 403 'GET /%s/ HTTP/1.1\r\nHost: evil.example\r\n\r\n'
raw 'another port' 403 'GET /%s/ HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n'
raw localhost 200 "GET /%s/state HTTP/1.1\r\nhost: LOCALHOST:$port\r\n\r\n"
raw 'another origin' 403 \
    "GET /%s/state HTTP/1.1\r\n$host\r\nOrigin: http://evil.example\r\n\r\n"
raw 'its own origin' 200 "GET /%s/state HTTP/1.1\r\n$host\r\nOrigin: \
http://127.0.0.1:$port\r\n\r\n"
grep -q "Content-Security-Policy: default-src 'none'" output ||
    complain 'no policy'

# What is no request.
raw 'no host' 400 'GET /%s/ HTTP/1.1\r\n\r\n'
raw 'two hosts' 400 "GET /%s/ HTTP/1.1\r\n$host\r\n$host\r\n\r\n"
raw 'old version' 505 "GET /%s/ HTTP/1.0\r\n$host\r\n\r\n"
raw 'bare line ends' 400 "GET /%s/ HTTP/1.1\n$host\n\r\n\r\n"
raw 'folded field' 400 "GET /%s/ HTTP/1.1\r\n$host\r\n more\r\n\r\n"
raw 'blank before colon' 400 "GET /%s/ HTTP/1.1\r\n$host\r\nA : b\r\n\r\n"
raw 'NUL' 400 "GET /%s/ HTTP/1.1\r\n$host\r\nA: \\000\r\n\r\n"
raw 'no target' 400 "GET HTTP/1.1\r\n$host\r\n\r\n"
raw 'DELETE' 405 "DELETE /%s/ HTTP/1.1\r\n$host\r\n\r\n"
raw 'no such page' 404 "GET /%s/../etc/passwd HTTP/1.1\r\n$host\r\n\r\n"
raw 'item beyond' 404 "GET /%s/item/3 HTTP/1.1\r\n$host\r\n\r\n"
raw 'item below' 404 "GET /%s/item/-1 HTTP/1.1\r\n$host\r\n\r\n"
json='Content-Type: application/json'
item="POST /%s/item/0 HTTP/1.1\r\n$host\r\n"
raw 'a form' 415 "${item}Content-Length: 0\r\nContent-Type: text/plain\r\n\r\n"
raw 'no length' 411 "$item$json\r\n\r\n"
raw 'bad length' 400 "$item$json\r\nContent-Length: +1\r\n\r\n1"
raw 'two lengths' 400 \
    "$item$json\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n1"
raw chunked 501 "$item$json\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
raw 'huge body' 413 "$item$json\r\nContent-Length: 999999999\r\n\r\n{"
raw 'endless length' 400 \
    "$item$json\r\nContent-Length: 99999999999999999999\r\n\r\n{"
raw 'written to the page' 405 "POST /%s/ HTTP/1.1\r\n$host\r\n$json\r\n\
Content-Length: 2\r\n\r\n{}"
{ printf 'GET / HTTP/1.1\r\nA: '; head -c 40000 /dev/zero | tr '\0' a; } |
    "$client" "$port" --hang 0 > output 2>&1
status 'long head' 431
head -c 6000000 /dev/zero | tr '\0' ' ' > body
"$client" "$port" "/$secret/item/0" body > output 2>&1
status 'large body' 413

# Slow clients, more than there are places, hold up nobody.
slow=''
for i in 1 2 3 4 5 6 7 8; do
    for j in 1 2 3 4 5 6 7 8 9 10; do
        printf 'GET / HT' | "$client" "$port" --hang 30 > slow.txt 2>&1 &
        slow="$slow $!"
    done
done
sleep 0.3
get /state
status 'among slow clients' 200
grep -q '{"count":3,"answered":0,"annotator":"","known":false,' output ||
    complain 'state'
kill $slow 2> kill.txt

# Answers that are none.
none() # WHAT GOOD POOR [MORE]
{
    post 0 0 "$2" "$3" "${4:-}"
    status "$1" 422
}
none 'wrong text' '{"text": "Cafe", "start": 0, "end": 4}' ''
none 'half a character' '{"text": "Caf\u00c3", "start": 0, "end": 4}' ''
none 'characters for bytes' '{"text": "Caf\u00e9", "start": 0, "end": 4}' ''
none 'beyond the end' '' '{"text": "ok", "start": 25, "end": 999}'
none 'backwards' '{"text": "C", "start": 1, "end": 0}' ''
none 'no offsets' '{"text": "C"}' ''
none 'negative' '{"text": "C", "start": -1, "end": 0}' ''
none 'fraction' '{"text": "C", "start": 0, "end": 1.0}' ''
none 'empty' '{"text": "", "start": 0, "end": 0}' ''
none 'no object' '"C"' ''
none 'poor, score above 0' '' '{"text": "C", "start": 0, "end": 1, "score": 1}'
none 'score beyond 1' '{"text": "C", "start": 0, "end": 1, "score": 2}' ''
none 'a key twice' '' '' ', "seconds": 3'
echo '[]' > body
"$client" "$port" "/$secret/item/0" body > output 2>&1
status 'no object at all' 422
printf '{"critique": "\377"' > body
"$client" "$port" "/$secret/item/0" body > output 2>&1
status 'no JSON' 422
[ -s out.jsonl.answers.jsonl ] && { failed=1; echo 'something was kept'; }

# Right bytes of any characters; saved before it is said; once only.
science='\ud83d\udc69\u200d\ud83d\udd2c'
good='{"text": "Caf\u00e9", "start": 0, "end": 5},
    {"text": "'$science'", "start": 6, "end": 17, "score": 0.5, "note": "!"}'
poor='{"text": "e\u0301\r\nok", "start": 18, "end": 25, "score": -0.5}'
post 0 0 "$good" "$poor"
status save 200
grep -q '"answered":1,"annotator":"Ada"' output || complain 'state after it'
same 'kept at once' "$(wc -l < out.jsonl.answers.jsonl | tr -d ' ')" 1
post 0 0 "$good" "$poor"
status 'sent again' 200
post 0 0 '' "$poor"
status 'another tab' 409
grep -q '"critique":"Well.","good_spans":\[{"text":"Café"' output ||
    complain 'the answer that stands'
same 'kept once' "$(wc -l < out.jsonl.answers.jsonl | tr -d ' ')" 1
post 0 1 "$good" "$poor" ', "x": 1'
status 'unchanged' 200
post 0 1 '{"text": "Caf\u00e9", "start": 0, "end": 5}' "$poor"
status corrected 200
post 0 1 '' ''
status 'an old page' 409

# Ctrl-C: what is answered is written, the others are counted.
kill -INT "$server"
ended 1 'stopped; 1 of 3 answers are kept in .* 2 records without an answer'
same stdout "$(cat stdout)" ''
same records "$(wc -l < out.jsonl | tr -d ' ')" 2
line='"kept":7,"critique":"Well.","good_spans":\[{"text":"Café","start":0,'
line=$line'"end":5}\],"poor_spans":\[{"text":"[^"]*\\r\\nok","score":-0.5,'
line=$line'"start":18,"end":25}\],"critic":{"name":"people","version":"1"},'
line=$line'"annotator":"Ada","seconds":2.5,"status":"ok"}'
grep -q "$line" out.jsonl || { failed=1; echo 'record:'; cat out.jsonl; }

# Resumed; all answered ends it. The name is known from before.
begin --json
grep -q ': 2 of 3 responses to be judged' log || { failed=1; cat log; }
get /state
grep -q '"annotator":"Ada","known":false,"done":\[true,false,false\]' output ||
    complain 'state on resuming'
get /item/1
grep -q '"prompt":"hi","response":"two words"' output || complain messages
kill -INT "$server"
ended 1 '2 records without'
begin --annotator 'Grace H.' --allow-failed
post 1 0 '' ''
kill -INT "$server"
ended 1 '0 records without an answer are left out'
grep -q '"id":"c".*"status":"unparsed","reason":"no answer' out.jsonl ||
    { failed=1; echo 'no record without an answer'; }
begin --json --annotator 'Grace H.'
post 2 0 '{"text": "three", "start": 0, "end": 5}' ''
status last 200
ended 0 '4 responses, 0 unparsed; 3 questions, 1 asked'
grep -q '"annotator":"Grace H."' out.jsonl || { failed=1; cat out.jsonl; }
grep -q '^{"responses": 4' stdout || { failed=1; cat stdout; }
expect 0 '3 questions, 0 asked' t2g annotate --critic people --data in.jsonl \
    --output out.jsonl

# An earlier critic's feedback is shown to be corrected.
rm -f out.jsonl*
cat > in.jsonl <<'IN'
{"prompt": "p", "response": "so so good bad", "critique": "Old.", "good_spans": ["good", {"text": "so", "score": 0.5, "note": "n"}], "poor_spans": ["bad", "nowhere at all"], "status": "ok"}
IN
begin --prefill --annotator x
get /item/0
for part in '"critique":"Old."' '{"text":"good","start":6,"end":10}' \
    '{"text":"so","start":0,"end":2,"score":0.5,"note":"n"}' \
    '"poor_spans":\[{"text":"bad","start":11,"end":14}\]' \
    '"unplaced":\["nowhere at all"\]'; do
    grep -q "$part" output || complain "no $part"
done
kill -INT "$server"
ended 1 '0 of 1 answers are kept'
absent out.jsonl
begin
get /item/0
grep -q spans output && complain 'marks that nobody asked for'
kill -INT "$server"
wait "$server"
cat > in.jsonl <<'IN'
[{"question": "Q?", "passages": [["T", "One."]], "gold": "G",
  "prediction 1": "\u00e9a \u6f22b c", "feedback": {"errors": [
    {"error type": "Irrelevant", "start": 3, "end": 5}]}}]
IN
begin --format fgrlhf --prefill --annotator x
get /item/0
grep -q '"poor_spans":\[{"text":"漢b","start":4,"end":8,"note":"Irrelevant"}' \
    output || complain 'marks of FineGrainedRLHF'
post 0 0 '' '{"text": "\u6f22", "start": 4, "end": 7, "note": "Irrelevant"}'
status corrected 200
ended 0 '1 responses, 0 unparsed'
grep -q '"poor_spans":\[{"text":"漢","start":4,"end":7,"note":"Irrelevant"}\]' \
    out.jsonl || { failed=1; cat out.jsonl; }
rm -f out.jsonl*
echo '{"response": "r", "good_spans": 3}' > in.jsonl
expect 1 "in.jsonl:1: 'good_spans' is not a list" t2g annotate --critic \
    people --prefill --data in.jsonl --output out.jsonl

# Killed at any moment: every answer that was confirmed is there, once.
rm -f out.jsonl*
for i in 0 1 2 3 4 5 6 7 8 9; do
    for j in 0 1 2 3 4 5 6 7 8 9; do
        printf '{"response": "word%d%d"}\n' $i $j
    done
done > in.jsonl
: > confirmed
save_all() # DELAY after each
{
    get /state
    todo=$(sed -n 's/.*"done":\[\(.*\)\].*/\1/p' output | tr ',' '\n' |
        grep -n false | cut -d: -f1)
    for i in $todo; do
        word=$(printf 'word%02d' $((i - 1)))
        post $((i - 1)) 0 "{\"text\": \"$word\", \"start\": 0, \"end\": 6}" ''
        [ "$(head -n 1 output)" = 200 ] || return
        echo "$word" >> confirmed
        sleep "$1"
    done
}
for round in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    begin
    random=$(od -An -N1 -tu1 /dev/urandom | tr -d ' ')
    { sleep "0.$(printf '%03d' "$random")"; kill -9 "$server"; } &
    save_all 0.04
    wait "$server" 2> kill.txt
done
begin
save_all 0
ended 0 '100 responses, 0 unparsed'
same 'answers lost' "$(sort confirmed | uniq | while read -r word; do
    grep -q "\\\\\"$word\\\\\"" out.jsonl.answers.jsonl || echo "$word"
done)" ''
same 'answers doubled' "$(cut -c1-43 out.jsonl.answers.jsonl | sort |
    uniq -d)" ''
same 'records written' "$(wc -l < out.jsonl | tr -d ' ')" 100

expect 2 'needs --output FILE' t2g annotate --critic people --data in.jsonl
expect 2 'annotator is to be a name' t2g annotate --critic people --data \
    in.jsonl --output out.jsonl --annotator ' '
finish
