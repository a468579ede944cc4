"""Node and packages of npm: jco, which makes components of WASI modules, and componentize-js.

A package is looked for as Node does it: in `node_modules` beside the source, in the folders
above, and the same from the working directory; then where npm installs packages for all.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

import attrs

from airssys.building.recipes import (
    BuildFailed,
    ToolMissing,
    inline_wit,
    run_tool,
    wit_directory,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

JCO: Final = "@bytecodealliance/jco"
COMPONENTIZE_JS: Final = "@bytecodealliance/componentize-js"
_ADAPT: Final = """\
import { readFile, writeFile } from 'node:fs/promises';
import { componentNew } from '@bytecodealliance/jco';
const [core, adapter, , output] = process.argv.slice(1);
const made = await componentNew(await readFile(core),
  [['wasi_snapshot_preview1', await readFile(adapter)]]);
await writeFile(output, made);
"""
_ADAPT_ACTOR: Final = """\
import { readFile, writeFile } from 'node:fs/promises';
import { componentEmbed, componentNew } from '@bytecodealliance/jco';
const [core, adapter, wit, , output] = process.argv.slice(1);
const binary = await componentEmbed({ binary: await readFile(core), world: 'guest',
  witSource: await readFile(wit, 'utf8'), stringEncoding: 'utf8' });
const made = await componentNew(binary,
  [['wasi_snapshot_preview1', await readFile(adapter)]]);
await writeFile(output, made);
"""


@final
@attrs.frozen
class NodePackage:
    """A package of npm, and what runs it."""

    node: str
    name: str
    folder: Path
    """Of the package itself."""
    root: Path
    """The folder that holds its `node_modules`: a script that runs there can import it."""
    version: str

    def __str__(self) -> str:
        return f"{self.name.rpartition('/')[2]} {self.version}"

    def run(self, script: str, *arguments: str, about: Path) -> None:
        """Run a script that imports the package; its last argument is what it writes.

        Raises:
            BuildFailed: It failed; the text is its own, about a source.
        """
        command = [self.node, "--input-type=module", "-e", script, *arguments]
        done = run_tool(command, self.root)
        if done.returncode or not Path(arguments[-1]).is_file():
            msg = f"{about} could not be built:\n{_relevant(done.stderr) or self}"
            raise BuildFailed(msg)


def _relevant(stderr: str) -> str:
    """Leave out the frames of JavaScript, and the name of the script."""
    lines = [
        line
        for line in stderr.strip().splitlines()
        if not line.lstrip().startswith(("at ", "Node.js v", "file://"))
    ]
    return "\n".join(lines).strip()


def find_package(name: str, why: str, source: Path) -> NodePackage:
    """Find a package.

    Args:
        name: As in npm.
        why: What needs it, for the error.
        source: The file that is built.

    Raises:
        ToolMissing: Node or the package was not found.
    """
    node = shutil.which("node")
    if node is None:
        raise ToolMissing(
            "Node.js",
            f"runs {name}, which {why}; it was not found",
            f"apt-get install nodejs npm, then: npm install {name}",
        )
    for modules in _module_folders(source, node):
        try:
            about = json.loads((modules / name / "package.json").read_bytes())
        except (OSError, ValueError):
            continue
        version = str(about.get("version", "unknown"))
        return NodePackage(node, name, modules / name, modules.parent, version)
    raise ToolMissing(
        name,
        f"{why}, and was found neither in node_modules beside {source} or above, nor "
        "among the packages that are installed for all",
        f"npm install {name} (in {source.parent}), or: npm install --global {name}",
    )


def _module_folders(source: Path, node: str) -> Iterator[Path]:
    for start in (source.parent, Path.cwd()):
        for folder in (start, *start.parents):
            yield folder / "node_modules"
    given = os.environ.get("NODE_PATH", "")
    yield from (Path(each) for each in given.split(os.pathsep) if each)
    for prefix in (Path(node).resolve().parents[1], Path("/usr/local"), Path("/usr")):
        yield prefix / "lib" / "node_modules"


def find_adapter(source: Path) -> NodePackage:
    """Find jco, which makes a component of a module for WASI's first preview.

    Raises:
        ToolMissing: It was not found.
    """
    return find_package(JCO, "makes a component of what this compiler makes", source)


def adapt(jco: NodePackage, core: Path, output: Path, *, source: Path) -> None:
    """Make a component of a program for `wasi_snapshot_preview1`.

    Raises:
        BuildFailed: It cannot become one, with the reason of jco.
    """
    adapter = jco.folder / "lib" / "wasi_snapshot_preview1.command.wasm"
    with tempfile.TemporaryDirectory(prefix="airssys-build-") as folder:
        made = Path(folder) / "component.wasm"
        jco.run(_ADAPT, str(core), str(adapter), "-o", str(made), about=source)
        output.write_bytes(made.read_bytes())


def adapt_actor(jco: NodePackage, core: Path, output: Path, *, source: Path) -> None:
    """Make the component of an actor of a module for `wasi_snapshot_preview1`.

    Raises:
        BuildFailed: It cannot become one, with the reason of jco.
    """
    adapter = jco.folder / "lib" / "wasi_snapshot_preview1.reactor.wasm"
    with_state = b"airssys:core/state-handover@1.0.0#" in core.read_bytes()
    with tempfile.TemporaryDirectory(prefix="airssys-build-") as folder:
        made, wit = Path(folder) / "component.wasm", Path(folder) / "guest.wit"
        wit.write_text(actor_wit(with_state=with_state), "utf-8")
        arguments = (str(core), str(adapter), str(wit), "-o", str(made))
        jco.run(_ADAPT_ACTOR, *arguments, about=source)
        output.write_bytes(made.read_bytes())


def actor_wit(*, with_state: bool = False) -> str:
    """Write the world of actors in one text, as `guest`."""
    name = "runtime-host-with-state" if with_state else "runtime-host"
    world = f"world guest {{ include airssys:core/{name}@1.0.0; }}\n"
    return f"package local:guest;\n{world}" + inline_wit([wit_directory()])
