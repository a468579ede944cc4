"""The key of a message, as bytes: its own, its sender, or a key function's result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from airssys.contracts import (
    ComponentId,
    Envelope,
    InvalidMessage,
    kind_name,
    repr_of,
)

if TYPE_CHECKING:
    from airssys.contracts import KeyFunction

_MOST_SHOWN: Final = 200
_ADVICE: Final = "A key is a str or bytes; fix the key function of the pool"


def read_key(
    pool: ComponentId, function: KeyFunction | None, envelope: Envelope
) -> bytes:
    """Return the key of a message to a pool.

    Raises:
        InvalidMessage: the function of the pool failed, or its key is neither str nor
            bytes.
        BaseException: what the function raised to end the program.
    """
    key: object = envelope.key
    if function is not None:
        try:
            key = function(envelope)
        except Exception as error:
            shown = repr_of(error, _MOST_SHOWN)
            problem = f"the key function of {pool} failed: {shown}"
            raise InvalidMessage(problem, _ADVICE) from error
    elif key is None:
        key = envelope.sender.text
    # A subclass may have methods of its own: these are not called.
    if issubclass(type(key), bytes):
        return bytes.__getitem__(cast("bytes", key), slice(None))
    if issubclass(type(key), str):
        return str.encode(cast("str", key), errors="surrogatepass")
    raise InvalidMessage(f"the key for {pool} is {kind_name(key)}", _ADVICE)
