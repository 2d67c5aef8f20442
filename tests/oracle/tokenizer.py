"""Compares our tokenizer with Hugging Face tokenizers on random texts.

    pip install tokenizers==0.23.3 numpy
    python tests/oracle/tokenizer.py --library build/libt2g.so [--count N]
        [--seconds S] [--trained] TOKENIZER.json[.gz]|FOLDER ...

For every file in the folders that is a tokenizer, .json or .json.gz: ids,
offsets, type ids and masks, with and without the template's tokens, of texts and pairs;
decoded text of these ids and of random ones; our decoding token by token; bytes
that are not UTF-8; each token's bytes. --trained adds tokenizers made here, as
those of Llama 2 and Gemma are. At a difference it prints the smallest text it
finds that shows it and exits with 1.
"""
import argparse
import ctypes
import gzip
import json
import os
import pathlib
import sys
import tempfile
import time
from itertools import chain

os.environ.setdefault("RAYON_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("RUST_BACKTRACE", "0")  # it panics in some decoders

import numpy as np  # noqa: E402
from tokenizers import (Tokenizer, decoders, models, normalizers,  # noqa: E402
                        pre_tokenizers, processors, trainers)

import texts as fragments  # noqa: E402

TEMPLATE, FIT, REPLACE = 1, 4, 8
ROLE_TEMPLATE, ROLE_PADDING, ROLE_SECOND = 1, 2, 4
BATCH = 4000


# --- our library ---------------------------------------------------------

class Encoding(ctypes.Structure):
    _fields_ = [("id", ctypes.POINTER(ctypes.c_uint32)),
                ("offset", ctypes.POINTER(ctypes.c_size_t)),
                ("type_id", ctypes.POINTER(ctypes.c_uint32)),
                ("role", ctypes.POINTER(ctypes.c_uint8)),
                ("count", ctypes.c_size_t), ("capacity", ctypes.c_size_t),
                ("encoder", ctypes.c_void_p)]


class Buffer(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_size_t),
                ("capacity", ctypes.c_size_t)]

    def bytes(self):
        return ctypes.string_at(self.data, self.size) if self.size else b""


class Stream(ctypes.Structure):
    _fields_ = [("id", ctypes.POINTER(ctypes.c_uint32)),
                ("count", ctypes.c_size_t), ("capacity", ctypes.c_size_t),
                ("done", ctypes.c_size_t), ("bytes", Buffer)]


def bind(path):
    lib = ctypes.CDLL(str(path))
    pointer, size, flag = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint
    text, yes = ctypes.c_char_p, ctypes.c_bool
    for name, result, arguments in [
            ("t2g_error_message", text, []),
            ("t2g_tokenizer_load", ctypes.c_int, [pointer, text]),
            ("t2g_tokenizer_free", None, [pointer]),
            ("t2g_tokenizer_encode", ctypes.c_int,
             [pointer, text, size, flag, pointer]),
            ("t2g_tokenizer_encode_pair", ctypes.c_int,
             [pointer, text, size, text, size, flag, pointer]),
            ("t2g_encoding_free", None, [pointer]),
            ("t2g_tokenizer_decode", ctypes.c_int,
             [pointer, pointer, size, yes, pointer]),
            ("t2g_buffer_free", None, [pointer]),
            ("t2g_decode_stream_push", ctypes.c_int,
             [pointer, pointer, ctypes.c_uint32, yes, pointer]),
            ("t2g_decode_stream_finish", ctypes.c_int,
             [pointer, pointer, yes, pointer]),
            ("t2g_decode_stream_free", None, [pointer]),
            ("t2g_tokenizer_bytes", pointer,
             [pointer, ctypes.c_uint32, pointer]),
            ("t2g_tokenizer_size", size, [pointer])]:
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


class Tokens:
    """Columns of the tokens of many texts, one behind the other."""
    COLUMNS = ["ids", "offsets", "type ids", "special tokens mask",
               "attention mask", "sequence ids"]

    def __init__(self, counts, columns):
        self.ends = np.cumsum(counts)
        self.columns = columns

    def of(self, i):
        begin = self.ends[i - 1] if i else 0
        return [c[begin:self.ends[i]].tolist() for c in self.columns]

    def first_difference(self, other, skip):
        """A text with a difference, or None."""
        if (self.ends != other.ends).any():
            return int(np.argmax(self.ends != other.ends))
        for k, (a, b) in enumerate(zip(self.columns, other.columns)):
            if self.COLUMNS[k] not in skip and (a != b).any():
                at = np.argmax((a != b).reshape(len(a), -1).any(axis=1))
                return int(np.searchsorted(self.ends, at, side="right"))
        return None


class Ours:
    def __init__(self, lib, path):
        self.lib, self.t = lib, ctypes.c_void_p()
        self.e, self.out, self.stream = Encoding(), Buffer(), Stream()
        self.check(lib.t2g_tokenizer_load(ctypes.byref(self.t),
                                          str(path).encode()), str(path))

    def check(self, status, what):
        if status:
            raise Difference(what, self.lib.t2g_error_message().decode(), "")

    def close(self):
        self.lib.t2g_encoding_free(ctypes.byref(self.e))
        self.lib.t2g_buffer_free(ctypes.byref(self.out))
        self.lib.t2g_decode_stream_free(ctypes.byref(self.stream))
        self.lib.t2g_tokenizer_free(self.t)

    def fill(self, inputs, flags):
        """Encodes str, bytes or pairs of bytes; returns counts."""
        e, ends = self.e, []
        encode, pair = (self.lib.t2g_tokenizer_encode,
                        self.lib.t2g_tokenizer_encode_pair)
        at, t = ctypes.addressof(e), self.t
        e.count = 0
        for x in inputs:
            if isinstance(x, tuple):
                status = pair(t, x[0], len(x[0]), x[1], len(x[1]), flags, at)
            else:
                status = encode(t, x, len(x), flags, at)
            self.check(status, x)
            ends.append(e.count)
        return np.diff(np.array(ends), prepend=0)

    def array(self, pointer, n):
        return np.ctypeslib.as_array(pointer, (n,)).copy() if n else np.zeros(
            0, np.int64)

    def encode(self, inputs, flags):
        """Offsets in characters, a part of one counting as the whole."""
        raw = [tuple(s.encode() for s in x) if isinstance(x, tuple)
               else x.encode() for x in inputs]
        counts = self.fill(raw, flags)
        n = self.e.count
        role = self.array(self.e.role, n)
        special = role & (ROLE_TEMPLATE | ROLE_PADDING) != 0
        second = (role & ROLE_SECOND != 0).astype(np.int64)
        flat = list(chain.from_iterable(
            x if isinstance(x, tuple) else (x, b"") for x in raw))
        base = np.cumsum([0] + [len(x) for x in flat])
        which = 2 * np.repeat(np.arange(len(raw)), counts) + second
        offsets = widen(b"".join(flat), base[which] if n else base[:0],
                        self.array(self.e.offset, 2 * n).reshape(-1, 2))
        return Tokens(counts, [
            self.array(self.e.id, n), offsets, self.array(self.e.type_id, n),
            special, role & ROLE_PADDING == 0, np.where(special, -1, second)])

    def decode(self, lists, skip):
        decode, t, out = self.lib.t2g_tokenizer_decode, self.t, self.out
        at, texts, begin = ctypes.addressof(out), [], 0
        out.size, ends = 0, []
        for ids in lists:
            array = np.array(ids, np.uint32)
            self.check(decode(t, array.ctypes.data, len(array), skip, at), ids)
            ends.append(out.size)
        whole = out.bytes()
        for end in ends:
            texts.append(whole[begin:end].decode("utf-8", "surrogateescape"))
            begin = end
        return texts

    def decode_streaming(self, ids, skip):
        self.out.size = 0
        s, out = ctypes.addressof(self.stream), ctypes.addressof(self.out)
        for token in ids:
            self.check(self.lib.t2g_decode_stream_push(s, self.t, token, skip,
                                                       out), ids)
            self.out.bytes().decode()  # never ends inside a character
        self.check(self.lib.t2g_decode_stream_finish(s, self.t, skip, out), ids)
        return self.out.bytes().decode("utf-8", "surrogateescape")

    def token_bytes(self, token):
        n = ctypes.c_size_t()
        at = self.lib.t2g_tokenizer_bytes(self.t, token, ctypes.byref(n))
        return ctypes.string_at(at, n.value) if at else None

    def size(self):
        return self.lib.t2g_tokenizer_size(self.t)


def widen(joined, base, offsets):
    """Byte ranges from base on as ranges of whole characters."""
    begins = (np.frombuffer(joined + b"a", np.uint8) & 0xc0) != 0x80
    before = np.concatenate([[0], np.cumsum(begins)])
    at = base[:, None] + offsets.astype(np.int64)
    inside = ~begins[at[:, 0]] & (offsets[:, 0] < offsets[:, 1])
    wide = before[at]
    wide[:, 0] -= inside
    return wide - before[base][:, None]


# --- theirs --------------------------------------------------------------

def numbers(lists, kind=np.int64):
    return np.fromiter(chain.from_iterable(lists), kind)


def read_text(path):
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as f:
        return f.read()


class Theirs:
    def __init__(self, path):
        text = read_text(path)
        self.state = json.loads(text)
        self.t = Tokenizer.from_str(text)
        self.alone = self.t.padding is not None
        self.truncates = self.t.truncation is not None

    def encode(self, inputs, flags):
        special = bool(flags & TEMPLATE)
        if self.alone:  # a batch is padded to its longest
            found = [self.t.encode(*x, add_special_tokens=special)
                     if isinstance(x, tuple)
                     else self.t.encode(x, add_special_tokens=special)
                     for x in inputs]
        else:
            found = self.t.encode_batch(inputs, add_special_tokens=special)
        columns = [
            numbers(e.ids for e in found),
            numbers(chain.from_iterable(e.offsets for e in found)).reshape(
                -1, 2)]
        if special or (inputs and isinstance(inputs[0], tuple)):
            columns += [
                numbers(e.type_ids for e in found),
                numbers(e.special_tokens_mask for e in found),
                numbers(e.attention_mask for e in found),
                np.array([-1 if i is None else i for e in found
                          for i in e.sequence_ids], np.int64)]
        return Tokens([len(e) for e in found], columns)

    def can_encode(self, text):
        """It refuses to truncate texts that are too short for its strategy."""
        try:
            self.encode([text], 0)
            self.encode([text], TEMPLATE)
            return True
        except Exception:
            return False

    def decode(self, lists, skip):
        """None where the library panics."""
        try:
            return self.t.decode_batch(lists, skip_special_tokens=skip)
        except BaseException as e:  # its PanicException is no Exception
            if isinstance(e, KeyboardInterrupt):
                raise
            if len(lists) == 1:
                return [None]
        return [self.decode([x], skip)[0] for x in lists]


# --- comparison ----------------------------------------------------------

class Difference(Exception):
    def __init__(self, text, ours, theirs):
        super().__init__(f"  text   {text!r}\n  ours   {ours}\n"
                         f"  theirs {theirs}")


def spells_bytes(state):
    """Whether no character can be dropped."""
    parts = json.dumps([state["pre_tokenizer"], state["normalizer"]])
    model = state["model"]
    return "ByteLevel" in parts or model.get("unk_token") is not None or (
        model.get("byte_fallback")
        and all(f"<0x{b:02X}>" in model["vocab"] for b in range(256)))


def decodes_forward(decoder):
    """Whether no token changes the text of those before it."""
    if decoder is None:
        return True
    if decoder["type"] == "Sequence":
        return all(map(decodes_forward, decoder["decoders"]))
    return decoder["type"] != "BPEDecoder" and decoder.get("stop", 0) == 0


class Comparison:
    def __init__(self, lib, path, seed):
        self.ours, self.theirs = Ours(lib, path), Theirs(path)
        state = self.theirs.state
        added = [a["content"] for a in state["added_tokens"]]
        symbols = {c: bytes([b]) for b, c in byte_symbols().items()}
        vocabulary = [b"".join(symbols[c] for c in token).decode(
            "utf-8", "replace") if all(c in symbols for c in token)
            else token for token in state["model"]["vocab"]]
        self.texts = fragments.Texts(seed, vocabulary, added)
        self.skip = set() if spells_bytes(state) else {"offsets"}
        self.forward = decodes_forward(state["decoder"])
        self.compared = 0

    def encoded(self, inputs, flags):
        """Compares; returns their tokens."""
        if self.theirs.truncates:
            inputs = list(filter(self.theirs.can_encode, inputs))
        theirs = self.theirs.encode(inputs, flags)
        ours = self.ours.encode(inputs, flags | FIT)
        at = ours.first_difference(theirs, self.skip)
        if at is not None:
            small = self.minimised(inputs[at], flags)
            raise Difference(small, *self.columns(small, flags))
        self.compared += len(inputs)
        return theirs

    def columns(self, text, flags):
        return (self.ours.encode([text], flags | FIT).of(0),
                self.theirs.encode([text], flags).of(0))

    def differs(self, text, flags):
        return self.ours.encode([text], flags | FIT).first_difference(
            self.theirs.encode([text], flags), self.skip) is not None

    def minimised(self, text, flags):
        if isinstance(text, tuple):
            return text
        size = max(len(text) // 2, 1)
        while size:
            at = 0
            while at < len(text):
                shorter = text[:at] + text[at + size:]
                if self.differs(shorter, flags):
                    text = shorter
                else:
                    at += size
            size //= 2
        return text

    def decoded(self, lists, skip):
        for ids, a, b in zip(lists, self.ours.decode(lists, skip),
                             self.theirs.decode(lists, skip)):
            if b is not None and a != b:
                raise Difference(f"ids {ids}, skip {skip}", repr(a), repr(b))

    def streamed(self, lists, skip):
        for ids in lists if self.forward else []:
            whole = self.ours.decode([ids], skip)[0]
            parts = self.ours.decode_streaming(ids, skip)
            if whole != parts:
                raise Difference(f"stream of ids {ids}, skip {skip}",
                                 repr(parts), repr(whole))

    def random_ids(self, n):
        r, size = self.texts.random, self.ours.size()
        bytes_ = [i for i in range(size)
                  if len(self.ours.token_bytes(i) or b"ab") == 1] or [0]
        return [r.choices(bytes_, k=r.randint(1, 9)) if i % 3 == 0
                else [r.randrange(size + 2) for _ in range(r.randint(1, 9))]
                for i in range(n)]

    def replaced(self, raw):
        """Bytes that are not UTF-8 count as the text they decode to."""
        if self.theirs.truncates:
            return
        plain = [r.decode("utf-8", "replace") for r in raw]
        want = self.theirs.encode(plain, 0)
        counts = self.ours.fill(raw, REPLACE | FIT)
        ids = self.ours.array(self.ours.e.id, self.ours.e.count)
        if list(np.cumsum(counts)) != list(want.ends) or (
                ids != want.columns[0]).any():
            raise Difference(raw, "(replaced)", plain)
        self.compared += len(raw)

    def batch(self, n):
        texts = self.texts.batch(n)
        tokens = self.encoded(texts, 0)
        lists = [tokens.of(i)[0] for i in range(0, len(tokens.ends), 4)]
        lists += self.random_ids(n // 16)
        for skip in (False, True):
            self.decoded(lists, skip)
            self.streamed(lists[::16], skip)
        few = texts[:n // 8]
        self.encoded(few, TEMPLATE)
        pairs = list(zip(texts[:n // 16], texts[n // 16:]))
        for flags in (0, TEMPLATE):
            self.encoded(pairs, flags)
        self.replaced(self.texts.raw(n // 16))

    def token_bytes(self):
        """Of a byte-level tokenizer: from the symbols, or decoded alone."""
        if (self.theirs.state["decoder"] or {}).get("type") != "ByteLevel":
            return
        symbols = {c: bytes([b]) for b, c in byte_symbols().items()}
        for i in range(self.ours.size()):
            token = self.theirs.t.id_to_token(i)
            if token is None:
                continue
            want = (b"".join(symbols[c] for c in token)
                    if all(c in symbols for c in token)
                    else self.theirs.decode([[i]], False)[0].encode())
            if self.ours.token_bytes(i) != want:
                raise Difference(f"bytes of token {i}, {token!r}",
                                 self.ours.token_bytes(i), want)


def byte_symbols():
    """GPT-2's: bytes that print stand for themselves."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in plain]
    return {b: chr(b) for b in plain} | {
        b: chr(256 + i) for i, b in enumerate(rest)}


# --- tokenizers made here ------------------------------------------------

def with_bytes(t):
    """The same with tokens <0xNN> and without dropped characters."""
    state = json.loads(t.to_str())
    vocab = state["model"]["vocab"]
    for byte in range(256):
        vocab.setdefault(f"<0x{byte:02X}>", len(vocab))
    state["model"].update(byte_fallback=True, fuse_unk=True, unk_token="<unk>")
    return state


def sentence_like(normalizer, pre_tokenizer):
    t = Tokenizer(models.BPE(unk_token="<unk>"))
    t.normalizer, t.pre_tokenizer = normalizer, pre_tokenizer
    t.train_from_iterator(
        [" ".join(fragments.PROSE)] * 3 + fragments.PROSE * 2,
        trainers.BpeTrainer(vocab_size=900, show_progress=False,
                            special_tokens=["<unk>", "<s>", "</s>"]))
    return t


def write_trained(folder):
    replace = normalizers.Replace(" ", "▁")
    llama = sentence_like(normalizers.Sequence([
        normalizers.Prepend("▁"), replace]), pre_tokenizers.Split("▁",
                                                                  "isolated"))
    llama.decoder = decoders.Sequence([
        decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
        decoders.Strip(" ", 1, 0)])
    llama.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)])
    gemma = sentence_like(replace, pre_tokenizers.Split(
        " ", "merged_with_previous"))
    gemma.decoder = decoders.Sequence([
        decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    for name, t in (("llama2_like", llama), ("gemma_like", gemma)):
        state = with_bytes(t)
        if name == "llama2_like":
            state["pre_tokenizer"] = None
        path = pathlib.Path(folder) / f"{name}.json"
        path.write_text(json.dumps(state, ensure_ascii=False))
        yield path


# --- the whole -----------------------------------------------------------

def tokenizer_files(paths):
    for path in map(pathlib.Path, paths):
        if path.is_file():
            yield path
            continue
        for file in sorted(path.rglob("*.json*")):
            if file.name.endswith((".json", ".json.gz")) and (
                    "model" in json.loads(read_text(file))):
                yield file


def run(lib, path, options):
    begin = time.monotonic()
    c = Comparison(lib, path, options.seed)
    c.token_bytes()
    while c.compared < options.count and (
            time.monotonic() - begin < options.seconds):
        c.batch(BATCH)
    c.ours.close()
    seconds = time.monotonic() - begin
    print(f"{path}: {c.compared} texts equal, {seconds:.0f} s", flush=True)
    return c.compared


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("paths", nargs="*")
    parser.add_argument("--library", default="build/libt2g.so")
    parser.add_argument("--count", type=int, default=1000000)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trained", action="store_true")
    options = parser.parse_args()
    lib, total, different = bind(options.library), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        files = list(tokenizer_files(options.paths))
        if options.trained:
            files += write_trained(folder)
        for path in files:
            try:
                total += run(lib, path, options)
            except Difference as d:
                print(f"{path}: different\n{d}", flush=True)
                different += 1
    print(f"{len(files)} tokenizers, {total} texts, {different} differ")
    return 1 if different or not files else 0


if __name__ == "__main__":
    sys.exit(main())
