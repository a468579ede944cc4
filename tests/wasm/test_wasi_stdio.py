"""Standard streams of the process, as a program has them: their errors and their ends."""

import contextlib
import os

import pytest
import trio

from airssys.contracts import ComponentConfig
from airssys.testing import FakeServices
from wasm_support import WasiCalls

READ = "io/streams#[method]input-stream.read"
SUBSCRIBE = "io/streams#[method]input-stream.subscribe"
WRITE = "io/streams#[method]output-stream.blocking-write-and-flush"


@pytest.fixture
def wasi(nursery):
    """Functions of a program that has the standard streams of the process."""
    config = ComponentConfig(passes_stdio=True)
    return WasiCalls(FakeServices(config=config), nursery)


@pytest.fixture
async def put(nursery):
    """Put something in the place of a standard stream of this process, for a while."""
    with contextlib.ExitStack() as stack:

        def put_it(stream, fd):
            before = os.dup(stream)
            stack.callback(os.close, before)
            stack.callback(os.dup2, before, stream)
            os.dup2(fd, stream)
            os.close(fd)

        yield put_it
        nursery.cancel_scope.cancel()


async def read(wasi, stdin):
    """Read until there is something; answer that, or the end."""
    while (found := await wasi.call(READ, stdin, 1024)) == b"":
        pollable = await wasi.call(SUBSCRIBE, stdin)
        with trio.fail_after(20):
            await wasi.call("io/poll#[method]pollable.block", pollable)
        wasi.drop(pollable)
    return found


async def test_an_error_of_standard_input_is_one_of_files_and_then_its_end(
    wasi, put, tmp_path
):
    put(0, os.open(tmp_path, os.O_RDONLY))
    stdin = await wasi.call("cli/stdin#get-stdin")
    found = await read(wasi, stdin)
    assert found.value.name == "last-operation-failed"
    error = found.value.value
    code = await wasi.call("filesystem/types#filesystem-error-code", error)
    assert code == "is-directory"
    for size in (1024, 0):
        assert (await wasi.call(READ, stdin, size)).value.name == "closed"


async def test_an_empty_read_of_standard_input_is_the_end_only_when_it_has_ended(
    wasi, put
):
    here, there = os.pipe()
    put(0, here)
    stdin = await wasi.call("cli/stdin#get-stdin")
    assert await wasi.call(READ, stdin, 0) == b""
    os.close(there)
    assert (await read(wasi, stdin)).value.name == "closed"
    assert (await wasi.call(READ, stdin, 0)).value.name == "closed"


async def test_standard_input_is_spliced_to_standard_output(wasi, put):
    here, there = os.pipe()
    put(0, here)
    os.write(there, b"So rested he by the Tumtum tree")
    os.close(there)
    here, there = os.pipe()
    put(1, there)
    stdin = await wasi.call("cli/stdin#get-stdin")
    out = await wasi.call("cli/stdout#get-stdout")
    splice = "io/streams#[method]output-stream.blocking-splice"
    spliced = 0
    with trio.fail_after(20):
        while type(found := await wasi.call(splice, out, stdin, 7)) is int:
            spliced += found
    assert found.value.name == "closed"
    assert spliced == 31
    flush = "io/streams#[method]output-stream.blocking-flush"
    assert await wasi.call(flush, out) is None
    assert os.read(here, 100) == b"So rested he by the Tumtum tree"
    os.close(here)


@pytest.mark.parametrize("name", ["stdout", "stderr"])
async def test_output_that_no_one_reads_is_closed(wasi, put, name):
    here, there = os.pipe()
    put({"stdout": 1, "stderr": 2}[name], there)
    os.close(here)
    out = await wasi.call(f"cli/{name}#get-{name}")
    for _ in range(2):
        assert (await wasi.call(WRITE, out, b"x" * 4096)).value.name == "closed"


async def test_output_that_fails_says_why_once(wasi, put):
    put(1, os.open("/dev/full", os.O_WRONLY))
    out = await wasi.call("cli/stdout#get-stdout")
    found = await wasi.call(WRITE, out, b"x")
    assert found.value.name == "last-operation-failed"
    error = found.value.value
    code = await wasi.call("filesystem/types#filesystem-error-code", error)
    assert code == "insufficient-space"
    assert (await wasi.call(WRITE, out, b"x")).value.name == "closed"
