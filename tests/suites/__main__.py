"""Runs the component model's own suites on both lanes: `make suites SUITES=CHECKOUT`.

CHECKOUT is a working copy of WebAssembly/component-model, or any folder of .wast files;
further arguments choose files by what their paths contain. A directive *passes*, is
*skipped* because it needs what airssys does not offer, or *fails*. Each file runs in a
process of its own: one that dies fails. Nothing of those suites is in this repository.
"""

import argparse
import collections
import contextlib
import json
import subprocess
import sys
from pathlib import Path

import trio

from airssys.contracts import EngineSettings
from airssys.wasm import open_runtime

from . import wast
from .script import Script, Skipped

LANES = ("own", "wasmtime", "async")
_MOST_SECONDS = 600


async def _run_file(path, lane):
    rows = []
    is_async = lane == "async"
    settings = EngineSettings(
        lane="own" if is_async else lane, component_async=is_async
    )
    async with (
        open_runtime(settings, cache_directory=None) as loader,
        contextlib.AsyncExitStack() as opened,
    ):
        script = Script(loader, opened)
        for form in wast.forms(path.read_text(errors="replace")):
            outcome, why = await _run_form(script, form)
            rows.append((form[:200], outcome, why))
        while script.opened:
            script.opened.pop().close()
    print("RESULT" + json.dumps({"rows": rows, "whole": script.whole}))


async def _run_form(script, form):
    try:
        await script.run(form)
    except (Skipped, wast.Unreadable) as why:
        return "skipped", str(why)
    except Exception as error:  # noqa: BLE001  # whatever it is, it is reported
        return "fail", f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    return "pass", ""


def _run_process(path, lane):
    command = [sys.executable, "-m", "suites", "--one", str(path), "--lane", lane]
    try:
        done = subprocess.run(  # this program itself
            command, capture_output=True, text=True, timeout=_MOST_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return {"rows": [("", "fail", "it took too long")], "whole": {}}
    for line in done.stdout.splitlines():
        if line.startswith("RESULT") and not done.returncode:
            return json.loads(line.removeprefix("RESULT"))
    text = f"exit {done.returncode}: {done.stderr[-300:]}"
    return {"rows": [("", "fail", text)], "whole": {}}


class _Report:
    """What came out, by lane and folder."""

    def __init__(self, lanes):
        self._lanes = lanes
        self._counts = collections.defaultdict(collections.Counter)
        self._reasons = {lane: collections.Counter() for lane in lanes}
        self._whole = {lane: collections.Counter() for lane in lanes}
        self.failures = []

    def add(self, path, folder, lane, result):
        self._whole[lane].update(result["whole"])
        for form, outcome, why in result["rows"]:
            self._counts[folder, lane][outcome] += 1
            if outcome == "skipped":
                self._reasons[lane][why] += 1
            elif outcome == "fail":
                self.failures.append(f"{lane} {path}\n    {why}\n    {form[:150]}")

    def show(self):
        for lane in self._lanes:
            print(f"\nlane {lane}: pass, skipped, failed")
            for (folder, of), found in sorted(self._counts.items()):
                if of == lane:
                    numbers = [found[word] for word in ("pass", "skipped", "fail")]
                    print("  {:12}{:6}{:6}{:6}".format(folder, *numbers))
            for title, counts in (
                ("skipped because of", self._reasons[lane]),
                ("run whole because of", self._whole[lane]),
            ):
                print(f"  {title}:" if counts else "", end="\n" if counts else "")
                for why, count in counts.most_common(15):
                    print(f"  {count:6} {why}")
        print("", *self.failures, sep="\n")


def main():
    parser = argparse.ArgumentParser(prog="suites", description=__doc__)
    parser.add_argument("checkout", type=Path, nargs="?")
    parser.add_argument("words", nargs="*")
    parser.add_argument("--lane", choices=LANES)
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one is not None:
        trio.run(_run_file, chosen.one, chosen.lane)
        return 0
    if chosen.checkout is None or not chosen.checkout.is_dir():
        parser.error("name a working copy of WebAssembly/component-model")
    lanes = (chosen.lane,) if chosen.lane else LANES
    report = _Report(lanes)
    for path in sorted(chosen.checkout.rglob("*.wast")):
        if chosen.words and not any(word in str(path) for word in chosen.words):
            continue
        for lane in lanes:
            report.add(path, path.parent.name, lane, _run_process(path, lane))
    report.show()
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
