"""Stands between a Python guest and its host, so that nothing it raises is lost.

The theory. A component built with `--stub-wasi` has no files, no clock and no stderr:
whatever touches them is a trap, and so is an exception that leaves the guest, because
Python wants to print its traceback. Hence this module is imported before the guest's
own, while the component is built and files still can be read, and

* wraps the guest's `ComponentLifecycle`: what it raises becomes the error of the
  function's result, or a line in the host's log where the function has none;
* turns into exceptions what would be a trap: imports, files, clocks, random bytes;
* sends what is printed to the host's log;
* loads the sources of the guest, so that tracebacks show lines.

One object of the guest's class serves all calls of an instance, so that `self` keeps
what it is given until the instance ends.
"""

import builtins
import importlib.abc
import inspect
import io
import linecache
import os
import sys
import time
import traceback
import typing
from importlib.machinery import PathFinder
from pathlib import Path

from componentize_py_types import Err
from wit_world.exports.component_lifecycle import ComponentMetadata
from wit_world.imports import errors, host_services
from wit_world.imports.types import HealthStatus, LogLevel

LONGEST = 16_000
"""Characters of a text for the host; the middle of a longer one is left out."""

FAILURES = {
    "initialize": (errors.ComponentError_InitializationFailed, errors.ComponentError),
    "handle_message": (errors.WasmError_RuntimeError, errors.WasmError),
    "handle_callback": (errors.WasmError_RuntimeError, errors.WasmError),
    "shutdown": (errors.ComponentError_ShutdownFailed, errors.ComponentError),
}
"""By function: what an exception becomes, and what may be raised with `Err`."""
FUNCTIONS = (*FAILURES, "metadata", "health")

SAMPLES = (
    "if 1: x = 1 / 0",
    "if 1: [][0]",
    "if 1: int(*[int('x')])",
    "if 1: pint(1)",
    "if 1: ''.spit()",
    "if 1: import nosuch",
    "if 1: from os import nosuch",
    "x =",
)
"""Each makes traceback import what it needs to tell of such an error."""


class _State:
    is_running = False
    """Not while the component is built: then there are files, and no host."""
    root = ""
    """The folder of the guest's sources, as the guest sees it."""


def is_running():
    return _State.is_running


# ------------------------------------------------------------------ texts


def sayable(text):
    """Make a text that WIT can carry and the host wants to keep."""
    text = text.encode("utf-8", "backslashreplace").decode()
    if len(text) > LONGEST:
        half = LONGEST // 2
        text = f"{text[:half]}\n... {len(text) - 2 * half} left out ...\n{text[-half:]}"
    return text


def told(error):
    """Tell an exception with its traceback, from the guest's own code on."""
    try:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        only = "".join(traceback.format_exception_only(error)).splitlines()
        first = next(line for line in only if line.strip() == line)
        lines = traceback.format_exception(type(error), error, trace)
        # The error itself comes first, because who shows one line only shows the first.
        text = f"{first}\n{''.join(lines)}".strip() if trace else first
    except BaseException:  # noqa: BLE001  # a guest's __str__ may do anything
        text = f"{type(error).__name__} (and it cannot be told)"
    return sayable(text.replace(f'File "{_State.root}/', 'File "'))


# ------------------------------------------------------------------ calls


def checked_answer(answer):
    if answer is None or type(answer) is bytes:
        return answer
    if isinstance(answer, bytes | bytearray | memoryview):
        return bytes(answer)
    found = type(answer).__name__
    raise TypeError(f"handle_message returned {found}, which is neither bytes nor None")


def checked_metadata(about):
    if not isinstance(about, ComponentMetadata):
        raise TypeError(
            f"metadata returned {type(about).__name__}, not ComponentMetadata"
        )
    for name in ("name", "version", "description", "author", "license"):
        if not isinstance(getattr(about, name), str):
            raise TypeError(f"ComponentMetadata.{name} is not a str")
    operations = about.supported_operations
    if not isinstance(operations, list | tuple) or not all(
        isinstance(each, str) for each in operations
    ):
        raise TypeError("ComponentMetadata.supported_operations is not a list of str")
    about.supported_operations = list(operations)
    about.stateful = bool(about.stateful)
    return about


def checked_health(health):
    if not isinstance(health, HealthStatus):
        raise TypeError(f"health returned {type(health).__name__}, not HealthStatus")
    return health


CHECKS = {
    "handle_message": checked_answer,
    "metadata": checked_metadata,
    "health": checked_health,
}


def typed(error, name):
    """Return the error of the function's result for what was raised in it."""
    make, may_be = FAILURES[name]
    if not isinstance(error, Err):
        return make(told(error))
    value = error.value
    if not isinstance(value, typing.get_args(may_be)):
        return make(told(error))  # the refusal of a host function, mostly
    has_text = hasattr(value, "value")
    return type(value)(sayable(str(value.value))) if has_text else value


def wrap(module):
    """Return the class that componentize-py calls, around that of a guest's module.

    Raises:
        TypeError: the module has no such class, or it lacks functions.
    """
    found = getattr(module, "ComponentLifecycle", None)
    if not isinstance(found, type):
        raise TypeError(f"{module.__name__} has no class ComponentLifecycle")
    abstract = getattr(found, "__abstractmethods__", ())
    lacking = [n for n in FUNCTIONS if n in abstract or not hasattr(found, n)]
    if lacking:
        raise TypeError(f"ComponentLifecycle does not define {', '.join(lacking)}")
    waiting = [n for n in FUNCTIONS if inspect.iscoroutinefunction(getattr(found, n))]
    if waiting:
        raise TypeError(
            f"{', '.join(waiting)} must not be async: calls to the host wait by themselves"
        )
    _State.root = str(Path(module.__file__).parent)
    made = []

    def call(name, *arguments):
        if not made:
            made.append(found())
        answer = getattr(made[0], name)(*arguments)
        return CHECKS[name](answer) if name in CHECKS else None

    return type(
        "ComponentLifecycle", (), {name: _method(name, call) for name in FUNCTIONS}
    )


def _method(name, call):
    def method(_self, *arguments):
        _begin_running()
        try:
            return call(name, *arguments)
        except BaseException as error:  # noqa: BLE001  # told to the host, whatever it is
            if name not in FAILURES:
                _log_and_trap(name, error)
            failure = typed(error, name)
        finally:
            _flush()
        # From None: the error must not keep what was raised, and all it refers to.
        raise Err(failure) from None

    return method


def _log_and_trap(name, error):
    context = [("function", name), ("exception", sayable(type(error).__name__))]
    host_services.log(LogLevel.ERROR, told(error), context)
    os.abort()


# ------------------------------------------------------------------ what is not there


class HostLog(io.TextIOBase):
    """Sends lines to the host's log; while the component is built, to the builder."""

    def __init__(self, level, at_build):
        self.level = level
        self.at_build = at_build
        self.begun = ""

    def writable(self):
        return True

    def write(self, text):
        if not is_running():
            return self.at_build.write(text)
        *lines, self.begun = (self.begun + text).split("\n")
        for line in lines:
            host_services.log(self.level, sayable(line), None)
        return len(text)

    def end_line(self):
        if self.begun:
            self.write("\n")

    def flush(self):
        if not is_running():
            self.at_build.flush()


def _flush():
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, HostLog):
            stream.end_line()


class WithoutColumns(traceback.FrameSummary):
    """A line of a traceback that is not underlined: for that, source is parsed."""

    def __init__(self, *arguments, **named):
        columns = {"end_lineno": None, "colno": None, "end_colno": None}
        super().__init__(*arguments, **named | columns)


BUILT_IN_COMPILE, BUILT_IN_EXEC = compile, exec


def compile_text(source, filename, mode, *arguments, **named):
    """Compile so that an error is an exception.

    The parser looks for the file to quote it, in C, and that is a trap; it does not look
    for a file whose name cannot be written.
    """
    if not is_running() or not isinstance(filename, str):
        return BUILT_IN_COMPILE(source, filename, mode, *arguments, **named)
    try:
        BUILT_IN_COMPILE(source, f"{filename}\udfff", mode, *arguments, **named)
    except SyntaxError as error:
        error.filename = filename
        # traceback would tokenize it, with the same end
        error._metadata = None  # noqa: SLF001  # there is no other way
        raise
    return BUILT_IN_COMPILE(source, filename, mode, *arguments, **named)


def exec_text(source, globals=None, locals=None, /, **named):  # noqa: A002  # its names
    """Run text so that an error in it is an exception."""
    if not is_running() or not isinstance(source, str | bytes):
        code = source
    else:
        code = compile_text(source, "<string>", "exec")
    caller = sys._getframe(1)  # noqa: SLF001  # there is no other way
    if globals is None:
        globals = caller.f_globals  # noqa: A001  # its name
        locals = caller.f_locals if locals is None else locals  # noqa: A001  # its name
    BUILT_IN_EXEC(code, globals, locals, **named)


class NoImports(importlib.abc.MetaPathFinder):
    """Refuses what was not imported when the component was built."""

    def find_spec(self, fullname, path=None, target=None):
        raise ModuleNotFoundError(
            f"{fullname} was not imported when the component was built, and a guest has"
            " no files to import it from: import it at the top of the module",
            name=fullname,
        )


def refuse(owner, name, why):
    """Replace a function that would be a trap at run time."""
    at_build = getattr(owner, name, None)
    if at_build is None:
        return

    def refused(*arguments, **named):
        if is_running():
            raise OSError(f"{owner.__name__}.{name}: {why}")
        return at_build(*arguments, **named)

    setattr(owner, name, refused)


def ask_host(name, at_run):
    """Replace a function of `time` by what the host offers."""
    at_build = getattr(time, name)
    setattr(time, name, lambda *a: at_run(*a) if is_running() else at_build(*a))


def _nanoseconds():
    now = host_services.current_time()
    return now.seconds * 1_000_000_000 + now.nanoseconds


def prepare():
    """Change the guest's Python before the guest's own module is imported."""
    sys.stdout = HostLog(LogLevel.INFO, sys.stdout)
    sys.stderr = HostLog(LogLevel.WARN, sys.stderr)
    no_files = "a guest has no files"
    for name in ("open", "stat", "listdir", "scandir", "mkdir", "remove", "getcwd"):
        refuse(os, name, no_files)
    refuse(builtins, "open", no_files)
    refuse(io, "open", no_files)
    refuse(os, "urandom", "a guest has no source of random bytes")
    for name in ("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"):
        refuse(time, name, "a guest has no such clock; time.time asks the host")
    traceback.FrameSummary = WithoutColumns
    builtins.compile, builtins.exec = compile_text, exec_text
    ask_host("time", lambda: _nanoseconds() / 1e9)
    ask_host("time_ns", _nanoseconds)
    ask_host("sleep", lambda s: host_services.sleep_millis(max(0, round(s * 1000))))


def finish():
    """Load, after the guest's module, what telling of its exceptions needs."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None) or ""
        if file.startswith(f"{_State.root}/"):
            lines = Path(file).read_text("utf-8", "replace").splitlines(keepends=True)
            # Without a time the entry is never compared with the file.
            linecache.cache[file] = (sum(map(len, lines)), None, lines, file)
    for sample in SAMPLES:
        linecache.cache["sample"] = (len(sample), None, [f"{sample}\n"], "sample")
        try:
            exec(compile(sample, "sample", "exec"), {})  # noqa: S102  # our own words
        except Exception as error:  # noqa: BLE001  # traceback imports what it needs
            told(ExceptionGroup("", [error]))
    del linecache.cache["sample"]
    linecache.updatecache = lambda *_: []


def _begin_running():
    if not _State.is_running:
        _State.is_running = True
        # What is frozen or built in can still be imported.
        finders = [each for each in sys.meta_path if each is not PathFinder]
        sys.meta_path[:] = [*finders, NoImports()]
