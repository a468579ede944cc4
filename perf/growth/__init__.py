"""How time and memory of one more grow with how many there are already."""

import perf.suite  # noqa: F401  # which puts `measuring` on the path
