"""Core modules rewritten before they are compiled: more of them is exported.

The theory. A module hides what it does not export. Two things must be reached: its start
function, so that it runs on a fiber like any other call, and its memories, globals and
tables, which are all the state that an instance has. Another export changes nothing that
the module could notice.
"""

from ._exports import NOTHING, Exposed, Prepared, prepared
from ._memories import check_unshared

__all__ = ("NOTHING", "Exposed", "Prepared", "check_unshared", "prepared")
