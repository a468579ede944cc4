"""A program that signals may strike at any time; run by `test_signals`.

    python signalled.py run | command | plain

It writes `b` when it begins, `o` when it is about to open its system, and `r` when that
is ready. Until the code under test
answers for signals, they end it with status 99.
"""

import os
import signal
import sys

NOT_YET = 99


def end_early(number, frame):
    os._exit(NOT_YET)


if __name__ == "__main__":  # the command imports it again
    signal.signal(signal.SIGINT, end_early)
    signal.signal(signal.SIGTERM, end_early)
    os.write(1, b"b")


def command():
    import airssys_command

    sys.argv = ["airssys", "run", f"{__file__}:app", "--cache", sys.argv[2]]
    airssys_command.main()


def __getattr__(name):
    """Make `app` when it is asked for, so that importing this costs nothing."""
    if name != "app":
        raise AttributeError(name)
    from pathlib import Path

    from airssys import actor, blueprint, component

    class Worker:
        async def started(self, context):
            self.name = context.self_id.name

        async def handle(self, context, envelope): ...

        async def stopped(self, context): ...

    guests = Path(__file__).resolve().parents[1] / "guests"
    os.write(1, b"o")
    return blueprint(
        component("echo", guests / "echo.wat"),
        actor("a", Worker),
        actor("b", Worker),
        actor("c", Announcer),
    )


class Announcer:
    async def started(self, context):
        os.write(1, b"r")

    async def handle(self, context, envelope): ...


def run():
    import airssys

    app = __getattr__("app")
    airssys.run(app)


def plain():
    import trio

    import airssys

    async def main():
        async with airssys.open_system(app):
            await trio.sleep_forever()

    app = __getattr__("app")
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    trio.run(main)


if __name__ == "__main__":
    {"command": command, "plain": plain, "run": run}[sys.argv[1]]()
