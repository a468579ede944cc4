"""New code with a manifest: it may not do more than the old code, unless `can` is passed."""

from pathlib import Path

import pytest

from airssys import blueprint, component, open_system
from airssys.contracts import Artifact, Done, Refusal
from airssys.security import ask, everything, send

GUESTS = Path(__file__).resolve().parents[1] / "guests"
LEAST = """
[package]
name = "shelf"
version = "1.0.0"

[source]
path = "shelf.wat"
"""


@pytest.fixture
def manifest(tmp_path):
    """Write manifests of one component, each with what it asks for."""
    code = (GUESTS / "echo.wat").read_bytes()
    (tmp_path / "shelf.wat").write_bytes(code)

    def manifest(name, capabilities, source=""):
        file = tmp_path / f"{name}.toml"
        file.write_text(
            f"{LEAST}{source}\n[capabilities]\n{capabilities}\n", encoding="utf-8"
        )
        return file

    return manifest


async def test_a_manifest_that_asks_for_more_is_refused_with_the_difference(manifest):
    first = manifest("first", 'send = ["shop/*"]')
    second = manifest("second", 'ask = ["stock"]\nsend = ["shop/a"]')
    granted = [send("shop/*"), ask("*")]
    async with open_system(blueprint(component("shelf", first, can=granted))) as system:
        assert system.grants("shelf").held == (send("shop/*"),)
        answer = await system.replace("shelf", second)
        assert answer.why is Refusal.INVALID_SPEC
        (mistake,) = answer.mistakes
        assert "+ messaging ask stock" in mistake.found
        assert "- messaging send shop/*" in mistake.found
        assert "can=" in mistake.hint
        assert system.grants("shelf").held == (send("shop/*"),)
        assert await system.replace("shelf", str(second), can=everything()) == Done(
            "local/shelf/0"
        )
        assert set(system.grants("shelf").held) == {send("shop/a"), ask("stock")}


async def test_a_manifest_that_asks_for_less_is_followed(manifest):
    first = manifest("first", 'send = ["shop/*"]\nask = ["stock"]')
    second = manifest("second", 'send = ["shop/a", "other"]')
    declared = component("shelf", first, can=[send("shop/*"), ask("*")])
    async with open_system(blueprint(declared)) as system:
        assert isinstance(await system.replace("shelf", second), Done)
        assert system.grants("shelf").held == (send("shop/a"),)
        assert await system.ask("shelf", b"hello") == b"hello"
        # What the topology grants is still known: the first one may come back only
        # with `can`.
        answer = await system.replace("shelf", first)
        assert answer.why is Refusal.INVALID_SPEC
        can = [send("shop/*"), ask("*")]
        assert isinstance(await system.replace("shelf", first, can=can), Done)
        assert set(system.grants("shelf").held) == {send("shop/*"), ask("stock")}


async def test_what_was_revoked_stays_so(manifest):
    first = manifest("first", 'send = ["shop/*"]\nask = ["stock"]')
    second = manifest("second", 'send = ["shop/*"]')
    declared = component("shelf", first, can=[send("shop/*"), ask("*")])
    async with open_system(blueprint(declared)) as system:
        grants = system.grants("shelf")
        grants.revoke(send("shop/a"))
        assert isinstance(await system.replace("shelf", second), Done)
        assert not grants.allows("messaging", "send", "shop/a/0")
        assert grants.allows("messaging", "send", "shop/b/0")


async def test_code_without_a_manifest_may_do_what_the_old_code_may(manifest):
    first = manifest("first", 'send = ["shop/*"]')
    declared = component("shelf", first, can=[send("*"), ask("*")])
    async with open_system(blueprint(declared)) as system:
        code = Artifact.at(first.parent / "shelf.wat")
        assert isinstance(await system.replace("shelf", code), Done)
        assert system.grants("shelf").held == (send("shop/*"),)


async def test_a_manifest_with_mistakes_changes_nothing(manifest):
    first = manifest("first", 'send = ["shop/*"]')
    wrong = manifest("wrong", 'sned = ["shop/*"]')
    async with open_system(blueprint(component("shelf", first))) as system:
        for path, found in [(wrong, "sned"), (wrong.with_name("no.toml"), "there is")]:
            answer = await system.replace("shelf", path)
            assert answer.why is Refusal.INVALID_SPEC
            assert any(found in mistake.found for mistake in answer.mistakes)
        assert await system.ask("shelf", b"hello") == b"hello"


async def test_other_code_than_the_manifest_names_is_refused(manifest):
    first = manifest("first", "")
    other = manifest("other", "", f'sha256 = "{"0" * 64}"')
    async with open_system(blueprint(component("shelf", first))) as system:
        answer = await system.replace("shelf", other)
        assert answer.why is Refusal.START_FAILED
        assert "its SHA-256 is" in str(answer.reason.error)


async def test_a_bound_holds_for_a_replacement_too(manifest):
    first = manifest("first", "")
    second = manifest("second", 'send = ["*"]')
    app = blueprint(component("shelf", first), bound=[send("shop/*")])
    async with open_system(app) as system:
        answer = await system.replace("shelf", second, can=send("*"))
        assert answer.why is Refusal.INVALID_SPEC
        assert "goes beyond the bound" in answer.mistakes[0].found
