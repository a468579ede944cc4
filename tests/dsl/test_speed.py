"""Ten thousand actors are checked within two seconds, and as many mistakes found."""

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


def test_finding_ten_thousand_mistakes_takes_no_longer(tmp_path):
    path = tmp_path / "wrong.py"
    lines = "\n".join(f"    a{n} = {n}" for n in range(5_000))
    twins = "    b = [actor('b', f) for n in range(5_001)]\n"
    path.write_text(f"@topology\nclass App:\n{twins}{lines}\n", "utf-8")

    async def handle(context, envelope): ...

    names = {"topology": topology, "actor": actor, "f": handle, "__name__": "wrong"}
    exec(compile(path.read_text("utf-8"), str(path), "exec"), names)
    began = time.process_time()
    mistakes = find_mistakes(as_blueprint(names["App"]))
    assert time.process_time() - began < 2
    assert {m.line for m in mistakes} == set(range(3, 5_004))
