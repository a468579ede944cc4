"""Tells wasmtime about the host functions of a table."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Protocol

from airssys.wasm import _c_api as c
from airssys.wasm.values import Block, error_text

from ._callbacks import callbacks_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airssys.wasm.engine import Engine, HostResources


class Named(Protocol):
    """A host function, by its place in a component."""

    @property
    def interface(self) -> str:
        """That it stands in, "" for none."""
        ...

    @property
    def name(self) -> str:
        """Its name there."""
        ...


class Imports(Protocol):
    """What a component may import (`HostTable`)."""

    @property
    def functions(self) -> Sequence[Named]:
        """The place of each is its number."""
        ...

    @property
    def resources(self) -> HostResources:
        """The kinds of resources."""
        ...

    @property
    def resource_names(self) -> Mapping[str, str]:
        """By the names under which they are imported: the first name of the same one."""
        ...


def make_linker(engine: Engine, table: Imports) -> int:
    """Make a linker that defines every function and resource of a table.

    The linker belongs to the engine's ledger. A component may import any part of it.
    """
    names = enumerate(table.functions)
    return _link(
        engine,
        [(each.interface, each.name, number) for number, each in names],
        [
            (*name.rpartition("#")[::2], table.resources.number_of(first))
            for name, first in table.resource_names.items()
        ],
    )


def _link(
    engine: Engine,
    functions: Iterable[tuple[str, str, int]],
    resources: Iterable[tuple[str, str, int]],
) -> int:
    """Make a linker of functions and resources: interface, name and number of each.

    What stands in no interface has "" for one.
    """
    engine.check()
    linker: int = c.linker_new(engine.pointer)
    engine.ledger.linkers.add(linker)
    members = [(where, name, n, _add_resource) for where, name, n in resources]
    members += [(where, name, n, _add_function) for where, name, n in functions]
    members.sort(key=lambda member: member[0])
    root = c.linker_root(linker)
    try:
        for interface, inside in groupby(members, lambda member: member[0]):
            instance = _add_instance(root, interface.encode()) if interface else root
            try:
                for _, name, number, add in inside:
                    add(engine, instance, name.encode(), number)
            finally:
                if instance != root:
                    c.linker_instance_delete(instance)
    finally:
        c.linker_instance_delete(root)
    return linker


def _add_instance(root: int, name: bytes) -> int:
    out = Block(8)
    _check(c.linker_instance_add_instance(root, name, len(name), out.base))
    return int.from_bytes(out.data, "little")


def _add_function(engine: Engine, instance: int, name: bytes, number: int) -> None:
    callback = callbacks_of(engine).host_call
    _check(
        c.linker_instance_add_func_async(
            instance, name, len(name), callback, number, None
        )
    )


def _add_resource(engine: Engine, instance: int, name: bytes, number: int) -> None:
    kind = c.resource_type_new_host(number)
    drop = callbacks_of(engine).drop
    try:
        _check(
            c.linker_instance_add_resource(
                instance, name, len(name), kind, drop, None, None
            )
        )
    finally:
        c.resource_type_delete(kind)


def _check(error: int | None) -> None:
    if error:
        raise RuntimeError(f"wasmtime refused a host function: {error_text(error)}")
