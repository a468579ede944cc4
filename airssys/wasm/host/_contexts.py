"""What the host functions of one instance get first: made with it, closed with it."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, final

from airssys.contracts import find_fatal, repr_of

from ._background import ContextWithTasks

if TYPE_CHECKING:
    from collections.abc import Sequence

    import trio

    from airssys.contracts import HostServices, Limits

    from ._host_interface import HostInterface

_LOG: Final = logging.getLogger("airssys")


class HostCalled(Exception):  # not for users: `_instance` refuses a snapshot
    """A guest called the host while it had none."""


@final
class _Nobody:
    """The services of no actor: lines that are logged go nowhere."""

    def log(self, level: object, message: str, context: object) -> None:
        """Drop a line."""

    def __getattr__(self, name: str) -> object:
        raise HostCalled(f"the actor's {name}")


@final
class _NoContexts(list[object]):
    """What stands in the place of contexts: taking one means calling the host."""

    def __init__(self, interfaces: Sequence[HostInterface]) -> None:
        super().__init__()
        self._interfaces = interfaces

    def __getitem__(self, place: Any) -> Any:
        interface = self._interfaces[place]
        if interface.make_context is None and interface.name.startswith("airssys:core"):
            return _Nobody()
        raise HostCalled(interface.name)


@final
class Contexts:
    """One context for each interface, in their order; empty until it is opened."""

    __slots__ = ("_interfaces", "_is_closed", "objects")

    def __init__(self, interfaces: Sequence[HostInterface]) -> None:
        self._interfaces = interfaces
        self._is_closed = False
        self.objects: list[object] = []
        """The contexts; the same list for good."""

    def open(
        self,
        services: HostServices | None,
        limits: Limits,
        nursery: trio.Nursery | None = None,
    ) -> None:
        """Make all contexts; those that start tasks do so in the nursery.

        Raises:
            BaseException: what a maker raised; those before it are to be closed.
        """
        made: dict[object, object] = {None: services}
        for interface in self._interfaces:
            make = interface.make_context
            if make is not None and make not in made:
                context = made[make] = make(services, limits)
                if isinstance(context, ContextWithTasks):
                    context.take_nursery(nursery)
            self.objects.append(made[make])

    @classmethod
    def of_nobody(cls, interfaces: Sequence[HostInterface]) -> Contexts:
        """Return what an instance gets that must not call the host.

        Taking a context raises `HostCalled`, but that lines may be logged, which are
        dropped.
        """
        contexts = cls(())
        contexts.objects = _NoContexts(interfaces)
        return contexts

    def close(self) -> None:
        """Close what was made, the last one first; does nothing twice.

        Raises:
            BaseException: what closing one raised to end the program, after all were
                closed. Anything else is logged.
        """
        fatal: BaseException | None = None
        made = list(zip(self._interfaces, self.objects, strict=False))
        if self._is_closed:
            return
        self._is_closed = True
        closed = set()
        for interface, context in reversed(made):
            make, close = interface.make_context, interface.close_context
            if close is None or make is None or (make, close) in closed:
                continue
            closed.add((make, close))
            try:
                close(context)
            except BaseException as error:  # noqa: BLE001, ASYNC103  # the others must be closed too
                fatal = find_fatal(error) if fatal is None else fatal
                with suppress(Exception):  # the program's own handlers may fail
                    text = repr_of(error)
                    _LOG.warning(
                        "closing a context of %s failed: %s", interface.name, text
                    )
        if fatal is not None:
            raise fatal
