"""Full collections of garbage are rare while a tree opens, and only then."""

import gc

import pytest

from airssys import actor, blueprint, open_system
from airssys.contracts import few_full_collections
from airssys.contracts._interpreter import RARELY_FULL


@pytest.fixture(autouse=True)
def thresholds():
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*before)


def seen_by(name, seen):
    class Looks:
        async def started(self, context):
            seen.append(gc.get_threshold())

        def handle(self, context, envelope):
            return None

    return actor(name, Looks)


@pytest.mark.parametrize("tune_gc", [True, False])
async def test_they_are_rare_while_the_tree_opens(tune_gc):
    seen = []
    opening = open_system(blueprint(seen_by("a", seen)), tune_gc=tune_gc)
    async with opening:
        assert gc.get_threshold() == (700, 10, 10)
    assert seen == [(700, 10, RARELY_FULL if tune_gc else 10)]
    assert gc.get_threshold() == (700, 10, 10)


async def test_a_start_that_fails_restores_the_setting():
    class Fails:
        async def started(self, context):
            raise ValueError

        def handle(self, context, envelope):
            return None

    with pytest.raises(Exception, match="ValueError"):
        async with open_system(blueprint(actor("a", Fails))):
            pass
    assert gc.get_threshold() == (700, 10, 10)


def test_the_last_tree_that_is_open_restores_it():
    first, second = few_full_collections(), few_full_collections()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert gc.get_threshold() == (700, 10, RARELY_FULL)
    second.__exit__(None, None, None)
    assert gc.get_threshold() == (700, 10, 10)


@pytest.mark.parametrize("own", [(700, 10, 0), (0, 10, 5000), (500, 5, 2000)])
def test_what_the_program_has_set_stays(own):
    gc.set_threshold(*own)
    with few_full_collections():
        assert gc.get_threshold() == own
    with few_full_collections():
        gc.set_threshold(1, 2, 3)
    assert gc.get_threshold() == (1, 2, 3)


@pytest.fixture
def full():
    """The full collections so far."""
    seen = []

    def note(phase, info):
        if phase == "stop" and info["generation"] == 2:
            seen.append(info)

    gc.callbacks.append(note)
    yield seen
    gc.callbacks.remove(note)


def makes(count, kept):
    class Makes:
        async def started(self, context):
            kept.extend([] for _ in range(count))

        def handle(self, context, envelope):
            return None

    return actor("makes", Makes)


@pytest.mark.parametrize(("count", "made"), [(100_000, 1), (100, 0)])
async def test_one_that_is_due_is_made_before_the_first_message(count, made, full):
    kept = []
    gc.collect()
    full.clear()
    async with open_system(blueprint(makes(count, kept))):
        assert len(full) == made


async def test_none_is_made_where_the_program_has_turned_them_off(full):
    kept = []
    gc.collect()
    full.clear()
    gc.disable()
    try:
        async with open_system(blueprint(makes(100_000, kept))):
            assert full == []
    finally:
        gc.enable()
