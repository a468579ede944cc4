"""How the documentation is built: `make docs`, with warnings as errors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

import airssys

if TYPE_CHECKING:
    from sphinx.application import Sphinx

CODE = re.compile(r"^([^\s:*-].*)\n\n    (?=\S)", re.MULTILINE)
"""An indented block after a line of plain text."""

project = "airssys"
copyright = "The airssys authors"  # noqa: A001  # Sphinx's name
release = airssys.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "alabaster"
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
autodoc_default_options = {
    "members": True,
    "undoc-members": True,
    "exclude-members": "__init__, __new__",
}
# Links from page to page, and to the checkout, are checked by tests/examples.
suppress_warnings = ["myst.xref_missing"]


def _read_backticks(_app: Sphinx, _what: str, _name: str, *rest: object) -> None:
    """Take text in backticks as code, as Markdown does.

    Called before napoleon, which splits the docstring of an attribute at its first colon
    outside of code.
    """
    lines = cast("list[str]", rest[-1])
    text = "\n".join(lines).replace("``", "\0").replace("`", "``").replace("\0", "``")
    lines[:] = text.split("\n")


def _read_code_blocks(_app: Sphinx, _what: str, _name: str, *rest: object) -> None:
    """Take indented blocks as code, as Markdown does; after napoleon has read sections."""
    lines = cast("list[str]", rest[-1])
    lines[:] = CODE.sub(r"\1\n\n::\n\n    ", "\n".join(lines)).split("\n")


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _read_backticks, priority=400)
    app.connect("autodoc-process-docstring", _read_code_blocks, priority=900)
