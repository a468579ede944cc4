"""Component files: reading, counting and checking them before they run.

The theory. A file comes from anyone. What it will need (functions, memories, tables,
instances) follows from a few of its sections, so that is counted in one pass, in time
and memory bounded by its size, and compared with the limits before any compiler sees it.
What cannot be counted is refused.
"""

from ._advice import advice_for
from ._binary import NotOffered, Range, Reader, Uncountable, Unreadable
from ._component_check import check_wasi, check_world, instances
from ._counts import check_counts, count, refusing
from ._footprint import (
    Footprint,
    export_names,
    fair_cap,
    footprint,
    import_names,
    is_program,
)
from ._producers import producers
from ._source import check_digest, first_lines, opened, read, to_binary

__all__ = (
    "Footprint",
    "NotOffered",
    "Range",
    "Reader",
    "Uncountable",
    "Unreadable",
    "advice_for",
    "check_counts",
    "check_digest",
    "check_wasi",
    "check_world",
    "count",
    "export_names",
    "fair_cap",
    "first_lines",
    "footprint",
    "import_names",
    "instances",
    "is_program",
    "opened",
    "producers",
    "read",
    "refusing",
    "to_binary",
)
