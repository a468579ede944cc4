"""What an audit log is: where it is kept, and what happens when it cannot be written."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal, Protocol, TypeAlias, final

import attrs

from airssys.contracts import KIB, MIB

WhenFull: TypeAlias = Literal["refuse", "drop", "end"]
Sync: TypeAlias = Literal["always", "rotation", "never"]
_WHEN_FULL = ("refuse", "drop", "end")
_SYNCS = ("always", "rotation", "never")


class Signer(Protocol):
    """Signs checkpoints of a log; see `Ed25519Signer`."""

    @property
    def public_key(self) -> bytes:
        """What its signatures are checked with."""
        ...

    def sign(self, data: bytes, /) -> bytes:
        """Sign some bytes. It is called in a thread that is not Trio's."""
        ...


def _as_path(path: object) -> Path:
    if not isinstance(path, (str, Path)):
        raise TypeError(f"the path of an audit log is text or a Path, not {path!r:.80}")
    return Path(path)


@final
@attrs.frozen(kw_only=True)
class AuditLog:
    """An audit log: a file that gets one line for each decision about an access.

        open_system(blueprint, audit=AuditLog("/var/log/shop/audit.jsonl"))

    The file is created for its owner alone if it does not exist; its folder has to be
    there. An existing one is continued, if its end is what was last written.

    Args:
        path: The file that is written. When it is full it becomes `path.1`, the next
            one `path.2` and so on. `path.head` has the end of the chain.
        window: Seconds for which accesses that are allowed are counted, by component,
            sender, verb and resource, before they are recorded. 0: each access is a
            record of its own. What is denied is recorded at once.
        when_full: What happens while records cannot be written, because the disk is
            full or the queue is. `refuse`: every access of restricted actors is denied
            until they can. `drop`: the system goes on, and what does not fit into the
            queue is only counted. `end`: the system ends with `AuditFailed`.
        file_bytes: After this many a new file is begun.
        queue_records: That may wait to be written.
        queue_bytes: That these may take.
        sync: When the file is forced to the disk: `always`, before more is written;
            `rotation`, when a file is full and at the end; or `never`.
        retry: Seconds until it is tried again after the file could not be written.
        signer: Signs checkpoints, so that who can change the file cannot write another
            history; see `Ed25519Signer`.
        checkpoint_records: After this many records there is a checkpoint.

    Raises:
        TypeError: A value has another type.
        ValueError: A value is out of its range.
    """

    path: Path = attrs.field(converter=_as_path, kw_only=False)
    window: float = attrs.field(default=1.0)
    when_full: WhenFull = attrs.field(default="refuse")
    file_bytes: int = attrs.field(default=64 * MIB)
    queue_records: int = attrs.field(default=10_000)
    queue_bytes: int = attrs.field(default=8 * MIB)
    sync: Sync = attrs.field(default="rotation")
    retry: float = attrs.field(default=1.0)
    signer: Signer | None = None
    checkpoint_records: int = attrs.field(default=1000)

    def __attrs_post_init__(self) -> None:
        _check_word("when_full", self.when_full, _WHEN_FULL)
        _check_word("sync", self.sync, _SYNCS)
        _check_number("window", self.window, 0)
        _check_number("retry", self.retry, 0.001)
        for name, least in (
            ("file_bytes", 4 * KIB),
            ("queue_records", 8),
            ("queue_bytes", 4 * KIB),
            ("checkpoint_records", 1),
        ):
            value = getattr(self, name)
            if type(value) is not int:
                raise TypeError(f"{name} of an audit log is an int, not {value!r:.80}")
            _check_number(name, value, least)


def _check_word(name: str, value: object, words: tuple[str, ...]) -> None:
    if value not in words:
        known = ", ".join(words)
        raise ValueError(f"{name} of an audit log is one of {known}, not {value!r:.80}")


def _check_number(name: str, value: object, least: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} of an audit log is a number, not {value!r:.80}")
    if not least <= value < math.inf:
        raise ValueError(f"{name} of an audit log is at least {least}, not {value}")
