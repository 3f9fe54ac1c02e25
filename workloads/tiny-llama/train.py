"""Train the small shipped model: a byte-level LLaMA of 3.5 M parameters, on a CPU or, where there is one, a GPU.

    python workloads/tiny-llama/train.py --steps 2400          # about an hour on one core with bfloat16 products

Step s draws its windows from a generator seeded with (SEED, s), so a run that was interrupted goes on from its last
checkpoint as if nothing had happened. The learning rate is constant and falls linearly to zero over the last third of
the steps. Matrices are trained with Muon, the rest with AdamW. Writes config.json, model.safetensors (FP16) and the
tokenizer.
"""

import argparse
import lzma
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

HERE = Path(__file__).parent
SEED, CONTEXT, BATCH, WARMUP, DECAY = 7, 256, 20, 100, 1 / 3
CONFIG = LlamaConfig(
    vocab_size=256,
    hidden_size=256,
    intermediate_size=768,
    num_hidden_layers=4,
    num_attention_heads=4,
    num_key_value_heads=4,
    max_position_embeddings=CONTEXT,
    tie_word_embeddings=False,
    bos_token_id=None,
    eos_token_id=None,
    dtype="float16",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2400)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--checkpoint", type=Path, default=HERE / "checkpoint.pt")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(SEED)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    train = np.frombuffer(lzma.decompress((HERE / "train.txt.xz").read_bytes()), np.uint8)
    validation = np.frombuffer((HERE / "validation.txt").read_bytes(), np.uint8)
    model = LlamaForCausalLM(CONFIG).float().to(device)
    optimizers = _optimizers(model)
    first = _resume(arguments.checkpoint, model, optimizers)
    begun = time.monotonic()
    for step in range(first, arguments.steps):
        rate = _rate(step, arguments.steps)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * rate
        loss = _loss(model, _batch(train, step).to(device))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        if (step + 1) % 100 == 0 or step + 1 == arguments.steps:
            held_out = _bits_a_byte(model, validation, device)
            seconds = (time.monotonic() - begun) / (step + 1 - first)
            print(f"step {step + 1}: {seconds:.2f} s a step, train {loss.item() / math.log(2):.3f}, ", end="")
            print(f"validation {held_out:.3f} bits a byte", flush=True)
            _save(arguments.checkpoint, step + 1, model, optimizers)
    model.half().save_pretrained(HERE)
    _tokenizer().save_pretrained(HERE)


def _optimizers(model: torch.nn.Module) -> list[torch.optim.Optimizer]:
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "layers" in name]
    chosen = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in chosen]
    return [
        torch.optim.Muon([{"params": matrices, "peak": 0.02}], lr=0.0, momentum=0.95, weight_decay=0.05),
        torch.optim.AdamW([{"params": others, "peak": 3e-3}], lr=0.0, betas=(0.9, 0.95), weight_decay=0.01),
    ]


def _rate(step: int, steps: int) -> float:
    return min(1.0, (step + 1) / WARMUP, (steps - step) / (DECAY * steps))


def _batch(text: np.ndarray, step: int) -> torch.Tensor:
    starts = np.random.default_rng((SEED, step)).integers(0, len(text) - CONTEXT, BATCH)
    return torch.from_numpy(text[starts[:, None] + np.arange(CONTEXT + 1)].astype(np.int64))


def _loss(model: LlamaForCausalLM, windows: torch.Tensor) -> torch.Tensor:
    with torch.autocast(windows.device.type, torch.bfloat16):
        logits = model(windows[:, :-1], use_cache=False).logits
    return torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), windows[:, 1:].flatten())


def _windows(text: np.ndarray) -> Iterator[torch.Tensor]:
    count = (len(text) - 1) // CONTEXT
    index = np.arange(count)[:, None] * CONTEXT + np.arange(CONTEXT + 1)
    yield from torch.from_numpy(text[index].astype(np.int64)).split(BATCH)


@torch.no_grad()
def _bits_a_byte(model: LlamaForCausalLM, text: np.ndarray, device: str) -> float:
    losses = [_loss(model, windows.to(device)).item() for windows in _windows(text[: 128 * CONTEXT + 1])]
    return float(np.mean(losses)) / math.log(2)


def _save(path: Path, step: int, model: torch.nn.Module, optimizers: list[torch.optim.Optimizer]) -> None:
    state = {"step": step, "model": model.state_dict(), "optimizers": [o.state_dict() for o in optimizers]}
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def _resume(path: Path, model: torch.nn.Module, optimizers: list[torch.optim.Optimizer]) -> int:
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    model.load_state_dict(state["model"])
    for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    return int(state["step"])


def _tokenizer() -> PreTrainedTokenizerFast:
    """Token b is byte b."""
    printable = sorted(pre_tokenizers.ByteLevel.alphabet())
    kept = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    shifted = iter(character for character in printable if ord(character) > 255)
    vocabulary = {chr(byte) if byte in kept else next(shifted): byte for byte in range(256)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=CONTEXT)


if __name__ == "__main__":
    main()
