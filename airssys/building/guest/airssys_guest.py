"""Wraps a Python guest, so that no exception that it raises is lost.

The theory. An exception that leaves a guest without a stderr causes a trap, because
Python tries to print its traceback. Hence the guest's `ComponentLifecycle` is wrapped:
its exceptions become the error of the function's result or, if the function has none, a
line in the host's log. The sources of the guest are loaded while the component is
built, so that tracebacks show lines. `airssys_outside` handles everything else that
would be a trap.

One object of the guest's class serves all calls of an instance, so that its attributes
stay until the instance ends.
"""

import inspect
import linecache
import os
import sys
import traceback
import typing
from pathlib import Path

from airssys_outside import begin_running, end_lines, sayable
from componentize_py_types import Err
from wit_world.exports.component_lifecycle import ComponentMetadata
from wit_world.imports import errors, host_services
from wit_world.imports.types import HealthStatus, LogLevel

FAILURES = {
    "initialize": (errors.ComponentError_InitializationFailed, errors.ComponentError),
    "handle_message": (errors.WasmError_RuntimeError, errors.WasmError),
    "handle_callback": (errors.WasmError_RuntimeError, errors.WasmError),
    "shutdown": (errors.ComponentError_ShutdownFailed, errors.ComponentError),
}
"""By function: what an exception becomes, and what may be raised with `Err`."""
FUNCTIONS = (*FAILURES, "metadata", "health")
STATE_FUNCTIONS = ("export_state", "import_state")
"""Functions that a guest may define in addition; both or neither."""
for _name in STATE_FUNCTIONS:
    FAILURES[_name] = (errors.ComponentError_InvalidState, errors.ComponentError)

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
"""Each makes `traceback` import what it needs to format such an error."""


class _State:
    root = ""
    """The folder of the guest's sources, as the guest sees it."""
    guest = None
    """The guest's class, completed."""
    call = None
    """Calls a method of the one object of that class."""
    hands_over = False
    """Whether that class has the two functions for its state."""


def formatted(error):
    """Format an exception with its traceback, starting at the guest's own code."""
    try:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        only = "".join(traceback.format_exception_only(error)).splitlines()
        first = next(line for line in only if line.strip() == line)
        lines = traceback.format_exception(type(error), error, trace)
        # The error itself comes first, because some readers only show the first line.
        text = f"{first}\n{''.join(lines)}".strip() if trace else first
    except BaseException:  # noqa: BLE001, ASYNC103  # a __str__ may do anything
        text = f"{type(error).__name__} (and it cannot be formatted)"
    return sayable(text.replace(f'File "{_State.root}/', 'File "'))


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


def checked_state(state):
    if isinstance(state, bytes | bytearray | memoryview):
        return bytes(state)
    raise TypeError(f"export_state returned {type(state).__name__}, not bytes")


CHECKS = {
    "export_state": checked_state,
    "handle_message": checked_answer,
    "metadata": checked_metadata,
    "health": checked_health,
}


def typed(error, name):
    """Return the error of the function's result for what was raised in it."""
    make, may_be = FAILURES[name]
    if not isinstance(error, Err):
        return make(formatted(error))
    value = error.value
    if not isinstance(value, typing.get_args(may_be)):
        return make(formatted(error))  # usually the refusal of a host function
    has_text = hasattr(value, "value")
    return type(value)(sayable(str(value.value))) if has_text else value


class Defaults:
    """What a guest's class need not define; `handle_message` is required."""

    def initialize(self, config):
        pass

    def handle_callback(self, message):
        pass

    def metadata(self):
        about = inspect.getdoc(type(self)) or ""
        return ComponentMetadata(
            name=type(self).__module__,
            version="0",
            description=about.partition("\n")[0],
            author="",
            license="",
            supported_operations=[],
            stateful=False,
        )

    def health(self):
        return HealthStatus.HEALTHY

    def shutdown(self):
        pass


def with_defaults(found):
    """Return the guest's class, completed."""
    if issubclass(found, Defaults):
        return found
    own = {"__doc__": found.__doc__, "__module__": found.__module__}
    # The bindings' class, which it may derive from, has each function as an abstract one.
    own |= {
        name: default
        for name, default in vars(Defaults).items()
        if getattr(getattr(found, name, None), "__isabstractmethod__", False)
    }
    return type(found.__name__, (found, Defaults), own)


def checked_class(module):
    """Return the guest's class, completed.

    Raises:
        TypeError: The module has no such class, or the class lacks functions.
    """
    found = getattr(module, "ComponentLifecycle", None)
    if not isinstance(found, type):
        raise TypeError(f"{module.__name__} has no class ComponentLifecycle")
    found = with_defaults(found)
    abstract = getattr(found, "__abstractmethods__", ())
    lacking = [n for n in FUNCTIONS if n in abstract or not hasattr(found, n)]
    if lacking:
        raise TypeError(f"ComponentLifecycle does not define {', '.join(lacking)}")
    waiting = [n for n in FUNCTIONS if inspect.iscoroutinefunction(getattr(found, n))]
    if waiting:
        raise TypeError(
            f"{', '.join(waiting)} must not be async: calls to the host wait by themselves"
        )
    return found


def wrap(module):
    """Return the class for componentize-py to call, which wraps the guest's class.

    Raises:
        TypeError: The module has no such class, or the class lacks functions.
    """
    _State.guest = checked_class(module)
    _State.root = str(Path(module.__file__).parent)
    return _wrapper(lambda: _State.guest)


def wrap_late(load, root):
    """Return such a class for a module that is only imported by the first call.

    Args:
        load: Imports it.
        root: The folder of its sources, as tracebacks show it.
    """
    _State.root = root

    def find():
        if _State.guest is None:
            _State.guest = checked_class(load())
            if _State.hands_over:
                check_state_functions()
        return _State.guest

    return _wrapper(find)


def _wrapper(find):
    made = []

    def call(name, *arguments):
        if not made:
            made.append(find()())
        answer = getattr(made[0], name)(*arguments)
        return CHECKS[name](answer) if name in CHECKS else None

    _State.call = call
    return type(
        "ComponentLifecycle", (), {name: _method(name, call) for name in FUNCTIONS}
    )


def wrap_state():
    """Return the class that hands over the state of the object that `wrap` made.

    Raises:
        TypeError: It defines only one of the two functions, or one is async.
    """
    _State.hands_over = True
    if _State.guest is not None:
        check_state_functions()
    methods = {name: _method(name, _State.call) for name in STATE_FUNCTIONS}
    return type("StateHandover", (), methods)


def check_state_functions():
    """Check that the guest's class can hand over its state."""
    lacking = [n for n in STATE_FUNCTIONS if not hasattr(_State.guest, n)]
    if lacking:
        raise TypeError(f"ComponentLifecycle does not define {', '.join(lacking)}")
    for name in STATE_FUNCTIONS:
        if inspect.iscoroutinefunction(getattr(_State.guest, name)):
            raise TypeError(f"{name} must not be async")


def _method(name, call):
    def method(_self, *arguments):
        begin_running()
        try:
            return call(name, *arguments)
        except BaseException as error:  # noqa: BLE001, ASYNC103  # reported to the host
            if name not in FAILURES:
                _log_and_trap(name, error)
            failure = typed(error, name)
        finally:
            end_lines()
        # From None: the error must not keep the exception, and all it refers to, alive.
        raise Err(failure) from None

    return method


def _log_and_trap(name, error):
    context = [("function", name), ("exception", sayable(type(error).__name__))]
    host_services.log(LogLevel.ERROR, formatted(error), context)
    os.abort()


def finish():
    """Load, after the guest's module, what formatting its exceptions needs."""
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
            formatted(ExceptionGroup("", [error]))
    del linecache.cache["sample"]
    linecache.updatecache = lambda *_: []
