"""The example of typed messages does, and says, what it is there to show."""

import sys
from pathlib import Path

from pace import finished

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/typed_messages.py"


def test_it_reports_what_happened_to_each_message():
    done = finished([sys.executable, str(EXAMPLE)])
    assert done.returncode == 0, done.stderr
    bought, as_json, not_understood, refused = done.stdout.splitlines()
    assert bought == "2 tea, and 3 are left"
    assert as_json == 'as JSON: {"text":"1 tea","left":2}'
    assert "expected int, not str @ $.count" in not_understood
    assert refused == "refused; both know application/msgpack"
