"""The `dram` section: what all kinds have, and the keys of the kind that it names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pydantic import ValidationError, ValidatorFunctionWrapHandler
from pydantic_core import InitErrorDetails

from sim.arch.section import Count, MachineSection
from sim.plugins import Seam

DRAM: Seam[Any] = Seam("dram", "kind of DRAM", "sim.units.dram", "kind")
ARBITRATION: Seam[Any] = Seam("arbitration", "arbitration policy", "sim.units.dram.arbitration")


class DramConfig(MachineSection):
    """What every kind of DRAM has; the other keys are those of the kind, in its file of sim/units/dram."""

    kind: str = "channel"
    """Kind of the model; `sim.py list` shows the kinds."""
    outstanding_loads: Count
    """Chunks that each loader may have asked for and not yet received."""

    @classmethod
    def described_by(cls, values: Mapping[str, Any]) -> type[MachineSection]:
        kind = values.get("kind", "channel")
        found = DRAM.find(kind) if isinstance(kind, str) else None
        return found.section if found else cls


def of_its_kind(value: Any, as_base: ValidatorFunctionWrapHandler) -> Any:
    if not isinstance(value, Mapping):
        return as_base(value)
    one_of(DRAM, value.get("kind", "channel"), "kind")
    return DramConfig.described_by(value).model_validate(value, strict=True)


def one_of(seam: Seam[Any], name: Any, *key: str) -> Any:
    """The name, where a part has it; else the error of a wrong choice, for a validator."""
    if isinstance(name, str) and seam.find(name) is not None:
        return name
    expected = {
        "expected": " or ".join(filter(None, [", ".join(map(repr, seam.names()[:-1])), repr(seam.names()[-1])]))
    }
    wrong = InitErrorDetails(type="literal_error", loc=key, input=name, ctx=expected)
    raise ValidationError.from_exception_data(seam.what, [wrong])


def every_kind(schema: dict[str, Any]) -> None:
    """What an editor accepts for `dram`: the keys of any kind."""
    schema.pop("$ref")
    schema["anyOf"] = [_self_contained(kind.section.model_json_schema()) for kind in DRAM.parts().values()]
    for section, kind in zip(schema["anyOf"], DRAM.names(), strict=True):
        section.pop("required", None)
        section["properties"]["kind"]["const"] = kind


def _self_contained(schema: dict[str, Any]) -> dict[str, Any]:
    """The same with the sections inside it where they are used."""
    inner = schema.pop("$defs", {})

    def filled(described: Any) -> Any:
        if isinstance(described, list):
            return [filled(one) for one in described]
        if not isinstance(described, dict):
            return described
        name = str(described.get("$ref", "")).rpartition("/")[2]
        own = {key: filled(value) for key, value in described.items() if key != "$ref"}
        return {**inner[name], **own} if name else own

    return cast("dict[str, Any]", filled(schema))
