"""Writes the module for a component: a class for each type, resource and interface."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, final

from airssys.wasm.values import Enum, Flags, Function, Record, Result, Variant, WitType

from ._names import class_name, function_name, member_name, short_name
from ._types import Types

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ._read import Described

_HEAD: Final = '''"""The component {label}, written by `airssys wit stubs`: changes are lost.

    async with open_runtime(EngineSettings()) as loader:
        with await start(loader, Artifact.at("FILE")) as component:
            ...

A function whose WIT result is a `result` returns what `ok` carries, and raises `Refused`
with what `err` carries.
"""

# ruff: noqa
from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple, Self

from airssys import Artifact, Limits
from airssys.wasm import (
    AnyInstance,
    Case,
    Err,
    GuestResource,
    HostInterface,
    Loader,
    Ok,
    Some,
    load_any,
)


class Refused(Exception):
    """A function returned the `err` of its result."""

    def __init__(self, function: str, value: Any) -> None:
        super().__init__(f"{{function}}: {{value!r}}")
        self.function, self.value = function, value
'''
_TAIL: Final = '''

async def start(
    loader: Loader,
    artifact: Artifact,
    host: Sequence[HostInterface] = (),
    limits: Limits | None = None,
) -> Component:
    """Load the component and make an instance of it; errors as for `load_any`."""
    loaded = await load_any(loader, artifact, host)
    return Component(await loaded.instantiate(limits))
'''
_MEMBER: Final = re.compile(r"\[(constructor|method|static)\]([^.]+)(?:\.(.+))?")


def module_for(described: Described) -> str:
    """Write the module for a component."""
    return _Writer(described).write()


@final
class _Writer:
    def __init__(self, described: Described) -> None:
        self._described = described
        self._taken = {"Component", "Refused"}
        self._named = self._name_types(described.types)
        self._resources = {
            full: self._fresh(_own_name(full)) for full in sorted(described.resources)
        }
        self._types = Types(self._named, self._resources)
        self._lines: list[str] = []

    def _name_types(self, types: Mapping[str, WitType]) -> dict[WitType, str]:
        named: dict[WitType, str] = {}
        for full, wit in types.items():
            if isinstance(wit, (Record, Enum, Flags, Variant)) and wit not in named:
                named[wit] = self._fresh(_own_name(full))
        return named

    def _fresh(self, name: str) -> str:
        made = class_name(name)
        while made in self._taken:
            made += "_"
        self._taken.add(made)
        return made

    def write(self) -> str:
        self._say(_HEAD.format(label=repr(self._described.label)[1:-1]))
        for wit, name in self._named.items():
            self._class_of(name, wit)
        functions = self._described.world.exports
        for full, name in self._resources.items():
            self._resource(full, name, functions)
        interfaces = {
            full.rpartition("#")[0]: None for full in functions if "#" in full
        }
        classes = {
            each: self._fresh(f"{short_name(each)}-interface") for each in interfaces
        }
        for interface, name in classes.items():
            self._interface(interface, name, functions)
        self._component(classes, functions)
        self._say(_TAIL.rstrip())
        return "\n".join(self._lines) + "\n"

    def _say(self, *lines: str, indent: int = 0) -> None:
        self._lines += [" " * indent + line if line else "" for line in lines]

    # -------------------------------------------------------- types

    def _class_of(self, name: str, wit: WitType) -> None:
        match wit:
            case Record(fields):
                self._record(name, fields)
            case Enum(names) | Flags(names):
                self._enumeration(name, names, is_flags=isinstance(wit, Flags))
            case Variant(cases):
                self._variant(name, cases)
            case _:
                raise ValueError(wit)

    def _record(self, name: str, fields: tuple[tuple[str, WitType], ...]) -> None:
        types, own = self._types, function_name(name)
        self._say("", "", f"class {name}(NamedTuple):", '    """A record."""', "")
        for field, wit in fields:
            hint = types.hint(wit, given=True)
            self._say(f"{function_name(field)}: {hint}", indent=4)
        lifted = [types.lift(f"raw[{n}]", wit) for n, (_, wit) in enumerate(fields)]
        self._define(f"_lift_{own}(raw: Any) -> {name}", f"{name}({', '.join(lifted)})")
        if any(types.is_lowered(wit) for _, wit in fields):
            parts = [types.lower(f"it[{n}]", wit) for n, (_, wit) in enumerate(fields)]
            self._define(f"_lower_{own}(it: {name}) -> Any", f"({', '.join(parts)},)")

    def _enumeration(
        self, name: str, names: tuple[str, ...], *, is_flags: bool
    ) -> None:
        own = function_name(name)
        members = f"{name}Flag" if is_flags else name
        what = "One of the flags." if is_flags else "An enum."
        self._say("", "", f"class {members}(StrEnum):", f'    """{what}"""', "")
        self._say(*(f"{member_name(each)} = {each!r}" for each in names), indent=4)
        if is_flags:
            self._say("", "", f"{name} = frozenset[{members}]")
            made = f"frozenset(map({members}, raw))"
        else:
            made = f"{name}(raw)"
        self._define(f"_lift_{own}(raw: Any) -> {name}", made)

    def _variant(
        self, name: str, cases: tuple[tuple[str, WitType | None], ...]
    ) -> None:
        types, own = self._types, function_name(name)
        classes = [f"{name}{class_name(case)}" for case, _ in cases]
        lifts, lowers = [], []
        for made, (case, wit) in zip(classes, cases, strict=True):
            what = f'    """The case {case} of {name}."""'
            self._say("", "", f"class {made}(NamedTuple):", what)
            if wit is None:
                lifts.append(f"if raw.name == {case!r}: return {made}()")
                lowers.append(f"if isinstance(it, {made}): return Case({case!r})")
                continue
            self._say("", f"    value: {types.hint(wit, given=True)}")
            value = types.lift("raw.value", wit)
            lifts.append(f"if raw.name == {case!r}: return {made}({value})")
            value = types.lower("it.value", wit)
            lowers.append(f"if isinstance(it, {made}): return Case({case!r}, {value})")
        self._say("", "", f"{name} = {' | '.join(classes)}")
        self._say("", "", f"def _lift_{own}(raw: Any) -> {name}:")
        self._say(*lifts, "raise ValueError(raw)", indent=4)
        self._say("", "", f"def _lower_{own}(it: {name}) -> Case:")
        self._say(*lowers, "raise TypeError(it)", indent=4)

    def _define(self, head: str, value: str) -> None:
        self._say("", "", f"def {head}:", f"    return {value}")

    # -------------------------------------------------------- functions

    def _resource(
        self, full: str, name: str, functions: Mapping[str, Function]
    ) -> None:
        where = full.rpartition("#")[0]
        what = f'    """A {_own_name(full)}; close it, or use it in `async with`."""'
        self._say("", "", f"class {name}:", what, "")
        self._say(
            "def __init__(self, resource: GuestResource) -> None:",
            "    self.resource = resource",
            "",
            "async def aclose(self) -> None:",
            '    """Run the destructor; see `GuestResource.aclose`."""',
            "    await self.resource.aclose()",
            "",
            "async def __aenter__(self) -> Self:",
            "    return self",
            "",
            "async def __aexit__(self, *_: object) -> None:",
            "    await self.aclose()",
            indent=4,
        )
        for own, signature in _members(where, functions):
            kind, resource, method = _parted(own)
            if kind == "method" and resource == _own_name(full):
                call = f"self.resource.call({method!r}"
                less = Function(signature.params[1:], signature.result)
                self._function(method, own, less, call)

    def _interface(
        self, interface: str, name: str, functions: Mapping[str, Function]
    ) -> None:
        self._say("", "", f"class {name}:", f'    """{interface}"""', "")
        self._say("def __init__(self, instance: AnyInstance) -> None:", indent=4)
        self._say("self._instance = instance", indent=8)
        self._free_functions(interface, functions, "self._instance")

    def _component(
        self, classes: Mapping[str, str], functions: Mapping[str, Function]
    ) -> None:
        self._say("", "", "class Component:", '    """An instance of it."""', "")
        self._say("def __init__(self, instance: AnyInstance) -> None:", indent=4)
        self._say("self.instance = instance", indent=8)
        for interface, name in classes.items():
            attribute = function_name(short_name(interface))
            self._say(f"self.{attribute} = {name}(instance)", indent=8)
        self._say(
            "",
            "def close(self) -> None:",
            '    """Release everything at once, even during a call."""',
            "    self.instance.close()",
            "",
            "def __enter__(self) -> Self:",
            "    return self",
            "",
            "def __exit__(self, *_: object) -> None:",
            "    self.close()",
            indent=4,
        )
        self._free_functions("", functions, "self.instance")

    def _free_functions(
        self, interface: str, functions: Mapping[str, Function], instance: str
    ) -> None:
        for own, signature in _members(interface, functions):
            kind, resource, method = _parted(own)
            if kind == "method" and self._full(interface, resource) in self._resources:
                continue
            full = self._full(interface, own)
            words = {"constructor": f"new-{resource}"}.get(
                kind, f"{resource}-{method}" if resource else method
            )
            self._function(words, own, signature, f"{instance}.call({full!r}")

    def _full(self, interface: str, name: str) -> str:
        return f"{interface}#{name}" if interface else name

    def _function(self, name: str, own: str, signature: Function, call: str) -> None:
        types = self._types
        params = [(function_name(n), wit) for n, wit in signature.params]
        hints = [f"{n}: {types.hint(wit, given=True)}" for n, wit in params]
        values = [call, *(types.lower(n, wit) for n, wit in params)]
        result = signature.result
        is_result = isinstance(result, Result)
        returned = result.ok if isinstance(result, Result) else result
        hint = "None" if returned is None else types.hint(returned, given=False)
        head = ", ".join(["self", *hints])
        self._say("", f"async def {function_name(name)}({head}) -> {hint}:", indent=4)
        self._say(f'"""WIT: `{own}`."""', indent=8)
        self._say(f"found: Any = await {', '.join(values)})", indent=8)
        if isinstance(result, Result):
            error = (
                "None" if result.err is None else types.lift("found.value", result.err)
            )
            self._say("if isinstance(found, Err):", indent=8)
            self._say(f"raise Refused({own!r}, {error})", indent=12)
        if returned is not None:
            value = "found.value" if is_result else "found"
            self._say(f"made: {hint} = {types.lift(value, returned)}", indent=8)
            self._say("return made", indent=8)


def _members(
    interface: str, functions: Mapping[str, Function]
) -> Iterator[tuple[str, Function]]:
    for full, signature in functions.items():
        where, _, own = full.rpartition("#")
        if where == interface:
            yield own, signature


def _parted(own: str) -> tuple[str, str, str]:
    """Part `[method]cart.add` into kind, resource and name."""
    match = _MEMBER.fullmatch(own)
    if match is None:
        return "", "", own
    return match.group(1), match.group(2), match.group(3) or ""


def _own_name(full: str) -> str:
    return full.rpartition("#")[2]
