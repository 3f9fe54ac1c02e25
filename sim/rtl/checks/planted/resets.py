"""Every register that is reset, without its reset: found in the sources, one fault each."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sim.rtl.checks.build import SOURCES, Edit
from sim.rtl.checks.planted.fault import Mutation

BRANCH = re.compile(r"( *)if \(!rst_ni\) begin\n(?P<registers>.*?)\n\1end else", re.DOTALL)
LONE = re.compile(r"if \(!rst_ni\) +(?P<register>\w+) +<= [^;]*;\n\s+else +")
ASSIGNED = re.compile(r" *(?P<register>\w+)(\[\w+\])? +<= [^;]*;")
CHECKS = {
    "activation_dispatcher": "activation dispatcher 4 rows, 128 b and 5 b",
    "anda_dot": "MXU 2 x 2, groups of 64",
    "bpc": "BPC 4 x 4, groups of 16, 2 lanes",
    "collector": "collector 4 x 2, 192 b",
    "fp_fp_pe": "FP-FP PE 2 x 2, groups of 64",
    "group_accumulate": "FIGNA PE 2 x 2, groups of 64",
    "mxu": "MXU 2 x 2, groups of 64",
    "quantiser": "quantiser INT8, 3 lanes",
    "scale_accumulate": "MXU 2 x 2, groups of 64",
    "token_accumulate": "INT8 PE 2 x 2, groups of 64",
    "weight_dispatcher": "weight dispatcher 4 columns, 192 b, digits of 3 bits, zero points",
}
"""What looks at a module's registers."""


def registers() -> Iterator[tuple[str, str, str, str]]:
    """Module, name, and the text with and without the reset of every register that has one."""
    for path in sorted(SOURCES.glob("*.sv")):
        text = path.read_text()
        for branch in BRANCH.finditer(text):
            for line in branch["registers"].split("\n"):
                found = ASSIGNED.fullmatch(line)
                assert found is not None, f"{path.name}: {line}"
                yield path.stem, found["register"], branch[0], branch[0].replace(f"{line}\n", "")
        for lone in LONE.finditer(text):
            yield path.stem, lone["register"], lone[0], ""


FAULTS = tuple(
    Mutation(f"{module}: {name} has no reset", CHECKS[module], (Edit(f"{module}.sv", old, new),))
    for module, name, old, new in registers()
)
