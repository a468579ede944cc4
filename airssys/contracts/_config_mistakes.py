"""What is wrong with the configuration and the settings that were handed in.

Settings may be given as plain values by name, which nobody has looked at yet. Here
all of them are, where making the settings would stop at the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from ._errors import Mistake
from ._guest import ComponentConfig
from ._limits import Limits


def config_mistakes(config: object, path: str) -> Iterator[Mistake]:
    """Look at what a component is to be configured with."""
    if not isinstance(config, ComponentConfig):
        yield Mistake(path, f"{config!r:.80} is no ComponentConfig")
        return
    if not _is_environment(config.env):
        hint = "names and values are text"
        yield Mistake(f"{path}.env", f"{config.env!r:.80} is no environment", hint)
    data: object = config.data
    if data is not None and not isinstance(data, bytes):
        hint = "bytes, or text, which goes as UTF-8"
        yield Mistake(f"{path}.data", f"{data!r:.80} is no data", hint)
    yield from settings_mistakes(Limits, config.limits, f"{path}.limits")


def settings_mistakes(kind: type[Any], given: object, path: str) -> Iterator[Mistake]:
    """Look at settings, or at plain values by name from which none could be made.

    Args:
        kind: what they should be, an attrs class.
        given: what was handed in.
        path: where it stands.
    """
    if isinstance(given, kind):
        return
    if not isinstance(given, Mapping):
        hint = f"write {kind.__name__}(...)"
        yield Mistake(path, f"{given!r:.80} is no {kind.__name__}", hint)
        return
    found = [m for name in given for m in _value_mistakes(kind, given, name, path)]
    yield from found
    if not found:
        try:
            kind(**given)
        except ValueError as error:
            yield Mistake(path, str(error), "leave some out for their defaults")


def _value_mistakes(
    kind: type[Any], given: Mapping[Any, object], name: object, path: str
) -> Iterator[Mistake]:
    fields = attrs.fields_dict(kind)
    field = fields.get(str(name))
    if field is None:
        hint = "there are " + ", ".join(fields)
        yield Mistake(f"{path}.{name}", f"{kind.__name__} has no {name!r:.80}", hint)
    elif field.validator is not None:
        try:
            field.validator(None, field, given[name])
        except ValueError as error:
            hint = "leave it out for its default"
            yield Mistake(f"{path}.{name}", str(error), hint)


def _is_environment(env: object) -> bool:
    return isinstance(env, tuple) and all(map(_is_variable, env))


def _is_variable(pair: object) -> bool:
    match pair:
        case (str(), str()):
            return True
        case _:
            return False
