"""Signatures of manifests; what needs the extra `audit` is left out without it."""

import sys

import pytest
from click.testing import CliRunner

from airssys.cli import main
from airssys.security.manifest import explain, read_manifest, signed

KEY, VALUE = "ab" * 32, "cd" * 64
MANIFEST = f"""
[package]
name = "shelf"
version = "1.0.0"

[capabilities]
send = ["a"]\t# a tab

[source]
path = "shelf.wat"
sha256 = "{"0" * 64}"
"""
SIGNATURE = f"""
[signature]
key = "{KEY}"
value = "{VALUE}"
"""


@pytest.fixture
def found(tmp_path):
    """Read a manifest; returns what is wrong with it."""

    def found(text):
        file = tmp_path / "Component.toml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return [mistake.found for mistake in read_manifest(file).mistakes]

    return found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (MANIFEST + SIGNATURE + "[limits]\nfuel = 1\n", "what stands below it"),
        (MANIFEST.replace("sha256", "# ") + SIGNATURE, "source has no sha256"),
        (MANIFEST + SIGNATURE.replace(VALUE, "ab"), "is not a valid value"),
        (MANIFEST + SIGNATURE.replace("value", "valu"), "there is no key 'valu'"),
        (f"signature = {{ key = '{KEY}', value = '{VALUE}' }}" + MANIFEST, "below it"),
    ],
)
def test_a_signature_covers_everything(found, text, problem):
    assert any(problem in each for each in found(text))


def test_without_the_extra_it_is_refused(found, monkeypatch):
    for name in list(sys.modules):
        if name.partition(".")[0] == "cryptography":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    (mistake,) = found(MANIFEST + SIGNATURE + "# not verified")
    assert mistake == "the signature cannot be verified: it needs cryptography"


def test_a_signed_manifest_is_verified(private_key, tmp_path, found):
    file = tmp_path / "signed.toml"
    file.write_bytes(MANIFEST.replace("\n", "\r\n").encode())
    sign = ["manifest", "sign", str(file), "--key", str(private_key)]
    done = CliRunner().invoke(main, sign, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    described = read_manifest(file)
    assert not described.mistakes
    assert "signed by" in "".join(explain(described))
    assert CliRunner().invoke(main, sign).exit_code == 2
    code = file.read_bytes()
    for old, new in [(b'"a"', b'"b"'), (b"# a tab", b"# a tap"), (b"000", b"010")]:
        assert old in code
        (mistake,) = found(code.replace(old, new, 1))
        assert "not that of this key" in mistake


class Signer:
    public_key = bytes.fromhex(KEY)

    def sign(self, data):
        assert data.startswith(b"airssys manifest")
        return bytes.fromhex(VALUE)


def test_a_signature_is_written_below(found):
    code = signed(MANIFEST.strip().encode(), Signer())
    assert code.decode() == MANIFEST.strip() + SIGNATURE
