"""What every group of keys in a user's file is: frozen, and closed to keys that it does not know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema


class MisfitError(ValueError):
    """Keys of a section that do not go together, blamed on one of them."""

    def __init__(self, problem: str, key: str | None) -> None:
        super().__init__(problem)
        self.key = key


class Section(BaseModel):
    """A frozen group of keys; unknown ones are refused. The text below a key describes it in the JSON Schema."""

    # Built when first needed: most sections are only ever read as parts of others.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core)
        properties = handler.resolve_ref_schema(schema)["properties"]
        for key, text in _texts(cls):
            name = cls.model_fields[key].alias or key
            if name in properties:
                properties[name].setdefault("description", text)
        return schema


def _texts(section: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """The texts below the keys, as the source has them; read only where a schema is asked for."""
    import ast
    import inspect
    import textwrap

    for kind in section.__mro__:
        if not issubclass(kind, BaseModel) or kind is BaseModel:
            continue
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
        assert isinstance(body, ast.ClassDef)
        for key, below in zip(body.body, body.body[1:], strict=False):
            told = below.value.value if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) else None
            name = key.target.id if isinstance(key, ast.AnnAssign) and isinstance(key.target, ast.Name) else ""
            if isinstance(told, str) and name in section.model_fields:
                yield name, inspect.cleandoc(told)
