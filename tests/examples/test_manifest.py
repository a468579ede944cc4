"""The example of manifests: what both say holds, and more than that is refused."""

import sys
from pathlib import Path

from pace import finished

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "manifest.py"
WANTED = """\
b'1'
it may send to reports/daily
the new code could do more than the present code: + messaging ask calendar
now it may ask calendar
"""


def test_the_example():
    done = finished([sys.executable, str(EXAMPLE)])
    assert (done.stdout, done.stderr, done.returncode) == (WANTED, "", 0)
