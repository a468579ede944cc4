"""Checkpoints: signatures over the end of a chain, so that no other history can be written.

A program that can write the files can also compute hashes, and make another chain of them. With a
signature now and then, whose private key is elsewhere, that is possible only for what
comes after the last checkpoint.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

from airssys.contracts import ExtraMissing

from ._files import FileFlaw, files_of, lines_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ._chain import Head
    from ._options import Signer

_PURPOSE: Final = "airssys audit checkpoint"


def checkpoint(signer: Signer, head: Head) -> dict[str, Any]:
    """Sign the end of a chain; returns the record that follows it.

    Raises:
        OSError: the signer failed, in whatever way.
    """
    try:
        signature = signer.sign(_signed_text(head.number, head.hash))
        key = signer.public_key
    except Exception as error:
        raise OSError(f"the signer failed: {error!r:.200}") from error
    return {"event": "checkpoint", "key": key.hex(), "signature": signature.hex()}


def _signed_text(number: int, digest: str) -> bytes:
    return f"{_PURPOSE} {number} {digest}".encode()


def verify_checkpoints(
    path: Path, is_signature: Callable[[bytes, bytes], bool]
) -> Iterator[FileFlaw]:
    """Find checkpoints that are not valid, and a log that does not end with one.

    Args:
        path: Of the log.
        is_signature: Whether the first bytes are a signature of the second ones.
    """
    place: FileFlaw | None = None
    is_signed = False
    for file in files_of(path):
        for number, line in enumerate(lines_of(file), 1):
            record = _checkpoint_in(line)
            is_signed = record is not None
            place = FileFlaw(
                file, number, "what follows the last checkpoint is unsigned"
            )
            if record is None:
                continue
            text = _signed_text(record["n"], record["before"])
            if not is_signature(bytes.fromhex(record["signature"]), text):
                yield FileFlaw(file, number, "its signature is not that of this key")
    if place is not None and not is_signed:
        yield place


def _checkpoint_in(line: str) -> dict[str, Any] | None:
    if '"checkpoint"' not in line:
        return None
    try:
        record: dict[str, Any] = json.loads(line)
        is_one = record["event"] == "checkpoint"
        bytes.fromhex(record["signature"]), record["n"], record["before"]
    except (ValueError, RecursionError, KeyError, TypeError):
        return None
    return record if is_one else None


@final
class Ed25519Signer:
    """Signs checkpoints by a private key in a file; needs the extra `audit`.

    Args:
        path: A private key as PEM without a password, such as `openssl genpkey
            -algorithm ed25519` writes.

    Raises:
        ExtraMissing: `cryptography` is not installed.
        OSError: the file cannot be read.
        ValueError: it has no Ed25519 key.
    """

    def __init__(self, path: str | Path) -> None:
        try:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415  # an extra
                Ed25519PrivateKey,
            )
            from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415  # an extra
                load_pem_private_key,
            )
        except ImportError as error:
            raise ExtraMissing("signed checkpoints", "cryptography", "audit") from error
        key = load_pem_private_key(Path(path).read_bytes(), None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError(f"{path} has no Ed25519 key")  # noqa: TRY004  # a file, not an argument
        self._key = key

    @property
    def public_key(self) -> bytes:
        """Its public key, 32 bytes."""
        key: bytes = self._key.public_key().public_bytes_raw()
        return key

    def sign(self, data: bytes) -> bytes:
        """Sign some bytes."""
        signature: bytes = self._key.sign(data)
        return signature


def ed25519_check(key: bytes) -> Callable[[bytes, bytes], bool]:
    """Return what checks signatures by a public key of 32 bytes.

    Raises:
        ExtraMissing: `cryptography` is not installed.
        ValueError: it is not such a key.
    """
    try:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415  # an extra
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415  # an extra
            Ed25519PublicKey,
        )
    except ImportError as error:
        raise ExtraMissing("signed checkpoints", "cryptography", "audit") from error
    public = Ed25519PublicKey.from_public_bytes(key)

    def is_signature(signature: bytes, data: bytes) -> bool:
        try:
            public.verify(signature, data)
        except InvalidSignature:
            return False
        return True

    return is_signature
