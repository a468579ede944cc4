"""The plugin as pytest finds it: cheap until it is used, and then it serves."""

import sys
import tomllib
from pathlib import Path
from textwrap import dedent

import pytest

from pace import finished

ROOT = Path(__file__).resolve().parents[2]


def python(*arguments, cwd):
    return finished([sys.executable, *arguments], cwd=cwd)


def pytest_in(folder, text):
    (folder / "test_it.py").write_text(dedent(text), "utf-8")
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n", "utf-8")
    options = "-p", "pytest_airssys", "-p", "no:cacheprovider", "-q"
    return python("-m", "pytest", *options, cwd=folder)


def test_importing_it_imports_nothing_of_ours():
    code = "import sys, pytest_airssys; print(*sys.modules)"
    done = python("-c", code, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    packages = {name.partition(".")[0] for name in done.stdout.split()}
    assert not packages & {"airssys", "attrs", "trio", "wasmtime", "pytest_trio"}


@pytest.mark.slow
def test_a_project_that_does_not_use_it_pays_nothing(tmp_path):
    done = pytest_in(
        tmp_path,
        """
        import sys

        def test_it():
            assert not {"airssys", "wasmtime"} & set(sys.modules)
        """,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.slow
def test_its_fixtures_serve_in_a_project_without_settings(tmp_path):
    done = pytest_in(
        tmp_path,
        """
        import pytest, trio
        from airssys import ChildStarted, blueprint
        from airssys.testing import Probe

        @pytest.mark.trio
        async def test_it(airssys_system, airssys_events, airssys_clock):
            probe = Probe("echo", answer=b"yes")
            async with airssys_system(blueprint(probe.spec)) as system:
                assert await system.ask("echo", b"there?") == b"yes"
                await trio.sleep(3600)
            assert airssys_events.of(ChildStarted)[0].child == "local/echo/0"

        def test_that(airssys_system, airssys_clock):
            async def main():
                async with airssys_system(blueprint(Probe().spec)) as system:
                    return await system.ask("probe", b"there?")

            assert trio.run(main, clock=airssys_clock) is None
        """,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_it_is_announced_and_shipped():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    # pytest skips an entry point whose name was loaded by `-p`: so both are the same.
    entry_points = project["project"]["entry-points"]["pytest11"]
    assert entry_points == {"pytest_airssys": "pytest_airssys"}
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"]["pytest_airssys.py"] == "pytest_airssys.py"


def test_hypothesis_is_imported_by_those_only_who_use_it():
    code = "import sys, airssys.testing; print(*sys.modules)"
    done = python("-c", code, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "airssys.testing.model._supervisor" in done.stdout.split()
    assert "hypothesis" not in done.stdout.split()
