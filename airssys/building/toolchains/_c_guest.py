"""C guests: clang or zig compiles a core module, with `include/airssys_guest.h`.

A file with a `main` is a program instead: it is compiled with wasi-libc, and jco's adapter
makes a component of it. So it is with an actor that is built for WASI.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from airssys.building.encoding import encode_component
from airssys.building.recipes import (
    BuildFailed,
    Recipe,
    ToolMissing,
    read_source,
    run_tool,
)

from ._node import adapt, adapt_actor, find_adapter

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._node import NodePackage

INCLUDE: Final = Path(__file__).parents[1] / "include"
_QUOTED: Final = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*"([^"\n]+)"', re.MULTILINE)
_FLAGS: Final = (
    *("-std=c11", "-Wall", "-Os", "-ffreestanding", "-fno-builtin", "-nostdlib"),
    "-Wl,--no-entry",
)
_PROGRAM_FLAGS: Final = ("-std=gnu11", "-Wall", "-Os", "-Wl,--strip-debug")
_ACTOR_FLAGS: Final = (*_PROGRAM_FLAGS, "-mexec-model=reactor", "-I", str(INCLUDE))
_MAIN: Final = re.compile(rb"^[ \t]*(?:int|void)\s+main\s*\(", re.MULTILINE)
_VERSIONS: Final = range(30, 10, -1)
"""Debian and others install clang under a name with its version."""


def c_recipe(source: Path, *, wasi: bool = False) -> Recipe:
    """Plan the build of a C guest.

    Args:
        source: Its file; with a `main` it is a program.
        wasi: Link an actor with wasi-libc. A program is in any case.

    Raises:
        BuildFailed: There is no compiler, or a file cannot be read.
    """
    is_program = _MAIN.search(read_source(source)) is not None
    with_libc = is_program or wasi
    command = _compiler("wasm32-wasi") if with_libc else _compiler()
    files = {f"guest/{name}": content for name, content in _sources(source).items()}
    output = run_tool([command[0], *command[1:-2], "--version"], source.parent).stdout
    version = output.strip().partition("\n")[0]
    name = f"zig cc, {version}" if "zig" in " ".join(command) else version
    if with_libc:
        jco = find_adapter(source)
        flags = _PROGRAM_FLAGS if is_program else _ACTOR_FLAGS
        make = adapt if is_program else adapt_actor
        return Recipe(
            f"building {source.name} with {name} and {jco}",
            ("c with wasi", *command, version, str(jco), *flags),
            files,
            partial(_compile_with_libc, [*command, *flags], make, jco, source),
        )
    return Recipe(
        f"building {source.name} with {name}",
        ("c", *command, version, *_FLAGS),
        files,
        partial(_compile, command, source),
    )


def _compiler(target: str = "") -> list[str]:
    """Return a compiler with its arguments for a target: the last two words.

    Without a target it is that of a module without any library.
    """
    for name in ("clang", *(f"clang-{number}" for number in _VERSIONS)):
        if (found := shutil.which(name)) and _knows_wasm(found):
            return [found, "-target", target or "wasm32-unknown-unknown"]
    zig = shutil.which("zig")
    if zig or importlib.util.find_spec("ziglang"):
        start = [zig] if zig else [sys.executable, "-m", "ziglang"]
        return [*start, "cc", "-target", target or "wasm32-freestanding"]
    raise ToolMissing(
        "clang",
        "with the target wasm32 compiles C guests, and was not found; neither was zig",
        "apt-get install clang lld, or your system's packages of LLVM;"
        f" without them: {sys.executable} -m pip install ziglang (400 MB)",
    )


def _knows_wasm(clang: str) -> bool:
    return "wasm32" in run_tool([clang, "--print-targets"], Path.cwd(), 60).stdout


def _sources(main: Path) -> dict[str, bytes]:
    """Return a C file and what it includes in quotes from its folder, by path."""
    found: dict[str, bytes] = {}
    waiting = [main]
    while waiting:
        path = waiting.pop()
        if str(path) in found:
            continue
        found[str(path)] = read_source(path)
        names = (
            name.decode(errors="replace") for name in _QUOTED.findall(found[str(path)])
        )
        waiting += [there for name in names if (there := path.parent / name).is_file()]
    # By their path relative to the main file, so that moving the folder changes
    # nothing.
    return {path.removeprefix(str(main.parent)): text for path, text in found.items()}


def _compile(command: list[str], source: Path, output: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="airssys-build-") as directory:
        core = Path(directory) / "core.wasm"
        files = ("-I", str(INCLUDE), "-o", str(core), str(source))
        done = run_tool([*command, *_FLAGS, *files], Path(directory))
        if done.returncode or not core.is_file():
            msg = f"{source} could not be built:\n{done.stderr.strip() or command[0]}"
            raise BuildFailed(msg + _advice(done.stderr))
        output.write_bytes(encode_component(core.read_bytes()))


def _compile_with_libc(
    command: list[str],
    make: Callable[..., None],
    jco: NodePackage,
    source: Path,
    output: Path,
) -> None:
    with tempfile.TemporaryDirectory(prefix="airssys-build-") as directory:
        core = Path(directory) / "core.wasm"
        done = run_tool([*command, "-o", str(core), str(source)], Path(directory))
        if done.returncode or not core.is_file():
            _check_libc(done.stderr)
            msg = f"{source} could not be built:\n{done.stderr.strip() or command[0]}"
            raise BuildFailed(msg + _advice(done.stderr))
        make(jco, core, output, source=source)


def _check_libc(output: str) -> None:
    """See that the compiler has what each program needs.

    Raises:
        ToolMissing: There is no C library, or no library of the compiler for wasm32.
    """
    no_headers = re.search("'(?:stdio|stdlib|string)[.]h' file not found", output)
    if no_headers or re.search(r"(?:cannot open|no such file).*(?:crt1|-lc\b)", output):
        raise ToolMissing(
            "wasi-libc",
            "is the C library of programs for WASI, and this compiler found none",
            "apt-get install wasi-libc, or put the clang of a WASI SDK first on the path;"
            f" or: {sys.executable} -m pip install ziglang (400 MB), which has its own",
        )
    if "clang_rt.builtins" in output:
        raise ToolMissing(
            "compiler-rt for wasm32",
            "is linked into each program, and was not found",
            "apt-get install libclang-rt-14-dev-wasm32, with the number of your clang",
        )


def _advice(output: str) -> str:
    if "wasm-ld" in output and "exist" in output:
        return "\nThe linker is missing: apt-get install lld"
    return ""
