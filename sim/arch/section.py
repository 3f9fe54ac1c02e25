"""A group of keys in an arch YAML, and the kinds of numbers in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field

import sim.section

Count = Annotated[int, Field(ge=1)]
NotNegativeCount = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]


def _or_expression(schema: dict[str, Any]) -> None:
    """What an editor accepts: a text wherever a number stands."""
    for key, described in schema.get("properties", {}).items():
        types = described.get("anyOf", [described])
        if any(one.get("type") in ("integer", "number") for one in types):
            told = {name: described.pop(name) for name in ("title", "description", "default") if name in described}
            schema["properties"][key] = {"anyOf": [*types, {"type": "string"}], **told}


class MachineSection(sim.section.Section):
    """A group of keys of a machine: their sources beside them, and expressions where numbers stand."""

    model_config = ConfigDict(json_schema_extra=_or_expression)
    source: str | dict[str, str] = ""
    """Where the numbers of this section come from."""

    @classmethod
    def described_by(cls, values: Mapping[str, Any]) -> type[MachineSection]:
        """The class of a section with these values: this one, unless the section has kinds."""
        return cls
