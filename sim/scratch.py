"""What is written out of sight until it is complete, and is gone when this process is, however it ends.

    with whole_folder(out) as inside:  # write into `inside`; at the end it becomes `out` by a rename
    with whole_file(path) as partial:  # the same for one file

Both lie in a hidden folder beside the nearest existing parent of their place, so on the same file system. An exception
or Ctrl-C removes it; after SIGKILL a shell does, that is started beforehand and waits for this process to end. What is
replaced is moved aside first, and moved back where the last rename fails or is never reached.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_WATCH = 'read done || { [ -e "$2" ] || [ ! -e "$1/old" ] || mv "$1/old" "$2"; rm -rf "$1"; }'


@contextmanager
def scratch(target: Path) -> Iterator[Path]:
    """A hidden folder near `target`, whose earlier state may be moved to `old` in it."""
    parent = next(parent for parent in target.parents if parent.exists())
    folder = parent / f".{target.name[:100]}.{secrets.token_hex(4)}"
    watcher = _watcher(folder, target)
    try:
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if watcher is not None:
            watcher.communicate(b"done\n")


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A folder to write into, which becomes `out`, in place of what is there, when the block ends without an exception.

    Raises
    ------
    OSError
        Where `out` cannot be written.
    """
    target = out.expanduser().resolve()
    with scratch(target) as holder:
        inside = holder / "new"
        inside.mkdir()  # and not the holder itself, which only its owner may read
        yield inside
        target.parent.mkdir(parents=True, exist_ok=True)
        _swap(inside, target, holder / "old")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A file to write, which becomes `path`, in place of what is there, when the block ends without an exception."""
    target = path.expanduser().resolve()
    with scratch(target) as holder:
        yield holder / target.name
        (holder / target.name).replace(target)


def _watcher(folder: Path, target: Path) -> subprocess.Popen[bytes] | None:
    shell = shutil.which("sh")
    if shell is None:
        return None
    command = [shell, "-c", _WATCH, "sh", str(folder), str(target)]
    quiet = subprocess.DEVNULL
    # In a session of its own: what is sent to the process group of this process does not reach it.
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, cwd="/", start_new_session=True)


def _swap(new: Path, target: Path, old: Path) -> None:
    try:
        if target.exists():
            target.rename(old)
        new.rename(target)
    except BaseException:
        if old.exists() and not target.exists():
            old.rename(target)
        raise
