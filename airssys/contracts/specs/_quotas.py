"""Quotas: how much an actor, or all actors below a supervisor together, may use.

`Limits` bound one guest at one moment, and the engine enforces them. Quotas bound what is
used over time and by several actors: messages a second, bytes that a subtree stores. They
are counted by name, so a restart or other code does not begin anew.

Two kinds of things are counted. An *amount* stays in use until it is given back, such as
stored bytes. A *rate* comes back by itself: its bucket holds `burst` and fills by `limit`
each second.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, cast, final

import attrs

from airssys.contracts.values import MIB, Limits, choices, is_number, shown

MOST: Final = 2**53
"""The largest quota that is counted exactly; a larger one is written as `math.inf`."""


@final
class AtTheLimit(enum.Enum):
    """What happens to an actor that wants more than there is."""

    REFUSE = "refuse"
    """Its call is refused with a typed error."""
    DELAY = "delay"
    """It waits until there is room; if there never will be, it is refused."""
    END = "end"
    """It is stopped, and its supervisor decides about a restart."""


_WORDS: Final = {action.value: action for action in AtTheLimit}


def _as_action(word: AtTheLimit | str | None) -> AtTheLimit | None:
    """Read a word; what it is not is found by the check."""
    known = _WORDS.get(word) if isinstance(word, str) else None
    return known or cast("AtTheLimit | None", word)


@final
@attrs.frozen
class Quota:
    """One quota.

    Raises:
        ValueError: A value is outside its range.
    """

    limit: float = attrs.field()
    """A whole number: how much may be in use, or how much a second. `math.inf`: as much
    as there is."""
    burst: int | None = None
    """For a rate: how much may be used at once after a pause. None: that of one
    second."""
    at_limit: AtTheLimit | None = attrs.field(
        default=None,
        converter=_as_action,
    )
    """What happens there, also as a word: `"refuse"`, `"delay"`, `"end"`. None: as each
    quota says by itself."""

    def __attrs_post_init__(self) -> None:
        if self.limit != math.inf and not is_number(self.limit, 0, MOST, whole=True):
            raise ValueError(
                f"a quota is a whole number from 0 to {MOST}, or math.inf, "
                f"not {shown(self.limit)}"
            )
        if self.burst is not None and not is_number(self.burst, 1, MOST, whole=True):
            raise ValueError(
                f"burst is a whole number from 1 to {MOST}, not {shown(self.burst)}"
            )
        if self.at_limit is not None and not isinstance(self.at_limit, AtTheLimit):
            raise ValueError(
                f"{shown(self.at_limit)} is not what happens at a limit: "
                f"{choices(AtTheLimit, self.at_limit)}"
            )

    def __str__(self) -> str:
        text = f"{self.limit:g}" if self.limit == math.inf else f"{int(self.limit)}"
        if self.burst is not None:
            text += f" (burst {self.burst})"
        return text if self.at_limit is None else f"{text}, {self.at_limit.value}"


_R, _D, _E = AtTheLimit.REFUSE, AtTheLimit.DELAY, AtTheLimit.END


@final
@attrs.frozen
class QuotaRule:
    """What can be declared for one quota."""

    unit: str
    is_rate: bool
    actions: tuple[AtTheLimit, ...]
    """What may happen at its limit; the first is what happens by itself."""


def _rate(unit: str, *actions: AtTheLimit) -> QuotaRule:
    return QuotaRule(unit, is_rate=True, actions=actions)


def _amount(unit: str, *actions: AtTheLimit) -> QuotaRule:
    return QuotaRule(unit, is_rate=False, actions=actions)


QUOTA_RULES: Final[Mapping[str, QuotaRule]] = MappingProxyType(
    {
        "storage_bytes": _amount("bytes", _R, _E),
        "messages_per_second": _rate("messages", _D, _R, _E),
        "network_bytes_per_second": _rate("bytes", _D, _E),
        "cpu_ms_per_second": _rate("ms", _D, _E),
        "memory_bytes": _amount("bytes", _R),
        "host_calls_per_second": _rate("calls", _D, _E),
        "allocation_bytes_per_call": _amount("bytes", _R),
        "allocation_bytes_per_second": _rate("bytes", _D, _E),
        "log_bytes_per_second": _rate("bytes", _D, _R, _E),
        "open_requests": _amount("requests", _R, _E),
        "subscriptions": _amount("subscriptions", _R, _E),
        "fan_out": _amount("messages", _R, _E),
    }
)
"""By the names of the quotas, in the order in which they are shown."""


def _as_quota(value: float | Quota | Mapping[str, Any] | None) -> Quota | None:
    if value is None or isinstance(value, Quota):
        return value
    if isinstance(value, Mapping):
        unknown = [str(key) for key in value if key not in attrs.fields_dict(Quota)]
        if unknown or "limit" not in value:
            raise ValueError(
                "a quota is a number, or has limit, burst and at_limit, "
                f"not {shown(dict(value))}"
            )
        return Quota(**value)
    return Quota(value)


def _check(_: object, attribute: attrs.Attribute[Any], quota: Quota | None) -> None:
    if quota is None:
        return
    rule = QUOTA_RULES[attribute.name]
    if quota.burst is not None and not rule.is_rate:
        raise ValueError(f"{attribute.name} is not a rate, and has no burst")
    if quota.at_limit is not None and quota.at_limit not in rule.actions:
        can = " or ".join(f"'{action.value}'" for action in rule.actions)
        raise ValueError(
            f"{attribute.name} cannot {quota.at_limit.value} at its limit, only {can}"
        )


@final
@attrs.frozen(kw_only=True, cache_hash=True)
class Quotas:
    """How much may be used. What is not named here is `DEFAULT_QUOTAS` of a component.

    Of a Python actor or a supervisor, what is not named is not limited. Each is a number,
    a `Quota`, or `math.inf`.

    Raises:
        ValueError: A value is outside its range.
    """

    storage_bytes: Quota | None = attrs.field(
        default=None, converter=_as_quota, validator=_check
    )
    """Keys and values that are stored; kept over restarts."""
    messages_per_second: Quota | None = attrs.field(
        default=None, converter=_as_quota, validator=_check
    )
    """What is sent: each send, ask, request, each target of a broadcast, and each copy of
    what is published. By itself the sender is delayed; where it cannot wait (`tell`),
    it is refused."""
    network_bytes_per_second: Quota | None = attrs.field(
        default=None, converter=_as_quota, validator=_check
    )
    """Bytes that a guest sends and receives by sockets and HTTP, in both directions."""
    cpu_ms_per_second: Quota | None = attrs.field(
        default=None, converter=_as_quota, validator=_check
    )
    """Milliseconds that a guest computes, measured around each slice of it."""
    memory_bytes: Quota | None = attrs.field(
        default=None, converter=_as_quota, validator=_check
    )
    """Linear memory. What a guest may have at most counts from its start on."""
    host_calls_per_second: Quota | None = attrs.field(
        default=None, converter=_as_quota, validator=_check
    )
    """Calls of a guest to the host, except those that are answered on its own stack."""
    allocation_bytes_per_call: Quota | None = attrs.field(
        default=None, converter=_as_quota, validator=_check
    )
    """Bytes that one host call may make the host keep, as `Limits.host_call_bytes`."""
    allocation_bytes_per_second: Quota | None = attrs.field(
        default=None, converter=_as_quota, validator=_check
    )
    """Sum over the host calls of a guest."""
    log_bytes_per_second: Quota | None = attrs.field(
        default=None, converter=_as_quota, validator=_check
    )
    """Text that a guest logs. Where it is refused, the line is dropped."""
    open_requests: Quota | None = attrs.field(
        default=None, converter=_as_quota, validator=_check
    )
    """Requests whose callback was not taken yet."""
    subscriptions: Quota | None = attrs.field(
        default=None, converter=_as_quota, validator=_check
    )
    """Patterns that an actor has subscribed itself to."""
    fan_out: Quota | None = attrs.field(
        default=None, converter=_as_quota, validator=_check
    )
    """Subscribers that one publish, or targets that one broadcast, may have."""

    @classmethod
    def unlimited(cls) -> Quotas:
        """Return quotas that limit nothing, for code that is trusted, or measured."""
        return cls(**dict.fromkeys(QUOTA_RULES, Quota(math.inf)))

    @property
    def named(self) -> Mapping[str, Quota]:
        """Those that are limited here, by name."""
        return _named(self)


@lru_cache(maxsize=1024)
def _named(quotas: Quotas) -> Mapping[str, Quota]:
    return MappingProxyType(
        {
            name: quota
            for name in QUOTA_RULES
            if (quota := getattr(quotas, name)) is not None and quota.limit != math.inf
        }
    )


DEFAULT_QUOTAS: Final = Quotas(
    storage_bytes=100 * MIB,
    messages_per_second=Quota(1000, burst=10_000),
    network_bytes_per_second=10 * MIB,
    cpu_ms_per_second=1000,
    memory_bytes=256 * MIB,
    host_calls_per_second=Quota(100_000, burst=1_000_000),
    allocation_bytes_per_second=Quota(256 * MIB, burst=1024 * MIB),
    log_bytes_per_second=Quota(MIB, burst=16 * MIB),
    open_requests=1000,
    subscriptions=1000,
    fan_out=10_000,
)
"""What a component may use. Where its `Limits` are raised above the quotas of storage,
memory and open requests, and `quotas=` does not name them, they hold instead."""


_OF_LIMITS: Final = ("storage_bytes", "memory_bytes", "open_requests")
"""Quotas that bound the same as a limit of that name."""


@lru_cache(maxsize=1024)
def component_quotas(quotas: Quotas, limits: Limits) -> Quotas:
    """Return all quotas of a component: the default where none is named.

    A limit that was raised above a default is the quota, unless that is named.
    """
    missing: dict[str, Quota] = {}
    for name in QUOTA_RULES:
        default: Quota | None = getattr(DEFAULT_QUOTAS, name)
        if getattr(quotas, name) is None and default is not None:
            missing[name] = default
    for name in _OF_LIMITS:
        if name in missing:
            most: int = getattr(limits, name)
            missing[name] = Quota(max(missing[name].limit, most))
    return attrs.evolve(quotas, **missing)


@lru_cache(maxsize=1024)
def limits_within(limits: Limits, quotas: Quotas) -> Limits:
    """Return the limits of a guest, lowered to the quotas that are named."""
    of = dict.fromkeys(_OF_LIMITS) | {"host_call_bytes": "allocation_bytes_per_call"}
    lower: dict[str, Any] = {}
    for limit, name in of.items():
        quota: Quota | None = getattr(quotas, name or limit)
        if quota is not None and quota.limit < getattr(limits, limit):
            least = 1 if limit == "host_call_bytes" else 0
            lower[limit] = max(least, int(quota.limit))
    return attrs.evolve(limits, **lower) if lower else limits
