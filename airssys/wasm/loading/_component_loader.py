"""From bytes to a component that is checked and compiled, away from the Trio thread.

Theory. A load has two steps, each in a thread of its own. The first one finds out what
is to be loaded; for code that was compiled before, that is all. The second one
compiles. A compiler cannot be stopped. So code that would take long is refused
beforehand, by its size and number of functions, which are read from the file. If
compiling still takes long, the component is refused at the time limit, while the
compiler counts as running until it ends. So there are never more compiling threads than
are allowed.
"""

from __future__ import annotations

import functools
import hashlib
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar, cast, final

import attrs
import trio
import wasmtime
from wasmtime.component import Component as Compiled

from airssys.contracts import (
    Artifact,
    ComponentRefused,
    InternalError,
    SourceArea,
    repr_of,
)
from airssys.wasm.artifacts import (
    Footprint,
    advice_for,
    check_counts,
    check_digest,
    check_wasi,
    check_world,
    count,
    export_names,
    first_lines,
    import_names,
    is_program,
    opened,
    read,
    refusing,
    to_binary,
)
from airssys.wasm.cache import ArtifactCache, Kept, KeptParts
from airssys.wasm.host import (
    CORE_INTERFACES,
    EXPORTS,
    LIFECYCLE,
    STATE_EXPORTS,
    STATE_HANDOVER,
    HostInterface,
    HostTable,
    bind,
    check_distinct,
    full_name,
    read_imports,
)
from airssys.wasm.host.wasi import wasi_beside
from airssys.wasm.instances import (
    EXPORT_NUMBERS,
    Code,
    Component,
    CoreProgram,
    Runtime,
    adopt,
    export_index,
    identity,
    run_whole,
)
from airssys.wasm.lane.core import (
    CoreCode,
    CoreHost,
    CoreParts,
    NotTakenApart,
    TakenApart,
    host_calls,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from airssys.contracts import LoadedComponent
    from airssys.wasm.lane.core import SharedModule


SLOW_AFTER: Final = 1.0
"""Seconds of compiling after which the slow component is reported."""

_FULL_NAMES: Final = {
    name: f"{full_name(interface)}#{name}"
    for interface, members in ((LIFECYCLE, EXPORTS), (STATE_HANDOVER, STATE_EXPORTS))
    for name in members
}
"""Of the functions that an actor's component may export."""

_T = TypeVar("_T")


@final
@attrs.frozen
class _Source:
    """Code that must be compiled."""

    code: bytes
    digest: str


@final
@attrs.frozen
class _Ready:
    """The result of a worker thread; none of it must be undone."""

    kept: Kept | KeptParts
    further: HostTable | None
    """What the host provides in addition to our world."""
    why_whole: str | None = None
    """Why it was not split, if that was tried."""
    digest: str = ""
    """SHA-256 of the component, if it was split."""


ProgramLoader: TypeAlias = "Callable[[Loader, Artifact], Awaitable[LoadedComponent]]"


class _Program(Exception):  # steers the loader
    """What is loaded is a program, which is loaded in another way."""


@final
class Loader:
    """Loads components for one runtime (the port `ComponentLoader`)."""

    def __init__(
        self,
        runtime: Runtime,
        cache: ArtifactCache | None,
        report: Callable[[str], None] | None = None,
        load_program: ProgramLoader | None = None,
    ) -> None:
        self.runtime = runtime
        self.cache = cache
        """Where compiled code is kept; None: nowhere."""
        self._report, self._load_program = report, load_program
        self._loaded: dict[Artifact, LoadedComponent] = {}
        self._whole: Runtime | None = None
        """The same runtime, for components that run whole and get nothing else."""
        self._locks: dict[Artifact, trio.Lock] = {}

    async def load(self, artifact: Artifact) -> LoadedComponent:
        """Read, check and compile an artifact. Equal artifacts are compiled once.

        A cancelled load returns without waiting for the compiler.

        Raises:
            ComponentRefused: It cannot be run here.
        """
        async with self._locks.setdefault(artifact, trio.Lock()):
            if artifact not in self._loaded:
                self._loaded[artifact] = await self._load(artifact)
            return self._loaded[artifact]

    async def _load(self, artifact: Artifact) -> LoadedComponent:
        try:
            return self._adopt(artifact, await self._find_or_compile(artifact))
        except _Program:
            if self._load_program is None:
                raise InternalError("no part loads programs") from None
            return await self._load_program(self, artifact)

    async def _find_or_compile(self, artifact: Artifact) -> _Ready:
        found = await trio.to_thread.run_sync(
            functools.partial(self._find, artifact),
            abandon_on_cancel=True,
            limiter=self.runtime.readers,
        )
        if isinstance(found, _Ready):
            return found
        compile_it = functools.partial(self._compile, artifact, found)
        return await self.compile_in_time(artifact.label, compile_it)

    async def compile_in_time(self, label: str, work: Callable[[], _T]) -> _T:
        """Have a thread compile, when there is room for it.

        Raises:
            ComponentRefused: It takes too long.
        """
        seconds = self.runtime.settings.compile_time
        scope = trio.CancelScope()
        limiter = _CompileLimiter(
            self.runtime.compilers,
            scope,
            seconds,
            functools.partial(self._report_slow, label),
        )
        with scope:
            try:
                return await trio.to_thread.run_sync(
                    work,
                    abandon_on_cancel=True,
                    limiter=cast("trio.CapacityLimiter", limiter),
                )
            finally:
                limiter.stop_clock()
        raise ComponentRefused(
            label,
            f"compiling it takes more than {seconds:g} s (compile_time)",
            "Split its largest functions, or raise EngineSettings.compile_time",
        )

    def _report_slow(self, label: str) -> None:
        if self._report is None:
            return
        if self.cache is None:
            then = "at each start, because compiled components are not kept"
        else:
            then = "once"
        self._report(f"compiling {label}: this takes a while, {then}")

    # Both run in worker threads. They do everything that is slow, and nothing that must
    # be undone if the caller stops waiting.

    def _find(self, artifact: Artifact) -> _Ready | _Source:
        """Read an artifact, or find it in the cache, large files without reading."""
        most = self.runtime.settings.component_bytes
        cache = self.cache
        if cache is None or not isinstance(artifact.source, Path):
            code = read(artifact, most)
            digest = hashlib.sha256(code).hexdigest()
        else:
            path = artifact.source
            with opened(path, artifact.label, most) as reading:
                before = reading.status()
                recognised = cache.recognise(path, before)
                ready = recognised and self._find_kept(artifact, recognised)
                if ready:
                    return ready
                code = reading.read()
                digest = hashlib.sha256(code).hexdigest()
                cache.remember(path, before, reading.status(), digest)
        return self._find_kept(artifact, digest) or _Source(code, digest)

    def _find_kept(self, artifact: Artifact, digest: str) -> _Ready | None:
        """Find the compiled form of a component, whole or split, as configured."""
        check_digest(artifact, digest)
        if self.cache is not None and self.cache.is_program(digest):
            raise _Program
        if self.runtime.settings.lane != "own":
            return self._find_whole(artifact, digest)
        if self.cache is None:
            return None
        engine = self.runtime.engine.wasmtime
        kept = self.cache.find_parts(engine, _with_host(digest, artifact))
        if kept is None:
            return None
        check_counts(kept.footprint, artifact.label, self.runtime.settings)
        if not given_to(artifact, _interfaces_of(kept.parts)):
            return _Ready(kept, None, digest=digest)
        whole = Compiled(engine, kept.parts.skeleton)
        try:
            return _Ready(kept, self._further(artifact, whole), digest=digest)
        finally:
            whole.close()

    def find_module(self, digest: str) -> wasmtime.Module | None:
        """Find the compiled form of a core module that another component contains too."""
        if self.cache is None:
            return None
        return self.cache.find_module(self.runtime.engine.wasmtime, digest)

    def keep_modules(self, modules: Sequence[SharedModule], label: str) -> None:
        """Keep those that are new, for all components that contain them."""
        if self.cache is not None:
            self.cache.keep_modules(modules, label)

    def _find_whole(self, artifact: Artifact, digest: str) -> _Ready | None:
        if self.cache is None:
            return None
        found = _with_host(digest, artifact)
        kept = self.cache.find(self.runtime.engine.wasmtime, found)
        if kept is None:
            return None
        # It fits the world: only such components are cached, and the cache key includes
        # the world and the other interfaces. But the limits may have changed.
        check_counts(kept.footprint, artifact.label, self.runtime.settings)
        return _Ready(kept, self._further(artifact, kept.compiled))

    def _further(self, artifact: Artifact, compiled: Compiled) -> HostTable | None:
        """Bind the imports that are not of our world; None if it gets no others."""
        kind = compiled.type.imports(self.runtime.engine.wasmtime)
        given = given_to(artifact, kind)
        if not given:
            return None
        engine, label = self.runtime.engine.wasmtime, artifact.label
        imported = read_imports(engine, compiled, label, CORE_INTERFACES)
        return bind(imported, given, label)

    def _compile(self, artifact: Artifact, source: _Source) -> _Ready:
        area = SourceArea.of(source.code)
        if area is not None and self.cache is not None:
            ready = self._compile_filled(artifact, source.code, area)
            if ready is not None:
                return ready
        return self._compile_all(artifact, source)

    def _compile_filled(
        self, artifact: Artifact, code: bytes, area: SourceArea
    ) -> _Ready | None:
        """Compile a component that was built for development.

        What is compiled, and kept, is the component without the guest's sources. They
        are written into its compiled form, which is then what compiling them would
        have given.
        """
        emptied = area.emptied(code)
        digest = hashlib.sha256(emptied).hexdigest()
        empty = self._find_kept(artifact, digest) or self._compile_all(
            artifact, _Source(emptied, digest)
        )
        kept, engine = empty.kept, self.runtime.engine.wasmtime
        empty_form = kept.parts if isinstance(kept, KeptParts) else kept.compiled
        filled = area.filled_compiled(code, bytes(empty_form.serialize()))
        if filled is None:
            return None
        if isinstance(kept, KeptParts):
            parts = CoreParts.deserialize(engine, filled)
            return attrs.evolve(empty, kept=attrs.evolve(kept, parts=parts))
        whole = Compiled.deserialize(engine, filled)
        kept.compiled.close()
        return attrs.evolve(empty, kept=attrs.evolve(kept, compiled=whole))

    def _compile_all(self, artifact: Artifact, source: _Source) -> _Ready:
        label, settings = artifact.label, self.runtime.settings
        engine = self.runtime.engine.wasmtime
        binary = to_binary(source.code, label)
        found = count(binary, label)
        check_counts(found, label, settings)
        names = import_names(binary)
        given = given_to(artifact, names)
        check_wasi([n for n in names if not any(i.gives(n) for i in given)], label)
        if is_program(export_names(binary)):
            if self.cache is not None:
                self.cache.note_program(source.digest)
            raise _Program
        why_whole = None
        if settings.lane == "own":
            try:
                ready, parts = self._take_apart(artifact, binary, found)
            except NotTakenApart as error:
                why_whole = str(error)
            else:
                self._keep(artifact, source, parts, found)
                return attrs.evolve(ready, digest=source.digest)
            whole = self._find_whole(artifact, source.digest)
            if whole is not None:
                return attrs.evolve(whole, why_whole=why_whole)
        compiled = compile_binary(engine, binary, label)
        check_world(engine, compiled, label, given)
        further = self._further(artifact, compiled)
        self._keep(artifact, source, compiled, found)
        return _Ready(Kept(compiled, found), further, why_whole)

    def _keep(
        self,
        artifact: Artifact,
        source: _Source,
        compiled: Compiled | CoreParts,
        found: Footprint,
    ) -> None:
        if self.cache is not None:
            digest = _with_host(source.digest, artifact)
            self.cache.keep(digest, compiled, found, artifact.label)

    def _take_apart(
        self, artifact: Artifact, binary: bytes, found: Footprint
    ) -> tuple[_Ready, CoreParts]:
        """Split a component and compile its modules, each once.

        wasmtime validates the skeleton. A component that it refuses is compiled whole,
        so that the refusal has the same text on every lane.

        Raises:
            ComponentRefused: It does not fit the world.
            NotTakenApart: The lane cannot run it, or it is not valid.
        """
        engine, label = self.runtime.engine.wasmtime, artifact.label
        with refusing(label):
            apart = TakenApart.of(engine, binary)
        try:
            names = apart.validated.type.imports(engine)
            check_world(engine, apart.validated, label, given_to(artifact, names))
            further = self._further(artifact, apart.validated)
        finally:
            apart.validated.close()
        with refusing(label):
            parts = apart.compile(engine, self.find_module)
        return _Ready(KeptParts(parts, found), further), parts

    def _adopt(self, artifact: Artifact, ready: _Ready) -> Component:
        engine, kept, runtime = self.runtime.engine, ready.kept, self.runtime
        engine.check()
        if isinstance(kept, KeptParts):
            return self._adopt_parts(artifact, kept, ready)
        pointer = adopt(engine, kept.compiled)
        found = {
            name: export_index(engine, pointer, full)
            for name, full in _FULL_NAMES.items()
        }
        exports = {name: index for name, index in found.items() if index is not None}
        code = Code(
            artifact.label,
            pointer,
            exports,
            kept.footprint,
            why_whole=ready.why_whole,
        )
        if ready.further is not None:
            table = runtime.table.joined(ready.further)
            return Component(run_whole(runtime, table), code)
        if self._whole is None:
            self._whole = run_whole(runtime)
        return Component(self._whole, code)

    def _adopt_parts(
        self, artifact: Artifact, apart: KeptParts, ready: _Ready
    ) -> Component:
        runtime, parts, further = self.runtime, apart.parts, ready.further
        table = runtime.table
        if further is not None:
            table = table.joined(further)
            runtime = runtime.with_table(table)
        host = CoreHost(table.instant(parts.plan.imports))
        core = CoreCode(runtime.engine, parts.plan, parts.linking, parts.modules, host)
        imported = [each.name for each in core.imports.values()]
        functions = {name: table.number_of(name) for name in imported}
        names = _FULL_NAMES
        exports = {
            name: number
            for name, number in EXPORT_NUMBERS.items()
            if names[name] in core.exports
        }
        program = CoreProgram(
            core,
            [names[name] for name in EXPORT_NUMBERS],
            host_calls(core, functions),
            identity(ready.digest),
        )
        code = Code(artifact.label, 0, exports, apart.footprint, program)
        return Component(runtime, code, self.cache)


@final
class _CompileLimiter:
    """A limiter that starts a clock when it has room, so that waiting does not count.

    Trio accepts any object that can be acquired and released. It releases the limiter when
    the thread ends, not when the caller stops waiting. The clock is the machine's:
    Trio's may be a test's, which jumps while nothing happens but compiling.
    """

    def __init__(
        self,
        limiter: trio.CapacityLimiter,
        scope: trio.CancelScope,
        seconds: float,
        report: Callable[[], None],
    ) -> None:
        self._limiter, self._scope, self._report = limiter, scope, report
        self._token = trio.lowlevel.current_trio_token()
        first = min(seconds, SLOW_AFTER)
        self._rest = seconds - first
        self._clock = threading.Timer(first, self._ring)
        self._clock.daemon = True

    def _ring(self) -> None:
        with suppress(trio.RunFinishedError):
            if self._rest > 0:
                self._token.run_sync_soon(self._report)
                if self._clock.finished.wait(self._rest):
                    return
            self._token.run_sync_soon(self._scope.cancel)

    def stop_clock(self) -> None:
        """Cancel the alarm, and end its thread."""
        self._clock.cancel()
        if self._clock.is_alive():
            self._clock.join()

    async def acquire_on_behalf_of(self, borrower: object) -> None:
        await self._limiter.acquire_on_behalf_of(borrower)
        try:
            self._clock.start()
        except RuntimeError:  # the machine has no more threads
            self._limiter.release_on_behalf_of(borrower)
            raise

    def release_on_behalf_of(self, borrower: object) -> None:
        self._limiter.release_on_behalf_of(borrower)


def given_to(
    artifact: Artifact, imported: Iterable[str] = ()
) -> tuple[HostInterface, ...]:
    """What the host gives a component beside our world.

    Args:
        artifact: The component.
        imported: The names of the interfaces that it imports; those of WASI are given to
            one that imports some, unless its program gives it others of that name.

    Raises:
        ComponentRefused: it is nothing that can be given, or gives one thing twice.
    """
    given = []
    for each in artifact.host:
        if not isinstance(each, HostInterface):
            raise ComponentRefused(
                artifact.label,
                f"its host gives it {repr_of(each, 80)}, which is not a HostInterface",
                "Write host=[HostInterface(...)], from airssys.wasm",
            )
        given.append(each)
    check_distinct((*CORE_INTERFACES, *given), artifact.label)
    return (*given, *wasi_beside(given, imported))


def _interfaces_of(parts: CoreParts) -> set[str]:
    """Name the interfaces that a component imports functions or resources of."""
    names = (*parts.plan.imports, *parts.plan.resources)
    return {name.rpartition("#")[0] for name in names}


def _with_host(digest: str, artifact: Artifact) -> str:
    """Mark what is kept with what it was checked against, beside our world."""
    given = given_to(artifact)
    if not given:
        return digest
    text = " ".join((digest, *(each.signature for each in given)))
    return hashlib.sha256(text.encode()).hexdigest()


def compile_binary(engine: wasmtime.Engine, code: bytes, label: str) -> Compiled:
    """Compile; takes 5 ms for a small component and half a minute for a Python guest.

    Raises:
        ComponentRefused: It is malformed or uses features that this engine does not
            have.
    """
    try:
        return Compiled(engine, code)
    except wasmtime.WasmtimeError as error:
        raise ComponentRefused(
            label,
            f"wasmtime refuses it: {first_lines(error)}",
            advice_for(str(error)),
        ) from error
