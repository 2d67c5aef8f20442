"""Random texts for tests/oracle/tokenizer.py: fragments of many kinds, mixed so
that what a tokenizer treats apart meets."""
import random
import sys
import unicodedata

PROSE = (
    "The reward model reads the answer and says what's good and what isn't; "
    "they'd NEVER've known otherwise. In 2024, 1,234 answers (56%) were wrong! "
    "for (int i = 0; i < n; i++) { total += reward[i]; } // loop\n"
    "def f(x):\n    return x**2 + 0.5e-10\n\n\tif not x: pass\r\n"
    "https://example.org/a/b?c=d&e=f#g user.name@mail.example camelCaseWord "
    "HTTPServer snake_case_word CONSTANT_NAME don't we'll I'M you'RE it'S "
    "<div class=\"x\">&amp;</div> {\"key\": [1, 2.5, null]} $100 #tag @me "
    "Größe über naïve café Łódź Ελλάδα μέλη Москва слово 東京都の天気 中文字符 "
    "한국어 문장 العربية كلمة עברית हिन्दी ไทย tiếng Việt İstanbul ſt ﬁne Ω Å "
    "do not n 't . ! ' word <s> </s> ▁x ▁▁ <0x41> <0xE2>").split(" ")
SPACES = [" ", "  ", "   ", " " * 8, "\n", "\n\n", "\r\n", "\t", "\r", "\v",
          "\f", "\x1c", "\x85", "\xa0", "\u1680", "\u2003", "\u2028", "\u2029",
          "\u202f", "\u205f", "\u3000", "\u200b", "\ufeff", "\u180e", "\u2581"]
ODD = ["\0", "\x01", "\x7f", "\xad", "\u200d", "\u200c", "\ufe0f", "\ufffd",
       "\ufffe", "\uffff", "\U0010ffff", "\U000e0041", "\u0345", "\u03a3",
       "\u0130", "\u0131", "\u1e9e", "ß", "ǅ", "ŉ", "\u1fb3", "\u0958",
       "\u0f43", "\u2126", "\u212b", "\uac00", "\u1100\u1161\u11a8", "\uf900",
       "\ufb01", "\ufdfa", "\u3392", "½", "①", "²", "٣", "०", "𝟘", "Ⅷ", "〇",
       "👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪", "e\u0301", "a\u0323\u0307", "\u0301",
       "\u0307\u0323", "\u05b0", "\u3099", "が", "か\u3099", "A\u030a", "'s",
       "'S", "'ſ", "’s", "'ll", "'", "\"", "``", "''"]


def characters():
    """Every assigned character by general category, and some others."""
    by_category = {}
    for code in range(0x110000):
        if not 0xd800 <= code < 0xe000:
            c = chr(code)
            by_category.setdefault(unicodedata.category(c), []).append(c)
    return by_category


class Texts:
    """Texts for one tokenizer, whose vocabulary and added tokens occur."""

    def __init__(self, seed, vocabulary, added):
        self.random = random.Random(seed)
        self.by_category = characters()
        added = added or ["<s>"]
        marks = self.some(["Mn", "Mc", "Me"], 3000)
        wide = self.some(sorted(self.by_category), 40000)
        letters = self.some(["Lu", "Ll", "Lt", "Lm", "Lo", "Nd", "Nl", "No"],
                            20000)
        vocabulary = self.random.sample(vocabulary, min(len(vocabulary), 30000))
        pieces = self.pieces(vocabulary + added)
        bytes_ = [bytes(self.random.choices(range(256), k=4)).decode(
            "utf-8", "replace") for _ in range(5000)]
        ascii_ = [chr(c) for c in range(128)]
        self.kinds = [
            (8, PROSE + [" " + w for w in PROSE] * 3, 12),
            (3, wide, 14),
            (3, letters + SPACES * 40 + ODD * 20, 16),
            (2, marks + letters[:3000] + list("aeouACE"), 14),
            (2, SPACES + ["a", "1", "!", "中"], 14),
            (2, list("0123456789") * 3 + self.some(["Nd", "Nl", "No"], 60)
             + [" ", ".", ",", "a"], 16),
            (3, ODD + SPACES + PROSE[:40], 12),
            (2, bytes_, 6),
            (4, vocabulary + added * (1 + len(vocabulary) // (
                8 * len(added))), 10),
            (4, added * 4 + SPACES + PROSE, 10),
            (3, pieces + added + [" ", "\n"], 8),
            (2, ascii_, 24),
            (2, wide[:300] + PROSE + ODD + SPACES + added, 20),
        ]
        self.weights = [w for w, _, _ in self.kinds]

    def some(self, categories, n):
        """Categories weigh alike, whatever their size."""
        return [self.random.choice(self.by_category[self.random.choice(
            categories)]) for _ in range(n)]

    def pieces(self, strings):
        """Beginnings and ends of strings."""
        cut = [self.random.randint(0, len(s)) for s in strings]
        return [s[:c] or s if i % 2 else s[c:] or s
                for i, (s, c) in enumerate(zip(strings, cut))]

    def long_run(self, pool):
        unit = "".join(self.random.choices(pool, k=self.random.randint(1, 3)))
        return unit * self.random.randint(1, 300 // max(len(unit), 1) + 1)

    def batch(self, n):
        choose = self.random.choices
        texts = []
        for _, pool, most in choose(self.kinds, self.weights, k=n):
            if self.random.random() < 0.01:
                texts.append(self.long_run(pool))
            else:
                texts.append("".join(choose(pool, k=int(
                    self.random.random() * most) + 1)))
        return texts

    def raw(self, n):
        """Bytes, most of them of characters."""
        texts = [bytearray(t.encode()) for t in self.batch(n)]
        for text in texts:
            for _ in range(self.random.randint(1, 3)):
                at = self.random.randint(0, len(text))
                if self.random.random() < 0.5:
                    del text[at:at + self.random.randint(1, 3)]
                else:
                    text.insert(at, self.random.randint(0x80, 0xff))
        return [bytes(t) for t in texts]


if __name__ == "__main__":
    for line in Texts(int(sys.argv[1]), PROSE, ["<s>"]).batch(100):
        print(repr(line))
