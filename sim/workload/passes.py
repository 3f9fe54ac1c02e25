"""The passes of a phase through its model, layer by layer: what follows what, and what each piece of work reads.

    Passage -> LayerList -> LayerTask        so many equal passes, of so many equal layers each, of work in order

The same work as the items of the phase (sim/workload/phases.py), which counts equal pieces together. Layers and passes
that are alike stand together; with experts that tokens go to by chance none are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from sim.errors import InputError
from sim.workload.attention import Span
from sim.workload.gemm import FusedAttention, Gemm, Item, LayerList, LayerTask, Passage, Phase, VectorWork
from sim.workload.model import Model
from sim.workload.phases import Forward, LayerStretch, forwards_of, head_block, in_scope, layer_block
from sim.workload.precision_rules import PrecisionPlan
from sim.workload.routing import EvenRouting, Routing

MOST_LISTS = 1 << 13
"""Lists of layers that a phase may be taken apart into."""
READS = {
    "attention.q": ("attention.norm",),
    "attention.k": ("attention.norm",),
    "attention.v": ("attention.norm",),
    "attention.rotary": ("attention.k",),
    "attention.quantise": ("attention.v",),
    "attention": ("attention.quantise", "attention.rotary", "attention.v"),
    "gate": ("mlp.router", "mlp.norm", "attention.o"),
    "up": ("mlp.router", "mlp.norm", "attention.o"),
}
"""The last of these before it is what a piece of work reads; other work reads what stands before it."""


def with_courses(phases: tuple[Phase, ...], model: Model, plan: PrecisionPlan, routing: Routing) -> tuple[Phase, ...]:
    """Phases that know their passes."""
    return tuple(
        replace(phase, course=partial(passages, model, plan, routing, number)) for number, phase in enumerate(phases)
    )


def passages(model: Model, plan: PrecisionPlan, routing: Routing, number: int) -> Iterator[Passage]:
    """The passes of one of the phases.

    Raises
    ------
    InputError
        Where experts make them too many.
    """
    phases, drawn = forwards_of(model, plan), model.experts is not None and not isinstance(routing, EvenRouting)
    forwards = phases[number]
    passes = sum(forward.passes for forward in forwards)
    if drawn and passes * model.layers > MOST_LISTS:
        facts = {
            "found": f"{passes} passes of {model.layers} layers",
            "allowed": f"{MOST_LISTS:,} in all, or routing `even`",
        }
        raise InputError("more layers with loads of their own than are told apart", field="run.routing", facts=facts)
    # With a prompt in chunks the first phase has the attention of the last chunk, too, which the second does.
    shared = phases[: number + 1] if model.run.phase == "mixed" else [forwards]
    waiting = [run for phase in shared for forward in phase for run in _runs(forward)]
    waiting = _without(waiting, sum(forward.passes for phase in shared[:-1] for forward in phase))
    for forward in forwards:
        done = 0
        while done < forward.passes:
            spans, times = waiting.pop(0)
            now = min(times, forward.passes - done, 1 if drawn else times)
            if times > now:
                waiting.insert(0, (spans, times - now))
            attentions = tuple((((one, 1),), sequences) for one, sequences in spans)
            one = replace(forward, passes=1, attentions=attentions, name="", first=forward.first + done)
            yield Passage(tuple(_lists(model, plan, routing, one, drawn)), now)
            done += now


Spans = tuple[tuple[tuple[Span, ...], int], ...]
"""Of one pass: the attentions of a sequence, and how many sequences have them."""


def _runs(forward: Forward) -> list[tuple[Spans, int]]:
    """The attentions of passes in order, equal ones together."""
    found: list[tuple[Spans, int]] = []
    queues = [(list(passes), sequences) for passes, sequences in forward.attentions]
    while queues and all(runs for runs, _ in queues):
        times = min(runs[0][1] for runs, _ in queues)
        found.append((tuple((runs[0][0], sequences) for runs, sequences in queues), times))
        for runs, _ in queues:
            spans, left = runs.pop(0)
            if left > times:
                runs.insert(0, (spans, left - times))
    return found


def _without(runs: list[tuple[Spans, int]], passes: int) -> list[tuple[Spans, int]]:
    """The runs after so many passes."""
    left = list(runs)
    while passes:
        spans, times = left.pop(0)
        taken = min(times, passes)
        passes -= taken
        if times > taken:
            left.insert(0, (spans, times - taken))
    return left


def _lists(model: Model, plan: PrecisionPlan, routing: Routing, forward: Forward, drawn: bool) -> Iterator[LayerList]:
    lists: list[LayerList] = []
    for layers in plan.layers(forward.moment, model.layers):
        own = plan.at(forward.moment, layers.start, model.layers)
        each = [range(layer, layer + 1) for layer in layers] if drawn else [layers]
        for alike in each:
            stretch = LayerStretch(range(alike.start, alike.start + 1), own, forward)
            tasks = _tasks(in_scope(model, layer_block(model, stretch, routing)), forward)
            if lists and lists[-1].tasks == tasks:
                lists[-1] = replace(lists[-1], layers=lists[-1].layers + len(alike))
            else:
                lists.append(LayerList(tasks, len(alike)))
    yield from lists
    if head := in_scope(model, head_block(model, own.lengths, forward)):
        yield LayerList(_tasks(head, forward), 1)


def _tasks(items: list[Item], forward: Forward) -> tuple[LayerTask, ...]:
    tasks: list[LayerTask] = []
    for item in _once(items):
        producer = _producer(item, tasks)
        rows = _rows(item, None if producer is None else tasks[producer], forward)
        if producer is None:
            tasks.append(LayerTask(item, len(tasks) + 1, True, rows))
            continue
        read = tasks[producer]
        stands_between = item.module == "o" and read.item.module == "qkv"  # attention, which another scope has
        by_rows = rows == read.rows > 0 and not stands_between
        tasks.append(LayerTask(item, len(tasks) - producer, by_rows, rows))
    last = tasks[-1]
    # What reads the layer before has its rows, or reads all of what experts left.
    return tuple(
        task._replace(by_rows=task.rows == last.rows) if task.back > index else task for index, task in enumerate(tasks)
    )


def _once(items: list[Item]) -> Iterator[Item]:
    """Each piece as often as a layer does it, that of an expert after that of another."""
    block: list[Item] = []
    for item in [*items, None]:
        prefix = item.name.partition(".")[0] if item is not None else ""
        if block and block[0].name.partition(".")[0] != prefix:
            for _ in range(block[0].count):
                yield from (replace(one, count=1) for one in block)
            block = []
        if item is None:
            return
        if prefix.startswith("expert["):
            block.append(item)
        else:
            yield replace(item, count=1)


def _producer(item: Item, before: list[LayerTask]) -> int | None:
    """The place of what it reads, in its layer; None where that is in the layer before."""
    prefix, _, kind = item.name.rpartition(".")
    if kind == "activation":
        names: tuple[str, ...] = (f"{prefix}.up",)
    elif kind == "down":
        names = (f"{prefix}.activation", f"{prefix}.up")
    else:
        names = READS.get("attention" if isinstance(item, FusedAttention) else item.name) or READS.get(kind) or ()
        if not names:
            return len(before) - 1 if before else None
    for name in names:
        for place in range(len(before) - 1, -1, -1):
            if before[place].item.name == name:
                return place
    return None


def _rows(item: Item, read: LayerTask | None, forward: Forward) -> int:
    if isinstance(item, Gemm):
        return item.m
    if isinstance(item, FusedAttention):
        return 0
    assert isinstance(item, VectorWork)
    if re.fullmatch(r".*\.activation", item.name) and read is not None:
        return read.rows
    return forward.sequences if item.name == "head.norm" else forward.rows
