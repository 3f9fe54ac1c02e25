"""Whether a machine has what a schedule needs: MXUs, streams of activations, a tree, room for outputs, all it uses."""

from __future__ import annotations

from sim.arch.schema import Hardware, Schedule
from sim.mapping.uses import check_uses


def check_split(arch: Hardware, schedule: Schedule) -> None:
    """Refuse a split that the machine is too small for, and blocks that it does not divide.

    Raises
    ------
    InputError
        With what is needed and what there is.
    """
    check_uses(arch, schedule)
    split, mxu = arch.split_of(schedule), arch.mxu
    if split.mxus > mxu.count:
        raise arch.refuse(
            "schedule.split",
            "more MXUs than there are",
            needed=f"{split.mxus} = {split.tokens} x {split.outputs} x {split.k}",
            available=f"{mxu.count} (mxu.count)",
        )
    streams = arch.activation_dispatcher.streams
    if split.streams > streams:
        raise arch.refuse(
            "schedule.split",
            "more different activations at a time than there are streams",
            needed=f"{split.streams} = {split.tokens} of tokens x {split.k} of K",
            available=f"{streams} (activation_dispatcher.streams)",
        )
    if split.k > 1 and arch.collector.reduction_cycles is None:
        raise arch.refuse(
            "schedule.split.k",
            f"found {split.k}: nothing adds the sums of MXUs that split K",
            needed="collector.reduction_cycles, a tree",
        )
    run = arch.run_of(split)
    if split.tokens * run > arch.run_width:
        raise arch.refuse(
            "schedule.split",
            "outputs that leave together fill more than a block of the writer",
            needed=f"{split.tokens * mxu.rows} rows x {run} outputs",
            available=f"{mxu.rows} rows x {arch.run_width} outputs",
        )
    if schedule.output_block % run:
        raise arch.refuse(
            "schedule.output_block",
            f"found {schedule.output_block}: a block holds whole tiles, and whole groups of the next input",
            allowed=f"multiples of {run} = lcm(mxu.dot_length, mxu.columns x MXUs that split outputs)",
        )
    if schedule.k_block % (mxu.dot_length * split.k):
        of = (
            f"mxu.dot_length = {mxu.dot_length}"
            if split.k == 1
            else f"{split.k} x mxu.dot_length = {split.k * mxu.dot_length}"
        )
        raise arch.refuse(
            "schedule.k_block",
            f"found {schedule.k_block}: chunks of K hold whole groups{'' if split.k == 1 else ' for each MXU'}",
            allowed=f"multiples of {of}",
        )
