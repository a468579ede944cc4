"""Component files: reading, counting and checking them before they run."""

from ._advice import advice_for
from ._binary import NotOffered, Range, Reader, Uncountable, Unreadable
from ._component_check import check_wasi, check_world, instances
from ._counts import check_counts, count
from ._footprint import Footprint, fair_cap, footprint, import_names
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
    "fair_cap",
    "first_lines",
    "footprint",
    "import_names",
    "instances",
    "opened",
    "read",
    "to_binary",
)
