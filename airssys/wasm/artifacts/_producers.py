"""What made a component: the custom sections `producers` that toolchains write.

They say nothing that is checked. What cannot be read is left out, and so is what goes
beyond a few names: a file of anyone may say anything there.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final, final

import attrs

from ._binary import Reader, Unreadable

_CUSTOM, _CORE_MODULE, _COMPONENT = 0, 1, 4
_HEADER: Final = 8
"""Bytes before the first section."""
_MOST_DEPTH: Final = 8
_MOST_NAMES: Final = 32
_MOST_CHARACTERS: Final = 80
_FIELDS: Final = ("language", "sdk", "processed-by")


def producers(code: bytes) -> tuple[str, ...]:
    """Name the languages and tools that a component says it was made with.

    Only its largest module and what is around all modules count: the adapters beside it
    were made by others.

    Args:
        code: The component, as binary.

    Returns:
        Such as `("C11", "clang 14.0.6", "wit-component 0.240.0")`: languages, then what
        is between, then tools; each once, at most 32.
    """
    around, modules = _Found(0), [_Found(0)]
    with suppress(Unreadable):  # what was read until then is shown
        _read(Reader(code), around, modules, 0)
    largest = max(modules, key=lambda each: each.size)
    names = [
        name
        for field in _FIELDS
        for found in (largest, around)
        for where, name in found.names
        if where == field
    ]
    return tuple(dict.fromkeys(names))[:_MOST_NAMES]


@final
@attrs.define
class _Found:
    """What one module, or all that is around modules, says."""

    size: int
    names: list[tuple[str, str]] = attrs.Factory(list)


def _read(reader: Reader, around: _Found, modules: list[_Found], depth: int) -> None:
    reader.skip(_HEADER)
    for section, body in reader.sections():
        if section == _CUSTOM:
            _read_custom(body, around)
        elif section == _CORE_MODULE:
            modules.append(_Found(body.size))
            body.skip(_HEADER)
            for inner, content in body.sections():
                if inner == _CUSTOM:
                    _read_custom(content, modules[-1])
        elif section == _COMPONENT and depth < _MOST_DEPTH:
            _read(body, around, modules, depth + 1)


def _read_custom(body: Reader, found: _Found) -> None:
    if body.name() != "producers":
        return
    for _ in body.items():
        field = body.name()
        for _ in body.items():
            name, version = body.name(), body.name()
            text = f"{name} {version}".strip()
            shown = "".join(filter(str.isprintable, text))[:_MOST_CHARACTERS]
            found.names.append((field, shown))
