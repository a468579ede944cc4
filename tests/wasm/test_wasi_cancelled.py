"""A function of WASI that waits is cancelled wherever it waits, and nothing is left behind.

Each function runs again and again, cancelled at its first await, its second, and so on,
until it ends by itself. After each run no descriptor is open that was not, what is counted
is what is on the disk, and the function can be called again.
"""

from pathlib import Path

import pytest
import trio

from airssys.contracts import Limits
from airssys.security import insecure_random, random
from airssys.testing import FakeServices
from airssys.wasm import Ok
from airssys.wasm.host import FunctionKind
from airssys.wasm.host.wasi import WASI_INTERFACES
from airssys.wasm.host.wasi.base import Input, Output, Pollable, WasiContext
from airssys.wasm.host.wasi.files import has_openat2
from wasm_support import WasiCalls

from .test_wasi_files import METHODS, OF_WHAT_IS_OPEN, full, names_in, slow_disk, tree

MOST_AWAITS = 40


class CancelAt(trio.abc.Instrument):
    """Cancels a scope in a step of the task that made it, or just after that step.

    Before a step the task has what it waited for; after it the task waits again.
    """

    def __init__(self, step, *, after):
        self.step, self.after = step, after
        self.task = trio.lowlevel.current_task()
        self.scope = trio.CancelScope()

    def before_task_step(self, task):
        if task is self.task:
            self.step -= 1
            if self.step == 0 and not self.after:
                self.scope.cancel()

    def after_task_step(self, task):
        if task is self.task and self.step == 0 and self.after:
            self.scope.cancel()

    async def run(self, call):
        """Whether it was cancelled, and did not end by itself."""
        trio.lowlevel.add_instrument(self)
        try:
            with self.scope:
                await call()
        finally:
            trio.lowlevel.remove_instrument(self)
        return self.scope.cancelled_caught


async def cancelled_everywhere(once):
    """Run rounds; `once` takes what to do with the call of a round."""
    points = 0
    for after in (False, True):
        for step in range(1, MOST_AWAITS):
            trial = CancelAt(step, after=after)
            if not await once(trial.run):
                break
            points += 1
        else:
            raise AssertionError("it does not end")
    return points


def open_now():
    return len(list(Path("/proc/self/fd").iterdir()))


async def until(is_so):
    """Wait for threads that go on after their call was cancelled."""
    with trio.fail_after(10):
        while not is_so():  # noqa: ASYNC110  # a thread sets no event
            await trio.sleep(0.001)


# ---------------------------------------------------------------- files

CHANGING = {"create-directory-at", "link-at", "symlink-at"}
WAITING_FILES = [
    name
    for name, function in WasiCalls(None)
    .interface("filesystem/types")
    .functions.items()
    if function.kind is FunctionKind.WAITING
]


@pytest.mark.skipif(not has_openat2(), reason="no openat2: no files")
@pytest.mark.parametrize("name", WAITING_FILES)
async def test_a_call_for_a_file_is_cancelled_wherever_it_waits(
    tmp_path, nursery, monkeypatch, name
):
    module = "airssys.wasm.host.wasi.files._types.read_now"
    monkeypatch.setattr(module, lambda *_: None)  # nothing is in memory
    method = name.rpartition(".")[2]
    given = METHODS.get(method, OF_WHAT_IS_OPEN.get(method))
    rounds = iter(range(10_000))

    async def once(cancel):
        folder = tmp_path / f"{next(rounds)}"
        folder.mkdir()
        tree(folder)
        (folder / "empty").mkdir()
        before, names = open_now(), names_in(folder)
        wasi = WasiCalls(FakeServices(can=full(folder)), nursery)
        root = (await wasi.folders())["/data"]
        about = await wasi.open(root, "a", "read write")
        slow_disk(wasi, root)
        arguments = [root if each == "itself" else each for each in given]
        if method == "remove-directory-at":
            arguments = ["empty"]
        on = root if method.endswith("-at") or method == "read-directory" else about
        was_cancelled = await cancel(lambda: wasi.file(method, on, *arguments))
        usage = wasi.context.keep("files", None).usage
        if was_cancelled:
            await until(lambda: open_now() <= before + 2)  # the root, and the file
            await until(lambda: usage.open_files <= 2)
            made = len(names_in(folder)) - len(names)
            assert usage._made == max(0, made)
            assert (await wasi.file("stat", about))[0] == "regular-file"
        for each in (about, root):
            wasi.drop(each)
        wasi.context.close()
        return was_cancelled

    assert await cancelled_everywhere(once) >= 1
    await trio.testing.wait_all_tasks_blocked()


# ---------------------------------------------------------------- streams and poll


class Slow(Input, Output):
    """Gives and takes one byte at a time, each after a while."""

    def __init__(self, context):
        Output.__init__(self, context)
        self.taken, self.given = b"", 0
        self._next = trio.current_time() + 1

    def is_ready(self):
        return trio.current_time() >= self._next

    @property
    def due(self):
        return self._next

    def _use(self):
        self._next = trio.current_time() + 1

    def read(self, most):
        if not self.is_ready():
            return b""
        self._use()
        self.given += 1
        return b"x"

    def room(self):
        return int(self.is_ready())

    def write(self, data):
        self._use()
        self.taken += data

    def is_flushed(self):
        return self.is_ready()


IN, OUT = "[method]input-stream.", "[method]output-stream."
WAITING = {
    "io/poll#poll": lambda source, pollable: ([pollable],),
    "io/poll#[method]pollable.block": lambda source, pollable: (pollable,),
    f"io/streams#{IN}blocking-read": lambda source, _: (source, 3),
    f"io/streams#{IN}blocking-skip": lambda source, _: (source, 3),
    f"io/streams#{OUT}blocking-write-and-flush": lambda source, _: (source, b"abc"),
    f"io/streams#{OUT}blocking-flush": lambda source, _: (source,),
    f"io/streams#{OUT}blocking-write-zeroes-and-flush": lambda source, _: (source, 3),
    f"io/streams#{OUT}blocking-splice": lambda source, _: (
        source,
        Slow(source.context),
        3,
    ),
    "random/random#get-random-bytes": lambda *_: (200_000,),
    "random/insecure#get-insecure-random-bytes": lambda *_: (200_000,),
}


def function(full):
    where, _, name = full.partition("#")
    (found,) = [i for i in WASI_INTERFACES if i.gives(f"wasi:{where}@0.2.0")]
    return found.functions[name]


@pytest.mark.parametrize("full", WAITING)
async def test_a_call_that_waits_is_cancelled_wherever_it_waits(
    full, nursery, autojump_clock
):
    async def once(cancel):
        context = WasiContext(FakeServices(can=[random(), insecure_random()]), Limits())
        context.take_nursery(nursery)
        source = Slow(context)
        pollable = Pollable(context, source)
        arguments = WAITING[full](source, pollable)

        async def call():
            found = function(full)
            answer = found.at_once and found.at_once(context, *arguments)
            if answer is None:
                answer = await found.act(context, *arguments)
            return answer

        was_cancelled = await cancel(call)
        assert source.taken in {b"", b"a", b"ab", b"abc", *map(bytes, range(4)), b"x"}
        assert context.tasks == 0
        if was_cancelled and "stream" in full:
            await trio.sleep(2)
            write = function(f"io/streams#{OUT}check-write").act
            assert type(write(context, source)) is Ok
        context.close()
        return was_cancelled

    assert await cancelled_everywhere(once) >= 1


def test_every_function_that_waits_is_cancelled_here():
    waiting = {
        f"{each.name[5:].partition('@')[0]}#{name}"
        for each in WASI_INTERFACES
        for name, one in each.functions.items()
        if one.kind is FunctionKind.WAITING
    }
    files = {f"filesystem/types#{name}" for name in WAITING_FILES}
    opening = {"filesystem/preopens#get-directories"}  # it is below
    assert waiting == set(WAITING) | files | opening


@pytest.mark.skipif(not has_openat2(), reason="no openat2: no files")
async def test_opening_the_granted_folders_is_cancelled_wherever_it_waits(
    tmp_path, nursery
):
    tree(tmp_path)

    async def once(cancel):
        before = open_now()
        wasi = WasiCalls(FakeServices(can=full(tmp_path)), nursery)
        found = []

        async def call():
            found.extend((await wasi.folders()).values())

        was_cancelled = await cancel(call)
        assert bool(found) != was_cancelled
        found.extend((await wasi.folders()).values())
        for each in found:
            wasi.drop(each)
        wasi.context.close()
        await until(lambda: open_now() <= before)
        return was_cancelled

    assert await cancelled_everywhere(once) >= 1
