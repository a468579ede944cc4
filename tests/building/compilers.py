"""Compilers that are not there: scripts that answer and write what a test wants."""

import json
import os
import stat
import sys
from textwrap import dedent

from .core_modules import core_module

# For sh, then for Python: a line with `#!` takes no interpreter whose path has a space.
PROGRAM = """\
    #!/bin/sh
    '''exec' "{python}" "$0" "$@"
    ' '''
    import json, pathlib, sys
    arguments = sys.argv[1:]
    with open({log!r}, "a") as log:
        print(json.dumps(arguments), file=log)
    for path in arguments:
        if path.endswith(".wit"):
            pathlib.Path({log!r} + ".wit").write_bytes(pathlib.Path(path).read_bytes())
    for word, answer in {answers!r}.items():
        if word in arguments:
            print(answer)
            sys.exit()
    if {failure!r}:
        sys.exit({failure!r})
    output = pathlib.Path(arguments[arguments.index("-o") + 1])
    output.write_bytes(pathlib.Path({core!r}).read_bytes())
"""


class FakeCompiler:
    """A compiler that knows some questions, and compiles anything to an echo."""

    def __init__(self, folder, name, answers, failure="", output=None):
        self.log = folder / f"{name}.log"
        core = folder / f"{name}.core"
        core.write_bytes(core_module() if output is None else output)
        program = folder / name
        text = dedent(PROGRAM).format(
            python=sys.executable,
            log=str(self.log),
            answers=answers,
            failure=failure,
            core=str(core),
        )
        program.write_text(text)
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    @property
    def compiled(self):
        """The arguments of each compilation."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        calls = [json.loads(line) for line in lines]
        return [arguments for arguments in calls if "-o" in arguments]

    @property
    def wit(self):
        """The WIT text of the last run that got a file of it."""
        return self.log.with_name(f"{self.log.name}.wit").read_text()


def only(monkeypatch, folder):
    """Let nothing be found but what is in a folder."""
    monkeypatch.setenv("PATH", os.fspath(folder))
