"""A folder of results that appears complete or not at all, in place of nothing but an earlier one of this tool.

with new_folder(out, overwrite) as inside:   # refuses at once what must not be replaced
    ...                                      # write into `inside`; however it ends, nothing half-written is left
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sim.errors import InputError, Place
from sim.report.document import GENERATOR
from sim.report.exporter import EXPORTERS
from sim.report.sections import FIGURES
from sim.scratch import whole_folder

MARKERS = ("result.json", "comparison.json", "validation.json")
_DUMPED = re.compile(r"dump\.json|verify\.py|\d{5}-[a-z]+\.npy")
WITHOUT_PART = frozenset((*MARKERS, "values.json", "values.html"))


def written() -> frozenset[str]:
    """Names of all files that this tool and its plug-ins write."""
    exporters, figures = EXPORTERS.parts().values(), FIGURES.parts().values()
    return WITHOUT_PART.union(*(part.files for part in exporters), *(part.files for part in figures))


@contextmanager
def new_folder(out: Path, overwrite: bool = False) -> Iterator[Path]:
    """An empty folder to write into, which becomes `out` when the block ends without an exception.

    Raises
    ------
    InputError
        Where `out` exists and is not empty, unless `overwrite` is set and this tool wrote all that is in it; where it
        cannot be written.
    """
    target = out.expanduser().resolve()
    refuse_existing(target, out, overwrite)
    with ExitStack() as entered:
        with writing(out):
            inside = entered.enter_context(whole_folder(target))
        yield inside
        with writing(out):
            entered.close()


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """What the file system refuses becomes the user's message."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"cannot be written: {error.strerror or error}",
            field="--out",
            facts={"found": str(out), "allowed": "a folder that you may write to"},
        ) from None


def refuse_existing(target: Path, told: Path, overwrite: bool) -> None:
    """Raise InputError where `target`, which the user called `told`, must not be replaced."""
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    stranger = foreign(target)
    if stranger is None and overwrite:
        return
    if stranger is None:
        found, allowed = "an earlier result", "another folder, or --overwrite"
    elif target.is_dir():
        found, allowed = f"a folder with `{stranger}`, which this tool did not write", "another folder"
    else:
        found, allowed = "a file", "another folder"
    raise InputError("exists", place=Place(str(told)), field="--out", facts={"found": found, "allowed": allowed})


def foreign(folder: Path) -> str | None:
    """What in `folder` this tool did not write; None for a result of its own."""
    if not folder.is_dir():
        return folder.name
    names = sorted(path.name for path in folder.iterdir())
    if not any(marker in names for marker in MARKERS):
        return names[0] if names else folder.name
    for name in names:
        path = folder / name
        machine = path.is_dir() and not path.is_symlink() and "comparison.json" in names
        if path.name == "dump" and _is_dump(path):
            continue
        if (machine and foreign(path)) or (not machine and not _is_own(path)):
            return name
    return None


def is_own_page(path: Path) -> bool:
    """Whether a file is a page that this tool wrote."""
    if not path.is_file() or path.is_symlink():
        return False
    with path.open("rb") as stream:
        return GENERATOR.encode() in stream.read(1000)


def file_name(label: str) -> str:
    """A label as the name of one file or folder, whatever it holds: no part of it leads elsewhere."""
    return re.sub(r"[^A-Za-z0-9._%+-]+", "-", label).strip(".-")[:200] or "unnamed"


def _is_dump(folder: Path) -> bool:
    """Whether a folder holds what `--dump` writes (sim/functional/dump.py) and nothing else."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() and not folder.is_symlink() else []
    return "dump.json" in names and all(map(_DUMPED.fullmatch, names))


def _is_own(path: Path) -> bool:
    if path.name not in written() or not path.is_file() or path.is_symlink():
        return False
    if path.suffix == ".html":
        return is_own_page(path)
    if path.name in MARKERS:
        with path.open("rb") as stream:
            return b'"schema_version"' in stream.read(1000)
    return True
