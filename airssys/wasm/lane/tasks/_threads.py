"""Tasks, their threads, and which of these may go on.

The theory. A call of a guest is a *task*. Its code runs in a *thread*, which is a stack
of frames: `Steps`, written here as generators, and calls of core functions. A step says
what it wants next by what it yields: to `Run` a core function, to `Wait` until something
is so, to `Resume` another thread first. A core function that calls a built-in which
cannot answer at once waits below the steps of that built-in. Nothing here knows how a
core function runs; all that is asked of it is `CoreCall`.

One thread runs at a time. A thread that another one resumed runs until it ends or waits;
then the other one goes on. This is the order of the reference, `definitions.py` of
WebAssembly/component-model: what a task may do in the middle of whose call follows
from it. Between two calls of the scheduler everything that waits is in `waiting`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Generator
from typing import Any, Protocol, TypeAlias, final

import attrs

from airssys.wasm.lane.abi import (
    CallScope,
    ComponentState,
    Rule,
    RuleBroken,
    leave,
)

Cores: TypeAlias = tuple[int | float, ...]
_MOST_BACKPRESSURE = 2**16


@final
@attrs.frozen(eq=False)
class Run:
    """Call a core function; gives its results."""

    function: object
    arguments: Cores


@final
@attrs.frozen(eq=False)
class Wait:
    """Let others go on until something is so; gives whether it was cancelled instead."""

    is_ready: Callable[[], bool]
    is_cancellable: bool = False
    gives_way: bool = True
    """Whether others get their turn even if it is so already."""


@final
@attrs.frozen(eq=False)
class Resume:
    """Let another thread run first, until it ends or waits."""

    thread: Thread
    is_cancelled: bool = False


@final
@attrs.frozen(eq=False)
class Outside:
    """Let nothing go on until the host has done something."""

    is_ready: Callable[[], bool]


Request: TypeAlias = Run | Wait | Resume | Outside
Steps: TypeAlias = Generator[Request, Any, Any]


class CoreCall(Protocol):
    """A core function that runs."""

    def poll(self) -> Cores | Steps | None:
        """Go on; give its results, or what it waits for, or None when it gave way."""
        ...

    def answer(self, results: Cores) -> None:
        """Say what came of the steps that it waits for."""
        ...


@final
class Instance:
    """What is kept of one component instance."""

    def __init__(self, state: ComponentState) -> None:
        self.state = state
        self.backpressure = 0
        self.entering = 0
        """The number of tasks that wait to enter."""
        self.exclusive: Thread | None = None
        """The one thread that may run code which is not written to be interrupted."""
        self.threads: list[Thread] = []

    def press(self, by: int) -> None:
        """Raise or lower the backpressure.

        Raises:
            RuleBroken: it was not raised before, or too often.
        """
        self.backpressure += by
        if not 0 <= self.backpressure < _MOST_BACKPRESSURE:
            raise RuleBroken(Rule.BACKPRESSURE_IN_RANGE, self.backpressure)


@final
class TaskState(enum.Enum):
    """How far a task has come."""

    INITIAL = 1
    STARTED = 2
    PENDING_CANCEL = 3
    CANCEL_DELIVERED = 4
    RESOLVED = 5


@final
@attrs.frozen(eq=False)
class Kind:
    """What of a lifted function matters to its tasks."""

    is_async: bool
    """Whether its type is that of an asynchronous function."""
    is_async_lifted: bool
    """Whether the core function returns through `task.return`."""
    has_callback: bool
    returns: object = None
    """What a task returns, and how; to be compared with what `task.return` was made for."""

    @property
    def is_exclusive(self) -> bool:
        """Whether its code is not written to be interrupted."""
        return not self.is_async_lifted or self.has_callback


@final
class Task:
    """One call of a guest."""

    def __init__(
        self,
        kind: Kind,
        instance: Instance,
        on_start: Callable[[], Any],
        on_resolve: Callable[[Any], None],
        about: object = None,
        *,
        is_from_outside: bool = False,
    ) -> None:
        """Make a task that has not begun.

        Args:
            kind: of its function.
            instance: that it is in.
            on_start: gives its arguments, as it starts.
            on_resolve: is given its result in a tuple, or None if it was cancelled.
            about: whatever the maker wants to find again.
            is_from_outside: whether the program made the call.
        """
        self.is_from_outside = is_from_outside
        self.kind, self.instance, self.about = kind, instance, about
        self._on_start, self._on_resolve = on_start, on_resolve
        self.state = TaskState.INITIAL
        self.scope = CallScope()
        """What it was lent."""
        self.threads: list[Thread] = []
        self.first: Thread | None = None

    @property
    def is_resolved(self) -> bool:
        """Whether it has returned or was cancelled."""
        return self.state is TaskState.RESOLVED

    @property
    def is_cancelled(self) -> bool:
        """Whether it was asked to end."""
        return self.state in {TaskState.PENDING_CANCEL, TaskState.CANCEL_DELIVERED}

    def start(self) -> Any:
        """Begin; returns the arguments."""
        self.state = TaskState.STARTED
        return self._on_start()

    def resolve(self, result: tuple[Any, ...] | None) -> None:
        """Return, or be cancelled.

        Raises:
            RuleBroken: it may not, now.
        """
        if result is not None and self.is_resolved:
            raise RuleBroken(Rule.RETURNS_ONCE, "task.return")
        if result is None and self.state is not TaskState.CANCEL_DELIVERED:
            raise RuleBroken(Rule.CANCELS_IF_ASKED, self.state.name)
        if self.scope.borrows:
            raise RuleBroken(Rule.BORROWS_RETURNED, f"{self.scope.borrows} of them")
        self._on_resolve(result)
        self.state = TaskState.RESOLVED

    def deliver_cancel(self, *, is_cancellable: bool) -> bool:
        """Say whether a request to end is to be delivered here, and note that it is."""
        if is_cancellable and self.state is TaskState.PENDING_CANCEL:
            self.state = TaskState.CANCEL_DELIVERED
            return True
        return False

    def enter(self, thread: Thread) -> Steps:
        """Wait until it may begin; gives whether it may, and was not cancelled."""
        instance, kind = self.instance, self.kind
        self.first = thread
        if kind.is_async:
            if self._is_held_back() or instance.entering:
                instance.entering += 1
                is_cancelled = yield Wait(
                    lambda: not self._is_held_back(), is_cancellable=True
                )
                instance.entering -= 1
                if is_cancelled:
                    self.resolve(None)
                    return False
            if kind.is_exclusive:
                instance.exclusive = thread
        self.threads.append(thread)
        instance.threads.append(thread)
        return True

    def _is_held_back(self) -> bool:
        instance = self.instance
        is_taken = self.kind.is_exclusive and instance.exclusive is not None
        return instance.backpressure > 0 or is_taken

    def exit(self, thread: Thread) -> None:
        """Note that its thread ends.

        Raises:
            RuleBroken: it has not returned.
        """
        self.threads.remove(thread)
        if not self.threads and not self.is_resolved:
            raise RuleBroken(Rule.RETURNS, "its code has ended")
        self.instance.threads.remove(thread)
        if self.kind.is_async and self.kind.is_exclusive:
            self.instance.exclusive = None

    def request_cancel(self, caller: ComponentState | None) -> Steps:
        """Ask it to end."""
        if self.state is TaskState.INITIAL:
            assert self.first is not None  # noqa: S101  # it waits to enter
            self.state = TaskState.CANCEL_DELIVERED
            yield Resume(self.first, is_cancelled=True)
            return
        found = self._to_cancel()
        if found is None or not _may_enter(self.instance.state, caller):
            self.state = TaskState.PENDING_CANCEL
            return
        self.state = TaskState.CANCEL_DELIVERED
        entered = self.instance.state.enter(caller)
        yield Resume(found, is_cancelled=True)
        leave(entered)

    def _to_cancel(self) -> Thread | None:
        holder = self.instance.exclusive
        is_barred = self.kind.is_exclusive and holder not in {None, self.first}
        for thread in self.threads:
            if thread.is_cancellable and not (is_barred and thread is self.first):
                return thread
        return None


def _may_enter(state: ComponentState, caller: ComponentState | None) -> bool:
    outside = set(caller.around()) if caller is not None else set()
    return all(one.may_enter for one in state.around() if one not in outside)


@final
class Thread:
    """What runs code of a task; one of the host has no task."""

    def __init__(self, task: Task | None) -> None:
        self.task = task
        self.frames: list[Steps | CoreCall] = []
        self.storage = [0, 0]
        self.is_ready: Callable[[], bool] | None = None
        """What it waits for; None: it does not wait."""
        self.is_cancellable = False
        self.given: Any = None
        """What the innermost frame is given next."""


@final
class Scheduler:
    """Runs the threads of one store, one at a time."""

    def __init__(self, begin: Callable[[Thread, object, Cores], CoreCall]) -> None:
        """Make one without threads.

        Args:
            begin: begins to run a core function in a thread.
        """
        self._begin = begin
        self.running: list[Thread] = []
        """The innermost, which runs, is the last; it was resumed by the one before."""
        self.waiting: list[Thread] = []

    @property
    def current(self) -> Thread:
        """The thread that runs."""
        return self.running[-1]

    @property
    def is_idle(self) -> bool:
        """Whether no thread runs."""
        return not self.running

    def start(self, steps: Steps) -> None:
        """Run steps of the host, which are not of a task, after what runs."""
        thread = Thread(None)
        thread.frames.append(steps)
        self.running.insert(0, thread)

    def pick(self) -> bool:
        """When idle, let one go on that waits and may; returns whether there is one.

        The one that began to wait first comes first.
        """
        for thread in self.waiting:
            if thread.is_ready is not None and thread.is_ready():
                self.start(_enter_and_resume(thread))
                return True
        return False

    def go_on(self) -> bool:
        """Take the next step of the thread that runs; False: it has to give way.

        Raises:
            RuleBroken: what it does is not allowed.
        """
        thread = self.running[-1]
        frame = thread.frames[-1]
        if not isinstance(frame, Generator):
            return self._poll(thread, frame)
        if thread.is_ready is not None:  # it waits for the host
            if not thread.is_ready():
                return False
            thread.is_ready = None
        given, thread.given = thread.given, None
        try:
            request = frame.send(given)
        except StopIteration as end:
            self._return(thread, end.value)
        else:
            self._serve(thread, request)
        return True

    def _poll(self, thread: Thread, call: CoreCall) -> bool:
        outcome = call.poll()
        if outcome is None:
            return False
        if isinstance(outcome, tuple):
            self._return(thread, outcome)
        else:
            thread.frames.append(outcome)
        return True

    def _return(self, thread: Thread, value: Any) -> None:
        thread.frames.pop()
        if not thread.frames:
            self.running.remove(thread)
        elif isinstance(thread.frames[-1], Generator):
            thread.given = value
        else:
            thread.frames[-1].answer(value or ())

    def _serve(self, thread: Thread, request: Request) -> None:
        match request:
            case Run():
                call = self._begin(thread, request.function, request.arguments)
                thread.frames.append(call)
            case Resume():
                self.resume(request.thread, is_cancelled=request.is_cancelled)
            case Outside():
                thread.is_ready = request.is_ready
            case Wait():
                self._wait(thread, request)

    def _wait(self, thread: Thread, request: Wait) -> None:
        task = thread.task
        if task is not None and task.deliver_cancel(
            is_cancellable=request.is_cancellable
        ):
            thread.given = True
            return
        thread.given = False
        if not request.gives_way and request.is_ready():
            return
        thread.is_ready = request.is_ready
        thread.is_cancellable = request.is_cancellable
        self.running.remove(thread)
        self.waiting.append(thread)

    def resume(self, thread: Thread, *, is_cancelled: bool = False) -> None:
        """Run a thread that waits, or has not begun; what runs now goes on after it."""
        if thread.is_ready is not None:
            self.waiting.remove(thread)
            thread.is_ready = None
            thread.given = is_cancelled
        thread.is_cancellable = False
        self.running.append(thread)


def _enter_and_resume(thread: Thread) -> Steps:
    assert thread.task is not None  # noqa: S101  # the host's own never wait
    entered = thread.task.instance.state.enter(None)
    yield Resume(thread)
    leave(entered)
