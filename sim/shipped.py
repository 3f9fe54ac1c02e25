"""Where the shipped machines and workloads lie: beside the package in a checkout, inside it in an installed wheel."""

from __future__ import annotations

from pathlib import Path

from sim.errors import InputError, nearest_name, shortened

_PACKAGE = Path(__file__).resolve().parent
_INSTALLED = _PACKAGE / "shipped_data"
ROOT = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent


def names(folder: str) -> list[str]:
    """Names of the shipped YAML files of `folder` (`arch_configs` or `workloads`), sorted."""
    return sorted(path.stem for path in (ROOT / folder).glob("*.yaml"))


def find(name: str, folder: str, suffixes: tuple[str, ...] = (".yaml", ".yml")) -> Path:
    """The file that `name` means: a path as it is, else the shipped file of that name.

    Raises
    ------
    InputError
        Where neither exists; names the nearest shipped one.
    """
    path = expanded(name)
    if path.suffix in suffixes or is_file(path):
        if is_file(path):
            return path
        raise InputError("no such file", field=shortened(name), nearest=nearest_name(path.stem, names(folder)))
    shipped = ROOT / folder / f"{name}.yaml"
    if is_file(shipped):
        return shipped
    raise InputError(
        f"neither a file nor a shipped name of {folder}",
        field=shortened(name),
        nearest=nearest_name(name, names(folder)),
        facts={"shipped": ", ".join(names(folder))},
    )


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that no file can have is that of none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def expanded(name: str) -> Path:
    """The path of a name, `~` resolved where there is such a home."""
    try:
        return Path(name).expanduser()
    except RuntimeError:  # the home of a user that does not exist
        return Path(name)
