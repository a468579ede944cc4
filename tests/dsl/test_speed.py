"""Ten thousand actors are collected and checked within two seconds."""

import time
from pathlib import Path

from airssys.contracts import as_blueprint, find_mistakes, walk
from airssys.dsl import actor, component, supervisor, topology

SHOUT = Path(__file__).resolve().parents[2] / "examples" / "shout.wat"


def test_checking_ten_thousand_actors_takes_two_seconds_at_most():
    began = time.process_time()

    @actor(mailbox=10)
    async def handle(context, envelope): ...

    @component(SHOUT, limits={"fuel": 1000}, names=[f"c{n}" for n in range(4_000)])
    class Shout: ...

    def group(number):
        names = [f"g{number}-{n}" for n in range(10)]
        body = dict.fromkeys(names, handle)
        return supervisor(restarts=5)(type(f"Group{number}", (), body))

    @topology
    class App:
        shout = Shout
        built = tuple(actor(f"a{n}", handle, mailbox=5) for n in range(3_000))

    for number in range(300):
        setattr(App, f"group{number}", group(number))
    whole = as_blueprint(App)
    assert find_mistakes(whole) == []
    assert time.process_time() - began < 2
    assert sum(1 for _ in walk(whole.root)) == 1 + 10_000 + 300
