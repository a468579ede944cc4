"""The signature of a manifest: who holds a key has written this, and named this code.

It covers all bytes before the table `signature`, which is the last one, and by the digest
in `source` the code too. It does not say whose key that is, and whether to trust it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from airssys.contracts import ExtraMissing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airssys.security.audit import Signer

    from ._lines import Key

_PURPOSE: Final = b"airssys manifest 1\n"
_TABLE: Final = "signature"


def signature_problem(
    code: bytes, lines: Mapping[Key, int], tables: Mapping[str, Any]
) -> str | None:
    """Verify the signature of a manifest; returns what is wrong, None if nothing is."""
    found, source = tables.get(_TABLE), tables.get("source")
    if found is None:
        return None
    line = lines[_TABLE,]
    if any(at >= line and key and key[0] != _TABLE for key, at in lines.items()):
        return "the signature does not cover what stands below it"
    if source is None or source.sha256 is None:
        return "the signature does not cover the code: source has no sha256"
    from airssys.security.audit import ed25519_check  # noqa: PLC0415  # few are signed

    try:
        is_signature = ed25519_check(bytes.fromhex(found.key))
        if is_signature(bytes.fromhex(found.value), _signed(code, line)):
            return None
    except ExtraMissing as error:
        return f"the signature cannot be verified: it needs {error.package}"
    except ValueError as error:
        return f"the signature cannot be verified: {error}"
    return "the signature is not that of this key, or the manifest was changed"


def _signed(code: bytes, line: int) -> bytes:
    above = code.split(b"\n")[: line - 1]
    return _PURPOSE + b"".join(each + b"\n" for each in above)


def signed(code: bytes, signer: Signer) -> bytes:
    """Return the bytes of a manifest without a signature, with one below them."""
    above = code if code.endswith(b"\n") else code + b"\n"
    value = signer.sign(_PURPOSE + above).hex()
    table = f'[{_TABLE}]\nkey = "{signer.public_key.hex()}"\nvalue = "{value}"\n'
    return above + table.encode()
