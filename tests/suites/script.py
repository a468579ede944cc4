"""Runs the directives of one .wast file on airssys."""

import re

import wasmtime
from wasmtime.component import Component as Compiled

from airssys.contracts import (
    Artifact,
    ComponentRefused,
    GuestSpent,
    GuestTrapped,
    Limits,
)
from airssys.wasm import load_any, load_concurrent
from airssys.wasm.host import SameAs, interfaces_of
from wasm_support import same

from . import wast

_PLENTY = Limits(
    memory_bytes=2**40, table_elements=2**32, host_call_bytes=2**27, execution_time=20
)
_DEFINED = re.compile(r"\(component\s+(definition\s+)?(\$[^\s()]+)?")
_INSTANCE = re.compile(r"\(component\s+instance\s+(\$[^\s()]+\s+)?(\$[^\s()]+)")
_QUOTED = re.compile(
    r"\(component\s+(?:definition\s+)?(?:\$[^\s()]+\s+)?(quote|binary)\b"
)
_NOT_OFFERED = re.compile(
    r"its (import|export) \S+ is a |does not provide|not supported|does not know"
    r"|resource that is defined by a component|unsupported features|cannot be counted"
    r"|it has "
)
_OUTDATED = "is no longer supported after WebAssembly/component-model"
"""wasmtime's parser of texts says so of what the suites still have."""


class Skipped(Exception):
    """What a directive needs is not offered; says what that is."""


class _Host:
    """What the suites of wasmtime import."""

    def __init__(self):
        self._drops, self._last = 0, 0

    def interfaces(self):
        methods = {
            "[constructor]resource1": lambda number: [number],
            "[static]resource1.assert": self._check,
            "[static]resource1.last-drop": lambda: self._last,
            "[static]resource1.drops": lambda: self._drops,
            "[method]resource1.simple": self._check,
            "[method]resource1.take-borrow": lambda *_: None,
            "[method]resource1.take-own": lambda *_: None,
            "return-three": lambda: 3,
            "return-hi": lambda: "hi",
        }
        functions = {f"host#{name}": act for name, act in methods.items()}
        functions |= {"host-return-two": lambda: 2, "host-echo-u32": lambda it: it}
        resources = {
            "host#resource1": self._note_drop,
            "host#resource2": None,
            "host#resource1-again": SameAs("host#resource1"),
        }
        return interfaces_of(functions, resources)

    def _note_drop(self, thing):
        self._drops, self._last = self._drops + 1, thing[0]

    def _check(self, thing, number):
        if thing != [number]:
            raise AssertionError(f"the resource is {thing}, not {number}")


class Script:
    """The state that the directives of a file share."""

    def __init__(self, loader, opened):
        self._loader = loader
        self._opened = opened
        """An exit stack for instances of asynchronous components."""
        self._is_concurrent = loader.runtime.settings.component_async
        self._definitions, self._instances = {}, {}
        self._current = None
        self.opened = []
        self.whole = {}
        """Why components were not taken apart, with how many."""
        self._every_feature = _engine_with_every_feature()

    async def run(self, form):
        """Run one directive.

        Raises:
            Skipped: it needs what is not offered.
            AssertionError: it came out otherwise than it should.
        """
        match form[1:].split(None, 1)[0].rstrip("()"):
            case "component":
                await self._component(form)
            case "invoke":
                await self._invoke(form)
            case "assert_return":
                await self._assert_return(*wast.parts(form))
            case "assert_trap" | "assert_exhaustion":
                await self._assert_trap(wast.parts(form)[0])
            case "assert_invalid" | "assert_malformed" | "assert_unlinkable" as word:
                await self._assert_refused(word, wast.parts(form)[0])
            case word:
                raise Skipped(f"the directive {word}")

    async def _component(self, form):
        instance = _INSTANCE.match(form)
        if instance:
            self._current = None
            made = await self._make(self._definition(instance.group(2)))
            self._current = self._instances[(instance.group(1) or "").strip()] = made
            return
        definition, name = _DEFINED.match(form).groups()
        for known in (self._definitions, self._instances):
            known.pop(name, None)
        self._current = None if not definition else self._current
        try:
            component = await self._load(form)
        except ComponentRefused as error:
            if "wasmtime refuses it" not in error.problem:
                raise
            raise Skipped(f"whatever is on: {_shortened(error.problem)}") from error
        self._definitions[name] = component
        if not definition:
            self._current = self._instances[name] = await self._make(component)

    def _definition(self, name):
        if name not in self._definitions:
            raise Skipped("a component that was skipped")
        return self._definitions[name]

    async def _make(self, component):
        if self._is_concurrent:
            opened = component.open(_PLENTY)
            return component, await self._opened.enter_async_context(opened)
        instance = await component.instantiate(_PLENTY)
        self.opened.append(instance)
        return component, instance

    async def _load(self, form):
        artifact, code = _artifact(form)
        try:
            load = load_concurrent if self._is_concurrent else load_any
            component = await load(self._loader, artifact, _Host().interfaces())
        except ComponentRefused as error:
            if "the canonical function" in error.problem or _OUTDATED in error.problem:
                raise Skipped(_shortened(error.problem)) from error
            if not self._is_valid(code):
                raise
            if _NOT_OFFERED.search(error.problem) or "refuses it" in error.problem:
                raise Skipped(_shortened(error.problem)) from error
            raise
        why = None if self._is_concurrent else component.code.why_whole
        if why is not None:
            why = _shortened(why)
            self.whole[why] = self.whole.get(why, 0) + 1
        return component

    def _is_valid(self, code):
        """Say whether a wasmtime that has everything on would take it."""
        try:
            Compiled(self._every_feature, code)
        except wasmtime.WasmtimeError:
            return False
        return True

    async def _invoke(self, form):
        _, *words = wast.read(form)
        made = self._current
        if isinstance(words[0], str):
            made = self._instances.get(words.pop(0))
        if made is None:
            raise Skipped("a component that was skipped")
        component, instance = made
        name, *given = words
        world = component if self._is_concurrent else component.world
        signature = world.exports[name.decode()]
        wits = [wit for _, wit in signature.params]
        values = [wast.value(*pair) for pair in zip(wits, given, strict=True)]
        return await instance.call(name.decode(), *values), signature.result

    async def _assert_return(self, call, wanted=None):
        found, wit = await self._invoke(call)
        expected = None if wanted is None else wast.value(wit, wast.read(wanted))
        if not same(found, expected):
            raise AssertionError(f"{found!r} was returned, not {expected!r}")

    async def _assert_trap(self, action):
        try:
            if action.startswith("(invoke"):
                await self._invoke(action)
            elif instance := _INSTANCE.match(action):
                await self._make(self._definition(instance.group(2)))
            else:
                await self._make(await self._load(action))
        except (GuestTrapped, GuestSpent):
            return
        raise AssertionError("it did not trap")

    async def _assert_refused(self, word, form):
        try:
            component = await self._load(form)
            if word == "assert_unlinkable":
                await self._make(component)
        except (ComponentRefused, GuestTrapped):
            return
        except Skipped as why:
            if word == "assert_unlinkable" and "does not provide" in str(why):
                return
            raise
        raise AssertionError("it was not refused")


def _artifact(form):
    """Make the artifact of a component, and what wasmtime compiles of it."""
    quoted = _QUOTED.match(form)
    if quoted is None:
        text = re.sub(r"^\(component\s+definition\b", "(component", form)
        return Artifact.from_text(text), text
    data = b"".join(part for part in wast.read(form) if isinstance(part, bytes))
    if quoted.group(1) == "binary":
        return Artifact.from_bytes(data, label="a binary"), data
    text = data.decode(errors="surrogateescape")
    if not text.lstrip().startswith("(component"):
        text = f"(component {text})"
    return Artifact.from_text(text), text


def _engine_with_every_feature():
    config = wasmtime.Config()
    for name in ("multi_memory", "memory64", "exceptions", "tail_call"):
        setattr(config, f"wasm_{name}", True)
    config.wasm_component_model = True
    setters = ("async", "more_async_builtins", "async_stackful", "error_context")
    for name in (*setters, "threading", "map"):
        word = f"wasmtime_config_wasm_component_model_{name}_set"
        switch = getattr(wasmtime._ffi, word, None)
        if switch is not None:
            switch(config.ptr(), True)
    return wasmtime.Engine(config)


def _shortened(problem):
    return re.sub(r"\S*[#$:/]\S*|\d+", "…", " ".join(problem.split()))[:110]
