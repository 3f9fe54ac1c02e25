"""What first contact does, in order of worth; each step one process, each item one thing that may fail by itself.

card       versions, clocks                       bench     FP16, W4A16 and Anda, then all others
ceilings   bandwidth, FP16 product                energy    windows of some seconds
smoke      every family, small                    peers     other people's kernels, same shapes
sanitize   memcheck, racecheck, synccheck         counters  Nsight Compute on single launches
verify     every kernel, length and tile height
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from gpu_ref import goldens, verify
from gpu_ref.card import Card
from gpu_ref.contact import tools
from gpu_ref.contact.job import Job
from gpu_ref.kernel import Kernel
from gpu_ref.kernels.fp16 import Fp16
from gpu_ref.peers.timing import PEERS
from gpu_ref.plan import Round, rounds
from gpu_ref.program import GemmShape

Task = Literal["card", "ceilings", "check", "time", "energy", "peer", "once"]
STAGES = ("card", "ceilings", "smoke", "sanitize", "verify", "bench", "energy", "peers", "counters")
_SANITIZED = ("w4a16", "anda", "w4a16_wgmma", "anda_wgmma", "llm_int8", "bipolar")
_COUNTED = ("w4a16", "anda", "w4a16_wgmma", "anda_wgmma", "fp8_wgmma", "llm_int8")
_COUNTED_TOKENS = (1, 16, 64)


@dataclass(frozen=True)
class Item:
    """One thing to do; `subject` is what a skip list knows it by."""

    task: Task
    subject: str
    kernel: Kernel | None = None
    shape: GemmShape | None = None
    layers: tuple[str, ...] = ()
    is_choice: bool = False

    @property
    def name(self) -> str:
        if self.kernel and self.shape:
            return goldens.name(self.kernel, self.shape)
        return f"{self.subject}, {self.shape}" if self.shape else self.subject


@dataclass(frozen=True)
class ContactStep:
    """Items of one family, done by one process at a time.

    Attributes
    ----------
    stage
        One of STAGES, and a part of it where it has parts.
    patience
        Without a word from the process for so many times the job's patience, it hangs.
    tool
        What the process runs under; None: nothing.
    """

    stage: str
    family: str
    items: tuple[Item, ...]
    patience: int = 1
    tool: tools.Tool | None = None

    @property
    def name(self) -> str:
        return f"{self.stage} {self.family}".strip()


def first_steps() -> list[ContactStep]:
    """What needs no knowledge of the card."""
    return [
        ContactStep("card", "", (Item("card", "card"),)),
        ContactStep("ceilings", "", (Item("ceilings", "ceilings"),)),
    ]


def steps(job: Job, card: Card) -> list[ContactStep]:
    """Everything, in order."""
    wanted = job.settings.verification
    small = list(verify.selection(card, verify.small_shapes(wanted), wanted))
    full = list(verify.selection(card, verify.shapes(wanted), wanted))
    found = [*first_steps(), *_checks("smoke", small)]
    for tool in tools.SANITIZERS:
        for family in _SANITIZED:
            few = _one_each([pair for pair in small if pair[0].source == family])
            found += _checks(f"sanitize {tool.name}", few, patience=3, tool=tool)
    found += _checks("verify", full, patience=2)
    everything = list(rounds(job.settings, job.layers, card))
    found += _bench(everything, len(job.settings.shapes.tokens))
    found += _energy(everything, job)
    found += _peers(everything)
    return [*found, *_counters(everything)]


def _checks(
    stage: str, pairs: list[tuple[Kernel, GemmShape]], patience: int = 1, tool: tools.Tool | None = None
) -> Iterator[ContactStep]:
    for family in dict.fromkeys(kernel.source for kernel, _ in pairs):
        items = [Item("check", kernel.label, kernel, shape) for kernel, shape in pairs if kernel.source == family]
        yield ContactStep(stage, family, tuple(dict.fromkeys(items)), patience, tool)


def _one_each(pairs: list[tuple[Kernel, GemmShape]]) -> list[tuple[Kernel, GemmShape]]:
    """The first and the last kernel of a family: a sanitizer takes its time."""
    return [*pairs[:1], *pairs[-1:]] if len(pairs) > 1 else pairs


def _bench(everything: list[Round], token_counts: int) -> Iterator[ContactStep]:
    """The leading layer first, then the others at the leading half of the token counts, then the rest."""
    leading = everything[0].shape
    few = [one.shape.tokens for one in everything[: (token_counts + 1) // 2]]

    def worth(one: Round) -> tuple[bool, int]:
        is_leading = (one.shape.columns, one.shape.depth) == (leading.columns, leading.depth)
        return not one.is_first, 0 if is_leading else 1 if one.shape.tokens in few else 2

    for order, group in groupby(sorted(everything, key=worth), key=worth):
        items: dict[str, list[Item]] = {}
        for one in group:
            for kernel in one.kernels:
                if isinstance(kernel, Fp16) and not one.is_first:
                    continue
                chosen = kernel in one.choices
                item = Item("time", kernel.label, kernel, one.shape, one.layers, chosen)
                items.setdefault(kernel.source, []).append(item)
        for family, timed in items.items():
            yield ContactStep(f"bench {1 + 3 * order[0] + order[1]}", family, tuple(timed))


def _energy(everything: list[Round], job: Job) -> Iterator[ContactStep]:
    leading = everything[0].shape
    items: dict[str, list[Item]] = {}
    for one in everything:
        is_leading = (one.shape.columns, one.shape.depth) == (leading.columns, leading.depth)
        if one.is_first and is_leading and one.shape.tokens in job.settings.energy.tokens:
            for kernel in one.kernels:
                if kernel in one.choices or isinstance(kernel, Fp16):
                    items.setdefault(kernel.source, []).append(Item("energy", kernel.label, kernel, one.shape))
    for family, counted in items.items():
        yield ContactStep("energy", family, tuple(counted))


def _peers(everything: list[Round]) -> Iterator[ContactStep]:
    first = [one for one in everything if one.is_first]
    for peer in PEERS:
        items = [Item("peer", peer.name, None, one.shape, one.layers) for one in first if peer.takes(one.shape)]
        yield ContactStep("peers", peer.name, tuple(items), patience=2)


def _counters(everything: list[Round]) -> Iterator[ContactStep]:
    leading = everything[0].shape
    for family in _COUNTED:
        items = [
            Item("once", kernel.label, kernel, one.shape)
            for one in everything
            if (one.shape.columns, one.shape.depth) == (leading.columns, leading.depth)
            and one.shape.tokens in _COUNTED_TOKENS
            for kernel in one.kernels
            if kernel.source == family
        ]
        if items:
            yield ContactStep("counters", family, tuple(items[:1]), 3, tools.counters(family))
