"""Runs a test with handlers of their own tasks, and with handlers that never wait.

A module with `pytestmark = pytest.mark.usefixtures("handler_kind")` runs each of its
tests twice. A handler that awaits something is served by its own task in both runs, and a
plain function never is.
"""

from airssys.nursery.behaviours import _python_actor


def serve_by_tasks(monkeypatch):
    """Serve async handlers that never wait as those that do, from now on."""
    monkeypatch.setattr(_python_actor, "never_waits", lambda _: False)
