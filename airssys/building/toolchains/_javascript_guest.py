"""JavaScript guests: componentize-js puts a module into a JavaScript engine for WASI.

What the module exports decides what it becomes: `componentLifecycle` the component of an
actor, `run` a program, `incomingHandler` or a listener of `fetch` a handler of requests.
Only this file is read: bundle what it imports.
"""

from __future__ import annotations

import re
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airssys.building.recipes import (
    BuildFailed,
    Recipe,
    inline_wit,
    read_source,
)

from ._node import COMPONENTIZE_JS, JCO, actor_wit, find_package

if TYPE_CHECKING:
    from ._node import NodePackage

_SCRIPT: Final = """\
import { readFile, writeFile } from 'node:fs/promises';
import { componentize } from '@bytecodealliance/componentize-js';
const [source, wit, features, , output] = process.argv.slice(1);
const { component } = await componentize(await readFile(source, 'utf8'), {
  witWorld: await readFile(wit, 'utf8'), worldName: 'guest', sourceName: 'guest.js',
  disableFeatures: features.split(',').filter(Boolean),
});
await writeFile(output, component);
"""
_VERSION: Final = "0.2.10"
"""Of WASI: the one whose `incoming-handler` the engine exports itself."""
_TEXT_OF: Final = "0.2.12"
"""The version of which jco has the whole text; they differ in nothing used here."""
_ACTOR, _PROGRAM, _HANDLER = "an actor", "a program", "a handler of requests"
_EXPORTS: Final = {
    _ACTOR: re.compile(
        rb"^export\s+(?:const|let|var)\s+componentLifecycle\b", re.MULTILINE
    ),
    _PROGRAM: re.compile(rb"^export\s+(?:const|let|var)\s+run\b", re.MULTILINE),
    _HANDLER: re.compile(
        rb"^export\s+(?:const|let|var)\s+incomingHandler\b"
        rb"|^\s*addEventListener\(\s*['\"]fetch['\"]",
        re.MULTILINE,
    ),
}
_RUN: Final = f"""\
package local:guest;
world guest {{ export wasi:cli/run@{_VERSION}; }}
package wasi:cli@{_VERSION} {{ interface run {{ run: func() -> result; }} }}
"""


def javascript_recipe(source: Path) -> Recipe:
    """Plan the build of a guest in JavaScript.

    Raises:
        BuildFailed: A tool is missing, or the module exports nothing that is known.
    """
    text = read_source(source)
    kind = _kind(source, text)
    tool = find_package(COMPONENTIZE_JS, "turns JavaScript into WebAssembly", source)
    wit = _wit(kind, source)
    return Recipe(
        f"building {source.name}, {kind}, with {tool} (10 to 60 s)",
        ("javascript", kind, str(tool), wit),
        {f"guest/{source.name}": text},
        partial(_componentize, tool, kind, wit, source),
    )


def _kind(source: Path, text: bytes) -> str:
    for kind, exports in _EXPORTS.items():
        if exports.search(text):
            return kind
    raise BuildFailed(
        f"{source}: it exports nothing that airssys runs. Write `export const run = "
        "{ run() { ... } }` for a program, `export const componentLifecycle = { ... }` for "
        "an actor, or addEventListener('fetch', ...) for a handler of requests"
    )


def _wit(kind: str, source: Path) -> str:
    """Write the world in one text: componentize-js reads no folders here.

    Raises:
        ToolMissing: jco is not there, which has the text of WASI.
    """
    if kind == _PROGRAM:
        return _RUN
    if kind == _ACTOR:
        return actor_wit()
    jco = find_package(JCO, "has the text of WASI that a handler needs", source)
    folders = sorted((jco.folder / "lib" / "wit" / "builtin" / _TEXT_OF).iterdir())
    outgoing = f"import wasi:http/outgoing-handler@{_VERSION};"
    incoming = f"export wasi:http/incoming-handler@{_VERSION};"
    world = f"package local:guest;\nworld guest {{ {outgoing} {incoming} }}\n"
    return world + inline_wit(folders).replace(f"@{_TEXT_OF}", f"@{_VERSION}")


def _componentize(
    tool: NodePackage, kind: str, wit: str, source: Path, output: Path
) -> None:
    # The engine answers requests by its own code, unless the world has no use for it.
    features = "" if kind == _HANDLER else "http,fetch-event"
    with tempfile.TemporaryDirectory(prefix="airssys-build-") as directory:
        world, made = Path(directory, "guest.wit"), Path(directory, "guest.wasm")
        world.write_text(wit, "utf-8")
        arguments = (str(source), str(world), features, "-o", str(made))
        tool.run(_SCRIPT, *arguments, about=source)
        output.write_bytes(made.read_bytes())
