"""Liberty files: the attributes and groups of a standard-cell library, as text and as a tree.

    group = name (arguments) { attribute : value;  attribute (values);  group ... }

Read to take the figures of a table out of a foundry's file (extract.py); written, from a table, for abc and OpenSTA.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sim.rtl.library.table import Library, StandardCell, Table

TOKEN = re.compile(r'/\*.*?\*/|\\\n|"(?:[^"\\]|\\.)*"|[(){};:,\n]|[^\s(){};:,"]+', re.DOTALL)


@dataclass
class Group:
    """A group of a Liberty file.

    Attributes
    ----------
    attributes
        Values by name; the last one where a name stands twice.
    """

    name: str
    arguments: tuple[str, ...]
    attributes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)

    def of(self, name: str) -> list[Group]:
        """Groups of a name."""
        return [group for group in self.groups if group.name == name]

    def value(self, name: str, default: str = "") -> str:
        """The first value of an attribute."""
        return self.attributes[name][0] if name in self.attributes else default


def parse(text: str) -> Group:
    """The library of a Liberty file."""
    tokens = (token for token in TOKEN.findall(text) if not token.startswith(("/*", "\\")))
    outermost = Group("", ())
    _statements(tokens, outermost)
    return outermost.groups[0]


def _statements(tokens: Iterator[str], into: Group) -> None:
    for name in tokens:
        if name == "}":
            return
        if name in ";\n":
            continue
        mark = next(tokens)
        values: list[str] = []
        if mark == ":":
            while (token := next(tokens)) not in ";\n":  # some files lack a semicolon at the end of the line
                values.append(token.strip('"'))
            into.attributes[name] = (" ".join(values),)
            continue
        while (token := next(tokens)) != ")":
            if token not in ",\n":
                values.append(token.strip('"'))
        if next(tokens) == "{":
            group = Group(name, tuple(values))
            into.groups.append(group)
            _statements(tokens, group)
        else:
            into.attributes[name] = tuple(values)


def write(library: Library, wire_of_pin: float = 0.0) -> str:
    """A table as a Liberty file: picoseconds, femtofarads, nanowatts, square micrometres.

    Each input has so much capacitance of wire beside its own, for a tool that knows of no wires.
    """
    lines = [
        f"library ({library.name}) {{",
        "  delay_model : table_lookup;",
        '  time_unit : "1ps"; leakage_power_unit : "1nW"; voltage_unit : "1V"; current_unit : "1mA";',
        "  capacitive_load_unit (1, ff);",
        f"  nom_process : 1; nom_temperature : {library.celsius:g}; nom_voltage : {library.volts:g};",
        f"  default_max_transition : {library.slews[-1]:g};",
        *(f"  {edge}_threshold_pct_{side} : 50;" for edge in ("input", "output") for side in ("rise", "fall")),
        *(f"  slew_{end}_threshold_pct_{side} : {10 if end == 'lower' else 90};"
          for end in ("lower", "upper") for side in ("rise", "fall")),
        "  lu_table_template (grid) { variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;",
        f'    index_1 ("{_list(library.slews)}"); index_2 ("1, 2, 3"); }}',
        "  lu_table_template (limit) { variable_1 : related_pin_transition; index_1 (\"1, 2\"); }",
    ]  # fmt: skip
    for cell in library.cells.values():
        lines += _cell(library, cell, wire_of_pin)
    return "\n".join([*lines, "}", ""])


def _cell(library: Library, cell: StandardCell, wire_of_pin: float) -> list[str]:
    lines = [f"  cell ({cell.name}) {{", f"    area : {cell.area:g}; cell_leakage_power : {cell.leakage:g};"]
    if cell.flip_flop:
        clear = ' clear : "!RESET";'.replace("RESET", cell.pin("reset")) if "reset" in cell.roles else ""
        lines.append(
            f'    ff (IQ, IQN) {{ clocked_on : "{cell.pin("clock")}"; next_state : "{cell.pin("data")}";{clear} }}'
        )
    if cell.clock_gate:
        lines.append("    clock_gating_integrated_cell : latch_posedge; dont_use : true;")
    for pin, capacitance in cell.inputs.items():
        role = cell.role(pin)
        clock = " clock : true;" if role == "clock" else ""
        gate = {"clock": " clock_gate_clock_pin : true;", "enable": " clock_gate_enable_pin : true;"}
        extra = gate.get(role, "") if cell.clock_gate else ""
        load = capacitance + wire_of_pin
        lines.append(f"    pin ({pin}) {{ direction : input; capacitance : {load:g};{clock}{extra}")
        if role in ("data", "enable"):
            lines += _setup(cell)
        lines.append("    }")
    for pin, function in cell.outputs.items():
        lines.append(
            f'    pin ({pin}) {{ direction : output; max_capacitance : {cell.loads[-1]:g}; function : "{function}";'
        )
        for arc in cell.arcs:
            if arc.output == pin:
                kind = "timing_type : rising_edge; " if cell.flip_flop else ""
                lines.append(f"      timing () {{ related_pin : {arc.input}; {kind}timing_sense : {arc.sense};")
                for name, table in (
                    ("cell_rise", arc.rise), ("cell_fall", arc.fall),
                    ("rise_transition", arc.rise_slew), ("fall_transition", arc.fall_slew),
                ):  # fmt: skip
                    lines += _table(name, library, cell, table)
                lines.append("      }")
        lines.append("    }")
    return [*lines, "  }"]


def _setup(cell: StandardCell) -> list[str]:
    values = f'(scalar) {{ values ("{cell.setup:g}"); }}'
    return [
        f"      timing () {{ related_pin : {cell.pin('clock')}; timing_type : setup_rising;",
        f"        rise_constraint {values} fall_constraint {values} }}",
    ]


def _table(name: str, library: Library, cell: StandardCell, table: Table) -> list[str]:
    rows = ", ".join(f'"{_list(row)}"' for row in table)
    return [
        f"        {name} (grid) {{",
        f'          index_1 ("{_list(library.slews)}"); index_2 ("{_list(cell.loads)}");',
        f"          values ({rows}); }}",
    ]


def _list(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
