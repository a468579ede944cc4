"""Writes the WebAssembly guests of the tests, one `.wat` beside this file for each.

`python tests/guests/generate.py` writes those that changed, and removes a `.wat` that no
longer belongs to any guest.
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Final

from wat_guests import behaving, calling, failing, holding, hungry, refused

HERE: Final = Path(__file__).parent


def fixtures() -> dict[str, str]:
    """Return the text of every fixture by its name, which is its file's stem."""
    texts: dict[str, str] = {}
    for name, text in _named_texts():
        if name in texts:
            msg = f"two fixtures are called {name}"
            raise ValueError(msg)
        texts[name] = text
    return texts


def _named_texts() -> Iterator[tuple[str, str]]:
    modules = (behaving, calling, failing, holding, hungry, refused)
    for guest in chain.from_iterable(module.guests() for module in modules):
        yield guest.name, guest.wat()
    yield from refused.texts()


def main() -> None:
    """Make the files beside this one what the guests say."""
    wanted = {HERE / f"{name}.wat": text for name, text in fixtures().items()}
    for path in HERE.glob("*.wat"):
        if path not in wanted:
            path.unlink()
    for path, text in wanted.items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


if __name__ == "__main__":
    main()
