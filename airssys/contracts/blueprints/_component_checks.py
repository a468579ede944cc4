"""Checks the code of a component and what the component is given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from airssys.contracts.errors import Mistake
from airssys.contracts.values import (
    Artifact,
    ComponentConfig,
    Limits,
    LogLevel,
    OnAbandoned,
    choices,
    is_kind,
    is_text,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airssys.contracts.specs import ComponentSpec


def component_mistakes(spec: ComponentSpec, path: str) -> Iterator[Mistake]:
    """Check what only components have."""
    if not is_kind(spec.artifact, Artifact):
        text = f"{shown(spec.artifact)} is not an artifact"
        yield Mistake(f"{path}.artifact", text, "write Artifact.at(path)")
    elif not is_kind(spec.artifact.source, (Path, bytes, str)):
        text = f"{shown(spec.artifact.source)} is not code"
        hint = "a Path, bytes, or WAT text as str"
        yield Mistake(f"{path}.artifact.source", text, hint)
    else:
        yield from _host_mistakes(spec.artifact.host, f"{path}.host")
    if not is_kind(spec.log_level, LogLevel):
        text = f"{shown(spec.log_level)} is not a valid log level"
        hint = choices(LogLevel, spec.log_level)
        yield Mistake(f"{path}.log_level", text, hint)
    if not is_kind(spec.on_abandoned, OnAbandoned):
        text = f"{shown(spec.on_abandoned)} is not a valid choice"
        hint = choices(OnAbandoned, spec.on_abandoned)
        yield Mistake(f"{path}.on_abandoned", text, hint)
    if not is_kind(spec.config, ComponentConfig):
        text = f"{shown(spec.config)} is not a ComponentConfig"
        yield Mistake(f"{path}.config", text, "write ComponentConfig(...)")
    else:
        yield from _config_mistakes(spec.config, f"{path}.config")


def _host_mistakes(host: object, path: str) -> Iterator[Mistake]:
    hint = "write [HostInterface(...), ...], from airssys.wasm"
    if not isinstance(host, tuple):
        yield Mistake(path, f"{shown(host)} is not a list of interfaces", hint)
        return
    for index, each in enumerate(host):
        if not is_text(getattr(each, "name", None)) or isinstance(each, type):
            text = f"{shown(each)} is not a valid interface"
            yield Mistake(f"{path}[{index}]", text, hint)


def _config_mistakes(config: ComponentConfig, path: str) -> Iterator[Mistake]:
    if not is_kind(config.limits, Limits):
        text = f"{shown(config.limits)} is not a Limits"
        yield Mistake(f"{path}.limits", text, "write Limits(...)")
    if config.data is not None and not is_kind(config.data, bytes):
        text = f"{shown(config.data)} is neither bytes nor None"
        yield Mistake(f"{path}.data", text, "encode text, e.g. by str.encode")
    if not is_kind(config.env, tuple):
        text = f"{shown(config.env)} is not a tuple"
        yield Mistake(f"{path}.env", text, "write (('NAME', 'value'), ...)")
        return
    for index, pair in enumerate(config.env):
        is_pair = is_kind(pair, tuple) and len(pair) == 2  # noqa: PLR2004 (a pair)
        if not is_pair or not all(map(is_text, pair)):
            text = f"{shown(pair)} is not a name with a value"
            hint = "write ('NAME', 'value'), both of them text that UTF-8 can encode"
            yield Mistake(f"{path}.env[{index}]", text, hint)
