"""Checking a topology takes time in proportion to it, with and without mistakes."""

from functools import partial
from pathlib import Path

import pytest

from airssys.contracts import as_blueprint, find_mistakes, walk
from airssys.dsl import actor, component, supervisor, topology
from pace import growth

SHOUT = Path(__file__).resolve().parents[2] / "examples" / "shout.wat"


@actor(mailbox=10)
async def handle(context, envelope): ...


def declare(groups):
    """A topology of that many groups of ten, and 20 other actors for each group."""
    many = [f"c{n}" for n in range(10 * groups)]
    component(SHOUT, limits={"fuel": 1000}, names=many)(shout := type("Shout", (), {}))

    def group(number):
        body = dict.fromkeys([f"g{number}-{n}" for n in range(10)], handle)
        return supervisor(restarts=5)(type(f"Group{number}", (), body))

    @topology
    class App:
        components = shout
        built = tuple(actor(f"a{n}", handle, mailbox=5) for n in range(10 * groups))

    for number in range(groups):
        setattr(App, f"group{number}", group(number))
    return App


@pytest.mark.unmeasured
def test_declaring_and_checking_actors_takes_time_in_proportion():
    def check(groups):
        whole = as_blueprint(declare(groups))
        assert find_mistakes(whole) == []
        assert sum(1 for _ in walk(whole.root)) == 1 + 31 * groups

    assert growth(lambda groups: partial(check, groups), 10, 100) < 3


@pytest.mark.unmeasured
def test_finding_mistakes_takes_time_in_proportion(tmp_path):
    def search(count):
        path = tmp_path / f"wrong{count}.py"
        lines = "\n".join(f"    a{n} = {n}" for n in range(count))
        twins = f"    b = [actor('b', f) for n in range({count + 1})]\n"
        path.write_text(f"@topology\nclass App:\n{twins}{lines}\n", "utf-8")
        names = {"topology": topology, "actor": actor, "f": handle, "__name__": "wrong"}
        exec(compile(path.read_text("utf-8"), str(path), "exec"), names)
        blueprint = as_blueprint(names["App"])
        mistakes = find_mistakes(blueprint)
        assert {m.line for m in mistakes} == set(range(3, count + 4))
        return partial(find_mistakes, blueprint)

    assert growth(search, 200, 2_000) < 3
