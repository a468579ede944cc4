"""The peers: what each needs, in an environment of its own that is made when missing."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import attrs

ROOT: Final = Path(__file__).resolve().parents[2]
_ENVIRONMENTS: Final = ROOT / ".build" / "perf" / "peers"
_PROGRAMS: Final = Path(__file__).parent / "programs"


class Missing(Exception):
    """A peer cannot be run here; the text says why."""


@attrs.frozen
class Peer:
    """Something that airssys is compared with.

    Attributes:
        name: as the table shows it.
        program: in `programs/`, or arguments of this interpreter.
        packages: pinned, installed into an environment of its own; none for what is here.
        tool: a program that must be there, and runs `program`.
        python: written in Python, so that it counts as a Python peer.
    """

    name: str
    program: tuple[str, ...]
    packages: tuple[str, ...] = ()
    tool: str | None = None
    python: bool = True


_OURS: Final = ("-m", "perf.peers.programs.by_airssys")
TRIO: Final = "plain Trio"
OURS: Final = ("airssys, def", "airssys, async def")
PEERS: Final = (
    Peer(OURS[0], (*_OURS, "plain")),
    Peer(OURS[1], (*_OURS, "async")),
    Peer(TRIO, (*_OURS, "trio")),
    Peer("asyncio", ("by_asyncio.py",)),
    Peer("Pykka", ("by_pykka.py",), ("pykka==4.5.0",)),
    Peer("Thespian", ("by_thespian.py",), ("thespian==4.0.1",)),
    Peer("xoscar", ("by_xoscar.py",), ("xoscar==0.12.2",)),
    Peer("wasmtime-py", ("by_wasmtime.py",)),
    Peer("Extism", ("by_extism.py",), ("extism==1.1.1", "extism-sys==1.41.0")),
    Peer("Erlang", ("by_erlang.escript",), tool="escript", python=False),
)


def command_of(peer: Peer) -> list[str]:
    """Return the command that starts a peer; make its environment if that is missing.

    Raises:
        Missing: a tool is not there, or packages could not be installed.
    """
    if peer.program[0] == "-m":
        return [sys.executable, *peer.program]
    program = str(_PROGRAMS / peer.program[0])
    if peer.tool is not None:
        if (tool := shutil.which(peer.tool)) is None:
            raise Missing(f"{peer.tool} is not installed")
        return [tool, program]
    python = _environment(peer) if peer.packages else sys.executable
    return [str(python), program]


def _environment(peer: Peer) -> Path:
    pins = "\n".join((*peer.packages, sys.version))
    key = hashlib.sha256(pins.encode()).hexdigest()[:12]
    folder = _ENVIRONMENTS / f"{peer.name.lower()}-{key}"
    python = folder / "bin" / "python"
    if (folder / "complete").exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    _call([sys.executable, "-m", "venv", str(folder)])
    _call([str(python), "-m", "pip", "install", "--quiet", *peer.packages])
    (folder / "complete").touch()
    return python


def _call(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise Missing(f"{' '.join(command[-3:])}: {last}")
