"""The JSON schema of `Component.toml`, for editors: made from the same classes."""

from __future__ import annotations

import enum
import typing
from typing import Any, Final

import attrs

from ._schema import Manifest
from ._structure import types_of, without_none

_DRAFT: Final = "http://json-schema.org/draft-07/schema#"
_PLAIN: Final = {str: "string", int: "integer", float: "number", bool: "boolean"}


def json_schema() -> dict[str, Any]:
    """Return the schema, in draft 7, which editors of TOML know."""
    return {"$schema": _DRAFT, "title": "Component.toml", **_table(Manifest)}


def _table(kind: type[Any]) -> dict[str, Any]:
    types = types_of(kind)
    fields = attrs.fields_dict(kind)
    described = {
        "type": "object",
        "properties": {n: _field(types[n], fields[n].metadata) for n in fields},
        "additionalProperties": False,
    }
    required = [n for n, field in fields.items() if field.default is attrs.NOTHING]
    return described | ({"required": required} if required else {})


def _field(wanted: Any, metadata: Any) -> dict[str, Any]:  # noqa: ANN401  # a type; of a field
    described = _type(wanted)
    if "about" in metadata:
        described["description"] = metadata["about"]
    if "pattern" in metadata:
        described["pattern"] = f"^{metadata['pattern']}$"
    return described


def _type(wanted: Any) -> dict[str, Any]:  # noqa: ANN401  # a type
    one_of = without_none(wanted)
    if len(one_of) > 1:
        return {"anyOf": [_type(each) for each in one_of]}
    (wanted,) = one_of
    origin = typing.get_origin(wanted)
    if origin is tuple:
        return {"type": "array", "items": _type(typing.get_args(wanted)[0])}
    if origin is not None:
        return {"type": "object", "additionalProperties": {"type": "string"}}
    if attrs.has(wanted):
        return _table(wanted)
    if issubclass(wanted, enum.Enum):
        return {"enum": [each.value for each in wanted]}
    return {"type": _PLAIN[wanted]}
