"""The same guests through wasmtime-py's own component API, the way of its manual."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, final

import wasmtime
from wasmtime import component

from airssys.wasm import IMPORTS, full_name
from measuring.guests import guest_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airssys.contracts import ComponentId, Envelope

_PLENTY: Final = 2**62


def _stub(*_: object) -> None:
    raise NotImplementedError


def _stock_linker(engine: wasmtime.Engine) -> component.Linker:
    linker = component.Linker(engine)
    with linker.root() as root:
        for interface, functions in IMPORTS.items():
            with root.add_instance(full_name(interface)) as instance:
                for name in functions:
                    instance.add_func(name, _stub)
    return linker


def _record(**fields: object) -> component.Record:
    made = component.Record()
    for name, value in fields.items():
        setattr(made, name.replace("_", "-"), value)
    return made


def _stock_id(identity: ComponentId) -> component.Record:
    return _record(
        namespace=identity.namespace, name=identity.name, instance=identity.instance
    )


def stock_message(envelope: Envelope) -> component.Record:
    """Make the record that `handle-message` takes, with every field set."""
    seconds, nanoseconds = divmod(envelope.sent_at_ns, 10**9)
    assert envelope.reply_to is not None
    metadata = _record(
        correlation_id=envelope.correlation_id,
        reply_to=_stock_id(envelope.reply_to),
        timestamp=_record(seconds=seconds, nanoseconds=nanoseconds),
        content_type=envelope.content_type,
    )
    return _record(
        sender=_stock_id(envelope.sender), payload=envelope.payload, metadata=metadata
    )


@final
class StockGuest:
    """A fixture on an engine of its own, with host functions that are never called.

    Args:
        name: of the fixture.
        config: of the engine.
        metered: the engine counts fuel and epochs; the guest gets plenty of both.
    """

    def __init__(
        self, name: str, config: wasmtime.Config, *, metered: bool = False
    ) -> None:
        engine = wasmtime.Engine(config)
        self._store = store = wasmtime.Store(engine)
        if metered:
            _metered(store)
        code = component.Component(engine, guest_file(name).read_text())
        instance = _stock_linker(engine).instantiate(store, code)
        lifecycle = instance.get_export_index(store, full_name("component-lifecycle"))
        index = instance.get_export_index(store, "handle-message", lifecycle)
        assert index is not None
        function = instance.get_func(store, index)
        assert function is not None
        self._handle = function

    def handle_message(self, sent: component.Record) -> object:
        """Call the guest, on this thread, until it returns."""
        answer: object = self._handle(self._store, sent)
        return answer


def stock_function(
    path: Path, name: str, config: wasmtime.Config
) -> Callable[..., object]:
    """Instantiate a component without imports, metered, and find a function of it."""
    engine = wasmtime.Engine(config)
    store = _metered(wasmtime.Store(engine))
    code = component.Component(engine, path.read_text())
    instance = component.Linker(engine).instantiate(store, code)
    function = instance.get_func(store, name)
    assert function is not None
    return partial(function, store)


def _metered(store: wasmtime.Store) -> wasmtime.Store:
    store.set_fuel(_PLENTY)
    store.set_epoch_deadline(_PLENTY)
    return store
