"""Locates the world's WIT text on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).resolve().parents[2]


def wit_directory() -> Path:
    """Return the folder with the WIT text of `airssys:core`, for guest toolchains.

    It is part of the installed package, or the `wit/` folder of the checkout that the
    package is used from. Nothing is written or copied.

    Raises:
        FileNotFoundError: Neither exists, so the installation is broken.
    """
    return _find_wit(_PACKAGE)


def _find_wit(package: Path) -> Path:
    tried = (package / "wit", package.parent / "wit")
    for folder in tried:
        if (folder / "world.wit").is_file():
            return folder
    places = " nor ".join(map(str, tried))
    msg = f"the WIT files are neither in {places}: install airssys again"
    raise FileNotFoundError(msg)
