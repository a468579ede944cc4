"""Checks that grants are grants; `airssys.security` knows what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from airssys.contracts.errors import Mistake
from airssys.contracts.values import Grant, is_kind, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

_HINT: Final = "write a list of grants, such as [send('shop/*')], from airssys.security"


def grants_mistakes(grants: object, path: str) -> Iterator[Mistake]:
    """Check that a value is a tuple of grants, or None."""
    if grants is None:
        return
    if not isinstance(grants, tuple) or not is_kind(grants, tuple):
        yield Mistake(path, f"{shown(grants)} is not a list of grants", _HINT)
        return
    for index, each in enumerate(grants):
        if not is_kind(each, Grant):
            text = f"{shown(each)} is not a grant"
            yield Mistake(f"{path}[{index}]", text, _HINT)
