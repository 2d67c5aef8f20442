"""Writes vectors/tokenizer: three small tokenizers and what Hugging Face
tokenizers does with them.

    pip install tokenizers==0.23.3
    python vectors/gen/tokenizer.py

NAME/tokenizer.json  as the reference saves it (pretty). gpt2 and llama3 are
                     trained on the corpus below; rich is llama3 with a
                     normalizer, a template, trimmed offsets, ignore_merges and
                     added tokens with every flag.
NAME.json            texts -> ids, offsets, decoded text ("kind": "hf")
train.json           corpus and options -> vocabularies ("kind": "bpe_train")
pretok.json          texts -> the byte where each piece ends, for each splitter
                     ("kind": "pretok")

Offsets are in bytes of the text, flat, and count a character as atomic: a token
that holds a part of one has the whole character. `decoded` is left out when it
equals the text, `decoded_skip` when it equals `decoded`.
"""
import json
import pathlib

from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models,
                        normalizers, pre_tokenizers, processors, trainers)

FOLDER = pathlib.Path(__file__).parents[1] / "tokenizer"
CL100K = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
          r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")

O200K = (r"[^\r\n\p{L}\p{N}]?UPPER*LOWER+SUFFIX|[^\r\n\p{L}\p{N}]?UPPER+LOWER*"
         r"SUFFIX|NUMBER| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
         ).replace("UPPER", r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]").replace(
             "LOWER", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]")
DEEPSEEK = [
    r"\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}"
    "\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|"
    "\\s+"]
SPLITTERS = {
    "gpt2": ["'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+"
             "|\\s+(?!\\S)|\\s+"],
    "cl100k": [CL100K], "qwen2": [CL100K.replace("{1,3}", "")],
    "o200k": [O200K.replace("SUFFIX", "(?i:'s|'t|'re|'ve|'m|'ll|'d)?").replace(
        "NUMBER", r"\p{N}{1,3}")],
    "nemo": [O200K.replace("SUFFIX", "").replace("NUMBER", r"\p{N}")],
    "deepseek": DEEPSEEK,
}

CORPUS = [
    "The reward model reads the answer and writes what is good and what is "
    "poor about it.\n",
    "A critique names the words it means; each word becomes tokens, and each "
    "token gets a reward.\n",
    "It's the policy that learns: tokens of good spans become more likely, "
    "those of poor spans less.\n",
    "In 2024 there were 1234 answers, 56 of them wrong, and 7 that nobody "
    "could judge.\n",
    "We don't reward the whole answer alike; they'd never learn which word "
    "was wrong.\n",
    "    for token in tokens:\n        total += reward[token]\n",
    "Größe, naïve, café, Łódź, Ελλάδα, Москва, 東京, 🙂🙂\n",
    "the answer the answer the reward the reward the token the token\r\n",
]

TEXTS = [
    "", " ", "\n", "a", "The answer is good.", "the reward of the answer",
    "  two  spaces\t and a tab \n\n and lines \r\n", "It's we'LL DON'T they'd",
    "1234567 8 90", "Größe naïve café", "cafe\u0301 u\u0308ber A\u030a",
    "東京とМосква", "🙂 and 👩‍👩‍👧", "nul \u0000 inside", "\u00a0\u2003\u3000x",
    "unseen bytes: \u07ff \uffff \U0010ffff", "camelCase CONSTANT x+=1;//\n",
    "<|begin_of_text|>The answer<|end_of_text|>",
    "<|endoftext|><|pad|> the <|pad|>", "tokens <mask>  and<mask>end",
    "word wordy sword word", "<left>  \n <right>   x", "trailing   ",
    "é́́", "한국어 한글", "ﬀ ſ 'ſ", "'", "''s", "!!!???\n\n\n", "\u2028\u0085 x",
    "ABC中DE fooBar HTTPServer's ǅx ʰA \u0301a\u0301B", "東京tower カナABC 9中8",
    "a/b//\n/x .txt #tag (paren)", "١٢٣٤ ⅣⅤ ½¾ 𝟎𝟏", "x\u200by \ufeffz\u180e",
    "'ſa 'Sb", "1\u0301AB \u0301CD", "a\u0305\u0301 a\u0301\u0323 q\u0307\u0323",
    "x<left>\n\n<right>y", "\n\n<left> \n\n \n",
]


def split_pattern():
    return pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(CL100K), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def train(pre_tokenizer, special, vocab_size):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizer
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=vocab_size, min_frequency=2, special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False))
    return t


def enrich(t):
    """A tokenizer that uses everything we support."""
    state = json.loads(t.to_str())
    state["model"]["ignore_merges"] = True
    t = Tokenizer.from_str(json.dumps(state))
    t.normalizer = normalizers.NFC()
    t.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False)])
    t.add_tokens([AddedToken("word", single_word=True),
                  AddedToken("<left>", rstrip=True),
                  AddedToken("<right>", lstrip=True, normalized=False),
                  AddedToken("  ", normalized=False), AddedToken("\n\n")])
    begin = t.token_to_id("<|begin_of_text|>")
    t.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=True, add_prefix_space=False),
        processors.TemplateProcessing(
            single="<|begin_of_text|> $A", special_tokens=[
                ("<|begin_of_text|>", begin)],
            pair="<|begin_of_text|> $A <|begin_of_text|>:1 $B:1")])
    return t


def case(t, text, with_template):
    encoding = t.encode(text, add_special_tokens=with_template)
    ends = [0]
    for character in text:
        ends.append(ends[-1] + len(character.encode()))
    entry = {"text": text, "ids": encoding.ids,
             "offsets": [ends[at] for pair in encoding.offsets for at in pair]}
    if not with_template:
        decoded = t.decode(encoding.ids, skip_special_tokens=False)
        skipped = t.decode(encoding.ids, skip_special_tokens=True)
        if decoded != text:
            entry["decoded"] = decoded
        if skipped != decoded:
            entry["decoded_skip"] = skipped
    return entry


def dump(name, value):
    """One case a line."""
    head = {k: v for k, v in value.items() if not isinstance(v, list)}
    lists = [json.dumps(k) + ": [\n" + ",\n".join(
        json.dumps(e, ensure_ascii=False) for e in v) + "\n]"
        for k, v in value.items() if isinstance(v, list)]
    (FOLDER / name).write_text("{" + json.dumps(head)[1:-1] + ",\n"
                               + ",\n".join(lists) + "}\n")


def write(name, t):
    (FOLDER / name).mkdir(parents=True, exist_ok=True)
    t.save(str(FOLDER / name / "tokenizer.json"))
    dump(f"{name}.json", {
        "kind": "hf", "tokenizer": name, "file": f"{name}/tokenizer.json",
        "cases": [case(t, text, False) for text in TEXTS],
        "with_special": [case(t, text, True) for text in TEXTS]})


def splitter(name, patterns):
    """Pieces cover the text, so their ends say everything."""
    parts = [pre_tokenizers.Split(Regex(p), "isolated") for p in patterns]
    whole = parts[0] if len(parts) == 1 else pre_tokenizers.Sequence(parts)
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = whole
    ends = []
    for text in TEXTS:
        pieces = [p for p, _ in whole.pre_tokenize_str(text)]
        assert "".join(pieces) == text
        sizes = [len(p.encode()) for p in pieces]
        ends.append([sum(sizes[:i + 1]) for i in range(len(sizes))])
    return {"name": name, "ends": ends,
            "pre_tokenizer": json.loads(t.to_str())["pre_tokenizer"]}


def training_case(name, t, special, vocab_size):
    state = json.loads(t.to_str())
    vocab = state["model"]["vocab"]
    return {"name": name, "normalizer": None,
            "pre_tokenizer": state["pre_tokenizer"],
            "options": {"vocab_size": vocab_size, "min_frequency": 2,
                        "special_tokens": special,
                        "initial_alphabet": "BYTE_LEVEL"},
            "sequences": CORPUS, "vocab": sorted(vocab, key=vocab.get),
            "merges": state["model"]["merges"]}


if __name__ == "__main__":
    options = {
        "gpt2": (pre_tokenizers.ByteLevel(add_prefix_space=False),
                 ["<|endoftext|>", "<|pad|>"], 360),
        "llama3": (split_pattern(),
                   ["<|begin_of_text|>", "<|end_of_text|>"], 340)}
    trained = {name: train(*o) for name, o in options.items()}
    for name, t in trained.items():
        write(name, t)
    write("rich", enrich(trained["llama3"]))
    dump("pretok.json", {"kind": "pretok", "texts": TEXTS, "splitters": [
        splitter(name, patterns) for name, patterns in SPLITTERS.items()]})
    dump("train.json", {"kind": "bpe_train", "cases": [
        training_case(name, t, *options[name][1:])
        for name, t in trained.items()]})
