"""GeMMs as rows of a CSV: `name,M,N,K` and, under a header, any of `module,count,mantissa_bits`.

    name,M,N,K,module,count,mantissa_bits
    attention.q,2048,4096,4096,qkv,32,7

SCALE-Sim's headers are read as they are (see `scale_sim`). A header may be left out where rows are just name,M,N,K.
Blank lines and lines that begin with # are skipped. A row without `module` is of module `other`. A row without
`mantissa_bits` takes its module's length out of the precision asked for; `other` belongs to none of the four, so it
takes the length that all four share.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast, get_args

from sim.errors import InputError, Place, nearest_name, shortened
from sim.reading import rows_of, text_of, whole_number
from sim.workload.gemm import FP16, INT4, LARGEST_SIZE, Gemm, GemmModule, Phase, Workload
from sim.workload.model import InferenceRun
from sim.workload.options import Options
from sim.workload.precision import LONGEST, MODULES, Precision, mantissa_bits, output_mantissa_bits, resolve
from sim.workload.precision_rules import everywhere
from sim.workload.readers.scale_sim import SIZES, STRIDES, are_convolutions, gemm_cells, renamed
from sim.workload.stored import stored_weights

REQUIRED = ("name", "m", "n", "k")
OPTIONAL = ("module", "count", "mantissa_bits")
FP16_MODULES = ("scores", "context", "head", "router")


@dataclass(frozen=True)
class CsvRow:
    """One line: its cells by column name, empty ones left out."""

    place: Place
    cells: dict[str, str]

    def integer(self, column: str, default: int, most: int | None = None) -> int:
        text = self.cells.get(column, str(default))
        number = whole_number(text)
        if number is None or not 1 <= number <= (most or number):
            allowed = f"1 to {most}" if most else "a whole number, 1 or more"
            raise InputError(f"found `{shortened(text)}`", place=self.place, field=column, facts={"allowed": allowed})
        return number


def read(path: Path, options: Options) -> Workload:
    """The workload of a CSV: one phase, its rows in order.

    Raises
    ------
    InputError
        For a row that cannot be used, and for options that belong to models.
    """
    _refuse_model_options(options)
    precision = resolve(
        options.precision or InferenceRun().precision, Place("--precision") if options.precision else None
    )
    gemms = tuple(_gemm(row, precision) for row in _rows(path))
    if not gemms:
        raise InputError("no GeMM in it", place=Place(str(path)), facts={"expected": "rows of name,M,N,K"})
    resolved = {"name": path.stem, "gemms": [asdict(gemm) for gemm in gemms]}
    return Workload(path.stem, (Phase("gemms", gemms),), precision, resolved, stored=stored_weights(gemms))


def _refuse_model_options(options: Options) -> None:
    given = [f"--{name}" for name in options.given() if name != "precision"]
    given += [f"--set-workload {assignment}" for assignment in options.overrides]
    if given:
        raise InputError("a CSV lists its GeMMs as they are", place=Place(given[0]), facts={"allowed": "--precision"})


def _rows(path: Path) -> list[CsvRow]:
    rows, columns = [], None
    for place, cells in rows_of(text_of(path), path):
        if columns is None:
            columns = _header(cells, place)
            if columns:
                continue
            columns = list(REQUIRED)
        # A comma at the end of a line makes one empty cell more.
        if len(cells) == len(columns) + 1 and not cells[-1]:
            cells.pop()
        if len(cells) != len(columns):
            raise InputError(
                f"found {len(cells)} cells", place=place, facts={"expected": f"{len(columns)}: {','.join(columns)}"}
            )
        row = CsvRow(place, {column: cell for column, cell in zip(columns, cells, strict=True) if cell})
        if are_convolutions(columns):
            name = row.cells.get("name", "")
            row = CsvRow(place, {"name": name, **gemm_cells(row.integer, name, place)} if name else {})
        rows.append(row)
    return rows


def _header(cells: list[str], place: Place) -> list[str] | None:
    """Column names where the line is a header; None where it is a row already."""
    if any(cell.lstrip("+-").isdigit() for cell in cells):
        return None
    columns = renamed([cell for cell in cells if cell])
    required = ("name", *SIZES) if are_convolutions(columns) else REQUIRED
    allowed = (*required, *(STRIDES if are_convolutions(columns) else OPTIONAL))
    for column in columns:
        if column not in allowed or columns.count(column) > 1:
            raise InputError(
                "unknown column" if column not in allowed else "column written twice",
                place=place,
                field=column,
                nearest=nearest_name(column, allowed) if column not in allowed else None,
                facts={"allowed": ", ".join(allowed)},
            )
    for column in required:
        if column not in columns:
            raise InputError("missing column", place=place, field=column, facts={"allowed": ", ".join(allowed)})
    return columns


def _gemm(row: CsvRow, precision: Precision | None) -> Gemm:
    module = _module(row)
    if "name" not in row.cells:
        raise InputError("empty", place=row.place, field="name")
    return Gemm(
        row.cells["name"],
        module,
        row.integer("m", 0, LARGEST_SIZE),
        row.integer("k", 0, LARGEST_SIZE),
        row.integer("n", 0, LARGEST_SIZE),
        count=row.integer("count", 1),
        mantissa_bits=_mantissa_bits(row, module, precision),
        output_mantissa_bits=output_mantissa_bits(everywhere(precision), module),
        weights=FP16 if module in FP16_MODULES else INT4,
    )


def _module(row: CsvRow) -> GemmModule:
    module, known = row.cells.get("module", "other"), get_args(GemmModule)
    if module not in known:
        raise InputError(
            f"unknown module `{module}`",
            place=row.place,
            field="module",
            nearest=nearest_name(module, known),
            facts={"allowed": ", ".join(known)},
        )
    return cast(GemmModule, module)


def _mantissa_bits(row: CsvRow, module: str, precision: Precision | None) -> int | None:
    if "mantissa_bits" in row.cells:
        if module in FP16_MODULES:
            raise InputError(f"module `{module}` stays FP16", place=row.place, field="mantissa_bits")
        return row.integer("mantissa_bits", 0, LONGEST)
    if module != "other" or precision is None:
        return mantissa_bits(precision, module)
    if len(set(precision)) > 1:
        raise InputError(
            f"precision {','.join(map(str, precision))} says nothing of module `other`",
            place=row.place,
            facts={"mend": f"give the row a mantissa_bits, or a module of {', '.join(MODULES)}"},
        )
    return precision[0]
