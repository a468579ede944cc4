"""Components whose own sources are written into an area after they were built."""

import ast
import faulthandler
import importlib.util
import linecache
import marshal
import sys
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

import airssys.building
from airssys.building import BuildFailed, build, encode_component
from airssys.building.toolchains._python_imports import outside_imports
from airssys.contracts import Artifact, ComponentConfig, Limits, SourceArea, area_size
from airssys.contracts.errors import GuestRejected
from airssys.contracts.values._source_area import LEAST_AREA, area_pattern
from wasm_support import envelope, open_guests

from .core_modules import core_module

GUEST_SIDE = Path(airssys.building.__file__).parent / "guest"
SIZE = LEAST_AREA
GREETER = """\
class ComponentLifecycle:
    def handle_message(self, message):
        return b"{answer}"
"""

# -- the area


@given(before=st.binary(max_size=50), sources=st.binary(max_size=500))
def test_an_area_is_filled_and_emptied_again(before, sources):
    empty = SourceArea.marked(before + area_pattern(SIZE) + b"rest", SIZE)
    area = SourceArea.of(empty)
    full = area.filled(empty, sources)
    assert (area.at, area.size) == (len(before), SIZE)
    assert SourceArea.of(full) == area
    assert len(full) == len(empty)
    assert area.emptied(full) == empty
    content = area.content(full)
    length = int.from_bytes(content[:4], "little")
    assert content[4 : 4 + length] == sources


@pytest.mark.parametrize("times", [0, 2])
def test_what_has_no_area_or_two_is_not_marked(times):
    assert SourceArea.marked(area_pattern(SIZE) * times, SIZE) is None


@given(st.binary(max_size=100), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_an_area_that_is_not_inside_its_file_is_none(before, at, size):
    marked = SourceArea.marked(before + area_pattern(SIZE), SIZE)
    forged = marked[:-8] + at.to_bytes(4, "little") + size.to_bytes(4, "little")
    area = SourceArea.of(forged)
    assert area is None or area.at + area.size <= len(before) + SIZE
    assert area is None or area.size == SIZE


def test_sources_that_are_too_long_are_refused():
    empty = SourceArea.marked(area_pattern(SIZE), SIZE)
    with pytest.raises(ValueError, match="do not fit"):
        SourceArea.of(empty).filled(empty, bytes(SIZE))


@given(st.integers(0, 1 << 22))
def test_an_area_has_room_to_grow(length):
    assert area_size(length) >= max(LEAST_AREA, 2 * length)


def test_the_pattern_cannot_be_a_name():
    with pytest.raises(UnicodeDecodeError):
        area_pattern(8).decode()


# -- compiling it

AREA_AT = 65536
AS_TEXT = "".join(f"\\{byte:02x}" for byte in area_pattern(SIZE))
ANSWER = f"""\
    (i32.store8 offset=4 (i32.const 64) (i32.const 1))
    (i32.store offset=8 (i32.const 64) (i32.const {AREA_AT + 4}))
    (i32.store offset=12 (i32.const 64) (i32.load (i32.const {AREA_AT})))
    (i32.const 64)"""


def answering():
    """Return a component that answers what is in its area."""
    core = core_module(
        memory='(memory (export "memory") 2)',
        handle_message=ANSWER,
        extra=f'(data (i32.const {AREA_AT}) "{AS_TEXT}")',
    )
    return SourceArea.marked(encode_component(core), SIZE)


async def answer_of(loader, component, services):
    loaded = await loader.load(Artifact.from_bytes(component))
    guest = await loaded.instantiate(Limits(execution_time=20.0), services)
    try:
        await guest.initialize(ComponentConfig())
        return await guest.handle_message(envelope(b""))
    finally:
        guest.close()


@pytest.mark.parametrize("lane", ["own", "wasmtime"])
async def test_only_the_empty_component_is_compiled(tmp_path, lane):
    empty = answering()
    area = SourceArea.of(empty)
    texts = [b"one", b"another", b""]
    async with open_guests(tmp_path, lane=lane) as guests:
        entries = []
        for text in texts:
            full = area.filled(empty, text)
            assert await answer_of(guests.loader, full, guests.services) == text
            entries.append(set(tmp_path.glob("*.entry")))
        assert entries[0]
        assert entries == entries[:1] * 3


async def test_the_area_is_where_compiling_the_filled_component_puts_it(tmp_path):
    """Only wasmtime's tables of types, in no fixed order, may differ elsewhere."""
    empty = answering()
    area = SourceArea.of(empty)
    full = area.filled(empty, b"text")
    async with open_guests(tmp_path) as guests:
        engine = guests.runtime.engine.wasmtime
        of_empty, of_full = [compile_in(engine, each) for each in (empty, full)]
        filled = area.filled_compiled(full, of_empty)
        assert len(filled) == len(of_full)
        at = of_full.index(area.content(full))
        assert filled.index(area.content(full)) == at


def compile_in(engine, component):
    from wasmtime.component import Component  # only here

    return bytes(Component(engine, component).serialize())


async def test_an_area_that_is_not_data_is_compiled_as_usual(tmp_path):
    """Its pattern is not in the compiled form: a custom section is not kept there."""
    plain = encode_component(core_module())
    name = b"junk"
    payload = bytes([len(name)]) + name + area_pattern(SIZE)
    length = len(payload)
    leb = bytes([length & 127 | 128, length >> 7 & 127 | 128, length >> 14])
    marked = SourceArea.marked(plain + b"\0" + leb + payload, SIZE)
    full = SourceArea.of(marked).filled(marked, b"x")
    async with open_guests(tmp_path) as guests:
        assert await answer_of(guests.loader, full, guests.services) == b""


# -- what is imported beforehand


def test_imports_outside_of_functions_are_found():
    source = """
from __future__ import annotations
import json, os.path as p
import helper
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import decimal
try:
    import tomllib
except ImportError:
    import tomli
with open("x"):
    from re import *
class A:
    import string
def f():
    import random
match 1:
    case 1:
        import cmath
"""
    sources = {"main.py": source.encode(), "helper.py": b"from . import x\nimport json"}
    sure, unsure = [], []
    for text in outside_imports(sources):
        (unsure if text.startswith("try:") else sure).append(text)
    assert sure == [
        "from typing import TYPE_CHECKING",
        "import json",
        "import os.path",
        "import string",
    ]
    found = [ast.unparse(ast.parse(text).body[0].body[0]) for text in unsure]
    assert found == ["import cmath", "import re", "import tomli", "import tomllib"]


def test_what_cannot_be_parsed_has_no_imports():
    assert outside_imports({"main.py": b"def"}) is None


# -- inside of the guest


@pytest.fixture
def late():
    """The module that reads the area; what it changes is undone."""
    spec = importlib.util.spec_from_file_location(
        "airssys_late", GUEST_SIDE / "airssys_late.py"
    )
    module = importlib.util.module_from_spec(spec)
    before, finders = set(sys.modules), list(sys.meta_path)
    lines = dict(linecache.cache)
    spec.loader.exec_module(module)
    module.reserve(SIZE)
    yield module
    sys.meta_path[:] = finders
    linecache.cache.clear()
    linecache.cache.update(lines)
    for name in set(sys.modules) - before:
        del sys.modules[name]


def fill(late, main, **sources):
    files = {name.replace("__", "/") + ".py": text for name, text in sources.items()}
    written = marshal.dumps((main, files), 2)
    late._State.area[: 4 + len(written)] = len(written).to_bytes(4, "little") + written


def test_the_area_has_the_pattern_that_the_host_searches_for(late):
    assert bytes(late._State.area) == area_pattern(SIZE)


def test_modules_are_imported_from_the_area(late):
    fill(
        late,
        "late_main",
        late_main=b"import late_part.inner\nvalue = late_part.inner.value + 1",
        late_part__inner=b"value = 1",
    )
    main = late.load()
    assert main.value == 2
    assert main.__file__ == "/1/late_main.py"
    assert linecache.getline("/1/late_part/inner.py", 1) == "value = 1"


def test_a_module_that_was_missing_is_missing_for_the_same_reason(late):
    late.note_missing(ModuleNotFoundError("No module named 'gone_x'", name="gone_x"))
    fill(late, "late_user", late_user=b"import gone_x")
    with pytest.raises(ModuleNotFoundError, match="No module named 'gone_x'"):
        late.load()


def test_a_file_that_is_read_by_a_module_is_explained(late):
    fill(late, "late_reader", late_reader=b"open('/nowhere/at/all')")
    with pytest.raises(FileNotFoundError) as caught:
        late.load()
    assert "--dev" in caught.value.__notes__[0]


# -- all of it


@pytest.mark.slow
async def test_an_edited_guest_is_built_without_its_toolchain(
    tmp_path, built_before, compiled_before, monkeypatch
):
    pytest.importorskip("componentize_py")
    source, output = tmp_path / "edited.py", tmp_path / "edited.wasm"

    async def answer():
        async with open_guests(compiled_before) as guests:
            return await answer_of(guests.loader, output.read_bytes(), guests.services)

    def build_it(text):
        source.write_text(text, "utf-8")
        build(source, output, cache_directory=built_before, dev=True)

    # On a busy machine this takes longer than a test that hangs is given.
    faulthandler.cancel_dump_traceback_later()
    build_it(GREETER.format(answer="one"))
    assert await answer() == b"one"
    monkeypatch.setattr(
        "airssys.building.toolchains._python_guest.run_tool",
        lambda *_: pytest.fail("a compiler was run"),
    )
    before = set(compiled_before.glob("*.entry"))
    build_it(GREETER.format(answer="two"))
    assert await answer() == b"two"
    assert set(compiled_before.glob("*.entry")) == before
    build_it("# A comment, so that line 3 is that of the mistake\n\nint('early')\n")
    with pytest.raises(GuestRejected, match="early") as caught:
        await answer()
    assert 'File "edited.py", line 3' in str(caught.value)


def test_a_source_that_cannot_be_parsed_is_built_in_the_usual_way(
    tmp_path, monkeypatch
):
    pytest.importorskip("componentize_py")
    source = tmp_path / "wrong.py"
    source.write_text("def", "utf-8")
    monkeypatch.setattr(
        "airssys.building.toolchains._python_guest.run_tool", no_compiler
    )
    with pytest.raises(BuildFailed, match="no compiler"):
        build(source, cache_directory=tmp_path / "cache", dev=True)


def no_compiler(*_):
    raise BuildFailed("no compiler")
