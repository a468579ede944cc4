"""What ends an exchange of HTTP before it is complete; no user sees it."""

from __future__ import annotations

from typing import final


@final
class ExchangeBroken(Exception):  # says what happened
    """A request or its response could not be completed.

    Args:
        code: an error code of `wasi:http`, for the guest.
        status: what the client is answered instead, if nothing was; None: it has gone.
    """

    def __init__(self, code: str, status: int | None = None) -> None:
        self.code, self.status = code, status
        super().__init__(code)
