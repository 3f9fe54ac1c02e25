"""Everything that first contact needs, in one archive for a machine without a network.

anda-gpu/first_contact.py     what is typed there: python first_contact.py --out DIR --minutes N
anda-gpu/gpu_ref, sim         the sources, as far as they run there: NumPy and CuPy are all they import
anda-gpu/job.json             settings, layers and the seed of all inputs
anda-gpu/cubins               machine code, so that nothing has to be compiled there
anda-gpu/goldens.json         digests of golden results, so that none has to be computed there
anda-gpu/manifest.json        the digits of every file: what was changed on the way is told
"""

from __future__ import annotations

import ast
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from gpu_ref import fills, goldens, verify
from gpu_ref.card import Card
from gpu_ref.contact.job import Job
from gpu_ref.contact.steps import Item, steps
from gpu_ref.cubins import Cubins
from gpu_ref.kernel import Kernel
from gpu_ref.peers import marlin
from gpu_ref.program import GemmShape, KernelModule
from sim.errors import InputError

ROOT = "anda-gpu"
_HOME = Path(__file__).resolve().parent.parent.parent
_SIM = ("errors.py", "formats/*.py")
_RUNNER = Path(__file__).parent / "first_contact.py"
# Of their architectures the cards with the fewest and the most multiprocessors: tilings follow the number.
CARDS = {
    "sm_80": (56, 108),
    "sm_86": (28, 84),
    "sm_89": (24, 142),
    "sm_90a": (114, 132),
    "sm_100": (148, 160),
    "sm_120": (36, 188),
}
_SHARED = {"sm_80": 166912, "sm_90a": 232448, "sm_100": 232448}


def pack(
    job: Job,
    path: Path,
    architectures: list[str],
    say: Callable[[str], None] = lambda _: None,
    marlin_source: Path | None = None,
) -> str:
    """Write the archive; one line about it. MARLIN is in it where its source is given.

    Raises
    ------
    InputError
        For an architecture that kernels are not compiled for.
    """
    unknown = [architecture for architecture in architectures if architecture not in CARDS]
    if unknown:
        facts = {"allowed": ", ".join(CARDS)}
        raise InputError(f"no kernels for {unknown[0]}", field="--architecture", facts=facts)
    files = {**dict(_sources()), "job.json": json.dumps(job.as_plain()).encode()}
    cubins = Cubins.of_this_machine()
    for architecture in architectures:
        wanted = modules(job, architecture)
        for count, module in enumerate(wanted, 1):
            made = cubins.path(module, architecture)
            files[f"cubins/{architecture}/{made.name}"] = made.read_bytes()
            if count % 20 == 0 or count == len(wanted):
                say(f"{architecture}: {count} of {len(wanted)} modules compiled")
    files["goldens.json"] = json.dumps(_goldens(job, architectures, say)).encode()
    if marlin_source is not None:
        with TemporaryDirectory() as folder:
            library = Path(folder) / marlin.LIBRARY.name
            marlin.build(marlin_source, library, architectures)
            files[str(marlin.LIBRARY.relative_to(_HOME))] = library.read_bytes()
    digits = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    files["manifest.json"] = json.dumps(digits, indent=1).encode()
    with tarfile.open(path, "w:gz") as archive:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(f"{ROOT}/{name}")
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return f"{path}: {len(files)} files, {path.stat().st_size / 1e6:.1f} MB"


def modules(job: Job, architecture: str) -> list[KernelModule]:
    """Everything that first contact may launch on a card of an architecture, each once."""
    found: dict[KernelModule, None] = dict.fromkeys(fills.modules())
    for item in _items(job, architecture):
        found.update(dict.fromkeys(item.kernel.modules if item.kernel else ()))
    return list(found)


def checks(job: Job, architecture: str) -> list[tuple[Kernel, GemmShape]]:
    """Every kernel and shape that first contact may hold against its golden model, each once."""
    found: dict[tuple[Kernel, GemmShape], None] = {}
    for item in _items(job, architecture):
        if item.kernel is not None and item.shape is not None and item.task in ("check", "time"):
            is_timed = item.task == "time"
            found[item.kernel, verify.checked_shape(item.kernel, item.shape) if is_timed else item.shape] = None
    return list(found)


def _items(job: Job, architecture: str) -> Iterator[Item]:
    for count in CARDS[architecture]:
        card = Card("any", architecture, count, 2**25, 2**36, _SHARED.get(architecture, 101376))
        for step in steps(job, card):
            yield from step.items


def _goldens(job: Job, architectures: list[str], say: Callable[[str], None]) -> dict[str, dict[str, tuple[str, str]]]:
    wanted = list(dict.fromkeys(one for architecture in architectures for one in checks(job, architecture)))
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for count, (name, digests) in enumerate(goldens.made(job.seed, wanted), 1):
        if digests:
            found[name] = digests
        if count % 200 == 0 or count == len(wanted):
            say(f"golden results: {count} of {len(wanted)}")
    return found


def _sources() -> Iterator[tuple[str, bytes]]:
    gpu = [path for ending in ("py", "cu", "cuh") for path in sorted((_HOME / "gpu_ref").rglob(f"*.{ending}"))]
    for path in (*gpu, *_imported([path for pattern in _SIM for path in sorted((_HOME / "sim").glob(pattern))])):
        yield str(path.relative_to(_HOME)), path.read_bytes()
    yield "sim/__init__.py", b""  # the simulator's own brings what a card's machine need not have
    yield "first_contact.py", _RUNNER.read_bytes()


def _imported(paths: list[Path]) -> list[Path]:
    """The files, and those of sim that they import when they are loaded."""
    found: dict[Path, None] = {}
    waiting = list(paths)
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found[path] = None
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sim":
                base = _HOME / str(node.module).replace(".", "/")
                candidates = [base.with_suffix(".py"), *(base / f"{alias.name}.py" for alias in node.names)]
                waiting += [one for one in candidates if one.is_file()]
    return list(found)


def changed(root: Path) -> list[str]:
    """Files of an unpacked bundle that are not what was packed, or are missing."""
    digits = json.loads((root / "manifest.json").read_text(encoding="utf-8"))
    return [
        name
        for name, was in digits.items()
        if not (root / name).is_file() or hashlib.sha256((root / name).read_bytes()).hexdigest() != was
    ]


def load_job(root: Path) -> Job:
    """The job of an unpacked bundle."""
    return Job.from_plain(json.loads((root / "job.json").read_text(encoding="utf-8")))
