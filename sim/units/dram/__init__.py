"""DRAM: what the loaders and the writer see of it, and what a kind of DRAM says of itself.

    requests[port] --> DRAM --> done

A kind is one file in this folder, or a plug-in: its section of the arch YAML, its promises, its unit. The laws of a run
(bounds, traffic) ask the promises and never the section.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum
from fractions import Fraction
from math import ceil
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

from sim.arch import dram
from sim.arch.schema import Arch, Hardware
from sim.cost.terms import CostTerms, Group
from sim.engine.fast_forward import SlowPhase
from sim.units.unit import Bench, Loss, Unit


class Port(IntEnum):
    WEIGHTS = 0
    ACTIVATIONS = 1
    OUTPUTS = 2


PORTS = tuple(Port)
BANDWIDTH = "dram.bandwidth_gigabytes_per_second"


MODELS_KEPT = 16
_MODELS: OrderedDict[int, tuple[Hardware, DramModel]] = OrderedDict()
"""By identity of the machine, which stands beside its model so that no other takes its place in memory."""


class Promise(NamedTuple):
    """A law of a kind of DRAM: what was counted lies between two numbers."""

    law: str
    least: int
    counted: int
    most: int


class DramModel(ABC):
    """One kind of DRAM in one machine.

    Attributes
    ----------
    kind
        Its name in `dram.kind`.
    summary
        One line for `sim.py list`.
    section
        The keys of `dram` that it takes; others are refused.
    """

    plugs_into: ClassVar[str] = "dram"
    kind: ClassVar[str]
    summary: ClassVar[str]
    section: ClassVar[type[dram.DramConfig]]

    capacity_bytes: int | None = None
    """None for a kind that has no size."""

    def __init__(self, hardware: Hardware) -> None:
        self.hardware = hardware

    def check(self) -> None:  # noqa: B027, most kinds have nothing to refuse
        """Refuse keys that contradict one another.

        Raises
        ------
        InputError
            By `hardware.refuse`, which knows the lines.
        """

    @property
    @abstractmethod
    def bytes_per_cycle(self) -> Fraction:
        """What moves in a cycle at most, reads and writes together."""

    @abstractmethod
    def read_cycles(self, moved: int) -> int:
        """Cycles from a request of so many bus bytes, alone in the DRAM, until the buffer has them: never sooner."""

    @abstractmethod
    def write_cycles(self, moved: int) -> int:
        """Cycles from such a request until it is done."""

    @abstractmethod
    def most_cycles(self, moved: int, reads: int, writes: int) -> int:
        """Cycles in which so many requests of so many bus bytes in all are done one after the other: never later."""

    @abstractmethod
    def unit(self, bench: Bench) -> Dram:
        """The unit of one run."""

    def bus_bytes(self, size: int) -> int:
        """What moves for a request of so many bytes."""
        return size

    def least_cycles(self, moved: int) -> int:
        """Cycles in which so many bus bytes move: never less."""
        return ceil(moved / self.bytes_per_cycle)

    def costs(self, arch: Arch) -> tuple[CostTerms, ...]:
        """What it costs: every byte that moves."""
        byte = 8 * arch.cost.dram.energy_picojoules_per_bit
        return (CostTerms("dram", {f"dram.{side}_bytes": byte for side in ("weight", "activation", "output")}),)

    def promises(self, counters: Mapping[str, int], cycles: int, requests: int) -> Iterable[Promise]:
        """What holds of the counters of every run with so many requests."""
        return ()

    def rounding(self, moved: int, counters: Mapping[str, int]) -> float:
        """Share of the time of so many bus bytes that the model's own grain of time added."""
        return 0.0


class Dram(Unit):
    """The unit: takes requests, and calls back when they are done. Requests of a port are done in order.

    It has no ledger and need not have a process. What its future depends on is `relative_state`, or fast-forward would
    skip what does not repeat.
    """

    names = ("dram",)
    flow = 10
    label = "DRAM"
    components: ClassVar[Mapping[str, Group]] = MappingProxyType(
        {
            "dram": "dram",
            **dict.fromkeys(("dram_activates", "dram_reads", "dram_writes", "dram_refresh"), "dram"),
            **dict.fromkeys(("dram_standby", "dram_interface", "dram_controller"), "dram"),
        }
    )
    """All of DRAM where every bit has its price; its parts where commands have theirs."""
    losses = MappingProxyType(
        {
            "weights_channel_busy": Loss(
                "bandwidth", "waits for weights beside a busy channel", BANDWIDTH,
                f"more {BANDWIDTH}, or more tokens for each load of the weights (schedule.token_block, batch)",
                "weights, DRAM busy",
            ),
            "activations_channel_busy": Loss(
                "bandwidth", "waits for activations beside a busy channel", BANDWIDTH,
                f"more {BANDWIDTH}, or fewer loads of the activations (buffers.activation.bytes, "
                "schedule.output_block)",
                "activations, DRAM busy",
            ),
            "output_space_channel_busy": Loss(
                "bandwidth", "waits for outputs to leave through a busy channel", BANDWIDTH, f"more {BANDWIDTH}",
                "outputs, DRAM busy",
            ),
            "weights_channel_idle": Loss(
                "latency", "waits for weights beside an idle channel", "buffers.weight.bytes",
                "loads that run further ahead (buffers.weight.bytes, dram.outstanding_loads)", "weights, DRAM idle",
            ),
            "activations_channel_idle": Loss(
                "latency", "waits for activations beside an idle channel", "buffers.activation.bytes",
                "loads that run further ahead (buffers.activation.bytes, dram.outstanding_loads)",
                "activations, DRAM idle",
            ),
        }
    )  # fmt: skip

    @classmethod
    def costs(cls, arch: Arch) -> tuple[CostTerms, ...]:
        return model_of(arch).costs(arch)

    def __init__(self, bench: Bench, model: DramModel) -> None:
        super().__init__(bench, "dram")
        self.config = model.hardware.dram
        self.bus_bytes = model.bus_bytes
        self.bytes_moved = [0, 0, 0]
        """By port, in bus bytes."""

    def read(self, port: Port, size: int, done: Callable[[], None]) -> None:
        """Ask for `size` bytes for a buffer."""
        raise NotImplementedError

    def write(self, size: int, done: Callable[[], None]) -> None:
        """Take `size` bytes of output."""
        raise NotImplementedError

    def busy_in(self, counters: Mapping[str, int]) -> int:
        """Cycles at work, from the counters of a whole run, what was skipped included."""
        raise NotImplementedError

    def busy_cycles_so_far(self) -> int:
        """Cycles before the present one in which something moved, wholly or in part."""
        raise NotImplementedError

    def relative_state(self) -> tuple[Any, ...]:
        raise NotImplementedError

    def slow_phase(self) -> SlowPhase | None:
        """Of refresh, where there is one: what `relative_state` leaves out of it."""
        return None

    def counters(self) -> dict[str, int]:
        weights, activations, outputs = self.bytes_moved
        return {"dram.weight_bytes": weights, "dram.activation_bytes": activations, "dram.output_bytes": outputs}


def model_of(hardware: Hardware) -> DramModel:
    """The DRAM that a machine names, the same object for as long as the machine is in use."""
    known = _MODELS.get(id(hardware))
    if known is None or known[0] is not hardware:
        kind: type[DramModel] | None = dram.DRAM.find(hardware.dram.kind)
        assert kind is not None
        known = _MODELS[id(hardware)] = hardware, kind(hardware)
        if len(_MODELS) > MODELS_KEPT:
            _MODELS.popitem(last=False)
    return known[1]
