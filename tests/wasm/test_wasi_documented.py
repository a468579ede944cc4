"""The threat model has each function of WASI, and each grant for it is in a how-to."""

import fnmatch
import re
from pathlib import Path

import pytest

from airssys import security
from airssys.wasm.host.wasi import WASI_INTERFACES

DOCS = Path(__file__).resolve().parents[2] / "docs"
FUNCTIONS = [
    (each.name[5:].partition("@")[0], re.split(r"[.\]]", name)[-1], name)
    for each in WASI_INTERFACES
    for name in each.functions
]
WORDS = (
    "read_files write_files list_files delete_files env arguments stdin stdout stderr "
    "clock monotonic_clock random insecure_random connect bind resolve http"
)


def rows():
    """Give the names of each row: interfaces, and functions of them."""
    text = (DOCS / "explanation/threat-model.md").read_text("utf-8")
    table = text[text.index("| functions | what") :].split("\n\n")[0]
    for line in table.splitlines()[2:]:
        names = re.findall(r"`([^`]+)`", line.split("|")[1])
        yield [name.removeprefix("wasi:") for name in names]


def is_in(names, interface, function, full):
    """Whether a row has a function: by its name, or by that of its interface alone."""
    interfaces = [name for name in names if "/" in name]
    functions = [name for name in names if "/" not in name]
    here = not interfaces or any(fnmatch.fnmatch(interface, i) for i in interfaces)
    if not functions:
        return here
    named = any(fnmatch.fnmatch(function, name) for name in functions)
    of_it = any(f"{name}." in full or full.endswith(f"]{name}") for name in functions)
    return here and (named or of_it)


@pytest.mark.parametrize(
    ("interface", "function", "full"), FUNCTIONS, ids=lambda part: part
)
def test_the_threat_model_has_each_function_of_wasi(interface, function, full):
    assert any(is_in(names, interface, function, full) for names in rows())


@pytest.mark.parametrize("word", WORDS.split())
def test_each_grant_for_wasi_is_in_a_how_to(word):
    assert callable(getattr(security, word))
    texts = [path.read_text("utf-8") for path in (DOCS / "how-to").glob("*.md")]
    assert any(re.search(rf"\b{word}\(", text) for text in texts)
