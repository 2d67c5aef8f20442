"""Writes vectors/model: small Llama models with what PyTorch and transformers
compute from them. Run: python3 model.py ../model (torch, transformers, numpy,
safetensors; seconds). Layout and tolerances: ../model/README.md.

Expected numbers are float32 runs of transformers' LlamaForCausalLM, eager
attention, one row at a time, one thread, gradients by autograd. `noise` is the
largest absolute difference to the model written down below in float64: it
shares no code with transformers, so that a small noise also says that two
implementations agree. The generator stops if it is not small.
"""
import json
import math
import pathlib
import shutil
import sys

import numpy
import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import load_file, save_file

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
FORMAT = "t2g-model-oracle/1"

SMALL = dict(
    intermediate_size=19, num_hidden_layers=2, max_position_embeddings=64,
    rms_norm_eps=1e-5, bos_token_id=0, eos_token_id=1)

MODELS = {
    "tied_pad": dict(
        note="one key head for five query heads, tied, llama3 rope; the pad "
             "token is an input and gets no gradient from the lookup",
        config=dict(
            SMALL, vocab_size=41, hidden_size=20, num_attention_heads=5,
            num_key_value_heads=1, intermediate_size=21, pad_token_id=3,
            tie_word_embeddings=True, rope_parameters=dict(
                rope_type="llama3", rope_theta=500000.0, factor=8.0,
                low_freq_factor=1.0, high_freq_factor=4.0,
                original_max_position_embeddings=16)),
        rows=[13, 1, 19, 6]),
    "biases": dict(
        note="untied, biases everywhere, odd sizes, linear rope",
        config=dict(
            SMALL, vocab_size=37, hidden_size=12, num_attention_heads=3,
            num_key_value_heads=3, intermediate_size=17, attention_bias=True,
            mlp_bias=True, tie_word_embeddings=False, rope_parameters=dict(
                rope_type="linear", rope_theta=10000.0, factor=2.5)),
        rows=[2, 9, 5, 17]),
    "head_dim": dict(
        note="head_dim is not hidden_size / heads, three layers, yarn rope, "
             "bf16 file",
        config=dict(
            SMALL, vocab_size=33, hidden_size=16, num_attention_heads=4,
            num_key_value_heads=2, head_dim=10, num_hidden_layers=3,
            intermediate_size=13, tie_word_embeddings=False,
            rope_parameters=dict(
                rope_type="yarn", rope_theta=10000.0, factor=4.0,
                original_max_position_embeddings=16)),
        dtype=torch.bfloat16, rows=[19, 8, 3]),
    "long": dict(
        note="rows of 1, 32, 33 and 65 tokens: around a panel of keys",
        config=dict(
            SMALL, vocab_size=29, hidden_size=8, num_attention_heads=2,
            num_key_value_heads=1, intermediate_size=11,
            tie_word_embeddings=True, rope_parameters=dict(
                rope_type="default", rope_theta=10000.0)),
        rows=[33, 1, 65, 32]),
}

UPDATE = dict(
    note="loss of one PPO minibatch through model and value head: clipped "
         "policy and value terms, entropy bonus",
    config=dict(
        SMALL, vocab_size=43, hidden_size=16, num_attention_heads=4,
        num_key_value_heads=2, tie_word_embeddings=True,
        rope_parameters=dict(rope_type="default", rope_theta=10000.0)),
    rows=[11, 26, 7, 18], prompt=[4, 9, 1, 12],
    ppo=dict(cliprange=0.2, cliprange_value=0.3, vf_coef=0.4, ent_coef=0.05))

GREEDY = [  # model, prompt length, settings
    ("tied_pad", 5, dict(max_new_tokens=40)),
    ("tied_pad", 1, dict(max_new_tokens=24, eos_token_id=[1, 7, 20])),
    ("biases", 4, dict(max_new_tokens=30)),
    ("biases", 9, dict(max_new_tokens=30, min_new_tokens=6, eos_token_id=[
        1, 4, 9, 12, 16, 20])),
    ("head_dim", 3, dict(max_new_tokens=36)),
    ("long", 31, dict(max_new_tokens=35)),
    ("long", 33, dict(max_new_tokens=3)),
    ("long", 2, dict(max_new_tokens=40, eos_token_id=5)),
]


# --- models ------------------------------------------------------------------

def draw(name, shape, random):
    """Weights with which something happens: scores and logits of deviation
    near 2, norm weights around 1, biases of 0.3."""
    x = random.standard_normal(shape)
    if name.endswith("norm.weight"):
        return 1 + 0.2 * x
    if name.endswith("bias"):
        return 0.3 * x
    gain = 1.6 if "q_proj" in name or "k_proj" in name else 1.0
    gain = 2.0 if "lm_head" in name or "embed" in name else gain
    return gain * x / math.sqrt(shape[-1])


def make_model(spec, folder, random):
    """Saves a model folder; returns transformers' model in float32."""
    config = transformers.LlamaConfig(**spec["config"])
    model = transformers.LlamaForCausalLM(config).to(
        spec.get("dtype", torch.float32))
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(torch.from_numpy(draw(name, p.shape, random)))
    model.save_pretrained(folder)
    return load_model(folder)


def load_model(folder):
    return transformers.LlamaForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager").eval()


# --- the model in float64 ----------------------------------------------------

def frequencies(c):
    """Rotary frequencies [head_dim/2] and the factor of the tables."""
    r, d = c.rope_parameters, c.head_dim
    f = torch.tensor([r["rope_theta"] ** (-2 * i / d) for i in range(d // 2)],
                     dtype=torch.float64)
    kind = r["rope_type"]
    if kind == "linear":
        return f / r["factor"], 1.0
    if kind == "llama3":
        wave = 2 * math.pi / f
        low, high = r["low_freq_factor"], r["high_freq_factor"]
        s = (r["original_max_position_embeddings"] / wave - low) / (high - low)
        s = s.clamp(0, 1)
        return (1 - s) * f / r["factor"] + s * f, 1.0
    if kind == "yarn":
        def turning(n):
            x = r["original_max_position_embeddings"] / (2 * math.pi * n)
            return d * math.log(x) / (2 * math.log(r["rope_theta"]))
        low = max(math.floor(turning(32)), 0)
        high = min(math.ceil(turning(1)), d - 1)
        i = torch.arange(d // 2, dtype=torch.float64)
        s = ((i - low) / (high - low)).clamp(0, 1)
        return s * f / r["factor"] + (1 - s) * f, \
            0.1 * math.log(r["factor"]) + 1
    return f, 1.0


class Double:
    """The Llama model from its formulas, on float64 copies of weights."""

    def __init__(self, model):
        self.c = model.config
        self.w = {name: p.detach().double().requires_grad_()
                  for name, p in model.named_parameters()}
        self.freq, self.scale = frequencies(self.c)

    def norm(self, x, name):
        ms = (x * x).mean(-1, keepdim=True)
        return self.w[name] * x / torch.sqrt(ms + self.c.rms_norm_eps)

    def linear(self, x, name):
        y = x @ self.w[name + ".weight"].T
        return y + self.w[name + ".bias"] if name + ".bias" in self.w else y

    def rotate(self, x):  # [T, heads, d]
        angle = torch.arange(len(x), dtype=torch.float64)[:, None] * self.freq
        cos = (self.scale * angle.cos())[:, None]
        sin = (self.scale * angle.sin())[:, None]
        a, b = x.chunk(2, -1)
        return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)

    def attention(self, x, name):
        T, d = len(x), self.c.head_dim
        q, k, v = (self.linear(x, name + p + "_proj").view(T, -1, d)
                   for p in "qkv")
        q, k = self.rotate(q), self.rotate(k)
        group = q.shape[1] // k.shape[1]
        k, v = (y.repeat_interleave(group, 1) for y in (k, v))
        s = torch.einsum("ihd,jhd->hij", q, k) / math.sqrt(d)
        s = s + torch.full((T, T), -torch.inf, dtype=s.dtype).triu(1)
        o = torch.einsum("hij,jhd->ihd", s.softmax(-1), v)
        return self.linear(o.reshape(T, -1), name + "o_proj")

    def mlp(self, x, name):
        g = self.linear(x, name + "gate_proj")
        u = self.linear(x, name + "up_proj")
        return self.linear(g / (1 + (-g).exp()) * u, name + "down_proj")

    def embed(self, row):
        """As in transformers the pad token's row gets no gradient here."""
        e = self.w["model.embed_tokens.weight"]
        x = e[row]
        pad = row == (-1 if self.c.pad_token_id is None
                      else self.c.pad_token_id)
        return torch.where(pad[:, None], x.detach(), x)

    def run(self, row):
        """Hidden states (before, after each layer; final), logits."""
        x = self.embed(row)
        hidden = [x]
        for l in range(self.c.num_hidden_layers):
            p = f"model.layers.{l}."
            x = x + self.attention(self.norm(x, p + "input_layernorm.weight"),
                                   p + "self_attn.")
            x = x + self.mlp(
                self.norm(x, p + "post_attention_layernorm.weight"), p + "mlp.")
            hidden.append(x)
        final = self.norm(x, "model.norm.weight")
        head = self.w.get("lm_head.weight",
                          self.w["model.embed_tokens.weight"])
        return hidden, final, final @ head.T

    def parameters(self):
        return self.w


class Single:
    """transformers' model behind the same interface."""

    def __init__(self, model):
        self.model = model
        self.c = model.config

    def run(self, row):
        last = []
        hook = self.model.model.norm.register_forward_pre_hook(
            lambda module, args: last.append(args[0][0]))
        out = self.model(row[None], output_hidden_states=True)
        hook.remove()
        hidden = [h[0] for h in out.hidden_states[:-1]] + last
        return hidden, out.hidden_states[-1][0], out.logits[0]

    def parameters(self):
        return dict(self.model.named_parameters())


# --- what is recorded --------------------------------------------------------

def score(logits, row):
    """Log-probabilities of the next tokens (0 at the end), entropies."""
    lp = logits.log_softmax(-1)
    nxt = lp[:-1].gather(1, row[1:, None])[:, 0]
    return F.pad(nxt, (0, 1)), -(lp.exp() * lp).sum(-1)


def gradients(loss, parameters):
    names = list(parameters)
    grads = torch.autograd.grad(loss, [parameters[n] for n in names])
    return {"grad." + n: g for n, g in zip(names, grads)}


def forward(m, rows, mask):
    parts, loss, targets = [], 0, 0
    for row, keep in zip(rows, mask):
        hidden, final, logits = m.run(row)
        lp, entropy = score(logits, row)
        loss = loss - (lp[:-1] * keep[1:]).sum()
        targets += int(keep.sum())
        part = {f"hidden.{l}": h for l, h in enumerate(hidden)}
        part.update({"hidden.final": final, "logits": logits, "logprobs": lp,
                     "entropy": entropy})
        parts.append(part)
    loss = loss / targets
    out = {n: torch.cat([p[n] for p in parts]) for n in parts[0]}
    out["loss"] = loss
    out.update(gradients(loss, m.parameters()))
    return {n: t.detach() for n, t in out.items()}


def decisions(m, head, rows, prompt):
    """logprobs, entropy, values of all decisions for response tokens."""
    parts = []
    for row, n in zip(rows, prompt):
        _, final, logits = m.run(row)
        lp, entropy = score(logits, row)
        value = final @ head["v_head.summary.weight"][0] + \
            head["v_head.summary.bias"]
        parts.append([x[n - 1:-1] for x in (lp, entropy, value)])
    return [torch.cat(x) for x in zip(*parts)]


def update(m, head, rows, prompt, ppo, given):
    lp, entropy, value = decisions(m, head, rows, prompt)
    old, adv, old_value, ret = (
        given[n].to(lp.dtype)
        for n in ("old_logprobs", "advantages", "old_values", "returns"))
    ratio = (lp - old).exp()
    eps, clip = ppo["cliprange"], ppo["cliprange_value"]
    policy = torch.max(-adv * ratio,
                       -adv * ratio.clamp(1 - eps, 1 + eps)).mean()
    near = value.clamp(old_value - clip, old_value + clip)
    error = torch.max((value - ret) ** 2, (near - ret) ** 2)
    total = policy + ppo["vf_coef"] * error.mean() / 2 \
        - ppo["ent_coef"] * entropy.mean()
    out = {"logprobs": lp, "entropy": entropy, "values": value,
           "loss_policy": policy, "loss_value": error.mean() / 2,
           "loss": total}
    out.update(gradients(total, {**m.parameters(), **head}))
    return {n: t.detach() for n, t in out.items()}


def noise_of(single, double):
    """Largest differences; they must be rounding, not another formula."""
    noise = {}
    for name, want in double.items():
        d = (single[name].double() - want).abs().max().item()
        size = want.abs().max().item()
        if d > 2e-5 * max(size, 1):
            sys.exit(f"{name}: float32 and float64 differ by {d}")
        noise[name] = float(f"{d:.3g}")
    return noise


def dump(value, depth=0):
    """JSON with lists of numbers on one line."""
    pad = "  " * (depth + 1)
    if isinstance(value, dict) and value:
        body = ",\n".join(f"{pad}{json.dumps(k)}: {dump(v, depth + 1)}"
                          for k, v in value.items())
        return "{\n" + body + "\n" + pad[2:] + "}"
    if isinstance(value, list) and value and isinstance(value[0], (list, dict)):
        body = ",\n".join(pad + dump(v, depth + 1) for v in value)
        return "[\n" + body + "\n" + pad[2:] + "]"
    return json.dumps(value)


def write(folder, head, tensors, noise):
    text = dump({"format": FORMAT, **head, "noise": noise})
    (folder / "case.json").write_text(text + "\n")
    save_file({n: t.contiguous().float() for n, t in tensors.items()},
              folder / "expected.safetensors")


def draw_rows(lengths, config, random):
    rows = [torch.from_numpy(random.integers(0, config["vocab_size"], n))
            for n in lengths]
    pad = config.get("pad_token_id")
    if pad is not None:  # as an ordinary input, in the middle and at the end
        rows[0][4] = rows[2][7] = rows[2][-1] = pad
    return rows


def forward_case(root, name, spec, random):
    folder = root / name
    model = make_model(spec, folder / "model", random)
    rows = draw_rows(spec["rows"], spec["config"], random)
    mask = [torch.from_numpy((random.random(len(r)) < 0.6).astype(int))
            for r in rows]
    for m in mask:
        m[0] = 0
    single = forward(Single(model), rows, mask)
    noise = noise_of(single, forward(Double(model), rows, mask))
    head = dict(kind="forward", id=name, note=spec["note"], model="model",
                rows=[r.tolist() for r in rows],
                loss_mask=[m.tolist() for m in mask],
                loss=single["loss"].item(),
                n_targets=int(sum(m.sum() for m in mask)))
    write(folder, head, single, noise)


def away_from(x, edges, random, spread):
    """Shifts so that x + shift is well away from every edge."""
    out = torch.from_numpy(spread * random.standard_normal(len(x))).float()
    for i in range(len(x)):
        while min(abs(float(out[i]) - e) for e in edges) < 0.02:
            out[i] = float(spread * random.standard_normal())
    return out


def update_case(root, spec, random):
    folder = root / "policy_update"
    model = make_model(spec, folder / "model", random)
    H = spec["config"]["hidden_size"]
    head = {"v_head.summary.weight": torch.from_numpy(
                random.standard_normal((1, H)) / math.sqrt(H)).float(),
            "v_head.summary.bias": torch.tensor([0.25])}
    file = folder / "model" / "model.safetensors"
    save_file({**load_file(file), **head}, file, metadata={"format": "pt"})
    for t in head.values():
        t.requires_grad_()
    rows = draw_rows(spec["rows"], spec["config"], random)
    ppo = spec["ppo"]
    with torch.no_grad():
        lp, _, value = decisions(Single(model), head, rows, spec["prompt"])
    # No decision at the edge of a clip: there rounding would choose.
    eps, clip = ppo["cliprange"], ppo["cliprange_value"]
    shift = away_from(lp, [math.log(1 - eps), math.log(1 + eps)], random, 0.25)
    step = away_from(value, [-clip, clip], random, 0.35)
    ret = value + away_from(value, [0, clip / 2, -clip / 2], random, 1.0)
    given = {"old_logprobs": lp - shift, "old_values": value - step,
             "returns": ret, "advantages": torch.from_numpy(
                 random.standard_normal(len(lp))).float()}
    single = update(Single(model), head, rows, spec["prompt"], ppo, given)
    wide = {n: t.detach().double().requires_grad_() for n, t in head.items()}
    noise = noise_of(single, update(Double(model), wide, rows, spec["prompt"],
                                    ppo, given))
    head_json = dict(kind="policy_update", id="policy_update",
                     note=spec["note"], model="model",
                     rows=[r.tolist() for r in rows], prompt=spec["prompt"],
                     config=ppo)
    write(folder, head_json, {**given, **single}, noise)


def gap_of(scores, eos, step, least):
    z = scores.clone()
    if step < least:
        z[eos] = -torch.inf
    top = z.topk(2).values
    return float(top[0] - top[1])


def greedy_case(root, i, name, length, settings, random):
    """Draws prompts until no step is a near tie, where rounding would choose,
    and the text is not one token over and over."""
    model = load_model(root / name / "model")
    eos = settings.get("eos_token_id", [])
    eos = eos if isinstance(eos, list) else [eos]
    while True:
        prompt = random.integers(0, model.config.vocab_size, length).tolist()
        out = model.generate(
            torch.tensor([prompt]), do_sample=False, output_logits=True,
            return_dict_in_generate=True, pad_token_id=0,
            attention_mask=torch.ones(1, length, dtype=torch.long),
            **{"eos_token_id": None, **settings})
        new = out.sequences[0, length:].tolist()
        gaps = [gap_of(z[0], eos, t, settings.get("min_new_tokens", 0))
                for t, z in enumerate(out.logits)]
        ended = new[-1] in eos
        if min(gaps) > 2e-3 and ended == bool(eos) and len(set(new)) > 2:
            break
    lp = [float(z[0].log_softmax(-1)[t]) for z, t in zip(out.logits, new)]
    return dict(id=f"greedy_{i}", model=f"{name}/model", prompt=prompt,
                config=settings, expected=dict(
                    new_tokens=new, finish="eos" if ended else "length",
                    token_logprobs=[float(f"{x:.8g}") for x in lp],
                    min_gap=float(f"{min(gaps):.3g}")))


def main(root):
    for name in list(MODELS) + ["policy_update"]:
        shutil.rmtree(root / name, ignore_errors=True)
    random = numpy.random.default_rng(20250522)
    for name, spec in MODELS.items():
        forward_case(root, name, spec, random)
    update_case(root, UPDATE, random)
    cases = [greedy_case(root, i, *g, random) for i, g in enumerate(GREEDY)]
    text = dump({"format": FORMAT, "kind": "greedy", "cases": cases})
    (root / "greedy.json").write_text(text + "\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
