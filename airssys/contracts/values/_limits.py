"""What a guest may use, and the settings of the engine that runs guests."""

from __future__ import annotations

import enum
import os
from collections.abc import Callable
from typing import Any, Final, Literal, TypeAlias, final

import attrs

from ._checking import is_number, shown

_Validator: TypeAlias = Callable[[object, "attrs.Attribute[Any]", Any], None]

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB


class UserCache(enum.Enum):
    """Where compiled components are kept by default."""

    DIRECTORY = "user-cache"
    """`airssys/compiled` in the user's cache directory."""


USER_CACHE: Final = UserCache.DIRECTORY
"""Keep compiled components in the user's own cache directory."""

HOST_STACK_BYTES: Final = 512 * KIB
"""The part of a fiber's stack that is reserved for host code."""


def _yes_or_no(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if type(value) is not bool:
        text = f"{attribute.name} must be True or False, not {shown(value)}"
        raise ValueError(text)


def _number(
    low: float, high: float, *, whole: bool, unit: str, optional: bool = False
) -> _Validator:
    def check(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if optional and value is None:
            return
        if is_number(value, low, high, whole=whole):
            return
        kind = "a whole number" if whole else "a number"
        raise ValueError(
            f"{attribute.name} must be {kind} from {low:g} to {high:g} {unit}, "
            f"not {shown(value)}"
        )

    return check


def _bytes(low: int, high: int) -> _Validator:
    return _number(low, high, whole=True, unit="bytes")


@final
@attrs.frozen(kw_only=True)
class Limits:
    """What one guest may use. A guest that exceeds it is stopped, or its write refused.

    Raises:
        ValueError: a value is not a number, or is outside its range.
    """

    memory_bytes: int = attrs.field(default=64 * MIB, validator=_bytes(0, 2**40))
    """Sum over all linear memories of the guest, in bytes; and separately, over what
    else an instance has at its start (globals, functions, segments) beyond 1 MiB."""
    table_elements: int = attrs.field(
        default=100_000,
        validator=_number(0, 2**32, whole=True, unit="elements"),
    )
    """Sum over all tables of the guest, in elements."""
    execution_time: float = attrs.field(
        default=30.0,
        validator=_number(0.001, 86_400, whole=False, unit="seconds"),
    )
    """Seconds that one call may take: its own slices and its host calls, without the
    time it waits for its turn."""
    fuel: int | None = attrs.field(
        default=None,
        validator=_number(1, 2**63, whole=True, unit="units", optional=True),
    )
    """Fuel for one call, refilled before each; about one unit per instruction.
    None: no limit."""
    host_call_bytes: int = attrs.field(default=MIB, validator=_bytes(1, 128 * MIB))
    """Bytes that one host call, or one answer, may make the host keep: strings and
    byte lists count their length, other values 32 bytes each."""
    state_bytes: int = attrs.field(default=MIB, validator=_bytes(0, 128 * MIB - KIB))
    """Bytes of state that the component may hand over to the code that replaces it."""
    snapshot_bytes: int = attrs.field(default=16 * MIB, validator=_bytes(0, 2**32))
    """Bytes of memory that may differ from a fresh instance's in a snapshot. One that
    would have more is refused, and the guest continues."""
    storage_bytes: int = attrs.field(default=100 * MIB, validator=_bytes(0, 2**40))
    """Sum over the keys and values that the component stores, in bytes."""
    storage_keys: int = attrs.field(
        default=100_000,
        validator=_number(0, 2**32, whole=True, unit="keys"),
    )
    """The number of keys that the component may store."""
    file_bytes: int = attrs.field(default=100 * MIB, validator=_bytes(0, 2**40))
    """Bytes by which the component may make files longer. What it makes shorter or
    deletes is given back."""
    files: int = attrs.field(
        default=10_000,
        validator=_number(0, 2**32, whole=True, unit="files"),
    )
    """The number of files, folders and links that the component may create. What it
    deletes is given back."""
    open_files: int = attrs.field(
        default=100, validator=_number(0, 10**4, whole=True, unit="files")
    )
    """The number of files and folders that may be open at once."""
    open_requests: int = attrs.field(
        default=1000, validator=_number(0, 10**6, whole=True, unit="requests")
    )
    """The number of requests whose callback the guest has not been given yet."""
    request_bytes: int = attrs.field(default=16 * MIB, validator=_bytes(0, 2**40))
    """Sum over the answers to its requests that the guest has not been given yet, in
    bytes. An answer without room becomes a dead letter, which the callback reports. A
    single answer always has room."""


@final
@attrs.frozen(kw_only=True)
class EngineSettings:
    """How guests are run; one engine serves all guests of a system.

    Raises:
        ValueError: a value is outside its range, or the stacks do not fit.
    """

    tick: float = attrs.field(
        default=0.005,
        validator=_number(0.001, 0.1, whole=False, unit="seconds"),
    )
    """Seconds that a busy guest may run before it yields."""
    guest_stack_bytes: int = attrs.field(
        default=512 * KIB,
        validator=_bytes(64 * KIB, 64 * MIB),
    )
    """Stack that a guest may use. All guests share one value, which is compiled in."""
    fiber_stack_bytes: int = attrs.field(
        default=2 * MIB,
        validator=_bytes(512 * KIB, 128 * MIB),
    )
    """Stack of the fiber that a call runs on: the guest's part and the host's."""
    worker_threads: int = attrs.field(
        factory=lambda: max(1, min(4, (os.cpu_count() or 2) - 1)),
        validator=_number(1, 64, whole=True, unit="threads"),
    )
    """Threads that poll guests whose slices would block the Trio thread. By default one
    less than the number of cores, and at most four: Trio's own thread needs one
    core."""
    thread_payload_bytes: int = attrs.field(
        default=32 * KIB,
        validator=_bytes(KIB, 2**31),
    )
    """Larger payloads are copied in and out by a worker thread."""
    component_bytes: int = attrs.field(default=64 * MIB, validator=_bytes(KIB, 2**31))
    """Size of a component's code, text or binary, above which it is refused."""
    component_functions: int = attrs.field(
        default=50_000, validator=_number(1, 10**6, whole=True, unit="functions")
    )
    """Functions in a component, in all its core modules, above which it is refused.
    100,000 of the smallest take 8 s and 660 MB to compile."""
    function_bytes: int = attrs.field(default=512 * KIB, validator=_bytes(KIB, 8 * MIB))
    """Size of one function above which its component is refused: time and memory for
    compiling grow faster than the size. The largest function of CPython has 417 KiB."""
    compile_time: float = attrs.field(
        default=300.0, validator=_number(0.001, 86_400, whole=False, unit="seconds")
    )
    """Seconds after which a component that is still being compiled is refused. Time
    spent waiting for other components to be compiled does not count."""
    lane: Literal["own", "wasmtime"] = attrs.field(
        default="own", validator=attrs.validators.in_(("own", "wasmtime"))
    )
    """How components are run. `"own"`: taken apart, as core modules between which
    airssys moves the values; those that it cannot take apart (components inside them
    call each other, or values that it does not know) by wasmtime's component API.
    `"wasmtime"`: all of them by that. The limits and the failures are the same."""
    component_async: bool = attrs.field(default=False, validator=_yes_or_no)
    """Whether `airssys.wasm.load_concurrent` may load components with asynchronous
    functions, streams and futures, as of WASI 0.3. This is not complete yet."""
    pooled_instances: int = attrs.field(
        default=0, validator=_number(0, 4096, whole=True, unit="instances")
    )
    """Instances for which memory is set aside when the engine starts, which makes and
    closes one in half the time; more than these cannot be there at once
    (`CapacityReached`). It takes about 14 GiB of address space each, and no memory until
    it is used. 0: each instance gets memory of its own."""
    cache_bytes: int = attrs.field(default=GIB, validator=_bytes(0, 2**50))
    """Size of the artifact cache; beyond it, entries not used recently are removed."""

    def __attrs_post_init__(self) -> None:
        if self.guest_stack_bytes + HOST_STACK_BYTES > self.fiber_stack_bytes:
            raise ValueError(
                f"fiber_stack_bytes ({self.fiber_stack_bytes}) must exceed "
                f"guest_stack_bytes ({self.guest_stack_bytes}) by {HOST_STACK_BYTES}: "
                "host functions run on the same stack"
            )
