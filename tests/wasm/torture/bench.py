"""What the torture scripts share: guests brought to a known point, by hand or in Trio.

The scripts run in processes of their own, because what goes wrong here ends a process.
"""

import contextlib
import functools
import gc
import os
import sys
import warnings
from pathlib import Path

import trio
from wasmtime.component import Component as Compiled

from airssys.contracts import (
    Artifact,
    ComponentConfig,
    ComponentId,
    EngineSettings,
    Envelope,
    Limits,
    Timestamp,
)
from airssys.wasm.cache._artifact_cache import Kept, KeptParts
from airssys.wasm.engine._fiber import CallbackFailed, WasmtimeFailed
from airssys.wasm.fallback._call import Call
from airssys.wasm.fallback._store import Store
from airssys.wasm.host._core_values import config_value, message_value
from airssys.wasm.host._core_world import EXPORTS
from airssys.wasm.instances import _runtime, _whole
from airssys.wasm.instances._runtime import Runtime
from airssys.wasm.lane.core import CoreParts
from airssys.wasm.lane.core._instance import CoreInstance
from airssys.wasm.loading._component_loader import Loader, _Ready
from airssys.wasm.values._types import Budget, Ok

GUESTS = Path(__file__).resolve().parents[2] / "guests"
sys.path.append(str(GUESTS))  # for the builders of guests
NUMBERS = {name: number for number, name in enumerate(EXPORTS)}
MOST = 10**8
TARGET = b"test/bob/0"

LANE = os.environ.get("AIRSSYS_TORTURE_LANE", EngineSettings().lane)
"""On which guests are run, in Trio and by hand."""
EngineSettings.__init__.__kwdefaults__["lane"] = LANE

# Hundreds of engines are made here; what does not belong to one is made only once.
_runtime.bind_all = functools.cache(_runtime.bind_all)
_whole.Marshaller = functools.cache(_whole.Marshaller)
_serialized = {}


def say(*words):
    """Tell what is tried next at once, so that a crash shows which it was."""
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


def what_is_raised_by(function, *arguments):
    try:
        function(*arguments)
    except BaseException as error:  # noqa: BLE001  # that is the point
        return error
    return None


def run_scenarios(scenarios):
    """Run those named on the command line, or all."""
    wanted = sys.argv[1:] or list(scenarios)
    for name in wanted:
        say(name)
        scenarios[name]()
    say("survived")


def source(name):
    return Artifact.at(GUESTS / f"{name}.wat")


def envelope(payload=b"", deadline=None):
    sender, target = ComponentId.parse("a"), ComponentId.parse("b")
    return Envelope(sender, target, payload, deadline=deadline)


class Services:
    """Answers what the guests of this package ask for."""

    def __init__(self, asked=None):
        self.asked = asked or (lambda: None)
        """Called in each host function, in the middle of the guest's call."""

    @property
    def messages(self):
        return self

    topics = clock = directory = messages

    @property
    def self_id(self):
        self.asked()
        return ComponentId.parse("me")

    def log(self, *_):
        self.asked()

    async def sleep(self, seconds):
        self.asked()
        await trio.sleep(seconds)

    def current_time(self):
        self.asked()
        return Timestamp(1, 2)

    def list_components(self):
        self.asked()
        return [ComponentId.parse("me")]

    async def send(self, target, payload):
        self.asked()
        await trio.lowlevel.checkpoint()

    def send_at_once(self, target, payload):
        return False

    async def ask(self, target, payload, timeout):
        self.asked()
        await trio.lowlevel.checkpoint()
        return payload

    async def broadcast(self, targets, payload):
        self.asked()
        await trio.lowlevel.checkpoint()

    async def publish(self, topic, payload):
        self.asked()
        await trio.lowlevel.checkpoint()

    def request(self, target, payload, timeout):
        self.asked()
        return "request-1"


async def make(loader, name, config=None, services=None, **limits):
    """Make an initialized guest."""
    component = await loader.load(source(name))
    guest = await component.instantiate(Limits(**limits), services or Services())
    await guest.initialize(ComponentConfig(data=config))
    return guest


class Bench:
    """One engine whose guests are driven by hand, without Trio."""

    def __init__(self, tick=0.001):
        self.runtime = Runtime(EngineSettings(tick=tick))
        if LANE != "own":
            self.runtime = _whole.run_whole(self.runtime)
        self.engine = self.runtime.engine
        self.loader = Loader(self.runtime, None)
        self.loader._whole = self.runtime
        self.owner = object()

    def component(self, name):
        artifact = source(name)
        if name not in _serialized:
            kept = self.compile(artifact).kept
            form = kept.parts if LANE == "own" else kept.compiled
            _serialized[name] = bytes(form.serialize()), kept.footprint
        code, footprint = _serialized[name]
        if LANE == "own":
            kept = KeptParts(
                CoreParts.deserialize(self.engine.wasmtime, code), footprint
            )
        else:
            kept = Kept(Compiled.deserialize(self.engine.wasmtime, code), footprint)
        return self.loader._adopt(artifact, _Ready(kept, None))

    def compile(self, artifact):
        """Compile in this thread."""
        return self.loader._compile(artifact, self.loader._find(artifact))

    def new_store(self, component):
        if LANE == "own":
            nobody = self.runtime.table.no_contexts()
            return component.code.core.open_store(nobody.objects, MOST)
        return Store(self.engine)

    def begin_instance(self, component):
        """Begin to make an instance of a component in a store of its own."""
        code, store = component.code, self.new_store(component)
        found = code.footprint
        store.limit(1 << 30, 1 << 20, len(found.memories), len(found.tables))
        call = store.instantiate(self.runtime.linker, code.pointer, owner=self.owner)
        return store, call

    def store(self, component, config=None):
        """Make an initialized guest."""
        store, call = self.begin_instance(component)
        self.drive(call)
        call.close()
        store.number_functions(component.code.exports.values())
        value = config_value(ComponentConfig(data=config))
        call = self.call(store, "initialize", value)
        self.drive(call)
        call.close()
        return store

    def call(self, store, name, *values):
        marshaller = self.runtime.marshallers[name]
        frame = store.lower(NUMBERS[name], marshaller, values, MOST)
        return store.call(NUMBERS[name], marshaller, frame, owner=self.owner)

    def message(self, store, payload=b""):
        return self.call(store, "handle-message", message_value(envelope(payload)))

    def short_message(self, store, payload=b""):
        marshaller = self.runtime.marshallers["handle-message"]
        number, budget = NUMBERS["handle-message"], Budget(MOST)
        values = (message_value(envelope(payload)),)
        frame = store.lower(number, marshaller, values, MOST)
        return store.call_and_poll(number, marshaller, frame, budget, owner=self.owner)

    def drive(self, call):
        """Poll to the end, answering host calls with nothing."""
        while not call.poll(self.owner):
            if call.host_call is not None:
                self.take_arguments(call)
                self.answer(call)

    def poll_until(self, call, reached):
        while not reached(call):
            assert not call.poll(self.owner), "the guest finished before"

    def host_marshaller(self, call):
        if call.host_call is None:
            return None  # what asks for it is refused
        return self.runtime.table.functions[call.host_call.function].marshaller

    def take_arguments(self, call):
        return call.take_arguments(self.host_marshaller(call), Budget(MOST))

    def answer(self, call, value=None):
        call.answer(self.owner, self.host_marshaller(call), value)

    def take_result(self, call, name="handle-message"):
        return call.take_result(self.runtime.marshallers[name], Budget(MOST))


@contextlib.contextmanager
def acting_at_host_calls(act):
    """Act whenever a host call was noted, on the guest's stack."""
    owner, name = (CoreInstance, "ask") if LANE == "own" else (Call, "note")
    original = getattr(owner, name)

    def note(*arguments):
        original(*arguments)
        act()

    setattr(owner, name, note)
    try:
        yield
    finally:
        setattr(owner, name, original)


def is_waiting(call):
    return call.host_call is not None


class Handles:
    """Everything that a user can hold on to, at one suspension point."""

    def __init__(self, bench, component, store, call):
        self.engine = bench.engine
        self.runtime = bench.runtime
        self.loader = bench.loader
        self.component = component
        self.store = store
        self.call = call


def at_instantiation(bench):
    component = bench.component("echo")
    return Handles(bench, component, *bench.begin_instance(component))


def in_instantiation(bench):
    component = bench.component("loop-start")
    store, call = bench.begin_instance(component)
    assert not call.poll(bench.owner)
    return Handles(bench, component, store, call)


def _message(bench, name, payload=b"", config=None):
    component = bench.component(name)
    store = bench.store(component, config)
    return Handles(bench, component, store, bench.message(store, payload))


def before_first_poll(bench):
    return _message(bench, "echo", b"hello")


def after_a_slice(bench):
    handles = _message(bench, "loop")
    assert not handles.call.poll(bench.owner)
    return handles


def in_a_host_call(bench):
    handles = _message(bench, "asker", b"question", config=TARGET)
    bench.poll_until(handles.call, is_waiting)
    return handles


def in_a_host_call_with_arguments_taken(bench):
    handles = in_a_host_call(bench)
    bench.take_arguments(handles.call)
    return handles


def in_a_host_call_answered(bench):
    handles = in_a_host_call_with_arguments_taken(bench)
    bench.answer(handles.call, Ok(b"answer"))
    return handles


def finished(bench):
    handles = _message(bench, "echo", b"hello")
    bench.drive(handles.call)
    return handles


def finished_with_result_taken(bench):
    handles = finished(bench)
    assert bench.take_result(handles.call) == Ok(b"hello")
    return handles


def trapped(bench):
    handles = _message(bench, "trap-unreachable")
    with contextlib.suppress(WasmtimeFailed):
        bench.drive(handles.call)
        raise AssertionError("it did not trap")
    return handles


def failed_in_a_callback(bench):
    handles = _message(bench, "asker", b"question", config=TARGET)

    def fail():
        raise ValueError("in a callback")

    with acting_at_host_calls(fail), contextlib.suppress(CallbackFailed):
        bench.poll_until(handles.call, is_waiting)
        raise AssertionError("it did not fail")
    return handles


def call_closed(bench):
    handles = in_a_host_call(bench)
    handles.call.close()
    return handles


def store_closed(bench):
    handles = in_a_host_call(bench)
    handles.store.close()
    return handles


def engine_closed(bench):
    handles = in_a_host_call(bench)
    handles.engine.close()
    return handles


SUSPENSION_POINTS = {
    make_point.__name__: make_point
    for make_point in (
        at_instantiation,
        in_instantiation,
        before_first_poll,
        after_a_slice,
        in_a_host_call,
        in_a_host_call_with_arguments_taken,
        in_a_host_call_answered,
        finished,
        finished_with_result_taken,
        trapped,
        failed_in_a_callback,
        call_closed,
        store_closed,
        engine_closed,
    )
}


@contextlib.contextmanager
def resource_warnings():
    """Collect the ResourceWarnings of a block, finalisers included."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught
        gc.collect()
    others = [each for each in caught if each.category is not ResourceWarning]
    assert not others, [str(each.message) for each in others]
