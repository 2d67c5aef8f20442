#!/bin/sh
# The report: whatever a run directory holds, one whole page that fetches nothing
# and in which data stays text.
. tests/cli/lib.sh
has_command report || { echo 'report is not in this program'; exit 77; }

holds() # PATTERN
{
    grep -qE -e "$1" page.html || { failed=1; echo "no '$1' in the page"; }
}

lacks() # PATTERN
{
    grep -E -e "$1" page.html && { failed=1; echo "'$1' is in the page"; }
}

count() # PATTERN
{
    grep -oE -e "$1" page.html | wc -l
}

# Nothing is fetched or run, tags are balanced, all of it is text.
sound()
{
    lacks '<script|<link|<img|<iframe|@import|url\(|https?:'
    for tag in html body style p h1 h2 h4 div span b table tr figure \
        figcaption blockquote svg text g details summary pre code; do
        [ "$(count "<$tag[ >]")" -eq "$(count "</$tag>")" ] ||
            { failed=1; echo "<$tag> is not closed as often as opened"; }
    done
    LC_ALL=C grep -q "$(printf '[\001-\010\013-\037\177]')" page.html &&
        { failed=1; echo 'control characters are in the page'; }
    if command -v iconv > /dev/null; then
        iconv -f UTF-8 -t UTF-8 page.html > /dev/null ||
            { failed=1; echo 'the page is not UTF-8'; }
    fi
    lacks '(nan|inf)[",. ]?[0-9"<]'
}

page() # DIRECTORY
{
    expect 0 '' t2g report "$1" --output page.html --quiet
    sound
}

expect 2 'needs one run directory' t2g report
expect 2 'needs one run directory' t2g report a b
expect 1 'none: No such file or directory, expected a run' t2g report none
echo text > file
expect 1 'file: Not a directory, expected a run' t2g report file

# A directory of nothing: the page says so.
mkdir empty
page empty
for name in run.json result.json metrics.jsonl samples.jsonl commands.sh; do
    holds "^(.*>)?$name: not in this directory"
done
holds 'holds no results of a run'

# A run of two arms.
mkdir run
cat > run/result.json << 'EOF'
{"seed": 7, "digest": "00112233445566778899aabbccddeeff",
 "seconds": {"supervised policy": 12.5, "ppo": 40, "text2grad": 50},
 "accuracy": {"sft": {"sampled": 0.701, "greedy": 0.832, "sampled_se": 0.007,
  "greedy_se": 0.006, "missing": 0.5, "repeated": 0.04, "invented": 0.3},
  "ppo": {"sampled": 0.802, "greedy": 0.853, "sampled_se": 0.007},
  "text2grad": {"sampled": 0.843, "greedy": 0.864, "sampled_se": 0.007}},
 "peak_memory": 123000000}
EOF
metrics()
{
    echo '{"stage": "sft", "step": 10, "loss": 4.5, "tokens": 500, "seconds": 2}'
    echo '{"stage": "sft", "step": 20, "loss": 1.5, "tokens": 1000, "seconds": 4}'
    echo '{"stage": "train-rm-eval", "responses": 300, "exact": 0.75,
"unparsed": 0.01, "good": {"precision": 0.981, "recall": 0.972, "f1": 0.976,
"tokens": 4000}, "poor": {"precision": 0.911}}' | tr -d '\n'
    echo
    for arm in ppo text2grad; do
        for step in 1 2 3 4; do
            [ $arm = ppo ] && tenths=$step || tenths=$((step + 2))
            printf '{"stage": "train", "arm": "%s", "step": %d, ' $arm $step
            printf '"samples": %d, "score": %d.5, ' $((step * 96)) $step
            printf '"accuracy": 0.%d, "objective/kl": 2.25, ' $tenths
            printf '"ppo/loss/value": 1e300, "ppo/loss/policy": -0.0}\n'
        done
    done
}
metrics > run/metrics.jsonl
page run
holds '0.843 [^<]*0.007'
holds '<b>0.802 [^<]*0.007</b>'
holds '>2.25</td>' # the KL of the last step
holds 'is \+0.041 [^ ]*0.010, more than two'
# (.2 + .3 + .4)/3 is where PPO ends; the first of Text2Grad's means is .4.
holds 'PPO ends at 0.300 after 384 samples.*first reaches that after 288'
holds '>0.200 → 0.300</td><td>0.300 after 384<'
holds '<td>0.981</td><td>0.972</td><td>0.976</td><td>4000</td>'
holds '<td>0.911</td><td>–</td>'
holds '12.5</td><td class=bar><span style="width:25.0%"></span></td><td>250<'
holds 'Peak memory 123 MB'
holds '00112233445566778899aabbccddeeff'
holds '<figcaption>True accuracy'
lacks '<figcaption>Value loss' # no number one could draw
[ "$(count '<polyline')" -eq 9 ] ||
    { failed=1; echo "$(count '<polyline') curves, expected 9"; }

# Data that would like to be more than text.
cat > run/samples.jsonl << 'EOF'
{"arm":"ppo","prompt":"<script>x</script>","response":"<b>&\"'","offsets":[0,3,3,6],"rewards":[1,-0.5],"critique":"</p><img src=x>","good_spans":["<b>",{"text":"<i>"},3],"poor_spans":"no"}
{"arm":"\"><u>","prompt":"cut","response":"a€b","offsets":[0,2,2,4,4,5,5,5],"rewards":[0,-1,0.25,1]}
{"arm":"ppo","prompt":"bytes","response":"p�q�go","offsets":[0,1,1,2,2,3,3,4,4,6],"rewards":[0,0,1,0,-1]}
{"arm":"ppo","prompt":"control \u0000\u001b[31m","response":"short","offsets":[0,99,-5,7,3,1e9],"rewards":[1,-1,1]}
{"arm":"ppo","prompt":"infinite","response":"a","rewards":[1e999]}
{"arm":"ppo","prompt":"unequal","response":"whole","offsets":[0,2],"rewards":[1,1],"status":"unparsed"}
{"arm":"ppo","prompt":3,"response":4}
EOF
printf 'echo \377\376 "<a>"\n' > run/commands.sh
printf '[1]' > run/run.json
printf '{"stage": "tr' >> run/metrics.jsonl
page run
holds '&lt;script&gt;x'
holds 'title="&lt;b&gt; \+1">&lt;b&gt;</span>'
holds 'title="&amp;&quot;&#39; -0.5"'
holds 'title="a€ -1">a€</span>' # tokens that share a character: one
holds 'title="q \+1">q</span>'  # offsets count bytes that U+FFFD replaces
holds 'title="go -1">go</span>'
holds 'control ␀␛\[31m'
holds 'reply could not be read'
holds 'echo ��'
holds 'run.json: not a JSON object'
holds 'metrics.jsonl:12:.*not JSON'
holds 'samples.jsonl:5:.*not JSON'

# The same page again, byte for byte, where it belongs and on stdout.
expect 0 'run/report.html' t2g report run
cmp run/report.html page.html || failed=1
t2g report run --output - --quiet | cmp - page.html || failed=1

# All or nothing.
expect 1 'page.html' t2g report run --output nowhere/page.html
absent nowhere/page.html
limited()
{
    (trap '' XFSZ && ulimit -f 2 && "$@")
}
expect 1 'full.html: not written: File too large' \
    limited t2g report run --output full.html
absent full.html
finish
