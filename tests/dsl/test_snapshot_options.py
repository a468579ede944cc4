"""Options for snapshots: what can be written, and what is a mistake, with its place."""

import pytest

from airssys import (
    CheckpointEvery,
    EngineSettings,
    RestartFrom,
    StartFrom,
    blueprint,
    component,
)
from airssys.contracts import find_mistakes

OWN = EngineSettings(lane="own")


def declared(**options):
    return component("c", b"code", **options)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (30, CheckpointEvery(seconds=30)),
        (0.5, CheckpointEvery(seconds=0.5)),
        ({"messages": 100}, CheckpointEvery(messages=100)),
        ({"seconds": 5, "messages": 9}, CheckpointEvery(seconds=5, messages=9)),
        (CheckpointEvery(messages=1), CheckpointEvery(messages=1)),
    ],
)
def test_when_checkpoints_are_taken(written, read):
    spec = declared(checkpoint_every=written, restart_from="checkpoint")
    assert spec.checkpoint_every == read
    assert spec.restart_from is RestartFrom.CHECKPOINT
    assert find_mistakes(blueprint(spec, engine=OWN)) == []


def test_a_start_from_a_snapshot():
    spec = declared(start_from="snapshot")
    assert spec.start_from is StartFrom.SNAPSHOT
    assert find_mistakes(blueprint(spec, engine=OWN)) == []


SAVED = {"checkpoint_every": 1.0, "restart_from": "checkpoint"}


@pytest.mark.parametrize(
    ("options", "option", "words"),
    [
        ({"start_from": "snapshots"}, "start_from", "write 'snapshot'"),
        ({"restart_from": "code"}, "restart_from", "'checkpoint' or 'start'"),
        ({"restart_from": "checkpoint"}, "checkpoint_every", "none is ever taken"),
        ({"checkpoint_every": 1.0}, "restart_from", "never used"),
        (SAVED | {"checkpoint_every": "often"}, "checkpoint_every", "not a Checkpoint"),
        (SAVED | {"checkpoint_every": {}}, "checkpoint_every", "neither"),
        (SAVED | {"checkpoint_every": 0}, "checkpoint_every.seconds", "from 0.01"),
        (SAVED | {"checkpoint_every": True}, "checkpoint_every.seconds", "True"),
        (
            SAVED | {"checkpoint_every": {"messages": 1.5}},
            "checkpoint_every.messages",
            "whole number",
        ),
        (
            SAVED | {"checkpoint_every": {"bytes": 1, "messages": 1}},
            "checkpoint_every.bytes",
            "no field",
        ),
    ],
)
def test_mistakes_name_the_option_and_its_place(options, option, words):
    spec = declared(**options)
    (found,) = find_mistakes(blueprint(spec, engine=OWN))
    assert found.path == f"$.root.children[0].{option}"
    assert words in f"{found.found} {found.hint}"
    assert found.file == __file__
    assert found.line


@pytest.mark.parametrize("options", [{"start_from": "snapshot"}, SAVED])
def test_on_the_other_lane_they_are_mistakes(options):
    tree = blueprint(declared(**options), engine=EngineSettings(lane="wasmtime"))
    (found,) = find_mistakes(tree)
    assert found.path.rpartition(".")[2] in options
    assert "lane='own'" in found.hint
    assert found.file == __file__
