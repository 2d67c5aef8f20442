"""Writes vectors/tokenizer: small tokenizers and what Hugging Face
tokenizers does with them.

    pip install tokenizers==0.23.3
    python vectors/gen/tokenizer.py

NAME/tokenizer.json  as the reference saves it (pretty). gpt2 and llama3 are
                     trained on the corpus below; rich is llama3 with a
                     normalizer, a template, trimmed offsets, ignore_merges and
                     added tokens with every flag.
NAME.json            texts -> ids, offsets, decoded text ("kind": "hf")
synthetic/NAME.json  one small tokenizer for each component and option of it
components.json      the same for those, with pairs, type ids and masks
decode.json          ids, also such as no text gives -> decoded text ("decode")
invalid.json         bytes that are not UTF-8 -> ids and offsets, each maximal
                     subpart counting as U+FFFD ("invalid_utf8")
train.json           corpus and options -> vocabularies ("kind": "bpe_train")
pretok.json          texts -> the byte where each piece ends, for each splitter
                     ("kind": "pretok")

Offsets are in bytes of the text, flat, and count a character as atomic: a token
that holds a part of one has the whole character. `decoded` is left out when it
equals the text, `decoded_skip` when it equals `decoded`.
"""
import base64
import json
import pathlib
import random

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
    "look_around": [r"(?<=\d)(?=(?:\d{3})+\b)|(?<![a-z])[aeiou](?![a-z])"],
    "borders": [r"\b\w|\B\W"], "anchors": [r"\A\s*|^the|\s+\Z|.$"],
    "possessive": [r"\s++\S?+|(?>a+)b"], "lazy": [r"<.+?>|\p{L}{2,4}?"],
    "sets": [r"[\p{L}&&[^aeiou]]+|[^\p{L}\d\s]|[\d&&[^0-4]]"],
    "escapes": [r"\x{6771}|\u4eac|[\x00-\x1f\u00a0]|\t"],
    "case": [r"(?i:ANSWER|reward)|(?i)they"],
    "scripts": [r"\p{Han}+|\p{Greek}+|\p{Cyrillic}+|\p{Hangul}|\p{Lu}\p{Ll}+"],
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


def byte_ends(text):
    ends = [0]
    for character in text:
        ends.append(ends[-1] + len(character.encode()))
    return ends


def byte_offsets(encoding, texts):
    """Special tokens and padding have (0, 0) in any text."""
    ends = [byte_ends(text) for text in texts]
    return [ends[sequence or 0][at] for pair, sequence in zip(
        encoding.offsets, encoding.sequence_ids) for at in pair]


def decoded(t, ids, text=None):
    """What differs from the text, or without the special tokens."""
    whole = t.decode(ids, skip_special_tokens=False)
    skipped = t.decode(ids, skip_special_tokens=True)
    entry = {} if whole == text else {"decoded": whole}
    if skipped != whole:
        entry["decoded_skip"] = skipped
    return entry


def case(t, text, with_template):
    encoding = t.encode(text, add_special_tokens=with_template)
    entry = {"text": text, "ids": encoding.ids,
             "offsets": byte_offsets(encoding, [text])}
    if not with_template:
        entry.update(decoded(t, encoding.ids, text))
    return entry


def full_case(t, text, pair=None):
    encoding = t.encode(text, pair, add_special_tokens=True)
    texts = {"text": text} if pair is None else {"text": text, "pair": pair}
    return {**texts, "ids": encoding.ids,
            "offsets": byte_offsets(encoding, list(texts.values())),
            "type_ids": encoding.type_ids,
            "special_tokens_mask": encoding.special_tokens_mask,
            "attention_mask": encoding.attention_mask,
            "sequence_ids": encoding.sequence_ids}


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


# --- one tokenizer a component --------------------------------------------

FEW_TEXTS = [
    "", "  The answer\tis good. ", "don't reward Größe naïve CAFÉ 12 345",
    "cafe\u0301 ﬁne ½ ǅ İ ß Å", "東京とМосква 한국 🙂‍🙂", "a\u00a0b\u3000c\r\n\n d",
    "<s> the<mask>  reward </s>x", "▁low▁▁line _ --//-- (x+y)=z!",
    "thetherewardtokentokenanswer", "\x00\x7f\u200b\ufffd\U0010ffff"]
PAIRS = [("The answer", "is good."), ("", " the reward"), ("東京 ab", "é\u0301 <s>")]
BEHAVIORS = ["removed", "isolated", "merged_with_previous", "merged_with_next",
             "contiguous"]
SPECIAL = ["<unk>", "<s>", "</s>"]


def letters(pre_tokenizer=None, **model):
    """A model of characters."""
    t = Tokenizer(models.BPE(unk_token="<unk>"))
    t.pre_tokenizer = pre_tokenizer or pre_tokenizers.WhitespaceSplit()
    t.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=170, min_frequency=2,
                                    special_tokens=SPECIAL,
                                    show_progress=False))
    t.pre_tokenizer = None
    state = json.loads(t.to_str())
    vocab = state["model"]["vocab"]
    for byte in model.pop("bytes", []):
        vocab.setdefault(f"<0x{byte:02X}>", len(vocab))
    for character in model.pop("more", " "):
        vocab.setdefault(character, len(vocab))
    state["model"].update(model)
    return Tokenizer.from_str(json.dumps(state))


def affixed(prefix="", suffix=""):
    """Put together by hand: the reference's trainer orders the characters with
    affixes at random."""
    vocab, merges = {token: i for i, token in enumerate(SPECIAL)}, []

    def symbol(word, i):
        return (prefix if i else "") + word[i] + (
            suffix if i + 1 == len(word) else "")

    for word in ("the answer answers reward rewards token tokens is good wrong "
                 "Größe Москва 東京 12 34 . , ! x").split():
        left = symbol(word, 0)
        vocab.setdefault(left, len(vocab))
        for i in range(1, len(word)):
            right = symbol(word, i)
            vocab.setdefault(right, len(vocab))
            if [left, right] not in merges:
                merges.append([left, right])
            left += right[len(prefix):]
            vocab.setdefault(left, len(vocab))
    affixes = {"continuing_subword_prefix": prefix,
               "end_of_word_suffix": suffix}
    t = Tokenizer(models.BPE(
        vocab=vocab, merges=[tuple(m) for m in merges], unk_token="<unk>",
        **{k: v for k, v in affixes.items() if v}))
    t.add_special_tokens(SPECIAL)
    t.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return t


def setting(t, **parts):
    for name, part in parts.items():
        setattr(t, name, part)
    return t


def normalizer_variants():
    n = normalizers
    for name, part in {
            "nfc": n.NFC(), "nfd": n.NFD(), "nfkc": n.NFKC(), "nfkd": n.NFKD(),
            "lowercase": n.Lowercase(), "nmt": n.Nmt(), "strip": n.Strip(),
            "strip_left": n.Strip(True, False),
            "strip_right": n.Strip(False, True), "prepend": n.Prepend("▁"),
            "strip_accents": n.Sequence([n.NFD(), n.StripAccents()]),
            "replace_text": n.Replace("ar", "ward"),
            "replace_nothing": n.Replace("the", ""),
            "replace_regex": n.Replace(Regex(r"\s+|[0-9]{2}"), "_"),
            "bert": n.BertNormalizer(), "bert_cased": n.BertNormalizer(
                clean_text=False, handle_chinese_chars=False,
                strip_accents=True, lowercase=False),
            "sequence": n.Sequence([n.NFKC(), n.Lowercase(), n.Strip()]),
    }.items():
        yield f"norm_{name}", setting(letters(), normalizer=part)
    byte_level = train(pre_tokenizers.ByteLevel(add_prefix_space=False), [],
                       280)
    yield "norm_byte_level", setting(
        byte_level, normalizer=n.Sequence([n.NFC(), n.ByteLevel()]),
        pre_tokenizer=None)


def pre_tokenizer_variants():
    p = pre_tokenizers
    parts = {"whitespace": p.Whitespace(), "space_split": p.WhitespaceSplit(),
             "delimiter": p.CharDelimiterSplit("e"),
             "digits": p.Digits(False), "each_digit": p.Digits(True),
             "empty_match": p.Split(Regex("x*"), "isolated"),
             "sequence": p.Sequence([p.WhitespaceSplit(), p.Punctuation(),
                                     p.Digits(True)])}
    for behavior in BEHAVIORS:
        parts[f"punctuation_{behavior}"] = p.Punctuation(behavior)
        parts[f"text_{behavior}"] = p.Split("e", behavior)
        for invert in (False, True):
            parts[f"regex_{behavior}{'_inverted' * invert}"] = p.Split(
                Regex(r"\s+|[aeo]+(?=[a-z])"), behavior, invert)
    for name, part in parts.items():
        yield f"pre_{name}", setting(letters(), pre_tokenizer=part)
    for scheme in ("always", "first", "never"):
        for split in (True, False):
            options = {"prepend_scheme": scheme, "split": split}
            yield f"pre_metaspace_{scheme}{'' if split else '_whole'}", setting(
                letters(p.Metaspace()), pre_tokenizer=p.Metaspace(**options),
                decoder=decoders.Metaspace(**options))


def byte_level_variants():
    for prefix in (False, True):
        for trim in (False, True):
            part = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
            yield f"bytes_{'prefix' * prefix}{'_trim' * trim or '_exact'}", setting(
                train(part, ["<s>"], 300), post_processor=processors.ByteLevel(
                    trim_offsets=trim, add_prefix_space=prefix))
    yield "bytes_no_regex", train(pre_tokenizers.ByteLevel(
        add_prefix_space=False, use_regex=False), ["<s>"], 300)


def sentence(**options):
    n = normalizers
    return setting(
        letters(pre_tokenizers.Metaspace(), more="▁", **options),
        normalizer=n.Sequence([n.Prepend("▁"), n.Replace(" ", "▁")]),
        decoder=decoders.Sequence([
            decoders.Replace("▁", " "), decoders.ByteFallback(),
            decoders.Fuse(), decoders.Strip(" ", 1, 0)]))


def model_variants():
    yield "model_no_unk", letters(unk_token=None)
    yield "model_fuse_unk", letters(fuse_unk=True)
    yield "model_ignore_merges", letters(ignore_merges=True)
    yield "model_all_bytes", sentence(bytes=range(256), byte_fallback=True,
                                      fuse_unk=True)
    yield "model_some_bytes", sentence(bytes=range(0x80, 0xe8),
                                       byte_fallback=True)
    yield "model_some_bytes_fused", sentence(
        bytes=range(0x80, 0xe8), byte_fallback=True, fuse_unk=True)
    prefixed = affixed(prefix="##")
    yield "model_prefix", setting(prefixed, decoder=decoders.WordPiece("##"))
    yield "model_suffix", setting(affixed(suffix="</w>"),
                                  decoder=decoders.BPEDecoder("</w>"))


def decoder_variants():
    d = decoders
    for name, part in {
            "none": None, "fuse": d.Fuse(), "metaspace": d.Metaspace(),
            "byte_fallback": d.ByteFallback(), "replace": d.Replace("▁", "_"),
            "replace_regex": d.Sequence([d.Replace(Regex("▁+|e"), "+")]),
            "strip": d.Strip("▁", 1, 0),
            "wordpiece": d.WordPiece("t", cleanup=True),
            "whole": d.Sequence([d.Fuse(), d.Strip("▁", 2, 0)])}.items():
        yield f"decoder_{name}", setting(
            sentence(bytes=range(256), byte_fallback=True), decoder=part)


def post_variants():
    p = processors
    template = p.TemplateProcessing(
        single="<s> $A:3 </s>:1", pair="<s> $A:1 </s>:1 $B:2 </s>:2",
        special_tokens=[("<s>", 1), ("</s>", 2)])
    for name, part in {
            "bert": p.BertProcessing(("</s>", 2), ("<s>", 1)),
            "roberta": p.RobertaProcessing(("</s>", 2), ("<s>", 1)),
            "roberta_exact": p.RobertaProcessing(
                ("</s>", 2), ("<s>", 1), trim_offsets=False),
            "template": template,
            "sequence": p.Sequence([p.ByteLevel(trim_offsets=True),
                                    template])}.items():
        yield f"post_{name}", setting(letters(), post_processor=part)
    for side in ("left", "right"):
        for strategy in ("longest_first", "only_first", "only_second"):
            t = setting(letters(), post_processor=template)
            t.enable_truncation(7, strategy=strategy, direction=side)
            t.enable_padding(direction=side, pad_id=2, pad_type_id=4,
                             pad_token="</s>", pad_to_multiple_of=4)
            yield f"fit_{strategy}_{side}", t
    t = setting(letters(), post_processor=template)
    t.enable_padding(length=9)
    yield "fit_fixed", t


def added_variants():
    for name, normalizer in {"plain": None, "lower": normalizers.Lowercase(),
                             "spaces": normalizers.Replace(" ", "▁")}.items():
        t = setting(letters(), normalizer=normalizer)
        t.add_special_tokens([
            AddedToken("<mask>", lstrip=True, rstrip=True),
            AddedToken("</S>", normalized=True), "ther"])
        t.add_tokens([
            AddedToken("reward", single_word=True), AddedToken("Größe"),
            AddedToken(" good", normalized=True), AddedToken("rewardt"),
            AddedToken("e ", rstrip=True, normalized=False)])
        yield f"added_{name}", t


def component_cases():
    for variants in (normalizer_variants, pre_tokenizer_variants,
                     byte_level_variants, model_variants, decoder_variants,
                     post_variants, added_variants):
        for name, t in variants():
            t.save(str(FOLDER / "synthetic" / f"{name}.json"), pretty=False)
            pairs = []
            if variants in (post_variants, byte_level_variants):
                pairs = [full_case(t, *p) for p in PAIRS if encodable(t, p)]
            entry = {"tokenizer": name, "cases": [
                case(t, text, False) for text in FEW_TEXTS
                if encodable(t, (text,))],
                "with_special": [full_case(t, x) for x in FEW_TEXTS[1:4]
                                 if encodable(t, (x,))] + pairs}
            if name == "model_no_unk":  # its offsets leave dropped bytes out
                for c in entry["cases"] + entry["with_special"]:
                    del c["offsets"]
            yield entry


def encodable(t, texts):
    """Whether the reference can truncate these as it is told."""
    try:
        t.encode(*texts)
        return True
    except Exception:
        return False


# --- ids and bytes --------------------------------------------------------

def decode_cases(name, t, seed):
    r = random.Random(seed)
    size = t.get_vocab_size()
    lists = [[], [size + 7], [0, 1, 2]] + [
        [r.randrange(size) for _ in range(r.randint(1, 12))]
        for _ in range(25)]
    return {"tokenizer": name, "cases": [
        {"ids": ids, **decoded(t, ids)} for ids in lists]}


INVALID = [b"valid \xc3\xa9", b"\x80", b"\xff\xfe", b"a\xc3", b"\xc3(b",
           b"\xe2\x82", b"\xe2\x82x", b"x\xe2(\xa1", b"\xf0\x9f\x99",
           b"\xf0\x9f\x99\xff the", b"\xed\xa0\x80 surrogate", b"\xc0\xaf",
           b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xe0\x80\x80",
           b"the \xd0\xbc\xd0 reward\xbf", b"<s>\xe6\x9d\xb1\xe4\xba</s>",
           b"  \x80  \x80\x80", b"\xc2\xc2\xc2\xa0"]


def replaced(raw):
    """The text, and for each character the bytes of raw it stands for."""
    text, ranges, at = "", [], 0
    while at < len(raw):
        for end in range(at + 1, len(raw) + 1):
            part = raw[at:end].decode("utf-8", "replace")
            longer = raw[at:end + 1].decode("utf-8", "replace")
            if part != "\ufffd" or end == len(raw) or len(longer) > 1:
                break
        text += part
        ranges.append((at, end))
        at = end
    assert text == raw.decode("utf-8", "replace")
    return text, ranges


def invalid_case(raw, tokenizers):
    text, ranges = replaced(raw)
    try:
        raw.decode()
        first = -1
    except UnicodeDecodeError as e:
        first = e.start
    entry = {"bytes_b64": base64.b64encode(raw).decode(),
             "first_invalid": first, "replaced": text, "tokenizers": {}}
    for name, t in tokenizers.items():
        encoding = t.encode(text, add_special_tokens=False)
        entry["tokenizers"][name] = {"ids": encoding.ids, "offsets": [
            at for begin, end in encoding.offsets
            for at in ((ranges[begin][0], ranges[end - 1][1])
                       if begin < end else 2 * ((ranges + [(len(raw),)])[
                           begin][0],))]}
    return entry


# --- training -------------------------------------------------------------

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


def free_training(name, normalizer, pre_tokenizer, byte_level=False, **options):
    t = Tokenizer(models.BPE())
    t.normalizer, t.pre_tokenizer = normalizer, pre_tokenizer
    alphabet = {"initial_alphabet": pre_tokenizers.ByteLevel.alphabet()
                } if byte_level else {}
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(
        show_progress=False, **alphabet, **options))
    state = json.loads(t.to_str())
    vocab = state["model"]["vocab"]
    return {"name": name, "normalizer": state["normalizer"],
            "pre_tokenizer": state["pre_tokenizer"],
            "options": {**options, **({"initial_alphabet": "BYTE_LEVEL"}
                                      if byte_level else {})},
            "sequences": CORPUS, "vocab": sorted(vocab, key=vocab.get),
            "merges": state["model"]["merges"]}


def free_trainings():
    n, p = normalizers, pre_tokenizers
    byte_level = p.ByteLevel(add_prefix_space=False)
    yield free_training("letters", None, p.Whitespace(), vocab_size=150)
    yield free_training("lowercase", n.Sequence([n.NFKC(), n.Lowercase()]),
                        p.WhitespaceSplit(), vocab_size=150, min_frequency=2)
    yield free_training("metaspace", None, p.Metaspace(), vocab_size=180,
                        special_tokens=["<unk>", "<s>"])
    yield free_training("alphabet", None, p.Whitespace(), vocab_size=120,
                        limit_alphabet=8)
    yield free_training("length", None, p.WhitespaceSplit(), vocab_size=300,
                        max_token_length=4)
    yield free_training("whole_text", n.Replace(" ", "▁"), None,
                        vocab_size=140, min_frequency=2)
    yield free_training("seen_bytes", n.NFC(), byte_level, vocab_size=180)
    yield free_training("all_bytes", n.NFD(), byte_level, True, vocab_size=330,
                        min_frequency=2)


if __name__ == "__main__":
    options = {
        "gpt2": (pre_tokenizers.ByteLevel(add_prefix_space=False),
                 ["<|endoftext|>", "<|pad|>"], 360),
        "llama3": (split_pattern(),
                   ["<|begin_of_text|>", "<|end_of_text|>"], 340)}
    trained = {name: train(*o) for name, o in options.items()}
    for name, t in trained.items():
        write(name, t)
    rich = enrich(trained["llama3"])
    write("rich", rich)
    (FOLDER / "synthetic").mkdir(exist_ok=True)
    dump("components.json", {"kind": "hf", "tokenizers": list(
        component_cases())})
    sentences = sentence(bytes=range(256), byte_fallback=True, fuse_unk=True)
    small = {**trained, "rich": rich, "synthetic/model_all_bytes": sentences}
    dump("decode.json", {"kind": "decode", "tokenizers": [
        decode_cases(name, t, i) for i, (name, t) in enumerate(small.items())]})
    dump("invalid.json", {"kind": "invalid_utf8", "cases": [
        invalid_case(raw, small) for raw in INVALID]})
    dump("pretok.json", {"kind": "pretok", "texts": TEXTS, "splitters": [
        splitter(name, patterns) for name, patterns in SPLITTERS.items()]})
    dump("train.json", {"kind": "bpe_train", "cases": [
        training_case(name, t, *options[name][1:])
        for name, t in trained.items()] + list(free_trainings())})
