"""All interfaces of WASI that components may import."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ._cli import CLI
from ._clocks_and_random import INSECURE, MONOTONIC_CLOCK, RANDOM, SEED, WALL_CLOCK
from ._io import ERROR, POLL, STREAMS
from .base import error_code
from .files import file_interfaces
from .http import HTTP
from .sockets import SOCKETS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airssys.wasm.host import HostInterface

WASI_INTERFACES: Final = (
    ERROR,
    POLL,
    STREAMS,
    WALL_CLOCK,
    MONOTONIC_CLOCK,
    RANDOM,
    INSECURE,
    SEED,
    *CLI,
    *file_interfaces(error_code("files")),
    *SOCKETS,
    *HTTP,
)
"""What a component that imports WASI 0.2 is given; none of it does anything by itself."""


def wasi_beside(
    given: Sequence[HostInterface], imported: Iterable[str]
) -> tuple[HostInterface, ...]:
    """What a component gets of WASI, beside what its program gives it.

    Args:
        given: What the program gives, which may be interfaces of WASI.
        imported: The names of interfaces that it imports.
    """
    offered = tuple(
        each
        for each in WASI_INTERFACES
        if not any(other.gives(each.name) for other in given)
    )
    wanted = any(each.gives(name) for name in imported for each in offered)
    return offered if wanted else ()
