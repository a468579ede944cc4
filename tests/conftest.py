"""Settings for all tests: which are slow, and how hypothesis searches."""

import os
import signal
import tempfile
from importlib.metadata import version
from pathlib import Path

import hypothesis
import pytest

import airssys
from handler_kinds import serve_by_tasks

# The gate tries the same in each run; what others may find, `make test-slow` looks for.
hypothesis.settings.register_profile("gate", deadline=None, derandomize=True)
hypothesis.settings.register_profile("slow", deadline=None, max_examples=1000)
hypothesis.settings.register_profile(
    "first failure",  # and no search for a shorter one
    deadline=None,
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)


def pytest_addoption(parser):
    parser.addoption(
        "--run-slow", action="store_true", help="also run tests marked slow"
    )
    parser.addoption(
        "--lane",
        choices=["own", "wasmtime"],
        default="own",
        help="how guests are run where a test does not say it",
    )


def pytest_configure(config):
    # A shell that starts the tests in the background has them ignore it, and all that
    # they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Caches and their secret: not those of the user.
    for variable in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
        directory = tempfile.TemporaryDirectory(prefix="airssys-tests-")
        config.add_cleanup(directory.cleanup)
        os.environ[variable] = directory.name
    defaults = airssys.EngineSettings.__init__.__kwdefaults__
    defaults["lane"] = config.getoption("--lane")
    defaults["compile_time"] = 3600.0  # a busy machine needs minutes for a Python guest
    blueprints = airssys.Blueprint.__init__.__kwdefaults__
    blueprints["engine"] = airssys.EngineSettings()  # not that of the import
    slow = config.getoption("--run-slow")
    profile = os.environ.get("AIRSSYS_HYPOTHESIS_PROFILE", "slow" if slow else "gate")
    hypothesis.settings.load_profile(profile)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown():
    """Give the signals back: `airssys run` keeps them, as its process is to end."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


@pytest.fixture(scope="module", params=["async", "plain"])
def handler_kind(request):
    """Which kind of handlers a test has; see `handler_kinds`."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        if request.param == "async":
            serve_by_tasks(monkeypatch)
        yield request.param


def pytest_report_header():
    return [
        f"airssys: {airssys.__version__} from {Path(airssys.__file__).parent}",
        f"wasmtime: {version('wasmtime')}, trio: {version('trio')}",
    ]


def pytest_collection_modifyitems(config, items):
    if config.getoption("--run-slow"):
        return
    # Not `"slow" in item.keywords`: the name of the checkout's folder is one of those.
    slow = [item for item in items if item.get_closest_marker("slow")]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]
