"""What our kernels will take on a card, forecast from their machine code: on record before a card has run them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from gpu_ref import nvrtc, sass
from gpu_ref.forecast import table
from gpu_ref.forecast.silicon import silicon
from gpu_ref.program import GemmShape
from records.record import RESULTS, Record, Sample, as_read, read

FOLDER = RESULTS / "gpu_forecast"
LAYER = (28672, 8192)  # LLaMA-2-70B's gate
TOKENS = (1, 16, 64, 256, 2048)
MANTISSA_BITS = (6, 8)


class GpuForecast(Record):
    """A file a card."""

    name: ClassVar[str] = "gpu-forecast"
    files: ClassVar[tuple[Path, ...]] = (FOLDER,)

    def make(self) -> None:
        for card in silicon().cards:
            table.write(_made(card, TOKENS), _file(card))

    def samples(self, random: Random) -> Iterator[Sample]:
        card, tokens = random.choice(sorted(silicon().cards)), random.choice(TOKENS)
        made, recorded = as_read(_made(card, (tokens,))), read(_file(card))
        rows = [row for row in recorded["rows"] if row["tokens"] == tokens]
        yield Sample(f"{card}, {tokens} tokens", {**recorded, "sources": None, "rows": rows}, {**made, "sources": None})
        sources = {name: recorded["sources"].get(name) for name in made["sources"]}
        yield Sample(f"{card}, kernels of {tokens} tokens", sources, made["sources"])

    def missing(self) -> str | None:
        if not nvrtc.is_installed():
            return "NVRTC is not installed"
        return "nvdisasm is not installed" if sass.disassembler() is None else None


def _file(card: str) -> Path:
    return FOLDER / f"{card.lower()}.json"


def _made(card: str, tokens: tuple[int, ...]) -> dict[str, Any]:
    shapes = [GemmShape(count, *LAYER) for count in tokens]
    one = silicon().cards[card]
    return table.as_dict(card, one, table.rows(card, one, shapes, MANTISSA_BITS, None))
