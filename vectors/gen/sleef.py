"""Writes vectors/kernels/sleef.json: the bits of SLEEF's deterministic
functions, taken from the installed libsleef.so. Not an independent oracle: it
is there to notice a SLEEF whose bits differ. Run:
  python3 sleef.py > ../kernels/sleef.json

Bits are hexadecimal, NaN is 7fc00000 or 7ff8000000000000. `digest` is XXH3-128
over the results, as little-endian words, for the arguments i = 0 .. 999999:
with w = i * 9E3779B1 mod 2^32 (f32) or i * 9E3779B97F4A7C15 mod 2^64 (f64),
  i even: the number of bits w;  i odd: w as a signed integer * 2^-24 or 2^-56;
and for pow the base is the absolute value of that and the exponent
(w mod 2^16 - 2^15) * 2^-12.
"""
import ctypes
import ctypes.util
import json
import math
import struct

SLEEF = ctypes.CDLL(ctypes.util.find_library("sleef"))
XXHASH = ctypes.CDLL(ctypes.util.find_library("xxhash"))
COUNT = 1000000


class Hash128(ctypes.Structure):
    _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]


XXHASH.XXH3_128bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
XXHASH.XXH3_128bits.restype = Hash128


class Type:
    """A floating-point format: its bits, and how arguments come from them."""

    def __init__(self, letter, code, word, ctype, size, multiplier, nan):
        self.letter, self.code, self.word = letter, code, word
        self.ctype, self.size = ctype, size
        self.multiplier, self.nan = multiplier, nan

    def bits(self, x):
        if math.isnan(x):
            return self.nan
        return struct.unpack(self.word, struct.pack(self.code, x))[0]

    def number(self, bits):
        return struct.unpack(self.code, struct.pack(self.word, bits))[0]

    def walk(self, i):
        mask = (1 << 8 * self.size) - 1
        w = i * self.multiplier & mask
        if i % 2 == 0:
            return w, self.number(w)
        signed = w - (mask + 1 if w >> (8 * self.size - 1) else 0)
        x = signed * 2.0 ** (7 - (8 * self.size - 1))
        return w, self.number(self.bits(x))


F32 = Type("f", "<f", "<I", ctypes.c_float, 4, 0x9E3779B1, 0x7FC00000)
F64 = Type("d", "<d", "<Q", ctypes.c_double, 8, 0x9E3779B97F4A7C15,
           0x7FF8000000000000)


def function(kind, name, arity):
    f = getattr(SLEEF, f"Sleef_finz_{name}{kind.letter}1_u10purecfma")
    f.argtypes, f.restype = [kind.ctype] * arity, kind.ctype
    return f


def chosen(kind):
    """About 200 arguments over the whole range."""
    if kind is F32:
        edges = [1, 0x7FFFFF, 0x800000, 0x7F7FFFFF]
        thresholds = [88.72283, 88.72284, 87.33654, 87.33655, 103.97207,
                      103.97209, 104.0, 125.0, 39000.0]
        exponents = range(-149, 128, 9)
    else:
        edges = [1, 0xFFFFFFFFFFFFF, 0x10000000000000, 0x7FEFFFFFFFFFFFFF]
        thresholds = [709.78271289338397, 709.782712893384, 708.3964185322641,
                      745.1332191019411, 745.1332191019412, 750.0, 1e14]
        exponents = range(-1074, 1024, 69)
    magnitudes = [0.0, math.inf] + [kind.number(b) for b in edges]
    magnitudes += thresholds + [2.0 ** e for e in exponents]
    magnitudes += [math.pi * k / 4 for k in (1, 2, 3, 4, 7, 8, 100, 10 ** 6)]
    magnitudes += [math.e, 1.0, 10.0, 0.1, 1 / 3]
    magnitudes += [abs(kind.walk(2 * i + 1)[1]) / 8 for i in range(40)]
    return [math.nan] + [kind.number(kind.bits(s * x))
                         for x in magnitudes for s in (1.0, -1.0)]


def hexadecimal(kind, numbers):
    return [f"{kind.bits(x):0{2 * kind.size}x}" for x in numbers]


def digest(kind, results):
    data = b"".join(struct.pack(kind.word, kind.bits(y)) for y in results)
    h = XXHASH.XXH3_128bits(data, len(data))
    return f"{h.high:016x}{h.low:016x}"


def unary(kind, name, public):
    f = function(kind, name, 1)
    x = chosen(kind)
    return {"function": public, "x": hexadecimal(kind, x),
            "y": hexadecimal(kind, map(f, x)),
            "digest": digest(kind, (f(kind.walk(i)[1]) for i in range(COUNT)))}


def power():
    f = function(F64, "pow", 2)
    bases = [0.0, 1e-310, 0.5, 0.999, 1.0, 1.5, 10000.0, 500000.0, 1e300,
             math.inf]
    exponents = [0.0, 1.0, -1.0, 0.5, -0.5, 2.0, 1 / 3, 0.015625, -0.984375,
                 1000.0, -1000.0, 1e-300, math.inf, -math.inf, math.nan]
    pairs = [(x, e) for x in bases for e in exponents]
    pairs += [(-2.0, 3.0), (-2.0, 0.5), (-0.0, -1.0), (math.nan, 0.0)]

    def results():
        for i in range(COUNT):
            w, x = F64.walk(i)
            yield f(abs(x), ((w & 0xFFFF) - 0x8000) * 2.0 ** -12)

    return {"function": "t2g_pow", "x": hexadecimal(F64, [p[0] for p in pairs]),
            "exponent": hexadecimal(F64, [p[1] for p in pairs]),
            "y": hexadecimal(F64, [f(*p) for p in pairs]),
            "digest": digest(F64, results())}


def main():
    functions = [unary(F32, n, f"t2g_{n}f")
                 for n in ("exp", "log", "tanh", "sin", "cos")]
    functions += [unary(F64, n, f"t2g_{n}") for n in ("exp", "log")]
    functions += [power()]
    functions += [unary(F64, n, f"t2g_{n}") for n in ("sin", "cos")]
    print('{"format": "t2g-sleef/1", "functions": [')
    print(",\n".join(json.dumps(f) for f in functions))
    print("]}")


main()
