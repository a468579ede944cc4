"""Looking up names: one lookup each, in a thread, by the system's resolver."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, Final, final

import trio

from airssys.contracts import Access
from airssys.wasm.host.wasi.base import ContextPart, Held, Scoped, Source

from ._addresses import Refused, address_for_guest
from ._socket import network

if TYPE_CHECKING:
    from airssys.wasm.host.wasi.base import Address, WasiContext
    from airssys.wasm.values import Case

_LONGEST: Final = 253
"""Characters of a host's name, by the rules of DNS."""
_IN_NO_NAME: Final = frozenset({*map(chr, range(33)), *"\x7f#%/:<>?@[\\]^|"})
"""Characters that end or divide what may stand where a name does, as in URLs."""
_MOST_ADDRESSES: Final = 64
_MOST_LOOKUPS: Final = 8
"""Lookups in progress, of one instance."""


async def look_up(name: str, port: int = 0) -> list[Address]:
    """Ask the system's resolver.

    Raises:
        Refused: with the code of its answer.
    """
    try:
        found = await trio.socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        codes = {
            socket.EAI_AGAIN: "temporary-resolver-failure",
            socket.EAI_FAIL: "permanent-resolver-failure",
        }
        raise Refused(codes.get(error.errno or 0, "name-unresolvable")) from error
    except (UnicodeError, OSError) as error:
        raise Refused("name-unresolvable") from error
    texts = dict.fromkeys(str(each[4][0]).partition("%")[0] for each in found)
    return [ipaddress.ip_address(text) for text in texts][:_MOST_ADDRESSES]


def _read_name(name: str) -> Address | None:
    """Read an address, which may be in brackets as in URLs; None: it is a host's name.

    Raises:
        Refused: it is neither.
    """
    try:
        if name.startswith("[") and name.endswith("]"):
            found: Address = ipaddress.IPv6Address(name[1:-1])
        else:
            found = ipaddress.ip_address(name)
        if "%" not in name:  # the name of an interface of this machine
            return found
    except ValueError:
        pass
    try:
        is_name = name.encode("idna") and not _IN_NO_NAME & set(name)
    except UnicodeError:  # an empty part, or one that is too long
        is_name = False
    if not is_name or len(name) > _LONGEST:
        raise Refused("invalid-argument")
    return None


@final
class Lookups(ContextPart):
    """The lookups of one instance."""

    number = 0
    """How many are in progress."""


@final
class Lookup(Held, Source):
    """The answers to a name, as they come."""

    __slots__ = ("_answers", "_refusal", "_scope", "_scoped", "is_done")

    def __init__(self, context: WasiContext, name: str) -> None:
        number = _read_name(name)
        super().__init__(context)
        self._answers: list[Address] = [] if number is None else [number]
        self._refusal: str | None = None
        self._scope: trio.CancelScope | None = None
        self._scoped: Scoped
        self.is_done = number is not None
        if not self.is_done:
            self._begin(name)

    def _begin(self, name: str) -> None:
        context = self.context
        access = Access("network", "resolve", name)
        if not context.may_access(access):
            self._give_up("access-denied")
        running = context.keep("lookups", Lookups)
        if running.number >= _MOST_LOOKUPS:
            self._give_up("temporary-resolver-failure")
        running.number += 1
        self._scope = context.start_task(lambda: self._ask(name))
        # Now, and not in the task: it may be taken away before that begins.
        self._scoped = Scoped(context, access, self._revoke)

    def _give_up(self, code: str) -> None:
        self.context.release_handle()
        raise Refused(code)

    def _revoke(self) -> None:
        self._refusal = "access-denied"
        if self._scope is not None:
            self._scope.cancel()

    async def _ask(self, name: str) -> None:
        try:
            await trio.lowlevel.checkpoint_if_cancelled()
            self._answers = await look_up(name)
            for each in self._answers:
                network(self.context).reach.pin(name, each)
        except Refused as refused:
            self._refusal = refused.code
        finally:
            self._scoped.release()
            self.is_done = True
            self.context.keep("lookups", Lookups).number -= 1
            self.context.note_changed()

    def is_ready(self) -> bool:
        """Whether the answers are there."""
        return self.is_done

    def next_address(self) -> Case | None:
        """Return the next of them; None: there are no more.

        Raises:
            Refused: they are not there yet, or there are none for a reason.
        """
        if not self.is_done:
            raise Refused("would-block")
        if self._refusal is not None:
            raise Refused(self._refusal)
        return address_for_guest(self._answers.pop(0)) if self._answers else None

    def let_go(self) -> None:
        """End the lookup."""
        if self._scope is not None:
            self._scope.cancel()
