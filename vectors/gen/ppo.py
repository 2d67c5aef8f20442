"""Writes vectors/ppo/*.json: small cases of the policy optimiser, computed in
double by numpy straight from the papers' formulas, without sight of the C code.

    pip install numpy
    python vectors/gen/ppo.py

A file holds {"format", "kind", "cases"}; a case "id", "config", "in" and "out",
objects of tensors {"dtype", "shape", "data"} in row-major order. Inputs are
exact floats, so that every language reads the same numbers. Expected:
|got - want| <= 1e-6 + 1e-5 |want|. tests/golden/ppo.c replays them, and so does
`t2g verify ppo vectors/ppo`.
"""
import json
import pathlib
import re

import numpy as np

OUTPUT = pathlib.Path(__file__).parents[1] / "ppo"
rng = np.random.default_rng(20505)


def exact(x):
    """Rounded to float, in double."""
    return np.asarray(x).astype(np.float32).astype(float)


def floats(*shape, scale=1.0):
    return exact(scale * rng.standard_normal(shape))


def tensor(x):
    x = np.asarray(x)
    kind = "i64" if x.dtype.kind in "iub" else "f32"
    data = x.astype(int) if kind == "i64" else x.astype(np.float32)
    number = int if kind == "i64" else lambda v: float(f"{v:.9g}")
    return {"dtype": kind, "shape": list(x.shape),
            "data": [number(v) for v in data.ravel()]}


def case(config, inputs, outputs):
    pack = lambda d: {k: v if isinstance(v, str) else tensor(v)
                      for k, v in d.items()}
    return {"config": config, "in": pack(inputs), "out": pack(outputs)}


def write(kind, cases):
    lines = []
    for i, one in enumerate(cases):
        one = {"id": f"{kind}-{i + 1:02d}", **one}
        lines.append(json.dumps(one, ensure_ascii=False))
    text = ('{"format": "t2g-vectors/1", "kind": "%s", "cases": [\n%s\n]}\n'
            % (kind, ",\n".join(lines)))
    (OUTPUT / f"{kind}.json").write_text(text, encoding="utf-8")


# --- whitening -------------------------------------------------------------

def whiten(x, m, unbiased=True):
    n = m.sum()
    if n <= 1:
        return np.zeros_like(x)
    mean = (x * m).sum() / n
    var = (((x - mean) ** 2) * m).sum() / (n - unbiased)
    return m * (x - mean) / np.sqrt(var + 1e-8)


def whitening():
    for B, T, scale, shift in [(2, 5, 1, 0), (3, 7, 0.1, 4), (1, 9, 20, -3),
                               (2, 4, 1e-3, 0)]:
        x = exact(floats(B, T, scale=scale) + shift)
        m = rng.integers(0, 2, (B, T))
        m[:, 0] = m[0, 1] = 1
        n, mean = m.sum(), (x * m).sum() / m.sum()
        var = (((x - mean) ** 2) * m).sum()
        full = whiten(x, np.ones_like(m))
        rows = [x[b][m[b] == 1].mean() for b in range(B)]
        yield case({}, {"values": x, "mask": m}, {
            "mean": mean, "mean_axis1": rows,
            "var_biased": var / n, "var_unbiased": var / (n - 1),
            "whiten": whiten(x, m), "whiten_keep_mean": whiten(x, m) + m * mean,
            "plain_whiten": full, "plain_whiten_keep_mean": full + x.mean(),
            "whiten_scale": m * x / np.sqrt((x * x * m).sum() / n + 1e-8)})


# --- advantages ------------------------------------------------------------

def sum_of_errors(r, v, m, gamma, lam, reset):
    """[GAE] eq. 16 as a sum, not as a recursion."""
    r, v = r * m, v * m
    T = len(r)
    td = r + gamma * np.append(v[1:], 0) - v
    adv = np.zeros(T)
    for t in range(T):
        for k in range(t, T):
            if reset and not m[k]:
                break
            adv[t] += (gamma * lam) ** (k - t) * td[k]
    return adv


def advantages():
    for gamma, lam in [(1, 0.7), (1, 0.95), (1, 1), (0.9, 0.5), (0, 1), (1, 0)]:
        B, T = 3, 8
        r, v = floats(B, T), floats(B, T)
        m = np.zeros((B, T), int)
        m[0, 2:7], m[1, 0:8], m[2, 3:6] = 1, 1, 1
        m[1, 3] = m[1, 6] = 0  # gaps
        out = {"values_masked": v * m}
        g, l = exact(gamma), exact(lam)
        for name, reset in [("official", True), ("trl", False)]:
            adv = np.array([sum_of_errors(r[b], v[b], m[b], g, l, reset)
                            for b in range(B)])
            out[f"adv_raw_{name}"] = adv
            out[f"returns_{name}"] = adv + v * m
            out[f"adv_{name}"] = whiten(adv, m)
        yield case({"gamma": gamma, "lam": lam, "whiten_rewards": 0},
                   {"values": v, "rewards": r, "mask": m}, out)


# --- the loss from logits --------------------------------------------------

def log_softmax(z):
    z = z - z.max(-1, keepdims=True)
    return z - np.log(np.exp(z).sum(-1, keepdims=True))


def loss_of(z, vp, ids, m, old, v_old, adv, ret, c):
    B, T = m.shape
    logp = log_softmax(z[:, :-1])
    lp = np.take_along_axis(logp, ids[:, 1:, None], 2)[..., 0]
    entropy = -(np.exp(logp) * logp).sum(-1)
    rho = np.exp(np.clip(lp - old, -20, 20))
    e = c["cliprange"]
    policy = np.maximum(-adv * rho, -adv * np.clip(rho, 1 - e, 1 + e))
    error = (vp - ret) ** 2
    if c["cliprange_value"] > 0:
        near = np.clip(vp, v_old - c["cliprange_value"],
                       v_old + c["cliprange_value"])
        error = np.maximum(error, (near - ret) ** 2)
    mean = lambda x: (x * m).sum() / m.sum()
    p, v, h = mean(policy), c["vf_coef"] * 0.5 * mean(error), mean(entropy)
    return p + v - c["ent_coef"] * h, p, v, h, lp


def numeric_gradient(f, x, step=1e-6):
    g = np.zeros_like(x)
    for i in np.ndindex(*x.shape):
        for sign in (1, -1):
            y = x.copy()
            y[i] += sign * step
            g[i] += sign * f(y) / (2 * step)
    return g


def losses():
    """Gradients are central differences of the loss: nothing is derived."""
    for ent, clip_value, vf in [(0, 0, 0.5), (0.02, 0, 0.5), (0.3, 0.2, 0.1)]:
        B, S, V = 2, 6, 5
        T = S - 1
        c = {"cliprange": 0.2, "cliprange_value": clip_value, "vf_coef": vf,
             "ent_coef": ent, "ratio_threshold": 10.0}
        used = {k: float(exact(x)) for k, x in c.items()}
        while True:
            z, ids = floats(B, S, V), rng.integers(0, V, (B, S))
            m = rng.integers(0, 2, (B, T))
            m[0, 0] = 1
            v_old, adv, ret = floats(B, T), floats(B, T), floats(B, T)
            vp = exact(v_old + floats(B, T, scale=0.3))
            old = np.take_along_axis(log_softmax(z[:, :-1]), ids[:, 1:, None],
                                     2)[..., 0]
            old = exact(old + floats(B, T, scale=0.3))
            args = (ids, m, old, v_old, adv, ret, used)
            total, p, v, h, lp = loss_of(z, vp, *args)
            move, near = vp - v_old, np.clip(vp, v_old - 0.2, v_old + 0.2)
            kinks = [np.exp(lp - old) - 0.8, np.exp(lp - old) - 1.2,
                     np.abs(move) - 0.2, np.abs(vp - ret) - np.abs(near - ret)
                     + (np.abs(move) < 0.2)]
            if min(np.abs(x).min() for x in kinks) > 5e-3:  # none is near
                break
        yield case(c, {"logits": z, "input_ids": ids, "mask": m,
                       "old_logprobs": old, "values": v_old, "vpreds": vp,
                       "advantages": adv, "returns": ret}, {
            "logprobs": lp, "loss_p": p, "loss_v": v, "entropy": h,
            "loss_total": total,
            "grad_logits": numeric_gradient(
                lambda y: loss_of(y, vp, *args)[0], z),
            "grad_vpreds": numeric_gradient(
                lambda y: loss_of(z, y, *args)[0], vp)})


# --- value head ------------------------------------------------------------

def value_heads():
    for n, width, ridge in [(12, 3, 0.0), (40, 8, 1e-3), (6, 10, 0.1)]:
        x, y = floats(n, width), exact(floats(n) + 2)
        m = (rng.random(n) < 0.8).astype(int)
        m[0] = 1
        X, N = np.c_[x, np.ones(n)][m == 1], m.sum()
        # least squares of the rows and of sqrt(ridge*N)*weight = 0
        P = np.sqrt(ridge * N) * np.eye(width, width + 1)
        w = np.linalg.lstsq(np.r_[X, P], np.r_[y[m == 1], np.zeros(width)],
                            rcond=None)[0]
        yield case({"ridge": ridge}, {"hidden": x, "returns": y, "mask": m},
                   {"weight": w[:-1], "bias": w[-1]})


# --- optimisers and schedules ----------------------------------------------

def adam(p, grads, lr, b1, b2, eps, decay):
    m = v = np.zeros_like(p)
    for t, g in enumerate(grads, 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        p = p * (1 - lr * decay) - lr * (m / (1 - b1 ** t)) / (
            np.sqrt(v / (1 - b2 ** t)) + eps)
        yield p, {"m": m, "v": v}


def adafactor(p, grads, lr, decay):
    row, col = (np.zeros(p.shape[:1]), np.zeros(p.shape[-1:]))
    for t, g in enumerate(grads, 1):
        b2, s = 1 - t ** -0.8, g * g + 1e-30
        if p.ndim == 2:
            row = b2 * row + (1 - b2) * s.mean(1)
            col = b2 * col + (1 - b2) * s.mean(0)
            u = g / np.sqrt(np.outer(row / row.mean(), col))
            state = {"exp_avg_sq_row": row, "exp_avg_sq_col": col}
        else:
            col = b2 * col + (1 - b2) * s
            u = g / np.sqrt(col)
            state = {"exp_avg_sq": col}
        u = u / max(1, np.sqrt((u * u).mean()))
        p = p - decay * lr * p - lr * u
        yield p, state


def optimisers():
    for kind, lr, decay in [("adamw", 3e-4, 0.01), ("adam", 0.01, 0),
                            ("adafactor", 0.01, 1e-4)]:
        config = {"type": kind, "lr": lr, "weight_decay": decay, "n_params": 3,
                  "n_steps": 4, "betas": [0.9, 0.999], "eps": 1e-8}
        inputs, outputs = {}, {}
        for k, shape in enumerate([(3, 4), (5,), (1, 6)]):
            p, grads = floats(*shape), [floats(*shape) for _ in range(4)]
            steps = (adafactor(p, grads, lr, decay) if kind == "adafactor" else
                     adam(p, grads, lr, 0.9, 0.999, 1e-8, decay))
            inputs[f"p{k}"] = p
            for j, (g, (after, state)) in enumerate(zip(grads, steps), 1):
                inputs[f"g{k}_step{j}"] = g
                outputs[f"p{k}_step{j}"] = after
            outputs |= {f"p{k}_{name}": x for name, x in state.items()}
        yield case(config, inputs, outputs)


# --- steps of a response ---------------------------------------------------

SHORT = ("mr mrs ms dr prof st sr jr vs cf al fig vol inc ltd corp dept approx "
         "ph.d").split()
STOP = "[.!?\u2026\u3002\uff01\uff1f]"
CLOSE = "[\"')\\]}\u201d\u2019\u00bb\u300d\u300f\uff09]*"


def exempt(text, start, stops, blank, after):
    if stops != "." or "\n" in blank:
        return False
    word = re.search(r"[A-Za-z.]*$", text[:start])[0].lower()
    return (word in SHORT or re.fullmatch(r"[a-z](\.[a-z])*", word) is not None
            or re.match("[a-z]", after) is not None)


def sentences(text):
    ends, at = [], 0
    pattern = re.compile(rf"\n\s*|({STOP}+){CLOSE}(?=(\s*))")
    while match := pattern.search(text, at):
        at = match.end()
        if match[1] is None:
            ends.append(at)
            continue
        blank, end = match[2], at + len(match[2])
        if end == len(text) and not blank:
            break
        if blank:
            at = end
            if not exempt(text, match.start(), match[1], blank, text[end:]):
                ends.append(at)
        elif match[1][-1] in "\u3002\uff01\uff1f":
            ends.append(at)
    pieces, last = [], 0
    for end in [*ends, len(text)]:
        if end > last:
            pieces.append(text[last:end])
            last = end
    steps = []
    for piece in pieces:
        if steps and not any(c.isalpha() for c in steps[-1]):
            steps[-1] += piece
        else:
            steps.append(piece)
    if len(steps) > 1 and not any(c.isalpha() for c in steps[-1]):
        steps[-2:] = ["".join(steps[-2:])]
    return steps


TEXTS = [
    "One. Two! Three? Four",
    "Dr. Smith paid 3.50 dollars, i.e. too much. He left at 5 p.m. sharp.",
    "He said \"Go.\" Then (quietly.) he went... and J. R. came. 1. 2. Done.",
    "\u4eca\u65e5\u306f\u3002\u96e8\u3067\u3059\u3002 \uff1f\uff01\u306f\u3044",
    "First line\n\n  second line. still second\r\nthird!\n",
    "...", "   ", "a.b.c.d.e.f.g.hello. Next",
    "Caf\u00e9\u3000na\u00efve.\u3000End",
]


def steps_of_responses():
    for text in TEXTS:
        raw = text.encode()
        cuts = sorted({0, len(raw), *rng.integers(0, len(raw) + 1, 8)})
        tokens = np.array([*zip(cuts, cuts[1:]), (len(raw), len(raw))])
        n = len(tokens)
        delta = rng.choice([-1.0, -0.5, 0, 0.5, 1], n)
        mask = (rng.random(n) < 0.85).astype(int)
        ends = np.cumsum([len(s.encode()) for s in sentences(text)])
        where, before = [], 0
        white = [c.isspace() for c in text for _ in c.encode()]
        for a, b in tokens:
            ink = [i for i in range(a, b) if not white[i]]
            before = int((ends <= ink[0]).sum()) if ink else before
            where.append(before)
        where = np.array(where)
        out = {"steps": np.array([*zip([0, *ends], ends)]).reshape(-1, 2),
               "token_step": where}
        for name, f in [("sum", np.sum), ("mean", np.mean), ("min", np.min),
                        ("sign", lambda x: np.sign(x.sum()))]:
            reward = np.zeros(n)
            for k in set(where):
                inside = np.flatnonzero((where == k) & (mask == 1))
                if len(inside):
                    reward[inside[-1]] = f(delta[inside])
            out[f"reward.{name}"] = reward
        yield case({"mode": "sentence"},
                   {"text": text, "tokens": tokens, "delta": delta,
                    "mask": mask}, out)


if __name__ == "__main__":
    OUTPUT.mkdir(parents=True, exist_ok=True)
    write("whiten", whitening())
    write("advantages", advantages())
    write("policy_grad", losses())
    write("value_head", value_heads())
    write("optim", optimisers())
    write("steps", steps_of_responses())
