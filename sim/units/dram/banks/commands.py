"""A channel command by command: every ACT, RD and WR looks for its slot clock by clock (the `beat` grain).

A slot is free where no rule of the timing table is broken towards any command before or after it. Nothing here is
computed ahead, so that the equations of rows.py have something to be held against.
"""

from __future__ import annotations

from sim.units.dram.banks.mapping import BankPiece
from sim.units.dram.banks.policy import NEVER, BankChannel, BankCommand, BankSettings


class CommandChannel(BankChannel):
    """State of a channel as its commands."""

    def __init__(self, settings: BankSettings) -> None:
        self.issued: list[BankCommand] = []
        """Commands whose clocks are settled and that nobody has taken yet, in the order in which they were placed."""
        super().__init__(settings)

    def restart(self) -> None:
        super().restart()
        self.acts: list[tuple[int, int]] = []
        """Clock and bank group."""
        self.columns: list[tuple[int, int]] = []
        """RDs, or WRs, since the turn or the refresh: clock and bank group."""
        self.last_write: dict[int, int] = {}
        """By bank group, since reads last turned to writes."""
        self.closed_at = [NEVER] * len(self.rows)
        self.refreshed = self.settings.wake_clocks - self.t.RFC
        self.moves: list[dict[str, int]] = [{} for _ in self.rows]
        """Of a bank: its last RD and its last WR since its last ACT."""

    def _place(self, piece: BankPiece, sight: int, write: bool) -> int:
        t, (bank, row, first, n) = self.t, piece
        groups = [(first + i) % self.groups for i in range(n)]
        banks = [bank * self.groups + group for group in groups]
        opened, last_act = 0, NEVER
        for one in dict.fromkeys(banks):
            if self.rows[one] != row:
                last_act = self._activate(one, row, sight)
                opened += 1
        rcd = t.RCDWR if write else t.RCDRD
        ready = max(sight, self._command_bus(opened, n, sight))
        for i, (one, group) in enumerate(zip(banks, groups, strict=True)):
            ready = max(ready, self.act[one] + rcd - i * self.step)
            if not write:
                ready = max(ready, self.last_write.get(group, NEVER) + t.CWL + t.BL + t.WTRL - i * self.step)
        slots = self._gaps(ready, groups, write) if self.fills[write] else []
        slots += self._behind_everything(max(ready, self.end), groups[len(slots) :], write)
        for at, one, group in zip(slots, banks, groups, strict=True):
            self._note(at, one, group, row, write)
        self._hold(opened, last_act, slots[-1], n)
        return slots[-1]

    def _note(self, at: int, bank: int, group: int, row: int, write: bool) -> None:
        name = "WR" if write else "RD"
        if (at, group) not in self.columns:
            self.columns.append((at, group))
        if write:
            self.last_write[group] = max(at, self.last_write.get(group, NEVER))
        self.moves[bank][name] = max(at, self.moves[bank].get(name, NEVER))
        self.issued.append(BankCommand(at, name, bank, row))

    def _gaps(self, ready: int, groups: list[int], write: bool) -> list[int]:
        """Slots before the end of the schedule, for as many bursts as find one."""
        slots: list[int] = []
        at = max(ready, self.fence)
        for group in groups:
            while at + self.step <= self.end and not self._free(at, group, write):
                at += 1
            if at + self.step > self.end:
                break
            slots.append(at)
            self.columns.append((at, group))
            at += self.step
        return slots

    def _behind_everything(self, at: int, groups: list[int], write: bool) -> list[int]:
        """Slots one after the other at the end of the schedule."""
        if not groups:
            return []
        while not all(self._free(at + i * self.step, group, write) for i, group in enumerate(groups)):
            at += 1
        self.end = at + len(groups) * self.step
        return list(range(at, self.end, self.step))

    def _free(self, at: int, group: int, write: bool) -> bool:
        same = self.t.column_same_group(write)
        return all(abs(at - other) >= (same if g == group else self.t.CCDS) for other, g in self.columns)

    def _activate(self, bank: int, row: int, sight: int) -> int:
        self.opened(bank)
        if self.rows[bank] >= 0:
            self._precharge(bank, sight)
        at = max(sight, self.closed_at[bank] + self.t.RP, self.act[bank] + self.t.RC, self.refreshed + self.t.RFC)
        last = max((other for other, _ in self.acts), default=NEVER)
        if sight >= last and at >= last + self.t.FAW:
            self.anchor, self.floor = at, last + self.t.FAW
        at = max(at, self.floor)
        while not (self._on_beat(at) and self._act_free(at, bank % self.groups)):
            at += 1
        self.acts = [(t, g) for t, g in self.acts if t > self.seen - self.t.FAW - self.t.RRDL]
        self.acts.append((at, bank % self.groups))
        self.columns = [(t, g) for t, g in self.columns if t > min(self.seen, at) - self.t.CCDL_WR - self.t.CCDL]
        self.act[bank], self.rows[bank], self.moves[bank] = at, row, {}
        self.issued.append(BankCommand(at, "ACT", bank, row))
        return at

    def _on_beat(self, at: int) -> bool:
        """Whether ACTs as close as they may be, forwards and backwards from the anchor, would have one at a clock."""
        t, beats = self.t, [0]
        while len(beats) < 5:
            beats.append(max(beats[-1] + t.RRDS, beats[-4] + t.FAW if len(beats) >= 4 else 0))
        return (at - self.anchor) % beats[4] in beats[:4]

    def _act_free(self, at: int, group: int) -> bool:
        t = self.t
        if any(abs(at - other) < (t.RRDL if g == group else t.RRDS) for other, g in self.acts):
            return False
        clocks = sorted([at, *(other for other, _ in self.acts)])
        return all(fifth - first >= t.FAW for first, fifth in zip(clocks, clocks[4:], strict=False))

    def _precharge(self, bank: int, since: int) -> int:
        """Close a row as soon as it may; when."""
        t, moves = self.t, self.moves[bank]
        at = max(since, self.act[bank] + t.RAS)
        at = max(at, moves.get("RD", NEVER) + t.RTP, moves.get("WR", NEVER) + t.write_to_precharge)
        self.closed_at[bank] = at
        self.issued.append(BankCommand(at, "PRE", bank, self.rows[bank]))
        return at

    def _close(self, banks: list[int]) -> int:
        closed = NEVER
        for bank in banks:
            if self.rows[bank] >= 0:
                closed = max(closed, self._precharge(bank, NEVER) + self.t.RP)
                self.rows[bank] = -1
                self.precharges += 1
        return closed

    def _turned(self) -> None:
        if self.writing:
            self.last_write = {}
        self.columns = []

    def _rest(self, since: int, opened: list[int]) -> int:
        t = self.t
        ready = [since]
        for bank in opened:
            moves = self.moves[bank]
            ready += [self.act[bank] + t.RAS, moves.get("RD", NEVER) + t.RTP]
            ready.append(moves.get("WR", NEVER) + t.write_to_precharge)
        at = max(ready)
        for bank in opened:
            self._precharge(bank, at)
        at = max(at + t.RP if opened else at, self.refreshed + t.RFC, *(closed + t.RP for closed in self.closed_at))
        at = max([at, *(act + t.RC for act in self.act)])
        self.issued.append(BankCommand(at, "REF", -1, -1))
        self.refreshed, self.columns = at, []
        return at
