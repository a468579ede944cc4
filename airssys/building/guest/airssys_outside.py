"""Replaces what a Python guest does not have: it fails, or the host does it.

The theory. A component built with `--stub-wasi` has no files, no clock, no stdout and
no stderr: using one of them causes a trap, which code cannot catch. So the functions
that use them are replaced before the guest's own module is imported. That happens while
the component is built, when files can still be read and there is no host. At run time,
which begins with the first call,

* files, imports, random bytes and most clocks raise exceptions that explain this;
* the time of day comes from the host;
* printed text goes to the host's log.

A replaced function that is called while the component is built works as before.
"""

import builtins
import datetime as dt
import importlib.abc
import io
import os
import sys
import time
import traceback
from importlib.machinery import PathFinder

from wit_world.imports import host_services
from wit_world.imports.types import LogLevel

LONGEST = 16_000
"""Characters of a text for the host; of a longer text the middle is left out."""

FILE_FUNCTIONS = """
    access chdir getcwd link listdir lstat mkdir open readlink remove rename replace
    rmdir scandir stat symlink truncate unlink utime
"""
"""Functions of `os`."""


class _State:
    is_running = False


def is_running():
    return _State.is_running


def begin_running():
    if not _State.is_running:
        _State.is_running = True
        # Frozen and built-in modules can still be imported.
        finders = [each for each in sys.meta_path if each is not PathFinder]
        sys.meta_path[:] = [*finders, NoImports()]


def prepare():
    """Change the guest's Python before the guest's own module is imported."""
    sys.stdout = HostLog(LogLevel.INFO, sys.stdout)
    sys.stderr = HostLog(LogLevel.WARN, sys.stderr)
    sys.stdin = io.StringIO()
    no_files = "a guest has no files"
    for name in FILE_FUNCTIONS.split():
        refuse(os, name, no_files)
    refuse(builtins, "open", no_files)
    refuse(io, "open", no_files)
    refuse(os, "urandom", "a guest has no source of random bytes")
    for name in ("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"):
        refuse(time, name, "a guest has no such clock; time.time asks the host")
    traceback.FrameSummary = WithoutColumns
    builtins.compile, builtins.exec = compile_text, exec_text
    tell_time()
    time.time = seconds_now
    ask_host("time_ns", _nanoseconds)
    ask_host("sleep", lambda s: host_services.sleep_millis(max(0, round(s * 1000))))


def sayable(text):
    """Make a text that WIT can carry and that is not too long for the host's log."""
    text = text.encode("utf-8", "backslashreplace").decode()
    if len(text) > LONGEST:
        half = LONGEST // 2
        text = f"{text[:half]}\n... {len(text) - 2 * half} left out ...\n{text[-half:]}"
    return text


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


def end_lines():
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, HostLog):
            stream.end_line()


class WithoutColumns(traceback.FrameSummary):
    """A line of a traceback without markers, which would need its source parsed."""

    def __init__(self, *arguments, **named):
        columns = {"end_lineno": None, "colno": None, "end_colno": None}
        super().__init__(*arguments, **named | columns)


BUILT_IN_COMPILE, BUILT_IN_EXEC = compile, exec


def compile_text(source, filename, mode, *arguments, **named):
    """Compile so that an error is an exception.

    The parser opens the file to quote it, in C, and that is a trap. It does not open
    a file whose name cannot be encoded.
    """
    if not is_running() or not isinstance(filename, str):
        return BUILT_IN_COMPILE(source, filename, mode, *arguments, **named)
    try:
        BUILT_IN_COMPILE(source, f"{filename}\udfff", mode, *arguments, **named)
    except SyntaxError as error:
        error.filename = filename
        # traceback would tokenize it, and cause the same trap
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
    """Refuses modules that were not imported when the component was built."""

    def find_spec(self, fullname, path=None, target=None):
        raise ModuleNotFoundError(
            f"{fullname} was not imported when the component was built, and a guest has"
            " no files to import it from: import it at the top of the module",
            name=fullname,
        )


def refuse(owner, name, why):
    """Replace a function that would cause a trap at run time."""
    at_build = getattr(owner, name, None)
    if at_build is None:
        return

    def refused(*arguments, **named):
        if is_running():
            raise OSError(f"{owner.__name__}.{name}: {why}")
        return at_build(*arguments, **named)

    setattr(owner, name, refused)


def ask_host(name, at_run):
    """Replace a function of `time` with the host's."""
    at_build = getattr(time, name)
    setattr(time, name, lambda *a: at_run(*a) if is_running() else at_build(*a))


def _nanoseconds():
    now = host_services.current_time()
    return now.seconds * 1_000_000_000 + now.nanoseconds


NOW = time.time
"""The clock while the component is built; `prepare` makes `time.time` the host's."""


class _LikeAnother(type):
    """Makes `isinstance` accept objects of the original classes."""

    def __instancecheck__(cls, value):
        return isinstance(value, cls.stands_for)

    def __subclasscheck__(cls, other):
        return issubclass(other, cls.stands_for)


class Date(dt.date, metaclass=_LikeAnother):
    """`datetime.date`, with the host's clock."""

    stands_for = dt.date

    @classmethod
    def today(cls):
        return cls.fromtimestamp(seconds_now())


class DateTime(dt.datetime, metaclass=_LikeAnother):
    """`datetime.datetime`, with the host's clock."""

    stands_for = dt.datetime

    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(seconds_now(), tz)

    @classmethod
    def today(cls):
        return cls.now()

    @classmethod
    def utcnow(cls):
        return cls.now(dt.UTC).replace(tzinfo=None)


def seconds_now():
    return _nanoseconds() / 1e9 if is_running() else NOW()


def tell_time():
    """Replace functions that read the current time in C with the host's time."""

    def of_now(function):
        return lambda seconds=None, /: function(
            seconds_now() if seconds is None else seconds
        )

    for name in ("localtime", "gmtime", "ctime"):
        setattr(time, name, of_now(getattr(time, name)))
    strftime, asctime = time.strftime, time.asctime
    time.strftime = lambda how, when=None, /: strftime(how, when or time.localtime())
    time.asctime = lambda when=None, /: asctime(when or time.localtime())
    dt.date, dt.datetime = Date, DateTime
