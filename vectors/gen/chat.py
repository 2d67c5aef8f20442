"""Writes vectors/tokenizer/chat.json: conversations and what transformers
renders of them with our built-in templates, and templates that exercise one
construct of Jinja each.

    pip install transformers==5.24.0 jinja2==3.1.6
    python vectors/gen/chat.py BUILD/libt2g.so

The library gives nothing but the text of its built-in templates (its object is
needed as they are written in C). One JSON object:

bos_token, eos_token, now   what every template is given
conversations  [{"messages", "variables"?}]
builtin    NAME -> [[conversation, add_generation_prompt, text], ...]; text null
           for an error
constructs [[template, text]]: rendered with `messages` and `variables` of
           construct_input; null: an error
assistant  NAME -> [[conversation, [begin, end, ...]]]: bytes of the turns that
           the model writes, by the offsets of generation blocks or, without
           them, by the rule of prefixes; null: an error
"""
import ctypes
import datetime
import json
import pathlib
import random
import sys

import transformers.utils.chat_template_utils as utils

OUT = pathlib.Path(__file__).parents[1] / "tokenizer/chat.json"
BOS, EOS, NOW = "<s>", "</s>", 1753600000
PER_TEMPLATE = 210

PIECES = ["Hello", "wörld", "  lead", "trail  ", "\n", "\n\nx", "<|im_end|>",
          "<|eot_id|>", "</s>", "[INST]", "<think>", "</think>", "日本語", "😀",
          "a'b", '"q"', "{{x}}", "{% if %}", "\\n", "ΑΣ", "ß", "\t", "\u00a0",
          "\u200b", "<tool_response>", "</tool_response>", "e\u0301", "&<>",
          "<think>\nhm\n</think>\n\nok"]


class FixedClock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.fromtimestamp(NOW, datetime.timezone.utc)


utils.datetime = FixedClock


def content(r):
    return "".join(r.choice(PIECES) + r.choice(["", " ", ""])
                   for _ in range(r.choice([0, 1, 1, 2, 3, 5])))


def conversation(r):
    roles = ["user", "assistant"] * 4
    roles = roles[:r.randint(1, 7)]
    if r.random() < 0.2:
        roles = [r.choice(["system", "user", "assistant"])
                 for _ in range(r.randint(1, 5))]
    elif r.random() < 0.5:
        roles.insert(0, "system")
    one = {"messages": [{"role": x, "content": content(r)} for x in roles]}
    for m in one["messages"]:
        if m["role"] == "assistant" and r.random() < 0.1:
            m["reasoning_content"] = content(r)
    if r.random() < 0.15:
        one["variables"] = {"enable_thinking": r.random() < 0.5}
    return one


def render(template, one, add_generation_prompt=False, mask=False):
    messages = utils._normalize_chat_messages(one["messages"])
    texts, ranges = utils.render_jinja_template(
        [messages], chat_template=template, bos_token=BOS, eos_token=EOS,
        add_generation_prompt=add_generation_prompt,
        return_assistant_tokens_mask=mask, **one.get("variables", {}))
    return (texts[0], ranges[0]) if mask else texts[0]


def render_or_null(template, one, add_generation_prompt=False):
    try:
        return render(template, one, add_generation_prompt)
    except Exception:  # whatever Python raises is an error of the template
        return None


def assistant(template, one):
    """Flat byte ranges, or None."""
    if "{% generation %}" in template:
        text, ranges = render(template, one, mask=True)
        return [len(text[:x].encode()) for pair in ranges for x in pair]
    whole, out = render(template, one), []
    for i, message in enumerate(one["messages"]):
        if message["role"] != "assistant":
            continue
        if i == 0:
            return None
        part = dict(one, messages=one["messages"][:i])
        prompt = render(template, part, True)
        part["messages"] = one["messages"][:i + 1]
        turn = render(template, part)
        if not (whole.startswith(turn) and whole.startswith(prompt)
                and len(turn) >= len(prompt)):
            return None
        made = turn[len(prompt):]
        if made.rstrip().endswith(EOS):
            made = made.rstrip()
        begin = len(prompt.encode())
        out += [begin, begin + len(made.encode())]
    return out


def assistant_or_null(template, one):
    try:
        return assistant(template, one)
    except Exception:
        return None


# --- constructs ------------------------------------------------------------

INPUT = {
    "messages": [
        {"role": "system", "content": " Be brief.\n"},
        {"role": "user", "content": "Hi <b>'\"& ΣΑΣ ß \u00e9\n"},
        {"role": "assistant", "content": "", "tool_calls": [
            {"id": "a1", "function": {"name": "f", "arguments": {
                "x": 1, "y": [1.5, None, True], "z": "\u2028\u007f\t"}}}]},
        {"role": "tool", "content": "42"},
        {"role": "user", "content": "bye", "tags": ["b", "A", "c", "a"]}],
    "variables": {
        "tools": [{"name": "f", "items": 3, "parameters": {
            "type": "object", "properties": {"b": {"type": "string"},
                                             "A": {"type": "integer"}}}}],
        "enable_thinking": False, "n": 7, "x": -2.5, "big": 1e22,
        "tiny": 1.5e-7, "text": "a-b c(d {e<f", "empty": "", "nothing": None,
        "list": [3, 1, 2, 1], "words": ["pear", "Apple", "fig", "apple"],
        "people": [{"name": "Bo", "age": 3}, {"name": "al", "age": 9},
                   {"name": "Cy"}]}}

EXPRESSIONS = """
1 + 2 * 3 - 4 // 3 % 2|7 / 2|-7 // 2|-7 % 3|7 % -3|2 * 'ab'[0:1]|'ab' * 3|1.0
1e5|1e16|1.5e-5|0.0001|123456789.125|big|tiny|x|-x|+n|-x % 2|x // 2|1 / 3
100000000000000000.0|1e15|12345678901234567.0|true|True|none|None|false
true + 1|n == 7.0|1 == true|'a' ~ 1 ~ none ~ 1.5 ~ true ~ [1, 'b'] ~ missing
'a' < 'b'|1 < 2 < 3|1 < 3 < 2|[1, 2] < [1, 3]|'a' in 'cat'|1 in list
9 not in list|not 1 == 2|not not 1|1 or 2|0 or ''|0 and missing.x|'' or 'z'
n > 5 and x < 0|'yes' if n else 'no'|'yes' if empty
'a' if 0 else 'b' if 0 else 'c'|missing|missing.x|missing['x']|nothing.x
messages.x|messages[9]|messages[-1].role|messages[0]['role'][0]|'h\\u00e9l'[1]
'abc'[-1]|'abc'[5]|messages[1:3]|length|list[::-1]|list[1:]|list[:-1]
list[::2]|list[-2:]|list[5:2]|'h\\u00e9llo'[1:3]|'hello'[:-1]|'abc'[-9:9]|(1,)
()|(1, 2)|[]|{}|{'a': 1, 2: [none]}|{'a': 1}['a']|{'a': 1}.a
{'a': 1}.b is defined|{'items': 1}.items is defined|{'items': 1}['items']
{}['items'] is defined|tools[0]['items']|{}.items() is sequence
tools is sequence|'a' is sequence|missing is sequence|{} is mapping
n is number|x is number|true is number|'1' is number|n is integer|x is float
true is boolean|n is odd|n is even|n is divisibleby 7|n is divisibleby(2)
none is none|nothing is not none|missing is undefined|n is defined
n is not defined|'a' is string|[] is iterable|n is iterable
enable_thinking is false|true is true|1 is true|n is eq 7|n is equalto(8)
n is in list|3 is in list|'a' is in('abc')|n is gt 3|n is lt 3|n is ge 7
n is le 6|n is ne 7|text.split()|text.split(' ')|text.split('-', 1)
'a,b,,c'.split(',')|' a  b '.split()|'a'.split('')|' a  b c '.split(none, 1)
'a b c'.rsplit(' ', 1)|'a b c'.split(maxsplit=1)
'a\\nb\\r\\nc\\u2028d\\n'.splitlines()|'xxhixx'.strip('x')
'xxhixx'.lstrip('x')|'xyhi'.lstrip('yx')|'hi\\n\\n'.rstrip('\\n')
'\\u00a0 a\\u2003'.strip() ~ '!'|'hello'.startswith('he')
'hello'.endswith(('lo', 'x'))|'hello'.find('l')|'h\\u00e9llo'.find('l')
'hello'.rfind('l')|'hello'.count('l')|'aaaa'.count('aa')|'abc'.count('')
'abc'.replace('b', 'xx')|'aaa'.replace('a', 'b', 2)|'abc'.replace('', '-')
'abc'.replace('', '-', 2)|''.replace('', 'x')|'abc'.upper()
messages[1].content.upper()|messages[1].content.lower()
messages[1].content.title()|messages[1].content.capitalize()|text.title()
'ΑΣ ΑΣΑ Σ Α\\u0301Σ.'.lower()|'\\u01c6x \\ufb01n'.title()|"they're bill's"
title|'-'.join(words)|', '.join([])|'{} {}'.format('a', 1)
'{1}{0}'.format('a', 'b')|'{x}{{}}'.format(x=none)|'{}'.format()|'a}'.format()
'prefix'.removeprefix('pre')|'prefix'.removesuffix('ix')|'abc'.index('b')
{}.get('a')|{'a': 1}.get('a', 2)|{}.get('a', 'd')|{}.a|list.append(1)
list.index(2)|list.count(1)|words.pop()|{}.update({})
""".replace("\\\\", "\\")

FILTERED = r"""
text | upper
text | title
text | capitalize
' a ' | trim ~ '|'
'xxa' | trim('x')
messages[1].content | trim
messages | length
'h\u00e9' | length
missing | length
n | length
missing | default('d')
missing | d
empty | default('d')
empty | default('d', true)
nothing | default('d')
missing.x | default('d')
messages[2].tool_calls[0].function | tojson
messages[2].tool_calls | tojson(indent=2)
messages[2].tool_calls | tojson(indent=4)
messages[1].content | tojson
messages[1].content | tojson(ensure_ascii=true)
messages[2].tool_calls[0] | tojson(separators=(',', ':'))
tools | tojson(sort_keys=true)
[] | tojson(indent=2)
{} | tojson
{1: 2, none: 1.0, true: false} | tojson
[big, tiny, x, -0.0, 1e100] | tojson
missing | tojson
[missing] | tojson
tools
messages[2]
"it's" | list
["it's", 'say "x"', "both ' and \"", 'a\nb\t\\', '\u00e9\u200b\x07']
words | join(', ')
list | join
people | join(', ', attribute='name')
people | map(attribute='name') | join('+')
people | map(attribute='age', default=0) | list
words | map('upper') | list
words | map('replace', 'p', 'q') | join(' ')
words | select('equalto', 'fig') | list
list | select | list
[0, 1, none, ''] | reject | list
list | select('odd') | list
list | reject('in', [1]) | list
people | selectattr('age') | map(attribute='name') | list
people | selectattr('age', 'defined') | list | length
people | selectattr('age', 'gt', 4) | list
people | rejectattr('name', 'equalto', 'Bo') | map(attribute='name') | list
messages | selectattr('role', 'equalto', 'user') | list | length
nothing | selectattr('a') | list
nothing | map('upper') | list
words | first
words | last
[] | first
'abc' | first
'abc' | list
'abc' | reverse
list | reverse | list
list | sort
list | sort(reverse=true)
words | sort
words | sort(case_sensitive=true)
people | sort(attribute='name') | map(attribute='name') | list
list | unique | list
words | unique | list
list | min
list | max
words | max
[] | min is defined
tools[0].parameters.properties | dictsort
tools[0].parameters.properties | dictsort(true)
{'a': 2, 'b': 1} | dictsort(by='value')
{'a': 2, 'b': 1} | dictsort(reverse=true)
{'a': 1} | items | list
{'a': 1, 'b': 2}.items() | list
{'a': 1}.keys() | list
{'a': 1}.values() | list
{'a': 1}.items() | length
missing | items | list
'12' | int + 1
'x' | int
'x' | int(5)
' 12.7 ' | int
3.9 | int
-3.9 | int
nothing | int
'1.5' | float
'x' | float
n | string ~ 'a'
tools[0].parameters | string
none | string
-3 | abs
'a b a' | replace('a', 'x')
'a b a' | replace('a', 'x', 1)
12321 | replace(2, 'two')
'a\nb\n\nc' | indent
'a\nb\n\nc' | indent(2, true)
'a\nb\n\nc\n' | indent(2, blank=true)
'a\nb' | indent('> ', first=true)
'' | indent(first=true)
'<b>' | safe
'<b>' | safe + '<i>'
'<i>' + '<b>' | safe
'<i>' ~ '<b>' | safe ~ '<u>'
('<b>' | safe + messages[1].content) | trim
range(3) | list
range(1, 7, 2) | list
range(5, 0, -2) | list
dict(a=1, b='x')
dict({'a': 1}, b=2)
namespace(a=1).a
namespace(a=1).b
strftime_now('%d %b %Y %H:%M')
raise_exception('no')
undefined_function()
'a' 'b' "c"
'\x41\u00e9\t\q\101'
- 3 | abs
1 if missing is defined and missing.x else 2
loop
messages[1].content is string and messages[1].content | length > 3
"<" in messages[1].content
{'a': {'b': [1, {'c': 2}]}}.a.b[1].c
[[1, 2], [3]] == [[1, 2], [3]]
{'a': 1, 'b': 2} == {'b': 2, 'a': 1}
messages[0] == messages[0]
messages[0] != messages[1]
'1' == 1
none == missing
missing == also_missing
1 + '1'
'1' + 1
none + 'a'
1 < 'a'
1 in 'abc'
'x' in none
[1] + [2]
(1,) + (2,)
1 / 0
n.x.y
'%s' | unknown_filter
""".strip().split("\n")

STATEMENTS = [
    "  {% if true %}a{% endif %}",
    "{% if true %}\n  {% if true %}a{% endif %}{% endif %}",
    "{{ 1 }}  {% if true %}a{% endif %}",
    "{% if true %}  {% if true %}a{% endif %}{% endif %}",
    "{# a #}\n  {# b #}  {% raw %}  x\n  {% endraw %}",
    "a\n  {% if true %}\n  b\n  {% endif %}\nc\n",
    "a {%- if true -%} b {%- endif -%} c",
    "  {%+ if true %}x{% endif %}\n",
    "x  {%+ if true +%}\n  y{% endif %}",
    "a\n   {# comment #}\nb {#- c -#} d\n\n{# x\ny #}\ne",
    "{{ 1 }}\n{{ 2 -}}\n  {{- 3 }}\n\n",
    "  {{ 1 }}  \n  {{- 2 }}",
    "{% raw %}\n{{ x }} {% if %}{% endraw %}\ny",
    "a  {%- raw -%}  b {% endraw -%}  c",
    "a\r\nb\rc{{ '\r\n' }}d\r\n",
    "\n\nx\n\n",
    "{% for i in list %}{{ i }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "{% for i in list %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}"
    "{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }};"
    "{% endfor %}",
    "{% for i in list %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }} "
    "{% endfor %}",
    "{% for i in list %}{{ loop.previtem is defined }}{{ loop.depth }}"
    "{{ loop.cycle('a', 'b') }}{{ loop.changed(i) }} {% endfor %}",
    "{% for i in [] %}x{% else %}none{% endfor %}",
    "{% for i in list if i > 1 %}{{ loop.index }}/{{ loop.length }}:{{ i }} "
    "{% else %}-{% endfor %}",
    "{% for i in list if i > 9 %}x{% else %}{% set q = 1 %}e{{ q }}{% endfor %}"
    "{{ q }}",
    "{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for k in {'a': 1, 'b': 2} %}{{ k }}{% endfor %}",
    "{% for c in 'h\u00e9' %}[{{ c }}]{% endfor %}",
    "{% for a, b in [(1, 2), [3, 4]] %}{{ a + b }} {% endfor %}",
    "{% for a, b in [(1, 2, 3)] %}{{ a }}{% endfor %}",
    "{% for i in 5 %}{{ i }}{% endfor %}",
    "{% for i in missing %}x{% else %}e{% endfor %}",
    "{% for i in none %}x{% endfor %}",
    "{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}"
    "{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{% for i in range(3) %}{% for j in range(3) %}{% if j == 1 %}{% break %}"
    "{% endif %}{{ i }}{{ j }} {% endfor %}{% endfor %}",
    "{% for i in 1, 2 %}{{ i }}{% endfor %}",
    "{% for i in list if i is odd %}{% for j in list %}{{ loop.index }}"
    "{% endfor %}{{ loop.index }};{% endfor %}",
    "{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = x + i %}{{ x }} "
    "{% endfor %}{{ x }}",
    "{% for i in [1, 2] %}{{ y }}{% set y = i %}{{ y }}{% endfor %}{{ y }}",
    "{% set ns = namespace(x=1, l=[]) %}{% for i in list %}"
    "{% set ns.x = ns.x + i %}{% set ns.l = ns.l + [i] %}{% endfor %}"
    "{{ ns.x }}{{ ns.l }}",
    "{% set d = {} %}{% set d.x = 1 %}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}",
    "{% set a, b = 1, 2, 3 %}",
    "{% set a = 1, 2 %}{{ a }}",
    "{% if 0 %}a{% elif 1 %}b{% elif 1 %}c{% else %}d{% endif %}",
    "{% if missing %}a{% elif 0 %}b{% else %}d{% endif %}",
    "{% if true %}{% set z = 5 %}{% endif %}{{ z }}",
    "{% if false %}{% set z = 5 %}{% endif %}{{ z }}",
    "{% set b %}x{{ n }}{% set inner = 1 %}{% endset %}[{{ b }}]{{ inner }}",
    "{% set b %}\n  {{ messages[0].content }}\n{% endset %}{{ b | trim }}",
    "{% macro f(a, b=2, c=b) %}{{ a }}-{{ b }}-{{ c }};{% endmacro %}"
    "{{ f(1) }}{{ f(1, 3) }}{{ f(a=4, c=5) }}{{ f() }}",
    "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, 2) }}",
    "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(b=2) }}",
    "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, a=2) }}",
    "{% macro f(a) %}{{ a is defined }}{{ late }}{% endmacro %}"
    "{% set late = 'L' %}{{ f() }}",
    "{% macro f(v) %}{% if v is mapping %}{% for k, w in v.items() %}{{ k }}:"
    "{{ f(w) }}{% endfor %}{% elif v is string %}{{ v }}"
    "{% elif v is iterable %}"
    "{% for w in v %}{{ f(w) }},{% endfor %}{% else %}{{ v }}{% endif %}"
    "{% endmacro %}{{ f(tools) }}",
    "{% macro f() %}{% set x = 2 %}{{ x }}{% endmacro %}{% set x = 1 %}"
    "{{ f() }}{{ x }}",
    "{% for i in [1, 2] %}{% macro f() %}{{ i }}{% endmacro %}{{ f() }}"
    "{% endfor %}",
    "{% macro f() %}  a\n{% endmacro %}[{{ f() | trim }}]{{ f() is string }}",
    "{% generation %}x{{ n }}{% set y = 1 %}{% endgeneration %}{{ y }}",
    "{% for m in messages %}{% if m.role == 'assistant' %}{% generation -%}\n"
    " {{ m.content }}{{ loop.index }}{%- endgeneration %}{% endif %}"
    "{% endfor %}",
    "{% set messages = messages[1:] %}{{ messages | length }}",
    "{% set loop = 3 %}{% for i in [1] %}{{ loop.index }}{% endfor %}"
    "{{ loop }}",
    "{{ messages[1].content.split('<')[0] | upper ~ '|' }}",
    "{{ \"}}\" }}{{ '%}' }}{{ {'a': {'b': 1}} }}",
    "{{ 1, 2 }}", "{{ }}", "{{ 1", "{% if 1 %}", "{% endif %}", "{% nope %}",
    "{{ 1 | }}", "{{ 'a }}", "{# x", "{% for x list %}{% endfor %}", "{{ (1 }}",
    "{{ [1 }}", "{{ 1] }}", "{{ a b }}", "{% set 1 = 2 %}", "{% break %}",
    "{{ f(a=1, 2) }}", "{{ 1 is }}", "{{ x is defined is defined }}",
    "{% else %}", "{% macro f(a=1, b) %}{% endmacro %}", "{{ $ }}",
    "{% raw %}x", "{% set x %}y", "{{ '\\x4' }}", "{ { } } %} }} #}",
    "{{ 1 }}}", "{%- set x = 1 -%}\n\n a {{- x -}} b",
    "{% if not (1 if 0 else 0) %}y{% endif %}",
    "{{ messages | map(attribute='role') | unique | sort | join(',') }}",
]


def constructs():
    for line in EXPRESSIONS.strip().split("\n"):
        for one in line.split("|"):
            yield "{{ " + one + " }}"
        yield "{{ " + line.replace("|", " }};{{ ") + " }}"
    for one in FILTERED:
        yield "{{ " + one + " }}"
    yield from STATEMENTS


def construct_cases():
    out, seen = [], set()
    for template in constructs():
        if template not in seen:
            seen.add(template)
            out.append([template, render_or_null(template, INPUT)])
    return out


def builtin_templates(path):
    library = ctypes.CDLL(path)
    name, text = library.t2g_chat_builtin_name, library.t2g_chat_builtin
    name.restype = text.restype = ctypes.c_char_p
    name.argtypes = [ctypes.c_size_t]
    out, i = {}, 0
    while name(i):
        out[name(i).decode()] = text(name(i)).decode()
        i += 1
    return out


def dump(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def lines(values):
    return "[\n" + ",\n".join(map(dump, values)) + "]"


def main():
    r = random.Random(7)
    shared = [conversation(r) for _ in range(300)]
    builtin, turns = {}, {}
    for name, template in builtin_templates(sys.argv[1]).items():
        cases = []
        for i in r.sample(range(len(shared)), PER_TEMPLATE):
            prompt = r.random() < 0.5
            cases.append([i, prompt,
                          render_or_null(template, shared[i], prompt)])
        builtin[name] = cases
        turns[name] = [[i, assistant_or_null(template, shared[i])]
                       for i in r.sample(range(len(shared)), 60)]
    parts = [f'"kind":"chat","bos_token":"{BOS}","eos_token":"{EOS}",'
             f'"now":{NOW}',
             '"conversations":' + lines(shared),
             '"builtin":{' + ",\n".join(f'"{k}":' + lines(v)
                                        for k, v in builtin.items()) + "}",
             '"assistant":{' + ",\n".join(f'"{k}":' + lines(v)
                                          for k, v in turns.items()) + "}",
             '"construct_input":' + dump(INPUT),
             '"constructs":' + lines(construct_cases())]
    OUT.write_text("{" + ",\n".join(parts) + "}\n", encoding="utf-8")


main()
