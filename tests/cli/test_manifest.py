"""`airssys manifest`, and what other commands do with manifests."""

import json
from pathlib import Path

import pytest

GUESTS = Path(__file__).resolve().parents[1] / "guests"
MANIFEST = """
[package]
name = "calls"
version = "1.0.0"
description = "It calls."

[source]
path = "calls.wat"

[capabilities]
send = ["shop/*"]
random = true

[mailbox]
overflow = { low = "fail" }
"""
APP = """
    from airssys import blueprint, component
    from airssys.security import ask, send

    APP = blueprint(component("calls", "Component.toml", can=[send("shop/a"), ask("*")]))
"""


@pytest.fixture
def manifest(write):
    (write("app.py", APP).parent / "calls.wat").write_bytes(
        (GUESTS / "calls.wat").read_bytes()
    )
    return write("Component.toml", MANIFEST)


def test_check(airssys, manifest, write):
    found = airssys("manifest", "check", "Component.toml")
    assert (found.exit_code, found.stdout) == (0, "no mistakes: 1 manifest\n")
    wrong = write("wrong.toml", "[packages]\n")
    found = airssys("manifest", "check", "Component.toml", "wrong.toml", "missing.toml")
    assert found.exit_code == 1
    assert "there is no missing.toml" in found.stderr
    assert f"{wrong.name}:1: there is no table 'packages'" in found.stderr
    assert "3 mistakes" in found.stderr


def test_explain(airssys, manifest):
    found = airssys("manifest", "explain", "Component.toml")
    assert (found.exit_code, found.stderr) == (0, "")
    assert "calls 1.0.0: It calls." in found.stdout
    assert "send messages to components: shop/*" in found.stdout
    assert "can=[send('shop/*'), random()]" in found.stdout
    assert "overflow.low fail" in found.stdout
    manifest.write_text("[package]\n", "utf-8")
    found = airssys("manifest", "explain", "Component.toml")
    assert found.exit_code == 1
    assert "Component.toml:1: the key 'name' is missing" in found.stderr


def test_schema(airssys):
    found = airssys("manifest", "schema")
    assert json.loads(found.stdout)["required"] == ["package", "source"]


def test_inspect_finds_the_code(airssys, manifest):
    found = airssys("inspect", "Component.toml", "--no-cache")
    assert (found.exit_code, found.stderr) == (0, "")
    assert "calls.wat" in found.stdout
    assert "airssys:core/storage@1.0.0" in found.stdout
    manifest.write_text("[package]\n", "utf-8")
    assert airssys("inspect", "Component.toml", "--no-cache").exit_code == 1


def test_what_is_not_granted_is_a_note(airssys, manifest):
    found = airssys("check", "app.py:APP")
    assert (found.exit_code, found.stderr) == (0, "")
    note, _, last = found.stdout.splitlines()
    assert note.startswith("note: ")
    assert "Component.toml: local/calls/0 is not granted what it asks for: " in note
    assert "messaging send shop/*" in note
    assert "random secure *, random insecure *" in note
    assert last == "no mistakes: 1 actor, 1 component, 1 supervisor"


def test_what_only_the_topology_can_raise_is_a_note(airssys, manifest):
    manifest.write_text(f"{MANIFEST}[limits]\nmemory_bytes = 1_000_000_000\n", "utf-8")
    found = airssys("check", "app.py:APP")
    assert found.exit_code == 0
    text = "local/calls/0 asks for limits.memory_bytes 1000000000, and gets 67108864"
    assert text in found.stdout


@pytest.mark.parametrize("options", [[], ["--load", "--no-cache"]])
def test_imports_without_a_grant_are_a_note(airssys, manifest, options):
    found = airssys("check", *options, "app.py:APP")
    assert (found.exit_code, found.stderr) == (0, "")
    _, note, _ = found.stdout.splitlines()
    assert note.startswith("note: local/calls/0 imports, and is not granted: ")
    names = note.partition("granted: ")[2].split(", ")
    assert {"ask", "publish", "get", "set"} <= {*names}
    assert "send" not in names
    assert "log" not in names


@pytest.mark.parametrize("code", [b"(component", b"\0asm\x0d\0\x01\0\xff"])
def test_code_that_cannot_be_read_has_no_note(airssys, manifest, code):
    (manifest.parent / "calls.wat").write_bytes(code)
    found = airssys("check", "app.py:APP")
    assert (found.exit_code, found.stderr) == (0, "")
    assert "imports" not in found.stdout


def test_mistakes_of_a_manifest_have_its_lines(airssys, manifest):
    manifest.write_text(f"{MANIFEST}[limit]\n", "utf-8")
    found = airssys("check", "app.py:APP")
    assert found.exit_code == 1
    line = len(MANIFEST.splitlines()) + 1
    assert f"Component.toml:{line}: there is no table 'limit'" in found.stderr
