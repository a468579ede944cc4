"""The functions of WASI, called as a guest would, without a guest."""

from __future__ import annotations

import inspect

from airssys.contracts import Limits
from airssys.wasm import Err, Ok
from airssys.wasm.host.wasi import WASI_INTERFACES


class WasiCalls:
    """One instance's functions of WASI; tasks that they start run in a nursery."""

    def __init__(self, services, nursery=None, **limits):
        (make,) = {each.make_context for each in WASI_INTERFACES}
        self.context = make(services, Limits(**limits))
        self.context.take_nursery(nursery)
        self.services = services

    def interface(self, name):
        """Find an interface by its name without package and version."""
        (found,) = [
            each for each in WASI_INTERFACES if each.gives(f"wasi:{name}@0.2.1")
        ]
        return found

    async def call(self, full, *arguments):
        """Call a function, first without waiting; answer what the guest would see.

        Of a function whose result is a `result`, that is what is in it: the value, or an
        `Err` with the error code.
        """
        where, _, name = full.partition("#")
        interface = self.interface(where)
        function = interface.functions[name]
        try:
            answer = None
            if function.at_once is not None:
                answer = function.at_once(self.context, *arguments)
            if answer is None:
                answer = function.act(self.context, *arguments)
            if inspect.isawaitable(answer):
                answer = await answer
        except tuple(interface.errors) as error:
            make = next(m for k, m in interface.errors.items() if isinstance(error, k))
            return Err(make(error))
        return answer.value if type(answer) is Ok else answer

    async def file(self, name, descriptor, *arguments):
        """Call a method of a descriptor."""
        full = f"filesystem/types#[method]descriptor.{name}"
        return await self.call(full, descriptor, *arguments)

    async def folders(self):
        """The folders that the guest begins with, by the paths that it sees."""
        found = await self.call("filesystem/preopens#get-directories")
        return {path: descriptor for descriptor, path in found}

    async def open(self, folder, path, flags="read", make=(), follow=True):
        """Open a path below a descriptor; flags are words."""
        path_flags = frozenset({"symlink-follow"} if follow else ())
        given = frozenset(make), frozenset(flags.split())
        return await self.file("open-at", folder, path_flags, path, *given)

    def drop(self, thing):
        """Let go of a resource, as a guest that drops its handle."""
        thing.context.release_handle()
        thing.let_go()
