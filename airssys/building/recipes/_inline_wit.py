"""Puts the WIT text of whole folders into one document, for tools that take no folders."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_PACKAGE: Final = re.compile(r"^\s*package\s+([^;{\s]+)\s*;", re.MULTILINE)


def inline_wit(folders: Iterable[Path]) -> str:
    """Write each package of some folders as `package NAME { ... }`.

    Raises:
        OSError: One cannot be read.
        ValueError: A file names no package.
    """
    packages: dict[str, list[str]] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.wit")):
            text = path.read_text("utf-8")
            found = _PACKAGE.search(text)
            if found is None:
                raise ValueError(f"{path} names no package")
            rest = text[: found.start()] + text[found.end() :]
            packages.setdefault(found[1], []).append(rest)
    return "".join(
        f"package {name} {{\n{''.join(texts)}\n}}\n" for name, texts in packages.items()
    )
