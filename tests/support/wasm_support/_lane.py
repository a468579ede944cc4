"""Components run as core modules, polled by hand; epochs pass when a test says so."""

import threading

from wasmtime import wat2wasm

from airssys.contracts import EngineSettings
from airssys.testing import ManualTicks
from airssys.wasm.engine import Engine
from airssys.wasm.lane.components import make_plan, parse
from airssys.wasm.lane.core import (
    CoreCode,
    CoreHost,
    CoreInstance,
    compile_modules,
    link,
)

LANE_ENGINE = Engine(EngineSettings(), ManualTicks())


class Lane:
    """A component, and what the host gives to it."""

    def __init__(self, text, instant=None):
        plan = make_plan(parse(bytes(wat2wasm(text))))
        linking = link(plan)
        modules = compile_modules(LANE_ENGINE.wasmtime, linking.steps)
        host = CoreHost(instant or {})
        self.code = CoreCode(LANE_ENGINE, plan, linking, modules, host)
        self.started = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        while self.started:
            self.started.pop().close()
        self.code.close()

    def start(self):
        instance = CoreInstance(self.code, "the context")
        for poll in instance.start():
            while not poll():
                pass
        self.started.append(instance)
        return instance


def call(instance, name, *values, answer=None):
    instance.call(name, values)
    while not instance.poll():
        if instance.asked is not None:
            instance.answer(answer(*instance.arguments(2**30)[0]))
    return instance.result()


def polls(poll, most=5):
    """Poll what never ends, while epochs pass; returns how often it gave way."""
    over = threading.Event()

    def tick():
        while not over.wait(0.001):
            LANE_ENGINE.ticker.tick()

    ticker = threading.Thread(target=tick)
    ticker.start()
    try:
        return sum(not poll() for _ in range(most))
    finally:
        over.set()
        ticker.join()
