"""Trains a language model of Llama's architecture on texts, and writes it as GGUF.

    python train.py FOLDER TEXT...

It is small enough for two CPUs and a minute: a token is a byte, 120,000 weights. It learns how
its texts look, not what they say. FOLDER gets model.gguf, which llama.cpp and whatever reads GGUF
serves. STEPS (300) is how long it learns, SEED (0) where it begins.
"""

import os
import sys
from pathlib import Path

import gguf
import jax
import jax.numpy as jnp
import numpy as np

STEPS = int(os.environ.get("STEPS", "300"))
SEED = int(os.environ.get("SEED", "0"))
LAYERS, WIDTH, HEADS, INNER, CONTEXT, BATCH = 2, 64, 2, 192, 192, 16
TRAINED_CONTEXT = 1024
"""What the file claims: rotations extend a little beyond the windows that were learned."""
RATE, EPSILON, ROTATION = 3e-3, 1e-5, 10_000.0
UNKNOWN, BEGIN, END, FIRST_BYTE, BLANK = 0, 1, 2, 3, 259
VOCABULARY = 260

Weights = dict[str, jax.Array]


def tokens(text: str) -> np.ndarray:
    """A token for each byte; the blank has one of its own, as in SentencePiece."""
    found = np.frombuffer(text.encode(), np.uint8).astype(np.int32)
    return np.where(found == ord(" "), BLANK, found + FIRST_BYTE)


def initial(key: jax.Array) -> Weights:
    """Weights by GGUF's names, each with GGUF's shape: outputs before inputs."""
    shapes = {"token_embd": (VOCABULARY, WIDTH), "output_norm": (WIDTH,)}
    for n in range(LAYERS):
        shapes |= {f"blk.{n}.{name}": (WIDTH,) for name in ("attn_norm", "ffn_norm")}
        shapes |= {f"blk.{n}.attn_{name}": (WIDTH, WIDTH) for name in ("q", "k", "v", "output")}
        shapes |= {f"blk.{n}.ffn_{name}": (INNER, WIDTH) for name in ("gate", "up")}
        shapes |= {f"blk.{n}.ffn_down": (WIDTH, INNER)}
    keys = jax.random.split(key, len(shapes))
    return {
        name: jnp.ones(shape)
        if len(shape) == 1
        else jax.random.normal(k, shape) * (0.02 if name == "token_embd" else shape[1] ** -0.5)
        for k, (name, shape) in zip(keys, shapes.items(), strict=True)
    }


def norm(x: jax.Array, scale: jax.Array) -> jax.Array:
    return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + EPSILON) * scale


def rotated(x: jax.Array) -> jax.Array:
    """Rotary position embedding of neighbouring pairs, over (batch, position, head, size)."""
    size = x.shape[-1]
    angles = np.outer(np.arange(x.shape[1]), ROTATION ** (-np.arange(0, size, 2) / size))
    cos, sin = (f(angles)[None, :, None, :] for f in (np.cos, np.sin))
    a, b = x[..., ::2], x[..., 1::2]
    return jnp.stack([a * cos - b * sin, a * sin + b * cos], -1).reshape(x.shape)


def logits(w: Weights, inputs: jax.Array) -> jax.Array:
    """Of the next token, at each position."""
    batch, length = inputs.shape
    later = np.triu(np.full((length, length), -1e9, np.float32), 1)
    x = w["token_embd"][inputs]
    for n in range(LAYERS):
        here = {k.removeprefix(f"blk.{n}."): v for k, v in w.items() if k.startswith(f"blk.{n}.")}
        y = norm(x, here["attn_norm"])
        q, k, v = ((y @ here[f"attn_{name}"].T).reshape(batch, length, HEADS, -1) for name in "qkv")
        scores = jnp.einsum("bqhd,bkhd->bhqk", rotated(q), rotated(k)) * q.shape[-1] ** -0.5
        seen = jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores + later), v)
        x += seen.reshape(batch, length, WIDTH) @ here["attn_output"].T
        y = norm(x, here["ffn_norm"])
        x += (jax.nn.silu(y @ here["ffn_gate"].T) * (y @ here["ffn_up"].T)) @ here["ffn_down"].T
    return norm(x, w["output_norm"]) @ w["token_embd"].T


@jax.jit
def loss(w: Weights, windows: jax.Array) -> jax.Array:
    """Cross-entropy in nats a byte."""
    said = jax.nn.log_softmax(logits(w, windows[:, :-1]))
    return -jnp.take_along_axis(said, windows[:, 1:, None], -1).mean()


@jax.jit
def step(w: Weights, mean: Weights, square: Weights, n: jax.Array, windows: jax.Array):
    """One of Adam's, at a rate that rises for 20 steps and falls to 0 at the end."""
    value, slope = jax.value_and_grad(loss)(w, windows)
    length = jnp.sqrt(sum(jnp.sum(g * g) for g in slope.values()))
    slope = {k: g / jnp.maximum(length, 1.0) for k, g in slope.items()}
    rate = RATE * jnp.minimum(n / 20, 1) * 0.5 * (1 + jnp.cos(jnp.pi * n / STEPS))
    mean = {k: 0.9 * mean[k] + 0.1 * g for k, g in slope.items()}
    square = {k: 0.98 * square[k] + 0.02 * g * g for k, g in slope.items()}
    moved = {
        k: w[k] - rate * mean[k] / (1 - 0.9**n) / (jnp.sqrt(square[k] / (1 - 0.98**n)) + 1e-8)
        for k in w
    }
    return moved, mean, square, value


def trained(data: np.ndarray) -> Weights:
    """Learns from all but the last twentieth, and prints the loss on that."""
    known, unseen = np.split(data, [len(data) * 19 // 20])
    w = initial(jax.random.PRNGKey(SEED))
    mean = square = jax.tree.map(jnp.zeros_like, w)
    draw = np.random.default_rng(SEED)
    for n in range(1, STEPS + 1):
        starts = draw.integers(0, len(known) - CONTEXT - 1, BATCH)
        windows = known[starts[:, None] + np.arange(CONTEXT + 1)]
        windows[:, 0] = BEGIN
        w, mean, square, value = step(w, mean, square, n, windows)
        if n % 50 == 0 or n == STEPS:
            print(f"step {n}: {float(value):.3f} nats a byte", flush=True)
    count = len(unseen) // (CONTEXT + 1)
    held_out = float(loss(w, unseen[: count * (CONTEXT + 1)].reshape(count, -1)))
    print(f"unseen text: {held_out:.3f} nats a byte", flush=True)
    return w


def write(w: Weights, file: Path) -> None:
    """Matrices in half precision; the output's weights are the embedding's."""
    out = gguf.GGUFWriter(str(file), "llama")
    out.add_name(f"bytes-{STEPS}")
    out.add_block_count(LAYERS)
    out.add_context_length(TRAINED_CONTEXT)
    out.add_embedding_length(WIDTH)
    out.add_feed_forward_length(INNER)
    out.add_head_count(HEADS)
    out.add_head_count_kv(HEADS)
    out.add_rope_dimension_count(WIDTH // HEADS)
    out.add_rope_freq_base(ROTATION)
    out.add_layer_norm_rms_eps(EPSILON)
    out.add_vocab_size(VOCABULARY)
    out.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    kind = gguf.TokenType
    out.add_tokenizer_model("llama")
    out.add_token_list(["<unk>", "<s>", "</s>", *(f"<0x{n:02X}>" for n in range(256)), "\u2581"])
    out.add_token_scores([0.0] * VOCABULARY)
    out.add_token_types([kind.UNKNOWN, kind.CONTROL, kind.CONTROL, *[kind.BYTE] * 256, kind.NORMAL])
    out.add_unk_token_id(UNKNOWN)
    out.add_bos_token_id(BEGIN)
    out.add_eos_token_id(END)
    out.add_add_bos_token(True)
    out.add_add_space_prefix(False)
    # Nothing was trained to converse: what was said is what goes on.
    out.add_chat_template("{% for message in messages %}{{ message.content }}\n{% endfor %}")
    for name, value in w.items():
        kept = np.float32 if value.ndim == 1 else np.float16
        out.add_tensor(f"{name}.weight", np.asarray(value, kept))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def main() -> None:
    folder, *texts = map(Path, sys.argv[1:])
    data = tokens("\n\n".join(text.read_text() for text in texts))
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / "model.gguf.part"
    write(trained(data), part)
    part.replace(folder / "model.gguf")


if __name__ == "__main__":
    main()
