"""The example of a component that handles requests: one grant, served and denied."""

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "serve_http.py"


def test_it_is_served_with_its_grant_and_denied_without():
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "served: 200\ndenied: 403\n"), done
