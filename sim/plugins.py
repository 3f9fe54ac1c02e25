"""Where parts plug in, and where they are looked for.

    built in     a file of the seam's own package, such as sim/units/pe/anda.py; where nothing else
                 plugs in, only the file of the name that is asked for is imported
    installed    an entry point of the group anda_sim.SEAM, named as the part: `toy = "toy_package.pe:ToyPe"`;
                 its code is imported when the part is asked for
    one file     --plugin FILE before the command; held in the environment, so that worker processes have it too

A part is a class, or an object, with an attribute `plugs_into` that names its seam; a Typer app is one of `commands`.
Names are unique among all three. docs/plug-ins.md shows one of each.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar, cast

from sim.errors import InputError, Place

FILES = "ANDA_SIM_PLUGINS"
"""Environment variable: the files of --plugin, as PATH has its folders."""
SEAMS = ("pe", "dram", "arbitration", "formats", "weights", "exporters", "figures", "commands")
GROUP = "anda_sim."
OWN = "anda-sim"
ROOT = Path(__file__).resolve().parents[1]
Part = TypeVar("Part")


@dataclass(frozen=True)
class Found:
    """A part by name, and where it comes from; its code may be yet to import."""

    name: str
    where: str
    load: Callable[[], object]


@dataclass(frozen=True)
class Seam(Generic[Part]):
    """A place where parts plug in.

    Attributes
    ----------
    name
        The group of entry points is anda_sim.NAME, and `plugs_into` of its parts is NAME.
    what
        One part, in messages.
    package
        Whose files are the built-in ones.
    key
        Attribute of a part that is its name.
    """

    name: str
    what: str
    package: str | None = None
    key: str = "name"

    def names(self) -> list[str]:
        """The names of all parts; installed ones are not imported for it."""
        return sorted(_found(self, _files()))

    def find(self, name: str) -> Part | None:
        """The part of a name.

        Raises
        ------
        InputError
            Where two parts of this seam share a name, or the plug-in that has it cannot be used.
        """
        found = _named(self, name, _files())
        return cast("Part | None", found and found.load())

    def parts(self) -> dict[str, Part]:
        """All parts by name; raises as `find`."""
        return {name: cast("Part", found.load()) for name, found in sorted(_found(self, _files()).items())}


def use(files: Iterable[Path] = ()) -> None:
    """Have plug-ins of single files, beside those that the environment names, in this process and those it starts.

    Raises
    ------
    InputError
        For a file that does not exist, raises, or defines nothing that plugs in.
    """
    known = tuple(dict.fromkeys((*_files(), *(str(file.expanduser().resolve()) for file in files))))
    for path in known:
        _module(path)
    if known:
        os.environ[FILES] = os.pathsep.join(known)


def fingerprint() -> str:
    """Changes with the code of every plug-in that could be in use; empty without any."""
    return _fingerprint(_files())


@cache
def _fingerprint(files: tuple[str, ...]) -> str:
    import hashlib

    texts = [Path(file).read_bytes() for file in files]
    texts += [point.code() for points in _entry_points().values() for point in points if point.package != OWN]
    return hashlib.sha256(b"\0".join(texts)).hexdigest() if texts else ""


def _files() -> tuple[str, ...]:
    return tuple(filter(None, os.environ.get(FILES, "").split(os.pathsep)))


@cache
def _named(seam: Seam[Any], name: str, files: tuple[str, ...]) -> Found | None:
    """The part of a name; where nothing plugs in, of the built-in files only the one of that name is imported."""
    alone = f"{seam.package}.{name}"
    if alone in _modules_of(seam) and not any((*_of_files(seam, files), *_installed(seam))):
        return {one.name: one for one in _of_module(seam, importlib.import_module(alone))}.get(name)
    return _found(seam, files).get(name)


@cache
def _found(seam: Seam[Any], files: tuple[str, ...]) -> dict[str, Found]:
    """The parts of a seam by name, from everywhere."""
    found: dict[str, Found] = {}
    for one in (*_built_in(seam), *_of_files(seam, files), *_installed(seam)):
        other = found.setdefault(one.name, one)
        if other is not one:
            facts = {"first": other.where, "second": one.where}
            raise InputError(f"{seam.what} {one.name!r} is defined twice", facts=facts)
    return found


def _built_in(seam: Seam[Any]) -> Iterator[Found]:
    for module in _modules_of(seam):
        yield from _of_module(seam, importlib.import_module(module))


@cache
def _modules_of(seam: Seam[Any]) -> tuple[str, ...]:
    """The files of a seam's own package, as modules that are yet to import."""
    if seam.package is None:
        return ()
    package = importlib.import_module(seam.package)
    return tuple(info.name for info in pkgutil.iter_modules(package.__path__, f"{seam.package}."))


def _of_files(seam: Seam[Any], files: tuple[str, ...]) -> Iterator[Found]:
    for file in files:
        yield from _of_module(seam, _module(file))


def _of_module(seam: Seam[Any], module: ModuleType) -> Iterator[Found]:
    for part in _parts(module):
        if _seam_of(part) == seam.name:
            yield Found(_name_of(part, seam.key, str(module.__file__)), str(module.__file__), partial(_itself, part))


def _parts(module: ModuleType) -> list[object]:
    """What a module defines that plugs in somewhere: objects, and its own classes that are not bases of others."""

    def own(kind: type) -> bool:
        return kind.__module__ == module.__name__ and "plugs_into" not in vars(kind) and not inspect.isabstract(kind)

    values = [value for value in vars(module).values() if _seam_of(value) is not None]
    return [value for value in values if not isinstance(value, type) or own(value)]


def _itself(part: object) -> object:
    return part


def _seam_of(value: object) -> str | None:
    typer = sys.modules.get("typer")
    if typer is not None and isinstance(value, typer.Typer):
        return "commands"
    seam = getattr(value, "plugs_into", None)
    return seam if isinstance(seam, str) else None


def _name_of(part: object, key: str, where: str) -> str:
    name = getattr(getattr(part, "info", part), key, None)
    if not isinstance(name, str) or not name:
        raise InputError(f"a part without a name; set `{key}`", place=Place(where), field=str(part))
    return name


@cache
def _module(file: str) -> ModuleType:
    """The module of a plug-in file, imported once."""
    import hashlib

    name = f"anda_sim_plugin_{hashlib.sha256(file.encode()).hexdigest()[:8]}_{Path(file).stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    if not Path(file).is_file() or spec is None or spec.loader is None or os.pathsep in file:
        raise InputError("no such Python file", field="--plugin", facts={"found": file})
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise InputError(_why(error), place=Place(file, _line(error, file)), field="--plugin") from error
    if not _parts(module):
        facts = {"allowed": f"parts of {', '.join(SEAMS)}"}
        raise InputError("defines nothing that plugs in", place=Place(file), field="--plugin", facts=facts)
    return module


def _why(error: BaseException) -> str:
    return f"cannot be imported: {type(error).__name__}: {error}"


def _line(error: BaseException, file: str) -> int | None:
    """The last line of a file that ran before it raised."""
    if isinstance(error, SyntaxError) and error.filename == file:
        return error.lineno
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return lines[-1] if lines else None


@dataclass(frozen=True)
class EntryPoint:
    """A line of a package's metadata: `name = "module:object"`."""

    name: str
    value: str
    package: str
    folder: Path

    @property
    def where(self) -> str:
        return f"{self.package}: {self.name} = {self.value}"

    def code(self) -> bytes:
        """The text of the file it names, or what it is called where that lies elsewhere."""
        module = self.value.partition(":")[0].replace(".", "/")
        files = [path for end in (".py", "/__init__.py") if (path := self.folder / f"{module}{end}").is_file()]
        return files[0].read_bytes() if files else self.where.encode()

    def load(self, seam: Seam[Any]) -> object:
        """Import the object.

        Raises
        ------
        InputError
            Where it cannot be imported, or is no part of the seam under this name.
        """
        module, _, attribute = self.value.partition(":")
        try:
            part: object = importlib.import_module(module)
            for inner in filter(None, attribute.split(".")):
                part = getattr(part, inner)
        except (Exception, SystemExit) as error:
            raise InputError(f"{seam.what} {self.name!r} {_why(error)}", place=Place(self.where)) from error
        if _seam_of(part) != seam.name:
            raise InputError(f"{self.name!r} is no {seam.what}", place=Place(self.where))
        if seam.name != "commands" and _name_of(part, seam.key, self.where) != self.name:
            facts = {"found": f"`{seam.key}` is {getattr(part, seam.key)!r}", "needed": repr(self.name)}
            raise InputError(f"{seam.what} {self.name!r} goes by another name", place=Place(self.where), facts=facts)
        return part


def _installed(seam: Seam[Any]) -> Iterator[Found]:
    for point in _entry_points().get(f"{GROUP}{seam.name}", ()):
        yield Found(point.name, point.where, cache(partial(point.load, seam)))


@cache
def _entry_points() -> dict[str, list[EntryPoint]]:
    """Those of all installed packages by group; this package's from its pyproject.toml where it is a checkout."""
    own = _of_checkout()
    found = {
        group: [EntryPoint(name, value, OWN, ROOT) for name, value in points.items()]
        for group, points in (own or {}).items()
    }
    seen = set() if own is None else {OWN}
    for metadata in _with_our_groups():
        from importlib.metadata import PathDistribution

        package = PathDistribution(metadata)
        if package.name in seen:
            continue
        seen.add(package.name)  # the first on the path is the one that is imported
        for point in package.entry_points:
            if point.group.startswith(GROUP):
                found.setdefault(point.group, []).append(
                    EntryPoint(point.name, point.value, package.name, metadata.parent)
                )
    return found


def _with_our_groups() -> Iterator[Path]:
    """Metadata folders on the path that name one of the groups: read as bytes, since there may be hundreds."""
    told = () if _of_checkout() is None else (f"{OWN.replace('-', '_')}-",)
    for folder in dict.fromkeys(sys.path):
        try:
            names = os.listdir(folder or os.curdir)
        except OSError:  # archives, and folders that are not there
            continue
        for name in names:
            if name.endswith((".dist-info", ".egg-info")) and not name.startswith(told):
                try:
                    with open(f"{folder or os.curdir}/{name}/entry_points.txt", "rb", buffering=0) as file:
                        text = file.read()
                except OSError:
                    continue
                if GROUP.encode() in text:
                    yield Path(folder, name)


@cache
def _of_checkout() -> dict[str, dict[str, str]] | None:
    """Entry points by group as the pyproject.toml beside this package has them; None where there is none."""
    import tomllib

    file = ROOT / "pyproject.toml"
    project = tomllib.loads(file.read_text(encoding="utf-8")).get("project", {}) if file.is_file() else {}
    return project.get("entry-points", {}) if project.get("name") == OWN else None
