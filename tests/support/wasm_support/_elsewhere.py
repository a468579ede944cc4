"""Restores a snapshot in another process, and asks for one more answer."""

import os
import subprocess
import sys

import trio

from pace import PATIENCE

from ._guests import ROOT

_PROGRAM = """
import sys, trio
from airssys.contracts import Artifact, EngineSettings, Limits
from airssys.wasm import open_runtime
from wasm_support import ScriptedServices, envelope

async def main(code, snapshot, cache=None):
    settings = EngineSettings(lane="own")
    async with open_runtime(settings, cache_directory=cache) as loader:
        component = await loader.load(Artifact.at(code))
        written = open(snapshot, "rb").read()
        guest = await component.restore(written, Limits(), ScriptedServices())
        print((await guest.handle_message(envelope())).decode())
        guest.close()

trio.run(main, *sys.argv[1:])
"""


async def answer_elsewhere(code, snapshot, folder, cache=None):
    """Return what the guest answers to an empty message; `folder` is for files."""
    kept = folder / "snapshot"
    kept.write_bytes(snapshot.to_bytes())
    caches = [] if cache is None else [cache]
    done = await trio.to_thread.run_sync(
        lambda: subprocess.run(
            [sys.executable, "-c", _PROGRAM, code, kept, *caches],
            env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'support'}"},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
