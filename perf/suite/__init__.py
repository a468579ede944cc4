"""Cases, each timed in one process with a calibration case of plain Trio."""

import sys
from pathlib import Path

# The programs in perf/ are run as `python perf/tell.py`, which puts that folder on the
# path. The suite is run as `python -m perf`, and shares `measuring` with them.
if (_PERF := str(Path(__file__).resolve().parents[1])) not in sys.path:
    sys.path.append(_PERF)
