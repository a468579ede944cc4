"""What is built into Python guests, tried in the host with bindings that are not real."""

import abc
import importlib.util
import sys
import types
from abc import abstractmethod
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import given, strategies as st

import airssys.building

SOURCES = Path(airssys.building.__file__).with_name("guest")


class Refusal(Exception):
    def __init__(self, value):
        self.value = value


def error(name):
    return type(
        name, (), {"__init__": lambda self, value="": vars(self).update(value=value)}
    )


@pytest.fixture(scope="module")
def guest_side():
    """The module, imported beside stand-ins for the bindings; it changes nothing."""
    kinds = ["ComponentError_InitializationFailed", "ComponentError_ShutdownFailed"]
    kinds += ["WasmError_RuntimeError", "WasmError_Timeout"]
    kinds += ["ComponentError_InvalidState"]
    errors = {name: error(name) for name in kinds}
    errors["ComponentError"] = errors[kinds[0]] | errors[kinds[1]]
    errors["WasmError"] = errors[kinds[2]] | errors[kinds[3]]
    level = types.SimpleNamespace(INFO="info", WARN="warn", ERROR="error")
    stand_ins = {
        "componentize_py_types": {"Err": Refusal},
        "wit_world": {},
        "wit_world.exports": {},
        "wit_world.exports.component_lifecycle": {"ComponentMetadata": dict},
        "wit_world.imports": {
            "errors": types.SimpleNamespace(**errors),
            "host_services": types.SimpleNamespace(),
        },
        "wit_world.imports.types": {"HealthStatus": str, "LogLevel": level},
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, members in stand_ins.items():
            module = types.ModuleType(name)
            vars(module).update(members)
            patch.setitem(sys.modules, name, module)
        for name in ("airssys_outside", "airssys_guest"):
            path = SOURCES / f"{name}.py"
            spec = importlib.util.spec_from_file_location(name, path)
            module = importlib.util.module_from_spec(spec)
            patch.setitem(sys.modules, name, module)
            spec.loader.exec_module(module)
        yield module


def module_with(bases=(), **functions):
    module = types.ModuleType("greeter")
    module.__file__ = "/1/greeter.py"
    module.ComponentLifecycle = types.new_class(
        "ComponentLifecycle", bases, exec_body=lambda names: names.update(functions)
    )
    return module


def nothing(self, *_):
    return None


ALL = dict.fromkeys(
    [
        "initialize",
        "handle_message",
        "handle_callback",
        "metadata",
        "health",
        "shutdown",
    ],
    nothing,
)


def test_a_module_without_the_class_is_refused(guest_side):
    with pytest.raises(TypeError, match="greeter has no class ComponentLifecycle"):
        guest_side.wrap(types.ModuleType("greeter"))


@given(st.sets(st.sampled_from(sorted(ALL))))
def test_only_handling_messages_must_be_defined(guest_side, lacking):
    module = module_with(**{n: f for n, f in ALL.items() if n not in lacking})
    if "handle_message" in lacking:
        with pytest.raises(TypeError, match=r"does not define handle_message$"):
            guest_side.wrap(module)
    else:
        guest_side.wrap(module)


class Bindings(Protocol):
    """As componentize-py generates the class that the page has guests derive from."""


for _name in ALL:
    setattr(Bindings, _name, abstractmethod(lambda self, *_: 1 / 0))
abc.update_abstractmethods(Bindings)


@pytest.mark.parametrize("bases", [(), (Bindings,)], ids=["alone", "of the bindings"])
def test_what_is_not_defined_has_a_default(guest_side, monkeypatch, bases):
    # Both change the process that they run in: a guest's, not that of the tests.
    monkeypatch.setattr(guest_side, "begin_running", lambda: None)
    monkeypatch.setattr(guest_side, "end_lines", lambda: None)

    def handle_message(self, message):
        return message

    module = module_with(bases, handle_message=handle_message)
    made = guest_side.wrap(module)()
    assert made.initialize(None) is made.handle_callback(None) is None
    assert made.handle_message(b"x") == b"x"
    assert made.shutdown() is None


def test_state_is_handed_over_by_both_functions_or_none(guest_side, monkeypatch):
    monkeypatch.setattr(guest_side, "begin_running", lambda: None)
    monkeypatch.setattr(guest_side, "end_lines", lambda: None)

    def import_state(self, state):
        self.state = state

    def export_state(self):
        return bytearray(self.state)

    guest_side.wrap(module_with(**ALL, import_state=import_state))
    with pytest.raises(TypeError, match="does not define export_state"):
        guest_side.wrap_state()
    both = {"import_state": import_state, "export_state": export_state}
    lifecycle = guest_side.wrap(module_with(**ALL, **both))()
    made = guest_side.wrap_state()()
    made.import_state(b"kept")
    assert made.export_state() == b"kept"
    assert lifecycle.initialize(None) is None

    made.import_state([300])
    with pytest.raises(Refusal) as refusal:
        made.export_state()
    assert type(refusal.value.value).__name__ == "ComponentError_InvalidState"
    assert refusal.value.value.value.startswith("ValueError")

    async def waits(self):
        pass

    guest_side.wrap(module_with(**ALL, **both | {"export_state": waits}))
    with pytest.raises(TypeError, match="export_state must not be async"):
        guest_side.wrap_state()


def test_async_functions_are_refused(guest_side):
    async def waits(self, message):
        pass

    with pytest.raises(TypeError, match="handle_message must not be async"):
        guest_side.wrap(module_with(**ALL | {"handle_message": waits}))


@given(st.text(st.characters(), max_size=200), st.integers(1, 300))
def test_any_text_can_be_sent_and_is_not_too_long(guest_side, text, often):
    sent = guest_side.sayable(text * often)
    assert sent.encode("utf-8").decode() == sent
    assert len(sent) <= guest_side.sayable.__globals__["LONGEST"] + 50
    if "left out" not in sent:
        assert sent == (text * often).encode("utf-8", "backslashreplace").decode()
