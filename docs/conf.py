"""How the documentation is built: `make docs`, with warnings as errors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import airssys

if TYPE_CHECKING:
    from sphinx.application import Sphinx

HERE = Path(__file__).parent

project = "airssys"
copyright = "The airssys authors"  # noqa: A001  # Sphinx's name
release = airssys.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "alabaster"
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
# Links from page to page, and to the checkout, are checked by tests/examples.
suppress_warnings = ["myst.xref_missing"]


def _plain(_app: Sphinx, _what: str, _name: str, *rest: object) -> None:
    """Read single backticks as Markdown does: as code."""
    lines = rest[-1]
    assert isinstance(lines, list)
    text = "\n".join(lines).replace("``", "\0").replace("`", "``").replace("\0", "``")
    lines[:] = text.split("\n")


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _plain, priority=900)
