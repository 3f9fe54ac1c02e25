"""The simulator with changes in its sources, for as long as a fault is tried.

Functions stay who they are, so that all who hold them see the change, and take on the code of the changed text.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from sim.rtl.checks.build import Edit, changed

PACKAGE = Path(__file__).resolve().parents[3]


@contextmanager
def edited(edits: Sequence[Edit]) -> Iterator[None]:
    """Change modules of the simulator, named from its package on, and change them back.

    Raises
    ------
    ValueError
        Where the text to change does not stand there exactly once.
    """
    before: list[tuple[FunctionType, CodeType]] = []
    try:
        for file in dict.fromkeys(edit.file for edit in edits):
            path = PACKAGE / file
            text = changed(file, path.read_text(), [edit for edit in edits if edit.file == file])
            codes = {code.co_qualname: code for code in _codes(compile(text, str(path), "exec", dont_inherit=True))}
            for function in _functions(importlib.import_module(f"sim.{file.removesuffix('.py').replace('/', '.')}")):
                before.append((function, function.__code__))
                function.__code__ = codes[function.__qualname__]
        yield
    finally:
        for function, code in reversed(before):
            function.__code__ = code


def _codes(code: CodeType) -> Iterator[CodeType]:
    """Of all functions in a module, however deep."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _functions(module: ModuleType) -> Iterator[FunctionType]:
    """Those that a module defines, and those of its classes."""
    own = [member for member in vars(module).values() if getattr(member, "__module__", "") == module.__name__]
    for member in [*own, *(inner for part in own if isinstance(part, type) for inner in vars(part).values())]:
        function = _function(member)
        if function is not None and function.__code__.co_filename == module.__file__:
            yield function


def _function(member: Any) -> FunctionType | None:
    if isinstance(member, property):
        member = member.fget
    elif isinstance(member, cached_property):
        member = member.func
    elif isinstance(member, classmethod | staticmethod):
        member = member.__func__
    return member if isinstance(member, FunctionType) else None
