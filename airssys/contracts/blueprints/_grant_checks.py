"""Checks that grants are grants, and quotas are quotas; what they mean is decided elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from airssys.contracts.errors import Mistake
from airssys.contracts.specs import Quotas
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


def quotas_mistakes(
    quotas: object, path: str, *, optional: bool = True
) -> Iterator[Mistake]:
    """Check that a value is quotas, or None where that is possible."""
    if not (is_kind(quotas, Quotas) or (optional and quotas is None)):
        text = f"{shown(quotas)} is not quotas"
        hint = "write Quotas(...), or a dict such as {'messages_per_second': 100}"
        yield Mistake(f"{path}.quotas", text, hint)
