"""Speed of tokenizers next to each other: `t2g bench tokenizer`, Hugging Face
tokenizers and tiktoken on the same files, in turn, one thread each.

    pip install tokenizers tiktoken
    python tools/compare_tokenizer.py --t2g build/t2g tokenizer.json TEXT...
    python tools/compare_tokenizer.py --t2g build/t2g \
        --tiktoken cl100k_base=cl100k_base.tiktoken tokenizer.json TEXT...

Each text is cut into pieces of 4 kB. Ours and Hugging Face's give offsets,
tiktoken gives ids alone. Rounds take turns, so that a busy machine hits all
alike; the table has the best and the median of each, the ratios those of the
medians. A rank file's pattern is that of the encoding of this name in tiktoken.
"""
import argparse
import base64
import json
import os
import statistics
import subprocess
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
DOCUMENT = 4096


def documents(path):
    text = open(path, encoding="utf-8", newline="").read()
    return [text[i:i + DOCUMENT] for i in range(0, len(text), DOCUMENT)]


def ours(options, path):
    output = subprocess.run(
        [options.t2g, "bench", "tokenizer", "--json", "--threads", "1",
         "--tokenizer", options.tokenizer, "--data", path],
        check=True, capture_output=True, text=True).stdout
    lines = [json.loads(line) for line in output.splitlines()]
    return next(x["value"] for x in lines if x["group"] == "tokenizer")


def timed(encode, texts):
    """MB/s of one pass."""
    size = sum(len(text.encode()) for text in texts)
    start = time.perf_counter()
    for text in texts:
        encode(text)
    return size / (time.perf_counter() - start) / 1e6


def tiktoken_encode(name, path):
    import tiktoken
    import tiktoken_ext.openai_public as public
    with open(path, "rb") as file:
        pairs = (line.split() for line in file if line.strip())
        ranks = {base64.b64decode(token): int(rank) for token, rank in pairs}
    # the constructor would fetch the ranks: the pattern alone is wanted
    public.load_tiktoken_bpe = lambda *_, **__: ranks
    public.data_gym_to_mergeable_bpe_ranks = lambda *_, **__: ranks
    pattern = public.ENCODING_CONSTRUCTORS[name]()["pat_str"]
    return tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks,
                             special_tokens={}).encode_ordinary


def peers(options):
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(options.tokenizer)
    found = {"tokenizers": lambda text: tokenizer.encode(
        text, add_special_tokens=False)}
    if options.tiktoken:
        found["tiktoken"] = tiktoken_encode(*options.tiktoken.split("=", 1))
    return found


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--t2g", default="build/t2g")
    parser.add_argument("--tiktoken", metavar="NAME=FILE")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("tokenizer")
    parser.add_argument("text", nargs="+")
    options = parser.parse_args()
    encoders = peers(options)
    print(f"{'text':<20} {'program':<12} {'best':>8} {'median':>8} MB/s  ratio")
    for path in options.text:
        texts = documents(path)
        speed = {name: [] for name in ("t2g", *encoders)}
        for _ in range(options.rounds):
            speed["t2g"].append(ours(options, path))
            for name, encode in encoders.items():
                speed[name].append(timed(encode, texts))
        own = statistics.median(speed["t2g"])
        for name, values in speed.items():
            median = statistics.median(values)
            print(f"{os.path.basename(path):<20} {name:<12} {max(values):8.1f} "
                  f"{median:8.1f}      {own / median:5.1f}", flush=True)


if __name__ == "__main__":
    main()
