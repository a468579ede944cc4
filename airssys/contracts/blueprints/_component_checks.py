"""Checks the code of a component and what the component is given."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from airssys.contracts.errors import Mistake
from airssys.contracts.values import (
    Artifact,
    CheckpointEvery,
    ComponentConfig,
    EngineSettings,
    Limits,
    LogLevel,
    OnAbandoned,
    Requested,
    RestartFrom,
    StartFrom,
    choices,
    is_count,
    is_kind,
    is_number,
    is_text,
    shown,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airssys.contracts.specs import ComponentSpec


def component_mistakes(spec: ComponentSpec, path: str) -> Iterator[Mistake]:
    """Check what only components have."""
    grants: object = spec.can
    if grants is None:
        hint = "write can=[everything()] for code that is trusted like the program"
        yield Mistake(f"{path}.can", "a component has grants, and may have none", hint)
    if spec.requested is not None and not is_kind(spec.requested, Requested):
        text = f"{shown(spec.requested)} is not what a manifest requests"
        yield Mistake(f"{path}.requested", text, "leave it out, or name a manifest")
    yield from _artifact_mistakes(spec, path)
    if not is_kind(spec.log_level, LogLevel):
        text = f"{shown(spec.log_level)} is not a valid log level"
        hint = choices(LogLevel, spec.log_level)
        yield Mistake(f"{path}.log_level", text, hint)
    if not is_kind(spec.on_abandoned, OnAbandoned):
        text = f"{shown(spec.on_abandoned)} is not a valid choice"
        hint = choices(OnAbandoned, spec.on_abandoned)
        yield Mistake(f"{path}.on_abandoned", text, hint)
    yield from _snapshot_mistakes(spec, path)
    if not is_kind(spec.config, ComponentConfig):
        text = f"{shown(spec.config)} is not a ComponentConfig"
        yield Mistake(f"{path}.config", text, "write ComponentConfig(...)")
    else:
        yield from _config_mistakes(spec.config, f"{path}.config")


def _artifact_mistakes(spec: ComponentSpec, path: str) -> Iterator[Mistake]:
    if not is_kind(spec.artifact, Artifact):
        text = f"{shown(spec.artifact)} is not an artifact"
        yield Mistake(f"{path}.artifact", text, "write Artifact.at(path)")
    elif not is_kind(spec.artifact.source, (Path, bytes, str)):
        text = f"{shown(spec.artifact.source)} is not code"
        hint = "a Path, bytes, or WAT text as str"
        yield Mistake(f"{path}.artifact.source", text, hint)
    elif spec.artifact.sha256 is not None and not _is_digest(spec.artifact.sha256):
        text = f"{shown(spec.artifact.sha256)} is not a SHA-256"
        hint = "write 64 digits of 0-9 and a-f, or None"
        yield Mistake(f"{path}.artifact.sha256", text, hint)
    else:
        yield from _host_mistakes(spec.artifact.host, f"{path}.host")


def _is_digest(value: object) -> bool:
    return is_text(value) and re.fullmatch(r"[0-9a-f]{64}", f"{value}") is not None


def _snapshot_mistakes(spec: ComponentSpec, path: str) -> Iterator[Mistake]:
    if not is_kind(spec.start_from, StartFrom):
        text = f"{shown(spec.start_from)} is not a valid choice"
        hint = choices(StartFrom, spec.start_from)
        yield Mistake(f"{path}.start_from", text, hint)
    if not is_kind(spec.restart_from, RestartFrom):
        text = f"{shown(spec.restart_from)} is not a valid choice"
        hint = choices(RestartFrom, spec.restart_from)
        yield Mistake(f"{path}.restart_from", text, hint)
        return
    every, wants = spec.checkpoint_every, spec.restart_from is RestartFrom.CHECKPOINT
    if every is None and wants:
        text = "it restarts from a checkpoint, and none is ever taken"
        hint = "write e.g. checkpoint_every=60.0"
        yield Mistake(f"{path}.checkpoint_every", text, hint)
    elif every is not None:
        yield from _checkpoint_mistakes(every, path, wants=wants)


def _checkpoint_mistakes(every: object, path: str, *, wants: bool) -> Iterator[Mistake]:
    at = f"{path}.checkpoint_every"
    if not isinstance(every, CheckpointEvery):
        hint = "write seconds, or CheckpointEvery(seconds=..., messages=...)"
        yield Mistake(at, f"{shown(every)} is not a CheckpointEvery", hint)
        return
    if every.seconds is None and every.messages is None:
        hint = "give it seconds, messages or both"
        yield Mistake(at, "it says neither seconds nor messages", hint)
    if every.seconds is not None and not is_number(
        every.seconds, 0.01, 1e9, whole=False
    ):
        text = f"{shown(every.seconds)} is not a valid number of seconds"
        yield Mistake(f"{at}.seconds", text, "write a number from 0.01, or None")
    if every.messages is not None and not is_count(every.messages, at_least=1):
        text = f"{shown(every.messages)} is not a valid number of messages"
        yield Mistake(f"{at}.messages", text, "write a whole number from 1, or None")
    if not wants:
        text = "its checkpoints are taken, and never used"
        hint = "write restart_from='checkpoint', or leave out checkpoint_every"
        yield Mistake(f"{path}.restart_from", text, hint)


def lane_mistakes(
    spec: ComponentSpec, path: str, engine: EngineSettings
) -> Iterator[Mistake]:
    """Check that the engine can do what a component needs."""
    if not spec.uses_snapshots or engine.lane == "own":
        return
    option = "checkpoint_every"
    if spec.start_from is StartFrom.SNAPSHOT:
        option = "start_from"
    text = f"snapshots are not possible on the lane {engine.lane!r}"
    hint = "write engine=EngineSettings(lane='own') for the system"
    yield Mistake(f"{path}.{option}", text, hint)


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
    yield from _program_mistakes(config, path)
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
        elif not pair[0] or "=" in pair[0] or any("\0" in each for each in pair):
            text = f"{shown(pair)} is not a variable that a program can read"
            hint = "a name is not empty and has no '='; neither part has a NUL"
            yield Mistake(f"{path}.env[{index}]", text, hint)


def _program_mistakes(config: ComponentConfig, path: str) -> Iterator[Mistake]:
    """Find mistakes in what only programs are given."""
    arguments = config.arguments
    if not is_kind(arguments, tuple) or not all(map(is_text, arguments)):
        text = f"{shown(arguments)} is not a tuple of texts"
        yield Mistake(f"{path}.arguments", text, "write ('--verbose', 'a.txt')")
    elif any("\0" in each for each in arguments):
        text = f"{shown(arguments)} has a NUL, which ends an argument"
        yield Mistake(f"{path}.arguments", text, "leave it out")
    if config.stdin is not None and not is_kind(config.stdin, bytes):
        text = f"{shown(config.stdin)} is neither bytes nor None"
        yield Mistake(f"{path}.stdin", text, "encode text, e.g. by str.encode")
    if config.listen is not None and not _is_place(config.listen):
        text = f"{shown(config.listen)} is not a host and a port"
        yield Mistake(f"{path}.listen", text, "write '127.0.0.1:8080'")
    if not is_count(config.keep, at_least=1):
        text = f"{shown(config.keep)} is not a number of requests"
        yield Mistake(f"{path}.keep", text, "write 1 or more")
    for name in ("passes_stdio", "handles_http"):
        if not is_kind(value := getattr(config, name), bool):
            text = f"{shown(value)} is neither True nor False"
            yield Mistake(f"{path}.{name}", text, "write True or False")


def _is_place(listen: object) -> bool:
    """Whether it is `host:port`."""
    if not is_text(listen):
        return False
    host, _, port = str(listen).rpartition(":")
    is_number = port.isascii() and port.isdigit() and len(port) <= 5  # noqa: PLR2004  # the digits of 65535
    return bool(host) and is_number and 0 < int(port) < 2**16
