"""Every refusal of a component names the component, what is wrong, and the way out."""

import ast
import importlib
import threading
from pathlib import Path

import attrs
import pytest
from wasmtime import wat2wasm

import airssys.wasm
from airssys.contracts import Artifact, ComponentRefused, EngineSettings
from airssys.wasm import (
    HostFunction,
    HostInterface,
    SameAs,
    load_any,
    load_concurrent,
    open_runtime,
)
from airssys.wasm.artifacts import NotOffered, footprint, to_binary
from airssys.wasm.lane.modules import check_unshared
from airssys.wasm.values import function
from pace import PATIENCE
from wasm_support import (
    GUESTS,
    open_guests,
    shop_guest,
    wasi_guest,
    wrap_compilers,
)

PACKAGE = Path(airssys.wasm.__file__).parent
SOURCES = [  # these have tests of their own: components of any world, asynchronous ones, WIT
    path
    for path in sorted(PACKAGE.rglob("*.py"))
    if not path.name.startswith(("_any_", "_wit_world"))
    and path.parent.name != "concurrent"
]
ECHO = (GUESTS / "echo.wat").read_text()
HANDED_OVER = """\
(component
  (component $inner (core module $m (memory 1)) (export "m" (core module $m)))
  (instance $inner (instantiate $inner))
  (alias export $inner "m" (core module $module))
  (core instance (instantiate $module)))
"""
ODD_IMPORT = ECHO.replace(
    "(component\n",
    '(component (import "airssys:core/storage@1.0.0" (instance'
    ' (export "get" (type (sub resource)))))\n',
    1,
)


TILL = "acme:shop/till@1.2.0"


def price(_context, item):
    return item


def shop(*host, resource=""):
    """A guest that imports `price`, and what it is given."""
    return Artifact.from_text(shop_guest(TILL, resource=resource)).given(host)


def fixture(name):
    return Artifact.at(GUESTS / f"{name}.wat")


REFUSALS = {
    "other code": (
        attrs.evolve(Artifact.from_text(ECHO), sha256=64 * "0"),
        f"not {64 * '0'}",
        "This is other code than its manifest names: get the right file, or write",
    ),
    "missing file": (
        Artifact.at("/no/such/file.wasm"),
        "cannot be read: No such file or directory",
        "Check the path",
    ),
    "no file": (
        Artifact.at("/dev/null"),
        "it is a device, not a file",
        "Name the component's file",
    ),
    "missing package": (
        Artifact.resource("no_such_package", "echo.wasm"),
        "its package cannot be imported: No module named 'no_such_package'",
        "Install the package",
    ),
    "empty": (Artifact.from_bytes(b""), "it is empty", "Build the component again"),
    "neither": (
        fixture("malformed"),
        "neither WebAssembly nor WAT text: expected valid component field",
        "Pass a .wasm component or its .wat text",
    ),
    "core module": (
        fixture("core-module"),
        "this is a core module, not a component",
        "Make a component of it: airssys build core.wasm",
    ),
    "malformed": (
        Artifact.from_bytes(b"\0asm\x0d\0\x01\0\x07\x7f"),
        "it is malformed (it ends too early: 127 more bytes should follow, before",
        "Build it again: the file may be truncated or damaged",
    ),
    "uncountable": (
        Artifact.from_text(HANDED_OVER),
        "its parts cannot be counted (it instantiates a core module or component",
        "Link it into one component that contains its modules",
    ),
    "invalid": (
        Artifact.from_bytes(b"\0asm\x0d\0\x01\0\x03\x01\xff"),
        "wasmtime refuses it: ",
        "Build it again, with a current version of its tools",
    ),
    "wasi": (
        fixture("wasi-import"),
        "it imports wasi:http/made-up@0.2.9, wasi:keyvalue/store@0.2.9",
        "componentize-js: jco componentize --disable http",
    ),
    "later wasi": (
        Artifact.from_text(wasi_guest().replace("random@0.2.3", "random@0.3.0")),
        "it imports wasi:random/random@0.3.0",
        "Build it for WASI 0.2: the values of 0.3, streams and futures",
    ),
    "unknown interface": (
        fixture("unknown-import"),
        "it imports acme:other/thing@1.0.0, which this host does not provide",
        "Import only what the world airssys:core/runtime-host@1.0.0 has",
    ),
    "unknown function": (
        fixture("unknown-function"),
        "it imports airssys:core/host-services@1.0.0#reboot, which this host does not provide",
        "Import only what the world airssys:core/runtime-host@1.0.0 has",
    ),
    "nothing to be given": (
        Artifact.from_text(ECHO).given([int]),
        "its host gives it <class 'int'>, which is not a HostInterface",
        "Write host=[HostInterface(...)], from airssys.wasm",
    ),
    "not among what it is given": (
        shop(HostInterface(TILL, {"pay": price})),
        "it imports acme:shop/till@1.2.0#price, which this host does not provide",
        "Give the host these functions and resources",
    ),
    "other types than it is given": (
        shop(HostInterface(TILL, {"price": HostFunction(price, type=function())})),
        "it imports acme:shop/till@1.2.0#price with other types than the host gives it",
        "Build it for the WIT text that the host's interface was written for",
    ),
    "one thing given twice": (
        shop(HostInterface(TILL), HostInterface("acme:shop/till@1.2.9")),
        "the host gives acme:shop/till@1.2.9 and acme:shop/till@1.2.0, which are for",
        "Give one interface for each major and minor version",
    ),
    "two resources taken for one": (
        shop(
            HostInterface(TILL, {"price": price}, resources={"a": None, "b": None}),
            resource='(export "a" (type $a (sub resource)))(export "b" (type (eq $a)))',
        ),
        "it takes for one resource what are two: acme:shop/till@1.2.0#b and acme:shop",
        "Build it for the world that the host provides, or say SameAs there",
    ),
    "the same as nothing": (
        shop(
            HostInterface(TILL, {"price": price}, resources={"a": SameAs("x:y/z#b")}),
            resource='(export "a" (type (sub resource)))',
        ),
        "a resource is to be the same as x:y/z#b, which is missing or a SameAs itself",
        "Name one in SameAs that has a destructor or None",
    ),
    "wrong import": (
        Artifact.from_text(ODD_IMPORT),
        "its airssys:core/storage@1.0.0 has other types for get",
        "Build it for the world airssys:core/runtime-host@1.0.0",
    ),
    "no export": (
        fixture("empty"),
        "must export airssys:core/component-lifecycle@1.0.0, but it does not",
        "Build it for the world airssys:core/runtime-host@1.0.0",
    ),
    "wrong version": (
        fixture("wrong-version"),
        "but it exports airssys:core/component-lifecycle@2.0.0",
        "Build it for the world airssys:core/runtime-host@1.0.0",
    ),
    "missing function": (
        fixture("missing-export"),
        "airssys:core/component-lifecycle@1.0.0 lacks health",
        "Export every function of the interface",
    ),
    "wrong export": (
        fixture("bad-signature"),
        "its airssys:core/component-lifecycle@1.0.0 has other types for handle-message",
        "Build it for the world airssys:core/runtime-host@1.0.0",
    ),
    "too large": (
        Artifact.from_text(ECHO),
        "it has more than 1024 bytes (component_bytes)",
        "Make it smaller (wasm-tools strip), or raise EngineSettings.component_bytes",
        {"component_bytes": 1024},
    ),
    "too many functions": (
        Artifact.from_text(ECHO),
        "it has 13 functions, more than 12 (component_functions)",
        "Remove unused functions, or raise EngineSettings.component_functions",
        {"component_functions": 12},
    ),
    "too large a function": (
        Artifact.from_text(
            f"(component (core module (func {'(nop)' * 2000})))", label="long"
        ),
        "it has a function of 2002 bytes, more than 1024 (function_bytes)",
        "Split that function, or raise EngineSettings.function_bytes",
        {"function_bytes": 1024},
    ),
    "too much to begin with": (
        Artifact.from_text(
            f"(component (core module $m {'(global i32 (i32.const 1))' * 500})"
            f"{'(core instance (instantiate $m))' * 9000})",
            label="many",
        ),
        "making an instance takes about 4590001 steps, for its globals, segments",
        "Instantiate its core modules fewer times, or make them smaller",
    ),
    "too slow": (
        Artifact.from_text(ECHO),
        "compiling it takes more than 0.01 s (compile_time)",
        "Split its largest functions, or raise EngineSettings.compile_time",
        {"compile_time": 0.01},
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
async def test_a_refusal_says_what_is_wrong_and_what_to_do(case, monkeypatch):
    artifact, problem, advice, *settings = REFUSALS[case]
    may_go_on = threading.Event()
    if case == "too slow":
        wrap_compilers(monkeypatch, lambda _: lambda *_: may_go_on.wait(PATIENCE))
    async with open_guests(**(settings[0] if settings else {})) as guests:
        with pytest.raises(ComponentRefused) as caught:
            await guests.loader.load(artifact)
        may_go_on.set()
    error = caught.value
    assert error.artifact == artifact.label
    assert problem in error.problem
    assert advice in error.advice
    assert str(error) == f"{artifact.label}: {error.problem}. {error.advice}"


def advice_in_the_code():
    """The last argument of every `ComponentRefused` that is raised."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Name(id="ComponentRefused"),
                    args=[_, _, ast.Constant(value=advice)],
                ):
                    yield advice
                case ast.Call(
                    func=ast.Name(id="ComponentRefused"),
                    args=[_, _, ast.Name(id=name)],
                ):
                    place = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
                    yield getattr(
                        importlib.import_module(f"airssys.wasm.{place}"), name
                    )
                case ast.Call(
                    func=ast.Name(id="ComponentRefused"),
                    args=[_, _, ast.Call(func=ast.Name(id="advice_for"))],
                ):
                    pass  # test_advice.py has a component for each of its rows
                case ast.Call(func=ast.Name(id="ComponentRefused")):
                    raise AssertionError(
                        f"{path.name}:{node.lineno} has no plain advice"
                    )


def test_no_refusal_is_left_out_here():
    tested = [advice for _, _, advice, *_ in REFUSALS.values()]
    found = list(advice_in_the_code())
    assert len(found) >= 15
    assert [each for each in found if not any(one in each for one in tested)] == []


DEFINED = '(core module $ma (memory (export "m") 1 2 shared))'
SHARED = {
    "defined": f"{DEFINED} (core instance (instantiate $ma))",
    "long": """(core module $ma (memory i64 1 2 shared))
        (core instance (instantiate $ma))""",
    "imported": f"""{DEFINED} (core instance $ia (instantiate $ma))
        (core module $mb (import "a" "m" (memory 1 2 shared)))
        (core instance (instantiate $mb (with "a" (instance $ia))))""",
}
LOADS = {
    "load": lambda loader, artifact: loader.load(artifact),
    "load_any": load_any,
    "load_concurrent": load_concurrent,
}


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("kind", SHARED)
async def test_a_shared_memory_is_refused_even_if_counting_misses_it(
    load, kind, monkeypatch
):
    missed = footprint(to_binary(ECHO.encode(), "echo"))
    for name in ("loading._component_loader", "loading._any_instance"):
        module = importlib.import_module(f"airssys.wasm.{name}")
        monkeypatch.setattr(module, "count", lambda *_: missed)
    module = importlib.import_module("airssys.wasm.instances.concurrent._component")
    monkeypatch.setattr(module, "count", lambda *_: missed)
    settings = EngineSettings(lane="own", component_async=load == "load_concurrent")
    around = ECHO if load == "load" else "(component\n)"
    text = around.replace("(component\n", f"(component {SHARED[kind]}\n", 1)
    artifact = Artifact.from_text(text)
    async with open_runtime(settings, cache_directory=None) as loader:
        with pytest.raises(ComponentRefused, match="a memory is shared"):
            await LOADS[load](loader, artifact)


def test_the_memories_of_a_module_are_found_whatever_else_it_imports():
    imports = """(import "" "f" (func)) (import "" "t" (table i64 1 9 externref))
        (import "" "g" (global (mut v128))) (import "" "m" (memory 1))
        (import "" "e" (tag)) (import "" "r" (table 1 (ref null 0)))"""
    text = f"(module (type (func)) {imports} (memory 1 2) (memory 1 {{}}))"
    check_unshared(bytes(wat2wasm(text.format(""))))
    with pytest.raises(NotOffered, match="a memory is shared"):
        check_unshared(bytes(wat2wasm(text.format("2 shared"))))
    with pytest.raises(NotOffered, match="cannot be read"):
        check_unshared(bytes(wat2wasm(text.format("")))[:-2])
