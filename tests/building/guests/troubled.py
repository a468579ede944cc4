"""A guest that gets into the trouble its messages name."""

import ast
import datetime
import os
import sys
import time
import traceback
from pathlib import Path

import trouble
from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.component_lifecycle import ComponentMetadata
from wit_world.imports import host_messaging
from wit_world.imports.errors import WasmError_RuntimeError, WasmError_Timeout
from wit_world.imports.types import ComponentId, HealthStatus

print("printed while it is built")


class ComponentLifecycle(exports.ComponentLifecycle):
    def __init__(self):
        self.handled = 0
        self.breaks = set()

    def initialize(self, config):
        self.breaks.update(name for name, _ in config.env_vars)
        self.break_if("initialize")

    def break_if(self, function):
        if function in self.breaks:
            raise RuntimeError(f"{function} is broken")

    def handle_message(self, message):
        self.handled += 1
        return getattr(self, message.payload.decode(), self.echo)()

    def handle_callback(self, message):
        raise LookupError("callback")

    def metadata(self):
        self.break_if("metadata")
        operations = None if "operations" in self.breaks else ["trouble"]
        return ComponentMetadata("troubled", "1", "d", "a", "MIT", operations, True)

    def health(self):
        self.break_if("health")
        return HealthStatus.DEGRADED

    def shutdown(self):
        self.break_if("shutdown")

    def echo(self):
        return None

    def count(self):
        return str(self.handled).encode()

    # what is raised

    def deep(self):
        return trouble.deep()

    def chained(self):
        try:
            trouble.deep()
        except ZeroDivisionError as error:
            raise KeyError("key") from error

    def group(self):
        raise ExceptionGroup("both", [ValueError("one"), TypeError("two")])

    def leave(self):
        sys.exit(3)

    def interrupt(self):
        raise KeyboardInterrupt

    def endless(self):
        return self.endless()

    def misspelt(self):
        return os.pathh

    def huge(self):
        raise ValueError("x" * 200_000)

    def unsayable(self):
        raise ValueError("\udfff")

    def unprintable(self):
        raise trouble.Unprintable

    def timeout(self):
        raise Err(WasmError_Timeout())

    def refused(self):
        raise Err(WasmError_RuntimeError("as it was raised"))

    def refused_with_an_exception(self):
        raise Err(WasmError_RuntimeError(ValueError("not a str")))

    def refused_with_a_str(self):
        raise Err("no variant")

    def ask_a_missing_one(self):
        host_messaging.ask(ComponentId("test", "nobody", "0"), b"", 1000)

    def caught_by_itself(self):
        try:
            return trouble.deep()
        except ZeroDivisionError:
            return traceback.format_exc().encode()

    # what is returned

    def text(self):
        return "text"

    def numbers(self):
        return [1, 2]

    def buffer(self):
        return bytearray(b"buffer")

    # what is not there

    def file(self):
        return open("/etc/passwd").read()

    def late_import(self):
        import decimal

        return str(decimal.Decimal(1)).encode()

    def no_such_import(self):
        import no_such_module

    def clock(self):
        return str(time.monotonic()).encode()

    def random_bytes(self):
        return os.urandom(3)

    def bad_exec(self):
        exec("def f(:")

    def bad_parse(self):
        ast.parse("x =")

    def good_exec(self):
        exec("answer = 6 * 7", names := {})
        return str(names["answer"]).encode()

    # what the host does

    def printing(self):
        print("one\ntwo", end="")
        print("warned", file=sys.stderr)
        return b"printed"

    def now(self):
        return repr((time.time(), time.time_ns())).encode()

    def dates(self):
        day = datetime.date.today()
        when = datetime.datetime.now()
        assert isinstance(when, datetime.date)
        return " ".join(
            [
                str(day),
                str(when + datetime.timedelta(seconds=1)),
                str(datetime.datetime.now(datetime.UTC)),
                time.strftime("%H:%M:%S"),
                str(time.gmtime().tm_year),
            ]
        ).encode()

    def no_file(self):
        return str(os.path.exists("/etc") or Path("x").exists()).encode()

    def standard_input(self):
        return input()

    def sleep(self):
        time.sleep(0.25)
