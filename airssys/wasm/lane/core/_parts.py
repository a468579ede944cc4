"""A component taken apart and compiled, before an engine's ledger has any of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import attrs
import wasmtime

from airssys.wasm.artifacts import Unreadable
from airssys.wasm.lane.components import Plan, Unsupported, make_plan, parse

from ._code import compile_modules
from ._linking import Linking, link


class NotTakenApart(Exception):  # not for users: the loader goes another way
    """This lane cannot run a component; says why."""


@final
@attrs.frozen(eq=False)
class CoreParts:
    """What a component is run from."""

    plan: Plan
    linking: Linking
    modules: Sequence[wasmtime.Module]


def take_apart(code: bytes) -> tuple[Plan, Linking]:
    """Plan how to run a component; nothing of it is validated by that.

    Raises:
        NotTakenApart: this lane cannot run it.
    """
    try:
        plan = make_plan(parse(code))
        return plan, link(plan, frozenset(plan.imports))
    except Unsupported as error:
        raise NotTakenApart(f"it has {error}") from error
    except (Unreadable, RecursionError) as error:
        raise NotTakenApart(f"it cannot be read ({error})") from error


def compile_parts(engine: wasmtime.Engine, plan: Plan, linking: Linking) -> CoreParts:
    """Compile what a component was taken apart into; takes as long as compiling it.

    Raises:
        CoreRefused: wasmtime refuses one of its modules.
    """
    return CoreParts(plan, linking, compile_modules(engine, linking))
