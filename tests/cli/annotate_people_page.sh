#!/bin/sh
# annotate --critic people: the page in a real browser, by mouse and by keys.
. tests/cli/lib.sh
driver=$BUILD/tests/mock/browser
for browser in chromium chromium-browser google-chrome ''; do
    command -v "$browser" > /dev/null 2>&1 && break
done
[ -n "$browser" ] && [ -x "$driver" ] || { echo 'no Chromium here'; exit 77; }

begin() # OPTIONS...: sets server, address
{
    : > log
    ${RUNNER:-} "$BUILD/t2g" annotate --critic people --data in.jsonl \
        --output out.jsonl "$@" > stdout 2> log &
    server=$!
    for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        grep -q 'http://.*/ in a' log && break
        sleep 0.2
    done
    [ $i -lt 20 ] || { echo 'no address:'; cat log; exit 1; }
    address=$(sed -n 's|.* open \(http://[^ ]*\) .*|\1|p' log)
}

browse() # the script on stdin
{
    "$driver" "$browser" "$work/profile" > output 2>&1
    got=$?
    [ $got -eq 77 ] && { kill "$server"; echo "$browser gives no answer"
        exit 77; }
    [ $got -eq 0 ] || { complain 'in the browser'; kill "$server"; }
}

has() # WHAT PATTERN
{
    grep -q "$2" out.jsonl || { failed=1; echo "$1: no $2 in"; cat out.jsonl; }
}

long() # 100 kB of many lines
{
    i=0
    line='Line %04d: the quick brown fox jumps over the lazy dog; '
    line=$line'\\ud83e\\udd8a caf\\u00e9, na\\u00efve, \\u4f60\\u597d. One more '
    line=$line'sentence.\\r\\n'
    while [ $i -lt 1000 ]; do
        printf "$line" $i
        i=$((i + 1))
    done
}

family='\ud83d\udc68\u200d\ud83d\udc69\u200d\ud83d\udc67'
{
    printf '{"id": "one", "prompt": "Say it.", "reference": "Ref.", '
    printf '"response": "Good words, %s and e\\u0301clair.\\r\\nPoor end."}\n' \
        "$family"
    printf '{"id": "two", "prompt": "p", "response": "%s"}\n' "$(long)"
    printf '{"id": "three", "prompt": "p", "response": "<b>x</b> &amp; y", '
    printf '"critique": "Old.", "good_spans": ["&amp;"], "poor_spans": '
    printf '[{"text": "y", "score": -0.5, "note": "short"}, "absent one"]}\n'
    printf '{"id": "four", "prompt": "p", "response": "x"}\n'
} > in.jsonl

begin --prefill
browse <<END
size 1100 900 light
open $address
check !\$('work').hidden && item.id === 'one'
check \$('status').textContent.startsWith('Who are you')
check \$('prompt').textContent === 'Say it.' && \$('good').disabled
check \$('response').textContent === item.response
# By keys: words, extended, marked; characters are whole.
run \$('response').focus()
key ArrowRight
check String(getSelection()) === 'Good'
key ArrowRight shift
check String(getSelection()) === 'Good words'
key g
check marks.length === 1 && marks[0].kind === 'good' && marks[0].end === 10
key ArrowRight
check String(getSelection()) === ','
key ArrowRight
check String(getSelection()).length === 8
key p
check document.querySelector('mark.poor').textContent.length === 8
key u
check marks.length === 1
key z ctrl
check marks.length === 0
key ArrowDown
key ArrowUp
key ArrowUp
check String(getSelection()).startsWith('Good words')
key g
check marks.length === 1
key x
check marks.length === 0 && \$('status').textContent === 'Mark deleted.'
run select(0, 0)
key ArrowRight
key g
key ArrowRight alt shift
check String(getSelection()) === 'Good '
# By mouse: from the middle of the family to behind the e with its accent.
run window.spot = (i, side) => { const r = document.createRange(); r.setStart(...place(i)); r.setEnd(...place(i + 1)); const b = r.getBoundingClientRect(); return (side ? b.right - 1 : b.left + 1) + ' ' + (b.top + b.height / 2); }
run getSelection().removeAllRanges()
drag spot(5) + ' ' + spot(9, true)
check String(getSelection()) === 'words'
click (b => (b.left + 5) + ' ' + (b.top + 5))(\$('poor').getBoundingClientRect())
check marks.length === 2 && marks[1].kind === 'poor'
run getSelection().setBaseAndExtent(...place(13), ...place(26))
check chosen && text.slice(...chosen) === text.slice(12, 27)
key g
check marks.length === 3
# Marks of one kind grow together, crossing ones give way, inner ones stay.
run select(2, 15)
key g
check marks.length === 2 && marks[0].start === 0 && marks[1].kind === 'poor'
key u
check marks.length === 3
run select(7, 15)
key p
check marks.map(m => m.kind[0] + m.start + '-' + m.end).join() === 'g0-4,p5-20,g21-27'
key u
check marks.map(m => m.kind[0] + m.start + '-' + m.end).join() === 'g0-4,p5-10,g12-27'
# Notes, strength, the critique, the name.
run document.querySelectorAll('#marks input')[1].focus()
type dull
run document.querySelectorAll('#marks select')[1].value = '0.5'
run document.querySelectorAll('#marks select')[1].onchange()
run \$('critique').focus()
type Fine & "dandy" g p x
check marks.length === 3
key Enter ctrl
check \$('status').textContent.startsWith('Who are you') && document.activeElement.id === 'name'
type Ada
# A reload loses nothing.
run window.before = true
run location.reload()
check !window.before && typeof item === 'object' && item && marks.length === 3 && \$('critique').value.startsWith('Fine')
run \$('name').focus()
type Ada
key Escape
picture $work/wide.png
key s
check item.id === 'two' && \$('status').textContent === 'Saved: 1 of 4.'
check \$('bar').value === 1 && \$('name').value === 'Ada'
# 100 kB, in which everything still answers at once.
run window.spot = (i, side) => { const r = document.createRange(); r.setStart(...place(i)); r.setEnd(...place(i + 1)); const b = r.getBoundingClientRect(); return (side ? b.right - 1 : b.left + 1) + ' ' + (b.top + b.height / 2); }
check encoder.encode(text).length > 100000 && \$('response').textContent === text
run window.at = text.indexOf('fox', 90000)
run select(at, at + 3)
run window.began = performance.now()
key p
check marks.length === 1
check performance.now() - began < 4000
check innerHeight > place(at)[0].parentNode.getBoundingClientRect().top
key ArrowRight
check String(getSelection()) === 'jumps'
key b
check item.id === 'one' && marks.length === 3 && \$('which').textContent.includes('answered by Ada')
check \$('critique').value === 'Fine & "dandy" g p x'
key n
check item.id === 'two' && marks.length === 1
key s
check item.id === 'three'
# An earlier critic's marks, to be corrected.
check \$('response').textContent === '<b>x</b> &amp; y' && !\$('response').querySelector('b')
check marks.length === 2 && marks[1].score === 0.5 && marks[1].note === 'short'
check \$('unplaced').textContent.includes('absent one')
key m
check String(getSelection()) === '&amp;'
# Small and dark: nothing is wider than the screen.
size 360 740 dark
check document.documentElement.scrollWidth <= 360
check [...document.querySelectorAll('button, input, select, textarea')].every(e => e.labels?.length || e.textContent.trim() || e.getAttribute('aria-label'))
picture $work/phone.png
# Answered in another tab meanwhile.
run window.theirs = fetch('item/2', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify({revision: 0, annotator: 'Bob', seconds: 1, critique: 'Mine.', good_spans: [], poor_spans: []})})
check (await theirs).ok
key s
check \$('status').textContent.includes('answered elsewhere')
check marks.length === 0 && \$('critique').value === 'Mine.'
key n
check item.id === 'four' && \$('next').disabled
# Nothing marked is an answer, but not one given by mistake.
key s
check \$('status').textContent.startsWith('Nothing is marked')
key s
check !\$('end').hidden && \$('work').hidden && \$('bottom').hidden
END
[ -n "${T2G_PICTURES:-}" ] && cp ./*.png "$T2G_PICTURES"
wait "$server"
got=$?
[ $got -eq 0 ] || { failed=1; echo "status $got:"; cat log; }
line='"critique":"Fine & \\"dandy\\" g p x","good_spans":\[{"text":"Good",'
has 'first' "$line\"start\":0,\"end\":4},{\"text\":\"[^\"]* and [^\"]*\",\"start\":12,"
has 'first, end' '"end":38}\],"poor_spans":\[{"text":"words","score":-0.5,'
has 'first, note' '"start":5,"end":10,"note":"dull"}\],"critic":{"name":"peop'
has 'who' '"annotator":"Ada","seconds":[0-9.]*[1-9]'
has 'long' '"poor_spans":\[{"text":"fox","start":[0-9]*,"end":[0-9]*}\]'
has 'third' '"critique":"Mine.".*"annotator":"Bob","seconds":1.0,'
finish
