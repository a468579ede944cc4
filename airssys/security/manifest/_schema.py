"""What a `Component.toml` may hold: a class for each table.

Reading, the checks, the JSON schema and the explanation all follow from these classes.
Tables that airssys has a value for (`limits`, `health`, `restart.backoff`) are the
classes of those values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any, Final, final

import attrs

from airssys import security as words
from airssys.contracts import (
    AtTheLimit,
    Backoff,
    Grant,
    Health,
    Limits,
    LogLevel,
    OnAbandoned,
    OverflowPolicy,
    OverflowRules,
    Poison,
    RestartType,
)

NAME: Final = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"
VERSION: Final = r"[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?"
DIGEST: Final = r"[0-9a-f]{64}"
SIGNATURE: Final = r"[0-9a-f]{128}"

Check = Callable[[Any], str | None]
"""Returns what is wrong with a value, or None."""


def _text(about: str, pattern: str, wanted: str) -> Any:  # noqa: ANN401  # a field
    metadata = {"about": about, "pattern": pattern, "wanted": wanted}
    return attrs.field(metadata=metadata)


def _optional(about: str, default: object = None, **more: object) -> Any:  # noqa: ANN401  # a field
    return attrs.field(default=default, metadata={"about": about, **more})


@final
@attrs.frozen(kw_only=True)
class Package:
    """Its name, version and authors."""

    name: str = _text(
        "Its name.", NAME, "small letters, digits and single '-', such as 'order-book'"
    )
    version: str = _text(
        "Its version.", VERSION, "three numbers, such as '1.4.0' or '1.4.0-rc.1'"
    )
    description: str = _optional("What it is for, in a sentence.", "")
    authors: tuple[str, ...] = _optional("Its authors.", ())
    license: str = _optional("An SPDX expression, such as 'MIT'.", "")
    repository: str = _optional("Where its source is.", "")
    homepage: str = _optional("Where to read about it.", "")


@final
@attrs.frozen(kw_only=True)
class Component:
    """How it is started, stopped and configured."""

    env: Mapping[str, str] = _optional("The env-vars passed to initialize.", {})
    data: str | None = _optional("The config-data passed to initialize, as UTF-8.")
    start_timeout: float | None = _optional("Seconds to become ready in.")
    shutdown: float | None = _optional("Seconds to stop in.")
    drain: bool | None = _optional("Whether it handles queued messages before.")
    log_level: LogLevel | None = _optional("Lines below it are dropped.")
    on_abandoned: OnAbandoned | None = _optional(
        "What happens to a call when its asker stops waiting."
    )


@final
@attrs.frozen(kw_only=True)
class HttpRequests:
    """Requests below an origin, by some methods."""

    origin: str = attrs.field(metadata={"about": "As 'https://api.example.com/v1'."})
    methods: tuple[str, ...] = _optional("Without them, all.", ())


@final
@attrs.frozen(kw_only=True)
class CustomGrant:
    """Something of a kind that the program itself defines."""

    kind: str = attrs.field(metadata={"about": "As the program defines it."})
    verb: str = attrs.field(metadata={"about": "What is to be done."})
    resource: str = _optional("A pattern, in the grammar of the kind.", "*")
    limits: Mapping[str, str] = _optional("What narrows it, by name.", {})


def _each(word: Callable[[str], Grant]) -> Any:  # noqa: ANN401  # a field
    """List patterns: each of them is a grant."""
    return _asks(word, (), lambda patterns: tuple(map(word, patterns)))


def _one(word: Callable[..., Grant], default: object, *, whole: bool = False) -> Any:  # noqa: ANN401  # a field
    """Make one grant of a value; whole: the value says no more than yes."""

    def make(value: Any) -> tuple[Grant, ...]:  # noqa: ANN401  # of the field's type
        if value is default:
            return ()
        return (word() if whole else word(value),)

    return _asks(word, default, make)


def _asks(
    word: Callable[..., Grant],
    default: object,
    make: Callable[[Any], tuple[Grant, ...]],
) -> Any:  # noqa: ANN401  # a field
    about = (word.__doc__ or "").partition("\n")[0].rstrip(".:")
    metadata = {"about": f"{about}.", "grants": make}
    return attrs.field(default=default, metadata=metadata)


def _connect(text: str) -> Grant:
    """Open connections to hosts: `*.example.com:443`, `10.0.0.0/8:*`."""
    return Grant("network", ("connect",), text)


def _bind(text: str) -> Grant:
    """Listen at an address of this machine: `127.0.0.1:8080`."""
    return Grant("network", ("bind",), text)


def _http(wanted: str | HttpRequests) -> Grant:
    """Send requests below an origin: `https://api.example.com/v1`."""
    if isinstance(wanted, str):
        return words.http(wanted)
    return words.http(wanted.origin, methods=wanted.methods or "*")


def _custom(wanted: CustomGrant) -> Grant:
    """Do something of a kind that the program itself defines."""
    limits = tuple(sorted(wanted.limits.items()))
    return Grant(wanted.kind, (wanted.verb,), wanted.resource, limits)


def _env(names: tuple[str, ...]) -> Grant:
    """Read variables of the component's environment, by their names."""
    return words.env(*names)


@final
@attrs.frozen(kw_only=True)
class Capabilities:
    """What it asks for, in the words of `airssys.security`."""

    send: tuple[str, ...] = _each(words.send)
    ask: tuple[str, ...] = _each(words.ask)
    request: tuple[str, ...] = _each(words.request)
    broadcast: tuple[str, ...] = _each(words.broadcast)
    publish: tuple[str, ...] = _each(words.publish)
    subscribe: tuple[str, ...] = _each(words.subscribe)
    see: tuple[str, ...] = _each(words.see)
    store: tuple[str, ...] = _each(words.store)
    read_store: tuple[str, ...] = _each(words.read_store)
    read_files: tuple[str, ...] = _each(words.read_files)
    write_files: tuple[str, ...] = _each(words.write_files)
    delete_files: tuple[str, ...] = _each(words.delete_files)
    list_files: tuple[str, ...] = _each(words.list_files)
    connect: tuple[str, ...] = _each(_connect)
    bind: tuple[str, ...] = _each(_bind)
    resolve: tuple[str, ...] = _each(words.resolve)
    http: tuple[str | HttpRequests, ...] = _asks(
        _http, (), lambda each: tuple(map(_http, each))
    )
    clock: float | None = _one(words.clock, None)
    monotonic_clock: float | None = _one(words.monotonic_clock, None)
    random: bool = _one(words.random, default=False, whole=True)
    insecure_random: bool = _one(words.insecure_random, default=False, whole=True)
    env: tuple[str, ...] = _one(_env, ())
    arguments: bool = _one(words.arguments, default=False, whole=True)
    stdin: bool = _one(words.stdin, default=False, whole=True)
    stdout: bool = _one(words.stdout, default=False, whole=True)
    stderr: bool = _one(words.stderr, default=False, whole=True)
    log: str | None = _one(words.log, None)
    run_command: tuple[str, ...] = _each(words.run_command)
    custom: tuple[CustomGrant, ...] = _asks(
        _custom, (), lambda each: tuple(map(_custom, each))
    )


@final
@attrs.frozen(kw_only=True)
class OneQuota:
    """A quota in full."""

    limit: int = attrs.field(metadata={"about": "In use at once, or a second."})
    burst: int | None = _optional("Of a rate: how much at once after a pause.")
    at_limit: AtTheLimit | None = _optional("What happens at the limit.")


@final
@attrs.frozen(kw_only=True)
class QuotaTable:
    """How much it may use over time; the fields are those of `Quotas`."""

    storage_bytes: int | OneQuota | None = None
    messages_per_second: int | OneQuota | None = None
    network_bytes_per_second: int | OneQuota | None = None
    cpu_ms_per_second: int | OneQuota | None = None
    memory_bytes: int | OneQuota | None = None
    host_calls_per_second: int | OneQuota | None = None
    allocation_bytes_per_call: int | OneQuota | None = None
    allocation_bytes_per_second: int | OneQuota | None = None
    log_bytes_per_second: int | OneQuota | None = None
    open_requests: int | OneQuota | None = None
    subscriptions: int | OneQuota | None = None
    fan_out: int | OneQuota | None = None


@final
@attrs.frozen(kw_only=True)
class Mailbox:
    """What may queue."""

    messages: int | None = _optional("The number of messages that may queue.")
    bytes: int | None = _optional("Bytes of payload that may queue.")
    message_bytes: int | None = _optional("Bytes of payload that one message may have.")
    overflow: OverflowPolicy = _optional(
        "What happens to a message that finds it full.", OverflowRules()
    )


@final
@attrs.frozen(kw_only=True)
class Restart:
    """What happens when it ends."""

    type: RestartType | None = _optional("Which ends cause a restart.")
    poison: Poison | None = _optional("What happens to a message that made it crash.")
    backoff: Backoff = _optional("How long to wait before a restart.", Backoff())


@final
@attrs.frozen(kw_only=True)
class CodecTable:
    """The formats of its messages."""

    accepts: tuple[str, ...] = _optional("What it accepts, the preferred first.", ())
    prefixed: bool = _optional("Whether payloads begin with two bytes of codec.", False)  # noqa: FBT003  # a default
    sends: str | None = _optional("What it sends; else the first that it accepts.")


def _is_below(path: str) -> str | None:
    """Code is beside the manifest or below: no stranger's file leads elsewhere."""
    parts = PurePosixPath(path).parts
    if not parts or "\0" in path or "\\" in path:
        return "is not a path with '/'"
    if path.startswith("/") or ".." in parts:
        return "leads out of the folder of the manifest"
    if path.lower().endswith(".toml"):
        return "is not the code of a component"
    return None


@final
@attrs.frozen(kw_only=True)
class Source:
    """Where its code is."""

    path: str = attrs.field(
        metadata={
            "about": "Relative to the folder of this file.",
            "wanted": "the path of a file below the folder of the manifest",
            "check": _is_below,
        }
    )
    sha256: str | None = _optional(
        "The digest of the code: other code is refused.",
        pattern=DIGEST,
        wanted="64 digits of 0-9 and a-f",
    )


@final
@attrs.frozen(kw_only=True)
class Signature:
    """An Ed25519 signature of what is above it; it is the last table."""

    key: str = _text("The public key.", DIGEST, "64 digits of 0-9 and a-f")
    value: str = _text("The signature.", SIGNATURE, "128 digits of 0-9 and a-f")


@final
@attrs.frozen(kw_only=True)
class Manifest:
    """A whole `Component.toml`."""

    package: Package
    source: Source
    component: Component = Component()
    capabilities: Capabilities = Capabilities()
    limits: Limits = Limits()
    quotas: QuotaTable = QuotaTable()
    mailbox: Mailbox = Mailbox()
    restart: Restart = Restart()
    health: Health | None = None
    codecs: CodecTable = CodecTable()
    signature: Signature | None = None


def grants_of(field: attrs.Attribute[Any], value: object) -> tuple[Grant, ...]:
    """Return what a key of `capabilities` asks for."""
    make: Callable[[Any], tuple[Grant, ...]] = field.metadata["grants"]
    return make(value)
