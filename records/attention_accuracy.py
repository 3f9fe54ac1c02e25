"""What keys and values as integers, and mantissa lengths in attention, lose: the tables of docs/attention.md.

Attention as anda-hpca25 computes it; keys and values in FP16 as FP-FP does. All else stays FP16, weights as the model's
file has them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from records.record import FLOATING, RESULTS, ROOT, Record, Sample, read, written
from records.smollm2 import gguf_file
from sim.accuracy.attention_format import attention_format
from sim.accuracy.loss import FormatLoss
from sim.accuracy.perplexity import FP16, Evaluator, Format, perplexity
from sim.arch.load import load_arch
from sim.machine.machine import Machine
from sim.trace.load import load_weights
from sim.trace.text import tokens_of
from sim.workload.attention_precision import AttentionLengths

PAGE = ROOT / "docs" / "attention.md"
BEGIN, END = "<!-- made by python -m records attention-smollm2 -->", "<!-- end of it -->"
TEXT = ROOT / "workloads" / "tiny-llama" / "validation.txt"
WIDE, USUAL = (16, 16), (8, 8)
SETTINGS: tuple[tuple[str, AttentionLengths], ...] = (
    ("fp16", WIDE),
    *(("int8", lengths) for lengths in (WIDE, USUAL, (6, 8), (8, 6), (6, 6), (5, 5), (4, 4))),
    *((kv, lengths) for kv in ("int4", "int3") for lengths in (WIDE, USUAL)),
)
_INTEGERS = {f"{kv} {','.join(map(str, lengths))}": (kv, lengths) for kv, lengths in SETTINGS if kv != "fp16"}
NAMES = {"fp16": SETTINGS[0], **_INTEGERS}
"""By what the record calls them: the cache, and the lengths of queries and of the softmax's weights."""


class AttentionAccuracy(Record):
    """Of one model.

    Attributes
    ----------
    tokens, context
        Of the text, and of a window.
    sampled
        Tokens from the first one on that a sample scores: whole windows, or part of the first.
    """

    tokens: ClassVar[int]
    context: ClassVar[int]
    sampled: ClassVar[int]

    def model(self) -> Path | None:
        """The model's folder or file; None where it is not installed."""
        raise NotImplementedError

    def make(self) -> None:
        evaluator = self._evaluator(self.tokens)
        reference = evaluator.scores(FP16)
        report: dict[str, Any] = {
            "model": evaluator.name,
            "text": TEXT.name,
            "tokens": self.tokens,
            "context": self.context,
            "perplexity": perplexity(reference),
            "formats": {},
        }
        for name in NAMES:
            scores = evaluator.scores(self._format(evaluator, name))
            loss = FormatLoss.of(scores, reference)
            report["formats"][name] = {
                "perplexity": perplexity(scores),
                "relative_loss": loss.relative(),
                "standard_error_nats": loss.standard_error,
                f"perplexity of the first {self.sampled} tokens": perplexity(scores[: self._scored]),
            }
        self.files[0].parent.mkdir(exist_ok=True)
        self.files[0].write_text(written(report), encoding="utf-8")
        PAGE.write_text(page(), encoding="utf-8")

    def samples(self, random: Random) -> Iterator[Sample]:
        recorded = read(self.files[0])
        yield Sample("formats", sorted(recorded["formats"]), sorted(NAMES))
        name = random.choice(sorted(NAMES))
        evaluator = self._evaluator(self.sampled)
        found = evaluator.perplexity(self._format(evaluator, name))
        part = recorded["formats"][name][f"perplexity of the first {self.sampled} tokens"]
        yield Sample(f"perplexity of {name}", part, found, FLOATING)
        yield Sample("docs/attention.md", PAGE.read_text(encoding="utf-8"), page())

    def missing(self) -> str | None:
        return None if self.model() else f"the model of `{self.name}` is not installed"

    @property
    def _scored(self) -> int:
        """Of the sampled tokens those that are scored: all but the first of a window."""
        return self.sampled - -(-self.sampled // self.context)

    def _evaluator(self, tokens: int) -> Evaluator:
        model = self.model()
        assert model is not None
        return _evaluator(model, tokens, self.context)

    def _format(self, evaluator: Evaluator, name: str) -> Format:
        kv, lengths = NAMES[name]
        machine = _machine("fp-fp" if kv == "fp16" else "anda-hpca25")
        return Format(None, attention=attention_format(machine, evaluator.model, self.context, kv, lengths))


class SmolLm2Attention(AttentionAccuracy):
    name = "attention-smollm2"
    files: ClassVar[tuple[Path, ...]] = (RESULTS / "attention" / "smollm2.json",)
    tokens, context, sampled = 320, 320, 96

    def model(self) -> Path | None:
        return gguf_file()


@cache
def _evaluator(model: Path, tokens: int, context: int) -> Evaluator:
    text = tokens_of(model, TEXT)[:tokens]
    return Evaluator(load_weights(model), text, context, context, "as the file has them")


@cache
def _machine(name: str) -> Machine:
    return Machine(load_arch(name))


def page() -> str:
    """docs/attention.md with the table of what is recorded between its markers."""
    before, begin, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{begin}\n{table()}\n{end}{after}"


def table() -> str:
    """Losses of perplexity, a row a format, a column a model."""
    recorded = [read(record.files[0]) for record in (SmolLm2Attention,) if record.files[0].is_file()]
    heads = [f"{one['model']}, {one['tokens']:,} tokens" for one in recorded]
    lines = ["| keys and values | Q, P | " + " | ".join(heads) + " |", "|---|---|" + "--:|" * len(heads)]
    for name, (kv, lengths) in NAMES.items():
        cells = [_cell(one["formats"][name]) for one in recorded]
        told = "FP16" if kv == "fp16" else f"{lengths[0]}, {lengths[1]}"
        lines.append(f"| {kv.upper()} | {told} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(found: dict[str, float]) -> str:
    return f"{found['relative_loss']:+.2%} ± {found['standard_error_nats']:.2%}"
