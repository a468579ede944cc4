"""A key to sign with, for the tests of signatures."""

import pytest


@pytest.fixture
def private_key(tmp_path):
    """An Ed25519 key in a file, by the extra `audit`."""
    ed25519 = pytest.importorskip(
        "cryptography.hazmat.primitives.asymmetric.ed25519", exc_type=ImportError
    )
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    path = tmp_path / "key.pem"
    path.write_bytes(
        ed25519.Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path
