"""Turns the description of a guest into the text of a component."""

import re
from collections.abc import Mapping
from textwrap import dedent, indent
from typing import Final

import attrs

from wat_guests.library import (
    IMPORTED_FROM_MEMORY,
    METADATA,
    METADATA_TEXTS,
    TEXTS,
    TRACE,
    allocator,
    names_in,
    needed,
)
from wat_guests.world import (
    HOST_FUNCTIONS,
    INTERFACES,
    LIFECYCLE,
    METADATA_TYPE,
    STATE_HANDOVER,
    TYPES,
    VERSION,
    LifecycleFunction,
    WorldFunction,
    interface_id,
)

INDENT: Final = "  "


@attrs.frozen(kw_only=True)
class Guest:
    """A component that implements the lifecycle, and where it differs from an echo.

    Code may name the functions of `library` and, as `$interface.function`, those of the
    world; what it names is included and imported. `(text "...")` stands for the address
    and the size of that text.
    """

    name: str
    does: str
    """One sentence, for the first line of the file."""
    exports: Mapping[str, str] = {}
    """Bodies of lifecycle functions."""
    fields: str = ""
    """More fields of the core module that has the lifecycle functions."""
    memory: str = allocator()
    """The fields of the core module that owns the memory."""
    before: str = ""
    """Fields of the component that come before that core module."""
    instances: tuple[str, ...] = ()
    """Core instances in `before` that the core module imports, under their names."""
    types: Mapping[str, str] = {}
    """Component types of lifecycle functions that break the contract."""
    core_types: Mapping[str, str] = {}
    """The core types to go with them."""
    without: frozenset[str] = frozenset()
    """Lifecycle functions that are not exported."""
    version: str = VERSION
    """The version of the interface that is exported."""
    imports: str = ""
    """More imports of the component."""
    state: Mapping[str, str] | None = None
    """Bodies of the functions that hand state over; None: it exports none of them."""
    without_state: frozenset[str] = frozenset()
    """Those of them that are not exported."""
    stateful: bool = False
    """What the guest says of itself in its metadata."""

    def wat(self) -> str:
        """Return the text of the component."""
        code, texts = _place_texts(self._code())
        calls = _called(code)
        fields = [
            TYPES,
            *_interface_imports(calls),
            self.imports,
            core_module("memory", self.memory),
            *map(_lowered, calls),
            dedent(self.before),
            core_module("main", self._main(code, texts, calls)),
            self._instantiate_main(calls),
            METADATA_TYPE,
            *self._lifts(),
            self._export(),
        ]
        body = indent("".join(fields), INDENT)
        return f";; {self.name}: {self.does}\n(component\n{body})\n"

    def _code(self) -> str:
        bodies = {**self.exports, **(self.state or {})}
        code = dedent(self.fields) + "".join(
            _core_export(
                name,
                self.core_types.get(name, function.core_type),
                bodies.get(name, function.body),
            )
            for name, function in self._functions().items()
        )
        return "".join(field + "\n" for field in needed(code)) + code

    def _functions(self) -> dict[str, LifecycleFunction]:
        """All that it exports, in whichever interface."""
        return LIFECYCLE if self.state is None else LIFECYCLE | STATE_HANDOVER

    def _main(self, code: str, texts: str, calls: list[WorldFunction]) -> str:
        imports = ['(import "memory" "memory" (memory 1))']
        defined = set(re.findall(r"^\(func (\$\S+)", code, re.MULTILINE))
        used = names_in(code) - defined
        imports += [text for name, text in IMPORTED_FROM_MEMORY.items() if name in used]
        imports += [
            f'(import "host" "{call.label}" (func ${call.label} {call.core_type}))'
            for call in calls
        ]
        # Imports must come first in a core module, those of the fixture's own too.
        lines = code.splitlines(keepends=True)
        imports += [line.rstrip() for line in lines if line.startswith("(import ")]
        rest = "".join(line for line in lines if not line.startswith("(import "))
        return "\n".join(imports) + "\n" + rest + texts + self._metadata()

    def _metadata(self) -> str:
        """Return the record component-metadata, laid out as the canonical ABI wants it."""
        words: list[int] = []
        texts = b""
        for text in (self.name, "1.0.0", self.does, "airssys", "MIT"):
            words += [METADATA_TEXTS + len(texts), len(text)]
            texts += text.encode("ascii")
        if METADATA_TEXTS + len(texts) > TEXTS:
            msg = f"{self.name}: its metadata is too long"
            raise ValueError(msg)
        operations_at = METADATA + 52
        record = [*words, operations_at, 1, int(self.stateful), *words[:2]]
        return (
            f'(data (i32.const {METADATA}) "{_bytes(_words(record))}")\n'
            f'(data (i32.const {METADATA_TEXTS}) "{_bytes(texts)}")\n'
        )

    def _instantiate_main(self, calls: list[WorldFunction]) -> str:
        lines = [
            "(core instance $main (instantiate $main",
            '  (with "memory" (instance $memory))',
        ]
        lines += [f'  (with "{name}" (instance ${name}))' for name in self.instances]
        if calls:
            lines.append('  (with "host" (instance')
            lines += [
                f'    (export "{one.label}" (func ${one.label}))' for one in calls
            ]
            lines[-1] += "))"
        return "\n".join(lines) + "))\n"

    def _lifts(self) -> list[str]:
        return [
            _lifted(name, self.types.get(name, one.type), uses_memory=one.uses_memory)
            for name, one in self._functions().items()
            if name not in self.without | self.without_state
        ]

    def _export(self) -> str:
        exports = "".join(
            f'\n  (export "{name}" (func ${name}))'
            for name in LIFECYCLE
            if name not in self.without
        )
        return (
            "(instance $component-lifecycle\n"
            '  (export "component-metadata" (type $component-metadata))'
            f"{exports})\n"
            f'(export "{interface_id("component-lifecycle", self.version)}"'
            " (instance $component-lifecycle))\n"
        ) + self._state_export()

    def _state_export(self) -> str:
        if self.state is None:
            return ""
        exports = "".join(
            f'\n  (export "{name}" (func ${name}))'
            for name in STATE_HANDOVER
            if name not in self.without_state
        )
        return (
            f"(instance $state-handover{exports})\n"
            f'(export "{interface_id("state-handover")}" (instance $state-handover))\n'
        )


def core_module(name: str, fields: str) -> str:
    """Return a core module, and its instance if it imports nothing."""
    module = f"(core module ${name}\n{indent(fields, INDENT)})\n"
    if "(import " in fields:
        return module
    return f"{module}(core instance ${name} (instantiate ${name}))\n"


def _called(code: str) -> list[WorldFunction]:
    names = names_in(code)
    return [one for label, one in HOST_FUNCTIONS.items() if f"${label}" in names]


def _interface_imports(calls: list[WorldFunction]) -> list[str]:
    return [
        interface.import_text(mine)
        for interface in INTERFACES
        if (mine := [one for one in calls if one.interface == interface.name])
    ]


_MEMORY_OPTIONS: Final = (
    '(memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))'
)


def _lowered(call: WorldFunction) -> str:
    return (
        f"(core func ${call.label} (canon lower"
        f' (func ${call.interface} "{call.name}")\n  {_MEMORY_OPTIONS}))\n'
    )


def _lifted(name: str, type_text: str, *, uses_memory: bool) -> str:
    options = ""
    if uses_memory:
        options = f"\n    {_MEMORY_OPTIONS}"
    if uses_memory and "(result" in type_text:
        options += '\n    (post-return (core func $memory "reset"))'
    return (
        f"(func ${name} {type_text}\n"
        f'  (canon lift (core func $main "{name}"){options}))\n'
    )


def _core_export(name: str, signature: str, body: str) -> str:
    return (
        f'(func ${name} (export "{name}") {signature}\n'
        f"{indent(dedent(body).strip(), INDENT)})\n"
    )


def _place_texts(code: str) -> tuple[str, str]:
    """Replace each `(text "...")`, and return the data that the addresses stand for."""
    places: dict[str, int] = {}
    end = TEXTS

    def place(found: re.Match[str]) -> str:
        nonlocal end
        text = found[1]
        if text not in places:
            places[text] = end
            end += len(text)
        return f"(i32.const {places[text]}) (i32.const {len(text)})"

    code = re.sub(r'\(text "([^"\\]*)"\)', place, code)
    if end > TRACE:
        msg = "the texts do not fit into their place"
        raise ValueError(msg)
    return code, "".join(
        f'(data (i32.const {address}) "{_bytes(text.encode())}")\n'
        for text, address in places.items()
    )


def _words(numbers: list[int]) -> bytes:
    return b"".join(number.to_bytes(4, "little") for number in numbers)


def _bytes(data: bytes) -> str:
    return "".join(
        chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:02x}"
        for byte in data
    )
