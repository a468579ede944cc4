"""What ends an exchange of HTTP before it is complete."""

from __future__ import annotations

from typing import final

from ._base import AirssysError, Fault


@final
class ExchangeBroken(AirssysError):
    """A request of HTTP, or the response to it, could not be completed.

    Args:
        code: an error code of `wasi:http`, for the guest.
        status: what the client is answered instead, if nothing was; None: it has gone.
    """

    fault = Fault.SENDER
    advice = "Close the connection: its client cannot see otherwise that something is missing"

    def __init__(self, code: str, status: int | None = None) -> None:
        self.code, self.status = code, status
        super().__init__(code, status)

    def __str__(self) -> str:
        return self._with_advice(f"an exchange of HTTP was not completed: {self.code}")
