"""What the host gives to guests: an interface of functions and resources, as one value.

    def price(till, item):
        return till.prices[item]

    TILL = HostInterface(
        "acme:shop/till@1.2.0",
        {"price": price},
        errors={KeyError: lambda error: f"there is no {error}"},
        make_context=lambda services, limits: Till(services.self_id),
    )

The world of actors, `airssys:core`, consists of such values (`CORE_INTERFACES`); an
actor's component may be given others beside them, and a component of any world is given
nothing else.

Theory. A guest stops at a host call until it is answered. How a function is called
depends on how long that may take, which is its *kind*:

* *instant*: a lookup, a microsecond or two, in code that is trusted. On the own lane it is
  run on the guest's own stack, in whichever task polls the guest. There it must not run a
  guest or recurse deeply in C, and can be neither interrupted nor timed. By wasmtime's
  component API it is run like the next kind, and so is one that moves resources.
* *at once*: answered between two polls of the guest, within its slice, in the Trio
  thread. It must not take longer than a tick.
* *waiting*: an async function. The guest is suspended while it runs, others go on, and
  the time it takes counts towards the guest's `execution_time`, unless the function is
  one that the guest calls in order to wait.
"""

from __future__ import annotations

import enum
import functools
import inspect
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias, final

import attrs

from airssys.contracts import HostServices, Limits, TrapReason
from airssys.wasm.engine import Destructor, Owners
from airssys.wasm.values import Borrow, Function, Own, mentions

if TYPE_CHECKING:
    from collections.abc import Iterable

Implementation: TypeAlias = Callable[..., Any]
"""Takes the context of the instance, and the arguments."""
ContextMaker: TypeAlias = Callable[[HostServices | None, Limits], object]

_VERSIONED: Final = re.compile(r"(?P<name>[^@]+)@(?P<minor>\d+\.\d+)\.\d+")
_RESOURCES: Final = (Own, Borrow)


@final
class FunctionKind(enum.Enum):
    """How long a host function may take, and therefore where it is run."""

    INSTANT = "instant"
    AT_ONCE = "at once"
    WAITING = "waiting"


class StopGuest(Exception):
    """Raised by a host function: the guest is stopped, and nothing is wrong with the host.

    Args:
        reason: why.
        text: one line about it.
        status: what the guest exited with, if that is what it did.
    """

    def __init__(
        self, reason: TrapReason, text: str, status: int | None = None
    ) -> None:
        self.reason, self.text, self.status = reason, text, status
        super().__init__(reason, text)


@final
@attrs.frozen
class SameAs:
    """Another name of a resource: `SameAs("acme:shop/till@1.2.0#drawer")`."""

    resource: str


def is_async(act: Callable[..., Any]) -> bool:
    """Whether calling it gives a coroutine: also for an object that is called."""
    while isinstance(act, functools.partial):
        act = act.func
    called = getattr(type(act), "__call__", None)  # noqa: B004  # its kind is asked for
    return inspect.iscoroutinefunction(act) or inspect.iscoroutinefunction(called)


def _kind_of(function: HostFunction) -> FunctionKind:
    return FunctionKind.WAITING if is_async(function.act) else FunctionKind.AT_ONCE


@final
@attrs.frozen(eq=False)
class HostFunction:
    """One function of a `HostInterface`.

    Raises:
        ValueError: its kind is not that of its code, or it has what only another kind has.
    """

    act: Implementation = attrs.field(repr=False)
    """Takes the context of the instance first, then one value for each parameter. Where
    the WIT result is a `result`, it returns what `ok` carries, or `Ok` or `Err`."""
    kind: FunctionKind = attrs.field(
        default=attrs.Factory(_kind_of, takes_self=True), kw_only=True
    )
    """By default *waiting* for an async function, *at once* for others."""
    type: Function | None = attrs.field(default=None, kw_only=True)
    """Its signature: a component that imports it with another one is refused. None: what
    the component says, which is then the guest's choice. Of one that moves resources the
    component must say it."""
    at_once: Implementation | None = attrs.field(default=None, kw_only=True, repr=False)
    """For a waiting one: tries without waiting first, and returns None if it has to."""
    longest: Callable[..., float] | None = attrs.field(
        default=None, kw_only=True, repr=False
    )
    """For a waiting function: takes the arguments and returns the number of seconds from
    its beginning after which it ends by itself. A function that ends in time costs the guest no
    timer."""
    counts: bool = attrs.field(default=True, kw_only=True)
    """Whether waiting for it uses up `execution_time`. False for one that is called to
    wait, such as a sleep: nothing ends it then but its own end, and a cancellation."""
    finish: Callable[[Any], Any] | None = attrs.field(
        default=None, kw_only=True, repr=False
    )
    """Makes of the answer what is laid out, in a worker thread if the answer is long."""

    def __attrs_post_init__(self) -> None:
        waits = self.kind is FunctionKind.WAITING
        if waits != is_async(self.act):
            wants = "async def" if waits else "def"
            raise ValueError(f"a host function that is {self.kind.value} is a {wants}")
        if not waits and (self.at_once is not None or self.longest is not None):
            raise ValueError("at_once and longest are for a host function that waits")
        wits = [] if self.type is None else [wit for _, wit in self.type.params]
        wits += [] if self.type is None or not self.type.result else [self.type.result]
        if any(mentions(wit, _RESOURCES) for wit in wits):
            raise ValueError(
                "leave the type out: the component says how resources move"
            )


def _read_functions(
    functions: Mapping[str, HostFunction | Implementation],
) -> Mapping[str, HostFunction]:
    return MappingProxyType(
        {
            name: each if isinstance(each, HostFunction) else HostFunction(each)
            for name, each in functions.items()
        }
    )


def _frozen(given: Mapping[Any, Any]) -> Mapping[Any, Any]:
    return MappingProxyType(dict(given))


@final
@attrs.frozen(eq=False)
class HostInterface:
    """Functions and resources that guests may import under one name.

    An import with a version is given by an interface with the same major and minor
    number, whatever their patches are: `acme:shop/till@1.2.3` by `acme:shop/till@1.2.0`.
    Without a version, or with one that has more parts, names must be equal.

    Two interfaces are equal only if they are one object.
    """

    name: str
    """As in WIT, `acme:shop/till@1.2.0`; empty for functions that stand in none."""
    functions: Mapping[str, HostFunction] = attrs.field(
        factory=dict, converter=_read_functions, repr=False
    )
    """By name. A plain function stands for a `HostFunction` with all defaults."""
    resources: Mapping[str, Destructor | SameAs | None] = attrs.field(
        factory=dict, converter=_frozen, kw_only=True, repr=False
    )
    """Destructors by the name of the resource; None where nothing needs to be done. An
    object that was given away several times has its destructor called once, when the last
    guest lets it go. Two names are two resources, unless one is `SameAs` the other."""
    errors: Mapping[type[Exception], Callable[[Any], Any]] = attrs.field(
        factory=dict, converter=_frozen, kw_only=True, repr=False
    )
    """By class of exception, what makes of one the value of the interface's `err`; the
    first class that fits decides. It holds for functions whose WIT result is a `result`.
    Any other exception is a host error and costs the guest its instance."""
    make_context: ContextMaker | None = attrs.field(
        default=None, kw_only=True, repr=False
    )
    """Makes what the functions get first, once for each instance, when that is made. It
    takes the services of the actor (None for a component that does not belong to an
    actor) and the limits. Without it they get the services. Interfaces that have the
    same maker share one context, which is closed once."""
    close_context: Callable[[Any], object] | None = attrs.field(
        default=None, kw_only=True, repr=False
    )
    """Takes the context when the instance is closed, after the destructors."""
    owners: Owners = attrs.field(factory=Owners, init=False, repr=False)

    def full_name(self, function: str) -> str:
        """The name of a function or resource, with that of the interface."""
        return f"{self.name}#{function}" if self.name else function

    def gives(self, imported: str) -> bool:
        """Whether an import of this name is given by this interface."""
        return same_interface(self.name, imported)

    @property
    def kinds(self) -> Mapping[str, FunctionKind]:
        """The kind of each function, by its full name."""
        return {self.full_name(name): f.kind for name, f in self.functions.items()}

    @property
    def signature(self) -> str:
        """A text that differs where a component could be refused by one and not by another."""
        functions = sorted((n, repr(f.type)) for n, f in self.functions.items())
        resources = sorted(
            (n, repr(isinstance(r, SameAs) and r)) for n, r in self.resources.items()
        )
        return repr((self.name, functions, resources))


def same_interface(given: str, imported: str) -> bool:
    """Whether the versions of two names of interfaces are compatible, and the rest equal."""
    if given == imported:
        return True
    mine, theirs = _VERSIONED.fullmatch(given), _VERSIONED.fullmatch(imported)
    return mine is not None and theirs is not None and mine.groups() == theirs.groups()


def other_version(
    interfaces: Iterable[HostInterface], imported: str
) -> HostInterface | None:
    """Find an interface that differs from an import in its version only."""
    plain = imported.partition("@")[0]
    found = (i for i in interfaces if i.name and i.name.partition("@")[0] == plain)
    return next(found, None)
