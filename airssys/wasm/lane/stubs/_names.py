"""Names of WIT as names of Python."""

from __future__ import annotations

import keyword
import re


def function_name(name: str) -> str:
    """Write a name as that of a function, parameter or module: `add-item` is `add_item`."""
    made = re.sub(r"\W", "_", name)
    return f"{made}_" if keyword.iskeyword(made) or not made[:1].isalpha() else made


def class_name(name: str) -> str:
    """Write a name as that of a class: `line-item` is `LineItem`."""
    made = "".join(part[:1].upper() + part[1:] for part in re.split(r"\W|_", name))
    return f"{made}_" if keyword.iskeyword(made) or not made[:1].isalpha() else made


def member_name(name: str) -> str:
    """Write a name as that of a member of an enumeration: `dark-red` is `DARK_RED`."""
    return function_name(name).upper()


def short_name(full: str) -> str:
    """Leave out namespace, package and version of an interface: `a:b/carts@1.0.0`."""
    return full.rpartition("/")[2].partition("@")[0].rpartition(":")[2]
