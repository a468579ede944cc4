"""Streams and bodies are made from each other and dropped in any order: nothing is left open."""

from pathlib import Path

import pytest
import trio
from hypothesis import given, settings, strategies as st

from airssys.contracts import TrapReason
from airssys.security import delete_files, read_files, write_files
from airssys.testing import FakeServices
from airssys.wasm.host import StopGuest
from airssys.wasm.host.wasi.base import release
from airssys.wasm.host.wasi.files import has_openat2
from wasm_support import WasiCalls

HTTP = "http/types#[method]"
MAKERS = {
    "file": ("root", "filesystem/types#[method]descriptor.open-at"),
    "input": ("file", "filesystem/types#[method]descriptor.read-via-stream"),
    "output": ("file", "filesystem/types#[method]descriptor.append-via-stream"),
    "listing": ("root", "filesystem/types#[method]descriptor.read-directory"),
    "input-pollable": ("input", "io/streams#[method]input-stream.subscribe"),
    "output-pollable": ("output", "io/streams#[method]output-stream.subscribe"),
    "fields": (None, "http/types#[constructor]fields"),
    "request": ("fields", "http/types#[constructor]outgoing-request"),
    "body": ("request", f"{HTTP}outgoing-request.body"),
    "body-output": ("body", f"{HTTP}outgoing-body.write"),
    "body-pollable": ("body-output", "io/streams#[method]output-stream.subscribe"),
}
"""Each kind: what it is made from, and how."""
NONE = frozenset()
MORE = {
    "file": (NONE, "a", NONE, frozenset({"read", "write"})),
    "input": (0,),
}
ONCE = {"body", "body-output"}
"""The second is an error, and not a resource."""
TAKEN = {"request"}
"""It takes what it is made from."""
PARENTS = {"input-pollable", "output-pollable", "body-output", "body-pollable"}
"""They must be dropped before what they are made from."""

steps = st.lists(
    st.tuples(st.sampled_from([*MAKERS, "drop", "drop", "drop"]), st.integers(0, 50)),
    max_size=40,
)


class Walk:
    """What the guest holds, and which of it was made from which."""

    def __init__(self, wasi, root):
        self.wasi, self.held = wasi, [("root", root, None)]

    async def make(self, kind, number):
        """Make a resource from one that is held; nothing if there is none to make it from."""
        source, full = MAKERS[kind]
        candidates = [each for each in self.held if each[0] == source]
        if source is not None and not candidates:
            return
        origin = candidates[number % len(candidates)] if candidates else None
        if kind in ONCE and any(each[2] is origin for each in self.held):
            return
        given = () if origin is None else (origin[1],)
        made = await self.wasi.call(full, *given, *MORE.get(kind, ()))
        if kind in ONCE and not hasattr(made, "children"):
            return  # it was made before, and dropped
        if kind in TAKEN:
            self.held = [each for each in self.held if each is not origin]
        self.held.append((kind, made, origin))

    def has_children(self, one):
        return any(each[2] is one and each[0] in PARENTS for each in self.held)

    def drop(self, number):
        """Drop one; whether the guest goes on."""
        one = self.held[number % len(self.held)]
        if self.has_children(one):
            with pytest.raises(StopGuest) as caught:
                release(one[1])
            assert caught.value.reason is TrapReason.OTHER
            return False
        release(one[1])
        self.held = [each for each in self.held if each is not one]
        return True


def open_now():
    return len(list(Path("/proc/self/fd").iterdir()))


async def walk(folder, given):
    at = str(folder)
    can = [
        grant("/data/**", at=at) for grant in (read_files, write_files, delete_files)
    ]
    async with trio.open_nursery() as nursery:
        before = open_now()
        wasi = WasiCalls(FakeServices(can=can), nursery)
        root = (await wasi.folders())["/data"]
        walked, goes_on = Walk(wasi, root), True
        for kind, number in given:
            if kind != "drop":
                await walked.make(kind, number)
            elif walked.held:
                goes_on = walked.drop(number)
                if not goes_on:
                    break
        while goes_on and walked.held:  # the rest, children first
            leaves = [e for e in walked.held if not walked.has_children(e)]
            walked.drop(walked.held.index(leaves[-1]))
        if goes_on:
            assert wasi.context._handles == 0
            assert wasi.context.keep("files", None).usage.open_files == 0
        for _, thing, _ in walked.held:  # as when the instance is closed
            thing.let_go()
        wasi.context.close()
        await trio.testing.wait_all_tasks_blocked()
        assert wasi.context.tasks == 0
        assert open_now() == before


@pytest.mark.skipif(not has_openat2(), reason="no openat2: no files")
@settings(max_examples=60, deadline=None)
@given(given=steps)
def test_whatever_is_made_and_dropped_in_any_order_nothing_is_left(
    tmp_path_factory, given
):
    folder = tmp_path_factory.mktemp("walk")
    (folder / "a").write_text("a")
    trio.run(walk, folder, given)
