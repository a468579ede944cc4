"""Signals at known moments of a program's life, raised by itself: always in order."""

import signal
import sys
from textwrap import dedent

import pytest

from pace import finished, unmeasured

SIGINT, SIGTERM = signal.SIGINT, signal.SIGTERM
PREAMBLE = """
    import atexit, signal, sys
    import trio
    import airssys
    from airssys import actor, blueprint, component, open_system, run
    from airssys.contracts import BLUEPRINT_METHOD

    SIGNALS = [signal.Signals(int(number)) for number in sys.argv[1].split()]

    def strike():
        for number in SIGNALS:
            signal.raise_signal(number)
"""
MOMENTS = {
    "making the blueprint": """
        class Tree:
            @staticmethod
            def airssys_blueprint():
                strike()
        setattr(Tree, BLUEPRINT_METHOD, Tree.airssys_blueprint)
        run(Tree)
    """,
    "opening the engine": """
        from airssys.system import open_wasm_loader
        def opener(settings):
            strike()
            return open_wasm_loader(settings)
        run(blueprint(component("a", __file__ + ".wat")), open_loader=opener)
    """,
    "starting an actor": """
        class A:
            async def started(self, context):
                strike()
            async def handle(self, context, envelope): ...
        run(blueprint(actor("a", A)))
    """,
    "the body": """
        async def main(system):
            strike()
            await trio.sleep_forever()
        run(blueprint(), main)
    """,
    "the end of the body": """
        async def main(system):
            strike()
        run(blueprint(), main)
    """,
    "stopping an actor": """
        class A:
            async def handle(self, context, envelope): ...
            async def stopped(self, context):
                strike()
        async def main(system): ...
        run(blueprint(actor("a", A)), main)
    """,
    "leaving the program": """
        async def main(system):
            signal.raise_signal(SIGNALS[0])
            await trio.sleep_forever()
        try:
            run(blueprint(), main)
        finally:
            strike()
    """,
    "the interpreter's end": """
        async def main(system):
            signal.raise_signal(SIGNALS[0])
            await trio.sleep_forever()
        atexit.register(strike)
        run(blueprint(), main)
    """,
    "the interpreter's very end": """
        class Last:
            def __del__(self):
                self.raise_signal(self.number)
        last = Last()
        last.raise_signal, last.number = signal.raise_signal, SIGNALS[-1]
        async def main(system):
            signal.raise_signal(SIGNALS[0])
            await trio.sleep_forever()
        run(blueprint(), main)
    """,
}
ORDERS = [
    [SIGINT],
    [SIGTERM],
    [SIGINT, SIGINT],
    [SIGINT, SIGTERM],
    [SIGTERM, SIGINT],
    [SIGTERM, SIGTERM],
    [SIGTERM, SIGINT, SIGINT],
    [SIGINT, SIGTERM, SIGINT],
]


def run_program(folder, text, numbers=()):
    program = folder / "program.py"
    program.write_text(dedent(PREAMBLE) + dedent(text))
    (folder / "program.py.wat").write_text("(component)")
    words = " ".join(str(int(number)) for number in numbers)
    return finished([sys.executable, str(program), words], cwd=folder, env=unmeasured())


def loud(err):
    """Leave out the warnings about children that were cut off."""
    lines = err.splitlines()
    return [line for line in lines if not line.startswith(("root/local/", "local/"))]


# Each is a process: they are tried in few, and all of them in the slow tests.
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(
    "numbers",
    [
        ORDERS[4],
        *(pytest.param(o, marks=pytest.mark.slow) for o in ORDERS if o != ORDERS[4]),
    ],
    ids=str,
)
def test_the_first_signal_decides_the_status(tmp_path, moment, numbers):
    done = run_program(tmp_path, MOMENTS[moment], numbers)
    assert (done.returncode, loud(done.stderr)) == (128 + numbers[0], [])
