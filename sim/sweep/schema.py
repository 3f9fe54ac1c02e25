"""What a sweep file says: base machines and workloads, axes over their keys, what is allowed, what is sought.

axes:
  arch.mxu.rows: {powers_of_two: {from: 4, to: 32}}
  arch.dram.bandwidth_gigabytes_per_second: [64, 128, 256]
  arch.buffers.weight.bytes: {ratio: [0.5, 1, 2], of: arch.buffers.activation.bytes}
  arch.mxu.columns, arch.mxu.count: [[16, 4], [32, 2], [64, 1]]     # keys that change together
  workload.run.precision: [wikitext2-1%, [7, 6, 6, 6], 8]

Keys that follow others do so by the expressions of the base machine; a value of an axis may be one too.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from sim.section import Section

Count = Annotated[int, Field(ge=1)]
Number = int | float
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Range(Section):
    """from, from + step, ... up to `to`."""

    first: Finite | int = Field(alias="from")
    last: Finite | int = Field(alias="to")
    step: Annotated[int | Finite, Field(gt=0)] = 1


class Powers(Section):
    """The powers of two from `from` to `to`."""

    first: Count = Field(alias="from")
    last: Count = Field(alias="to")


def _listed(value: object) -> object:
    return {"values": value} if isinstance(value, list) else value


class Spread(Section):
    """Which values an axis takes: one of the four ways, a plain list standing for `values`."""

    values: list[Any] | None = None
    """The values themselves; one list for each where an axis has several keys."""
    range: Range | None = None
    """Equal steps."""
    powers_of_two: Powers | None = None
    """Doubling."""
    ratio: list[Annotated[Finite, Field(gt=0)]] | None = None
    """Multiples of another key's value at the same point, or of the base machine's own."""
    of: str | None = None
    """Key that `ratio` multiplies."""


def _as_text(value: object) -> object:
    """Let YAML's `5` stand for the expression `5`."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Formula = Annotated[str, BeforeValidator(_as_text, json_schema_input_type=str | int | float)]
Axes = dict[str, Annotated[Spread, BeforeValidator(_listed, json_schema_input_type=Spread | list[Any])]]


class Sweep(Section):
    """A design space and what is sought in it."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")]
    """What the sweep is called in its store; letters, digits and . _ + -"""
    description: str = ""
    """Shown in the report."""
    mode: Literal["grid", "random", "search"] = "grid"
    """grid: every point; random: some, drawn evenly; search: Optuna asks for the points."""
    points: Count | None = None
    """How many different points random and search simulate."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Of random and search."""
    sampler: Literal["tpe", "nsga2"] = "tpe"
    """Of search. tpe: the front in few points, but a time of its own that grows with their square; nsga2: for many."""
    batch: Count = 20
    """Points that search asks for at a time, whatever the number of workers; the population of NSGA-II."""
    archs: Annotated[list[str], Field(min_length=1)]
    """Base machines: shipped names, or files."""
    workloads: Annotated[list[str], Field(min_length=1)]
    """Base workloads: shipped names, or files."""
    axes: Axes = Field(default={})
    """Values by key, `arch.` or `workload.` in front; keys that change together are separated by commas. The last axis
    changes fastest; a grid takes less time where the first ones are those that leave nothing to share, such as rows."""
    derived: dict[str, Formula] = Field(default={})
    """Named quantities, in order; expressions over keys, results and the ones before."""
    constraints: list[Formula] = Field(default=[])
    """Expressions that hold for every allowed point. Those without results prune before anything is simulated."""
    objectives: Annotated[list[Formula], Field(min_length=1)]
    """Expressions to minimise; `-x` maximises x."""
    front_per: list[str] | None = None
    """Axes (or `arch`, `workload`) whose values have a front each; absent: `workload` and the axes over its keys but
    precision, since points that do different work are not compared."""


ONLY_IN = {"points": {"random", "search"}, "seed": {"random", "search"}, "sampler": {"search"}, "batch": {"search"}}
"""Modes that take a key."""
