"""A channel row by row: where the commands of a whole run go, by equations (the `tile` grain).

ACT_i   first free slot >= sight [+ tRP after the bank may close, where another row is open], tRC after the bank's last
        ACT; slots lie 0, 1, 2, 3 x tRRD_S behind an anchor and again max(tFAW, 4 tRRD_S) later, so that any of them
        keep both; tRRD_L to ACTs of the group around it
run     first slot >= max over its first bursts i of   ACT_i + tRCD - i tCCD   and, for reads, tWTR_L - i tCCD
slots   gaps first, in order; what is left goes back to back from the end of the schedule, tCCD_L kept
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Any

from sim.units.dram.banks.mapping import BankPiece
from sim.units.dram.banks.policy import NEVER, BankChannel, BankSettings

Gap = tuple[int, int, int, int]
"""Free slots: the first clock, the clock of the next command, and the bank groups of the commands on both sides."""


class RowChannel(BankChannel):
    """State of a channel as equations need it."""

    def __init__(self, settings: BankSettings) -> None:
        groups = settings.mapping.groups
        self.orders = [tuple((g + i) % groups for i in range(groups)) for g in range(groups)]
        self.behind = [tuple((g - 1 - k) % groups for k in range(groups)) for g in range(groups)]
        """Slots since the last burst of each group, after a stream whose next group is g."""
        t = settings.timings
        self.round = max(t.FAW, 4 * t.RRDS)
        """From an ACT to the fourth after it, at the closest."""
        self.reach = -(-t.RRDL // t.RRDS)
        """ACTs on one side that may be nearer than tRRD_L."""
        super().__init__(settings)

    def restart(self) -> None:
        super().restart()
        banks = len(self.rows)
        wake = self.settings.wake_clocks
        self.may_close, self.may_open = [NEVER] * banks, [wake] * banks
        self.acts: list[int] = []
        self.act_groups: list[int] = []
        self.gaps: list[Gap] = []
        self.edge = -1
        """Bank group of the last command at the end of the schedule."""
        self.last = [NEVER] * self.groups
        """Last RD, or WR, of a bank group since the turn."""
        self.after_turn = [NEVER] * self.groups
        self.turn_limit = NEVER
        # A row that a stream runs through: all banks of an index, the last slot, the group after it.
        self.stream_row = [-1] * self.mapping.banks
        self.stream: list[tuple[int, int, int, int]] = [(0, 0, NEVER, 0)] * self.mapping.banks
        """Of a bank index: when its ACTs have no more say; the next group, the last slot, clocks until it may close."""
        self.next_group = -1

    def _place(self, piece: BankPiece, sight: int, write: bool) -> int:
        bank, row, group, n = piece
        groups, step = self.groups, self.step
        if (
            self.stream_row[bank] == row
            and n >= groups
            and group == self.next_group
            and (not self.gaps or self.gaps[-1][1] <= sight)
            and self.end > self.turn_limit
            and self.end >= self.stream[bank][0]
        ):
            return self._go_on(piece, sight, write)
        t, base = self.t, bank * groups
        k = min(n, groups)
        touched = self.orders[group][:k]
        rcd, same = (t.RCDWR, t.CCDL_WR) if write else (t.RCDRD, t.CCDL)
        ready, opening, last_act = sight, 0, NEVER
        for i, g in enumerate(touched):
            if self.rows[base + g] != row:
                last_act = self._activate(base + g, row, sight)
                opening += 1
            need = self.act[base + g] + rcd
            if not write and self.after_turn[g] > need:
                need = self.after_turn[g]
            if need - i * step > ready:
                ready = need - i * step
        command_bus = self._command_bus(opening, n, sight)
        if command_bus > ready:
            ready = command_bus
        slots = self._fill(ready, touched, n, same) if self.gaps and self.fills[write] else []
        done = sum([count for _, count in slots])
        if done < n:
            slots.append(self._behind_everything(ready, touched, done, n, same))
        at, count = slots[-1]
        last = at + (count - 1) * step
        recovery = t.write_to_precharge if write else t.RTP
        for index in range(n - 1, n - 1 - k, -1):
            while count == 0:
                slots.pop()
                at, count = slots[-1]
            count -= 1
            moved, g = at + count * step, touched[index % k]
            if moved + recovery > self.may_close[base + g]:
                self.may_close[base + g] = moved + recovery
            if moved > self.last[g]:
                self.last[g] = moved
        self.next_group = (group + n) % groups if n >= groups and done == 0 else -1
        if n >= groups:
            self._settle_stream(bank)
            settled = max(self.act[base : base + groups]) + max(t.RCDRD, t.RCDWR)
            self.stream_row[bank], self.stream[bank] = row, (settled, 0, NEVER, 0)
        elif opening:
            self.stream_row[bank] = -1
        self._hold(opening, last_act, last, n)
        return last

    def _go_on(self, piece: BankPiece, sight: int, write: bool) -> int:
        """The usual case, a stream in an open row: one run of slots at the end of the schedule."""
        bank, _, group, n = piece
        step, end = self.step, self.end
        at = max(end, sight, self._command_bus(0, n, sight))
        if at - end >= step:
            self.gaps.append((end, at, self.edge, group))
        last = at + (n - 1) * step
        self.end = last + step
        self.next_group = next_group = (group + n) % self.groups
        self.edge = (next_group - 1) % self.groups
        recovery = self.t.write_to_precharge if write else self.t.RTP
        settled, *_, before = self.stream[bank]
        if before != recovery:
            self._settle_stream(bank)
        self.stream[bank] = (settled, next_group, last, recovery)
        self.last = [last - k * step for k in self.behind[next_group]]
        self._hold(0, NEVER, last, n)
        return last

    def _settle_stream(self, bank: int) -> None:
        """Note when the banks of an index may close after what streamed through them."""
        settled, next_group, last, recovery = self.stream[bank]
        if not recovery:
            return
        base = bank * self.groups
        for g, k in enumerate(self.behind[next_group]):
            self.may_close[base + g] = max(self.may_close[base + g], last - k * self.step + recovery)
        self.stream[bank] = (settled, 0, NEVER, 0)

    def _fill(self, ready: int, touched: tuple[int, ...], n: int, same: int) -> list[tuple[int, int]]:
        """Put bursts into gaps, in order; where, and how many at a time."""
        step, k, kept, slots, done = self.step, len(touched), [], [], 0
        for gap in self.gaps:
            start, finish, before, after = gap
            if done < n and finish > ready:
                first = touched[done % k]
                at = start if start > ready else ready
                if first == before and at < start - step + same:
                    at = start - step + same
                count = min(n - done, (finish - at) // step)
                while (
                    count > 0 and touched[(done + count - 1) % k] == after and at + (count - 1) * step + same > finish
                ):
                    count -= 1
                if count > 0:
                    slots.append((at, count))
                    done += count
                    if at - start >= step:
                        kept.append((start, at, before, first))
                    rest = at + count * step
                    if finish - rest >= step:
                        kept.append((rest, finish, touched[(done - 1) % k], after))
                    continue
            if finish > self.seen:
                kept.append(gap)
        self.gaps = kept
        return slots

    def _behind_everything(self, ready: int, touched: tuple[int, ...], done: int, n: int, same: int) -> tuple[int, int]:
        """Put what is left at the end of the schedule, back to back."""
        step, k, end = self.step, len(touched), self.end
        at = end if end > ready else ready
        for i in range(min(n - done, k)):
            need = self.last[touched[(done + i) % k]] + same - i * step
            if need > at:
                at = need
        if at - end >= step:
            self.gaps.append((end, at, self.edge, touched[done % k]))
        self.end = at + (n - done) * step
        self.edge = touched[(n - 1) % k]
        return at, n - done

    def _activate(self, bank: int, row: int, sight: int) -> int:
        self.opened(bank)
        t, group = self.t, bank % self.groups
        self._settle_stream(bank // self.groups)
        if self.rows[bank] >= 0:
            at = max(sight, self.may_close[bank], self.act[bank] + t.RAS) + t.RP
        else:
            at = max(sight, self.may_open[bank])
        at = self._act_slot(max(at, self.act[bank] + t.RC), group, sight)
        self.act[bank], self.may_close[bank], self.rows[bank] = at, NEVER, row
        return at

    def _act_slot(self, at: int, group: int, sight: int) -> int:
        """The first free slot from `at` on."""
        t, acts, groups = self.t, self.acts, self.act_groups
        while len(acts) > 8 and acts[4] < self.seen - t.FAW:
            del acts[0], groups[0]
        if not acts or (sight >= acts[-1] and at >= acts[-1] + t.FAW):
            self.anchor, self.floor = at, acts[-1] + t.FAW if acts else NEVER
            acts.append(at)
            groups.append(group)
            return at
        at = max(at, self.floor)
        while True:
            since = (at - self.anchor) % self.round
            slot = -(-since // t.RRDS)
            at += (slot * t.RRDS if slot < 4 else self.round) - since
            i = bisect_left(acts, at)
            if i < len(acts) and acts[i] == at:
                at += 1
                continue
            near = range(max(0, i - self.reach), min(len(acts), i + self.reach))
            if all(groups[j] != group or abs(at - acts[j]) >= t.RRDL for j in near):
                break
            at += 1
        acts.insert(i, at)
        groups.insert(i, group)
        return at

    def _close(self, banks: list[int]) -> int:
        t, closed = self.t, NEVER
        for bank in banks:
            self._settle_stream(bank // self.groups)
            if self.rows[bank] >= 0:
                self.may_open[bank] = max(self.may_close[bank], self.act[bank] + t.RAS) + t.RP
                self.rows[bank] = -1
                self.precharges += 1
                closed = max(closed, self.may_open[bank])
            self.stream_row[bank // self.groups] = -1
        return closed

    def _turned(self) -> None:
        t = self.t
        if not self.writing:
            self.after_turn = [at + t.CWL + t.BL + t.WTRL for at in self.last]
            self.turn_limit = max(self.after_turn) + self.groups * self.step
        self.last = [NEVER] * self.groups
        self.gaps, self.edge = [], -1

    def _rest(self, since: int, opened: list[int]) -> int:
        t = self.t
        for bank in range(self.mapping.banks):
            self._settle_stream(bank)
        at = max([since, *(max(self.may_close[b], self.act[b] + t.RAS) for b in opened)])
        at = max(at + t.RP if opened else at, *self.may_open, *(act + t.RC for act in self.act))
        self.may_open = [at + t.RFC] * len(self.rows)
        self.stream_row = [-1] * self.mapping.banks
        self.gaps, self.edge = [], -1
        return at

    def relative_state(self, now: int, since: int, rows: Callable[[int], int]) -> tuple[Any, ...]:
        def after(at: int, reach: int = 0) -> int:
            return max(at, since - reach) - now

        t, seen = self.t, self.seen
        recent = max(seen, since) - t.FAW
        return (
            max(self.end, now - t.refresh_stop) - now,
            self.writing,
            after(seen),
            tuple((at - now, finish - now, *sides) for at, finish, *sides in self.gaps if finish > max(seen, since)),
            self.edge,
            tuple(rows(row) for row in self.rows),
            tuple(after(at, t.RC) for at in self.act),
            tuple(after(at) for at in self.may_close),
            tuple(after(at) for at in self.may_open),
            tuple((a - now, g) for a, g in zip(self.acts, self.act_groups, strict=True) if a > recent),
            # Slots count from an ACT as long as one is near.
            ((self.anchor - now) % self.round, after(self.floor)) if self.acts and self.acts[-1] > recent else None,
            after(max(self.hole, seen)),
            tuple(sorted((after(max(first, seen)), after(max(last, seen)), n) for first, last, n in self.held)),
            tuple(after(at, max(t.CCDL, t.CCDL_WR)) for at in self.last),
            tuple(after(at) for at in self.after_turn),
            after(self.turn_limit),
            after(self.command_end),
            self.next_group,
            tuple(rows(row) for row in self.stream_row),
            tuple((after(at), group, after(last, t.write_to_precharge), wait) for at, group, last, wait in self.stream),
        )
