"""What a caller asks of a workload beside its name; None means as the file says."""

from __future__ import annotations

from dataclasses import dataclass, fields


def flag(name: str) -> str:
    """An option as the command line writes it."""
    return f"--{name.replace('_', '-')}"


@dataclass(frozen=True)
class Options:
    phase: str | None = None
    tokens: int | None = None
    batch: int | None = None
    chunk: int | None = None
    context: int | None = None
    steps: int | None = None
    routing: str | None = None
    scope: str | None = None
    kv: str | None = None
    attention_precision: str | None = None
    precision: str | None = None
    overrides: tuple[str, ...] = ()

    def given(self) -> dict[str, str | int]:
        """The options of a run that were given, by name."""
        named = {option.name: getattr(self, option.name) for option in fields(self) if option.name != "overrides"}
        return {name: value for name, value in named.items() if value is not None}
