"""WASI 0.2 for components: what it names, and what of it an instance may use.

Theory. Toolchains import far more than their programs call, so everything that is named
here links, and holding nothing is decided when a function is called: it answers then as
its interface says that one answers that has nothing to give. There is no environment,
there are no arguments, the clocks stand still, nothing can be read, and what is written
is gone. Where an interface has no such answer, as for secure random bytes, the guest is
stopped. The first such call of each kind is reported, as any access that is denied.

What a guest is given are plain objects that know Trio and nothing of WASI: `_clocks`,
`_pollables`, `_streams`. The names of 0.2 are a thin layer above them: `_cli`, `_io`,
`_clocks_and_random`, and `_unused` for what no component can use yet.
"""

from ._interfaces import WASI_INTERFACES, wasi_beside
from ._programs import RUN, HandlerProgram, ProgramComponent

__all__ = (
    "RUN",
    "WASI_INTERFACES",
    "HandlerProgram",
    "ProgramComponent",
    "wasi_beside",
)
