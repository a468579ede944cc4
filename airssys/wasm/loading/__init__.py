"""From a file to components that are ready to run, and the engine they run in.

The theory. Loading has three parts, and each can say no. *Reading* counts what the code
will need and refuses what exceeds a limit, before anything is compiled. *Taking apart*
makes a plan of core modules from the component; what cannot be taken apart is compiled
whole, by wasmtime. *Binding* finds a host function for each import and compares their
types. All three run in worker threads, because they take from milliseconds to half a
minute. The Trio thread only adopts the result: what is open in C from then on belongs to
the engine's ledger.
"""

from ._any_instance import AnyComponent, AnyInstance, load_any
from ._component_loader import Loader
from ._inspection import Inspection, exports_of, functions_imported, inspect
from ._open_runtime import open_runtime

__all__ = (
    "AnyComponent",
    "AnyInstance",
    "Inspection",
    "Loader",
    "exports_of",
    "functions_imported",
    "inspect",
    "load_any",
    "open_runtime",
)
