"""Plain dataclasses that Pydantic checks where a file is read; on the machine that makes them it need not be.

A field's bound is written as `Annotated[int, Within(least=1)]`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from sim.errors import InputError, Place

FORBID: dict[str, Any] = {"extra": "forbid"}
"""`__pydantic_config__` of every checked dataclass: unknown keys are refused."""

Made = TypeVar("Made")


@dataclass(frozen=True)
class Within:
    """A bound of a number."""

    above: float | None = None
    least: float | None = None
    most: float | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        bounds = {"gt": self.above, "ge": self.least, "le": self.most}
        return {**handler(source), **{name: bound for name, bound in bounds.items() if bound is not None}}


Positive = Annotated[float, Within(above=0)]
Size = Annotated[int, Within(above=0)]
Count = Annotated[int, Within(least=0)]


def checked(kind: type[Made], content: Any, path: Path, what: str) -> Made:
    """A dataclass from the content of a file.

    Raises
    ------
    InputError
        For the first thing that does not fit, with the key.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(kind).validate_python(content)
    except ValidationError as error:
        issues = error.errors()
        issue = next((one for one in issues if one["type"] == "unexpected_keyword_argument"), issues[0])
        message = "unknown key" if issue["type"] == "unexpected_keyword_argument" else issue["msg"]
        field = ".".join(map(str, issue["loc"])) or None
        raise InputError(f"not {what}: {message}", place=Place(str(path)), field=field) from None
