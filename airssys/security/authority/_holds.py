"""What is in progress under a grant, and ends with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from airssys.contracts import Access

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@final
class Hold:
    """Something in progress that is allowed now, and is cancelled if that changes."""

    __slots__ = ("_cancel", "access", "is_revoked", "resources")

    def __init__(
        self,
        access: Access,
        cancel: Callable[[], object],
        resources: list[str] | None = None,
    ) -> None:
        self.access, self._cancel, self.resources = access, cancel, resources
        self.is_revoked = False

    def accesses(self) -> Iterator[Access]:
        """Visit all that has to be allowed for it to go on."""
        if self.resources is None:
            yield self.access
            return
        for each in self.resources:
            yield Access(self.access.kind, self.access.verb, each)

    def revoke(self) -> None:
        """Cancel it; its owner finds `is_revoked`."""
        if not self.is_revoked:
            self.is_revoked = True
            self._cancel()
