"""Which toolchains are here, with their versions, and what is known to be wrong with them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

import attrs

from airssys.building.recipes import BuildFailed, ToolMissing

from ._c_guest import c_recipe
from ._go_guest import go_recipe
from ._javascript_guest import javascript_recipe
from ._python_guest import python_recipe
from ._rust_guest import rust_recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airssys.building.recipes import Recipe

_STATUS: Final = "each exit status other than 0 becomes 1: the adapter drops the number"
_NO_HTTP: Final = "no: the first preview of WASI, which it compiles for, has no HTTP"


@final
@attrs.frozen
class Toolchain:
    """How one language is built here."""

    language: str
    suffix: str
    makes: str
    """What its sources are built into."""
    handlers: str
    """Whether it makes handlers of HTTP requests, or what to use for that."""
    example: str
    """A source that prints a line, or for an actor answers anything."""
    known: tuple[str, ...]
    """What does not work, here and on any other host."""
    found: str = ""
    """The tools with their versions; empty if one is missing."""
    missing: str = ""
    """What is missing and how to install it; empty if nothing is."""


_PYTHON: Final = """\
from wit_world import exports


class ComponentLifecycle(exports.ComponentLifecycle):
    def handle_message(self, message):
        return message.payload
"""
_RECIPES: Final[dict[str, Callable[[Path], Recipe]]] = {
    ".py": python_recipe,
    ".c": c_recipe,
    ".rs": rust_recipe,
    ".go": go_recipe,
    ".js": javascript_recipe,
}
_KNOWN: Final = (
    Toolchain(
        "Python",
        ".py",
        "actors, also with WASI (`--wasi`)",
        "not by `airssys build`: `componentize-py -w wasi:http/proxy@0.2.12 componentize`",
        _PYTHON,
        (
            "sockets: this Python has no module `socket`",
            (
                "a module that draws random numbers while it is built draws the same in "
                "each instance, until `random.seed()`"
            ),
        ),
    ),
    Toolchain(
        "C",
        ".c",
        "programs; actors without a library, or with wasi-libc (`--wasi`)",
        _NO_HTTP,
        '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n',
        (_STATUS,),
    ),
    Toolchain(
        "Rust",
        ".rs",
        "programs; actors, also with WASI (`--wasi`)",
        _NO_HTTP,
        'fn main() { println!("hello"); }\n',
        (
            _STATUS,
            (
                "Rust 1.63: reading a file of 1 MiB with `fs::read` stops in the adapter "
                "(`assertion failed at adapter line 2857`)"
            ),
        ),
    ),
    Toolchain(
        "Go",
        ".go",
        "programs",
        _NO_HTTP,
        'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("hello") }\n',
        (
            _STATUS,
            (
                "a heap that grows may stop it (`no adequate free space`): the adapter "
                "takes memory that Go counts as its own"
            ),
            "sockets and `net/http`: wasip1 has none",
        ),
    ),
    Toolchain(
        "JavaScript",
        ".js",
        "programs, actors, handlers of requests",
        "yes, with `fetch`",
        'export const run = { run() { console.log("hello"); } };\n',
        (
            "an instance answers one request: the engine answers the second with 500",
            "12 MB each, and compiling one for the first time takes 20 s to minutes",
        ),
    ),
)


def survey(near: Path | None = None) -> Iterator[Toolchain]:
    """Look for the tools of each language; nothing is built.

    Args:
        near: A folder: packages of npm are looked for in it and above. By default the
            working directory.
    """
    with tempfile.TemporaryDirectory(prefix="airssys-tools-", dir=near) as folder:
        for each in _KNOWN:
            source = Path(folder) / f"hello{each.suffix}"
            source.write_text(each.example, "utf-8")
            try:
                does = _RECIPES[each.suffix](source).does
            except ToolMissing as error:
                yield attrs.evolve(each, missing=str(error))
            except BuildFailed as error:
                yield attrs.evolve(each, missing=f"it cannot be used: {error}")
            else:
                tools = does.partition(" with ")[2].partition(" (10 to")[0]
                yield attrs.evolve(each, found=tools)
